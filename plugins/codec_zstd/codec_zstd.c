/* SPDX-License-Identifier: BSD-2-Clause */
/* Zstandard (RFC 8878, KIP-110). The contexts are made at first use and kept in self. */
#include <klamm/codec.h>

#include <stdlib.h>
#include <zstd.h>
#include <zstd_errors.h>

#include "plugins/common/room.h"

/* A frame names a window, which whoever unpacks it step by step has to keep: up to 128 MiB on
 * the word of a few bytes. No usual level has a larger one than this, which RFC 8878 wants
 * every decoder to have. */
#define WINDOW_MAX ((size_t)8 << 20)
#define WINDOW_LOG_MIN 10

struct conf {
	int32_t level;
};

static const struct klamm_option options[] = {
	{.name = "compression.zstd.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "3", .range = "-131072..22",
	 .doc = "From -131072 (fastest) to 22 (smallest)."},
	{NULL},
};

struct zstd {
	int level;
	ZSTD_CCtx *pack;
	ZSTD_DCtx *unpack;
};

static int zstd_open(const struct klamm_host *host, const void *conf, void **self_out,
		     struct klamm_error *err)
{
	struct zstd *zstd = calloc(1, sizeof(*zstd));
	if (zstd == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	zstd->level = ((const struct conf *)conf)->level;
	*self_out = zstd;
	return 0;
}

static void zstd_close(void *self)
{
	struct zstd *zstd = self;
	ZSTD_freeCCtx(zstd->pack);
	ZSTD_freeDCtx(zstd->unpack);
	free(zstd);
}

static int zstd_compress(void *self, const struct klamm_span *in, struct klamm_out *out,
			 struct klamm_error *err)
{
	struct zstd *zstd = self;
	if (zstd->pack == NULL) {
		zstd->pack = ZSTD_createCCtx();
		if (zstd->pack == NULL)
			return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
		/* An old library has fewer levels; it then takes the nearest. */
		ZSTD_CCtx_setParameter(zstd->pack, ZSTD_c_compressionLevel, zstd->level);
	}
	size_t room = ZSTD_compressBound(in->len), left = out->limit - out->len;
	room = room < left ? room : left;
	uint8_t *to = klamm_out_reserve(out, room);
	if (to == NULL)
		return klamm_out_error(out, room, err);
	size_t n = ZSTD_compress2(zstd->pack, to, room, in->data, in->len);
	if (!ZSTD_isError(n)) {
		out->len += n;
		return 0;
	}
	switch (ZSTD_getErrorCode(n)) {
	case ZSTD_error_dstSize_tooSmall:
		return klamm_fail(err, KLAMM_ERR_LIMIT, "%zu bytes do not pack into %zu",
				  in->len, room);
	case ZSTD_error_memory_allocation:
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	default:
		return klamm_fail(err, KLAMM_ERR_CODEC, "zstd failed: %s",
				  ZSTD_getErrorName(n));
	}
}

/* What the first frame says that it holds is only a hint, and only if it is plausible. */
static size_t first_room(const struct klamm_span *in)
{
	unsigned long long size = ZSTD_getFrameContentSize(in->data, in->len);
	size_t usual = in->len * ROOM_GUESS;
	return size < (unsigned long long)usual * 16 ? (size_t)size : usual;
}

/* What ends it, in words. */
static int broken(size_t result, struct klamm_error *err)
{
	bool no_memory = ZSTD_getErrorCode(result) == ZSTD_error_memory_allocation;
	return klamm_fail(err, no_memory ? KLAMM_ERR_NO_MEMORY : KLAMM_ERR_CODEC,
			  "the zstd data is damaged: %s", ZSTD_getErrorName(result));
}

/* The frame at from->pos in one piece, for which no window is kept: what it goes back to lies
 * in the output. Begun anew with twice the room until it has enough. */
static int unpack_whole(ZSTD_DCtx *ctx, ZSTD_inBuffer *from, struct room *r,
			struct klamm_error *err)
{
	const char *p = (const char *)from->src + from->pos;
	size_t len = ZSTD_findFrameCompressedSize(p, from->size - from->pos);
	if (ZSTD_isError(len))
		return broken(len, err);
	for (size_t want = len * ROOM_GUESS;; want *= 2) {
		int rc = room_next(r, want, err);
		if (rc != 0)
			return rc;
		size_t n = ZSTD_decompressDCtx(ctx, r->p, r->n, p, len);
		if (!ZSTD_isError(n)) {
			from->pos += len;
			return room_wrote(r, n, err);
		}
		if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall)
			return broken(n, err);
		if (room_is_last(r))
			return room_overflows(r, err);
	}
}

static int unpack(ZSTD_DCtx *ctx, const struct klamm_span *in, struct room *r,
		  struct klamm_error *err)
{
	ZSTD_inBuffer from = {in->data, in->len, 0};
	size_t hint = first_room(in);
	for (size_t more = 1; from.pos < from.size || more != 0;) {
		int rc = room_next(r, hint, err);
		if (rc != 0)
			return rc;
		ZSTD_outBuffer to = {r->p, r->n, 0};
		size_t before = from.pos;
		/* 0 = the frame has ended; another one may follow. */
		more = ZSTD_decompressStream(ctx, &to, &from);
		if (ZSTD_getErrorCode(more) == ZSTD_error_frameParameter_windowTooLarge) {
			/* Said of its head, with which the call began. */
			from.pos = before;
			rc = unpack_whole(ctx, &from, r, err);
			if (rc != 0)
				return rc;
			ZSTD_DCtx_reset(ctx, ZSTD_reset_session_only);
			more = 0;
			continue;
		}
		if (ZSTD_isError(more))
			return broken(more, err);
		rc = room_wrote(r, to.pos, err);
		if (rc != 0)
			return rc;
		if (from.pos == before && to.pos == 0 && more != 0)
			return klamm_fail(err, KLAMM_ERR_CODEC, "the zstd data is cut short");
	}
	return 0;
}

/* A window is not to be larger than what may come out, either. */
static int window_log(size_t limit)
{
	int log = WINDOW_LOG_MIN;
	while (((size_t)2 << log) <= (limit < WINDOW_MAX ? limit : WINDOW_MAX))
		log++;
	return log;
}

static int zstd_decompress(void *self, const struct klamm_span *in, size_t limit,
			   struct klamm_out *out, struct klamm_error *err)
{
	struct zstd *zstd = self;
	if (zstd->unpack == NULL)
		zstd->unpack = ZSTD_createDCtx();
	if (zstd->unpack == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	ZSTD_DCtx_reset(zstd->unpack, ZSTD_reset_session_only); /* the last may have failed */
	ZSTD_DCtx_setParameter(zstd->unpack, ZSTD_d_windowLogMax, window_log(limit));
	struct room r = room(out, limit);
	return unpack(zstd->unpack, in, &r, err);
}

KLAMM_PLUGIN(codec, zstd) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "zstd", "Zstandard"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = zstd_open,
		.close = zstd_close,
	},
	.wire_id = KLAMM_WIRE_ZSTD,
	.compress = zstd_compress,
	.decompress = zstd_decompress,
};
