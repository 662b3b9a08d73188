/* SPDX-License-Identifier: BSD-2-Clause */
/* A CRC is the remainder of the message as a polynomial over GF(2) modulo P. In reflected
 * order bit b of a word stands for x^(31-b), so "times x" is a shift to the right, and adding
 * polynomials is xor. Everything below follows from two facts: the CRC of a followed by b is
 * crc(a) * x^(8 len b) + crc(b), and x^(2^31-1) = 1 mod P, so exponents are reduced by it.
 */
#include "core/base/crc32c.h"

#define KL_CRC_POLY 0x82f63b78u
#include "core/base/crc_slice.h"

#define ORDER 0x7fffffffu /* of x modulo P */

static bool always(void)
{
	return true;
}

static uint32_t slice_update(uint32_t crc, const uint8_t *p, size_t n)
{
	return ~crc_slice(~crc, p, n);
}

/* x^(2^k) mod P, each the square of the one before. */
static const uint32_t powers[31] = {
	0x40000000, 0x20000000, 0x08000000, 0x00800000, 0x00008000, 0x82f63b78, 0x6ea2d55c,
	0x18b8ea18, 0x510ac59a, 0xb82be955, 0xb8fdb1e7, 0x88e56f72, 0x74c360a4, 0xe4172b16,
	0x0d65762a, 0x35d73a62, 0x28461564, 0xbf455269, 0xe2ea32dc, 0xfe7740e6, 0xf946610b,
	0x3c204f8f, 0x538586e3, 0x59726915, 0x734d5309, 0xbc1ac763, 0x7d0722cc, 0xd289cabe,
	0xe94ca9bc, 0x05b74f3f, 0xa51e1f42,
};

static uint32_t multiply(uint32_t a, uint32_t b)
{
	uint32_t product = 0;
	for (; b != 0; b <<= 1) {
		if (b & 0x80000000u)
			product ^= a;
		a = CRC_X(a);
	}
	return product;
}

