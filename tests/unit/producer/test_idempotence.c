/* SPDX-License-Identifier: BSD-2-Clause */
/* Producer ids, epochs and sequences on the wire: what each batch is stamped with, and what
 * the broker's errors do to it (KIP-98, KIP-185, KIP-360). */
#include <unistd.h>

#include "core/producer/producer.h"
#include "core/record/batch_read.h"
#include "tests/unit/producer/caught.h"

#define NO_ANSWER INT16_MAX /* the connection goes instead */
#define ATTEMPTS 64

static struct klamm_producer *producer;
static struct script script;

/* What the peer does to the n-th batch it gets, and what it saw of it. */
static struct {
	int16_t errors[ATTEMPTS];
	int64_t log_start; /* that goes with an error */
	int16_t init_error;
	struct kl_batch_head heads[ATTEMPTS];
	_Atomic int batches, inits;
} peer;

static atomic_bool hold, held;

static void hold_here(struct kl_task *task)
{
	for (atomic_store(&held, true); atomic_load(&hold);)
		usleep(100);
}

static void hold_loop(struct klamm_loop *loop)
{
	static struct kl_task task = {.fn = hold_here};
	atomic_store(&held, false);
	atomic_store(&hold, true);
	for (kl_loop_post(loop, &task); !atomic_load(&held);)
		usleep(100);
}

static void answer_produce(const struct script_request *request)
{
	const struct kl_produce_request *asked = request->body;
	struct kl_produce_response *body = script_produce(request);
	for (int32_t t = 0; t < body->responses_n; t++) {
		for (int32_t i = 0; i < body->responses[t].partition_responses_n; i++) {
			const struct kl_bytes *records =
				&asked->topic_data[t].partition_data[i].records;
			int n = peer.batches;
			ck_assert_int_lt(n, ATTEMPTS);
			ck_assert_int_eq(kl_batch_peek(records->p, (size_t)records->len,
						       &peer.heads[n]),
					 KL_BATCH_WHOLE);
			struct kl_produce_response_partition *told =
				&body->responses[t].partition_responses[i];
			told->error_code = peer.errors[n];
			told->log_start_offset = peer.log_start;
			if (told->error_code != 0)
				told->base_offset = -1;
			atomic_store(&peer.batches, n + 1);
			if (peer.errors[n] == NO_ANSWER) {
				script_hang_up(request);
				return;
			}
		}
	}
	script_answer(request, body);
}

static bool handle(const struct script_request *request)
{
	if (request->header.api == KL_API_PRODUCE) {
		answer_produce(request);
		return true;
	}
	if (request->header.api != KL_API_INIT_PRODUCER_ID)
		return false;
	struct kl_init_producer_id_response *body = SCRIPT_BODY(init_producer_id, request);
	const struct kl_init_producer_id_request *asked = request->body;
	ck_assert_int_eq(asked->transactional_id.len, -1);
	body->error_code = peer.inits++ == 0 ? peer.init_error : 0;
	body->producer_id = SCRIPT_PRODUCER_ID + peer.inits;
	body->producer_epoch = 0;
	script_answer(request, body);
	return true;
}

static void up(void)
{
	script = (struct script){.handle = handle, .partitions = 1};
	script_start(&script);
	world_servers = script.address;
}

static void down(void)
{
	world_drop(producer);
	script_stop(&script);
}

static void check_stamp(int batch, int epoch, int sequence)
{
	ck_assert_int_lt(batch, peer.batches);
	const struct kl_batch_head *head = &peer.heads[batch];
	ck_assert_msg(head->producer_id == SCRIPT_PRODUCER_ID + 1 &&
			      head->producer_epoch == epoch && head->base_sequence == sequence,
		      "batch %d: id %lld epoch %d sequence %d", batch,
		      (long long)head->producer_id, head->producer_epoch,
		      head->base_sequence);
}

static void send_one(struct world_end *end)
{
	world_send(producer, "t", 0, NULL, "v", end);
	world_wait(producer, end);
}

/* --- one batch at a time --- */

START_TEST(sequences_count_records)
{
	struct world_end ends[4] = {0};
	producer = world_telling(NULL, "linger.ms=0", NULL);
	for (int i = 0; i < 4; i++)
		send_one(&ends[i]);
	ck_assert_int_eq(peer.inits, 1);
	for (int i = 0; i < 4; i++) {
		ck_assert_int_eq(ends[i].error, 0);
		check_stamp(i, 0, i);
	}
}
END_TEST

