/* SPDX-License-Identifier: BSD-2-Clause */
/* Is the cluster within reach? For the calls of that name. */
#ifndef KL_REACH_H
#define KL_REACH_H

#include "core/broker/cluster.h"

/* [application threads] Have brokers asked for metadata, and wait until one answers, refuses
 * to let this client in, or is_over(arg) (NULL = nothing else ends it). gate: the client's,
 * which is told of every answer from now on. */
int kl_cluster_reach(struct kl_cluster *cluster, struct kl_gate *gate,
		     bool (*is_over)(void *arg), void *arg, int64_t deadline,
		     struct klamm_error *err);

#endif
