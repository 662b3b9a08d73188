/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of a node: node.c is its life, node_connect.c its way to a connection
 * that is ready, node_old.c brokers that cannot be asked for versions, node_request.c what is
 * sent. Loop only. */
#ifndef KL_NODE_INT_H
#define KL_NODE_INT_H

#include "core/broker/node.h"

static inline struct kl_os *kl_node_os(const struct kl_node *node)
{
	return node->nodes->loop->os;
}

static inline int64_t kl_node_now(const struct kl_node *node)
{
	return node->nodes->loop->now;
}

/* --- node.c --- */
/* To idle, without a word to requests or the client. */
void kl_node_close(struct kl_node *node);
/* Back to idle; everybody hears why. penalty: wait before the next attempt. */
void kl_node_give_up(struct kl_node *node, const struct klamm_error *why, bool penalty);
/* After anything that decides what is due next. */
void kl_node_set_timer(struct kl_node *node);

/* --- node_connect.c --- */
/* A request of the node's own, before others may be sent. */
void kl_node_send_own(struct kl_node *node, struct kl_request *request, enum kl_api api,
		      int version, const void *body);
/* Its versions are known: who we are comes next, or requests may go. */
void kl_node_know_versions(struct kl_node *node);
/* The exchange of auth.c has succeeded: requests may go. */
void kl_node_authenticated(struct kl_node *node);
/* A broker that works, at last: from now on failures are counted anew. */
void kl_node_works(struct kl_node *node);
int64_t kl_node_setup_timeout(const struct kl_node *node);
/* The attempt under way took too long: the next address, or give up. */
void kl_node_setup_late(struct kl_node *node);

/* --- node_old.c --- */
/* klamm.broker.version says that there is no ApiVersions to ask for. */
bool kl_node_knows_release(struct kl_node *node);
/* It is proven: the versions are those of an old broker. */
void kl_node_assume_old(struct kl_node *node);
/* Connected to a broker without ApiVersions. */
bool kl_node_is_old(const struct kl_node *node);
/* Send the request that even the oldest answers. */
void kl_node_probe(struct kl_node *node);
/* If the frame answers that, and not ApiVersions, which went out before, then that one never
 * will be, as Kafka answers in order: it is forgotten. */
void kl_node_pass_over(struct kl_node *node, const uint8_t *p, size_t n);

/* --- node_request.c --- */
/* A request whose version is known, on a connection that is there. Where it cannot be made its
 * done() was called, with the error. */
int kl_node_transmit(struct kl_node *node, struct kl_request *request,
		     struct klamm_error *err);
/* What waited for the connection, as far as it may be sent now. */
void kl_node_send_waiting(struct kl_node *node);
/* An answer. */
void kl_node_on_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n);
/* Every request that is there now ends with this error. */
void kl_node_fail_requests(struct kl_node *node, const struct klamm_error *err);
/* true: one was not answered in time, and the node has been given up. */
bool kl_node_expire_in_flight(struct kl_node *node);
/* Those whose deadline is over before there was a connection. */
void kl_node_expire_waiting(struct kl_node *node);

#endif
