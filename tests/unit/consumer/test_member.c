/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a classic group, whose coordinator is a script: what it is told, and what
 * becomes of its answers, error by error. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/consumer/assign.h"
#include "tests/client/script.h"
#include "tests/client/world.h"

static struct script script;
static struct klamm_consumer *consumer;

/* What the script does, and what it saw. */
static struct {
	/* --- errors of the next answers: a code, and how many have it; -1 = all --- */
	struct fault {
		_Atomic int code, left;
	} join, sync, beat, leave, commit;
	_Atomic bool ask_id;     /* KIP-394 */
	_Atomic bool hold_join;  /* JoinGroup is not answered */
	/* The next one is, behind so many answers to Metadata or OffsetCommit. */
	_Atomic int join_behind;
	_Atomic bool other_type; /* KIP-559 */
	_Atomic int stays; /* so many that join find the generation as it is (KIP-814) */
	_Atomic bool other;      /* "o-1" is in the group as well */
	struct kl_bytes subscribes; /* as that one does */
	/* --- it saw --- */
	_Atomic int generation, joins, syncs, beats, leaves, commits;
	_Atomic int session_ms, rebalance_ms, join_version, protocols;
	_Atomic int commit_generation;
	_Atomic int64_t committed;
	char member[64], instance[64], reason[256], names[2][64];
	char committer[64], leaver[64], leave_reason[256], sync_instance[64];
	char beat_instance[64];
	uint8_t assignment[512];
	int assignment_len;
} says;
static pthread_mutex_t saying = PTHREAD_MUTEX_INITIALIZER;

static void note(char *to, size_t size, struct kl_str from)
{
	pthread_mutex_lock(&saying);
	snprintf(to, size, "%.*s", kl_max(from.len, 0), from.len > 0 ? from.p : "");
	pthread_mutex_unlock(&saying);
}
#define NOTE(to, from) note(says.to, sizeof(says.to), (from))

/* An answer that has to wait. */
static struct {
	int fd;
	uint8_t *answer;
	size_t len;
} held;

static void hold(const struct script_request *request, const void *body)
{
	held.fd = request->fd;
	held.answer = script_encode(request, body, &held.len);
}

/* Another one has been answered. */
static void let_go(void)
{
	if (held.answer == NULL || --says.join_behind > 0)
		return;
	script_send(held.fd, held.answer, held.len);
	free(held.answer);
	held.answer = NULL;
}

static bool saw(const char *what, const char *text)
{
	pthread_mutex_lock(&saying);
	bool same = strcmp(what, text) == 0;
	pthread_mutex_unlock(&saying);
	return same;
}

static int16_t error_of(struct fault *fault)
{
	if (fault->left == 0)
		return 0;
	if (fault->left > 0)
		fault->left--;
	return (int16_t)fault->code;
}

/* A group of one, which leads; or of two, and it leads. */
static bool join(const struct script_request *request)
{
	const struct kl_join_group_request *asked = request->body;
	struct kl_join_group_response *body = SCRIPT_BODY(join_group, request);
	says.joins++;
	says.session_ms = asked->session_timeout_ms;
	says.rebalance_ms = asked->rebalance_timeout_ms;
	says.join_version = request->header.version;
	says.protocols = asked->protocols_n;
	NOTE(member, asked->member_id);
	NOTE(instance, asked->group_instance_id);
	NOTE(reason, asked->reason);
	for (int i = 0; i < kl_min(asked->protocols_n, 2); i++)
		NOTE(names[i], asked->protocols[i].name);
	if (says.hold_join)
		return true;
	body->error_code = error_of(&says.join);
	body->member_id = asked->member_id.len > 0 ? asked->member_id : KL_STR("m-1");
	if (body->error_code == 0 && says.ask_id && asked->member_id.len == 0 &&
	    request->header.version >= 4)
		body->error_code = KLAMM_ERR_MEMBER_ID_REQUIRED;
	body->protocol_name = asked->protocols[0].name;
	if (body->error_code == 0) {
		bool stays = says.stays > 0 && says.stays-- > 0;
		body->generation_id = stays ? says.generation : ++says.generation;
		body->leader = body->member_id;
		body->skip_assignment = stays;
		if (request->header.version >= 7)
			body->protocol_type =
				says.other_type ? KL_STR("connect") : KL_STR("consumer");
		body->members = kl_type_new(&kl_type_join_group_response_member,
					    request->arena, 2);
		body->members_n = says.other ? 2 : 1;
		body->members[1].member_id = KL_STR("o-1");
		body->members[1].metadata = says.subscribes;
		body->members[0].member_id = body->member_id;
		body->members[0].metadata = asked->protocols[0].metadata;
	}
	if (says.join_behind > 0)
		hold(request, body);
	else
		script_answer(request, body);
	return true;
}

