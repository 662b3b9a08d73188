/* SPDX-License-Identifier: BSD-2-Clause */
/* Tickets: from a keytab into a cache in memory that nobody else has, or those in the
 * user's cache. Every function here may block on KDCs, name servers and files, as long
 * as libkrb5 sees fit. Any thread. */
#ifndef GSSAPI_TICKETS_H
#define GSSAPI_TICKETS_H

#include <krb5.h>

#include <klamm/host.h>

/* What a client's tickets are made of. Texts or NULL = not set. */
struct kl_gss_source {
	char *principal;
	char *keytab; /* NULL: the user's cache */
	char *cache;  /* NULL: the default one */
};

/* What the broker's principal is made of. Texts or NULL = not set. */
struct kl_gss_service {
	char *service, *domain, *name;
};

struct kl_gss_tickets {
	char *cache;   /* its name, with the type in front: "MEMORY:..." */
	char *client;  /* "alice@REALM" */
	bool own;      /* made here, and destroyed with these */
	int64_t life_s, left_s; /* of the ticket for tickets, when it was got */
};

/* NULL with err. Nothing of a process with raised rights' environment is honoured. */
krb5_context kl_gss_context(struct klamm_error *err);

/* Does the keytab have a key for the principal? Asks no KDC. CONFIG. */
int kl_gss_keytab_check(const struct kl_gss_source *source, struct klamm_error *err);

/* Log in; fill *tickets_out, to be ended with kl_gss_tickets_free(). *passing_out: the
 * KDC could not be asked. */
int kl_gss_tickets_get(const struct kl_gss_source *source,
		       struct kl_gss_tickets *tickets_out, bool *passing_out,
		       struct klamm_error *err);
void kl_gss_tickets_free(struct kl_gss_tickets *tickets);

/* Get a ticket for the broker into the cache, unless one is there. *server_out: the
 * broker's principal as the ticket has it, from malloc. */
int kl_gss_tickets_for(const struct kl_gss_tickets *tickets,
		       const struct kl_gss_service *service, const char *host,
		       char **server_out, bool *passing_out, struct klamm_error *err);

#endif
