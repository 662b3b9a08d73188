/* SPDX-License-Identifier: BSD-2-Clause */
/* The world itself: chance, time, the order in which fibers run, the trace. */
#include "core/os/sim.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/wide.h"
#include "core/os/sim_int.h"

#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/lsan_interface.h>
#define STACK_DEFAULT (4 * KL_FIBER_STACK_DEFAULT) /* red zones make frames larger */
#else
#define __lsan_disable() ((void)0)
#define __lsan_enable() ((void)0)
#define STACK_DEFAULT KL_FIBER_STACK_DEFAULT
#endif

#define WALL_START_MS 1718000000000 /* 10 June 2024 */
#define STEP_MAX_US 2
#define WATCHDOG_S 100

void *kl_sim_alloc(size_t n)
{
	void *p = calloc(1, n);
	if (p == NULL)
		abort();
	return p;
}

/* --- chance --- */

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

/* SplitMix64 (Steele, Lea, Flood, 2014). */
uint64_t kl_sim_random(struct kl_sim *sim, enum kl_sim_stream stream)
{
	return mix(sim->random[stream] += 0x9e3779b97f4a7c15);
}

uint64_t kl_sim_draw(struct kl_sim *sim, enum kl_sim_stream stream, uint64_t below)
{
	return kl_mul_high(kl_sim_random(sim, stream), below);
}

bool kl_sim_chance(struct kl_sim *sim, enum kl_sim_stream stream, uint32_t per_million)
{
	return per_million > 0 && kl_sim_draw(sim, stream, 1000000) < per_million;
}

int64_t kl_sim_between(struct kl_sim *sim, enum kl_sim_stream stream, int64_t min,
		       int64_t max)
{
	if (max <= min)
		return min;
	return min + (int64_t)kl_sim_draw(sim, stream, (uint64_t)(max - min) + 1);
}

uint64_t kl_sim_below(struct kl_sim *sim, uint64_t n)
{
	return kl_sim_draw(sim, KL_SIM_PLAN, n);
}

/* --- the trace --- */

static void hash_word(struct kl_sim *sim, uint64_t v)
{
	uint64_t h = (sim->hash ^ v) * 0x9fb21c651e98df25;
	sim->hash = h ^ (h >> 32);
}

static uint64_t text_word(const char *text)
{
	uint64_t v = 0;
	for (; *text != '\0'; text++)
		v = v * 31 + (uint8_t)*text;
	return v;
}

void kl_sim_trace(struct kl_sim *sim, const char *kind, uint64_t a, uint64_t b, uint64_t n)
{
	hash_word(sim, (uint64_t)sim->now);
	hash_word(sim, text_word(kind));
	hash_word(sim, a);
	hash_word(sim, b);
	hash_word(sim, n);
	sim->newest[sim->events++ % KL_SIM_NEWEST] =
		(struct kl_sim_event){sim->now, kind, a, b, n};
	if (sim->opts.trace == NULL)
		return;
	char line[160];
	snprintf(line, sizeof(line), "%lld.%06lld %s %llu %llu %llu",
		 (long long)(sim->now / KL_SECOND), (long long)(sim->now % KL_SECOND), kind,
		 (unsigned long long)a, (unsigned long long)b, (unsigned long long)n);
	sim->opts.trace(sim->opts.trace_arg, line);
}

void kl_sim_trace_bytes(struct kl_sim *sim, const void *p, size_t n)
{
	const uint8_t *from = p;
	uint64_t word;
	for (; n >= sizeof(word); n -= sizeof(word), from += sizeof(word)) {
		memcpy(&word, from, sizeof(word));
		hash_word(sim, word);
	}
	word = n;
	memcpy(&word, from, n);
	hash_word(sim, word ^ (uint64_t)n << 56);
}

void kl_sim_note(struct kl_sim *sim, const void *p, size_t n)
{
	kl_sim_trace(sim, "note", 0, 0, n);
	kl_sim_trace_bytes(sim, p, n);
}

uint64_t kl_sim_hash(const struct kl_sim *sim)
{
	return sim->hash;
}

uint64_t kl_sim_events(const struct kl_sim *sim)
{
	return sim->events;
}

uint64_t kl_sim_switches(const struct kl_sim *sim)
{
	return sim->switches;
}

int64_t kl_sim_now(const struct kl_sim *sim)
{
	return sim->now;
}

/* --- timers --- */

