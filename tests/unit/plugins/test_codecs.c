/* SPDX-License-Identifier: BSD-2-Clause */
/* Every codec goes through the same tests, at several levels. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "core/base/sink.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static const struct codec_row {
	const char *name;
	int wire_id;
	struct setting settings[2];
	bool is_poor; /* so fast that text stays as it is */
} codecs[] = {
	{"gzip", KLAMM_WIRE_GZIP, {{NULL}}},
	{"gzip", KLAMM_WIRE_GZIP, {{"compression.gzip.level", "1"}}},
	{"gzip", KLAMM_WIRE_GZIP, {{"compression.gzip.level", "9"}}},
	{"snappy", KLAMM_WIRE_SNAPPY, {{NULL}}},
	{"lz4", KLAMM_WIRE_LZ4, {{NULL}}},
	{"lz4", KLAMM_WIRE_LZ4, {{"compression.lz4.level", "1"}}},
	{"lz4", KLAMM_WIRE_LZ4, {{"compression.lz4.level", "17"}}},
	{"zstd", KLAMM_WIRE_ZSTD, {{NULL}}},
	{"zstd", KLAMM_WIRE_ZSTD, {{"compression.zstd.level", "-131072"}}, true},
	{"zstd", KLAMM_WIRE_ZSTD, {{"compression.zstd.level", "12"}}},
};

#define MAX ((size_t)4 << 20)
#define LIMIT ((size_t)64 << 20)

/* The row of a looped test, or NULL where this build lacks the codec. */
static struct loaded *open_row(int i)
{
	if (!is_shipped(KLAMM_KIND_CODEC, codecs[i].name))
		return NULL;
	return loaded_new(KLAMM_KIND_CODEC, codecs[i].name, "compression.type",
			  codecs[i].settings);
}

static int pack(struct loaded *l, const void *p, size_t n, struct kl_sink *to,
		struct klamm_error *err)
{
	struct klamm_span in = {p, n};
	return l->plugin->codec.compress(l->instance.self, &in, &to->out, err);
}

static int unpack(struct loaded *l, const void *p, size_t n, size_t limit,
		  struct kl_sink *to, struct klamm_error *err)
{
	struct klamm_span in = {p, n};
	return l->plugin->codec.decompress(l->instance.self, &in, limit, &to->out, err);
}

static uint32_t next_random(uint32_t *state)
{
	*state = *state * 1664525 + 1013904223;
	return *state >> 8;
}

/* Noise, runs, and repeats of all distances and lengths. */
static void fill_mixed(uint8_t *p, size_t n)
{
	uint32_t seed = 11;
	for (size_t at = 0; at < n;) {
		size_t len = 1 + next_random(&seed) % 100;
		size_t back = 1 + next_random(&seed) % (next_random(&seed) % 4 ? 40 : 40000);
		for (size_t end = kl_min(at + len, n); at < end; at++)
			p[at] = back <= at && len % 3 ? p[at - back]
						      : (uint8_t)next_random(&seed);
	}
}

enum { ZERO, NOISE, TEXT, MIXED, FILLS };

static void fill(uint8_t *p, size_t n, int kind)
{
	uint32_t seed = 7;
	size_t at = 0;
	memset(p, 0, n);
	if (kind == MIXED)
		fill_mixed(p, n);
	while (kind == NOISE && at < n)
		p[at++] = (uint8_t)next_random(&seed);
	while (kind == TEXT && at < n) {
		char line[100];
		int len = snprintf(line, sizeof(line), "{\"id\":%u,\"name\":\"user-%u\"}\n",
				   next_random(&seed), next_random(&seed) % 1000);
		size_t part = kl_min((size_t)len, n - at);
		memcpy(p + at, line, part);
		at += part;
	}
}

static const size_t sizes[] = {0,     1,     2,	    100,     16384,  32767,  32768,
			       32769, 65535, 65536, 65537, 131072, 1000003, MAX};

