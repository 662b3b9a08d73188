/* SPDX-License-Identifier: BSD-2-Clause */
/* Frames over loopback, and peers that are no Kafka. */
#include "core/net/conn.h"

#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/error.h"
#include "tests/unit/unit.h"

#define FRAME_MAX 100000

static struct klamm_loop *loop;
static struct kl_os *os;
static struct kl_slab_pool *slabs;

/* A connection that remembers what came. */
struct end {
	struct kl_conn conn;
	struct kl_buf got;
	int32_t frames, opened, closed, sent;
	struct klamm_error err;
	bool close_in_frame;
};

static struct end *end_of(struct kl_conn *conn)
{
	return kl_container(conn, struct end, conn);
}

static void on_opened(struct kl_conn *conn)
{
	end_of(conn)->opened++;
}

static size_t frame_max(struct kl_conn *conn)
{
	return FRAME_MAX;
}

static void on_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n)
{
	struct end *end = end_of(conn);
	end->frames++;
	kl_buf_put(&end->got, p, n);
	if (end->close_in_frame)
		kl_conn_close(conn, false);
}

static void on_closed(struct kl_conn *conn, const struct klamm_error *err)
{
	struct end *end = end_of(conn);
	end->closed++;
	end->err = *err;
}

static const struct kl_conn_ops ops = {
	.opened = on_opened,
	.frame_max = frame_max,
	.frame = on_frame,
	.closed = on_closed,
};

static struct end client, server;
static struct kl_sock *raw; /* the peer of client, when a test speaks for itself */

static void step_until(bool (*ready)(void))
{
	int64_t deadline = kl_os_deadline_ms(os, 10000);
	while (!ready()) {
		ck_assert_int_lt(os->now(os), deadline);
		kl_loop_step(loop, deadline);
	}
}

static bool is_open(void)
{
	return client.opened > 0;
}

/* client is a connection; the other end stays a bare socket. */
static void set_up(void)
{
	os = kl_os_real();
	ck_assert_int_eq(kl_loop_new(os, NULL, &loop, NULL), 0);
	slabs = kl_slab_pool_new(1 << 20, 1 << 20, NULL, NULL);
	struct kl_sock *listener, *sock;
	struct kl_addr addr;
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	ck_assert_int_eq(os->sock_connect(os, &addr, NULL, &sock), 0);
	ck_assert_int_eq(kl_conn_start(&client.conn, loop, &ops, slabs, sock, true, NULL), 0);
	step_until(is_open);
	ck_assert_int_eq(os->sock_accept(listener, &raw, NULL), 0);
	os->sock_close(listener);
}

/* The other end is a connection too. */
static void set_up_pair(void)
{
	set_up();
	ck_assert_int_eq(kl_conn_start(&server.conn, loop, &ops, slabs, raw, false, NULL), 0);
	raw = NULL;
}

static void tear_down(void)
{
	kl_conn_close(&client.conn, false);
	if (server.conn.loop != NULL)
		kl_conn_close(&server.conn, true);
	if (raw != NULL)
		os->sock_close(raw);
	kl_buf_free(&client.got);
	kl_buf_free(&server.got);
	ck_assert_uint_eq(kl_slab_pool_used(slabs), 0);
	kl_slab_pool_free(slabs);
	klamm_loop_free(loop);
}

static void raw_send(const void *p, size_t n)
{
	struct iovec iov = {(void *)p, n};
	ck_assert_int_eq(os->sock_sendv(raw, &iov, 1), (ssize_t)n);
}

static bool client_closed(void)
{
	return client.closed > 0;
}

/* --- frames --- */

static void on_sent(struct kl_out *out, struct kl_conn *conn)
{
	end_of(conn)->sent++;
}

static int32_t frames_wanted;

static bool server_has_frames(void)
{
	return server.frames >= frames_wanted;
}

