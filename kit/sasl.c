/* SPDX-License-Identifier: BSD-2-Clause */
/* What a SASL mechanism must do: <klamm/sasl.h>. Its client half talks to its own server half,
 * where it has one; the kit is the wire between them and the server's store of passwords. */
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#include "kit/inside.h"

#define USER "klamm-kit"
#define SECRET_LEN 64
#define PASSWORD_MAX 80
#define ITERATIONS 4096
/* More steps than any mechanism has. */
#define STEPS 16

/* --- the secret --- */

/* Masked, made anew in each process: see kit_find_secret(). */
static struct {
	uint8_t masked[SECRET_LEN];
	bool is_made;
	unsigned reads;
} secret;

static void make_secret(struct kit *k)
{
	if (secret.is_made)
		return;
	struct kl_os *os = k->host->os;
	os->random(os, secret.masked, SECRET_LEN);
	for (size_t i = 0; i < SECRET_LEN; i++)
		secret.masked[i] = (uint8_t)('a' + secret.masked[i] % 26) ^ KIT_MASK;
	secret.is_made = true;
}

static void unmask(char to[static SECRET_LEN + 1])
{
	for (size_t i = 0; i < SECRET_LEN; i++)
		to[i] = (char)(secret.masked[i] ^ KIT_MASK);
	to[SECRET_LEN] = '\0';
}

/* The access key is another mechanism's proof to other servers. */
bool kit_sasl_has_secret(const struct kit *k, const char *key)
{
	return strcmp(key, "sasl.password") == 0 ||
	       (strcmp(key, "sasl.aws_msk_iam.secret.access.key") == 0 &&
		strcmp(k->plugin->sasl.mechanism, "AWS_MSK_IAM") == 0);
}

int kit_sasl_secret(void *arg, const char *key, char **text_out, struct klamm_error *err)
{
	make_secret(arg);
	char *text = malloc(SECRET_LEN + 1);
	if (text == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	unmask(text);
	secret.reads++;
	*text_out = text;
	return 0;
}

const char *kit_sasl_default(const char *key)
{
	if (strcmp(key, "sasl.aws_msk_iam.region") == 0)
		return "us-east-1"; /* the kit's peer is nowhere */
	return strcmp(key, "sasl.username") == 0 ||
			       strcmp(key, "sasl.aws_msk_iam.access.key.id") == 0
		       ? USER
		       : NULL;
}

/* --- the server's store --- */

/* What the store says that the password is. */
enum {
	RIGHT,
	OTHER,
	SHORTER,
	LONGER,
	EMPTY,
	LAST_BYTE,
	LETTER_CASE,
	PASSWORDS,
};
static const char *const password_names[] = {
	"", "another password", "a part of the password", "the password and more",
	"no password", "a password that differs in its last byte",
	"the password in other letters",
};

struct server {
	struct klamm_sasl_server api;
	int password;
	char user[100]; /* identified */
};

static void make_password(int which, char to[static PASSWORD_MAX])
{
	unmask(to);
	switch (which) {
	case OTHER:
		strcpy(to, "correct horse battery staple");
		break;
	case SHORTER:
		to[SECRET_LEN / 2] = '\0';
		break;
	case LONGER:
		strcpy(to + SECRET_LEN, "x");
		break;
	case EMPTY:
		memset(to, 0, SECRET_LEN);
		break;
	case LAST_BYTE:
		to[SECRET_LEN - 1] = to[SECRET_LEN - 1] == 'q' ? 'r' : 'q';
		break;
	case LETTER_CASE:
		to[0] = (char)(to[0] - 'a' + 'A');
		break;
	}
}

static int append_base64(struct klamm_out *out, const char *name, const void *p, int n)
{
	char text[4 * 64 / 3 + 8];
	int len = EVP_EncodeBlock((uint8_t *)text, p, n);
	int rc = klamm_out_append(out, name, strlen(name));
	return rc != 0 ? rc : klamm_out_append(out, text, (size_t)len);
}

/* RFC 5802, section 3, as Kafka stores it. */
static int append_scram(struct klamm_out *out, const EVP_MD *md, const char *password)
{
	static const uint8_t salt[] = "kit's salt..";
	static const char client[] = "Client Key", server[] = "Server Key";
	uint8_t salted[64], client_key[64], stored[64], server_key[64];
	int n = EVP_MD_get_size(md);
	PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt, sizeof(salt) - 1,
			  ITERATIONS, md, n, salted);
	HMAC(md, salted, n, (const uint8_t *)client, sizeof(client) - 1, client_key, NULL);
	HMAC(md, salted, n, (const uint8_t *)server, sizeof(server) - 1, server_key, NULL);
	EVP_Digest(client_key, (size_t)n, stored, NULL, md, NULL);
	OPENSSL_cleanse(salted, sizeof(salted));
	int rc = append_base64(out, "salt=", salt, sizeof(salt) - 1);
	if (rc == 0)
		rc = append_base64(out, ",stored_key=", stored, n);
	if (rc == 0)
		rc = append_base64(out, ",server_key=", server_key, n);
	return rc == 0 ? klamm_out_append(out, ",iterations=4096", 16) : rc;
}

