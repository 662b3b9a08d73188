/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/auth.h"

#include "core/base/error.h"
#include "core/broker/node_int.h"

/* No mechanism of Kafka's takes more than four; a peer that never ends would keep the
 * connection busy until its set-up times out. */
#define ROUNDS_MAX 16
/* The part of a session's life after which it is renewed, and how much chance is added:
 * clocks drift, answers take time, and a fleet of clients must not come at once. As
 * Kafka's own. */
#define RENEW_FROM   85
#define RENEW_SPREAD 10
/* A session of more than that is one without end. */
#define LIFETIME_MAX_MS ((int64_t)3650 * 24 * 3600 * 1000)
/* Beside the message itself, in a request. */
#define REQUEST_OVERHEAD 512

static const char *mechanism_of(const struct kl_node *node)
{
	return node->nodes->sasl->plugin->sasl.mechanism;
}

bool kl_auth_is_refusal(const struct klamm_error *err)
{
	return (err->stage == KLAMM_STAGE_SASL || err->stage == KLAMM_STAGE_TLS ||
		err->stage == KLAMM_STAGE_PROXY) &&
	       !klamm_err_retriable(err->code);
}

static void fail(struct kl_node *node, const struct klamm_error *why)
{
	struct klamm_error err = *why;
	kl_error_prefix(&err, "%s: SASL %s%s", node->where, mechanism_of(node),
			node->auth.again ? ", authenticating again" : "");
	err.stage = KLAMM_STAGE_SASL;
	err.node = node->id;
	kl_node_give_up(node, &err, true);
}

static void out_of_memory(struct kl_node *node)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_NO_MEMORY, "out of memory");
	fail(node, &err);
}

/* --- the end --- */

/* The longest that the session may be used: until the broker wants proof again, or what
 * was proved with runs out. */
static int64_t renew_at(struct kl_node *node, int64_t credentials_ms)
{
	int64_t ms = node->auth.lifetime_ms;
	if (ms <= 0 || ms > LIFETIME_MAX_MS)
		return KL_NEVER;
	if (credentials_ms >= 0)
		ms = kl_min(ms, credentials_ms);
	struct kl_os *os = kl_node_os(node);
	uint64_t spread = (uint64_t)ms * RENEW_SPREAD * (KL_MS / 100);
	return kl_node_now(node) + ms * RENEW_FROM * (KL_MS / 100) +
	       (int64_t)kl_os_random_below(os, spread + 1);
}

/* Neither session nor secret is needed any more. */
static void forget(struct kl_auth *auth)
{
	kl_sasl_session_free(auth->session);
	auth->session = NULL;
	auth->step = KL_AUTH_NONE;
	kl_wipe_buf(&auth->token);
	kl_wipe_buf(&auth->request.head);
}

static void succeed(struct kl_node *node, int64_t credentials_ms)
{
	struct kl_auth *auth = &node->auth;
	forget(auth);
	auth->raw_closes = 0;
	auth->again_at = renew_at(node, credentials_ms);
	kl_log(&node->nodes->log, KL_LOG_DEBUG, node->where, "SASL %s: authenticated%s",
	       mechanism_of(node), auth->again ? " again" : "");
	kl_node_authenticated(node);
}

/* --- the mechanism's messages --- */

static void think(struct kl_node *node, const void *in, size_t len)
{
	struct kl_auth *auth = &node->auth;
	if (auth->again)
		node->setup_deadline = kl_node_now(node) + kl_node_setup_timeout(node);
	auth->step = KL_AUTH_THINK;
	int64_t left = node->setup_deadline - kl_node_now(node);
	if (!kl_sasl_session_step(auth->session, in, len,
				  kl_max(left / KL_MS, (int64_t)1)))
		out_of_memory(node);
}

static void on_authenticate(struct kl_request *request,
			    const struct kl_response *response)
{
	struct kl_node *node = kl_container(request, struct kl_node, auth.request);
	const struct kl_sasl_authenticate_response *body = response->body;
	if (response->code != 0)
		return; /* the node gives up as a whole */
	kl_wipe_buf(&node->auth.token);
	kl_wipe_buf(&request->head);
	if (body->error_code != 0) {
		struct klamm_error err;
		struct kl_str words = body->error_message;
		if (words.len > 0)
			kl_error(&err, body->error_code, "the broker says: %.*s",
				 kl_min(words.len, 200), words.p);
		else
			kl_error(&err, body->error_code, "%s: %s",
				 klamm_err_name(body->error_code),
				 klamm_err_text(body->error_code));
		fail(node, &err);
		return;
	}
	node->auth.lifetime_ms = body->session_lifetime_ms;
	think(node, body->auth_bytes.len > 0 ? (const void *)body->auth_bytes.p : "",
	      (size_t)kl_max(body->auth_bytes.len, 0));
}

