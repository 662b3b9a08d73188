/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS as a layer of connections: the context that those of a client, or of a broker's
 * listeners, share; and the session of each, which turns bytes into bytes and leaves sockets
 * to core/os. Loop only, but for making and freeing the context.
 *
 * The files that a context was made of are read again when a connection begins, at most once
 * a second, on the blocking pool. What is there then is what the connection uses; a file that
 * cannot be used leaves all as it was, with a line in the log.
 */
#ifndef KL_TLS_H
#define KL_TLS_H

#include "core/base/buf.h"
#include "core/net/loop.h"
#include "core/net/tls_source.h"

struct kl_tls;
struct kl_tls_session;

/* Reads the files now. spec is copied, log borrowed. CONFIG, NO_MEMORY. */
int kl_tls_new(const struct kl_tls_spec *spec, struct kl_os *os, const struct kl_log *log,
	       struct kl_tls **tls_out, struct klamm_error *err);
/* Its sessions are gone. NULL is fine. */
void kl_tls_free(struct kl_tls *tls);

/* What a configuration says. *tls_out NULL: security.protocol is one without TLS. given: the
 * application's own context, or NULL. */
int kl_tls_open(const struct kl_settings *settings, SSL_CTX *given, struct kl_os *os,
		const struct kl_log *log, struct kl_tls **tls_out, struct klamm_error *err);

/* Whoever waits for the context to be as its files are. */
struct kl_tls_wait {
	struct kl_list link;
	void (*fn)(struct kl_tls_wait *wait);
};
/* true: it is. Else fn is called, from the loop, unless the wait is unlinked first. */
bool kl_tls_await(struct kl_tls *tls, struct klamm_loop *loop, struct kl_tls_wait *wait);

/* What a client keeps of a session with a peer, to begin the next one with less. Zeroed at
 * first. */
struct kl_tls_ticket {
	SSL_SESSION *session;
	unsigned generation; /* of the context that it was made with */
};
void kl_tls_ticket_free(struct kl_tls_ticket *ticket);

/* --- a session --- */

/* host: whom a client means to reach; NULL for a server. ticket may be NULL. host and ticket
 * are borrowed. NULL: out of memory. */
struct kl_tls_session *kl_tls_session_new(struct kl_tls *tls, struct kl_os *os,
					  struct kl_sock *sock, const char *host,
					  struct kl_tls_ticket *ticket);
/* NULL is fine. */
void kl_tls_session_free(struct kl_tls_session *s);

/* On with the handshake. 1: it is done; 0: the peer's turn; -1: it has failed, err says why.
 * What is to be sent waits for kl_tls_push() in any case. */
int kl_tls_shake(struct kl_tls_session *s, struct klamm_error *err);

/* Before a round of receiving: so many reads of the socket, and no more. */
void kl_tls_allow_reads(struct kl_tls_session *s, int reads);
/* Decrypted bytes; 0 = the peer has finished; -EAGAIN; -EPROTO with err; another error of the
 * socket's. */
ssize_t kl_tls_recv(struct kl_tls_session *s, void *p, size_t n, struct klamm_error *err);
/* Has it bytes that the socket will not tell of any more? */
bool kl_tls_has_input(const struct kl_tls_session *s);

/* Encrypt. Never waits: what comes out is kept until it is pushed. false: err. */
bool kl_tls_write(struct kl_tls_session *s, const void *p, size_t n, struct klamm_error *err);
/* A place for bytes that are to be gathered into one record. */
#define KL_TLS_RECORD 16384
uint8_t *kl_tls_stage(struct kl_tls_session *s);
bool kl_tls_has_output(const struct kl_tls_session *s);
/* To the socket: the number of bytes, -EAGAIN, or another error. */
ssize_t kl_tls_push(struct kl_tls_session *s);
/* Say that nothing more comes (close_notify), if that can be done now. */
void kl_tls_goodbye(struct kl_tls_session *s);

/* "TLSv1.3 TLS_AES_256_GCM_SHA384, resumed": for the log. */
void kl_tls_describe(const struct kl_tls_session *s, struct kl_buf *to);

#endif
