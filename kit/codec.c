/* SPDX-License-Identifier: BSD-2-Clause */
/* What a codec must do: <klamm/codec.h>. */
#include <stdlib.h>

#include "kit/inside.h"

#define BIG ((size_t)1 << 20)
#define NO_LIMIT (SIZE_MAX / 4)
/* What a decompressor may take above its limit for the bytes at hand. */
#define SLACK ((size_t)4096)

static const size_t sizes[] = {0, 1, 2, 100, 16384, 32767, 32769, 65536, 131073, 1000003};

static int pack(struct kit *k, const struct kl_instance *instance, const void *p, size_t n,
		struct kit_out *to)
{
	struct klamm_span in = {p, n};
	kit_step(k, "compress() of %zu bytes", n);
	return k->plugin->codec.compress(instance->self, &in, &to->out, &k->err);
}

static int unpack(struct kit *k, const struct kl_instance *instance, const void *p, size_t n,
		  size_t limit, struct kit_out *to)
{
	struct klamm_span in = {p, n};
	kit_step(k, "decompress() of %zu bytes with a limit of %zu", n, limit);
	return k->plugin->codec.decompress(instance->self, &in, limit, &to->out, &k->err);
}

struct bench {
	struct kl_instance instance;
	struct kit_out packed, back;
	uint8_t *plain;
};

static const char *set_up(struct kit *k, struct bench *b)
{
	kit_out_init(&b->packed, NO_LIMIT);
	kit_out_init(&b->back, NO_LIMIT);
	b->plain = calloc(1, BIG);
	if (b->plain == NULL)
		return kit_say(k, "the kit is out of memory");
	return kit_open(k, NULL, &b->instance);
}

static void tear_down(struct kit *k, struct bench *b)
{
	kit_close(k, &b->instance);
	kit_out_free(&b->packed);
	kit_out_free(&b->back);
	free(b->plain);
}

/* There and back, with a limit of exactly what is in it. */
static const char *trip(struct kit *k, struct bench *b, const void *p, size_t n)
{
	kit_out_clear(&b->packed);
	kit_out_clear(&b->back);
	int rc = pack(k, &b->instance, p, n, &b->packed);
	const char *text = kit_out_check(k, &b->packed, "compress()");
	if (text == NULL && rc != 0)
		text = kit_say(
			k, "compress() of %zu bytes, without a limit, fails with %s: %s", n,
			klamm_err_name(rc), k->err.text);
	if (text != NULL)
		return text;
	rc = unpack(k, &b->instance, b->packed.out.data, b->packed.out.len, n, &b->back);
	text = kit_out_check(k, &b->back, "decompress()");
	if (text == NULL && rc != 0)
		text = kit_say(
			k,
			"round trip: decompress() of what compress() made of %zu bytes, "
			"with a limit of %zu, fails with %s: %s",
			n, n, klamm_err_name(rc), k->err.text);
	if (text == NULL && b->back.out.len != n)
		text = kit_say(k, "round trip: %zu bytes come back as %zu", n,
			       b->back.out.len);
	for (size_t i = 0; text == NULL && i < n; i++)
		if (b->back.out.data[i] != ((const uint8_t *)p)[i])
			text = kit_say(
				k,
				"round trip: %zu bytes come back with another byte at %zu",
				n, i);
	return text;
}

const char *kit_codec_trips(struct kit *k)
{
	struct bench b;
	const char *text = set_up(k, &b);
	for (size_t s = 0; text == NULL && s < kl_countof(sizes); s++) {
		for (int fill = 0; text == NULL && fill < KIT_FILLS; fill++) {
			kit_fill(b.plain, sizes[s], fill);
			text = trip(k, &b, sizes[s] > 0 ? b.plain : NULL, sizes[s]);
		}
	}
	if (text == NULL)
		tear_down(k, &b);
	return text;
}

const char *kit_codec_use(struct kit *k, struct kl_instance *instance)
{
	struct bench b = {.instance = *instance};
	uint8_t plain[3000];
	kit_out_init(&b.packed, NO_LIMIT);
	kit_out_init(&b.back, NO_LIMIT);
	kit_fill(plain, sizeof(plain), KIT_WORDS);
	const char *text = trip(k, &b, plain, sizeof(plain));
	kit_out_free(&b.packed);
	kit_out_free(&b.back);
	return text;
}

const char *kit_codec_appends(struct kit *k)
{
	static const char front[] = "what was there before";
	size_t n = sizeof(front);
	struct bench b;
	const char *text = set_up(k, &b);
	if (text != NULL)
		return text;
	if (k->plugin->codec.wire_id < 1 || k->plugin->codec.wire_id > 7)
		return kit_say(k, "wire_id is %d; a batch has room for 1 to 7",
			       k->plugin->codec.wire_id);
	klamm_out_append(&b.packed.out, front, n);
	klamm_out_append(&b.back.out, front, n);
	kit_fill(b.plain, 5000, KIT_WORDS);
	int rc = pack(k, &b.instance, b.plain, 5000, &b.packed);
	if (rc == 0)
		rc = unpack(k, &b.instance, b.packed.out.data + n, b.packed.out.len - n, 5000,
			    &b.back);
	if (rc != 0 || memcmp(b.packed.out.data, front, n) != 0 ||
	    b.back.out.len != n + 5000 || memcmp(b.back.out.data, front, n) != 0 ||
	    memcmp(b.back.out.data + n, b.plain, 5000) != 0)
		return kit_say(
			k,
			"it does not append: an output that held %zu bytes before does "
			"not end up as these and the result",
			n);
	tear_down(k, &b);
	return NULL;
}

/* --- limits --- */

