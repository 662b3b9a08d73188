/* SPDX-License-Identifier: BSD-2-Clause */
/* The plugins of metric.reporters: each gets a snapshot at every interval, on the blocking
 * pool, and a last one when the client closes. One that is still at the one before is left
 * out; what fails is logged. Neither touches the client.
 */
#ifndef KL_REPORTERS_H
#define KL_REPORTERS_H

#include "core/conf/role_plugin.h"
#include "core/metrics/metrics.h"

struct kl_reporter;

/* All zeros: none. */
struct kl_reporters {
	struct klamm_loop *loop;
	const struct kl_log *log;
	struct kl_metrics *metrics;
	struct kl_gate *gate; /* the client's */
	int64_t interval;
	struct kl_timer timer;
	bool started;
	struct kl_reporter *v;
	size_t count;
	atomic_uint busy; /* reports under way */
};

/* On the thread that makes the client. log, gate and what conf holds outlive it. After a
 * failure too it ends with kl_reporters_close(). */
int kl_reporters_open(struct kl_reporters *reporters, struct klamm_conf *conf,
		      const struct kl_settings *settings, struct kl_host *host,
		      struct kl_metrics *metrics, struct kl_gate *gate,
		      struct klamm_error *err);
/* The loop: reports from now on. */
int kl_reporters_start(struct kl_reporters *reporters, struct klamm_error *err);
/* The loop: the last snapshot is taken, of what the client has come to. */
void kl_reporters_stop(struct kl_reporters *reporters);
/* [application threads] Wait for the last reports, and close the plugins. The loop is there
 * still. */
void kl_reporters_close(struct kl_reporters *reporters);

#endif
