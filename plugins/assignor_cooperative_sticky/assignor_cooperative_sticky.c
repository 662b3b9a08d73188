/* SPDX-License-Identifier: BSD-2-Clause */
/* Sticky for members that keep their partitions while they join (KIP-429), as Java's
 * CooperativeStickyAssignor: what is to move goes to nobody at first; its owner sees
 * that, lets it go and joins anew, and then the other one gets it. */
#include "plugins/common/sticky_assign.h"

struct memory {
	int32_t generation; /* of the last assignment */
};

/* Members of before KIP-792 tell their generation in four bytes of user data, if at
 * all. */
static int32_t generation_of(const struct klamm_assign_member *member)
{
	if (member->generation >= 0)
		return member->generation;
	struct sticky_bytes b = {.p = member->user_data.data};
	if (b.p == NULL)
		return NO_GENERATION;
	b.end = b.p + member->user_data.len;
	int32_t generation = sticky_read_i32(&b);
	return b.failed ? NO_GENERATION : generation;
}

static bool take_claim(struct sticky *s, const struct klamm_assign_member *member,
		       struct claim *claim)
{
	claim->generation = generation_of(member);
	if (!sticky_claim_room(s, claim, member->owned_count))
		return false;
	for (size_t i = 0; i < member->owned_count; i++)
		sticky_claim_add(s, claim, member->owned[i].topic,
				 member->owned[i].partition);
	return true;
}

/* With unlike subscriptions: what somebody has, though not the one it is for. */
static bool find_moves(struct sticky *s)
{
	const struct group *g = &s->group;
	bool *stays = group_alloc(g->in, g->partition_count, sizeof(*stays));
	if (stays == NULL)
		return false;
	for (uint32_t m = 0; m < s->count; m++)
		for (uint32_t i = 0; i < s->claims[m].count; i++) {
			uint32_t p = s->claims[m].partitions[i];
			s->moves[p] = true;
			stays[p] |= s->owner[p] == (int32_t)m;
		}
	for (uint32_t p = 0; p < g->partition_count; p++)
		s->moves[p] &= !stays[p];
	return true;
}

static int cooperative_assign(void *self, const struct klamm_assign *in,
			      struct klamm_assign_answer *answer,
			      struct klamm_error *err)
{
	struct sticky s;
	int rc = sticky_init(&s, in, err);
	if (rc != 0 || s.group.partition_count == 0)
		return rc;
	for (uint32_t m = 0; m < s.count; m++)
		if (!take_claim(&s, sticky_member(&s, m), &s.claims[m]))
			return group_no_memory(in, err);
	rc = sticky_assign_claimed(&s, err);
	if (rc != 0)
		return rc;
	if (!sticky_is_equal(&s) && !find_moves(&s))
		return group_no_memory(in, err);
	for (uint32_t p = 0; p < s.group.partition_count; p++)
		if (s.moves[p])
			s.owner[p] = NOBODY;
	sticky_answer(&s, answer);
	return 0;
}

static int cooperative_user_data(void *self, const char *const *topics,
				 size_t topic_count, struct klamm_out *out,
				 struct klamm_error *err)
{
	const struct memory *memory = self;
	uint8_t bytes[4];
	sticky_store_i32(bytes, memory->generation);
	int rc = klamm_out_append(out, bytes, sizeof(bytes));
	return rc == 0 ? 0 : klamm_out_error(out, sizeof(bytes), err);
}

static void cooperative_told(void *self, const struct klamm_assignment *mine)
{
	struct memory *memory = self;
	memory->generation = mine->generation;
}

static int cooperative_open(const struct klamm_host *host, const void *conf,
			    void **self_out, struct klamm_error *err)
{
	struct memory *memory = malloc(sizeof(*memory));
	if (memory == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	memory->generation = NO_GENERATION;
	*self_out = memory;
	return 0;
}

KLAMM_PLUGIN(assignor, cooperative_sticky) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(assignor, "cooperative_sticky",
					  "sticky, and only what moves is given up"),
			.open = cooperative_open,
			.close = free,
		},
	.protocol_name = "cooperative-sticky",
	.protocols = KLAMM_REBALANCE_COOPERATIVE | KLAMM_REBALANCE_EAGER,
	.assign = cooperative_assign,
	.user_data = cooperative_user_data,
	.on_assignment = cooperative_told,
};
