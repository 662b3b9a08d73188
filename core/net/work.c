/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/work.h"

#include <stdlib.h>

#include "core/net/loop.h"

/* Long enough that a steady trickle of jobs keeps its thread, short enough that a client at
 * rest soon has none. */
#define IDLE_LEAVE (2 * KL_SECOND)

/* Whether the pool may go before the worker is done. */
enum fate {
	AT_HAND,
	MAY_BE_LEFT, /* its job can do without the pool */
	LEFT_BEHIND, /* the pool is gone: the worker cleans up for itself */
};

struct kl_worker {
	struct kl_pool *pool;
	unsigned index;
	struct kl_thread *thread;
	bool left; /* has returned, not joined yet */
	_Atomic(enum fate) fate;
};

int kl_pool_init(struct kl_pool *pool, struct klamm_loop *loop, const char *name,
		 unsigned cap)
{
	*pool = (struct kl_pool){
		.loop = loop,
		.name = name,
		.cap = kl_min(cap, (unsigned)KL_POOL_MAX),
	};
	kl_list_init(&pool->jobs);
	kl_mutex_init(&pool->mutex);
	return loop->os->cond_init(loop->os, &pool->cond);
}

void kl_pool_set_cap(struct kl_pool *pool, unsigned cap)
{
	pool->cap = kl_max(kl_min(cap, (unsigned)KL_POOL_MAX), 1u);
}

/* Finished jobs go back through the loop's mailbox, one task each: a job is as long as a
 * batch or a name look-up, so this is not the record path. */
static void run_done(struct kl_task *task)
{
	struct kl_job *job = kl_container(task, struct kl_job, finished);
	job->done(job);
}

static void run_job(struct kl_pool *pool, struct kl_job *job, unsigned index)
{
	job->run(job, index);
	kl_loop_post(pool->loop, &job->finished);
}

/* The same for one that may be orphaned. false: it was, and nothing is left but the worker. */
static bool run_leavable(struct kl_worker *worker, struct kl_job *job)
{
	job->run(job, worker->index);
	enum fate fate = MAY_BE_LEFT;
	if (!atomic_compare_exchange_strong(&worker->fate, &fate, AT_HAND)) {
		job->orphaned(job);
		return false;
	}
	kl_loop_post(worker->pool->loop, &job->finished);
	return true;
}

/* With the mutex held. NULL: nothing came for a while, or the pool is closing. */
static struct kl_job *next_job(struct kl_pool *pool, struct kl_worker *worker)
{
	struct kl_os *os = pool->loop->os;
	int64_t leave_at = os->now(os) + IDLE_LEAVE;
	while (kl_list_empty(&pool->jobs)) {
		if (pool->closing || os->now(os) >= leave_at)
			return NULL;
		pool->idle++;
		os->cond_wait(os, &pool->cond, &pool->mutex, leave_at);
		pool->idle--;
	}
	pool->queued--;
	struct kl_job *job = kl_list_entry(kl_list_pop(&pool->jobs), struct kl_job, link);
	if (job->orphaned != NULL)
		atomic_store(&worker->fate, MAY_BE_LEFT);
	return job;
}

static void worker_main(void *arg)
{
	struct kl_worker *worker = arg;
	struct kl_pool *pool = worker->pool;
	kl_mutex_lock(&pool->mutex);
	struct kl_job *job;
	while ((job = next_job(pool, worker)) != NULL) {
		kl_mutex_unlock(&pool->mutex);
		if (job->orphaned == NULL) {
			run_job(pool, job, worker->index);
		} else if (!run_leavable(worker, job)) {
			free(worker);
			return;
		}
		kl_mutex_lock(&pool->mutex);
	}
	worker->left = true;
	kl_mutex_unlock(&pool->mutex);
}

