/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated network: an echo server and clients that hold every byte to its place, in
 * good and in bad weather. */
#include <stdlib.h>

#include "core/os/sim.h"
#include "tests/unit/unit.h"

#define PORT 9092
#define CONNS_MAX 64
#define BYTES 20000
#define CLIENTS 4

static struct kl_sim *sim;
static struct kl_sim_node *client_node, *server_node;
static struct kl_os *c_os, *s_os;

static void begin(uint64_t seed)
{
	sim = kl_sim_new(seed, NULL);
	client_node = kl_sim_node(sim, "client");
	server_node = kl_sim_node(sim, "server");
	c_os = kl_sim_os(client_node);
	s_os = kl_sim_os(server_node);
}

static void set_up(void)
{
	begin(11);
}

static void tear_down(void)
{
	kl_sim_free(sim);
}

static void run(int64_t limit_us)
{
	enum kl_sim_end end = kl_sim_run(sim, limit_us);
	if (end == KL_SIM_DONE)
		return;
	struct kl_buf text = {0};
	kl_sim_describe(sim, &text);
	ck_abort_msg("end %d: %s", end, kl_buf_text(&text));
}

/* --- the server --- */

struct echo {
	struct kl_sock *sock; /* NULL = free */
	uint8_t bytes[4096];
	size_t from, to;
};

struct server {
	struct kl_poller *poller;
	struct kl_sock *listener;
	struct echo echoes[CONNS_MAX];
	bool stop;
	int accepted;
};

static struct server server;

static void echo_end(struct echo *e)
{
	s_os->sock_close(e->sock);
	*e = (struct echo){0};
}

static void echo_some(struct echo *e)
{
	ssize_t n;
	if (e->to < sizeof(e->bytes)) {
		n = s_os->sock_recv(e->sock, e->bytes + e->to, sizeof(e->bytes) - e->to);
		if (n == 0 || (n < 0 && n != -EAGAIN)) {
			echo_end(e);
			return;
		}
		e->to += n > 0 ? (size_t)n : 0;
	}
	struct iovec iov[2] = {{e->bytes + e->from, (e->to - e->from) / 2}};
	iov[1].iov_base = (uint8_t *)iov[0].iov_base + iov[0].iov_len;
	iov[1].iov_len = e->to - e->from - iov[0].iov_len;
	n = s_os->sock_sendv(e->sock, iov, 2);
	if (n < 0 && n != -EAGAIN) {
		echo_end(e);
		return;
	}
	e->from += n > 0 ? (size_t)n : 0;
	if (e->from == e->to)
		e->from = e->to = 0;
	uint32_t events = e->to < sizeof(e->bytes) ? KL_IN : 0;
	if (e->from < e->to)
		events |= KL_OUT;
	s_os->poller_watch(server.poller, e->sock, events, e);
}

static void server_accept(void)
{
	struct kl_sock *sock;
	while (s_os->sock_accept(server.listener, &sock, NULL) == 0) {
		struct echo *e = server.echoes;
		while (e < server.echoes + CONNS_MAX && e->sock != NULL)
			e++;
		if (e == server.echoes + CONNS_MAX) {
			s_os->sock_reset(sock);
			continue;
		}
		*e = (struct echo){.sock = sock};
		server.accepted++;
		ck_assert_int_eq(s_os->poller_watch(server.poller, sock, KL_IN, e), 0);
	}
}

static void serve(void *arg)
{
	ck_assert_int_eq(s_os->poller_new(s_os, &server.poller), 0);
	ck_assert_int_eq(s_os->sock_listen(s_os, NULL, PORT, &server.listener, NULL), 0);
	s_os->poller_watch(server.poller, server.listener, KL_IN, &server);
	while (!server.stop) {
		struct kl_event events[8];
		int n = s_os->poller_wait(server.poller, events, 8, KL_NEVER);
		for (int i = 0; i < n; i++) {
			struct echo *e = events[i].tag;
			if (events[i].tag == &server)
				server_accept();
			else if (e->sock != NULL)
				echo_some(e);
		}
	}
	for (struct echo *e = server.echoes; e < server.echoes + CONNS_MAX; e++)
		if (e->sock != NULL)
			echo_end(e);
	s_os->sock_close(server.listener);
	s_os->poller_free(server.poller);
}

