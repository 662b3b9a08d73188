/* SPDX-License-Identifier: BSD-2-Clause */
/* PLAIN, both halves, without a connection. */
#include <stdlib.h>

#include "core/base/sink.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static const struct setting settings[] = {
	{"sasl.username", "alice"}, {"sasl.password", "hunter2"}, {NULL}};
static const int32_t never;
static const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "h", .port = 9092};

static struct loaded *plain;
static void *session;
static struct kl_sink out;
static struct klamm_error err;
static int32_t state;

static const struct klamm_sasl_plugin *plugin(void)
{
	return &plain->plugin->sasl;
}

/* --- client --- */

static void up_client(void)
{
	plain = loaded_new(KLAMM_KIND_SASL, "PLAIN", "sasl.mechanism", settings);
	kl_sink_init(&out, 0, NULL);
	ck_assert_int_eq(
		plugin()->session_new(plain->instance.self, &peer, &session, &err), 0);
}

static void down(void)
{
	plugin()->session_free(session);
	kl_sink_free(&out);
	loaded_free(plain);
}

static int step(const char *in, size_t len)
{
	kl_sink_clear(&out);
	state = -1;
	return plugin()->step(session, &call, &(struct klamm_span){in, len}, &out.out,
			      &state, &err);
}

START_TEST(says_it_all_in_one_message)
{
	ck_assert_str_eq(plugin()->mechanism, "PLAIN");
	ck_assert_int_eq(step(NULL, 0), 0);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	unit_check_hex(out.out.data, out.out.len, "00 616c696365 00 68756e74657232");
	ck_assert_int_eq(step("", 0), 0);
	ck_assert_int_eq(state, KLAMM_SASL_DONE);
}
END_TEST

START_TEST(an_answer_with_bytes_is_wrong)
{
	ck_assert_int_eq(step(NULL, 0), 0);
	ck_assert_int_eq(step("x", 1), KLAMM_ERR_AUTHENTICATION);
	ck_assert_ptr_nonnull(strstr(err.text, "1 bytes, where PLAIN has none"));
}
END_TEST

START_TEST(a_message_beyond_the_limit_is_none)
{
	out.out.limit = 10;
	ck_assert_int_eq(step(NULL, 0), KLAMM_ERR_LIMIT);
	ck_assert_uint_eq(out.out.len, 0);
}
END_TEST

/* --- server --- */

static char identified[100];

static int credential(const struct klamm_sasl_server *server, const char *user,
		      const char *what, struct klamm_out *to)
{
	ck_assert_str_eq(what, "password");
	if (strcmp(user, "broken") == 0)
		return KLAMM_ERR_IO;
	if (strcmp(user, "empty") == 0)
		return 0;
	if (strcmp(user, "alice") != 0)
		return KLAMM_ERR_AUTHENTICATION;
	return klamm_out_append(to, "hunter2", 7);
}

static int identify(const struct klamm_sasl_server *server, const char *user,
		    int64_t lifetime_ms)
{
	ck_assert_int_eq(lifetime_ms, -1);
	strcpy(identified, user);
	return 0;
}

static const struct klamm_sasl_server server = {
	.size = sizeof(server), .credential = credential, .identify = identify};

/* A broker needs no credentials of its own. */
static void up_server(void)
{
	plain = loaded_new(KLAMM_KIND_SASL, "PLAIN", "sasl.enabled.mechanisms", NULL);
	kl_sink_init(&out, 0, NULL);
	identified[0] = '\0';
	ck_assert_int_eq(plugin()->accept_new(plain->instance.self, &peer, &server,
					      &session, &err),
			 0);
}

#define INVALID "Authentication failed: Invalid username or password"

static const struct {
	const char *message;
	size_t len;
	int code;
	const char *text;
} messages[] = {
#define MESSAGE(text) text, sizeof(text) - 1
	{MESSAGE("\0alice\0hunter2"), 0, NULL},
	{MESSAGE("alice\0alice\0hunter2"), 0, NULL},
	{MESSAGE("\0alice\0hunter"), KLAMM_ERR_AUTHENTICATION, INVALID},
	{MESSAGE("\0alice\0hunter22"), KLAMM_ERR_AUTHENTICATION, INVALID},
	{MESSAGE("\0alice\0Hunter2"), KLAMM_ERR_AUTHENTICATION, INVALID},
	{MESSAGE("\0bob\0hunter2"), KLAMM_ERR_AUTHENTICATION, INVALID},
	{MESSAGE("\0empty\0x"), KLAMM_ERR_AUTHENTICATION, INVALID},
	{MESSAGE("\0broken\0x"), KLAMM_ERR_IO, "the users cannot be read"},
	{MESSAGE("bob\0alice\0hunter2"), KLAMM_ERR_AUTHENTICATION,
	 "Authentication failed: Client requested an authorization id that is different from "
	 "username"},
	{MESSAGE("\0\0hunter2"), KLAMM_ERR_AUTHENTICATION,
	 "Authentication failed: username not specified"},
	{MESSAGE("\0alice\0"), KLAMM_ERR_AUTHENTICATION,
	 "Authentication failed: password not specified"},
	{MESSAGE(""), KLAMM_ERR_AUTHENTICATION,
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 1"},
	{MESSAGE("alice"), KLAMM_ERR_AUTHENTICATION,
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 1"},
	{MESSAGE("\0alice"), KLAMM_ERR_AUTHENTICATION,
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 2"},
	{MESSAGE("\0alice\0hunter2\0"), KLAMM_ERR_AUTHENTICATION,
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 4"},
	{MESSAGE("\0\0\0\0\0\0"), KLAMM_ERR_AUTHENTICATION,
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 4"},
};

START_TEST(a_server_says_what_kafka_says)
{
	/* Exactly as long: what is read behind it is seen by the sanitizers. */
	char *copy = malloc(messages[_i].len + 1);
	memcpy(copy, messages[_i].message, messages[_i].len);
	copy = realloc(copy, messages[_i].len > 0 ? messages[_i].len : 1);
	struct klamm_span in = {copy, messages[_i].len};
	int rc = plugin()->accept_step(session, &call, &in, &out.out, &state, &err);
	free(copy);
	ck_assert_int_eq(rc, messages[_i].code);
	if (rc == 0) {
		ck_assert_int_eq(state, KLAMM_SASL_DONE);
		ck_assert_uint_eq(out.out.len, 0);
		ck_assert_str_eq(identified, "alice");
	} else {
		ck_assert_str_eq(err.text, messages[_i].text);
		ck_assert_str_eq(identified, "");
	}
}
END_TEST

UNIT_SUITE(sasl_plain)
{
	Suite *s = suite_create("sasl_plain");
	unit_add_fixture(s, says_it_all_in_one_message, up_client, down);
	unit_add_fixture(s, an_answer_with_bytes_is_wrong, up_client, down);
	unit_add_fixture(s, a_message_beyond_the_limit_is_none, up_client, down);
	unit_add_case(s, "a_server_says_what_kafka_says", a_server_says_what_kafka_says,
		      up_server, down, (int)kl_countof(messages));
	return s;
}
