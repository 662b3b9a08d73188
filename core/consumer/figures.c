/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/figures.h"

#include <stdio.h>

#include "core/consumer/consumer.h"

#define METER(m) .meter = KL_CONSUMER_##m

static const struct kl_figure poll_figures[] = {
	{"time-between-poll-avg", "ms", "The average time from one poll to the next.",
	 KL_FACE_AVG, METER(POLL)},
	{"time-between-poll-max", "ms", "The longest time from one poll to the next.",
	 KL_FACE_MAX, METER(POLL)},
	{"poll-idle-ratio-avg", "1", "The part of the time that was spent in polls.",
	 KL_FACE_AVG, METER(IDLE)},
	{"last-poll-seconds-ago", "s", "Seconds since the last poll; -1 before the first.",
	 KL_FACE_NOW, METER(LAST_POLL)},
	{"commit-sync-time-ns-total", "ns", "Nanoseconds that calls waited for commits.",
	 KL_FACE_TOTAL, METER(COMMIT_SYNC)},
	{"committed-time-ns-total", "ns",
	 "Nanoseconds that calls waited for committed offsets.", KL_FACE_TOTAL,
	 METER(COMMITTED)},
};

static const struct kl_figure assigned_figures[] = {
	{"assigned-partitions", "1", "Partitions that are assigned.", KL_FACE_NOW,
	 METER(ASSIGNED)},
};

static const struct kl_figure figures[] = {
	{"fetch-total", "1", "Fetches answered.", KL_FACE_COUNT, METER(FETCH)},
	{"fetch-rate", "1/s", "Fetches answered per second.", KL_FACE_COUNT_RATE,
	 METER(FETCH)},
	{"fetch-latency-avg", "ms", "The average time from a Fetch to its answer.",
	 KL_FACE_AVG, METER(FETCH)},
	{"fetch-latency-max", "ms", "The longest time from a Fetch to its answer.",
	 KL_FACE_MAX, METER(FETCH)},
	{"fetch-latency", "ms", "How the times from a Fetch to its answer are spread.",
	 KL_FACE_SPREAD, METER(FETCH)},
	{"fetch-size-avg", "By", "The average of bytes in the answer to a Fetch.", KL_FACE_AVG,
	 METER(SIZE)},
	{"fetch-size-max", "By", "The most bytes in the answer to a Fetch.", KL_FACE_MAX,
	 METER(SIZE)},
	{"records-per-request-avg", "1", "The average number of records in an answer.",
	 KL_FACE_AVG, METER(FETCHED)},
	{"fetch-throttle-time-avg", "ms", "The average time that a broker throttled a Fetch.",
	 KL_FACE_AVG, METER(THROTTLE)},
	{"fetch-throttle-time-max", "ms", "The longest time that a broker throttled a Fetch.",
	 KL_FACE_MAX, METER(THROTTLE)},
	{"bytes-consumed-total", "By", "Bytes of batches handed out.", KL_FACE_TOTAL,
	 METER(BYTES)},
	{"bytes-consumed-rate", "By/s", "Bytes of batches handed out per second.",
	 KL_FACE_TOTAL_RATE, METER(BYTES)},
	{"records-consumed-total", "1", "Records handed out.", KL_FACE_TOTAL, METER(RECORDS)},
	{"records-consumed-rate", "1/s", "Records handed out per second.", KL_FACE_TOTAL_RATE,
	 METER(RECORDS)},
	{"records-lag-max", "1", "The most records that a partition was behind its end.",
	 KL_FACE_MAX, METER(LAG)},
	{"records-lead-min", "1", "The fewest records that a partition was past its start.",
	 KL_FACE_MIN, METER(LEAD)},
};

