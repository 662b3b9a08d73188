/* SPDX-License-Identifier: BSD-2-Clause */
/* Deleting the oldest records of partitions, which their leaders do. */
#include <stdlib.h>

#include "core/admin/scatter.h"
#include "core/base/error.h"
#include "core/base/order.h"

#define ALL -1 /* up to the high watermark */

struct deleting {
	struct kl_scatter scatter;
	struct klamm_record_deletion *deletions; /* one for each item */
};

static struct klamm_record_deletion *deletion_of(struct kl_scatter *scatter,
						 const struct kl_item *item)
{
	struct deleting *d = kl_container(scatter, struct deleting, scatter);
	return &d->deletions[item - scatter->items];
}

static const void *prepare(struct kl_scatter *scatter, struct kl_part *part, int version)
{
	size_t n = 0;
	kl_part_for (item, part)
		n++;
	struct kl_delete_records_request *body =
		kl_arena_alloc(&part->arena, sizeof(*body));
	struct kl_delete_records_request_topic *topics =
		kl_type_new(&kl_type_delete_records_request_topic, &part->arena, n);
	struct kl_delete_records_request_partition *partitions =
		kl_type_new(&kl_type_delete_records_request_partition, &part->arena, n);
	if (body == NULL || topics == NULL || partitions == NULL)
		return NULL;
	kl_msg_init(&kl_msg_delete_records_request, body);
	body->timeout_ms = kl_scatter_left_ms(scatter);
	body->topics = topics;
	kl_part_for (item, part) {
		int32_t i = body->topics_n++;
		topics[i].name = kl_str(item->topic);
		topics[i].partitions = &partitions[i];
		topics[i].partitions_n = 1;
		partitions[i].partition_index = item->partition;
		partitions[i].offset = deletion_of(scatter, item)->before;
	}
	return body;
}

/* What some errors mean here; null: what they always do. */
static struct kl_str words_of(int code)
{
	if (code == KLAMM_ERR_OFFSET_OUT_OF_RANGE)
		return KL_STR("the offset is beyond the last record that consumers can see");
	if (code == KLAMM_ERR_POLICY_VIOLATION)
		return KL_STR("its topic is compacted, and nothing else is deleted "
			      "(cleanup.policy)");
	return KL_STR_NULL;
}

static void answer(struct kl_scatter *scatter, struct kl_part *part, const void *response,
		   int version)
{
	const struct kl_delete_records_response *body = response;
	for (int32_t i = 0; i < body->topics_n; i++) {
		const struct kl_delete_records_response_topic *topic = &body->topics[i];
		for (int32_t k = 0; k < topic->partitions_n; k++) {
			const struct kl_delete_records_response_partition *told =
				&topic->partitions[k];
			struct kl_item *item = kl_part_partition(part, topic->name,
								 told->partition_index);
			if (item == NULL)
				continue;
			deletion_of(scatter, item)->low_watermark =
				told->error_code == 0 ? told->low_watermark : -1;
			kl_item_told(scatter, item, told->error_code,
				     words_of(told->error_code));
		}
	}
}

static const struct kl_scatter_ops ops = {
	.what = "deleting records",
	.prepare = prepare,
	.answer = answer,
};

/* --- the call --- */

static int by_partition(const void *a, const void *b)
{
	const struct klamm_record_deletion *x = *(struct klamm_record_deletion *const *)a;
	const struct klamm_record_deletion *y = *(struct klamm_record_deletion *const *)b;
	return kl_order_partitions(x->topic, x->partition, y->topic, y->partition);
}

/* Answers name partitions: which of two would one be about? */
static int check_twins(struct klamm_record_deletion *deletions, size_t count,
		       struct klamm_error *err)
{
	const struct klamm_record_deletion **sorted = calloc(count + 1, sizeof(*sorted));
	if (sorted == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for %zu partitions", count);
	for (size_t i = 0; i < count; i++)
		sorted[i] = &deletions[i];
	qsort(sorted, count, sizeof(*sorted), by_partition);
	int rc = 0;
	for (size_t i = 1; i < count && rc == 0; i++)
		if (by_partition(&sorted[i - 1], &sorted[i]) == 0)
			rc = kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				      "topic %.100s partition %d: named twice",
				      sorted[i]->topic, sorted[i]->partition);
	free(sorted);
	return rc;
}

static int check(struct klamm_record_deletion *deletions, size_t count,
		 struct klamm_error *err)
{
	for (size_t i = 0; i < count; i++) {
		struct klamm_record_deletion *d = &deletions[i];
		if (d->size != sizeof(*d))
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"deletion %zu: its size is %zu, not %zu", i, d->size,
					sizeof(*d));
		d->low_watermark = -1;
		if (d->topic == NULL || d->topic[0] == '\0' || d->partition < 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"deletion %zu names no partition", i);
		if (d->before < ALL)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"topic %.100s partition %d: offset %lld: must be 0 "
					"or more, or -1 for all",
					d->topic, d->partition, (long long)d->before);
	}
	return check_twins(deletions, count, err);
}

int klamm_admin_delete_records(struct klamm_admin *admin,
			       struct klamm_record_deletion *deletions, size_t count,
			       int64_t timeout_ms, struct klamm_error *errors,
			       struct klamm_error *err)
{
	struct deleting d = {.deletions = deletions};
	struct klamm_error wrong;
	kl_scatter_init(&d.scatter, &ops, count, KL_API_DELETE_RECORDS);
	if (d.scatter.items == NULL)
		return kl_admin_no_memory("partitions", errors, count, err);
	int rc = check(deletions, count, &wrong);
	if (rc != 0) {
		kl_admin_refuse(&wrong, errors, count, err);
	} else {
		for (size_t i = 0; i < count; i++) {
			d.scatter.items[i].topic = deletions[i].topic;
			d.scatter.items[i].partition = deletions[i].partition;
		}
		rc = kl_scatter_run(admin, &d.scatter, timeout_ms, err);
		kl_scatter_errors(&d.scatter, errors, NULL);
	}
	kl_scatter_free(&d.scatter);
	return rc;
}
