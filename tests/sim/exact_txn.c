/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls of a transactional producer with what an application has to do about their errors,
 * and the scenario "transactional". */

#include "tests/sim/exact.h"

#define CALL_MS 10000
/* A call that says "again" this often does not come to an end. */
#define TRIES_MAX 200
#define RECORDS_MAX 10
#define AFTER 3 /* transactions when all is well again */
/* Before them, and not judged. A request of a connection that is long closed may still arrive
 * and begin the verification of a transaction that is over; until the next marker a leader
 * (Kafka's too) takes no sequence above that of the request.
 */
#define SPOILED 2

/* --- the calls --- */

/* What is to be done about an error; again: the same call. */
static bool again(struct exact *e, const char *call, const struct klamm_error *err,
		  unsigned *tries, enum exact_step *step_out)
{
	*step_out = EXACT_FATAL;
	switch (err->scope) {
	case KLAMM_SCOPE_RETRIABLE:
		if (++*tries <= TRIES_MAX)
			return true;
		scenario_complain(e->run, "%s: still no end: %s\n", call, err->text);
		return false;
	case KLAMM_SCOPE_ABORTABLE:
		*step_out = EXACT_ABORT;
		return false;
	case KLAMM_SCOPE_FATAL:
		return false;
	default:
		if (!exact_allows(e, err->code))
			scenario_complain(e->run, "%s: an error of the scope %s: %s\n",
					  call, klamm_scope_name(err->scope), err->text);
		return false;
	}
}

enum exact_step exact_init(struct exact *e, struct klamm_producer *producer)
{
	struct klamm_error err;
	enum exact_step step;
	unsigned tries = 0;
	do
		if (klamm_producer_init_transactions(producer, CALL_MS, &err) == 0)
			return EXACT_DONE;
	while (again(e, "init_transactions", &err, &tries, &step));
	return step;
}

enum exact_step exact_begin(struct exact *e, struct klamm_producer *producer)
{
	struct klamm_error err;
	enum exact_step step;
	unsigned tries = 0;
	do
		if (klamm_producer_begin_transaction(producer, &err) == 0)
			return EXACT_DONE;
	while (again(e, "begin_transaction", &err, &tries, &step));
	return step;
}

enum exact_step exact_send_offsets(struct exact *e, struct klamm_producer *producer,
				   const struct klamm_offset *offsets, size_t count,
				   const struct klamm_group_metadata *group)
{
	struct klamm_error err;
	enum exact_step step;
	unsigned tries = 0;
	do
		if (klamm_producer_send_offsets(producer, offsets, count, group, CALL_MS,
						&err) == 0)
			return EXACT_DONE;
	while (again(e, "send_offsets", &err, &tries, &step));
	return step;
}

enum exact_step exact_commit(struct exact *e, struct klamm_producer *producer)
{
	struct klamm_error err;
	enum exact_step step;
	unsigned tries = 0;
	do
		if (klamm_producer_commit_transaction(producer, CALL_MS, &err) == 0)
			return EXACT_DONE;
	while (again(e, "commit_transaction", &err, &tries, &step));
	return step;
}

enum exact_step exact_abort(struct exact *e, struct klamm_producer *producer)
{
	struct klamm_error err;
	enum exact_step step;
	unsigned tries = 0;
	do
		if (klamm_producer_abort_transaction(producer, CALL_MS, &err) == 0)
			return EXACT_DONE;
	while (again(e, "abort_transaction", &err, &tries, &step));
	if (step == EXACT_ABORT)
		scenario_complain(e->run, "abort_transaction asks for an abort: %s\n",
				  err.text);
	return EXACT_FATAL;
}

/* --- the scenario --- */

