/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions inside a broker that crashes: each writes a record to two partitions and
 * commits or aborts. What was acknowledged as committed is committed in both, what was
 * acknowledged as aborted, or never ended, is in none, and of what nobody knows it is one
 * or the other. */
#ifndef TXN_WORK_H
#define TXN_WORK_H

#include <klamm/broker.h>

#include "core/base/buf.h"

struct txn_work;

#define TXN_WORK_TOPIC "txn-work"

struct txn_work *txn_work_new(uint64_t seed);
void txn_work_free(struct txn_work *w);
/* A broker begins: what was on its way is lost, or not. */
void txn_work_life(struct txn_work *w);
/* A step, in the broker's loop. Its topic has two partitions. */
void txn_work_step(struct txn_work *w, struct klamm_broker *broker);
/* The same when no transaction is to begin any more; true when all are ended. */
bool txn_work_end(struct txn_work *w, struct klamm_broker *broker);
/* What is wrong, a sentence a line; in the broker's loop. */
void txn_work_check(struct txn_work *w, struct klamm_broker *broker, struct kl_buf *why);
/* "..., 10 of 90 transactions committed". */
void txn_work_note(const struct txn_work *w, struct kl_buf *note);

#endif
