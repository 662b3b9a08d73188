/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM, both halves, without a connection: the vectors of the RFCs, and peers that are
 * up to something. */
#include "plugins/common/scram_crypt.h"

#include <stdlib.h>

#include "core/base/sink.h"
#include "plugins/common/scram_message.h"
#include "plugins/common/scram_prepare.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static const struct scram_hash hashes[] = {
	{"SCRAM-SHA-256", EVP_sha256, 32},
	{"SCRAM-SHA-512", EVP_sha512, 64},
	{"SCRAM-SHA-1", EVP_sha1, 20}, /* no plugin: the RFC's own example */
};
#define MECHANISMS 2

/* --- vectors --- */

#define BARE(nonce) "n=user,r=" nonce
#define NONCE_1     "fyko+d2lbbFgONRv9qkxdawL"
#define WHOLE_1     NONCE_1 "3rfcNHYJY1ZVvWVs7j"
#define NONCE_2     "rOprNGfwEbeRWgbNEkqO"
#define WHOLE_2     NONCE_2 "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define SALT_1      "QSXCR+Q6sek8bf92"
#define SALT_2      "W22ZaJ0SNY7soEsUEjb6gQ=="
#define SAID(nonce, whole, salt)                                                       \
	BARE(nonce) ",r=" whole ",s=" salt ",i=4096,c=biws,r=" whole

static const struct {
	const struct scram_hash *hash;
	const char *salt, *said, *proof, *signature;
} vectors[] = {
	/* RFC 5802, section 5 */
	{&hashes[2], SALT_1, SAID(NONCE_1, WHOLE_1, SALT_1),
	 "v0X8v3Bz2T0CJGbJQyF0X+HI4Ts=", "rmF9pqV8S7suAoZWja4dJRkFsKQ="},
	/* RFC 7677, section 3 */
	{&hashes[0], SALT_2, SAID(NONCE_2, WHOLE_2, SALT_2),
	 "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=",
	 "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="},
	/* The same talk, with the other hash. */
	{&hashes[1], SALT_2, SAID(NONCE_2, WHOLE_2, SALT_2),
	 "gMGXRcevScNtxZ6/8lQYpGtnsNAc3mGcmNomv+xnoOMw"
	 "+3R2xNJdMNnzMlTN8PPC6wdp6dybEmDYXYTxwnYPJQ==",
	 "ZQnYEgWQMFmmsM8aQMF0nDDCy/AgCzkwk8CmMZYcMg0vSVlKDanekLtifDSeVGT4+5ZxXnJq199RVG2rR7N7"
	 "Zw=="},
};

START_TEST(computes_what_the_rfcs_compute)
{
	const struct scram_hash *hash = vectors[_i].hash;
	const char *said = vectors[_i].said;
	struct klamm_span salt = {vectors[_i].salt, strlen(vectors[_i].salt)};
	uint8_t bytes[32], proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	struct scram_keys keys;
	char text[SCRAM_BASE64(SCRAM_HASH_MAX) + 1];
	ptrdiff_t n = scram_unbase64(salt, bytes, sizeof(bytes));
	ck_assert_int_gt(n, 0);
	ck_assert(scram_derive(hash, "pencil", (struct klamm_span){bytes, (size_t)n},
			       4096, &keys));
	ck_assert(scram_prove(hash, &keys, said, strlen(said), proof, signature));
	scram_base64(proof, hash->len, text);
	ck_assert_str_eq(text, vectors[_i].proof);
	scram_base64(signature, hash->len, text);
	ck_assert_str_eq(text, vectors[_i].signature);
	ck_assert(scram_verify(hash, keys.stored, said, strlen(said), proof));
	proof[hash->len - 1] ^= 1;
	ck_assert(!scram_verify(hash, keys.stored, said, strlen(said), proof));
}
END_TEST

/* What Kafka's admin client makes of a password for AlterUserScramCredentials. */
START_TEST(hashes_a_password_as_kafka_does)
{
	uint8_t salted[32];
	ck_assert_int_eq(PKCS5_PBKDF2_HMAC("pw", 2, (const uint8_t *)"salt", 4, 4096,
					   EVP_sha256(), 32, salted),
			 1);
	unit_check_hex(
		salted, 32,
		"5131450a01e6fdc6de870d65ce2c4cc42085230bbfdc630b0e42d25c429d0609");
}
END_TEST

