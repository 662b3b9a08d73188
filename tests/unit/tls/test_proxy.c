/* SPDX-License-Identifier: BSD-2-Clause */
/* Connections through SOCKS5 and HTTP CONNECT: the machine byte by byte, a small proxy of this
 * test's between clients and the dev broker, and proxies that refuse or lie. */
#include "core/net/proxy.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/client/script.h"
#include "tests/unit/tls/ask.h"

/* --- the machine --- */

static struct kl_proxy_url parse(const char *text)
{
	struct kl_proxy_url url;
	struct kl_buf why = {0};
	ck_assert_msg(kl_proxy_url_parse(text, &url, &why), "%s", kl_buf_text(&why));
	return url;
}

/* "CONNECT k:9092 HTTP/1.1", "Host: k:9092". */
#define CONNECT_K                                                                        \
	"434f4e4e454354206b3a3930393220485454502f312e310d0a"                             \
	"486f73743a206b3a393039320d0a0d0a"

/* A whole conversation: what is said, and what answers it; NULL ends it. The answers come in
 * one piece, or byte by byte, and bytes of the broker's follow, which are left alone. */
static const struct talk {
	const char *url, *host;
	const char *said[4];
	const char *answers[4];
} talks[] = {
	{"socks5://p", "1.2.3.4",
	 {"05 01 00", "05 01 00 01 01020304 2384"},
	 {"05 00", "05 00 00 01 0a000001 1234"}},
	{"socks5h://p:1081", "kafka.example",
	 {"05 01 00", "05 01 00 03 0d 6b61666b612e6578616d706c65 2384"},
	 {"05 00", "05 00 00 03 04 61626364 0000"}},
	{"socks5://user:pass@p", "::1",
	 {"05 02 00 02", "01 04 75736572 04 70617373",
	  "05 01 00 04 00000000000000000000000000000001 2384"},
	 {"05 02", "01 00", "05 00 00 04 00000000000000000000000000000000 0000"}},
	{"socks5://user:pass@p", "1.2.3.4",
	 {"05 02 00 02", "05 01 00 01 01020304 2384"},
	 {"05 00", "05 00 00 01 00000000 0000"}},
	{"http://p:3128", "k",
	 {CONNECT_K},
	 {"485454502f312e3120323030204f4b0d0a583a20790d0a0d0a"}},
	{"http://p:3128", "k",
	 {CONNECT_K},
	 {"485454502f312e30203230300d0a0d0a"}}, /* no words */
};

static void answer(struct kl_proxy_talk *talk, const uint8_t *p, size_t n, size_t step)
{
	struct klamm_error err;
	while (n > 0) {
		size_t part = kl_min(kl_min(kl_proxy_wants(talk), n), step);
		ck_assert_uint_gt(part, 0);
		ck_assert_msg(kl_proxy_take(talk, p, part, &err), "%s", err.text);
		p += part;
		n -= part;
	}
}

START_TEST(talks_to_proxies)
{
	const struct talk *t = &talks[_i / 2];
	struct kl_proxy_url url = parse(t->url);
	struct kl_proxy_talk talk;
	struct klamm_error err;
	ck_assert(kl_proxy_begin(&talk, &url, t->host, 9092, &err));
	for (size_t i = 0; i < 4 && t->said[i] != NULL; i++) {
		unit_check_hex(talk.out.data, talk.out.len, t->said[i]);
		kl_buf_clear(&talk.out);
		size_t n;
		uint8_t *p = unit_hex(t->answers[i], &n);
		answer(&talk, p, n, _i % 2 == 0 ? SIZE_MAX : 1);
		free(p);
	}
	ck_assert_uint_eq(kl_proxy_wants(&talk), 0);
	ck_assert_int_eq(talk.step, KL_PROXY_THROUGH);
	ck_assert_uint_eq(talk.out.len, 0);
	kl_proxy_end(&talk);
}
END_TEST

