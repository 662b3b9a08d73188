/* SPDX-License-Identifier: BSD-2-Clause */
/* How OAUTHBEARER reaches its token server: whom it believes, what it shows of itself, and the
 * way through a proxy. */
#include <stdlib.h>

#include "tests/client/certs.h"
#include "tests/unit/plugins/oauth.h"
#include "tests/unit/plugins/web.h"

static const struct web_act acts[] = {
	{.status = "200 OK",
	 .body = "{\"access_token\":\"abc\",\"expires_in\":60,\"token_type\":\"Bearer\"}"}};

static struct oauth_bed bed;
static struct web *web;
static struct cert server; /* the server's own, borrowed */
static char url[100];

static void up(void)
{
	certs_up();
	oauth_bed_init(&bed, NULL);
	web = web_new(acts, 1, "localhost");
	server = (struct cert){.cert = web_cert(web)};
	snprintf(url, sizeof(url), "https://localhost:%d/token", web_port(web));
}

/* It asks for a certificate of certs_ca. */
static void up_asking(void)
{
	up();
	web_ask(web, certs_ca.cert);
}

static void down(void)
{
	oauth_bed_free(&bed);
	web_free(web);
	certs_down();
}

static int open_with(const struct setting *more)
{
	static struct setting all[20]; /* read as long as the instance is there */
	size_t k = 0;
	all[k++] = (struct setting){"sasl.oauthbearer.token.endpoint.url", url};
	all[k++] = (struct setting){"sasl.oauthbearer.client.credentials.client.id", "me"};
	all[k++] = (struct setting){"sasl.oauthbearer.client.credentials.client.secret",
				    "hush"};
	all[k++] = (struct setting){"sasl.login.retry.backoff.max.ms", "0"};
	for (; more->key != NULL; more++)
		all[k++] = *more;
	all[k] = (struct setting){NULL};
	return oauth_bed_open(&bed, CLIENT, all);
}

/* A token is got, and more is asked for at once. */
static void works(const struct setting *more)
{
	int before = web_count(web);
	ck_assert_msg(open_with(more) == 0, "%s", bed.err.text);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	ck_assert_ptr_nonnull(strstr(bed.said, "Bearer abc\x01"));
	ck_assert_int_eq(web_count(web), before + 1);
	kl_plugin_close(&bed.instance);
	bed.is_open = false;
}

static void refused(const char *words, const struct setting *more)
{
	ck_assert_int_eq(open_with(more), KLAMM_ERR_CONFIG);
	ck_assert_msg(strstr(bed.err.text, words) != NULL, "%s", bed.err.text);
	ck_assert_ptr_null(strstr(bed.err.text, "secret"));
}

static void fails(int code, const char *words, const struct setting *more)
{
	ck_assert_msg(open_with(more) == 0, "%s", bed.err.text);
	int rc = oauth_bed_begin(&bed);
	ck_assert_msg(rc == code, "%d: %s", rc, bed.err.text);
	ck_assert_msg(strstr(bed.err.text, words) != NULL, "%s", bed.err.text);
	kl_plugin_close(&bed.instance);
	bed.is_open = false;
}
#define WITH(...) ((const struct setting[]){__VA_ARGS__, {NULL}})

START_TEST(opt_https_ca)
{
	works(WITH({"https.ca.pem", web_pem(web)}));
	works(WITH({"https.ca.location", certs_pem("s.pem", &server)}));
	const char *jks = certs_jks("s.jks", &server, false, "secret");
	const char *p12 = certs_pkcs12("s.p12", &server, false, "secret");
	works(WITH({"https.ca.location", jks}));
	works(WITH({"https.ca.location", jks}, {"https.ca.password", "secret"}));
	works(WITH({"https.ca.location", p12}, {"https.ca.password", "secret"}));
	refused("https.ca.location = ", WITH({"https.ca.location", p12}));
	refused("set https.ca.password", WITH({"https.ca.location", p12}));
	refused("https.ca.password does not open the store",
		WITH({"https.ca.location", p12}, {"https.ca.password", "other"}));
	refused("tampered with",
		WITH({"https.ca.location", jks}, {"https.ca.password", "other"}));
	refused("https.ca.location = /nowhere/x: cannot be read",
		WITH({"https.ca.location", "/nowhere/x"}));
	refused("there is no certificate in it",
		WITH({"https.ca.location", certs_file("t.pem", "text", 4)}));
	refused("https.ca.pem: there is no certificate in it", WITH({"https.ca.pem", "x"}));
	fails(KLAMM_ERR_TLS, "TLS: ",
	      WITH({"https.ca.location", certs_pem("f.pem", &certs_foreign)}));
	fails(KLAMM_ERR_TLS, "TLS: ", WITH({NULL}));
}
END_TEST

