/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/broker/modern_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/broker/txn_peer.h"

void modern_init(struct modern_member *m, const char *group)
{
	static uint8_t number;
	struct klamm_uuid uuid = {{1, 0, 0, 0, 0, 0, 0x40, 0, 0x80}};
	uint32_t pid = (uint32_t)getpid();
	uuid.bytes[15] = ++number;
	memcpy(&uuid.bytes[10], &pid, sizeof(pid));
	*m = (struct modern_member){.peer = peer_open(),
				    .group = group,
				    .rebalance_ms = 60000,
				    .version = 1};
	kl_uuid_text(&uuid, m->id);
	txn_find(m->peer, 0, group);
}

void modern_close(struct modern_member *m)
{
	peer_close(m->peer);
}

/* --- heartbeats --- */

static void read_assignment(struct modern_member *m,
			    const struct kl_consumer_group_heartbeat_response_assignment *told)
{
	m->count = 0;
	for (int32_t t = 0; t < told->topic_partitions_n; t++)
		for (int32_t i = 0; i < told->topic_partitions[t].partitions_n; i++) {
			ck_assert_int_lt(m->count, MODERN_PARTS);
			m->has[m->count++] = (struct modern_part){
				told->topic_partitions[t].topic_id,
				told->topic_partitions[t].partitions[i]};
		}
}

static int call(struct modern_member *m, const struct kl_consumer_group_heartbeat_request *r)
{
	struct kl_consumer_group_heartbeat_response *a;
	/* Right after its topic was made, or was moved, a coordinator may be loading. */
	for (int i = 0; i < 100; i++) {
		a = PEER_CALL(m->peer, consumer_group_heartbeat, m->version, r);
		if (a->error_code != KLAMM_ERR_NOT_COORDINATOR &&
		    a->error_code != KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS &&
		    a->error_code != KLAMM_ERR_COORDINATOR_NOT_AVAILABLE)
			break;
		usleep(100000);
	}
	m->error = a->error_code;
	m->told = a->assignment != NULL;
	snprintf(m->message, sizeof(m->message), "%.*s", (int)kl_max(a->error_message.len, 0),
		 a->error_message.p ?: "");
	if (m->error != 0)
		return m->error;
	if (r->member_epoch >= 0) {
		m->epoch = a->member_epoch;
		m->interval_ms = a->heartbeat_interval_ms;
		ck_assert(kl_str_is(a->member_id, m->id));
	}
	if (m->told)
		read_assignment(m, a->assignment);
	return 0;
}

static void begin(const struct modern_member *m, int32_t epoch,
		  struct kl_consumer_group_heartbeat_request *r)
{
	kl_msg_init(&kl_msg_consumer_group_heartbeat_request, r);
	r->group_id = kl_str(m->group);
	r->member_id = kl_str(m->id);
	r->member_epoch = epoch;
	r->instance_id = kl_str(m->instance);
}

struct owned {
	struct kl_consumer_group_heartbeat_request_topic topics[MODERN_PARTS];
	int32_t indexes[MODERN_PARTS];
};

static void put_owned(const struct modern_member *m, struct owned *owned,
		      struct kl_consumer_group_heartbeat_request *r)
{
	memset(owned, 0, sizeof(*owned));
	for (int i = 0; i < m->count; i++) {
		owned->indexes[i] = m->has[i].index;
		owned->topics[i].topic_id = m->has[i].topic;
		owned->topics[i].partitions = &owned->indexes[i];
		owned->topics[i].partitions_n = 1;
	}
	r->topic_partitions = owned->topics;
	r->topic_partitions_n = m->count;
}

static int tell_all(struct modern_member *m, int32_t epoch)
{
	struct kl_consumer_group_heartbeat_request r;
	struct kl_str names[4];
	struct owned owned;
	int n = 0;
	begin(m, epoch, &r);
	for (; n < 4 && m->topics[n] != NULL; n++)
		names[n] = kl_str(m->topics[n]);
	r.rebalance_timeout_ms = m->rebalance_ms;
	r.subscribed_topic_names = names;
	r.subscribed_topic_names_n = n;
	r.subscribed_topic_regex = kl_str(m->regex);
	r.server_assignor = kl_str(m->assignor);
	put_owned(m, &owned, &r);
	return call(m, &r);
}

int modern_join(struct modern_member *m)
{
	m->count = 0;
	return tell_all(m, 0);
}

