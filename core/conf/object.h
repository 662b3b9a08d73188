/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration object, for the files of core/conf alone. */
#ifndef KL_CONF_OBJECT_H
#define KL_CONF_OBJECT_H

#include "core/base/arena.h"
#include "core/conf/conf.h"
#include "core/conf/table.h"

/* text: as it is used; raw: as it was given, when it held ${...}, else NULL. Both may
 * be secrets and are wiped. from: who set it, "client.conf:3". text NULL = not set. */
struct kl_conf_value {
	char *text, *raw, *from;
};

/* A plugin's own option, which the table does not know. */
struct kl_conf_extra {
	struct kl_conf_extra *next;
	char *key;
	struct kl_conf_value value;
};

struct klamm_conf {
	struct kl_conf_value *values; /* by number of the row */
	char **derived; /* likewise, what sasl.jaas.config says; NULL = nothing */
	struct kl_conf_extra *extras;
	struct kl_conf_plugin *plugins; /* the newest first */
	klamm_token_fn token; /* the application's; NULL = none */
	void *token_arg;
	struct kl_log log;
	struct ssl_ctx_st *ssl_ctx; /* the application's own; NULL = none */
	char *profile;		 /* chosen; NULL = none */
	bool profile_found;	 /* in a file that was loaded */
	uint32_t files;		 /* that were loaded */
	struct kl_buf profiles;	 /* every profile of these files, "NAME\nNAME\n" */
	/* What kl_conf_settings() has handed out: producer, consumer, admin. */
	struct kl_settings *settings[3];
	struct kl_arena arena;
};

/* Set key to value; from: who does it. note (cleared) tells what is to be known about a value
 * that was accepted and has no effect. The error's text begins with the key and holds no
 * secret. */
int kl_conf_put(struct klamm_conf *conf, const char *key, const char *value,
		const char *from, struct kl_buf *note, struct klamm_error *err);

/* Store a copy of a good value: of a row, or (index SIZE_MAX) of a plugin's own key. */
int kl_conf_keep(struct klamm_conf *conf, size_t index, const char *key,
		 const struct kl_conf_value *value, struct klamm_error *err);

/* The value of a row, or of a plugin's own key; NULL = no such key, or not set. */
const struct kl_conf_value *kl_conf_value(const struct klamm_conf *conf, const char *key);

/* Take over everything that is set in from. */
int kl_conf_merge(struct klamm_conf *conf, struct klamm_conf *from,
		  struct klamm_error *err);

/* The text of a row: its value, or its default for the role. */
const char *kl_conf_row_text(const struct klamm_conf *conf, size_t index, int32_t role);

/* Replace ${env:NAME} and ${file:PATH:KEY} (KIP-297). *used_out: was there any? The
 * error names the place, never what stands there. */
int kl_conf_expand(const char *text, bool is_secret, struct kl_buf *out, bool *used_out,
		   struct klamm_error *err);

/* The table cannot know which options of a plugin are secret: go by their names. */
bool kl_conf_looks_secret(const char *key);

/* The typed values for one role, without the rules between keys. NO_MEMORY. */
int kl_conf_fill(const struct klamm_conf *conf, int32_t role,
		 struct kl_settings *settings, struct kl_arena *arena);

/* A whole file of the user's, at most 1 MiB. IO: one sentence with its name. */
int kl_conf_read_file(const char *path, char **data_out, size_t *len_out,
		      struct klamm_error *err);

/* Problems on their way to whoever asked for them. */
struct kl_issues {
	klamm_conf_issue_fn fn;
	void *arg;
	const struct kl_log *log; /* hears of notes when there is no fn */
	const char *file;
	int32_t errors;
	struct klamm_error first;
};
void kl_issue(struct kl_issues *issues, int32_t line, bool is_error, const char *key,
	      const char *text);
/* The first error with its place, and how many more there were; 0 when there was none.
 */
int kl_issues_result(const struct kl_issues *issues, struct klamm_error *err);

bool kl_conf_good_profile(const char *name); /* made of letters that a name may have */
/* Take over which profiles the files behind from have. */
int kl_conf_merge_profiles(struct klamm_conf *conf, struct klamm_conf *from,
			   struct klamm_error *err);

/* Lines in a buffer: a small set of texts. */
bool kl_has_line(struct kl_buf *lines, const char *text);
void kl_put_line(struct kl_buf *lines, const char *text);

void kl_wipe_textp(char **text);    /* for KL_AUTO */

#endif
