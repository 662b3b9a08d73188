/* SPDX-License-Identifier: BSD-2-Clause */
/* What records of __consumer_offsets say of modern groups: it holds from then on. */
#include <stdlib.h>

#include "broker/groups.h"
#include "broker/modern.h"

/* A value of version 0 in an arena of its own, where its texts stay as long as that does.
 * false: out of memory. *obj_out NULL: it cannot be read. */
static bool read_value(const struct kl_msg *msg, const struct klamm_span *value,
		       struct kl_arena *arena, struct klamm_span *bytes_out, void **obj_out)
{
	*obj_out = NULL;
	uint8_t *copy = kl_arena_alloc(arena, value->len);
	if (copy == NULL)
		return false;
	memcpy(copy, value->data, value->len);
	*bytes_out = (struct klamm_span){copy, value->len};
	struct kl_reader reader = kl_reader(copy, value->len);
	struct klamm_error err = {0};
	if (kl_read_i16(&reader) != 0 || reader.failed)
		return true;
	return kl_msg_decode(msg, 0, &reader, arena, obj_out, &err) !=
	       KLAMM_ERR_NO_MEMORY;
}

static int forget_member(struct kl_dev_group *group, struct kl_str id,
			 enum kl_dev_modern_kind kind)
{
	struct kl_dev_modern_member *member = kl_dev_modern_find(group, id);
	if (member == NULL)
		return 0;
	if (kind == KL_DEV_MODERN_ABOUT) {
		kl_dev_modern_drop(member);
	} else if (kind == KL_DEV_MODERN_TARGET) {
		kl_dev_parts_free(&member->target);
	} else {
		kl_dev_parts_free(&member->has);
		kl_dev_parts_free(&member->gives);
		member->epoch = member->previous_epoch = KL_DEV_LEAVES;
		member->state = KL_DEV_MODERN_STABLE;
	}
	return 0;
}

static bool take_about(struct kl_dev_modern_member *member, const struct klamm_span *value)
{
	struct kl_dev_modern_about about = {0};
	void *obj;
	bool ok = read_value(&kl_msg_consumer_group_member_metadata_value, value, &about.arena,
			     &about.bytes, &obj);
	about.value = obj;
	ok = ok && kl_dev_modern_say(member, &about);
	if (!ok)
		kl_arena_free(&about.arena);
	return ok;
}

static bool take_target(struct kl_dev_modern_member *member, struct kl_arena *arena,
			const struct klamm_span *value)
{
	struct klamm_span bytes;
	struct kl_dev_parts target = {0};
	void *obj;
	bool ok = read_value(&kl_msg_consumer_group_target_assignment_member_value, value,
			     arena, &bytes, &obj);
	const struct kl_consumer_group_target_assignment_member_value *body = obj;
	for (int32_t t = 0; ok && body != NULL && t < body->topic_partitions_n; t++)
		for (int32_t i = 0; ok && i < body->topic_partitions[t].partitions_n; i++)
			ok = kl_dev_parts_add(&target, &body->topic_partitions[t].topic_id,
					      body->topic_partitions[t].partitions[i], 0);
	kl_dev_parts_sort(&target);
	if (ok) {
		kl_dev_parts_free(&member->target);
		member->target = target;
	} else {
		kl_dev_parts_free(&target);
	}
	return ok;
}

/* Records from before Kafka 4.3 have no epochs of their own: the member's stands for them. */
static bool read_parts(const struct kl_consumer_group_current_member_assignment_value_topic *v,
		       int32_t n, int32_t epoch, struct kl_dev_parts *parts)
{
	for (int32_t t = 0; t < n; t++) {
		const struct kl_consumer_group_current_member_assignment_value_topic *topic =
			&v[t];
		for (int32_t i = 0; i < topic->partitions_n; i++) {
			int32_t since = i < topic->assignment_epochs_n
						? topic->assignment_epochs[i]
						: epoch;
			if (!kl_dev_parts_add(parts, &topic->topic_id, topic->partitions[i],
					      since))
				return false;
		}
	}
	kl_dev_parts_sort(parts);
	return true;
}

