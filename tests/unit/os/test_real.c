/* SPDX-License-Identifier: BSD-2-Clause */
/* The real world's clock, threads, sockets and poller, over loopback. */
#include "core/os/os.h"

#include <stdlib.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static struct kl_os *os;

static void set_up(void)
{
	os = kl_os_real();
}

START_TEST(clocks)
{
	int64_t last = os->now(os);
	for (int i = 0; i < 1000; i++) {
		int64_t now = os->now(os);
		ck_assert_int_ge(now, last);
		last = now;
	}
	int64_t exact = os->wall_ms(os);
	ck_assert_int_gt(exact, INT64_C(1700000000000)); /* 2023 */
	ck_assert_int_le(llabs(os->wall_coarse_ms(os) - exact), 1000);
}
END_TEST

START_TEST(deadlines)
{
	int64_t now = os->now(os);
	int64_t soon = kl_os_deadline_ms(os, 5);
	ck_assert_int_ge(soon, now + 5 * KL_MS);
	ck_assert_int_le(soon, os->now(os) + 5 * KL_MS);
	ck_assert_int_eq(kl_os_deadline_ms(os, -1), KL_NEVER);
	ck_assert_int_eq(kl_os_deadline_ms(os, INT64_MAX), KL_NEVER);
	ck_assert_int_eq(kl_os_deadline_ms(os, INT64_MAX / KL_MS), KL_NEVER);
}
END_TEST

