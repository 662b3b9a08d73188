/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/value.h"

static void drop(const struct klamm_value *value, int depth)
{
	/* A plugin that nests deeper broke its contract: its natives leak, nothing worse. */
	if (depth > KLAMM_VALUE_DEPTH_MAX)
		return;
	switch (value->type) {
	case KLAMM_VALUE_NATIVE:
		if (value->as.native.free != NULL)
			value->as.native.free(value->as.native.ptr);
		return;
	case KLAMM_VALUE_LIST:
		for (size_t i = 0; i < value->as.list.count; i++)
			drop(&value->as.list.items[i], depth + 1);
		return;
	case KLAMM_VALUE_MAP:
		for (size_t i = 0; i < value->as.map.count; i++) {
			drop(&value->as.map.entries[i].key, depth + 1);
			drop(&value->as.map.entries[i].value, depth + 1);
		}
		return;
	default:
		return;
	}
}

void kl_value_drop(const struct klamm_value *value)
{
	drop(value, 0);
}
