/* SPDX-License-Identifier: BSD-2-Clause */
/* plugins/common/http.h against a peer that does as it is told. */
#include "plugins/common/http.h"

#include <stdlib.h>
#include <unistd.h>

#include "core/plugin.h"
#include "kit/inside.h"
#include "tests/client/certs.h"
#include "tests/unit/plugins/web.h"
#include "tests/unit/unit.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	return 0;
}

static const struct klamm_partitioner_plugin mine = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "mine", "whose host asks")},
	.pick = pick,
};

static struct kl_host host;
static struct kl_plugin *plugin;
static struct kl_instance instance;
static const struct klamm_host *api;
static struct web *web;
static char url[100];
static struct kl_http_request request;
static struct kl_http_answer answer;
static struct klamm_error err;
static int32_t cancelled;
static struct klamm_call call = {
	.size = sizeof(call), .wait_ms = -1, .cancelled = &cancelled};

static void up(void)
{
	ck_assert_int_eq(kl_host_init(&host, kl_os_real(), NULL, NULL, "me", &err), 0);
	ck_assert_int_eq(kl_plugin_check(KLAMM_KIND_PARTITIONER, "mine", &mine.head,
					 "here", &plugin, &err),
			 0);
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "partitioner.class", NULL, NULL,
					&instance, &err),
			 0);
	api = &instance.api;
	request = (struct kl_http_request){.url = url};
}

static void down(void)
{
	kl_http_free(api, &answer);
	if (web != NULL)
		web_free(web);
	kl_plugin_close(&instance);
	kl_host_free(&host);
	kl_plugin_free(plugin);
}

static void serve(const struct web_act *acts, size_t n, const char *cert)
{
	web = web_new(acts, n, cert);
	snprintf(url, sizeof(url), "http%s://%s:%d/token?key=hush",
		 cert != NULL ? "s" : "", cert != NULL ? "localhost" : "127.0.0.1",
		 web_port(web));
}
#define SERVE(cert, ...)                                                               \
	do {                                                                           \
		static const struct web_act acts_[] = {__VA_ARGS__};                   \
		serve(acts_, kl_countof(acts_), cert);                                 \
	} while (0)

static int ask(void)
{
	return kl_http(api, &request, &answer, &err);
}

/* It fails so, soon, and shows nothing of the path. */
static void fails(int code, int stage, const char *words)
{
	int64_t begun = api->now_us(api);
	int rc = ask();
	ck_assert_msg(rc == code, "%d, not %d: %s", rc, code, err.text);
	ck_assert_int_eq(err.code, code);
	ck_assert_msg(err.stage == stage, "stage %d: %s", err.stage, err.text);
	ck_assert_msg(strstr(err.text, words) != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, "hush"));
	ck_assert_ptr_null(answer.body);
	ck_assert_int_lt(api->now_us(api) - begun, 15000000);
}

/* --- what goes out and comes back --- */

START_TEST(gets)
{
	SERVE(NULL, {WEB_ANSWER("200 OK", "application/json", "{\"a\":1}", "7")});
	request.headers = &(struct kl_http_header){"Authorization", "Bearer secret"};
	request.header_count = 1;
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(answer.status, 200);
	ck_assert_str_eq(answer.body, "{\"a\":1}");
	ck_assert_uint_eq(answer.len, 7);
	ck_assert_int_eq(kl_http_check(&request, &answer, &err), 0);
	char type[64];
	ck_assert(kl_http_value(&answer, "content-TYPE", type, sizeof(type)));
	ck_assert_str_eq(type, "application/json");
	ck_assert(kl_http_value(&answer, "Content-Type", type, 5));
	ck_assert_str_eq(type, "appl");
	ck_assert(!kl_http_value(&answer, "Content", type, sizeof(type)));
	const char *asked = web_asked(web, 0);
	ck_assert_int_eq(strncmp(asked, "GET /token?key=hush HTTP/1.1\r\n", 30), 0);
	ck_assert_ptr_nonnull(strstr(asked, "\r\nAuthorization: Bearer secret\r\n"));
	ck_assert_ptr_nonnull(strstr(asked, "\r\nUser-Agent: klamm/"));
}
END_TEST

