/* SPDX-License-Identifier: BSD-2-Clause */
/* Whole files, with those that they include and the profile that was chosen: everything that
 * is wrong is told in one pass, and then nothing is kept. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"
#include "core/conf/object.h"
#include "core/conf/properties.h"

#define DEPTH_MAX 10 /* files that include each other; more is a mistake */

/* A file that is being read, and the one whose line asked for it. */
struct source {
	const struct source *outer;
	const char *name;
	int32_t depth;
	bool java; /* no sections and no includes, and unknown keys are Java's business */
	int32_t line;
	uint32_t section; /* a number of its own for each section of each file */
	struct kl_buf profile; /* the section's; empty outside of one */
	bool skipped;	       /* it is another profile's */
};

/* Where a row was set. */
struct place {
	uint32_t section; /* 0 = not yet */
	int32_t line;
};

struct load {
	struct klamm_conf *staged; /* what the files set */
	const char *profile;	   /* chosen, or NULL */
	struct place *places;	   /* by number of the row */
	uint32_t sections;
	struct kl_buf unknown; /* keys that were noted, one a line */
	struct kl_issues issues;
};

static void free_load(struct load *load)
{
	klamm_conf_free(load->staged);
	free(load->places);
	kl_buf_free(&load->unknown);
}

static void free_source(struct source *source)
{
	kl_buf_free(&source->profile);
}

static void tell(struct load *load, const struct source *source, bool is_error,
		 const char *key, const char *text)
{
	load->issues.file = source->name;
	kl_issue(&load->issues, source->line, is_error, key, text);
}

static bool is_unknown(const char *key)
{
	return kl_conf_find(key, NULL) == NULL && !kl_conf_is_plugin_key(key) &&
	       strncmp(key, "config.providers.", 17) != 0;
}

/* Once for each key, however often it stands in the files. */
static bool was_noted(struct load *load, const char *key)
{
	if (kl_has_line(&load->unknown, key))
		return true;
	kl_put_line(&load->unknown, key);
	return false;
}

/* A later file or section is there to say something else; the same one is not. */
static void note_repeated(struct load *load, const struct source *source, const char *key)
{
	size_t index;
	if (kl_conf_find(key, &index) == NULL)
		return;
	struct place *place = &load->places[index];
	if (place->section == source->section) {
		KL_AUTO(kl_buf_free) struct kl_buf text = {0};
		kl_buf_printf(&text, "%.100s: set again; line %d no longer counts", key,
			      place->line);
		tell(load, source, false, key, kl_buf_text(&text));
	}
	*place = (struct place){.section = source->section, .line = source->line};
}

/* NO_MEMORY; anything else is an issue and the reading goes on. */
static int load_pair(struct load *load, struct source *source, const char *key,
		     const char *value)
{
	KL_AUTO(kl_buf_free) struct kl_buf note = {0}, from = {0};
	struct klamm_error err = {0};
	kl_buf_printf(&from, "%s:%d", source->name, source->line);
	if (source->profile.len > 0)
		kl_buf_printf(&from, " [profile %s]", kl_buf_text(&source->profile));
	int rc = kl_conf_put(load->staged, key, value, kl_buf_text(&from), &note, &err);
	if (rc == KLAMM_ERR_NO_MEMORY)
		return rc;
	bool forgiven = rc != 0 && source->java && is_unknown(key);
	if (forgiven && was_noted(load, key))
		return 0;
	if (rc != 0) {
		tell(load, source, !forgiven, key, err.text);
		return 0;
	}
	if (note.len > 0)
		tell(load, source, false, key, kl_buf_text(&note));
	note_repeated(load, source, key);
	return 0;
}

