/* SPDX-License-Identifier: BSD-2-Clause */
/* Modern groups as records of __consumer_offsets, in Kafka's own formats. */
#include "broker/batch_make.h"
#include "broker/groups.h"
#include "broker/modern.h"

static void put(const struct kl_dev_modern_log *log, enum kl_dev_modern_kind kind,
		const struct kl_msg *key, const void *key_obj, const struct kl_msg *value,
		const void *value_obj)
{
	struct kl_dev_half k = {(int16_t)kind, 0, key, key_obj};
	struct kl_dev_half v = {0, 0, value, value_obj};
	kl_dev_batch_add_msgs(log->batch, &k, value_obj != NULL ? &v : NULL);
}

/* The keys of one group, and of one member, look the same for all kinds. */
static void put_of_group(const struct kl_dev_modern_log *log, enum kl_dev_modern_kind kind,
			 const struct kl_msg *value, const void *obj)
{
	struct kl_consumer_group_metadata_key key = {.group_id = log->group};
	put(log, kind, &kl_msg_consumer_group_metadata_key, &key, value, obj);
}

static void put_of_member(const struct kl_dev_modern_log *log, enum kl_dev_modern_kind kind,
			  const struct kl_msg *value, const void *obj)
{
	struct kl_consumer_group_member_metadata_key key = {.group_id = log->group,
							    .member_id = log->member};
	put(log, kind, &kl_msg_consumer_group_member_metadata_key, &key, value, obj);
}

static void put_of_regex(const struct kl_dev_modern_log *log, struct kl_str text,
			 const void *obj)
{
	struct kl_consumer_group_regular_expression_key key = {.group_id = log->group,
							       .regular_expression = text};
	put(log, KL_DEV_MODERN_REGEX, &kl_msg_consumer_group_regular_expression_key, &key,
	    &kl_msg_consumer_group_regular_expression_value, obj);
}

void kl_dev_modern_put_epoch(const struct kl_dev_modern_log *log, int32_t epoch, int64_t hash)
{
	struct kl_consumer_group_metadata_value value = {.epoch = epoch,
							 .metadata_hash = hash};
	put_of_group(log, KL_DEV_MODERN_GROUP, &kl_msg_consumer_group_metadata_value, &value);
}

void kl_dev_modern_put_target_epoch(const struct kl_dev_modern_log *log, int32_t epoch,
				    int64_t ms)
{
	struct kl_consumer_group_target_assignment_metadata_value value = {
		.assignment_epoch = epoch, .assignment_timestamp = ms};
	put_of_group(log, KL_DEV_MODERN_TARGET_EPOCH,
		     &kl_msg_consumer_group_target_assignment_metadata_value, &value);
}

void kl_dev_modern_put_about(const struct kl_dev_modern_log *log,
			     const struct kl_consumer_group_member_metadata_value *about)
{
	put_of_member(log, KL_DEV_MODERN_ABOUT, &kl_msg_consumer_group_member_metadata_value,
		      about);
}

bool kl_dev_modern_put_target(const struct kl_dev_modern_log *log,
			      const struct kl_dev_parts *target)
{
	struct kl_arena arena = {0};
	struct kl_consumer_group_target_assignment_member_value value = {0};
	int32_t *indexes = kl_arena_array(&arena, target->count, sizeof(*indexes));
	value.topic_partitions =
		kl_type_new(&kl_type_consumer_group_target_assignment_member_value_topic,
			    &arena, target->count);
	bool ok = indexes != NULL && value.topic_partitions != NULL;
	for (size_t i = 0, next; ok && i < target->count; i = next) {
		struct kl_consumer_group_target_assignment_member_value_topic *topic =
			&value.topic_partitions[value.topic_partitions_n++];
		next = kl_dev_parts_next_topic(target, i);
		topic->topic_id = target->list[i].topic;
		topic->partitions = &indexes[i];
		topic->partitions_n = (int32_t)(next - i);
		for (size_t k = i; k < next; k++)
			indexes[k] = target->list[k].index;
	}
	if (ok)
		put_of_member(log, KL_DEV_MODERN_TARGET,
			      &kl_msg_consumer_group_target_assignment_member_value, &value);
	kl_arena_free(&arena);
	return ok;
}

