/* SPDX-License-Identifier: BSD-2-Clause */
/* Settings of the broker that a mechanism's plugin reads: "sasl.kerberos.keytab=...". */
#include "broker/sasl_settings.h"

#include <stdlib.h>
#include <strings.h>

#include "core/base/error.h"
#include "core/conf/table.h"
#include "core/os/secret.h"

bool kl_dev_sasl_owns_setting(const char *text)
{
	static const char *const starts[] = {"sasl.", "enable.sasl.", "https."};
	for (size_t i = 0; i < kl_countof(starts); i++)
		if (strncmp(text, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static void free_setting(struct kl_dev_sasl_setting *setting)
{
	kl_secret_free(setting->text);
}

void kl_dev_sasl_settings_free(struct kl_dev_sasl_settings *settings)
{
	for (size_t i = 0; i < settings->n; i++)
		free_setting(&settings->v[i]);
	free(settings->v);
	*settings = (struct kl_dev_sasl_settings){0};
}

int kl_dev_sasl_settings_take(struct kl_dev_sasl_settings *settings,
			      const char *const *config, struct klamm_error *err)
{
	size_t n = 0;
	while (config != NULL && config[n] != NULL)
		n++;
	*settings = (struct kl_dev_sasl_settings){0};
	settings->v = calloc(n + 1, sizeof(*settings->v));
	if (settings->v == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for settings");
	for (size_t i = 0; i < n; i++) {
		if (!kl_dev_sasl_owns_setting(config[i]))
			continue;
		if (strchr(config[i], '=') == NULL)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"%s: a broker's setting is KEY=VALUE", config[i]);
		struct kl_dev_sasl_setting *setting = &settings->v[settings->n];
		setting->text = kl_secret_text(config[i]);
		if (setting->text == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for settings");
		setting->value = strchr(setting->text, '=');
		*setting->value++ = '\0';
		settings->n++;
	}
	return 0;
}

/* The last one counts. */
const char *kl_dev_sasl_setting(void *arg, const char *key)
{
	const struct kl_dev_sasl_settings *settings = arg;
	for (size_t i = settings->n; i-- > 0;)
		if (strcmp(settings->v[i].text, key) == 0)
			return settings->v[i].value;
	return NULL;
}

static bool has_name(const struct klamm_option *row, const char *key)
{
	size_t n;
	const char *alias;
	if (strcmp(row->name, key) == 0)
		return true;
	for (size_t i = 0; row->aliases != NULL &&
			   (alias = kl_word(row->aliases, i, &n)) != NULL;
	     i++)
		if (strlen(key) == n && memcmp(alias, key, n) == 0)
			return true;
	return false;
}

void kl_dev_sasl_settings_know(struct kl_dev_sasl_settings *settings,
			       const struct kl_plugin *plugin)
{
	const struct klamm_option *row;
	for (size_t i = 0; i < settings->n; i++)
		for (size_t j = 0; (row = kl_plugin_option(plugin, j)) != NULL; j++)
			settings->v[i].known |= has_name(row, settings->v[i].text);
}

int kl_dev_sasl_settings_check(const struct kl_dev_sasl_settings *settings,
			       struct klamm_error *err)
{
	for (size_t i = 0; i < settings->n; i++)
		if (!settings->v[i].known)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"%s: no SASL mechanism that is enabled has such "
					"a setting",
					settings->v[i].text);
	return 0;
}
