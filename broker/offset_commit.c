/* SPDX-License-Identifier: BSD-2-Clause */
/* OffsetCommit 0-10, those below 2 for tests that pretend to be Kafka 0.8: of members of
 * groups; and, while a group has none, of consumers that name their partitions, and of
 * tools. */
#include <stdlib.h>

#include "broker/commits.h"
#include "broker/coordinators.h"

/* The first version that names topics by id, and the one that knows GROUP_ID_NOT_FOUND. */
#define BY_ID 10
#define KNOWS_GROUPS 9

/* Kafka counts in Java's characters. */
static int32_t java_length(struct kl_str s)
{
	int32_t n = 0;
	for (int32_t i = 0; i < s.len; i++) {
		uint8_t c = (uint8_t)s.p[i];
		n += (c & 0xc0) != 0x80;
		n += c >= 0xf0;
	}
	return n;
}

int kl_dev_commit_error(struct kl_dev_call *call, struct kl_dev_topic *topic,
			struct kl_str name, int32_t index, int rc)
{
	int error = kl_dev_topic_error(call, topic != NULL ? kl_dev_topic_name(topic) : name,
				       index);
	if (error == 0)
		error = rc;
	if (error == 0 && kl_dev_partition(topic, index) == NULL)
		error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	return error;
}

int kl_dev_commit_check(const struct klamm_broker *broker, struct kl_str metadata)
{
	return java_length(metadata) > broker->limits.offset_metadata_max
		       ? KLAMM_ERR_OFFSET_METADATA_TOO_LARGE
		       : 0;
}

int kl_dev_commit_topic(struct kl_dev_call *call, bool by_id, struct kl_str name,
			const struct klamm_uuid *id, struct kl_dev_topic **topic_out)
{
	*topic_out = by_id ? kl_dev_topic_with_id(call->broker, id)
			   : kl_dev_topic_named(call->broker, name);
	if (*topic_out != NULL)
		return 0;
	return by_id ? KLAMM_ERR_UNKNOWN_TOPIC_ID : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
}

int kl_dev_commit_group(struct klamm_broker *broker, struct kl_str id,
			const struct kl_dev_committer *who, int unknown_group)
{
	struct kl_dev_group *group = kl_dev_group_find(broker, id);
	if (group != NULL)
		return group->type->check_commit(group, who);
	return who->generation < 0 ? 0 : unknown_group;
}

int kl_dev_commit_part(struct klamm_broker *broker, struct kl_str id,
		       const struct kl_dev_committer *who, const struct kl_dev_topic *topic,
		       int32_t index)
{
	const struct kl_dev_group *group = kl_dev_group_find(broker, id);
	if (group == NULL || group->type->check_commit_part == NULL || topic == NULL)
		return 0;
	return group->type->check_commit_part(group, who, &topic->id, index);
}

bool kl_dev_commit_put(struct kl_dev_batch *batch, const struct kl_dev_commit *commit)
{
	struct kl_str note = commit->metadata;
	char *metadata = strndup(note.p ?: "", (size_t)kl_max(note.len, 0));
	if (metadata == NULL)
		return false;
	struct kl_dev_offset_value value = {
		.offset = commit->offset,
		.leader_epoch = commit->leader_epoch,
		.committed_ms = batch->now_ms,
		.expires_ms = commit->retention_ms >= 0 ? batch->now_ms + commit->retention_ms
							: -1,
		.topic_id = commit->topic->id,
		.metadata = metadata,
	};
	kl_dev_offsets_put(batch, commit->group, kl_dev_topic_name(commit->topic),
			   commit->index, &value);
	free(metadata);
	return true;
}

/* --- the request --- */

struct work {
	struct kl_offset_commit_response response;
	struct kl_dev_pledge pledge;
};

