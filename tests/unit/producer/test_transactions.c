/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions against the dev broker, with both generations of the protocol: what readers of
 * committed records see, which errors can be aborted, which end the producer, and calls that
 * ran out of time. */
#include <unistd.h>

#include "tests/client/world.h"

#define PRODUCE 0
#define FIND_COORDINATOR 10
#define INIT_PRODUCER_ID 22
#define ADD_PARTITIONS 24
#define ADD_OFFSETS 25
#define END_TXN 26
#define TXN_OFFSET_COMMIT 28

static struct klamm_producer *producer;
static struct klamm_error err;
static bool v2;

/* For a loop test of two: the broker's generation. */
static void up(int generation)
{
	static const char *const old[] = {"transaction.version=1", NULL};
	v2 = generation == 2;
	world_start((struct klamm_broker_options){.nodes = 3, .config = v2 ? NULL : old});
	world_create("t", 3);
}

static void end(void)
{
	if (producer != NULL)
		world_drop(producer);
	producer = NULL;
	world_down();
}

static void ok(int rc)
{
	ck_assert_msg(rc == 0, "%s", err.text);
}

static struct klamm_producer *begin_one(const char *pair)
{
	struct klamm_producer *p = world_telling(NULL, "transactional.id=x", "linger.ms=0",
						 "retry.backoff.ms=5", pair, NULL);
	ok(klamm_producer_init_transactions(p, PATIENCE, &err));
	return p;
}

static void begin(void)
{
	ok(klamm_producer_begin_transaction(producer, &err));
}

static void commit(void)
{
	ok(klamm_producer_commit_transaction(producer, PATIENCE, &err));
}

static void abort_it(void)
{
	ok(klamm_producer_abort_transaction(producer, PATIENCE, &err));
}

/* The last stable offset, or the end, of a partition, as a consumer is told. */
static int64_t end_of(struct klamm_consumer *consumer, int32_t partition)
{
	struct klamm_offset_query query = {
		.size = sizeof(query), .topic = "t", .partition = partition,
		.timestamp_ms = KLAMM_OFFSET_END};
	ok(klamm_consumer_offsets(consumer, &query, 1, PATIENCE, &err));
	ck_assert_int_eq(query.error, 0);
	return query.offset;
}

/* How many records a reader sees in all partitions, up to the end that it is told. */
static int seen(const char *isolation)
{
	int n = 0;
	struct klamm_consumer *consumer =
		world_consumer(NULL, isolation, "fetch.max.wait.ms=10", NULL);
	for (int32_t i = 0; i < 3; i++) {
		int64_t last = end_of(consumer, i), position = 0;
		world_assign(consumer, "t", i, 0);
		while (position < last) {
			struct klamm_batch *batch;
			struct klamm_record_view view;
			ok(klamm_consumer_poll(consumer, 5, &batch, &err));
			while (batch != NULL && klamm_batch_next(batch, &view) == 1)
				n++;
			klamm_batch_unref(batch);
			ok(klamm_consumer_position(consumer, "t", i, PATIENCE, &position,
						   &err));
		}
	}
	world_close_consumer(consumer);
	return n;
}
#define COMMITTED "isolation.level=read_committed"
#define ALL "isolation.level=read_uncommitted"

static void send_some(int n, struct world_end *ends)
{
	for (int i = 0; i < n; i++)
		world_send(producer, "t", i % 3, "k", "v", ends != NULL ? &ends[i] : NULL);
}

/* The same where an error may come while some are still to be sent. */
static void send_until_error(int n)
{
	struct klamm_record record = world_record("k", "v");
	for (int i = 0; i < n; i++) {
		record.partition = i % 3;
		if (klamm_producer_send_to(producer, "t", &record, NULL, NULL) != 0)
			return;
	}
}