static const struct {
	const char *text;
	int len; /* -1 = none */
} base64s[] = {
	{"", -1},
	{"A", -1},
	{"AAA", -1},
	{"AAAA", 3},
	{"AAA=", 2},
	{"AA==", 1},
	{"A===", -1},
	{"====", -1},
	{"AB==", -1},
	{"AAB=", -1},
	{"AA=A", -1},
	{"AA==AAAA", -1},
	{" AAA", -1},
	{"AAA ", -1},
	{"AA\nA", -1},
	{"AA-_", -1},
	{"+/+/", 3},
	{"AAAAAA==", 4},
	{"AAAAAAAAAAA=", 8},
	{"AAAAAAAAAAAA", -1},
	{"AAAAAAAAAAAAAAAA", -1},
};

START_TEST(takes_one_text_for_the_same_bytes)
{
	const char *text = base64s[_i].text;
	uint8_t *to = malloc(8);
	char *exact = malloc(strlen(text) + 1);
	memcpy(exact, text, strlen(text));
	struct klamm_span span = {exact, strlen(text)};
	ck_assert_msg(scram_unbase64(span, to, 8) == base64s[_i].len, "%s", text);
	free(exact);
	free(to);
}
END_TEST

static const struct {
	const char *name, *sent; /* NULL = no name is sent so */
} names[] = {
	{"alice", "alice"},
	{"a,b=c", "a=2Cb=3Dc"},
	{",=,", "=2C=3D=2C"},
	{"=2C", "=3D2C"},
	{NULL, ""},
	{NULL, "a=2cb"},
	{NULL, "a="},
	{NULL, "a=2"},
	{NULL, "a=3"},
	{NULL, "a=41"},
	{NULL, "caf\xc3\xa9"},
};

START_TEST(names_have_escapes)
{
	char text[100];
	const char *sent = names[_i].sent;
	bool good = scram_unescape((struct klamm_span){sent, strlen(sent)}, text);
	ck_assert_int_eq(good, names[_i].name != NULL);
	if (!good)
		return;
	ck_assert_str_eq(text, names[_i].name);
	scram_escape(names[_i].name, text);
	ck_assert_str_eq(text, sent);
}
END_TEST

/* --- SASLprep: RFC 4013, section 3, and the sorts of characters it names --- */

static const struct {
	const char *text, *want; /* NULL = it is refused, */
	const char *why;
	bool stored; /* as a password alone */
} prepared[] = {
	{"I\xc2\xadX", "IX"},
	{"user", "user"},
	{"USER", "USER"},
	{"\xc2\xaa", "a"},
	{"\xe2\x85\xa8", "IX"},
	{"\x07", NULL, "Prohibited"},
	{"\xd8\xa7\x31", NULL, "bidirectional"},
	{"a\xc2\xa0\xe2\x80\x83z", "a  z"}, /* spaces that are not ASCII's */
	{"e\xcc\x81", "\xc3\xa9"},          /* composed */
	{"\xef\xac\x81", "fi"},
	{"\xc2\xad", NULL, "leaves nothing"},
	{"\xee\x80\x80", NULL, "Prohibited"},        /* for private use */
	{"\xf0\x9f\x90\x98", NULL, "ssigned", true}, /* not in Unicode 3.2 */
};

START_TEST(saslprep_is_rfc_4013)
{
	char *text = NULL;
	struct klamm_error err = {0};
	int rc = scram_prepared(prepared[_i].text, true, true, &text, &err);
#ifdef KLAMM_LIBIDN
	if (prepared[_i].want != NULL) {
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_str_eq(text, prepared[_i].want);
		free(text);
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_msg(strstr(err.text, prepared[_i].why) != NULL, "%s", err.text);
	if (!prepared[_i].stored)
		return;
	ck_assert_int_eq(scram_prepared(prepared[_i].text, true, false, &text, &err),
			 0);
	free(text);
#else
	if (scram_is_plain(prepared[_i].text)) {
		ck_assert_int_eq(rc, 0);
		free(text);
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "without libidn"));
#endif
}
END_TEST

/* --- a client --- */

static const int32_t never;
static const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "h", .port = 9092};

static struct loaded *scram;
static const struct scram_hash *hash;
static void *session;
static struct kl_sink out;
static struct klamm_error err;
static int32_t state;

static const struct klamm_sasl_plugin *plugin(void)
{
	return &scram->plugin->sasl;
}

