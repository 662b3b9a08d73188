/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker that coordinates a group or a transactional id: found, kept, found again.
 *
 * It has a connection of its own beside the one that data takes: a Fetch may be held for
 * fetch.max.wait.ms and a Produce be large, and brokers answer one connection in order, so
 * heartbeats, commits and ends of transactions would wait behind them. As its address comes
 * with the answer to FindCoordinator, it is of use before metadata names the broker.
 *
 * Looked for only while somebody asks. Lives in the loop of its cluster.
 */
#ifndef KL_COORDINATOR_H
#define KL_COORDINATOR_H

#include "core/broker/cluster.h"

enum kl_coordinator_type {
	KL_COORDINATOR_GROUP = 0,
	KL_COORDINATOR_TRANSACTION = 1, /* brokers from 0.11 on */
};

struct kl_coordinator;

/* Called after a kl_coordinator_node() that gave NULL, one of the two, once; never from inside
 * a call of this header. They may call all of it but _free(). */
struct kl_coordinator_ops {
	/* Its broker is known, and being connected to. */
	void (*ready)(struct kl_coordinator *coordinator);
	/* There is no hope, as with GROUP_AUTHORIZATION_FAILED or a broker that does not let
	 * us in. err names the group or transactional id. Who asks later has a new look-up. */
	void (*failed)(struct kl_coordinator *coordinator, const struct klamm_error *err);
};

enum kl_coordinator_state {
	KL_COORDINATOR_UNKNOWN,
	KL_COORDINATOR_WANTED, /* asked for, or as soon as the backoff is over */
	KL_COORDINATOR_KNOWN,
};

struct kl_coordinator {
	struct kl_cluster *cluster;
	const struct kl_coordinator_ops *ops;
	enum kl_coordinator_type type;
	char *key;
	enum kl_coordinator_state state;
	struct kl_node node; /* the one that was found last */
	bool node_made;
	int64_t found_at;

	struct kl_timer timer;
	int64_t next_at; /* no look-up before */
	unsigned failures; /* in a row: look-ups, and coordinators that were none for long */
	struct kl_request request; /* FindCoordinator */
	struct kl_find_coordinator_request body;
	struct kl_str body_key;
	struct kl_node *asked; /* while the request is under way */
	struct klamm_error last_error; /* code 0: nothing is wrong */
};

/* key is copied. ops stay the caller's. */
int kl_coordinator_init(struct kl_coordinator *coordinator, struct kl_cluster *cluster,
			enum kl_coordinator_type type, const char *key,
			const struct kl_coordinator_ops *ops, struct klamm_error *err);
/* Requests that are with its node end with CLOSED. Before kl_cluster_free(); never from inside
 * ops or a request's done(). */
void kl_coordinator_free(struct kl_coordinator *coordinator);

/* For kl_node_request(), now, not to be kept: what it is asked is sent as soon as there is a
 * connection. NULL: not known; it is looked for from now on, see ops. */
struct kl_node *kl_coordinator_node(struct kl_coordinator *coordinator);

/* It answered NOT_COORDINATOR or COORDINATOR_NOT_AVAILABLE, or did not answer. The next
 * kl_coordinator_node() looks for it again. A lost connection need not be told, but in
 * done() of a request that ended with it, this comes before asking again. */
void kl_coordinator_lost(struct kl_coordinator *coordinator, const struct klamm_error *why);

/* As kl_cluster_timed_out(), with what went wrong on the way to the coordinator. */
int kl_coordinator_timed_out(const struct kl_coordinator *coordinator,
			     struct klamm_error *err, const char *what);

#endif
