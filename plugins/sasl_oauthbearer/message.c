/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of RFC 7628, as strict as Kafka's OAuthBearerClientInitialResponse. */
#include <strings.h>

#include "plugins/sasl_oauthbearer/oauth.h"

#define SEPARATOR '\x01'

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_name(struct klamm_span name)
{
	const char *p = name.data;
	for (size_t i = 0; i < name.len; i++)
		if (!is_letter(p[i]))
			return false;
	return name.len > 0;
}

static bool is_value(struct klamm_span value)
{
	const char *p = value.data;
	for (size_t i = 0; i < value.len; i++)
		if ((p[i] < ' ' || p[i] > '~') && p[i] != '\t' && p[i] != '\r' &&
		    p[i] != '\n')
			return false;
	return value.len > 0;
}

/* b64token of RFC 6750: padding only at the end. */
bool kl_oauth_is_token(const char *p, size_t n)
{
	while (n > 0 && p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!is_letter(p[i]) && !(p[i] >= '0' && p[i] <= '9') &&
		    (p[i] == '\0' || strchr("-._~+/", p[i]) == NULL))
			return false;
	return n > 0;
}

static bool is(struct klamm_span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

int kl_oauth_add_extension(struct kl_text *to, struct klamm_span name,
			   struct klamm_span value, struct klamm_error *err)
{
	if (!is_name(name) || is(name, "auth"))
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the SASL extension \"%.*s\" cannot be: names are letters, and "
			"auth is taken",
			(int)(name.len < 60 ? name.len : 60), (const char *)name.data);
	if (!is_value(value))
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"the SASL extension %.*s must have a value of printable ASCII",
			(int)(name.len < 60 ? name.len : 60), (const char *)name.data);
	kl_text_put(to, name.data, name.len);
	kl_text_char(to, '=');
	kl_text_put(to, value.data, value.len);
	kl_text_char(to, SEPARATOR);
	return to->failed ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory") : 0;
}

/* --- out --- */

static char *put(char *to, const void *p, size_t n)
{
	if (n > 0)
		memcpy(to, p, n);
	return to + n;
}

int kl_oauth_put_message(const struct oauth *o, const struct oauth_token *token,
			 struct klamm_out *out, struct klamm_error *err)
{
	static const char head[] = "n,,\x01"
				   "auth=Bearer ";
	size_t len = sizeof(head) - 1 + token->value.len + 1 + o->extensions.len +
		     token->extensions.len + 1;
	char *to = (char *)klamm_out_reserve(out,
					     len); /* at once: growing leaves copies */
	if (to == NULL)
		return klamm_out_error(out, len, err);
	to = put(to, head, sizeof(head) - 1);
	to = put(to, token->value.p, token->value.len);
	*to++ = SEPARATOR;
	to = put(to, o->extensions.p, o->extensions.len);
	to = put(to, token->extensions.p, token->extensions.len);
	*to = SEPARATOR;
	out->len += len;
	return 0;
}

/* --- in --- */

#define MALFORMED "Invalid OAUTHBEARER client first message"

/* "=2C" and "=3D" stand for what cannot be in it (RFC 5801). */
static bool is_authzid(struct klamm_span id)
{
	const char *p = id.data;
	for (size_t i = 0; i < id.len; i++) {
		if (p[i] == ',' || p[i] <= 0)
			return false;
		if (p[i] != '=')
			continue;
		if (id.len - i < 3 ||
		    (memcmp(p + i, "=2C", 3) != 0 && memcmp(p + i, "=3D", 3) != 0))
			return false;
		i += 2;
	}
	return id.len > 0;
}

/* "n,a=ID," or "n,,": what stands behind it, or NULL. */
static const char *read_head(const char *p, const char *end, struct klamm_span *authzid)
{
	if (end - p < 3 || memcmp(p, "n,", 2) != 0)
		return NULL;
	p += 2;
	const char *comma = memchr(p, ',', (size_t)(end - p));
	if (comma == NULL)
		return NULL;
	if (comma == p)
		return comma + 1;
	if (comma - p < 2 || memcmp(p, "a=", 2) != 0)
		return NULL;
	*authzid = (struct klamm_span){p + 2, (size_t)(comma - p - 2)};
	return is_authzid(*authzid) ? comma + 1 : NULL;
}

static const char *read_auth(struct klamm_span auth, struct oauth_message *out)
{
	const char *p = auth.data, *end = p + auth.len;
	const char *blank = memchr(p, ' ', auth.len);
	if (blank == NULL)
		return MALFORMED ": invalid 'auth' format";
	if (blank - p != 6 || strncasecmp(p, "bearer", 6) != 0)
		return "Invalid scheme in OAUTHBEARER client first message";
	while (blank < end && *blank == ' ')
		blank++;
	out->token = (struct klamm_span){blank, (size_t)(end - blank)};
	if (kl_oauth_is_token(out->token.data, out->token.len))
		return NULL;
	out->token = (struct klamm_span){0};
	return MALFORMED ": invalid 'auth' format";
}

const char *kl_oauth_read_message(const char *p, size_t n, struct oauth_message *out)
{
	*out = (struct oauth_message){0};
	const char *end = p + n;
	struct klamm_span auth = {0};
	p = read_head(p, end, &out->authzid);
	if (p == NULL || p == end || *p++ != SEPARATOR)
		return MALFORMED;
	while (p < end && *p != SEPARATOR) {
		const char *stop = memchr(p, SEPARATOR, (size_t)(end - p));
		const char *equals =
			stop != NULL ? memchr(p, '=', (size_t)(stop - p)) : NULL;
		if (equals == NULL)
			return MALFORMED;
		struct klamm_span name = {p, (size_t)(equals - p)};
		struct klamm_span value = {equals + 1, (size_t)(stop - equals - 1)};
		if (!is_name(name) || !is_value(value))
			return MALFORMED;
		if (is(name, "auth"))
			auth = value; /* the last one counts */
		else
			out->extensions++;
		p = stop + 1;
	}
	if (end - p != 1)
		return MALFORMED;
	if (auth.data == NULL)
		return MALFORMED ": 'auth' not specified";
	return read_auth(auth, out);
}
