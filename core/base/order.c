/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/order.h"

int kl_by_text(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

int kl_by_topic_partition(const void *a, const void *b)
{
	const struct klamm_topic_partition *x = a, *y = b;
	return kl_order_partitions(x->topic, x->partition, y->topic, y->partition);
}