int modern_tell_all(struct modern_member *m)
{
	return tell_all(m, m->epoch);
}

int modern_beat_with(struct modern_member *m, int32_t epoch)
{
	struct kl_consumer_group_heartbeat_request r;
	begin(m, epoch, &r);
	return call(m, &r);
}

int modern_beat(struct modern_member *m)
{
	return modern_beat_with(m, m->epoch);
}

int modern_tell(struct modern_member *m)
{
	struct kl_consumer_group_heartbeat_request r;
	struct owned owned;
	begin(m, m->epoch, &r);
	put_owned(m, &owned, &r);
	return call(m, &r);
}

/* --- several of them --- */

void modern_settle(struct modern_member *const *members, int n)
{
	time_t until = time(NULL) + 20;
	for (;;) {
		for (int i = 0; i < n; i++)
			ck_assert_int_eq(modern_tell(members[i]), 0);
		if (strcmp(modern_state(members[0]->peer, members[0]->group), "Stable") == 0)
			return;
		ck_assert_msg(time(NULL) < until, "the group does not become stable");
		usleep(50000);
	}
}

bool modern_has(const struct modern_member *m, const struct klamm_uuid *topic, int32_t index)
{
	for (int i = 0; i < m->count; i++)
		if (m->has[i].index == index && kl_uuid_equal(&m->has[i].topic, topic))
			return true;
	return false;
}

void modern_check_owners(struct modern_member *const *members, int n, int parts)
{
	int total = 0;
	for (int i = 0; i < n; i++) {
		total += members[i]->count;
		for (int k = 0; k < members[i]->count; k++)
			for (int j = 0; j < i; j++)
				ck_assert(!modern_has(members[j], &members[i]->has[k].topic,
						      members[i]->has[k].index));
	}
	ck_assert_int_eq(total, parts);
}

/* --- what others ask --- */

struct kl_consumer_group_describe_response_group *modern_describe(struct peer *peer,
								  const char *group)
{
	struct kl_str id = kl_str(group);
	struct kl_consumer_group_describe_request r;
	kl_msg_init(&kl_msg_consumer_group_describe_request, &r);
	r.group_ids = &id;
	r.group_ids_n = 1;
	struct kl_consumer_group_describe_response *a =
		PEER_CALL(peer, consumer_group_describe, 1, &r);
	ck_assert_int_eq(a->groups_n, 1);
	return &a->groups[0];
}

const char *modern_state(struct peer *peer, const char *group)
{
	static char state[32];
	const struct kl_consumer_group_describe_response_group *g =
		modern_describe(peer, group);
	snprintf(state, sizeof(state), "%.*s", g->group_state.len, g->group_state.p);
	return state;
}

int modern_commit(struct modern_member *m, int32_t epoch, const char *topic, int32_t index,
		  int64_t offset)
{
	struct kl_offset_commit_request_partition part = {
		.partition_index = index,
		.commit_timestamp = -1,
		.committed_offset = offset,
		.committed_leader_epoch = -1,
		.committed_metadata = KL_STR(""),
	};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &part, .partitions_n = 1};
	struct kl_offset_commit_request r;
	kl_msg_init(&kl_msg_offset_commit_request, &r);
	r.group_id = kl_str(m->group);
	r.member_id = kl_str(m->id);
	r.generation_id_or_member_epoch = epoch;
	r.topics = &at;
	r.topics_n = 1;
	struct kl_offset_commit_response *a = PEER_CALL(m->peer, offset_commit, 9, &r);
	return a->topics[0].partitions[0].error_code;
}

int modern_fetch(struct modern_member *m, int32_t epoch, const char *topic)
{
	int32_t index = 0;
	struct kl_offset_fetch_request_group_topic at = {
		.name = kl_str(topic), .partition_indexes = &index, .partition_indexes_n = 1};
	struct kl_offset_fetch_request_group group = {.group_id = kl_str(m->group),
						      .member_id = kl_str(m->id),
						      .member_epoch = epoch,
						      .topics = &at,
						      .topics_n = 1};
	struct kl_offset_fetch_request r;
	kl_msg_init(&kl_msg_offset_fetch_request, &r);
	r.groups = &group;
	r.groups_n = 1;
	struct kl_offset_fetch_response *a = PEER_CALL(m->peer, offset_fetch, 9, &r);
	return a->groups[0].error_code;
}
