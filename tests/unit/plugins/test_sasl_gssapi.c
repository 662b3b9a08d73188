/* SPDX-License-Identifier: BSD-2-Clause */
/* GSSAPI without a KDC: what its messages say, names, options. And, in a suite of its own
 * for tests/interop/test_kerberos.py, which has one: both halves against peers who have
 * good tickets and bad manners. */
#include <stdlib.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "core/base/sink.h"
#include "plugins/sasl_gssapi/layer.h"
#include "plugins/sasl_gssapi/short_name.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

#define BYTES(text) (const uint8_t *)(text), sizeof(text) - 1

/* --- what is wrapped in the last two messages --- */

static const struct {
	const uint8_t *p;
	size_t n;
	const char *wrong;
} offers[] = {
	{BYTES("\1\0\0\0"), NULL},
	{BYTES("\1\1\0\0"), NULL}, /* Java's */
	{BYTES("\7\xff\xff\xff"), NULL},
	{BYTES("\3\0\0\0"), NULL},
	{BYTES("\2\0\1\0"), "insists on a security layer"},
	{BYTES("\6\0\1\0"), "insists on a security layer"},
	{BYTES("\0\0\0\0"), "insists on a security layer"},
	{BYTES(""), "too short"},
	{BYTES("\1\0\0"), "too short"},
	{BYTES("\1\0\0\0\0"), "too long"},
};

/* Exactly as long: what is read behind it is seen by the sanitizers. */
static uint8_t *exactly(const uint8_t *p, size_t n)
{
	uint8_t *copy = malloc(n > 0 ? n : 1);
	ck_assert_ptr_nonnull(copy);
	memcpy(copy, p, n);
	return copy;
}

START_TEST(an_offer_has_to_let_us_do_without)
{
	struct kl_gss_layer layer;
	uint8_t *p = exactly(offers[_i].p, offers[_i].n);
	const char *why = kl_gss_layer_read_offer(p, offers[_i].n, &layer);
	if (offers[_i].wrong == NULL) {
		ck_assert_ptr_null(why);
		ck_assert_uint_eq(layer.layers, offers[_i].p[0]);
	} else {
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_nonnull(strstr(why, offers[_i].wrong));
	}
	free(p);
}
END_TEST

static const struct {
	const uint8_t *p;
	size_t n;
	const char *authzid, *wrong;
} answers[] = {
	{BYTES("\1\0\0\0"), "", NULL},
	{BYTES("\1\1\0\0alice@R"), "alice@R", NULL},
	{BYTES("\1\0\0"), NULL, "too short"},
	{BYTES("\0\0\0\0"), NULL, "not offered"},
	{BYTES("\2\0\1\0"), NULL, "not offered"},
	{BYTES("\3\0\1\0"), NULL, "not offered"},
	{BYTES("\1\0\0\0a\0b"), NULL, "NUL"},
};

START_TEST(an_answer_takes_what_was_offered)
{
	struct kl_gss_layer layer;
	uint8_t *p = exactly(answers[_i].p, answers[_i].n);
	const char *why = kl_gss_layer_read_answer(p, answers[_i].n, &layer);
	if (answers[_i].wrong == NULL) {
		ck_assert_ptr_null(why);
		ck_assert_uint_eq(layer.authzid_len, strlen(answers[_i].authzid));
		ck_assert_mem_eq(layer.authzid, answers[_i].authzid, layer.authzid_len);
	} else {
		ck_assert_ptr_nonnull(why);
		ck_assert_ptr_nonnull(strstr(why, answers[_i].wrong));
	}
	free(p);
}
END_TEST

START_TEST(a_name_has_an_end)
{
	uint8_t text[KL_GSS_LAYER_SIZE + KL_GSS_AUTHZID_MAX + 1];
	struct kl_gss_layer layer;
	memset(text, 'a', sizeof(text));
	kl_gss_layer_write(text);
	unit_check_hex(text, KL_GSS_LAYER_SIZE, "01 00 00 00");
	ck_assert_ptr_null(kl_gss_layer_read_answer(text, sizeof(text) - 1, &layer));
	ck_assert_ptr_nonnull(kl_gss_layer_read_answer(text, sizeof(text), &layer));
}
END_TEST

