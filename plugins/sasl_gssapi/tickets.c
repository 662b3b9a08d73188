/* SPDX-License-Identifier: BSD-2-Clause */
#include "tickets.h"

#include <stdlib.h>
#include <sys/auxv.h>

#include "principal.h"
#include "words.h"

krb5_context kl_gss_context(struct klamm_error *err)
{
	krb5_context context = NULL;
	krb5_error_code why = getauxval(AT_SECURE) ? krb5_init_secure_context(&context)
						   : krb5_init_context(&context);
	if (why == 0)
		return context;
	kl_gss_say_krb5(err, KLAMM_ERR_CONFIG, NULL, why,
			"Kerberos does not begin with this krb5.conf");
	return NULL;
}

static int out_of_memory(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for tickets");
}

/* From malloc, like all of klamm's. A realm that is still to be found out is left out. */
static char *name_of(krb5_context context, krb5_const_principal principal)
{
	int flags = principal->realm.length == 0 ? KRB5_PRINCIPAL_UNPARSE_NO_REALM : 0;
	char *text, *copy = NULL;
	if (krb5_unparse_name_flags(context, principal, flags, &text) != 0)
		return NULL;
	copy = strdup(text);
	krb5_free_unparsed_name(context, text);
	return copy;
}

/* --- keytabs --- */

/* The principal of its first key: of a keytab made for one client, that client. */
static krb5_error_code first_in(krb5_context context, krb5_keytab keytab,
				krb5_principal *principal_out)
{
	krb5_kt_cursor cursor;
	krb5_keytab_entry entry;
	krb5_error_code why = krb5_kt_start_seq_get(context, keytab, &cursor);
	if (why != 0)
		return why;
	why = krb5_kt_next_entry(context, keytab, &entry, &cursor);
	if (why == 0) {
		why = krb5_copy_principal(context, entry.principal, principal_out);
		krb5_free_keytab_entry_contents(context, &entry);
	}
	krb5_kt_end_seq_get(context, keytab, &cursor);
	return why;
}

/* Both are to be freed by the caller, whatever the answer. */
static int open_keytab(krb5_context context, const struct kl_gss_source *source,
		       krb5_keytab *keytab_out, krb5_principal *principal_out,
		       struct klamm_error *err)
{
	krb5_error_code why = krb5_kt_resolve(context, source->keytab, keytab_out);
	if (why == 0) /* even where the name is known: it shows if there are keys */
		why = first_in(context, *keytab_out, principal_out);
	if (why != 0)
		return kl_gss_say_krb5(err, KLAMM_ERR_CONFIG, context, why,
				       "the keytab %s cannot be used", source->keytab);
	if (source->principal == NULL)
		return 0;
	krb5_free_principal(context, *principal_out);
	*principal_out = NULL;
	why = krb5_parse_name(context, source->principal, principal_out);
	if (why != 0)
		return kl_gss_say_krb5(err, KLAMM_ERR_CONFIG, context, why,
				       "sasl.kerberos.principal = %s is no principal",
				       source->principal);
	return 0;
}

static int find_key(krb5_context context, krb5_keytab keytab, krb5_principal principal,
		    const struct kl_gss_source *source, struct klamm_error *err)
{
	krb5_keytab_entry entry;
	krb5_error_code why =
		krb5_kt_get_entry(context, keytab, principal, 0, 0, &entry);
	if (why == 0) {
		krb5_free_keytab_entry_contents(context, &entry);
		return 0;
	}
	char *name = name_of(context, principal);
	kl_gss_say_krb5(err, KLAMM_ERR_CONFIG, context, why,
			"the keytab %s has no key for %s", source->keytab,
			name ?: "the client");
	free(name);
	return KLAMM_ERR_CONFIG;
}

int kl_gss_keytab_check(const struct kl_gss_source *source, struct klamm_error *err)
{
	krb5_keytab keytab = NULL;
	krb5_principal principal = NULL;
	krb5_context context = kl_gss_context(err);
	if (context == NULL)
		return KLAMM_ERR_CONFIG;
	int rc = open_keytab(context, source, &keytab, &principal, err);
	if (rc == 0)
		rc = find_key(context, keytab, principal, source, err);
	krb5_free_principal(context, principal);
	if (keytab != NULL)
		krb5_kt_close(context, keytab);
	krb5_free_context(context);
	return rc;
}

/* --- logging in --- */

