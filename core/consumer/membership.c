/* SPDX-License-Identifier: BSD-2-Clause */
/* What every member of a group has, whatever the protocol: see membership.h. */
#include "core/consumer/membership.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/bug.h"
#include "core/base/error.h"
#include "core/consumer/assign_racks.h"
#include "core/consumer/consumer.h"
#include "core/consumer/pattern.h"

struct klamm_consumer *kl_membership_consumer(const struct kl_membership *m)
{
	return (struct klamm_consumer *)kl_container(m, struct klamm_consumer,
						     group.membership);
}

const char *kl_membership_instance(const struct kl_membership *m)
{
	return kl_membership_consumer(m)->settings->group_instance_id;
}

void kl_membership_changed(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	kl_hook_add(c->loop, &c->round_hook);
}

static const char *event_name(enum kl_member_event event)
{
	static const char *const names[] = {
		[KL_MEMBER_SUBSCRIBED] = "subscribed",
		[KL_MEMBER_LEAVES] = "leaves",	       [KL_MEMBER_POLLED] = "polls",
		[KL_MEMBER_SILENT] = "is silent",      [KL_MEMBER_REJOINS] = "rejoins",
		[KL_MEMBER_NEWS] = "has news",	       [KL_MEMBER_TOOK] = "took",
		[KL_MEMBER_GAVE] = "gave",	       [KL_MEMBER_LOST] = "lost",
	};
	return names[event];
}

void kl_membership_on(struct kl_membership *m, enum kl_member_event event)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	if (c->stopping)
		return;
	kl_log(&c->log, KL_LOG_TRACE, "group", "%s: the member %s", c->group.id,
	       event_name(event));
	m->ops->on(m, event);
	kl_membership_changed(m);
}

/* --- who it is --- */

bool kl_membership_set_id(struct kl_membership *m, const char *id, size_t len)
{
	char *copy = strndup(id, len);
	if (copy == NULL)
		return false;
	free(m->id);
	m->id = copy;
	return true;
}

void kl_membership_set_generation(struct kl_membership *m, int32_t generation)
{
	m->generation = generation;
}

void kl_membership_set_reason(struct kl_membership *m, const char *reason)
{
	snprintf(m->reason, sizeof(m->reason), "%s", reason);
}

void kl_membership_await_poll(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	atomic_store(&m->awaits_poll, true);
	kl_gate_wake(c->os, &c->gate);
}

void kl_membership_kill(struct kl_membership *m, const struct klamm_error *err)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	m->fatal = *err;
	m->fatal.scope = KLAMM_SCOPE_FATAL;
	kl_log(&c->log, KL_LOG_ERROR, "group", "%s", err->text);
	atomic_store(&m->dead, true);
	kl_gate_wake(c->os, &c->gate);
}

/* --- steps --- */

void kl_membership_ask(struct kl_membership *m, enum kl_step step)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	if (m->begun) {
		m->next_step = step;
		return;
	}
	m->step = step;
	atomic_store(&m->due, true);
	kl_gate_wake(c->os, &c->gate);
}

void kl_membership_let_go(struct kl_membership *m, struct kl_cpart *part)
{
	part->leaving = true;
	kl_fetcher_touch(kl_membership_consumer(m), part);
}

void kl_membership_let_go_of_all(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	for (struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next)
		kl_membership_let_go(m, part);
}

bool kl_membership_ask_give(struct kl_membership *m, kl_leaves_fn leaves, void *arg)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	bool any = false;
	for (struct kl_cpart *part = c->assigned; part != NULL; part = part->hh.next) {
		if (!leaves(part, arg))
			continue;
		any = true;
		kl_membership_let_go(m, part);
	}
	if (any)
		kl_membership_ask(m, KL_STEP_GIVE);
	return any;
}

bool kl_membership_ask_lose(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	/* What a step that has begun is about stays that: the rest is told behind it. */
	if (!m->begun)
		kl_membership_let_go_of_all(m);
	/* What is being taken will have to be let go of. */
	bool any = c->assigned != NULL || (m->begun && m->step == KL_STEP_TAKE);
	if (any) {
		kl_membership_ask(m, KL_STEP_LOSE);
	} else if (!m->begun) {
		m->step = KL_STEP_NONE;
		atomic_store(&m->due, false);
	}
	return any;
}

void kl_membership_ask_take(struct kl_membership *m,
			    const struct klamm_topic_partition *parts, size_t count)
{
	m->take = parts;
	m->take_count = count;
	kl_membership_ask(m, KL_STEP_TAKE);
}

/* --- topics --- */

static int by_name(const void *a, const void *b)
{
	const struct kl_watched *x = a, *y = b;
	return strcmp(x->info->name, y->info->name);
}

