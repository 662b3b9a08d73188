/* SPDX-License-Identifier: BSD-2-Clause */
/* A loop, settings and a scripted peer, for tests of nodes and the cluster. */
#ifndef BENCH_H
#define BENCH_H

#include "core/broker/cluster.h"
#include "core/conf/conf.h"
#include "tests/client/script.h"

extern struct kl_os bench_os; /* the real one, but for what a test replaces */
extern struct klamm_loop *bench_loop;
extern struct klamm_conf *bench_conf;
extern const struct kl_settings *bench_settings;
extern struct kl_slab_pool *bench_slabs;
extern struct script bench_script;

void bench_up(void);   /* fixtures; the script is not started yet */
void bench_down(void);
/* Keys that a test needs; call before the first use of settings: "key=value", ..., NULL. */
void bench_set(const char *pair, ...) __attribute__((sentinel));
/* The settings, for a role. */
void bench_configure(int32_t role);

/* Step the loop until ready(arg) or so many milliseconds have passed. */
bool bench_until(bool (*ready)(void *arg), void *arg, int ms);
void bench_run(int ms);

/* A request and what became of it. */
struct bench_call {
	struct kl_request request;
	struct kl_metadata_request metadata;
	int done;
	int code, version;
	bool maybe_applied, has_body;
	int64_t at_ms;
	struct klamm_error err;
};
/* Metadata for no topics. */
void bench_call_init(struct bench_call *call);
bool bench_call_done(void *call);

#endif
