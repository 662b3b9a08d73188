/* SPDX-License-Identifier: BSD-2-Clause */
/* The fetcher: one Fetch under way per broker, for the partitions whose queue runs dry. What
 * is asked for is decided here, in rounds of the loop. */
#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/consumer/fetch.h"

/* Nothing will tell when there is memory again. */
#define LOOK_AGAIN (100 * KL_MS)
/* How long a broker may take for the end of a session. */
#define END_PATIENCE_MS 500

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
	kl_fetcher_touch(c, part);
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

/* --- partitions --- */

void kl_fetcher_touch(struct klamm_consumer *c, struct kl_cpart *part)
{
	if (!part->assigned) /* an answer came late: its last reference may be about to go */
		return;
	if (kl_list_empty(&part->dirty))
		kl_list_push(&c->dirty, &part->dirty);
	kl_hook_add(c->loop, &c->round_hook);
}

void kl_fetcher_take(struct klamm_consumer *c, struct kl_cpart *part)
{
	kl_list_push(&part->topic->parts, &part->of_topic);
	kl_fetcher_touch(c, part);
}

static void leave_home(struct kl_cpart *part)
{
	kl_fetch_leave(part);
	kl_list_remove(&part->full);
	if (part->home != NULL)
		part->home->homes--;
	part->home = NULL;
}

void kl_fetcher_drop(struct klamm_consumer *c, struct kl_cpart *part)
{
	leave_home(part);
	kl_fetch_unfollow(c, part);
	kl_list_remove(&part->of_topic);
	kl_list_remove(&part->dirty);
	kl_heap_remove(&c->due, &part->due);
}

static bool may_fetch(const struct kl_cpart *part)
{
	return part->state == KL_CPART_READY && !part->leaving && !atomic_load(&part->muted);
}

/* Is it to be found out where the partition stands? */
static bool is_lost(const struct kl_cpart *part)
{
	bool asks = part->state == KL_CPART_LOOK_UP || part->state == KL_CPART_CHECK;
	return (part->state == KL_CPART_COMMITTED && part->committed == NULL) ||
	       (asks && part->lookup == NULL);
}

/* false: out of memory. */
static bool look_up(struct klamm_consumer *c, struct kl_cpart *part)
{
	return part->state == KL_CPART_COMMITTED ? kl_committed_part_start(c, part)
						 : kl_position_look_up(c, part);
}

/* Into the session of the broker that it is read from, or out of one. false: out of memory. */
static bool place(struct klamm_consumer *c, struct kl_cpart *part, const struct kl_node *node)
{
	struct kl_fetch_session *home = NULL;
	if (node != NULL && !c->winding_up)
		home = kl_fetch_session_of(c, node->id);
	if (home != part->home) {
		leave_home(part);
		part->home = home;
		if (home != NULL)
			home->homes++;
	}
	bool wanted = home != NULL && may_fetch(part) && part->retry_at <= c->loop->now;
	bool is_full = wanted && kl_cpart_is_full(c, part);
	kl_list_remove(&part->full);
	if (is_full)
		kl_list_push(&home->full, &part->full);
	if (wanted && !is_full)
		return kl_fetch_enter(home, part);
	kl_fetch_leave(part);
	return node == NULL || home != NULL || c->winding_up;
}

/* It is looked at again then. */
static bool set_due(struct klamm_consumer *c, struct kl_cpart *part, int64_t when)
{
	if (!kl_heap_reserve(&c->due, c->due.count + 1))
		return false;
	kl_heap_set(&c->due, &part->due, when);
	return true;
}

/* Something has happened to the partition: what does it need now? */
static void settle(struct klamm_consumer *c, struct kl_cpart *part, int64_t *when)
{
	bool ok = true, waits = part->retry_at > c->loop->now;
	const struct kl_node *node = kl_fetch_source(c, part);
	kl_heap_remove(&c->due, &part->due);
	tell_no_offset(c, part);
	int64_t due = waits ? part->retry_at : KL_NEVER;
	if (part->replica >= 0)
		due = kl_min(due, part->replica_until);
	if (due != KL_NEVER)
		ok = set_due(c, part, due);
	if (!waits && is_lost(part))
		ok &= look_up(c, part);
	if (place(c, part, node) && ok)
		return;
	if (kl_list_empty(&part->dirty))
		kl_list_push(&c->dirty, &part->dirty);
	*when = kl_min(*when, c->loop->now + LOOK_AGAIN);
}

/* --- brokers --- */

