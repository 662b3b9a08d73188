/* SPDX-License-Identifier: BSD-2-Clause */
/* Problems on their way to whoever asked for them. */
#include <stdio.h>

#include "core/base/error.h"
#include "core/conf/object.h"

void kl_issue(struct kl_issues *issues, int32_t line, bool is_error, const char *key,
	      const char *text)
{
	struct klamm_conf_issue issue = {
		.size = sizeof(issue),
		.file = issues->file,
		.line = line,
		.is_error = is_error,
		.key = key,
		.text = text,
	};
	char place[300] = "";
	if (issues->file != NULL)
		snprintf(place, sizeof(place), "%.280s:%d: ", issues->file, line);
	if (issues->fn != NULL)
		issues->fn(issues->arg, &issue);
	else if (!is_error)
		kl_log(issues->log, KL_LOG_WARN, "conf", "%s%s", place, text);
	if (is_error && issues->errors++ == 0)
		kl_error(&issues->first, KLAMM_ERR_CONFIG, "%s%s", place, text);
}

int kl_issues_result(const struct kl_issues *issues, struct klamm_error *err)
{
	if (issues->errors == 0)
		return 0;
	if (issues->errors == 1)
		return kl_error(err, KLAMM_ERR_CONFIG, "%s", issues->first.text);
	return kl_error(err, KLAMM_ERR_CONFIG, "%.380s (and %d more)",
			issues->first.text, issues->errors - 1);
}
