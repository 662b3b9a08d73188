/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <stdlib.h>

#include "core/base/error.h"

/* Enough for any sane expression on 249 letters; others end in a moment. */
#define MATCH_LIMIT 100000

struct kl_pattern {
	pcre2_code *code;
	pcre2_match_data *match;
	pcre2_match_context *context;
	char text[];
};

static int compile(struct kl_pattern *pattern, struct klamm_error *err)
{
	int code;
	PCRE2_SIZE at;
	pattern->code = pcre2_compile((PCRE2_SPTR)pattern->text, PCRE2_ZERO_TERMINATED,
				      PCRE2_ANCHORED | PCRE2_ENDANCHORED, &code, &at, NULL);
	if (pattern->code == NULL) {
		PCRE2_UCHAR why[128] = "";
		pcre2_get_error_message(code, why, sizeof(why));
		return kl_error(err, KLAMM_ERR_INVALID_REGULAR_EXPRESSION,
				"the pattern \"%.100s\" is no regular expression: %s at "
				"character %zu",
				pattern->text, (const char *)why, (size_t)at + 1);
	}
	pattern->match = pcre2_match_data_create_from_pattern(pattern->code, NULL);
	pattern->context = pcre2_match_context_create(NULL);
	if (pattern->match == NULL || pattern->context == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a pattern");
	pcre2_set_match_limit(pattern->context, MATCH_LIMIT);
	return 0;
}

int kl_pattern_new(const char *text, struct kl_pattern **pattern_out, struct klamm_error *err)
{
	size_t size = strlen(text) + 1;
	struct kl_pattern *pattern = calloc(1, sizeof(*pattern) + size);
	if (pattern == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a pattern");
	memcpy(pattern->text, text, size);
	int rc = compile(pattern, err);
	if (rc == 0)
		*pattern_out = pattern;
	else
		kl_pattern_free(pattern);
	return rc;
}

void kl_pattern_free(struct kl_pattern *pattern)
{
	if (pattern == NULL)
		return;
	pcre2_match_context_free(pattern->context);
	pcre2_match_data_free(pattern->match);
	pcre2_code_free(pattern->code);
	free(pattern);
}

const char *kl_pattern_text(const struct kl_pattern *pattern)
{
	return pattern->text;
}

bool kl_pattern_matches(struct kl_pattern *pattern, const char *name, size_t len)
{
	return pcre2_match(pattern->code, (PCRE2_SPTR)name, len, 0, 0, pattern->match,
			   pattern->context) >= 0;
}