static void open_client(const struct scram_hash *which, const struct setting *settings)
{
	hash = which;
	scram = loaded_new(KLAMM_KIND_SASL, hash->mechanism, "sasl.mechanism",
			   settings);
	ck_assert_str_eq(plugin()->mechanism, hash->mechanism);
	kl_sink_init(&out, 0, NULL);
	ck_assert_int_eq(
		plugin()->session_new(scram->instance.self, &peer, &session, &err), 0);
}

static void close_all(void)
{
	plugin()->session_free(session);
	kl_sink_free(&out);
	loaded_free(scram);
}

/* Exactly as long: what is read behind it is seen by the sanitizers. */
static int step_by(int (*fn)(void *, const struct klamm_call *,
			     const struct klamm_span *, struct klamm_out *, int32_t *,
			     struct klamm_error *),
		   const char *in)
{
	size_t len = in != NULL ? strlen(in) : 0;
	char *copy = in != NULL ? malloc(len > 0 ? len : 1) : NULL;
	if (len > 0)
		memcpy(copy, in, len);
	struct klamm_span span = {copy, len};
	kl_sink_clear(&out);
	state = -1;
	int rc = fn(session, &call, &span, &out.out, &state, &err);
	free(copy);
	return rc;
}

static int step(const char *in)
{
	return step_by(plugin()->step, in);
}

/* The message that was put out; valid until it is called again. */
static const char *message(void)
{
	static char text[20000];
	ck_assert_uint_lt(out.out.len, sizeof(text));
	memcpy(text, out.out.data, out.out.len);
	text[out.out.len] = '\0';
	return text;
}

static const struct setting alice[] = {
	{"sasl.username", "alice"}, {"sasl.password", "hunter2"}, {NULL}};

/* The nonce of the client's first message. */
static const char *begin(void)
{
	static char nonce[100];
	ck_assert_int_eq(step(NULL), 0);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	const char *text = message(), *r = strstr(text, ",r=");
	ck_assert_ptr_nonnull(r);
	snprintf(nonce, sizeof(nonce), "%.*s", (int)strcspn(r + 3, ","), r + 3);
	return nonce;
}

START_TEST(the_first_message_says_who)
{
	static const struct {
		struct setting settings[3];
		const char *before;
	} cases[] = {
		{{{"sasl.username", "alice"}, {"sasl.password", "x"}}, "n,,n=alice,r="},
		{{{"sasl.username", "a,b=c"}, {"sasl.password", "x"}},
		 "n,,n=a=2Cb=3Dc,r="},
	};
	char first[100];
	for (size_t i = 0; i < kl_countof(cases); i++) {
		open_client(&hashes[_i], cases[i].settings);
		const char *nonce = begin();
		char want[300];
		ck_assert_uint_eq(strlen(nonce), 32);
		ck_assert(scram_is_nonce((struct klamm_span){nonce, 32}));
		ck_assert(i == 0 || strcmp(nonce, first) != 0);
		snprintf(first, sizeof(first), "%s", nonce);
		snprintf(want, sizeof(want), "%s%s", cases[i].before, nonce);
		ck_assert_str_eq(message(), want);
		close_all();
	}
}
END_TEST

START_TEST(opt_sasl_scram_tokenauth)
{
	static const struct setting token[] = {{"sasl.username", "Id"},
					       {"sasl.password", "aG1hYw=="},
					       {"sasl.scram.tokenauth", "true"},
					       {NULL}};
	char want[100];
	open_client(&hashes[_i], token);
	snprintf(want, sizeof(want), "n,,n=Id,r=%s,tokenauth=true", begin());
	ck_assert_str_eq(message(), want);
	close_all();
}
END_TEST

/* A server by hand, that knows the password. */
static void answer_well(const char *nonce, char *signature_out)
{
	char first[300], said[1000];
	uint8_t proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	struct scram_keys keys;
	snprintf(first, sizeof(first), "r=%sSERVER,s=c2FsdA==,i=4096,ext=ignored",
		 nonce);
	ck_assert_int_eq(step(first), 0);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	snprintf(said, sizeof(said), "n=alice,r=%s,%s,c=biws,r=%sSERVER", nonce, first,
		 nonce);
	ck_assert(scram_derive(hash, "hunter2", (struct klamm_span){"salt", 4}, 4096,
			       &keys));
	ck_assert(scram_prove(hash, &keys, said, strlen(said), proof, signature));
	char text[SCRAM_BASE64(SCRAM_HASH_MAX) + 1], want[600];
	scram_base64(proof, hash->len, text);
	snprintf(want, sizeof(want), "c=biws,r=%sSERVER,p=%s", nonce, text);
	ck_assert_str_eq(message(), want);
	scram_base64(signature, hash->len, signature_out);
}

