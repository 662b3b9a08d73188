/* SPDX-License-Identifier: BSD-2-Clause */
/* The keys of TLS, and what connections are worth with them: against the dev broker. */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/net/tls_source.h"
#include "tests/unit/tls/ask.h"

#define CA  ask_pair("ssl.ca.location", ask_ca())
#define OWN ask_pair("ssl.certificate.location", certs_pem("alice.pem", &certs_client))
#define KEY ask_pair("ssl.key.location", certs_key("alice.key", &certs_client, NULL))

/* The broker's address by another name of the same machine. */
static const char *at(const char *host)
{
	static char servers[64];
	snprintf(servers, sizeof(servers), "bootstrap.servers=%s:%s", host,
		 strrchr(world_servers, ':') + 1);
	return servers;
}

/* --- whom we talk to --- */

START_TEST(opt_ssl_ca_location)
{
	ask_works(CA);
	ask_fails("which this machine does not trust", "client.id=x");
	ask_fails("it is not in ssl.ca.location",
		  ask_pair("ssl.ca.location", certs_pem("foreign.pem", &certs_foreign)));
	ask_refused("ssl.ca.location = /no/such: No such file", "ssl.ca.location=/no/such");
	ask_refused("no trusted certificate",
		    ask_pair("ssl.ca.location", certs_file("empty", "\n", 1)));
	ask_works(ask_pair("ssl_cafile", ask_ca())); /* kafka-python's name */
}
END_TEST

START_TEST(opt_security_protocol)
{
	ask_works(CA, "security.protocol=SSL");
	struct klamm_error err;
	int rc = ask(&err, CA, "security.protocol=PLAINTEXT", NULL);
	ck_assert_int_eq(rc, KLAMM_ERR_TLS);
	ck_assert_ptr_nonnull(strstr(err.text, "this listener wants TLS"));
}
END_TEST

START_TEST(opt_ssl_endpoint_identification_algorithm)
{
	ask_works(CA, at("localhost"));
	struct cert other = certs_make((struct cert_spec){
		.name = "x", .names = "DNS:elsewhere.example,IP:10.1.2.3",
		.issuer = &certs_ca});
	world_down();
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("other.pem", &other, NULL)});
	ask_fails("is for elsewhere.example, 10.1.2.3, and not for localhost", CA,
		  at("localhost"));
	ask_fails("and not for 127.0.0.1", CA);
	ask_works(CA, "ssl.endpoint.identification.algorithm=");
	ask_works(CA, "ssl.endpoint.identification.algorithm=none"); /* librdkafka's word */
	ask_refused("must be https", CA, "ssl.endpoint.identification.algorithm=ldap");
	certs_free(&other);
}
END_TEST

START_TEST(opt_ssl_check_hostname)
{
	struct cert other = certs_make(
		(struct cert_spec){.name = "elsewhere.example", .issuer = &certs_ca});
	world_down();
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("other.pem", &other, NULL)});
	ask_fails("is for elsewhere.example, and not for localhost", CA, at("localhost"));
	ask_works(CA, "ssl_check_hostname=False");
	certs_free(&other);
}
END_TEST

START_TEST(opt_enable_ssl_certificate_verification)
{
	ask_fails("does not trust", "enable.ssl.certificate.verification=true");
	ask_works("enable.ssl.certificate.verification=false", at("localhost"));
}
END_TEST

/* What is not looked at is not what others refuse for. */
START_TEST(whatever_is_wrong_is_said_without_verification)
{
	ask_fails("it wants a certificate from this client",
		  "enable.ssl.certificate.verification=false", at("localhost"));
}
END_TEST

START_TEST(expired_and_not_yet_valid)
{
	struct cert old = certs_make((struct cert_spec){.name = "old", .from = -7200,
		.until = -3600, .names = "IP:127.0.0.1", .issuer = &certs_ca});
	struct cert new = certs_make((struct cert_spec){.name = "new", .from = 3600,
		.until = 7200, .names = "IP:127.0.0.1", .issuer = &certs_ca});
	world_down();
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("old.pem", &old, NULL)});
	ask_fails("has expired at 20", CA);
	world_down();
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("new.pem", &new, NULL)});
	ask_fails("is valid from 20", CA);
	certs_free(&old);
	certs_free(&new);
}
END_TEST

