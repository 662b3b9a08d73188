/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/plugins/web.h"

#include <arpa/inet.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "tests/unit/unit.h"

#define ASKED_MAX 64

struct web {
	const struct web_act *acts;
	size_t act_count;
	int listener, port;
	atomic_int count;
	atomic_bool stop;
	char *asked[ASKED_MAX];
	pthread_t thread;
	SSL_CTX *tls;
	char pem[4096];
};

struct talk {
	struct web *web;
	int fd;
	SSL *tls;
};

/* --- a certificate --- */

static void make_certificate(struct web *web, const char *name)
{
	EVP_PKEY *key = EVP_EC_gen("P-256");
	X509 *cert = X509_new();
	X509_set_version(cert, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
	X509_gmtime_adj(X509_getm_notBefore(cert), -60);
	X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_UTF8,
				   (const uint8_t *)name, -1, -1, 0);
	X509_set_issuer_name(cert, X509_get_subject_name(cert));
	X509_set_pubkey(cert, key);
	char names[100];
	snprintf(names, sizeof(names), "DNS:%s", name);
	X509_EXTENSION *alt =
		X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);
	X509_add_ext(cert, alt, -1);
	X509_EXTENSION_free(alt);
	ck_assert_int_gt(X509_sign(cert, key, EVP_sha256()), 0);
	BIO *bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, cert);
	int n = BIO_read(bio, web->pem, sizeof(web->pem) - 1);
	ck_assert_int_gt(n, 0);
	web->pem[n] = '\0';
	BIO_free(bio);
	web->tls = SSL_CTX_new(TLS_server_method());
	SSL_CTX_set_options(web->tls, SSL_OP_CLEANSE_PLAINTEXT);
	ck_assert_int_eq(SSL_CTX_use_certificate(web->tls, cert), 1);
	ck_assert_int_eq(SSL_CTX_use_PrivateKey(web->tls, key), 1);
	X509_free(cert);
	EVP_PKEY_free(key);
}

/* --- a connection --- */

static ssize_t get(struct talk *talk, char *to, size_t n)
{
	struct pollfd look = {.fd = talk->fd, .events = POLLIN};
	while (talk->tls == NULL || SSL_pending(talk->tls) == 0) {
		if (atomic_load(&talk->web->stop))
			return -1;
		if (poll(&look, 1, 20) > 0)
			break;
	}
	return talk->tls != NULL ? SSL_read(talk->tls, to, (int)n)
				 : read(talk->fd, to, n);
}

static bool put(struct talk *talk, const char *p, size_t n)
{
	if (talk->tls != NULL)
		return n == 0 || SSL_write(talk->tls, p, (int)n) > 0;
	return send(talk->fd, p, n, MSG_NOSIGNAL) == (ssize_t)n;
}

static size_t body_len(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");
	return at != NULL ? strtoul(at + 17, NULL, 10) : 0;
}

/* The whole request, or what came of it. */
static char *hear(struct talk *talk)
{
	size_t cap = 1 << 20, len = 0;
	char *text = calloc(1, cap + 1);
	for (;;) {
		ssize_t n = get(talk, text + len, cap - len);
		if (n <= 0)
			return text;
		len += (size_t)n;
		text[len] = '\0';
		const char *end = strstr(text, "\r\n\r\n");
		if (end != NULL && len >= (size_t)(end - text) + 4 + body_len(text))
			return text;
	}
}

static void rest(struct talk *talk, int ms)
{
	for (; ms > 0 && !atomic_load(&talk->web->stop); ms -= 10)
		usleep(10000);
}

static void answer_json(struct talk *talk, const struct web_act *act)
{
	char head[200];
	size_t len = strlen(act->body);
	int n = snprintf(head, sizeof(head),
			 WEB_ANSWER("%s", "application/json", "", "%zu"), act->status,
			 len);
	if (put(talk, head, (size_t)n) && len > 0)
		put(talk, act->body, len);
}

