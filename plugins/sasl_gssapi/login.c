/* SPDX-License-Identifier: BSD-2-Clause */
#include "login.h"

#include <stdlib.h>

/* A ticket with less than that left is none. */
#define NEARLY_OVER_MS 1000
/* So long a failure is the answer to everybody: a client connects to many brokers, and
 * KDCs lock out who comes with a wrong key too often. */
#define FAILURE_HOLDS_MS 1000
/* Between two logins, whatever is configured. */
#define LOGIN_EVERY_MS 1000

/* --- tickets that are shared --- */

struct kl_gss_shared *kl_gss_share(struct kl_gss_tickets *tickets)
{
	struct kl_gss_shared *shared = malloc(sizeof(*shared));
	if (shared == NULL) {
		kl_gss_tickets_free(tickets);
		return NULL;
	}
	*shared = (struct kl_gss_shared){.tickets = *tickets, .refs = 1};
	return shared;
}

static struct kl_gss_shared *hold(struct kl_gss_shared *shared)
{
	__atomic_fetch_add(&shared->refs, 1, __ATOMIC_RELAXED);
	return shared;
}

void kl_gss_shared_unref(struct kl_gss_shared *shared)
{
	if (shared == NULL ||
	    __atomic_fetch_sub(&shared->refs, 1, __ATOMIC_ACQ_REL) > 1)
		return;
	kl_gss_tickets_free(&shared->tickets);
	free(shared);
}

/* --- life of a login --- */

static void destroy(struct kl_gss_login *login)
{
	char *texts[] = {login->spec.source.principal, login->spec.source.keytab,
			 login->spec.source.cache,     login->spec.service.service,
			 login->spec.service.domain,   login->spec.service.name};
	kl_gss_shared_unref(login->current);
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		free(texts[i]);
	pthread_mutex_destroy(&login->mutex);
	pthread_cond_destroy(&login->changed);
	free(login);
}

void kl_gss_login_hold(struct kl_gss_login *login)
{
	pthread_mutex_lock(&login->mutex);
	login->refs++;
	pthread_mutex_unlock(&login->mutex);
}

/* Gives up the lock. */
static void unlock_and_unref(struct kl_gss_login *login)
{
	bool last = --login->refs == 0;
	pthread_mutex_unlock(&login->mutex);
	if (last)
		destroy(login);
}

void kl_gss_login_unref(struct kl_gss_login *login)
{
	pthread_mutex_lock(&login->mutex);
	unlock_and_unref(login);
}

static bool copy(char **text)
{
	if (*text == NULL)
		return true;
	*text = strdup(*text);
	return *text != NULL;
}

static bool copy_spec(struct kl_gss_login_spec *spec)
{
	char **texts[] = {&spec->source.principal, &spec->source.keytab,
			  &spec->source.cache,     &spec->service.service,
			  &spec->service.domain,   &spec->service.name};
	bool good = true;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		good &= copy(texts[i]); /* all of them, so that all may be freed */
	return good;
}

static void on_timer(void *arg)
{
	kl_gss_login_renew(arg);
}

/* Without a loop tickets are renewed when somebody needs them. */
static int make_timer(struct kl_gss_login *login, struct klamm_error *err)
{
	const struct klamm_host *host = login->host;
	int rc = host->timer_new(host, on_timer, login, &login->timer);
	if (rc == 0 || rc == KLAMM_ERR_UNSUPPORTED)
		return 0;
	return klamm_fail(err, rc, "no timer for tickets");
}

