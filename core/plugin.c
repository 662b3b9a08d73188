/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/plugin.h"

#include <stdio.h>
#include <stdlib.h>

#include "config.h"
#include "core/base/buf.h"
#include "core/base/error.h"
#include "core/os/module.h"

/* [a-z0-9_]+ in file names and symbols; longer words are nobody's. */
#define WORD_MAX 64
/* "partitioner_" WORD ".so", "klamm_partitioner_" WORD */
#define FILE_MAX (WORD_MAX + 32)

/* --- what is linked in --- */

#define X(kind, word) extern const struct klamm_##kind##_plugin klamm_##kind##_##word;
KLAMM_BUILTINS(X)
#undef X

#define X(kind, word) &klamm_##kind##_##word.head,
static const struct klamm_plugin_head *const builtins[] = {KLAMM_BUILTINS(X) NULL};
#undef X

static const char *const builtin_origin = "built in";
static const char *const own_origin = "given by the application";

/* --- files --- */

int kl_plugin_load_file(int32_t kind, const char *word, const char *dir,
			struct kl_plugin **plugin_out, struct klamm_error *err)
{
	char file[FILE_MAX], symbol[FILE_MAX];
	snprintf(file, sizeof(file), "%s_%s.so", kl_kind_word(kind), word);
	snprintf(symbol, sizeof(symbol), "klamm_%s_%s", kl_kind_word(kind), word);
	void *module;
	int rc = kl_module_load(dir, file, &module, err);
	if (rc != 0)
		return rc;
	const struct klamm_plugin_head *head = kl_module_symbol(module, symbol);
	for (int32_t other = 1; head == NULL && kl_kind_word(other) != NULL; other++) {
		/* A file under the wrong name still has its own symbol: say what it is. */
		char name[FILE_MAX];
		snprintf(name, sizeof(name), "klamm_%s_%s", kl_kind_word(other), word);
		if (kl_module_symbol(module, name) != NULL)
			return kl_error(err, KLAMM_ERR_PLUGIN,
					"plugin %s/%s is of the kind %s, not %s", dir, file,
					kl_kind_word(other), kl_kind_word(kind));
	}
	if (head == NULL)
		return kl_error(err, KLAMM_ERR_PLUGIN, "plugin %s/%s does not define %s", dir,
				file, symbol);
	KL_AUTO(kl_buf_free) struct kl_buf origin = {0};
	kl_buf_printf(&origin, "%s/%s", dir, file);
	const char *place = kl_buf_text(&origin);
	if (origin.failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for plugin %s",
				file);
	return kl_plugin_check(kind, word, head, place, plugin_out, err);
}

/* Calls fn for each folder in the order of the search, until it answers other than -ENOENT. */
static int each_dir(const struct kl_plugin_search *search,
		    int (*fn)(void *arg, const char *dir), void *arg)
{
	int rc = -ENOENT;
	const char *path = secure_getenv("KLAMM_PLUGIN_PATH");
	while (path != NULL && *path != '\0' && rc == -ENOENT) {
		size_t len = strcspn(path, ":");
		char *dir = len > 0 ? strndup(path, len) : NULL;
		if (dir != NULL)
			rc = fn(arg, dir);
		free(dir);
		path += len + (path[len] == ':');
	}
	for (size_t i = 0; i < search->dir_count && rc == -ENOENT; i++)
		rc = fn(arg, search->dirs[i]);
	if (search->dir_count == 0 && rc == -ENOENT)
		rc = fn(arg, KLAMM_PLUGINDIR);
	return rc;
}

struct finding {
	int32_t kind;
	const char *word;
	struct kl_plugin *plugin;
	struct klamm_error *err;
	struct kl_buf tried;
};

static int find_in(void *arg, const char *dir)
{
	struct finding *finding = arg;
	kl_buf_printf(&finding->tried, "%s%s", finding->tried.len > 0 ? ", " : "", dir);
	return kl_plugin_load_file(finding->kind, finding->word, dir, &finding->plugin,
				   finding->err);
}

/* What plugins of ours need that a system may lack: then a build leaves them out. */
static const char *need_of(int32_t kind, const char *word)
{
	static const struct {
		int32_t kind;
		const char *word, *need;
	} needs[] = {
		{KLAMM_KIND_CODEC, "gzip", "zlib"},
		{KLAMM_KIND_CODEC, "lz4", "liblz4"},
		{KLAMM_KIND_CODEC, "snappy", "libsnappy"},
		{KLAMM_KIND_CODEC, "zstd", "libzstd"},
		{KLAMM_KIND_PARTITIONER, "consistent", "zlib"},
		{KLAMM_KIND_PARTITIONER, "consistent_random", "zlib"},
		{KLAMM_KIND_SASL, "aws_msk_iam", "libcurl"},
		{KLAMM_KIND_SASL, "gssapi", "MIT Kerberos"},
		{KLAMM_KIND_SASL, "oauthbearer", "libcurl"},
	};
	for (size_t i = 0; i < kl_countof(needs); i++)
		if (needs[i].kind == kind && strcmp(needs[i].word, word) == 0)
			return needs[i].need;
	return NULL;
}

