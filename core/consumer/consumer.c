/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, polling and closing a consumer. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

/* Free slabs kept for the next frames: fresh pages cost more than the copy into them. */
#define SLABS_KEEP (64 << 20)

/* --- making --- */

static int open_plugins(struct klamm_consumer *c, struct klamm_error *err)
{
	const struct kl_settings *s = c->settings;
	int rc = kl_conf_host(c->conf, s, c->os, &c->log, c->loop, &c->host, err);
	if (rc != 0)
		return rc;
	c->host_made = true;
	rc = kl_role_open(c->conf, s, KLAMM_KIND_SERIALIZER, s->key_deserializer, &c->host,
			  "key.deserializer", &c->key, err);
	if (rc == 0)
		rc = kl_role_open(c->conf, s, KLAMM_KIND_SERIALIZER, s->value_deserializer,
				  &c->host, "value.deserializer", &c->value, err);
	if (rc == 0)
		rc = kl_role_open_sasl(c->conf, s, &c->host, &c->sasl, err);
	if (rc == 0)
		rc = kl_tls_open(s, kl_conf_ssl_ctx(c->conf), c->os, &c->log, &c->tls, err);
	if (rc == 0)
		rc = kl_reporters_open(&c->reporters, c->conf, s, &c->host, &c->metrics,
				       &c->gate, err);
	return rc;
}

static void close_plugins(struct klamm_consumer *c)
{
	kl_decode_close(c);
	kl_membership_free(&c->group.membership);
	kl_role_close(&c->key);
	kl_role_close(&c->value);
	kl_role_close(&c->sasl);
	kl_tls_free(c->tls);
}

static void on_timer(struct kl_timer *timer)
{
	kl_fetcher_round(&kl_container(timer, struct klamm_consumer, timer)->task);
}

static void on_hook(struct kl_hook *hook)
{
	kl_fetcher_round(&kl_container(hook, struct klamm_consumer, round_hook)->task);
}

static void wake_pollers(struct kl_task *task)
{
	struct klamm_consumer *c = kl_container(task, struct klamm_consumer, wake_task);
	kl_gate_wake(c->os, &c->gate);
}

struct start {
	struct klamm_consumer *c;
	int rc;
	struct klamm_error err;
};

static void start_in_loop(void *arg)
{
	struct start *start = arg;
	struct klamm_consumer *c = start->c;
	start->rc = kl_timer_init(c->loop, &c->timer, on_timer, &start->err);
	if (start->rc != 0)
		return;
	c->loop_made = true;
	start->rc = kl_cluster_init(&c->cluster, c->loop, c->settings, &c->log, c->slabs,
				    &kl_fetcher_ops, &start->err);
	if (start->rc != 0)
		return;
	c->cluster_made = true;
	c->cluster.nodes.sasl = kl_role_instance(&c->sasl);
	c->cluster.nodes.tls = c->tls;
	c->tls = NULL; /* the cluster's, now */
	c->cluster.nodes.metrics = &c->metrics;
	start->rc = kl_group_start(c, &start->err);
	if (start->rc == 0)
		start->rc = kl_reporters_start(&c->reporters, &start->err);
}

