/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong with TLS, and what to do about it. Texts begin with "TLS: "; whoever knows
 * the peer's name puts it before that. */
#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/net/tls_int.h"

static const char *peer_of(const struct kl_tls_session *s)
{
	return s->host != NULL ? "the broker" : "the client";
}

/* --- certificates --- */

/* Names in a certificate, as many as fit; bytes that could end a line or a text are not
 * shown. */
static void put_names(X509 *cert, struct kl_buf *to)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
	for (int i = 0; i < sk_GENERAL_NAME_num(names) && to->len < 120; i++) {
		int type;
		ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i),
							     &type);
		char text[INET6_ADDRSTRLEN] = "";
		const unsigned char *p = type == GEN_DNS || type == GEN_IPADD
						 ? ASN1_STRING_get0_data(value)
						 : NULL;
		int n = p != NULL ? ASN1_STRING_length(value) : 0;
		const char *sep = to->len > 0 ? ", " : "";
		if (type == GEN_DNS && n > 0)
			kl_buf_printf(to, "%s%.*s", sep, kl_min(n, 60), (const char *)p);
		else if (n == 4 && inet_ntop(AF_INET, p, text, sizeof(text)) != NULL)
			kl_buf_printf(to, "%s%s", sep, text);
		else if (n == 16 && inet_ntop(AF_INET6, p, text, sizeof(text)) != NULL)
			kl_buf_printf(to, "%s%s", sep, text);
	}
	GENERAL_NAMES_free(names);
	char cn[80];
	if (to->len == 0 && X509_NAME_get_text_by_NID(X509_get_subject_name(cert),
						      NID_commonName, cn, sizeof(cn)) > 0)
		kl_buf_printf(to, "%s", cn);
	for (size_t i = 0; i < to->len; i++)
		if (to->data[i] < ' ' || to->data[i] > '~')
			to->data[i] = '?';
}

static void put_time(const ASN1_TIME *time, char text[static 40])
{
	struct tm tm;
	if (ASN1_TIME_to_tm(time, &tm) != 1 ||
	    strftime(text, 40, "%Y-%m-%d %H:%M UTC", &tm) == 0)
		snprintf(text, 40, "a time that cannot be read");
}

static void put_issuer(X509 *cert, char text[static 120])
{
	if (X509_NAME_oneline(X509_get_issuer_name(cert), text, 120) == NULL)
		snprintf(text, 120, "unknown");
	for (char *p = text; *p != '\0'; p++)
		if (*p < ' ' || *p > '~')
			*p = '?';
}

static void explain_trust(struct kl_tls_session *s, X509 *cert)
{
	const struct kl_tls_spec *spec = kl_tls_source_spec(s->tls->source);
	char issuer[120];
	put_issuer(cert, issuer);
	if (spec->given == NULL && !kl_place_is_set(&spec->trust))
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "the certificate of %s was issued by %s, which this machine does not "
			 "trust; set ssl.truststore.location or ssl.ca.location",
			 peer_of(s), issuer);
	else
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "the certificate of %s was issued by %s, which is not trusted: it is "
			 "not in %s",
			 peer_of(s), issuer,
			 spec->given != NULL ? "the application's SSL_CTX" : spec->trust.key);
}

static void explain_name(struct kl_tls_session *s, X509 *cert)
{
	KL_AUTO(kl_buf_free) struct kl_buf names = {0};
	put_names(cert, &names);
	kl_error(&s->why, KLAMM_ERR_TLS,
		 "the certificate is for %s, and not for %.80s; connect to a name that is in "
		 "it, or have it made anew (ssl.endpoint.identification.algorithm)",
		 names.len > 0 ? kl_buf_text(&names) : "nobody", s->host);
}

