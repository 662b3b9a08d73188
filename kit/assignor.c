/* SPDX-License-Identifier: BSD-2-Clause */
/* What an assignor must do: <klamm/assignor.h>. */
#include <stdio.h>
#include <stdlib.h>

#include "kit/inside.h"

#define MEMBERS 40
#define TOPICS 12
#define PARTITIONS 64
/* Behind each row of owners. */
#define EDGE 8
#define EDGE_OWNER 0x7a7a7a7a

/* Longer than this version's, as a later klamm may hand them out. */
struct member {
	struct klamm_assign_member now;
	uint8_t later[32];
};
struct topic {
	struct klamm_assign_topic now;
	uint8_t later[32];
};

enum {
	RACKS = 1,   /* brokers and members tell theirs */
	GARBAGE = 2, /* user_data of some other client's making */
	MIXED = 4,   /* members subscribe to different topics */
};

static const struct group {
	int members, topics, partitions; /* partitions of the first topic */
	unsigned flags;
} groups[] = {
	{1, 1, 1, 0},		 {3, 2, 7, 0},	       {5, 1, 2, 0},
	{3, 3, 4, MIXED},	 {3, 2, 7, RACKS},     {4, 4, 6, RACKS | MIXED},
	{3, 2, 7, GARBAGE},	 {1, 0, 0, 0},	       {MEMBERS, TOPICS, 37, 0},
	{MEMBERS, TOPICS, 37, RACKS | MIXED},
};

/* A question, its answer, and what both point to. */
struct round {
	struct klamm_assign in;
	struct klamm_assign_answer answer;
	struct member members[MEMBERS];
	struct topic topics[TOPICS];
	uint32_t subscribed[MEMBERS][TOPICS];
	struct klamm_owned owned[MEMBERS][TOPICS * PARTITIONS];
	char names[MEMBERS + TOPICS][24];
	const char *racks[TOPICS][PARTITIONS];
	int32_t owners[TOPICS][PARTITIONS + EDGE];
	int32_t *rows[TOPICS];
	struct klamm_span user_data[MEMBERS];
	struct kl_lent_arena arena;
	struct klamm_call call;
	struct kit_guard guard;
};

static const int32_t never;
static const char *const rack_names[] = {"a", "b", "c"};
static const char *const rack_lists[] = {"a,b", "b,c", "c,a", "a", "a,b,c"};

static bool subscribes(const struct group *group, int m, int t)
{
	return !(group->flags & MIXED) || (m + t) % 3 != 0;
}

static void fill_topics(struct round *r, const struct group *group)
{
	for (int t = 0; t < group->topics; t++) {
		struct klamm_assign_topic *topic = &r->topics[t].now;
		memset(&r->topics[t], 0xa5, sizeof(r->topics[t]));
		snprintf(r->names[MEMBERS + t], sizeof(r->names[0]), "topic-%02d", t);
		*topic = (struct klamm_assign_topic){
			.name = r->names[MEMBERS + t],
			/* One of them is not there (yet). */
			.partition_count = t == 2 ? 0 : kl_max(group->partitions - t, 1),
		};
		for (int p = 0; p < topic->partition_count; p++)
			r->racks[t][p] = rack_lists[(t + p) % 5];
		if (group->flags & RACKS)
			topic->racks = r->racks[t];
	}
}

static void fill_members(struct round *r, const struct group *group)
{
	static const char garbage[] = "\0\1\xff\xff\xff\x7f and more of it";
	for (int m = 0; m < group->members; m++) {
		struct klamm_assign_member *member = &r->members[m].now;
		memset(&r->members[m], 0xa5, sizeof(r->members[m]));
		snprintf(r->names[m], sizeof(r->names[0]), "member-%02d", m);
		*member = (struct klamm_assign_member){
			.member_id = r->names[m],
			.rack = group->flags & RACKS && m % 5 != 4 ? rack_names[m % 3] : NULL,
			.topics = r->subscribed[m],
			.owned = r->owned[m],
			.generation = -1,
		};
		for (int t = 0; t < group->topics; t++)
			if (subscribes(group, m, t))
				r->subscribed[m][member->topic_count++] = (uint32_t)t;
		size_t n = (size_t)m % sizeof(garbage);
		if (group->flags & GARBAGE)
			member->user_data = (struct klamm_span){
				kit_guard_put(&r->guard, garbage, n), n};
	}
}

