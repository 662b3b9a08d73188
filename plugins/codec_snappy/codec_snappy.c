/* SPDX-License-Identifier: BSD-2-Clause */
/* Snappy as Kafka has it: written in the framing of snappy-java ("xerial"), blocks of 32 KiB
 * that can each be unpacked alone; read in that framing or as one bare block. */
#include <klamm/codec.h>

#include <snappy-c.h>
#include <stdlib.h>

#include "plugins/codec_snappy/pack.h"

/* The magic bytes, then version 1 that needs at least version 1. Some writers get the byte
 * order of the versions wrong, so a reader looks at the magic bytes only. */
static const uint8_t header[16] = {0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0,
				   0,    0,   0,   1,   0,   0,   0,   1};
#define MAGIC_SIZE 8

/* The densest element turns 3 bytes into 64, so a block that claims more is lying. */
#define RATIO_MAX 22

static int snappy_open(const struct klamm_host *host, const void *conf, void **self_out,
		       struct klamm_error *err)
{
	*self_out = malloc(sizeof(struct snappy_packer));
	if (*self_out == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return 0;
}

static void snappy_close(void *self)
{
	free(self);
}

static int append_block(struct snappy_packer *packer, const uint8_t *p, size_t n,
			struct klamm_out *out)
{
	size_t packed = kl_snappy_pack(packer, p, n);
	uint8_t size[4] = {(uint8_t)(packed >> 24), (uint8_t)(packed >> 16),
			   (uint8_t)(packed >> 8), (uint8_t)packed};
	int rc = klamm_out_append(out, size, sizeof(size));
	return rc == 0 ? klamm_out_append(out, packer->packed, packed) : rc;
}

static int compress_snappy(void *self, const struct klamm_span *in, struct klamm_out *out,
			   struct klamm_error *err)
{
	int rc = klamm_out_append(out, header, sizeof(header));
	for (size_t at = 0; at < in->len && rc == 0; at += SNAPPY_BLOCK_MAX) {
		size_t left = in->len - at;
		size_t n = left < SNAPPY_BLOCK_MAX ? left : SNAPPY_BLOCK_MAX;
		rc = append_block(self, (const uint8_t *)in->data + at, n, out);
	}
	if (rc == KLAMM_ERR_LIMIT)
		return klamm_fail(err, rc, "%zu bytes do not pack into %zu", in->len,
				  out->limit);
	return rc == 0 ? 0 : klamm_fail(err, rc, "out of memory");
}

static int damaged(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_CODEC, "the snappy data is damaged");
}

/* begin: where this batch begins in out. */
static int unpack_block(const char *p, size_t n, size_t begin, size_t limit,
			struct klamm_out *out, struct klamm_error *err)
{
	size_t plain;
	if (snappy_uncompressed_length(p, n, &plain) != SNAPPY_OK || plain / RATIO_MAX > n)
		return damaged(err);
	if (plain > limit - (out->len - begin))
		return klamm_fail(err, KLAMM_ERR_LIMIT,
				  "the batch unpacks to more than %zu bytes", limit);
	uint8_t *to = klamm_out_reserve(out, plain);
	if (to == NULL)
		return klamm_out_error(out, plain, err);
	if (snappy_uncompress(p, n, (char *)to, &plain) != SNAPPY_OK)
		return damaged(err);
	out->len += plain;
	return 0;
}

static bool is_framed(const uint8_t *p, size_t n)
{
	return n >= sizeof(header) && memcmp(p, header, MAGIC_SIZE) == 0;
}

static int decompress_snappy(void *self, const struct klamm_span *in, size_t limit,
			     struct klamm_out *out, struct klamm_error *err)
{
	const uint8_t *p = in->data, *end = p + in->len;
	size_t begin = out->len;
	if (!is_framed(p, in->len))
		return unpack_block(in->data, in->len, begin, limit, out, err);
	while (p < end) {
		if (is_framed(p, (size_t)(end - p))) { /* streams may be joined */
			p += sizeof(header);
			continue;
		}
		if (end - p < 4)
			return klamm_fail(err, KLAMM_ERR_CODEC,
					  "the snappy data is cut short");
		uint32_t n = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 |
			     (uint32_t)p[2] << 8 | (uint32_t)p[3];
		p += 4;
		if (n > (size_t)(end - p))
			return klamm_fail(err, KLAMM_ERR_CODEC,
					  "a snappy block of %u bytes has only %zu", n,
					  (size_t)(end - p));
		int rc = unpack_block((const char *)p, n, begin, limit, out, err);
		if (rc != 0)
			return rc;
		p += n;
	}
	return 0;
}

KLAMM_PLUGIN(codec, snappy) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "snappy", "Snappy in the framing of snappy-java"),
		.open = snappy_open,
		.close = snappy_close,
	},
	.wire_id = KLAMM_WIRE_SNAPPY,
	.compress = compress_snappy,
	.decompress = decompress_snappy,
};
