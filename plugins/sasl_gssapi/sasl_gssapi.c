/* SPDX-License-Identifier: BSD-2-Clause */
/* GSSAPI (RFC 4752) with Kerberos 5, on MIT's libraries directly: options, instances,
 * sessions. */
#include <stdlib.h>

#include <gssapi/gssapi_alloc.h>

#include "session.h"

#define TEXT(key, member, doc_)                                                        \
	{.name = key, .type = KLAMM_OPTION_STRING,                                     \
	 .offset = offsetof(struct kl_gss_conf, member), .doc = doc_}

static const struct klamm_option options[] = {
	{.name = "sasl.kerberos.service.name",
	 .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct kl_gss_conf, service),
	 .aliases = "sasl_kerberos_service_name",
	 .doc = "The first part of the brokers' principal; kafka when it is not set."},
	{.name = "sasl.kerberos.name",
	 .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct kl_gss_conf, name),
	 .aliases = "sasl_kerberos_name",
	 .doc = "The brokers' whole principal, kafka/HOST@REALM or kafka@HOST."},
	{.name = "sasl.kerberos.domain.name",
	 .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct kl_gss_conf, domain),
	 .aliases = "sasl_kerberos_domain_name",
	 .doc = "The host part of the brokers' principal, taken as it is."},
	TEXT("sasl.kerberos.principal", principal,
	     "Whose tickets, or a broker's keys, are used."),
	{.name = "sasl.kerberos.keytab",
	 .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_PATH,
	 .offset = offsetof(struct kl_gss_conf, keytab),
	 .doc = "The file with the keys of that principal."},
	TEXT("sasl.kerberos.ccache", cache,
	     "The cache with the user's tickets, without a keytab."),
	{.name = "sasl.kerberos.ticket.renew.window.factor",
	 .type = KLAMM_OPTION_DOUBLE,
	 .offset = offsetof(struct kl_gss_conf, factor),
	 .def = "0.8",
	 .doc = "The part of a ticket's life after which it is renewed."},
	{.name = "sasl.kerberos.ticket.renew.jitter",
	 .type = KLAMM_OPTION_DOUBLE,
	 .offset = offsetof(struct kl_gss_conf, jitter),
	 .def = "0.05",
	 .doc = "How much chance is added to that moment."},
	{.name = "sasl.kerberos.min.time.before.relogin",
	 .type = KLAMM_OPTION_LONG,
	 .offset = offsetof(struct kl_gss_conf, relogin_ms),
	 .def = "60000",
	 .range = "0..",
	 .doc = "The shortest time between two logins, in ms."},
	{.name = "sasl.kerberos.principal.to.local.rules",
	 .type = KLAMM_OPTION_LIST,
	 .offset = offsetof(struct kl_gss_conf, to_local),
	 .def = "DEFAULT",
	 .doc = "For a broker: what becomes of a client's principal; DEFAULT and RULE:..."},
	{NULL},
};

int kl_gss_put(struct klamm_out *out, gss_buffer_t buffer, struct klamm_error *err)
{
	OM_uint32 minor;
	size_t n = buffer->length;
	int rc = klamm_out_append(out, buffer->value, n);
	gss_release_buffer(&minor, buffer);
	return rc == 0 ? 0 : klamm_out_error(out, n, err);
}

/* MIT's gss_release_buffer() takes a buffer without bytes for one without memory, and its
 * gss_unwrap() gives nothing in a byte of it: any peer could have us lose one each time. */
void kl_gss_drop(gss_buffer_t plain)
{
	OM_uint32 minor;
	if (plain->length == 0) {
		gssalloc_free(plain->value);
		plain->value = NULL;
	}
	gss_release_buffer(&minor, plain);
}

/* --- instances --- */

/* The keytab is looked at when the client is made; its KDC and the user's tickets may
 * come later. */
static int open_client(struct kl_gss *gss, struct klamm_error *err)
{
	const struct kl_gss_conf *conf = &gss->conf;
	/* Texts are only read; they are copied. */
	struct kl_gss_login_spec spec = {
		.source = {(char *)conf->principal, (char *)conf->keytab,
			   (char *)conf->cache},
		.service = {(char *)conf->service, (char *)conf->domain,
			    (char *)conf->name},
		.factor = conf->factor,
		.jitter = conf->jitter,
		.relogin_ms = conf->relogin_ms,
	};
	if (conf->keytab != NULL) {
		int rc = kl_gss_keytab_check(&spec.source, err);
		if (rc != 0)
			return rc;
	}
	return kl_gss_login_new(gss->host, &spec, &gss->login, err);
}

