/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactional ids and their transactions (KIP-98, KIP-360, KIP-890), by the rules of
 * Kafka's TransactionCoordinator and TransactionMetadata. A step of a transaction is a
 * record of its home partition first; what it then is holds at once, and whoever is told of
 * it waits until the record is on the disk. Lives in the broker's loop. */
#ifndef KL_DEV_TXNS_H
#define KL_DEV_TXNS_H

#include "broker/broker.h"
#include "broker/pledge.h"

/* As the records say it. */
enum kl_dev_txn_state {
	KL_DEV_TXN_EMPTY,
	KL_DEV_TXN_ONGOING,
	KL_DEV_TXN_PREPARE_COMMIT,
	KL_DEV_TXN_PREPARE_ABORT,
	KL_DEV_TXN_COMPLETE_COMMIT,
	KL_DEV_TXN_COMPLETE_ABORT,
};
/* "PrepareCommit"; and back, -1 = there is none. */
const char *kl_dev_txn_state_name(int state);
int kl_dev_txn_state_named(struct kl_str name);

/* A partition that takes part, and how far its end is. */
struct kl_dev_txn_part {
	char *topic;
	int32_t index;
	bool marked; /* the marker was appended, and pledge tells of it */
	struct kl_dev_pledge pledge;
	int64_t due;  /* loop time from which on the marker may be sent */
	bool is_late; /* a fault said so */
};

/* What a record says of it, besides its partitions. */
struct kl_dev_txn_facts {
	int64_t producer_id;
	int64_t previous_id, next_id; /* -1 = none */
	int16_t epoch, last_epoch;    /* -1 = none */
	int16_t version;              /* of transactions, as its client has it */
	int32_t timeout_ms;
	int32_t state; /* enum kl_dev_txn_state */
	int64_t started_ms, updated_ms;
};

struct kl_dev_txn {
	UT_hash_handle hh; /* by id */
	struct kl_list ending;
	int32_t home; /* partition of __transaction_state */
	struct kl_dev_txn_facts facts;
	struct kl_dev_txn_part *parts; /* by topic and index */
	size_t part_count, part_cap;
	struct kl_dev_pledge prepared; /* the record that says how it ends */
	int64_t due; /* loop time: what failed is tried again */
	int32_t id_len;
	char id[];
};

static inline struct kl_str kl_dev_txn_id(const struct kl_dev_txn *txn)
{
	return (struct kl_str){txn->id, txn->id_len};
}

/* --- txns.c --- */

int kl_dev_txns_begin(struct klamm_broker *broker, struct klamm_error *err);
void kl_dev_txns_end(struct klamm_broker *broker);
struct kl_dev_txn *kl_dev_txn_find(struct klamm_broker *broker, struct kl_str id);
/* One that nobody knew, with nothing in it. NULL: out of memory. */
struct kl_dev_txn *kl_dev_txn_add(struct klamm_broker *broker, struct kl_str id, int32_t home);
void kl_dev_txn_drop(struct klamm_broker *broker, struct kl_dev_txn *txn);
void kl_dev_txns_drop_home(struct klamm_broker *broker, int32_t home); /* -1 = all */
/* It takes part in the transaction. false: out of memory. */
bool kl_dev_txn_add_part(struct kl_dev_txn *txn, struct kl_str topic, int32_t index);
void kl_dev_txn_drop_part(struct kl_dev_txn *txn, size_t i);
bool kl_dev_txn_has_part(const struct kl_dev_txn *txn, struct kl_str topic, int32_t index);

/* --- txn_log.c --- */

/* The transaction becomes this, on its log and then here. 0 or COORDINATOR_NOT_AVAILABLE:
 * it is as it was. */
int kl_dev_txn_become(struct klamm_broker *broker, struct kl_dev_txn *txn,
		      const struct kl_dev_txn_facts *facts);
/* It is forgotten, likewise, and freed. */
int kl_dev_txn_forget(struct klamm_broker *broker, struct kl_dev_txn *txn);
/* Read all of its home partition. 0 or KAFKA_STORAGE_ERROR. */
int kl_dev_txns_load(struct klamm_broker *broker, struct kl_dev_partition *home);

/* --- txn_steps.c: what clients ask for; errors are those of the newest versions --- */

struct kl_dev_txn_ask {
	struct kl_str id;
	int64_t producer_id; /* -1 = none */
	int16_t epoch;
	int16_t version; /* of transactions, as the request's version tells it */
};
/* A producer begins, or begins anew. */
int kl_dev_txn_init(struct klamm_broker *broker, struct kl_dev_partition *home,
		    const struct kl_dev_txn_ask *ask, int32_t timeout_ms,
		    int64_t *producer_id_out, int16_t *epoch_out);
/* May it add partitions? 0; or the error for all of them. Then: kl_dev_txn_add_all(). */
int kl_dev_txn_may_add(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask);
struct kl_dev_txn_name {
	struct kl_str topic;
	int32_t index;
};
int kl_dev_txn_add_all(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask,
		       const struct kl_dev_txn_name *names, size_t n);
/* Is it what a producer says, and could records be part of it? 0; or the error. */
int kl_dev_txn_verify(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask);
/* TransactionResult; what the producer goes on with. */
int kl_dev_txn_end(struct klamm_broker *broker, const struct kl_dev_txn_ask *ask, bool commits,
		   int64_t *producer_id_out, int16_t *epoch_out);
/* Abort it, and shut out whoever has its epoch. */
int kl_dev_txn_fence(struct klamm_broker *broker, struct kl_dev_txn *txn);

/* --- txn_markers.c: what happens between PREPARE and COMPLETE --- */

void kl_dev_txns_progress(struct klamm_broker *broker); /* at the end of this step */
void kl_dev_txns_step(struct kl_hook *hook);
void kl_dev_txns_retry(struct kl_timer *timer);
/* Write the end of a transaction to a partition. */
int kl_dev_marker_write(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker);

#endif
