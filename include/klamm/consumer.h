/* SPDX-License-Identifier: BSD-2-Clause */
/* The consumer, of partitions that it assigns itself or that its group assigns to it.
 *
 * poll() hands out whole batches, reference-counted; an iterator yields views into
 * them, without a copy, an allocation or a lock per record. A view is valid until its
 * batch is unreferenced.
 *
 * One thread at a time, except klamm_consumer_wakeup(). Batches may be used and
 * unreferenced by any thread.
 */
#ifndef KLAMM_CONSUMER_H
#define KLAMM_CONSUMER_H

#include <klamm/conf.h>
#include <klamm/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_consumer;
struct klamm_batch;
struct klamm_value;      /* <klamm/serializer.h> */
struct klamm_topic_list; /* <klamm/admin.h> */

/* Offsets that stand for a place. */
#define KLAMM_OFFSET_BEGINNING (-2)
#define KLAMM_OFFSET_END (-1)
#define KLAMM_OFFSET_RESET (-3) /* let auto.offset.reset decide */
/* Only for klamm_consumer_offsets(), of topics with tiered storage (KIP-405, KIP-1005,
 * KIP-1023): the first that is on the broker's own disk, the last that is in the tier, and the
 * first that is not there yet. UNSUPPORTED of brokers before 3.4, 3.8 and 4.2. */
#define KLAMM_OFFSET_EARLIEST_LOCAL (-4)
#define KLAMM_OFFSET_LATEST_TIERED (-5)
#define KLAMM_OFFSET_EARLIEST_PENDING_UPLOAD (-6)

/* A record that was read. Views into its batch. */
struct klamm_record_view {
	struct klamm_span key;
	struct klamm_span value;
	int64_t offset;
	int64_t timestamp_ms;
	int32_t timestamp_type; /* enum klamm_timestamp_type */
	int32_t leader_epoch;   /* -1 = not known */
	uint32_t header_count;
	uint32_t headers_len;
	const uint8_t *headers; /* encoded; see klamm_record_header() */
};

/* loop: as in klamm_producer_new(). conf is copied. group.id is only needed to commit, and to
 * subscribe. */
int klamm_consumer_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		       struct klamm_consumer **consumer_out, struct klamm_error *err);

/* Stop fetching, give back what is left, free the consumer whatever happens (but in a forked
 * child: FORKED, inside a callback: WOULD_BLOCK, and in a function of the listener: STATE).
 * With enable.auto.commit and a group.id it commits the positions first; an error says that
 * this failed. A member of a group calls its listener then, and leaves, if it is not static.
 * Commits under way are waited for, and their functions called, up to timeout_ms; so are
 * brokers that keep a fetch session (KIP-227), for fetch.max.wait.ms and a little at most: 0
 * tells only those that listen now. Batches that the application still holds stay valid, but
 * their keys and values are not decoded any more. */
int klamm_consumer_close(struct klamm_consumer *consumer, int64_t timeout_ms,
			 struct klamm_error *err);

/* What becomes of a membership when the consumer closes (KIP-1092). */
enum klamm_membership_end {
	KLAMM_MEMBERSHIP_DEFAULT = 0, /* a dynamic member leaves, a static one remains */
	KLAMM_MEMBERSHIP_LEAVE = 1,   /* so do static ones: their partitions go on at once */
	KLAMM_MEMBERSHIP_REMAIN = 2,  /* nothing is said: until session.timeout.ms is over */
};
struct klamm_close_options {
	size_t size;
	int64_t timeout_ms;
	int32_t membership; /* enum klamm_membership_end */
	int32_t reserved;
};
int klamm_consumer_close_with(struct klamm_consumer *consumer,
			      const struct klamm_close_options *options,
			      struct klamm_error *err);

/* Replace the assignment (copied). Positions of partitions that stay are kept; new ones begin
 * at the offset that is committed for group.id, by auto.offset.reset where there is none,
 * until sought. With enable.auto.commit the positions of those that leave are committed.
 * count 0 = none; after klamm_consumer_subscribe() that is klamm_consumer_unsubscribe(), and
 * anything else an error, STATE. Does not wait. */