static const struct kl_figure topic_figures[] = {
	{"fetch-size-avg", "By", "The average of bytes in the answer to a Fetch.", KL_FACE_AVG,
	 METER(TOPIC_SIZE)},
	{"fetch-size-max", "By", "The most bytes in the answer to a Fetch.", KL_FACE_MAX,
	 METER(TOPIC_SIZE)},
	{"records-per-request-avg", "1", "The average number of records in an answer.",
	 KL_FACE_AVG, METER(TOPIC_FETCHED)},
	{"bytes-consumed-total", "By", "Bytes of batches handed out.", KL_FACE_TOTAL,
	 METER(TOPIC_BYTES)},
	{"bytes-consumed-rate", "By/s", "Bytes of batches handed out per second.",
	 KL_FACE_TOTAL_RATE, METER(TOPIC_BYTES)},
	{"records-consumed-total", "1", "Records handed out.", KL_FACE_TOTAL,
	 METER(TOPIC_RECORDS)},
	{"records-consumed-rate", "1/s", "Records handed out per second.", KL_FACE_TOTAL_RATE,
	 METER(TOPIC_RECORDS)},
};

static const struct kl_figure lag_figures[] = {
	{"records-lag", "1", "Records from the position to the end.", KL_FACE_NOW,
	 METER(PART_LAG)},
	{"records-lag-avg", "1",
	 "The average of records to the end, when a batch was handed out.", KL_FACE_AVG,
	 METER(PART_LAG)},
	{"records-lag-max", "1", "The most records to the end, when a batch was handed out.",
	 KL_FACE_MAX, METER(PART_LAG)},
};

static const struct kl_figure lead_figures[] = {
	{"records-lead", "1", "Records from the beginning to the position.", KL_FACE_NOW,
	 METER(PART_LEAD)},
	{"records-lead-avg", "1",
	 "The average of records from the beginning, when a batch was handed out.",
	 KL_FACE_AVG, METER(PART_LEAD)},
	{"records-lead-min", "1",
	 "The fewest records from the beginning, when a batch was handed out.", KL_FACE_MIN,
	 METER(PART_LEAD)},
};

/* --- counting: with the mutex of metrics --- */

static void note(struct klamm_consumer *c, unsigned meter, double value, int64_t now)
{
	kl_meter_note(&c->metrics.windows, &c->meters[meter], value, now);
}

static void note_topic(struct klamm_consumer *c, struct kl_ctopic *topic, unsigned meter,
		       double value, int64_t now)
{
	kl_meter_note(&c->metrics.windows, &topic->meters[meter], value, now);
}

static void note_part(struct klamm_consumer *c, struct kl_cpart *part, unsigned meter,
		      double value, int64_t now)
{
	kl_meter_note(&c->metrics.windows, &part->meters[meter], value, now);
}

void kl_consumer_count_fetch(struct klamm_consumer *c, int64_t latency_us,
			     int32_t throttle_ms, size_t bytes, size_t records)
{
	int64_t now = c->loop->now;
	kl_metrics_lock(&c->metrics);
	note(c, KL_CONSUMER_FETCH, (double)latency_us / KL_MS, now);
	note(c, KL_CONSUMER_THROTTLE, throttle_ms, now);
	note(c, KL_CONSUMER_SIZE, (double)bytes, now);
	note(c, KL_CONSUMER_FETCHED, (double)records, now);
	kl_metrics_unlock(&c->metrics);
}

void kl_consumer_count_topic(struct klamm_consumer *c, struct kl_ctopic *topic, size_t bytes,
			     size_t records)
{
	int64_t now = c->loop->now;
	kl_metrics_lock(&c->metrics);
	note_topic(c, topic, KL_CONSUMER_TOPIC_SIZE, (double)bytes, now);
	note_topic(c, topic, KL_CONSUMER_TOPIC_FETCHED, (double)records, now);
	kl_metrics_unlock(&c->metrics);
}

/* -1: not known. */
static int64_t lag_of(struct kl_cpart *part)
{
	int64_t end = atomic_load(&part->end), at = atomic_load(&part->position);
	return end >= 0 && at >= 0 ? kl_max(end - at, (int64_t)0) : -1;
}

