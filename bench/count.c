/* SPDX-License-Identifier: BSD-2-Clause */
/* What a record costs in things that can be counted: allocations, locks that were waited for,
 * clock reads, wake-ups and system calls. bench/gate holds them to bench/gate.tsv.
 *
 * The job of client.c on a loop whose world counts what goes through it. Allocations and
 * mutexes are counted by functions of libc's names, which stand in for libc's here.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "bench/load.h"
#include "core/net/loop.h"
#include "core/producer/partition.h"

/* --- counters --- */

enum {
	ALLOCATIONS,
	CONTENDED_LOCKS,
	CLOCK_READS, /* exact ones: the coarse tick is a few loads */
	WAKE_UPS,
	SYSTEM_CALLS,
	COUNTERS,
};
static const char *const counter_names[COUNTERS] = {
	"allocations", "contended_locks", "clock_reads", "wake_ups", "system_calls"};
static atomic_ullong counters[COUNTERS];

static void count(int what)
{
	atomic_fetch_add_explicit(&counters[what], 1, memory_order_relaxed);
}

/* --- in place of libc's --- */

void *__libc_malloc(size_t n);
void *__libc_calloc(size_t count, size_t n);
void *__libc_realloc(void *p, size_t n);
void *__libc_memalign(size_t align, size_t n);

void *malloc(size_t n)
{
	count(ALLOCATIONS);
	return __libc_malloc(n);
}

void *calloc(size_t n, size_t size)
{
	count(ALLOCATIONS);
	return __libc_calloc(n, size);
}

void *realloc(void *p, size_t n)
{
	count(ALLOCATIONS);
	return __libc_realloc(p, n);
}

void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;
	return __builtin_mul_overflow(n, size, &bytes) ? NULL : realloc(p, bytes);
}

int posix_memalign(void **p_out, size_t align, size_t n)
{
	count(ALLOCATIONS);
	*p_out = __libc_memalign(align, n);
	return *p_out != NULL ? 0 : ENOMEM;
}

int pthread_mutex_lock(pthread_mutex_t *mutex)
{
	static _Atomic(int (*)(pthread_mutex_t *)) lock;
	if (pthread_mutex_trylock(mutex) == 0)
		return 0;
	count(CONTENDED_LOCKS);
	int (*real)(pthread_mutex_t *) = atomic_load(&lock);
	if (real == NULL) {
		real = (int (*)(pthread_mutex_t *))dlsym(RTLD_NEXT, "pthread_mutex_lock");
		atomic_store(&lock, real);
	}
	return real(mutex);
}

/* --- a world that counts --- */

static int64_t count_now(struct kl_os *os)
{
	count(CLOCK_READS);
	return kl_os_real()->now(os);
}

static int64_t count_wall_ms(struct kl_os *os)
{
	count(CLOCK_READS);
	return kl_os_real()->wall_ms(os);
}

static bool count_cond_wait(struct kl_os *os, struct kl_cond *cond, struct kl_mutex *mutex,
			    int64_t deadline)
{
	count(SYSTEM_CALLS);
	return kl_os_real()->cond_wait(os, cond, mutex, deadline);
}

/* Only those who have seen a waiter call it. */
static void count_cond_broadcast(struct kl_os *os, struct kl_cond *cond)
{
	count(SYSTEM_CALLS);
	count(WAKE_UPS);
	kl_os_real()->cond_broadcast(os, cond);
}

static ssize_t count_sock_recv(struct kl_sock *sock, void *p, size_t n)
{
	count(SYSTEM_CALLS);
	return kl_os_real()->sock_recv(sock, p, n);
}

static ssize_t count_sock_sendv(struct kl_sock *sock, const struct iovec *iov, int n)
{
	count(SYSTEM_CALLS);
	return kl_os_real()->sock_sendv(sock, iov, n);
}

static int count_poller_watch(struct kl_poller *poller, struct kl_sock *sock,
			      uint32_t events, void *tag)
{
	count(SYSTEM_CALLS);
	return kl_os_real()->poller_watch(poller, sock, events, tag);
}

static int count_poller_wait(struct kl_poller *poller, struct kl_event *events, int max,
			     int64_t deadline)
{
	count(SYSTEM_CALLS);
	return kl_os_real()->poller_wait(poller, events, max, deadline);
}

static void count_poller_wake(struct kl_poller *poller)
{
	count(SYSTEM_CALLS);
	count(WAKE_UPS);
	kl_os_real()->poller_wake(poller);
}

static struct kl_os counting_world(void)
{
	struct kl_os os = *kl_os_real();
	os.now = count_now;
	os.wall_ms = count_wall_ms;
	os.cond_wait = count_cond_wait;
	os.cond_broadcast = count_cond_broadcast;
	os.sock_recv = count_sock_recv;
	os.sock_sendv = count_sock_sendv;
	os.poller_watch = count_poller_watch;
	os.poller_wait = count_poller_wait;
	os.poller_wake = count_poller_wake;
	return os;
}

/* --- the job --- */

/* The word that guards a partition is not a mutex: it counts its own waits. */
static uint64_t partition_waits(struct klamm_topic *topic)
{
	uint64_t waits = 0;
	int32_t n = topic != NULL ? atomic_load(&topic->partition_count) : 0;
	struct kl_partition **table = n > 0 ? atomic_load(&topic->partitions) : NULL;
	for (int32_t i = 0; i < n; i++) {
		kl_partition_lock(table[i]);
		waits += table[i]->waits;
		kl_partition_unlock(table[i]);
	}
	return waits;
}

static void on_mark(struct job *job, struct klamm_topic *topic)
{
	static uint64_t before[COUNTERS];
	static bool begun;
	for (int i = 0; i < COUNTERS; i++) {
		uint64_t n = atomic_load(&counters[i]);
		if (i == CONTENDED_LOCKS)
			n += partition_waits(topic);
		if (begun)
			printf("%s=%.6f\n", counter_names[i],
			       (double)(n - before[i]) / (double)job->records);
		before[i] = n;
	}
	begun = true;
}

int main(int argc, char **argv)
{
	static struct kl_os os; /* outlives everything made from it */
	struct job job;
	struct klamm_error err;
	struct klamm_loop *loop;
	os = counting_world();
	job_read(&job, argc, argv);
	job.mark = on_mark;
	int rc = kl_loop_new(&os, NULL, &loop, &err);
	if (rc == 0 && !job.driven)
		rc = klamm_loop_start(loop, &err);
	if (rc != 0)
		return job_fail(&job, "%s", err.text);
	rc = load_run(&job, loop);
	klamm_loop_free(loop);
	return rc;
}