int klamm_consumer_assign(struct klamm_consumer *consumer,
			  const struct klamm_topic_partition *partitions, size_t count,
			  struct klamm_error *err);

/* What is assigned now, sorted; the consumer's, until the next such call. */
int klamm_consumer_assignment(struct klamm_consumer *consumer,
			      const struct klamm_topic_partition **partitions_out,
			      size_t *count_out, struct klamm_error *err);

/* --- groups: they need a group.id, else INVALID_GROUP_ID --- */

/* What a group does to the assignment. Called by poll(), unsubscribe() and close() of the
 * thread that uses the consumer, so no poll() ends in the middle. They may commit, seek, ask
 * for positions and pause, and wait for that; polling, subscribing and closing is an error
 * there, STATE. Partitions are borrowed, sorted. Each may be NULL. */
struct klamm_listener {
	size_t size;
	void *arg;
	/* These have come; those that were there before have stayed. At the end of each
	 * rebalance, so there may be none. They begin at their committed offsets, unless they
	 * are sought here. */
	void (*assigned)(void *arg, struct klamm_consumer *consumer,
			 const struct klamm_topic_partition *partitions, size_t count);
	/* These are about to go, and can still be committed; with enable.auto.commit they
	 * are. */
	void (*revoked)(void *arg, struct klamm_consumer *consumer,
			const struct klamm_topic_partition *partitions, size_t count);
	/* These have gone, maybe to others already: nothing can be committed for them any
	 * more. NULL: revoked is called. */
	void (*lost)(void *arg, struct klamm_consumer *consumer,
		     const struct klamm_topic_partition *partitions, size_t count);
};

/* Have the group assign partitions of these topics (copied), instead of those of earlier
 * calls. The consumer joins its group when it polls; the loop tells the coordinator that it
 * lives, and poll() has to be called once in max.poll.interval.ms, or its partitions go to
 * others. A listener is copied, NULL = none. count 0 = unsubscribe. STATE: it assigns its
 * partitions itself. CONFIG, PLUGIN: partition.assignment.strategy. What the group does not
 * allow is told by poll(): GROUP_AUTHORIZATION_FAILED, INCONSISTENT_GROUP_PROTOCOL,
 * GROUP_MAX_SIZE_REACHED, INVALID_SESSION_TIMEOUT, after which the next poll() tries again;
 * and FENCED_INSTANCE_ID, as another consumer has this group.instance.id now, after which none
 * does. */
int klamm_consumer_subscribe(struct klamm_consumer *consumer, const char *const *topics,
			     size_t count, const struct klamm_listener *listener,
			     struct klamm_error *err);

/* The same for all topics, also those to come, whose whole name matches a regular expression
 * (PCRE2); without the brokers' own, see exclude.internal.topics. It is held to the cluster's
 * topics once per metadata.max.age.ms. INVALID_REGULAR_EXPRESSION. */
int klamm_consumer_subscribe_pattern(struct klamm_consumer *consumer, const char *pattern,
				     const struct klamm_listener *listener,
				     struct klamm_error *err);

/* The same with group.protocol=consumer, and a pattern that the broker matches (KIP-848), in
 * the syntax of RE2. UNSUPPORTED with another protocol; that the broker refuses a pattern is
 * told by poll(). */
int klamm_consumer_subscribe_regex(struct klamm_consumer *consumer, const char *regex,
				   const struct klamm_listener *listener,
				   struct klamm_error *err);

/* Commit, if that is automatic, call the listener, and leave the group; timeout_ms as
 * everywhere, or KLAMM_TIMEOUT_DEFAULT. An error says that the commit failed. */
int klamm_consumer_unsubscribe(struct klamm_consumer *consumer, int64_t timeout_ms,
			       struct klamm_error *err);

/* What is subscribed to, sorted: topics, or what the pattern matches by now. The consumer's,
 * until the next such call. */
int klamm_consumer_subscription(struct klamm_consumer *consumer,
				const char *const **topics_out, size_t *count_out,
				struct klamm_error *err);

