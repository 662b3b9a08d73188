/* SPDX-License-Identifier: BSD-2-Clause */
/* The consumer's insides.
 *
 * The loop owns positions to fetch from, requests and metadata. Fetched bytes go through the
 * result queue, under one short lock per answer, to the thread that polls; it checks,
 * decompresses and hands them out, and owns the position of what was handed out. Calls that
 * change the assignment run inside the loop while their caller waits.
 */
#ifndef KL_CONSUMER_H
#define KL_CONSUMER_H

#include <klamm/consumer.h>
#include <klamm/serializer.h>

#include "core/broker/cluster.h"
#include "core/conf/role_plugin.h"
#include "core/consumer/figures.h"
#include "core/consumer/group.h"
#include "core/consumer/lookup.h"
#include "core/metrics/reporters.h"
#include "core/record/batch_read.h"

enum {
	KL_CONSUMER_FORKED = 0,
	KL_CONSUMER_OPEN = 1,
	KL_CONSUMER_CLOSED = 2,
};

/* The name of a topic, and what metadata knows of it. Stays as long as the consumer's shell:
 * batches point to the name. */
struct kl_ctopic {
	UT_hash_handle hh;
	struct kl_topic_info *info; /* the loop's; NULL = not wanted now */
	unsigned wants;             /* assigned partitions and queries */
	int32_t told_error;         /* of metadata, told to the application already */
	struct klamm_uuid id;       /* the loop's: the last one heard of, zero = none */
	_Atomic int32_t known_count; /* partitions, -1 = not known */
	_Atomic int32_t known_error;
	struct kl_list parts; /* the loop's: assigned ones */
	/* The loop's: its place in the Fetch that is being made, which has this number. */
	uint64_t fetch_serial;
	int32_t fetch_slot;
	struct klamm_uuid fetch_id;
	struct kl_ctopic *next_metered; /* in consumer->metered */
	struct kl_meter meters[KL_CONSUMER_TOPIC_METERS];
	char name[];
};

enum kl_cpart_state {
	KL_CPART_COMMITTED, /* its group's offset is asked for, or will be */
	KL_CPART_LOOK_UP, /* its offset is asked for, or will be */
	KL_CPART_CHECK,   /* fetch_offset is, unless the leader's log says otherwise */
	KL_CPART_READY,   /* fetch_offset is where to go on */
	KL_CPART_STOPPED, /* until it is sought: its position is gone */
};

struct kl_fetch_session;
struct kl_fetch_entry;

struct kl_cpart_key {
	const struct kl_ctopic *topic;
	int64_t partition;
};

/* An assigned partition. */
struct kl_cpart {
	UT_hash_handle hh;
	struct kl_cpart_key key;
	struct kl_ctopic *topic;
	int32_t partition;
	atomic_uint refs; /* assignment, queued chunks, requests, look-ups */

	/* --- told by the loop, read by any thread --- */
	_Atomic int64_t high_watermark; /* -1 = not known */
	_Atomic int64_t end; /* what can be read up to: high watermark or last stable */
	_Atomic int64_t start;          /* log start offset, -1 = not known */
	_Atomic uint64_t queued_bytes;
	atomic_bool stopped; /* there is no position, and will not be until it is sought */

	struct kl_meter meters[KL_CONSUMER_PART_METERS]; /* under the mutex of metrics */

	/* --- the polling thread's --- */
	_Atomic int64_t position; /* of the next record to hand out, -1 = not known yet */
	int32_t epoch;    /* of the leader that wrote the one before, -1 = not known */
	bool paused;

	struct kl_list touched; /* consumer->touched, with a reference; under its mutex */