static void answer(struct talk *talk, const struct web_act *act)
{
	rest(talk, act->pause_ms);
	if (act->body != NULL) {
		answer_json(talk, act);
		return;
	}
	size_t len = act->len != 0         ? act->len
		     : act->answer != NULL ? strlen(act->answer)
					   : 0;
	size_t step = act->drip_ms > 0 ? 1 : len;
	for (size_t i = 0; i < len && !atomic_load(&talk->web->stop); i += step) {
		if (!put(talk, act->answer + i, step))
			return;
		rest(talk, act->drip_ms);
	}
}

static void serve(struct web *web, int fd)
{
	struct talk talk = {.web = web, .fd = fd};
	int i = atomic_load(&web->count);
	/* A copy: the test may be over before this is. */
	const struct web_act done =
		web->acts[(size_t)i < web->act_count ? (size_t)i : web->act_count - 1];
	const struct web_act *act = &done;
	char waste[256];
	if (act->deaf) {
		atomic_store(&web->count, i + 1);
		while (!atomic_load(&web->stop))
			rest(&talk, 10);
		close(fd);
		return;
	}
	bool open = true;
	if (web->tls != NULL) {
		talk.tls = SSL_new(web->tls);
		SSL_set_fd(talk.tls, fd);
		open = SSL_accept(talk.tls) == 1;
	}
	ck_assert_int_lt(i, ASKED_MAX);
	web->asked[i] = open && !act->hasty ? hear(&talk) : strdup("");
	atomic_store(&web->count, i + 1);
	if (open)
		answer(&talk, act);
	while (open && act->hold && get(&talk, waste, sizeof(waste)) > 0)
		;
	if (talk.tls != NULL && open)
		SSL_shutdown(talk.tls);
	SSL_free(talk.tls);
	shutdown(fd, SHUT_WR);
	close(fd);
}

static void *run(void *arg)
{
	struct web *web = arg;
	struct pollfd look = {.fd = web->listener, .events = POLLIN};
	sigset_t pipe; /* OpenSSL writes to clients that are gone */
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, NULL);
	while (!atomic_load(&web->stop)) {
		if (poll(&look, 1, 20) <= 0)
			continue;
		int fd = accept4(web->listener, NULL, NULL, SOCK_CLOEXEC);
		if (fd >= 0)
			serve(web, fd);
	}
	return NULL;
}

struct web *web_new(const struct web_act *acts, size_t n, const char *cert_name)
{
	struct web *web = calloc(1, sizeof(*web));
	*web = (struct web){.acts = acts, .act_count = n};
	if (cert_name != NULL)
		make_certificate(web, cert_name);
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(at);
	web->listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_eq(bind(web->listener, (struct sockaddr *)&at, len), 0);
	ck_assert_int_eq(listen(web->listener, 16), 0);
	ck_assert_int_eq(getsockname(web->listener, (struct sockaddr *)&at, &len), 0);
	web->port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&web->thread, NULL, run, web), 0);
	return web;
}

void web_wipe(struct web *web)
{
	atomic_store(&web->stop, true);
	pthread_join(web->thread, NULL);
	for (int i = 0; i < ASKED_MAX; i++) {
		if (web->asked[i] != NULL)
			explicit_bzero(web->asked[i], strlen(web->asked[i]));
		free(web->asked[i]);
		web->asked[i] = NULL;
	}
}

void web_free(struct web *web)
{
	if (!atomic_load(&web->stop))
		web_wipe(web);
	close(web->listener);
	SSL_CTX_free(web->tls);
	free(web);
}

int web_port(const struct web *web)
{
	return web->port;
}

const char *web_pem(const struct web *web)
{
	return web->pem;
}

X509 *web_cert(const struct web *web)
{
	return SSL_CTX_get0_certificate(web->tls);
}

void web_ask(struct web *web, X509 *issuer)
{
	X509_STORE_add_cert(SSL_CTX_get_cert_store(web->tls), issuer);
	SSL_CTX_set_verify(web->tls, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT,
			   NULL);
}

int web_count(const struct web *web)
{
	return atomic_load(&web->count);
}

const char *web_asked(const struct web *web, int i)
{
	ck_assert_int_lt(i, web_count(web));
	return web->asked[i];
}
