/* SPDX-License-Identifier: BSD-2-Clause */
/* What members of a classic group tell each other: a leader with one of our assignors
 * takes subscriptions of anybody's making, user data and claims with them, and what it
 * answers is what the members read. And assignments of anybody's making. Input: which
 * assignor and how, then subscriptions with their lengths in two bytes; or, when the
 * first byte says so, an assignment. */
#include "core/consumer/assign.h"
#include "tests/fuzz/fuzz.h"

#define MEMBERS       12
#define TOPICS        4
#define AN_ASSIGNMENT 0xff

static const char *const names[] = {"range", "roundrobin", "sticky",
				    "cooperative_sticky"};
static const char *const topic_names[TOPICS] = {"t0", "t1", "t2", "t3"};
/* Racks of partitions, by number. */
static const char *const racks[] = {"a,b", "b", "c,a", NULL, "b,c", "a"};

static void read_assignment(const uint8_t *p, size_t n)
{
	struct kl_arena arena = {0};
	struct kl_assigned mine;
	struct klamm_error err = {0};
	int rc = kl_assign_parse((struct kl_bytes){p, (int32_t)n}, &arena, &mine, &err);
	fuzz_must(rc == 0 || (rc == KLAMM_ERR_PROTOCOL && err.text[0] != '\0'));
	for (size_t i = 0; i < mine.count; i++) {
		const struct klamm_topic_partition *at = &mine.partitions[i];
		fuzz_must(at->partition >= 0);
		int order = i > 0 ? strcmp(at[-1].topic, at->topic) : -1;
		fuzz_must(order < 0 ||
			  (order == 0 && at[-1].partition < at->partition));
	}
	const uint8_t *data = mine.user_data.data;
	fuzz_must(data == NULL ||
		  (data >= p && mine.user_data.len <= (size_t)(p + n - data)));
	kl_arena_free(&arena);
}

/* --- the leader --- */

struct group {
	struct kl_joined members[MEMBERS];
	char ids[MEMBERS][8], instances[MEMBERS][8];
	size_t member_count;
	struct klamm_assign_topic topics[TOPICS];
};

static void fill_topics(struct group *g, uint8_t how)
{
	for (size_t t = 0; t < TOPICS; t++)
		g->topics[t] = (struct klamm_assign_topic){
			.name = topic_names[TOPICS - 1 - t],
			.partition_count = (int32_t)((how >> (t + 2)) + t) % 7,
			.racks = how & 1 ? racks : NULL,
		};
}

static void fill_members(struct group *g, bool some_static, const uint8_t *p, size_t n)
{
	while (n >= 2 && g->member_count < MEMBERS) {
		size_t i = g->member_count++,
		       len = kl_min((size_t)kl_load_u16(p), n - 2);
		snprintf(g->ids[i], sizeof(g->ids[i]), "m%zu", (i * 5) % MEMBERS);
		snprintf(g->instances[i], sizeof(g->instances[i]), "i%zu", i % 3);
		g->members[i] = (struct kl_joined){
			.id = kl_str(g->ids[i]),
			.instance_id =
				kl_str(some_static && i % 2 ? g->instances[i] : NULL),
			.subscription = {p + 2, (int32_t)len},
		};
		p += 2 + len;
		n -= 2 + len;
	}
}

/* Each partition at most once, to those who want its topic. */
static void look_at(const struct group *g, const struct kl_assign_result *result)
{
	bool given[TOPICS][8] = {{false}};
	fuzz_must(result->count == g->member_count);
	for (size_t i = 0; i < result->count; i++) {
		struct kl_arena arena = {0};
		struct kl_assigned mine;
		const char *const *wanted;
		size_t wanted_count;
		fuzz_must(kl_str_equal(result->given[i].id, g->members[i].id));
		fuzz_must(kl_assign_parse(result->given[i].bytes, &arena, &mine,
					  NULL) == 0);
		fuzz_must(kl_assign_topics(&g->members[i], 1, &arena, &wanted,
					   &wanted_count, NULL) == 0);
		for (size_t k = 0; k < mine.count; k++) {
			const char *topic = mine.partitions[k].topic;
			bool *taken =
				&given[topic[1] - '0'][mine.partitions[k].partition];
			size_t w = 0;
			while (w < wanted_count && strcmp(wanted[w], topic) != 0)
				w++;
			fuzz_must(w < wanted_count && !*taken);
			*taken = true;
		}
		kl_arena_free(&arena);
	}
}

