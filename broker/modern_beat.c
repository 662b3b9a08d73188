/* SPDX-License-Identifier: BSD-2-Clause */
/* From what a member says to what it has: its subscription, the group's epoch, the target for
 * that, and the member's next step towards it. */
#include "broker/modern_beat.h"

#include <stdlib.h>

#include "broker/groups.h"
#include "core/base/bug.h"

bool kl_dev_deny(struct kl_dev_beat *b, int code, const char *text)
{
	kl_error(&b->err, code, "%s", text);
	return false;
}

bool kl_dev_beat_no_memory(struct kl_dev_beat *b)
{
	return kl_dev_deny(b, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE,
			   "The broker is out of memory.");
}

void kl_dev_beat_undo(struct kl_dev_beat *b)
{
	if (b->member_is_new)
		kl_dev_modern_drop(b->member);
	if (b->group_is_new)
		kl_dev_group_forget(b->group);
}

void kl_dev_beat_free(struct kl_dev_beat *b)
{
	kl_dev_batch_free(&b->batch);
	kl_dev_parts_free(&b->owned);
	kl_dev_parts_free(&b->target);
	kl_dev_parts_free(&b->now.has);
	kl_dev_parts_free(&b->now.gives);
}

/* --- the member --- */

bool kl_dev_beat_add(struct kl_dev_beat *b, struct kl_str id)
{
	char made[KL_UUID_TEXT];
	if (id.len <= 0) {
		kl_dev_modern_make_id(b->call->broker, made);
		id = kl_str(made);
	}
	if (kl_dev_groups_have_room(b->call->broker, (size_t)id.len))
		b->member = kl_dev_modern_add(b->group, id);
	b->member_is_new = b->member != NULL;
	return b->member != NULL || kl_dev_beat_no_memory(b);
}

bool kl_dev_beat_replace(struct kl_dev_beat *b, struct kl_dev_modern_member *old,
			 struct kl_str id, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = b->call->broker;
	struct kl_str group = kl_dev_group_id(b->group);
	struct kl_dev_batch batch;
	struct kl_dev_modern_log gone = {&batch, group, kl_dev_modern_id(old)};
	struct kl_dev_modern_log come = {&batch, group, id};
	struct kl_dev_modern_now now = {.state = old->state, .has = old->has,
					.gives = old->gives};
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	kl_dev_modern_put_no_member(&gone);
	kl_dev_modern_put_about(&come, old->about.value);
	bool ok = kl_dev_modern_put_target(&come, &old->target) &&
		  kl_dev_modern_put_current(&come, &now);
	int rc = ok ? kl_dev_group_append(broker, home, &batch, -1, -1)
		    : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	if (rc != 0)
		return kl_dev_deny(b, rc, klamm_err_text(rc));
	b->member = kl_dev_modern_find(b->group, id);
	return b->member != NULL || kl_dev_beat_no_memory(b);
}

/* --- what the member says from now on --- */

static int by_text(const void *a, const void *b)
{
	const struct kl_str *x = a, *y = b;
	int32_t n = kl_max(x->len, 0), m = kl_max(y->len, 0);
	int rc = memcmp(x->p ?: "", y->p ?: "", (size_t)kl_min(n, m));
	return rc != 0 ? rc : (n > m) - (n < m);
}

bool kl_dev_modern_name_topics(struct kl_consumer_group_member_metadata_value *about,
			       const struct kl_str *topics, int32_t count,
			       struct kl_arena *arena)
{
	size_t n = (size_t)kl_max(count, 0);
	struct kl_str *names = kl_arena_array(arena, n, sizeof(*names));
	int32_t kept = 0;
	if (names == NULL)
		return false;
	if (n > 0) {
		memcpy(names, topics, n * sizeof(*names));
		qsort(names, n, sizeof(*names), by_text);
	}
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || !kl_str_equal(names[kept - 1], names[i]))
			names[kept++] = names[i];
	about->subscribed_topic_names = names;
	about->subscribed_topic_names_n = kept;
	return true;
}

