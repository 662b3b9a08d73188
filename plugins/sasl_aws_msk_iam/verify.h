/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker's half of AWS_MSK_IAM: does the one who sent this know the secret of its
 * key? */
#ifndef AWS_MSK_IAM_VERIFY_H
#define AWS_MSK_IAM_VERIFY_H

#include <klamm/sasl.h>

#include "plugins/common/text.h"

/* The secrets are what the server has as passwords of access keys' ids. hosts: those
 * that a client may have signed for, comma separated, NULL = any. 0: it does, and the
 * id of its key is in key_id_out. AUTHENTICATION: the text says why not. */
int aws_msk_iam_verify(const struct klamm_host *host,
		       const struct klamm_sasl_server *server, const char *hosts,
		       const struct klamm_span *payload, struct kl_text *key_id_out,
		       struct klamm_error *err);

#endif
