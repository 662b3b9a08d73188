/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole number in 2 bytes, as Java's ShortSerializer. */
#include <klamm/serializer.h>

#include "plugins/common/number.h"

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	return number_put_whole(ctx, value, sizeof(int16_t), "an int16", out, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	return number_get_whole(ctx, in, sizeof(int16_t), "an int16", value_out, err);
}

KLAMM_PLUGIN(serializer, int16) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "int16", "a whole number in 2 bytes")},
	.encode = encode,
	.decode = decode,
};
