/* SPDX-License-Identifier: BSD-2-Clause */
/* The messages of SCRAM (RFC 5802, section 7), within what Kafka's ScramMessages take.
 * They are read in place; every length is that of the span. */
#ifndef PLUGINS_SCRAM_MESSAGE_H
#define PLUGINS_SCRAM_MESSAGE_H

#include <klamm/host.h>
#include <limits.h>

/* None that is in use comes near it; a name or a nonce beyond is somebody's joke. */
#define SCRAM_MESSAGE_MAX 8192

static inline struct klamm_span scram_rest(struct klamm_span span, size_t from)
{
	return (struct klamm_span){(const char *)span.data + from, span.len - from};
}

static inline bool scram_is(struct klamm_span span, const char *text)
{
	return span.len == strlen(text) && memcmp(span.data, text, span.len) == 0;
}

static inline bool scram_begins(struct klamm_span span, const char *text)
{
	size_t n = strlen(text);
	return span.len >= n && memcmp(span.data, text, n) == 0;
}

/* Up to the next comma, which goes too: false when there is nothing left. */
static inline bool scram_part(struct klamm_span *text, struct klamm_span *part)
{
	if (text->data == NULL)
		return false;
	const char *p = text->data, *comma = memchr(p, ',', text->len);
	*part = (struct klamm_span){p, comma != NULL ? (size_t)(comma - p) : text->len};
	*text = comma != NULL ? scram_rest(*text, part->len + 1)
			      : (struct klamm_span){0};
	return true;
}

/* The next part is name=VALUE, and VALUE is not empty. */
static inline bool scram_take(struct klamm_span *text, char name,
			      struct klamm_span *value)
{
	struct klamm_span part;
	if (!scram_part(text, &part) || part.len < 3)
		return false;
	const char *p = part.data;
	*value = scram_rest(part, 2);
	return p[0] == name && p[1] == '=';
}

/* What follows what is known: NAME=VALUE each, which whoever does not know them passes
 * over. */
static inline bool scram_extensions(struct klamm_span text)
{
	struct klamm_span part;
	while (scram_part(&text, &part)) {
		const char *p = part.data;
		size_t n = 0;
		while (n < part.len && ((p[n] | 0x20) >= 'a' && (p[n] | 0x20) <= 'z'))
			n++;
		if (n == 0 || part.len < n + 2 || p[n] != '=')
			return false;
	}
	return true;
}

/* An extension's value; false: there is none of that name. */
static inline bool scram_extension(struct klamm_span text, const char *name,
				   struct klamm_span *value)
{
	struct klamm_span part;
	size_t n = strlen(name);
	while (scram_part(&text, &part)) {
		if (part.len <= n || !scram_begins(part, name) ||
		    ((const char *)part.data)[n] != '=')
			continue;
		*value = scram_rest(part, n + 1);
		return true;
	}
	return false;
}

static inline bool scram_is_nonce(struct klamm_span span)
{
	const char *p = span.data;
	for (size_t i = 0; i < span.len; i++)
		if (p[i] <= ' ' || p[i] > '~')
			return false;
	return span.len > 0;
}

/* Digits alone, INT_MAX standing for more than nine of them; -1: it is no number. */
static inline int scram_number(struct klamm_span span)
{
	const char *p = span.data;
	int number = 0;
	for (size_t i = 0; i < span.len; i++) {
		if (p[i] < '0' || p[i] > '9')
			return -1;
		if (i < 9)
			number = number * 10 + (p[i] - '0');
	}
	if (span.len == 0)
		return -1;
	return span.len > 9 ? INT_MAX : number;
}

/* --- names: a comma is =2C, an equals sign =3D --- */

/* to has room for three times the length and a NUL. */
static inline void scram_escape(const char *name, char *to)
{
	for (; *name != '\0'; name++) {
		if (*name != ',' && *name != '=') {
			*to++ = *name;
			continue;
		}
		memcpy(to, *name == ',' ? "=2C" : "=3D", 3);
		to += 3;
	}
	*to = '\0';
}