int kl_gss_login_new(const struct klamm_host *host, const struct kl_gss_login_spec *spec,
		     struct kl_gss_login **login_out, struct klamm_error *err)
{
	struct kl_gss_login *login = calloc(1, sizeof(*login));
	if (login == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	login->spec = *spec;
	login->host = host;
	login->refs = 1;
	pthread_mutex_init(&login->mutex, NULL);
	kl_gss_cond_init(&login->changed);
	int rc = copy_spec(&login->spec)
			 ? 0
			 : klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (rc == 0 && spec->source.keytab != NULL)
		rc = make_timer(login, err);
	if (rc == 0)
		*login_out = login;
	else
		kl_gss_login_close(login);
	return rc;
}

void kl_gss_login_close(struct kl_gss_login *login)
{
	pthread_mutex_lock(&login->mutex);
	const struct klamm_host *host = login->host;
	struct klamm_timer *timer = login->timer;
	login->host = NULL;
	login->timer = NULL;
	bool joins = login->has_thread && !login->busy;
	if (login->has_thread && login->busy)
		pthread_detach(login->thread);
	login->has_thread = false;
	pthread_mutex_unlock(&login->mutex);
	if (timer != NULL) /* not under the mutex, which on_timer() takes */
		host->timer_free(host, timer);
	if (joins)
		pthread_join(login->thread, NULL);
	kl_gss_login_unref(login);
}

/* --- logging in: with the mutex held --- */

static void say(struct kl_gss_login *login, int level, const char *text)
{
	if (login->host != NULL)
		login->host->log(login->host, level, text);
}

static void set_timer(struct kl_gss_login *login, int64_t after_ms)
{
	const struct klamm_host *host = login->host;
	if (host != NULL && login->timer != NULL)
		host->timer_set(host, login->timer,
				host->now_us(host) + after_ms * 1000);
}

static double chance(const struct klamm_host *host)
{
	uint32_t random = 0;
	host->random(host, &random, sizeof(random));
	return random / 4294967296.0;
}

/* Not sooner than relogin_ms, unless the ticket ends before that. */
static int64_t renew_after_ms(const struct kl_gss_login *login,
			      const struct kl_gss_tickets *tickets)
{
	double part = login->spec.factor + login->spec.jitter * chance(login->host);
	int64_t life = tickets->life_s * 1000, left = tickets->left_s * 1000;
	if (!(part > 0)) /* nor a number */
		part = 0;
	int64_t after = (int64_t)((double)life * (part < 1 ? part : 1)) - (life - left);
	if (after < login->spec.relogin_ms && login->spec.relogin_ms < left)
		after = login->spec.relogin_ms;
	return after > LOGIN_EVERY_MS ? after : LOGIN_EVERY_MS;
}

static void take_tickets(struct kl_gss_login *login, struct kl_gss_shared *fresh)
{
	const struct kl_gss_tickets *tickets = &fresh->tickets;
	char text[400];
	kl_gss_shared_unref(login->current);
	login->current = fresh;
	login->proven = true;
	login->failed_at = 0;
	login->logged_in_at = kl_gss_now_ms();
	login->ends_at = login->logged_in_at + tickets->left_s * 1000;
	if (login->host == NULL)
		return;
	int64_t after = renew_after_ms(login, tickets);
	login->renew_at = login->logged_in_at + after;
	set_timer(login, after);
	snprintf(text, sizeof(text),
		 "Kerberos: %.200s has a ticket for %lld s, to be renewed in %lld s",
		 tickets->client, (long long)tickets->left_s, (long long)after / 1000);
	say(login, 3, text);
}

static bool is_good(const struct kl_gss_login *login)
{
	return login->current != NULL &&
	       login->ends_at > kl_gss_now_ms() + NEARLY_OVER_MS;
}

/* As long as the old tickets hold, nobody but the log hears of it. */
static void take_failure(struct kl_gss_login *login, bool passing,
			 const struct klamm_error *failure)
{
	char text[KLAMM_ERROR_TEXT + 100];
	login->failure = *failure;
	if (passing && login->proven)
		login->failure.code = KLAMM_ERR_TIMED_OUT;
	login->failed_at = kl_gss_now_ms();
	if (!is_good(login))
		return;
	int64_t again = (login->ends_at - login->failed_at) / 10;
	if (again > login->spec.relogin_ms)
		again = login->spec.relogin_ms;
	if (again < LOGIN_EVERY_MS)
		again = LOGIN_EVERY_MS;
	login->renew_at = login->failed_at + again;
	set_timer(login, again);
	snprintf(text, sizeof(text),
		 "Kerberos: the ticket is not renewed and holds for %lld s: %s",
		 (long long)(login->ends_at - login->failed_at) / 1000, failure->text);
	say(login, 1, text);
}

/* One that is over at once would be asked for again and again. */
static int check_times(struct kl_gss_tickets *tickets, struct klamm_error *err)
{
	if (tickets->left_s * 1000 > NEARLY_OVER_MS)
		return 0;
	klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
		   "the ticket that the KDC gives %.200s ends in %lld s: the client's "
		   "entry there allows no more, or the clocks differ",
		   tickets->client, (long long)tickets->left_s);
	kl_gss_tickets_free(tickets);
	return KLAMM_ERR_AUTHENTICATION;
}