START_TEST(random_spreads)
{
	int counts[10] = {0};
	for (int i = 0; i < 10000; i++) {
		uint64_t v = kl_os_random_below(os, 10);
		ck_assert_uint_lt(v, 10);
		counts[v]++;
	}
	for (int i = 0; i < 10; i++) /* 1000 +- 30 is one sigma */
		ck_assert(counts[i] > 700 && counts[i] < 1300);
	uint8_t a[64] = {0}, b[64] = {0};
	os->random(os, a, sizeof(a));
	os->random(os, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
}
END_TEST

struct shared {
	struct kl_mutex mutex;
	struct kl_cond cond;
	int value;
};

static void set_to_one(void *arg)
{
	struct shared *shared = arg;
	kl_mutex_lock(&shared->mutex);
	shared->value = 1;
	os->cond_broadcast(os, &shared->cond);
	kl_mutex_unlock(&shared->mutex);
}

START_TEST(condition)
{
	struct shared shared = {.value = 0};
	kl_mutex_init(&shared.mutex);
	ck_assert_int_eq(os->cond_init(os, &shared.cond), 0);

	kl_mutex_lock(&shared.mutex);
	int64_t deadline = kl_os_deadline_ms(os, 20);
	while (os->cond_wait(os, &shared.cond, &shared.mutex, deadline))
		;
	ck_assert_int_ge(os->now(os), deadline);

	struct kl_thread *thread;
	ck_assert_int_eq(os->thread_start(os, "a name far too long", set_to_one, &shared,
					  &thread), 0);
	while (shared.value == 0)
		os->cond_wait(os, &shared.cond, &shared.mutex, KL_NEVER);
	kl_mutex_unlock(&shared.mutex);
	os->thread_join(os, thread);
	ck_assert_int_eq(shared.value, 1);
	os->cond_destroy(os, &shared.cond);
	kl_mutex_destroy(&shared.mutex);
}
END_TEST

static void wait_for_two(void *arg)
{
	struct shared *shared = arg;
	kl_mutex_lock(&shared->mutex);
	while (shared->value != 2)
		os->cond_wait(os, &shared->cond, &shared->mutex, KL_NEVER);
	shared->value = 3;
	os->cond_broadcast(os, &shared->cond);
	kl_mutex_unlock(&shared->mutex);
}

/* It ends after it was left, or (as far as the scheduler likes) before. */
START_TEST(left_threads_end_by_themselves)
{
	struct shared shared = {.value = _i == 0 ? 0 : 2};
	kl_mutex_init(&shared.mutex);
	ck_assert_int_eq(os->cond_init(os, &shared.cond), 0);
	struct kl_thread *thread;
	ck_assert_int_eq(os->thread_start(os, "left", wait_for_two, &shared, &thread), 0);
	kl_mutex_lock(&shared.mutex);
	while (_i == 1 && shared.value != 3)
		os->cond_wait(os, &shared.cond, &shared.mutex, KL_NEVER);
	kl_mutex_unlock(&shared.mutex);
	os->thread_leave(os, thread);
	kl_mutex_lock(&shared.mutex);
	if (shared.value == 0)
		shared.value = 2;
	os->cond_broadcast(os, &shared.cond);
	while (shared.value != 3)
		os->cond_wait(os, &shared.cond, &shared.mutex, KL_NEVER);
	kl_mutex_unlock(&shared.mutex);
	/* With the mutex free it touches nothing of this test's any more. */
	os->cond_destroy(os, &shared.cond);
	kl_mutex_destroy(&shared.mutex);
}
END_TEST

START_TEST(names)
{
	struct kl_addr addrs[4];
	const char *why;
	char text[KL_ADDR_TEXT];
	ck_assert_int_eq(os->resolve(os, "127.0.0.1", 9092, addrs, 4, &why), 1);
	os->addr_text(os, &addrs[0], text);
	ck_assert_str_eq(text, "127.0.0.1:9092");
	ck_assert_uint_eq(os->addr_port(os, &addrs[0]), 9092);
	ck_assert_int_eq(os->resolve(os, "::1", 65535, addrs, 4, &why), 1);
	os->addr_text(os, &addrs[0], text);
	ck_assert_str_eq(text, "[::1]:65535");
	ck_assert_uint_eq(os->addr_port(os, &addrs[0]), 65535);
	/* A label over 63 bytes never reaches a name server. */
	char label[80];
	memset(label, 'x', 70);
	memcpy(label + 70, ".test", 6);
	ck_assert_int_lt(os->resolve(os, label, 1, addrs, 4, &why), 0);
	ck_assert_str_ne(why, "");
}
END_TEST

/* A poller, and two ends of a loopback connection, both watched for input. */
struct pair {
	struct kl_poller *poller;
	struct kl_sock *client, *server;
};

static struct kl_event wait_one(struct kl_poller *poller)
{
	struct kl_event event = {0};
	int n = os->poller_wait(poller, &event, 1, kl_os_deadline_ms(os, 10000));
	ck_assert_int_eq(n, 1);
	return event;
}

static struct pair connect_pair(void)
{
	struct pair pair;
	struct kl_sock *listener;
	struct kl_addr addr, peer;
	ck_assert_int_eq(os->poller_new(os, &pair.poller), 0);
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	ck_assert_uint_ne(os->addr_port(os, &addr), 0);
	ck_assert_int_eq(os->sock_accept(listener, &pair.server, &peer), -EAGAIN);
	ck_assert_int_eq(os->poller_watch(pair.poller, listener, KL_IN, listener), 0);
	struct kl_sock_opts opts = {.send_buffer = -1, .recv_buffer = 65536};
	ck_assert_int_eq(os->sock_connect(os, &addr, &opts, &pair.client), 0);
	struct kl_event event = wait_one(pair.poller);
	ck_assert_ptr_eq(event.tag, listener);
	ck_assert_uint_eq(event.events, KL_IN);
	ck_assert_int_eq(os->sock_accept(listener, &pair.server, &peer), 0);
	ck_assert_uint_ne(os->addr_port(os, &peer), 0);
	os->sock_close(listener);

	ck_assert_int_eq(os->poller_watch(pair.poller, pair.client, KL_OUT, pair.client), 0);
	event = wait_one(pair.poller);
	ck_assert_ptr_eq(event.tag, pair.client);
	ck_assert_uint_eq(event.events, KL_OUT);
	ck_assert_int_eq(os->sock_connect_result(pair.client), 0);
	ck_assert_int_eq(os->poller_watch(pair.poller, pair.client, KL_IN, pair.client), 0);
	ck_assert_int_eq(os->poller_watch(pair.poller, pair.server, KL_IN, pair.server), 0);
	return pair;
}

static void close_pair(struct pair *pair)
{
	if (pair->client != NULL)
		os->sock_close(pair->client);
	if (pair->server != NULL)
		os->sock_close(pair->server);
	os->poller_free(pair->poller);
}

START_TEST(bytes_over_loopback)
{
	struct pair pair = connect_pair();
	char got[16];
	ck_assert_int_eq(os->sock_recv(pair.server, got, sizeof(got)), -EAGAIN);
	struct iovec iov[2] = {{(void *)"hello ", 6}, {(void *)"kafka", 5}};
	ck_assert_int_eq(os->sock_sendv(pair.client, iov, 2), 11);
	struct kl_event event = wait_one(pair.poller);
	ck_assert_ptr_eq(event.tag, pair.server);
	ck_assert_int_eq(os->sock_recv(pair.server, got, sizeof(got)), 11);
	ck_assert_mem_eq(got, "hello kafka", 11);
	ck_assert_int_ge(os->sock_fd(pair.client), 0);

	os->sock_close(pair.client); /* the peer sees an orderly end */
	pair.client = NULL;
	event = wait_one(pair.poller);
	ck_assert(event.events & KL_IN);
	ck_assert_int_eq(os->sock_recv(pair.server, got, sizeof(got)), 0);
	close_pair(&pair);
}
END_TEST

START_TEST(send_stops_when_full)
{
	struct pair pair = connect_pair();
	static char block[65536];
	struct iovec iov = {block, sizeof(block)};
	size_t sent = 0;
	ssize_t n;
	while ((n = os->sock_sendv(pair.client, &iov, 1)) > 0)
		sent += (size_t)n;
	ck_assert_int_eq(n, -EAGAIN);
	size_t got = 0;
	while (got < sent) {
		wait_one(pair.poller);
		n = os->sock_recv(pair.server, block, sizeof(block));
		ck_assert_int_gt(n, 0);
		got += (size_t)n;
	}
	ck_assert_uint_eq(got, sent);
	close_pair(&pair);
}
END_TEST

START_TEST(reset_reaches_the_peer)
{
	struct pair pair = connect_pair();
	os->sock_reset(pair.client);
	pair.client = NULL;
	struct kl_event event = wait_one(pair.poller);
	ck_assert(event.events & KL_HUP);
	char byte;
	ck_assert_int_eq(os->sock_recv(pair.server, &byte, 1), -ECONNRESET);
	/* Writing to it is an error and no signal. */
	struct iovec iov = {&byte, 1};
	ck_assert_int_eq(os->sock_sendv(pair.server, &iov, 1), -EPIPE);
	close_pair(&pair);
}
END_TEST

START_TEST(refused)
{
	struct kl_sock *listener, *sock;
	struct kl_addr addr;
	ck_assert_int_eq(os->sock_listen(os, "127.0.0.1", 0, &listener, &addr), 0);
	os->sock_close(listener);
	int rc = os->sock_connect(os, &addr, NULL, &sock);
	if (rc == 0) {
		struct kl_poller *poller;
		ck_assert_int_eq(os->poller_new(os, &poller), 0);
		ck_assert_int_eq(os->poller_watch(poller, sock, KL_OUT, sock), 0);
		ck_assert(wait_one(poller).events & KL_HUP);
		rc = os->sock_connect_result(sock);
		os->sock_close(sock);
		os->poller_free(poller);
	}
	ck_assert_int_eq(rc, -ECONNREFUSED);
}
END_TEST

static void wake_later(void *arg)
{
	usleep(20000);
	os->poller_wake(arg);
}

START_TEST(poller_wakes)
{
	struct kl_poller *poller;
	struct kl_event event;
	ck_assert_int_eq(os->poller_new(os, &poller), 0);
	ck_assert_int_ge(os->poller_fd(poller), 0);
	int64_t deadline = kl_os_deadline_ms(os, 10);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, deadline), 0);
	ck_assert_int_ge(os->now(os), deadline);

	os->poller_wake(poller); /* before the wait counts, twice is once */
	os->poller_wake(poller);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, KL_NEVER), 0);
	deadline = kl_os_deadline_ms(os, 10);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, deadline), 0);
	ck_assert_int_ge(os->now(os), deadline);

	struct kl_thread *thread;
	ck_assert_int_eq(os->thread_start(os, "waker", wake_later, poller, &thread), 0);
	ck_assert_int_eq(os->poller_wait(poller, &event, 1, KL_NEVER), 0);
	os->thread_join(os, thread);
	os->poller_free(poller);
}
END_TEST