/* Its texts may be those of the record that this one replaces: they are read again there. */
static bool make_about(struct kl_dev_beat *b)
{
	const struct kl_consumer_group_heartbeat_request *r = b->request;
	const struct kl_consumer_group_member_metadata_value *old = b->member->about.value;
	char host[KL_ADDR_TEXT + 1];
	kl_dev_conn_host(b->call->conn, host);
	kl_msg_init(&kl_msg_consumer_group_member_metadata_value, &b->about);
	b->about.instance_id = b->about.rack_id = b->about.server_assignor = KL_STR_NULL;
	b->about.subscribed_topic_regex = KL_STR("");
	if (old != NULL)
		b->about = *old;
	b->about.classic_member_metadata = b->classic;
	b->about.client_id = b->call->client_id;
	b->about.client_host = kl_str(kl_arena_text(&b->call->arena, host, strlen(host)));
	if (b->about.client_host.p == NULL)
		return false;
	if (r->instance_id.len >= 0)
		b->about.instance_id = r->instance_id;
	if (r->rack_id.len >= 0)
		b->about.rack_id = r->rack_id;
	if (r->server_assignor.len >= 0)
		b->about.server_assignor = r->server_assignor;
	if (r->rebalance_timeout_ms != -1)
		b->about.rebalance_timeout_ms = r->rebalance_timeout_ms;
	if (r->subscribed_topic_regex.len >= 0)
		b->about.subscribed_topic_regex = r->subscribed_topic_regex;
	return r->subscribed_topic_names_n < 0 ||
	       kl_dev_modern_name_topics(&b->about, r->subscribed_topic_names,
					 r->subscribed_topic_names_n, &b->call->arena);
}

static bool has_same_names(const struct kl_dev_beat *b)
{
	const struct kl_consumer_group_member_metadata_value *old = b->member->about.value;
	int32_t n = old != NULL ? old->subscribed_topic_names_n : 0;
	if (n != b->about.subscribed_topic_names_n)
		return false;
	for (int32_t i = 0; i < n; i++)
		if (!kl_str_equal(old->subscribed_topic_names[i],
				  b->about.subscribed_topic_names[i]))
			return false;
	return true;
}

/* A record, if it is not the one that there is. */
static bool put_about(struct kl_dev_beat *b, const struct kl_dev_modern_log *log)
{
	const struct kl_dev_modern_about *old = &b->member->about;
	struct kl_buf buf = {0};
	kl_buf_i16(&buf, 0);
	kl_msg_encode(&kl_msg_consumer_group_member_metadata_value, 0, &b->about, &buf, NULL);
	bool ok = !buf.failed;
	bool differs = ok && (old->bytes.len != buf.len ||
			      memcmp(old->bytes.data, buf.data, buf.len) != 0);
	if (differs && buf.len > old->bytes.len)
		ok = kl_dev_groups_have_room(b->call->broker, buf.len - old->bytes.len);
	if (differs && ok)
		kl_dev_modern_put_about(log, &b->about);
	kl_buf_free(&buf);
	return ok || kl_dev_beat_no_memory(b);
}

/* Does its pattern change, and is it known already what the new one means? */
static bool take_pattern(struct kl_dev_beat *b, const struct kl_dev_modern_log *log,
			 bool *bumps)
{
	struct kl_str old = kl_dev_modern_pattern(b->member->about.value);
	struct kl_str new = b->about.subscribed_topic_regex;
	if (kl_max(old.len, 0) == kl_max(new.len, 0) && (new.len <= 0 ||
							 kl_str_equal(old, new)))
		return true;
	b->subscription_changed = true;
	if (kl_dev_modern_regex(b->group, old) != NULL &&
	    kl_dev_modern_regex_uses(b->group, old, b->member) == 0)
		kl_dev_modern_put_no_regex(log, old);
	if (new.len <= 0)
		*bumps = true;
	else if (kl_dev_modern_regex(b->group, new) != NULL)
		*bumps = true;
	else if (kl_dev_modern_regex_uses(b->group, new, b->member) == 0)
		return kl_dev_modern_check_regex(new, &b->err) == 0;
	return true;
}

/* --- from what it says to what it has --- */

static bool take_subscription(struct kl_dev_beat *b, const struct kl_dev_modern_change *change,
			      const struct kl_dev_modern_log *log)
{
	struct kl_dev_modern *modern = b->group->modern;
	bool bumps = !has_same_names(b);
	int64_t hash;
	b->subscription_changed = bumps;
	b->epoch = modern->epoch;
	if (!put_about(b, log) || !take_pattern(b, log, &bumps))
		return false;
	if (!bumps && modern->hash_seen == b->call->broker->topics.version)
		return true;
	if (!kl_dev_modern_hash(change, &hash))
		return kl_dev_beat_no_memory(b);
	if (bumps || hash != modern->hash)
		kl_dev_modern_put_epoch(log, ++b->epoch, hash);
	return true;
}