/* "hunter2" with a hyphen that is not seen, and alice with a wide a: so the RFC asks,
 * and so they stay, as Kafka takes them. */
#define HYPHEN "hun\xc2\xadter2"
#define WIDE   "\xef\xbd\x81lice"

START_TEST(opt_sasl_scram_saslprep)
{
	static const struct setting settings[] = {{"sasl.username", WIDE},
						  {"sasl.password", HYPHEN},
						  {"sasl.scram.saslprep", "true"},
						  {NULL}},
				    as_it_is[] = {{"sasl.username", WIDE},
						  {"sasl.password", HYPHEN},
						  {NULL}};
	open_client(&hashes[_i], as_it_is);
	begin();
	ck_assert_int_eq(strncmp(message(), "n,,n=" WIDE ",", 13), 0);
	close_all();
#ifdef KLAMM_LIBIDN
	char signature[100];
	open_client(&hashes[_i], settings);
	answer_well(begin(), signature);
	close_all();
#else
	scram = loaded_new(KLAMM_KIND_SASL, hash->mechanism, "sasl.mechanism", alice);
	struct kl_instance instance;
	ck_assert_int_eq(kl_plugin_open(scram->plugin, &scram->host, "sasl.mechanism",
					lookup_setting, (void *)settings, &instance,
					&err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "this build is without libidn"));
	loaded_free(scram);
#endif
}
END_TEST

START_TEST(believes_who_knows_the_keys)
{
	char signature[100], last[200];
	open_client(&hashes[_i % 2], alice);
	answer_well(begin(), signature);
	snprintf(last, sizeof(last), "v=%s%s", signature, _i < 2 ? "" : ",ext=x");
	ck_assert_int_eq(step(last), 0);
	ck_assert_int_eq(state, KLAMM_SASL_DONE);
	/* A peer that goes on and on. */
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(step(last), KLAMM_ERR_AUTHENTICATION);
		ck_assert_ptr_nonnull(strstr(err.text, "after the last message"));
	}
	close_all();
}
END_TEST