START_TEST(frames_arrive_whole_and_in_order)
{
	static const size_t sizes[] = {0, 1, 3, 100, 4096, 65532, 65536, FRAME_MAX, 7};
	struct kl_out outs[kl_countof(sizes)] = {0};
	struct kl_buf heads[kl_countof(sizes)] = {0};
	struct kl_buf all = {0};
	for (size_t i = 0; i < kl_countof(sizes); i++) {
		kl_buf_i32(&heads[i], (int32_t)sizes[i]);
		uint8_t *p = kl_buf_extend(&heads[i], sizes[i]);
		memset(p, (int)('a' + i), sizes[i]);
		kl_buf_put(&all, p, sizes[i]);
		ck_assert(kl_out_set(&outs[i], &heads[i], NULL));
		outs[i].sent = on_sent;
		kl_conn_send(&client.conn, &outs[i]);
	}
	frames_wanted = kl_countof(sizes);
	step_until(server_has_frames);
	ck_assert_int_eq(server.frames, frames_wanted);
	ck_assert_int_eq(client.sent, frames_wanted);
	ck_assert_uint_eq(server.got.len, all.len);
	ck_assert_mem_eq(server.got.data, all.data, all.len);
	ck_assert_uint_eq(client.conn.out_bytes, 0);
	for (size_t i = 0; i < kl_countof(sizes); i++) {
		kl_out_free(&outs[i]);
		kl_buf_free(&heads[i]);
	}
	kl_buf_free(&all);
}
END_TEST

START_TEST(borrowed_pieces_go_between_own_bytes)
{
	struct kl_buf head = {0};
	struct kl_refs refs = {0};
	struct kl_out out = {0};
	kl_buf_i32(&head, 12);
	kl_buf_put(&head, "ab", 2);
	ck_assert(kl_refs_add(&refs, head.len, "RECORDS", 7));
	kl_buf_put(&head, "cde", 3);
	ck_assert(kl_out_set(&out, &head, &refs));
	kl_conn_send(&client.conn, &out);
	frames_wanted = 1;
	step_until(server_has_frames);
	ck_assert_str_eq(kl_buf_text(&server.got), "abRECORDScde");
	kl_out_free(&out);
	kl_refs_free(&refs);
	kl_buf_free(&head);
}
END_TEST

static bool client_has_two(void)
{
	return client.frames >= 2;
}

START_TEST(bytes_dribble)
{
	static const char stream[] = "\0\0\0\3one\0\0\0\3two";
	for (size_t i = 0; i < sizeof(stream) - 1; i++) {
		raw_send(stream + i, 1);
		kl_loop_step(loop, kl_os_deadline_ms(os, 50));
		ck_assert_int_eq(client.frames, i < 6 ? 0 : i < 13 ? 1 : 2);
	}
	ck_assert_str_eq(kl_buf_text(&client.got), "onetwo");
}
END_TEST

START_TEST(mute_holds_frames_back)
{
	kl_conn_mute(&client.conn, true);
	raw_send("\0\0\0\1a\0\0\0\1b", 10);
	kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert_int_eq(client.frames, 0);
	kl_conn_mute(&client.conn, false);
	step_until(client_has_two);
	ck_assert_str_eq(kl_buf_text(&client.got), "ab");
}
END_TEST

static bool client_has_one(void)
{
	return client.frames >= 1;
}

START_TEST(closing_inside_a_frame_is_fine)
{
	client.close_in_frame = true;
	raw_send("\0\0\0\1a\0\0\0\1b", 10);
	step_until(client_has_one);
	ck_assert(!kl_conn_is_open(&client.conn));
	kl_loop_step(loop, kl_os_deadline_ms(os, 10));
	ck_assert_int_eq(client.frames, 1);
	ck_assert_int_eq(client.closed, 0); /* it was ours */
}
END_TEST

/* --- peers that are no Kafka, or none any more --- */

