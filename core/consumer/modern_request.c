/* SPDX-License-Identifier: BSD-2-Clause */
/* Heartbeats of a member of a group of KIP-848: sent, and their answers heard. */
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/consumer.h"
#include "core/consumer/modern_member.h"

int64_t kl_modern_later(const struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	return c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
					 c->settings->retry_backoff_max_ms,
					 k->machine.failures);
}

static const struct kl_modern_facts *facts(struct kl_modern_member *k)
{
	const struct klamm_consumer *c = kl_modern_consumer(k);
	const struct kl_settings *s = c->settings;
	k->facts = (struct kl_modern_facts){
		.group_id = c->group.id,
		.instance_id = kl_membership_instance(k->m),
		.rack = s->client_rack != NULL && s->client_rack[0] != '\0' ? s->client_rack
									    : NULL,
		.assignor = s->group_remote_assignor,
		.rebalance_timeout_ms = s->max_poll_interval_ms,
		.topics = k->m->topics.v,
		.topic_count = k->m->topics.n,
		.regex = k->m->regex,
		.subscription = k->m->version,
	};
	return &k->facts;
}

/* false: out of memory. */
static bool prepare(struct kl_modern_member *k, struct kl_modern_call *call)
{
	kl_arena_reset(&call->arena);
	call->request.body = kl_modern_body(&k->machine, facts(k), &call->arena);
	call->request.api = KL_API_CONSUMER_GROUP_HEARTBEAT;
	call->request.min_version = k->m->regex != NULL ? 1 : 0; /* which can name a pattern */
	call->request.max_version = -1;
	call->request.deadline = KL_NEVER;
	return call->request.body != NULL;
}

/* The code, with k->err as the machine wants it; 0: it is a good answer. */
static int read_code(struct kl_modern_member *k, const struct kl_response *response)
{
	const struct kl_consumer_group_heartbeat_response *body = response->body;
	if (response->code != 0)
		return kl_error_copy(&k->err, response->err);
	if (body->error_code == 0)
		return 0;
	return kl_error(&k->err, body->error_code, "%.*s",
			(int)kl_max(body->error_message.len, 0), body->error_message.p ?: "");
}

static void count(struct kl_modern_member *k, const struct kl_response *response)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	if (response->code == 0)
		kl_group_count(c, KL_COORD_HEARTBEAT, response->latency_us, c->loop->now);
}

static void on_beat_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_modern_call *call = kl_container(request, struct kl_modern_call, request);
	struct kl_modern_member *k = kl_container(call, struct kl_modern_member, beat);
	struct klamm_consumer *c = kl_modern_consumer(k);
	call->under_way = false;
	if (c->stopping)
		return;
	count(k, response);
	if (read_code(k, response) == 0) {
		c->group.told_error = 0;
		kl_modern_act(k, kl_modern_answered(&k->machine, c->loop->now,
						    response->body));
	} else if (kl_auth_is_refusal(&k->err)) {
		kl_modern_unanswered(&k->machine, kl_modern_later(k));
		kl_group_tell(c, &k->err);
	} else {
		if (response->code == 0)
			kl_group_count_failure(c);
		kl_modern_act(k, kl_modern_failed(&k->machine, facts(k), kl_modern_later(k),
						  &k->err));
		kl_log(&c->log, KL_LOG_INFO, "group", "%s", k->err.text);
	}
	kl_membership_changed(k->m);
}

void kl_modern_send(struct kl_modern_member *k, int64_t *when)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	int64_t due = kl_modern_due(&k->machine);
	if (k->m->pattern != NULL && !k->m->listed)
		return; /* what it matches is not known yet */
	if (due > c->loop->now) {
		*when = kl_min(*when, due);
		return;
	}
	struct kl_node *node = kl_coordinator_node(&c->group.coordinator);
	if (node == NULL)
		return;
	if (!prepare(k, &k->beat)) {
		kl_modern_unanswered(&k->machine, kl_modern_later(k));
		*when = kl_min(*when, kl_modern_due(&k->machine));
		return;
	}
	k->beat.request.done = on_beat_answer;
	k->beat.under_way = true;
	kl_group_count_beat(c);
	kl_modern_act(k, kl_modern_sent(&k->machine, c->loop->now));
	kl_node_request(node, &k->beat.request);
}

static void on_last_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_modern_call *call = kl_container(request, struct kl_modern_call, request);
	struct kl_modern_member *k = kl_container(call, struct kl_modern_member, last);
	struct klamm_consumer *c = kl_modern_consumer(k);
	struct klamm_error before = k->err;
	call->under_way = false;
	count(k, response);
	if (!c->stopping && read_code(k, response) != 0)
		kl_log(&c->log, KL_LOG_INFO, "group", "group %s: leaving: %s: %s",
		       c->group.id, klamm_err_name(k->err.code), k->err.text);
	k->err = before;
	kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_LEFT));
}

/* Whatever is answered, it has left: the coordinator would find out by itself. */
void kl_modern_send_last(struct kl_modern_member *k)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	bool stays = k->m->end == KLAMM_MEMBERSHIP_REMAIN && !k->machine.is_static;
	struct kl_node *node = stays || k->last.under_way
				       ? NULL
				       : kl_coordinator_node(&c->group.coordinator);
	if (node == NULL || !prepare(k, &k->last)) {
		kl_modern_act(k, kl_modern_on(&k->machine, KL_MODERN_ON_UNSENT));
		return;
	}
	k->last.request.done = on_last_answer;
	k->last.under_way = true;
	kl_group_count_beat(c);
	atomic_store(&k->m->parting, !k->machine.late);
	kl_modern_act(k, kl_modern_sent(&k->machine, c->loop->now));
	kl_node_request(node, &k->last.request);
}
