/* SPDX-License-Identifier: BSD-2-Clause */
/* Is a descriptor one that this klamm can use? Each refusal is a sentence of its own. */
#include "core/plugin.h"

#include <stdlib.h>

#include "config.h"
#include "core/base/error.h"
#include "core/base/option.h"

/* More rows than this have no end. */
#define OPTIONS_MAX 1000

/* --- kinds --- */

struct member {
	const char *name;
	size_t offset;
	size_t size; /* it is there when any of its bytes is not 0 */
};
#define MEMBER(kind, member)                                                            \
	{                                                                                \
		#member, offsetof(struct klamm_##kind##_plugin, member),                 \
			sizeof(((struct klamm_##kind##_plugin *)0)->member)              \
	}

static const struct member codec_members[] = {
	MEMBER(codec, wire_id), MEMBER(codec, compress), MEMBER(codec, decompress), {NULL}};
static const struct member partitioner_members[] = {MEMBER(partitioner, pick), {NULL}};
static const struct member assignor_members[] = {
	MEMBER(assignor, protocol_name), MEMBER(assignor, protocols),
	MEMBER(assignor, assign), {NULL}};
static const struct member sasl_members[] = {
	MEMBER(sasl, mechanism), MEMBER(sasl, session_new), MEMBER(sasl, step),
	MEMBER(sasl, session_free), {NULL}};
static const struct member serializer_members[] = {
	MEMBER(serializer, encode), MEMBER(serializer, decode), {NULL}};
static const struct member metrics_members[] = {MEMBER(metrics, report), {NULL}};

#define KIND(kind)                                                                      \
	{                                                                                \
		#kind, KLAMM_ABI_##kind, sizeof(struct klamm_##kind##_plugin),           \
			kind##_members                                                   \
	}
static const struct kind {
	const char *word;
	uint32_t abi;
	size_t size;
	const struct member *members; /* the mandatory ones */
} kinds[] = {
	[KLAMM_KIND_CODEC] = KIND(codec),
	[KLAMM_KIND_PARTITIONER] = KIND(partitioner),
	[KLAMM_KIND_ASSIGNOR] = KIND(assignor),
	[KLAMM_KIND_SASL] = KIND(sasl),
	[KLAMM_KIND_SERIALIZER] = KIND(serializer),
	[KLAMM_KIND_METRICS] = KIND(metrics),
};

const char *kl_kind_word(int32_t kind)
{
	return kind > 0 && kind < (int32_t)kl_countof(kinds) ? kinds[kind].word : NULL;
}

int32_t kl_kind(const char *word)
{
	for (int32_t kind = 1; kind < (int32_t)kl_countof(kinds); kind++)
		if (strcmp(kinds[kind].word, word) == 0)
			return kind;
	return 0;
}

/* --- checks --- */

static int check_kind(int32_t kind, const struct klamm_plugin_head *head, const char *origin,
		      struct klamm_error *err)
{
	const struct kind *want = &kinds[kind];
	const char *is = kl_kind_word((int32_t)(head->abi >> 16));
	if (head->abi >> 16 != (uint32_t)kind)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s is of the kind %s, not %s", origin,
				is != NULL ? is : "(none known)", want->word);
	if (head->abi != want->abi)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s was built for ABI %u of %s plugins; this is klamm "
				PACKAGE_VERSION " with ABI %u", origin, head->abi & 0xffff,
				want->word, want->abi & 0xffff);
	if (head->size < sizeof(*head))
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s has a descriptor of %u bytes; the head alone "
				"takes %zu",
				origin, head->size, sizeof(*head));
	return 0;
}

static bool is_there(const struct kl_plugin *plugin, const struct member *member)
{
	const uint8_t *p = (const uint8_t *)&plugin->head + member->offset;
	for (size_t i = 0; i < member->size; i++)
		if (p[i] != 0)
			return true;
	return false;
}

