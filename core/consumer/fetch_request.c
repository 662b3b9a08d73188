/* SPDX-License-Identifier: BSD-2-Clause */
/* A Fetch on its way out: everything that is read from the broker, or what has changed. */
#include "core/base/bug.h"
#include "core/consumer/fetch.h"

/* The first version with sessions (KIP-227), the epoch of the record before (KIP-595), and
 * topics by their ids (KIP-516). */
#define WITH_SESSIONS 7
#define WITH_LAST_EPOCH 12
#define WITH_IDS 13

/* --- topics: their partitions stand together, in one entry --- */

/* Gives each entry the place of its topic among those of the list; how many there are goes to
 * *count_out, and how many partitions each has is returned. NULL: out of memory. */
static int32_t *number_topics(struct kl_fetch_session *session, struct kl_list *list,
			      int32_t *count_out)
{
	struct klamm_consumer *c = session->c;
	size_t n = 0;
	*count_out = 0;
	kl_list_for(entry, list, struct kl_fetch_entry, news)
		n++;
	int32_t *sizes = kl_arena_array(&session->arena, n, sizeof(*sizes));
	if (sizes == NULL)
		return NULL;
	c->fetch_serial++;
	kl_list_for(entry, list, struct kl_fetch_entry, news) {
		struct kl_ctopic *topic = entry->part->topic;
		/* One that was made again has another id, and then stands there twice. */
		if (topic->fetch_serial != c->fetch_serial ||
		    !kl_uuid_equal(&topic->fetch_id, &entry->topic_id)) {
			topic->fetch_serial = c->fetch_serial;
			topic->fetch_id = entry->topic_id;
			topic->fetch_slot = (*count_out)++;
		}
		entry->slot = topic->fetch_slot;
		sizes[entry->slot]++;
	}
	return sizes;
}

static void put_partition(const struct kl_fetch_entry *entry,
			  struct kl_fetch_request_topic *topic, int version)
{
	const struct kl_cpart *part = entry->part;
	struct kl_fetch_request_partition *to = &topic->partitions[topic->partitions_n++];
	topic->topic = kl_str(part->topic->name);
	topic->topic_id = entry->topic_id;
	to->partition = part->partition;
	to->current_leader_epoch = part->leader_epoch;
	to->fetch_offset = part->fetch_offset;
	if (version >= WITH_LAST_EPOCH)
		to->last_fetched_epoch = part->fetch_epoch;
	to->partition_max_bytes = entry->session->c->settings->max_partition_fetch_bytes;
}

static bool put_topics(struct kl_fetch_session *session, struct kl_fetch_request *body,
		       int version)
{
	struct kl_arena *arena = &session->arena;
	int32_t *sizes = number_topics(session, &session->changed, &body->topics_n);
	body->topics = kl_type_new(&kl_type_fetch_request_topic, arena,
				   (size_t)body->topics_n);
	if (sizes == NULL || body->topics == NULL)
		return false;
	for (int32_t i = 0; i < body->topics_n; i++) {
		body->topics[i].partitions = kl_type_new(&kl_type_fetch_request_partition,
							 arena, (size_t)sizes[i]);
		body->topics[i].partitions_n = 0;
		if (body->topics[i].partitions == NULL)
			return false;
	}
	kl_list_for(entry, &session->changed, struct kl_fetch_entry, news)
		put_partition(entry, &body->topics[entry->slot], version);
	return true;
}

static bool put_forgotten(struct kl_fetch_session *session, struct kl_fetch_request *body)
{
	struct kl_arena *arena = &session->arena;
	int32_t *sizes = number_topics(session, &session->leaving,
				       &body->forgotten_topics_data_n);
	struct kl_fetch_request_forgotten_topic *topics =
		kl_type_new(&kl_type_fetch_request_forgotten_topic, arena,
			    (size_t)body->forgotten_topics_data_n);
	if (sizes == NULL || topics == NULL)
		return false;
	body->forgotten_topics_data = topics;
	for (int32_t i = 0; i < body->forgotten_topics_data_n; i++) {
		topics[i].partitions = kl_arena_array(arena, (size_t)sizes[i],
						      sizeof(*topics[i].partitions));
		topics[i].partitions_n = 0;
		if (topics[i].partitions == NULL)
			return false;
	}
	kl_list_for(entry, &session->leaving, struct kl_fetch_entry, news) {
		struct kl_fetch_request_forgotten_topic *topic = &topics[entry->slot];
		topic->topic = kl_str(entry->part->topic->name);
		topic->topic_id = entry->topic_id;
		topic->partitions[topic->partitions_n++] = entry->part->partition;
	}
	return true;
}

/* --- the session, once all that is said of it is in the request --- */