START_TEST(opt_ssl_crl_location)
{
	ask_works(CA, ask_pair("ssl.crl.location", certs_crl("none", &certs_ca, NULL)));
	ask_fails("was revoked", CA,
		  ask_pair("ssl.crl.location", certs_crl("crl", &certs_ca, &certs_broker)));
	ask_fails("ssl.crl.location has no current list", CA,
		  ask_pair("ssl.crl.location", certs_crl("other", &certs_foreign, NULL)));
	ask_refused("there is no list in it", CA, ask_pair("ssl.crl.location", ask_ca()));
	/* Behind a damaged one there may be the one that counts. */
	char *list = NULL, *text;
	size_t n;
	const char *path = certs_crl("crl", &certs_ca, &certs_broker);
	ck_assert_int_eq(kl_os_read_file(kl_os_real(), path, SIZE_MAX / 2, &list, &n), 0);
	ck_assert_int_gt(asprintf(&text, "%s-----BEGIN X509 CRL-----\nAAAA\n%s", list,
				  strstr(list, "-----END")), 0);
	ask_refused("list 2 of it is damaged", CA,
		    ask_pair("ssl.crl.location", certs_file("damaged", text, strlen(text))));
	free(list);
	free(text);
}
END_TEST

/* What is taken out of a folder is not trusted any more: it counts as a change. */
START_TEST(folders_are_read_again)
{
	char *folder = unit_tmp(), file[PATH_MAX];
	const struct kl_tls_spec spec = {
		.trust = {.key = "ssl.ca.location", .file = folder, .type = KL_STORE_PEM}};
	static const struct kl_log no_log;
	struct kl_tls_source *source;
	uint8_t digest[KL_TLS_DIGEST], next[KL_TLS_DIGEST];
	SSL_CTX *ctx;
	snprintf(file, sizeof(file), "%s/ca.pem", folder);
	ck_assert_int_eq(symlink(ask_ca(), file), 0);
	ck_assert_int_eq(kl_tls_source_new(&spec, kl_os_real(), &source, NULL), 0);
	for (int changed = 1; changed >= 0; changed--) {
		ck_assert_int_eq(kl_tls_source_load(source, changed ? NULL : digest, &no_log,
						    &ctx, digest, NULL), 0);
		ck_assert_int_eq(ctx != NULL, changed);
		SSL_CTX_free(ctx);
	}
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(kl_tls_source_load(source, digest, &no_log, &ctx, next, NULL), 0);
	ck_assert_ptr_nonnull(ctx);
	SSL_CTX_free(ctx);
	kl_tls_source_unref(source);
	free(folder);
}
END_TEST

/* A broker's certificate through one between it and the CA, and one that is trusted itself. */
START_TEST(chains_and_leaves)
{
	struct cert leaf = certs_make((struct cert_spec){.name = "leaf",
		.names = "IP:127.0.0.1"}); /* signed by itself */
	world_down();
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("leaf.pem", &leaf, NULL)});
	ask_fails("was issued by /CN=leaf", CA);
	ask_works(ask_pair("ssl.ca.location", certs_pem("trusted.pem", &leaf)));
	certs_free(&leaf);
}
END_TEST

/* --- how --- */

START_TEST(opt_ssl_enabled_protocols)
{
	ask_works(CA, "ssl.enabled.protocols=TLSv1.2");
	ask_works(CA, "ssl.enabled.protocols=TLSv1.3");
	ask_works(CA, "ssl.enabled.protocols=TLSv1.2,TLSv1.1,TLSv1"); /* what was good once */
	ask_refused("nothing below TLSv1.2", CA, "ssl.enabled.protocols=TLSv1,TLSv1.1");
	ask_refused("there is no TLSv9", CA, "ssl.enabled.protocols=TLSv9");
}
END_TEST

START_TEST(opt_ssl_cipher_suites)
{
	ask_works(CA, "ssl.cipher.suites=TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384");
	ask_works(CA, "ssl.cipher.suites=TLS_AES_128_GCM_SHA256,TLS_CHACHA20_POLY1305_SHA256");
	ask_works(CA, "ssl_ciphers=ECDHE+AESGCM:!aNULL");
	ask_refused("none of them is for a version", CA, "ssl.enabled.protocols=TLSv1.2",
		    "ssl.cipher.suites=TLS_AES_128_GCM_SHA256");
	/* The broker's key is of another kind. */
	ask_fails("a cipher that is not offered here", CA, "ssl.enabled.protocols=TLSv1.2",
		  "ssl.cipher.suites=TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384");
	ask_refused("OpenSSL knows none", CA, "ssl.cipher.suites=SSL_RSA_WITH_NOTHING");
}
END_TEST

/* --- who we are --- */

