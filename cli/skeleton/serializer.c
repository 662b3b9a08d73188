/* serializer @NAME@: values to bytes and back. The reference is <klamm/serializer.h>. */
#include <klamm/serializer.h>

/* This one writes integers as 8 bytes, the highest first, as Java's LongSerializer. */

static int my_encode(void *self, const struct klamm_serializer_ctx *ctx,
		     const struct klamm_value *value, struct klamm_out *out,
		     struct klamm_headers_out *headers, struct klamm_error *err)
{
	uint8_t bytes[8];
	if (value->type != KLAMM_VALUE_INT)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE, "it is no integer");
	for (int i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)value->as.integer >> (56 - 8 * i));
	if (klamm_out_append(out, bytes, 8) != 0)
		return klamm_out_error(out, 8, err);
	return 0;
}

static int my_decode(void *self, const struct klamm_serializer_ctx *ctx,
		     const struct klamm_span *in, struct klamm_arena *arena,
		     struct klamm_value *value_out, struct klamm_error *err)
{
	uint64_t v = 0;
	if (in->len != 8)
		return klamm_fail(err, KLAMM_ERR_DESERIALIZE, "%zu bytes, 8 are needed", in->len);
	for (int i = 0; i < 8; i++)
		v = v << 8 | ((const uint8_t *)in->data)[i];
	value_out->type = KLAMM_VALUE_INT;
	value_out->as.integer = (int64_t)v;
	return 0;
}

KLAMM_PLUGIN(serializer, @NAME@) = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "@NAME@", "integers as 8 bytes")},
	.encode = my_encode,
	.decode = my_decode,
};
