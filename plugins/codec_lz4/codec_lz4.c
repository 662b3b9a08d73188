/* SPDX-License-Identifier: BSD-2-Clause */
/* The LZ4 frame format as Java reads it: independent blocks of 64 KiB, no checksum of the
 * content, no content size. The contexts are made at first use and kept in self. */
#include <klamm/codec.h>

#include <lz4frame.h>
#include <stdlib.h>

#include "plugins/common/room.h"

#define BLOCK 65536
/* A block, in the worst case stored as it is, its size, and the end mark of the frame. */
#define PACKED_MAX (BLOCK + 64)

/* Java's default stands for the fast compressor; other levels are those of the high one,
 * which liblz4 counts from 3 to 12. */
#define JAVA_DEFAULT 9
#define HIGH_MIN 3
#define HIGH_MAX 12

struct conf {
	int32_t level;
};

static const struct klamm_option options[] = {
	{.name = "compression.lz4.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "9", .range = "1..17",
	 .doc = "9 is the fast compressor, as in Java; any other level is the high one, "
		"from 3 to 12 (less and more count as these)."},
	{NULL},
};

struct lz4 {
	LZ4F_preferences_t prefs;
	LZ4F_cctx *pack;
	LZ4F_dctx *unpack;
	uint8_t packed[PACKED_MAX];
};

static int lz4_level(int32_t level)
{
	if (level == JAVA_DEFAULT)
		return 0;
	return level < HIGH_MIN ? HIGH_MIN : level > HIGH_MAX ? HIGH_MAX : level;
}

static int lz4_open(const struct klamm_host *host, const void *conf, void **self_out,
		    struct klamm_error *err)
{
	struct lz4 *lz4 = calloc(1, sizeof(*lz4));
	if (lz4 == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	lz4->prefs = (LZ4F_preferences_t){
		.frameInfo = {.blockSizeID = LZ4F_max64KB, .blockMode = LZ4F_blockIndependent},
		.compressionLevel = lz4_level(((const struct conf *)conf)->level),
		.autoFlush = 1,
	};
	*self_out = lz4;
	return 0;
}

static void lz4_close(void *self)
{
	struct lz4 *lz4 = self;
	LZ4F_freeCompressionContext(lz4->pack);
	LZ4F_freeDecompressionContext(lz4->unpack);
	free(lz4);
}

static int failed(size_t code, struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_CODEC, "the lz4 data is damaged: %s",
			  LZ4F_getErrorName(code));
}

/* A step wrote n bytes to packed, or failed. */
static int append(struct lz4 *lz4, size_t n, size_t in_len, struct klamm_out *out,
		  struct klamm_error *err)
{
	if (LZ4F_isError(n))
		return klamm_fail(err, KLAMM_ERR_CODEC, "lz4 failed: %s",
				  LZ4F_getErrorName(n));
	int rc = klamm_out_append(out, lz4->packed, n);
	if (rc == KLAMM_ERR_LIMIT)
		return klamm_fail(err, rc, "%zu bytes do not pack into %zu", in_len,
				  out->limit);
	return rc == 0 ? 0 : klamm_fail(err, rc, "out of memory");
}

static int lz4_compress(void *self, const struct klamm_span *in, struct klamm_out *out,
			struct klamm_error *err)
{
	struct lz4 *lz4 = self;
	if (lz4->pack == NULL &&
	    LZ4F_isError(LZ4F_createCompressionContext(&lz4->pack, LZ4F_VERSION)))
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	size_t n = LZ4F_compressBegin(lz4->pack, lz4->packed, PACKED_MAX, &lz4->prefs);
	int rc = append(lz4, n, in->len, out, err);
	/* Block by block through a buffer: the library asks for room for the worst case, which
	 * out must not need to have. */
	for (size_t at = 0; at < in->len && rc == 0; at += BLOCK) {
		size_t len = in->len - at < BLOCK ? in->len - at : BLOCK;
		n = LZ4F_compressUpdate(lz4->pack, lz4->packed, PACKED_MAX,
					(const uint8_t *)in->data + at, len, NULL);
		rc = append(lz4, n, in->len, out, err);
	}
	if (rc != 0)
		return rc;
	n = LZ4F_compressEnd(lz4->pack, lz4->packed, PACKED_MAX, NULL);
	return append(lz4, n, in->len, out, err);
}

static int lz4_decompress(void *self, const struct klamm_span *in, size_t limit,
			  struct klamm_out *out, struct klamm_error *err)
{
	struct lz4 *lz4 = self;
	if (lz4->unpack == NULL &&
	    LZ4F_isError(LZ4F_createDecompressionContext(&lz4->unpack, LZ4F_VERSION)))
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	LZ4F_resetDecompressionContext(lz4->unpack); /* the last batch may have ended badly */
	struct room r = room(out, limit);
	const uint8_t *p = in->data, *end = p + in->len;
	for (size_t more = 1; p < end || more != 0;) {
		int rc = room_next(&r, (size_t)(end - p) * ROOM_GUESS, err);
		if (rc != 0)
			return rc;
		size_t got = r.n, took = (size_t)(end - p);
		/* 0 = the frame has ended; another one may follow. */
		more = LZ4F_decompress(lz4->unpack, r.p, &got, p, &took, NULL);
		if (LZ4F_isError(more))
			return failed(more, err);
		p += took;
		rc = room_wrote(&r, got, err);
		if (rc != 0)
			return rc;
		if (took == 0 && got == 0 && more != 0)
			return klamm_fail(err, KLAMM_ERR_CODEC, "the lz4 data is cut short");
	}
	return 0;
}

KLAMM_PLUGIN(codec, lz4) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "lz4", "LZ4 frames"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = lz4_open,
		.close = lz4_close,
	},
	.wire_id = KLAMM_WIRE_LZ4,
	.compress = lz4_compress,
	.decompress = lz4_decompress,
};
