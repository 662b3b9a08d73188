/* SPDX-License-Identifier: BSD-2-Clause */
/* OffsetFetch 0-10; 0 only for tests that pretend to be Kafka 0.8. What is not there yet but
 * may come with an open transaction is told to those that ask for stable offsets (KIP-447). */
#include "broker/coordinators.h"
#include "broker/offsets.h"

/* The first versions that ask for several groups, and by topic ids. */
#define GROUPS 8
#define BY_ID 10

struct work {
	struct kl_offset_fetch_response response;
	/* All versions are answered in the newest form first, one group for those before
	 * it. */
	struct kl_offset_fetch_response_group *groups;
	struct kl_dev_pledge *pledges;
	size_t count;
};

/* --- one group --- */

/* Texts are copied: the table may change before this is answered. */
static bool put_value(struct kl_dev_call *call, const struct kl_dev_offset *offset, bool known,
		      struct kl_offset_fetch_response_group_partition *out)
{
	const struct kl_offset_fetch_request *request = call->request;
	bool unstable = request->require_stable && offset != NULL && offset->pending > 0;
	out->committed_offset = -1;
	out->metadata = KL_STR("");
	bool stored = known && offset != NULL && offset->stored;
	if (unstable)
		out->error_code = KLAMM_ERR_UNSTABLE_OFFSET_COMMIT;
	else if (!stored && call->version == 0) /* what ZooKeeper does not have */
		out->error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (unstable || !stored)
		return true;
	const char *metadata = offset->value.metadata;
	out->committed_offset = offset->value.offset;
	out->committed_leader_epoch = offset->value.leader_epoch;
	out->metadata = kl_str(kl_arena_text(&call->arena, metadata, strlen(metadata)));
	return out->metadata.p != NULL;
}

/* What was committed for another topic of this name is none of this one's. */
static bool is_same_topic(const struct kl_dev_offset *offset, const struct klamm_uuid *id)
{
	return offset == NULL || kl_uuid_is_zero(id) ||
	       kl_uuid_is_zero(&offset->value.topic_id) ||
	       kl_uuid_equal(&offset->value.topic_id, id);
}

/* One topic that was asked for. false: out of memory. */
static bool put_topic(struct kl_dev_call *call, struct kl_dev_group *of,
		      const struct kl_offset_fetch_request_group_topic *asked,
		      struct kl_offset_fetch_response_group_topic *out)
{
	bool by_id = call->version >= BY_ID;
	struct kl_dev_topic *topic =
		by_id ? kl_dev_topic_with_id(call->broker, &asked->topic_id) : NULL;
	size_t n = (size_t)kl_max(asked->partition_indexes_n, 0);
	struct kl_str name = topic != NULL ? kl_dev_topic_name(topic) : asked->name;
	out->name = asked->name;
	out->topic_id = asked->topic_id;
	out->partitions = kl_type_new(&kl_type_offset_fetch_response_group_partition,
				      &call->arena, n);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		struct kl_offset_fetch_response_group_partition *to = &out->partitions[i];
		to->partition_index = asked->partition_indexes[i];
		int error = kl_dev_topic_error(call, name, to->partition_index);
		if (error == 0 && by_id && topic == NULL)
			error = KLAMM_ERR_UNKNOWN_TOPIC_ID;
		const struct kl_dev_offset *offset =
			error == 0
				? kl_dev_offset_find(of, name, to->partition_index)
				: NULL;
		if (!put_value(call, offset, is_same_topic(offset, &asked->topic_id), to))
			return false;
		if (error != 0)
			to->error_code = (int16_t)error;
	}
	return true;
}

static int by_partition(const void *a, const void *b)
{
	const struct kl_dev_offset *const *x = a, *const *y = b;
	struct kl_str n = kl_dev_offset_topic(*x), m = kl_dev_offset_topic(*y);
	int rc = memcmp(n.p, m.p, (size_t)kl_min(n.len, m.len));
	if (rc == 0)
		rc = (n.len > m.len) - (n.len < m.len);
	return rc != 0 ? rc
		       : ((*x)->key.index > (*y)->key.index) -
				 ((*x)->key.index < (*y)->key.index);
}