bool kl_sim_timer_init(struct kl_sim *sim, struct kl_sim_timer *timer,
		       void (*fire)(struct kl_sim *, struct kl_sim_timer *))
{
	*timer = (struct kl_sim_timer){0};
	if (!kl_heap_reserve(&sim->timers, sim->timer_count + 1))
		return false;
	sim->timer_count++;
	timer->fire = fire;
	return true;
}

void kl_sim_timer_set(struct kl_sim *sim, struct kl_sim_timer *timer, int64_t when)
{
	kl_heap_set(&sim->timers, &timer->node, kl_max(when, sim->now));
}

void kl_sim_timer_stop(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	kl_heap_remove(&sim->timers, &timer->node);
}

void kl_sim_timer_drop(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	if (timer->fire == NULL)
		return;
	kl_heap_remove(&sim->timers, &timer->node);
	timer->fire = NULL;
	sim->timer_count--;
}

static void fire_due(struct kl_sim *sim)
{
	struct kl_heap_node *first;
	while ((first = kl_heap_first(&sim->timers)) != NULL && first->key <= sim->now) {
		struct kl_sim_timer *timer = kl_container(first, struct kl_sim_timer, node);
		kl_heap_remove(&sim->timers, first);
		timer->fire(sim, timer);
	}
}

struct call {
	struct kl_list link;
	struct kl_sim_timer timer;
	void (*fn)(void *);
	void *arg;
};

static void call_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	struct call *call = kl_container(timer, struct call, timer);
	kl_sim_trace(sim, "call", 0, 0, 0);
	call->fn(call->arg);
	kl_list_remove(&call->link);
	kl_sim_timer_drop(sim, timer);
	free(call);
}

void kl_sim_at(struct kl_sim *sim, int64_t when, void (*fn)(void *), void *arg)
{
	struct call *call = kl_sim_alloc(sizeof(*call));
	call->fn = fn;
	call->arg = arg;
	if (!kl_sim_timer_init(sim, &call->timer, call_fire))
		abort();
	kl_list_push(&sim->calls, &call->link);
	kl_sim_timer_set(sim, &call->timer, when);
}

/* --- which fiber runs --- */

void kl_sim_ready(struct kl_thread *thread)
{
	struct kl_sim *sim = thread->node->sim;
	if (thread->node->paused) {
		thread->state = KL_SIM_PARKED;
		return;
	}
	thread->state = KL_SIM_READY;
	sim->ready[sim->ready_count++] = thread; /* kl_sim_thread_new() made room */
}

void kl_sim_unready(struct kl_thread *thread)
{
	struct kl_sim *sim = thread->node->sim;
	for (size_t i = 0; i < sim->ready_count; i++)
		if (sim->ready[i] == thread) {
			sim->ready[i] = sim->ready[--sim->ready_count];
			return;
		}
}

void kl_sim_wake(struct kl_thread *thread)
{
	if (thread->state != KL_SIM_WAITING)
		return;
	kl_sim_timer_stop(thread->node->sim, &thread->timer);
	thread->woken = true;
	kl_sim_ready(thread);
}

static void deadline_fire(struct kl_sim *sim, struct kl_sim_timer *timer)
{
	kl_sim_ready(kl_container(timer, struct kl_thread, timer));
}

bool kl_sim_block(struct kl_sim *sim, const char *why, uint64_t what, int64_t deadline)
{
	struct kl_thread *self = sim->current;
	if (self == NULL)
		kl_sim_fatal(sim, "a call that blocks was made outside of a fiber");
	self->state = KL_SIM_WAITING;
	self->why = why;
	self->what = what;
	self->woken = false;
	self->timer.fire = deadline_fire;
	if (deadline != KL_NEVER)
		kl_sim_timer_set(sim, &self->timer, deadline);
	kl_fiber_switch(&self->fiber, &sim->main, false);
	return self->woken;
}

void kl_sim_spend(struct kl_sim *sim, const char *why, uint64_t what, int64_t us)
{
	if (sim->current != NULL && us > 0)
		kl_sim_block(sim, why, what, sim->now + us);
}

void kl_sim_sleep(struct kl_sim *sim, int64_t us)
{
	kl_sim_block(sim, "sleeps", 0, sim->now + us);
}

const struct kl_sim_node *kl_sim_running(const struct kl_sim *sim)
{
	return sim->current != NULL ? sim->current->node : NULL;
}

