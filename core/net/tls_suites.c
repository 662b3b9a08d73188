/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/tls_suites.h"

#include <openssl/err.h>
#include <strings.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/* 0 = one that is too old; -1 = none. */
static int version_of(const char *name)
{
	static const struct {
		const char *name;
		int version;
	} versions[] = {
		{"TLSv1.3", TLS1_3_VERSION}, {"TLSv1.2", TLS1_2_VERSION}, {"TLSv1.1", 0},
		{"TLSv1", 0},		     {"SSLv3", 0},		  {"SSLv2Hello", 0},
	};
	for (size_t i = 0; i < kl_countof(versions); i++)
		if (strcasecmp(versions[i].name, name) == 0)
			return versions[i].version;
	return -1;
}

int kl_tls_set_protocols(SSL_CTX *ctx, const struct kl_strlist *names,
			 const struct kl_log *log, struct klamm_error *err)
{
	int min = 0, max = 0;
	for (size_t i = 0; i < names->n; i++) {
		int version = version_of(names->v[i]);
		if (version < 0)
			return kl_error(err, KLAMM_ERR_CONFIG,
					"ssl.enabled.protocols: there is no %.40s; TLSv1.2 "
					"and TLSv1.3 are known",
					names->v[i]);
		if (version == 0) {
			kl_log(log, KL_LOG_WARN, "tls",
			       "ssl.enabled.protocols: %s is left out, it is not safe",
			       names->v[i]);
			continue;
		}
		min = min == 0 ? version : kl_min(min, version);
		max = kl_max(max, version);
	}
	if (names->n > 0 && min == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"ssl.enabled.protocols: nothing below TLSv1.2 is spoken");
	SSL_CTX_set_min_proto_version(ctx, min == 0 ? TLS1_2_VERSION : min);
	SSL_CTX_set_max_proto_version(ctx, max);
	return 0;
}

static void put_name(struct kl_buf *to, const char *name)
{
	kl_buf_printf(to, "%s%s", to->len > 0 ? ":" : "", name);
}

/* TLS 1.3 has suites of its own, whose names say nothing of a key exchange. */
static bool is_13(const char *name)
{
	return strncmp(name, "TLS_", 4) == 0 && strstr(name, "_WITH_") == NULL;
}

/* OpenSSL's name of a suite of TLS 1.2; NULL: it has none of that name. */
static const char *cipher_of(const char *name)
{
	const char *known = OPENSSL_cipher_name(name);
	return known != NULL && strcmp(known, "(NONE)") != 0 ? known : NULL;
}

/* Java's names list all suites there are for both versions: a version without any is out.
 * OpenSSL's notation is about TLS 1.2 alone. */
static int apply(SSL_CTX *ctx, struct kl_buf *old, struct kl_buf *new, bool is_notation,
		 struct klamm_error *err)
{
	bool ok = true;
	if (old->len > 0)
		ok = SSL_CTX_set_cipher_list(ctx, kl_buf_text(old));
	else
		SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
	if (ok && new->len > 0)
		ok = SSL_CTX_set_ciphersuites(ctx, kl_buf_text(new));
	else if (ok && !is_notation)
		SSL_CTX_set_max_proto_version(ctx, TLS1_2_VERSION);
	ERR_clear_error();
	int max = (int)SSL_CTX_get_max_proto_version(ctx);
	if (ok && max != 0 && max < SSL_CTX_get_min_proto_version(ctx))
		return kl_error(err, KLAMM_ERR_CONFIG,
				"ssl.cipher.suites: none of them is for a version of "
				"ssl.enabled.protocols");
	if (old->failed || new->failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for TLS");
	return ok ? 0
		  : kl_error(err, KLAMM_ERR_CONFIG,
			     "ssl.cipher.suites: OpenSSL knows none of them, or not this "
			     "notation (\"openssl ciphers -stdname\" lists them)");
}

int kl_tls_set_suites(SSL_CTX *ctx, const struct kl_strlist *names, const struct kl_log *log,
		      struct klamm_error *err)
{
	if (names->n == 0)
		return 0;
	KL_AUTO(kl_buf_free) struct kl_buf old = {0}, new = {0};
	bool is_notation = false;
	for (size_t i = 0; i < names->n; i++) {
		const char *name = names->v[i], *cipher = cipher_of(name);
		if (is_13(name)) {
			put_name(&new, name);
		} else if (cipher != NULL) {
			put_name(&old, cipher);
		} else if (strncmp(name, "TLS_", 4) == 0 || strncmp(name, "SSL_", 4) == 0) {
			kl_log(log, KL_LOG_INFO, "tls",
			       "ssl.cipher.suites: OpenSSL does not have %s", name);
		} else {
			put_name(&old, name);
			is_notation = true;
		}
	}
	if (old.len + new.len == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"ssl.cipher.suites: OpenSSL knows none of them (\"openssl "
				"ciphers -stdname\" lists them)");
	return apply(ctx, &old, &new, is_notation, err);
}
