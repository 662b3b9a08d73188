/* SPDX-License-Identifier: BSD-2-Clause */
/* OAUTHBEARER (RFC 7628): the plugin, its options, and the client's half. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/sasl_oauthbearer/accept.h"
#include "plugins/sasl_oauthbearer/keys.h"
#include "plugins/sasl_oauthbearer/reach.h"

#define KEY(name)    "sasl.oauthbearer." name
#define AT(member)   offsetof(struct oauth_conf, member)
#define SECRET_TEXT  .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET
#define TEXT(member) .type = KLAMM_OPTION_STRING, .offset = AT(member)
#define FILE_AT(member)                                                                \
	.type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH, .offset = AT(member)
#define FLAG(member)       .type = KLAMM_OPTION_BOOL, .offset = AT(member), .def = "false"
#define INT(member, def_)  .type = KLAMM_OPTION_INT, .offset = AT(member), .def = def_
#define LONG(member, def_) .type = KLAMM_OPTION_LONG, .offset = AT(member), .def = def_

/* The core's rows of these keys have the ranges and tell more of them. */
static const struct klamm_option options[] = {
	{KEY("token.endpoint.url"), TEXT(endpoint),
	 .doc = "Where tokens come from: an https: or file: URL."},
	{KEY("jwt.retriever.class"), TEXT(retriever),
	 .doc = "Kafka's class that fetches tokens so."},
	{KEY("method"), TEXT(method),
	 .doc = "oidc: from a token server and nowhere else."},
	{KEY("grant.type"), TEXT(grant),
	 .doc = "The grant that a token server is asked for."},
	{KEY("scope"), TEXT(scope),
	 .doc = "The scope to ask for; of a server, the one to demand."},
	{KEY("client.credentials.client.id"), TEXT(client_id),
	 .aliases = KEY("client.id"), .doc = "The client's name at the token server."},
	{KEY("client.credentials.client.secret"), SECRET_TEXT,
	 .aliases = KEY("client.secret"), .doc = "Its password there."},
	{KEY("header.urlencode"), FLAG(urlencode),
	 .doc = "Whether name and password are URL-encoded."},
	{KEY("extensions"), TEXT(extensions), .doc = "SASL extensions: NAME=VALUE,..."},
	{KEY("config"), SECRET_TEXT,
	 .doc = "Claims of unsecured tokens: NAME=VALUE ..."},
	{"enable.sasl.oauthbearer.unsecure.jwt", FLAG(unsecured),
	 .doc = "Whether unsecured tokens are made, and taken, for tests."},
	{KEY("assertion.algorithm"), .type = KLAMM_OPTION_ENUM, .offset = AT(algorithm),
	 .def = "RS256", .range = "RS256|ES256", .doc = "How assertions are signed."},
	{KEY("assertion.claim.aud"), TEXT(claim_aud),
	 .doc = "An assertion's audience."},
	{KEY("assertion.claim.iss"), TEXT(claim_iss), .doc = "An assertion's issuer."},
	{KEY("assertion.claim.sub"), TEXT(claim_sub), .doc = "An assertion's subject."},
	{KEY("assertion.claim.exp.seconds"), INT(claim_exp, "300"),
	 .doc = "How long an assertion is good."},
	{KEY("assertion.claim.nbf.seconds"), INT(claim_nbf, "60"),
	 .doc = "How far before now it begins to be."},
	{KEY("assertion.claim.jti.include"), FLAG(claim_jti),
	 .doc = "Whether it has a number of its own."},
	{KEY("assertion.file"), FILE_AT(assertion_file),
	 .doc = "A finished assertion."},
	{KEY("assertion.template.file"), FILE_AT(template_file),
	 .aliases = KEY("assertion.jwt.template.file"),
	 .doc = "Its further members, as JSON."},
	{KEY("assertion.private.key.file"), FILE_AT(key_file),
	 .doc = "The key that signs it."},
	{KEY("assertion.private.key.pem"), SECRET_TEXT, .doc = "The same, right here."},
	{KEY("assertion.private.key.passphrase"), SECRET_TEXT,
	 .doc = "The key's password."},
	{"https.ca.location", FILE_AT(ca_file),
	 .doc = "What token servers are checked with."},
	{"https.ca.pem", SECRET_TEXT, .doc = "The same, right here."},
	{"https.ca.password", SECRET_TEXT, .doc = "The password of that file."},
	{"https.keystore.location", FILE_AT(keystore),
	 .doc = "The client's certificate and key, for token servers that ask."},
	{"https.keystore.certificate.chain", SECRET_TEXT,
	 .doc = "The certificate, right here."},
	{"https.keystore.key", SECRET_TEXT, .doc = "The key, right here."},
	{"https.keystore.password", SECRET_TEXT, .doc = "The password of that file."},
	{"https.key.password", SECRET_TEXT, .doc = "Of the key in PEM."},
	{"https.proxy.url", SECRET_TEXT, .doc = "A proxy to token servers."},
	{"sasl.login.connect.timeout.ms", INT(connect_ms, NULL),
	 .doc = "How long connecting to a token server may take."},
	{"sasl.login.read.timeout.ms", INT(read_ms, NULL),
	 .doc = "How long it may be silent."},
	{"sasl.login.retry.backoff.ms", LONG(retry_ms, "100"),
	 .doc = "The first pause before it is asked again."},
	{"sasl.login.retry.backoff.max.ms", LONG(retry_max_ms, "10000"),
	 .doc = "How long it is asked again."},
	{"sasl.login.refresh.window.factor", .type = KLAMM_OPTION_DOUBLE,
	 .offset = AT(refresh_factor), .def = "0.8",
	 .doc = "The part of a token's life after which it is replaced."},
	{"sasl.login.refresh.window.jitter", .type = KLAMM_OPTION_DOUBLE,
	 .offset = AT(refresh_jitter), .def = "0.05",
	 .doc = "How much chance is added."},
	{"sasl.login.refresh.min.period.seconds", INT(refresh_min, "60"),
	 .doc = "The shortest time between two tokens."},
	{"sasl.login.refresh.buffer.seconds", INT(refresh_buffer, "300"),
	 .doc = "How long before its end a token is replaced."},
	{KEY("scope.claim.name"), TEXT(scope_claim), .def = "scope",
	 .doc = "The claim that holds a token's scope."},
	{KEY("sub.claim.name"), TEXT(sub_claim), .def = "sub",
	 .doc = "The claim that says whose it is."},
	{KEY("jwks.endpoint.url"), TEXT(jwks_url),
	 .doc = "Where a server has the keys from that tokens are signed with."},
	{KEY("jwks.endpoint.refresh.ms"), LONG(jwks_refresh_ms, "3600000"),
	 .doc = "How often they are fetched."},
	{KEY("jwks.endpoint.retry.backoff.ms"), LONG(jwks_retry_ms, "100"),
	 .doc = "The first pause after a failure."},
	{KEY("jwks.endpoint.retry.backoff.max.ms"), LONG(jwks_retry_max_ms, "10000"),
	 .doc = "The longest."},
	{KEY("expected.audience"), .type = KLAMM_OPTION_LIST, .offset = AT(audiences),
	 .def = "", .doc = "Audiences of which a token must name one."},
	{KEY("expected.issuer"), TEXT(issuer),
	 .doc = "The issuer that it must come from."},
	{KEY("allow.unverified.audience"), FLAG(any_audience),
	 .doc = "Whether its audience goes unchecked."},
	{KEY("allow.unverified.issuer"), FLAG(any_issuer),
	 .doc = "Whether its issuer goes unchecked."},
	{KEY("clock.skew.seconds"), INT(skew, "30"),
	 .doc = "How far apart two clocks may be."},
	{KEY("metadata.authentication.type"), TEXT(cloud),
	 .doc = "aws_iam: tokens are made with Amazon's keys; azure_imds: Azure gives them."},
	{"sasl.login.callback.handler.class", TEXT(handler),
	 .doc = "Amazon's IAMOAuthBearerLoginCallbackHandler: the same."},
	KL_AWS_OPTIONS(AT(aws)),
	{NULL},
};

