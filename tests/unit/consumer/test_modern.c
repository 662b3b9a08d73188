/* SPDX-License-Identifier: BSD-2-Clause */
/* The member of a group of KIP-848, without a broker: its whole table, what its heartbeats
 * say, and what becomes of each error. */
#include "core/consumer/modern.h"

#include <stdio.h>

#include "core/base/error.h"
#include "tests/unit/unit.h"

#define NOW (1000 * KL_SECOND)
#define LATER (NOW + KL_SECOND)

/* --- the table --- */

#define S(name) KL_MODERN_##name
#define ON(name) KL_MODERN_ON_##name

/* Every event that changes something; all others must change nothing. */
static const struct row {
	enum kl_modern_state state;
	enum kl_modern_event event;
	enum kl_modern_state next;
	unsigned actions;
} rows[] = {
	{S(UNSUBSCRIBED), ON(JOIN), S(JOINING), S(HEARTBEAT)},
	{S(UNSUBSCRIBED), ON(FENCED), S(UNSUBSCRIBED), S(LEFT)},
	{S(UNSUBSCRIBED), ON(FATAL), S(FATAL), S(LEFT)},
	{S(UNSUBSCRIBED), ON(RELEASED), S(UNSUBSCRIBED), S(FORGET)},
	{S(UNSUBSCRIBED), ON(LEAVE), S(UNSUBSCRIBED), S(LEFT)},
	{S(UNSUBSCRIBED), ON(LEFT), S(UNSUBSCRIBED), S(LEFT)},

	{S(JOINING), ON(TARGET), S(RECONCILING), S(RECONCILE)},
	{S(JOINING), ON(SAME), S(STABLE), 0},
	{S(JOINING), ON(FENCED), S(FENCED), S(LOSE)},
	{S(JOINING), ON(FATAL), S(FATAL), S(LOSE)},
	{S(JOINING), ON(LEAVE), S(PREPARE_LEAVING), S(LOSE)},
	{S(JOINING), ON(EXPIRED), S(LEAVING), S(LEAVE)},

	{S(RECONCILING), ON(TARGET), S(RECONCILING), S(RECONCILE)},
	{S(RECONCILING), ON(SAME), S(STABLE), 0},
	{S(RECONCILING), ON(RECONCILED), S(ACKNOWLEDGING), S(HEARTBEAT)},
	{S(RECONCILING), ON(FENCED), S(FENCED), S(LOSE)},
	{S(RECONCILING), ON(FATAL), S(FATAL), S(LOSE)},
	{S(RECONCILING), ON(LEAVE), S(PREPARE_LEAVING), S(REVOKE)},
	{S(RECONCILING), ON(EXPIRED), S(LEAVING), S(LEAVE)},

	{S(ACKNOWLEDGING), ON(TARGET), S(RECONCILING), S(RECONCILE)},
	{S(ACKNOWLEDGING), ON(SENT), S(STABLE), 0},
	{S(ACKNOWLEDGING), ON(SENT_PART), S(RECONCILING), S(RECONCILE)},
	{S(ACKNOWLEDGING), ON(FENCED), S(FENCED), S(LOSE)},
	{S(ACKNOWLEDGING), ON(FATAL), S(FATAL), S(LOSE)},
	{S(ACKNOWLEDGING), ON(LEAVE), S(PREPARE_LEAVING), S(REVOKE)},
	{S(ACKNOWLEDGING), ON(EXPIRED), S(LEAVING), S(LEAVE)},

	{S(STABLE), ON(TARGET), S(RECONCILING), S(RECONCILE)},
	{S(STABLE), ON(FENCED), S(FENCED), S(LOSE)},
	{S(STABLE), ON(FATAL), S(FATAL), S(LOSE)},
	{S(STABLE), ON(LEAVE), S(PREPARE_LEAVING), S(REVOKE)},
	{S(STABLE), ON(EXPIRED), S(LEAVING), S(LEAVE)},

	{S(FENCED), ON(RELEASED), S(JOINING), S(FORGET) | S(HEARTBEAT)},
	{S(FENCED), ON(LEAVE), S(UNSUBSCRIBED), S(LEFT)},

	{S(PREPARE_LEAVING), ON(RELEASED), S(LEAVING), S(FORGET) | S(LEAVE)},
	{S(PREPARE_LEAVING), ON(FENCED), S(UNSUBSCRIBED), S(LEFT)},
	{S(PREPARE_LEAVING), ON(FATAL), S(FATAL), S(LEFT)},

	{S(LEAVING), ON(SENT), S(UNSUBSCRIBED), 0},
	{S(LEAVING), ON(SENT_PART), S(UNSUBSCRIBED), 0},
	{S(LEAVING), ON(SENT_LATE), S(STALE), S(LOSE)},
	{S(LEAVING), ON(UNSENT), S(UNSUBSCRIBED), S(LEFT)},
	{S(LEAVING), ON(FENCED), S(UNSUBSCRIBED), S(LEFT)},
	{S(LEAVING), ON(FATAL), S(FATAL), S(LEFT)},

	{S(STALE), ON(RELEASED), S(STALE), S(FORGET)},
	{S(STALE), ON(POLLED), S(JOINING), S(HEARTBEAT)},
	{S(STALE), ON(LEAVE), S(UNSUBSCRIBED), S(LEFT)},

	{S(FATAL), ON(RELEASED), S(FATAL), S(FORGET)},
	{S(FATAL), ON(LEAVE), S(UNSUBSCRIBED), S(LEFT)},
	{S(FATAL), ON(LEFT), S(FATAL), S(LEFT)},
};