#define SECRET "http://user:hunter2@p:1"
static const struct {
	const char *url;
	const char *bytes;
	size_t n;
	int code;
	const char *says;
} refusals[] = {
	{"socks5://p", "\x05\xff", 2, KLAMM_ERR_AUTHENTICATION, "needs USER:PASSWORD@"},
	{"socks5://u:p@p", "\x05\xff", 2, KLAMM_ERR_AUTHENTICATION, "neither a password nor"},
	{"socks5://u:p@p", "\x05\x02\x01\x01", 4, KLAMM_ERR_AUTHENTICATION,
	 "does not take this user and password"},
	{"socks5://p", "\x04\x00", 2, KLAMM_ERR_PROTOCOL, "does not speak SOCKS5"},
	{"socks5://p", "\x05\x00\x05\x02\x00\x01\x00", 7, KLAMM_ERR_AUTHENTICATION,
	 "forbids it by its rules"},
	{"socks5://p", "\x05\x00\x05\x05\x00\x01\x00", 7, KLAMM_ERR_CONNECT, "was refused"},
	{"socks5://p", "\x05\x00\x05\x99\x00\x01\x00", 7, KLAMM_ERR_CONNECT, "unknown code"},
	{"socks5://p", "\x05\x00\x05\x00\x00\x07\x00", 7, KLAMM_ERR_PROTOCOL, "no SOCKS5"},
	{"socks5://p", "HTTP/1.1 400", 2, KLAMM_ERR_PROTOCOL, "does not speak SOCKS5"},
	{"http://p:1", "HTTP/1.1 407 Who?\r\n\r\n", 21, KLAMM_ERR_AUTHENTICATION,
	 "answers \"HTTP/1.1 407 Who?\": klamm.proxy.url needs"},
	{SECRET, "HTTP/1.1 407 Who?\r\n\r\n", 21, KLAMM_ERR_AUTHENTICATION,
	 "does not take this user and password"},
	{SECRET, "HTTP/1.0 401 Who?\r\n\r\n", 21, KLAMM_ERR_AUTHENTICATION,
	 "does not take this user and password"},
	{"http://p:1", "HTTP/1.1 403 No\r\n\r\n", 19, KLAMM_ERR_AUTHENTICATION, "403 No"},
	{"http://p:1", "HTTP/1.1 502 Bad\x1b[2J\r\n\r\n", 24, KLAMM_ERR_CONNECT,
	 "answers \"HTTP/1.1 502 Bad\""},
	{"http://p:1", "SSH-2.0-x\r\n", 11, KLAMM_ERR_PROTOCOL, "answers with no HTTP"},
	{"http://p:1", "HTTP/1.1\r\n\r\n", 12, KLAMM_ERR_PROTOCOL, "answers with no HTTP"},
};

START_TEST(proxies_that_refuse)
{
	struct kl_proxy_url url = parse(refusals[_i].url);
	struct kl_proxy_talk talk;
	struct klamm_error err;
	ck_assert(kl_proxy_begin(&talk, &url, "kafka", 9092, &err));
	const uint8_t *p = (const uint8_t *)refusals[_i].bytes;
	bool good = true;
	for (size_t i = 0; i < refusals[_i].n && good; i++)
		good = kl_proxy_take(&talk, p + i, 1, &err);
	ck_assert(!good);
	ck_assert_int_eq(err.code, refusals[_i].code);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_PROXY);
	ck_assert_msg(strstr(err.text, refusals[_i].says) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "the proxy p:"));
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	kl_proxy_end(&talk);
}
END_TEST

START_TEST(a_head_without_end)
{
	struct kl_proxy_url url = parse("http://p:1");
	struct kl_proxy_talk talk;
	struct klamm_error err;
	ck_assert(kl_proxy_begin(&talk, &url, "kafka", 9092, &err));
	answer(&talk, (const uint8_t *)"HTTP/1.1 200 ", 13, 1);
	int n = 13;
	while (kl_proxy_take(&talk, (const uint8_t *)"x", 1, &err))
		ck_assert_int_lt(n++, KL_PROXY_HEAD_MAX);
	ck_assert_ptr_nonnull(strstr(err.text, "does not come to an end"));
	kl_proxy_end(&talk);
}
END_TEST

/* Names that a broker made up may not become lines of a request. */
START_TEST(names_that_are_none)
{
	static const char *const names[] = {"", "a b", "a\r\nX: y", "a/b", "a:1", "[::1]",
					    "\xc3\xa4"};
	for (size_t i = 0; i < kl_countof(names); i++) {
		struct kl_proxy_url url = parse(i % 2 == 0 ? "http://p:1" : "socks5h://p");
		struct kl_proxy_talk talk;
		struct klamm_error err;
		ck_assert(!kl_proxy_begin(&talk, &url, names[i], 9092, &err));
		ck_assert_int_eq(err.code, KLAMM_ERR_INVALID_ARGUMENT);
		kl_proxy_end(&talk);
	}
}
END_TEST

