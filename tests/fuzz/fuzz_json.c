/* SPDX-License-Identifier: BSD-2-Clause */
/* The JSON that records hold, as the serializer reads and writes it. */
#include "tests/fuzz/fuzz.h"

static const struct klamm_serializer_ctx ctx = {.size = sizeof(ctx), .topic = "t"};

static int decode(const struct fuzz_plugin *p, struct klamm_span in,
		  struct kl_lent_arena *arena, struct klamm_value *value)
{
	struct klamm_error err = {0};
	int rc = p->plugin->serializer.decode(p->instance.self, &ctx, &in, &arena->lent,
					      value, &err);
	fuzz_must(rc == 0 || (rc == KLAMM_ERR_DESERIALIZE && err.text[0] != '\0'));
	return rc;
}

static void encode(const struct fuzz_plugin *p, const struct klamm_value *value,
		   struct kl_sink *to)
{
	struct klamm_error err = {0};
	kl_sink_init(to, 0, NULL);
	fuzz_must(p->plugin->serializer.encode(p->instance.self, &ctx, value, &to->out,
					       NULL, &err) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz_plugin *p;
	if (p == NULL)
		p = fuzz_plugin(KLAMM_KIND_SERIALIZER, "json", "value.deserializer");
	struct kl_lent_arena arena, arena2;
	struct klamm_value value, value2;
	struct kl_sink text, text2;
	kl_lent_arena_init(&arena, 0, NULL);
	kl_lent_arena_init(&arena2, 0, NULL);
	struct klamm_span in = {data, size};
	struct klamm_value raw = {.type = KLAMM_VALUE_BYTES, .as.bytes = in};
	bool ok = decode(p, in, &arena, &value) == 0;
	/* A text of the application's own is sent when it is JSON; that may say a
	 * number which is too large to become a value. */
	kl_sink_init(&text, 0, NULL);
	int rc = p->plugin->serializer.encode(p->instance.self, &ctx, &raw, &text.out,
					      NULL, NULL);
	fuzz_must(rc == 0 || !ok);
	kl_sink_free(&text);
	if (ok) {
		encode(p, &value, &text);
		in = (struct klamm_span){text.out.data, text.out.len};
		fuzz_must(decode(p, in, &arena2, &value2) == 0);
		encode(p, &value2, &text2);
		fuzz_must(text.out.len == text2.out.len &&
			  memcmp(text.out.data, text2.out.data, text.out.len) == 0);
		kl_sink_free(&text);
		kl_sink_free(&text2);
	}
	kl_lent_arena_free(&arena);
	kl_lent_arena_free(&arena2);
	return 0;
}
