/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/topics.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/data.h"

/* Kafka's own limit for one request, and what a test cluster may hold in all. */
#define PARTITIONS_PER_TOPIC 10000

/* --- finding --- */

struct kl_dev_topic *kl_dev_topic_named(struct klamm_broker *broker, struct kl_str name)
{
	struct kl_dev_topic *topic = NULL;
	if (name.len > 0 && name.len <= KL_DEV_TOPIC_NAME_MAX)
		HASH_FIND(hh, broker->topics.by_name, name.p, (unsigned)name.len, topic);
	return topic;
}

struct kl_dev_topic *kl_dev_topic_with_id(struct klamm_broker *broker,
					  const struct klamm_uuid *id)
{
	struct kl_dev_topic *topic = NULL;
	HASH_FIND(hh_id, broker->topics.by_id, id, sizeof(*id), topic);
	return topic;
}

void kl_dev_topics_unmark(struct klamm_broker *broker)
{
	broker->topics.mark++;
}

bool kl_dev_topic_mark(struct klamm_broker *broker, struct kl_dev_topic *topic)
{
	bool first = topic->mark != broker->topics.mark;
	topic->mark = broker->topics.mark;
	return first;
}

/* --- names --- */

static bool is_name_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
}

int kl_dev_topic_check_name(struct kl_str name, struct klamm_error *err)
{
	if (name.len <= 0)
		return kl_error(err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
				"a topic needs a name");
	if (kl_str_is(name, ".") || kl_str_is(name, ".."))
		return kl_error(err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
				"a topic cannot be called . or ..");
	if (name.len > KL_DEV_TOPIC_NAME_MAX)
		return kl_error(err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
				"a topic's name has at most %d characters, not %d",
				KL_DEV_TOPIC_NAME_MAX, (int)name.len);
	for (int32_t i = 0; i < name.len; i++)
		if (!is_name_char(name.p[i]))
			return kl_error(
				err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
				"a topic's name is made of letters, digits, '.', '_' "
				"and '-'");
	return 0;
}

/* Kafka's metrics spell '.' as '_', so two names may not differ in that alone. */
static bool collides(struct kl_str a, struct kl_str b)
{
	if (a.len != b.len)
		return false;
	for (int32_t i = 0; i < a.len; i++) {
		char x = a.p[i] == '.' ? '_' : a.p[i], y = b.p[i] == '.' ? '_' : b.p[i];
		if (x != y)
			return false;
	}
	return true;
}

static int check_new_name(struct klamm_broker *broker, struct kl_str name,
			  struct klamm_error *err)
{
	int rc = kl_dev_topic_check_name(name, err);
	if (rc != 0)
		return rc;
	if (kl_dev_topic_named(broker, name) != NULL)
		return kl_error(err, KLAMM_ERR_TOPIC_ALREADY_EXISTS,
				"there is a topic %.*s already", (int)name.len, name.p);
	if (memchr(name.p, '.', (size_t)name.len) == NULL &&
	    memchr(name.p, '_', (size_t)name.len) == NULL)
		return 0;
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		if (collides(name, kl_dev_topic_name(topic)))
			return kl_error(err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
					"the name collides with that of topic %s",
					topic->name);
	}
	return 0;
}

/* --- what is asked for --- */

/* A client's assignment for the partition with this index; NULL: none, or two. */
static const struct kl_create_topics_request_assignment *assignment_of(
	const struct kl_dev_topic_spec *spec, int32_t index)
{
	const struct kl_create_topics_request_assignment *found = NULL;
	for (int32_t i = 0; i < spec->assignment_count; i++) {
		if (spec->assignments[i].partition_index != index)
			continue;
		if (found != NULL)
			return NULL;
		found = &spec->assignments[i];
	}
	return found;
}