static void *login_main(void *arg)
{
	struct kl_gss_login *login = arg;
	struct kl_gss_tickets tickets;
	struct klamm_error err;
	bool passing;
	struct kl_gss_shared *fresh = NULL;
	int rc = kl_gss_tickets_get(&login->spec.source, &tickets, &passing, &err);
	if (rc == 0)
		rc = check_times(&tickets, &err);
	if (rc == 0) {
		fresh = kl_gss_share(&tickets);
		if (fresh == NULL)
			klamm_fail(&err, KLAMM_ERR_NO_MEMORY,
				   "out of memory for tickets");
	}
	pthread_mutex_lock(&login->mutex);
	login->busy = false;
	if (fresh != NULL)
		take_tickets(login, fresh);
	else
		take_failure(login, passing, &err);
	pthread_cond_broadcast(&login->changed);
	unlock_and_unref(login);
	return NULL;
}

static void start(struct kl_gss_login *login)
{
	if (login->busy || login->host == NULL)
		return;
	if (login->has_thread) /* it is past its last lock */
		pthread_join(login->thread, NULL);
	int rc = kl_gss_thread(&login->thread, login_main, login);
	login->has_thread = login->busy = rc == 0;
	if (rc == 0) {
		login->refs++;
		return;
	}
	login->failed_at = kl_gss_now_ms();
	klamm_fail(&login->failure, KLAMM_ERR_SYSTEM,
		   "no thread to ask Kerberos with: %s", strerror(rc));
}

void kl_gss_login_renew(struct kl_gss_login *login)
{
	pthread_mutex_lock(&login->mutex);
	if (login->spec.source.keytab != NULL)
		start(login);
	pthread_mutex_unlock(&login->mutex);
}

void kl_gss_login_refused(struct kl_gss_login *login,
			  const struct kl_gss_shared *tickets)
{
	struct kl_gss_shared *old = NULL;
	pthread_mutex_lock(&login->mutex);
	if (tickets == login->current &&
	    kl_gss_now_ms() - login->logged_in_at >= login->spec.relogin_ms) {
		old = login->current;
		login->current = NULL;
	}
	pthread_mutex_unlock(&login->mutex);
	kl_gss_shared_unref(old);
}

/* --- tickets for a session --- */

int kl_gss_login_too_late(const struct kl_gss_login *login, const struct klamm_call *call,
			  const char *what, struct klamm_error *err)
{
	if (klamm_cancelled(call))
		return klamm_fail(err, KLAMM_ERR_TIMED_OUT, "nobody waits any more");
	/* Who never had a ticket has a wrong krb5.conf rather than a slow KDC. */
	return klamm_fail(err,
			  login->proven ? KLAMM_ERR_TIMED_OUT : KLAMM_ERR_AUTHENTICATION,
			  "no ticket for %.200s within %lld ms: the KDC does not answer; "
			  "is it running, and does krb5.conf name it right?",
			  what, (long long)call->wait_ms);
}

static int wait_until_good(struct kl_gss_login *login, const struct klamm_call *call,
			   int64_t deadline_ms, struct klamm_error *err)
{
	while (!is_good(login)) {
		bool failed = login->failed_at != 0 &&
			      kl_gss_now_ms() - login->failed_at < FAILURE_HOLDS_MS;
		if (!login->busy && failed) {
			*err = login->failure;
			return err->code;
		}
		if (!login->busy && login->host == NULL)
			return klamm_fail(err, KLAMM_ERR_TIMED_OUT,
					  "the client is closed");
		start(login);
		if (login->busy &&
		    !kl_gss_wait(&login->changed, &login->mutex, call, deadline_ms))
			return kl_gss_login_too_late(
				login, call,
				login->spec.source.principal ?: "the keytab's client",
				err);
	}
	if (login->renew_at <= kl_gss_now_ms())
		start(login);
	return 0;
}

int kl_gss_login_wait(struct kl_gss_login *login, const struct klamm_call *call,
		      int64_t deadline_ms, struct kl_gss_shared **tickets_out,
		      struct klamm_error *err)
{
	pthread_mutex_lock(&login->mutex);
	int rc = wait_until_good(login, call, deadline_ms, err);
	if (rc == 0)
		*tickets_out = hold(login->current);
	pthread_mutex_unlock(&login->mutex);
	return rc;
}
