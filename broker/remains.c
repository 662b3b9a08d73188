/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/remains.h"

#include <stdlib.h>

#include "core/record/batch_read.h"

/* A transaction of which the marker did not come yet. */
struct kl_dev_remain {
	UT_hash_handle hh;
	int64_t producer_id;
	bool is_aborted;
	bool was_seen; /* a batch of it */
};

static int compare_first(const void *a, const void *b)
{
	const struct kl_dev_ended *x = a, *y = b;
	return (x->first > y->first) - (x->first < y->first);
}

bool kl_dev_remains_begin(struct kl_dev_remains *remains, struct kl_dev_producers *producers,
			  int64_t from)
{
	kl_dev_remains_free(remains);
	size_t first = kl_dev_aborted_from(producers, from);
	size_t n = producers->aborted.count - first;
	remains->producers = producers;
	remains->forgets = from == 0;
	if (n == 0)
		return true;
	remains->aborted = reallocarray(NULL, n, sizeof(*remains->aborted));
	if (remains->aborted == NULL)
		return false;
	memcpy(remains->aborted, producers->aborted.list + first,
	       n * sizeof(*remains->aborted));
	qsort(remains->aborted, n, sizeof(*remains->aborted), compare_first);
	remains->aborted_count = n;
	return true;
}

static struct kl_dev_remain *find(const struct kl_dev_remains *remains, int64_t producer_id)
{
	struct kl_dev_remain *one = NULL;
	HASH_FIND(hh, remains->by_producer, &producer_id, sizeof(producer_id), one);
	return one;
}

/* NULL: out of memory. */
static struct kl_dev_remain *add(struct kl_dev_remains *remains, int64_t producer_id,
				 bool is_aborted)
{
	struct kl_dev_remain *one = calloc(1, sizeof(*one));
	if (one == NULL)
		return NULL;
	*one = (struct kl_dev_remain){.producer_id = producer_id, .is_aborted = is_aborted};
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, remains->by_producer, producer_id, sizeof(producer_id), one);
	if (added)
		return one;
	free(one);
	return NULL;
}

/* Aborted transactions that begin up to here are under way. */
static bool catch_up(struct kl_dev_remains *remains, int64_t offset)
{
	for (; remains->next < remains->aborted_count; remains->next++) {
		const struct kl_dev_ended *ended = &remains->aborted[remains->next];
		if (ended->first > offset)
			break;
		if (find(remains, ended->producer_id) == NULL &&
		    add(remains, ended->producer_id, true) == NULL)
			return false;
	}
	return true;
}

static int see_data(struct kl_dev_remains *remains, const struct kl_batch_head *head)
{
	if (!(head->attributes & KL_ATTR_TRANSACTIONAL))
		return KL_DEV_VALID;
	struct kl_dev_remain *one = find(remains, head->producer_id) ?:
				    add(remains, head->producer_id, false);
	if (one == NULL)
		return -1;
	one->was_seen = true;
	return one->is_aborted ? KL_DEV_VOID : KL_DEV_VALID;
}

static enum kl_control_type control_type(const struct kl_batch_head *head, const uint8_t *p)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	struct kl_control control;
	kl_record_iter_init(&iter, head, kl_batch_records(p, head), 0);
	if (kl_record_next(&iter, &view) <= 0 || kl_control_get(&view, &control) != 0)
		return KL_CONTROL_UNKNOWN;
	return control.type;
}

static int see_marker(struct kl_dev_remains *remains, const struct kl_batch_head *head,
		      const uint8_t *p)
{
	if (head->record_count == 0) /* it was void before */
		return KL_DEV_VOID;
	enum kl_control_type type = control_type(head, p);
	if (type == KL_CONTROL_UNKNOWN)
		return KL_DEV_VALID;
	struct kl_dev_remain *one = find(remains, head->producer_id);
	bool was_seen = one != NULL && one->was_seen;
	if (one != NULL) {
		HASH_DEL(remains->by_producer, one);
		free(one);
	}
	if (was_seen)
		return KL_DEV_VALID;
	if (type == KL_CONTROL_ABORT && remains->forgets)
		kl_dev_aborted_forget(remains->producers, head->base_offset);
	return KL_DEV_VOID;
}

int kl_dev_remains_see(struct kl_dev_remains *remains, const struct kl_batch_head *head,
		       const uint8_t *p)
{
	if (!catch_up(remains, kl_batch_next_offset(head) - 1))
		return -1;
	return head->attributes & KL_ATTR_CONTROL ? see_marker(remains, head, p)
						  : see_data(remains, head);
}

void kl_dev_remains_free(struct kl_dev_remains *remains)
{
	struct kl_dev_remain *one, *next;
	HASH_ITER(hh, remains->by_producer, one, next)
	{
		HASH_DEL(remains->by_producer, one);
		free(one);
	}
	free(remains->aborted);
	*remains = (struct kl_dev_remains){.producers = remains->producers};
}
