/* SPDX-License-Identifier: BSD-2-Clause */
/* OpenSSL reads from the socket through a BIO of ours, and writes into a buffer, from where
 * what a step has made leaves in one go. So no write ever has to be repeated, nothing raises
 * SIGPIPE, and the world of core/os stays the only one that is spoken to. */
#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/net/tls_int.h"

/* What one read of the socket may bring: a few records. */
#define READ_AHEAD 65536
/* What may wait to leave: a few records, or a chain of certificates. A peer that provokes more
 * and reads nothing is left. */
#define OUT_MAX (512 * 1024)
/* What a server says to a client that does not speak TLS, as Java's do, while OpenSSL keeps
 * silent: a fatal alert, protocol_version. */
static const uint8_t no_tls[] = {0x15, 0x03, 0x01, 0, 2, 2, SSL_AD_PROTOCOL_VERSION};
#define RECORD_HANDSHAKE 0x16
/* Reads in one step of a handshake: more than any needs. */
#define SHAKE_READS 16

/* --- OpenSSL's way to the socket --- */

static void note_first(struct kl_tls_session *s, const char *p, size_t n)
{
	size_t room = sizeof(s->first) - s->first_n;
	memcpy(s->first + s->first_n, p, kl_min(n, room));
	s->first_n = (uint8_t)(s->first_n + kl_min(n, room));
}

static int bio_read(BIO *bio, char *p, int n)
{
	struct kl_tls_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	ssize_t got = s->reads > 0 ? s->os->sock_recv(s->sock, p, (size_t)n) : -EAGAIN;
	if (got == -EAGAIN) {
		BIO_set_retry_read(bio);
		return -1;
	}
	s->reads--;
	s->ended |= got == 0;
	if (got < 0)
		s->sock_error = (int)got;
	if (got <= 0)
		return (int)kl_max(got, (ssize_t)-1);
	note_first(s, p, (size_t)got);
	return (int)got;
}

static int bio_write(BIO *bio, const char *p, int n)
{
	struct kl_tls_session *s = BIO_get_data(bio);
	BIO_clear_retry_flags(bio);
	kl_buf_put(&s->out, p, (size_t)n);
	s->no_memory |= s->out.failed;
	return s->out.failed ? -1 : n;
}

static long bio_ctrl(BIO *bio, int cmd, long num, void *arg)
{
	return cmd == BIO_CTRL_FLUSH;
}

BIO_METHOD *kl_tls_bio_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "klamm");
	if (method == NULL)
		return NULL;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_ctrl);
	return method;
}

/* --- making and freeing --- */

static bool attach(struct kl_tls_session *s)
{
	BIO *bio = BIO_new(s->tls->bio);
	if (bio == NULL)
		return false;
	BIO_set_data(bio, s);
	BIO_set_init(bio, 1);
	SSL_set_bio(s->ssl, bio, bio); /* taken */
	SSL_set_app_data(s->ssl, s);
	SSL_set_mode(s->ssl, SSL_MODE_RELEASE_BUFFERS);
	SSL_set_read_ahead(s->ssl, 1);
	SSL_set_default_read_buffer_len(s->ssl, READ_AHEAD);
	return true;
}

/* The dot at the end of a full name is neither in certificates nor in SNI (RFC 6066). NULL:
 * out of memory. */
static char *name_of(const char *host)
{
	size_t n = strlen(host);
	return strndup(host, n > 0 && host[n - 1] == '.' ? n - 1 : n);
}

static bool expect_name(struct kl_tls_session *s, const char *name, bool any_name)
{
	X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);
	X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	/* An empty one would have OpenSSL check none; it refuses it here. */
	return SSL_set_tlsext_host_name(s->ssl, name) &&
	       (any_name || X509_VERIFY_PARAM_set1_host(param, name, 0));
}

/* The certificate must have this name, or this address: a name of digits is none. */
static bool expect(struct kl_tls_session *s)
{
	bool any_name = kl_tls_source_spec(s->tls->source)->any_name;
	ASN1_OCTET_STRING *address = a2i_IPADDRESS(s->host);
	bool is_address = address != NULL;
	ASN1_OCTET_STRING_free(address);
	ERR_clear_error();
	if (is_address)
		return any_name ||
		       X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(s->ssl), s->host);
	char *name = name_of(s->host);
	bool ok = name != NULL && expect_name(s, name, any_name);
	free(name);
	return ok;
}

static bool prepare(struct kl_tls_session *s)
{
	if (!attach(s))
		return false;
	if (SSL_get_verify_callback(s->ssl) == NULL)
		SSL_set_verify(s->ssl, SSL_get_verify_mode(s->ssl), kl_tls_verified);
	if (s->host == NULL) {
		SSL_set_accept_state(s->ssl);
		return true;
	}
	SSL_set_connect_state(s->ssl);
	struct kl_tls_ticket *ticket = s->ticket;
	if (ticket != NULL && ticket->generation == s->generation && ticket->session != NULL)
		SSL_set_session(s->ssl, ticket->session);
	return expect(s);
}

