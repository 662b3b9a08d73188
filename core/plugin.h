/* SPDX-License-Identifier: BSD-2-Clause */
/* Finding a plugin, checking its descriptor, and making instances of it.
 *
 * A plugin is looked for by kind and word: among those of the application's own code, those
 * that are built in, then as <kind>_<word>.so in each folder of KLAMM_PLUGIN_PATH (not in a
 * program with raised rights) and of plugin.path. Nothing is scanned but for kl_plugin_list().
 * Any thread; a plugin is constant once loaded.
 */
#ifndef KL_PLUGIN_H
#define KL_PLUGIN_H

#include <klamm/assignor.h>
#include <klamm/codec.h>
#include <klamm/metrics.h>
#include <klamm/partitioner.h>
#include <klamm/sasl.h>
#include <klamm/serializer.h>

#include "core/base/base.h"
#include "core/host.h"

/* A plugin of the application's own code, as klamm_conf_plugin() took it. */
struct kl_conf_plugin {
	const struct kl_conf_plugin *next;
	int32_t kind; /* enum klamm_kind */
	const struct klamm_plugin_head *descriptor;
	void *user;
};

/* A descriptor, copied into a zeroed structure of this version's size: a member that the
 * plugin was compiled without reads as NULL. */
struct kl_plugin {
	int32_t kind;     /* enum klamm_kind */
	uint32_t size;    /* of the descriptor as it came */
	void *user;       /* from klamm_conf_plugin() */
	char *origin;     /* "built in", "given by the application", or the path of the file */
	union {
		struct klamm_plugin_head head;
		struct klamm_codec_plugin codec;
		struct klamm_partitioner_plugin partitioner;
		struct klamm_assignor_plugin assignor;
		struct klamm_sasl_plugin sasl;
		struct klamm_serializer_plugin serializer;
		struct klamm_metrics_plugin metrics;
	};
};

/* Where to look. Borrowed for the call. */
struct kl_plugin_search {
	const struct kl_conf_plugin *own; /* kl_conf_plugins(conf) */
	const char *const *dirs;          /* plugin.path; none = the folder of this build */
	size_t dir_count;
};

/* "codec" for KLAMM_KIND_CODEC, NULL for no kind; and back, 0 for no such word. */
const char *kl_kind_word(int32_t kind);
int32_t kl_kind(const char *word);

/* name: as in the configuration, "zstd", "SCRAM-SHA-256". PLUGIN: it is not there or is
 * refused, in one sentence with its path. Ends with kl_plugin_free(); what was loaded stays
 * in memory. */
int kl_plugin_load(int32_t kind, const char *name, const struct kl_plugin_search *search,
		   struct kl_plugin **plugin_out, struct klamm_error *err);
void kl_plugin_free(struct kl_plugin *plugin); /* NULL is fine */

/* One file, <kind>_<word>.so of this folder. -ENOENT: it is not there. */
int kl_plugin_load_file(int32_t kind, const char *word, const char *dir,
			struct kl_plugin **plugin_out, struct klamm_error *err);

/* The same checks for a descriptor at hand. word NULL: it may have any name. */
int kl_plugin_check(int32_t kind, const char *word, const struct klamm_plugin_head *head,
		    const char *origin, struct kl_plugin **plugin_out,
		    struct klamm_error *err);

/* The i-th option row, NULL at the end. */
const struct klamm_option *kl_plugin_option(const struct kl_plugin *plugin, size_t i);

/* What can be found, in the order of the search. plugin is NULL when it is refused, and then
 * err says why; is_hidden: one that was told before has the same kind and word. Borrowed for
 * the call. */
struct kl_plugin_found {
	int32_t kind;
	const char *word, *origin;
	const struct kl_plugin *plugin;
	const struct klamm_error *err;
	bool is_hidden;
};
/* Loads everything it finds. A non-zero answer of fn ends it and is returned. */
int kl_plugin_list(struct kl_os *os, const struct kl_plugin_search *search,
		   int (*fn)(void *arg, const struct kl_plugin_found *found), void *arg,
		   struct klamm_error *err);

/* An instance: self and its options. Lives in its owner and must not move. */
struct kl_instance {
	struct klamm_host api; /* what the plugin sees */
	struct kl_host *host;
	const struct kl_plugin *plugin;
	void *self;
	void *conf;
	struct kl_arena strings; /* texts in conf */
	kl_lookup_fn lookup;
	void *lookup_arg;
	struct kl_list link; /* in host->instances */
	unsigned pending;    /* submitted calls that have not returned */
	unsigned held;       /* kl_plugin_hold() */
	bool left;           /* it is being closed: nothing more is submitted */
	void (*reload)(void *arg);
	void *reload_arg;
};

/* Fill the plugin's options and open it. role is the key that chose it ("value.serializer").
 * plugin and host outlive the instance. May block. CONFIG: an option is wrong; else what
 * the plugin's open() answers. */
int kl_plugin_open(const struct kl_plugin *plugin, struct kl_host *host, const char *role,
		   kl_lookup_fn lookup, void *arg, struct kl_instance *instance_out,
		   struct klamm_error *err);
/* Waits for calls that the plugin has submitted, and for what holds it. One that was never
 * opened is fine if it is zeroed. */
void kl_plugin_close(struct kl_instance *instance);
/* Whoever has something of the instance under way on another thread. Any thread. */
void kl_plugin_hold(struct kl_instance *instance);
void kl_plugin_release(struct kl_instance *instance);

#endif
