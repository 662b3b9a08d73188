/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of aws.h share. */
#ifndef PLUGINS_AWS_INT_H
#define PLUGINS_AWS_INT_H

#include <errno.h>
#include <pthread.h>

#include "plugins/common/aws/aws.h"
#include "plugins/common/aws/profile.h"
#include "plugins/common/http.h"

/* How long a search for credentials may take, whatever its caller would wait. */
#define KL_AWS_WAIT_MS 30000

struct kl_aws {
	const struct klamm_host *host;
	struct kl_aws_conf conf;
	pthread_mutex_t mutex; /* guards the rest; held for no call that blocks */
	pthread_cond_t fetched;
	bool fetching;
	unsigned rounds; /* of fetching that are over, the last with: */
	struct klamm_error last;
	struct kl_aws_credentials kept; /* that expire; empty = none */
	bool told_skew;
};

/* One search. */
struct kl_aws_search {
	struct kl_aws *aws;
	const struct klamm_call *call;
	int64_t end_us;
};

struct kl_aws_role {
	const char *arn, *session, *external_id,
		*duration;  /* the last two may be NULL */
	const char *region; /* of the profile, or NULL */
};

#define KL_AWS_WARN  1
#define KL_AWS_DEBUG 3
void kl_aws_note(const struct kl_aws *aws, int level, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static inline bool kl_aws_is_empty(const struct kl_aws_credentials *c)
{
	return c->key_id.len == 0;
}

/* What the options of the plugin say, or nothing. */
int kl_aws_of_options(const struct kl_aws *aws, struct kl_aws_credentials *out,
		      struct klamm_error *err);
/* In all places. */
int kl_aws_find(struct kl_aws_search *search, struct kl_aws_credentials *out,
		struct klamm_error *err);

/* Where the token service is. CONFIG. */
struct kl_aws_endpoint {
	struct kl_text url;
	struct kl_text host; /* as in the header Host */
	char region[KL_AWS_REGION];
};
int kl_aws_find_endpoint(const struct kl_aws_conf *conf, const struct kl_aws_role *role,
			 struct kl_aws_endpoint *endpoint_out, struct klamm_error *err);
void kl_aws_endpoint_free(struct kl_aws_endpoint *endpoint);

/* Below: out begins empty. 0 with out still empty: there is nothing of that sort here.
 */

/* A role, assumed with other credentials (AssumeRole). */
int kl_aws_assume(struct kl_aws_search *search, const struct kl_aws_role *role,
		  const struct kl_aws_credentials *with, struct kl_aws_credentials *out,
		  struct klamm_error *err);
/* The same with the token of an identity provider (AssumeRoleWithWebIdentity). */
int kl_aws_assume_by_token(struct kl_aws_search *search, const struct kl_aws_role *role,
			   const char *token_file, struct kl_aws_credentials *out,
			   struct klamm_error *err);
int kl_aws_of_container(struct kl_aws_search *search, struct kl_aws_credentials *out,
			struct klamm_error *err);
int kl_aws_of_instance(struct kl_aws_search *search, struct kl_aws_credentials *out,
		       struct klamm_error *err);

/* An exchange within the search's time. Whoever answers is compared with this clock. */
int kl_aws_http(struct kl_aws_search *search, struct kl_http_request *request,
		struct kl_http_answer *answer_out, struct klamm_error *err);

/* --- answers.c: what services say --- */

/* {"AccessKeyId": "...", "SecretAccessKey": "...", "Token": "...", "Expiration": "..."}
 * of a metadata service. NULL, or why it holds no credentials. */
const char *kl_aws_read_json(const char *text, size_t len,
			     struct kl_aws_credentials *out);
/* The XML of the token service. */
const char *kl_aws_read_xml(const char *text, size_t len,
			    struct kl_aws_credentials *out);
/* What the first element of a name holds. */
bool kl_aws_element(const char *text, size_t len, const char *name, struct kl_text *to);
/* NULL, or what is wrong with them: they become parts of headers and scopes. */
const char *kl_aws_fault(const struct kl_aws_credentials *credentials);

/* A variable of the environment; NULL: not set, or empty, or not to be trusted. */
static inline const char *kl_aws_variable(const char *name)
{
	const char *value = secure_getenv(name);
	return value != NULL && value[0] != '\0' ? value : NULL;
}

#endif
