/* SPDX-License-Identifier: BSD-2-Clause */
#include "kit/sasl_peer.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <stdio.h>
#include <stdlib.h>

#define PASSWORD_MAX 80
#define ITERATIONS 4096
/* More steps than any mechanism has. */
#define STEPS 16

/* --- the secret --- */

struct kit_secret kit_secret;

void kit_secret_make(struct kit *k)
{
	if (kit_secret.is_made)
		return;
	struct kl_os *os = k->host->os;
	os->random(os, kit_secret.masked, KIT_SECRET_LEN);
	for (size_t i = 0; i < KIT_SECRET_LEN; i++)
		kit_secret.masked[i] = (uint8_t)('a' + kit_secret.masked[i] % 26) ^ KIT_MASK;
	kit_secret.is_made = true;
}

void kit_secret_unmask(char to[static KIT_SECRET_LEN + 1])
{
	for (size_t i = 0; i < KIT_SECRET_LEN; i++)
		to[i] = (char)(kit_secret.masked[i] ^ KIT_MASK);
	to[KIT_SECRET_LEN] = '\0';
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
	kit_secret_make(arg);
	char *text = malloc(KIT_SECRET_LEN + 1);
	if (text == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	kit_secret_unmask(text);
	kit_secret.reads++;
	*text_out = text;
	return 0;
}

const char *kit_sasl_default(const char *key)
{
	if (strcmp(key, "sasl.aws_msk_iam.region") == 0)
		return "us-east-1"; /* the kit's peer is nowhere */
	return strcmp(key, "sasl.username") == 0 ||
			       strcmp(key, "sasl.aws_msk_iam.access.key.id") == 0
		       ? KIT_USER
		       : NULL;
}

/* --- the server's store --- */

const char *const kit_password_names[] = {
	"", "another password", "a part of the password", "the password and more",
	"no password", "a password that differs in its last byte",
	"the password in other letters",
};

static void make_password(int which, char to[static PASSWORD_MAX])
{
	kit_secret_unmask(to);
	switch (which) {
	case KIT_PASSWORD_OTHER:
		strcpy(to, "correct horse battery staple");
		break;
	case KIT_PASSWORD_SHORTER:
		to[KIT_SECRET_LEN / 2] = '\0';
		break;
	case KIT_PASSWORD_LONGER:
		strcpy(to + KIT_SECRET_LEN, "x");
		break;
	case KIT_PASSWORD_EMPTY:
		memset(to, 0, KIT_SECRET_LEN);
		break;
	case KIT_PASSWORD_LAST_BYTE:
		to[KIT_SECRET_LEN - 1] = to[KIT_SECRET_LEN - 1] == 'q' ? 'r' : 'q';
		break;
	case KIT_PASSWORD_LETTER_CASE:
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
	const struct kit_server *server = api->arg;
	char password[PASSWORD_MAX] = "";
	int rc = KLAMM_ERR_AUTHENTICATION;
	if (strcmp(user, KIT_USER) != 0)
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
	struct kit_server *server = api->arg;
	snprintf(server->user, sizeof(server->user), "%s", user);
	return 0;
}

void kit_server_init(struct kit_server *server, int password)
{
	*server = (struct kit_server){.password = password};
	server->api = (struct klamm_sasl_server){.size = sizeof(server->api),
						 .arg = server,
						 .credential = credential,
						 .identify = identify};
}

/* --- one exchange --- */

static const int32_t never;
static const struct klamm_call in_time = {
	.size = sizeof(in_time), .wait_ms = 10000, .cancelled = &never};

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
static void pass_on(struct kit *k, struct kit_exchange *x, size_t *sent, int64_t hurt)
{
	struct klamm_out *message = &x->message.out;
	if (hurt >= (int64_t)*sent && (size_t)hurt < *sent + message->len) {
		size_t at = (size_t)hurt - *sent;
		x->hurt_free = is_free(k->plugin->sasl.mechanism, message, at);
		message->data[at] ^= 0x10;
	}
	*sent += message->len;
}

int kit_sasl_step(struct kit *k, void *session, bool is_client, struct kit_out *message,
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

static void talk(struct kit *k, struct kit_exchange *x, void *client, void *server)
{
	for (int i = 0; i < STEPS && !x->client_done; i++) {
		int32_t state;
		x->client_rc = kit_sasl_step(k, client, true, &x->message, &state,
					     &x->client_err);
		x->client_done = x->client_rc == 0 && state == KLAMM_SASL_DONE;
		if (x->client_rc != 0 || x->client_done || x->server_done)
			return;
		pass_on(k, x, &x->client_sent, x->hurt_client);
		x->server_rc = kit_sasl_step(k, server, false, &x->message, &state,
					     &x->server_err);
		x->server_done = x->server_rc == 0 && state != KLAMM_SASL_SEND;
		if (x->server_rc != 0)
			return;
		pass_on(k, x, &x->server_sent, x->hurt_server);
	}
}

const struct klamm_sasl_peer kit_sasl_peer = {
	.size = sizeof(kit_sasl_peer),
	.host = "localhost",
	.port = 9092,
	.flags = KLAMM_SASL_TLS,
};

bool kit_exchange_run(struct kit *k, struct kit_exchange *x)
{
	const struct klamm_sasl_plugin *plugin = &k->plugin->sasl;
	void *client = NULL, *server = NULL;
	kit_secret_make(k);
	kit_out_init(&x->message, 1 << 20);
	kit_server_init(&x->server, x->password);
	kit_step(k, "session_new()");
	x->client_rc = plugin->session_new(x->instance->self, &kit_sasl_peer, &client,
					   &x->client_err);
	if (x->client_rc != 0)
		return false;
	kit_step(k, "accept_new()");
	x->server_rc = plugin->accept_new(x->instance->self, &kit_sasl_peer, &x->server.api,
					  &server, &x->server_err);
	if (x->server_rc == 0)
		talk(k, x, client, server);
	kit_step(k, "session_free()");
	plugin->session_free(client);
	if (x->server_rc == 0 || server != NULL)
		plugin->session_free(server);
	kit_out_free(&x->message);
	return true;
}

bool kit_sasl_has_server(const struct kit *k)
{
	return k->plugin->sasl.accept_new != NULL;
}

struct kit_exchange kit_exchange(const struct kl_instance *instance)
{
	return (struct kit_exchange){
		.instance = instance, .hurt_client = -1, .hurt_server = -1};
}
