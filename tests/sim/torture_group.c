/* SPDX-License-Identifier: BSD-2-Clause */
/* A life of a group, request by request, while the memory of the broker runs out. What it can
 * not do it answers with an error, or ends the connection; then everything begins again, with
 * members that know nothing, and the old ones' sessions end. */
#include <stdio.h>
#include <stdlib.h>

#include "core/proto/frame.h"
#include "tests/sim/torture.h"

#define GROUP "torture"
#define ATTEMPTS 12
#define PATIENCE (20 * KL_SECOND)
/* So long an attempt that failed leaves the members of the one before time to go. */
#define PAUSE (8 * KL_SECOND)

/* A member and its connection. */
struct member {
	struct torture *t;
	struct kl_os *os;
	struct kl_sock *sock; /* NULL: it is broken */
	struct kl_arena arena; /* of the last answer */
	struct kl_buf in;
	int32_t correlation_id;
	char id[80];
	char leader[80];
	int32_t generation;
};

/* --- one connection; a fiber may sleep until something comes --- */

static void hang_up(struct member *m)
{
	if (m->sock != NULL)
		m->os->sock_close(m->sock);
	m->sock = NULL;
}

static bool dial(struct member *m)
{
	struct kl_addr addr;
	const char *why;
	int64_t end = kl_sim_now(m->t->sim) + PATIENCE;
	if (m->os->resolve(m->os, "broker", 9092, &addr, 1, &why) < 1 ||
	    m->os->sock_connect(m->os, &addr, &(struct kl_sock_opts){0}, &m->sock) != 0)
		return false;
	int rc;
	while ((rc = m->os->sock_connect_result(m->sock)) == -EINPROGRESS &&
	       kl_sim_now(m->t->sim) < end)
		kl_sim_sleep(m->t->sim, KL_MS);
	if (rc != 0)
		hang_up(m);
	return rc == 0;
}

static void send_all(struct member *m, const uint8_t *p, size_t n)
{
	while (m->sock != NULL && n > 0) {
		struct iovec iov = {(void *)p, n};
		ssize_t sent = m->os->sock_sendv(m->sock, &iov, 1);
		if (sent == -EAGAIN) {
			kl_sim_sleep(m->t->sim, KL_MS);
		} else if (sent < 0) {
			hang_up(m);
		} else {
			p += sent;
			n -= (size_t)sent;
		}
	}
}

static void ask(struct member *m, const struct kl_msg *msg, int version, const void *obj)
{
	struct kl_buf b = {0};
	struct kl_frame frame = {
		.msg = msg,
		.version = version,
		.correlation_id = ++m->correlation_id,
		.client_id = KL_STR("torture"),
		.obj = obj,
	};
	if (kl_frame_request(&frame, &b, NULL) != 0)
		abort();
	send_all(m, b.data, b.len);
	kl_buf_free(&b);
}

static bool receive(struct member *m, size_t n, int64_t end)
{
	uint8_t bytes[4096];
	while (m->sock != NULL && m->in.len < n) {
		ssize_t got = m->os->sock_recv(m->sock, bytes,
					       kl_min(n - m->in.len, sizeof(bytes)));
		if (got > 0)
			kl_buf_put(&m->in, bytes, (size_t)got);
		else if (got != -EAGAIN || kl_sim_now(m->t->sim) > end)
			hang_up(m);
		else
			kl_sim_sleep(m->t->sim, KL_MS);
	}
	return m->sock != NULL;
}

/* NULL: the connection is gone. */
static void *answer(struct member *m, const struct kl_msg *msg, int version)
{
	int64_t end = kl_sim_now(m->t->sim) + PATIENCE;
	int32_t id;
	void *obj;
	kl_arena_free(&m->arena);
	kl_buf_clear(&m->in);
	if (!receive(m, 4, end) || !receive(m, 4 + (size_t)kl_load_u32(m->in.data), end))
		return NULL;
	struct kl_reader reader = kl_reader(m->in.data + 4, m->in.len - 4);
	if (!kl_frame_read_correlation(&reader, &id) || id != m->correlation_id ||
	    kl_frame_read_response(msg, version, &reader, &m->arena, &obj, NULL) != 0) {
		torture_complain(m->t, "an answer that cannot be read: %s\n", msg->name);
		hang_up(m);
		return NULL;
	}
	return obj;
}

