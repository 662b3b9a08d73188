/* SPDX-License-Identifier: BSD-2-Clause */
/* The scenario "ctp": a client copies one topic to another, with its position in the same
 * transaction (consume, transform, produce). */

#include "tests/sim/exact.h"

#define CALL_MS 10000
#define PATIENCE (300 * (int64_t)KL_SECOND)

/* One incarnation of the client. */
struct copier {
	struct exact *e;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	struct klamm_consumer *consumer;
	int64_t next[EXACT_PARTITIONS_MAX]; /* input to copy; behind it all is committed */
	int64_t astray; /* where the open transaction read instead; -1 = it did not */
};

unsigned exact_copy_input(const struct exact *e)
{
	return e->total / e->partitions;
}

/* --- values: which input record it is, or a copy of --- */

static void put_value(uint8_t value[12], int32_t partition, int64_t offset)
{
	kl_store_u32(value, (uint32_t)partition);
	kl_store_u64(value + 4, (uint64_t)offset);
}

static bool get_value(const struct klamm_record_view *view, int32_t *partition_out,
		      int64_t *offset_out)
{
	if (view->value.data == NULL || view->value.len != 12)
		return false;
	const uint8_t *p = view->value.data;
	*partition_out = (int32_t)kl_load_u32(p);
	*offset_out = (int64_t)kl_load_u64(p + 4);
	return true;
}

static int send_value(struct klamm_producer *producer, struct klamm_topic *topic,
		      int32_t to, int32_t partition, int64_t offset, struct klamm_error *err)
{
	uint8_t value[12];
	struct klamm_record record;
	put_value(value, partition, offset);
	klamm_record_init(&record);
	record.value = (struct klamm_span){value, sizeof(value)};
	record.partition = to;
	return klamm_producer_send(producer, topic, &record, NULL, err);
}

/* --- input --- */

static void write_input(struct exact *e, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_topic *topic;
	struct klamm_producer *producer = exact_producer(e, loop, NULL);
	uint64_t failed = 0;
	if (klamm_producer_topic(producer, EXACT_INPUT, &topic, &err) != 0)
		scenario_give_up(err.text);
	for (int64_t i = 0; i < exact_copy_input(e); i++)
		for (int32_t p = 0; p < (int32_t)e->partitions; p++)
			if (send_value(producer, topic, p, p, i, &err) != 0)
				scenario_give_up(err.text);
	if (klamm_producer_flush(producer, CALL_MS, &failed, &err) != 0 || failed > 0)
		scenario_give_up("the input could not be written");
	klamm_topic_unref(topic);
	klamm_producer_close(producer, CALL_MS, &err);
}

/* --- copies --- */

/* What is committed, which must not go back. */
static bool read_checkpoint(struct exact *e, struct klamm_consumer *consumer,
			    int64_t next[EXACT_PARTITIONS_MAX])
{
	int64_t deadline = kl_sim_now(e->sim) + PATIENCE;
	struct klamm_committed entries[EXACT_PARTITIONS_MAX];
	struct klamm_error err;
	for (unsigned i = 0; i < e->partitions; i++)
		entries[i] = (struct klamm_committed){.size = sizeof(entries[i]),
						      .topic = EXACT_INPUT,
						      .partition = (int32_t)i};
	while (klamm_consumer_committed(consumer, entries, e->partitions, CALL_MS, &err) !=
	       0) {
		if (kl_sim_now(e->sim) > deadline) {
			scenario_complain(e->run, "committed: %s\n", err.text);
			return false;
		}
		kl_sim_sleep(e->sim, 100 * KL_MS);
	}
	for (unsigned i = 0; i < e->partitions; i++) {
		copies_checkpoint(e->copies, (int32_t)i, entries[i].offset);
		next[i] = kl_max(entries[i].offset, (int64_t)0);
	}
	return true;
}

static bool is_through(const struct copier *c)
{
	for (unsigned i = 0; i < c->e->partitions; i++)
		if (c->next[i] < exact_copy_input(c->e))
			return false;
	return true;
}

enum exact_step exact_copy_record(struct exact *e, struct klamm_producer *producer,
				  struct klamm_topic *topic, int32_t partition,
				  const struct klamm_record_view *view)
{
	struct klamm_error err;
	int32_t from;
	int64_t at;
	int rc;
	if (!get_value(view, &from, &at) || from != partition || at != view->offset)
		scenario_complain(e->run, "input %d/%lld is damaged\n", partition,
				  (long long)view->offset);
	while ((rc = send_value(producer, topic, partition, partition, view->offset, &err)) !=
		       0 &&
	       err.scope != KLAMM_SCOPE_ABORTABLE && err.scope != KLAMM_SCOPE_FATAL)
		kl_sim_sleep(e->sim, 100 * KL_MS);
	if (rc == 0)
		return EXACT_DONE;
	return err.scope == KLAMM_SCOPE_FATAL ? EXACT_FATAL : EXACT_ABORT;
}

static enum exact_step copy(struct copier *c, struct klamm_batch *batch, int64_t *end_out)
{
	int32_t partition = klamm_batch_partition(batch);
	struct klamm_record_view view;
	enum exact_step step = EXACT_DONE;
	int64_t most = 1 + (int64_t)exact_below(c->e, 20);
	*end_out = c->next[partition];
	while (step == EXACT_DONE && most-- > 0 && klamm_batch_next(batch, &view) == 1) {
		if (view.offset != *end_out)
			c->astray = view.offset;
		step = exact_copy_record(c->e, c->producer, c->topic, partition, &view);
		*end_out = view.offset + 1;
	}
	return step;
}