START_TEST(posts_bytes)
{
	SERVE(NULL, {WEB_ANSWER("204 No Content", "text/plain", "", "0")});
	static const struct kl_http_header headers[] = {
		{"Content-Type", "application/octet-stream"}, {"X-Empty", ""}};
	request.method = "POST";
	request.headers = headers;
	request.header_count = 2;
	request.body = (struct klamm_span){"a\0b", 3};
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(answer.status, 204);
	ck_assert_str_eq(answer.body, "");
	const char *asked = web_asked(web, 0);
	ck_assert_int_eq(strncmp(asked, "POST ", 5), 0);
	ck_assert_ptr_nonnull(
		strstr(asked, "\r\nContent-Type: application/octet-stream\r\n"));
	ck_assert_ptr_nonnull(strstr(asked, "\r\nContent-Length: 3\r\n"));
	ck_assert_ptr_nonnull(strstr(asked, "\r\nX-Empty:\r\n"));
	ck_assert_ptr_null(strstr(asked, "Expect"));
	ck_assert_mem_eq(strstr(asked, "\r\n\r\n") + 4, "a\0b", 3);
}
END_TEST

START_TEST(puts_nothing)
{
	SERVE(NULL, {WEB_ANSWER("200 OK", "text/plain", "token", "5")});
	request.method = "PUT";
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "token");
	ck_assert_int_eq(strncmp(web_asked(web, 0), "PUT ", 4), 0);
	ck_assert_ptr_nonnull(strstr(web_asked(web, 0), "\r\nContent-Length: 0\r\n"));
}
END_TEST

START_TEST(reads_chunks_and_what_ends_with_the_connection)
{
	SERVE(NULL,
	      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
	       "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"},
	      {"HTTP/1.0 200 OK\r\n\r\nuntil the end"});
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "abcde");
	kl_http_free(api, &answer);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "until the end");
}
END_TEST

START_TEST(speaks_tls)
{
	SERVE("localhost", {WEB_ANSWER("200 OK", "text/plain", "safe", "4")});
	request.ca_pem = web_pem(web);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "safe");
	kl_http_free(api, &answer);

	/* A folder, where OpenSSL looks for the hash of the name. */
	char *folder = unit_tmp(), path[200];
	snprintf(path, sizeof(path), "%s/%08lx.0", folder,
		 X509_NAME_hash(X509_get_subject_name(web_cert(web))));
	FILE *f = fopen(path, "w");
	ck_assert_int_ge(fputs(web_pem(web), f), 0);
	fclose(f);
	request.ca_pem = NULL;
	request.ca_folder = folder;
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "safe");
	free(folder);
}
END_TEST

START_TEST(shows_a_certificate)
{
	char own[8192];
	certs_up();
	char *cert = certs_text(&certs_client, false), *key = certs_text(&certs_client, true);
	snprintf(own, sizeof(own), "%s%s", cert, key);
	SERVE("localhost", {WEB_ANSWER("200 OK", "text/plain", "safe", "4")});
	web_ask(web, certs_ca.cert);
	request.ca_pem = web_pem(web);
	request.own_pem = own;
	ck_assert_msg(ask() == 0, "%s", err.text);
	ck_assert_str_eq(answer.body, "safe");
	kl_http_free(api, &answer);
	request.own_pem = NULL;
	ck_assert_int_ne(ask(), 0);
	ck_assert_msg(strstr(err.text, "https://localhost:") != NULL, "%s", err.text);
	free(cert);
	free(key);
	certs_down();
}
END_TEST

/* --- what is not believed --- */

START_TEST(a_stranger_is_refused)
{
	SERVE("localhost", {WEB_ANSWER("200 OK", "text/plain", "safe", "4")});
	fails(KLAMM_ERR_TLS, KLAMM_STAGE_TLS, "certificate");
	ck_assert_ptr_nonnull(strstr(err.text, "https://localhost:"));
}
END_TEST

START_TEST(another_name_is_refused)
{
	SERVE("elsewhere.test", {WEB_ANSWER("200 OK", "text/plain", "safe", "4")});
	request.ca_pem = web_pem(web);
	fails(KLAMM_ERR_TLS, KLAMM_STAGE_TLS, "localhost");
}
END_TEST

START_TEST(authorities_that_are_none)
{
	SERVE("localhost", {NULL});
	request.ca_pem = "x";
	fails(KLAMM_ERR_CONFIG, KLAMM_STAGE_CONFIG, "the CA certificates cannot be read");
}
END_TEST

