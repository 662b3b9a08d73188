/* SPDX-License-Identifier: BSD-2-Clause */
/* What happened to the records of a run, and whether that is allowed.
 *
 * A test tells it of every send, every outcome and every record read; each record carries its
 * number. The rules are those of a producer with acks=all and without idempotence: what was
 * acknowledged is in the log where the acknowledgement said, in the order of sending; what was
 * surely not written is not there; nothing else is there; everything got one outcome. What
 * an idempotent producer promises is in struct history_want; transactions are in txns.h.
 */
#ifndef HISTORY_H
#define HISTORY_H

#include "core/base/buf.h"

struct history;

#define HISTORY_ALIEN UINT64_MAX /* read: no record of ours, or damaged */

struct history *history_new(unsigned partitions);
void history_free(struct history *h);

/* Control records and those of aborted transactions have offsets too, and are not read. */
void history_allow_gaps(struct history *h);

/* A number for the next record, to be put into it. */
uint64_t history_number(struct history *h);
/* send() took it (0) or refused it. In the order in which sends return. */
void history_sent(struct history *h, uint64_t id, int error);
/* The same, by one that is not the last that took over. */
void history_sent_by(struct history *h, unsigned producer, uint64_t id, int error);
/* Its outcome, in the order of telling; offset -1 = not told. */
void history_done(struct history *h, uint64_t id, int error, int outcome, int32_t partition,
		  int64_t offset);
/* The producer is killed: records without an outcome will have none. Those to come are sent by
 * its next incarnation. */
void history_killed(struct history *h);
/* Another producer takes over, which sends from now on; the one before may go on. Producers
 * are numbered from 0. */
unsigned history_succeeded(struct history *h);
/* The consumer was given this record, in the order of reading. */
void history_read(struct history *h, int32_t partition, int64_t offset, uint64_t id);
/* The consumer's position, after all records before it were read. */
void history_position(struct history *h, int32_t partition, int64_t position);

struct history_want {
	bool all_acked;     /* no record may fail: there was time enough */
	bool no_duplicates; /* nothing went wrong that explains one */
	bool told_in_order; /* outcomes, within a partition */
	bool in_order;      /* all that one incarnation wrote, what failed included */
};

/* Everything is over. false: *why says what is wrong, one sentence a line. */
bool history_check(struct history *h, const struct history_want *want, struct kl_buf *why);

struct history_counts {
	uint64_t sent, refused, acked, failed, read, duplicates;
};
struct history_counts history_count(const struct history *h);
/* How often a record was read; whether it was acknowledged; whether send() took it. */
unsigned history_reads(const struct history *h, uint64_t id);
bool history_is_acked(const struct history *h, uint64_t id);
bool history_was_taken(const struct history *h, uint64_t id);
/* Nobody may read it, though it was acknowledged: its transaction was aborted. */
void history_hide(struct history *h, uint64_t id);
/* Records that have no outcome yet. */
uint64_t history_open(const struct history *h);

#endif
