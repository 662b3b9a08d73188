/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/packet.h"

#include "core/base/error.h"
#include "core/proto/gen/messages.h"

/* Sets msg and version of a request. */
static int read_names(struct kl_packet *packet, struct kl_reader reader,
		      struct klamm_error *err)
{
	struct kl_frame_header header;
	int rc = kl_frame_read_request(&reader, &header, err);
	packet->msg = header.msg;
	packet->version = header.version;
	return rc;
}

static bool may_be_downgraded(const struct kl_packet *packet,
			      const struct kl_reader *body)
{
	return packet->msg == &kl_msg_api_versions_response && packet->version > 0 &&
	       kl_reader_left(body) >= 2 &&
	       kl_load_u16(body->p) == KLAMM_ERR_UNSUPPORTED_VERSION;
}

static int read_body(struct kl_packet *packet, struct kl_reader reader,
		     struct kl_arena *arena, struct klamm_error *err)
{
	int rc = kl_msg_decode(packet->msg, packet->version, &reader, arena,
			       &packet->body, err);
	if (rc == 0 && kl_reader_left(&reader) > 0)
		rc = kl_error(err, KLAMM_ERR_PROTOCOL,
			      "%s version %d: %zu bytes follow it", packet->msg->name,
			      packet->version, kl_reader_left(&reader));
	return rc;
}

int kl_packet_decode(const struct kl_msg *response, int version, const void *p,
		     size_t n, struct kl_arena *arena, struct kl_packet *packet_out,
		     struct klamm_error *err)
{
	struct kl_packet packet = {.msg = response, .version = version};
	struct kl_reader reader = kl_reader(p, n);
	int rc = response == NULL ? read_names(&packet, reader, err) : 0;
	if (rc != 0)
		return rc;
	packet.header_msg =
		kl_frame_header_of(packet.msg, packet.version, &packet.header_version);
	rc = kl_msg_decode(packet.header_msg, packet.header_version, &reader, arena,
			   &packet.header, err);
	if (rc == 0)
		rc = read_body(&packet, reader, arena, err);
	if (rc == KLAMM_ERR_PROTOCOL && packet.header != NULL &&
	    may_be_downgraded(&packet, &reader)) {
		packet.version = 0;
		rc = read_body(&packet, reader, arena, err);
	}
	if (rc == 0)
		*packet_out = packet;
	return rc;
}

int kl_packet_encode(const struct kl_packet *packet, struct kl_buf *buf,
		     struct klamm_error *err)
{
	size_t start = buf->len;
	int rc = kl_msg_encode(packet->header_msg, packet->header_version,
			       packet->header, buf, err);
	if (rc == 0)
		rc = kl_msg_encode(packet->msg, packet->version, packet->body, buf,
				   err);
	if (rc != 0)
		buf->len = start;
	return rc;
}

void kl_packet_json(const struct kl_packet *packet, bool public, struct kl_buf *buf)
{
	void (*json)(const struct kl_msg *msg, int version, const void *obj,
		     struct kl_buf *buf) = public ? kl_msg_json_public : kl_msg_json;
	kl_buf_printf(buf, "{\"header\":");
	json(packet->header_msg, packet->header_version, packet->header, buf);
	kl_buf_printf(buf, ",\"body\":");
	json(packet->msg, packet->version, packet->body, buf);
	kl_buf_u8(buf, '}');
}

void kl_traffic_write(const struct kl_log *log, const char *where, char direction,
		      const struct kl_frame *frame)
{
	union kl_frame_headers header;
	struct kl_packet packet = {
		.msg = frame->msg,
		.version = frame->version,
		.header = &header,
		.body = (void *)frame->obj,
	};
	packet.header_msg =
		kl_frame_fill_header(frame, &header, &packet.header_version);
	struct kl_buf text = {0};
	kl_buf_printf(&text, "%c %s v%d ", direction, kl_api_name(frame->msg->api),
		      frame->version);
	kl_packet_json(&packet, true, &text);
	log->fn(log->arg, KL_LOG_DEBUG, where,
		text.failed ? "a message that is too large to show"
			    : kl_buf_text(&text));
	kl_buf_free(&text);
}
