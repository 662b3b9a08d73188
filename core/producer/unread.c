/* SPDX-License-Identifier: BSD-2-Clause */
/* acks=0: have brokers read what was sent to them?
 *
 * A record that nobody acknowledges has its outcome as soon as the kernel has its bytes. When
 * the connection is closed then, the broker may lose what it has not read: an answer to
 * something else that comes too late makes the kernel reset the connection. So who flushes or
 * closes asks on the same connection, and waits for the answer. Kafka handles one request of a
 * connection after the other and does not read the next one before (SocketServer, since 0.8):
 * whatever came before the question is in the log then, or was refused.
 *
 * The question is a Produce without a record, which wants an answer. It may be asked wherever
 * records may be sent, and every release answers it at once.
 */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/producer/producer.h"
#include "core/proto/gen/messages.h"

struct question {
	struct kl_request request;
	struct kl_produce_request body;
	struct kl_list link; /* producer->questions */
	struct klamm_producer *producer;
	uint64_t id;
};

struct wait {
	struct klamm_producer *p;
	uint64_t id; /* of the last question that counts */
	int rc;
	struct klamm_error *err;
};

/* --- the loop --- */

static void on_answer(struct kl_request *request, const struct kl_response *response)
{
	struct question *q = kl_container(request, struct question, request);
	struct klamm_producer *p = q->producer;
	if (response->code != 0)
		kl_log(&p->log, KL_LOG_WARN, "producer",
		       "what was sent last with acks=0 may not be written: %s",
		       response->err->text);
	kl_mutex_lock(&p->mutex);
	kl_list_remove(&q->link);
	kl_mutex_unlock(&p->mutex);
	kl_request_free(&q->request);
	free(q);
	kl_gate_wake(p->os, &p->gate);
}

/* Is there a question behind all that was sent? One that has not left yet will be. */
static bool is_asked(const struct klamm_producer *p, const struct kl_node *node)
{
	kl_list_for(q, &p->questions, struct question, link)
		if (q->request.node == node &&
		    (q->request.version < 0 || q->request.silent_before == node->silent_sent))
			return true;
	return false;
}

static int ask(struct klamm_producer *p, struct kl_node *node, struct klamm_error *err)
{
	struct question *q = calloc(1, sizeof(*q));
	if (q == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory to ask %s whether it has read what was sent",
				node->where);
	kl_msg_init(&kl_msg_produce_request, &q->body);
	q->body.acks = 1;
	q->body.timeout_ms = p->settings->request_timeout_ms;
	q->request = (struct kl_request){.api = KL_API_PRODUCE,
					 .max_version = -1,
					 .body = &q->body,
					 .deadline = KL_NEVER,
					 .done = on_answer};
	q->producer = p;
	q->id = ++p->question_id;
	kl_mutex_lock(&p->mutex);
	kl_list_push(&p->questions, &q->link);
	kl_mutex_unlock(&p->mutex);
	kl_node_request(node, &q->request);
	return 0;
}

static void ask_all(void *arg)
{
	struct wait *wait = arg;
	struct klamm_producer *p = wait->p;
	struct kl_broker *broker, *tmp;
	HASH_ITER(hh, p->cluster.brokers, broker, tmp) {
		struct kl_node *node = &broker->node;
		if (wait->rc == 0 && kl_node_has_unread(node) && !is_asked(p, node))
			wait->rc = ask(p, node, wait->err);
	}
	wait->id = p->question_id;
}

static void explain(void *arg)
{
	struct wait *wait = arg;
	const struct question *oldest =
		kl_list_first(&wait->p->questions, struct question, link);
	if (oldest == NULL || oldest->id > wait->id) {
		wait->rc = 0; /* it was answered just now */
		return;
	}
	const struct kl_node *node = oldest->request.node;
	wait->rc = kl_error(wait->err, KLAMM_ERR_TIMED_OUT,
			    "%s did not say in time that it has read what was sent with "
			    "acks=0: it may not be written",
			    node->where);
	if (wait->err != NULL)
		wait->err->node = node->id;
}

/* --- an application's thread --- */

static bool is_answered(void *arg)
{
	struct wait *wait = arg;
	struct klamm_producer *p = wait->p;
	kl_mutex_lock(&p->mutex);
	const struct question *oldest = kl_list_first(&p->questions, struct question, link);
	bool yes = oldest == NULL || oldest->id > wait->id;
	kl_mutex_unlock(&p->mutex);
	return yes;
}

int kl_unread_wait(struct klamm_producer *p, int64_t deadline, struct klamm_error *err)
{
	if (p->settings->acks != KL_ACKS_NONE)
		return 0;
	struct wait wait = {.p = p, .err = err};
	kl_loop_call(p->loop, ask_all, &wait);
	if (wait.rc != 0)
		return wait.rc;
	kl_loop_wait(p->loop, &p->gate, is_answered, &wait, deadline);
	if (!is_answered(&wait))
		kl_loop_call(p->loop, explain, &wait);
	return wait.rc;
}
