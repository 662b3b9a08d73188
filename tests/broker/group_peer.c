/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/broker/group_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define JOIN 9
#define SYNC 5

void group_member_init(struct group_member *m, const char *group)
{
	*m = (struct group_member){
		.peer = peer_open(),
		.group = group,
		.type = "consumer",
		.protocols = {"range"},
		.session_ms = 10000,
		.rebalance_ms = 60000,
		.version = JOIN,
		.generation = -1,
	};
}

void group_member_close(struct group_member *m)
{
	peer_close(m->peer);
}

/* --- joining --- */

static void keep(char *to, size_t n, struct kl_str text)
{
	snprintf(to, n, "%.*s", (int)kl_max(text.len, 0), text.p ?: "");
}

/* As consumers do it: a version, one topic, no user data. */
static struct kl_bytes subscription(const struct group_member *m, struct kl_buf *b)
{
	struct kl_str topic = kl_str(m->topic ?: "none");
	kl_buf_i16(b, 0);
	kl_buf_i32(b, 1);
	kl_buf_i16(b, (int16_t)topic.len);
	kl_buf_put(b, topic.p, (size_t)topic.len);
	kl_buf_i32(b, -1);
	return (struct kl_bytes){b->data, (int32_t)b->len};
}

void group_ask(struct group_member *m)
{
	struct kl_join_group_request_protocol protocols[4] = {0};
	struct kl_join_group_request request;
	struct kl_buf b = {0};
	struct kl_bytes metadata = subscription(m, &b);
	kl_msg_init(&kl_msg_join_group_request, &request);
	request.group_id = kl_str(m->group);
	request.session_timeout_ms = m->session_ms;
	request.rebalance_timeout_ms = m->version >= 1 ? m->rebalance_ms : -1;
	request.member_id = kl_str(m->id);
	request.group_instance_id = kl_str(m->instance);
	request.protocol_type = kl_str(m->type);
	request.protocols = protocols;
	for (int i = 0; i < 4 && m->protocols[i] != NULL; i++)
		protocols[request.protocols_n++] = (struct kl_join_group_request_protocol){
			.name = kl_str(m->protocols[i]), .metadata = metadata};
	peer_ask(m->peer, &kl_msg_join_group_request, m->version, &request);
	kl_buf_free(&b);
}

int group_told(struct group_member *m)
{
	const struct kl_join_group_response *r =
		peer_read(m->peer, &kl_msg_join_group_response, m->version);
	if (r->error_code == 0 || r->error_code == KLAMM_ERR_MEMBER_ID_REQUIRED)
		keep(m->id, sizeof(m->id), r->member_id);
	if (r->error_code != 0)
		return r->error_code;
	keep(m->leader, sizeof(m->leader), r->leader);
	keep(m->protocol, sizeof(m->protocol), r->protocol_name);
	m->generation = r->generation_id;
	m->members = r->members_n;
	m->skips = r->skip_assignment;
	return 0;
}

int group_join(struct group_member *m)
{
	group_ask(m);
	int error = group_told(m);
	if (error != KLAMM_ERR_MEMBER_ID_REQUIRED)
		return error;
	group_ask(m);
	return group_told(m);
}

void group_come(struct group_member *m)
{
	if (m->id[0] == '\0' && m->instance == NULL && m->version >= 4) {
		group_ask(m);
		ck_assert_int_eq(group_told(m), KLAMM_ERR_MEMBER_ID_REQUIRED);
	}
	group_ask(m);
}

/* --- assigning --- */

void group_ask_sync(struct group_member *m, struct group_member *const *members, int n)
{
	struct kl_sync_group_request_assignment assignments[8];
	struct kl_sync_group_request request;
	kl_msg_init(&kl_msg_sync_group_request, &request);
	request.group_id = kl_str(m->group);
	request.generation_id = m->generation;
	request.member_id = kl_str(m->id);
	request.group_instance_id = kl_str(m->instance);
	request.protocol_type = kl_str(m->type);
	request.protocol_name = kl_str(m->protocol[0] != '\0' ? m->protocol : "range");
	request.assignments = assignments;
	for (int i = 0; i < n; i++) {
		struct kl_str id = kl_str(members[i]->id);
		assignments[request.assignments_n++] =
			(struct kl_sync_group_request_assignment){
				.member_id = id,
				.assignment = {(const uint8_t *)id.p, id.len},
			};
	}
	peer_ask(m->peer, &kl_msg_sync_group_request, SYNC, &request);
}

