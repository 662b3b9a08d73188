/* SPDX-License-Identifier: BSD-2-Clause */
/* What a member of a classic group has done on a worker, as assignors may compute for long:
 * one thing at a time, and what nobody wants any more is dropped when it is done. */
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/assign_racks.h"
#include "core/consumer/classic_member.h"
#include "core/consumer/consumer.h"
#include "core/consumer/pattern.h"

/* --- the assignors --- */

static int check_assignors(struct kl_classic *k, struct klamm_error *err)
{
	uint32_t common = KLAMM_REBALANCE_EAGER | KLAMM_REBALANCE_COOPERATIVE;
	for (size_t i = 0; i < k->assignor_count; i++) {
		const struct klamm_assignor_plugin *own = &k->assignors[i].plugin->assignor;
		common &= own->protocols;
		for (size_t j = 0; j < i; j++)
			if (strcmp(k->assignors[j].plugin->assignor.protocol_name,
				   own->protocol_name) == 0)
				return kl_error(err, KLAMM_ERR_CONFIG,
						"partition.assignment.strategy: two assignors "
						"are called \"%s\"",
						own->protocol_name);
	}
	k->cooperative = (common & KLAMM_REBALANCE_COOPERATIVE) != 0;
	if (common == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"partition.assignment.strategy: its assignors have no way of "
				"rebalancing (eager, cooperative) in common");
	return 0;
}

int kl_classic_open_assignors(struct kl_classic *k, struct klamm_error *err)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	const struct kl_strlist *names = &c->settings->partition_assignment_strategy;
	if (names->n == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"partition.assignment.strategy: names no assignor, which a "
				"subscription needs");
	k->assignors = calloc(names->n, sizeof(*k->assignors));
	k->tell = calloc(names->n, sizeof(*k->tell));
	k->job.told = calloc(names->n, sizeof(*k->job.told));
	if (k->assignors == NULL || k->tell == NULL || k->job.told == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a member");
	for (size_t i = 0; i < names->n; i++) {
		k->assignor_count = i + 1;
		int rc = kl_role_open(c->conf, c->settings, KLAMM_KIND_ASSIGNOR, names->v[i],
				      &c->host, "partition.assignment.strategy",
				      &k->assignors[i], err);
		if (rc != 0)
			return rc;
	}
	return check_assignors(k, err);
}

void kl_classic_close_assignors(struct kl_classic *k)
{
	for (size_t i = 0; i < k->assignor_count; i++) {
		kl_role_close(&k->assignors[i]);
		kl_buf_free(&k->tell[i]);
		kl_buf_free(&k->job.told[i]);
	}
	free(k->assignors);
	free(k->tell);
	free(k->job.told);
}

/* --- on the worker --- */

static int run_tell(struct kl_classic *k, struct kl_classic_job *job)
{
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < k->assignor_count; i++) {
		kl_buf_clear(&job->told[i]);
		rc = kl_assign_subscription(&job->subscription, KL_ASSIGN_VERSION,
					    &k->assignors[i].instance, &job->told[i],
					    &job->err);
	}
	return rc;
}

static int run_hear(struct kl_classic *k, struct kl_classic_job *job)
{
	int rc = kl_assign_parse(job->bytes, &job->arena, &job->assigned, &job->err);
	if (rc == 0)
		kl_assign_told(&k->chosen->instance, &job->assigned, job->id, job->generation);
	return rc;
}

static void run(struct kl_job *base, unsigned index)
{
	struct kl_classic_job *job = kl_container(base, struct kl_classic_job, job);
	struct kl_classic *k = kl_container(job, struct kl_classic, job);
	(void)index;
	switch (job->work) {
	case KL_WORK_NONE:
		break;
	case KL_WORK_TELL:
		job->rc = run_tell(k, job);
		break;
	case KL_WORK_TOPICS:
		job->rc = kl_assign_topics(k->joined, k->joined_count, &job->arena,
					   &job->topics, &job->topic_count, &job->err);
		break;
	case KL_WORK_ASSIGN:
		job->rc = kl_assign_run(&job->question, &job->result, &job->err);
		break;
	case KL_WORK_HEAR:
		job->rc = run_hear(k, job);
		break;
	}
}

