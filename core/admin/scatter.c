/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/admin/scatter.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/order.h"
#include "core/broker/backoff.h"

/* Enough to make the way there cheap, few enough for an answer of some megabytes. */
#define PART_ITEMS 100

static int64_t now(const struct kl_scatter *s)
{
	return s->admin->loop->now;
}

/* --- items --- */

static bool is_idle(const struct kl_scatter *s, const struct kl_item *item)
{
	return !item->ended && kl_list_empty(&item->link) && item->again_at <= now(s);
}

struct kl_item *kl_part_item(struct kl_part *part, struct kl_str name)
{
	kl_part_for (item, part)
		if (item->name != NULL && kl_str_is(name, item->name))
			return item;
	return NULL;
}

struct kl_item *kl_part_partition(struct kl_part *part, struct kl_str topic,
				  int32_t partition)
{
	kl_part_for (item, part)
		if (item->topic != NULL && item->partition == partition &&
		    kl_str_is(topic, item->topic))
			return item;
	return NULL;
}

void kl_item_end(struct kl_scatter *s, struct kl_item *item)
{
	kl_list_remove(&item->link);
	item->ended = true;
	s->open--;
}

void kl_item_at_once(struct kl_scatter *s, struct kl_item *item)
{
	kl_list_remove(&item->link);
	item->again_at = now(s);
}

void kl_item_again(struct kl_scatter *s, struct kl_item *item)
{
	const struct kl_settings *settings = s->admin->settings;
	if (s->paused_at != now(s)) /* who fails together comes back together */
		s->paused_until =
			now(s) + kl_backoff(s->admin->os, settings->retry_backoff_ms,
					    settings->retry_backoff_max_ms, item->failures);
	s->paused_at = now(s);
	kl_list_remove(&item->link);
	item->again_at = s->paused_until;
	item->failures++;
}

