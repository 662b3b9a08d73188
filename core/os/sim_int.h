/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of the simulated world share. One real thread runs all of it. */
#ifndef KL_SIM_INT_H
#define KL_SIM_INT_H

#include <signal.h>

#include "core/base/heap.h"
#include "core/os/sim.h"
#include "core/os/sim_fiber.h"

/* Each kind of chance has its own sequence, so that one more draw for the disk does not
 * change the network. */
enum kl_sim_stream {
	KL_SIM_SCHED,
	KL_SIM_NET,
	KL_SIM_DISK,
	KL_SIM_PLAN,
	KL_SIM_USER, /* os->random() */
	KL_SIM_STREAMS,
};

struct kl_sim_timer {
	struct kl_heap_node node;
	void (*fire)(struct kl_sim *sim, struct kl_sim_timer *timer);
};

struct kl_sim_event {
	int64_t at;
	const char *kind;
	uint64_t a, b, n;
};
#define KL_SIM_NEWEST 64 /* events told by kl_sim_describe() */

struct kl_sim {
	struct kl_sim_opts opts;
	uint64_t seed;
	int64_t now;
	uint64_t random[KL_SIM_STREAMS];
	struct kl_sim_faults faults;
	struct kl_heap timers;
	size_t timer_count;

	struct kl_fiber main; /* the stack of kl_sim_run() */
	struct kl_thread *current;
	unsigned callbacks; /* the same number for whoever calls kl_sim_run() */
	struct kl_thread **ready;
	size_t ready_count, ready_cap;
	struct kl_list threads;
	size_t thread_count;
	size_t unfinished; /* spawned and not yet done */
	struct kl_list calls; /* kl_sim_at() */
	uint64_t next_id; /* of threads, sockets, connections, files, in order of birth */

	struct kl_list nodes;
	uint32_t node_count;
	struct kl_list names;
	struct kl_list conns;
	struct kl_list rules;
	struct kl_list cuts; /* links that are off */
	struct chaos *chaos;
	void (*tamper)(void *arg, const struct kl_sim_node *from, const struct kl_sim_node *to,
		       uint8_t *p, size_t n);
	void *tamper_arg;

	uint64_t hash, events, switches;
	struct kl_sim_event newest[KL_SIM_NEWEST];
};

enum kl_sim_state {
	KL_SIM_READY,
	KL_SIM_RUNNING,
	KL_SIM_WAITING,
	KL_SIM_PARKED, /* would be ready, but its node is paused */
	KL_SIM_ENDED,
};

struct kl_thread {
	struct kl_list link; /* of sim->threads */
	struct kl_sim_node *node;
	uint64_t id;
	char name[24];
	void (*fn)(void *);
	void *arg;
	struct kl_fiber fiber;
	enum kl_sim_state state;
	const char *why; /* what it waits for, static text */
	uint64_t what;   /* and the id of it */
	bool woken;      /* false: the deadline came first */
	struct kl_sim_timer timer;
	struct kl_list wait_link; /* of a cond's waiters */
	struct kl_thread *joiner;
	bool spawned, counted;
	unsigned callbacks; /* of the application that it is inside of */
};

#define KL_SIM_ADDRESSES 8 /* per node */

struct kl_sim_node {
	struct kl_os os; /* first: the vtable's calls get here from it */
	struct kl_sim *sim;
	struct kl_list link;
	uint32_t id; /* from 1 */
	char name[64];
	struct {
		bool ipv6;
		enum kl_sim_reach reach;
	} addresses[KL_SIM_ADDRESSES];
	unsigned address_count;
	uint16_t next_port;
	int64_t wall_offset_ms;
	bool paused, off, mortal;
	struct kl_list socks, pollers, files;
	struct kl_list ports_off;

	struct kl_list inodes, entries, journal; /* the disk: sim_disk.c, sim_dir.c */
	size_t disk_used, disk_limit;
};

static inline struct kl_sim_node *kl_sim_of(struct kl_os *os)
{
	return kl_container(os, struct kl_sim_node, os);
}

/* --- sim.c --- */

/* malloc that aborts, for setting up a world; the memory is zeroed. */
void *kl_sim_alloc(size_t n);
uint64_t kl_sim_random(struct kl_sim *sim, enum kl_sim_stream stream);
uint64_t kl_sim_draw(struct kl_sim *sim, enum kl_sim_stream stream, uint64_t below);
bool kl_sim_chance(struct kl_sim *sim, enum kl_sim_stream stream, uint32_t per_million);
/* Uniform in [min, max]. */
int64_t kl_sim_between(struct kl_sim *sim, enum kl_sim_stream stream, int64_t min,
		       int64_t max);
