/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/coordinator.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"

static int64_t now(const struct kl_coordinator *c)
{
	return c->cluster->nodes.loop->now;
}

static bool is_group(const struct kl_coordinator *c)
{
	return c->type == KL_COORDINATOR_GROUP;
}

/* "group orders", "transactional id billing-1". */
static void name_it(const struct kl_coordinator *c, struct klamm_error *err)
{
	kl_error_prefix(err, "%s %.100s", is_group(c) ? "group" : "transactional id", c->key);
}

static int64_t backoff(struct kl_coordinator *c)
{
	const struct kl_settings *s = c->cluster->settings;
	return kl_backoff(c->cluster->nodes.loop->os, s->retry_backoff_ms,
			  s->retry_backoff_max_ms, c->failures++);
}

/* --- how a look-up ends --- */

static void give_up(struct kl_coordinator *c, const struct klamm_error *why)
{
	struct klamm_error err = *why;
	c->state = KL_COORDINATOR_UNKNOWN;
	c->next_at = now(c) + backoff(c);
	c->last_error = err;
	kl_log(&c->cluster->nodes.log, KL_LOG_WARN, "coordinator", "%s", err.text);
	c->ops->failed(c, &err);
}

static void try_again(struct kl_coordinator *c, const struct klamm_error *why)
{
	c->last_error = *why;
	c->next_at = now(c) + backoff(c);
	kl_log(&c->cluster->nodes.log, KL_LOG_DEBUG, "coordinator", "%s", why->text);
	kl_timer_set(c->cluster->nodes.loop, &c->timer, c->next_at);
}

static void judge(struct kl_coordinator *c, struct klamm_error *err)
{
	name_it(c, err);
	if (klamm_err_retriable(err->code))
		try_again(c, err);
	else
		give_up(c, err);
}

static void drop_node(struct kl_coordinator *c, const struct klamm_error *why)
{
	if (!c->node_made)
		return;
	c->node_made = false;
	kl_node_free(&c->node, why);
}

static void node_changed(struct kl_node *node, const struct klamm_error *err)
{
	struct kl_coordinator *c = kl_container(node, struct kl_coordinator, node);
	if (err != NULL)
		kl_coordinator_lost(c, err);
	else
		kl_error_clear(&c->last_error);
}

static bool is_same(const struct kl_coordinator *c, int32_t id, const char *host,
		    uint16_t port)
{
	return c->node_made && c->node.id == id && c->node.port == port &&
	       strcmp(c->node.host, host) == 0;
}

/* What others have asked of the same broker goes on. */
static int change_node(struct kl_coordinator *c, int32_t id, const char *host, uint16_t port,
		       struct klamm_error *err)
{
	if (is_same(c, id, host, port))
		return 0;
	struct klamm_error moved;
	kl_error(&moved, KLAMM_ERR_DISCONNECTED, "its coordinator is another broker now");
	name_it(c, &moved);
	drop_node(c, &moved);
	int rc = kl_node_init(&c->node, &c->cluster->nodes, id, host, port, err);
	if (rc != 0)
		return rc;
	c->node_made = true;
	c->node.changed = node_changed;
	char number[16] = "";
	if (id >= 0)
		snprintf(number, sizeof(number), "%d ", id);
	snprintf(c->node.where, sizeof(c->node.where), "%s coordinator %s(%.50s:%u)",
		 is_group(c) ? "group" : "transaction", number, host, port);
	return 0;
}

static void found(struct kl_coordinator *c, int32_t id, const char *host, uint16_t port)
{
	struct klamm_error err;
	if (change_node(c, id, host, port, &err) != 0) {
		name_it(c, &err);
		try_again(c, &err); /* memory may come back */
		return;
	}
	kl_log(&c->cluster->nodes.log, KL_LOG_INFO, c->node.where, "coordinates %s", c->key);
	c->state = KL_COORDINATOR_KNOWN;
	c->found_at = now(c);
	kl_node_connect(&c->node);
	c->ops->ready(c);
}

/* --- FindCoordinator --- */