static bool synced(const struct script_request *request)
{
	const struct kl_sync_group_request *asked = request->body;
	struct kl_sync_group_response *body = SCRIPT_BODY(sync_group, request);
	says.syncs++;
	NOTE(sync_instance, asked->group_instance_id);
	body->error_code = error_of(&says.sync);
	for (int i = 0; i < asked->assignments_n; i++) {
		const struct kl_bytes *bytes = &asked->assignments[i].assignment;
		if (kl_str_is(asked->assignments[i].member_id, "o-1"))
			continue;
		ck_assert_int_le(bytes->len, (int)sizeof(says.assignment));
		memcpy(says.assignment, bytes->p, (size_t)bytes->len);
		says.assignment_len = bytes->len;
	}
	if (body->error_code == 0)
		body->assignment = (struct kl_bytes){says.assignment, says.assignment_len};
	script_answer(request, body);
	return true;
}

static bool commit(const struct script_request *request)
{
	const struct kl_offset_commit_request *asked = request->body;
	struct kl_offset_commit_response *body = SCRIPT_BODY(offset_commit, request);
	int16_t code = error_of(&says.commit);
	says.commits++;
	says.commit_generation = asked->generation_id_or_member_epoch;
	NOTE(committer, asked->member_id);
	body->topics = kl_type_new(&kl_type_offset_commit_response_topic, request->arena, 1);
	body->topics_n = 1;
	body->topics[0].name = asked->topics[0].name;
	body->topics[0].topic_id = asked->topics[0].topic_id;
	body->topics[0].partitions = kl_type_new(&kl_type_offset_commit_response_partition,
						 request->arena,
						 (size_t)asked->topics[0].partitions_n);
	body->topics[0].partitions_n = asked->topics[0].partitions_n;
	for (int i = 0; i < asked->topics[0].partitions_n; i++) {
		body->topics[0].partitions[i].partition_index =
			asked->topics[0].partitions[i].partition_index;
		body->topics[0].partitions[i].error_code = code;
		if (code == 0)
			says.committed = asked->topics[0].partitions[i].committed_offset;
	}
	script_answer(request, body);
	let_go();
	return true;
}

/* Nothing is committed yet. */
static bool fetch_offsets(const struct script_request *request)
{
	const struct kl_offset_fetch_request *asked = request->body;
	struct kl_offset_fetch_response *body = SCRIPT_BODY(offset_fetch, request);
	if (request->header.version < 8)
		return false;
	const struct kl_offset_fetch_request_group *from = &asked->groups[0];
	body->groups = kl_type_new(&kl_type_offset_fetch_response_group, request->arena, 1);
	body->groups_n = 1;
	body->groups[0].group_id = from->group_id;
	body->groups[0].topics = kl_type_new(&kl_type_offset_fetch_response_group_topic,
					     request->arena, (size_t)from->topics_n);
	body->groups[0].topics_n = from->topics_n;
	for (int32_t t = 0; t < from->topics_n; t++) {
		struct kl_offset_fetch_response_group_topic *to = &body->groups[0].topics[t];
		to->name = from->topics[t].name;
		to->topic_id = from->topics[t].topic_id;
		to->partitions_n = from->topics[t].partition_indexes_n;
		to->partitions = kl_type_new(&kl_type_offset_fetch_response_group_partition,
					     request->arena, (size_t)to->partitions_n);
		for (int32_t i = 0; i < to->partitions_n; i++) {
			to->partitions[i].partition_index =
				from->topics[t].partition_indexes[i];
			to->partitions[i].committed_offset = -1;
		}
	}
	script_answer(request, body);
	return true;
}

/* Without topics it asks for all: "t", "t2", one of the brokers' own, one that is no match. */
static void list_all(const struct script_request *request)
{
	const struct kl_metadata_request *asked = request->body;
	struct kl_str names[] = {KL_STR("t"), KL_STR("t2"), KL_STR("__t"), KL_STR("other")};
	struct kl_metadata_request_topic topics[4];
	for (size_t i = 0; i < kl_countof(names); i++) {
		kl_type_init(&kl_type_metadata_request_topic, &topics[i]);
		topics[i].name = names[i];
	}
	struct kl_metadata_request all = *asked;
	all.topics = topics;
	all.topics_n = 4;
	struct script_request as = *request;
	as.body = &all;
	struct kl_metadata_response *body = script_metadata(&as);
	body->topics[2].is_internal = true;
	script_answer(request, body);
}

static bool metadata(const struct script_request *request)
{
	const struct kl_metadata_request *asked = request->body;
	if (asked->topics_n < 0)
		list_all(request);
	else
		script_answer(request, script_metadata(request));
	let_go();
	return true;
}

static bool handle(const struct script_request *request)
{
	switch (request->header.api) {
	case KL_API_JOIN_GROUP:
		return join(request);
	case KL_API_SYNC_GROUP:
		return synced(request);
	case KL_API_OFFSET_COMMIT:
		return commit(request);
	case KL_API_OFFSET_FETCH:
		return fetch_offsets(request);
	case KL_API_METADATA:
		return metadata(request);
	case KL_API_HEARTBEAT: {
		const struct kl_heartbeat_request *asked = request->body;
		struct kl_heartbeat_response *body = SCRIPT_BODY(heartbeat, request);
		NOTE(beat_instance, asked->group_instance_id);
		body->error_code = error_of(&says.beat);
		says.beats++;
		script_answer(request, body);
		return true;
	}
	case KL_API_LEAVE_GROUP: {
		const struct kl_leave_group_request *asked = request->body;
		struct kl_leave_group_response *body = SCRIPT_BODY(leave_group, request);
		if (asked->members_n > 0) {
			NOTE(leaver, asked->members[0].member_id);
			NOTE(leave_reason, asked->members[0].reason);
		}
		body->error_code = error_of(&says.leave);
		says.leaves++;
		script_answer(request, body);
		return true;
	}
	default:
		return false;
	}
}

