/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions: who may do what when, what readers see, what a crash leaves. */
#include "core/record/batch_read.h"
#include "tests/broker/txn_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct peer *peer;
static const char *topic;
static char *dir;

#define FENCED KLAMM_ERR_PRODUCER_FENCED
#define OLD_EPOCH KLAMM_ERR_INVALID_PRODUCER_EPOCH
#define NOT_MAPPED KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING
#define CONCURRENT KLAMM_ERR_CONCURRENT_TRANSACTIONS
#define BAD_STATE KLAMM_ERR_INVALID_TXN_STATE

static void start(const char *const *config)
{
	peer_start_with((struct klamm_broker_options){.config = config, .data_dir = dir});
	peer = peer_open();
	txn_find(peer, 0, "g");
	txn_find(peer, 1, "x");
}

static void up(void)
{
	start(NULL);
	topic = peer_topic();
	peer_create(topic, 2);
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
	free(dir);
	dir = NULL;
}

static void fault(const char *text)
{
	struct klamm_error err;
	ck_assert_msg(klamm_broker_fault(peer_broker, text, NULL, &err) == 0, "%s", err.text);
}

static int64_t stable(int32_t partition)
{
	return txn_fetch(peer, topic, partition)->last_stable_offset;
}

/* --- the way of a transaction --- */

/* By versions of requests: of old clients, of Kafka 3.9's and of those with KIP-890. */
static const struct {
	int produce, end;
} clients[] = {{9, 1}, {11, 4}, {12, 5}};

static void join(const struct txn_producer *p, int client)
{
	if (clients[client].produce < 12)
		ck_assert_int_eq(txn_add(peer, p, topic, 0, 3), 0);
}

START_TEST(commits_and_aborts)
{
	struct txn_producer p;
	int produce = clients[_i].produce, end = clients[_i].end;
	txn_begin(peer, &p, "t1");
	int16_t epoch = p.epoch;
	int32_t sequence = 0;
	for (int i = 0; i < 4; i++) {
		join(&p, _i);
		ck_assert_int_eq(txn_send(peer, &p, topic, 0, sequence, produce), 0);
		ck_assert_int_eq(txn_send(peer, &p, topic, 0, sequence + 2, produce), 0);
		ck_assert_str_eq(txn_state(peer, "t1", false), "Ongoing");
		ck_assert_int_eq(stable(0), 5 * i); /* four records and a marker each */
		ck_assert_int_eq(txn_end(peer, &p, i % 2 == 0, end), 0);
		ck_assert_str_eq(txn_state(peer, "t1", true),
				 i % 2 == 0 ? "CompleteCommit" : "CompleteAbort");
		ck_assert_int_eq(stable(0), 5 * i + 5);
		ck_assert_int_eq(p.epoch, end == 5 ? epoch + i + 1 : epoch);
		sequence = end == 5 ? 0 : sequence + 4;
	}
	struct kl_fetch_response_partition *r = txn_fetch(peer, topic, 0);
	ck_assert_int_eq(r->aborted_transactions_n, 2);
	ck_assert_int_eq(r->aborted_transactions[0].producer_id, p.producer_id);
	ck_assert_int_eq(r->aborted_transactions[0].first_offset, 5);
	ck_assert_int_eq(r->aborted_transactions[1].first_offset, 15);
	r = peer_fetch(peer, topic, 0, 0);
	ck_assert_int_eq(r->aborted_transactions_n, -1);
}
END_TEST

