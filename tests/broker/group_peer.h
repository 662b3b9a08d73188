/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of classic groups, each with a connection of its own. */
#ifndef GROUP_PEER_H
#define GROUP_PEER_H

#include "tests/broker/peer.h"

#define GROUP_PARTS 16

struct group_member {
	struct peer *peer;
	const char *group;
	const char *instance; /* NULL = dynamic */
	const char *type;     /* "consumer" */
	const char *protocols[4];
	const char *topic; /* that it subscribes to */
	/* Of that, what it says it has (KIP-429): none, for one that gives all up first. */
	int32_t owned[GROUP_PARTS];
	int owned_count;
	int32_t session_ms, rebalance_ms;
	int version; /* of JoinGroup; the newest */
	/* What it was told. */
	char id[320];
	char leader[320];
	char protocol[32];
	int32_t generation;
	int members; /* that it was told of */
	bool skips;
};

/* A dynamic consumer for "range", with 10 s for its session and a minute to join. */
void group_member_init(struct group_member *m, const char *group);
void group_member_close(struct group_member *m);

/* JoinGroup: asked; read, with what is told kept in m. The error. */
void group_ask(struct group_member *m);
int group_told(struct group_member *m);
/* The same, twice when the member is sent back with an id. */
int group_join(struct group_member *m);
/* It has an id, and its join is on its way. */
void group_come(struct group_member *m);
/* All of them come, and are told of one generation. Which one leads. */
int group_come_together(struct group_member *const *members, int n);

/* What the leader assigns: to each member its id, in this form. */
void group_ask_sync(struct group_member *m, struct group_member *const *members, int n);
/* What it was assigned, valid until its next answer; "" = nothing. */
int group_synced(struct group_member *m, const char **assigned_out);
int group_sync(struct group_member *m, struct group_member *const *members, int n);

/* SyncGroup without a word: what it is assigned of its topic becomes what it has. */
int group_learn(struct group_member *m);
/* All of them as consumers: they join, the leader gives them so many partitions in turn. */
void group_share(struct group_member *const *members, int n, int32_t parts);

int group_beat(struct group_member *m);
int group_leave(struct group_member *m);
int group_commit(struct group_member *m, const char *topic, int64_t offset);
/* All of them: they join, the leader assigns, and all have what it assigned. */
void group_gather(struct group_member *const *members, int n);

/* Of one group. */
struct kl_describe_groups_response_group *group_describe(struct peer *peer, const char *group);
/* Its state; "Dead" when it is not there. */
const char *group_state(struct peer *peer, const char *group);
void group_await_state(struct peer *peer, const char *group, const char *state);

#endif
