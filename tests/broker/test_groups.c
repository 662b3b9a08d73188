/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic groups: members that join, are assigned something, and leave. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/broker/group_peer.h"
#include "tests/broker/txn_peer.h"

static struct peer *peer;
static const char *topic, *group;

static const char *unused_group(void)
{
	static char names[8][64];
	static int next;
	char *name = names[next++ % 8];
	snprintf(name, 64, "group-%s", peer_topic());
	return name;
}

static void up(void)
{
	/* Kafka's: a second member that comes at once is in the first generation. */
	static const char *const config[] = {"group.min.session.timeout.ms=10",
					     "group.initial.rebalance.delay.ms=300", NULL};
	peer_start_with((struct klamm_broker_options){.config = config});
	peer = peer_open();
	group = unused_group();
	txn_find(peer, 0, group);
	topic = peer_topic();
	peer_create(topic, 2);
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

/* --- joining --- */

/* In every version; before 4 nobody is sent back for an id. */
START_TEST(lets_one_in)
{
	struct group_member m;
	group = unused_group();
	group_member_init(&m, group);
	m.version = _i;
	m.instance = _i >= 5 && _i % 2 == 1 ? "static" : NULL;
	ck_assert_int_eq(group_join(&m), 0);
	ck_assert_int_eq(m.generation, 1);
	ck_assert_str_eq(m.leader, m.id);
	ck_assert_str_eq(m.protocol, "range");
	ck_assert_int_eq(m.members, 1);
	ck_assert_int_eq(strncmp(m.id, m.instance != NULL ? "static-" : "test-", 5), 0);
	ck_assert_str_eq(group_state(peer, group), "CompletingRebalance");
	struct group_member *all[] = {&m};
	ck_assert_int_eq(group_sync(&m, all, 1), 0);
	ck_assert_str_eq(group_state(peer, group), "Stable");
	ck_assert_int_eq(group_beat(&m), 0);
	ck_assert_int_eq(group_leave(&m), 0);
	ck_assert_str_eq(group_state(peer, group), "Empty");
	ck_assert_int_eq(group_beat(&m), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group_member_close(&m);
}
END_TEST

START_TEST(rebalances)
{
	struct group_member a, b, c, *all[] = {&a, &b, &c};
	for (int i = 0; i < 3; i++)
		group_member_init(all[i], group);
	group_gather(all, 2);
	ck_assert_int_eq(a.generation, b.generation);
	int32_t generation = a.generation;

	/* Another one comes: the others are told so, and come again. */
	group_come(&c);
	ck_assert(peer_is_silent(c.peer, 50));
	ck_assert_str_eq(group_state(peer, group), "PreparingRebalance");
	ck_assert_int_eq(group_beat(&a), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_sync(&b, NULL, 0), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_commit(&a, topic, 7), 0); /* before it gives up what it has */
	group_ask(&a);
	group_ask(&b);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(group_told(all[i]), 0);
		ck_assert_int_eq(all[i]->generation, generation + 1);
	}
	ck_assert_str_eq(c.leader, strcmp(a.leader, a.id) == 0 ? a.id : b.id);

	/* While the leader assigns nobody commits, and members are alive. */
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	ck_assert_int_eq(leader->members, 3);
	ck_assert_int_eq(group_commit(&c, topic, 8), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_beat(&c), 0);
	group_ask_sync(&c, NULL, 0);
	ck_assert(peer_is_silent(c.peer, 50));
	ck_assert_int_eq(group_sync(leader, all, 3), 0);
	const char *assigned;
	ck_assert_int_eq(group_synced(&c, &assigned), 0);
	ck_assert_str_eq(assigned, c.id);
	ck_assert_int_eq(group_commit(&c, topic, 9), 0);

	/* One that leaves makes the others join again. */
	ck_assert_int_eq(group_leave(&c), 0);
	ck_assert_int_eq(group_beat(&a), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	group_gather(all, 2);
	ck_assert_int_eq(a.generation, generation + 2);
	for (int i = 0; i < 3; i++)
		group_member_close(all[i]);
}
END_TEST

/* An answer that was lost: the same request is answered the same, and nobody notices. */
START_TEST(answers_again)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	group_gather(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;
	int32_t generation = a.generation;
	ck_assert_int_eq(group_join(other), 0);
	ck_assert_int_eq(other->generation, generation);
	ck_assert_int_eq(other->members, 0);
	ck_assert_int_eq(group_sync(other, NULL, 0), 0);
	ck_assert_str_eq(group_state(peer, group), "Stable");

	/* Unless it offers something else, or leads. */
	other->topic = "another";
	group_ask(other);
	ck_assert(peer_is_silent(other->peer, 50));
	group_ask(leader);
	ck_assert_int_eq(group_told(other), 0);
	ck_assert_int_eq(group_told(leader), 0);
	ck_assert_int_eq(other->generation, generation + 1);
	/* Between joining and syncing it is the same. */
	ck_assert_int_eq(group_join(leader), 0);
	ck_assert_int_eq(leader->members, 2);
	ck_assert_int_eq(leader->generation, generation + 1);
	group_ask_sync(other, NULL, 0);
	ck_assert_int_eq(group_sync(leader, all, 2), 0);
	ck_assert_int_eq(group_synced(other, NULL), 0);
	group_ask(leader);
	ck_assert(peer_is_silent(leader->peer, 50));
	ck_assert_int_eq(group_beat(other), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* The protocol that most prefer among those that all have. */
START_TEST(lets_them_vote)
{
	static const char *const offers[3][4] = {
		{"range", "sticky", "mine"},
		{"sticky", "range"},
		{"sticky", "range", "other"},
	};
	struct group_member members[4], *all[3];
	for (int i = 0; i < 3; i++) {
		all[i] = &members[i];
		group_member_init(all[i], group);
		memcpy(all[i]->protocols, offers[i], sizeof(offers[i]));
	}
	group_gather(all, 3);
	ck_assert_str_eq(members[0].protocol, "sticky");
	struct group_member *late = &members[3];
	group_member_init(late, group);
	late->protocols[0] = "mine";
	ck_assert_int_eq(group_join(late), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	late->protocols[0] = "range";
	late->type = "connect";
	ck_assert_int_eq(group_join(late), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	late->protocols[0] = NULL;
	late->type = "consumer";
	ck_assert_int_eq(group_join(late), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	for (int i = 0; i < 4; i++)
		group_member_close(&members[i]);
}
END_TEST

START_TEST(refuses)
{
	struct group_member m, other, *all[] = {&m};
	group_member_init(&m, group);
	group_member_init(&other, group);
	strcpy(other.id, "nobody");
	ck_assert_int_eq(group_join(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_leave(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group_gather(all, 1);
	ck_assert_int_eq(group_join(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_leave(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_commit(&other, topic, 1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	other.id[0] = '\0';
	other.generation = -1;
	ck_assert_int_eq(group_commit(&other, topic, 1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	other = (struct group_member){.peer = other.peer, .group = group, .type = "consumer"};
	strcpy(other.id, m.id);
	other.generation = m.generation + 1;
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(group_commit(&other, topic, 1), KLAMM_ERR_ILLEGAL_GENERATION);
	other.generation = m.generation;
	strcpy(other.protocol, "sticky");
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	strcpy(other.protocol, "range");
	other.type = "connect";
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	other.type = NULL; /* it must say which */
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	other.type = "consumer";
	other.group = "";
	ck_assert_int_eq(group_join(&other), KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(group_sync(&other, NULL, 0), KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(group_leave(&other), KLAMM_ERR_INVALID_GROUP_ID);
	other.group = group;
	other.session_ms = 3600000;
	ck_assert_int_eq(group_join(&other), KLAMM_ERR_INVALID_SESSION_TIMEOUT);
	other.session_ms = 1;
	ck_assert_int_eq(group_join(&other), KLAMM_ERR_INVALID_SESSION_TIMEOUT);
	ck_assert_int_eq(group_beat(&m), 0);
	group_member_close(&m);
	group_member_close(&other);
}
END_TEST

/* --- static members --- */

/* It is back before its session ends: it has what it had, nobody joins again, and whoever has
 * its old id is shut out. */
START_TEST(replaces_static_members)
{
	struct group_member a, b, again, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.instance = "a";
	b.instance = "b";
	group_gather(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;

	for (int i = 0; i < 2; i++) {
		struct group_member *old = i == 0 ? other : leader;
		group_member_init(&again, group);
		again.instance = old->instance;
		ck_assert_int_eq(group_join(&again), 0);
		ck_assert_str_ne(again.id, old->id);
		ck_assert_int_eq(again.generation, old->generation);
		ck_assert_int_eq(again.skips, old == leader);
		ck_assert_int_eq(again.members, old == leader ? 2 : 0);
		ck_assert_str_eq(again.leader, old == leader ? again.id : leader->id);
		const char *assigned;
		group_ask_sync(&again, NULL, 0);
		ck_assert_int_eq(group_synced(&again, &assigned), 0);
		ck_assert_str_eq(assigned, old->id); /* what the old one was given */
		ck_assert_int_eq(group_beat(old), KLAMM_ERR_FENCED_INSTANCE_ID);
		ck_assert_int_eq(group_leave(old), KLAMM_ERR_FENCED_INSTANCE_ID);
		ck_assert_int_eq(group_sync(old, NULL, 0), KLAMM_ERR_FENCED_INSTANCE_ID);
		ck_assert_int_eq(group_commit(old, topic, 1), KLAMM_ERR_FENCED_INSTANCE_ID);
		ck_assert_int_eq(group_join(old), KLAMM_ERR_FENCED_INSTANCE_ID);
		ck_assert_int_eq(group_commit(&again, topic, 2), 0);
		ck_assert_str_eq(group_state(peer, group), "Stable");
		group_member_close(&again);
	}
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* The leader was told of the old one already: everybody joins again, and what the old one
 * waits for ends. */
START_TEST(replaces_one_that_waits)
{
	struct group_member a, b, again, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.instance = "a";
	b.instance = "b";
	group_come_together(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;
	group_ask_sync(other, NULL, 0);
	ck_assert(peer_is_silent(other->peer, 50));
	group_member_init(&again, group);
	again.instance = other->instance;
	group_ask(&again);
	ck_assert_int_eq(group_synced(other, NULL), KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(group_sync(leader, all, 2), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	/* And once more, while it joins. */
	struct group_member third;
	group_member_init(&third, group);
	third.instance = other->instance;
	group_ask(&third);
	ck_assert_int_eq(group_told(&again), KLAMM_ERR_FENCED_INSTANCE_ID);
	group_ask(leader);
	ck_assert_int_eq(group_told(leader), 0);
	ck_assert_int_eq(group_told(&third), 0);
	ck_assert_int_eq(third.generation, leader->generation);
	ck_assert_int_eq(leader->members, 2);
	group_member_close(&a);
	group_member_close(&b);
	group_member_close(&again);
	group_member_close(&third);
}
END_TEST

/* An admin takes static members out by their names, and several at once. */
START_TEST(lets_admins_remove)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.instance = "a";
	b.instance = "b";
	group_gather(all, 2);
	struct kl_leave_group_request_member members[] = {
		{.group_instance_id = KL_STR("a"), .reason = KL_STR_NULL},
		{.group_instance_id = KL_STR("c"), .reason = KL_STR_NULL},
		{.member_id = kl_str(a.id), .group_instance_id = KL_STR("b"),
		 .reason = KL_STR_NULL},
		{.group_instance_id = KL_STR("b"), .reason = KL_STR_NULL},
	};
	static const int errors[] = {0, KLAMM_ERR_UNKNOWN_MEMBER_ID,
				     KLAMM_ERR_FENCED_INSTANCE_ID, 0};
	struct kl_leave_group_request request = {
		.group_id = kl_str(group), .members = members, .members_n = 4};
	struct kl_leave_group_response *r = PEER_CALL(peer, leave_group, 4, &request);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->members_n, 4);
	for (int i = 0; i < 4; i++)
		ck_assert_int_eq(r->members[i].error_code, errors[i]);
	ck_assert_str_eq(group_state(peer, group), "Empty");
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* --- time --- */

/* Not so short that a busy machine needs all of it for something else. */
#define SHORT_MS 1500

/* One that is not heard of is out; one that commits or waits for others is alive. */
START_TEST(ends_sessions)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.session_ms = SHORT_MS;
	group_gather(all, 2);
	for (int i = 0; i < SHORT_MS / 100 + 4; i++) {
		usleep(100000);
		ck_assert_int_eq(i % 2 ? group_beat(&a) : group_commit(&a, topic, i), 0);
	}
	usleep((SHORT_MS + 300) * 1000);
	ck_assert_int_eq(group_beat(&b), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_beat(&a), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_join(&b), 0);
	ck_assert_int_eq(b.members, 1);
	ck_assert_str_eq(b.leader, b.id);

	/* It waits for its turn longer than its session lasts. */
	a.id[0] = '\0';
	group_come(&a);
	usleep((SHORT_MS + 300) * 1000);
	group_ask(&b);
	ck_assert_int_eq(group_told(&a), 0);
	ck_assert_int_eq(group_told(&b), 0);
	ck_assert_int_eq(b.members, 2);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* One that got an id and does not come with it does not hold up the others for good. */
START_TEST(forgets_who_does_not_come)
{
	struct group_member a, b;
	group_member_init(&a, group);
	group_member_init(&b, group);
	ck_assert_int_eq(group_join(&a), 0);
	b.session_ms = SHORT_MS;
	group_ask(&b);
	ck_assert_int_eq(group_told(&b), KLAMM_ERR_MEMBER_ID_REQUIRED);
	a.topic = "another";
	group_ask(&a);
	ck_assert(peer_is_silent(a.peer, 50));
	ck_assert_int_eq(group_told(&a), 0);
	ck_assert_int_eq(a.members, 1);
	ck_assert_int_eq(group_join(&b), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	/* It may also say that it does not come. */
	b.id[0] = '\0';
	group_ask(&b);
	ck_assert_int_eq(group_told(&b), KLAMM_ERR_MEMBER_ID_REQUIRED);
	ck_assert_int_eq(group_leave(&b), 0);
	ck_assert_int_eq(group_join(&b), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* Who does not join in time is out, unless it is static; the leader may be another one. */
START_TEST(goes_on_without_some)
{
	struct group_member a, b, c, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	group_member_init(&c, group);
	a.rebalance_ms = b.rebalance_ms = c.rebalance_ms = SHORT_MS;
	group_gather(all, 2);
	group_come(&c);
	ck_assert_int_eq(group_told(&c), 0);
	ck_assert_int_eq(c.members, 1);
	ck_assert_str_eq(c.leader, c.id);
	ck_assert_int_eq(group_beat(&a), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	for (int i = 0; i < 2; i++)
		group_member_close(all[i]);
	group_member_close(&c);
}
END_TEST

START_TEST(keeps_static_members)
{
	struct group_member a, b;
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.instance = "a";
	a.rebalance_ms = b.rebalance_ms = SHORT_MS;
	struct group_member *all[] = {&a};
	group_gather(all, 1);
	group_come(&b);
	ck_assert_int_eq(group_told(&b), 0);
	ck_assert_int_eq(b.members, 2);
	ck_assert_str_eq(b.leader, b.id); /* the one that joined */
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

START_TEST(puts_out_who_does_not_sync)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	a.rebalance_ms = b.rebalance_ms = SHORT_MS;
	group_come_together(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;
	ck_assert_int_eq(group_sync(leader, all, 2), 0);
	ck_assert_str_eq(group_state(peer, group), "Stable");
	group_await_state(peer, group, "PreparingRebalance");
	ck_assert_int_eq(group_beat(other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_join(leader), 0);
	ck_assert_int_eq(leader->members, 1);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* A connection that breaks while its member waits changes nothing: it is expected to ask
 * again. */
START_TEST(outlives_a_connection)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	group_gather(all, 2);
	struct group_member *leader = strcmp(a.leader, a.id) == 0 ? &a : &b;
	struct group_member *other = leader == &a ? &b : &a;
	other->topic = "another";
	group_ask(other);
	ck_assert(peer_is_silent(other->peer, 50));
	peer_close(other->peer);
	other->peer = peer_open();
	ck_assert_int_eq(group_join(leader), 0);
	ck_assert_int_eq(leader->members, 2);
	ck_assert_int_eq(group_join(other), 0);
	ck_assert_int_eq(other->generation, leader->generation);
	/* Also while it waits for the leader. */
	group_ask_sync(other, NULL, 0);
	peer_close(other->peer);
	other->peer = peer_open();
	ck_assert_int_eq(group_sync(leader, all, 2), 0);
	ck_assert_int_eq(group_sync(other, NULL, 0), 0);
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

/* What stands behind a request that waits is met when it is answered, and not before. */
START_TEST(takes_requests_in_turn)
{
	struct group_member a, b, *all[] = {&a, &b};
	group_member_init(&a, group);
	group_member_init(&b, group);
	group_gather(all, 2);
	for (int i = 0; i < 2; i++) {
		struct kl_leave_group_request_member one = {.member_id = kl_str(all[i]->id),
							    .group_instance_id = KL_STR_NULL,
							    .reason = KL_STR_NULL};
		struct kl_leave_group_request request = {
			.group_id = kl_str(group), .members = &one, .members_n = 1};
		all[i]->topic = "another";
		group_ask(all[i]);
		peer_ask(all[i]->peer, &kl_msg_leave_group_request, 5, &request);
	}
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(group_told(all[i]), 0);
		struct kl_leave_group_response *r =
			peer_read(all[i]->peer, &kl_msg_leave_group_response, 5);
		ck_assert_int_eq(r->members[0].error_code, 0);
	}
	ck_assert_str_eq(group_state(peer, group), "Empty");
	group_member_close(&a);
	group_member_close(&b);
}
END_TEST

UNIT_SUITE(groups)
{
	Suite *s = suite_create("groups");
	unit_add_case(s, "lets_one_in", lets_one_in, up, down, 10);
	unit_add_fixture(s, rebalances, up, down);
	unit_add_fixture(s, answers_again, up, down);
	unit_add_fixture(s, lets_them_vote, up, down);
	unit_add_fixture(s, refuses, up, down);
	unit_add_fixture(s, replaces_static_members, up, down);
	unit_add_fixture(s, replaces_one_that_waits, up, down);
	unit_add_fixture(s, lets_admins_remove, up, down);
	unit_add_fixture(s, outlives_a_connection, up, down);
	unit_add_fixture(s, takes_requests_in_turn, up, down);
	/* What takes settings of ours. */
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, ends_sessions, up, down);
	unit_add_fixture(s, forgets_who_does_not_come, up, down);
	unit_add_fixture(s, goes_on_without_some, up, down);
	unit_add_fixture(s, keeps_static_members, up, down);
	unit_add_fixture(s, puts_out_who_does_not_sync, up, down);
	return s;
}