/* --- the application --- */

static struct {
	int assigned, revoked, lost, count; /* calls, and the partitions of the last */
	char first[32];
	void (*inside)(void); /* in revoked and assigned */
} heard;

static void hear(int *calls, const struct klamm_topic_partition *partitions, size_t count)
{
	(*calls)++;
	heard.count = (int)count;
	snprintf(heard.first, sizeof(heard.first), "%s", count > 0 ? partitions[0].topic : "");
	if (heard.inside != NULL)
		heard.inside();
}

static void on_assigned(void *arg, struct klamm_consumer *c,
			const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	hear(&heard.assigned, partitions, count);
}

static void on_revoked(void *arg, struct klamm_consumer *c,
		       const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	hear(&heard.revoked, partitions, count);
}

static void on_lost(void *arg, struct klamm_consumer *c,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg;
	(void)c;
	heard.lost++;
	heard.count = (int)count;
	(void)partitions;
}

static const struct klamm_listener listener = {
	.size = sizeof(listener),
	.assigned = on_assigned,
	.revoked = on_revoked,
	.lost = on_lost,
};

static void set_up(void)
{
	memset(&says, 0, sizeof(says));
	memset(&heard, 0, sizeof(heard));
	script.handle = handle;
	script.partitions = 3;
	script.log_end = 100;
	script_start(&script);
	world_servers = script.address;
}

static void tear_down(void)
{
	if (consumer != NULL)
		klamm_consumer_close(consumer, 0, NULL);
	script_stop(&script);
}

#define CONSUMER(...)                                                                    \
	(consumer = world_consumer(NULL, "group.id=g", "retry.backoff.ms=5",             \
				   "partition.assignment.strategy=range",                \
				   "heartbeat.interval.ms=20", __VA_ARGS__))

static void subscribe(void)
{
	static const char *const topics[] = {"t"};
	struct klamm_error err;
	ck_assert_msg(klamm_consumer_subscribe(consumer, topics, 1, &listener, &err) == 0,
		      "%s", err.text);
}

/* One poll(); its error. */
static int poll_once(int64_t timeout_ms, struct klamm_error *err)
{
	struct klamm_batch *batch;
	int rc = klamm_consumer_poll(consumer, timeout_ms, &batch, err);
	klamm_batch_unref(batch);
	return rc;
}

/* Poll, without an error, until this is so. */
#define POLL_UNTIL(condition)                                                            \
	do {                                                                             \
		struct klamm_error poll_err;                                             \
		int64_t poll_until = script_ms() + PATIENCE;                             \
		while (!(condition)) {                                                   \
			ck_assert_msg(script_ms() < poll_until, "never: " #condition);   \
			ck_assert_msg(poll_once(10, &poll_err) == 0, "%s",               \
				      poll_err.text);                                    \
		}                                                                        \
	} while (0)

static void join_in(void)
{
	subscribe();
	POLL_UNTIL(heard.assigned > 0);
	ck_assert_int_eq(heard.count, 3);
}

/* --- joining --- */

START_TEST(a_member_of_every_version)
{
	says.ask_id = true;
	script.below[KL_API_JOIN_GROUP] = _i + 1;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(says.joins, 0);
	join_in();
	ck_assert_int_eq(says.join_version, _i);
	ck_assert_int_eq(says.joins, _i >= 4 ? 2 : 1);
	ck_assert(saw(says.member, _i >= 4 ? "m-1" : ""));
	if (_i >= 8)
		ck_assert(saw(says.reason, "need to re-join with the given member-id: m-1"));
	ck_assert_str_eq(heard.first, "t");
	struct klamm_group_metadata metadata = {.size = sizeof(metadata)};
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &metadata, NULL), 0);
	ck_assert_str_eq(metadata.member_id, "m-1");
	ck_assert_int_eq(metadata.generation, 1);
	ck_assert_ptr_null(metadata.group_instance_id);
	const struct klamm_topic_partition *parts;
	const char *const *topics;
	size_t n;
	ck_assert_int_eq(klamm_consumer_assignment(consumer, &parts, &n, NULL), 0);
	ck_assert_uint_eq(n, 3);
	ck_assert_int_eq(parts[2].partition, 2);
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, NULL), 0);
	ck_assert_uint_eq(n, 1);
	ck_assert_str_eq(topics[0], "t");
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.lost, 0);
	ck_assert(saw(says.leave_reason, "the consumer is being closed"));
}
END_TEST

