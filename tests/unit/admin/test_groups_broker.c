/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups through the admin client at the dev broker: what one call stores another shows. */
#include <klamm/admin.h>
#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <stdio.h>

#include "core/proto/gen/api.h"
#include "tests/unit/unit.h"

#define PATIENCE 20000

static struct klamm_broker *broker;
static struct klamm_admin *client;

static void set_up(void)
{
	struct klamm_broker_options options = {.size = sizeof(options), .nodes = 3};
	struct klamm_conf *conf;
	struct klamm_error err;
	ck_assert_msg(klamm_broker_new(&options, &broker, &err) == 0, "%s", err.text);
	ck_assert_int_eq(klamm_broker_create_topic(broker, "t", 3, NULL), 0);
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers",
					klamm_broker_address(broker), NULL),
			 0);
	ck_assert_int_eq(klamm_conf_set(conf, "retry.backoff.ms", "5", NULL), 0);
	ck_assert_msg(klamm_admin_new(conf, NULL, &client, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
}

static void tear_down(void)
{
	klamm_admin_free(client);
	klamm_broker_free(broker);
}

static void alter(const char *group, int64_t offset)
{
	struct klamm_error err;
	struct klamm_offset offsets[2] = {{"t", 0, 3, offset, "a note"},
					  {"t", 2, -1, 9, NULL}};
	ck_assert_msg(klamm_admin_alter_group_offsets(client, group, offsets, 2, PATIENCE,
						      NULL, &err) == 0,
		      "%s", err.text);
}

static struct klamm_group_offsets_list *offsets_of(const char *const *groups, size_t n)
{
	struct klamm_group_offsets_query queries[20];
	const struct klamm_group_offsets_query *pointers[20];
	struct klamm_group_offsets_list *list;
	struct klamm_error err;
	for (size_t i = 0; i < n; i++) {
		queries[i] = (struct klamm_group_offsets_query){.size = sizeof(queries[i]),
								.group = groups[i]};
		pointers[i] = &queries[i];
	}
	ck_assert_msg(klamm_admin_list_group_offsets(client, pointers, n, 0, PATIENCE,
						     &list, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(list->count, n);
	return list;
}

/* Many groups, whose coordinators are all of the nodes. */
START_TEST(offsets_there_and_back)
{
	char names[20][8];
	const char *groups[20];
	for (int i = 0; i < 20; i++) {
		snprintf(names[i], sizeof(names[i]), "g%d", i);
		groups[i] = names[i];
		if (i < 19)
			alter(names[i], 100 + i);
	}
	struct klamm_group_offsets_list *list = offsets_of(groups, 20);
	for (int i = 0; i < 19; i++) {
		const struct klamm_group_offsets *g = list->groups[i];
		ck_assert_str_eq(g->group, groups[i]);
		ck_assert_uint_eq(g->count, 2);
		ck_assert_str_eq(g->offsets[0]->topic, "t");
		ck_assert_int_eq(g->offsets[0]->partition, 0);
		ck_assert_int_eq(g->offsets[0]->offset, 100 + i);
		ck_assert_int_eq(g->offsets[0]->leader_epoch, 3);
		ck_assert_str_eq(g->offsets[0]->metadata, "a note");
		ck_assert_int_eq(g->offsets[1]->offset, 9);
		ck_assert_str_eq(g->offsets[1]->metadata, "");
	}
	ck_assert_uint_eq(list->groups[19]->count, 0); /* nobody has heard of it */
	klamm_group_offsets_list_free(list);
	/* A request for each node, and perhaps one again for who was still starting. */
	ck_assert_int_le(klamm_broker_request_count(broker, KL_API_OFFSET_FETCH), 6);
}
END_TEST

START_TEST(offsets_by_partition)
{
	static const struct klamm_topic_partition partitions[] = {{"t", 1}, {"t", 2}};
	const struct klamm_group_offsets_query query = {
		.size = sizeof(query), .group = "g", .partitions = partitions, .count = 2};
	const struct klamm_group_offsets_query *pointer = &query;
	struct klamm_group_offsets_list *list;
	struct klamm_error err;
	klamm_broker_limit_api(broker, KL_API_OFFSET_FETCH, 0, _i, NULL);
	alter("g", 1);
	ck_assert_msg(klamm_admin_list_group_offsets(client, &pointer, 1, 0, PATIENCE,
						     &list, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(list->groups[0]->count, 2);
	ck_assert_int_eq(list->groups[0]->offsets[0]->partition, 1);
	ck_assert_int_eq(list->groups[0]->offsets[0]->offset, -1);
	ck_assert_int_eq(list->groups[0]->offsets[0]->error, 0);
	ck_assert_int_eq(list->groups[0]->offsets[1]->offset, 9);
	klamm_group_offsets_list_free(list);
}
END_TEST

START_TEST(offsets_forgotten)
{
	static const struct klamm_topic_partition gone[] = {{"t", 0}, {"none", 0}};
	static const char *const groups[] = {"g"};
	struct klamm_error errors[2], err;
	alter("g", 1);
	ck_assert_int_eq(klamm_admin_delete_group_offsets(client, "g", gone, 2, PATIENCE,
							  errors, &err),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_msg(errors[0].code == 0, "%s", errors[0].text);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: none [0]: "));
	struct klamm_group_offsets_list *list = offsets_of(groups, 1);
	ck_assert_uint_eq(list->groups[0]->count, 1);
	ck_assert_int_eq(list->groups[0]->offsets[0]->partition, 2);
	klamm_group_offsets_list_free(list);
	ck_assert_int_eq(klamm_admin_delete_group_offsets(client, "none", gone, 1, PATIENCE,
							  NULL, &err),
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
}
END_TEST

/* Another node coordinates the group, and the old one says so. */
START_TEST(a_coordinator_moves)
{
	static const char *const groups[] = {"g"};
	alter("g", 1);
	ck_assert_int_eq(
		klamm_broker_fault(broker, "offset_fetch coordinator=next", NULL, NULL), 0);
	struct klamm_group_offsets_list *list = offsets_of(groups, 1);
	ck_assert_uint_eq(list->groups[0]->count, 2);
	klamm_group_offsets_list_free(list);
	ck_assert_int_eq(klamm_broker_request_count(broker, KL_API_OFFSET_FETCH), 2);
}
END_TEST

/* --- members --- */

static struct klamm_consumer *join(void)
{
	static const char *const pairs[][2] = {
		{"group.id", "g"},         {"group.instance.id", "one"},
		{"client.id", "reader"},   {"partition.assignment.strategy", "range"},
		{"retry.backoff.ms", "5"}, {"fetch.max.wait.ms", "20"},
	};
	static const char *const topics[] = {"t"};
	const struct klamm_topic_partition *assigned;
	struct klamm_consumer *consumer;
	struct klamm_batch *batch;
	struct klamm_conf *conf;
	struct klamm_error err;
	size_t count = 0;
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	klamm_conf_set(conf, "bootstrap.servers", klamm_broker_address(broker), NULL);
	for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++)
		ck_assert_msg(klamm_conf_set(conf, pairs[i][0], pairs[i][1], &err) == 0,
			      "%s", err.text);
	ck_assert_msg(klamm_consumer_new(conf, NULL, &consumer, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	ck_assert_msg(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err) == 0, "%s",
		      err.text);
	for (int i = 0; i < 400 && count == 0; i++) {
		klamm_consumer_poll(consumer, 50, &batch, NULL);
		klamm_consumer_assignment(consumer, &assigned, &count, NULL);
	}
	ck_assert_uint_eq(count, 3);
	return consumer;
}

START_TEST(a_group_with_a_member)
{
	static const char *const groups[] = {"g"}, *const states[] = {"Stable"};
	static const struct klamm_topic_partition one = {"t", 0};
	const struct klamm_group_filter filter = {
		.size = sizeof(filter), .states = states, .state_count = 1};
	const struct klamm_offset offset = {"t", 0, -1, 3, NULL};
	struct klamm_group_descriptions *told;
	struct klamm_group_list *list;
	struct klamm_error err;
	alter("g", 1);
	struct klamm_consumer *consumer = join();
	ck_assert_msg(klamm_admin_describe_groups(client, groups, 1, 0, PATIENCE, &told,
						  &err) == 0,
		      "%s", err.text);
	const struct klamm_group_description *g = told->groups[0];
	ck_assert_str_eq(g->type, "classic");
	ck_assert_str_eq(g->state, "Stable");
	ck_assert_str_eq(g->assignor, "range");
	ck_assert_uint_eq(g->member_count, 1);
	const struct klamm_group_member *m = g->members[0];
	ck_assert_str_eq(m->instance_id, "one");
	ck_assert_str_eq(m->client_id, "reader");
	ck_assert_uint_eq(m->topic_count, 1);
	ck_assert_uint_eq(m->assignment_count, 3);
	ck_assert_str_eq(m->assignment[2].topic, "t");
	ck_assert_int_eq(m->assignment[2].partition, 2);
	klamm_group_descriptions_free(told);
	ck_assert_int_eq(klamm_admin_list_groups(client, &filter, PATIENCE, &list, NULL),
			 0);
	ck_assert_uint_eq(list->count, 1);
	ck_assert_str_eq(list->groups[0]->id, "g");
	klamm_group_list_free(list);
	/* Who lives is not to be undercut. */
	ck_assert_int_eq(klamm_admin_delete_groups(client, groups, 1, PATIENCE, NULL, &err),
			 KLAMM_ERR_NON_EMPTY_GROUP);
	ck_assert_int_eq(klamm_admin_delete_group_offsets(client, "g", &one, 1, PATIENCE,
							  NULL, &err),
			 KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(klamm_admin_alter_group_offsets(client, "g", &offset, 1, PATIENCE,
							 NULL, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_msg(strstr(err.text, "the group has members") != NULL, "%s", err.text);
	/* A static member stays when it closes, until it is removed. */
	ck_assert_int_eq(klamm_consumer_close(consumer, PATIENCE, NULL), 0);
	ck_assert_msg(klamm_admin_remove_group_members(client, "g", NULL, 0, "tidy",
						       PATIENCE, NULL, &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(klamm_broker_request_count(broker, KL_API_LEAVE_GROUP), 1);
	ck_assert_msg(klamm_admin_delete_groups(client, groups, 1, PATIENCE, NULL, &err) ==
			      0,
		      "%s", err.text);
}
END_TEST

UNIT_SUITE(admin_groups_broker)
{
	Suite *s = suite_create("admin_groups_broker");
	unit_add_fixture(s, offsets_there_and_back, set_up, tear_down);
	unit_add_case(s, "offsets_by_partition", offsets_by_partition, set_up, tear_down,
		      10);
	unit_add_fixture(s, offsets_forgotten, set_up, tear_down);
	unit_add_fixture(s, a_coordinator_moves, set_up, tear_down);
	unit_add_fixture(s, a_group_with_a_member, set_up, tear_down);
	return s;
}
