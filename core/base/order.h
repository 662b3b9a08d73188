/* SPDX-License-Identifier: BSD-2-Clause */
/* Orders that many lists are kept in, for qsort() and bsearch(). */
#ifndef KL_ORDER_H
#define KL_ORDER_H

#include <string.h>

#include <klamm/types.h>

/* Of pointers to text: by its bytes. */
int kl_by_text(const void *a, const void *b);
/* Of struct klamm_topic_partition: by topic, then by partition. */
int kl_by_topic_partition(const void *a, const void *b);

/* The same of what two elements of another kind say: below, 0 or above it. */
static inline int kl_order_partitions(const char *topic, int32_t partition, const char *other,
				      int32_t other_partition)
{
	int order = strcmp(topic, other);
	return order != 0 ? order
			  : (partition > other_partition) - (partition < other_partition);
}

#endif
