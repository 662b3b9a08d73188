/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/common/aws/region.h"

#include <string.h>

static bool is_lower(char c)
{
	return c >= 'a' && c <= 'z';
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_direction(const char *p, size_t n)
{
	static const char *const directions[] = {
		"central",   "north",     "south",     "east",      "west",
		"northeast", "northwest", "southeast", "southwest",
	};
	for (size_t i = 0; i < sizeof(directions) / sizeof(directions[0]); i++)
		if (strlen(directions[i]) == n && memcmp(directions[i], p, n) == 0)
			return true;
	return false;
}

/* Between the first word and the direction: "us-gov-west-1", "us-isob-east-1", and
 * "eusc-de-east-1". */
static bool is_between(const char *first, size_t first_len, const char *p, size_t n)
{
	if (first_len == 4 && memcmp(first, "eusc", 4) == 0)
		return n == 2;
	return (n == 3 && memcmp(p, "gov", 3) == 0) ||
	       (n <= 4 && n >= 3 && memcmp(p, "iso", 3) == 0);
}

/* Letters and the dash behind them; 0 = it is not that. */
static size_t word(const char *p)
{
	size_t n = 0;
	while (is_lower(p[n]))
		n++;
	return n > 0 && p[n] == '-' ? n : 0;
}

/* How long the region is that begins here; 0 = none does. */
static size_t match(const char *host)
{
	const char *p = host;
	size_t first = word(p), n;
	if (first < 2 || first > 4)
		return 0;
	p += first + 1;
	n = word(p);
	if (n > 0 && is_between(host, first, p, n)) {
		p += n + 1;
		n = word(p);
	}
	if (n == 0 || !is_direction(p, n))
		return 0;
	p += n + 1;
	for (n = 0; is_digit(p[n]);)
		n++;
	return n == 1 || n == 2 ? (size_t)(p + n - host) : 0;
}

bool kl_aws_region_of_host(const char *host, char to[static KL_AWS_REGION])
{
	for (const char *p = host; *p != '\0'; p++) {
		if (p > host && (is_lower(p[-1]) || is_digit(p[-1])))
			continue;
		size_t n = match(p);
		if (n == 0 || n >= KL_AWS_REGION || is_lower(p[n]) || is_digit(p[n]))
			continue;
		memcpy(to, p, n);
		to[n] = '\0';
		return true;
	}
	return false;
}

bool kl_aws_is_region(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-");
	return n > 0 && n < KL_AWS_REGION && text[n] == '\0' && text[0] != '-' &&
	       text[n - 1] != '-';
}
