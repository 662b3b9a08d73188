/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated world, as tests see it.
 *
 * All threads of all nodes are fibers of the one real thread that calls kl_sim_run(). Time is
 * virtual: it passes while every fiber waits, and by a microsecond or so each time one is
 * run, so that a loop that polls gets somewhere. One seed decides which fiber runs next, how
 * long bytes travel, how they are cut, and what breaks. The same seed and the same code give
 * the same run, bit for bit: kl_sim_hash() over everything that happened says so.
 *
 * Fibers switch only in the calls of struct kl_os that may block. A mutex held over one of
 * them is a bug that the simulation finds: when cond_wait() meets it the process aborts with
 * a report; when it ends in a real deadlock, the watchdog does the same.
 *
 * Running out of memory while a world is set up aborts the test; the calls of struct kl_os
 * answer -ENOMEM.
 */
#ifndef KL_SIM_H
#define KL_SIM_H

#include "core/base/buf.h"
#include "core/os/os.h"

struct kl_sim;
struct kl_sim_node;

struct kl_sim_opts {
	size_t stack_size;     /* of a fiber; 0 = 256 KiB, four times that under ASan */
	int64_t wall_start_ms; /* 0 = some day in 2024 */
	int64_t step_max_us;   /* running a fiber takes up to this long; 0 = 2 */
	unsigned watchdog_s;   /* real seconds that one kl_sim_run() may take; 0 = 100 */
	/* Each event as a line of text; NULL = nobody wants it. */
	void (*trace)(void *arg, const char *line);
	void *trace_arg;
};

struct kl_sim *kl_sim_new(uint64_t seed, const struct kl_sim_opts *opts);
/* Fibers that are left vanish without running on. */
void kl_sim_free(struct kl_sim *sim);

uint64_t kl_sim_hash(const struct kl_sim *sim);
uint64_t kl_sim_events(const struct kl_sim *sim); /* how many went into the hash */
uint64_t kl_sim_switches(const struct kl_sim *sim);
int64_t kl_sim_now(const struct kl_sim *sim);
/* A number of the test's own, from the seed. */
uint64_t kl_sim_below(struct kl_sim *sim, uint64_t n);
/* Add to the hash something that a test saw. */
void kl_sim_note(struct kl_sim *sim, const void *p, size_t n);

/* --- nodes --- */

/* A machine of that name, with one address; others find it under the name. */
struct kl_sim_node *kl_sim_node(struct kl_sim *sim, const char *name);
struct kl_os *kl_sim_os(struct kl_sim_node *node);

/* --- fibers --- */

/* Run fn(arg) as a thread of the node; kl_sim_run() waits for its end. */
void kl_sim_spawn(struct kl_sim_node *node, const char *name, void (*fn)(void *), void *arg);
/* The same for one that kl_sim_run() does not wait for. */
void kl_sim_spawn_service(struct kl_sim_node *node, const char *name, void (*fn)(void *),
			  void *arg);
/* Run fn(arg) between fibers at this time. It must not block. */
void kl_sim_at(struct kl_sim *sim, int64_t when, void (*fn)(void *), void *arg);
/* In a fiber only. */
void kl_sim_sleep(struct kl_sim *sim, int64_t us);
/* The node whose fiber runs now; NULL between fibers. */
const struct kl_sim_node *kl_sim_running(const struct kl_sim *sim);

enum kl_sim_end {
	KL_SIM_DONE = 0,
	KL_SIM_DEADLOCK = 1,   /* every fiber waits, and for nothing that will come */
	KL_SIM_TIME_LIMIT = 2, /* virtual time */
};
/* Until all spawned fibers have ended. May be called again. */
enum kl_sim_end kl_sim_run(struct kl_sim *sim, int64_t limit_us);
/* Who waits where, and the newest events. */
void kl_sim_describe(struct kl_sim *sim, struct kl_buf *out);

/* --- what goes wrong by chance --- */

/* Rates are per million. Everything may be changed while the world runs. */
struct kl_sim_faults {
	/* Each run of bytes travels so long. Some take up to delay_max_us more. */
	int64_t latency_min_us, latency_max_us;
	uint32_t delay;
	int64_t delay_max_us;
	int64_t bytes_per_ms; /* 0 = no limit */

	uint32_t split;    /* per send: it travels in several runs */
	uint32_t short_io; /* per recv, send, pread, pwrite: less than asked, or -EAGAIN */
	uint32_t spurious; /* per wait: wakes without reason */

	uint32_t refuse;   /* per connect */
	uint32_t hole;     /* per connect: packets vanish until the connection is given up */
	uint32_t resolve;  /* per name */

	/* Per send, at a byte of it: */
	uint32_t reset;    /* both ends are told */
	uint32_t finish;   /* the receiver sees an orderly end; what follows is lost */
	uint32_t stall;    /* what follows is lost, and nobody is told */
	uint32_t flip;     /* one bit changes */
	uint32_t inject;   /* up to 64 random bytes that nobody sent */

	/* Disks: a call takes up to this long, a sync ten times that. */
	int64_t disk_max_us;
	uint32_t read_error, write_error, sync_error; /* -EIO */
};
/* The rates in force: a quiet local network at first. */
struct kl_sim_faults *kl_sim_faults(struct kl_sim *sim);
/* Nothing goes wrong and everything is quick. */
void kl_sim_calm(struct kl_sim *sim);
/* Rates drawn from the seed: each kind is left out or given a rate of its own, so that over
 * many seeds all mixtures come up. Flips and injections, which TCP alone would catch, only
 * when asked for. */
