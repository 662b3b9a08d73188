/* SPDX-License-Identifier: BSD-2-Clause */
/* The dev broker behind TLS, and clients that ask it one thing. */
#ifndef ASK_H
#define ASK_H

#include "tests/client/certs.h"
#include "tests/client/world.h"

/* Fixtures: certificates, and a broker with one for localhost; one that wants clients' too. */
void ask_up(void);
void ask_up_mutual(void);
void ask_down(void);
/* Certificates alone; the broker is started by ask_start(). */
void ask_begin(void);
void ask_start(struct klamm_broker_options options);

/* The path of the CA's PEM. */
const char *ask_ca(void);
/* "key=value" in a buffer of its own. */
const char *ask_pair(const char *key, const char *value);

/* Make an admin client with security.protocol=SSL and these, and describe the cluster: 0 or
 * the error. */
int ask(struct klamm_error *err, const char *pair, ...) __attribute__((sentinel));
int ask_of(struct klamm_conf *conf, struct klamm_error *err); /* freed */
/* It works; it fails as TLS does, at once and with these words. */
#define ask_works(...)                                                                   \
	do {                                                                             \
		struct klamm_error why;                                                  \
		int rc = ask(&why, __VA_ARGS__, NULL);                                   \
		ck_assert_msg(rc == 0, "%s", why.text);                                  \
	} while (0)
#define ask_fails(words, ...)                                                            \
	do {                                                                             \
		struct klamm_error why;                                                  \
		int64_t begin = world_ms();                                              \
		int rc = ask(&why, __VA_ARGS__, NULL);                                   \
		ck_assert_msg(rc == KLAMM_ERR_TLS, "%d: %s", rc, rc != 0 ? why.text : "");  \
		ck_assert_msg(strstr(why.text, words) != NULL, "%s", why.text);          \
		ck_assert_int_eq(why.stage, KLAMM_STAGE_TLS);                            \
		ck_assert_ptr_nonnull(strstr(why.text, "bootstrap server "));            \
		ck_assert_int_lt(world_ms() - begin, 5000);                              \
	} while (0)
/* No client can be made: CONFIG, with these words. */
#define ask_refused(words, ...)                                                          \
	do {                                                                             \
		struct klamm_error why;                                                  \
		int rc = ask(&why, __VA_ARGS__, NULL);                                   \
		ck_assert_msg(rc == KLAMM_ERR_CONFIG, "%d: %s", rc, rc != 0 ? why.text : ""); \
		ck_assert_msg(strstr(why.text, words) != NULL, "%s", why.text);          \
	} while (0)

#endif
