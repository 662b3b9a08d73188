/* assignor @NAME@: who reads which partition. The reference is <klamm/assignor.h>. */
#include <klamm/assignor.h>

/* This one deals the partitions out in turn, to those who subscribed to their topic. */

static const struct klamm_assign_member *member(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->members + i * in->member_size);
}

static const struct klamm_assign_topic *topic(const struct klamm_assign *in, size_t i)
{
	return (const void *)((const char *)in->topics + i * in->topic_size);
}

static bool subscribes(const struct klamm_assign_member *m, size_t t)
{
	for (size_t i = 0; i < m->topic_count; i++)
		if (m->topics[i] == t)
			return true;
	return false;
}

static int my_assign(void *self, const struct klamm_assign *in,
		     struct klamm_assign_answer *answer, struct klamm_error *err)
{
	size_t turn = 0;
	for (size_t t = 0; t < in->topic_count; t++) {
		for (int32_t p = 0; p < topic(in, t)->partition_count; p++) {
			size_t tries = 0;
			while (tries < in->member_count &&
			       !subscribes(member(in, turn % in->member_count), t))
				turn++, tries++;
			if (tries == in->member_count)
				break;
			answer->owner[t][p] = (int32_t)(turn++ % in->member_count);
		}
	}
	return 0;
}

KLAMM_PLUGIN(assignor, @NAME@) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "@NAME@", "partitions in turn")},
	.protocol_name = "@NAME@",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = my_assign,
};
