/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups whose coordinator assigns (KIP-848). */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/broker/group_peer.h"
#include "tests/broker/modern_peer.h"
#include "tests/broker/txn_peer.h"

static struct peer *peer;
static const char *topic, *group;
static struct klamm_uuid id;
static struct modern_member a, b, c;

static const char *unused_group(void)
{
	static char names[8][64];
	static int next;
	char *name = names[next++ % 8];
	snprintf(name, 64, "group-%s", peer_topic());
	return name;
}

/* peer_topic()'s text is good for one. */
static const char *another_topic(void)
{
	static char name[64];
	snprintf(name, sizeof(name), "%s", peer_topic());
	return name;
}

static void begin(const char *const *config, const char *dir)
{
	peer_start_with((struct klamm_broker_options){.config = config, .data_dir = dir});
	peer = peer_open();
}

static void members(void)
{
	static char name[64];
	group = unused_group();
	snprintf(name, sizeof(name), "%s", peer_topic());
	topic = name;
	peer_create(topic, 4);
	id = peer_topic_id(topic);
	modern_init(&a, group);
	modern_init(&b, group);
	modern_init(&c, group);
	a.topics[0] = b.topics[0] = c.topics[0] = topic;
}

static void up_with(const char *const *config)
{
	begin(config, NULL);
	members();
}

/* Targets are worked out at once, where Kafka waits up to a second. */
static void up(void)
{
	static const char *const config[] = {"group.consumer.assignment.interval.ms=0", NULL};
	up_with(config);
}

static void down(void)
{
	modern_close(&a);
	modern_close(&b);
	modern_close(&c);
	peer_close(peer);
	peer_stop();
}

static struct modern_member *const both[] = {&a, &b};
static struct modern_member *const all[] = {&a, &b, &c};

/* --- coming, sharing, going --- */

START_TEST(one_gets_all)
{
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_gt(a.epoch, 0);
	ck_assert_int_eq(a.interval_ms, 5000);
	ck_assert(a.told);
	ck_assert_int_eq(a.count, 4);
	for (int i = 0; i < 4; i++)
		ck_assert(modern_has(&a, &id, i));
	ck_assert_int_eq(modern_tell(&a), 0);
	ck_assert_str_eq(modern_state(peer, group), "Stable");
	/* Nothing is said twice, but to who says everything. */
	ck_assert_int_eq(modern_beat(&a), 0);
	ck_assert(!a.told);
	ck_assert_int_eq(modern_tell_all(&a), 0);
	ck_assert(a.told);
	ck_assert_int_eq(a.count, 4);
}
END_TEST

/* What another gets is given up first; until that is said, nobody has it. */
START_TEST(revokes_before_it_assigns)
{
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	int32_t epoch = a.epoch;
	ck_assert_int_eq(modern_join(&b), 0);
	ck_assert(b.told);
	ck_assert_int_eq(b.count, 0);
	do /* Kafka works the target out a little later */
		ck_assert_int_eq(modern_beat(&a), 0);
	while (!a.told && usleep(100000) == 0);
	ck_assert_int_eq(a.count, 2);
	ck_assert_int_eq(a.epoch, epoch); /* not before it has let go */
	ck_assert_str_eq(modern_state(peer, group), "Reconciling");
	ck_assert_int_eq(modern_beat(&b), 0);
	ck_assert_int_eq(b.count, 0);
	ck_assert_int_eq(modern_tell(&a), 0);
	ck_assert_int_gt(a.epoch, epoch);
	ck_assert_int_eq(modern_beat(&b), 0);
	ck_assert(b.told);
	ck_assert_int_eq(b.count, 2);
	modern_check_owners(both, 2, 4);
	modern_settle(both, 2);
	ck_assert_int_eq(a.epoch, b.epoch);
}
END_TEST

