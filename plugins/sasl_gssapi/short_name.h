/* SPDX-License-Identifier: BSD-2-Clause */
/* Pure, any thread. */
#ifndef GSSAPI_SHORT_NAME_H
#define GSSAPI_SHORT_NAME_H

#include <stdbool.h>
#include <stddef.h>

/* Who a client is to Kafka: auth_to_local's rule DEFAULT (KerberosShortNamer). The first
 * part of PRIMARY[/INSTANCE]@REALM, when the realm is realm. false: the rule does not
 * match, or it is no such name. */
bool kl_gss_short_name(const char *principal, size_t len, const char *realm,
		       size_t *len_out);

#endif