static enum kl_dev_modern_state state_of(int8_t state)
{
	return state == KL_DEV_MODERN_UNREVOKED || state == KL_DEV_MODERN_UNRELEASED
		       ? (enum kl_dev_modern_state)state
		       : KL_DEV_MODERN_STABLE;
}

static bool take_current(struct kl_dev_modern_member *member, struct kl_arena *arena,
			 const struct klamm_span *value)
{
	struct klamm_span bytes;
	struct kl_dev_parts has = {0}, gives = {0};
	void *obj;
	if (!read_value(&kl_msg_consumer_group_current_member_assignment_value, value, arena,
			&bytes, &obj))
		return false;
	const struct kl_consumer_group_current_member_assignment_value *body = obj;
	if (body == NULL)
		return true;
	if (!read_parts(body->assigned_partitions, body->assigned_partitions_n,
			body->member_epoch, &has) ||
	    !read_parts(body->partitions_pending_revocation,
			body->partitions_pending_revocation_n, body->member_epoch, &gives)) {
		kl_dev_parts_free(&has);
		kl_dev_parts_free(&gives);
		return false;
	}
	kl_dev_parts_free(&member->has);
	kl_dev_parts_free(&member->gives);
	member->has = has;
	member->gives = gives;
	member->epoch = body->member_epoch;
	member->previous_epoch = body->previous_member_epoch;
	member->state = state_of(body->state);
	return true;
}

