/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of classic groups: coordinators that move, restarts, expiry; and what admins
 * see and do. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/broker/group_peer.h"
#include "tests/broker/txn_peer.h"

static struct peer *peer;
static const char *topic;
static char *dir;
static const char *const usual[] = {"group.min.session.timeout.ms=10",
				    "group.initial.rebalance.delay.ms=200", NULL};

static void start(const char *const *config, int32_t nodes)
{
	peer_start_with((struct klamm_broker_options){
		.config = config, .nodes = nodes, .data_dir = dir});
	peer = peer_open();
	txn_find(peer, 0, "g");
}

static void make_topic(void)
{
	topic = peer_topic();
	peer_create(topic, 2);
}

static void up(void)
{
	start(usual, 1);
	make_topic();
}

static void files_up(void)
{
	dir = unit_tmp();
	up();
}

static void three_up(void)
{
	start(usual, 3);
	make_topic();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
	free(dir);
	dir = NULL;
}

static int64_t committed(const char *group)
{
	int error;
	int64_t offset = txn_committed(peer, group, topic, false, &error);
	ck_assert_int_eq(error, 0);
	return offset;
}

static void fault(const char *words)
{
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_fault(peer_broker, words, NULL, &err), 0);
}

/* --- what is known again --- */

static void reconnect(struct group_member *m)
{
	peer_close(m->peer);
	m->peer = peer_open();
}

