/* SPDX-License-Identifier: BSD-2-Clause */
/* A consumer's group: who coordinates it, and what its errors mean. */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

static struct klamm_consumer *consumer_of(struct kl_coordinator *coordinator)
{
	return kl_container(coordinator, struct klamm_consumer, group.coordinator);
}

/* --- errors --- */

bool kl_group_is_elsewhere(int code)
{
	return code == KLAMM_ERR_NOT_COORDINATOR ||
	       code == KLAMM_ERR_COORDINATOR_NOT_AVAILABLE ||
	       code == KLAMM_ERR_REQUEST_TIMED_OUT;
}

bool kl_group_is_for_members(int code)
{
	return code == KLAMM_ERR_UNKNOWN_MEMBER_ID || code == KLAMM_ERR_ILLEGAL_GENERATION ||
	       code == KLAMM_ERR_REBALANCE_IN_PROGRESS ||
	       code == KLAMM_ERR_STALE_MEMBER_EPOCH;
}

int kl_group_error(const struct klamm_consumer *c, int code, const char *what,
		   struct klamm_error *err)
{
	const char *text = klamm_err_text(code);
	if (kl_group_is_for_members(code) && c->group.membership.subscribed)
		text = "the group has rebalanced without this consumer, or is about to: its "
		       "next poll() joins again";
	else if (kl_group_is_for_members(code))
		text = "the group has members, which this consumer is none of, as it assigns "
		       "its partitions itself: use another group.id";
	return kl_error(err, code, "group %.100s: %s: %s: %s", c->group.id, what,
			klamm_err_name(code), text);
}

int kl_group_check(const struct klamm_consumer *c, bool waits, const char *what,
		   struct klamm_error *err)
{
	int rc = kl_consumer_check(c, waits, err);
	if (rc != 0 || c->group.id != NULL)
		return rc;
	return kl_error(err, KLAMM_ERR_INVALID_GROUP_ID,
			"%s needs a group, and group.id is not set", what);
}

int64_t kl_group_deadline(const struct klamm_consumer *c, int64_t timeout_ms)
{
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = c->settings->default_api_timeout_ms;
	return kl_os_deadline_ms(c->os, timeout_ms);
}

void kl_group_tell(struct klamm_consumer *c, const struct klamm_error *err)
{
	bool refused = kl_auth_is_refusal(err);
	if (refused ? c->told_refusal : c->group.told_error == err->code)
		return;
	c->told_refusal |= refused; /* other brokers will say the same */
	c->group.told_error = err->code;
	kl_results_error(c, NULL, err);
}

/* --- the coordinator --- */

struct kl_node *kl_group_node(struct klamm_consumer *c)
{
	const struct kl_membership *m = &c->group.membership;
	/* The connection that data takes: what a member keeps while the others join has to be
	 * committed, or whoever commits before it polls again stands still with them. */
	if (m->ops != NULL && m->ops->holds_connection(m))
		return kl_cluster_node(&c->cluster, c->group.coordinator.node.id);
	return kl_coordinator_node(&c->group.coordinator);
}

static void on_ready(struct kl_coordinator *coordinator)
{
	struct klamm_consumer *c = consumer_of(coordinator);
	kl_hook_add(c->loop, &c->round_hook);
}

static void on_failed(struct kl_coordinator *coordinator, const struct klamm_error *err)
{
	struct klamm_consumer *c = consumer_of(coordinator);
	kl_commits_fail(c, err);
	kl_committed_fail(c, err);
	if (c->group.membership.ops != NULL)
		c->group.membership.ops->failed(&c->group.membership, err);
}

static const struct kl_coordinator_ops ops = {.ready = on_ready, .failed = on_failed};

int kl_group_start(struct klamm_consumer *c, struct klamm_error *err)
{
	struct kl_group *g = &c->group;
	struct kl_list *const lists[] = {&g->incoming, &g->ended,  &g->commits,
					 &g->sending,  &g->asks, &g->asking};
	for (size_t i = 0; i < kl_countof(lists); i++)
		kl_list_init(lists[i]);
	g->auto_at = KL_NEVER;
	g->id = c->settings->group_id;
	kl_membership_init(&g->membership);
	if (g->id == NULL)
		return 0;
	if (c->settings->enable_auto_commit)
		g->auto_at = c->loop->now + c->settings->auto_commit_interval_ms * KL_MS;
	int rc = kl_coordinator_init(&g->coordinator, &c->cluster, KL_COORDINATOR_GROUP, g->id,
				     &ops, err);
	g->made = rc == 0;
	return rc;
}

void kl_group_round(struct klamm_consumer *c, int64_t *when)
{
	if (!c->group.made)
		return;
	kl_membership_round(&c->group.membership, when);
	kl_commits_round(c, when);
	kl_committed_round(c, when);
}

/* What went over the connection that data takes; the coordinator's own ends with that. */
static void cancel_elsewhere(struct kl_group *g, struct kl_request *request)
{
	if (request->node != NULL && request->node != &g->coordinator.node)
		kl_node_cancel(request->node, request);
}

void kl_group_stop(struct klamm_consumer *c)
{
	struct kl_group *g = &c->group;
	if (!g->made)
		return;
	struct klamm_error closed;
	kl_error(&closed, KLAMM_ERR_CLOSED, "group %.100s: the consumer was closed", g->id);
	kl_membership_stop(&g->membership);
	cancel_elsewhere(g, &g->commit_request);
	cancel_elsewhere(g, &g->fetch_request);
	kl_coordinator_free(&g->coordinator); /* ends the requests */
	kl_commits_fail(c, &closed);
	kl_committed_fail(c, &closed);
	kl_request_free(&g->commit_request);
	kl_request_free(&g->fetch_request);
	kl_arena_free(&g->commit_arena);
	kl_arena_free(&g->fetch_arena);
	free(g->sent_id);
}
