/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of a connection: conn.c carries frames, conn_proxy.c begins one through a
 * proxy, conn_tls.c carries bytes through TLS. Loop only. */
#ifndef KL_CONN_INT_H
#define KL_CONN_INT_H

#include "core/net/conn.h"

/* --- conn.c --- */

/* Ask the poller for the events that matter now. A connection for which it cannot look ends
 * with this step. */
void kl_conn_watch(struct kl_conn *conn);
void kl_conn_want_out(struct kl_conn *conn, bool want);
/* From now on frames go. */
void kl_conn_open(struct kl_conn *conn);
void kl_conn_receive(struct kl_conn *conn);
/* n bytes have left: advance the queue and tell the owners of frames that are through. */
void kl_conn_advance(struct kl_conn *conn, size_t n);
/* Close, and tell the owner. */
void kl_conn_fail_with(struct kl_conn *conn, const struct klamm_error *err);
/* The same after sending failed; false: what the peer said last is still to be read. */
bool kl_conn_send_failed(struct kl_conn *conn, int rc);

/* --- conn_proxy.c --- */

/* The socket is connected, to the proxy. */
void kl_conn_proxy_begin(struct kl_conn *conn);
void kl_conn_proxy_talk(struct kl_conn *conn);

/* --- conn_tls.c --- */

/* The socket is connected. */
void kl_conn_tls_begin(struct kl_conn *conn);
void kl_conn_tls_shake(struct kl_conn *conn);
void kl_conn_tls_flush(struct kl_conn *conn);
/* The connection is being closed; reset: without a word. */
void kl_conn_tls_end(struct kl_conn *conn, bool reset);

#endif
