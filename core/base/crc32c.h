/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32C (Castagnoli, RFC 3720), which guards record batches v2. Any thread. */
#ifndef KL_CRC32C_H
#define KL_CRC32C_H

#include "core/base/base.h"

/* Continues from the CRC of what came before, 0 at first:
 * kl_crc32c(kl_crc32c(0, a), b) is the CRC of a followed by b. */
uint32_t kl_crc32c(uint32_t crc, const void *p, size_t n);

/* The CRC of a followed by b, from those of a and of b, without the bytes. Since it is
 * linear in a, combine(a ^ a2, crc, len_b) turns the CRC of "a b" into that of "a2 b". */
uint32_t kl_crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b);

/* One way to compute it. The fastest that this machine can run is chosen at load; tests and
 * benchmarks walk all of them, fastest first, ended by a NULL name. */
struct kl_crc32c_way {
	const char *name;
	bool (*usable)(void);
	uint32_t (*update)(uint32_t crc, const uint8_t *p, size_t n);
	/* crc * x^bits mod P: what bits zero bits behind it make of a CRC. */
	uint32_t (*shift)(uint32_t crc, uint32_t bits);
};
extern const struct kl_crc32c_way kl_crc32c_ways[];

#endif
