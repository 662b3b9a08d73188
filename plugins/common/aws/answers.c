/* SPDX-License-Identifier: BSD-2-Clause */
/* What metadata services and the token service answer, and whether it can be used. */
#include "plugins/common/aws/aws_int.h"
#include "plugins/common/aws/sigv4.h"
#include "plugins/common/flat_json.h"

#define KEY_ID_MAX 128
#define SECRET_MAX 1024
#define TOKEN_MAX  ((size_t)64 << 10)

static bool is_printable(const struct kl_text *t, size_t max)
{
	for (size_t i = 0; i < t->len; i++)
		if (t->p[i] <= ' ' || t->p[i] >= 0x7f)
			return false;
	return t->len <= max;
}

const char *kl_aws_fault(const struct kl_aws_credentials *c)
{
	static const char allowed[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		"0123456789_-.";
	if (c->key_id.failed || c->secret.failed || c->token.failed)
		return "out of memory";
	if (c->key_id.len == 0)
		return "the access key's id is missing";
	if (c->key_id.len > KEY_ID_MAX || strspn(c->key_id.p, allowed) != c->key_id.len)
		return "the access key's id is none";
	if (c->secret.len == 0)
		return "the access key's secret is missing";
	if (!is_printable(&c->secret, SECRET_MAX))
		return "the access key's secret is none";
	if (!is_printable(&c->token, TOKEN_MAX))
		return "the session token is none";
	return NULL;
}

/* "2026-11-29T18:19:40Z", with or without a fraction of the second. */
static bool read_time(const char *text, int64_t *ms_out)
{
	char compact[KL_AWS_TIME];
	size_t n = 0;
	while (*text != '\0' && *text != '.' && n < sizeof(compact) - 1) {
		if (*text != '-' && *text != ':')
			compact[n++] = *text;
		text++;
	}
	if (*text == '.') {
		text += 1 + strspn(text + 1, "0123456789");
		if (n < sizeof(compact) - 1)
			compact[n++] = *text == 'Z' ? *text++ : '?';
	}
	compact[n] = '\0';
	return *text == '\0' && kl_aws_time_read(compact, ms_out);
}

static void take(struct kl_text *to, const struct kl_text *from)
{
	kl_text_clear(to);
	kl_text_put(to, kl_text_get(from), from->len);
}

const char *kl_aws_read_json(const char *text, size_t len,
			     struct kl_aws_credentials *out)
{
	FLAT_JSON_AUTO json;
	KL_TEXT_AUTO code = {0};
	bool expires = false;
	flat_json_begin(&json, text, len);
	while (flat_json_next(&json)) {
		const char *name = kl_text_get(&json.name);
		if (!json.is_text)
			continue;
		if (strcmp(name, "AccessKeyId") == 0)
			take(&out->key_id, &json.value);
		else if (strcmp(name, "SecretAccessKey") == 0)
			take(&out->secret, &json.value);
		else if (strcmp(name, "Token") == 0)
			take(&out->token, &json.value);
		else if (strcmp(name, "Code") == 0)
			take(&code, &json.value);
		else if (strcmp(name, "Expiration") == 0)
			expires = read_time(kl_text_get(&json.value), &out->expires_ms);
	}
	if (json.why != NULL)
		return json.why;
	if (code.len > 0 && strcmp(code.p, "Success") != 0)
		return "the instance's role has none";
	if (!expires)
		return "there is no time at which they expire";
	return kl_aws_fault(out);
}

/* --- XML: as much of it as the token service writes --- */

static void put_decoded(struct kl_text *to, const char *p, const char *end)
{
	static const struct {
		const char *name;
		char c;
	} entities[] = {{"&amp;", '&'},
			{"&lt;", '<'},
			{"&gt;", '>'},
			{"&quot;", '"'},
			{"&apos;", '\''}};
	while (p < end) {
		size_t n = 1;
		char c = *p;
		for (size_t i = 0;
		     *p == '&' && i < sizeof(entities) / sizeof(entities[0]); i++) {
			size_t len = strlen(entities[i].name);
			if ((size_t)(end - p) < len ||
			    memcmp(p, entities[i].name, len) != 0)
				continue;
			n = len;
			c = entities[i].c;
		}
		kl_text_char(to, c);
		p += n;
	}
}

bool kl_aws_element(const char *text, size_t len, const char *name, struct kl_text *to)
{
	char tag[64];
	int n = snprintf(tag, sizeof(tag), "<%s>", name);
	const char *begin = memmem(text, len, tag, (size_t)n), *end = text + len;
	kl_text_clear(to);
	if (begin == NULL)
		return false;
	begin += n;
	n = snprintf(tag, sizeof(tag), "</%s>", name);
	const char *close = memmem(begin, (size_t)(end - begin), tag, (size_t)n);
	if (close == NULL || memchr(begin, '\0', (size_t)(close - begin)) != NULL)
		return false;
	put_decoded(to, begin, close);
	return true;
}

const char *kl_aws_read_xml(const char *text, size_t len,
			    struct kl_aws_credentials *out)
{
	KL_TEXT_AUTO expiration = {0};
	const char *begin = memmem(text, len, "<Credentials>", 13);
	if (begin == NULL)
		return "it is not what the token service answers";
	len -= (size_t)(begin - text);
	if (!kl_aws_element(begin, len, "AccessKeyId", &out->key_id) ||
	    !kl_aws_element(begin, len, "SecretAccessKey", &out->secret) ||
	    !kl_aws_element(begin, len, "SessionToken", &out->token) ||
	    out->token.len == 0)
		return "a part of the credentials is missing";
	if (!kl_aws_element(begin, len, "Expiration", &expiration) ||
	    !read_time(kl_text_get(&expiration), &out->expires_ms))
		return "there is no time at which they expire";
	return kl_aws_fault(out);
}
