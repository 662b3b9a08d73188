/* SPDX-License-Identifier: BSD-2-Clause */
/* The places in which credentials are looked for, one after the other. */
#include "plugins/common/aws/aws_int.h"

/* Of source_profile, one after the other. */
#define PROFILES_MAX 8

/* --- single places --- */

static int check(struct kl_aws_credentials *out, struct klamm_error *err)
{
	const char *why = kl_aws_fault(out);
	if (why == NULL)
		return 0;
	int code = out->key_id.failed || out->secret.failed || out->token.failed
			   ? KLAMM_ERR_NO_MEMORY
			   : KLAMM_ERR_CONFIG;
	klamm_fail(err, code, "%s: %s", out->from, why);
	kl_aws_credentials_free(out);
	return code;
}

static int take_secret(const struct kl_aws *aws, const char *key, struct kl_text *to,
		       struct klamm_error *err)
{
	char *text;
	int rc = aws->host->secret_read(aws->host, key, &text, err);
	if (rc != 0)
		return rc;
	kl_text_add(to, text);
	aws->host->secret_wipe(aws->host, text);
	return 0;
}

/* One that cannot be read is no reason to do without: MSK would refuse the key alone.
 */
static int take_token(const struct kl_aws *aws, struct kl_text *to,
		      struct klamm_error *err)
{
	struct klamm_error why;
	int rc = take_secret(aws, KL_AWS_KEY("session.token"), to, &why);
	if (rc == 0 || strstr(why.text, "is not set") != NULL)
		return 0;
	*err = why;
	return rc;
}

int kl_aws_of_options(const struct kl_aws *aws, struct kl_aws_credentials *out,
		      struct klamm_error *err)
{
	if (aws->conf.key_id == NULL)
		return 0;
	snprintf(out->from, sizeof(out->from), "the configuration");
	out->expires_ms = KL_AWS_FOR_GOOD;
	kl_text_add(&out->key_id, aws->conf.key_id);
	int rc = take_secret(aws, KL_AWS_KEY("secret.access.key"), &out->secret, err);
	if (rc != 0 || (rc = take_token(aws, &out->token, err)) != 0) {
		kl_aws_credentials_free(out);
		return rc;
	}
	return check(out, err);
}

static int of_environment(struct kl_aws_credentials *out, struct klamm_error *err)
{
	const char *key_id = kl_aws_variable("AWS_ACCESS_KEY_ID");
	const char *secret = kl_aws_variable("AWS_SECRET_ACCESS_KEY");
	const char *token = kl_aws_variable("AWS_SESSION_TOKEN");
	if (key_id == NULL && secret == NULL)
		return 0;
	snprintf(out->from, sizeof(out->from), "the environment");
	out->expires_ms = KL_AWS_FOR_GOOD;
	kl_text_add(&out->key_id, key_id != NULL ? key_id : "");
	kl_text_add(&out->secret, secret != NULL ? secret : "");
	kl_text_add(&out->token, token != NULL ? token : "");
	return check(out, err);
}

static int of_web_identity(struct kl_aws_search *search, struct kl_aws_credentials *out,
			   struct klamm_error *err)
{
	const char *file = kl_aws_variable("AWS_WEB_IDENTITY_TOKEN_FILE");
	const char *session = kl_aws_variable("AWS_ROLE_SESSION_NAME");
	struct kl_aws_role role = {
		.arn = kl_aws_variable("AWS_ROLE_ARN"),
		.session = session != NULL ? session : search->aws->conf.role_session,
	};
	if (file == NULL)
		return 0;
	if (role.arn == NULL)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"AWS_WEB_IDENTITY_TOKEN_FILE is set, AWS_ROLE_ARN is not");
	return kl_aws_assume_by_token(search, &role, file, out, err);
}

/* --- profiles --- */

static int of_profile(struct kl_aws_search *search, const char *name, int depth,
		      struct kl_aws_credentials *out, struct klamm_error *err);

