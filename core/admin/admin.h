/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin client inside: one call at a time per thread, each a request that is sent
 * again until its answer is final.
 *
 * The calling thread fills a struct kl_call and waits; everything between start and end
 * of the call runs in the loop. A new API is a file with its functions, each of them a
 * `prepare` and an `answer`.
 */
#ifndef KL_ADMIN_H
#define KL_ADMIN_H

#include <klamm/admin.h>

#include "core/broker/cluster.h"
#include "core/conf/role_plugin.h"
#include "core/metrics/reporters.h"

struct klamm_admin {
	struct kl_os *os;
	struct klamm_loop *loop;
	bool own_loop, cluster_made, gate_made, host_made;
	struct klamm_conf *conf;
	const struct kl_settings *settings;
	struct kl_log log;
	struct kl_host host;        /* what plugins see */
	struct kl_role_plugin sasl; /* none = no authentication */
	struct kl_tls *tls;         /* until the cluster is made; NULL = none */
	struct kl_metrics metrics;
	struct kl_reporters reporters;
	struct kl_slab_pool *slabs;
	struct kl_cluster cluster;
	struct kl_list scatters; /* calls that may wait for a broker to be known */
	struct kl_gate gate;     /* calls that wait for their end */
};

enum kl_verdict {
	KL_CALL_DONE,  /* with the call's err, or none */
	KL_CALL_AGAIN, /* some of it is still to be done; err says why */
};

struct kl_call {
	/* --- set by the caller --- */
	const char *what; /* "creating topics", for texts */
	enum kl_api api;
	int min_version;
	const char *needs; /* NULL, or what older ones do not have, for the same texts */
	bool to_controller; /* brokers before KRaft let no other do it */
	/* A message in call->arena for what is still to be done; NULL: out of memory.
	 */
	const void *(*prepare)(struct kl_call *call, int version);
	enum kl_verdict (*answer)(struct kl_call *call, const void *body, int version);
	/* May be NULL. The call failed as a whole, with call->err. */
	void (*failed)(struct kl_call *call);

	/* --- for both of them --- */
	struct klamm_admin *admin;
	struct klamm_error err;
	struct kl_arena arena; /* freed between attempts */
	int32_t time_left_ms;  /* for the broker's own timeout */

	/* --- the engine's --- */
	struct kl_request request;
	struct kl_timer timer;
	bool timer_made, under_way;
	unsigned failures;
	int64_t deadline;
	atomic_bool ended;
};

/* scatter.c: metadata came. */
void kl_scatters_updated(struct kl_cluster *cluster);

/* FORKED in a forked child, where nothing may be called. */
int kl_admin_check(const struct klamm_admin *admin, struct klamm_error *err);
/* Run a call to its end; its error. timeout_ms as in the public functions. */
int kl_admin_call(struct klamm_admin *admin, struct kl_call *call, int64_t timeout_ms,
		  struct klamm_error *err);

/* The call failed as a whole: its error is that of each thing, if errors is not NULL. */
int kl_admin_refuse(const struct klamm_error *why, struct klamm_error *errors, size_t count,
		    struct klamm_error *err);
/* what: "topics" */
int kl_admin_no_memory(const char *what, struct klamm_error *errors, size_t count,
		       struct klamm_error *err);
/* The error of one thing of several in an answer, "topic orders: ..." with the broker's
 * words or ours. code 0 clears it. */
void kl_admin_item_error(struct klamm_error *err, int code, const char *kind,
			 const char *name, struct kl_str words);
/* Is it worth asking again? The code says that it passes, and sending twice does no
 * harm. */
bool kl_admin_passes(int code);

#endif
