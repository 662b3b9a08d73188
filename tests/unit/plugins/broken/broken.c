/* SPDX-License-Identifier: BSD-2-Clause */
/* One wrong plugin per compilation: CASE_... says which. tests/unit/plugins/test_loader.c has
 * the sentence that each one earns. */
#include <klamm/codec.h>
#include <klamm/partitioner.h>

__attribute__((unused)) static int
pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		struct klamm_error *err)
{
	return 0;
}

__attribute__((unused)) static int
unpack(void *self, const struct klamm_span *in, size_t limit,
		  struct klamm_out *out, struct klamm_error *err)
{
	return 0;
}

/* A sound codec but for what stands behind it; the last initialiser of a member counts. */
#define CODEC(word, ...)                                                                \
	KLAMM_PLUGIN(codec, word) = {                                                    \
		.head = {KLAMM_PLUGIN_HEAD(codec, #word, "wrong")},                      \
		.wire_id = 5,                                                            \
		.compress = pack,                                                        \
		.decompress = unpack,                                                    \
		__VA_ARGS__                                                              \
	}
#pragma GCC diagnostic ignored "-Woverride-init"

#if defined CASE_kind
static int32_t pick(void *self, const struct klamm_pick *in)
{
	return 0;
}
KLAMM_PLUGIN(partitioner, kind) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "kind", "of another kind")}, .pick = pick};
#elif defined CASE_abi
CODEC(abi, .head.abi = KLAMM_ABI(KLAMM_KIND_CODEC, 7));
#elif defined CASE_copied
/* The symbol was renamed, the head was not. */
CODEC(copied, .head.abi = KLAMM_ABI(KLAMM_KIND_SASL, 1));
#elif defined CASE_head
CODEC(head, .head.size = 40);
#elif defined CASE_member
CODEC(member, .decompress = NULL);
#elif defined CASE_shorter
/* Compiled when codecs had no decompress yet: what lies behind its size is not read. */
CODEC(shorter, .head.size = offsetof(struct klamm_codec_plugin, decompress));
#elif defined CASE_nameless
CODEC(nameless, .head.name = NULL);
#elif defined CASE_called
CODEC(called, .head.name = "otherwise");
#elif defined CASE_undefined
int klamm_test_nobody_has_this(void);
static int open_it(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	return klamm_test_nobody_has_this();
}
CODEC(undefined, .head.open = open_it);
#elif defined CASE_symbol
CODEC(other_symbol, );
#elif defined CASE_rows
static const struct klamm_option rows[] = {{"codec.rows.x", KLAMM_OPTION_INT}, {NULL}};
CODEC(rows, .head.options = rows, .head.option_size = 8);
#elif defined CASE_outside
static const struct klamm_option rows[] = {{"codec.outside.x", KLAMM_OPTION_LONG, 0, 4},
					   {NULL}};
CODEC(outside, .head.options = rows, .head.option_size = sizeof(rows[0]),
      .head.conf_size = 8);
#elif defined CASE_newer
/* Of a later klamm: longer, and with an open() that counts and fails when told to. */
struct conf {
	int32_t level;
	const char *mode;
};
static const struct klamm_option rows[] = {
	{.name = "codec.newer.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "3", .range = "1..9"},
	{.name = "codec.newer.mode", .type = KLAMM_OPTION_STRING,
	 .offset = offsetof(struct conf, mode), .aliases = "codec.newer.old newer_older"},
	{.name = "codec.newer.password", .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_SECRET | KLAMM_OPTION_REQUIRED},
	{NULL},
};
static int open_it(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	const struct conf *c = conf;
	if (c->mode != NULL && strcmp(c->mode, "fail") == 0)
		return klamm_fail(err, KLAMM_ERR_CODEC, "told to fail");
	if (c->mode != NULL && strcmp(c->mode, "silent") == 0)
		return KLAMM_ERR_NO_MEMORY;
	*self_out = (void *)conf;
	return 0;
}
__attribute__((visibility("default"))) const struct {
	struct klamm_codec_plugin now;
	void *later[4];
} klamm_codec_newer = {
	.now = {
		.head = {
			KLAMM_PLUGIN_HEAD(codec, "newer", "of a later klamm"),
			.options = rows,
			.option_size = sizeof(rows[0]),
			.conf_size = sizeof(struct conf),
			.open = open_it,
			.size = sizeof(klamm_codec_newer),
		},
		.wire_id = 5,
		.compress = pack,
		.decompress = unpack,
	},
};
#else
#error "which one?"
#endif
