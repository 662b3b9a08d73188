/* SPDX-License-Identifier: BSD-2-Clause */
/* A scripted peer that keeps the Produce requests it gets with records, to be looked at. */
#ifndef CAUGHT_H
#define CAUGHT_H

#include "core/record/batch.h"
#include "tests/client/script.h"
#include "tests/client/world.h"

#define CAUGHT_MAX 16384

struct caught {
	int16_t acks;
	int32_t timeout_ms;
	int32_t requests;
	int32_t batches;
	int64_t records;
	size_t bytes;         /* of all batches */
	size_t largest_batch; /* bytes */
	int32_t most_batches; /* in one request */
	struct {
		int32_t partition;
		struct kl_batch_head head;
	} batch[CAUGHT_MAX];
};

extern struct script caught_script;

void caught_up(void); /* fixtures; new clients are for the script */
void caught_down(void);
/* A copy of what came so far, in a static place. */
const struct caught *caught(void);
/* From now on they are not answered, until caught_release(). */
void caught_hold(void);
void caught_release(void);
/* Wait until so many requests have come. */
void caught_wait(int32_t requests);

#endif
