/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/common/aws/proof.h"

#include <openssl/crypto.h>

/* How far clocks may be apart, and how long a signature may be good for (a week is the
 * most that Signature Version 4 has). */
#define SKEW_MS     (5 * 60 * 1000)
#define EXPIRES_MAX (7 * 24 * 3600)

int kl_aws_refuse(struct klamm_error *err, const char *fmt, ...)
{
	char why[300];
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "Access denied: %s", why);
}

int kl_aws_connect_signature(const struct kl_aws_signer *signer, const char *host,
			     const char *expires,
			     char signature_out[static KL_AWS_SIGNATURE],
			     struct klamm_error *err)
{
	struct kl_aws_pair action = {"Action", KL_AWS_ACTION}, header = {"host", host};
	struct kl_aws_request request = {
		.method = "GET",
		.path = "/",
		.query = &action,
		.query_count = 1,
		.headers = &header,
		.header_count = 1,
	};
	return kl_aws_sign_query(signer, &request, expires, signature_out, err);
}

/* --- the scope: KEY-ID/DAY/REGION/kafka-cluster/aws4_request --- */

enum {
	KEY_ID,
	DAY,
	REGION,
	SERVICE,
	TERMINATOR,
	PARTS,
};

/* Cuts the text into its parts, in place. */
static bool split_scope(struct kl_text *credential, char *parts_out[static PARTS])
{
	char *rest = credential->p;
	for (int i = 0; i < PARTS; i++) {
		parts_out[i] = strsep(&rest, "/");
		if (parts_out[i] == NULL || *parts_out[i] == '\0')
			return false;
	}
	return rest == NULL && strcmp(parts_out[SERVICE], KL_AWS_SERVICE) == 0 &&
	       strcmp(parts_out[TERMINATOR], "aws4_request") == 0;
}

/* --- the signature --- */

static int secret_of(const struct klamm_host *host,
		     const struct klamm_sasl_server *server, const char *key_id,
		     struct kl_text *secret, struct klamm_error *err)
{
	struct klamm_out *stored;
	if (host->out_new(host, 0, &stored) != 0)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = server->credential(server, key_id, "password", stored);
	if (rc == 0)
		kl_text_put(secret, stored->data, stored->len);
	if (stored->data != NULL)
		host->wipe(host, stored->data, stored->cap);
	host->out_free(host, stored);
	if (secret->failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (rc != 0 && rc != KLAMM_ERR_AUTHENTICATION)
		return klamm_fail(err, rc, "the access keys cannot be read");
	return 0; /* a key that is not known has an empty secret */
}

static int check_signature(const struct klamm_host *host,
			   const struct klamm_sasl_server *server,
			   const struct kl_aws_proof *proof,
			   char *const parts[static PARTS], struct klamm_error *err)
{
	KL_TEXT_AUTO secret = {0};
	char signature[KL_AWS_SIGNATURE];
	int rc = secret_of(host, server, parts[KEY_ID], &secret, err);
	if (rc != 0)
		return rc;
	struct kl_aws_signer signer = {
		.key_id = parts[KEY_ID],
		.secret = kl_text_get(&secret),
		.token = proof->token,
		.region = parts[REGION],
		.service = parts[SERVICE],
		.time = proof->date,
	};
	rc = kl_aws_connect_signature(&signer, proof->host, proof->expires, signature,
				      err);
	if (rc != 0)
		return rc;
	bool same = strlen(proof->signature) == KL_AWS_SIGNATURE - 1 &&
		    CRYPTO_memcmp(proof->signature, signature, KL_AWS_SIGNATURE - 1) == 0;
	return same && secret.len > 0
		       ? 0
		       : kl_aws_refuse(err, "the access key is not known here, or its "
					    "secret is another");
}

/* --- time: told to those who know a secret --- */

static int check_time(const struct klamm_host *host, const struct kl_aws_proof *proof,
		      int64_t signed_ms, int64_t *left_ms_out, struct klamm_error *err)
{
	const char *text = proof->expires;
	char now[KL_AWS_TIME];
	char *end;
	long expires = strtol(text, &end, 10);
	int64_t now_ms = host->wall_ms(host);
	kl_aws_time(now_ms, now);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || expires < 1 ||
	    expires > EXPIRES_MAX)
		return kl_aws_refuse(err,
				     "x-amz-expires is no number of seconds up to %d",
				     EXPIRES_MAX);
	if (signed_ms > now_ms + SKEW_MS)
		return kl_aws_refuse(
			err,
			"signed at %s, and here it is %s: the client's clock is ahead",
			proof->date, now);
	*left_ms_out = signed_ms + expires * 1000 - now_ms;
	if (*left_ms_out < 0)
		return kl_aws_refuse(
			err,
			"signed at %s for %ld s, and here it is %s: it has expired, or "
			"the client's clock is behind",
			proof->date, expires, now);
	return 0;
}

int kl_aws_check_proof(const struct klamm_host *host,
		       const struct klamm_sasl_server *server,
		       const struct kl_aws_proof *proof, struct kl_text *key_id_out,
		       struct kl_text *region_out, int64_t *left_ms_out,
		       struct klamm_error *err)
{
	KL_TEXT_AUTO credential = {0};
	char *parts[PARTS];
	int64_t signed_ms;
	kl_text_add(&credential, proof->credential);
	if (credential.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (!split_scope(&credential, parts))
		return kl_aws_refuse(err, "x-amz-credential is not "
					  "KEY/DAY/REGION/kafka-cluster/aws4_request");
	if (!kl_aws_time_read(proof->date, &signed_ms) || strlen(parts[DAY]) != 8 ||
	    strncmp(proof->date, parts[DAY], 8) != 0)
		return kl_aws_refuse(
			err, "x-amz-date is no time of the day in x-amz-credential");
	int rc = check_signature(host, server, proof, parts, err);
	if (rc == 0)
		rc = check_time(host, proof, signed_ms, left_ms_out, err);
	if (rc != 0)
		return rc;
	kl_text_add(key_id_out, parts[KEY_ID]);
	kl_text_add(region_out, parts[REGION]);
	return key_id_out->failed || region_out->failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}
