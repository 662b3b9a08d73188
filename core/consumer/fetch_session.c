/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch sessions (KIP-227): a broker remembers the partitions that it was asked for, so that a
 * request names only what has changed, and an answer only what has news.
 *
 * A partition that is not to be fetched for now (paused, its queue full, after an error)
 * leaves the session, or its broker would go on to send it.
 */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/consumer/fetch.h"

#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false

/* --- sessions --- */

struct kl_fetch_session *kl_fetch_session_of(struct klamm_consumer *c, int32_t node)
{
	struct kl_fetch_session *session;
	HASH_FIND_INT(c->sessions, &node, session);
	if (session != NULL)
		return session;
	session = calloc(1, sizeof(*session));
	if (session == NULL)
		return NULL;
	session->c = c;
	session->node = node;
	struct kl_list *const lists[] = {&session->members, &session->changed,
					 &session->leaving, &session->full};
	for (size_t i = 0; i < kl_countof(lists); i++)
		kl_list_init(lists[i]);
	bool added = true;
	HASH_ADD_INT(c->sessions, node, session);
	if (added) {
		kl_list_push(&c->serving, &session->order);
		return session;
	}
	free(session);
	return NULL;
}

static void free_entries(struct kl_list *list)
{
	struct kl_fetch_entry *entry;
	while ((entry = kl_list_first(list, struct kl_fetch_entry, news)) != NULL)
		kl_fetch_entry_free(entry);
}

void kl_fetch_session_free(struct kl_fetch_session *session)
{
	kl_list_for_safe(entry, &session->members, struct kl_fetch_entry, link) {
		entry->part->entry = NULL;
		kl_fetch_entry_free(entry);
	}
	free_entries(&session->leaving);
	HASH_DEL(session->c->sessions, session);
	kl_list_remove(&session->order);
	kl_request_free(&session->request);
	kl_arena_free(&session->arena);
	free(session);
}

void kl_fetch_session_restart(struct kl_fetch_session *session)
{
	session->epoch = 0;
	HASH_CLEAR(hh, session->known);
	kl_list_for(entry, &session->leaving, struct kl_fetch_entry, news)
		entry->known = false;
	free_entries(&session->leaving);
	kl_list_for(entry, &session->members, struct kl_fetch_entry, link) {
		entry->known = false;
		kl_list_remove(&entry->news);
		kl_list_push(&session->changed, &entry->news);
	}
}

void kl_fetch_session_next(struct kl_fetch_session *session, int32_t id)
{
	session->id = id;
	if (id == 0) /* there is none, or no longer */
		kl_fetch_session_restart(session);
	else
		session->epoch = session->epoch == INT32_MAX ? 1 : session->epoch + 1;
}

/* --- entries --- */

struct kl_fetch_name kl_fetch_name(const struct kl_fetch_session *session,
				   const struct klamm_uuid *id, struct kl_ctopic *topic,
				   int32_t partition)
{
	struct kl_fetch_name name = {.partition = partition};
	if (session->by_id)
		name.topic = *id;
	else
		memcpy(&name.topic, &topic, sizeof(topic));
	return name;
}

void kl_fetch_entry_free(struct kl_fetch_entry *entry)
{
	struct kl_fetch_session *session = entry->session;
	if (entry->known)
		HASH_DEL(session->known, entry);
	kl_list_remove(&entry->link);
	kl_list_remove(&entry->news);
	kl_cpart_unref(entry->part);
	free(entry);
}

static struct kl_fetch_entry *entry_new(struct kl_fetch_session *session,
					struct kl_cpart *part)
{
	struct kl_fetch_entry *entry = calloc(1, sizeof(*entry));
	if (entry == NULL)
		return NULL;
	entry->session = session;
	entry->part = kl_cpart_ref(part);
	entry->topic_id = part->topic->info->id;
	kl_list_init(&entry->link);
	kl_list_init(&entry->news);
	return entry;
}

