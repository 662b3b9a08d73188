/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <klamm/klamm.h>

#include "config.h"
#include "core/base/buf.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static struct klamm_error err;

static const char *refusal(int32_t kind, const char *name, const char *dir)
{
	struct kl_plugin *plugin = NULL;
	struct kl_plugin_search search = {.dirs = &dir, .dir_count = 1};
	int rc = kl_plugin_load(kind, name, &search, &plugin, &err);
	ck_assert_msg(rc == KLAMM_ERR_PLUGIN, "%s: %d", name, rc);
	ck_assert_ptr_null(plugin);
	ck_assert_int_eq(err.code, rc);
	return err.text;
}

/* %D: the folder of the fixtures; %H, %C, %S, %O: sizes of the head, of a codec's descriptor,
 * of one without its last member, of an option row. */
static const struct {
	const char *name, *sentence;
} broken[] = {
	{"kind", "plugin %D/codec_kind.so is of the kind partitioner, not codec"},
	{"abi", "plugin %D/codec_abi.so was built for ABI 7 of codec plugins; this is klamm "
		PACKAGE_VERSION " with ABI 1"},
	{"copied", "plugin %D/codec_copied.so is of the kind sasl, not codec"},
	{"head", "plugin %D/codec_head.so has a descriptor of 40 bytes; the head alone takes "
		 "%H"},
	{"member", "plugin %D/codec_member.so lacks decompress, which every codec plugin must "
		   "have (its descriptor has %C bytes, klamm's %C)"},
	{"shorter", "plugin %D/codec_shorter.so lacks decompress, which every codec plugin "
		    "must have (its descriptor has %S bytes, klamm's %C)"},
	{"nameless", "plugin %D/codec_nameless.so lacks name, which every codec plugin must "
		     "have (its descriptor has %C bytes, klamm's %C)"},
	{"called", "plugin %D/codec_called.so calls itself otherwise, not called"},
	{"undefined", "plugin %D/codec_undefined.so cannot be loaded: undefined symbol: "
		      "klamm_test_nobody_has_this"},
	{"symbol", "plugin %D/codec_symbol.so does not define klamm_codec_symbol"},
	{"rows", "plugin %D/codec_rows.so has option rows of 8 bytes; they take %O or more"},
	{"outside", "plugin %D/codec_outside.so: option codec.outside.x lies at byte 4, "
		    "outside its structure of 8"},
	{"absent", "no plugin for codec absent: there is no codec_absent.so in %D"},
};

static void expand(const char *from, char *to, size_t size)
{
	struct kl_buf text = {0};
	for (; *from != '\0'; from++) {
		if (*from != '%') {
			kl_buf_put(&text, from, 1);
			continue;
		}
		switch (*++from) {
		case 'D':
			kl_buf_printf(&text, "%s", BROKEN);
			break;
		case 'H':
			kl_buf_printf(&text, "%zu", sizeof(struct klamm_plugin_head));
			break;
		case 'C':
			kl_buf_printf(&text, "%zu", sizeof(struct klamm_codec_plugin));
			break;
		case 'S':
			kl_buf_printf(&text, "%zu",
				      offsetof(struct klamm_codec_plugin, decompress));
			break;
		case 'O':
			kl_buf_printf(&text, "%zu", sizeof(struct klamm_option));
			break;
		}
	}
	snprintf(to, size, "%s", kl_buf_text(&text));
	kl_buf_free(&text);
}

START_TEST(each_refusal_is_its_own_sentence)
{
	char sentence[KLAMM_ERROR_TEXT];
	unsetenv("KLAMM_PLUGIN_PATH");
	expand(broken[_i].sentence, sentence, sizeof(sentence));
	ck_assert_str_eq(refusal(KLAMM_KIND_CODEC, broken[_i].name, BROKEN), sentence);
}
END_TEST

