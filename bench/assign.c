/* SPDX-License-Identifier: BSD-2-Clause */
/* What the leader of a classic group pays for an assignment: reading all subscriptions,
 * the assignor, and writing what each member gets.
 *
 *	bench/assign ASSIGNOR PARTITIONS MEMBERS [mixed] [racks] [again] [once]
 *
 * 30 topics of equal size. mixed: each member subscribes to ten of them; racks:
 * replicas in two racks out of three, members in one each; again: the members have what
 * they were given before, a tenth of them has left and as many are new; once: the
 * assignment is made one time and not five. Prints the milliseconds of the fastest;
 * bench/assign-gate counts instructions. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/consumer/assign.h"

#define TOPICS 30
#define NAME   32

static struct world {
	size_t partitions, members;
	bool mixed, racks, again;
	int rounds;
	struct klamm_assign_topic topics[TOPICS];
	char names[TOPICS][NAME];
	const char **lists;
	char (*ids)[NAME];
	struct kl_joined *joined;
	struct kl_buf *subscriptions;
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance leader;
} w;

static void die(const char *what)
{
	fprintf(stderr, "bench/assign: %s\n", what);
	exit(1);
}

static const char *no_option(void *arg, const char *key)
{
	return NULL;
}

static void open_instance(struct kl_instance *instance)
{
	struct klamm_error err;
	if (kl_plugin_open(w.plugin, &w.host, "partition.assignment.strategy",
			   no_option, NULL, instance, &err) != 0)
		die(err.text);
}

static void open_assignor(const char *name)
{
	struct klamm_error err;
	if (kl_host_init(&w.host, kl_os_real(), NULL, NULL, NULL, &err) != 0 ||
	    kl_plugin_load(KLAMM_KIND_ASSIGNOR, name, &(struct kl_plugin_search){0},
			   &w.plugin, &err) != 0)
		die(err.text);
	open_instance(&w.leader);
}

/* Without a pattern, which at some sizes would happen to fit and at others not. */
static size_t one_of_three(size_t i)
{
	return ((uint32_t)i * 2654435761u >> 16) % 3;
}

static void make_topics(void)
{
	static const char *const lists[] = {"rack-a,rack-b", "rack-b,rack-c",
					    "rack-c,rack-a"};
	size_t each = w.partitions / TOPICS;
	w.lists = calloc(each * TOPICS, sizeof(*w.lists));
	if (w.lists == NULL)
		die("out of memory");
	for (size_t i = 0; i < each * TOPICS; i++)
		w.lists[i] = lists[one_of_three(i)];
	for (size_t t = 0; t < TOPICS; t++) {
		snprintf(w.names[t], NAME, "a-topic-of-this-bench-%02zu", t);
		w.topics[t] = (struct klamm_assign_topic){
			.name = w.names[t],
			.partition_count = (int32_t)each,
			.racks = w.racks ? w.lists + t * each : NULL,
		};
	}
}

/* What member m of this generation says; had NULL: it is new. */
static void join(size_t m, const struct kl_assigned *had)
{
	static const char *const racks[] = {"rack-a", "rack-b", "rack-c"};
	const char *topics[TOPICS];
	struct kl_instance mine = {0};
	struct klamm_error err;
	struct kl_subscription s = {.topics = topics,
				    .generation = had != NULL ? 1 : -1,
				    .rack = w.racks ? racks[one_of_three(m + 77777)]
						    : NULL};
	for (size_t t = 0; t < TOPICS; t++)
		if (!w.mixed || (t + m * 7) % TOPICS < 10)
			topics[s.topic_count++] = w.names[t];
	open_instance(&mine);
	if (had != NULL) {
		kl_assign_told(&mine, had, w.ids[m], 1);
		s.owned = had->partitions;
		s.owned_count = had->count;
	}
	kl_buf_free(&w.subscriptions[m]);
	if (kl_assign_subscription(&s, KL_ASSIGN_VERSION, &mine, &w.subscriptions[m],
				   &err) != 0)
		die(err.text);
	kl_plugin_close(&mine);
	w.joined[m] = (struct kl_joined){
		.id = kl_str(w.ids[m]),
		.instance_id = KL_STR_NULL,
		.subscription = {w.subscriptions[m].data,
				 (int32_t)w.subscriptions[m].len},
	};
}

static void make_members(void)
{
	w.ids = calloc(w.members, sizeof(*w.ids));
	w.joined = calloc(w.members, sizeof(*w.joined));
	w.subscriptions = calloc(w.members, sizeof(*w.subscriptions));
	if (w.ids == NULL || w.joined == NULL || w.subscriptions == NULL)
		die("out of memory");
	for (size_t m = 0; m < w.members; m++) {
		snprintf(w.ids[m], NAME, "consumer-%08x",
			 (unsigned)(m * 2654435761u));
		join(m, NULL);
	}
}

/* The one thing that is measured; bench/assign-gate counts inside of it. */
__attribute__((noinline)) static void assign(struct kl_assign_result *result)
{
	struct klamm_error err;
	struct kl_assign_question q = {
		.members = w.joined,
		.member_count = w.members,
		.topics = w.topics,
		.topic_count = TOPICS,
		.cooperative =
			w.plugin->assignor.protocols & KLAMM_REBALANCE_COOPERATIVE,
		.assignor = &w.leader,
	};
	if (kl_assign_run(&q, result, &err) != 0)
		die(err.text);
}

static void come_again(const struct kl_assign_result *result)
{
	for (size_t m = 0; m < w.members; m++) {
		struct kl_arena arena = {0};
		struct kl_assigned had;
		struct klamm_error err;
		if (kl_assign_parse(result->given[m].bytes, &arena, &had, &err) != 0)
			die(err.text);
		join(m, m % 10 != 3 ? &had : NULL);
		kl_arena_free(&arena);
	}
}

static double now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec * 1e3 + (double)ts.tv_nsec / 1e6;
}

static void measure(void)
{
	struct kl_assign_result result;
	double best = 0;
	if (w.again) {
		assign(&result);
		come_again(&result);
		kl_assign_result_free(&result);
	}
	for (int i = 0; i < w.rounds; i++) {
		double begin = now_ms();
		assign(&result);
		double took = now_ms() - begin;
		best = i == 0 || took < best ? took : best;
		kl_assign_result_free(&result);
	}
	printf("ms=%.3f\n", best);
}

int main(int argc, char **argv)
{
	if (argc < 4)
		die("usage: bench/assign ASSIGNOR PARTITIONS MEMBERS [mixed] [racks] [again] "
		    "[once]");
	w.partitions = strtoul(argv[2], NULL, 10);
	w.members = strtoul(argv[3], NULL, 10);
	w.rounds = 5;
	for (int i = 4; i < argc; i++) {
		w.mixed |= strcmp(argv[i], "mixed") == 0;
		w.racks |= strcmp(argv[i], "racks") == 0;
		w.again |= strcmp(argv[i], "again") == 0;
		if (strcmp(argv[i], "once") == 0)
			w.rounds = 1;
	}
	if (w.partitions < TOPICS || w.members == 0)
		die("at least 30 partitions and a member");
	open_assignor(argv[1]);
	make_topics();
	make_members();
	measure();
	for (size_t m = 0; m < w.members; m++)
		kl_buf_free(&w.subscriptions[m]);
	free(w.subscriptions);
	free(w.joined);
	free(w.ids);
	free(w.lists);
	kl_plugin_close(&w.leader);
	kl_plugin_free(w.plugin);
	kl_host_free(&w.host);
	return 0;
}