/* Of the characters that Kafka takes, which are ASCII's. to has room for the length and
 * a NUL. */
static inline bool scram_unescape(struct klamm_span name, char *to)
{
	const char *p = name.data, *end = p + name.len;
	while (p < end) {
		if (*p == '\0' || (unsigned char)*p > 127)
			return false;
		if (*p != '=') {
			*to++ = *p++;
			continue;
		}
		if (end - p < 3 ||
		    (memcmp(p, "=2C", 3) != 0 && memcmp(p, "=3D", 3) != 0))
			return false;
		*to++ = p[1] == '2' ? ',' : '=';
		p += 3;
	}
	*to = '\0';
	return name.len > 0;
}

/* --- the four messages --- */

struct scram_client_first {
	struct klamm_span gs2;           /* "n,," */
	struct klamm_span authzid, name; /* escaped; authzid.len 0 = none */
	struct klamm_span bare, nonce, extensions;
};

static inline bool scram_read_client_first(struct klamm_span in,
					   struct scram_client_first *m)
{
	struct klamm_span rest = in, part;
	*m = (struct scram_client_first){0};
	if (!scram_part(&rest, &part) || !scram_is(part, "n") ||
	    !scram_part(&rest, &part) || rest.data == NULL)
		return false;
	if (part.len > 0 && (part.len < 3 || !scram_begins(part, "a=")))
		return false;
	if (part.len > 0)
		m->authzid = scram_rest(part, 2);
	m->bare = rest;
	m->gs2 = (struct klamm_span){in.data, in.len - rest.len};
	if (!scram_take(&rest, 'n', &m->name) || !scram_take(&rest, 'r', &m->nonce))
		return false;
	m->extensions = rest;
	return scram_is_nonce(m->nonce) && scram_extensions(rest);
}

struct scram_server_first {
	struct klamm_span nonce, salt; /* base64 */
	int iterations;
};

static inline bool scram_read_server_first(struct klamm_span in,
					   struct scram_server_first *m)
{
	struct klamm_span iterations;
	if (!scram_take(&in, 'r', &m->nonce) || !scram_take(&in, 's', &m->salt) ||
	    !scram_take(&in, 'i', &iterations))
		return false;
	m->iterations = scram_number(iterations);
	return m->iterations >= 0 && scram_is_nonce(m->nonce) && scram_extensions(in);
}

struct scram_client_final {
	struct klamm_span channel, nonce, proof; /* the first and the last are base64 */
	struct klamm_span without_proof;
};

/* The proof comes last, behind whatever extensions there are. */
static inline bool scram_read_client_final(struct klamm_span in,
					   struct scram_client_final *m)
{
	const char *comma = in.len > 0 ? memrchr(in.data, ',', in.len) : NULL;
	if (comma == NULL)
		return false;
	size_t len = (size_t)(comma - (const char *)in.data);
	struct klamm_span last = scram_rest(in, len + 1), rest = {in.data, len};
	m->without_proof = rest;
	return scram_take(&last, 'p', &m->proof) &&
	       scram_take(&rest, 'c', &m->channel) &&
	       scram_take(&rest, 'r', &m->nonce) && scram_is_nonce(m->nonce) &&
	       scram_extensions(rest);
}

/* "e=..." in a message of the server: its reason, as it can be shown. */
static inline bool scram_server_error(struct klamm_span in, char *to, size_t size)
{
	struct klamm_span value;
	if (!scram_take(&in, 'e', &value))
		return false;
	size_t n = value.len < size - 1 ? value.len : size - 1;
	for (size_t i = 0; i < n; i++) {
		char c = ((const char *)value.data)[i];
		to[i] = c < ' ' || c > '~' ? '?' : c;
	}
	to[n] = '\0';
	return true;
}

#endif
