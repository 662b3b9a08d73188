/* SPDX-License-Identifier: BSD-2-Clause */
/* The log of a partition. */
#include <stdlib.h>

#include "broker/log.h"
#include "core/record/batch_read.h"
#include "tests/broker/peer.h"

static struct kl_slab_pool *pool;
static struct kl_dev_log log_;

static void up(void)
{
	pool = kl_slab_pool_new(64 << 20, 0, NULL, NULL);
	kl_dev_log_init(&log_, pool);
	ck_assert(kl_dev_log_begin_epoch(&log_, 0));
}

static void down(void)
{
	kl_dev_log_free(&log_);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 0);
	kl_slab_pool_free(pool);
}

static int append_to(struct kl_dev_log *log, const struct peer_batch *b, int32_t epoch,
		     const struct kl_dev_stamp *stamp, int64_t *offset_out)
{
	struct kl_dev_append append = {
		.batch = b->data, .n = b->len, .leader_epoch = epoch, .stamp = stamp};
	return kl_dev_log_append(log, &append, offset_out);
}

static int64_t append(int count, int64_t timestamp, int32_t epoch)
{
	struct peer_batch b;
	int64_t offset = -1;
	peer_batch(&b, count, timestamp);
	ck_assert_int_eq(append_to(&log_, &b, epoch, NULL, &offset), 0);
	return offset;
}

static struct kl_dev_found find_time(int64_t timestamp)
{
	struct kl_dev_found found;
	ck_assert_int_eq(kl_dev_log_find_time(&log_, timestamp, &found), 0);
	return found;
}

static struct kl_dev_found find_newest(void)
{
	struct kl_dev_found found;
	ck_assert_int_eq(kl_dev_log_find_newest(&log_, &found), 0);
	return found;
}

static struct kl_dev_left left(int64_t offset)
{
	struct kl_dev_left l;
	ck_assert_int_eq(kl_dev_log_left(&log_, offset, log_.high, &l), 0);
	return l;
}

/* The batches of a read: whole, in a row, the first one holding offset. */
static int64_t check_read(int64_t offset, size_t max, bool one, struct kl_dev_read *read)
{
	ck_assert_int_eq(kl_dev_log_read(&log_, offset, log_.high, max, one, read), 0);
	/* The log has it as well, or a test keeps its own. */
	kl_slab_unref(read->slab);
	struct kl_batch_span span;
	ck_assert_int_eq(kl_batch_hop(read->p, read->n, &span), KL_BATCH_CUT);
	ck_assert_uint_eq(span.bytes, read->n);
	if (read->n == 0)
		return -1;
	struct kl_batch_head head;
	kl_batch_peek(read->p, read->n, &head);
	ck_assert_int_le(head.base_offset, offset);
	ck_assert_int_gt(kl_batch_next_offset(&head), offset);
	ck_assert(kl_batch_check_crc(read->p, &head));
	return span.next_offset;
}

START_TEST(appends_and_reads)
{
	for (int i = 0; i < 3000; i++)
		ck_assert_int_eq(append(3, 1000 + i, 0), 3 * i);
	ck_assert_int_eq(log_.end, 9000);
	ck_assert_uint_eq(log_.segment_count, 1);
	ck_assert_uint_gt(log_.segments[0]->chunk_count, 3);
	struct kl_dev_read read;
	for (int64_t offset = 0; offset < 9000; offset += 7) {
		int64_t next = check_read(offset, 1000, true, &read);
		ck_assert_uint_le(read.n, 1000);
		ck_assert_int_gt(next, offset);
	}
	int64_t at = 0;
	int reads = 0;
	while (at < 9000) {
		at = check_read(at, 1 << 20, true, &read);
		reads++;
	}
	ck_assert_int_eq(at, 9000);
	ck_assert_uint_eq((size_t)reads, log_.segments[0]->chunk_count);
}
END_TEST