/* --- what is found --- */

static void fail(struct kl_classic *k, int code)
{
	kl_error_prefix(&k->err, "group %.100s", kl_classic_consumer(k)->group.id);
	kl_classic_on(k, kl_classic_verdict(KL_CLASSIC_JOIN_GROUP, code));
}

static void no_memory(struct kl_classic *k)
{
	fail(k, kl_error(&k->err, KLAMM_ERR_NO_MEMORY, "out of memory for a rebalance"));
}

static void has_told(struct kl_classic *k)
{
	for (size_t i = 0; i < k->assignor_count; i++) {
		struct kl_buf old = k->tell[i];
		k->tell[i] = k->job.told[i];
		k->job.told[i] = old;
	}
	k->has_told = true;
}

/* The names are needed until the assignor has run. */
static void has_topics(struct kl_classic *k)
{
	struct kl_classic_job *job = &k->job;
	if (!kl_membership_watch(k->m, job->topics, job->topic_count)) {
		no_memory(k);
		return;
	}
	k->topics_arena = job->arena;
	job->arena = (struct kl_arena){0};
	k->next_work = KL_WORK_ASSIGN;
}

static void has_assigned(struct kl_classic *k)
{
	const struct klamm_consumer *c = kl_classic_consumer(k);
	k->result = k->job.result;
	k->next_work = KL_WORK_NONE;
	if (k->result.unreadable > 0)
		kl_log(&c->log, KL_LOG_WARN, "group",
		       "%s: what %zu of %zu members subscribe to cannot be read, so they get "
		       "nothing: %s",
		       c->group.id, k->result.unreadable, k->joined_count,
		       k->result.why_unreadable.text);
	if (k->result.withheld > 0) {
		kl_log(&c->log, KL_LOG_DEBUG, "group",
		       "%s: %zu partitions wait for their owners to give them up", c->group.id,
		       k->result.withheld);
		k->owing = k->m->generation;
		k->withheld_until =
			c->loop->now + c->settings->max_poll_interval_ms * (int64_t)KL_MS;
	}
	kl_classic_on(k, KL_CLASSIC_ASSIGNED);
}

/* Topics of an assignment that only the pattern of the leader has seen yet. */
static bool fits(struct kl_classic *k)
{
	struct kl_membership *m = k->m;
	for (size_t i = 0; i < k->mine.count; i++) {
		const char *topic = k->mine.partitions[i].topic;
		if (kl_names_has(&m->topics, topic))
			continue;
		if (m->pattern == NULL ||
		    !kl_pattern_matches(m->pattern, topic, strlen(topic)) ||
		    !kl_membership_add_topic(m, topic))
			return false;
	}
	return true;
}

static void has_heard(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	kl_arena_free(&k->mine_arena);
	k->mine_arena = k->job.arena;
	k->job.arena = (struct kl_arena){0};
	k->mine = k->job.assigned;
	k->next_work = KL_WORK_NONE;
	kl_log(&c->log, KL_LOG_INFO, "group", "%s: generation %d gives %s %zu partitions",
	       c->group.id, k->m->generation, k->m->id, k->mine.count);
	if (!fits(k)) {
		kl_membership_set_reason(k->m, "received assignment does not match the "
					       "current subscription");
		kl_classic_on(k, KL_CLASSIC_MISFIT);
	} else if (kl_classic_is_less(k)) {
		kl_membership_set_reason(k->m, "need to revoke partitions and re-join");
		kl_classic_on(k, KL_CLASSIC_SYNCED_LESS);
	} else {
		if (!k->wish)
			kl_membership_set_reason(k->m, "");
		kl_classic_on(k, KL_CLASSIC_SYNCED);
	}
}

