/* SPDX-License-Identifier: BSD-2-Clause */
/* The real world: time and threads, POSIX's. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "core/os/real_int.h"

/* --- time --- */

int64_t kl_real_clock_us(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * KL_SECOND + ts.tv_nsec / 1000;
}

static int64_t real_now(struct kl_os *os)
{
	return kl_real_clock_us(CLOCK_MONOTONIC);
}

static int64_t real_now_coarse(struct kl_os *os)
{
	return kl_real_clock_us(CLOCK_MONOTONIC_COARSE);
}

static int64_t real_wall_ms(struct kl_os *os)
{
	return kl_real_clock_us(CLOCK_REALTIME) / KL_MS;
}

/* Called for every record: one division, not two. */
static int64_t real_wall_coarse_ms(struct kl_os *os)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + (uint32_t)ts.tv_nsec / 1000000;
}

/* Where a filter forbids the system call, and has left the device. */
static size_t read_random_device(uint8_t *to, size_t n)
{
	int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
	size_t have = 0;
	while (fd >= 0 && have < n) {
		ssize_t got = read(fd, to + have, n - have);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		have += (size_t)got;
	}
	if (fd >= 0)
		close(fd);
	return have;
}

static void real_random(struct kl_os *os, void *p, size_t n)
{
	uint8_t *to = p;
	while (n > 0) {
		ssize_t got = getrandom(to, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break; /* only before the pool is seeded at boot, or under a filter */
		to += got;
		n -= (size_t)got;
	}
	size_t had = n > 0 ? read_random_device(to, n) : 0;
	/* Not even that: names differ at least. */
	for (to += had, n -= had; n > 0; n--)
		*to++ = (uint8_t)(kl_real_clock_us(CLOCK_MONOTONIC) >> (n & 7));
}

/* --- threads --- */

struct kl_thread {
	pthread_t id;
	char name[16];
	void (*fn)(void *);
	void *arg;
	atomic_bool half; /* it has ended, or was left: who comes second frees it */
};

static void *thread_main(void *arg)
{
	struct kl_thread *thread = arg;
	pthread_setname_np(pthread_self(), thread->name);
	thread->fn(thread->arg);
	if (atomic_exchange(&thread->half, true))
		free(thread);
	return NULL;
}

static int real_thread_start(struct kl_os *os, const char *name, void (*fn)(void *),
			     void *arg, struct kl_thread **thread_out)
{
	struct kl_thread *thread = calloc(1, sizeof(*thread));
	if (thread == NULL)
		return -ENOMEM;
	thread->fn = fn;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	/* The application's signals belong to its own threads; a fault must stay visible. */
	sigset_t blocked, before;
	sigfillset(&blocked);
	static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
				     SIGABRT, SIGTRAP, SIGSYS};
	for (size_t i = 0; i < kl_countof(faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int rc = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		free(thread);
		return -rc;
	}
	*thread_out = thread;
	return 0;
}

static void real_thread_join(struct kl_os *os, struct kl_thread *thread)
{
	pthread_join(thread->id, NULL);
	free(thread);
}

static void real_thread_leave(struct kl_os *os, struct kl_thread *thread)
{
	pthread_detach(thread->id);
	if (atomic_exchange(&thread->half, true))
		free(thread);
}

static int real_cond_init(struct kl_os *os, struct kl_cond *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	int rc = pthread_cond_init(&cond->c, &attr);
	pthread_condattr_destroy(&attr);
	return -rc;
}

static void real_cond_destroy(struct kl_os *os, struct kl_cond *cond)
{
	pthread_cond_destroy(&cond->c);
}

static bool real_cond_wait(struct kl_os *os, struct kl_cond *cond, struct kl_mutex *mutex,
			   int64_t deadline)
{
	if (deadline == KL_NEVER)
		return pthread_cond_wait(&cond->c, &mutex->m) == 0;
	struct timespec ts = {
		.tv_sec = deadline / KL_SECOND,
		.tv_nsec = deadline % KL_SECOND * 1000,
	};
	return pthread_cond_timedwait(&cond->c, &mutex->m, &ts) == 0;
}

static void real_cond_broadcast(struct kl_os *os, struct kl_cond *cond)
{
	pthread_cond_broadcast(&cond->c);
}

#define FORK_PAGE 4096

static void *real_fork_page(struct kl_os *os)
{
	void *page = mmap(NULL, FORK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	/* Linux 4.14; before, a child is not seen */
	madvise(page, FORK_PAGE, MADV_WIPEONFORK);
	return page;
}

static void real_fork_page_free(struct kl_os *os, void *page)
{
	if (page != NULL)
		munmap(page, FORK_PAGE);
}

static unsigned *real_callback_depth(struct kl_os *os)
{
	static _Thread_local unsigned depth;
	return &depth;
}

struct kl_os *kl_os_real(void)
{
	static struct kl_os os = {
		.name = "real",
		.now = real_now,
		.now_coarse = real_now_coarse,
		.wall_ms = real_wall_ms,
		.wall_coarse_ms = real_wall_coarse_ms,
		.random = real_random,
		.thread_start = real_thread_start,
		.thread_join = real_thread_join,
		.thread_leave = real_thread_leave,
		.cond_init = real_cond_init,
		.cond_destroy = real_cond_destroy,
		.cond_wait = real_cond_wait,
		.cond_broadcast = real_cond_broadcast,
		.fork_page = real_fork_page,
		.fork_page_free = real_fork_page_free,
		.callback_depth = real_callback_depth,
		.resolve = kl_real_resolve,
		.canonical_name = kl_real_canonical_name,
		.sock_connect = kl_real_sock_connect,
		.sock_connect_result = kl_real_sock_connect_result,
		.sock_listen = kl_real_sock_listen,
		.sock_accept = kl_real_sock_accept,
		.sock_recv = kl_real_sock_recv,
		.sock_sendv = kl_real_sock_sendv,
		.sock_close = kl_real_sock_close,
		.sock_reset = kl_real_sock_reset,
		.sock_fd = kl_real_sock_fd,
		.addr_text = kl_real_addr_text,
		.addr_port = kl_real_addr_port,
		.poller_new = kl_real_poller_new,
		.poller_free = kl_real_poller_free,
		.poller_watch = kl_real_poller_watch,
		.poller_wait = kl_real_poller_wait,
		.poller_wake = kl_real_poller_wake,
		.poller_fd = kl_real_poller_fd,
		.file_open = kl_real_file_open,
		.file_close = kl_real_file_close,
		.file_pread = kl_real_file_pread,
		.file_pwrite = kl_real_file_pwrite,
		.file_sync = kl_real_file_sync,
		.file_size = kl_real_file_size,
		.file_others = kl_real_file_others,
		.file_truncate = kl_real_file_truncate,
		.file_lock = kl_real_file_lock,
		.file_rename = kl_real_file_rename,
		.file_unlink = kl_real_file_unlink,
		.dir_make = kl_real_dir_make,
		.dir_sync = kl_real_dir_sync,
		.dir_list = kl_real_dir_list,
	};
	return &os;
}