#define CALL(m, name, version, obj)                                                      \
	(ask((m), &kl_msg_##name##_request, (version), (obj)),                           \
	 (struct kl_##name##_response *)answer((m), &kl_msg_##name##_response, (version)))

/* --- what a member does; false: it did not work --- */

static bool look(struct member *m)
{
	struct kl_str key = KL_STR(GROUP);
	struct kl_find_coordinator_request request = {
		.coordinator_keys = &key, .coordinator_keys_n = 1};
	struct kl_find_coordinator_response *r = CALL(m, find_coordinator, 4, &request);
	return r != NULL && r->coordinators_n == 1 && r->coordinators[0].error_code == 0;
}

static void ask_join(struct member *m)
{
	static const uint8_t metadata[] = {0, 0, 0, 0, 0, 1, 0, 7, 't', 'o', 'r', 't', 'u',
					   'r', 'e', 0xff, 0xff, 0xff, 0xff};
	struct kl_join_group_request_protocol protocol = {
		.name = KL_STR("range"), .metadata = {metadata, sizeof(metadata)}};
	struct kl_join_group_request request;
	kl_msg_init(&kl_msg_join_group_request, &request);
	request.group_id = KL_STR(GROUP);
	request.session_timeout_ms = 6000;
	request.rebalance_timeout_ms = 6000;
	request.member_id = kl_str(m->id);
	request.protocol_type = KL_STR("consumer");
	request.protocols = &protocol;
	request.protocols_n = 1;
	ask(m, &kl_msg_join_group_request, 9, &request);
}

static int joined(struct member *m)
{
	const struct kl_join_group_response *r = answer(m, &kl_msg_join_group_response, 9);
	if (r == NULL)
		return KLAMM_ERR_DISCONNECTED;
	if (r->error_code == 0 || r->error_code == KLAMM_ERR_MEMBER_ID_REQUIRED)
		snprintf(m->id, sizeof(m->id), "%.*s", (int)r->member_id.len, r->member_id.p);
	snprintf(m->leader, sizeof(m->leader), "%.*s", (int)r->leader.len, r->leader.p);
	m->generation = r->generation_id;
	return r->error_code;
}

static bool get_id(struct member *m)
{
	ask_join(m);
	return joined(m) == KLAMM_ERR_MEMBER_ID_REQUIRED;
}

static void ask_sync(struct member *m, struct member *const *members, int n)
{
	struct kl_sync_group_request_assignment to[2] = {0};
	struct kl_sync_group_request request;
	kl_msg_init(&kl_msg_sync_group_request, &request);
	request.group_id = KL_STR(GROUP);
	request.generation_id = m->generation;
	request.member_id = kl_str(m->id);
	request.protocol_type = KL_STR("consumer");
	request.protocol_name = KL_STR("range");
	if (strcmp(m->leader, m->id) == 0) {
		for (int i = 0; i < n; i++) {
			to[i].member_id = kl_str(members[i]->id);
			to[i].assignment = (struct kl_bytes){(const uint8_t *)members[i]->id,
							     (int32_t)strlen(members[i]->id)};
		}
		request.assignments = to;
		request.assignments_n = n;
	}
	ask(m, &kl_msg_sync_group_request, 5, &request);
}

static bool synced(struct member *m)
{
	const struct kl_sync_group_response *r = answer(m, &kl_msg_sync_group_response, 5);
	if (r == NULL || r->error_code != 0)
		return false;
	if (r->assignment.len != (int32_t)strlen(m->id) ||
	    memcmp(r->assignment.p, m->id, strlen(m->id)) != 0)
		torture_complain(m->t, "member %s has what is another's\n", m->id);
	return true;
}

/* They all join, and all have what the leader assigns. */
static bool gather(struct member *const *members, int n)
{
	bool ok = true;
	for (int i = 0; i < n; i++)
		ask_join(members[i]);
	for (int i = 0; i < n; i++)
		ok &= joined(members[i]) == 0;
	if (!ok)
		return false;
	for (int i = 0; i < n; i++)
		ask_sync(members[i], members, n);
	for (int i = 0; i < n; i++)
		ok &= synced(members[i]);
	return ok;
}

static bool beat(struct member *m)
{
	struct kl_heartbeat_request request;
	kl_msg_init(&kl_msg_heartbeat_request, &request);
	request.group_id = KL_STR(GROUP);
	request.generation_id = m->generation;
	request.member_id = kl_str(m->id);
	const struct kl_heartbeat_response *r = CALL(m, heartbeat, 4, &request);
	return r != NULL && r->error_code == 0;
}

static bool commit(struct member *m)
{
	struct kl_offset_commit_request_partition of = {
		.commit_timestamp = -1, .committed_offset = 7, .committed_leader_epoch = -1,
		.committed_metadata = KL_STR("note")};
	struct kl_offset_commit_request_topic at = {
		.name = KL_STR(TORTURE_TOPIC), .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = KL_STR(GROUP);
	request.generation_id_or_member_epoch = m->generation;
	request.member_id = kl_str(m->id);
	request.topics = &at;
	request.topics_n = 1;
	const struct kl_offset_commit_response *r = CALL(m, offset_commit, 8, &request);
	return r != NULL && r->topics[0].partitions[0].error_code == 0;
}

static bool leave(struct member *m)
{
	struct kl_leave_group_request_member one = {.member_id = kl_str(m->id),
						    .group_instance_id = KL_STR_NULL,
						    .reason = KL_STR_NULL};
	struct kl_leave_group_request request = {
		.group_id = KL_STR(GROUP), .members = &one, .members_n = 1};
	const struct kl_leave_group_response *r = CALL(m, leave_group, 5, &request);
	return r != NULL && r->error_code == 0 && r->members[0].error_code == 0;
}

/* What an admin sees. */
static bool inspect(struct member *m)
{
	struct kl_str name = KL_STR(GROUP);
	struct kl_describe_groups_request request = {.groups = &name, .groups_n = 1};
	const struct kl_describe_groups_response *d = CALL(m, describe_groups, 5, &request);
	if (d == NULL || d->groups[0].error_code != 0)
		return false;
	if (!kl_str_is(d->groups[0].group_state, "Stable") || d->groups[0].members_n != 2)
		torture_complain(m->t, "the group is %.*s with %d members\n",
				 (int)d->groups[0].group_state.len, d->groups[0].group_state.p,
				 (int)d->groups[0].members_n);
	struct kl_list_groups_request all = {.states_filter_n = 0};
	const struct kl_list_groups_response *l = CALL(m, list_groups, 4, &all);
	return l != NULL && l->error_code == 0 && l->groups_n == 1;
}

static bool delete_group(struct member *m)
{
	struct kl_str name = KL_STR(GROUP);
	struct kl_delete_groups_request request = {.groups_names = &name, .groups_names_n = 1};
	const struct kl_delete_groups_response *r = CALL(m, delete_groups, 2, &request);
	return r != NULL && r->results_n == 1 && r->results[0].error_code == 0;
}

/* --- a life --- */

static bool live(struct member *a, struct member *b)
{
	struct member *both[] = {a, b};
	return dial(a) && dial(b) && look(a) && get_id(a) && gather(both, 1) && beat(a) &&
	       get_id(b) && gather(both, 2) && beat(b) && commit(a) && commit(b) &&
	       inspect(a) && leave(b) && gather(both, 1) && leave(a) && delete_group(a);
}

void torture_group(struct torture *t)
{
	bool ok = false;
	for (int i = 0; i < ATTEMPTS && !ok; i++) {
		struct member members[2];
		for (int k = 0; k < 2; k++)
			members[k] = (struct member){.t = t,
						     .os = kl_sim_os(t->client_node)};
		ok = live(&members[0], &members[1]);
		for (int k = 0; k < 2; k++) {
			hang_up(&members[k]);
			kl_arena_free(&members[k].arena);
			kl_buf_free(&members[k].in);
		}
		if (!ok)
			kl_sim_sleep(t->sim, PAUSE);
	}
	if (!ok && t->once)
		torture_complain(t, "the group has no life, though there is memory\n");
}
