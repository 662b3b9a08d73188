/* SPDX-License-Identifier: BSD-2-Clause */
/* A scripted peer that keeps one fetch session as Kafka's FetchManager does (KIP-227), and
 * aborts the test when a request does not fit it. Its topic is "t". */
#ifndef KEEPER_H
#define KEEPER_H

#include "tests/client/script.h"

#define KEEPER_PARTITIONS 5000
#define KEEPER_LOG 4096

/* What one Fetch looked like. */
struct keeper_fetch {
	int32_t id, epoch;
	int named, forgotten; /* partitions */
	int32_t first;        /* partition named first, -1 = none */
	int32_t first_forgotten;
	int64_t offset;       /* of the one named first */
	int32_t last_epoch;
	size_t request_bytes, answer_bytes;
	int version;
	struct klamm_uuid topic_id;
};

struct keeper {
	struct script script;
	pthread_mutex_t mutex; /* guards the rest */
	_Atomic int32_t id;    /* of the session; 0 = none */
	int32_t epoch;
	int32_t next_id;
	bool none; /* gives no sessions */
	struct keeper_part {
		bool in;
		int64_t offset, told_high;
		int64_t end;   /* of its log, whose batches are those of bytes */
		int32_t error; /* answered to every Fetch of it */
	} parts[KEEPER_PARTITIONS];
	uint8_t bytes[KEEPER_LOG]; /* three batches of one record */
	size_t at[4];
	int32_t answer_error; /* for the next Fetch as a whole, once */
	bool hang_up;         /* on the next Fetch, once */
	int32_t strange;      /* names this one, which is not in the session, once; 0 = no */
	_Atomic int fetches;
	_Atomic int full, ends; /* of those: with epoch 0, and -1 */
	struct keeper_fetch last, last_end;
};
extern struct keeper keeper;

void keeper_start(int partitions);
void keeper_stop(void);
/* Until so many more Fetches were answered. */
struct keeper_fetch keeper_wait(int more);
/* Until a Fetch was answered after which this holds; the test fails otherwise. */
void keeper_until(bool (*holds)(void));
/* The log of a partition ends at so many records, at most 3. */
void keeper_grow(int32_t partition, int64_t end);

#endif
