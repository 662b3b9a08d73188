/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics and brokers as Metadata shows them. */
#include <stdlib.h>

#include "core/admin/admin.h"
#include "core/base/error.h"
#include "core/broker/topic_list.h"

struct describe {
	struct kl_call call;
	const char *const *names; /* NULL = every topic */
	size_t count;
	bool no_topics; /* only brokers are wanted */
	bool pick;	/* the answer has topics that nobody asked for */
	int (*build)(struct describe *describe,
		     const struct kl_metadata_response *body);
	void *result;
};

static const void *prepare(struct kl_call *call, int version)
{
	struct describe *d = kl_container(call, struct describe, call);
	struct kl_metadata_request *body = kl_arena_alloc(&call->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_metadata_request, body);
	/* Before version 4 naming a topic creates it where auto.create.topics.enable is
	 * true: there all topics are asked for, and the wanted ones picked out. */
	d->pick = version < 4 && d->count > 0;
	bool all = d->pick || (d->names == NULL && !d->no_topics);
	size_t n = all ? 0 : d->count;
	body->topics = kl_type_new(&kl_type_metadata_request_topic, &call->arena, n);
	if (body->topics == NULL)
		return NULL;
	body->topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		body->topics[i].name = kl_str(d->names[i]);
	if (version >= 4)
		body->allow_auto_topic_creation = false;
	/* All topics are null; in version 0 nothing stands for all. */
	if (all && version >= 1)
		body->topics_n = -1;
	return body;
}

static enum kl_verdict answer(struct kl_call *call, const void *response, int version)
{
	struct describe *d = kl_container(call, struct describe, call);
	const struct kl_metadata_response *body = response;
	if (body->error_code != 0) /* 13+: rebootstrap, which the connection sees to */
		kl_error(&call->err, body->error_code, "%s: %s", call->what,
			 klamm_err_text(body->error_code));
	else if (d->build(d, body) != 0)
		kl_error(&call->err, KLAMM_ERR_NO_MEMORY, "%s: out of memory",
			 call->what);
	return klamm_err_retriable(call->err.code) ? KL_CALL_AGAIN : KL_CALL_DONE;
}

/* --- topics --- */

static int build_topics(struct describe *d, const struct kl_metadata_response *body)
{
	d->result = kl_topic_list_make(body, d->pick ? d->names : NULL, d->count);
	return d->result != NULL ? 0 : KLAMM_ERR_NO_MEMORY;
}

int klamm_admin_describe_topics(struct klamm_admin *admin, const char *const *names,
				size_t count, int64_t timeout_ms,
				struct klamm_topic_list **list_out,
				struct klamm_error *err)
{
	struct describe d = {
		.call =
			{
				.what = "describing topics",
				.api = KL_API_METADATA,
				.prepare = prepare,
				.answer = answer,
			},
		.names = names,
		.count = names != NULL ? count : 0,
		.no_topics = names != NULL && count == 0,
		.build = build_topics,
	};
	for (size_t i = 0; i < d.count; i++)
		if (names[i] == NULL || names[i][0] == '\0')
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"a topic needs a name");
	int rc = kl_admin_call(admin, &d.call, timeout_ms, err);
	if (rc == 0)
		*list_out = d.result;
	return rc;
}

/* --- brokers --- */

struct cluster_result {
	struct klamm_cluster_description cluster; /* first: the application holds this */
	struct kl_arena arena;
};

static int by_id(const void *a, const void *b)
{
	const struct klamm_broker_description *const *x = a, *const *y = b;
	return ((*x)->id > (*y)->id) - ((*x)->id < (*y)->id);
}

/* NULL stays NULL; false: out of memory. */
static bool copy_text(struct kl_arena *arena, struct kl_str text, const char **out)
{
	*out = text.len >= 0 ? kl_arena_text(arena, text.p, (size_t)text.len) : NULL;
	return *out != NULL || text.len < 0;
}

static struct klamm_broker_description *describe_broker(
	struct kl_arena *arena, const struct kl_metadata_response_broker *told)
{
	struct klamm_broker_description *b = kl_arena_alloc(arena, sizeof(*b));
	if (b == NULL)
		return NULL;
	b->id = told->node_id;
	b->port = told->port;
	return copy_text(arena, told->host, &b->host) &&
			       copy_text(arena, told->rack, &b->rack)
		       ? b
		       : NULL;
}

static int build_cluster(struct describe *d, const struct kl_metadata_response *body)
{
	struct cluster_result *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return KLAMM_ERR_NO_MEMORY;
	size_t n = (size_t)kl_max(body->brokers_n, 0);
	const struct klamm_broker_description **brokers =
		kl_arena_array(&r->arena, n, sizeof(*brokers));
	r->cluster.controller = body->controller_id;
	r->cluster.brokers = brokers;
	r->cluster.broker_count = n;
	bool good = brokers != NULL &&
		    copy_text(&r->arena, body->cluster_id, &r->cluster.id);
	for (size_t i = 0; good && i < n; i++)
		good = (brokers[i] = describe_broker(&r->arena, &body->brokers[i])) !=
		       NULL;
	if (!good) {
		klamm_cluster_description_free(&r->cluster);
		return KLAMM_ERR_NO_MEMORY;
	}
	qsort(brokers, n, sizeof(*brokers), by_id);
	d->result = &r->cluster;
	return 0;
}

void klamm_cluster_description_free(struct klamm_cluster_description *cluster)
{
	if (cluster == NULL)
		return;
	struct cluster_result *r =
		kl_container(cluster, struct cluster_result, cluster);
	kl_arena_free(&r->arena);
	free(r);
}

int klamm_admin_describe_cluster(struct klamm_admin *admin, int64_t timeout_ms,
				 struct klamm_cluster_description **cluster_out,
				 struct klamm_error *err)
{
	struct describe d = {
		.call =
			{
				.what = "describing the cluster",
				.api = KL_API_METADATA,
				.prepare = prepare,
				.answer = answer,
			},
		.no_topics = true,
		.build = build_cluster,
	};
	int rc = kl_admin_call(admin, &d.call, timeout_ms, err);
	if (rc == 0)
		*cluster_out = d.result;
	return rc;
}