START_TEST(round_trips)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	ck_assert_int_eq(l->plugin->codec.wire_id, codecs[_i].wire_id);
	uint8_t *plain = malloc(MAX);
	struct kl_sink packed, back;
	kl_sink_init(&packed, 0, NULL);
	kl_sink_init(&back, 0, NULL);
	for (size_t s = 0; s < kl_countof(sizes); s++) {
		for (int kind = 0; kind < FILLS; kind++) {
			struct klamm_error err = {0};
			fill(plain, sizes[s], kind);
			kl_sink_clear(&packed);
			kl_sink_clear(&back);
			int rc = pack(l, sizes[s] > 0 ? plain : NULL, sizes[s], &packed, &err);
			ck_assert_msg(rc == 0, "%zu bytes: %s", sizes[s], err.text);
			/* The limit is exactly what is in it. */
			rc = unpack(l, packed.out.data, packed.out.len, sizes[s], &back, &err);
			ck_assert_msg(rc == 0, "%zu bytes: %s", sizes[s], err.text);
			ck_assert_uint_eq(back.out.len, sizes[s]);
			ck_assert(sizes[s] == 0 ||
				  memcmp(back.out.data, plain, sizes[s]) == 0);
			bool packs = kind == ZERO || kind == TEXT;
			if (packs && sizes[s] >= 16384 && !codecs[_i].is_poor)
				ck_assert_uint_lt(packed.out.len, sizes[s] / 2);
		}
	}
	kl_sink_free(&packed);
	kl_sink_free(&back);
	free(plain);
	loaded_free(l);
}
END_TEST

START_TEST(round_trips_of_every_short_length)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	for (size_t n = 0; n < 400; n++)
		for (int kind = 0; kind < FILLS; kind++) {
			struct kl_sink packed, back;
			struct klamm_error err = {0};
			/* Exactly so large, that a sanitizer sees a step too far. */
			uint8_t *plain = malloc(kl_max(n, (size_t)1));
			fill(plain, n, kind);
			kl_sink_init(&packed, 0, NULL);
			kl_sink_init(&back, 0, NULL);
			ck_assert_int_eq(pack(l, plain, n, &packed, &err), 0);
			ck_assert_int_eq(unpack(l, packed.out.data, packed.out.len, n, &back,
						&err),
					 0);
			ck_assert_uint_eq(back.out.len, n);
			ck_assert(n == 0 || memcmp(back.out.data, plain, n) == 0);
			kl_sink_free(&packed);
			kl_sink_free(&back);
			free(plain);
		}
	loaded_free(l);
}
END_TEST

START_TEST(appends_behind_what_is_there)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	struct kl_sink packed, back;
	kl_sink_init(&packed, 0, NULL);
	kl_sink_init(&back, 0, NULL);
	klamm_out_append(&packed.out, "head", 4);
	klamm_out_append(&back.out, "front", 5);
	struct klamm_error err;
	ck_assert_int_eq(pack(l, "some text", 9, &packed, &err), 0);
	ck_assert_mem_eq(packed.out.data, "head", 4);
	ck_assert_int_eq(unpack(l, packed.out.data + 4, packed.out.len - 4, 9, &back, &err),
			 0);
	ck_assert_uint_eq(back.out.len, 14);
	ck_assert_mem_eq(back.out.data, "frontsome text", 14);
	kl_sink_free(&packed);
	kl_sink_free(&back);
	loaded_free(l);
}
END_TEST