void kl_item_no_memory(struct kl_scatter *s, struct kl_item *item)
{
	kl_error(&item->err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", s->ops->what);
	kl_item_end(s, item);
}

bool kl_item_passes(int code)
{
	/* A topic that is not there will not come by waiting; a rebalance will be over. */
	return (klamm_err_retriable(code) && !klamm_err_invalid_metadata(code)) ||
	       code == KLAMM_ERR_REBALANCE_IN_PROGRESS;
}

static void name_partition(struct kl_item *item, int code, struct kl_str words)
{
	const char *text = words.len > 0 ? words.p : klamm_err_text(code);
	int n = words.len > 0 ? words.len : (int)strlen(text);
	kl_error_clear(&item->err);
	if (code == 0)
		return;
	kl_error(&item->err, code, "topic %.100s partition %d: %.*s", item->topic,
		 item->partition, n, text);
	item->err.stage = KLAMM_STAGE_API;
}

static void name_it(struct kl_item *item, int code, struct kl_str words)
{
	char id[24];
	if (item->topic != NULL) {
		name_partition(item, code, words);
		return;
	}
	snprintf(id, sizeof(id), "%d", item->node);
	kl_admin_item_error(&item->err, code, item->name != NULL ? "group" : "broker",
			    item->name != NULL ? item->name : id, words);
}

/* Another broker may lead it by now. */
static bool leader_passes(int code)
{
	return klamm_err_retriable(code) && code != KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
}

static void led_elsewhere(struct kl_scatter *s, struct kl_item *item)
{
	kl_cluster_refresh(&s->admin->cluster, item->info);
	kl_item_again(s, item);
}

void kl_item_told(struct kl_scatter *s, struct kl_item *item, int code, struct kl_str words)
{
	name_it(item, code, words);
	if (item->topic != NULL && leader_passes(code)) {
		led_elsewhere(s, item);
		return;
	}
	if (code == 0 || !kl_item_passes(code)) {
		kl_item_end(s, item);
		return;
	}
	if (item->name != NULL && (code == KLAMM_ERR_NOT_COORDINATOR ||
				   code == KLAMM_ERR_COORDINATOR_NOT_AVAILABLE))
		item->node = -1;
	kl_item_again(s, item);
}

/* No answer: the next attempt asks who coordinates the group, which may be another one now. */
static void unreachable(struct kl_scatter *s, struct kl_item *item,
			const struct klamm_error *why)
{
	item->err = *why;
	if (!klamm_err_retriable(why->code)) {
		kl_item_end(s, item);
		return;
	}
	if (item->topic != NULL)
		kl_cluster_refresh(&s->admin->cluster, item->info);
	if (item->name != NULL)
		item->node = -1;
	kl_item_again(s, item);
}

/* What was said of an item last is its reason; without a word, what became of connections. */
static void time_out(struct kl_scatter *s, struct kl_item *item)
{
	struct klamm_error last = item->err;
	bool got_nowhere =
		last.code == KLAMM_ERR_TIMED_OUT && last.stage == KLAMM_STAGE_LOCAL;
	if (last.code == 0 || got_nowhere) {
		kl_cluster_timed_out(&s->admin->cluster, &item->err, s->ops->what);
	} else {
		kl_error(&item->err, KLAMM_ERR_TIMED_OUT, "%s: timed out; last error: %s",
			 s->ops->what, last.text);
		item->err.stage = last.stage;
		item->err.node = last.node;
	}
	kl_item_end(s, item);
}

int32_t kl_scatter_left_ms(const struct kl_scatter *s)
{
	int64_t left = s->deadline == KL_NEVER ? INT32_MAX : (s->deadline - now(s)) / KL_MS;
	return (int32_t)kl_max(kl_min(left, (int64_t)INT32_MAX), (int64_t)0);
}

/* --- parts --- */

static void part_free(struct kl_part *part)
{
	kl_list_remove(&part->link);
	kl_request_free(&part->request);
	kl_arena_free(&part->arena);
	free(part);
}

static void come_back(struct kl_scatter *s, int64_t at)
{
	kl_timer_set(s->admin->loop, &s->timer, kl_min(kl_max(at, now(s)), s->deadline));
}

/* Those that the body had no room for were not asked. */
static void give_back_others(struct kl_scatter *s, struct kl_part *part)
{
	if (!part->one_by_one)
		return;
	struct kl_list *first = kl_list_pop(&part->items), *link;
	while ((link = kl_list_pop(&part->items)) != NULL)
		kl_item_at_once(s, kl_list_entry(link, struct kl_item, link));
	kl_list_push(&part->items, first);
}

static void judge_failure(struct kl_scatter *s, struct kl_part *part,
			  const struct kl_response *response)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&part->items)) != NULL) {
		struct kl_item *item = kl_list_entry(link, struct kl_item, link);
		item->maybe_applied |= response->maybe_applied;
		if (response->code == KLAMM_ERR_UNSUPPORTED && part->node >= 0 &&
		    s->ops->unsupported != NULL && s->ops->unsupported(s, item))
			kl_item_at_once(s, item);
		else
			unreachable(s, item, response->err);
	}
}

static void judge_left_out(struct kl_scatter *s, struct kl_part *part)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&part->items)) != NULL) {
		struct kl_item *item = kl_list_entry(link, struct kl_item, link);
		name_it(item, KLAMM_ERR_PROTOCOL,
			KL_STR("the broker's answer left it out"));
		kl_item_end(s, item);
	}
}

/* --- who coordinates which group --- */

static const void *find_prepare(struct kl_part *part, int version)
{
	struct kl_find_coordinator_request *body =
		kl_arena_alloc(&part->arena, sizeof(*body));
	struct kl_str *keys = kl_arena_array(&part->arena, PART_ITEMS, sizeof(*keys));
	if (body == NULL || keys == NULL)
		return NULL;
	kl_msg_init(&kl_msg_find_coordinator_request, body);
	part->one_by_one = version < 4;
	int32_t n = 0;
	kl_part_for (item, part)
		keys[n++] = kl_str(item->name);
	if (part->one_by_one) {
		body->key = keys[0];
	} else {
		body->coordinator_keys = keys;
		body->coordinator_keys_n = n;
	}
	return body;
}

static void found(struct kl_scatter *s, struct kl_item *item, int32_t node, int code,
		  struct kl_str words)
{
	if (code == 0 && node < 0)
		code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (code != 0) {
		kl_item_told(s, item, code, words);
		return;
	}
	item->node = node;
	kl_item_at_once(s, item);
}