static int open_server(struct kl_gss *gss, struct klamm_error *err)
{
	gss_cred_id_t cred;
	OM_uint32 minor;
	int rc = kl_gss_server_cred(&gss->conf, &cred, err);
	if (rc != 0)
		return rc;
	gss_release_cred(&minor, &cred);
	return kl_gss_rules_new(gss->conf.to_local, &gss->rules, err);
}

static void on_reload(void *arg)
{
	struct kl_gss *gss = arg;
	kl_gss_login_renew(gss->login);
}

/* An empty text is one that a template left open. */
static void drop_empty(struct kl_gss_conf *conf)
{
	const char **texts[] = {&conf->service,   &conf->name,   &conf->domain,
				&conf->principal, &conf->keytab, &conf->cache};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*texts[i] != NULL && **texts[i] == '\0')
			*texts[i] = NULL;
}

static int gssapi_open(const struct klamm_host *host, const void *conf, void **self_out,
		       struct klamm_error *err)
{
	struct kl_gss *gss = calloc(1, sizeof(*gss));
	if (gss == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	gss->host = host;
	gss->conf = *(const struct kl_gss_conf *)conf;
	drop_empty(&gss->conf);
	bool serves = strcmp(host->role, "sasl.enabled.mechanisms") == 0;
	int rc = serves ? open_server(gss, err) : open_client(gss, err);
	if (rc != 0) {
		free(gss);
		return rc;
	}
	if (gss->login != NULL)
		host->on_reload(host, on_reload, gss);
	*self_out = gss;
	return 0;
}

static void gssapi_close(void *self)
{
	struct kl_gss *gss = self;
	if (gss->login != NULL) {
		gss->host->on_reload(gss->host, NULL, NULL);
		kl_gss_login_close(gss->login);
	}
	kl_gss_rules_free(gss->rules);
	free(gss);
}

/* --- sessions --- */

static int new_session(void *self, const struct klamm_sasl_peer *peer,
		       const struct klamm_sasl_server *server,
		       struct kl_gss_session **session_out, struct klamm_error *err)
{
	struct kl_gss_session *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	s->gss = self;
	s->peer = peer;
	s->server = server;
	*session_out = s;
	return 0;
}

/* Keys are wiped by the library that made them. */
static void gssapi_free(void *session)
{
	struct kl_gss_session *s = session;
	OM_uint32 minor;
	gss_delete_sec_context(&minor, &s->context, GSS_C_NO_BUFFER);
	gss_release_cred(&minor, &s->cred);
	gss_release_name(&minor, &s->broker);
	kl_gss_shared_unref(s->tickets);
	free(s->broker_text);
	kl_text_free(&s->user);
	free(s);
}

static int gssapi_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		      struct klamm_error *err)
{
	const struct kl_gss *gss = self;
	if (gss->login == NULL)
		return klamm_fail(err, KLAMM_ERR_INVALID_ARGUMENT,
				  "this instance is a server's");
	return new_session(self, peer, NULL, (struct kl_gss_session **)session_out, err);
}

static int gssapi_accept(void *self, const struct klamm_sasl_peer *peer,
			 const struct klamm_sasl_server *server, void **session_out,
			 struct klamm_error *err)
{
	struct kl_gss *gss = self;
	struct kl_gss_session *s = NULL;
	gss_cred_id_t cred; /* each time: the keytab may be another by now */
	OM_uint32 minor;
	int rc = kl_gss_server_cred(&gss->conf, &cred, err);
	if (rc != 0)
		return rc;
	rc = new_session(self, peer, server, &s, err);
	if (rc != 0) {
		gss_release_cred(&minor, &cred);
		return rc;
	}
	s->cred = cred;
	*session_out = s;
	return 0;
}

KLAMM_PLUGIN(sasl, gssapi) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(sasl, "gssapi",
					  "GSSAPI: Kerberos tickets, from a keytab or "
					  "the user's cache"),
			.options = options,
			.option_size = sizeof(options[0]),
			.conf_size = sizeof(struct kl_gss_conf),
			.open = gssapi_open,
			.close = gssapi_close,
		},
	.mechanism = "GSSAPI",
	.session_new = gssapi_new,
	.step = kl_gss_client_step,
	.session_free = gssapi_free,
	.accept_new = gssapi_accept,
	.accept_step = kl_gss_server_step,
};
