/* SPDX-License-Identifier: BSD-2-Clause */
/* Cut and damaged input: an error or another value, and memory in proportion. */
#include "core/proto/gen/messages.h"

#include <stdlib.h>

#include "tests/unit/unit.h"

/* Most bytes of arena per byte of input. The worst struct has 24 bytes in memory for each
 * one that it has on the wire at least, and each of three nested arrays may claim all that
 * is left. */
#define MEMORY_PER_BYTE 80
#define MEMORY_FREE 4096

static void check_memory(const struct kl_msg *msg, int version, size_t input, size_t total)
{
	ck_assert_msg(total <= MEMORY_FREE + msg->type->size + input * MEMORY_PER_BYTE,
		      "%s version %d: %zu bytes of memory for %zu of input", msg->name,
		      version, total, input);
}

/* A copy that ends where the allocation ends, so that a sanitizer sees one byte too far. */
static int decode(const struct kl_msg *msg, int version, const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	struct kl_reader r = kl_reader(copy, n);
	struct kl_arena arena = {0};
	struct klamm_error err = {0};
	void *obj = NULL;
	int rc = kl_msg_decode(msg, version, &r, &arena, &obj, &err);
	check_memory(msg, version, n, arena.total);
	if (rc == 0) {
		struct kl_buf json = {0};
		kl_msg_json(msg, version, obj, &json);
		ck_assert(!json.failed);
		kl_buf_free(&json);
	} else {
		ck_assert_int_eq(rc, KLAMM_ERR_PROTOCOL);
		ck_assert_int_eq(err.code, rc);
		ck_assert_ptr_null(obj);
	}
	kl_arena_free(&arena);
	free(copy);
	return rc;
}

static void sample(const struct kl_msg *msg, int version, uint64_t seed, struct kl_buf *to)
{
	struct kl_arena arena = {0};
	void *obj;
	ck_assert_int_eq(kl_msg_random(msg, version, seed, &arena, &obj, NULL), 0);
	ck_assert_int_eq(kl_msg_encode(msg, version, obj, to, NULL), 0);
	kl_arena_free(&arena);
}

/* No proper prefix of a message is one, as nothing is left out at the end of it. */
START_TEST(every_cut)
{
	size_t count;
	const struct kl_msg *const *all = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++) {
		for (int v = all[i]->min; v <= all[i]->max; v++) {
			struct kl_buf bytes = {0};
			sample(all[i], v, (uint64_t)v + 77, &bytes);
			size_t step = 1 + bytes.len / 300;
			for (size_t n = 0; n < bytes.len; n += step)
				ck_assert_int_ne(decode(all[i], v, bytes.data, n), 0);
			kl_buf_free(&bytes);
		}
	}
}
END_TEST

START_TEST(bit_flips)
{
	size_t count;
	const struct kl_msg *const *all = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++) {
		int versions[] = {all[i]->min, all[i]->max};
		for (size_t j = 0; j < kl_countof(versions); j++) {
			struct kl_buf bytes = {0};
			sample(all[i], versions[j], 5, &bytes);
			size_t step = 1 + bytes.len / 250;
			for (size_t bit = 0; bit < bytes.len * 8; bit += step) {
				bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
				decode(all[i], versions[j], bytes.data, bytes.len);
				bytes.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
			}
			kl_buf_free(&bytes);
		}
	}
}
END_TEST

/* Bytes that claim as much as they can. */
START_TEST(greedy_counts)
{
	size_t count;
	const struct kl_msg *const *all = kl_msg_all(&count);
	static const uint8_t fills[] = {0x00, 0x01, 0x02, 0x7f, 0x80, 0xff};
	uint8_t bytes[600];
	for (size_t i = 0; i < count; i++) {
		for (int v = all[i]->min; v <= all[i]->max; v++) {
			for (size_t f = 0; f < kl_countof(fills); f++) {
				memset(bytes, fills[f], sizeof(bytes));
				decode(all[i], v, bytes, sizeof(bytes));
			}
		}
	}
}
END_TEST

static void check_rejected(const struct kl_msg *msg, int version, const char *hex)
{
	size_t n;
	uint8_t *bytes = unit_hex(hex, &n);
	ck_assert_int_eq(decode(msg, version, bytes, n), KLAMM_ERR_PROTOCOL);
	free(bytes);
}

START_TEST(rejected)
{
	/* a count of 2^31-1, of -2, and one above what is left */
	check_rejected(&kl_msg_metadata_request, 0, "7fffffff");
	check_rejected(&kl_msg_metadata_request, 1, "fffffffe");
	check_rejected(&kl_msg_metadata_request, 0, "00000002 0000");
	/* null where version 0 has none */
	check_rejected(&kl_msg_metadata_request, 0, "ffffffff");
	/* a string longer than the input, a negative length */
	check_rejected(&kl_msg_metadata_request, 0, "00000001 0003 6161");
	check_rejected(&kl_msg_metadata_request, 0, "00000001 fffe");
	/* a varint of six bytes; tags out of order; twice; longer than the input */
	check_rejected(&kl_msg_heartbeat_response, 4, "00000000 0000 808080808001");
	check_rejected(&kl_msg_heartbeat_response, 4, "00000000 0000 02 0500 0400");
	check_rejected(&kl_msg_heartbeat_response, 4, "00000000 0000 02 0500 0500");
	check_rejected(&kl_msg_heartbeat_response, 4, "00000000 0000 01 05 03 aabb");
	/* a known tag whose value does not fill its size */
	check_rejected(&kl_msg_api_versions_response, 3,
		       "0000 01 00000000 01 01 09 0000000000000007 00");
}
END_TEST

START_TEST(error_says_where)
{
	const uint8_t bytes[] = {0, 0, 0, 1, 0, 9, 'a'};
	struct kl_reader r = kl_reader(bytes, sizeof(bytes));
	struct kl_arena arena = {0};
	struct klamm_error err;
	void *obj = NULL;
	ck_assert_int_eq(kl_msg_decode(&kl_msg_metadata_request, 0, &r, &arena, &obj, &err),
			 KLAMM_ERR_PROTOCOL);
	ck_assert_str_eq(err.text,
			 "MetadataRequest version 0: Name of MetadataRequest.Topic is "
			 "not valid at byte 6");
	kl_arena_free(&arena);
}
END_TEST

START_TEST(arena_limit)
{
	struct kl_buf bytes = {0};
	sample(&kl_msg_metadata_response, 12, 3, &bytes);
	struct kl_arena arena = {.max = 600};
	struct kl_reader r = kl_reader(bytes.data, bytes.len);
	void *obj = NULL;
	ck_assert_int_eq(kl_msg_decode(&kl_msg_metadata_response, 12, &r, &arena, &obj, NULL),
			 KLAMM_ERR_NO_MEMORY);
	kl_arena_free(&arena);
	kl_buf_free(&bytes);
}
END_TEST

UNIT_SUITE(damage)
{
	Suite *s = suite_create("damage");
	unit_add(s, every_cut);
	unit_add(s, bit_flips);
	unit_add(s, greedy_counts);
	unit_add(s, rejected);
	unit_add(s, error_says_where);
	unit_add(s, arena_limit);
	return s;
}
