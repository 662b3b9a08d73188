/* SPDX-License-Identifier: BSD-2-Clause */
/* A codec that somebody else would write: Zstandard's format, so that every client and broker
 * reads it, packed as hard as it goes by a libzstd of its own. */
#include <klamm/codec.h>

#include <stdlib.h>
#include <zstd.h>

struct conf {
	int32_t level;
};

static const struct klamm_option options[] = {
	{.name = "codec.ultra.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "19", .range = "1..22",
	 .doc = "Zstandard's level."},
	{NULL},
};

static int ultra_open(const struct klamm_host *host, const void *conf, void **self_out,
		      struct klamm_error *err)
{
	struct conf *self = malloc(sizeof(*self));
	if (self == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	*self = *(const struct conf *)conf;
	*self_out = self;
	return 0;
}

static int ultra_compress(void *self, const struct klamm_span *in, struct klamm_out *out,
			  struct klamm_error *err)
{
	size_t room = ZSTD_compressBound(in->len), left = out->limit - out->len;
	if (room > left)
		room = left;
	uint8_t *to = klamm_out_reserve(out, room);
	if (to == NULL)
		return klamm_out_error(out, room, err);
	size_t n = ZSTD_compress(to, room, in->data, in->len,
				 ((const struct conf *)self)->level);
	if (ZSTD_isError(n))
		return klamm_fail(err, KLAMM_ERR_LIMIT, "%s", ZSTD_getErrorName(n));
	out->len += n;
	return 0;
}

/* Frames say what they hold when ZSTD_compress() made them; others are read bit by bit. */
static int stream(ZSTD_DStream *d, const struct klamm_span *in, size_t limit,
		  struct klamm_out *out, struct klamm_error *err)
{
	ZSTD_inBuffer from = {in->data, in->len, 0};
	size_t done = 0, more = 1;
	while (more != 0 || from.pos < from.size) {
		uint8_t step[4096];
		ZSTD_outBuffer to = {step, sizeof(step), 0};
		size_t before = from.pos;
		more = ZSTD_decompressStream(d, &to, &from);
		if (ZSTD_isError(more))
			return klamm_fail(err, KLAMM_ERR_CODEC, "%s", ZSTD_getErrorName(more));
		if (to.pos > limit - done)
			return klamm_fail(err, KLAMM_ERR_LIMIT, "more than %zu bytes", limit);
		if (klamm_out_append(out, step, to.pos) != 0)
			return klamm_out_error(out, to.pos, err);
		done += to.pos;
		if (more != 0 && to.pos == 0 && from.pos == before)
			return klamm_fail(err, KLAMM_ERR_CODEC, "it is cut short");
	}
	return 0;
}

static int ultra_decompress(void *self, const struct klamm_span *in, size_t limit,
			    struct klamm_out *out, struct klamm_error *err)
{
	ZSTD_DStream *d = ZSTD_createDStream();
	if (d == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = stream(d, in, limit, out, err);
	ZSTD_freeDStream(d);
	return rc;
}

KLAMM_PLUGIN(codec, ultra) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "ultra", "Zstandard, as small as it gets"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = ultra_open,
		.close = free,
	},
	.wire_id = KLAMM_WIRE_ZSTD,
	.compress = ultra_compress,
	.decompress = ultra_decompress,
};
