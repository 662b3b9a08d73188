/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/embedded.h"

#include "broker/broker.h"
#include "broker/topics.h"
#include "core/base/buf.h"
#include "core/consumer/assign.h"

/* --- in --- */

static bool add(struct klamm_broker *broker, struct kl_str topic, const int32_t *indexes,
		int32_t n, int32_t epoch, struct kl_dev_parts *parts)
{
	const struct kl_dev_topic *known = kl_dev_topic_named(broker, topic);
	for (int32_t i = 0; known != NULL && i < n; i++)
		if (!kl_dev_parts_add(parts, &known->id, indexes[i], epoch))
			return false;
	return true;
}

bool kl_dev_embedded_owned(struct klamm_broker *broker,
			   const struct kl_consumer_protocol_subscription *subscription,
			   struct kl_dev_parts *owned)
{
	for (int32_t i = 0; i < subscription->owned_partitions_n; i++) {
		const struct kl_consumer_protocol_subscription_topic *topic =
			&subscription->owned_partitions[i];
		if (!add(broker, topic->topic, topic->partitions, topic->partitions_n, 0,
			 owned))
			return false;
	}
	kl_dev_parts_sort(owned);
	return true;
}

int kl_dev_embedded_assigned(struct klamm_broker *broker, struct kl_bytes bytes,
			     int32_t epoch, struct kl_dev_parts *assigned)
{
	struct kl_arena arena = {0};
	struct kl_assigned told;
	int rc = kl_assign_parse(bytes, &arena, &told, NULL);
	bool ok = true;
	for (size_t i = 0; rc == 0 && ok && i < told.count; i++)
		ok = add(broker, kl_str(told.partitions[i].topic),
			 &told.partitions[i].partition, 1, epoch, assigned);
	bool has_data = rc == 0 && told.user_data.len > 0;
	kl_arena_free(&arena);
	if (rc == KLAMM_ERR_NO_MEMORY || !ok)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (rc != 0)
		return KLAMM_ERR_INVALID_REQUEST;
	kl_dev_parts_sort(assigned);
	return has_data ? KLAMM_ERR_UNSUPPORTED_ASSIGNOR : 0;
}

/* --- out --- */

static int16_t version_of(struct kl_bytes subscription)
{
	struct kl_reader reader =
		kl_reader(subscription.p, (size_t)kl_max(subscription.len, 0));
	int16_t version = kl_read_i16(&reader);
	return reader.failed ? 0 : (int16_t)kl_min(kl_max(version, 0), KL_ASSIGN_VERSION);
}

/* Those of topics that there still are. */
static bool put(struct klamm_broker *broker, const struct kl_dev_parts *parts,
		struct kl_arena *arena, struct kl_consumer_protocol_assignment *out)
{
	int32_t *indexes = kl_arena_array(arena, parts->count, sizeof(*indexes));
	out->assigned_partitions = kl_type_new(&kl_type_consumer_protocol_assignment_topic,
					       arena, parts->count);
	if (indexes == NULL || out->assigned_partitions == NULL)
		return false;
	for (size_t i = 0, next; i < parts->count; i = next) {
		const struct kl_dev_topic *known =
			kl_dev_topic_with_id(broker, &parts->list[i].topic);
		next = kl_dev_parts_next_topic(parts, i);
		if (known == NULL)
			continue;
		struct kl_consumer_protocol_assignment_topic *topic =
			&out->assigned_partitions[out->assigned_partitions_n++];
		topic->topic = kl_dev_topic_name(known);
		topic->partitions = &indexes[i];
		topic->partitions_n = (int32_t)(next - i);
		for (size_t k = i; k < next; k++)
			indexes[k] = parts->list[k].index;
	}
	return true;
}

bool kl_dev_embedded_write(struct klamm_broker *broker, const struct kl_dev_parts *parts,
			   struct kl_bytes subscription, struct kl_arena *arena,
			   struct kl_bytes *bytes_out)
{
	const struct kl_msg *msg = &kl_msg_consumer_protocol_assignment;
	struct kl_consumer_protocol_assignment told;
	struct kl_buf buf = {0};
	int16_t version = version_of(subscription);
	kl_msg_init(msg, &told);
	if (!put(broker, parts, arena, &told))
		return false;
	kl_buf_i16(&buf, version);
	kl_msg_encode(msg, version, &told, &buf, NULL);
	uint8_t *copy = buf.failed ? NULL : kl_arena_alloc(arena, buf.len);
	if (copy != NULL) {
		memcpy(copy, buf.data, buf.len);
		*bytes_out = (struct kl_bytes){copy, (int32_t)buf.len};
	}
	kl_buf_free(&buf);
	return copy != NULL;
}