static void done(struct kl_job *base)
{
	struct kl_classic_job *job = kl_container(base, struct kl_classic_job, job);
	struct kl_classic *k = kl_container(job, struct kl_classic, job);
	struct klamm_consumer *c = kl_classic_consumer(k);
	bool wanted = job->attempt == k->attempt && !c->stopping;
	job->running = false;
	if (!wanted) {
		if (job->work == KL_WORK_ASSIGN && job->rc == 0)
			kl_assign_result_free(&job->result);
	} else if (job->rc != 0) {
		k->err = job->err;
		k->next_work = KL_WORK_NONE;
		fail(k, job->rc);
	} else if (job->work == KL_WORK_TELL) {
		has_told(k);
	} else if (job->work == KL_WORK_TOPICS) {
		has_topics(k);
	} else if (job->work == KL_WORK_ASSIGN) {
		has_assigned(k);
	} else {
		has_heard(k);
	}
	kl_arena_reset(&job->arena);
	kl_membership_changed(k->m);
	atomic_fetch_sub(&k->m->jobs, 1);
	kl_gate_wake(c->os, &c->gate);
}

/* --- beginning --- */

static void start(struct kl_classic *k, enum kl_classic_work work)
{
	struct kl_classic_job *job = &k->job;
	job->job.run = run;
	job->job.done = done;
	job->work = work;
	job->rc = 0;
	job->attempt = k->attempt;
	job->running = true;
	kl_error_clear(&job->err);
	__atomic_store_n(&k->cancelled, 0, __ATOMIC_RELAXED);
	atomic_fetch_add(&k->m->jobs, 1);
	kl_pool_submit(&kl_classic_consumer(k)->loop->cpu, &job->job);
}

/* What goes in is copied: the subscription may change meanwhile. */
static bool prepare_tell(struct kl_classic *k)
{
	struct klamm_consumer *c = kl_classic_consumer(k);
	struct kl_arena *arena = &k->job.arena;
	size_t owned_n = HASH_COUNT(c->assigned), n = 0;
	const char **topics = kl_arena_array(arena, k->m->topics.n, sizeof(*topics));
	struct klamm_topic_partition *owned = kl_arena_array(arena, owned_n, sizeof(*owned));
	if (topics == NULL || owned == NULL)
		return false;
	for (size_t i = 0; i < k->m->topics.n; i++) {
		topics[i] = kl_arena_text(arena, k->m->topics.v[i], strlen(k->m->topics.v[i]));
		if (topics[i] == NULL)
			return false;
	}
	for (const struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next)
		owned[n++] = (struct klamm_topic_partition){part->topic->name,
							    part->partition};
	k->job.subscription = (struct kl_subscription){
		.topics = topics,
		.topic_count = k->m->topics.n,
		.owned = owned,
		.owned_count = KL_BUG(OWNED_UNTOLD) ? 0 : n,
		.generation = k->m->generation,
		.rack = c->settings->client_rack,
	};
	k->joined_version = k->m->version;
	return true;
}

/* What metadata knows of them. NULL: out of memory. */
static struct klamm_assign_topic *list_topics(struct kl_classic *k)
{
	struct kl_classic_job *job = &k->job;
	struct klamm_assign_topic *topics =
		kl_arena_array(&job->arena, job->topic_count, sizeof(*topics));
	struct kl_rack_texts texts = {.cluster = &kl_classic_consumer(k)->cluster,
				      .arena = &job->arena};
	bool ok = topics != NULL;
	for (size_t i = 0; ok && i < job->topic_count; i++) {
		const struct kl_topic_info *info =
			kl_membership_topic(k->m, job->topics[i]);
		topics[i].name = job->topics[i];
		if (info == NULL)
			continue;
		topics[i].id = info->id;
		topics[i].partition_count = kl_max(kl_membership_partitions(info), 0);
		if (topics[i].partition_count > 0)
			ok = kl_racks_of(&texts, info, &topics[i].racks);
	}
	kl_racks_end(&texts);
	return ok ? topics : NULL;
}

