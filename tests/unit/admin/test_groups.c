/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups through the admin client: what is asked of which coordinator, what is asked again,
 * what older brokers are asked in its stead, and whose error is whose. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/admin/pair.h"
#include "tests/unit/unit.h"

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

/* --- list --- */

static struct kl_list_groups_response *groups_answer(const struct kl_frame_header *head,
						     struct kl_arena *arena,
						     const char *const *ids, size_t n)
{
	struct kl_list_groups_response *body = peer_answer(head, arena);
	body->groups = kl_type_new(&kl_type_list_groups_response_group, arena, n);
	body->groups_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		body->groups[i].group_id = kl_str(ids[i]);
		body->groups[i].protocol_type = KL_STR("consumer");
		body->groups[i].group_state = KL_STR("Stable");
		body->groups[i].group_type = KL_STR("classic");
	}
	return body;
}

static const void *two_lists(struct peer *peer, const struct kl_frame_header *head,
			     const void *request, struct kl_arena *arena)
{
	static const char *const first[] = {"z", "moving", "a"}, *const other[] = {
									 "b", "moving"};
	if (head->api != KL_API_LIST_GROUPS)
		return NULL;
	const struct kl_list_groups_request *ask = request;
	if (head->version >= 5 && peer->user != NULL) {
		ck_assert_int_eq(ask->states_filter_n, 1);
		ck_assert(kl_str_is(ask->states_filter[0], "Stable"));
		ck_assert_int_eq(ask->types_filter_n, 2);
		ck_assert(kl_str_is(ask->types_filter[1], "consumer"));
	}
	if (peer->id == 8 && peer->asked[head->api] == 1) {
		struct kl_list_groups_response *body = peer_answer(head, arena);
		body->error_code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
		return body;
	}
	return peer->id == 7 ? groups_answer(head, arena, first, 3)
			     : groups_answer(head, arena, other, 2);
}

