/* SPDX-License-Identifier: BSD-2-Clause */
/* Patterns of modern groups: which topics they mean (KIP-848). Kafka takes RE2's syntax, and
 * matches in the background; so what is new takes effect with the next heartbeat. */
#include <stdlib.h>

#include "broker/batch_make.h"
#include "broker/groups.h"
#include "broker/modern.h"
#include "core/base/error.h"
#include "core/consumer/pattern.h"

/* Not sooner again, and patterns no longer than that: topics have 249 characters. */
#define PAUSE_MS 10000
#define TEXT_MAX 4096
/* Nor may patterns keep the broker busy: what is not matched by then is next time. */
#define BUSY_US 100000

/* --- what RE2 does not have: back references, and groups that look around --- */

static bool is_group_of_re2(const char *p)
{
	if (p[0] == 'P' && p[1] == '<')
		return true;
	if (p[0] == '<')
		return p[1] != '=' && p[1] != '!';
	while (*p != '\0' && strchr("imsU-", *p) != NULL)
		p++;
	return *p == ':' || *p == ')';
}

static bool is_escape_of_re2(char c)
{
	return !(c >= '1' && c <= '9') && strchr("kgGKRXhHNZ", c) == NULL;
}

static const char *skip_class(const char *p)
{
	p += p[1] == '^' ? 2 : 1;
	if (*p == ']')
		p++;
	while (*p != '\0' && *p != ']')
		p += p[0] == '\\' && p[1] != '\0' ? 2 : 1;
	return p;
}

static bool is_re2(const char *text)
{
	bool quantified = false; /* what came before: "a*+" is possessive elsewhere */
	for (const char *p = text; *p != '\0'; p++) {
		bool was = quantified;
		quantified = strchr("*+?}", *p) != NULL && !was;
		if (*p == '\\') {
			if (*++p == '\0')
				return true; /* no expression at all, which is found later */
			if (*p == 'Q') {
				const char *end = strstr(p, "\\E");
				if (end == NULL)
					return true;
				p = end + 1;
			} else if (!is_escape_of_re2(*p)) {
				return false;
			}
		} else if (*p == '[') {
			p = skip_class(p);
			if (*p == '\0')
				return true;
		} else if (p[0] == '(' && (p[1] == '*' || (p[1] == '?' &&
							    !is_group_of_re2(p + 2)))) {
			return false;
		} else if (was && *p == '+') {
			return false;
		}
	}
	return true;
}

static int compile(struct kl_str text, struct kl_pattern **pattern_out,
		   struct klamm_error *err)
{
	char copy[TEXT_MAX + 1];
	if (text.len > TEXT_MAX || memchr(text.p, '\0', (size_t)text.len) != NULL)
		return kl_error(err, KLAMM_ERR_INVALID_REGULAR_EXPRESSION,
				"the pattern is longer than %d bytes, or has a NUL in it",
				TEXT_MAX);
	memcpy(copy, text.p, (size_t)text.len);
	copy[text.len] = '\0';
	if (!is_re2(copy))
		return kl_error(err, KLAMM_ERR_INVALID_REGULAR_EXPRESSION,
				"the pattern \"%.100s\" has what RE2 does not have", copy);
	int rc = kl_pattern_new(copy, pattern_out, err);
	return rc == KLAMM_ERR_NO_MEMORY ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : rc;
}

int kl_dev_modern_check_regex(struct kl_str text, struct klamm_error *err)
{
	struct kl_pattern *pattern = NULL;
	int rc = compile(text, &pattern, err);
	kl_pattern_free(pattern);
	return rc;
}

/* --- matching --- */

static int by_text(const void *a, const void *b)
{
	const struct kl_str *x = a, *y = b;
	int rc = memcmp(x->p, y->p, (size_t)kl_min(x->len, y->len));
	return rc != 0 ? rc : (x->len > y->len) - (x->len < y->len);
}

/* One run over the patterns of a group. */
struct matching {
	struct kl_dev_group *group;
	struct kl_dev_batch *batch;
	struct kl_str *texts; /* the patterns, sorted, each once */
	size_t text_count;
	struct kl_str *topics; /* that the last one means, sorted */
	int32_t topic_count;
	int64_t until;
};

static bool is_late(const struct matching *m)
{
	struct kl_os *os = m->group->broker->loop->os;
	return os->now(os) >= m->until;
}

enum matched {
	MATCHED,
	MATCHED_LATE,
	MATCHED_NO_MEMORY,
};

/* What matches nothing does not compile either, and was refused. */
static enum matched match(struct matching *m, struct kl_str text)
{
	struct klamm_broker *broker = m->group->broker;
	struct kl_pattern *pattern = NULL;
	struct kl_dev_topic *topic, *next;
	bool late = false;
	if (compile(text, &pattern, NULL) == KLAMM_ERR_COORDINATOR_NOT_AVAILABLE)
		return MATCHED_NO_MEMORY;
	m->topic_count = 0;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		if (pattern == NULL || late)
			break;
		if (kl_pattern_matches(pattern, topic->name, (size_t)topic->name_len))
			m->topics[m->topic_count++] = kl_dev_topic_name(topic);
		late = is_late(m);
	}
	kl_pattern_free(pattern);
	if (late)
		return MATCHED_LATE;
	if (m->topic_count > 1)
		qsort(m->topics, (size_t)m->topic_count, sizeof(*m->topics), by_text);
	return MATCHED;
}

