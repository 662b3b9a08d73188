/* SPDX-License-Identifier: BSD-2-Clause */
/* Deleting groups, and taking members out of one. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/error.h"

/* --- delete --- */

static const void *delete_prepare(struct kl_scatter *scatter, struct kl_part *part,
				  int version)
{
	struct kl_delete_groups_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_delete_groups_request, body);
	size_t n = 0;
	kl_part_for (item, part)
		n++;
	body->groups_names = kl_arena_array(&part->arena, n, sizeof(*body->groups_names));
	if (body->groups_names == NULL)
		return NULL;
	kl_part_for (item, part)
		body->groups_names[body->groups_names_n++] = kl_str(item->name);
	return body;
}

static void delete_answer(struct kl_scatter *scatter, struct kl_part *part,
			  const void *response, int version)
{
	const struct kl_delete_groups_response *body = response;
	for (int32_t i = 0; i < body->results_n; i++) {
		const struct kl_delete_groups_response_group *told = &body->results[i];
		struct kl_item *item = kl_part_item(part, told->group_id);
		if (item == NULL)
			continue;
		/* The request whose answer was lost has deleted it. */
		int code = told->error_code;
		if (code == KLAMM_ERR_GROUP_ID_NOT_FOUND && item->maybe_applied)
			code = 0;
		kl_item_told(scatter, item, code, told->error_message);
	}
}

static const struct kl_scatter_ops delete_ops = {
	.what = "deleting groups",
	.prepare = delete_prepare,
	.answer = delete_answer,
};

int klamm_admin_delete_groups(struct klamm_admin *admin, const char *const *ids,
			      size_t count, int64_t timeout_ms, struct klamm_error *errors,
			      struct klamm_error *err)
{
	struct kl_scatter scatter;
	struct klamm_error wrong;
	kl_scatter_init(&scatter, &delete_ops, count, KL_API_DELETE_GROUPS);
	if (scatter.items == NULL)
		return kl_admin_no_memory("groups", errors, count, err);
	int rc = kl_check_groups(ids, count, &wrong);
	if (rc != 0) {
		kl_admin_refuse(&wrong, errors, count, err);
	} else {
		for (size_t i = 0; i < count; i++)
			scatter.items[i].name = ids[i];
		rc = kl_scatter_run(admin, &scatter, timeout_ms, err);
		kl_scatter_errors(&scatter, errors, NULL);
	}
	kl_scatter_free(&scatter);
	return rc;
}

/* --- remove members --- */

struct removal {
	struct kl_scatter scatter;
	const struct klamm_member_name *members;
	struct klamm_error *errors; /* of each */
	bool *told;
	size_t count;
	const char *reason;
};

static struct removal *removal_of(struct kl_scatter *scatter)
{
	return kl_container(scatter, struct removal, scatter);
}

static const char *shown(const struct klamm_member_name *member)
{
	return member->instance_id != NULL ? member->instance_id : member->id;
}

static const void *remove_prepare(struct kl_scatter *scatter, struct kl_part *part,
				  int version)
{
	struct removal *r = removal_of(scatter);
	struct kl_leave_group_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_leave_group_request, body);
	body->group_id = kl_str(scatter->items[0].name);
	body->members =
		kl_type_new(&kl_type_leave_group_request_member, &part->arena, r->count);
	if (body->members == NULL)
		return NULL;
	body->members_n = (int32_t)r->count;
	for (size_t i = 0; i < r->count; i++) {
		const struct klamm_member_name *member = &r->members[i];
		struct kl_leave_group_request_member *to = &body->members[i];
		to->member_id = kl_str(member->id != NULL ? member->id : "");
		to->group_instance_id = kl_str(member->instance_id);
		if (version >= 5)
			to->reason = kl_str(r->reason);
	}
	return body;
}

static bool is_member(const struct klamm_member_name *member,
		      const struct kl_leave_group_response_member *told)
{
	if (member->instance_id != NULL)
		return kl_str_is(told->group_instance_id, member->instance_id);
	return told->group_instance_id.len < 0 && kl_str_is(told->member_id, member->id);
}

static void member_told(struct removal *r, size_t i, int code, bool maybe_applied)
{
	/* The request whose answer was lost has removed it. */
	if (code == KLAMM_ERR_UNKNOWN_MEMBER_ID && maybe_applied)
		code = 0;
	r->told[i] = true;
	kl_admin_item_error(&r->errors[i], code, "member", shown(&r->members[i]),
			    KL_STR_NULL);
	if (code != 0)
		kl_error_prefix(&r->errors[i], "group %.100s", r->scatter.items[0].name);
}

