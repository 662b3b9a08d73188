/* SPDX-License-Identifier: BSD-2-Clause */
/* Java's line of login module and options, and the keys that it gives values to. */
#include "core/conf/jaas.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/conf/conf.h"
#include "tests/unit/conf/fixture.h"

#define PLAIN "org.apache.kafka.common.security.plain.PlainLoginModule"

/* --- the grammar; Kafka's own JaasConfig says the same of each --- */

/* "module|name=value|..." */
static const struct {
	const char *text, *want;
} good[] = {
	{"a.B required;", "a.B"},
	{"a.B required ;", "a.B"},
	{" a.B\n REQUIRED\tk = v ;\n", "a.B|k=v"},
	{"a.B requisite k=v k2=v2;", "a.B|k=v|k2=v2"},
	{"a.B sufficient k=\"v w\";", "a.B|k=v w"},
	{"a.B optional k='v;w=\"x';", "a.B|k=v;w=\"x"},
	{"a.B required k=\"\";", "a.B|k="},
	{"a.B required k=\"a\\\"b\\\\c\\'d\";", "a.B|k=a\"b\\c'd"},
	{"a.B required k=\"\\x\\101\\60z\\7\\400\";", "a.B|k=xA0z\7\40"
						      "0"},
	{"a.B required k=\"\\t\\n\\r\\f\\a\\b\\v\";", "a.B|k=\t\n\r\f\a\b\v"},
	{"a.B required k=a-b_c.d$e9;", "a.B|k=a-b_c.d$e9"},
	{"a.B required \"k\"=v;", "a.B|k=v"},
	{"a.B required k=caf\xc3\xa9;", "a.B|k=caf\xc3\xa9"},
	{"a.B required // comment\n k=v /* more */ ;", "a.B|k=v"},
	{"a.B required / comment, too\n k=v;", "a.B|k=v"},
	{"a.B required k=v/w\n;", "a.B|k=v"},
	{"a.B required k=\"http://x/*y*/\";", "a.B|k=http://x/*y*/"},
	{"a.B required k=\"open\n;", "a.B|k=open"},
	{"a.B required k=v k=w;", "a.B|k=v|k=w"},
};

START_TEST(reads_what_java_reads)
{
	KL_AUTO(kl_buf_free) struct kl_buf why = {0}, got = {0};
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas;
	ck_assert_msg(kl_jaas_parse(good[_i].text, &jaas, &why), "%s: %s",
		      good[_i].text, kl_buf_text(&why));
	kl_buf_printf(&got, "%s", jaas.module);
	for (size_t i = 0; i < jaas.count; i++)
		kl_buf_printf(&got, "|%s=%s", jaas.options[i].name,
			      jaas.options[i].value);
	ck_assert_str_eq(kl_buf_text(&got), good[_i].want);
}
END_TEST

/* Words that must not come back in what is told of them. */
static const struct {
	const char *text, *why;
} bad[] = {
	{"", "must begin with the class"},
	{";", "must begin with the class"},
	{"hunter2", "must have required"},
	{"a.B hunter2 k=v;", "must have required"},
	{"a.B ; k=v;", "must have required"},
	{"a.B required", "must end with a semicolon"},
	{"a.B required k=hunter2", "must end with a semicolon"},
	{"a.B required k hunter2;", "must have = behind"},
	{"a.B required k;", "must have = behind"},
	{"a.B required k=;", "must have the value"},
	{"a.B required k=", "must have the value"},
	{"a.B required k=12345;", "anything but a word goes in quotes"},
	{"a.B required k=1hunter2;", "anything but a word goes in quotes"},
	{"a.B required k=#hunter2;", "anything but a word goes in quotes"},
	{"a.B required k=hunter2!;", "must have the name of an option"},
	{"a.B required k=\"open;\n", "must end with a semicolon"},
	{"a.B required k=v; c.D required;", "must hold one login module"},
};

START_TEST(says_what_is_wrong_and_no_more)
{
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas;
	ck_assert_msg(!kl_jaas_parse(bad[_i].text, &jaas, &why), "%s", bad[_i].text);
	ck_assert_msg(strstr(kl_buf_text(&why), bad[_i].why) != NULL, "%s: %s",
		      bad[_i].text, kl_buf_text(&why));
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&why), ", before character "));
	ck_assert_ptr_null(strstr(kl_buf_text(&why), "hunter2"));
}
END_TEST

START_TEST(has_a_limit_of_options)
{
	KL_AUTO(kl_buf_free) struct kl_buf why = {0}, text = {0};
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas;
	kl_buf_printf(&text, "a.B required");
	for (int i = 0; i <= KL_JAAS_OPTIONS; i++)
		kl_buf_printf(&text, " k%d=v", i);
	kl_buf_printf(&text, ";");
	ck_assert(!kl_jaas_parse(kl_buf_text(&text), &jaas, &why));
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&why), "too many options"));
}
END_TEST

/* --- as a value of the configuration --- */

