/* SPDX-License-Identifier: BSD-2-Clause */
/* Amazon's own files, ~/.aws/credentials and ~/.aws/config: one profile of them.
 *
 *	[profile dev]
 *	role_arn = arn:aws:iam::123456789012:role/reader
 *	source_profile = default
 */
#ifndef PLUGINS_AWS_PROFILE_H
#define PLUGINS_AWS_PROFILE_H

#include <klamm/host.h>

#include "plugins/common/text.h"

/* What is read of a profile. */
enum kl_aws_property {
	KL_AWS_KEY_ID,
	KL_AWS_SECRET,
	KL_AWS_TOKEN,
	KL_AWS_REGION_NAME,
	KL_AWS_ROLE_ARN,
	KL_AWS_ROLE_SESSION,
	KL_AWS_EXTERNAL_ID,
	KL_AWS_SOURCE_PROFILE,
	KL_AWS_CREDENTIAL_SOURCE,
	KL_AWS_TOKEN_FILE,
	KL_AWS_DURATION,
	KL_AWS_MFA,
	KL_AWS_PROCESS,
	KL_AWS_SSO_SESSION,
	KL_AWS_SSO_URL,
	KL_AWS_PROPERTIES,
};

struct kl_aws_profile {
	bool found; /* the files have a section of that name */
	struct kl_text v[KL_AWS_PROPERTIES];
};

/* Takes what a file says of a profile; what is known already is replaced. is_config:
 * its sections are called [profile NAME] and [default]. 0, or the number of the first
 * line that cannot be read; NO_MEMORY is a text that failed. */
int kl_aws_profile_parse(struct kl_aws_profile *profile, const char *text, size_t len,
			 const char *name, bool is_config);

/* Both files, where AWS_CONFIG_FILE and AWS_SHARED_CREDENTIALS_FILE or HOME say that
 * they are; one that is not there is empty. CONFIG names file and line, never what is
 * in it; NO_MEMORY. profile_out begins zeroed, and ends with kl_aws_profile_free()
 * either way. */
int kl_aws_profile_read(const char *name, struct kl_aws_profile *profile_out,
			struct klamm_error *err);
void kl_aws_profile_free(struct kl_aws_profile *profile);

static inline const char *kl_aws_property(
	const struct kl_aws_profile *profile,
	enum kl_aws_property property) /* NULL = not set */
{
	const struct kl_text *t = &profile->v[property];
	return t->len > 0 ? t->p : NULL;
}

/* A whole file, as text that is wiped. 0, or -errno. */
int kl_aws_read_file(const char *path, size_t max, struct kl_text *to);

#endif
