/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens for a machine at Azure that has a managed identity: its metadata service (IMDS) gives
 * them to whoever asks from there. What to ask for is said in librdkafka's notation. */
#include "plugins/sasl_oauthbearer/reach.h"

#define ENDPOINT "http://169.254.169.254/metadata/identity/oauth2/token"
#define QUERY	 "query"

/* Without the ? that people put before it. */
static const char *query_of(const struct oauth *o)
{
	const char *query = kl_oauth_option(o, QUERY);
	return query != NULL && *query == '?' ? query + 1 : query;
}

int kl_oauth_check_azure(const struct oauth *o, struct klamm_error *err)
{
	const char *query = query_of(o), *url = o->conf->endpoint;
	if (oauth_is_set(query) || (oauth_is_set(url) && strchr(url, '?') != NULL))
		return 0;
	return klamm_fail(err, KLAMM_ERR_CONFIG,
			  "sasl.oauthbearer.config does not say what to ask Azure for: "
			  "query=api-version=2018-02-01&resource=RESOURCE, and "
			  "&client_id=ID where the machine has more identities than one");
}

static void put_url(const struct oauth *o, struct kl_text *url)
{
	const char *query = query_of(o);
	kl_text_add(url, oauth_is_set(o->conf->endpoint) ? o->conf->endpoint : ENDPOINT);
	if (!oauth_is_set(query))
		return;
	kl_text_char(url, strchr(kl_text_get(url), '?') != NULL ? '&' : '?');
	kl_text_add(url, query);
}

/* The service says so of itself while it is being renewed. */
static bool is_away(const struct klamm_error *err)
{
	return strstr(err->text, "HTTP status 404") != NULL ||
	       strstr(err->text, "HTTP status 410") != NULL;
}

static int fetch(struct oauth *o, const struct klamm_call *call,
		 struct oauth_token *token_out, struct klamm_error *err)
{
	static const struct kl_http_header headers[] = {{"Metadata", "true"},
							{"Accept", "application/json"}};
	KL_TEXT_AUTO url = {0};
	put_url(o, &url);
	if (url.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	/* It is on this machine: no proxy leads there. */
	struct kl_http_request request = {
		.url = url.p,
		.headers = headers,
		.header_count = 2,
		.connect_ms = o->conf->connect_ms,
		.silence_ms = o->conf->read_ms,
		.call = call,
		.answer_max = OAUTH_FILE_MAX,
	};
	struct klamm_error why = {0};
	int rc = kl_oauth_ask(o, &request, token_out, &why);
	if (rc == KLAMM_ERR_AUTHENTICATION && is_away(&why))
		rc = why.code = KLAMM_ERR_CONNECT;
	if (err != NULL)
		*err = why;
	return rc;
}

const struct oauth_source kl_oauth_from_azure = {"Azure's metadata service", fetch};