/* The output is full: compress() says LIMIT, and can go on afterwards. */
const char *kit_codec_output(struct kit *k)
{
	static const size_t limits[] = {0, 1, 100, 10000};
	static const int codes[] = {KLAMM_ERR_LIMIT, 0};
	size_t n = 20000;
	struct bench b;
	const char *text = set_up(k, &b);
	for (size_t i = 0; text == NULL && i < kl_countof(limits); i++) {
		kit_fill(b.plain, n, KIT_NOISE);
		kit_out_free(&b.packed);
		kit_out_init(&b.packed, limits[i]);
		int rc = pack(k, &b.instance, b.plain, n, &b.packed);
		text = kit_out_check(k, &b.packed, "compress()");
		if (text == NULL && rc == 0)
			text = kit_say(k,
				       "compress() of %zu bytes of noise into %zu succeeds",
				       n, limits[i]);
		if (text == NULL)
			text = kit_refused(k, rc, codes);
		kit_out_free(&b.packed);
		kit_out_init(&b.packed, NO_LIMIT);
		if (text == NULL)
			text = trip(k, &b, b.plain, 1000);
	}
	if (text == NULL)
		tear_down(k, &b);
	return text;
}

static const char *bomb(struct kit *k, struct bench *b, size_t limit)
{
	static const int codes[] = {KLAMM_ERR_LIMIT, 0};
	kit_out_free(&b->back);
	int rc = unpack(k, &b->instance, b->packed.out.data, b->packed.out.len, limit,
			&b->back);
	const char *text = kit_out_check(k, &b->back, "decompress()");
	if (text == NULL && (b->back.out.len > limit || rc == 0))
		text = kit_say(
			k,
			"decompress() goes past its limit: it gives %zu bytes, %zu are "
			"allowed",
			b->back.out.len, limit);
	if (text == NULL)
		text = kit_refused(k, rc, codes);
	if (text == NULL && b->back.asked > limit + SLACK)
		text = kit_say(
			k,
			"decompress() goes past its limit: it takes memory for %zu bytes, "
			"%zu are allowed",
			b->back.asked, limit);
	return text;
}

const char *kit_codec_bomb(struct kit *k)
{
	static const size_t limits[] = {0, 1, 1000, 65536, BIG - 1};
	struct bench b;
	const char *text = set_up(k, &b);
	if (text != NULL)
		return text;
	int rc = pack(k, &b.instance, b.plain, BIG, &b.packed);
	if (rc != 0)
		return kit_say(k, "compress() of %zu bytes of zeroes fails: %s", BIG,
			       k->err.text);
	for (size_t i = 0; text == NULL && i < kl_countof(limits); i++)
		text = bomb(k, &b, limits[i]);
	if (text == NULL)
		tear_down(k, &b);
	return text;
}

/* --- damage --- */

#define PLAIN 2000
#define ROOM 100000

static const char *take_damaged(struct kit *k, struct bench *b, struct kit_guard *guard,
				const void *p, size_t n)
{
	static const int codes[] = {KLAMM_ERR_CODEC, KLAMM_ERR_LIMIT, KLAMM_ERR_NO_MEMORY, 0};
	kit_out_clear(&b->back);
	int rc = unpack(k, &b->instance, kit_guard_put(guard, p, n), n, ROOM, &b->back);
	const char *text = kit_out_check(k, &b->back, "decompress()");
	if (text == NULL && b->back.out.len > ROOM)
		text = kit_say(
			k,
			"decompress() of damaged data goes past its limit: %zu bytes, %d "
			"are allowed",
			b->back.out.len, ROOM);
	return text != NULL || rc == 0 ? text : kit_refused(k, rc, codes);
}

/* Every cut, every bit, then noise; and the same self still works. */
const char *kit_codec_damage(struct kit *k)
{
	struct bench b;
	struct kit_guard guard;
	uint32_t seed = 99;
	const char *text = set_up(k, &b);
	if (text != NULL)
		return text;
	kit_fill(b.plain, PLAIN / 2, KIT_WORDS);
	kit_fill(b.plain + PLAIN / 2, PLAIN / 2, KIT_NOISE);
	if (pack(k, &b.instance, b.plain, PLAIN, &b.packed) != 0 ||
	    !kit_guard_init(&guard, b.packed.out.len + 64))
		return kit_say(k, "compress() fails: %s", k->err.text);
	uint8_t *p = b.packed.out.data;
	size_t n = b.packed.out.len;
	for (size_t cut = 0; text == NULL && cut < n; cut++)
		text = take_damaged(k, &b, &guard, p, cut);
	for (size_t bit = 0; text == NULL && bit < n * 8; bit++) {
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
		text = take_damaged(k, &b, &guard, p, n);
		p[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (int round = 0; text == NULL && round < 1000; round++) {
		uint8_t noise[64];
		size_t len = kit_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)kit_random(&seed);
		text = take_damaged(k, &b, &guard, noise, len);
	}
	if (text == NULL)
		text = trip(k, &b, b.plain, PLAIN);
	if (text != NULL)
		return text;
	kit_guard_free(&guard);
	tear_down(k, &b);
	return NULL;
}

/* --- threads --- */

static const char *many_trips(struct kit *k, void *arg, int i)
{
	struct bench b;
	const char *text = set_up(k, &b);
	for (size_t round = 0; text == NULL && round < 200; round++) {
		size_t n = 1000 + round * 100;
		kit_fill(b.plain, n, KIT_WORDS);
		b.plain[0] = (uint8_t)i;
		text = trip(k, &b, b.plain, n);
	}
	if (text == NULL)
		tear_down(k, &b);
	return text == NULL ? NULL
			    : kit_say(k, "two instances at once disturb each other: %s", text);
}

const char *kit_codec_together(struct kit *k)
{
	return kit_together(k, many_trips, NULL);
}
