/* SPDX-License-Identifier: BSD-2-Clause */
/* The fetcher: one Fetch under way per broker, for the partitions whose queue runs dry. What
 * is asked for is decided here, in rounds of the loop. */
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/fetch.h"

/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)

/* --- where to begin --- */

void kl_fetch_tell(struct klamm_consumer *c, struct kl_cpart *part, int code,
		   const char *what)
{
	struct klamm_error err;
	if (part->told_error == code)
		return;
	part->told_error = code;
	kl_error(&err, code, "topic %s partition %d: %s: %s", part->topic->name,
		 part->partition, what, klamm_err_text(code));
	kl_results_error(c, part, &err);
}

void kl_fetcher_reset(struct klamm_consumer *c, struct kl_cpart *part)
{
	const struct kl_settings *s = c->settings;
	part->state = KL_CPART_LOOK_UP;
	switch (s->auto_offset_reset) {
	case KL_RESET_EARLIEST:
		part->reset_to = KLAMM_OFFSET_BEGINNING;
		break;
	case KL_RESET_LATEST:
		part->reset_to = KLAMM_OFFSET_END;
		break;
	case KL_RESET_BY_DURATION: /* KIP-1106 */
		part->reset_to =
			kl_max(c->os->wall_ms(c->os) - s->auto_offset_reset_ms, (int64_t)0);
		break;
	default:
		part->state = KL_CPART_STOPPED;
		part->reset_to = KLAMM_OFFSET_RESET;
		atomic_store(&part->stopped, true);
		kl_gate_wake(c->os, &c->gate);
		break;
	}
}

/* The application has the time between assign() and the first poll() to seek. */
static void tell_no_offset(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (part->state == KL_CPART_STOPPED && part->reset_to == KLAMM_OFFSET_RESET &&
	    c->polled)
		kl_fetch_tell(c, part, KLAMM_ERR_NO_OFFSET,
			      "no position, and auto.offset.reset is none");
}

void kl_fetch_later(struct klamm_consumer *c, struct kl_cpart *part)
{
	part->retry_at = c->loop->now + kl_backoff(c->os, c->settings->retry_backoff_ms,
					     c->settings->retry_backoff_max_ms,
					     part->failures++);
}

/* --- a round --- */

/* Of a Fetch that leaves out a partition whose queue has just become full. */
#define SHORT_WAIT (10 * KL_MS)
/* Below this an answer is not worth asking for. */
#define ANSWER_MIN (64 * 1024)

/* Memory that an answer may take now; 0 = wait until the application lets go of some. A large
 * frame is copied once while it grows, so a part of the budget has to serve; and every broker
 * may answer at the same time. */
static int32_t answer_budget(struct klamm_consumer *c)
{
	size_t budget = (size_t)c->settings->klamm_memory_max;
	size_t used = kl_slab_pool_used(c->slabs);
	size_t left = used < budget ? (budget - used) / 3 : 0;
	if (left < ANSWER_MIN)
		return 0;
	size_t brokers = kl_max(HASH_COUNT(c->cluster.brokers), 1u);
	left = kl_max(left / brokers, (size_t)ANSWER_MIN);
	return (int32_t)kl_min(left, (size_t)c->settings->fetch_max_bytes);
}

static bool may_fetch(const struct kl_cpart *part)
{
	return part->state == KL_CPART_READY && !part->in_flight &&
	       !atomic_load(&part->muted);
}

/* A partition is fetched ahead by what one answer brings for it. */
static bool is_full(const struct klamm_consumer *c, const struct kl_cpart *part)
{
	return atomic_load(&part->queued_bytes) >=
	       (uint64_t)c->settings->max_partition_fetch_bytes;
}

static struct kl_node *leader_of(struct klamm_consumer *c, const struct kl_cpart *part)
{
	struct kl_topic_info *info = part->topic->info;
	if (info == NULL || !info->answered)
		return NULL;
	if (part->partition >= info->partition_count ||
	    info->partitions[part->partition].leader < 0) {
		kl_cluster_refresh(&c->cluster, info);
		return NULL;
	}
	struct kl_node *node =
		kl_cluster_node(&c->cluster, info->partitions[part->partition].leader);
	if (node == NULL)
		kl_cluster_refresh(&c->cluster, info);
	return node;
}

/* Adds the partition to its broker's next Fetch. */
static void plan(struct klamm_consumer *c, struct kl_cpart *part, struct kl_list *building,
		 int32_t budget, int64_t *when)
{
	if (part->retry_at > c->loop->now) {
		*when = kl_min(*when, part->retry_at);
		return;
	}
	struct kl_node *node = leader_of(c, part);
	if (node == NULL)
		return;
	if (!kl_node_connect(node)) {
		*when = kl_min(*when, kl_node_next_time(node));
		return;
	}
	struct kl_fetch *fetch = node->user;
	if (fetch == NULL) {
		if (node->busy > 0)
			return; /* one at a time: its answer is the next event */
		fetch = kl_fetch_get(c);
		if (fetch == NULL) {
			*when = kl_min(*when, c->loop->now + LOOK_AGAIN);
			return;
		}
		fetch->node = node;
		fetch->max_bytes = budget;
		fetch->max_wait = c->settings->fetch_max_wait_ms * KL_MS;
		node->user = fetch;
		kl_list_push(building, &fetch->link);
	}
	if (!kl_fetch_add(fetch, part))
		*when = kl_min(*when, c->loop->now + LOOK_AGAIN);
}