static void set(const char *key, const char *value)
{
	ck_assert_msg(klamm_conf_set(conf, key, value, &err) == 0, "%s", err.text);
}

static void check_secret(const char *want)
{
	char *secret;
	int rc = kl_conf_read_secret(conf, "sasl.password", &secret, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(secret, want);
	kl_wipe_text(secret);
}

START_TEST(gives_values_to_keys)
{
	set("sasl.jaas.config",
	    PLAIN " required username=\"alice\" password=\" hunter2 \""
		  " user_bob=\"x\" serviceName=kafka;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "alice");
	ck_assert_str_eq(klamm_conf_get(conf, "sasl_plain_username"), "alice");
	ck_assert(kl_conf_is_set(conf, "sasl.password"));
	ck_assert_str_eq(klamm_conf_get(conf, "sasl.password"), "[hidden]");
	ck_assert_str_eq(klamm_conf_get(conf, "sasl.jaas.config"), "[hidden]");
	check_secret(" hunter2 ");
	struct klamm_conf *first = conf;
	ck_assert_int_eq(klamm_conf_copy(first, &conf, &err), 0);
	klamm_conf_free(first);
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "alice");
	check_secret(" hunter2 ");
}
END_TEST

START_TEST(keys_of_their_own_go_first)
{
	set("sasl.username", "bob");
	set("sasl.jaas.config", PLAIN " required username=alice password=one;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "bob");
	check_secret("one");
	set("sasl.password", "two");
	check_secret("two");
}
END_TEST

#define SCRAM "org.apache.kafka.common.security.scram.ScramLoginModule"

START_TEST(knows_scram_and_its_tokens)
{
	set("sasl.jaas.config", SCRAM " required username=\"Id\" password=\"aG1hYw==\" "
				      "tokenauth=\"TRUE\";");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "Id");
	check_secret("aG1hYw==");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.scram.tokenauth"), "TRUE");
	set("sasl.jaas.config", SCRAM " required username=alice password=hunter2;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.scram.tokenauth"), "false");
	set("sasl.jaas.config", PLAIN " required username=a password=b tokenauth=true;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.scram.tokenauth"), "false");
}
END_TEST

START_TEST(a_later_line_replaces_all_of_it)
{
	set("sasl.jaas.config", PLAIN " required username=alice password=one;");
	set("sasl.jaas.config", PLAIN " required username=carol;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "carol");
	ck_assert(!kl_conf_is_set(conf, "sasl.password"));
	char *secret;
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.password", &secret, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "sasl.password is not set");
	set("sasl.jaas.config", ""); /* as a template leaves it */
	ck_assert(!kl_conf_is_set(conf, "sasl.username"));
}
END_TEST

#define KRB5 "com.sun.security.auth.module.Krb5LoginModule required "

/* Sun's module has switches for where it looks. */
START_TEST(knows_kerberos)
{
	set("sasl.jaas.config",
	    KRB5 "useKeyTab=true storeKey=true keyTab=\"/etc/alice.keytab\" "
		 "principal=\"alice@R\" serviceName=broker;");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.kerberos.keytab"),
			 "/etc/alice.keytab");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.kerberos.principal"), "alice@R");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.kerberos.service.name"), "broker");
	ck_assert(!kl_conf_is_set(conf, "sasl.kerberos.ccache"));
	set("sasl.jaas.config",
	    KRB5 "useTicketCache=TRUE ticketCache=\"/tmp/cc\" useKeyTab=false "
		 "keyTab=\"/etc/alice.keytab\";");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.kerberos.ccache"), "/tmp/cc");
	ck_assert(!kl_conf_is_set(conf, "sasl.kerberos.keytab"));
	ck_assert(!kl_conf_is_set(conf, "sasl.kerberos.principal"));
	set("sasl.jaas.config", KRB5 "keyTab=\"/etc/alice.keytab\";");
	ck_assert(!kl_conf_is_set(conf, "sasl.kerberos.keytab"));
}
END_TEST

static void write_secret(const char *file, const char *line)
{
	FILE *f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_eq(fchmod(fileno(f), 0600), 0);
	fputs(line, f);
	ck_assert_int_eq(fclose(f), 0);
}

/* As Java files have it, with a variable inside; it is read again each time. */
START_TEST(comes_in_files)
{
	char *folder = unit_tmp(), file[300], text[1000];
	snprintf(file, sizeof(file), "%s/secrets", folder);
	write_secret(file, "p = first\n");
	snprintf(text, sizeof(text),
		 "security.protocol=SASL_PLAINTEXT\n"
		 "sasl.mechanism=PLAIN\n"
		 "sasl.jaas.config=" PLAIN " required \\\n"
		 "    username=\"alice\" \\\n"
		 "    password=\"${file:%s:p}\";\n",
		 file);
	ck_assert_msg(klamm_conf_load_text(conf, "client.properties", text,
					   strlen(text), NULL, NULL, &err) == 0,
		      "%s", err.text);
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.username"), "alice");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.mechanism"), "PLAIN");
	check_secret("first");
	write_secret(file, "p = second\n");
	check_secret("second");
	write_secret(file, "p = broken\";\n");
	char *secret;
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.password", &secret, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(
		strstr(err.text, "sasl.jaas.config: must hold one login module"));
	remove(file);
	free(folder);
}
END_TEST