/* --- where a client's tokens come from --- */

static bool is_class(const char *class, const char *name)
{
	const char *dot = class != NULL ? strrchr(class, '.') : NULL;
	return class != NULL && strcmp(dot != NULL ? dot + 1 : class, name) == 0;
}

static bool is_for_msk(const struct oauth_conf *conf)
{
	return (conf->cloud != NULL && strcmp(conf->cloud, "aws_iam") == 0) ||
	       is_class(conf->handler, "IAMOAuthBearerLoginCallbackHandler");
}

static bool is_for_azure(const struct oauth_conf *conf)
{
	return conf->cloud != NULL && strcmp(conf->cloud, "azure_imds") == 0;
}

static bool has_unsecured_options(const struct oauth *o)
{
	for (size_t i = 0; i < o->option_count; i++)
		if (strncmp(o->options[i].name, "unsecuredLogin", 14) == 0)
			return true;
	return false;
}

/* Does the host offer what the application has to say? */
static bool has_application(const struct klamm_host *host)
{
	return host->size >= offsetof(struct klamm_host, token) + sizeof(host->token) &&
	       host->token(host, NULL, NULL, NULL, NULL) == 0;
}

static bool is_web(const char *url)
{
	return strncmp(url, "https://", 8) == 0 || strncmp(url, "http://", 7) == 0;
}

