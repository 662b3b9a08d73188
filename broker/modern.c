/* SPDX-License-Identifier: BSD-2-Clause */
/* Modern groups as one type of groups: their members, and what requests of all types ask. */
#include "broker/modern.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/groups.h"
#include "broker/offsets.h"
#include "core/base/bug.h"

/* Who commits as a member must know epochs. */
#define KNOWS_EPOCHS 9

/* What a member counts for besides its texts. */
#define MEMBER_BYTES (sizeof(struct kl_dev_modern_member) + 512)

/* --- members --- */

struct kl_dev_modern_member *kl_dev_modern_find(const struct kl_dev_group *group,
						struct kl_str id)
{
	struct kl_dev_modern_member *member = NULL;
	if (id.len > 0)
		HASH_FIND(hh, group->modern->members, id.p, (unsigned)id.len, member);
	return member;
}

struct kl_dev_modern_member *kl_dev_modern_static(const struct kl_dev_group *group,
						  struct kl_str instance)
{
	struct kl_dev_modern_member *member = NULL;
	if (instance.len >= 0)
		HASH_FIND(hh_static, group->modern->statics, instance.p,
			  (unsigned)instance.len, member);
	return member;
}

static bool add_static(struct kl_dev_modern_member *member,
		       const struct kl_dev_modern_about *about)
{
	struct kl_str instance =
		about->value != NULL ? about->value->instance_id : KL_STR_NULL;
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	if (instance.len >= 0)
		HASH_ADD_KEYPTR(hh_static, member->group->modern->statics, instance.p,
				(unsigned)instance.len, member);
	member->is_static = added && instance.len >= 0;
	return added;
}

static void drop_static(struct kl_dev_modern_member *member)
{
	if (member->is_static)
		HASH_DELETE(hh_static, member->group->modern->statics, member);
	member->is_static = false;
}

bool kl_dev_modern_say(struct kl_dev_modern_member *member,
		       const struct kl_dev_modern_about *about)
{
	struct kl_dev_modern_about *old = &member->about;
	drop_static(member);
	if (!add_static(member, about)) {
		add_static(member, old); /* in the place that this one had */
		return false;
	}
	kl_dev_groups_give(member->group->broker, old->bytes.len);
	kl_dev_groups_count(member->group->broker, about->bytes.len);
	member->bytes += about->bytes.len - old->bytes.len;
	kl_arena_free(&old->arena);
	*old = *about;
	return true;
}

static void free_member(struct kl_dev_modern_member *member)
{
	struct klamm_loop *loop = member->group->broker->loop;
	drop_static(member);
	kl_timer_drop(loop, &member->session);
	kl_timer_drop(loop, &member->join);
	kl_timer_drop(loop, &member->sync);
	kl_timer_drop(loop, &member->rebalance);
	kl_arena_free(&member->about.arena);
	kl_dev_parts_free(&member->has);
	kl_dev_parts_free(&member->gives);
	kl_dev_parts_free(&member->target);
	kl_dev_groups_give(member->group->broker, member->bytes);
	free(member);
}

/* false: out of memory. */
static bool make_timers(struct kl_dev_modern_member *member)
{
	struct klamm_loop *loop = member->group->broker->loop;
	return kl_timer_init(loop, &member->session, kl_dev_modern_on_session, NULL) == 0 &&
	       kl_timer_init(loop, &member->join, kl_dev_modern_on_join, NULL) == 0 &&
	       kl_timer_init(loop, &member->sync, kl_dev_modern_on_sync, NULL) == 0 &&
	       kl_timer_init(loop, &member->rebalance, kl_dev_modern_on_rebalance, NULL) == 0;
}

void kl_dev_modern_make_id(struct klamm_broker *broker, char id[static KL_UUID_TEXT])
{
	struct klamm_uuid uuid;
	struct kl_os *os = broker->loop->os;
	os->random(os, &uuid, sizeof(uuid));
	kl_uuid_text(&uuid, id);
}

bool kl_dev_modern_is_held(const struct kl_dev_group *group, const struct klamm_uuid *topic,
			   int32_t index, const struct kl_dev_modern_member *but)
{
	struct kl_dev_modern_member *member, *next;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		if (member != but &&
		    (kl_dev_parts_find(&member->has, topic, index) != NULL ||
		     kl_dev_parts_find(&member->gives, topic, index) != NULL))
			return true;
	}
	return false;
}