START_TEST(writes_markers)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	ck_assert_int_eq(txn_end(peer, &p, false, 5), 0);
	txn_state(peer, "t1", true);
	struct kl_fetch_response_partition *r = peer_fetch(peer, topic, 0, 2);
	struct kl_batch_head head;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	struct kl_control control;
	ck_assert_int_eq(kl_batch_peek(r->records.p, (size_t)r->records.len, &head),
			 KL_BATCH_WHOLE);
	ck_assert(kl_batch_check_crc(r->records.p, &head));
	ck_assert_int_eq(head.attributes, KL_ATTR_CONTROL | KL_ATTR_TRANSACTIONAL);
	ck_assert_int_eq(head.base_sequence, -1);
	ck_assert_int_eq(head.producer_epoch, p.epoch); /* the next one's */
	kl_record_iter_init(&iter, &head, kl_batch_records(r->records.p, &head), 0);
	ck_assert_int_eq(kl_record_next(&iter, &view), 1);
	ck_assert_int_eq(kl_control_get(&view, &control), 0);
	ck_assert_int_eq(control.type, KL_CONTROL_ABORT);
	ck_assert_int_eq(control.coordinator_epoch, 0);
}
END_TEST

/* Consumers of committed records stop at the oldest open transaction. */
START_TEST(holds_readers_back)
{
	struct txn_producer a, b;
	txn_begin(peer, &a, "a");
	txn_begin(peer, &b, "b");
	ck_assert_int_eq(txn_send(peer, &a, topic, 0, 0, 12), 0);
	ck_assert_int_eq(txn_send(peer, &b, topic, 0, 0, 12), 0);
	ck_assert_int_eq(txn_end(peer, &b, true, 5), 0);
	txn_state(peer, "b", true);
	struct kl_fetch_response_partition *r = txn_fetch(peer, topic, 0);
	ck_assert_int_eq(r->high_watermark, 5);
	ck_assert_int_eq(r->last_stable_offset, 0);
	ck_assert_int_eq(r->records.len, 0);
	ck_assert_int_gt(peer_fetch(peer, topic, 0, 0)->records.len, 0);
	ck_assert_int_eq(txn_end(peer, &a, true, 5), 0);
	txn_state(peer, "a", true);
	r = txn_fetch(peer, topic, 0);
	ck_assert_int_eq(r->last_stable_offset, 6);
	ck_assert_int_gt(r->records.len, 0);
	ck_assert_int_eq(r->aborted_transactions_n, 0);
}
END_TEST

/* --- what is refused --- */

enum op { INIT, INIT_AGAIN, ADD, ADD_OFFSETS, SEND, COMMIT, ABORT };
struct step {
	enum op op;
	int version;
	int id, epoch; /* other than it should be, by so much */
	int error;
};

static int play(struct txn_producer *p, const struct step *s, int32_t *sequence)
{
	struct txn_producer told = {p->id, p->producer_id + s->id,
				    (int16_t)(p->epoch + s->epoch)};
	bool honest = s->id == 0 && s->epoch == 0;
	struct txn_producer *as = honest ? p : &told;
	int rc = -1;
	switch (s->op) {
	case INIT:
		return txn_init(peer, p, false, 60000, s->version);
	case INIT_AGAIN:
		rc = txn_init(peer, as, true, 60000, s->version);
		if (rc == 0)
			*p = *as;
		return rc;
	case ADD:
		return txn_add(peer, as, topic, 0, s->version);
	case ADD_OFFSETS:
		return txn_add_offsets(peer, as, "g", s->version);
	case SEND:
		rc = txn_send(peer, as, topic, 0, *sequence, s->version);
		*sequence += rc == 0 ? 2 : 0;
		return rc;
	case COMMIT:
	case ABORT:
		rc = txn_end(peer, as, s->op == COMMIT, s->version);
		txn_state(peer, p->id, true);
		if (rc == 0 && s->version >= 5)
			*sequence = 0;
		return rc;
	}
	return rc;
}