/* "[profile NAME]": from here on, lines count when it is the chosen one. */
static void begin_section(struct load *load, struct source *source, const char *head)
{
	static const char word[] = "profile";
	size_t len = sizeof(word) - 1;
	const char *name = head + len + strspn(head + kl_min(len, strlen(head)), " \t");
	source->section = ++load->sections;
	kl_buf_clear(&source->profile);
	if (strncmp(head, word, len) != 0 || !kl_conf_good_profile(name) ||
	    name == head + len) {
		KL_AUTO(kl_buf_free) struct kl_buf text = {0};
		kl_buf_printf(&text,
			      "[%.80s]: must be [profile NAME], with letters, digits, '.', "
			      "'_' and '-' in the name",
			      head);
		tell(load, source, true, NULL, kl_buf_text(&text));
		source->skipped = true;
		return;
	}
	kl_buf_put(&source->profile, name, strlen(name));
	if (!kl_has_line(&load->staged->profiles, name))
		kl_put_line(&load->staged->profiles, name);
	source->skipped = load->profile == NULL || strcmp(load->profile, name) != 0;
	load->staged->profile_found |= !source->skipped;
}

/* --- includes --- */

static int load_source(struct load *load, struct source *source, const char *text, size_t len);

/* Where the last part of a path begins. */
static size_t last_part(const struct kl_buf *path, size_t root)
{
	size_t at = path->len;
	while (at > root && path->data[at - 1] != '/')
		at--;
	return at;
}

static bool is_up(const void *part, size_t len)
{
	return len == 2 && memcmp(part, "..", 2) == 0;
}

/* file as seen from the folder of the file that names it, without "." and "x/..", so that a
 * circle is seen. */
static void resolve(const char *name, const char *file, struct kl_buf *out)
{
	const char *slash = file[0] != '/' ? strrchr(name, '/') : NULL;
	KL_AUTO(kl_buf_free) struct kl_buf whole = {0};
	if (slash != NULL)
		kl_buf_put(&whole, name, (size_t)(slash - name) + 1);
	kl_buf_put(&whole, file, strlen(file));
	const char *p = kl_buf_text(&whole);
	size_t root = *p == '/', n;
	kl_buf_put(out, "/", root);
	for (p += strspn(p, "/"); *p != '\0'; p += n, p += strspn(p, "/")) {
		n = strcspn(p, "/");
		size_t last = last_part(out, root);
		if (n == 1 && p[0] == '.')
			continue;
		if (is_up(p, n) && out->len > root &&
		    !is_up(out->data + last, out->len - last)) {
			out->len = last > root ? last - 1 : root;
			continue;
		}
		kl_buf_put(out, "/", out->len > root);
		kl_buf_put(out, p, n);
	}
	out->failed |= whole.failed;
}

/* "a.conf:3 -> b.conf:1 -> ": who asked for whom. */
static void put_chain(const struct source *source, struct kl_buf *out)
{
	if (source->outer != NULL)
		put_chain(source->outer, out);
	kl_buf_printf(out, "%s:%d -> ", source->name, source->line);
}

static bool is_open(const struct source *source, const char *name)
{
	for (; source != NULL; source = source->outer)
		if (strcmp(source->name, name) == 0)
			return true;
	return false;
}

static void refuse_include(struct load *load, const struct source *source, const char *name,
			   const char *why)
{
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_buf_printf(&text, "include: %s: ", why);
	put_chain(source, &text);
	kl_buf_printf(&text, "%s", name);
	tell(load, source, true, "include", kl_buf_text(&text));
}

/* The name of the file that value means. */
static int find_file(const struct source *source, const char *value, struct kl_buf *name,
		     struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf file = {0}, path = {0};
	bool used;
	int rc = kl_conf_expand(value, false, &file, &used, err);
	if (rc != 0)
		return rc;
	struct klamm_span trimmed = kl_trim((const char *)file.data, file.len);
	if (trimmed.len == 0)
		return kl_error(err, KLAMM_ERR_CONFIG, "must name a file");
	kl_buf_put(&path, trimmed.data, trimmed.len);
	resolve(source->name, kl_buf_text(&path), name);
	name->failed |= path.failed;
	return name->failed ? KLAMM_ERR_NO_MEMORY : 0;
}

