/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/host.h"

#include <stdlib.h>

#include "config.h"
#include "core/base/error.h"
#include "core/os/secret.h"
#include "core/plugin.h"

/* Calls that one instance may have waiting in the pool: far more than a plugin has use for,
 * and a bound on what a runaway one takes. */
#define PENDING_MAX 64

static struct kl_instance *instance_of(const struct klamm_host *api)
{
	return kl_container((struct klamm_host *)api, struct kl_instance, api);
}

static void host_log(const struct klamm_host *api, int32_t level, const char *text)
{
	const struct kl_instance *instance = instance_of(api);
	char where[96];
	snprintf(where, sizeof(where), "%s %s", kl_kind_word(instance->plugin->kind),
		 instance->plugin->head.name);
	kl_log(instance->host->log, level, where, "%s", text);
}

static int64_t host_now_us(const struct klamm_host *api)
{
	struct kl_os *os = instance_of(api)->host->os;
	return os->now(os);
}

static int64_t host_wall_ms(const struct klamm_host *api)
{
	struct kl_os *os = instance_of(api)->host->os;
	return os->wall_ms(os);
}

static void host_random(const struct klamm_host *api, void *to, size_t len)
{
	struct kl_os *os = instance_of(api)->host->os;
	os->random(os, to, len);
}

static bool host_closing(const struct klamm_host *api)
{
	return atomic_load(&instance_of(api)->host->closing);
}

/* --- memory --- */

static int host_arena_new(const struct klamm_host *api, size_t max,
			  struct klamm_arena **arena_out)
{
	struct kl_lent_arena *arena = malloc(sizeof(*arena));
	if (arena == NULL)
		return KLAMM_ERR_NO_MEMORY;
	kl_lent_arena_init(arena, max, &instance_of(api)->host->quota);
	*arena_out = &arena->lent;
	return 0;
}

static void host_arena_free(const struct klamm_host *api, struct klamm_arena *lent)
{
	if (lent == NULL)
		return;
	struct kl_lent_arena *arena = kl_container(lent, struct kl_lent_arena, lent);
	kl_lent_arena_free(arena);
	free(arena);
}

static int host_out_new(const struct klamm_host *api, size_t limit,
			struct klamm_out **out_out)
{
	struct kl_sink *sink = malloc(sizeof(*sink));
	if (sink == NULL)
		return KLAMM_ERR_NO_MEMORY;
	kl_sink_init(sink, limit, &instance_of(api)->host->quota);
	*out_out = &sink->out;
	return 0;
}

static void host_out_free(const struct klamm_host *api, struct klamm_out *out)
{
	if (out == NULL)
		return;
	struct kl_sink *sink = kl_container(out, struct kl_sink, out);
	kl_sink_free(sink);
	free(sink);
}

/* --- the pool --- */

struct submitted {
	struct kl_list link; /* in a reload */
	struct kl_instance *instance;
	void (*fn)(void *arg);
	void *arg;
};

/* From the unlock on the instance may be gone. */
static void finish(struct submitted *call)
{
	struct kl_host *host = call->instance->host;
	kl_mutex_lock(&host->mutex);
	call->instance->pending--;
	host->os->cond_broadcast(host->os, &host->returned);
	kl_mutex_unlock(&host->mutex);
	free(call);
}

static void run_submitted(void *arg)
{
	struct submitted *call = arg;
	call->fn(call->arg);
	finish(call);
}

static int submit(struct kl_host *host, struct submitted *call)
{
	int rc = kl_host_run_blocking(host->loop, run_submitted, call);
	if (rc != 0)
		finish(call);
	return rc;
}

/* With the host's mutex held. */
static struct submitted *prepare(struct kl_instance *instance, void (*fn)(void *arg),
				 void *arg)
{
	struct submitted *call = calloc(1, sizeof(*call));
	if (call == NULL)
		return NULL;
	*call = (struct submitted){
		.instance = instance,
		.fn = fn,
		.arg = arg,
	};
	instance->pending++;
	return call;
}

static int host_submit(const struct klamm_host *api, void (*fn)(void *arg), void *arg)
{
	struct kl_instance *instance = instance_of(api);
	struct kl_host *host = instance->host;
	if (host->loop == NULL)
		return KLAMM_ERR_UNSUPPORTED;
	struct submitted *call = NULL;
	kl_mutex_lock(&host->mutex);
	bool is_full = instance->pending >= PENDING_MAX, left = instance->left;
	if (!is_full && !left)
		call = prepare(instance, fn, arg);
	kl_mutex_unlock(&host->mutex);
	if (left)
		return KLAMM_ERR_CLOSED;
	if (call == NULL)
		return is_full ? KLAMM_ERR_WOULD_BLOCK : KLAMM_ERR_NO_MEMORY;
	return submit(host, call);
}

static void host_on_reload(const struct klamm_host *api, void (*fn)(void *arg), void *arg)
{
	struct kl_instance *instance = instance_of(api);
	kl_mutex_lock(&instance->host->mutex);
	instance->reload = fn;
	instance->reload_arg = arg;
	kl_mutex_unlock(&instance->host->mutex);
}

void kl_host_reload(struct kl_host *host)
{
	if (host->loop == NULL)
		return;
	struct kl_list calls;
	kl_list_init(&calls);
	kl_mutex_lock(&host->mutex);
	kl_list_for(instance, &host->instances, struct kl_instance, link) {
		struct submitted *call = NULL;
		if (instance->reload != NULL)
			call = prepare(instance, instance->reload, instance->reload_arg);
		if (call != NULL)
			kl_list_push(&calls, &call->link);
	}
	kl_mutex_unlock(&host->mutex);
	struct kl_list *link;
	while ((link = kl_list_pop(&calls)) != NULL)
		submit(host, kl_list_entry(link, struct submitted, link));
}

