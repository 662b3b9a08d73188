/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/txn_work.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/txns.h"
#include "core/record/batch_read.h"

#define MAX 4000
#define PARTITIONS 2
#define ID KL_STR("worker")

enum fate {
	UNKNOWN,
	COMMITTED,
	ABORTED,
};
enum phase {
	BEGIN, /* anew: it is not known what the coordinator knows */
	ADD,
	AWAIT_ADD, /* before the coordinator knows for good, nothing may be written */
	AWAIT_WRITES,
	AWAIT_END,
};

struct txn_work {
	uint64_t random;
	enum phase phase;
	struct kl_dev_txn_ask ask;
	uint32_t number; /* of the transaction that is now */
	bool commits;    /* it will */
	struct kl_dev_pledge pledges[PARTITIONS + 1];
	int pledge_count;
	enum fate fates[MAX]; /* as far as they were acknowledged */
	uint8_t found[MAX];   /* committed there: a bit for each partition */
	unsigned committed;
};

struct txn_work *txn_work_new(uint64_t seed)
{
	struct txn_work *w = calloc(1, sizeof(*w));
	if (w == NULL)
		abort();
	w->random = seed | 1;
	return w;
}

void txn_work_free(struct txn_work *w)
{
	free(w);
}

static uint64_t draw(struct txn_work *w)
{
	w->random ^= w->random << 13;
	w->random ^= w->random >> 7;
	w->random ^= w->random << 17;
	return w->random;
}

/* --- one transaction after the other --- */

static struct kl_dev_partition *partition_of(struct klamm_broker *broker, int i)
{
	return kl_dev_partition(kl_dev_topic_named(broker, KL_STR(TXN_WORK_TOPIC)), i);
}

/* Whoever begins anew ends what is there. */
static void give_up(struct txn_work *w, enum fate fate)
{
	w->fates[w->number] = fate;
	w->phase = BEGIN;
}

static bool begin(struct txn_work *w, struct klamm_broker *broker)
{
	struct kl_dev_topic *topic;
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, ID);
	if (home == NULL) {
		kl_dev_topic_create_internal(broker, KL_STR("__transaction_state"), &topic);
		return false;
	}
	struct kl_dev_txn_ask anew = {.id = ID, .producer_id = -1, .epoch = -1, .version = 2};
	w->ask = anew;
	if (w->number + 2 >= MAX || kl_dev_home_ready(broker, home) != 0)
		return false;
	if (kl_dev_txn_init(broker, home, &anew, 60000, &w->ask.producer_id, &w->ask.epoch))
		return false;
	w->number++;
	w->phase = ADD;
	return true;
}

static int write_one(struct txn_work *w, struct klamm_broker *broker,
		     struct kl_dev_partition *partition)
{
	struct kl_dev_batch batch;
	struct kl_batch_head head;
	const struct kl_dev_seen *seen;
	struct klamm_span value = {&w->number, sizeof(w->number)};
	if (kl_dev_home_ready(broker, partition) != 0)
		return -1;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	kl_dev_batch_add(&batch, (struct klamm_span){NULL, 0}, value);
	kl_dev_batch_end(&batch, KL_ATTR_TRANSACTIONAL, w->ask.producer_id, w->ask.epoch);
	kl_batch_head_get(batch.buf.data, &head);
	int rc = kl_dev_producer_check(&partition->producers, &head, KL_DEV_FROM_COORDINATOR,
				       &seen);
	if (rc == 0)
		rc = kl_dev_home_append(broker, partition, &batch, &head.base_offset);
	if (rc == 0)
		kl_dev_producer_note(&partition->producers, &head, head.base_offset);
	kl_dev_batch_free(&batch);
	return rc;
}

static void add_all(struct txn_work *w, struct klamm_broker *broker)
{
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, ID);
	struct kl_dev_txn_name names[PARTITIONS];
	if (home == NULL || kl_dev_home_ready(broker, home) != 0 ||
	    kl_dev_txn_may_add(broker, &w->ask) != 0)
		return; /* the one before still ends */
	for (int i = 0; i < PARTITIONS; i++)
		names[i] = (struct kl_dev_txn_name){KL_STR(TXN_WORK_TOPIC), i};
	if (kl_dev_txn_add_all(broker, &w->ask, names, PARTITIONS) != 0) {
		give_up(w, ABORTED);
		return;
	}
	w->pledges[0] = kl_dev_pledge_on(home);
	w->pledge_count = 1;
	w->phase = AWAIT_ADD;
}

static void write_all(struct txn_work *w, struct klamm_broker *broker)
{
	w->pledge_count = 0;
	for (int i = 0; i < PARTITIONS; i++) {
		struct kl_dev_partition *partition = partition_of(broker, i);
		if (kl_dev_txn_verify(broker, &w->ask) != 0 ||
		    write_one(w, broker, partition) != 0) {
			give_up(w, ABORTED);
			return;
		}
		w->pledges[w->pledge_count++] = kl_dev_pledge_on(partition);
	}
	w->commits = draw(w) % 3 != 0;
	w->phase = AWAIT_WRITES;
}

/* 1: all are kept; 0: not yet; -1: some are not. */
static int settle(struct txn_work *w, struct klamm_broker *broker)
{
	int kept = 1;
	for (int i = 0; i < w->pledge_count; i++) {
		if (!kl_dev_pledge_settle(broker, &w->pledges[i]))
			return 0;
		kept = w->pledges[i].error != 0 ? -1 : kept;
	}
	return kept;
}

