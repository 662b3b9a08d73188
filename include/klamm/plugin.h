/* SPDX-License-Identifier: BSD-2-Clause */
/* What every plugin shares: its head and its options.
 *
 * A plugin is one exported const structure. Its name is the word in the configuration,
 * the file and the symbol: compression.type = zstd -> codec_zstd.so ->
 * klamm_codec_zstd (lower case, '-' and '.' become '_'). It links nothing of klamm's:
 * what it needs comes in struct klamm_host or is inline in <klamm/host.h>.
 *
 * Stability: struct klamm_plugin_head never changes. The structure of a kind grows at
 * its end only, and a plugin compiled before a member existed reads as NULL there. The
 * ABI number of a kind changes only when a member changes meaning. Structures that
 * klamm hands to a plugin begin with their size and grow at the end, or say that they
 * are frozen.
 */
#ifndef KLAMM_PLUGIN_H
#define KLAMM_PLUGIN_H

#include <klamm/conf.h>
#include <klamm/error.h>
#include <klamm/host.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_option;

/* Frozen for good. */
struct klamm_plugin_head {
	/* Mandatory. KLAMM_ABI_<kind>, and sizeof the whole descriptor as the plugin was
	 * compiled; KLAMM_PLUGIN_HEAD fills both. */
	uint32_t abi;
	uint32_t size;
	/* Mandatory. The word in the configuration, [a-z0-9_]+, and one line for
	 * `klamm plugin list`. Static. */
	const char *name, *summary;
	/* Optional. Rows, ended by one whose name is NULL; option_size is
	 * sizeof(struct klamm_option). They are parsed into a zeroed structure of
	 * conf_size bytes, which open() gets. Static. */
	const struct klamm_option *options;
	size_t option_size, conf_size;
	/* Optional. Makes an instance; without it self is NULL. May block: it runs on the
	 * thread that makes the client, or (codecs) on a worker. host and conf, with the
	 * strings in it, are borrowed until close() returns; conf is NULL when conf_size
	 * is 0. On failure nothing is left behind. */
	int (*open)(const struct klamm_host *host, const void *conf, void **self_out,
		    struct klamm_error *err);
	/* Optional. Frees the instance; joins threads of its own. Called once, when no
	 * other call on self is running. May block until what it waits for is cancelled. */
	void (*close)(void *self);
};

/* The kind is in the upper half, so that a descriptor of the wrong kind is seen. */
#define KLAMM_ABI(kind, version) ((uint32_t)(kind) << 16 | (uint32_t)(version))

#ifdef __cplusplus
#define KLAMM_PLUGIN_LINKAGE extern "C" __attribute__((visibility("default")))
#else
#define KLAMM_PLUGIN_LINKAGE extern __attribute__((visibility("default")))
#endif

/* KLAMM_PLUGIN(codec, zstd) = { .head = {KLAMM_PLUGIN_HEAD(codec, "zstd", "..."), ... */
#define KLAMM_PLUGIN(kind, name)                                                        \
	KLAMM_PLUGIN_LINKAGE const struct klamm_##kind##_plugin klamm_##kind##_##name;   \
	const struct klamm_##kind##_plugin klamm_##kind##_##name
#define KLAMM_PLUGIN_HEAD(kind, name_, summary_)                                        \
	.abi = KLAMM_ABI_##kind, .size = sizeof(struct klamm_##kind##_plugin),           \
	.name = name_, .summary = summary_

enum klamm_option_type {        /* and what stands at offset: */
	KLAMM_OPTION_BOOL = 1,  /* bool */
	KLAMM_OPTION_INT = 2,   /* int32_t */
	KLAMM_OPTION_LONG = 3,  /* int64_t */
	KLAMM_OPTION_DOUBLE = 4,
	KLAMM_OPTION_STRING = 5, /* const char *, NULL = not set */
	KLAMM_OPTION_LIST = 6,   /* const char *: comma separated, spaces trimmed */
	KLAMM_OPTION_ENUM = 7,   /* int32_t: place of the word in range, from 0 */
};

#define KLAMM_OPTION_REQUIRED 1u   /* no default, and it must be set */
#define KLAMM_OPTION_SECRET 2u     /* never shown; not stored: see secret_read() */
#define KLAMM_OPTION_DEPRECATED 4u /* accepted with a note */
#define KLAMM_OPTION_PATH 8u       /* a STRING that names a file */

/* A row of the option table: the core's and a plugin's are the same. Frozen up to doc;
 * longer rows are told by option_size. */
struct klamm_option {
	/* The whole key. Kafka's own where it has one (compression.zstd.level), else it
	 * begins with <kind>.<name>. as in "serializer.avro.registry". */
	const char *name;
	int32_t type;   /* enum klamm_option_type */
	uint32_t flags; /* KLAMM_OPTION_... */
	size_t offset;  /* in the structure that the rows fill */
	const char *def; /* default, as one would write it in a file; NULL = not set */
	/* What is allowed, as the error says it: numbers "0..", "-1|1..9", "0.5..1.0";
	 * words "none|gzip|lz4" (needed for ENUM); NULL = anything. */
	const char *range;
	const char *aliases; /* other names, space separated, or NULL */
	const char *doc;     /* one or two sentences for the manual */
};

#ifdef __cplusplus
}
#endif
#endif
