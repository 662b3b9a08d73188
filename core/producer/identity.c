/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/identity.h"

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/producer/sender.h"

static int64_t now(const struct klamm_producer *p)
{
	return p->loop->now;
}

void kl_identity_init(struct klamm_producer *p)
{
	struct kl_identity *self = &p->identity;
	self->id = self->epoch = -1;
	self->refused_at = KL_NEVER;
}

void kl_identity_free(struct klamm_producer *p)
{
	kl_request_free(&p->identity.request);
}

/* --- asking --- */

/* The broker is older than idempotence, which nobody insisted on: go on without. Nothing was
 * sent yet, so no partition has more than one batch in flight. */
static void do_without(struct klamm_producer *p, const struct klamm_error *why)
{
	kl_log(&p->log, KL_LOG_WARN, "producer",
	       "enable.idempotence is off: %s. A repetition may double records",
	       why->text);
	p->idempotent = false;
	atomic_store(&p->in_flight_max, 1u);
}

static void refuse(struct klamm_producer *p, const struct klamm_error *why)
{
	struct kl_identity *self = &p->identity;
	self->refused_at = now(p);
	self->refusal = *why;
	kl_error_prefix(&self->refusal, "no producer id");
}

static void back_off(struct klamm_producer *p)
{
	struct kl_identity *self = &p->identity;
	const struct kl_settings *s = p->settings;
	self->retry_at = now(p) + kl_backoff(p->os, s->retry_backoff_ms,
					     s->retry_backoff_max_ms, self->failures++);
}

/* A broken connection says nothing about the next one. */
static bool is_final(const struct klamm_error *why, bool answered)
{
	return answered ? !klamm_err_retriable(why->code)
			: why->code == KLAMM_ERR_UNSUPPORTED || kl_auth_is_refusal(why);
}

static void on_failure(struct klamm_producer *p, const struct klamm_error *why, bool answered)
{
	back_off(p);
	if (why->code == KLAMM_ERR_UNSUPPORTED && !p->settings->enable_idempotence_asked)
		do_without(p, why);
	else if (is_final(why, answered))
		refuse(p, why);
	kl_log(&p->log, KL_LOG_DEBUG, "producer", "no producer id: %s", why->text);
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct klamm_producer *p =
		kl_container(request, struct klamm_producer, identity.request);
	struct kl_identity *self = &p->identity;
	const struct kl_init_producer_id_response *body = response->body;
	self->asking = false;
	struct klamm_error err;
	if (response->code != 0) {
		on_failure(p, response->err, false);
	} else if (body->error_code != 0) {
		kl_error(&err, body->error_code, "InitProducerId: %s: %s",
			 klamm_err_name(body->error_code),
			 klamm_err_text(body->error_code));
		on_failure(p, &err, true);
	} else if (body->producer_id < 0 || body->producer_epoch < 0) {
		kl_error(&err, KLAMM_ERR_PROTOCOL, "InitProducerId gave id %lld epoch %d",
			 (long long)body->producer_id, body->producer_epoch);
		on_failure(p, &err, true);
	} else {
		self->id = body->producer_id;
		self->epoch = body->producer_epoch;
		self->failures = 0;
		self->refused_at = KL_NEVER;
		kl_log(&p->log, KL_LOG_DEBUG, "producer", "producer id %lld epoch %d",
		       (long long)self->id, self->epoch);
	}
	kl_sender_unpark(p);
}

static void ask(struct klamm_producer *p, struct kl_node *node)
{
	struct kl_identity *self = &p->identity;
	kl_msg_init(&kl_msg_init_producer_id_request, &self->body);
	self->body.transactional_id = KL_STR_NULL;
	self->body.transaction_timeout_ms = INT32_MAX; /* as Java says: there is none */
	self->body.producer_id = -1;
	self->body.producer_epoch = -1;
	self->request.api = KL_API_INIT_PRODUCER_ID;
	self->request.max_version = -1;
	self->request.body = &self->body;
	self->request.deadline = KL_NEVER;
	self->request.done = on_answer;
	self->asking = true;
	kl_node_request(node, &self->request);
}

bool kl_identity_ready(struct klamm_producer *p, int64_t *again_out)
{
	struct kl_identity *self = &p->identity;
	*again_out = KL_NEVER;
	if (self->id >= 0)
		return true;
	if (self->asking || kl_producer_is_transactional(p))
		return false;
	if (self->retry_at > now(p)) {
		*again_out = self->retry_at;
		return false;
	}
	struct kl_node *node = kl_cluster_any_node(&p->cluster);
	if (node == NULL) /* every address waits for its backoff */
		*again_out = now(p) + kl_max(p->settings->reconnect_backoff_ms,
					     (int64_t)1) * KL_MS / 2;
	else
		ask(p, node);
	return false;
}

void kl_identity_bump(struct klamm_producer *p)
{
	struct kl_identity *self = &p->identity;
	if (self->epoch < INT16_MAX)
		self->epoch++;
	else
		self->id = self->epoch = -1;
	kl_log(&p->log, KL_LOG_DEBUG, "producer", "producer id %lld, now with epoch %d",
	       (long long)self->id, self->epoch);
}