static int64_t lead_of(struct kl_cpart *part)
{
	int64_t start = atomic_load(&part->start), at = atomic_load(&part->position);
	return start >= 0 && at >= 0 ? kl_max(at - start, (int64_t)0) : -1;
}

static void note_place(struct klamm_consumer *c, unsigned meter, unsigned part_meter,
		       int64_t *records)
{
	struct kl_handed *h = &c->handed;
	if (*records < 0)
		return;
	note(c, meter, (double)*records, h->now);
	note_part(c, h->part, part_meter, (double)*records, h->now);
	*records = -1;
}

static void note_handed(struct klamm_consumer *c)
{
	struct kl_handed *h = &c->handed;
	if (h->part == NULL)
		return;
	uint64_t records = atomic_load_explicit(&h->records, memory_order_relaxed);
	uint64_t bytes = atomic_load_explicit(&h->bytes, memory_order_relaxed);
	double more_records = (double)(records - h->noted_records);
	double more_bytes = (double)(bytes - h->noted_bytes);
	note(c, KL_CONSUMER_BYTES, more_bytes, h->now);
	note(c, KL_CONSUMER_RECORDS, more_records, h->now);
	note_topic(c, h->part->topic, KL_CONSUMER_TOPIC_BYTES, more_bytes, h->now);
	note_topic(c, h->part->topic, KL_CONSUMER_TOPIC_RECORDS, more_records, h->now);
	note_place(c, KL_CONSUMER_LAG, KL_CONSUMER_PART_LAG, &h->lag);
	note_place(c, KL_CONSUMER_LEAD, KL_CONSUMER_PART_LEAD, &h->lead);
	h->noted_records = records;
	h->noted_bytes = bytes;
}

/* What is within so much time is noted as one. */
#define GRAIN (50 * KL_MS)

static void begin_handing(struct klamm_consumer *c, struct kl_cpart *part)
{
	struct kl_handed *h = &c->handed;
	kl_metrics_lock(&c->metrics);
	note_handed(c);
	if (h->part != NULL)
		kl_cpart_unref(h->part);
	*h = (struct kl_handed){.part = kl_cpart_ref(part), .now = c->poll_now,
				.lag = lag_of(part), .lead = lead_of(part)};
	kl_metrics_unlock(&c->metrics);
}

static void add(_Atomic uint64_t *sum, uint64_t n)
{
	uint64_t known = atomic_load_explicit(sum, memory_order_relaxed);
	atomic_store_explicit(sum, known + n, memory_order_relaxed);
}

void kl_consumer_count_batch(struct klamm_consumer *c, struct kl_cpart *part,
			     const struct klamm_batch *batch, size_t bytes)
{
	struct kl_handed *h = &c->handed;
	if (h->part != part || c->poll_now - h->now >= GRAIN)
		begin_handing(c, part);
	add(&h->records, batch->count);
	add(&h->bytes, bytes);
}

void kl_consumer_count_poll(struct klamm_consumer *c, int64_t before, int64_t begun)
{
	struct kl_polled *polled = &c->polled_lately;
	if (begun == before && c->poll_now == begun) { /* by a clock that ticks */
		polled->quick++;
		return;
	}
	polled->inside += c->poll_now - begun;
	if (before != 0)
		kl_sample_note(&polled->apart, (double)(begun - before) / KL_MS);
	double all = polled->apart.sum * KL_MS + (double)polled->inside;
	if (all < GRAIN)
		return;
	kl_metrics_lock(&c->metrics);
	kl_sample_join(&polled->apart, &(struct kl_sample){.count = polled->quick});
	kl_meter_join(&c->metrics.windows, &c->meters[KL_CONSUMER_POLL], &polled->apart,
		      c->poll_now);
	note(c, KL_CONSUMER_IDLE, (double)polled->inside / all, c->poll_now);
	kl_metrics_unlock(&c->metrics);
	*polled = (struct kl_polled){0};
}

