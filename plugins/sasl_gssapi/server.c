/* SPDX-License-Identifier: BSD-2-Clause */
/* The server's half, for the dev broker: a keytab, and what Kafka's broker makes of a
 * principal. */
#include <stdlib.h>

#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include "layer.h"
#include "session.h"
#include "words.h"

#define NAME_MAX_LEN 1024

int kl_gss_server_cred(const struct kl_gss_conf *conf, gss_cred_id_t *cred_out,
		       struct klamm_error *err)
{
	gss_OID_set_desc krb5 = {1, (gss_OID)gss_mech_krb5};
	gss_name_t name = GSS_C_NO_NAME;
	OM_uint32 minor, major = GSS_S_COMPLETE;
	if (conf->keytab == NULL)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "sasl.kerberos.keytab is not set: a broker needs the "
				  "keys of its principal");
	if (conf->principal != NULL) {
		gss_buffer_desc text = {strlen(conf->principal),
					(void *)conf->principal};
		major = gss_import_name(&minor, &text,
					(gss_OID)GSS_KRB5_NT_PRINCIPAL_NAME, &name);
	}
	gss_key_value_element_desc pair = {"keytab", conf->keytab};
	gss_key_value_set_desc store = {1, &pair};
	if (major == GSS_S_COMPLETE)
		major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &krb5,
					      GSS_C_ACCEPT, &store, cred_out, NULL,
					      NULL);
	int rc = major == GSS_S_COMPLETE
			 ? 0
			 : kl_gss_say(err, KLAMM_ERR_CONFIG, major, minor,
				      "the keytab %s has no key for %s", conf->keytab,
				      conf->principal ?: "a broker");
	gss_release_name(&minor, &name);
	return rc;
}

/* A stranger hears what Kafka's broker tells him, the log why. */
static int refuse(struct kl_gss_session *s, const char *why, struct klamm_error *err)
{
	char text[KLAMM_ERROR_TEXT + 30];
	const struct klamm_host *host = s->gss->host;
	snprintf(text, sizeof(text), "GSSAPI: a client is refused: %s", why);
	host->log(host, 1, text);
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
			  "Authentication failed during %s due to invalid credentials "
			  "with SASL mechanism GSSAPI",
			  s->peer->flags & KLAMM_SASL_AGAIN ? "re-authentication"
							    : "authentication");
}

static int refuse_status(struct kl_gss_session *s, OM_uint32 major, OM_uint32 minor,
			 const char *what, struct klamm_error *err)
{
	kl_gss_say(err, KLAMM_ERR_AUTHENTICATION, major, minor, "%s", what);
	char why[KLAMM_ERROR_TEXT];
	snprintf(why, sizeof(why), "%s", err->text);
	return refuse(s, why, err);
}

/* --- Kerberos' messages --- */

static char *default_realm(struct klamm_error *err)
{
	char *realm = NULL, *text = NULL;
	krb5_context context = kl_gss_context(err);
	if (context == NULL)
		return NULL;
	/* Without one no client has a short name, as in Kafka. */
	if (krb5_get_default_realm(context, &realm) == 0) {
		text = strdup(realm);
		krb5_free_default_realm(context, realm);
	} else {
		text = strdup("");
	}
	krb5_free_context(context);
	if (text == NULL)
		klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return text;
}