static int not_found(int32_t kind, const char *word, const char *tried,
		     struct klamm_error *err)
{
	const char *need = need_of(kind, word);
	return kl_error(err, KLAMM_ERR_PLUGIN,
			"no plugin for %s %s: there is no %s_%s.so in %s%s%s%s",
			kl_kind_word(kind), word, kl_kind_word(kind), word, tried,
			need != NULL ? "; klamm was built without it, which needs " : "",
			need != NULL ? need : "",
			need != NULL ? ", or it comes as a package of its own" : "");
}

static int load_found(int32_t kind, const char *word, const struct kl_plugin_search *search,
		      struct kl_plugin **plugin_out, struct klamm_error *err)
{
	struct finding finding = {.kind = kind, .word = word, .err = err};
	int rc = each_dir(search, find_in, &finding);
	if (rc == -ENOENT)
		rc = not_found(kind, word, kl_buf_text(&finding.tried), err);
	kl_buf_free(&finding.tried);
	*plugin_out = finding.plugin;
	return rc;
}

/* --- loading --- */

static const char *file_word(const char *name, char word[static WORD_MAX + 1])
{
	size_t n = 0;
	for (; name[n] != '\0'; n++) {
		char c = name[n];
		if (c >= 'A' && c <= 'Z')
			c = (char)(c - 'A' + 'a');
		else if (c == '-' || c == '.')
			c = '_';
		if (n == WORD_MAX || (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') &&
				      c != '_'))
			return NULL;
		word[n] = c;
	}
	word[n] = '\0';
	return n > 0 ? word : NULL;
}

static const struct klamm_plugin_head *builtin(int32_t kind, const char *word)
{
	for (size_t i = 0; builtins[i] != NULL; i++)
		if (builtins[i]->abi >> 16 == (uint32_t)kind &&
		    strcmp(builtins[i]->name, word) == 0)
			return builtins[i];
	return NULL;
}

/* A descriptor too small to have a name is anybody's, so that its refusal is heard. */
static bool is_called(const struct klamm_plugin_head *head, const char *word)
{
	return head->size < sizeof(*head) ||
	       (head->name != NULL && strcmp(head->name, word) == 0);
}

int kl_plugin_load(int32_t kind, const char *name, const struct kl_plugin_search *search,
		   struct kl_plugin **plugin_out, struct klamm_error *err)
{
	char buf[WORD_MAX + 1];
	if (kl_kind_word(kind) == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "no kind of plugin is %d",
				kind);
	const char *word = file_word(name, buf);
	if (word == NULL)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"no plugin for %s %.80s: a name is made of 1 to %d of a-z, "
				"0-9, '_', '-' and '.'",
				kl_kind_word(kind), name, WORD_MAX);
	for (const struct kl_conf_plugin *own = search->own; own != NULL; own = own->next) {
		if (own->kind != kind || !is_called(own->descriptor, word))
			continue;
		int rc = kl_plugin_check(kind, word, own->descriptor, own_origin, plugin_out,
					 err);
		if (rc == 0)
			(*plugin_out)->user = own->user;
		return rc;
	}
	const struct klamm_plugin_head *head = builtin(kind, word);
	if (head != NULL)
		return kl_plugin_check(kind, word, head, builtin_origin, plugin_out, err);
	return load_found(kind, word, search, plugin_out, err);
}

/* --- listing --- */

struct listing {
	struct kl_os *os;
	int (*fn)(void *arg, const struct kl_plugin_found *found);
	void *arg;
	struct kl_arena arena; /* names in the folder at hand, and those told */
	struct told {
		struct told *next;
		int32_t kind;
		const char *word;
	} *told;
	struct told *here; /* files of the folder at hand, by name */
	bool failed;       /* out of memory */
};

static struct told *add_name(struct listing *listing, int32_t kind, const char *word,
			     size_t len, struct told **place)
{
	struct told *name = kl_arena_alloc(&listing->arena, sizeof(*name));
	char *copy = kl_arena_text(&listing->arena, word, len);
	if (name == NULL || copy == NULL) {
		listing->failed = true;
		return NULL;
	}
	*name = (struct told){.next = *place, .kind = kind, .word = copy};
	*place = name;
	return name;
}

