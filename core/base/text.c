/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/text.h"

#include <ctype.h>
#include <string.h>

static const char base64[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char base64url[] =
	"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/* The length of a sequence by its first byte and the range of its second, which rules out
 * long forms, surrogates and what lies above Unicode. 0: no such first byte. */
static size_t sequence(uint8_t first, uint8_t *low_out, uint8_t *high_out)
{
	*low_out = 0x80;
	*high_out = 0xbf;
	if (first < 0x80)
		return 1;
	if (first >= 0xc2 && first <= 0xdf)
		return 2;
	if (first >= 0xe0 && first <= 0xef) {
		if (first == 0xe0)
			*low_out = 0xa0;
		if (first == 0xed)
			*high_out = 0x9f;
		return 3;
	}
	if (first >= 0xf0 && first <= 0xf4) {
		if (first == 0xf0)
			*low_out = 0x90;
		if (first == 0xf4)
			*high_out = 0x8f;
		return 4;
	}
	return 0;
}

/* Bytes of the character at p, which has n > 0 left; 0 = it is none. */
static size_t character(const uint8_t *p, size_t n)
{
	uint8_t low, high;
	size_t len = sequence(*p, &low, &high);
	if (len == 0 || len > n)
		return 0;
	if (len > 1 && (p[1] < low || p[1] > high))
		return 0;
	for (size_t i = 2; i < len; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return len;
}

bool kl_utf8_valid(const void *data, size_t n)
{
	const uint8_t *p = data, *end = p + n;
	while (p < end) {
		size_t len = character(p, (size_t)(end - p));
		if (len == 0)
			return false;
		p += len;
	}
	return true;
}

/* C0, DEL, C1. */
static bool is_control(const uint8_t *p)
{
	return p[0] < ' ' || p[0] == 0x7f || (p[0] == 0xc2 && p[1] < 0xa0);
}

void kl_text_tame(char *text)
{
	uint8_t *p = (uint8_t *)text, *end = p + strlen(text);
	while (p < end) {
		size_t len = character(p, (size_t)(end - p)), n = kl_max(len, (size_t)1);
		if (len == 0 || is_control(p))
			memset(p, len == 0 ? '?' : ' ', n);
		p += n;
	}
}

void kl_buf_base64(struct kl_buf *b, const void *data, size_t n)
{
	const uint8_t *p = data;
	for (; n >= 3; n -= 3, p += 3) {
		uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
		char four[] = {base64[v >> 18], base64[v >> 12 & 63], base64[v >> 6 & 63],
			       base64[v & 63]};
		kl_buf_put(b, four, 4);
	}
	if (n == 0)
		return;
	uint32_t v = (uint32_t)p[0] << 16 | (n == 2 ? (uint32_t)p[1] << 8 : 0);
	char four[] = {base64[v >> 18], base64[v >> 12 & 63],
		       n == 2 ? base64[v >> 6 & 63] : '=', '='};
	kl_buf_put(b, four, 4);
}

void kl_buf_json_string(struct kl_buf *b, const void *data, size_t n)
{
	static const char names[] = {['\b'] = 'b', ['\t'] = 't', ['\n'] = 'n', ['\f'] = 'f',
				     ['\r'] = 'r', ['"'] = '"',  ['\\'] = '\\'};
	const uint8_t *p = data, *plain = p, *end = p + n;
	kl_buf_u8(b, '"');
	for (; p < end; p++) {
		char name = *p < sizeof(names) ? names[*p] : 0;
		if (*p >= ' ' && name == 0)
			continue;
		kl_buf_put(b, plain, (size_t)(p - plain));
		plain = p + 1;
		if (name != 0)
			kl_buf_put(b, (char[]){'\\', name}, 2);
		else
			kl_buf_printf(b, "\\u%04x", *p);
	}
	kl_buf_put(b, plain, (size_t)(end - plain));
	kl_buf_u8(b, '"');
}

void kl_buf_json_bytes(struct kl_buf *b, const void *p, size_t n)
{
	if (kl_utf8_valid(p, n)) {
		kl_buf_json_string(b, p, n);
		return;
	}
	kl_buf_put(b, "{\"base64\":\"", 11);
	kl_buf_base64(b, p, n);
	kl_buf_put(b, "\"}", 2);
}

void kl_uuid_text(const struct klamm_uuid *uuid, char text[static KL_UUID_TEXT])
{
	/* 128 bits are 21 characters of 6 bits and one of 2. */
	const uint8_t *p = uuid->bytes;
	for (int i = 0; i < 22; i++) {
		int bit = i * 6, byte = bit / 8;
		uint32_t v = (uint32_t)p[byte] << 8 | (byte < 15 ? p[byte + 1] : 0);
		text[i] = base64url[v >> (10 - bit % 8) & 63];
	}
	text[22] = '\0';
}

bool kl_uuid_parse(const char *text, struct klamm_uuid *uuid_out)
{
	uint8_t *p = uuid_out->bytes;
	uint32_t bits = 0;
	if (strlen(text) != KL_UUID_TEXT - 1)
		return false;
	for (int i = 0; i < KL_UUID_TEXT - 1; i++) {
		const char *digit = strchr(base64url, text[i]);
		if (digit == NULL)
			return false;
		bits = bits << 6 | (uint32_t)(digit - base64url);
		if (i % 4 != 0)
			*p++ = (uint8_t)(bits >> (6 - i % 4 * 2));
	}
	return (bits & 15) == 0; /* what is behind the 128th bit */
}

#define LONGEST 96 /* names of keys have up to 57 letters */

/* How keys are spelt here and there: bootstrap.servers, bootstrap_servers. */
static int fold(char c)
{
	return c == '_' || c == '-' ? '.' : tolower((unsigned char)c);
}

size_t kl_text_edits(const char *a, size_t an, const char *b, size_t bn)
{
	if (an > LONGEST || bn > LONGEST)
		return SIZE_MAX;
	uint8_t rows[3][LONGEST + 1]; /* before the last, last, current */
	for (size_t j = 0; j <= bn; j++)
		rows[1][j] = (uint8_t)j;
	memcpy(rows[0], rows[1], sizeof(rows[0]));
	for (size_t i = 1; i <= an; i++) {
		rows[2][0] = (uint8_t)i;
		for (size_t j = 1; j <= bn; j++) {
			int x = fold(a[i - 1]), y = fold(b[j - 1]);
			int best = rows[1][j - 1] + (x != y);
			best = kl_min(best, rows[1][j] + 1);
			best = kl_min(best, rows[2][j - 1] + 1);
			if (i > 1 && j > 1 && x == fold(b[j - 2]) &&
			    fold(a[i - 2]) == y)
				best = kl_min(best, rows[0][j - 2] + 1);
			rows[2][j] = (uint8_t)best;
		}
		memcpy(rows[0], rows[1], sizeof(rows[0]));
		memcpy(rows[1], rows[2], sizeof(rows[1]));
	}
	return rows[1][bn];
}