/* Of all partitions that nothing is wrong with. */
static void set_rest(struct kl_offset_commit_response *response, int error)
{
	for (int32_t i = 0; i < response->topics_n; i++)
		for (int32_t k = 0; k < response->topics[i].partitions_n; k++)
			if (response->topics[i].partitions[k].error_code == 0)
				response->topics[i].partitions[k].error_code = (int16_t)error;
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	if (work->pledge.error != 0)
		set_rest(&work->response, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	kl_dev_answer(call, &work->response);
}

/* What is wrong with single partitions. false: out of memory. */
static bool check(struct kl_dev_call *call, struct kl_offset_commit_response *response,
		  bool *any_out)
{
	const struct kl_offset_commit_request *request = call->request;
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response->topics =
		kl_type_new(&kl_type_offset_commit_response_topic, &call->arena, n);
	if (response->topics == NULL)
		return false;
	response->topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		const struct kl_offset_commit_request_topic *asked = &request->topics[i];
		struct kl_offset_commit_response_topic *out = &response->topics[i];
		struct kl_dev_topic *topic;
		int rc = kl_dev_commit_topic(call, call->version >= BY_ID, asked->name,
					     &asked->topic_id, &topic);
		out->name = asked->name;
		out->topic_id = asked->topic_id;
		size_t m = (size_t)kl_max(asked->partitions_n, 0);
		out->partitions = kl_type_new(&kl_type_offset_commit_response_partition,
					      &call->arena, m);
		if (out->partitions == NULL)
			return false;
		out->partitions_n = (int32_t)m;
		for (size_t k = 0; k < m; k++) {
			int32_t index = asked->partitions[k].partition_index;
			int error = kl_dev_commit_error(call, topic, asked->name, index, rc);
			out->partitions[k].partition_index = index;
			out->partitions[k].error_code = (int16_t)error;
			*any_out |= error == 0;
		}
	}
	return true;
}

static void put_one(struct kl_dev_call *call, struct kl_dev_batch *batch,
		    const struct kl_offset_commit_request_topic *topic,
		    const struct kl_offset_commit_request_partition *asked,
		    struct kl_offset_commit_response_partition *out)
{
	const struct kl_offset_commit_request *request = call->request;
	struct kl_dev_commit commit = {
		.group = request->group_id,
		.index = asked->partition_index,
		.offset = asked->committed_offset,
		.leader_epoch = asked->committed_leader_epoch,
		.metadata = asked->committed_metadata,
		.retention_ms = request->retention_time_ms,
	};
	kl_dev_commit_topic(call, call->version >= BY_ID, topic->name, &topic->topic_id,
			    &commit.topic);
	int error = kl_dev_commit_check(call->broker, asked->committed_metadata);
	if (error == 0 && !kl_dev_commit_put(batch, &commit))
		error = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	out->error_code = (int16_t)error;
}

/* As in Kafka one that is wrong is wrong for all. */
static int check_parts(struct kl_dev_call *call, const struct work *work,
		       const struct kl_dev_committer *who)
{
	const struct kl_offset_commit_request *request = call->request;
	int rc = 0;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_offset_commit_request_topic *asked = &request->topics[i];
		struct kl_dev_topic *topic;
		kl_dev_commit_topic(call, call->version >= BY_ID, asked->name,
				    &asked->topic_id, &topic);
		for (int32_t k = 0; rc == 0 && k < asked->partitions_n; k++)
			if (work->response.topics[i].partitions[k].error_code == 0)
				rc = kl_dev_commit_part(call->broker, request->group_id, who,
							topic,
							asked->partitions[k].partition_index);
	}
	return rc;
}

static int commit(struct kl_dev_call *call, struct work *work)
{
	const struct kl_offset_commit_request *request = call->request;
	struct klamm_broker *broker = call->broker;
	struct kl_dev_partition *home;
	if (request->group_id.len < 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	struct kl_dev_committer who = {
		.member_id = request->member_id,
		.instance_id = request->group_instance_id,
		.generation = request->generation_id_or_member_epoch,
		.version = call->version,
	};
	int rc = kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, &home);
	if (rc == 0)
		rc = kl_dev_commit_group(broker, request->group_id, &who,
					 call->version >= KNOWS_GROUPS
						 ? KLAMM_ERR_GROUP_ID_NOT_FOUND
						 : KLAMM_ERR_ILLEGAL_GENERATION);
	if (rc == 0)
		rc = check_parts(call, work, &who);
	if (rc != 0)
		return rc;
	struct kl_dev_batch batch;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	for (int32_t i = 0; i < request->topics_n; i++)
		for (int32_t k = 0; k < request->topics[i].partitions_n; k++) {
			struct kl_offset_commit_response_partition *out =
				&work->response.topics[i].partitions[k];
			if (out->error_code == 0)
				put_one(call, &batch, &request->topics[i],
					&request->topics[i].partitions[k], out);
		}
	rc = kl_dev_group_append(broker, home, &batch, -1, -1);
	kl_dev_batch_free(&batch);
	work->pledge = kl_dev_pledge_on(home);
	return rc;
}

void kl_dev_offset_commit(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	bool any = false;
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_offset_commit_response, &work->response);
	if (!check(call, &work->response, &any)) {
		kl_dev_call_fail(call);
		return;
	}
	int error = any ? commit(call, work) : 0;
	if (error != 0)
		set_rest(&work->response, error);
	call->work = work;
	kl_dev_call_settle(call, &work->pledge, 1, answer);
}