START_TEST(is_checked_when_it_is_set)
{
	static const struct {
		const char *value, *text;
	} cases[] = {
		{"alice hunter2",
		 "sasl.jaas.config = [hidden]: must have required, requisite, "
		 "sufficient or optional behind the login module, before "
		 "character 14"},
		{"hunter2 required;",
		 "sasl.jaas.config = [hidden]: must begin with the class of a login module"},
		{"com.sun.security.auth.module.LdapLoginModule required;",
		 "sasl.jaas.config = [hidden]: the login module LdapLoginModule is not "
		 "supported by this version of klamm"},
	};
	ck_assert_int_eq(
		klamm_conf_set(conf, "sasl.jaas.config", cases[_i].value, &err),
		KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, cases[_i].text);
	ck_assert(!kl_conf_is_set(conf, "sasl.jaas.config"));
}
END_TEST

static void has_secret(const char *key, const char *text)
{
	char *secret;
	int rc = kl_conf_read_secret(conf, key, &secret, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(secret, text);
	kl_wipe_text(secret);
}

START_TEST(knows_oauthbearer_and_its_open_options)
{
	set("sasl.jaas.config",
	    "org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required "
	    "clientId=\"me\" clientSecret=\"hush hush\" scope=\"a b\" "
	    "extension_trace=\"x y\\\\z\" unknown=\"1\" "
	    "unsecuredLoginStringClaim_sub=\"al ice\";");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.oauthbearer.client.credentials.client.id"),
			 "me");
	ck_assert_str_eq(kl_conf_lookup(conf, "sasl.oauthbearer.scope"), "a b");
	has_secret("sasl.oauthbearer.client.credentials.client.secret", "hush hush");
	has_secret("sasl.oauthbearer.config",
		   "extension_trace=x\\ y\\\\z unsecuredLoginStringClaim_sub=al\\ ice");
	ck_assert_str_eq(klamm_conf_get(conf, "sasl.oauthbearer.config"), "[hidden]");
	/* A key of its own goes first. */
	set("sasl.oauthbearer.client.secret", "mine");
	has_secret("sasl.oauthbearer.client.credentials.client.secret", "mine");
	/* What Java's client reaches a token server with. */
	set("sasl.jaas.config",
	    "x.OAuthBearerLoginModule required ssl.truststore.location=\"/t.jks\" "
	    "ssl.truststore.password=\"t\" ssl.truststore.type=\"JKS\" "
	    "ssl.keystore.location=\"/k.p12\" ssl.keystore.password=\"k\" "
	    "ssl.key.password=\"p\" ssl.keystore.key=\"key\" "
	    "ssl.keystore.certificate.chain=\"chain\" ssl.truststore.certificates=\"ca\";");
	ck_assert_str_eq(kl_conf_lookup(conf, "https.ca.location"), "/t.jks");
	ck_assert_str_eq(kl_conf_lookup(conf, "https.keystore.location"), "/k.p12");
	has_secret("https.ca.password", "t");
	has_secret("https.ca.pem", "ca");
	has_secret("https.keystore.password", "k");
	has_secret("https.key.password", "p");
	has_secret("https.keystore.key", "key");
	has_secret("https.keystore.certificate.chain", "chain");
	/* Without any option it is a module all the same, as Kafka's documents have it. */
	set("sasl.jaas.config", "x.OAuthBearerLoginModule required ;");
	ck_assert_ptr_null(klamm_conf_get(conf, "sasl.oauthbearer.config"));
}
END_TEST

UNIT_SUITE(jaas)
{
	Suite *s = suite_create("jaas");
	unit_add_loop(s, reads_what_java_reads, (int)kl_countof(good));
	unit_add_loop(s, says_what_is_wrong_and_no_more, (int)kl_countof(bad));
	unit_add(s, has_a_limit_of_options);
	unit_add_fixture(s, gives_values_to_keys, conf_up, conf_down);
	unit_add_fixture(s, knows_scram_and_its_tokens, conf_up, conf_down);
	unit_add_fixture(s, knows_oauthbearer_and_its_open_options, conf_up, conf_down);
	unit_add_fixture(s, keys_of_their_own_go_first, conf_up, conf_down);
	unit_add_fixture(s, a_later_line_replaces_all_of_it, conf_up, conf_down);
	unit_add_fixture(s, knows_kerberos, conf_up, conf_down);
	unit_add_fixture(s, comes_in_files, conf_up, conf_down);
	unit_add_case(s, "is_checked_when_it_is_set", is_checked_when_it_is_set,
		      conf_up, conf_down, 3);
	return s;
}