START_TEST(a_bomb_hits_the_limit)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	uint8_t *plain = calloc(1, MAX);
	struct kl_sink packed;
	kl_sink_init(&packed, 0, NULL);
	struct klamm_error err = {0};
	ck_assert_int_eq(pack(l, plain, MAX, &packed, &err), 0);
	static const size_t limits[] = {0, 1, 1000, 65536, MAX - 1};
	for (size_t i = 0; i < kl_countof(limits); i++) {
		struct kl_quota quota = {.max = limits[i] + 1000};
		struct kl_sink back;
		kl_sink_init(&back, 0, &quota);
		int rc = unpack(l, packed.out.data, packed.out.len, limits[i], &back, &err);
		ck_assert_msg(rc == KLAMM_ERR_LIMIT, "limit %zu: %d", limits[i], rc);
		char sentence[100];
		snprintf(sentence, sizeof(sentence),
			 "the batch unpacks to more than %zu bytes", limits[i]);
		ck_assert_str_eq(err.text, sentence);
		kl_sink_free(&back);
	}
	/* The output's own limit holds as well, and memory that is not there is said so. */
	struct kl_sink small;
	kl_sink_init(&small, 5000, NULL);
	ck_assert_int_eq(unpack(l, packed.out.data, packed.out.len, LIMIT, &small, &err),
			 KLAMM_ERR_LIMIT);
	kl_sink_free(&small);
	struct kl_quota quota = {.max = 5000};
	kl_sink_init(&small, 0, &quota);
	ck_assert_int_eq(unpack(l, packed.out.data, packed.out.len, LIMIT, &small, &err),
			 KLAMM_ERR_NO_MEMORY);
	kl_sink_free(&small);
	kl_sink_free(&packed);
	free(plain);
	loaded_free(l);
}
END_TEST

START_TEST(noise_does_not_fit_into_its_own_size)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	uint8_t plain[20000];
	fill(plain, sizeof(plain), NOISE);
	struct kl_sink packed;
	kl_sink_init(&packed, sizeof(plain), NULL);
	struct klamm_error err = {0};
	ck_assert_int_eq(pack(l, plain, sizeof(plain), &packed, &err), KLAMM_ERR_LIMIT);
	ck_assert_str_ne(err.text, "");
	/* Text does, and the failure before has not hurt the contexts. */
	fill(plain, sizeof(plain), TEXT);
	kl_sink_clear(&packed);
	if (!codecs[_i].is_poor)
		ck_assert_int_eq(pack(l, plain, sizeof(plain), &packed, &err), 0);
	kl_sink_free(&packed);
	loaded_free(l);
}
END_TEST

START_TEST(damage_is_an_error_or_another_value)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	uint8_t plain[3000];
	fill(plain, 1500, TEXT);
	fill(plain + 1500, 1500, NOISE);
	struct kl_sink packed, back;
	kl_sink_init(&packed, 0, NULL);
	kl_sink_init(&back, 0, NULL);
	struct klamm_error err = {0};
	ck_assert_int_eq(pack(l, plain, sizeof(plain), &packed, &err), 0);
	size_t len = packed.out.len;
	/* A copy of exactly its size, so that reading past its end is seen. */
	for (size_t n = 0; n < len; n++) {
		uint8_t *cut = malloc(n + (n == 0));
		memcpy(cut, packed.out.data, n);
		kl_sink_clear(&back);
		int rc = unpack(l, cut, n, 100000, &back, &err);
		/* Nothing but the frame of snappy ends anywhere between two blocks. */
		bool is_whole = codecs[_i].wire_id == KLAMM_WIRE_SNAPPY && n == 16;
		ck_assert_msg((rc == 0) == is_whole, "cut to %zu of %zu: %d", n, len, rc);
		ck_assert(rc == 0 || rc == KLAMM_ERR_CODEC);
		free(cut);
	}
	for (size_t bit = 0; bit < len * 8; bit++) {
		packed.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		kl_sink_clear(&back);
		int rc = unpack(l, packed.out.data, len, 100000, &back, &err);
		ck_assert_msg(rc == 0 || rc == KLAMM_ERR_CODEC || rc == KLAMM_ERR_LIMIT,
			      "bit %zu: %d", bit, rc);
		ck_assert_uint_le(back.out.len, 100000);
		packed.out.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	kl_sink_clear(&back);
	ck_assert_int_eq(unpack(l, packed.out.data, len, 100000, &back, &err), 0);
	ck_assert_uint_eq(back.out.len, sizeof(plain));
	ck_assert_mem_eq(back.out.data, plain, sizeof(plain));
	kl_sink_free(&packed);
	kl_sink_free(&back);
	loaded_free(l);
}
END_TEST