START_TEST(outlives_the_broker)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, "g");
	group_member_init(&b, "g");
	a.instance = "static";
	b.topic = topic;
	group_gather(all, 2);
	ck_assert_int_eq(group_commit(&a, topic, 5), 0);
	int32_t generation = a.generation;
	for (int i = 0; i < 2; i++) {
		peer_close(peer);
		peer_stop();
		start(usual, 1);
		reconnect(&a);
		reconnect(&b);
		ck_assert_str_eq(group_state(peer, "g"), "Stable");
		ck_assert_int_eq(group_beat(&a), 0);
		ck_assert_int_eq(group_beat(&b), 0);
		ck_assert_int_eq(committed("g"), 5);
	}
	ck_assert_int_eq(group_sync(&a, NULL, 0), 0);
	const struct kl_describe_groups_response_group *g = group_describe(peer, "g");
	ck_assert(kl_str_is(g->protocol_type, "consumer"));
	ck_assert(kl_str_is(g->protocol_data, "range"));
	ck_assert_int_eq(g->members_n, 2);
	for (int i = 0; i < 2; i++) {
		const struct kl_describe_groups_response_member *m = &g->members[i];
		bool is_a = m->group_instance_id.len >= 0;
		ck_assert(kl_str_is(m->member_id, is_a ? a.id : b.id));
		ck_assert(kl_str_is(m->client_id, "test"));
		ck_assert(kl_str_is(m->client_host, "/127.0.0.1"));
		ck_assert_int_eq(m->member_assignment.len, strlen(is_a ? a.id : b.id));
		ck_assert_int_gt(m->member_metadata.len, 0);
	}

	/* A rebalance that was under way begins again. */
	b.topic = "another";
	group_ask(&b);
	ck_assert(peer_is_silent(b.peer, 50));
	peer_close(peer);
	peer_stop();
	start(usual, 1);
	reconnect(&a);
	reconnect(&b);
	ck_assert_int_eq(group_beat(&b), 0);
	group_gather(all, 2);
	ck_assert_int_eq(a.generation, generation + 1);

	/* Those that do not come back are out. */
	a.session_ms = b.session_ms = 1500;
	group_gather(all, 2);
	peer_close(peer);
	peer_stop();
	start(usual, 1);
	group_await_state(peer, "g", "Empty");
	peer_close(peer);
	peer_stop();
	start(usual, 1);
	ck_assert_str_eq(group_state(peer, "g"), "Empty");
	ck_assert_int_eq(committed("g"), 5);
	reconnect(&a);
	ck_assert_int_eq(group_beat(&a), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* Of three nodes one coordinates, and then another one, which knows what the log says. */
START_TEST(moves)
{
	int32_t node = txn_find(peer, 0, "g");
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, "g");
	group_member_init(&b, "g");
	peer_close(a.peer);
	peer_close(b.peer);
	a.peer = peer_open_node(node);
	b.peer = peer_open_node(node);
	a.instance = "a"; /* comes without an id */
	b.instance = "b";
	group_gather(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;

	/* One that waits to join is told, and its generation goes on. */
	group_ask(leader);
	ck_assert(peer_is_silent(leader->peer, 50));
	fault("heartbeat coordinator=next");
	ck_assert_int_eq(group_beat(other), KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_eq(group_told(leader), KLAMM_ERR_NOT_COORDINATOR);
	int32_t next = txn_find(peer, 0, "g");
	ck_assert_int_ne(next, node);
	for (int i = 0; i < 2; i++) {
		peer_close(all[i]->peer);
		all[i]->peer = peer_open_node(next);
		ck_assert_int_eq(group_beat(all[i]), 0);
	}

	/* The same for one that waits to be assigned something. */
	leader->topic = other->topic = "another";
	group_ask(leader);
	group_ask(other);
	ck_assert_int_eq(group_told(leader), 0);
	ck_assert_int_eq(group_told(other), 0);
	group_ask_sync(other, NULL, 0);
	ck_assert(peer_is_silent(other->peer, 50));
	fault("sync_group coordinator=next");
	ck_assert_int_eq(group_sync(leader, all, 2), KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_eq(group_synced(other, NULL), KLAMM_ERR_NOT_COORDINATOR);
	struct peer *third = peer_open_node(txn_find(peer, 0, "g"));
	ck_assert_str_eq(group_state(third, "g"), "Stable");
	peer_close(third);

	/* A node that stops takes its groups with it; another one has them. */
	struct klamm_error err;
	int32_t last = txn_find(peer, 0, "g");
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, last, false, &err), 0);
	peer_close(peer);
	peer = peer_open_node(last == 1 ? 2 : 1);
	third = peer_open_node(txn_find(peer, 0, "g"));
	ck_assert_str_eq(group_state(third, "g"), "Stable");
	peer_close(third);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* Faults meet every request to a coordinator. */
START_TEST(meets_faults)
{
	struct group_member m;
	group_member_init(&m, "g");
	fault("join_group error=COORDINATOR_LOAD_IN_PROGRESS");
	ck_assert_int_eq(group_join(&m), KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS);
	struct group_member *all[] = {&m};
	group_gather(all, 1);
	fault("heartbeat error=NOT_COORDINATOR");
	ck_assert_int_eq(group_beat(&m), KLAMM_ERR_NOT_COORDINATOR);
	fault("sync_group error=REBALANCE_IN_PROGRESS");
	ck_assert_int_eq(group_sync(&m, NULL, 0), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	fault("leave_group error=NOT_COORDINATOR");
	ck_assert_int_eq(group_leave(&m), KLAMM_ERR_NOT_COORDINATOR);
	ck_assert_int_eq(group_beat(&m), 0);
	group_member_close(&m);
}
END_TEST

/* --- what expires --- */

/* Offsets of topics that members subscribe to stay, whatever their age; others, and those of
 * groups that nobody is in, go when they are old; a group that has none goes at once. */
START_TEST(expires)
{
	static const char *const config[] = {
		"group.min.session.timeout.ms=10", "offsets.retention.minutes=1",
		"offsets.retention.check.interval.ms=30", NULL};
	start(config, 1);
	make_topic();
	struct group_member m;
	group_member_init(&m, "g");
	m.topic = topic;
	struct group_member *all[] = {&m};
	/* Or it goes while its first member is between its two requests. */
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 4), 0);
	group_gather(all, 1);
	ck_assert_int_eq(group_commit(&m, topic, 5), 0);
	ck_assert_int_eq(txn_plain_commit(peer, "simple", topic, 6), 0);
	struct group_member brief;
	group_member_init(&brief, "brief");
	int error;
	while ((error = group_join(&brief)) == KLAMM_ERR_UNKNOWN_MEMBER_ID)
		brief.id[0] = '\0'; /* as this one's does on a busy machine */
	ck_assert_int_eq(error, 0);
	ck_assert_int_eq(group_leave(&brief), 0);
	group_await_state(peer, "brief", "Dead");
	ck_assert_str_eq(group_state(peer, "g"), "Stable");
	ck_assert_str_eq(group_state(peer, "simple"), "Empty");
	ck_assert_int_eq(committed("simple"), 6);

	/* A time of their own (before OffsetCommit 5) makes them old. */
	struct kl_offset_commit_request_partition of = {.commit_timestamp = -1,
							.committed_offset = 3};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = KL_STR("simple");
	request.retention_time_ms = 1;
	request.topics = &at;
	request.topics_n = 1;
	PEER_CALL(peer, offset_commit, 4, &request);
	request.group_id = KL_STR("g");
	request.member_id = kl_str(m.id);
	request.generation_id_or_member_epoch = m.generation;
	PEER_CALL(peer, offset_commit, 4, &request);
	group_await_state(peer, "simple", "Dead");
	ck_assert_int_eq(committed("simple"), -1);
	ck_assert_int_eq(committed("g"), 3);
	ck_assert_int_eq(group_leave(&m), 0);
	group_await_state(peer, "g", "Dead");
	ck_assert_int_eq(committed("g"), -1);
	group_member_close(&m);
	group_member_close(&brief);
}
END_TEST

/* --- admins --- */

static int delete_group(const char *group)
{
	struct kl_str names[] = {kl_str(group), kl_str(group)};
	struct kl_delete_groups_request request = {.groups_names = names,
						   .groups_names_n = 2};
	struct kl_delete_groups_response *r = PEER_CALL(peer, delete_groups, 2, &request);
	ck_assert_int_eq(r->results_n, 1);
	return r->results[0].error_code;
}

START_TEST(deletes)
{
	struct group_member m;
	group_member_init(&m, "g");
	struct group_member *all[] = {&m};
	ck_assert_int_eq(delete_group("g"), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	group_gather(all, 1);
	ck_assert_int_eq(group_commit(&m, topic, 5), 0);
	ck_assert_int_eq(delete_group("g"), KLAMM_ERR_NON_EMPTY_GROUP);
	ck_assert_int_eq(group_leave(&m), 0);
	ck_assert_int_eq(delete_group("g"), 0);
	ck_assert_str_eq(group_state(peer, "g"), "Dead");
	ck_assert_int_eq(committed("g"), -1);
	ck_assert_int_eq(txn_plain_commit(peer, "simple", topic, 5), 0);
	ck_assert_int_eq(delete_group("simple"), 0);
	if (dir != NULL) {
		peer_close(peer);
		peer_stop();
		start(usual, 1);
		ck_assert_int_eq(delete_group("g"), KLAMM_ERR_GROUP_ID_NOT_FOUND);
		ck_assert_int_eq(committed("simple"), -1);
		reconnect(&m);
	}
	/* It begins anew. */
	m.id[0] = '\0';
	ck_assert_int_eq(group_join(&m), 0);
	ck_assert_int_eq(m.generation, 1);
	group_member_close(&m);
}
END_TEST

static int delete_offset(const char *group, const char *of_topic)
{
	struct kl_offset_delete_request_partition of = {.partition_index = 0};
	struct kl_offset_delete_request_topic at = {
		.name = kl_str(of_topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_delete_request request = {
		.group_id = kl_str(group), .topics = &at, .topics_n = 1};
	struct kl_offset_delete_response *r = PEER_CALL(peer, offset_delete, 0, &request);
	return r->error_code != 0 ? r->error_code : r->topics[0].partitions[0].error_code;
}

START_TEST(guards_offsets)
{
	const char *other = "other";
	peer_create(other, 1);
	struct group_member m, c;
	struct group_member *all[] = {&m}, *connect[] = {&c};
	group_member_init(&m, "g");
	group_member_init(&c, "connect");
	c.type = "connect";
	m.topic = topic;
	group_gather(all, 1);
	group_gather(connect, 1);
	ck_assert_int_eq(group_commit(&m, topic, 5), 0);
	ck_assert_int_eq(delete_offset("g", topic), KLAMM_ERR_GROUP_SUBSCRIBED_TO_TOPIC);
	ck_assert_int_eq(delete_offset("g", other), 0);
	ck_assert_int_eq(delete_offset("g", "nothing"), KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(delete_offset("connect", other), KLAMM_ERR_NON_EMPTY_GROUP);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 6), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_leave(&m), 0);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 6), 0);
	ck_assert_int_eq(committed("g"), 6);
	ck_assert_int_eq(delete_offset("g", topic), 0);
	ck_assert_int_eq(committed("g"), -1);
	group_member_close(&m);
	group_member_close(&c);
}
END_TEST

/* In transactions, too, who says that it is a member must be one. */
START_TEST(checks_transactions)
{
	struct group_member m;
	struct group_member *all[] = {&m};
	group_member_init(&m, "g");
	group_gather(all, 1);
	struct txn_producer p;
	txn_begin(peer, &p, "t");
	struct kl_txn_offset_commit_request_partition of = {
		.committed_offset = 4, .committed_leader_epoch = -1,
		.committed_metadata = KL_STR("")};
	struct kl_txn_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_txn_offset_commit_request request;
	kl_msg_init(&kl_msg_txn_offset_commit_request, &request);
	request.transactional_id = KL_STR("t");
	request.producer_id = p.producer_id;
	request.producer_epoch = p.epoch;
	request.group_id = KL_STR("g");
	request.topics = &at;
	request.topics_n = 1;
	const struct {
		const char *id;
		int32_t generation;
		int error;
	} rows[] = {
		{"nobody", m.generation, KLAMM_ERR_UNKNOWN_MEMBER_ID},
		{m.id, m.generation + 1, KLAMM_ERR_ILLEGAL_GENERATION},
		{"", -1, 0}, /* as clients of before say it */
		{m.id, m.generation, 0},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		request.member_id = kl_str(rows[i].id);
		request.generation_id_or_member_epoch = rows[i].generation;
		struct kl_txn_offset_commit_response *r =
			PEER_CALL(peer, txn_offset_commit, 5, &request);
		int rc = r->topics[0].partitions[0].error_code;
		ck_assert_msg(rc == rows[i].error, "row %zu: %s", i, klamm_err_name(rc));
	}
	ck_assert_int_eq(txn_end(peer, &p, true, 5), 0);
	txn_state(peer, "t", true);
	ck_assert_int_eq(committed("g"), 4);
	group_member_close(&m);
}
END_TEST

static int listed(const char *state, const char *type)
{
	struct kl_str states = kl_str(state), types = kl_str(type);
	struct kl_list_groups_request request = {
		.states_filter = &states, .states_filter_n = state != NULL,
		.types_filter = &types, .types_filter_n = type != NULL};
	struct kl_list_groups_response *r = PEER_CALL(peer, list_groups, 5, &request);
	ck_assert_int_eq(r->error_code, 0);
	for (int i = 0; i < r->groups_n; i++)
		ck_assert(kl_str_is(r->groups[i].group_type, "classic"));
	return r->groups_n;
}

START_TEST(lists_and_describes)
{
	struct group_member m;
	struct group_member *all[] = {&m};
	group_member_init(&m, "g");
	group_gather(all, 1);
	ck_assert_int_eq(txn_plain_commit(peer, "simple", topic, 6), 0);
	ck_assert_int_eq(listed(NULL, NULL), 2);
	ck_assert_int_eq(listed(" sTABLE ", NULL), 1);
	ck_assert_int_eq(listed("Empty", "Classic"), 1);
	ck_assert_int_eq(listed("Unheard", NULL), 0);
	ck_assert_int_eq(listed(NULL, "consumer"), 0);
	ck_assert_int_eq(listed(NULL, "unheard"), 0);
	for (int version = 0; version <= 4; version++) {
		struct kl_list_groups_request request = {.states_filter_n = 0};
		ck_assert_int_eq(
			PEER_CALL(peer, list_groups, version, &request)->groups_n, 2);
	}
	struct kl_str names[] = {KL_STR("g"), KL_STR("simple"), KL_STR("nothing")};
	for (int version = 0; version <= 6; version++) {
		struct kl_describe_groups_request request = {.groups = names, .groups_n = 3};
		struct kl_describe_groups_response *r =
			PEER_CALL(peer, describe_groups, version, &request);
		ck_assert_int_eq(r->groups_n, 3);
		ck_assert(kl_str_is(r->groups[0].group_state, "Stable"));
		ck_assert_int_eq(r->groups[0].members_n, 1);
		ck_assert(kl_str_is(r->groups[1].group_state, "Empty"));
		ck_assert(kl_str_is(r->groups[1].protocol_type, ""));
		ck_assert(kl_str_is(r->groups[2].group_state, "Dead"));
		ck_assert_int_eq(r->groups[2].error_code,
				 version >= 6 ? KLAMM_ERR_GROUP_ID_NOT_FOUND : 0);
		if (version >= 6)
			ck_assert(kl_str_is(r->groups[2].error_message,
					    "Group nothing not found."));
	}
	ck_assert_int_eq(group_describe(peer, "g")->authorized_operations, 0x0d48);
	group_member_close(&m);
}
END_TEST

/* --- limits --- */

START_TEST(has_a_size)
{
	static const char *const config[] = {"group.max.size=2",
					     "group.initial.rebalance.delay.ms=200", NULL};
	start(config, 1);
	struct group_member a, b, c, *all[] = {&a, &b};
	group_member_init(&a, "g");
	group_member_init(&b, "g");
	group_member_init(&c, "g");
	group_gather(all, 2);
	ck_assert_int_eq(group_join(&c), KLAMM_ERR_GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(group_beat(&a), 0);
	/* Those that are in it come again; the third is too late. */
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	group_ask(leader);
	ck_assert(peer_is_silent(leader->peer, 50));
	group_ask(leader == &a ? &b : &a);
	ck_assert_int_eq(group_told(&a), 0);
	ck_assert_int_eq(group_told(&b), 0);
	ck_assert_int_eq(group_join(&c), KLAMM_ERR_GROUP_MAX_SIZE_REACHED);
	group_member_close(&a);
	group_member_close(&b);
	group_member_close(&c);
}
END_TEST

/* A group that was empty waits longer for each one that comes, but not for ever. */
START_TEST(waits_for_more)
{
	/* With room for a machine that has other things to do. */
	static const char *const config[] = {"group.initial.rebalance.delay.ms=2500", NULL};
	start(config, 1);
	struct group_member a, b, c, *all[] = {&a, &b, &c};
	for (int i = 0; i < 3; i++) {
		group_member_init(all[i], "g");
		all[i]->rebalance_ms = 4500;
	}
	group_come(&a);
	ck_assert(peer_is_silent(a.peer, 1000));
	group_come(&b);
	ck_assert(peer_is_silent(a.peer, 2000)); /* now it waits 2 s more, and no longer */
	group_come(&c);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(group_told(all[i]), 0);
	ck_assert_int_eq(a.members + b.members + c.members, 3);
	for (int i = 0; i < 3; i++)
		group_member_close(all[i]);
}
END_TEST

static void ask_with(int32_t protocols, int32_t bytes)
{
	static uint8_t big[4 << 20];
	struct kl_join_group_request_protocol *list = calloc((size_t)protocols, sizeof(*list));
	struct kl_join_group_request request;
	kl_msg_init(&kl_msg_join_group_request, &request);
	request.group_id = KL_STR("g");
	request.session_timeout_ms = 30000;
	request.rebalance_timeout_ms = 40000;
	request.protocol_type = KL_STR("consumer");
	request.protocols = list;
	request.protocols_n = protocols;
	for (int32_t i = 0; i < protocols; i++) {
		list[i].name = KL_STR("same");
		list[i].metadata = (struct kl_bytes){big, bytes};
	}
	peer_ask(peer, &kl_msg_join_group_request, 3, &request);
	free(list);
}

/* What is assigned is a record, which has a size; members have a room together. */
START_TEST(limits_what_it_keeps)
{
	/* So long the members below have to come, which send a lot. */
	static const char *const config[] = {"group.initial.rebalance.delay.ms=9000", NULL};
	start(config, 1);
	ask_with(33, 1);
	struct kl_join_group_response *refused =
		peer_read(peer, &kl_msg_join_group_response, 3);
	ck_assert_int_eq(refused->error_code, KLAMM_ERR_INVALID_REQUEST);
	struct group_member m;
	group_member_init(&m, "g");
	m.version = 3;
	ck_assert_int_eq(group_join(&m), 0);
	static uint8_t big[2 << 20];
	struct kl_sync_group_request_assignment to = {.member_id = kl_str(m.id),
						      .assignment = {big, sizeof(big)}};
	struct kl_sync_group_request request = {
		.group_id = KL_STR("g"),
		.generation_id = m.generation,
		.member_id = kl_str(m.id),
		.group_instance_id = KL_STR_NULL,
		.protocol_type = KL_STR("consumer"),
		.protocol_name = KL_STR("range"),
		.assignments = &to,
		.assignments_n = 1,
	};
	ck_assert_int_eq(PEER_CALL(peer, sync_group, 5, &request)->error_code,
			 KLAMM_ERR_UNKNOWN_SERVER_ERROR);
	ck_assert_str_eq(group_state(peer, "g"), "PreparingRebalance");
	ck_assert_int_eq(group_leave(&m), 0);
	/* Each takes 64 MB, and stays while others join: the fourth is one too many. */
	struct peer *first = peer, *many[4];
	for (int i = 0; i < 4; i++) {
		many[i] = peer = peer_open();
		ask_with(16, 4 << 20);
	}
	struct kl_join_group_response *r = peer_read(peer, &kl_msg_join_group_response, 3);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	peer = first;
	peer_check_alive();
	for (int i = 0; i < 4; i++)
		peer_close(many[i]);
	group_member_close(&m);
}
END_TEST

UNIT_SUITE(groups_kept)
{
	Suite *s = suite_create("groups_kept");
	/* Settings and faults of ours, and what is not empty elsewhere. */
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, outlives_the_broker, files_up, down);
	unit_add_fixture(s, moves, three_up, down);
	unit_add_fixture(s, meets_faults, up, down);
	unit_add_fixture(s, expires, NULL, down);
	unit_add_fixture(s, deletes, up, down);
	unit_add_case(s, "deletes_in_files", deletes, files_up, down, 0);
	unit_add_fixture(s, guards_offsets, up, down);
	unit_add_fixture(s, checks_transactions, up, down);
	unit_add_fixture(s, lists_and_describes, up, down);
	unit_add_fixture(s, has_a_size, NULL, down);
	unit_add_fixture(s, waits_for_more, NULL, down);
	unit_add_fixture(s, limits_what_it_keeps, NULL, down);
	return s;
}
