/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/frame.h"

#include "core/base/error.h"
#include "core/proto/gen/messages.h"

/* An old broker has to be able to answer an ApiVersions request that is too new for it, so
 * that response never got the flexible header (KIP-511). */
static bool flexible_response_header(const struct kl_msg *msg, int version)
{
	return msg->api != KL_API_API_VERSIONS && kl_msg_flexible(msg, version);
}

const struct kl_msg *kl_frame_header_of(const struct kl_msg *msg, int version,
					int *version_out)
{
	if (msg->kind == KL_MSG_REQUEST) {
		*version_out = kl_msg_flexible(msg, version) ? 2 : 1;
		return &kl_msg_request_header;
	}
	*version_out = flexible_response_header(msg, version) ? 1 : 0;
	return &kl_msg_response_header;
}

const struct kl_msg *kl_frame_fill_header(const struct kl_frame *frame,
					  union kl_frame_headers *header_out,
					  int *version_out)
{
	if (frame->msg->kind == KL_MSG_REQUEST)
		header_out->request = (struct kl_request_header){
			.request_api_key = frame->msg->api,
			.request_api_version = (int16_t)frame->version,
			.correlation_id = frame->correlation_id,
			.client_id = frame->client_id,
		};
	else
		header_out->response = (struct kl_response_header){
			.correlation_id = frame->correlation_id,
		};
	return kl_frame_header_of(frame->msg, frame->version, version_out);
}

static int put_frame(const struct kl_frame *frame, struct kl_buf *buf, struct klamm_error *err)
{
	size_t start = buf->len;
	size_t bytes = frame->refs != NULL ? frame->refs->bytes : 0;
	union kl_frame_headers header;
	int version;
	const struct kl_msg *header_msg = kl_frame_fill_header(frame, &header, &version);
	kl_buf_i32(buf, 0); /* the size, known at the end */
	int rc = kl_msg_encode(header_msg, version, &header, buf, err);
	if (rc == 0)
		rc = kl_msg_encode_refs(frame->msg, frame->version, frame->obj, buf,
					frame->refs, err);
	if (rc == 0) {
		size_t size = buf->len - start - 4;
		if (frame->refs != NULL)
			size += frame->refs->bytes - bytes;
		if (size <= INT32_MAX)
			kl_store_u32(buf->data + start, (uint32_t)size);
		else
			rc = kl_error(err, KLAMM_ERR_FRAME_TOO_LARGE,
				      "%s of %zu bytes does not fit a frame",
				      frame->msg->name, size);
	}
	if (rc != 0)
		buf->len = start;
	return rc;
}

int kl_frame_request(const struct kl_frame *frame, struct kl_buf *buf, struct klamm_error *err)
{
	return put_frame(frame, buf, err);
}

int kl_frame_response(const struct kl_frame *frame, struct kl_buf *buf,
		      struct klamm_error *err)
{
	return put_frame(frame, buf, err);
}

/* Header tags carry nothing that klamm knows. */
static bool skip_tags(struct kl_reader *r)
{
	uint32_t left = kl_read_uvarint(r);
	if (left > KL_MSG_TAGS_MAX)
		r->failed = true;
	for (; left > 0 && !r->failed; left--) {
		kl_read_uvarint(r);
		kl_read(r, kl_read_uvarint(r));
	}
	return !r->failed;
}

static struct kl_str read_client_id(struct kl_reader *r)
{
	int16_t n = kl_read_i16(r);
	if (n < 0)
		return KL_STR_NULL;
	return (struct kl_str){(const char *)kl_read(r, (size_t)n), n};
}

int kl_frame_read_request(struct kl_reader *reader, struct kl_frame_header *header_out,
			  struct klamm_error *err)
{
	struct kl_frame_header h = {.client_id = KL_STR_NULL};
	h.api = kl_read_i16(reader);
	h.version = kl_read_i16(reader);
	h.correlation_id = kl_read_i32(reader);
	h.client_id = read_client_id(reader);
	if (reader->failed)
		return kl_error(err, KLAMM_ERR_PROTOCOL, "a request without a whole header");
	h.msg = kl_msg_request(h.api);
	*header_out = h;
	if (h.msg == NULL)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED, "API key %d (%s) is not served",
				h.api, kl_api_name(h.api));
	if (h.version < h.msg->min || h.version > h.msg->max)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED, "%s has no version %d",
				h.msg->name, h.version);
	if (kl_msg_flexible(h.msg, h.version) && !skip_tags(reader))
		return kl_error(err, KLAMM_ERR_PROTOCOL, "%s without a whole header",
				h.msg->name);
	return 0;
}

bool kl_frame_read_correlation(struct kl_reader *reader, int32_t *id_out)
{
	*id_out = kl_read_i32(reader);
	return !reader->failed;
}

int kl_frame_read_response(const struct kl_msg *msg, int version, struct kl_reader *reader,
			   struct kl_arena *arena, void **obj_out, struct klamm_error *err)
{
	if (flexible_response_header(msg, version) && !skip_tags(reader))
		return kl_error(err, KLAMM_ERR_PROTOCOL, "%s without a whole header",
				msg->name);
	if (msg->api == KL_API_API_VERSIONS && kl_reader_left(reader) >= 2 &&
	    kl_load_u16(reader->p) == KLAMM_ERR_UNSUPPORTED_VERSION)
		version = 0;
	return kl_msg_decode(msg, version, reader, arena, obj_out, err);
}