/* What passes is tried again, of what does not poll() tells, and the next one tries again. */
static const struct {
	bool sync;
	int code;
	bool told;
} errors[] = {
	{false, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, false},
	{false, KLAMM_ERR_UNKNOWN_MEMBER_ID, false},
	{false, KLAMM_ERR_NOT_COORDINATOR, false},
	{false, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
	{false, KLAMM_ERR_REBALANCE_IN_PROGRESS, false},
	{false, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL, true},
	{false, KLAMM_ERR_INVALID_SESSION_TIMEOUT, true},
	{false, KLAMM_ERR_INVALID_GROUP_ID, true},
	{false, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, true},
	{false, KLAMM_ERR_GROUP_MAX_SIZE_REACHED, true},
	{false, KLAMM_ERR_UNKNOWN_SERVER_ERROR, true},
	{true, KLAMM_ERR_REBALANCE_IN_PROGRESS, false},
	{true, KLAMM_ERR_UNKNOWN_MEMBER_ID, false},
	{true, KLAMM_ERR_ILLEGAL_GENERATION, false},
	{true, KLAMM_ERR_NOT_COORDINATOR, false},
	{true, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
	{true, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, true},
	{true, KLAMM_ERR_UNKNOWN_SERVER_ERROR, true},
};

START_TEST(errors_of_joining)
{
	struct fault *fault = errors[_i].sync ? &says.sync : &says.join;
	struct klamm_error err = {0};
	fault->code = errors[_i].code;
	fault->left = 2;
	CONSUMER("enable.auto.commit=false", NULL);
	subscribe();
	int told = 0;
	int64_t until = script_ms() + PATIENCE;
	while (heard.assigned == 0) {
		ck_assert(script_ms() < until);
		if (poll_once(10, &err) == 0)
			continue;
		told++;
		ck_assert_int_eq(err.code, errors[_i].code);
		ck_assert_ptr_nonnull(strstr(err.text, "group g"));
	}
	ck_assert_int_eq(told, errors[_i].told ? 2 : 0);
	ck_assert_int_eq(fault->left, 0);
	ck_assert_int_eq(heard.lost, 0);
	ck_assert_int_eq(heard.count, 3);
}
END_TEST

/* Another has this instance id: no poll() tries again, until it is subscribed anew. */
START_TEST(a_fenced_member_stays_out)
{
	struct klamm_error err = {0};
	struct fault *const faults[] = {&says.join, &says.sync, &says.beat};
	CONSUMER("enable.auto.commit=false", "group.instance.id=i", NULL);
	if (_i == 2)
		join_in();
	else
		subscribe();
	faults[_i]->code = KLAMM_ERR_FENCED_INSTANCE_ID;
	faults[_i]->left = -1;
	while (poll_once(10, &err) == 0)
		;
	ck_assert_int_eq(err.code, KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FATAL);
	ck_assert_int_eq(heard.lost, _i == 2 ? 1 : 0);
	int joins = says.joins;
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(poll_once(10, &err), KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(says.joins, joins);
	faults[_i]->left = 0;
	ck_assert_int_eq(klamm_consumer_unsubscribe(consumer, PATIENCE, &err), 0);
	heard.assigned = 0;
	join_in();
}
END_TEST

/* KIP-559: a group of workers, say. */
START_TEST(a_group_of_another_type)
{
	struct klamm_error err = {0};
	says.other_type = true;
	CONSUMER(NULL);
	subscribe();
	while (poll_once(10, &err) == 0)
		;
	ck_assert_int_eq(err.code, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.text, "\"connect\""));
}
END_TEST

/* --- being a member --- */

START_TEST(errors_of_heartbeats)
{
	static const struct {
		int code;
		bool lost, revoked, new_id;
	} of[] = {
		{KLAMM_ERR_UNKNOWN_MEMBER_ID, true, false, true},
		{KLAMM_ERR_ILLEGAL_GENERATION, true, false, false},
		{KLAMM_ERR_REBALANCE_IN_PROGRESS, false, true, false},
	};
	CONSUMER("enable.auto.commit=false", NULL);
	join_in();
	says.beat.code = of[_i].code;
	says.beat.left = 1;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, of[_i].lost);
	ck_assert_int_eq(heard.revoked, of[_i].revoked);
	ck_assert_int_eq(says.generation, 2);
	ck_assert_int_eq(says.joins, 2);
	ck_assert(saw(says.member, of[_i].new_id ? "" : "m-1"));
}
END_TEST

/* It is found again, and nothing is lost by that. */
START_TEST(coordinators_that_move)
{
	int before;
	CONSUMER("enable.auto.commit=false", NULL);
	join_in();
	before = script.requests[KL_API_FIND_COORDINATOR];
	says.beat.code = KLAMM_ERR_NOT_COORDINATOR;
	says.beat.left = 2;
	POLL_UNTIL(says.beat.left == 0);
	int beats = says.beats;
	POLL_UNTIL(says.beats > beats + 2);
	ck_assert_int_gt(script.requests[KL_API_FIND_COORDINATOR], before);
	ck_assert_int_eq(heard.lost + heard.revoked, 0);
	ck_assert_int_eq(says.joins, 1);
}
END_TEST

START_TEST(rebalances_may_be_enforced)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err),
			 KLAMM_ERR_STATE);
	join_in();
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, "new weights", &err), 0);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert(saw(says.reason, "new weights"));
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(heard.assigned == 3);
	ck_assert(saw(says.reason, "rebalance enforced by user"));
}
END_TEST

