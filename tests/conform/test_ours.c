/* SPDX-License-Identifier: BSD-2-Clause */
/* The kit on every plugin of this build, and on one of an application's own code. */
#include <stdio.h>
#include <stdlib.h>

#include "kit/kit.h"
#include "tests/unit/unit.h"

/* Options that a plugin cannot do without; %s is a folder to write to. */
static const struct {
	const char *plugin, *key, *value;
} needs[] = {
	{"metrics_jsonl", "metrics.jsonl.file", "%s/metrics.jsonl"},
	{"sasl_oauthbearer", "enable.sasl.oauthbearer.unsecure.jwt", "true"},
};

static void see(void *arg, const struct kit_check *check, const struct kit_verdict *verdict)
{
	ck_assert_msg(verdict->result != KIT_BAD, "%s: %s: %s\n%s", (const char *)arg,
		      check->name, verdict->text, verdict->output);
}

static struct klamm_conf *conf_for(const char *plugin)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	char *folder = unit_tmp();
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	for (size_t i = 0; i < kl_countof(needs); i++) {
		char value[1000];
		if (strcmp(needs[i].plugin, plugin) != 0)
			continue;
		snprintf(value, sizeof(value), needs[i].value, folder);
		ck_assert_int_eq(klamm_conf_set(conf, needs[i].key, value, &err), 0);
	}
	free(folder);
	return conf;
}

/* "codec_zstd": its kind and, behind that, its word. */
static int32_t split(const char *plugin, const char **word_out)
{
	char kind[32];
	size_t n = strcspn(plugin, "_");
	snprintf(kind, sizeof(kind), "%.*s", (int)n, plugin);
	*word_out = plugin + n + 1;
	return kl_kind(kind);
}

static char plugins[64][48];

static int find_plugins(void)
{
	int n = 0;
	char text[] = SHIPPED, *next = text, *word;
	while ((word = strsep(&next, " ")) != NULL)
		if (*word != '\0')
			snprintf(plugins[n++], sizeof(plugins[0]), "%s", word);
	return n;
}

/* From its file where it has one, and once more as a descriptor at hand. */
START_TEST(ours_pass)
{
	const char *plugin = plugins[_i], *word;
	struct kit_subject subject = {.kind = split(plugin, &word)};
	struct klamm_conf *conf = conf_for(plugin);
	char file[4096];
	subject.conf = conf;
	snprintf(file, sizeof(file), "%s/%s.so", UNIT_PLUGINS, plugin);
	struct kl_plugin *loaded;
	struct klamm_error err;
	int rc = kl_plugin_load(subject.kind, word, &(struct kl_plugin_search){0}, &loaded,
				&err);
	ck_assert_msg(rc == 0, "%s", err.text);
	if (strcmp(loaded->origin, "built in") == 0)
		subject.descriptor = &loaded->head;
	else
		subject.file = file;
	kit_run_all(&subject, see, plugins[_i]);
	kl_plugin_free(loaded);
	klamm_conf_free(conf);
}
END_TEST

/* --- in-process --- */

static int upper(void *self, const struct klamm_serializer_ctx *ctx,
		 const struct klamm_value *value, struct klamm_out *out,
		 struct klamm_headers_out *headers, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_BOOL)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE, "it is neither true nor false");
	return klamm_out_append(out, value->as.boolean ? "Y" : "N", 1) == 0
		       ? 0
		       : klamm_out_error(out, 1, err);
}

static int lower(void *self, const struct klamm_serializer_ctx *ctx,
		 const struct klamm_span *in, struct klamm_arena *arena,
		 struct klamm_value *value_out, struct klamm_error *err)
{
	const char *p = in->data;
	if (in->len != 1 || (p[0] != 'Y' && p[0] != 'N'))
		return klamm_fail(err, KLAMM_ERR_DESERIALIZE, "neither Y nor N");
	value_out->type = KLAMM_VALUE_BOOL;
	value_out->as.boolean = p[0] == 'Y';
	return 0;
}

static int bad_lower(void *self, const struct klamm_serializer_ctx *ctx,
		     const struct klamm_span *in, struct klamm_arena *arena,
		     struct klamm_value *value_out, struct klamm_error *err)
{
	value_out->type = KLAMM_VALUE_BOOL;
	value_out->as.boolean = 0;
	return 0;
}

static int open_with_user(const struct klamm_host *host, const void *conf, void **self_out,
			  struct klamm_error *err)
{
	if (strcmp(host->user, "mine") != 0)
		return klamm_fail(err, KLAMM_ERR_STATE, "it is not mine");
	return 0;
}

static struct klamm_serializer_plugin yesno = {
	.head = {KLAMM_PLUGIN_HEAD(serializer, "yesno", "Y and N"), .open = open_with_user},
	.encode = upper,
	.decode = lower,
};

static void keep_bad(void *arg, const struct kit_check *check,
		     const struct kit_verdict *verdict)
{
	if (verdict->result == KIT_BAD)
		snprintf(arg, KIT_TEXT, "%s", verdict->text);
}

START_TEST(one_of_the_application_s_own_passes)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	char text[KIT_TEXT] = "";
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(
		klamm_conf_plugin(conf, KLAMM_KIND_SERIALIZER, &yesno.head, (void *)"mine",
				  &err), 0);
	const struct kl_conf_plugin *own = kl_conf_plugins(conf);
	struct kit_subject subject = {.kind = own->kind, .descriptor = own->descriptor,
				      .user = own->user, .conf = conf};
	kit_run_all(&subject, see, (void *)"yesno");
	yesno.decode = bad_lower;
	ck_assert_uint_gt(kit_run_all(&subject, keep_bad, text), 0);
	ck_assert_msg(strstr(text, "bool comes back as another value") != NULL, "%s", text);
	klamm_conf_free(conf);
}
END_TEST

UNIT_SUITE(ours)
{
	Suite *s = suite_create("ours");
	int n = find_plugins();
	if (n > 0)
		unit_add_loop(s, ours_pass, n);
	unit_add(s, one_of_the_application_s_own_passes);
	return s;
}
