/* SPDX-License-Identifier: BSD-2-Clause */
#include "principal.h"

#include <errno.h>
#include <netdb.h>
#include <profile.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

#include "words.h"

#define SERVICE_DEFAULT "kafka"

/* --- names, as Java has them --- */

static struct addrinfo *look_up(const char *host, int flags)
{
	struct addrinfo *list = NULL;
	struct addrinfo hints = {.ai_flags = flags, .ai_socktype = SOCK_STREAM};
	return getaddrinfo(host, NULL, &hints, &list) == 0 ? list : NULL;
}

static bool same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
			      &((const struct sockaddr_in *)b)->sin_addr,
			      sizeof(struct in_addr)) == 0;
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
		      &((const struct sockaddr_in6 *)b)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

/* Anybody may call his address anything. */
static bool leads_back(const char *name, const struct sockaddr *address)
{
	struct addrinfo *list = look_up(name, 0);
	bool found = false;
	for (struct addrinfo *p = list; p != NULL && !found; p = p->ai_next)
		found = same_address(p->ai_addr, address);
	if (list != NULL)
		freeaddrinfo(list);
	return found;
}

static char *name_of_address(const struct addrinfo *literal)
{
	char name[NI_MAXHOST];
	if (getnameinfo(literal->ai_addr, literal->ai_addrlen, name, sizeof(name), NULL,
			0, NI_NAMEREQD) != 0 ||
	    !leads_back(name, literal->ai_addr))
		return NULL;
	return strdup(name);
}

static char *completed(const char *host)
{
	struct addrinfo *list = look_up(host, AI_CANONNAME);
	char *name = NULL;
	size_t n = strlen(host);
	if (list != NULL && list->ai_canonname != NULL &&
	    strncasecmp(list->ai_canonname, host, n) == 0 &&
	    list->ai_canonname[n] == '.')
		name = strdup(list->ai_canonname);
	if (list != NULL)
		freeaddrinfo(list);
	return name;
}

/* NULL: DNS has nothing to say. */
static char *java_name(const char *host)
{
	struct addrinfo *literal = look_up(host, AI_NUMERICHOST);
	if (literal == NULL)
		return completed(host);
	char *name = name_of_address(literal);
	freeaddrinfo(literal);
	return name;
}

/* --- which rule --- */

static bool krb5_decides(krb5_context context)
{
	profile_t profile = NULL;
	char *value = NULL;
	if (krb5_get_profile(context, &profile) != 0)
		return false;
	bool decides = profile_get_string(profile, "libdefaults",
					  "dns_canonicalize_hostname", NULL, NULL,
					  &value) == 0 &&
		       value != NULL;
	profile_release_string(value);
	profile_release(profile);
	return decides;
}

static krb5_error_code by_host(krb5_context context, const char *service,
			       const char *host, krb5_principal *broker_out)
{
	if (krb5_decides(context))
		return krb5_sname_to_principal(context, host, service, KRB5_NT_SRV_HST,
					       broker_out);
	char *name = java_name(host);
	krb5_error_code why = krb5_sname_to_principal(
		context, name ?: host, service, KRB5_NT_UNKNOWN, broker_out);
	free(name);
	return why;
}

/* "kafka/broker1@REALM", a principal; "kafka@broker1", GSSAPI's way to write a service on
 * a host; "kafka", a service. */
static krb5_error_code by_name(krb5_context context, const char *name, const char *host,
			       krb5_principal *broker_out)
{
	const char *at = strrchr(name, '@');
	if (strchr(name, '/') != NULL)
		return krb5_parse_name(context, name, broker_out);
	if (at == NULL)
		return by_host(context, name, host, broker_out);
	char *service = strndup(name, (size_t)(at - name));
	if (service == NULL)
		return ENOMEM;
	krb5_error_code why = krb5_sname_to_principal(context, at + 1, service,
						      KRB5_NT_UNKNOWN, broker_out);
	free(service);
	return why;
}

int kl_gss_broker_name(krb5_context context, const struct kl_gss_service *service,
		       const char *host, krb5_principal *broker_out,
		       struct klamm_error *err)
{
	const char *word = service->service ?: SERVICE_DEFAULT;
	krb5_error_code why;
	if (service->name != NULL)
		why = by_name(context, service->name, host, broker_out);
	else if (service->domain != NULL)
		why = krb5_sname_to_principal(context, service->domain, word,
					      KRB5_NT_UNKNOWN, broker_out);
	else
		why = by_host(context, word, host, broker_out);
	if (why == 0)
		return 0;
	return kl_gss_say_krb5(err, KLAMM_ERR_AUTHENTICATION, context, why,
			       "the broker's principal cannot be made of %s and %s",
			       service->name ?: word,
			       service->domain ?: host);
}