static const struct oauth_source *at_token_server(const struct oauth *o)
{
	const struct oauth_conf *conf = o->conf;
	if (is_class(conf->retriever, "JwtBearerJwtRetriever") ||
	    (conf->grant != NULL && strstr(conf->grant, "jwt-bearer") != NULL))
		return &kl_oauth_from_bearer;
	return oauth_is_set(conf->assertion_file) || oauth_is_set(conf->claim_iss)
		       ? &kl_oauth_from_assertion
		       : &kl_oauth_from_secret;
}

/* The application first, then what the keys say. NULL: nothing does. */
static const struct oauth_source *find_source(const struct oauth *o)
{
	const char *url = o->conf->endpoint;
	if (has_application(o->host))
		return &kl_oauth_from_application;
	if (is_for_msk(o->conf))
		return &kl_oauth_from_msk;
	if (is_for_azure(o->conf))
		return &kl_oauth_from_azure;
	if (oauth_is_set(url))
		return kl_oauth_file_of(url) != NULL ? &kl_oauth_from_file
		       : is_web(url)                 ? at_token_server(o)
						     : NULL;
	bool oidc = o->conf->method != NULL && strcmp(o->conf->method, "oidc") == 0;
	return !oidc && (o->conf->unsecured || has_unsecured_options(o))
		       ? &kl_oauth_from_unsecured
		       : NULL;
}

/* What a source needs is looked at when the client is made, not when it connects. */
static int check_source(const struct oauth *o, struct klamm_error *err)
{
	KL_TEXT_AUTO assertion = {0};
	if (o->source == NULL && oauth_is_set(o->conf->endpoint))
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "%s must be an https:, http: or file: URL",
				  KEY("token.endpoint.url"));
	if (o->source == NULL)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "OAUTHBEARER has no token: set %s, or give tokens with "
				  "klamm_conf_token()",
				  KEY("token.endpoint.url"));
	if (o->source == &kl_oauth_from_msk)
		return kl_aws_check(o->aws, err);
	if (o->source == &kl_oauth_from_azure)
		return kl_oauth_check_azure(o, err);
	if (o->source == &kl_oauth_from_assertion || o->source == &kl_oauth_from_bearer)
		return kl_oauth_make_assertion(o, &assertion, err);
	if (o->source != &kl_oauth_from_secret)
		return 0;
	if (!oauth_is_set(o->conf->client_id))
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"%s is not set: a token server must be told who asks",
			KEY("client.credentials.client.id"));
	char *secret;
	int rc = o->host->secret_read(o->host, KEY("client.credentials.client.secret"),
				      &secret, err);
	if (rc == 0)
		o->host->secret_wipe(o->host, secret);
	return rc;
}