/* With the mutex held. true: some worker will look at the list. */
static bool add_worker(struct kl_pool *pool)
{
	struct kl_os *os = pool->loop->os;
	bool any = false;
	for (unsigned i = 0; i < pool->cap; i++) {
		struct kl_worker *worker = pool->workers[i];
		if (worker != NULL && !worker->left) {
			any = true;
			continue;
		}
		if (worker != NULL) /* it is past its last lock: no wait */
			os->thread_join(os, worker->thread);
		free(worker);
		pool->workers[i] = worker = calloc(1, sizeof(*worker));
		if (worker == NULL)
			return any;
		worker->pool = pool;
		worker->index = i;
		if (os->thread_start(os, pool->name, worker_main, worker,
				     &worker->thread) == 0)
			return true;
		free(worker);
		pool->workers[i] = NULL;
		return any;
	}
	return any;
}

/* With the mutex held. No thread to be had: slower, but right. What a job submits, or another
 * thread meanwhile, is done here, too. */
static void work_alone(struct kl_pool *pool)
{
	pool->is_alone = true;
	while (!kl_list_empty(&pool->jobs)) {
		struct kl_job *job =
			kl_list_entry(kl_list_pop(&pool->jobs), struct kl_job, link);
		pool->queued--;
		kl_mutex_unlock(&pool->mutex);
		run_job(pool, job, KL_POOL_MAX);
		kl_mutex_lock(&pool->mutex);
	}
	pool->is_alone = false;
}

void kl_pool_submit(struct kl_pool *pool, struct kl_job *job)
{
	struct kl_os *os = pool->loop->os;
	job->finished = (struct kl_task){.fn = run_done};
	kl_mutex_lock(&pool->mutex);
	kl_list_push(&pool->jobs, &job->link);
	bool served = true;
	pool->queued++;
	if (pool->idle >= pool->queued)
		os->cond_broadcast(os, &pool->cond);
	else
		served = add_worker(pool);
	if (!served && !pool->is_alone)
		work_alone(pool);
	kl_mutex_unlock(&pool->mutex);
}

bool kl_pool_cancel(struct kl_pool *pool, struct kl_job *job)
{
	kl_mutex_lock(&pool->mutex);
	bool waiting = false;
	kl_list_for(pos, &pool->jobs, struct kl_job, link) {
		if (pos == job) {
			waiting = true;
			break;
		}
	}
	if (waiting) {
		kl_list_remove(&job->link);
		pool->queued--;
	}
	kl_mutex_unlock(&pool->mutex);
	return waiting;
}

/* With the mutex held: jobs that may be orphaned are, begun or not. */
static void leave_behind(struct kl_pool *pool)
{
	struct kl_os *os = pool->loop->os;
	kl_list_for_safe(job, &pool->jobs, struct kl_job, link) {
		if (job->orphaned == NULL)
			continue;
		kl_list_remove(&job->link);
		pool->queued--;
		job->orphaned(job);
	}
	for (unsigned i = 0; i < KL_POOL_MAX; i++) {
		struct kl_worker *worker = pool->workers[i];
		if (worker == NULL)
			continue;
		struct kl_thread *thread = worker->thread; /* from then on it may be freed */
		enum fate fate = MAY_BE_LEFT;
		if (atomic_compare_exchange_strong(&worker->fate, &fate, LEFT_BEHIND)) {
			pool->workers[i] = NULL;
			os->thread_leave(os, thread);
		}
	}
}

void kl_pool_close(struct kl_pool *pool)
{
	struct kl_os *os = pool->loop->os;
	kl_mutex_lock(&pool->mutex);
	pool->closing = true;
	leave_behind(pool);
	os->cond_broadcast(os, &pool->cond);
	kl_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < KL_POOL_MAX; i++) {
		if (pool->workers[i] != NULL)
			os->thread_join(os, pool->workers[i]->thread);
		free(pool->workers[i]);
	}
	os->cond_destroy(os, &pool->cond);
	kl_mutex_destroy(&pool->mutex);
}
