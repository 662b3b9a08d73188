/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of TLS: tls.c is the context, tls_session.c a connection's session,
 * tls_explain.c what went wrong in words. */
#ifndef KL_TLS_INT_H
#define KL_TLS_INT_H

#include "core/net/tls.h"

struct kl_tls_reload;

struct kl_tls {
	struct kl_tls_source *source;
	const struct kl_log *log;
	SSL_CTX *ctx;
	uint8_t digest[KL_TLS_DIGEST];
	unsigned generation; /* one more with each new ctx */
	int64_t checked_at;  /* loop time; 0 = only when it was made */
	struct kl_tls_reload *reload; /* NULL = none is under way */
	struct kl_list waiting;
	BIO_METHOD *bio;
	struct kl_buf spare;        /* for the output of whoever writes next */
	uint8_t stage[KL_TLS_RECORD];
};

struct kl_tls_session {
	struct kl_tls *tls;
	struct kl_os *os;
	struct kl_sock *sock;
	SSL *ssl;
	const char *host; /* NULL = this is the server's side */
	struct kl_tls_ticket *ticket;
	unsigned generation;
	struct kl_buf out; /* encrypted; from out_at on it has not left */
	size_t out_at;
	int reads;         /* of the socket that are left in this round */
	int sock_error;    /* the last read's; 0 = none */
	bool ended;        /* the peer's side, without close_notify */
	bool no_memory;    /* for output */
	bool shaken;       /* the handshake is done */
	bool got_data;     /* decrypted, at least once */
	uint8_t first[8];  /* that the peer sent */
	uint8_t first_n;
	/* What is wrong with the peer's certificate; code 0 = nothing. */
	struct klamm_error why;
};

/* A method of ours for OpenSSL's way to the socket; NULL: out of memory. */
BIO_METHOD *kl_tls_bio_method(void);
/* X509_STORE_CTX's verdict on the peer's certificate goes into session->why. */
int kl_tls_verified(int ok, X509_STORE_CTX *store);
/* After a call of OpenSSL that failed for good: why, and what to do. Leaves its queue of
 * errors empty. */
void kl_tls_explain(struct kl_tls_session *s, struct klamm_error *err);

#endif
