/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/coordinators.h"

#include "broker/data.h"
#include "broker/groups.h"
#include "broker/txns.h"

/* Kafka's offsets.topic.segment.bytes and transaction.state.log.segment.bytes. */
#define SEGMENT_BYTES "104857600"

struct internal {
	const char *topic;
	const char *settings[4][2];
	int32_t settings_count;
};
static const struct internal internals[] = {
	[KL_DEV_GROUP] = {"__consumer_offsets",
			  {{"cleanup.policy", "compact"},
			   {"compression.type", "producer"},
			   {"segment.bytes", SEGMENT_BYTES}},
			  3},
	[KL_DEV_TXN] = {"__transaction_state",
			{{"cleanup.policy", "compact"},
			 {"compression.type", "uncompressed"},
			 {"segment.bytes", SEGMENT_BYTES},
			 {"unclean.leader.election.enable", "false"}},
			4},
};

/* -1 = it is none. */
static int kind_of(struct kl_str topic)
{
	for (int i = 0; i < (int)kl_countof(internals); i++)
		if (kl_str_is(topic, internals[i].topic))
			return i;
	return -1;
}

bool kl_dev_topic_is_internal(struct kl_str name)
{
	return kind_of(name) >= 0;
}

int kl_dev_topic_create_internal(struct klamm_broker *broker, struct kl_str name,
				 struct kl_dev_topic **topic_out)
{
	int kind = kind_of(name);
	const struct internal *internal = &internals[kind];
	struct kl_create_topics_request_config configs[4];
	for (int32_t i = 0; i < internal->settings_count; i++) {
		kl_type_init(&kl_type_create_topics_request_config, &configs[i]);
		configs[i].name = kl_str(internal->settings[i][0]);
		configs[i].value = kl_str(internal->settings[i][1]);
	}
	struct kl_dev_topic_spec spec = {
		.name = kl_str(internal->topic),
		.partitions = kind == KL_DEV_GROUP ? broker->limits.offsets_partitions
						   : broker->limits.transaction_partitions,
		.replicas = broker->options.nodes, /* so that any node can coordinate */
		.configs = configs,
		.config_count = internal->settings_count,
	};
	return kl_dev_topic_create(broker, &spec, topic_out, NULL);
}

/* --- keys --- */

/* The next character of UTF-8; what is none counts as U+FFFD, as when Java decodes it. */
static uint32_t next_char(const char **p, const char *end)
{
	const uint8_t *s = (const uint8_t *)*p;
	size_t left = (size_t)(end - *p);
	uint32_t c = s[0];
	size_t n = c < 0x80 ? 1 : c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 0;
	bool good = n > 0 && n <= left && c < 0xf8;
	if (n > 1)
		c &= 0xff >> (n + 1);
	for (size_t i = 1; good && i < n; i++) {
		good = (s[i] & 0xc0) == 0x80;
		c = c << 6 | (s[i] & 0x3f);
	}
	*p += good ? n : 1;
	return good ? c : 0xfffd;
}

int32_t kl_dev_home_index(struct kl_str key, int32_t n)
{
	uint32_t hash = 0;
	const char *p = key.p, *end = p + kl_max(key.len, 0);
	while (p < end) {
		uint32_t c = next_char(&p, end);
		if (c >= 0x10000) { /* Java has two for it */
			hash = hash * 31 + 0xd800 + ((c - 0x10000) >> 10);
			c = 0xdc00 + (c & 0x3ff);
		}
		hash = hash * 31 + c;
	}
	int32_t value = (int32_t)hash;
	return (value == INT32_MIN ? 0 : value < 0 ? -value : value) % n;
}

struct kl_dev_partition *kl_dev_home(struct klamm_broker *broker, int kind, struct kl_str key)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(broker, kl_str(internals[kind].topic));
	if (topic == NULL)
		return NULL;
	return topic->partitions[kl_dev_home_index(key, topic->partition_count)];
}

/* Version 0 of both is about offsets in ZooKeeper, which every broker of Kafka 0.8 got at. */
static bool is_of_zookeeper(const struct kl_dev_call *call)
{
	return call->version == 0 && (call->api->api == KL_API_OFFSET_COMMIT ||
				      call->api->api == KL_API_OFFSET_FETCH);
}

int kl_dev_call_home(struct kl_dev_call *call, int kind, struct kl_str key,
		     struct kl_dev_partition **home_out)
{
	struct kl_dev_topic *made;
	struct kl_dev_partition *home = kl_dev_home(call->broker, kind, key);
	int error = kl_dev_call_error(call);
	if (home == NULL && error == 0 && is_of_zookeeper(call)) {
		kl_dev_topic_create_internal(call->broker, kl_str(internals[kind].topic),
					     &made);
		home = kl_dev_home(call->broker, kind, key);
	}
	*home_out = home;
	if (error != 0)
		return error;
	if (home == NULL ||
	    (home->leader != call->conn->node->id && !is_of_zookeeper(call)))
		return KLAMM_ERR_NOT_COORDINATOR;
	error = kl_dev_home_ready(call->broker, home);
	if (error == 0 && home->is_unread)
		error = kl_dev_coordinators_reload(call->broker, home) != 0
				? KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS
				: 0;
	return error;
}

/* --- their logs --- */

int kl_dev_home_ready(struct klamm_broker *broker, struct kl_dev_partition *home)
{
	return kl_dev_partition_ready(broker, home) != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
							 : 0;
}

