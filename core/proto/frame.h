/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests and responses with their headers. A frame is a 4-byte size, a header and a body;
 * the header's version follows from the body's (KIP-482). Pure functions: any thread. */
#ifndef KL_FRAME_H
#define KL_FRAME_H

#include "core/proto/gen/messages.h"

/* A frame to write. */
struct kl_frame {
	const struct kl_msg *msg; /* the request or response that obj is */
	int version;
	int32_t correlation_id;
	struct kl_str client_id; /* of requests; may be null */
	const void *obj;
	struct kl_refs *refs; /* NULL: records are copied, else see kl_msg_encode_refs() */
};

/* Append the whole frame; its size counts what refs hold. On failure buf is cut to where it
 * was; refs may hold entries that are void then. Errors are those of kl_msg_encode(). */
int kl_frame_request(const struct kl_frame *frame, struct kl_buf *buf,
		     struct klamm_error *err);
int kl_frame_response(const struct kl_frame *frame, struct kl_buf *buf,
		      struct klamm_error *err);

/* The header that a request or a response has: what it is, and which version of it. */
union kl_frame_headers {
	struct kl_request_header request;
	struct kl_response_header response;
};
const struct kl_msg *kl_frame_header_of(const struct kl_msg *msg, int version,
					int *version_out);
/* The same, and its content. */
const struct kl_msg *kl_frame_fill_header(const struct kl_frame *frame,
					  union kl_frame_headers *header_out,
					  int *version_out);

/* What a broker learns of a request before its body. */
struct kl_frame_header {
	int16_t api, version;
	int32_t correlation_id;
	struct kl_str client_id; /* borrowed from the input */
	const struct kl_msg *msg;
};

/* Read a request's header; the frame's size is gone already. PROTOCOL: cut. UNSUPPORTED: no
 * such API or version, header_out has its numbers all the same: an ApiVersions request is to
 * be answered even then (KIP-511). */
int kl_frame_read_request(struct kl_reader *reader, struct kl_frame_header *header_out,
			  struct klamm_error *err);

/* Read a response in two steps: the correlation id tells which request it answers, so which
 * message and version the rest is. msg is the response; errors are those of
 * kl_msg_decode(). An ApiVersions response with UNSUPPORTED_VERSION is read as version 0. */
bool kl_frame_read_correlation(struct kl_reader *reader, int32_t *id_out);
int kl_frame_read_response(const struct kl_msg *msg, int version, struct kl_reader *reader,
			   struct kl_arena *arena, void **obj_out, struct klamm_error *err);

#endif
