/* SPDX-License-Identifier: BSD-2-Clause */
/* Who clients are. With KLAMM_TEST_SASL set, the suite is for a listener of Apache
 * Kafka with SASL, the same users, and connections.max.reauth.ms=5000. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "core/net/loop.h"
#include "tests/broker/peer.h"

#define REAUTH_MS   5000
#define GOOD        "\0alice\0alice-secret"
#define WRONG       "\0alice\0wrong"
#define OTHER       "\0bob\0bob-secret"
#define TOKEN(text) text, sizeof(text) - 1
#define INVALID     "Authentication failed: Invalid username or password"

static char *users_file(const char *text)
{
	static char file[300];
	char *dir = unit_tmp();
	snprintf(file, sizeof(file), "%s/users", dir);
	free(dir);
	FILE *f = fopen(file, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
	return file;
}

static void start_with(int64_t reauth_ms)
{
	if (peer_is_foreign())
		return;
	char *users = users_file("# those of the harness\n"
				 "alice = alice-secret\nbob = bob-secret\n");
	peer_start_with((struct klamm_broker_options){
		.sasl = "PLAIN", .users = users, .reauth_ms = reauth_ms});
	remove(users);
}

static void start(void)
{
	start_with(REAUTH_MS);
}

static void start_short(void)
{
	start_with(1500);
}

static void start_endless(void)
{
	start_with(0);
}

/* --- requests --- */

static struct kl_sasl_handshake_response *shake(struct peer *peer, int version,
						const char *mechanism)
{
	struct kl_sasl_handshake_request request;
	kl_msg_init(&kl_msg_sasl_handshake_request, &request);
	request.mechanism = kl_str(mechanism);
	return PEER_CALL(peer, sasl_handshake, version, &request);
}

static struct kl_sasl_authenticate_response *say(struct peer *peer, int version,
						 const char *token, size_t len)
{
	struct kl_sasl_authenticate_request request;
	kl_msg_init(&kl_msg_sasl_authenticate_request, &request);
	request.auth_bytes = (struct kl_bytes){(const uint8_t *)token, (int32_t)len};
	return PEER_CALL(peer, sasl_authenticate, version, &request);
}

static int ask_versions(struct peer *peer)
{
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	return PEER_CALL(peer, api_versions, 0, &request)->error_code;
}

static void ask_metadata(struct peer *peer)
{
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	request.topics_n = 0;
	peer_ask(peer, &kl_msg_metadata_request, 9, &request);
}

static void is_served(struct peer *peer)
{
	ask_metadata(peer);
	struct kl_metadata_response *r = peer_read(peer, &kl_msg_metadata_response, 9);
	ck_assert_int_ge(r->brokers_n, 1);
}

/* A client that is in. */
static struct peer *enter(void)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	ck_assert_int_eq(say(peer, 2, TOKEN(GOOD))->error_code, 0);
	return peer;
}

static int64_t now_ms(void)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* --- the way in --- */

START_TEST(lets_in_who_knows_the_password)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(ask_versions(peer), 0);
	struct kl_sasl_handshake_response *hello = shake(peer, 1, "PLAIN");
	ck_assert_int_eq(hello->error_code, 0);
	bool offered = false;
	for (int32_t i = 0; i < hello->mechanisms_n; i++)
		offered |= kl_str_is(hello->mechanisms[i], "PLAIN");
	ck_assert(offered);
	struct kl_sasl_authenticate_response *r = say(peer, _i, TOKEN(GOOD));
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->error_message.len, 0);
	ck_assert_int_eq(r->auth_bytes.len, 0);
	ck_assert_int_eq(r->session_lifetime_ms, _i >= 1 ? REAUTH_MS : 0);
	is_served(peer);
	ck_assert_int_eq(ask_versions(peer), 0); /* as often as one likes, now */
	ck_assert_int_eq(ask_versions(peer), 0);
	peer_close(peer);
}
END_TEST

/* Clients before 1.0: tokens without requests around them. */
static void send_bare(struct peer *peer, const char *token, size_t len)
{
	struct kl_buf b = {0};
	kl_buf_i32(&b, (int32_t)len);
	kl_buf_put(&b, token, len);
	peer_send(peer, b.data, b.len);
	kl_buf_free(&b);
}