static struct kl_consumer_group_current_member_assignment_value_topic *
topics_of(const struct kl_dev_parts *parts, struct kl_arena *arena, int32_t *count_out)
{
	struct kl_consumer_group_current_member_assignment_value_topic *topics =
		kl_type_new(&kl_type_consumer_group_current_member_assignment_value_topic,
			    arena, parts->count);
	int32_t *numbers = kl_arena_array(arena, 2 * parts->count, sizeof(*numbers));
	int32_t n = 0;
	if (topics == NULL || numbers == NULL)
		return NULL;
	for (size_t i = 0, next; i < parts->count; i = next) {
		struct kl_consumer_group_current_member_assignment_value_topic *topic =
			&topics[n++];
		next = kl_dev_parts_next_topic(parts, i);
		topic->topic_id = parts->list[i].topic;
		topic->partitions = &numbers[i];
		topic->assignment_epochs = &numbers[parts->count + i];
		topic->partitions_n = topic->assignment_epochs_n = (int32_t)(next - i);
		for (size_t k = i; k < next; k++) {
			numbers[k] = parts->list[k].index;
			numbers[parts->count + k] = parts->list[k].epoch;
		}
	}
	*count_out = n;
	return topics;
}

bool kl_dev_modern_put_current(const struct kl_dev_modern_log *log,
			       const struct kl_dev_modern_now *now)
{
	struct kl_arena arena = {0};
	struct kl_consumer_group_current_member_assignment_value value = {
		.member_epoch = now->epoch,
		.previous_member_epoch = now->previous_epoch,
		.state = (int8_t)now->state,
	};
	value.assigned_partitions =
		topics_of(&now->has, &arena, &value.assigned_partitions_n);
	value.partitions_pending_revocation =
		topics_of(&now->gives, &arena, &value.partitions_pending_revocation_n);
	bool ok = value.assigned_partitions != NULL &&
		  value.partitions_pending_revocation != NULL;
	if (ok)
		put_of_member(log, KL_DEV_MODERN_CURRENT,
			      &kl_msg_consumer_group_current_member_assignment_value, &value);
	kl_arena_free(&arena);
	return ok;
}

void kl_dev_modern_put_no_member(const struct kl_dev_modern_log *log)
{
	put_of_member(log, KL_DEV_MODERN_CURRENT, NULL, NULL);
	put_of_member(log, KL_DEV_MODERN_TARGET, NULL, NULL);
	put_of_member(log, KL_DEV_MODERN_ABOUT, NULL, NULL);
}

void kl_dev_modern_put_regex(const struct kl_dev_modern_log *log, struct kl_str text,
			     const struct kl_str *topics, int32_t count)
{
	struct kl_consumer_group_regular_expression_value value = {
		.topics = (struct kl_str *)topics,
		.topics_n = count,
		.timestamp = log->batch->now_ms,
	};
	put_of_regex(log, text, &value);
}

void kl_dev_modern_put_no_regex(const struct kl_dev_modern_log *log, struct kl_str text)
{
	put_of_regex(log, text, NULL);
}

void kl_dev_modern_put_no_group(const struct kl_dev_group *group, struct kl_dev_batch *batch)
{
	struct kl_dev_modern_log log = {batch, kl_dev_group_id(group), KL_STR_NULL};
	struct kl_dev_modern_member *member, *next;
	struct kl_dev_modern_regex *regex, *next_regex;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		log.member = kl_dev_modern_id(member);
		kl_dev_modern_put_no_member(&log);
	}
	put_of_group(&log, KL_DEV_MODERN_TARGET_EPOCH, NULL, NULL);
	HASH_ITER(hh, group->modern->regexes, regex, next_regex)
	{
		put_of_regex(&log, (struct kl_str){regex->text, regex->text_len}, NULL);
	}
	put_of_group(&log, KL_DEV_MODERN_GROUP, NULL, NULL);
}
