/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors that pass, errors that do not, lost answers, moved leaders: what is tried again, for
 * how long, and what the record's outcome says. */
#include "core/producer/producer.h"
#include "tests/client/script.h"
#include "tests/client/world.h"

#define PRODUCE 0
#define METADATA 3

static struct klamm_producer *producer;

static void up_one(void)
{
	world_up();
	world_create("t", 1);
}

static void up_three(void)
{
	world_start((struct klamm_broker_options){.nodes = 3});
	world_create("t", 3);
}

static void end(void)
{
	world_drop(producer);
	world_down();
}

/* Retriable by Kafka's own word on them. */
static const int passing[] = {
	KLAMM_ERR_CORRUPT_MESSAGE,
	KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
	KLAMM_ERR_LEADER_NOT_AVAILABLE,
	KLAMM_ERR_NOT_LEADER_OR_FOLLOWER,
	KLAMM_ERR_REQUEST_TIMED_OUT,
	KLAMM_ERR_REPLICA_NOT_AVAILABLE,
	KLAMM_ERR_NETWORK_EXCEPTION,
	KLAMM_ERR_NOT_ENOUGH_REPLICAS,
	KLAMM_ERR_NOT_ENOUGH_REPLICAS_AFTER_APPEND,
	KLAMM_ERR_KAFKA_STORAGE_ERROR,
	KLAMM_ERR_FENCED_LEADER_EPOCH,
	KLAMM_ERR_UNKNOWN_LEADER_EPOCH,
	KLAMM_ERR_UNKNOWN_TOPIC_ID,
	KLAMM_ERR_THROTTLING_QUOTA_EXCEEDED,
};

START_TEST(errors_that_pass_are_tried_again)
{
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .topic = "t", .partition = 0, .count = 2,
		.action = KLAMM_BROKER_ERROR, .error = passing[_i]});
	struct world_end ends[3] = {0};
	producer = world_telling(NULL, NULL, NULL);
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", 0, "k", "v", &ends[i]);
	uint64_t failed = world_flush(producer);
	ck_assert_msg(failed == 0, "%s: %s", klamm_err_name(passing[_i]), ends[0].text);
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), 2);
	for (size_t i = 0; i < kl_countof(ends); i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].offset, (int)i);
	}
	ck_assert_int_eq(world_end_of("t", 0), 3);
}
END_TEST

/* And one that leaves it open whether the batch was kept. */
static const struct {
	int code, outcome;
} lasting[] = {
	{KLAMM_ERR_INVALID_RECORD, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_MESSAGE_TOO_LARGE, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_POLICY_VIOLATION, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_UNKNOWN_SERVER_ERROR, KLAMM_OUTCOME_POSSIBLY_WRITTEN},
};

START_TEST(errors_that_last_are_told)
{
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .topic = "t", .partition = 0, .count = -1,
		.action = KLAMM_BROKER_ERROR, .error = lasting[_i].code});
	struct world_end bad = {0}, good = {0};
	producer = world_telling(NULL, NULL, NULL);
	world_send(producer, "t", 0, "k", "v", &bad);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), 1);
	ck_assert_int_eq(bad.error, lasting[_i].code);
	ck_assert_int_eq(bad.outcome, lasting[_i].outcome);
	ck_assert_int_eq(bad.retriable, 0);
	ck_assert_int_eq(bad.offset, -1);
	ck_assert_ptr_nonnull(strstr(bad.text, "topic t partition 0: "));
	ck_assert_ptr_nonnull(strstr(bad.text, klamm_err_name(lasting[_i].code)));
	/* The next one is not held up by it. */
	klamm_broker_fault_remove(world_broker, fault);
	world_send(producer, "t", 0, "k", "v", &good);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(good.error, 0);
}
END_TEST

START_TEST(opt_retries)
{
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .topic = "t", .partition = 0, .count = 2,
		.action = KLAMM_BROKER_ERROR, .error = KLAMM_ERR_NOT_ENOUGH_REPLICAS});
	static const char *const retries[] = {"retries=0", "retries=1", "retries=2"};
	struct world_end ended = {0};
	producer = world_telling(NULL, retries[_i], NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), _i == 2 ? 0 : 1);
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), kl_min(_i + 1, 2));
	ck_assert_int_eq(ended.error, _i == 2 ? 0 : KLAMM_ERR_NOT_ENOUGH_REPLICAS);
	ck_assert_int_eq(ended.retriable, _i != 2);
	ck_assert_int_eq(world_end_of("t", 0), _i == 2 ? 1 : 0);
}
END_TEST

