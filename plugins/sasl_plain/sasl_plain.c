/* SPDX-License-Identifier: BSD-2-Clause */
/* PLAIN (RFC 4616): one message, [authzid] NUL user NUL password, and an empty answer.
 */
#include <klamm/sasl.h>

#include <stdlib.h>

struct conf {
	const char *user;
};

struct plain {
	const struct klamm_host *host;
	const char *user;
};

struct session {
	const struct plain *plain;
	const struct klamm_sasl_server *server; /* NULL: a client's */
	bool sent;
};

static const struct klamm_option options[] = {
	{.name = "sasl.username",
	 .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct conf, user),
	 .aliases = "sasl_plain_username",
	 .doc = "The user name."},
	{.name = "sasl.password",
	 .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_SECRET,
	 .aliases = "sasl_plain_password",
	 .doc = "The password."},
	{NULL},
};

static const char *nul(const char *p, const char *end)
{
	return p < end ? memchr(p, '\0', (size_t)(end - p)) : NULL; /* p may be NULL */
}

/* --- client --- */

/* What a client needs is looked at when it is made, not when it connects. */
static int check(const struct plain *plain, struct klamm_error *err)
{
	char *password;
	if (plain->user == NULL || plain->user[0] == '\0')
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "sasl.username is not set: PLAIN needs it, or a "
				  "sasl.jaas.config with a username");
	int rc = plain->host->secret_read(plain->host, "sasl.password", &password, err);
	if (rc == 0)
		plain->host->secret_wipe(plain->host, password);
	return rc;
}

static int plain_open(const struct klamm_host *host, const void *conf, void **self_out,
		      struct klamm_error *err)
{
	struct plain *plain = malloc(sizeof(*plain));
	if (plain == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*plain = (struct plain){host, ((const struct conf *)conf)->user};
	int rc = strcmp(host->role, "sasl.mechanism") == 0 ? check(plain, err) : 0;
	if (rc != 0) {
		free(plain);
		return rc;
	}
	*self_out = plain;
	return 0;
}

static int new_session(void *self, const struct klamm_sasl_server *server,
		       void **session_out, struct klamm_error *err)
{
	struct session *session = malloc(sizeof(*session));
	if (session == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*session = (struct session){.plain = self, .server = server};
	*session_out = session;
	return 0;
}

static int plain_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		     struct klamm_error *err)
{
	return new_session(self, NULL, session_out, err);
}

/* The user acts for itself: an empty authzid, as Java sends. */
static int put_message(const char *user, const char *password, struct klamm_out *out,
		       struct klamm_error *err)
{
	size_t user_len = strlen(user), len = 1 + user_len + 1 + strlen(password);
	uint8_t *p = klamm_out_reserve(out, len); /* at once: growing leaves copies */
	if (p == NULL)
		return klamm_out_error(out, len, err);
	p[0] = '\0';
	memcpy(p + 1, user, user_len + 1);
	memcpy(p + 1 + user_len + 1, password, len - user_len - 2);
	out->len += len;
	return 0;
}

static int plain_step(void *state, const struct klamm_call *call,
		      const struct klamm_span *in, struct klamm_out *out,
		      int32_t *state_out, struct klamm_error *err)
{
	struct session *session = state;
	const struct klamm_host *host = session->plain->host;
	if (session->sent) {
		*state_out = KLAMM_SASL_DONE;
		if (in->len == 0)
			return 0;
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the broker answers with %zu bytes, where PLAIN has none",
			in->len);
	}
	char *password; /* as it is now: it may have been changed */
	int rc = host->secret_read(host, "sasl.password", &password, err);
	if (rc != 0)
		return rc;
	rc = put_message(session->plain->user, password, out, err);
	host->secret_wipe(host, password);
	session->sent = true;
	*state_out = KLAMM_SASL_SEND;
	return rc;
}

/* Nothing secret outlives a step. */
static void plain_free(void *session)
{
	free(session);
}

/* --- server; the sentences are those of Kafka's PlainSaslServer --- */

static int plain_accept(void *self, const struct klamm_sasl_peer *peer,
			const struct klamm_sasl_server *server, void **session_out,
			struct klamm_error *err)
{
	return new_session(self, server, session_out, err);
}

static int refuse(struct klamm_error *err, const char *why)
{
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "%s", why);
}

/* In a time that does not tell how much of it was right. */
static bool same(const char *a, size_t an, const char *b, size_t bn)
{
	unsigned char differs = an != bn;
	for (size_t i = 0; i < an; i++)
		differs |= (unsigned char)(a[i] ^ (bn > 0 ? b[i % bn] : 0));
	return !differs;
}

static int check_password(const struct session *session, const char *user,
			  const char *password, size_t len, struct klamm_error *err)
{
	const struct klamm_host *host = session->plain->host;
	const struct klamm_sasl_server *server = session->server;
	struct klamm_out *stored;
	if (host->out_new(host, 0, &stored) != 0)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = server->credential(server, user, "password", stored);
	bool good =
		rc == 0 && same(password, len, (const char *)stored->data, stored->len);
	if (stored->data != NULL)
		host->wipe(host, stored->data, stored->cap);
	host->out_free(host, stored);
	if (rc != 0 && rc != KLAMM_ERR_AUTHENTICATION)
		return klamm_fail(err, rc, "the users cannot be read");
	return good ? 0
		    : refuse(err,
			     "Authentication failed: Invalid username or password");
}

static int accept_message(struct session *session, const struct klamm_span *in,
			  struct klamm_error *err)
{
	const char *authzid = in->data, *end = authzid + in->len;
	const char *user = nul(authzid, end);
	const char *password = user != NULL ? nul(++user, end) : NULL;
	bool more = password != NULL && nul(++password, end) != NULL;
	int tokens = more ? 4 : password != NULL ? 3 : user != NULL ? 2 : 1;
	if (tokens != 3)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "Invalid SASL/PLAIN response: expected 3 tokens, got %d",
				  tokens);
	size_t len = (size_t)(end - password);
	if (user[0] == '\0')
		return refuse(err, "Authentication failed: username not specified");
	if (len == 0)
		return refuse(err, "Authentication failed: password not specified");
	int rc = check_password(session, user, password, len, err);
	if (rc != 0)
		return rc;
	if (authzid[0] != '\0' && strcmp(authzid, user) != 0)
		return refuse(err, "Authentication failed: Client requested an "
				   "authorization id that is different from username");
	return session->server->identify(session->server, user, -1);
}

static int plain_accept_step(void *state, const struct klamm_call *call,
			     const struct klamm_span *in, struct klamm_out *out,
			     int32_t *state_out, struct klamm_error *err)
{
	*state_out = KLAMM_SASL_DONE;
	return accept_message(state, in, err);
}

KLAMM_PLUGIN(sasl, plain) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(sasl, "plain",
					  "PLAIN: user name and password, as they are"),
			.options = options,
			.option_size = sizeof(options[0]),
			.conf_size = sizeof(struct conf),
			.open = plain_open,
			.close = free,
		},
	.mechanism = "PLAIN",
	.session_new = plain_new,
	.step = plain_step,
	.session_free = plain_free,
	.accept_new = plain_accept,
	.accept_step = plain_accept_step,
};
