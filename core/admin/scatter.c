/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/admin/scatter_int.h"
#include "core/base/error.h"
#include "core/base/order.h"

void kl_scatter_come_back(struct kl_scatter *s, int64_t at)
{
	kl_timer_set(s->admin->loop, &s->timer,
		     kl_min(kl_max(at, kl_scatter_now(s)), s->deadline));
}

int32_t kl_scatter_left_ms(const struct kl_scatter *s)
{
	if (s->deadline == KL_NEVER)
		return INT32_MAX;
	int64_t left = (s->deadline - kl_scatter_now(s)) / KL_MS;
	return (int32_t)kl_max(kl_min(left, (int64_t)INT32_MAX), (int64_t)0);
}

/* --- where an item is to be asked --- */

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
		int64_t ms = kl_max(s->admin->settings->reconnect_backoff_ms, (int64_t)1);
		item->again_at = kl_scatter_now(s) + ms * KL_MS / 2;
		return NULL;
	}
	kl_cluster_refresh(cluster, NULL); /* or it has just come up */
	wait_for_metadata(s, item);
	return NULL;
}

/* --- the call --- */

void kl_scatters_updated(struct kl_cluster *cluster)
{
	struct klamm_admin *admin = kl_container(cluster, struct klamm_admin, cluster);
	kl_list_for (s, &admin->scatters, struct kl_scatter, link) {
		for (size_t i = 0; i < s->count; i++) {
			if (s->items[i].homeless)
				s->items[i].again_at = kl_scatter_now(s);
			s->items[i].homeless = false;
		}
		kl_scatter_come_back(s, kl_scatter_now(s));
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
		if (s->items[i].topic != NULL && kl_item_is_idle(s, &s->items[i]))
			leader_of(s, &s->items[i]);
	for (size_t i = 0; i < s->count; i++) {
		struct kl_item *item = &s->items[i];
		struct kl_node *node = NULL;
		if (kl_item_is_idle(s, item) && !kl_item_is_busy(s, item))
			node = way_to(s, item);
		if (node != NULL)
			kl_item_ask(s, item, node);
		if (!item->ended && kl_list_empty(&item->link) && !kl_item_is_busy(s, item))
			next = kl_min(next, kl_max(item->again_at, kl_scatter_now(s) + KL_MS));
	}
	if (s->open == 0)
		finish(s);
	else
		kl_scatter_come_back(s, next);
}

static void all_time_out(struct kl_scatter *s)
{
	for (size_t i = 0; i < s->count; i++)
		if (!s->items[i].ended)
			kl_item_time_out(s, &s->items[i]);
	finish(s);
}

static void on_timer(struct kl_timer *timer)
{
	struct kl_scatter *s = kl_container(timer, struct kl_scatter, timer);
	if (kl_scatter_now(s) >= s->deadline)
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
	kl_scatter_come_back(s, kl_scatter_now(s));
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
		kl_part_free(kl_list_entry(s->parts.next, struct kl_part, link));
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