static void explain_cert(struct kl_tls_session *s, int code, X509 *cert)
{
	char time[40], issuer[120];
	switch (code) {
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		explain_name(s, cert);
		break;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		put_time(X509_get0_notAfter(cert), time);
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "a certificate of %s has expired at %s; it has to be renewed there, "
			 "if this machine's clock is right",
			 peer_of(s), time);
		break;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		put_time(X509_get0_notBefore(cert), time);
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "a certificate of %s is valid from %s on; look at the clocks",
			 peer_of(s), time);
		break;
	case X509_V_ERR_CERT_REVOKED:
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "the certificate of %s was revoked (ssl.crl.location)", peer_of(s));
		break;
	case X509_V_ERR_UNABLE_TO_GET_CRL:
	case X509_V_ERR_CRL_HAS_EXPIRED:
		put_issuer(cert, issuer);
		kl_error(&s->why, KLAMM_ERR_TLS,
			 "ssl.crl.location has no current list of what %s has revoked",
			 issuer);
		break;
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
		explain_trust(s, cert);
		break;
	default:
		kl_error(&s->why, KLAMM_ERR_TLS, "the certificate of %s is refused: %s",
			 peer_of(s), X509_verify_cert_error_string(code));
	}
}

int kl_tls_verified(int ok, X509_STORE_CTX *store)
{
	SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct kl_tls_session *s = ssl != NULL ? SSL_get_app_data(ssl) : NULL;
	X509 *cert = X509_STORE_CTX_get_current_cert(store);
	/* Where certificates are not looked at, nothing that fails is their fault. */
	bool counts = s != NULL && SSL_get_verify_mode(ssl) != SSL_VERIFY_NONE;
	if (!ok && counts && cert != NULL && s->why.code == 0)
		explain_cert(s, X509_STORE_CTX_get_error(store), cert);
	return ok;
}

/* --- what the other side says --- */

/* Alerts come as reasons, at this distance. */
static int alert_of(unsigned long e)
{
	int reason = ERR_GET_REASON(e);
	return ERR_GET_LIB(e) == ERR_LIB_SSL && reason >= SSL_AD_REASON_OFFSET &&
			       reason < SSL_AD_REASON_OFFSET + 256
		       ? reason - SSL_AD_REASON_OFFSET
		       : -1;
}

static bool has_cert(const struct kl_tls_session *s)
{
	return SSL_get_certificate(s->ssl) != NULL;
}

/* A client's own certificate is what most alerts are about. */
static const char *about_cert(const struct kl_tls_session *s)
{
	if (s->host == NULL)
		return "it does not trust this broker's certificate, or its name";
	return has_cert(s) ? "it does not take this client's certificate "
			     "(ssl.keystore.location, ssl.certificate.location)"
			   : "it wants a certificate from this client: set "
			     "ssl.keystore.location, or ssl.certificate.location and "
			     "ssl.key.location";
}

static const char *advice_for(const struct kl_tls_session *s, int alert)
{
	switch (alert) {
	case SSL_AD_BAD_CERTIFICATE:
	case SSL_AD_UNSUPPORTED_CERTIFICATE:
	case SSL_AD_CERTIFICATE_REVOKED:
	case SSL_AD_CERTIFICATE_EXPIRED:
	case SSL_AD_CERTIFICATE_UNKNOWN:
	case SSL_AD_UNKNOWN_CA:
	case SSL_AD_ACCESS_DENIED:
	case SSL_AD_CERTIFICATE_REQUIRED:
		return about_cert(s);
	case SSL_AD_HANDSHAKE_FAILURE:
		return s->host != NULL && !has_cert(s)
			       ? "it wants a certificate from this client, or a cipher that "
				 "is not offered here (ssl.cipher.suites)"
			       : "there is no cipher that both sides take "
				 "(ssl.cipher.suites), or it does not take the certificate";
	case SSL_AD_PROTOCOL_VERSION:
		return "there is no version of TLS that both sides speak "
		       "(ssl.enabled.protocols)";
	case SSL_AD_UNRECOGNIZED_NAME:
		return "it does not know the name that it was called by";
	default:
		return "its log may say why";
	}
}

