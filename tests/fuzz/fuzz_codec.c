/* SPDX-License-Identifier: BSD-2-Clause */
/* The four codecs: what anyone sends is unpacked within its limit, or refused.
 * Input: the codec, a limit, how much memory there is, then packed bytes. */
#include "tests/fuzz/fuzz.h"

#define HEAD	  3
#define PLAIN_MAX ((size_t)1 << 20)

static const char *const names[] = {"gzip", "snappy", "lz4", "zstd"};

static const struct fuzz_plugin *codec(uint8_t index)
{
	static struct fuzz_plugin *loaded[kl_countof(names)];
	index %= kl_countof(names);
	if (loaded[index] == NULL)
		loaded[index] =
			fuzz_plugin(KLAMM_KIND_CODEC, names[index], "compression.type");
	return loaded[index];
}

static int unpack(const struct fuzz_plugin *c, struct klamm_span in, size_t limit,
		  struct kl_quota *quota, struct kl_sink *to)
{
	struct klamm_error err = {0};
	kl_sink_init(to, 0, quota);
	int rc = c->plugin->codec.decompress(c->instance.self, &in, limit, &to->out,
					     &err);
	fuzz_must(rc == 0 || (err.code == rc && err.text[0] != '\0'));
	fuzz_must(rc == 0 || rc == KLAMM_ERR_CODEC || rc == KLAMM_ERR_LIMIT ||
		  (rc == KLAMM_ERR_NO_MEMORY && quota != NULL));
	fuzz_must(rc != 0 || to->out.len <= limit);
	return rc;
}

static int pack(const struct fuzz_plugin *c, struct klamm_span in, struct kl_sink *to)
{
	struct klamm_error err = {0};
	kl_sink_init(to, 2 * PLAIN_MAX, NULL);
	return c->plugin->codec.compress(c->instance.self, &in, &to->out, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fuzz_plugin *c = codec(fuzz_take(&data, &size));
	size_t limit = fuzz_limit(fuzz_take(&data, &size));
	struct kl_quota quota = {.max = fuzz_limit(fuzz_take(&data, &size))};
	struct kl_sink plain, packed, again;
	struct klamm_span in = {data, size};
	if (unpack(c, in, limit != 0 ? limit : PLAIN_MAX, &quota, &plain) == 0) {
		struct klamm_span text = {plain.out.data, plain.out.len};
		fuzz_must(pack(c, text, &packed) == 0);
		in = (struct klamm_span){packed.out.data, packed.out.len};
		fuzz_must(unpack(c, in, text.len, NULL, &again) == 0);
		fuzz_must(again.out.len == text.len);
		fuzz_must(text.len == 0 ||
			  memcmp(again.out.data, text.data, text.len) == 0);
		kl_sink_free(&packed);
		kl_sink_free(&again);
	}
	kl_sink_free(&plain);
	return 0;
}

/* Other content in a sound packing. */
static size_t change_content(uint8_t *data, size_t size, size_t max)
{
	const struct fuzz_plugin *c = codec(data[0]);
	struct kl_sink plain, packed = {0};
	struct klamm_span in = {data + HEAD, size - HEAD};
	bool ok = unpack(c, in, max, NULL, &plain) == 0;
	if (ok) {
		uint8_t *room = malloc(max);
		fuzz_must(room != NULL);
		if (plain.out.len > 0)
			memcpy(room, plain.out.data, plain.out.len);
		size_t n = LLVMFuzzerMutate(room, plain.out.len, max);
		ok = pack(c, (struct klamm_span){room, n}, &packed) == 0 &&
		     packed.out.len <= max - HEAD;
		free(room);
	}
	if (ok && packed.out.len > 0) {
		memcpy(data + HEAD, packed.out.data, packed.out.len);
		size = HEAD + packed.out.len;
	}
	kl_sink_free(&plain);
	kl_sink_free(&packed);
	return size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint64_t state = seed;
	if (size >= HEAD && max > HEAD && fuzz_below(&state, 3) == 0)
		return change_content(data, size, max);
	return LLVMFuzzerMutate(data, size, max);
}
