/* SPDX-License-Identifier: BSD-2-Clause */
/* AWS_MSK_IAM: clients of Amazon MSK prove who they are by a signature with their
 * access key. One message of the client (payload.h), and a JSON object of the broker in
 * which nothing but the version counts. */
#include <klamm/sasl.h>

#include <stdlib.h>

#include "plugins/common/aws/aws.h"
#include "plugins/common/flat_json.h"
#include "plugins/sasl_aws_msk_iam/payload.h"
#include "plugins/sasl_aws_msk_iam/verify.h"

#define LOG_DEBUG 3

struct conf {
	struct kl_aws_conf aws;
	const char *hosts;
};

struct iam {
	const struct klamm_host *host;
	const struct conf *conf;
	struct kl_aws *aws;
	char user_agent[64];
};

struct session {
	struct iam *iam;
	const char *peer;                       /* the broker's host */
	const struct klamm_sasl_server *server; /* NULL: a client's */
	bool sent;
	int64_t expires_ms; /* the credentials that were used */
};

static const struct klamm_option options[] = {
	KL_AWS_OPTIONS(offsetof(struct conf, aws)),
	{.name = KL_AWS_KEY("hosts"),
	 .type = KLAMM_OPTION_LIST,
	 .offset = offsetof(struct conf, hosts),
	 .doc = "For a broker: the hosts that clients may have signed for; any, if not set."},
	{NULL},
};

static void iam_close(void *self)
{
	struct iam *iam = self;
	kl_aws_free(iam->aws);
	free(iam);
}

static int iam_open(const struct klamm_host *host, const void *conf, void **self_out,
		    struct klamm_error *err)
{
	struct iam *iam = calloc(1, sizeof(*iam));
	if (iam == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	iam->host = host;
	iam->conf = conf;
	snprintf(iam->user_agent, sizeof(iam->user_agent), "klamm/%s", host->version);
	int rc = kl_aws_new(host, &iam->conf->aws, &iam->aws, err);
	if (rc == 0 && strcmp(host->role, "sasl.mechanism") == 0)
		rc = kl_aws_check(iam->aws, err);
	if (rc != 0) {
		iam_close(iam);
		return rc;
	}
	*self_out = iam;
	return 0;
}

static int new_session(void *self, const struct klamm_sasl_peer *peer,
		       const struct klamm_sasl_server *server, void **session_out,
		       struct klamm_error *err)
{
	struct session *session = malloc(sizeof(*session));
	if (session == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*session = (struct session){
		.iam = self,
		.peer = peer->host,
		.server = server,
		.expires_ms = KL_AWS_FOR_GOOD,
	};
	*session_out = session;
	return 0;
}

/* --- client --- */

static int iam_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		   struct klamm_error *err)
{
	return new_session(self, peer, NULL, session_out, err);
}

static int put_text(struct klamm_out *out, const struct kl_text *text,
		    struct klamm_error *err)
{
	uint8_t *p =
		klamm_out_reserve(out, text->len); /* at once: growing leaves copies */
	if (p == NULL)
		return klamm_out_error(out, text->len, err);
	memcpy(p, text->p, text->len);
	out->len += text->len;
	return 0;
}

static int say(struct session *session, const struct klamm_call *call,
	       struct klamm_out *out, struct klamm_error *err)
{
	const struct iam *iam = session->iam;
	const struct klamm_host *host = iam->host;
	KL_AWS_CREDENTIALS_AUTO credentials = {0};
	KL_TEXT_AUTO payload = {0};
	char region[KL_AWS_REGION];
	int rc = kl_aws_credentials(iam->aws, call, &credentials, err);
	if (rc == 0)
		rc = kl_aws_region(iam->aws, session->peer, region, err);
	if (rc == 0)
		rc = aws_msk_iam_sign(&credentials, region, session->peer,
				      iam->user_agent, host->wall_ms(host), &payload,
				      err);
	session->expires_ms = credentials.expires_ms;
	return rc == 0 ? put_text(out, &payload, err) : rc;
}

/* {"version":"2020_10_22","request-id":"..."}, of which the second is for the log:
 * Amazon wants to be told it when something is to be looked into. */
static int hear(const struct session *session, const struct klamm_span *in,
		struct klamm_error *err)
{
	FLAT_JSON_AUTO json;
	KL_TEXT_AUTO id = {0};
	bool version = false;
	flat_json_begin(&json, in->data, in->len);
	while (flat_json_next(&json)) {
		const char *name = kl_text_get(&json.name),
			   *value = kl_text_get(&json.value);
		if (strcmp(name, "version") == 0)
			version = json.is_text && strcmp(value, PAYLOAD_VERSION) == 0;
		else if (strcmp(name, "request-id") == 0 && json.is_text && id.len == 0)
			kl_text_add(&id, value);
	}
	const char *why = json.why;
	if (in->len == 0)
		why = "it is empty";
	else if (why == NULL && !version)
		why = "its version is not " PAYLOAD_VERSION;
	else if (why == NULL && id.len == 0)
		why = "it has no request-id";
	if (why != NULL)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker's answer is none of AWS_MSK_IAM: %s",
				  why);
	char text[200];
	snprintf(text, sizeof(text), "%s: accepted with the request-id %.100s",
		 session->peer, kl_text_get(&id));
	session->iam->host->log(session->iam->host, LOG_DEBUG, text);
	return 0;
}

