/* SPDX-License-Identifier: BSD-2-Clause */
/* Filling struct klamm_error. err may be NULL everywhere; the code is returned, so that
 * `return kl_error(err, KLAMM_ERR_..., "...")` reads in one line. */
#ifndef KL_ERROR_H
#define KL_ERROR_H

#include <klamm/error.h>

#include "core/base/base.h"

/* Scope, stage, node and api get their usual values for the code. */
int kl_error(struct klamm_error *err, int code, const char *fmt, ...) KL_PRINTF(3, 4);
/* The text of err with "prefix: " before it. */
void kl_error_prefix(struct klamm_error *err, const char *fmt, ...) KL_PRINTF(2, 3);
void kl_error_clear(struct klamm_error *err);
/* Copy src into dst (if not NULL) and return its code. */
int kl_error_copy(struct klamm_error *dst, const struct klamm_error *src);

#endif
