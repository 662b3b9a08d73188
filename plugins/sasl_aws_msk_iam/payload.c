/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_aws_msk_iam/payload.h"

#include "plugins/common/aws/proof.h"
#include "plugins/common/flat_json.h"

static const char *const names[PAYLOAD_FIELDS] = {
	[PAYLOAD_OF_VERSION] = "version",
	[PAYLOAD_HOST] = "host",
	[PAYLOAD_USER_AGENT] = "user-agent",
	[PAYLOAD_ACTION] = "action",
	[PAYLOAD_ALGORITHM] = "x-amz-algorithm",
	[PAYLOAD_CREDENTIAL] = "x-amz-credential",
	[PAYLOAD_DATE] = "x-amz-date",
	[PAYLOAD_TOKEN] = "x-amz-security-token",
	[PAYLOAD_SIGNED_HEADERS] = "x-amz-signedheaders",
	[PAYLOAD_OF_EXPIRES] = "x-amz-expires",
	[PAYLOAD_SIGNATURE] = "x-amz-signature",
};

void aws_msk_iam_payload_free(struct aws_msk_iam_payload *payload)
{
	for (int i = 0; i < PAYLOAD_FIELDS; i++)
		kl_text_free(&payload->v[i]);
}

static void put(struct kl_text *out, enum payload_field field, const char *value)
{
	kl_text_char(out, field == PAYLOAD_OF_VERSION ? '{' : ',');
	flat_json_quote(out, names[field]);
	kl_text_char(out, ':');
	flat_json_quote(out, value);
}

int aws_msk_iam_sign(const struct kl_aws_credentials *credentials, const char *region,
		     const char *host, const char *user_agent, int64_t wall_ms,
		     struct kl_text *out, struct klamm_error *err)
{
	char time[KL_AWS_TIME], signature[KL_AWS_SIGNATURE];
	KL_TEXT_AUTO credential = {0};
	kl_aws_time(wall_ms, time);
	struct kl_aws_signer signer = {
		.key_id = kl_text_get(&credentials->key_id),
		.secret = kl_text_get(&credentials->secret),
		.token = credentials->token.len > 0 ? credentials->token.p : NULL,
		.region = region,
		.service = KL_AWS_SERVICE,
		.time = time,
	};
	int rc = kl_aws_connect_signature(&signer, host, PAYLOAD_EXPIRES, signature, err);
	if (rc != 0)
		return rc;
	kl_text_printf(&credential, "%s/", signer.key_id);
	kl_aws_put_scope(&credential, &signer);
	put(out, PAYLOAD_OF_VERSION, PAYLOAD_VERSION);
	put(out, PAYLOAD_HOST, host);
	put(out, PAYLOAD_USER_AGENT, user_agent);
	put(out, PAYLOAD_ACTION, KL_AWS_ACTION);
	put(out, PAYLOAD_ALGORITHM, KL_AWS_ALGORITHM);
	put(out, PAYLOAD_CREDENTIAL, kl_text_get(&credential));
	put(out, PAYLOAD_DATE, time);
	if (signer.token != NULL)
		put(out, PAYLOAD_TOKEN, signer.token);
	put(out, PAYLOAD_SIGNED_HEADERS, "host");
	put(out, PAYLOAD_OF_EXPIRES, PAYLOAD_EXPIRES);
	put(out, PAYLOAD_SIGNATURE, signature);
	kl_text_char(out, '}');
	return out->failed || credential.failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}

/* --- the server's side --- */

static int field_of(const char *name)
{
	for (int i = 0; i < PAYLOAD_FIELDS; i++)
		if (strcmp(names[i], name) == 0)
			return i;
	return -1;
}

static const char *take_fields(struct flat_json *json,
			       struct aws_msk_iam_payload *payload,
			       bool seen[static PAYLOAD_FIELDS])
{
	while (flat_json_next(json)) {
		int field = field_of(kl_text_get(&json->name));
		if (field < 0)
			return "it has a field that is unknown";
		if (seen[field])
			return "it has a field twice";
		if (!json->is_text || json->value.len == 0)
			return "a field is no text";
		seen[field] = true;
		kl_text_put(&payload->v[field], json->value.p, json->value.len);
		if (payload->v[field].failed)
			return "out of memory";
	}
	return json->why;
}

const char *aws_msk_iam_payload_read(const struct klamm_span *text,
				     struct aws_msk_iam_payload *payload_out)
{
	FLAT_JSON_AUTO json;
	bool seen[PAYLOAD_FIELDS] = {false};
	*payload_out = (struct aws_msk_iam_payload){0};
	flat_json_begin(&json, text->data, text->len);
	const char *why = take_fields(&json, payload_out, seen);
	for (int i = 0; why == NULL && i < PAYLOAD_FIELDS; i++)
		if (!seen[i] && i != PAYLOAD_TOKEN)
			why = "a field is missing";
	const char *version = kl_text_get(&payload_out->v[PAYLOAD_OF_VERSION]);
	if (why == NULL && strcmp(version, PAYLOAD_VERSION) != 0)
		why = "its version is not " PAYLOAD_VERSION;
	if (why == NULL && strcmp(payload_out->v[PAYLOAD_ACTION].p, KL_AWS_ACTION) != 0)
		why = "its action is not " KL_AWS_ACTION;
	if (why == NULL &&
	    strcmp(payload_out->v[PAYLOAD_ALGORITHM].p, KL_AWS_ALGORITHM) != 0)
		why = "its algorithm is not " KL_AWS_ALGORITHM;
	if (why == NULL &&
	    strcmp(payload_out->v[PAYLOAD_SIGNED_HEADERS].p, "host") != 0)
		why = "its signed headers are not host alone";
	return why;
}
