/* SPDX-License-Identifier: BSD-2-Clause */
/* A connection that carries frames: a 4-byte size, then that many bytes. Client and broker
 * use the same one. Lives in its loop.
 *
 * What a step queues leaves in one gathered send at the end of the step. Received bytes land
 * in slabs; a frame is handed on where it lies, and whoever keeps part of it takes a
 * reference on the slab.
 */
#ifndef KL_CONN_H
#define KL_CONN_H

#include <klamm/error.h>

#include "core/base/buf.h"
#include "core/base/slab.h"
#include "core/net/loop.h"
#include "core/net/proxy.h"
#include "core/net/tls.h"

struct kl_conn;

/* A frame to send: own bytes, with borrowed ones between them. Lives in its owner until
 * sent() was called or the connection is closed. */
struct kl_out {
	struct kl_list link;
	struct iovec one;  /* serves when there is just one piece */
	struct iovec *iov; /* &one or many */
	struct iovec *many;
	size_t many_cap;
	unsigned iov_count, iov_at;
	size_t left;
	bool is_secret; /* as the head is: no copy stays behind */
	/* May be NULL. The last byte was given to the kernel. */
	void (*sent)(struct kl_out *out, struct kl_conn *conn);
};

/* head, and what refs (may be NULL) point to, stay where they are until sent. false: out of
 * memory. An out starts zeroed and may be set again and again. */
bool kl_out_set(struct kl_out *out, const struct kl_buf *head, const struct kl_refs *refs);
void kl_out_free(struct kl_out *out);

struct kl_conn_ops {
	/* Frames may go and come. Not called for accepted ones. */
	void (*opened)(struct kl_conn *conn);
	/* The longest frame that may come now. */
	size_t (*frame_max)(struct kl_conn *conn);
	/* A whole frame, without its size. Borrowed for the call, or as long as a reference on
	 * slab is held. May close the connection. */
	void (*frame)(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n);
	/* It is closed, not by kl_conn_close(). Called once, last; but whoever called may
	 * look at conn again: it stays until a task that is posted now runs. */
	void (*closed)(struct kl_conn *conn, const struct klamm_error *err);
};

enum kl_conn_phase {
	KL_CONN_CONNECTING,
	KL_CONN_PROXY,
	KL_CONN_TLS, /* the handshake */
	KL_CONN_OPEN,
};

struct kl_conn {
	struct klamm_loop *loop;
	const struct kl_conn_ops *ops;
	struct kl_slab_pool *slabs;
	struct kl_watch watch;
	struct kl_hook flush;
	enum kl_conn_phase phase;
	struct {
		const struct kl_proxy_url *url; /* NULL = straight to the broker */
		const char *host;
		uint16_t port;
		struct kl_proxy_talk talk;
		size_t out_at;
	} proxy;
	struct {
		struct kl_tls *context; /* NULL = bytes go as they are */
		struct kl_tls_session *session;
		const char *host; /* NULL = this is the server's side */
		struct kl_tls_ticket *ticket;
		struct kl_tls_wait wait; /* for the context's files */
		size_t plain; /* bytes of frames in what is encrypted and has not left */
	} tls;
	int deaf; /* < 0, an errno: no event of the socket would come */
	bool accepted;
	bool want_out;
	bool mute_in; /* do not read: back-pressure, throttling */
	int64_t last_used; /* loop time of the last byte either way */
	struct kl_list outs;
	size_t out_bytes;
	struct kl_slab *in; /* bytes [in_at, in_end) are not handed on yet */
	size_t in_at, in_end;
	int64_t frame_since; /* loop time at which the frame at in_at began to come */
};

/* sock is taken, also on failure. connecting: the socket is on its way. */
int kl_conn_start(struct kl_conn *conn, struct klamm_loop *loop,
		  const struct kl_conn_ops *ops, struct kl_slab_pool *slabs,
		  struct kl_sock *sock, bool connecting, struct klamm_error *err);
/* Right after that: the socket leads to a proxy, which is asked for this host (a name or an
 * address) first. url and host are borrowed. */
void kl_conn_via(struct kl_conn *conn, const struct kl_proxy_url *url, const char *host,
		 uint16_t port);
/* Right after that: all bytes go through TLS. host and ticket as of kl_tls_session_new(). */
void kl_conn_secure(struct kl_conn *conn, struct kl_tls *tls, const char *host,
		    struct kl_tls_ticket *ticket);
static inline bool kl_conn_is_open(const struct kl_conn *conn)
{
	return conn->watch.sock != NULL;
}
/* How much has come, since frame_since, of a frame that is not whole yet. */
static inline size_t kl_conn_unfinished(const struct kl_conn *conn)
{
	return conn->mute_in ? 0 : conn->in_end - conn->in_at;
}
void kl_conn_send(struct kl_conn *conn, struct kl_out *out);
/* Stop or resume reading. */
void kl_conn_mute(struct kl_conn *conn, bool mute);
/* Give the receive buffer back if nothing is in it: for connections at rest. */
void kl_conn_shed(struct kl_conn *conn);
/* Close; ops->closed is not called. Frames not sent are dropped without a word. */
void kl_conn_close(struct kl_conn *conn, bool reset);

#endif