static const struct step old[] = {
	{COMMIT, 4, 0, 0, BAD_STATE}, /* nothing was begun */
	{ABORT, 4, 0, 0, BAD_STATE},
	{SEND, 11, 0, 0, KLAMM_ERR_TRANSACTION_ABORTABLE}, /* it was not added */
	{SEND, 9, 0, 0, BAD_STATE},
	{ADD, 3, 1, 0, NOT_MAPPED},
	{ADD, 3, 0, 1, FENCED},
	{ADD, 1, 0, 1, OLD_EPOCH},
	{ADD_OFFSETS, 3, 0, -1, FENCED},
	{ADD_OFFSETS, 1, 0, -1, OLD_EPOCH},
	{ADD, 3, 0, 0, 0},
	{SEND, 11, 0, 0, 0},
	{SEND, 11, 0, -1, OLD_EPOCH},
	{COMMIT, 4, 1, 0, NOT_MAPPED},
	{COMMIT, 4, 0, -1, FENCED},
	{COMMIT, 1, 0, -1, OLD_EPOCH},
	{COMMIT, 4, 0, 0, 0},
	{COMMIT, 4, 0, 0, 0}, /* again */
	{ABORT, 4, 0, 0, BAD_STATE},
	{SEND, 11, 0, 0, KLAMM_ERR_TRANSACTION_ABORTABLE},
	{ADD, 3, 0, 0, 0},
	{ABORT, 3, 0, 0, 0},
	{ABORT, 3, 0, 0, 0},
	{COMMIT, 3, 0, 0, BAD_STATE},
};
static const struct step new[] = {
	{COMMIT, 5, 0, 0, BAD_STATE},
	{COMMIT, 5, 0, -1, FENCED},
	{ABORT, 5, 0, -1, FENCED},
	{ABORT, 5, 0, 0, 0}, /* without a record, and the epoch rises */
	{ABORT, 5, 0, -1, 0}, /* again: the answer was lost */
	{COMMIT, 5, 0, -1, BAD_STATE},
	{COMMIT, 5, 0, 0, BAD_STATE},
	{SEND, 12, 1, 0, NOT_MAPPED},
	{SEND, 12, 0, 1, OLD_EPOCH},
	{SEND, 12, 0, 0, 0},
	{SEND, 12, 0, -1, OLD_EPOCH},
	{COMMIT, 5, 0, 1, FENCED},
	{COMMIT, 5, 0, 0, 0},
	{COMMIT, 5, 0, -1, 0},
	{ABORT, 5, 0, -1, BAD_STATE},
	{COMMIT, 5, 0, 0, BAD_STATE},
	{ABORT, 5, 0, 0, 0},
	{COMMIT, 5, 0, -2, FENCED},
};
static const struct step inits[] = {
	{INIT, 4, 0, 0, 0},
	{INIT, 4, 0, 0, 0},
	{INIT_AGAIN, 4, 0, 0, 0},   /* KIP-360: its epoch rises */
	{INIT_AGAIN, 4, 0, -1, 0},  /* again: the answer was lost, and it does not */
	{INIT_AGAIN, 4, 0, -2, FENCED},
	{INIT_AGAIN, 3, 0, -2, OLD_EPOCH},
	{INIT_AGAIN, 4, 1, 0, FENCED}, /* of somebody else */
	{INIT, 4, 0, 0, 0},
	{INIT_AGAIN, 4, 0, -1, FENCED}, /* there is another one now */
	{ADD, 3, 0, 0, 0},
	{INIT, 4, 0, 0, CONCURRENT}, /* what is open is aborted first */
};

START_TEST(refuses)
{
	static const struct {
		const struct step *steps;
		size_t n;
	} plays[] = {
		{old, kl_countof(old)}, {new, kl_countof(new)}, {inits, kl_countof(inits)}};
	struct txn_producer p;
	int32_t sequence = 0;
	txn_begin(peer, &p, "t1");
	for (size_t i = 0; i < plays[_i].n; i++) {
		int rc = play(&p, &plays[_i].steps[i], &sequence);
		ck_assert_msg(rc == plays[_i].steps[i].error, "step %zu: %s", i,
			      klamm_err_name(rc));
	}
}
END_TEST

