/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of the SASL mechanism AWS_MSK_IAM, read by its plugin. Amazon's own library for
 * Java has no keys, only options in sasl.jaas.config (jaas.c). */
#include "core/conf/table.h"

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "sasl.aws_msk_iam.region",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The region of the brokers; by default what their "
				  "host names say, then AWS_REGION, then the profile."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.access.key.id",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The id of the access key that this client signs "
				  "with; by default credentials are looked for where "
				  "Amazon's SDKs do."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.secret.access.key",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "The secret of that access key."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.session.token",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "The session token that belongs to it, of temporary "
				  "credentials."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.profile",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The profile of ~/.aws/credentials and ~/.aws/config "
				  "that this client's credentials come from."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.role.arn",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A role that is assumed at the token service (STS), "
				  "with the access key that is set or with what is "
				  "found."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.role.session.name",
			   .type = KLAMM_OPTION_STRING, .def = "klamm",
			   .doc = "What the session of an assumed role is called."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.role.external.id",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The external id that the owner of the role asks for."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.sts.region",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The region whose token service is asked; by default "
				  "AWS_REGION, then that of the profile, then the "
				  "global one."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.sts.endpoint",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The URL of the token service, instead of Amazon's "
				  "own."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.sts.fips",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether the token service is asked at its FIPS "
				  "endpoint."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.default.providers",
			   .type = KLAMM_OPTION_BOOL, .def = "true",
			   .doc = "Whether the usual places are looked at when the "
				  "profile or the role that is set has no credentials."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.aws_msk_iam.imds.v1",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether the metadata service of an instance is asked "
				  "without a token when it gives none."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_aws_msk_iam, sasl_oauthbearer",
	},
};

const struct kl_conf_rows kl_conf_aws_rows = {rows, kl_countof(rows), "AWS_MSK_IAM"};
