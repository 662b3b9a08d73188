/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeTopicPartitions 0 (KIP-966): topics in the order of their names, page by page. */
#include <stdlib.h>

#include "broker/coordinators.h"

/* Kafka's max.request.partition.size.limit. */
#define PAGE_MAX 2000

struct describe {
	struct kl_dev_call *call;
	const struct kl_describe_topic_partitions_request *request;
	struct kl_describe_topic_partitions_response response;
	int32_t left; /* partitions that the page may still take */
};

static int compare(struct kl_str a, struct kl_str b)
{
	int rc = memcmp(a.p ?: "", b.p ?: "", (size_t)kl_max(0, kl_min(a.len, b.len)));
	return rc != 0 ? rc : (a.len > b.len) - (a.len < b.len);
}

static int by_name(const void *a, const void *b)
{
	return compare(*(const struct kl_str *)a, *(const struct kl_str *)b);
}

static bool is_behind_cursor(const struct describe *d, struct kl_str name)
{
	return d->request->cursor == NULL ||
	       compare(name, d->request->cursor->topic_name) >= 0;
}

/* The names asked for, or all, sorted; those before the cursor were told before. */
static struct kl_str *names_of(struct describe *d, size_t *n_out)
{
	struct klamm_broker *broker = d->call->broker;
	bool all = d->request->topics_n <= 0;
	size_t max =
		all ? HASH_CNT(hh, broker->topics.by_name) : (size_t)d->request->topics_n;
	struct kl_str *names = kl_arena_array(&d->call->arena, max, sizeof(*names));
	size_t n = 0;
	if (names == NULL)
		return NULL;
	for (size_t i = 0; i < max && !all; i++)
		if (is_behind_cursor(d, d->request->topics[i].name))
			names[n++] = d->request->topics[i].name;
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		if (all && is_behind_cursor(d, kl_dev_topic_name(topic)))
			names[n++] = kl_dev_topic_name(topic);
	}
	if (n > 0)
		qsort(names, n, sizeof(*names), by_name);
	*n_out = n;
	return names;
}

static bool put_partition(struct describe *d, const struct kl_dev_partition *partition,
			  struct kl_describe_topic_partitions_response_partition *out)
{
	struct kl_dev_replicas replicas;
	if (!kl_dev_call_replicas(d->call, partition, &replicas))
		return false;
	out->partition_index = partition->index;
	out->leader_id = partition->leader;
	out->leader_epoch = partition->leader_epoch;
	out->error_code = (int16_t)kl_dev_topic_error(
		d->call, kl_dev_topic_name(partition->topic), partition->index);
	if (out->error_code == 0 && partition->leader < 0)
		out->error_code = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	out->replica_nodes = replicas.all;
	out->replica_nodes_n = replicas.count;
	out->isr_nodes = replicas.in_sync;
	out->isr_nodes_n = replicas.in_sync_count;
	out->eligible_leader_replicas_n = out->last_known_elr_n = 0;
	out->offline_replicas = replicas.offline;
	out->offline_replicas_n = replicas.offline_count;
	return true;
}

static bool put_cursor(struct describe *d, struct kl_str name, int32_t partition)
{
	struct kl_describe_topic_partitions_response_cursor *cursor = kl_type_new(
		&kl_type_describe_topic_partitions_response_cursor, &d->call->arena, 1);
	if (cursor == NULL)
		return false;
	cursor->topic_name = name;
	cursor->partition_index = partition;
	d->response.next_cursor = cursor;
	return true;
}

static bool put_topic(struct describe *d, struct kl_str name)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(d->call->broker, name);
	if (d->left == 0)
		return put_cursor(d, name, 0);
	struct kl_describe_topic_partitions_response_topic *out =
		&d->response.topics[d->response.topics_n++];
	out->name = name;
	out->is_internal = kl_dev_topic_is_internal(name);
	out->topic_authorized_operations = KL_DEV_TOPIC_OPERATIONS;
	int error = kl_dev_topic_error(d->call, name, -1);
	if (error == 0)
		error = kl_dev_topic_check_name(name, NULL);
	if (error == 0 && topic == NULL)
		error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	out->topic_id = topic->id;
	const struct kl_describe_topic_partitions_request_cursor *cursor =
		d->request->cursor;
	int32_t first = cursor != NULL && kl_str_equal(cursor->topic_name, name)
				? kl_min(cursor->partition_index, topic->partition_count)
				: 0;
	int32_t n = kl_min(d->left, topic->partition_count - first);
	out->partitions =
		kl_type_new(&kl_type_describe_topic_partitions_response_partition,
			    &d->call->arena, (size_t)n);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = n;
	for (int32_t i = 0; i < n; i++)
		if (!put_partition(d, topic->partitions[first + i], &out->partitions[i]))
			return false;
	d->left -= n;
	return first + n == topic->partition_count || put_cursor(d, name, first + n);
}

static bool describe(struct describe *d)
{
	size_t n;
	struct kl_str *names = names_of(d, &n);
	if (names == NULL)
		return false;
	d->response.topics = kl_type_new(
		&kl_type_describe_topic_partitions_response_topic, &d->call->arena, n);
	if (d->response.topics == NULL)
		return false;
	for (size_t i = 0; i < n && d->response.next_cursor == NULL; i++) {
		if (i > 0 && kl_str_equal(names[i - 1], names[i]))
			continue;
		if (!put_topic(d, names[i]))
			return false;
	}
	return true;
}

void kl_dev_describe_topic_partitions(struct kl_dev_call *call)
{
	struct describe d = {.call = call, .request = call->request};
	kl_msg_init(&kl_msg_describe_topic_partitions_response, &d.response);
	d.left = kl_max(1, kl_min(PAGE_MAX, d.request->response_partition_limit));
	/* The message has no place for an error that is not a topic's. */
	if (d.request->cursor != NULL && d.request->cursor->partition_index < 0)
		kl_dev_call_drop(call, false);
	else if (describe(&d))
		kl_dev_answer(call, &d.response);
	else
		kl_dev_call_fail(call);
}