START_TEST(table)
{
	for (int state = 0; state < KL_MODERN_STATES; state++) {
		for (int event = 0; event < KL_MODERN_EVENTS; event++) {
			struct row want = {(enum kl_modern_state)state,
					   (enum kl_modern_event)event,
					   (enum kl_modern_state)state, 0};
			for (size_t i = 0; i < kl_countof(rows); i++)
				if (rows[i].state == want.state &&
				    rows[i].event == want.event)
					want = rows[i];
			enum kl_modern_state next;
			unsigned actions = kl_modern_step(want.state, want.event, &next);
			ck_assert_msg(next == want.next && actions == want.actions,
				      "%s on %s: %s, %x", kl_modern_state_name(want.state),
				      kl_modern_event_name(want.event),
				      kl_modern_state_name(next), actions);
		}
	}
}
END_TEST

/* The previous states that Kafka's MemberState allows; and two more: who unsubscribes is
 * unsubscribed, also while stale, when Kafka's client would join again, and after what is
 * fatal, when that one cannot be used any more. */
static const struct {
	enum kl_modern_state state, before[9];
	int count;
} allowed[] = {
	{S(STABLE), {S(JOINING), S(ACKNOWLEDGING), S(RECONCILING)}, 3},
	{S(RECONCILING), {S(STABLE), S(JOINING), S(ACKNOWLEDGING), S(RECONCILING)}, 4},
	{S(ACKNOWLEDGING), {S(RECONCILING)}, 1},
	{S(FATAL),
	 {S(JOINING), S(STABLE), S(RECONCILING), S(ACKNOWLEDGING), S(PREPARE_LEAVING),
	  S(LEAVING), S(UNSUBSCRIBED)},
	 7},
	{S(FENCED), {S(JOINING), S(STABLE), S(RECONCILING), S(ACKNOWLEDGING)}, 4},
	{S(JOINING), {S(FENCED), S(UNSUBSCRIBED), S(STALE)}, 3},
	{S(PREPARE_LEAVING), {S(JOINING), S(STABLE), S(RECONCILING), S(ACKNOWLEDGING)}, 4},
	/* Late in polling, it goes through PREPARE_LEAVING at once in Kafka's client. */
	{S(LEAVING),
	 {S(PREPARE_LEAVING), S(JOINING), S(STABLE), S(RECONCILING), S(ACKNOWLEDGING)},
	 5},
	{S(UNSUBSCRIBED),
	 {S(PREPARE_LEAVING), S(LEAVING), S(FENCED), S(STALE), S(FATAL)},
	 5},
	{S(STALE), {S(LEAVING)}, 1},
};

START_TEST(goes_where_kafkas_member_may)
{
	for (size_t i = 0; i < kl_countof(rows); i++) {
		bool fine = rows[i].next == rows[i].state;
		for (size_t a = 0; a < kl_countof(allowed); a++)
			for (int b = 0; b < allowed[a].count; b++)
				fine |= allowed[a].state == rows[i].next &&
					allowed[a].before[b] == rows[i].state;
		ck_assert_msg(fine, "%s on %s", kl_modern_state_name(rows[i].state),
			      kl_modern_event_name(rows[i].event));
	}
}
END_TEST

/* --- a member, and answers for it --- */

static const char *const topics[] = {"orders", "returns"};
static struct kl_modern m;
static struct kl_modern_facts facts;
static struct kl_arena arena;

static void up(void)
{
	static const struct klamm_uuid uuid = {{1, 2, 3}};
	kl_modern_init(&m, &uuid, false);
	facts = (struct kl_modern_facts){
		.group_id = "g",
		.rebalance_timeout_ms = 300000,
		.topics = topics,
		.topic_count = 2,
		.subscription = 1,
	};
}

static void down(void)
{
	kl_modern_free(&m);
	kl_arena_free(&arena);
}

static struct klamm_uuid topic_id(int n)
{
	return (struct klamm_uuid){{(uint8_t)n}};
}