/* --- a client --- */

struct client {
	int id;
	size_t bytes; /* wanted back */
	size_t sent, got;
	int error; /* that ended the connection */
	int attempts;
	bool trusting; /* wrong bytes are counted, not refused */
	size_t wrong;
	struct kl_poller *poller;
	struct kl_sock *sock;
};

static uint8_t byte_at(const struct client *c, size_t i)
{
	return (uint8_t)(i * 31 + i / 251 + (size_t)c->id);
}

static ssize_t client_send(struct client *c)
{
	uint8_t bytes[3000];
	size_t n = kl_min(c->bytes - c->sent, sizeof(bytes));
	if (n == 0)
		return 0;
	for (size_t i = 0; i < n; i++)
		bytes[i] = byte_at(c, c->sent + i);
	struct iovec iov = {bytes, n};
	ssize_t sent = c_os->sock_sendv(c->sock, &iov, 1);
	if (sent > 0)
		c->sent += (size_t)sent;
	return sent;
}

static ssize_t client_recv(struct client *c)
{
	uint8_t bytes[3000];
	ssize_t n = c_os->sock_recv(c->sock, bytes, sizeof(bytes));
	for (ssize_t i = 0; i < n; i++) {
		if (bytes[i] == byte_at(c, c->got + (size_t)i))
			continue;
		ck_assert_msg(c->trusting, "client %d: byte %zu is wrong", c->id,
			      c->got + (size_t)i);
		c->wrong++;
	}
	if (n > 0)
		c->got += (size_t)n;
	return n == 0 ? -EPIPE : n;
}

/* One connection, until all is back, an error, or the deadline. */
static int client_try(struct client *c, const struct kl_addr *addr, int64_t deadline)
{
	c->sent = c->got = 0;
	c->attempts++;
	int rc = c_os->sock_connect(c_os, addr, NULL, &c->sock);
	ck_assert_int_eq(rc, 0);
	c_os->poller_watch(c->poller, c->sock, KL_OUT, c);
	bool connected = false;
	while (rc == 0 && c->got < c->bytes) {
		struct kl_event event;
		int n = c_os->poller_wait(c->poller, &event, 1, deadline);
		if (n == 0 && c_os->now(c_os) >= deadline)
			rc = -ETIMEDOUT;
		if (n == 0)
			continue;
		if (!connected) {
			rc = c_os->sock_connect_result(c->sock);
			connected = true;
			continue;
		}
		ssize_t some = event.events & KL_OUT ? client_send(c) : 0;
		if (some >= 0 && event.events & KL_IN)
			some = client_recv(c);
		rc = some < 0 && some != -EAGAIN ? (int)some : 0;
		c_os->poller_watch(c->poller, c->sock,
				  KL_IN | (c->sent < c->bytes ? KL_OUT : 0), c);
	}
	c_os->sock_close(c->sock);
	return rc;
}

static void client_main(void *arg)
{
	struct client *c = arg;
	ck_assert_int_eq(c_os->poller_new(c_os, &c->poller), 0);
	do {
		struct kl_addr addr;
		const char *why;
		c->error = c_os->resolve(c_os, "server", PORT, &addr, 1, &why);
		if (c->error == 1)
			c->error = client_try(c, &addr, c_os->now(c_os) + 30 * KL_SECOND);
		if (c->error != 0)
			kl_sim_sleep(sim, 10 * KL_MS);
	} while (c->error != 0);
	c_os->poller_free(c->poller);
}