static int make_user(struct kl_gss_session *s, const char *principal, size_t len,
		     struct klamm_error *err)
{
	char *realm = default_realm(err), why[400];
	if (realm == NULL)
		return err->code;
	kl_text_clear(&s->user);
	const char *wrong =
		kl_gss_rules_apply(s->gss->rules, principal, len, realm, &s->user);
	snprintf(why, sizeof(why),
		 "sasl.kerberos.principal.to.local.rules make no user of %.*s: %s (the "
		 "default realm is %.100s)",
		 (int)(len < 150 ? len : 150), principal, wrong ?: "",
		 realm[0] != '\0' ? realm : "not known");
	free(realm);
	if (s->user.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return wrong == NULL ? 0 : refuse(s, why, err);
}

static int know_client(struct kl_gss_session *s, gss_name_t client, OM_uint32 flags,
		       struct klamm_error *err)
{
	gss_buffer_desc name = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor;
	if (flags & GSS_C_ANON_FLAG)
		return refuse(s, "it does not say who it is", err);
	OM_uint32 major = gss_display_name(&minor, client, &name, NULL);
	if (GSS_ERROR(major))
		return refuse_status(s, major, minor, "its name cannot be read", err);
	int rc = name.length <= NAME_MAX_LEN
			 ? make_user(s, name.value, name.length, err)
			 : refuse(s, "its name is too long", err);
	gss_release_buffer(&minor, &name);
	return rc;
}

/* --- the layer --- */

static int put_offer(struct kl_gss_session *s, struct klamm_out *out,
		     struct klamm_error *err)
{
	uint8_t text[KL_GSS_LAYER_SIZE];
	kl_gss_layer_write(text);
	gss_buffer_desc plain = {sizeof(text), text}, wrapped = GSS_C_EMPTY_BUFFER;
	OM_uint32 minor, major = gss_wrap(&minor, s->context, 0, GSS_C_QOP_DEFAULT,
					  &plain, NULL, &wrapped);
	if (GSS_ERROR(major))
		return refuse_status(s, major, minor, "the offer cannot be wrapped",
				     err);
	s->stage = KL_GSS_LAYER;
	return kl_gss_put(out, &wrapped, err);
}

static int step_context(struct kl_gss_session *s, const struct klamm_span *in,
			struct klamm_out *out, struct klamm_error *err)
{
	gss_buffer_desc token = {in->len, (void *)in->data};
	gss_buffer_desc answer = GSS_C_EMPTY_BUFFER;
	gss_name_t client = GSS_C_NO_NAME;
	OM_uint32 minor, flags = 0, ignored;
	if (++s->rounds > KL_GSS_ROUNDS_MAX)
		return refuse(s, "it never comes to an end", err);
	OM_uint32 major = gss_accept_sec_context(
		&minor, &s->context, s->cred, &token, GSS_C_NO_CHANNEL_BINDINGS, &client,
		NULL, &answer, &flags, NULL, NULL);
	int rc = 0;
	if (GSS_ERROR(major))
		rc = refuse_status(s, major, minor, "its ticket is not taken", err);
	else if (major == GSS_S_CONTINUE_NEEDED && answer.length == 0)
		rc = refuse(s, "Kerberos has nothing to say and is not done", err);
	else if (major != GSS_S_CONTINUE_NEEDED)
		rc = know_client(s, client, flags, err);
	gss_release_name(&ignored, &client);
	if (rc != 0) {
		gss_release_buffer(&ignored, &answer);
		return rc;
	}
	if (major == GSS_S_CONTINUE_NEEDED)
		return kl_gss_put(out, &answer, err);
	s->stage = KL_GSS_OFFER;
	/* Without a proof that was asked for it is the server's turn at once. */
	return answer.length > 0 ? kl_gss_put(out, &answer, err)
				 : put_offer(s, out, err);
}

static int take_choice(struct kl_gss_session *s, const struct klamm_span *in,
		       struct klamm_out *out, struct klamm_error *err)
{
	gss_buffer_desc wrapped = {in->len, (void *)in->data};
	gss_buffer_desc plain = GSS_C_EMPTY_BUFFER;
	struct kl_gss_layer answer;
	OM_uint32 minor;
	OM_uint32 major = gss_unwrap(&minor, s->context, &wrapped, &plain, NULL, NULL);
	if (GSS_ERROR(major))
		return refuse_status(s, major, minor,
				     "its choice of a layer is not its own", err);
	/* As whom it wants to act is passed over, as Kafka does: it is who it is. */
	const char *why = kl_gss_layer_read_answer(plain.value, plain.length, &answer);
	kl_gss_drop(&plain);
	s->stage = KL_GSS_END;
	if (why != NULL)
		return refuse(s, why, err);
	out->flags |= KLAMM_OUT_NULL; /* Java's server has no last word either */
	return s->server->identify(s->server, kl_text_get(&s->user), -1);
}

static int step(struct kl_gss_session *s, const struct klamm_span *in,
		struct klamm_out *out, struct klamm_error *err)
{
	switch (s->stage) {
	case KL_GSS_BEGIN:
	case KL_GSS_CONTEXT:
		s->stage = KL_GSS_CONTEXT;
		return step_context(s, in, out, err);
	case KL_GSS_OFFER:
		if (in->len > 0)
			return refuse(s, "it talks where nothing is left to say", err);
		return put_offer(s, out, err);
	case KL_GSS_LAYER:
		return take_choice(s, in, out, err);
	default:
		return refuse(s, "it goes on after the end", err);
	}
}

int kl_gss_server_step(void *session, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out,
		       int32_t *state_out, struct klamm_error *err)
{
	struct kl_gss_session *s = session;
	int rc = step(s, in, out, err);
	*state_out = s->stage == KL_GSS_END ? KLAMM_SASL_DONE : KLAMM_SASL_SEND;
	return rc;
}
