/* SPDX-License-Identifier: BSD-2-Clause */
/* An application that is a member of a classic group, whose coordinator is a script. */
#ifndef MEMBER_H
#define MEMBER_H

#include "tests/client/world.h"
#include "tests/unit/consumer/coordinator.h"

extern struct klamm_consumer *consumer;

/* What its listener was told. */
extern struct heard {
	int assigned, revoked, lost, count; /* calls, and the partitions of the last */
	char first[32];
	void (*inside)(void); /* in revoked and assigned */
} heard;
extern const struct klamm_listener member_listener;

void member_up(void); /* fixtures */
void member_down(void);

#define CONSUMER(...)                                                                    \
	(consumer = world_consumer(NULL, "group.id=g", "retry.backoff.ms=5",             \
				   "partition.assignment.strategy=range",                \
				   "heartbeat.interval.ms=20", __VA_ARGS__))

void member_subscribe(void); /* to "t" */
/* ... and is given all of its partitions, which are three. */
void member_join(void);
/* One poll(); its error. */
int member_poll(int64_t timeout_ms, struct klamm_error *err);
/* Poll, without an error, until this is so. */
#define POLL_UNTIL(condition)                                                            \
	do {                                                                             \
		struct klamm_error poll_err;                                             \
		int64_t poll_until = script_ms() + PATIENCE;                             \
		while (!(condition)) {                                                   \
			ck_assert_msg(script_ms() < poll_until, "never: " #condition);   \
			ck_assert_msg(member_poll(10, &poll_err) == 0, "%s",             \
				      poll_err.text);                                    \
		}                                                                        \
	} while (0)

#endif
