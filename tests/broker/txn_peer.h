/* SPDX-License-Identifier: BSD-2-Clause */
/* The requests of a transactional producer, one by one. */
#ifndef TXN_PEER_H
#define TXN_PEER_H

#include "tests/broker/peer.h"

/* A producer as the broker made it. */
struct txn_producer {
	const char *id; /* transactional */
	int64_t producer_id;
	int16_t epoch;
};

/* Make __consumer_offsets or __transaction_state; the node that coordinates the key. */
int32_t txn_find(struct peer *peer, int type, const char *key);
/* InitProducerId, with the id and epoch that p has when `again`; they are set when it
 * works. */
int txn_init(struct peer *peer, struct txn_producer *p, bool again, int32_t timeout_ms,
	     int version);
/* It works, when what went before has ended. */
void txn_begin(struct peer *peer, struct txn_producer *p, const char *id);
int txn_add(struct peer *peer, const struct txn_producer *p, const char *topic,
	    int32_t partition, int version);
int txn_add_offsets(struct peer *peer, const struct txn_producer *p, const char *group,
		    int version);
/* A batch of two records. */
int txn_send(struct peer *peer, const struct txn_producer *p, const char *topic,
	     int32_t partition, int32_t sequence, int version);
/* Id and epoch are set when the answer has them. */
int txn_end(struct peer *peer, struct txn_producer *p, bool commits, int version);
/* "Ongoing"; waits until it is not between PREPARE and COMPLETE when `settled`. */
const char *txn_state(struct peer *peer, const char *id, bool settled);
/* Fetch with read_committed from the start. */
struct kl_fetch_response_partition *txn_fetch(struct peer *peer, const char *topic,
					      int32_t partition);

/* --- offsets of groups --- */

int txn_commit_offset(struct peer *peer, const struct txn_producer *p, const char *group,
		      const char *topic, int64_t offset, int version);
int txn_plain_commit(struct peer *peer, const char *group, const char *topic, int64_t offset);
/* The offset of partition 0; -1 = none. */
int64_t txn_committed(struct peer *peer, const char *group, const char *topic, bool stable,
		      int *error_out);

#endif
