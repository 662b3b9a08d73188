/* SPDX-License-Identifier: BSD-2-Clause */
/* Numbers, names that are nearly right, and lists of words. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/io.h"
#include "core/base/text.h"

bool cli_number(const char *text, int64_t min, int64_t max, int64_t *out)
{
	char *end;
	const char *digits = text[0] == '-' ? text + 1 : text;
	if (*digits < '0' || *digits > '9') /* strtoll() would skip blanks and a plus */
		return false;
	errno = 0;
	long long n = strtoll(text, &end, 10);
	if (*end != '\0' || errno != 0 || n < min || n > max)
		return false;
	*out = n;
	return true;
}

bool cli_range_next(const char **text, long long *low, long long *high)
{
	char *end;
	*low = *high = strtoll(*text, &end, 10);
	if (end > *text && *end == '-' && end[1] >= '0' && end[1] <= '9')
		*high = strtoll(end + 1, &end, 10);
	if (end == *text || *low < 0 || *high < *low || (*end != ',' && *end != '\0'))
		return false;
	*text = end + (*end == ',');
	return true;
}

bool cli_ranges_valid(const char *text)
{
	long long low, high;
	do {
		if (!cli_range_next(&text, &low, &high))
			return false;
	} while (*text != '\0');
	return true;
}

const char *cli_nearest(const char *word, const char *const *names, size_t n)
{
	/* A third of the letters may be wrong, and up to two of a short word. */
	size_t len = strlen(word), best = kl_max(len / 3, (size_t)2) + 1;
	const char *name = NULL;
	for (size_t i = 0; i < n; i++) {
		size_t d = kl_text_edits(word, len, names[i], strlen(names[i]));
		if (d < best && d < len) {
			best = d;
			name = names[i];
		}
	}
	return name;
}

void *cli_alloc(size_t n)
{
	void *p = calloc(1, n + 1);
	if (p == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	return p;
}

void cli_list_add(struct cli_list *list, const char *text)
{
	/* Grows when n is a power of two, so no capacity has to be kept. */
	if ((list->n & (list->n - 1)) == 0) {
		size_t cap = list->n ? list->n * 2 : 1;
		const char **v = reallocarray(list->v, cap, sizeof(*v));
		if (v == NULL)
			exit(cli_fail(CLI_FAILED, "out of memory"));
		list->v = v;
	}
	list->v[list->n++] = text;
}

int cli_hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

void cli_put_partitions(struct kl_buf *b, const struct klamm_topic_partition *v,
			   size_t n)
{
	for (size_t i = 0; i < n; i++) {
		size_t last = i;
		while (last + 1 < n && strcmp(v[last + 1].topic, v[i].topic) == 0 &&
		       v[last + 1].partition == v[last].partition + 1)
			last++;
		bool same = i > 0 && strcmp(v[i - 1].topic, v[i].topic) == 0;
		kl_buf_printf(b, "%s%s%s%d",
			      same    ? ","
			      : i > 0 ? " "
				      : "",
			      same ? "" : v[i].topic, same ? "" : ":", v[i].partition);
		if (last > i)
			kl_buf_printf(b, "-%d", v[last].partition);
		i = last;
	}
	if (n == 0)
		cli_put_text(b, "-");
}

struct klamm_span cli_unescape(const char *text)
{
	static const char names[] = "nrt0\\", bytes[] = "\n\r\t\0\\";
	char *bytes_out = cli_alloc(strlen(text)), *to = bytes_out;
	for (const char *p = text; *p != '\0'; p++) {
		const char *name =
			p[0] == '\\' && p[1] != '\0' ? strchr(names, p[1]) : NULL;
		if (name != NULL) {
			*to++ = bytes[name - names];
			p++;
		} else if (p[0] == '\\' && p[1] == 'x' && cli_hex_digit(p[2]) >= 0 &&
			   cli_hex_digit(p[3]) >= 0) {
			*to++ = (char)(cli_hex_digit(p[2]) << 4 | cli_hex_digit(p[3]));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	return (struct klamm_span){bytes_out, (size_t)(to - bytes_out)};
}
