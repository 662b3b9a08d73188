/* SPDX-License-Identifier: BSD-2-Clause */
/* Round robin, as Java's RoundRobinAssignor: all partitions of all topics in order,
 * dealt out to the members in turn; who does not read a topic is passed over. No state.
 */
#include "plugins/common/assign.h"

/* The first reader of a topic at a place or behind it; the first of all when there is
 * none. */
static uint32_t reader_from(const struct group *g, size_t topic, uint32_t place)
{
	uint32_t low = g->first_reader[topic], high = g->first_reader[topic + 1];
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (g->readers[middle] < place)
			low = middle + 1;
		else
			high = middle;
	}
	return low < g->first_reader[topic + 1] ? low : g->first_reader[topic];
}

static int roundrobin_assign(void *self, const struct klamm_assign *in,
			     struct klamm_assign_answer *answer,
			     struct klamm_error *err)
{
	struct group g;
	int rc = group_init(&g, in, NULL, err);
	uint32_t turn = 0;
	if (rc != 0)
		return rc;
	for (size_t t = 0; t < in->topic_count; t++) {
		if (group_partitions(&g, t) == 0)
			continue;
		uint32_t next = reader_from(&g, t, turn);
		for (uint32_t p = 0; p < group_partitions(&g, t); p++) {
			answer->owner[t][p] = (int32_t)g.readers[next];
			turn = g.readers[next] + 1;
			if (++next == g.first_reader[t + 1])
				next = g.first_reader[t];
		}
	}
	return 0;
}

KLAMM_PLUGIN(assignor, roundrobin) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "roundrobin",
				   "all partitions dealt out in turn")},
	.protocol_name = "roundrobin",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = roundrobin_assign,
};