static bool is_same(const struct kl_dev_modern_regex *regex, const struct kl_str *topics,
		    int32_t n)
{
	bool same = regex != NULL && regex->topic_count == n;
	for (int32_t i = 0; same && i < n; i++)
		same = kl_str_equal(regex->topics[i], topics[i]);
	return same;
}

static bool list_patterns(struct matching *m, struct kl_arena *arena)
{
	struct kl_dev_modern *modern = m->group->modern;
	struct kl_dev_modern_member *member, *next;
	size_t n = 0;
	m->texts = kl_arena_array(arena, HASH_COUNT(modern->members), sizeof(*m->texts));
	m->topics = kl_arena_array(arena, HASH_COUNT(m->group->broker->topics.by_name),
				   sizeof(*m->topics));
	if (m->texts == NULL || m->topics == NULL)
		return false;
	HASH_ITER(hh, modern->members, member, next)
	{
		m->texts[n] = kl_dev_modern_pattern(member->about.value);
		n += m->texts[n].len > 0;
	}
	if (n > 0)
		qsort(m->texts, n, sizeof(*m->texts), by_text);
	for (size_t i = 0; i < n; i++)
		if (i == 0 || !kl_str_equal(m->texts[i], m->texts[i - 1]))
			m->texts[m->text_count++] = m->texts[i];
	return true;
}

/* Those that are new before those that are looked at again: so everyone's turn comes. */
static enum matched put_matches(struct matching *m, bool are_new)
{
	struct kl_dev_modern_log log = {m->batch, kl_dev_group_id(m->group), KL_STR_NULL};
	for (size_t i = 0; i < m->text_count; i++) {
		const struct kl_dev_modern_regex *known =
			kl_dev_modern_regex(m->group, m->texts[i]);
		if ((known == NULL) != are_new)
			continue;
		enum matched rc = match(m, m->texts[i]);
		if (rc != MATCHED)
			return rc;
		if (is_same(known, m->topics, m->topic_count))
			continue;
		kl_dev_modern_put_regex(&log, m->texts[i], m->topics, m->topic_count);
		if (!kl_dev_groups_have_room(m->group->broker, 2 * m->batch->buf.len))
			return MATCHED_LATE;
	}
	return MATCHED;
}

/* The records change what the members subscribe to, and that the group's epoch. */
static void refresh(struct kl_dev_group *group, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = group->broker;
	int64_t now_ms = broker->loop->os->wall_ms(broker->loop->os);
	struct kl_arena arena = {0};
	struct kl_dev_batch batch;
	int64_t hash;
	struct matching m = {.group = group,
			     .batch = &batch,
			     .until = broker->loop->os->now(broker->loop->os) + BUSY_US};
	kl_dev_batch_begin(&batch, now_ms);
	enum matched matched = MATCHED_NO_MEMORY;
	if (list_patterns(&m, &arena))
		matched = put_matches(&m, true);
	if (matched == MATCHED)
		matched = put_matches(&m, false);
	bool any = batch.count > 0;
	bool ok = matched != MATCHED_NO_MEMORY &&
		  kl_dev_group_append(broker, home, &batch, -1, -1) == 0;
	kl_dev_batch_free(&batch);
	if (ok)
		group->modern->regex_ms = now_ms;
	group->modern->regex_late = matched == MATCHED_LATE;
	if (ok && matched == MATCHED)
		group->modern->regex_seen = broker->topics.version;
	struct kl_dev_modern_change change = {group, NULL, NULL, &arena};
	struct kl_dev_modern_log log = {&batch, kl_dev_group_id(group), KL_STR_NULL};
	if (ok && any && kl_dev_modern_hash(&change, &hash)) {
		kl_dev_batch_begin(&batch, now_ms);
		kl_dev_modern_put_epoch(&log, group->modern->epoch + 1, hash);
		kl_dev_group_append(broker, home, &batch, -1, -1);
		kl_dev_batch_free(&batch);
	}
	kl_arena_free(&arena);
}

void kl_dev_modern_match(struct kl_dev_group *group)
{
	struct klamm_broker *broker = group->broker;
	struct kl_dev_modern *modern = group->modern;
	struct kl_dev_partition *home = kl_dev_group_home(group);
	struct kl_dev_modern_member *member, *next;
	int64_t since_ms = broker->loop->os->wall_ms(broker->loop->os) - modern->regex_ms;
	bool any = false, unmatched = false;
	HASH_ITER(hh, modern->members, member, next)
	{
		struct kl_str text = kl_dev_modern_pattern(member->about.value);
		any |= text.len > 0;
		unmatched |= text.len > 0 && kl_dev_modern_regex(group, text) == NULL;
	}
	bool is_first = modern->regexes == NULL && !modern->regex_late;
	if (home == NULL || !any || (!is_first && since_ms <= PAUSE_MS))
		return;
	if (unmatched || modern->regex_seen != broker->topics.version ||
	    since_ms > broker->limits.modern_regex_ms)
		refresh(group, home);
}
