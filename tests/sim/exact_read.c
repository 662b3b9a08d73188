/* SPDX-License-Identifier: BSD-2-Clause */
/* The reader: follows from the start to the end of what was committed. */
#include "tests/sim/exact.h"

#define READ_OUT (300 * (int64_t)KL_SECOND)
/* Bytes of connections that were given up may still reach the broker for so long. */
#define STRAGGLERS (20 * (int64_t)KL_SECOND)

static void poll_once(struct exact *e, struct klamm_consumer *consumer)
{
	struct klamm_batch *batch = NULL;
	struct klamm_error err;
	int rc = klamm_consumer_poll(consumer, 500, &batch, &err);
	struct klamm_record_view view;
	while (batch != NULL && klamm_batch_next(batch, &view) == 1)
		e->role->saw(e, klamm_batch_partition(batch), &view);
	klamm_batch_unref(batch);
	if (rc != 0 && !exact_allows(e, rc))
		scenario_complain(e->run, "reader: %s (%s)\n", err.text, klamm_err_name(rc));
}

static bool at_end(struct exact *e, struct klamm_consumer *consumer)
{
	for (unsigned i = 0; i < e->partitions; i++) {
		int64_t end = 0;
		klamm_broker_offsets(e->broker, EXACT_TOPIC, (int32_t)i, NULL, &end, NULL);
		if (!klamm_consumer_at_end(consumer, EXACT_TOPIC, (int32_t)i) ||
		    klamm_consumer_high_watermark(consumer, EXACT_TOPIC, (int32_t)i) != end)
			return false;
	}
	return true;
}

void exact_reader_main(void *arg)
{
	struct exact *e = arg;
	struct klamm_error err;
	scenario_await(e->sim, &e->listening);
	struct klamm_loop *loop = scenario_loop(e->reader_node);
	struct klamm_consumer *consumer = exact_consumer(e, loop, EXACT_TOPIC, NULL);
	int64_t quiet_since = KL_NEVER;
	while (quiet_since == KL_NEVER || kl_sim_now(e->sim) < quiet_since + STRAGGLERS) {
		if (e->done && e->over && quiet_since == KL_NEVER)
			quiet_since = kl_sim_now(e->sim);
		poll_once(e, consumer);
	}
	while (!at_end(e, consumer) && kl_sim_now(e->sim) < quiet_since + READ_OUT)
		poll_once(e, consumer);
	if (!at_end(e, consumer))
		scenario_complain(e->run, "the reader does not come to the end\n");
	if (klamm_consumer_close(consumer, 10000, &err) != 0)
		scenario_complain(e->run, "closing the reader: %s\n", err.text);
	if (e->role->settle != NULL)
		e->role->settle(e, loop);
	klamm_loop_free(loop);
	e->read = true;
}