static bool prepare_assign(struct kl_classic *k)
{
	struct kl_classic_job *job = &k->job;
	struct klamm_assign_topic *topics = list_topics(k);
	if (topics == NULL)
		return false;
	job->question = (struct kl_assign_question){
		.members = k->joined,
		.member_count = k->joined_count,
		.topics = topics,
		.topic_count = job->topic_count,
		.cooperative = k->cooperative,
		.assignor = &k->chosen->instance,
		.cancelled = &k->cancelled,
	};
	return true;
}

static bool prepare_hear(struct kl_classic *k)
{
	struct kl_classic_job *job = &k->job;
	kl_classic_forget_round(k); /* the coordinator has it */
	job->bytes = k->synced;
	job->generation = k->m->generation;
	job->id = kl_arena_text(&job->arena, k->m->id, strlen(k->m->id));
	return job->id != NULL;
}

static void begin(struct kl_classic *k, enum kl_classic_work work,
		  bool (*prepare)(struct kl_classic *k))
{
	kl_arena_reset(&k->job.arena);
	if (prepare == NULL || prepare(k))
		start(k, work);
	else
		no_memory(k);
}

static void begin_tell(struct kl_classic *k)
{
	const struct kl_membership *m = k->m;
	bool looked = m->pattern == NULL || m->listed_at >= k->joins_since;
	if (!k->join.wanted || k->has_told || !looked ||
	    k->retry_at > kl_classic_consumer(k)->loop->now)
		return;
	kl_classic_forget_round(k);
	begin(k, KL_WORK_TELL, prepare_tell);
}

/* KIP-814: a static leader that came back watches the topics, and assigns nothing anew, unless
 * it finds that it has to. */
static void begin_assign(struct kl_classic *k)
{
	if (!kl_membership_knows(k->m))
		return;
	kl_membership_remember(k->m);
	if (!k->skips) {
		begin(k, KL_WORK_ASSIGN, prepare_assign);
		return;
	}
	k->next_work = KL_WORK_NONE;
	kl_classic_look_soon(k);
	kl_classic_on(k, KL_CLASSIC_ASSIGNED);
}

void kl_classic_work(struct kl_classic *k)
{
	if (k->job.running)
		return;
	if (k->state == KL_CLASSIC_JOIN)
		begin_tell(k);
	else if (k->state == KL_CLASSIC_ASSIGN && k->next_work == KL_WORK_TOPICS)
		begin(k, KL_WORK_TOPICS, NULL);
	else if (k->state == KL_CLASSIC_ASSIGN && k->next_work == KL_WORK_ASSIGN)
		begin_assign(k);
	else if (k->state == KL_CLASSIC_SYNC && k->next_work == KL_WORK_HEAR)
		begin(k, KL_WORK_HEAR, prepare_hear);
}

void kl_classic_assign(struct kl_classic *k)
{
	k->next_work = KL_WORK_TOPICS;
}

void kl_classic_forget_round(struct kl_classic *k)
{
	kl_assign_result_free(&k->result);
	k->result = (struct kl_assign_result){0};
	kl_arena_reset(&k->joined_arena);
	kl_arena_free(&k->topics_arena);
	kl_slab_unref(k->joined_slab);
	k->joined_slab = NULL;
	k->joined = NULL;
	k->joined_count = 0;
}

void kl_classic_work_free(struct kl_classic *k)
{
	kl_classic_forget_round(k);
	kl_slab_unref(k->synced_slab);
	kl_arena_free(&k->joined_arena);
	kl_arena_free(&k->mine_arena);
	kl_arena_free(&k->job.arena);
}