/* Have the group assign anew, for a reason that the broker logs (NULL = none to tell,
 * KIP-800). Does not wait. STATE: nothing is subscribed to. */
int klamm_consumer_enforce_rebalance(struct klamm_consumer *consumer, const char *reason,
				     struct klamm_error *err);

/* Who this consumer is for its group, to hand to a transactional producer. Set its size. As a
 * member it is who it was at the last assignment, so that what it read before it was put out
 * is refused. The texts stay the consumer's, and valid until its next poll(). */
int klamm_consumer_group_metadata(const struct klamm_consumer *consumer,
				  struct klamm_group_metadata *metadata_out,
				  struct klamm_error *err);

/* The next position of an assigned partition: an offset >= 0, or KLAMM_OFFSET_BEGINNING,
 * _END or _RESET. Data fetched before is dropped. Does not wait. STATE: not assigned. */
int klamm_consumer_seek(struct klamm_consumer *consumer, const char *topic,
			int32_t partition, int64_t offset, struct klamm_error *err);

/* All assigned partitions at once: KLAMM_OFFSET_BEGINNING, _END or _RESET, or an offset. */
int klamm_consumer_seek_all(struct klamm_consumer *consumer, int64_t offset,
			    struct klamm_error *err);

/* To the first record at or after a time (ms since 1970); the end when there is none. */
int klamm_consumer_seek_time(struct klamm_consumer *consumer, const char *topic,
			     int32_t partition, int64_t timestamp_ms,
			     struct klamm_error *err);

/* The offset of the next record to be handed out, waiting up to timeout_ms for one that
 * must be looked up first. NO_OFFSET: there is none, and auto.offset.reset is none. */
int klamm_consumer_position(struct klamm_consumer *consumer, const char *topic,
			    int32_t partition, int64_t timeout_ms, int64_t *offset_out,
			    struct klamm_error *err);

/* Paused partitions are not handed out; what was fetched is kept. */
int klamm_consumer_pause(struct klamm_consumer *consumer, const char *topic,
			 int32_t partition, bool paused, struct klamm_error *err);
/* Is it? Also false where the partition is not assigned. */
bool klamm_consumer_is_paused(const struct klamm_consumer *consumer, const char *topic,
			      int32_t partition);

/* First offset, end offset, or the offset for a time, asked of the brokers. Set topic,
 * partition and timestamp_ms (or KLAMM_OFFSET_BEGINNING / _END in its place); offset,
 * leader_epoch and error are answered per entry. offset -1: no such record. */
struct klamm_offset_query {
	size_t size;
	const char *topic;
	int32_t partition;
	int32_t error; /* out: enum klamm_err */
	int64_t timestamp_ms;
	int64_t offset;        /* out */
	int64_t found_ms;      /* out: timestamp of that record, -1 = none */
	int32_t leader_epoch;  /* out */
	int32_t reserved;
};
int klamm_consumer_offsets(struct klamm_consumer *consumer,
			   struct klamm_offset_query *queries, size_t count,
			   int64_t timeout_ms, struct klamm_error *err);

/* --- committed offsets: they need a group.id, else INVALID_GROUP_ID --- */

/* Store offsets for the group and wait until its coordinator has them. offsets NULL: the
 * positions of all assigned partitions, which are behind what poll() has handed out.
 * timeout_ms as everywhere, or KLAMM_TIMEOUT_DEFAULT. What passes is tried again until then
 * (TIMED_OUT names the last reason). On an error some of them may be stored: GROUP_ or
 * TOPIC_AUTHORIZATION_FAILED, OFFSET_METADATA_TOO_LARGE (offset.metadata.max.bytes of the
 * broker); UNKNOWN_MEMBER_ID and such: the group has members that share its partitions, and
 * takes no commits of others, or this one was put out; REBALANCE_IN_PROGRESS: the partition
 * was given up meanwhile, or has to be, by poll(). Also calls the functions of earlier
 * commits. */
