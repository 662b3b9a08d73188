/* SPDX-License-Identifier: BSD-2-Clause */
/* The producer.
 *
 * send() runs serializer and partitioner in the caller's thread, encodes the record
 * into the open batch of its partition and returns; nothing of the caller's is
 * kept. What became of the record is told once: by the delivery callback, by a
 * future, or by polling an array of deliveries.
 *
 * Every function here may be called from any thread, several at once, unless it
 * says otherwise.
 */
#ifndef KLAMM_PRODUCER_H
#define KLAMM_PRODUCER_H

#include <klamm/conf.h>
#include <klamm/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_producer;
struct klamm_topic;
struct klamm_future;
struct klamm_value; /* <klamm/serializer.h> */

#define KLAMM_PARTITION_NONE (-1) /* let key and partitioner decide */
#define KLAMM_TIMESTAMP_NOW (-1)

/* A record to send. Everything is borrowed for the call. Start from
 * KLAMM_RECORD_INIT (or klamm_record_init() where there are no macros). */
struct klamm_record {
	size_t size;
	struct klamm_span key;   /* data NULL = null key */
	struct klamm_span value; /* data NULL = null value (a tombstone) */
	const struct klamm_header *headers;
	size_t header_count;
	int64_t timestamp_ms; /* KLAMM_TIMESTAMP_NOW, or ms since 1970 (>= 0) */
	int32_t partition;    /* KLAMM_PARTITION_NONE, or a partition of the topic */
	int32_t reserved;
	/* When set, these go through key.serializer and value.serializer and win over
	 * key and value. */
	const struct klamm_value *key_value;
	const struct klamm_value *value_value;
};
#define KLAMM_RECORD_INIT                                                               \
	{                                                                               \
		sizeof(struct klamm_record), {NULL, 0}, {NULL, 0}, NULL, 0,             \
			KLAMM_TIMESTAMP_NOW, KLAMM_PARTITION_NONE, 0, NULL, NULL        \
	}
void klamm_record_init(struct klamm_record *record);

/* What became of one record. There is no checksum of a record in it: since Kafka 0.11 the
 * format has one per batch alone, which the broker may write anew. */
struct klamm_delivery {
	size_t size;
	void *opaque;      /* what was given to send() */
	const char *topic; /* borrowed for the callback, or until the next poll */
	int32_t partition;
	int32_t error;        /* enum klamm_err, 0 = delivered */
	int32_t outcome;      /* enum klamm_outcome */
	int32_t retriable;    /* 1: sending it again may work */
	int64_t offset;       /* -1 unknown (acks=0, or failed) */
	int64_t timestamp_ms; /* the record's, or the broker's append time */
	const char *text;     /* what happened, "" when delivered; borrowed likewise */
	int32_t key_size;     /* bytes of the key, serialized; -1 = null */
	int32_t value_size;   /* likewise */
	int32_t headers_size; /* of the headers' names and values; -1 = there were none */
	int32_t reserved;
};

/* Runs inside klamm_producer_poll(), _flush(), _close() and the calls about transactions, in
 * one thread at a time, in send order per partition; but where the first attempt of a batch
 * got no answer, or an error after it was written, later ones may be told before it. It may
 * call send() (which then answers QUEUE_FULL instead of waiting) but nothing that waits: such
 * calls answer WOULD_BLOCK and do nothing. What takes longer than 100 ms is logged. */
typedef void (*klamm_delivery_fn)(void *arg, const struct klamm_delivery *delivery);

/* loop: shared by the caller and outliving the producer; NULL = one of its own, with
 * a thread. conf is copied. CONFIG, PLUGIN: the text names key or file. No
 * connection is made yet. */
int klamm_producer_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		       struct klamm_producer **producer_out, struct klamm_error *err);

/* Is the cluster within reach? Have brokers asked now, and wait until one answers; for who
 * wants to know at the start whether addresses and secrets are right, or how it stands later.
 * Sending does not need it. KLAMM_TIMEOUT_DEFAULT: max.block.ms. TIMED_OUT, or
 * the refusal of a broker as soon as there is one: err has host, cause and stage. */
int klamm_producer_reach(struct klamm_producer *producer, int64_t timeout_ms,
			 struct klamm_error *err);

/* Before the first send(). fn is called for every record, also those sent without
 * an opaque when all is true; otherwise only for those that have one. */
int klamm_producer_on_delivery(struct klamm_producer *producer, klamm_delivery_fn fn,
			       void *arg, bool all, struct klamm_error *err);

