/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of modern groups (KIP-848), each with a connection of its own. */
#ifndef MODERN_PEER_H
#define MODERN_PEER_H

#include "core/base/text.h"
#include "tests/broker/peer.h"

#define MODERN_PARTS 64

struct modern_part {
	struct klamm_uuid topic;
	int32_t index;
};

struct modern_member {
	struct peer *peer;
	const char *group;
	const char *topics[4]; /* NULL ends them */
	const char *instance, *regex, *assignor; /* NULL = none */
	int32_t rebalance_ms;
	int version;
	char id[KL_UUID_TEXT];
	/* What it was told. */
	int error;
	char message[400]; /* of the error */
	int32_t epoch, interval_ms;
	bool told; /* the last answer had an assignment */
	struct modern_part has[MODERN_PARTS];
	int count;
};

/* Of the group, with an id of its own, a minute to give partitions up, and no topic yet. */
void modern_init(struct modern_member *m, const char *group);
void modern_close(struct modern_member *m);

/* It joins; goes on in its epoch; the same, saying what it has; or saying all; the error. */
int modern_join(struct modern_member *m);
int modern_beat(struct modern_member *m);
int modern_tell(struct modern_member *m);
int modern_tell_all(struct modern_member *m);
/* With another epoch: -1, -2, or a wrong one. */
int modern_beat_with(struct modern_member *m, int32_t epoch);

/* All tell what they have, and give up at once what they are to, until the group is stable. */
void modern_settle(struct modern_member *const *members, int n);
/* No partition is with two; so many are with somebody. */
void modern_check_owners(struct modern_member *const *members, int n, int parts);
bool modern_has(const struct modern_member *m, const struct klamm_uuid *topic, int32_t index);

/* Of one group; and its state. */
struct kl_consumer_group_describe_response_group *modern_describe(struct peer *peer,
								  const char *group);
const char *modern_state(struct peer *peer, const char *group);
/* OffsetCommit as a member of an epoch; the error. */
int modern_commit(struct modern_member *m, int32_t epoch, const char *topic, int32_t index,
		  int64_t offset);
/* OffsetFetch likewise. */
int modern_fetch(struct modern_member *m, int32_t epoch, const char *topic);

#endif