	/* --- the loop's --- */
	struct kl_list link;     /* consumer->parts */
	struct kl_list of_topic; /* topic->parts */
	struct kl_list dirty;    /* consumer->dirty */
	struct kl_heap_node due; /* in consumer->due */
	struct kl_fetch_session *home; /* of the broker that it is read from, or NULL */
	struct kl_list full;           /* home->full */
	struct kl_fetch_entry *entry;  /* in home, if it is fetched now */
	enum kl_cpart_state state;
	int64_t fetch_offset;
	int32_t fetch_epoch; /* of the record before fetch_offset, -1 = not known */
	int64_t epoch_from;  /* the first that was read of that epoch, -1 = not known */
	int32_t leader, leader_epoch; /* that metadata named last, -1 = not known */
	struct klamm_uuid topic_id;   /* likewise; zero = none */
	int32_t replica; /* the follower that it is read from, -1 = none */
	int64_t replica_until;
	int64_t reset_to;      /* LOOK_UP: a time, or KLAMM_OFFSET_BEGINNING, _END */
	unsigned generation;   /* rises when what was fetched is void */
	bool assigned;
	bool leaving;   /* the group takes it away: nothing more is fetched */
	uint64_t since; /* membership->stamp when it came */
	struct kl_part_lookup *lookup; /* under way */
	struct kl_committed_part *committed; /* likewise, COMMITTED */
	atomic_bool muted; /* paused: nothing more is fetched */
	int64_t full_since; /* as much is queued as is fetched ahead */
	int64_t retry_at;
	unsigned failures;
	int32_t told_error; /* told to the application already */
};

/* What poll() finds: bytes of whole batches, or an error. */
struct kl_chunk {
	struct kl_list link;
	struct kl_cpart *part; /* with a reference; NULL = an error of the whole client */
	unsigned generation;
	struct kl_slab *slab;
	const uint8_t *p;
	size_t n, at;
	size_t bytes; /* that part->queued_bytes counts */
	int64_t high_watermark;
	bool look_up_done; /* no data: the position is known now */
	int64_t offset;
	int32_t leader_epoch;
	struct klamm_error err; /* code 0 = data */
	struct kl_aborted *aborted; /* by first offset; consumed from the front */
	size_t aborted_count;
};

/* KIP-98: what a producer wrote from first_offset on, up to its marker, is void. */
struct kl_aborted {
	int64_t producer_id, first_offset;
	bool open;
};

struct klamm_batch {
	struct kl_list link; /* spare, or the consumer's rests or read_out */
	atomic_uint refs;
	struct klamm_consumer *consumer; /* with a reference */
	struct kl_ctopic *topic;
	int32_t partition;
	uint32_t count;
	int64_t lag;
	struct kl_slab *slab;
	struct kl_batch_head head;
	struct klamm_span records; /* plain */
	int64_t start_offset;
	int32_t start_epoch; /* of the record before, as far as it is known */
	struct kl_record_iter iter;
	/* While it is read record by record: with a reference. */
	struct kl_cpart *part;
	unsigned generation; /* of the part, then */
	struct kl_lent_arena arena; /* decoded values */
	struct kl_decoded *decoded;
};

struct klamm_consumer {
	/* --- constant --- */
	struct kl_os *os;
	struct klamm_loop *loop;
	bool own_loop;
	struct klamm_conf *conf;
	const struct kl_settings *settings;
	struct kl_log log;
	struct kl_host host;
	bool host_made, loop_made, cluster_made;
	struct kl_role_plugin key, value; /* deserializers; none = bytes as they are */
	struct kl_role_plugin sasl;       /* none = no authentication */
	struct kl_tls *tls;               /* until the cluster is made; NULL = none */

	struct kl_metrics metrics;
	struct kl_reporters reporters;
	/* --- under the mutex of metrics --- */
	struct kl_meter meters[KL_CONSUMER_METERS];
	struct kl_ctopic *metered; /* every topic there ever was */
	struct kl_handed handed;   /* of late: not all of it */

	/* --- any thread --- */
	atomic_uint *state;
	atomic_uint refs; /* the application, batches */
	struct kl_slab_pool *slabs; /* klamm.memory.max */
	struct kl_gate gate;
	atomic_uint decoding; /* calls that use the deserializers: close() lets them out */
	atomic_bool woken;
	atomic_bool starved; /* memory that the application holds stops fetching */
	struct kl_task task;      /* the fetcher's round */
	struct kl_task wake_task; /* wakes who polls */
	atomic_bool polled;       /* the application has polled at least once */
	_Atomic int64_t polled_at; /* when it did last; 0 = not yet */
	struct kl_mutex mutex; /* guards the next five, and that topics grow */
	struct kl_list touched; /* parts that the loop has to look at */
	struct kl_list results;
	struct kl_list spare_chunks;
	struct kl_list spare_batches;
	bool closed; /* the loop may be gone: post nothing */

