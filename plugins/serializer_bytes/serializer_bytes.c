/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as they are. A STRING is taken too: its UTF-8. */
#include <klamm/serializer.h>

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_BYTES && value->type != KLAMM_VALUE_STRING)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE,
				  "the %s is of type %d; bytes takes BYTES and STRING",
				  ctx->is_key ? "key" : "value", value->type);
	const struct klamm_span *bytes = &value->as.bytes;
	int rc = klamm_out_append(out, bytes->data, bytes->len);
	return rc == 0 ? 0 : klamm_out_error(out, bytes->len, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	*value_out = (struct klamm_value){.type = KLAMM_VALUE_BYTES, .as.bytes = *in};
	return 0;
}

KLAMM_PLUGIN(serializer, bytes) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "bytes", "bytes as they are")},
	.encode = encode,
	.decode = decode,
};
