/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets of groups through the admin client: every version, and each one's error. */
#include "tests/unit/admin/pair.h"
#include "tests/unit/unit.h"

static bool has(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

/* --- list --- */

static int32_t group_code(struct peer *peer, struct kl_str group)
{
	if (kl_str_is(group, "denied"))
		return KLAMM_ERR_GROUP_AUTHORIZATION_FAILED;
	if (kl_str_is(group, "unstable") && peer->asked[KL_API_OFFSET_FETCH] < 2)
		return KLAMM_ERR_UNSTABLE_OFFSET_COMMIT;
	return 0;
}

static const void *one_group(struct peer *peer, const struct kl_frame_header *head,
			     const struct kl_offset_fetch_request *ask,
			     struct kl_arena *arena)
{
	struct kl_offset_fetch_response *body = peer_answer(head, arena);
	body->error_code = (int16_t)group_code(peer, ask->group_id);
	body->topics_n = 1;
	body->topics = kl_type_new(&kl_type_offset_fetch_response_topic, arena, 1);
	body->topics[0].name = KL_STR("t");
	body->topics[0].partitions_n = 2;
	body->topics[0].partitions =
		kl_type_new(&kl_type_offset_fetch_response_partition, arena, 2);
	for (int32_t i = 0; i < 2; i++) {
		body->topics[0].partitions[i].partition_index = 1 - i;
		body->topics[0].partitions[i].committed_offset = 40 + ask->group_id.len;
		body->topics[0].partitions[i].metadata = KL_STR("note");
	}
	if (head->version <
	    2) { /* they have no place for a group's error, and -1 for none */
		body->topics[0].partitions[0].error_code = body->error_code;
		body->topics[0].partitions[1].committed_offset = -1;
		body->topics[0].partitions[1].error_code =
			KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		body->error_code = 0;
	}
	return body;
}

static const void *many_groups(struct peer *peer, const struct kl_frame_header *head,
			       const struct kl_offset_fetch_request *ask,
			       struct kl_arena *arena)
{
	struct kl_offset_fetch_response *body = peer_answer(head, arena);
	body->groups_n = ask->groups_n;
	body->groups = kl_type_new(&kl_type_offset_fetch_response_group, arena,
				   (size_t)ask->groups_n);
	for (int32_t i = 0; i < ask->groups_n; i++) {
		struct kl_offset_fetch_response_group *g = &body->groups[i];
		g->group_id = ask->groups[i].group_id;
		g->error_code = (int16_t)group_code(peer, g->group_id);
		if (g->error_code != 0)
			continue;
		g->topics_n = 1;
		g->topics =
			kl_type_new(&kl_type_offset_fetch_response_group_topic, arena, 1);
		g->topics[0].name = KL_STR("t");
		g->topics[0].partitions_n = 2;
		g->topics[0].partitions = kl_type_new(
			&kl_type_offset_fetch_response_group_partition, arena, 2);
		for (int32_t j = 0; j < 2; j++) {
			g->topics[0].partitions[j].partition_index = 1 - j;
			g->topics[0].partitions[j].committed_offset = 40 + g->group_id.len;
			g->topics[0].partitions[j].metadata = KL_STR("note");
		}
	}
	return body;
}

static const void *fetched(struct peer *peer, const struct kl_frame_header *head,
			   const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_OFFSET_FETCH)
		return NULL;
	return head->version < 8 ? one_group(peer, head, request, arena)
				 : many_groups(peer, head, request, arena);
}

static const struct klamm_topic_partition wanted[] = {{"t", 0}, {"t", 1}};

static int list(const char *const *names, size_t n,
		const struct klamm_topic_partition *parts, uint32_t flags,
		struct klamm_group_offsets_list **list_out, struct klamm_error *err)
{
	struct klamm_group_offsets_query queries[8];
	const struct klamm_group_offsets_query *pointers[8];
	for (size_t i = 0; i < n; i++) {
		queries[i] = (struct klamm_group_offsets_query){
			.size = sizeof(queries[i]),
			.group = names[i],
			.partitions = parts,
			.count = parts != NULL ? 2 : 0,
		};
		pointers[i] = &queries[i];
	}
	return klamm_admin_list_group_offsets(admin, pointers, n, flags, 20000, list_out,
					      err);
}

