/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of a classic group that wait for the others, and what they are told. A member whose
 * connection has gone meanwhile counts as waiting all the same, as in Kafka. */
#include "broker/groups.h"

/* The first version in which a protocol may be null. */
#define NULL_PROTOCOL 7

/* --- to whoever joins --- */

static bool put_members(struct kl_dev_call *call, const struct kl_dev_group *group,
			struct kl_join_group_response *response)
{
	struct kl_dev_member *member, *next;
	struct kl_str protocol = kl_str(group->classic.protocol);
	response->members = kl_type_new(&kl_type_join_group_response_member, &call->arena,
					HASH_COUNT(group->classic.members));
	if (response->members == NULL)
		return false;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		const struct kl_bytes *metadata = kl_dev_member_metadata(member, protocol);
		struct kl_join_group_response_member *out =
			&response->members[response->members_n++];
		out->member_id = member->id;
		out->group_instance_id = member->instance;
		if (metadata != NULL)
			out->metadata = *metadata;
	}
	return true;
}

void kl_dev_answer_joined(struct kl_dev_call *call, const struct kl_dev_joined *joined)
{
	const struct kl_dev_group *group = joined->member->group;
	const struct kl_dev_classic *classic = &group->classic;
	struct kl_join_group_response response;
	kl_msg_init(&kl_msg_join_group_response, &response);
	response.generation_id = classic->generation;
	response.protocol_type = kl_str(classic->protocol_type);
	response.protocol_name = kl_str(classic->protocol);
	response.leader = joined->leader;
	response.skip_assignment = joined->skips;
	response.member_id = joined->member->id;
	if (joined->tells_members && !put_members(call, group, &response))
		kl_dev_call_fail(call);
	else
		kl_dev_answer(call, &response);
}

void kl_dev_answer_not_joined(struct kl_dev_call *call, struct kl_str member_id, int error)
{
	struct kl_join_group_response response;
	kl_msg_init(&kl_msg_join_group_response, &response);
	response.error_code = (int16_t)error;
	response.member_id = member_id;
	response.protocol_name = call->version >= NULL_PROTOCOL ? KL_STR_NULL : KL_STR("");
	kl_dev_answer(call, &response);
}

/* --- to whoever syncs --- */

void kl_dev_answer_synced(struct kl_dev_call *call, const struct kl_dev_member *member)
{
	const struct kl_dev_classic *classic = &member->group->classic;
	struct kl_sync_group_response response;
	kl_msg_init(&kl_msg_sync_group_response, &response);
	response.protocol_type = kl_str(classic->protocol_type);
	response.protocol_name = kl_str(classic->protocol);
	response.assignment = member->assigned;
	kl_dev_answer(call, &response);
}

void kl_dev_answer_not_synced(struct kl_dev_call *call, int error)
{
	struct kl_sync_group_response response;
	kl_msg_init(&kl_msg_sync_group_response, &response);
	response.error_code = (int16_t)error;
	kl_dev_answer(call, &response);
}

/* --- those that wait --- */

/* Of several requests of a member the newest is answered: it has come again because it gave
 * the others up. */
static void await(struct kl_list *list, struct kl_dev_call *call)
{
	while (kl_list_pop(list) != NULL)
		;
	kl_list_push(list, &call->among);
	kl_dev_call_park(call, KL_NEVER, NULL);
}

static struct kl_dev_call *pop(struct kl_list *list)
{
	struct kl_list *link = kl_list_pop(list);
	return link != NULL ? kl_list_entry(link, struct kl_dev_call, among) : NULL;
}

void kl_dev_classic_await_join(struct kl_dev_member *member, struct kl_dev_call *call)
{
	member->group->classic.joining += !member->joins;
	member->joins = true;
	await(&member->join, call);
}

void kl_dev_classic_await_sync(struct kl_dev_member *member, struct kl_dev_call *call)
{
	member->syncs = true;
	await(&member->sync, call);
}

/* NULL: there is nobody to answer. */
static struct kl_dev_call *end_join(struct kl_dev_member *member)
{
	member->group->classic.joining -= member->joins;
	member->joins = false;
	return pop(&member->join);
}

static struct kl_dev_call *end_sync(struct kl_dev_member *member)
{
	member->syncs = false;
	return pop(&member->sync);
}

void kl_dev_classic_joined(struct kl_dev_member *member)
{
	const struct kl_dev_member *leader = member->group->classic.leader;
	struct kl_dev_call *call = end_join(member);
	if (call != NULL)
		kl_dev_answer_joined(call, &(struct kl_dev_joined){
			member, leader->id, .tells_members = member == leader});
}

void kl_dev_classic_refuse_join(struct kl_dev_member *member, struct kl_str id, int error)
{
	struct kl_dev_call *call = end_join(member);
	if (call != NULL)
		kl_dev_answer_not_joined(call, id, error);
}

void kl_dev_classic_synced(struct kl_dev_member *member)
{
	struct kl_dev_call *call = end_sync(member);
	if (call != NULL)
		kl_dev_answer_synced(call, member);
}

void kl_dev_classic_refuse_sync(struct kl_dev_member *member, int error)
{
	struct kl_dev_call *call = end_sync(member);
	if (call != NULL)
		kl_dev_answer_not_synced(call, error);
}
