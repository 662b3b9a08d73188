/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of one item of a scattered call. */
#include <stdio.h>

#include "core/admin/scatter_int.h"
#include "core/base/error.h"
#include "core/broker/backoff.h"

bool kl_item_is_idle(const struct kl_scatter *s, const struct kl_item *item)
{
	return !item->ended && kl_list_empty(&item->link) &&
	       item->again_at <= kl_scatter_now(s);
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
	item->again_at = kl_scatter_now(s);
}

void kl_item_again(struct kl_scatter *s, struct kl_item *item)
{
	const struct kl_settings *settings = s->admin->settings;
	int64_t now = kl_scatter_now(s);
	if (s->paused_at != now) /* who fails together comes back together */
		s->paused_until =
			now + kl_backoff(s->admin->os, settings->retry_backoff_ms,
					 settings->retry_backoff_max_ms, item->failures);
	s->paused_at = now;
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

void kl_item_unreachable(struct kl_scatter *s, struct kl_item *item,
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
void kl_item_time_out(struct kl_scatter *s, struct kl_item *item)
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
