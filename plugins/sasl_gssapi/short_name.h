/* SPDX-License-Identifier: BSD-2-Clause */
/* Who a client is to Kafka: sasl.kerberos.principal.to.local.rules, as Kafka's
 * KerberosShortNamer takes them. Of PRIMARY[/INSTANCE]@REALM the rule DEFAULT makes PRIMARY
 * when the realm is the default one; RULE:[PARTS:FORMAT](PATTERN)s/FROM/TO/g/L makes a name
 * of the parts, if it has so many and the whole of it matches, and changes that. The first
 * rule that applies counts. */
#ifndef GSSAPI_SHORT_NAME_H
#define GSSAPI_SHORT_NAME_H

#include <klamm/host.h>

#include "plugins/common/text.h"

struct kl_gss_rules;

/* Rules with commas between them; NULL or empty: DEFAULT. Constant from then on, any
 * thread. CONFIG names the rule that is none; NO_MEMORY. */
int kl_gss_rules_new(const char *list, struct kl_gss_rules **rules_out,
		     struct klamm_error *err);
void kl_gss_rules_free(struct kl_gss_rules *rules); /* NULL is fine */

/* NULL, and the name is in *user, which begins empty; or why there is none. */
const char *kl_gss_rules_apply(const struct kl_gss_rules *rules, const char *principal,
			       size_t len, const char *realm, struct kl_text *user);

#endif