/* "1:0,1;2:5": topic ids and partitions; NULL: no assignment. */
static const struct kl_consumer_group_heartbeat_response *answer(int32_t epoch,
								  const char *parts)
{
	static struct kl_consumer_group_heartbeat_response body;
	static struct kl_consumer_group_heartbeat_response_assignment assignment;
	static struct kl_consumer_group_heartbeat_response_topic list[8];
	static int32_t indexes[64];
	int n = 0;
	memset(list, 0, sizeof(list));
	assignment = (struct kl_consumer_group_heartbeat_response_assignment){
		.topic_partitions = list};
	for (const char *p = parts; p != NULL && *p != '\0'; p++) {
		if (p[1] == ':') {
			struct kl_consumer_group_heartbeat_response_topic *topic =
				&list[assignment.topic_partitions_n++];
			topic->topic_id = topic_id(*p++ - '0');
			topic->partitions = &indexes[n];
		} else if (*p >= '0' && *p <= '9') {
			indexes[n++] = *p - '0';
			list[assignment.topic_partitions_n - 1].partitions_n++;
		}
	}
	body = (struct kl_consumer_group_heartbeat_response){
		.member_epoch = epoch,
		.heartbeat_interval_ms = 5000,
		.assignment = parts != NULL ? &assignment : NULL,
	};
	return &body;
}

static const struct kl_consumer_group_heartbeat_request *sends(void)
{
	const struct kl_consumer_group_heartbeat_request *body =
		kl_modern_body(&m, &facts, &arena);
	ck_assert_ptr_nonnull(body);
	return body;
}

static int known_count; /* topics with an id up to this have a name */

static bool is_known(void *arg, const struct klamm_uuid *id)
{
	(void)arg;
	return id->bytes[0] <= known_count;
}

static void check_set(const struct kl_modern_set *set, const char *want)
{
	char text[256] = "";
	size_t n = 0;
	for (size_t i = 0; i < set->count; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%d-%d", i ? " " : "",
				      set->list[i].topic.bytes[0], set->list[i].partition);
	ck_assert_str_eq(text, want);
}

/* Into STABLE with these. */
static void settle(const char *parts)
{
	known_count = 9;
	ck_assert_uint_eq(kl_modern_on(&m, ON(JOIN)), S(HEARTBEAT));
	sends();
	kl_modern_sent(&m, NOW);
	ck_assert_uint_eq(kl_modern_answered(&m, NOW, answer(1, parts)),
			  S(RECONCILE) | S(HEARTBEAT));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	ck_assert_uint_eq(kl_modern_reconciled(&m, true), S(HEARTBEAT));
	ck_assert_int_eq(m.state, S(ACKNOWLEDGING));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	sends();
	kl_modern_sent(&m, NOW);
	kl_modern_answered(&m, NOW, answer(1, NULL));
	ck_assert_int_eq(m.state, S(STABLE));
}

/* --- heartbeats --- */

START_TEST(joins_with_all_it_has_to_say)
{
	facts.instance_id = "i";
	facts.rack = "r";
	facts.assignor = "uniform";
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	kl_modern_on(&m, ON(JOIN));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert(kl_str_is(body->group_id, "g"));
	ck_assert(kl_str_is(body->member_id, "AQIDAAAAAAAAAAAAAAAAAA"));
	ck_assert_int_eq(body->member_epoch, 0);
	ck_assert(kl_str_is(body->instance_id, "i"));
	ck_assert(kl_str_is(body->rack_id, "r"));
	ck_assert(kl_str_is(body->server_assignor, "uniform"));
	ck_assert_int_eq(body->rebalance_timeout_ms, 300000);
	ck_assert_int_eq(body->subscribed_topic_names_n, 2);
	ck_assert(kl_str_is(body->subscribed_topic_names[1], "returns"));
	ck_assert_int_eq(body->subscribed_topic_regex.len, -1);
	ck_assert_int_eq(body->topic_partitions_n, 0); /* empty, not null */
	kl_modern_sent(&m, NOW);
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER); /* one at a time */
}
END_TEST

START_TEST(says_what_has_changed)
{
	settle("1:0,1;2:3");
	ck_assert_int_eq(kl_modern_due(&m), NOW + 5 * KL_SECOND);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, 1);
	ck_assert_int_eq(body->rebalance_timeout_ms, -1);
	ck_assert_int_eq(body->subscribed_topic_names_n, -1);
	ck_assert_int_eq(body->subscribed_topic_regex.len, -1);
	ck_assert_int_eq(body->topic_partitions_n, -1);
	ck_assert_int_eq(body->rack_id.len, -1);
	kl_modern_sent(&m, NOW);
	kl_modern_answered(&m, NOW, answer(1, NULL));
	facts.subscription++;
	facts.topic_count = 1;
	body = sends();
	ck_assert_int_eq(body->subscribed_topic_names_n, 1);
	ck_assert_int_eq(body->topic_partitions_n, -1);
}
END_TEST

START_TEST(a_pattern_comes_and_goes)
{
	facts.regex = "a.*";
	facts.topic_count = 0;
	kl_modern_on(&m, ON(JOIN));
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert(kl_str_is(body->subscribed_topic_regex, "a.*"));
	ck_assert_int_eq(body->subscribed_topic_names_n, 0);
	facts.regex = NULL;
	facts.topic_count = 2;
	facts.subscription++;
	body = sends();
	ck_assert(kl_str_is(body->subscribed_topic_regex, "")); /* not null: it goes */
	ck_assert_int_eq(body->subscribed_topic_names_n, 2);
	facts.subscription++;
	ck_assert_int_eq(sends()->subscribed_topic_regex.len, -1);
}
END_TEST