static int read_included(struct load *load, struct source *source, const char *name,
			 struct klamm_error *err)
{
	char *data;
	size_t len;
	int rc = kl_conf_read_file(name, &data, &len, err);
	if (rc != 0)
		return rc;
	KL_AUTO(free_source)
	struct source inner = {.outer = source, .name = name, .depth = source->depth + 1};
	rc = load_source(load, &inner, data, len);
	explicit_bzero(data, len);
	free(data);
	return rc;
}

/* NO_MEMORY; anything else is an issue of the line that includes. */
static int include(struct load *load, struct source *source, const char *value)
{
	KL_AUTO(kl_buf_free) struct kl_buf file = {0};
	struct klamm_error err = {0};
	int rc = find_file(source, value, &file, &err);
	const char *name = rc == 0 ? kl_buf_text(&file) : "";
	if (rc == 0 && is_open(source, name)) {
		refuse_include(load, source, name, "a file includes itself");
		return 0;
	}
	if (rc == 0 && source->depth == DEPTH_MAX) {
		refuse_include(load, source, name, "more than 10 files deep");
		return 0;
	}
	if (rc == 0)
		rc = read_included(load, source, name, &err);
	if (rc == 0 || rc == KLAMM_ERR_NO_MEMORY)
		return rc;
	kl_error_prefix(&err, "include");
	tell(load, source, true, "include", err.text);
	return 0;
}

/* --- files --- */

static bool is_java_file(const char *name)
{
	static const char suffix[] = ".properties";
	size_t len = strlen(name), n = sizeof(suffix) - 1;
	return len >= n && strcmp(name + len - n, suffix) == 0;
}

static int load_line(struct load *load, struct source *source, const struct kl_properties *r)
{
	/* kl_properties_next() has ended both with a NUL. */
	const char *key = (const char *)r->key.data, *value = (const char *)r->value.data;
	if (r->why != NULL) {
		tell(load, source, true, r->is_section ? NULL : key, r->why);
		return 0;
	}
	if (r->is_section) {
		begin_section(load, source, value);
		return 0;
	}
	if (source->skipped)
		return 0;
	if (!source->java && strcmp(key, "include") == 0)
		return include(load, source, value);
	return load_pair(load, source, key, value);
}

static int load_source(struct load *load, struct source *source, const char *text, size_t len)
{
	source->java = is_java_file(source->name);
	source->section = ++load->sections;
	KL_AUTO(kl_properties_free) struct kl_properties r;
	kl_properties_init(&r, text, len);
	r.sections = !source->java;
	while (kl_properties_next(&r)) {
		source->line = r.line;
		int rc = load_line(load, source, &r);
		if (rc != 0)
			return rc;
	}
	return kl_properties_failed(&r) ? KLAMM_ERR_NO_MEMORY : 0;
}

int klamm_conf_load_text(struct klamm_conf *conf, const char *name, const char *text,
			 size_t len, klamm_conf_issue_fn fn, void *arg,
			 struct klamm_error *err)
{
	KL_AUTO(free_load)
	struct load load = {
		.profile = conf->profile,
		.issues = {.fn = fn, .arg = arg, .log = &conf->log},
	};
	KL_AUTO(free_source) struct source source = {.name = name};
	int rc = klamm_conf_new(&load.staged, err);
	if (rc != 0)
		return rc;
	load.places = calloc(kl_conf_row_count(), sizeof(*load.places));
	if (load.places == NULL || load_source(&load, &source, text, len) != 0 ||
	    load.staged->profiles.failed || load.unknown.failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", name);
	rc = kl_conf_merge_profiles(conf, load.staged, err);
	if (rc == 0)
		rc = kl_issues_result(&load.issues, err);
	return rc != 0 ? rc : kl_conf_merge(conf, load.staged, err);
}

int klamm_conf_load(struct klamm_conf *conf, const char *path, klamm_conf_issue_fn fn,
		    void *arg, struct klamm_error *err)
{
	char *data;
	size_t len;
	int rc = kl_conf_read_file(path, &data, &len, err);
	if (rc != 0)
		return rc;
	rc = klamm_conf_load_text(conf, path, data, len, fn, arg, err);
	explicit_bzero(data, len);
	free(data);
	return rc;
}