START_TEST(plain_words_are_no_tls)
{
	SERVE(NULL,
	      {.answer = WEB_ANSWER("400 No", "text/plain", "", "0"), .hasty = true});
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", web_port(web));
	fails(KLAMM_ERR_TLS, KLAMM_STAGE_TLS, "wrong version number");
}
END_TEST

static const char *const wrong_urls[] = {
	"",
	"token",
	"ftp://host/",
	"file:///etc/passwd",
	"https://",
	"https://user:hush@host/",
	"https://user@host/",
	"https://ho st/",
	"gopher://x/",
};

START_TEST(a_url_that_is_none)
{
	request.url = wrong_urls[_i];
	fails(KLAMM_ERR_CONFIG, KLAMM_STAGE_CONFIG, "must be http:// or https://");
}
END_TEST

static const struct kl_http_header wrong_headers[] = {
	{"X", "a\r\nY: b"}, {"X", "a\nb"}, {"X:", "a"},
	{"", "a"},          {"X Y", "a"},  {"X\r\nY", "a"},
};

START_TEST(a_header_that_would_be_two)
{
	SERVE(NULL, {WEB_ANSWER("200 OK", "text/plain", "", "0")});
	request.headers = &wrong_headers[_i];
	request.header_count = 1;
	fails(KLAMM_ERR_CONFIG, KLAMM_STAGE_CONFIG, "cannot be sent");
	ck_assert_int_eq(web_count(web), 0);
}
END_TEST

static const struct {
	struct web_act act;
	int code;
	const char *words;
} hostile[] = {
	{{.answer = NULL}, KLAMM_ERR_DISCONNECTED, "without an answer"},
	{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"},
	 KLAMM_ERR_DISCONNECTED,
	 "in the middle of the answer"},
	{{.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		    "ffffffffffffffffff\r\n"},
	 KLAMM_ERR_DISCONNECTED,
	 "in the middle of the answer"},
	{{.answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"},
	 KLAMM_ERR_DISCONNECTED,
	 "in the middle of the answer"},
	{{.answer = "\x15\x03\x01\x02\x02P"},
	 KLAMM_ERR_PROTOCOL,
	 "does not speak HTTP"},
	{{.answer = "SSH-2.0-OpenSSH_9.2\r\n"},
	 KLAMM_ERR_PROTOCOL,
	 "does not speak HTTP"},
	{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n"},
	 KLAMM_ERR_PROTOCOL,
	 ""},
	{{.answer = "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\nabc"},
	 KLAMM_ERR_DISCONNECTED,
	 "in the middle"},
	{{.answer = "HTTP/1.1 200 OK\r\n\r\n0123456789abcdefg"},
	 KLAMM_ERR_LIMIT,
	 "longer than 16 bytes"},
	{{.answer = NULL, .hold = true}, KLAMM_ERR_TIMED_OUT, "waiting for the answer"},
	{{.deaf = true}, KLAMM_ERR_TIMED_OUT, "waiting for the answer"},
	{{.answer = WEB_ANSWER("200 OK", "text/plain", "abcdefg", "7"), .drip_ms = 50},
	 KLAMM_ERR_TIMED_OUT,
	 "the answer was coming in"},
};

START_TEST(a_hostile_peer)
{
	serve(&hostile[_i].act, 1, NULL);
	/* The limit is for those who would go on for ever, after they have been heard. */
	request.wait_ms = hostile[_i].code == KLAMM_ERR_TIMED_OUT ? 1500 : 20000;
	request.answer_max = 16;
	fails(hostile[_i].code, KLAMM_STAGE_API, hostile[_i].words);
}
END_TEST

START_TEST(headers_without_end)
{
	size_t n = 200000;
	char *text = malloc(n + 1);
	strcpy(text, "HTTP/1.1 200 OK\r\n");
	for (size_t i = strlen(text), k = 0; i < n; i++, k++)
		text[i] = "X: abcdefg\n"[k % 11];
	text[n] = '\0';
	struct web_act act = {.answer = text};
	serve(&act, 1, NULL);
	fails(KLAMM_ERR_LIMIT, KLAMM_STAGE_API, "longer than");
	web_free(web);
	web = NULL;
	free(text);
}
END_TEST

START_TEST(tls_that_does_not_come)
{
	SERVE(NULL, {.deaf = true});
	snprintf(url, sizeof(url), "https://127.0.0.1:%d/", web_port(web));
	request.connect_ms = 1000;
	fails(KLAMM_ERR_TIMED_OUT, KLAMM_STAGE_TLS,
	      "TLS was being set up (the limit for connecting");
}
END_TEST

START_TEST(silence_has_a_limit)
{
	SERVE(NULL, {.answer = "HTTP/1.1 200 OK\r\n", .hold = true});
	request.silence_ms = 200;
	fails(KLAMM_ERR_TIMED_OUT, KLAMM_STAGE_API, "the limit for reading");
}
END_TEST

START_TEST(a_drip_is_no_silence)
{
	/* 4 s */
	SERVE(NULL, {.answer = WEB_ANSWER("200 OK", "a/b", "x", "1"), .drip_ms = 50});
	request.silence_ms = 2500;
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "x");
}
END_TEST

