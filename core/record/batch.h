/* SPDX-License-Identifier: BSD-2-Clause */
/* The facts of a record batch (message format v2, KIP-98) that writer and reader share.
 *
 * A batch is a head of 61 bytes, then the records, compressed as one block or plain. The
 * first 21 bytes of the head (offset, length, leader epoch, magic, CRC) are the broker's to
 * change and outside the CRC; the 40 behind them and the records are inside.
 */
#ifndef KL_BATCH_H
#define KL_BATCH_H

#include "core/base/base.h"

/* Where the fields of the head begin. */
enum {
	KL_BATCH_BASE_OFFSET = 0,
	KL_BATCH_LENGTH = 8, /* counts the bytes behind itself */
	KL_BATCH_LEADER_EPOCH = 12,
	KL_BATCH_MAGIC = 16, /* here in the old formats, too */
	KL_BATCH_CRC = 17,
	KL_BATCH_ATTRIBUTES = 21,
	KL_BATCH_LAST_OFFSET_DELTA = 23,
	KL_BATCH_BASE_TIMESTAMP = 27,
	KL_BATCH_MAX_TIMESTAMP = 35,
	KL_BATCH_PRODUCER_ID = 43,
	KL_BATCH_PRODUCER_EPOCH = 51,
	KL_BATCH_BASE_SEQUENCE = 53,
	KL_BATCH_RECORD_COUNT = 57,

	KL_BATCH_HEAD = 61,    /* the whole head; records begin here */
	KL_BATCH_OVERHEAD = 12, /* offset and length, which the length does not count */
	/* The part of the head that the CRC covers. */
	KL_BATCH_STAMPED = KL_BATCH_HEAD - KL_BATCH_ATTRIBUTES,
};

/* Attributes. The codec and the timestamp type have the same place in the old formats. */
enum {
	KL_ATTR_CODEC = 7, /* 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd */
	KL_ATTR_LOG_APPEND_TIME = 1 << 3,
	KL_ATTR_TRANSACTIONAL = 1 << 4,
	KL_ATTR_CONTROL = 1 << 5,
	KL_ATTR_DELETE_HORIZON = 1 << 6, /* KIP-534: base_timestamp is when to delete it */
};

/* The smallest record: seven fields of one byte each. */
#define KL_RECORD_MIN 7

struct kl_batch_head {
	int64_t base_offset;
	int32_t length;       /* as on the wire: 12 less than the batch takes */
	int32_t leader_epoch; /* -1 = not known, and what a producer writes */
	uint32_t crc;
	int16_t attributes;
	int16_t producer_epoch; /* -1 = none */
	int32_t last_offset_delta;
	int32_t base_sequence; /* -1 = none; after 2147483647 comes 0 */
	int64_t base_timestamp, max_timestamp;
	int64_t producer_id; /* -1 = none */
	int32_t record_count;
	int8_t magic; /* 2; 0 or 1 where a reader met an old format */
};

static inline size_t kl_batch_size(const struct kl_batch_head *head)
{
	return KL_BATCH_OVERHEAD + (size_t)head->length;
}
/* The offset to fetch from when this batch has been read. */
static inline int64_t kl_batch_next_offset(const struct kl_batch_head *head)
{
	return head->base_offset + head->last_offset_delta + 1;
}
static inline int kl_batch_codec(const struct kl_batch_head *head)
{
	return head->attributes & KL_ATTR_CODEC;
}

#endif
