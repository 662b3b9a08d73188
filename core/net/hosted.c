/* SPDX-License-Identifier: BSD-2-Clause */
/* The loop's part of what plugins get from their host: timers, and calls on the blocking pool.
 * Any thread. */
#include <stdlib.h>

#include "core/host.h"
#include "core/net/loop.h"

/* Belongs to the loop: every change is posted to it. The mutex is what timer_free() waits for
 * when fn is running at that moment. */
struct klamm_timer {
	struct kl_timer timer;
	struct kl_task task, end;
	struct klamm_loop *loop;
	struct kl_mutex mutex;
	void (*fn)(void *arg);
	void *arg;
	_Atomic int64_t at;
	bool is_dead;    /* under the mutex */
	bool has_timer;  /* only in the loop */
};

static void timer_due(struct kl_timer *due)
{
	struct klamm_timer *timer = kl_container(due, struct klamm_timer, timer);
	kl_mutex_lock(&timer->mutex);
	if (!timer->is_dead)
		timer->fn(timer->arg);
	kl_mutex_unlock(&timer->mutex);
}

static void timer_change(struct kl_task *task)
{
	struct klamm_timer *timer = kl_container(task, struct klamm_timer, task);
	kl_mutex_lock(&timer->mutex);
	bool is_dead = timer->is_dead;
	kl_mutex_unlock(&timer->mutex);
	if (is_dead)
		return;
	if (!timer->has_timer) {
		struct klamm_error err;
		if (kl_timer_init(timer->loop, &timer->timer, timer_due, &err) != 0) {
			kl_log(&timer->loop->log, KL_LOG_ERROR, "plugin timer", "%s",
			       err.text);
			return;
		}
		timer->has_timer = true;
	}
	int64_t at = atomic_load(&timer->at);
	kl_timer_set(timer->loop, &timer->timer, at < 0 ? KL_NEVER : at);
}

/* A task of its own: one that was posted before may run and be posted again meanwhile. */
static void timer_end(struct kl_task *task)
{
	struct klamm_timer *timer = kl_container(task, struct klamm_timer, end);
	kl_loop_unpost(timer->loop, &timer->task);
	kl_timer_drop(timer->loop, &timer->timer);
	kl_mutex_destroy(&timer->mutex);
	free(timer);
}

int kl_host_timer_new(struct klamm_loop *loop, void (*fn)(void *arg), void *arg,
		      struct klamm_timer **timer_out)
{
	struct klamm_timer *timer = calloc(1, sizeof(*timer));
	if (timer == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*timer = (struct klamm_timer){.loop = loop, .fn = fn, .arg = arg, .at = -1};
	timer->task.fn = timer_change;
	timer->end.fn = timer_end;
	kl_mutex_init(&timer->mutex);
	*timer_out = timer;
	return 0;
}

void kl_host_timer_set(struct klamm_timer *timer, int64_t at_us)
{
	atomic_store(&timer->at, at_us);
	kl_loop_post(timer->loop, &timer->task);
}

void kl_host_timer_free(struct klamm_timer *timer)
{
	struct klamm_loop *loop = timer->loop;
	kl_mutex_lock(&timer->mutex);
	timer->is_dead = true;
	kl_mutex_unlock(&timer->mutex);
	kl_loop_post(loop, &timer->end);
}

struct blocking_call {
	struct kl_job job;
	void (*fn)(void *arg);
	void *arg;
};

static void run_call(struct kl_job *job, unsigned index)
{
	struct blocking_call *call = kl_container(job, struct blocking_call, job);
	call->fn(call->arg);
}

static void free_call(struct kl_job *job)
{
	free(kl_container(job, struct blocking_call, job));
}

int kl_host_run_blocking(struct klamm_loop *loop, void (*fn)(void *arg), void *arg)
{
	struct blocking_call *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*call = (struct blocking_call){
		.job = {.run = run_call, .done = free_call},
		.fn = fn,
		.arg = arg,
	};
	kl_pool_submit(&loop->blocking, &call->job);
	return 0;
}
