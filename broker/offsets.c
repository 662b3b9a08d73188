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

/* --- the table of a group --- */

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
struct kl_dev_offset *kl_dev_offset_find(struct kl_dev_group *group, struct kl_str topic,
					 int32_t index)
{
	struct {
		int32_t index;
		char topic[KL_DEV_TOPIC_NAME_MAX];
	} key = {.index = index};
	struct kl_dev_offset *offset = NULL;
	if (group == NULL || topic.len < 0 || topic.len > KL_DEV_TOPIC_NAME_MAX)
		return NULL;
	memcpy(key.topic, topic.p, (size_t)topic.len);
	HASH_FIND(hh, group->offsets, &key, sizeof(key.index) + (size_t)topic.len, offset);
	return offset;
}

static struct kl_dev_offset *add_offset(struct kl_dev_group *group, struct kl_str topic,
					int32_t index)
{
	struct kl_dev_offset *offset = make_offset(topic, index);
	bool added = offset != NULL;
	if (!added)
		return NULL;
	offset->group = group;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD_KEYPTR(hh, group->offsets, &offset->key, offset->key_len, offset);
	if (added)
		return offset;
	free(offset);
	return NULL;
}

/* What nothing is known of any more goes. The group stays: it expires, or is deleted. */
static void tidy(struct kl_dev_offset *offset)
{
	struct kl_dev_group *group = offset->group;
	if (offset->stored || offset->pending > 0)
		return;
	HASH_DEL(group->offsets, offset);
	free(offset->value.metadata);
	free(offset);
}

void kl_dev_offsets_free(struct kl_dev_group *group)
{
	struct kl_dev_offset *offset, *next;
	HASH_ITER(hh, group->offsets, offset, next)
	{
		offset->stored = false;
		tidy(offset);
	}
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
		tidy(offset);
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

void kl_dev_offsets_put_none(struct kl_dev_batch *batch, struct kl_dev_group *group)
{
	struct kl_dev_offset *offset, *next;
	HASH_ITER(hh, group->offsets, offset, next)
	{
		kl_dev_offsets_put(batch, kl_dev_group_id(group), kl_dev_offset_topic(offset),
				   offset->key.index, NULL);
	}
}

static int forget(struct klamm_broker *broker, const struct kl_offset_commit_key *key)
{
	struct kl_dev_offset *offset = kl_dev_offset_find(
		kl_dev_group_find(broker, key->group), key->topic, key->partition);
	if (offset == NULL)
		return 0;
	unhold(broker, offset);
	offset->stored = false;
	tidy(offset);
	return 0;
}

/* Where the group is not known yet, nobody is a member of it. */
static int keep(struct klamm_broker *broker, int32_t home, const struct kl_batch_head *head,
		const struct kl_offset_commit_key *key, struct kl_dev_offset_value *value)
{
	struct kl_dev_group *group = kl_dev_group_find(broker, key->group);
	if (group == NULL)
		group = kl_dev_group_add(broker, key->group, home);
	if (group == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	struct kl_dev_offset *offset = kl_dev_offset_find(group, key->topic, key->partition);
	if (offset == NULL)
		offset = add_offset(group, key->topic, key->partition);
	if (offset == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (!(head->attributes & KL_ATTR_TRANSACTIONAL))
		store(offset, value);
	else if (!hold(broker, offset, head->producer_id, home, value)) {
		tidy(offset);
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
	return 0;
}

int kl_dev_offset_take(struct klamm_broker *broker, int32_t home,
		       const struct kl_batch_head *head, int64_t at,
		       const struct kl_offset_commit_key *key,
		       const struct kl_offset_commit_value *v)
{
	if (key->group.len < 0 || key->topic.len < 0 ||
	    key->topic.len > KL_DEV_TOPIC_NAME_MAX)
		return 0;
	if (v == NULL)
		return forget(broker, key);
	struct kl_dev_offset_value value = {
		.offset = v->offset,
		.leader_epoch = v->leader_epoch,
		.committed_ms = v->commit_timestamp,
		.expires_ms = v->expire_timestamp,
		.topic_id = v->topic_id,
		.at = at,
		.metadata = strndup(v->metadata.p ?: "", (size_t)kl_max(v->metadata.len, 0)),
	};
	if (value.metadata == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	int rc = keep(broker, home, head, key, &value);
	free(value.metadata);
	return rc;
}

/* --- ends of transactions --- */

void kl_dev_offsets_ended(struct klamm_broker *broker, int32_t home, int64_t producer_id,
			  bool commits)
{
	struct kl_dev_pending *pending = find_pending(broker, producer_id, home);
	if (pending != NULL)
		release(broker, pending, commits);
}

void kl_dev_offsets_end(struct klamm_broker *broker, struct kl_dev_partition *partition,
			const struct kl_dev_marker *marker)
{
	if (!kl_str_is(kl_dev_topic_name(partition->topic), "__consumer_offsets"))
		return;
	kl_dev_offsets_ended(broker, partition->index, marker->producer_id, !marker->aborts);
}

void kl_dev_offsets_drop_pending(struct klamm_broker *broker, int32_t home)
{
	struct kl_dev_pending *pending, *next;
	HASH_ITER(hh, broker->offsets.pending, pending, next)
	{
		if (home < 0 || pending->key.home == home)
			release(broker, pending, false);
	}
}
