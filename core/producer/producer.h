/* SPDX-License-Identifier: BSD-2-Clause */
/* The producer's insides. See HACKING.md for the way of a record. */
#ifndef KL_PRODUCER_H
#define KL_PRODUCER_H

#include <klamm/producer.h>

#include "core/broker/cluster.h"
#include "core/conf/role_plugin.h"
#include "core/metrics/reporters.h"
#include "core/producer/figures.h"
#include "core/producer/identity.h"
#include "core/producer/outcome.h"
#include "core/producer/partition.h"
#include "core/producer/txn.h"

/* The word that send() looks at. Zero is what a forked child sees. */
enum {
	KL_PRODUCER_FORKED = 0,
	KL_PRODUCER_OPEN = 1,
	KL_PRODUCER_CLOSED = 2,
	KL_PRODUCER_NO_TXN = 3, /* transactional, and no transaction takes records */
	KL_PRODUCER_DRAINED = 4, /* takes no more records; what is under way goes on */
};

struct klamm_producer {
	/* --- constant after klamm_producer_new() --- */
	struct kl_os *os;
	struct klamm_loop *loop;
	bool own_loop;
	struct klamm_conf *conf;
	const struct kl_settings *settings;
	struct kl_log log;
	struct kl_host host;            /* what plugins see */
	bool host_made, sender_made, cluster_made; /* what close() has to undo */
	struct kl_plugin *codec_plugin; /* NULL = no compression */
	struct kl_role_plugin key_serializer, value_serializer; /* none = bytes as they are */
	struct kl_role_plugin partitioner;                      /* always there */
	struct kl_role_plugin sasl;                             /* none = no authentication */
	struct kl_tls *tls; /* until the cluster is made; NULL = none */
	uint32_t partitioner_flags;
	bool serializes;                /* one of them is there */
	int64_t (*record_clock)(struct kl_os *os); /* of records without a timestamp */
	size_t record_max;  /* max.request.size, less what a request adds */
	uint32_t linger_us;

	struct kl_metrics metrics;
	struct kl_reporters reporters;
	struct kl_meter meters[KL_PRODUCER_METERS]; /* under the mutex of metrics */

	/* --- any thread --- */
	atomic_uint *state; /* in a page that a fork wipes */
	atomic_uint refs;   /* the application, futures, topics, senders that may wait */
	atomic_uint inside; /* senders that may wait: close() lets them out first */
	klamm_delivery_fn on_delivery;
	void *on_delivery_arg;
	bool deliver_all;
	_Atomic(struct klamm_topic *) last_topic; /* of send_to() */
	struct kl_slab_pool *slabs;               /* buffer.memory */
	struct kl_gate gate;                      /* metadata, flush, deliveries */
	struct kl_gate memory_gate;               /* senders that wait for memory */
	_Atomic uint64_t next_id;                 /* of batches */
	_Atomic uint64_t failed;                  /* records, since the last flush */
	_Atomic uint64_t sealed_bytes;            /* ready or nearly so, not sent yet */
	_Atomic uint64_t sealed_ever, driven_at;  /* and when send() stepped the loop last */
	_Atomic(struct kl_partition *) dirty;     /* newest first */
	atomic_bool pressure;                     /* somebody waits for memory, */
	atomic_bool memory_freed;                 /* of which some came back */
	atomic_uint compressing;                  /* batches on workers */
	atomic_uint in_flight_max;                /* batches of a partition */
	struct kl_task task;                      /* the sender's round */

	struct kl_mutex mutex; /* guards the rest of this block; never held for long */
	struct klamm_topic *topics; /* uthash, each with a reference */
	uint64_t topic_number;
	struct kl_list live;        /* batches from opening to outcome, by id */
	struct kl_list spare_batches;
	struct kl_list spare_outcomes;
	struct kl_list memory_waiters;
	struct kl_list results; /* completed outcomes, not told yet */
	struct kl_list untold;  /* of them, what is left for klamm_producer_deliveries() */
	struct kl_list told;    /* what that showed last */
	struct kl_list questions; /* of unread.c, oldest first */
	bool telling;           /* somebody is at it: callbacks keep their order */
	size_t outcome_bytes;   /* outcomes that nobody has seen yet */

