/* SPDX-License-Identifier: BSD-2-Clause */
/* Text in UTF-8, checked both ways. Numbers and the like are refused rather than printed:
 * what comes back would be of another type. */
#include <klamm/serializer.h>

#include "plugins/common/utf8.h"

static int check(const struct klamm_span *text, int code, bool is_key,
		 struct klamm_error *err)
{
	size_t good = utf8_check(text->data, text->len);
	if (good == text->len)
		return 0;
	return klamm_fail(err, code, "the %s is not UTF-8 at byte %zu of %zu (0x%02x)",
			  is_key ? "key" : "value", good, text->len,
			  ((const uint8_t *)text->data)[good]);
}

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_BYTES && value->type != KLAMM_VALUE_STRING)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE,
				  "the %s is of type %d; string takes STRING and BYTES",
				  ctx->is_key ? "key" : "value", value->type);
	const struct klamm_span *text = &value->as.bytes;
	int rc = check(text, KLAMM_ERR_SERIALIZE, ctx->is_key, err);
	if (rc != 0)
		return rc;
	rc = klamm_out_append(out, text->data, text->len);
	return rc == 0 ? 0 : klamm_out_error(out, text->len, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	int rc = check(in, KLAMM_ERR_DESERIALIZE, ctx->is_key, err);
	if (rc == 0)
		*value_out = (struct klamm_value){.type = KLAMM_VALUE_STRING, .as.bytes = *in};
	return rc;
}

KLAMM_PLUGIN(serializer, string) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "string", "text in UTF-8")},
	.encode = encode,
	.decode = decode,
};
