/* SPDX-License-Identifier: BSD-2-Clause */
/* The token that a client has: got when one is needed, replaced in the background
 * before it ends. As long as it is good it is used, whatever becomes of getting the
 * next one. */
#include <time.h>

#include "plugins/sasl_oauthbearer/oauth.h"

/* After a failure in the background, as Kafka's client. */
#define AGAIN_MS 10000
/* How soon a step that is not wanted any more ends. */
#define LOOK_MS 50
/* A step has its own time; the background takes as long. */
#define STEP_MS 30000

bool kl_oauth_may_pass(int code)
{
	return code == KLAMM_ERR_DNS || code == KLAMM_ERR_CONNECT ||
	       code == KLAMM_ERR_DISCONNECTED || code == KLAMM_ERR_TIMED_OUT;
}

static int64_t now_ms(const struct oauth *o)
{
	return o->host->now_us(o->host) / 1000;
}

static int64_t wall_ms(const struct oauth *o)
{
	return o->host->wall_ms(o->host);
}

/* --- when --- */

int64_t kl_oauth_refresh_at(const struct oauth_conf *conf,
			    const struct oauth_token *token, int64_t now, double chance)
{
	double part = conf->refresh_factor + conf->refresh_jitter * chance;
	int64_t end = token->expires_ms, start = token->start_ms;
	int64_t least = conf->refresh_min * INT64_C(1000),
		buffer = conf->refresh_buffer * INT64_C(1000);
	if (now + least + buffer > end) /* too short a life for both */
		return now + (int64_t)((double)(end - now) * part);
	int64_t at = start + (int64_t)((double)(end - start) * part);
	if (at > end - buffer)
		return end - buffer;
	return at < now + least ? now + least : at;
}

static void on_timer(void *arg);

/* With the mutex held. wait_ms < 0: by the token. Without a loop (a tool that only
 * loads the plugin), or memory, tokens are got when they are needed. */
static void set_timer(struct oauth *o, int64_t wait_ms)
{
	if (o->host->closing(o->host) ||
	    (o->timer == NULL &&
	     o->host->timer_new(o->host, on_timer, o, &o->timer) != 0))
		return;
	if (wait_ms < 0 && o->token.expires_ms < 0)
		return; /* it never ends */
	if (wait_ms < 0) {
		uint32_t r;
		o->host->random(o->host, &r, sizeof(r));
		int64_t now = wall_ms(o);
		wait_ms =
			kl_oauth_refresh_at(o->conf, &o->token, now, r / 4294967296.0) -
			now;
	}
	o->host->timer_set(o->host, o->timer,
			   o->host->now_us(o->host) +
				   (wait_ms > 0 ? wait_ms : 0) * 1000);
}

/* --- getting one --- */

/* false: nobody waits for it any more, or the time is over. */
static bool rest(const struct oauth *o, const struct klamm_call *call, int64_t ms,
		 int64_t end_ms)
{
	int64_t until = now_ms(o) + ms;
	for (;;) {
		int64_t now = now_ms(o);
		if (klamm_cancelled(call) || o->host->closing(o->host) || now >= end_ms)
			return false;
		if (now >= until)
			return true;
		int64_t step = until - now < LOOK_MS ? until - now : LOOK_MS;
		nanosleep(&(struct timespec){.tv_nsec = (long)step * 1000000}, NULL);
	}
}

static int64_t time_of(const struct klamm_call *call)
{
	return call->wait_ms >= 0 && call->wait_ms < STEP_MS ? call->wait_ms : STEP_MS;
}

/* The source is asked until it answers, says no for good, or time is over; as Kafka's
 * client for sasl.login.retry.backoff.max.ms together, with pauses that double. */
static int fetch(struct oauth *o, const struct klamm_call *call,
		 struct oauth_token *token_out, struct klamm_error *err)
{
	int64_t begun = now_ms(o), end = begun + time_of(call);
	int64_t give_up = begun + o->conf->retry_max_ms, pause = o->conf->retry_ms;
	for (int tries = 1;; tries++) {
		struct klamm_error why = {0};
		struct klamm_call left = *call;
		left.wait_ms = end - now_ms(o) > 1 ? end - now_ms(o) : 1;
		int rc = o->source->fetch(o, &left, token_out, &why);
		if (rc == 0)
			return 0;
		kl_oauth_token_free(token_out);
		int64_t now = now_ms(o);
		if (kl_oauth_may_pass(rc) && now + pause < give_up &&
		    rest(o, call, pause, end)) {
			pause = pause > 0 ? 2 * pause : 1;
			continue;
		}
		char many[40] = "";
		if (tries > 1)
			snprintf(many, sizeof(many), " (tried %d times)", tries);
		klamm_fail(err, rc, "no token from %s: %.340s%s", o->source->name,
			   why.text, many);
		if (err != NULL && why.stage != KLAMM_STAGE_NONE)
			err->stage = why.stage;
		return rc;
	}
}

/* With the mutex held. */
static void take(struct oauth *o, struct oauth_token *token)
{
	char line[300];
	kl_oauth_token_free(&o->token);
	o->token = *token;
	*token = (struct oauth_token){0};
	o->number++;
	o->doubted = false;
	int64_t left = o->token.expires_ms < 0 ? -1 : o->token.expires_ms - wall_ms(o);
	if (left < 0)
		snprintf(line, sizeof(line), "a token from %s, without an end",
			 o->source->name);
	else
		snprintf(line, sizeof(line), "a token from %s, good for %lld s",
			 o->source->name, (long long)(left / 1000));
	size_t n = strlen(line);
	if (o->token.subject.len > 0)
		snprintf(line + n, sizeof(line) - n, ", of %.100s", o->token.subject.p);
	o->host->log(o->host, 2, line);
}

