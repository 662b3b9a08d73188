/* SPDX-License-Identifier: BSD-2-Clause */
/* The table behind klamm_err_name() and its kin; gen/errtab.c comes from schema/errors. */
#ifndef KL_ERRTAB_H
#define KL_ERRTAB_H

#include "core/base/base.h"

enum {
	KL_ERR_RETRIABLE = 1,
	KL_ERR_INVALID_METADATA = 2,
	KL_ERR_ABORTABLE = 4, /* the transaction has to be aborted, then all is well */
};

struct kl_err_entry {
	int32_t code;
	int32_t flags;
	const char *name, *text;
};

extern const struct kl_err_entry kl_err_table[]; /* ascending by code */
extern const size_t kl_err_table_len;

/* NULL for a number that is nobody's. */
const struct kl_err_entry *kl_err_find(int code);

#endif