static int get_memory(struct klamm_consumer *c, struct klamm_error *err)
{
	size_t budget = (size_t)c->settings->klamm_memory_max;
	c->state = c->os->fork_page(c->os);
	c->slabs = kl_slab_pool_new(budget, kl_min(budget, (size_t)SLABS_KEEP), NULL, NULL);
	if (c->state == NULL || c->slabs == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a consumer");
	atomic_store(c->state, KL_CONSUMER_OPEN);
	return 0;
}

static int set_up(struct klamm_consumer *c, const struct klamm_conf *conf,
		  struct klamm_error *err)
{
	int rc = klamm_conf_copy(conf, &c->conf, err);
	if (rc == 0)
		rc = kl_conf_settings(c->conf, KLAMM_ROLE_CONSUMER, &c->settings, err);
	if (rc != 0)
		return rc;
	c->log = *kl_conf_log(c->conf);
	kl_consumer_figures_init(c);
	if (c->loop == NULL) {
		rc = kl_loop_new(c->os, &c->log, &c->loop, err);
		c->own_loop = rc == 0;
		if (rc == 0)
			kl_loop_set_pools(c->loop, (unsigned)c->settings->klamm_codec_threads,
					  (unsigned)c->settings->klamm_blocking_threads);
	}
	if (rc == 0)
		rc = get_memory(c, err);
	if (rc == 0)
		rc = open_plugins(c, err);
	if (rc == 0 && c->own_loop)
		rc = klamm_loop_start(c->loop, err);
	if (rc != 0)
		return rc;
	struct start start = {.c = c};
	kl_loop_call(c->loop, start_in_loop, &start);
	return start.rc == 0 ? 0 : kl_error_copy(err, &start.err);
}

static void tear_down(struct klamm_consumer *c);

int klamm_consumer_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		       struct klamm_consumer **consumer_out, struct klamm_error *err)
{
	int rc = loop != NULL ? kl_loop_check_fork(loop, err) : 0;
	if (rc != 0)
		return rc;
	struct klamm_consumer *c = calloc(1, sizeof(*c));
	if (c == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a consumer");
	c->os = loop != NULL ? loop->os : kl_os_real();
	c->loop = loop;
	c->task.fn = kl_fetcher_round;
	c->wake_task.fn = wake_pollers;
	c->round_hook.fn = on_hook;
	atomic_init(&c->refs, 1);
	kl_mutex_init(&c->mutex);
	kl_mutex_init(&c->key.mutex);
	kl_mutex_init(&c->value.mutex);
	struct kl_list *const lists[] = {&c->results, &c->spare_chunks, &c->spare_batches,
					 &c->parts,   &c->lookups,      &c->dirty,
					 &c->touched, &c->serving,      &c->round_hook.link,
					 &c->rests,   &c->read_out};
	for (size_t i = 0; i < kl_countof(lists); i++)
		kl_list_init(lists[i]);
	rc = kl_gate_init(c->os, &c->gate);
	if (rc == 0)
		rc = set_up(c, conf, err);
	else
		rc = kl_error(err, KLAMM_ERR_SYSTEM, "cannot make a condition variable");
	if (rc != 0) {
		tear_down(c);
		return rc;
	}
	*consumer_out = c;
	return 0;
}

/* --- polling --- */

int kl_consumer_check(const struct klamm_consumer *c, bool waits, struct klamm_error *err)
{
	switch (atomic_load(c->state)) {
	case KL_CONSUMER_OPEN:
		return waits ? kl_loop_may_wait(c->os, err) : 0;
	case KL_CONSUMER_FORKED:
		return kl_error(err, KLAMM_ERR_FORKED,
				"this consumer belongs to the parent process: make a new "
				"one after fork()");
	default:
		return kl_error(err, KLAMM_ERR_CLOSED, "the consumer is closed");
	}
}

bool kl_poll_is_due(const struct klamm_consumer *c)
{
	return atomic_load(&c->woken) || atomic_load(&c->group.to_tell) > 0 ||
	       kl_rebalance_is_due(&c->group.membership);
}

static bool something_to_tell(void *arg)
{
	struct klamm_consumer *c = arg;
	return kl_results_first(c) != NULL || atomic_load(&c->starved) || kl_poll_is_due(c);
}

enum taken {
	TAKEN_BATCH,
	TAKEN_NOTHING,
	TAKEN_ERROR,  /* to tell */
	TAKEN_BROKEN, /* likewise, of a batch that stays where it is */
};

static enum taken take(struct klamm_consumer *c, struct kl_chunk *chunk,
		       struct klamm_batch **batch_out, struct klamm_error *err)
{
	enum taken taken = TAKEN_NOTHING;
	if (chunk->look_up_done) {
		chunk->part->position = chunk->offset;
		chunk->part->epoch = chunk->leader_epoch;
	} else if (chunk->err.code != 0) {
		*err = chunk->err;
		taken = TAKEN_ERROR;
	} else {
		if (chunk->part->position < 0) /* its look-up could not be told */
			chunk->part->position = 0;
		int rc = kl_batch_take(c, chunk, batch_out, err);
		if (rc < 0)
			return TAKEN_BROKEN;
		taken = rc == 1 ? TAKEN_BATCH : TAKEN_NOTHING;
		if (chunk->at < chunk->n)
			return taken;
	}
	kl_results_done(c, chunk);
	return taken;
}

static int tell_starved(struct klamm_consumer *c, struct klamm_error *err)
{
	return kl_error(err, KLAMM_ERR_QUEUE_FULL,
			"nothing can be fetched: %zu of %lld bytes are held by batches "
			"that were not unreferenced (klamm.memory.max)",
			kl_slab_pool_used(c->slabs),
			(long long)c->settings->klamm_memory_max);
}

static void begin_polling(struct klamm_consumer *c)
{
	if (atomic_load(&c->polled))
		return;
	atomic_store(&c->polled, true);
	kl_loop_post(c->loop, &c->task);
}

static void set_deadline(const struct klamm_consumer *c, int64_t timeout_ms, int64_t *deadline)
{
	if (*deadline < 0)
		*deadline = timeout_ms == 0 ? 0 : kl_os_deadline_ms(c->os, timeout_ms);
}

static int next_batch(struct klamm_consumer *c, int64_t timeout_ms,
		      struct klamm_batch **batch_out, struct klamm_error *err)
{
	int64_t deadline = -1; /* what is here already needs no clock */
	begin_polling(c);
	for (;;) {
		struct klamm_error why;
		if (kl_rebalance_is_due(&c->group.membership)) {
			set_deadline(c, timeout_ms, &deadline);
			int rc = kl_rebalance(c, deadline, &why);
			if (rc == KLAMM_ERR_TIMED_OUT)
				return 0;
			if (rc != 0)
				return kl_error_copy(err, &why);
		}
		kl_commit_when_due(c);
		kl_commit_callbacks(c);
		struct kl_chunk *chunk = kl_results_first(c);
		if (atomic_exchange(&c->woken, false))
			return kl_error(err, KLAMM_ERR_INTERRUPTED,
					"klamm_consumer_wakeup() was called");
		if (!kl_list_empty(&c->rests) && kl_records_rest(c, batch_out))
			return 0;
		if (chunk == NULL) {
			set_deadline(c, timeout_ms, &deadline);
			bool found = kl_loop_wait(c->loop, &c->gate, something_to_tell, c,
						  deadline);
			c->poll_now = kl_loop_lately(c->loop);
			if (!found)
				return 0;
			if (kl_results_first(c) == NULL && atomic_load(&c->starved) &&
			    !atomic_load(&c->woken) && !kl_subscription_evict(c))
				return tell_starved(c, err);
			continue;
		}
		switch (take(c, chunk, batch_out, &why)) {
		case TAKEN_BATCH:
			return 0;
		case TAKEN_NOTHING:
			break;
		case TAKEN_BROKEN:
			/* The partition's position is before it, and each poll tells of it,
			 * after the other partitions had their turn, until it is sought
			 * over. */
			kl_results_behind(c, chunk);
			return kl_error_copy(err, &why);
		case TAKEN_ERROR:
			return kl_error_copy(err, &why);
		}
	}
}

int klamm_consumer_poll(struct klamm_consumer *c, int64_t timeout_ms,
			struct klamm_batch **batch_out, struct klamm_error *err)
{
	*batch_out = NULL;
	int rc = kl_rebalance_check(c, "polling", err);
	if (rc != 0)
		return rc;
	_Atomic int64_t *left = &c->group.membership.poll_left;
	atomic_store_explicit(left, KL_NEVER, memory_order_relaxed);
	int64_t begun = c->poll_now = kl_loop_lately(c->loop);
	int64_t before = atomic_load_explicit(&c->polled_at, memory_order_relaxed);
	atomic_store_explicit(&c->polled_at, begun, memory_order_relaxed);
	rc = next_batch(c, timeout_ms, batch_out, err);
	atomic_store_explicit(left, c->poll_now, memory_order_relaxed);
	kl_consumer_count_poll(c, before, begun);
	return rc;
}

int klamm_consumer_metrics(struct klamm_consumer *c, struct klamm_snapshot **snapshot_out,
			   struct klamm_error *err)
{
	int rc = kl_consumer_check(c, true, err);
	return rc == 0 ? kl_metrics_ask(&c->metrics, c->loop, snapshot_out, err) : rc;
}

void klamm_consumer_wakeup(struct klamm_consumer *c)
{
	if (atomic_load(c->state) == KL_CONSUMER_FORKED)
		return; /* it is the parent's loop */
	atomic_store(&c->woken, true);
	/* A signal handler may not take the gate's lock: the loop passes it on. */
	kl_loop_post(c->loop, &c->wake_task);
}

/* --- closing --- */

static void stop_in_loop(void *arg)
{
	struct klamm_consumer *c = arg;
	kl_reporters_stop(&c->reporters); /* while it has partitions to tell of */
	c->stopping = true;
	kl_group_stop(c);
	kl_subscription_stop(c);
	if (c->cluster_made) {
		kl_lookups_free(c);
		kl_cluster_free(&c->cluster);
		kl_lookups_free(c);
	}
	kl_results_drop(c, NULL);
	kl_fetcher_free(c);
	kl_list_remove(&c->round_hook.link);
	if (c->loop_made)
		kl_timer_drop(c->loop, &c->timer);
	kl_loop_unpost(c->loop, &c->task);
	kl_loop_unpost(c->loop, &c->wake_task);
}

static bool nobody_works(void *arg)
{
	struct klamm_consumer *c = arg;
	return atomic_load(&c->decoding) == 0 && atomic_load(&c->group.membership.jobs) == 0;
}

/* From here on no other thread posts to the loop, decodes or assigns. */
static void shut(struct klamm_consumer *c)
{
	atomic_store(c->state, KL_CONSUMER_CLOSED);
	kl_mutex_lock(&c->mutex);
	c->closed = true;
	kl_mutex_unlock(&c->mutex);
	kl_loop_wait(c->loop, &c->gate, nobody_works, c, KL_NEVER);
}

static void tear_down(struct klamm_consumer *c)
{
	if (c->state != NULL && c->loop != NULL)
		shut(c);
	if (c->host_made)
		kl_host_closing(&c->host);
	if (c->loop_made)
		kl_loop_call(c->loop, stop_in_loop, c);
	kl_commit_callbacks(c);
	kl_reporters_close(&c->reporters);
	close_plugins(c);
	if (c->own_loop)
		klamm_loop_free(c->loop);
	kl_consumer_unref(c);
}

int klamm_consumer_close_with(struct klamm_consumer *c,
			      const struct klamm_close_options *options,
			      struct klamm_error *err)
{
	int rc = c != NULL ? kl_rebalance_check(c, "closing", err) : 0;
	if (c == NULL || rc != 0)
		return rc;
	if (options->size != sizeof(*options))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the size of the options of closing is %zu, not %zu",
				options->size, sizeof(*options));
	int64_t deadline = kl_os_deadline_ms(c->os, options->timeout_ms);
	rc = kl_commit_last(c, deadline, err);
	kl_rebalance_leave(c, (enum klamm_membership_end)options->membership,
			   "the consumer is being closed", deadline);
	kl_records_free(c);
	kl_fetcher_wind_up(c, deadline);
	tear_down(c);
	return rc;
}

int klamm_consumer_close(struct klamm_consumer *c, int64_t timeout_ms, struct klamm_error *err)
{
	const struct klamm_close_options options = {.size = sizeof(options),
						    .timeout_ms = timeout_ms};
	return klamm_consumer_close_with(c, &options, err);
}

/* Batches may still hold the shell, for its memory and the names of topics. */
void kl_consumer_unref(struct klamm_consumer *c)
{
	if (atomic_fetch_sub(&c->refs, 1) != 1)
		return;
	struct kl_list *link;
	while ((link = kl_list_pop(&c->spare_chunks)) != NULL)
		free(kl_list_entry(link, struct kl_chunk, link));
	kl_batches_free(c);
	kl_arena_free(&c->group.notes);
	kl_subscription_free(c);
	if (c->host_made)
		kl_host_free(&c->host);
	kl_slab_pool_free(c->slabs);
	kl_consumer_figures_free(c);
	c->os->fork_page_free(c->os, c->state);
	kl_gate_destroy(c->os, &c->gate);
	kl_mutex_destroy(&c->mutex);
	kl_mutex_destroy(&c->key.mutex);
	kl_mutex_destroy(&c->value.mutex);
	klamm_conf_free(c->conf);
	free(c);
}