START_TEST(names_are_words)
{
	static const char *const bad[] = {"", "../codec", "a/b", "a b", "caf\xc3\xa9", "a:b"};
	char longest[66] = "";
	for (size_t i = 0; i < kl_countof(bad); i++)
		ck_assert_ptr_nonnull(strstr(refusal(KLAMM_KIND_CODEC, bad[i], BROKEN),
					     ": a name is made of 1 to 64 of a-z, 0-9, "));
	memset(longest, 'x', 65);
	ck_assert_ptr_nonnull(strstr(refusal(KLAMM_KIND_CODEC, longest, BROKEN), "1 to 64"));
	/* Letter case, '-' and '.' do not matter. */
	ck_assert_ptr_nonnull(strstr(refusal(KLAMM_KIND_SASL, "SCRAM-SHA.3", BROKEN),
				     "there is no sasl_scram_sha_3.so in "));
	struct kl_plugin *plugin;
	ck_assert_int_eq(kl_plugin_load(0, "x", &(struct kl_plugin_search){0}, &plugin, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

/* --- who may write --- */

static void copy_file(const char *from, const char *to)
{
	char *data;
	size_t len;
	ck_assert_int_eq(kl_os_read_file(kl_os_real(), from, 1 << 24, &data, &len), 0);
	FILE *f = fopen(to, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_uint_eq(fwrite(data, 1, len, f), len);
	fclose(f);
	ck_assert_int_eq(chmod(to, 0644), 0);
	free(data);
}

static char dir[500], file[600];

static void folder_with_a_plugin(void)
{
	unsetenv("KLAMM_PLUGIN_PATH");
	char *tmp = unit_tmp();
	snprintf(dir, sizeof(dir), "%s", tmp);
	snprintf(file, sizeof(file), "%s/codec_newer.so", dir);
	free(tmp);
	ck_assert_int_eq(chmod(dir, 0755), 0);
	copy_file(BROKEN "/codec_newer.so", file);
}

static void loads(const char *name)
{
	struct kl_plugin *plugin;
	const char *dirs[] = {dir};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 1};
	int rc = kl_plugin_load(KLAMM_KIND_CODEC, name, &search, &plugin, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(plugin->origin, file);
	kl_plugin_free(plugin);
}

static void check_refusal(const char *format, const char *path)
{
	char sentence[1000];
	snprintf(sentence, sizeof(sentence), format, path);
	sentence[KLAMM_ERROR_TEXT - 1] = '\0';
	ck_assert_str_eq(refusal(KLAMM_KIND_CODEC, "newer", dir), sentence);
}

START_TEST(what_others_may_write_is_refused)
{
	loads("newer");
	chmod(file, 0664);
	check_refusal("plugin %s is writable by its group (mode 0664): only root and its "
		      "owner may write to it", file);
	chmod(file, 0646);
	check_refusal("plugin %s is writable by everyone (mode 0646): only root and its owner "
		      "may write to it", file);
	chmod(file, 0644);
	chmod(dir, 0775);
	check_refusal("plugin folder %s is writable by its group (mode 0775): only root and "
		      "its owner may write to it", dir);
	chmod(dir, 01777);
	check_refusal("plugin folder %s is writable by everyone (mode 1777): only root and "
		      "its owner may write to it", dir);
	chmod(dir, 0755);
	loads("newer");
}
END_TEST

START_TEST(what_belongs_to_others_is_refused)
{
	if (geteuid() != 0)
		return; /* only root can give a file away */
	ck_assert_int_eq(chown(file, 4711, (gid_t)-1), 0);
	check_refusal("plugin %s belongs to user 4711, who is neither root nor the user of "
		      "this process (0)", file);
	ck_assert_int_eq(chown(file, 0, (gid_t)-1), 0);
	ck_assert_int_eq(chown(dir, 4711, (gid_t)-1), 0);
	check_refusal("plugin folder %s belongs to user 4711, who is neither root nor the "
		      "user of this process (0)", dir);
	ck_assert_int_eq(chown(dir, 0, (gid_t)-1), 0);
	/* As that user, root's file is fine. */
	ck_assert_int_eq(seteuid(4711), 0);
	struct stat st;
	if (stat(file, &st) == 0) /* the way there may be closed to it */
		loads("newer");
	ck_assert_int_eq(seteuid(0), 0);
}
END_TEST

START_TEST(links_and_folders_are_refused)
{
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(symlink(BROKEN "/codec_newer.so", file), 0);
	check_refusal("plugin %s is a symbolic link: put the file itself there, or its folder "
		      "into plugin.path", file);
	ck_assert_int_eq(unlink(file), 0);
	ck_assert_int_eq(mkdir(file, 0755), 0);
	check_refusal("plugin %s is not a regular file", file);
	ck_assert_int_eq(rmdir(file), 0);
	ck_assert_int_eq(mkfifo(file, 0644), 0);
	check_refusal("plugin %s is not a regular file", file); /* and nobody waits at it */
	ck_assert_int_eq(unlink(file), 0);
	FILE *f = fopen(file, "w");
	fputs("this is no shared object", f);
	fclose(f);
	check_refusal("plugin %s cannot be loaded: file too short", file);
}
END_TEST

/* The descriptor's number is used again for the next file: it must not be taken for the
 * first one. */
START_TEST(two_files_are_never_confused)
{
	struct kl_plugin *a, *b;
	const char *dirs[] = {BROKEN};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 1};
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &a, &err), 0);
	ck_assert_ptr_nonnull(strstr(refusal(KLAMM_KIND_CODEC, "symbol", BROKEN),
				     "does not define klamm_codec_symbol"));
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &b, &err), 0);
	ck_assert_ptr_eq(a->codec.compress, b->codec.compress);
	kl_plugin_free(a);
	kl_plugin_free(b);
}
END_TEST

