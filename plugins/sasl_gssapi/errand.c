/* SPDX-License-Identifier: BSD-2-Clause */
#include "errand.h"

#include <signal.h>
#include <string.h>
#include <time.h>

/* How often a wait looks whether it is still wanted. */
#define LOOK_EVERY_MS 50
/* A call is over so much before its time: a tenth of it, and no more than that. */
#define EARLIER_MS 500

int64_t kl_gss_now_ms(void)
{
	struct timespec now;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int64_t kl_gss_deadline_ms(const struct klamm_call *call)
{
	if (call->wait_ms < 0)
		return INT64_MAX;
	int64_t earlier = call->wait_ms / 10;
	return kl_gss_now_ms() + call->wait_ms -
	       (earlier < EARLIER_MS ? earlier : EARLIER_MS);
}

int kl_gss_thread(pthread_t *thread, void *(*fn)(void *arg), void *arg)
{
	static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
	sigset_t all, old;
	sigfillset(&all);
	for (size_t i = 0; i < sizeof(faults) / sizeof(faults[0]); i++)
		sigdelset(&all, faults[i]);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	int rc = pthread_create(thread, NULL, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	return rc;
}

void kl_gss_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

bool kl_gss_wait(pthread_cond_t *cond, pthread_mutex_t *mutex,
		 const struct klamm_call *call, int64_t deadline_ms)
{
	int64_t now = kl_gss_now_ms();
	if (now >= deadline_ms || klamm_cancelled(call))
		return false;
	int64_t until = now + LOOK_EVERY_MS < deadline_ms ? now + LOOK_EVERY_MS
							  : deadline_ms;
	struct timespec at = {.tv_sec = until / 1000,
			      .tv_nsec = until % 1000 * 1000000};
	pthread_cond_timedwait(cond, mutex, &at);
	return true;
}

static void destroy(struct kl_gss_errand *errand)
{
	pthread_mutex_destroy(&errand->mutex);
	pthread_cond_destroy(&errand->done_cond);
	errand->free(errand);
}

static void *errand_main(void *arg)
{
	struct kl_gss_errand *errand = arg;
	errand->run(errand);
	pthread_mutex_lock(&errand->mutex);
	errand->done = true;
	bool left = errand->left;
	if (!left) /* from the unlock on it may be gone */
		pthread_cond_signal(&errand->done_cond);
	pthread_mutex_unlock(&errand->mutex);
	if (left)
		destroy(errand);
	return NULL;
}

int kl_gss_errand_start(struct kl_gss_errand *errand, struct klamm_error *err)
{
	errand->done = errand->left = false;
	pthread_mutex_init(&errand->mutex, NULL);
	kl_gss_cond_init(&errand->done_cond);
	int rc = kl_gss_thread(&errand->thread, errand_main, errand);
	if (rc == 0)
		return 0;
	destroy(errand);
	return klamm_fail(err, KLAMM_ERR_SYSTEM, "no thread to ask Kerberos with: %s",
			  strerror(rc));
}

int kl_gss_errand_wait(struct kl_gss_errand *errand, const struct klamm_call *call,
		       int64_t deadline_ms)
{
	pthread_mutex_lock(&errand->mutex);
	while (!errand->done && kl_gss_wait(&errand->done_cond, &errand->mutex, call,
					    deadline_ms))
		;
	bool done = errand->done;
	if (!done) {
		errand->left = true;
		pthread_detach(errand->thread); /* it still needs the mutex to end */
	}
	pthread_mutex_unlock(&errand->mutex);
	return done ? 0 : KLAMM_ERR_TIMED_OUT;
}

void kl_gss_errand_end(struct kl_gss_errand *errand)
{
	pthread_join(errand->thread, NULL);
	destroy(errand);
}
