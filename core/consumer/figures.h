/* SPDX-License-Identifier: BSD-2-Clause */
/* What a consumer measures: by Kafka's names in groups consumer-metrics,
 * consumer-fetch-manager-metrics and consumer-coordinator-metrics. */
#ifndef KL_CONSUMER_FIGURES_H
#define KL_CONSUMER_FIGURES_H

#include "core/metrics/metrics.h"

struct klamm_consumer;
struct klamm_batch;
struct kl_cpart;
struct kl_ctopic;

enum {
	KL_CONSUMER_FETCH,    /* ms of each Fetch */
	KL_CONSUMER_SIZE,     /* bytes of batches in its answer */
	KL_CONSUMER_FETCHED,  /* records in it */
	KL_CONSUMER_THROTTLE, /* ms that a broker held it back */
	KL_CONSUMER_BYTES,    /* of each batch handed out */
	KL_CONSUMER_RECORDS,  /* likewise */
	KL_CONSUMER_LAG,      /* records behind it */
	KL_CONSUMER_LEAD,     /* records before its end */
	KL_CONSUMER_POLL,     /* ms from one poll to the next */
	KL_CONSUMER_IDLE,     /* the part of that inside of it */
	KL_CONSUMER_LAST_POLL, /* seconds */
	KL_CONSUMER_ASSIGNED,
	KL_CONSUMER_COMMIT_SYNC, /* ns that calls waited for commits */
	KL_CONSUMER_COMMITTED,   /* ns that calls waited for committed offsets */
	KL_CONSUMER_METERS,
};

/* Of its group. */
enum {
	KL_COORD_COMMIT,    /* ms of each OffsetCommit */
	KL_COORD_HEARTBEAT, /* ms of each */
	KL_COORD_JOIN,      /* ms of each JoinGroup that went well */
	KL_COORD_SYNC,      /* likewise, SyncGroup */
	KL_COORD_REBALANCE, /* ms of each that ended well, since it was tried first */
	KL_COORD_FAILED,    /* each attempt that did not */
	KL_COORD_ASSIGNED,  /* ms in the listener's function */
	KL_COORD_REVOKED,
	KL_COORD_LOST,
	KL_COORD_LAST_HEARTBEAT, /* seconds */
	KL_COORD_LAST_REBALANCE,
	KL_COORD_METERS,
};

/* The loop's; 0 = never, or not now. */
struct kl_group_times {
	int64_t beat_at; /* the last heartbeat was sent */
	int64_t rebalances_since, rebalanced_at;
};

enum {
	KL_CONSUMER_TOPIC_SIZE,
	KL_CONSUMER_TOPIC_FETCHED,
	KL_CONSUMER_TOPIC_BYTES,
	KL_CONSUMER_TOPIC_RECORDS,
	KL_CONSUMER_TOPIC_METERS,
};

enum {
	KL_CONSUMER_PART_LAG,
	KL_CONSUMER_PART_LEAD,
	KL_CONSUMER_PART_METERS,
};

/* Batches of one partition that were handed out shortly after one another: they are noted
 * together. The polling thread alone adds, without a lock; what a snapshot has noted of it
 * meanwhile is under the mutex of metrics, as are all changes of part. */
struct kl_handed {
	struct kl_cpart *part; /* with a reference; NULL = none */
	int64_t now;           /* of the first */
	int64_t lag, lead;     /* behind the first; -1 = not known, or noted */
	_Atomic uint64_t records, bytes;
	uint64_t noted_records, noted_bytes;
};

/* The same for polls. */
struct kl_polled {
	struct kl_sample apart; /* ms between their beginnings */
	uint64_t quick;         /* where those were the same, and nothing was waited for */
	int64_t inside;
};

void kl_consumer_figures_init(struct klamm_consumer *consumer);
void kl_consumer_figures_free(struct klamm_consumer *consumer);

/* The loop: an answer to Fetch, and what it had of a topic and in all. */
void kl_consumer_count_fetch(struct klamm_consumer *consumer, int64_t latency_us,
			     int32_t throttle_ms, size_t bytes, size_t records);
void kl_consumer_count_topic(struct klamm_consumer *consumer, struct kl_ctopic *topic,
			     size_t bytes, size_t records);
/* The polling thread, at consumer->poll_now: a batch of so many bytes is handed out, and the
 * position is behind it. */
void kl_consumer_count_batch(struct klamm_consumer *consumer, struct kl_cpart *part,
			     const struct klamm_batch *batch, size_t bytes);
/* The same: a poll is over, which began then; the one before began at `before`. */
void kl_consumer_count_poll(struct klamm_consumer *consumer, int64_t before, int64_t begun);
/* The application's thread: a call that waited since then, one of the last two meters. */
void kl_consumer_count_wait(struct klamm_consumer *consumer, unsigned meter, int64_t since);

/* --- figures_group.c: the loop, where nothing else is said --- */
/* [any thread] One of KL_COORD_COMMIT to KL_COORD_LOST took so long. */
void kl_group_count(struct klamm_consumer *consumer, unsigned meter, int64_t us, int64_t now);
/* A heartbeat is sent. */
void kl_group_count_beat(struct klamm_consumer *consumer);
/* A rebalance begins, if none is under way; it ends well; an attempt at it has failed. */
void kl_group_count_begin(struct klamm_consumer *consumer);
void kl_group_count_end(struct klamm_consumer *consumer);
void kl_group_count_failure(struct klamm_consumer *consumer);
/* With the mutex of metrics: */
void kl_group_figures(struct klamm_consumer *consumer, struct kl_snapshot *snapshot,
		      struct kl_labels own);

#endif