START_TEST(without_idempotence_there_are_none)
{
	struct world_end end = {0};
	producer = world_telling(NULL, "acks=1", NULL); /* KIP-679: it gives way */
	send_one(&end);
	ck_assert_int_eq(end.error, 0);
	ck_assert_int_eq(peer.inits, 0);
	ck_assert_int_eq(peer.heads[0].producer_id, -1);
	ck_assert_int_eq(peer.heads[0].producer_epoch, -1);
	ck_assert_int_eq(peer.heads[0].base_sequence, -1);
}
END_TEST

/* What one record's first attempt is answered with, and what comes of it. */
static const struct {
	int16_t error;
	int64_t log_start;
	int attempts, error_told, outcome;
	int last_epoch, last_sequence; /* of the last attempt */
	int next_epoch, next_sequence; /* of another record after it */
} answers[] = {
	/* The same stamp again, */
	{KLAMM_ERR_NOT_ENOUGH_REPLICAS, -1, 2, 0, KLAMM_OUTCOME_DELIVERED, 0, 1, 0, 2},
	{NO_ANSWER, -1, 2, 0, KLAMM_OUTCOME_DELIVERED, 0, 1, 0, 2},
	/* or it is there already; */
	{KLAMM_ERR_DUPLICATE_SEQUENCE_NUMBER, -1, 1, 0, KLAMM_OUTCOME_DELIVERED, 0, 1, 0, 2},
	/* a gap that is none of ours: start over; */
	{KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, -1, 2, 0, KLAMM_OUTCOME_DELIVERED, 1, 0, 1,
	 1},
	/* the broker cannot tell yet, or has deleted all it knew us by; */
	{KLAMM_ERR_UNKNOWN_PRODUCER_ID, -1, 2, 0, KLAMM_OUTCOME_DELIVERED, 0, 1, 0, 2},
	{KLAMM_ERR_UNKNOWN_PRODUCER_ID, 100, 2, 0, KLAMM_OUTCOME_DELIVERED, 1, 0, 1, 1},
	{KLAMM_ERR_UNKNOWN_PRODUCER_ID, 0, 2, 0, KLAMM_OUTCOME_DELIVERED, 1, 0, 1, 1},
	/* it fails: its sequence must not be used by another. */
	{KLAMM_ERR_MESSAGE_TOO_LARGE, -1, 1, KLAMM_ERR_MESSAGE_TOO_LARGE,
	 KLAMM_OUTCOME_NOT_WRITTEN, 0, 1, 1, 0},
	{KLAMM_ERR_INVALID_PRODUCER_EPOCH, -1, 1, KLAMM_ERR_INVALID_PRODUCER_EPOCH,
	 KLAMM_OUTCOME_NOT_WRITTEN, 0, 1, 1, 0},
	{KLAMM_ERR_UNKNOWN_SERVER_ERROR, -1, 1, KLAMM_ERR_UNKNOWN_SERVER_ERROR,
	 KLAMM_OUTCOME_POSSIBLY_WRITTEN, 0, 1, 1, 0},
};

START_TEST(each_answer_has_its_consequence)
{
	struct world_end before = {0}, end = {0}, after = {0};
	peer.errors[1] = answers[_i].error;
	peer.log_start = answers[_i].log_start;
	producer = world_telling(NULL, "linger.ms=0", NULL);
	send_one(&before);
	send_one(&end);
	ck_assert_int_eq(peer.batches, 1 + answers[_i].attempts);
	ck_assert_int_eq(end.error, answers[_i].error_told);
	ck_assert_int_eq(end.outcome, answers[_i].outcome);
	check_stamp(1, 0, 1);
	check_stamp(answers[_i].attempts, answers[_i].last_epoch, answers[_i].last_sequence);
	send_one(&after);
	ck_assert_int_eq(after.error, 0);
	check_stamp(answers[_i].attempts + 1, answers[_i].next_epoch,
		    answers[_i].next_sequence);
}
END_TEST

/* Its answer was lost, and then the broker has forgotten: another sequence could make two of
 * it. */