/* Of a Fetch that leaves out a partition whose queue has just become full. */
#define SHORT_WAIT (10 * KL_MS)
/* Below this an answer is not worth asking for. */
#define ANSWER_MIN (64 * 1024)
/* A frame is copied while it grows, and slabs are powers of two. */
#define FRAME_COST 3

/* Memory that an answer may take now; 0 = there is none. What is asked for already is spoken
 * for, and every broker may answer at the same time. others_out: answers of other brokers are
 * on their way. */
static int32_t answer_budget(struct klamm_consumer *c, bool *others_out)
{
	size_t budget = (size_t)c->settings->klamm_memory_max;
	size_t used = kl_slab_pool_used(c->slabs), askers = 0;
	*others_out = false;
	for (struct kl_fetch_session *s = c->sessions; s != NULL; s = s->hh.next) {
		used += s->in_flight ? FRAME_COST * (size_t)s->max_bytes : 0;
		askers += !s->in_flight && s->member_count > 0;
		*others_out |= s->in_flight && !s->ending;
	}
	size_t left = used < budget ? (budget - used) / FRAME_COST : 0;
	if (left < ANSWER_MIN)
		return 0;
	left = kl_max(left / kl_max(askers, (size_t)1), (size_t)ANSWER_MIN);
	return (int32_t)kl_min(left, (size_t)c->settings->fetch_max_bytes);
}

/* A full partition is not in its broker's Fetch, and has to wait for the answer of that when
 * the application has taken its records. So an answer that waits for others' records may take
 * as long as the queue has been full by now: a slow application costs few requests, a quick
 * one waits no longer than it worked. */
static int64_t wait_of(const struct kl_fetch_session *session)
{
	const struct klamm_consumer *c = session->c;
	int64_t wait = c->settings->fetch_max_wait_ms * KL_MS;
	if (session->limit > 0)
		return 0;
	if (kl_list_empty(&session->full))
		return wait;
	const struct kl_cpart *last = kl_list_entry(session->full.prev, struct kl_cpart, full);
	int64_t full = kl_max(c->loop->now - last->full_since, (int64_t)SHORT_WAIT);
	return kl_min(wait, full);
}

/* Nothing is read from the broker any more. */
static void end(struct kl_fetch_session *session)
{
	struct kl_node *node = kl_cluster_node(&session->c->cluster, session->node);
	if (session->id != 0 && node != NULL && kl_node_is_ready(node))
		kl_fetch_send_end(session, node);
	else
		kl_fetch_session_free(session);
}

static void serve(struct kl_fetch_session *session, int64_t *when, bool *starved)
{
	struct klamm_consumer *c = session->c;
	if (session->in_flight)
		return; /* one at a time: its answer is the next event */
	if (session->homes == 0) {
		end(session);
		return;
	}
	if (kl_list_empty(&session->members))
		return;
	if (session->retry_at > c->loop->now) {
		*when = kl_min(*when, session->retry_at);
		return;
	}
	struct kl_node *node = kl_cluster_node(&c->cluster, session->node);
	if (node == NULL)
		return; /* metadata name another leader, sooner or later */
	if (!kl_node_connect(node)) {
		*when = kl_min(*when, kl_node_next_time(node));
		return;
	}
	bool others = false;
	int32_t budget = answer_budget(c, &others);
	*starved |= budget == 0 && !others;
	if (budget == 0)
		return; /* until the application lets go of some, or another broker answers */
	kl_list_remove(&session->order);
	kl_list_push(&c->serving, &session->order);
	kl_fetch_send(session, node, budget, wait_of(session));
}

/* --- a round --- */

/* What other threads have touched. */
static struct kl_cpart *next_touched(struct klamm_consumer *c)
{
	kl_mutex_lock(&c->mutex);
	struct kl_list *link = kl_list_pop(&c->touched);
	kl_mutex_unlock(&c->mutex);
	return link != NULL ? kl_list_entry(link, struct kl_cpart, touched) : NULL;
}

/* The partitions that something has happened to, or that have waited long enough. */
static void gather(struct klamm_consumer *c, struct kl_list *dirty)
{
	struct kl_cpart *touched;
	while ((touched = next_touched(c)) != NULL) {
		if (touched->assigned)
			kl_fetcher_touch(c, touched);
		kl_cpart_unref(touched);
	}
	struct kl_heap_node *due;
	while ((due = kl_heap_first(&c->due)) != NULL && due->key <= c->loop->now) {
		kl_heap_remove(&c->due, due);
		kl_fetcher_touch(c, kl_container(due, struct kl_cpart, due));
	}
	/* Those that have no position are told of when the application polls. */
	if (c->polled && !c->polled_known)
		kl_list_for(part, &c->parts, struct kl_cpart, link)
			kl_fetcher_touch(c, part);
	c->polled_known = c->polled;
	kl_list_splice(dirty, &c->dirty);
}