/* --- the way of the search --- */

static int32_t pick_one(void *self, const struct klamm_pick *in)
{
	return 1;
}

START_TEST(the_search_has_an_order)
{
	const char *dirs[] = {"/nowhere/at/all", dir, BROKEN};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 3};
	struct kl_plugin *plugin;
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &plugin, &err), 0);
	ck_assert_str_eq(plugin->origin, file);
	kl_plugin_free(plugin);
	/* The environment comes first. */
	setenv("KLAMM_PLUGIN_PATH", ":/nowhere:" BROKEN, 1);
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &plugin, &err), 0);
	ck_assert_str_eq(plugin->origin, BROKEN "/codec_newer.so");
	kl_plugin_free(plugin);
	/* A file that is refused ends the search: nothing else takes its place. */
	chmod(file, 0666);
	setenv("KLAMM_PLUGIN_PATH", dir, 1);
	ck_assert_int_eq(kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &plugin, &err),
			 KLAMM_ERR_PLUGIN);
	/* What the application offers comes before everything. */
	static const struct klamm_partitioner_plugin mine = {
		.head = {KLAMM_PLUGIN_HEAD(partitioner, "murmur2", "mine")}, .pick = pick_one};
	struct kl_conf_plugin own = {.kind = KLAMM_KIND_PARTITIONER, .descriptor = &mine.head,
				     .user = &own};
	search.own = &own;
	ck_assert_int_eq(
		kl_plugin_load(KLAMM_KIND_PARTITIONER, "MurMur2", &search, &plugin, &err), 0);
	ck_assert_str_eq(plugin->origin, "given by the application");
	ck_assert_ptr_eq(plugin->partitioner.pick, pick_one);
	ck_assert_ptr_eq(plugin->user, &own);
	kl_plugin_free(plugin);
	/* Under the same checks. */
	struct klamm_partitioner_plugin bad = mine;
	bad.pick = NULL;
	own.descriptor = &bad.head;
	ck_assert_int_eq(
		kl_plugin_load(KLAMM_KIND_PARTITIONER, "murmur2", &search, &plugin, &err),
		KLAMM_ERR_PLUGIN);
	ck_assert_ptr_nonnull(
		strstr(err.text, "plugin given by the application lacks pick, "));
}
END_TEST

struct seen {
	int found, refused, hidden;
	bool newer;
	char last[100];
	int32_t last_kind;
};

static int see(void *arg, const struct kl_plugin_found *found)
{
	struct seen *seen = arg;
	seen->found += found->plugin != NULL;
	seen->refused += found->plugin == NULL;
	seen->hidden += found->is_hidden;
	if (strcmp(found->word, "newer") == 0 && strstr(found->origin, BROKEN) != NULL) {
		ck_assert_ptr_nonnull(found->plugin);
		ck_assert_str_eq(found->plugin->head.summary, "of a later klamm");
		ck_assert_str_eq(kl_plugin_option(found->plugin, 1)->name, "codec.newer.mode");
		ck_assert_ptr_null(kl_plugin_option(found->plugin, 3));
		seen->newer = true;
	}
	if (found->plugin == NULL)
		ck_assert_str_ne(found->err->text, "");
	return 0;
}