START_TEST(checks_what_it_is_given)
{
	static const struct {
		const char *id;
		int32_t timeout_ms;
		int error;
	} rows[] = {
		{"", 60000, KLAMM_ERR_INVALID_REQUEST},
		{"x", 0, KLAMM_ERR_INVALID_TRANSACTION_TIMEOUT},
		{"x", 900001, KLAMM_ERR_INVALID_TRANSACTION_TIMEOUT},
		{"x", 900000, 0},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		struct txn_producer p = {.id = rows[i].id};
		ck_assert_int_eq(txn_init(peer, &p, false, rows[i].timeout_ms, 4),
				 rows[i].error);
	}
	struct txn_producer nobody = {.id = "nobody"}, none = {.id = ""};
	ck_assert_int_eq(txn_end(peer, &nobody, true, 4), NOT_MAPPED);
	ck_assert_int_eq(txn_end(peer, &none, true, 4), KLAMM_ERR_INVALID_REQUEST);
	ck_assert_int_eq(txn_add(peer, &none, topic, 0, 3), KLAMM_ERR_INVALID_REQUEST);
	ck_assert_int_eq(txn_add(peer, &nobody, topic, 0, 3), NOT_MAPPED);
	ck_assert_int_eq(txn_add(peer, &nobody, topic, 7, 3),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	struct txn_producer without = {.id = NULL, .producer_id = 5};
	ck_assert_int_eq(txn_send(peer, &without, topic, 0, 0, 12),
			 KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED);
	ck_assert_int_eq(txn_send(peer, &nobody, "__transaction_state", 0, 0, 12), NOT_MAPPED);
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	ck_assert_int_eq(
		peer_produce(peer, "__transaction_state", 0, b.data, b.len)->error_code,
		KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
}
END_TEST

/* From version 4 on brokers ask, for several transactions at once, or only to know. */
START_TEST(answers_brokers)
{
	struct txn_producer p, q;
	txn_begin(peer, &p, "t1");
	txn_begin(peer, &q, "t2");
	static const struct {
		int version;
		bool verify;
		int epoch; /* other than it should be, by so much */
		int errors[2];
	} rows[] = {
		{4, true, 0,
		 {KLAMM_ERR_TRANSACTION_ABORTABLE, KLAMM_ERR_TRANSACTION_ABORTABLE}},
		{4, false, 1, {FENCED, 0}},
		{4, true, 0, {KLAMM_ERR_TRANSACTION_ABORTABLE, 0}},
		{5, false, 0, {0, 0}},
		{5, true, 0, {0, 0}},
		{5, true, 1, {FENCED, 0}},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		int32_t partition = 1;
		struct kl_add_partitions_to_txn_request_topic at = {
			.name = kl_str(topic), .partitions = &partition, .partitions_n = 1};
		struct kl_add_partitions_to_txn_request_transaction both[2] = {
			{.transactional_id = kl_str("t1"),
			 .producer_id = p.producer_id,
			 .producer_epoch = (int16_t)(p.epoch + rows[i].epoch)},
			{.transactional_id = kl_str("t2"),
			 .producer_id = q.producer_id,
			 .producer_epoch = q.epoch},
		};
		struct kl_add_partitions_to_txn_request request;
		kl_msg_init(&kl_msg_add_partitions_to_txn_request, &request);
		request.transactions = both;
		request.transactions_n = 2;
		for (int k = 0; k < 2; k++) {
			both[k].verify_only = rows[i].verify;
			both[k].topics = &at;
			both[k].topics_n = 1;
		}
		struct kl_add_partitions_to_txn_response *r =
			PEER_CALL(peer, add_partitions_to_txn, rows[i].version, &request);
		ck_assert_int_eq(r->results_by_transaction_n, 2);
		for (int k = 0; k < 2; k++) {
			int error = r->results_by_transaction[k]
					    .topic_results[0]
					    .results_by_partition[0]
					    .partition_error_code;
			ck_assert_msg(error == rows[i].errors[k], "row %zu, %d: %s", i, k,
				      klamm_err_name(error));
		}
	}
	/* One partition that is not there, and none is added. */
	int32_t partitions[] = {0, 9};
	struct kl_add_partitions_to_txn_request_topic at = {
		.name = kl_str(topic), .partitions = partitions, .partitions_n = 2};
	struct kl_add_partitions_to_txn_request request;
	kl_msg_init(&kl_msg_add_partitions_to_txn_request, &request);
	request.v3_and_below_transactional_id = kl_str("t1");
	request.v3_and_below_producer_id = p.producer_id;
	request.v3_and_below_producer_epoch = p.epoch;
	request.v3_and_below_topics = &at;
	request.v3_and_below_topics_n = 1;
	struct kl_add_partitions_to_txn_response_partition *told =
		PEER_CALL(peer, add_partitions_to_txn, 3, &request)
			->results_by_topic_v3_and_below[0]
			.results_by_partition;
	ck_assert_int_eq(told[0].partition_error_code, KLAMM_ERR_OPERATION_NOT_ATTEMPTED);
	ck_assert_int_eq(told[1].partition_error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

/* --- between PREPARE and COMPLETE --- */

START_TEST(takes_its_time)
{
	struct txn_producer p, again;
	txn_begin(peer, &p, "t1");
	again = p;
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	/* All that is asked until it settles has to be asked by then. */
	fault("write_txn_markers delay=3000");
	ck_assert_int_eq(txn_end(peer, &p, true, 5), 0);
	ck_assert_str_eq(txn_state(peer, "t1", false), "PrepareCommit");
	ck_assert_int_eq(stable(0), 0);
	struct txn_producer other = {.id = "t1"};
	ck_assert_int_eq(txn_init(peer, &other, false, 60000, 4), CONCURRENT);
	ck_assert_int_eq(txn_add(peer, &p, topic, 1, 3), CONCURRENT);
	ck_assert_int_eq(txn_end(peer, &again, true, 5), CONCURRENT);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), CONCURRENT);
	ck_assert_str_eq(txn_state(peer, "t1", true), "CompleteCommit");
	ck_assert_int_eq(stable(0), 3);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
}
END_TEST

START_TEST(sends_markers_again)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	ck_assert_int_eq(txn_send(peer, &p, topic, 1, 0, 12), 0);
	char text[128];
	/* Every 100 ms: so often that what is asked in between finds it at work. */
	snprintf(text, sizeof(text),
		 "write_txn_markers topic=%s partition=1 count=20 "
		 "error=NOT_LEADER_OR_FOLLOWER",
		 topic);
	fault(text);
	ck_assert_int_eq(txn_end(peer, &p, false, 5), 0);
	ck_assert_str_eq(txn_state(peer, "t1", false), "PrepareAbort");
	ck_assert_int_eq(stable(0), 3);
	ck_assert_int_eq(stable(1), 0);
	ck_assert_str_eq(txn_state(peer, "t1", true), "CompleteAbort");
	ck_assert_int_eq(stable(1), 3);
}
END_TEST

/* Partitions that go do not keep it from ending. */
START_TEST(ends_without_a_topic)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	fault("write_txn_markers delay=100");
	ck_assert_int_eq(txn_end(peer, &p, true, 5), 0);
	peer_delete(topic);
	ck_assert_str_eq(txn_state(peer, "t1", true), "CompleteCommit");
}
END_TEST

