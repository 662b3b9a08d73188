/* SPDX-License-Identifier: BSD-2-Clause */
/* A UUID as the text of 36 characters that Java's UUIDSerializer writes, in the encoding that
 * is set. */
#include <klamm/serializer.h>

#include "plugins/common/charset.h"

#define TEXT_LEN 36

static bool is_dash_at(size_t i)
{
	return i == 8 || i == 13 || i == 18 || i == 23;
}

static void print(const struct klamm_uuid *uuid, char text[static TEXT_LEN])
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = uuid->bytes;
	for (size_t i = 0; i < TEXT_LEN;) {
		if (is_dash_at(i)) {
			text[i++] = '-';
			continue;
		}
		text[i++] = digits[*p >> 4];
		text[i++] = digits[*p++ & 15];
	}
}

static int digit(uint8_t c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Java takes shorter groups too, which nothing writes; here they are an error. */
static int parse(const struct klamm_serializer_ctx *ctx, const struct klamm_span *text,
		 int code, struct klamm_uuid *uuid_out, struct klamm_error *err)
{
	const uint8_t *p = text->data;
	if (text->len != TEXT_LEN)
		return klamm_fail(err, code,
				  "the %s is a text of %zu bytes; that of a UUID has %d",
				  charset_side(ctx), text->len, TEXT_LEN);
	size_t n = 0;
	for (size_t i = 0; i < TEXT_LEN; i++) {
		int d = is_dash_at(i) ? 0 : digit(p[i]);
		if (d < 0 || (is_dash_at(i) && p[i] != '-'))
			return klamm_fail(err, code,
					  "the %s is not a UUID at character %zu (0x%02x): it "
					  "is 8-4-4-4-12 hexadecimal digits",
					  charset_side(ctx), i, p[i]);
		if (is_dash_at(i))
			continue;
		uint8_t *byte = &uuid_out->bytes[n++ / 2];
		*byte = (uint8_t)(*byte << 4 | d);
	}
	return 0;
}

static int encode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	struct klamm_uuid uuid = {0};
	char text[TEXT_LEN];
	int rc = 0;
	if (value->type == KLAMM_VALUE_UUID)
		uuid = value->as.uuid;
	else if (value->type == KLAMM_VALUE_STRING || value->type == KLAMM_VALUE_BYTES)
		rc = parse(ctx, &value->as.bytes, KLAMM_ERR_SERIALIZE, &uuid, err);
	else
		rc = klamm_fail(err, KLAMM_ERR_SERIALIZE,
				"the %s is of type %d; uuid takes UUID, and STRING and BYTES "
				"with the text of one",
				charset_side(ctx), value->type);
	if (rc != 0)
		return rc;
	print(&uuid, text);
	return charset_encode(self, ctx, &(struct klamm_span){text, TEXT_LEN}, out, err);
}

static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	struct klamm_span text = {NULL, 0};
	int rc = charset_decode(self, ctx, in, arena, &text, err);
	if (rc != 0)
		return rc;
	*value_out = (struct klamm_value){.type = KLAMM_VALUE_UUID};
	return parse(ctx, &text, KLAMM_ERR_DESERIALIZE, &value_out->as.uuid, err);
}

KLAMM_PLUGIN(serializer, uuid) = {
	.head = {
		KLAMM_PLUGIN_HEAD(serializer, "uuid", "a UUID as its text"),
		.options = charset_options,
		.option_size = sizeof(charset_options[0]),
		.conf_size = sizeof(struct charset_conf),
		.open = charset_open,
	},
	.encode = encode,
	.decode = decode,
};
