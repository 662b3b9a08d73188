/* SPDX-License-Identifier: BSD-2-Clause */
/* ConsumerGroupDescribe 0-1: modern groups. */
#include <stdio.h>

#include "broker/coordinators.h"
#include "broker/groups.h"

/* What Kafka tells of permissions when nothing is forbidden. */
#define GROUP_OPERATIONS 0x0d48

/* MemberType of who uses this protocol, and of who uses the other one. */
#define MODERN 1
#define CLASSIC 0

/* Those of topics that there still are. false: out of memory. */
static bool put_parts(struct kl_dev_call *call, const struct kl_dev_parts *parts,
		      struct kl_consumer_group_describe_response_assignment *out)
{
	int32_t *indexes = kl_arena_array(&call->arena, parts->count, sizeof(*indexes));
	out->topic_partitions = kl_type_new(&kl_type_consumer_group_describe_response_topic,
					    &call->arena, parts->count);
	if (indexes == NULL || out->topic_partitions == NULL)
		return false;
	for (size_t i = 0, next; i < parts->count; i = next) {
		const struct kl_dev_topic *known =
			kl_dev_topic_with_id(call->broker, &parts->list[i].topic);
		next = kl_dev_parts_next_topic(parts, i);
		if (known == NULL)
			continue;
		struct kl_consumer_group_describe_response_topic *topic =
			&out->topic_partitions[out->topic_partitions_n++];
		topic->topic_id = known->id;
		topic->topic_name = kl_dev_topic_name(known);
		topic->partitions = &indexes[i];
		topic->partitions_n = (int32_t)(next - i);
		for (size_t k = i; k < next; k++)
			indexes[k] = parts->list[k].index;
	}
	return true;
}

static bool put_member(struct kl_dev_call *call, const struct kl_dev_modern_member *member,
		       struct kl_consumer_group_describe_response_member *out)
{
	const struct kl_consumer_group_member_metadata_value *about = member->about.value;
	out->member_id = kl_dev_modern_id(member);
	out->member_epoch = member->epoch;
	out->member_type = kl_dev_modern_is_classic(member) ? CLASSIC : MODERN;
	if (about != NULL) {
		out->instance_id = about->instance_id;
		out->rack_id = about->rack_id;
		out->client_id = about->client_id;
		out->client_host = about->client_host;
		out->subscribed_topic_names = about->subscribed_topic_names;
		out->subscribed_topic_names_n = about->subscribed_topic_names_n;
		if (about->subscribed_topic_regex.len > 0)
			out->subscribed_topic_regex = about->subscribed_topic_regex;
	}
	return put_parts(call, &member->has, &out->assignment) &&
	       put_parts(call, &member->target, &out->target_assignment);
}

static bool put_modern(struct kl_dev_call *call, const struct kl_dev_group *group,
		       struct kl_consumer_group_describe_response_group *out)
{
	const struct kl_dev_modern *modern = group->modern;
	struct kl_dev_modern_member *member, *next;
	struct kl_str assignor = kl_dev_modern_assignor(group, NULL, NULL);
	out->group_state = kl_str(group->type->state(group));
	out->group_epoch = modern->epoch;
	out->assignment_epoch = modern->target_epoch;
	out->assignor_name = assignor.len >= 0 ? assignor
					       : kl_dev_modern_default_assignor(call->broker);
	out->members = kl_type_new(&kl_type_consumer_group_describe_response_member,
				   &call->arena, HASH_COUNT(modern->members));
	if (out->members == NULL)
		return false;
	HASH_ITER(hh, modern->members, member, next)
	{
		if (!put_member(call, member, &out->members[out->members_n++]))
			return false;
	}
	return true;
}

static bool put_missing(struct kl_dev_call *call, const struct kl_dev_group *other,
			struct kl_consumer_group_describe_response_group *out)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "Group %.*s %s.",
			 (int)kl_min(out->group_id.len, 400), out->group_id.p,
			 other != NULL ? "is not a consumer group" : "not found");
	out->error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
	out->error_message = kl_str(kl_arena_text(&call->arena, text, (size_t)n));
	return out->error_message.p != NULL;
}

static bool put_group(struct kl_dev_call *call, struct kl_str id,
		      struct kl_consumer_group_describe_response_group *out)
{
	const struct kl_consumer_group_describe_request *request = call->request;
	struct kl_dev_partition *home;
	out->group_id = id;
	int error = kl_dev_call_home(call, KL_DEV_GROUP, id, &home);
	if (error == 0 && call->broker->limits.group_version < 1)
		error = KLAMM_ERR_UNSUPPORTED_VERSION;
	if (error == 0 && id.len <= 0)
		error = KLAMM_ERR_INVALID_GROUP_ID;
	if (error != 0) {
		out->error_code = (int16_t)error;
		return true;
	}
	const struct kl_dev_group *group = kl_dev_group_find(call->broker, id);
	if (group == NULL || group->type != &kl_dev_modern_type)
		return put_missing(call, group, out);
	if (request->include_authorized_operations)
		out->authorized_operations = GROUP_OPERATIONS;
	return put_modern(call, group, out);
}

void kl_dev_consumer_group_describe(struct kl_dev_call *call)
{
	const struct kl_consumer_group_describe_request *request = call->request;
	struct kl_consumer_group_describe_response response;
	size_t n = (size_t)kl_max(request->group_ids_n, 0);
	kl_msg_init(&kl_msg_consumer_group_describe_response, &response);
	/* What is read again while this goes on must not be what the answer points to. */
	struct kl_dev_partition *home;
	for (size_t i = 0; i < n; i++)
		kl_dev_call_home(call, KL_DEV_GROUP, request->group_ids[i], &home);
	response.groups = kl_type_new(&kl_type_consumer_group_describe_response_group,
				      &call->arena, n);
	bool ok = response.groups != NULL;
	for (size_t i = 0; ok && i < n; i++)
		ok = put_group(call, request->group_ids[i],
			       &response.groups[response.groups_n++]);
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
