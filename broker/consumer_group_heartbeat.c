/* SPDX-License-Identifier: BSD-2-Clause */
/* ConsumerGroupHeartbeat 0-1: members of modern groups come, stay and go. */
#include <stdio.h>

#include "broker/batch_make.h"
#include "broker/coordinators.h"
#include "broker/groups.h"
#include "broker/migrate.h"
#include "broker/modern_beat.h"

/* The first version whose members come with an id of their own (KIP-1082). */
#define OWN_ID 1

struct work {
	struct kl_consumer_group_heartbeat_response response;
	struct kl_dev_pledge pledge;
};

/* --- is the request one? --- */

static bool is_empty(struct kl_str text)
{
	return text.len == 0;
}

static bool check_fields(struct kl_dev_beat *b)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	bool needs_id = b->call->version >= OWN_ID || r->member_epoch > 0 ||
			r->member_epoch == KL_DEV_LEAVES;
	if (needs_id && is_empty(r->member_id))
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "MemberId can't be empty.");
	if (is_empty(r->group_id))
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "GroupId can't be empty.");
	if (is_empty(r->instance_id))
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "InstanceId can't be empty.");
	if (is_empty(r->rack_id))
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "RackId can't be empty.");
	if (r->member_epoch < KL_DEV_LEAVES_STATIC)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "MemberEpoch is invalid.");
	if (r->member_epoch == KL_DEV_LEAVES_STATIC && r->instance_id.len < 0)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST, "InstanceId can't be null.");
	return true;
}

static bool check_join(struct kl_dev_beat *b)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	if (r->member_epoch != KL_DEV_JOINS)
		return true;
	if (r->rebalance_timeout_ms == -1)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST,
			      "RebalanceTimeoutMs must be provided in first request.");
	if (r->topic_partitions_n != 0)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST,
			      "TopicPartitions must be empty when (re-)joining.");
	if (r->subscribed_topic_names_n < 0 && r->subscribed_topic_regex.len < 0)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST,
			      "Either SubscribedTopicNames or SubscribedTopicRegex must be "
			      "non-null when (re-)joining.");
	return true;
}

static bool check_assignor(struct kl_dev_beat *b)
{
	struct kl_str name = b->request->server_assignor;
	char text[300];
	if (name.len < 0 || kl_dev_modern_has_assignor(b->call->broker, name))
		return true;
	snprintf(text, sizeof(text),
		 "ServerAssignor %.*s is not supported. Supported assignors: %s.",
		 (int)kl_min(name.len, 200), name.p,
		 kl_dev_modern_assignors(b->call->broker));
	return kl_dev_deny(b, KLAMM_ERR_UNSUPPORTED_ASSIGNOR, text);
}

static bool check_topics(struct kl_dev_beat *b)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	for (int32_t i = 0; i < r->subscribed_topic_names_n; i++)
		if (kl_dev_topic_check_name(r->subscribed_topic_names[i], &b->err) != 0)
			return false;
	return true;
}

/* --- the group --- */

static bool has_room(const struct kl_dev_beat *b, size_t members)
{
	return (int64_t)members < b->call->broker->limits.modern_max_size;
}

static bool deny_room(struct kl_dev_beat *b)
{
	char text[120];
	snprintf(text, sizeof(text),
		 "The consumer group has reached its maximum capacity of %d members.",
		 b->call->broker->limits.modern_max_size);
	return kl_dev_deny(b, KLAMM_ERR_GROUP_MAX_SIZE_REACHED, text);
}

/* A classic group with members becomes a modern one, with the same members. Who would be
 * refused afterwards is refused before. */
static bool upgrade(struct kl_dev_beat *b)
{
	const struct kl_dev_member *members = b->group->classic.members;
	struct kl_str pattern = b->request->subscribed_topic_regex;
	if (kl_dev_migrate_check_up(b->group, &b->err) != 0)
		return false;
	if (!has_room(b, HASH_COUNT(members)) &&
	    kl_dev_member_find(b->group, b->request->member_id) == NULL)
		return deny_room(b);
	if (pattern.len > 0 && kl_dev_modern_check_regex(pattern, &b->err) != 0)
		return false;
	return kl_dev_migrate_up(&b->group, &b->err) == 0;
}

