/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration object: one text per row of the table. */
#include "core/conf/conf.h"

#include <klamm/tls.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"
#include "core/conf/jaas.h"
#include "core/conf/object.h"
#include "core/plugin.h"

static const char hidden[] = "[hidden]";

void kl_wipe_textp(char **text)
{
	kl_wipe_text(*text);
}

static void free_value(struct kl_conf_value *value)
{
	kl_wipe_text(value->text);
	kl_wipe_text(value->raw);
	free(value->from);
	*value = (struct kl_conf_value){0};
}

int klamm_conf_new(struct klamm_conf **conf_out, struct klamm_error *err)
{
	struct klamm_conf *conf = calloc(1, sizeof(*conf));
	if (conf != NULL)
		conf->values = calloc(kl_conf_row_count(), sizeof(*conf->values));
	if (conf == NULL || conf->values == NULL) {
		free(conf);
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for a configuration");
	}
	*conf_out = conf;
	return 0;
}

/* Typed values were made from texts that are about to change. */
static void forget_settings(struct klamm_conf *conf)
{
	memset(conf->settings, 0, sizeof(conf->settings));
	kl_arena_free(&conf->arena);
}

void klamm_conf_free(struct klamm_conf *conf)
{
	if (conf == NULL)
		return;
	forget_settings(conf);
	for (size_t i = 0; i < kl_conf_row_count(); i++)
		free_value(&conf->values[i]);
	free(conf->values);
	for (size_t i = 0; conf->derived != NULL && i < kl_conf_row_count(); i++)
		kl_wipe_text(conf->derived[i]);
	free(conf->derived);
	while (conf->extras != NULL) {
		struct kl_conf_extra *extra = conf->extras;
		conf->extras = extra->next;
		free_value(&extra->value);
		free(extra->key);
		free(extra);
	}
	free(conf->profile);
	SSL_CTX_free(conf->ssl_ctx);
	kl_buf_free(&conf->profiles);
	while (conf->plugins != NULL) {
		struct kl_conf_plugin *plugin = conf->plugins;
		conf->plugins = (struct kl_conf_plugin *)plugin->next;
		free(plugin);
	}
	free(conf);
}

static char *copy_text(const char *text, bool is_secret)
{
	return is_secret ? kl_secret_text(text) : strdup(text);
}

static int copy_value(struct kl_conf_value *to, const struct kl_conf_value *from,
		      bool is_secret)
{
	struct kl_conf_value copy = {0};
	if (from->text != NULL)
		copy.text = copy_text(from->text, is_secret);
	if (from->raw != NULL)
		copy.raw = copy_text(from->raw, is_secret);
	if (from->from != NULL)
		copy.from = strdup(from->from);
	if ((from->text != NULL && copy.text == NULL) ||
	    (from->raw != NULL && copy.raw == NULL) ||
	    (from->from != NULL && copy.from == NULL)) {
		free_value(&copy);
		return KLAMM_ERR_NO_MEMORY;
	}
	free_value(to);
	*to = copy;
	return 0;
}

/* The value of a plugin's own key, made when it is not there; NULL: out of memory. */
static struct kl_conf_value *extra_value(struct klamm_conf *conf, const char *key)
{
	for (struct kl_conf_extra *extra = conf->extras; extra != NULL;
	     extra = extra->next)
		if (strcmp(extra->key, key) == 0)
			return &extra->value;
	struct kl_conf_extra *extra = calloc(1, sizeof(*extra));
	char *copy = strdup(key);
	if (extra == NULL || copy == NULL) {
		free(extra);
		free(copy);
		return NULL;
	}
	*extra = (struct kl_conf_extra){.next = conf->extras, .key = copy};
	conf->extras = extra;
	return &extra->value;
}

static bool is_secret_row(size_t index)
{
	return (kl_conf_row(index)->option.flags & KLAMM_OPTION_SECRET) != 0;
}

