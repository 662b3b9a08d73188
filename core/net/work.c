/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/work.h"

#include "core/net/loop.h"

/* Long enough that a steady trickle of jobs keeps its thread, short enough that a client at
 * rest soon has none. */
#define IDLE_LEAVE (2 * KL_SECOND)

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
	kl_mutex_init(&pool->alone);
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

/* With the mutex held. NULL: nothing came for a while, or the pool is closing. */
static struct kl_job *next_job(struct kl_pool *pool)
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
	return kl_list_entry(kl_list_pop(&pool->jobs), struct kl_job, link);
}

static void worker_main(void *arg)
{
	struct kl_worker *worker = arg;
	struct kl_pool *pool = worker->pool;
	unsigned index = (unsigned)(worker - pool->workers);
	kl_mutex_lock(&pool->mutex);
	struct kl_job *job;
	while ((job = next_job(pool)) != NULL) {
		kl_mutex_unlock(&pool->mutex);
		run_job(pool, job, index);
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
		struct kl_worker *worker = &pool->workers[i];
		if (worker->thread != NULL && !worker->left) {
			any = true;
			continue;
		}
		if (worker->thread != NULL) /* it is past its last lock: no wait */
			os->thread_join(os, worker->thread);
		*worker = (struct kl_worker){.pool = pool};
		if (os->thread_start(os, pool->name, worker_main, worker,
				     &worker->thread) == 0)
			return true;
		worker->thread = NULL;
		return any;
	}
	return any;
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
	if (!served) {
		kl_list_remove(&job->link);
		pool->queued--;
	}
	kl_mutex_unlock(&pool->mutex);
	if (!served) { /* no thread to be had: slower, but right */
		kl_mutex_lock(&pool->alone);
		run_job(pool, job, KL_POOL_MAX);
		kl_mutex_unlock(&pool->alone);
	}
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

void kl_pool_close(struct kl_pool *pool)
{
	struct kl_os *os = pool->loop->os;
	kl_mutex_lock(&pool->mutex);
	pool->closing = true;
	os->cond_broadcast(os, &pool->cond);
	kl_mutex_unlock(&pool->mutex);
	for (unsigned i = 0; i < KL_POOL_MAX; i++)
		if (pool->workers[i].thread != NULL)
			os->thread_join(os, pool->workers[i].thread);
	os->cond_destroy(os, &pool->cond);
	kl_mutex_destroy(&pool->mutex);
	kl_mutex_destroy(&pool->alone);
}
