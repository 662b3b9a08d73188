/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/net/conn_int.h"

/* One sendmsg takes at most this many pieces (the kernel's own limit is 1024). */
#define IOV_BATCH 256
/* The first read of a frame: most answers fit, and the tail of a large one that was read
 * with it is cheap to copy. */
#define IN_SLAB 65536
/* A larger frame gets its memory as its bytes arrive, not on the word of its size. */
#define IN_TRUST (4 << 20)
/* Rounds of reading in one event, so that one connection cannot keep the loop. */
#define READ_ROUNDS 16

/* --- frames out --- */

static void out_piece(struct kl_out *out, const void *p, size_t n)
{
	if (n == 0)
		return;
	out->iov[out->iov_count++] = (struct iovec){(void *)p, n};
	out->left += n;
}

static bool reserve_pieces(struct kl_out *out, size_t count)
{
	if (count <= out->many_cap)
		return true;
	struct iovec *many = reallocarray(out->many, count, sizeof(*many));
	if (many == NULL)
		return false;
	out->many = many;
	out->many_cap = count;
	return true;
}

bool kl_out_set(struct kl_out *out, const struct kl_buf *head, const struct kl_refs *refs)
{
	size_t ref_count = refs != NULL ? refs->count : 0;
	if (head->failed || (ref_count > 0 && !reserve_pieces(out, 2 * ref_count + 1)))
		return false;
	out->iov = ref_count > 0 ? out->many : &out->one;
	out->iov_count = out->iov_at = 0;
	out->left = 0;
	out->is_secret = head->is_secret;
	size_t at = 0;
	for (size_t i = 0; i < ref_count; i++) {
		const struct kl_ref *ref = &refs->list[i];
		out_piece(out, head->data + at, ref->at - at);
		out_piece(out, ref->p, ref->n);
		at = ref->at;
	}
	out_piece(out, head->data + at, head->len - at);
	return true;
}

void kl_out_free(struct kl_out *out)
{
	free(out->many);
	*out = (struct kl_out){0};
}

void kl_conn_watch(struct kl_conn *conn)
{
	uint32_t events = conn->mute_in ? 0 : KL_IN;
	if (conn->phase == KL_CONN_CONNECTING || conn->want_out)
		events |= KL_OUT;
	if (conn->phase == KL_CONN_TLS && conn->tls.session == NULL)
		events = 0; /* it waits for something else */
	conn->deaf = kl_watch_set(conn->loop, &conn->watch, events);
	if (conn->deaf < 0)
		kl_hook_add(conn->loop, &conn->flush);
}

void kl_conn_want_out(struct kl_conn *conn, bool want)
{
	if (conn->want_out == want)
		return;
	conn->want_out = want;
	kl_conn_watch(conn);
}

void kl_conn_close(struct kl_conn *conn, bool reset)
{
	if (!kl_conn_is_open(conn))
		return;
	struct kl_sock *sock = conn->watch.sock;
	kl_conn_tls_end(conn, reset);
	kl_proxy_end(&conn->proxy.talk);
	kl_watch_forget(conn->loop, &conn->watch);
	conn->watch.sock = NULL;
	if (reset)
		conn->loop->os->sock_reset(sock);
	else
		conn->loop->os->sock_close(sock);
	kl_list_remove(&conn->flush.link);
	while (kl_list_pop(&conn->outs) != NULL)
		;
	conn->out_bytes = 0;
	kl_slab_unref(conn->in);
	conn->in = NULL;
}

void kl_conn_fail_with(struct kl_conn *conn, const struct klamm_error *err)
{
	kl_conn_close(conn, false);
	conn->ops->closed(conn, err);
}

static void fail(struct kl_conn *conn, int code, const char *what, int rc)
{
	struct klamm_error err;
	if (rc != 0)
		kl_error(&err, code, "%s: %s", what, strerror(-rc));
	else
		kl_error(&err, code, "%s", what);
	kl_conn_fail_with(conn, &err);
}

/* Fill iov from the queue; the number of pieces. */
static int gather(struct kl_conn *conn, struct iovec iov[IOV_BATCH])
{
	int count = 0;
	kl_list_for(out, &conn->outs, struct kl_out, link) {
		for (unsigned i = out->iov_at; i < out->iov_count; i++) {
			if (count == IOV_BATCH)
				return count;
			iov[count++] = out->iov[i];
		}
	}
	return count;
}