START_TEST(acknowledges_what_it_has)
{
	settle("1:0,1");
	kl_modern_sent(&m, NOW);
	unsigned actions = kl_modern_answered(&m, NOW, answer(2, "1:0"));
	ck_assert_uint_eq(actions, S(RECONCILE) | S(HEARTBEAT));
	ck_assert_int_eq(m.epoch, 2);
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	check_set(&m.owned, "1-0 1-1");
	check_set(&m.next, "1-0");
	/* A heartbeat meanwhile says nothing of it. */
	ck_assert_int_eq(sends()->topic_partitions_n, -1);
	kl_modern_sent(&m, NOW);
	ck_assert_int_eq(m.state, S(RECONCILING));
	ck_assert_uint_eq(kl_modern_reconciled(&m, true), S(HEARTBEAT));
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER); /* the other is on its way */
	kl_modern_answered(&m, NOW, answer(2, NULL));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->topic_partitions_n, 1);
	ck_assert_int_eq(body->topic_partitions[0].partitions_n, 1);
	ck_assert_int_eq(body->topic_partitions[0].partitions[0], 0);
}
END_TEST

START_TEST(acknowledges_equal_partitions_of_a_new_target)
{
	settle("1:0");
	kl_modern_answered(&m, NOW, answer(2, "1:0,1"));
	kl_modern_answered(&m, NOW, answer(3, "1:0")); /* before anything was done */
	ck_assert_int_eq(m.state, S(RECONCILING));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_QUIET);
	kl_modern_reconciled(&m, true);
	ck_assert_int_eq(sends()->topic_partitions_n, 1);
	/* The same once more is nothing new. */
	kl_modern_sent(&m, NOW);
	kl_modern_answered(&m, NOW, answer(4, "1:0"));
	ck_assert_int_eq(m.state, S(STABLE));
	ck_assert_int_eq(m.epoch, 4);
}
END_TEST

START_TEST(acknowledges_that_it_has_nothing)
{
	settle("");
	check_set(&m.owned, "");
	ck_assert_int_eq(kl_modern_due(&m), NOW + 5 * KL_SECOND);
}
END_TEST

START_TEST(says_everything_after_an_error)
{
	settle("1:0");
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_DISCONNECTED, "broker 1: gone");
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err),
			  S(HEARTBEAT) | S(FIND));
	ck_assert_int_eq(m.state, S(STABLE));
	ck_assert_int_eq(kl_modern_due(&m), LATER);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, 1);
	ck_assert_int_eq(body->rebalance_timeout_ms, 300000);
	ck_assert_int_eq(body->subscribed_topic_names_n, 2);
	ck_assert_int_eq(body->topic_partitions_n, 1);
}
END_TEST

/* What it sent in vain may be handled behind what it sent then. */
START_TEST(asks_for_everything_for_a_while)
{
	struct klamm_error err = {.code = KLAMM_ERR_TIMED_OUT};
	settle("1:0");
	kl_modern_sent(&m, NOW);
	kl_modern_failed(&m, &facts, LATER, &err);
	for (int64_t now = LATER; now < LATER + 15 * KL_SECOND; now += 5 * KL_SECOND) {
		const struct kl_consumer_group_heartbeat_request *body = sends();
		ck_assert_int_eq(body->topic_partitions_n, 1);
		ck_assert_int_eq(body->subscribed_topic_names_n, 2);
		ck_assert_int_eq(body->rebalance_timeout_ms, 300000);
		kl_modern_sent(&m, now);
		kl_modern_answered(&m, now, answer(1, NULL));
	}
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->topic_partitions_n, -1);
	ck_assert_int_eq(body->subscribed_topic_names_n, -1);
	ck_assert_int_eq(body->rebalance_timeout_ms, -1);
}
END_TEST

/* Everything, while the application has not come to give and take yet. */
START_TEST(says_what_it_is_about_to_take)
{
	struct klamm_error err = {.code = KLAMM_ERR_TIMED_OUT};
	settle("1:0");
	kl_modern_sent(&m, NOW);
	kl_modern_failed(&m, &facts, LATER, &err);
	kl_modern_sent(&m, LATER);
	kl_modern_answered(&m, LATER, answer(2, "1:1"));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->topic_partitions_n, 1);
	ck_assert_int_eq(body->topic_partitions[0].partitions_n, 2);
	ck_assert_int_eq(body->topic_partitions[0].partitions[0], 0);
	ck_assert_int_eq(body->topic_partitions[0].partitions[1], 1);
	kl_modern_reconciled(&m, true);
	body = sends();
	ck_assert_int_eq(body->topic_partitions[0].partitions_n, 1);
	ck_assert_int_eq(body->topic_partitions[0].partitions[0], 1);
}
END_TEST

START_TEST(follows_the_interval)
{
	settle("1:0");
	struct kl_consumer_group_heartbeat_response body = *answer(1, NULL);
	kl_modern_sent(&m, LATER);
	ck_assert_int_eq(m.heartbeat_at, LATER + 5 * KL_SECOND);
	body.heartbeat_interval_ms = 1000;
	kl_modern_answered(&m, LATER, &body);
	ck_assert_int_eq(kl_modern_due(&m), LATER + KL_SECOND);
	body.heartbeat_interval_ms = 0; /* no answer may make it spin */
	kl_modern_answered(&m, LATER, &body);
	ck_assert_int_ge(kl_modern_due(&m), LATER + KL_MS);
}
END_TEST

