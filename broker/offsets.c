/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/offsets.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "core/record/batch_read.h"

/* What a producer has committed in its open transaction, in one home partition. */
struct pending {
	struct pending *next;
	struct kl_dev_offset *offset;
	struct kl_dev_offset_value value;
};
struct pending_key {
	int64_t producer_id, home;
};
struct kl_dev_pending {
	UT_hash_handle hh;
	struct pending_key key;
	struct pending *first; /* newest */
};

/* --- the tables --- */

struct kl_dev_offsets *kl_dev_offsets_of(struct klamm_broker *broker, struct kl_str group)
{
	struct kl_dev_offsets *offsets = NULL;
	HASH_FIND(hh, broker->offsets.by_group, group.p, (unsigned)kl_max(group.len, 0),
		  offsets);
	return offsets;
}

static struct kl_dev_offsets *add_group(struct klamm_broker *broker, struct kl_str group,
					int32_t home)
{
	struct kl_dev_offsets *offsets =
		calloc(1, sizeof(*offsets) + (size_t)group.len + 1);
	if (offsets == NULL)
		return NULL;
	memcpy(offsets->group, group.p, (size_t)group.len);
	offsets->group_len = group.len;
	offsets->home = home;
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, broker->offsets.by_group, group, (unsigned)group.len, offsets);
	if (added)
		return offsets;
	free(offsets);
	return NULL;
}

static struct kl_dev_offset *make_offset(struct kl_str topic, int32_t index)
{
	struct kl_dev_offset *offset = calloc(1, sizeof(*offset) + (size_t)topic.len + 1);
	if (offset == NULL)
		return NULL;
	offset->key.index = index;
	memcpy(offset->key.topic, topic.p, (size_t)topic.len);
	offset->key_len = sizeof(offset->key.index) + (size_t)topic.len;
	return offset;
}

/* Topics have at most KL_DEV_TOPIC_NAME_MAX bytes, or else nobody has committed for them. */
struct kl_dev_offset *kl_dev_offset_find(struct kl_dev_offsets *offsets, struct kl_str topic,
					 int32_t index)
{
	struct {
		int32_t index;
		char topic[KL_DEV_TOPIC_NAME_MAX];
	} key = {.index = index};
	struct kl_dev_offset *offset = NULL;
	if (offsets == NULL || topic.len < 0 || topic.len > KL_DEV_TOPIC_NAME_MAX)
		return NULL;
	memcpy(key.topic, topic.p, (size_t)topic.len);
	HASH_FIND(hh, offsets->by_key, &key, sizeof(key.index) + (size_t)topic.len, offset);
	return offset;
}

static struct kl_dev_offset *add_offset(struct kl_dev_offsets *offsets, struct kl_str topic,
					int32_t index)
{
	struct kl_dev_offset *offset = make_offset(topic, index);
	bool added = offset != NULL;
	if (!added)
		return NULL;
	offset->of = offsets;
	HASH_ADD_KEYPTR(hh, offsets->by_key, &offset->key, offset->key_len, offset);
	if (added)
		return offset;
	free(offset);
	return NULL;
}

static void tidy_group(struct klamm_broker *broker, struct kl_dev_offsets *offsets)
{
	if (offsets->by_key != NULL)
		return;
	HASH_DEL(broker->offsets.by_group, offsets);
	free(offsets);
}

/* What nothing is known of any more goes, and a group without anything. */
static void tidy(struct klamm_broker *broker, struct kl_dev_offset *offset)
{
	struct kl_dev_offsets *offsets = offset->of;
	if (offset->stored || offset->pending > 0)
		return;
	HASH_DEL(offsets->by_key, offset);
	free(offset->value.metadata);
	free(offset);
	tidy_group(broker, offsets);
}

static void store(struct kl_dev_offset *offset, struct kl_dev_offset_value *value)
{
	free(offset->value.metadata);
	offset->value = *value; /* taken */
	offset->stored = true;
	value->metadata = NULL;
}

/* --- of open transactions --- */

static struct kl_dev_pending *find_pending(struct klamm_broker *broker, int64_t producer_id,
					   int32_t home)
{
	struct pending_key key = {producer_id, home};
	struct kl_dev_pending *pending = NULL;
	HASH_FIND(hh, broker->offsets.pending, &key, sizeof(key), pending);
	return pending;
}

static struct kl_dev_pending *add_pending(struct klamm_broker *broker, int64_t producer_id,
					  int32_t home)
{
	struct kl_dev_pending *pending = find_pending(broker, producer_id, home);
	if (pending != NULL)
		return pending;
	pending = calloc(1, sizeof(*pending));
	bool added = pending != NULL;
	if (!added)
		return NULL;
	pending->key = (struct pending_key){producer_id, home};
	HASH_ADD(hh, broker->offsets.pending, key, sizeof(pending->key), pending);
	if (added)
		return pending;
	free(pending);
	return NULL;
}

