/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/migrate.h"

#include "broker/batch_make.h"
#include "broker/embedded.h"

/* --- does it? --- */

static bool is_among(const struct kl_dev_modern_member *member,
		     struct kl_dev_modern_member *const *list, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (list[i] == member)
			return true;
	return false;
}

/* Does everybody else speak the classic protocol, and have place in a group of that? */
static bool is_left_classic(const struct kl_dev_group *group,
			    struct kl_dev_modern_member *const *gone, size_t n, size_t comes)
{
	struct kl_dev_modern_member *member, *next;
	size_t left = comes;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		if (is_among(member, gone, n))
			continue;
		if (!kl_dev_modern_is_classic(member))
			return false;
		left++;
	}
	return left > 0 && left <= (size_t)group->broker->limits.group_max_size &&
	       kl_dev_migrates(group->broker, KL_DEV_DOWNGRADES);
}

bool kl_dev_migrate_goes_down(const struct kl_dev_group *group,
			      struct kl_dev_modern_member *const *gone, size_t n)
{
	return is_left_classic(group, gone, n, 0);
}

bool kl_dev_migrate_goes_down_for(const struct kl_dev_group *group,
				  const struct kl_dev_modern_member *replaced)
{
	struct kl_dev_modern_member *gone = (struct kl_dev_modern_member *)replaced;
	return !kl_dev_modern_is_classic(replaced) && is_left_classic(group, &gone, 1, 1);
}

/* --- who stays --- */

/* What it offers is no part of the group's record. */
struct stays {
	struct kl_str id;
	struct kl_join_group_request_protocol *offers;
	int32_t offer_count;
	const struct kl_dev_modern_member *member;
};

struct down {
	struct kl_dev_group *group;
	struct kl_arena arena;
	struct stays *members;
	size_t count;
	struct kl_str id, protocol;
};

static bool copy(struct kl_arena *arena, struct kl_str *text)
{
	text->p = kl_arena_text(arena, text->p ?: "", (size_t)kl_max(text->len, 0));
	return text->p != NULL;
}

static bool copy_bytes(struct kl_arena *arena, struct kl_bytes *bytes)
{
	size_t n = (size_t)kl_max(bytes->len, 0);
	uint8_t *p = kl_arena_alloc(arena, n);
	if (p != NULL && n > 0)
		memcpy(p, bytes->p, n);
	bytes->p = p;
	return p != NULL;
}

/* With texts of its own: the member is gone when they are needed. */
static bool keep(struct down *down, const struct kl_dev_modern_member *member)
{
	const struct kl_consumer_group_member_metadata_value_classic *classic =
		kl_dev_modern_classic(member);
	int32_t n = classic->supported_protocols_n;
	struct stays *to = &down->members[down->count++];
	*to = (struct stays){
		.id = kl_dev_modern_id(member),
		.offers = kl_type_new(&kl_type_join_group_request_protocol, &down->arena,
				      (size_t)kl_max(n, 0)),
		.offer_count = n,
		.member = member,
	};
	bool ok = to->offers != NULL && copy(&down->arena, &to->id);
	for (int32_t i = 0; ok && i < n; i++) {
		to->offers[i].name = classic->supported_protocols[i].name;
		to->offers[i].metadata = classic->supported_protocols[i].metadata;
		ok = copy(&down->arena, &to->offers[i].name) &&
		     copy_bytes(&down->arena, &to->offers[i].metadata);
	}
	return ok;
}

static bool keep_all(struct down *down, struct kl_dev_modern_member *const *gone, size_t n)
{
	struct kl_dev_modern *modern = down->group->modern;
	struct kl_dev_modern_member *member, *next;
	down->members = kl_arena_array(&down->arena, HASH_COUNT(modern->members),
				       sizeof(*down->members));
	bool ok = down->members != NULL;
	HASH_ITER(hh, modern->members, member, next)
	{
		if (ok && !is_among(member, gone, n))
			ok = keep(down, member);
	}
	return ok;
}

/* --- what they are as a classic group --- */

static const struct kl_join_group_request_protocol *offer_of(const struct stays *member,
							     struct kl_str protocol)
{
	for (int32_t i = 0; i < member->offer_count; i++)
		if (kl_str_equal(member->offers[i].name, protocol))
			return &member->offers[i];
	return NULL;
}

static bool all_offer(const struct down *down, struct kl_str protocol)
{
	for (size_t i = 0; i < down->count; i++)
		if (offer_of(&down->members[i], protocol) == NULL)
			return false;
	return true;
}

