/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection through TLS: the handshake before its first frame, and then frames gathered
 * into records, and records into one send. */
#include "core/base/error.h"
#include "core/net/conn_int.h"

/* What is encrypted before it leaves: large enough to cost few system calls, and small
 * enough to be kept by each connection whose peer is slow. */
#define CHUNK ((size_t)4 * KL_TLS_RECORD)

/* --- the handshake --- */

/* What the handshake has to say goes out. false: the connection is gone, or another one has
 * been begun in its place. */
static bool push(struct kl_conn *conn)
{
	ssize_t n = 1;
	while (n > 0 && kl_tls_has_output(conn->tls.session))
		n = kl_tls_push(conn->tls.session);
	kl_conn_want_out(conn, n == -EAGAIN);
	return n >= 0 || n == -EAGAIN || !kl_conn_send_failed(conn, (int)n);
}

static void tell(const struct kl_conn *conn)
{
	if (!kl_log_on(&conn->loop->log, KL_LOG_DEBUG))
		return;
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_tls_describe(conn->tls.session, &text);
	kl_log(&conn->loop->log, KL_LOG_DEBUG, conn->tls.host ?: "client", "%s",
	       kl_buf_text(&text));
}

void kl_conn_tls_shake(struct kl_conn *conn)
{
	struct klamm_error err;
	struct kl_tls_session *session = conn->tls.session;
	int rc = kl_tls_shake(session, &err);
	if (rc < 0 && kl_tls_has_output(session))
		kl_tls_push(session); /* the alert that tells the peer */
	if (rc < 0) {
		kl_conn_fail_with(conn, &err);
		return;
	}
	conn->last_used = conn->accepted ? conn->last_used : conn->loop->now;
	if (!push(conn) || rc == 0)
		return;
	tell(conn);
	kl_conn_open(conn);
	/* What came with the end of the handshake. */
	if (kl_conn_is_open(conn) && kl_tls_has_input(session))
		kl_conn_receive(conn);
}

static void start(struct kl_conn *conn)
{
	conn->tls.session =
		kl_tls_session_new(conn->tls.context, conn->loop->os, conn->watch.sock,
				   conn->tls.host, conn->tls.ticket);
	if (conn->tls.session == NULL) {
		struct klamm_error err;
		kl_error(&err, KLAMM_ERR_NO_MEMORY, "TLS: out of memory");
		kl_conn_fail_with(conn, &err);
		return;
	}
	kl_conn_watch(conn);
	kl_conn_tls_shake(conn);
}

static void context_ready(struct kl_tls_wait *wait)
{
	start(kl_container(wait, struct kl_conn, tls.wait));
}

void kl_conn_tls_begin(struct kl_conn *conn)
{
	conn->phase = KL_CONN_TLS;
	conn->tls.wait.fn = context_ready;
	if (kl_tls_await(conn->tls.context, conn->loop, &conn->tls.wait))
		start(conn);
	else
		kl_conn_watch(conn);
}

void kl_conn_secure(struct kl_conn *conn, struct kl_tls *tls, const char *host,
		    struct kl_tls_ticket *ticket)
{
	conn->tls.context = tls;
	conn->tls.host = host;
	conn->tls.ticket = ticket;
	if (conn->phase == KL_CONN_OPEN)
		kl_conn_tls_begin(conn);
}

void kl_conn_tls_end(struct kl_conn *conn, bool reset)
{
	kl_list_remove(&conn->tls.wait.link);
	if (conn->tls.session == NULL)
		return;
	if (!reset)
		kl_tls_goodbye(conn->tls.session);
	kl_tls_session_free(conn->tls.session);
	conn->tls.session = NULL;
	conn->tls.plain = 0;
}

/* --- frames out --- */

/* Pieces that are smaller than a record, gathered into one. */
struct gather {
	struct kl_tls_session *session;
	uint8_t *stage;
	size_t staged, total;
	bool has_secret;
	struct klamm_error *err;
};

static bool write_stage(struct gather *g)
{
	size_t n = g->staged;
	g->staged = 0;
	bool ok = kl_tls_write(g->session, g->stage, n, g->err);
	if (g->has_secret)
		explicit_bzero(g->stage, n);
	return ok;
}

static bool add(struct gather *g, const uint8_t *p, size_t n)
{
	g->total += n;
	while (n > 0) {
		size_t part = kl_min(n, KL_TLS_RECORD - g->staged);
		if (part == KL_TLS_RECORD) { /* a whole record, from where it lies */
			if (!kl_tls_write(g->session, p, part, g->err))
				return false;
		} else {
			memcpy(g->stage + g->staged, p, part);
			g->staged += part;
		}
		if (g->staged == KL_TLS_RECORD && !write_stage(g))
			return false;
		p += part;
		n -= part;
	}
	return true;
}

/* Encrypt the beginning of the queue. false: the session is broken. */
static bool encrypt(struct kl_conn *conn, struct klamm_error *err)
{
	struct gather g = {
		.session = conn->tls.session,
		.stage = kl_tls_stage(conn->tls.session),
		.err = err,
	};
	kl_list_for(out, &conn->outs, struct kl_out, link) {
		g.has_secret |= out->is_secret;
		for (unsigned i = out->iov_at; i < out->iov_count; i++) {
			size_t n = kl_min(out->iov[i].iov_len, CHUNK - g.total);
			if (!add(&g, out->iov[i].iov_base, n))
				return false;
		}
		if (g.total == CHUNK)
			break;
	}
	conn->tls.plain = g.total;
	return write_stage(&g);
}

/* Once a byte has left, the peer may get all of what was encrypted with it. */
static bool moved(struct kl_conn *conn)
{
	size_t plain = conn->tls.plain;
	conn->tls.plain = 0;
	conn->last_used = conn->loop->now;
	if (plain > 0)
		kl_conn_advance(conn, plain);
	return kl_conn_is_open(conn);
}

void kl_conn_tls_flush(struct kl_conn *conn)
{
	struct klamm_error err;
	struct kl_tls_session *session = conn->tls.session;
	while (kl_tls_has_output(session) || !kl_list_empty(&conn->outs)) {
		if (!kl_tls_has_output(session) && !encrypt(conn, &err)) {
			kl_conn_fail_with(conn, &err);
			return;
		}
		ssize_t n = kl_tls_push(session);
		if (n == -EAGAIN) {
			kl_conn_want_out(conn, true);
			return;
		}
		if (n < 0) {
			kl_conn_send_failed(conn, (int)n);
			return;
		}
		if (!moved(conn))
			return;
	}
	kl_conn_want_out(conn, false);
}