/* As Kafka's KerberosShortNamer. */
static const struct {
	const char *rules, *principal, *realm, *user; /* user NULL: it has none */
} principals[] = {
	{NULL, "alice@R.ORG", "R.ORG", "alice"},
	{"", "kafka/broker1@R.ORG", "R.ORG", "kafka"},
	{"DEFAULT", "alice@OTHER", "R.ORG", NULL},
	{NULL, "alice@r.org", "R.ORG", NULL},
	{NULL, "alice@R.ORG.X", "R.ORG", NULL},
	{NULL, "alice@", "", NULL},
	{NULL, "alice", "R.ORG", NULL},
	{NULL, "", "R.ORG", NULL},
	{NULL, "@R.ORG", "R.ORG", NULL},
	{NULL, "/x@R.ORG", "R.ORG", NULL},
	{NULL, "a/b/c@R.ORG", "R.ORG", NULL},
	{NULL, "a@R/ORG", "R/ORG", NULL},
	{NULL, "alice@R.ORG@R.ORG", "R.ORG", NULL},
	{NULL, "a\\@b@R.ORG", "R.ORG", NULL}, /* a name that has @ in it */
	/* formats */
	{"RULE:[1:$1]", "alice@OTHER", "R.ORG", "alice"},
	{"RULE:[1:$1]", "alice/x@OTHER", "R.ORG", NULL},
	{"RULE:[2:$1.$2]", "alice/x@OTHER", "R.ORG", "alice.x"},
	{"RULE:[2:$2]", "alice/@OTHER", "R.ORG", NULL},
	{"RULE:[1:App.$1],DEFAULT", "service/x@R.ORG", "R.ORG", "service"},
	{"RULE:[1:all]", "alice@OTHER", "R.ORG", "all"},
	/* whole matches */
	{"RULE:[1:$1@$0](.*@OTHER)s/@.*//", "alice@OTHER", "R.ORG", "alice"},
	{"RULE:[1:$1@$0](.*@OTHE)s/@.*//", "alice@OTHER", "R.ORG", NULL},
	{"RULE:[1:$1@$0](lice@OTHER)s/@.*//, DEFAULT", "alice@R.ORG", "R.ORG", "alice"},
	{"RULE:[1:$1](a|alice)", "alice@OTHER", "R.ORG", "alice"},
	/* changes */
	{"RULE:[1:$1]s/a/b/", "banana@X", "R.ORG", "bbnana"},
	{"RULE:[1:$1]s/a/b/g", "banana@X", "R.ORG", "bbnbnb"},
	{"RULE:[1:$1]s/x*/-/g", "abc@X", "R.ORG", "-a-b-c-"},
	{"RULE:[1:$1]s/(b)(x)?(a)/$3$2$1/", "banana@X", "R.ORG", "abnana"},
	{"RULE:[1:$1]s/(a)n/$12\\$\\n/", "banana@X", "R.ORG", "ba2$nana"},
	{"RULE:[1:$1]s/^.*$//", "alice@X", "R.ORG", NULL},
	{"RULE:[1:$1@$0]s/x/y/,DEFAULT", "alice@R.ORG", "R.ORG", NULL}, /* not simple */
	/* cases */
	{"RULE:[1:$1]/L", "Alice@X", "R.ORG", "alice"},
	{"RULE:[1:$1]U", "Alice@X", "R.ORG", "ALICE"},
	{"RULE:[1:$1]s/A/b/g/L", "AliceA@X", "R.ORG", "bliceb"},
	{"RULE:[1:$1]s/A/b/L", "AliceA@X", "R.ORG", "blicea"},
	{"RULE:[1:$1]/", "Alice@X", "R.ORG", "Alice"},
	/* which takes too long */
	{"RULE:[1:$1]s/(a+)+$/x/,DEFAULT", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaac@R.ORG",
	 "R.ORG", NULL},
};