struct kl_dev_modern_member *kl_dev_modern_add(struct kl_dev_group *group, struct kl_str id)
{
	struct klamm_broker *broker = group->broker;
	size_t bytes = MEMBER_BYTES + (size_t)id.len;
	struct kl_dev_modern_member *member =
		calloc(1, sizeof(*member) + (size_t)id.len + 1);
	if (member == NULL)
		return NULL;
	kl_dev_groups_count(broker, bytes);
	member->group = group;
	member->bytes = bytes;
	memcpy(member->id, id.p, (size_t)id.len);
	member->id_len = id.len;
	bool added = make_timers(member);
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	if (added)
		HASH_ADD(hh, group->modern->members, id, (unsigned)id.len, member);
	if (added)
		return member;
	free_member(member);
	return NULL;
}

void kl_dev_modern_drop(struct kl_dev_modern_member *member)
{
	HASH_DEL(member->group->modern->members, member);
	free_member(member);
}

/* --- patterns and assignors --- */

struct kl_str
kl_dev_modern_pattern(const struct kl_consumer_group_member_metadata_value *about)
{
	return about != NULL ? about->subscribed_topic_regex : KL_STR_NULL;
}

struct kl_dev_modern_regex *kl_dev_modern_regex(const struct kl_dev_group *group,
						struct kl_str text)
{
	struct kl_dev_modern_regex *regex = NULL;
	if (text.len > 0)
		HASH_FIND(hh, group->modern->regexes, text.p, (unsigned)text.len, regex);
	return regex;
}

void kl_dev_modern_drop_regex(struct kl_dev_group *group, struct kl_dev_modern_regex *regex)
{
	HASH_DEL(group->modern->regexes, regex);
	kl_dev_groups_give(group->broker, regex->bytes);
	kl_arena_free(&regex->arena);
	free(regex);
}

int32_t kl_dev_modern_regex_uses(const struct kl_dev_group *group, struct kl_str text,
				 const struct kl_dev_modern_member *but)
{
	struct kl_dev_modern_member *member, *next;
	int32_t n = 0;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		if (member != but &&
		    kl_str_equal(kl_dev_modern_pattern(member->about.value), text))
			n++;
	}
	return n;
}

struct kl_str
kl_dev_modern_assignor(const struct kl_dev_group *group,
		       const struct kl_dev_modern_member *member,
		       const struct kl_consumer_group_member_metadata_value *about)
{
	static const char *const names[] = {"uniform", "range"};
	int32_t most = 0;
	struct kl_str wanted = KL_STR_NULL;
	for (size_t i = 0; i < kl_countof(names); i++) {
		struct kl_dev_modern_member *each, *next;
		int32_t votes = 0;
		HASH_ITER(hh, group->modern->members, each, next)
		{
			const struct kl_consumer_group_member_metadata_value *says =
				each == member ? about : each->about.value;
			votes += says != NULL && kl_str_is(says->server_assignor, names[i]);
		}
		if (votes > most) {
			most = votes;
			wanted = kl_str(names[i]);
		}
	}
	return wanted;
}

static const struct {
	const char *first, *second, *text;
} assignors[] = {
	/* As KL_DEV_ASSIGNORS. */
	{"uniform", "range", "uniform, range"},
	{"range", "uniform", "range, uniform"},
	{"uniform", NULL, "uniform"},
	{"range", NULL, "range"},
};

bool kl_dev_modern_has_assignor(const struct klamm_broker *broker, struct kl_str name)
{
	int32_t i = broker->limits.modern_assignors;
	return kl_str_is(name, assignors[i].first) ||
	       (assignors[i].second != NULL && kl_str_is(name, assignors[i].second));
}

const char *kl_dev_modern_assignors(const struct klamm_broker *broker)
{
	return assignors[broker->limits.modern_assignors].text;
}

struct kl_str kl_dev_modern_default_assignor(const struct klamm_broker *broker)
{
	return kl_str(assignors[broker->limits.modern_assignors].first);
}

/* --- what all types have --- */

static const char *state(const struct kl_dev_group *group)
{
	const struct kl_dev_modern *modern = group->modern;
	struct kl_dev_modern_member *member, *next;
	if (modern->members == NULL)
		return "Empty";
	if (modern->epoch > modern->target_epoch)
		return "Assigning";
	HASH_ITER(hh, modern->members, member, next)
	{
		if (member->state != KL_DEV_MODERN_STABLE ||
		    member->epoch != modern->target_epoch)
			return "Reconciling";
	}
	return "Stable";
}

