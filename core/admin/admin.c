/* SPDX-License-Identifier: BSD-2-Clause */
/* The client and the way of a call: pick a broker, send, judge the answer, wait, send
 * again. */
#include "core/admin/admin.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/backoff.h"
#include "core/conf/conf.h"

/* --- a call, in the loop --- */

static void attempt(struct kl_call *call);

static void finish(struct kl_call *call)
{
	kl_timer_stop(call->admin->loop, &call->timer);
	if (call->err.code != 0 && call->failed != NULL)
		call->failed(call);
	atomic_store(&call->ended, true);
	kl_gate_wake(call->admin->os, &call->admin->gate);
}

/* What an answer said last is the reason; without an answer, what became of the
 * connections. */
static void time_out(struct kl_call *call)
{
	struct klamm_error last = call->err;
	bool got_nowhere =
		last.code == KLAMM_ERR_TIMED_OUT && last.stage == KLAMM_STAGE_LOCAL;
	if (last.code == 0 || got_nowhere) {
		kl_cluster_timed_out(&call->admin->cluster, &call->err, call->what);
	} else {
		kl_error(&call->err, KLAMM_ERR_TIMED_OUT,
			 "%s: timed out; last error: %s", call->what, last.text);
		call->err.stage = last.stage;
		call->err.node = last.node;
	}
	finish(call);
}

static void retry(struct kl_call *call, int64_t wait_us)
{
	struct klamm_loop *loop = call->admin->loop;
	kl_timer_set(loop, &call->timer, kl_min(loop->now + wait_us, call->deadline));
}

static void back_off(struct kl_call *call)
{
	const struct kl_settings *s = call->admin->settings;
	retry(call, kl_backoff(call->admin->os, s->retry_backoff_ms,
			       s->retry_backoff_max_ms, call->failures++));
}

static void on_timer(struct kl_timer *timer)
{
	struct kl_call *call = kl_container(timer, struct kl_call, timer);
	if (call->admin->loop->now >= call->deadline)
		time_out(call);
	else
		attempt(call);
}

/* A connection that failed may work at the next broker; what a broker refuses stays
 * refused. */
static void on_failure(struct kl_call *call, const struct kl_response *response)
{
	call->err = *response->err;
	if (response->code == KLAMM_ERR_UNSUPPORTED && call->needs != NULL)
		kl_error_prefix(&call->err, "%s with %s", call->what, call->needs);
	if (call->admin->loop->now >= call->deadline)
		time_out(call);
	else if (klamm_err_retriable(response->code))
		back_off(call);
	else
		finish(call);
}

static void on_done(struct kl_request *request, const struct kl_response *response)
{
	struct kl_call *call = kl_container(request, struct kl_call, request);
	call->under_way = false;
	if (response->code != 0) {
		on_failure(call, response);
		return;
	}
	kl_error_clear(&call->err);
	if (call->answer(call, response->body, response->version) == KL_CALL_DONE) {
		finish(call);
		return;
	}
	if (klamm_err_invalid_metadata(call->err.code) ||
	    call->err.code == KLAMM_ERR_NOT_CONTROLLER)
		kl_cluster_refresh(&call->admin->cluster, NULL);
	back_off(call);
}

static const void *prepare(struct kl_request *request, int version)
{
	struct kl_call *call = kl_container(request, struct kl_call, request);
	int64_t left = (call->deadline - call->admin->loop->now) / KL_MS;
	/* The broker's word must have time to get back. */
	call->time_left_ms =
		(int32_t)kl_min(kl_max(left * 9 / 10, (int64_t)1),
				(int64_t)call->admin->settings->request_timeout_ms);
	kl_arena_free(&call->arena);
	return call->prepare(call, version);
}

static void attempt(struct kl_call *call)
{
	struct kl_cluster *cluster = &call->admin->cluster;
	struct kl_node *node =
		call->to_controller ? kl_cluster_controller(cluster) : NULL;
	/* With KRaft every broker passes it on; before, it answers NOT_CONTROLLER and
	 * metadata tell where to go. */
	if (node == NULL)
		node = kl_cluster_any_node(cluster);
	if (node == NULL) { /* every address waits for its backoff */
		retry(call,
		      kl_max(call->admin->settings->reconnect_backoff_ms, (int64_t)1) *
			      KL_MS / 2);
		return;
	}
	call->request.api = call->api;
	call->request.min_version = call->min_version;
	call->request.max_version = -1;
	call->request.prepare = prepare;
	call->request.deadline = call->deadline;
	call->request.done = on_done;
	call->under_way = true;
	kl_node_request(node, &call->request);
}

