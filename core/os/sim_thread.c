/* SPDX-License-Identifier: BSD-2-Clause */
/* Clock, randomness, threads and conditions of the simulated world. */
#include <stdio.h>
#include <stdlib.h>

#include "core/os/sim_int.h"

/* --- time and randomness: never switch --- */

static int64_t sim_now(struct kl_os *os)
{
	return kl_sim_of(os)->sim->now;
}

/* The tick of a kernel at 250 Hz. */
#define TICK_MS 4

static int64_t sim_now_coarse(struct kl_os *os)
{
	int64_t now = sim_now(os);
	return now - now % (TICK_MS * KL_MS);
}

static int64_t sim_wall_ms(struct kl_os *os)
{
	const struct kl_sim_node *node = kl_sim_of(os);
	return node->sim->opts.wall_start_ms + node->sim->now / KL_MS + node->wall_offset_ms;
}

static int64_t sim_wall_coarse_ms(struct kl_os *os)
{
	int64_t ms = sim_wall_ms(os);
	return ms - ms % TICK_MS;
}

static void sim_os_random(struct kl_os *os, void *p, size_t n)
{
	uint8_t *to = p;
	while (n > 0) {
		uint64_t v = kl_sim_random(kl_sim_of(os)->sim, KL_SIM_USER);
		size_t some = kl_min(n, sizeof(v));
		memcpy(to, &v, some);
		to += some;
		n -= some;
	}
}

/* Nothing forks in here: any zeroed memory will do. */
static void *sim_fork_page(struct kl_os *os)
{
	return calloc(1, KL_CACHE_LINE);
}

static void sim_fork_page_free(struct kl_os *os, void *page)
{
	free(page);
}

static unsigned *sim_callback_depth(struct kl_os *os)
{
	struct kl_sim *sim = kl_sim_of(os)->sim;
	return sim->current != NULL ? &sim->current->callbacks : &sim->callbacks;
}

/* --- threads --- */

static void thread_main(void *arg)
{
	struct kl_thread *thread = arg;
	thread->fn(thread->arg);
	thread->state = KL_SIM_ENDED;
	kl_fiber_switch(&thread->fiber, &thread->node->sim->main, true);
}

int kl_sim_thread_new(struct kl_sim_node *node, const char *name, void (*fn)(void *),
		      void *arg, struct kl_thread **thread_out)
{
	struct kl_sim *sim = node->sim;
	if (sim->thread_count == sim->ready_cap) {
		size_t cap = kl_max(2 * sim->ready_cap, (size_t)16);
		struct kl_thread **ready = reallocarray(sim->ready, cap, sizeof(*ready));
		if (ready == NULL)
			return -ENOMEM;
		sim->ready = ready;
		sim->ready_cap = cap;
	}
	struct kl_thread *thread = calloc(1, sizeof(*thread));
	if (thread == NULL)
		return -ENOMEM;
	thread->node = node;
	thread->fn = fn;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	kl_list_init(&thread->wait_link);
	if (!kl_sim_timer_init(sim, &thread->timer, NULL)) {
		free(thread);
		return -ENOMEM;
	}
	if (!kl_fiber_init(&thread->fiber, sim->opts.stack_size, thread_main, thread)) {
		sim->timer_count--;
		free(thread);
		return -EAGAIN;
	}
	thread->id = ++sim->next_id;
	thread->state = KL_SIM_WAITING;
	thread->why = "starts";
	sim->thread_count++;
	kl_list_push(&sim->threads, &thread->link);
	kl_sim_trace(sim, "start", thread->id, node->id, 0);
	kl_sim_wake(thread);
	*thread_out = thread;
	return 0;
}

void kl_sim_thread_free(struct kl_thread *thread)
{
	struct kl_sim *sim = thread->node->sim;
	kl_list_remove(&thread->link);
	sim->thread_count--;
	kl_sim_timer_stop(sim, &thread->timer);
	sim->timer_count--;
	kl_fiber_free(&thread->fiber);
	free(thread);
}

void kl_sim_thread_ended(struct kl_thread *thread)
{
	struct kl_sim *sim = thread->node->sim;
	kl_sim_trace(sim, "end", thread->id, 0, 0);
	kl_fiber_free(&thread->fiber);
	if (thread->counted)
		sim->unfinished--;
	if (thread->spawned)
		kl_sim_thread_free(thread);
	else if (thread->joiner != NULL)
		kl_sim_wake(thread->joiner);
}