static int credential(const struct klamm_sasl_server *api, const char *user, const char *what,
		      struct klamm_out *out)
{
	const struct server *server = api->arg;
	char password[PASSWORD_MAX] = "";
	int rc = KLAMM_ERR_AUTHENTICATION;
	if (strcmp(user, USER) != 0)
		return rc;
	make_password(server->password, password);
	if (strcmp(what, "password") == 0)
		rc = klamm_out_append(out, password, strlen(password));
	else if (strcmp(what, "SCRAM-SHA-256") == 0)
		rc = append_scram(out, EVP_sha256(), password);
	else if (strcmp(what, "SCRAM-SHA-512") == 0)
		rc = append_scram(out, EVP_sha512(), password);
	OPENSSL_cleanse(password, sizeof(password));
	return rc;
}

static int identify(const struct klamm_sasl_server *api, const char *user, int64_t lifetime_ms)
{
	struct server *server = api->arg;
	snprintf(server->user, sizeof(server->user), "%s", user);
	return 0;
}

/* --- one exchange --- */

static const int32_t never;
static const struct klamm_call in_time = {
	.size = sizeof(in_time), .wait_ms = 10000, .cancelled = &never};

struct exchange {
	/* --- what to do --- */
	const struct kl_instance *instance;
	int password;
	/* A byte of a message is changed on its way: its number from the beginning, counting
	 * what this side sends; -1 = none. */
	int64_t hurt_client, hurt_server;
	/* --- what came of it --- */
	int client_rc, server_rc;
	bool client_done, server_done;
	bool hurt_free; /* the byte that was changed is not what the proof is about */
	size_t client_sent, server_sent;
	struct klamm_error server_err, client_err;
	struct server server;
	struct kit_out message;
};

/* Texts in messages that a mechanism leaves to whoever passes them on, by its definition. */
static const struct {
	const char *mechanism, *begin; /* up to the next quote */
} free_texts[] = {
	{"AWS_MSK_IAM", "\"user-agent\":\""},
	{"AWS_MSK_IAM", "\"request-id\":\""},
};

static bool is_free(const char *mechanism, const struct klamm_out *message, size_t at)
{
	const char *data = (const char *)message->data, *end = data + message->len;
	for (size_t i = 0; i < kl_countof(free_texts); i++) {
		size_t n = strlen(free_texts[i].begin);
		if (strcmp(free_texts[i].mechanism, mechanism) != 0)
			continue;
		const char *p = memmem(data, message->len, free_texts[i].begin, n);
		const char *quote = p != NULL ? memchr(p + n, '"', (size_t)(end - p) - n)
					      : NULL;
		if (quote != NULL && data + at >= p + n && data + at < quote)
			return true;
	}
	return false;
}

/* Flips a bit that counts even in the last letter of a base64 text. */
static void pass_on(struct kit *k, struct exchange *x, size_t *sent, int64_t hurt)
{
	struct klamm_out *message = &x->message.out;
	if (hurt >= (int64_t)*sent && (size_t)hurt < *sent + message->len) {
		size_t at = (size_t)hurt - *sent;
		x->hurt_free = is_free(k->plugin->sasl.mechanism, message, at);
		message->data[at] ^= 0x10;
	}
	*sent += message->len;
}

