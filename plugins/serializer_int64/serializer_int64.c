/* SPDX-License-Identifier: BSD-2-Clause */
/* A whole number in 8 bytes, as Java's LongSerializer. */
#include <klamm/serializer.h>

#include "plugins/common/number.h"

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	return number_put_whole(ctx, value, sizeof(int64_t), "an int64", out, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	return number_get_whole(ctx, in, sizeof(int64_t), "an int64", value_out, err);
}

KLAMM_PLUGIN(serializer, int64) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "int64", "a whole number in 8 bytes")},
	.encode = encode,
	.decode = decode,
};