static void find_answer(struct kl_scatter *s, struct kl_part *part,
			const struct kl_find_coordinator_response *body, int version)
{
	if (version < 4) {
		struct kl_item *item =
			kl_list_entry(part->items.next, struct kl_item, link);
		found(s, item, body->node_id, body->error_code, body->error_message);
		return;
	}
	for (int32_t i = 0; i < body->coordinators_n; i++) {
		const struct kl_find_coordinator_response_coordinator *told =
			&body->coordinators[i];
		struct kl_item *item = kl_part_item(part, told->key);
		if (item != NULL)
			found(s, item, told->node_id, told->error_code,
			      told->error_message);
	}
}

/* --- a request and its answer --- */

static const void *prepare(struct kl_request *request, int version)
{
	struct kl_part *part = kl_container(request, struct kl_part, request);
	kl_arena_free(&part->arena);
	part->one_by_one = false;
	return part->node < 0 ? find_prepare(part, version)
			      : part->scatter->ops->prepare(part->scatter, part, version);
}

static void on_done(struct kl_request *request, const struct kl_response *response)
{
	struct kl_part *part = kl_container(request, struct kl_part, request);
	struct kl_scatter *s = part->scatter;
	part->under_way = false;
	if (atomic_load(&s->ended)) /* the other end of a connection that was given up */
		return;
	give_back_others(s, part);
	if (response->code != 0)
		judge_failure(s, part, response);
	else if (part->node < 0)
		find_answer(s, part, response->body, response->version);
	else
		s->ops->answer(s, part, response->body, response->version);
	judge_left_out(s, part);
	part_free(part);
	/* Not from inside this: other requests of the same connection may be ending. */
	come_back(s, now(s));
}

/* Versions that name topics by their ids alone are of no use to who has names. */
static int newest(enum kl_api api)
{
	return api == KL_API_OFFSET_COMMIT || api == KL_API_OFFSET_FETCH ? 9 : -1;
}

static struct kl_part *part_new(struct kl_scatter *s, enum kl_api api, int32_t node)
{
	struct kl_part *part = calloc(1, sizeof(*part));
	if (part == NULL)
		return NULL;
	part->scatter = s;
	part->api = api;
	part->node = node;
	kl_list_init(&part->items);
	kl_list_push(&s->parts, &part->link);
	return part;
}

static void part_send(struct kl_part *part, struct kl_node *node)
{
	struct kl_scatter *s = part->scatter;
	bool looks = part->node < 0;
	part->request.api = looks ? KL_API_FIND_COORDINATOR : part->api;
	part->request.min_version = looks ? 0 : s->min_version;
	part->request.max_version = newest(part->request.api);
	part->request.prepare = prepare;
	part->request.deadline = s->deadline;
	part->request.done = on_done;
	part->under_way = true;
	kl_node_request(node, &part->request);
}

static bool is_busy(const struct kl_scatter *s, const struct kl_item *item)
{
	kl_list_for (part, &s->parts, struct kl_part, link)
		if (part->node == item->node && (part->node < 0 || part->api == item->api))
			return true;
	return false;
}

/* The items from this one on that have the same way. */
static void gather(struct kl_scatter *s, struct kl_part *part, struct kl_item *first)
{
	size_t n = 0;
	for (struct kl_item *item = first; item < s->items + s->count && n < PART_ITEMS;
	     item++) {
		if (!is_idle(s, item) || item->node != first->node ||
		    (item->node >= 0 && item->api != first->api))
			continue;
		kl_list_push(&part->items, &item->link);
		n++;
	}
}

/* Metadata do not tell yet; they are asked for when something is known to be stale. */
static void wait_for_metadata(struct kl_scatter *s, struct kl_item *item)
{
	item->homeless = true;
	kl_item_again(s, item);
}

/* Its leader, as metadata tell; NULL: not now, or never. */
static struct kl_node *leader_of(struct kl_scatter *s, struct kl_item *item)
{
	const struct kl_topic_info *info = item->info;
	int code = info->error;
	if (!info->answered) {
		wait_for_metadata(s, item);
		return NULL;
	}
	if (code == 0 && item->partition >= info->partition_count)
		code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	if (code == 0)
		item->node = info->partitions[item->partition].leader;
	struct kl_node *node = code == 0 && item->node >= 0
				       ? kl_cluster_node(&s->admin->cluster, item->node)
				       : NULL;
	if (code == 0 && node == NULL)
		code = KLAMM_ERR_LEADER_NOT_AVAILABLE;
	if (code != 0)
		kl_item_told(s, item, code, KL_STR_NULL);
	return node;
}

