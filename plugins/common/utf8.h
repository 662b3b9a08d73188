/* SPDX-License-Identifier: BSD-2-Clause */
/* Is this UTF-8 (RFC 3629): no overlong form, no surrogate, nothing above U+10FFFF. */
#ifndef PLUGINS_UTF8_H
#define PLUGINS_UTF8_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Bytes of the sequence at p, which has n > 0 left; 0 = it is none. */
static inline size_t utf8_sequence(const uint8_t *p, size_t n)
{
	uint8_t lead = p[0], low = 0x80, high = 0xbf;
	if (lead < 0x80)
		return 1;
	size_t len = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
	if (lead < 0xc2 || lead > 0xf4 || len > n)
		return 0;
	/* The second byte's range is narrower where the lead leaves a hole. */
	if (lead == 0xe0)
		low = 0xa0;
	else if (lead == 0xed)
		high = 0x9f;
	else if (lead == 0xf0)
		low = 0x90;
	else if (lead == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (size_t i = 2; i < len; i++)
		if (p[i] < 0x80 || p[i] > 0xbf)
			return 0;
	return len;
}

/* The place of the first byte that is wrong; n when all is well. */
static inline size_t utf8_check(const uint8_t *p, size_t n)
{
	size_t at = 0;
	while (at < n) {
		uint64_t eight;
		if (n - at >= 8) { /* most text is ASCII */
			memcpy(&eight, p + at, 8);
			if ((eight & 0x8080808080808080u) == 0) {
				at += 8;
				continue;
			}
		}
		size_t len = utf8_sequence(p + at, n - at);
		if (len == 0)
			return at;
		at += len;
	}
	return at;
}

#endif
