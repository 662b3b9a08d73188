/* SPDX-License-Identifier: BSD-2-Clause */
/* Subscribing: the application's side of a membership. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"
#include "core/consumer/pattern.h"

/* --- checks --- */

static int check(struct klamm_consumer *c, const struct klamm_listener *listener,
		 struct klamm_error *err)
{
	int rc = kl_rebalance_check(c, "subscribing", err);
	if (rc == 0)
		rc = kl_group_check(c, true, "subscribing", err);
	if (rc != 0)
		return rc;
	if (listener != NULL && listener->size != sizeof(*listener))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the size of the listener is %zu, not %zu", listener->size,
				sizeof(*listener));
	if (!c->group.membership.subscribed && c->assigned != NULL)
		return kl_error(err, KLAMM_ERR_STATE,
				"this consumer assigns its partitions itself: assign none "
				"before subscribing to topics");
	return 0;
}

static int check_topics(const char *const *topics, size_t count, struct klamm_error *err)
{
	for (size_t i = 0; i < count; i++)
		if (topics[i] == NULL || topics[i][0] == '\0')
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"topic %zu of the subscription has no name", i);
	return 0;
}

static bool is_modern(const struct klamm_consumer *c)
{
	return c->settings->group_protocol == KL_GROUP_CONSUMER;
}

struct made {
	struct kl_membership *m;
	const struct kl_member_ops *ops;
	void *self;
};

/* The loop looks at it in every round. */
static void show_member(void *arg)
{
	const struct made *made = arg;
	made->m->self = made->self;
	made->m->ops = made->ops;
	/* Who leads a classic group tells the assignor of racks. */
	kl_membership_consumer(made->m)->cluster.replicas_wanted =
		made->ops == &kl_classic_ops;
}

static int make_member(struct klamm_consumer *c, struct klamm_error *err)
{
	struct made made = {.m = &c->group.membership,
			    .ops = is_modern(c) ? &kl_modern_ops : &kl_classic_ops};
	if (made.m->ops != NULL)
		return 0;
	int rc = made.ops->make(made.m, &made.self, err);
	if (rc == 0)
		kl_loop_call(c->loop, show_member, &made);
	return rc;
}

/* --- the subscription --- */

struct change {
	struct klamm_consumer *c;
	struct kl_names topics;
	struct kl_pattern *pattern;
	char *regex;
	bool failed;
};

static bool is_same(const struct kl_membership *m, const struct change *change)
{
	if (!m->subscribed || (m->pattern == NULL) != (change->pattern == NULL) ||
	    (m->regex == NULL) != (change->regex == NULL))
		return false;
	if (m->regex != NULL)
		return strcmp(m->regex, change->regex) == 0;
	if (m->pattern != NULL)
		return strcmp(kl_pattern_text(m->pattern), kl_pattern_text(change->pattern)) ==
		       0;
	return kl_names_equal(&m->topics, &change->topics);
}

/* What it replaces goes back to the caller. */
static void change_in_loop(void *arg)
{
	struct change *change = arg;
	struct klamm_consumer *c = change->c;
	struct kl_membership *m = &c->group.membership;
	if (is_same(m, change))
		return;
	struct change before = {
		.topics = m->topics, .pattern = m->pattern, .regex = m->regex};
	m->topics = change->topics;
	m->pattern = change->pattern;
	m->regex = change->regex;
	if (!kl_membership_watch(m, NULL, 0)) {
		m->topics = before.topics;
		m->pattern = before.pattern;
		m->regex = before.regex;
		change->failed = true;
		return;
	}
	change->topics = before.topics;
	change->pattern = before.pattern;
	change->regex = before.regex;
	m->listed = false;
	m->version++;
	if (!m->subscribed) /* max.poll.interval.ms counts from here */
		atomic_store(&m->poll_left, c->loop->now);
	m->subscribed = true;
	kl_cluster_list(&c->cluster, m->pattern != NULL);
	kl_membership_on(m, KL_MEMBER_SUBSCRIBED);
}

static int subscribe(struct klamm_consumer *c, struct change *change,
		     const struct klamm_listener *listener, struct klamm_error *err)
{
	struct kl_membership *m = &c->group.membership;
	int rc = make_member(c, err);
	if (rc == 0) {
		kl_loop_call(c->loop, change_in_loop, change);
		if (change->failed)
			rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to subscribe");
	}
	if (rc == 0)
		m->listener = listener != NULL ? *listener : (struct klamm_listener){0};
	kl_names_free(&change->topics);
	kl_pattern_free(change->pattern);
	free(change->regex);
	return rc;
}

int klamm_consumer_subscribe(struct klamm_consumer *c, const char *const *topics, size_t count,
			     const struct klamm_listener *listener, struct klamm_error *err)
{
	struct change change = {.c = c};
	int rc = check(c, listener, err);
	if (rc == 0)
		rc = check_topics(topics, count, err);
	if (rc != 0)
		return rc;
	if (count == 0)
		return klamm_consumer_unsubscribe(c, KLAMM_TIMEOUT_DEFAULT, err);
	if (!kl_names_make(&change.topics, topics, count))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to subscribe");
	return subscribe(c, &change, listener, err);
}