static void on_raw_sent(struct kl_out *out, struct kl_conn *conn)
{
	struct kl_node *node = kl_container(out, struct kl_node, auth.out);
	kl_wipe_buf(&node->auth.token);
	if (node->auth.last)
		succeed(node, -1);
}

static bool send_raw(struct kl_node *node, struct klamm_span token)
{
	struct kl_auth *auth = &node->auth;
	kl_buf_reserve(&auth->token, token.len + 4);
	kl_buf_i32(&auth->token, (int32_t)token.len);
	kl_buf_put(&auth->token, token.data, token.len);
	auth->out.sent = on_raw_sent;
	if (!kl_out_set(&auth->out, &auth->token, NULL))
		return false;
	kl_conn_send(&node->conn, &auth->out);
	return true;
}

static bool send_request(struct kl_node *node, struct klamm_span token)
{
	struct kl_auth *auth = &node->auth;
	const struct kl_msg *msg = &kl_msg_sasl_authenticate_request;
	kl_buf_reserve(&auth->token, token.len + 1);
	kl_buf_put(&auth->token, token.data, token.len);
	/* At once, so that no copy of the message is left behind by growing. */
	if (auth->token.failed ||
	    kl_buf_reserve(&auth->request.head, token.len + REQUEST_OVERHEAD) == NULL)
		return false;
	kl_msg_init(msg, &auth->body.authenticate);
	auth->body.authenticate.auth_bytes =
		(struct kl_bytes){auth->token.data, (int32_t)token.len};
	auth->request.done = on_authenticate;
	kl_node_send_own(node, &auth->request, KL_API_SASL_AUTHENTICATE,
			 kl_versions_pick(&node->versions, msg, KL_VERSION_ANY),
			 &auth->body.authenticate);
	return true;
}

static void send_token(struct kl_node *node, struct klamm_span token)
{
	struct kl_auth *auth = &node->auth;
	struct klamm_error err;
	if (auth->last || auth->rounds++ >= ROUNDS_MAX) {
		kl_error(&err, KLAMM_ERR_AUTHENTICATION,
			 auth->last ? "the plugin goes on after its last word"
				    : "still not done after %d messages",
			 ROUNDS_MAX);
		fail(node, &err);
		return;
	}
	auth->step = KL_AUTH_ANSWER;
	if (auth->again) /* as long as any request may take, behind those on their way
			  */
		node->setup_deadline = KL_NEVER;
	kl_wipe_buf(&auth->token);
	if (!(auth->raw ? send_raw(node, token) : send_request(node, token)))
		out_of_memory(node);
}

static void on_step(void *owner, const struct kl_sasl_result *result)
{
	struct kl_node *node = owner;
	struct klamm_error err;
	if (result->code != 0) {
		fail(node, result->err);
		return;
	}
	if (result->state != KLAMM_SASL_DONE) {
		send_token(node, result->out);
		/* After the sending, which asks for it. */
		node->auth.last = result->state == KLAMM_SASL_SEND_LAST;
		return;
	}
	if (node->auth.rounds == 0) {
		kl_error(&err, KLAMM_ERR_AUTHENTICATION,
			 "the plugin is done before it began");
		fail(node, &err);
		return;
	}
	succeed(node, result->lifetime_ms);
}

void kl_auth_frame(struct kl_node *node, const uint8_t *p, size_t n)
{
	if (node->auth.step == KL_AUTH_ANSWER && !node->auth.last) {
		think(node, p, n);
		return;
	}
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_PROTOCOL, "the broker sent a message out of turn");
	fail(node, &err);
}

/* --- the handshake --- */

static void put_mechanisms(const struct kl_sasl_handshake_response *body,
			   struct kl_buf *to)
{
	for (int32_t i = 0; i < body->mechanisms_n; i++)
		kl_buf_printf(to, "%s%.*s", i > 0 ? ", " : "",
			      kl_min(body->mechanisms[i].len, 60),
			      body->mechanisms[i].p);
	if (body->mechanisms_n <= 0)
		kl_buf_printf(to, "nothing");
}

static void explain_handshake(const struct kl_sasl_handshake_response *body,
			      struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf offered = {.max = 300};
	switch (body->error_code) {
	case KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM:
		put_mechanisms(body, &offered);
		kl_error(err, body->error_code,
			 "the mechanism is not enabled there; the broker offers %s",
			 offered.failed ? "others" : kl_buf_text(&offered));
		break;
	case KLAMM_ERR_ILLEGAL_SASL_STATE:
		kl_error(err, body->error_code,
			 "this listener does without authentication "
			 "(security.protocol=PLAINTEXT or SSL)");
		break;
	default:
		kl_error(err, body->error_code,
			 "the broker answers SaslHandshake with %s: %s",
			 klamm_err_name(body->error_code),
			 klamm_err_text(body->error_code));
	}
}