/* --- reconciliation --- */

START_TEST(topics_without_names_wait)
{
	settle("1:0");
	known_count = 1;
	kl_modern_answered(&m, NOW, answer(2, "2:0;1:0,1"));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	check_set(&m.next, "1-0 1-1");
	kl_modern_reconciled(&m, true);
	ck_assert_int_eq(sends()->topic_partitions_n, 1);
	ck_assert_uint_eq(kl_modern_sent(&m, NOW), S(RECONCILE));
	/* Nothing to do, and nothing to say, before the name is there. */
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_WAIT);
	kl_modern_answered(&m, NOW, answer(2, NULL));
	ck_assert_int_eq(kl_modern_due(&m), NOW + 5 * KL_SECOND);
	known_count = 2;
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	check_set(&m.next, "1-0 1-1 2-0");
	kl_modern_reconciled(&m, true);
	ck_assert_int_eq(sends()->topic_partitions_n, 2); /* of the same target */
	kl_modern_sent(&m, NOW);
	ck_assert_int_eq(m.state, S(STABLE));
}
END_TEST

START_TEST(a_newer_target_comes_after)
{
	settle("1:0");
	kl_modern_answered(&m, NOW, answer(2, "1:1"));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	/* While 1-0 is being given back, it is assigned again. */
	kl_modern_answered(&m, NOW, answer(3, "1:0"));
	ck_assert_int_eq(m.state, S(RECONCILING));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_WAIT);
	kl_modern_reconciled(&m, true);
	check_set(&m.owned, "1-1");
	ck_assert_int_eq(sends()->topic_partitions[0].partitions[0], 1);
	ck_assert_uint_eq(kl_modern_sent(&m, NOW), S(RECONCILE));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	check_set(&m.next, "1-0");
}
END_TEST

START_TEST(a_listener_that_failed_is_asked_again)
{
	settle("1:0");
	kl_modern_answered(&m, NOW, answer(2, "1:1"));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	ck_assert_uint_eq(kl_modern_reconciled(&m, false), 0);
	ck_assert_int_eq(m.state, S(RECONCILING));
	check_set(&m.owned, "1-0");
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
}
END_TEST

START_TEST(what_a_fenced_member_did_does_not_count)
{
	struct klamm_error err = {.code = KLAMM_ERR_FENCED_MEMBER_EPOCH};
	settle("1:0");
	kl_modern_answered(&m, NOW, answer(2, "1:1"));
	ck_assert_int_eq(kl_modern_next(&m, is_known, NULL), KL_MODERN_CHANGE);
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(LOSE));
	ck_assert_uint_eq(kl_modern_reconciled(&m, true), 0);
	ck_assert_int_eq(m.state, S(FENCED));
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	ck_assert_uint_eq(kl_modern_on(&m, ON(RELEASED)), S(FORGET) | S(HEARTBEAT));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	check_set(&m.owned, "");
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, 0);
	ck_assert(kl_str_is(body->member_id, m.id)); /* the same as before */
	ck_assert_int_eq(body->topic_partitions_n, 0);
	ck_assert_int_eq(body->subscribed_topic_names_n, 2);
}
END_TEST

/* --- leaving --- */

START_TEST(leaves)
{
	m.is_static = _i;
	settle("1:0");
	ck_assert_uint_eq(kl_modern_on(&m, ON(LEAVE)), S(REVOKE));
	ck_assert_int_ne(kl_modern_due(&m), KL_NEVER); /* it lives until it has let go */
	ck_assert_uint_eq(kl_modern_answered(&m, NOW, answer(2, "1:0,1")), S(HEARTBEAT));
	ck_assert_int_eq(m.state, S(PREPARE_LEAVING));
	ck_assert_uint_eq(kl_modern_on(&m, ON(RELEASED)), S(FORGET) | S(LEAVE));
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, _i ? -2 : -1);
	ck_assert_int_eq(body->topic_partitions_n, -1);
	ck_assert_int_eq(body->subscribed_topic_names_n, -1);
	ck_assert_uint_eq(kl_modern_sent(&m, NOW), 0);
	ck_assert_int_eq(m.state, S(UNSUBSCRIBED));
	ck_assert_uint_eq(kl_modern_on(&m, ON(LEFT)), S(LEFT));
	/* And comes back. */
	settle("1:1");
}
END_TEST

START_TEST(leaves_untold_without_a_coordinator)
{
	settle("1:0");
	kl_modern_on(&m, ON(LEAVE));
	kl_modern_on(&m, ON(RELEASED));
	ck_assert_uint_eq(kl_modern_on(&m, ON(UNSENT)), S(LEFT));
	ck_assert_int_eq(m.state, S(UNSUBSCRIBED));
}
END_TEST