static enum exact_step fill(struct exact *e, struct klamm_producer *producer,
			    struct klamm_topic *topic, uint64_t txn)
{
	struct klamm_error err;
	uint64_t count = 1 + exact_below(e, RECORDS_MAX);
	for (; count > 0; count--) {
		uint64_t id = history_number(e->history);
		txns_add(e->txns, txn, id);
		int rc = exact_send(e, producer, topic, id, &err);
		e->sent++;
		if (rc != 0 && err.scope == KLAMM_SCOPE_ABORTABLE)
			return EXACT_ABORT;
		if (rc != 0 && err.scope == KLAMM_SCOPE_FATAL)
			return EXACT_FATAL;
		if (exact_below(e, 8) == 0)
			kl_sim_sleep(e->sim, (int64_t)exact_below(e, 300 * KL_MS));
	}
	klamm_producer_poll(producer, 0, NULL, &err);
	return EXACT_DONE;
}

/* false: the producer has to be closed. */
static bool transact(struct exact *e, struct klamm_producer *producer,
		     struct klamm_topic *topic)
{
	if (exact_begin(e, producer) != EXACT_DONE)
		return false;
	uint64_t txn = txns_begin(e->txns);
	enum exact_step step = fill(e, producer, topic, txn);
	if (step == EXACT_DONE && (e->quiet || exact_below(e, 5) != 0)) {
		/* From here on, until an answer comes. */
		txns_end(e->txns, txn, TXN_UNKNOWN);
		step = exact_commit(e, producer);
		if (step == EXACT_DONE)
			txns_end(e->txns, txn, TXN_COMMITTED);
	} else if (step == EXACT_DONE) {
		step = EXACT_ABORT;
	}
	if (e->quiet && step != EXACT_DONE && !exact_client_here(e)->succeeded)
		scenario_complain(e->run, "a transaction fails long after the trouble\n");
	if (step != EXACT_ABORT)
		return step == EXACT_DONE;
	/* One that may be aborted was not committed. */
	txns_end(e->txns, txn, TXN_ABORTED);
	return exact_abort(e, producer) == EXACT_DONE;
}

static bool live(struct exact *e, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_topic *topic;
	struct klamm_producer *producer = exact_producer(e, loop, "exact");
	if (klamm_producer_on_delivery(producer, exact_delivered, e, true, &err) != 0 ||
	    klamm_producer_topic(producer, EXACT_TOPIC, &topic, &err) != 0)
		scenario_give_up(err.text);
	bool good = exact_init(e, producer) == EXACT_DONE;
	uint64_t gap = 2 * (uint64_t)(e->storm_us + KL_SECOND) / (e->total / RECORDS_MAX);
	while (good && e->sent < e->total) {
		good = transact(e, producer, topic);
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, gap));
	}
	if (good)
		exact_wait_for_quiet(e);
	for (int i = -SPOILED; good && i < AFTER; i++) {
		e->quiet = i >= 0;
		good = transact(e, producer, topic);
	}
	klamm_topic_unref(topic);
	klamm_producer_close(producer, CALL_MS, &err);
	if (!good)
		kl_sim_sleep(e->sim, 100 * KL_MS);
	return good;
}

static void saw(struct exact *e, int32_t partition, const struct klamm_record_view *view)
{
	history_read(e->history, partition, view->offset, exact_number(view));
}

static void check(struct exact *e)
{
	struct history_want want = {.no_duplicates = true, .in_order = true};
	txns_check(e->txns, e->history, &e->run->why);
	history_check(e->history, &want, &e->run->why);
	struct txns_counts c = txns_count(e->txns, e->history);
	kl_buf_printf(&e->run->note, "%llu committed, %llu aborted, %llu left, ",
		      (unsigned long long)(c.committed + c.unknown_seen),
		      (unsigned long long)(c.aborted + c.unknown_unseen),
		      (unsigned long long)c.left);
}

static const struct exact_role role = {.live = live, .saw = saw, .check = check};

static void run_transactional(struct scenario_run *run)
{
	struct exact e = {.run = run, .role = &role};
	e.history = history_new(EXACT_PARTITIONS_MAX);
	e.txns = txns_new();
	history_allow_gaps(e.history);
	exact_run(&e);
	history_free(e.history);
	txns_free(e.txns);
}

const struct scenario scenario_transactional = {
	.name = "transactional",
	.summary = "a transactional producer: all of a transaction or nothing",
	.kinds = exact_kinds,
	.run = run_transactional,
};