int group_synced(struct group_member *m, const char **assigned_out)
{
	static char text[320];
	const struct kl_sync_group_response *r =
		peer_read(m->peer, &kl_msg_sync_group_response, SYNC);
	keep(text, sizeof(text),
	     (struct kl_str){(const char *)r->assignment.p, r->assignment.len});
	if (assigned_out != NULL)
		*assigned_out = text;
	return r->error_code;
}

int group_sync(struct group_member *m, struct group_member *const *members, int n)
{
	const char *assigned;
	group_ask_sync(m, members, n);
	int error = group_synced(m, &assigned);
	if (error == 0 && n > 0)
		ck_assert_str_eq(assigned, m->id);
	return error;
}

void group_gather(struct group_member *const *members, int n)
{
	int leader = -1;
	for (int i = 0; i < n; i++)
		group_come(members[i]);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(group_told(members[i]), 0);
		if (strcmp(members[i]->leader, members[i]->id) == 0)
			leader = i;
	}
	ck_assert_int_ge(leader, 0);
	ck_assert_int_eq(members[leader]->members, n);
	for (int i = 0; i < n; i++)
		group_ask_sync(members[i], members, i == leader ? n : 0);
	for (int i = 0; i < n; i++) {
		const char *assigned;
		ck_assert_int_eq(group_synced(members[i], &assigned), 0);
		ck_assert_str_eq(assigned, members[i]->id);
	}
}

/* --- living --- */

int group_beat(struct group_member *m)
{
	struct kl_heartbeat_request request;
	kl_msg_init(&kl_msg_heartbeat_request, &request);
	request.group_id = kl_str(m->group);
	request.generation_id = m->generation;
	request.member_id = kl_str(m->id);
	request.group_instance_id = kl_str(m->instance);
	return PEER_CALL(m->peer, heartbeat, 4, &request)->error_code;
}

int group_leave(struct group_member *m)
{
	struct kl_leave_group_request_member one = {
		.member_id = kl_str(m->id),
		.group_instance_id = kl_str(m->instance),
		.reason = KL_STR("the test is over"),
	};
	struct kl_leave_group_request request = {
		.group_id = kl_str(m->group), .members = &one, .members_n = 1};
	struct kl_leave_group_response *r = PEER_CALL(m->peer, leave_group, 5, &request);
	return r->error_code != 0 ? r->error_code : r->members[0].error_code;
}

int group_commit(struct group_member *m, const char *topic, int64_t offset)
{
	struct kl_offset_commit_request_partition of = {
		.commit_timestamp = -1,
		.committed_offset = offset,
		.committed_leader_epoch = -1,
	};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = kl_str(m->group);
	request.generation_id_or_member_epoch = m->generation;
	request.member_id = kl_str(m->id);
	request.group_instance_id = kl_str(m->instance);
	request.topics = &at;
	request.topics_n = 1;
	return PEER_CALL(m->peer, offset_commit, 9, &request)
		->topics[0]
		.partitions[0]
		.error_code;
}

/* --- looking at it --- */

struct kl_describe_groups_response_group *group_describe(struct peer *peer, const char *group)
{
	struct kl_str id = kl_str(group);
	struct kl_describe_groups_request request = {
		.groups = &id, .groups_n = 1, .include_authorized_operations = true};
	struct kl_describe_groups_response *r = PEER_CALL(peer, describe_groups, 5, &request);
	ck_assert_int_eq(r->groups_n, 1);
	return &r->groups[0];
}

const char *group_state(struct peer *peer, const char *group)
{
	static char state[32];
	const struct kl_describe_groups_response_group *g = group_describe(peer, group);
	ck_assert_int_eq(g->error_code, 0);
	keep(state, sizeof(state), g->group_state);
	return state;
}

void group_await_state(struct peer *peer, const char *group, const char *state)
{
	for (int i = 0; i < 500 && strcmp(group_state(peer, group), state) != 0; i++)
		usleep(10000);
	ck_assert_str_eq(group_state(peer, group), state);
}
