/* SPDX-License-Identifier: BSD-2-Clause */
/* OAUTHBEARER (RFC 7628): what its files share.
 *
 * A client: a *source* gets a token, keep.c keeps it and replaces it in time, message.c
 * shows it. A server: message.c reads what is shown, check.c looks into the token,
 * keys.c has the keys that it must be signed with. jwt.c and json.c serve both.
 * Everything may block and runs on the blocking pool, but for keep.c's timer. */
#ifndef OAUTH_H
#define OAUTH_H

#include <klamm/sasl.h>
#include <pthread.h>

#include "plugins/common/aws/aws.h"
#include "plugins/common/text.h"

/* Kafka's brokers take no longer message; the token is all but a little of it. */
#define OAUTH_TOKEN_MAX ((size_t)500 << 10)
/* Of a file with a token, a key or a template, and of a server's answer. */
#define OAUTH_FILE_MAX ((size_t)1 << 20)

struct oauth_conf {
	const char *endpoint, *retriever, *method, *grant;
	const char *scope, *client_id, *extensions;
	bool urlencode, unsecured;
	const char *assertion_file, *template_file, *key_file;
	int32_t algorithm; /* OAUTH_RS256, OAUTH_ES256 */
	const char *claim_aud, *claim_iss, *claim_sub;
	int32_t claim_exp, claim_nbf;
	bool claim_jti;
	const char *ca_file, *keystore;
	const char *cloud, *handler; /* whose service or keys give tokens */
	struct kl_aws_conf aws;

	int32_t connect_ms, read_ms;
	int64_t retry_ms, retry_max_ms;
	double refresh_factor, refresh_jitter;
	int32_t refresh_min, refresh_buffer;

	const char *scope_claim, *sub_claim;
	const char *jwks_url, *audiences, *issuer;
	bool any_audience, any_issuer;
	int32_t skew;
	int64_t jwks_refresh_ms, jwks_retry_ms, jwks_retry_max_ms;
};
enum { OAUTH_RS256, OAUTH_ES256 };

/* A token as its source gave it. Ends with kl_oauth_token_free(). */
struct oauth_token {
	struct kl_text value;
	/* "name=value\x01" each, of this token alone, on top of the configured ones. */
	struct kl_text extensions;
	struct kl_text subject;       /* for the log; may be empty */
	int64_t start_ms, expires_ms; /* since 1970; 0 = not known, and -1 = never */
};
void kl_oauth_token_free(struct oauth_token *token);
#define OAUTH_TOKEN_AUTO                                                               \
	__attribute__((cleanup(kl_oauth_token_free))) struct oauth_token

struct oauth;

/* Where tokens come from. */
struct oauth_source {
	const char *name; /* "the token server" */
	/* Blocks, no longer than the call may. token_out begins zeroed, and is freed by
	 * the caller either way. What may pass has a code that kl_oauth_may_pass()
	 * knows. */
	int (*fetch)(struct oauth *o, const struct klamm_call *call,
		     struct oauth_token *token_out, struct klamm_error *err);
};
extern const struct oauth_source kl_oauth_from_application, kl_oauth_from_file,
	kl_oauth_from_unsecured, kl_oauth_from_secret, kl_oauth_from_assertion,
	kl_oauth_from_bearer, kl_oauth_from_msk, kl_oauth_from_azure;

struct oauth_pair {
	char *name, *value; /* owned */
};

/* One per client, or per server. */
struct oauth {
	const struct klamm_host *host;
	const struct oauth_conf *conf;
	struct oauth_pair *options; /* sasl.oauthbearer.config */
	size_t option_count;
	struct kl_text extensions; /* of every message, "name=value\x01" each */

