/* SPDX-License-Identifier: BSD-2-Clause */
/* What the record layer costs by itself: nanoseconds per record to encode and to iterate, with
 * and without CRC, and CRC-32C by every way this machine can run. Build with
 * `make bench/record`; the best of several rounds is told.
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/base/crc32c.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"

enum { ROUNDS = 25, VALUE = 100 };

static double now_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* The result of a loop goes here, so that the loop is not thrown away. */
static volatile uint64_t sink;

/* As send() does it: lengths and deltas are not known to the compiler. */
static __attribute__((noinline)) uint8_t *
encode(uint8_t *p, uint8_t *end, struct klamm_span key, struct klamm_span value,
       int32_t *count_out)
{
	uint32_t n = 0;
	size_t bound = kl_record_bound(key.len, value.len, 1);
	for (; (size_t)(end - p) >= bound; n++)
		p = kl_record_put(p, n, n / 64, key, value, NULL, 0, 1);
	*count_out = (int32_t)n;
	return p;
}

static void seal(uint8_t *batch, size_t n, int32_t count)
{
	struct kl_batch_head head = {
		.length = (int32_t)(n - KL_BATCH_OVERHEAD),
		.leader_epoch = -1,
		.magic = 2,
		.last_offset_delta = count - 1,
		.base_timestamp = 1700000000000,
		.max_timestamp = 1700000000000,
		.producer_id = -1,
		.producer_epoch = -1,
		.base_sequence = -1,
		.record_count = count,
	};
	kl_batch_head_put(batch, &head);
	uint32_t crc = kl_batch_body_crc(batch + KL_BATCH_HEAD, n - KL_BATCH_HEAD);
	kl_batch_stamp(batch, 1, 0, 0, crc);
}

static int32_t iterate(const uint8_t *batch, size_t n, bool crc)
{
	struct kl_batch_head head;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	if (kl_batch_peek(batch, n, &head) != KL_BATCH_WHOLE ||
	    (crc && !kl_batch_check_crc(batch, &head)) ||
	    kl_record_iter_init(&iter, &head, kl_batch_records(batch, &head), 0) != 0)
		return -1;
	uint64_t sum = 0;
	int32_t count = 0;
	for (; kl_record_next(&iter, &view) > 0; count++)
		sum += view.value.len + (uint64_t)view.offset;
	sink = sum;
	return count;
}

static void bench_batch(const char *name, size_t size, struct klamm_span key)
{
	static const char bytes[VALUE] = "the value";
	struct klamm_span value = {bytes, VALUE};
	uint8_t *batch = malloc(size);
	if (batch == NULL)
		return;
	memset(batch, 0, size);
	double put = 1e9, put_crc = 1e9, get = 1e9, get_crc = 1e9;
	int32_t count;
	size_t times = (4u << 20) / size;
	for (int round = 0; round < ROUNDS; round++) {
		double t0 = now_ns();
		uint8_t *end = batch;
		for (size_t i = 0; i < times; i++)
			end = encode(batch + KL_BATCH_HEAD, batch + size, key, value, &count);
		double t1 = now_ns();
		for (size_t i = 0; i < times; i++) {
			end = encode(batch + KL_BATCH_HEAD, batch + size, key, value, &count);
			seal(batch, (size_t)(end - batch), count);
		}
		double t2 = now_ns();
		for (size_t i = 0; i < times; i++)
			sink = (uint64_t)iterate(batch, size, false);
		double t3 = now_ns();
		for (size_t i = 0; i < times; i++)
			sink = (uint64_t)iterate(batch, size, true);
		double t4 = now_ns(), n = (double)count * (double)times;
		put = kl_min(put, (t1 - t0) / n);
		put_crc = kl_min(put_crc, (t2 - t1) / n);
		get = kl_min(get, (t3 - t2) / n);
		get_crc = kl_min(get_crc, (t4 - t3) / n);
	}
	printf("%-22s %6.2f %11.2f %9.2f %12.2f\n", name, put, put_crc, get, get_crc);
	free(batch);
}

static void bench_crc(const struct kl_crc32c_way *way)
{
	static const size_t sizes[] = {40, 100, 200, 1024, 16384, 1 << 20};
	static uint8_t bytes[1 << 20];
	printf("%-12s", way->name);
	for (size_t s = 0; s < kl_countof(sizes); s++) {
		double best = 1e9;
		size_t times = kl_max((size_t)1, (4u << 20) / sizes[s] / 4);
		for (int round = 0; round < ROUNDS; round++) {
			double t = now_ns();
			uint32_t crc = 0;
			for (size_t i = 0; i < times; i++)
				crc = way->update(crc, bytes, sizes[s]);
			sink = crc;
			best = kl_min(best, (now_ns() - t) / (double)times);
		}
		printf(" %7.1f ns %5.1f GB/s", best, (double)sizes[s] / best);
	}
	double t = now_ns();
	uint32_t crc = 1;
	for (uint64_t i = 0; i < 100000; i++)
		crc = way->shift(crc, (uint32_t)(8 * (16000 + i)));
	sink = crc;
	printf("  combine %.1f ns\n", (now_ns() - t) / 1e5);
}

int main(void)
{
	printf("ns per record           encode  encode+crc  iterate  iterate+crc\n");
	bench_batch("16 KiB, no key", 16384, (struct klamm_span){NULL, 0});
	bench_batch("1 MiB, no key", 1 << 20, (struct klamm_span){NULL, 0});
	bench_batch("16 KiB, 8-byte key", 16384, (struct klamm_span){"a key..8", 8});
	bench_batch("1 MiB, 8-byte key", 1 << 20, (struct klamm_span){"a key..8", 8});
	printf("\ncrc32c of 40, 100, 200, 1 Ki, 16 Ki, 1 Mi bytes\n");
	for (const struct kl_crc32c_way *way = kl_crc32c_ways; way->name != NULL; way++)
		if (way->usable())
			bench_crc(way);
	return 0;
}
