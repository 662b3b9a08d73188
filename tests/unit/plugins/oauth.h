/* SPDX-License-Identifier: BSD-2-Clause */
/* The OAUTHBEARER plugin, compiled into its tests: opened with any settings, and tokens
 * to try on it. */
#ifndef TEST_OAUTH_H
#define TEST_OAUTH_H

#include "core/base/sink.h"
#include "plugins/sasl_oauthbearer/keys.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

extern const struct klamm_sasl_plugin klamm_sasl_oauthbearer;

/* One instance and one session at a time. */
struct oauth_bed {
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
	const struct klamm_host *api;
	bool is_open;
	void *session;
	struct kl_sink out;
	int32_t state;
	struct klamm_error err;
	char said[8192]; /* out, as a text */
};

/* loop may be NULL. */
void oauth_bed_init(struct oauth_bed *bed, struct klamm_loop *loop);
int oauth_bed_open(struct oauth_bed *bed, const char *role,
		   const struct setting *settings);
void oauth_bed_free(struct oauth_bed *bed);
#define CLIENT "sasl.mechanism"
#define SERVER "sasl.enabled.mechanisms"

/* A new session's first step; the answer is in said. */
int oauth_bed_begin(struct oauth_bed *bed);
int oauth_bed_step(struct oauth_bed *bed, const char *in, size_t len);
/* A server's session: who was identified, "" = nobody. */
const char *oauth_bed_identified(void);
int64_t oauth_bed_lifetime(void);
/* A user of it. */
#define OAUTH_KEY_ID "AKIDEXAMPLE"
#define OAUTH_SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
int oauth_bed_accept(struct oauth_bed *bed, const char *in, size_t len);

/* A key of this test run: "RS256" or "ES256"; its PEM and its JWK, id "k1". Static. */
const char *oauth_key_pem(const char *alg);
const char *oauth_key_jwk(const char *alg);
/* The PEM, encrypted; freed by the caller. */
char *oauth_locked_pem(const char *alg, const char *passphrase);
/* A token signed with it; freed by the caller. alg "none": not signed. */
char *oauth_sign(const char *alg, const char *header, const char *claims);
/* Seconds since 1970. */
long long oauth_now(void);
/* A file of this text; freed by the caller. */
char *oauth_file(const char *text);

#endif
