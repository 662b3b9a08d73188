/* SPDX-License-Identifier: BSD-2-Clause */
/* An IEEE 754 number in 8 bytes, as Java's DoubleSerializer. */
#include <klamm/serializer.h>

#include <float.h>
#include <math.h>

#include "plugins/common/number.h"

#define JAVA_NAN 0x7ff8000000000000u /* the one that Java writes for all of them */

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	double real = 0;
	int rc = number_real(ctx, value, DBL_MANT_DIG, "a double", &real, err);
	if (rc != 0)
		return rc;
	uint64_t bits = JAVA_NAN;
	if (!isnan(real))
		memcpy(&bits, &real, sizeof(bits));
	return number_put(out, bits, sizeof(bits), err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	uint64_t bits = 0;
	int rc = number_get(ctx, in, sizeof(double), "a double", &bits, err);
	if (rc != 0)
		return rc;
	*value_out = (struct klamm_value){.type = KLAMM_VALUE_DOUBLE};
	memcpy(&value_out->as.real, &bits, sizeof(bits));
	return 0;
}

KLAMM_PLUGIN(serializer, double) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "double", "a number in 8 bytes, IEEE 754")},
	.encode = encode,
	.decode = decode,
};
