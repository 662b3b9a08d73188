/* SPDX-License-Identifier: BSD-2-Clause */
/* Trouble that a test asked for: which requests it is for, and how often. */
#include "broker/faults.h"
#include "broker/fetch_sessions.h"

#include <stdlib.h>

const struct klamm_broker_fault *kl_dev_fault_spec(const struct kl_dev_fault *fault)
{
	return &fault->spec;
}

void kl_dev_fault_unref(struct kl_dev_fault *fault)
{
	if (fault == NULL || --fault->refs > 0)
		return;
	free(fault->topic);
	free(fault);
}

void kl_dev_fault_drop(struct kl_dev_fault *fault)
{
	kl_list_remove(&fault->link);
	kl_dev_fault_unref(fault);
}

void kl_dev_faults_free(struct klamm_broker *broker)
{
	kl_list_for_safe(fault, &broker->faults, struct kl_dev_fault, link)
		kl_dev_fault_drop(fault);
}

static bool is_sound(const struct klamm_broker_fault *spec)
{
	return spec->action >= KLAMM_BROKER_PASS && spec->action <= KLAMM_BROKER_GARBAGE &&
	       spec->skip >= 0 && spec->count >= -1 && spec->every >= 0 &&
	       spec->probability >= 0 && spec->probability <= 1 && spec->delay_ms >= 0 &&
	       spec->delay_ms <= INT32_MAX && spec->cut >= 0 && spec->leader >= -1 &&
	       spec->coordinator >= -1 && spec->throttle_ms >= 0 &&
	       spec->record >= 0 && spec->lag >= 0 &&
	       (spec->leader == 0 || spec->topic != NULL) && spec->lose >= 0 &&
	       (spec->lose == 0 || spec->leader != 0);
}

int kl_dev_fault_new(const struct klamm_broker_fault *spec, struct kl_dev_fault **fault_out,
		     struct klamm_error *err)
{
	if (!is_sound(spec))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"a fault with a member that cannot be so");
	struct kl_dev_fault *fault = calloc(1, sizeof(*fault));
	char *topic = spec->topic != NULL ? strdup(spec->topic) : NULL;
	if (fault == NULL || (spec->topic != NULL && topic == NULL)) {
		free(fault);
		free(topic);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a fault");
	}
	*fault = (struct kl_dev_fault){
		.refs = 1,
		.skip = spec->skip,
		.left = spec->count == 0 ? 1 : spec->count,
		.random = (uint64_t)spec->seed,
		.spec = *spec,
		.topic = topic,
	};
	fault->spec.topic = topic;
	kl_list_init(&fault->link);
	*fault_out = fault;
	return 0;
}

void kl_dev_fault_arm(struct klamm_broker *broker, struct kl_dev_fault *fault)
{
	fault->id = ++broker->last_fault;
	kl_list_push(&broker->faults, &fault->link);
}

/* --- what a request names --- */

/* Topics and partitions are found by what Kafka calls the fields, so that every API is served
 * without code of its own. */
static bool is_called(const struct kl_field *field, const char *const *names)
{
	for (; *names != NULL; names++)
		if (strcmp(field->name, *names) == 0)
			return true;
	return false;
}

static const char *const topic_names[] = {"Name", "Topic", "TopicName", NULL};
static const char *const partition_names[] = {"Index", "Partition", "PartitionIndex",
					      NULL};

/* Does an element of an array of topics name this one? */
static bool names_topic(const struct kl_dev_asked *asked, const struct kl_type *type,
			const uint8_t *obj, const char *topic)
{
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (field->flags & KL_FIELD_ARRAY)
			continue;
		if (field->type == KL_STRING && is_called(field, topic_names) &&
		    kl_str_is(*(const struct kl_str *)(obj + field->offset), topic))
			return true;
		if (field->type == KL_UUID && strcmp(field->name, "TopicId") == 0) {
			const struct kl_dev_topic *found = kl_dev_topic_with_id(
				asked->broker, (const void *)(obj + field->offset));
			if (found != NULL && strcmp(found->name, topic) == 0)
				return true;
		}
	}
	return false;
}

static bool element_is(const struct kl_field *array, const uint8_t *element,
		       int32_t partition)
{
	if (array->type == KL_INT32)
		return *(const int32_t *)element == partition;
	for (unsigned i = 0; i < array->sub->field_count; i++) {
		const struct kl_field *field = &array->sub->fields[i];
		if (field->type == KL_INT32 && is_called(field, partition_names))
			return *(const int32_t *)(element + field->offset) == partition;
	}
	return false;
}