/* max.poll.interval.ms is over; the coordinator may be known or not. */
START_TEST(stale_until_polled)
{
	settle("1:0");
	ck_assert_uint_eq(kl_modern_on(&m, ON(EXPIRED)), S(LEAVE));
	ck_assert_int_eq(sends()->member_epoch, -1);
	ck_assert_uint_eq(_i ? kl_modern_sent(&m, NOW) : kl_modern_on(&m, ON(UNSENT)),
			  S(LOSE));
	ck_assert_int_eq(m.state, S(STALE));
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	ck_assert_uint_eq(kl_modern_on(&m, ON(EXPIRED)), 0);
	/* poll() comes, in which lost is called: then it joins again. */
	ck_assert_uint_eq(kl_modern_on(&m, ON(POLLED)), 0);
	ck_assert_uint_eq(kl_modern_on(&m, ON(RELEASED)), S(FORGET) | S(HEARTBEAT));
	ck_assert_int_eq(m.state, S(JOINING));
	ck_assert_int_eq(sends()->member_epoch, 0);
	kl_modern_sent(&m, NOW);
	ck_assert_int_eq(m.state, S(JOINING)); /* not stale again */
}
END_TEST

START_TEST(stale_without_partitions)
{
	settle("");
	kl_modern_on(&m, ON(EXPIRED));
	kl_modern_sent(&m, NOW);
	ck_assert_uint_eq(kl_modern_on(&m, ON(RELEASED)), S(FORGET));
	ck_assert_int_eq(m.state, S(STALE));
	ck_assert_uint_eq(kl_modern_on(&m, ON(POLLED)), S(HEARTBEAT));
	ck_assert_int_eq(m.state, S(JOINING));
}
END_TEST

/* A heartbeat of the life before is answered in the next. */
START_TEST(late_answers_say_nothing)
{
	struct klamm_error err = {.code = KLAMM_ERR_FENCED_MEMBER_EPOCH};
	settle("1:0");
	kl_modern_sent(&m, NOW);
	kl_modern_on(&m, ON(EXPIRED));
	kl_modern_sent(&m, NOW);
	kl_modern_on(&m, ON(POLLED));
	kl_modern_on(&m, ON(RELEASED));
	ck_assert_int_eq(m.state, S(JOINING));
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	if (_i)
		kl_modern_failed(&m, &facts, LATER, &err);
	else
		kl_modern_answered(&m, NOW, answer(7, "1:0"));
	ck_assert_int_eq(m.state, S(JOINING));
	ck_assert_int_eq(m.epoch, 0);
	ck_assert_int_eq(kl_modern_due(&m), 0);
}
END_TEST

/* --- errors --- */

