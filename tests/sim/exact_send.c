/* SPDX-License-Identifier: BSD-2-Clause */
/* Records whose number is their value, and the scenario "idempotent". */

#include "tests/sim/exact.h"

#define MARK UINT64_C(0x6578616374)
#define FLUSH_MS 3600000
#define BURST_MAX 12

void exact_delivered(void *arg, const struct klamm_delivery *d)
{
	struct exact *e = arg;
	uint64_t id = (uintptr_t)d->opaque - 1;
	history_done(e->history, id, d->error, d->outcome, d->partition, d->offset);
}

int exact_send(struct exact *e, struct klamm_producer *producer, struct klamm_topic *topic,
		    uint64_t id, struct klamm_error *err)
{
	uint8_t value[16 + 100];
	struct klamm_record record;
	klamm_record_init(&record);
	kl_store_u64(value, id);
	kl_store_u64(value + 8, id ^ MARK);
	memset(value + 16, (uint8_t)id, sizeof(value) - 16);
	record.value = (struct klamm_span){value, 16 + id % 101};
	record.partition = (int32_t)exact_below(e, e->partitions);
	int rc = klamm_producer_send(producer, topic, &record, (void *)(uintptr_t)(id + 1),
				     err);
	history_sent_by(e->history, exact_client_here(e)->producer, id, rc);
	return rc;
}

uint64_t exact_number(const struct klamm_record_view *view)
{
	const uint8_t *p = view->value.data;
	if (p == NULL || view->value.len < 16)
		return HISTORY_ALIEN;
	uint64_t id = kl_load_u64(p);
	if (kl_load_u64(p + 8) != (id ^ MARK) || view->value.len != 16 + id % 101)
		return HISTORY_ALIEN;
	for (size_t i = 16; i < view->value.len; i++)
		if (p[i] != (uint8_t)id)
			return HISTORY_ALIEN;
	return id;
}

/* --- the scenario --- */

/* Again, when all is well: no record may fail any more. */
static void send_after(struct exact *e, struct klamm_producer *producer,
		       struct klamm_topic *topic)
{
	struct klamm_error err;
	uint64_t failed = 0;
	exact_wait_for_quiet(e);
	klamm_producer_flush(producer, FLUSH_MS, &failed, &err); /* those from before */
	for (int i = 0; i < BURST_MAX; i++)
		if (exact_send(e, producer, topic, history_number(e->history), &err) != 0)
			scenario_complain(e->run, "send, long after the trouble: %s\n",
					  err.text);
	klamm_producer_flush(producer, FLUSH_MS, &failed, &err);
	if (failed > 0)
		scenario_complain(e->run, "%llu records fail long after the trouble\n",
				  (unsigned long long)failed);
}

static bool live(struct exact *e, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_topic *topic;
	struct klamm_producer *producer = exact_producer(e, loop, NULL);
	if (klamm_producer_on_delivery(producer, exact_delivered, e, true, &err) != 0 ||
	    klamm_producer_topic(producer, EXACT_TOPIC, &topic, &err) != 0)
		scenario_give_up(err.text);
	uint64_t gap = 2 * (uint64_t)(e->storm_us + KL_SECOND) / (e->total / (BURST_MAX / 2));
	while (e->sent < e->total) {
		uint64_t burst = 1 + exact_below(e, BURST_MAX);
		for (; burst > 0 && e->sent < e->total; burst--, e->sent++)
			if (exact_send(e, producer, topic, history_number(e->history),
				       &err) != 0)
				kl_sim_sleep(e->sim, 100 * KL_MS);
		klamm_producer_poll(producer, 0, NULL, &err);
		kl_sim_sleep(e->sim, (int64_t)exact_below(e, gap));
	}
	if (klamm_producer_flush(producer, FLUSH_MS, NULL, &err) != 0)
		scenario_complain(e->run, "flush: %s\n", err.text);
	send_after(e, producer, topic);
	klamm_topic_unref(topic);
	if (klamm_producer_close(producer, FLUSH_MS, &err) != 0)
		scenario_complain(e->run, "close: %s\n", err.text);
	return true;
}

static void saw(struct exact *e, int32_t partition, const struct klamm_record_view *view)
{
	history_read(e->history, partition, view->offset, exact_number(view));
}

static void check(struct exact *e)
{
	struct history_want want = {
		.all_acked = e->patient && strcmp(e->run->kind, "garbage") != 0 &&
			     strcmp(e->run->kind, "forgets") != 0,
		.no_duplicates = true,
		.in_order = true,
	};
	history_check(e->history, &want, &e->run->why);
	struct history_counts c = history_count(e->history);
	kl_buf_printf(&e->run->note, "%llu acked, %llu failed, ",
		      (unsigned long long)c.acked, (unsigned long long)c.failed);
}

static const struct exact_role role = {.live = live, .saw = saw, .check = check};

static void run_idempotent(struct scenario_run *run)
{
	struct exact e = {.run = run, .role = &role};
	e.history = history_new(EXACT_PARTITIONS_MAX);
	exact_run(&e);
	history_free(e.history);
}

const struct scenario scenario_idempotent = {
	.name = "idempotent",
	.summary = "an idempotent producer: nothing lost, nothing twice, all in order",
	.kinds = exact_kinds,
	.run = run_idempotent,
};