static void start_in_loop(void *arg)
{
	struct kl_call *call = arg;
	if (kl_timer_init(call->admin->loop, &call->timer, on_timer, &call->err) != 0) {
		finish(call);
		return;
	}
	call->timer_made = true;
	attempt(call);
}

/* The caller's time is up, or the call has ended: nothing of it stays in the loop. */
static void leave_in_loop(void *arg)
{
	struct kl_call *call = arg;
	if (!atomic_load(&call->ended))
		time_out(call); /* says what it was waiting for: before that is given up */
	if (call->under_way)
		kl_node_cancel(call->request.node, &call->request);
	call->under_way = false;
	if (call->timer_made)
		kl_timer_drop(call->admin->loop, &call->timer);
	kl_request_free(&call->request);
	kl_arena_free(&call->arena);
}

static bool has_ended(void *arg)
{
	struct kl_call *call = arg;
	return atomic_load(&call->ended);
}

int kl_admin_check(const struct klamm_admin *admin, struct klamm_error *err)
{
	if (kl_loop_is_forked(admin->loop))
		return kl_error(err, KLAMM_ERR_FORKED,
				"this admin client belongs to the parent process: make a "
				"new one after fork()");
	return 0;
}

int kl_admin_call(struct klamm_admin *admin, struct kl_call *call, int64_t timeout_ms,
		  struct klamm_error *err)
{
	call->admin = admin;
	if (kl_admin_check(admin, &call->err) != 0) {
		if (call->failed != NULL)
			call->failed(call);
		return kl_error_copy(err, &call->err);
	}
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = admin->settings->default_api_timeout_ms;
	call->deadline = kl_os_deadline_ms(admin->os, timeout_ms);
	kl_loop_call(admin->loop, start_in_loop, call);
	kl_loop_wait(admin->loop, &admin->gate, has_ended, call, call->deadline);
	kl_loop_call(admin->loop, leave_in_loop, call);
	return call->err.code == 0 ? 0 : kl_error_copy(err, &call->err);
}

/* --- things of several in one call --- */

int kl_admin_refuse(const struct klamm_error *why, struct klamm_error *errors, size_t count,
		    struct klamm_error *err)
{
	for (size_t i = 0; errors != NULL && i < count; i++)
		errors[i] = *why;
	return kl_error_copy(err, why);
}

int kl_admin_no_memory(const char *what, struct klamm_error *errors, size_t count,
		       struct klamm_error *err)
{
	struct klamm_error why;
	kl_error(&why, KLAMM_ERR_NO_MEMORY, "out of memory for %zu %s", count, what);
	return kl_admin_refuse(&why, errors, count, err);
}

void kl_admin_item_error(struct klamm_error *err, int code, const char *kind,
			 const char *name, struct kl_str words)
{
	if (code == 0)
		kl_error_clear(err);
	else if (words.len > 0)
		kl_error(err, code, "%s %.100s: %.*s", kind, name, words.len, words.p);
	else
		kl_error(err, code, "%s %.100s: %s", kind, name, klamm_err_text(code));
}

bool kl_admin_passes(int code)
{
	switch (code) {
	case KLAMM_ERR_NOT_CONTROLLER:
	case KLAMM_ERR_THROTTLING_QUOTA_EXCEEDED: /* KIP-599 */
	case KLAMM_ERR_LEADER_NOT_AVAILABLE:
	case KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case KLAMM_ERR_COORDINATOR_NOT_AVAILABLE:
		return true;
	default:
		return false;
	}
}

/* --- the client --- */

#define ANSWERS_KEEP (1 << 20) /* bytes of freed receive buffers that are kept */

struct start {
	struct klamm_admin *admin;
	int rc;
	struct klamm_error *err;
};

static void make_cluster(void *arg)
{
	static const struct kl_cluster_ops ops = {.updated = kl_scatters_updated};
	struct start *start = arg;
	struct klamm_admin *a = start->admin;
	start->rc = kl_cluster_init(&a->cluster, a->loop, a->settings, &a->log,
				    a->slabs, &ops, start->err);
	if (start->rc != 0)
		return;
	a->cluster_made = true;
	a->cluster.nodes.sasl = kl_role_instance(&a->sasl);
	a->cluster.nodes.tls = a->tls;
	a->tls = NULL; /* the cluster's, now */
	a->cluster.nodes.metrics = &a->metrics;
	start->rc = kl_reporters_start(&a->reporters, start->err);
}