/* --- time --- */

START_TEST(aborts_what_is_late)
{
	static const char *const config[2][3] = {
		{"transaction.abort.timed.out.transaction.cleanup.interval.ms=20",
		 "transaction.version=1", NULL},
		{"transaction.abort.timed.out.transaction.cleanup.interval.ms=20", NULL},
	};
	start(config[_i]);
	topic = peer_topic();
	peer_create(topic, 1);
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	/* Enough for the two requests that are to come before its end. */
	ck_assert_int_eq(txn_init(peer, &p, true, 1500, 4), 0);
	ck_assert_int_eq(txn_add(peer, &p, topic, 0, 3), 0);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 11), 0);
	const char *state = "Ongoing";
	for (int i = 0; i < 500 && strcmp(state, "CompleteAbort") != 0; i++) {
		usleep(10000);
		state = txn_state(peer, "t1", true);
	}
	ck_assert_str_eq(state, "CompleteAbort");
	ck_assert_int_eq(stable(0), 3);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 2, 11), OLD_EPOCH);
	ck_assert_int_eq(txn_end(peer, &p, true, 4), FENCED);
	ck_assert_int_eq(txn_end(peer, &p, true, 1), OLD_EPOCH);
	/* With KIP-360 it goes on, where its epoch is known to be the last. */
	ck_assert_int_eq(txn_init(peer, &p, true, 60000, 4), _i == 1 ? 0 : FENCED);
}
END_TEST