/* A handle for a topic name (copied), reference-counted; the same name gives the same
 * handle. Does not wait: metadata is asked for when needed. INVALID_ARGUMENT: not a
 * legal topic name. */
int klamm_producer_topic(struct klamm_producer *producer, const char *name,
			 struct klamm_topic **topic_out, struct klamm_error *err);
void klamm_topic_unref(struct klamm_topic *topic); /* NULL is fine */
const char *klamm_topic_name(const struct klamm_topic *topic);

/* Queue one record. Waits up to max.block.ms for metadata and buffer memory.
 * opaque: told again at delivery; NULL = no delivery wanted (unless all was asked).
 * Expected errors: TIMED_OUT (metadata), QUEUE_FULL (buffer.memory is used up, or
 * deliveries that nobody polls take as much again), RECORD_TOO_LARGE, PARTITION (no such
 * partition), SERIALIZE, CLOSED, and the broker's word on the topic, such as
 * TOPIC_AUTHORIZATION_FAILED. */
int klamm_producer_send(struct klamm_producer *producer, struct klamm_topic *topic,
			const struct klamm_record *record, void *opaque,
			struct klamm_error *err);

/* The same with a name; the last name's handle is remembered. */
int klamm_producer_send_to(struct klamm_producer *producer, const char *topic,
			   const struct klamm_record *record, void *opaque,
			   struct klamm_error *err);

/* Queue records[0..count). *queued_out (may be NULL) tells how many were; the error
 * belongs to the first one that was not. opaques: count pointers, or NULL. Takes one
 * lock per run of records of one partition. */
int klamm_producer_send_many(struct klamm_producer *producer, struct klamm_topic *topic,
			     const struct klamm_record *records, size_t count,
			     void *const *opaques, size_t *queued_out,
			     struct klamm_error *err);

/* Queue one record and get a future for it, to be freed by klamm_future_free(). A
 * record with a future is not told to the delivery callback. */
int klamm_producer_send_future(struct klamm_producer *producer, struct klamm_topic *topic,
			       const struct klamm_record *record,
			       struct klamm_future **future_out, struct klamm_error *err);

/* Wait for the record's end. delivery_out may be NULL; its topic and text live as long
 * as the future. Returns the record's error, or TIMED_OUT when it is not known yet. On a
 * loop that the caller drives, this steps it. */
int klamm_future_get(struct klamm_future *future, int64_t timeout_ms,
		     struct klamm_delivery *delivery_out, struct klamm_error *err);
bool klamm_future_is_done(const struct klamm_future *future);

/* on_success or on_error (either may be NULL) runs once, from the same places as the
 * delivery callback; at once in this call when the record's end is known already. Several
 * pairs may be added. */
int klamm_future_then(struct klamm_future *future, klamm_delivery_fn on_success,
		      klamm_delivery_fn on_error, void *arg, struct klamm_error *err);
void klamm_future_free(struct klamm_future *future); /* NULL is fine */

/* Run delivery callbacks that are due, waiting up to timeout_ms for the first. On a loop
 * that the caller drives, this steps it. *count_out (may be NULL): how many ran. */
int klamm_producer_poll(struct klamm_producer *producer, int64_t timeout_ms,
			size_t *count_out, struct klamm_error *err);

/* The same without callbacks: fill deliveries[0..max). Only where no callback was set (with
 * one: STATE). topic and text are borrowed until the next call. */
int klamm_producer_deliveries(struct klamm_producer *producer, int64_t timeout_ms,
			      struct klamm_delivery *deliveries, size_t max,
			      size_t *count_out, struct klamm_error *err);

/* Wait until every record queued before this call has its outcome, running callbacks
 * meanwhile. *failed_out (may be NULL): how many of all records ended in an error since the
 * last flush. TIMED_OUT: some are still open. With acks=0 a record's outcome says that it is
 * on its way: then also wait until each broker has read what was sent to it, or is gone
 * (TIMED_OUT: one does not answer, and err->node says which). */
int klamm_producer_flush(struct klamm_producer *producer, int64_t timeout_ms,
			 uint64_t *failed_out, struct klamm_error *err);

/* A record that was not sent, and what was given to send() with it (NULL when it has a
 * future). All of it is borrowed for the call; key, value and headers are what serializers
 * made of them, partition and timestamp_ms are set: a producer without serializers can send it
 * as it is. The same rules as for klamm_delivery_fn: nothing that waits. */
typedef void (*klamm_unsent_fn)(void *arg, const char *topic,
				const struct klamm_record *record, void *opaque);

