/* SPDX-License-Identifier: BSD-2-Clause */
/* What consume-transform-produce promises: of each input record one committed copy, in the
 * order of its partition, however often the client was killed in between; and a checkpoint,
 * in the offsets of its group, that goes with the copies. */
#ifndef COPIES_H
#define COPIES_H

#include "core/base/buf.h"

struct copies;

/* per_partition: input records 0 to per_partition - 1 of each partition, at these offsets. */
struct copies *copies_new(unsigned partitions, unsigned per_partition);
void copies_free(struct copies *c);
/* A copy of that input record, in the order in which the reader of the output saw them. */
void copies_seen(struct copies *c, int32_t partition, int64_t offset);
/* The committed offset, -1 = none, when an incarnation begins and in the end. It never goes
 * back. */
void copies_checkpoint(struct copies *c, int32_t partition, int64_t offset);
/* Everything is over: each input record was copied, and the checkpoint is behind it. */
bool copies_check(struct copies *c, struct kl_buf *why);

#endif
