/* SPDX-License-Identifier: BSD-2-Clause */
/* Making and ending an instance: its options, its open() and close(). */
#include "core/plugin.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"

#define KEY_MAX 256

/* The first of prefix + name, name and the aliases that has a text; key says which. */
static const char *look_up(const struct kl_instance *instance, const struct klamm_option *row,
			   char key[static KEY_MAX])
{
	const char *text = NULL;
	if (instance->lookup == NULL)
		return NULL;
	if (instance->api.prefix[0] != '\0') {
		snprintf(key, KEY_MAX, "%s%s", instance->api.prefix, row->name);
		text = instance->lookup(instance->lookup_arg, key);
	}
	if (text == NULL) {
		snprintf(key, KEY_MAX, "%s", row->name);
		text = instance->lookup(instance->lookup_arg, key);
	}
	const char *p = row->aliases != NULL ? row->aliases : "";
	while (text == NULL && *p != '\0') {
		size_t n = strcspn(p, " ");
		snprintf(key, KEY_MAX, "%.*s", (int)n, p);
		if (n > 0)
			text = instance->lookup(instance->lookup_arg, key);
		p += n + (p[n] == ' ');
	}
	return text;
}

static int fill_option(struct kl_instance *instance, const struct klamm_option *row,
		       struct klamm_error *err)
{
	char key[KEY_MAX];
	snprintf(key, sizeof(key), "%s", row->name);
	const char *text = look_up(instance, row, key);
	if (text == NULL)
		text = row->def;
	if (text == NULL && row->flags & KLAMM_OPTION_REQUIRED)
		return kl_error(err, KLAMM_ERR_CONFIG, "%s must be set: %s", row->name,
				row->doc != NULL ? row->doc : "it has no default");
	if (text == NULL || row->flags & KLAMM_OPTION_SECRET)
		return 0;
	/* In a sentence about it, the row goes by the name that was used. */
	struct klamm_option used = *row;
	if (text != row->def)
		used.name = key;
	return kl_option_store(&used, text, &instance->strings, instance->conf, err);
}

static int fill_options(struct kl_instance *instance, struct klamm_error *err)
{
	size_t size = instance->plugin->head.conf_size;
	if (size == 0)
		return 0;
	instance->conf = calloc(1, size);
	if (instance->conf == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for the options");
	const struct klamm_option *row;
	for (size_t i = 0; (row = kl_plugin_option(instance->plugin, i)) != NULL; i++) {
		int rc = fill_option(instance, row, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static void release(struct kl_instance *instance)
{
	free(instance->conf);
	kl_arena_free(&instance->strings);
	*instance = (struct kl_instance){0};
}

int kl_plugin_open(const struct kl_plugin *plugin, struct kl_host *host, const char *role,
		   kl_lookup_fn lookup, void *arg, struct kl_instance *instance_out,
		   struct klamm_error *err)
{
	struct kl_instance *instance = instance_out;
	*instance = (struct kl_instance){
		.plugin = plugin,
		.lookup = lookup,
		.lookup_arg = arg,
	};
	kl_host_join(host, instance, role);
	int rc = fill_options(instance, err);
	if (rc == 0 && plugin->head.open != NULL) {
		kl_error_clear(err);
		rc = plugin->head.open(&instance->api, instance->conf, &instance->self, err);
		if (rc != 0 && err != NULL && err->code == 0)
			kl_error(err, rc, "it does not open, and says no more");
	}
	if (rc == 0)
		return 0;
	kl_error_prefix(err, "%s %s", kl_kind_word(plugin->kind), plugin->head.name);
	kl_host_leave(instance);
	release(instance);
	return rc;
}

void kl_plugin_close(struct kl_instance *instance)
{
	if (instance->plugin == NULL)
		return;
	kl_host_leave(instance);
	if (instance->plugin->head.close != NULL)
		instance->plugin->head.close(instance->self);
	release(instance);
}