/* One attempt, whatever comes of it. */
static void client_once(void *arg)
{
	struct client *c = arg;
	struct kl_addr addr;
	const char *why;
	kl_sim_sleep(sim, KL_MS); /* the server listens */
	ck_assert_int_eq(c_os->poller_new(c_os, &c->poller), 0);
	ck_assert_int_eq(c_os->resolve(c_os, "server", PORT, &addr, 1, &why), 1);
	c->error = client_try(c, &addr, c_os->now(c_os) + 300 * KL_SECOND);
	c_os->poller_free(c->poller);
}

static void stop_server(void *arg)
{
	server.stop = true;
	s_os->poller_wake(server.poller);
}

static struct client one(size_t bytes)
{
	struct client c = {.id = 1, .bytes = bytes};
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_once, &c);
	run(400 * KL_SECOND);
	return c;
}

/* --- good weather --- */

START_TEST(echo)
{
	struct client c = one(100000);
	ck_assert_int_eq(c.error, 0);
	ck_assert_uint_eq(c.got, 100000);
	ck_assert_int_eq(server.accepted, 1);
}
END_TEST

START_TEST(latency_and_bandwidth)
{
	kl_sim_faults(sim)->latency_min_us = 10 * KL_MS;
	kl_sim_faults(sim)->latency_max_us = 12 * KL_MS;
	kl_sim_faults(sim)->bytes_per_ms = 100;
	int64_t before = kl_sim_now(sim);
	struct client c = one(10000);
	ck_assert_int_eq(c.error, 0);
	int64_t took = kl_sim_now(sim) - before;
	/* Handshake and one way there and back are 40 ms at least; 10,000 bytes at 100 a
	 * millisecond 100 ms more. Resolving takes up to twenty latencies. */
	ck_assert_int_ge(took, 140 * KL_MS);
	ck_assert_int_lt(took, 2000 * KL_MS);
}
END_TEST

/* --- on purpose --- */

START_TEST(refused)
{
	struct client c = {.id = 1, .bytes = 10};
	kl_sim_spawn(client_node, "client", client_once, &c); /* no server */
	run(KL_SECOND);
	ck_assert_int_eq(c.error, -ECONNREFUSED);
}
END_TEST

START_TEST(black_hole)
{
	kl_sim_address_set(server_node, 0, KL_SIM_HOLE);
	int64_t before = kl_sim_now(sim);
	struct client c = one(10);
	/* 1 + 2 + ... + 32 s, and one try more, as Linux. */
	ck_assert_int_eq(c.error, -ETIMEDOUT);
	ck_assert_int_ge(kl_sim_now(sim) - before, 63 * KL_SECOND);
	ck_assert_int_lt(kl_sim_now(sim) - before, 130 * KL_SECOND);
}
END_TEST

START_TEST(port_off_and_on)
{
	struct client c = {.id = 1, .bytes = BYTES};
	kl_sim_faults(sim)->bytes_per_ms = 20;
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_main, &c);
	ck_assert_int_eq(kl_sim_run(sim, 500 * KL_MS), KL_SIM_TIME_LIMIT);
	ck_assert_uint_gt(c.got, 0);
	kl_sim_port(server_node, PORT, false);
	ck_assert_int_eq(kl_sim_run(sim, KL_SECOND), KL_SIM_TIME_LIMIT);
	ck_assert_int_eq(c.error, -ECONNREFUSED);
	kl_sim_port(server_node, PORT, true);
	run(60 * KL_SECOND);
	ck_assert_int_eq(server.accepted, 2);
}
END_TEST

struct cut_case {
	enum kl_sim_cut cut;
	bool answer;
	int error;
	size_t got_min, got_max; /* of 10,000 cut at 1,000 */
	size_t wrong_max;
};