START_TEST(list_asks_every_broker)
{
	struct klamm_group_list *list;
	struct klamm_error err;
	begin_both(two_lists);
	ck_assert_msg(klamm_admin_list_groups(admin, NULL, 20000, &list, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(list->count, 4);
	ck_assert_uint_eq(list->error_count, 0);
	static const char *const ids[] = {"a", "b", "moving", "z"};
	for (size_t i = 0; i < 4; i++) {
		ck_assert_str_eq(list->groups[i]->id, ids[i]);
		ck_assert_str_eq(list->groups[i]->state, "Stable");
		ck_assert_str_eq(list->groups[i]->type, "classic");
		ck_assert_str_eq(list->groups[i]->protocol_type, "consumer");
	}
	ck_assert_int_eq(list->groups[0]->coordinator, 7);
	ck_assert_int_eq(list->groups[1]->coordinator, 8);
	ck_assert_uint_eq(peers[0].asked[KL_API_LIST_GROUPS], 1);
	ck_assert_uint_eq(peers[1].asked[KL_API_LIST_GROUPS], 2);
	klamm_group_list_free(list);
	end();
}
END_TEST

static const struct klamm_group_filter filter = {
	.size = sizeof(filter),
	.states = (const char *const[]){"Stable"},
	.state_count = 1,
	.types = (const char *const[]){"classic", "consumer"},
	.type_count = 2,
};

/* Before 3.8 (version 5) there are classic groups only: that is what the types say. */
START_TEST(list_with_a_filter)
{
	struct klamm_group_filter consumers = filter;
	struct klamm_group_list *list;
	consumers.types = (const char *const[]){"consumer"};
	consumers.type_count = 1;
	begin_both(two_lists);
	for (int i = 0; i < 2; i++) {
		peers[i].user = peers;
		peers[i].max[KL_API_LIST_GROUPS] = _i == 0 ? 5 : 4;
	}
	ck_assert_int_eq(klamm_admin_list_groups(admin, &filter, 20000, &list, NULL), 0);
	ck_assert_uint_eq(list->count, 4);
	klamm_group_list_free(list);
	if (_i == 1) {
		ck_assert_int_eq(
			klamm_admin_list_groups(admin, &consumers, 20000, &list, NULL), 0);
		ck_assert_uint_eq(list->count, 0);
		klamm_group_list_free(list);
	}
	end();
}
END_TEST

static const void *one_denies(struct peer *peer, const struct kl_frame_header *head,
			      const void *request, struct kl_arena *arena)
{
	static const char *const ids[] = {"a"};
	if (head->api != KL_API_LIST_GROUPS)
		return NULL;
	struct kl_list_groups_response *body = groups_answer(head, arena, ids, 1);
	if (peer->id == 8)
		body->error_code = KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED;
	return body;
}

/* What the others told is not lost by one broker's error. */
START_TEST(list_with_an_error)
{
	struct klamm_group_list *list;
	struct klamm_error err;
	begin_both(one_denies);
	ck_assert_int_eq(klamm_admin_list_groups(admin, NULL, 20000, &list, &err),
			 KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED);
	ck_assert_msg(has(err.text, "broker 8: "), "%s", err.text);
	ck_assert_uint_eq(list->count, 1);
	ck_assert_uint_eq(list->error_count, 1);
	ck_assert_str_eq(list->errors[0].text, err.text);
	klamm_group_list_free(list);
	/* States are told from 2.6 on: version 4. */
	peers[0].max[KL_API_LIST_GROUPS] = peers[1].max[KL_API_LIST_GROUPS] = 3;
	klamm_admin_free(admin);
	char server[32];
	snprintf(server, sizeof(server), "127.0.0.1:%u", peers[0].port);
	admin = connect_to(server, NULL);
	ck_assert_int_eq(klamm_admin_list_groups(admin, &filter, 20000, &list, &err),
			 KLAMM_ERR_UNSUPPORTED);
	ck_assert_uint_eq(list->error_count, 2);
	klamm_group_list_free(list);
	struct klamm_group_filter small = {.size = 8};
	ck_assert_int_eq(klamm_admin_list_groups(admin, &small, 20000, &list, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_null(list);
	klamm_group_list_free(list);
	end();
}
END_TEST

/* --- describe --- */

/* "orders" with 2 and 0, "a" with 1; and a subscription to both, of rack r. */
#define ASSIGNMENT                                                                         \
	"0003 00000002 0006 6f7264657273 00000002 00000002 00000000"                       \
	"0001 61 00000001 00000001 ffffffff"
#define SUBSCRIPTION                                                                       \
	"0003 00000002 0006 6f7264657273 0001 61 ffffffff 00000000 00000005 0001 72"

static struct kl_bytes hex_bytes(const char *hex, struct kl_arena *arena)
{
	size_t n;
	uint8_t *bytes = unit_hex(hex, &n);
	struct kl_bytes copy = {(uint8_t *)kl_arena_text(arena, bytes, n), (int32_t)n};
	free(bytes);
	return copy;
}

static const void *classic_groups(const struct kl_frame_header *head,
				  const struct kl_describe_groups_request *ask,
				  struct kl_arena *arena)
{
	struct kl_describe_groups_response *body = peer_answer(head, arena);
	body->groups_n = ask->groups_n;
	body->groups = kl_type_new(&kl_type_describe_groups_response_group, arena,
				   (size_t)ask->groups_n);
	for (int32_t i = 0; i < ask->groups_n; i++) {
		struct kl_describe_groups_response_group *g = &body->groups[i];
		g->group_id = ask->groups[i];
		if (kl_str_is(g->group_id, "none")) {
			g->group_state = KL_STR("Dead");
			if (head->version >= 6) {
				g->error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
				g->error_message = KL_STR("Group none not found.");
			}
			continue;
		}
		bool connect = kl_str_is(g->group_id, "bconnect");
		g->group_state = KL_STR("Stable");
		g->protocol_type = connect ? KL_STR("connect") : KL_STR("consumer");
		g->protocol_data = KL_STR("range");
		if (ask->include_authorized_operations)
			g->authorized_operations = 8;
		g->members_n = 3;
		g->members =
			kl_type_new(&kl_type_describe_groups_response_member, arena, 3);
		static const char *const ids[] = {"m2", "m1", "m3"};
		for (int m = 0; m < 3; m++) {
			g->members[m].member_id = kl_str(ids[m]);
			g->members[m].client_id = KL_STR("client");
			g->members[m].client_host = KL_STR("/10.0.0.7");
			if (m == 2) /* no bytes of a consumer */
				g->members[m].member_assignment =
					hex_bytes("0003 7fffffff", arena);
		}
		g->members[1].member_metadata = hex_bytes(SUBSCRIPTION, arena);
		g->members[1].member_assignment = hex_bytes(ASSIGNMENT, arena);
		if (head->version >= 4)
			g->members[1].group_instance_id = KL_STR("static-1");
	}
	return body;
}

static void put_assignment(struct kl_consumer_group_describe_response_assignment *to,
			   struct kl_arena *arena, int32_t partition)
{
	to->topic_partitions_n = 1;
	to->topic_partitions =
		kl_type_new(&kl_type_consumer_group_describe_response_topic, arena, 1);
	to->topic_partitions[0].topic_name = KL_STR("orders");
	to->topic_partitions[0].partitions_n = 1;
	to->topic_partitions[0].partitions = kl_arena_array(arena, 1, 4);
	to->topic_partitions[0].partitions[0] = partition;
}

static void consumer_group(struct kl_consumer_group_describe_response_group *g,
			   struct kl_arena *arena)
{
	g->group_state = KL_STR("Reconciling");
	g->group_epoch = 9;
	g->assignment_epoch = 8;
	g->assignor_name = KL_STR("uniform");
	g->members_n = 1;
	g->members =
		kl_type_new(&kl_type_consumer_group_describe_response_member, arena, 1);
	struct kl_consumer_group_describe_response_member *m = &g->members[0];
	m->member_id = KL_STR("m");
	m->rack_id = KL_STR("r1");
	m->member_epoch = 7;
	m->subscribed_topic_regex = KL_STR("ord.*");
	m->subscribed_topic_names_n = 1;
	m->subscribed_topic_names = kl_arena_array(arena, 1, sizeof(struct kl_str));
	m->subscribed_topic_names[0] = KL_STR("orders");
	m->member_type = 1;
	put_assignment(&m->assignment, arena, 3);
	put_assignment(&m->target_assignment, arena, 4);
}

/* Groups called acons are of KIP-848. */
static const void *described(struct peer *peer, const struct kl_frame_header *head,
			     const void *request, struct kl_arena *arena)
{
	if (head->api == KL_API_DESCRIBE_GROUPS)
		return classic_groups(head, request, arena);
	if (head->api != KL_API_CONSUMER_GROUP_DESCRIBE)
		return NULL;
	const struct kl_consumer_group_describe_request *ask = request;
	struct kl_consumer_group_describe_response *body = peer_answer(head, arena);
	body->groups_n = ask->group_ids_n;
	body->groups = kl_type_new(&kl_type_consumer_group_describe_response_group, arena,
				   (size_t)ask->group_ids_n);
	for (int32_t i = 0; i < ask->group_ids_n; i++) {
		struct kl_consumer_group_describe_response_group *g = &body->groups[i];
		g->group_id = ask->group_ids[i];
		g->error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
		if (!kl_str_is(g->group_id, "acons"))
			continue;
		g->error_code = 0;
		consumer_group(g, arena);
	}
	return body;
}

static void check_classic(const struct klamm_group_description *g)
{
	ck_assert_msg(g->error.code == 0, "%s", g->error.text);
	ck_assert_str_eq(g->type, "classic");
	ck_assert_str_eq(g->state, "Stable");
	ck_assert_str_eq(g->protocol_type, "consumer");
	ck_assert_str_eq(g->assignor, "range");
	ck_assert_int_eq(g->epoch, -1);
	ck_assert_int_eq(g->coordinator, 8);
	ck_assert_uint_eq(g->member_count, 3);
	const struct klamm_group_member *m = g->members[0];
	ck_assert_str_eq(m->id, "m1");
	ck_assert_str_eq(m->client_id, "client");
	ck_assert_str_eq(m->host, "/10.0.0.7");
	ck_assert_str_eq(m->rack, "r");
	ck_assert_uint_eq(m->topic_count, 2);
	ck_assert_str_eq(m->topics[0], "a");
	ck_assert_uint_eq(m->assignment_count, 3);
	ck_assert_str_eq(m->assignment[0].topic, "a");
	ck_assert_int_eq(m->assignment[0].partition, 1);
	ck_assert_str_eq(m->assignment[1].topic, "orders");
	ck_assert_int_eq(m->assignment[1].partition, 0);
	ck_assert_int_eq(m->assignment[2].partition, 2);
	ck_assert_str_eq(g->members[1]->id, "m2");
	ck_assert_uint_eq(g->members[1]->assignment_count, 0);
	ck_assert_uint_eq(g->members[2]->assignment_count, 0); /* garbage */
}

static void check_consumer(const struct klamm_group_description *g)
{
	ck_assert_msg(g->error.code == 0, "%s", g->error.text);
	ck_assert_str_eq(g->type, "consumer");
	ck_assert_str_eq(g->state, "Reconciling");
	ck_assert_str_eq(g->assignor, "uniform");
	ck_assert_int_eq(g->epoch, 9);
	ck_assert_int_eq(g->assignment_epoch, 8);
	ck_assert_int_eq(g->coordinator, 7);
	ck_assert_uint_eq(g->member_count, 1);
	const struct klamm_group_member *m = g->members[0];
	ck_assert_str_eq(m->protocol, "consumer");
	ck_assert_str_eq(m->regex, "ord.*");
	ck_assert_str_eq(m->rack, "r1");
	ck_assert_ptr_null(m->instance_id);
	ck_assert_int_eq(m->epoch, 7);
	ck_assert_str_eq(m->topics[0], "orders");
	ck_assert_uint_eq(m->assignment_count, 1);
	ck_assert_int_eq(m->assignment[0].partition, 3);
	ck_assert_uint_eq(m->target_count, 1);
	ck_assert_int_eq(m->target[0].partition, 4);
}

static const char *const described_ids[] = {"bclassic", "acons", "none", "bconnect"};

START_TEST(describe_both_kinds)
{
	struct klamm_group_descriptions *groups;
	struct klamm_error err;
	begin_both(described);
	ck_assert_int_eq(klamm_admin_describe_groups(admin, described_ids, 4,
						     KLAMM_ADMIN_OPERATIONS, 20000, &groups,
						     &err),
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_str_eq(err.text, "group none: Group none not found.");
	ck_assert_uint_eq(groups->count, 4);
	check_classic(groups->groups[0]);
	ck_assert_str_eq(groups->groups[0]->members[0]->instance_id, "static-1");
	ck_assert_int_eq(groups->groups[0]->operations, 8);
	check_consumer(groups->groups[1]);
	ck_assert_str_eq(groups->groups[2]->state, "");
	ck_assert_uint_eq(groups->groups[2]->member_count, 0);
	/* Not consumers: their bytes are theirs. */
	const struct klamm_group_description *connect = groups->groups[3];
	ck_assert_str_eq(connect->protocol_type, "connect");
	ck_assert_uint_eq(connect->members[0]->assignment_count, 0);
	ck_assert_uint_gt(connect->members[0]->raw_assignment.len, 10);
	/* All coordinators by one question, and each one's groups by another. */
	ck_assert_uint_eq(peers[0].asked[KL_API_FIND_COORDINATOR] +
				  peers[1].asked[KL_API_FIND_COORDINATOR],
			  1);
	for (int i = 0; i < 2; i++) {
		ck_assert_uint_eq(peers[i].asked[KL_API_CONSUMER_GROUP_DESCRIBE], 1);
		ck_assert_uint_eq(peers[i].asked[KL_API_DESCRIBE_GROUPS], 1);
	}
	klamm_group_descriptions_free(groups);
	end();
}
END_TEST

/* Kafka 0.9 to 3.x: coordinators one by one, no groups of KIP-848, and who is not known is
 * dead. */
START_TEST(describe_on_an_old_broker)
{
	static const char *const ids[] = {"bclassic", "none", "bother"};
	struct klamm_group_descriptions *groups;
	begin_both(described);
	for (int i = 0; i < 2; i++) {
		peers[i].hidden[KL_API_CONSUMER_GROUP_DESCRIBE] = true;
		peers[i].max[KL_API_FIND_COORDINATOR] = _i;
		peers[i].max[KL_API_DESCRIBE_GROUPS] = _i;
	}
	ck_assert_int_eq(klamm_admin_describe_groups(admin, ids, 3, 0, 20000, &groups, NULL),
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	check_classic(groups->groups[0]);
	ck_assert_int_eq(groups->groups[1]->error.code, KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(groups->groups[2]->error.code, 0);
	ck_assert_uint_eq(peers[0].asked[KL_API_FIND_COORDINATOR] +
				  peers[1].asked[KL_API_FIND_COORDINATOR],
			  3);
	klamm_group_descriptions_free(groups);
	end();
}
END_TEST

static const void *moved(struct peer *peer, const struct kl_frame_header *head,
			 const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_CONSUMER_GROUP_DESCRIBE || peer->id != 8)
		return described(peer, head, request, arena);
	const struct kl_consumer_group_describe_request *ask = request;
	struct kl_consumer_group_describe_response *body = peer_answer(head, arena);
	body->groups_n = 1;
	body->groups =
		kl_type_new(&kl_type_consumer_group_describe_response_group, arena, 1);
	body->groups[0].group_id = ask->group_ids[0];
	body->groups[0].error_code = KLAMM_ERR_NOT_COORDINATOR;
	second = 'x'; /* from now on it is broker 7 */
	return body;
}

START_TEST(a_coordinator_that_moved)
{
	static const char *const ids[] = {"acons"};
	struct klamm_group_descriptions *groups;
	struct klamm_error err;
	begin_both(moved);
	second = 'a';
	ck_assert_msg(klamm_admin_describe_groups(admin, ids, 1, 0, 20000, &groups, &err) ==
			      0,
		      "%s", err.text);
	check_consumer(groups->groups[0]);
	klamm_group_descriptions_free(groups);
	ck_assert_uint_eq(peers[1].asked[KL_API_CONSUMER_GROUP_DESCRIBE], 1);
	end();
}
END_TEST

static const void *no_coordinator(struct peer *peer, const struct kl_frame_header *head,
				  const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_FIND_COORDINATOR)
		return NULL;
	const struct kl_find_coordinator_request *ask = request;
	struct kl_find_coordinator_response *body = peer_answer(head, arena);
	body->coordinators_n = ask->coordinator_keys_n;
	body->coordinators = kl_type_new(&kl_type_find_coordinator_response_coordinator,
					 arena, (size_t)ask->coordinator_keys_n);
	for (int32_t i = 0; i < ask->coordinator_keys_n; i++) {
		bool denied = kl_str_is(ask->coordinator_keys[i], "denied");
		body->coordinators[i].key = ask->coordinator_keys[i];
		body->coordinators[i].node_id = -1;
		body->coordinators[i].error_code =
			denied ? KLAMM_ERR_GROUP_AUTHORIZATION_FAILED
			       : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	}
	return body;
}

START_TEST(no_coordinator_in_time)
{
	static const char *const ids[] = {"g", "denied"};
	struct klamm_error errors[2], err;
	begin(no_coordinator, _i == 1);
	ck_assert_int_eq(klamm_admin_delete_groups(admin, ids, 2, 1500, errors, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_msg(has(err.text, "deleting groups: timed out; last error: group g: "),
		      "%s", err.text);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	ck_assert_msg(has(errors[1].text, "group denied: "), "%s", errors[1].text);
	ck_assert_uint_gt(peers[0].asked[KL_API_FIND_COORDINATOR], 2);
	end();
}
END_TEST

START_TEST(groups_that_cannot_be)
{
	static const char *const twice[] = {"a", "b", "a"}, *const null[] = {"a", NULL};
	struct klamm_group_descriptions *groups;
	struct klamm_error errors[3], err;
	begin(NULL, false);
	ck_assert_int_eq(
		klamm_admin_describe_groups(admin, twice, 3, 0, 100, &groups, &err),
		KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_null(groups);
	ck_assert_str_eq(err.text, "group a: named twice");
	ck_assert_int_eq(klamm_admin_delete_groups(admin, null, 2, 100, errors, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_admin_describe_groups(admin, NULL, 0, 0, 100, &groups, &err),
			 0);
	ck_assert_uint_eq(groups->count, 0);
	klamm_group_descriptions_free(groups);
	struct klamm_member_name nobody = {0};
	ck_assert_int_eq(klamm_admin_remove_group_members(admin, "g", &nobody, 1, NULL, 100,
							  errors, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(errors[0].code, KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_uint_eq(peers[0].connections, 0);
	end();
}
END_TEST

/* --- delete --- */

static const void *deleted(struct peer *peer, const struct kl_frame_header *head,
			   const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_DELETE_GROUPS)
		return NULL;
	const struct kl_delete_groups_request *ask = request;
	if (peer->id == 8 && peer->asked[head->api] == 1)
		return NULL; /* it is done, and the answer is lost */
	struct kl_delete_groups_response *body = peer_answer(head, arena);
	body->results_n = ask->groups_names_n;
	body->results = kl_type_new(&kl_type_delete_groups_response_group, arena,
				    (size_t)ask->groups_names_n);
	for (int32_t i = 0; i < ask->groups_names_n; i++) {
		struct kl_str id = ask->groups_names[i];
		body->results[i].group_id =
			kl_str_is(id, "left out") ? KL_STR("other") : id;
		if (peer->id == 8 || kl_str_is(id, "none"))
			body->results[i].error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
		else if (kl_str_is(id, "full"))
			body->results[i].error_code = KLAMM_ERR_NON_EMPTY_GROUP;
	}
	return body;
}

START_TEST(each_group_has_its_error)
{
	static const char *const ids[] = {"a", "full", "none", "b", "left out"};
	struct klamm_error errors[5], err;
	begin_both(deleted);
	ck_assert_int_eq(klamm_admin_delete_groups(admin, ids, 5, 20000, errors, &err),
			 KLAMM_ERR_NON_EMPTY_GROUP);
	ck_assert_msg(has(err.text, "group full: "), "%s", err.text);
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[2].code, KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_msg(errors[3].code == 0, "%s", errors[3].text);
	ck_assert_int_eq(errors[4].code, KLAMM_ERR_PROTOCOL);
	ck_assert_uint_eq(peers[0].asked[KL_API_DELETE_GROUPS], 1);
	ck_assert_uint_eq(peers[1].asked[KL_API_DELETE_GROUPS], 2);
	end();
}
END_TEST

/* Kafka 1.0 cannot. */
START_TEST(delete_on_an_old_broker)
{
	static const char *const ids[] = {"a"};
	struct klamm_error err;
	begin(deleted, false);
	peers[0].hidden[KL_API_DELETE_GROUPS] = true;
	ck_assert_int_eq(klamm_admin_delete_groups(admin, ids, 1, 20000, NULL, &err),
			 KLAMM_ERR_UNSUPPORTED);
	ck_assert_msg(has(err.text, "DeleteGroups"), "%s", err.text);
	end();
}
END_TEST

static const void *silent(struct peer *peer, const struct kl_frame_header *head,
			  const void *request, struct kl_arena *arena)
{
	if (head->api == KL_API_DELETE_GROUPS && peer->id == 8)
		pause();
	return deleted(peer, head, request, arena);
}

/* A coordinator that is stuck is no trouble for another one's groups. */
START_TEST(one_coordinator_is_silent)
{
	static const char *const ids[] = {"b", "a", "c"};
	struct klamm_error errors[3], err;
	begin_both(silent);
	ck_assert_int_eq(klamm_admin_delete_groups(admin, ids, 3, 2000, errors, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(errors[0].code, KLAMM_ERR_TIMED_OUT);
	ck_assert_msg(has(errors[0].text, "deleting groups: timed out; "), "%s",
		      errors[0].text);
	ck_assert_int_eq(errors[1].code, 0);
	ck_assert_int_eq(errors[2].code, 0);
	end();
}
END_TEST

/* --- remove members --- */

static const void *left(struct peer *peer, const struct kl_frame_header *head,
			const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_LEAVE_GROUP)
		return described(peer, head, request, arena);
	const struct kl_leave_group_request *ask = request;
	struct kl_leave_group_response *body = peer_answer(head, arena);
	ck_assert_int_eq(ask->members_n, 3);
	body->members_n = 3;
	body->members = kl_type_new(&kl_type_leave_group_response_member, arena, 3);
	for (int32_t i = 0; i < 3; i++) {
		struct kl_leave_group_request_member *asked = &ask->members[2 - i];
		struct kl_leave_group_response_member *to = &body->members[i];
		if (head->version >= 5)
			ck_assert(kl_str_is(asked->reason, "tidy"));
		to->group_instance_id = asked->group_instance_id;
		to->member_id =
			to->group_instance_id.len >= 0 ? KL_STR("m9") : asked->member_id;
		if (kl_str_is(asked->member_id, "gone"))
			to->error_code = KLAMM_ERR_UNKNOWN_MEMBER_ID;
	}
	return body;
}

START_TEST(remove_some_members)
{
	static const struct klamm_member_name members[] = {
		{.id = "m1"}, {.instance_id = "static-1"}, {.id = "gone"}};
	struct klamm_error errors[3], err;
	begin_both(left);
	peers[0].max[KL_API_LEAVE_GROUP] = peers[1].max[KL_API_LEAVE_GROUP] = 3 + _i;
	ck_assert_int_eq(klamm_admin_remove_group_members(admin, "bclassic", members, 3,
							  "tidy", 20000, errors, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_msg(has(err.text, "group bclassic: member gone: "), "%s", err.text);
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[1].code, 0);
	end();
}
END_TEST

START_TEST(remove_all_members)
{
	struct klamm_error err;
	begin_both(left);
	ck_assert_msg(klamm_admin_remove_group_members(admin, "bclassic", NULL, 0, "tidy",
						       20000, NULL, &err) == 0,
		      "%s", err.text);
	ck_assert_uint_eq(peers[1].asked[KL_API_LEAVE_GROUP], 1);
	ck_assert_int_eq(klamm_admin_remove_group_members(admin, "none", NULL, 0, NULL,
							  20000, NULL, &err),
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	end();
}
END_TEST

UNIT_SUITE(admin_groups)
{
	Suite *s = suite_create("admin_groups");
	unit_add(s, list_asks_every_broker);
	unit_add_loop(s, list_with_a_filter, 2);
	unit_add(s, list_with_an_error);
	unit_add(s, describe_both_kinds);
	unit_add_loop(s, describe_on_an_old_broker, 4);
	unit_add(s, a_coordinator_that_moved);
	unit_add_loop(s, no_coordinator_in_time, 2);
	unit_add(s, groups_that_cannot_be);
	unit_add(s, each_group_has_its_error);
	unit_add(s, delete_on_an_old_broker);
	unit_add(s, one_coordinator_is_silent);
	unit_add_loop(s, remove_some_members, 3);
	unit_add(s, remove_all_members);
	return s;
}