	/* --- a client --- */
	const struct oauth_source *source;
	struct kl_aws *aws; /* NULL: they are not Amazon's */
	struct klamm_timer
		*timer;        /* NULL: there was no token yet, or there is no loop */
	pthread_mutex_t mutex; /* guards the rest; held for no call that blocks */
	pthread_cond_t fetched;
	struct oauth_token token;
	unsigned round;  /* of fetching that is over */
	unsigned number; /* of the token */
	bool fetching, refreshing, doubted;
	struct klamm_error failed; /* the last round's; code 0 = it has not */

	/* --- a server --- */
	struct oauth_keys *keys; /* NULL: no key is known, nothing signed is taken */
	bool for_msk; /* tokens are Amazon's, and none else */
};

/* --- keep.c --- */

void kl_oauth_keep_begin(struct oauth *o);
void kl_oauth_keep_end(struct oauth *o);
/* A copy of a token that is good now. token_out begins zeroed. */
int kl_oauth_keep_get(struct oauth *o, const struct klamm_call *call,
		      struct oauth_token *token_out, unsigned *number_out,
		      struct klamm_error *err);
/* A broker does not take the token of that number: get another one before the next
 * try. */
void kl_oauth_keep_doubt(struct oauth *o, unsigned number);
/* When a token is to be replaced, in milliseconds since 1970, as Kafka's
 * ExpiringCredentialRefreshingLogin has it; chance: 0 to 1. */
int64_t kl_oauth_refresh_at(const struct oauth_conf *conf,
			    const struct oauth_token *token, int64_t now_ms,
			    double chance);
bool kl_oauth_may_pass(int code);

/* --- message.c --- */

/* The client's first message. */
int kl_oauth_put_message(const struct oauth *o, const struct oauth_token *token,
			 struct klamm_out *out, struct klamm_error *err);
/* What a client's first message says. Spans point into it; token is NULL on failure,
 * which is the return value in words. Must not hold a NUL behind its length: lengths
 * count. */
struct oauth_message {
	struct klamm_span authzid, token;
	size_t extensions;
};
const char *kl_oauth_read_message(const char *p, size_t n, struct oauth_message *out);
bool kl_oauth_is_token(const char *p, size_t n);
/* Appends "name=value\x01". CONFIG names what is wrong. */
int kl_oauth_add_extension(struct kl_text *to, struct klamm_span name,
			   struct klamm_span value, struct klamm_error *err);

/* --- options.c --- */

/* Parses sasl.oauthbearer.config and sasl.oauthbearer.extensions. CONFIG. */
int kl_oauth_read_options(struct oauth *o, struct klamm_error *err);
void kl_oauth_free_options(struct oauth *o);
const char *kl_oauth_option(const struct oauth *o,
			    const char *name); /* NULL: not set */
/* A secret that may be missing: *text_out is NULL then. Ends with secret_wipe(). */
int kl_oauth_secret(const struct klamm_host *host, const char *key, char **text_out,
		    struct klamm_error *err);
static inline bool oauth_is_set(const char *text)
{
	return text != NULL && text[0] != '\0';
}

/* --- azure.c --- */

/* Is it said what to ask the metadata service for? CONFIG. */
int kl_oauth_check_azure(const struct oauth *o, struct klamm_error *err);

/* --- file.c --- */

/* A whole file, what is blank around it left out. IO names it. */
int kl_oauth_read_file(const char *path, struct kl_text *to, struct klamm_error *err);
/* The path of a file: URL; NULL: it is none. */
const char *kl_oauth_file_of(const char *url);

/* --- token.c --- */

/* Looks into a token for who it is and how long it holds; expires_in: seconds that its
 * server said, 0 = nothing. AUTHENTICATION: it cannot be one, or has no end. */
int kl_oauth_inspect(const struct oauth *o, int64_t expires_in,
		     struct oauth_token *token, struct klamm_error *err);

/* --- assertion.c --- */

/* The assertion that is shown to a token server: from its file, or made and signed. */
int kl_oauth_make_assertion(const struct oauth *o, struct kl_text *to,
			    struct klamm_error *err);

#endif
