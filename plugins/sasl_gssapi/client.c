/* SPDX-License-Identifier: BSD-2-Clause */
/* The client's half: Kerberos' messages, until each side knows the other, then RFC 4752's
 * last step. */
#include <stdlib.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "layer.h"
#include "session.h"
#include "words.h"

/* The broker proves itself too, and the layers are agreed on in messages that nobody can
 * change. */
#define ASKED (GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG | GSS_C_SEQUENCE_FLAG)
#define NEEDED (GSS_C_MUTUAL_FLAG | GSS_C_INTEG_FLAG)

static int refuse(struct klamm_error *err, const char *why)
{
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "%s", why);
}

/* --- the beginning --- */

static int take_name(struct kl_gss_session *s, struct klamm_error *err)
{
	gss_buffer_desc text = {strlen(s->broker_text), s->broker_text};
	OM_uint32 minor, major = gss_import_name(
				 &minor, &text, (gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME,
				 &s->broker);
	if (major == GSS_S_COMPLETE)
		return 0;
	return kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor,
			  "%s is no broker's principal", s->broker_text);
}

/* Those tickets and no others: of the environment neither a cache nor a client's keytab
 * counts. */
static int take_cred(struct kl_gss_session *s, struct klamm_error *err)
{
	gss_key_value_element_desc pairs[] = {
		{"ccache", s->tickets->tickets.cache},
		{"client_keytab", "MEMORY:klamm-none"},
	};
	gss_key_value_set_desc store = {2, pairs};
	gss_OID_set_desc krb5 = {1, (gss_OID)gss_mech_krb5};
	OM_uint32 minor, major = gss_acquire_cred_from(
				 &minor, GSS_C_NO_NAME, 0, &krb5, GSS_C_INITIATE,
				 &store, &s->cred, NULL, NULL);
	if (major == GSS_S_COMPLETE)
		return 0;
	return kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor,
			  "the tickets of %s cannot be used",
			  s->tickets->tickets.client);
}

static int begin(struct kl_gss_session *s, const struct klamm_call *call,
		 struct klamm_error *err)
{
	int rc = kl_gss_login_ready(s->gss->login, s->peer->host, call, &s->tickets,
				    &s->broker_text, err);
	if (rc == 0)
		rc = take_name(s, err);
	return rc == 0 ? take_cred(s, err) : rc;
}

/* --- Kerberos' messages --- */

static int know_each_other(struct kl_gss_session *s, OM_uint32 flags,
			   struct klamm_error *err)
{
	if ((flags & NEEDED) != NEEDED)
		return refuse(err, "the broker has not proved who it is");
	s->stage = KL_GSS_LAYER;
	return 0;
}

static int step_context(struct kl_gss_session *s, const struct klamm_span *in,
			struct klamm_out *out, struct klamm_error *err)
{
	gss_buffer_desc token = {in->len, (void *)in->data};
	gss_buffer_desc answer = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, flags = 0;
	OM_uint32 major = gss_init_sec_context(
		&minor, s->cred, &s->context, s->broker, (gss_OID)gss_mech_krb5, ASKED,
		0, GSS_C_NO_CHANNEL_BINDINGS,
		s->context != GSS_C_NO_CONTEXT ? &token : GSS_C_NO_BUFFER, NULL, &answer,
		&flags, NULL);
	int rc = 0;
	if (GSS_ERROR(major))
		rc = kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor,
				"%s and %s do not come together", s->broker_text,
				s->tickets->tickets.client);
	else if (major == GSS_S_CONTINUE_NEEDED && answer.length == 0)
		rc = refuse(err, "Kerberos has nothing to say and is not done");
	else if (major != GSS_S_CONTINUE_NEEDED)
		rc = know_each_other(s, flags, err);
	if (rc == 0)
		return kl_gss_put(out, &answer, err);
	gss_release_buffer(&minor, &answer);
	return rc;
}

static int next_token(struct kl_gss_session *s, const struct klamm_span *in,
		      struct klamm_out *out, struct klamm_error *err)
{
	if (in->len == 0)
		return refuse(err, "the broker answers with nothing, where Kerberos "
				   "needs its proof");
	if (++s->rounds > KL_GSS_ROUNDS_MAX)
		return refuse(err, "the broker never comes to an end");
	return step_context(s, in, out, err);
}

/* --- the layer --- */

static int read_offer(struct kl_gss_session *s, const struct klamm_span *in,
		      struct klamm_error *err)
{
	gss_buffer_desc wrapped = {in->len, (void *)in->data};
	gss_buffer_desc plain = GSS_C_EMPTY_BUFFER;
	struct kl_gss_layer offer;
	OM_uint32 minor;
	OM_uint32 major = gss_unwrap(&minor, s->context, &wrapped, &plain, NULL, NULL);
	if (GSS_ERROR(major))
		return kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor,
				  "the broker's offer of security layers is not its own");
	const char *why = kl_gss_layer_read_offer(plain.value, plain.length, &offer);
	kl_gss_drop(&plain);
	if (why == NULL)
		return 0;
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "the broker is none: %s", why);
}

/* No layer, and as whom: Java's clients name their principal, which Kafka passes over. */
static int write_answer(struct kl_gss_session *s, struct klamm_out *out,
			struct klamm_error *err)
{
	const char *client = s->tickets->tickets.client;
	uint8_t text[KL_GSS_LAYER_SIZE + KL_GSS_AUTHZID_MAX];
	size_t n = strlen(client);
	if (n > KL_GSS_AUTHZID_MAX)
		n = 0; /* it acts for itself all the same */
	kl_gss_layer_write(text);
	memcpy(text + KL_GSS_LAYER_SIZE, client, n);
	gss_buffer_desc plain = {KL_GSS_LAYER_SIZE + n, text};
	gss_buffer_desc wrapped = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = gss_wrap(&minor, s->context, 0, GSS_C_QOP_DEFAULT,
					  &plain, NULL, &wrapped);
	if (GSS_ERROR(major))
		return kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor,
				  "the answer to the broker's offer cannot be wrapped");
	return kl_gss_put(out, &wrapped, err);
}

static int step(struct kl_gss_session *s, const struct klamm_call *call,
		const struct klamm_span *in, struct klamm_out *out,
		struct klamm_error *err)
{
	int rc;
	switch (s->stage) {
	case KL_GSS_BEGIN:
		rc = begin(s, call, err);
		s->stage = KL_GSS_CONTEXT;
		return rc == 0 ? step_context(s, in, out, err) : rc;
	case KL_GSS_CONTEXT:
		return next_token(s, in, out, err);
	case KL_GSS_LAYER:
		rc = read_offer(s, in, err);
		s->stage = KL_GSS_END;
		return rc == 0 ? write_answer(s, out, err) : rc;
	default:
		if (in->len == 0)
			return 0;
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the broker adds %zu bytes to what was the end",
				  in->len);
	}
}

int kl_gss_client_step(void *session, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out,
		       int32_t *state_out, struct klamm_error *err)
{
	struct kl_gss_session *s = session;
	enum kl_gss_stage before = s->stage;
	int rc = step(s, call, in, out, err);
	*state_out = before == KL_GSS_END     ? KLAMM_SASL_DONE
		     : s->stage == KL_GSS_END ? KLAMM_SASL_SEND_LAST
					      : KLAMM_SASL_SEND;
	/* The broker's key may be another than when the ticket was made. */
	if (rc == KLAMM_ERR_AUTHENTICATION && before == KL_GSS_CONTEXT)
		kl_gss_login_refused(s->gss->login, s->tickets);
	return rc;
}
