/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "core/conf/conf.h"

/* -90s, -15m, -2h, -7d, -1w, -500ms */
static bool parse_ago(const char *text, int64_t now_ms, int64_t *ms_out)
{
	static const struct {
		const char *name;
		int64_t ms;
	} units[] = {
		{"ms", 1},
		{"s", 1000},
		{"m", 60 * 1000},
		{"h", 3600 * 1000},
		{"d", 24 * 3600 * 1000},
		{"w", 7 * 24 * 3600 * 1000},
	};
	char *unit;
	long long n = strtoll(text, &unit, 10);
	for (size_t i = 0; n <= 0 && i < kl_countof(units); i++)
		if (strcmp(unit, units[i].name) == 0)
			return !__builtin_mul_overflow(n, units[i].ms, ms_out) &&
			       !__builtin_add_overflow(*ms_out, now_ms, ms_out) &&
			       *ms_out >= 0;
	return false;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool parse_two(const char **text, int max, int *out)
{
	const char *p = *text;
	if (!is_digit(p[0]) || !is_digit(p[1]))
		return false;
	*out = (p[0] - '0') * 10 + p[1] - '0';
	*text = p + 2;
	return *out <= max;
}

/* Z, +01:00, -0530 or nothing, to the end of the text. */
static bool parse_zone(const char *text, bool *local_out, int *seconds_out)
{
	*local_out = *text == '\0';
	*seconds_out = 0;
	if (*local_out || strcmp(text, "Z") == 0)
		return true;
	int sign = *text == '+' ? 60 : -60, hours, minutes;
	if (*text != '+' && *text != '-')
		return false;
	text++;
	if (!parse_two(&text, 18, &hours))
		return false;
	text += *text == ':';
	if (!parse_two(&text, 59, &minutes))
		return false;
	*seconds_out = (hours * 60 + minutes) * sign;
	return *text == '\0';
}

/* The digits behind the point: those of less than a millisecond are left out. */
static bool parse_fraction(const char **text, int64_t *ms_out)
{
	int unit = 100;
	const char *p = *text;
	for (*ms_out = 0; is_digit(*p); p++, unit /= 10)
		*ms_out += (*p - '0') * unit;
	bool some = p > *text;
	*text = p;
	return some;
}

/* No calendar has the others, or the local clock leapt over them. A day may begin later than
 * at midnight. */
static bool is_possible(const struct tm *read, const struct tm *tm, bool has_time)
{
	bool day = read->tm_year == tm->tm_year && read->tm_mon == tm->tm_mon &&
		   read->tm_mday == tm->tm_mday;
	bool time = read->tm_hour == tm->tm_hour && read->tm_min == tm->tm_min &&
		    read->tm_sec == tm->tm_sec;
	return day && (time || !has_time);
}

static bool parse_iso(const char *text, int64_t *ms_out)
{
	static const struct {
		const char *text;
		bool has_time, has_seconds;
	} forms[] = {
		{"%Y-%m-%dT%H:%M:%S", true, true}, {"%Y-%m-%d %H:%M:%S", true, true},
		{"%Y-%m-%dT%H:%M", true, false},   {"%Y-%m-%d %H:%M", true, false},
		{"%Y-%m-%d", false, false},
	};
	struct tm read, tm;
	const char *rest = NULL;
	bool has_time = false, fraction = false, local;
	for (size_t i = 0; rest == NULL && i < kl_countof(forms); i++) {
		read = (struct tm){.tm_isdst = -1};
		rest = strptime(text, forms[i].text, &read);
		has_time = forms[i].has_time;
		fraction = rest != NULL && forms[i].has_seconds && *rest == '.';
	}
	if (rest == NULL)
		return false;
	int64_t ms = 0;
	int zone;
	rest += fraction;
	if ((fraction && !parse_fraction(&rest, &ms)) || !parse_zone(rest, &local, &zone))
		return false;
	tm = read;
	time_t seconds = local ? mktime(&tm) : timegm(&tm) - zone;
	*ms_out = (int64_t)seconds * 1000 + ms;
	return is_possible(&read, &tm, has_time) && *ms_out >= 0;
}

static bool parse_time(const char *text, int64_t now_ms, int64_t *ms_out)
{
	*ms_out = now_ms;
	return strcmp(text, "now") == 0 || cli_number(text, 0, INT64_MAX, ms_out) ||
	       (text[0] == '-' ? parse_ago(text, now_ms, ms_out)
			       : parse_iso(text, ms_out));
}

bool cli_place_parse(const char *text, int64_t now_ms, struct cli_place *place_out)
{
	int64_t n = 0;
	enum cli_place_kind kind;
	if (strcmp(text, "start") == 0 || strcmp(text, "beginning") == 0 ||
	    strcmp(text, "earliest") == 0)
		kind = CLI_PLACE_START;
	else if (strcmp(text, "end") == 0 || strcmp(text, "latest") == 0)
		kind = CLI_PLACE_END;
	else if (text[0] == '@' && parse_time(text + 1, now_ms, &n))
		kind = CLI_PLACE_TIME;
	else if (text[0] == '-' && cli_number(text + 1, 0, INT64_MAX, &n))
		kind = CLI_PLACE_TAIL;
	else if (cli_number(text, 0, INT64_MAX, &n))
		kind = CLI_PLACE_OFFSET;
	else
		return false;
	*place_out = (struct cli_place){kind, n};
	return true;
}

bool cli_duration_parse(const char *text, int64_t *ms_out)
{
	char ago[32];
	int64_t at;
	if (text[0] == 'P')
		return kl_parse_duration(text, ms_out);
	if (text[0] < '0' || text[0] > '9' ||
	    snprintf(ago, sizeof(ago), "-%s", text) >= (int)sizeof(ago) ||
	    !parse_ago(ago, INT64_MAX / 2, &at))
		return false;
	*ms_out = INT64_MAX / 2 - at;
	return true;
}