void kl_sim_faults_draw(struct kl_sim *sim, bool corrupt, struct kl_sim_faults *faults_out);

/* --- names and addresses --- */

/* Another address for a node; addresses count from 0. */
void kl_sim_address_add(struct kl_sim_node *node, bool ipv6);
enum kl_sim_reach {
	KL_SIM_UP,
	KL_SIM_REFUSES, /* connects are refused */
	KL_SIM_HOLE,    /* connects are never answered */
};
void kl_sim_address_set(struct kl_sim_node *node, unsigned address, enum kl_sim_reach reach);
/* A name stands for these addresses (texts, NULL at the end), in this order. */
void kl_sim_name(struct kl_sim *sim, const char *name, const char *const *addresses);
/* Resolving it fails: -EAGAIN, -ENOENT; why is static. */
void kl_sim_name_fail(struct kl_sim *sim, const char *name, int rc, const char *why);

/* --- what goes wrong on purpose --- */

/* What happens to a connection at a byte. */
enum kl_sim_cut {
	KL_SIM_CUT_RESET,
	KL_SIM_CUT_FINISH,
	KL_SIM_CUT_STALL,
	KL_SIM_CUT_FLIP,
	KL_SIM_CUT_INJECT,
};
/* The next connection but `skip` that matches gets this, once. */
struct kl_sim_rule {
	const struct kl_sim_node *from, *to; /* who connects to whom; NULL = any */
	uint16_t port;                       /* 0 = any */
	uint32_t skip;
	bool answer; /* false: in the bytes of the connecting side */
	uint64_t after_bytes;
	enum kl_sim_cut cut;
	/* after_bytes counts those of all connections that match, also of older ones, and
	 * skip does not count. */
	bool of_all;
};
void kl_sim_rule(struct kl_sim *sim, const struct kl_sim_rule *rule);

/* Called with the bytes of each send, which it may change, just before they travel; NULL = no
 * more. For damage that must hit a certain place. */
void kl_sim_tamper(struct kl_sim *sim,
		   void (*fn)(void *arg, const struct kl_sim_node *from,
			      const struct kl_sim_node *to, uint8_t *p, size_t n),
		   void *arg);

/* A port off: its connections are reset and new ones refused, though the listener knows
 * nothing. */
void kl_sim_port(struct kl_sim_node *node, uint16_t port, bool on);
/* Reset every connection to a port, 0 = all ports of the node. */
void kl_sim_reset(struct kl_sim_node *node, uint16_t port);
/* What one node sends to another waits (TCP sends it again) until the link is on. */
void kl_sim_link(struct kl_sim_node *from, struct kl_sim_node *to, bool on);
/* SIGSTOP and SIGCONT: the node's fibers do not run; its kernel takes bytes as before. */
void kl_sim_pause(struct kl_sim_node *node, bool paused);
void kl_sim_clock_jump(struct kl_sim_node *node, int64_t ms);

/* Call once before the node's first fiber runs: what its fibers allocate is not reported as
 * leaked, so that kl_sim_kill() may leave it behind. */
void kl_sim_node_mortal(struct kl_sim_node *node);
/* kill -9: no fiber of the node runs another instruction; its sockets and listeners are
 * gone, its disk keeps what a crash leaves. power: the machine is off, so that nobody is
 * told either, until kl_sim_boot(). Not from a fiber of the node. */
void kl_sim_kill(struct kl_sim_node *node, bool power);
void kl_sim_boot(struct kl_sim_node *node);

/* Disk full at this many bytes; SIZE_MAX = never. */
void kl_sim_disk_limit(struct kl_sim_node *node, size_t bytes);
/* What a power cut does to the disk alone: what was not synced is there wholly, torn, or not
 * at all. No file may be open. */
void kl_sim_disk_crash(struct kl_sim_node *node);

/* --- a plan of outages --- */

struct kl_sim_target {
	struct kl_sim_node *node;
	uint16_t port;
};
enum {
	KL_SIM_CHAOS_PORT = 1,  /* a port goes off for a while */
	KL_SIM_CHAOS_RESET = 2, /* its connections are reset */
	KL_SIM_CHAOS_LINK = 4,  /* a target and `client` do not hear each other, or one not
				 * the other */
	KL_SIM_CHAOS_PAUSE = 8, /* the target's node stands still */
	KL_SIM_CHAOS_CLOCK = 16, /* the client's wall clock jumps */
	KL_SIM_CHAOS_ACT = 32,   /* act() is called */
};
/* Until `until`, about every gap_us something happens to one of the targets and ends at
 * most outage_us later; then everything is on again, and calm. */
struct kl_sim_chaos {
	const struct kl_sim_target *targets; /* borrowed until then, as all else here */
	size_t target_count;
	struct kl_sim_node *client;
	uint32_t kinds;
	int64_t until, gap_us, outage_us;
	void (*act)(void *arg, uint64_t random);
	void *arg;
};
void kl_sim_chaos(struct kl_sim *sim, const struct kl_sim_chaos *chaos);

#endif