int klamm_consumer_commit(struct klamm_consumer *consumer, const struct klamm_offset *offsets,
			  size_t count, int64_t timeout_ms, struct klamm_error *err);

/* What became of an asynchronous commit: err NULL = it is stored. All is borrowed. Called by
 * poll(), commit() and close() of the thread that uses the consumer; must not wait. */
typedef void (*klamm_commit_fn)(void *arg, const struct klamm_offset *offsets, size_t count,
				const struct klamm_error *err);

/* The same without waiting; offsets are copied. It is tried until default.api.timeout.ms is
 * over. Commits reach the coordinator in the order of the calls, so none is undone by an
 * earlier one. fn may be NULL; it is called once otherwise. QUEUE_FULL: a thousand of them
 * have not ended or not been told. */
int klamm_consumer_commit_async(struct klamm_consumer *consumer,
				const struct klamm_offset *offsets, size_t count,
				klamm_commit_fn fn, void *arg, struct klamm_error *err);

/* What is committed for a partition, asked of the coordinator. With isolation.level
 * read_committed, offsets that an open transaction is about to commit are waited for
 * (KIP-447). The first error is returned, each one's stands in its entry. */
struct klamm_committed {
	size_t size;
	const char *topic;
	int32_t partition;
	int32_t error;        /* out: enum klamm_err */
	int64_t offset;       /* out: of the next record to read, -1 = nothing is committed */
	int32_t leader_epoch; /* out: -1 = not known */
	int32_t reserved;
	/* out: "" = none; the consumer's, until its next klamm_consumer_committed() */
	const char *metadata;
};
int klamm_consumer_committed(struct klamm_consumer *consumer, struct klamm_committed *entries,
			     size_t count, int64_t timeout_ms, struct klamm_error *err);

/* Is the cluster within reach? Have brokers asked now, and wait until one answers; for who
 * wants to know at the start whether addresses and secrets are right, or how it stands later.
 * Reading does not need it. KLAMM_TIMEOUT_DEFAULT: default.api.timeout.ms. TIMED_OUT, or
 * the refusal of a broker as soon as there is one: err has host, cause and stage. */
int klamm_consumer_reach(struct klamm_consumer *consumer, int64_t timeout_ms,
			 struct klamm_error *err);

/* Number of partitions of a topic. UNKNOWN_TOPIC_OR_PARTITION: no such topic. */
int klamm_consumer_partitions_for(struct klamm_consumer *consumer, const char *topic,
				  int64_t timeout_ms, int32_t *count_out,
				  struct klamm_error *err);

/* Every topic that this client may see, Kafka's own too, with leaders and replicas; asked of a
 * broker each time. *list_out ends with klamm_topic_list_free(). */
int klamm_consumer_topics(struct klamm_consumer *consumer, int64_t timeout_ms,
			  struct klamm_topic_list **list_out, struct klamm_error *err);

/* The next batch, or NULL in *batch_out with 0 returned when timeout_ms passed without one.
 * The caller owns one reference. Positions advance past the batch when it is handed out.
 * An error belongs to a partition (its text names it) and is told once; the next call goes
 * on with the others. A batch that cannot be read stays where it is, though: each call
 * tells of it, in turn with the other partitions, until it is sought over. NO_OFFSET: a
 * position is gone and auto.offset.reset is none. QUEUE_FULL: batches that the application
 * holds take all of klamm.memory.max. SASL_AUTHENTICATION_FAILED and others of the stage
 * SASL: a broker does not let this client in; told once until one does, while the client
 * goes on trying. LOG_TRUNCATION: what was read is not in the log any more (KIP-320), and
 * auto.offset.reset is none; with another policy the position goes back to where the logs
 * part. INTERRUPTED: klamm_consumer_wakeup() was called. On a loop that the
 * caller drives, this steps it. */
int klamm_consumer_poll(struct klamm_consumer *consumer, int64_t timeout_ms,
			struct klamm_batch **batch_out, struct klamm_error *err);

/* --- record by record, across batches --- */

/* A record, and the batch that it is in, for klamm_record_value() and its like. Both are
 * borrowed until the next call of klamm_consumer_next(), _read() or _close(), which the batch
 * outlives if it is referenced. Its iterator is not the caller's. */