/* What each does to a stable member; LATER: it backs off. */
static const struct {
	int code;
	enum kl_modern_state next;
	unsigned actions;
	int64_t due;
	const char *says;
} errors[] = {
	{KLAMM_ERR_NOT_COORDINATOR, S(STABLE), S(FIND) | S(HEARTBEAT), 0, ""},
	{KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, S(STABLE), S(FIND) | S(HEARTBEAT), 0, ""},
	{KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, S(STABLE), S(HEARTBEAT), LATER, ""},
	{KLAMM_ERR_NO_MEMORY, S(STABLE), S(FIND) | S(HEARTBEAT), LATER, ""},
	{KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, S(STABLE), S(HEARTBEAT) | S(TELL), LATER,
	 "allow DESCRIBE"},
	{KLAMM_ERR_FENCED_MEMBER_EPOCH, S(FENCED), S(LOSE), KL_NEVER, ""},
	{KLAMM_ERR_UNKNOWN_MEMBER_ID, S(FENCED), S(LOSE), KL_NEVER, ""},
	{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "allow READ on the group"},
	{KLAMM_ERR_INVALID_REQUEST, S(FATAL), S(LOSE) | S(TELL), KL_NEVER, "broken"},
	{KLAMM_ERR_GROUP_MAX_SIZE_REACHED, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.consumer.max.size"},
	{KLAMM_ERR_UNSUPPORTED_ASSIGNOR, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.remote.assignor"},
	{KLAMM_ERR_INVALID_REGULAR_EXPRESSION, S(FATAL), S(LOSE) | S(TELL), KL_NEVER, "RE2"},
	{KLAMM_ERR_UNRELEASED_INSTANCE_ID, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.instance.id"},
	{KLAMM_ERR_FENCED_INSTANCE_ID, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.instance.id"},
	{KLAMM_ERR_UNSUPPORTED_VERSION, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.protocol=classic"},
	{KLAMM_ERR_GROUP_ID_NOT_FOUND, S(FENCED), S(LOSE), KL_NEVER, "another group.id"},
	{KLAMM_ERR_UNKNOWN_SERVER_ERROR, S(FATAL), S(LOSE) | S(TELL), KL_NEVER, ""},
	{KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL, S(FATAL), S(LOSE) | S(TELL), KL_NEVER, ""},
	/* klamm's own: nobody answered. */
	{KLAMM_ERR_DISCONNECTED, S(STABLE), S(HEARTBEAT) | S(FIND), LATER, ""},
	{KLAMM_ERR_TIMED_OUT, S(STABLE), S(HEARTBEAT) | S(FIND), LATER, ""},
	{KLAMM_ERR_UNSUPPORTED, S(FATAL), S(LOSE) | S(TELL), KL_NEVER,
	 "group.protocol=classic"},
	{KLAMM_ERR_PROTOCOL, S(FATAL), S(LOSE) | S(TELL), KL_NEVER, ""},
};

START_TEST(errors_of_heartbeats)
{
	struct klamm_error err;
	settle("1:0");
	kl_modern_sent(&m, NOW);
	kl_error(&err, errors[_i].code, "said so");
	unsigned actions = kl_modern_failed(&m, &facts, LATER, &err);
	ck_assert_msg(m.state == errors[_i].next && actions == errors[_i].actions,
		      "%s: %s, %x", klamm_err_name(errors[_i].code),
		      kl_modern_state_name(m.state), actions);
	ck_assert_int_eq(kl_modern_due(&m), errors[_i].due);
	ck_assert_int_eq(err.code, errors[_i].code);
	char want[80];
	snprintf(want, sizeof(want), "group g: heartbeat: %s: said so",
		 klamm_err_name(errors[_i].code));
	ck_assert_msg(strncmp(err.text, want, strlen(want)) == 0, "%s", err.text);
	ck_assert_msg(strstr(err.text, errors[_i].says) != NULL, "%s", err.text);
}
END_TEST

/* As for Kafka's client, whatever else a broker says is the end. */
START_TEST(other_errors_are_fatal)
{
	for (int code = -1; code <= KLAMM_ERR_CONTROLLER_ID_NOT_REGISTERED; code++) {
		struct klamm_error err;
		bool listed = code == 0;
		for (size_t i = 0; i < kl_countof(errors); i++)
			listed |= errors[i].code == code;
		if (listed)
			continue;
		down();
		up();
		settle("1:0");
		kl_modern_sent(&m, NOW);
		kl_error(&err, code, "said so");
		kl_modern_failed(&m, &facts, LATER, &err);
		ck_assert_msg(m.state == S(FATAL), "%s: %s", klamm_err_name(code),
			      kl_modern_state_name(m.state));
	}
}
END_TEST

START_TEST(a_group_that_is_gone_is_left)
{
	struct klamm_error err = {.code = KLAMM_ERR_GROUP_ID_NOT_FOUND};
	settle("1:0");
	kl_modern_on(&m, ON(LEAVE));
	kl_modern_on(&m, ON(RELEASED));
	kl_modern_sent(&m, NOW);
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(LEFT));
	ck_assert_int_eq(m.state, S(UNSUBSCRIBED));
}
END_TEST

/* What it says may wait for a connection, and the subscription is another one then. */
START_TEST(what_is_said_is_its_own)
{
	char topic[] = "red", regex[] = "red.*";
	const char *list[] = {topic};
	facts.topics = list;
	facts.topic_count = 1;
	facts.regex = regex;
	kl_modern_on(&m, ON(JOIN));
	const struct kl_consumer_group_heartbeat_request *body = sends();
	memset(topic, '?', strlen(topic));
	memset(regex, '?', strlen(regex));
	ck_assert(kl_str_is(body->subscribed_topic_names[0], "red"));
	ck_assert(kl_str_is(body->subscribed_topic_regex, "red.*"));
}
END_TEST

/* It comes to a group that it is no member of. */
START_TEST(a_group_of_another_kind_is_fatal)
{
	struct klamm_error err = {.code = KLAMM_ERR_GROUP_ID_NOT_FOUND};
	kl_modern_on(&m, ON(JOIN));
	sends();
	kl_modern_sent(&m, NOW);
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(LOSE) | S(TELL));
	ck_assert_int_eq(m.state, S(FATAL));
	ck_assert_ptr_nonnull(strstr(err.text, "group.protocol=classic"));
}
END_TEST

/* --- an instance that has a member already --- */

/* A static member that was fenced, joins again, and is told that its instance is taken. */
static void find_it_taken(void)
{
	struct klamm_error fenced = {.code = KLAMM_ERR_FENCED_MEMBER_EPOCH};
	struct klamm_error taken = {.code = KLAMM_ERR_UNRELEASED_INSTANCE_ID};
	m.is_static = true;
	settle("1:0");
	kl_modern_sent(&m, NOW);
	kl_modern_failed(&m, &facts, LATER, &fenced);
	kl_modern_on(&m, ON(RELEASED));
	ck_assert_int_eq(sends()->member_epoch, 0);
	kl_modern_sent(&m, NOW);
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &taken), S(HEARTBEAT));
	ck_assert_int_eq(m.state, S(JOINING));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, -2);
	ck_assert(kl_str_is(body->member_id, m.id));
	ck_assert_int_eq(body->subscribed_topic_names_n, -1);
	kl_modern_sent(&m, NOW);
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
}

