/* codec @NAME@: what it packs, and how. The reference is <klamm/codec.h>. */
#include <klamm/codec.h>

#include <stdlib.h>

/* This one packs runs of equal bytes: a count of 1 to 255, and the byte. */

struct conf {
	int32_t run_max;
};

static const struct klamm_option options[] = {
	{.name = "codec.@NAME@.run.max", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, run_max), .def = "255", .range = "1..255",
	 .doc = "The longest run that is written as one."},
	{NULL},
};

static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	struct conf *self = malloc(sizeof(*self));
	if (self == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	memcpy(self, conf, sizeof(*self));
	*self_out = self;
	return 0;
}

static void my_close(void *self)
{
	free(self);
}

static int my_compress(void *self, const struct klamm_span *in, struct klamm_out *out,
		       struct klamm_error *err)
{
	const struct conf *conf = self;
	const uint8_t *p = in->data;
	for (size_t at = 0; at < in->len;) {
		size_t run = 1;
		size_t max = (size_t)conf->run_max;
		while (run < max && at + run < in->len && p[at + run] == p[at])
			run++;
		uint8_t pair[2] = {(uint8_t)run, p[at]};
		if (klamm_out_append(out, pair, 2) != 0)
			return klamm_out_error(out, 2, err);
		at += run;
	}
	return 0;
}

static int my_decompress(void *self, const struct klamm_span *in, size_t limit,
			 struct klamm_out *out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	size_t left = limit;
	if (in->len % 2 != 0)
		return klamm_fail(err, KLAMM_ERR_CODEC, "a run is cut off at byte %zu",
				  in->len);
	for (size_t at = 0; at < in->len; at += 2) {
		size_t run = p[at];
		if (run == 0)
			return klamm_fail(err, KLAMM_ERR_CODEC, "an empty run at byte %zu",
					  at);
		if (run > left)
			return klamm_fail(err, KLAMM_ERR_LIMIT, "more than %zu bytes", limit);
		uint8_t *to = klamm_out_reserve(out, run);
		if (to == NULL)
			return klamm_out_error(out, run, err);
		memset(to, p[at + 1], run);
		out->len += run;
		left -= run;
	}
	return 0;
}

KLAMM_PLUGIN(codec, @NAME@) = {
	.head = {
		KLAMM_PLUGIN_HEAD(codec, "@NAME@", "runs of equal bytes"),
		.options = options,
		.option_size = sizeof(options[0]),
		.conf_size = sizeof(struct conf),
		.open = my_open,
		.close = my_close,
	},
	/* Brokers know 1 (gzip), 2 (snappy), 3 (lz4) and 4 (zstd), and refuse what is not in
	 * the format of that number. */
	.wire_id = 5,
	.compress = my_compress,
	.decompress = my_decompress,
};
