/* SPDX-License-Identifier: BSD-2-Clause */
/* Log lines go to the application's function, or nowhere. Any thread. */
#ifndef KL_LOG_H
#define KL_LOG_H

#include <klamm/conf.h>

#include "core/base/base.h"

enum {
	KL_LOG_ERROR = 0,
	KL_LOG_WARN = 1,
	KL_LOG_INFO = 2,
	KL_LOG_DEBUG = 3,
	KL_LOG_TRACE = 4,
};

struct kl_log {
	klamm_log_fn fn;
	void *arg;
	int32_t level;
	bool traffic; /* wants every request and answer, whole */
};

/* level as of klamm_conf_log(); false: there is no such level. */
bool kl_log_init(struct kl_log *log, klamm_log_fn fn, void *arg, int32_t level);
static inline bool kl_log_on(const struct kl_log *log, int32_t level)
{
	return log != NULL && log->fn != NULL && level <= log->level;
}
/* where: "conn 3 (10.0.0.7:9092)", "metadata", ... Cut at 1 KiB. */
void kl_log(const struct kl_log *log, int32_t level, const char *where, const char *fmt, ...)
	KL_PRINTF(4, 5);

#endif
