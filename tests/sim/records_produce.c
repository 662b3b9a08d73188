/* SPDX-License-Identifier: BSD-2-Clause */
/* The producing side: fibers that send, one that runs the callbacks, and the closing. */
#include <stdlib.h>

#include "tests/sim/records.h"

/* Virtual time that flush and close have: far more than the storm leaves to be done. */
#define FLUSH_MS 3000000
#define BURST_MAX 100

static void delivered(void *arg, const struct klamm_delivery *d)
{
	struct records *r = arg;
	uint64_t id = (uintptr_t)d->opaque - 1;
	history_done(r->history, id, d->error, d->outcome, d->partition, d->offset);
	if (d->error != 0 && (r->plan.patient || d->text[0] == '\0'))
		scenario_complain(r->run, "record %llu: failed: %s\n",
				  (unsigned long long)id, d->text);
}

static int send_one(struct records *r, uint64_t id)
{
	struct records_payload payload;
	struct klamm_record record;
	struct klamm_error err;
	records_fill(r, id, &payload, &record);
	void *opaque = (void *)(uintptr_t)(id + 1);
	int rc = klamm_producer_send(r->producer, r->topic, &record, opaque, &err);
	history_sent(r->history, id, rc);
	/* No memory or no metadata in max.block.ms: a storm may do that, and no more. */
	if (rc != 0 && rc != KLAMM_ERR_TIMED_OUT && rc != KLAMM_ERR_QUEUE_FULL)
		scenario_complain(r->run, "send: %s\n", err.text);
	return rc;
}

/* Bursts, spread over a little more than the storm. */
static void sender_main(void *arg)
{
	struct records *r = arg;
	unsigned mine = r->plan.count / r->plan.senders;
	int64_t gap = (r->plan.storm_us + 5 * KL_SECOND) / (mine / (BURST_MAX / 2));
	for (unsigned left = mine; left > 0;) {
		uint64_t burst = 1 + kl_sim_below(r->sim, BURST_MAX);
		for (; burst > 0 && left > 0; burst--, left--)
			if (send_one(r, history_number(r->history)) != 0)
				kl_sim_sleep(r->sim, 100 * KL_MS);
		kl_sim_sleep(r->sim, (int64_t)kl_sim_below(r->sim, 2 * (uint64_t)gap));
	}
	r->senders_left--;
}

static void callbacks_main(void *arg)
{
	struct records *r = arg;
	while (r->senders_left > 0) {
		struct klamm_error err;
		if (klamm_producer_poll(r->producer, 200, NULL, &err) != 0)
			scenario_complain(r->run, "poll: %s\n", err.text);
	}
}

static void open_producer(struct records *r, struct klamm_loop *loop)
{
	struct klamm_error err;
	if (klamm_producer_new(r->plan.producer_conf, loop, &r->producer, &err) != 0 ||
	    klamm_producer_on_delivery(r->producer, delivered, r, true, &err) != 0 ||
	    klamm_producer_topic(r->producer, RECORDS_TOPIC, &r->topic, &err) != 0)
		scenario_give_up(err.text);
}

static void close_producer(struct records *r)
{
	struct klamm_error err;
	if (r->plan.flush) {
		uint64_t failed;
		if (klamm_producer_flush(r->producer, FLUSH_MS, &failed, &err) != 0)
			scenario_complain(r->run, "flush: %s\n", err.text);
		if (history_open(r->history) > 0)
			scenario_complain(r->run, "flush: %llu records are still open\n",
					  (unsigned long long)history_open(r->history));
	}
	klamm_topic_unref(r->topic);
	if (klamm_producer_close(r->producer, FLUSH_MS, &err) != 0)
		scenario_complain(r->run, "close: %s\n", err.text);
}

void records_producer_main(void *arg)
{
	struct records *r = arg;
	struct kl_os *os = kl_sim_os(r->producer_node);
	scenario_await(r->sim, &r->listening);
	struct klamm_loop *loop = scenario_loop(r->producer_node);
	open_producer(r, loop);
	struct kl_thread *threads[4];
	unsigned n = 0;
	r->senders_left = r->plan.senders;
	while (n < r->plan.senders)
		if (os->thread_start(os, "sender", sender_main, r, &threads[n++]) != 0)
			abort();
	if (os->thread_start(os, "callbacks", callbacks_main, r, &threads[n++]) != 0)
		abort();
	while (n > 0)
		os->thread_join(os, threads[--n]);
	close_producer(r);
	klamm_loop_free(loop);
	r->produced_at = kl_sim_now(r->sim);
	r->produced = true;
}
