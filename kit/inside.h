/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks share. Everything here runs in the child process of one check. */
#ifndef KIT_INSIDE_H
#define KIT_INSIDE_H

#include "core/base/sink.h"
#include "core/net/loop.h"
#include "kit/kit.h"

/* What the child is at, in words. */
#define KIT_STEP 200

struct kit {
	const struct kit_subject *subject;
	struct kl_plugin *plugin;
	struct klamm_loop *loop;
	struct kl_host *host; /* the same one in every thread */
	struct klamm_error err; /* of the last call, cleared by kit_step() */
	const char *skipped;    /* why nothing could be checked */
	/* An option that is set otherwise than in the subject's configuration. */
	const char *key, *value;
	char *step;      /* where the parent reads what is being called */
	char text[KIT_TEXT];
};

/* Says what comes next, for the sentence about a crash or a hang: "compress() of 10 bytes". */
void kit_step(struct kit *k, const char *fmt, ...) KL_PRINTF(2, 3);
/* The sentence that a check returns. */
const char *kit_say(struct kit *k, const char *fmt, ...) KL_PRINTF(2, 3);
/* Nothing can be said here, and why; returns NULL. */
const char *kit_skip(struct kit *k, const char *why);

/* --- common.c --- */

/* Loads, makes a loop and a host. */
const char *kit_begin(struct kit *k);
void kit_end(struct kit *k);
/* An instance in a role, NULL = the usual one of the kind. */
const char *kit_open(struct kit *k, const char *role, struct kl_instance *instance_out);
void kit_close(struct kit *k, struct kl_instance *instance);
/* After a call that failed with rc: is it one of codes (ended by 0), and does it explain
 * itself? */
const char *kit_refused(struct kit *k, int rc, const int *codes);

const char *kit_loads(struct kit *k), *kit_opens(struct kit *k),
	*kit_exports(struct kit *k), *kit_twice(struct kit *k), *kit_options(struct kit *k),
	*kit_option_rows(struct kit *k), *kit_leaks(struct kit *k),
	*kit_is_quiet(struct kit *k);

/* Runs fn(k, arg, i) in `threads` threads that begin together; the first sentence. What they
 * say goes through a kit of their own. */
#define KIT_THREADS 4
const char *kit_together(struct kit *k, const char *(*fn)(struct kit *k, void *arg, int i),
			 void *arg);

/* --- elf.c --- */

/* The names that a shared object defines for others and needs of others; fn's non-zero answer
 * ends it. false: it cannot be read. */
bool kit_elf_names(const char *file, int (*fn)(void *arg, const char *name, bool is_defined),
		   void *arg);

/* --- memory.c --- */

/* An output that knows what was done to it: bytes behind its room, more than its limit. */
struct kit_out {
	struct klamm_out out;
	size_t asked; /* the most that it was asked to hold */
	bool is_hurt; /* somebody wrote behind the room */
};
void kit_out_init(struct kit_out *o, size_t limit);
void kit_out_free(struct kit_out *o); /* wiped, too */
void kit_out_clear(struct kit_out *o);
/* What `call` did wrong with it. */
const char *kit_out_check(struct kit *k, struct kit_out *o, const char *call);

/* Input that ends where nothing may be read. */
struct kit_guard {
	uint8_t *map;
	size_t size;
};
bool kit_guard_init(struct kit_guard *g, size_t max);
void kit_guard_free(struct kit_guard *g);
/* A copy of n bytes up to the edge; good until the next one. */
const void *kit_guard_put(struct kit_guard *g, const void *p, size_t n);

/* Bytes that malloc has given out, 0 = it cannot be told here. */
size_t kit_heap(void);
unsigned kit_count_dir(const char *path); /* of entries; 0 = cannot be read */

/* How often a part of a secret lies in the writable memory of this process: an allocator
 * writes over the beginning of what it gets back. Each byte is xor-ed with KIT_MASK, so as
 * not to be found itself. */
#define KIT_MASK 0x5a
struct kit_needle {
	const uint8_t *masked;
	size_t len, part; /* len is some times part */
	bool only_dumped; /* leave out what a core dump leaves out (MADV_DONTDUMP) */
};
unsigned kit_find_secret(const struct kit_needle *needle);

/* Data that packs well, badly and as usual. */
enum { KIT_ZERO, KIT_NOISE, KIT_WORDS, KIT_FILLS };
void kit_fill(uint8_t *p, size_t n, int kind);
uint32_t kit_random(uint32_t *state);

/* --- one file per kind --- */

/* A little of everything that an instance does; for the search for leaks. */
const char *kit_use(struct kit *k, struct kl_instance *instance);
const char *kit_codec_use(struct kit *k, struct kl_instance *instance),
	*kit_partitioner_use(struct kit *k, struct kl_instance *instance),
	*kit_assignor_use(struct kit *k, struct kl_instance *instance),
	*kit_sasl_use(struct kit *k, struct kl_instance *instance),
	*kit_serializer_use(struct kit *k, struct kl_instance *instance),
	*kit_metrics_use(struct kit *k, struct kl_instance *instance);

/* For sasl: the secret that an instance is given, and the user it belongs to. */
bool kit_sasl_has_secret(const struct kit *k, const char *key);
int kit_sasl_secret(void *arg, const char *key, char **text_out, struct klamm_error *err);
const char *kit_sasl_default(const char *key);

const char *kit_codec_trips(struct kit *k), *kit_codec_appends(struct kit *k),
	*kit_codec_output(struct kit *k), *kit_codec_bomb(struct kit *k),
	*kit_codec_damage(struct kit *k), *kit_codec_together(struct kit *k);
const char *kit_partitioner_range(struct kit *k), *kit_partitioner_stable(struct kit *k),
	*kit_partitioner_batches(struct kit *k), *kit_partitioner_together(struct kit *k);
const char *kit_assignor_whole(struct kit *k), *kit_assignor_stable(struct kit *k),
	*kit_assignor_moves(struct kit *k), *kit_assignor_foreign(struct kit *k),
	*kit_assignor_together(struct kit *k);
const char *kit_sasl_agrees(struct kit *k), *kit_sasl_refuses(struct kit *k),
	*kit_sasl_damage(struct kit *k), *kit_sasl_wipes(struct kit *k),
	*kit_sasl_together(struct kit *k);
const char *kit_serializer_trips(struct kit *k), *kit_serializer_nulls(struct kit *k),
	*kit_serializer_output(struct kit *k), *kit_serializer_damage(struct kit *k),
	*kit_serializer_together(struct kit *k);
const char *kit_metrics_reports(struct kit *k), *kit_metrics_borrows(struct kit *k),
	*kit_metrics_together(struct kit *k);

#endif