static uint32_t slice_shift(uint32_t crc, uint32_t bits)
{
	for (unsigned k = 0; bits != 0; k++, bits >>= 1)
		if (bits & 1)
			crc = multiply(crc, powers[k]);
	return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define SSE __attribute__((target("sse4.2,pclmul")))

/* x^(2^k-33) mod P: see times(). */
static const uint32_t powers_33[31] = {
	0xd610d67e, 0x6b086b3f, 0xd94f3c0b, 0xbf818109, 0x780d5a4d, 0x05ec76f1, 0x00000001,
	0x493c7d27, 0xba4fc28e, 0x9e4addf8, 0x0d3b6092, 0xb9e02b86, 0xdd7e3b0c, 0x170076fa,
	0xa51b6135, 0x82f89c77, 0x54a86326, 0x1dc403cc, 0x5ae703ab, 0xc5013a36, 0xac2ac6dd,
	0x9b4615a9, 0x688d1c61, 0xf6af14e6, 0xb6ffe386, 0xb717425b, 0x478b0d30, 0x54cc62e5,
	0x7b2102ee, 0x8a99adef, 0xa7568c8f,
};

static bool sse_usable(void)
{
	return __builtin_cpu_supports("sse4.2") && __builtin_cpu_supports("pclmul");
}

/* a * x^(2^k), not yet reduced. The instruction multiplies the words as they stand; read as
 * a reflected 64-bit word its result has one factor x too many, and the CRC instruction that
 * reduces it multiplies by x^32. The constant has both taken out. */
SSE static inline uint64_t times(uint32_t a, unsigned k)
{
	return (uint64_t)_mm_cvtsi128_si64(_mm_clmulepi64_si128(
		_mm_cvtsi32_si128((int)a), _mm_cvtsi32_si128((int)powers_33[k]), 0));
}

SSE static inline uint64_t load_64(const uint8_t *p)
{
	uint64_t v;
	memcpy(&v, p, sizeof(v));
	return v;
}

/* Three lanes of 2^log bytes side by side: the instruction takes three cycles, but one can
 * start in each. Lane a is then moved over b and c, and b over c. */
SSE static inline uint32_t sse_lanes(uint32_t crc, const uint8_t *p, unsigned log)
{
	size_t lane = (size_t)1 << log;
	uint64_t a = crc, b = 0, c = 0;
	for (const uint8_t *end = p + lane; p < end; p += 8) {
		a = _mm_crc32_u64(a, load_64(p));
		b = _mm_crc32_u64(b, load_64(p + lane));
		c = _mm_crc32_u64(c, load_64(p + 2 * lane));
	}
	uint64_t moved = times((uint32_t)a, log + 4) ^ times((uint32_t)b, log + 3);
	return (uint32_t)(_mm_crc32_u64(0, moved) ^ c);
}

SSE static uint32_t sse_update(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (; n >= 3 * 1024; n -= 3 * 1024, p += 3 * 1024)
		crc = sse_lanes(crc, p, 10);
	for (; n >= 3 * 128; n -= 3 * 128, p += 3 * 128)
		crc = sse_lanes(crc, p, 7);
	for (; n >= 3 * 32; n -= 3 * 32, p += 3 * 32)
		crc = sse_lanes(crc, p, 5);
	uint64_t wide = crc;
	for (; n >= 8; n -= 8, p += 8)
		wide = _mm_crc32_u64(wide, load_64(p));
	crc = (uint32_t)wide;
	if (n & 4) {
		crc = _mm_crc32_u32(crc, crc_load_le32(p));
		p += 4;
	}
	for (n &= 3; n > 0; n--)
		crc = _mm_crc32_u8(crc, *p++);
	return ~crc;
}

SSE static uint32_t sse_shift(uint32_t crc, uint32_t bits)
{
	for (; bits != 0; bits &= bits - 1)
		crc = (uint32_t)_mm_crc32_u64(0, times(crc, (unsigned)__builtin_ctz(bits)));
	return crc;
}

#define AVX __attribute__((target("sse4.2,pclmul,avx512f,vpclmulqdq")))
#define FOLD 256 /* bytes in four registers */

static bool avx_usable(void)
{
	return sse_usable() && __builtin_cpu_supports("avx512f") &&
	       __builtin_cpu_supports("vpclmulqdq");
}

/* The sum moved over the next FOLD bytes, and those added: the halves of 16 bytes times
 * x^2048 and x^(2048+64), with the same two factors taken out as in times(). */
AVX static inline __m512i avx_fold(__m512i sum, const uint8_t *p)
{
	const __m512i by = _mm512_set4_epi64(0xb9e02b86, 0xdcb17aa4, 0xb9e02b86, 0xdcb17aa4);
	__m512i early = _mm512_clmulepi64_epi128(sum, by, 0x00);
	__m512i late = _mm512_clmulepi64_epi128(sum, by, 0x11);
	return _mm512_ternarylogic_epi64(early, late, _mm512_loadu_si512(p), 0x96); /* xor */
}

/* Twice as fast as the CRC instruction can be, but it takes some bytes to begin and end. What
 * is left of the folding is a message of FOLD bytes with the same remainder. */
AVX static uint32_t avx_update(uint32_t crc, const uint8_t *p, size_t n)
{
	if (n < 4 * FOLD)
		return sse_update(crc, p, n);
	__m512i a = _mm512_loadu_si512(p), b = _mm512_loadu_si512(p + 64);
	__m512i c = _mm512_loadu_si512(p + 128), d = _mm512_loadu_si512(p + 192);
	a = _mm512_xor_si512(a, _mm512_zextsi128_si512(_mm_cvtsi32_si128((int)~crc)));
	for (p += FOLD, n -= FOLD; n >= FOLD; p += FOLD, n -= FOLD) {
		a = avx_fold(a, p);
		b = avx_fold(b, p + 64);
		c = avx_fold(c, p + 128);
		d = avx_fold(d, p + 192);
	}
	uint8_t rest[FOLD];
	_mm512_storeu_si512(rest, a);
	_mm512_storeu_si512(rest + 64, b);
	_mm512_storeu_si512(rest + 128, c);
	_mm512_storeu_si512(rest + 192, d);
	return sse_update(sse_update(UINT32_MAX, rest, FOLD), p, n);
}

/* clang-format off */
#define HARDWARE \
	{"avx512", avx_usable, avx_update, sse_shift}, \
	{"sse4.2", sse_usable, sse_update, sse_shift},
/* clang-format on */

#elif defined(__ARM_FEATURE_CRC32) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#include <arm_acle.h>

static uint32_t arm_update(uint32_t crc, const uint8_t *p, size_t n)
{
	crc = ~crc;
	for (; n >= 8; n -= 8, p += 8) {
		uint64_t v;
		memcpy(&v, p, sizeof(v));
		crc = __crc32cd(crc, v);
	}
	for (; n > 0; n--)
		crc = __crc32cb(crc, *p++);
	return ~crc;
}

#define HARDWARE {"armv8", always, arm_update, slice_shift},

#else
#define HARDWARE
#endif

const struct kl_crc32c_way kl_crc32c_ways[] = {
	HARDWARE
	{"slice-by-8", always, slice_update, slice_shift},
	{NULL, NULL, NULL, NULL},
};

/* Written once, before any other thread can be in this library. */
static const struct kl_crc32c_way *best = &kl_crc32c_ways[kl_countof(kl_crc32c_ways) - 2];

__attribute__((constructor)) static void choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
#endif
	const struct kl_crc32c_way *way = kl_crc32c_ways;
	while (!way->usable())
		way++;
	best = way;
}

uint32_t kl_crc32c(uint32_t crc, const void *p, size_t n)
{
	return best->update(crc, p, n);
}

uint32_t kl_crc32c_combine(uint32_t a, uint32_t b, uint64_t len_b)
{
	return best->shift(a, (uint32_t)(len_b % ORDER * 8 % ORDER)) ^ b;
}
