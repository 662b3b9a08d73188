/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/tls_int.h"

#include <openssl/err.h>
#include <stdlib.h>
#include <strings.h>

#include "core/base/error.h"

/* Files are read again no sooner. */
#define CHECK_EVERY KL_SECOND

/* --- making and freeing --- */

/* Sessions come when the peer sends tickets, in TLS 1.3 after the handshake. */
static int keep_session(SSL *ssl, SSL_SESSION *session)
{
	struct kl_tls_session *s = SSL_get_app_data(ssl);
	if (s == NULL || s->ticket == NULL || s->generation != s->tls->generation)
		return 0;
	kl_tls_ticket_free(s->ticket);
	*s->ticket = (struct kl_tls_ticket){session, s->generation};
	return 1;
}

void kl_tls_ticket_free(struct kl_tls_ticket *ticket)
{
	SSL_SESSION_free(ticket->session);
	*ticket = (struct kl_tls_ticket){0};
}

static void use(struct kl_tls *tls, SSL_CTX *ctx)
{
	const struct kl_tls_spec *spec = kl_tls_source_spec(tls->source);
	if (!spec->is_server && spec->given == NULL)
		SSL_CTX_sess_set_new_cb(ctx, keep_session);
	SSL_CTX_free(tls->ctx); /* sessions that use it hold it */
	tls->ctx = ctx;
	tls->generation++;
}