/* What the role of a profile is assumed with. */
static int of_source(struct kl_aws_search *search, const char *name,
		     const struct kl_aws_profile *profile, int depth,
		     struct kl_aws_credentials *out, struct klamm_error *err)
{
	const char *source = kl_aws_property(profile, KL_AWS_SOURCE_PROFILE);
	const char *service = kl_aws_property(profile, KL_AWS_CREDENTIAL_SOURCE);
	int rc;
	if (source != NULL)
		return of_profile(search, source, depth + 1, out, err);
	if (service == NULL)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "the profile %.100s has a role_arn, and neither "
				  "source_profile nor credential_source",
				  name);
	if (strcmp(service, "Environment") == 0)
		rc = of_environment(out, err);
	else if (strcmp(service, "EcsContainer") == 0)
		rc = kl_aws_of_container(search, out, err);
	else if (strcmp(service, "Ec2InstanceMetadata") == 0)
		rc = kl_aws_of_instance(search, out, err);
	else
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the profile %.100s: credential_source must be Environment, "
			"Ec2InstanceMetadata or EcsContainer",
			name);
	if (rc == 0 && kl_aws_is_empty(out))
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "the profile %.100s: its credential_source has none",
				  name);
	return rc;
}

static int of_role_of_profile(struct kl_aws_search *search, const char *name,
			      const struct kl_aws_profile *profile, int depth,
			      struct kl_aws_credentials *out, struct klamm_error *err)
{
	KL_AWS_CREDENTIALS_AUTO with = {0};
	const char *session = kl_aws_property(profile, KL_AWS_ROLE_SESSION);
	const char *token_file = kl_aws_property(profile, KL_AWS_TOKEN_FILE);
	struct kl_aws_role role = {
		.arn = kl_aws_property(profile, KL_AWS_ROLE_ARN),
		.session = session != NULL ? session : search->aws->conf.role_session,
		.external_id = kl_aws_property(profile, KL_AWS_EXTERNAL_ID),
		.duration = kl_aws_property(profile, KL_AWS_DURATION),
		.region = kl_aws_property(profile, KL_AWS_REGION_NAME),
	};
	if (kl_aws_property(profile, KL_AWS_MFA) != NULL)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the profile %.100s wants a code (mfa_serial), and nobody is "
			"here to be asked",
			name);
	if (token_file != NULL)
		return kl_aws_assume_by_token(search, &role, token_file, out, err);
	int rc = of_source(search, name, profile, depth, &with, err);
	return rc == 0 ? kl_aws_assume(search, &role, &with, out, err) : rc;
}

static bool has_keys(const struct kl_aws_profile *profile)
{
	return kl_aws_property(profile, KL_AWS_KEY_ID) != NULL ||
	       kl_aws_property(profile, KL_AWS_SECRET) != NULL;
}

/* A profile may name itself as its source: then its own keys are meant. */
static bool is_own_source(const char *name, const struct kl_aws_profile *profile,
			  int depth)
{
	const char *source = kl_aws_property(profile, KL_AWS_SOURCE_PROFILE);
	return depth > 0 && source != NULL && strcmp(source, name) == 0 &&
	       has_keys(profile);
}

static int use_profile(struct kl_aws_search *search, const char *name,
		       const struct kl_aws_profile *profile, int depth,
		       struct kl_aws_credentials *out, struct klamm_error *err)
{
	if (kl_aws_property(profile, KL_AWS_ROLE_ARN) != NULL &&
	    !is_own_source(name, profile, depth))
		return of_role_of_profile(search, name, profile, depth, out, err);
	if (has_keys(profile)) {
		const char *token = kl_aws_property(profile, KL_AWS_TOKEN);
		snprintf(out->from, sizeof(out->from), "the profile %.100s", name);
		out->expires_ms = KL_AWS_FOR_GOOD;
		kl_text_add(&out->key_id, kl_text_get(&profile->v[KL_AWS_KEY_ID]));
		kl_text_add(&out->secret, kl_text_get(&profile->v[KL_AWS_SECRET]));
		kl_text_add(&out->token, token != NULL ? token : "");
		return check(out, err);
	}
	if (kl_aws_property(profile, KL_AWS_PROCESS) != NULL ||
	    kl_aws_property(profile, KL_AWS_SSO_SESSION) != NULL ||
	    kl_aws_property(profile, KL_AWS_SSO_URL) != NULL)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the profile %.100s gets its credentials from a command or by "
			"single sign-on, which klamm does not run; give it those of "
			"aws configure export-credentials",
			name);
	return 0;
}