	/* --- the loop's --- */
	struct kl_cluster cluster;
	struct kl_slab_pool *answers;
	bool idempotent;
	struct kl_identity identity;
	struct kl_txn txn;
	struct kl_list lingering; /* partitions by due time */
	struct kl_list sendable;  /* to be looked at in this round */
	struct kl_list more;      /* likewise, for another batch in another request */
	struct kl_list parked;    /* cannot be sent now; timer or an event brings them back */
	struct kl_timer timer;
	struct kl_hook round_hook;     /* a round at the end of this step */
	int64_t look_at;               /* when to look at parked partitions at the latest */
	int64_t wake_at;               /* senders that wait for memory; KL_NEVER = not yet */
	uint64_t flush_seen;
	struct kl_list spare_requests; /* struct kl_produce */
	struct kl_list building;       /* in this round */
	struct kl_list requests;       /* under way */
	_Atomic uint64_t flush_id;     /* open batches up to this id are due now */
	bool told_of_old; /* that a leader is from before 0.11 */
	bool may_be_unfit; /* a batch is there that its leader will never take */
	uint64_t question_id; /* of the newest */
	bool draining; /* what was not sent stays, to be taken back */
	bool stopping;

	/* --- by the number of a worker of loop->cpu, and the last for its stand-in --- */
	struct kl_codec_worker {
		bool opened;
		struct kl_instance instance;
		struct kl_sink sink;
	} codecs[KL_POOL_MAX + 1];
};

/* Around what may wait for the loop: false when the producer is closed. */
bool kl_producer_enter(struct klamm_producer *p);
/* The same where no record is queued: false when it will never take one any more. */
bool kl_producer_enter_to_ask(struct klamm_producer *p);
void kl_producer_leave(struct klamm_producer *p);
bool kl_producer_is_closed(const struct klamm_producer *p); /* or forked */
bool kl_producer_is_over(const struct klamm_producer *p);   /* or drained */
/* Wait until nobody is between _enter() and _leave(); until no worker is at a batch. */
void kl_producer_let_senders_out(struct klamm_producer *p);
void kl_producer_let_workers_out(struct klamm_producer *p);
/* Why the producer takes no records: CLOSED, FORKED, or what became of its transaction. */
int kl_producer_state_error(const struct klamm_producer *p, struct klamm_error *err);

static inline bool kl_producer_is_transactional(const struct klamm_producer *p)
{
	return p->settings->transactional_id != NULL;
}

/* May one batch more of the partition be in flight? */
static inline bool kl_partition_has_place(const struct klamm_producer *p,
					  const struct kl_partition *part)
{
	return atomic_load(&part->in_flight) < atomic_load(&p->in_flight_max);
}

/* --- batch.c: opening, sealing, compressing; any thread --- */

/* What appending a record may need, got before any lock is taken. */
struct kl_spare {
	struct kl_slab *slab;
	struct kl_pbatch *batch;
	int64_t deadline; /* of waiting; 0 = nothing was waited for so far */
	bool follows;     /* the new batch follows one that is full */
};
/* max.block.ms from the first time it is asked: most batches never wait, and need no clock. */
int64_t kl_spare_deadline(struct klamm_producer *p, struct kl_spare *spare);
/* Memory for a batch that takes `need` bytes at least, waiting until the deadline. For the
 * record path: between kl_producer_enter() and _leave(). */
int kl_spare_get(struct klamm_producer *p, struct kl_spare *spare, size_t need,
		 struct klamm_error *err);
void kl_spare_put(struct klamm_producer *p, struct kl_spare *spare);

/* A batch and nothing in it; NULL: out of memory. [any thread] */
struct kl_pbatch *kl_pbatch_get(struct klamm_producer *p);
void kl_pbatch_clear(struct kl_pbatch *batch, struct kl_partition *part);
/* It is in no list but, may be, among the living ones; goes with all that it holds. */
void kl_pbatch_put(struct klamm_producer *p, struct kl_pbatch *batch);

/* With the partition's lock held: */
void kl_pbatch_open(struct kl_partition *part, struct kl_spare *spare, size_t room,
		    int64_t opened_at, int64_t timestamp);
