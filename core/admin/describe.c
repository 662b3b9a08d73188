/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics, partitions and brokers as Metadata shows them. Everything of one answer is in
 * one arena, which goes with the list that the application got. */
#include <stdlib.h>

#include "core/admin/admin.h"
#include "core/base/error.h"

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

struct topics_result {
	struct klamm_topic_list list; /* first: this is what the application holds */
	struct kl_arena arena;
};

static int by_partition(const void *a, const void *b)
{
	const struct klamm_partition_description *const *x = a, *const *y = b;
	return ((*x)->partition > (*y)->partition) -
	       ((*x)->partition < (*y)->partition);
}

static int by_name(const void *a, const void *b)
{
	const struct klamm_topic_description *const *x = a, *const *y = b;
	return strcmp((*x)->name, (*y)->name);
}

static const int32_t *copy_ids(struct kl_arena *arena, const int32_t *ids, int32_t n,
			       size_t *count_out)
{
	*count_out = (size_t)kl_max(n, 0);
	int32_t *copy = kl_arena_array(arena, *count_out, sizeof(*copy));
	if (copy != NULL && *count_out > 0)
		memcpy(copy, ids, *count_out * sizeof(*copy));
	return copy;
}

static struct klamm_partition_description *describe_partition(
	struct kl_arena *arena, const struct kl_metadata_response_partition *told)
{
	struct klamm_partition_description *p = kl_arena_alloc(arena, sizeof(*p));
	if (p == NULL)
		return NULL;
	p->partition = told->partition_index;
	p->error = told->error_code;
	p->leader = told->leader_id;
	p->leader_epoch = told->leader_epoch;
	p->replicas = copy_ids(arena, told->replica_nodes, told->replica_nodes_n,
			       &p->replica_count);
	p->in_sync =
		copy_ids(arena, told->isr_nodes, told->isr_nodes_n, &p->in_sync_count);
	p->offline = copy_ids(arena, told->offline_replicas, told->offline_replicas_n,
			      &p->offline_count);
	return p->replicas && p->in_sync && p->offline ? p : NULL;
}

static struct klamm_topic_description *describe_topic(
	struct kl_arena *arena, const struct kl_metadata_response_topic *told)
{
	size_t n = (size_t)kl_max(told->partitions_n, 0);
	struct klamm_topic_description *t = kl_arena_alloc(arena, sizeof(*t));
	const struct klamm_partition_description **partitions =
		kl_arena_array(arena, n, sizeof(*partitions));
	if (t == NULL || partitions == NULL)
		return NULL;
	t->name = kl_arena_text(arena, told->name.p, (size_t)kl_max(told->name.len, 0));
	t->error = told->error_code;
	t->internal = told->is_internal;
	t->id = told->topic_id;
	t->partitions = partitions;
	t->partition_count = n;
	for (size_t i = 0; i < n; i++)
		if ((partitions[i] = describe_partition(arena, &told->partitions[i])) ==
		    NULL)
			return NULL;
	qsort(partitions, n, sizeof(*partitions), by_partition);
	return t->name != NULL ? t : NULL;
}

static const struct kl_metadata_response_topic *find_told(
	const struct kl_metadata_response *body, const char *name)
{
	for (int32_t i = 0; i < body->topics_n; i++)
		if (kl_str_is(body->topics[i].name, name))
			return &body->topics[i];
	return NULL;
}

/* The named topics of an answer that has all. */
static bool pick_topics(struct describe *d, const struct kl_metadata_response *body,
			struct kl_arena *arena,
			const struct klamm_topic_description **topics)
{
	for (size_t i = 0; i < d->count; i++) {
		const struct kl_metadata_response_topic *told =
			find_told(body, d->names[i]);
		struct kl_metadata_response_topic missing = {
			.name = kl_str(d->names[i]),
			.error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
		};
		topics[i] = describe_topic(arena, told != NULL ? told : &missing);
		if (topics[i] == NULL)
			return false;
	}
	return true;
}

static bool copy_topics(const struct kl_metadata_response *body, struct kl_arena *arena,
			const struct klamm_topic_description **topics)
{
	for (int32_t i = 0; i < body->topics_n; i++)
		if ((topics[i] = describe_topic(arena, &body->topics[i])) == NULL)
			return false;
	return true;
}

static int build_topics(struct describe *d, const struct kl_metadata_response *body)
{
	struct topics_result *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return KLAMM_ERR_NO_MEMORY;
	size_t n = d->pick ? d->count : (size_t)kl_max(body->topics_n, 0);
	const struct klamm_topic_description **topics =
		kl_arena_array(&r->arena, n, sizeof(*topics));
	r->list.topics = topics;
	r->list.count = n;
	if (topics == NULL || !(d->pick ? pick_topics(d, body, &r->arena, topics)
					: copy_topics(body, &r->arena, topics))) {
		klamm_topic_list_free(&r->list);
		return KLAMM_ERR_NO_MEMORY;
	}
	qsort(topics, n, sizeof(*topics), by_name);
	d->result = &r->list;
	return 0;
}

void klamm_topic_list_free(struct klamm_topic_list *list)
{
	if (list == NULL)
		return;
	struct topics_result *r = kl_container(list, struct topics_result, list);
	kl_arena_free(&r->arena);
	free(r);
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
	struct klamm_cluster_description cluster; /* first, as above */
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