void kl_consumer_count_wait(struct klamm_consumer *c, unsigned meter, int64_t since)
{
	int64_t now = c->os->now(c->os);
	kl_metrics_lock(&c->metrics);
	note(c, meter, (double)(now - since) * 1000, now);
	kl_metrics_unlock(&c->metrics);
}

/* --- snapshots --- */

static void add_part(struct kl_snapshot *snapshot, struct kl_cpart *part)
{
	char number[16];
	int64_t lag = lag_of(part), lead = lead_of(part);
	snprintf(number, sizeof(number), "%d", part->partition);
	struct kl_labels tags = kl_snapshot_tags(snapshot, "topic", part->topic->name,
					       "partition", number, NULL);
	kl_meter_set(&part->meters[KL_CONSUMER_PART_LAG], (double)lag);
	kl_meter_set(&part->meters[KL_CONSUMER_PART_LEAD], (double)lead);
	if (lag >= 0)
		kl_snapshot_add(snapshot, "consumer-fetch-manager-metrics", lag_figures,
				kl_countof(lag_figures), part->meters, tags);
	if (lead >= 0)
		kl_snapshot_add(snapshot, "consumer-fetch-manager-metrics", lead_figures,
				kl_countof(lead_figures), part->meters, tags);
}

static unsigned add_parts(struct klamm_consumer *c, struct kl_snapshot *snapshot)
{
	unsigned count = 0;
	kl_list_for(part, &c->parts, struct kl_cpart, link) {
		add_part(snapshot, part);
		count++;
	}
	return count;
}

static void add_topics(struct klamm_consumer *c, struct kl_snapshot *snapshot)
{
	for (struct kl_ctopic *topic = c->metered; topic != NULL; topic = topic->next_metered)
		kl_snapshot_add(snapshot, "consumer-fetch-manager-metrics", topic_figures,
				kl_countof(topic_figures), topic->meters,
				kl_snapshot_tags(snapshot, "topic", topic->name, NULL));
}

static void fill(void *owner, struct kl_snapshot *snapshot)
{
	struct klamm_consumer *c = owner;
	struct kl_labels own = kl_snapshot_tags(snapshot, NULL, NULL);
	int64_t polled_at = atomic_load(&c->polled_at);
	kl_metrics_lock(&c->metrics);
	note_handed(c);
	double age = (double)(snapshot->now - polled_at) / KL_SECOND;
	kl_meter_set(&c->meters[KL_CONSUMER_LAST_POLL],
		     polled_at != 0 ? kl_max(age, 0.0) : -1);
	kl_snapshot_add(snapshot, c->metrics.group, poll_figures, kl_countof(poll_figures),
			c->meters, own);
	kl_snapshot_add(snapshot, "consumer-fetch-manager-metrics", figures,
			kl_countof(figures), c->meters, own);
	add_topics(c, snapshot);
	kl_meter_set(&c->meters[KL_CONSUMER_ASSIGNED], add_parts(c, snapshot));
	kl_snapshot_add(snapshot, "consumer-coordinator-metrics", assigned_figures,
			kl_countof(assigned_figures), c->meters, own);
	if (c->group.id != NULL)
		kl_group_figures(c, snapshot, own);
	kl_metrics_unlock(&c->metrics);
}

void kl_consumer_figures_init(struct klamm_consumer *c)
{
	kl_metrics_init(&c->metrics, c->os, c->settings);
	c->metrics.fill = fill;
	c->metrics.owner = c;
	kl_metrics_spread(&c->metrics, &c->meters[KL_CONSUMER_FETCH]);
}

void kl_consumer_figures_free(struct klamm_consumer *c)
{
	if (c->handed.part != NULL)
		kl_cpart_unref(c->handed.part);
	kl_meters_free(c->meters, KL_CONSUMER_METERS);
	kl_meters_free(c->group.meters, KL_COORD_METERS);
	kl_metrics_free(&c->metrics);
}
