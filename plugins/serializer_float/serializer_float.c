/* SPDX-License-Identifier: BSD-2-Clause */
/* An IEEE 754 number in 4 bytes, as Java's FloatSerializer. */
#include <klamm/serializer.h>

#include <float.h>
#include <math.h>

#include "plugins/common/number.h"

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	double real = 0;
	int rc = number_real(ctx, value, FLT_MANT_DIG, "a float", &real, err);
	if (rc != 0)
		return rc;
	float rounded = (float)real;
	if (isinf(rounded) && !isinf(real))
		return klamm_fail(err, KLAMM_ERR_SERIALIZE,
				  "the %s is too large for a float, which ends at 3.4e38",
				  number_side(ctx));
	uint32_t bits;
	memcpy(&bits, &rounded, sizeof(bits));
	return number_put(out, bits, sizeof(bits), err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	uint64_t bits = 0;
	int rc = number_get(ctx, in, sizeof(float), "a float", &bits, err);
	if (rc != 0)
		return rc;
	float real;
	memcpy(&real, &(uint32_t){(uint32_t)bits}, sizeof(real));
	*value_out = (struct klamm_value){.type = KLAMM_VALUE_DOUBLE, .as.real = real};
	return 0;
}

KLAMM_PLUGIN(serializer, float) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "float", "a number in 4 bytes, IEEE 754")},
	.encode = encode,
	.decode = decode,
};
