/* SPDX-License-Identifier: BSD-2-Clause */
/* A producer whose memory is scarce: senders that wait for each other's batches, and outcomes
 * that nobody asks for. */
#include <klamm/broker.h>
#include <klamm/klamm.h>

#include "core/os/os.h"
#include "core/producer/producer.h"
#include "tests/unit/unit.h"

#define PATIENCE 120000
#define SENDERS 4
#define RECORDS 5000
#define VALUE 1000

static struct klamm_broker *broker;
static struct klamm_producer *producer;
static struct klamm_topic *topic;
static struct klamm_loop *loop; /* NULL: the producer's own */
static atomic_long delivered;

static void up(void)
{
	struct klamm_error err;
	struct klamm_broker_options options = {.size = sizeof(options), .nodes = 1};
	ck_assert_msg(klamm_broker_new(&options, &broker, &err) == 0, "%s", err.text);
	ck_assert_msg(klamm_broker_create_topic(broker, "t", 3, &err) == 0, "%s", err.text);
	atomic_store(&delivered, 0);
	loop = NULL;
}

static void down(void)
{
	klamm_topic_unref(topic);
	ck_assert_int_eq(klamm_producer_close(producer, PATIENCE, NULL), 0);
	klamm_loop_free(loop);
	klamm_broker_free(broker);
}

static void on_delivery(void *arg, const struct klamm_delivery *d)
{
	ck_assert_msg(d->error == 0, "%s", d->text);
	atomic_fetch_add(&delivered, 1);
}

static void start(const char *const *pairs, klamm_delivery_fn fn)
{
	struct klamm_error err;
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers",
					klamm_broker_address(broker), &err),
			 0);
	for (; *pairs != NULL; pairs++)
		ck_assert_msg(klamm_conf_set_pair(conf, *pairs, &err) == 0, "%s", err.text);
	ck_assert_msg(klamm_producer_new(conf, loop, &producer, &err) == 0, "%s", err.text);
	if (fn != NULL)
		klamm_producer_on_delivery(producer, fn, NULL, true, NULL);
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, &err), 0);
	klamm_conf_free(conf);
}

static void send_all(void *arg)
{
	static const char value[VALUE];
	struct klamm_error err;
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){value, sizeof(value)};
	for (int i = 0; i < RECORDS; i++) {
		int rc = klamm_producer_send(producer, topic, &record, NULL, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		/* Outcomes are bounded too: somebody has to ask for them. */
		if (i % 64 == 0)
			klamm_producer_poll(producer, 0, NULL, NULL);
	}
}

/* Each sender alone has many times what fits. */
static const char *const scarce[] = {"buffer.memory=131072", "max.block.ms=120000", NULL};

START_TEST(senders_wait_for_memory)
{
	struct kl_os *os = kl_os_real();
	struct kl_thread *threads[SENDERS];
	start(scarce, on_delivery);
	for (int i = 0; i < SENDERS; i++)
		ck_assert_int_eq(os->thread_start(os, "sender", send_all, NULL, &threads[i]),
				 0);
	for (int i = 0; i < SENDERS; i++)
		os->thread_join(os, threads[i]);
	ck_assert_int_eq(klamm_producer_flush(producer, PATIENCE, NULL, NULL), 0);
	ck_assert_int_eq(atomic_load(&delivered), SENDERS * RECORDS);
	ck_assert_uint_eq(kl_slab_pool_used(producer->slabs), 0);
	ck_assert_uint_le(kl_slab_pool_held(producer->slabs), 131072);
}
END_TEST

START_TEST(a_driven_sender_steps_while_it_waits)
{
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	start(scarce, on_delivery);
	send_all(NULL);
	ck_assert_int_eq(klamm_producer_flush(producer, PATIENCE, NULL, NULL), 0);
	ck_assert_int_eq(atomic_load(&delivered), RECORDS);
}
END_TEST

/* Batches of one record, whose outcomes nobody has asked for yet. */
START_TEST(small_outcomes_take_little)
{
	enum { BATCHES = 60 };
	static const char *const tiny[] = {"buffer.memory=32768", "batch.size=4096",
					   "max.block.ms=20000", "linger.ms=0", NULL};
	static int opaque;
	struct klamm_error err;
	start(tiny, NULL);
	struct klamm_record record = KLAMM_RECORD_INIT;
	for (int i = 0; i < BATCHES; i++) {
		int rc = klamm_producer_send(producer, topic, &record, &opaque, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_int_eq(klamm_producer_flush(producer, PATIENCE, NULL, NULL), 0);
	}
	struct klamm_delivery told[2 * BATCHES];
	size_t count;
	int rc = klamm_producer_deliveries(producer, 0, told, 2 * BATCHES, &count, &err);
	ck_assert_int_eq(rc, 0);
	ck_assert_uint_eq(count, BATCHES);
	for (size_t i = 0; i < count; i++)
		ck_assert_ptr_eq(told[i].opaque, &opaque);
}
END_TEST

/* A record that wants no outcome before and behind one that does. */
START_TEST(some_records_have_outcomes)
{
	static const char *const slow[] = {"linger.ms=60000", NULL};
	static int opaques[2000];
	struct klamm_error err;
	start(slow, NULL);
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.partition = 1;
	for (int i = 0; i < 2000; i++) {
		void *opaque = i >= 500 && i % 3 == 0 ? &opaques[i] : NULL;
		int rc = klamm_producer_send(producer, topic, &record, opaque, &err);
		ck_assert_int_eq(rc, 0);
	}
	ck_assert_int_eq(klamm_producer_flush(producer, PATIENCE, NULL, NULL), 0);
	struct klamm_delivery told[2000];
	size_t count;
	ck_assert_int_eq(klamm_producer_deliveries(producer, 0, told, 2000, &count, &err), 0);
	ck_assert_uint_eq(count, 500);
	for (size_t i = 0; i < count; i++) {
		int64_t n = (int *)told[i].opaque - opaques;
		ck_assert_int_eq(n, 501 + 3 * (int64_t)i);
		ck_assert_int_eq(told[i].offset, n);
	}
}
END_TEST

UNIT_SUITE(pressure)
{
	Suite *s = suite_create("pressure");
	unit_add_fixture(s, senders_wait_for_memory, up, down);
	unit_add_fixture(s, a_driven_sender_steps_while_it_waits, up, down);
	unit_add_fixture(s, small_outcomes_take_little, up, down);
	unit_add_fixture(s, some_records_have_outcomes, up, down);
	return s;
}