/* A full partition is not in its broker's Fetch, and has to wait for the answer of that when
 * the application has taken its records. So an answer that waits for others' records may take
 * as long as the queue has been full by now: a slow application costs few requests, a quick
 * one waits no longer than it worked. */
static void cut_wait(struct klamm_consumer *c, const struct kl_cpart *part)
{
	const struct kl_node *node = leader_of(c, part);
	struct kl_fetch *fetch = node != NULL ? node->user : NULL;
	if (fetch == NULL)
		return;
	int64_t wait = kl_max(c->loop->now - part->full_since, (int64_t)SHORT_WAIT);
	fetch->max_wait = kl_min(fetch->max_wait, wait);
}

static void look_up(struct klamm_consumer *c, struct kl_cpart *part, int64_t *when)
{
	if (part->retry_at > c->loop->now)
		*when = kl_min(*when, part->retry_at);
	else if (!(part->state == KL_CPART_COMMITTED ? kl_committed_part_start
						     : kl_lookup_part)(c, part))
		*when = kl_min(*when, c->loop->now + LOOK_AGAIN);
}

/* Is it to be found out where the partition stands? */
static bool is_lost(const struct kl_cpart *part)
{
	return (part->state == KL_CPART_COMMITTED && part->committed == NULL) ||
	       (part->state == KL_CPART_LOOK_UP && part->lookup == NULL);
}

static void cut_waits(struct klamm_consumer *c)
{
	kl_list_for(part, &c->parts, struct kl_cpart, link)
		if (may_fetch(part) && is_full(c, part))
			cut_wait(c, part);
}

void kl_fetcher_round(struct kl_task *task)
{
	struct klamm_consumer *c = kl_container(task, struct klamm_consumer, task);
	struct kl_list building = KL_LIST_INIT(building);
	int64_t when = KL_NEVER;
	int32_t budget = answer_budget(c);
	bool starved = false;
	if (c->stopping)
		return;
	kl_list_for_safe(part, &c->parts, struct kl_cpart, link) {
		tell_no_offset(c, part);
		if (is_lost(part))
			look_up(c, part, &when);
		if (!may_fetch(part) || is_full(c, part))
			continue;
		starved |= budget == 0;
		if (budget > 0)
			plan(c, part, &building, budget, &when);
	}
	if (!kl_list_empty(&building))
		cut_waits(c);
	struct kl_list *link;
	while ((link = kl_list_pop(&building)) != NULL) {
		struct kl_fetch *fetch = kl_list_entry(link, struct kl_fetch, link);
		fetch->node->user = NULL;
		kl_fetch_send(fetch);
	}
	kl_lookups_round(c, &when);
	kl_group_round(c, &when);
	if (atomic_exchange(&c->starved, starved) != starved)
		kl_gate_wake(c->os, &c->gate);
	/* Memory that came back after the look and before the word was not told. */
	if (starved && answer_budget(c) > 0)
		kl_loop_post(c->loop, &c->task);
	kl_timer_set(c->loop, &c->timer, when);
}
/* --- what the cluster tells --- */

static void on_topic(struct kl_cluster *cluster, struct kl_topic_info *info)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	struct kl_ctopic *topic = info->user;
	if (topic == NULL)
		return;
	atomic_store(&topic->known_error, info->error);
	if (!kl_uuid_is_zero(&info->id))
		topic->id = info->id;
	if (info->error == 0)
		atomic_store(&topic->known_count, info->partition_count);
	if (info->error != 0 && !klamm_err_retriable(info->error) &&
	    topic->told_error != info->error) {
		struct klamm_error err;
		kl_error(&err, info->error, "topic %s: %s: %s", topic->name,
			 klamm_err_name(info->error), klamm_err_text(info->error));
		topic->told_error = info->error;
		kl_results_error(c, NULL, &err);
	}
	kl_gate_wake(c->os, &c->gate);
	kl_hook_add(c->loop, &c->round_hook);
}

static void on_node(struct kl_cluster *cluster, struct kl_node *node,
		    const struct klamm_error *err)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	kl_hook_add(c->loop, &c->round_hook);
	if (err == NULL) {
		c->told_refusal = false;
		return;
	}
	if (!kl_auth_is_refusal(err))
		return;
	/* Each attempt ends like the first. */
	if (!c->told_refusal)
		kl_results_error(c, NULL, err);
	c->told_refusal = true;
	kl_gate_wake(c->os, &c->gate);
}

const struct kl_cluster_ops kl_fetcher_ops = {.topic = on_topic, .node = on_node};

void kl_fetcher_free(struct klamm_consumer *c)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&c->spare_requests)) != NULL)
		kl_fetch_free(kl_list_entry(link, struct kl_fetch, link));
}