static const struct cut_case cut_cases[] = {
	{KL_SIM_CUT_RESET, false, -ECONNRESET, 0, 1000, 0},
	{KL_SIM_CUT_RESET, true, -ECONNRESET, 0, 1000, 0},
	{KL_SIM_CUT_FINISH, false, -EPIPE, 0, 1000, 0},
	{KL_SIM_CUT_FINISH, true, -EPIPE, 1000, 1000, 0},
	{KL_SIM_CUT_STALL, false, -ETIMEDOUT, 1000, 1000, 0},
	{KL_SIM_CUT_STALL, true, -ETIMEDOUT, 1000, 1000, 0},
	{KL_SIM_CUT_FLIP, false, 0, 10000, 10000, 1},
	{KL_SIM_CUT_INJECT, true, 0, 10000, 10000 + 3000, 13000},
};

START_TEST(cut_at_a_byte)
{
	const struct cut_case *want = &cut_cases[_i];
	kl_sim_rule(sim, &(struct kl_sim_rule){
				 .from = client_node,
				 .to = server_node,
				 .port = PORT,
				 .answer = want->answer,
				 .after_bytes = 1000,
				 .cut = want->cut,
			 });
	struct client c = {.id = 1, .bytes = 10000, .trusting = true};
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_once, &c);
	run(400 * KL_SECOND);
	if (want->cut == KL_SIM_CUT_FINISH && !want->answer) {
		/* The server closes; what it had not read makes that a reset now and then. */
		ck_assert(c.error == -EPIPE || c.error == -ECONNRESET);
	} else {
		ck_assert_int_eq(c.error, want->error);
	}
	ck_assert_uint_ge(c.got, want->got_min);
	ck_assert_uint_le(c.got, want->got_max);
	ck_assert_uint_le(c.wrong, want->wrong_max);
	ck_assert((want->cut == KL_SIM_CUT_FLIP || want->cut == KL_SIM_CUT_INJECT) ==
		  (c.wrong > 0));
}
END_TEST

START_TEST(stall_loses_what_follows)
{
	kl_sim_rule(sim, &(struct kl_sim_rule){
				 .from = client_node,
				 .to = server_node,
				 .port = PORT,
				 .after_bytes = 1000,
				 .cut = KL_SIM_CUT_STALL,
			 });
	struct client c = one(300000); /* many sends: the window is smaller */
	ck_assert_int_eq(c.error, -ETIMEDOUT);
	ck_assert_uint_eq(c.got, 1000);
}
END_TEST

static void damage_once(void *arg, const struct kl_sim_node *from,
			   const struct kl_sim_node *to, uint8_t *p, size_t n)
{
	ck_assert_ptr_ne(from, to);
	if (from == server_node && !*(bool *)arg) {
		*(bool *)arg = true;
		p[0] = (uint8_t)~p[0];
	}
}

START_TEST(tampering)
{
	bool done = false;
	kl_sim_tamper(sim, damage_once, &done);
	struct client c = {.id = 1, .bytes = 5000, .trusting = true};
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_once, &c);
	run(400 * KL_SECOND);
	ck_assert(done);
	ck_assert_uint_eq(c.wrong, 1);
}
END_TEST

START_TEST(rule_skips)
{
	kl_sim_rule(sim, &(struct kl_sim_rule){.skip = 1, .cut = KL_SIM_CUT_RESET});
	struct client c = one(1000);
	ck_assert_int_eq(c.error, 0);
	struct client second = {.id = 2, .bytes = 1000};
	kl_sim_spawn(client_node, "client", client_once, &second);
	run(400 * KL_SECOND);
	ck_assert_int_eq(second.error, -ECONNRESET);
	ck_assert_uint_eq(second.got, 0);
}
END_TEST

