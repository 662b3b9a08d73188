/* SPDX-License-Identifier: BSD-2-Clause */
/* gzip (RFC 1952) with zlib. The two streams are made at first use, kept in self and reset
 * for each batch. */
#include <klamm/codec.h>

#include <limits.h>
#include <stdlib.h>
#include <zlib.h>

#include "plugins/common/room.h"

/* Added to zlib's window bits: write, and insist on, a gzip header and trailer. */
#define GZIP_WINDOW (MAX_WBITS + 16)
/* zlib's default; 9 would take twice the memory for a percent or two. */
#define MEM_LEVEL 8
/* zlib counts in unsigned int. */
#define STEP_MAX (1u << 30)

struct conf {
	int32_t level;
};

static const struct klamm_option options[] = {
	{.name = "compression.gzip.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "-1", .range = "-1|1..9",
	 .doc = "How hard to try: 1 is fast, 9 is small, -1 is zlib's own choice (6)."},
	{NULL},
};

struct gzip {
	int level;
	bool can_deflate, can_inflate;
	z_stream deflate, inflate;
};

static int gzip_open(const struct klamm_host *host, const void *conf, void **self_out,
		     struct klamm_error *err)
{
	struct gzip *gzip = calloc(1, sizeof(*gzip));
	if (gzip == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	gzip->level = ((const struct conf *)conf)->level;
	*self_out = gzip;
	return 0;
}

static void gzip_close(void *self)
{
	struct gzip *gzip = self;
	if (gzip->can_deflate)
		deflateEnd(&gzip->deflate);
	if (gzip->can_inflate)
		inflateEnd(&gzip->inflate);
	free(gzip);
}

static int begin_deflate(struct gzip *gzip)
{
	if (gzip->can_deflate)
		return deflateReset(&gzip->deflate);
	int rc = deflateInit2(&gzip->deflate, gzip->level, Z_DEFLATED, GZIP_WINDOW, MEM_LEVEL,
			      Z_DEFAULT_STRATEGY);
	gzip->can_deflate = rc == Z_OK;
	return rc;
}

static int begin_inflate(struct gzip *gzip)
{
	if (gzip->can_inflate)
		return inflateReset(&gzip->inflate);
	int rc = inflateInit2(&gzip->inflate, GZIP_WINDOW);
	gzip->can_inflate = rc == Z_OK;
	return rc;
}

static int cannot_begin(int rc, struct klamm_error *err)
{
	return klamm_fail(err, rc == Z_MEM_ERROR ? KLAMM_ERR_NO_MEMORY : KLAMM_ERR_CODEC,
			  "zlib cannot begin: %s", zError(rc));
}

static int gzip_compress(void *self, const struct klamm_span *in, struct klamm_out *out,
			 struct klamm_error *err)
{
	struct gzip *gzip = self;
	z_stream *z = &gzip->deflate;
	if (in->len > STEP_MAX)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "%zu bytes are too many for gzip",
				  in->len);
	int rc = begin_deflate(gzip);
	if (rc != Z_OK)
		return cannot_begin(rc, err);
	/* All the room it can need, so that one call does it. */
	size_t room = deflateBound(z, in->len), left = out->limit - out->len;
	room = room < left ? room : left;
	uint8_t *to = klamm_out_reserve(out, room);
	if (to == NULL)
		return klamm_out_error(out, room, err);
	z->next_in = (Bytef *)in->data;
	z->avail_in = (uInt)in->len;
	z->next_out = to;
	z->avail_out = (uInt)room;
	rc = deflate(z, Z_FINISH);
	if (rc == Z_OK || rc == Z_BUF_ERROR)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "%zu bytes do not gzip into %zu",
				  in->len, room);
	if (rc != Z_STREAM_END)
		return klamm_fail(err, KLAMM_ERR_CODEC, "zlib failed: %s", zError(rc));
	out->len += room - z->avail_out;
	return 0;
}

/* One member, from z->next_in on. */
static int inflate_member(z_stream *z, struct room *room, struct klamm_error *err)
{
	for (;;) {
		int rc = room_next(room, (size_t)z->avail_in * ROOM_GUESS, err);
		if (rc != 0)
			return rc;
		uInt n = room->n < STEP_MAX ? (uInt)room->n : STEP_MAX;
		z->next_out = room->p;
		z->avail_out = n;
		int z_rc = inflate(z, Z_NO_FLUSH);
		rc = room_wrote(room, n - z->avail_out, err);
		if (rc != 0 || z_rc == Z_STREAM_END)
			return rc;
		if (z_rc == Z_MEM_ERROR)
			return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
		if (z_rc != Z_OK && z_rc != Z_BUF_ERROR)
			return klamm_fail(err, KLAMM_ERR_CODEC, "the gzip data is damaged: %s",
					  z->msg != NULL ? z->msg : zError(z_rc));
		if (z->avail_in == 0 && z->avail_out > 0)
			return klamm_fail(err, KLAMM_ERR_CODEC, "the gzip data is cut short");
	}
}

static int gzip_decompress(void *self, const struct klamm_span *in, size_t limit,
			   struct klamm_out *out, struct klamm_error *err)
{
	struct gzip *gzip = self;
	z_stream *z = &gzip->inflate;
	if (in->len > UINT_MAX)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "%zu bytes are too many for gzip",
				  in->len);
	struct room r = room(out, limit);
	z->next_in = (Bytef *)in->data;
	z->avail_in = (uInt)in->len;
	do { /* a file may have several members, one behind the other */
		int rc = begin_inflate(gzip);
		if (rc != Z_OK)
			return cannot_begin(rc, err);
		rc = inflate_member(z, &r, err);
		if (rc != 0)
			return rc;
	} while (z->avail_in > 0);
	return 0;
}

KLAMM_PLUGIN(codec, gzip) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "gzip", "gzip by zlib"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = gzip_open,
		.close = gzip_close,
	},
	.wire_id = KLAMM_WIRE_GZIP,
	.compress = gzip_compress,
	.decompress = gzip_decompress,
};