START_TEST(topics_may_change)
{
	static const char *const other[] = {"u", "v", "u"};
	struct klamm_error err;
	const char *const *topics;
	size_t n;
	CONSUMER("enable.auto.commit=false", NULL);
	join_in();
	/* The same again is no change. */
	subscribe();
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, other, 3, &listener, &err), 0);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.count, 6);
	ck_assert_str_eq(heard.first, "u");
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, 2);
	ck_assert(saw(says.reason, "subscription has changed"));
	/* None at all is leaving. */
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, NULL, 0, NULL, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.revoked, 2);
	ck_assert(saw(says.leave_reason, "the consumer unsubscribed from all topics"));
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, 0);
}
END_TEST

/* Who leads sees to it that new partitions have readers. */
START_TEST(topics_may_grow)
{
	CONSUMER("enable.auto.commit=false", "metadata.max.age.ms=50", NULL);
	join_in();
	script.partitions = 5;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.count, 5);
	ck_assert(saw(says.reason, "cached metadata has changed"));
}
END_TEST

/* What is heard of it once more before the group is assigned anew is the same news. */
START_TEST(growth_takes_one_round)
{
	CONSUMER("enable.auto.commit=false", "metadata.max.age.ms=20", NULL);
	join_in();
	says.join_behind = 3;
	script.partitions = 5;
	POLL_UNTIL(heard.assigned >= 2);
	ck_assert_int_eq(heard.count, 5);
	int beats = says.beats;
	POLL_UNTIL(says.beats >= beats + 3);
	ck_assert_int_eq(says.joins, 2);
	ck_assert_int_eq(heard.assigned, 2);
}
END_TEST

/* --- listeners --- */

static void use_it_inside(void)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	const struct klamm_offset offset = {"t", 1, -1, 33, NULL};
	int64_t position;
	static const char *const topics[] = {"t"};
	const struct klamm_topic_partition tp = {"t", 0};
	ck_assert_msg(klamm_consumer_seek(consumer, "t", 1, 44, &err) == 0, "%s", err.text);
	ck_assert_int_eq(
		klamm_consumer_position(consumer, "t", 1, PATIENCE, &position, &err), 0);
	ck_assert_int_eq(position, 44);
	ck_assert_int_eq(
		klamm_consumer_position(consumer, "t", 2, PATIENCE, &position, &err), 0);
	ck_assert_msg(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(klamm_consumer_pause(consumer, "t", 0, true, &err), 0);
	ck_assert_int_eq(klamm_consumer_poll(consumer, 0, &batch, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_close(consumer, 0, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_unsubscribe(consumer, 0, &err), KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), KLAMM_ERR_STATE);
}

START_TEST(what_listeners_may_do)
{
	heard.inside = use_it_inside;
	CONSUMER("enable.auto.commit=false", NULL);
	join_in();
	ck_assert_int_eq(says.committed, 33);
	ck_assert_int_eq(says.commit_generation, 1);
	ck_assert(saw(says.committer, "m-1"));
	says.committed = 0;
	heard.inside = NULL;
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
	heard.inside = use_it_inside;
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(says.committed, 33);
	heard.inside = NULL;
}
END_TEST

START_TEST(what_is_revoked_is_committed_first)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=true", NULL);
	join_in();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
	/* What passes is tried again, before the listener is called. */
	says.commit.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.commit.left = 2;
	POLL_UNTIL(heard.revoked == 1);
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 1);
}
END_TEST

START_TEST(one_subscribes_or_assigns)
{
	struct klamm_error err;
	const struct klamm_topic_partition tp = {"t", 0};
	static const char *const topics[] = {"t"}, *const bad[] = {"t", NULL};
	struct klamm_listener odd = listener;
	odd.size = 1;
	CONSUMER("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, bad, 2, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, &odd, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(consumer, "", NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(consumer, "t(", NULL, &err),
			 KLAMM_ERR_INVALID_REGULAR_EXPRESSION);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_STATE);
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	join_in();
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), KLAMM_ERR_STATE);
	ck_assert_ptr_nonnull(strstr(err.text, "unsubscribe"));
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, NULL, NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
}
END_TEST

/* --- commits --- */

/* The coordinator has put it out: the commit says so, and poll() joins again. */
START_TEST(commits_of_one_that_was_put_out)
{
	static const int codes[] = {KLAMM_ERR_UNKNOWN_MEMBER_ID, KLAMM_ERR_ILLEGAL_GENERATION};
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	CONSUMER("enable.auto.commit=false", NULL);
	join_in();
	says.commit.code = codes[_i];
	says.commit.left = 1;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 codes[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "poll()"));
	int commits = says.commits;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(says.commits, commits);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.commit_generation, 2);
}
END_TEST

/* --- the end --- */

