/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a connection stands, as Kafka's SaslServerAuthenticator has it: which request
 * may come, what it is answered, and when the connection is closed. */
#include <stdio.h>
#include <stdlib.h>

#include "broker/call.h"

/* Kafka's sasl.server.max.receive.size, and connection.failed.authentication.delay.ms:
 * who guesses has to wait. */
#define TOKEN_MAX     524288
#define FAILURE_DELAY (100 * KL_MS)
/* Kafka lets nobody authenticate again more often than that. */
#define AGAIN_EVERY KL_SECOND
/* No mechanism of Kafka's takes more messages than four. */
#define ROUNDS_MAX 16
/* A plugin that asks others (a KDC, a server of keys) waits for them no longer; and who
 * has not said by then who it is will not. */
#define STEP_MAX_MS   30000
#define STRANGER_MAX  (60 * (int64_t)KL_SECOND)

/* The answer that is due after the delay, in the arena of its call. */
struct failure {
	int code;
	const char *text;
};

static struct kl_dev_sasl *sasl_of(const struct kl_dev_conn *conn)
{
	return conn->node->broker->sasl;
}

static int64_t now(const struct kl_dev_conn *conn)
{
	return conn->node->broker->loop->now;
}

/* --- what may come --- */

void kl_dev_auth_init(struct kl_dev_conn *conn)
{
	conn->auth = (struct kl_dev_auth){.expires_at = KL_NEVER, .asked_at = now(conn)};
	if (sasl_of(conn) != NULL)
		conn->auth.step = KL_DEV_AUTH_HELLO;
}

void kl_dev_auth_free(struct kl_dev_conn *conn)
{
	kl_sasl_session_free(conn->auth.session);
	free(conn->auth.user);
	conn->auth = (struct kl_dev_auth){0};
}

size_t kl_dev_auth_frame_max(const struct kl_dev_conn *conn)
{
	enum kl_dev_auth_step step = conn->auth.step;
	return step == KL_DEV_AUTH_NONE || step == KL_DEV_AUTH_DONE ? 0 : TOKEN_MAX;
}

bool kl_dev_auth_is_late(const struct kl_dev_conn *conn)
{
	return kl_dev_auth_frame_max(conn) > 0 &&
	       now(conn) - conn->auth.asked_at >= STRANGER_MAX;
}

const char *kl_dev_auth_forbids(const struct kl_dev_conn *conn, int api)
{
	bool handshake = api == KL_API_SASL_HANDSHAKE;
	switch (conn->auth.step) {
	case KL_DEV_AUTH_HELLO:
		return handshake || api == KL_API_API_VERSIONS
			       ? NULL
			       : "a request before the client has authenticated";
	case KL_DEV_AUTH_HANDSHAKE:
		return handshake ? NULL
				 : "anything but SaslHandshake behind ApiVersions";
	case KL_DEV_AUTH_OTHER:
		return "another mechanism than at first";
	case KL_DEV_AUTH_DONE:
		return handshake || conn->auth.expires_at > now(conn)
			       ? NULL
			       : "the client's session has expired";
	default:
		return NULL;
	}
}

void kl_dev_auth_told_versions(struct kl_dev_conn *conn)
{
	if (conn->auth.step == KL_DEV_AUTH_HELLO)
		conn->auth.step = KL_DEV_AUTH_HANDSHAKE;
}

/* --- saying no, late --- */

/* Whatever the answer is called, its own error is. */
static void put_error(const struct kl_msg *msg, void *response, int code)
{
	for (unsigned i = 0; i < msg->type->field_count; i++) {
		const struct kl_field *field = &msg->type->fields[i];
		if (field->type == KL_INT16 && strcmp(field->name, "ErrorCode") == 0)
			*(int16_t *)((char *)response + field->offset) = (int16_t)code;
	}
}

static void tell_failure(struct kl_dev_call *call)
{
	struct kl_dev_conn *conn = call->conn;
	const struct failure *failure = call->work;
	const struct kl_msg *msg = kl_msg_response(call->api->api);
	void *response = kl_arena_alloc(&call->arena, msg->type->size);
	if (conn->auth.bare || response == NULL) { /* Kafka has no answer either */
		kl_dev_call_drop(call, false);
		return;
	}
	kl_msg_init(msg, response);
	put_error(msg, response, failure->code);
	if (call->api->api == KL_API_SASL_AUTHENTICATE) {
		struct kl_sasl_authenticate_response *body = response;
		body->error_message = kl_str(failure->text);
	} else if (call->api->api == KL_API_SASL_HANDSHAKE) {
		struct kl_sasl_handshake_response *body = response;
		body->mechanisms =
			kl_dev_sasl_names(sasl_of(conn), &body->mechanisms_n);
	}
	call->closes = true;
	kl_dev_answer(call, response);
}