/* --- an instance --- */

static void close_instance(void *self)
{
	struct oauth *o = self;
	kl_oauth_keep_end(o);
	kl_aws_free(o->aws);
	kl_oauth_keys_free(o->keys);
	kl_oauth_free_options(o);
	pthread_cond_destroy(&o->fetched);
	pthread_mutex_destroy(&o->mutex);
	free(o);
}

/* Files that are named must be there, also if nothing reads them today. */
static int check_files(const struct oauth_conf *conf, struct klamm_error *err)
{
	const struct {
		const char *key, *path;
	} files[] = {
		{KEY("assertion.file"), conf->assertion_file},
		{KEY("assertion.template.file"), conf->template_file},
		{KEY("assertion.private.key.file"), conf->key_file},
		{"https.ca.location", conf->ca_file},
		{"https.keystore.location", conf->keystore},
	};
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		if (oauth_is_set(files[i].path) && access(files[i].path, R_OK) != 0)
			return klamm_fail(err, KLAMM_ERR_CONFIG,
					  "%s = %.200s: cannot be read: %s",
					  files[i].key, files[i].path, strerror(errno));
	return 0;
}

/* And hold what they should, with the passwords that are set. */
static int check_reach(const struct oauth *o, struct klamm_error *err)
{
	struct oauth_reach reach;
	int rc = kl_oauth_reach_read(o->host, o->conf, &reach, err);
	kl_oauth_reach_free(&reach);
	return rc;
}

static int open_client(struct oauth *o, struct klamm_error *err)
{
	o->source = find_source(o);
	int rc = 0;
	if (o->source == &kl_oauth_from_msk)
		rc = kl_aws_new(o->host, &o->conf->aws, &o->aws, err);
	if (rc == 0)
		rc = check_source(o, err);
	if (rc == 0)
		kl_oauth_keep_begin(o);
	return rc;
}

static int open_server(struct oauth *o, struct klamm_error *err)
{
	o->for_msk = is_for_msk(o->conf);
	if (o->for_msk)
		return 0;
	if (oauth_is_set(o->conf->jwks_url))
		return kl_oauth_keys_new(o->host, o->conf, &o->keys, err);
	if (o->conf->unsecured)
		return 0;
	return klamm_fail(err, KLAMM_ERR_CONFIG,
			  "%s is not set: it says whose tokens are believed (for tests "
			  "enable.sasl.oauthbearer.unsecure.jwt = true believes any)",
			  KEY("jwks.endpoint.url"));
}

static int open_instance(const struct klamm_host *host, const void *conf,
			 void **self_out, struct klamm_error *err)
{
	struct oauth *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	o->host = host;
	o->conf = conf;
	pthread_mutex_init(&o->mutex, NULL);
	pthread_cond_init(&o->fetched, NULL);
	bool is_client = strcmp(host->role, "sasl.mechanism") == 0;
	int rc = check_files(conf, err);
	if (rc == 0)
		rc = check_reach(o, err);
	if (rc == 0)
		rc = kl_oauth_read_options(o, err);
	if (rc == 0)
		rc = is_client ? open_client(o, err) : open_server(o, err);
	if (rc != 0) {
		close_instance(o);
		return rc;
	}
	*self_out = o;
	return 0;
}

/* --- sessions --- */

struct session {
	bool is_server, sent;
	char said[300];     /* by the server, of a token that it does not take */
	unsigned number;    /* of the token */
	int64_t expires_ms; /* of the token, since 1970; -1 = never */
	struct oauth *o;
	struct oauth_accept accept;
};

