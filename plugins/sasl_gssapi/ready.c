/* SPDX-License-Identifier: BSD-2-Clause */
/* What a session needs before it can say its first word: the client's tickets, and one
 * for the broker. */
#include <stdlib.h>

#include "login.h"

/* What one session asks of the KDC. */
struct asking {
	struct kl_gss_errand errand;
	struct kl_gss_login *login;
	struct kl_gss_shared *tickets; /* NULL: the user's, to be found */
	char *server;
	int rc;
	bool passing;
	struct klamm_error err;
	char host[];
};

static int find_tickets(struct asking *asking)
{
	struct kl_gss_tickets tickets;
	int rc = kl_gss_tickets_get(&asking->login->spec.source, &tickets,
				    &asking->passing, &asking->err);
	if (rc != 0)
		return rc;
	asking->tickets = kl_gss_share(&tickets);
	return asking->tickets != NULL ? 0
				       : klamm_fail(&asking->err, KLAMM_ERR_NO_MEMORY,
						    "out of memory for tickets");
}

static void ask(struct kl_gss_errand *errand)
{
	struct asking *asking = (struct asking *)errand;
	asking->rc = asking->tickets != NULL ? 0 : find_tickets(asking);
	if (asking->rc == 0)
		asking->rc = kl_gss_tickets_for(&asking->tickets->tickets,
						&asking->login->spec.service,
						asking->host, &asking->server,
						&asking->passing, &asking->err);
}

static void free_asking(struct kl_gss_errand *errand)
{
	struct asking *asking = (struct asking *)errand;
	kl_gss_shared_unref(asking->tickets);
	kl_gss_login_unref(asking->login);
	free(asking->server);
	free(asking);
}

/* tickets is given away. */
static struct asking *new_asking(struct kl_gss_login *login,
				 struct kl_gss_shared *tickets, const char *host)
{
	size_t len = strlen(host);
	struct asking *asking = calloc(1, sizeof(*asking) + len + 1);
	if (asking == NULL) {
		kl_gss_shared_unref(tickets);
		return NULL;
	}
	memcpy(asking->host, host, len + 1);
	asking->errand.run = ask;
	asking->errand.free = free_asking;
	asking->tickets = tickets;
	asking->login = login;
	kl_gss_login_hold(login);
	return asking;
}

static int take_answer(struct kl_gss_login *login, struct asking *asking,
		       struct kl_gss_shared **tickets_out, char **server_out,
		       struct klamm_error *err)
{
	pthread_mutex_lock(&login->mutex);
	bool proven = login->proven;
	login->proven |= asking->rc == 0;
	pthread_mutex_unlock(&login->mutex);
	if (asking->rc != 0) {
		*err = asking->err;
		if (asking->passing && proven)
			err->code = KLAMM_ERR_TIMED_OUT;
		return err->code;
	}
	*tickets_out = asking->tickets;
	*server_out = asking->server;
	asking->tickets = NULL;
	asking->server = NULL;
	return 0;
}

int kl_gss_login_ready(struct kl_gss_login *login, const char *host,
		       const struct klamm_call *call, struct kl_gss_shared **tickets_out,
		       char **server_out, struct klamm_error *err)
{
	int64_t deadline_ms = kl_gss_deadline_ms(call);
	struct kl_gss_shared *tickets = NULL;
	int rc = 0;
	if (login->spec.source.keytab != NULL)
		rc = kl_gss_login_wait(login, call, deadline_ms, &tickets, err);
	if (rc != 0)
		return rc;
	struct asking *asking = new_asking(login, tickets, host);
	if (asking == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	rc = kl_gss_errand_start(&asking->errand, err);
	if (rc != 0)
		return rc;
	if (kl_gss_errand_wait(&asking->errand, call, deadline_ms) != 0) {
		pthread_mutex_lock(&login->mutex);
		rc = kl_gss_login_too_late(login, call, "the broker", err);
		pthread_mutex_unlock(&login->mutex);
		return rc;
	}
	rc = take_answer(login, asking, tickets_out, server_out, err);
	kl_gss_errand_end(&asking->errand);
	return rc;
}
