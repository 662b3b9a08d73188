/* SPDX-License-Identifier: BSD-2-Clause */
/* Work that blocks and that nothing can hurry, on a thread of its own.
 *
 * libkrb5 asks KDCs and name servers for as long as it sees fit, without a deadline and
 * without a way to end it. So whoever needs an answer waits for a thread, no longer than
 * its own call allows, and then leaves it behind: the thread ends by itself and frees
 * what it worked on, which nobody else has.
 */
#ifndef GSSAPI_ERRAND_H
#define GSSAPI_ERRAND_H

#include <pthread.h>
#include <stdint.h>

#include <klamm/host.h>

/* The first member of what the work needs. */
struct kl_gss_errand {
	/* On the thread; touches what it owns alone. */
	void (*run)(struct kl_gss_errand *errand);
	/* When both sides are through with it; on either's thread. */
	void (*free)(struct kl_gss_errand *errand);
	pthread_t thread;
	pthread_mutex_t mutex;
	pthread_cond_t done_cond;
	bool done, left;
};

/* run and free are set. 0; else SYSTEM, and it was freed. */
int kl_gss_errand_start(struct kl_gss_errand *errand, struct klamm_error *err);
/* Waits until it is done. 0: it is, and kl_gss_errand_end() is due. TIMED_OUT: neither
 * the deadline (of kl_gss_now_ms()) nor the call lets it wait longer; it was left
 * behind and must not be touched any more. */
int kl_gss_errand_wait(struct kl_gss_errand *errand, const struct klamm_call *call,
		       int64_t deadline_ms);
/* It is done: join and free. */
void kl_gss_errand_end(struct kl_gss_errand *errand);

/* --- what threads need --- */

/* With every signal blocked but those of faults, as klamm's own. 0 or an errno. */
int kl_gss_thread(pthread_t *thread, void *(*fn)(void *arg), void *arg);
/* A condition for the functions below. */
void kl_gss_cond_init(pthread_cond_t *cond);
/* Of a clock that never goes back. */
int64_t kl_gss_now_ms(void);
/* When a call that begins now has to be over; a bit earlier, so that its own words are
 * told and not those of whoever waits for it. */
int64_t kl_gss_deadline_ms(const struct klamm_call *call);
/* Wait for the condition for a while; false: there is no time left, or nobody wants the
 * result any more. */
bool kl_gss_wait(pthread_cond_t *cond, pthread_mutex_t *mutex,
		 const struct klamm_call *call, int64_t deadline_ms);

#endif
