/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything that can be said about a file: as it is, and with each of its profiles. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/conf/conf.h"
#include "core/conf/object.h"

struct lint {
	klamm_conf_issue_fn fn;
	void *arg;
	const char *path;
	int32_t roles; /* 0 = those that the keys suggest */
	const char *profile; /* that is looked at now */
	bool rules;	     /* these issues are about keys together, not about a line */
	struct kl_buf told;  /* one a line; profiles share what stands outside of them */
	struct kl_buf profiles;
	struct klamm_error first;
	int32_t errors;
};

static void hear(void *arg, const struct klamm_conf_issue *issue)
{
	struct lint *lint = arg;
	KL_AUTO(kl_buf_free) struct kl_buf text = {0}, line = {0};
	if (lint->rules && lint->profile != NULL)
		kl_buf_printf(&text, "profile %s: ", lint->profile);
	kl_buf_printf(&text, "%s", issue->text);
	kl_buf_printf(&line, "%s:%d:%s", issue->file != NULL ? issue->file : "", issue->line,
		      kl_buf_text(&text));
	if (kl_has_line(&lint->told, kl_buf_text(&line)))
		return;
	kl_put_line(&lint->told, kl_buf_text(&line));
	struct klamm_conf_issue copy = *issue;
	copy.text = kl_buf_text(&text);
	if (lint->fn != NULL)
		lint->fn(lint->arg, &copy);
	if (issue->is_error && lint->errors++ > 0)
		return;
	if (issue->is_error && issue->line > 0)
		kl_error(&lint->first, KLAMM_ERR_CONFIG, "%s:%d: %s", issue->file,
			 issue->line, copy.text);
	else if (issue->is_error)
		kl_error(&lint->first, KLAMM_ERR_CONFIG, "%s", copy.text);
}

/* Roles that only one kind of client would set keys for; every role when none stands
 * out. */
static int32_t suggested_roles(const struct klamm_conf *conf)
{
	int32_t roles = 0;
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		int32_t of = kl_conf_row(i)->roles;
		if (conf->values[i].text != NULL && (of & (of - 1)) == 0)
			roles |= of;
	}
	return roles != 0 ? roles : KLAMM_ROLE_ANY;
}

static void free_conf(struct klamm_conf **conf)
{
	klamm_conf_free(*conf);
}

/* CONFIG was heard of; anything else ends the whole. */
static int lint_profile(struct lint *lint, const char *profile, bool rules,
			struct klamm_error *err)
{
	KL_AUTO(free_conf) struct klamm_conf *conf = NULL;
	lint->profile = profile;
	lint->rules = false;
	int rc = klamm_conf_new(&conf, err);
	if (rc == 0)
		rc = klamm_conf_profile(conf, profile, err);
	if (rc == 0)
		rc = klamm_conf_load(conf, lint->path, hear, lint, err);
	if (profile == NULL && conf != NULL) {
		kl_buf_put(&lint->profiles, conf->profiles.data, conf->profiles.len);
		rules = conf->profiles.len == 0;
	}
	if (rc != 0)
		return rc;
	/* With profiles, what stands outside of them need not be whole. */
	lint->rules = true;
	int32_t roles = lint->roles != 0 ? lint->roles : suggested_roles(conf);
	return rules ? klamm_conf_check(conf, roles, hear, lint, err) : 0;
}

static int lint_profiles(struct lint *lint, struct klamm_error *err)
{
	int rc = lint_profile(lint, NULL, false, err);
	for (size_t at = 0; at < lint->profiles.len;) {
		if (rc != 0 && rc != KLAMM_ERR_CONFIG)
			break; /* of what is wrong was heard; the next profile may have more */
		char *name = (char *)lint->profiles.data + at;
		size_t len = strcspn(name, "\n");
		char *copy = strndup(name, len);
		rc = copy != NULL ? lint_profile(lint, copy, true, err)
				  : KLAMM_ERR_NO_MEMORY;
		free(copy);
		at += len + 1;
	}
	return rc;
}

int kl_conf_lint(const char *path, int32_t roles, klamm_conf_issue_fn fn, void *arg,
		 struct klamm_error *err)
{
	struct lint lint = {.fn = fn, .arg = arg, .path = path, .roles = roles};
	int rc = lint_profiles(&lint, err);
	if (rc == KLAMM_ERR_NO_MEMORY || lint.told.failed || lint.profiles.failed)
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", path);
	else if (lint.errors == 1)
		rc = kl_error_copy(err, &lint.first);
	else if (lint.errors > 1)
		rc = kl_error(err, KLAMM_ERR_CONFIG, "%.380s (and %d more)",
			      lint.first.text, lint.errors - 1);
	kl_buf_free(&lint.told);
	kl_buf_free(&lint.profiles);
	return rc;
}
