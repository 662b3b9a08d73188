/* SPDX-License-Identifier: BSD-2-Clause */
/* An assignor that somebody else would write: a member that says it is worth three others gets
 * as many partitions as three. Each tells its weight when it joins. */
#include <klamm/assignor.h>

#include <stdlib.h>

struct conf {
	int32_t weight;
};

static const struct klamm_option options[] = {
	{.name = "assignor.weighted.weight", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, weight), .def = "1", .range = "1..100",
	 .doc = "How many ordinary members this one is worth."},
	{.name = NULL},
};

static int weighted_open(const struct klamm_host *host, const void *conf, void **self_out,
			 struct klamm_error *err)
{
	*self_out = malloc(sizeof(struct conf));
	if (*self_out == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	memcpy(*self_out, conf, sizeof(struct conf));
	return 0;
}

static const struct klamm_assign_member *member_at(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->members + i * in->member_size);
}

static const struct klamm_assign_topic *topic_at(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->topics + i * in->topic_size);
}

/* One byte; whoever tells something else counts as one. */
static int32_t weight_of(const struct klamm_assign_member *member)
{
	const uint8_t *told = member->user_data.data;
	return member->user_data.len == 1 && told[0] >= 1 && told[0] <= 100 ? told[0] : 1;
}

static bool reads(const struct klamm_assign_member *member, size_t topic)
{
	for (size_t i = 0; i < member->topic_count; i++)
		if (member->topics[i] == topic)
			return true;
	return false;
}

/* The reader that, with one more, has least for its weight; -1 = nobody reads the topic. */
static int32_t next_reader(const struct klamm_assign *in, size_t topic, const int64_t *given)
{
	int32_t best = -1;
	int64_t best_weight = 1;
	for (size_t m = 0; m < in->member_count; m++) {
		int64_t weight = weight_of(member_at(in, m));
		if (!reads(member_at(in, m), topic))
			continue;
		if (best >= 0 &&
		    (given[m] + 1) * best_weight >= (given[best] + 1) * weight)
			continue;
		best = (int32_t)m;
		best_weight = weight;
	}
	return best;
}

static int weighted_assign(void *self, const struct klamm_assign *in,
			   struct klamm_assign_answer *answer, struct klamm_error *err)
{
	int64_t *given = in->arena->alloc(in->arena, in->member_count * sizeof(*given));
	if (given == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu members",
				  in->member_count);
	for (size_t t = 0; t < in->topic_count; t++)
		for (int32_t p = 0; p < topic_at(in, t)->partition_count; p++) {
			int32_t reader = next_reader(in, t, given);
			answer->owner[t][p] = reader;
			if (reader >= 0)
				given[reader]++;
		}
	return 0;
}

static int weighted_user_data(void *self, const char *const *topics, size_t topic_count,
			      struct klamm_out *out, struct klamm_error *err)
{
	const struct conf *conf = self;
	uint8_t weight = (uint8_t)conf->weight;
	int rc = klamm_out_append(out, &weight, 1);
	return rc == 0 ? 0 : klamm_out_error(out, 1, err);
}

KLAMM_PLUGIN(assignor, weighted) = {
	.head = {
		KLAMM_PLUGIN_HEAD(assignor, "weighted", "more to those that say they can"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = weighted_open,
		.close = free,
	},
	.protocol_name = "weighted",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = weighted_assign,
	.user_data = weighted_user_data,
};
