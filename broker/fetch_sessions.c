/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/fetch_sessions.h"

#include <stdlib.h>

/* Before, nothing of a session is thrown away for another one: Kafka's
 * min.incremental.fetch.session.eviction.ms. */
#define EVICTION_AFTER (120 * (int64_t)KL_SECOND)
/* Partitions in all sessions of a broker. */
#define PARTS_MAX 1000000

/* --- what is in one --- */

static struct kl_dev_fetch_topic *find_topic(struct kl_dev_fetch_session *session,
					     struct kl_str name,
					     const struct klamm_uuid *id)
{
	struct kl_dev_fetch_topic *topic = NULL;
	if (session->by_id)
		HASH_FIND(hh, session->topics, id, sizeof(*id), topic);
	else if (name.len >= 0)
		HASH_FIND(hh, session->topics, name.p, (unsigned)name.len, topic);
	return topic;
}

static struct kl_dev_fetch_part *find_part(struct kl_dev_fetch_session *session,
					   struct kl_str name,
					   const struct klamm_uuid *id, int32_t partition)
{
	struct kl_dev_fetch_topic *topic = find_topic(session, name, id);
	struct kl_dev_fetch_part *part = NULL;
	if (topic != NULL)
		HASH_FIND(hh, topic->parts, &partition, sizeof(partition), part);
	return part;
}

static struct kl_dev_fetch_topic *add_topic(struct kl_dev_fetch_session *session,
					    const struct kl_dev_wanted *wanted)
{
	int32_t len = wanted->topic.len;
	size_t room = session->by_id ? KL_DEV_TOPIC_NAME_MAX : (size_t)len;
	struct kl_dev_fetch_topic *topic = calloc(1, sizeof(*topic) + room + 1);
	if (topic == NULL)
		return NULL;
	topic->id = wanted->topic_id;
	topic->name_len = len;
	if (len > 0)
		memcpy(topic->name, wanted->topic.p, (size_t)len);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	if (session->by_id)
		HASH_ADD(hh, session->topics, id, sizeof(topic->id), topic);
	else
		HASH_ADD(hh, session->topics, name, (unsigned)len, topic);
	if (added)
		return topic;
	free(topic);
	return NULL;
}

static void drop_topic(struct kl_dev_fetch_session *session,
		       struct kl_dev_fetch_topic *topic)
{
	HASH_DEL(session->topics, topic);
	free(topic);
}

static void drop_part(struct kl_dev_fetch_session *session,
		      struct kl_dev_fetch_part *part)
{
	struct kl_dev_fetch_topic *topic = part->topic;
	HASH_DEL(topic->parts, part);
	kl_list_remove(&part->link);
	free(part);
	session->count--;
	session->node->broker->fetch_parts--;
	if (topic->parts == NULL)
		drop_topic(session, topic);
}

static struct kl_dev_fetch_part *add_part(struct kl_dev_fetch_session *session,
					  struct kl_dev_fetch_topic *topic,
					  int32_t partition)
{
	struct kl_dev_fetch_part *part = calloc(1, sizeof(*part));
	if (part == NULL)
		return NULL;
	part->topic = topic;
	part->wanted.partition = partition;
	part->high_watermark = part->log_start = -1;
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, topic->parts, wanted.partition, sizeof(partition), part);
	if (!added) {
		free(part);
		return NULL;
	}
	kl_list_push(&session->parts, &part->link);
	session->count++;
	session->node->broker->fetch_parts++;
	return part;
}

static struct kl_dev_fetch_part *put(struct kl_dev_fetch_session *session,
				     const struct kl_dev_wanted *wanted)
{
	struct kl_dev_fetch_part *part = find_part(session, wanted->topic,
						   &wanted->topic_id, wanted->partition);
	if (part == NULL) {
		if (session->node->broker->fetch_parts >= PARTS_MAX)
			return NULL;
		struct kl_dev_fetch_topic *topic =
			find_topic(session, wanted->topic, &wanted->topic_id);
		if (topic == NULL)
			topic = add_topic(session, wanted);
		if (topic == NULL)
			return NULL;
		part = add_part(session, topic, wanted->partition);
		if (part == NULL && topic->parts == NULL)
			drop_topic(session, topic);
		if (part == NULL)
			return NULL;
	}
	part->wanted = *wanted;
	part->wanted.topic = KL_STR_NULL;
	return part;
}

bool kl_dev_fetch_session_put(struct kl_dev_fetch_session *session,
			      const struct kl_dev_wanted *wanted)
{
	return put(session, wanted) != NULL;
}

void kl_dev_fetch_session_forget(struct kl_dev_fetch_session *session,
				 struct kl_str topic, const struct klamm_uuid *id,
				 int32_t partition)
{
	struct kl_dev_fetch_part *part = find_part(session, topic, id, partition);
	if (part != NULL)
		drop_part(session, part);
}

bool kl_dev_fetch_session_tells(struct kl_dev_fetch_session *session,
				const struct kl_dev_wanted *wanted,
				const struct kl_fetch_response_partition *answer)
{
	struct kl_dev_fetch_part *part = find_part(session, wanted->topic,
						   &wanted->topic_id, wanted->partition);
	if (part == NULL) /* forgotten while the answer was waited for */
		return false;
	bool has_records = answer->records.len > 0;
	bool tells = has_records || answer->error_code != 0 ||
		     answer->high_watermark != part->high_watermark ||
		     answer->log_start_offset != part->log_start ||
		     answer->preferred_read_replica >= 0 ||
		     answer->diverging_epoch.epoch >= 0;
	part->log_start = answer->log_start_offset;
	/* When the error is over, that is news, too. */
	part->high_watermark = answer->error_code != 0 ? -1 : answer->high_watermark;
	if (has_records) { /* others are first the next time */
		kl_list_remove(&part->link);
		kl_list_push(&session->parts, &part->link);
	}
	return tells;
}

