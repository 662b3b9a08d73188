/* SPDX-License-Identifier: BSD-2-Clause */
/* A reporter of the test's own, and short ways to a client's figures. */
#ifndef REPORTER_H
#define REPORTER_H

#include <klamm/klamm.h>
#include <stdatomic.h>

/* What it was given; user of klamm_conf_plugin(). */
struct reporter {
	/* --- set before --- */
	int64_t sleep_us; /* that a report takes, in the simulation */
	struct kl_sim *sim;
	int fails;      /* so many reports at first answer IO */
	bool waits;     /* until it is cancelled */
	/* --- seen --- */
	_Atomic int reports, last;
	int64_t at_us[64]; /* taken_us of each */
	int64_t wait_ms;   /* of the last call */
	char wrong[1000];   /* what kit_snapshots() says; "" = nothing */
	int opened, closed;
};

/* Offers it under this name, which metric.reporters may have then. */
void reporter_offer(struct klamm_conf *conf, const char *name, struct reporter *reporter);

/* A figure of a snapshot: the test fails when it is not there. */
double figure(const struct klamm_snapshot *snapshot, const char *group, const char *name);
double figure_of(const struct klamm_snapshot *snapshot, const char *group, const char *name,
		 const char *tag, const char *value);

struct klamm_snapshot *producer_figures(struct klamm_producer *producer);
struct klamm_snapshot *consumer_figures(struct klamm_consumer *consumer);

#endif