	/* --- the polling thread's --- */
	int64_t poll_now;     /* when the poll began, or last waited */
	struct kl_list rests; /* batches that are read record by record */
	struct kl_list read_out; /* those of which the last call gave the last record */
	struct klamm_error read_error; /* told by the next call; code 0 = none */
	struct kl_polled polled_lately;

	/* --- the polling thread's, and the loop's while that waits in a call --- */
	struct kl_ctopic *topics; /* uthash */
	struct kl_cpart *assigned; /* uthash */
	struct {
		struct kl_plugin *plugin; /* NULL = not needed yet */
		struct kl_instance instance;
	} codecs[8]; /* by wire id */

	/* --- the loop's --- */
	struct kl_cluster cluster;
	struct kl_list parts;
	struct kl_list lookups;
	struct kl_topics_call *topics_call; /* that waits for a list of all topics */
	struct kl_list dirty; /* parts that something has happened to */
	struct kl_heap due;   /* those that something will happen to by itself */
	struct kl_fetch_session *sessions; /* uthash: one for each broker that is read from */
	struct kl_list serving; /* the same; the one that was asked last is the last */
	unsigned following; /* parts that are read from a follower */
	uint64_t fetch_serial;
	bool polled_known; /* that the application has polled */
	bool winding_up;
	atomic_bool wound_up; /* no broker has a session any more */
	struct kl_group group; /* in part the application's thread's */
	struct kl_timer timer;
	struct kl_hook round_hook; /* a round at the end of this step */
	bool told_refusal; /* that a broker does not let us in: once until one does */
	bool stopping;
};

/* --- consumer.c --- */
void kl_consumer_unref(struct klamm_consumer *c);
/* There is more for poll() to do than to hand out what has come. */
bool kl_poll_is_due(const struct klamm_consumer *c);
/* 0, CLOSED or FORKED; for calls that wait also WOULD_BLOCK. */
int kl_consumer_check(const struct klamm_consumer *c, bool waits, struct klamm_error *err);

/* --- subscription.c --- */
struct kl_cpart *kl_cpart_find(const struct klamm_consumer *c, const char *topic,
			       int32_t partition);
/* The loop's, for what may come while the polling thread does not wait. */
struct kl_cpart *kl_cpart_find_in_loop(struct klamm_consumer *c, const char *topic,
				       int32_t partition);
void kl_cpart_unref(struct kl_cpart *part);
static inline struct kl_cpart *kl_cpart_ref(struct kl_cpart *part)
{
	atomic_fetch_add(&part->refs, 1);
	return part;
}
/* Interned; NULL = out of memory. */
struct kl_ctopic *kl_ctopic_get(struct klamm_consumer *c, const char *name);
/* The loop: */
void kl_ctopic_want(struct klamm_consumer *c, struct kl_ctopic *topic);
void kl_ctopic_unwant(struct klamm_consumer *c, struct kl_ctopic *topic);
/* The application's thread: these as well, which the group gives it. */
int kl_parts_take(struct klamm_consumer *c, const struct klamm_topic_partition *partitions,
		  size_t count, struct klamm_error *err);
/* Those that are leaving have gone. */
void kl_parts_drop(struct klamm_consumer *c);
/* [polling thread] What was fetched of paused partitions goes, to be fetched again: others
 * need the memory. false: there is none. */
bool kl_subscription_evict(struct klamm_consumer *c);
void kl_subscription_stop(struct klamm_consumer *c);
void kl_subscription_free(struct klamm_consumer *c);