static int configure(struct klamm_admin *a, const struct klamm_conf *conf,
		     struct klamm_error *err)
{
	int rc = klamm_conf_copy(conf, &a->conf, err);
	if (rc == 0)
		rc = kl_conf_settings(a->conf, KLAMM_ROLE_ADMIN, &a->settings, err);
	if (rc != 0)
		return rc;
	a->log = *kl_conf_log(a->conf);
	kl_metrics_init(&a->metrics, a->os, a->settings);
	a->slabs = kl_slab_pool_new((size_t)a->settings->klamm_memory_max, ANSWERS_KEEP,
				    NULL, NULL);
	if (a->slabs == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for an admin client");
	return 0;
}

static int open_plugins(struct klamm_admin *a, struct klamm_error *err)
{
	int rc = kl_conf_host(a->conf, a->settings, a->os, &a->log, a->loop, &a->host, err);
	if (rc != 0)
		return rc;
	a->host_made = true;
	rc = kl_role_open_sasl(a->conf, a->settings, &a->host, &a->sasl, err);
	if (rc == 0)
		rc = kl_tls_open(a->settings, kl_conf_ssl_ctx(a->conf), a->os, &a->log,
				 &a->tls, err);
	return rc == 0 ? kl_reporters_open(&a->reporters, a->conf, a->settings, &a->host,
					   &a->metrics, &a->gate, err)
		       : rc;
}

static int set_up(struct klamm_admin *a, const struct klamm_conf *conf,
		  struct klamm_error *err)
{
	if (kl_gate_init(a->os, &a->gate) != 0)
		return kl_error(err, KLAMM_ERR_SYSTEM,
				"cannot make a condition variable");
	a->gate_made = true;
	int rc = configure(a, conf, err);
	if (rc == 0 && a->loop == NULL) {
		rc = kl_loop_new(a->os, &a->log, &a->loop, err);
		a->own_loop = rc == 0;
		if (rc == 0)
			kl_loop_set_pools(a->loop, (unsigned)a->settings->klamm_codec_threads,
					  (unsigned)a->settings->klamm_blocking_threads);
	}
	if (rc == 0)
		rc = open_plugins(a, err);
	if (rc == 0 && a->own_loop)
		rc = klamm_loop_start(a->loop, err);
	if (rc != 0)
		return rc;
	struct start start = {.admin = a, .err = err};
	kl_loop_call(a->loop, make_cluster, &start);
	return start.rc;
}

int klamm_admin_new(const struct klamm_conf *conf, struct klamm_loop *loop,
		    struct klamm_admin **admin_out, struct klamm_error *err)
{
	int rc = loop != NULL ? kl_loop_check_fork(loop, err) : 0;
	if (rc != 0)
		return rc;
	struct klamm_admin *a = calloc(1, sizeof(*a));
	if (a == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for an admin client");
	a->os = loop != NULL ? loop->os : kl_os_real();
	a->loop = loop;
	kl_list_init(&a->scatters);
	rc = set_up(a, conf, err);
	if (rc != 0) {
		klamm_admin_free(a);
		return rc;
	}
	*admin_out = a;
	return 0;
}

int klamm_admin_metrics(struct klamm_admin *a, struct klamm_snapshot **snapshot_out,
			struct klamm_error *err)
{
	int rc = kl_admin_check(a, err);
	if (rc == 0)
		rc = kl_loop_may_wait(a->os, err);
	return rc == 0 ? kl_metrics_ask(&a->metrics, a->loop, snapshot_out, err) : rc;
}

static void stop_in_loop(void *arg)
{
	struct klamm_admin *a = arg;
	kl_reporters_stop(&a->reporters);
	kl_cluster_free(&a->cluster);
}

void klamm_admin_free(struct klamm_admin *a)
{
	/* In a forked child there is no thread to stop, and the locks are anybody's. */
	if (a == NULL || (a->loop != NULL && kl_loop_is_forked(a->loop)))
		return;
	if (a->host_made)
		kl_host_closing(&a->host);
	if (a->cluster_made)
		kl_loop_call(a->loop, stop_in_loop, a);
	kl_reporters_close(&a->reporters);
	kl_role_close(&a->sasl);
	kl_tls_free(a->tls);
	if (a->host_made)
		kl_host_free(&a->host);
	if (a->own_loop)
		klamm_loop_free(a->loop);
	if (a->gate_made)
		kl_gate_destroy(a->os, &a->gate);
	if (a->slabs != NULL)
		kl_slab_pool_free(a->slabs);
	kl_metrics_free(&a->metrics);
	klamm_conf_free(a->conf);
	free(a);
}