static int check_members(const struct kl_plugin *plugin, struct klamm_error *err)
{
	const struct kind *kind = &kinds[plugin->kind];
	const char *missing = NULL;
	if (plugin->head.name == NULL)
		missing = "name";
	else if (plugin->head.summary == NULL)
		missing = "summary";
	for (const struct member *m = kind->members; missing == NULL && m->name != NULL; m++)
		if (!is_there(plugin, m))
			missing = m->name;
	if (missing == NULL && plugin->kind == KLAMM_KIND_SASL &&
	    plugin->sasl.accept_new != NULL && plugin->sasl.accept_step == NULL)
		missing = "accept_step";
	if (missing == NULL)
		return 0;
	return kl_error(err, KLAMM_ERR_PLUGIN,
			"plugin %s lacks %s, which every %s plugin must have (its descriptor "
			"has %u bytes, klamm's %zu)", plugin->origin, missing, kind->word,
			plugin->size, kind->size);
}

static int check_options(const struct kl_plugin *plugin, struct klamm_error *err)
{
	const struct klamm_plugin_head *head = &plugin->head;
	if (head->options == NULL)
		return 0;
	if (head->option_size < sizeof(struct klamm_option) ||
	    head->option_size % _Alignof(struct klamm_option) != 0)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"plugin %s has option rows of %zu bytes; they take %zu or "
				"more",
				plugin->origin, head->option_size,
				sizeof(struct klamm_option));
	const struct klamm_option *row;
	for (size_t i = 0; (row = kl_plugin_option(plugin, i)) != NULL; i++) {
		struct klamm_error why;
		if (i == OPTIONS_MAX)
			return kl_error(err, KLAMM_ERR_PLUGIN,
					"plugin %s has option rows without an end",
					plugin->origin);
		if (kl_option_check_row(row, head->conf_size, &why) != 0)
			return kl_error(err, KLAMM_ERR_PLUGIN, "plugin %s: %s",
					plugin->origin, why.text);
	}
	return 0;
}

static int check_all(const struct kl_plugin *plugin, const char *word,
		     struct klamm_error *err)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789_";
	const char *name = plugin->head.name;
	int rc = check_members(plugin, err);
	if (rc == 0 && (name[0] == '\0' || name[strspn(name, allowed)] != '\0'))
		rc = kl_error(err, KLAMM_ERR_PLUGIN,
			      "plugin %s calls itself \"%.64s\"; a name is made of a-z, "
			      "0-9 and _",
			      plugin->origin, name);
	if (rc == 0 && word != NULL && strcmp(name, word) != 0)
		rc = kl_error(err, KLAMM_ERR_PLUGIN, "plugin %s calls itself %.64s, not %s",
			      plugin->origin, name, word);
	return rc == 0 ? check_options(plugin, err) : rc;
}

int kl_plugin_check(int32_t kind, const char *word, const struct klamm_plugin_head *head,
		    const char *origin, struct kl_plugin **plugin_out,
		    struct klamm_error *err)
{
	int rc = check_kind(kind, head, origin, err);
	if (rc != 0)
		return rc;
	struct kl_plugin *plugin = calloc(1, sizeof(*plugin));
	if (plugin != NULL)
		plugin->origin = strdup(origin);
	if (plugin == NULL || plugin->origin == NULL) {
		free(plugin);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for plugin %s",
				origin);
	}
	plugin->kind = kind;
	plugin->size = head->size;
	memcpy(&plugin->head, head, kl_min((size_t)head->size, kinds[kind].size));
	rc = check_all(plugin, word, err);
	if (rc != 0) {
		kl_plugin_free(plugin);
		return rc;
	}
	*plugin_out = plugin;
	return 0;
}

void kl_plugin_free(struct kl_plugin *plugin)
{
	if (plugin == NULL)
		return;
	free(plugin->origin);
	free(plugin);
}

const struct klamm_option *kl_plugin_option(const struct kl_plugin *plugin, size_t i)
{
	const struct klamm_plugin_head *head = &plugin->head;
	if (head->options == NULL)
		return NULL;
	const void *row = (const uint8_t *)head->options + i * head->option_size;
	return ((const struct klamm_option *)row)->name != NULL ? row : NULL;
}
