/* SPDX-License-Identifier: BSD-2-Clause */
/* Where frames are gathered before they are encrypted: what is secret does not stay there. */
#include <openssl/ssl.h>
#include <string.h>

#include "core/net/conn.h"
#include "core/net/tls_int.h"
#include "tests/client/certs.h"

#define TEXT "a-password-that-somebody-has"

static struct klamm_loop *loop;
static struct kl_os *os;
static struct kl_slab_pool *slabs;
static struct kl_tls *ours, *theirs;
static struct kl_conn client, server;
static bool is_ready;
static int frames;

static void on_opened(struct kl_conn *conn)
{
	is_ready = true;
}

static size_t frame_max(struct kl_conn *conn)
{
	return 1000;
}

static void on_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n)
{
	ck_assert_uint_eq(n, sizeof(TEXT) - 1);
	ck_assert_mem_eq(p, TEXT, n);
	frames++;
}

static void on_closed(struct kl_conn *conn, const struct klamm_error *err)
{
	ck_abort_msg("%s", err->text);
}

static const struct kl_conn_ops ops = {
	.opened = on_opened,
	.frame_max = frame_max,
	.frame = on_frame,
	.closed = on_closed,
};

static struct kl_tls *context(struct kl_tls_spec spec)
{
	struct kl_tls *tls;
	struct klamm_error err;
	int rc = kl_tls_new(&spec, os, NULL, &tls, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return tls;
}

static void up(void)
{
	struct kl_sock *listener, *sock, *other;
	struct kl_addr addr;
	certs_up();
	os = kl_os_real();
	ck_assert_int_eq(kl_loop_new(os, NULL, &loop, NULL), 0);
	slabs = kl_slab_pool_new(1 << 20, 1 << 20, NULL, NULL);
	ours = context((struct kl_tls_spec){
		.trust = {.key = "ca", .file = certs_pem("ca", &certs_ca),
			  .type = KL_STORE_PEM}});
	theirs = context((struct kl_tls_spec){
		.is_server = true,
		.own = {.key = "own", .file = certs_both("own", &certs_broker, NULL),
			.type = KL_STORE_PEM}});
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	ck_assert_int_eq(os->sock_connect(os, &addr, NULL, &sock), 0);
	ck_assert_int_eq(kl_conn_start(&client, loop, &ops, slabs, sock, true, NULL), 0);
	kl_conn_secure(&client, ours, "127.0.0.1", NULL);
	int64_t deadline = kl_os_deadline_ms(os, 10000);
	while (os->sock_accept(listener, &other, NULL) != 0 && os->now(os) < deadline)
		kl_loop_step(loop, os->now(os) + KL_MS);
	os->sock_close(listener);
	ck_assert_int_eq(kl_conn_start(&server, loop, &ops, slabs, other, false, NULL), 0);
	kl_conn_secure(&server, theirs, NULL, NULL);
	while (!is_ready && os->now(os) < deadline)
		kl_loop_step(loop, deadline);
	ck_assert(is_ready);
}

static void down(void)
{
	kl_conn_close(&client, false);
	kl_conn_close(&server, false);
	kl_tls_free(ours);
	kl_tls_free(theirs);
	kl_slab_pool_free(slabs);
	klamm_loop_free(loop);
	certs_down();
}

static void say(bool is_secret)
{
	struct kl_buf head = {.is_secret = is_secret};
	struct kl_out out = {0};
	int before = frames;
	int64_t deadline = kl_os_deadline_ms(os, 10000);
	kl_buf_i32(&head, sizeof(TEXT) - 1);
	kl_buf_put(&head, TEXT, sizeof(TEXT) - 1);
	ck_assert(kl_out_set(&out, &head, NULL));
	kl_conn_send(&client, &out);
	while (frames == before && os->now(os) < deadline)
		kl_loop_step(loop, deadline);
	ck_assert_int_eq(frames, before + 1);
	kl_out_free(&out);
	kl_buf_free(&head);
}

static bool is_in_stage(void)
{
	return memmem(ours->stage, sizeof(ours->stage), TEXT, sizeof(TEXT) - 1) != NULL;
}

START_TEST(what_is_secret_does_not_stay)
{
	say(false);
	ck_assert(is_in_stage()); /* as it lies there until the next one comes */
	say(true);
	ck_assert(!is_in_stage());
	/* And OpenSSL wipes what it has decrypted of clients. */
	ck_assert(SSL_CTX_get_options(theirs->ctx) & SSL_OP_CLEANSE_PLAINTEXT);
}
END_TEST

UNIT_SUITE(stage)
{
	Suite *s = suite_create("stage");
	unit_add_fixture(s, what_is_secret_does_not_stay, up, down);
	return s;
}
