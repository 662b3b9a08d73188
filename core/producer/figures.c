/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/figures.h"

#include "core/producer/producer.h"
#include "core/record/batch.h"

#define METER(m) .meter = KL_PRODUCER_##m

/* Of times that are measured in microseconds and told in nanoseconds. */
#define NANOSECONDS 1000

static const struct kl_figure figures[] = {
	{"record-send-total", "1", "Records sent, each time that they were.", KL_FACE_TOTAL,
	 METER(SENT)},
	{"record-send-rate", "1/s", "Records sent per second.", KL_FACE_TOTAL_RATE,
	 METER(SENT)},
	{"records-per-request-avg", "1", "The average number of records in a request.",
	 KL_FACE_AVG, METER(SENT)},
	{"batch-size-avg", "By", "The average size of a batch as it was sent.", KL_FACE_AVG,
	 METER(BATCH)},
	{"batch-size-max", "By", "The size of the largest batch.", KL_FACE_MAX, METER(BATCH)},
	{"compression-rate-avg", "1", "The average of sent by plain size of a batch.",
	 KL_FACE_AVG, METER(RATIO)},
	{"record-size-avg", "By", "The average size of a record, before compression.",
	 KL_FACE_AVG, METER(RECORD)},
	{"record-queue-time-avg", "ms", "The average time that a batch waited to be sent.",
	 KL_FACE_AVG, METER(QUEUE)},
	{"record-queue-time-max", "ms", "The longest time that a batch waited to be sent.",
	 KL_FACE_MAX, METER(QUEUE)},
	{"record-queue-time", "ms", "How the times that batches waited are spread.",
	 KL_FACE_SPREAD, METER(QUEUE)},
	{"request-latency-avg", "ms", "The average time from Produce to its answer.",
	 KL_FACE_AVG, METER(LATENCY)},
	{"request-latency-max", "ms", "The longest time from Produce to its answer.",
	 KL_FACE_MAX, METER(LATENCY)},
	{"request-latency", "ms", "How the times from Produce to its answer are spread.",
	 KL_FACE_SPREAD, METER(LATENCY)},
	{"produce-throttle-time-avg", "ms", "The average time that brokers throttled it.",
	 KL_FACE_AVG, METER(THROTTLE)},
	{"produce-throttle-time-max", "ms", "The longest time that brokers throttled it.",
	 KL_FACE_MAX, METER(THROTTLE)},
	{"record-retry-total", "1", "Records whose sending was tried again.", KL_FACE_TOTAL,
	 METER(RETRY)},
	{"record-retry-rate", "1/s", "Records tried again per second.", KL_FACE_TOTAL_RATE,
	 METER(RETRY)},
	{"record-error-total", "1", "Records that ended in an error.", KL_FACE_TOTAL,
	 METER(ERROR)},
	{"record-error-rate", "1/s", "Records that ended in an error, per second.",
	 KL_FACE_TOTAL_RATE, METER(ERROR)},
	{"bufferpool-wait-time-ns-total", "ns", "Time that senders waited for buffer.memory.",
	 KL_FACE_TOTAL, METER(BUFFER_WAIT), .scale = NANOSECONDS},
	{"bufferpool-wait-ratio", "1", "The part of the time that senders waited for memory.",
	 KL_FACE_TOTAL_RATE, METER(BUFFER_WAIT), .scale = 1e-6},
	{"buffer-exhausted-total", "1", "Records refused because buffer.memory was used up.",
	 KL_FACE_COUNT, METER(EXHAUSTED)},
	{"buffer-exhausted-rate", "1/s", "Records refused for that, per second.",
	 KL_FACE_COUNT_RATE, METER(EXHAUSTED)},
	{"metadata-wait-time-ns-total", "ns", "Time that senders waited for metadata.",
	 KL_FACE_TOTAL, METER(METADATA_WAIT), .scale = NANOSECONDS},
	{"flush-time-ns-total", "ns", "Time spent in klamm_producer_flush().", KL_FACE_TOTAL,
	 METER(FLUSH), .scale = NANOSECONDS},
	{"buffer-total-bytes", "By", "buffer.memory.", KL_FACE_NOW, METER(BUFFER_ALL)},
	{"buffer-available-bytes", "By", "What of buffer.memory is not in use.", KL_FACE_NOW,
	 METER(BUFFER_FREE)},
	{"waiting-threads", "1", "Threads that wait for buffer.memory.", KL_FACE_NOW,
	 METER(WAITERS)},
	{"requests-in-flight", "1", "Requests that wait for their answers.", KL_FACE_NOW,
	 METER(IN_FLIGHT)},
	{"metadata-age", "s", "How old what is known of the cluster is.", KL_FACE_NOW,
	 METER(METADATA_AGE)},
};

