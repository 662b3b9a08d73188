/* SPDX-License-Identifier: BSD-2-Clause */
/* Something to run inside the loop. Lives in its owner; posting it twice before it ran runs
 * it once. See kl_loop_post(). */
#ifndef KL_TASK_H
#define KL_TASK_H

#include <stdatomic.h>
#include <stdbool.h>

struct kl_task {
	struct kl_task *next;
	void (*fn)(struct kl_task *task);
	atomic_bool posted;
};

#endif
