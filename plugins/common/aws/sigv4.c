/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/common/aws/sigv4.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <time.h>

#define HASH       32
#define DAY        8 /* of a time: "20210818" */
#define TERMINATOR "aws4_request"

/* --- time --- */

void kl_aws_time(int64_t wall_ms, char to[static KL_AWS_TIME])
{
	time_t seconds = (time_t)(wall_ms / 1000);
	struct tm tm;
	if (gmtime_r(&seconds, &tm) == NULL ||
	    strftime(to, KL_AWS_TIME, "%Y%m%dT%H%M%SZ", &tm) != KL_AWS_TIME - 1)
		strcpy(to, "19700101T000000Z");
}

bool kl_aws_time_read(const char *text, int64_t *wall_ms_out)
{
	struct tm tm = {0};
	char again[KL_AWS_TIME];
	const char *end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
	if (end == NULL || *end != '\0')
		return false;
	*wall_ms_out = (int64_t)timegm(&tm) * 1000;
	/* It takes blanks, and the 31st of February. */
	kl_aws_time(*wall_ms_out, again);
	return strcmp(again, text) == 0;
}

/* --- the canonical form --- */

/* Names and values in one text, each with its NUL. */
struct entries {
	struct kl_text text;
	size_t count;
	bool too_many;
	struct entry {
		size_t name, value;
		size_t order;
	} v[KL_AWS_PAIRS + 8];
};

static void free_entries(struct entries *e)
{
	kl_text_free(&e->text);
}
#define ENTRIES_AUTO __attribute__((cleanup(free_entries))) struct entries