int kl_tls_new(const struct kl_tls_spec *spec, struct kl_os *os, const struct kl_log *log,
	       struct kl_tls **tls_out, struct klamm_error *err)
{
	struct kl_tls *tls = calloc(1, sizeof(*tls));
	if (tls == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	kl_list_init(&tls->waiting);
	tls->log = log;
	SSL_CTX *ctx = NULL;
	int rc = kl_tls_source_new(spec, os, &tls->source, err);
	if (rc == 0)
		rc = kl_tls_source_load(tls->source, NULL, log, &ctx, tls->digest, err);
	tls->bio = rc == 0 ? kl_tls_bio_method() : NULL;
	if (rc == 0 && tls->bio == NULL) {
		SSL_CTX_free(ctx);
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	}
	if (rc != 0) {
		kl_tls_free(tls);
		return rc;
	}
	use(tls, ctx);
	*tls_out = tls;
	return 0;
}

/* --- files that change --- */

/* On the blocking pool; it may outlive the context, and then the loop. */
struct kl_tls_reload {
	struct kl_job job;
	struct kl_tls *tls; /* NULL = nobody waits any more */
	struct kl_tls_source *source;
	uint8_t known[KL_TLS_DIGEST], digest[KL_TLS_DIGEST];
	SSL_CTX *ctx;
	int rc;
	struct klamm_error err;
};

static void free_reload(struct kl_tls_reload *reload)
{
	SSL_CTX_free(reload->ctx);
	kl_tls_source_unref(reload->source);
	free(reload);
}

static void run_reload(struct kl_job *job, unsigned worker)
{
	struct kl_tls_reload *r = kl_container(job, struct kl_tls_reload, job);
	r->rc = kl_tls_source_load(r->source, r->known, NULL, &r->ctx, r->digest, &r->err);
}

static void orphaned(struct kl_job *job)
{
	free_reload(kl_container(job, struct kl_tls_reload, job));
}

static void take(struct kl_tls *tls, struct kl_tls_reload *r)
{
	if (r->rc != 0) {
		kl_log(tls->log, KL_LOG_WARN, "tls",
		       "certificates stay as they are, their files cannot be used: %s",
		       r->err.text);
	} else if (r->ctx != NULL) {
		use(tls, r->ctx);
		r->ctx = NULL;
		memcpy(tls->digest, r->digest, sizeof(tls->digest));
		kl_log(tls->log, KL_LOG_INFO, "tls", "certificates were read again");
	}
}

static void reloaded(struct kl_job *job)
{
	struct kl_tls_reload *r = kl_container(job, struct kl_tls_reload, job);
	struct kl_tls *tls = r->tls;
	if (tls != NULL) {
		tls->reload = NULL;
		take(tls, r);
	}
	free_reload(r);
	/* Who is called may close others that wait. */
	struct kl_list *link;
	while (tls != NULL && (link = kl_list_pop(&tls->waiting)) != NULL) {
		struct kl_tls_wait *wait = kl_list_entry(link, struct kl_tls_wait, link);
		wait->fn(wait);
	}
}

/* false: out of memory, and everything stays as it is. */
static bool start_reload(struct kl_tls *tls, struct klamm_loop *loop)
{
	struct kl_tls_reload *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return false;
	r->job.run = run_reload;
	r->job.done = reloaded;
	r->job.orphaned = orphaned;
	r->tls = tls;
	r->source = kl_tls_source_ref(tls->source);
	memcpy(r->known, tls->digest, sizeof(r->known));
	tls->reload = r;
	kl_pool_submit(&loop->blocking, &r->job);
	return true;
}

static bool has_files(const struct kl_tls_spec *spec)
{
	return spec->given == NULL && (spec->trust.file != NULL || spec->own.file != NULL ||
				       spec->key.file != NULL || spec->crl.file != NULL);
}

bool kl_tls_await(struct kl_tls *tls, struct klamm_loop *loop, struct kl_tls_wait *wait)
{
	if (tls->reload == NULL) {
		bool fresh = tls->checked_at != 0 &&
			     loop->now - tls->checked_at < CHECK_EVERY;
		if (fresh || !has_files(kl_tls_source_spec(tls->source)))
			return true;
		tls->checked_at = loop->now;
		if (!start_reload(tls, loop))
			return true;
	}
	kl_list_push(&tls->waiting, &wait->link);
	return false;
}

void kl_tls_free(struct kl_tls *tls)
{
	if (tls == NULL)
		return;
	if (tls->reload != NULL)
		tls->reload->tls = NULL;
	SSL_CTX_free(tls->ctx);
	kl_tls_source_unref(tls->source);
	BIO_meth_free(tls->bio);
	kl_buf_free(&tls->spare);
	free(tls);
}

/* --- from a configuration --- */

static struct kl_place in_file(const char *key, const char *file, int32_t type)
{
	return (struct kl_place){.key = key, .file = file, .type = type};
}

static struct kl_place in_text(const char *key, const char *text)
{
	return (struct kl_place){.key = key, .text = text, .type = KL_STORE_PEM};
}

/* A value may be empty, and is none then. */
static const char *given(const char *text)
{
	return text != NULL && *text != '\0' ? text : NULL;
}

/* "probe" is librdkafka's word for the certificates that the machine trusts. */
static struct kl_place trust_of(const struct kl_settings *s)
{
	if (given(s->ssl_truststore_certificates) != NULL)
		return in_text("ssl.truststore.certificates", s->ssl_truststore_certificates);
	if (given(s->ssl_truststore_location) != NULL) {
		struct kl_place place = in_file("ssl.truststore.location",
						s->ssl_truststore_location,
						s->ssl_truststore_type);
		place.password = given(s->ssl_truststore_password);
		place.password_key = "ssl.truststore.password";
		return place;
	}
	if (given(s->ssl_ca_location) != NULL && strcmp(s->ssl_ca_location, "probe") != 0)
		return in_file("ssl.ca.location", s->ssl_ca_location, KL_STORE_PEM);
	return in_file("ssl.ca.location", NULL, KL_STORE_PEM);
}

/* A key in PEM has ssl.key.password; a store has its own, which is the key's, too. */
static struct kl_place own_of(const struct kl_settings *s)
{
	if (given(s->ssl_keystore_certificate_chain) != NULL)
		return in_text("ssl.keystore.certificate.chain",
			       s->ssl_keystore_certificate_chain);
	if (given(s->ssl_keystore_location) == NULL)
		return in_file("ssl.certificate.location", given(s->ssl_certificate_location),
			       KL_STORE_PEM);
	struct kl_place place = in_file("ssl.keystore.location", s->ssl_keystore_location,
					s->ssl_keystore_type);
	bool pem = s->ssl_keystore_type == KL_STORE_PEM;
	place.password = given(pem ? s->ssl_key_password : s->ssl_keystore_password);
	place.password_key = pem ? "ssl.key.password" : "ssl.keystore.password";
	return place;
}

static struct kl_place key_of(const struct kl_settings *s)
{
	struct kl_place place = given(s->ssl_keystore_key) != NULL
					? in_text("ssl.keystore.key", s->ssl_keystore_key)
					: in_file("ssl.key.location",
						  given(s->ssl_key_location), KL_STORE_PEM);
	place.password = given(s->ssl_key_password);
	place.password_key = "ssl.key.password";
	return place;
}

static bool checks_name(const struct kl_settings *s)
{
	return s->ssl_check_hostname &&
	       strcasecmp(s->ssl_endpoint_identification_algorithm, "https") == 0;
}

int kl_tls_open(const struct kl_settings *s, SSL_CTX *ctx, struct kl_os *os,
		const struct kl_log *log, struct kl_tls **tls_out, struct klamm_error *err)
{
	*tls_out = NULL;
	if (s->security_protocol != KL_SECURITY_SSL &&
	    s->security_protocol != KL_SECURITY_SASL_SSL)
		return 0;
	struct kl_tls_spec spec = {
		.any_cert = !s->enable_ssl_certificate_verification,
		.any_name = !checks_name(s),
		.trust = trust_of(s),
		.own = own_of(s),
		.key = key_of(s),
		.crl = in_file("ssl.crl.location", given(s->ssl_crl_location), KL_STORE_PEM),
		.suites = s->ssl_cipher_suites,
		.protocols = s->ssl_enabled_protocols,
		.given = ctx,
	};
	/* kafka-python and librdkafka: a certificate's file may hold its key as well. */
	if (!kl_place_is_set(&spec.key) && spec.own.type == KL_STORE_PEM &&
	    spec.own.password_key == NULL) {
		spec.own.password = given(s->ssl_key_password);
		spec.own.password_key = "ssl.key.password";
	}
	if (spec.any_cert)
		kl_log(log, KL_LOG_WARN, "tls",
		       "brokers are not checked (enable.ssl.certificate.verification = "
		       "false): anybody may pose as one");
	else if (spec.any_name)
		kl_log(log, KL_LOG_WARN, "tls",
		       "names of brokers are not checked "
		       "(ssl.endpoint.identification.algorithm): whoever has a certificate of "
		       "the same issuer may pose as one");
	return kl_tls_new(&spec, os, log, tls_out, err);
}
