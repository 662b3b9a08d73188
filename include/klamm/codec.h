/* SPDX-License-Identifier: BSD-2-Clause */
/* Plugins of the kind codec: compression of record batches.
 *
 * Chosen by compression.type for what is produced. For what is read the batch itself
 * says its wire id, and codec.gzip, codec.snappy, codec.lz4 and codec.zstd say which
 * plugin serves that id, both ways; the one of the same name is their default.
 *
 * Every worker has an instance of its own, and never runs two calls at once on it. So
 * self is the place for contexts and tables that are made once and used again.
 */
#ifndef KLAMM_CODEC_H
#define KLAMM_CODEC_H

#include <klamm/plugin.h>

#ifdef __cplusplus
extern "C" {
#endif

#define KLAMM_ABI_codec KLAMM_ABI(KLAMM_KIND_CODEC, 1)

/* Bits 0 to 2 of a batch's attributes. */
enum klamm_wire_id {
	KLAMM_WIRE_NONE = 0,
	KLAMM_WIRE_GZIP = 1,
	KLAMM_WIRE_SNAPPY = 2,
	KLAMM_WIRE_LZ4 = 3,
	KLAMM_WIRE_ZSTD = 4,
};

struct klamm_codec_plugin {
	struct klamm_plugin_head head;

	/* Mandatory. 1 to 7: what other clients and brokers know this format as. */
	int32_t wire_id;
	int32_t reserved; /* 0 */

	/* Mandatory. A worker's thread, one call at a time on one self. Appends the whole
	 * compressed form of in to out. in is borrowed and may be empty; out is borrowed,
	 * its limit is what still makes sense to send. LIMIT: it does not fit in, so the
	 * batch is better sent as it is. CODEC: anything else. What a failed call wrote is
	 * dropped, and self must be good for the next one. */
	int (*compress)(void *self, const struct klamm_span *in, struct klamm_out *out,
			struct klamm_error *err);

	/* Mandatory. A worker's thread or one that polls, one call at a time on one self.
	 * Appends what in holds to out, never more than limit bytes: LIMIT as soon as it
	 * would be more, before memory for it is taken. in is borrowed and comes from
	 * anyone: CODEC when it is damaged or cut, with a sentence that says how. */
	int (*decompress)(void *self, const struct klamm_span *in, size_t limit,
			  struct klamm_out *out, struct klamm_error *err);

	/* ABI 1 as first released ends here. */
};

#ifdef __cplusplus
}
#endif
#endif
