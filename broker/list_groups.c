/* SPDX-License-Identifier: BSD-2-Clause */
/* ListGroups 0-5: those whose coordinator is asked. */
#include <strings.h>

#include "broker/coordinators.h"
#include "broker/groups.h"

/* Case makes no difference, nor do blanks around it. */
static bool is_named(struct kl_str text, const char *name, bool trims)
{
	while (trims && text.len > 0 && (uint8_t)text.p[0] <= ' ')
		text.p++, text.len--;
	while (trims && text.len > 0 && (uint8_t)text.p[text.len - 1] <= ' ')
		text.len--;
	return text.len == (int32_t)strlen(name) &&
	       strncasecmp(text.p, name, (size_t)text.len) == 0;
}

/* No filter lets everything through. */
static bool is_among(const struct kl_str *filter, int32_t n, const char *name, bool trims)
{
	for (int32_t i = 0; i < n; i++)
		if (is_named(filter[i], name, trims))
			return true;
	return n <= 0;
}

static bool is_wanted(const struct kl_dev_call *call, const struct kl_dev_group *group)
{
	const struct kl_list_groups_request *request = call->request;
	const struct kl_dev_partition *home =
		kl_dev_home(call->broker, KL_DEV_GROUP, kl_dev_group_id(group));
	return home != NULL && home->leader == call->conn->node->id &&
	       is_among(request->states_filter, request->states_filter_n,
			group->type->state(group), true) &&
	       is_among(request->types_filter, request->types_filter_n, group->type->name,
			false);
}

void kl_dev_list_groups(struct kl_dev_call *call)
{
	struct klamm_broker *broker = call->broker;
	struct kl_list_groups_response response;
	struct kl_dev_group *group, *next;
	kl_msg_init(&kl_msg_list_groups_response, &response);
	response.error_code = (int16_t)kl_dev_call_error(call);
	response.groups = kl_type_new(&kl_type_list_groups_response_group, &call->arena,
				      HASH_COUNT(broker->groups.by_id));
	if (response.groups == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	HASH_ITER(hh, broker->groups.by_id, group, next)
	{
		if (response.error_code != 0 || !is_wanted(call, group))
			continue;
		struct kl_list_groups_response_group *out =
			&response.groups[response.groups_n++];
		out->group_id = kl_dev_group_id(group);
		out->protocol_type = group->type->protocol(group);
		out->group_state = kl_str(group->type->state(group));
		out->group_type = kl_str(group->type->name);
	}
	kl_dev_answer(call, &response);
}