static enum exact_step finish(struct copier *c, int32_t partition, int64_t end)
{
	struct klamm_offset offset = {.topic = EXACT_INPUT, .partition = partition,
				      .leader_epoch = -1, .offset = end};
	struct klamm_group_metadata group = {.size = sizeof(group)};
	struct klamm_error err;
	if (klamm_consumer_group_metadata(c->consumer, &group, &err) != 0)
		scenario_give_up(err.text);
	enum exact_step step = exact_send_offsets(c->e, c->producer, &offset, 1, &group);
	return step == EXACT_DONE ? exact_commit(c->e, c->producer) : step;
}

/* Once more from behind what is committed. */
static void rewind_to(struct copier *c, int32_t partition)
{
	struct klamm_error err;
	if (klamm_consumer_seek(c->consumer, EXACT_INPUT, partition, c->next[partition],
				&err) != 0)
		scenario_complain(c->e->run, "seek: %s\n", err.text);
}

/* One that was replaced meanwhile finds places and offsets that move on under its hands, but
 * commits nothing. */
static void check_way(const struct copier *c, int32_t partition)
{
	if (c->astray >= 0)
		scenario_complain(c->e->run, "input %d/%lld was read when %lld was next\n",
				  partition, (long long)c->astray,
				  (long long)c->next[partition]);
}

/* A batch is a transaction, or its first part. false: the producer has to be closed. */
static bool copy_batch(struct copier *c, struct klamm_batch *batch)
{
	int32_t partition = klamm_batch_partition(batch);
	int64_t end;
	if (exact_begin(c->e, c->producer) != EXACT_DONE)
		return false;
	c->astray = -1;
	enum exact_step step = copy(c, batch, &end);
	if (step == EXACT_DONE)
		step = exact_below(c->e, 8) == 0 ? EXACT_ABORT : finish(c, partition, end);
	if (step == EXACT_DONE) {
		check_way(c, partition);
		c->next[partition] = end;
	} else if (step == EXACT_ABORT) {
		step = exact_abort(c->e, c->producer);
	}
	rewind_to(c, partition);
	return step == EXACT_DONE;
}

static bool copy_all(struct copier *c)
{
	bool good = true;
	uint64_t gap = 2 * (uint64_t)(c->e->storm_us + KL_SECOND) / (c->e->total / 10);
	while (good && !is_through(c)) {
		struct klamm_batch *batch = NULL;
		struct klamm_error err;
		int rc = klamm_consumer_poll(c->consumer, 500, &batch, &err);
		if (rc != 0 && !exact_allows(c->e, rc))
			scenario_complain(c->e->run, "consumer: %s\n", err.text);
		if (batch != NULL)
			good = copy_batch(c, batch);
		klamm_batch_unref(batch);
		kl_sim_sleep(c->e->sim, (int64_t)exact_below(c->e, gap));
	}
	return good;
}

static bool live(struct exact *e, struct klamm_loop *loop)
{
	struct copier c = {.e = e};
	struct klamm_error err;
	c.producer = exact_producer(e, loop, "copier");
	if (klamm_producer_topic(c.producer, EXACT_TOPIC, &c.topic, &err) != 0)
		scenario_give_up(err.text);
	bool good = exact_init(e, c.producer) == EXACT_DONE;
	/* Only now: what an earlier one left has ended, and its positions can not move on. */
	c.consumer = exact_consumer(e, loop, EXACT_INPUT, EXACT_GROUP);
	good = good && read_checkpoint(e, c.consumer, c.next) && copy_all(&c);
	klamm_topic_unref(c.topic);
	klamm_producer_close(c.producer, CALL_MS, &err);
	klamm_consumer_close(c.consumer, CALL_MS, &err);
	if (!good)
		kl_sim_sleep(e->sim, 100 * KL_MS);
	return good || e->run->complaints > 0;
}

/* --- the end --- */

void exact_copy_saw(struct exact *e, int32_t partition, const struct klamm_record_view *view)
{
	int32_t from;
	int64_t offset;
	if (!get_value(view, &from, &offset) || from != partition)
		scenario_complain(e->run, "%d/%lld: no copy of ours\n", partition,
				  (long long)view->offset);
	else
		copies_seen(e->copies, from, offset);
}

void exact_copy_settle(struct exact *e, struct klamm_loop *loop)
{
	int64_t next[EXACT_PARTITIONS_MAX];
	struct klamm_error err;
	struct klamm_consumer *consumer = exact_consumer(e, loop, EXACT_INPUT, EXACT_GROUP);
	read_checkpoint(e, consumer, next);
	klamm_consumer_close(consumer, CALL_MS, &err);
}

/* How many there are hangs on the seed: they are made when that is drawn. */
void exact_copy_prepare(struct exact *e, struct klamm_loop *loop)
{
	e->copies = copies_new(e->partitions, exact_copy_input(e));
	write_input(e, loop);
}

void exact_copy_check(struct exact *e)
{
	copies_check(e->copies, &e->run->why);
}

void exact_copy_run(struct scenario_run *run, const struct exact_role *role)
{
	struct exact e = {.run = run, .role = role};
	exact_run(&e);
	if (e.copies != NULL)
		copies_free(e.copies);
}

static void run_ctp(struct scenario_run *run)
{
	static const struct exact_role role = {
		.live = live, .prepare = exact_copy_prepare, .saw = exact_copy_saw,
		.settle = exact_copy_settle, .check = exact_copy_check};
	exact_copy_run(run, &role);
}

const struct scenario scenario_ctp = {
	.name = "ctp",
	.summary = "consume, transform, produce: one committed copy of each record",
	.kinds = exact_kinds,
	.run = run_ctp,
};