START_TEST(opt_sasl_kerberos_principal_to_local_rules)
{
	struct kl_gss_rules *rules;
	struct klamm_error why;
	KL_TEXT_AUTO user = {0};
	size_t len = strlen(principals[_i].principal);
	char *p = (char *)exactly((const uint8_t *)principals[_i].principal, len);
	int rc = kl_gss_rules_new(principals[_i].rules, &rules, &why);
	ck_assert_msg(rc == 0, "%s", why.text);
	const char *wrong =
		kl_gss_rules_apply(rules, p, len, principals[_i].realm, &user);
	if (principals[_i].user != NULL) {
		ck_assert_msg(wrong == NULL, "%s", wrong);
		ck_assert_str_eq(kl_text_get(&user), principals[_i].user);
	} else {
		ck_assert_ptr_nonnull(wrong);
	}
	kl_gss_rules_free(rules);
	free(p);
}
END_TEST

static const char *const no_rules[][2] = {
	{"RULES", "a rule is DEFAULT, or begins with RULE:["},
	{"DEFAULT,", "a rule is DEFAULT, or begins with RULE:["},
	{"default", "a rule is DEFAULT"},
	{"DEFAULTS", "something is left behind it"},
	{"RULE:[:$1]", "a number of parts"},
	{"RULE:[1$1]", "a colon"},
	{"RULE:[1:$1", "something is not closed"},
	{"RULE:[1:$2]", "names a part that is not there"},
	{"RULE:[1:$99999999999999]", "names a part that is not there"},
	{"RULE:[2:$1$]", "names a part that is not there"},
	{"RULE:[1:$1](a", "something is not closed"},
	{"RULE:[1:$1]([a)", "no regular expression"},
	{"RULE:[1:$1]s/a/b", "something is not closed"},
	{"RULE:[1:$1]s/*/b/", "no regular expression"},
	{"RULE:[1:$1]s/a/$1/", "a group that its pattern does not have"},
	{"RULE:[1:$1]s/a/$x/", "a $ without a number"},
	{"RULE:[1:$1]s/a/b\\/", "a \\ at the end"},
	{"RULE:[1:$1]/l", "something is left behind it"},
	{"RULE:[1:$1]/LU", "something is left behind it"},
};

START_TEST(rules_that_are_none)
{
	struct kl_gss_rules *rules;
	struct klamm_error why;
	ck_assert_int_eq(kl_gss_rules_new(no_rules[_i][0], &rules, &why), KLAMM_ERR_CONFIG);
	ck_assert_msg(strstr(why.text, no_rules[_i][1]) != NULL, "%s", why.text);
	ck_assert_ptr_nonnull(
		strstr(why.text, "sasl.kerberos.principal.to.local.rules: "));
}
END_TEST

/* --- both halves --- */

static const int32_t never;
static const struct klamm_call call = {
	.size = sizeof(call), .wait_ms = 20000, .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "localhost", .port = 9092};

static struct loaded *gssapi;
static void *session;
static struct kl_sink out;
static struct klamm_error err;
static int32_t state;
static char identified[100];

static const struct klamm_sasl_plugin *plugin(void)
{
	return &gssapi->plugin->sasl;
}

static int take_user(const struct klamm_sasl_server *server, const char *user,
		     int64_t lifetime_ms)
{
	ck_assert_int_eq(lifetime_ms, -1);
	snprintf(identified, sizeof(identified), "%s", user);
	return 0;
}

static const struct klamm_sasl_server server = {.size = sizeof(server),
						.identify = take_user};

static int step(const void *in, size_t len)
{
	kl_sink_clear(&out);
	state = -1;
	return plugin()->step(session, &call, &(struct klamm_span){in, len}, &out.out,
			      &state, &err);
}

static int accept_step(const void *in, size_t len)
{
	kl_sink_clear(&out);
	state = -1;
	return plugin()->accept_step(session, &call, &(struct klamm_span){in, len},
				     &out.out, &state, &err);
}

static void down(void)
{
	plugin()->session_free(session);
	kl_sink_free(&out);
	loaded_free(gssapi);
}

