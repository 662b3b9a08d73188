/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/reach.h"

#include <sys/stat.h>

#define PEM_MAX ((size_t)16 << 20)

/* A text, and where it goes: nothing else of it stays. */
struct secret {
	const struct klamm_host *host;
	char *text; /* NULL: not set */
};

static void wipe(struct secret *secret)
{
	secret->host->secret_wipe(secret->host, secret->text);
}
#define SECRET_AUTO __attribute__((cleanup(wipe))) struct secret

static int read_secret(struct secret *secret, const char *key, struct klamm_error *err)
{
	int rc = kl_oauth_secret(secret->host, key, &secret->text, err);
	if (secret->text != NULL && secret->text[0] == '\0') {
		wipe(secret);
		secret->text = NULL;
	}
	return rc;
}

/* Appends the parts to *out, which is made when it is not there yet. */
static int add(const struct klamm_host *host, const struct klamm_store *store,
	       uint32_t parts, struct klamm_out **out, struct klamm_error *err)
{
	if (host->size <
	    offsetof(struct klamm_host, store_read) + sizeof(host->store_read))
		return klamm_fail(err, KLAMM_ERR_UNSUPPORTED,
				  "%s: this plugin is for a newer klamm", store->key);
	if (*out == NULL && host->out_new(host, PEM_MAX, out) != 0)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY,
				  "out of memory for certificates");
	if ((*out)->len > 0) /* the NUL behind what is there */
		(*out)->len--;
	return host->store_read(host, store, parts, *out, err);
}

/* --- whom to believe --- */

static bool is_folder(const char *path)
{
	struct stat it;
	return stat(path, &it) == 0 && S_ISDIR(it.st_mode);
}

static int read_ca(struct oauth_reach *reach, const struct oauth_conf *conf,
		   struct klamm_error *err)
{
	SECRET_AUTO pem = {reach->host};
	SECRET_AUTO password = {reach->host};
	struct klamm_store store = {
		.size = sizeof(store),
		.key = "https.ca.location",
		.file = conf->ca_file,
		.password_key = "https.ca.password",
	};
	int rc = read_secret(&pem, "https.ca.pem", err);
	if (rc == 0)
		rc = read_secret(&password, store.password_key, err);
	if (rc != 0)
		return rc;
	if (pem.text != NULL) {
		store.key = "https.ca.pem";
		store.file = NULL;
		store.text = pem.text;
	}
	store.password = password.text;
	if (store.text == NULL && (!oauth_is_set(store.file) || is_folder(store.file)))
		return 0;
	return add(reach->host, &store, KLAMM_STORE_CERTS, &reach->ca, err);
}

/* --- who the client is --- */

/* Java asks for one password of a store, and for the other of a key in PEM. */
static int read_password(struct secret *password, struct klamm_error *err)
{
	int rc = read_secret(password, "https.keystore.password", err);
	return rc == 0 && password->text == NULL
		       ? read_secret(password, "https.key.password", err)
		       : rc;
}

static int read_file(struct oauth_reach *reach, const char *file, struct klamm_error *err)
{
	SECRET_AUTO password = {reach->host};
	struct klamm_store store = {
		.size = sizeof(store),
		.key = "https.keystore.location",
		.file = file,
		.password_key = "https.keystore.password",
	};
	int rc = read_password(&password, err);
	store.password = password.text;
	return rc == 0 ? add(reach->host, &store, KLAMM_STORE_CERTS | KLAMM_STORE_KEY,
			     &reach->own, err)
		       : rc;
}

static int read_texts(struct oauth_reach *reach, const char *chain, struct klamm_error *err)
{
	SECRET_AUTO key = {reach->host};
	SECRET_AUTO password = {reach->host};
	struct klamm_store store = {
		.size = sizeof(store),
		.key = "https.keystore.certificate.chain",
		.text = chain,
		.password_key = "https.key.password",
	};
	int rc = read_secret(&key, "https.keystore.key", err);
	if (rc == 0)
		rc = read_password(&password, err);
	if (rc == 0)
		rc = add(reach->host, &store, KLAMM_STORE_CERTS, &reach->own, err);
	if (rc != 0)
		return rc;
	store.key = "https.keystore.key";
	store.text = key.text;
	store.password = password.text;
	return add(reach->host, &store, KLAMM_STORE_KEY, &reach->own, err);
}

static int read_own(struct oauth_reach *reach, const struct oauth_conf *conf,
		    struct klamm_error *err)
{
	SECRET_AUTO chain = {reach->host};
	int rc = read_secret(&chain, "https.keystore.certificate.chain", err);
	if (rc == 0 && chain.text != NULL)
		return read_texts(reach, chain.text, err);
	return rc == 0 && oauth_is_set(conf->keystore)
		       ? read_file(reach, conf->keystore, err)
		       : rc;
}

/* --- all of it --- */

int kl_oauth_reach_read(const struct klamm_host *host, const struct oauth_conf *conf,
			struct oauth_reach *reach_out, struct klamm_error *err)
{
	SECRET_AUTO proxy = {host};
	*reach_out = (struct oauth_reach){.host = host};
	int rc = read_ca(reach_out, conf, err);
	if (rc == 0)
		rc = read_own(reach_out, conf, err);
	if (rc == 0)
		rc = read_secret(&proxy, "https.proxy.url", err);
	reach_out->proxy = proxy.text;
	proxy.text = NULL;
	if (rc != 0)
		kl_oauth_reach_free(reach_out);
	return rc;
}

static void free_out(const struct klamm_host *host, struct klamm_out *out)
{
	if (out != NULL && out->data != NULL)
		host->wipe(host, out->data, out->cap);
	if (out != NULL)
		host->out_free(host, out);
}

void kl_oauth_reach_free(struct oauth_reach *reach)
{
	const struct klamm_host *host = reach->host;
	if (host == NULL)
		return;
	free_out(host, reach->ca);
	free_out(host, reach->own);
	host->secret_wipe(host, reach->proxy);
	*reach = (struct oauth_reach){0};
}

void kl_oauth_reach_apply(const struct oauth_reach *reach, const struct oauth_conf *conf,
			  struct kl_http_request *request)
{
	if (reach->ca != NULL)
		request->ca_pem = (const char *)reach->ca->data;
	else if (oauth_is_set(conf->ca_file))
		request->ca_folder = conf->ca_file;
	if (reach->own != NULL)
		request->own_pem = (const char *)reach->own->data;
	request->proxy = reach->proxy;
	request->proxy_of_environment = true;
}