START_TEST(forgets_ids)
{
	static const char *const config[] = {
		"transactional.id.expiration.ms=1",
		"transaction.remove.expired.transaction.cleanup.interval.ms=20", NULL};
	start(config);
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	int error = 0;
	for (int i = 0; i < 500 && error != NOT_MAPPED; i++) {
		usleep(10000);
		error = txn_end(peer, &p, true, 4);
	}
	ck_assert_int_eq(error, NOT_MAPPED);
}
END_TEST

/* InitProducerId until the last epoch: many at a time, as one after the other is 32766 times
 * that two processes wake each other up, which takes minutes where others want the CPU. */
static void use_epochs_up(struct txn_producer *p)
{
	struct kl_init_producer_id_request request;
	kl_msg_init(&kl_msg_init_producer_id_request, &request);
	request.transactional_id = kl_str(p->id);
	request.transaction_timeout_ms = 60000;
	while (p->epoch < INT16_MAX - 1) {
		int n = kl_min(INT16_MAX - 1 - p->epoch, 100);
		for (int i = 0; i < n; i++)
			peer_ask(peer, &kl_msg_init_producer_id_request, 4, &request);
		for (int i = 0; i < n; i++) {
			struct kl_init_producer_id_response *r =
				peer_read(peer, &kl_msg_init_producer_id_response, 4);
			ck_assert_int_eq(r->error_code, 0);
			ck_assert_int_eq(r->producer_epoch, p->epoch + 1);
			p->producer_id = r->producer_id;
			p->epoch = r->producer_epoch;
		}
	}
}

/* 32767 is never given to a producer. */
START_TEST(changes_ids_behind_the_last_epoch)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t1");
	int64_t first = p.producer_id;
	use_epochs_up(&p);
	ck_assert_int_eq(p.producer_id, first);
	if (_i == 0) { /* the next InitProducerId changes it, */
		ck_assert_int_eq(txn_init(peer, &p, true, 60000, 4), 0);
	} else { /* or the end of a transaction */
		struct txn_producer before = p;
		ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
		ck_assert_int_eq(txn_end(peer, &p, true, 5), 0);
		txn_state(peer, "t1", true);
		ck_assert_int_eq(txn_end(peer, &before, true, 5), 0); /* again */
		ck_assert_int_eq(before.producer_id, p.producer_id);
		ck_assert_int_eq(stable(0), 3);
	}
	ck_assert_int_ne(p.producer_id, first);
	ck_assert_int_eq(p.epoch, 0);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
}
END_TEST

/* --- coordinators --- */