/* --- the sessions of a node --- */

struct kl_dev_fetch_session *kl_dev_fetch_session_find(struct kl_dev_node *node,
						       int32_t id)
{
	struct kl_dev_fetch_session *session = NULL;
	HASH_FIND(hh, node->fetch.by_id, &id, sizeof(id), session);
	return session;
}

void kl_dev_fetch_session_touch(struct kl_dev_fetch_session *session)
{
	struct kl_dev_node *node = session->node;
	session->last = node->broker->loop->now;
	kl_list_remove(&session->used);
	kl_list_push(&node->fetch.used, &session->used);
}

void kl_dev_fetch_session_free(struct kl_dev_fetch_session *session)
{
	if (session == NULL)
		return;
	kl_list_for_safe(part, &session->parts, struct kl_dev_fetch_part, link)
		drop_part(session, part);
	HASH_DEL(session->node->fetch.by_id, session);
	kl_list_remove(&session->used);
	free(session);
}

void kl_dev_fetch_sessions_free(struct kl_dev_node *node)
{
	kl_list_for_safe(session, &node->fetch.used, struct kl_dev_fetch_session, used)
		kl_dev_fetch_session_free(session);
}

/* The one that goes for a new session of so many partitions: it was not used for long, or it
 * is smaller and not young. */
static struct kl_dev_fetch_session *victim(struct kl_dev_node *node, size_t count)
{
	if (kl_list_empty(&node->fetch.used))
		return NULL;
	struct kl_dev_fetch_session *oldest = kl_list_first(
		&node->fetch.used, struct kl_dev_fetch_session, used);
	if (node->broker->loop->now - oldest->last > EVICTION_AFTER)
		return oldest;
	struct kl_dev_fetch_session *least = NULL;
	kl_list_for(session, &node->fetch.used, struct kl_dev_fetch_session, used)
		if (session->last - session->begun > EVICTION_AFTER &&
		    (least == NULL || session->count < least->count ||
		     (session->count == least->count && session->id < least->id)))
			least = session;
	return least != NULL && least->count < count ? least : NULL;
}

static int32_t free_id(struct kl_dev_node *node)
{
	struct kl_os *os = node->broker->loop->os;
	int32_t id;
	do
		id = (int32_t)kl_os_random_below(os, INT32_MAX - 1) + 1;
	while (kl_dev_fetch_session_find(node, id) != NULL);
	return id;
}

static struct kl_dev_fetch_session *add_session(struct kl_dev_node *node, bool by_id)
{
	struct kl_dev_fetch_session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	session->node = node;
	session->id = free_id(node);
	session->epoch = 1;
	session->by_id = by_id;
	session->begun = session->last = node->broker->loop->now;
	kl_list_init(&session->parts);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, node->fetch.by_id, id, sizeof(session->id), session);
	if (!added) {
		free(session);
		return NULL;
	}
	kl_list_push(&node->fetch.used, &session->used);
	return session;
}

static bool make_room(struct kl_dev_node *node, size_t count)
{
	size_t slots = (size_t)node->broker->limits.fetch_sessions;
	if (HASH_COUNT(node->fetch.by_id) < slots)
		return true;
	struct kl_dev_fetch_session *session = victim(node, count);
	kl_dev_fetch_session_free(session);
	return session != NULL;
}

int32_t kl_dev_fetch_session_new(struct kl_dev_call *call,
				 const struct kl_dev_fetch_plan *plan,
				 const struct kl_fetch_response_partition *answers)
{
	struct kl_dev_node *node = call->conn->node;
	if (!make_room(node, plan->count))
		return 0;
	struct kl_dev_fetch_session *session =
		add_session(node, call->version >= KL_DEV_FETCH_BY_ID);
	for (size_t i = 0; session != NULL && i < plan->count; i++) {
		struct kl_dev_fetch_part *part = put(session, &plan->wanted[i]);
		if (part == NULL) {
			kl_dev_fetch_session_free(session);
			return 0;
		}
		part->high_watermark = answers[i].high_watermark;
		part->log_start = answers[i].log_start_offset;
	}
	return session != NULL ? session->id : 0;
}

/* --- for faults --- */

bool kl_dev_fetch_session_has(struct kl_dev_node *node,
			      const struct kl_fetch_request *request, const char *topic,
			      int32_t partition)
{
	if (node == NULL || request->session_id == 0 || request->session_epoch <= 0)
		return false;
	struct kl_dev_fetch_session *session =
		kl_dev_fetch_session_find(node, request->session_id);
	struct kl_dev_fetch_topic *one, *next;
	if (session == NULL)
		return false;
	HASH_ITER(hh, session->topics, one, next)
	{
		if (!kl_str_is((struct kl_str){one->name, one->name_len}, topic))
			continue;
		struct kl_dev_fetch_part *part = NULL;
		if (partition >= 0)
			HASH_FIND(hh, one->parts, &partition, sizeof(partition), part);
		return partition < 0 || part != NULL;
	}
	return false;
}
