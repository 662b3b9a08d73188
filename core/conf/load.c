/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files: everything that is wrong is told in one pass, and then nothing is kept.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/conf/object.h"
#include "core/conf/properties.h"

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

struct load {
	struct klamm_conf *staged; /* what the file sets */
	int32_t *lines;		   /* where each row was set, by number; 0 = not yet */
	bool lenient;	       /* a Java file: unknown keys are Java's own business */
	struct kl_buf unknown; /* keys that were noted, one a line */
	struct kl_issues issues;
};

static void free_load(struct load *load)
{
	klamm_conf_free(load->staged);
	free(load->lines);
	kl_buf_free(&load->unknown);
}

static bool is_unknown(const char *key)
{
	return kl_conf_find(key, NULL) == NULL && !kl_conf_is_plugin_key(key) &&
	       strncmp(key, "config.providers.", 17) != 0;
}

/* Once for each key, however often it stands in the file. */
static bool was_noted(struct load *load, const char *key)
{
	KL_AUTO(kl_buf_free) struct kl_buf line = {0};
	kl_buf_printf(&line, "\n%s\n", key);
	if (strstr(kl_buf_text(&load->unknown), kl_buf_text(&line)) != NULL)
		return true;
	kl_buf_put(&load->unknown, line.data, line.len);
	return false;
}

static void note_repeated(struct load *load, const char *key, int32_t line)
{
	size_t index;
	const struct kl_conf_row *row = kl_conf_find(key, &index);
	if (row == NULL)
		return;
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	if (load->lines[index] != 0) {
		kl_buf_printf(&text, "%.100s: set again; line %d no longer counts", key,
			      load->lines[index]);
		kl_issue(&load->issues, line, false, key, kl_buf_text(&text));
	}
	load->lines[index] = line;
}

/* NO_MEMORY; anything else is an issue and the reading goes on. */
static int load_pair(struct load *load, const char *key, const char *value,
		     int32_t line)
{
	KL_AUTO(kl_buf_free) struct kl_buf note = {0};
	struct klamm_error err = {0};
	int rc = kl_conf_put(load->staged, key, value, &note, &err);
	if (rc == KLAMM_ERR_NO_MEMORY)
		return rc;
	bool forgiven = rc != 0 && load->lenient && is_unknown(key);
	if (forgiven && was_noted(load, key))
		return 0;
	if (rc != 0) {
		kl_issue(&load->issues, line, !forgiven, key, err.text);
		return 0;
	}
	if (note.len > 0)
		kl_issue(&load->issues, line, false, key, kl_buf_text(&note));
	note_repeated(load, key, line);
	return 0;
}

static int load_pairs(struct load *load, const char *text, size_t len)
{
	KL_AUTO(kl_properties_free) struct kl_properties r;
	kl_properties_init(&r, text, len);
	while (kl_properties_next(&r)) {
		const char *key = kl_buf_text(&r.key);
		if (r.why != NULL) {
			kl_issue(&load->issues, r.line, true, key, r.why);
			continue;
		}
		int rc = load_pair(load, key, kl_buf_text(&r.value), r.line);
		if (rc != 0)
			return rc;
	}
	return kl_properties_failed(&r) ? KLAMM_ERR_NO_MEMORY : 0;
}

static bool is_java_file(const char *name)
{
	static const char suffix[] = ".properties";
	size_t len = strlen(name), n = sizeof(suffix) - 1;
	return len >= n && strcmp(name + len - n, suffix) == 0;
}

int klamm_conf_load_text(struct klamm_conf *conf, const char *name, const char *text,
			 size_t len, klamm_conf_issue_fn fn, void *arg,
			 struct klamm_error *err)
{
	KL_AUTO(free_load)
	struct load load = {
		.lenient = is_java_file(name),
		.issues = {.fn = fn, .arg = arg, .log = &conf->log, .file = name},
	};
	int rc = klamm_conf_new(&load.staged, err);
	if (rc != 0)
		return rc;
	load.lines = calloc(kl_conf_row_count(), sizeof(*load.lines));
	kl_buf_put(&load.unknown, "\n", 1);
	if (load.lines == NULL || load_pairs(&load, text, len) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", name);
	rc = kl_issues_result(&load.issues, err);
	return rc != 0 ? rc : kl_conf_merge(conf, load.staged, err);
}

int klamm_conf_load(struct klamm_conf *conf, const char *path, klamm_conf_issue_fn fn,
		    void *arg, struct klamm_error *err)
{
	char *data;
	size_t len;
	int rc = kl_conf_read_file(path, &data, &len, err);
	if (rc != 0)
		return rc;
	rc = klamm_conf_load_text(conf, path, data, len, fn, arg, err);
	explicit_bzero(data, len);
	free(data);
	return rc;
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

int kl_conf_lint(const char *path, int32_t roles, klamm_conf_issue_fn fn, void *arg,
		 struct klamm_error *err)
{
	struct klamm_conf *conf;
	int rc = klamm_conf_new(&conf, err);
	if (rc != 0)
		return rc;
	rc = klamm_conf_load(conf, path, fn, arg, err);
	if (rc == 0 && roles == 0)
		roles = suggested_roles(conf);
	if (rc == 0)
		rc = klamm_conf_check(conf, roles, fn, arg, err);
	klamm_conf_free(conf);
	return rc;
}
