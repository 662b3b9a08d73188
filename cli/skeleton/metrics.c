/* metrics @NAME@: where the figures go. The reference is <klamm/metrics.h>. */
#include <klamm/metrics.h>

#include <stdlib.h>

/* This one writes the counters to klamm's log, one line each. */

struct self {
	const struct klamm_host *host;
};

static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	struct self *self = calloc(1, sizeof(*self));
	if (self == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	self->host = host;
	*self_out = self;
	return 0;
}

static void my_close(void *self)
{
	free(self);
}

static int my_report(void *self_, const struct klamm_snapshot *snapshot,
		     struct klamm_error *err)
{
	const struct self *self = self_;
	for (size_t i = 0; i < snapshot->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(snapshot, i);
		char line[200];
		if (m->type != KLAMM_METRIC_COUNTER)
			continue;
		snprintf(line, sizeof(line), "%s %s = %lld", m->group, m->name,
			 (long long)m->integer);
		self->host->log(self->host, 2, line);
	}
	return 0;
}

KLAMM_PLUGIN(metrics, @NAME@) = {
	.head = {
		KLAMM_PLUGIN_HEAD(metrics, "@NAME@", "counters in the log"),
		.open = my_open,
		.close = my_close,
	},
	.report = my_report,
};