START_TEST(how_a_membership_ends)
{
	static const struct {
		bool is_static;
		int32_t end;
		int leaves;
	} ends[] = {
		{false, KLAMM_MEMBERSHIP_DEFAULT, 1}, {true, KLAMM_MEMBERSHIP_DEFAULT, 0},
		{false, KLAMM_MEMBERSHIP_LEAVE, 1},   {true, KLAMM_MEMBERSHIP_LEAVE, 1},
		{false, KLAMM_MEMBERSHIP_REMAIN, 0},  {true, KLAMM_MEMBERSHIP_REMAIN, 0},
	};
	struct klamm_error err;
	struct klamm_close_options options = {.size = 3,
					      .timeout_ms = PATIENCE,
					      .membership = ends[_i].end};
	CONSUMER("enable.auto.commit=true",
		 ends[_i].is_static ? "group.instance.id=i" : "client.id=c", NULL);
	join_in();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	ck_assert_int_eq(klamm_consumer_close_with(consumer, &options, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	options.size = sizeof(options);
	ck_assert_int_eq(klamm_consumer_close_with(consumer, &options, &err), 0);
	consumer = NULL;
	ck_assert_int_eq(says.leaves, ends[_i].leaves);
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(heard.count, 3);
}
END_TEST

/* While others have not joined yet: its place is theirs, and it ends by its deadline. */
START_TEST(closing_in_the_middle_of_a_rebalance)
{
	says.hold_join = _i == 0;
	says.sync.code = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.sync.left = -1;
	CONSUMER("enable.auto.commit=false", NULL);
	subscribe();
	POLL_UNTIL(says.joins > 0);
	int64_t since = script_ms();
	ck_assert_int_eq(klamm_consumer_close(consumer, 2000, NULL), 0);
	consumer = NULL;
	ck_assert_int_lt(script_ms() - since, 2000 + PATIENCE / 2);
	ck_assert_int_eq(heard.assigned + heard.revoked + heard.lost, 0);
}
END_TEST

/* What it has kept is committed all the same, by the generation that others still have. */
START_TEST(closing_while_others_are_waited_for)
{
	struct klamm_error err;
	consumer = world_consumer(NULL, "group.id=g", "enable.auto.commit=true",
				  "partition.assignment.strategy=cooperative_sticky", NULL);
	join_in();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert_int_eq(klamm_consumer_close(consumer, PATIENCE, &err), 0);
	consumer = NULL;
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 1);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.revoked, 1);
	ck_assert_int_eq(heard.lost, 0);
}
END_TEST

/* --- others in the group --- */

static void be_cooperative(const char *more)
{
	consumer = world_consumer(NULL, "group.id=g", "retry.backoff.ms=5",
				  "partition.assignment.strategy=cooperative_sticky",
				  "heartbeat.interval.ms=20", "max.poll.interval.ms=200",
				  "enable.auto.commit=false", more, NULL);
}

static void other_joins(struct kl_buf *buf, size_t owned)
{
	static const char *const topics[] = {"t"};
	static const struct klamm_topic_partition all[] = {{"t", 0}, {"t", 1}, {"t", 2}};
	const struct kl_subscription subscription = {
		.topics = topics, .topic_count = 1, .owned = all, .owned_count = owned,
		.generation = says.generation};
	ck_assert_int_eq(kl_assign_subscription(&subscription, 2, NULL, buf, NULL), 0);
	says.subscribes = (struct kl_bytes){buf->data, (int32_t)buf->len};
	says.other = true;
}

/* Its generation is good until they have, and its partitions are read on meanwhile: whoever
 * commits after each batch does not stand still. */
START_TEST(commits_while_others_are_waited_for)
{
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	be_cooperative(NULL);
	join_in();
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.committed, 5);
	ck_assert_int_eq(says.commit_generation, 1);
	struct klamm_committed asked = {.size = sizeof(asked), .topic = "t"};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &asked, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(heard.revoked, 0);
}
END_TEST

/* The rebalance may be through, and what says so be slower than the answer to a commit. */
START_TEST(commits_that_overtake_a_rebalance)
{
	static const int codes[] = {KLAMM_ERR_ILLEGAL_GENERATION,
				    KLAMM_ERR_REBALANCE_IN_PROGRESS};
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	be_cooperative(NULL);
	join_in();
	says.hold_join = true;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	says.commit.code = codes[_i];
	says.commit.left = 3;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.commits, 4);
}
END_TEST

/* Nor does closing lose what was read meanwhile: it goes to the next generation. */
START_TEST(closing_is_overtaken_by_a_rebalance)
{
	struct klamm_error err;
	be_cooperative("enable.auto.commit=true");
	join_in();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	says.join_behind = 1;
	ck_assert_int_eq(klamm_consumer_enforce_rebalance(consumer, NULL, &err), 0);
	POLL_UNTIL(says.joins == 2);
	says.commit.code = KLAMM_ERR_ILLEGAL_GENERATION;
	says.commit.left = 1;
	ck_assert_msg(klamm_consumer_close(consumer, PATIENCE, &err) == 0, "%s", err.text);
	consumer = NULL;
	ck_assert_int_eq(says.committed, 77);
	ck_assert_int_eq(says.commit_generation, 2);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert_int_eq(heard.lost, 0);
}
END_TEST

/* A static member is silent before it has joined again for what it gave up. Who comes back
 * finds the generation as it was, and what was withheld in it. */
