/* SPDX-License-Identifier: BSD-2-Clause */
/* A coordinator that keeps committed offsets, as a script, and the consumer that has
 * it. */
#ifndef STORE_H
#define STORE_H

#include "tests/client/script.h"
#include "tests/client/world.h"

extern struct script script;
extern struct klamm_consumer *consumer;

/* What it does, and what it saw. */
extern struct store {
	_Atomic int commit_error, commit_errors_left; /* of each partition; -1 = all */
	_Atomic int fetch_error, fetch_errors_left;
	_Atomic bool for_partition; /* the error of OffsetFetch, not for the group */
	_Atomic int bad_partition;  /* only this one has the error; -1 = all */
	_Atomic bool leave_out, other_group;
	_Atomic int hang_ups; /* OffsetCommits that end their connection */
	_Atomic bool hold;    /* OffsetCommits are not answered */
	_Atomic int commit_version, fetch_version, generation, partitions, stable;
	_Atomic bool member;
} store;

void store_up(void); /* fixtures */
void store_down(void);

/* The script's handler. */
bool store_answer(const struct script_request *request);
void store_keep(const char *topic, int32_t partition, int64_t offset, int32_t epoch,
		const char *note);
int64_t stored(const char *topic, int32_t partition); /* offset; -1: none */

/* Starts both. With group.id=g on top of these, NULL at the end. */
#define STORE_CONSUMER(...)                                                            \
	do {                                                                           \
		script_start(&script);                                                 \
		world_servers = script.address;                                        \
		consumer = world_consumer(NULL, "group.id=g", __VA_ARGS__);            \
	} while (0)

/* The consumer: none of these fails. */
void store_assign(int32_t partitions); /* of "t" */
int64_t store_position(int32_t partition);
struct klamm_committed store_committed(const char *topic, int32_t partition);
void store_commit(int64_t offset); /* of "t" partition 0 */
void store_poll(int times);
/* ... and this one fails, in the end, with this. */
void store_poll_until_error(int code);

#endif