START_TEST(garbage_is_refused)
{
	struct loaded *l = open_row(_i);
	if (l == NULL)
		return;
	struct kl_sink back;
	kl_sink_init(&back, 0, NULL);
	struct klamm_error err = {0};
	uint32_t seed = 99;
	for (int round = 0; round < 2000; round++) {
		uint8_t noise[64];
		size_t n = next_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < n; i++)
			noise[i] = (uint8_t)next_random(&seed);
		kl_sink_clear(&back);
		int rc = unpack(l, noise, n, 100000, &back, &err);
		ck_assert_msg(rc == 0 || rc == KLAMM_ERR_CODEC || rc == KLAMM_ERR_LIMIT, "%d",
			      rc);
		ck_assert(rc != 0 || codecs[_i].wire_id == KLAMM_WIRE_SNAPPY);
	}
	kl_sink_free(&back);
	loaded_free(l);
}
END_TEST

/* What others write; plain NULL: it is damaged. */
static const struct foreign {
	const char *codec, *hex, *plain;
} foreign[] = {
	/* snappy-java: header, one block; little-endian versions; joined streams; bare. */
	{"snappy", "82534e41505059000000000100000001 00000007 05106b6c616d6d", "klamm"},
	{"snappy", "82534e41505059000100000001000000 00000007 05106b6c616d6d", "klamm"},
	{"snappy", "82534e41505059000000000100000001 00000007 05106b6c616d6d"
		   "82534e41505059000000000100000001 00000007 05106b6c616d6d", "klammklamm"},
	{"snappy", "05106b6c616d6d", "klamm"},
	{"snappy", "00", ""},
	/* gzip with a file name and a comment in its head; and with a wrong checksum. */
	{"gzip", "1f8b0818000000000003 6e616d6500 7768617400"
		 "cbce49cccd0500 e25075f3 05000000", "klamm"},
	{"gzip", "1f8b0800000000000003 cbce49cccd0500 e25075f4 05000000", NULL},
	/* lz4: a block stored as it is, without and with all checksums. */
	{"lz4", "04224d18 6040 82 05000080 6b6c616d6d 00000000", "klamm"},
	{"lz4", "04224d18 6070 73 05000080 6b6c616d6d 00000000", "klamm"},
	/* zstd: a raw block, then a skippable frame. */
	{"zstd", "28b52ffd 2005 290000 6b6c616d6d 502a4d18 03000000 616263", "klamm"},
	/* As Java's level 22 begins: with a window of 128 MiB, and no word of what it holds;
	 * and such a one between others. */
	{"zstd", "28b52ffd 0088 290000 6b6c616d6d", "klamm"},
	{"zstd", "28b52ffd 2001 090000 61 28b52ffd 0088 290000 6b6c616d6d"
		 "28b52ffd 2001 090000 7a", "aklammz"},
};

START_TEST(reads_what_others_write)
{
	const struct foreign *f = &foreign[_i];
	if (!is_shipped(KLAMM_KIND_CODEC, f->codec))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_CODEC, f->codec, "compression.type", NULL);
	size_t n;
	uint8_t *in = unit_hex(f->hex, &n);
	struct kl_sink back;
	kl_sink_init(&back, 0, NULL);
	struct klamm_error err = {0};
	int rc = unpack(l, in, n, 1000, &back, &err);
	if (f->plain == NULL) {
		ck_assert_int_eq(rc, KLAMM_ERR_CODEC);
		ck_assert_str_eq(err.text, "the gzip data is damaged: incorrect data check");
	} else {
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_uint_eq(back.out.len, strlen(f->plain));
		ck_assert(back.out.len == 0 ||
			  memcmp(back.out.data, f->plain, back.out.len) == 0);
	}
	kl_sink_free(&back);
	free(in);
	loaded_free(l);
}
END_TEST