struct klamm_consumed {
	struct klamm_batch *batch;
	struct klamm_record_view view;
};

/* The next record; record_out->batch NULL with 0 returned when timeout_ms passed without one,
 * which is how a loop over all that there is ends (kafka-python's consumer_timeout_ms).
 * Positions advance record by record, so a commit covers what was handed out and nothing
 * else; seeking, pausing and a rebalance hold for what is left of a batch, too. Each call is a
 * poll(), and tells what poll() would. A batch whose records cannot be read to the end is
 * told once, and what is left of it is left out. */
int klamm_consumer_next(struct klamm_consumer *consumer, int64_t timeout_ms,
			struct klamm_consumed *record_out, struct klamm_error *err);

/* The same for many: up to max, or max.poll.records, that are there, of any partitions, each
 * one's in order. Waits for the first alone; 0 of them: timeout_ms passed. poll() in between
 * hands out what is left of a batch. */
int klamm_consumer_read(struct klamm_consumer *consumer, int64_t timeout_ms,
			struct klamm_consumed *records, size_t max, size_t *count_out,
			struct klamm_error *err);

/* Make the current or the next poll() return INTERRUPTED. Any thread or signal handler. */
void klamm_consumer_wakeup(struct klamm_consumer *consumer);

/* True when nothing is left to read in this partition: the position has reached the high
 * watermark (or last stable offset) that the broker told last. */
bool klamm_consumer_at_end(const struct klamm_consumer *consumer, const char *topic,
			   int32_t partition);

/* The high watermark told last, -1 = not known. */
int64_t klamm_consumer_high_watermark(const struct klamm_consumer *consumer,
				      const char *topic, int32_t partition);
/* How many offsets are left from the position to the high watermark, or with read_committed to
 * the last stable offset, that the broker told last; nobody is asked (KIP-695). -1 = one of
 * the two is not known. */
int64_t klamm_consumer_lag(const struct klamm_consumer *consumer, const char *topic,
			   int32_t partition);

/* Wait-free facts of a batch. */
const char *klamm_batch_topic(const struct klamm_batch *batch);
int32_t klamm_batch_partition(const struct klamm_batch *batch);
/* Records in it, those below the position not counted. */
uint32_t klamm_batch_count(const struct klamm_batch *batch);
/* Lag behind the high watermark after this batch, -1 = not known. */
int64_t klamm_batch_lag(const struct klamm_batch *batch);
void klamm_batch_ref(struct klamm_batch *batch);
void klamm_batch_unref(struct klamm_batch *batch); /* NULL is fine */

/* The next record of a batch: 1 = view_out filled, 0 = the end, below 0 an enum klamm_err
 * (a record that cannot be read: nothing of the batch follows). The place is kept in the
 * batch, so one thread iterates. _rewind() starts over. */
int klamm_batch_next(struct klamm_batch *batch, struct klamm_record_view *view_out);
void klamm_batch_rewind(struct klamm_batch *batch);

/* Up to max views at once, for callers to whom a call is dear. *count_out 0 = the end. */
int klamm_batch_fill(struct klamm_batch *batch, struct klamm_record_view *views, size_t max,
		     size_t *count_out);

/* Header i of a record (0..header_count). Walks; the first is nearest. INVALID_ARGUMENT: no
 * such header. */
int klamm_record_header(const struct klamm_record_view *view, uint32_t i,
			struct klamm_header *header_out);

/* The record's key or value through key.deserializer / value.deserializer. The value lives
 * as long as the batch. DESERIALIZE: the text names topic, partition and offset; the record
 * can be skipped by going on. */
int klamm_record_key(struct klamm_batch *batch, const struct klamm_record_view *view,
		     const struct klamm_value **value_out, struct klamm_error *err);
int klamm_record_value(struct klamm_batch *batch, const struct klamm_record_view *view,
		       const struct klamm_value **value_out, struct klamm_error *err);

#ifdef __cplusplus
}
#endif
#endif
