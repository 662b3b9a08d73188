/* SPDX-License-Identifier: BSD-2-Clause */
/* Heartbeat 0-4. */
#include "broker/coordinators.h"
#include "broker/groups.h"

static int beat(const struct kl_dev_group *group, const struct kl_heartbeat_request *request)
{
	const struct kl_dev_classic *classic = &group->classic;
	int rc = kl_dev_member_check(group, request->member_id, request->group_instance_id);
	if (rc != 0)
		return rc;
	if (request->generation_id != classic->generation)
		return KLAMM_ERR_ILLEGAL_GENERATION;
	struct kl_dev_member *member = kl_dev_member_find(group, request->member_id);
	kl_dev_member_alive(member, member->session_ms);
	return classic->state == KL_DEV_CLASSIC_PREPARING ? KLAMM_ERR_REBALANCE_IN_PROGRESS
							  : 0;
}

static int handle(struct kl_dev_call *call)
{
	const struct kl_heartbeat_request *request = call->request;
	struct kl_dev_partition *home;
	int error = kl_dev_call_error(call);
	if (error != 0)
		return error;
	if (request->group_id.len <= 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	error = kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, &home);
	if (error == KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS)
		return 0; /* the member is told when its group is known again */
	if (error != 0)
		return error;
	const struct kl_dev_group *group =
		kl_dev_group_find(call->broker, request->group_id);
	if (group == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	if (group->type != &kl_dev_classic_type)
		return kl_dev_modern_classic_beat(group, request);
	return beat(group, request);
}

void kl_dev_heartbeat(struct kl_dev_call *call)
{
	struct kl_heartbeat_response response;
	kl_msg_init(&kl_msg_heartbeat_response, &response);
	response.error_code = (int16_t)handle(call);
	kl_dev_answer(call, &response);
}
