/* SPDX-License-Identifier: BSD-2-Clause */
/* Retention by age and size, in memory and in files. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

#define WAIT_MS 20000

static char *dir;
static struct peer *peer;

static void come_back(void)
{
	peer_start_with((struct klamm_broker_options){
		.data_dir = dir, .retention_check_ms = 50});
	peer = peer_open();
}

static void up(int files)
{
	dir = files ? unit_tmp() : NULL;
	come_back();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
	free(dir);
}

static int64_t now_ms(void)
{
	return (int64_t)time(NULL) * 1000;
}

static int64_t put_batch(const char *topic, const struct peer_batch *b)
{
	struct kl_produce_response_partition *r =
		peer_produce(peer, topic, 0, b->data, b->len);
	ck_assert_int_eq(r->error_code, 0);
	return r->base_offset;
}

static int64_t put(const char *topic, int count, int64_t timestamp)
{
	struct peer_batch b;
	peer_batch(&b, count, timestamp);
	return put_batch(topic, &b);
}

static void offsets(const char *topic, int64_t *start, int64_t *end)
{
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, topic, 0, start, end, NULL), 0);
}

static int64_t wait_for_start(const char *topic, int64_t least)
{
	int64_t start, end;
	for (int i = 0; i < WAIT_MS / 20; i++) {
		offsets(topic, &start, &end);
		if (start >= least)
			return start;
		usleep(20000);
	}
	ck_abort_msg("it begins at %lld, not at %lld", (long long)start, (long long)least);
}

/* 0 = in memory, 1 = in files. */
START_TEST(takes_what_is_old)
{
	static const char *const settings[] = {"retention.ms", "3600000", NULL};
	up(_i);
	peer_create_with("old", 1, settings);
	peer_create_with("kept", 1, NULL);
	for (int i = 0; i < 3; i++) {
		put("old", 4, now_ms() - 7200000);
		put("kept", 4, now_ms() - 7200000);
	}
	int64_t start, end;
	ck_assert_int_eq(wait_for_start("old", 12), 12);
	offsets("kept", &start, &end);
	ck_assert(start == 0 && end == 12);
	ck_assert_int_eq(peer_fetch(peer, "old", 0, 11)->error_code,
			 KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_int_eq(peer_fetch(peer, "old", 0, 12)->records.len, 0);
	if (_i == 1) { /* with no file left that says where it goes on */
		peer_close(peer);
		peer_stop();
		come_back();
	}
	offsets("old", &start, &end);
	ck_assert(start == 12 && end == 12);
	ck_assert_int_eq(put("old", 2, now_ms()), 12);
	ck_assert_int_gt(peer_fetch(peer, "old", 0, 12)->records.len, 0);
	down();
}
END_TEST

START_TEST(takes_what_is_too_much)
{
	static const char *const settings[] = {"retention.bytes", "1048576", "segment.bytes",
					       "1048576", NULL};
	up(_i);
	peer_create_with("much", 1, settings);
	int64_t end = 0;
	struct peer_batch b;
	peer_batch(&b, 700, now_ms());
	size_t fit = 1048576 / b.len; /* in a segment */
	for (size_t i = 0; i < 4 * fit; i++) {
		ck_assert_int_eq(put("much", 700, now_ms()), end);
		end += 700;
	}
	/* Of four segments, each a little smaller than the limit, two go. */
	int64_t want = 2 * (int64_t)fit * 700;
	ck_assert_int_eq(wait_for_start("much", want), want);
	ck_assert_int_gt(peer_fetch(peer, "much", 0, want)->records.len, 0);
	ck_assert_int_eq(put("much", 1, now_ms()), end);
	if (_i == 1) {
		peer_close(peer);
		peer_stop();
		come_back();
	}
	int64_t start, again;
	offsets("much", &start, &again);
	ck_assert_int_eq(again, end + 1);
	ck_assert_int_ge(start, want);
	down();
}
END_TEST

/* Only cleanup.policy = delete does that. */
START_TEST(keeps_what_is_compacted)
{
	static const char *const settings[] = {"retention.ms", "1", "cleanup.policy",
					       "compact", NULL};
	static const char *const both[] = {"retention.ms", "1", "cleanup.policy",
					   "compact,delete", NULL};
	up(0);
	peer_create_with("compact", 1, settings);
	peer_create_with("both", 1, both);
	struct peer_batch b;
	peer_batch_keyed(&b, 4, now_ms() - 7200000);
	put_batch("compact", &b);
	put_batch("both", &b);
	ck_assert_int_eq(wait_for_start("both", 4), 4);
	int64_t start, end;
	offsets("compact", &start, &end);
	ck_assert(start == 0 && end == 4);
	down();
}
END_TEST

UNIT_SUITE(retention)
{
	Suite *s = suite_create("retention");
	if (peer_is_foreign())
		return s;
	unit_add_loop(s, takes_what_is_old, 2);
	unit_add_loop(s, takes_what_is_too_much, 2);
	unit_add(s, keeps_what_is_compacted);
	return s;
}
