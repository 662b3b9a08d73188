/* SPDX-License-Identifier: BSD-2-Clause */
/* Making, polling, flushing and closing a producer. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/producer/producer.h"
#include "core/record/batch.h"

/* Free slabs that are kept beside those in use. */
#define ANSWERS_KEEP (1 << 20)

/* --- plugins --- */

/* compression.type names the plugin, or a wire format that codec.<format> gives to another. */
static const char *codec_name(const struct kl_settings *s)
{
	const char *name = s->compression_type;
	if (name == NULL || strcmp(name, "none") == 0)
		return NULL;
	const struct {
		const char *format, *plugin;
	} formats[] = {
		{"gzip", s->codec_gzip},
		{"snappy", s->codec_snappy},
		{"lz4", s->codec_lz4},
		{"zstd", s->codec_zstd},
	};
	for (size_t i = 0; i < kl_countof(formats); i++)
		if (strcmp(name, formats[i].format) == 0 && formats[i].plugin != NULL)
			return formats[i].plugin;
	return name;
}

static int open_codec(struct klamm_producer *p, const char *name, struct klamm_error *err)
{
	if (name == NULL)
		return 0;
	int rc = kl_conf_load_plugin(p->conf, p->settings, KLAMM_KIND_CODEC, name,
				     &p->codec_plugin, err);
	if (rc != 0)
		return rc;
	/* The first worker's instance is made now, to hear of a bad option now. */
	struct kl_codec_worker *worker = &p->codecs[0];
	rc = kl_conf_open_plugin(p->conf, p->codec_plugin, &p->host, "compression.type",
				 &worker->instance, err);
	worker->opened = rc == 0;
	kl_sink_init(&worker->sink, 0, NULL);
	return rc;
}

static int open_plugins(struct klamm_producer *p, struct klamm_error *err)
{
	const struct kl_settings *s = p->settings;
	int rc = kl_conf_host(p->conf, s, p->os, &p->log, p->loop, &p->host, err);
	if (rc != 0)
		return rc;
	p->host_made = true;
	const struct {
		int32_t kind;
		const char *name, *role;
		struct kl_role_plugin *to;
	} roles[] = {
		{KLAMM_KIND_PARTITIONER, s->partitioner_class, "partitioner.class",
		 &p->partitioner},
		{KLAMM_KIND_SERIALIZER, s->key_serializer, "key.serializer",
		 &p->key_serializer},
		{KLAMM_KIND_SERIALIZER, s->value_serializer, "value.serializer",
		 &p->value_serializer},
	};
	rc = open_codec(p, codec_name(s), err);
	for (size_t i = 0; rc == 0 && i < kl_countof(roles); i++)
		rc = kl_role_open(p->conf, s, roles[i].kind, roles[i].name, &p->host,
				  roles[i].role, roles[i].to, err);
	if (rc == 0)
		rc = kl_role_open_sasl(p->conf, s, &p->host, &p->sasl, err);
	if (rc == 0)
		rc = kl_tls_open(s, kl_conf_ssl_ctx(p->conf), p->os, &p->log, &p->tls, err);
	if (rc == 0)
		rc = kl_reporters_open(&p->reporters, p->conf, s, &p->host, &p->metrics,
				       &p->gate, err);
	if (rc == 0)
		p->partitioner_flags = p->partitioner.plugin->partitioner.flags;
	p->serializes = p->key_serializer.plugin != NULL || p->value_serializer.plugin != NULL;
	return rc;
}

static void close_plugins(struct klamm_producer *p)
{
	for (size_t i = 0; i < kl_countof(p->codecs); i++) {
		kl_plugin_close(&p->codecs[i].instance);
		kl_sink_free(&p->codecs[i].sink);
	}
	kl_plugin_free(p->codec_plugin);
	struct kl_role_plugin *const roles[] = {&p->partitioner, &p->key_serializer,
						&p->value_serializer};
	for (size_t i = 0; i < kl_countof(roles); i++) {
		kl_role_close(roles[i]);
		kl_mutex_destroy(&roles[i]->mutex);
	}
	kl_role_close(&p->sasl);
	kl_tls_free(p->tls);
	if (p->host_made)
		kl_host_free(&p->host);
}

/* --- making --- */

/* What needs the loop. */
struct start {
	struct klamm_producer *p;
	int rc;
	struct klamm_error err;
};