START_TEST(only_what_was_committed_is_seen)
{
	struct world_end ends[10] = {0};
	up(1 + _i);
	producer = begin_one(NULL);
	for (int round = 0; round < 3; round++) {
		begin();
		send_some(10, ends);
		commit();
		for (int i = 0; i < 10; i++)
			ck_assert_int_eq(ends[i].told, round + 1); /* before it returns */
		begin();
		send_some(7, NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
		abort_it();
	}
	ck_assert_int_eq(seen(COMMITTED), 30);
	begin();
	send_some(5, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(seen(COMMITTED), 30);
	ck_assert_int_eq(seen(ALL), 56);
}
END_TEST

/* Empty ones cost no request, and end all the same. */
START_TEST(a_transaction_may_be_empty)
{
	up(1 + _i);
	producer = begin_one(NULL);
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = END_TXN, .count = -1, .action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_INVALID_TXN_STATE});
	begin();
	commit();
	begin();
	abort_it();
	ck_assert_int_eq(klamm_broker_fault_hits(world_broker, fault), 0);
}
END_TEST

START_TEST(records_belong_into_a_transaction)
{
	up(1 + _i);
	struct klamm_record record = world_record("k", "v");
	producer = world_producer(NULL, "transactional.id=x", NULL);
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "klamm_producer_init_transactions()"));
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_producer_commit_transaction(producer, PATIENCE, &err),
			 KLAMM_ERR_STATE);
	int32_t count; /* a topic may be looked at all the same */
	ok(klamm_producer_partitions_for(producer, "t", &count, &err));
	ck_assert_int_eq(count, 3);
	ok(klamm_producer_init_transactions(producer, PATIENCE, &err));
	ck_assert_int_eq(klamm_producer_init_transactions(producer, PATIENCE, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_str_eq(err.text, "no transaction is open: "
				   "klamm_producer_begin_transaction() comes first");
	begin();
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_STATE);
	ok(klamm_producer_send_to(producer, "t", &record, NULL, &err));
	commit();
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(seen(COMMITTED), 1);
}
END_TEST

START_TEST(without_an_id_there_are_none)
{
	up(2);
	producer = world_producer(NULL, "linger.ms=0", NULL);
	ck_assert_int_eq(klamm_producer_init_transactions(producer, PATIENCE, &err),
			 KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "transactional.id"));
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_STATE);
}
END_TEST