void kl_gss_tickets_free(struct kl_gss_tickets *tickets)
{
	krb5_ccache cache;
	krb5_context context = tickets->own ? kl_gss_context(NULL) : NULL;
	if (context != NULL && krb5_cc_resolve(context, tickets->cache, &cache) == 0)
		krb5_cc_destroy(context, cache); /* wipes the keys */
	if (context != NULL)
		krb5_free_context(context);
	free(tickets->cache);
	free(tickets->client);
	*tickets = (struct kl_gss_tickets){0};
}

static void note_times(krb5_context context, const krb5_creds *creds,
		       struct kl_gss_tickets *tickets)
{
	krb5_timestamp now;
	/* Seconds since 1970 beyond 2038, in 32 bits: unsigned differences. */
	uint32_t end = (uint32_t)creds->times.endtime;
	uint32_t start = (uint32_t)(creds->times.starttime != 0
					    ? creds->times.starttime
					    : creds->times.authtime);
	if (krb5_timeofday(context, &now) != 0)
		now = creds->times.authtime;
	tickets->life_s = (int32_t)(end - start);
	tickets->left_s = (int32_t)(end - (uint32_t)now);
}

static char *full_name_of(krb5_context context, krb5_ccache cache)
{
	char *name, *copy;
	if (krb5_cc_get_full_name(context, cache, &name) != 0)
		return NULL;
	copy = strdup(name);
	krb5_free_string(context, name);
	return copy;
}

/* The KDC's answer lies in the cache from the beginning; what is left of a failure goes
 * with it. */
static krb5_error_code ask_for_tickets(krb5_context context, krb5_principal client,
				       krb5_keytab keytab, krb5_ccache cache,
				       struct kl_gss_tickets *tickets)
{
	krb5_get_init_creds_opt *opt = NULL;
	krb5_creds creds = {0};
	krb5_error_code why = krb5_get_init_creds_opt_alloc(context, &opt);
	if (why == 0)
		why = krb5_get_init_creds_opt_set_out_ccache(context, opt, cache);
	if (why == 0)
		why = krb5_get_init_creds_keytab(context, &creds, client, keytab, 0,
						 NULL, opt);
	if (why == 0) {
		note_times(context, &creds, tickets);
		krb5_free_cred_contents(context, &creds);
	}
	if (opt != NULL)
		krb5_get_init_creds_opt_free(context, opt);
	return why;
}

static int log_in(krb5_context context, const struct kl_gss_source *source,
		  krb5_principal client, krb5_keytab keytab,
		  struct kl_gss_tickets *tickets, bool *passing_out,
		  struct klamm_error *err)
{
	krb5_ccache cache = NULL;
	tickets->client = name_of(context, client);
	krb5_error_code why = krb5_cc_new_unique(context, "MEMORY", NULL, &cache);
	if (why == 0)
		why = ask_for_tickets(context, client, keytab, cache, tickets);
	if (why == 0)
		tickets->cache = full_name_of(context, cache);
	if (why == 0 && tickets->cache != NULL && tickets->client != NULL) {
		tickets->own = true;
		krb5_cc_close(context, cache);
		return 0;
	}
	if (cache != NULL)
		krb5_cc_destroy(context, cache);
	if (why == 0)
		return out_of_memory(err);
	*passing_out = kl_gss_is_passing(why);
	return kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context, why,
			       "no ticket for %s from its keytab %s",
			       tickets->client ?: "the client", source->keytab);
}

static int from_keytab(krb5_context context, const struct kl_gss_source *source,
		       struct kl_gss_tickets *tickets, bool *passing_out,
		       struct klamm_error *err)
{
	krb5_keytab keytab = NULL;
	krb5_principal client = NULL;
	int rc = open_keytab(context, source, &keytab, &client, err);
	if (rc == 0)
		rc = log_in(context, source, client, keytab, tickets, passing_out, err);
	krb5_free_principal(context, client);
	if (keytab != NULL)
		krb5_kt_close(context, keytab);
	return rc;
}

/* --- the user's cache --- */

/* Named, or the principal's in the collection, or the default one. */
static krb5_error_code find_cache(krb5_context context,
				  const struct kl_gss_source *source,
				  krb5_principal wanted, krb5_ccache *cache_out)
{
	if (source->cache != NULL)
		return krb5_cc_resolve(context, source->cache, cache_out);
	if (wanted != NULL)
		return krb5_cc_cache_match(context, wanted, cache_out);
	return krb5_cc_default(context, cache_out);
}