static bool hold(struct klamm_broker *broker, struct kl_dev_offset *offset,
		 int64_t producer_id, int32_t home, struct kl_dev_offset_value *value)
{
	struct kl_dev_pending *pending = add_pending(broker, producer_id, home);
	struct pending *one = pending != NULL ? calloc(1, sizeof(*one)) : NULL;
	if (one == NULL)
		return false;
	*one = (struct pending){pending->first, offset, *value};
	value->metadata = NULL;
	pending->first = one;
	offset->pending++;
	return true;
}

/* Newest first: of several for one partition the newest has the highest place in the log,
 * and the others are older than it. */
static void release(struct klamm_broker *broker, struct kl_dev_pending *pending, bool commits)
{
	HASH_DEL(broker->offsets.pending, pending);
	while (pending->first != NULL) {
		struct pending *one = pending->first;
		struct kl_dev_offset *offset = one->offset;
		pending->first = one->next;
		offset->pending--;
		if (commits && (!offset->stored || one->value.at > offset->value.at))
			store(offset, &one->value);
		free(one->value.metadata);
		free(one);
		tidy(broker, offset);
	}
	free(pending);
}

/* The offset was deleted, and with it what transactions have for it. */
static void unhold(struct klamm_broker *broker, struct kl_dev_offset *offset)
{
	struct kl_dev_pending *pending, *next;
	HASH_ITER(hh, broker->offsets.pending, pending, next)
	{
		struct pending **at = &pending->first;
		while (*at != NULL && offset->pending > 0) {
			struct pending *one = *at;
			if (one->offset != offset) {
				at = &one->next;
				continue;
			}
			*at = one->next;
			offset->pending--;
			free(one->value.metadata);
			free(one);
		}
	}
}

/* --- records --- */

#define KEY_VERSION 1
#define VALUE_WITH_EXPIRY 1
#define VALUE 4

void kl_dev_offsets_put(struct kl_dev_batch *batch, struct kl_str group, struct kl_str topic,
			int32_t index, const struct kl_dev_offset_value *value)
{
	struct kl_offset_commit_key id = {.group = group, .topic = topic, .partition = index};
	struct kl_dev_half k = {KEY_VERSION, KEY_VERSION, &kl_msg_offset_commit_key, &id};
	if (value == NULL) {
		kl_dev_batch_add_msgs(batch, &k, NULL);
		return;
	}
	struct kl_offset_commit_value v = {
		.offset = value->offset,
		.leader_epoch = value->leader_epoch,
		.metadata = kl_str(value->metadata ?: ""),
		.commit_timestamp = value->committed_ms,
		.expire_timestamp = value->expires_ms,
		.topic_id = value->topic_id,
	};
	int16_t version = value->expires_ms >= 0 ? VALUE_WITH_EXPIRY : VALUE;
	kl_dev_batch_add_msgs(batch, &k,
			      &(struct kl_dev_half){version, version,
						    &kl_msg_offset_commit_value, &v});
}

struct load {
	struct klamm_broker *broker;
	int32_t home;
	struct kl_arena arena;
	const struct kl_batch_head *head;
	int64_t offset; /* of the record */
};

static int forget(struct load *load, const struct kl_offset_commit_key *key)
{
	struct kl_dev_offset *offset = kl_dev_offset_find(
		kl_dev_offsets_of(load->broker, key->group), key->topic, key->partition);
	if (offset == NULL)
		return 0;
	unhold(load->broker, offset);
	offset->stored = false;
	tidy(load->broker, offset);
	return 0;
}