/* The message is the input and then the answer. */
static int step(struct kit *k, void *session, bool is_client, struct kit_out *message,
		int32_t *state_out, struct klamm_error *err)
{
	const struct klamm_sasl_plugin *plugin = &k->plugin->sasl;
	struct kit_guard guard;
	struct klamm_span in = {NULL, 0};
	size_t n = message->out.len;
	memset(err, 0, sizeof(*err));
	if (!kit_guard_init(&guard, n + 1))
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "the kit is out of memory");
	if (message->out.data != NULL)
		in = (struct klamm_span){kit_guard_put(&guard, message->out.data, n), n};
	kit_out_free(message);
	*state_out = -1;
	kit_step(k, "%s with %zu bytes", is_client ? "step()" : "accept_step()", n);
	int rc = (is_client ? plugin->step : plugin->accept_step)(
		session, &in_time, &in, &message->out, state_out, err);
	explicit_bzero(guard.map, guard.size);
	kit_guard_free(&guard);
	/* An empty message is one: it has a place. */
	if (rc == 0 && message->out.data == NULL)
		klamm_out_reserve(&message->out, 1);
	return rc;
}

static void talk(struct kit *k, struct exchange *x, void *client, void *server)
{
	for (int i = 0; i < STEPS && !x->client_done; i++) {
		int32_t state;
		x->client_rc = step(k, client, true, &x->message, &state, &x->client_err);
		x->client_done = x->client_rc == 0 && state == KLAMM_SASL_DONE;
		if (x->client_rc != 0 || x->client_done || x->server_done)
			return;
		pass_on(k, x, &x->client_sent, x->hurt_client);
		x->server_rc = step(k, server, false, &x->message, &state, &x->server_err);
		x->server_done = x->server_rc == 0 && state != KLAMM_SASL_SEND;
		if (x->server_rc != 0)
			return;
		pass_on(k, x, &x->server_sent, x->hurt_server);
	}
}

static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "localhost", .port = 9092, .flags = KLAMM_SASL_TLS};

/* false: the client half cannot even begin, and client_err says why. */
static bool run_exchange(struct kit *k, struct exchange *x)
{
	const struct klamm_sasl_plugin *plugin = &k->plugin->sasl;
	void *client = NULL, *server = NULL;
	make_secret(k);
	kit_out_init(&x->message, 1 << 20);
	x->server = (struct server){.password = x->password};
	x->server.api = (struct klamm_sasl_server){.size = sizeof(x->server.api),
						   .arg = &x->server,
						   .credential = credential,
						   .identify = identify};
	kit_step(k, "session_new()");
	x->client_rc = plugin->session_new(x->instance->self, &peer, &client, &x->client_err);
	if (x->client_rc != 0)
		return false;
	kit_step(k, "accept_new()");
	x->server_rc = plugin->accept_new(x->instance->self, &peer, &x->server.api, &server,
					  &x->server_err);
	if (x->server_rc == 0)
		talk(k, x, client, server);
	kit_step(k, "session_free()");
	plugin->session_free(client);
	if (x->server_rc == 0 || server != NULL)
		plugin->session_free(server);
	kit_out_free(&x->message);
	return true;
}

static bool has_server(const struct kit *k)
{
	return k->plugin->sasl.accept_new != NULL;
}

static struct exchange plain_exchange(const struct kl_instance *instance)
{
	return (struct exchange){.instance = instance, .hurt_client = -1, .hurt_server = -1};
}

/* Does it work with a name and a password alone? A ticket or a token the kit has not. */
static bool works(struct kit *k, const struct kl_instance *instance, struct exchange *x)
{
	*x = plain_exchange(instance);
	return run_exchange(k, x) && secret.reads > 0;
}

/* An instance and the talk of its two halves. false: *text_out is the check's answer. */
static bool open_pair(struct kit *k, struct kl_instance *instance, struct exchange *talk,
		      const char **text_out)
{
	if (!has_server(k)) {
		*text_out = kit_skip(k, "it has no server half to talk to");
		return false;
	}
	*text_out = kit_open(k, NULL, instance);
	if (*text_out != NULL)
		return false;
	if (works(k, instance, talk))
		return true;
	*text_out = kit_skip(k, "it needs more than a name and a password");
	return false;
}