/* Without a keytab a client is made, and its ticket is asked for when it connects. */
START_TEST(a_user_without_tickets_hears_of_it)
{
	static const struct setting settings[] = {
		{"sasl.kerberos.ccache", "FILE:/no/such/cache"},
		{"sasl.kerberos.keytab", ""},
		{NULL}};
	gssapi = loaded_new(KLAMM_KIND_SASL, "GSSAPI", "sasl.mechanism", settings);
	ck_assert_str_eq(plugin()->mechanism, "GSSAPI");
	kl_sink_init(&out, 0, NULL);
	ck_assert_int_eq(
		plugin()->session_new(gssapi->instance.self, &peer, &session, &err), 0);
	ck_assert_int_eq(step(NULL, 0), KLAMM_ERR_AUTHENTICATION);
	ck_assert_ptr_nonnull(
		strstr(err.text, "there is no ticket in the cache FILE:/no/such/cache"));
	ck_assert_ptr_nonnull(strstr(err.text, "kinit"));
	down();
}
END_TEST

static const struct {
	const char *role, *keytab, *text;
} refusals[] = {
	{"sasl.mechanism", "/no/such/keytab",
	 "the keytab /no/such/keytab cannot be used: Key table file '/no/such/keytab' not "
	 "found; is the path right?"},
	{"sasl.enabled.mechanisms", "/no/such/keytab",
	 "the keytab /no/such/keytab has no key for a broker"},
	{"sasl.enabled.mechanisms", NULL, "sasl.kerberos.keytab is not set"},
};

