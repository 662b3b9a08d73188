/* SPDX-License-Identifier: BSD-2-Clause */
/* Who this client is to Amazon's services: the options, and the chain of places in
 *which credentials are looked for.
 *
 *	1. the keys of the configuration (to assume the role with, when there is one)
 *	2. the profile of the configuration, then its role, assumed with what 3 to 7
 *find
 *	3. AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY
 *	4. AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN, at STS
 *	5. the profile AWS_PROFILE, or default, of Amazon's files
 *	6. the container's service, AWS_CONTAINER_CREDENTIALS_...
 *	7. the instance's metadata service
 *
 * That is the order of Amazon's SDK for Java. A place of 3 to 7 that is set up and
 *fails ends the search: nobody becomes somebody else because a file cannot be read.
 *Credentials that expire are kept and replaced five minutes before; others are read
 *each time. Nothing is taken from the environment of a set-user-ID program.
 *
 * One per instance of a plugin. Everything blocks (files, HTTP) and runs on the
 *blocking pool, from any number of threads; no wait outlasts the call. */
#ifndef PLUGINS_AWS_H
#define PLUGINS_AWS_H

#include <klamm/plugin.h>

#include "plugins/common/aws/credentials.h"
#include "plugins/common/aws/region.h"

/* What the rows of KL_AWS_OPTIONS fill: a part of the plugin's own structure. */
struct kl_aws_conf {
	const char *region;
	const char *key_id;
	const char *profile;
	const char *role_arn, *role_session, *role_external_id;
	const char *sts_region, *sts_endpoint;
	bool sts_fips;
	bool default_providers;
	bool imds_v1;
};

#define KL_AWS_KEY(name) "sasl.aws_msk_iam." name
#define KL_AWS_SESSION	 "klamm" /* what a role's session is called by default */

/* clang-format off */
#define KL_AWS_TEXT(name_, at, doc_, ...)                                           \
	{.name = KL_AWS_KEY(name_), .type = KLAMM_OPTION_STRING, .offset = (at),     \
	 .doc = doc_, __VA_ARGS__}
#define KL_AWS_FLAG(name_, at, def_, doc_)                                          \
	{.name = KL_AWS_KEY(name_), .type = KLAMM_OPTION_BOOL, .offset = (at),       \
	 .def = def_, .doc = doc_}
#define KL_AWS_AT(base, member) ((base) + offsetof(struct kl_aws_conf, member))

/* Rows for a structure that has a struct kl_aws_conf at offset base. */
#define KL_AWS_OPTIONS(base)                                                        \
	KL_AWS_TEXT("region", KL_AWS_AT(base, region),                               \
		    "The region of the brokers."),                                   \
	KL_AWS_TEXT("access.key.id", KL_AWS_AT(base, key_id),                        \
		    "The access key's id."),                                         \
	KL_AWS_TEXT("secret.access.key", 0, "The access key's secret.",              \
		    .flags = KLAMM_OPTION_SECRET),                                   \
	KL_AWS_TEXT("session.token", 0, "The token of temporary credentials.",       \
		    .flags = KLAMM_OPTION_SECRET),                                   \
	KL_AWS_TEXT("profile", KL_AWS_AT(base, profile),                             \
		    "A profile of ~/.aws/credentials and ~/.aws/config."),           \
	KL_AWS_TEXT("role.arn", KL_AWS_AT(base, role_arn),                           \
		    "A role that is assumed."),                                      \
	KL_AWS_TEXT("role.session.name", KL_AWS_AT(base, role_session),              \
		    "What the role's session is called.", .def = KL_AWS_SESSION),           \
	KL_AWS_TEXT("role.external.id", KL_AWS_AT(base, role_external_id),           \
		    "What the role's owner asks to be told."),                       \
	KL_AWS_TEXT("sts.region", KL_AWS_AT(base, sts_region),                       \
		    "The region whose token service is asked."),                     \
	KL_AWS_TEXT("sts.endpoint", KL_AWS_AT(base, sts_endpoint),                   \
		    "The URL of the token service."),                                \
	KL_AWS_FLAG("sts.fips", KL_AWS_AT(base, sts_fips), "false",                  \
		    "Whether the token service's FIPS endpoint is asked."),          \
	KL_AWS_FLAG("default.providers", KL_AWS_AT(base, default_providers), "true", \
		    "Whether more is looked at when profile and role fail."),        \
	KL_AWS_FLAG("imds.v1", KL_AWS_AT(base, imds_v1), "false",                    \
		    "Whether an instance is asked without a token if it gives none.")
/* clang-format on */

struct kl_aws;

/* host and conf are borrowed until kl_aws_free(). CONFIG: a value cannot be right. */
int kl_aws_new(const struct klamm_host *host, const struct kl_aws_conf *conf,
	       struct kl_aws **aws_out, struct klamm_error *err);
void kl_aws_free(struct kl_aws *aws); /* NULL is fine */

/* What a client can be told before it connects. CONFIG. */
int kl_aws_check(struct kl_aws *aws, struct klamm_error *err);

/* credentials_out begins zeroed, and ends with kl_aws_credentials_free() either way.
 * Errors name the place. AUTHENTICATION: there are none; CONFIG; what kl_http() says;
 * TIMED_OUT. */
int kl_aws_credentials(struct kl_aws *aws, const struct klamm_call *call,
		       struct kl_aws_credentials *credentials_out,
		       struct klamm_error *err);

/* From the configuration, the broker's host name, AWS_REGION, or the profile. CONFIG.
 */
int kl_aws_region(struct kl_aws *aws, const char *host, char to[static KL_AWS_REGION],
		  struct klamm_error *err);

#endif
