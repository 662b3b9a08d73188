/* SPDX-License-Identifier: BSD-2-Clause */
/* Packs one block of Snappy, without allocating.
 *
 * libsnappy takes its working memory with `new`, in every call, and is itself built
 * without exceptions: when there is none, std::bad_alloc ends the process, and whether
 * anybody could catch it is up to the compiler that libsnappy was built with. Its unpacking
 * allocates nothing and is used. */
#ifndef SNAPPY_PACK_H
#define SNAPPY_PACK_H

#include <stddef.h>
#include <stdint.h>

#define SNAPPY_BLOCK_MAX 32768
/* The format's own bound, snappy_max_compressed_length(); it leaves room to copy in steps. */
#define SNAPPY_PACKED_MAX (32 + SNAPPY_BLOCK_MAX + SNAPPY_BLOCK_MAX / 6)
#define SNAPPY_SLOTS 16384

struct snappy_packer {
	uint16_t seen[SNAPPY_SLOTS]; /* by hash of four bytes: where they were last */
	uint8_t packed[SNAPPY_PACKED_MAX];
};

/* n bytes, SNAPPY_BLOCK_MAX at most, into packer->packed; how many it takes there. */
size_t kl_snappy_pack(struct snappy_packer *packer, const uint8_t *p, size_t n);

#endif