/* The first of a member's protocols that all offer: its number among the first member's. */
static int vote_of(const struct down *down, const struct stays *member, uint32_t candidates)
{
	const struct stays *first = &down->members[0];
	for (int32_t i = 0; i < member->offer_count; i++)
		for (int32_t k = 0; k < kl_min(first->offer_count, KL_DEV_OFFERS_MAX); k++)
			if ((candidates & 1u << k) &&
			    kl_str_equal(member->offers[i].name, first->offers[k].name))
				return k;
	return 0;
}

/* As kl_dev_classic_vote(). */
static struct kl_str vote(const struct down *down)
{
	const struct stays *first = &down->members[0];
	size_t votes[KL_DEV_OFFERS_MAX] = {0};
	uint32_t candidates = 0;
	int winner = 0;
	for (int32_t k = 0; k < kl_min(first->offer_count, KL_DEV_OFFERS_MAX); k++)
		candidates |= (uint32_t)all_offer(down, first->offers[k].name) << k;
	for (size_t i = 0; i < down->count; i++)
		votes[vote_of(down, &down->members[i], candidates)]++;
	for (int k = 0; k < KL_DEV_OFFERS_MAX; k++)
		if (votes[k] > votes[winner])
			winner = k;
	return first->offer_count > 0 ? first->offers[winner].name : KL_STR("");
}

static bool fill_member(struct down *down, const struct stays *from,
			struct kl_group_metadata_value_member *to)
{
	const struct kl_consumer_group_member_metadata_value *about =
		from->member->about.value;
	const struct kl_join_group_request_protocol *offer = offer_of(from, down->protocol);
	to->member_id = from->id;
	to->group_instance_id = about->instance_id;
	to->client_id = about->client_id;
	to->client_host = about->client_host;
	to->rebalance_timeout = about->rebalance_timeout_ms;
	to->session_timeout = about->classic_member_metadata->session_timeout_ms;
	if (offer != NULL)
		to->subscription = offer->metadata;
	return kl_dev_embedded_write(down->group->broker, &from->member->target,
				     to->subscription, &down->arena, &to->assignment);
}

static bool put_group(struct down *down, struct kl_dev_batch *batch)
{
	struct kl_group_metadata_value value;
	kl_msg_init(&kl_msg_group_metadata_value, &value);
	value.protocol_type = KL_STR("consumer");
	value.generation = down->group->modern->epoch;
	value.protocol = down->protocol;
	value.leader = down->members[0].id;
	value.current_state_timestamp = batch->now_ms;
	value.members = kl_type_new(&kl_type_group_metadata_value_member, &down->arena,
				    down->count);
	bool ok = value.members != NULL;
	for (size_t i = 0; ok && i < down->count; i++)
		ok = fill_member(down, &down->members[i], &value.members[value.members_n++]);
	if (ok)
		kl_dev_classic_put(down->id, &value, batch);
	return ok;
}

/* The record has of each member the one protocol of the group. */
static bool offer_again(const struct down *down, struct kl_dev_group *group)
{
	for (size_t i = 0; i < down->count; i++) {
		struct kl_dev_member *member = kl_dev_member_find(group, down->members[i].id);
		if (member != NULL &&
		    !kl_dev_member_offer(member, down->members[i].offers,
					 down->members[i].offer_count))
			return false;
	}
	return true;
}

static int go_down(struct down *down, struct kl_dev_modern_member *const *gone, size_t n,
		   const char *reason)
{
	struct klamm_broker *broker = down->group->broker;
	struct kl_dev_partition *home = kl_dev_group_home(down->group);
	struct kl_dev_batch batch;
	if (home == NULL || !copy(&down->arena, &down->id) || !keep_all(down, gone, n))
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	down->protocol = vote(down);
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	down->group->type->put_tombstones(down->group, &batch);
	int rc = put_group(down, &batch) ? kl_dev_group_append(broker, home, &batch, -1, -1)
					 : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	if (rc != 0)
		return rc;
	struct kl_dev_group *group = kl_dev_group_find(broker, down->id);
	/* With less to vote for they find out when they join again, all the same. */
	if (!offer_again(down, group))
		reason = "rebalance, the broker is short of memory";
	kl_dev_classic_loaded(group);
	if (reason != NULL)
		kl_dev_classic_rebalance(group, reason);
	return 0;
}

int kl_dev_migrate_down(struct kl_dev_group *group, struct kl_dev_modern_member *const *gone,
			size_t n, const char *reason)
{
	struct down down = {.group = group, .id = kl_dev_group_id(group)};
	kl_log(&group->broker->loop->log, KL_LOG_INFO, "broker",
	       "group %s: its last member of KIP-848 is gone, and its members assign",
	       group->id);
	int rc = go_down(&down, gone, n, reason);
	kl_arena_free(&down.arena);
	return rc;
}