static int see_cache(krb5_context context, krb5_ccache cache, krb5_principal wanted,
		     struct kl_gss_tickets *tickets, struct klamm_error *err)
{
	krb5_principal client = NULL;
	tickets->cache = full_name_of(context, cache);
	krb5_error_code why = krb5_cc_get_principal(context, cache, &client);
	if (why != 0)
		return kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context, why,
				       "there is no ticket in the cache %s",
				       tickets->cache ?: "of the user");
	tickets->client = name_of(context, client);
	bool other =
		wanted != NULL && !krb5_principal_compare(context, wanted, client);
	krb5_free_principal(context, client);
	if (tickets->cache == NULL || tickets->client == NULL)
		return out_of_memory(err);
	if (!other)
		return 0;
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
			  "the cache %s has tickets of %s, which is not "
			  "sasl.kerberos.principal",
			  tickets->cache, tickets->client);
}

static int from_cache(krb5_context context, const struct kl_gss_source *source,
		      struct kl_gss_tickets *tickets, struct klamm_error *err)
{
	krb5_principal wanted = NULL;
	krb5_ccache cache = NULL;
	krb5_error_code why = 0;
	if (source->principal != NULL)
		why = krb5_parse_name(context, source->principal, &wanted);
	if (why == 0)
		why = find_cache(context, source, wanted, &cache);
	int rc = why == 0 ? see_cache(context, cache, wanted, tickets, err)
			  : kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context, why,
					    "there is no ticket of %s",
					    source->principal ?: "this user");
	if (cache != NULL)
		krb5_cc_close(context, cache);
	krb5_free_principal(context, wanted);
	return rc;
}

int kl_gss_tickets_get(const struct kl_gss_source *source,
		       struct kl_gss_tickets *tickets_out, bool *passing_out,
		       struct klamm_error *err)
{
	*tickets_out = (struct kl_gss_tickets){0};
	*passing_out = false;
	krb5_context context = kl_gss_context(err);
	if (context == NULL)
		return KLAMM_ERR_CONFIG;
	int rc = source->keytab != NULL
			 ? from_keytab(context, source, tickets_out, passing_out, err)
			 : from_cache(context, source, tickets_out, err);
	krb5_free_context(context);
	if (rc != 0)
		kl_gss_tickets_free(tickets_out);
	return rc;
}

/* --- a ticket for the broker --- */

static int ask_for_broker(krb5_context context, const struct kl_gss_tickets *tickets,
			  krb5_ccache cache, krb5_principal broker, char **server_out,
			  bool *passing_out, struct klamm_error *err)
{
	krb5_creds wanted = {.server = broker}, *creds = NULL;
	krb5_error_code why = krb5_cc_get_principal(context, cache, &wanted.client);
	if (why == 0)
		why = krb5_get_credentials(context, 0, cache, &wanted, &creds);
	krb5_free_principal(context, wanted.client);
	if (why == 0) {
		*server_out = name_of(context, creds->server);
		krb5_free_creds(context, creds);
		return *server_out != NULL ? 0 : out_of_memory(err);
	}
	char *name = name_of(context, broker);
	*passing_out = kl_gss_is_passing(why);
	kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context, why,
			"no ticket for the broker %s with those of %s",
			name ?: "as it is called", tickets->client);
	free(name);
	return KLAMM_ERR_AUTHENTICATION;
}

int kl_gss_tickets_for(const struct kl_gss_tickets *tickets,
		       const struct kl_gss_service *service, const char *host,
		       char **server_out, bool *passing_out, struct klamm_error *err)
{
	krb5_principal broker = NULL;
	krb5_ccache cache = NULL;
	*passing_out = false;
	krb5_context context = kl_gss_context(err);
	if (context == NULL)
		return KLAMM_ERR_CONFIG;
	int rc = kl_gss_broker_name(context, service, host, &broker, err);
	if (rc == 0) {
		krb5_error_code why =
			krb5_cc_resolve(context, tickets->cache, &cache);
		rc = why == 0 ? ask_for_broker(context, tickets, cache, broker,
					       server_out, passing_out, err)
			      : kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context,
						why, "the cache %s cannot be used",
						tickets->cache);
	}
	if (cache != NULL)
		krb5_cc_close(context, cache);
	krb5_free_principal(context, broker);
	krb5_free_context(context);
	return rc;
}