static int stop(void *arg, const struct kl_plugin_found *found)
{
	return 42;
}

/* A client looks where its configuration says. */
START_TEST(opt_plugin_path)
{
	static const struct klamm_partitioner_plugin own = {
		.head = {KLAMM_PLUGIN_HEAD(partitioner, "own", "mine")}, .pick = pick_one};
	struct klamm_producer *producer;
	struct klamm_conf *conf;
	char path[600];
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	klamm_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL);
	klamm_conf_set(conf, "partitioner.class", "own", NULL);
	klamm_conf_set(conf, "compression.type", "newer", NULL);
	klamm_conf_set(conf, "codec.newer.password", "secret", NULL);
	ck_assert_int_eq(
		klamm_conf_plugin(conf, KLAMM_KIND_PARTITIONER, &own.head, NULL, &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "plugin.path", "/nonexistent", &err), 0);
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), KLAMM_ERR_PLUGIN);
	ck_assert_ptr_nonnull(strstr(err.text, "no codec_newer.so in /nonexistent"));
	snprintf(path, sizeof(path), "/nonexistent,%s", dir);
	ck_assert_int_eq(klamm_conf_set(conf, "plugin.path", path, &err), 0);
	ck_assert_msg(klamm_producer_new(conf, NULL, &producer, &err) == 0, "%s", err.text);
	ck_assert_int_eq(klamm_producer_close(producer, 0, NULL), 0);
	klamm_conf_free(conf);
}
END_TEST

START_TEST(a_list_has_the_refused_ones_too)
{
	const char *dirs[] = {BROKEN, dir, "/nowhere"};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 3};
	struct seen seen = {0};
	ck_assert_int_eq(kl_plugin_list(kl_os_real(), &search, see, &seen, &err), 0);
	int builtins = 0;
#define X(kind, word) builtins++;
	KLAMM_BUILTINS(X)
#undef X
	ck_assert(seen.newer);
	ck_assert_int_eq(seen.found, builtins + 2);
	ck_assert_int_eq(seen.refused, (int)kl_countof(broken) - 1);
	ck_assert_int_eq(seen.hidden, 1);
	ck_assert_int_eq(kl_plugin_list(kl_os_real(), &search, stop, NULL, &err), 42);
}
END_TEST

/* --- options --- */

static int open_newer(struct kl_host *host, const char *role, const struct setting *settings,
		      struct kl_instance *instance)
{
	static struct kl_plugin *plugin;
	const char *dirs[] = {BROKEN};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 1};
	if (plugin == NULL)
		ck_assert_int_eq(
			kl_plugin_load(KLAMM_KIND_CODEC, "newer", &search, &plugin, &err), 0);
	return kl_plugin_open(plugin, host, role, lookup_setting, (void *)settings, instance,
			      &err);
}

struct newer_conf {
	int32_t level;
	const char *mode;
};

#define PASSWORD {"codec.newer.password", "hush"}
static const struct {
	const char *role;
	struct setting settings[4];
	int level;
	const char *mode, *sentence;
} openings[] = {
	{"compression.type", {PASSWORD}, 3, NULL, NULL},
	{"compression.type", {PASSWORD, {"codec.newer.level", "9"}}, 9, NULL, NULL},
	{"compression.type", {PASSWORD, {"newer_older", "x"}}, 3, "x", NULL},
	{"value.serializer", {PASSWORD, {"codec.newer.level", "2"},
			      {"value.codec.newer.level", "4"}}, 4, NULL, NULL},
	{"key.serializer", {PASSWORD, {"codec.newer.level", "2"},
			    {"value.codec.newer.level", "4"}}, 2, NULL, NULL},
	{"compression.type", {{NULL}}, 0, NULL,
	 "codec newer: codec.newer.password must be set: it has no default"},
	{"compression.type", {PASSWORD, {"codec.newer.level", "10"}}, 0, NULL,
	 "codec newer: codec.newer.level = 10: must be 1..9"},
	{"key.serializer", {PASSWORD, {"key.codec.newer.level", "x"}}, 0, NULL,
	 "codec newer: key.codec.newer.level = x: must be 1..9"},
	{"compression.type", {PASSWORD, {"codec.newer.mode", "fail"}}, 0, NULL,
	 "codec newer: told to fail"},
	{"compression.type", {PASSWORD, {"codec.newer.mode", "silent"}}, 0, NULL,
	 "codec newer: it does not open, and says no more"},
};

