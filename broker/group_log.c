/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups as records of __consumer_offsets, in Kafka's own formats. */
#include "broker/coordinators.h"
#include "broker/offsets.h"
#include "core/record/batch_read.h"

/* What a record is about: the number before its key. */
#define OFFSETS_LAST 1
#define CLASSIC 2

struct load {
	struct klamm_broker *broker;
	int32_t home;
	struct kl_arena arena;
	const struct kl_batch_head *head;
};

/* --- in --- */

static bool decode(struct load *load, const struct kl_msg *msg, int version,
		   struct kl_reader *reader, void **obj_out)
{
	return version >= 0 && version <= msg->max &&
	       kl_msg_decode(msg, version, reader, &load->arena, obj_out, NULL) == 0;
}

/* false: there is a value, and it cannot be read. *value_out is NULL when there is none. */
static bool read_value(struct load *load, const struct kl_msg *msg,
		       const struct klamm_record_view *view, void **value_out)
{
	struct kl_reader reader = kl_reader(view->value.data, view->value.len);
	*value_out = NULL;
	if (view->value.data == NULL)
		return true;
	int16_t version = kl_read_i16(&reader);
	return !reader.failed && decode(load, msg, version, &reader, value_out);
}

static int take_offset(struct load *load, int16_t kind, struct kl_reader *reader,
		       const struct klamm_record_view *view)
{
	void *key, *value;
	if (!decode(load, &kl_msg_offset_commit_key, kind, reader, &key) ||
	    !read_value(load, &kl_msg_offset_commit_value, view, &value))
		return 0;
	return kl_dev_offset_take(load->broker, load->home, load->head, view->offset, key,
				  value);
}

static int take_classic(struct load *load, struct kl_reader *reader,
			const struct klamm_record_view *view)
{
	void *key, *value;
	if (!decode(load, &kl_msg_group_metadata_key, 0, reader, &key) ||
	    !read_value(load, &kl_msg_group_metadata_value, view, &value))
		return 0;
	struct kl_str id = ((const struct kl_group_metadata_key *)key)->group;
	struct kl_dev_group *group = kl_dev_group_find(load->broker, id);
	if (value == NULL) {
		if (group != NULL && group->type == &kl_dev_classic_type)
			kl_dev_group_forget(group);
		return 0;
	}
	if (group == NULL)
		group = kl_dev_group_add(load->broker, id, load->home);
	if (group == NULL || !kl_dev_classic_take(group, value))
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	return 0;
}

/* Records of kinds and versions to come are left alone. */
static int read_record(struct load *load, const struct klamm_record_view *view)
{
	struct kl_reader reader = kl_reader(view->key.data, view->key.len);
	int16_t kind = kl_read_i16(&reader);
	if (view->key.data == NULL || reader.failed)
		return 0;
	if (kind >= 0 && kind <= OFFSETS_LAST)
		return take_offset(load, kind, &reader, view);
	if (kl_dev_modern_is_kind(kind))
		return kl_dev_modern_take(load->broker, load->home, kind, &reader,
					  &view->value);
	return kind == CLASSIC ? take_classic(load, &reader, view) : 0;
}

static void read_end(struct load *load, const struct klamm_record_view *view)
{
	struct kl_control control;
	if (kl_control_get(view, &control) == 0 && control.type != KL_CONTROL_UNKNOWN)
		kl_dev_offsets_ended(load->broker, load->home, load->head->producer_id,
				     control.type == KL_CONTROL_COMMIT);
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
	while (rc == 0 && kl_record_next(&iter, &view) > 0) {
		if (head->attributes & KL_ATTR_CONTROL)
			read_end(load, &view);
		else
			rc = read_record(load, &view);
	}
	kl_arena_free(&load->arena);
	return rc;
}

int kl_dev_groups_load(struct klamm_broker *broker, struct kl_dev_partition *home)
{
	struct load load = {.broker = broker, .home = home->index};
	kl_dev_groups_drop_home(broker, home->index);
	int rc = kl_dev_log_walk(&home->log, read_batch, &load);
	kl_arena_free(&load.arena);
	if (rc != 0) {
		kl_dev_groups_drop_home(broker, home->index);
		return rc;
	}
	struct kl_dev_group *group, *next;
	HASH_ITER(hh, broker->groups.by_id, group, next)
	{
		if (group->home == home->index)
			group->type->loaded(group);
	}
	return 0;
}

/* --- out --- */

int kl_dev_group_append(struct klamm_broker *broker, struct kl_dev_partition *home,
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
	home->is_unread |= rc != 0; /* the log says more than is known here */
	kl_dev_partition_changed(home);
	return rc != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : 0;
}

int kl_dev_group_store(struct klamm_broker *broker, struct kl_dev_partition *home,
		       struct kl_dev_batch *batch)
{
	int64_t offset;
	if (!kl_dev_batch_end(batch, 0, -1, -1))
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (batch->buf.len > (size_t)home->topic->settings.config.message_max)
		return KLAMM_ERR_UNKNOWN_SERVER_ERROR;
	return kl_dev_home_append(broker, home, batch, &offset);
}
