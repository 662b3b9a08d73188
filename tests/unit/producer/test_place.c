/* SPDX-License-Identifier: BSD-2-Clause */
/* Where records go, and the values that become bytes on the way. */
#include <klamm/serializer.h>
#include <unistd.h>

#include "tests/unit/producer/caught.h"

static int64_t in_partition[4];

static void count_places(void)
{
	const struct caught *c = caught();
	memset(in_partition, 0, sizeof(in_partition));
	for (int i = 0; i < c->batches; i++)
		in_partition[c->batch[i].partition] += c->batch[i].head.record_count;
}

static int used(void)
{
	int n = 0;
	for (size_t i = 0; i < kl_countof(in_partition); i++)
		n += in_partition[i] > 0;
	return n;
}

/* Each record in a batch of its own. */
static void send_each(struct klamm_producer *producer, int n, const char *key)
{
	for (int i = 0; i < n; i++) {
		world_send(producer, "t", -1, key, "v", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	count_places();
}

/* murmur2: a key has its place; roundrobin: in turn, whatever the key. */
START_TEST(opt_partitioner_class)
{
	static const char *const pairs[] = {"partitioner.class=murmur2",
					    "partitioner.class=roundrobin"};
	struct klamm_producer *producer = world_producer(NULL, pairs[_i], NULL);
	send_each(producer, 40, "the same key");
	ck_assert_int_eq(used(), _i == 0 ? 1 : 4);
	for (size_t i = 0; _i == 1 && i < kl_countof(in_partition); i++)
		ck_assert_int_eq(in_partition[i], 10);
	world_close(producer);
}
END_TEST

START_TEST(opt_partitioner_ignore_keys)
{
	static const char *const pairs[] = {"partitioner.ignore.keys=false",
					    "partitioner.ignore.keys=true"};
	struct klamm_producer *producer =
		world_producer(NULL, "batch.size=1000", pairs[_i], NULL);
	send_each(producer, 400, "the same key");
	if (_i == 0)
		ck_assert_int_eq(used(), 1);
	else
		ck_assert_int_gt(used(), 1);
	world_close(producer);
}
END_TEST

/* The murmur2 of Java's client: what its own tests say of these keys, on four partitions. */
START_TEST(keys_land_where_java_puts_them)
{
	static const struct {
		const char *key;
		int32_t partition;
	} keys[] = {
		{"21", 0},
		{"foobar", 2},
		{"a-little-bit-long-string", 0},
		{"a-little-bit-longer-string", 3},
		{"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", 1},
		{"abc", 3},
	};
	struct world_end ends[kl_countof(keys)] = {0};
	struct klamm_producer *producer = world_telling(NULL, NULL, NULL);
	for (size_t i = 0; i < kl_countof(keys); i++)
		world_send(producer, "t", -1, keys[i].key, "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (size_t i = 0; i < kl_countof(keys); i++)
		ck_assert_int_eq(ends[i].partition, keys[i].partition);
	world_close(producer);
}
END_TEST

/* Records without a key stay with a partition until it had batch.size bytes, in however many
 * batches (KIP-794), then move on. */
START_TEST(keyless_records_stick_together)
{
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=60000", "delivery.timeout.ms=200000",
			       "batch.size=4000", NULL);
	for (int i = 0; i < 50; i++)
		world_send(producer, "t", -1, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(caught()->batches, 1);
	send_each(producer, 10, NULL);
	ck_assert_int_eq(caught()->batches, 11);
	ck_assert_int_eq(used(), 1);
	send_each(producer, 1000, NULL); /* 20 times as much as makes a partition full */
	ck_assert_int_eq(used(), 4);
	world_close(producer);
}
END_TEST

/* KIP-794. One partition's batches pile up, as its first is never answered: with the option
 * it gets about a tenth of what the others do, without it as much. */
START_TEST(opt_partitioner_adaptive_partitioning_enable)
{
	static const char *const pairs[] = {"partitioner.adaptive.partitioning.enable=false",
					    "partitioner.adaptive.partitioning.enable=true"};
	static char value[300];
	memset(value, 'v', sizeof(value) - 1);
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=0", "batch.size=400", pairs[_i],
			       "buffer.memory=100000000", NULL);
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
	caught_hold();
	for (int i = 0; i < 200; i++) /* batches of one record, which pile up in 0 */
		world_send(producer, "t", 0, NULL, value, NULL);
	for (int i = 0; i < 400; i++)
		world_send(producer, "t", -1, NULL, value, NULL);
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);
	count_places();
	int in_0 = (int)in_partition[0] - 200;
	if (_i == 0)
		ck_assert_int_gt(in_0, 60);
	else
		ck_assert_int_lt(in_0, 40);
	world_close(producer);
}
END_TEST

/* A node that does not answer: records without a key keep away from its partitions after a
 * while, if that was asked for. */
START_TEST(opt_partitioner_availability_timeout_ms)
{
	static const char *const pairs[] = {"partitioner.availability.timeout.ms=0",
					    "partitioner.availability.timeout.ms=3000"};
	static struct world_end ends[60];
	struct world_end probe[2] = {0};
	world_start((struct klamm_broker_options){.nodes = 2, .replicas = 1});
	world_create("t", 2);
	struct klamm_producer *producer = world_telling(
		NULL, "linger.ms=0", "batch.size=0",
		"partitioner.adaptive.partitioning.enable=false", pairs[_i], NULL);
	for (int i = 0; i < 2; i++)
		world_send(producer, "t", i, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_fault((struct klamm_broker_fault){
		.api = 0, .node = 2, .count = -1, .action = KLAMM_BROKER_SILENCE});
	for (int i = 0; i < 4; i++) /* one in flight, and one behind it */
		world_send(producer, "t", i % 2, NULL, "v", i < 2 ? &probe[i] : NULL);
	int64_t deadline = world_ms() + PATIENCE;
	while (probe[0].told + probe[1].told == 0 && world_ms() < deadline)
		klamm_producer_poll(producer, 100, NULL, NULL);
	int32_t gone = probe[0].told ? 1 : 0;
	if (_i == 1) /* long enough for what only a slow machine holds up */
		usleep(3500000);
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", -1, NULL, "v", &ends[i]);
	for (size_t i = 0; _i == 1 && i < kl_countof(ends); i++)
		world_wait(producer, &ends[i]); /* all of them get through */
	world_drop(producer); /* tells of the others */
	int there = 0;
	for (size_t i = 0; i < kl_countof(ends); i++)
		there += ends[i].partition == gone;
	if (_i == 0)
		ck_assert_int_ge(there, 10);
	else
		ck_assert_int_eq(there, 0);
	world_down();
}
END_TEST

/* --- serializers --- */

static struct klamm_value text_value(const char *text)
{
	return (struct klamm_value){.type = KLAMM_VALUE_STRING, .as.bytes = world_span(text)};
}

static void check_serializer(bool is_key)
{
	struct klamm_error err;
	struct world_seen seen[3];
	const struct klamm_entry entry = {text_value("n"),
					  {.type = KLAMM_VALUE_INT, .as.integer = 7}};
	const struct klamm_value map = {.type = KLAMM_VALUE_MAP, .as.map = {&entry, 1}};
	const struct klamm_value text = text_value("plain"), null = {.type = KLAMM_VALUE_NULL};
	world_up();
	world_create("t", 1);
	struct klamm_producer *json = world_producer(
		NULL, is_key ? "key.serializer=json" : "value.serializer=json", NULL);
	struct klamm_producer *string = world_producer(
		NULL, is_key ? "key.serializer=string" : "value.serializer=string", NULL);
	struct klamm_record record = world_record("k", "v");
	const struct klamm_value **place = is_key ? &record.key_value : &record.value_value;
	*place = &map;
	ck_assert_msg(klamm_producer_send_to(json, "t", &record, NULL, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(klamm_producer_send_to(string, "t", &record, NULL, &err),
			 KLAMM_ERR_SERIALIZE);
	ck_assert_ptr_nonnull(strstr(err.text, is_key ? "cannot write the key"
						      : "cannot write the value"));
	ck_assert_uint_eq(world_flush(json), 0);
	*place = &text;
	ck_assert_int_eq(klamm_producer_send_to(string, "t", &record, NULL, &err), 0);
	*place = &null;
	ck_assert_int_eq(klamm_producer_send_to(string, "t", &record, NULL, &err), 0);
	ck_assert_uint_eq(world_flush(string), 0);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, 3, seen);
	for (int i = 0; i < 3; i++)
		ck_assert_str_eq(is_key ? seen[i].value : seen[i].key, is_key ? "v" : "k");
	ck_assert_str_eq(is_key ? seen[0].key : seen[0].value, "{\"n\":7}");
	ck_assert_str_eq(is_key ? seen[1].key : seen[1].value, "plain");
	ck_assert_int_eq(is_key ? seen[2].key_len : seen[2].value_len, -1);
	world_close_consumer(consumer);
	world_close(json);
	world_close(string);
	world_down();
}

START_TEST(opt_key_serializer)
{
	check_serializer(true);
}
END_TEST

START_TEST(opt_value_serializer)
{
	check_serializer(false);
}
END_TEST

/* The encoding of keys, of values, or of both. */
static void check_encoding(const char *pair, bool of_keys, bool of_values)
{
	struct world_seen seen[1];
	const struct klamm_value text = text_value("\xc3\xa4");
	world_up();
	world_create("t", 1);
	struct klamm_producer *p = world_producer(NULL, "key.serializer=string",
						  "value.serializer=string", pair, NULL);
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct world_end end = {0};
	record.key_value = record.value_value = &text;
	ck_assert_int_eq(klamm_producer_on_delivery(p, world_told, NULL, false, NULL), 0);
	ck_assert_int_eq(klamm_producer_send_to(p, "t", &record, &end, NULL), 0);
	ck_assert_uint_eq(world_flush(p), 0);
	ck_assert_int_eq(end.key_size, of_keys ? 1 : 2); /* of what was made of it */
	ck_assert_int_eq(end.value_size, of_values ? 1 : 2);
	struct klamm_consumer *consumer = world_consumer(NULL, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	world_read(consumer, 1, seen);
	ck_assert_str_eq(seen[0].key, of_keys ? "\xe4" : "\xc3\xa4");
	ck_assert_str_eq(seen[0].value, of_values ? "\xe4" : "\xc3\xa4");
	world_close_consumer(consumer);
	world_close(p);
	world_down();
}

START_TEST(opt_serializer_encoding)
{
	check_encoding("serializer.encoding=latin1", true, true);
}
END_TEST

START_TEST(opt_key_serializer_encoding)
{
	check_encoding("key.serializer.encoding=ISO-8859-1", true, false);
}
END_TEST

START_TEST(opt_value_serializer_encoding)
{
	check_encoding("value.serializer.encoding=ISO8859_1", false, true);
}
END_TEST

UNIT_SUITE(place)
{
	Suite *s = suite_create("place");
	unit_add_case(s, "opt_partitioner_class", opt_partitioner_class, caught_up,
		      caught_down, 2);
	unit_add_case(s, "opt_partitioner_ignore_keys", opt_partitioner_ignore_keys, caught_up,
		      caught_down, 2);
	unit_add_fixture(s, keys_land_where_java_puts_them, caught_up, caught_down);
	unit_add_fixture(s, keyless_records_stick_together, caught_up, caught_down);
	unit_add_case(s, "opt_partitioner_adaptive_partitioning_enable",
		      opt_partitioner_adaptive_partitioning_enable, caught_up, caught_down, 2);
	unit_add_loop(s, opt_partitioner_availability_timeout_ms, 2);
	unit_add(s, opt_key_serializer);
	unit_add(s, opt_value_serializer);
	unit_add(s, opt_serializer_encoding);
	unit_add(s, opt_key_serializer_encoding);
	unit_add(s, opt_value_serializer_encoding);
	return s;
}