static bool was_told(const struct listing *listing, int32_t kind, const char *word)
{
	for (const struct told *t = listing->told; t != NULL; t = t->next)
		if (t->kind == kind && strcmp(t->word, word) == 0)
			return true;
	return false;
}

/* Takes plugin. rc and err: how its loading went. */
static int tell(struct listing *listing, int32_t kind, const char *word, const char *origin,
		struct kl_plugin *plugin, const struct klamm_error *err)
{
	struct kl_plugin_found found = {
		.kind = kind,
		.word = word,
		.origin = origin,
		.plugin = plugin,
		.err = plugin == NULL ? err : NULL,
		.is_hidden = was_told(listing, kind, word),
	};
	int rc = listing->fn(listing->arg, &found);
	kl_plugin_free(plugin);
	add_name(listing, kind, word, strlen(word), &listing->told);
	return rc;
}

static int tell_head(struct listing *listing, int32_t kind,
		     const struct klamm_plugin_head *head, const char *origin)
{
	bool has_name = head->size >= sizeof(*head) && head->name != NULL;
	const char *word = has_name ? head->name : "?";
	struct kl_plugin *plugin = NULL;
	struct klamm_error err;
	kl_plugin_check(kind, word, head, origin, &plugin, &err);
	return tell(listing, kind, word, origin, plugin, &err);
}

/* One name of a folder: kept, in its place in the alphabet, if it is <kind>_<word>.so. */
static int keep_file(void *arg, const char *name)
{
	struct listing *listing = arg;
	size_t len = strlen(name), kind_len = strcspn(name, "_");
	char text[WORD_MAX + 1], word[WORD_MAX + 1];
	if (len < 4 || strcmp(name + len - 3, ".so") != 0 || kind_len + 4 >= len)
		return 0;
	size_t word_len = len - 3 - kind_len - 1;
	if (kind_len > WORD_MAX || word_len > WORD_MAX)
		return 0;
	snprintf(text, sizeof(text), "%.*s", (int)kind_len, name);
	int32_t kind = kl_kind(text);
	snprintf(text, sizeof(text), "%.*s", (int)word_len, name + kind_len + 1);
	if (kind == 0 || file_word(text, word) == NULL || strcmp(text, word) != 0)
		return 0;
	struct told **place = &listing->here;
	while (*place != NULL &&
	       ((*place)->kind < kind ||
		((*place)->kind == kind && strcmp((*place)->word, word) < 0)))
		place = &(*place)->next;
	add_name(listing, kind, word, word_len, place);
	return 0;
}

static int list_dir(void *arg, const char *dir)
{
	struct listing *listing = arg;
	listing->here = NULL;
	listing->os->dir_list(listing->os, dir, keep_file, listing);
	int rc = 0;
	for (struct told *t = listing->here; t != NULL && rc == 0; t = t->next) {
		struct kl_plugin *plugin = NULL;
		struct klamm_error err;
		if (kl_plugin_load_file(t->kind, t->word, dir, &plugin, &err) == -ENOENT)
			continue; /* gone since */
		KL_AUTO(kl_buf_free) struct kl_buf origin = {0};
		kl_buf_printf(&origin, "%s/%s_%s.so", dir, kl_kind_word(t->kind), t->word);
		rc = tell(listing, t->kind, t->word, kl_buf_text(&origin), plugin, &err);
		listing->failed |= origin.failed;
	}
	return rc != 0 ? rc : -ENOENT; /* each_dir() goes on */
}

static int list_all(struct listing *listing, const struct kl_plugin_search *search)
{
	int rc = 0;
	for (const struct kl_conf_plugin *own = search->own; own != NULL && rc == 0;
	     own = own->next)
		rc = tell_head(listing, own->kind, own->descriptor, own_origin);
	for (size_t i = 0; builtins[i] != NULL && rc == 0; i++)
		rc = tell_head(listing, (int32_t)(builtins[i]->abi >> 16), builtins[i],
			       builtin_origin);
	if (rc == 0)
		rc = each_dir(search, list_dir, listing);
	return rc == -ENOENT ? 0 : rc;
}

int kl_plugin_list(struct kl_os *os, const struct kl_plugin_search *search,
		   int (*fn)(void *arg, const struct kl_plugin_found *found), void *arg,
		   struct klamm_error *err)
{
	struct listing listing = {.os = os, .fn = fn, .arg = arg};
	int rc = list_all(&listing, search);
	kl_arena_free(&listing.arena);
	if (rc == 0 && listing.failed)
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a list of plugins");
	return rc;
}