START_TEST(nobody_there)
{
	SERVE(NULL, {NULL});
	web_free(web);
	web = NULL;
	fails(KLAMM_ERR_CONNECT, KLAMM_STAGE_TCP, "Connection refused");
	request.url = "http://nothing.invalid/";
	fails(KLAMM_ERR_DNS, KLAMM_STAGE_DNS,
	      "http://nothing.invalid: the name has no address");
}
END_TEST

START_TEST(the_calls_own_limits)
{
	SERVE(NULL, {.hold = true});
	request.call = &call;
	call.wait_ms = 1000;
	fails(KLAMM_ERR_TIMED_OUT, KLAMM_STAGE_API, "waiting for the answer");
	call.wait_ms = -1;
	cancelled = 1;
	fails(KLAMM_ERR_ABORTED, KLAMM_STAGE_LOCAL, "nobody waits");
	cancelled = 0;
	kl_host_closing(&host);
	fails(KLAMM_ERR_ABORTED, KLAMM_STAGE_LOCAL, "nobody waits");
}
END_TEST

/* --- statuses and redirections --- */

static const struct {
	const char *answer;
	int code;
	const char *words;
} statuses[] = {
	{WEB_ANSWER("401 Unauthorized", "application/json",
		    "{\"error\":\n \"invalid_client\"}", "28"),
	 KLAMM_ERR_AUTHENTICATION,
	 ": HTTP status 401 (not authenticated): {\"error\": \"invalid_client\"}"},
	{WEB_ANSWER("503 Busy", "text/html; charset=x", "<p>", "3"), KLAMM_ERR_CONNECT,
	 ": HTTP status 503 (unavailable)"},
	{WEB_ANSWER("429 Slow", "text/plain", "", "0"), KLAMM_ERR_CONNECT,
	 "(too many requests)"},
	{WEB_ANSWER("404 No", "text/plain", "\x01\x80 x", "4"),
	 KLAMM_ERR_AUTHENTICATION, "(not found): ? x"},
	{WEB_ANSWER("302 Found", "text/plain", "", "0"), KLAMM_ERR_AUTHENTICATION,
	 "sends elsewhere"},
	{WEB_ANSWER("501 No", "text/plain", "", "0"), KLAMM_ERR_AUTHENTICATION,
	 "(refused)"},
};

START_TEST(says_what_a_status_means)
{
	struct web_act act = {.answer = statuses[_i].answer};
	serve(&act, 1, NULL);
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(kl_http_check(&request, &answer, &err), statuses[_i].code);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_API);
	ck_assert_msg(strstr(err.text, statuses[_i].words) != NULL, "%s", err.text);
	ck_assert_ptr_null(strstr(err.text, "<p>"));
	ck_assert_ptr_null(strstr(err.text, "hush"));
}
END_TEST

#define MOVED(to)                                                                      \
	"HTTP/1.1 302 Found\r\nLocation: " to "\r\nX-Kind: moved\r\nContent-Length: 4" \
	"\r\nConnection: close\r\n\r\ngone"