START_TEST(a_round_that_a_silent_member_owes)
{
	KL_AUTO(kl_buf_free) struct kl_buf buf = {0};
	be_cooperative("group.instance.id=i");
	join_in();
	other_joins(&buf, 0);
	says.beat.code = KLAMM_ERR_REBALANCE_IN_PROGRESS;
	says.beat.left = 1;
	POLL_UNTIL(says.joins == 2);
	int64_t until = script_ms() + PATIENCE;
	while (says.syncs < 2 && script_ms() < until)
		usleep(1000);
	usleep(300000); /* no poll() for more than max.poll.interval.ms */
	says.stays = 1;
	POLL_UNTIL(says.syncs == 4);
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(says.generation, 3);
	poll_once(50, NULL);
	ck_assert_int_eq(says.joins, 4);
}
END_TEST

/* The one that has to give something up does not come back to say that it has. */
START_TEST(what_stays_withheld)
{
	KL_AUTO(kl_buf_free) struct kl_buf buf = {0};
	other_joins(&buf, 3);
	be_cooperative(NULL);
	subscribe();
	POLL_UNTIL(heard.assigned == 1);
	ck_assert_int_eq(heard.count, 0);
	POLL_UNTIL(says.joins == 2);
	ck_assert(saw(says.reason, "partitions wait for owners since a rebalance"));
	ck_assert_int_eq(heard.revoked + heard.lost, 0);
}
END_TEST

/* --- options --- */

START_TEST(opt_session_timeout_ms)
{
	CONSUMER("session.timeout.ms=4321", NULL);
	join_in();
	ck_assert_int_eq(says.session_ms, 4321);
}
END_TEST

/* They are more microseconds than 32 bits hold. */
START_TEST(an_hour_is_not_over_at_once)
{
	struct klamm_error err;
	CONSUMER("enable.auto.commit=true", "auto.commit.interval.ms=3600000",
		 "max.poll.interval.ms=3600000", "session.timeout.ms=3600000", NULL);
	join_in();
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 2, 77, &err), 0);
	for (int i = 0; i < 5; i++) {
		usleep(20000); /* the application is at work */
		poll_once(20, &err);
	}
	ck_assert_int_eq(says.commits, 0);
	ck_assert_int_eq(says.leaves + heard.lost, 0);
	ck_assert_int_eq(heard.assigned, 1);
}
END_TEST

START_TEST(opt_heartbeat_interval_ms)
{
	struct klamm_error err;
	CONSUMER(_i == 0 ? "heartbeat.interval.ms=10" : "heartbeat.interval.ms=3000", NULL);
	join_in();
	int64_t until = script_ms() + (_i == 0 ? PATIENCE : 300);
	while (script_ms() < until && says.beats < 5)
		usleep(1000); /* without a poll() */
	ck_assert_int_eq(says.beats >= 5, _i == 0);
	world_close_consumer(consumer);
	struct klamm_conf *conf = world_conf("group.id=g", "heartbeat.interval.ms=100",
					     "session.timeout.ms=100", NULL);
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &consumer, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "below session.timeout.ms"));
	klamm_conf_free(conf);
	consumer = NULL;
}
END_TEST

/* It leaves, hears that all is lost, and joins again, when it polls again; what it commits
 * meanwhile is not sent. */
START_TEST(opt_max_poll_interval_ms)
{
	struct klamm_error err;
	const struct klamm_offset offset = {"t", 0, -1, 5, NULL};
	CONSUMER("enable.auto.commit=true", "auto.commit.interval.ms=0",
		 "max.poll.interval.ms=200", NULL);
	join_in();
	ck_assert_int_eq(says.rebalance_ms, 200);
	int64_t until = script_ms() + PATIENCE;
	while (says.leaves == 0 && script_ms() < until)
		usleep(1000);
	ck_assert_int_eq(says.leaves, 1);
	ck_assert(saw(says.leaver, "m-1"));
	ck_assert(saw(says.leave_reason, "consumer poll timeout has expired."));
	int commits = says.commits;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &offset, 1, PATIENCE, &err),
			 KLAMM_ERR_UNKNOWN_MEMBER_ID);
	ck_assert_int_eq(says.joins, 1);
	ck_assert_int_eq(says.commits, commits);
	POLL_UNTIL(heard.assigned == 2);
	ck_assert_int_eq(heard.lost, 1);
	ck_assert_int_eq(heard.revoked, 0);
	ck_assert_int_eq(says.generation, 2);
	ck_assert(saw(says.member, ""));
	/* One that polls, and waits for long in it, is not silent. */
	ck_assert_int_eq(poll_once(500, &err), 0);
	ck_assert_int_eq(says.leaves, 1);
}
END_TEST

START_TEST(opt_partition_assignment_strategy)
{
	struct klamm_error err;
	static const char *const topics[] = {"t"};
	CONSUMER(NULL);
	join_in();
	ck_assert_int_eq(says.protocols, 1);
	ck_assert(saw(says.names[0], "range"));
	world_close_consumer(consumer);
	CONSUMER("partition.assignment.strategy=range,nobody_knows_it", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe(consumer, topics, 1, NULL, &err),
			 KLAMM_ERR_PLUGIN);
	ck_assert_ptr_nonnull(strstr(err.text, "nobody_knows_it"));
	/* What it does not need does not matter. */
	const struct klamm_topic_partition tp = {"t", 0};
	ck_assert_int_eq(klamm_consumer_assign(consumer, &tp, 1, &err), 0);
}
END_TEST

