/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups that change their protocol while they have members, and members of both protocols in
 * one group (group.consumer.migration.policy). */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tests/broker/group_peer.h"
#include "tests/broker/modern_peer.h"
#include "tests/broker/txn_peer.h"

#define PARTS 4

static struct peer *peer;
static char topic[80], group[90];
static struct klamm_uuid id;
static struct group_member old1, old2;
static struct modern_member new1, new2;

static struct group_member *const olds[] = {&old1, &old2};
static struct modern_member *const news[] = {&new1, &new2};

static void begin(const char *const *config, const char *dir)
{
	peer_start_with((struct klamm_broker_options){.config = config, .data_dir = dir});
	peer = peer_open();
}

static void member(struct group_member *m)
{
	group_member_init(m, group);
	m->topic = topic;
	m->protocols[0] = "cooperative-sticky";
}

static void members(void)
{
	snprintf(topic, sizeof(topic), "%s", peer_topic());
	snprintf(group, sizeof(group), "group-%s", topic);
	peer_create(topic, PARTS);
	id = peer_topic_id(topic);
	modern_init(&new1, group);
	modern_init(&new2, group);
	new1.topics[0] = new2.topics[0] = topic;
	member(&old1);
	member(&old2);
}

static void up_with(const char *policy)
{
	char text[80];
	const char *config[] = {"group.consumer.assignment.interval.ms=0",
				"group.initial.rebalance.delay.ms=200",
				"group.min.session.timeout.ms=100", NULL, NULL};
	snprintf(text, sizeof(text), "group.consumer.migration.policy=%s", policy ?: "");
	config[3] = policy != NULL ? text : NULL;
	begin(config, NULL);
	members();
}

static void up(void)
{
	up_with(NULL);
}

static void down(void)
{
	group_member_close(&old1);
	group_member_close(&old2);
	modern_close(&new1);
	modern_close(&new2);
	peer_close(peer);
	peer_stop();
}

static int64_t committed(void)
{
	int error;
	int64_t offset = txn_committed(peer, group, topic, false, &error);
	ck_assert_int_eq(error, 0);
	return offset;
}

/* --- all of them together --- */

/* One that is to join says what it has, less what the last answer left out. */
static void go_on(struct group_member *m)
{
	int error = group_beat(m);
	if (error == 0)
		return;
	ck_assert_int_eq(error, KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_join(m), 0);
	ck_assert_int_eq(m->members, 0);
	ck_assert_str_eq(m->leader, "");
	ck_assert_str_eq(m->protocol, "cooperative-sticky");
	error = group_learn(m);
	ck_assert(error == 0 || error == KLAMM_ERR_REBALANCE_IN_PROGRESS);
}

static bool has(const struct group_member *m, int32_t index)
{
	for (int i = 0; i < m->owned_count; i++)
		if (m->owned[i] == index)
			return true;
	return false;
}

/* No partition is with two, ever. */
static int count_owned(int n, int k)
{
	int total = 0;
	for (int32_t index = 0; index < PARTS; index++) {
		int owners = 0;
		for (int i = 0; i < n; i++)
			owners += has(olds[i], index);
		for (int i = 0; i < k; i++)
			owners += modern_has(news[i], &id, index);
		ck_assert_int_le(owners, 1);
		total += owners;
	}
	return total;
}

/* The first n of one protocol and k of the other, until each partition is with one. */
static void settle(int n, int k)
{
	time_t until = time(NULL) + 20;
	do {
		for (int i = 0; i < n; i++)
			go_on(olds[i]);
		for (int i = 0; i < k; i++)
			ck_assert_int_eq(modern_tell(news[i]), 0);
		ck_assert_msg(time(NULL) < until, "the group does not become stable");
		usleep(20000);
	} while (count_owned(n, k) < PARTS ||
		 strcmp(modern_state(peer, group), "Stable") != 0);
}

/* --- to the other protocol and back --- */

