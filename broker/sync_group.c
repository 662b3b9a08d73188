/* SPDX-License-Identifier: BSD-2-Clause */
/* SyncGroup 0-5. */
#include "broker/coordinators.h"
#include "broker/groups.h"

/* The first version that must say which protocol it means (KIP-559). */
#define NAMES_PROTOCOL 5

/* What is null is not meant. */
static bool differs(struct kl_str said, const char *is)
{
	return said.len >= 0 && is != NULL && !kl_str_is(said, is);
}

static int check(const struct kl_dev_group *group, const struct kl_sync_group_request *request)
{
	const struct kl_dev_classic *classic = &group->classic;
	int rc = kl_dev_member_check(group, request->member_id, request->group_instance_id);
	if (rc != 0)
		return rc;
	if (request->generation_id != classic->generation)
		return KLAMM_ERR_ILLEGAL_GENERATION;
	if (differs(request->protocol_type, classic->protocol_type) ||
	    differs(request->protocol_name, classic->protocol))
		return KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL;
	return classic->state == KL_DEV_CLASSIC_PREPARING ? KLAMM_ERR_REBALANCE_IN_PROGRESS
							  : 0;
}

static void sync(struct kl_dev_call *call, struct kl_dev_member *member)
{
	struct kl_dev_group *group = member->group;
	member->unsynced = false;
	if (group->classic.state == KL_DEV_CLASSIC_STABLE) {
		kl_dev_answer_synced(call, member);
		return;
	}
	kl_dev_classic_await_sync(member, call);
	if (group->classic.leader == member)
		kl_dev_classic_assign(group, call->request);
}

static int begin(struct kl_dev_call *call, struct kl_dev_group **group_out,
		 struct kl_dev_partition **home_out)
{
	const struct kl_sync_group_request *request = call->request;
	int error = kl_dev_call_error(call);
	if (error != 0)
		return error;
	if (call->version >= NAMES_PROTOCOL &&
	    (request->protocol_type.len < 0 || request->protocol_name.len < 0))
		return KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL;
	if (request->group_id.len <= 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	error = kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, home_out);
	if (error != 0)
		return error;
	*group_out = kl_dev_group_find(call->broker, request->group_id);
	if (*group_out == NULL || (*group_out)->type->is_empty(*group_out))
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	return (*group_out)->type == &kl_dev_classic_type ? check(*group_out, request) : 0;
}

void kl_dev_sync_group(struct kl_dev_call *call)
{
	const struct kl_sync_group_request *request = call->request;
	struct kl_dev_group *group;
	struct kl_dev_partition *home;
	int error = begin(call, &group, &home);
	if (error != 0)
		kl_dev_answer_not_synced(call, error);
	else if (group->type != &kl_dev_classic_type)
		kl_dev_modern_sync(call, group, home);
	else
		sync(call, kl_dev_member_find(group, request->member_id));
}