START_TEST(opt_ssl_certificate_location)
{
	ask_works(CA, OWN, KEY);
	ask_works(CA, ask_pair("ssl_certfile", certs_both("both.pem", &certs_client, NULL)));
	ask_fails("it wants a certificate from this client", CA);
	ask_fails("it wants a certificate from this client", CA,
		  "ssl.enabled.protocols=TLSv1.2");
	ask_refused("there is no certificate in it", CA,
		    ask_pair("ssl.certificate.location",
			     certs_key("only.key", &certs_client, NULL)));
}
END_TEST

START_TEST(a_client_of_another_issuer_is_refused)
{
	struct cert bob = certs_make((struct cert_spec){
		.name = "bob", .issuer = &certs_foreign});
	for (int i = 0; i < 2; i++)
		ask_fails("does not take this client's certificate", CA,
			  ask_pair("ssl.certificate.location",
				   certs_both("bob.pem", &bob, NULL)),
			  i == 0 ? "ssl.enabled.protocols=TLSv1.2" : "client.id=x");
	certs_free(&bob);
}
END_TEST

START_TEST(opt_ssl_key_location)
{
	ask_works(CA, OWN, KEY);
	ask_refused("there is no private key in it", CA, OWN,
		    ask_pair("ssl.key.location", ask_ca()));
	ask_refused("does not belong to the certificate", CA, OWN,
		    ask_pair("ssl.key.location", certs_key("b.key", &certs_broker, NULL)));
	ask_refused("a private key needs a certificate, too", CA, KEY);
}
END_TEST

START_TEST(opt_ssl_key_password)
{
	const char *locked =
		ask_pair("ssl.key.location", certs_key("locked", &certs_client, "hunter2"));
	ask_works(CA, OWN, locked, "ssl.key.password=hunter2");
	ask_refused("the private key is encrypted: set ssl.key.password", CA, OWN, locked);
	ask_refused("ssl.key.password does not open the private key", CA, OWN, locked,
		    "ssl.key.password=hunter3");
}
END_TEST

/* --- texts --- */

/* In one line, as Java's examples have it: blanks where ends of lines were. */
static char *folded(char *text)
{
	for (char *p = text; *p != '\0'; p++)
		if (*p == '\n')
			*p = ' ';
	return text;
}

START_TEST(opt_ssl_truststore_certificates)
{
	char *text = certs_text(&certs_ca, false);
	ask_works(ask_pair("ssl.truststore.certificates", text));
	ask_works(ask_pair("ssl.truststore.certificates", folded(text)),
		  "ssl.truststore.type=PEM");
	text[60] = '!';
	ask_refused("certificate 1 of it is damaged",
		    ask_pair("ssl.truststore.certificates", text));
	ask_refused("only one of them may be set", CA,
		    ask_pair("ssl.truststore.certificates", text));
	free(text);
}
END_TEST

START_TEST(opt_ssl_keystore_key)
{
	char *cert = certs_text(&certs_client, false), *key = certs_text(&certs_client, true);
	ask_works(CA, ask_pair("ssl.keystore.certificate.chain", cert),
		  ask_pair("ssl.keystore.key", key));
	ask_works(CA, ask_pair("ssl.keystore.certificate.chain", folded(cert)),
		  ask_pair("ssl.keystore.key", folded(key)), "ssl.keystore.type=PEM");
	free(key);
	key = certs_text(&certs_broker, true);
	ask_refused("ssl.keystore.key: the private key does not belong", CA,
		    ask_pair("ssl.keystore.certificate.chain", cert),
		    ask_pair("ssl.keystore.key", key));
	free(cert);
	free(key);
}
END_TEST

START_TEST(opt_ssl_keystore_certificate_chain)
{
	char *cert = certs_text(&certs_client, false);
	ask_refused("there is no private key in it", CA,
		    ask_pair("ssl.keystore.certificate.chain", cert));
	ask_works(CA, ask_pair("ssl.certificate.pem", cert), KEY);
	free(cert);
}
END_TEST

/* --- Java's stores --- */

START_TEST(opt_ssl_truststore_location)
{
	const char *p12 = ask_pair("ssl.truststore.location",
				   certs_pkcs12("t.p12", &certs_ca, false, "secret"));
	const char *jks = ask_pair("ssl.truststore.location",
				   certs_jks("t.jks", &certs_ca, false, "secret"));
	ask_works(p12, "ssl.truststore.password=secret");
	ask_works(jks, "ssl.truststore.password=secret");
	ask_works(jks); /* nobody looks at the digest then */
	ask_fails("it is not in ssl.truststore.location",
		  ask_pair("ssl.truststore.location",
			   certs_jks("f.jks", &certs_foreign, false, "secret")));
	ask_works(ask_pair("ssl.truststore.location", ask_ca()), "ssl.truststore.type=PEM");
}
END_TEST

