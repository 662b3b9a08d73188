/* SPDX-License-Identifier: BSD-2-Clause */
/* Clients that take their time, and clients that are too many: what each may hold, and for how
 * long, while others are served. */
#include <stdlib.h>
#include <unistd.h>

#include "broker/broker.h"
#include "core/net/loop.h"
#include "tests/broker/peer.h"

static void is_served(struct peer *peer)
{
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	ck_assert_int_eq(PEER_CALL(peer, api_versions, 0, &request)->error_code, 0);
}

static void start_with(const char *const *config)
{
	peer_start_with((struct klamm_broker_options){.config = config});
}

/* --- time: the broker's clock goes ahead when the test says so --- */

static struct kl_os shifted;
static _Atomic int64_t ahead;
static struct klamm_loop *loop;
static struct peer *other;

static int64_t shifted_now(struct kl_os *os)
{
	return kl_os_real()->now(kl_os_real()) + ahead;
}

static void start_shifted(const char *const *config)
{
	struct klamm_error err;
	shifted = *kl_os_real();
	shifted.now = shifted.now_coarse = shifted_now;
	ck_assert_int_eq(kl_loop_new(&shifted, NULL, &loop, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	peer_start_with((struct klamm_broker_options){.loop = loop, .config = config});
	other = peer_open();
	is_served(other);
}

static void shifted_up(void)
{
	start_shifted(NULL);
}

static void shifted_down(void)
{
	peer_close(other);
	peer_stop();
	klamm_loop_free(loop);
}

/* The broker has looked at its connections by then, and has read what was sent before: each
 * answer is of another look, and what one of them takes of a connection is bounded. */
static void go_to(int seconds)
{
	for (int i = 0; i < 50; i++)
		is_served(other);
	ahead = seconds * KL_SECOND;
	klamm_loop_wake(loop);
	is_served(other);
}

/* The head of a request of 1 MiB, and so many bytes of it. */
static struct peer *begin(size_t n)
{
	struct peer *peer = peer_open();
	uint8_t *bytes = calloc(1, n);
	peer_send(peer, "\0\x10\0\0", 4);
	peer_send(peer, bytes, n);
	free(bytes);
	return peer;
}

START_TEST(a_request_has_a_minute)
{
	struct peer *drips = begin(10), *stalls = begin(500000), *rests = peer_open();
	is_served(rests);
	for (int seconds = 10; seconds <= 50; seconds += 10) {
		go_to(seconds);
		peer_send(drips, "x", 1); /* and never so slow as to be idle */
	}
	ck_assert(peer_is_silent(drips, 20) && peer_is_silent(stalls, 20));
	go_to(75);
	ck_assert(peer_is_closed(drips));
	ck_assert(peer_is_closed(stalls));
	is_served(rests);
	is_served(other);
	peer_close(drips);
	peer_close(stalls);
	peer_close(rests);
}
END_TEST

/* One of which much has come, and more comes, has more. */
START_TEST(a_large_request_may_take_longer)
{
	struct peer *large = begin(960 * 1024); /* 15 times 64 KiB: 75 s */
	for (int seconds = 20; seconds <= 70; seconds += 10) {
		go_to(seconds);
		peer_send(large, "x", 1);
	}
	ck_assert(peer_is_silent(large, 20));
	go_to(90);
	ck_assert(peer_is_closed(large));
	peer_close(large);
}
END_TEST

/* What they have sent is held for so long, and no longer. */
START_TEST(memory_comes_back)
{
	enum { COUNT = 40, SIZE = 1000000 };
	struct peer *holders[COUNT];
	for (int i = 0; i < COUNT; i++)
		holders[i] = begin(SIZE);
	for (int i = 0; i < 2000 && kl_slab_pool_used(peer_broker->frames) < COUNT * SIZE; i++)
		usleep(10000);
	ck_assert_uint_ge(kl_slab_pool_used(peer_broker->frames), COUNT * SIZE);
	go_to(50);
	ck_assert_uint_ge(kl_slab_pool_used(peer_broker->frames), COUNT * SIZE);
	go_to(80);
	for (int i = 0; i < COUNT; i++) {
		ck_assert(peer_is_closed(holders[i]));
		peer_close(holders[i]);
	}
	ck_assert_uint_lt(kl_slab_pool_used(peer_broker->frames), SIZE);
	is_served(other);
}
END_TEST

START_TEST(who_rests_is_closed)
{
	static const char *const config[] = {"connections.max.idle.ms=30000", NULL};
	start_shifted(config);
	struct peer *rests = peer_open();
	is_served(rests);
	go_to(20);
	ck_assert(peer_is_silent(rests, 20));
	go_to(45);
	ck_assert(peer_is_closed(rests));
	peer_close(rests);
	shifted_down();
}
END_TEST

/* --- number --- */

/* Those above the limit wait in the listener's queue, as Kafka lets them. */
START_TEST(connections_have_a_limit)
{
	static const char *const config[] = {"max.connections=2", NULL};
	start_with(config);
	struct peer *a = peer_open(), *b = peer_open();
	is_served(a);
	is_served(b);
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	struct peer *c = peer_open(), *d = peer_open();
	peer_ask(c, &kl_msg_api_versions_request, 0, &request);
	peer_ask(d, &kl_msg_api_versions_request, 0, &request);
	ck_assert(peer_is_silent(c, 100) && peer_is_silent(d, 20));
	is_served(a);
	peer_close(a);
	peer_read(c, &kl_msg_api_versions_response, 0);
	ck_assert(peer_is_silent(d, 100));
	is_served(b);
	peer_close(c);
	peer_read(d, &kl_msg_api_versions_response, 0);
	peer_close(b);
	peer_close(d);
	peer_check_alive();
	peer_stop();
}
END_TEST

START_TEST(an_address_has_a_limit)
{
	static const char *const config[] = {"max.connections.per.ip=2", NULL};
	start_with(config);
	struct peer *a = peer_open(), *b = peer_open();
	is_served(a);
	is_served(b);
	for (int i = 0; i < 20; i++) {
		struct peer *c = peer_open();
		ck_assert(peer_is_closed(c));
		peer_close(c);
	}
	is_served(a);
	peer_close(a);
	is_served(b);
	usleep(50000); /* until it has seen the end */
	peer_check_alive();
	peer_close(b);
	peer_stop();
}
END_TEST

/* A node that was full and stopped begins with room. */
START_TEST(a_full_node_starts_again)
{
	static const char *const config[] = {"max.connections=1", NULL};
	struct klamm_error err;
	start_with(config);
	struct peer *a = peer_open(), *b = peer_open();
	is_served(a);
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 1, false, &err), 0);
	ck_assert(peer_is_closed(a));
	peer_close(a);
	peer_close(b);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, 1, &err), 0);
	peer_check_alive();
	peer_stop();
}
END_TEST

UNIT_SUITE(limits)
{
	Suite *s = suite_create("limits");
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, a_request_has_a_minute, shifted_up, shifted_down);
	unit_add_fixture(s, a_large_request_may_take_longer, shifted_up, shifted_down);
	unit_add_fixture(s, memory_comes_back, shifted_up, shifted_down);
	unit_add(s, who_rests_is_closed);
	unit_add(s, connections_have_a_limit);
	unit_add(s, an_address_has_a_limit);
	unit_add(s, a_full_node_starts_again);
	return s;
}
