/* SPDX-License-Identifier: BSD-2-Clause */
/* What SCRAM computes (RFC 5802, section 3), on OpenSSL. Nothing here keeps a secret:
 * what a caller got it wipes. */
#ifndef PLUGINS_SCRAM_CRYPT_H
#define PLUGINS_SCRAM_CRYPT_H

#include <klamm/host.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#define SCRAM_HASH_MAX 64 /* of SHA-512 */

/* Fewer make a password cheap to guess for whoever overhears, so a broker that asks for
 * fewer is not answered (RFC 7677, section 4, and Kafka). More cost a client without
 * end: Kafka's own brokers store 16,384 at most, and this many take a second. */
#define SCRAM_ITERATIONS_MIN 4096
#define SCRAM_ITERATIONS_MAX 1000000

struct scram_hash {
	const char *mechanism;
	const EVP_MD *(*md)(void);
	size_t len;
};

/* What a server stores, and what a client makes of its password. */
struct scram_keys {
	uint8_t client[SCRAM_HASH_MAX]; /* secret, as is */
	uint8_t server[SCRAM_HASH_MAX]; /* this */
	uint8_t stored[SCRAM_HASH_MAX];
};

static inline bool scram_hmac(const struct scram_hash *hash, const uint8_t *key,
			      const void *text, size_t len, uint8_t *to)
{
	return HMAC(hash->md(), key, (int)hash->len, text, len, to, NULL) != NULL;
}

static inline bool scram_digest(const struct scram_hash *hash, const uint8_t *p,
				uint8_t *to)
{
	return EVP_Digest(p, hash->len, to, NULL, hash->md(), NULL) == 1;
}

static inline void scram_xor(const struct scram_hash *hash, const uint8_t *a,
			     const uint8_t *b, uint8_t *to)
{
	for (size_t i = 0; i < hash->len; i++)
		to[i] = a[i] ^ b[i];
}

static inline void scram_wipe_keys(struct scram_keys *keys)
{
	OPENSSL_cleanse(keys, sizeof(*keys));
}

/* Hi(), and the keys made of it. false: out of memory. */
static inline bool scram_derive(const struct scram_hash *hash, const char *password,
				struct klamm_span salt, int iterations,
				struct scram_keys *keys)
{
	static const char client[] = "Client Key", server[] = "Server Key";
	uint8_t salted[SCRAM_HASH_MAX];
	bool ok = PKCS5_PBKDF2_HMAC(password, (int)strlen(password), salt.data,
				    (int)salt.len, iterations, hash->md(),
				    (int)hash->len, salted) == 1 &&
		  scram_hmac(hash, salted, client, sizeof(client) - 1, keys->client) &&
		  scram_hmac(hash, salted, server, sizeof(server) - 1, keys->server) &&
		  scram_digest(hash, keys->client, keys->stored);
	OPENSSL_cleanse(salted, sizeof(salted));
	return ok;
}

/* The client's proof and the server's signature over what both have said. */
static inline bool scram_prove(const struct scram_hash *hash,
			       const struct scram_keys *keys, const void *said,
			       size_t len, uint8_t *proof, uint8_t *signature)
{
	bool ok = scram_hmac(hash, keys->stored, said, len, proof) &&
		  scram_hmac(hash, keys->server, said, len, signature);
	scram_xor(hash, keys->client, proof, proof);
	return ok;
}

/* Does a proof come from the password that the stored key was made of? */
static inline bool scram_verify(const struct scram_hash *hash, const uint8_t *stored,
				const void *said, size_t len, const uint8_t *proof)
{
	uint8_t key[SCRAM_HASH_MAX] = {0}, digest[SCRAM_HASH_MAX] = {0};
	bool ok = scram_hmac(hash, stored, said, len, key);
	scram_xor(hash, key, proof, key);
	ok = ok && scram_digest(hash, key, digest) &&
	     CRYPTO_memcmp(digest, stored, hash->len) == 0;
	OPENSSL_cleanse(key, sizeof(key));
	return ok;
}

/* --- base64 --- */

#define SCRAM_BASE64(n) (((n) + 2) / 3 * 4)

/* to has room for SCRAM_BASE64(n) + 1 bytes. */
static inline size_t scram_base64(const void *p, size_t n, char *to)
{
	return (size_t)EVP_EncodeBlock((uint8_t *)to, p, (int)n);
}

/* The bytes behind a text, which is the only one for them: no white space, no other
 * padding. -1: it is none, or is of more than max bytes, for which to has room. */
static inline ptrdiff_t scram_unbase64(struct klamm_span text, uint8_t *to, size_t max)
{
	const uint8_t *p = text.data;
	size_t n = text.len;
	if (n == 0 || n % 4 != 0 || n / 4 > (max + 2) / 3)
		return -1;
	/* OpenSSL writes three bytes for the last four letters, whatever they hold. */
	uint8_t last[3];
	char again[5];
	size_t whole = (n - 4) / 4 * 3,
	       rest = 3u - (p[n - 1] == '=') - (p[n - 2] == '=');
	if (whole + rest > max || memchr(p, '=', n - 4) != NULL ||
	    EVP_DecodeBlock(last, p + n - 4, 4) != 3 ||
	    (n > 4 && EVP_DecodeBlock(to, p, (int)n - 4) != (int)whole))
		return -1;
	memcpy(to + whole, last, rest);
	scram_base64(last, rest, again);
	return memcmp(again, p + n - 4, 4) == 0 ? (ptrdiff_t)(whole + rest) : -1;
}

#endif
