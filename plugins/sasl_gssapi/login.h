/* SPDX-License-Identifier: BSD-2-Clause */
/* A client's Kerberos login: tickets from a keytab, renewed before they end, in process.
 * Or, without a keytab, the user's cache, which is looked at anew each time.
 *
 * Counted: threads that libkrb5 holds up may outlive the client. Any thread.
 */
#ifndef GSSAPI_LOGIN_H
#define GSSAPI_LOGIN_H

#include "errand.h"
#include "tickets.h"

/* As kl_gss_login_new() takes it; copied. */
struct kl_gss_login_spec {
	struct kl_gss_source source;
	struct kl_gss_service service;
	double factor, jitter; /* of a ticket's life, when it is renewed */
	int64_t relogin_ms;    /* between two logins, unless nothing else helps */
};

/* Tickets that several sessions use. */
struct kl_gss_shared {
	struct kl_gss_tickets tickets;
	unsigned refs; /* atomic */
};

struct kl_gss_login {
	/* --- constant --- */
	struct kl_gss_login_spec spec;
	/* --- under the mutex --- */
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	unsigned refs;
	const struct klamm_host *host; /* NULL once the client is closed */
	struct klamm_timer *timer;     /* NULL: there is no loop */
	pthread_t thread;
	bool has_thread; /* it runs, or is to be joined */
	bool busy;       /* it asks the KDC */
	bool proven;     /* some ticket was got: the configuration is right */
	struct kl_gss_shared *current;
	int64_t ends_at, renew_at;      /* of current; kl_gss_now_ms() */
	int64_t logged_in_at;           /* 0 = not yet */
	int64_t failed_at;              /* 0 = the last login was no failure */
	struct klamm_error failure;
};

/* Asks nobody yet. host is borrowed until kl_gss_login_close(). */
int kl_gss_login_new(const struct klamm_host *host, const struct kl_gss_login_spec *spec,
		     struct kl_gss_login **login_out, struct klamm_error *err);
/* The client goes; waits for no KDC. */
void kl_gss_login_close(struct kl_gss_login *login);
void kl_gss_login_hold(struct kl_gss_login *login);
void kl_gss_login_unref(struct kl_gss_login *login);

/* Tickets for this session, with a broker's in their cache: waits for both until the
 * deadline. server_out: the broker's principal, from malloc; tickets end with
 * kl_gss_shared_unref(). AUTHENTICATION, or TIMED_OUT for what may pass. */
int kl_gss_login_ready(struct kl_gss_login *login, const char *host,
		       const struct klamm_call *call, struct kl_gss_shared **tickets_out,
		       char **server_out, struct klamm_error *err);
/* The broker did not take them: the broker's key may have changed, and these are not
 * used again once relogin_ms allows. */
void kl_gss_login_refused(struct kl_gss_login *login, const struct kl_gss_shared *tickets);
/* Log in now, whatever is there. */
void kl_gss_login_renew(struct kl_gss_login *login);

/* tickets is given away; NULL: out of memory, and they are freed. */
struct kl_gss_shared *kl_gss_share(struct kl_gss_tickets *tickets);
void kl_gss_shared_unref(struct kl_gss_shared *tickets); /* NULL is fine */

/* --- for kl_gss_login_ready() --- */

/* Tickets from the keytab; logs in when there are none. */
int kl_gss_login_wait(struct kl_gss_login *login, const struct klamm_call *call,
		      int64_t deadline_ms, struct kl_gss_shared **tickets_out,
		      struct klamm_error *err);
/* What to say when nothing came by then; with the mutex held. */
int kl_gss_login_too_late(const struct kl_gss_login *login, const struct klamm_call *call,
			  const char *what, struct klamm_error *err);

#endif