/* --- results.c: between loop and poll() --- */
struct kl_chunk *kl_chunk_get(struct klamm_consumer *c);
void kl_chunk_put(struct klamm_consumer *c, struct kl_chunk *chunk);
void kl_results_push(struct klamm_consumer *c, struct kl_chunk *chunk);
/* [any thread] The loop has to look at the partition. */
void kl_results_touch(struct klamm_consumer *c, struct kl_cpart *part);
/* An error of a partition (NULL: of the client) for the next poll(). */
void kl_results_error(struct klamm_consumer *c, struct kl_cpart *part,
		      const struct klamm_error *err);
/* The first that may be handed out, still in the queue; stale ones are dropped. */
struct kl_chunk *kl_results_first(struct klamm_consumer *c);
void kl_results_drop(struct klamm_consumer *c, struct kl_cpart *part); /* NULL: all */
/* The chunk is used up. */
void kl_results_done(struct klamm_consumer *c, struct kl_chunk *chunk);
/* Everything of the chunk's partition goes behind what others have, in its order. */
void kl_results_behind(struct klamm_consumer *c, struct kl_chunk *chunk);
/* Positions that look-ups have found, for partitions that have none yet. */
void kl_results_positions(struct klamm_consumer *c);

/* --- batch.c --- */
/* The next batch of a chunk: 1 and a batch, 0 the chunk is used up, < 0 an error told in err;
 * chunk->at then stands at the batch that could not be read. */
int kl_batch_take(struct klamm_consumer *c, struct kl_chunk *chunk,
		  struct klamm_batch **batch_out, struct klamm_error *err);
/* How many records are left to its iterator. */
uint32_t kl_batch_left(const struct klamm_batch *batch);
/* value.c: what was decoded of a batch goes. */
void kl_batch_drop_values(struct klamm_batch *batch);
void kl_batches_free(struct klamm_consumer *c);

/* --- records.c: the polling thread --- */
/* What is left of a batch that was read record by record goes to who polls, with its
 * reference. false: there is none that is not paused. */
bool kl_records_rest(struct klamm_consumer *c, struct klamm_batch **batch_out);
void kl_records_free(struct klamm_consumer *c);

/* --- decode.c: the polling thread --- */
/* The plain records of a compressed batch in a slab of their own. */
int kl_decode(struct klamm_consumer *c, const struct kl_batch_head *head,
	      struct klamm_span packed, struct kl_slab **slab_out, size_t *len_out,
	      struct klamm_error *err);
void kl_decode_close(struct klamm_consumer *c);

/* --- topics.c: the loop --- */
/* An answer names every topic. */
void kl_topics_listed(struct klamm_consumer *c, const struct kl_metadata_response *body);

/* --- fetcher.c: the loop --- */
void kl_fetcher_round(struct kl_task *task);
void kl_fetcher_free(struct klamm_consumer *c);
/* [application thread] Read no more, and end the sessions that brokers keep. */
void kl_fetcher_wind_up(struct klamm_consumer *c, int64_t deadline);
/* A partition has come into the assignment; or leaves it. */
void kl_fetcher_take(struct klamm_consumer *c, struct kl_cpart *part);
void kl_fetcher_drop(struct klamm_consumer *c, struct kl_cpart *part);
/* Something of it has changed: the next round looks at it. All changes have to be told. */
void kl_fetcher_touch(struct klamm_consumer *c, struct kl_cpart *part);
/* A partition is fetched ahead by what one answer brings for it. */
static inline bool kl_cpart_is_full(const struct klamm_consumer *c,
				    const struct kl_cpart *part)
{
	return atomic_load(&part->queued_bytes) >=
	       (uint64_t)c->settings->max_partition_fetch_bytes;
}
extern const struct kl_cluster_ops kl_fetcher_ops;
/* A partition needs its reset policy applied; told is an error if there is none. */
void kl_fetcher_reset(struct klamm_consumer *c, struct kl_cpart *part);

/* --- position.c: the loop --- */
/* A partition stands here; -1 = the epoch of the record before is not known. */
void kl_position_found(struct klamm_consumer *c, struct kl_cpart *part, int64_t offset,
		       int32_t epoch);
/* Look up where it stands, or whether that is right. false: out of memory. */
bool kl_position_look_up(struct klamm_consumer *c, struct kl_cpart *part);
void kl_position_cancel(struct klamm_consumer *c, struct kl_cpart *part);

#endif