START_TEST(doubt_is_not_written_again)
{
	struct world_end end = {0}, after = {0};
	peer.errors[0] = NO_ANSWER;
	peer.errors[1] = KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	producer = world_telling(NULL, "linger.ms=0", NULL);
	send_one(&end);
	ck_assert_int_eq(peer.batches, 2);
	ck_assert_int_eq(end.error, KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER);
	ck_assert_int_eq(end.outcome, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	ck_assert_ptr_nonnull(strstr(end.text, "topic t partition 0: "));
	ck_assert_ptr_nonnull(strstr(end.text, "it may have been written"));
	send_one(&after);
	ck_assert_int_eq(after.error, 0);
	check_stamp(2, 1, 0);
}
END_TEST

/* --- several in flight --- */

/* With batch.size=0 each of these is a batch. */
static void send_batch(struct world_end *end)
{
	static const char large[] = "12345678901234567890123456789012345678901234567890"
				    "12345678901234567890123456789012345678901234567890";
	world_send(producer, "t", 0, NULL, large, end);
}

static void know_topic(void)
{
	int32_t count;
	ck_assert_int_eq(klamm_producer_partitions_for(producer, "t", &count, NULL), 0);
}

/* Of five in flight the first fails for now, and the broker refuses what follows it. */
START_TEST(order_is_kept_over_retries)
{
	static struct world_end ends[8];
	for (int i = 1; i < 6; i++)
		peer.errors[i] = i == 1 ? KLAMM_ERR_NOT_ENOUGH_REPLICAS
					: KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	producer = world_telling(NULL, "linger.ms=0", "batch.size=0", NULL);
	know_topic();
	hold_loop(producer->loop); /* so that all are there when it begins */
	for (int i = 0; i < 8; i++) /* the first goes alone, and the rest with its answer */
		send_batch(&ends[i]);
	atomic_store(&hold, false);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 8; i++) {
		ck_assert_int_eq(ends[i].error, 0);
		if (i > 0)
			ck_assert_int_gt(ends[i].offset, ends[i - 1].offset);
	}
	for (int i = 0; i < peer.batches; i++) { /* nobody started over */
		ck_assert_int_eq(peer.heads[i].producer_epoch, 0);
		ck_assert_int_eq(peer.heads[i].record_count, 1);
	}
	int expected = 0; /* what was taken came in order */
	for (int i = 0; i < peer.batches; i++)
		if (peer.errors[i] == 0)
			ck_assert_int_eq(peer.heads[i].base_sequence, expected++);
	ck_assert_int_eq(expected, 8);
}
END_TEST

/* The first of three cannot be written at all. */
START_TEST(a_gap_is_closed)
{
	struct world_end ends[3] = {0}, before = {0};
	peer.errors[1] = KLAMM_ERR_INVALID_RECORD;
	peer.errors[2] = peer.errors[3] = KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER;
	producer = world_telling(NULL, "linger.ms=0", "batch.size=0", NULL);
	know_topic();
	hold_loop(producer->loop);
	send_batch(&before); /* alone, and the rest with its answer */
	for (int i = 0; i < 3; i++)
		send_batch(&ends[i]);
	atomic_store(&hold, false);
	ck_assert_uint_eq(world_flush(producer), 1);
	ck_assert_int_eq(ends[0].error, KLAMM_ERR_INVALID_RECORD);
	ck_assert_int_eq(ends[1].error, 0);
	ck_assert_int_eq(ends[2].error, 0);
	ck_assert_int_lt(ends[1].offset, ends[2].offset);
	check_stamp(peer.batches - 2, 1, 0);
	check_stamp(peer.batches - 1, 1, 1);
}
END_TEST

START_TEST(five_of_a_partition_are_in_flight)
{
	producer = world_producer(NULL, "linger.ms=0", "batch.size=0",
				  _i == 0 ? "max.in.flight.requests.per.connection=5"
					  : "max.in.flight.requests.per.connection=2",
				  NULL);
	know_topic();
	/* A leader that never had a batch of this producer would take the second first. */
	caught_hold();
	for (int i = 0; i < 3; i++)
		send_batch(NULL);
	caught_wait(1);
	usleep(20000);
	ck_assert_int_eq(caught()->requests, 1);
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);

	caught_hold();
	int32_t before = caught()->requests;
	for (int i = 0; i < 9; i++)
		send_batch(NULL);
	int most = _i == 0 ? 5 : 2;
	caught_wait(before + most);
	usleep(20000);
	ck_assert_int_eq(caught()->requests, before + most);
	ck_assert_int_eq(caught()->most_batches, 1);
	caught_release();
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < caught()->batches; i++)
		ck_assert_int_eq(caught()->batch[i].head.base_sequence, i);
	world_close(producer);
}
END_TEST