static struct kl_watched *find_watched(const struct kl_watch_list *list, const char *name)
{
	size_t low = 0, high = list->n;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(name, list->v[middle].info->name);
		if (order == 0)
			return &list->v[middle];
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

static void unwatch(struct klamm_consumer *c, struct kl_watch_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		kl_cluster_unwant(&c->cluster, list->v[i].info);
	free(list->v);
	*list = (struct kl_watch_list){0};
}

/* Adds one, and what was known of it. */
static bool add_watched(struct kl_membership *m, struct kl_watch_list *list, const char *name)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	struct kl_topic_info *info = kl_cluster_want(&c->cluster, name);
	if (info == NULL)
		return false;
	const struct kl_watched *before = find_watched(&m->watched, name);
	struct kl_watched *own = &list->v[list->n++];
	*own = before != NULL ? *before : (struct kl_watched){.count = -1};
	own->info = info;
	return true;
}

bool kl_membership_watch(struct kl_membership *m, const char *const *topics, size_t count)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	struct kl_watch_list list = {.v = calloc(m->topics.n + count + 1, sizeof(*list.v))};
	bool ok = list.v != NULL;
	for (size_t i = 0; ok && i < m->topics.n; i++)
		ok = add_watched(m, &list, m->topics.v[i]);
	for (size_t i = 0; ok && i < count; i++)
		if (!kl_names_has(&m->topics, topics[i]))
			ok = add_watched(m, &list, topics[i]);
	if (!ok) {
		unwatch(c, &list);
		return false;
	}
	qsort(list.v, list.n, sizeof(*list.v), by_name);
	unwatch(c, &m->watched);
	m->watched = list;
	return true;
}

int32_t kl_membership_partitions(const struct kl_topic_info *info)
{
	if (!info->answered)
		return -1;
	if (info->error == KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION)
		return 0;
	return info->partition_count;
}

/* KIP-881: a leader that knows its own rack heeds those of the replicas. */
static uint32_t racks_of(struct kl_membership *m, const struct kl_topic_info *info)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	const char *rack = c->settings->client_rack;
	return rack != NULL && rack[0] != '\0' ? kl_racks_print(&c->cluster, info) : 0;
}

void kl_membership_remember(struct kl_membership *m)
{
	for (size_t i = 0; i < m->watched.n; i++) {
		struct kl_watched *watched = &m->watched.v[i];
		int32_t count = kl_membership_partitions(watched->info);
		watched->count = kl_max(count, 0);
		watched->racks = racks_of(m, watched->info);
	}
	m->news = false;
}

void kl_membership_overlook(struct kl_membership *m)
{
	for (size_t i = 0; i < m->watched.n; i++)
		m->watched.v[i].count = -1;
	m->news = false;
}

void kl_membership_forget(struct kl_membership *m)
{
	kl_membership_overlook(m);
	if (m->watched.n > m->topics.n) /* if memory is short, they cost a little */
		kl_membership_watch(m, NULL, 0);
}

bool kl_membership_knows(const struct kl_membership *m)
{
	for (size_t i = 0; i < m->watched.n; i++)
		if (!m->watched.v[i].info->answered)
			return false;
	return true;
}

struct kl_topic_info *kl_membership_topic(const struct kl_membership *m, const char *name)
{
	const struct kl_watched *watched = find_watched(&m->watched, name);
	return watched != NULL ? watched->info : NULL;
}

void kl_membership_refresh(struct kl_membership *m)
{
	kl_cluster_refresh(&kl_membership_consumer(m)->cluster, NULL);
}

static void tell_topic(struct kl_membership *m, struct kl_watched *watched)
{
	const struct kl_topic_info *info = watched->info;
	struct klamm_error err;
	if (watched->told_error == info->error)
		return;
	watched->told_error = info->error;
	/* A topic that is read is told of by itself. */
	if (info->error == 0 || klamm_err_retriable(info->error) || info->user != NULL)
		return;
	kl_error(&err, info->error, "topic %s: %s: %s", info->name,
		 klamm_err_name(info->error), klamm_err_text(info->error));
	kl_results_error(kl_membership_consumer(m), NULL, &err);
}

void kl_membership_on_topic(struct kl_membership *m, const struct kl_topic_info *info)
{
	struct kl_watched *watched = find_watched(&m->watched, info->name);
	if (watched == NULL)
		return;
	tell_topic(m, watched);
	bool differs = watched->count >= 0 &&
		       (kl_membership_partitions(info) != watched->count ||
			racks_of(m, info) != watched->racks);
	if (differs && !KL_BUG(GROWTH_MISSED))
		m->news = true;
	kl_membership_changed(m);
}

/* --- the pattern --- */

static bool is_for_us(const struct klamm_consumer *c, const struct kl_membership *m,
		      const struct kl_metadata_response_topic *topic)
{
	if (topic->error_code != 0 || topic->name.len <= 0)
		return false;
	if (topic->is_internal && c->settings->exclude_internal_topics)
		return false;
	return kl_pattern_matches(m->pattern, topic->name.p, (size_t)topic->name.len);
}