static void settle_all(struct klamm_consumer *c, int64_t *when)
{
	struct kl_list dirty = KL_LIST_INIT(dirty), *link;
	gather(c, &dirty);
	while ((link = kl_list_pop(&dirty)) != NULL)
		settle(c, kl_list_entry(link, struct kl_cpart, dirty), when);
	if (kl_heap_first(&c->due) != NULL)
		*when = kl_min(*when, kl_heap_first(&c->due)->key);
}

static bool serve_all(struct klamm_consumer *c, int64_t *when)
{
	bool starved = false;
	kl_list_for_safe(session, &c->serving, struct kl_fetch_session, order)
		serve(session, when, &starved);
	if (c->winding_up && c->sessions == NULL && !atomic_exchange(&c->wound_up, true))
		kl_gate_wake(c->os, &c->gate);
	return starved;
}

void kl_fetcher_round(struct kl_task *task)
{
	struct klamm_consumer *c = kl_container(task, struct klamm_consumer, task);
	int64_t when = KL_NEVER;
	if (c->stopping)
		return;
	settle_all(c, &when);
	bool starved = serve_all(c, &when);
	kl_lookups_round(c, &when);
	kl_group_round(c, &when);
	if (atomic_exchange(&c->starved, starved) != starved)
		kl_gate_wake(c->os, &c->gate);
	/* Memory that came back after the look and before the word was not told. */
	bool others;
	if (starved && answer_budget(c, &others) > 0)
		kl_loop_post(c->loop, &c->task);
	kl_timer_set(c->loop, &c->timer, when);
}

/* --- what the cluster tells --- */

static void on_topic(struct kl_cluster *cluster, struct kl_topic_info *info)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	struct kl_ctopic *topic = info->user;
	kl_membership_on_topic(&c->group.membership, info);
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
	kl_list_for(part, &topic->parts, struct kl_cpart, of_topic)
		kl_fetcher_touch(c, part);
	kl_gate_wake(c->os, &c->gate);
	kl_hook_add(c->loop, &c->round_hook);
}

static void on_listing(struct kl_cluster *cluster, const struct kl_metadata_response *body)
{
	struct klamm_consumer *c = kl_container(cluster, struct klamm_consumer, cluster);
	kl_topics_listed(c, body);
	kl_membership_on_listing(&c->group.membership, body);
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
	if (node->id >= 0)
		kl_fetch_lost(c, node->id);
	if (!kl_auth_is_refusal(err))
		return;
	/* Each attempt ends like the first. */
	if (!c->told_refusal)
		kl_results_error(c, NULL, err);
	c->told_refusal = true;
	kl_gate_wake(c->os, &c->gate);
}

const struct kl_cluster_ops kl_fetcher_ops = {
	.topic = on_topic, .listing = on_listing, .node = on_node};

/* --- the end --- */

/* Nothing is read any more: brokers are told, as far as they listen. */
static void wind_up(void *arg)
{
	struct klamm_consumer *c = arg;
	c->winding_up = true;
	kl_list_for(part, &c->parts, struct kl_cpart, link)
		leave_home(part);
	kl_hook_add(c->loop, &c->round_hook);
}

static bool is_wound_up(void *arg)
{
	struct klamm_consumer *c = arg;
	return atomic_load(&c->wound_up);
}

void kl_fetcher_wind_up(struct klamm_consumer *c, int64_t deadline)
{
	/* A broker that waits for records hears of it when it is done with that. */
	int64_t most = c->os->now(c->os) +
		       ((int64_t)c->settings->fetch_max_wait_ms + END_PATIENCE_MS) * KL_MS;
	kl_loop_call(c->loop, wind_up, c);
	kl_loop_wait(c->loop, &c->gate, is_wound_up, c, kl_min(deadline, most));
}

void kl_fetcher_free(struct klamm_consumer *c)
{
	struct kl_fetch_session *session, *tmp;
	HASH_ITER(hh, c->sessions, session, tmp)
		kl_fetch_session_free(session);
	struct kl_cpart *touched;
	while ((touched = next_touched(c)) != NULL)
		kl_cpart_unref(touched);
	kl_heap_free(&c->due);
}
