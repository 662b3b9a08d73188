/* SPDX-License-Identifier: BSD-2-Clause */
/* What the fuzz targets share.
 *
 * A target is a file fuzz_NAME.c with LLVMFuzzerTestOneInput() and, where bytes have a shape
 * that blind changes would only break, LLVMFuzzerCustomMutator(). Under clang with
 * --enable-fuzz it becomes a libFuzzer program; otherwise driver.c runs it over its corpus.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>
#include <stdlib.h>

#include "core/plugin.h"
#include "core/proto/packet.h"

/* libFuzzer's own names. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max); /* blind */

/* What holds whatever the input is. */
#define fuzz_must(condition)                                                           \
	do {                                                                           \
		if (!(condition)) {                                                    \
			fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__,     \
				#condition);                                           \
			abort();                                                       \
		}                                                                      \
	} while (0)

/* --- chance: the same seed gives the same numbers --- */

uint64_t fuzz_next(uint64_t *state);
static inline uint32_t fuzz_below(uint64_t *state, uint32_t n) /* n > 0 */
{
	return (uint32_t)(fuzz_next(state) >> 32) % n;
}

/* --- inputs --- */

/* The first byte of an input, and the rest without it; 0 when there is none. */
static inline uint8_t fuzz_take(const uint8_t **data, size_t *size)
{
	if (*size == 0)
		return 0;
	(*size)--;
	return *(*data)++;
}
/* A byte as a limit of memory: most are none, the others small enough to be met. */
static inline size_t fuzz_limit(uint8_t byte)
{
	return byte < 192 ? 0 : (size_t)(byte - 191) * 256;
}
/* Replace an input by a new one, if that fits; its new size. */
size_t fuzz_replace(uint8_t *data, size_t size, size_t max, const void *p, size_t n);

/* --- messages (message.c) --- */

/* Decode a header and a body; whatever was read prints as JSON, and is written so that
 * the same is read again. response as of kl_packet_decode(). */
void fuzz_packet(const struct kl_msg *response, int version, const uint8_t *p, size_t n,
		 size_t memory);
/* The same for a message without a header. */
void fuzz_message(const struct kl_msg *msg, int version, const uint8_t *p, size_t n,
		  size_t memory);

/* A header and a body made up; false: out of memory. */
bool fuzz_random_packet(const struct kl_msg *msg, int version, uint64_t *state,
			struct kl_buf *to);
/* Change one thing or a few in a decoded message. */
void fuzz_change(const struct kl_msg *msg, int version, void *obj,
		 struct kl_arena *arena, uint64_t *state);

/* --- files (folder.c) --- */

/* A folder of this process, removed at its end. */
const char *fuzz_folder(void);
void fuzz_write(const char *path, const void *p, size_t n);

/* --- plugins (loaded.c) --- */

struct fuzz_plugin {
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
};
/* Loaded and opened once, as a client would; ends the program when that fails. */
struct fuzz_plugin *fuzz_plugin(int32_t kind, const char *name, const char *role);
/* With options of its own, which lookup knows by their keys. */
struct fuzz_plugin *fuzz_plugin_with(int32_t kind, const char *name, const char *role,
				     kl_lookup_fn lookup);

#endif