START_TEST(follows_when_asked_to)
{
	SERVE(NULL, {MOVED("/other")},
	      {WEB_ANSWER("200 OK", "text/plain", "here", "4")});
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(answer.status, 302);
	ck_assert_int_eq(web_count(web), 1);
	kl_http_free(api, &answer);
	web_free(web);
	SERVE(NULL, {MOVED("/other")},
	      {WEB_ANSWER("200 OK", "text/plain", "here", "4")});
	request.redirects = 3;
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "here");
	char kind[10];
	ck_assert(!kl_http_value(&answer, "X-Kind", kind, sizeof(kind)));
	ck_assert_int_eq(strncmp(web_asked(web, 1), "GET /other ", 11), 0);
}
END_TEST

START_TEST(does_not_follow_to_another_scheme)
{
	SERVE(NULL, {MOVED("file:///etc/passwd")});
	request.redirects = 3;
	fails(KLAMM_ERR_PROTOCOL, KLAMM_STAGE_API, "another scheme");
	web_free(web);
	SERVE(NULL, {MOVED("/again")});
	fails(KLAMM_ERR_PROTOCOL, KLAMM_STAGE_API, "redirects");
	ck_assert_int_eq(web_count(web), 4);
}
END_TEST

START_TEST(a_post_is_not_sent_on)
{
	SERVE(NULL, {MOVED("/other")});
	request.redirects = 3;
	request.method = "POST";
	request.body = (struct klamm_span){"secret", 6};
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(answer.status, 302);
	ck_assert_int_eq(web_count(web), 1);
}
END_TEST

START_TEST(the_environment_sets_no_proxy)
{
	SERVE(NULL, {WEB_ANSWER("200 OK", "text/plain", "direct", "6")});
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	setenv("no_proxy", "*", 1); /* nor takes it one away */
	setenv("NO_PROXY", "*", 1);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "direct");
	kl_http_free(api, &answer);
	char proxy[100];
	snprintf(proxy, sizeof(proxy), "http://127.0.0.1:%d", web_port(web));
	request.proxy = proxy;
	request.url = "http://behind.invalid/x";
	ck_assert_int_eq(ask(), 0);
	ck_assert_int_eq(strncmp(web_asked(web, 1), "GET http://behind.invalid/x ", 28),
			 0);
}
END_TEST

START_TEST(the_environment_sets_a_proxy_when_asked)
{
	SERVE(NULL, {WEB_ANSWER("200 OK", "text/plain", "by proxy", "8")});
	char proxy[100];
	snprintf(proxy, sizeof(proxy), "http://me:hush@127.0.0.1:%d", web_port(web));
	setenv("http_proxy", proxy, 1);
	setenv("no_proxy", "direct.invalid", 1);
	request.proxy_of_environment = true;
	request.url = "http://behind.invalid/x";
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, "by proxy");
	const char *asked = web_asked(web, 0);
	ck_assert_int_eq(strncmp(asked, "GET http://behind.invalid/x ", 28), 0);
	ck_assert_ptr_nonnull(
		strstr(asked, "Proxy-Authorization: Basic bWU6aHVzaA==\r\n"));
	kl_http_free(api, &answer);
	request.url = "http://direct.invalid/x";
	fails(KLAMM_ERR_DNS, KLAMM_STAGE_DNS, "the name has no address");
	/* One that is set goes before it. */
	setenv("http_proxy", "http://127.0.0.1:1", 1);
	request.url = "http://behind.invalid/x";
	request.proxy = proxy;
	ck_assert_int_eq(ask(), 0);
}
END_TEST

static const struct {
	const char *answer;
	int code;
	const char *words;
} proxy_refusals[] = {
	{WEB_ANSWER("407 Who", "text/plain", "", "0"), KLAMM_ERR_AUTHENTICATION,
	 "the proxy does not lead there: HTTP status 407 (it wants a user and a password)"},
	{WEB_ANSWER("403 No", "text/plain", "", "0"), KLAMM_ERR_AUTHENTICATION,
	 "the proxy does not lead there: HTTP status 403"},
	{WEB_ANSWER("502 No", "text/plain", "", "0"), KLAMM_ERR_CONNECT,
	 "the proxy does not lead there: HTTP status 502"},
	{NULL, KLAMM_ERR_CONNECT, "cannot connect to the proxy: Connection refused"},
};

