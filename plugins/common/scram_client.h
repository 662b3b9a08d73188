/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM, the client's half. The server's signature is computed with the proof, so that
 * nothing made of the password is kept until it comes. */
#ifndef PLUGINS_SCRAM_CLIENT_H
#define PLUGINS_SCRAM_CLIENT_H

#include "plugins/common/scram.h"

static int scram_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		     struct klamm_error *err)
{
	return scram_session_make(self, NULL, false, session_out, err);
}

/* --- the first message --- */

static int scram_begin(struct scram_session *s, const struct klamm_span *in,
		       struct klamm_out *out, struct klamm_error *err)
{
	const struct scram *scram = s->scram;
	if (in->len > 0)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker speaks first, where the client does");
	scram_make_nonce(scram, s->nonce);
	int rc = scram_put(err, s->said, "n=", scram->name, ",r=", s->nonce,
			   scram->token ? "," SCRAM_TOKEN "=true" : "", NULL);
	if (rc == 0)
		rc = scram_put(err, out, "n,,", NULL);
	if (rc == 0 && klamm_out_append(out, s->said->data, s->said->len) != 0)
		rc = klamm_out_error(out, s->said->len, err);
	return rc;
}

/* --- the second --- */

/* Who could have sent that? A broker does not make a client compute without end, or
 * send what others can use to guess the password. */
static int scram_check_first(const struct scram_session *s,
			     const struct scram_server_first *m,
			     struct klamm_error *err)
{
	if (m->nonce.len <= SCRAM_NONCE ||
	    memcmp(m->nonce.data, s->nonce, SCRAM_NONCE) != 0)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker's nonce does not go on from the client's: "
			"someone may stand between them");
	if (m->iterations > SCRAM_ITERATIONS_MAX)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker asks for more than %d iterations, which no "
			"broker stores",
			SCRAM_ITERATIONS_MAX);
	if (m->iterations < SCRAM_ITERATIONS_MIN)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker asks for %d iterations; fewer than %d make "
			"the password easy to guess",
			m->iterations, SCRAM_ITERATIONS_MIN);
	return 0;
}

static int scram_read_first(const struct scram_session *s, struct klamm_span in,
			    struct scram_server_first *m, struct klamm_error *err)
{
	char reason[200];
	if (in.len > SCRAM_MESSAGE_MAX)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker's first message has %zu bytes; %d are the "
			"most",
			in.len, SCRAM_MESSAGE_MAX);
	if (scram_server_error(in, reason, sizeof(reason)))
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "the broker says: %s",
				  reason);
	if (!scram_read_server_first(in, m))
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker's first message is none of SCRAM");
	return scram_check_first(s, m, err);
}

/* The password as it is now: it may have been changed. */
static int scram_derive_now(const struct scram *scram, struct klamm_span salt,
			    int iterations, struct scram_keys *keys,
			    struct klamm_error *err)
{
	const struct klamm_host *host = scram->host;
	char *password, *prepared = NULL;
	KL_TEXT_AUTO kept = {.is_kept = true};
	int rc = host->secret_read(host, "sasl.password", &password, err);
	if (rc != 0)
		return rc;
	/* For as long as it takes it lies where no core dump looks: there, as it was read, or
	 * in a copy of what became of it. */
	if (scram->prepares) {
		rc = scram_prepared(password, true, true, &prepared, err);
		if (rc == 0)
			kl_text_add(&kept, prepared);
		host->secret_wipe(host, prepared);
	}
	if (rc == 0 && (kept.failed ||
			!scram_derive(scram->hash,
				      scram->prepares ? kl_text_get(&kept) : password,
				      salt, iterations, keys)))
		rc = scram_no_memory(err);
	host->secret_wipe(host, password);
	return rc;
}

static int scram_sign(struct scram_session *s, const struct scram_keys *keys,
		      struct klamm_out *out, struct klamm_error *err)
{
	const struct scram_hash *hash = s->scram->hash;
	uint8_t proof[SCRAM_HASH_MAX], signature[SCRAM_HASH_MAX];
	char text[SCRAM_BASE64(SCRAM_HASH_MAX) + 1];
	if (!scram_prove(hash, keys, s->said->data, s->said->len, proof, signature))
		return scram_no_memory(err);
	scram_base64(signature, hash->len, s->awaited);
	scram_base64(proof, hash->len, text);
	return scram_put(err, out, ",p=", text, NULL);
}

static int scram_answer(struct scram_session *s, const struct klamm_span *in,
			struct klamm_out *out, struct klamm_error *err)
{
	struct scram_server_first m = {0};
	uint8_t salt[SCRAM_MESSAGE_MAX];
	struct scram_keys keys;
	int rc = scram_read_first(s, *in, &m, err);
	if (rc != 0)
		return rc;
	ptrdiff_t len = scram_unbase64(m.salt, salt, sizeof(salt));
	if (len < 0)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker's salt is no base64");
	/* Of the "n,,": nothing is bound to the channel. */
	size_t from = s->said->len;
	if (klamm_out_append(s->said, ",", 1) != 0 ||
	    klamm_out_append(s->said, in->data, in->len) != 0 ||
	    klamm_out_append(s->said, ",c=biws,r=", 10) != 0 ||
	    klamm_out_append(s->said, m.nonce.data, m.nonce.len) != 0)
		return scram_no_memory(err);
	from += 1 + in->len + 1;
	if (klamm_out_append(out, s->said->data + from, s->said->len - from) != 0)
		return klamm_out_error(out, s->said->len - from, err);
	rc = scram_derive_now(s->scram, (struct klamm_span){salt, (size_t)len},
			      m.iterations, &keys, err);
	if (rc == 0)
		rc = scram_sign(s, &keys, out, err);
	scram_wipe_keys(&keys);
	return rc;
}

/* --- the end --- */

static int scram_believe(const struct scram_session *s, const struct klamm_span *in,
			 struct klamm_error *err)
{
	char reason[200];
	struct klamm_span rest = *in, signature;
	if (scram_server_error(*in, reason, sizeof(reason)))
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "the broker says: %s",
				  reason);
	if (!scram_take(&rest, 'v', &signature) || !scram_extensions(rest))
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker says yes without a signature, so it does "
				  "not prove that it knows the user");
	if (signature.len != strlen(s->awaited) ||
	    CRYPTO_memcmp(signature.data, s->awaited, signature.len) != 0)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker's signature is wrong: it does not know the "
			"user's keys");
	return 0;
}

static int scram_step(void *state, const struct klamm_call *call,
		      const struct klamm_span *in, struct klamm_out *out,
		      int32_t *state_out, struct klamm_error *err)
{
	struct scram_session *s = state;
	enum scram_turn turn = scram_take_turn(s);
	int rc;
	*state_out = turn == SCRAM_THIRD ? KLAMM_SASL_DONE : KLAMM_SASL_SEND;
	switch (turn) {
	case SCRAM_FIRST:
		rc = scram_begin(s, in, out, err);
		break;
	case SCRAM_SECOND:
		rc = scram_answer(s, in, out, err);
		break;
	case SCRAM_THIRD:
		return scram_believe(s, in, err);
	default:
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker goes on after the last message");
	}
	if (rc == 0)
		s->turn = turn + 1;
	return rc;
}

#endif