START_TEST(reads_within_limits)
{
	append(100, 1000, 0);
	append(1, 1000, 0);
	struct kl_dev_read read;
	check_read(0, 10, true, &read);
	ck_assert_uint_gt(read.n, 1000); /* the first batch, however large */
	size_t first = read.n;
	check_read(0, 10, false, &read);
	ck_assert_uint_eq(read.n, 0);
	ck_assert_uint_eq(left(0).bytes, kl_dev_log_size(&log_));
	ck_assert_uint_eq(left(50).bytes, kl_dev_log_size(&log_));
	ck_assert_uint_eq(left(0).first, first);
	check_read(100, 10, false, &read);
	ck_assert_uint_eq(read.n, 0);
	ck_assert_uint_eq(left(100).bytes, kl_dev_log_size(&log_) - first);
	check_read(101, 100, true, &read); /* the end */
	ck_assert_uint_eq(read.n, 0);
	ck_assert_uint_eq(left(101).bytes, 0);
}
END_TEST

START_TEST(keeps_what_is_read)
{
	append(5, 1000, 0);
	struct kl_dev_read read;
	check_read(0, 1 << 20, true, &read);
	struct kl_slab *slab = kl_slab_ref(read.slab);
	uint8_t copy[4096];
	memcpy(copy, read.p, read.n);
	for (int i = 0; i < 100; i++)
		append(5, 1000, 0);
	kl_dev_log_trim(&log_, 400);
	ck_assert_mem_eq(copy, read.p, read.n);
	kl_slab_unref(slab);
}
END_TEST

START_TEST(trims)
{
	for (int i = 0; i < 2000; i++)
		append(3, 1000 + i, 0);
	size_t used = kl_slab_pool_used(pool);
	kl_dev_log_trim(&log_, 3001);
	ck_assert_int_eq(log_.start, 3001);
	ck_assert_uint_lt(kl_slab_pool_used(pool), used);
	struct kl_dev_read read;
	for (int64_t offset = 3001; offset < 6000; offset += 5)
		check_read(offset, 2000, true, &read);
	struct kl_dev_found found = find_time(0);
	ck_assert_int_eq(found.offset, 3001);
	kl_dev_log_trim(&log_, 6000);
	ck_assert_uint_eq(kl_slab_pool_used(pool), 0);
	ck_assert_int_eq(find_time(0).offset, -1);
	ck_assert_int_eq(find_newest().offset, -1);
	ck_assert_int_eq(append(2, 5, 0), 6000);
	ck_assert_int_eq(check_read(6000, 2000, true, &read), 6002);
}
END_TEST

/* Down to each batch, with others instead of what goes. */
START_TEST(truncates)
{
	struct kl_dev_read read;
	for (int i = 0; i < 1000; i++)
		append(3, 1000 + i, 0);
	for (int64_t end = 2900; end > 0; end -= 137) {
		ck_assert_int_eq(kl_dev_log_truncate(&log_, end), 0);
		ck_assert_int_eq(log_.end, end - end % 3);
		ck_assert_int_eq(log_.high, log_.end);
		ck_assert_int_eq(append(2, 5000, 0), end - end % 3);
		int64_t at = 0;
		while (at < log_.end)
			at = check_read(at, 1 << 20, true, &read);
		ck_assert_int_eq(at, log_.end);
		ck_assert_int_eq(find_time(4000).offset, log_.end - 2);
	}
	ck_assert_int_eq(kl_dev_log_truncate(&log_, 0), 0);
	ck_assert_int_eq(log_.end, 0);
	ck_assert_int_eq(find_newest().offset, -1);
	ck_assert_int_eq(append(1, 1000, 0), 0);
}
END_TEST

/* Of a batch of which the first records were deleted. */
START_TEST(truncates_behind_its_start)
{
	append(3, 1000, 0);
	append(3, 1000, 0);
	kl_dev_log_trim(&log_, 4);
	ck_assert_int_eq(kl_dev_log_truncate(&log_, 4), 0);
	ck_assert(log_.start == 4 && log_.end == 4 && log_.high == 4);
	ck_assert_int_eq(append(2, 1000, 0), 4);
	struct kl_dev_read read;
	ck_assert_int_eq(check_read(4, 1 << 20, true, &read), 6);
}
END_TEST

/* Bytes that are on their way to a client are not written over. */
START_TEST(truncates_beside_answers)
{
	for (int i = 0; i < 10; i++)
		append(10, 1000, 0);
	struct kl_dev_read read;
	ck_assert_int_eq(kl_dev_log_read(&log_, 0, 100, 1 << 20, true, &read), 0);
	size_t n = read.n;
	uint8_t *before = malloc(n);
	memcpy(before, read.p, n);
	ck_assert_int_eq(kl_dev_log_truncate(&log_, 30), 0);
	for (int i = 0; i < 10; i++)
		append(10, 2000, 1);
	ck_assert_mem_eq(read.p, before, n);
	kl_slab_unref(read.slab);
	free(before);
}
END_TEST

