/* SPDX-License-Identifier: BSD-2-Clause */
#include "words.h"

#include <errno.h>

#include <gssapi/gssapi_krb5.h>
#include <klamm/host.h>

#define WHAT_MAX 300

/* What to do about it; a code that is not here has words enough of its own. */
static const struct {
	krb5_error_code code;
	const char *advice;
} advices[] = {
	{KRB5KDC_ERR_C_PRINCIPAL_UNKNOWN,
	 "is sasl.kerberos.principal right?"},
	{KRB5KDC_ERR_S_PRINCIPAL_UNKNOWN,
	 "sasl.kerberos.service.name and the host, or sasl.kerberos.domain.name, must be "
	 "those of the broker's keytab"},
	{KRB5KDC_ERR_PREAUTH_FAILED,
	 "the keytab's key is not the one that the KDC has: write the keytab anew"},
	{KRB5KRB_AP_ERR_BAD_INTEGRITY,
	 "the keytab's key is not the one that the KDC has: write the keytab anew"},
	{KRB5KRB_AP_ERR_MODIFIED,
	 "the broker's keytab has another key than the KDC for it: write that anew"},
	{KRB5_KT_NOTFOUND,
	 "klist -k shows which principals the keytab has keys for"},
	{KRB5KRB_AP_ERR_SKEW,
	 "the clocks of this machine, the broker and the KDC must agree to within five "
	 "minutes"},
	{KRB5KRB_AP_ERR_TKT_EXPIRED, "a new ticket is needed: kinit, or a keytab"},
	{KRB5KRB_AP_ERR_TKT_NYV, "the clocks of this machine and the KDC differ"},
	{KRB5_KDC_UNREACH, "is it running, and does krb5.conf name it right?"},
	{KRB5_REALM_UNKNOWN, "krb5.conf does not say where the KDC of that realm is"},
	{KRB5_REALM_CANT_RESOLVE,
	 "the KDC that krb5.conf names for that realm has no address"},
	{KRB5_CONFIG_NODEFREALM,
	 "krb5.conf has no default_realm, and the principal no @REALM"},
	{KRB5KDC_ERR_NAME_EXP, "the client's entry in the KDC has expired"},
	{KRB5KDC_ERR_KEY_EXP,
	 "the client's password or key has expired: change it, and write the keytab "
	 "anew"},
	{KRB5KDC_ERR_CLIENT_REVOKED, "the client is locked or disabled in the KDC"},
	{KRB5KDC_ERR_ETYPE_NOSUPP,
	 "the KDC and this client, or its keytab, have no encryption type in common"},
	{KRB5_FCC_NOFILE, "kinit makes one; or set sasl.kerberos.keytab"},
	{KRB5_CC_NOTFOUND, "kinit makes one; or set sasl.kerberos.keytab"},
	{KRB5_FCC_PERM, "this user may not read the file"},
	{ENOENT, "is the path right?"},
	{EACCES, "this user may not read the file"},
};

static const char *advice_for(krb5_error_code code)
{
	for (size_t i = 0; i < sizeof(advices) / sizeof(advices[0]); i++)
		if (advices[i].code == code)
			return advices[i].advice;
	return NULL;
}

/* "what: words; advice" */
static int say(struct klamm_error *err, int code, const char *what, const char *words,
	       krb5_error_code why)
{
	const char *advice = advice_for(why);
	size_t n = strlen(words);
	while (n > 0 && strchr(". \n", words[n - 1]) != NULL)
		n--;
	return klamm_fail(err, code, "%s: %.*s%s%s", what, (int)n, words,
			  advice != NULL ? "; " : "", advice != NULL ? advice : "");
}

int kl_gss_say_krb5(struct klamm_error *err, int code, krb5_context context,
		    krb5_error_code why, const char *what, ...)
{
	char text[WHAT_MAX];
	va_list args;
	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (why == ENOMEM)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", text);
	const char *words = krb5_get_error_message(context, why);
	say(err, code, text, words, why);
	krb5_free_error_message(context, words);
	return code;
}

/* The words for a status, several sentences long when GSSAPI has several. */
static size_t add_status(char *to, size_t room, OM_uint32 status, int type)
{
	OM_uint32 minor, more = 0;
	size_t len = 0;
	do {
		gss_buffer_desc words = GSS_C_EMPTY_BUFFER;
		if (gss_display_status(&minor, status, type,
				       (gss_OID)gss_mech_krb5, &more, &words) !=
		    GSS_S_COMPLETE)
			break;
		int n = snprintf(to + len, room - len, "%s%.*s", len > 0 ? ", " : "",
				 (int)words.length, (const char *)words.value);
		gss_release_buffer(&minor, &words);
		if (n < 0 || (size_t)n >= room - len)
			return room - 1;
		len += (size_t)n;
	} while (more != 0);
	return len;
}

int kl_gss_say(struct klamm_error *err, int code, OM_uint32 major, OM_uint32 minor,
	       const char *what, ...)
{
	char text[WHAT_MAX], words[WHAT_MAX] = "";
	va_list args;
	va_start(args, what);
	vsnprintf(text, sizeof(text), what, args);
	va_end(args);
	if (minor == ENOMEM)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", text);
	/* GSS_S_FAILURE says no more than that it failed; the minor status says why. */
	size_t len = 0;
	if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE || minor == 0)
		len = add_status(words, sizeof(words), major, GSS_C_GSS_CODE);
	if (minor != 0) {
		if (len > 0 && len + 2 < sizeof(words))
			len += (size_t)snprintf(words + len, sizeof(words) - len, ": ");
		add_status(words + len, sizeof(words) - len, minor, GSS_C_MECH_CODE);
	}
	return say(err, code, text, words, (krb5_error_code)minor);
}

bool kl_gss_is_passing(krb5_error_code why)
{
	switch (why) {
	case KRB5_KDC_UNREACH:
	case KRB5_REALM_CANT_RESOLVE:
	case KRB5KDC_ERR_SVC_UNAVAILABLE:
	case KRB5KRB_AP_ERR_TKT_NYV:
	case KRB5KRB_AP_ERR_REPEAT:
	case ETIMEDOUT:
	case ECONNREFUSED:
	case ENETUNREACH:
	case EHOSTUNREACH:
		return true;
	default:
		return false;
	}
}