START_TEST(writes_what_java_reads)
{
	struct loaded *l;
	struct kl_sink out;
	struct klamm_error err;
	uint8_t plain[70000] = {0};
	kl_sink_init(&out, 0, NULL);
	if (is_shipped(KLAMM_KIND_CODEC, "lz4")) {
		/* Version 1, independent blocks, nothing else; 64 KiB; the checksum of
		 * that. */
		l = loaded_new(KLAMM_KIND_CODEC, "lz4", "compression.type", NULL);
		ck_assert_int_eq(pack(l, plain, sizeof(plain), &out, &err), 0);
		unit_check_hex(out.out.data, 7, "04224d18 6040 82");
		loaded_free(l);
	}
	kl_sink_clear(&out);
	if (is_shipped(KLAMM_KIND_CODEC, "snappy")) {
		/* The header, then a block that unpacks to 32768 = 80 80 02. */
		l = loaded_new(KLAMM_KIND_CODEC, "snappy", "compression.type", NULL);
		ck_assert_int_eq(pack(l, plain, sizeof(plain), &out, &err), 0);
		unit_check_hex(out.out.data, 16, "82534e41505059000000000100000001");
		unit_check_hex(out.out.data + 20, 3, "808002");
		loaded_free(l);
	}
	kl_sink_free(&out);
}
END_TEST

START_TEST(gzip_reads_members_and_nothing_behind_them)
{
	if (!is_shipped(KLAMM_KIND_CODEC, "gzip"))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_CODEC, "gzip", "compression.type", NULL);
	struct kl_sink packed, back;
	kl_sink_init(&packed, 0, NULL);
	kl_sink_init(&back, 0, NULL);
	struct klamm_error err = {0};
	ck_assert_int_eq(pack(l, "one ", 4, &packed, &err), 0);
	ck_assert_int_eq(pack(l, "two", 3, &packed, &err), 0);
	ck_assert_int_eq(unpack(l, packed.out.data, packed.out.len, 7, &back, &err), 0);
	ck_assert_uint_eq(back.out.len, 7);
	ck_assert_mem_eq(back.out.data, "one two", 7);
	klamm_out_append(&packed.out, "tail", 4);
	kl_sink_clear(&back);
	ck_assert_int_eq(unpack(l, packed.out.data, packed.out.len, 100, &back, &err),
			 KLAMM_ERR_CODEC);
	ck_assert_str_eq(err.text, "the gzip data is damaged: incorrect header check");
	kl_sink_free(&packed);
	kl_sink_free(&back);
	loaded_free(l);
}
END_TEST

/* A claim of 2 GB in a handful of bytes takes no memory. */
START_TEST(snappy_does_not_believe_a_claim)
{
	if (!is_shipped(KLAMM_KIND_CODEC, "snappy"))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_CODEC, "snappy", "compression.type", NULL);
	struct kl_quota quota = {.max = 10000};
	struct kl_sink back;
	kl_sink_init(&back, 0, &quota);
	struct klamm_error err = {0};
	static const uint8_t claim[] = {0xff, 0xff, 0xff, 0xff, 0x07, 0x10, 'k'};
	ck_assert_int_eq(unpack(l, claim, sizeof(claim), SIZE_MAX, &back, &err),
			 KLAMM_ERR_CODEC);
	kl_sink_free(&back);
	loaded_free(l);
}
END_TEST

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
/* No more than so many bytes of address space from now on. */
static void allow(size_t more)
{
	FILE *f = fopen("/proc/self/statm", "r");
	unsigned long pages;
	ck_assert(f != NULL && fscanf(f, "%lu", &pages) == 1);
	fclose(f);
	struct rlimit limit;
	ck_assert_int_eq(getrlimit(RLIMIT_AS, &limit), 0);
	limit.rlim_cur = pages * (size_t)sysconf(_SC_PAGESIZE) + more;
	ck_assert_int_eq(setrlimit(RLIMIT_AS, &limit), 0);
}
#else
static void allow(size_t more)
{
	/* Sanitizers have the whole of it. */
}
#endif

/* A window of 100 MB or more on the word of twelve bytes. */
static const char *const windows[] = {
	"28b52ffd a0 b1014006",		/* so large is what it holds, it says; and ends */
	"28b52ffd a0 b1014006 290000",	/* so large, and a block begins */
	"28b52ffd 00 88 290000 6b6c61", /* 128 MiB */
	"28b52ffd 00 8f 290000 6b6c61", /* 240 MiB */
};