int kl_conf_keep(struct klamm_conf *conf, size_t index, const char *key,
		 const struct kl_conf_value *value, struct klamm_error *err)
{
	struct kl_conf_value *to =
		index != SIZE_MAX ? &conf->values[index] : extra_value(conf, key);
	bool is_secret = index == SIZE_MAX || is_secret_row(index);
	forget_settings(conf);
	if (to == NULL || copy_value(to, value, is_secret) != 0 || kl_jaas_derive(conf) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a value");
	return 0;
}

static int copy_values(struct klamm_conf *conf, const struct klamm_conf *from)
{
	for (size_t i = 0; i < kl_conf_row_count(); i++)
		if (from->values[i].text != NULL &&
		    copy_value(&conf->values[i], &from->values[i], is_secret_row(i)) != 0)
			return KLAMM_ERR_NO_MEMORY;
	for (const struct kl_conf_extra *e = from->extras; e != NULL; e = e->next) {
		struct kl_conf_value *to = extra_value(conf, e->key);
		if (to == NULL || copy_value(to, &e->value, true) != 0)
			return KLAMM_ERR_NO_MEMORY;
	}
	return kl_jaas_derive(conf);
}

int kl_conf_merge(struct klamm_conf *conf, struct klamm_conf *from,
		  struct klamm_error *err)
{
	/* Room for new keys first: what follows only moves pointers. */
	for (const struct kl_conf_extra *e = from->extras; e != NULL; e = e->next)
		if (extra_value(conf, e->key) == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	forget_settings(conf);
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		if (from->values[i].text == NULL)
			continue;
		free_value(&conf->values[i]);
		conf->values[i] = from->values[i];
		from->values[i] = (struct kl_conf_value){0};
	}
	for (struct kl_conf_extra *e = from->extras; e != NULL; e = e->next) {
		struct kl_conf_value *to = extra_value(conf, e->key);
		free_value(to);
		*to = e->value;
		e->value = (struct kl_conf_value){0};
	}
	if (kl_jaas_derive(conf) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return 0;
}

static int copy_profile(struct klamm_conf *conf, const struct klamm_conf *from)
{
	conf->profile_found = from->profile_found;
	conf->files = from->files;
	kl_buf_put(&conf->profiles, from->profiles.data, from->profiles.len);
	conf->profile = from->profile != NULL ? strdup(from->profile) : NULL;
	bool lost = from->profile != NULL && conf->profile == NULL;
	return lost || conf->profiles.failed ? KLAMM_ERR_NO_MEMORY : 0;
}

static int add_plugin(struct klamm_conf *conf, const struct kl_conf_plugin *plugin)
{
	struct kl_conf_plugin *copy = malloc(sizeof(*copy));
	if (copy == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*copy = *plugin;
	copy->next = conf->plugins;
	conf->plugins = copy;
	return 0;
}

/* Oldest first, so that the order of the copy is that of the original. */
static int copy_plugins(struct klamm_conf *conf, const struct kl_conf_plugin *plugin)
{
	if (plugin == NULL)
		return 0;
	int rc = copy_plugins(conf, plugin->next);
	return rc != 0 ? rc : add_plugin(conf, plugin);
}

int klamm_conf_copy(const struct klamm_conf *conf, struct klamm_conf **conf_out,
		    struct klamm_error *err)
{
	struct klamm_conf *copy;
	int rc = klamm_conf_new(&copy, err);
	if (rc != 0)
		return rc;
	copy->log = conf->log;
	copy->token = conf->token;
	copy->token_arg = conf->token_arg;
	if (klamm_conf_ssl_ctx(copy, conf->ssl_ctx, NULL) != 0 ||
	    copy_values(copy, conf) != 0 || copy_profile(copy, conf) != 0 ||
	    copy_plugins(copy, conf->plugins) != 0) {
		klamm_conf_free(copy);
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for a configuration");
	}
	*conf_out = copy;
	return 0;
}

int klamm_conf_plugin(struct klamm_conf *conf, int32_t kind,
		      const struct klamm_plugin_head *descriptor, void *user,
		      struct klamm_error *err)
{
	if (kind < KLAMM_KIND_CODEC || kind > KLAMM_KIND_METRICS)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"%d is not a kind of plugin", kind);
	if (descriptor == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the descriptor is NULL");
	struct kl_plugin *checked;
	int rc = kl_plugin_check(kind, NULL, descriptor, "given by the application",
				 &checked, err);
	if (rc != 0)
		return rc;
	kl_plugin_free(checked);
	struct kl_conf_plugin plugin = {
		.kind = kind, .descriptor = descriptor, .user = user};
	if (add_plugin(conf, &plugin) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a plugin");
	return 0;
}

const struct kl_conf_plugin *kl_conf_plugins(const struct klamm_conf *conf)
{
	return conf->plugins;
}

int klamm_conf_log(struct klamm_conf *conf, klamm_log_fn fn, void *arg, int32_t level)
{
	struct kl_log log;
	if (!kl_log_init(&log, fn, arg, level))
		return KLAMM_ERR_INVALID_ARGUMENT;
	conf->log = log;
	return 0;
}

const struct kl_log *kl_conf_log(const struct klamm_conf *conf)
{
	return &conf->log;
}

const char *kl_conf_row_text(const struct klamm_conf *conf, size_t index, int32_t role)
{
	const char *text = conf->values[index].text;
	if (text == NULL && conf->derived != NULL)
		text = conf->derived[index];
	return text != NULL ? text : kl_conf_default(kl_conf_row(index), role);
}

static const struct kl_conf_value *find_extra(const struct klamm_conf *conf,
					      const char *key)
{
	for (const struct kl_conf_extra *e = conf->extras; e != NULL; e = e->next)
		if (strcmp(e->key, key) == 0)
			return &e->value;
	return NULL;
}

const char *kl_conf_lookup(const struct klamm_conf *conf, const char *key)
{
	size_t index;
	if (kl_conf_find(key, &index) != NULL)
		return kl_conf_row_text(conf, index, KLAMM_ROLE_PRODUCER);
	const struct kl_conf_value *extra = find_extra(conf, key);
	return extra != NULL ? extra->text : NULL;
}

const struct kl_conf_value *kl_conf_value(const struct klamm_conf *conf, const char *key)
{
	size_t index;
	const struct kl_conf_value *value = kl_conf_find(key, &index) != NULL
						    ? &conf->values[index]
						    : find_extra(conf, key);
	return value != NULL && value->text != NULL ? value : NULL;
}

bool kl_conf_is_set(const struct klamm_conf *conf, const char *key)
{
	size_t index;
	if (kl_conf_value(conf, key) != NULL)
		return true;
	return conf->derived != NULL && kl_conf_find(key, &index) != NULL &&
	       conf->derived[index] != NULL;
}

bool kl_conf_looks_secret(const char *key)
{
	static const char words[] =
		"password passphrase secret token credential private";
	size_t len;
	const char *word;
	for (size_t i = 0; (word = kl_word(words, i, &len)) != NULL; i++)
		if (memmem(key, strlen(key), word, len) != NULL)
			return true;
	return false;
}

const char *klamm_conf_get(const struct klamm_conf *conf, const char *key)
{
	const struct kl_conf_row *row = kl_conf_find(key, NULL);
	bool secret = row != NULL ? (row->option.flags & KLAMM_OPTION_SECRET) != 0
				  : kl_conf_looks_secret(key);
	return secret && kl_conf_is_set(conf, key) ? hidden : kl_conf_lookup(conf, key);
}

/* text: sasl.jaas.config as it is now. */
static int read_from_jaas(const char *text, const char *key, char **text_out,
			  struct klamm_error *err)
{
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas;
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	if (!kl_jaas_parse(text, &jaas, &why))
		return kl_error(err, KLAMM_ERR_CONFIG, "%s: %s", KL_JAAS_KEY,
				kl_buf_text(&why));
	KL_AUTO(kl_wipe_buf) struct kl_buf value = {.is_secret = true};
	if (!kl_jaas_value(&jaas, key, &value))
		return kl_error(err, KLAMM_ERR_CONFIG,
				"%.100s is not set, and %s does not say it", key,
				KL_JAAS_KEY);
	*text_out = value.failed ? NULL : kl_secret_text(kl_buf_text(&value));
	if (*text_out == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %.100s", key);
	return 0;
}

int kl_conf_read_secret(const struct klamm_conf *conf, const char *key, char **text_out,
			struct klamm_error *err)
{
	const struct kl_conf_value *value = kl_conf_value(conf, key);
	const char *from_jaas = NULL;
	if (value == NULL && kl_conf_is_set(conf, key)) {
		from_jaas = kl_conf_find(key, NULL)->option.name;
		value = kl_conf_value(conf, KL_JAAS_KEY);
	}
	if (value == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG, "%.100s is not set", key);
	KL_AUTO(kl_wipe_buf) struct kl_buf now = {.is_secret = true};
	bool used;
	struct klamm_error why = {0};
	const char *given = value->raw != NULL ? value->raw : value->text;
	int rc = kl_conf_expand(given, true, &now, &used, &why);
	if (rc != 0)
		return kl_error(err, rc, "%.100s: %s", key, why.text);
	if (from_jaas != NULL)
		return read_from_jaas(kl_buf_text(&now), from_jaas, text_out, err);
	struct klamm_span text = kl_trim((const char *)now.data, now.len);
	*text_out = kl_secret_copy(text.data, text.len);
	if (*text_out == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %.100s",
				key);
	return 0;
}

void kl_conf_plugin_keys(const struct klamm_conf *conf, const char *prefix,
			 void (*fn)(void *arg, const char *key, const char *value),
			 void *arg)
{
	size_t len = strlen(prefix);
	for (const struct kl_conf_extra *e = conf->extras; e != NULL; e = e->next)
		if (strncmp(e->key, prefix, len) == 0)
			fn(arg, e->key, e->value.text);
}