static int of_profile(struct kl_aws_search *search, const char *name, int depth,
		      struct kl_aws_credentials *out, struct klamm_error *err)
{
	struct kl_aws_profile profile = {0};
	if (depth > PROFILES_MAX)
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the profile %.100s: source_profile leads in a circle", name);
	int rc = kl_aws_profile_read(name, &profile, err);
	if (rc == 0)
		rc = use_profile(search, name, &profile, depth, out, err);
	bool found = profile.found;
	kl_aws_profile_free(&profile);
	if (rc != 0 || !kl_aws_is_empty(out) ||
	    (strcmp(name, "default") == 0 && depth == 0))
		return rc;
	return klamm_fail(err, KLAMM_ERR_CONFIG,
			  found ? "the profile %.100s has no credentials"
				: "there is no profile %.100s in Amazon's files",
			  name);
}

/* --- the chain --- */

/* Every machine may have it, so what is wrong there is told together with what is not
 * here. */
static int of_last_place(struct kl_aws_search *search, struct kl_aws_credentials *out,
			 struct klamm_error *err)
{
	struct klamm_error why = {.text = "no instance's service answers"};
	int rc = kl_aws_of_instance(search, out, &why);
	if (!kl_aws_is_empty(out) || rc == KLAMM_ERR_ABORTED ||
	    rc == KLAMM_ERR_NO_MEMORY) {
		*err = why;
		return rc;
	}
	return klamm_fail(
		err, rc != 0 ? rc : KLAMM_ERR_AUTHENTICATION,
		"there are no AWS credentials in the environment, Amazon's files or a "
		"container, and %.250s; set sasl.aws_msk_iam.profile, or access.key.id "
		"and secret.access.key",
		why.text);
}

static int of_usual_places(struct kl_aws_search *search, struct kl_aws_credentials *out,
			   struct klamm_error *err)
{
	const char *profile = kl_aws_variable("AWS_PROFILE");
	int rc = of_environment(out, err);
	if (rc == 0 && kl_aws_is_empty(out))
		rc = of_web_identity(search, out, err);
	if (rc == 0 && kl_aws_is_empty(out))
		rc = of_profile(search, profile != NULL ? profile : "default", 0, out,
				err);
	if (rc == 0 && kl_aws_is_empty(out))
		rc = kl_aws_of_container(search, out, err);
	return rc != 0 || !kl_aws_is_empty(out) ? rc : of_last_place(search, out, err);
}

static int of_role(struct kl_aws_search *search, struct kl_aws_credentials *out,
		   struct klamm_error *err)
{
	KL_AWS_CREDENTIALS_AUTO with = {0};
	const struct kl_aws_conf *conf = &search->aws->conf;
	struct kl_aws_role role = {
		.arn = conf->role_arn,
		.session = conf->role_session,
		.external_id = conf->role_external_id,
	};
	int rc = kl_aws_of_options(search->aws, &with, err);
	if (rc == 0 && kl_aws_is_empty(&with))
		rc = of_usual_places(search, &with, err);
	return rc == 0 ? kl_aws_assume(search, &role, &with, out, err) : rc;
}

int kl_aws_find(struct kl_aws_search *search, struct kl_aws_credentials *out,
		struct klamm_error *err)
{
	const struct kl_aws_conf *conf = &search->aws->conf;
	int rc = 0;
	if (conf->profile != NULL)
		rc = of_profile(search, conf->profile, 0, out, err);
	if (conf->role_arn != NULL && (conf->profile == NULL || rc != 0))
		rc = of_role(search, out, err);
	if (rc == 0 && !kl_aws_is_empty(out))
		return 0;
	bool tried = conf->profile != NULL || conf->role_arn != NULL;
	if (rc != 0 && (!conf->default_providers || klamm_cancelled(search->call)))
		return rc;
	if (rc != 0)
		kl_aws_note(search->aws, KL_AWS_WARN, "%s; looking further", err->text);
	if (tried && rc == 0 && !conf->default_providers)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "the profile %.100s has no credentials",
				  conf->profile);
	kl_aws_credentials_free(out);
	return of_usual_places(search, out, err);
}
