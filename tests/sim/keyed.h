/* SPDX-License-Identifier: BSD-2-Clause */
/* Records of a compacted topic: what was acknowledged and is the latest of its key must be
 * there in the end, or, when it is a tombstone, nothing older of that key.
 *
 * One partition. Each record has a number, which its header says; key and value follow from
 * it. */
#ifndef KEYED_H
#define KEYED_H

#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "core/base/buf.h"

struct keyed;

struct keyed *keyed_new(unsigned max); /* so many records at most */
void keyed_free(struct keyed *k);
/* The next record, good until the one after it, and its number. */
uint32_t keyed_next(struct keyed *k, struct klamm_record *record_out);
void keyed_acked(struct keyed *k, uint32_t id, int64_t offset);
/* A record of the last reading from the beginning, in its order. */
void keyed_read(struct keyed *k, const struct klamm_record_view *view);
/* What is wrong, a sentence a line. */
void keyed_check(const struct keyed *k, struct kl_buf *why);
/* "..., 10 of 90 left". */
void keyed_note(const struct keyed *k, struct kl_buf *note);

#endif