void kl_conn_advance(struct kl_conn *conn, size_t n)
{
	conn->out_bytes -= n;
	while (n > 0) {
		struct kl_out *out = kl_list_first(&conn->outs, struct kl_out, link);
		size_t part = kl_min(n, out->left);
		n -= part;
		out->left -= part;
		while (part > 0) {
			struct iovec *iov = &out->iov[out->iov_at];
			size_t step = kl_min(part, iov->iov_len);
			iov->iov_base = (uint8_t *)iov->iov_base + step;
			iov->iov_len -= step;
			part -= step;
			if (iov->iov_len == 0)
				out->iov_at++;
		}
		if (out->left > 0)
			return;
		kl_list_remove(&out->link);
		if (out->sent != NULL)
			out->sent(out, conn);
		if (!kl_conn_is_open(conn))
			return;
	}
}

bool kl_conn_send_failed(struct kl_conn *conn, int rc)
{
	/* The answer that explains the reset may wait in the socket: let the reader find
	 * it. */
	if (rc != -EPIPE && rc != -ECONNRESET)
		fail(conn, KLAMM_ERR_DISCONNECTED, "sending failed", rc);
	else if (conn->mute_in)
		fail(conn, KLAMM_ERR_DISCONNECTED, "the peer closed the connection", 0);
	else
		return false;
	return true;
}

static void flush(struct kl_conn *conn)
{
	if (!kl_conn_is_open(conn) || conn->phase != KL_CONN_OPEN)
		return;
	if (conn->tls.session != NULL) {
		kl_conn_tls_flush(conn);
		return;
	}
	while (!kl_list_empty(&conn->outs)) {
		struct iovec iov[IOV_BATCH];
		int count = gather(conn, iov);
		ssize_t n = conn->loop->os->sock_sendv(conn->watch.sock, iov, count);
		if (n == -EAGAIN) {
			kl_conn_want_out(conn, true);
			return;
		}
		if (n < 0) {
			kl_conn_send_failed(conn, (int)n);
			return;
		}
		conn->last_used = conn->loop->now;
		kl_conn_advance(conn, (size_t)n);
		if (!kl_conn_is_open(conn))
			return;
	}
	kl_conn_want_out(conn, false);
}

static void flush_hook(struct kl_hook *hook)
{
	struct kl_conn *conn = kl_container(hook, struct kl_conn, flush);
	if (kl_conn_is_open(conn) && conn->deaf < 0)
		fail(conn, KLAMM_ERR_DISCONNECTED, "cannot watch its socket", conn->deaf);
	else
		flush(conn);
}

void kl_conn_send(struct kl_conn *conn, struct kl_out *out)
{
	kl_list_push(&conn->outs, &out->link);
	conn->out_bytes += out->left;
	kl_hook_add(conn->loop, &conn->flush);
}

/* --- frames in --- */

/* What a size that cannot be one tells about the peer. */
static void explain_size(struct klamm_error *err, const uint8_t *p, int32_t size, size_t max)
{
	if (memcmp(p, "HTTP", 4) == 0)
		kl_error(err, KLAMM_ERR_PROTOCOL,
			 "the peer answered with HTTP: this is not a Kafka listener");
	else if (p[0] == 0x15 && p[1] == 0x03)
		kl_error(err, KLAMM_ERR_TLS,
			 "the peer answered with a TLS alert: this listener wants TLS "
			 "(security.protocol=SSL or SASL_SSL)");
	else if (p[0] == 0x16 && p[1] == 0x03)
		kl_error(err, KLAMM_ERR_TLS,
			 "the peer speaks TLS, which this listener does not");
	else if (size < 0)
		kl_error(err, KLAMM_ERR_PROTOCOL,
			 "the peer sent a frame of negative size %d: not a Kafka listener, "
			 "or one that wants TLS",
			 size);
	else
		kl_error(err, KLAMM_ERR_FRAME_TOO_LARGE,
			 "the peer announced a frame of %d bytes; at most %zu are taken here",
			 size, max);
}

