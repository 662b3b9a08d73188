/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers of a fixed size, the highest byte first, as Java's serializers write them. */
#ifndef PLUGINS_NUMBER_H
#define PLUGINS_NUMBER_H

#include <klamm/serializer.h>

static inline const char *number_side(const struct klamm_serializer_ctx *ctx)
{
	return ctx->is_key ? "key" : "value";
}

/* The lower n bytes of bits. */
static inline int number_put(struct klamm_out *out, uint64_t bits, size_t n,
			     struct klamm_error *err)
{
	uint8_t bytes[8];
	for (size_t i = n; i > 0; bits >>= 8)
		bytes[--i] = (uint8_t)bits;
	int rc = klamm_out_append(out, bytes, n);
	return rc == 0 ? 0 : klamm_out_error(out, n, err);
}

/* type: "an int32". DESERIALIZE: it is not n bytes. */
static inline int number_get(const struct klamm_serializer_ctx *ctx,
			     const struct klamm_span *in, size_t n, const char *type,
			     uint64_t *bits_out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	if (in->len != n)
		return klamm_fail(err, KLAMM_ERR_DESERIALIZE,
				  "the %s has %zu bytes; %s has %zu", number_side(ctx),
				  in->len, type, n);
	*bits_out = 0;
	for (size_t i = 0; i < n; i++)
		*bits_out = *bits_out << 8 | p[i];
	return 0;
}

static inline int number_wrong_type(const struct klamm_serializer_ctx *ctx,
				    const struct klamm_value *value, const char *type,
				    const char *takes, struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_SERIALIZE, "the %s is of type %d; %s is made of %s",
			  number_side(ctx), value->type, type, takes);
}

/* A whole number that n bytes have room for. */
static inline int number_put_whole(const struct klamm_serializer_ctx *ctx,
				   const struct klamm_value *value, size_t n, const char *type,
				   struct klamm_out *out, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_INT)
		return number_wrong_type(ctx, value, type, "INT", err);
	int64_t max = INT64_MAX >> (64 - 8 * n), v = value->as.integer;
	if (v > max || v < -max - 1)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE,
				  "the %s is %lld; %s is from %lld to %lld", number_side(ctx),
				  (long long)v, type, (long long)(-max - 1), (long long)max);
	return number_put(out, (uint64_t)v, n, err);
}

static inline int number_get_whole(const struct klamm_serializer_ctx *ctx,
				   const struct klamm_span *in, size_t n, const char *type,
				   struct klamm_value *value_out, struct klamm_error *err)
{
	uint64_t bits = 0;
	int rc = number_get(ctx, in, n, type, &bits, err);
	if (rc != 0)
		return rc;
	uint64_t sign = (uint64_t)1 << (8 * n - 1);
	*value_out = (struct klamm_value){.type = KLAMM_VALUE_INT,
					  .as.integer = (int64_t)((bits ^ sign) - sign)};
	return 0;
}

/* What a float or double is made of: DOUBLE, or an INT that has fewer than `digits` binary
 * digits, so that nothing of it is lost. */
static inline int number_real(const struct klamm_serializer_ctx *ctx,
			      const struct klamm_value *value, int digits, const char *type,
			      double *real_out, struct klamm_error *err)
{
	int64_t max = (int64_t)1 << digits, v = value->as.integer;
	switch (value->type) {
	case KLAMM_VALUE_DOUBLE:
		*real_out = value->as.real;
		return 0;
	case KLAMM_VALUE_INT:
		if (v > max || v < -max)
			return klamm_fail(err, KLAMM_ERR_SERIALIZE,
					  "the %s is %lld; %s holds whole numbers from %lld "
					  "to %lld without loss",
					  number_side(ctx), (long long)v, type,
					  (long long)-max, (long long)max);
		*real_out = (double)v;
		return 0;
	default:
		return number_wrong_type(ctx, value, type, "DOUBLE or INT", err);
	}
}

#endif
