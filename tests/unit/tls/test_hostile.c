/* SPDX-License-Identifier: BSD-2-Clause */
/* Peers that speak no TLS, or badly, slowly or without end: each is an error with its reason,
 * in bounded time and memory. And such clients of the dev broker, which goes on. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "core/os/os.h"
#include "tests/client/script.h"
#include "tests/unit/tls/ask.h"

static struct script script;
static const char *bytes;
static size_t byte_count;

/* Without a broker: the script is the peer. */
static void up(void)
{
	ask_begin();
	script_start(&script);
	world_servers = script.address;
}

static void down(void)
{
	script_stop(&script);
	certs_down();
}

/* What the client says first, and then what the test has for it. */
static void answer_bytes(struct script *of, int fd)
{
	char hello[16384];
	ck_assert_int_gt(read(fd, hello, sizeof(hello)), 0);
	script_send(fd, bytes, byte_count);
	shutdown(fd, SHUT_WR);
	while (read(fd, hello, sizeof(hello)) > 0)
		;
}

static const struct {
	const char *bytes;
	size_t n;
	const char *says;
} strange[] = {
	{"HTTP/1.1 400 Bad Request\r\n\r\n", 28, "answered with HTTP"},
	{"\0\0\0\x0a\0\0\0\0\0\x23\0\0\0\0", 14, "something that is not TLS"},
	{"SSH-2.0-OpenSSH_9.2\r\n", 21, "something that is not TLS"},
	/* A record of 18 KiB, one of no known kind, a server's hello of nothing. */
	{"\x16\x03\x03\x48\x00" "0123456789", 15, "the handshake failed"},
	{"\x17\x03\x03\x00\x04" "0123", 9, "the handshake failed"},
	{"\x16\x03\x03\x00\x04\x02\x00\x00\x00", 9, "the handshake failed"},
	/* Alerts: handshake_failure, internal_error, unknown. */
	{"\x15\x03\x03\x00\x02\x02\x28", 7, "wants a certificate from this client, or"},
	{"\x15\x03\x03\x00\x02\x02\x50", 7, "its log may say why"},
};

START_TEST(strange_peers)
{
	bytes = strange[_i].bytes;
	byte_count = strange[_i].n;
	script.raw = answer_bytes;
	ask_fails(strange[_i].says, "client.id=x");
}
END_TEST

/* One that hangs up is tried again: it may just have been going down. */
static const struct {
	const char *bytes;
	size_t n;
	const char *says;
} endings[] = {
	{"", 0, "on the first message of TLS, as a listener without it does"},
	{"\x16\x03", 2, "in the middle of the handshake"},
	{"\x16\x03\x03\x00\x40\x02\x00", 7, "in the middle of the handshake"},
};

/* A call of 3 s. The limit for connections is to be hit by those who take their time, and not
 * by those who end early and only have to wait for the CPU. */
static int ask_shortly(int setup_ms, struct klamm_error *err)
{
	struct klamm_admin *admin;
	struct klamm_cluster_description *cluster;
	char setup[100], most[100];
	snprintf(setup, sizeof(setup), "socket.connection.setup.timeout.ms=%d", setup_ms);
	snprintf(most, sizeof(most), "socket.connection.setup.timeout.max.ms=%d", setup_ms);
	struct klamm_conf *conf = world_conf("security.protocol=SSL", setup, most, NULL);
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, err), 0);
	klamm_conf_free(conf);
	int rc = klamm_admin_describe_cluster(admin, 3000, &cluster, err);
	klamm_admin_free(admin);
	return rc;
}

START_TEST(peers_that_end_early)
{
	struct klamm_error err;
	bytes = endings[_i].bytes;
	byte_count = endings[_i].n;
	script.raw = answer_bytes;
	ck_assert_int_eq(ask_shortly(20000, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_msg(strstr(err.text, endings[_i].says) != NULL, "%s", err.text);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TLS);
	ck_assert_int_gt(script.connections, 1);
}
END_TEST

static void drip(struct script *of, int fd)
{
	static const char record[] = "\x16\x03\x03\x3f\xff\x02\x00\x3f\xfb";
	for (size_t i = 0; i < 200; i++) { /* 2 s */
		if (send(fd, record + kl_min(i, sizeof(record) - 2), 1, MSG_NOSIGNAL) < 0)
			return;
		usleep(10000);
	}
}

static void say_nothing(struct script *of, int fd)
{
	char hello[16384];
	while (read(fd, hello, sizeof(hello)) > 0)
		;
}

START_TEST(peers_that_take_their_time)
{
	struct klamm_error err;
	script.raw = _i == 0 ? say_nothing : drip;
	int64_t begin = world_ms();
	ck_assert_int_eq(ask_shortly(400, &err), KLAMM_ERR_TIMED_OUT);
	const char *words = "timed out while waiting for the end of the TLS handshake "
			    "(socket.connection.setup.timeout.ms)";
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TLS);
	ck_assert_int_lt(world_ms() - begin, 20000);
}
END_TEST

/* --- clients of the broker --- */

static const char *const clients[] = {
	"\0\0\0\x0a\0\x12\0\0\0\0\0\1\xff\xff", /* ApiVersions, as it is without TLS */
	"GET / HTTP/1.1\r\n\r\n",
	"\x16\x03\x01\x00\x04\x01\x00\x00\x00",
	"\x16\x03\x01\x7f\xff\x01\x00\x7f\xfb",
	"\x15\x03\x01\x00\x02\x02\x50",
};

static void check_alive(void)
{
	ask_works(ask_pair("ssl.ca.location", ask_ca()));
}

static int connect_broker(void)
{
	struct kl_os *os = kl_os_real();
	struct kl_addr addr;
	const char *why;
	uint16_t port = (uint16_t)atoi(strrchr(world_servers, ':') + 1);
	ck_assert_int_eq(os->resolve(os, "127.0.0.1", port, &addr, 1, &why), 1);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)addr.bytes, addr.len), 0);
	return fd;
}

/* Whoever speaks no TLS is told by an alert, as Java's brokers do. */
START_TEST(strange_clients)
{
	static const size_t lens[] = {14, 18, 9, 9, 7};
	int fd = connect_broker();
	script_send(fd, clients[_i], lens[_i]);
	shutdown(fd, SHUT_WR);
	uint8_t alert[64];
	ssize_t n = recv(fd, alert, sizeof(alert), 0);
	if (_i < 2) {
		ck_assert_int_eq(n, 7);
		ck_assert_mem_eq(alert, "\x15\x03\x01\0\2\2\x46", 7);
	}
	while (n > 0)
		n = recv(fd, alert, sizeof(alert), 0);
	close(fd);
	check_alive();
}
END_TEST

/* A hello that never ends keeps nobody else waiting. */
START_TEST(a_client_that_says_half_a_word)
{
	int fd = connect_broker();
	script_send(fd, "\x16\x03\x01\x02", 4);
	check_alive();
	close(fd);
	check_alive();
}
END_TEST

UNIT_SUITE(hostile)
{
	Suite *s = suite_create("hostile");
	unit_add_case(s, "strange_peers", strange_peers, up, down, (int)kl_countof(strange));
	unit_add_case(s, "peers_that_end_early", peers_that_end_early, up, down,
		      (int)kl_countof(endings));
	unit_add_case(s, "peers_that_take_their_time", peers_that_take_their_time, up, down,
		      2);
	unit_add_case(s, "strange_clients", strange_clients, ask_up, ask_down,
		      (int)kl_countof(clients));
	unit_add_fixture(s, a_client_that_says_half_a_word, ask_up, ask_down);
	return s;
}