START_TEST(a_second_producer_fences_the_first)
{
	up(1 + _i);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_producer *first = producer;
	producer = begin_one(NULL);
	begin();
	send_some(4, NULL);
	commit();
	int rc = klamm_producer_commit_transaction(first, PATIENCE, &err);
	ck_assert_int_ne(rc, 0);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(rc, KLAMM_ERR_PRODUCER_FENCED);
	ck_assert_int_eq(err.outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	ck_assert_ptr_nonnull(strstr(err.text, "transactional id x: "));
	ck_assert_int_eq(klamm_producer_abort_transaction(first, PATIENCE, &err), rc);
	ck_assert_int_eq(klamm_producer_begin_transaction(first, &err), rc);
	struct klamm_record record = world_record("k", "v");
	ck_assert_int_eq(klamm_producer_send_to(first, "t", &record, NULL, &err), rc);
	klamm_producer_close(first, 1000, NULL);
	ck_assert_int_eq(seen(COMMITTED), 4);
}
END_TEST

/* The coordinator takes back what the first has open and has the second come again. Until it
 * does, an abort by the first passes for a repetition, which would go on with the second's
 * epoch. */
START_TEST(a_replaced_producer_makes_way)
{
	up(2);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	struct klamm_producer *second =
		world_producer(NULL, "transactional.id=x", "retry.backoff.ms=500", NULL);
	ck_assert_int_eq(klamm_producer_init_transactions(second, 20, &err),
			 KLAMM_ERR_TIMED_OUT);
	int rc;
	do {
		struct klamm_record record = world_record("k", "v");
		rc = klamm_producer_send_to(producer, "t", &record, NULL, &err);
		world_flush(producer);
	} while (rc == 0);
	rc = klamm_producer_abort_transaction(producer, PATIENCE, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_PRODUCER_FENCED);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	klamm_producer_close(producer, 1000, NULL);
	producer = second;
	ok(klamm_producer_init_transactions(producer, PATIENCE, &err));
	begin();
	send_some(4, NULL);
	commit();
	ck_assert_int_eq(seen(COMMITTED), 4);
}
END_TEST

/* The first answer is lost, the second says that it is over. */
START_TEST(a_commit_may_be_in_doubt)
{
	up(1 + _i);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	world_fault((struct klamm_broker_fault){
		.api = END_TXN, .count = 1, .action = KLAMM_BROKER_DROP_AFTER, .reset = 1});
	world_fault((struct klamm_broker_fault){
		.api = END_TXN, .count = -1, .action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_PRODUCER_FENCED});
	int rc = klamm_producer_commit_transaction(producer, PATIENCE, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_PRODUCER_FENCED);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(err.outcome, KLAMM_OUTCOME_POSSIBLY_WRITTEN);
	ck_assert_int_eq(seen(COMMITTED), 3);
}
END_TEST

/* --- errors on the way --- */

/* Answers that pass, for each request that a transaction makes. */
static const struct {
	int32_t api;
	int32_t error; /* 0: the answer is lost */
} passing[] = {
	{FIND_COORDINATOR, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
	{INIT_PRODUCER_ID, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
	{INIT_PRODUCER_ID, KLAMM_ERR_NOT_COORDINATOR},
	{INIT_PRODUCER_ID, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
	{INIT_PRODUCER_ID, 0},
	{ADD_PARTITIONS, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
	{ADD_PARTITIONS, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
	{ADD_PARTITIONS, KLAMM_ERR_NOT_COORDINATOR},
	{ADD_PARTITIONS, 0},
	{PRODUCE, KLAMM_ERR_NOT_ENOUGH_REPLICAS},
	{PRODUCE, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
	{PRODUCE, 0},
	{ADD_OFFSETS, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
	{ADD_OFFSETS, KLAMM_ERR_NOT_COORDINATOR},
	{ADD_OFFSETS, 0},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_NOT_COORDINATOR},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_REQUEST_TIMED_OUT},
	{TXN_OFFSET_COMMIT, 0},
	{END_TXN, KLAMM_ERR_CONCURRENT_TRANSACTIONS},
	{END_TXN, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE},
	{END_TXN, KLAMM_ERR_NOT_COORDINATOR},
	{END_TXN, 0},
};

static void send_offset(int64_t offset)
{
	struct klamm_offset to = {"in", 0, -1, offset, "note"};
	struct klamm_group_metadata group = {
		.size = sizeof(group), .group_id = "g", .member_id = "", .generation = -1};
	ok(klamm_producer_send_offsets(producer, &to, 1, &group, PATIENCE, &err));
}

static int64_t committed(void)
{
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "in"};
	struct klamm_consumer *consumer = world_consumer(NULL, "group.id=g", NULL);
	ok(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err));
	world_close_consumer(consumer);
	return entry.offset;
}

START_TEST(errors_that_pass_are_waited_out)
{
	int i = _i / 2;
	up(1 + _i % 2);
	world_create("in", 1);
	struct klamm_broker_fault fault = {
		.api = passing[i].api, .partition = -1, .count = 2,
		.action = passing[i].error != 0 ? KLAMM_BROKER_ERROR : KLAMM_BROKER_DROP_AFTER,
		.error = passing[i].error, .reset = i % 2 == 1};
	world_fault(fault);
	producer = begin_one(NULL);
	for (int round = 1; round <= 3; round++) {
		begin();
		send_some(6, NULL);
		send_offset(round * 100);
		commit();
		ck_assert_int_eq(committed(), round * 100);
	}
	ck_assert_int_eq(seen(COMMITTED), 18);
	ck_assert_int_eq(seen(ALL), 18); /* nothing twice */
}
END_TEST

/* Partitions of several topics, some of which come while the coordinator is being told of
 * others: it hears of each. */
START_TEST(the_coordinator_hears_of_every_partition)
{
	up(1);
	world_create("u", 3);
	producer = begin_one(NULL);
	for (int round = 0; round < 2; round++) {
		int32_t fault = world_fault((struct klamm_broker_fault){
			.api = ADD_PARTITIONS, .count = 1, .delay_ms = 300});
		begin();
		world_send(producer, "t", 0, "k", "v", NULL);
		world_send(producer, "u", 0, "k", "v", NULL);
		while (klamm_broker_fault_hits(world_broker, fault) == 0)
			ck_assert_int_eq(klamm_producer_poll(producer, 1, NULL, NULL), 0);
		/* Asked for now, "t" before "u". */
		world_send(producer, "t", 1, "k", "v", NULL);
		world_send(producer, "u", 1, "k", "v", NULL);
		world_send(producer, "t", 2, "k", "v", NULL);
		commit();
	}
	ck_assert_int_eq(seen(COMMITTED), 6);
	for (int i = 0; i < 3; i++) /* two records, and a marker behind each */
		ck_assert_int_eq(world_end_of("t", i), 4);
	ck_assert_int_eq(world_end_of("u", 1), 4);
}
END_TEST

/* Those that an abort gets over, and what they are told by. */
static const struct {
	int32_t api, error;
	int versions; /* of the protocol: 1, 2, or 3 for both */
} abortable[] = {
	{PRODUCE, KLAMM_ERR_TRANSACTION_ABORTABLE, 3},
	{PRODUCE, KLAMM_ERR_MESSAGE_TOO_LARGE, 3},
	{PRODUCE, KLAMM_ERR_INVALID_PRODUCER_EPOCH, 3},
	{PRODUCE, KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER, 3},
	{PRODUCE, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, 3},
	{PRODUCE, KLAMM_ERR_INVALID_TXN_STATE, 3},
	{ADD_PARTITIONS, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, 1},
	{ADD_PARTITIONS, KLAMM_ERR_TRANSACTION_ABORTABLE, 1},
	{ADD_PARTITIONS, KLAMM_ERR_UNKNOWN_SERVER_ERROR, 1},
	{ADD_OFFSETS, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, 1},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, 3},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_ILLEGAL_GENERATION, 3},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_UNKNOWN_MEMBER_ID, 3},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_FENCED_INSTANCE_ID, 3},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE, 3},
	{END_TXN, KLAMM_ERR_TRANSACTION_ABORTABLE, 3},
};

