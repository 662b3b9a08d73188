/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/history.h"

#include <inttypes.h>
#include <klamm/error.h>
#include <stdlib.h>

#define NOWHERE (-1)
#define GAP (UINT64_MAX - 1) /* in a log: an offset without a record for us */
#define LIVES_MAX 64
#define TOLD_MAX 8 /* complaints in one report; the first ones say most */

struct record {
	uint64_t order; /* of sending, from 1; 0 = not sent */
	unsigned life; /* of its producer */
	bool refused, hidden, killed;
	unsigned outcomes;
	int error, outcome;
	int32_t partition; /* by the outcome */
	int64_t offset;
	int32_t read_partition; /* of the first reading */
	int64_t read_offset;
	unsigned reads;
};

struct partition {
	uint64_t *log; /* record ids by offset, as read */
	size_t len, cap;
	uint64_t last_done; /* order of the record told last, in this life */
};

struct history {
	struct record *records;
	size_t count, cap;
	struct partition *partitions;
	unsigned partition_count;
	uint64_t sends;
	unsigned life;
	bool gaps;
	struct kl_buf early; /* complaints from before the check */
	struct kl_buf late;  /* of the order of outcomes */
	unsigned late_count;
	unsigned told;
};

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct history *history_new(unsigned partitions)
{
	struct history *h = need(calloc(1, sizeof(*h)));
	h->partitions = need(calloc(partitions, sizeof(*h->partitions)));
	h->partition_count = partitions;
	return h;
}

void history_free(struct history *h)
{
	for (unsigned i = 0; i < h->partition_count; i++)
		free(h->partitions[i].log);
	free(h->partitions);
	free(h->records);
	kl_buf_free(&h->early);
	kl_buf_free(&h->late);
	free(h);
}

#define complain(h, out, ...)                                                            \
	do {                                                                             \
		if ((h)->told++ < TOLD_MAX)                                              \
			kl_buf_printf((out), __VA_ARGS__);                               \
	} while (0)

uint64_t history_number(struct history *h)
{
	if (h->count == h->cap) {
		h->cap = kl_max(h->cap * 2, (size_t)1024);
		h->records = need(reallocarray(h->records, h->cap, sizeof(*h->records)));
	}
	h->records[h->count] = (struct record){
		.partition = NOWHERE, .offset = -1, .read_partition = NOWHERE};
	return h->count++;
}

void history_sent(struct history *h, uint64_t id, int error)
{
	history_sent_by(h, h->life, id, error);
}

void history_sent_by(struct history *h, unsigned producer, uint64_t id, int error)
{
	struct record *r = &h->records[id];
	r->order = ++h->sends;
	r->life = producer;
	r->refused = error != 0;
}

void history_done(struct history *h, uint64_t id, int error, int outcome, int32_t partition,
		  int64_t offset)
{
	if (id >= h->count) {
		complain(h, &h->early,
			 "an outcome for record %" PRIu64 ", which nobody sent\n", id);
		return;
	}
	struct record *r = &h->records[id];
	r->outcomes++;
	r->error = error;
	r->outcome = outcome;
	r->partition = partition;
	r->offset = offset;
	if (partition < 0 || (unsigned)partition >= h->partition_count)
		return;
	struct partition *p = &h->partitions[partition];
	if (r->order != 0 && r->order <= p->last_done && h->late_count++ < TOLD_MAX)
		kl_buf_printf(&h->late,
			      "record %" PRIu64
			      ": its outcome was told after that of a later one of "
			      "partition %d\n",
			      id, partition);
	p->last_done = kl_max(p->last_done, r->order);
}

void history_killed(struct history *h)
{
	for (uint64_t id = 0; id < h->count; id++)
		h->records[id].killed |= h->records[id].outcomes == 0;
	history_succeeded(h);
}

unsigned history_succeeded(struct history *h)
{
	for (unsigned i = 0; i < h->partition_count; i++)
		h->partitions[i].last_done = 0;
	if (++h->life == LIVES_MAX)
		abort();
	return h->life;
}

void history_allow_gaps(struct history *h)
{
	h->gaps = true;
}

static void append(struct partition *p, uint64_t id)
{
	if (p->len == p->cap) {
		p->cap = kl_max(p->cap * 2, (size_t)1024);
		p->log = need(reallocarray(p->log, p->cap, sizeof(*p->log)));
	}
	p->log[p->len++] = id;
}

void history_read(struct history *h, int32_t partition, int64_t offset, uint64_t id)
{
	if (partition < 0 || (unsigned)partition >= h->partition_count) {
		complain(h, &h->early, "read from partition %d, which is not there\n",
			 partition);
		return;
	}
	struct partition *p = &h->partitions[partition];
	while (h->gaps && offset > (int64_t)p->len)
		append(p, GAP);
	if (offset != (int64_t)p->len) {
		complain(h, &h->early,
			 "partition %d: offset %" PRId64 " was read when %zu was next\n",
			 partition, offset, p->len);
		return;
	}
	append(p, id);
	if (id >= h->count) {
		complain(h, &h->early,
			 "%d/%" PRId64 ": a record that nobody sent, or damaged\n",
			 partition, offset);
		return;
	}
	struct record *r = &h->records[id];
	if (r->reads++ == 0) {
		r->read_partition = partition;
		r->read_offset = offset;
	} else if (r->read_partition != partition) {
		complain(h, &h->early,
			 "record %" PRIu64 ": read from partition %d and before from %d\n", id,
			 partition, r->read_partition);
	}
}