static int take_member(struct kl_dev_group *group, struct kl_str id,
		       enum kl_dev_modern_kind kind, const struct klamm_span *value)
{
	struct kl_dev_modern_member *member = kl_dev_modern_find(group, id);
	struct kl_arena arena = {0};
	bool ok = false;
	if (member == NULL)
		member = kl_dev_modern_add(group, id);
	if (member == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	if (kind == KL_DEV_MODERN_ABOUT)
		ok = take_about(member, value);
	else if (kind == KL_DEV_MODERN_TARGET)
		ok = take_target(member, &arena, value);
	else
		ok = take_current(member, &arena, value);
	kl_arena_free(&arena);
	return ok ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

static int take_group(struct kl_dev_group *group, enum kl_dev_modern_kind kind,
		      const struct klamm_span *value)
{
	struct kl_dev_modern *modern = group->modern;
	struct kl_arena arena = {0};
	struct klamm_span bytes;
	void *obj;
	const struct kl_msg *msg =
		kind == KL_DEV_MODERN_GROUP ? &kl_msg_consumer_group_metadata_value
			      : &kl_msg_consumer_group_target_assignment_metadata_value;
	bool ok = read_value(msg, value, &arena, &bytes, &obj);
	if (ok && obj != NULL && kind == KL_DEV_MODERN_GROUP) {
		const struct kl_consumer_group_metadata_value *body = obj;
		ok = body->epoch < INT32_MAX; /* one is to follow it */
		if (ok)
			modern->epoch = body->epoch;
		modern->hash = body->metadata_hash;
	} else if (ok && obj != NULL) {
		const struct kl_consumer_group_target_assignment_metadata_value *body = obj;
		modern->target_epoch = body->assignment_epoch;
		modern->target_ms = body->assignment_timestamp;
	}
	kl_arena_free(&arena);
	return ok ? 0 : KLAMM_ERR_KAFKA_STORAGE_ERROR;
}

static int take_regex(struct kl_dev_group *group, struct kl_str text,
		      const struct klamm_span *value)
{
	struct kl_dev_modern_regex *old = kl_dev_modern_regex(group, text);
	if (old != NULL)
		kl_dev_modern_drop_regex(group, old);
	if (value->data == NULL || text.len <= 0)
		return 0;
	struct kl_dev_modern_regex *regex = calloc(1, sizeof(*regex) + (size_t)text.len + 1);
	struct klamm_span bytes;
	void *obj;
	if (regex == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	memcpy(regex->text, text.p, (size_t)text.len);
	regex->text_len = text.len;
	bool added = read_value(&kl_msg_consumer_group_regular_expression_value, value,
				&regex->arena, &bytes, &obj);
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	if (added)
		HASH_ADD(hh, group->modern->regexes, text, (unsigned)text.len, regex);
	if (!added) {
		kl_arena_free(&regex->arena);
		free(regex);
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	}
	regex->bytes = sizeof(*regex) + 2 * (value->len + (size_t)text.len);
	kl_dev_groups_count(group->broker, regex->bytes);
	const struct kl_consumer_group_regular_expression_value *body = obj;
	if (body != NULL) {
		regex->topics = body->topics;
		regex->topic_count = body->topics_n;
		group->modern->regex_ms = kl_max(group->modern->regex_ms, body->timestamp);
	}
	return 0;
}

bool kl_dev_modern_is_kind(int16_t kind)
{
	return kind == KL_DEV_MODERN_GROUP || kind == KL_DEV_MODERN_ABOUT ||
	       kind == KL_DEV_MODERN_TARGET_EPOCH || kind == KL_DEV_MODERN_TARGET ||
	       kind == KL_DEV_MODERN_CURRENT || kind == KL_DEV_MODERN_REGEX;
}

/* The group that a record is about, if there is anything to be done. It begins with its first
 * record; a tombstone of one that is not there means nothing. */
static int group_of(struct klamm_broker *broker, int32_t home, struct kl_str id, bool forgets,
		    struct kl_dev_group **group_out)
{
	struct kl_dev_group *group = kl_dev_group_find(broker, id);
	*group_out = group;
	if (group != NULL && group->type == &kl_dev_modern_type)
		return 0;
	*group_out = NULL;
	if (forgets)
		return 0;
	if (group == NULL)
		group = kl_dev_group_add(broker, id, home);
	if (group == NULL || !kl_dev_modern_init(group))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	*group_out = group;
	return 0;
}

int kl_dev_modern_take(struct klamm_broker *broker, int32_t home, int16_t kind,
		       struct kl_reader *key, const struct klamm_span *value)
{
	bool of_group = kind == KL_DEV_MODERN_GROUP || kind == KL_DEV_MODERN_TARGET_EPOCH;
	bool forgets = value->data == NULL;
	enum kl_dev_modern_kind of = (enum kl_dev_modern_kind)kind;
	struct kl_arena arena = {0};
	struct kl_dev_group *group;
	void *obj;
	/* The first field is the group in all of them, the second a member or a pattern. */
	const struct kl_msg *msg = of_group ? &kl_msg_consumer_group_metadata_key
					    : &kl_msg_consumer_group_member_metadata_key;
	if (kl_msg_decode(msg, 0, key, &arena, &obj, NULL) != 0) {
		kl_arena_free(&arena);
		return 0;
	}
	const struct kl_consumer_group_member_metadata_key *id = obj;
	const struct kl_consumer_group_metadata_key *group_key = obj;
	struct kl_str name = of_group ? group_key->group_id : id->group_id;
	int rc = group_of(broker, home, name, forgets, &group);
	if (rc != 0 || group == NULL) {
		/* nothing to do */
	} else if (kind == KL_DEV_MODERN_REGEX) {
		rc = take_regex(group, id->member_id, value);
	} else if (kind == KL_DEV_MODERN_GROUP && forgets) {
		kl_dev_group_forget(group);
	} else if (of_group) {
		rc = forgets ? 0 : take_group(group, of, value);
	} else {
		rc = forgets ? forget_member(group, id->member_id, of)
			     : take_member(group, id->member_id, of, value);
	}
	kl_arena_free(&arena);
	return rc;
}