START_TEST(some_errors_can_be_aborted)
{
	int i = _i / 2, generation = 1 + _i % 2;
	if ((abortable[i].versions & generation) == 0)
		return;
	up(generation);
	world_create("in", 1);
	producer = begin_one(NULL);
	world_fault((struct klamm_broker_fault){
		.api = abortable[i].api, .partition = -1, .count = 1,
		.action = KLAMM_BROKER_ERROR, .error = abortable[i].error});
	begin();
	send_until_error(3);
	struct klamm_offset to = {"in", 0, -1, 7, NULL};
	struct klamm_group_metadata group = {
		.size = sizeof(group), .group_id = "g", .member_id = "", .generation = -1};
	int rc = klamm_producer_send_offsets(producer, &to, 1, &group, PATIENCE, &err);
	if (rc == 0)
		rc = klamm_producer_commit_transaction(producer, PATIENCE, &err);
	ck_assert_int_eq(rc, abortable[i].error);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_ABORTABLE);
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(rc)));
	struct klamm_record record = world_record("k", "v");
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, NULL, &err), rc);
	ck_assert_int_eq(klamm_producer_commit_transaction(producer, PATIENCE, &err), rc);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), rc);
	abort_it();
	ck_assert_int_eq(seen(COMMITTED), 0);
	ck_assert_int_eq(committed(), -1);
	for (int round = 0; round < 2; round++) {
		begin();
		send_some(3, NULL);
		send_offset(9 + round);
		commit();
	}
	ck_assert_int_eq(seen(COMMITTED), 6);
	ck_assert_int_eq(committed(), 10);
}
END_TEST

static const struct {
	int32_t api, error, told;
	int versions;
} fatal[] = {
	{PRODUCE, KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED, 0, 3},
	{PRODUCE, KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, 3},
	{PRODUCE, KLAMM_ERR_PRODUCER_FENCED, 0, 3},
	{PRODUCE, KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING, 0, 3},
	{ADD_PARTITIONS, KLAMM_ERR_INVALID_PRODUCER_EPOCH, KLAMM_ERR_PRODUCER_FENCED, 1},
	{ADD_PARTITIONS, KLAMM_ERR_INVALID_TXN_STATE, 0, 1},
	{ADD_PARTITIONS, KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING, 0, 1},
	{ADD_OFFSETS, KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, 1},
	{ADD_OFFSETS, KLAMM_ERR_INVALID_PRODUCER_EPOCH, KLAMM_ERR_PRODUCER_FENCED, 1},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_INVALID_PRODUCER_EPOCH, KLAMM_ERR_PRODUCER_FENCED, 3},
	{TXN_OFFSET_COMMIT, KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, 3},
	{END_TXN, KLAMM_ERR_INVALID_PRODUCER_EPOCH, KLAMM_ERR_PRODUCER_FENCED, 3},
	{END_TXN, KLAMM_ERR_PRODUCER_FENCED, 0, 3},
	{END_TXN, KLAMM_ERR_INVALID_TXN_STATE, 0, 3},
	{END_TXN, KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 0, 3},
};

