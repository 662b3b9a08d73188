/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory that runs out at a place of the test's choice: functions of libc's names stand in for
 * libc's in the program that links this, also for its plugins and their libraries. */
#ifndef TORTURE_MEMORY_H
#define TORTURE_MEMORY_H

#include "core/os/sim.h"

/* From now on allocations by fibers of that node are counted, from 1, and number `first` and
 * the `count` - 1 behind it fail. */
void torture_begin(struct kl_sim *sim, const struct kl_sim_node *node, uint64_t first,
		   uint64_t count);
/* No more; how many allocations that node has asked for. */
uint64_t torture_end(void);
/* Blocks that are allocated and not freed, in the whole process. */
int64_t torture_live(void);

#endif