/* One without members makes room for a modern one. */
static bool drop_empty(struct kl_dev_beat *b, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = b->call->broker;
	struct kl_dev_batch batch;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	b->group->type->put_tombstones(b->group, &batch);
	int rc = kl_dev_group_append(broker, home, &batch, -1, -1);
	kl_dev_batch_free(&batch);
	if (rc != 0)
		return kl_dev_deny(b, rc, klamm_err_text(rc));
	b->group = kl_dev_group_find(broker, b->request->group_id);
	return true;
}

static bool find_group(struct kl_dev_beat *b, struct kl_dev_partition *home)
{
	struct kl_str id = b->request->group_id;
	b->group = kl_dev_group_find(b->call->broker, id);
	bool joins = b->request->member_epoch == KL_DEV_JOINS;
	if (b->group != NULL && b->group->type == &kl_dev_modern_type)
		return true;
	if (!joins)
		return kl_dev_deny(b, KLAMM_ERR_GROUP_ID_NOT_FOUND,
			      b->group != NULL ? "The group is not a consumer group."
					       : "There is no such consumer group.");
	if (b->group != NULL && !b->group->type->is_empty(b->group))
		return upgrade(b);
	if (b->group != NULL && !drop_empty(b, home))
		return false;
	if (b->group == NULL)
		b->group = kl_dev_group_add(b->call->broker, id, home->index);
	b->group_is_new = b->group != NULL;
	if (b->group == NULL || !kl_dev_modern_init(b->group))
		return kl_dev_beat_no_memory(b);
	return true;
}

/* --- the member --- */

static bool check_room(struct kl_dev_beat *b)
{
	return has_room(b, HASH_COUNT(b->group->modern->members)) ||
	       kl_dev_modern_find(b->group, b->request->member_id) != NULL || deny_room(b);
}

/* An answer that had the next epoch may be lost, and the request repeated. */
static bool is_repeated(const struct kl_dev_beat *b)
{
	if (b->request->member_epoch != b->member->previous_epoch ||
	    b->request->topic_partitions_n < 0)
		return false;
	for (size_t i = 0; i < b->owned.count; i++)
		if (kl_dev_parts_find(&b->member->has, &b->owned.list[i].topic,
				      b->owned.list[i].index) == NULL)
			return false;
	return true;
}

static bool check_epoch(struct kl_dev_beat *b)
{
	int32_t said = b->request->member_epoch, known = b->member->epoch;
	char text[200];
	if (said == KL_DEV_JOINS || said == known || (said < known && is_repeated(b)))
		return true;
	snprintf(text, sizeof(text),
		 "The consumer group member has a %s member epoch (%d) than the one known by "
		 "the group coordinator (%d). The member must abandon all its partitions and "
		 "rejoin.",
		 said > known ? "greater" : "smaller", said, known);
	return kl_dev_deny(b, KLAMM_ERR_FENCED_MEMBER_EPOCH, text);
}

static bool find_dynamic(struct kl_dev_beat *b)
{
	b->member = kl_dev_modern_find(b->group, b->request->member_id);
	if (b->member != NULL)
		return check_epoch(b);
	if (b->request->member_epoch == KL_DEV_JOINS)
		return kl_dev_beat_add(b, b->request->member_id);
	return kl_dev_deny(b, KLAMM_ERR_UNKNOWN_MEMBER_ID, "The group has no such member.");
}

static bool find_static(struct kl_dev_beat *b, struct kl_dev_partition *home)
{
	struct kl_str id = b->request->member_id;
	struct kl_dev_modern_member *known =
		kl_dev_modern_static(b->group, b->request->instance_id);
	if (b->request->member_epoch == KL_DEV_JOINS) {
		if (known == NULL)
			return find_dynamic(b);
		/* One of the classic protocol gives way to whoever has its name (KIP-345). */
		if (known->epoch != KL_DEV_LEAVES_STATIC && !kl_dev_modern_is_classic(known))
			return kl_dev_deny(b, KLAMM_ERR_UNRELEASED_INSTANCE_ID,
				      "Another member has this instance id.");
		return kl_dev_beat_replace(b, known, id, home);
	}
	if (known == NULL)
		return kl_dev_deny(b, KLAMM_ERR_UNKNOWN_MEMBER_ID,
			      "The group has no member of this instance id.");
	if (!kl_str_equal(kl_dev_modern_id(known), id))
		return kl_dev_deny(b, KLAMM_ERR_FENCED_INSTANCE_ID,
			      "Another member has this instance id.");
	b->member = known;
	return b->request->member_epoch < 0 || check_epoch(b);
}

