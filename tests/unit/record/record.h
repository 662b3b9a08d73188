/* SPDX-License-Identifier: BSD-2-Clause */
/* What the tests of the record layer share. */
#ifndef UNIT_RECORD_H
#define UNIT_RECORD_H

#include "core/base/buf.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"
#include "tests/unit/unit.h"

/* Memory that faults on the first byte behind it, so that reading too far cannot hide. */
struct guarded {
	uint8_t *p;
	void *map;
	size_t map_len;
};
struct guarded guarded_copy(const void *from, size_t n);
void guarded_free(struct guarded *g);

/* The same numbers in every run. */
struct rng {
	uint64_t state;
};
uint64_t rng_next(struct rng *rng);
uint64_t rng_below(struct rng *rng, uint64_t n);

/* Every batch in [p, p + n), of any format, checked and printed:
 *	batch magic=2 next=2 attributes=0x0000
 *	0 1501021300 create null "123" name="value"
 */
void show_batches(struct kl_buf *out, const uint8_t *p, size_t n);
void show_record(struct kl_buf *out, const struct klamm_record_view *view);

static inline struct klamm_span span(const char *text)
{
	return (struct klamm_span){text, text == NULL ? 0 : strlen(text)};
}

/* An open batch as a producer fills it. */
struct open_batch {
	struct kl_buf bytes; /* head included */
	int64_t base_timestamp, max_timestamp;
	int32_t count;
};
void open_batch_start(struct open_batch *b, int64_t base_timestamp);
void open_batch_add(struct open_batch *b, int64_t timestamp, struct klamm_span key,
		    struct klamm_span value, const struct klamm_header *headers, size_t count);
/* Head written and stamped; the batch is whole. */
void open_batch_seal(struct open_batch *b, int16_t attributes, int64_t producer_id,
		     int16_t epoch, int32_t sequence);

#endif