START_TEST(some_errors_end_the_producer)
{
	int i = _i / 2, generation = 1 + _i % 2;
	if ((fatal[i].versions & generation) == 0)
		return;
	up(generation);
	world_create("in", 1);
	producer = begin_one(NULL);
	world_fault((struct klamm_broker_fault){
		.api = fatal[i].api, .partition = -1, .count = 1,
		.action = KLAMM_BROKER_ERROR, .error = fatal[i].error});
	begin();
	send_until_error(3);
	struct klamm_offset to = {"in", 0, -1, 7, NULL};
	struct klamm_group_metadata group = {
		.size = sizeof(group), .group_id = "g", .member_id = "", .generation = -1};
	int rc = klamm_producer_send_offsets(producer, &to, 1, &group, PATIENCE, &err);
	if (rc == 0)
		rc = klamm_producer_commit_transaction(producer, PATIENCE, &err);
	ck_assert_int_eq(rc, fatal[i].told != 0 ? fatal[i].told : fatal[i].error);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(klamm_producer_abort_transaction(producer, PATIENCE, &err), rc);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), rc);
	ck_assert_int_eq(seen(COMMITTED), 0);
}
END_TEST

/* Before anything has begun it may be tried again. */
START_TEST(init_may_be_refused)
{
	up(1 + _i);
	producer = world_producer(NULL, "transactional.id=x", NULL);
	world_fault((struct klamm_broker_fault){
		.api = INIT_PRODUCER_ID, .partition = -1, .count = 1,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED});
	ck_assert_int_eq(klamm_producer_init_transactions(producer, PATIENCE, &err),
			 KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	ok(klamm_producer_init_transactions(producer, PATIENCE, &err));
	begin();
	commit();
}
END_TEST

/* --- time --- */

START_TEST(a_commit_that_is_late_is_called_again)
{
	struct world_end late = {0};
	up(1 + _i);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	world_fault((struct klamm_broker_fault){
		.api = END_TXN, .count = 40, .action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS});
	ck_assert_int_eq(klamm_producer_commit_transaction(producer, 30, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_RETRIABLE);
	ck_assert_int_eq(klamm_producer_abort_transaction(producer, PATIENCE, &err),
			 KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "committing the transaction, ran out of time"));
	ck_assert_int_eq(klamm_producer_begin_transaction(producer, &err), KLAMM_ERR_STATE);
	struct klamm_record record = world_record("k", "v");
	ck_assert_int_eq(klamm_producer_send_to(producer, "t", &record, &late, &err),
			 KLAMM_ERR_STATE);
	commit();
	ck_assert_int_eq(seen(COMMITTED), 3);
	begin();
	send_some(1, NULL);
	commit();
	ck_assert_int_eq(seen(COMMITTED), 4);
}
END_TEST

START_TEST(init_that_is_late_is_called_again)
{
	up(1 + _i);
	producer = world_producer(NULL, "transactional.id=x", NULL);
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = INIT_PRODUCER_ID, .partition = -1, .count = -1,
		.action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS});
	ck_assert_int_eq(klamm_producer_init_transactions(producer, 30, &err),
			 KLAMM_ERR_TIMED_OUT);
	klamm_broker_fault_remove(world_broker, fault);
	ok(klamm_producer_init_transactions(producer, PATIENCE, &err));
	begin();
	commit();
}
END_TEST

/* Records that an abort finds unsent are not sent, and say so. */
START_TEST(an_abort_takes_back_what_was_not_sent)
{
	static struct world_end ends[6];
	up(1 + _i);
	producer = begin_one("linger.ms=60000");
	begin();
	send_some(6, ends);
	abort_it();
	for (int i = 0; i < 6; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, KLAMM_ERR_ABORTED);
		ck_assert_int_eq(ends[i].outcome, KLAMM_OUTCOME_NOT_WRITTEN);
	}
	ck_assert_int_eq(seen(ALL), 0);
}
END_TEST