static void remove_answer(struct kl_scatter *scatter, struct kl_part *part,
			  const void *response, int version)
{
	const struct kl_leave_group_response *body = response;
	struct removal *r = removal_of(scatter);
	struct kl_item *item = &scatter->items[0];
	for (int32_t i = 0; body->error_code == 0 && i < body->members_n; i++)
		for (size_t j = 0; j < r->count; j++)
			if (!r->told[j] && is_member(&r->members[j], &body->members[i])) {
				member_told(r, j, body->members[i].error_code,
					    item->maybe_applied);
				break;
			}
	kl_item_told(scatter, item, body->error_code, KL_STR_NULL);
}

static const struct kl_scatter_ops remove_ops = {
	.what = "removing members",
	.prepare = remove_prepare,
	.answer = remove_answer,
};

/* The first error; the call's own is each member's, unless that was told. */
static int settle(struct removal *r, struct klamm_error *errors, struct klamm_error *err)
{
	const struct klamm_error *all = &r->scatter.items[0].err, *first = NULL;
	for (size_t i = 0; i < r->count; i++) {
		if (all->code != 0)
			r->errors[i] = *all;
		else if (!r->told[i])
			kl_error(&r->errors[i], KLAMM_ERR_PROTOCOL,
				 "group %.100s: member %.100s: the broker's answer left it "
				 "out",
				 r->scatter.items[0].name, shown(&r->members[i]));
		if (errors != NULL)
			errors[i] = r->errors[i];
		if (first == NULL && r->errors[i].code != 0)
			first = &r->errors[i];
	}
	return first != NULL ? kl_error_copy(err, first) : 0;
}

static int remove_named(struct klamm_admin *admin, const char *group,
			const struct klamm_member_name *members, size_t count,
			const char *reason, int64_t timeout_ms, struct klamm_error *errors,
			struct klamm_error *err)
{
	struct removal r = {.members = members, .count = count, .reason = reason};
	int rc;
	kl_scatter_init(&r.scatter, &remove_ops, 1, KL_API_LEAVE_GROUP);
	r.scatter.min_version = 3;
	r.errors = calloc(count + 1, sizeof(*r.errors));
	r.told = calloc(count + 1, sizeof(*r.told));
	if (r.scatter.items == NULL || r.errors == NULL || r.told == NULL) {
		rc = kl_admin_no_memory("members", errors, count, err);
	} else {
		for (size_t i = 0; i < count; i++)
			kl_error_clear(&r.errors[i]);
		r.scatter.items[0].name = group;
		kl_scatter_run(admin, &r.scatter, timeout_ms, NULL);
		rc = settle(&r, errors, err);
	}
	kl_scatter_free(&r.scatter);
	free(r.errors);
	free(r.told);
	return rc;
}

/* KIP-571: static members by their instance ids, so that one that comes back between the two
 * requests goes all the same. */
static int remove_all(struct klamm_admin *admin, const char *group, const char *reason,
		      int64_t timeout_ms, struct klamm_error *err)
{
	struct klamm_group_descriptions *groups;
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = admin->settings->default_api_timeout_ms;
	int64_t deadline = kl_os_deadline_ms(admin->os, timeout_ms);
	int rc = klamm_admin_describe_groups(admin, &group, 1, 0, timeout_ms, &groups, err);
	size_t n = rc == 0 ? groups->groups[0]->member_count : 0;
	struct klamm_member_name *members = calloc(n + 1, sizeof(*members));
	if (rc == 0 && members == NULL)
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu members", n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		const struct klamm_group_member *m = groups->groups[0]->members[i];
		members[i].id = m->instance_id == NULL ? m->id : NULL;
		members[i].instance_id = m->instance_id;
	}
	if (rc == 0 && n > 0)
		rc = remove_named(admin, group, members, n, reason,
				  kl_admin_left_ms(admin, deadline), NULL, err);
	free(members);
	klamm_group_descriptions_free(groups);
	return rc;
}

static int check_members(const char *group, const struct klamm_member_name *members,
			 size_t count, struct klamm_error *err)
{
	int rc = kl_check_groups(&group, 1, err);
	for (size_t i = 0; rc == 0 && members != NULL && i < count; i++)
		if (members[i].id == NULL && members[i].instance_id == NULL)
			rc = kl_error(
				err, KLAMM_ERR_INVALID_ARGUMENT,
				"group %.100s: a member needs an id or an instance id",
				group);
	return rc;
}

int klamm_admin_remove_group_members(struct klamm_admin *admin, const char *group,
				     const struct klamm_member_name *members, size_t count,
				     const char *reason, int64_t timeout_ms,
				     struct klamm_error *errors, struct klamm_error *err)
{
	struct klamm_error wrong;
	if (check_members(group, members, count, &wrong) != 0)
		return kl_admin_refuse(&wrong, errors, count, err);
	if (members == NULL)
		return remove_all(admin, group, reason, timeout_ms, err);
	return count == 0 ? 0
			  : remove_named(admin, group, members, count, reason, timeout_ms,
					 errors, err);
}
