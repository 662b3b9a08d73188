/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM (RFC 5802, 7677), both halves, for the plugins that say with which hash. What a
 * session keeps between two messages is what was said and what is awaited, and no
 * password. */
#ifndef PLUGINS_SCRAM_H
#define PLUGINS_SCRAM_H

#include <klamm/sasl.h>
#include <stdlib.h>
#include <strings.h>

#include "plugins/common/scram_crypt.h"
#include "plugins/common/scram_message.h"
#include "plugins/common/scram_prepare.h"
#include "plugins/common/text.h"

#define SCRAM_NONCE_BYTES 24
#define SCRAM_NONCE       SCRAM_BASE64(SCRAM_NONCE_BYTES)
#define SCRAM_TOKEN       "tokenauth"

struct scram_conf {
	const char *user;
	bool token, prepares;
};

static const struct klamm_option scram_options[] = {
	{.name = "sasl.username",
	 .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct scram_conf, user),
	 .aliases = "sasl_plain_username",
	 .doc = "The user name, or the id of a delegation token."},
	{.name = "sasl.password",
	 .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_SECRET,
	 .aliases = "sasl_plain_password",
	 .doc = "The password, or the HMAC of a delegation token."},
	{.name = "sasl.scram." SCRAM_TOKEN,
	 .type = KLAMM_OPTION_BOOL,
	 .offset = offsetof(struct scram_conf, token),
	 .def = "false",
	 .doc = "Name and password are those of a delegation token."},
	{.name = "sasl.scram.saslprep",
	 .type = KLAMM_OPTION_BOOL,
	 .offset = offsetof(struct scram_conf, prepares),
	 .def = "false",
	 .doc = "Prepare name and password as RFC 4013 says."},
	{NULL},
};

struct scram {
	const struct klamm_host *host;
	const struct scram_hash *hash;
	bool token, prepares;
	char *name; /* a client's, as it is sent */
	/* A server's: salts of those who have none come from it. */
	uint8_t pepper[SCRAM_HASH_MAX];
};

enum scram_turn {
	SCRAM_FIRST,
	SCRAM_SECOND,
	SCRAM_THIRD,
	SCRAM_OVER, /* also after an error: such a session is not stepped on */
};

struct scram_session {
	const struct scram *scram;
	enum scram_turn turn;
	struct klamm_out
		*said; /* what the signatures are over, as far as it has come */
	/* --- client --- */
	char nonce[SCRAM_NONCE + 1];
	char awaited[SCRAM_BASE64(SCRAM_HASH_MAX) + 1]; /* the server's signature */
	/* --- server --- */
	const struct klamm_sasl_server *server;
	bool again;
	char *user, *channel, *whole_nonce;
	bool is_known;
	struct scram_keys keys;
	int64_t lifetime_ms;
};

static int scram_no_memory(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
}

/* --- instances --- */

static void scram_close(void *self)
{
	struct scram *scram = self;
	OPENSSL_cleanse(scram->pepper, sizeof(scram->pepper));
	free(scram->name);
	free(scram);
}

/* What a client needs is looked at when it is made, not when it connects. */
static int scram_check_password(const struct scram *scram, struct klamm_error *err)
{
	char *password, *prepared = NULL;
	int rc = scram->host->secret_read(scram->host, "sasl.password", &password, err);
	if (rc != 0)
		return rc;
	rc = scram_prepared(password, scram->prepares, true, &prepared, err);
	scram->host->secret_wipe(scram->host, password);
	if (rc == 0)
		scram->host->secret_wipe(scram->host, prepared);
	return rc;
}

static int scram_open_client(struct scram *scram, const char *user,
			     struct klamm_error *err)
{
	char *prepared;
	if (user == NULL || user[0] == '\0')
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "sasl.username is not set: %s needs it, or a "
				  "sasl.jaas.config with a username",
				  scram->hash->mechanism);
	int rc = scram_prepared(user, scram->prepares, false, &prepared, err);
	if (rc != 0)
		return rc;
	scram->name = malloc(3 * strlen(prepared) + 1);
	if (scram->name != NULL)
		scram_escape(prepared, scram->name);
	free(prepared);
	return scram->name != NULL ? scram_check_password(scram, err)
				   : scram_no_memory(err);
}

static int scram_open(const struct scram_hash *hash, const struct klamm_host *host,
		      const struct scram_conf *conf, void **self_out,
		      struct klamm_error *err)
{
	struct scram *scram = calloc(1, sizeof(*scram));
	if (scram == NULL)
		return scram_no_memory(err);
	scram->host = host;
	scram->hash = hash;
	scram->token = conf->token;
	scram->prepares = conf->prepares;
	host->random(host, scram->pepper, hash->len);
	int rc = strcmp(host->role, "sasl.mechanism") == 0
			 ? scram_open_client(scram, conf->user, err)
			 : 0;
	if (rc != 0)
		scram_close(scram);
	else
		*self_out = scram;
	return rc;
}

/* --- sessions --- */

static void scram_session_free(void *state)
{
	struct scram_session *s = state;
	const struct klamm_host *host = s->scram->host;
	host->out_free(host, s->said);
	free(s->user);
	free(s->channel);
	free(s->whole_nonce);
	OPENSSL_cleanse(s, sizeof(*s));
	free(s);
}

static int scram_session_make(void *self, const struct klamm_sasl_server *server,
			      bool again, void **session_out, struct klamm_error *err)
{
	const struct scram *scram = self;
	struct scram_session *s = calloc(1, sizeof(*s));
	if (s == NULL)
		return scram_no_memory(err);
	s->scram = scram;
	s->server = server;
	s->again = again;
	s->lifetime_ms = -1;
	if (scram->host->out_new(scram->host, 4 * SCRAM_MESSAGE_MAX, &s->said) != 0) {
		free(s);
		return scram_no_memory(err);
	}
	*session_out = s;
	return 0;
}

/* From the CSPRNG of the system, or the seed of a simulation. */
static void scram_make_nonce(const struct scram *scram, char to[static SCRAM_NONCE + 1])
{
	uint8_t bytes[SCRAM_NONCE_BYTES];
	scram->host->random(scram->host, bytes, sizeof(bytes));
	scram_base64(bytes, sizeof(bytes), to);
}

/* Texts in a row, behind the last one a NULL. */
static int scram_put(struct klamm_error *err, struct klamm_out *out, ...)
{
	va_list texts;
	const char *text;
	int rc = 0;
	va_start(texts, out);
	while (rc == 0 && (text = va_arg(texts, const char *)) != NULL)
		rc = klamm_out_append(out, text, strlen(text));
	va_end(texts);
	return rc == 0 ? 0
		       : klamm_fail(err, rc, "there is no room for a message of SCRAM");
}

/* The turn is over as soon as it has begun: what fails does not go on. */
static enum scram_turn scram_take_turn(struct scram_session *s)
{
	enum scram_turn turn = s->turn;
	s->turn = SCRAM_OVER;
	return turn;
}

#endif
