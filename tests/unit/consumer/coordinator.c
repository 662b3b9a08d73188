/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/consumer/coordinator.h"

#include <stdio.h>
#include <stdlib.h>

struct script script;
struct coordinator says;
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
	pthread_mutex_lock(&saying);
	held.fd = request->fd;
	held.answer = script_encode(request, body, &held.len);
	pthread_mutex_unlock(&saying);
}

/* Another one has been answered, maybe over another connection. */
static void let_go(void)
{
	pthread_mutex_lock(&saying);
	if (held.answer != NULL && --says.join_behind <= 0) {
		script_send(held.fd, held.answer, held.len);
		free(held.answer);
		held.answer = NULL;
	}
	pthread_mutex_unlock(&saying);
}

bool saw(const char *what, const char *text)
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
	says.session_ms = asked->session_timeout_ms;
	says.rebalance_ms = asked->rebalance_timeout_ms;
	says.join_version = request->header.version;
	says.protocols = asked->protocols_n;
	NOTE(member, asked->member_id);
	NOTE(instance, asked->group_instance_id);
	NOTE(reason, asked->reason);
	for (int i = 0; i < kl_min(asked->protocols_n, 2); i++)
		NOTE(names[i], asked->protocols[i].name);
	if (says.hold_join) {
		says.joins++;
		return true;
	}
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
	if (says.join_behind > 0) {
		hold(request, body);
		says.joins++; /* from here on another answer lets it go */
	} else {
		says.joins++;
		script_answer(request, body);
	}
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

/* A group of one. */
static bool describe(const struct script_request *request)
{
	struct kl_describe_groups_response *body = SCRIPT_BODY(describe_groups, request);
	says.describes++;
	body->groups =
		kl_type_new(&kl_type_describe_groups_response_group, request->arena, 1);
	body->groups_n = 1;
	body->groups[0].group_state = KL_STR("Stable");
	body->groups[0].members =
		kl_type_new(&kl_type_describe_groups_response_member, request->arena, 1);
	body->groups[0].members_n = 1;
	if (!says.unowned)
		body->groups[0].members[0].member_assignment =
			(struct kl_bytes){says.assignment, says.assignment_len};
	script_answer(request, body);
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
	case KL_API_DESCRIBE_GROUPS:
		return describe(request);
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

void coordinator_start(int partitions)
{
	memset(&says, 0, sizeof(says));
	script.handle = handle;
	script.partitions = partitions;
	script.log_end = 100;
	script_start(&script);
}

void coordinator_stop(void)
{
	script_stop(&script);
}
