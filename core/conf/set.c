/* SPDX-License-Identifier: BSD-2-Clause */
/* One key gets a value: variables, spelling, range, and what the row's status says. */
#include <strings.h>

#include "core/base/error.h"
#include "core/conf/object.h"
#include "core/base/option.h"

/* How a value may be shown: not when it is secret, and before variables were replaced.
 */
static const char *shown(const struct kl_conf_row *row, const char *given)
{
	return row->option.flags & KLAMM_OPTION_SECRET ? "[hidden]" : given;
}

static int unknown_key(const char *key, struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf near = {0};
	const char *name = kl_conf_nearest(key, &near, NULL);
	if (name == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s: no such key", key);
	return kl_error(err, KLAMM_ERR_CONFIG, "%.100s: no such key; did you mean %s?",
			key, name);
}

static bool is_word_of(const char *words, const char *text)
{
	size_t len = strlen(text), n;
	for (const char *p = words; p != NULL && *p != '\0'; p += n + (p[n] == ' ')) {
		n = strcspn(p, " ");
		if (n == len && strncmp(p, text, n) == 0)
			return true;
	}
	return false;
}

static bool is_off(const struct kl_conf_row *row, const char *text)
{
	static const int32_t roles[] = {KLAMM_ROLE_PRODUCER, KLAMM_ROLE_CONSUMER,
					KLAMM_ROLE_ADMIN};
	for (size_t i = 0; i < kl_countof(roles); i++) {
		const char *def = kl_conf_default(row, roles[i]);
		if (def != NULL && strcasecmp(text, def) == 0)
			return true;
	}
	return false;
}

/* What the row's status has to say about a good value. */
static int judge(const struct kl_conf_row *row, const char *key, const char *given,
		 const char *text, struct kl_buf *note, struct klamm_error *err)
{
	switch (row->status) {
	case KL_STATUS_INSTEAD:
		if (is_off(row, text))
			return 0;
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s = %.80s: %s%s%s%s", key,
				shown(row, given), row->owner != NULL ? "belongs to " : "",
				row->owner != NULL ? row->owner : "",
				row->owner != NULL ? "; " : "", row->instead);
	case KL_STATUS_JVM:
		if (is_word_of(row->also, text))
			return 0;
		kl_buf_printf(note, "%.100s: only means something to a JVM; ignored",
			      key);
		return 0;
	case KL_STATUS_OTHER:
		if (is_word_of(row->also, text))
			return 0;
		kl_buf_printf(note, "%.100s: belongs to %s; ignored%s%s", key, row->owner,
			      row->instead != NULL ? "; " : "",
			      row->instead != NULL ? row->instead : "");
		return 0;
	default:
		return 0;
	}
}

/* One value on its way into the configuration. */
struct put {
	const char *key, *given, *from;
	const char *expanded; /* given, when it holds no variable */
	struct kl_buf *note;
};

static int put_row(struct klamm_conf *conf, size_t index, const struct put *put,
		   struct klamm_error *err)
{
	const struct kl_conf_row *row = kl_conf_row(index);
	const struct kl_conf_alias *alias = kl_conf_find_alias(put->key);
	bool is_secret = (row->option.flags & KLAMM_OPTION_SECRET) != 0;
	KL_AUTO(kl_wipe_buf) struct kl_buf translated = {.is_secret = is_secret};
	KL_AUTO(kl_wipe_buf) struct kl_buf normal = {.is_secret = is_secret};
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	const char *text = put->expanded;
	bool good = alias == NULL || kl_conf_translate(alias, text, &translated, &why);
	if (alias != NULL)
		text = kl_buf_text(&translated);
	if (!good || !kl_conf_normal(row, text, &normal, &why))
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s = %.80s: %s", put->key,
				shown(row, put->given), kl_buf_text(&why));
	text = kl_buf_text(&normal);
	if (normal.failed || translated.failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a value");
	int rc = judge(row, put->key, put->given, text, put->note, err);
	if (rc != 0)
		return rc;
	return kl_conf_keep(conf, index, put->key,
			    &(struct kl_conf_value){
				    .text = (char *)text,
				    .raw = put->given != put->expanded
						   ? (char *)put->given
						   : NULL,
				    .from = (char *)put->from,
			    },
			    err);
}

int kl_conf_put(struct klamm_conf *conf, const char *key, const char *value,
		const char *from, struct kl_buf *note, struct klamm_error *err)
{
	size_t index, edits;
	bool known = kl_conf_find(key, &index) != NULL;
	kl_buf_clear(note);
	if (!known && strncmp(key, "config.providers.", 17) == 0) {
		kl_buf_printf(note, "%.100s: only means something to a JVM; ignored",
			      key);
		return 0;
	}
	KL_AUTO(kl_buf_free) struct kl_buf near = {0};
	if (!known && (!kl_conf_is_plugin_key(key) ||
		       (kl_conf_nearest(key, &near, &edits) != NULL && edits <= 2)))
		return unknown_key(key, err);

	bool is_secret = known ? (kl_conf_row(index)->option.flags & KLAMM_OPTION_SECRET) != 0
			       : kl_conf_looks_secret(key);
	KL_AUTO(kl_wipe_buf) struct kl_buf expanded = {.is_secret = true};
	bool used;
	struct klamm_error why = {0};
	int rc = kl_conf_expand(value, is_secret, &expanded, &used, &why);
	if (rc != 0)
		return kl_error(err, rc, "%.100s: %s", key, why.text);
	struct put put = {
		.key = key,
		.given = value,
		.from = from,
		.expanded = used ? kl_buf_text(&expanded) : value,
		.note = note,
	};
	if (known)
		return put_row(conf, index, &put, err);
	return kl_conf_keep(conf, SIZE_MAX, key,
			    &(struct kl_conf_value){
				    .text = (char *)put.expanded,
				    .raw = used ? (char *)value : NULL,
				    .from = (char *)from,
			    },
			    err);
}

int kl_conf_set_from(struct klamm_conf *conf, const char *key, const char *value,
		     const char *from, struct klamm_error *err)
{
	if (key == NULL || value == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"key or value is NULL");
	KL_AUTO(kl_buf_free) struct kl_buf note = {0};
	int rc = kl_conf_put(conf, key, value, from, &note, err);
	if (rc == 0 && note.len > 0)
		kl_log(&conf->log, KL_LOG_WARN, "conf", "%s", kl_buf_text(&note));
	return rc;
}

int klamm_conf_set(struct klamm_conf *conf, const char *key, const char *value,
		   struct klamm_error *err)
{
	return kl_conf_set_from(conf, key, value, "the program", err);
}

int kl_conf_set_pair_from(struct klamm_conf *conf, const char *pair, const char *from,
			  struct klamm_error *err)
{
	const char *eq = pair != NULL ? strchr(pair, '=') : NULL;
	if (eq == NULL || eq == pair)
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s: must be key=value",
				pair != NULL ? pair : "(null)");
	struct klamm_span name = kl_trim(pair, (size_t)(eq - pair));
	KL_AUTO(kl_buf_free) struct kl_buf key = {0};
	kl_buf_put(&key, name.data, name.len);
	return kl_conf_set_from(conf, kl_buf_text(&key), eq + 1, from, err);
}

int klamm_conf_set_pair(struct klamm_conf *conf, const char *pair,
			struct klamm_error *err)
{
	return kl_conf_set_pair_from(conf, pair, "the program", err);
}
