/* SPDX-License-Identifier: BSD-2-Clause */
/* Products of 128 bits, which not every processor has a type for. */
#ifndef KL_WIDE_H
#define KL_WIDE_H

#include <stdint.h>

/* The upper half of a * b: where a / 2^64, a fraction, stands in 0..b - 1. */
static inline uint64_t kl_mul_high(uint64_t a, uint64_t b)
{
	uint64_t a_low = (uint32_t)a, a_high = a >> 32;
	uint64_t b_low = (uint32_t)b, b_high = b >> 32;
	uint64_t middle = a_high * b_low + (a_low * b_low >> 32);
	uint64_t other = a_low * b_high + (uint32_t)middle;
	return a_high * b_high + (middle >> 32) + (other >> 32);
}

#endif
