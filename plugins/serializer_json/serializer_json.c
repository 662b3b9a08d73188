/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON. BYTES are a JSON text of the application's own, checked and sent as they are; any
 * other value is written out. What is read becomes a value, with texts pointing into the
 * record where they have no escapes. */
#include <klamm/serializer.h>

#include <stdlib.h>

#include "plugins/serializer_json/json.h"

struct json {
	locale_t c;
};

static int json_open(const struct klamm_host *host, const void *conf, void **self_out,
		     struct klamm_error *err)
{
	struct json *json = calloc(1, sizeof(*json));
	if (json != NULL)
		json->c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (json == NULL || json->c == (locale_t)0) {
		free(json);
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	}
	*self_out = json;
	return 0;
}

static void json_close(void *self)
{
	struct json *json = self;
	freelocale(json->c);
	free(json);
}

static int refuse(const struct json_fault *fault, int code, bool is_key,
		  struct klamm_error *err)
{
	return klamm_fail(err, code, "the %s is not JSON at byte %zu: %s",
			  is_key ? "key" : "value", fault->at, fault->why);
}

static int json_encode(void *self, const struct klamm_serializer_ctx *ctx,
		       const struct klamm_value *value, struct klamm_out *out,
		       struct klamm_headers_out *headers, struct klamm_error *err)
{
	const struct json *json = self;
	if (value->type != KLAMM_VALUE_BYTES)
		return serializer_json_write(value, json->c, out, err);
	const struct klamm_span *text = &value->as.bytes;
	struct json_fault fault;
	if (serializer_json_read(text, json->c, NULL, NULL, &fault) != 0)
		return refuse(&fault, KLAMM_ERR_SERIALIZE, ctx->is_key, err);
	int rc = klamm_out_append(out, text->data, text->len);
	return rc == 0 ? 0 : klamm_out_error(out, text->len, err);
}

static int json_decode(void *self, const struct klamm_serializer_ctx *ctx,
		       const struct klamm_span *in, struct klamm_arena *arena,
		       struct klamm_value *value_out, struct klamm_error *err)
{
	const struct json *json = self;
	struct json_fault fault;
	if (serializer_json_read(in, json->c, arena, value_out, &fault) != 0)
		return refuse(&fault, KLAMM_ERR_DESERIALIZE, ctx->is_key, err);
	return 0;
}

KLAMM_PLUGIN(serializer, json) = {
	.head = {
		KLAMM_PLUGIN_HEAD(serializer, "json", "JSON texts and values"),
		.open = json_open,
		.close = json_close,
	},
	.encode = json_encode,
	.decode = json_decode,
};
