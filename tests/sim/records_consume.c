/* SPDX-License-Identifier: BSD-2-Clause */
/* The consuming side: one consumer reads all partitions while they are written. */

#include "tests/sim/records.h"

/* Bytes of connections that were given up may still reach the broker for so long. */
#define STRAGGLERS (60 * KL_SECOND)
/* Calm again: what is left of a partition is read in far less. */
#define READ_OUT (60 * KL_SECOND)

static void read_batch(struct records *r, struct klamm_batch *batch)
{
	int32_t partition = klamm_batch_partition(batch);
	struct klamm_record_view view;
	uint32_t count = klamm_batch_count(batch), seen = 0;
	int rc;
	while ((rc = klamm_batch_next(batch, &view)) == 1) {
		history_read(r->history, partition, view.offset, records_recognize(r, &view));
		seen++;
	}
	if (rc < 0)
		scenario_complain(r->run, "a batch of partition %d ends with %s\n",
				  partition, klamm_err_name(rc));
	else if (seen != count)
		scenario_complain(r->run, "a batch of %u records had %u\n", count, seen);
	klamm_batch_unref(batch);
}

/* What was damaged on its way may be whole the next time: fetch it again. */
static void seek_in_place(struct records *r, struct klamm_consumer *consumer)
{
	for (int32_t i = 0; i < (int32_t)r->plan.partitions; i++) {
		int64_t position;
		struct klamm_error err;
		if (klamm_consumer_position(consumer, RECORDS_TOPIC, i, 0, &position,
					    NULL) == 0 &&
		    klamm_consumer_seek(consumer, RECORDS_TOPIC, i, position, &err) != 0)
			scenario_complain(r->run, "seek: %s\n", err.text);
	}
}

static void poll_once(struct records *r, struct klamm_consumer *consumer)
{
	struct klamm_batch *batch = NULL;
	struct klamm_error err;
	int rc = klamm_consumer_poll(consumer, 500, &batch, &err);
	if (batch != NULL)
		read_batch(r, batch);
	if (rc == 0)
		return;
	r->consumer_errors++;
	/* Damage is what the CRC is for; all else in a storm is retried inside. */
	if (rc == KLAMM_ERR_CORRUPT_BATCH && r->damaged > 0)
		seek_in_place(r, consumer);
	else
		scenario_complain(r->run, "consumer: %s (%s)\n", err.text, klamm_err_name(rc));
	kl_sim_sleep(r->sim, 100 * KL_MS);
}

static int64_t end_of(struct records *r, int32_t partition)
{
	int64_t end;
	struct klamm_error err;
	if (klamm_broker_offsets(r->broker, RECORDS_TOPIC, partition, NULL, &end, &err) == 0)
		return end;
	scenario_complain(r->run, "broker: %s\n", err.text);
	return 0;
}

static void read_to_end(struct records *r, struct klamm_consumer *consumer, int32_t partition)
{
	int64_t end = end_of(r, partition), position = 0;
	struct klamm_error err;
	int64_t deadline = kl_sim_now(r->sim) + READ_OUT;
	while (kl_sim_now(r->sim) < deadline) {
		int rc = klamm_consumer_position(consumer, RECORDS_TOPIC, partition, 10000,
						 &position, &err);
		if (rc == 0 && position >= end)
			break;
		poll_once(r, consumer);
	}
	if (position < end)
		scenario_complain(r->run, "partition %d: stuck at %lld of %lld\n",
				  partition, (long long)position, (long long)end);
	history_position(r->history, partition, position);
}

static struct klamm_consumer *open_consumer(struct records *r, struct klamm_loop *loop)
{
	struct klamm_error err;
	struct klamm_consumer *consumer;
	struct klamm_topic_partition all[8];
	for (unsigned i = 0; i < r->plan.partitions; i++)
		all[i] = (struct klamm_topic_partition){RECORDS_TOPIC, (int32_t)i};
	if (klamm_consumer_new(r->plan.consumer_conf, loop, &consumer, &err) != 0 ||
	    klamm_consumer_assign(consumer, all, r->plan.partitions, &err) != 0)
		scenario_give_up(err.text);
	return consumer;
}

void records_consumer_main(void *arg)
{
	struct records *r = arg;
	struct klamm_error err;
	scenario_await(r->sim, &r->listening);
	struct klamm_loop *loop = scenario_loop(r->consumer_node);
	struct klamm_consumer *consumer = open_consumer(r, loop);
	int64_t quiet_since = KL_NEVER;
	while (quiet_since == KL_NEVER || kl_sim_now(r->sim) < quiet_since + STRAGGLERS) {
		if (r->produced && quiet_since == KL_NEVER)
			quiet_since = kl_max(kl_sim_now(r->sim), r->storm_end);
		poll_once(r, consumer);
	}
	for (unsigned i = 0; i < r->plan.partitions; i++)
		read_to_end(r, consumer, (int32_t)i);
	if (klamm_consumer_close(consumer, 10000, &err) != 0)
		scenario_complain(r->run, "closing the consumer: %s\n", err.text);
	klamm_loop_free(loop);
	r->consumed = true;
}
