/* SPDX-License-Identifier: BSD-2-Clause */
/* DescribeGroups 0-6: classic groups. */
#include <stdio.h>

#include "broker/coordinators.h"
#include "broker/groups.h"

/* The first version that has an error for a group that is not there. */
#define NOT_FOUND 6

/* What Kafka tells of permissions when nothing is forbidden. */
#define GROUP_OPERATIONS 0x0d48

/* false: out of memory. */
static bool put_members(struct kl_dev_call *call, const struct kl_dev_group *group,
			struct kl_describe_groups_response_group *out)
{
	const struct kl_dev_classic *classic = &group->classic;
	bool is_stable = classic->state == KL_DEV_CLASSIC_STABLE;
	struct kl_dev_member *member, *next;
	out->members = kl_type_new(&kl_type_describe_groups_response_member,
				   &call->arena, HASH_COUNT(classic->members));
	if (out->members == NULL)
		return false;
	HASH_ITER(hh, classic->members, member, next)
	{
		struct kl_describe_groups_response_member *to =
			&out->members[out->members_n++];
		const struct kl_bytes *metadata =
			is_stable ? kl_dev_member_metadata(member, kl_str(classic->protocol))
				  : NULL;
		to->member_id = member->id;
		to->group_instance_id = member->instance;
		to->client_id = member->client_id;
		to->client_host = member->client_host;
		to->member_assignment = member->assigned;
		if (metadata != NULL)
			to->member_metadata = *metadata;
	}
	if (is_stable)
		out->protocol_data = kl_str(classic->protocol);
	return true;
}

/* As if it were dead. false: out of memory. */
static bool put_missing(struct kl_dev_call *call, const struct kl_dev_group *other,
			struct kl_describe_groups_response_group *out)
{
	char text[512];
	int n = snprintf(text, sizeof(text), "Group %.*s %s.",
			 (int)kl_min(out->group_id.len, 400), out->group_id.p,
			 other != NULL ? "is not a classic group" : "not found");
	out->group_state = KL_STR("Dead");
	if (call->version < NOT_FOUND)
		return true;
	out->error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
	out->error_message = kl_str(kl_arena_text(&call->arena, text, (size_t)n));
	return out->error_message.p != NULL;
}

static bool put_group(struct kl_dev_call *call, struct kl_str id,
		      struct kl_describe_groups_response_group *out)
{
	const struct kl_describe_groups_request *request = call->request;
	struct kl_dev_partition *home;
	out->group_id = id;
	int error = kl_dev_call_home(call, KL_DEV_GROUP, id, &home);
	if (error != 0) {
		out->error_code = (int16_t)error;
		return true;
	}
	const struct kl_dev_group *group = kl_dev_group_find(call->broker, id);
	if (group == NULL || group->type != &kl_dev_classic_type) {
		if (!put_missing(call, group, out))
			return false;
	} else {
		out->group_state = kl_str(group->type->state(group));
		out->protocol_type = group->type->protocol(group);
		if (!put_members(call, group, out))
			return false;
	}
	if (request->include_authorized_operations && out->error_code == 0)
		out->authorized_operations = GROUP_OPERATIONS;
	return true;
}

void kl_dev_describe_groups(struct kl_dev_call *call)
{
	const struct kl_describe_groups_request *request = call->request;
	struct kl_describe_groups_response response;
	size_t n = (size_t)kl_max(request->groups_n, 0);
	kl_msg_init(&kl_msg_describe_groups_response, &response);
	/* What is read again while this goes on must not be what the answer points to. */
	struct kl_dev_partition *home;
	for (size_t i = 0; i < n; i++)
		kl_dev_call_home(call, KL_DEV_GROUP, request->groups[i], &home);
	response.groups =
		kl_type_new(&kl_type_describe_groups_response_group, &call->arena, n);
	bool ok = response.groups != NULL;
	for (size_t i = 0; ok && i < n; i++)
		ok = put_group(call, request->groups[i],
			       &response.groups[response.groups_n++]);
	if (ok)
		kl_dev_answer(call, &response);
	else
		kl_dev_call_fail(call);
}
