/* SPDX-License-Identifier: BSD-2-Clause */
/* The leader of a classic group, and members, whose memory runs out: allocation n
 * fails, for every n, alone and with all that come behind it. Each call then works or
 * says so, and nothing is leaked. Prints TAP. */
#include <stdio.h>
#include <stdlib.h>

#include "core/consumer/assign.h"
#include "tests/sim/torture_memory.h"

#define MEMBERS         20
#define TOPICS          6
#define ALLOCATIONS_MAX 2000

static const char *const topics[TOPICS] = {"t0", "t1", "t2", "t3", "t4", "t5"};
static const char *const racks[] = {"a,b", "b,c", "c,a"};

static struct {
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
	struct kl_sim *sim;
	bool mixed, rest;
	const char *wrong; /* NULL = all was well */
	struct kl_buf subscriptions[MEMBERS];
	struct kl_joined joined[MEMBERS];
	char ids[MEMBERS][8];
} w;

static const char *no_option(void *arg, const char *key)
{
	return NULL;
}

static void begin(const char *name)
{
	struct klamm_error err;
	if (kl_host_init(&w.host, kl_os_real(), NULL, NULL, NULL, &err) == 0 &&
	    kl_plugin_load(KLAMM_KIND_ASSIGNOR, name, &(struct kl_plugin_search){0},
			   &w.plugin, &err) == 0 &&
	    kl_plugin_open(w.plugin, &w.host, "partition.assignment.strategy",
			   no_option, NULL, &w.instance, &err) == 0)
		return;
	printf("Bail out! %s\n", err.text);
	exit(1);
}

static void judge(int rc, const struct klamm_error *err)
{
	if (rc != 0 &&
	    (rc != KLAMM_ERR_NO_MEMORY || err->code != rc || err->text[0] == '\0'))
		w.wrong = "it fails, and does not say of what";
}

/* Member m joins with what it was told to have. */
static int join(size_t m)
{
	static const struct klamm_topic_partition had[] = {
		{"t0", 1}, {"t0", 2}, {"t1", 7}, {"t2", 3}};
	const char *mine[TOPICS];
	struct klamm_error err;
	struct kl_subscription s = {.topics = mine,
				    .owned = had,
				    .owned_count = m % 5,
				    .generation = (int32_t)m % 3,
				    .rack = m % 3 == 0 ? "a" : "b"};
	for (size_t t = 0; t < TOPICS; t++)
		if (!w.mixed || (t + m) % 3 != 0)
			mine[s.topic_count++] = topics[t];
	kl_assign_told(&w.instance,
		       &(struct kl_assigned){.partitions = had, .count = m % 5},
		       w.ids[m], s.generation);
	kl_buf_free(&w.subscriptions[m]);
	int rc = kl_assign_subscription(&s, KL_ASSIGN_VERSION, &w.instance,
					&w.subscriptions[m], &err);
	judge(rc, &err);
	w.joined[m] = (struct kl_joined){
		.id = kl_str(w.ids[m]),
		.instance_id = m % 4 == 0 ? kl_str(w.ids[m]) : KL_STR_NULL,
		.subscription = {w.subscriptions[m].data,
				 (int32_t)w.subscriptions[m].len},
	};
	return rc;
}

static void read_answer(const struct kl_assign_result *result)
{
	for (size_t m = 0; m < result->count; m++) {
		struct kl_arena arena = {0};
		struct kl_assigned mine;
		struct klamm_error err;
		int rc = kl_assign_parse(result->given[m].bytes, &arena, &mine, &err);
		judge(rc, &err);
		kl_arena_free(&arena);
	}
}

static void lead(void)
{
	const char *lists[64];
	struct klamm_assign_topic asked[TOPICS];
	struct klamm_error err;
	struct kl_assign_result result;
	struct kl_arena arena = {0};
	const char *const *names;
	size_t count;
	for (size_t p = 0; p < kl_countof(lists); p++)
		lists[p] = racks[p % 3];
	for (size_t t = 0; t < TOPICS; t++)
		asked[t] =
			(struct klamm_assign_topic){.name = topics[t],
						    .partition_count = 10 + (int32_t)t,
						    .racks = lists};
	judge(kl_assign_topics(w.joined, MEMBERS, &arena, &names, &count, &err), &err);
	kl_arena_free(&arena);
	struct kl_assign_question q = {
		.members = w.joined,
		.member_count = MEMBERS,
		.topics = asked,
		.topic_count = TOPICS,
		.cooperative =
			w.plugin->assignor.protocols & KLAMM_REBALANCE_COOPERATIVE,
		.assignor = &w.instance,
	};
	int rc = kl_assign_run(&q, &result, &err);
	judge(rc, &err);
	if (rc == 0)
		read_answer(&result);
	kl_assign_result_free(&result);
}

/* n 0: none fails. How many allocations there were; a member that could not join has
 * said so. */
static uint64_t once(uint64_t n)
{
	int64_t before = torture_live();
	torture_begin(w.sim, NULL, n, n == 0 ? 0 : w.rest ? UINT64_MAX / 2 : 1);
	bool joined = true;
	for (size_t m = 0; joined && m < MEMBERS; m++)
		joined = join(m) == 0;
	if (joined)
		lead();
	uint64_t asked = torture_end();
	for (size_t m = 0; m < MEMBERS; m++)
		kl_buf_free(&w.subscriptions[m]);
	/* What the instance remembers of the last one stays. */
	int64_t left = torture_live() - before;
	if (left > 1)
		w.wrong = "memory was not freed";
	return asked;
}

static void run(const char *name, int number)
{
	uint64_t asked = once(0), n;
	for (n = 1; w.wrong == NULL && n <= asked && n <= ALLOCATIONS_MAX; n++)
		once(n);
	printf("%sok %d - %s%s, %s: %llu allocations\n", w.wrong != NULL ? "not " : "",
	       number, name, w.mixed ? ", unlike subscriptions" : "",
	       w.rest ? "none from one on" : "one fails", (unsigned long long)asked);
	if (w.wrong != NULL)
		printf("# allocation %llu: %s\n", (unsigned long long)n - 1, w.wrong);
	w.wrong = NULL;
}

int main(void)
{
	static const char *const names[] = {"range", "roundrobin", "sticky",
					    "cooperative_sticky"};
	setenv("KLAMM_PLUGIN_PATH", SIM_PLUGINS, 0);
	w.sim = kl_sim_new(1, NULL);
	for (size_t m = 0; m < MEMBERS; m++)
		snprintf(w.ids[m], sizeof(w.ids[m]), "m%zu", m);
	int number = 0;
	for (size_t i = 0; i < kl_countof(names); i++) {
		begin(names[i]);
		for (int how = 0; how < 4; how++) {
			w.mixed = how & 1;
			w.rest = how & 2;
			run(names[i], ++number);
		}
		kl_plugin_close(&w.instance);
		kl_plugin_free(w.plugin);
		kl_host_free(&w.host);
	}
	printf("1..%d\n", number);
	kl_sim_free(w.sim);
	return 0;
}