static void on_handshake(struct kl_request *request, const struct kl_response *response)
{
	struct kl_node *node = kl_container(request, struct kl_node, auth.request);
	const struct kl_sasl_handshake_response *body = response->body;
	if (response->code != 0)
		return;
	if (body->error_code != 0) {
		struct klamm_error err;
		explain_handshake(body, &err);
		fail(node, &err);
		return;
	}
	node->auth.raw = request->version == 0;
	think(node, NULL, 0);
}

/* Version 1 says that SaslAuthenticate follows (KIP-152). -1: the broker has no SASL.
 */
static int handshake_version(const struct kl_node *node)
{
	int authenticate = kl_versions_pick(
		&node->versions, &kl_msg_sasl_authenticate_request, KL_VERSION_ANY);
	return kl_versions_pick(&node->versions, &kl_msg_sasl_handshake_request,
				authenticate >= 0 ? 1 : 0);
}

static void shake_hands(struct kl_node *node)
{
	struct kl_auth *auth = &node->auth;
	int version = handshake_version(node);
	struct klamm_error err;
	if (version < 0) {
		kl_error(&err, KLAMM_ERR_UNSUPPORTED,
			 "the broker does not know SaslHandshake");
		fail(node, &err);
		return;
	}
	auth->step = KL_AUTH_HANDSHAKE;
	auth->request.done = on_handshake;
	kl_msg_init(&kl_msg_sasl_handshake_request, &auth->body.handshake);
	auth->body.handshake.mechanism = kl_str(mechanism_of(node));
	kl_node_send_own(node, &auth->request, KL_API_SASL_HANDSHAKE, version,
			 &auth->body.handshake);
}

static uint32_t flags_of(const struct kl_node *node)
{
	return (node->auth.again ? KLAMM_SASL_AGAIN : 0) |
	       (node->nodes->tls != NULL ? KLAMM_SASL_TLS : 0);
}

void kl_auth_begin(struct kl_node *node, bool again)
{
	struct kl_auth *auth = &node->auth;
	auth->again = again;
	auth->raw = auth->last = false;
	auth->rounds = 0;
	auth->lifetime_ms = 0;
	auth->again_at = KL_NEVER;
	auth->session = kl_sasl_session_new(
		node->nodes->loop, &(struct kl_sasl_session_spec){
					   .instance = node->nodes->sasl,
					   .host = kl_node_name(node),
					   .port = node->port,
					   .flags = flags_of(node),
					   .done = on_step,
					   .owner = node,
				   });
	if (auth->session == NULL) {
		out_of_memory(node);
		return;
	}
	if (!kl_node_is_old(node)) {
		shake_hands(node);
		return;
	}
	/* Kafka 0.9: GSSAPI, without a handshake (KIP-43 came later). */
	auth->raw = true;
	if (strcmp(mechanism_of(node), "GSSAPI") == 0) {
		think(node, NULL, 0);
		return;
	}
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_UNSUPPORTED,
		 "before Kafka 0.10 there is only GSSAPI (klamm.broker.version)");
	fail(node, &err);
}

/* --- the connection's end --- */

/* A broker that is going down closes too, so one such end is not yet a refusal. */
void kl_auth_explain_close(struct kl_node *node, struct klamm_error *err)
{
	struct kl_auth *auth = &node->auth;
	if (node->state != KL_NODE_SASL && node->state != KL_NODE_REAUTH)
		return;
	if (auth->raw && auth->rounds > 0 && ++auth->raw_closes > 1)
		kl_error(
			err, KLAMM_ERR_AUTHENTICATION,
			"%s: SASL %s: the broker closed the connection on the credentials, "
			"as one before Kafka 1.0 does when they are wrong",
			node->where, mechanism_of(node));
	else
		kl_error_prefix(err, "while authenticating with SASL %s",
				mechanism_of(node));
	err->stage = KLAMM_STAGE_SASL;
	err->node = node->id;
}

void kl_auth_stop(struct kl_auth *auth)
{
	forget(auth);
	auth->again_at = KL_NEVER;
}

void kl_auth_init(struct kl_auth *auth)
{
	*auth = (struct kl_auth){.again_at = KL_NEVER};
	auth->token.is_secret = auth->request.head.is_secret = true;
	kl_list_init(&auth->request.link);
	kl_list_init(&auth->request.out.link);
	kl_list_init(&auth->out.link);
}

void kl_auth_free(struct kl_auth *auth)
{
	kl_auth_stop(auth);
	kl_request_free(&auth->request);
	kl_out_free(&auth->out);
}