static int new_session(struct oauth *o, const struct klamm_sasl_server *server,
		       void **session_out, struct klamm_error *err)
{
	struct session *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	s->o = o;
	s->is_server = server != NULL;
	s->accept.o = o;
	s->accept.server = server;
	s->expires_ms = -1;
	*session_out = s;
	return 0;
}

static int new_client(void *self, const struct klamm_sasl_peer *peer,
		      void **session_out, struct klamm_error *err)
{
	return new_session(self, NULL, session_out, err);
}

static int new_server(void *self, const struct klamm_sasl_peer *peer,
		      const struct klamm_sasl_server *server, void **session_out,
		      struct klamm_error *err)
{
	return new_session(self, server, session_out, err);
}

static int show_token(struct session *s, const struct klamm_call *call,
		      struct klamm_out *out, int32_t *state_out,
		      struct klamm_error *err)
{
	OAUTH_TOKEN_AUTO token = {0};
	int rc = kl_oauth_keep_get(s->o, call, &token, &s->number, err);
	if (rc == 0)
		rc = kl_oauth_put_message(s->o, &token, out, err);
	s->expires_ms = token.expires_ms;
	s->sent = rc == 0;
	*state_out = KLAMM_SASL_SEND;
	return rc;
}

/* The server says no in JSON, and says so as an error when it has this byte. */
static int take_refusal(struct session *s, const struct klamm_span *in,
			struct klamm_out *out, int32_t *state_out,
			struct klamm_error *err)
{
	char line[sizeof(s->said) + 60];
	const char *p = in->data;
	size_t n = 0;
	for (size_t i = 0; i < in->len && n < sizeof(s->said) - 1; i++)
		s->said[n++] = p[i] >= ' ' && p[i] <= '~' ? p[i] : '?';
	s->said[n] = '\0';
	kl_oauth_keep_doubt(s->o, s->number);
	snprintf(line, sizeof(line), "the broker does not take the token: %s", s->said);
	s->o->host->log(s->o->host, 1, line);
	*state_out = KLAMM_SASL_SEND;
	int rc = klamm_out_append(out, "\x01", 1);
	return rc == 0 ? 0 : klamm_out_error(out, 1, err);
}

static int step(void *session, const struct klamm_call *call,
		const struct klamm_span *in, struct klamm_out *out, int32_t *state_out,
		struct klamm_error *err)
{
	struct session *s = session;
	if (!s->sent)
		return show_token(s, call, out, state_out, err);
	if (s->said[0] != '\0')
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker does not take the token: %s", s->said);
	if (in->len > 0)
		return take_refusal(s, in, out, state_out, err);
	*state_out = KLAMM_SASL_DONE;
	return 0;
}

static int accept_step(void *session, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out,
		       int32_t *state_out, struct klamm_error *err)
{
	return kl_oauth_accept_step(&((struct session *)session)->accept, call, in, out,
				    state_out, err);
}

static int64_t session_lifetime(void *session)
{
	const struct session *s = session;
	const struct klamm_host *host = s->o->host;
	if (s->expires_ms < 0)
		return -1;
	int64_t left = s->expires_ms - host->wall_ms(host);
	return left > 0 ? left : 0;
}

KLAMM_PLUGIN(sasl, oauthbearer) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(
				sasl, "oauthbearer",
				"OAUTHBEARER: tokens of an identity provider"),
			.options = options,
			.option_size = sizeof(options[0]),
			.conf_size = sizeof(struct oauth_conf),
			.open = open_instance,
			.close = close_instance,
		},
	.mechanism = "OAUTHBEARER",
	.session_new = new_client,
	.step = step,
	.session_free = free, /* nothing secret outlives a step */
	.session_lifetime = session_lifetime,
	.accept_new = new_server,
	.accept_step = accept_step,
};
