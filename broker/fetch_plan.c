/* SPDX-License-Identifier: BSD-2-Clause */
/* Which partitions a Fetch is about: those that it names, or those of its session. */
#include "broker/fetch_sessions.h"

/* Sessions came with this version (KIP-227). */
#define WITH_SESSIONS 7
#define FINAL_EPOCH -1
#define FIRST_EPOCH 0

static struct kl_str name_of(const struct klamm_broker *broker, struct kl_str named,
			     const struct klamm_uuid *id)
{
	if (kl_uuid_is_zero(id))
		return named;
	const struct kl_dev_topic *topic =
		kl_dev_topic_with_id((struct klamm_broker *)broker, id);
	return topic != NULL ? kl_dev_topic_name(topic) : KL_STR_NULL;
}

static struct kl_dev_wanted wanted_of(const struct kl_fetch_request_partition *asked,
				      struct kl_str name, const struct klamm_uuid *id)
{
	return (struct kl_dev_wanted){
		.topic = name,
		.topic_id = *id,
		.partition = asked->partition,
		.max_bytes = asked->partition_max_bytes,
		.leader_epoch = asked->current_leader_epoch,
		.last_epoch = asked->last_fetched_epoch,
		.offset = asked->fetch_offset,
	};
}

/* --- what the request names --- */

static size_t count_named(const struct kl_fetch_request *request)
{
	size_t n = 0;
	for (int32_t i = 0; i < request->topics_n; i++)
		n += (size_t)kl_max(request->topics[i].partitions_n, 0);
	return n;
}

/* The topic's name may go while the fetch waits, and one found by its id belongs to it. */
static bool keep_name(struct kl_dev_call *call, struct kl_str *name)
{
	if (name->len <= 0)
		return true;
	name->p = kl_arena_text(&call->arena, name->p, (size_t)name->len);
	return name->p != NULL;
}

static int take_named(struct kl_dev_call *call, struct kl_dev_fetch_plan *plan)
{
	const struct kl_fetch_request *request = call->request;
	size_t n = count_named(request);
	plan->wanted = kl_arena_array(&call->arena, n, sizeof(*plan->wanted));
	if (plan->wanted == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_fetch_request_topic *topic = &request->topics[i];
		struct kl_str name =
			name_of(call->broker, topic->topic, &topic->topic_id);
		if (name.p != topic->topic.p && !keep_name(call, &name))
			return KLAMM_ERR_NO_MEMORY;
		for (int32_t k = 0; k < topic->partitions_n; k++)
			plan->wanted[plan->count++] = wanted_of(
				&topic->partitions[k], name, &topic->topic_id);
	}
	return 0;
}

/* --- what its session wants --- */

static bool put_named(struct kl_dev_call *call, struct kl_dev_fetch_session *session)
{
	const struct kl_fetch_request *request = call->request;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_fetch_request_topic *topic = &request->topics[i];
		struct kl_str name =
			name_of(call->broker, topic->topic, &topic->topic_id);
		for (int32_t k = 0; k < topic->partitions_n; k++) {
			struct kl_dev_wanted wanted = wanted_of(&topic->partitions[k], name,
								&topic->topic_id);
			if (!kl_dev_fetch_session_put(session, &wanted))
				return false;
		}
	}
	return true;
}

static void forget_named(const struct kl_fetch_request *request,
			 struct kl_dev_fetch_session *session)
{
	for (int32_t i = 0; i < request->forgotten_topics_data_n; i++) {
		const struct kl_fetch_request_forgotten_topic *topic =
			&request->forgotten_topics_data[i];
		for (int32_t k = 0; k < topic->partitions_n; k++)
			kl_dev_fetch_session_forget(session, topic->topic,
						    &topic->topic_id,
						    topic->partitions[k]);
	}
}

/* A topic that was not known when the session began may be now. One that was keeps its name
 * when it is deleted: a new topic of that name has another id, and is inconsistent. */
static struct kl_str session_name(struct klamm_broker *broker,
				  struct kl_dev_fetch_topic *topic)
{
	if (topic->name_len < 0) {
		struct kl_str name = name_of(broker, KL_STR_NULL, &topic->id);
		topic->name_len = name.len;
		if (name.len > 0)
			memcpy(topic->name, name.p, (size_t)name.len);
	}
	return (struct kl_str){topic->name_len < 0 ? NULL : topic->name, topic->name_len};
}

static int take_session(struct kl_dev_call *call, struct kl_dev_fetch_session *session,
			struct kl_dev_fetch_plan *plan)
{
	const struct kl_dev_fetch_topic *last = NULL;
	struct kl_str name = KL_STR_NULL;
	plan->wanted =
		kl_arena_array(&call->arena, session->count, sizeof(*plan->wanted));
	if (plan->wanted == NULL)
		return KLAMM_ERR_NO_MEMORY;
	kl_list_for(part, &session->parts, struct kl_dev_fetch_part, link) {
		if (part->topic != last) {
			name = session_name(call->broker, part->topic);
			if (!keep_name(call, &name))
				return KLAMM_ERR_NO_MEMORY;
		}
		last = part->topic;
		struct kl_dev_wanted *wanted = &plan->wanted[plan->count++];
		*wanted = part->wanted;
		wanted->topic = name;
	}
	return 0;
}

/* The session that the request goes on with, if it is the right one. */
static int check_session(const struct kl_dev_call *call,
			 const struct kl_dev_fetch_session *session)
{
	const struct kl_fetch_request *request = call->request;
	if (session == NULL)
		return KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND;
	if (session->epoch != request->session_epoch)
		return KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH;
	if (session->by_id != (call->version >= KL_DEV_FETCH_BY_ID))
		return KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR;
	return 0;
}

static int go_on(struct kl_dev_call *call, struct kl_dev_fetch_plan *plan)
{
	const struct kl_fetch_request *request = call->request;
	struct kl_dev_fetch_session *session =
		kl_dev_fetch_session_find(call->conn->node, request->session_id);
	int error = check_session(call, session);
	if (error != 0)
		return error;
	if (!put_named(call, session)) { /* as if it had been evicted */
		kl_dev_fetch_session_free(session);
		return KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND;
	}
	forget_named(request, session);
	if (session->count == 0) {
		kl_dev_fetch_session_free(session);
		return take_named(call, plan);
	}
	kl_dev_fetch_session_touch(session);
	session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
	plan->kind = KL_DEV_FETCH_INCREMENTAL;
	plan->session_id = session->id;
	plan->epoch = session->epoch;
	return take_session(call, session, plan);
}

int kl_dev_fetch_plan(struct kl_dev_call *call, struct kl_dev_fetch_plan *plan)
{
	const struct kl_fetch_request *request = call->request;
	*plan = (struct kl_dev_fetch_plan){.kind = KL_DEV_FETCH_ALONE};
	if (call->version < WITH_SESSIONS)
		return take_named(call, plan);
	if (request->session_epoch != FIRST_EPOCH && request->session_epoch != FINAL_EPOCH)
		return go_on(call, plan);
	if (request->session_id != 0) /* a full fetch ends the session that it names */
		kl_dev_fetch_session_free(kl_dev_fetch_session_find(
			call->conn->node, request->session_id));
	if (request->session_epoch == FIRST_EPOCH)
		plan->kind = KL_DEV_FETCH_FULL;
	return take_named(call, plan);
}