START_TEST(link_off_delays)
{
	struct client c = {.id = 1, .bytes = BYTES};
	kl_sim_faults(sim)->bytes_per_ms = 20;
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_main, &c);
	ck_assert_int_eq(kl_sim_run(sim, 500 * KL_MS), KL_SIM_TIME_LIMIT);
	kl_sim_link(server_node, client_node, false);
	size_t got = c.got;
	ck_assert_uint_gt(got, 0);
	ck_assert_int_eq(kl_sim_run(sim, 5 * KL_SECOND), KL_SIM_TIME_LIMIT);
	ck_assert_uint_eq(c.got, got);
	kl_sim_link(server_node, client_node, true);
	run(60 * KL_SECOND);
	ck_assert_int_eq(server.accepted, 1);
}
END_TEST

static void kill_server(void *arg)
{
	kl_sim_kill(server_node, *(bool *)arg);
	memset(&server, 0, sizeof(server));
}

static void boot_server(void *arg)
{
	kl_sim_boot(server_node);
	kl_sim_spawn_service(server_node, "server", serve, NULL);
}

START_TEST(killed_server)
{
	bool power = _i == 1;
	struct client c = {.id = 1, .bytes = BYTES};
	kl_sim_faults(sim)->bytes_per_ms = 20;
	kl_sim_node_mortal(server_node);
	kl_sim_spawn_service(server_node, "server", serve, NULL);
	kl_sim_spawn(client_node, "client", client_main, &c);
	kl_sim_at(sim, kl_sim_now(sim) + 500 * KL_MS, kill_server, &power);
	kl_sim_at(sim, kl_sim_now(sim) + 3 * KL_SECOND, boot_server, NULL);
	run(100 * KL_SECOND);
	ck_assert_int_ge(c.attempts, 2);
	ck_assert_int_eq(server.accepted, 1); /* of the second life */
}
END_TEST

static void resolve_all(void *arg)
{
	struct kl_addr addrs[8];
	const char *why;
	char text[KL_ADDR_TEXT];
	ck_assert_int_eq(c_os->resolve(c_os, "server", 1, addrs, 8, &why), 2);
	c_os->addr_text(c_os, &addrs[0], text);
	ck_assert_str_eq(text, "10.0.2.1:1");
	c_os->addr_text(c_os, &addrs[1], text);
	ck_assert_str_eq(text, "[fd00::2:2]:1");
	ck_assert_uint_eq(c_os->addr_port(c_os, &addrs[1]), 1);
	ck_assert_int_eq(c_os->resolve(c_os, "nobody", 1, addrs, 8, &why), -ENOENT);
	ck_assert_str_ne(why, "");
	ck_assert_int_eq(c_os->resolve(c_os, "boot", 9, addrs, 8, &why), 3);
	c_os->addr_text(c_os, &addrs[0], text);
	ck_assert_str_eq(text, "10.0.2.1:9");
	c_os->addr_text(c_os, &addrs[2], text);
	ck_assert_str_eq(text, "10.0.1.1:9");
	ck_assert_int_eq(c_os->resolve(c_os, "boot", 9, addrs, 1, &why), 1);
	ck_assert_int_eq(c_os->resolve(c_os, "later", 1, addrs, 8, &why), -EAGAIN);
	ck_assert_str_eq(why, "try again");
	ck_assert_int_eq(c_os->resolve(c_os, "fd00::2:2", 1, addrs, 8, &why), 1);
	kl_sim_faults(sim)->resolve = 1000000;
	ck_assert_int_eq(c_os->resolve(c_os, "server", 1, addrs, 8, &why), -EAGAIN);
}

START_TEST(names)
{
	kl_sim_address_add(server_node, true);
	kl_sim_name(sim, "boot", (const char *[]){"10.0.2.1", "fd00::2:2", "10.0.1.1", NULL});
	kl_sim_name_fail(sim, "later", -EAGAIN, "try again");
	kl_sim_spawn(client_node, "main", resolve_all, NULL);
	run(KL_SECOND);
}
END_TEST