/* The connection goes before the answer comes: whether the batch was kept nobody knows. */
START_TEST(a_lost_answer_leaves_doubt)
{
	struct world_end ended = {0};
	world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .topic = "t", .partition = 0,
		.action = _i < 2 ? KLAMM_BROKER_DROP_AFTER : KLAMM_BROKER_DROP,
		.reset = _i % 2 == 1});
	producer = world_telling(NULL, "retries=0", NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_eq(ended.outcome, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	ck_assert_int_eq(ended.error, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(ended.retriable, 1);
	ck_assert_int_eq(world_end_of("t", 0), _i < 2 ? 1 : 0);
}
END_TEST

/* The second try is no second copy; without idempotence it may be, and order holds all the
 * same. */
START_TEST(opt_enable_idempotence)
{
	static const char *const pairs[] = {NULL, "enable.idempotence=false", "retries=9"};
	struct world_end ends[20] = {0};
	world_fault((struct klamm_broker_fault){.api = PRODUCE, .topic = "t", .skip = 2,
						.action = KLAMM_BROKER_DROP_AFTER});
	producer = world_telling(NULL, "linger.ms=0", pairs[_i], NULL);
	for (size_t i = 0; i < kl_countof(ends); i++) {
		world_send(producer, "t", 0, "k", "v", &ends[i]);
		if (i < 5) /* several requests */
			ck_assert_uint_eq(world_flush(producer), 0);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	for (size_t i = 1; i < kl_countof(ends); i++)
		ck_assert_int_gt(ends[i].offset, ends[i - 1].offset);
	ck_assert_int_eq(world_end_of("t", 0), _i == 1 ? 21 : 20);
}
END_TEST

START_TEST(opt_request_timeout_ms)
{
	struct world_end ended = {0};
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .action = KLAMM_BROKER_SILENCE});
	producer = world_telling(NULL, "request.timeout.ms=1000", "linger.ms=0",
				 _i == 0 ? "retries=0" : "retries=50", NULL);
	int64_t begun = world_ms();
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), _i == 0 ? 1 : 0);
	ck_assert_int_ge(world_ms() - begun, 1000);
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), 1);
	if (_i == 0) {
		ck_assert_int_eq(ended.error, KLAMM_ERR_TIMED_OUT);
		ck_assert_int_eq(ended.outcome, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
		ck_assert_ptr_nonnull(strstr(ended.text, "request.timeout.ms"));
		ck_assert_ptr_nonnull(strstr(ended.text, "broker 1 (127.0.0.1:"));
	} else {
		ck_assert_int_eq(ended.error, 0);
	}
}
END_TEST

/* KIP-91: whatever is tried meanwhile, and wherever the record is. */
START_TEST(opt_delivery_timeout_ms)
{
	struct world_end ended = {0};
	producer = world_telling(NULL, "delivery.timeout.ms=300", "request.timeout.ms=250",
				 "linger.ms=0", NULL);
	do /* all that it needs for sending is there; a busy machine may need some tries */
		world_send(producer, "t", 0, "k", "v", NULL);
	while (world_flush(producer) > 0);
	if (_i == 0) /* refused again and again */
		world_fault((struct klamm_broker_fault){
			.api = PRODUCE, .topic = "t", .partition = 0, .count = -1,
			.action = KLAMM_BROKER_ERROR,
			.error = KLAMM_ERR_NOT_ENOUGH_REPLICAS});
	else if (_i == 1) /* sent and not answered */
		world_fault((struct klamm_broker_fault){
			.api = PRODUCE, .count = -1, .action = KLAMM_BROKER_SILENCE});
	if (_i == 2) { /* nowhere to send it to */
		klamm_broker_stop(world_broker);
		world_look(producer->loop);
	}
	int64_t begun = world_ms();
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_ge(world_ms() - begun, 290); /* the loop's clock may be a little old */
	/* An attempt that is under way when the time is over leaves doubt, */
	bool doubt = ended.outcome == KLAMM_OUTCOME_POSSIBLY_WRITTEN;
	/* and may end by its own time a moment before. */
	ck_assert(ended.error == KLAMM_ERR_EXPIRED ||
		  (doubt && ended.error == KLAMM_ERR_TIMED_OUT));
	ck_assert(_i == 0 || doubt == (_i == 1));
	ck_assert(doubt || ended.outcome == KLAMM_OUTCOME_NOT_WRITTEN);
	if (_i == 0 && !doubt)
		ck_assert_ptr_nonnull(strstr(ended.text, "last: NOT_ENOUGH_REPLICAS"));
}
END_TEST

