/* SPDX-License-Identifier: BSD-2-Clause */
/* What applications see when a broker does not let their client in any more: a password that
 * changes in the middle of their lives, and changes back. */
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "tests/broker/peer.h"

/* Far beyond what it takes; a machine may be slow. */
#define SOON_MS 30000

static struct klamm_conf *conf;
static struct klamm_error err;

static void set_password(const char *password)
{
	ck_assert_int_eq(klamm_broker_credential(peer_broker, "alice", "password", password,
						 &err), 0);
	/* Who is in would stay in. */
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 1, true, &err), 0);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, 1, &err), 0);
}

static void up(void)
{
	static const char *const pairs[] = {
		"security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
		"sasl.username=alice",		    "sasl.password=hunter2",
		"auto.offset.reset=earliest",	    "reconnect.backoff.ms=10",
		"reconnect.backoff.max.ms=50",	    "retry.backoff.ms=10",
		"delivery.timeout.ms=120000",	    "max.block.ms=120000",
	};
	if (peer_is_foreign())
		return;
	peer_start_with((struct klamm_broker_options){.sasl = "PLAIN"});
	set_password("hunter2");
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 1, &err), 0);
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ck_assert_int_eq(klamm_conf_set_pair(conf, pairs[i], &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers", peer_address(), &err), 0);
}

static void down(void)
{
	klamm_conf_free(conf);
	peer_stop();
}

static int32_t send_one(struct klamm_producer *producer)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"x", 1};
	struct klamm_topic *topic;
	struct klamm_future *future;
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, &err), 0);
	int rc = klamm_producer_send_future(producer, topic, &record, &future, &err);
	klamm_topic_unref(topic);
	if (rc != 0)
		return rc;
	struct klamm_delivery delivery = {.size = sizeof(delivery)};
	rc = klamm_future_get(future, SOON_MS, &delivery, &err);
	klamm_future_free(future);
	return rc;
}

static void is_refused(int code)
{
	ck_assert_msg(code == KLAMM_ERR_SASL_AUTHENTICATION_FAILED, "%d: %s", code, err.text);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_SASL);
	ck_assert_msg(strstr(err.text, "SASL PLAIN: the broker says: Authentication failed: "
				       "Invalid username or password") != NULL,
		      "%s", err.text);
}

/* Records end with the refusal, long before their time is over, and later ones have a try of
 * their own. */
START_TEST(records_end_with_it)
{
	struct klamm_producer *producer;
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	ck_assert_int_eq(send_one(producer), 0);
	set_password("other");
	is_refused(send_one(producer));
	is_refused(send_one(producer));
	set_password("hunter2");
	int rc;
	do /* one attempt may have begun before */
		rc = send_one(producer);
	while (rc == KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_int_eq(klamm_producer_close(producer, SOON_MS, &err), 0);
}
END_TEST

START_TEST(a_first_send_ends_with_it)
{
	struct klamm_producer *producer;
	set_password("other");
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	is_refused(send_one(producer));
	is_refused(send_one(producer));
	ck_assert_int_eq(klamm_producer_close(producer, SOON_MS, &err), 0);
}
END_TEST

/* The next record, or the next error. */
static int poll_one(struct klamm_consumer *consumer, int64_t timeout_ms, bool *got_out)
{
	struct klamm_batch *batch;
	int rc = klamm_consumer_poll(consumer, timeout_ms, &batch, &err);
	*got_out = batch != NULL;
	klamm_batch_unref(batch);
	return rc;
}

/* A consumer hears of it once, goes on trying, and goes on where it was. */
START_TEST(a_consumer_is_told_once)
{
	struct klamm_producer *producer;
	struct klamm_consumer *consumer;
	struct klamm_topic_partition part = {"t", 0};
	int32_t count;
	bool got;
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	ck_assert_int_eq(send_one(producer), 0);
	ck_assert_int_eq(klamm_producer_close(producer, SOON_MS, &err), 0);
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err), 0);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &part, 1, &err), 0);
	ck_assert_int_eq(poll_one(consumer, SOON_MS, &got), 0);
	ck_assert(got);
	set_password("other");
	is_refused(poll_one(consumer, SOON_MS, &got));
	ck_assert_int_eq(poll_one(consumer, 500, &got), 0); /* some attempts later */
	ck_assert(!got);
	/* Who asks is told every time. */
	is_refused(klamm_consumer_partitions_for(consumer, "t", SOON_MS, &count, &err));
	struct klamm_offset_query query = {
		.size = sizeof(query), .topic = "t", .timestamp_ms = KLAMM_OFFSET_END};
	is_refused(klamm_consumer_offsets(consumer, &query, 1, SOON_MS, &err));
	set_password("hunter2");
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	ck_assert_int_eq(send_one(producer), 0);
	ck_assert_int_eq(klamm_producer_close(producer, SOON_MS, &err), 0);
	ck_assert_int_eq(poll_one(consumer, SOON_MS, &got), 0);
	ck_assert(got);
	ck_assert_int_eq(klamm_consumer_close(consumer, SOON_MS, &err), 0);
}
END_TEST

UNIT_SUITE(refusal)
{
	Suite *s = suite_create("refusal");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, records_end_with_it, up, down);
	unit_add_fixture(s, a_first_send_ends_with_it, up, down);
	unit_add_fixture(s, a_consumer_is_told_once, up, down);
	return s;
}