static void check_offsets(const struct klamm_group_offsets *g, int64_t offset,
			  bool second_none)
{
	ck_assert_msg(g->error.code == 0, "%s", g->error.text);
	ck_assert_uint_eq(g->count, 2);
	for (size_t i = 0; i < 2; i++) {
		ck_assert_str_eq(g->offsets[i]->topic, "t");
		ck_assert_int_eq(g->offsets[i]->partition, (int32_t)i);
		ck_assert_str_eq(g->offsets[i]->metadata, "note");
		ck_assert_int_eq(g->offsets[i]->leader_epoch, -1);
		ck_assert_int_eq(g->offsets[i]->error, 0);
	}
	ck_assert_int_eq(g->offsets[0]->offset, second_none ? -1 : offset);
	ck_assert_int_eq(g->offsets[1]->offset, offset);
}

/* Every version: 0 and 1 know errors of partitions only, 8 and 9 take many groups at once. */
START_TEST(list_in_every_version)
{
	static const char *const names[] = {"a", "denied", "ccc", "unstable"};
	struct klamm_group_offsets_list *offsets;
	struct klamm_error err;
	begin(fetched, false);
	peers[0].max[KL_API_OFFSET_FETCH] = _i;
	ck_assert_int_eq(list(names, 4, wanted, 0, &offsets, &err),
			 KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	ck_assert_msg(has(err.text, "group denied: "), "%s", err.text);
	ck_assert_uint_eq(offsets->count, 4);
	check_offsets(offsets->groups[0], 41, _i < 2);
	ck_assert_str_eq(offsets->groups[1]->group, "denied");
	ck_assert_uint_eq(offsets->groups[1]->count, 0);
	check_offsets(offsets->groups[2], 43, _i < 2);
	check_offsets(offsets->groups[3], 48, _i < 2);
	ck_assert_uint_eq(peers[0].asked[KL_API_OFFSET_FETCH], _i >= 8 ? 2 : 4);
	klamm_group_offsets_list_free(offsets);
	end();
}
END_TEST

START_TEST(list_what_there_is)
{
	static const char *const names[] = {"a"};
	struct klamm_group_offsets_list *offsets;
	struct klamm_error err;
	begin(fetched, false);
	peers[0].max[KL_API_OFFSET_FETCH] = _i == 0 ? 1 : 6;
	/* All of a group's offsets can be asked for from version 2 on, stable ones from 7. */
	int rc = list(names, 1, NULL, 0, &offsets, &err);
	ck_assert_int_eq(rc, _i == 0 ? KLAMM_ERR_UNSUPPORTED : 0);
	klamm_group_offsets_list_free(offsets);
	ck_assert_int_eq(list(names, 1, NULL, KLAMM_ADMIN_STABLE, &offsets, &err),
			 KLAMM_ERR_UNSUPPORTED);
	ck_assert_uint_eq(offsets->groups[0]->count, 0);
	klamm_group_offsets_list_free(offsets);
	struct klamm_group_offsets_query small = {.size = 8, .group = "a"};
	const struct klamm_group_offsets_query *pointer = &small;
	ck_assert_int_eq(
		klamm_admin_list_group_offsets(admin, &pointer, 1, 0, 100, &offsets, &err),
		KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_null(offsets);
	end();
}
END_TEST

/* --- commit and delete --- */

static const void *committed(struct peer *peer, const struct kl_frame_header *head,
			     const void *request, struct kl_arena *arena)
{
	static const int16_t first[] = {0, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS,
					KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
					KLAMM_ERR_REBALANCE_IN_PROGRESS};
	if (head->api != KL_API_OFFSET_COMMIT)
		return NULL;
	const struct kl_offset_commit_request *ask = request;
	struct kl_offset_commit_response *body = peer_answer(head, arena);
	bool again = peer->asked[head->api] > 1;
	ck_assert(kl_str_is(ask->group_id, "g"));
	ck_assert_int_eq(ask->topics_n,
			 again ? 2 : 4); /* what is settled is not sent again */
	body->topics_n = ask->topics_n;
	body->topics = kl_type_new(&kl_type_offset_commit_response_topic, arena, 4);
	for (int32_t i = 0; i < ask->topics_n; i++) {
		struct kl_offset_commit_response_topic *to = &body->topics[i];
		int32_t partition = ask->topics[i].partitions[0].partition_index;
		ck_assert_int_eq(ask->topics[i].partitions[0].committed_offset,
				 10 + partition);
		to->name = ask->topics[i].name;
		to->partitions_n = 1;
		to->partitions =
			kl_type_new(&kl_type_offset_commit_response_partition, arena, 1);
		to->partitions[0].partition_index = partition;
		to->partitions[0].error_code =
			again ? (partition == 3 ? KLAMM_ERR_UNKNOWN_MEMBER_ID : 0)
			      : first[partition];
	}
	return body;
}

START_TEST(each_offset_has_its_error)
{
	struct klamm_offset offsets[4];
	struct klamm_error errors[4], err;
	for (int32_t i = 0; i < 4; i++)
		offsets[i] = (struct klamm_offset){"t", i, -1, 10 + i, NULL};
	begin(committed, _i == 1);
	ck_assert_int_eq(
		klamm_admin_alter_group_offsets(admin, "g", offsets, 4, 20000, errors, &err),
		KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_msg(has(err.text, "group g: t [2]: "), "%s", err.text);
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[1].code, 0);
	ck_assert_int_eq(errors[3].code, KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_msg(has(errors[3].text, "group g: t [3]: the group has members"), "%s",
		      errors[3].text);
	ck_assert_uint_eq(peers[0].asked[KL_API_OFFSET_COMMIT], 2);
	ck_assert_int_eq(
		klamm_admin_alter_group_offsets(admin, "g", NULL, 0, 20000, NULL, &err), 0);
	ck_assert_int_eq(klamm_admin_alter_group_offsets(admin, NULL, offsets, 4, 20000,
							 errors, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(errors[3].code, KLAMM_ERR_INVALID_ARGUMENT);
	end();
}
END_TEST

static const void *forgotten(struct peer *peer, const struct kl_frame_header *head,
			     const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_OFFSET_DELETE)
		return NULL;
	const struct kl_offset_delete_request *ask = request;
	struct kl_offset_delete_response *body = peer_answer(head, arena);
	if (peer->asked[head->api] == 1) {
		body->error_code = KLAMM_ERR_NOT_COORDINATOR;
		return body;
	}
	if (kl_str_is(ask->group_id, "none")) {
		body->error_code = KLAMM_ERR_GROUP_ID_NOT_FOUND;
		return body;
	}
	body->topics_n = 2;
	body->topics = kl_type_new(&kl_type_offset_delete_response_topic, arena, 2);
	for (int32_t i = 0; i < 2; i++) {
		body->topics[i].name = ask->topics[i].name;
		body->topics[i].partitions_n = 1;
		body->topics[i].partitions =
			kl_type_new(&kl_type_offset_delete_response_partition, arena, 1);
		body->topics[i].partitions[0].partition_index =
			ask->topics[i].partitions[0].partition_index + i * peer->max[0];
		body->topics[i].partitions[0].error_code =
			i == 0 ? KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC : 0;
	}
	return body;
}

START_TEST(forget_offsets)
{
	struct klamm_error errors[2], err;
	begin(forgotten, false);
	peers[0].max[0] = 0;
	ck_assert_int_eq(
		klamm_admin_delete_group_offsets(admin, "g", wanted, 2, 20000, errors, &err),
		KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_msg(has(err.text, "group g: t [0]: "), "%s", err.text);
	ck_assert_int_eq(errors[1].code, 0);
	peers[0].max[0] = 5; /* the second one comes back as another */
	ck_assert_int_eq(
		klamm_admin_delete_group_offsets(admin, "g", wanted, 2, 20000, errors, &err),
		KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(klamm_admin_delete_group_offsets(admin, "none", wanted, 2, 20000,
							  errors, &err),
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_msg(has(err.text, "group none: "), "%s", err.text);
	end();
}
END_TEST

UNIT_SUITE(admin_groups_offsets)
{
	Suite *s = suite_create("admin_groups_offsets");
	unit_add_loop(s, list_in_every_version, 10);
	unit_add_loop(s, list_what_there_is, 2);
	unit_add_loop(s, each_offset_has_its_error, 2);
	unit_add(s, forget_offsets);
	return s;
}