/* --- leaving --- */

static bool leave_for_good(struct kl_dev_beat *b)
{
	int rc = kl_dev_modern_remove(&b->member, 1, "leaves");
	return rc == 0 || kl_dev_deny(b, rc, klamm_err_text(rc));
}

/* It keeps what it has until its session is over; whoever comes then as this instance has it
 * since epoch 0. */
static bool leave_for_a_while(struct kl_dev_beat *b, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = b->call->broker;
	struct kl_dev_batch batch;
	struct kl_dev_modern_log log = {&batch, kl_dev_group_id(b->group),
					kl_dev_modern_id(b->member)};
	struct kl_dev_modern_now now = {.epoch = KL_DEV_LEAVES_STATIC,
					.previous_epoch = b->member->previous_epoch,
					.state = b->member->state};
	if (!kl_dev_parts_copy(&now.has, &b->member->has))
		return kl_dev_beat_no_memory(b);
	for (size_t i = 0; i < now.has.count; i++)
		now.has.list[i].epoch = 0;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	bool ok = kl_dev_modern_put_current(&log, &now);
	int rc = ok ? kl_dev_group_append(broker, home, &batch, -1, -1)
		    : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	kl_dev_parts_free(&now.has);
	return rc == 0 || kl_dev_deny(b, rc, klamm_err_text(rc));
}

static bool leave(struct kl_dev_beat *b, struct kl_dev_partition *home,
		  struct kl_consumer_group_heartbeat_response *response)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	response->member_id = r->member_id;
	response->member_epoch = r->member_epoch;
	if (!find_group(b, home))
		return false;
	if (r->instance_id.len >= 0) {
		if (!find_static(b, home))
			return false;
		return r->member_epoch == KL_DEV_LEAVES_STATIC ? leave_for_a_while(b, home)
							       : leave_for_good(b);
	}
	b->member = kl_dev_modern_find(b->group, r->member_id);
	if (b->member == NULL)
		return kl_dev_deny(b, KLAMM_ERR_UNKNOWN_MEMBER_ID,
				   "The group has no such member.");
	return leave_for_good(b);
}

/* --- the answer --- */

static bool put_assignment(struct kl_dev_beat *b,
			   struct kl_consumer_group_heartbeat_response *response)
{
	const struct kl_dev_parts *has = &b->now.has;
	struct kl_arena *arena = &b->call->arena;
	struct kl_consumer_group_heartbeat_response_assignment *assignment =
		kl_type_new(&kl_type_consumer_group_heartbeat_response_assignment, arena, 1);
	int32_t *indexes = kl_arena_array(arena, has->count, sizeof(*indexes));
	if (assignment == NULL || indexes == NULL)
		return false;
	assignment->topic_partitions =
		kl_type_new(&kl_type_consumer_group_heartbeat_response_topic, arena,
			    has->count);
	if (assignment->topic_partitions == NULL)
		return false;
	for (size_t i = 0, next; i < has->count; i = next) {
		struct kl_consumer_group_heartbeat_response_topic *topic =
			&assignment->topic_partitions[assignment->topic_partitions_n++];
		next = kl_dev_parts_next_topic(has, i);
		topic->topic_id = has->list[i].topic;
		topic->partitions = &indexes[i];
		topic->partitions_n = (int32_t)(next - i);
		for (size_t k = i; k < next; k++)
			indexes[k] = has->list[k].index;
	}
	response->assignment = assignment;
	return true;
}

/* A full request is that of who has lost an answer. */
static bool is_full(const struct kl_consumer_group_heartbeat_request *r)
{
	return r->member_epoch == KL_DEV_JOINS ||
	       (r->rebalance_timeout_ms != -1 && r->topic_partitions_n >= 0 &&
		(r->subscribed_topic_names_n >= 0 || r->subscribed_topic_regex.len >= 0));
}