int kl_dev_home_append(struct klamm_broker *broker, struct kl_dev_partition *home,
		       struct kl_dev_batch *batch, int64_t *base_offset_out)
{
	struct kl_dev_append append = {
		.batch = batch->buf.data,
		.n = batch->buf.len,
		.leader_epoch = home->leader_epoch,
		.now_ms = batch->now_ms,
		.safely = true,
	};
	if (home->log.is_lost || (broker->store != NULL && broker->store->is_unsaved) ||
	    kl_dev_log_append(&home->log, &append, base_offset_out) != 0)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_partition_changed(home);
	return 0;
}

/* --- what they say --- */

int kl_dev_coordinators_reload(struct klamm_broker *broker,
			       struct kl_dev_partition *partition)
{
	switch (kind_of(kl_dev_topic_name(partition->topic))) {
	case KL_DEV_GROUP:
		partition->is_unread = kl_dev_groups_load(broker, partition) != 0;
		return partition->is_unread ? KLAMM_ERR_KAFKA_STORAGE_ERROR : 0;
	case KL_DEV_TXN:
		return kl_dev_txns_load(broker, partition);
	default:
		return 0;
	}
}

int kl_dev_coordinators_load(struct klamm_broker *broker, struct klamm_error *err)
{
	for (size_t k = 0; k < kl_countof(internals); k++) {
		struct kl_dev_topic *topic =
			kl_dev_topic_named(broker, kl_str(internals[k].topic));
		for (int32_t i = 0; topic != NULL && i < topic->partition_count; i++)
			if (kl_dev_coordinators_reload(broker, topic->partitions[i]) != 0)
				return kl_error(err, KLAMM_ERR_SYSTEM,
						"cannot read partition %d of %s again", (int)i,
						internals[k].topic);
	}
	return 0;
}

void kl_dev_coordinators_moved(struct klamm_broker *broker,
			       struct kl_dev_partition *partition)
{
	if (!broker->is_open || kind_of(kl_dev_topic_name(partition->topic)) != KL_DEV_GROUP)
		return;
	if (partition->leader > 0)
		kl_dev_coordinators_reload(broker, partition); /* or else when it is asked */
	else
		kl_dev_groups_drop_home(broker, partition->index);
}

void kl_dev_coordinators_forget(struct klamm_broker *broker, struct kl_dev_topic *topic)
{
	int kind = kind_of(kl_dev_topic_name(topic));
	if (kind == KL_DEV_GROUP)
		kl_dev_groups_drop_home(broker, -1);
	else if (kind == KL_DEV_TXN)
		kl_dev_txns_drop_home(broker, -1);
	else
		kl_dev_groups_forget_topic(broker, kl_dev_topic_name(topic));
	kl_dev_txns_progress(broker); /* what it waits for may be gone */
}

/* --- faults --- */

static void move(struct klamm_broker *broker, struct kl_dev_partition *home, int32_t to)
{
	if (home == NULL)
		return;
	int32_t n = broker->options.nodes;
	for (int32_t i = 1; to < 0 && i < n; i++) {
		int32_t id = (home->leader - 1 + i) % n + 1;
		if (kl_dev_node_runs(kl_dev_node(broker, id)))
			to = id;
	}
	if (to > 0 && to != home->leader && kl_dev_node_runs(kl_dev_node(broker, to)))
		kl_dev_partition_lead(broker, home, to);
}

/* What a request calls its keys. */
static int kind_of_key(const char *field, int32_t key_type)
{
	if (strcmp(field, "TransactionalId") == 0 ||
	    strcmp(field, "V3AndBelowTransactionalId") == 0)
		return KL_DEV_TXN;
	if (strcmp(field, "GroupId") == 0)
		return KL_DEV_GROUP;
	if (strcmp(field, "Key") == 0 || strcmp(field, "CoordinatorKeys") == 0)
		return key_type == KL_DEV_TXN ? KL_DEV_TXN : KL_DEV_GROUP;
	return -1;
}

static bool move_named(const struct kl_dev_call *call, int32_t to)
{
	const struct kl_type *type = kl_msg_request(call->api->api)->type;
	const uint8_t *obj = call->request;
	int32_t key_type = 0;
	bool any = false;
	if (obj != NULL && call->api->api == KL_API_FIND_COORDINATOR)
		key_type = ((const struct kl_find_coordinator_request *)call->request)
				   ->key_type;
	for (unsigned i = 0; obj != NULL && i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		int kind = kind_of_key(field->name, key_type);
		if (kind < 0 || field->type != KL_STRING || call->version < field->min ||
		    call->version > field->max)
			continue;
		bool many = field->flags & KL_FIELD_ARRAY;
		const struct kl_str *key = (const void *)(obj + field->offset);
		int32_t n = 1;
		if (many) {
			key = *(const struct kl_str *const *)(obj + field->offset);
			n = *(const int32_t *)(obj + field->count_offset);
		}
		for (int32_t k = 0; k < n; k++)
			move(call->broker, kl_dev_home(call->broker, kind, key[k]), to);
		any |= n > 0;
	}
	return any;
}

void kl_dev_coordinators_move(const struct kl_dev_call *call, int32_t to)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_topic *topic;
	bool named = move_named(call, to);
	for (size_t k = 0; k < kl_countof(internals) && !named; k++) {
		topic = kl_dev_topic_named(broker, kl_str(internals[k].topic));
		for (int32_t i = 0; topic != NULL && i < topic->partition_count; i++)
			move(broker, topic->partitions[i], to);
	}
	kl_dev_save(broker, NULL); /* or else before the next append */
}