/* The size of the frame at in_at: 1 = known, 0 = not here yet, -1 = the connection is
 * closed. */
static int frame_size(struct kl_conn *conn, size_t *size_out)
{
	if (conn->in_end - conn->in_at < 4)
		return 0;
	const uint8_t *p = conn->in->data + conn->in_at;
	int32_t size = (int32_t)kl_load_u32(p);
	size_t max = conn->ops->frame_max(conn);
	if (size >= 0 && (size_t)size <= max) {
		*size_out = (size_t)size;
		return 1;
	}
	struct klamm_error err;
	explain_size(&err, p, size, max);
	kl_conn_close(conn, false);
	conn->ops->closed(conn, &err);
	return -1;
}

/* Hand on every whole frame. false: the connection is gone. */
static bool hand_on(struct kl_conn *conn)
{
	size_t size;
	int known;
	while (!conn->mute_in && (known = frame_size(conn, &size)) != 0) {
		if (known < 0)
			return false;
		if (conn->in_end - conn->in_at - 4 < size)
			break;
		const uint8_t *p = conn->in->data + conn->in_at + 4;
		conn->in_at += 4 + size;
		conn->frame_since = conn->loop->now;
		/* The owner may close the connection: keep the bytes for the call. */
		struct kl_slab *slab = kl_slab_ref(conn->in);
		conn->ops->frame(conn, slab, p, size);
		kl_slab_unref(slab);
		if (!kl_conn_is_open(conn))
			return false;
	}
	return true;
}

/* Bytes that the frame at in_at needs in all, as far as they are believed by now. */
static size_t wanted(struct kl_conn *conn)
{
	size_t have = conn->in_end - conn->in_at;
	if (have < 4)
		return IN_SLAB;
	size_t need = 4 + (size_t)kl_load_u32(conn->in->data + conn->in_at);
	if (need <= IN_TRUST)
		return need;
	return kl_min(need, kl_max((size_t)IN_TRUST, 2 * have));
}

/* Room behind in_end for at least one more byte. */
static bool make_room(struct kl_conn *conn)
{
	size_t have = conn->in_end - conn->in_at;
	if (conn->in != NULL && have == 0 && kl_slab_is_mine(conn->in))
		conn->in_at = conn->in_end = 0;
	size_t need = conn->in == NULL ? IN_SLAB : wanted(conn);
	if (conn->in != NULL && conn->in_at + kl_max(need, have + 1) <= conn->in->cap &&
	    (have > 0 || conn->in_end < conn->in->cap))
		return true;
	struct kl_slab *slab = kl_slab_get(conn->slabs, kl_max(need, have + 1));
	if (slab == NULL)
		return false;
	if (have > 0)
		memcpy(slab->data, conn->in->data + conn->in_at, have);
	kl_slab_unref(conn->in);
	conn->in = slab;
	conn->in_at = 0;
	conn->in_end = have;
	return true;
}

/* More of them where the rest would be left inside of TLS, and the socket silent about it:
 * there it is the reads of the socket that are counted. */
static bool may_read_on(struct kl_conn *conn, int round)
{
	return !conn->mute_in && (round < READ_ROUNDS || conn->tls.session != NULL);
}

static ssize_t read_some(struct kl_conn *conn, size_t room, struct klamm_error *err)
{
	uint8_t *p = conn->in->data + conn->in_end;
	if (conn->tls.session != NULL)
		return kl_tls_recv(conn->tls.session, p, room, err);
	return conn->loop->os->sock_recv(conn->watch.sock, p, room);
}