START_TEST(spreads_coordinators)
{
	static const char *const config[] = {"transaction.state.log.num.partitions=50", NULL};
	struct klamm_error err;
	peer_start_with((struct klamm_broker_options){.nodes = 3, .config = config});
	peer = peer_open();
	/* Java's "abc".hashCode() is 96354, and "a" is 97: partitions 4 and 47. */
	int32_t of_abc = txn_find(peer, 1, "abc"), of_a = txn_find(peer, 1, "a");
	ck_assert_int_eq((of_a - of_abc + 3) % 3, (47 - 4) % 3);
	struct peer *right = peer_open_node(of_abc);
	struct peer *wrong = peer_open_node(of_abc % 3 + 1);
	struct txn_producer p = {.id = "abc"};
	ck_assert_int_eq(txn_init(wrong, &p, false, 60000, 4), KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_eq(txn_init(right, &p, false, 60000, 4), 0);
	fault("init_producer_id error=COORDINATOR_LOAD_IN_PROGRESS");
	ck_assert_int_eq(txn_init(right, &p, true, 60000, 4),
			 KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	fault("init_producer_id coordinator=next"); /* only of the id that it names */
	ck_assert_int_eq(txn_init(right, &p, true, 60000, 4), KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_eq(txn_find(peer, 1, "abc"), of_abc % 3 + 1);
	ck_assert_int_eq(txn_find(peer, 1, "a"), of_a);
	ck_assert_int_eq(txn_init(wrong, &p, true, 60000, 4), 0);
	ck_assert_int_eq(p.epoch, 1);
	peer_close(right);
	peer_close(wrong);
	int32_t node = of_abc % 3 + 1;
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, node, false, &err), 0);
	peer_close(peer);
	peer = peer_open_node(node == 1 ? 2 : 1);
	ck_assert_int_ne(txn_find(peer, 1, "abc"), node);
}
END_TEST

/* --- a data directory --- */

static void files_up(void)
{
	dir = unit_tmp();
	start(NULL);
	topic = peer_topic();
	peer_create(topic, 2);
}

static void come_back(void)
{
	peer_close(peer);
	peer_stop();
	start(NULL);
}

START_TEST(outlives_the_broker)
{
	struct txn_producer p, q;
	txn_begin(peer, &p, "open");
	txn_begin(peer, &q, "ended");
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	ck_assert_int_eq(txn_send(peer, &q, topic, 1, 0, 12), 0);
	fault("write_txn_markers delay=60000");
	ck_assert_int_eq(txn_end(peer, &q, true, 5), 0);
	come_back();
	/* What was decided is done. */
	ck_assert_str_eq(txn_state(peer, "ended", true), "CompleteCommit");
	ck_assert_int_eq(stable(1), 3);
	/* What was open goes on. */
	ck_assert_str_eq(txn_state(peer, "open", false), "Ongoing");
	ck_assert_int_eq(stable(0), 0);
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 2, 12), 0);
	ck_assert_int_eq(txn_end(peer, &p, false, 5), 0);
	ck_assert_str_eq(txn_state(peer, "open", true), "CompleteAbort");
	come_back();
	struct kl_fetch_response_partition *r = txn_fetch(peer, topic, 0);
	ck_assert_int_eq(r->last_stable_offset, 5);
	ck_assert_int_eq(r->aborted_transactions_n, 1);
	ck_assert_int_eq(r->aborted_transactions[0].producer_id, p.producer_id);
	ck_assert_int_eq(txn_init(peer, &p, true, 60000, 4), 0);
}
END_TEST

/* --- for administrators --- */

START_TEST(lists_them)
{
	struct txn_producer a, b;
	txn_begin(peer, &a, "order-1");
	txn_begin(peer, &b, "order-2");
	ck_assert_int_eq(txn_add(peer, &b, topic, 1, 3), 0);
	static const struct {
		const char *state, *pattern;
		int count, unknown, error;
	} rows[] = {
		{NULL, NULL, 2, 0, 0},
		{"Ongoing", NULL, 1, 0, 0},
		{"Nonsense", NULL, 0, 1, 0},
		{NULL, "order-[2-9]", 1, 0, 0},
		{NULL, "order", 0, 0, 0}, /* all of it has to match */
		{NULL, "(", 0, 0, KLAMM_ERR_INVALID_REGULAR_EXPRESSION},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		struct kl_list_transactions_request request;
		struct kl_str state = kl_str(rows[i].state);
		kl_msg_init(&kl_msg_list_transactions_request, &request);
		request.state_filters = &state;
		request.state_filters_n = rows[i].state != NULL;
		request.transactional_id_pattern = kl_str(rows[i].pattern);
		struct kl_list_transactions_response *r =
			PEER_CALL(peer, list_transactions, 2, &request);
		ck_assert_int_eq(r->error_code, rows[i].error);
		ck_assert_int_eq(r->transaction_states_n, rows[i].count);
		ck_assert_int_eq(r->unknown_state_filters_n, rows[i].unknown);
	}
}
END_TEST