static void run_one(struct kl_sim *sim)
{
	size_t i = kl_sim_draw(sim, KL_SIM_SCHED, sim->ready_count);
	struct kl_thread *thread = sim->ready[i];
	sim->ready[i] = sim->ready[--sim->ready_count];
	sim->now += kl_sim_between(sim, KL_SIM_SCHED, 0, sim->opts.step_max_us);
	sim->switches++;
	kl_sim_trace(sim, "run", thread->id, 0, 0);
	thread->state = KL_SIM_RUNNING;
	sim->current = thread;
	bool mortal = thread->node->mortal;
	if (mortal)
		__lsan_disable();
	kl_fiber_switch(&sim->main, &thread->fiber, false);
	if (mortal)
		__lsan_enable();
	sim->current = NULL;
	if (thread->state == KL_SIM_ENDED)
		kl_sim_thread_ended(thread);
}

static enum kl_sim_end run_world(struct kl_sim *sim, int64_t end)
{
	while (sim->unfinished > 0) {
		fire_due(sim);
		if (sim->ready_count > 0) {
			if (sim->now > end)
				return KL_SIM_TIME_LIMIT;
			run_one(sim);
			continue;
		}
		const struct kl_heap_node *first = kl_heap_first(&sim->timers);
		if (first == NULL)
			return KL_SIM_DEADLOCK;
		if (first->key > end) {
			sim->now = kl_max(sim->now, end);
			return KL_SIM_TIME_LIMIT;
		}
		sim->now = kl_max(sim->now, first->key);
	}
	return KL_SIM_DONE;
}

enum kl_sim_end kl_sim_run(struct kl_sim *sim, int64_t limit_us)
{
	struct sigaction before;
	kl_sim_watch(sim, &before);
	enum kl_sim_end end = run_world(sim, sim->now + limit_us);
	kl_sim_unwatch(&before);
	return end;
}

/* --- the world --- */

struct kl_sim_faults *kl_sim_faults(struct kl_sim *sim)
{
	return &sim->faults;
}

void kl_sim_calm(struct kl_sim *sim)
{
	sim->faults = (struct kl_sim_faults){
		.latency_min_us = 20,
		.latency_max_us = 200,
		.disk_max_us = 200,
	};
}

struct kl_sim *kl_sim_new(uint64_t seed, const struct kl_sim_opts *opts)
{
	struct kl_sim *sim = kl_sim_alloc(sizeof(*sim));
	if (opts != NULL)
		sim->opts = *opts;
	if (sim->opts.stack_size == 0)
		sim->opts.stack_size = STACK_DEFAULT;
	if (sim->opts.wall_start_ms == 0)
		sim->opts.wall_start_ms = WALL_START_MS;
	if (sim->opts.step_max_us == 0)
		sim->opts.step_max_us = STEP_MAX_US;
	if (sim->opts.watchdog_s == 0)
		sim->opts.watchdog_s = WATCHDOG_S;
	sim->seed = seed;
	sim->hash = mix(seed + 1);
	for (int i = 0; i < KL_SIM_STREAMS; i++)
		sim->random[i] = mix(mix(seed + 1) + (uint64_t)i);
	/* A real machine has been up for a while: code must not take 0 for "never". */
	sim->now = 5 * KL_SECOND + (int64_t)kl_sim_draw(sim, KL_SIM_PLAN, 1000 * KL_SECOND);
	kl_sim_calm(sim);
	kl_list_init(&sim->threads);
	kl_list_init(&sim->calls);
	kl_list_init(&sim->nodes);
	kl_list_init(&sim->names);
	kl_list_init(&sim->conns);
	kl_list_init(&sim->rules);
	kl_list_init(&sim->cuts);
	kl_fiber_adopt(&sim->main);
	return sim;
}

void kl_sim_free(struct kl_sim *sim)
{
	if (sim == NULL)
		return;
	kl_list_for(node, &sim->nodes, struct kl_sim_node, link) {
		kl_sim_kill_threads(node);
		kl_sim_poll_kill(node);
		kl_sim_sock_kill(node, true);
		kl_sim_disk_kill(node);
		kl_sim_disk_free(node);
	}
	kl_list_for_safe(call, &sim->calls, struct call, link)
		free(call);
	kl_sim_chaos_free(sim);
	kl_sim_net_free(sim);
	kl_sim_name_free(sim);
	kl_list_for_safe(node, &sim->nodes, struct kl_sim_node, link)
		free(node);
	kl_heap_free(&sim->timers);
	free(sim->ready);
	kl_fiber_free(&sim->main);
	free(sim);
}
