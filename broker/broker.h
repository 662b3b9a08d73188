/* SPDX-License-Identifier: BSD-2-Clause */
/* The dev broker: its nodes, what they share, and the connections of each. All of it lives in
 * one loop. */
#ifndef KL_DEV_BROKER_H
#define KL_DEV_BROKER_H

#include <klamm/broker.h>

#include "broker/settings.h"
#include "broker/topics.h"
#include "core/net/conn.h"
#include "core/base/text.h"
#include "core/proto/gen/api.h"

struct kl_dev_codecs;
struct kl_dev_fetch_session;
struct kl_dev_compaction;
struct kl_dev_null;
struct kl_dev_sasl;
struct kl_dev_txn;
struct kl_dev_group;
struct kl_dev_pending;

/* One virtual broker: a listener and its connections. */
struct kl_dev_node {
	struct klamm_broker *broker;
	int32_t id;
	uint16_t port;
	struct kl_str rack; /* null = none */
	struct kl_watch listener; /* sock NULL: it is stopped */
	struct kl_timer again;    /* accept again, after descriptors ran out */
	struct kl_list conns;
	int32_t conn_count;
	bool is_full; /* max.connections: who comes waits until another one goes */
	struct {
		struct kl_dev_fetch_session *by_id;
		struct kl_list used; /* longest unused first */
	} fetch; /* see fetch_sessions.h */
};

/* NULL: a data directory may name nodes that there are not, and is then closed again. */
static inline bool kl_dev_node_runs(const struct kl_dev_node *node)
{
	return node != NULL && node->listener.sock != NULL;
}

struct klamm_broker {
	struct klamm_loop *loop;
	bool own_loop;
	struct klamm_broker_options options; /* the defaults filled in; no borrowed texts */
	char *listen_host, *host;            /* to bind, to tell clients */
	char *address;
	char *data_dir, *racks; /* of the options */
	struct klamm_uuid cluster_uuid;
	char cluster_id[KL_UUID_TEXT];
	struct kl_dev_node *nodes; /* options.nodes of them, node i has id i + 1 */
	struct kl_slab_pool *frames; /* requests as they come in */
	struct kl_slab_pool *chunks; /* of the logs */
	struct kl_dev_store *store; /* NULL: everything is in memory */
	bool is_open;               /* all that is in it was read */
	struct kl_dev_topics topics;
	struct kl_dev_null *null; /* NULL: records are kept */
	struct kl_dev_sasl *sasl; /* NULL: clients are not asked who they are */
	struct kl_tls *tls;       /* NULL: bytes go as they are */
	int64_t next_producer_id, producer_id_limit; /* those below are spoken for */

	struct kl_list idle_calls; /* for the next requests */
	unsigned idle_call_count;
	struct kl_list dead_conns; /* freed by bury, when nobody is inside them */
	struct kl_task bury;
	struct kl_timer retention;
	struct kl_dev_compaction *compaction;
	struct kl_dev_codecs *codecs; /* NULL: no batch had to be opened */
	struct kl_timer sweep; /* closes connections that nobody uses */
	struct kl_dev_limits limits;
	struct {
		struct kl_timer producers, offsets;
	} expiry;
	struct {
		struct kl_dev_txn *by_id;
		struct kl_list ending; /* struct kl_dev_txn: between PREPARE and COMPLETE */
		struct kl_hook step;
		struct kl_timer retry, late, old;
	} txns; /* see txns.h */
	struct {
		struct kl_dev_group *by_id;
		struct kl_list storing; /* struct kl_dev_classic */
		struct kl_hook step;
		size_t bytes; /* that their members take */
	} groups; /* see groups.h */
	struct {
		struct kl_dev_pending *pending;
	} offsets; /* see offsets.h */

	size_t fetch_parts; /* partitions in the fetch sessions of all nodes */
	struct kl_list faults;
	int32_t last_fault;
	int64_t requests[KL_API_COUNT];
	struct {
		int16_t min, max;
	} served[KL_API_COUNT]; /* versions of each API */
};

/* NULL: there is no such node. */
struct kl_dev_node *kl_dev_node(struct klamm_broker *broker, int32_t id);
/* The running node with the lowest id, NULL = none. */
struct kl_dev_node *kl_dev_controller(struct klamm_broker *broker);
/* FORKED: this is a child, and its loop the parent's. For what a program calls. */
int kl_dev_check_fork(const struct klamm_broker *broker, struct klamm_error *err);
struct kl_str kl_dev_node_host(const struct kl_dev_node *node);

/* 0 or a negative errno. */
int kl_dev_node_listen(struct kl_dev_node *node);
void kl_dev_node_close(struct kl_dev_node *node, bool reset);
void kl_dev_node_left(struct kl_dev_node *node); /* one connection fewer */

/* --- conn.c --- */

void kl_dev_conn_accept(struct kl_dev_node *node, struct kl_sock *sock,
			const struct kl_addr *peer);
void kl_dev_conns_close(struct kl_dev_node *node, bool reset);
/* Close connections without traffic, and free what the others do not need. */
void kl_dev_conns_sweep(struct kl_dev_node *node);
void kl_dev_conns_bury(struct kl_task *task);

#endif