START_TEST(a_proxy_that_does_not_help)
{
	struct web_act act = {.answer = proxy_refusals[_i].answer};
	char proxy[100];
	serve(&act, 1, NULL);
	snprintf(proxy, sizeof(proxy), "http://me:hush@127.0.0.1:%d",
		 act.answer != NULL ? web_port(web) : 1);
	request.url = "https://behind.invalid/x";
	request.proxy = proxy;
	fails(proxy_refusals[_i].code, KLAMM_STAGE_PROXY, proxy_refusals[_i].words);
}
END_TEST

/* What was sent in a header and in the body, and what was answered, is nowhere in
 * memory afterwards: not in libcurl's either. */
START_TEST(nothing_secret_stays_behind)
{
	uint8_t masked[32];
	api->random(api, masked, sizeof(masked));
	char *text = malloc(400), *header = malloc(64);
	for (size_t i = 0; i < sizeof(masked); i++) {
		masked[i] = (uint8_t)('a' + masked[i] % 26) ^ KIT_MASK;
		header[i] = (char)(masked[i] ^ KIT_MASK);
	}
	header[sizeof(masked)] = '\0';
	snprintf(text, 400, WEB_ANSWER("200 OK", "text/plain", "%s", "32"), header);
	struct kit_needle needle = {
		.masked = masked, .len = sizeof(masked), .part = 16};
	struct web_act act = {.answer = text};
	serve(&act, 1, "localhost");
	request.ca_pem = web_pem(web);
	request.headers = &(struct kl_http_header){"Authorization", header};
	request.header_count = 1;
	request.method = "POST";
	request.body = (struct klamm_span){header, 32};
	ck_assert_uint_gt(kit_find_secret(&needle), 0);
	ck_assert_int_eq(ask(), 0);
	ck_assert_str_eq(answer.body, header);
	kl_http_free(api, &answer);
	web_wipe(web);
	explicit_bzero(text, 400);
	explicit_bzero(header, 64);
	ck_assert_uint_eq(kit_find_secret(&needle), 0);
	free(text);
	free(header);
}
END_TEST

UNIT_SUITE(http)
{
	Suite *s = suite_create("http");
	unit_add_fixture(s, gets, up, down);
	unit_add_fixture(s, posts_bytes, up, down);
	unit_add_fixture(s, puts_nothing, up, down);
	unit_add_fixture(s, reads_chunks_and_what_ends_with_the_connection, up, down);
	unit_add_fixture(s, speaks_tls, up, down);
	unit_add_fixture(s, a_stranger_is_refused, up, down);
	unit_add_fixture(s, another_name_is_refused, up, down);
	unit_add_fixture(s, authorities_that_are_none, up, down);
	unit_add_fixture(s, shows_a_certificate, up, down);
	unit_add_fixture(s, plain_words_are_no_tls, up, down);
	unit_add_case(s, "a_url_that_is_none", a_url_that_is_none, up, down,
		      kl_countof(wrong_urls));
	unit_add_case(s, "a_header_that_would_be_two", a_header_that_would_be_two, up,
		      down, kl_countof(wrong_headers));
	unit_add_case(s, "a_hostile_peer", a_hostile_peer, up, down,
		      kl_countof(hostile));
	unit_add_fixture(s, headers_without_end, up, down);
	unit_add_fixture(s, tls_that_does_not_come, up, down);
	unit_add_fixture(s, silence_has_a_limit, up, down);
	unit_add_fixture(s, a_drip_is_no_silence, up, down);
	unit_add_fixture(s, nobody_there, up, down);
	unit_add_fixture(s, the_calls_own_limits, up, down);
	unit_add_case(s, "says_what_a_status_means", says_what_a_status_means, up, down,
		      kl_countof(statuses));
	unit_add_fixture(s, follows_when_asked_to, up, down);
	unit_add_fixture(s, does_not_follow_to_another_scheme, up, down);
	unit_add_fixture(s, a_post_is_not_sent_on, up, down);
	unit_add_fixture(s, the_environment_sets_no_proxy, up, down);
	unit_add_fixture(s, the_environment_sets_a_proxy_when_asked, up, down);
	unit_add_case(s, "a_proxy_that_does_not_help", a_proxy_that_does_not_help, up,
		      down, kl_countof(proxy_refusals));
	unit_add_fixture(s, nothing_secret_stays_behind, up, down);
	return s;
}