/* One topic's, which are the first of n. How many; 0 = out of memory. */
static size_t put_committed(struct kl_dev_call *call, struct kl_dev_offset **offsets, size_t n,
			struct kl_offset_fetch_response_group *group)
{
	struct kl_str name = kl_dev_offset_topic(offsets[0]);
	const struct kl_dev_topic *topic = kl_dev_topic_named(call->broker, name);
	size_t count = 1;
	while (count < n && kl_str_equal(kl_dev_offset_topic(offsets[count]), name))
		count++;
	if (call->version >= BY_ID && topic == NULL)
		return count; /* it cannot be told */
	struct kl_offset_fetch_response_group_topic *out = &group->topics[group->topics_n++];
	out->name = (struct kl_str){kl_arena_text(&call->arena, name.p, (size_t)name.len),
				    name.len};
	if (topic != NULL)
		out->topic_id = topic->id;
	out->partitions = kl_type_new(&kl_type_offset_fetch_response_group_partition,
				      &call->arena, count);
	if (out->name.p == NULL || out->partitions == NULL)
		return 0;
	for (size_t i = 0; i < count; i++) {
		struct kl_offset_fetch_response_group_partition *to =
			&out->partitions[out->partitions_n++];
		to->partition_index = offsets[i]->key.index;
		if (!put_value(call, offsets[i], true, to))
			return 0;
	}
	return count;
}

/* Everything that it has committed. false: out of memory. */
static bool put_all(struct kl_dev_call *call, struct kl_dev_group *of,
		    struct kl_offset_fetch_response_group *group)
{
	size_t all = of != NULL ? HASH_COUNT(of->offsets) : 0, n = 0, topics = 0;
	struct kl_dev_offset **offsets = kl_arena_array(&call->arena, all, sizeof(*offsets));
	struct kl_dev_offset *offset = all > 0 ? of->offsets : NULL;
	if (offsets == NULL)
		return false;
	for (; offset != NULL; offset = offset->hh.next)
		if (offset->stored)
			offsets[n++] = offset;
	if (n > 0)
		qsort(offsets, n, sizeof(offsets[0]), by_partition);
	for (size_t i = 0; i < n; i++)
		topics += i == 0 || !kl_str_equal(kl_dev_offset_topic(offsets[i]),
						  kl_dev_offset_topic(offsets[i - 1]));
	group->topics = kl_type_new(&kl_type_offset_fetch_response_group_topic, &call->arena,
				    topics);
	bool ok = group->topics != NULL;
	for (size_t at = 0, count; ok && at < n; at += count) {
		count = put_committed(call, &offsets[at], n - at, group);
		ok = count > 0;
	}
	return ok;
}

static bool put_group(struct kl_dev_call *call,
		      const struct kl_offset_fetch_request_group *asked,
		      struct kl_offset_fetch_response_group *out, struct kl_dev_pledge *pledge)
{
	struct kl_dev_partition *home;
	out->group_id = asked->group_id;
	int error = asked->group_id.len < 0 ? KLAMM_ERR_INVALID_GROUP_ID
					    : kl_dev_call_home(call, KL_DEV_GROUP,
							       asked->group_id, &home);
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	*pledge = kl_dev_pledge_on(home);
	struct kl_dev_group *of = kl_dev_group_find(call->broker, asked->group_id);
	error = of != NULL ? of->type->check_fetch(of, asked->member_id, asked->member_epoch)
			   : 0;
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	if (asked->topics_n < 0)
		return put_all(call, of, out);
	size_t n = (size_t)asked->topics_n;
	out->topics = kl_type_new(&kl_type_offset_fetch_response_group_topic, &call->arena, n);
	if (out->topics == NULL)
		return false;
	out->topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!put_topic(call, of, &asked->topics[i], &out->topics[i]))
			return false;
	return true;
}

/* --- versions before groups --- */

/* The request in the form of newer ones. */
static bool as_group(struct kl_dev_call *call, struct kl_offset_fetch_request_group *group)
{
	const struct kl_offset_fetch_request *request = call->request;
	kl_type_init(&kl_type_offset_fetch_request_group, group);
	group->group_id = request->group_id;
	group->topics_n = request->topics_n;
	size_t n = (size_t)kl_max(request->topics_n, 0);
	group->topics =
		kl_type_new(&kl_type_offset_fetch_request_group_topic, &call->arena, n);
	if (group->topics == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		group->topics[i].name = request->topics[i].name;
		group->topics[i].partition_indexes = request->topics[i].partition_indexes;
		group->topics[i].partition_indexes_n =
			request->topics[i].partition_indexes_n;
	}
	return true;
}

