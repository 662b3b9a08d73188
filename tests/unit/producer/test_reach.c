/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm_producer_reach(): whether brokers are within reach, and if not, why. */
#include <stdio.h>

#include "tests/client/script.h"
#include "tests/client/world.h"

#define METADATA 3

static struct klamm_loop *loop;
static struct klamm_error err;

static void down(void)
{
	klamm_loop_free(loop);
	world_down();
}

/* With a thread of the loop's own, and without. */
START_TEST(each_call_asks_anew)
{
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	struct klamm_producer *producer = world_producer(loop, NULL, NULL);
	for (int round = 1; round <= 3; round++) {
		int rc = klamm_producer_reach(producer, PATIENCE, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_int_ge(klamm_broker_request_count(world_broker, METADATA), round);
	}
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 1, false, &err), 0);
	ck_assert_int_eq(klamm_producer_reach(producer, 300, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "reaching the cluster: timed out; "));
	ck_assert_int_eq(klamm_broker_node_start(world_broker, 1, &err), 0);
	int rc = klamm_producer_reach(producer, KLAMM_TIMEOUT_DEFAULT, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	world_close(producer);
}
END_TEST

START_TEST(it_says_why_nobody_answers)
{
	char address[32];
	snprintf(address, sizeof(address), "127.0.0.1:%d", script_dead_port());
	world_servers = address;
	struct klamm_producer *producer = world_producer(NULL, "max.block.ms=500", NULL);
	int64_t begun = world_ms();
	ck_assert_int_eq(klamm_producer_reach(producer, KLAMM_TIMEOUT_DEFAULT, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(world_ms() - begun, 499);
	ck_assert_ptr_nonnull(strstr(err.text, address));
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TCP);
	world_close(producer);
}
END_TEST

/* A broker that speaks Kafka's protocol, but lets in only those who say who they are. */
START_TEST(a_refusal_is_told_at_once)
{
	world_start((struct klamm_broker_options){.sasl = "PLAIN"});
	struct klamm_producer *producer = world_producer(
		NULL, "security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN",
		"sasl.username=mallory", "sasl.password=guess", NULL);
	ck_assert_int_eq(klamm_producer_reach(producer, PATIENCE, &err),
			 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_SASL);
	world_drop(producer);
}
END_TEST

static void try_to_reach(void *arg, const struct klamm_delivery *delivery)
{
	ck_assert_int_eq(delivery->error, 0);
	ck_assert_int_eq(klamm_producer_reach(arg, 0, NULL), KLAMM_ERR_WOULD_BLOCK);
}

START_TEST(not_in_a_callback)
{
	world_create("t", 1);
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_producer_on_delivery(producer, try_to_reach, producer, true,
						    NULL), 0);
	world_send(producer, "t", 0, "k", "v", NULL);
	world_close(producer);
}
END_TEST

UNIT_SUITE(reach)
{
	Suite *s = suite_create("reach");
	unit_add_case(s, "each_call_asks_anew", each_call_asks_anew, world_up, down, 2);
	unit_add(s, it_says_why_nobody_answers);
	unit_add_fixture(s, a_refusal_is_told_at_once, NULL, world_down);
	unit_add_fixture(s, not_in_a_callback, world_up, world_down);
	return s;
}