const char *kit_sasl_agrees(struct kit *k)
{
	struct kl_instance instance;
	struct exchange x;
	const char *text;
	if (!open_pair(k, &instance, &x, &text))
		return text;
	if (x.client_rc != 0 || x.server_rc != 0)
		return kit_say(k, "with the right password %s fails with %s: %s",
			       x.client_rc != 0 ? "step()" : "accept_step()",
			       klamm_err_name(x.client_rc != 0 ? x.client_rc : x.server_rc),
			       x.client_rc != 0 ? x.client_err.text : x.server_err.text);
	if (!x.client_done || !x.server_done)
		return kit_say(k, "with the right password the %s is never done",
			       x.client_done ? "server" : "client");
	if (strcmp(x.server.user, USER) != 0)
		return kit_say(k, "the server half identifies the user as \"%s\", not %s",
			       x.server.user, USER);
	kit_close(k, &instance);
	return NULL;
}

/* --- wrong proofs --- */

static bool tells_secret(const struct klamm_error *err)
{
	char text[SECRET_LEN + 1];
	unmask(text);
	bool tells = strstr(err->text, text) != NULL;
	OPENSSL_cleanse(text, sizeof(text));
	return tells;
}

static const char *check_refusal(struct kit *k, struct exchange *x, const char *what)
{
	if (x->server_done || x->server.user[0] != '\0')
		return kit_say(k, "accept_step() accepts a proof that is wrong: %s", what);
	if (x->server_rc != 0 &&
	    (x->server_err.code != x->server_rc || x->server_err.text[0] == '\0'))
		return kit_say(k, "accept_step() refuses %s without a sentence", what);
	if (tells_secret(&x->server_err) || tells_secret(&x->client_err))
		return kit_say(k, "an error's text has the password in it");
	return NULL;
}

static const char *hurt_messages(struct kit *k, const struct kl_instance *instance,
				 const struct exchange *good)
{
	const char *text = NULL;
	for (size_t i = 0; text == NULL && i < good->client_sent; i++) {
		struct exchange x = plain_exchange(instance);
		char what[100];
		x.hurt_client = (int64_t)i;
		run_exchange(k, &x);
		snprintf(what, sizeof(what), "byte %zu of what the client sends is another",
			 i);
		if (!x.hurt_free)
			text = check_refusal(k, &x, what);
	}
	for (size_t i = 0; text == NULL && i < good->server_sent; i++) {
		struct exchange x = plain_exchange(instance);
		x.hurt_server = (int64_t)i;
		run_exchange(k, &x);
		if (x.client_done && !x.hurt_free)
			text = kit_say(k,
				       "step() accepts a proof that is wrong: byte %zu of "
				       "what the "
				       "server sends is another",
				       i);
	}
	return text;
}

const char *kit_sasl_refuses(struct kit *k)
{
	struct kl_instance instance;
	struct exchange good;
	const char *text;
	if (!open_pair(k, &instance, &good, &text))
		return text;
	for (int password = OTHER; text == NULL && password < PASSWORDS; password++) {
		struct exchange x = plain_exchange(&instance);
		x.password = password;
		run_exchange(k, &x);
		char what[100];
		snprintf(what, sizeof(what), "the store has %s", password_names[password]);
		text = check_refusal(k, &x, what);
	}
	if (text == NULL)
		text = hurt_messages(k, &instance, &good);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

/* --- noise --- */

static const char *noise_to(struct kit *k, const struct kl_instance *instance, bool is_client,
			    int round)
{
	const struct klamm_sasl_plugin *plugin = &k->plugin->sasl;
	struct server server = {.password = RIGHT};
	server.api = (struct klamm_sasl_server){.size = sizeof(server.api),
						.arg = &server,
						.credential = credential,
						.identify = identify};
	uint32_t seed = (uint32_t)round + 1;
	void *session = NULL;
	struct klamm_error err = {0};
	struct kit_out message;
	int32_t state = KLAMM_SASL_SEND;
	kit_out_init(&message, 1 << 20);
	kit_step(k, is_client ? "session_new()" : "accept_new()");
	int rc = is_client ? plugin->session_new(instance->self, &peer, &session, &err)
			   : plugin->accept_new(instance->self, &peer, &server.api,
						&session, &err);
	if (rc != 0)
		return NULL;
	if (is_client)
		rc = step(k, session, true, &message, &state, &err);
	while (rc == 0 && state == KLAMM_SASL_SEND) {
		uint8_t noise[200];
		size_t n = kit_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < n; i++)
			noise[i] =
				(uint8_t)(round % 2 ? kit_random(&seed)
						    : "nyp=,rsciv\0AZ"[kit_random(&seed) %
								       13]);
		kit_out_clear(&message);
		klamm_out_append(&message.out, noise, n);
		rc = step(k, session, is_client, &message, &state, &err);
	}
	kit_step(k, "session_free()");
	plugin->session_free(session);
	kit_out_free(&message);
	if (server.user[0] != '\0')
		return kit_say(k, "accept_step() accepts a proof that is wrong: noise");
	if (rc != 0 && (err.code != rc || err.text[0] == '\0'))
		return kit_say(k, "%s refuses noise with %s and without a sentence",
			       is_client ? "step()" : "accept_step()", klamm_err_name(rc));
	return NULL;
}

