/* SPDX-License-Identifier: BSD-2-Clause */
/* Decompression, on the thread that polls, through the codec plugin of the batch's wire id. */
#include "core/base/error.h"
#include "core/consumer/consumer.h"
#include "core/record/legacy_lz4.h"

/* A codec's output in a slab, which the batch then keeps. */
struct slab_out {
	struct klamm_out out;
	struct kl_slab_pool *pool;
	struct kl_slab *slab;
};

static int grow(struct klamm_out *out, size_t more)
{
	struct slab_out *own = kl_container(out, struct slab_out, out);
	if (out->len > out->limit || more > out->limit - out->len)
		return KLAMM_ERR_LIMIT;
	size_t want = kl_max(out->len + more, kl_min(out->cap * 2, out->limit));
	struct kl_slab *slab = kl_slab_get(own->pool, want);
	if (slab == NULL && want > out->len + more)
		slab = kl_slab_get(own->pool, out->len + more);
	if (slab == NULL)
		return KLAMM_ERR_NO_MEMORY;
	memcpy(slab->data, out->data, out->len);
	kl_slab_unref(own->slab);
	own->slab = slab;
	out->data = slab->data;
	out->cap = kl_min(slab->cap, out->limit);
	return 0;
}

static const char *plugin_name(const struct kl_settings *s, int wire_id)
{
	switch (wire_id) {
	case KLAMM_WIRE_GZIP:
		return s->codec_gzip;
	case KLAMM_WIRE_SNAPPY:
		return s->codec_snappy;
	case KLAMM_WIRE_LZ4:
		return s->codec_lz4;
	case KLAMM_WIRE_ZSTD:
		return s->codec_zstd;
	default:
		return NULL;
	}
}

static int load(struct klamm_consumer *c, int wire_id, struct klamm_error *err)
{
	const char *name = plugin_name(c->settings, wire_id);
	if (name == NULL)
		return kl_error(err, KLAMM_ERR_CODEC, "no codec has the wire id %d", wire_id);
	int rc = kl_conf_load_plugin(c->conf, c->settings, KLAMM_KIND_CODEC, name,
				     &c->codecs[wire_id].plugin, err);
	if (rc == 0)
		rc = kl_conf_open_plugin(c->conf, c->codecs[wire_id].plugin, &c->host,
					 "compression.type", &c->codecs[wire_id].instance,
					 err);
	if (rc != 0) {
		kl_plugin_free(c->codecs[wire_id].plugin);
		c->codecs[wire_id].plugin = NULL;
	}
	return rc;
}

int kl_decode(struct klamm_consumer *c, const struct kl_batch_head *head,
	      struct klamm_span packed, struct kl_slab **slab_out, size_t *len_out,
	      struct klamm_error *err)
{
	int wire_id = kl_batch_codec(head);
	/* Looked for anew after a failure: somebody may have put the file there. */
	if (c->codecs[wire_id].plugin == NULL) {
		int rc = load(c, wire_id, err);
		if (rc != 0)
			return rc;
	}
	if (head->magic == 0 && wire_id == KLAMM_WIRE_LZ4)
		kl_legacy_mend_lz4((uint8_t *)packed.data, packed.len);
	size_t limit = (size_t)c->settings->klamm_decompress_max;
	/* Four times is more than most batches shrink; a batch that grows more is copied. */
	size_t guess = kl_min(kl_max(packed.len * 4, (size_t)KL_SLAB_MIN), limit);
	struct slab_out own = {.pool = c->slabs, .slab = kl_slab_get(c->slabs, guess)};
	if (own.slab == NULL)
		own.slab = kl_slab_get(c->slabs, KL_SLAB_MIN);
	if (own.slab == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"no memory to decompress a batch: %zu of %lld bytes are in "
				"use (klamm.memory.max); unreference batches",
				kl_slab_pool_used(c->slabs),
				(long long)c->settings->klamm_memory_max);
	own.out = (struct klamm_out){
		.data = own.slab->data,
		.cap = kl_min(own.slab->cap, limit),
		.limit = limit,
		.grow = grow,
	};
	const struct kl_plugin *plugin = c->codecs[wire_id].plugin;
	int rc = plugin->codec.decompress(c->codecs[wire_id].instance.self, &packed, limit,
					  &own.out, err);
	if (rc == 0 && own.out.len > limit)
		rc = kl_error(err, KLAMM_ERR_LIMIT, "more than %zu bytes", limit);
	if (rc != 0) {
		kl_slab_unref(own.slab);
		kl_error_prefix(err, "codec %s%s", plugin->head.name,
				rc == KLAMM_ERR_LIMIT ? " (klamm.decompress.max)" : "");
		return rc;
	}
	*slab_out = own.slab;
	*len_out = own.out.len;
	return 0;
}

void kl_decode_close(struct klamm_consumer *c)
{
	for (size_t i = 0; i < kl_countof(c->codecs); i++) {
		kl_plugin_close(&c->codecs[i].instance);
		kl_plugin_free(c->codecs[i].plugin);
		c->codecs[i].plugin = NULL;
	}
}