static bool match_topics(const struct kl_membership *m,
			 const struct kl_metadata_response *body, struct kl_names *names_out)
{
	const struct klamm_consumer *c = kl_membership_consumer(m);
	struct kl_arena arena = {0};
	size_t n = 0;
	const char **names = kl_arena_array(&arena, (size_t)kl_max(body->topics_n, 0),
					    sizeof(*names));
	bool ok = names != NULL;
	for (int32_t i = 0; ok && i < body->topics_n; i++) {
		const struct kl_str *name = &body->topics[i].name;
		if (!is_for_us(c, m, &body->topics[i]))
			continue;
		names[n] = kl_arena_text(&arena, name->p, (size_t)name->len);
		ok = names[n++] != NULL;
	}
	ok = ok && kl_names_make(names_out, names, n);
	kl_arena_free(&arena);
	return ok;
}

void kl_membership_on_listing(struct kl_membership *m, const struct kl_metadata_response *body)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	struct kl_names names, before = m->topics;
	if (m->ops != NULL && m->ops->listing != NULL)
		m->ops->listing(m, body);
	if (m->pattern == NULL)
		return;
	if (!match_topics(m, body, &names)) {
		kl_membership_refresh(m); /* memory is short: another answer will do */
		return;
	}
	bool first = !m->listed;
	m->listed = true;
	m->listed_at = c->loop->now;
	kl_membership_changed(m);
	if (kl_names_equal(&names, &before)) {
		kl_names_free(&names);
		return;
	}
	m->topics = names;
	if (!kl_membership_watch(m, NULL, 0)) {
		m->topics = before;
		kl_names_free(&names);
		kl_membership_refresh(m);
		return;
	}
	kl_names_free(&before);
	m->version++;
	kl_log(&c->log, KL_LOG_INFO, "group", "%s: the pattern \"%s\" matches %zu topics",
	       c->group.id, kl_pattern_text(m->pattern), m->topics.n);
	if (!first)
		kl_membership_on(m, KL_MEMBER_SUBSCRIBED);
}

bool kl_membership_add_topic(struct kl_membership *m, const char *topic)
{
	struct kl_names names, before = m->topics;
	const char **texts = calloc(before.n + 1, sizeof(*texts));
	if (texts == NULL)
		return false;
	for (size_t i = 0; i < before.n; i++)
		texts[i] = before.v[i];
	texts[before.n] = topic;
	bool ok = kl_names_make(&names, texts, before.n + 1);
	free(texts);
	if (!ok)
		return false;
	m->topics = names;
	kl_names_free(&before);
	return kl_membership_watch(m, NULL, 0);
}

/* --- time --- */

/* max.poll.interval.ms is over: what the application does now, it does for nothing. */
static void watch_silence(struct kl_membership *m, int64_t *when)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	int64_t interval = (int64_t)c->settings->max_poll_interval_ms * KL_MS;
	int64_t left = atomic_load(&m->poll_left);
	if (left == m->silent_since)
		return;
	if (left == KL_NEVER) {
		*when = kl_min(*when, c->loop->now + interval);
	} else if (c->loop->now - left < interval) {
		*when = kl_min(*when, left + interval);
	} else {
		m->silent_since = left;
		kl_membership_on(m, KL_MEMBER_SILENT);
	}
}

void kl_membership_round(struct kl_membership *m, int64_t *when)
{
	if (m->ops == NULL)
		return;
	if (m->subscribed) {
		watch_silence(m, when);
		if (m->news) {
			m->news = false;
			kl_membership_set_reason(m, "cached metadata has changed");
			kl_membership_on(m, KL_MEMBER_NEWS);
		}
	}
	m->ops->round(m, when);
}

/* --- beginning and end --- */

void kl_membership_init(struct kl_membership *m)
{
	m->generation = m->told_generation = -1;
	m->silent_since = -1;
}

void kl_membership_stop(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	if (m->ops == NULL)
		return;
	m->ops->stop(m);
	unwatch(c, &m->watched);
}

void kl_membership_unsubscribe(struct kl_membership *m)
{
	struct klamm_consumer *c = kl_membership_consumer(m);
	m->subscribed = false;
	c->group.times.rebalances_since = 0;
	m->version++;
	kl_names_free(&m->topics);
	kl_pattern_free(m->pattern);
	m->pattern = NULL;
	free(m->regex);
	m->regex = NULL;
	unwatch(c, &m->watched);
	kl_cluster_list(&c->cluster, false);
}

void kl_membership_free(struct kl_membership *m)
{
	if (m->ops != NULL)
		m->ops->free(m);
	kl_names_free(&m->topics);
	kl_names_free(&m->topics_told);
	kl_pattern_free(m->pattern);
	free(m->regex);
	kl_arena_free(&m->arena);
	free(m->id);
	free(m->told_id);
	free(m->parts);
}