static void start_in_loop(void *arg)
{
	struct start *start = arg;
	struct klamm_producer *p = start->p;
	start->rc = kl_sender_init(p, &start->err);
	if (start->rc != 0)
		return;
	p->sender_made = true;
	start->rc = kl_cluster_init(&p->cluster, p->loop, p->settings, &p->log, p->answers,
				    &kl_sender_ops, &start->err);
	if (start->rc != 0)
		return;
	p->cluster_made = true;
	p->cluster.nodes.sasl = kl_role_instance(&p->sasl);
	p->cluster.nodes.tls = p->tls;
	p->tls = NULL; /* the cluster's, now */
	p->cluster.nodes.metrics = &p->metrics;
	start->rc = kl_txn_init(p, &start->err);
	if (start->rc == 0)
		start->rc = kl_reporters_start(&p->reporters, &start->err);
}

static void init_any_thread(struct klamm_producer *p)
{
	kl_mutex_init(&p->mutex);
	kl_mutex_init(&p->partitioner.mutex);
	kl_list_init(&p->live);
	kl_list_init(&p->spare_batches);
	kl_list_init(&p->spare_outcomes);
	kl_list_init(&p->memory_waiters);
	kl_list_init(&p->results);
	kl_list_init(&p->untold);
	kl_list_init(&p->told);
	kl_list_init(&p->questions);
	kl_mutex_init(&p->key_serializer.mutex);
	kl_mutex_init(&p->value_serializer.mutex);
	atomic_init(&p->refs, 1);
}