/* One that hangs is ended by hand, as kafka-transactions.sh does it. */
START_TEST(ends_one_that_hangs)
{
	struct txn_producer p;
	int32_t partition = 0;
	txn_begin(peer, &p, "t1");
	ck_assert_int_eq(txn_send(peer, &p, topic, 0, 0, 12), 0);
	struct kl_describe_producers_request_topic of = {
		.name = kl_str(topic),
		.partition_indexes = &partition,
		.partition_indexes_n = 1,
	};
	struct kl_describe_producers_request ask = {.topics = &of, .topics_n = 1};
	struct kl_describe_producers_response *d =
		PEER_CALL(peer, describe_producers, 0, &ask);
	ck_assert_int_eq(d->topics[0].partitions[0].active_producers_n, 1);
	struct kl_describe_producers_response_active_producer *one =
		&d->topics[0].partitions[0].active_producers[0];
	ck_assert_int_eq(one->producer_id, p.producer_id);
	ck_assert_int_eq(one->last_sequence, 1);
	ck_assert_int_eq(one->coordinator_epoch, -1);
	ck_assert_int_eq(one->current_txn_start_offset, 0);
	struct kl_write_txn_markers_request_topic at = {
		.name = kl_str(topic),
		.partition_indexes = &partition,
		.partition_indexes_n = 1,
	};
	struct kl_write_txn_markers_request_marker marker = {
		.producer_id = p.producer_id, .producer_epoch = p.epoch, .topics = &at,
		.topics_n = 1};
	struct kl_write_txn_markers_request request = {.markers = &marker, .markers_n = 1};
	struct kl_write_txn_markers_response *r =
		PEER_CALL(peer, write_txn_markers, 1, &request);
	ck_assert_int_eq(r->markers[0].topics[0].partitions[0].error_code, 0);
	ck_assert_int_eq(stable(0), 3);
	marker.producer_epoch = (int16_t)(p.epoch - 1);
	r = PEER_CALL(peer, write_txn_markers, 1, &request);
	ck_assert_int_eq(r->markers[0].topics[0].partitions[0].error_code, OLD_EPOCH);
}
END_TEST

START_TEST(tells_its_version)
{
	static const char *const config[3][2] = {
		{"transaction.version=0"}, {"transaction.version=1"}, {NULL}};
	start(config[_i]);
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	request.client_software_name = request.client_software_version = KL_STR("t");
	for (int version = 3; version <= 4; version++) {
		struct kl_api_versions_response *r =
			PEER_CALL(peer, api_versions, version, &request);
		ck_assert_int_eq(r->supported_features_n, version >= 4 ? 2 : 0);
		int16_t level = 0;
		for (int32_t i = 0; i < r->finalized_features_n; i++)
			if (kl_str_is(r->finalized_features[i].name, "transaction.version"))
				level = r->finalized_features[i].max_version_level;
		ck_assert_int_eq(level, _i);
		ck_assert_int_ge(r->finalized_features_epoch, 0);
	}
}
END_TEST

UNIT_SUITE(txns)
{
	Suite *s = suite_create("txns");
	unit_add_case(s, "commits_and_aborts", commits_and_aborts, up, down, 3);
	unit_add_fixture(s, writes_markers, up, down);
	unit_add_fixture(s, holds_readers_back, up, down);
	unit_add_case(s, "refuses", refuses, up, down, 3);
	unit_add_fixture(s, checks_what_it_is_given, up, down);
	unit_add_case(s, "changes_ids_behind_the_last_epoch",
		      changes_ids_behind_the_last_epoch, up, down, 2);
	unit_add_fixture(s, ends_one_that_hangs, up, down);
	/* What our settings, our faults or a broker of its own bring about. */
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, answers_brokers, up, down);
	unit_add_fixture(s, takes_its_time, up, down);
	unit_add_fixture(s, sends_markers_again, up, down);
	unit_add_fixture(s, ends_without_a_topic, up, down);
	unit_add_case(s, "aborts_what_is_late", aborts_what_is_late, NULL, down, 2);
	unit_add_fixture(s, forgets_ids, NULL, down);
	unit_add_fixture(s, spreads_coordinators, NULL, down);
	unit_add_fixture(s, outlives_the_broker, files_up, down);
	unit_add_fixture(s, lists_them, up, down);
	unit_add_case(s, "tells_its_version", tells_its_version, NULL, down, 3);
	return s;
}