/* The part of the answer that is about the key, in its newest form; NULL: none is. */
static const struct kl_find_coordinator_response_coordinator *
read_answer(const struct kl_coordinator *c, const struct kl_response *response,
	    struct kl_find_coordinator_response_coordinator *old)
{
	const struct kl_find_coordinator_response *body = response->body;
	if (response->version < 4) {
		*old = (struct kl_find_coordinator_response_coordinator){
			.node_id = body->node_id,
			.host = body->host,
			.port = body->port,
			.error_code = body->error_code,
			.error_message = body->error_message,
		};
		return old;
	}
	for (int32_t i = 0; i < body->coordinators_n; i++)
		if (kl_str_is(body->coordinators[i].key, c->key))
			return &body->coordinators[i];
	return NULL;
}

static void on_told(struct kl_coordinator *c,
		    const struct kl_find_coordinator_response_coordinator *told)
{
	struct klamm_error err;
	bool named = told->node_id >= 0 && told->host.len > 0 && told->port > 0 &&
		     told->port <= UINT16_MAX;
	int code = told->error_code;
	if (code == 0 && !named)
		code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (code != 0) {
		bool words = told->error_message.len > 0;
		const char *text = words ? told->error_message.p : klamm_err_text(code);
		kl_error(&err, code, "finding its coordinator: %s: %.*s", klamm_err_name(code),
			 words ? told->error_message.len : (int)strlen(text), text);
		err.api = KL_API_FIND_COORDINATOR;
		judge(c, &err);
		return;
	}
	char *host = strndup(told->host.p, (size_t)told->host.len);
	if (host == NULL) {
		kl_error(&err, KLAMM_ERR_NO_MEMORY, "out of memory for a coordinator");
		name_it(c, &err);
		try_again(c, &err);
		return;
	}
	found(c, told->node_id, host, (uint16_t)told->port);
	free(host);
}

/* Kafka 0.8.1 keeps committed offsets in ZooKeeper, and any broker gets at them. */
static bool has_no_coordinators(const struct kl_coordinator *c, const struct kl_node *node)
{
	return is_group(c) && kl_node_version(node, KL_API_FIND_COORDINATOR, -1) < 0 &&
	       kl_node_version(node, KL_API_OFFSET_COMMIT, -1) == 0;
}

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct kl_coordinator *c = kl_container(request, struct kl_coordinator, request);
	struct kl_node *asked = c->asked;
	c->asked = NULL;
	struct klamm_error err;
	if (response->code == KLAMM_ERR_UNSUPPORTED && has_no_coordinators(c, asked)) {
		found(c, asked->id, asked->host, asked->port);
		return;
	}
	if (response->code != 0) {
		err = *response->err;
		judge(c, &err);
		return;
	}
	struct kl_find_coordinator_response_coordinator old;
	const struct kl_find_coordinator_response_coordinator *told =
		read_answer(c, response, &old);
	if (told != NULL) {
		on_told(c, told);
		return;
	}
	kl_error(&err, KLAMM_ERR_PROTOCOL, "%s: the answer to FindCoordinator leaves it out",
		 asked->where);
	judge(c, &err);
}

static const void *make_body(struct kl_request *request, int version)
{
	struct kl_coordinator *c = kl_container(request, struct kl_coordinator, request);
	kl_msg_init(&kl_msg_find_coordinator_request, &c->body);
	c->body_key = kl_str(c->key);
	if (version >= 1)
		c->body.key_type = (int8_t)c->type;
	if (version < 4) {
		c->body.key = c->body_key;
	} else { /* KIP-699 */
		c->body.coordinator_keys = &c->body_key;
		c->body.coordinator_keys_n = 1;
	}
	return &c->body;
}

static void ask(struct kl_coordinator *c, struct kl_node *node)
{
	c->request.api = KL_API_FIND_COORDINATOR;
	c->request.min_version = is_group(c) ? 0 : 1;
	c->request.max_version = -1;
	c->request.prepare = make_body;
	/* Another broker may be quicker than one that throttles or does not let us in. */
	c->request.deadline =
		now(c) + (int64_t)c->cluster->settings->request_timeout_ms * KL_MS;
	c->request.done = on_answer;
	c->asked = node;
	kl_node_request(node, &c->request);
}