static const struct {
	const char *text, *host, *user, *password;
	int port;
} urls[] = {
	{"socks5://a", "a", "", "", 1080},
	{"SOCKS5H://a-b.c:9/", "a-b.c", "", "", 9},
	{"http://[::1]:3128", "::1", "", "", 3128},
	{"socks5://[fe80::1]", "fe80::1", "", "", 1080},
	{"socks5://u:p@a", "a", "u", "p", 1080},
	{"http://%75%40:a%3ab%25@a:1", "a", "u@", "a:b%", 1},
	{"socks5://u:p@q@a", "a", "u", "p@q", 1080},
	{"", NULL, NULL, NULL, 0},
	{"a:1080", NULL, NULL, NULL, 0},
	{"https://a:1", NULL, NULL, NULL, 0},
	{"http://a", NULL, NULL, NULL, 0}, /* which port? */
	{"socks5://", NULL, NULL, NULL, 0},
	{"socks5://a:0", NULL, NULL, NULL, 0},
	{"socks5://a:65536", NULL, NULL, NULL, 0},
	{"socks5://a:1/x", NULL, NULL, NULL, 0},
	{"socks5://[::1", NULL, NULL, NULL, 0},
	{"socks5://u@a", NULL, NULL, NULL, 0},
	{"socks5://u:@a", NULL, NULL, NULL, 0},
	{"socks5://:p@a", NULL, NULL, NULL, 0},
	{"socks5://u:%0@a", NULL, NULL, NULL, 0},
	{"socks5://u:%00@a", NULL, NULL, NULL, 0},
	{"socks5://a b", NULL, NULL, NULL, 0},
};

START_TEST(addresses_of_proxies)
{
	struct kl_proxy_url url;
	struct kl_buf why = {0};
	bool good = kl_proxy_url_parse(urls[_i].text, &url, &why);
	ck_assert_int_eq(good, urls[_i].host != NULL);
	if (!good) {
		ck_assert_uint_gt(why.len, 10);
		kl_buf_free(&why);
		return;
	}
	ck_assert_str_eq(url.host, urls[_i].host);
	ck_assert_str_eq(url.user, urls[_i].user);
	ck_assert_str_eq(url.password, urls[_i].password);
	ck_assert_int_eq(url.port, urls[_i].port);
}
END_TEST

/* --- through one --- */

/* A proxy that knows one way to each place: to the dev broker, whatever it is asked for. */
static struct {
	int listener, port;
	pthread_t thread;
	_Atomic int seen; /* connections */
	char asked[300];  /* the last request, as text; the address of SOCKS in hex */
	bool wants_password;
} proxy;

static void read_all(int fd, void *p, size_t n)
{
	for (uint8_t *at = p; n > 0;) {
		ssize_t got = read(fd, at, n);
		if (got <= 0)
			return;
		at += got;
		n -= (size_t)got;
	}
}

static void serve_socks(int fd)
{
	uint8_t b[600] = {5};
	read_all(fd, b + 1, 1);
	read_all(fd, b + 2, b[1]);
	script_send(fd, proxy.wants_password ? "\5\2" : "\5\0", 2);
	if (proxy.wants_password) {
		read_all(fd, b, 2);
		read_all(fd, b + 2, b[1] + 1u);
		read_all(fd, b + 300, b[2 + b[1]]);
		bool good = memcmp(b + 2, "alice", 5) == 0 && memcmp(b + 300, "pass", 4) == 0;
		script_send(fd, good ? "\1\0" : "\1\1", 2);
		if (!good)
			return;
	}
	read_all(fd, b, 5);
	size_t n = b[3] == 1 ? 3 : b[3] == 4 ? 15 : b[4];
	read_all(fd, b + 5, n + 2);
	if (b[3] == 3)
		snprintf(proxy.asked, sizeof(proxy.asked), "%.*s", (int)n, b + 5);
	else
		inet_ntop(b[3] == 1 ? AF_INET : AF_INET6, b + 4, proxy.asked, 100);
	script_send(fd, "\5\0\0\1\0\0\0\0\0\0", 10);
}