/* Does a topic's element name this partition? One without partitions names them all. */
static bool names_partition(const struct kl_type *type, const uint8_t *obj,
			    int32_t partition)
{
	bool any = false;
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (!(field->flags & KL_FIELD_ARRAY) ||
		    strncmp(field->name, "Partition", strlen("Partition")) != 0)
			continue;
		any = true;
		const uint8_t *element = *(const uint8_t *const *)(obj + field->offset);
		int32_t n = *(const int32_t *)(obj + field->count_offset);
		size_t size =
			field->type == KL_STRUCT ? field->sub->size : sizeof(int32_t);
		for (; n > 0; n--, element += size)
			if (element_is(field, element, partition))
				return true;
	}
	return !any;
}

static bool array_names(const struct kl_dev_asked *asked, const struct kl_field *field,
			const uint8_t *obj, const struct klamm_broker_fault *spec);

/* Does a part of a request name it, itself or in an array of its own (a group's topics)? */
static bool part_names(const struct kl_dev_asked *asked, const struct kl_type *type,
		       const uint8_t *obj, const struct klamm_broker_fault *spec)
{
	for (unsigned i = 0; i < type->field_count; i++)
		if ((type->fields[i].flags & KL_FIELD_ARRAY) &&
		    array_names(asked, &type->fields[i], obj, spec))
			return true;
	return false;
}

static bool array_names(const struct kl_dev_asked *asked, const struct kl_field *field,
			const uint8_t *obj, const struct klamm_broker_fault *spec)
{
	const uint8_t *element = *(const uint8_t *const *)(obj + field->offset);
	int32_t n = *(const int32_t *)(obj + field->count_offset);
	if (field->type == KL_STRING) { /* DeleteTopics 1-5 */
		const struct kl_str *name = (const void *)element;
		for (; n > 0; n--, name++)
			if (kl_str_is(*name, spec->topic))
				return true;
		return false;
	}
	for (; n > 0 && field->type == KL_STRUCT; n--, element += field->sub->size)
		if (names_topic(asked, field->sub, element, spec->topic)
			    ? spec->partition < 0 ||
				      names_partition(field->sub, element, spec->partition)
			    : part_names(asked, field->sub, element, spec))
			return true;
	return false;
}

/* A Fetch stands for what is in its session, too. */
static bool names(const struct kl_dev_asked *asked, const struct klamm_broker_fault *spec)
{
	if (asked->request == NULL)
		return false;
	return part_names(asked, kl_msg_request(asked->api)->type, asked->request, spec) ||
	       (asked->api == KL_API_FETCH &&
		kl_dev_fetch_session_has(kl_dev_node(asked->broker, asked->node),
					 asked->request, spec->topic, spec->partition));
}

/* --- meeting one --- */

/* splitmix64. */
uint64_t kl_dev_fault_random(struct kl_dev_fault *fault)
{
	uint64_t v = fault->random += 0x9e3779b97f4a7c15;
	v = (v ^ v >> 30) * 0xbf58476d1ce4e5b9;
	v = (v ^ v >> 27) * 0x94d049bb133111eb;
	return v ^ v >> 31;
}

/* Whoever set a fault must be able to take it back. */
static bool is_api(const struct klamm_broker_fault *spec, int api)
{
	return spec->api < 0 ? api != KL_API_INCREMENTAL_ALTER_CONFIGS &&
				       api != KL_API_DESCRIBE_CONFIGS
			     : spec->api == api;
}

static bool fits(const struct kl_dev_fault *fault, const struct kl_dev_asked *asked)
{
	const struct klamm_broker_fault *spec = &fault->spec;
	return fault->left != 0 && is_api(spec, asked->api) &&
	       (spec->node == 0 || spec->node == asked->node) &&
	       (spec->topic == NULL || names(asked, spec));
}

/* It fits; is it this one's turn? */
static bool is_due(struct kl_dev_fault *fault)
{
	const struct klamm_broker_fault *spec = &fault->spec;
	if (fault->skip > 0) {
		fault->skip--;
		return false;
	}
	if (spec->every > 1 && fault->fits++ % spec->every != 0)
		return false;
	/* 53 random bits are a number below 1. */
	return spec->probability == 0 ||
	       (double)(kl_dev_fault_random(fault) >> 11) * 0x1p-53 < spec->probability;
}

