/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/txns.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLD_MAX 8

struct txn {
	enum txn_end end;
	uint64_t *records;
	size_t count, cap;
};

struct txns {
	struct txn *all;
	size_t count, cap;
};

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct txns *txns_new(void)
{
	return need(calloc(1, sizeof(struct txns)));
}

void txns_free(struct txns *t)
{
	for (size_t i = 0; i < t->count; i++)
		free(t->all[i].records);
	free(t->all);
	free(t);
}

uint64_t txns_begin(struct txns *t)
{
	if (t->count == t->cap) {
		t->cap = kl_max(t->cap * 2, (size_t)64);
		t->all = need(reallocarray(t->all, t->cap, sizeof(*t->all)));
	}
	t->all[t->count] = (struct txn){.end = TXN_LEFT};
	return t->count++;
}

void txns_add(struct txns *t, uint64_t txn, uint64_t record)
{
	struct txn *x = &t->all[txn];
	if (x->count == x->cap) {
		x->cap = kl_max(x->cap * 2, (size_t)16);
		x->records = need(reallocarray(x->records, x->cap, sizeof(*x->records)));
	}
	x->records[x->count++] = record;
}

void txns_end(struct txns *t, uint64_t txn, enum txn_end end)
{
	t->all[txn].end = end;
}

/* Records that send() took, and how many of them the reader saw. */
static size_t seen_of(const struct txn *x, const struct history *h, size_t *taken_out)
{
	size_t seen = 0;
	*taken_out = 0;
	for (size_t i = 0; i < x->count; i++) {
		*taken_out += history_was_taken(h, x->records[i]);
		seen += history_reads(h, x->records[i]) > 0;
	}
	return seen;
}

static const char *const ends[] = {
	[TXN_LEFT] = "left behind",
	[TXN_ABORTED] = "aborted",
	[TXN_COMMITTED] = "committed",
	[TXN_UNKNOWN] = "perhaps committed",
};

static bool is_allowed(const struct txn *x, size_t seen, size_t taken)
{
	switch (x->end) {
	case TXN_COMMITTED: return seen == taken;
	case TXN_UNKNOWN: return seen == 0 || seen == taken;
	default: return seen == 0;
	}
}

bool txns_check(struct txns *t, struct history *h, struct kl_buf *why)
{
	unsigned told = 0;
	for (size_t i = 0; i < t->count; i++) {
		const struct txn *x = &t->all[i];
		size_t taken, seen = seen_of(x, h, &taken);
		for (size_t n = 0; seen == 0 && n < x->count; n++)
			history_hide(h, x->records[n]);
		if (!is_allowed(x, seen, taken) && told++ < TOLD_MAX)
			kl_buf_printf(why,
				      "transaction %zu: %s, and %zu of its %zu records were "
				      "read (the first is record %" PRIu64 ")\n",
				      i, ends[x->end], seen, taken, x->records[0]);
	}
	return told == 0;
}

struct txns_counts txns_count(const struct txns *t, const struct history *h)
{
	struct txns_counts c = {0};
	for (size_t i = 0; i < t->count; i++) {
		size_t taken, seen = seen_of(&t->all[i], h, &taken);
		c.committed += t->all[i].end == TXN_COMMITTED;
		c.aborted += t->all[i].end == TXN_ABORTED;
		c.left += t->all[i].end == TXN_LEFT;
		c.unknown_seen += t->all[i].end == TXN_UNKNOWN && seen > 0;
		c.unknown_unseen += t->all[i].end == TXN_UNKNOWN && seen == 0;
	}
	return c;
}
