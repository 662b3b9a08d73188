/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_aws_msk_iam/verify.h"

#include <openssl/crypto.h>
#include <strings.h>

#include "plugins/sasl_aws_msk_iam/payload.h"

/* How far clocks may be apart, and how long a signature may be good for (a week is the
 * most that Signature Version 4 has). */
#define SKEW_MS     (5 * 60 * 1000)
#define EXPIRES_MAX (7 * 24 * 3600)

static int refuse(struct klamm_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static int refuse(struct klamm_error *err, const char *fmt, ...)
{
	char why[300];
	va_list args;
	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "Access denied: %s", why);
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
	return rest == NULL && strcmp(parts_out[SERVICE], "kafka-cluster") == 0 &&
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
			   const struct aws_msk_iam_payload *payload,
			   char *const parts[static PARTS], struct klamm_error *err)
{
	KL_TEXT_AUTO secret = {0};
	char signature[KL_AWS_SIGNATURE];
	const struct kl_text *given = &payload->v[PAYLOAD_SIGNATURE];
	int rc = secret_of(host, server, parts[KEY_ID], &secret, err);
	if (rc != 0)
		return rc;
	struct kl_aws_signer signer = {
		.key_id = parts[KEY_ID],
		.secret = kl_text_get(&secret),
		.token = payload->v[PAYLOAD_TOKEN].p,
		.region = parts[REGION],
		.service = parts[SERVICE],
		.time = payload->v[PAYLOAD_DATE].p,
	};
	rc = aws_msk_iam_signature(&signer, payload->v[PAYLOAD_HOST].p,
				   payload->v[PAYLOAD_OF_EXPIRES].p, signature, err);
	if (rc != 0)
		return rc;
	bool same = given->len == KL_AWS_SIGNATURE - 1 &&
		    CRYPTO_memcmp(given->p, signature, KL_AWS_SIGNATURE - 1) == 0;
	return same && secret.len > 0
		       ? 0
		       : refuse(err,
				"the access key is not known here, or its secret is another");
}

/* --- time and place: told to those who know a secret --- */

static int check_time(const struct klamm_host *host,
		      const struct aws_msk_iam_payload *payload, int64_t signed_ms,
		      struct klamm_error *err)
{
	const char *text = payload->v[PAYLOAD_OF_EXPIRES].p;
	char now[KL_AWS_TIME];
	char *end;
	long expires = strtol(text, &end, 10);
	int64_t now_ms = host->wall_ms(host);
	kl_aws_time(now_ms, now);
	if (text[0] < '0' || text[0] > '9' || *end != '\0' || expires < 1 ||
	    expires > EXPIRES_MAX)
		return refuse(err, "x-amz-expires is no number of seconds up to %d",
			      EXPIRES_MAX);
	if (signed_ms > now_ms + SKEW_MS)
		return refuse(
			err,
			"signed at %s, and here it is %s: the client's clock is ahead",
			payload->v[PAYLOAD_DATE].p, now);
	if (signed_ms + expires * 1000 < now_ms)
		return refuse(
			err,
			"signed at %s for %ld s, and here it is %s: it has expired, or "
			"the client's clock is behind",
			payload->v[PAYLOAD_DATE].p, expires, now);
	return 0;
}

static int check_host(const char *hosts, const struct aws_msk_iam_payload *payload,
		      struct klamm_error *err)
{
	const char *host = payload->v[PAYLOAD_HOST].p;
	size_t len = strlen(host), n;
	for (const char *p = hosts; p != NULL && *p != '\0'; p += n + (p[n] == ',')) {
		n = strcspn(p, ",");
		if (n == len && strncasecmp(p, host, n) == 0)
			return 0;
	}
	return hosts == NULL
		       ? 0
		       : refuse(err,
				"signed for the host %.100s, and this one is %.100s",
				host, hosts);
}

int aws_msk_iam_verify(const struct klamm_host *host,
		       const struct klamm_sasl_server *server, const char *hosts,
		       const struct klamm_span *text, struct kl_text *key_id_out,
		       struct klamm_error *err)
{
	PAYLOAD_AUTO payload;
	char *parts[PARTS];
	int64_t signed_ms;
	const char *why = aws_msk_iam_payload_read(text, &payload);
	if (why != NULL)
		return refuse(err, "the payload is none: %s", why);
	if (!split_scope(&payload.v[PAYLOAD_CREDENTIAL], parts))
		return refuse(err, "x-amz-credential is not "
				   "KEY/DAY/REGION/kafka-cluster/aws4_request");
	const char *date = payload.v[PAYLOAD_DATE].p;
	if (!kl_aws_time_read(date, &signed_ms) || strlen(parts[DAY]) != 8 ||
	    strncmp(date, parts[DAY], 8) != 0)
		return refuse(err,
			      "x-amz-date is no time of the day in x-amz-credential");
	int rc = check_signature(host, server, &payload, parts, err);
	if (rc == 0)
		rc = check_time(host, &payload, signed_ms, err);
	if (rc == 0)
		rc = check_host(hosts, &payload, err);
	if (rc == 0)
		kl_text_add(key_id_out, parts[KEY_ID]);
	return rc;
}
