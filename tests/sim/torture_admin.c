/* SPDX-License-Identifier: BSD-2-Clause */
/* The admin client's part of a session: groups are made by their offsets, looked at and
 * deleted, a topic comes and goes. What a call says to have done shows in the next one's
 * answer. */
#include <klamm/admin.h>

#include "tests/sim/torture.h"

#define PATIENCE_MS 5000

static const char *const groups[] = {"one", "two"};

#define UNTOLD INT32_MIN /* no error has this code */

/* However a call on several things ends, each of them has its error, or none. */
static bool judge_each(struct torture *t, const char *call, int rc,
		       const struct klamm_error *errors, size_t count,
		       const struct klamm_error *err)
{
	int first = 0;
	for (size_t i = 0; i < count; i++) {
		if (errors[i].code == UNTOLD)
			torture_complain(t, "%s: error %zu is not filled\n", call, i);
		if (first == 0)
			first = errors[i].code;
	}
	if (count > 0 && first != rc)
		torture_complain(t, "%s: %d is returned, %d is the first error\n", call,
				 rc, first);
	return torture_judge(t, call, rc, err);
}

/* A topic comes and goes, and records go. */
static void change_topics(struct torture *t, struct klamm_admin *admin)
{
	static const char *const names[] = {"more"};
	const struct klamm_new_topic topic = {
		.size = sizeof(topic),
		.name = names[0],
		.partitions = 1,
		.replicas = 1,
	};
	const struct klamm_new_topic *pointer = &topic;
	struct klamm_record_deletion records = {
		.size = sizeof(records),
		.topic = TORTURE_TOPIC,
		.before = -1,
	};
	struct klamm_error each = {.code = UNTOLD}, err;
	int rc = klamm_admin_create_topics(admin, &pointer, 1, 0, PATIENCE_MS, &each, &err);
	bool made = judge_each(t, "create_topics", rc, &each, 1, &err);
	each.code = UNTOLD;
	rc = klamm_admin_delete_records(admin, &records, 1, PATIENCE_MS, &each, &err);
	judge_each(t, "delete_records", rc, &each, 1, &err);
	each.code = UNTOLD;
	if (made) {
		rc = klamm_admin_delete_topics(admin, names, 1, PATIENCE_MS, &each, &err);
		judge_each(t, "delete_topics", rc, &each, 1, &err);
	}
}

static bool alter(struct torture *t, struct klamm_admin *admin, const char *group)
{
	const struct klamm_offset offsets[] = {{TORTURE_TOPIC, 0, -1, 7, "a note"},
					       {TORTURE_TOPIC, 1, 2, 8, NULL}};
	struct klamm_error errors[2] = {{.code = UNTOLD}, {.code = UNTOLD}}, err;
	int rc = klamm_admin_alter_group_offsets(admin, group, offsets, 2, PATIENCE_MS,
						 errors, &err);
	return judge_each(t, "alter_group_offsets", rc, errors, 2, &err);
}

static void list(struct torture *t, struct klamm_admin *admin, size_t made)
{
	struct klamm_group_list *list;
	struct klamm_error err;
	int rc = klamm_admin_list_groups(admin, NULL, PATIENCE_MS, &list, &err);
	if (torture_judge(t, "list_groups", rc, &err) && list->count < made)
		torture_complain(t, "%zu groups are there, not %zu\n", list->count, made);
	klamm_group_list_free(list);
}

static void describe(struct torture *t, struct klamm_admin *admin, size_t made)
{
	struct klamm_group_descriptions *told;
	struct klamm_error err;
	int rc = klamm_admin_describe_groups(admin, groups, 2, 0, PATIENCE_MS, &told, &err);
	if (torture_judge(t, "describe_groups", rc, &err))
		for (size_t i = 0; i < made; i++)
			if (strcmp(told->groups[i]->state, "Empty") != 0)
				torture_complain(t, "group %s is %s\n", groups[i],
						 told->groups[i]->state);
	klamm_group_descriptions_free(told);
}

static void offsets(struct torture *t, struct klamm_admin *admin, size_t made)
{
	struct klamm_group_offsets_query queries[2];
	const struct klamm_group_offsets_query *pointers[2] = {&queries[0], &queries[1]};
	struct klamm_group_offsets_list *told;
	struct klamm_error err;
	for (int i = 0; i < 2; i++)
		queries[i] = (struct klamm_group_offsets_query){.size = sizeof(queries[i]),
								.group = groups[i]};
	int rc = klamm_admin_list_group_offsets(admin, pointers, 2, 0, PATIENCE_MS, &told,
						&err);
	if (torture_judge(t, "list_group_offsets", rc, &err))
		for (size_t i = 0; i < made; i++)
			if (told->groups[i]->count != 2 ||
			    told->groups[i]->offsets[0]->offset != 7 ||
			    told->groups[i]->offsets[1]->leader_epoch != 2)
				torture_complain(t, "group %s has other offsets\n",
						 groups[i]);
	klamm_group_offsets_list_free(told);
}

static void take_away(struct torture *t, struct klamm_admin *admin, size_t made)
{
	const struct klamm_topic_partition gone = {TORTURE_TOPIC, 1};
	const struct klamm_member_name nobody = {.id = "nobody"};
	struct klamm_error errors[2] = {{.code = UNTOLD}, {.code = UNTOLD}}, err;
	int rc = klamm_admin_delete_group_offsets(admin, groups[0], &gone, 1, PATIENCE_MS,
						  errors, &err);
	judge_each(t, "delete_group_offsets", rc, errors, 1, &err);
	errors[0].code = UNTOLD;
	rc = klamm_admin_remove_group_members(admin, groups[0], &nobody, 1, NULL,
					      PATIENCE_MS, errors, &err);
	judge_each(t, "remove_group_members", rc, errors, 1, &err);
	rc = klamm_admin_remove_group_members(admin, groups[0], NULL, 0, NULL, PATIENCE_MS,
					      NULL, &err);
	torture_judge(t, "remove_group_members", rc, &err);
	errors[0].code = errors[1].code = UNTOLD;
	rc = klamm_admin_delete_groups(admin, groups, made, PATIENCE_MS, errors, &err);
	judge_each(t, "delete_groups", rc, errors, made, &err);
}

void torture_administer(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_admin *admin;
	struct klamm_error err;
	if (!torture_judge(t, "admin_new", klamm_admin_new(conf, loop, &admin, &err), &err))
		return;
	size_t made = 0;
	while (made < 2 && alter(t, admin, groups[made]))
		made++;
	list(t, admin, made);
	describe(t, admin, made);
	offsets(t, admin, made);
	take_away(t, admin, made);
	change_topics(t, admin);
	klamm_admin_free(admin);
}
