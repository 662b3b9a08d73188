/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/reach.h"

struct reach {
	struct kl_cluster *cluster;
	struct kl_gate *gate;
	unsigned answers, refusals; /* when it began */
	bool (*is_over)(void *arg);
	void *arg;
};

/* In the loop. */
static void ask(void *arg)
{
	struct reach *reach = arg;
	reach->cluster->told = reach->gate;
	kl_cluster_refresh(reach->cluster, NULL);
}

static bool is_answered(const struct reach *reach)
{
	return atomic_load(&reach->cluster->answers) != reach->answers;
}

static bool has_ended(void *arg)
{
	const struct reach *reach = arg;
	return is_answered(reach) ||
	       atomic_load(&reach->cluster->refusals) != reach->refusals ||
	       (reach->is_over != NULL && reach->is_over(reach->arg));
}

int kl_cluster_reach(struct kl_cluster *cluster, struct kl_gate *gate,
		     bool (*is_over)(void *arg), void *arg, int64_t deadline,
		     struct klamm_error *err)
{
	struct klamm_loop *loop = cluster->nodes.loop;
	struct reach reach = {cluster, gate, atomic_load(&cluster->answers),
			      atomic_load(&cluster->refusals), is_over, arg};
	kl_loop_call(loop, ask, &reach);
	kl_loop_wait(loop, gate, has_ended, &reach, deadline);
	return is_answered(&reach) ? 0
				   : kl_cluster_ask_why(cluster, err, "reaching the cluster");
}