/* %s is the client's nonce. */
static const struct {
	const char *message, *why;
} first_answers[] = {
	{"", "none of SCRAM"},
	{"x", "none of SCRAM"},
	{"r=%sS", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==,", "none of SCRAM"},
	{"r=%sS,s=,i=4096", "none of SCRAM"},
	{"s=c2FsdA==,r=%sS,i=4096", "none of SCRAM"},
	{"m=must,r=%sS,s=c2FsdA==,i=4096", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==,i=4096,", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==,i=4096,1=x", "none of SCRAM"},
	{"r=%sS\x01,s=c2FsdA==,i=4096", "none of SCRAM"},
	{"r=%s\xc3\xa9,s=c2FsdA==,i=4096", "none of SCRAM"},
	{"r=%s,s=c2FsdA==,i=4096", "does not go on from the client's"},
	{"r=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,s=c2FsdA==,i=4096",
	 "does not go on from the client's"},
	{"r=S,s=c2FsdA==,i=4096", "does not go on from the client's"},
	{"r=X%s,s=c2FsdA==,i=4096", "does not go on from the client's"},
	{"r=%sS,s=c2FsdA,i=4096", "no base64"},
	{"r=%sS,s=c2Fsd===,i=4096", "no base64"},
	{"r=%sS,s=c2FsdA==,i=1000000000", "more than 1000000 iterations"},
	{"r=%sS,s=c2FsdA==,i=999999999", "more than 1000000 iterations"},
	{"r=%sS,s=c2FsdA==,i=1000001", "more than 1000000 iterations"},
	{"r=%sS,s=c2FsdA==,i=99999999999999999999999999",
	 "more than 1000000 iterations"},
	{"r=%sS,s=c2FsdA==,i=-4096", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==,i=0x1000", "none of SCRAM"},
	{"r=%sS,s=c2FsdA==,i=4095", "asks for 4095 iterations"},
	{"r=%sS,s=c2FsdA==,i=0", "asks for 0 iterations"},
	{"e=other-error", "the broker says: other-error"},
	{"e=odd\x07\xff,x=y", "the broker says: odd??"},
};

START_TEST(a_first_answer_that_is_wrong_is_refused_at_once)
{
	char text[300];
	open_client(&hashes[_i % 2], alice);
	snprintf(text, sizeof(text), first_answers[_i].message, begin());
	struct kl_os *os = kl_os_real();
	int64_t start = os->now(os);
	ck_assert_int_eq(step(text), KLAMM_ERR_AUTHENTICATION);
	ck_assert_int_lt(os->now(os) - start, KL_SECOND);
	ck_assert_msg(strstr(err.text, first_answers[_i].why) != NULL, "%s", err.text);
	ck_assert_int_eq(step("r=x"), KLAMM_ERR_AUTHENTICATION); /* it does not go on */
	ck_assert_ptr_nonnull(strstr(err.text, "after the last message"));
	close_all();
}
END_TEST

START_TEST(a_huge_message_is_refused)
{
	size_t n = 9000;
	char *text = malloc(n + 100);
	open_client(&hashes[_i], alice);
	int used = sprintf(text, "r=%s", begin());
	memset(text + used, 'A', n);
	strcpy(text + used + n, ",s=c2FsdA==,i=4096");
	ck_assert_int_eq(step(text), KLAMM_ERR_AUTHENTICATION);
	ck_assert_ptr_nonnull(strstr(err.text, "8192 are the most"));
	free(text);
	close_all();
}
END_TEST

static const struct {
	const char *message, *why;
} last_answers[] = {
	{"", "without a signature"},
	{"v=", "without a signature"},
	{"yes", "without a signature"},
	{"r=x,s=c2FsdA==,i=4096", "without a signature"},
	{"x=y,v=AAAA", "without a signature"},
	{"v=AAAA", "signature is wrong"},
	{"v=AAAA,", "without a signature"},
	{"v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", "signature is wrong"},
	{"e=invalid-proof", "the broker says: invalid-proof"},
	{"e=unknown-user,ext=1", "the broker says: unknown-user"},
};

START_TEST(success_without_a_proof_is_none)
{
	char signature[100];
	open_client(&hashes[_i % 2], alice);
	answer_well(begin(), signature);
	ck_assert_int_eq(step(last_answers[_i].message), KLAMM_ERR_AUTHENTICATION);
	ck_assert_msg(strstr(err.text, last_answers[_i].why) != NULL, "%s", err.text);
	close_all();
}
END_TEST

START_TEST(a_signature_with_one_bit_changed_is_wrong)
{
	char signature[100], last[200];
	open_client(&hashes[_i], alice);
	answer_well(begin(), signature);
	signature[3] = signature[3] == 'A' ? 'B' : 'A';
	snprintf(last, sizeof(last), "v=%s", signature);
	ck_assert_int_eq(step(last), KLAMM_ERR_AUTHENTICATION);
	ck_assert_ptr_nonnull(strstr(err.text, "signature is wrong"));
	close_all();
}
END_TEST

/* --- a server --- */

static char identified[100];
static int64_t lifetime;
/* What the store has of bob: 8192 iterations, password "secret", salt "pepper". */
static char bobs[600];

static void make_bobs(const struct scram_hash *of, int iterations)
{
	struct scram_keys keys;
	char stored[100], server[100];
	ck_assert(scram_derive(of, "secret", (struct klamm_span){"pepper", 6},
			       iterations, &keys));
	scram_base64(keys.stored, of->len, stored);
	scram_base64(keys.server, of->len, server);
	snprintf(bobs, sizeof(bobs),
		 "salt=cGVwcGVy,stored_key=%s,server_key=%s,iterations=%d", stored,
		 server, iterations);
}

static int credential(const struct klamm_sasl_server *server, const char *user,
		      const char *what, struct klamm_out *to)
{
	static const struct {
		const char *user, *what, *text;
	} store[] = {
		{"alice", "password", "hunter2"},
		{"a,b=c", "password", "hunter2"},
		{"bob", "", bobs},
		{"Token", "delegation-token", "owner=carol,hmac=c2VjcmV0"},
		{"Old", "delegation-token", "owner=carol,hmac=c2VjcmV0,expires=1000"},
		{"Long", "delegation-token",
		 "owner=carol,hmac=c2VjcmV0,expires=99999999999999"},
		{"Odd", "delegation-token", "hmac=c2VjcmV0"},
	};
	if (strcmp(user, "broken") == 0)
		return KLAMM_ERR_IO;
	for (size_t i = 0; i < kl_countof(store); i++) {
		const char *kind =
			*store[i].what != '\0' ? store[i].what : hash->mechanism;
		if (strcmp(store[i].user, user) == 0 && strcmp(kind, what) == 0)
			return klamm_out_append(to, store[i].text,
						strlen(store[i].text));
	}
	return KLAMM_ERR_AUTHENTICATION;
}

static int identify(const struct klamm_sasl_server *server, const char *user,
		    int64_t lifetime_ms)
{
	snprintf(identified, sizeof(identified), "%s", user);
	lifetime = lifetime_ms;
	return 0;
}

static const struct klamm_sasl_server server = {
	.size = sizeof(server), .credential = credential, .identify = identify};

static void open_session(bool again)
{
	struct klamm_sasl_peer from = peer;
	from.flags = again ? KLAMM_SASL_AGAIN : 0;
	ck_assert_int_eq(plugin()->accept_new(scram->instance.self, &from, &server,
					      &session, &err),
			 0);
	identified[0] = '\0';
}

/* A broker needs no credentials of its own. */
static void open_server(const struct scram_hash *which)
{
	hash = which;
	make_bobs(hash, 8192);
	scram = loaded_new(KLAMM_KIND_SASL, hash->mechanism, "sasl.enabled.mechanisms",
			   NULL);
	kl_sink_init(&out, 0, NULL);
	open_session(false);
}

static int accept(const char *in)
{
	return step_by(plugin()->accept_step, in);
}

static const char *refusal(const char *during)
{
	static char text[200];
	snprintf(text, sizeof(text),
		 "Authentication failed during %s due to invalid credentials with SASL "
		 "mechanism %s",
		 during, hash->mechanism);
	return text;
}

struct talk {
	char salt[100], whole[200];
	int iterations;
};

/* The server's answer to somebody's first message. */
static struct talk greet(const char *first)
{
	struct talk t;
	ck_assert_msg(accept(first) == 0, "%s", err.text);
	ck_assert_int_eq(state, KLAMM_SASL_SEND);
	ck_assert_int_eq(sscanf(message(), "r=%199[^,],s=%99[^,],i=%d", t.whole, t.salt,
				&t.iterations),
			 3);
	ck_assert_int_eq(strncmp(t.whole, "CLIENT", 6), 0);
	ck_assert_uint_eq(strlen(t.whole), 6 + 32);
	return t;
}

/* The client's last message, with a password. */
static int prove(const char *bare, const struct talk *t, const char *password)
{
	char said[1500], last[500], text[100];
	uint8_t salt[100], proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	struct scram_keys keys;
	ptrdiff_t n = scram_unbase64((struct klamm_span){t->salt, strlen(t->salt)},
				     salt, 100);
	ck_assert_int_gt(n, 0);
	ck_assert(scram_derive(hash, password, (struct klamm_span){salt, (size_t)n},
			       t->iterations, &keys));
	snprintf(said, sizeof(said), "%s,r=%s,s=%s,i=%d,c=biws,r=%s", bare, t->whole,
		 t->salt, t->iterations, t->whole);
	ck_assert(scram_prove(hash, &keys, said, strlen(said), proof, signature));
	scram_base64(proof, hash->len, text);
	snprintf(last, sizeof(last), "c=biws,r=%s,p=%s", t->whole, text);
	int rc = accept(last);
	if (rc != 0)
		return rc;
	scram_base64(signature, hash->len, text);
	ck_assert_int_eq(strncmp(message(), "v=", 2), 0);
	ck_assert_str_eq(message() + 2, text);
	ck_assert_int_eq(state, KLAMM_SASL_DONE);
	return 0;
}

static const struct {
	const char *first, *password;
	int iterations;
	const char *user; /* NULL = refused */
} logins[] = {
	{"n,,n=alice,r=CLIENT", "hunter2", 4096, "alice"},
	{"n,,n=alice,r=CLIENT", "hunter3", 4096, NULL},
	{"n,,n=a=2Cb=3Dc,r=CLIENT", "hunter2", 4096, "a,b=c"},
	{"n,,n=alice,r=CLIENT,ext=1", "hunter2", 4096, "alice"},
	{"n,,n=alice,r=CLIENT,tokenauth=false", "hunter2", 4096, "alice"},
	{"n,,n=alice,r=CLIENT,tokenauth=true", "hunter2", 4096, NULL},
	{"n,,n=nobody,r=CLIENT", "hunter2", 4096, NULL},
	{"n,,n=nobody,r=CLIENT", "nobody", 4096, NULL},
	{"n,,n=bob,r=CLIENT", "secret", 8192, "bob"},
	{"n,,n=bob,r=CLIENT", "secret2", 8192, NULL},
	{"n,,n=Token,r=CLIENT,tokenauth=true", "c2VjcmV0", 4096, "carol"},
	{"n,,n=Token,r=CLIENT,tokenauth=TRUE", "c2VjcmV0", 4096, "carol"},
	{"n,,n=Token,r=CLIENT,tokenauth=true", "c2VjcmV1", 4096, NULL},
	{"n,,n=Token,r=CLIENT", "c2VjcmV0", 4096, NULL},
	{"n,,n=Old,r=CLIENT,tokenauth=true", "c2VjcmV0", 4096, NULL},
	{"n,,n=Long,r=CLIENT,tokenauth=true", "c2VjcmV0", 4096, "carol"},
};

START_TEST(lets_in_who_proves_the_password)
{
	open_server(&hashes[_i % 2]);
	const char *first = logins[_i / 2].first, *user = logins[_i / 2].user;
	struct talk t = greet(first);
	ck_assert_int_eq(t.iterations, logins[_i / 2].iterations);
	int rc = prove(first + 3, &t, logins[_i / 2].password);
	if (user != NULL) {
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_str_eq(identified, user);
		ck_assert(strstr(first, "Long") != NULL ? lifetime > 1000
							: lifetime == -1);
	} else {
		ck_assert_int_eq(rc, KLAMM_ERR_AUTHENTICATION);
		ck_assert_str_eq(err.text, refusal("authentication"));
		ck_assert_str_eq(identified, "");
	}
	close_all();
}
END_TEST

/* A name has its salt as long as the server lives, whether it is a user's or not. */
START_TEST(nobody_learns_who_is_a_user)
{
	static const char *const firsts[] = {"n,,n=alice,r=CLIENT",
					     "n,,n=nobody,r=CLIENT"};
	char salts[2][100];
	open_server(&hashes[_i]);
	for (int i = 0; i < 4; i++) {
		struct talk t = greet(firsts[i % 2]);
		ck_assert_uint_eq(strlen(t.salt), 24);
		if (i < 2)
			strcpy(salts[i], t.salt);
		ck_assert_str_eq(t.salt, salts[i % 2]);
		ck_assert_int_eq(prove(firsts[i % 2] + 3, &t, "wrong"),
				 KLAMM_ERR_AUTHENTICATION);
		ck_assert_str_eq(err.text, refusal("authentication"));
		plugin()->session_free(session);
		open_session(false);
	}
	ck_assert_str_ne(salts[0], salts[1]);
	close_all();
}
END_TEST

START_TEST(one_of_old_is_refused_as_such)
{
	open_server(&hashes[_i]);
	plugin()->session_free(session);
	open_session(true);
	struct talk t = greet("n,,n=alice,r=CLIENT");
	ck_assert_int_eq(prove("n=alice,r=CLIENT", &t, "wrong"),
			 KLAMM_ERR_AUTHENTICATION);
	ck_assert_str_eq(err.text, refusal("re-authentication"));
	close_all();
}
END_TEST

#define OTHER_ID                                                                              \
	"Authentication failed: Client requested an authorization id that is different from " \
	"username"

static const struct {
	const char *message;
	int code;
	const char *why; /* NULL = the usual refusal */
} first_messages[] = {
	{"", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=alice", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=alice,r=", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,r=CLIENT,n=alice", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,m=1,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"y,,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"p=tls-unique,,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,alice,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,a=,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=al=ice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=alice,r=CLI ENT", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=alice,r=CLIENT,", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,,n=alice,r=CLIENT,tokenauth", KLAMM_ERR_AUTHENTICATION, NULL},
	{"n,a=bob,n=alice,r=CLIENT", KLAMM_ERR_AUTHENTICATION, OTHER_ID},
	{"n,a=nobody,n=nobodyelse,r=CLIENT", KLAMM_ERR_AUTHENTICATION, OTHER_ID},
	{"n,,n=broken,r=CLIENT", KLAMM_ERR_IO, "the users cannot be read"},
	{"n,,n=Odd,r=CLIENT,tokenauth=true", KLAMM_ERR_CONFIG, "without owner or hmac"},
};

START_TEST(a_first_message_that_is_wrong_is_refused)
{
	open_server(&hashes[_i % 2]);
	ck_assert_int_eq(accept(first_messages[_i].message), first_messages[_i].code);
	if (first_messages[_i].why == NULL)
		ck_assert_str_eq(err.text, refusal("authentication"));
	else
		ck_assert_ptr_nonnull(strstr(err.text, first_messages[_i].why));
	ck_assert_int_eq(accept("n,,n=alice,r=CLIENT"), KLAMM_ERR_AUTHENTICATION);
	close_all();
}
END_TEST

/* Everything but the proof is as it should be: %s is the whole nonce. */
static const char *const last_messages[] = {
	"",
	"p=AAAA",
	"c=biws,p=AAAA",
	"c=biws,r=%s",
	"c=biws,r=%s,p=",
	"c=biws,r=%s,p=AAAA",
	"c=eSws,r=%s,p=AAAA",
	"c=biws,r=%sx,p=AAAA",
	"c=biws,r=CLIENT,p=AAAA",
	"r=%s,c=biws,p=AAAA",
	"c=biws,r=%s,p=AAAA,x=y",
	"c=biws,r=%s,p=####",
	"c=biws,r=%s,,p=AAAA",
};

START_TEST(a_last_message_that_is_wrong_is_refused)
{
	char text[400];
	open_server(&hashes[_i % 2]);
	struct talk t = greet("n,,n=alice,r=CLIENT");
	snprintf(text, sizeof(text), last_messages[_i], t.whole);
	ck_assert_int_eq(accept(text), KLAMM_ERR_AUTHENTICATION);
	ck_assert_str_eq(err.text, refusal("authentication"));
	/* Nor is there a second try. */
	ck_assert_int_eq(prove("n=alice,r=CLIENT", &t, "hunter2"),
			 KLAMM_ERR_AUTHENTICATION);
	ck_assert_str_eq(identified, "");
	close_all();
}
END_TEST

START_TEST(an_id_of_its_own_is_bound)
{
	open_server(&hashes[_i]);
	struct talk t = greet("n,a=alice,n=alice,r=CLIENT");
	/* As if it had said "n,,". */
	ck_assert_int_eq(prove("n=alice,r=CLIENT", &t, "hunter2"),
			 KLAMM_ERR_AUTHENTICATION);
	close_all();
}
END_TEST

START_TEST(what_is_stored_has_to_be_whole)
{
	static const char *const broken[] = {
		"", "salt=cGVwcGVy",
		"salt=cGVwcGVy,stored_key=AAAA,server_key=AAAA,iterations=4096",
		NULL, /* fewer iterations than are good */
	};
	open_server(&hashes[0]);
	if (broken[_i] == NULL)
		make_bobs(hash, 4095);
	else
		strcpy(bobs, broken[_i]);
	ck_assert_int_eq(accept("n,,n=bob,r=CLIENT"), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "at least 4096 iterations"));
	close_all();
}
END_TEST

UNIT_SUITE(sasl_scram)
{
	Suite *s = suite_create("sasl_scram");
#define LOOP(name, n) unit_add_loop(s, name, (int)(n))
	LOOP(computes_what_the_rfcs_compute, kl_countof(vectors));
	unit_add(s, hashes_a_password_as_kafka_does);
	LOOP(takes_one_text_for_the_same_bytes, kl_countof(base64s));
	LOOP(names_have_escapes, kl_countof(names));
	LOOP(saslprep_is_rfc_4013, kl_countof(prepared));
	LOOP(the_first_message_says_who, MECHANISMS);
	LOOP(opt_sasl_scram_tokenauth, MECHANISMS);
	LOOP(opt_sasl_scram_saslprep, MECHANISMS);
	LOOP(believes_who_knows_the_keys, 2 * MECHANISMS);
	LOOP(a_first_answer_that_is_wrong_is_refused_at_once,
	     kl_countof(first_answers));
	LOOP(a_huge_message_is_refused, MECHANISMS);
	LOOP(success_without_a_proof_is_none, kl_countof(last_answers));
	LOOP(a_signature_with_one_bit_changed_is_wrong, MECHANISMS);
	LOOP(lets_in_who_proves_the_password, 2 * kl_countof(logins));
	LOOP(nobody_learns_who_is_a_user, MECHANISMS);
	LOOP(one_of_old_is_refused_as_such, MECHANISMS);
	LOOP(a_first_message_that_is_wrong_is_refused, kl_countof(first_messages));
	LOOP(a_last_message_that_is_wrong_is_refused, kl_countof(last_messages));
	LOOP(an_id_of_its_own_is_bound, MECHANISMS);
	LOOP(what_is_stored_has_to_be_whole, 4);
	return s;
}
