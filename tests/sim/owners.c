/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/owners.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLD_MAX 8
#define UNKNOWN (-1)

struct claim {
	int32_t generation;
	unsigned member;
};

struct partition {
	uint8_t *handed; /* by offset: was it? */
	size_t len, cap;
	struct claim *claims; /* each owner, with the generation it was one in */
	size_t claim_count, claim_cap;
	int64_t stored; /* committed: the highest or, where it may be undone, the last */
	int64_t waits_since, orphan_since; /* KL_NEVER = it does not */
	bool complained; /* of a wait */
};

struct own {
	bool is;
	int64_t begin; /* what was committed when it was assigned */
	int64_t next;  /* UNKNOWN: nothing was handed out yet */
};

struct member {
	bool ended;
	unsigned first; /* of those that are one for the group */
	int64_t excused, naps; /* until */
	struct own *own; /* by partition */
};

struct owners {
	struct owners_rules rules;
	struct partition *partitions;
	unsigned partition_count;
	struct member *members;
	unsigned member_count;
	int64_t now, disturbed, excused, hindered; /* until */
	struct owners_counts counts;
	struct kl_buf early;
	unsigned told;
};

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct owners *owners_new(unsigned partitions, const struct owners_rules *rules)
{
	struct owners *o = need(calloc(1, sizeof(*o)));
	o->rules = *rules;
	o->partitions = need(calloc(partitions, sizeof(*o->partitions)));
	o->partition_count = partitions;
	for (unsigned i = 0; i < partitions; i++) {
		o->partitions[i].stored = -1;
		o->partitions[i].waits_since = o->partitions[i].orphan_since = KL_NEVER;
	}
	return o;
}

void owners_free(struct owners *o)
{
	for (unsigned i = 0; i < o->partition_count; i++) {
		free(o->partitions[i].handed);
		free(o->partitions[i].claims);
	}
	for (unsigned i = 0; i < o->member_count; i++)
		free(o->members[i].own);
	free(o->partitions);
	free(o->members);
	kl_buf_free(&o->early);
	free(o);
}

#define complain(o, out, ...)                                                            \
	do {                                                                             \
		if ((o)->told++ < TOLD_MAX)                                              \
			kl_buf_printf((out), __VA_ARGS__);                               \
	} while (0)

unsigned owners_member(struct owners *o)
{
	unsigned number = o->member_count++;
	o->members = need(reallocarray(o->members, o->member_count, sizeof(*o->members)));
	o->members[number] = (struct member){
		.first = number,
		.own = need(calloc(o->partition_count, sizeof(struct own)))};
	return number;
}

void owners_succeeds(struct owners *o, unsigned member, unsigned earlier)
{
	o->members[member].first = o->members[earlier].first;
}

/* --- ownership --- */

static bool is_excused(const struct owners *o, const struct member *m)
{
	return kl_max(m->excused, o->excused) >= o->now;
}

static void claim(struct owners *o, unsigned member, unsigned partition, int32_t generation)
{
	struct partition *p = &o->partitions[partition];
	for (size_t i = 0; i < p->claim_count; i++) {
		if (p->claims[i].generation != generation)
			continue;
		if (o->members[p->claims[i].member].first != o->members[member].first)
			complain(o, &o->early,
				 "partition %u: members %u and %u own it in generation "
				 "%" PRId32 "\n",
				 partition, p->claims[i].member, member, generation);
		return;
	}
	if (p->claim_count == p->claim_cap) {
		p->claim_cap = kl_max(p->claim_cap * 2, (size_t)16);
		p->claims = need(reallocarray(p->claims, p->claim_cap, sizeof(*p->claims)));
	}
	p->claims[p->claim_count++] = (struct claim){generation, member};
}

/* Another one has it, and should have heard by now that it does not. */
static void check_others(struct owners *o, unsigned member, unsigned partition)
{
	for (unsigned i = 0; i < o->member_count; i++) {
		const struct member *other = &o->members[i];
		if (i != member && !other->ended && other->own[partition].is &&
		    !is_excused(o, other))
			complain(o, &o->early,
				 "partition %u: member %u was given it, and member %u has "
				 "it\n",
				 partition, member, i);
	}
}

static void give(struct owners *o, unsigned member, unsigned partition)
{
	struct own *own = &o->members[member].own[partition];
	if (own->is)
		complain(o, &o->early, "partition %u: member %u was given it twice\n",
			 partition, member);
	check_others(o, member, partition);
	*own = (struct own){true, o->partitions[partition].stored, UNKNOWN};
	o->partitions[partition].waits_since = KL_NEVER;
	o->partitions[partition].orphan_since = KL_NEVER;
}