START_TEST(zstd_does_not_believe_a_window)
{
	if (!is_shipped(KLAMM_KIND_CODEC, "zstd"))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_CODEC, "zstd", "compression.type", NULL);
	struct klamm_error err = {0};
	struct kl_sink back;
	size_t n;
	uint8_t *in = unit_hex(windows[_i], &n);
	kl_sink_init(&back, 0, NULL);
	allow((size_t)48 << 20);
	ck_assert_msg(unpack(l, in, n, (size_t)128 << 20, &back, &err) == KLAMM_ERR_CODEC,
		      "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "the zstd data is damaged: "));
	kl_sink_free(&back);
	free(in);
	loaded_free(l);
}
END_TEST

/* Blocks of 128 KiB in four bytes each, behind the head of a frame. */
static uint8_t *runs(const char *head, size_t blocks, size_t *n_out)
{
	size_t n;
	uint8_t *begin = unit_hex(head, &n), *p = malloc(n + 4 * blocks);
	memcpy(p, begin, n);
	free(begin);
	for (size_t i = 0; i < blocks; i++, n += 4) {
		uint32_t block = 131072u << 3 | 1u << 1 | (i == blocks - 1);
		uint8_t bytes[] = {(uint8_t)block, (uint8_t)(block >> 8),
				   (uint8_t)(block >> 16), 'x'};
		memcpy(p + n, bytes, 4);
	}
	*n_out = n;
	return p;
}

/* What is in the largest windows is unpacked all the same, up to the limit and not above
 * it. */
START_TEST(zstd_unpacks_what_has_a_large_window)
{
	static const char *const heads[] = {"28b52ffd 00 88", "28b52ffd 00 8f",
					    "28b52ffd 00 58"};
	enum { BLOCKS = 80 };
	const size_t plain = (size_t)BLOCKS * 131072;
	if (!is_shipped(KLAMM_KIND_CODEC, "zstd"))
		return;
	struct loaded *l = loaded_new(KLAMM_KIND_CODEC, "zstd", "compression.type", NULL);
	struct klamm_error err = {0};
	struct kl_sink back;
	size_t n;
	uint8_t *in = runs(heads[_i], BLOCKS, &n);
	kl_sink_init(&back, 0, NULL);
	allow((size_t)80 << 20);
	ck_assert_msg(unpack(l, in, n, plain, &back, &err) == 0, "%s", err.text);
	ck_assert_uint_eq(back.out.len, plain);
	for (size_t i = 0; i < plain; i += 4099)
		ck_assert_int_eq(back.out.data[i], 'x');
	kl_sink_clear(&back);
	ck_assert_int_eq(unpack(l, in, n, plain - 1, &back, &err), KLAMM_ERR_LIMIT);
	kl_sink_clear(&back);
	ck_assert_int_eq(unpack(l, in, n, 0, &back, &err), KLAMM_ERR_LIMIT);
	kl_sink_free(&back);
	free(in);
	loaded_free(l);
}
END_TEST

UNIT_SUITE(codecs)
{
	Suite *s = suite_create("codecs");
	int n = (int)kl_countof(codecs);
	unit_add_loop(s, round_trips, n);
	unit_add_loop(s, round_trips_of_every_short_length, n);
	unit_add_loop(s, appends_behind_what_is_there, n);
	unit_add_loop(s, a_bomb_hits_the_limit, n);
	unit_add_loop(s, noise_does_not_fit_into_its_own_size, n);
	unit_add_loop(s, damage_is_an_error_or_another_value, n);
	unit_add_loop(s, garbage_is_refused, n);
	unit_add_loop(s, reads_what_others_write, (int)kl_countof(foreign));
	unit_add(s, writes_what_java_reads);
	unit_add(s, gzip_reads_members_and_nothing_behind_them);
	unit_add(s, snappy_does_not_believe_a_claim);
	unit_add_loop(s, zstd_does_not_believe_a_window, (int)kl_countof(windows));
	unit_add_loop(s, zstd_unpacks_what_has_a_large_window, 3);
	return s;
}