static struct kl_instance *assignor(uint8_t index)
{
	static struct fuzz_plugin *loaded[kl_countof(names)];
	size_t i = index % kl_countof(names);
	if (loaded[i] == NULL)
		loaded[i] = fuzz_plugin(KLAMM_KIND_ASSIGNOR, names[i],
					"partition.assignment.strategy");
	return &loaded[i]->instance;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t which = fuzz_take(&data, &size), how;
	if (which == AN_ASSIGNMENT) {
		read_assignment(data, size);
		return 0;
	}
	struct group g = {0};
	struct kl_assign_result result;
	struct klamm_error err = {0};
	how = fuzz_take(&data, &size);
	fill_topics(&g, how);
	fill_members(&g, how & 2, data, size);
	struct kl_assign_question q = {
		.members = g.members,
		.member_count = g.member_count,
		.topics = g.topics,
		.topic_count = TOPICS,
		.cooperative = which & 0x80,
		.assignor = assignor(which & 0x7f),
	};
	int rc = kl_assign_run(&q, &result, &err);
	if (rc != 0)
		fprintf(stderr, "%s\n", err.text);
	fuzz_must(rc == 0);
	look_at(&g, &result);
	kl_assign_result_free(&result);
	return 0;
}

/* --- changes: subscriptions that mostly can be read --- */

static void put_text(struct kl_buf *to, const char *text)
{
	kl_buf_i16(to, (int16_t)strlen(text));
	kl_buf_put(to, text, strlen(text));
}

static void put_owned(struct kl_buf *to, uint64_t *state)
{
	uint32_t topics = fuzz_below(state, 3);
	kl_buf_i32(to, (int32_t)topics);
	for (uint32_t i = 0; i < topics; i++) {
		uint32_t n = fuzz_below(state, 4);
		put_text(to, topic_names[fuzz_below(state, TOPICS)]);
		kl_buf_i32(to, (int32_t)n);
		while (n-- > 0)
			kl_buf_i32(to, (int32_t)fuzz_below(state, 8) - 1);
	}
}

/* As the sticky assignors of Java and kafka-python tell the leader. */
static void put_user_data(struct kl_buf *to, uint64_t *state)
{
	struct kl_buf data = {0};
	uint32_t what = fuzz_below(state, 5);
	if (what < 3)
		put_owned(&data, state);
	if (what < 2 || what == 3)
		kl_buf_i32(&data, (int32_t)fuzz_below(state, 4));
	kl_buf_i32(to, data.len > 0 ? (int32_t)data.len : -1);
	kl_buf_put(to, data.data, data.len);
	kl_buf_free(&data);
}

static void put_subscription(struct kl_buf *to, uint64_t *state)
{
	static const char *const own[] = {"", "a", "b", "c"};
	uint32_t version = fuzz_below(state, 5), topics = fuzz_below(state, TOPICS + 1);
	kl_buf_i16(to, (int16_t)version);
	kl_buf_i32(to, (int32_t)topics);
	uint32_t first = fuzz_below(state, 3) ? 0 : fuzz_below(state, TOPICS);
	for (uint32_t i = 0; i < topics; i++)
		put_text(to, topic_names[(first + i) % TOPICS]);
	put_user_data(to, state);
	if (version > 0)
		put_owned(to, state);
	if (version > 1)
		kl_buf_i32(to, (int32_t)fuzz_below(state, 4) - 1);
	if (version > 2)
		put_text(to, own[fuzz_below(state, 4)]);
}

static void put_group(struct kl_buf *to, uint64_t *state)
{
	uint32_t members = fuzz_below(state, MEMBERS + 1);
	kl_buf_u8(to, (uint8_t)(fuzz_below(state, 16) | (fuzz_below(state, 2) << 7)));
	kl_buf_u8(to, (uint8_t)fuzz_next(state));
	for (uint32_t i = 0; i < members; i++) {
		size_t at = to->len;
		kl_buf_i16(to, 0);
		put_subscription(to, state);
		if (!to->failed)
			kl_store_u16(to->data + at, (uint16_t)(to->len - at - 2));
	}
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint64_t state = seed;
	if (size > 0 && fuzz_below(&state, 4) > 0)
		return LLVMFuzzerMutate(data, size, max);
	struct kl_buf to = {0};
	if (fuzz_below(&state, 8) == 0) {
		kl_buf_u8(&to, AN_ASSIGNMENT);
		kl_buf_i16(&to, (int16_t)fuzz_below(&state, 4));
		put_owned(&to, &state);
		put_user_data(&to, &state);
	} else {
		put_group(&to, &state);
	}
	size = to.failed ? size : fuzz_replace(data, size, max, to.data, to.len);
	kl_buf_free(&to);
	return size;
}