const char *kit_sasl_damage(struct kit *k)
{
	struct kl_instance instance;
	make_secret(k);
	const char *text = kit_open(k, NULL, &instance);
	for (int round = 0; text == NULL && round < 500; round++) {
		text = noise_to(k, &instance, true, round);
		if (text == NULL && has_server(k))
			text = noise_to(k, &instance, false, round);
	}
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

/* --- what is left of the secret --- */

/* A session that was never stepped, one that went a step, and one to its end. */
static void use_client(struct kit *k, const struct kl_instance *instance)
{
	const struct klamm_sasl_plugin *plugin = &k->plugin->sasl;
	make_secret(k);
	for (int steps = 0; steps < 2; steps++) {
		void *session = NULL;
		struct klamm_error err = {0};
		struct kit_out message;
		int32_t state;
		kit_out_init(&message, 1 << 20);
		kit_step(k, "session_new()");
		if (plugin->session_new(instance->self, &peer, &session, &err) != 0)
			return;
		if (steps > 0)
			step(k, session, true, &message, &state, &err);
		kit_step(k, "session_free()");
		plugin->session_free(session);
		kit_out_free(&message);
	}
}

static unsigned find_secret(void)
{
	return kit_find_secret(&(struct kit_needle){secret.masked, SECRET_LEN, 16});
}

const char *kit_sasl_wipes(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	if (text != NULL)
		return text;
	use_client(k, &instance);
	if (secret.reads == 0) {
		kit_close(k, &instance);
		return kit_skip(k, "it reads no password");
	}
	unsigned n = find_secret();
	if (n > 0)
		return kit_say(
			k, "the secret is left in memory: %u times after session_free()",
			n);
	struct exchange x = plain_exchange(&instance);
	if (has_server(k))
		run_exchange(k, &x);
	kit_close(k, &instance);
	n = find_secret();
	if (n > 0)
		return kit_say(k, "the secret is left in memory: %u times after close()", n);
	return NULL;
}

const char *kit_sasl_use(struct kit *k, struct kl_instance *instance)
{
	struct exchange x = plain_exchange(instance);
	use_client(k, instance);
	if (has_server(k))
		run_exchange(k, &x);
	return NULL;
}

/* --- threads --- */

static const char *log_in_at_once(struct kit *k, void *arg, int thread)
{
	for (int i = 0; i < 20; i++) {
		struct exchange x;
		if (!works(k, arg, &x))
			return NULL;
		if (!x.client_done || !x.server_done || strcmp(x.server.user, USER) != 0)
			return kit_say(k, "sessions at once disturb each other: %s",
				       x.client_rc != 0 ? x.client_err.text
							: x.server_err.text);
	}
	return NULL;
}

const char *kit_sasl_together(struct kit *k)
{
	struct kl_instance instance;
	struct exchange x;
	const char *text;
	if (!open_pair(k, &instance, &x, &text))
		return text;
	text = kit_together(k, log_in_at_once, &instance);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}
