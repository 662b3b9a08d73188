/* SPDX-License-Identifier: BSD-2-Clause */
/* What Kerberos and GSSAPI say when they fail, in a sentence with what to do. Any
 * thread. */
#ifndef GSSAPI_WORDS_H
#define GSSAPI_WORDS_H

#include <gssapi/gssapi.h>
#include <krb5.h>

#include <klamm/error.h>

/* what: "no ticket for alice@REALM". Fills err as klamm_fail() does and returns code. */
__attribute__((format(printf, 5, 6))) int
kl_gss_say_krb5(struct klamm_error *err, int code, krb5_context context,
		krb5_error_code why, const char *what, ...);
/* The same of a GSSAPI call. */
__attribute__((format(printf, 5, 6))) int kl_gss_say(struct klamm_error *err, int code,
						      OM_uint32 major, OM_uint32 minor,
						      const char *what, ...);

/* The KDC could not be asked, and may be reached later. */
bool kl_gss_is_passing(krb5_error_code why);

#endif