/* --- asking for it --- */

static void on_timer(struct kl_timer *timer)
{
	struct kl_coordinator *c = kl_container(timer, struct kl_coordinator, timer);
	struct kl_node *node = kl_cluster_any_node(c->cluster);
	if (node != NULL) {
		ask(c, node);
		return;
	}
	/* Every address is in its backoff, which is at least this long. */
	kl_timer_set(c->cluster->nodes.loop, timer,
		     now(c) + kl_max(c->cluster->settings->reconnect_backoff_ms, (int64_t)1) *
				      KL_MS / 2);
}

struct kl_node *kl_coordinator_node(struct kl_coordinator *c)
{
	if (c->state == KL_COORDINATOR_KNOWN)
		return &c->node;
	if (c->state == KL_COORDINATOR_UNKNOWN) {
		c->state = KL_COORDINATOR_WANTED;
		kl_timer_set(c->cluster->nodes.loop, &c->timer, kl_max(c->next_at, now(c)));
	}
	return NULL;
}

/* One that served for long is looked for at once; one that is named and does not serve, with
 * growing pauses. */
void kl_coordinator_lost(struct kl_coordinator *c, const struct klamm_error *why)
{
	if (c->state != KL_COORDINATOR_KNOWN)
		return;
	c->state = KL_COORDINATOR_UNKNOWN;
	c->last_error = *why;
	kl_log(&c->cluster->nodes.log, KL_LOG_INFO, c->node.where,
	       "does not serve %s any more: %s", c->key, why->text);
	if (now(c) - c->found_at > c->cluster->settings->retry_backoff_max_ms * KL_MS)
		c->failures = 0;
	c->next_at = c->found_at + backoff(c);
}

int kl_coordinator_timed_out(const struct kl_coordinator *c, struct klamm_error *err,
			     const char *what)
{
	const struct klamm_error *last = &c->last_error;
	int32_t stage = last->stage, node = last->node;
	const char *doing = NULL;
	if (last->code == 0 && c->state == KL_COORDINATOR_KNOWN)
		doing = kl_node_doing(&c->node, &stage);
	if (last->code != 0) {
		kl_error(err, KLAMM_ERR_TIMED_OUT, "%s: timed out; last error: %s", what,
			 last->text);
	} else if (doing != NULL) {
		node = c->node.id;
		kl_error(err, KLAMM_ERR_TIMED_OUT, "%s: timed out; %s: %s", what,
			 c->node.where, doing);
	} else {
		return kl_cluster_timed_out(c->cluster, err, what);
	}
	if (err != NULL) {
		err->stage = stage;
		err->node = node;
	}
	return KLAMM_ERR_TIMED_OUT;
}

/* --- making and freeing --- */

int kl_coordinator_init(struct kl_coordinator *c, struct kl_cluster *cluster,
			enum kl_coordinator_type type, const char *key,
			const struct kl_coordinator_ops *ops, struct klamm_error *err)
{
	*c = (struct kl_coordinator){.cluster = cluster, .ops = ops, .type = type};
	c->key = strdup(key);
	if (c->key == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a coordinator");
	int rc = kl_timer_init(cluster->nodes.loop, &c->timer, on_timer, err);
	if (rc != 0)
		free(c->key);
	return rc;
}

void kl_coordinator_free(struct kl_coordinator *c)
{
	struct klamm_error closed;
	kl_error(&closed, KLAMM_ERR_CLOSED, "the client was closed");
	if (c->asked != NULL)
		kl_node_cancel(c->asked, &c->request);
	c->state = KL_COORDINATOR_UNKNOWN;
	drop_node(c, &closed);
	kl_timer_drop(c->cluster->nodes.loop, &c->timer);
	kl_request_free(&c->request);
	free(c->key);
}