static const struct kl_figure topic_figures[] = {
	{"record-send-total", "1", "Records sent, each time that they were.", KL_FACE_TOTAL,
	 METER(TOPIC_SENT)},
	{"record-send-rate", "1/s", "Records sent per second.", KL_FACE_TOTAL_RATE,
	 METER(TOPIC_SENT)},
	{"byte-total", "By", "Bytes of batches sent.", KL_FACE_TOTAL, METER(TOPIC_BYTES)},
	{"byte-rate", "By/s", "Bytes of batches sent per second.", KL_FACE_TOTAL_RATE,
	 METER(TOPIC_BYTES)},
	{"compression-rate", "1", "The average of sent by plain size of a batch.",
	 KL_FACE_AVG, METER(TOPIC_RATIO)},
	{"record-retry-total", "1", "Records whose sending was tried again.", KL_FACE_TOTAL,
	 METER(TOPIC_RETRY)},
	{"record-retry-rate", "1/s", "Records tried again per second.", KL_FACE_TOTAL_RATE,
	 METER(TOPIC_RETRY)},
	{"record-error-total", "1", "Records that ended in an error.", KL_FACE_TOTAL,
	 METER(TOPIC_ERROR)},
	{"record-error-rate", "1/s", "Records that ended in an error, per second.",
	 KL_FACE_TOTAL_RATE, METER(TOPIC_ERROR)},
};

/* --- counting --- */

static void note(struct klamm_producer *p, unsigned meter, double value)
{
	kl_meter_note(&p->metrics.windows, &p->meters[meter], value, p->loop->now);
}

static void note_topic(struct klamm_producer *p, struct klamm_topic *topic, unsigned meter,
		       double value)
{
	kl_meter_note(&p->metrics.windows, &topic->meters[meter], value, p->loop->now);
}

/* Batches of a request, which are put together first: one that fills a request is large, many
 * that share it are not to cost more. */
struct sent {
	struct kl_sample size, ratio, wait, record;
};

static void add_batch(struct klamm_producer *p, struct sent *sent,
		      const struct kl_pbatch *batch)
{
	double wait = (double)(p->loop->now - batch->opened_at) / KL_MS;
	kl_sample_note(&sent->size, (double)batch->size);
	kl_sample_note(&sent->ratio, (double)batch->size / (double)batch->plain_size);
	kl_sample_note(&sent->wait, wait);
	kl_meter_spread(&p->meters[KL_PRODUCER_QUEUE], wait);
	sent->record.count += batch->count;
	sent->record.sum += (double)(batch->plain_size - KL_BATCH_HEAD);
}

static void join(struct klamm_producer *p, struct kl_meter *meter,
		 const struct kl_sample *events)
{
	kl_meter_join(&p->metrics.windows, meter, events, p->loop->now);
}

/* Those of the first one's topic, which stand together; how many they are. */
static size_t count_topic(struct klamm_producer *p, struct kl_pbatch *const *batches,
			  size_t count, struct sent *all)
{
	struct klamm_topic *topic = batches[0]->partition->topic;
	struct sent sent = {0};
	size_t n = 0;
	while (n < count && batches[n]->partition->topic == topic)
		add_batch(p, &sent, batches[n++]);
	note_topic(p, topic, KL_PRODUCER_TOPIC_SENT, (double)sent.record.count);
	join(p, &topic->meters[KL_PRODUCER_TOPIC_BYTES], &sent.size);
	join(p, &topic->meters[KL_PRODUCER_TOPIC_RATIO], &sent.ratio);
	kl_sample_join(&all->size, &sent.size);
	kl_sample_join(&all->ratio, &sent.ratio);
	kl_sample_join(&all->wait, &sent.wait);
	kl_sample_join(&all->record, &sent.record);
	return n;
}

void kl_producer_count_sent(struct klamm_producer *p, struct kl_pbatch *const *batches,
			    size_t count)
{
	struct sent all = {0};
	kl_metrics_lock(&p->metrics);
	for (size_t i = 0; i < count;)
		i += count_topic(p, batches + i, count - i, &all);
	join(p, &p->meters[KL_PRODUCER_BATCH], &all.size);
	join(p, &p->meters[KL_PRODUCER_RATIO], &all.ratio);
	join(p, &p->meters[KL_PRODUCER_QUEUE], &all.wait);
	join(p, &p->meters[KL_PRODUCER_RECORD], &all.record);
	note(p, KL_PRODUCER_SENT, (double)all.record.count);
	kl_metrics_unlock(&p->metrics);
}