struct kl_tls_session *kl_tls_session_new(struct kl_tls *tls, struct kl_os *os,
					  struct kl_sock *sock, const char *host,
					  struct kl_tls_ticket *ticket)
{
	struct kl_tls_session *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return NULL;
	s->tls = tls;
	s->os = os;
	s->sock = sock;
	s->host = host;
	s->ticket = ticket;
	s->generation = tls->generation;
	s->out.max = OUT_MAX;
	s->ssl = SSL_new(tls->ctx);
	if (s->ssl == NULL || !prepare(s)) {
		kl_tls_session_free(s);
		ERR_clear_error();
		return NULL;
	}
	return s;
}

void kl_tls_session_free(struct kl_tls_session *s)
{
	if (s == NULL)
		return;
	SSL_free(s->ssl);
	kl_buf_free(&s->out);
	free(s);
}

/* --- the handshake --- */

int kl_tls_shake(struct kl_tls_session *s, struct klamm_error *err)
{
	ERR_clear_error();
	s->reads = SHAKE_READS;
	int rc = SSL_do_handshake(s->ssl);
	s->shaken = rc == 1;
	if (s->shaken)
		return 1;
	int what = SSL_get_error(s->ssl, rc);
	if (what == SSL_ERROR_WANT_READ || what == SSL_ERROR_WANT_WRITE)
		return 0;
	kl_tls_explain(s, err);
	if (s->host == NULL && s->first_n > 0 && s->first[0] != RECORD_HANDSHAKE)
		kl_buf_put(&s->out, no_tls, sizeof(no_tls));
	if (s->ticket != NULL) /* the next one begins anew */
		kl_tls_ticket_free(s->ticket);
	return -1;
}

void kl_tls_describe(const struct kl_tls_session *s, struct kl_buf *to)
{
	kl_buf_printf(to, "%s %s%s", SSL_get_version(s->ssl), SSL_get_cipher_name(s->ssl),
		      SSL_session_reused(s->ssl) ? ", resumed" : "");
}

/* --- bytes in --- */

void kl_tls_allow_reads(struct kl_tls_session *s, int reads)
{
	s->reads = reads;
}

ssize_t kl_tls_recv(struct kl_tls_session *s, void *p, size_t n, struct klamm_error *err)
{
	size_t got;
	ERR_clear_error();
	int rc = SSL_read_ex(s->ssl, p, n, &got);
	if (rc == 1) {
		s->got_data = true;
		return (ssize_t)got;
	}
	switch (SSL_get_error(s->ssl, rc)) {
	case SSL_ERROR_WANT_READ:
	case SSL_ERROR_WANT_WRITE:
		return -EAGAIN;
	case SSL_ERROR_ZERO_RETURN:
		return 0;
	}
	/* An end without close_notify is one like any other: a frame that is cut is seen as
	 * such, and nothing else is told by where the bytes end. */
	bool ended = s->ended || s->sock_error != 0;
	if (ended)
		ERR_clear_error();
	if (ended)
		return s->sock_error;
	kl_tls_explain(s, err);
	return -EPROTO;
}

bool kl_tls_has_input(const struct kl_tls_session *s)
{
	return SSL_has_pending(s->ssl);
}

/* --- bytes out --- */

/* One buffer serves all sessions of a context as long as their peers keep up. */
static void take_spare(struct kl_tls_session *s)
{
	if (s->out.data != NULL)
		return;
	s->out = s->tls->spare;
	s->out.max = OUT_MAX;
	s->tls->spare = (struct kl_buf){0};
}

static void give_spare(struct kl_tls_session *s)
{
	kl_buf_clear(&s->out);
	s->out_at = 0;
	kl_buf_free(&s->tls->spare);
	s->tls->spare = s->out;
	s->out = (struct kl_buf){.max = OUT_MAX};
}

uint8_t *kl_tls_stage(struct kl_tls_session *s)
{
	return s->tls->stage;
}

bool kl_tls_write(struct kl_tls_session *s, const void *p, size_t n, struct klamm_error *err)
{
	size_t done;
	take_spare(s);
	ERR_clear_error();
	int rc = n > 0 ? SSL_write_ex(s->ssl, p, n, &done) : 1;
	if (rc == 1)
		return true;
	kl_tls_explain(s, err);
	return false;
}

bool kl_tls_has_output(const struct kl_tls_session *s)
{
	return s->out.len > s->out_at;
}

ssize_t kl_tls_push(struct kl_tls_session *s)
{
	struct iovec iov = {s->out.data + s->out_at, s->out.len - s->out_at};
	if (iov.iov_len == 0)
		return 0;
	ssize_t n = s->os->sock_sendv(s->sock, &iov, 1);
	if (n <= 0)
		return n;
	s->out_at += (size_t)n;
	if (s->out_at == s->out.len)
		give_spare(s);
	return n;
}

void kl_tls_goodbye(struct kl_tls_session *s)
{
	if (!s->shaken || kl_tls_has_output(s) || s->ended)
		return;
	ERR_clear_error();
	SSL_shutdown(s->ssl);
	ERR_clear_error();
	kl_tls_push(s);
}
