/* SPDX-License-Identifier: BSD-2-Clause */
/* Text, UTF-8 unless another encoding is set, checked both ways. Numbers and the like are
 * refused rather than printed: what comes back would be of another type. */
#include <klamm/serializer.h>

#include "plugins/common/charset.h"

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_BYTES && value->type != KLAMM_VALUE_STRING)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE,
				  "the %s is of type %d; string takes STRING and BYTES",
				  charset_side(ctx), value->type);
	return charset_encode(self, ctx, &value->as.bytes, out, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	struct klamm_span text = {NULL, 0};
	int rc = charset_decode(self, ctx, in, arena, &text, err);
	if (rc == 0)
		*value_out = (struct klamm_value){.type = KLAMM_VALUE_STRING,
						  .as.bytes = text};
	return rc;
}

KLAMM_PLUGIN(serializer, string) = {
	.head = {
		KLAMM_PLUGIN_HEAD(serializer, "string", "text, in UTF-8 or another encoding"),
		.options = charset_options,
		.option_size = sizeof(charset_options[0]),
		.conf_size = sizeof(struct charset_conf),
		.open = charset_open,
	},
	.encode = encode,
	.decode = decode,
};
