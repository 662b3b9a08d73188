/* SPDX-License-Identifier: BSD-2-Clause */
/* JKS, the format of Java's key stores before PKCS#12: a list of entries, and a digest of
 * all of it and the password. Trusted certificates stand in it as they are; private keys
 * are hidden by a method of its own, which is not read here. */
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/net/tls_store.h"

#define MAGIC      0xfeedfeedu
#define DIGEST     20 /* SHA-1 */
#define TAG_KEY    1
#define TAG_CERT   2
/* Of a password, beyond which none is meant. */
#define PASSWORD_MAX 1024

bool kl_jks_is(struct klamm_span bytes)
{
	return bytes.len >= 4 && kl_load_u32((const uint8_t *)bytes.data) == MAGIC;
}

/* The password as UTF-16 with the greater byte first; from UTF-8. */
static void put_utf16(struct kl_buf *to, const char *text)
{
	const uint8_t *p = (const uint8_t *)text;
	while (*p != '\0') {
		uint32_t c = *p++;
		int more = c < 0xc0 ? 0 : c < 0xe0 ? 1 : c < 0xf0 ? 2 : 3;
		if (more > 0)
			c &= 0x3fu >> more;
		for (; more > 0 && (*p & 0xc0) == 0x80; more--)
			c = c << 6 | (*p++ & 0x3f);
		if (c >= 0x10000) {
			c -= 0x10000;
			kl_buf_i16(to, (int16_t)(0xd800 | (c >> 10 & 0x3ff)));
			c = 0xdc00 | (c & 0x3ff);
		}
		kl_buf_i16(to, (int16_t)c);
	}
}

/* Whose the file is: SHA-1 of the password, a famous word, and everything before the
 * digest. */
static int check_digest(struct klamm_span bytes, const char *password,
			struct klamm_error *err)
{
	KL_AUTO(kl_wipe_buf) struct kl_buf salted = {.max = 4 * PASSWORD_MAX};
	put_utf16(&salted, password);
	kl_buf_put(&salted, "Mighty Aphrodite", 16);
	uint8_t digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool ok = md != NULL && !salted.failed && EVP_DigestInit_ex(md, EVP_sha1(), NULL) &&
		  EVP_DigestUpdate(md, salted.data, salted.len) &&
		  EVP_DigestUpdate(md, bytes.data, bytes.len - DIGEST) &&
		  EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	if (!ok)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (CRYPTO_memcmp(digest, (const char *)bytes.data + bytes.len - DIGEST, DIGEST) == 0)
		return 0;
	return kl_error(err, KLAMM_ERR_CONFIG,
			"the password is wrong, or the file was tampered with");
}

static void skip_text(struct kl_reader *r)
{
	kl_read(r, (uint16_t)kl_read_i16(r));
}

/* A certificate: its type from version 2 on, and its bytes. */
static const uint8_t *read_cert(struct kl_reader *r, uint32_t version, size_t *n_out)
{
	if (version == 2)
		skip_text(r);
	*n_out = kl_read_u32(r);
	return kl_read(r, *n_out);
}

static void skip_key(struct kl_reader *r, uint32_t version)
{
	size_t n = kl_read_u32(r);
	kl_read(r, n);
	uint32_t chain = kl_read_u32(r);
	for (uint32_t i = 0; i < chain && !r->failed; i++)
		read_cert(r, version, &n);
}

int kl_jks_read(struct klamm_span bytes, const char *password,
		bool (*fn)(void *arg, const uint8_t *der, size_t n), void *arg,
		uint32_t *keys_out, struct klamm_error *err)
{
	*keys_out = 0;
	if (bytes.len < 12 + DIGEST)
		return kl_error(err, KLAMM_ERR_CONFIG, "the file is cut");
	int rc = password != NULL ? check_digest(bytes, password, err) : 0;
	if (rc != 0)
		return rc;
	struct kl_reader r = kl_reader(bytes.data, bytes.len - DIGEST);
	uint32_t magic = kl_read_u32(&r), version = kl_read_u32(&r);
	if (magic != MAGIC || (version != 1 && version != 2))
		return kl_error(err, KLAMM_ERR_CONFIG, "it is no JKS of version 1 or 2");
	uint32_t count = kl_read_u32(&r);
	for (uint32_t i = 0; i < count && !r.failed; i++) {
		uint32_t tag = kl_read_u32(&r);
		skip_text(&r); /* the alias */
		kl_read_i64(&r); /* when it was made */
		if (tag == TAG_KEY) {
			skip_key(&r, version);
			++*keys_out;
			continue;
		}
		size_t n;
		const uint8_t *der = tag == TAG_CERT ? read_cert(&r, version, &n) : NULL;
		r.failed |= der == NULL;
		if (!r.failed && !fn(arg, der, n))
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	}
	if (r.failed || kl_reader_left(&r) > 0)
		return kl_error(err, KLAMM_ERR_CONFIG, "the file is damaged");
	return 0;
}
