/* SPDX-License-Identifier: BSD-2-Clause */
/* DeleteGroups 0-3. */
#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/offsets.h"

struct work {
	struct kl_delete_groups_response response;
	struct kl_dev_pledge *pledges;
	size_t count;
};

static struct kl_str message_of(int error)
{
	switch (error) {
	case KLAMM_ERR_GROUP_ID_NOT_FOUND:
		return KL_STR("There is no such group.");
	case KLAMM_ERR_NON_EMPTY_GROUP:
		return KL_STR("The group has members.");
	default:
		return KL_STR_NULL;
	}
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	for (size_t i = 0; i < work->count; i++) {
		struct kl_delete_groups_response_group *out = &work->response.results[i];
		if (out->error_code == 0 && work->pledges[i].error != 0)
			out->error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
		out->error_message = message_of(out->error_code);
	}
	kl_dev_answer(call, &work->response);
}

static int delete_group(struct kl_dev_call *call, struct kl_str id,
			struct kl_dev_pledge *pledge_out)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_partition *home;
	struct kl_dev_batch batch;
	int error = kl_dev_call_home(call, KL_DEV_GROUP, id, &home);
	if (error != 0)
		return error;
	struct kl_dev_group *group = kl_dev_group_find(broker, id);
	if (group == NULL)
		return KLAMM_ERR_GROUP_ID_NOT_FOUND;
	if (!group->type->is_empty(group))
		return KLAMM_ERR_NON_EMPTY_GROUP;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	kl_dev_offsets_put_none(&batch, group);
	group->type->put_tombstones(group, &batch);
	error = kl_dev_group_append(broker, home, &batch, -1, -1);
	kl_dev_batch_free(&batch);
	*pledge_out = kl_dev_pledge_on(home);
	return error;
}

static int compare(const void *x, const void *y)
{
	const struct kl_str *a = x, *b = y;
	int32_t n = kl_max(a->len, 0), m = kl_max(b->len, 0);
	int diff = memcmp(a->p ?: "", b->p ?: "", (size_t)kl_min(n, m));
	return diff != 0 ? diff : (n > m) - (n < m);
}

/* Each once, however often it is named; false: out of memory. */
static bool delete_all(struct kl_dev_call *call, struct work *work)
{
	const struct kl_delete_groups_request *request = call->request;
	struct kl_delete_groups_response *response = &work->response;
	size_t n = (size_t)kl_max(request->groups_names_n, 0);
	response->results =
		kl_type_new(&kl_type_delete_groups_response_group, &call->arena, n);
	work->pledges = kl_arena_array(&call->arena, n, sizeof(*work->pledges));
	struct kl_str *names = kl_arena_array(&call->arena, n, sizeof(*names));
	if (response->results == NULL || work->pledges == NULL || names == NULL)
		return false;
	if (n > 0)
		memcpy(names, request->groups_names, n * sizeof(*names));
	qsort(names, n, sizeof(*names), compare);
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && kl_str_equal(names[i], names[i - 1]))
			continue;
		struct kl_dev_pledge *pledge = &work->pledges[work->count++];
		struct kl_delete_groups_response_group *out =
			&response->results[response->results_n++];
		*pledge = (struct kl_dev_pledge){.settled = true};
		out->group_id = names[i];
		out->error_code = (int16_t)delete_group(call, names[i], pledge);
	}
	return true;
}

void kl_dev_delete_groups(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.count = 0};
	kl_msg_init(&kl_msg_delete_groups_response, &work->response);
	call->work = work;
	if (delete_all(call, work))
		kl_dev_call_settle(call, work->pledges, work->count, answer);
	else
		kl_dev_call_fail(call);
}
