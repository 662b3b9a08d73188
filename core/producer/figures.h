/* SPDX-License-Identifier: BSD-2-Clause */
/* What a producer measures: by Kafka's names in groups producer-metrics and
 * producer-topic-metrics. */
#ifndef KL_PRODUCER_FIGURES_H
#define KL_PRODUCER_FIGURES_H

#include "core/metrics/metrics.h"

struct klamm_producer;
struct kl_pbatch;

enum {
	KL_PRODUCER_SENT,          /* records of each request */
	KL_PRODUCER_BATCH,         /* bytes of each batch sent */
	KL_PRODUCER_RATIO,         /* sent / plain bytes of it */
	KL_PRODUCER_RECORD,        /* bytes of each record */
	KL_PRODUCER_QUEUE,         /* ms from a batch's opening to its sending */
	KL_PRODUCER_LATENCY,       /* ms of a Produce request */
	KL_PRODUCER_THROTTLE,      /* ms that a broker held back its answer */
	KL_PRODUCER_RETRY,         /* records */
	KL_PRODUCER_ERROR,         /* records */
	KL_PRODUCER_BUFFER_WAIT,   /* us that a sender waited */
	KL_PRODUCER_EXHAUSTED,     /* records that found no buffer memory in time */
	KL_PRODUCER_METADATA_WAIT, /* us */
	KL_PRODUCER_FLUSH,         /* us */
	KL_PRODUCER_BUFFER_ALL,
	KL_PRODUCER_BUFFER_FREE,
	KL_PRODUCER_WAITERS,
	KL_PRODUCER_IN_FLIGHT,
	KL_PRODUCER_METADATA_AGE, /* seconds */
	KL_PRODUCER_METERS,
};

enum {
	KL_PRODUCER_TOPIC_SENT,  /* records of each batch */
	KL_PRODUCER_TOPIC_BYTES, /* bytes of each batch */
	KL_PRODUCER_TOPIC_RATIO,
	KL_PRODUCER_TOPIC_RETRY,
	KL_PRODUCER_TOPIC_ERROR,
	KL_PRODUCER_TOPIC_METERS,
};

void kl_producer_figures_init(struct klamm_producer *producer);
void kl_producer_figures_free(struct klamm_producer *producer);

/* The loop: these batches leave in a request. */
void kl_producer_count_sent(struct klamm_producer *producer, struct kl_pbatch *const *batches,
			    size_t count);
/* Its answer. */
void kl_producer_count_answer(struct klamm_producer *producer, int64_t latency_us,
			      int32_t throttle_ms);
/* A batch is sent again, or ends in an error. */
void kl_producer_count_retry(struct klamm_producer *producer, const struct kl_pbatch *batch);
void kl_producer_count_error(struct klamm_producer *producer, const struct kl_pbatch *batch);
/* Application threads: something took so long. */
void kl_producer_count_time(struct klamm_producer *producer, unsigned meter, int64_t since);

#endif
