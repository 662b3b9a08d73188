/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration: Kafka's own dotted keys, one table (see klamm.conf(5)).
 *
 * A configuration is filled from files, strings and calls, later values win,
 * and is copied by every client made from it. A Java client.properties works as
 * it is; kafka-python's spelling (bootstrap_servers) is accepted as an alias.
 * One thread at a time.
 */
#ifndef KLAMM_CONF_H
#define KLAMM_CONF_H

#include <klamm/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_conf;

enum klamm_role {
	KLAMM_ROLE_PRODUCER = 1,
	KLAMM_ROLE_CONSUMER = 2,
	KLAMM_ROLE_ADMIN = 4,
	KLAMM_ROLE_ANY = 7,
};

/* The kinds of plugins. The value is part of the plugin ABI. */
enum klamm_kind {
	KLAMM_KIND_CODEC = 1,
	KLAMM_KIND_PARTITIONER = 2,
	KLAMM_KIND_ASSIGNOR = 3,
	KLAMM_KIND_SASL = 4,
	KLAMM_KIND_SERIALIZER = 5,
	KLAMM_KIND_METRICS = 6,
};

/* An empty configuration. NO_MEMORY is the only error. */
int klamm_conf_new(struct klamm_conf **conf_out, struct klamm_error *err);
int klamm_conf_copy(const struct klamm_conf *conf, struct klamm_conf **conf_out,
		    struct klamm_error *err);
void klamm_conf_free(struct klamm_conf *conf); /* NULL is fine */

/* Set one key; key and value are copied. A value may hold ${env:NAME} and
 * ${file:PATH:KEY} (KIP-297 style). CONFIG: unknown key (the text names the
 * nearest), or a value out of its range (the text says the range). */
int klamm_conf_set(struct klamm_conf *conf, const char *key, const char *value,
		   struct klamm_error *err);

/* One "key=value" word, as after -X on the command line. */
int klamm_conf_set_pair(struct klamm_conf *conf, const char *pair,
			struct klamm_error *err);

/* A problem found in a file: everything wrong with it is reported in one pass. */
struct klamm_conf_issue {
	size_t size;
	const char *file; /* borrowed for the call; NULL when set by a call */
	int32_t line;     /* from 1; 0 = none */
	int32_t is_error; /* 1 = the configuration cannot be used, 0 = a note */
	const char *key;  /* may be NULL */
	const char *text; /* "linger.ms = -3: must be 0..2147483647" */
};
typedef void (*klamm_conf_issue_fn)(void *arg, const struct klamm_conf_issue *issue);

/* Which [profile NAME] sections of files count: those of this name (copied), besides what
 * stands outside of any. NULL = none. Before the first file is loaded (STATE). That no file
 * had it is told by klamm_conf_check() and when a client is made. CONFIG: not a name. */
int klamm_conf_profile(struct klamm_conf *conf, const char *name, struct klamm_error *err);

/* Read a file in Java's .properties syntax, see klamm.conf(5). In a file that is not called
 * *.properties, "[profile NAME]" begins a section and "include FILE" reads another file, as
 * seen from the folder of the first. fn (may be NULL) hears of every
 * issue; the first error is also returned, and then nothing of the file is kept.
 * IO: the file cannot be read. CONFIG: something in it is wrong. */
int klamm_conf_load(struct klamm_conf *conf, const char *path, klamm_conf_issue_fn fn,
		    void *arg, struct klamm_error *err);

/* The same for text in memory; name stands for the file in issues. */
int klamm_conf_load_text(struct klamm_conf *conf, const char *name, const char *text,
			 size_t len, klamm_conf_issue_fn fn, void *arg,
			 struct klamm_error *err);

/* The text of a value as it would be used, or NULL when the key is unknown or has
 * neither value nor default. Secrets read "[hidden]". Borrowed until the next
 * call on conf. */
const char *klamm_conf_get(const struct klamm_conf *conf, const char *key);

/* Rules between keys, for clients of these roles (enum klamm_role, may be or-ed):
 * required ones are there, no two contradict each other. */
int klamm_conf_check(const struct klamm_conf *conf, int32_t roles,
		     klamm_conf_issue_fn fn, void *arg, struct klamm_error *err);

struct klamm_plugin_head; /* <klamm/plugin.h> */

/* Offer a plugin from the application's own code, under the same checks as a
 * loaded one and found before any file. The descriptor is borrowed for the life
 * of every client made from this configuration; user reaches its open() through
 * struct klamm_host. */
int klamm_conf_plugin(struct klamm_conf *conf, int32_t kind,
		      const struct klamm_plugin_head *descriptor, void *user,
		      struct klamm_error *err);

/* Tokens of the application's own, for sasl.mechanism OAUTHBEARER, in place of what the keys
 * sasl.oauthbearer... would get. fn is called on a thread of klamm whenever a client needs
 * one: before its first connection, and again when klamm_token_set()'s time is nearly over
 * (sasl.login.refresh...). It may block, for as long as the client may wait; it must not call
 * the client. It fills token with klamm_token_set(), or returns an error (CONNECT and
 * TIMED_OUT are tried again) and says why in err. arg is borrowed for the life of every
 * client made from this configuration; NULL as fn: none. */
struct klamm_token;
typedef int (*klamm_token_fn)(void *arg, struct klamm_token *token, struct klamm_error *err);
void klamm_conf_token(struct klamm_conf *conf, klamm_token_fn fn, void *arg);
/* value: what stands behind "Bearer", copied. expires_ms: when it ends, in milliseconds since
 * 1970; 0 = it is a JWT and says so itself, -1 = never. NO_MEMORY, INVALID_ARGUMENT. */
int klamm_token_set(struct klamm_token *token, const char *value, int64_t expires_ms);
/* A SASL extension that goes with it (RFC 7628 3.1): letters, and printable ASCII. Copied.
 * NO_MEMORY, INVALID_ARGUMENT. */
int klamm_token_extension(struct klamm_token *token, const char *name, const char *value);

/* Log lines of every client made from this configuration. level: 0 error,
 * 1 warning, 2 info, 3 debug, 4 trace (requests), and KLAMM_LOG_TRAFFIC or-ed to it
 * for the messages themselves. fn may be called from any thread of klamm, must not
 * block and must not call klamm. Without it the library is silent. */
typedef void (*klamm_log_fn)(void *arg, int32_t level, const char *where,
			     const char *text);
int klamm_conf_log(struct klamm_conf *conf, klamm_log_fn fn, void *arg, int32_t level);

/* Every request and answer as a line of JSON of level 3, records and all but no secrets,
 * whatever the level: "> Metadata v13 {"header":{...},"body":{...}}", '>' for what is
 * sent and '<' for what comes. For finding out, not for production: it is large. */
#define KLAMM_LOG_TRAFFIC 0x100

#ifdef __cplusplus
}
#endif
#endif
