/* SPDX-License-Identifier: BSD-2-Clause */
/* What clients of MSK show, as a message or as a token: the signature of a request that is
 * never sent, GET / at a host for the action kafka-cluster:Connect. The broker's side: does
 * the one who made it know the secret of its key? */
#ifndef PLUGINS_AWS_PROOF_H
#define PLUGINS_AWS_PROOF_H

#include <klamm/sasl.h>

#include "plugins/common/aws/sigv4.h"

#define KL_AWS_SERVICE "kafka-cluster"
#define KL_AWS_ACTION  KL_AWS_SERVICE ":Connect"

/* Borrowed texts. */
struct kl_aws_proof {
	const char *host;       /* that was signed for */
	const char *credential; /* KEY-ID/20210818/REGION/kafka-cluster/aws4_request */
	const char *date, *expires;
	const char *token; /* of temporary credentials, else NULL */
	const char *signature;
};

/* The signature that such a request has, by this key and at this time. NO_MEMORY. */
int kl_aws_connect_signature(const struct kl_aws_signer *signer, const char *host,
			     const char *expires,
			     char signature_out[static KL_AWS_SIGNATURE],
			     struct klamm_error *err);

/* The secrets are what the server has as passwords of access keys' ids. 0: it is good for
 * *left_ms_out more, and the key's id and region are appended to their texts.
 * AUTHENTICATION: the text says why not. */
int kl_aws_check_proof(const struct klamm_host *host,
		       const struct klamm_sasl_server *server,
		       const struct kl_aws_proof *proof, struct kl_text *key_id_out,
		       struct kl_text *region_out, int64_t *left_ms_out,
		       struct klamm_error *err);
int kl_aws_refuse(struct klamm_error *err, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

#endif