static void end(struct txn_work *w, struct klamm_broker *broker)
{
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, ID);
	struct kl_dev_txn_ask next = w->ask;
	if (home == NULL || kl_dev_home_ready(broker, home) != 0) {
		give_up(w, ABORTED);
		return;
	}
	int rc = kl_dev_txn_end(broker, &w->ask, w->commits, &next.producer_id, &next.epoch);
	if (rc != 0) {
		give_up(w, w->commits ? UNKNOWN : ABORTED);
		return;
	}
	w->ask = next;
	w->pledges[0] = kl_dev_pledge_on(home);
	w->pledge_count = 1;
	w->phase = AWAIT_END;
}

static void ended(struct txn_work *w)
{
	w->fates[w->number] = w->commits ? COMMITTED : ABORTED;
	w->committed += w->commits;
	w->number++;
	w->phase = ADD;
}

void txn_work_step(struct txn_work *w, struct klamm_broker *broker)
{
	int kept;
	if (w->number + 2 >= MAX)
		return;
	switch (w->phase) {
	case BEGIN:
		begin(w, broker);
		break;
	case ADD:
		if (draw(w) % 50 == 0) /* for no reason */
			w->phase = BEGIN;
		else
			add_all(w, broker);
		break;
	case AWAIT_ADD:
		kept = settle(w, broker);
		if (kept < 0)
			give_up(w, ABORTED);
		else if (kept > 0)
			write_all(w, broker);
		break;
	case AWAIT_WRITES:
		kept = settle(w, broker);
		if (kept < 0 || (kept > 0 && draw(w) % 20 == 0))
			give_up(w, ABORTED);
		else if (kept > 0)
			end(w, broker);
		break;
	case AWAIT_END:
		kept = settle(w, broker);
		if (kept < 0)
			give_up(w, w->commits ? UNKNOWN : ABORTED);
		else if (kept > 0)
			ended(w);
		break;
	}
}

void txn_work_life(struct txn_work *w)
{
	if (w->phase != BEGIN)
		give_up(w, w->phase == AWAIT_END && w->commits ? UNKNOWN : ABORTED);
}

bool txn_work_end(struct txn_work *w, struct klamm_broker *broker)
{
	if (w->phase == AWAIT_WRITES || w->phase == AWAIT_END || w->phase == AWAIT_ADD) {
		txn_work_step(w, broker);
		return false;
	}
	return begin(w, broker) && kl_list_empty(&broker->txns.ending);
}

/* --- what came of them --- */

struct reading {
	struct txn_work *w;
	struct kl_buf *why;
	int partition;
	/* One transaction is open at a time: its number, and where it is in the order. */
	uint32_t open;
	bool is_open;
};

static void complain(struct reading *r, uint32_t number, const char *text)
{
	kl_buf_printf(r->why, "transaction %u, partition %d: %s\n", number, r->partition,
		      text);
}

static void read_end(struct reading *r, const struct klamm_record_view *view)
{
	struct kl_control control;
	if (kl_control_get(view, &control) != 0)
		complain(r, r->open, "its marker cannot be read");
	else if (r->is_open && control.type == KL_CONTROL_COMMIT)
		r->w->found[r->open] |= (uint8_t)(1u << r->partition);
	r->is_open = false;
}

static int read_batch(void *arg, const struct kl_batch_head *head, const uint8_t *p)
{
	struct reading *r = arg;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	uint32_t number;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0);
	if (kl_record_next(&iter, &view) <= 0)
		return 0;
	if (head->attributes & KL_ATTR_CONTROL) {
		read_end(r, &view);
		return 0;
	}
	memcpy(&number, view.value.data, sizeof(number));
	if (r->is_open && r->open != number)
		complain(r, r->open, "it did not end before the next began");
	r->open = number;
	r->is_open = true;
	return 0;
}

void txn_work_check(struct txn_work *w, struct klamm_broker *broker, struct kl_buf *why)
{
	struct reading r = {.w = w, .why = why};
	memset(w->found, 0, sizeof(w->found));
	for (r.partition = 0; r.partition < PARTITIONS; r.partition++) {
		struct kl_dev_partition *partition = partition_of(broker, r.partition);
		r.is_open = false;
		if (kl_dev_log_walk(&partition->log, read_batch, &r) != 0)
			complain(&r, 0, "the log cannot be read");
		if (r.is_open)
			complain(&r, r.open, "it has no end");
		if (kl_dev_partition_stable(partition) != partition->log.end)
			complain(&r, 0, "the last stable offset is not the end");
	}
	for (uint32_t i = 1; i <= w->number; i++) {
		uint8_t found = w->found[i], all = (1u << PARTITIONS) - 1;
		if (found != 0 && found != all)
			complain(&r, i, "it is committed in one partition alone");
		if (w->fates[i] == COMMITTED && found != all)
			complain(&r, i, "its commit was acknowledged, and is lost");
		if (w->fates[i] == ABORTED && found != 0)
			complain(&r, i, "it was aborted, and is committed");
	}
}

void txn_work_note(const struct txn_work *w, struct kl_buf *note)
{
	kl_buf_printf(note, ", %u of %u transactions committed", w->committed, w->number);
}