/* Nor does it wait for records whose partitions the transaction does not take in. */
START_TEST(an_abort_takes_back_what_is_not_let_in)
{
	static struct world_end ends[3];
	up(1);
	producer = begin_one("delivery.timeout.ms=300000");
	int32_t fault = world_fault((struct klamm_broker_fault){
		.api = ADD_PARTITIONS, .count = -1, .action = KLAMM_BROKER_ERROR,
		.error = KLAMM_ERR_CONCURRENT_TRANSACTIONS});
	begin();
	send_some(3, ends);
	for (int i = 0; i < PATIENCE && klamm_broker_fault_hits(world_broker, fault) < 2; i++)
		usleep(1000);
	ck_assert_int_ge(klamm_broker_fault_hits(world_broker, fault), 2);
	abort_it();
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(ends[i].told, 1);
		ck_assert_int_eq(ends[i].error, KLAMM_ERR_ABORTED);
	}
}
END_TEST

START_TEST(close_aborts_what_is_open)
{
	up(1 + _i);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ok(klamm_producer_close(producer, PATIENCE, &err));
	producer = NULL;
	ck_assert_int_eq(seen(COMMITTED), 0);
	ck_assert_int_eq(seen(ALL), 3);
}
END_TEST

/* The broker gives up an open transaction, and its producer hears of it. */
START_TEST(opt_transaction_timeout_ms)
{
	static const char *const quick[] = {
		"transaction.abort.timed.out.transaction.cleanup.interval.ms=10", NULL};
	world_start((struct klamm_broker_options){.nodes = 1, .config = quick});
	world_create("t", 3);
	producer = begin_one("transaction.timeout.ms=50");
	begin();
	send_some(3, NULL);
	world_flush(producer); /* on a busy machine it may be over before the third */
	for (int64_t deadline = world_ms() + PATIENCE; world_ms() < deadline;) {
		struct klamm_consumer *consumer = world_consumer(NULL, COMMITTED, NULL);
		int64_t last = end_of(consumer, 0);
		world_close_consumer(consumer);
		if (last == 2) /* the record, and the marker that aborts it */
			break;
	}
	ck_assert_int_ne(klamm_producer_commit_transaction(producer, PATIENCE, &err), 0);
	ck_assert_int_eq(seen(COMMITTED), 0);
}
END_TEST

START_TEST(opt_transactional_id)
{
	up(2);
	producer = begin_one(NULL);
	begin();
	send_some(3, NULL);
	commit();
	ck_assert_int_eq(seen(COMMITTED), 3);
	struct klamm_conf *conf = world_conf("transactional.id=x", "acks=1", NULL);
	struct klamm_producer *none = NULL;
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &none, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "must be all when transactional.id is set"));
	klamm_conf_free(conf);
}
END_TEST

UNIT_SUITE(transactions)
{
	Suite *s = suite_create("transactions");
#define BOTH(test) unit_add_case(s, #test, test, NULL, end, 2)
	BOTH(only_what_was_committed_is_seen);
	BOTH(a_transaction_may_be_empty);
	BOTH(records_belong_into_a_transaction);
	unit_add_fixture(s, without_an_id_there_are_none, NULL, end);
	BOTH(a_second_producer_fences_the_first);
	unit_add_fixture(s, a_replaced_producer_makes_way, NULL, end);
	BOTH(a_commit_may_be_in_doubt);
	unit_add_case(s, "errors_that_pass_are_waited_out", errors_that_pass_are_waited_out,
		      NULL, end, 2 * kl_countof(passing));
	unit_add_fixture(s, the_coordinator_hears_of_every_partition, NULL, end);
	unit_add_case(s, "some_errors_can_be_aborted", some_errors_can_be_aborted, NULL, end,
		      2 * kl_countof(abortable));
	unit_add_case(s, "some_errors_end_the_producer", some_errors_end_the_producer, NULL,
		      end, 2 * kl_countof(fatal));
	BOTH(init_may_be_refused);
	BOTH(a_commit_that_is_late_is_called_again);
	BOTH(init_that_is_late_is_called_again);
	BOTH(an_abort_takes_back_what_was_not_sent);
	unit_add_fixture(s, an_abort_takes_back_what_is_not_let_in, NULL, end);
	BOTH(close_aborts_what_is_open);
	unit_add_fixture(s, opt_transaction_timeout_ms, NULL, end);
	unit_add_fixture(s, opt_transactional_id, NULL, end);
	return s;
}
