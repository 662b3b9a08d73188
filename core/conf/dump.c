/* SPDX-License-Identifier: BSD-2-Clause */
/* What is in effect, and where it came from. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"
#include "core/conf/conf.h"
#include "core/conf/jaas.h"
#include "core/conf/object.h"

/* Keys that go by others when they have to; see follow() in settings.c. */
static const struct {
	const char *key, *others;
} followers[] = {
	{"delivery.timeout.ms", "linger.ms and request.timeout.ms"},
	{"default.api.timeout.ms", "request.timeout.ms"},
	{"klamm.receive.message.max", "fetch.max.bytes and max.partition.fetch.bytes"},
};

struct dump {
	const struct klamm_conf *conf;
	kl_conf_entry_fn fn;
	void *arg;
	struct kl_settings settings[3]; /* by role >> 1 */
};

/* The ${...} of a value: their names are not secret, what stands between them may be. */
static void put_variables(const char *raw, struct kl_buf *out)
{
	const char *sep = " from ", *open;
	while (raw != NULL && (open = strstr(raw, "${")) != NULL) {
		size_t len = strcspn(open, "}");
		raw = open[len] == '}' ? open + len + 1 : NULL;
		if (raw == NULL || memchr(open, ':', len) == NULL)
			continue;
		kl_buf_printf(out, "%s%.*s", sep, (int)len + 1, open);
		sep = ", ";
	}
}

/* value: of the key itself; NULL when it has none. */
static void put_from(const struct klamm_conf *conf, const char *key,
		     const struct kl_conf_value *value, struct kl_buf *out)
{
	const char *also = "";
	if (value == NULL && kl_conf_is_set(conf, key)) {
		value = kl_conf_value(conf, KL_JAAS_KEY);
		also = ", by " KL_JAAS_KEY;
	}
	if (value == NULL) {
		kl_buf_printf(out, "default");
		return;
	}
	kl_buf_printf(out, "%s%s", value->from != NULL ? value->from : "the program", also);
	put_variables(value->raw, out);
}

/* When the settings say something else than the text, because the key follows others. */
static void follow(const struct kl_settings *settings, const struct kl_conf_row *row,
		   struct kl_buf *text, struct kl_buf *from)
{
	const struct klamm_option *o = &row->option;
	int64_t was, is;
	size_t i = 0;
	while (i < kl_countof(followers) && strcmp(followers[i].key, o->name) != 0)
		i++;
	if (i == kl_countof(followers) ||
	    !kl_parse_int((const char *)text->data, text->len, &was))
		return;
	const char *at = (const char *)settings + o->offset;
	is = o->type == KLAMM_OPTION_LONG ? *(const int64_t *)at : *(const int32_t *)at;
	if (is == was)
		return;
	kl_buf_clear(text);
	kl_buf_printf(text, "%lld", (long long)is);
	kl_buf_printf(from, ", raised for %s", followers[i].others);
}

/* Folders of the environment come before those of the key. */
static void put_plugin_path(struct kl_buf *text, struct kl_buf *from)
{
	const char *path = secure_getenv("KLAMM_PLUGIN_PATH");
	if (path == NULL || *path == '\0')
		return;
	KL_AUTO(kl_buf_free) struct kl_buf folders = {0};
	for (const char *p = path; *p != '\0'; p++)
		kl_buf_put(&folders, *p == ':' ? "," : p, 1);
	kl_buf_printf(&folders, ",%s", kl_buf_text(text));
	bool failed = text->failed || folders.failed;
	kl_buf_clear(text);
	kl_buf_put(text, folders.data, folders.len);
	text->failed |= failed;
	kl_buf_printf(from, ", after KLAMM_PLUGIN_PATH of the environment");
}

struct found {
	struct kl_buf text, from;
	int32_t roles;
};

static void free_found(struct found *found)
{
	kl_wipe_buf(&found->text);
	kl_buf_free(&found->from);
}

static bool has_failed(const struct found *found)
{
	return found->text.failed || found->from.failed;
}