/* Is it the topic as it is now? To a session that goes by names that is the same. */
static bool is_current(const struct kl_fetch_entry *entry)
{
	return !entry->session->by_id ||
	       kl_uuid_equal(&entry->topic_id, &entry->part->topic->info->id);
}

/* What the broker was told of and is to forget, though it is wanted again: by the same struct
 * kl_cpart, or by another one when it was taken away from the consumer and given back. To be
 * named and to be forgotten in one request comes to being forgotten. */
static struct kl_fetch_entry *take_back(struct kl_fetch_session *session,
					struct kl_cpart *part)
{
	struct kl_fetch_name name =
		kl_fetch_name(session, &part->topic->info->id, part->topic, part->partition);
	struct kl_fetch_entry *entry;
	HASH_FIND(hh, session->known, &name, sizeof(name), entry);
	if (entry == NULL || entry->part == part)
		return entry;
	if (KL_BUG(FORGOTTEN_AGAIN))
		return NULL;
	if (entry->part->entry == entry)
		kl_fetch_leave(entry->part);
	kl_cpart_unref(entry->part);
	entry->part = kl_cpart_ref(part);
	return entry;
}

static void count_member(struct kl_fetch_session *session, const struct kl_fetch_entry *entry,
			 int n)
{
	session->member_count += (size_t)n;
	if (kl_uuid_is_zero(&entry->topic_id))
		session->nameless += (size_t)n;
}

static bool join(struct kl_fetch_session *session, struct kl_cpart *part)
{
	/* One that has not been told yet that it is left out stays where it was. */
	struct kl_fetch_entry *entry = take_back(session, part);
	if (entry == NULL)
		entry = entry_new(session, part);
	if (entry == NULL)
		return false;
	kl_list_remove(&entry->news);
	kl_list_push(&session->members, &entry->link);
	count_member(session, entry, 1);
	part->entry = entry;
	return true;
}

/* Does the broker have to be told? */
static bool is_news(const struct kl_fetch_entry *entry)
{
	const struct kl_cpart *part = entry->part;
	return !entry->known || entry->offset != part->fetch_offset ||
	       entry->leader_epoch != part->leader_epoch ||
	       entry->last_epoch != part->fetch_epoch;
}

bool kl_fetch_enter(struct kl_fetch_session *session, struct kl_cpart *part)
{
	struct kl_fetch_entry *entry = part->entry;
	if (entry != NULL && (entry->session != session || !is_current(entry)))
		kl_fetch_leave(part);
	if (part->entry == NULL && !join(session, part))
		return false;
	entry = part->entry;
	count_member(session, entry, -1);
	entry->topic_id = part->topic->info->id;
	count_member(session, entry, 1);
	kl_list_remove(&entry->news);
	if (is_news(entry))
		kl_list_push(&session->changed, &entry->news);
	else /* a seek that came to the same */
		entry->generation = part->generation;
	return true;
}

void kl_fetch_leave(struct kl_cpart *part)
{
	struct kl_fetch_entry *entry = part->entry;
	if (entry == NULL)
		return;
	part->entry = NULL;
	count_member(entry->session, entry, -1);
	if (!entry->known) {
		kl_fetch_entry_free(entry);
		return;
	}
	kl_list_remove(&entry->link);
	kl_list_remove(&entry->news);
	kl_list_push(&entry->session->leaving, &entry->news);
}

/* --- answers --- */

struct kl_fetch_entry *kl_fetch_find(struct kl_fetch_session *session,
				     const struct kl_fetch_response_topic *topic,
				     int32_t partition, int version)
{
	struct kl_topic_info *info = NULL;
	if (version < 13) {
		if (topic->topic.len > 0)
			HASH_FIND(hh, session->c->cluster.topics, topic->topic.p,
				  (unsigned)topic->topic.len, info);
		if (info == NULL)
			return NULL;
	}
	struct kl_fetch_name name = kl_fetch_name(session, &topic->topic_id,
						  info != NULL ? info->user : NULL, partition);
	struct kl_fetch_entry *entry;
	HASH_FIND(hh, session->known, &name, sizeof(name), entry);
	return entry;
}
