/* SPDX-License-Identifier: BSD-2-Clause */
/* Which fault strikes a connection, and at which byte: by the test's rules, then by chance. */
#include <stdlib.h>

#include "core/os/sim_sock.h"

void kl_sim_rule(struct kl_sim *sim, const struct kl_sim_rule *what)
{
	struct rule *rule = kl_sim_alloc(sizeof(*rule));
	rule->what = *what;
	kl_list_push(&sim->rules, &rule->link);
}

void kl_sim_tamper(struct kl_sim *sim,
		   void (*fn)(void *arg, const struct kl_sim_node *from,
			      const struct kl_sim_node *to, uint8_t *p, size_t n),
		   void *arg)
{
	sim->tamper = fn;
	sim->tamper_arg = arg;
}

static bool matches(const struct kl_sim_rule *what, const struct conn *conn)
{
	return (what->from == NULL || what->from == conn->nodes[0]) &&
	       (what->to == NULL || what->to == conn->nodes[1]) &&
	       (what->port == 0 || what->port == conn->to.port);
}

void kl_sim_rules_take(struct conn *conn)
{
	kl_list_for_safe(rule, &conn->sim->rules, struct rule, link) {
		if (rule->what.of_all || !matches(&rule->what, conn))
			continue;
		if (rule->what.skip > 0) {
			rule->what.skip--;
			continue;
		}
		kl_list_remove(&rule->link);
		kl_list_push(&conn->rules, &rule->link);
	}
}

static int by_chance(struct kl_sim *sim)
{
	const struct kl_sim_faults *f = &sim->faults;
	uint64_t total = (uint64_t)f->reset + f->finish + f->stall + f->flip + f->inject;
	if (total == 0)
		return -1;
	uint64_t v = kl_sim_draw(sim, KL_SIM_NET, 1000000);
	const struct {
		uint32_t rate;
		enum kl_sim_cut cut;
	} kinds[] = {
		{f->reset, KL_SIM_CUT_RESET}, {f->finish, KL_SIM_CUT_FINISH},
		{f->stall, KL_SIM_CUT_STALL}, {f->flip, KL_SIM_CUT_FLIP},
		{f->inject, KL_SIM_CUT_INJECT},
	};
	for (size_t i = 0; i < kl_countof(kinds); i++) {
		if (v < kinds[i].rate)
			return (int)kinds[i].cut;
		v -= kinds[i].rate;
	}
	return -1;
}

/* A rule for the bytes of all connections, which these n are some of. */
static bool strikes(struct rule *rule, const struct pipe *pipe, size_t n, size_t *at_out)
{
	const struct kl_sim_rule *what = &rule->what;
	if (!what->of_all || what->answer != (pipe->from == 1) || !matches(what, pipe->conn))
		return false;
	*at_out = what->after_bytes - rule->seen;
	rule->seen += n;
	return *at_out < n;
}

static int end_rule(struct rule *rule)
{
	int cut = (int)rule->what.cut;
	kl_list_remove(&rule->link);
	free(rule);
	return cut;
}

int kl_sim_fault_next(struct pipe *pipe, size_t n, size_t *at_out)
{
	struct conn *conn = pipe->conn;
	kl_list_for(rule, &conn->rules, struct rule, link) {
		const struct kl_sim_rule *what = &rule->what;
		if (what->answer != (pipe->from == 1) || what->after_bytes < pipe->sent ||
		    what->after_bytes - pipe->sent >= n)
			continue;
		*at_out = what->after_bytes - pipe->sent;
		return end_rule(rule);
	}
	kl_list_for_safe(rule, &conn->sim->rules, struct rule, link)
		if (strikes(rule, pipe, n, at_out))
			return end_rule(rule);
	int cut = by_chance(conn->sim);
	if (cut >= 0)
		*at_out = kl_sim_draw(conn->sim, KL_SIM_NET, n);
	return cut;
}
