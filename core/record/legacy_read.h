/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading messages v0 and v1, as brokers before 0.11 store them.
 *
 * There are no batches in these formats, so what is peeked at as one is either a run of plain
 * messages, or one compressed message, whose value is such a run. Then a consumer treats
 * them like v2: head, CRC, records, decompress, iterate. batch_read.c and record_iter.c come
 * here by head->magic; nobody else needs these functions.
 *
 * In a head of an old batch record_count is -1 where the messages are compressed, and
 * producer id, epoch, sequence and leader epoch are -1.
 */
#ifndef KL_LEGACY_READ_H
#define KL_LEGACY_READ_H

#include "core/record/record_iter.h"

/* The smallest counts of bytes behind the length field: CRC 4, magic 1, attributes 1, lengths
 * of key and value 4 each, and in v1 a timestamp of 8. */
#define KL_MESSAGE_MIN_V0 14
#define KL_MESSAGE_MIN_V1 22

/* The first message is whole. KL_BATCH_OLD or CORRUPT_BATCH. */
int kl_legacy_peek(const uint8_t *p, size_t n, struct kl_batch_head *head_out);
bool kl_legacy_check_crc(const uint8_t *p, const struct kl_batch_head *head);
struct klamm_span kl_legacy_records(const uint8_t *p, const struct kl_batch_head *head);
int kl_legacy_iter_init(struct kl_record_iter *iter, const struct kl_batch_head *head,
			struct klamm_span records, int64_t start_offset);
int kl_legacy_next(struct kl_record_iter *iter, struct klamm_record_view *view_out);

#endif
