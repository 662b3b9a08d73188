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

/* One topic, as ConsumerProtocol has it. */
static void put_topic(const struct group_member *m, struct kl_buf *b)
{
	struct kl_str topic = kl_str(m->topic ?: "none");
	kl_buf_i32(b, 1);
	kl_buf_i16(b, (int16_t)topic.len);
	kl_buf_put(b, topic.p, (size_t)topic.len);
}

static void put_owned(const struct group_member *m, struct kl_buf *b)
{
	put_topic(m, b);
	kl_buf_i32(b, m->owned_count);
	for (int i = 0; i < m->owned_count; i++)
		kl_buf_i32(b, m->owned[i]);
}

/* As consumers do it: a version, one topic, no user data, and what it has. */
static struct kl_bytes subscription(const struct group_member *m, struct kl_buf *b)
{
	kl_buf_i16(b, m->owned_count > 0 ? 1 : 0);
	put_topic(m, b);
	kl_buf_i32(b, -1);
	if (m->owned_count > 0)
		put_owned(m, b);
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

static void begin_sync(struct kl_sync_group_request *request, const struct group_member *m)
{
	kl_msg_init(&kl_msg_sync_group_request, request);
	request->group_id = kl_str(m->group);
	request->generation_id = m->generation;
	request->member_id = kl_str(m->id);
	request->group_instance_id = kl_str(m->instance);
	request->protocol_type = kl_str(m->type);
	request->protocol_name = kl_str(m->protocol[0] != '\0' ? m->protocol : "range");
}

void group_ask_sync(struct group_member *m, struct group_member *const *members, int n)
{
	struct kl_sync_group_request_assignment assignments[8];
	struct kl_sync_group_request request;
	begin_sync(&request, m);
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

static void take_owned(struct group_member *m, struct kl_bytes assigned)
{
	struct kl_reader r = kl_reader(assigned.p, (size_t)kl_max(assigned.len, 0));
	m->owned_count = 0;
	if (assigned.len <= 0)
		return;
	kl_read_i16(&r);
	for (int32_t topics = kl_read_i32(&r); topics > 0; topics--) {
		int16_t n = kl_read_i16(&r);
		kl_read(&r, (size_t)n);
		for (int32_t parts = kl_read_i32(&r); parts > 0; parts--) {
			ck_assert_int_lt(m->owned_count, GROUP_PARTS);
			m->owned[m->owned_count++] = kl_read_i32(&r);
		}
	}
	ck_assert(!r.failed);
}

static int learn(struct group_member *m)
{
	const struct kl_sync_group_response *r =
		peer_read(m->peer, &kl_msg_sync_group_response, SYNC);
	if (r->error_code == 0)
		take_owned(m, r->assignment);
	return r->error_code;
}

int group_learn(struct group_member *m)
{
	group_ask_sync(m, NULL, 0);
	return learn(m);
}

/* Every n-th from its own on. */
static void ask_share(struct group_member *leader, struct group_member *const *members, int n,
		      int32_t parts)
{
	struct kl_sync_group_request_assignment assignments[8];
	struct kl_buf bytes[8] = {0};
	struct kl_sync_group_request request;
	begin_sync(&request, leader);
	request.assignments = assignments;
	request.assignments_n = n;
	for (int i = 0; i < n; i++) {
		members[i]->owned_count = 0;
		for (int32_t p = i; p < parts; p += n)
			members[i]->owned[members[i]->owned_count++] = p;
		kl_buf_i16(&bytes[i], 0);
		put_owned(members[i], &bytes[i]);
		kl_buf_i32(&bytes[i], -1);
		assignments[i] = (struct kl_sync_group_request_assignment){
			.member_id = kl_str(members[i]->id),
			.assignment = {bytes[i].data, (int32_t)bytes[i].len}};
	}
	peer_ask(leader->peer, &kl_msg_sync_group_request, SYNC, &request);
	for (int i = 0; i < n; i++)
		kl_buf_free(&bytes[i]);
}

/* On a busy machine the last may come too late (group.initial.rebalance.delay.ms): the leader
 * of those that were there hears how many they are, and they come again. */
int group_come_together(struct group_member *const *members, int n)
{
	for (int i = 0; i < n; i++)
		group_come(members[i]);
	for (int round = 0; round < 10; round++) {
		int leader = -1, there = n;
		for (int i = 0; i < there; i++) {
			ck_assert_int_eq(group_told(members[i]), 0);
			if (strcmp(members[i]->leader, members[i]->id) != 0)
				continue;
			leader = i;
			there = members[i]->members;
			ck_assert_int_le(there, n);
		}
		ck_assert_int_ge(leader, 0);
		if (there == n)
			return leader;
		for (int i = 0; i < there; i++)
			group_ask(members[i]);
	}
	ck_abort_msg("they do not come together");
}

void group_share(struct group_member *const *members, int n, int32_t parts)
{
	struct group_member *leader = members[group_come_together(members, n)];
	for (int i = 0; i < n; i++)
		if (members[i] != leader)
			group_ask_sync(members[i], NULL, 0);
	ask_share(leader, members, n, parts);
	for (int i = 0; i < n; i++)
		ck_assert_int_eq(learn(members[i]), 0);
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
	int leader = group_come_together(members, n);
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
