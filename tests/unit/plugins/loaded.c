/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/plugins/loaded.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

bool is_shipped(int32_t kind, const char *name)
{
	char word[100];
	snprintf(word, sizeof(word), " %s_%s ", kl_kind_word(kind), name);
	return strstr(" " SHIPPED " ", word) != NULL;
}

const char *lookup_setting(void *settings, const char *key)
{
	const struct setting *s = settings;
	for (; s != NULL && s->key != NULL; s++)
		if (strcmp(s->key, key) == 0)
			return s->value;
	return NULL;
}

struct loaded *loaded_new(int32_t kind, const char *name, const char *role,
			  const struct setting *settings)
{
	struct loaded *l = calloc(1, sizeof(*l));
	ck_assert_ptr_nonnull(l);
	struct klamm_error err = {0};
	ck_assert_int_eq(kl_host_init(&l->host, kl_os_real(), NULL, NULL, NULL, &err), 0);
	int rc = kl_plugin_load(kind, name, &(struct kl_plugin_search){0}, &l->plugin, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	rc = kl_plugin_open(l->plugin, &l->host, role, lookup_setting, (void *)settings,
			    &l->instance, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return l;
}

void loaded_free(struct loaded *l)
{
	kl_plugin_close(&l->instance);
	kl_plugin_free(l->plugin);
	ck_assert_uint_eq(atomic_load(&l->host.quota.used), 0);
	kl_host_free(&l->host);
	free(l);
}
