/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM, the server's half. It says what Kafka's ScramSaslServer says, but for one
 * thing: whoever is not known gets a salt and a second message as others do, and both
 * take the same time, so that nobody learns who is a user here. */
#ifndef PLUGINS_SCRAM_SERVER_H
#define PLUGINS_SCRAM_SERVER_H

#include "plugins/common/scram.h"

#define SCRAM_OWN_SALT 16

static int scram_accept(void *self, const struct klamm_sasl_peer *peer,
			const struct klamm_sasl_server *server, void **session_out,
			struct klamm_error *err)
{
	return scram_session_make(self, server, (peer->flags & KLAMM_SASL_AGAIN) != 0,
				  session_out, err);
}

/* The reason is for the log: who has not proved anything hears what Kafka says. */
static int scram_refuse(const struct scram_session *s, const char *why,
			struct klamm_error *err)
{
	char text[160];
	snprintf(text, sizeof(text), "refused: %s", why);
	s->scram->host->log(s->scram->host, 3, text);
	return klamm_fail(
		err, KLAMM_ERR_AUTHENTICATION,
		"Authentication failed during %s due to invalid credentials with "
		"SASL mechanism %s",
		s->again ? "re-authentication" : "authentication",
		s->scram->hash->mechanism);
}

/* --- what is stored: NAME=VALUE,NAME=VALUE --- */

static bool scram_stored_bytes(struct klamm_span stored, const char *name, uint8_t *to,
			       size_t len)
{
	struct klamm_span value;
	return scram_extension(stored, name, &value) &&
	       scram_unbase64(value, to, len) == (ptrdiff_t)len;
}

/* The first message of the server is known now: who the user is, how the salt was. */
struct scram_user {
	char salt[SCRAM_MESSAGE_MAX]; /* base64 */
	int iterations;
};

static bool scram_use_stored(struct scram_session *s, struct klamm_span stored,
			     struct scram_user *user)
{
	struct klamm_span salt, iterations;
	uint8_t bytes[sizeof(user->salt)];
	size_t len = s->scram->hash->len;
	if (!scram_extension(stored, "salt", &salt) || salt.len >= sizeof(user->salt) ||
	    scram_unbase64(salt, bytes, sizeof(bytes)) < 0 ||
	    !scram_extension(stored, "iterations", &iterations) ||
	    !scram_stored_bytes(stored, "stored_key", s->keys.stored, len) ||
	    !scram_stored_bytes(stored, "server_key", s->keys.server, len))
		return false;
	memcpy(user->salt, salt.data, salt.len);
	user->salt[salt.len] = '\0';
	user->iterations = scram_number(iterations);
	return user->iterations >= SCRAM_ITERATIONS_MIN;
}

/* Keys of a password, with a salt that the same name always has while the server lives.
 */
static int scram_use_password(struct scram_session *s, const char *name,
			      const char *password, struct scram_user *user,
			      struct klamm_error *err)
{
	const struct scram *scram = s->scram;
	uint8_t salt[SCRAM_HASH_MAX];
	bool ok = scram_hmac(scram->hash, scram->pepper, name, strlen(name), salt);
	scram_base64(salt, SCRAM_OWN_SALT, user->salt);
	user->iterations = SCRAM_ITERATIONS_MIN;
	ok = ok && scram_derive(scram->hash, password,
				(struct klamm_span){salt, SCRAM_OWN_SALT},
				user->iterations, &s->keys);
	return ok ? 0 : scram_no_memory(err);
}

/* A delegation token: its owner is who has logged in, its HMAC is the password. */
static int scram_use_token(struct scram_session *s, struct klamm_span stored,
			   struct kl_text *password, struct klamm_error *err)
{
	struct klamm_span owner, hmac, expires;
	const struct klamm_host *host = s->scram->host;
	if (!scram_extension(stored, "owner", &owner) || owner.len == 0 ||
	    !scram_extension(stored, "hmac", &hmac))
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "a delegation token is stored without owner or hmac");
	char *name = strndup(owner.data, owner.len);
	kl_text_put(password, hmac.data, hmac.len);
	if (name == NULL || password->failed) {
		free(name);
		return scram_no_memory(err);
	}
	free(s->user);
	s->user = name;
	if (scram_extension(stored, "expires", &expires)) {
		char text[24] = "";
		memcpy(text, expires.data, expires.len < 23 ? expires.len : 23);
		s->lifetime_ms = strtoll(text, NULL, 10) - host->wall_ms(host);
		s->is_known = s->lifetime_ms > 0;
	}
	return 0;
}