void owners_assigned(struct owners *o, unsigned member, int32_t generation,
		     const unsigned *partitions, size_t count)
{
	for (size_t i = 0; i < count; i++)
		give(o, member, partitions[i]);
	o->counts.assigned += count;
	for (unsigned i = 0; i < o->partition_count && !o->rules.anew; i++)
		if (o->members[member].own[i].is)
			claim(o, member, i, generation);
}

void owners_revoked(struct owners *o, unsigned member, const unsigned *partitions,
		    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct own *own = &o->members[member].own[partitions[i]];
		if (!own->is)
			complain(o, &o->early,
				 "partition %u: member %u gives it up, and had it not\n",
				 partitions[i], member);
		own->is = false;
	}
	o->counts.revoked += count;
}

void owners_killed(struct owners *o, unsigned member)
{
	struct member *m = &o->members[member];
	for (unsigned i = 0; i < o->partition_count; i++)
		m->own[i].is = false;
	m->ended = true;
}

void owners_left(struct owners *o, unsigned member)
{
	for (unsigned i = 0; i < o->partition_count; i++)
		if (o->members[member].own[i].is)
			complain(o, &o->early,
				 "partition %u: member %u left, and was not told to give it "
				 "up\n",
				 i, member);
	owners_killed(o, member);
}

void owners_excuse(struct owners *o, unsigned member, int64_t until)
{
	struct member *m = &o->members[member];
	m->excused = kl_max(m->excused, until);
}

void owners_nap(struct owners *o, unsigned member, int64_t until)
{
	o->members[member].naps = until;
}

void owners_disturb(struct owners *o, int64_t until)
{
	o->disturbed = kl_max(o->disturbed, until);
}

void owners_excuse_all(struct owners *o, int64_t until)
{
	o->excused = kl_max(o->excused, until);
}

void owners_hinder(struct owners *o, int64_t until)
{
	o->hindered = until;
}

/* --- records and offsets --- */

static void mark(struct partition *p, int64_t offset)
{
	size_t need_len = (size_t)offset + 1;
	if (need_len > p->cap) {
		size_t cap = kl_max(need_len, kl_max(p->cap * 2, (size_t)1024));
		p->handed = need(realloc(p->handed, cap));
		memset(p->handed + p->cap, 0, cap - p->cap);
		p->cap = cap;
	}
	p->handed[offset] = 1;
	p->len = kl_max(p->len, need_len);
}

static void check_place(struct owners *o, unsigned member, unsigned partition,
			const struct own *own, int64_t offset)
{
	if (own->next != UNKNOWN && offset != own->next)
		complain(o, &o->early,
			 "partition %u: member %u was handed %" PRId64 " when %" PRId64
			 " was next\n",
			 partition, member, offset, own->next);
	if (own->next == UNKNOWN && offset < own->begin && !o->rules.undone)
		complain(o, &o->early,
			 "partition %u: member %u begins at %" PRId64 ", and %" PRId64
			 " was committed\n",
			 partition, member, offset, own->begin);
}

void owners_handed(struct owners *o, unsigned member, unsigned partition, int64_t offset)
{
	struct partition *p = &o->partitions[partition];
	struct own *own = &o->members[member].own[partition];
	if (!own->is)
		complain(o, &o->early,
			 "partition %u: member %u was handed %" PRId64 ", and does not own "
			 "it\n",
			 partition, member, offset);
	else
		check_place(o, member, partition, own, offset);
	own->next = offset + 1;
	o->counts.handed++;
	o->counts.again += (size_t)offset < p->len && p->handed[offset];
	mark(p, offset);
	p->waits_since = KL_NEVER;
}

static void store(struct owners *o, unsigned partition, int64_t offset)
{
	struct partition *p = &o->partitions[partition];
	if (offset > (int64_t)p->len)
		complain(o, &o->early,
			 "partition %u: %" PRId64 " is committed, and nobody was handed what "
			 "is before it\n",
			 partition, offset);
	p->stored = o->rules.undone ? offset : kl_max(p->stored, offset);
}

/* Acknowledgements can overtake each other on their way to here. */
void owners_committed(struct owners *o, unsigned partition, int64_t offset)
{
	store(o, partition, offset);
}

int64_t owners_ask(const struct owners *o, unsigned partition)
{
	return o->rules.undone ? -1 : o->partitions[partition].stored;
}

void owners_answer(struct owners *o, unsigned partition, int64_t floor, int64_t offset)
{
	if (offset < floor)
		complain(o, &o->early,
			 "partition %u: %" PRId64 " is committed, and %" PRId64 " was\n",
			 partition, offset, floor);
	store(o, partition, offset);
}