/* --- getting an id --- */

START_TEST(an_id_that_is_refused_is_told)
{
	struct world_end end = {0}, after = {0};
	peer.init_error = KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED;
	producer = world_telling(NULL, "linger.ms=0", "retry.backoff.ms=1", NULL);
	send_one(&end);
	ck_assert_int_eq(end.error, KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED);
	ck_assert_int_eq(end.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	ck_assert_ptr_nonnull(strstr(end.text, "no producer id: InitProducerId: "));
	send_one(&after); /* has a try of its own */
	ck_assert_int_eq(after.error, 0);
}
END_TEST

START_TEST(an_id_that_is_late_is_waited_for)
{
	struct world_end end = {0};
	peer.init_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	producer = world_telling(NULL, "linger.ms=0", NULL);
	send_one(&end);
	ck_assert_int_eq(end.error, 0);
	ck_assert_int_eq(peer.inits, 2);
}
END_TEST

/* --- two threads --- */

static struct kl_partition *first_partition(void)
{
	return atomic_load(&producer->topics->partitions)[0];
}

/* As send() does, from what it has got for a batch. */
static void open_batch(struct kl_spare *spare)
{
	struct kl_partition *part = first_partition();
	kl_partition_lock(part);
	kl_pbatch_open(part, spare, 4096, producer->os->now(producer->os),
		       producer->os->wall_ms(producer->os));
	kl_partition_unlock(part);
	kl_partition_mark(producer, part, 0);
}

static void seal_batch(void)
{
	struct kl_partition *part = first_partition();
	kl_partition_lock(part);
	struct kl_pbatch *sealed = kl_pbatch_seal(producer, part);
	kl_partition_unlock(part);
	kl_pbatch_finish(producer, sealed);
}

/* A thread that has got what a batch needs loses its CPU, and opens it behind those of others
 * that came later: the order over retries is that of opening. */
START_TEST(order_is_that_of_opening)
{
	struct world_end warm = {0}, ends[3] = {0};
	struct klamm_error err;
	producer = world_telling(NULL, "linger.ms=60000", "delivery.timeout.ms=100000",
				 "retry.backoff.ms=1", NULL);
	world_send(producer, "t", 0, "k", "v", &warm);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 1; i <= 3; i++) /* all of them go out, and all are refused once */
		peer.errors[i] = KLAMM_ERR_NOT_ENOUGH_REPLICAS;
	struct kl_spare early = {0}, late = {0};
	ck_assert(kl_producer_enter(producer));
	ck_assert_int_eq(kl_spare_get(producer, &early, 4096, &err), 0);
	ck_assert_int_eq(kl_spare_get(producer, &late, 4096, &err), 0);
	hold_loop(producer->loop);
	open_batch(&late);
	world_send(producer, "t", 0, "k", "first", &ends[0]);
	seal_batch();
	open_batch(&early);
	world_send(producer, "t", 0, "k", "second", &ends[1]);
	seal_batch();
	world_send(producer, "t", 0, "k", "third", &ends[2]);
	seal_batch();
	atomic_store(&hold, false);
	kl_producer_leave(producer);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(ends[i].error, 0);
	ck_assert_int_eq(peer.batches, 7);
	for (int i = 4; i < 7; i++) /* when they went through */
		ck_assert_int_eq(peer.heads[i].base_sequence, i - 3);
}
END_TEST

UNIT_SUITE(idempotence)
{
	Suite *s = suite_create("idempotence");
	unit_add_fixture(s, sequences_count_records, up, down);
	unit_add_fixture(s, without_idempotence_there_are_none, up, down);
	unit_add_case(s, "each_answer_has_its_consequence", each_answer_has_its_consequence,
		      up, down, kl_countof(answers));
	unit_add_fixture(s, doubt_is_not_written_again, up, down);
	unit_add_fixture(s, order_is_kept_over_retries, up, down);
	unit_add_fixture(s, a_gap_is_closed, up, down);
	unit_add_case(s, "five_of_a_partition_are_in_flight",
		      five_of_a_partition_are_in_flight, caught_up, caught_down, 2);
	unit_add_fixture(s, order_is_that_of_opening, up, down);
	unit_add_fixture(s, an_id_that_is_refused_is_told, up, down);
	unit_add_fixture(s, an_id_that_is_late_is_waited_for, up, down);
	return s;
}