/* Long enough for what passes meanwhile. */
START_TEST(within_delivery_timeout_it_succeeds)
{
	struct world_end ended = {0};
	world_fault((struct klamm_broker_fault){
		.api = PRODUCE, .topic = "t", .partition = 0, .count = 20,
		.action = KLAMM_BROKER_ERROR, .error = KLAMM_ERR_NOT_ENOUGH_REPLICAS});
	producer = world_telling(NULL, "delivery.timeout.ms=120000", NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(ended.error, 0);
}
END_TEST

START_TEST(a_leader_that_moves_is_followed)
{
	enum { N = 300 };
	static struct world_end ends[N];
	producer = world_telling(NULL, "linger.ms=0", NULL);
	for (int i = 0; i < N; i++) {
		world_send(producer, "t", 0, "k", "v", &ends[i]);
		if (i % 50 == 25) {
			struct klamm_error err;
			ck_assert_msg(klamm_broker_move_leader(world_broker, "t", 0,
							       i / 50 % 3 + 1, &err) == 0,
				      "%s", err.text);
		}
		if (i % 10 == 0)
			klamm_producer_poll(producer, 1, NULL, NULL);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < N; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, 0);
		ck_assert_int_eq(ends[i].offset, i);
	}
}
END_TEST

START_TEST(a_broker_that_stops_and_comes_back)
{
	enum { N = 60 };
	static struct world_end ends[N];
	struct klamm_error err;
	producer = world_telling(NULL, "linger.ms=0", NULL);
	for (int i = 0; i < N; i++) {
		world_send(producer, "t", 0, "k", "v", &ends[i]);
		if (i == 20)
			klamm_broker_stop(world_broker);
		if (i % 5 == 0)
			klamm_producer_poll(producer, 2, NULL, NULL);
	}
	uint64_t left;
	klamm_producer_queue(producer, &left, NULL);
	ck_assert_uint_ge(left, 30);
	ck_assert_int_eq(klamm_producer_flush(producer, 50, NULL, &err), KLAMM_ERR_TIMED_OUT);
	for (int node = 1; node <= 3; node++)
		ck_assert_int_eq(klamm_broker_node_start(world_broker, node, &err), 0);
	ck_assert_uint_eq(world_flush(producer), 0);
	klamm_producer_queue(producer, &left, NULL);
	ck_assert_uint_eq(left, 0);
	for (int i = 1; i < N; i++)
		ck_assert_int_gt(ends[i].offset, ends[i - 1].offset);
}
END_TEST