static struct kl_str protocol(const struct kl_dev_group *group)
{
	(void)group;
	return KL_STR("consumer");
}

static bool is_empty(const struct kl_dev_group *group)
{
	return group->modern->members == NULL;
}

/* Of one that is not the member's: members of the classic protocol call it a generation. */
static int error_of_epoch(const struct kl_dev_modern_member *member)
{
	return kl_dev_modern_is_classic(member) ? KLAMM_ERR_ILLEGAL_GENERATION
						: KLAMM_ERR_STALE_MEMBER_EPOCH;
}

static int check_commit(struct kl_dev_group *group, const struct kl_dev_committer *who)
{
	if (who->generation < 0 && is_empty(group))
		return 0;
	if (who->in_transaction && who->generation < 0 && who->member_id.len <= 0 &&
	    who->instance_id.len < 0)
		return 0;
	const struct kl_dev_modern_member *member = kl_dev_modern_find(group, who->member_id);
	if (KL_BUG(STALE_EPOCH))
		return 0;
	if (member == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	if (!who->in_transaction && who->version < KNOWS_EPOCHS &&
	    !kl_dev_modern_is_classic(member))
		return KLAMM_ERR_UNSUPPORTED_VERSION;
	return who->generation > member->epoch ? error_of_epoch(member) : 0;
}

/* An older epoch is good enough for what was the member's then already (KIP-1251). */
static int check_commit_part(const struct kl_dev_group *group,
			     const struct kl_dev_committer *who,
			     const struct klamm_uuid *topic, int32_t index)
{
	const struct kl_dev_modern_member *member = kl_dev_modern_find(group, who->member_id);
	if (member == NULL || who->generation == member->epoch || KL_BUG(STALE_EPOCH))
		return 0;
	const struct kl_dev_part *part = kl_dev_parts_find(&member->has, topic, index);
	if (part == NULL)
		part = kl_dev_parts_find(&member->gives, topic, index);
	return part == NULL || who->generation < part->epoch ? error_of_epoch(member) : 0;
}

static int check_fetch(const struct kl_dev_group *group, struct kl_str member_id,
		       int32_t epoch)
{
	if (member_id.len <= 0 && epoch < 0)
		return 0;
	const struct kl_dev_modern_member *member = kl_dev_modern_find(group, member_id);
	if (member == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	return epoch == member->epoch ? 0 : error_of_epoch(member);
}

static int check_delete(const struct kl_dev_group *group)
{
	(void)group;
	return 0;
}

static int64_t idle_since(const struct kl_dev_group *group,
			  const struct kl_dev_offset_value *value)
{
	(void)group;
	return value->committed_ms;
}

/* --- beginning and end --- */

bool kl_dev_modern_init(struct kl_dev_group *group)
{
	struct kl_dev_modern *modern = calloc(1, sizeof(*modern));
	if (modern == NULL)
		return false;
	modern->epoch = 1;
	group->type->clear(group, KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group->modern = modern;
	group->type = &kl_dev_modern_type;
	return true;
}

static void clear(struct kl_dev_group *group, int error)
{
	struct kl_dev_modern *modern = group->modern;
	struct kl_dev_modern_member *member, *next;
	struct kl_dev_modern_regex *regex, *next_regex;
	(void)error; /* nobody waits for an answer */
	HASH_ITER(hh, modern->members, member, next)
	{
		kl_dev_modern_drop(member);
	}
	HASH_ITER(hh, modern->regexes, regex, next_regex)
	{
		kl_dev_modern_drop_regex(group, regex);
	}
	free(modern);
	group->modern = NULL;
}

static void loaded(struct kl_dev_group *group)
{
	struct kl_dev_modern_member *member, *next;
	HASH_ITER(hh, group->modern->members, member, next)
	{
		kl_dev_modern_loaded(member);
	}
}

const struct kl_dev_group_type kl_dev_modern_type = {
	.name = "consumer",
	.state = state,
	.protocol = protocol,
	.is_empty = is_empty,
	.check_commit = check_commit,
	.check_commit_part = check_commit_part,
	.check_fetch = check_fetch,
	.check_delete = check_delete,
	.subscribes = kl_dev_modern_subscribes,
	.idle_since = idle_since,
	.put_tombstones = kl_dev_modern_put_no_group,
	.loaded = loaded,
	.clear = clear,
};