static bool put_answer(struct kl_dev_beat *b,
		       struct kl_consumer_group_heartbeat_response *response)
{
	struct kl_str id = kl_dev_modern_id(b->member);
	response->member_id =
		kl_str(kl_arena_text(&b->call->arena, id.p, (size_t)id.len));
	response->member_epoch = b->now.epoch;
	response->heartbeat_interval_ms = b->call->broker->limits.modern_heartbeat_ms;
	bool ok = response->member_id.p != NULL;
	if (is_full(b->request) || !kl_dev_parts_equal(&b->now.has, &b->member->has))
		ok = ok && put_assignment(b, response);
	return ok || kl_dev_beat_no_memory(b);
}

static bool read_owned(struct kl_dev_beat *b)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	size_t count = 0;
	for (int32_t t = 0; t < r->topic_partitions_n; t++)
		count += (size_t)kl_max(r->topic_partitions[t].partitions_n, 0);
	if (count > KL_DEV_PARTITIONS_MAX)
		return kl_dev_deny(b, KLAMM_ERR_INVALID_REQUEST,
				   "TopicPartitions has more than there can be.");
	for (int32_t t = 0; t < r->topic_partitions_n; t++)
		for (int32_t i = 0; i < r->topic_partitions[t].partitions_n; i++)
			if (!kl_dev_parts_add(&b->owned, &r->topic_partitions[t].topic_id,
					      r->topic_partitions[t].partitions[i], 0))
				return kl_dev_beat_no_memory(b);
	kl_dev_parts_sort(&b->owned);
	return true;
}

static bool stay(struct kl_dev_beat *b, struct kl_dev_partition *home,
		 struct kl_consumer_group_heartbeat_response *response)
{
	if (!read_owned(b) || !find_group(b, home) || !check_room(b) ||
	    !(b->request->instance_id.len >= 0 ? find_static(b, home) : find_dynamic(b)))
		return false;
	return kl_dev_beat_run(b) && put_answer(b, response) &&
	       kl_dev_beat_append(b, home);
}

static bool handle(struct kl_dev_beat *b, struct work *work)
{
	struct klamm_broker *broker = b->call->broker;
	struct kl_dev_partition *home;
	bool leaves = b->request->member_epoch < 0;
	int error = kl_dev_call_error(b->call);
	if (error == 0 && broker->limits.group_version < 1)
		error = KLAMM_ERR_UNSUPPORTED_VERSION;
	if (error != 0)
		return kl_dev_deny(b, error, klamm_err_text(error));
	if (!check_fields(b) || !check_join(b) || !check_assignor(b) || !check_topics(b))
		return false;
	error = kl_dev_call_home(b->call, KL_DEV_GROUP, b->request->group_id, &home);
	if (error != 0)
		return kl_dev_deny(b, error, klamm_err_text(error));
	if (!(leaves ? leave(b, home, &work->response) : stay(b, home, &work->response)))
		return false;
	work->pledge = kl_dev_pledge_on(home);
	if (!leaves)
		kl_dev_modern_match(b->group);
	return true;
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	if (work->pledge.error != 0) {
		kl_msg_init(&kl_msg_consumer_group_heartbeat_response, &work->response);
		work->response.error_code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	}
	kl_dev_answer(call, &work->response);
}

static void answer_error(struct kl_dev_call *call, const struct klamm_error *err)
{
	struct kl_consumer_group_heartbeat_response response;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_response, &response);
	response.error_code = (int16_t)err->code;
	response.error_message = kl_str(err->text);
	kl_dev_answer(call, &response);
}

void kl_dev_consumer_group_heartbeat(struct kl_dev_call *call)
{
	struct klamm_broker *broker = call->broker;
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	struct kl_dev_beat b = {.call = call, .request = call->request};
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	call->work = work;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_response, &work->response);
	kl_dev_batch_begin(&b.batch, broker->loop->os->wall_ms(broker->loop->os));
	bool ok = handle(&b, work);
	kl_dev_beat_free(&b);
	if (ok) {
		kl_dev_call_settle(call, &work->pledge, 1, answer);
		return;
	}
	kl_dev_beat_undo(&b);
	answer_error(call, &b.err);
}