static void put_encoded(struct kl_text *to, const char *text, bool keep_slash)
{
	for (const unsigned char *p = (const unsigned char *)text; *p != '\0'; p++) {
		if ((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		    (*p >= '0' && *p <= '9') || strchr("-._~", *p) != NULL ||
		    (keep_slash && *p == '/'))
			kl_text_char(to, (char)*p);
		else
			kl_text_printf(to, "%%%02X", *p);
	}
}

void kl_aws_put_encoded(struct kl_text *to, const char *text)
{
	put_encoded(to, text, false);
}

/* Names in lower case; of values what is around them goes, and of blanks inside one
 * stays. */
static void put_lower(struct kl_text *to, const char *text)
{
	for (; *text != '\0'; text++)
		kl_text_char(to,
			     (char)(*text >= 'A' && *text <= 'Z' ? *text + 32 : *text));
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static void put_trimmed(struct kl_text *to, const char *text)
{
	bool begun = false, blank = false;
	for (; *text != '\0'; text++) {
		if (is_blank(*text)) {
			blank = true;
			continue;
		}
		if (blank && begun)
			kl_text_char(to, ' ');
		kl_text_char(to, *text);
		begun = true;
		blank = false;
	}
}

static void add_entry(struct entries *e, const char *name, const char *value,
		      bool is_header)
{
	if (e->count == sizeof(e->v) / sizeof(e->v[0])) {
		e->too_many = true;
		return;
	}
	struct entry *entry = &e->v[e->count];
	entry->order = e->count++;
	entry->name = e->text.len;
	(is_header ? put_lower : kl_aws_put_encoded)(&e->text, name);
	kl_text_char(&e->text, '\0');
	entry->value = e->text.len;
	(is_header ? put_trimmed : kl_aws_put_encoded)(&e->text, value);
	kl_text_char(&e->text, '\0');
}

static int by_name_and_value(const void *a, const void *b, void *text)
{
	const struct entry *x = a, *y = b;
	const char *base = text;
	int order = strcmp(base + x->name, base + y->name);
	return order != 0 ? order : strcmp(base + x->value, base + y->value);
}

static int by_name(const void *a, const void *b, void *text)
{
	const struct entry *x = a, *y = b;
	const char *base = text;
	int order = strcmp(base + x->name, base + y->name);
	return order != 0 ? order : x->order < y->order ? -1 : 1;
}

static int sort_entries(struct entries *e, bool are_headers, struct klamm_error *err)
{
	if (e->text.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (e->too_many)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "more than %d of one sort",
				  KL_AWS_PAIRS);
	qsort_r(e->v, e->count, sizeof(e->v[0]),
		are_headers ? by_name : by_name_and_value, e->text.p);
	return 0;
}

static const char *name_at(const struct entries *e, size_t i)
{
	return e->text.p + e->v[i].name;
}

static bool is_same_as_before(const struct entries *e, size_t i)
{
	return i > 0 && strcmp(name_at(e, i - 1), name_at(e, i)) == 0;
}

/* Without "//", "." and "..". */
static void put_normal_path(struct kl_text *to, const char *path)
{
	KL_TEXT_AUTO kept = {0};
	bool is_folder = true;
	while (*path != '\0') {
		size_t n = strcspn(path, "/");
		is_folder = path[n] == '/' || n == 0;
		if (n == 2 && path[0] == '.' && path[1] == '.') {
			while (kept.len > 0 && kept.p[--kept.len] != '/')
				;
			is_folder = true;
		} else if (n == 1 && path[0] == '.') {
			is_folder = true;
		} else if (n > 0) {
			kl_text_char(&kept, '/');
			kl_text_put(&kept, path, n);
		}
		path += n + (path[n] == '/');
	}
	if (is_folder)
		kl_text_char(&kept, '/');
	if (kept.p != NULL)
		kept.p[kept.len] = '\0';
	to->failed |= kept.failed;
	put_encoded(to, kl_text_get(&kept), true);
}

static void put_query(struct kl_text *to, const struct entries *query)
{
	for (size_t i = 0; i < query->count; i++)
		kl_text_printf(to, "%s%s=%s", i > 0 ? "&" : "", name_at(query, i),
			       query->text.p + query->v[i].value);
}

static void put_headers(struct kl_text *to, const struct entries *headers)
{
	for (size_t i = 0; i < headers->count; i++) {
		if (is_same_as_before(headers, i))
			kl_text_char(to, ',');
		else
			kl_text_printf(to, "%s%s:", i > 0 ? "\n" : "",
				       name_at(headers, i));
		kl_text_add(to, headers->text.p + headers->v[i].value);
	}
	kl_text_char(to, '\n');
}

static void put_header_names(struct kl_text *to, const struct entries *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		if (!is_same_as_before(headers, i))
			kl_text_printf(to, "%s%s", i > 0 ? ";" : "",
				       name_at(headers, i));
}

static void take_headers(struct entries *e, const struct kl_aws_request *request)
{
	for (size_t i = 0; i < request->header_count; i++)
		add_entry(e, request->headers[i].name, request->headers[i].value, true);
}

/* "host;x-amz-date" */
static int put_signed_headers(struct kl_text *to, const struct kl_aws_request *request,
			      struct klamm_error *err)
{
	ENTRIES_AUTO headers = {0};
	take_headers(&headers, request);
	int rc = sort_entries(&headers, true, err);
	if (rc == 0)
		put_header_names(to, &headers);
	return rc;
}

/* --- hashes --- */

static void put_hex(struct kl_text *to, const uint8_t hash[static HASH])
{
	for (int i = 0; i < HASH; i++)
		kl_text_printf(to, "%02x", hash[i]);
}

static bool put_hash(struct kl_text *to, const void *p, size_t n)
{
	uint8_t hash[HASH];
	if (EVP_Digest(p, n, hash, NULL, EVP_sha256(), NULL) != 1)
		return false;
	put_hex(to, hash);
	return true;
}

static bool hmac(const void *key, size_t key_len, const char *text, size_t n,
		 uint8_t out[static HASH])
{
	return HMAC(EVP_sha256(), key, (int)key_len, (const uint8_t *)text, n, out,
		    NULL) != NULL;
}

/* The key of a day, a region and a service. */
static bool derive_key(const struct kl_aws_signer *signer, uint8_t key[static HASH])
{
	KL_TEXT_AUTO first = {0};
	/* At once, so that growing leaves no copy. */
	if (!kl_text_reserve(&first, 4 + strlen(signer->secret)))
		return false;
	kl_text_add(&first, "AWS4");
	kl_text_add(&first, signer->secret);
	return hmac(first.p, first.len, signer->time, DAY, key) &&
	       hmac(key, HASH, signer->region, strlen(signer->region), key) &&
	       hmac(key, HASH, signer->service, strlen(signer->service), key) &&
	       hmac(key, HASH, TERMINATOR, strlen(TERMINATOR), key);
}

void kl_aws_put_scope(struct kl_text *to, const struct kl_aws_signer *signer)
{
	kl_text_printf(to, "%.*s/%s/%s/" TERMINATOR, DAY, signer->time, signer->region,
		       signer->service);
}

static int sign(const struct kl_aws_signer *signer, const char *canonical, size_t len,
		char signature_out[static KL_AWS_SIGNATURE], struct klamm_error *err)
{
	KL_TEXT_AUTO text = {0};
	KL_TEXT_AUTO signature = {0};
	uint8_t key[HASH], hash[HASH];
	kl_text_printf(&text, KL_AWS_ALGORITHM "\n%s\n", signer->time);
	kl_aws_put_scope(&text, signer);
	kl_text_char(&text, '\n');
	bool ok = put_hash(&text, canonical, len) && !text.failed &&
		  derive_key(signer, key) && hmac(key, HASH, text.p, text.len, hash);
	explicit_bzero(key, sizeof(key));
	if (ok)
		put_hex(&signature, hash);
	if (!ok || signature.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	memcpy(signature_out, signature.p, KL_AWS_SIGNATURE);
	return 0;
}

/* --- both together --- */

static int sign_request(const struct kl_aws_signer *signer,
			const struct kl_aws_request *request, struct entries *query,
			struct entries *headers,
			char signature_out[static KL_AWS_SIGNATURE],
			struct klamm_error *err)
{
	KL_TEXT_AUTO text = {0};
	int rc = sort_entries(headers, true, err);
	if (rc == 0 && query->count > 0)
		rc = sort_entries(query, false, err);
	if (rc != 0)
		return rc;
	kl_text_printf(&text, "%s\n", request->method);
	if (request->keep_path)
		put_encoded(&text, request->path, true);
	else
		put_normal_path(&text, request->path);
	kl_text_char(&text, '\n');
	put_query(&text, query);
	kl_text_char(&text, '\n');
	put_headers(&text, headers);
	kl_text_char(&text, '\n');
	put_header_names(&text, headers);
	kl_text_char(&text, '\n');
	if (!put_hash(&text, request->body.data, request->body.len) || text.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return sign(signer, text.p, text.len, signature_out, err);
}

static void take_query(struct entries *e, const struct kl_aws_request *request)
{
	for (size_t i = 0; i < request->query_count; i++)
		add_entry(e, request->query[i].name, request->query[i].value, false);
}

int kl_aws_sign_query(const struct kl_aws_signer *signer,
		      const struct kl_aws_request *request, const char *expires,
		      char signature_out[static KL_AWS_SIGNATURE],
		      struct klamm_error *err)
{
	ENTRIES_AUTO query = {0};
	ENTRIES_AUTO headers = {0};
	KL_TEXT_AUTO names = {0};
	KL_TEXT_AUTO credential = {0};
	int rc = put_signed_headers(&names, request, err);
	if (rc != 0)
		return rc;
	kl_text_printf(&credential, "%s/", signer->key_id);
	kl_aws_put_scope(&credential, signer);
	if (names.failed || credential.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	take_query(&query, request);
	add_entry(&query, "X-Amz-Algorithm", KL_AWS_ALGORITHM, false);
	add_entry(&query, "X-Amz-Credential", kl_text_get(&credential), false);
	add_entry(&query, "X-Amz-Date", signer->time, false);
	add_entry(&query, "X-Amz-Expires", expires, false);
	if (signer->token != NULL)
		add_entry(&query, "X-Amz-Security-Token", signer->token, false);
	add_entry(&query, "X-Amz-SignedHeaders", kl_text_get(&names), false);
	take_headers(&headers, request);
	return sign_request(signer, request, &query, &headers, signature_out, err);
}

int kl_aws_sign_headers(const struct kl_aws_signer *signer,
			const struct kl_aws_request *request,
			struct kl_text *authorization_out, struct klamm_error *err)
{
	ENTRIES_AUTO query = {0};
	ENTRIES_AUTO headers = {0};
	char signature[KL_AWS_SIGNATURE];
	take_query(&query, request);
	take_headers(&headers, request);
	add_entry(&headers, "x-amz-date", signer->time, true);
	if (signer->token != NULL)
		add_entry(&headers, "x-amz-security-token", signer->token, true);
	int rc = sign_request(signer, request, &query, &headers, signature, err);
	if (rc != 0)
		return rc;
	kl_text_printf(authorization_out, KL_AWS_ALGORITHM " Credential=%s/",
		       signer->key_id);
	kl_aws_put_scope(authorization_out, signer);
	kl_text_add(authorization_out, ", SignedHeaders=");
	put_header_names(authorization_out, &headers);
	kl_text_printf(authorization_out, ", Signature=%s", signature);
	return authorization_out->failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}