void kl_conn_receive(struct kl_conn *conn)
{
	struct klamm_error err;
	if (conn->tls.session != NULL)
		kl_tls_allow_reads(conn->tls.session, READ_ROUNDS);
	for (int round = 0; may_read_on(conn, round); round++) {
		if (!make_room(conn)) {
			fail(conn, KLAMM_ERR_NO_MEMORY,
			     "no memory left for an answer (klamm.memory.max)", 0);
			return;
		}
		size_t room = conn->in->cap - conn->in_end;
		ssize_t n = read_some(conn, room, &err);
		if (n == -EAGAIN)
			return;
		if (n == -EPROTO && conn->tls.session != NULL) {
			kl_conn_fail_with(conn, &err);
			return;
		}
		if (n < 0) {
			fail(conn, KLAMM_ERR_DISCONNECTED, "receiving failed", (int)n);
			return;
		}
		if (n == 0) {
			fail(conn, KLAMM_ERR_DISCONNECTED,
			     conn->in_end > conn->in_at
				     ? "the peer closed the connection in the middle of an "
				       "answer"
				     : "the peer closed the connection",
			     0);
			return;
		}
		if (conn->in_end == conn->in_at)
			conn->frame_since = conn->loop->now;
		conn->in_end += (size_t)n;
		conn->last_used = conn->loop->now;
		if (!hand_on(conn) || ((size_t)n < room && conn->tls.session == NULL))
			return;
	}
}

static void on_event(struct kl_watch *watch, uint32_t events)
{
	struct kl_conn *conn = kl_container(watch, struct kl_conn, watch);
	if (conn->phase == KL_CONN_CONNECTING) {
		int rc = conn->loop->os->sock_connect_result(watch->sock);
		if (rc < 0) {
			fail(conn, KLAMM_ERR_CONNECT, "cannot connect", rc);
			return;
		}
		conn->last_used = conn->loop->now;
		if (conn->proxy.url != NULL)
			kl_conn_proxy_begin(conn);
		else if (conn->tls.context != NULL)
			kl_conn_tls_begin(conn);
		else
			kl_conn_open(conn);
	} else if (conn->phase == KL_CONN_PROXY) {
		kl_conn_proxy_talk(conn);
	} else if (conn->phase == KL_CONN_TLS) {
		kl_conn_tls_shake(conn);
	}
	if (!kl_conn_is_open(conn) || conn->phase != KL_CONN_OPEN)
		return;
	if ((events & KL_OUT) != 0)
		flush(conn);
	if ((events & (KL_IN | KL_HUP)) != 0 && kl_conn_is_open(conn))
		kl_conn_receive(conn);
	/* TLS answers some things by itself. */
	if (conn->tls.session != NULL && kl_tls_has_output(conn->tls.session))
		kl_hook_add(conn->loop, &conn->flush);
}

void kl_conn_open(struct kl_conn *conn)
{
	conn->phase = KL_CONN_OPEN;
	kl_conn_watch(conn);
	if (!conn->accepted)
		conn->ops->opened(conn);
}

int kl_conn_start(struct kl_conn *conn, struct klamm_loop *loop,
		  const struct kl_conn_ops *ops, struct kl_slab_pool *slabs,
		  struct kl_sock *sock, bool connecting, struct klamm_error *err)
{
	*conn = (struct kl_conn){
		.loop = loop,
		.ops = ops,
		.slabs = slabs,
		.watch = {.sock = sock, .fn = on_event},
		.flush = {.fn = flush_hook},
		.phase = connecting ? KL_CONN_CONNECTING : KL_CONN_OPEN,
		.accepted = !connecting,
		.last_used = loop->now,
	};
	kl_list_init(&conn->tls.wait.link);
	kl_list_init(&conn->outs);
	kl_list_init(&conn->flush.link);
	kl_conn_watch(conn);
	if (conn->deaf < 0) {
		kl_list_remove(&conn->flush.link);
		conn->watch.sock = NULL;
		loop->os->sock_close(sock);
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot watch a socket: %s",
				strerror(-conn->deaf));
	}
	return 0;
}

void kl_conn_mute(struct kl_conn *conn, bool mute)
{
	if (!kl_conn_is_open(conn) || conn->mute_in == mute)
		return;
	conn->mute_in = mute;
	conn->frame_since = conn->loop->now; /* nobody could hurry before */
	kl_conn_watch(conn);
	/* Frames that are here already do not make the socket readable. */
	if (!mute && conn->in != NULL && !hand_on(conn))
		return;
	if (!mute && conn->tls.session != NULL && kl_tls_has_input(conn->tls.session))
		kl_conn_receive(conn);
}

void kl_conn_shed(struct kl_conn *conn)
{
	if (conn->in_at != conn->in_end)
		return;
	kl_slab_unref(conn->in);
	conn->in = NULL;
	conn->in_at = conn->in_end = 0;
}