/* As a .properties file has it. */
START_TEST(authorities_in_one_line)
{
	char *line = strdup(web_pem(web));
	for (char *p = line; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	works(WITH({"https.ca.pem", line}));
	free(line);
}
END_TEST

START_TEST(authorities_are_read_again)
{
	const struct setting *more =
		WITH({"https.ca.location", certs_pem("s.pem", &certs_foreign)});
	ck_assert_int_eq(open_with(more), 0);
	ck_assert_int_eq(oauth_bed_begin(&bed), KLAMM_ERR_TLS);
	certs_pem("s.pem", &server);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
}
END_TEST

START_TEST(opt_https_keystore)
{
	const struct setting ca = {"https.ca.pem", web_pem(web)};
	const char *p12 = certs_pkcs12("c.p12", &certs_client, true, "secret");
	char *chain = certs_text(&certs_client, false), *key = certs_text(&certs_client, true);
	works(WITH(ca, {"https.keystore.location", p12},
		   {"https.keystore.password", "secret"}));
	works(WITH(ca, {"https.keystore.location",
			certs_both("c.pem", &certs_client, &certs_ca)}));
	works(WITH(ca, {"https.keystore.certificate.chain", chain},
		   {"https.keystore.key", key}));
	refused("set https.keystore.password", WITH(ca, {"https.keystore.location", p12}));
	refused("https.keystore.location = ",
		WITH(ca, {"https.keystore.location", certs_pem("o.pem", &certs_client)}));
	refused("there is no private key in it",
		WITH(ca, {"https.keystore.location", certs_pem("o.pem", &certs_client)}));
	refused("https.keystore.key is not set",
		WITH(ca, {"https.keystore.certificate.chain", chain}));
	refused("a key store of type JKS is not read; convert it: keytool",
		WITH(ca, {"https.keystore.location",
			  certs_jks("k.jks", &certs_client, true, "secret")}));
	free(chain);
	free(key);
}
END_TEST

START_TEST(opt_https_key_password)
{
	const struct setting ca = {"https.ca.pem", web_pem(web)};
	char *chain = certs_text(&certs_client, false), *key;
	size_t len;
	const char *path = certs_key("k.pem", &certs_client, "secret");
	FILE *f = fopen(path, "r");
	ck_assert_ptr_nonnull(f);
	key = calloc(1, 4096);
	len = fread(key, 1, 4095, f);
	ck_assert_uint_gt(len, 0);
	fclose(f);
	works(WITH(ca, {"https.keystore.certificate.chain", chain},
		   {"https.keystore.key", key}, {"https.key.password", "secret"}));
	refused("https.keystore.key: the private key is encrypted: set https.key.password",
		WITH(ca, {"https.keystore.certificate.chain", chain},
		     {"https.keystore.key", key}));
	free(chain);
	free(key);
}
END_TEST

START_TEST(opt_https_proxy_url)
{
	struct web *proxy = web_new(acts, 1, NULL);
	char at[100];
	snprintf(at, sizeof(at), "http://me:hush@127.0.0.1:%d", web_port(proxy));
	snprintf(url, sizeof(url), "http://behind.invalid/token");
	ck_assert_int_eq(open_with(WITH({"https.proxy.url", at})), 0);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	const char *asked = web_asked(proxy, 0);
	ck_assert_int_eq(strncmp(asked, "POST http://behind.invalid/token ", 33), 0);
	ck_assert_ptr_nonnull(strstr(asked, "Proxy-Authorization: Basic "));
	kl_plugin_close(&bed.instance);
	bed.is_open = false;
	snprintf(at, sizeof(at), "socks5h://me:hush@127.0.0.1:1");
	fails(KLAMM_ERR_CONNECT, "http://behind.invalid: cannot connect to the proxy: ",
	      WITH({"https.proxy.url", at}));
	/* The environment's, which does as if it were not there for a set one. */
	snprintf(at, sizeof(at), "http://127.0.0.1:%d", web_port(proxy));
	setenv("http_proxy", at, 1);
	ck_assert_int_eq(open_with(WITH({NULL})), 0);
	ck_assert_msg(oauth_bed_begin(&bed) == 0, "%s", bed.err.text);
	ck_assert_int_eq(web_count(proxy), 2);
	web_free(proxy);
}
END_TEST

UNIT_SUITE(oauth_reach)
{
	Suite *s = suite_create("oauth_reach");
	unit_add_fixture(s, opt_https_ca, up, down);
	unit_add_fixture(s, authorities_in_one_line, up, down);
	unit_add_fixture(s, authorities_are_read_again, up, down);
	unit_add_fixture(s, opt_https_keystore, up_asking, down);
	unit_add_fixture(s, opt_https_key_password, up_asking, down);
	unit_add_fixture(s, opt_https_proxy_url, up, down);
	return s;
}
