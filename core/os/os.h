/* SPDX-License-Identifier: BSD-2-Clause */
/* The outside world as one vtable: clock, randomness, threads, names, sockets, files.
 *
 * Two worlds implement it: real.c over POSIX, and sim.c, where time is virtual, threads are
 * fibers, and a seed decides what happens next. Nothing else in core/ calls the system.
 * A world outlives everything made from it.
 *
 * System errors are negative errno values (-EAGAIN, -ECONNREFUSED). Blocking calls say so;
 * everything else returns at once.
 */
#ifndef KL_OS_H
#define KL_OS_H

#include <errno.h>
#include <pthread.h>
#include <sys/types.h>
#include <sys/uio.h>

#include "core/base/base.h"
#include "core/base/list.h"

struct kl_os;
struct kl_thread;
struct kl_sock;
struct kl_poller;
struct kl_file;

/* An address as bytes of a struct sockaddr (real) or a node and port (simulated). */
#define KL_ADDR_MAX 128
struct kl_addr {
	uint32_t len;
	_Alignas(8) uint8_t bytes[KL_ADDR_MAX];
};
#define KL_ADDR_TEXT 80 /* "[2001:db8::1]:9092" and its NUL */

struct kl_sock_opts {
	int32_t send_buffer, recv_buffer; /* bytes; -1 = the system's */
};

enum {
	KL_IN = 1,
	KL_OUT = 2,
	KL_HUP = 4, /* told, never asked for: error or both ends closed */
};
struct kl_event {
	void *tag; /* as given to poller_watch */
	uint32_t events;
};

enum {
	KL_FILE_READ = 1,
	KL_FILE_WRITE = 2,
	KL_FILE_CREATE = 4,
	KL_FILE_TRUNCATE = 8,
	KL_FILE_EXCLUSIVE = 16,
};

/* Fibers switch only inside vtable calls, so in the simulation a mutex is never contended:
 * one type serves both worlds. A mutex is never held over a blocking call but cond_wait. */
struct kl_mutex {
	pthread_mutex_t m;
};
struct kl_cond {
	pthread_cond_t c;       /* real */
	struct kl_list waiters; /* simulated */
};

/* The longest name of DNS, and a NUL. */
#define KL_HOST_NAME 256

struct kl_os {
	const char *name; /* "real", "sim" */

	/* --- time: microseconds since some start; never goes back --- */
	int64_t (*now)(struct kl_os *os);
	/* To the kernel's tick (1 to 10 ms), much cheaper, and never ahead of now(). */
	int64_t (*now_coarse)(struct kl_os *os);
	/* Milliseconds since 1970, exact; and to the kernel's tick (1 to 10 ms), much
	 * cheaper. */
	int64_t (*wall_ms)(struct kl_os *os);
	int64_t (*wall_coarse_ms)(struct kl_os *os);

	/* Unpredictable in the real world, from the seed in the simulation. */
	void (*random)(struct kl_os *os, void *p, size_t n);

	/* --- threads --- */
	/* Signals are blocked in it, except the ones a fault raises. -EAGAIN: no more
	 * threads. */
	int (*thread_start)(struct kl_os *os, const char *name, void (*fn)(void *), void *arg,
			    struct kl_thread **thread_out);
	void (*thread_join)(struct kl_os *os, struct kl_thread *thread); /* blocks; frees it */
	/* Nobody will join it: it runs to its end by itself. Frees it, then or now. */
	void (*thread_leave)(struct kl_os *os, struct kl_thread *thread);
	int (*cond_init)(struct kl_os *os, struct kl_cond *cond);
	void (*cond_destroy)(struct kl_os *os, struct kl_cond *cond);
	/* Blocks; false when the deadline passed. May wake without reason. */
	bool (*cond_wait)(struct kl_os *os, struct kl_cond *cond, struct kl_mutex *mutex,
			  int64_t deadline);
	void (*cond_broadcast)(struct kl_os *os, struct kl_cond *cond);

	/* A page of zeros that reads as zeros again in a forked child: how a client notices
	 * that it is in one. NULL: none to be had. */
	void *(*fork_page)(struct kl_os *os);
	void (*fork_page_free)(struct kl_os *os, void *page);

	/* A number of the calling thread's own, 0 at first: how many callbacks of the
	 * application it is inside of. See kl_loop_in_callback(). */
	unsigned *(*callback_depth)(struct kl_os *os);

	/* --- names; blocks, so only on the blocking pool --- */
	/* Fills addrs[0..max), both families, in the resolver's order; the number of them, or
	 * < 0. *why_out: static text of what the resolver said. */
	int (*resolve)(struct kl_os *os, const char *host, uint16_t port,
		       struct kl_addr *addrs, size_t max, const char **why_out);
	/* The name that an address goes by, if that leads back to it; else the address. */
	void (*canonical_name)(struct kl_os *os, const struct kl_addr *addr,
			       char name[static KL_HOST_NAME]);

