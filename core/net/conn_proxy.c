/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection through a proxy: what is said to it before the bytes are the broker's. */
#include "core/base/error.h"
#include "core/net/conn_int.h"

void kl_conn_via(struct kl_conn *conn, const struct kl_proxy_url *url, const char *host,
		 uint16_t port)
{
	conn->proxy.url = url;
	conn->proxy.host = host;
	conn->proxy.port = port;
}

static void fail(struct kl_conn *conn, const char *what, int rc)
{
	const struct kl_proxy_url *url = conn->proxy.url;
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_DISCONNECTED, "the proxy %s:%u %s%s%s", url->host, url->port,
		 what, rc != 0 ? ": " : "", rc != 0 ? strerror(-rc) : "");
	err.stage = KLAMM_STAGE_PROXY;
	kl_conn_fail_with(conn, &err);
}

/* What is to be said, as far as the socket takes it. An end is left to the reader, who may
 * find words before it. */
static void push(struct kl_conn *conn)
{
	struct kl_buf *out = &conn->proxy.talk.out;
	struct iovec iov = {out->data + conn->proxy.out_at, out->len - conn->proxy.out_at};
	ssize_t n = iov.iov_len > 0
			    ? conn->loop->os->sock_sendv(conn->watch.sock, &iov, 1)
			    : 0;
	if (n > 0)
		conn->proxy.out_at += (size_t)n;
	if (conn->proxy.out_at == out->len) {
		kl_buf_clear(out);
		conn->proxy.out_at = 0;
	}
	kl_conn_want_out(conn, out->len > 0 && (n > 0 || n == -EAGAIN));
}

static void go_on(struct kl_conn *conn)
{
	kl_proxy_end(&conn->proxy.talk);
	kl_conn_want_out(conn, false);
	if (conn->tls.context != NULL)
		kl_conn_tls_begin(conn);
	else
		kl_conn_open(conn);
}

void kl_conn_proxy_talk(struct kl_conn *conn)
{
	struct kl_proxy_talk *talk = &conn->proxy.talk;
	struct klamm_error err;
	size_t wants;
	push(conn);
	while ((wants = kl_proxy_wants(talk)) > 0) {
		uint8_t bytes[512];
		ssize_t n = conn->loop->os->sock_recv(conn->watch.sock, bytes,
						      kl_min(wants, sizeof(bytes)));
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			fail(conn, "closed the connection instead of answering", (int)n);
			return;
		}
		conn->last_used = conn->loop->now;
		if (!kl_proxy_take(talk, bytes, (size_t)n, &err)) {
			kl_conn_fail_with(conn, &err);
			return;
		}
		push(conn);
	}
	go_on(conn);
}

void kl_conn_proxy_begin(struct kl_conn *conn)
{
	struct klamm_error err;
	conn->phase = KL_CONN_PROXY;
	conn->proxy.out_at = 0;
	if (!kl_proxy_begin(&conn->proxy.talk, conn->proxy.url, conn->proxy.host,
			    conn->proxy.port, &err)) {
		kl_conn_fail_with(conn, &err);
		return;
	}
	kl_conn_watch(conn);
	kl_conn_proxy_talk(conn);
}