START_TEST(to_the_other_protocol_and_back)
{
	group_share(olds, 2, PARTS);
	int32_t before = old1.generation;
	ck_assert_int_eq(group_commit(&old1, topic, 7), 0);
	ck_assert_int_eq(modern_join(&new1), 0);
	ck_assert_int_gt(new1.epoch, before);
	ck_assert_int_eq(new1.count, 0); /* others have it all still */
	ck_assert_str_eq(group_state(peer, group), "Dead");
	settle(2, 1);
	ck_assert_int_eq(old1.owned_count + old2.owned_count + new1.count, PARTS);
	ck_assert_int_gt(new1.count, 0);
	ck_assert_int_gt(old1.generation, before);
	ck_assert_int_eq(committed(), 7);
	/* Without the last one of KIP-848 the group is classic again. */
	ck_assert_int_eq(modern_beat_with(&new1, -1), 0);
	ck_assert_int_eq(modern_describe(peer, group)->error_code,
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_str_eq(group_state(peer, group), "PreparingRebalance");
	ck_assert_int_eq(group_beat(&old1), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	int32_t generation = old1.generation;
	group_share(olds, 2, PARTS);
	ck_assert_int_gt(old1.generation, generation);
	ck_assert_str_eq(group_state(peer, group), "Stable");
	ck_assert_int_eq(count_owned(2, 0), PARTS);
	ck_assert_int_eq(committed(), 7);
}
END_TEST

/* As members are restarted one after the other. */
START_TEST(one_after_the_other)
{
	group_share(olds, 2, PARTS);
	ck_assert_int_eq(group_leave(&old1), 0);
	ck_assert_int_eq(modern_join(&new1), 0);
	struct group_member left = old1;
	old1 = old2, old2 = left;
	settle(1, 1);
	ck_assert_int_eq(group_leave(&old1), 0);
	ck_assert_int_eq(modern_join(&new2), 0);
	settle(0, 2);
	ck_assert_int_eq(new1.count, PARTS / 2);
	ck_assert_int_eq(modern_beat_with(&new1, -1), 0);
	group_member_close(&old1);
	member(&old1);
	ck_assert_int_eq(group_join(&old1), 0);
	ck_assert_int_eq(group_learn(&old1), 0);
	modern_close(&new1);
	new1 = new2;
	settle(1, 1);
	modern_beat_with(&new2, -1);
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(old1.owned_count, PARTS);
	modern_init(&new2, group);
}
END_TEST

START_TEST(a_classic_member_comes_to_a_modern_group)
{
	ck_assert_int_eq(modern_join(&new1), 0);
	modern_settle(news, 1);
	/* It is sent back for an id, as anywhere. */
	group_ask(&old1);
	ck_assert_int_eq(group_told(&old1), KLAMM_ERR_MEMBER_ID_REQUIRED);
	ck_assert_int_eq(strlen(old1.id), 22);
	ck_assert_int_eq(group_join(&old1), 0);
	ck_assert_int_eq(group_learn(&old1), 0);
	settle(1, 1);
	ck_assert_int_eq(old1.owned_count, PARTS / 2);
	/* One that shares no protocol with those that there are finds no place. */
	old2.protocols[0] = "range";
	ck_assert_int_eq(group_join(&old2), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	old2.protocols[0] = "cooperative-sticky";
	old2.type = "connect";
	ck_assert_int_eq(group_join(&old2), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(group_leave(&old1), 0);
	modern_settle(news, 1);
	ck_assert_int_eq(new1.count, PARTS);
}
END_TEST

START_TEST(who_waits_is_sent_to_the_other_group)
{
	group_share(olds, 1, PARTS);
	old1.rebalance_ms = 60000;
	group_come(&old2); /* it waits for the first, which does not come */
	group_await_state(peer, group, "PreparingRebalance");
	ck_assert_int_eq(modern_join(&new1), 0);
	ck_assert_int_eq(group_told(&old2), KLAMM_ERR_REBALANCE_IN_PROGRESS);
	ck_assert_int_eq(group_join(&old2), 0);
	ck_assert_int_eq(group_learn(&old2), 0);
	settle(2, 1);
}
END_TEST

/* --- requests of classic members --- */

START_TEST(requests_of_classic_members)
{
	struct group_member other;
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), 0);
	settle(1, 1);
	ck_assert_int_eq(group_beat(&old1), 0);
	ck_assert_int_eq(group_learn(&old1), 0);
	/* Of another generation, an unknown one, one of the other protocol. */
	other = old1;
	other.generation++;
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(group_learn(&other), KLAMM_ERR_ILLEGAL_GENERATION);
	ck_assert_int_eq(group_commit(&other, topic, 1), KLAMM_ERR_ILLEGAL_GENERATION);
	other = old1;
	snprintf(other.id, sizeof(other.id), "nobody");
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_learn(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_commit(&other, topic, 1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_leave(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	snprintf(other.id, sizeof(other.id), "%s", new1.id);
	other.generation = new1.epoch;
	ck_assert_int_eq(group_beat(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(group_learn(&other), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	/* Of another protocol than it joined with. */
	other = old1;
	snprintf(other.protocol, sizeof(other.protocol), "range");
	ck_assert_int_eq(group_learn(&other), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	other = old1;
	other.type = "connect";
	ck_assert_int_eq(group_learn(&other), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_int_eq(group_commit(&old1, topic, 3), 0);
	ck_assert_int_eq(committed(), 3);
}
END_TEST

START_TEST(describes_both)
{
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), 0);
	settle(1, 1);
	const struct kl_consumer_group_describe_response_group *g =
		modern_describe(peer, group);
	ck_assert_int_eq(g->members_n, 2);
	for (int i = 0; i < 2; i++) {
		bool is_old = kl_str_is(g->members[i].member_id, old1.id);
		ck_assert_int_eq(g->members[i].member_type, is_old ? 0 : 1);
		ck_assert_int_eq(g->members[i].member_epoch,
				 is_old ? old1.generation : new1.epoch);
		ck_assert(kl_str_is(g->members[i].subscribed_topic_names[0], topic));
	}
}
END_TEST

/* --- static members --- */

START_TEST(a_name_goes_from_one_protocol_to_the_other)
{
	old1.instance = new1.instance = "one";
	group_share(olds, 1, PARTS);
	struct group_member before = old1;
	ck_assert_int_eq(modern_join(&new1), 0);
	modern_settle(news, 1);
	ck_assert_int_eq(new1.count, PARTS);
	ck_assert_int_eq(group_beat(&before), KLAMM_ERR_FENCED_INSTANCE_ID);
	/* And back, which is the end of the modern group: with all that it had. */
	old1.id[0] = '\0';
	ck_assert_int_eq(group_join(&old1), 0);
	ck_assert_int_eq(group_learn(&old1), 0);
	ck_assert_int_eq(old1.owned_count, PARTS);
	ck_assert_str_eq(group_state(peer, group), "Stable");
	ck_assert_int_eq(group_beat(&old1), 0);
	ck_assert_int_eq(modern_beat(&new1), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	/* With another id under the same name. */
	ck_assert_int_eq(group_beat(&before), KLAMM_ERR_FENCED_INSTANCE_ID);
}
END_TEST

/* --- those that do not do what they are to --- */

/* Kafka's own: nothing but their time puts them out. */
static void quick(void)
{
	up_with(NULL);
	old1.rebalance_ms = 1500;
}

START_TEST(who_does_not_join_is_put_out)
{
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), 0);
	for (int i = 0; i < 1000 && group_beat(&old1) != KLAMM_ERR_UNKNOWN_MEMBER_ID; i++)
		usleep(20000);
	ck_assert_int_eq(group_beat(&old1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	modern_settle(news, 1);
	ck_assert_int_eq(new1.count, PARTS);
}
END_TEST

START_TEST(who_does_not_sync_is_put_out)
{
	ck_assert_int_eq(modern_join(&new1), 0);
	modern_settle(news, 1);
	ck_assert_int_eq(group_join(&old1), 0);
	for (int i = 0; i < 1000 && modern_describe(peer, group)->members_n > 1; i++)
		usleep(20000);
	ck_assert_int_eq(group_beat(&old1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
}
END_TEST

START_TEST(who_is_silent_is_put_out)
{
	old1.session_ms = 1500;
	ck_assert_int_eq(modern_join(&new1), 0);
	ck_assert_int_eq(group_join(&old1), 0);
	ck_assert_int_eq(group_learn(&old1), 0);
	for (int i = 0; i < 1000 && modern_describe(peer, group)->members_n > 1; i++)
		usleep(20000);
	ck_assert_int_eq(group_beat(&old1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
}
END_TEST

/* --- what is not allowed --- */

static void disabled_up(void)
{
	up_with("DISABLED");
}

START_TEST(disabled)
{
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_str_eq(group_state(peer, group), "Stable");
	ck_assert_int_eq(group_beat(&old1), 0);
	ck_assert_int_eq(group_leave(&old1), 0);
	ck_assert_int_eq(modern_join(&new1), 0);
	ck_assert_int_eq(group_join(&old2), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
}
END_TEST

static void upgrade_up(void)
{
	up_with("upgrade");
}

START_TEST(only_up)
{
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), 0);
	settle(1, 1);
	ck_assert_int_eq(modern_beat_with(&new1, -1), 0);
	ck_assert_int_eq(modern_describe(peer, group)->error_code, 0);
	/* As in Kafka the next one that joins has the rest shared out. */
	ck_assert_int_eq(group_beat(&old1), 0);
	ck_assert_int_eq(group_join(&old2), 0);
	ck_assert_int_eq(group_learn(&old2), 0);
	settle(2, 0);
}
END_TEST

static void downgrade_up(void)
{
	up_with("downgrade");
}

START_TEST(only_down)
{
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(group_leave(&old1), 0);
	ck_assert_int_eq(modern_join(&new1), 0);
	ck_assert_int_eq(group_join(&old2), 0);
	ck_assert_int_eq(group_learn(&old2), 0);
	ck_assert_int_eq(modern_beat_with(&new1, -1), 0);
	ck_assert_str_eq(group_state(peer, group), "PreparingRebalance");
}
END_TEST

/* What its assignor keeps in the assignment would be lost. */
START_TEST(assignors_with_data_stay)
{
	group_gather(olds, 1); /* it assigns what is no assignment */
	ck_assert_int_eq(modern_join(&new1), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_str_eq(group_state(peer, group), "Stable");
}
END_TEST

/* --- records --- */

START_TEST(outlives_the_broker)
{
	char *dir = unit_tmp();
	static const char *const config[] = {"group.consumer.assignment.interval.ms=0", NULL};
	begin(config, dir);
	members();
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(modern_join(&new1), 0);
	settle(1, 1);
	peer_close(peer);
	peer_close(old1.peer);
	peer_close(old2.peer);
	peer_close(new1.peer);
	peer_close(new2.peer);
	peer_stop();
	begin(config, dir);
	old1.peer = peer_open();
	old2.peer = peer_open();
	new1.peer = peer_open();
	new2.peer = peer_open();
	txn_find(peer, 0, group);
	ck_assert_int_eq(group_beat(&old1), 0);
	ck_assert_int_eq(modern_beat(&new1), 0);
	ck_assert_int_eq(modern_describe(peer, group)->members_n, 2);
	/* And the classic group that it becomes. */
	ck_assert_int_eq(modern_beat_with(&new1, -1), 0);
	group_share(olds, 1, PARTS);
	ck_assert_int_eq(group_describe(peer, group)->members_n, 1);
	free(dir);
}
END_TEST

UNIT_SUITE(mixed_groups)
{
	Suite *s = suite_create("mixed_groups");
	unit_add_fixture(s, to_the_other_protocol_and_back, up, down);
	unit_add_fixture(s, one_after_the_other, up, down);
	unit_add_fixture(s, a_classic_member_comes_to_a_modern_group, up, down);
	unit_add_fixture(s, who_waits_is_sent_to_the_other_group, up, down);
	unit_add_fixture(s, requests_of_classic_members, up, down);
	unit_add_fixture(s, describes_both, up, down);
	unit_add_fixture(s, a_name_goes_from_one_protocol_to_the_other, up, down);
	unit_add_fixture(s, who_does_not_join_is_put_out, quick, down);
	unit_add_fixture(s, who_does_not_sync_is_put_out, quick, down);
	unit_add_fixture(s, assignors_with_data_stay, up, down);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, who_is_silent_is_put_out, up, down);
	unit_add_fixture(s, disabled, disabled_up, down);
	unit_add_fixture(s, only_up, upgrade_up, down);
	unit_add_fixture(s, only_down, downgrade_up, down);
	unit_add_fixture(s, outlives_the_broker, NULL, down);
	return s;
}