static void fill_answer(struct round *r, const struct group *group)
{
	for (int t = 0; t < TOPICS; t++) {
		r->rows[t] = r->owners[t];
		int32_t count = t < group->topics ? r->topics[t].now.partition_count : 0;
		for (int p = 0; p < PARTITIONS + EDGE; p++)
			r->owners[t][p] = p < count ? -1 : EDGE_OWNER;
	}
	memset(r->user_data, 0, sizeof(r->user_data));
	r->answer = (struct klamm_assign_answer){
		.size = sizeof(r->answer), .owner = r->rows, .user_data = r->user_data};
}

static struct round *round_new(struct kit *k, const struct group *group)
{
	struct round *r = calloc(1, sizeof(*r));
	if (r == NULL || !kit_guard_init(&r->guard, 64)) {
		free(r);
		kit_say(k, "the kit is out of memory");
		return NULL;
	}
	kl_lent_arena_init(&r->arena, 0, NULL);
	r->call = (struct klamm_call){
		.size = sizeof(r->call), .wait_ms = -1, .cancelled = &never};
	fill_topics(r, group);
	fill_members(r, group);
	fill_answer(r, group);
	r->in = (struct klamm_assign){
		.size = sizeof(r->in),
		.member_size = sizeof(struct member),
		.topic_size = sizeof(struct topic),
		.members = &r->members[0].now,
		.member_count = (size_t)group->members,
		.topics = &r->topics[0].now,
		.topic_count = (size_t)group->topics,
		.arena = &r->arena.lent,
		.call = &r->call,
	};
	return r;
}

static void round_free(struct round *r)
{
	kl_lent_arena_free(&r->arena);
	kit_guard_free(&r->guard);
	free(r);
}

/* --- what is wrong with an answer --- */

static bool may_read(const struct round *r, int32_t m, uint32_t t)
{
	const struct klamm_assign_member *member = &r->members[m].now;
	for (size_t i = 0; i < member->topic_count; i++)
		if (member->topics[i] == t)
			return true;
	return false;
}

static bool is_read(const struct round *r, uint32_t t)
{
	for (size_t m = 0; m < r->in.member_count; m++)
		if (may_read(r, (int32_t)m, t))
			return true;
	return false;
}

/* The member that owns a partition by its own word, -1 = nobody does. */
static int32_t claimed_by(const struct round *r, uint32_t t, int32_t p)
{
	for (size_t m = 0; m < r->in.member_count; m++) {
		const struct klamm_assign_member *member = &r->members[m].now;
		for (size_t i = 0; i < member->owned_count; i++)
			if (member->owned[i].topic == t && member->owned[i].partition == p)
				return (int32_t)m;
	}
	return -1;
}

static const char *check_partition(struct kit *k, const struct round *r, uint32_t t, int32_t p)
{
	const struct klamm_assign_topic *topic = &r->topics[t].now;
	int32_t owner = r->owners[t][p], claim = claimed_by(r, t, p);
	bool moves = k->plugin->assignor.protocols & KLAMM_REBALANCE_COOPERATIVE;
	if (owner < -1 || owner >= (int32_t)r->in.member_count)
		return kit_say(k, "assign() gives %s-%d to member %d; there are %zu",
			       topic->name, p, owner, r->in.member_count);
	if (owner >= 0 && !may_read(r, owner, t))
		return kit_say(k, "assign() gives %s-%d to %s, who has not subscribed to it",
			       topic->name, p, r->names[owner]);
	if (moves && claim >= 0 && owner >= 0 && claim != owner)
		return kit_say(
			k,
			"assign() has %s-%d assigned twice: %s gets it while %s still has "
			"it; a cooperative assignor leaves it to nobody in this round",
			topic->name, p, r->names[owner], r->names[claim]);
	if (owner < 0 && is_read(r, t) && !(moves && claim >= 0))
		return kit_say(k, "assign() leaves %s-%d to nobody, with %zu members",
			       topic->name, p, r->in.member_count);
	return NULL;
}

static const char *check_answer(struct kit *k, const struct round *r)
{
	for (uint32_t t = 0; t < TOPICS; t++) {
		int32_t count = t < r->in.topic_count ? r->topics[t].now.partition_count : 0;
		for (int32_t p = 0; p < count; p++) {
			const char *text = check_partition(k, r, t, p);
			if (text != NULL)
				return text;
		}
		for (int32_t p = count; p < PARTITIONS + EDGE; p++)
			if (r->owners[t][p] != EDGE_OWNER)
				return kit_say(
					k,
					"assign() writes outside of a topic: an owner for "
					"partition %d of %d",
					p, count);
	}
	return NULL;
}