static void serve_http(int fd)
{
	char b[2000] = "C";
	size_t n = 1;
	while (n < sizeof(b) - 1 && (n < 4 || memcmp(b + n - 4, "\r\n\r\n", 4) != 0) &&
	       read(fd, b + n, 1) == 1)
		n++;
	b[n] = '\0';
	snprintf(proxy.asked, sizeof(proxy.asked), "%.*s", (int)strcspn(b, "\r"), b);
	bool good = !proxy.wants_password ||
		    strstr(b, "Proxy-Authorization: Basic YWxpY2U6cGFzcw==\r\n") != NULL;
	const char *text = good ? "HTTP/1.1 200 Connection established\r\nVia: us\r\n\r\n"
				: "HTTP/1.1 407 Proxy Authentication Required\r\n\r\n";
	script_send(fd, text, strlen(text));
}

static int to_broker(void)
{
	int port = atoi(strrchr(world_servers, ':') + 1);
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_port = htons((uint16_t)port),
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
	return fd;
}

static void *pass_on(void *arg)
{
	int fd = (int)(intptr_t)arg;
	uint8_t first = 0;
	read_all(fd, &first, 1);
	if (first == 5)
		serve_socks(fd);
	else if (first == 'C')
		serve_http(fd);
	int other = to_broker();
	struct pollfd ends[2] = {{fd, POLLIN, 0}, {other, POLLIN, 0}};
	char b[65536];
	while (poll(ends, 2, -1) > 0) {
		int from = ends[0].revents != 0 ? 0 : 1;
		ssize_t n = read(ends[from].fd, b, sizeof(b));
		if (n <= 0)
			break;
		script_send(ends[1 - from].fd, b, (size_t)n);
	}
	close(fd);
	close(other);
	return NULL;
}

static void *accept_all(void *arg)
{
	int fd;
	while ((fd = accept(proxy.listener, NULL, NULL)) >= 0) {
		pthread_t thread;
		void *given = (void *)(intptr_t)fd;
		proxy.seen++;
		ck_assert_int_eq(pthread_create(&thread, NULL, pass_on, given), 0);
		pthread_detach(thread);
	}
	return NULL;
}

static void up(void)
{
	ask_up();
	struct sockaddr_in a = {.sin_family = AF_INET,
				.sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t n = sizeof(a);
	proxy.listener = socket(AF_INET, SOCK_STREAM, 0);
	ck_assert_int_eq(bind(proxy.listener, (struct sockaddr *)&a, n), 0);
	ck_assert_int_eq(listen(proxy.listener, 10), 0);
	getsockname(proxy.listener, (struct sockaddr *)&a, &n);
	proxy.port = ntohs(a.sin_port);
	ck_assert_int_eq(pthread_create(&proxy.thread, NULL, accept_all, NULL), 0);
}

static void down(void)
{
	shutdown(proxy.listener, SHUT_RDWR);
	pthread_join(proxy.thread, NULL);
	close(proxy.listener);
	ask_down();
}

static const char *url_of(const char *scheme, const char *user)
{
	char text[100];
	snprintf(text, sizeof(text), "%s://%s127.0.0.1:%d", scheme, user, proxy.port);
	return ask_pair("klamm.proxy.url", text);
}

#define CA ask_pair("ssl.ca.location", ask_ca())

START_TEST(opt_klamm_proxy_url)
{
	ask_works(CA, url_of("socks5", ""));
	ck_assert_int_gt(proxy.seen, 0);
	ck_assert_str_eq(proxy.asked, "127.0.0.1");
	/* This machine looks the name up, or the proxy does: one that nobody else knows. */
	char at[64];
	snprintf(at, sizeof(at), "bootstrap.servers=localhost:%s",
		 strrchr(world_servers, ':') + 1);
	ask_works(CA, url_of("socks5", ""), at);
	ck_assert_str_eq(proxy.asked, "127.0.0.1");
	ask_works(CA, url_of("socks5h", ""), at, "client.id=x");
	ask_works("enable.ssl.certificate.verification=false", url_of("socks5h", ""),
		  "bootstrap.servers=no.such.invalid:9092");
	ask_works(CA, url_of("http", ""), at);
	ck_assert_ptr_nonnull(strstr(proxy.asked, "CONNECT "));
	char old[100];
	snprintf(old, sizeof(old), "socks5_proxy=socks5://127.0.0.1:%d", proxy.port);
	ask_works(CA, old); /* kafka-python's name */
	ask_refused("must begin with socks5://", "klamm.proxy.url=ftp://u:hunter2@a");
	struct klamm_error err;
	ask(&err, "klamm.proxy.url=ftp://u:hunter2@a", NULL);
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
}
END_TEST

/* A full name ends with a dot, which neither certificates nor SNI have; the resolver, here the
 * proxy's, is asked with it. */
START_TEST(names_with_their_dot)
{
	ask_works(CA, url_of("socks5h", ""), "bootstrap.servers=localhost.:9092");
	ask_fails("and not for elsewhere", CA, url_of("socks5h", ""),
		  "bootstrap.servers=elsewhere.:9092");
	ck_assert_str_eq(proxy.asked, "elsewhere.");
}
END_TEST

/* --- a refusal is final, and said with the proxy's name --- */

static void check_refused(const char *words, const char *pair)
{
	struct klamm_error err;
	int64_t begin = world_ms();
	ck_assert_int_eq(ask(&err, CA, pair, NULL), KLAMM_ERR_AUTHENTICATION);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_PROXY);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "bootstrap server 127.0.0.1:"));
	ck_assert_ptr_nonnull(strstr(err.text, "the proxy 127.0.0.1:"));
	ck_assert_int_lt(world_ms() - begin, 20000);
}