void kl_producer_count_answer(struct klamm_producer *p, int64_t latency_us,
			      int32_t throttle_ms)
{
	kl_metrics_lock(&p->metrics);
	note(p, KL_PRODUCER_LATENCY, (double)latency_us / KL_MS);
	note(p, KL_PRODUCER_THROTTLE, throttle_ms);
	kl_metrics_unlock(&p->metrics);
}

static void count_records(struct klamm_producer *p, const struct kl_pbatch *batch,
			  unsigned meter, unsigned topic_meter)
{
	kl_metrics_lock(&p->metrics);
	note(p, meter, batch->count);
	note_topic(p, batch->partition->topic, topic_meter, batch->count);
	kl_metrics_unlock(&p->metrics);
}

void kl_producer_count_retry(struct klamm_producer *p, const struct kl_pbatch *batch)
{
	count_records(p, batch, KL_PRODUCER_RETRY, KL_PRODUCER_TOPIC_RETRY);
}

void kl_producer_count_error(struct klamm_producer *p, const struct kl_pbatch *batch)
{
	count_records(p, batch, KL_PRODUCER_ERROR, KL_PRODUCER_TOPIC_ERROR);
}

void kl_producer_count_time(struct klamm_producer *p, unsigned meter, int64_t since)
{
	int64_t now = p->os->now(p->os);
	kl_metrics_note(&p->metrics, &p->meters[meter], (double)(now - since), now);
}

/* --- snapshots --- */

static void set(struct klamm_producer *p, unsigned meter, double value)
{
	kl_meter_set(&p->meters[meter], value);
}

static unsigned waiting_threads(struct klamm_producer *p)
{
	unsigned count = 0;
	for (struct kl_list *link = p->memory_waiters.next; link != &p->memory_waiters;
	     link = link->next)
		count++;
	return count;
}

/* With the producer's mutex, for topics and waiters, and that of metrics. */
static void fill_locked(struct klamm_producer *p, struct kl_snapshot *snapshot)
{
	double all = (double)p->settings->buffer_memory;
	double age = (double)(p->loop->now - p->cluster.updated_at) / KL_SECOND;
	set(p, KL_PRODUCER_BUFFER_ALL, all);
	set(p, KL_PRODUCER_BUFFER_FREE,
	    kl_max(all - (double)kl_slab_pool_used(p->slabs), 0.0));
	set(p, KL_PRODUCER_WAITERS, waiting_threads(p));
	/* The last snapshot is taken when the brokers are gone. */
	set(p, KL_PRODUCER_IN_FLIGHT, p->stopping ? 0 : kl_cluster_in_flight(&p->cluster));
	set(p, KL_PRODUCER_METADATA_AGE, age);
	kl_snapshot_add(snapshot, p->metrics.group, figures, kl_countof(figures), p->meters,
			kl_snapshot_tags(snapshot, NULL, NULL));
	struct klamm_topic *topic, *tmp;
	HASH_ITER(hh, p->topics, topic, tmp)
		kl_snapshot_add(snapshot, "producer-topic-metrics", topic_figures,
				kl_countof(topic_figures), topic->meters,
				kl_snapshot_tags(snapshot, "topic", topic->name, NULL));
}

static void fill(void *owner, struct kl_snapshot *snapshot)
{
	struct klamm_producer *p = owner;
	kl_mutex_lock(&p->mutex);
	kl_metrics_lock(&p->metrics);
	fill_locked(p, snapshot);
	kl_metrics_unlock(&p->metrics);
	kl_mutex_unlock(&p->mutex);
}

void kl_producer_figures_init(struct klamm_producer *p)
{
	kl_metrics_init(&p->metrics, p->os, p->settings);
	p->metrics.fill = fill;
	p->metrics.owner = p;
	kl_metrics_spread(&p->metrics, &p->meters[KL_PRODUCER_QUEUE]);
	kl_metrics_spread(&p->metrics, &p->meters[KL_PRODUCER_LATENCY]);
}

void kl_producer_figures_free(struct klamm_producer *p)
{
	kl_meters_free(p->meters, KL_PRODUCER_METERS);
	kl_metrics_free(&p->metrics);
}