/* The wall clock may have been set back since. (Kafka's group waits until it is there
 * again.) */
static bool is_time_to_assign(const struct kl_dev_beat *b)
{
	const struct kl_dev_modern *modern = b->group->modern;
	int32_t interval = b->call->broker->limits.modern_assignment_ms;
	return modern->target_ms == 0 || interval == 0 ||
	       b->batch.now_ms < modern->target_ms ||
	       b->batch.now_ms >= modern->target_ms + interval;
}

/* b->target becomes what the member shall have. */
static bool take_target(struct kl_dev_beat *b, const struct kl_dev_modern_change *change,
			const struct kl_dev_modern_log *log)
{
	b->target_epoch = b->group->modern->target_epoch;
	if (b->target_epoch >= b->epoch || b->goes_down || !is_time_to_assign(b))
		return kl_dev_parts_copy(&b->target, &b->member->target) ||
		       kl_dev_beat_no_memory(b);
	struct kl_str assignor = kl_dev_modern_assignor(b->group, b->member, &b->about);
	if (assignor.len < 0)
		assignor = kl_dev_modern_default_assignor(b->call->broker);
	if (!kl_dev_modern_assign(change, assignor, &b->batch, &b->target))
		return kl_dev_beat_no_memory(b);
	b->target_epoch = b->epoch;
	kl_dev_modern_put_target_epoch(log, b->epoch, b->batch.now_ms);
	return true;
}

struct step_arg {
	const struct kl_dev_beat *b;
	struct kl_dev_topic **topics;
	int32_t count;
};

static bool subscribes(void *arg, const struct klamm_uuid *topic)
{
	const struct step_arg *a = arg;
	for (int32_t i = 0; i < a->count; i++)
		if (kl_uuid_equal(&a->topics[i]->id, topic))
			return true;
	return false;
}

static bool is_held(void *arg, const struct klamm_uuid *topic, int32_t index)
{
	const struct step_arg *a = arg;
	return !KL_BUG(HELD_GIVEN) &&
	       kl_dev_modern_is_held(a->b->group, topic, index, a->b->member);
}

static bool move(struct kl_dev_beat *b, const struct kl_dev_modern_change *change,
		 const struct kl_dev_modern_log *log)
{
	const struct kl_dev_modern_member *member = b->member;
	struct step_arg arg = {.b = b};
	struct kl_dev_modern_step step = {
		.target = &b->target,
		.target_epoch = b->target_epoch,
		.subscription_changed = b->subscription_changed,
		.owned = b->request->topic_partitions_n >= 0 ? &b->owned : NULL,
		.subscribes = subscribes,
		.is_held = is_held,
		.arg = &arg,
	};
	b->now.epoch = member->epoch;
	b->now.previous_epoch = member->previous_epoch;
	b->now.state = member->state;
	if (!kl_dev_parts_copy(&b->now.has, &member->has) ||
	    !kl_dev_parts_copy(&b->now.gives, &member->gives) ||
	    !kl_dev_modern_topics_of(change, &b->about, &arg.topics, &arg.count))
		return kl_dev_beat_no_memory(b);
	if (!b->subscription_changed && member->state == KL_DEV_MODERN_STABLE &&
	    member->epoch == b->target_epoch)
		return true;
	int rc = kl_dev_modern_advance(&b->now, &step);
	b->moved = rc > 0;
	if (rc < 0 || (b->moved && !kl_dev_modern_put_current(log, &b->now)))
		return kl_dev_beat_no_memory(b);
	return true;
}

bool kl_dev_beat_run(struct kl_dev_beat *b)
{
	struct kl_dev_modern_change change = {b->group, b->member, &b->about, &b->call->arena};
	struct kl_dev_modern_log log = {&b->batch, kl_dev_group_id(b->group),
					kl_dev_modern_id(b->member)};
	if (!make_about(b))
		return kl_dev_beat_no_memory(b);
	return take_subscription(b, &change, &log) && take_target(b, &change, &log) &&
	       move(b, &change, &log);
}

bool kl_dev_beat_append(struct kl_dev_beat *b, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = b->call->broker;
	int rc = kl_dev_group_append(broker, home, &b->batch, -1, -1);
	if (rc != 0)
		return kl_dev_deny(b, rc, klamm_err_text(rc));
	b->group->modern->hash_seen = broker->topics.version;
	if (b->moved)
		kl_dev_modern_pace(b->member);
	kl_dev_modern_alive(b->member);
	return true;
}