/* Where the item is to be asked; NULL: not now. */
static struct kl_node *way_to(struct kl_scatter *s, struct kl_item *item)
{
	struct kl_cluster *cluster = &s->admin->cluster;
	if (item->topic != NULL)
		return leader_of(s, item);
	struct kl_node *node = item->node < 0 ? kl_cluster_any_node(cluster)
					      : kl_cluster_node(cluster, item->node);
	if (node != NULL)
		return node;
	if (item->node < 0) { /* every address waits for its backoff */
		item->again_at = now(s) + kl_max(s->admin->settings->reconnect_backoff_ms,
						 (int64_t)1) *
						  KL_MS / 2;
		return NULL;
	}
	kl_cluster_refresh(cluster, NULL); /* or it has just come up */
	wait_for_metadata(s, item);
	return NULL;
}

static void ask(struct kl_scatter *s, struct kl_item *item)
{
	struct kl_node *node = way_to(s, item);
	if (node == NULL)
		return;
	struct kl_part *part = part_new(s, item->api, item->node);
	if (part == NULL) {
		kl_item_no_memory(s, item);
		return;
	}
	gather(s, part, item);
	part_send(part, node);
}

/* --- the call --- */

void kl_scatters_updated(struct kl_cluster *cluster)
{
	struct klamm_admin *admin = kl_container(cluster, struct klamm_admin, cluster);
	kl_list_for (s, &admin->scatters, struct kl_scatter, link) {
		for (size_t i = 0; i < s->count; i++) {
			if (s->items[i].homeless)
				s->items[i].again_at = now(s);
			s->items[i].homeless = false;
		}
		come_back(s, now(s));
	}
}

static void finish(struct kl_scatter *s)
{
	if (s->timer_made)
		kl_timer_stop(s->admin->loop, &s->timer);
	kl_list_remove(&s->link);
	atomic_store(&s->ended, true);
	kl_gate_wake(s->admin->os, &s->admin->gate);
}

static void go_on(struct kl_scatter *s)
{
	int64_t next = s->deadline;
	for (size_t i = 0; i < s->count; i++) /* so that those of one broker are seen to be */
		if (s->items[i].topic != NULL && is_idle(s, &s->items[i]))
			leader_of(s, &s->items[i]);
	for (size_t i = 0; i < s->count; i++) {
		struct kl_item *item = &s->items[i];
		if (is_idle(s, item) && !is_busy(s, item))
			ask(s, item);
		if (!item->ended && kl_list_empty(&item->link) && !is_busy(s, item))
			next = kl_min(next, kl_max(item->again_at, now(s) + KL_MS));
	}
	if (s->open == 0)
		finish(s);
	else
		come_back(s, next);
}

static void all_time_out(struct kl_scatter *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->items[i].ended)
			time_out(s, &s->items[i]);
	finish(s);
}

static void on_timer(struct kl_timer *timer)
{
	struct kl_scatter *s = kl_container(timer, struct kl_scatter, timer);
	if (now(s) >= s->deadline)
		all_time_out(s);
	else
		go_on(s);
}

static void want_topics(struct kl_scatter *s)
{
	for (size_t i = 0; i < s->count; i++) {
		struct kl_item *item = &s->items[i];
		if (item->topic == NULL)
			continue;
		item->info = kl_cluster_want(&s->admin->cluster, item->topic);
		if (item->info == NULL)
			kl_item_no_memory(s, item);
	}
}

static void unwant_topics(struct kl_scatter *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (s->items[i].info != NULL)
			kl_cluster_unwant(&s->admin->cluster, s->items[i].info);
}