START_TEST(opt_ssl_truststore_password)
{
	const char *p12 = ask_pair("ssl.truststore.location",
				   certs_pkcs12("t.p12", &certs_ca, false, "secret"));
	const char *jks = ask_pair("ssl.truststore.location",
				   certs_jks("t.jks", &certs_ca, false, "secret"));
	ask_refused("the store has a password: set ssl.truststore.password", p12);
	ask_refused("ssl.truststore.password does not open the store", p12,
		    "ssl.truststore.password=wrong");
	ask_refused("the password is wrong, or the file was tampered with", jks,
		    "ssl.truststore.password=wrong");
}
END_TEST

START_TEST(opt_ssl_truststore_type)
{
	const char *pem = ask_pair("ssl.truststore.location", ask_ca());
	const char *jks = ask_pair("ssl.truststore.location",
				   certs_jks("t.jks", &certs_ca, false, "secret"));
	ask_refused("for PEM set the type to PEM", pem);
	ask_works(pem, "ssl.truststore.type=pem");
	ask_works(jks, "ssl.truststore.type=PKCS12"); /* as Java, which looks inside */
	ask_refused("it is not PEM", jks, "ssl.truststore.type=PEM");
}
END_TEST

START_TEST(opt_ssl_keystore_location)
{
	const char *p12 = ask_pair("ssl.keystore.location",
				   certs_pkcs12("k.p12", &certs_client, true, "secret"));
	ask_works(CA, p12, "ssl.keystore.password=secret", "ssl.key.password=secret");
	ask_works(CA, ask_pair("ssl.keystore.location",
			       certs_both("k.pem", &certs_client, &certs_ca)),
		  "ssl.keystore.type=PEM");
	ask_refused("keytool -importkeystore -srckeystore", CA,
		    ask_pair("ssl.keystore.location",
			     certs_jks("k.jks", &certs_client, true, "secret")),
		    "ssl.keystore.password=secret");
	ask_refused("only one of them may be set", CA, p12, OWN);
}
END_TEST

START_TEST(opt_ssl_keystore_password)
{
	const char *p12 = ask_pair("ssl.keystore.location",
				   certs_pkcs12("k.p12", &certs_client, true, "secret"));
	ask_works(CA, p12, "ssl.keystore.password=secret");
	ask_refused("set ssl.keystore.password", CA, p12);
	ask_refused("ssl.keystore.password does not open the store", CA, p12,
		    "ssl.keystore.password=wrong");
}
END_TEST

START_TEST(opt_ssl_keystore_type)
{
	const char *pem = ask_pair("ssl.keystore.location",
				   certs_both("k.pem", &certs_client, NULL));
	ask_works(CA, pem, "ssl.keystore.type=PEM");
	ask_refused("for PEM set the type to PEM", CA, pem, "ssl.keystore.type=PKCS12");
}
END_TEST

UNIT_SUITE(options)
{
	Suite *s = suite_create("options");
	unit_add_fixture(s, opt_ssl_ca_location, ask_up, ask_down);
	unit_add_fixture(s, opt_security_protocol, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_endpoint_identification_algorithm, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_check_hostname, ask_up, ask_down);
	unit_add_fixture(s, opt_enable_ssl_certificate_verification, ask_up, ask_down);
	unit_add_fixture(s, whatever_is_wrong_is_said_without_verification, ask_up_mutual,
			 ask_down);
	unit_add_fixture(s, expired_and_not_yet_valid, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_crl_location, ask_up, ask_down);
	unit_add_fixture(s, folders_are_read_again, ask_up, ask_down);
	unit_add_fixture(s, chains_and_leaves, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_enabled_protocols, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_cipher_suites, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_certificate_location, ask_up_mutual, ask_down);
	unit_add_fixture(s, a_client_of_another_issuer_is_refused, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_key_location, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_key_password, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_truststore_certificates, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_keystore_key, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_keystore_certificate_chain, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_truststore_location, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_truststore_password, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_truststore_type, ask_up, ask_down);
	unit_add_fixture(s, opt_ssl_keystore_location, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_keystore_password, ask_up_mutual, ask_down);
	unit_add_fixture(s, opt_ssl_keystore_type, ask_up_mutual, ask_down);
	return s;
}