static const char *assign(struct kit *k, const struct kl_instance *instance, struct round *r)
{
	kit_step(k, "assign() for %zu members and %zu topics", r->in.member_count,
		 r->in.topic_count);
	int rc = k->plugin->assignor.assign(instance->self, &r->in, &r->answer, &k->err);
	if (rc != 0)
		return kit_say(k, "%s fails with %s: %s", k->step, klamm_err_name(rc),
			       k->err.text);
	return check_answer(k, r);
}

/* --- checks --- */

static const char *check_words(struct kit *k)
{
	const struct klamm_assignor_plugin *plugin = &k->plugin->assignor;
	if (plugin->protocol_name[0] == '\0')
		return kit_say(k, "protocol_name is empty");
	if (plugin->protocols & ~(KLAMM_REBALANCE_EAGER | KLAMM_REBALANCE_COOPERATIVE))
		return kit_say(k, "protocols is %#x, which has unknown bits",
			       plugin->protocols);
	return NULL;
}

const char *kit_assignor_whole(struct kit *k)
{
	struct kl_instance instance;
	const char *text = check_words(k);
	if (text == NULL)
		text = kit_open(k, NULL, &instance);
	for (size_t i = 0; text == NULL && i < kl_countof(groups); i++) {
		struct round *r = round_new(k, &groups[i]);
		if (r == NULL)
			return k->text;
		text = assign(k, &instance, r);
		round_free(r);
	}
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

/* The same question: the same answer, from whoever is asked. */
static const char *same_twice(struct kit *k, const struct kl_instance *a,
			      const struct kl_instance *b, const struct group *group)
{
	struct round *first = round_new(k, group), *second = round_new(k, group);
	if (first == NULL || second == NULL)
		return k->text;
	const char *text = assign(k, a, first);
	if (text == NULL)
		text = assign(k, b, second);
	if (text == NULL && memcmp(first->owners, second->owners, sizeof(first->owners)) != 0)
		text = kit_say(
			k, "assign() is unstable: the same question gets another answer%s",
			a != b ? " from another instance" : "");
	round_free(first);
	round_free(second);
	return text;
}

const char *kit_assignor_stable(struct kit *k)
{
	struct kl_instance a, b;
	const char *text = kit_open(k, NULL, &a);
	if (text == NULL)
		text = kit_open(k, NULL, &b);
	for (size_t i = 0; text == NULL && i < kl_countof(groups); i++) {
		text = same_twice(k, &a, &a, &groups[i]);
		if (text == NULL)
			text = same_twice(k, &a, &b, &groups[i]);
	}
	if (text != NULL)
		return text;
	kit_close(k, &a);
	kit_close(k, &b);
	return NULL;
}

/* What r was answered becomes what its members claim. */
static void claim(struct round *r, const struct group *group, int32_t generation)
{
	for (int m = 0; m < group->members; m++) {
		r->members[m].now.owned_count = 0;
		r->members[m].now.generation = generation;
	}
	for (uint32_t t = 0; t < r->in.topic_count; t++)
		for (int32_t p = 0; p < r->topics[t].now.partition_count; p++) {
			if (r->owners[t][p] < 0)
				continue;
			struct klamm_assign_member *member = &r->members[r->owners[t][p]].now;
			r->owned[r->owners[t][p]][member->owned_count++] =
				(struct klamm_owned){t, p};
		}
	fill_answer(r, group);
}

/* One member has everything, then others join, who may want other topics (KIP-429). */
static const char *move(struct kit *k, const struct kl_instance *instance,
			const struct group *group)
{
	const char *text = NULL;
	struct round *r = round_new(k, group);
	if (r == NULL)
		return k->text;
	for (uint32_t t = 0; t < r->in.topic_count; t++)
		memset(r->owners[t], 0,
		       sizeof(int32_t) * (size_t)r->topics[t].now.partition_count);
	for (int32_t generation = 1; text == NULL && generation < 4; generation++) {
		claim(r, group, generation);
		text = assign(k, instance, r);
	}
	for (uint32_t t = 0; text == NULL && t < r->in.topic_count; t++)
		for (int32_t p = 0; p < r->topics[t].now.partition_count; p++)
			if (r->owners[t][p] < 0 && is_read(r, t))
				text = kit_say(k,
					       "assign() leaves %s-%d to nobody, though "
					       "nothing has "
					       "to move any more",
					       r->topics[t].now.name, p);
	round_free(r);
	return text;
}

const char *kit_assignor_moves(struct kit *k)
{
	static const struct group moving[] = {
		{3, 2, 9, 0},
		{4, 4, 7, MIXED},
		{3, 2, 9, RACKS},
		{MEMBERS, TOPICS, 37, MIXED},
	};
	struct kl_instance instance;
	if (!(k->plugin->assignor.protocols & KLAMM_REBALANCE_COOPERATIVE))
		return kit_skip(k, "it is not cooperative");
	const char *text = kit_open(k, NULL, &instance);
	for (size_t i = 0; text == NULL && i < kl_countof(moving); i++)
		text = move(k, &instance, &moving[i]);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

/* What members tell reaches the leader through a network: whole, or cut anywhere. */
static const char *read_back(struct kit *k, const struct kl_instance *instance,
			     const struct klamm_out *told)
{
	const char *text = NULL;
	for (size_t n = 0; text == NULL && n <= kl_min(told->len, (size_t)64); n++) {
		struct round *r = round_new(k, &groups[1]);
		if (r == NULL)
			return k->text;
		const void *p = kit_guard_put(&r->guard, told->data, n);
		for (size_t m = 0; m < r->in.member_count; m++)
			r->members[m].now.user_data = (struct klamm_span){p, n};
		text = assign(k, instance, r);
		round_free(r);
	}
	return text;
}

static const char *use_user_data(struct kit *k, const struct kl_instance *instance)
{
	static const char *const topics[] = {"topic-00", "topic-01"};
	static const struct klamm_topic_partition partitions[] = {
		{.topic = "topic-00", .partition = 1}};
	const struct klamm_assignor_plugin *plugin = &k->plugin->assignor;
	struct kit_out out;
	kit_out_init(&out, 1 << 20);
	kit_step(k, "user_data()");
	int rc = 0;
	if (plugin->user_data != NULL)
		rc = plugin->user_data(instance->self, topics, 2, &out.out, &k->err);
	const char *text = kit_out_check(k, &out, "user_data()");
	if (text == NULL && rc != 0)
		text = kit_say(k, "user_data() fails with %s: %s", klamm_err_name(rc),
			       k->err.text);
	if (text == NULL)
		text = read_back(k, instance, &out.out);
	kit_out_free(&out);
	struct klamm_assignment mine = {
		.size = sizeof(mine),
		.partitions = partitions,
		.partition_count = 1,
		.user_data = {"\xff\xff\xff\x7f", 4},
		.member_id = "member-00",
		.generation = 2,
	};
	kit_step(k, "on_assignment()");
	if (plugin->on_assignment != NULL)
		plugin->on_assignment(instance->self, &mine);
	return text;
}

/* What other clients send, and what it tells them. */
const char *kit_assignor_foreign(struct kit *k)
{
	struct kl_instance instance;
	if (k->plugin->assignor.user_data == NULL && k->plugin->assignor.on_assignment == NULL)
		return kit_skip(k, "it sends no user data");
	const char *text = kit_open(k, NULL, &instance);
	/* Before and after it has been given something. */
	for (int i = 0; text == NULL && i < 2; i++)
		text = use_user_data(k, &instance);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

const char *kit_assignor_use(struct kit *k, struct kl_instance *instance)
{
	struct round *r = round_new(k, &groups[1]);
	if (r == NULL)
		return k->text;
	const char *text = assign(k, instance, r);
	round_free(r);
	return text != NULL ? text : use_user_data(k, instance);
}

static const char *assign_at_once(struct kit *k, void *arg, int thread)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	for (int round = 0; text == NULL && round < 20; round++)
		text = same_twice(k, &instance, &instance, &groups[(size_t)thread + 1]);
	if (text != NULL)
		return kit_say(k, "two instances at once disturb each other: %s", text);
	kit_close(k, &instance);
	return NULL;
}

const char *kit_assignor_together(struct kit *k)
{
	return kit_together(k, assign_at_once, NULL);
}