static void start_in_loop(void *arg)
{
	struct kl_scatter *s = arg;
	struct klamm_error err;
	if (kl_timer_init(s->admin->loop, &s->timer, on_timer, &err) != 0) {
		for (size_t i = 0; i < s->count; i++) {
			s->items[i].err = err;
			kl_item_end(s, &s->items[i]);
		}
		finish(s);
		return;
	}
	s->timer_made = true;
	kl_list_push(&s->admin->scatters, &s->link);
	want_topics(s);
	/* Coordinators are brokers that metadata name: asked for now, they come in time. */
	if (!s->admin->cluster.brokers_known)
		kl_cluster_refresh(&s->admin->cluster, NULL);
	come_back(s, now(s));
}

/* The caller's time is up, or the call has ended: nothing of it stays in the loop. */
static void leave_in_loop(void *arg)
{
	struct kl_scatter *s = arg;
	if (!atomic_load(&s->ended))
		all_time_out(s); /* says what it was waiting for: before that is given up */
	kl_list_for (part, &s->parts, struct kl_part, link)
		if (part->under_way)
			kl_node_cancel(part->request.node, &part->request);
	while (!kl_list_empty(&s->parts))
		part_free(kl_list_entry(s->parts.next, struct kl_part, link));
	unwant_topics(s);
	if (s->timer_made)
		kl_timer_drop(s->admin->loop, &s->timer);
}

static bool has_ended(void *arg)
{
	struct kl_scatter *s = arg;
	return atomic_load(&s->ended);
}

void kl_scatter_init(struct kl_scatter *s, const struct kl_scatter_ops *ops, size_t count,
		     enum kl_api api)
{
	*s = (struct kl_scatter){.ops = ops, .count = count};
	s->items = calloc(count + 1, sizeof(*s->items));
	kl_list_init(&s->parts);
	kl_list_init(&s->link);
	for (size_t i = 0; s->items != NULL && i < count; i++) {
		kl_list_init(&s->items[i].link);
		s->items[i].api = api;
		s->items[i].node = -1;
		kl_error_clear(&s->items[i].err);
	}
}

void kl_scatter_free(struct kl_scatter *s)
{
	free(s->items);
}

int kl_scatter_run(struct klamm_admin *admin, struct kl_scatter *s, int64_t timeout_ms,
		   struct klamm_error *err)
{
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = admin->settings->default_api_timeout_ms;
	struct klamm_error refused = {0};
	if (kl_admin_check(admin, &refused) != 0) {
		for (size_t i = 0; i < s->count; i++)
			s->items[i].err = refused;
		return kl_error_copy(err, &refused);
	}
	s->admin = admin;
	s->open = s->count;
	s->deadline = kl_os_deadline_ms(admin->os, timeout_ms);
	if (s->count > 0) {
		kl_loop_call(admin->loop, start_in_loop, s);
		kl_loop_wait(admin->loop, &admin->gate, has_ended, s, s->deadline);
		kl_loop_call(admin->loop, leave_in_loop, s);
	}
	return kl_scatter_errors(s, NULL, err);
}

int kl_scatter_errors(const struct kl_scatter *s, struct klamm_error *errors,
		      struct klamm_error *err)
{
	const struct klamm_error *first = NULL;
	for (size_t i = 0; i < s->count; i++) {
		if (errors != NULL)
			errors[i] = s->items[i].err;
		if (first == NULL && s->items[i].err.code != 0)
			first = &s->items[i].err;
	}
	return first != NULL ? kl_error_copy(err, first) : 0;
}

int kl_scatter_refuse(struct kl_scatter *s, const struct klamm_error *why,
		      struct klamm_error *errors, struct klamm_error *err)
{
	for (size_t i = 0; i < s->count; i++)
		s->items[i].err = *why;
	kl_scatter_errors(s, errors, NULL);
	return kl_error_copy(err, why);
}

int kl_check_groups(const char *const *names, size_t count, struct klamm_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (names[i] == NULL)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"a group needs a name");
	const char **sorted = calloc(count + 1, sizeof(*sorted));
	if (sorted == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu groups",
				count);
	for (size_t i = 0; i < count; i++)
		sorted[i] = names[i];
	qsort(sorted, count, sizeof(*sorted), kl_by_text);
	int rc = 0;
	for (size_t i = 1; rc == 0 && i < count; i++)
		if (strcmp(sorted[i - 1], sorted[i]) == 0)
			rc = kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				      "group %.100s: named twice", sorted[i]);
	free(sorted);
	return rc;
}