static bool remember(struct kl_fetch_session *session, struct kl_fetch_entry *entry)
{
	const struct kl_cpart *part = entry->part;
	entry->generation = part->generation;
	entry->offset = part->fetch_offset;
	entry->leader_epoch = part->leader_epoch;
	entry->last_epoch = part->fetch_epoch;
	kl_list_remove(&entry->news);
	if (entry->known)
		return true;
	entry->name = kl_fetch_name(session, &entry->topic_id, part->topic, part->partition);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, session->known, name, sizeof(entry->name), entry);
	entry->known = added;
	return added;
}

static bool remember_all(struct kl_fetch_session *session)
{
	struct kl_fetch_entry *entry;
	while ((entry = kl_list_first(&session->leaving, struct kl_fetch_entry, news)) != NULL)
		kl_fetch_entry_free(entry);
	session->asked = 0;
	while ((entry = kl_list_first(&session->changed, struct kl_fetch_entry, news)) !=
	       NULL) {
		if (!remember(session, entry))
			return false;
		session->asked++;
	}
	return true;
}

/* --- the request --- */

/* A partition that was sought between the decision and now is decided on once more. */
static void drop_unfit(struct kl_fetch_session *session)
{
	kl_list_for_safe(entry, &session->changed, struct kl_fetch_entry, news)
		if (entry->part->state != KL_CPART_READY)
			kl_fetch_leave(entry->part);
}

/* While it is looked for what is too large: a request without a session, for some. */
static void limit(struct kl_fetch_session *session)
{
	size_t n = 0;
	kl_fetch_session_restart(session);
	session->epoch = -1;
	kl_list_for_safe(entry, &session->changed, struct kl_fetch_entry, news)
		if (n++ >= session->limit)
			kl_list_remove(&entry->news);
}

static const void *make_body(struct kl_request *r, int version)
{
	struct kl_fetch_session *session = kl_container(r, struct kl_fetch_session, request);
	const struct kl_settings *s = session->c->settings;
	bool by_id = version >= WITH_IDS;
	kl_arena_reset(&session->arena);
	struct kl_fetch_request *body = kl_arena_alloc(&session->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_fetch_request, body);
	/* A session begins anew when it has to name topics in the other way. */
	if (version < WITH_SESSIONS || session->epoch == 0 || by_id != session->by_id) {
		kl_fetch_session_restart(session);
		session->by_id = by_id;
	}
	if (session->limit > 0)
		limit(session);
	drop_unfit(session);
	session->was_full = session->epoch <= 0;
	body->replica_id = -1;
	body->max_wait_ms = (int32_t)(session->max_wait / KL_MS);
	body->min_bytes = s->fetch_min_bytes;
	body->max_bytes = session->max_bytes;
	body->isolation_level = KL_BUG(LSO_IGNORED) ? 0 : (int8_t)s->isolation_level;
	body->session_id = session->id;
	body->session_epoch = session->epoch;
	if (session->leader_only_until <= session->c->loop->now)
		body->rack_id = kl_str(s->client_rack);
	if (!put_topics(session, body, version) || !put_forgotten(session, body) ||
	    !remember_all(session))
		return NULL;
	return body;
}

void kl_fetch_send(struct kl_fetch_session *session, struct kl_node *node, int32_t max_bytes,
		   int64_t max_wait)
{
	const struct kl_settings *s = session->c->settings;
	struct kl_request *r = &session->request;
	session->max_bytes = max_bytes;
	session->max_wait = max_wait;
	session->in_flight = true;
	session->got_bytes = session->got_records = 0;
	r->api = KL_API_FETCH;
	r->max_version = session->nameless > 0 ? WITH_IDS - 1 : -1;
	r->prepare = make_body;
	r->deadline = KL_NEVER;
	r->timeout_us = ((int64_t)s->request_timeout_ms + s->fetch_max_wait_ms) * KL_MS;
	r->done = kl_fetch_done;
	kl_node_request(node, r);
}

static const void *make_end(struct kl_request *r, int version)
{
	struct kl_fetch_session *session = kl_container(r, struct kl_fetch_session, request);
	(void)version;
	kl_arena_reset(&session->arena);
	struct kl_fetch_request *body = kl_arena_alloc(&session->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_fetch_request, body);
	body->replica_id = -1;
	body->session_id = session->id;
	body->session_epoch = -1;
	return body;
}

void kl_fetch_send_end(struct kl_fetch_session *session, struct kl_node *node)
{
	struct kl_request *r = &session->request;
	session->in_flight = session->ending = true;
	r->api = KL_API_FETCH;
	r->max_version = session->by_id ? -1 : WITH_IDS - 1;
	r->prepare = make_end;
	r->deadline = KL_NEVER;
	r->timeout_us = 0;
	r->done = kl_fetch_done;
	kl_node_request(node, r);
}
