/* SPDX-License-Identifier: BSD-2-Clause */
/* Codecs: which plugin packs, how hard it tries, and on how many threads. */
#include <klamm/codec.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/producer/producer.h"
#include "tests/unit/producer/caught.h"

/* Words in an order that repeats itself, but not soon: levels differ on such text. */
static char *make_text(size_t len)
{
	static const char *const words[] = {"offset", "record", "broker", "leader", "epoch",
					    "batch",  "topic",  "linger", "ack",    "fetch"};
	char *text = malloc(len + 16);
	uint32_t v = 12345;
	for (size_t at = 0; at < len;) {
		v = v * 1664525 + 1013904223;
		at += (size_t)sprintf(text + at, "%s ", words[(v >> 16) % kl_countof(words)]);
	}
	text[len] = '\0';
	return text;
}

/* Send 100 kB of that in one batch, and tell how large it was on the wire. */
static size_t packed_size(const char *type, const char *level)
{
	char *text = make_text(1000);
	size_t before = caught()->bytes;
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=60000", "delivery.timeout.ms=200000",
			       "batch.size=1000000", type, level, NULL);
	for (int i = 0; i < 100; i++) {
		text[i * 7 % 1000] = (char)('A' + i % 26);
		world_send(producer, "t", 0, NULL, text, NULL);
	}
	world_close(producer);
	free(text);
	return caught()->bytes - before;
}

static const struct {
	const char *pair;
	int wire;
} types[] = {
	{"compression.type=none", KLAMM_WIRE_NONE},
	{"compression.type=gzip", KLAMM_WIRE_GZIP},
	{"compression.type=snappy", KLAMM_WIRE_SNAPPY},
	{"compression.type=lz4", KLAMM_WIRE_LZ4},
	{"compression.type=zstd", KLAMM_WIRE_ZSTD},
};

START_TEST(opt_compression_type)
{
	size_t size = packed_size(types[_i].pair, NULL);
	const struct caught *c = caught();
	ck_assert_int_eq(c->batches, 1);
	ck_assert_int_eq(c->records, 100);
	ck_assert_int_eq(kl_batch_codec(&c->batch[0].head), types[_i].wire);
	if (_i == 0)
		ck_assert_uint_gt(size, 100000);
	else
		ck_assert_uint_lt(size, 50000);
}
END_TEST

/* Through the broker and back. */
START_TEST(packed_records_come_back)
{
	enum { N = 400 };
	static struct world_seen seen[N];
	world_up();
	world_create("t", 1);
	struct klamm_producer *producer = world_producer(NULL, types[_i].pair, NULL);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	char value[64];
	for (int i = 0; i < N; i++) {
		snprintf(value, sizeof(value), "value number %d of a few", i);
		world_send(producer, "t", 0, i % 3 ? "key" : NULL, value, NULL);
	}
	world_close(producer);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, N, seen);
	for (int i = 0; i < N; i++) {
		snprintf(value, sizeof(value), "value number %d of a few", i);
		ck_assert_str_eq(seen[i].value, value);
		ck_assert_int_eq(seen[i].key_len, i % 3 ? 3 : -1);
		ck_assert_int_eq(seen[i].offset, i);
	}
	world_close_consumer(consumer);
	world_down();
}
END_TEST

/* What would not get smaller travels as it is. */
START_TEST(what_cannot_be_packed_is_sent_plain)
{
	static char noise[4000];
	uint32_t v = 1;
	for (size_t i = 0; i < sizeof(noise); i++) {
		v = v * 1664525 + 1013904223;
		noise[i] = (char)(v >> 24);
	}
	struct klamm_producer *producer = world_producer(NULL, types[_i].pair, NULL);
	struct klamm_record record = world_record(NULL, NULL);
	record.value = (struct klamm_span){noise, sizeof(noise)};
	record.partition = 0;
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, NULL), 0);
	world_close(producer);
	ck_assert_int_eq(kl_batch_codec(&caught()->batch[0].head), 0);
}
END_TEST

START_TEST(opt_compression_gzip_level)
{
	ck_assert_uint_lt(packed_size("compression.type=gzip", "compression.gzip.level=9"),
			  packed_size("compression.type=gzip", "compression.gzip.level=1"));
}
END_TEST

START_TEST(opt_compression_lz4_level)
{
	ck_assert_uint_lt(packed_size("compression.type=lz4", "compression.lz4.level=12"),
			  packed_size("compression.type=lz4", "compression.lz4.level=1"));
}
END_TEST

