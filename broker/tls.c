/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/tls.h"

#include "core/base/error.h"

static int client_auth(const struct klamm_broker_options *o, int32_t *auth_out,
		       struct klamm_error *err)
{
	static const char *const words[] = {"none", "requested", "required"};
	*auth_out = o->tls_ca != NULL ? KL_CLIENT_AUTH_REQUIRED : KL_CLIENT_AUTH_NONE;
	if (o->tls_client_auth == NULL)
		return 0;
	for (size_t i = 0; i < kl_countof(words); i++) {
		if (strcmp(o->tls_client_auth, words[i]) != 0)
			continue;
		*auth_out = (int32_t)i;
		if (i != KL_CLIENT_AUTH_NONE && o->tls_ca == NULL)
			break;
		return 0;
	}
	return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
			"tls_client_auth \"%s\": must be none, or with a tls_ca requested or "
			"required",
			o->tls_client_auth);
}

int kl_dev_tls_new(struct klamm_broker *broker, const struct klamm_broker_options *o,
		   struct klamm_error *err)
{
	if (o->tls_certificate == NULL) {
		if (o->tls_key == NULL && o->tls_ca == NULL && o->tls_client_auth == NULL)
			return 0;
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"TLS needs a certificate of the broker's: tls_certificate");
	}
	static const char password[] = "tls_key_password";
	struct kl_tls_spec spec = {
		.is_server = true,
		.trust = {.key = "tls_ca", .file = o->tls_ca, .type = KL_STORE_ANY,
			  .password_key = password},
		.own = {.key = "tls_certificate", .file = o->tls_certificate,
			.type = KL_STORE_ANY, .password = o->tls_key_password,
			.password_key = password},
		.key = {.key = "tls_key", .file = o->tls_key, .type = KL_STORE_PEM,
			.password = o->tls_key_password, .password_key = password},
		.crl = {.key = "tls_crl"},
	};
	int rc = client_auth(o, &spec.client_auth, err);
	if (rc == 0)
		rc = kl_tls_new(&spec, broker->loop->os, &broker->loop->log,
				&broker->tls, err);
	/* As any other option that makes no sense. */
	if (rc == KLAMM_ERR_CONFIG && err != NULL)
		rc = err->code = KLAMM_ERR_INVALID_ARGUMENT;
	return rc;
}