/* rc of the server's store: what it has of a kind. */
static int scram_look(struct scram_session *s, const char *name, const char *what,
		      struct klamm_out *to, struct klamm_error *err)
{
	to->len = 0;
	int rc = s->server->credential(s->server, name, what, to);
	if (rc != 0 && rc != KLAMM_ERR_AUTHENTICATION)
		return klamm_fail(err, rc, "the users cannot be read");
	s->is_known = rc == 0;
	return 0;
}

static int scram_find(struct scram_session *s, const char *name, bool is_token,
		      struct klamm_out *stored, struct scram_user *user,
		      struct klamm_error *err)
{
	const char *mechanism = s->scram->hash->mechanism;
	/* Where no core dump looks, for as long as it takes to make keys of it. */
	KL_TEXT_AUTO password = {.is_kept = true};
	int rc = scram_look(s, name, is_token ? "delegation-token" : "password", stored,
			    err);
	if (rc == 0 && s->is_known && is_token)
		rc = scram_use_token(s, (struct klamm_span){stored->data, stored->len},
				     &password, err);
	else if (s->is_known)
		kl_text_put(&password, stored->data, stored->len);
	else /* Of anything, when there is none: the time does not tell. */
		kl_text_add(&password, name);
	s->scram->host->wipe(s->scram->host, stored->data, stored->cap);
	if (rc == 0)
		rc = password.failed ? scram_no_memory(err)
				     : scram_use_password(s, name, password.p, user, err);
	kl_text_free(&password);
	if (rc != 0 || is_token)
		return rc;
	bool has_password = s->is_known;
	rc = scram_look(s, name, mechanism, stored, err);
	if (rc == 0 && s->is_known &&
	    !scram_use_stored(s, (struct klamm_span){stored->data, stored->len}, user))
		rc = klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"what is stored of a user for %s is no salt, stored_key, "
			"server_key and at least %d iterations",
			mechanism, SCRAM_ITERATIONS_MIN);
	s->is_known |= has_password;
	return rc;
}

/* What is stored is wiped wherever that ends. */
static int scram_find_user(struct scram_session *s, const char *name, bool is_token,
			   struct scram_user *user, struct klamm_error *err)
{
	const struct klamm_host *host = s->scram->host;
	struct klamm_out *stored;
	if (host->out_new(host, SCRAM_MESSAGE_MAX, &stored) != 0)
		return scram_no_memory(err);
	/* At once: growing leaves copies. */
	int rc = klamm_out_reserve(stored, SCRAM_MESSAGE_MAX) != NULL
			 ? scram_find(s, name, is_token, stored, user, err)
			 : scram_no_memory(err);
	if (stored->data != NULL)
		host->wipe(host, stored->data, stored->cap);
	host->out_free(host, stored);
	return rc;
}

/* --- the first message --- */

static bool scram_wants_token(const struct scram_client_first *m)
{
	struct klamm_span value;
	return scram_extension(m->extensions, SCRAM_TOKEN, &value) && value.len == 4 &&
	       strncasecmp(value.data, "true", 4) == 0;
}

/* Who it says to be; the names are as long as the message at most. */
static int scram_read_names(struct scram_session *s, const struct scram_client_first *m,
			    struct klamm_error *err)
{
	char authzid[SCRAM_MESSAGE_MAX + 1];
	s->user = malloc(m->name.len + 1);
	s->channel = malloc(SCRAM_BASE64(m->gs2.len) + 1);
	if (s->user == NULL || s->channel == NULL)
		return scram_no_memory(err);
	scram_base64(m->gs2.data, m->gs2.len, s->channel);
	if (!scram_unescape(m->name, s->user))
		return scram_refuse(s, "the user name is none", err);
	if (m->authzid.len > 0 &&
	    (!scram_unescape(m->authzid, authzid) || strcmp(authzid, s->user) != 0))
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"Authentication failed: Client requested an authorization "
			"id that is different from username");
	return 0;
}