static const struct {
	const char *bytes;
	size_t n;
	bool finish;
	int code;
	const char *says;
} strange[] = {
	{"HTTP/1.1 400 Bad Request\r\n\r\n", 28, false, KLAMM_ERR_PROTOCOL, "HTTP"},
	{"\x15\x03\x01\x00\x02\x02\x46", 7, false, KLAMM_ERR_TLS, "wants TLS"},
	{"\x16\x03\x01\x02\x00\x01", 6, false, KLAMM_ERR_TLS, "speaks TLS"},
	{"\xff\xff\xff\xfe", 4, false, KLAMM_ERR_PROTOCOL, "negative size -2"},
	{"\x7f\xff\xff\xff", 4, false, KLAMM_ERR_FRAME_TOO_LARGE, "2147483647"},
	{"\x00\x01\x86\xa1", 4, false, KLAMM_ERR_FRAME_TOO_LARGE, "100001"},
	{"", 0, true, KLAMM_ERR_DISCONNECTED, "closed the connection"},
	{"\0\0\0\x0aGET /", 9, true, KLAMM_ERR_DISCONNECTED, "middle of an answer"},
	{"\0\0", 2, true, KLAMM_ERR_DISCONNECTED, "middle of an answer"},
};

START_TEST(strange_peers)
{
	raw_send(strange[_i].bytes, strange[_i].n);
	if (strange[_i].finish) {
		os->sock_close(raw);
		raw = NULL;
	}
	step_until(client_closed);
	ck_assert_int_eq(client.err.code, strange[_i].code);
	ck_assert_msg(strstr(client.err.text, strange[_i].says) != NULL, "\"%s\" lacks \"%s\"",
		      client.err.text, strange[_i].says);
	ck_assert_int_eq(client.closed, 1);
	ck_assert_int_eq(client.frames, 0);
	ck_assert(!kl_conn_is_open(&client.conn));
}
END_TEST

