/* SPDX-License-Identifier: BSD-2-Clause */
/* Certificates and keys of any store for plugins, which get them as PEM. Any thread. */
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/host.h"
#include "core/net/tls_store.h"

#define FILE_MAX ((size_t)16 << 20)

static int out_of_memory(struct klamm_error *err)
{
	ERR_clear_error();
	return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for certificates");
}

/* --- what is in it --- */

static int read_parts(const struct kl_place *place, struct klamm_span bytes, uint32_t parts,
		      struct kl_certs *certs, struct klamm_error *err)
{
	int rc = kl_store_read(place, bytes, certs, err);
	if (rc != 0)
		return rc;
	if ((parts & KLAMM_STORE_CERTS) && certs->own == NULL &&
	    sk_X509_num(certs->others) == 0)
		return kl_place_error(place, err,
				      "there is no certificate in it (PEM begins with "
				      "-----BEGIN CERTIFICATE-----)");
	bool is_pem = memmem(bytes.data, bytes.len, "-----BEGIN ", 11) != NULL;
	if (!(parts & KLAMM_STORE_KEY) || certs->key != NULL)
		return 0;
	return is_pem ? kl_store_read_key(place, bytes, &certs->key, err)
		      : kl_place_error(place, err, "there is no private key in it");
}

static int read_file(const struct kl_place *place, struct kl_os *os, uint32_t parts,
		     struct kl_certs *certs, struct klamm_error *err)
{
	char *data;
	size_t len;
	int rc = kl_os_read_file(os, place->file, FILE_MAX, &data, &len);
	if (rc == -ENOMEM)
		return out_of_memory(err);
	if (rc < 0)
		return kl_place_error(place, err, "%s", strerror(-rc));
	rc = read_parts(place, (struct klamm_span){data, len}, parts, certs, err);
	OPENSSL_cleanse(data, len);
	free(data);
	return rc;
}

static int read_text(const struct kl_place *place, uint32_t parts, struct kl_certs *certs,
		     struct klamm_error *err)
{
	struct kl_buf text = {.is_secret = true};
	kl_pem_unfold(place->text, &text);
	int rc = text.failed ? out_of_memory(err)
			     : read_parts(place, (struct klamm_span){text.data, text.len},
					  parts, certs, err);
	kl_wipe_buf(&text);
	return rc;
}

/* --- as PEM --- */

/* Such a BIO wipes what it lets go of. */
static bool write_pem(const struct kl_certs *certs, uint32_t parts, BIO *to)
{
	bool ok = true;
	if ((parts & KLAMM_STORE_CERTS) && certs->own != NULL)
		ok = PEM_write_bio_X509(to, certs->own);
	for (int i = 0; ok && (parts & KLAMM_STORE_CERTS) && i < sk_X509_num(certs->others);
	     i++)
		ok = PEM_write_bio_X509(to, sk_X509_value(certs->others, i));
	if (ok && (parts & KLAMM_STORE_KEY))
		ok = PEM_write_bio_PrivateKey(to, certs->key, NULL, NULL, 0, NULL, NULL);
	return ok && BIO_write(to, "", 1) == 1;
}

/* At once: growing would leave copies behind. */
static int put_pem(const struct kl_certs *certs, uint32_t parts, struct klamm_out *pem_out,
		   struct klamm_error *err)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *text;
	int rc = 0;
	if (bio == NULL || !write_pem(certs, parts, bio)) {
		rc = out_of_memory(err);
	} else {
		size_t n = (size_t)BIO_get_mem_data(bio, &text);
		if (klamm_out_append(pem_out, text, n) != 0)
			rc = klamm_out_error(pem_out, n, err);
	}
	BIO_free(bio);
	return rc;
}

int kl_host_store_read(struct kl_os *os, const struct klamm_store *store, uint32_t parts,
		       struct klamm_out *pem_out, struct klamm_error *err)
{
	struct kl_certs certs = {0};
	const struct kl_place place = {
		.key = store->key,
		.file = store->file,
		.text = store->text,
		.type = KL_STORE_ANY,
		.password = store->password,
		.password_key = store->password_key,
	};
	if (!kl_place_is_set(&place))
		return kl_error(err, KLAMM_ERR_CONFIG, "%s is not set", store->key);
	int rc = store->file != NULL ? read_file(&place, os, parts, &certs, err)
				     : read_text(&place, parts, &certs, err);
	if (rc == 0)
		rc = put_pem(&certs, parts, pem_out, err);
	kl_certs_free(&certs);
	return rc;
}