static void check_joins(void)
{
	ck_assert_int_eq(m.state, S(JOINING));
	ck_assert_int_eq(kl_modern_due(&m), 0);
	const struct kl_consumer_group_heartbeat_request *body = sends();
	ck_assert_int_eq(body->member_epoch, 0);
	ck_assert_int_eq(body->subscribed_topic_names_n, 2);
	ck_assert_int_ne(body->rebalance_timeout_ms, -1);
}

START_TEST(gives_its_own_instance_back)
{
	struct kl_consumer_group_heartbeat_response gone = {.member_epoch = -2};
	find_it_taken();
	int64_t interval = m.interval;
	ck_assert_uint_eq(kl_modern_answered(&m, NOW, &gone), S(HEARTBEAT));
	ck_assert_int_eq(m.interval, interval);
	check_joins();
}
END_TEST

START_TEST(joins_when_nobody_has_its_instance)
{
	static const int codes[] = {KLAMM_ERR_UNKNOWN_MEMBER_ID,
				    KLAMM_ERR_GROUP_ID_NOT_FOUND};
	struct klamm_error err = {.code = codes[_i]};
	find_it_taken();
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(HEARTBEAT));
	check_joins();
}
END_TEST

START_TEST(asks_again_until_its_instance_is_free)
{
	struct klamm_error err = {.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS};
	find_it_taken();
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(HEARTBEAT));
	ck_assert_int_eq(kl_modern_due(&m), LATER);
	ck_assert_int_eq(sends()->member_epoch, -2);
}
END_TEST

START_TEST(dies_of_an_instance_that_another_one_has)
{
	struct klamm_error err = {.code = KLAMM_ERR_FENCED_INSTANCE_ID};
	find_it_taken();
	ck_assert_uint_eq(kl_modern_failed(&m, &facts, LATER, &err), S(LOSE) | S(TELL));
	ck_assert_int_eq(m.state, S(FATAL));
	ck_assert_int_eq(err.code, KLAMM_ERR_UNRELEASED_INSTANCE_ID);
}
END_TEST

START_TEST(leaves_while_it_gives_its_instance_back)
{
	struct kl_consumer_group_heartbeat_response gone = {.member_epoch = -2};
	find_it_taken();
	kl_modern_on(&m, ON(LEAVE));
	ck_assert_int_eq(m.state, S(PREPARE_LEAVING));
	kl_modern_answered(&m, NOW, &gone);
	ck_assert_int_eq(kl_modern_due(&m), KL_NEVER);
	ck_assert_uint_eq(kl_modern_on(&m, ON(RELEASED)), S(FORGET) | S(LEAVE));
}
END_TEST

UNIT_SUITE(modern)
{
	Suite *s = suite_create("modern");
	unit_add(s, table);
	unit_add(s, goes_where_kafkas_member_may);
	unit_add_fixture(s, joins_with_all_it_has_to_say, up, down);
	unit_add_fixture(s, says_what_has_changed, up, down);
	unit_add_fixture(s, a_pattern_comes_and_goes, up, down);
	unit_add_fixture(s, acknowledges_what_it_has, up, down);
	unit_add_fixture(s, acknowledges_equal_partitions_of_a_new_target, up, down);
	unit_add_fixture(s, acknowledges_that_it_has_nothing, up, down);
	unit_add_fixture(s, says_everything_after_an_error, up, down);
	unit_add_fixture(s, asks_for_everything_for_a_while, up, down);
	unit_add_fixture(s, says_what_it_is_about_to_take, up, down);
	unit_add_fixture(s, follows_the_interval, up, down);
	unit_add_fixture(s, topics_without_names_wait, up, down);
	unit_add_fixture(s, a_newer_target_comes_after, up, down);
	unit_add_fixture(s, a_listener_that_failed_is_asked_again, up, down);
	unit_add_fixture(s, what_a_fenced_member_did_does_not_count, up, down);
	unit_add_case(s, "leaves", leaves, up, down, 2);
	unit_add_fixture(s, leaves_untold_without_a_coordinator, up, down);
	unit_add_case(s, "stale_until_polled", stale_until_polled, up, down, 2);
	unit_add_fixture(s, stale_without_partitions, up, down);
	unit_add_case(s, "late_answers_say_nothing", late_answers_say_nothing, up, down, 2);
	unit_add_fixture(s, other_errors_are_fatal, up, down);
	unit_add_case(s, "errors_of_heartbeats", errors_of_heartbeats, up, down,
		      (int)kl_countof(errors));
	unit_add_fixture(s, a_group_that_is_gone_is_left, up, down);
	unit_add_fixture(s, what_is_said_is_its_own, up, down);
	unit_add_fixture(s, a_group_of_another_kind_is_fatal, up, down);
	unit_add_fixture(s, gives_its_own_instance_back, up, down);
	unit_add_case(s, "joins_when_nobody_has_its_instance",
		      joins_when_nobody_has_its_instance, up, down, 2);
	unit_add_fixture(s, asks_again_until_its_instance_is_free, up, down);
	unit_add_fixture(s, dies_of_an_instance_that_another_one_has, up, down);
	unit_add_fixture(s, leaves_while_it_gives_its_instance_back, up, down);
	return s;
}