/* With the mutex held, which is left meanwhile; o->fetching is ours. */
static void fetch_round(struct oauth *o, const struct klamm_call *call)
{
	OAUTH_TOKEN_AUTO token = {.value.is_kept = true};
	struct klamm_error err = {0};
	pthread_mutex_unlock(&o->mutex);
	int rc = fetch(o, call, &token, &err);
	pthread_mutex_lock(&o->mutex);
	o->failed = err;
	if (rc == 0) {
		take(o, &token);
		set_timer(o, -1);
	}
	o->round++;
	o->fetching = false;
	pthread_cond_broadcast(&o->fetched);
}

/* --- for a step --- */

static bool is_good(const struct oauth *o)
{
	return o->token.value.len > 0 && !o->doubted &&
	       (o->token.expires_ms < 0 || o->token.expires_ms > wall_ms(o));
}

static int copy(const struct oauth *o, struct oauth_token *to, unsigned *number_out,
		struct klamm_error *err)
{
	*number_out = o->number;
	to->start_ms = o->token.start_ms;
	to->expires_ms = o->token.expires_ms;
	kl_text_put(&to->value, o->token.value.p, o->token.value.len);
	kl_text_put(&to->extensions, o->token.extensions.p, o->token.extensions.len);
	return to->value.failed || to->extensions.failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY,
				    "out of memory for a token")
		       : 0;
}

/* Somebody else is getting one. false: there is no waiting any more. */
static bool wait_for_round(struct oauth *o, const struct klamm_call *call,
			   int64_t end_ms)
{
	unsigned round = o->round;
	while (o->round == round) {
		if (klamm_cancelled(call) || o->host->closing(o->host) ||
		    now_ms(o) >= end_ms)
			return false;
		struct timespec until;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += LOOK_MS * 1000000L;
		until.tv_sec += until.tv_nsec / 1000000000L;
		until.tv_nsec %= 1000000000L;
		pthread_cond_timedwait(&o->fetched, &o->mutex, &until);
	}
	return true;
}

static int get(struct oauth *o, const struct klamm_call *call,
	       struct oauth_token *token_out, unsigned *number_out,
	       struct klamm_error *err)
{
	int64_t end = now_ms(o) + time_of(call);
	if (is_good(o))
		return copy(o, token_out, number_out, err);
	/* What comes of somebody else's try is ours, too, unless it was given up. */
	bool has_end = false;
	while (o->fetching && !has_end) {
		if (!wait_for_round(o, call, end))
			return klamm_fail(err, KLAMM_ERR_TIMED_OUT,
					  "still no token from %s", o->source->name);
		has_end = o->failed.code != KLAMM_ERR_ABORTED;
	}
	if (!has_end) {
		o->fetching = true;
		fetch_round(o, call);
	}
	if (o->failed.code != 0) {
		if (err != NULL)
			*err = o->failed;
		return o->failed.code;
	}
	return copy(o, token_out, number_out, err);
}

int kl_oauth_keep_get(struct oauth *o, const struct klamm_call *call,
		      struct oauth_token *token_out, unsigned *number_out,
		      struct klamm_error *err)
{
	pthread_mutex_lock(&o->mutex);
	int rc = get(o, call, token_out, number_out, err);
	pthread_mutex_unlock(&o->mutex);
	return rc;
}

void kl_oauth_keep_doubt(struct oauth *o, unsigned number)
{
	pthread_mutex_lock(&o->mutex);
	if (o->number == number)
		o->doubted = true;
	pthread_mutex_unlock(&o->mutex);
}

/* --- in the background --- */

/* On the blocking pool. */
static void refresh(void *arg)
{
	struct oauth *o = arg;
	static const int32_t never;
	const struct klamm_call call = {
		.size = sizeof(call), .wait_ms = STEP_MS, .cancelled = &never};
	char line[KLAMM_ERROR_TEXT + 60];
	pthread_mutex_lock(&o->mutex);
	if (!o->fetching && !o->host->closing(o->host)) {
		o->fetching = true;
		fetch_round(o, &call);
		if (o->failed.code != 0) {
			snprintf(line, sizeof(line), "%s; %s", o->failed.text,
				 is_good(o) ? "the one that is there is still good"
					    : "the one that was there is over");
			o->host->log(o->host, 1, line);
			set_timer(o, AGAIN_MS);
		}
	}
	o->refreshing = false;
	pthread_mutex_unlock(&o->mutex);
}

/* In the loop. */
static void on_timer(void *arg)
{
	struct oauth *o = arg;
	if (o->host->closing(o->host))
		return;
	pthread_mutex_lock(&o->mutex);
	bool begin = !o->refreshing;
	o->refreshing = true;
	pthread_mutex_unlock(&o->mutex);
	if (!begin || o->host->submit(o->host, refresh, o) == 0)
		return;
	pthread_mutex_lock(&o->mutex);
	o->refreshing = false;
	set_timer(o, AGAIN_MS);
	pthread_mutex_unlock(&o->mutex);
}

void kl_oauth_keep_begin(struct oauth *o)
{
	/* The application says that files have changed: the next token may be another.
	 */
	o->host->on_reload(o->host, refresh, o);
}

void kl_oauth_keep_end(struct oauth *o)
{
	o->host->timer_free(o->host, o->timer);
	kl_oauth_token_free(&o->token);
}