/* Takes the open batch off the line, into part->sealed. */
struct kl_pbatch *kl_pbatch_seal(struct klamm_producer *p, struct kl_partition *part);
/* Then, without it: CRC, or a worker that compresses first. */
void kl_pbatch_finish(struct klamm_producer *p, struct kl_pbatch *batch);
/* A worker: compress the records, and write the head before them. */
void kl_pbatch_pack(struct klamm_producer *p, struct kl_pbatch *batch, unsigned index);
/* Have a worker do this to a batch, which is not ready meanwhile. false: the producer is
 * closed. */
bool kl_pbatch_work(struct klamm_producer *p, struct kl_pbatch *batch,
		    void (*run)(struct kl_job *job, unsigned index));
/* The worker's own instance of the codec, made when it is first needed. */
struct kl_codec_worker *kl_codec_worker(struct klamm_producer *p, unsigned index,
					struct klamm_error *err);
/* The next round looks at the partition. */
void kl_partition_dirty(struct klamm_producer *p, struct kl_partition *part);
/* The same, and the round has to be by then: a batch was opened or sealed. */
void kl_partition_mark(struct klamm_producer *p, struct kl_partition *part, int64_t when);

/* The batch's outcome is known: the loop, or whoever drained it. Frees it. */
void kl_pbatch_end(struct klamm_producer *p, struct kl_pbatch *batch, int error, int outcome,
		  int64_t base_offset, int64_t append_time, const char *text);
/* Records that have no outcome yet; approximate while others send. */
uint64_t kl_pbatch_records(struct klamm_producer *p);
/* Bytes a batch of this topic may take before it is compressed. */
size_t kl_pbatch_limit(const struct klamm_producer *p, const struct klamm_topic *topic);

/* --- memory.c --- */
/* Of buffer.memory, at once; NULL: there is none, or others were first. [any thread] */
struct kl_slab *kl_memory_get(struct klamm_producer *p, size_t need);
/* The same, waiting until the deadline. [application threads] */
int kl_memory_wait(struct klamm_producer *p, size_t need, int64_t deadline,
		   struct kl_slab **slab_out, struct klamm_error *err);
/* Some came back; arg is the producer. [any thread] */
void kl_memory_freed(void *arg);
/* The loop: wake those whose time has come; when to do so next. */
int64_t kl_memory_round(struct klamm_producer *p);

/* --- topic.c --- */
int kl_topic_wait(struct klamm_producer *p, struct klamm_topic *topic, int32_t partition,
		  int64_t deadline, struct klamm_error *err);
void kl_topic_update(struct klamm_producer *p, struct kl_topic_info *info);
void kl_topics_stop(struct klamm_producer *p);
void kl_topics_free(struct klamm_producer *p);
/* KIP-794: until batch.size bytes went to a partition, records that may go anywhere stay with
 * it, in however many batches: else slow brokers, whose batches are larger, would get more of
 * them. need: bytes of the next record. */
bool kl_topic_stays(const struct klamm_topic *topic, int32_t index, size_t need);
/* A partition for a record that may go anywhere; not the one given, if there is another. */
int32_t kl_topic_pick_sticky(struct klamm_topic *topic, int32_t count);

/* Ask the loop for fresh metadata of a topic. */
void kl_topic_refresh(struct klamm_producer *p, struct klamm_topic *topic);

/* --- linger.c: the loop --- */
/* Look at what send() did and at what is due; when the next one is. */
int64_t kl_linger_round(struct klamm_producer *p);
/* Seal the open batch, now or, when send() is at it, in the next round. */
void kl_linger_seal(struct klamm_producer *p, struct kl_partition *part);

/* --- unread.c: an application's thread --- */
/* With acks=0: wait until brokers have read what was sent to them before this call, or are
 * gone. TIMED_OUT: one has not answered. */
int kl_unread_wait(struct klamm_producer *p, int64_t deadline, struct klamm_error *err);

/* --- sender.c: the loop --- */
int kl_sender_init(struct klamm_producer *p, struct klamm_error *err);
void kl_sender_free(struct klamm_producer *p);
void kl_sender_round(struct kl_task *task);
extern const struct kl_cluster_ops kl_sender_ops;
/* Every batch that is left ends with CLOSED. */
void kl_sender_abandon(struct klamm_producer *p);

void kl_producer_unref(struct klamm_producer *p);

#endif
