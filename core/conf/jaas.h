/* SPDX-License-Identifier: BSD-2-Clause */
/* sasl.jaas.config, the line in which Java's clients keep their credentials:
 *
 *	org.apache.kafka.common.security.plain.PlainLoginModule required
 *	    username="alice" password="secret";
 *
 * What a login module's options say becomes the value of the keys that stand for them
 * here, unless those were set themselves. Every mechanism's module is a row in jaas.c.
 * Everything in it may be secret: it is wiped, and no sentence quotes it. Any thread.
 */
#ifndef KL_JAAS_H
#define KL_JAAS_H

#include "core/base/buf.h"

struct klamm_conf;

#define KL_JAAS_KEY     "sasl.jaas.config"
#define KL_JAAS_OPTIONS 32

struct kl_jaas {
	char *module; /* the class, with its package */
	size_t count;
	struct kl_jaas_option {
		char *name, *value;
	} options[KL_JAAS_OPTIONS];
};

/* One module, its control flag and options, as Kafka's JaasConfig reads them. false
 * says why; *why with failed set: out of memory. Ends with kl_jaas_free() either way.
 */
bool kl_jaas_parse(const char *text, struct kl_jaas *jaas_out, struct kl_buf *why);
void kl_jaas_free(struct kl_jaas *jaas);

/* What the module says about a key of klamm's ("sasl.username"), appended to out, which is
 * to be wiped; out->failed: out of memory. false: nothing. Options that are not known one by
 * one stand in one key, "NAME=VALUE NAME=VALUE", with a backslash before blanks and
 * backslashes. */
bool kl_jaas_value(const struct kl_jaas *jaas, const char *key, struct kl_buf *out);

/* Bring conf->derived up to date. NO_MEMORY. */
int kl_jaas_derive(struct klamm_conf *conf);

#endif
