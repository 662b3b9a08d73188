/* SPDX-License-Identifier: BSD-2-Clause */
/* The job through klamm's public interface, on a loop of the caller's. */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <klamm/klamm.h>

#include "bench/job.h"

/* 0, or an error that was printed. With job->driven nobody else may step the loop; without,
 * it has its thread already. */
int load_run(struct job *job, struct klamm_loop *loop);

/* What the job's options ask for, for the caller's own loop. */
int load_conf(const struct job *job, struct klamm_conf **conf_out);

#endif