START_TEST(shares_evenly_and_moves_little)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(modern_join(all[i]), 0);
	modern_settle(all, 3);
	modern_check_owners(all, 3, 4);
	for (int i = 0; i < 3; i++)
		ck_assert(all[i]->count == 1 || all[i]->count == 2);
	struct modern_member before_a = a, before_b = b;
	ck_assert_int_eq(modern_beat_with(&c, -1), 0);
	modern_settle(both, 2);
	modern_check_owners(both, 2, 4);
	ck_assert_int_eq(a.count, 2);
	for (int i = 0; i < before_a.count; i++)
		ck_assert(modern_has(&a, &id, before_a.has[i].index));
	for (int i = 0; i < before_b.count; i++)
		ck_assert(modern_has(&b, &id, before_b.has[i].index));
}
END_TEST

/* Ranges are those of the members' order: static ones by their instance come first. */
START_TEST(range)
{
	a.assignor = b.assignor = c.assignor = "range";
	b.instance = "z";
	c.instance = "y";
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(modern_join(all[i]), 0);
	modern_settle(all, 3);
	ck_assert_int_eq(c.count, 2);
	ck_assert(modern_has(&c, &id, 0) && modern_has(&c, &id, 1));
	ck_assert(b.count == 1 && modern_has(&b, &id, 2));
	ck_assert(a.count == 1 && modern_has(&a, &id, 3));
	const struct kl_consumer_group_describe_response_group *g =
		modern_describe(peer, group);
	ck_assert(kl_str_is(g->assignor_name, "range"));
}
END_TEST

START_TEST(topics_of_each)
{
	const char *other = another_topic();
	peer_create(other, 2);
	struct klamm_uuid other_id = peer_topic_id(other);
	b.topics[1] = other;
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	modern_check_owners(both, 2, 6);
	ck_assert_int_eq(a.count, 3); /* as even as can be */
	ck_assert(!modern_has(&a, &other_id, 0) && !modern_has(&a, &other_id, 1));
	/* A member that changes its mind. */
	a.topics[0] = other;
	b.topics[0] = topic;
	b.topics[1] = NULL;
	ck_assert_int_eq(modern_tell_all(&a), 0);
	ck_assert_int_eq(modern_tell_all(&b), 0);
	modern_settle(both, 2);
	ck_assert_int_eq(a.count, 2);
	ck_assert(modern_has(&a, &other_id, 0) && modern_has(&a, &other_id, 1));
	ck_assert_int_eq(b.count, 4);
}
END_TEST

/* a, which is alone, and so many partitions: topics are looked at again now and then. */
static void settle_until_has(int count)
{
	for (int i = 0; i < 100 && a.count != count; i++) {
		modern_settle(all, 1);
		usleep(50000);
	}
	ck_assert_int_eq(a.count, count);
}

START_TEST(a_topic_grows_and_comes)
{
	const char *later = another_topic();
	a.topics[1] = later;
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(a.count, 4);
	struct kl_create_partitions_request_topic grow = {
		.name = kl_str(topic), .count = 5, .assignments_n = -1};
	struct kl_create_partitions_request r;
	kl_msg_init(&kl_msg_create_partitions_request, &r);
	r.topics = &grow;
	r.topics_n = 1;
	r.timeout_ms = 10000;
	PEER_CALL(peer, create_partitions, 3, &r);
	peer_create(later, 2);
	settle_until_has(7);
}
END_TEST

START_TEST(a_topic_goes)
{
	const char *other = another_topic();
	peer_create(other, 2);
	a.topics[1] = other;
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(a.count, 6);
	peer_delete(other);
	settle_until_has(4);
}
END_TEST

/* --- what is refused --- */

/* More than there can be, of whoever: told before much is done with them. */
START_TEST(partitions_without_end)
{
	enum { COUNT = 100001 };
	int32_t *indexes = calloc(COUNT, sizeof(*indexes));
	struct kl_consumer_group_heartbeat_request_topic owned = {
		.topic_id = id, .partitions = indexes, .partitions_n = COUNT};
	struct kl_consumer_group_heartbeat_request r;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_request, &r);
	r.group_id = KL_STR("g");
	r.member_id = KL_STR("m");
	r.member_epoch = 1;
	r.instance_id = r.rack_id = r.subscribed_topic_regex = r.server_assignor = KL_STR_NULL;
	r.subscribed_topic_names_n = -1;
	r.rebalance_timeout_ms = -1;
	r.topic_partitions = &owned;
	r.topic_partitions_n = 1;
	struct kl_consumer_group_heartbeat_response *told =
		PEER_CALL(peer, consumer_group_heartbeat, 1, &r);
	ck_assert_int_eq(told->error_code, KLAMM_ERR_INVALID_REQUEST);
	owned.partitions_n = COUNT - 1;
	told = PEER_CALL(peer, consumer_group_heartbeat, 1, &r);
	ck_assert_int_eq(told->error_code, KLAMM_ERR_GROUP_ID_NOT_FOUND);
	free(indexes);
}
END_TEST

