/* SPDX-License-Identifier: BSD-2-Clause */
/* auto.offset.reset: a word, or by_duration: and an ISO-8601 duration (KIP-1106). */
#include <strings.h>

#include "core/base/option.h"
#include "core/conf/conf.h"
#include "core/conf/table.h"

static const char words[] =
	"none|earliest|latest"; /* in the order of enum kl_offset_reset */
static const char by_duration[] = "by_duration:";

/* A number, with a fraction where the letter behind it is S; NULL: none. */
static const char *number(const char *p, double *v_out)
{
	size_t n = strspn(p, "0123456789.");
	return n > 0 && n <= 15 && kl_parse_double(p, n, v_out) ? p + n : NULL;
}

bool kl_parse_duration(const char *p, int64_t *ms_out)
{
	static const struct {
		char letter;
		bool time;
		double ms;
	} units[] = {
		{'D', false, 86400e3},
		{'H', true, 3600e3},
		{'M', true, 60e3},
		{'S', true, 1e3},
	};
	double ms = 0, v;
	bool time = false, any = false;
	if (*p++ != 'P')
		return false;
	for (size_t i = 0; i < kl_countof(units); i++) {
		if (*p == 'T' && !time) {
			time = true;
			p++;
			any = false; /* something must follow the T */
		}
		const char *end = number(p, &v);
		if (end == NULL || *end != units[i].letter || time != units[i].time)
			continue;
		if (units[i].letter != 'S' && memchr(p, '.', (size_t)(end - p)) != NULL)
			return false;
		ms += v * units[i].ms;
		p = end + 1;
		any = true;
	}
	if (*p != '\0' || !any || ms > 9e15)
		return false;
	*ms_out = (int64_t)ms;
	return true;
}

static bool parse(const char *text, int32_t *reset_out, int64_t *ms_out)
{
	*ms_out = 0;
	*reset_out = kl_option_word(words, text, strlen(text), NULL);
	if (*reset_out >= 0)
		return true;
	*reset_out = KL_RESET_BY_DURATION;
	return strncasecmp(text, by_duration, sizeof(by_duration) - 1) == 0 &&
	       kl_parse_duration(text + sizeof(by_duration) - 1, ms_out);
}

bool kl_check_offset_reset(const char *text, struct kl_buf *why)
{
	int32_t reset;
	int64_t ms;
	if (parse(text, &reset, &ms))
		return true;
	kl_buf_printf(why,
		      "must be latest, earliest, none or by_duration:PnDTnHnMn.nS");
	return false;
}

int kl_fill_offset_reset(const struct kl_conf_row *row, const char *text,
			 struct kl_settings *settings, struct kl_arena *arena)
{
	parse(text, &settings->auto_offset_reset, &settings->auto_offset_reset_ms);
	return 0;
}

bool kl_check_nonempty(const char *text, struct kl_buf *why)
{
	if (*text != '\0')
		return true;
	kl_buf_printf(why, "must not be empty");
	return false;
}

/* As Kafka's rule for the names of topics. */
bool kl_check_instance_id(const char *text, struct kl_buf *why)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				      "0123456789._-";
	size_t len = strlen(text);
	if (len > 0 && len <= 249 && text[strspn(text, letters)] == '\0' &&
	    strcmp(text, ".") != 0 && strcmp(text, "..") != 0)
		return true;
	kl_buf_printf(why, "must be 1 to 249 of a-z, A-Z, 0-9, '.', '_' and '-', and not "
			   "\".\" or \"..\"");
	return false;
}