START_TEST(reset_ends_it_once)
{
	struct kl_buf head = {0};
	struct kl_out out = {.sent = on_sent};
	kl_buf_i32(&head, 0);
	ck_assert(kl_out_set(&out, &head, NULL));
	os->sock_reset(raw);
	raw = NULL;
	kl_conn_send(&client.conn, &out);
	step_until(client_closed);
	ck_assert_int_eq(client.err.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(client.closed, 1);
	kl_buf_free(&head);
}
END_TEST

START_TEST(refused_says_so)
{
	struct kl_sock *listener, *sock;
	struct kl_addr addr;
	struct end late = {0};
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	os->sock_close(listener);
	ck_assert_int_eq(os->sock_connect(os, &addr, NULL, &sock), 0);
	ck_assert_int_eq(kl_conn_start(&late.conn, loop, &ops, slabs, sock, true, NULL), 0);
	while (late.closed == 0)
		kl_loop_step(loop, kl_os_deadline_ms(os, 20));
	ck_assert_int_eq(late.opened, 0);
	ck_assert_int_eq(late.err.code, KLAMM_ERR_CONNECT);
	ck_assert_ptr_nonnull(strstr(late.err.text, "refused"));
}
END_TEST

/* Who stood still, or steps late, finds the answer in the socket: it is not missing. */
struct patience {
	struct kl_timer timer;
	int32_t frames; /* seen when it ran out */
};

static void on_impatient(struct kl_timer *timer)
{
	kl_container(timer, struct patience, timer)->frames = client.frames;
}

/* As many frames as the socket takes, up to 100; how many are whole. */
static int32_t fill_socket(void)
{
	static uint8_t frame[10004] = {0, 0, 10000 >> 8, 10000 & 255};
	struct iovec iov = {frame, sizeof(frame)};
	int32_t n = 0;
	while (n < 100 && os->sock_sendv(raw, &iov, 1) == (ssize_t)sizeof(frame))
		n++;
	return n;
}

START_TEST(frames_that_wait_come_before_late_timers)
{
	struct patience patience = {.frames = -1};
	ck_assert_int_eq(kl_timer_init(loop, &patience.timer, on_impatient, NULL), 0);
	kl_timer_set(loop, &patience.timer, os->now(os) + 1);
	int32_t sent = fill_socket();
	struct pollfd fd = {.fd = klamm_loop_fd(loop), .events = POLLIN};
	ck_assert_int_eq(poll(&fd, 1, 10000), 1);
	usleep(150000);
	kl_loop_step(loop, 0);
	ck_assert_int_ge(sent, 1);
	ck_assert_int_eq(patience.frames, sent);
	kl_timer_drop(loop, &patience.timer);
}
END_TEST

/* A sleep that ends by a signal, as that of a process that was stopped and goes on. */
static int sleep_through(struct kl_poller *poller, struct kl_event *events, int max,
			 int64_t deadline)
{
	if (deadline == 0)
		return kl_os_real()->poller_wait(poller, events, max, deadline);
	usleep(200000);
	return 0;
}

START_TEST(frames_that_wait_come_before_late_timers_of_who_slept)
{
	struct patience patience = {.frames = -1};
	static struct kl_os sleepy;
	ck_assert_int_eq(kl_timer_init(loop, &patience.timer, on_impatient, NULL), 0);
	raw_send("\0\0\0\1a", 5);
	sleepy = *os;
	sleepy.poller_wait = sleep_through;
	loop->os = &sleepy;
	kl_timer_set(loop, &patience.timer, os->now(os) + 20 * KL_MS);
	kl_loop_step(loop, KL_NEVER);
	loop->os = os;
	ck_assert_int_eq(patience.frames, 1);
	kl_timer_drop(loop, &patience.timer);
}
END_TEST

/* The poller has no memory for a socket when it is to be looked at again. */
static struct kl_os poor;

static int watch_nothing(struct kl_poller *poller, struct kl_sock *sock, uint32_t events,
			 void *tag)
{
	return events != 0 ? -ENOMEM : kl_os_real()->poller_watch(poller, sock, events, tag);
}

START_TEST(one_that_cannot_be_watched_ends)
{
	kl_conn_mute(&client.conn, true);
	poor = *os;
	poor.poller_watch = watch_nothing;
	loop->os = &poor;
	kl_conn_mute(&client.conn, false);
	ck_assert_int_eq(client.closed, 0); /* not from inside of a call */
	loop->os = os;
	step_until(client_closed);
	ck_assert_int_eq(client.err.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_ptr_nonnull(strstr(client.err.text, "cannot watch"));
}
END_TEST

START_TEST(no_memory_closes)
{
	/* Someone else holds the whole budget. */
	struct kl_slab *all = kl_slab_get(slabs, 1 << 20);
	ck_assert_ptr_nonnull(all);
	raw_send("\0\0\0\1a", 5);
	step_until(client_closed);
	ck_assert_int_eq(client.err.code, KLAMM_ERR_NO_MEMORY);
	kl_slab_unref(all);
}
END_TEST

UNIT_SUITE(conn)
{
	Suite *s = suite_create("conn");
	unit_add_fixture(s, frames_arrive_whole_and_in_order, set_up_pair, tear_down);
	unit_add_fixture(s, borrowed_pieces_go_between_own_bytes, set_up_pair, tear_down);
	unit_add_fixture(s, bytes_dribble, set_up, tear_down);
	unit_add_fixture(s, mute_holds_frames_back, set_up, tear_down);
	unit_add_fixture(s, closing_inside_a_frame_is_fine, set_up, tear_down);
	unit_add_case(s, "strange_peers", strange_peers, set_up, tear_down,
		      (int)kl_countof(strange));
	unit_add_fixture(s, reset_ends_it_once, set_up, tear_down);
	unit_add_fixture(s, refused_says_so, set_up, tear_down);
	unit_add_fixture(s, frames_that_wait_come_before_late_timers, set_up, tear_down);
	unit_add_fixture(s, frames_that_wait_come_before_late_timers_of_who_slept, set_up,
			 tear_down);
	unit_add_fixture(s, one_that_cannot_be_watched_ends, set_up, tear_down);
	unit_add_fixture(s, no_memory_closes, set_up, tear_down);
	return s;
}