static int scram_greet(struct scram_session *s, struct klamm_span nonce,
		       const struct scram_user *user, struct klamm_out *out,
		       struct klamm_error *err)
{
	char own[SCRAM_NONCE + 1], iterations[12];
	scram_make_nonce(s->scram, own);
	snprintf(iterations, sizeof(iterations), "%d", user->iterations);
	s->whole_nonce = malloc(nonce.len + sizeof(own));
	if (s->whole_nonce == NULL)
		return scram_no_memory(err);
	memcpy(s->whole_nonce, nonce.data, nonce.len);
	memcpy(s->whole_nonce + nonce.len, own, sizeof(own));
	int rc = scram_put(err, out, "r=", s->whole_nonce, ",s=", user->salt,
			   ",i=", iterations, NULL);
	if (rc == 0 && (klamm_out_append(s->said, ",", 1) != 0 ||
			klamm_out_append(s->said, out->data, out->len) != 0))
		rc = scram_no_memory(err);
	return rc;
}

static int scram_accept_first(struct scram_session *s, const struct klamm_span *in,
			      struct klamm_out *out, struct klamm_error *err)
{
	struct scram_client_first m = {0};
	struct scram_user user;
	if (in->len > SCRAM_MESSAGE_MAX || !scram_read_client_first(*in, &m))
		return scram_refuse(s, "the client's first message is none of SCRAM",
				    err);
	int rc = scram_read_names(s, &m, err);
	if (rc != 0)
		return rc;
	if (klamm_out_append(s->said, m.bare.data, m.bare.len) != 0)
		return scram_no_memory(err);
	char *name = strdup(s->user); /* a token's owner takes its place */
	if (name == NULL)
		return scram_no_memory(err);
	rc = scram_find_user(s, name, scram_wants_token(&m), &user, err);
	free(name);
	return rc == 0 ? scram_greet(s, m.nonce, &user, out, err) : rc;
}

/* --- the second --- */

static int scram_accept_final(struct scram_session *s, const struct klamm_span *in,
			      struct klamm_out *out, struct klamm_error *err)
{
	const struct scram_hash *hash = s->scram->hash;
	struct scram_client_final m = {0};
	uint8_t proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	char text[SCRAM_BASE64(SCRAM_HASH_MAX) + 1];
	if (in->len > SCRAM_MESSAGE_MAX || !scram_read_client_final(*in, &m))
		return scram_refuse(s, "the client's last message is none of SCRAM",
				    err);
	if (!scram_is(m.channel, s->channel) || !scram_is(m.nonce, s->whole_nonce))
		return scram_refuse(
			s, "the client's last message belongs to no first one", err);
	if (scram_unbase64(m.proof, proof, hash->len) != (ptrdiff_t)hash->len)
		return scram_refuse(s, "the proof is none", err);
	if (klamm_out_append(s->said, ",", 1) != 0 ||
	    klamm_out_append(s->said, m.without_proof.data, m.without_proof.len) != 0)
		return scram_no_memory(err);
	bool is_right =
		scram_verify(hash, s->keys.stored, s->said->data, s->said->len, proof);
	if (!is_right || !s->is_known)
		return scram_refuse(s, "no such user, or another password", err);
	if (!scram_hmac(hash, s->keys.server, s->said->data, s->said->len, signature))
		return scram_no_memory(err);
	scram_base64(signature, hash->len, text);
	int rc = scram_put(err, out, "v=", text, NULL);
	return rc == 0 ? s->server->identify(s->server, s->user, s->lifetime_ms) : rc;
}

static int scram_accept_step(void *state, const struct klamm_call *call,
			     const struct klamm_span *in, struct klamm_out *out,
			     int32_t *state_out, struct klamm_error *err)
{
	struct scram_session *s = state;
	enum scram_turn turn = scram_take_turn(s);
	*state_out = turn == SCRAM_FIRST ? KLAMM_SASL_SEND : KLAMM_SASL_DONE;
	if (turn == SCRAM_SECOND)
		return scram_accept_final(s, in, out, err);
	if (turn != SCRAM_FIRST)
		return scram_refuse(s, "the client goes on after its last message",
				    err);
	int rc = scram_accept_first(s, in, out, err);
	if (rc == 0)
		s->turn = SCRAM_SECOND;
	return rc;
}

#endif
