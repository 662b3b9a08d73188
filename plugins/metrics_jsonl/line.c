/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/metrics_jsonl/line.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "plugins/common/utf8.h"

/* Sticky: after the first failure nothing more is written. */
struct line {
	struct klamm_out *out;
	size_t missing; /* what there was no room for; 0 = all is well */
};

static void put(struct line *line, const char *text, size_t n)
{
	if (line->missing == 0 && klamm_out_append(line->out, text, n) != 0)
		line->missing = n;
}

static void put_text(struct line *line, const char *text)
{
	put(line, text, strlen(text));
}

/* --- JSON --- */

/* What JSON does not take as it is: an escape, or U+FFFD for what is not UTF-8. */
static void put_escape(struct line *line, uint8_t c)
{
	char text[8];
	if (c == '"' || c == '\\')
		snprintf(text, sizeof(text), "\\%c", c);
	else
		snprintf(text, sizeof(text), "\\u%04x", c < ' ' ? c : 0xfffd);
	put_text(line, text);
}

static void put_string(struct line *line, const char *text)
{
	size_t left = strlen(text);
	put(line, "\"", 1);
	while (left > 0) {
		size_t n = utf8_sequence((const uint8_t *)text, left);
		uint8_t c = (uint8_t)*text;
		if (n == 0 || c < ' ' || c == '"' || c == '\\') {
			put_escape(line, c);
			n = 1;
		} else {
			put(line, text, n);
		}
		text += n;
		left -= n;
	}
	put(line, "\"", 1);
}

static void put_name(struct line *line, const char *name)
{
	put_string(line, name);
	put(line, ":", 1);
}

static void put_integer(struct line *line, int64_t value)
{
	char text[24];
	snprintf(text, sizeof(text), "%" PRId64, value);
	put_text(line, text);
}

/* The shortest text that reads back the same. JSON has no word for infinity. */
static void put_real(struct line *line, double value)
{
	char text[40];
	if (!isfinite(value)) {
		put_text(line, "null");
		return;
	}
	for (int digits = 15; digits <= 17; digits++) {
		snprintf(text, sizeof(text), "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	put_text(line, text);
}

/* --- a figure --- */

static void put_tags(struct line *line, const struct klamm_metric *m)
{
	put_text(line, ",\"tags\":{");
	for (size_t i = 0; i < m->tag_count; i++) {
		if (i > 0)
			put(line, ",", 1);
		put_name(line, m->tags[i].name);
		put_string(line, m->tags[i].value);
	}
	put(line, "}", 1);
}

/* Pairs of upper bound and count; those that are empty are left out, the last has no bound. */
static void put_buckets(struct line *line, const struct klamm_histogram *h)
{
	const char *before = "[";
	for (size_t i = 0; i <= h->bound_count; i++) {
		if (h->buckets[i] == 0)
			continue;
		put_text(line, before);
		before = ",[";
		if (i < h->bound_count)
			put_real(line, h->bounds[i]);
		else
			put_text(line, "null");
		put(line, ",", 1);
		put_integer(line, (int64_t)h->buckets[i]);
		put(line, "]", 1);
	}
}

static void put_histogram(struct line *line, const struct klamm_histogram *h)
{
	put_text(line, "{\"count\":");
	put_integer(line, (int64_t)h->count);
	put_text(line, ",\"sum\":");
	put_real(line, h->sum);
	put_text(line, ",\"min\":");
	put_real(line, h->min);
	put_text(line, ",\"max\":");
	put_real(line, h->max);
	put_text(line, ",\"buckets\":[");
	put_buckets(line, h);
	put_text(line, "]}");
}

static void put_value(struct line *line, const struct klamm_metric *m)
{
	put_text(line, ",\"value\":");
	switch (m->type) {
	case KLAMM_METRIC_COUNTER:
		put_integer(line, m->integer);
		break;
	case KLAMM_METRIC_GAUGE:
		put_real(line, m->real);
		break;
	case KLAMM_METRIC_HISTOGRAM:
		put_histogram(line, &m->histogram);
		break;
	case KLAMM_METRIC_TEXT:
		put_string(line, m->text);
		break;
	default: /* of a later klamm */
		put_text(line, "null");
		break;
	}
}

static void put_metric(struct line *line, const struct klamm_metric *m)
{
	put_text(line, "{\"group\":");
	put_string(line, m->group);
	put_text(line, ",\"name\":");
	put_string(line, m->name);
	put_tags(line, m);
	put_text(line, ",\"unit\":");
	put_string(line, m->unit);
	put_value(line, m);
	put(line, "}", 1);
}

/* --- the line --- */

/* Is it one of the list, or the list empty? */
static bool is_wanted(const char *groups, const char *group)
{
	size_t len = strlen(group);
	if (groups == NULL || *groups == '\0')
		return true;
	for (const char *p = groups; *p != '\0'; p += *p == ',') {
		p += strspn(p, " ");
		size_t n = strcspn(p, ", ");
		if (n == len && memcmp(p, group, n) == 0)
			return true;
		p += strcspn(p, ",");
	}
	return false;
}

int metrics_jsonl_line(const struct klamm_snapshot *s, const char *client_id,
		       const char *groups, struct klamm_out *out, struct klamm_error *err)
{
	struct line line = {.out = out};
	const char *before = "";
	put_text(&line, "{\"time_ms\":");
	put_integer(&line, s->taken_ms);
	put_text(&line, ",\"started_ms\":");
	put_integer(&line, s->started_ms);
	put_text(&line, ",\"client_id\":");
	put_string(&line, client_id);
	put_text(&line, s->is_last ? ",\"last\":true" : ",\"last\":false");
	put_text(&line, ",\"metrics\":[");
	for (size_t i = 0; i < s->metric_count; i++) {
		const struct klamm_metric *m = klamm_metric_at(s, i);
		if (!is_wanted(groups, m->group))
			continue;
		put_text(&line, before);
		put_metric(&line, m);
		before = ",";
	}
	put_text(&line, "]}\n");
	return line.missing == 0 ? 0 : klamm_out_error(out, line.missing, err);
}