/* Bytes that are no TLS, by how they begin. A frame of Kafka begins with its size. */
static bool explain_foreign(const struct kl_tls_session *s, struct klamm_error *err)
{
	const uint8_t *p = s->first;
	if (s->first_n >= 4 && memcmp(p, "HTTP", 4) == 0)
		kl_error(err, KLAMM_ERR_TLS,
			 "the peer answered with HTTP: this is not a Kafka listener");
	else if (s->first_n > 0 && (p[0] < 0x14 || p[0] > 0x18))
		kl_error(err, KLAMM_ERR_TLS,
			 s->host != NULL ? "the peer answered with something that is not TLS: "
					   "a listener without it "
					   "(security.protocol=PLAINTEXT or SASL_PLAINTEXT), "
					   "or no Kafka"
					 : "the client does not speak TLS "
					   "(security.protocol=SSL or SASL_SSL)");
	else
		return false;
	return true;
}

static const char *name_of(int alert)
{
	/* OpenSSL 3.0 does not have this one's. */
	return alert == SSL_AD_CERTIFICATE_REQUIRED ? "certificate required"
						    : SSL_alert_desc_string_long(alert);
}

/* The alert of a server that refuses the certificate comes behind the handshake in TLS 1.3,
 * and Java has encrypted it in a way that nobody can read. */
static bool is_lost_alert(const struct kl_tls_session *s, unsigned long e)
{
	return s->host != NULL && s->shaken && !s->got_data &&
	       SSL_version(s->ssl) == TLS1_3_VERSION && ERR_GET_LIB(e) == ERR_LIB_SSL &&
	       ERR_GET_REASON(e) == SSL_R_DECRYPTION_FAILED_OR_BAD_RECORD_MAC;
}

static void explain_ssl(struct kl_tls_session *s, unsigned long e, struct klamm_error *err)
{
	int alert = alert_of(e);
	if (s->why.code != 0) {
		kl_error_copy(err, &s->why);
	} else if (alert >= 0) {
		kl_error(err, KLAMM_ERR_TLS, "%s refuses with the alert \"%s\": %s",
			 peer_of(s), name_of(alert), advice_for(s, alert));
	} else if (is_lost_alert(s, e)) {
		kl_error(err, KLAMM_ERR_TLS,
			 "%s ends it with what cannot be read, as Java does to a certificate "
			 "that it refuses: %s",
			 peer_of(s), about_cert(s));
	} else if (s->shaken || !explain_foreign(s, err)) {
		const char *reason = ERR_reason_error_string(e);
		kl_error(err, KLAMM_ERR_TLS, "%s: %s",
			 s->shaken ? "the connection's bytes are broken"
				   : "the handshake failed",
			 reason != NULL ? reason : "no reason is known");
	}
	/* What worked is not refused: bytes were damaged, or the peer has had enough. */
	if (s->got_data)
		err->code = KLAMM_ERR_DISCONNECTED;
}

static void explain_end(const struct kl_tls_session *s, struct klamm_error *err)
{
	if (s->sock_error != 0)
		kl_error(err, KLAMM_ERR_DISCONNECTED, "the handshake broke off: %s",
			 strerror(-s->sock_error));
	else if (s->first_n == 0 && s->host != NULL)
		kl_error(err, KLAMM_ERR_DISCONNECTED,
			 "the peer closed the connection on the first message of TLS, as a "
			 "listener without it does (security.protocol=PLAINTEXT or "
			 "SASL_PLAINTEXT)");
	else
		kl_error(err, KLAMM_ERR_DISCONNECTED,
			 "%s closed the connection in the middle of the handshake",
			 peer_of(s));
}

void kl_tls_explain(struct kl_tls_session *s, struct klamm_error *err)
{
	struct klamm_error why;
	unsigned long e = ERR_peek_last_error();
	if (s->no_memory || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE)
		kl_error(&why, KLAMM_ERR_NO_MEMORY, "out of memory");
	else if (s->ended || s->sock_error != 0)
		explain_end(s, &why);
	else
		explain_ssl(s, e, &why);
	ERR_clear_error();
	kl_error_prefix(&why, "TLS");
	why.stage = KLAMM_STAGE_TLS;
	why.scope = klamm_err_retriable(why.code) ? KLAMM_SCOPE_RETRIABLE : KLAMM_SCOPE_FINAL;
	kl_error_copy(err, &why);
}
