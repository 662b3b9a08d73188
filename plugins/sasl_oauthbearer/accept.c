/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/accept.h"

#include "plugins/sasl_oauthbearer/check.h"

static int append(struct klamm_out *out, const char *text, struct klamm_error *err)
{
	int rc = klamm_out_append(out, text, strlen(text));
	return rc == 0 ? 0 : klamm_out_error(out, strlen(text), err);
}

/* The token is not taken: the client gets JSON, and answers with \x01 before it is told
 * that it failed (RFC 7628 3.2.3). Why, it is not told; the log is. */
static int tell(struct oauth_accept *a, const struct oauth_verdict *verdict,
		const struct klamm_error *why, struct klamm_out *out,
		int32_t *state_out, struct klamm_error *err)
{
	const struct klamm_host *host = a->o->host;
	host->log(host, 2, why->text);
	if (verdict->lacks_scope) /* a list, as Java prints it, of words without quotes
				   */
		snprintf(a->told, sizeof(a->told),
			 "{\"status\":\"insufficient_scope\", \"scope\":\"[%.300s]\"}",
			 a->o->conf->scope);
	else
		snprintf(a->told, sizeof(a->told), "{\"status\":\"invalid_token\"}");
	*state_out = KLAMM_SASL_SEND;
	return append(out, a->told, err);
}

/* Kafka gives no more away of a message that cannot be read. */
static int malformed(const char *why, struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_PROTOCOL, "%s", why);
}

static int admit(struct oauth_accept *a, const struct oauth_message *message,
		 const struct oauth_verdict *verdict, struct klamm_error *err)
{
	struct klamm_span id = message->authzid;
	const char *subject = kl_text_get(&verdict->subject);
	if (id.len > 0 &&
	    (id.len != verdict->subject.len || memcmp(id.data, subject, id.len)))
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"Authentication failed: Client requested an authorization id "
			"(%.*s) that is different from the token's principal name (%.100s)",
			(int)(id.len < 100 ? id.len : 100), (const char *)id.data,
			subject);
	return a->server->identify(a->server, subject, verdict->left_ms);
}

int kl_oauth_accept_step(struct oauth_accept *a, const struct klamm_call *call,
			 const struct klamm_span *in, struct klamm_out *out,
			 int32_t *state_out, struct klamm_error *err)
{
	struct oauth_message message;
	struct oauth_verdict verdict = {0};
	struct klamm_error why = {0};
	if (a->told[0] != '\0') {
		if (in->len == 1 && *(const char *)in->data == '\x01')
			return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "%s", a->told);
		return malformed("the client goes on after its token was refused", err);
	}
	const char *wrong = kl_oauth_read_message(in->data, in->len, &message);
	if (wrong != NULL)
		return malformed(wrong, err);
	int rc = a->o->for_msk ? kl_oauth_check_msk(a->o, a->server, message.token,
						    &verdict, &why)
			       : kl_oauth_check(a->o, call, message.token, &verdict,
						&why);
	if (rc == KLAMM_ERR_AUTHENTICATION) {
		rc = tell(a, &verdict, &why, out, state_out, err);
	} else if (rc == 0) {
		*state_out = KLAMM_SASL_DONE;
		rc = admit(a, &message, &verdict, err);
	} else if (err != NULL) {
		*err = why;
	}
	kl_text_free(&verdict.subject);
	return rc;
}
