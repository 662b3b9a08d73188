/* SPDX-License-Identifier: BSD-2-Clause */
/* What requests to Amazon's services are signed with. */
#ifndef PLUGINS_AWS_CREDENTIALS_H
#define PLUGINS_AWS_CREDENTIALS_H

#include <klamm/host.h>

#include "plugins/common/text.h"

#define KL_AWS_FOR_GOOD INT64_MAX

struct kl_aws_credentials {
	struct kl_text key_id, secret;
	struct kl_text token; /* of temporary ones, else empty */
	int64_t expires_ms;   /* since 1970, or KL_AWS_FOR_GOOD */
	char from[200];       /* where they come from, for the log: "profile dev" */
};

static inline void kl_aws_credentials_free(struct kl_aws_credentials *c)
{
	kl_text_free(&c->key_id);
	kl_text_free(&c->secret);
	kl_text_free(&c->token);
	*c = (struct kl_aws_credentials){.secret = c->secret, .token = c->token};
}
#define KL_AWS_CREDENTIALS_AUTO                                                        \
	__attribute__((cleanup(kl_aws_credentials_free))) struct kl_aws_credentials

/* Instead of what is in `to`. NO_MEMORY. */
static inline int kl_aws_credentials_copy(struct kl_aws_credentials *to,
					  const struct kl_aws_credentials *from,
					  struct klamm_error *err)
{
	kl_aws_credentials_free(to);
	kl_text_add(&to->key_id, kl_text_get(&from->key_id));
	kl_text_add(&to->secret, kl_text_get(&from->secret));
	kl_text_add(&to->token, kl_text_get(&from->token));
	to->expires_ms = from->expires_ms;
	memcpy(to->from, from->from, sizeof(to->from));
	if (to->key_id.failed || to->secret.failed || to->token.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return 0;
}

#endif