static int keep(struct load *load, const struct kl_offset_commit_key *key,
		struct kl_dev_offset_value *value)
{
	struct klamm_broker *broker = load->broker;
	struct kl_dev_offsets *offsets = kl_dev_offsets_of(broker, key->group);
	if (offsets == NULL)
		offsets = add_group(broker, key->group, load->home);
	if (offsets == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	struct kl_dev_offset *offset =
		kl_dev_offset_find(offsets, key->topic, key->partition);
	if (offset == NULL)
		offset = add_offset(offsets, key->topic, key->partition);
	if (offset == NULL) {
		tidy_group(broker, offsets);
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
	bool kept = true;
	if (!(load->head->attributes & KL_ATTR_TRANSACTIONAL))
		store(offset, value);
	else
		kept = hold(broker, offset, load->head->producer_id, load->home, value);
	tidy(broker, offset);
	return kept ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

static int take(struct load *load, const struct kl_offset_commit_key *key,
		const struct kl_offset_commit_value *v)
{
	if (key->group.len < 0 || key->topic.len < 0 ||
	    key->topic.len > KL_DEV_TOPIC_NAME_MAX)
		return 0;
	if (v == NULL)
		return forget(load, key);
	struct kl_dev_offset_value value = {
		.offset = v->offset,
		.leader_epoch = v->leader_epoch,
		.committed_ms = v->commit_timestamp,
		.expires_ms = v->expire_timestamp,
		.topic_id = v->topic_id,
		.at = load->offset,
		.metadata = strndup(v->metadata.p ?: "", (size_t)kl_max(v->metadata.len, 0)),
	};
	if (value.metadata == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	int rc = keep(load, key, &value);
	free(value.metadata);
	return rc;
}

/* Records about members of groups, and of versions to come, are not this one's business. */
static int read_record(struct load *load, const struct klamm_record_view *view)
{
	struct kl_reader k = kl_reader(view->key.data, view->key.len);
	struct kl_reader v = kl_reader(view->value.data, view->value.len);
	void *key, *value = NULL;
	int16_t kind = kl_read_i16(&k);
	if (view->key.data == NULL || k.failed || kind < 0 || kind > KEY_VERSION ||
	    kl_msg_decode(&kl_msg_offset_commit_key, kind, &k, &load->arena, &key, NULL) != 0)
		return 0;
	if (view->value.data != NULL) {
		int16_t version = kl_read_i16(&v);
		if (v.failed || version < 0 || version > kl_msg_offset_commit_value.max ||
		    kl_msg_decode(&kl_msg_offset_commit_value, version, &v, &load->arena,
				  &value, NULL) != 0)
			return 0;
	}
	load->offset = view->offset;
	return take(load, key, value);
}

static int read_end(struct load *load, const struct klamm_record_view *view)
{
	struct kl_control control;
	struct kl_dev_pending *pending =
		find_pending(load->broker, load->head->producer_id, load->home);
	if (pending != NULL && kl_control_get(view, &control) == 0 &&
	    control.type != KL_CONTROL_UNKNOWN)
		release(load->broker, pending, control.type == KL_CONTROL_COMMIT);
	return 0;
}

static int read_batch(void *arg, const struct kl_batch_head *head, const uint8_t *p)
{
	struct load *load = arg;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	int rc = 0;
	if (kl_batch_codec(head) != 0)
		return 0;
	load->head = head;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0);
	while (rc == 0 && kl_record_next(&iter, &view) > 0)
		rc = head->attributes & KL_ATTR_CONTROL ? read_end(load, &view)
							: read_record(load, &view);
	kl_arena_free(&load->arena);
	return rc;
}

/* --- changes --- */

int kl_dev_offsets_append(struct klamm_broker *broker, struct kl_dev_partition *home,
			  struct kl_dev_batch *batch, int64_t producer_id, int16_t epoch)
{
	if (batch->count == 0 && !batch->buf.failed)
		return 0;
	bool in_transaction = producer_id >= 0;
	struct kl_batch_head head;
	const struct kl_dev_seen *seen;
	if (!kl_dev_batch_end(batch, in_transaction ? KL_ATTR_TRANSACTIONAL : 0, producer_id,
			      epoch))
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_batch_head_get(batch->buf.data, &head);
	int rc = kl_dev_producer_check(&home->producers, &head, KL_DEV_FROM_COORDINATOR,
				       &seen);
	if (rc == KLAMM_ERR_KAFKA_STORAGE_ERROR)
		rc = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (rc == 0)
		rc = kl_dev_home_append(broker, home, batch, &head.base_offset);
	if (rc != 0)
		return rc;
	kl_dev_producer_note(&home->producers, &head, head.base_offset);
	struct load load = {.broker = broker, .home = home->index};
	rc = read_batch(&load, &head, batch->buf.data);
	kl_dev_partition_changed(home);
	return rc != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : 0;
}

void kl_dev_offsets_end(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker)
{
	if (!kl_str_is(kl_dev_topic_name(partition->topic), "__consumer_offsets"))
		return;
	struct kl_dev_pending *pending =
		find_pending(broker, marker->producer_id, partition->index);
	if (pending != NULL)
		release(broker, pending, !marker->aborts);
}

int kl_dev_offsets_load(struct klamm_broker *broker, struct kl_dev_partition *home)
{
	struct load load = {.broker = broker, .home = home->index};
	kl_dev_offsets_drop_home(broker, home->index);
	int rc = kl_dev_log_walk(&home->log, read_batch, &load);
	kl_arena_free(&load.arena);
	return rc;
}

void kl_dev_offsets_drop_home(struct klamm_broker *broker, int32_t home)
{
	struct kl_dev_pending *pending, *next_pending;
	HASH_ITER(hh, broker->offsets.pending, pending, next_pending)
	{
		if (home < 0 || pending->key.home == home)
			release(broker, pending, false);
	}
	struct kl_dev_offsets *offsets, *next;
	HASH_ITER(hh, broker->offsets.by_group, offsets, next)
	{
		struct kl_dev_offset *offset, *next_offset;
		if (home >= 0 && offsets->home != home)
			continue;
		HASH_ITER(hh, offsets->by_key, offset, next_offset)
		{
			offset->stored = false;
			tidy(broker, offset); /* the group with the last one */
		}
	}
}