START_TEST(takes_bare_tokens)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 0, "PLAIN")->error_code, 0);
	send_bare(peer, TOKEN(GOOD));
	uint8_t empty[4];
	ck_assert_int_eq(peer_is_silent(peer, 10000), false);
	ck_assert_int_eq(read(peer->fd, empty, 4), 4);
	ck_assert_mem_eq(empty, "\0\0\0\0", 4);
	is_served(peer);
	peer_close(peer);
}
END_TEST

START_TEST(needs_no_answer_to_api_versions_first)
{
	struct peer *peer = enter();
	is_served(peer);
	peer_close(peer);
}
END_TEST

/* --- no --- */

static const struct {
	const char *token;
	size_t len;
	const char *text;
} refused[] = {
	{TOKEN(WRONG), INVALID},
	{TOKEN("\0nobody\0alice-secret"), INVALID},
	{TOKEN("\0\0x"), "Authentication failed: username not specified"},
	{TOKEN("\0alice\0"), "Authentication failed: password not specified"},
	{TOKEN("bob\0alice\0alice-secret"),
	 "Authentication failed: Client requested an authorization id that is different "
	 "from username"},
	{TOKEN(""), "Invalid SASL/PLAIN response: expected 3 tokens, got 1"},
	{TOKEN("\0alice"), "Invalid SASL/PLAIN response: expected 3 tokens, got 2"},
	{TOKEN("\0alice\0alice-secret\0"),
	 "Invalid SASL/PLAIN response: expected 3 tokens, got 4"},
};

/* Late, in the mechanism's words, and then the connection is closed. */
START_TEST(says_why_it_lets_nobody_in)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	int64_t begin = now_ms();
	struct kl_sasl_authenticate_response *r =
		say(peer, 2, refused[_i].token, refused[_i].len);
	ck_assert_int_ge(now_ms() - begin, 90);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_msg(kl_str_is(r->error_message, refused[_i].text), "%.*s",
		      r->error_message.len, r->error_message.p);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST

START_TEST(refuses_a_bare_token_without_words)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 0, "PLAIN")->error_code, 0);
	send_bare(peer, TOKEN(WRONG));
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
}
END_TEST

START_TEST(offers_what_there_is)
{
	struct peer *peer = peer_open();
	struct kl_sasl_handshake_response *r = shake(peer, _i, "NO-SUCH");
	ck_assert_int_eq(r->error_code, KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM);
	ck_assert_int_ge(r->mechanisms_n, 1);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
}
END_TEST

/* --- out of place --- */

START_TEST(nothing_else_comes_first)
{
	struct peer *peer = peer_open();
	if (_i >= 2)
		ck_assert_int_eq(ask_versions(peer), 0);
	if (_i % 2 == 0) {
		ask_metadata(peer);
	} else {
		struct kl_sasl_authenticate_request request;
		kl_msg_init(&kl_msg_sasl_authenticate_request, &request);
		request.auth_bytes = (struct kl_bytes){(const uint8_t *)GOOD, 19};
		peer_ask(peer, &kl_msg_sasl_authenticate_request, 2, &request);
	}
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST

START_TEST(versions_are_told_once)
{
	struct peer *peer = peer_open();
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	ck_assert_int_eq(ask_versions(peer), 0);
	peer_ask(peer, &kl_msg_api_versions_request, 0, &request);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
}
END_TEST

/* A client that has to try is not at the end of it. */
START_TEST(a_version_too_new_does_not_count)
{
	static const uint8_t too_new[] = {0, 0, 0, 11, 0,    18,   0, 99,
					  0, 0, 0, 1,  0xff, 0xff, 0};
	struct peer *peer = peer_open();
	peer->correlation_id = 1;
	peer_send(peer, too_new, sizeof(too_new));
	struct kl_api_versions_response *r =
		peer_read(peer, &kl_msg_api_versions_response, 0);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_UNSUPPORTED_VERSION);
	ck_assert_int_eq(ask_versions(peer), 0);
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	ck_assert_int_eq(say(peer, 2, TOKEN(GOOD))->error_code, 0);
	peer_close(peer);
}
END_TEST

/* Behind a handshake another request ends the connection. */
static void check_only_tokens(struct peer *peer)
{
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	struct kl_describe_cluster_request request;
	kl_msg_init(&kl_msg_describe_cluster_request, &request);
	struct kl_describe_cluster_response *r =
		PEER_CALL(peer, describe_cluster, 0, &request);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_ILLEGAL_SASL_STATE);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
}