static int get_memory(struct klamm_producer *p, struct klamm_error *err)
{
	size_t budget = (size_t)p->settings->buffer_memory;
	p->state = p->os->fork_page(p->os);
	p->slabs = kl_slab_pool_new(budget, budget, kl_memory_freed, p);
	p->answers = kl_slab_pool_new((size_t)p->settings->klamm_memory_max, ANSWERS_KEEP,
				      NULL, NULL);
	if (p->state == NULL || p->slabs == NULL || p->answers == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a producer");
	atomic_store(p->state, KL_PRODUCER_OPEN);
	return 0;
}

static unsigned in_flight_max(const struct kl_settings *s)
{
	return (unsigned)kl_min(s->max_in_flight_requests_per_connection,
				KL_IDEMPOTENT_IN_FLIGHT_MAX);
}

static int configure(struct klamm_producer *p, const struct klamm_conf *conf,
		     struct klamm_error *err)
{
	int rc = klamm_conf_copy(conf, &p->conf, err);
	if (rc == 0)
		rc = kl_conf_settings(p->conf, KLAMM_ROLE_PRODUCER, &p->settings, err);
	if (rc != 0)
		return rc;
	p->log = *kl_conf_log(p->conf);
	kl_producer_figures_init(p);
	p->linger_us = (uint32_t)kl_min(p->settings->linger_ms * KL_MS, (int64_t)UINT32_MAX);
	p->record_clock = p->settings->klamm_timestamp_exact ? p->os->wall_ms
							     : p->os->wall_coarse_ms;
	p->idempotent = p->settings->enable_idempotence;
	atomic_init(&p->in_flight_max, p->idempotent ? in_flight_max(p->settings) : 1);
	/* A record alone in its batch has to fit. */
	size_t batch = (size_t)p->settings->max_request_size;
	p->record_max = batch > KL_BATCH_HEAD ? batch - KL_BATCH_HEAD : 0;
	return 0;
}

static int set_up(struct klamm_producer *p, const struct klamm_conf *conf,
		  struct klamm_error *err)
{
	int rc = configure(p, conf, err);
	if (rc == 0 && p->loop == NULL) {
		rc = kl_loop_new(p->os, &p->log, &p->loop, err);
		p->own_loop = rc == 0;
		if (rc == 0)
			kl_loop_set_pools(p->loop, (unsigned)p->settings->klamm_codec_threads,
					  (unsigned)p->settings->klamm_blocking_threads);
	}
	if (rc == 0)
		rc = get_memory(p, err);
	if (rc == 0)
		rc = open_plugins(p, err);
	if (rc == 0 && p->own_loop)
		rc = klamm_loop_start(p->loop, err);
	if (rc != 0)
		return rc;
	struct start start = {.p = p};
	kl_loop_call(p->loop, start_in_loop, &start);
	return start.rc == 0 ? 0 : kl_error_copy(err, &start.err);
}

static void tear_down(struct klamm_producer *p);

int klamm_producer_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		       struct klamm_producer **producer_out, struct klamm_error *err)
{
	struct klamm_producer *p;
	int rc = loop != NULL ? kl_loop_check_fork(loop, err) : 0;
	if (rc != 0)
		return rc;
	if (posix_memalign((void **)&p, KL_CACHE_LINE, sizeof(*p)) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a producer");
	memset(p, 0, sizeof(*p));
	p->os = loop != NULL ? loop->os : kl_os_real();
	p->loop = loop;
	init_any_thread(p);
	rc = kl_gate_init(p->os, &p->gate);
	if (rc == 0)
		rc = kl_gate_init(p->os, &p->memory_gate);
	if (rc == 0)
		rc = set_up(p, conf, err);
	else
		rc = kl_error(err, KLAMM_ERR_SYSTEM, "cannot make a condition variable");
	if (rc != 0) {
		tear_down(p);
		return rc;
	}
	*producer_out = p;
	return 0;
}

int klamm_producer_on_delivery(struct klamm_producer *p, klamm_delivery_fn fn, void *arg,
			       bool all, struct klamm_error *err)
{
	if (atomic_load(&p->next_id) != 0)
		return kl_error(err, KLAMM_ERR_STATE,
				"the delivery callback must be set before the first record "
				"is sent");
	p->on_delivery = fn;
	p->on_delivery_arg = arg;
	p->deliver_all = all;
	return 0;
}

/* --- the state of a producer --- */

int kl_producer_state_error(const struct klamm_producer *p, struct klamm_error *err)
{
	if (atomic_load(p->state) == KL_PRODUCER_FORKED)
		return kl_error(err, KLAMM_ERR_FORKED,
				"this producer belongs to the parent process: make a new "
				"one after fork()");
	if (atomic_load(p->state) == KL_PRODUCER_DRAINED)
		return kl_error(err, KLAMM_ERR_CLOSED,
				"the producer takes no more records: klamm_producer_drain() "
				"has handed back what it had");
	if (atomic_load(p->state) != KL_PRODUCER_NO_TXN)
		return kl_error(err, KLAMM_ERR_CLOSED, "the producer is closed");
	return kl_txn_explain((struct klamm_producer *)p, err);
}

bool kl_producer_is_closed(const struct klamm_producer *p)
{
	unsigned state = atomic_load(p->state);
	return state == KL_PRODUCER_CLOSED || state == KL_PRODUCER_FORKED;
}

bool kl_producer_is_over(const struct klamm_producer *p)
{
	return kl_producer_is_closed(p) || atomic_load(p->state) == KL_PRODUCER_DRAINED;
}

/* In a child after a fork nothing may touch threads, sockets or locks of the parent. */
static bool is_forked(const struct klamm_producer *p)
{
	return p->state != NULL && atomic_load(p->state) == KL_PRODUCER_FORKED;
}

/* For calls that wait. */
static int check_may_wait(const struct klamm_producer *p, struct klamm_error *err)
{
	if (is_forked(p))
		return kl_producer_state_error(p, err);
	return kl_loop_may_wait(p->os, err);
}

/* In a child nobody waits for it, and the gate's lock may be held by nobody that exists. */
static bool back_out(struct klamm_producer *p)
{
	if (!is_forked(p))
		kl_producer_leave(p);
	return false;
}

bool kl_producer_enter(struct klamm_producer *p)
{
	atomic_fetch_add(&p->refs, 1);
	atomic_fetch_add(&p->inside, 1);
	return kl_likely(!kl_producer_is_closed(p)) || back_out(p);
}

bool kl_producer_enter_to_ask(struct klamm_producer *p)
{
	atomic_fetch_add(&p->refs, 1);
	atomic_fetch_add(&p->inside, 1);
	return !kl_producer_is_over(p) || back_out(p);
}

void kl_producer_leave(struct klamm_producer *p)
{
	atomic_fetch_sub(&p->inside, 1);
	kl_gate_wake(p->os, &p->gate); /* close() may wait for it */
	kl_producer_unref(p);
}

/* --- polling --- */

static bool results_ready(void *arg)
{
	return kl_outcome_waiting(arg);
}

static bool deliveries_ready(void *arg)
{
	return kl_outcome_deliverable(arg);
}

static int64_t deadline_of(const struct klamm_producer *p, int64_t timeout_ms)
{
	return timeout_ms == 0 ? 0 : kl_os_deadline_ms(p->os, timeout_ms);
}

int klamm_producer_poll(struct klamm_producer *p, int64_t timeout_ms, size_t *count_out,
			struct klamm_error *err)
{
	int rc = check_may_wait(p, err);
	if (rc != 0)
		return rc;
	if (kl_loop_is_driven(p->loop) || timeout_ms != 0)
		kl_loop_wait(p->loop, &p->gate, results_ready, p, deadline_of(p, timeout_ms));
	size_t told = kl_outcome_tell(p);
	if (count_out != NULL)
		*count_out = told;
	return 0;
}

int klamm_producer_deliveries(struct klamm_producer *p, int64_t timeout_ms,
			      struct klamm_delivery *deliveries, size_t max,
			      size_t *count_out, struct klamm_error *err)
{
	int rc = check_may_wait(p, err);
	if (rc != 0)
		return rc;
	if (p->on_delivery != NULL)
		return kl_error(err, KLAMM_ERR_STATE,
				"deliveries go to the callback of "
				"klamm_producer_on_delivery()");
	if (kl_loop_is_driven(p->loop) || timeout_ms != 0)
		kl_loop_wait(p->loop, &p->gate, deliveries_ready, p,
			     deadline_of(p, timeout_ms));
	*count_out = kl_outcome_fill(p, deliveries, max);
	return 0;
}

/* --- flushing --- */

struct flush {
	struct klamm_producer *p;
	uint64_t id;
};

/* Is every batch up to the flush's at its end? Wakes for deliveries too, so that callbacks run
 * while it waits. */
static bool is_flushed(struct flush *flush)
{
	struct klamm_producer *p = flush->p;
	kl_mutex_lock(&p->mutex);
	const struct kl_pbatch *oldest = kl_list_first(&p->live, struct kl_pbatch, live);
	bool yes = oldest == NULL || oldest->id > flush->id;
	kl_mutex_unlock(&p->mutex);
	return yes;
}

static bool flush_ready(void *arg)
{
	struct flush *flush = arg;
	return kl_outcome_waiting(flush->p) || is_flushed(flush);
}

/* Open batches up to id are due from now on. */
static void request_flush(struct klamm_producer *p, uint64_t id)
{
	uint64_t known = atomic_load(&p->flush_id);
	while (known < id && !atomic_compare_exchange_weak(&p->flush_id, &known, id))
		;
	kl_loop_post(p->loop, &p->task);
}

static bool flush_until(struct klamm_producer *p, int64_t deadline)
{
	struct flush flush = {p, atomic_load(&p->next_id)};
	request_flush(p, flush.id);
	bool done;
	do {
		kl_loop_wait(p->loop, &p->gate, flush_ready, &flush, deadline);
		kl_outcome_tell(p);
		done = is_flushed(&flush);
	} while (!done && p->os->now(p->os) < deadline);
	/* What ended between the telling and the look. */
	kl_outcome_tell(p);
	return done;
}

int klamm_producer_flush(struct klamm_producer *p, int64_t timeout_ms, uint64_t *failed_out,
			 struct klamm_error *err)
{
	int rc = check_may_wait(p, err);
	if (rc != 0)
		return rc;
	int64_t since = p->os->now(p->os);
	int64_t deadline = kl_os_deadline_ms(p->os, timeout_ms);
	bool done = flush_until(p, deadline);
	if (done)
		rc = kl_unread_wait(p, deadline, err);
	kl_producer_count_time(p, KL_PRODUCER_FLUSH, since);
	if (failed_out != NULL)
		*failed_out = atomic_exchange(&p->failed, 0);
	if (done)
		return rc;
	uint64_t records;
	klamm_producer_queue(p, &records, NULL);
	return kl_error(err, KLAMM_ERR_TIMED_OUT, "%llu records have no outcome yet",
			(unsigned long long)records);
}

void klamm_producer_queue(const struct klamm_producer *producer, uint64_t *records_out,
			  uint64_t *bytes_out)
{
	struct klamm_producer *p = (struct klamm_producer *)producer;
	bool forked = is_forked(p); /* its locks may be held by nobody that exists */
	if (bytes_out != NULL)
		*bytes_out = forked ? 0 : kl_slab_pool_used(p->slabs);
	if (records_out != NULL)
		*records_out = forked ? 0 : kl_pbatch_records(p);
}

int klamm_producer_metrics(struct klamm_producer *p, struct klamm_snapshot **snapshot_out,
			   struct klamm_error *err)
{
	int rc = check_may_wait(p, err);
	return rc == 0 ? kl_metrics_ask(&p->metrics, p->loop, snapshot_out, err) : rc;
}

/* --- closing --- */

static void stop_in_loop(void *arg)
{
	struct klamm_producer *p = arg;
	p->stopping = true;
	kl_topics_stop(p); /* before what the cluster knows about them goes */
	kl_txn_stop(p);
	/* Requests end with CLOSED, and their batches with them. */
	if (p->cluster_made)
		kl_cluster_free(&p->cluster);
	if (p->sender_made) {
		kl_sender_abandon(p);
		kl_sender_free(p);
	}
	kl_reporters_stop(&p->reporters); /* now every record has its outcome */
	kl_loop_unpost(p->loop, &p->task);
}

static bool nothing_compresses(void *arg)
{
	struct klamm_producer *p = arg;
	return atomic_load(&p->compressing) == 0;
}

static bool nobody_inside(void *arg)
{
	struct klamm_producer *p = arg;
	return atomic_load(&p->inside) == 0;
}

void kl_producer_let_senders_out(struct klamm_producer *p)
{
	kl_loop_wait(p->loop, &p->gate, nobody_inside, p, KL_NEVER);
}

void kl_producer_let_workers_out(struct klamm_producer *p)
{
	kl_loop_wait(p->loop, &p->gate, nothing_compresses, p, KL_NEVER);
}

static void tear_down(struct klamm_producer *p)
{
	if (p->state != NULL)
		atomic_store(p->state, KL_PRODUCER_CLOSED);
	if (p->host_made)
		kl_host_closing(&p->host);
	if (p->sender_made) {
		kl_gate_wake(p->os, &p->gate); /* senders that wait hear of it */
		kl_gate_wake(p->os, &p->memory_gate);
		kl_producer_let_senders_out(p);
		kl_producer_let_workers_out(p);
		kl_loop_call(p->loop, stop_in_loop, p);
		kl_gate_wake(p->os, &p->gate);
		kl_outcome_tell(p);
	}
	kl_reporters_close(&p->reporters);
	close_plugins(p);
	if (p->own_loop)
		klamm_loop_free(p->loop);
	kl_producer_unref(p);
}

int klamm_producer_close(struct klamm_producer *p, int64_t timeout_ms,
			 struct klamm_error *err)
{
	if (p == NULL)
		return 0;
	int rc = check_may_wait(p, err);
	if (rc != 0)
		return rc;
	int64_t deadline = kl_os_deadline_ms(p->os, timeout_ms);
	/* A transaction that is open is over: its records are not sent any more. */
	if (kl_producer_is_transactional(p))
		rc = kl_txn_leave(p, deadline, err);
	bool flushed = flush_until(p, deadline);
	if (flushed && rc == 0)
		rc = kl_unread_wait(p, deadline, err);
	else if (rc == 0)
		rc = kl_error(err, KLAMM_ERR_TIMED_OUT,
			      "the producer was closed with records that have no "
			      "acknowledgement");
	tear_down(p);
	return rc;
}

/* Futures and topics may still hold the shell; it has no thread, socket or plugin. */
void kl_producer_unref(struct klamm_producer *p)
{
	if (atomic_fetch_sub(&p->refs, 1) != 1)
		return;
	kl_outcome_free_all(p);
	kl_topics_free(p);
	struct kl_list *link;
	while ((link = kl_list_pop(&p->spare_batches)) != NULL)
		free(kl_list_entry(link, struct kl_pbatch, link));
	kl_slab_pool_free(p->slabs);
	kl_slab_pool_free(p->answers);
	kl_producer_figures_free(p);
	p->os->fork_page_free(p->os, p->state);
	kl_gate_destroy(p->os, &p->gate);
	kl_gate_destroy(p->os, &p->memory_gate);
	kl_mutex_destroy(&p->mutex);
	klamm_conf_free(p->conf);
	free(p);
}
