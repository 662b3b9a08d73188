/* SPDX-License-Identifier: BSD-2-Clause */
/* A pool of worker threads, grown on demand and capped; idle threads leave.
 *
 * A job runs on a worker and is then handed back to its loop. In the simulation the threads
 * are fibers, so the same code serves there.
 */
#ifndef KL_WORK_H
#define KL_WORK_H

#include "core/base/list.h"
#include "core/net/task.h"
#include "core/os/os.h"

struct klamm_loop;

#define KL_POOL_MAX 64

struct kl_pool {
	struct klamm_loop *loop;
	const char *name;
	struct kl_mutex mutex; /* guards all below */
	struct kl_cond cond;
	struct kl_list jobs; /* first in, first out */
	unsigned cap;        /* threads at most, <= KL_POOL_MAX */
	unsigned idle;
	unsigned queued;     /* length of jobs */
	bool closing;
	bool is_alone;       /* somebody works in place of a missing thread */
	struct kl_worker *workers[KL_POOL_MAX]; /* NULL = no such worker now */
};

/* Lives in its owner, which keeps it until done() ran. */
struct kl_job {
	struct kl_list link;
	/* On a worker; index is the worker's number, 0..KL_POOL_MAX: what is kept per
	 * worker (a codec's self) is found by it. KL_POOL_MAX = the submitter's own thread,
	 * when no other could be started. */
	void (*run)(struct kl_job *job, unsigned index);
	/* Then, inside the loop. May free the job. */
	void (*done)(struct kl_job *job);
	/* For jobs that nothing can hurry, like a name look-up; else NULL. A pool that closes
	 * does not wait for such a one: it runs on without pool and loop, and instead of
	 * done() this frees it, on the worker. run() must not touch what the loop owns. */
	void (*orphaned)(struct kl_job *job);
	struct kl_task finished; /* the pool's */
};

int kl_pool_init(struct kl_pool *pool, struct klamm_loop *loop, const char *name,
		 unsigned cap);
/* Threads at most; before the first job. */
void kl_pool_set_cap(struct kl_pool *pool, unsigned cap);
/* [any thread] */
void kl_pool_submit(struct kl_pool *pool, struct kl_job *job);
/* Take a job back that has not begun; false: it runs or has run, done() will come. */
bool kl_pool_cancel(struct kl_pool *pool, struct kl_job *job);
/* Ends all threads after the jobs at hand, but for those that may be orphaned. */
void kl_pool_close(struct kl_pool *pool);

#endif