START_TEST(only_tokens_follow_the_handshake)
{
	check_only_tokens(peer_open());
}
END_TEST

START_TEST(strangers_send_little)
{
	static const uint8_t giant[] = {0, 0x10, 0, 0};
	struct peer *peer = peer_open();
	if (_i > 0)
		ck_assert_int_eq(shake(peer, _i - 1, "PLAIN")->error_code, 0);
	peer_send(peer, giant, sizeof(giant));
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST

START_TEST(who_is_in_stays_in)
{
	struct peer *peer = enter();
	struct kl_sasl_authenticate_response *r = say(peer, 2, TOKEN(WRONG));
	ck_assert_int_eq(r->error_code, KLAMM_ERR_ILLEGAL_SASL_STATE);
	ck_assert(kl_str_is(r->error_message, "SaslAuthenticate request received after "
					      "successful authentication"));
	is_served(peer);
	peer_close(peer);
}
END_TEST

/* --- again (KIP-368) --- */

START_TEST(takes_the_same_user_again)
{
	struct peer *peer = enter();
	int64_t begin = now_ms();
	ask_metadata(peer); /* its answer comes first */
	struct kl_sasl_handshake_request request;
	kl_msg_init(&kl_msg_sasl_handshake_request, &request);
	request.mechanism = KL_STR("PLAIN");
	peer_ask(peer, &kl_msg_sasl_handshake_request, 1, &request);
	peer_read(peer, &kl_msg_metadata_response, 9);
	struct kl_sasl_handshake_response *r =
		peer_read(peer, &kl_msg_sasl_handshake_response, 1);
	ck_assert_int_eq(r->error_code, 0);
	struct kl_sasl_authenticate_response *done = say(peer, 2, TOKEN(GOOD));
	ck_assert_int_eq(done->error_code, 0);
	ck_assert_int_eq(done->session_lifetime_ms, REAUTH_MS);
	is_served(peer);
	/* Not twice in a second; a slow machine has nothing to say to that. */
	int error = shake(peer, 1, "PLAIN")->error_code;
	if (now_ms() - begin < 1000) {
		ck_assert_int_eq(error, KLAMM_ERR_ILLEGAL_SASL_STATE);
		is_served(peer);
	}
	peer_close(peer);
}
END_TEST

START_TEST(takes_no_other_user)
{
	struct peer *peer = enter();
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	struct kl_sasl_authenticate_response *r = say(peer, 2, TOKEN(OTHER));
	ck_assert_int_eq(r->error_code, KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert(kl_str_is(r->error_message,
			    "Cannot change principals during re-authentication from "
			    "User.alice: User.bob"));
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
}
END_TEST

START_TEST(nothing_goes_on_behind_a_handshake)
{
	check_only_tokens(enter());
}
END_TEST

/* A session that is over takes nothing but a new beginning. */
START_TEST(a_session_ends)
{
	struct peer *peer = enter(), *other = enter();
	usleep(1600 * 1000);
	ask_metadata(peer);
	ck_assert(peer_is_closed(peer));
	ck_assert_int_eq(shake(other, 1, "PLAIN")->error_code, 0);
	ck_assert_int_eq(say(other, 2, TOKEN(GOOD))->error_code, 0);
	peer_close(peer);
	peer_close(other);
}
END_TEST

START_TEST(a_session_without_end_does_not_begin_again)
{
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	struct kl_sasl_authenticate_response *r = say(peer, 2, TOKEN(GOOD));
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->session_lifetime_ms, 0);
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code,
			 KLAMM_ERR_ILLEGAL_SASL_STATE);
	is_served(peer);
	peer_close(peer);
}
END_TEST

START_TEST(a_listener_without_sasl_says_so)
{
	peer_start();
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, _i, "PLAIN")->error_code,
			 KLAMM_ERR_ILLEGAL_SASL_STATE);
	ck_assert_int_eq(say(peer, 2, TOKEN(GOOD))->error_code,
			 KLAMM_ERR_ILLEGAL_SASL_STATE);
	is_served(peer);
	peer_close(peer);
}
END_TEST

/* --- users, options --- */