START_TEST(opt_group_instance_id)
{
	struct klamm_error err;
	struct klamm_group_metadata metadata = {.size = sizeof(metadata)};
	CONSUMER("group.instance.id=left-1", NULL);
	join_in();
	ck_assert(saw(says.instance, "left-1"));
	ck_assert(saw(says.sync_instance, "left-1"));
	POLL_UNTIL(says.beats > 0);
	ck_assert(saw(says.beat_instance, "left-1"));
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &metadata, NULL), 0);
	ck_assert_str_eq(metadata.group_instance_id, "left-1");
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(says.leaves, 0);
	struct klamm_conf *conf = world_conf("group.id=g", NULL);
	ck_assert_int_eq(klamm_conf_set(conf, "group.instance.id", "a b", &err),
			 KLAMM_ERR_CONFIG);
	klamm_conf_free(conf);
}
END_TEST

START_TEST(opt_exclude_internal_topics)
{
	struct klamm_error err;
	const char *const *topics;
	size_t n;
	CONSUMER(_i == 0 ? "exclude.internal.topics=true" : "exclude.internal.topics=false",
		 NULL);
	ck_assert_int_eq(
		klamm_consumer_subscribe_pattern(consumer, "_*t.?", &listener, &err), 0);
	POLL_UNTIL(heard.assigned > 0);
	ck_assert_int_eq(heard.count, _i == 0 ? 6 : 9);
	ck_assert_int_eq(klamm_consumer_subscription(consumer, &topics, &n, &err), 0);
	ck_assert_uint_eq(n, _i == 0 ? 2 : 3);
	ck_assert_str_eq(topics[n - 1], "t2");
}
END_TEST

UNIT_SUITE(member)
{
	Suite *s = suite_create("member");
	unit_add_case(s, "a_member_of_every_version", a_member_of_every_version, set_up,
		      tear_down, 10);
	unit_add_case(s, "errors_of_joining", errors_of_joining, set_up, tear_down,
		      (int)kl_countof(errors));
	unit_add_case(s, "a_fenced_member_stays_out", a_fenced_member_stays_out, set_up,
		      tear_down, 3);
	unit_add_fixture(s, a_group_of_another_type, set_up, tear_down);
	unit_add_case(s, "errors_of_heartbeats", errors_of_heartbeats, set_up, tear_down, 3);
	unit_add_fixture(s, coordinators_that_move, set_up, tear_down);
	unit_add_fixture(s, rebalances_may_be_enforced, set_up, tear_down);
	unit_add_fixture(s, topics_may_change, set_up, tear_down);
	unit_add_fixture(s, topics_may_grow, set_up, tear_down);
	unit_add_fixture(s, growth_takes_one_round, set_up, tear_down);
	unit_add_fixture(s, what_listeners_may_do, set_up, tear_down);
	unit_add_fixture(s, what_is_revoked_is_committed_first, set_up, tear_down);
	unit_add_fixture(s, one_subscribes_or_assigns, set_up, tear_down);
	unit_add_case(s, "commits_of_one_that_was_put_out", commits_of_one_that_was_put_out,
		      set_up, tear_down, 2);
	unit_add_case(s, "how_a_membership_ends", how_a_membership_ends, set_up, tear_down, 6);
	unit_add_case(s, "closing_in_the_middle_of_a_rebalance",
		      closing_in_the_middle_of_a_rebalance, set_up, tear_down, 2);
	unit_add_fixture(s, closing_while_others_are_waited_for, set_up, tear_down);
	unit_add_fixture(s, commits_while_others_are_waited_for, set_up, tear_down);
	unit_add_case(s, "commits_that_overtake_a_rebalance",
		      commits_that_overtake_a_rebalance, set_up, tear_down, 2);
	unit_add_fixture(s, closing_is_overtaken_by_a_rebalance, set_up, tear_down);
	unit_add_fixture(s, a_round_that_a_silent_member_owes, set_up, tear_down);
	unit_add_fixture(s, what_stays_withheld, set_up, tear_down);
	unit_add_fixture(s, opt_session_timeout_ms, set_up, tear_down);
	unit_add_fixture(s, an_hour_is_not_over_at_once, set_up, tear_down);
	unit_add_case(s, "opt_heartbeat_interval_ms", opt_heartbeat_interval_ms, set_up,
		      tear_down, 2);
	unit_add_fixture(s, opt_max_poll_interval_ms, set_up, tear_down);
	unit_add_fixture(s, opt_partition_assignment_strategy, set_up, tear_down);
	unit_add_fixture(s, opt_group_instance_id, set_up, tear_down);
	unit_add_case(s, "opt_exclude_internal_topics", opt_exclude_internal_topics, set_up,
		      tear_down, 2);
	return s;
}