/* --- timers --- */

static int host_timer_new(const struct klamm_host *api, void (*fn)(void *arg), void *arg,
			  struct klamm_timer **timer_out)
{
	struct klamm_loop *loop = instance_of(api)->host->loop;
	if (loop == NULL)
		return KLAMM_ERR_UNSUPPORTED;
	return kl_host_timer_new(loop, fn, arg, timer_out);
}

static void host_timer_set(const struct klamm_host *api, struct klamm_timer *timer,
			   int64_t at_us)
{
	kl_host_timer_set(timer, at_us);
}

static void host_timer_free(const struct klamm_host *api, struct klamm_timer *timer)
{
	if (timer != NULL)
		kl_host_timer_free(timer);
}

/* --- secrets --- */

static void host_wipe(const struct klamm_host *api, void *p, size_t len)
{
	explicit_bzero(p, len);
}

static void host_secret_wipe(const struct klamm_host *api, char *text)
{
	kl_wipe_text(text);
}

static int host_secret_read(const struct klamm_host *api, const char *key, char **text_out,
			    struct klamm_error *err)
{
	const struct kl_instance *instance = instance_of(api);
	const struct kl_host *host = instance->host;
	if (host->secret != NULL)
		return host->secret(host->secret_arg, key, text_out, err);
	const char *text = NULL;
	if (instance->lookup != NULL)
		text = instance->lookup(instance->lookup_arg, key);
	if (text == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG, "%s is not set", key);
	*text_out = kl_secret_text(text);
	if (*text_out == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %s", key);
	return 0;
}

static int host_token(const struct klamm_host *api, struct klamm_out *value,
		      struct klamm_out *extensions, int64_t *expires_ms_out,
		      struct klamm_error *err)
{
	const struct kl_host *host = instance_of(api)->host;
	if (host->token == NULL)
		return kl_error(err, KLAMM_ERR_UNSUPPORTED, "the application has no token");
	if (value == NULL)
		return 0;
	return host->token(host->token_arg, value, extensions, expires_ms_out, err);
}

static int host_store_read(const struct klamm_host *api, const struct klamm_store *store,
			   uint32_t parts, struct klamm_out *pem_out, struct klamm_error *err)
{
	return kl_host_store_read(instance_of(api)->host->os, store, parts, pem_out, err);
}

/* --- the host itself --- */

int kl_host_init(struct kl_host *host, struct kl_os *os, const struct kl_log *log,
		 struct klamm_loop *loop, const char *client_id, struct klamm_error *err)
{
	*host = (struct kl_host){
		.os = os,
		.log = log,
		.loop = loop,
		.client_id = client_id != NULL ? client_id : "",
	};
	kl_list_init(&host->instances);
	int rc = os->cond_init(os, &host->returned);
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot make a condition: %s",
				strerror(-rc));
	kl_mutex_init(&host->mutex);
	return 0;
}

void kl_host_free(struct kl_host *host)
{
	host->os->cond_destroy(host->os, &host->returned);
	kl_mutex_destroy(&host->mutex);
}

void kl_host_closing(struct kl_host *host)
{
	atomic_store(&host->closing, true);
}

static const char *role_prefix(const char *role)
{
	if (strncmp(role, "key.", 4) == 0)
		return "key.";
	return strncmp(role, "value.", 6) == 0 ? "value." : "";
}

void kl_host_join(struct kl_host *host, struct kl_instance *instance, const char *role)
{
	instance->host = host;
	instance->api = (struct klamm_host){
		.size = sizeof(struct klamm_host),
		.version = PACKAGE_VERSION,
		.client_id = host->client_id,
		.role = role,
		.prefix = role_prefix(role),
		.user = instance->plugin->user,
		.log = host_log,
		.now_us = host_now_us,
		.wall_ms = host_wall_ms,
		.random = host_random,
		.arena_new = host_arena_new,
		.arena_free = host_arena_free,
		.out_new = host_out_new,
		.out_free = host_out_free,
		.closing = host_closing,
		.timer_new = host_timer_new,
		.timer_set = host_timer_set,
		.timer_free = host_timer_free,
		.submit = host_submit,
		.secret_read = host_secret_read,
		.secret_wipe = host_secret_wipe,
		.wipe = host_wipe,
		.on_reload = host_on_reload,
		.token = host_token,
		.store_read = host_store_read,
	};
	kl_mutex_lock(&host->mutex);
	kl_list_push(&host->instances, &instance->link);
	kl_mutex_unlock(&host->mutex);
}

void kl_plugin_hold(struct kl_instance *instance)
{
	kl_mutex_lock(&instance->host->mutex);
	instance->held++;
	kl_mutex_unlock(&instance->host->mutex);
}

/* From the unlock on the instance may be gone. */
void kl_plugin_release(struct kl_instance *instance)
{
	struct kl_host *host = instance->host;
	kl_mutex_lock(&host->mutex);
	instance->held--;
	host->os->cond_broadcast(host->os, &host->returned);
	kl_mutex_unlock(&host->mutex);
}

void kl_host_leave(struct kl_instance *instance)
{
	struct kl_host *host = instance->host;
	kl_mutex_lock(&host->mutex);
	kl_list_remove(&instance->link);
	instance->reload = NULL;
	/* A timer of the plugin's may still come before it is freed. */
	instance->left = true;
	while (instance->pending > 0 || instance->held > 0)
		host->os->cond_wait(host->os, &host->returned, &host->mutex, KL_NEVER);
	kl_mutex_unlock(&host->mutex);
}
