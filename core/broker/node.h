/* SPDX-License-Identifier: BSD-2-Clause */
/* A broker as a client sees it: its address, its connection, the requests under way.
 *
 * idle -> resolving -> connecting -> asking for versions -> authenticating -> ready, back to
 * idle with a backoff (KIP-580) when anything fails. Lives in the loop of its cluster.
 */
#ifndef KL_NODE_H
#define KL_NODE_H

#include "core/base/arena.h"
#include "core/base/log.h"
#include "core/broker/auth.h"
#include "core/conf/settings.h"
#include "core/metrics/metrics.h"
#include "core/proto/gen/messages.h"
#include "core/proto/versions.h"

#define KL_NODE_ADDRS 16

struct kl_resolve;

/* What the nodes of one client share. */
struct kl_nodes {
	struct klamm_loop *loop;
	const struct kl_settings *settings;
	struct kl_log log;
	struct kl_slab_pool *slabs; /* for received frames */
	struct kl_instance *sasl;   /* the mechanism's plugin; NULL = none */
	struct kl_tls *tls;         /* NULL = none; freed with the cluster */
	struct kl_proxy_url *proxy; /* likewise */
	struct kl_metrics *metrics; /* NULL = nobody counts */
	/* Known once a broker told it, for KIP-1242. */
	const char *cluster_id;
	/* The cluster's features as the newest answer to ApiVersions had them (KIP-584): their
	 * epoch, -1 = none said, and the level of "transaction.version". */
	int64_t features_epoch;
	int16_t transaction_version;
	/* One has answered ApiVersions: none is taken for a broker from before it. */
	bool modern;
	/* A connection became ready or was lost; err NULL = ready. May be NULL. */
	void (*changed)(struct kl_nodes *nodes, struct kl_node *node,
			const struct klamm_error *err);
};

enum kl_node_state {
	KL_NODE_IDLE,
	KL_NODE_RESOLVING,
	KL_NODE_CONNECTING,
	KL_NODE_VERSIONS,
	KL_NODE_SASL,
	KL_NODE_READY,
	KL_NODE_REAUTH, /* in use; what is new waits until it has authenticated again */
};

/* How a connection begins; see node_old.c. */
enum kl_node_opening {
	KL_NODE_ASKS,   /* with ApiVersions */
	KL_NODE_DOUBTS, /* the broker closed on that: with the probe, and then ApiVersions */
	KL_NODE_OLD,    /* without: twice it answered the probe and closed on ApiVersions */
};

struct kl_node {
	struct kl_nodes *nodes;
	int32_t id; /* -1 = a bootstrap address */
	int32_t peer_id; /* in metrics: as id, -1, -2, ... for bootstrap addresses */
	struct kl_peer *peer; /* NULL = it has no figures of its own */
	char *host;
	/* The name that its address goes by (client.dns.lookup), which is whom TLS and SASL
	 * are to reach then; NULL = host. */
	char *canonical;
	uint16_t port;
	char where[100]; /* "broker 3 (kafka-3:9092)", for texts */
	enum kl_node_state state;

	struct kl_resolve *resolve;
	struct kl_addr addrs[KL_NODE_ADDRS];
	unsigned addr_count, addr_at;
	struct kl_addr proxy_addr; /* where names of brokers are looked up here */
	char target[KL_ADDR_TEXT]; /* the address that the proxy is asked for, then */
	struct kl_conn conn;
	struct kl_tls_ticket ticket;
	struct kl_timer timer; /* whatever is due next */
	int64_t setup_deadline;
	bool has_failed; /* its look-up did not begin: last_error */
	int64_t retry_at;       /* no attempt before */
	bool wanted;            /* a connection was asked for before that */
	unsigned failures;      /* in a row, of whole attempts */
	unsigned setup_timeouts; /* in a row (KIP-601) */
	int64_t muted_until;    /* throttled (KIP-219) */

