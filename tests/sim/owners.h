/* SPDX-License-Identifier: BSD-2-Clause */
/* Who owned which partition of a group, what they were handed, and what was committed; and
 * whether that is allowed.
 *
 * A test tells it what members hear and see, in the order of time. The rules: records are
 * handed to owners alone, in order, from the committed offset on, each at least once; no
 * partition has two owners in one generation, and none at all at the same time unless one of
 * them may have been put out; committed offsets do not go back, and are of what was handed
 * out; no partition waits longer than its bound for its records or for an owner.
 *
 * A member is one consumer from its making to its end; partitions are counted through all
 * topics.
 */
#ifndef OWNERS_H
#define OWNERS_H

#include "core/base/buf.h"

struct owners;

struct owners_rules {
	int64_t bound;       /* an owned partition waits so long for records that are there, */
	int64_t owner_bound; /* and one without an owner for one */
	/* Requests may be late, and then undo a commit that was made after them. */
	bool undone;
	/* The group may change its type when nobody is in it, and count generations anew. */
	bool anew;
};

struct owners *owners_new(unsigned partitions, const struct owners_rules *rules);
void owners_free(struct owners *o);

/* A new member's number. */
unsigned owners_member(struct owners *o);
/* For its group it is the same one as that, which has ended: a static member. */
void owners_succeeds(struct owners *o, unsigned member, unsigned earlier);
/* It was given these, beside those that it has; of that generation is all that it has then. */
void owners_assigned(struct owners *o, unsigned member, int32_t generation,
		     const unsigned *partitions, size_t count);
/* It gives these up, or has lost them. */
void owners_revoked(struct owners *o, unsigned member, const unsigned *partitions,
		    size_t count);
/* Killed: it owns nothing and is told nothing any more. */
void owners_killed(struct owners *o, unsigned member);
/* It left in order, and has been told of everything. */
void owners_left(struct owners *o, unsigned member);
/* Until then it may be put out, and find that out later: it stands still, or is not heard. */
void owners_excuse(struct owners *o, unsigned member, int64_t until);
/* Until then it does not ask for records: nobody is to blame that they wait. */
void owners_nap(struct owners *o, unsigned member, int64_t until);
/* Until then partitions may be without an owner: the group waits for one that is gone. */
void owners_disturb(struct owners *o, int64_t until);
/* Everybody may be put out so, also those to come. */
void owners_excuse_all(struct owners *o, int64_t until);
/* Until then nothing works as it should: no wait counts. A later call takes the place of an
 * earlier one, KL_NEVER: until the next one. */
void owners_hinder(struct owners *o, int64_t until);
/* poll() handed it this record. */
void owners_handed(struct owners *o, unsigned member, unsigned partition, int64_t offset);
/* The coordinator acknowledged this offset. */
void owners_committed(struct owners *o, unsigned partition, int64_t offset);
/* Somebody asks what is committed: what the answer must not be below, -1 = none. And the
 * answer. */
int64_t owners_ask(const struct owners *o, unsigned partition);
void owners_answer(struct owners *o, unsigned partition, int64_t floor, int64_t offset);

/* Time passes; the ends of the logs, -1 = there is no such partition (yet). To be called
 * often, also before anything happens: it is what the other calls take for now. */
void owners_watch(struct owners *o, int64_t now, const int64_t *ends);

/* All is calm and has been for long: every partition has one owner, who has read it out. */
void owners_settled(struct owners *o, const int64_t *ends);
/* Everything is over: every record was handed out. false: *why says what is wrong, one
 * sentence a line. */
bool owners_check(struct owners *o, const int64_t *ends, struct kl_buf *why);

struct owners_counts {
	uint64_t handed, again, assigned, revoked;
	int64_t longest_wait; /* of an owned partition */
};
struct owners_counts owners_count(const struct owners *o);

#endif