void history_position(struct history *h, int32_t partition, int64_t position)
{
	const struct partition *p = &h->partitions[partition];
	if (position != (int64_t)p->len)
		complain(h, &h->early,
			 "partition %d: the position is %" PRId64 " after %zu records\n",
			 partition, position, p->len);
}

/* --- the rules --- */

static void check_acked(struct history *h, uint64_t id, const struct record *r,
			struct kl_buf *why)
{
	if (r->partition < 0 || (unsigned)r->partition >= h->partition_count) {
		complain(h, why, "record %" PRIu64 ": acknowledged in partition %d\n", id,
			 r->partition);
		return;
	}
	const struct partition *p = &h->partitions[r->partition];
	if (r->offset < 0 || (size_t)r->offset >= p->len) {
		complain(h, why,
			 "record %" PRIu64 ": acknowledged at %d/%" PRId64
			 ", of which %zu were read\n",
			 id, r->partition, r->offset, p->len);
		return;
	}
	if (p->log[r->offset] != id)
		complain(h, why,
			 "record %" PRIu64 ": acknowledged at %d/%" PRId64
			 ", where record %" PRId64 " is\n",
			 id, r->partition, r->offset, (int64_t)p->log[r->offset]);
}

static void check_record(struct history *h, uint64_t id, const struct history_want *want,
			 struct kl_buf *why)
{
	const struct record *r = &h->records[id];
	if (r->refused || r->order == 0) {
		if (r->outcomes > 0 || r->reads > 0)
			complain(h, why,
				 "record %" PRIu64 ": not sent, yet told of or read\n", id);
		return;
	}
	if (want->no_duplicates && r->reads > 1)
		complain(h, why, "record %" PRIu64 ": %u times in the log\n", id, r->reads);
	if (r->killed && r->outcomes == 0)
		return; /* there or not */
	if (r->outcomes != 1) {
		complain(h, why, "record %" PRIu64 ": %u outcomes\n", id, r->outcomes);
		return;
	}
	if (r->error == 0 && !r->hidden)
		check_acked(h, id, r, why);
	else if (r->error != 0 && want->all_acked)
		complain(h, why, "record %" PRIu64 ": failed with %s\n", id,
			 klamm_err_name(r->error));
	if (r->error != 0 && r->outcome == KLAMM_OUTCOME_NOT_WRITTEN && r->reads > 0)
		complain(h, why,
			 "record %" PRIu64 ": surely not written, yet at %d/%" PRId64 "\n",
			 id, r->read_partition, r->read_offset);
}

/* First occurrences of acknowledged records are in the order of sending. What failed, but may
 * have been written, can come late: its connection was given up, its bytes were not. Of an
 * idempotent producer the broker does not take those any more. */
static bool has_place(const struct record *r, bool all)
{
	return all || (r->outcomes > 0 && r->error == 0);
}

static void check_order(struct history *h, unsigned partition, bool all, struct kl_buf *why)
{
	const struct partition *p = &h->partitions[partition];
	struct {
		uint64_t order, id;
	} last[LIVES_MAX] = {0};
	for (size_t offset = 0; offset < p->len; offset++) {
		uint64_t id = p->log[offset];
		const struct record *r = id < h->count ? &h->records[id] : NULL;
		if (r == NULL || !has_place(r, all) || r->read_offset != (int64_t)offset ||
		    r->read_partition != (int32_t)partition)
			continue;
		if (r->order < last[r->life].order) {
			complain(h, why,
				 "record %" PRIu64 ": at %u/%zu, behind record %" PRIu64
				 ", which was sent later\n",
				 id, partition, offset, last[r->life].id);
			continue;
		}
		last[r->life].order = r->order;
		last[r->life].id = id;
	}
}

bool history_check(struct history *h, const struct history_want *want, struct kl_buf *why)
{
	kl_buf_put(why, h->early.data, h->early.len);
	if (want->told_in_order) {
		kl_buf_put(why, h->late.data, h->late.len);
		h->told += h->late_count;
	}
	for (uint64_t id = 0; id < h->count; id++)
		check_record(h, id, want, why);
	for (unsigned i = 0; i < h->partition_count; i++)
		check_order(h, i, want->in_order, why);
	if (h->told > TOLD_MAX)
		kl_buf_printf(why, "and %u more\n", h->told - TOLD_MAX);
	return h->told == 0;
}

struct history_counts history_count(const struct history *h)
{
	struct history_counts c = {0};
	for (size_t i = 0; i < h->count; i++) {
		const struct record *r = &h->records[i];
		c.sent += r->order != 0 && !r->refused;
		c.refused += r->refused;
		c.acked += r->outcomes > 0 && r->error == 0;
		c.failed += r->outcomes > 0 && r->error != 0;
		c.read += r->reads > 0;
		c.duplicates += r->reads > 1 ? r->reads - 1 : 0;
	}
	return c;
}

unsigned history_reads(const struct history *h, uint64_t id)
{
	return h->records[id].reads;
}

bool history_is_acked(const struct history *h, uint64_t id)
{
	return h->records[id].outcomes > 0 && h->records[id].error == 0;
}

bool history_was_taken(const struct history *h, uint64_t id)
{
	return h->records[id].order != 0 && !h->records[id].refused;
}

void history_hide(struct history *h, uint64_t id)
{
	h->records[id].hidden = true;
}

uint64_t history_open(const struct history *h)
{
	uint64_t open = 0;
	for (size_t i = 0; i < h->count; i++)
		open += h->records[i].order != 0 && !h->records[i].refused &&
			h->records[i].outcomes == 0;
	return open;
}