	struct kl_request versions_request;
	struct kl_api_versions_request versions_body;
	int versions_max;       /* what to ask ApiVersions with next */
	bool versions_answered; /* on this connection */
	enum kl_node_opening opening; /* of the connection that is being made, or the next */
	struct kl_request probe;
	struct kl_metadata_request probe_body;
	struct kl_metadata_request_topic probe_topic;
	int64_t probe_at; /* when ApiVersions is not answered */
	bool probe_answered;
	bool served; /* a request that was not the node's own, on this connection */
	unsigned proofs; /* that the broker is old, in a row */
	struct kl_versions versions;
	struct kl_auth auth;
	/* The last attempt failed in a way that the next one will, too, at this time: see
	 * kl_auth_is_refusal(). KL_NEVER = it did not. */
	int64_t refused_at;

	struct kl_list waiting;   /* until ready */
	struct kl_list in_flight; /* in order of sending */
	unsigned waiting_count, in_flight_count;
	struct kl_hook send_hook;
	int32_t next_correlation;
	/* Requests without an answer (acks=0) that were put on the connection, and how many of
	 * them the broker has read for sure: it answered one that came behind them. */
	uint64_t silent_sent, silent_read;
	struct kl_arena arena; /* the answer being handled */
	struct klamm_error last_error; /* of the last failed attempt */
	/* Of a node that is not the cluster's: told instead of the client. NULL = none is. */
	void (*changed)(struct kl_node *node, const struct klamm_error *err);
	void *user;    /* its client's, for the length of a round */
	unsigned busy; /* its client's: requests of the kind that it counts */
};

int kl_node_init(struct kl_node *node, struct kl_nodes *nodes, int32_t id, const char *host,
		 uint16_t port, struct klamm_error *err);
/* Closes; every request ends with why. Never from inside a request's done(). */
void kl_node_free(struct kl_node *node, const struct klamm_error *why);

/* Whom to reach. */
static inline const char *kl_node_name(const struct kl_node *node)
{
	return node->canonical != NULL ? node->canonical : node->host;
}

/* Begin to connect, unless that is under way, done, or has to wait for its backoff. true: the
 * node is ready for requests. */
bool kl_node_connect(struct kl_node *node);
static inline bool kl_node_is_ready(const struct kl_node *node)
{
	return node->state == KL_NODE_READY && node->muted_until <= node->nodes->loop->now;
}
/* Was what waits since then for this node refused? why is last_error. */
static inline bool kl_node_has_refused(const struct kl_node *node, int64_t since)
{
	return node->refused_at != KL_NEVER && node->refused_at >= since;
}
/* Is something under way that gets no answer, and that the broker may not have read? */
static inline bool kl_node_has_unread(const struct kl_node *node)
{
	return node->silent_read < node->silent_sent;
}
/* "connecting", "waiting for an answer": for texts, with its stage; NULL: nothing. */
const char *kl_node_doing(const struct kl_node *node, int32_t *stage_out);
/* May a connection be tried now? */
bool kl_node_may_connect(const struct kl_node *node);
/* When a node that is not ready may be asked again; KL_NEVER: it tells its client. */
int64_t kl_node_next_time(const struct kl_node *node);

/* Send now, or as soon as there is a connection; a failed attempt to connect fails every
 * waiting request. done() is never called from inside this call. */
void kl_node_request(struct kl_node *node, struct kl_request *request);
/* Take a request back that is waiting or in flight; done() is not called. One in flight costs
 * the connection: its memory is being sent, or its answer would be taken for another's. */
void kl_node_cancel(struct kl_node *node, struct kl_request *request);

/* Close the connection with everything on it, as after a broken answer. */
void kl_node_disconnect(struct kl_node *node, const struct klamm_error *err);

/* Close a connection that is not needed now, without a word to anybody. */
void kl_node_rest(struct kl_node *node);

/* Version of an API that would be used; -1: the broker does not have it or is not ready. */
int kl_node_version(const struct kl_node *node, enum kl_api api, int max_version);

#endif
