/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/jwt.h"

#include <string.h>

static const char letters[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void kl_oauth_put_base64url(struct kl_text *to, const void *p, size_t n)
{
	const unsigned char *in = p;
	if (!kl_text_reserve(to, n / 3 * 4 + 4))
		return;
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i < 3 ? n - i : 3;
		uint32_t bits = (uint32_t)in[i] << 16;
		if (left > 1)
			bits |= (uint32_t)in[i + 1] << 8;
		if (left > 2)
			bits |= in[i + 2];
		for (size_t k = 0; k <= left; k++)
			kl_text_char(to, letters[bits >> (18 - 6 * k) & 63]);
	}
}

static int value_of(char c)
{
	const char *at = c != '\0' ? strchr(letters, c) : NULL;
	return at != NULL ? (int)(at - letters) : -1;
}

bool kl_oauth_get_base64url(const char *p, size_t n, struct kl_text *to)
{
	uint32_t bits = 0;
	int have = 0;
	if (n % 4 == 1 || !kl_text_reserve(to, n / 4 * 3 + 3))
		return false;
	for (size_t i = 0; i < n; i++) {
		int v = value_of(p[i]);
		if (v < 0)
			return false;
		bits = bits << 6 | (uint32_t)v;
		have += 6;
		if (have < 8)
			continue;
		have -= 8;
		kl_text_char(to, (char)(bits >> have));
		bits &= (1u << have) - 1;
	}
	return bits == 0; /* one text per value */
}

static struct json_object *read_part(const char *p, size_t n)
{
	KL_TEXT_AUTO json = {0};
	if (n == 0 || !kl_oauth_get_base64url(p, n, &json))
		return NULL;
	return kl_oauth_json_read(kl_text_get(&json), json.len);
}

const char *kl_oauth_jwt_read(const char *text, size_t len, struct oauth_jwt *jwt_out)
{
	*jwt_out = (struct oauth_jwt){0};
	const char *end = text + len;
	const char *first = len > 0 ? memchr(text, '.', len) : NULL;
	const char *second = first != NULL
				     ? memchr(first + 1, '.', (size_t)(end - first - 1))
				     : NULL;
	if (second == NULL ||
	    memchr(second + 1, '.', (size_t)(end - second - 1)) != NULL)
		return "it has not the three parts of a JWT";
	jwt_out->header = read_part(text, (size_t)(first - text));
	if (jwt_out->header == NULL)
		return "its header is no JSON object in base64url";
	jwt_out->claims = read_part(first + 1, (size_t)(second - first - 1));
	if (jwt_out->claims == NULL)
		return "its claims are no JSON object in base64url";
	jwt_out->signed_part = (struct klamm_span){text, (size_t)(second - text)};
	if (!kl_oauth_get_base64url(second + 1, (size_t)(end - second - 1),
				    &jwt_out->signature))
		return "its signature is not in base64url";
	return NULL;
}

void kl_oauth_jwt_free(struct oauth_jwt *jwt)
{
	kl_oauth_json_free(jwt->header);
	kl_oauth_json_free(jwt->claims);
	kl_text_free(&jwt->signature);
	*jwt = (struct oauth_jwt){0};
}
