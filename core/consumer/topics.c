/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the cluster there, and which topics are? */
#include "core/base/error.h"
#include "core/broker/reach.h"
#include "core/broker/topic_list.h"
#include "core/consumer/consumer.h"

struct kl_topics_call {
	struct klamm_consumer *c;
	unsigned refusals; /* when it began */
	struct klamm_topic_list *list;
	atomic_bool done; /* list NULL then: out of memory */
};

static void start(void *arg)
{
	struct kl_topics_call *call = arg;
	call->c->topics_call = call;
	kl_cluster_list_once(&call->c->cluster, true);
}

static void end(void *arg)
{
	struct kl_topics_call *call = arg;
	call->c->topics_call = NULL;
	kl_cluster_list_once(&call->c->cluster, false);
}

void kl_topics_listed(struct klamm_consumer *c, const struct kl_metadata_response *body)
{
	struct kl_topics_call *call = c->topics_call;
	if (call == NULL)
		return;
	c->topics_call = NULL;
	call->list = kl_topic_list_make(body, NULL, 0);
	atomic_store(&call->done, true);
	kl_gate_wake(c->os, &c->gate);
}

static bool is_over(void *arg)
{
	const struct kl_topics_call *call = arg;
	return atomic_load(&call->done) ||
	       atomic_load(&call->c->cluster.refusals) != call->refusals;
}

int klamm_consumer_topics(struct klamm_consumer *c, int64_t timeout_ms,
			  struct klamm_topic_list **list_out, struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0)
		return rc;
	struct kl_topics_call call = {.c = c,
				      .refusals = atomic_load(&c->cluster.refusals)};
	kl_loop_call(c->loop, start, &call);
	kl_loop_wait(c->loop, &c->gate, is_over, &call, kl_os_deadline_ms(c->os, timeout_ms));
	struct klamm_error why;
	if (!atomic_load(&call.done))
		kl_cluster_ask_why(&c->cluster, &why, "the list of topics");
	kl_loop_call(c->loop, end, &call);
	if (call.list != NULL) { /* it may have come at last */
		*list_out = call.list;
		return 0;
	}
	if (atomic_load(&call.done))
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for a list of topics");
	return kl_error_copy(err, &why);
}

int klamm_consumer_reach(struct klamm_consumer *c, int64_t timeout_ms, struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0)
		return rc;
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = c->settings->default_api_timeout_ms;
	return kl_cluster_reach(&c->cluster, &c->gate, NULL, NULL,
				kl_os_deadline_ms(c->os, timeout_ms), err);
}