/* Before version 2 an error is told by partition only, and so it is in those of Kafka. */
static bool put_error(struct kl_dev_call *call, int error,
		      struct kl_offset_fetch_response_group *group)
{
	const struct kl_offset_fetch_request *request = call->request;
	struct kl_offset_fetch_request_group asked;
	if (!as_group(call, &asked))
		return false;
	group->topics_n = 0;
	size_t n = (size_t)kl_max(request->topics_n, 0);
	group->topics =
		kl_type_new(&kl_type_offset_fetch_response_group_topic, &call->arena, n);
	if (group->topics == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		struct kl_offset_fetch_response_group_topic *out =
			&group->topics[group->topics_n++];
		if (!put_topic(call, NULL, &asked.topics[i], out))
			return false;
		for (int32_t k = 0; k < out->partitions_n; k++)
			out->partitions[k].error_code = (int16_t)error;
	}
	return true;
}

static bool as_topics(struct kl_dev_call *call, struct work *work)
{
	struct kl_offset_fetch_response *response = &work->response;
	struct kl_offset_fetch_response_group *group = &work->groups[0];
	if (group->error_code != 0 && call->version < 2 &&
	    !put_error(call, group->error_code, group))
		return false;
	response->error_code = group->error_code;
	response->topics = kl_type_new(&kl_type_offset_fetch_response_topic, &call->arena,
				       (size_t)group->topics_n);
	if (response->topics == NULL)
		return false;
	response->topics_n = group->topics_n;
	for (int32_t i = 0; i < group->topics_n; i++) {
		const struct kl_offset_fetch_response_group_topic *from = &group->topics[i];
		struct kl_offset_fetch_response_topic *to = &response->topics[i];
		to->name = from->name;
		to->partitions = kl_type_new(&kl_type_offset_fetch_response_partition,
					     &call->arena, (size_t)from->partitions_n);
		if (to->partitions == NULL)
			return false;
		to->partitions_n = from->partitions_n;
		for (int32_t k = 0; k < from->partitions_n; k++)
			to->partitions[k] = (struct kl_offset_fetch_response_partition){
				.partition_index = from->partitions[k].partition_index,
				.committed_offset = from->partitions[k].committed_offset,
				.committed_leader_epoch =
					from->partitions[k].committed_leader_epoch,
				.metadata = from->partitions[k].metadata,
				.error_code = from->partitions[k].error_code,
			};
	}
	return true;
}

/* --- the request --- */

static bool begin(struct kl_dev_call *call, struct work *work)
{
	const struct kl_offset_fetch_request *request = call->request;
	struct kl_arena *arena = &call->arena;
	struct kl_offset_fetch_request_group one;
	bool many = call->version >= GROUPS;
	work->count = many ? (size_t)kl_max(request->groups_n, 0) : 1;
	work->groups =
		kl_type_new(&kl_type_offset_fetch_response_group, arena, work->count);
	work->pledges = kl_arena_array(arena, work->count, sizeof(*work->pledges));
	if (work->groups == NULL || work->pledges == NULL || (!many && !as_group(call, &one)))
		return false;
	for (size_t i = 0; i < work->count; i++) {
		work->pledges[i] = (struct kl_dev_pledge){.settled = true};
		if (!put_group(call, many ? &request->groups[i] : &one, &work->groups[i],
			       &work->pledges[i]))
			return false;
	}
	return true;
}

/* What was told is on the disk, or is not told. */
static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	struct kl_offset_fetch_response *response = &work->response;
	for (size_t i = 0; i < work->count; i++) {
		if (work->pledges[i].error == 0)
			continue;
		work->groups[i].error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
		work->groups[i].topics_n = 0;
	}
	if (call->version >= GROUPS) {
		response->groups = work->groups;
		response->groups_n = (int32_t)work->count;
	} else if (!as_topics(call, work)) {
		kl_dev_call_fail(call);
		return;
	}
	kl_dev_answer(call, response);
}

void kl_dev_offset_fetch(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.count = 0};
	kl_msg_init(&kl_msg_offset_fetch_response, &work->response);
	call->work = work;
	if (begin(call, work))
		kl_dev_call_settle(call, work->pledges, work->count, answer);
	else
		kl_dev_call_fail(call);
}