/* --- time --- */

/* Of several, one that stands still among them, any: none is to wait. NULL: it has none. */
static const struct member *owner_of(const struct owners *o, unsigned partition)
{
	for (unsigned i = 0; i < o->member_count; i++)
		if (!o->members[i].ended && o->members[i].own[partition].is)
			return &o->members[i];
	return NULL;
}

static void watch_owned(struct owners *o, unsigned partition, const struct member *m,
			int64_t end)
{
	struct partition *p = &o->partitions[partition];
	const struct own *own = &m->own[partition];
	int64_t next = own->next != UNKNOWN ? own->next : kl_max(p->stored, INT64_C(0));
	p->orphan_since = KL_NEVER;
	if (m->excused >= o->now || m->naps >= o->now || next >= end) {
		p->waits_since = KL_NEVER;
		return;
	}
	if (p->waits_since == KL_NEVER)
		p->waits_since = o->now;
	int64_t waited = o->now - kl_max(p->waits_since, o->hindered);
	o->counts.longest_wait = kl_max(o->counts.longest_wait, waited);
	if (waited <= o->rules.bound || p->complained)
		return;
	p->complained = true;
	complain(o, &o->early,
		 "partition %u: member %u was handed nothing for %" PRId64
		 " s, and there are %" PRId64 " of %" PRId64 "\n",
		 partition, (unsigned)(m - o->members), waited / 1000000, next, end);
}

static void watch_orphan(struct owners *o, unsigned partition)
{
	struct partition *p = &o->partitions[partition];
	p->waits_since = KL_NEVER;
	if (p->orphan_since == KL_NEVER)
		p->orphan_since = o->now;
	int64_t since = kl_max(o->disturbed, o->hindered);
	int64_t waited = o->now - kl_max(p->orphan_since, since);
	if (waited <= o->rules.owner_bound || p->complained)
		return;
	p->complained = true;
	complain(o, &o->early, "partition %u: nobody owns it for %" PRId64 " s\n", partition,
		 waited / 1000000);
}

void owners_watch(struct owners *o, int64_t now, const int64_t *ends)
{
	o->now = now;
	for (unsigned i = 0; i < o->partition_count; i++) {
		const struct member *m = owner_of(o, i);
		if (ends[i] < 0)
			continue;
		if (m != NULL)
			watch_owned(o, i, m, ends[i]);
		else
			watch_orphan(o, i);
	}
}

/* --- the end --- */

void owners_settled(struct owners *o, const int64_t *ends)
{
	for (unsigned i = 0; i < o->partition_count; i++) {
		unsigned count = 0;
		int64_t next = UNKNOWN;
		for (unsigned m = 0; m < o->member_count; m++) {
			const struct own *own = &o->members[m].own[i];
			if (o->members[m].ended || !own->is)
				continue;
			count++;
			next = own->next != UNKNOWN ? own->next : own->begin;
		}
		if (ends[i] < 0)
			continue;
		if (count != 1)
			complain(o, &o->early, "partition %u: %u owners in the end\n", i,
				 count);
		else if (kl_max(next, INT64_C(0)) != ends[i])
			complain(o, &o->early,
				 "partition %u: its owner is at %" PRId64 " of %" PRId64 "\n",
				 i, next, ends[i]);
	}
}

bool owners_check(struct owners *o, const int64_t *ends, struct kl_buf *why)
{
	kl_buf_put(why, o->early.data, o->early.len);
	for (unsigned i = 0; i < o->partition_count; i++) {
		const struct partition *p = &o->partitions[i];
		uint64_t lost = 0;
		int64_t first = -1;
		for (int64_t offset = 0; offset < ends[i]; offset++) {
			if ((size_t)offset < p->len && p->handed[offset])
				continue;
			first = lost++ == 0 ? offset : first;
		}
		if (lost > 0)
			complain(o, why,
				 "partition %u: %" PRIu64 " of %" PRId64
				 " records were handed to nobody, the first is %" PRId64 "\n",
				 i, lost, ends[i], first);
		if ((int64_t)p->len > kl_max(ends[i], INT64_C(0)))
			complain(o, why, "partition %u: %zu was handed out of %" PRId64 "\n",
				 i, p->len, ends[i]);
	}
	if (o->told > TOLD_MAX)
		kl_buf_printf(why, "and %u more\n", o->told - TOLD_MAX);
	return o->told == 0;
}

struct owners_counts owners_count(const struct owners *o)
{
	return o->counts;
}
