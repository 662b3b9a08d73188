/* SPDX-License-Identifier: BSD-2-Clause */
/* The transactions of a history's records, and whether what a reader of committed records
 * saw of them is allowed: all of one or nothing, all of what was committed, nothing of what
 * was aborted or left behind. */
#ifndef TXNS_H
#define TXNS_H

#include "tests/sim/history.h"

struct txns;

enum txn_end {
	TXN_LEFT,      /* nobody asked to commit it: its producer was killed, or gave up */
	TXN_ABORTED,   /* the abort was answered, or its producer wanted it aborted */
	TXN_COMMITTED, /* the commit was answered */
	TXN_UNKNOWN,   /* a commit was asked for, and its end is not known */
};

struct txns *txns_new(void);
void txns_free(struct txns *t);
/* The number of a new one, which has no end so far (TXN_LEFT). */
uint64_t txns_begin(struct txns *t);
/* A record that is sent in it, whether or not send() takes it. */
void txns_add(struct txns *t, uint64_t txn, uint64_t record);
void txns_end(struct txns *t, uint64_t txn, enum txn_end end);
/* When all is read, before history_check(), which then knows what nobody may see. */
bool txns_check(struct txns *t, struct history *h, struct kl_buf *why);

struct txns_counts {
	uint64_t committed, aborted, left, unknown_seen, unknown_unseen;
};
struct txns_counts txns_count(const struct txns *t, const struct history *h);

#endif