static int check_assignments(struct klamm_broker *broker,
			     const struct kl_dev_topic_spec *spec,
			     struct klamm_error *err)
{
	if (spec->partitions != -1 || spec->replicas != -1)
		return kl_error(err, KLAMM_ERR_INVALID_REQUEST,
				"with an assignment of replicas, both counts must be -1");
	if (spec->assignment_count > PARTITIONS_PER_TOPIC)
		return kl_error(err, KLAMM_ERR_POLICY_VIOLATION,
				"more than %d partitions in one request",
				PARTITIONS_PER_TOPIC);
	for (int32_t i = 0; i < spec->assignment_count; i++) {
		const struct kl_create_topics_request_assignment *a =
			assignment_of(spec, i);
		if (a == NULL)
			return kl_error(err, KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT,
					"partition %d is not assigned exactly once",
					(int)i);
		int rc = kl_dev_check_replicas(broker, a->broker_ids, a->broker_ids_n,
					       spec->assignments[0].broker_ids_n, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int check_counts(struct klamm_broker *broker, const struct kl_dev_topic_spec *spec,
			struct klamm_error *err)
{
	if (spec->replicas < -1 || spec->replicas == 0)
		return kl_error(
			err, KLAMM_ERR_INVALID_REPLICATION_FACTOR,
			"the number of replicas must be above 0, or -1 for the default");
	if (spec->partitions < -1 || spec->partitions == 0)
		return kl_error(
			err, KLAMM_ERR_INVALID_PARTITIONS,
			"the number of partitions must be above 0, or -1 for the default");
	if (spec->replicas > broker->options.nodes)
		return kl_error(err, KLAMM_ERR_INVALID_REPLICATION_FACTOR,
				"%d replicas need as many brokers, and there are %d",
				(int)spec->replicas, (int)broker->options.nodes);
	if (spec->partitions > PARTITIONS_PER_TOPIC)
		return kl_error(err, KLAMM_ERR_POLICY_VIOLATION,
				"more than %d partitions in one request",
				PARTITIONS_PER_TOPIC);
	return 0;
}

static int check_room(struct klamm_broker *broker, int32_t more, struct klamm_error *err)
{
	if (broker->topics.partitions + more > KL_DEV_PARTITIONS_MAX)
		return kl_error(err, KLAMM_ERR_POLICY_VIOLATION,
				"this broker holds %d partitions at most",
				KL_DEV_PARTITIONS_MAX);
	return 0;
}

void kl_dev_topics_elect(struct klamm_broker *broker)
{
	struct kl_dev_topic *topic, *next;
	bool any = false;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		for (int32_t i = 0; i < topic->partition_count; i++)
			any |= kl_dev_partition_elect(broker, topic->partitions[i]);
	}
	if (any)
		kl_dev_save(broker, NULL); /* or else before the next append */
}

/* --- making and deleting --- */

static void topic_free(struct klamm_broker *broker, struct kl_dev_topic *topic)
{
	for (int32_t i = 0; i < topic->partition_count; i++)
		kl_dev_partition_free(topic->partitions[i]);
	broker->topics.partitions -= topic->partition_count;
	free(topic->partitions);
	kl_dev_settings_free(&topic->settings);
	free(topic);
}

/* A random UUID (RFC 9562 version 4). Kafka avoids those whose text begins with a dash. */
static void make_id(struct klamm_broker *broker, struct klamm_uuid *id_out)
{
	struct kl_os *os = broker->loop->os;
	do
		os->random(os, id_out->bytes, sizeof(id_out->bytes));
	while (id_out->bytes[0] >> 2 == 62 ||
	       kl_dev_topic_with_id(broker, id_out) != NULL);
	id_out->bytes[6] = (id_out->bytes[6] & 0x0f) | 0x40;
	id_out->bytes[8] = (id_out->bytes[8] & 0x3f) | 0x80;
}

/* Partitions behind those that are there; room for the pointers was made. */
static bool add_partitions(struct klamm_broker *broker, struct kl_dev_topic *topic,
			   int32_t count,
			   struct kl_dev_placing (*placing)(const void *arg, int32_t i),
			   const void *arg)
{
	while (topic->partition_count < count) {
		int32_t i = topic->partition_count;
		struct kl_dev_placing at = placing(arg, i);
		struct kl_dev_partition *partition =
			kl_dev_partition_new(broker, topic, i, &at);
		if (partition == NULL)
			return false;
		topic->partitions[topic->partition_count++] = partition;
		broker->topics.partitions++;
		broker->topics.version++;
	}
	return true;
}

static struct kl_dev_placing place_new(const void *arg, int32_t i)
{
	const struct kl_dev_topic_spec *spec = arg;
	if (spec->assignment_count == 0)
		return (struct kl_dev_placing){NULL, spec->replicas};
	const struct kl_create_topics_request_assignment *a = assignment_of(spec, i);
	return (struct kl_dev_placing){a->broker_ids, a->broker_ids_n};
}

static bool insert(struct klamm_broker *broker, struct kl_dev_topic *topic)
{
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, broker->topics.by_name, name, (unsigned)topic->name_len, topic);
	if (!added)
		return false;
	HASH_ADD(hh_id, broker->topics.by_id, id, sizeof(topic->id), topic);
	if (!added)
		HASH_DELETE(hh, broker->topics.by_name, topic);
	return added;
}

static void forget(struct klamm_broker *broker, struct kl_dev_topic *topic)
{
	HASH_DELETE(hh, broker->topics.by_name, topic);
	HASH_DELETE(hh_id, broker->topics.by_id, topic);
	broker->topics.version++;
	topic_free(broker, topic);
}

/* With room for partitions, and none. */
struct kl_dev_topic *kl_dev_topic_restore(struct klamm_broker *broker, struct kl_str name,
					  const struct klamm_uuid *id,
					  int32_t partition_count,
					  struct kl_dev_settings *settings)
{
	struct kl_dev_topic *topic = calloc(1, sizeof(*topic) + (size_t)name.len + 1);
	if (topic == NULL)
		return NULL;
	topic->partitions =
		calloc((size_t)partition_count + 1, sizeof(*topic->partitions));
	memcpy(topic->name, name.p, (size_t)name.len);
	topic->name_len = name.len;
	topic->id = *id;
	if (topic->partitions == NULL || !insert(broker, topic)) {
		topic_free(broker, topic);
		return NULL;
	}
	topic->settings = *settings; /* taken */
	*settings = (struct kl_dev_settings){0};
	return topic;
}

static struct kl_dev_topic *topic_new(struct klamm_broker *broker,
				      const struct kl_dev_topic_spec *spec,
				      struct kl_dev_settings *settings)
{
	struct klamm_uuid id;
	make_id(broker, &id);
	struct kl_dev_topic *topic =
		kl_dev_topic_restore(broker, spec->name, &id, spec->partitions, settings);
	if (topic == NULL)
		return NULL;
	topic->replicas = (int16_t)spec->replicas;
	if (add_partitions(broker, topic, spec->partitions, place_new, spec))
		return topic;
	forget(broker, topic);
	return NULL;
}

static int make_settings(const struct klamm_broker *broker,
			 const struct kl_dev_topic_spec *spec,
			 struct kl_dev_settings *settings, struct klamm_error *err)
{
	kl_dev_settings_init(settings, broker->options.message_max_bytes);
	for (int32_t i = 0; i < spec->config_count; i++) {
		int rc = kl_dev_settings_set(settings, spec->configs[i].name,
					     spec->configs[i].value, err);
		if (rc != 0)
			return rc;
	}
	return kl_dev_settings_check(settings, err);
}

int kl_dev_topic_create(struct klamm_broker *broker,
			const struct kl_dev_topic_spec *asked,
			struct kl_dev_topic **topic_out, struct klamm_error *err)
{
	struct kl_dev_topic_spec spec = *asked;
	*topic_out = NULL;
	int rc = check_new_name(broker, spec.name, err);
	if (rc != 0)
		return rc;
	KL_AUTO(kl_dev_settings_free) struct kl_dev_settings settings = {0};
	rc = make_settings(broker, &spec, &settings, err);
	if (rc == 0)
		rc = spec.assignment_count > 0 ? check_assignments(broker, &spec, err)
					       : check_counts(broker, &spec, err);
	if (rc != 0)
		return rc;
	if (spec.assignment_count > 0) {
		spec.partitions = spec.assignment_count;
		spec.replicas = spec.assignments[0].broker_ids_n;
	}
	if (spec.partitions < 0)
		spec.partitions = broker->options.partitions;
	if (spec.replicas < 0)
		spec.replicas = broker->options.replicas;
	rc = check_room(broker, spec.partitions, err);
	if (rc != 0 || spec.validate_only)
		return rc;
	struct kl_dev_topic *topic = topic_new(broker, &spec, &settings);
	if (topic == NULL)
		return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	rc = kl_dev_save(broker, err);
	if (rc != 0)
		forget(broker, topic);
	else
		*topic_out = topic;
	return rc;
}

struct growth {
	const struct kl_create_partitions_request_assignment *assignments;
	int32_t from, replicas;
};

static struct kl_dev_placing place_more(const void *arg, int32_t i)
{
	const struct growth *growth = arg;
	const int32_t *told = growth->assignments != NULL
				      ? growth->assignments[i - growth->from].broker_ids
				      : NULL;
	return (struct kl_dev_placing){told, growth->replicas};
}

int kl_dev_topic_grow(struct klamm_broker *broker, struct kl_dev_topic *topic,
		      int32_t count,
		      const struct kl_create_partitions_request_assignment *assignments,
		      struct klamm_error *err)
{
	int32_t from = topic->partition_count;
	for (int32_t i = from; i < count && assignments != NULL; i++) {
		int rc = kl_dev_check_replicas(broker, assignments[i - from].broker_ids,
					       assignments[i - from].broker_ids_n,
					       topic->replicas, err);
		if (rc != 0)
			return rc;
	}
	struct kl_dev_partition **more =
		reallocarray(topic->partitions, (size_t)count, sizeof(*more));
	if (more == NULL)
		return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	topic->partitions = more;
	struct growth growth = {assignments, from, topic->replicas};
	int rc = 0;
	if (!add_partitions(broker, topic, count, place_more, &growth))
		rc = kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	else
		rc = kl_dev_save(broker, err);
	while (rc != 0 && topic->partition_count > from) {
		kl_dev_partition_free(topic->partitions[--topic->partition_count]);
		broker->topics.partitions--;
	}
	return rc;
}

int kl_dev_topic_check_growth(struct klamm_broker *broker,
			      const struct kl_dev_topic *topic, int32_t count,
			      struct klamm_error *err)
{
	/* Each key would belong to another partition than its records. */
	if (kl_dev_topic_is_internal(kl_dev_topic_name(topic)))
		return kl_error(err, KLAMM_ERR_INVALID_TOPIC_EXCEPTION,
				"the partitions of %s cannot become more", topic->name);
	if (count <= topic->partition_count)
		return kl_error(
			err, KLAMM_ERR_INVALID_PARTITIONS,
			"topic %s has %d partitions already; %d would not be more",
			topic->name, (int)topic->partition_count, (int)count);
	if (count - topic->partition_count > PARTITIONS_PER_TOPIC)
		return kl_error(err, KLAMM_ERR_POLICY_VIOLATION,
				"more than %d partitions in one request",
				PARTITIONS_PER_TOPIC);
	return check_room(broker, count - topic->partition_count, err);
}

static void delete_logs(struct kl_dev_topic *topic)
{
	for (int32_t i = 0; i < topic->partition_count; i++)
		kl_dev_log_delete(&topic->partitions[i]->log);
}

/* false: some are being written to the disk. */
static bool drop_records(struct kl_dev_topic *topic)
{
	for (int32_t i = 0; i < topic->partition_count; i++) {
		struct kl_dev_log *log = &topic->partitions[i]->log;
		if (log->sync != NULL && kl_dev_sync_runs(log->sync))
			return false;
	}
	for (int32_t i = 0; i < topic->partition_count; i++)
		kl_dev_log_drop(&topic->partitions[i]->log,
				topic->partitions[i]->log.segment_count);
	return true;
}

/* The table first: files that it does not know are removed at the next start. */
int kl_dev_topic_delete(struct klamm_broker *broker, struct kl_dev_topic *topic,
			struct klamm_error *err)
{
	HASH_DELETE(hh, broker->topics.by_name, topic);
	HASH_DELETE(hh_id, broker->topics.by_id, topic);
	int rc = kl_dev_save(broker, err);
	if (rc != 0 && drop_records(topic)) /* which makes room on a full disk */
		rc = kl_dev_save(broker, err);
	if (rc != 0 && !insert(broker, topic))
		rc = 0; /* no memory to keep it, either */
	if (rc != 0)
		return rc;
	broker->topics.version++;
	kl_dev_coordinators_forget(broker, topic);
	delete_logs(topic);
	topic_free(broker, topic);
	return 0;
}

void kl_dev_topics_free(struct klamm_broker *broker)
{
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		forget(broker, topic);
	}
}