START_TEST(options_reach_the_plugin)
{
	struct kl_host host;
	struct kl_instance instance;
	kl_host_init(&host, kl_os_real(), NULL, NULL, "me", &err);
	int rc = open_newer(&host, openings[_i].role, openings[_i].settings, &instance);
	if (openings[_i].sentence != NULL) {
		ck_assert_int_ne(rc, 0);
		ck_assert_int_eq(err.code, rc);
		ck_assert_str_eq(err.text, openings[_i].sentence);
		ck_assert(kl_list_empty(&host.instances));
	} else {
		ck_assert_msg(rc == 0, "%s", err.text);
		const struct newer_conf *conf = instance.self;
		ck_assert_int_eq(conf->level, openings[_i].level);
		ck_assert_pstr_eq(conf->mode, openings[_i].mode);
	}
	kl_plugin_close(&instance);
	kl_host_free(&host);
}
END_TEST

static int32_t pick_region(const struct kl_instance *instance, const char *key)
{
	struct klamm_pick in = {
		.size = sizeof(in),
		.partition_count = 12,
		.topic = "t",
		.key = {key, strlen(key)},
	};
	return instance->plugin->partitioner.pick(instance->self, &in);
}

START_TEST(the_example_of_the_manual_works)
{
	const char *dirs[] = {EXAMPLE};
	struct kl_plugin_search search = {.dirs = dirs, .dir_count = 1};
	struct kl_plugin *plugin;
	int rc = kl_plugin_load(KLAMM_KIND_PARTITIONER, "region", &search, &plugin, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	struct kl_host host;
	struct kl_instance instance;
	struct setting settings[] = {{"partitioner.region.first", "4"}, {NULL}};
	kl_host_init(&host, kl_os_real(), NULL, NULL, NULL, &err);
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "partitioner.class", lookup_setting,
					settings, &instance, &err), 0);
	ck_assert_int_eq(pick_region(&instance, "eu:1"), pick_region(&instance, "eu:2"));
	ck_assert_int_eq(pick_region(&instance, ""), 4);
	for (char c = 'a'; c < 'z'; c++) {
		char key[] = {c, ':', '\0'};
		ck_assert_int_ge(pick_region(&instance, key), 4);
		ck_assert_int_lt(pick_region(&instance, key), 12);
	}
	kl_plugin_close(&instance);
	kl_host_free(&host);
	kl_plugin_free(plugin);
	/* And it is what the manual shows. */
	size_t len;
	char *source = unit_read("docs/plugin-example/partitioner_region.c", &len);
	char *manual = unit_read("docs/PLUGINS.md", &len);
	ck_assert_ptr_nonnull(strstr(manual, source));
	free(source);
	free(manual);
}
END_TEST

UNIT_SUITE(loader)
{
	Suite *s = suite_create("loader");
	unit_add_loop(s, each_refusal_is_its_own_sentence, (int)kl_countof(broken));
	unit_add(s, names_are_words);
	unit_add_fixture(s, what_others_may_write_is_refused, folder_with_a_plugin, NULL);
	unit_add_fixture(s, what_belongs_to_others_is_refused, folder_with_a_plugin, NULL);
	unit_add_fixture(s, links_and_folders_are_refused, folder_with_a_plugin, NULL);
	unit_add(s, two_files_are_never_confused);
	unit_add_fixture(s, the_search_has_an_order, folder_with_a_plugin, NULL);
	unit_add_fixture(s, opt_plugin_path, folder_with_a_plugin, NULL);
	unit_add_fixture(s, a_list_has_the_refused_ones_too, folder_with_a_plugin, NULL);
	unit_add(s, the_example_of_the_manual_works);
	unit_add_loop(s, options_reach_the_plugin, (int)kl_countof(openings));
	return s;
}