	/* --- stream sockets, never blocking --- */
	/* Begins to connect; writable when decided, then connect_result() is 0 or < 0. */
	int (*sock_connect)(struct kl_os *os, const struct kl_addr *addr,
			    const struct kl_sock_opts *opts, struct kl_sock **sock_out);
	int (*sock_connect_result)(struct kl_sock *sock);
	/* port 0 = any free one; addr_out (may be NULL) tells. host NULL = loopback. */
	int (*sock_listen)(struct kl_os *os, const char *host, uint16_t port,
			   struct kl_sock **sock_out, struct kl_addr *addr_out);
	int (*sock_accept)(struct kl_sock *listener, struct kl_sock **sock_out,
			   struct kl_addr *peer_out);
	/* Bytes, 0 = the peer has finished, -EAGAIN, or another error. */
	ssize_t (*sock_recv)(struct kl_sock *sock, void *p, size_t n);
	ssize_t (*sock_sendv)(struct kl_sock *sock, const struct iovec *iov, int count);
	void (*sock_close)(struct kl_sock *sock); /* frees it; drops it from its poller */
	void (*sock_reset)(struct kl_sock *sock); /* the same, with a reset to the peer */
	/* The descriptor for OpenSSL, -1 in the simulation. */
	int (*sock_fd)(const struct kl_sock *sock);
	void (*addr_text)(struct kl_os *os, const struct kl_addr *addr,
			  char text[static KL_ADDR_TEXT]);
	uint16_t (*addr_port)(struct kl_os *os, const struct kl_addr *addr);

	/* --- readiness, level-triggered --- */
	int (*poller_new)(struct kl_os *os, struct kl_poller **poller_out);
	void (*poller_free)(struct kl_poller *poller);
	/* events 0 = forget the socket. */
	int (*poller_watch)(struct kl_poller *poller, struct kl_sock *sock, uint32_t events,
			    void *tag);
	/* Blocks until something is ready, poller_wake() or the deadline. The number of
	 * events; a wake-up alone gives 0. */
	int (*poller_wait)(struct kl_poller *poller, struct kl_event *events, int max,
			   int64_t deadline);
	/* Any thread, or a signal handler. Wakes the current or else the next wait. */
	void (*poller_wake)(struct kl_poller *poller);
	int (*poller_fd)(const struct kl_poller *poller); /* -1 in the simulation */

	/* --- files; they may block for as long as a disk does --- */
	int (*file_open)(struct kl_os *os, const char *path, int flags,
			 struct kl_file **file_out);
	void (*file_close)(struct kl_file *file);
	ssize_t (*file_pread)(struct kl_file *file, void *p, size_t n, int64_t offset);
	ssize_t (*file_pwrite)(struct kl_file *file, const void *p, size_t n, int64_t offset);
	int (*file_sync)(struct kl_file *file);
	int64_t (*file_size)(struct kl_file *file);
	/* 1 when others than its owner and its group may read or write it, else 0. */
	int (*file_others)(struct kl_file *file);
	int (*file_truncate)(struct kl_file *file, int64_t size);
	/* Nobody else's as long as it is open; -EAGAIN: somebody has it. A file opened twice
	 * is two files here. */
	int (*file_lock)(struct kl_file *file);
	int (*file_rename)(struct kl_os *os, const char *from, const char *to);
	int (*file_unlink)(struct kl_os *os, const char *path);
	int (*dir_make)(struct kl_os *os, const char *path);
	int (*dir_sync)(struct kl_os *os, const char *path);
	/* fn is called for each name but . and .., in no order; a non-zero answer ends it. */
	int (*dir_list)(struct kl_os *os, const char *path,
			int (*fn)(void *arg, const char *name), void *arg);
};

/* The machine this runs on. One object for the whole process. */
struct kl_os *kl_os_real(void);

static inline void kl_mutex_init(struct kl_mutex *mutex)
{
	pthread_mutex_init(&mutex->m, NULL);
}
static inline void kl_mutex_destroy(struct kl_mutex *mutex)
{
	pthread_mutex_destroy(&mutex->m);
}
static inline void kl_mutex_lock(struct kl_mutex *mutex)
{
	pthread_mutex_lock(&mutex->m);
}
static inline void kl_mutex_unlock(struct kl_mutex *mutex)
{
	pthread_mutex_unlock(&mutex->m);
}

/* deadline = now + ms, KL_NEVER for a negative ms; never overflows. */
int64_t kl_os_deadline_ms(struct kl_os *os, int64_t ms);
/* Uniform in [0, n). */
uint64_t kl_os_random_below(struct kl_os *os, uint64_t n);
/* A whole file of at most max bytes into memory from malloc; 0 or negative errno
 * (-EFBIG: larger). A NUL follows the data. */
int kl_os_read_file(struct kl_os *os, const char *path, size_t max, char **data_out,
		    size_t *len_out);
/* The same for one that holds secrets; -EKEYREJECTED: everybody may read it. */
int kl_os_read_secret_file(struct kl_os *os, const char *path, size_t max, char **data_out,
			   size_t *len_out);

#endif
