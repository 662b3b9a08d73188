/* SPDX-License-Identifier: BSD-2-Clause */
/* What the engine asks of a configuration. One thread at a time; a client works on its
 * own copy (klamm_conf_copy), which nobody changes any more. */
#ifndef KL_CONF_H
#define KL_CONF_H

#include <klamm/conf.h>

#include "core/base/base.h"
#include "core/base/buf.h"
#include "core/base/log.h"
#include "core/conf/settings.h"
#include "core/os/secret.h"

struct kl_conf_plugin;

/* The typed values for one role (KLAMM_ROLE_PRODUCER, _CONSUMER or _ADMIN), after the
 * rules between keys were checked. Belongs to conf and stays until conf is changed or
 * freed. CONFIG: klamm_conf_check() would complain too; the text is its first error. */
int kl_conf_settings(struct klamm_conf *conf, int32_t role,
		     const struct kl_settings **settings_out, struct klamm_error *err);

/* The text of a key of any kind, secrets included: for plugins' options. NULL when it
 * has neither value nor default. name may be an alias. Stays until conf is changed or
 * freed. */
const char *kl_conf_lookup(const struct klamm_conf *conf, const char *key);

/* Was the key given a value, rather than its default? */
bool kl_conf_is_set(const struct klamm_conf *conf, const char *key);

/* klamm_conf_set() and klamm_conf_set_pair() for those who tell who they are: "-X",
 * "--timeout". */
int kl_conf_set_from(struct klamm_conf *conf, const char *key, const char *value,
		     const char *from, struct klamm_error *err);
int kl_conf_set_pair_from(struct klamm_conf *conf, const char *pair, const char *from,
			  struct klamm_error *err);

/* PnDTnHnMn.nS, as java.time.Duration reads it but without signs. */
bool kl_parse_duration(const char *text, int64_t *ms_out);

/* Was the chosen profile in a file? CONFIG: no; the text names the nearest. A part of
 * klamm_conf_check(). */
int kl_conf_check_profile(const struct klamm_conf *conf, struct klamm_error *err);

/* A secret as it is now: ${...} is read again. *text_out ends with kl_wipe_text(). Any
 * thread. CONFIG: not set, or a variable cannot be read. */
int kl_conf_read_secret(const struct klamm_conf *conf, const char *key, char **text_out,
			struct klamm_error *err);

/* Every key that was set, that only a plugin can know ("serializer.avro.registry",
 * "value.serializer.avro.registry"), and that begins with prefix. */
void kl_conf_plugin_keys(const struct klamm_conf *conf, const char *prefix,
			 void (*fn)(void *arg, const char *key, const char *value),
			 void *arg);

/* What klamm_conf_plugin() was given, the newest first; see core/plugin.h. */
const struct kl_conf_plugin *kl_conf_plugins(const struct klamm_conf *conf);

/* What klamm_conf_ssl_ctx() was given, or NULL. */
struct ssl_ctx_st *kl_conf_ssl_ctx(const struct klamm_conf *conf);

/* Never NULL; silent when klamm_conf_log() was not called. Belongs to conf. */
const struct kl_log *kl_conf_log(const struct klamm_conf *conf);

/* A setting as it is in effect. Borrowed for the call. */
struct kl_conf_entry {
	const char *key;
	const char *value; /* NULL when it is secret */
	int32_t roles;	   /* that this value is for ... */
	int32_t of;	   /* ... of those that read the key and were asked for */
	bool is_default;
	const char *from; /* "default", "client.conf:3", "-X", ... */
};
typedef void (*kl_conf_entry_fn)(void *arg, const struct kl_conf_entry *entry);

/* For `klamm config dump`: everything that clients of these roles go by, in the order of the
 * table; what has neither value nor default, and what is ignored, is left out. NO_MEMORY. */
int kl_conf_dump(const struct klamm_conf *conf, int32_t roles, kl_conf_entry_fn fn, void *arg,
		 struct klamm_error *err);

/* For `klamm config sample`: a file with every key that clients of these roles read, each
 * with its meaning and default, and commented out unless it must be set. shared: only keys
 * that are every client's. NO_MEMORY. */
int kl_conf_sample(int32_t roles, bool shared, struct kl_buf *out, struct klamm_error *err);

/* key = value as a line of a .properties file, with its end. */
void kl_conf_put_line(struct kl_buf *out, const char *key, const char *value);

/* For `klamm config explain KEY`: type, default, range, roles, aliases, who reads it,
 * and a sentence. A first part of keys ("ssl") lists those in one line each, NULL every
 * one. CONFIG: no such key; the text names the nearest. */
int kl_conf_explain(const char *key, struct kl_buf *out, struct klamm_error *err);

/* For `klamm config lint FILE`: klamm_conf_load() and klamm_conf_check() for roles (0 =
 * those that the file's keys suggest) on an empty configuration, for each profile of the
 * file. fn hears of everything once. CONFIG: there was an error. IO: the file cannot be
 * read. */
int kl_conf_lint(const char *path, int32_t roles, klamm_conf_issue_fn fn, void *arg,
		 struct klamm_error *err);

#endif