static int sim_thread_start(struct kl_os *os, const char *name, void (*fn)(void *), void *arg,
			    struct kl_thread **thread_out)
{
	return kl_sim_thread_new(kl_sim_of(os), name, fn, arg, thread_out);
}

static void sim_thread_join(struct kl_os *os, struct kl_thread *thread)
{
	struct kl_sim *sim = kl_sim_of(os)->sim;
	while (thread->state != KL_SIM_ENDED) {
		thread->joiner = sim->current;
		kl_sim_block(sim, "joins", thread->id, KL_NEVER);
	}
	kl_sim_thread_free(thread);
}

/* The run lasts until it has ended: there is no exit() that would take it along. */
static void sim_thread_leave(struct kl_os *os, struct kl_thread *thread)
{
	if (thread->state == KL_SIM_ENDED) {
		kl_sim_thread_free(thread);
		return;
	}
	thread->spawned = thread->counted = true;
	kl_sim_of(os)->sim->unfinished++;
}

static void spawn(struct kl_sim_node *node, const char *name, void (*fn)(void *), void *arg,
		  bool counted)
{
	struct kl_thread *thread;
	if (kl_sim_thread_new(node, name, fn, arg, &thread) != 0)
		abort();
	thread->spawned = true;
	thread->counted = counted;
	node->sim->unfinished += counted;
}

void kl_sim_spawn(struct kl_sim_node *node, const char *name, void (*fn)(void *), void *arg)
{
	spawn(node, name, fn, arg, true);
}

void kl_sim_spawn_service(struct kl_sim_node *node, const char *name, void (*fn)(void *),
			  void *arg)
{
	spawn(node, name, fn, arg, false);
}

/* --- conditions --- */

static int sim_cond_init(struct kl_os *os, struct kl_cond *cond)
{
	kl_list_init(&cond->waiters);
	return 0;
}

static void sim_cond_destroy(struct kl_os *os, struct kl_cond *cond)
{
	if (!kl_list_empty(&cond->waiters))
		kl_sim_fatal(kl_sim_of(os)->sim, "a condition is destroyed under its waiters");
}

static bool sim_cond_wait(struct kl_os *os, struct kl_cond *cond, struct kl_mutex *mutex,
			  int64_t deadline)
{
	struct kl_sim *sim = kl_sim_of(os)->sim;
	struct kl_thread *self = sim->current;
	if (self == NULL)
		kl_sim_fatal(sim, "cond_wait() outside of a fiber");
	kl_mutex_unlock(mutex);
	kl_list_push(&cond->waiters, &self->wait_link);
	bool spurious = kl_sim_chance(sim, KL_SIM_SCHED, sim->faults.spurious);
	int64_t until = deadline;
	if (spurious) {
		until = sim->now + kl_sim_between(sim, KL_SIM_SCHED, 0, KL_MS);
		until = kl_min(until, deadline);
	}
	bool woken = kl_sim_block(sim, "waits for a condition", 0, until);
	kl_list_remove(&self->wait_link);
	if (pthread_mutex_trylock(&mutex->m) != 0)
		kl_sim_fatal(sim, "a fiber holds a mutex over a call that blocks, and another "
				  "comes back from cond_wait() with it");
	return woken || sim->now < deadline;
}

static void sim_cond_broadcast(struct kl_os *os, struct kl_cond *cond)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&cond->waiters)) != NULL)
		kl_sim_wake(kl_list_entry(link, struct kl_thread, wait_link));
}

void kl_sim_thread_ops(struct kl_os *os)
{
	os->now = sim_now;
	os->now_coarse = sim_now_coarse;
	os->wall_ms = sim_wall_ms;
	os->wall_coarse_ms = sim_wall_coarse_ms;
	os->random = sim_os_random;
	os->fork_page = sim_fork_page;
	os->fork_page_free = sim_fork_page_free;
	os->callback_depth = sim_callback_depth;
	os->thread_start = sim_thread_start;
	os->thread_join = sim_thread_join;
	os->thread_leave = sim_thread_leave;
	os->cond_init = sim_cond_init;
	os->cond_destroy = sim_cond_destroy;
	os->cond_wait = sim_cond_wait;
	os->cond_broadcast = sim_cond_broadcast;
}
