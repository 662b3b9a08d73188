/* SPDX-License-Identifier: BSD-2-Clause */
/* CRC-32 (IEEE 802.3), which guards messages of the formats before v2. Any thread. */
#ifndef KL_CRC32_H
#define KL_CRC32_H

#include "core/base/base.h"

/* Continues from the CRC of what came before, 0 at first. */
uint32_t kl_crc32(uint32_t crc, const void *p, size_t n);

#endif
