/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/errtab.h"

#include <klamm/error.h>

const struct kl_err_entry *kl_err_find(int code)
{
	size_t low = 0, high = kl_err_table_len;
	while (low < high) {
		size_t mid = low + (high - low) / 2;
		if (kl_err_table[mid].code < code)
			low = mid + 1;
		else
			high = mid;
	}
	bool found = low < kl_err_table_len && kl_err_table[low].code == code;
	return found ? &kl_err_table[low] : NULL;
}

const char *klamm_err_name(int code)
{
	const struct kl_err_entry *entry = kl_err_find(code);
	return entry ? entry->name : "UNKNOWN";
}

const char *klamm_err_text(int code)
{
	const struct kl_err_entry *entry = kl_err_find(code);
	return entry ? entry->text
		     : "This version of klamm does not know the code; a newer one may.";
}

bool klamm_err_retriable(int code)
{
	const struct kl_err_entry *entry = kl_err_find(code);
	return entry != NULL && (entry->flags & KL_ERR_RETRIABLE);
}

bool klamm_err_invalid_metadata(int code)
{
	const struct kl_err_entry *entry = kl_err_find(code);
	return entry != NULL && (entry->flags & KL_ERR_INVALID_METADATA);
}
