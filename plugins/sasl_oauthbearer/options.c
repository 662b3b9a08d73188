/* SPDX-License-Identifier: BSD-2-Clause */
/* What is said about tokens in lists: sasl.oauthbearer.config, which is librdkafka's
 * and what the options of Java's OAuthBearerLoginModule become, and
 * sasl.oauthbearer.extensions. */
#include <stdlib.h>

#include "plugins/sasl_oauthbearer/oauth.h"

#define OPTIONS_MAX 64
#define CONFIG      "sasl.oauthbearer.config"

int kl_oauth_secret(const struct klamm_host *host, const char *key, char **text_out,
		    struct klamm_error *err)
{
	struct klamm_error why = {0};
	*text_out = NULL;
	int rc = host->secret_read(host, key, text_out, &why);
	if (rc == 0 || strstr(why.text, "is not set") != NULL)
		return 0;
	if (err != NULL)
		*err = why;
	return rc;
}

/* --- words of a text in which a backslash takes the next character as it is --- */

/* The next word up to one of the stops, unescaped; what stopped it is at *text then. */
static bool read_word(const char **text, const char *stops, struct kl_text *to)
{
	const char *p = *text;
	kl_text_clear(to);
	while (*p != '\0' && strchr(stops, *p) == NULL) {
		if (*p == '\\' && p[1] != '\0')
			p++;
		kl_text_char(to, *p++);
	}
	*text = p;
	return kl_text_reserve(to, 1); /* a text, even an empty one */
}

static int out_of_memory(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
}

static int add_option(struct oauth *o, const struct kl_text *name,
		      const struct kl_text *value, struct klamm_error *err)
{
	if (o->option_count == OPTIONS_MAX)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  CONFIG ": more than %d settings", OPTIONS_MAX);
	struct oauth_pair *pair = &o->options[o->option_count];
	pair->name = strdup(kl_text_get(name));
	pair->value = strdup(kl_text_get(value));
	o->option_count++;
	return pair->name != NULL && pair->value != NULL ? 0 : out_of_memory(err);
}

static int read_config(struct oauth *o, const char *text, struct klamm_error *err)
{
	KL_TEXT_AUTO name = {0};
	KL_TEXT_AUTO value = {0};
	int rc = 0;
	while (rc == 0) {
		text += strspn(text, " \t\r\n");
		if (*text == '\0')
			return 0;
		if (!read_word(&text, "= \t\r\n", &name))
			return out_of_memory(err);
		if (*text++ != '=' || name.len == 0)
			return klamm_fail(err, KLAMM_ERR_CONFIG,
					  CONFIG
					  ": must be NAME=VALUE, separated by blanks");
		if (!read_word(&text, " \t\r\n", &value))
			return out_of_memory(err);
		rc = add_option(o, &name, &value, err);
	}
	return rc;
}

/* NAME=VALUE,NAME=VALUE */
static int read_extensions(struct oauth *o, const char *text, struct klamm_error *err)
{
	KL_TEXT_AUTO name = {0};
	KL_TEXT_AUTO value = {0};
	int rc = 0;
	while (rc == 0 && *text != '\0') {
		if (!read_word(&text, "=,", &name))
			return out_of_memory(err);
		bool has_value = *text == '=';
		text += has_value;
		if (!read_word(&text, ",", &value))
			return out_of_memory(err);
		text += *text == ',';
		rc = kl_oauth_add_extension(
			&o->extensions, (struct klamm_span){name.p, name.len},
			(struct klamm_span){value.p, value.len}, err);
	}
	return rc;
}

static int take_extensions(struct oauth *o, struct klamm_error *err)
{
	static const char prefix[] = "extension_";
	size_t len = sizeof(prefix) - 1;
	int rc = 0;
	for (size_t i = 0; i < o->option_count && rc == 0; i++) {
		const struct oauth_pair *pair = &o->options[i];
		if (strncmp(pair->name, prefix, len) == 0)
			rc = kl_oauth_add_extension(
				&o->extensions,
				(struct klamm_span){pair->name + len,
						    strlen(pair->name) - len},
				(struct klamm_span){pair->value, strlen(pair->value)},
				err);
	}
	return rc;
}

int kl_oauth_read_options(struct oauth *o, struct klamm_error *err)
{
	char *text;
	o->options = calloc(OPTIONS_MAX, sizeof(*o->options));
	if (o->options == NULL)
		return out_of_memory(err);
	int rc = kl_oauth_secret(o->host, CONFIG, &text, err);
	if (rc == 0 && text != NULL)
		rc = read_config(o, text, err);
	o->host->secret_wipe(o->host, text);
	if (rc == 0)
		rc = take_extensions(o, err);
	if (rc == 0 && o->conf->extensions != NULL)
		rc = read_extensions(o, o->conf->extensions, err);
	return rc;
}

void kl_oauth_free_options(struct oauth *o)
{
	for (size_t i = 0; i < o->option_count; i++) {
		free(o->options[i].name);
		o->host->secret_wipe(o->host, o->options[i].value);
	}
	free(o->options);
	kl_text_free(&o->extensions);
}

const char *kl_oauth_option(const struct oauth *o, const char *name)
{
	for (size_t i = 0; i < o->option_count; i++)
		if (strcmp(o->options[i].name, name) == 0)
			return o->options[i].value;
	return NULL;
}