START_TEST(listeners)
{
	struct kl_sock *first, *second;
	struct kl_addr addr;
	ck_assert_int_eq(s_os->sock_listen(s_os, "server", 0, &first, &addr), 0);
	uint16_t port = s_os->addr_port(s_os, &addr);
	ck_assert_uint_ne(port, 0);
	ck_assert_int_eq(s_os->sock_listen(s_os, NULL, port, &second, NULL), -EADDRINUSE);
	ck_assert_int_eq(s_os->sock_listen(s_os, "client", 0, &second, NULL), -EADDRNOTAVAIL);
	ck_assert_int_eq(s_os->sock_accept(first, &second, NULL), -EAGAIN);
	s_os->sock_close(first);
	ck_assert_int_eq(s_os->sock_listen(s_os, NULL, port, &second, NULL), 0);
	s_os->sock_close(second);
}
END_TEST

/* --- by chance --- */

static uint64_t storm(uint64_t seed, uint64_t *events_out)
{
	begin(seed);
	memset(&server, 0, sizeof(server));
	struct client clients[CLIENTS];
	kl_sim_faults_draw(sim, false, kl_sim_faults(sim));
	kl_sim_spawn(server_node, "server", serve, NULL);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.id = i, .bytes = BYTES};
		kl_sim_spawn(client_node, "client", client_main, &clients[i]);
	}
	static struct kl_sim_target target;
	target = (struct kl_sim_target){server_node, PORT};
	kl_sim_chaos(sim, &(struct kl_sim_chaos){
				  .targets = &target,
				  .target_count = 1,
				  .client = client_node,
				  .kinds = KL_SIM_CHAOS_PORT | KL_SIM_CHAOS_RESET |
					   KL_SIM_CHAOS_LINK | KL_SIM_CHAOS_PAUSE |
					   KL_SIM_CHAOS_CLOCK,
				  .until = kl_sim_now(sim) + 60 * KL_SECOND,
				  .gap_us = 2 * KL_SECOND,
				  .outage_us = 3 * KL_SECOND,
			  });
	kl_sim_at(sim, kl_sim_now(sim) + 400 * KL_SECOND, stop_server, NULL);
	run(600 * KL_SECOND);
	for (int i = 0; i < CLIENTS; i++)
		ck_assert_uint_eq(clients[i].got, BYTES);
	uint64_t hash = kl_sim_hash(sim);
	*events_out = kl_sim_events(sim);
	kl_sim_free(sim);
	return hash;
}

/* Every byte comes back in its place, or the connection ends; when the weather clears, all
 * clients get theirs; and the second run is the first again. */
START_TEST(storms)
{
	uint64_t first_events, events;
	for (uint64_t seed = 0; seed < 10; seed++) {
		uint64_t hash = storm((uint64_t)_i * 10 + seed, &first_events);
		ck_assert_uint_eq(storm((uint64_t)_i * 10 + seed, &events), hash);
		ck_assert_uint_eq(events, first_events);
	}
}
END_TEST

UNIT_SUITE(sim_net)
{
	Suite *s = suite_create("sim_net");
	unit_add_fixture(s, echo, set_up, tear_down);
	unit_add_fixture(s, latency_and_bandwidth, set_up, tear_down);
	unit_add_fixture(s, refused, set_up, tear_down);
	unit_add_fixture(s, black_hole, set_up, tear_down);
	unit_add_fixture(s, port_off_and_on, set_up, tear_down);
	unit_add_case(s, "cut_at_a_byte", cut_at_a_byte, set_up, tear_down,
		      (int)kl_countof(cut_cases));
	unit_add_fixture(s, stall_loses_what_follows, set_up, tear_down);
	unit_add_fixture(s, tampering, set_up, tear_down);
	unit_add_fixture(s, rule_skips, set_up, tear_down);
	unit_add_fixture(s, link_off_delays, set_up, tear_down);
	unit_add_case(s, "killed_server", killed_server, set_up, tear_down, 2);
	unit_add_fixture(s, names, set_up, tear_down);
	unit_add_fixture(s, listeners, set_up, tear_down);
	unit_add_loop(s, storms, 10);
	return s;
}
