/* SPDX-License-Identifier: BSD-2-Clause */
/* A header and a body together, with everything that was on the wire: for those who show
 * messages or take them from people. Pure functions: any thread. */
#ifndef KL_PACKET_H
#define KL_PACKET_H

#include "core/base/log.h"
#include "core/proto/frame.h"

struct kl_packet {
	const struct kl_msg *msg, *header_msg;
	int version, header_version;
	void *header; /* struct kl_request_header or struct kl_response_header */
	void *body;
};

/* Read what follows a frame's size, all of it. response NULL: it is a request, whose header
 * names API and version. An ApiVersions response with UNSUPPORTED_VERSION that is none of
 * `version` is one of version 0 (KIP-511). Everything lies in arena or points into the input.
 * PROTOCOL: no such message, or bytes are left over. UNSUPPORTED: no such API or version. */
int kl_packet_decode(const struct kl_msg *response, int version, const void *p, size_t n,
		     struct kl_arena *arena, struct kl_packet *packet_out,
		     struct klamm_error *err);

/* Append the same bytes, without a size. Errors are those of kl_msg_encode(). */
int kl_packet_encode(const struct kl_packet *packet, struct kl_buf *buf,
		     struct klamm_error *err);

/* Append {"header":...,"body":...}. public: as kl_msg_json_public(). */
void kl_packet_json(const struct kl_packet *packet, bool public, struct kl_buf *buf);

/* Log a frame that was sent ('>') or came ('<'), if the log wants traffic:
 * "> Metadata v13 {"header":...,"body":...}", whole and without secrets. */
void kl_traffic_write(const struct kl_log *log, const char *where, char direction,
		      const struct kl_frame *frame);
static inline void kl_traffic(const struct kl_log *log, const char *where, char direction,
			      const struct kl_frame *frame)
{
	if (kl_unlikely(log->traffic) && log->fn != NULL)
		kl_traffic_write(log, where, direction, frame);
}

#endif
