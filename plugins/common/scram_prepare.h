/* SPDX-License-Identifier: BSD-2-Clause */
/* SASLprep (RFC 4013), of GNU Libidn, where this build has it.
 *
 * Kafka does without: its brokers and tools make keys of the bytes of a password as
 * they are. So it is an option, for whoever stores passwords as the RFC asks. */
#ifndef PLUGINS_SCRAM_PREPARE_H
#define PLUGINS_SCRAM_PREPARE_H

#include <klamm/host.h>
#include <stdlib.h>

#ifdef KLAMM_LIBIDN
#include <stringprep.h>
#endif

/* Prepared, these are as they were. */
static inline bool scram_is_plain(const char *text)
{
	while (*text >= ' ' && *text <= '~')
		text++;
	return *text == '\0';
}

#ifdef KLAMM_LIBIDN
static inline int scram_prepare(const char *text, bool is_password, const char *what,
				char **to, struct klamm_error *err)
{
	/* RFC 5802: of a password only characters that Unicode 3.2 has. */
	int rc = stringprep_profile(text, to, "SASLprep",
				    is_password ? STRINGPREP_NO_UNASSIGNED : 0);
	if (rc == STRINGPREP_MALLOC_ERROR)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (rc != STRINGPREP_OK)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "SASLprep does not take %s: %s", what,
				  stringprep_strerror(rc));
	if (**to != '\0')
		return 0;
	free(*to);
	return klamm_fail(err, KLAMM_ERR_CONFIG, "SASLprep leaves nothing of %s", what);
}
#else
static inline int scram_prepare(const char *text, bool is_password, const char *what,
				char **to, struct klamm_error *err)
{
	return klamm_fail(
		err, KLAMM_ERR_CONFIG,
		"%s has characters that SASLprep may change, and this build is "
		"without libidn: leave sasl.scram.saslprep out, or build klamm "
		"with libidn",
		what);
}
#endif

/* A copy as it is sent and hashed, from malloc. */
static inline int scram_prepared(const char *text, bool by_rfc, bool is_password,
				 char **to, struct klamm_error *err)
{
	const char *what = is_password ? "sasl.password" : "sasl.username";
	if (by_rfc && !scram_is_plain(text))
		return scram_prepare(text, is_password, what, to, err);
	*to = strdup(text);
	return *to != NULL ? 0 : klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
}

#endif
