/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/table.h"

static const struct kl_conf_rows *const groups[] = {
	&kl_conf_common_rows, &kl_conf_producer_rows, &kl_conf_consumer_rows,
	&kl_conf_tls_rows,    &kl_conf_sasl_rows,     &kl_conf_oauth_rows, &kl_conf_aws_rows,
	&kl_conf_klamm_rows,  &kl_conf_others_rows,   &kl_conf_librdkafka_rows,
};

size_t kl_conf_row_count(void)
{
	size_t n = 0;
	for (size_t g = 0; g < kl_countof(groups); g++)
		n += groups[g]->n;
	return n;
}

const struct kl_conf_rows *kl_conf_group(size_t g)
{
	return g < kl_countof(groups) ? groups[g] : NULL;
}

const struct kl_conf_row *kl_conf_row(size_t i)
{
	size_t g = 0;
	while (g < kl_countof(groups) && i >= groups[g]->n)
		i -= groups[g++]->n;
	return g < kl_countof(groups) ? &groups[g]->v[i] : NULL;
}

const char *kl_word(const char *words, size_t i, size_t *len_out)
{
	for (; words != NULL && *words != '\0'; i--) {
		size_t len = strcspn(words, " ");
		*len_out = len;
		if (i == 0)
			return words;
		words += len + (words[len] == ' ');
	}
	return NULL;
}

bool kl_conf_same_name(const char *name, size_t len, const char *key)
{
	for (size_t i = 0; i < len; i++) {
		bool underscore = key[i] == '_' && (name[i] == '.' || name[i] == '-');
		if (name[i] != key[i] && !underscore)
			return false;
	}
	return key[len] == '\0';
}

static bool row_has_name(const struct kl_conf_row *row, const char *key)
{
	if (kl_conf_same_name(row->option.name, strlen(row->option.name), key))
		return true;
	size_t len;
	const char *alias;
	for (size_t i = 0; (alias = kl_word(row->option.aliases, i, &len)) != NULL; i++)
		if (kl_conf_same_name(alias, len, key))
			return true;
	return false;
}

const struct kl_conf_row *kl_conf_find(const char *key, size_t *index_out)
{
	const struct kl_conf_alias *translated = kl_conf_find_alias(key);
	if (translated != NULL)
		key = translated->key;
	size_t index = 0;
	for (size_t g = 0; g < kl_countof(groups); g++) {
		for (size_t i = 0; i < groups[g]->n; i++, index++) {
			if (!row_has_name(&groups[g]->v[i], key))
				continue;
			if (index_out != NULL)
				*index_out = index;
			return &groups[g]->v[i];
		}
	}
	return NULL;
}

const char *kl_conf_default(const struct kl_conf_row *row, int32_t role)
{
	if (role == KLAMM_ROLE_CONSUMER && row->consumer_def != NULL)
		return row->consumer_def;
	if (role == KLAMM_ROLE_ADMIN && row->admin_def != NULL)
		return row->admin_def;
	return row->option.def;
}

static const char *after(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);
	return strncmp(text, prefix, len) == 0 ? text + len : NULL;
}

/* Second words of Kafka's own sasl.* keys: a slip in one of them is not a plugin's
 * option. */
static bool is_kafka_sasl(const char *name, size_t len)
{
	static const char words[] = "client jaas kerberos login oauthbearer";
	size_t n;
	const char *word;
	for (size_t i = 0; (word = kl_word(words, i, &n)) != NULL; i++)
		if (n == len && memcmp(word, name, n) == 0)
			return true;
	return false;
}

bool kl_conf_is_plugin_key(const char *key)
{
	const char *rest = after(key, "key.");
	if (rest == NULL)
		rest = after(key, "value.");
	if (rest == NULL)
		rest = key;
	for (int32_t kind = KLAMM_KIND_CODEC; kind <= KLAMM_KIND_METRICS; kind++) {
		const char *name = after(rest, kl_kind_name(kind));
		if (name == NULL || *name++ != '.')
			continue;
		size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_");
		if (kind == KLAMM_KIND_SASL && is_kafka_sasl(name, len))
			return false;
		return len > 0 && name[len] == '.' && name[len + 1] != '\0';
	}
	return false;
}