struct kl_dev_fault *kl_dev_fault_meet(const struct kl_dev_asked *asked)
{
	kl_list_for(fault, &asked->broker->faults, struct kl_dev_fault, link)
	{
		if (!fits(fault, asked) || !is_due(fault))
			continue;
		if (fault->left > 0)
			fault->left--;
		fault->hits++;
		fault->refs++;
		return fault;
	}
	return NULL;
}

int kl_dev_call_error(const struct kl_dev_call *call)
{
	if (call->fault == NULL || call->fault->spec.action != KLAMM_BROKER_ERROR ||
	    call->fault->spec.topic != NULL)
		return 0;
	return call->fault->spec.error;
}

int kl_dev_topic_error(const struct kl_dev_call *call, struct kl_str topic,
		       int32_t partition)
{
	if (call->fault == NULL || call->fault->spec.action != KLAMM_BROKER_ERROR)
		return 0;
	const struct klamm_broker_fault *spec = &call->fault->spec;
	if (spec->topic != NULL && !kl_str_is(topic, spec->topic))
		return 0;
	if (spec->topic != NULL && spec->partition >= 0 && spec->partition != partition)
		return 0;
	return spec->error;
}

/* --- the public face --- */

struct fault_call {
	struct klamm_broker *broker;
	struct kl_dev_fault *fault;
	int32_t id;
	int64_t hits;
};

static struct kl_dev_fault *find(struct klamm_broker *broker, int32_t id)
{
	kl_list_for(fault, &broker->faults, struct kl_dev_fault,
		    link) if (fault->id == id) return fault;
	return NULL;
}

static void run_add(void *arg)
{
	struct fault_call *call = arg;
	kl_dev_fault_arm(call->broker, call->fault);
	call->id = call->fault->id;
}

static void run_hits(void *arg)
{
	struct fault_call *call = arg;
	const struct kl_dev_fault *fault = find(call->broker, call->id);
	call->hits = fault != NULL ? fault->hits : -1;
}

static void run_remove(void *arg)
{
	struct fault_call *call = arg;
	struct kl_dev_fault *fault;
	if (call->id == 0)
		kl_dev_faults_free(call->broker);
	else if ((fault = find(call->broker, call->id)) != NULL)
		kl_dev_fault_drop(fault);
}

static void add(struct klamm_broker *broker, struct kl_dev_fault *fault, int32_t *id_out)
{
	struct fault_call call = {.broker = broker, .fault = fault};
	kl_loop_call(broker->loop, run_add, &call);
	if (id_out != NULL)
		*id_out = call.id;
}

int klamm_broker_fault_add(struct klamm_broker *broker,
			   const struct klamm_broker_fault *spec, int32_t *id_out,
			   struct klamm_error *err)
{
	struct klamm_broker_fault known = {0};
	memcpy(&known, spec, kl_min(spec->size, sizeof(known)));
	struct kl_dev_fault *fault;
	int rc = kl_dev_check_fork(broker, err);
	if (rc == 0)
		rc = kl_dev_fault_new(&known, &fault, err);
	if (rc == 0)
		add(broker, fault, id_out);
	return rc;
}

int klamm_broker_fault(struct klamm_broker *broker, const char *text, int32_t *id_out,
		       struct klamm_error *err)
{
	struct kl_dev_fault *fault;
	int rc = kl_dev_check_fork(broker, err);
	if (rc == 0)
		rc = kl_dev_fault_parse(text, strlen(text), &fault, err);
	if (rc == 0)
		add(broker, fault, id_out);
	return rc;
}

int64_t klamm_broker_fault_hits(struct klamm_broker *broker, int32_t id)
{
	struct fault_call call = {.broker = broker, .id = id};
	if (kl_dev_check_fork(broker, NULL) != 0)
		return -1;
	kl_loop_call(broker->loop, run_hits, &call);
	return call.hits;
}

void klamm_broker_fault_remove(struct klamm_broker *broker, int32_t id)
{
	struct fault_call call = {.broker = broker, .id = id};
	if (kl_dev_check_fork(broker, NULL) == 0)
		kl_loop_call(broker->loop, run_remove, &call);
}