/* For a shutdown that loses nothing while brokers are away: take no more records (send()
 * answers CLOSED from now on, also in threads that wait in it), and hand back all that are
 * surely not written: those never sent, and those refused that wait for another try; in order
 * per partition, each once. They get no delivery callback, their futures end with CLOSED and
 * KLAMM_OUTCOME_NOT_WRITTEN, and no flush counts them as failed. What is in flight, or may be
 * written, keeps its way: klamm_producer_flush() or _close() brings its outcome, and another
 * drain after that what was refused meanwhile. Does not wait for brokers. A transaction that
 * loses records so can only be aborted, and no other begins. One thread at a time.
 * *count_out (may be NULL): how many were handed back. NO_MEMORY, CODEC: *count_out of them,
 * whole batches; the rest is sent as before, and may be drained again. */
int klamm_producer_drain(struct klamm_producer *producer, klamm_unsent_fn fn, void *arg,
			 uint64_t *count_out, struct klamm_error *err);

/* --- transactions: with transactional.id set (KIP-98, KIP-890) ---
 *
 * All that is sent between begin and commit, offsets included, becomes visible to readers with
 * isolation.level=read_committed together, or never. send() answers STATE outside of a
 * transaction. The scope of an error says what is left to do: RETRIABLE, the same call again
 * (and no other); ABORTABLE, klamm_producer_abort_transaction(); FATAL, _close(); FINAL, what
 * the text says: nothing has begun, as when init_transactions() is not authorized. timeout_ms:
 * KLAMM_TIMEOUT_DEFAULT is max.block.ms. Delivery callbacks run while these calls wait. One
 * thread at a time makes them; others may send meanwhile, but for the end of a transaction. */

/* First of all, once: gets producer id and epoch, which fences earlier producers of this
 * transactional.id, and ends what they left open. */
int klamm_producer_init_transactions(struct klamm_producer *producer, int64_t timeout_ms,
				     struct klamm_error *err);

/* Does not wait for brokers. */
int klamm_producer_begin_transaction(struct klamm_producer *producer, struct klamm_error *err);

/* Commit offsets[0..count) for the group with the transaction (KIP-447). All of it is copied.
 * group: of klamm_consumer_group_metadata(), or with group_id alone (member_id "", generation
 * -1). ABORTABLE: also when the group has another generation by now. */
int klamm_producer_send_offsets(struct klamm_producer *producer,
				const struct klamm_offset *offsets, size_t count,
				const struct klamm_group_metadata *group, int64_t timeout_ms,
				struct klamm_error *err);

/* Waits for all its records, then commits. ABORTABLE: a record failed, nothing is committed.
 * Out of time it goes on, and only this call may follow. The outcome of a FATAL error tells of
 * the transaction: POSSIBLY_WRITTEN, it may have been committed; DELIVERED, it is. */
int klamm_producer_commit_transaction(struct klamm_producer *producer, int64_t timeout_ms,
				      struct klamm_error *err);

/* Records that were not sent yet end with ABORTED. Where a broker has refused the epoch of one
 * (INVALID_PRODUCER_EPOCH), it takes 1.5 s, in which a newer producer with this
 * transactional.id gets its turn; this one is told then that it is fenced. */
int klamm_producer_abort_transaction(struct klamm_producer *producer, int64_t timeout_ms,
				     struct klamm_error *err);

/* Partitions of a topic, waiting for metadata up to max.block.ms. */
int klamm_producer_partitions_for(struct klamm_producer *producer, const char *topic,
				  int32_t *count_out, struct klamm_error *err);

/* Records queued or in flight, and bytes of buffer.memory in use. */
void klamm_producer_queue(const struct klamm_producer *producer, uint64_t *records_out,
			  uint64_t *bytes_out);

/* Flush for up to timeout_ms, fail what is left (CLOSED, with its outcome), run its
 * callbacks, and free the producer whatever happens. An open transaction is aborted
 * first. TIMED_OUT: something was left, records or a transaction without an end, or with
 * acks=0 what a broker may not have read. Handles of topics and futures stay valid until they
 * are freed. Senders that wait in other threads come back with CLOSED; nobody may begin a call
 * any more. Inside a callback WOULD_BLOCK, and nothing is freed; so in a forked child
 * (FORKED). */
int klamm_producer_close(struct klamm_producer *producer, int64_t timeout_ms,
			 struct klamm_error *err);

#ifdef __cplusplus
}
#endif
#endif
