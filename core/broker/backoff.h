/* SPDX-License-Identifier: BSD-2-Clause */
/* Exponential backoff with jitter (KIP-580): min(max, base * 2^n) * (0.8 .. 1.2). */
#ifndef KL_BACKOFF_H
#define KL_BACKOFF_H

#include "core/os/os.h"

/* Microseconds to wait after n failures in a row (n from 0); base and max in milliseconds. */
static inline int64_t kl_backoff(struct kl_os *os, int64_t base_ms, int64_t max_ms, unsigned n)
{
	int64_t ms = kl_max(base_ms, (int64_t)0);
	for (unsigned i = 0; i < n && ms < max_ms; i++)
		ms *= 2;
	ms = kl_max(kl_min(ms, kl_max(max_ms, base_ms)), (int64_t)0);
	uint64_t spread = (uint64_t)ms * KL_MS * 4 / 10; /* 0.8 + 0.4 * random */
	return ms * KL_MS * 8 / 10 + (int64_t)kl_os_random_below(os, spread + 1);
}

#endif