START_TEST(opt_compression_zstd_level)
{
	ck_assert_uint_lt(packed_size("compression.type=zstd", "compression.zstd.level=19"),
			  packed_size("compression.type=zstd", "compression.zstd.level=-50"));
}
END_TEST

/* --- a codec of the application's own: runs of equal bytes --- */

static _Atomic int packs, unpacks, inside, most_inside;
static _Atomic int wait_for; /* so many are to be inside at once */

static int run_pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		    struct klamm_error *err)
{
	packs++;
	int now = ++inside;
	for (int most = most_inside; now > most;)
		if (__atomic_compare_exchange_n(&most_inside, &most, now, false,
						__ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
			break;
	for (int64_t end = world_ms() + PATIENCE; most_inside < wait_for && world_ms() < end;)
		usleep(1000);
	const uint8_t *p = in->data;
	int rc = 0;
	for (size_t at = 0, n; rc == 0 && at < in->len; at += n) {
		for (n = 1; n < 255 && at + n < in->len && p[at + n] == p[at];)
			n++;
		uint8_t run[2] = {(uint8_t)n, p[at]};
		rc = klamm_out_append(out, run, sizeof(run));
	}
	inside--;
	return rc;
}

static int run_unpack(void *self, const struct klamm_span *in, size_t limit,
		      struct klamm_out *out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	unpacks++;
	for (size_t at = 0; at + 1 < in->len; at += 2) {
		uint8_t *to = klamm_out_reserve(out, p[at]);
		if (to == NULL)
			return klamm_out_error(out, p[at], err);
		memset(to, p[at + 1], p[at]);
		out->len += p[at];
	}
	return 0;
}

static const struct klamm_codec_plugin runs[] = {
#define RUNS(id, name_)                                                                  \
	{.head = {KLAMM_PLUGIN_HEAD(codec, name_, "runs of equal bytes")},               \
	 .wire_id = id,                                                                  \
	 .compress = run_pack,                                                           \
	 .decompress = run_unpack}
	RUNS(KLAMM_WIRE_GZIP, "runs_1"),
	RUNS(KLAMM_WIRE_SNAPPY, "runs_2"),
	RUNS(KLAMM_WIRE_LZ4, "runs_3"),
	RUNS(KLAMM_WIRE_ZSTD, "runs_4"),
};

static void add_runs(struct klamm_conf *conf, int wire)
{
	struct klamm_error err;
	ck_assert_msg(klamm_conf_plugin(conf, KLAMM_KIND_CODEC, &runs[wire - 1].head, NULL,
					&err) == 0, "%s", err.text);
}

static struct klamm_conf *runs_conf(int wire, const char *type, const char *plugin)
{
	struct klamm_conf *conf = world_conf(type, plugin, NULL);
	add_runs(conf, wire);
	return conf;
}

/* codec.<format> says who serves a format, both ways; without it that is who has its name. */
static void check_own_codec(int wire, const char *type, const char *option)
{
	struct world_seen seen[1];
	struct klamm_error err;
	static char value[3001];
	memset(value, 'r', 3000);
	world_up();
	world_create("t", 1);
	struct klamm_producer *producer = world_producer_of(runs_conf(wire, type, option),
							    NULL);
	world_send(producer, "t", 0, "k", value, NULL);
	world_close(producer);
	ck_assert_int_eq(packs, 1);
	struct klamm_consumer *ours =
		world_consumer_of(runs_conf(wire, option, NULL), NULL);
	world_assign(ours, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(ours, 1, seen);
	ck_assert_int_eq(seen[0].value_len, 3000);
	ck_assert_int_eq(unpacks, 1);
	world_close_consumer(ours);
	struct klamm_consumer *usual = world_consumer_of(runs_conf(wire, NULL, NULL), NULL);
	world_assign(usual, "t", 0, KLAMM_OFFSET_BEGINNING);
	ck_assert_ptr_null(world_poll(usual, &err));
	ck_assert_int_eq(err.code, KLAMM_ERR_CODEC);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
	ck_assert_int_eq(unpacks, 1);
	world_close_consumer(usual);
	world_down();
}

START_TEST(opt_codec_gzip)
{
	check_own_codec(KLAMM_WIRE_GZIP, "compression.type=gzip", "codec.gzip=runs_1");
}
END_TEST

START_TEST(opt_codec_snappy)
{
	check_own_codec(KLAMM_WIRE_SNAPPY, "compression.type=snappy", "codec.snappy=runs_2");
}
END_TEST

START_TEST(opt_codec_lz4)
{
	check_own_codec(KLAMM_WIRE_LZ4, "compression.type=lz4", "codec.lz4=runs_3");
}
END_TEST

START_TEST(opt_codec_zstd)
{
	check_own_codec(KLAMM_WIRE_ZSTD, "compression.type=zstd", "codec.zstd=runs_4");
}
END_TEST

/* Each call waits until as many are inside as there are threads. */
START_TEST(opt_klamm_codec_threads)
{
	static const char *const threads[] = {"klamm.codec.threads=1",
					      "klamm.codec.threads=3"};
	struct klamm_conf *conf =
		world_conf("compression.type=runs_1", "linger.ms=0", threads[_i], NULL);
	add_runs(conf, KLAMM_WIRE_GZIP);
	wait_for = _i == 0 ? 1 : 3;
	struct klamm_producer *producer = world_producer_of(conf, NULL);
	for (int i = 0; i < 40; i++)
		world_send(producer, "t", i % 4, "k", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
			   NULL);
	world_close(producer);
	ck_assert_int_eq(most_inside, wait_for);
	ck_assert_int_eq(caught()->records, 40);
}
END_TEST

static atomic_bool hold, held;
static struct klamm_loop *held_loop;

static void hold_here(struct kl_task *task)
{
	for (atomic_store(&held, true); atomic_load(&hold);)
		usleep(100);
}

/* In the next step, before that looks at its sockets. */
static void hold_there(struct kl_task *task)
{
	task->fn = hold_here;
	kl_loop_post(held_loop, task);
}

static void hold_loop(struct klamm_loop *loop)
{
	static struct kl_task task = {.fn = hold_there};
	held_loop = loop;
	atomic_store(&hold, true);
	for (kl_loop_post(loop, &task); !atomic_load(&held);)
		usleep(100);
}

static void *close_now(void *producer)
{
	klamm_producer_close(producer, 0, NULL);
	return NULL;
}

/* An answer lets the next batch be packed, and is read by the step that ends the producer: no
 * worker may be at a batch that is gone. */
START_TEST(nothing_is_packed_at_the_end)
{
	pthread_t closer;
	struct klamm_conf *conf = world_conf("compression.type=runs_1", "linger.ms=0",
					     "enable.idempotence=false", NULL);
	add_runs(conf, KLAMM_WIRE_GZIP);
	struct klamm_producer *producer = world_producer_of(conf, NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	caught_hold();
	world_send(producer, "t", 0, "k", "aaaaaaaaaaaaaaaa", NULL);
	caught_wait(1);
	world_send(producer, "t", 0, "k", "aaaaaaaaaaaaaaaa", NULL); /* waits for its place */
	usleep(50 * 1000);
	hold_loop(producer->loop);
	caught_release();
	pthread_create(&closer, NULL, close_now, producer);
	while (atomic_load(&held_loop->mailbox) == NULL) /* the loop is asked for the end */
		usleep(100);
	usleep(20 * 1000);
	atomic_store(&hold, false);
	pthread_join(closer, NULL);
	usleep(50 * 1000);
	ck_assert_int_eq(packs, 1);
}
END_TEST

UNIT_SUITE(codecs)
{
	Suite *s = suite_create("codecs");
	unit_add_case(s, "opt_compression_type", opt_compression_type, caught_up, caught_down,
		      kl_countof(types));
	unit_add_loop(s, packed_records_come_back, kl_countof(types));
	unit_add_case(s, "what_cannot_be_packed_is_sent_plain",
		      what_cannot_be_packed_is_sent_plain, caught_up, caught_down,
		      kl_countof(types));
	unit_add_fixture(s, opt_compression_gzip_level, caught_up, caught_down);
	unit_add_fixture(s, opt_compression_lz4_level, caught_up, caught_down);
	unit_add_fixture(s, opt_compression_zstd_level, caught_up, caught_down);
	unit_add(s, opt_codec_gzip);
	unit_add(s, opt_codec_snappy);
	unit_add(s, opt_codec_lz4);
	unit_add(s, opt_codec_zstd);
	unit_add_fixture(s, nothing_is_packed_at_the_end, caught_up, caught_down);
	unit_add_case(s, "opt_klamm_codec_threads", opt_klamm_codec_threads, caught_up,
		      caught_down, 2);
	return s;
}