START_TEST(poller_forgets)
{
	struct pair pair = connect_pair();
	struct kl_event event;
	struct iovec iov = {(void *)"x", 1};
	ck_assert_int_eq(os->sock_sendv(pair.client, &iov, 1), 1);
	wait_one(pair.poller); /* level-triggered: told again until it is read */
	wait_one(pair.poller);
	ck_assert_int_eq(os->poller_watch(pair.poller, pair.server, 0, NULL), 0);
	ck_assert_int_eq(os->poller_wait(pair.poller, &event, 1, os->now(os)), 0);
	ck_assert_int_eq(os->poller_watch(pair.poller, pair.server, KL_IN, &pair), 0);
	ck_assert_ptr_eq(wait_one(pair.poller).tag, &pair);
	close_pair(&pair);
}
END_TEST

UNIT_SUITE(real)
{
	Suite *s = suite_create("real");
	unit_add_fixture(s, clocks, set_up, NULL);
	unit_add_fixture(s, deadlines, set_up, NULL);
	unit_add_fixture(s, random_spreads, set_up, NULL);
	unit_add_fixture(s, condition, set_up, NULL);
	unit_add_case(s, "left_threads_end_by_themselves", left_threads_end_by_themselves,
		      set_up, NULL, 2);
	unit_add_fixture(s, names, set_up, NULL);
	unit_add_fixture(s, bytes_over_loopback, set_up, NULL);
	unit_add_fixture(s, send_stops_when_full, set_up, NULL);
	unit_add_fixture(s, reset_reaches_the_peer, set_up, NULL);
	unit_add_fixture(s, refused, set_up, NULL);
	unit_add_fixture(s, poller_wakes, set_up, NULL);
	unit_add_fixture(s, poller_forgets, set_up, NULL);
	return s;
}