START_TEST(users_come_and_go)
{
	struct klamm_error err;
	ck_assert_int_eq(
		klamm_broker_credential(peer_broker, "carol", "password", "new", &err),
		0);
	struct peer *peer = peer_open();
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
	ck_assert_int_eq(say(peer, 2, TOKEN("\0carol\0new"))->error_code, 0);
	const char *values[] = {"other", NULL};
	for (int i = 0; i < 2; i++) {
		ck_assert_int_eq(klamm_broker_credential(peer_broker, "carol",
							 "password", values[i], &err),
				 0);
		struct peer *late = peer_open();
		ck_assert_int_eq(shake(late, 1, "PLAIN")->error_code, 0);
		ck_assert_int_eq(say(late, 2, TOKEN("\0carol\0new"))->error_code,
				 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
		peer_close(late);
	}
	is_served(peer); /* who is in stays in */
	peer_close(peer);
	ck_assert_int_eq(
		klamm_broker_credential(peer_broker, "", "password", "x", &err),
		KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

START_TEST(options_that_make_no_sense_are_refused)
{
	static const char *const unknown[] = {"sasl.username=x", "sasl.no.such=1", NULL};
	static const char *const no_value[] = {"sasl.username", NULL};
	static const char *const unread[] = {"sasl.username=x", NULL};
	const struct {
		struct klamm_broker_options options;
		const char *users, *text;
	} cases[] = {
		{{.sasl = "NO-SUCH"}, NULL, "no plugin for sasl no_such"},
		{{.sasl = ""}, NULL, "no SASL mechanism is named"},
		{{.reauth_ms = 1000}, NULL, "users need a SASL mechanism"},
		{{.sasl = "PLAIN", .reauth_ms = -1},
		 NULL,
		 "a session of -1 ms cannot be"},
		{{.sasl = "PLAIN", .users = "/no/such"},
		 NULL,
		 "/no/such: cannot be read"},
		{{.sasl = "PLAIN"},
		 "alice = x\nbob =\n",
		 ": line 2: must be NAME = PASSWORD"},
		{{.sasl = "PLAIN", .config = unknown},
		 NULL,
		 "sasl.no.such: no SASL mechanism that is enabled has such a setting"},
		{{.sasl = "PLAIN", .config = no_value},
		 NULL,
		 "sasl.username: a broker's setting is KEY=VALUE"},
		{{.config = unread},
		 NULL,
		 "sasl.username: no SASL mechanism that is enabled has such a setting"},
	};
	struct klamm_broker_options options = cases[_i].options;
	struct klamm_broker *broker;
	struct klamm_error err;
	char *file = cases[_i].users != NULL ? users_file(cases[_i].users) : NULL;
	if (file != NULL)
		options.users = file;
	options.size = sizeof(options);
	ck_assert_int_ne(klamm_broker_new(&options, &broker, &err), 0);
	ck_assert_msg(strstr(err.text, cases[_i].text) != NULL, "%s", err.text);
	if (file != NULL)
		remove(file);
	peer_start();
	ck_assert_int_eq(
		klamm_broker_credential(peer_broker, "a", "password", "x", &err),
		KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

/* Clients that go while their password is looked at. */
START_TEST(clients_may_go_in_the_middle)
{
	struct kl_sasl_authenticate_request request;
	kl_msg_init(&kl_msg_sasl_authenticate_request, &request);
	for (int i = 0; i < 100; i++) {
		const char *token = i % 2 ? WRONG : GOOD;
		request.auth_bytes =
			(struct kl_bytes){(const uint8_t *)token, i % 2 ? 12 : 19};
		struct peer *hasty = peer_open();
		ck_assert_int_eq(shake(hasty, 1, "PLAIN")->error_code, 0);
		peer_ask(hasty, &kl_msg_sasl_authenticate_request, 2, &request);
		if (i % 3 == 0)
			usleep(1000);
		peer_close(hasty);
	}
	struct peer *peer = enter();
	is_served(peer);
	peer_close(peer);
}
END_TEST

/* --- time --- */

static struct kl_os shifted;
static _Atomic int64_t ahead;

static int64_t shifted_now(struct kl_os *os)
{
	return kl_os_real()->now(kl_os_real()) + ahead;
}

static void answers_hello(struct peer *peer)
{
	ck_assert_int_eq(shake(peer, 1, "PLAIN")->error_code, 0);
}

/* Who does not say who it is, is closed after a minute, whatever else it says; who has
 * said it stays. */
START_TEST(strangers_have_a_minute)
{
	struct klamm_loop *loop;
	struct klamm_error err;
	shifted = *kl_os_real();
	shifted.now = shifted.now_coarse = shifted_now;
	ck_assert_int_eq(kl_loop_new(&shifted, NULL, &loop, &err), 0);
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	char *users = users_file("alice = alice-secret\n");
	peer_start_with((struct klamm_broker_options){
		.sasl = "PLAIN", .users = users, .loop = loop});
	remove(users);
	struct peer *silent = peer_open(), *busy = peer_open(), *known = enter();
	answers_hello(busy);
	ahead = 50 * KL_SECOND;
	klamm_loop_wake(loop);
	is_served(known);
	ck_assert(peer_is_silent(silent, 20) && peer_is_silent(busy, 20));
	ahead = 75 * KL_SECOND;
	klamm_loop_wake(loop);
	ck_assert(peer_is_closed(silent));
	ck_assert(peer_is_closed(busy));
	is_served(known);
	peer_close(silent);
	peer_close(busy);
	peer_close(known);
	peer_stop();
	klamm_loop_free(loop);
}
END_TEST

#ifdef ENDLESS
/* The mechanism would go on for ever; and none of its steps may. */
START_TEST(no_mechanism_goes_on_for_ever)
{
	setenv("KLAMM_PLUGIN_PATH", ENDLESS, 1);
	peer_start_with((struct klamm_broker_options){.sasl = "ENDLESS"});
	struct peer *peer = peer_open();
	struct kl_sasl_authenticate_response *r = NULL;
	ck_assert_int_eq(shake(peer, 1, "ENDLESS")->error_code, 0);
	int n = 0;
	for (; n < 100 && (r == NULL || r->error_code == 0); n++)
		r = say(peer, 2, TOKEN("x"));
	ck_assert_int_eq(n, 17);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert(kl_str_is(r->error_message,
			    "Authentication failed: it does not come to an end"));
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST
#endif

UNIT_SUITE(sasl)
{
	Suite *s = suite_create("sasl");
	if (peer_is_foreign() && getenv("KLAMM_TEST_SASL") == NULL)
		return s;
	unit_add_case(s, "lets_in_who_knows_the_password",
		      lets_in_who_knows_the_password, start, peer_stop, 3);
	unit_add_fixture(s, takes_bare_tokens, start, peer_stop);
	unit_add_fixture(s, needs_no_answer_to_api_versions_first, start, peer_stop);
	unit_add_case(s, "says_why_it_lets_nobody_in", says_why_it_lets_nobody_in,
		      start, peer_stop, (int)(sizeof(refused) / sizeof(refused[0])));
	unit_add_fixture(s, refuses_a_bare_token_without_words, start, peer_stop);
	unit_add_case(s, "offers_what_there_is", offers_what_there_is, start, peer_stop,
		      2);
	unit_add_case(s, "nothing_else_comes_first", nothing_else_comes_first, start,
		      peer_stop, 4);
	unit_add_fixture(s, versions_are_told_once, start, peer_stop);
	unit_add_fixture(s, a_version_too_new_does_not_count, start, peer_stop);
	unit_add_fixture(s, only_tokens_follow_the_handshake, start, peer_stop);
	unit_add_case(s, "strangers_send_little", strangers_send_little, start,
		      peer_stop, 3);
	unit_add_fixture(s, who_is_in_stays_in, start, peer_stop);
	unit_add_fixture(s, takes_the_same_user_again, start, peer_stop);
	unit_add_fixture(s, takes_no_other_user, start, peer_stop);
	unit_add_fixture(s, nothing_goes_on_behind_a_handshake, start, peer_stop);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, a_session_ends, start_short, peer_stop);
	unit_add_fixture(s, a_session_without_end_does_not_begin_again, start_endless,
			 peer_stop);
	unit_add_case(s, "a_listener_without_sasl_says_so",
		      a_listener_without_sasl_says_so, NULL, peer_stop, 2);
	unit_add_fixture(s, users_come_and_go, start_endless, peer_stop);
	unit_add_case(s, "options_that_make_no_sense_are_refused",
		      options_that_make_no_sense_are_refused, NULL, peer_stop, 9);
	unit_add_fixture(s, clients_may_go_in_the_middle, start, peer_stop);
	unit_add(s, strangers_have_a_minute);
#ifdef ENDLESS
	unit_add_fixture(s, no_mechanism_goes_on_for_ever, NULL, peer_stop);
#endif
	return s;
}
