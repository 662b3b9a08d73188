/* SPDX-License-Identifier: BSD-2-Clause */
/* LeaveGroup 0-5. */
#include <stdio.h>

#include "broker/coordinators.h"
#include "broker/groups.h"

/* The first version that names several (KIP-345). */
#define MANY 3

struct work {
	struct kl_leave_group_response response;
	struct kl_dev_pledge pledge;
};

/* Old versions have one member, and one error for all. */
static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	struct kl_leave_group_response *response = &work->response;
	if (work->pledge.error != 0)
		response->error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (response->error_code == 0 && call->version < MANY)
		response->error_code = response->members[0].error_code;
	if (response->error_code != 0 || call->version < MANY)
		response->members_n = 0;
	kl_dev_answer(call, response);
}

static void say(const struct kl_dev_group *group, const struct kl_dev_member *member,
		struct kl_str reason)
{
	kl_log(&group->broker->loop->log, KL_LOG_INFO, "broker",
	       "group %s: member %.*s leaves%s%.*s", group->id, (int)member->id.len,
	       member->id.p, reason.len > 0 ? "; client reason: " : "",
	       (int)kl_min(kl_max(reason.len, 0), 255), reason.p ?: "");
}

/* An admin names static members by their group.instance.id alone. */
static int leave(struct kl_dev_group *group, const struct kl_leave_group_request_member *asked)
{
	struct kl_dev_member *member = kl_dev_member_expected(group, asked->member_id);
	if (member != NULL) {
		kl_dev_member_free(member);
		return 0;
	}
	if (asked->member_id.len == 0) {
		member = kl_dev_member_static(group, asked->group_instance_id);
	} else {
		int rc = kl_dev_member_check(group, asked->member_id,
					     asked->group_instance_id);
		if (rc != 0)
			return rc;
		member = kl_dev_member_find(group, asked->member_id);
	}
	if (member == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	say(group, member, asked->reason);
	kl_dev_classic_remove(member);
	return 0;
}

/* Members of a modern group, whatever protocol they speak: they go all at once. false: out of
 * memory. */
static bool leave_modern(struct kl_dev_call *call, struct kl_dev_group *group,
			 const struct kl_leave_group_request_member *asked, size_t n,
			 struct work *work)
{
	struct kl_leave_group_response_member *out = work->response.members;
	struct kl_dev_modern_member **gone = kl_arena_array(&call->arena, n, sizeof(*gone));
	struct kl_dev_modern_member *member;
	size_t count = 0;
	if (gone == NULL)
		return false;
	for (size_t i = 0; i < n; i++) {
		out[i].error_code =
			(int16_t)kl_dev_modern_leaving(group, &asked[i], &member);
		if (out[i].error_code != 0 || member->goes)
			continue;
		member->goes = true;
		gone[count++] = member;
	}
	for (size_t i = 0; i < count; i++)
		gone[i]->goes = false;
	work->response.error_code = (int16_t)kl_dev_modern_remove(gone, count, "leaves");
	return true;
}

/* All in the form of newer versions. NULL: out of memory. */
static const struct kl_leave_group_request_member *members_of(struct kl_dev_call *call,
							      size_t *n_out)
{
	const struct kl_leave_group_request *request = call->request;
	*n_out = call->version >= MANY ? (size_t)kl_max(request->members_n, 0) : 1;
	if (call->version >= MANY)
		return *n_out > 0 ? request->members
				  : kl_arena_alloc(&call->arena, sizeof(*request->members));
	struct kl_leave_group_request_member *one =
		kl_type_new(&kl_type_leave_group_request_member, &call->arena, 1);
	if (one != NULL)
		one->member_id = request->member_id;
	return one;
}

/* false: out of memory. */
static bool leave_all(struct kl_dev_call *call, struct kl_dev_group *group, struct work *work)
{
	size_t n, left = 0;
	const struct kl_leave_group_request_member *members = members_of(call, &n);
	struct kl_leave_group_response_member *out =
		kl_type_new(&kl_type_leave_group_response_member, &call->arena, n);
	if (members == NULL || out == NULL)
		return false;
	work->response.members = out;
	work->response.members_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		out[i].member_id = members[i].member_id;
		out[i].group_instance_id = members[i].group_instance_id;
	}
	if (group != NULL && group->type != &kl_dev_classic_type)
		return leave_modern(call, group, members, n, work);
	for (size_t i = 0; i < n; i++) {
		out[i].error_code = (int16_t)(group != NULL ? leave(group, &members[i])
							    : KLAMM_ERR_UNKNOWN_MEMBER_ID);
		left += out[i].error_code == 0;
	}
	if (left > 0 && !group->type->is_empty(group))
		kl_dev_classic_rebalance(group, "rebalance, members left");
	return true;
}

static int begin(struct kl_dev_call *call, struct kl_dev_partition **home_out)
{
	const struct kl_leave_group_request *request = call->request;
	int error = kl_dev_call_error(call);
	if (error != 0)
		return error;
	if (request->group_id.len <= 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	return kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, home_out);
}

void kl_dev_leave_group(struct kl_dev_call *call)
{
	const struct kl_leave_group_request *request = call->request;
	struct kl_dev_partition *home = NULL;
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.pledge.settled = true};
	kl_msg_init(&kl_msg_leave_group_response, &work->response);
	call->work = work;
	int error = begin(call, &home);
	struct kl_dev_group *group =
		error == 0 ? kl_dev_group_find(call->broker, request->group_id) : NULL;
	work->response.error_code = (int16_t)error;
	if (error == 0 && !leave_all(call, group, work)) {
		kl_dev_call_fail(call);
		return;
	}
	if (error == 0)
		work->pledge = kl_dev_pledge_on(home);
	kl_dev_call_settle(call, &work->pledge, 1, answer);
}