START_TEST(finds_by_time)
{
	for (int i = 0; i < 1000; i++)
		append(4, 1000 + 10 * i, 0); /* 1000..1003, 1010..1013, ... */
	struct kl_dev_found found = find_time(1012);
	ck_assert_int_eq(found.offset, 6);
	ck_assert_int_eq(found.timestamp, 1012);
	found = find_time(5004);
	ck_assert_int_eq(found.offset, 1604);
	ck_assert_int_eq(found.timestamp, 5010);
	ck_assert_int_eq(find_time(20000).offset, -1);
	append(3, 50000, 0);
	append(3, 7, 0);
	found = find_newest();
	ck_assert_int_eq(found.timestamp, 50002);
	ck_assert_int_eq(found.offset, 4002);
	ck_assert_int_eq(find_time(20000).offset, 4000);
}
END_TEST

START_TEST(stamps_append_time)
{
	struct peer_batch b;
	int64_t offset;
	peer_batch(&b, 3, 1000);
	struct kl_dev_stamp stamp = {true, 99999};
	ck_assert_int_eq(append_to(&log_, &b, 0, &stamp, &offset), 0);
	struct kl_dev_read read;
	check_read(0, 1000, true, &read);
	struct kl_batch_head head;
	kl_batch_peek(read.p, read.n, &head);
	ck_assert(head.attributes & KL_ATTR_LOG_APPEND_TIME);
	ck_assert_int_eq(head.max_timestamp, 99999);
	ck_assert_int_eq(find_newest().offset, 2);
	ck_assert_int_eq(find_time(99999).offset, 0);
}
END_TEST

START_TEST(knows_epochs)
{
	append(10, 1000, 0);
	ck_assert(kl_dev_log_begin_epoch(&log_, 1));
	ck_assert(kl_dev_log_begin_epoch(&log_, 3)); /* 1 wrote nothing */
	append(5, 1000, 3);
	struct kl_dev_epoch end = kl_dev_log_epoch_end(&log_, 0);
	ck_assert(end.epoch == 0 && end.start == 10);
	end = kl_dev_log_epoch_end(&log_, 2);
	ck_assert(end.epoch == 0 && end.start == 10);
	end = kl_dev_log_epoch_end(&log_, 3);
	ck_assert(end.epoch == 3 && end.start == 15);
	end = kl_dev_log_epoch_end(&log_, 4);
	ck_assert(end.epoch == -1 && end.start == -1);
	ck_assert_int_eq(kl_dev_log_epoch_at(&log_, 9), 0);
	ck_assert_int_eq(kl_dev_log_epoch_at(&log_, 10), 3);
}
END_TEST

START_TEST(refuses_beyond_its_memory)
{
	struct kl_slab_pool *small = kl_slab_pool_new(8192, 0, NULL, NULL);
	struct kl_dev_log l;
	struct peer_batch b;
	int64_t offset;
	kl_dev_log_init(&l, small);
	peer_batch(&b, 100, 1000);
	int rc = 0, appended = 0;
	while (rc == 0 && appended < 100) {
		rc = append_to(&l, &b, 0, NULL, &offset);
		appended += rc == 0;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(l.end, 100 * appended);
	ck_assert_int_gt(appended, 0);
	kl_dev_log_free(&l);
	kl_slab_pool_free(small);
}
END_TEST

UNIT_SUITE(log)
{
	Suite *s = suite_create("log");
	unit_add_fixture(s, appends_and_reads, up, down);
	unit_add_fixture(s, reads_within_limits, up, down);
	unit_add_fixture(s, keeps_what_is_read, up, down);
	unit_add_fixture(s, trims, up, down);
	unit_add_fixture(s, truncates, up, down);
	unit_add_fixture(s, truncates_behind_its_start, up, down);
	unit_add_fixture(s, truncates_beside_answers, up, down);
	unit_add_fixture(s, finds_by_time, up, down);
	unit_add_fixture(s, stamps_append_time, up, down);
	unit_add_fixture(s, knows_epochs, up, down);
	unit_add(s, refuses_beyond_its_memory);
	return s;
}
