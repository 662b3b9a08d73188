/* SPDX-License-Identifier: BSD-2-Clause */
/* acks=0: flushing and closing wait until brokers have read what nobody acknowledges. */
#include <stdio.h>

#include "core/proto/gen/messages.h"
#include "tests/client/world.h"

#define NODES 3

static void set_up(void)
{
	world_start((struct klamm_broker_options){.nodes = NODES, .replicas = 1});
	world_create("t", NODES);
}

static int64_t written(void)
{
	int64_t n = 0;
	for (int32_t i = 0; i < NODES; i++)
		n += world_end_of("t", i);
	return n;
}

static void send_each(struct klamm_producer *producer, struct world_end *ends)
{
	for (int32_t i = 0; i < NODES; i++)
		world_send(producer, "t", i, NULL, "v", &ends[i]);
}

static int64_t produces(void)
{
	return klamm_broker_request_count(world_broker, KL_API_PRODUCE);
}

/* Brokers take their time to read. Some of them are of Kafka 0.9. */
START_TEST(what_was_sent_is_read)
{
	struct world_end ends[NODES] = {{0}};
	if (_i >= 2) {
		klamm_broker_limit_api(world_broker, KL_API_API_VERSIONS, 1, 0, NULL);
		klamm_broker_limit_api(world_broker, KL_API_METADATA, 0, 0, NULL);
		klamm_broker_limit_api(world_broker, KL_API_PRODUCE, 0, 1, NULL);
	}
	struct klamm_producer *producer =
		world_telling(NULL, "acks=0", "linger.ms=0",
			      _i < 2 ? NULL : "klamm.broker.version=0.9", NULL);
	send_each(producer, ends);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(written(), NODES);
	world_fault((struct klamm_broker_fault){
		.api = KL_API_PRODUCE, .count = NODES, .delay_ms = 300});
	send_each(producer, ends);
	if (_i % 2 == 0)
		ck_assert_uint_eq(world_flush(producer), 0);
	else
		world_close(producer);
	ck_assert_int_eq(written(), (int64_t)NODES * 2);
	if (_i % 2 == 0)
		world_close(producer);
}
END_TEST

/* In a loop that the application steps nobody else would wait for the answer. */
START_TEST(a_loop_without_a_thread_waits)
{
	struct klamm_loop *loop;
	struct world_end ends[NODES] = {{0}};
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	struct klamm_producer *producer = world_telling(loop, "acks=0", NULL);
	world_fault((struct klamm_broker_fault){
		.api = KL_API_PRODUCE, .count = NODES, .delay_ms = 100});
	send_each(producer, ends);
	world_close(producer);
	ck_assert_int_eq(written(), NODES);
	klamm_loop_free(loop);
}
END_TEST

/* A broker is asked when something was sent since it answered last, and by acks=0 alone. While
 * the client is starting an answer of another kind can make a question needless.
 */
START_TEST(nobody_is_asked_in_vain)
{
	struct world_end ends[NODES] = {{0}};
	struct klamm_producer *producer =
		world_telling(NULL, _i == 0 ? "acks=0" : "acks=1", NULL);
	int64_t asked = _i == 0;
	send_each(producer, ends);
	ck_assert_uint_eq(world_flush(producer), 0);
	int64_t before = produces();
	ck_assert_int_ge(before, NODES);
	ck_assert_int_le(before, NODES * (1 + asked));
	ck_assert_int_eq(written(), NODES);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(produces(), before);
	world_send(producer, "t", 1, NULL, "v", &ends[1]);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(produces(), before + 1 + asked);
	world_close(producer);
	ck_assert_int_eq(produces(), before + 1 + asked);
}
END_TEST

/* What it did not say cannot be counted on: records have their outcome all the same. */
START_TEST(who_does_not_answer_is_named)
{
	struct klamm_error err;
	struct world_end ends[NODES] = {{0}};
	struct klamm_producer *producer = world_telling(NULL, "acks=0", NULL);
	send_each(producer, ends); /* all connections are there */
	ck_assert_uint_eq(world_flush(producer), 0);
	memset(ends, 0, sizeof(ends));
	world_fault((struct klamm_broker_fault){.api = KL_API_PRODUCE, .topic = "t",
						.partition = 0,
						.action = KLAMM_BROKER_SILENCE});
	send_each(producer, ends);
	ck_assert_int_eq(klamm_producer_flush(producer, 500, NULL, &err), KLAMM_ERR_TIMED_OUT);
	char where[32];
	snprintf(where, sizeof(where), "broker %d (", err.node);
	ck_assert_msg(strstr(err.text, where) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "may not be written"));
	for (int i = 0; i < NODES; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].outcome, KLAMM_OUTCOME_DELIVERED);
	}
	ck_assert_int_eq(written(), NODES * 2 - 1);
	/* It is asked already, and not again. */
	int64_t before = produces();
	ck_assert_int_eq(klamm_producer_close(producer, 50, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(produces(), before);
}
END_TEST

/* Whoever has closed will never say it: nobody waits, nor asks on another connection. */
START_TEST(who_is_gone_is_not_asked)
{
	struct world_end ends[NODES] = {{0}};
	struct klamm_producer *producer = world_telling(NULL, "acks=0", NULL);
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = KL_API_PRODUCE, .topic = "t", .partition = 2,
		.action = KLAMM_BROKER_DROP, .reset = _i == 0});
	int64_t start = world_ms();
	send_each(producer, ends);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_close(producer);
	ck_assert_int_lt(world_ms() - start, PATIENCE / 2);
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), 1);
	ck_assert_int_eq(written(), NODES - 1);
	ck_assert_int_le(produces(), NODES * 2);
}
END_TEST

UNIT_SUITE(unread)
{
	Suite *s = suite_create("unread");
	unit_add_case(s, "what_was_sent_is_read", what_was_sent_is_read, set_up, world_down,
		      4);
	unit_add_fixture(s, a_loop_without_a_thread_waits, set_up, world_down);
	unit_add_case(s, "nobody_is_asked_in_vain", nobody_is_asked_in_vain, set_up,
		      world_down, 2);
	unit_add_fixture(s, who_does_not_answer_is_named, set_up, world_down);
	unit_add_case(s, "who_is_gone_is_not_asked", who_is_gone_is_not_asked, set_up,
		      world_down, 2);
	return s;
}
