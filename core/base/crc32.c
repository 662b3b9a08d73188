/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/crc32.h"

#define KL_CRC_POLY 0xedb88320u
#include "core/base/crc_slice.h"

uint32_t kl_crc32(uint32_t crc, const void *p, size_t n)
{
	return ~crc_slice(~crc, p, n);
}
