/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker's principal, from the name it was reached by. */
#ifndef GSSAPI_PRINCIPAL_H
#define GSSAPI_PRINCIPAL_H

#include "tickets.h"

/* What is set counts as it is: the whole name, or the domain as host part. Else krb5.conf
 * decides about the host where it has a dns_canonicalize_hostname; where it has not it is
 * Java's rule: DNS may complete a name (broker1 to broker1.example.com) and give an
 * address its name, but never replaces one by another. May block on DNS. */
int kl_gss_broker_name(krb5_context context, const struct kl_gss_service *service,
		       const char *host, krb5_principal *broker_out,
		       struct klamm_error *err);

#endif