/* kind: static text. */
void kl_sim_trace(struct kl_sim *sim, const char *kind, uint64_t a, uint64_t b, uint64_t n);
void kl_sim_trace_bytes(struct kl_sim *sim, const void *p, size_t n);

bool kl_sim_timer_init(struct kl_sim *sim, struct kl_sim_timer *timer,
		       void (*fire)(struct kl_sim *, struct kl_sim_timer *));
void kl_sim_timer_set(struct kl_sim *sim, struct kl_sim_timer *timer, int64_t when);
void kl_sim_timer_stop(struct kl_sim *sim, struct kl_sim_timer *timer);
void kl_sim_timer_drop(struct kl_sim *sim, struct kl_sim_timer *timer);

/* Let the world run until somebody wakes this fiber (true) or the deadline. */
bool kl_sim_block(struct kl_sim *sim, const char *why, uint64_t what, int64_t deadline);
void kl_sim_wake(struct kl_thread *thread);
/* A blocking call that takes so long; nothing outside a fiber. */
void kl_sim_spend(struct kl_sim *sim, const char *why, uint64_t what, int64_t us);
void kl_sim_ready(struct kl_thread *thread);
void kl_sim_unready(struct kl_thread *thread);

/* --- sim_report.c --- */

/* Report and abort. */
_Noreturn void kl_sim_fatal(struct kl_sim *sim, const char *text);
/* An alarm for kl_sim_run(). */
void kl_sim_watch(struct kl_sim *sim, struct sigaction *before_out);
void kl_sim_unwatch(const struct sigaction *before);

/* --- sim_node.c --- */
void kl_sim_kill_threads(struct kl_sim_node *node);

/* --- sim_thread.c --- */
void kl_sim_thread_ops(struct kl_os *os);
int kl_sim_thread_new(struct kl_sim_node *node, const char *name, void (*fn)(void *),
		      void *arg, struct kl_thread **thread_out);
void kl_sim_thread_free(struct kl_thread *thread);
void kl_sim_thread_ended(struct kl_thread *thread);

/* --- sim_poll.c --- */
void kl_sim_poll_ops(struct kl_os *os);
/* The socket may be ready for something: wake who waits for it. */
void kl_sim_poll_changed(struct kl_sock *sock);
void kl_sim_poll_forget(struct kl_sock *sock);
void kl_sim_poll_kill(struct kl_sim_node *node);

/* --- sim_name.c --- */

/* What is in the bytes of a struct kl_addr. */
struct kl_sim_addr {
	uint32_t node;    /* id, 0 = nobody's */
	uint16_t address; /* index; */
	uint16_t port;
	bool ipv6;
};
void kl_sim_name_ops(struct kl_os *os);
void kl_sim_name_free(struct kl_sim *sim);
struct kl_sim_node *kl_sim_node_by_id(struct kl_sim *sim, uint32_t id);
void kl_sim_addr_put(struct kl_addr *addr, const struct kl_sim_node *node, unsigned address,
		     uint16_t port);
struct kl_sim_addr kl_sim_addr_get(const struct kl_addr *addr);
/* A name or number to addresses, without delay or faults. */
int kl_sim_lookup(struct kl_sim_node *node, const char *host, uint16_t port,
		  struct kl_addr *addrs, size_t max, const char **why_out);

/* --- sim_sock.c, sim_conn.c --- */
void kl_sim_sock_ops(struct kl_os *os);
void kl_sim_sock_kill(struct kl_sim_node *node, bool quietly);
void kl_sim_net_free(struct kl_sim *sim);
bool kl_sim_link_is_on(const struct kl_sim *sim, const struct kl_sim_node *from,
		       const struct kl_sim_node *to);

/* --- sim_disk.c, sim_dir.c --- */
void kl_sim_disk_ops(struct kl_os *os);
void kl_sim_dir_ops(struct kl_os *os);
void kl_sim_disk_kill(struct kl_sim_node *node);
void kl_sim_disk_free(struct kl_sim_node *node);

/* --- sim_chaos.c --- */
void kl_sim_chaos_free(struct kl_sim *sim);

#endif