/* A topic that comes into being while its first record waits. */
START_TEST(metadata_that_is_late_is_waited_for)
{
	world_fault((struct klamm_broker_fault){
		.api = METADATA, .topic = "t", .partition = -1, .count = 3,
		.action = KLAMM_BROKER_ERROR, .error = KLAMM_ERR_LEADER_NOT_AVAILABLE});
	struct world_end ended = {0};
	producer = world_telling(NULL, NULL, NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(ended.error, 0);
}
END_TEST

START_TEST(a_topic_that_may_not_be_used_is_told_at_once)
{
	world_fault((struct klamm_broker_fault){
		.api = METADATA, .topic = "t", .partition = -1, .count = -1,
		.action = KLAMM_BROKER_ERROR, .error = KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED});
	struct klamm_record record = world_record("k", "v");
	struct klamm_error err;
	producer = world_telling(NULL, "max.block.ms=120000", NULL);
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t: TOPIC_AUTHORIZATION_FAILED"));
}
END_TEST

/* --- a leader that is none any more --- */

/* What a leader answers: it never had the batch, or it has appended it and lost its office
 * while replicas fetched it. Then it tells where the batch lies. */
static const struct {
	int code;
	int64_t base_offset;
	int outcome;
} leaving[] = {
	{KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, -1, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, 0, KLAMM_OUTCOME_POSSIBLY_WRITTEN},
	{KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, -1, KLAMM_OUTCOME_NOT_WRITTEN},
	{KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, 7, KLAMM_OUTCOME_POSSIBLY_WRITTEN},
};
static int leaving_at;

static bool leave(const struct script_request *request)
{
	if (request->header.api != KL_API_PRODUCE)
		return false;
	struct kl_produce_response *body = script_produce(request);
	struct kl_produce_response_partition *told =
		&body->responses[0].partition_responses[0];
	told->error_code = (int16_t)leaving[leaving_at].code;
	told->base_offset = leaving[leaving_at].base_offset;
	script_answer(request, body);
	return true;
}

static void count_unsent(void *arg, const char *topic, const struct klamm_record *record,
			 void *opaque)
{
	(void)topic, (void)record, (void)opaque;
	++*(int *)arg;
}

/* A new leader may have it or not. So it is no record that surely was not written, and a host
 * that drains the producer does not get it back to send it once more. */
START_TEST(a_leader_may_leave_after_it_wrote)
{
	static struct script script = {.handle = leave};
	struct world_end ended = {0};
	struct klamm_error err;
	int back = 0;
	leaving_at = _i;
	script_start(&script);
	world_servers = script.address;
	producer = world_telling(NULL, "retries=0", "linger.ms=0", NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_eq(ended.error, leaving[_i].code);
	ck_assert_int_eq(ended.outcome, leaving[_i].outcome);
	world_drop(producer);
	producer = world_telling(NULL, "retry.backoff.ms=60000", "retry.backoff.max.ms=60000",
				 "linger.ms=0", NULL);
	world_send(producer, "t", 0, "k", "v", &ended);
	while (atomic_load(&script.requests[PRODUCE]) < 2)
		ck_assert_int_eq(klamm_producer_poll(producer, 1, NULL, NULL), 0);
	ck_assert_int_eq(klamm_producer_poll(producer, 50, NULL, NULL), 0);
	bool comes_back = leaving[_i].outcome == KLAMM_OUTCOME_NOT_WRITTEN;
	int64_t deadline = world_ms() + PATIENCE;
	do /* its answer may be on its way still */
		ck_assert_int_eq(klamm_producer_drain(producer, count_unsent, &back, NULL,
						      &err),
				 0);
	while (comes_back && back == 0 && world_ms() < deadline);
	ck_assert_int_eq(back, comes_back);
	world_drop(producer);
	script_stop(&script);
}
END_TEST

UNIT_SUITE(retry)
{
	Suite *s = suite_create("retry");
	unit_add_case(s, "errors_that_pass_are_tried_again", errors_that_pass_are_tried_again,
		      up_one, end, kl_countof(passing));
	unit_add_case(s, "errors_that_last_are_told", errors_that_last_are_told, up_one, end,
		      kl_countof(lasting));
	unit_add_case(s, "opt_retries", opt_retries, up_one, end, 3);
	unit_add_case(s, "a_lost_answer_leaves_doubt", a_lost_answer_leaves_doubt, up_one, end,
		      4);
	unit_add_case(s, "opt_enable_idempotence", opt_enable_idempotence, up_one, end, 3);
	unit_add_case(s, "opt_request_timeout_ms", opt_request_timeout_ms, up_one, end, 2);
	unit_add_case(s, "opt_delivery_timeout_ms", opt_delivery_timeout_ms, up_one, end, 3);
	unit_add_fixture(s, within_delivery_timeout_it_succeeds, up_one, end);
	unit_add_fixture(s, a_leader_that_moves_is_followed, up_three, end);
	unit_add_fixture(s, a_broker_that_stops_and_comes_back, up_three, end);
	unit_add_fixture(s, metadata_that_is_late_is_waited_for, up_one, end);
	unit_add_fixture(s, a_topic_that_may_not_be_used_is_told_at_once, up_one, end);
	unit_add_loop(s, a_leader_may_leave_after_it_wrote, kl_countof(leaving));
	return s;
}