START_TEST(epochs)
{
	ck_assert_int_eq(modern_beat_with(&a, 5), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(modern_beat_with(&a, -1), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	int32_t old = a.epoch;
	ck_assert_int_eq(modern_beat_with(&b, 5), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(modern_beat_with(&b, -1), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(modern_beat_with(&a, old + 1), KLAMM_ERR_FENCED_MEMBER_EPOCH);
	ck_assert(strstr(a.message, "greater member epoch") != NULL);
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	ck_assert_int_gt(a.epoch, old);
	ck_assert_int_eq(modern_beat_with(&a, old - 1), KLAMM_ERR_FENCED_MEMBER_EPOCH);
	ck_assert(strstr(a.message, "smaller member epoch") != NULL);
	/* Without what it has even the one before is too old. */
	ck_assert_int_eq(modern_beat_with(&a, old), KLAMM_ERR_FENCED_MEMBER_EPOCH);
	/* Who was put out comes again, with the same id, and has what is its own. */
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(both, 2);
	modern_check_owners(both, 2, 4);
}
END_TEST

/* The answer with the new epoch was lost. */
START_TEST(the_epoch_before)
{
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(modern_join(&b), 0);
	do
		ck_assert_int_eq(modern_beat(&a), 0);
	while (!a.told && usleep(100000) == 0);
	int32_t old = a.epoch;
	ck_assert_int_eq(modern_tell(&a), 0);
	ck_assert_int_gt(a.epoch, old);
	int32_t new = a.epoch;
	a.epoch = old;
	ck_assert_int_eq(modern_tell_all(&a), 0);
	ck_assert_int_eq(a.epoch, new);
	ck_assert(a.told);
}
END_TEST

static const struct wrong {
	const char *what;
	int error;
} wrongs[] = {
	{"no member id", KLAMM_ERR_INVALID_REQUEST},
	{"no group id", KLAMM_ERR_INVALID_REQUEST},
	{"no instance", KLAMM_ERR_INVALID_REQUEST},
	{"no rack", KLAMM_ERR_INVALID_REQUEST},
	{"no timeout", KLAMM_ERR_INVALID_REQUEST},
	{"owns nothing said", KLAMM_ERR_INVALID_REQUEST},
	{"owns something", KLAMM_ERR_INVALID_REQUEST},
	{"no subscription", KLAMM_ERR_INVALID_REQUEST},
	{"epoch -3", KLAMM_ERR_INVALID_REQUEST},
	{"epoch -2", KLAMM_ERR_INVALID_REQUEST},
	{"assignor", KLAMM_ERR_UNSUPPORTED_ASSIGNOR},
	{"pattern", KLAMM_ERR_INVALID_REGULAR_EXPRESSION},
	{"pattern that RE2 has not", KLAMM_ERR_INVALID_REGULAR_EXPRESSION},
};

START_TEST(wrong_requests)
{
	const char *what = wrongs[_i].what;
	struct kl_consumer_group_heartbeat_request_topic owned = {.topic_id = id};
	struct kl_str name = kl_str(topic);
	struct kl_consumer_group_heartbeat_request r;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_request, &r);
	r.group_id = kl_str(group);
	r.member_id = kl_str(a.id);
	r.rebalance_timeout_ms = 1000;
	r.subscribed_topic_names = &name;
	r.subscribed_topic_names_n = 1;
	r.topic_partitions = &owned;
	r.topic_partitions_n = 0;
	if (strcmp(what, "no member id") == 0)
		r.member_id = KL_STR("");
	else if (strcmp(what, "no group id") == 0)
		r.group_id = KL_STR("");
	else if (strcmp(what, "no instance") == 0)
		r.instance_id = KL_STR("");
	else if (strcmp(what, "no rack") == 0)
		r.rack_id = KL_STR("");
	else if (strcmp(what, "no timeout") == 0)
		r.rebalance_timeout_ms = -1;
	else if (strcmp(what, "owns nothing said") == 0)
		r.topic_partitions_n = -1;
	else if (strcmp(what, "owns something") == 0)
		r.topic_partitions_n = 1;
	else if (strcmp(what, "no subscription") == 0)
		r.subscribed_topic_names_n = -1;
	else if (strcmp(what, "epoch -3") == 0)
		r.member_epoch = -3;
	else if (strcmp(what, "epoch -2") == 0)
		r.member_epoch = -2;
	else if (strcmp(what, "assignor") == 0)
		r.server_assignor = KL_STR("sticky");
	else if (strcmp(what, "pattern") == 0)
		r.subscribed_topic_regex = KL_STR("a(");
	else
		r.subscribed_topic_regex = KL_STR("(?=a)b");
	struct kl_consumer_group_heartbeat_response *answer =
		PEER_CALL(peer, consumer_group_heartbeat, 1, &r);
	ck_assert_msg(answer->error_code == wrongs[_i].error, "%s: %d", what,
		      answer->error_code);
	/* Nothing of it is left. */
	ck_assert_int_eq(modern_describe(peer, group)->error_code,
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
}
END_TEST

START_TEST(as_many_as_it_may_have)
{
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	ck_assert_int_eq(modern_join(&c), KLAMM_ERR_GROUP_MAX_SIZE_REACHED);
	ck_assert_int_eq(modern_beat(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	ck_assert_int_eq(modern_beat_with(&a, -1), 0);
	ck_assert_int_eq(modern_join(&c), 0);
}
END_TEST

static void two_up(void)
{
	static const char *const config[] = {"group.consumer.max.size=2", NULL};
	up_with(config);
}

START_TEST(without_the_feature)
{
	ck_assert_int_eq(modern_join(&a), KLAMM_ERR_UNSUPPORTED_VERSION);
	ck_assert_int_eq(modern_describe(peer, group)->error_code,
			 KLAMM_ERR_UNSUPPORTED_VERSION);
}
END_TEST

static void featureless_up(void)
{
	static const char *const config[] = {"group.version=0", NULL};
	up_with(config);
}

START_TEST(other_assignors)
{
	a.assignor = "uniform";
	ck_assert_int_eq(modern_join(&a), KLAMM_ERR_UNSUPPORTED_ASSIGNOR);
	ck_assert(strstr(a.message, "Supported assignors: range.") != NULL);
	a.assignor = NULL;
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert(kl_str_is(modern_describe(peer, group)->assignor_name, "range"));
}
END_TEST

static void range_up(void)
{
	static const char *const config[] = {"group.consumer.assignors=range", NULL};
	up_with(config);
}

/* --- static members --- */

START_TEST(static_members_come_back)
{
	a.instance = "one";
	b.instance = "two";
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	struct modern_part kept[2] = {a.has[0], a.has[1]};
	int32_t epoch = modern_describe(peer, group)->group_epoch;
	ck_assert_int_eq(a.count, 2);
	/* Another one cannot take its place while it is there. */
	c.instance = "one";
	ck_assert_int_eq(modern_join(&c), KLAMM_ERR_UNRELEASED_INSTANCE_ID);
	ck_assert_int_eq(modern_beat_with(&a, -2), 0);
	ck_assert_int_eq(modern_beat(&b), 0);
	ck_assert(!b.told); /* its partitions are kept for it */
	ck_assert_int_eq(modern_join(&c), 0);
	struct modern_member *const now[] = {&c, &b};
	modern_settle(now, 2);
	modern_check_owners(now, 2, 4);
	ck_assert(modern_has(&c, &id, kept[0].index) && modern_has(&c, &id, kept[1].index));
	ck_assert_int_eq(modern_describe(peer, group)->group_epoch, epoch);
	/* The old one is out. */
	ck_assert_int_eq(modern_beat(&a), KLAMM_ERR_FENCED_INSTANCE_ID);
	/* For good. */
	ck_assert_int_eq(modern_beat_with(&c, -1), 0);
	ck_assert_int_eq(modern_beat(&c), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	modern_settle(&now[1], 1);
	ck_assert_int_eq(b.count, 4);
}
END_TEST

/* --- time --- */

START_TEST(silent_members_are_put_out)
{
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	for (int i = 0; i < 400 && a.count != 4; i++) {
		usleep(50000);
		ck_assert_int_eq(modern_beat(&a), 0);
	}
	ck_assert_int_eq(a.count, 4);
	ck_assert_int_eq(modern_beat(&b), KLAMM_ERR_UNKNOWN_MEMBER_ID);
}
END_TEST

static void impatient_up(void)
{
	/* A busy machine may need much of it between two heartbeats. */
	static const char *const config[] = {"group.consumer.session.timeout.ms=3000",
					     "group.consumer.assignment.interval.ms=0", NULL};
	up_with(config);
}

START_TEST(who_keeps_what_others_get_is_put_out)
{
	a.rebalance_ms = 500;
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(modern_join(&b), 0);
	int error = 0;
	for (int i = 0; i < 200 && error == 0; i++) {
		error = modern_beat(&a); /* it lives, but gives up nothing */
		usleep(20000);
	}
	ck_assert_int_eq(error, KLAMM_ERR_UNKNOWN_MEMBER_ID);
	struct modern_member *const left[] = {&b};
	modern_settle(left, 1);
	ck_assert_int_eq(b.count, 4);
}
END_TEST

/* A target is worked out once per interval: who joins meanwhile gets nothing yet. */
START_TEST(targets_have_an_interval)
{
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	ck_assert_int_eq(b.count, 0);
	ck_assert_int_eq(modern_beat(&a), 0);
	ck_assert(!a.told);
	ck_assert_str_eq(modern_state(peer, group), "Assigning");
	usleep(2000000);
	modern_settle(both, 2);
	modern_check_owners(both, 2, 4);
}
END_TEST

static void slow_up(void)
{
	static const char *const config[] = {"group.consumer.assignment.interval.ms=1900",
					     NULL};
	up_with(config);
}

/* --- patterns --- */

START_TEST(patterns)
{
	static char regex[80];
	snprintf(regex, sizeof(regex), "%.*s.", (int)strlen(topic) - 1, topic);
	a.topics[0] = NULL;
	a.regex = regex;
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(a.count, 0); /* what it means is not known yet */
	for (int i = 0; i < 100 && a.count == 0; i++) {
		usleep(50000);
		modern_settle(all, 1);
	}
	ck_assert(modern_has(&a, &id, 0));
	const struct kl_consumer_group_describe_response_group *g =
		modern_describe(peer, group);
	ck_assert(kl_str_is(g->members[0].subscribed_topic_regex, regex));
	/* Known now, so it means something at once; and part of a name is not enough. */
	b.topics[0] = NULL;
	b.regex = regex;
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	ck_assert_int_gt(b.count, 0);
	regex[strlen(regex) - 1] = '\0';
	c.topics[0] = NULL;
	c.regex = regex;
	/* Names in its place. */
	a.regex = "";
	a.topics[0] = topic;
	ck_assert_int_eq(modern_tell_all(&a), 0);
	ck_assert_int_eq(modern_beat_with(&b, -1), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(a.count, 4);
}
END_TEST

/* --- commits --- */

START_TEST(commits_of_members)
{
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	int32_t first = a.epoch;
	ck_assert_int_eq(modern_commit(&a, first, topic, 0, 7), 0);
	ck_assert_int_eq(modern_fetch(&a, first, topic), 0);
	ck_assert_int_eq(modern_commit(&a, first + 1, topic, 0, 7),
			 KLAMM_ERR_STALE_MEMBER_EPOCH);
	ck_assert_int_eq(modern_fetch(&a, first + 1, topic), KLAMM_ERR_STALE_MEMBER_EPOCH);
	ck_assert_int_eq(modern_commit(&b, first, topic, 0, 7), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(modern_fetch(&b, first, topic), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(txn_plain_commit(peer, group, topic, 9), KLAMM_ERR_UNKNOWN_MEMBER_ID);
	/* What it kept, it may commit in the epoch in which it had it (KIP-1251). */
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	ck_assert_int_gt(a.epoch, first);
	ck_assert_int_eq(modern_commit(&a, first, topic, a.has[0].index, 8), 0);
	ck_assert_int_eq(modern_commit(&a, first, topic, b.has[0].index, 8),
			 KLAMM_ERR_STALE_MEMBER_EPOCH);
	ck_assert_int_eq(modern_commit(&b, first, topic, b.has[0].index, 8),
			 KLAMM_ERR_STALE_MEMBER_EPOCH);
	/* Without members anybody may. */
	ck_assert_int_eq(modern_beat_with(&a, -1), 0);
	ck_assert_int_eq(modern_beat_with(&b, -1), 0);
	ck_assert_int_eq(txn_plain_commit(peer, group, topic, 9), 0);
}
END_TEST

/* --- both types --- */

START_TEST(types_of_groups)
{
	struct group_member old;
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	/* A classic member, of another protocol, finds no place among modern ones. */
	group_member_init(&old, group);
	old.protocols[0] = "mine";
	old.type = "connect";
	ck_assert_int_eq(group_join(&old), KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_str_eq(group_state(peer, group), "Dead");
	/* When the group is empty it becomes one of its kind, and back. */
	ck_assert_int_eq(modern_beat_with(&a, -1), 0);
	ck_assert_str_eq(modern_state(peer, group), "Empty");
	ck_assert_int_eq(group_join(&old), 0);
	ck_assert_int_eq(modern_describe(peer, group)->error_code,
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(modern_join(&a), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(group_leave(&old), 0);
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(a.count, 4);
	group_member_close(&old);
}
END_TEST

START_TEST(lists_and_deletes)
{
	struct kl_str type = KL_STR("consumer"), name = kl_str(group);
	struct kl_list_groups_request list;
	struct kl_delete_groups_request del;
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	kl_msg_init(&kl_msg_list_groups_request, &list);
	list.types_filter = &type;
	list.types_filter_n = 1;
	struct kl_list_groups_response *found = PEER_CALL(peer, list_groups, 5, &list);
	bool is_there = false;
	for (int32_t i = 0; i < found->groups_n; i++) {
		ck_assert(kl_str_is(found->groups[i].group_type, "consumer"));
		is_there |= kl_str_is(found->groups[i].group_id, group) &&
			    kl_str_is(found->groups[i].group_state, "Stable") &&
			    kl_str_is(found->groups[i].protocol_type, "consumer");
	}
	ck_assert(is_there);
	kl_msg_init(&kl_msg_delete_groups_request, &del);
	del.groups_names = &name;
	del.groups_names_n = 1;
	ck_assert_int_eq(PEER_CALL(peer, delete_groups, 2, &del)->results[0].error_code,
			 KLAMM_ERR_NON_EMPTY_GROUP);
	ck_assert_int_eq(modern_beat_with(&a, -1), 0);
	ck_assert_int_eq(PEER_CALL(peer, delete_groups, 2, &del)->results[0].error_code, 0);
	ck_assert_int_eq(modern_describe(peer, group)->error_code,
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
}
END_TEST

START_TEST(describes)
{
	a.instance = "one";
	a.regex = "";
	ck_assert_int_eq(modern_join(&a), 0);
	modern_settle(all, 1);
	const struct kl_consumer_group_describe_response_group *g =
		modern_describe(peer, group);
	ck_assert_int_eq(g->error_code, 0);
	ck_assert(kl_str_is(g->group_state, "Stable"));
	ck_assert(kl_str_is(g->assignor_name, "uniform"));
	ck_assert_int_eq(g->group_epoch, a.epoch);
	ck_assert_int_eq(g->assignment_epoch, a.epoch);
	ck_assert_int_eq(g->members_n, 1);
	const struct kl_consumer_group_describe_response_member *m = &g->members[0];
	ck_assert(kl_str_is(m->member_id, a.id));
	ck_assert(kl_str_is(m->instance_id, "one"));
	ck_assert_int_eq(m->rack_id.len, -1);
	ck_assert_int_eq(m->member_epoch, a.epoch);
	ck_assert_int_eq(m->member_type, 1);
	ck_assert_int_eq(m->client_host.p[0], '/');
	ck_assert(kl_str_is(m->subscribed_topic_names[0], topic));
	ck_assert_int_eq(m->assignment.topic_partitions_n, 1);
	ck_assert(kl_str_is(m->assignment.topic_partitions[0].topic_name, topic));
	ck_assert_int_eq(m->assignment.topic_partitions[0].partitions_n, 4);
	ck_assert_int_eq(m->target_assignment.topic_partitions[0].partitions_n, 4);
	ck_assert_int_eq(modern_describe(peer, "no-such-group")->error_code,
			 KLAMM_ERR_GROUP_ID_NOT_FOUND);
}
END_TEST

/* --- the log --- */

START_TEST(members_outlive_the_broker)
{
	char *dir = unit_tmp();
	static char regex[80];
	begin(NULL, dir);
	members();
	snprintf(regex, sizeof(regex), "%s", topic);
	a.instance = "one";
	b.regex = regex;
	ck_assert_int_eq(modern_join(&a), 0);
	ck_assert_int_eq(modern_join(&b), 0);
	modern_settle(both, 2);
	modern_check_owners(both, 2, 4);
	ck_assert_int_eq(modern_commit(&a, a.epoch, topic, a.has[0].index, 3), 0);
	int32_t epoch = modern_describe(peer, group)->group_epoch;
	peer_close(peer);
	modern_close(&a);
	modern_close(&b);
	peer_stop();
	begin(NULL, dir);
	a.peer = peer_open();
	b.peer = peer_open();
	txn_find(peer, 0, group);
	ck_assert_int_eq(modern_beat(&a), 0);
	ck_assert(!a.told);
	ck_assert_int_eq(modern_tell_all(&b), 0);
	ck_assert_int_eq(b.count, 2);
	ck_assert_int_eq(modern_describe(peer, group)->group_epoch, epoch);
	ck_assert_str_eq(modern_state(peer, group), "Stable");
	ck_assert_int_eq(modern_fetch(&a, a.epoch, topic), 0);
	ck_assert_int_eq(modern_beat_with(&b, -1), 0);
	modern_settle(all, 1);
	ck_assert_int_eq(a.count, 4);
	free(dir);
}
END_TEST

UNIT_SUITE(modern_groups)
{
	Suite *s = suite_create("modern_groups");
	unit_add_fixture(s, one_gets_all, up, down);
	unit_add_fixture(s, revokes_before_it_assigns, up, down);
	unit_add_fixture(s, shares_evenly_and_moves_little, up, down);
	unit_add_fixture(s, range, up, down);
	unit_add_fixture(s, topics_of_each, up, down);
	unit_add_fixture(s, a_topic_grows_and_comes, up, down);
	unit_add_fixture(s, a_topic_goes, up, down);
	if (!peer_is_foreign()) /* Kafka takes in all of them */
		unit_add_fixture(s, partitions_without_end, up, down);
	unit_add_fixture(s, epochs, up, down);
	unit_add_fixture(s, the_epoch_before, up, down);
	unit_add_case(s, "wrong_requests", wrong_requests, up, down,
		      (int)kl_countof(wrongs));
	unit_add_fixture(s, static_members_come_back, up, down);
	unit_add_fixture(s, who_keeps_what_others_get_is_put_out, up, down);
	unit_add_fixture(s, patterns, up, down);
	unit_add_fixture(s, commits_of_members, up, down);
	unit_add_fixture(s, types_of_groups, up, down);
	unit_add_fixture(s, lists_and_deletes, up, down);
	unit_add_fixture(s, describes, up, down);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, as_many_as_it_may_have, two_up, down);
	unit_add_fixture(s, without_the_feature, featureless_up, down);
	unit_add_fixture(s, other_assignors, range_up, down);
	unit_add_fixture(s, silent_members_are_put_out, impatient_up, down);
	unit_add_fixture(s, targets_have_an_interval, slow_up, down);
	unit_add_fixture(s, members_outlive_the_broker, NULL, down);
	return s;
}