START_TEST(users_and_passwords)
{
	proxy.wants_password = true;
	ask_works(CA, url_of("socks5", "alice:pass@"));
	ask_works(CA, url_of("http", "alice:pass@"));
	check_refused("does not take this user and password", url_of("socks5", "alice:no@"));
	check_refused("does not take this user and password", url_of("http", "alice:no@"));
	check_refused("neither a password nor none", url_of("socks5", ""));
	check_refused("needs USER:PASSWORD@", url_of("http", ""));
}
END_TEST

/* --- one that is not there, or keeps silent --- */

static void hold(struct script *script, int fd)
{
	char b[100];
	while (read(fd, b, sizeof(b)) > 0)
		;
}

static void hang_up(struct script *script, int fd)
{
	char b[100];
	ck_assert_int_gt(read(fd, b, sizeof(b)), 0);
}

/* A call of 2 s. The limit for connections is only for the proxy that keeps silent. */
static int ask_shortly(const char *pair, int setup_ms, struct klamm_error *err)
{
	struct klamm_admin *admin;
	struct klamm_cluster_description *cluster;
	char setup[100], most[100];
	snprintf(setup, sizeof(setup), "socket.connection.setup.timeout.ms=%d", setup_ms);
	snprintf(most, sizeof(most), "socket.connection.setup.timeout.max.ms=%d", setup_ms);
	struct klamm_conf *conf = world_conf(pair, setup, most, NULL);
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, err), 0);
	klamm_conf_free(conf);
	int rc = klamm_admin_describe_cluster(admin, 2000, &cluster, err);
	klamm_admin_free(admin);
	return rc;
}

START_TEST(proxies_that_are_no_use)
{
	static const char *const says[] = {
		"timed out while waiting for the proxy's answer",
		"closed the connection instead of answering",
		"cannot connect",
	};
	struct script script = {.raw = _i == 0 ? hold : hang_up};
	struct klamm_error err;
	char url[100];
	world_servers = "127.0.0.1:9092";
	script_start(&script);
	snprintf(url, sizeof(url), "klamm.proxy.url=socks5://127.0.0.1:%d",
		 _i == 2 ? script_dead_port() : script.port);
	ck_assert_int_eq(ask_shortly(url, _i == 0 ? 400 : 20000, &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_msg(strstr(err.text, says[_i]) != NULL, "%s", err.text);
	ck_assert_int_eq(err.stage, _i == 2 ? KLAMM_STAGE_TCP : KLAMM_STAGE_PROXY);
	if (_i > 0)
		ck_assert_ptr_nonnull(strstr(err.text, "proxy 127.0.0.1:"));
	script_stop(&script);
}
END_TEST

UNIT_SUITE(proxy)
{
	Suite *s = suite_create("proxy");
	unit_add_loop(s, talks_to_proxies, 2 * (int)kl_countof(talks));
	unit_add_loop(s, proxies_that_refuse, (int)kl_countof(refusals));
	unit_add(s, a_head_without_end);
	unit_add(s, names_that_are_none);
	unit_add_loop(s, addresses_of_proxies, (int)kl_countof(urls));
	unit_add_fixture(s, opt_klamm_proxy_url, up, down);
	unit_add_fixture(s, names_with_their_dot, up, down);
	unit_add_fixture(s, users_and_passwords, up, down);
	unit_add_case(s, "proxies_that_are_no_use", proxies_that_are_no_use, NULL, NULL, 3);
	return s;
}
