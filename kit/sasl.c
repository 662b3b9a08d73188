/* SPDX-License-Identifier: BSD-2-Clause */
/* What a SASL mechanism must do: <klamm/sasl.h>. Its client half talks to its own server half,
 * where it has one; the kit is the wire between them and the server's store of passwords. */
#include <openssl/crypto.h>
#include <stdio.h>

#include "kit/sasl_peer.h"

/* Does it work with a name and a password alone? A ticket or a token the kit has not. */
static bool works(struct kit *k, const struct kl_instance *instance, struct kit_exchange *x)
{
	*x = kit_exchange(instance);
	return kit_exchange_run(k, x) && kit_secret.reads > 0;
}

/* An instance and the talk of its two halves. false: *text_out is the check's answer. */
static bool open_pair(struct kit *k, struct kl_instance *instance, struct kit_exchange *talk,
		      const char **text_out)
{
	if (!kit_sasl_has_server(k)) {
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
	struct kit_exchange x;
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
	if (strcmp(x.server.user, KIT_USER) != 0)
		return kit_say(k, "the server half identifies the user as \"%s\", not %s",
			       x.server.user, KIT_USER);
	kit_close(k, &instance);
	return NULL;
}

/* --- wrong proofs --- */

static bool tells_secret(const struct klamm_error *err)
{
	char text[KIT_SECRET_LEN + 1];
	kit_secret_unmask(text);
	bool tells = strstr(err->text, text) != NULL;
	OPENSSL_cleanse(text, sizeof(text));
	return tells;
}

static const char *check_refusal(struct kit *k, struct kit_exchange *x, const char *what)
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
				 const struct kit_exchange *good)
{
	const char *text = NULL;
	for (size_t i = 0; text == NULL && i < good->client_sent; i++) {
		struct kit_exchange x = kit_exchange(instance);
		char what[100];
		x.hurt_client = (int64_t)i;
		kit_exchange_run(k, &x);
		snprintf(what, sizeof(what), "byte %zu of what the client sends is another",
			 i);
		if (!x.hurt_free)
			text = check_refusal(k, &x, what);
	}
	for (size_t i = 0; text == NULL && i < good->server_sent; i++) {
		struct kit_exchange x = kit_exchange(instance);
		x.hurt_server = (int64_t)i;
		kit_exchange_run(k, &x);
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
	struct kit_exchange good;
	const char *text;
	if (!open_pair(k, &instance, &good, &text))
		return text;
	for (int password = KIT_PASSWORD_OTHER; text == NULL && password < KIT_PASSWORDS;
	     password++) {
		struct kit_exchange x = kit_exchange(&instance);
		x.password = password;
		kit_exchange_run(k, &x);
		char what[100];
		snprintf(what, sizeof(what), "the store has %s", kit_password_names[password]);
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
	struct kit_server server;
	kit_server_init(&server, KIT_PASSWORD_RIGHT);
	static const uint8_t letters[] = "nyp=,rsciv\0AZ";
	uint32_t seed = (uint32_t)round + 1;
	void *session = NULL;
	struct klamm_error err = {0};
	struct kit_out message;
	int32_t state = KLAMM_SASL_SEND;
	kit_out_init(&message, 1 << 20);
	kit_step(k, is_client ? "session_new()" : "accept_new()");
	int rc = is_client ? plugin->session_new(instance->self, &kit_sasl_peer, &session,
						 &err)
			   : plugin->accept_new(instance->self, &kit_sasl_peer, &server.api,
						&session, &err);
	if (rc != 0)
		return NULL;
	if (is_client)
		rc = kit_sasl_step(k, session, true, &message, &state, &err);
	while (rc == 0 && state == KLAMM_SASL_SEND) {
		uint8_t noise[200];
		size_t n = kit_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < n; i++)
			noise[i] = (uint8_t)(round % 2
						     ? kit_random(&seed)
						     : letters[kit_random(&seed) % 13]);
		kit_out_clear(&message);
		klamm_out_append(&message.out, noise, n);
		rc = kit_sasl_step(k, session, is_client, &message, &state, &err);
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
	kit_secret_make(k);
	const char *text = kit_open(k, NULL, &instance);
	for (int round = 0; text == NULL && round < 500; round++) {
		text = noise_to(k, &instance, true, round);
		if (text == NULL && kit_sasl_has_server(k))
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
	kit_secret_make(k);
	for (int steps = 0; steps < 2; steps++) {
		void *session = NULL;
		struct klamm_error err = {0};
		struct kit_out message;
		int32_t state;
		kit_out_init(&message, 1 << 20);
		kit_step(k, "session_new()");
		if (plugin->session_new(instance->self, &kit_sasl_peer, &session, &err) != 0)
			return;
		if (steps > 0)
			kit_sasl_step(k, session, true, &message, &state, &err);
		kit_step(k, "session_free()");
		plugin->session_free(session);
		kit_out_free(&message);
	}
}

static unsigned find_secret(void)
{
	return kit_find_secret(&(struct kit_needle){kit_secret.masked, KIT_SECRET_LEN, 16});
}

const char *kit_sasl_wipes(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	if (text != NULL)
		return text;
	use_client(k, &instance);
	if (kit_secret.reads == 0) {
		kit_close(k, &instance);
		return kit_skip(k, "it reads no password");
	}
	unsigned n = find_secret();
	if (n > 0)
		return kit_say(
			k, "the secret is left in memory: %u times after session_free()",
			n);
	struct kit_exchange x = kit_exchange(&instance);
	if (kit_sasl_has_server(k))
		kit_exchange_run(k, &x);
	kit_close(k, &instance);
	n = find_secret();
	if (n > 0)
		return kit_say(k, "the secret is left in memory: %u times after close()", n);
	return NULL;
}

const char *kit_sasl_use(struct kit *k, struct kl_instance *instance)
{
	struct kit_exchange x = kit_exchange(instance);
	use_client(k, instance);
	if (kit_sasl_has_server(k))
		kit_exchange_run(k, &x);
	return NULL;
}

/* --- threads --- */

static const char *log_in_at_once(struct kit *k, void *arg, int thread)
{
	for (int i = 0; i < 20; i++) {
		struct kit_exchange x;
		if (!works(k, arg, &x))
			return NULL;
		if (!x.client_done || !x.server_done || strcmp(x.server.user, KIT_USER) != 0)
			return kit_say(k, "sessions at once disturb each other: %s",
				       x.client_rc != 0 ? x.client_err.text
							: x.server_err.text);
	}
	return NULL;
}

const char *kit_sasl_together(struct kit *k)
{
	struct kl_instance instance;
	struct kit_exchange x;
	const char *text;
	if (!open_pair(k, &instance, &x, &text))
		return text;
	text = kit_together(k, log_in_at_once, &instance);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}