START_TEST(keytabs_are_looked_at_first)
{
	struct setting settings[] = {{"sasl.kerberos.keytab", refusals[_i].keytab},
				     {NULL}};
	struct kl_host host;
	struct kl_plugin *found;
	struct kl_instance instance;
	ck_assert_int_eq(kl_host_init(&host, kl_os_real(), NULL, NULL, NULL, &err), 0);
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_SASL, "GSSAPI",
					&(struct kl_plugin_search){0}, &found, &err),
			 0);
	ck_assert_int_eq(kl_plugin_open(found, &host, refusals[_i].role, lookup_setting,
					settings, &instance, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_msg(strstr(err.text, refusals[_i].text) != NULL, "%s", err.text);
	kl_plugin_free(found);
	kl_host_free(&host);
}
END_TEST

/* --- a client of ours, and a server that the test is --- */

static gss_ctx_id_t context;
static gss_cred_id_t cred;

static void take_cred(const char *key, const char *value, gss_cred_usage_t usage)
{
	gss_key_value_element_desc pair = {key, value};
	gss_key_value_set_desc store = {1, &pair};
	gss_OID_set_desc krb5 = {1, (gss_OID)gss_mech_krb5};
	OM_uint32 minor;
	ck_assert_uint_eq(gss_acquire_cred_from(&minor, GSS_C_NO_NAME, 0, &krb5, usage,
						&store, &cred, NULL, NULL),
			  GSS_S_COMPLETE);
}

static void drop_context(void)
{
	OM_uint32 minor;
	gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
	gss_release_cred(&minor, &cred);
}

static void up_client(void)
{
	struct setting settings[] = {
		{"sasl.kerberos.keytab", getenv("KLAMM_TEST_CLIENT_KEYTAB")}, {NULL}};
	gssapi = loaded_new(KLAMM_KIND_SASL, "GSSAPI", "sasl.mechanism", settings);
	kl_sink_init(&out, 0, NULL);
	ck_assert_int_eq(
		plugin()->session_new(gssapi->instance.self, &peer, &session, &err), 0);
	take_cred("keytab", getenv("KLAMM_TEST_KEYTAB"), GSS_C_ACCEPT);
	ck_assert_msg(step(NULL, 0) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
}

static void down_client(void)
{
	drop_context();
	down();
}

/* The broker's proof, for the client's first message. */
static gss_buffer_desc prove(void)
{
	gss_buffer_desc token = {out.out.len, out.out.data}, proof = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	ck_assert_uint_eq(gss_accept_sec_context(&minor, &context, cred, &token,
						 GSS_C_NO_CHANNEL_BINDINGS, NULL, NULL,
						 &proof, NULL, NULL, NULL),
			  GSS_S_COMPLETE);
	return proof;
}

static gss_buffer_desc wrap(const void *p, size_t n)
{
	gss_buffer_desc plain = {n, (void *)p}, wrapped = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	ck_assert_uint_eq(gss_wrap(&minor, context, 0, GSS_C_QOP_DEFAULT, &plain, NULL,
				   &wrapped),
			  GSS_S_COMPLETE);
	return wrapped;
}

static void release(gss_buffer_desc *buffer)
{
	OM_uint32 minor;
	gss_release_buffer(&minor, buffer);
}

/* Up to where the layers are the subject. */
static void know_each_other(void)
{
	gss_buffer_desc proof = prove();
	ck_assert_msg(step(proof.value, proof.length) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	ck_assert_uint_eq(out.out.len, 0);
	release(&proof);
}

static int offer(const void *p, size_t n)
{
	gss_buffer_desc wrapped = wrap(p, n);
	int rc = step(wrapped.value, wrapped.length);
	release(&wrapped);
	return rc;
}

static void refuses(int rc, const char *text)
{
	ck_assert_int_eq(rc, KLAMM_ERR_AUTHENTICATION);
	ck_assert_msg(strstr(err.text, text) != NULL, "%s", err.text);
}

START_TEST(a_client_takes_no_layer_and_names_its_principal)
{
	know_each_other();
	ck_assert_msg(offer("\7\1\0\0", 4) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND_LAST);
	gss_buffer_desc wrapped = {out.out.len, out.out.data},
			plain = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	ck_assert_uint_eq(gss_unwrap(&minor, context, &wrapped, &plain, NULL, NULL),
			  GSS_S_COMPLETE);
	ck_assert_uint_gt(plain.length, 10);
	ck_assert_mem_eq(plain.value, "\1\0\0\0alice@", 10);
	release(&plain);
	ck_assert_int_eq(step("", 0), 0);
	ck_assert_int_eq(state, KLAMM_SASL_DONE);
}
END_TEST

START_TEST(a_client_hears_nothing_behind_the_end)
{
	know_each_other();
	ck_assert_int_eq(offer("\1\0\0\0", 4), 0);
	refuses(step("x", 1), "adds 1 bytes to what was the end");
}
END_TEST

START_TEST(a_client_takes_no_other_offer)
{
	know_each_other();
	int rc = offer(offers[_i].p, offers[_i].n);
	if (offers[_i].wrong == NULL)
		ck_assert_int_eq(rc, 0);
	else
		refuses(rc, offers[_i].wrong);
}
END_TEST

START_TEST(a_client_takes_no_long_offer)
{
	char *giant = calloc(1, 300000);
	giant[0] = 1;
	know_each_other();
	refuses(offer(giant, 300000), "too long");
	free(giant);
}
END_TEST

/* An offer that is not wrapped, that was changed on its way, or that was heard before. */
START_TEST(a_client_believes_nobody_else)
{
	know_each_other();
	gss_buffer_desc wrapped = wrap("\1\0\0\0", 4);
	if (_i == 0) {
		refuses(step("\1\0\0\0", 4), "is not its own");
	} else if (_i == 1) {
		refuses(step("", 0), "is not its own");
	} else {
		size_t at = wrapped.length * (size_t)(_i - 2) / 8;
		((uint8_t *)wrapped.value)[at] ^= 1;
		int rc = step(wrapped.value, wrapped.length);
		if (rc != 0) /* a few bits of the head mean nothing */
			refuses(rc, "is not its own");
	}
	release(&wrapped);
}
END_TEST

START_TEST(a_client_needs_proof)
{
	static const char *const answers_of[] = {"", "x", "\1\0\0\0", "\x60\x01"};
	const char *text = answers_of[_i];
	refuses(step(text, _i == 2 ? 4 : strlen(text)),
		_i == 0 ? "answers with nothing" : "do not come together");
}
END_TEST

/* What another client was answered is no proof for this one. */
START_TEST(a_client_needs_its_own_proof)
{
	void *first = session;
	gss_buffer_desc proof = prove();
	ck_assert_int_eq(
		plugin()->session_new(gssapi->instance.self, &peer, &session, &err), 0);
	ck_assert_int_eq(step(NULL, 0), 0);
	refuses(step(proof.value, proof.length), "do not come together");
	plugin()->session_free(first);
	release(&proof);
}
END_TEST

/* --- a server of ours, and a client that the test is --- */

static gss_name_t broker;
static OM_uint32 asked;

static void up_server(void)
{
	struct setting settings[] = {
		{"sasl.kerberos.keytab", getenv("KLAMM_TEST_KEYTAB")}, {NULL}};
	char text[] = "kafka@localhost";
	gss_buffer_desc name = {sizeof(text) - 1, text};
	OM_uint32 minor;
	gssapi = loaded_new(KLAMM_KIND_SASL, "GSSAPI", "sasl.enabled.mechanisms",
			    settings);
	kl_sink_init(&out, 0, NULL);
	identified[0] = '\0';
	asked = GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG;
	ck_assert_int_eq(plugin()->accept_new(gssapi->instance.self, &peer, &server,
					      &session, &err),
			 0);
	setenv("KRB5CCNAME", "MEMORY:test", 1);
	take_cred("client_keytab", getenv("KLAMM_TEST_CLIENT_KEYTAB"), GSS_C_INITIATE);
	ck_assert_uint_eq(gss_import_name(&minor, &name, GSS_C_NT_HOSTBASED_SERVICE,
					  &broker),
			  GSS_S_COMPLETE);
}

static void down_server(void)
{
	OM_uint32 minor;
	gss_release_name(&minor, &broker);
	drop_context();
	down();
}

static gss_buffer_desc first_word(void)
{
	gss_buffer_desc token = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = gss_init_sec_context(
				 &minor, cred, &context, broker, (gss_OID)gss_mech_krb5,
				 asked, 0, GSS_C_NO_CHANNEL_BINDINGS, GSS_C_NO_BUFFER,
				 NULL, &token, NULL, NULL);
	ck_assert(!GSS_ERROR(major));
	return token;
}

/* Up to the server's offer. */
static void begin(void)
{
	gss_buffer_desc token = first_word(), none = GSS_C_EMPTY_BUFFER, proof;
	OM_uint32 minor;
	ck_assert_msg(accept_step(token.value, token.length) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	release(&token);
	if (!(asked & GSS_C_MUTUAL_FLAG))
		return; /* it has offered already */
	proof = (gss_buffer_desc){out.out.len, out.out.data};
	ck_assert_uint_eq(gss_init_sec_context(&minor, cred, &context, broker,
					       (gss_OID)gss_mech_krb5, asked, 0,
					       GSS_C_NO_CHANNEL_BINDINGS, &proof, NULL,
					       &none, NULL, NULL),
			  GSS_S_COMPLETE);
	ck_assert_int_eq(accept_step("", 0), 0);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
}

static int choose(const void *p, size_t n)
{
	gss_buffer_desc wrapped = {out.out.len, out.out.data},
			plain = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	ck_assert_uint_eq(gss_unwrap(&minor, context, &wrapped, &plain, NULL, NULL),
			  GSS_S_COMPLETE);
	unit_check_hex(plain.value, plain.length, "01 00 00 00");
	release(&plain);
	wrapped = wrap(p, n);
	int rc = accept_step(wrapped.value, wrapped.length);
	release(&wrapped);
	return rc;
}

START_TEST(a_server_knows_who_it_is)
{
	if (_i > 0)
		asked = GSS_C_INTEG_FLAG;
	begin();
	ck_assert_msg(choose("\1\0\0\0mallory@X", 13) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_DONE);
	ck_assert_uint_eq(out.out.len, 0);
	ck_assert_uint_eq(out.out.flags & KLAMM_OUT_NULL, KLAMM_OUT_NULL);
	ck_assert_str_eq(identified, "alice");
}
END_TEST

#define REFUSED "due to invalid credentials with SASL mechanism GSSAPI"

START_TEST(a_server_takes_no_other_choice)
{
	begin();
	int rc = choose(answers[_i].p, answers[_i].n);
	if (answers[_i].wrong == NULL) {
		ck_assert_int_eq(rc, 0);
		return;
	}
	refuses(rc, REFUSED);
	ck_assert_str_eq(identified, "");
	refuses(accept_step("", 0), REFUSED); /* nor anything after it */
}
END_TEST

START_TEST(a_server_takes_no_long_choice)
{
	char *giant = calloc(1, 300000);
	giant[0] = 1;
	begin();
	refuses(choose(giant, 300000), REFUSED);
	free(giant);
}
END_TEST

START_TEST(a_server_needs_wrapped_words)
{
	begin();
	refuses(accept_step("\1\0\0\0", 4), REFUSED);
	ck_assert_str_eq(identified, "");
}
END_TEST

START_TEST(a_server_waits_for_the_empty_word)
{
	gss_buffer_desc token = first_word();
	ck_assert_int_eq(accept_step(token.value, token.length), 0);
	refuses(accept_step(token.value, token.length), REFUSED);
	release(&token);
}
END_TEST

START_TEST(a_server_takes_a_ticket_once)
{
	gss_buffer_desc token = first_word();
	void *first = session;
	ck_assert_int_eq(accept_step(token.value, token.length), 0);
	ck_assert_int_eq(plugin()->accept_new(gssapi->instance.self, &peer, &server,
					      &session, &err),
			 0);
	refuses(accept_step(token.value, token.length), REFUSED);
	plugin()->session_free(first);
	release(&token);
}
END_TEST

/* Cut, changed, of another mechanism, or nothing at all. */
START_TEST(a_server_needs_a_ticket)
{
	gss_buffer_desc token = first_word();
	uint8_t *p = token.value;
	size_t n = token.length;
	if (_i < 4)
		n = n * (size_t)_i / 4;
	else if (_i < 10)
		p[n - 1 - (size_t)(_i - 4) * 40] ^= 1;
	else if (_i == 10)
		p[n / 2] ^= 1;
	int rc = _i < 11 ? accept_step(p, n) : accept_step("NTLMSSP", 8);
	refuses(rc, REFUSED);
	ck_assert_str_eq(identified, "");
	release(&token);
}
END_TEST

UNIT_SUITE(sasl_gssapi)
{
	Suite *s = suite_create("sasl_gssapi");
	unit_add_loop(s, an_offer_has_to_let_us_do_without, (int)kl_countof(offers));
	unit_add_loop(s, an_answer_takes_what_was_offered, (int)kl_countof(answers));
	unit_add(s, a_name_has_an_end);
	unit_add_loop(s, opt_sasl_kerberos_principal_to_local_rules,
		      (int)kl_countof(principals));
	unit_add_loop(s, rules_that_are_none, (int)kl_countof(no_rules));
	if (!is_shipped(KLAMM_KIND_SASL, "gssapi"))
		return s;
	unit_add(s, a_user_without_tickets_hears_of_it);
	unit_add_loop(s, keytabs_are_looked_at_first, (int)kl_countof(refusals));
	return s;
}

UNIT_SUITE(sasl_gssapi_kdc)
{
	Suite *s = suite_create("sasl_gssapi_kdc");
	if (getenv("KLAMM_TEST_CLIENT_KEYTAB") == NULL)
		return s;
#define CLIENT(test, n) unit_add_case(s, #test, test, up_client, down_client, (n))
#define SERVER(test, n) unit_add_case(s, #test, test, up_server, down_server, (n))
	CLIENT(a_client_takes_no_layer_and_names_its_principal, 1);
	CLIENT(a_client_hears_nothing_behind_the_end, 1);
	CLIENT(a_client_takes_no_other_offer, (int)kl_countof(offers));
	CLIENT(a_client_takes_no_long_offer, 1);
	CLIENT(a_client_believes_nobody_else, 10);
	CLIENT(a_client_needs_proof, 4);
	CLIENT(a_client_needs_its_own_proof, 1);
	SERVER(a_server_knows_who_it_is, 2);
	SERVER(a_server_takes_no_other_choice, (int)kl_countof(answers));
	SERVER(a_server_takes_no_long_choice, 1);
	SERVER(a_server_needs_wrapped_words, 1);
	SERVER(a_server_waits_for_the_empty_word, 1);
	SERVER(a_server_takes_a_ticket_once, 1);
	SERVER(a_server_needs_a_ticket, 12);
	return s;
}
