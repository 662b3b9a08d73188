/* SPDX-License-Identifier: BSD-2-Clause */
/* A coordinator of a classic group that is a script: it does what a test says, and tells what
 * it was asked. */
#ifndef COORDINATOR_H
#define COORDINATOR_H

#include "tests/client/script.h"

extern struct script script;

/* What it does, and what it saw. */
extern struct coordinator {
	/* --- errors of the next answers: a code, and how many have it; -1 = all --- */
	struct fault {
		_Atomic int code, left;
	} join, sync, beat, leave, commit;
	_Atomic bool ask_id;    /* KIP-394 */
	_Atomic bool hold_join; /* JoinGroup is not answered */
	/* The next one is, behind so many answers to Metadata or OffsetCommit. */
	_Atomic int join_behind;
	_Atomic bool other_type;    /* KIP-559 */
	_Atomic int stays;          /* so many joins keep the generation (KIP-814) */
	_Atomic int describes;      /* of the group; in which, */
	_Atomic bool unowned;       /* by that, nobody has anything */
	_Atomic bool other;         /* "o-1" is in the group as well */
	struct kl_bytes subscribes; /* as that one does */
	/* --- it saw --- */
	_Atomic int generation, joins, syncs, beats, leaves, commits;
	_Atomic int session_ms, rebalance_ms, join_version, protocols;
	_Atomic int commit_generation;
	_Atomic int64_t committed;
	char member[64], instance[64], reason[256], names[2][64];
	char committer[64], leaver[64], leave_reason[256], sync_instance[64];
	char beat_instance[64];
	uint8_t assignment[512];
	int assignment_len;
} says;

/* Is that what a text of it says? */
bool saw(const char *what, const char *text);

/* Serves JoinGroup and all else that a member of a group asks; a group of one, that leads, or
 * of two, and it leads. Logs end at 100, and nothing is committed. */
void coordinator_start(int partitions);
void coordinator_stop(void);

#endif