static void find(const struct dump *dump, size_t index, int32_t role, struct found *found)
{
	const struct kl_conf_row *row = kl_conf_row(index);
	const struct kl_conf_value *value = kl_conf_value(dump->conf, row->option.name);
	const char *text = kl_conf_row_text(dump->conf, index, role);
	found->roles = role;
	kl_buf_clear(&found->text);
	kl_buf_clear(&found->from);
	kl_buf_put(&found->text, text, strlen(text));
	put_from(dump->conf, row->option.name, value, &found->from);
	follow(&dump->settings[role >> 1], row, &found->text, &found->from);
	if (strcmp(row->option.name, "plugin.path") == 0)
		put_plugin_path(&found->text, &found->from);
}

static void tell(const struct dump *dump, const char *key, bool secret, struct found *found,
		 int32_t of)
{
	const char *from = kl_buf_text(&found->from);
	struct kl_conf_entry entry = {
		.key = key,
		.value = secret ? NULL : kl_buf_text(&found->text),
		.roles = found->roles,
		.of = of,
		.is_default = strcmp(from, "default") == 0,
		.from = from,
	};
	dump->fn(dump->arg, &entry);
}

static bool same(struct found *a, struct found *b)
{
	return strcmp(kl_buf_text(&a->text), kl_buf_text(&b->text)) == 0 &&
	       strcmp(kl_buf_text(&a->from), kl_buf_text(&b->from)) == 0;
}

/* One entry for all roles with the same value. */
static int dump_row(const struct dump *dump, size_t index, int32_t roles)
{
	const struct kl_conf_row *row = kl_conf_row(index);
	bool secret = row->option.flags & KLAMM_OPTION_SECRET;
	struct found found[3] = {0};
	bool failed = false;
	size_t n = 0;
	for (int32_t role = 1; role <= KLAMM_ROLE_ADMIN; role <<= 1) {
		if ((row->roles & roles & role) == 0 ||
		    kl_conf_row_text(dump->conf, index, role) == NULL)
			continue;
		find(dump, index, role, &found[n]);
		size_t i = 0;
		while (i < n && !same(&found[i], &found[n]))
			i++;
		failed |= has_failed(&found[n]);
		found[i].roles |= role;
		n += i == n;
	}
	for (size_t i = 0; i < n; i++) {
		tell(dump, row->option.name, secret, &found[i], row->roles & roles);
		failed |= has_failed(&found[i]);
	}
	for (size_t i = 0; i < kl_countof(found); i++)
		free_found(&found[i]);
	return failed ? KLAMM_ERR_NO_MEMORY : 0;
}

static int dump_extras(const struct dump *dump, int32_t roles)
{
	int rc = 0;
	for (const struct kl_conf_extra *e = dump->conf->extras; e != NULL; e = e->next) {
		KL_AUTO(free_found) struct found found = {.roles = roles};
		kl_buf_put(&found.text, e->value.text, strlen(e->value.text));
		put_from(dump->conf, e->key, &e->value, &found.from);
		tell(dump, e->key, kl_conf_looks_secret(e->key), &found, roles);
		if (has_failed(&found))
			rc = KLAMM_ERR_NO_MEMORY;
	}
	return rc;
}

/* Has the row a say in anything? */
static bool in_effect(const struct klamm_conf *conf, size_t index)
{
	const struct kl_conf_row *row = kl_conf_row(index);
	return row->status == KL_STATUS_WORKS ||
	       (row->status == KL_STATUS_INSTEAD && row->owner == NULL &&
		conf->values[index].text != NULL);
}

int kl_conf_dump(const struct klamm_conf *conf, int32_t roles, kl_conf_entry_fn fn, void *arg,
		 struct klamm_error *err)
{
	struct dump dump = {.conf = conf, .fn = fn, .arg = arg};
	struct kl_arena arena = {0};
	int rc = 0;
	for (int32_t role = 1; role <= KLAMM_ROLE_ADMIN && rc == 0; role <<= 1)
		rc = kl_conf_fill(conf, role, &dump.settings[role >> 1], &arena);
	for (size_t i = 0; i < kl_conf_row_count() && rc == 0; i++)
		if (in_effect(conf, i))
			rc = dump_row(&dump, i, roles);
	if (rc == 0)
		rc = dump_extras(&dump, roles);
	kl_arena_free(&arena);
	return rc != 0 ? kl_error(err, rc, "out of memory") : 0;
}