static void fail(struct kl_dev_call *call, int code, const char *text)
{
	struct kl_dev_conn *conn = call->conn;
	kl_log(&conn->conn.loop->log, KL_LOG_INFO, "broker",
	       "node %d: authentication failed: %s", (int)conn->node->id, text);
	struct failure *failure = kl_arena_alloc(&call->arena, sizeof(*failure));
	const char *copy = kl_arena_text(&call->arena, text, strlen(text));
	if (failure == NULL || copy == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*failure = (struct failure){code, copy};
	call->work = failure;
	kl_dev_call_park(call, now(conn) + FAILURE_DELAY, tell_failure);
}

bool kl_dev_auth_stops(struct kl_dev_call *call)
{
	if (call->conn->auth.step != KL_DEV_AUTH_TOKENS ||
	    call->api->api == KL_API_SASL_AUTHENTICATE)
		return false;
	char text[100];
	snprintf(text, sizeof(text),
		 "Unexpected Kafka request of type %s during SASL "
		 "authentication.",
		 kl_api_name(call->api->api));
	fail(call, KLAMM_ERR_ILLEGAL_SASL_STATE, text);
	return true;
}

/* --- the handshake --- */

static void answer_handshake(struct kl_dev_call *call, int error)
{
	struct kl_sasl_handshake_response body;
	struct kl_dev_sasl *sasl = sasl_of(call->conn);
	kl_msg_init(&kl_msg_sasl_handshake_response, &body);
	body.error_code = (int16_t)error;
	if (error == 0)
		body.mechanisms = kl_dev_sasl_names(sasl, &body.mechanisms_n);
	kl_dev_answer(call, &body);
}

/* May a client that is known begin again (KIP-368)? Else it is out of place. */
static bool begin_again(struct kl_dev_conn *conn)
{
	struct kl_dev_auth *auth = &conn->auth;
	if (auth->step != KL_DEV_AUTH_DONE || auth->expires_at == KL_NEVER ||
	    (auth->again_at != 0 && now(conn) - auth->again_at < AGAIN_EVERY))
		return false;
	auth->again_at = auth->asked_at = now(conn);
	auth->again = true;
	auth->step = KL_DEV_AUTH_HANDSHAKE;
	return true;
}

static void on_step(void *owner, const struct kl_sasl_result *result);

static bool start_session(struct kl_dev_conn *conn)
{
	struct kl_dev_auth *auth = &conn->auth;
	struct kl_sasl_session_spec spec = {
		.instance = kl_dev_mechanism_instance(auth->mechanism),
		.host = "",
		.flags = (auth->again ? KLAMM_SASL_AGAIN : 0) |
			 (conn->node->broker->tls != NULL ? KLAMM_SASL_TLS : 0),
		.credential = kl_dev_sasl_credential,
		.credential_arg = sasl_of(conn),
		.done = on_step,
		.owner = conn,
	};
	auth->session = kl_sasl_session_new(conn->conn.loop, &spec);
	auth->step = KL_DEV_AUTH_TOKENS;
	auth->rounds = 0;
	return auth->session != NULL;
}

void kl_dev_sasl_handshake(struct kl_dev_call *call)
{
	struct kl_dev_conn *conn = call->conn;
	struct kl_dev_auth *auth = &conn->auth;
	const struct kl_sasl_handshake_request *request = call->request;
	int error = kl_dev_call_error(call);
	if (error == 0 && auth->step != KL_DEV_AUTH_HELLO &&
	    auth->step != KL_DEV_AUTH_HANDSHAKE && !begin_again(conn))
		error = KLAMM_ERR_ILLEGAL_SASL_STATE;
	if (error != 0) {
		answer_handshake(call, error);
		return;
	}
	const struct kl_dev_mechanism *m =
		kl_dev_sasl_find(sasl_of(conn), request->mechanism);
	if (m == NULL) {
		auth->step =
			KL_DEV_AUTH_TOKENS; /* where Kafka's is, too, until it closes */
		fail(call, KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM,
		     "the client asks for a mechanism that is not enabled");
		return;
	}
	auth->bare = call->version == 0;
	if (auth->again && m != auth->mechanism) {
		auth->step = KL_DEV_AUTH_OTHER;
		answer_handshake(call, 0);
		return;
	}
	auth->mechanism = m;
	if (start_session(conn))
		answer_handshake(call, 0);
	else
		kl_dev_call_fail(call);
}

/* --- the mechanism's messages --- */

static void answer_token(struct kl_dev_call *call, const struct kl_sasl_result *result,
			 int64_t lifetime_ms)
{
	if (call->conn->auth.bare) {
		kl_dev_answer_bare(call, result->is_silent ? NULL : &result->out);
		return;
	}
	struct kl_sasl_authenticate_response body;
	kl_msg_init(&kl_msg_sasl_authenticate_response, &body);
	if (result->out.len > 0)
		body.auth_bytes = (struct kl_bytes){(const uint8_t *)result->out.data,
						    (int32_t)result->out.len};
	body.error_message = KL_STR(""); /* as Kafka's */
	body.session_lifetime_ms = lifetime_ms;
	kl_dev_answer(call, &body);
}

/* How long the session is, and by that when it ends: the shorter of what the broker
 * asks for and what the credentials have left. 0 = neither ends it. */
static int64_t set_lifetime(struct kl_dev_conn *conn, int64_t credentials_ms)
{
	int64_t ms = kl_dev_sasl_reauth_ms(sasl_of(conn));
	conn->auth.expires_at = KL_NEVER;
	if (credentials_ms < 0 && ms <= 0)
		return 0;
	if (ms <= 0 || (credentials_ms >= 0 && credentials_ms < ms))
		ms = credentials_ms;
	conn->auth.expires_at =
		now(conn) + kl_min(ms, (int64_t)INT32_MAX * KL_MS) * KL_MS;
	return ms;
}

static void succeed(struct kl_dev_call *call, const struct kl_sasl_result *result)
{
	struct kl_dev_conn *conn = call->conn;
	struct kl_dev_auth *auth = &conn->auth;
	if (auth->again && strcmp(auth->user, result->user) != 0) {
		char text[300];
		snprintf(text, sizeof(text),
			 "Cannot change principals during "
			 "re-authentication from User.%.100s: User.%.100s",
			 auth->user, result->user);
		fail(call, KLAMM_ERR_SASL_AUTHENTICATION_FAILED, text);
		return;
	}
	char *user = strdup(result->user);
	if (user == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	free(auth->user);
	auth->user = user;
	auth->step = KL_DEV_AUTH_DONE;
	kl_log(&conn->conn.loop->log, KL_LOG_DEBUG, "broker",
	       "node %d: %s has authenticated with %s%s", (int)conn->node->id, user,
	       kl_dev_mechanism_name(auth->mechanism), auth->again ? " again" : "");
	kl_sasl_session_free(auth->session);
	auth->session = NULL;
	answer_token(call, result, set_lifetime(conn, result->lifetime_ms));
}

static void on_step(void *owner, const struct kl_sasl_result *result)
{
	struct kl_dev_conn *conn = owner;
	struct kl_dev_call *call = conn->auth.call;
	conn->auth.call = NULL;
	if (result->code == 0 && result->state == KLAMM_SASL_DONE) {
		succeed(call, result);
		return;
	}
	if (result->code == 0) {
		answer_token(call, result, 0);
		return;
	}
	if (result->code == KLAMM_ERR_AUTHENTICATION) {
		fail(call, KLAMM_ERR_SASL_AUTHENTICATION_FAILED, result->err->text);
		return;
	}
	/* What else went wrong is not for those to know who are not known themselves.
	 */
	kl_log(&conn->conn.loop->log, KL_LOG_WARN, "broker", "node %d: SASL %s: %s",
	       (int)conn->node->id, kl_dev_mechanism_name(conn->auth.mechanism),
	       result->err->text);
	char text[160];
	snprintf(text, sizeof(text),
		 "Authentication failed during %s due to invalid "
		 "credentials with SASL mechanism %s",
		 conn->auth.again ? "re-authentication" : "authentication",
		 kl_dev_mechanism_name(conn->auth.mechanism));
	fail(call, KLAMM_ERR_SASL_AUTHENTICATION_FAILED, text);
}

/* The client's bytes are not left in the frame, whose memory others will have. */
static void take_token(struct kl_dev_call *call, const uint8_t *p, size_t n)
{
	struct kl_dev_auth *auth = &call->conn->auth;
	if (auth->rounds++ >= ROUNDS_MAX) {
		fail(call, KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
		     "Authentication failed: it does not come to an end");
		return;
	}
	bool ok = kl_sasl_session_step(auth->session, n > 0 ? (const void *)p : "", n,
				       STEP_MAX_MS);
	if (n > 0)
		explicit_bzero((void *)p, n);
	if (!ok) {
		kl_dev_call_fail(call);
		return;
	}
	auth->call = call;
	kl_dev_call_park(call, KL_NEVER, NULL);
}

void kl_dev_sasl_authenticate(struct kl_dev_call *call)
{
	const struct kl_sasl_authenticate_request *request = call->request;
	struct kl_sasl_authenticate_response body;
	int error = kl_dev_call_error(call);
	if (error == 0 && call->conn->auth.step == KL_DEV_AUTH_TOKENS) {
		take_token(call, request->auth_bytes.p,
			   (size_t)kl_max(request->auth_bytes.len, 0));
		return;
	}
	kl_msg_init(&kl_msg_sasl_authenticate_response, &body);
	body.error_code = (int16_t)(error != 0 ? error : KLAMM_ERR_ILLEGAL_SASL_STATE);
	body.error_message =
		error != 0
			? KL_STR_NULL
			: KL_STR("SaslAuthenticate request received after successful "
				 "authentication");
	kl_dev_answer(call, &body);
}

void kl_dev_auth_token(struct kl_dev_conn *conn, const uint8_t *p, size_t n)
{
	struct kl_dev_call *call = kl_dev_call_new(conn);
	if (call == NULL) {
		kl_dev_conn_close(conn, false);
		return;
	}
	call->api = kl_dev_api_find(KL_API_SASL_AUTHENTICATE);
	take_token(call, p, n);
}