int klamm_consumer_subscribe_pattern(struct klamm_consumer *c, const char *pattern,
				     const struct klamm_listener *listener,
				     struct klamm_error *err)
{
	struct change change = {.c = c};
	int rc = check(c, listener, err);
	if (rc != 0)
		return rc;
	if (pattern == NULL || pattern[0] == '\0')
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the pattern to subscribe to is empty");
	rc = kl_pattern_new(pattern, &change.pattern, err);
	return rc == 0 ? subscribe(c, &change, listener, err) : rc;
}

int klamm_consumer_subscribe_regex(struct klamm_consumer *c, const char *regex,
				   const struct klamm_listener *listener,
				   struct klamm_error *err)
{
	struct change change = {.c = c};
	int rc = check(c, listener, err);
	if (rc != 0)
		return rc;
	if (!is_modern(c))
		return kl_error(err, KLAMM_ERR_UNSUPPORTED,
				"brokers match patterns of group.protocol=consumer only: set "
				"that, or use klamm_consumer_subscribe_pattern()");
	if (regex == NULL || regex[0] == '\0')
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the pattern to subscribe to is empty");
	change.regex = strdup(regex);
	if (change.regex == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to subscribe");
	return subscribe(c, &change, listener, err);
}

int klamm_consumer_unsubscribe(struct klamm_consumer *c, int64_t timeout_ms,
			       struct klamm_error *err)
{
	int rc = kl_rebalance_check(c, "unsubscribing", err);
	if (rc != 0)
		return rc;
	if (!c->group.membership.subscribed)
		return klamm_consumer_assign(c, NULL, 0, err);
	int64_t deadline = kl_group_deadline(c, timeout_ms);
	rc = kl_commit_last(c, deadline, err);
	kl_rebalance_leave(c, KLAMM_MEMBERSHIP_DEFAULT,
			   "the consumer unsubscribed from all topics", deadline);
	return rc;
}

/* --- another round --- */

struct rejoin {
	struct kl_membership *m;
	const char *reason;
};

static void rejoin_in_loop(void *arg)
{
	const struct rejoin *rejoin = arg;
	kl_membership_set_reason(rejoin->m, rejoin->reason);
	kl_membership_on(rejoin->m, KL_MEMBER_REJOINS);
}

int klamm_consumer_enforce_rebalance(struct klamm_consumer *c, const char *reason,
				     struct klamm_error *err)
{
	struct kl_membership *m = &c->group.membership;
	int rc = kl_group_check(c, true, "enforcing a rebalance", err);
	if (rc != 0)
		return rc;
	if (!m->subscribed)
		return kl_error(err, KLAMM_ERR_STATE,
				"a rebalance cannot be enforced: this consumer has not "
				"subscribed to anything");
	struct rejoin rejoin = {m, reason != NULL && reason[0] != '\0'
					   ? reason
					   : "rebalance enforced by user"};
	kl_loop_call(c->loop, rejoin_in_loop, &rejoin);
	return 0;
}

/* --- what there is --- */

struct told {
	const struct kl_membership *m;
	struct kl_names names;
	bool ok;
};

static void copy_topics(void *arg)
{
	struct told *told = arg;
	told->ok = kl_names_make(&told->names, told->m->topics.v, told->m->topics.n);
}

int klamm_consumer_subscription(struct klamm_consumer *c, const char *const **topics_out,
				size_t *count_out, struct klamm_error *err)
{
	struct kl_membership *m = &c->group.membership;
	int rc = kl_consumer_check(c, true, err);
	if (rc != 0)
		return rc;
	struct told told = {.m = m};
	kl_loop_call(c->loop, copy_topics, &told);
	if (!told.ok)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a subscription");
	kl_names_free(&m->topics_told);
	m->topics_told = told.names;
	*topics_out = m->topics_told.v;
	*count_out = m->topics_told.n;
	return 0;
}

int klamm_consumer_assignment(struct klamm_consumer *c,
			      const struct klamm_topic_partition **partitions_out,
			      size_t *count_out, struct klamm_error *err)
{
	struct kl_membership *m = &c->group.membership;
	int rc = kl_consumer_check(c, false, err);
	if (rc != 0)
		return rc;
	struct klamm_topic_partition *parts = kl_rebalance_list(c, false, count_out);
	if (parts == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for an assignment");
	free(m->parts);
	m->parts = parts;
	*partitions_out = parts;
	return 0;
}

int klamm_consumer_group_metadata(const struct klamm_consumer *c,
				  struct klamm_group_metadata *metadata_out,
				  struct klamm_error *err)
{
	const struct kl_membership *m = &c->group.membership;
	int rc = kl_group_check(c, false, "the metadata of a group", err);
	if (rc != 0)
		return rc;
	size_t size = metadata_out->size;
	if (size < sizeof(*metadata_out))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the size of the group's metadata is %zu, not %zu", size,
				sizeof(*metadata_out));
	*metadata_out = (struct klamm_group_metadata){
		.size = size,
		.group_id = c->group.id,
		.member_id = m->told_id != NULL ? m->told_id : "",
		.group_instance_id = kl_membership_instance(m),
		.generation = m->told_generation,
	};
	return 0;
}