static int iam_step(void *state, const struct klamm_call *call,
		    const struct klamm_span *in, struct klamm_out *out,
		    int32_t *state_out, struct klamm_error *err)
{
	struct session *session = state;
	if (session->sent) {
		*state_out = KLAMM_SASL_DONE;
		return hear(session, in, err);
	}
	session->sent = true;
	*state_out = KLAMM_SASL_SEND;
	return say(session, call, out, err);
}

static int64_t iam_lifetime(void *state)
{
	const struct session *session = state;
	const struct klamm_host *host = session->iam->host;
	if (session->expires_ms == KL_AWS_FOR_GOOD)
		return -1;
	int64_t left = session->expires_ms - host->wall_ms(host);
	return left > 0 ? left : 0;
}

/* Nothing secret outlives a step. */
static void iam_free(void *session)
{
	free(session);
}

/* --- server --- */

static int iam_accept(void *self, const struct klamm_sasl_peer *peer,
		      const struct klamm_sasl_server *server, void **session_out,
		      struct klamm_error *err)
{
	return new_session(self, peer, server, session_out, err);
}

/* A number for each exchange, with which MSK begins its refusals, too. */
static void make_id(const struct klamm_host *host, char to[static 37])
{
	uint8_t r[16];
	host->random(host, r, sizeof(r));
	r[6] = (uint8_t)((r[6] & 0x0f) | 0x40);
	r[8] = (uint8_t)((r[8] & 0x3f) | 0x80);
	snprintf(to, 37,
		 "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 r[0], r[1], r[2], r[3], r[4], r[5], r[6], r[7], r[8], r[9], r[10],
		 r[11], r[12], r[13], r[14], r[15]);
}

static int iam_accept_step(void *state, const struct klamm_call *call,
			   const struct klamm_span *in, struct klamm_out *out,
			   int32_t *state_out, struct klamm_error *err)
{
	struct session *session = state;
	const struct iam *iam = session->iam;
	KL_TEXT_AUTO key_id = {0};
	KL_TEXT_AUTO answer = {0};
	struct klamm_error why;
	char id[37];
	make_id(iam->host, id);
	int rc = aws_msk_iam_verify(iam->host, session->server, iam->conf->hosts, in,
				    &key_id, &why);
	if (rc != 0)
		return klamm_fail(err, rc, "[%s]: %.400s", id, why.text);
	kl_text_printf(&answer,
		       "{\"version\":\"" PAYLOAD_VERSION "\",\"request-id\":\"%s\"}",
		       id);
	if (answer.failed || key_id.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*state_out = KLAMM_SASL_DONE;
	rc = session->server->identify(session->server, kl_text_get(&key_id), -1);
	return rc == 0 ? put_text(out, &answer, err)
		       : klamm_fail(err, rc, "the client cannot be remembered");
}

KLAMM_PLUGIN(sasl, aws_msk_iam) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(sasl, "aws_msk_iam",
					  "AWS_MSK_IAM: signatures of AWS access keys"),
			.options = options,
			.option_size = sizeof(options[0]),
			.conf_size = sizeof(struct conf),
			.open = iam_open,
			.close = iam_close,
		},
	.mechanism = "AWS_MSK_IAM",
	.session_new = iam_new,
	.step = iam_step,
	.session_free = iam_free,
	.session_lifetime = iam_lifetime,
	.accept_new = iam_accept,
	.accept_step = iam_accept_step,
};
