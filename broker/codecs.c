/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/codecs.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/sink.h"
#include "core/plugin.h"

/* Of one batch, as clients have it by default (klamm.decompress.max). */
#define PLAIN_MAX ((size_t)128 << 20)
/* What a batch may grow by when it is compressed again. */
#define PACKED_MORE ((size_t)64 << 10)
/* Kept for the next batch. */
#define KEEP ((size_t)4 << 20)

struct codec {
	struct kl_plugin *plugin; /* NULL: not asked for yet, or not there */
	struct kl_instance instance;
	bool is_missing;
};

struct kl_dev_codecs {
	struct kl_host host;
	struct codec codecs[KL_ATTR_CODEC + 1]; /* by wire id */
	struct kl_sink plain, packed;
};

static const char *const names[KL_ATTR_CODEC + 1] = {
	[KLAMM_WIRE_GZIP] = "gzip",
	[KLAMM_WIRE_SNAPPY] = "snappy",
	[KLAMM_WIRE_LZ4] = "lz4",
	[KLAMM_WIRE_ZSTD] = "zstd",
};

static struct kl_dev_codecs *make(struct klamm_broker *broker, struct klamm_error *err)
{
	struct kl_dev_codecs *codecs = calloc(1, sizeof(*codecs));
	if (codecs == NULL) {
		kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for codecs");
		return NULL;
	}
	if (kl_host_init(&codecs->host, broker->loop->os, &broker->loop->log, broker->loop,
			 NULL, err) != 0) {
		free(codecs);
		return NULL;
	}
	kl_sink_init(&codecs->plain, PLAIN_MAX, NULL);
	kl_sink_init(&codecs->packed, PLAIN_MAX, NULL);
	return codecs;
}

static int load(struct klamm_broker *broker, struct codec *codec, const char *name,
		struct klamm_error *err)
{
	if (codec->is_missing)
		return kl_error(err, KLAMM_ERR_PLUGIN, "the codec %s is not there", name);
	int rc = kl_plugin_load(KLAMM_KIND_CODEC, name, &(struct kl_plugin_search){0},
				&codec->plugin, err);
	if (rc == 0)
		rc = kl_plugin_open(codec->plugin, &broker->codecs->host, "compression.type",
				    NULL, NULL, &codec->instance, err);
	if (rc == 0)
		return 0;
	kl_plugin_free(codec->plugin);
	codec->plugin = NULL;
	codec->is_missing = true;
	kl_log(&broker->loop->log, KL_LOG_WARN, "broker",
	       "batches of compacted topics that %s has compressed stay whole, and old "
	       "clients cannot use it: %s",
	       name, err->text);
	return kl_error(err, KLAMM_ERR_PLUGIN, "the codec %s is not there", name);
}

static int find(struct klamm_broker *broker, const struct kl_batch_head *head,
		struct codec **codec_out, struct klamm_error *err)
{
	int wire_id = kl_batch_codec(head);
	if (names[wire_id] == NULL)
		return kl_error(err, KLAMM_ERR_CODEC, "no codec has the wire id %d", wire_id);
	if (broker->codecs == NULL && (broker->codecs = make(broker, err)) == NULL)
		return KLAMM_ERR_NO_MEMORY;
	struct codec *codec = &broker->codecs->codecs[wire_id];
	*codec_out = codec;
	return codec->plugin != NULL ? 0 : load(broker, codec, names[wire_id], err);
}

/* Empty, without what an unusually large batch has left behind. */
static struct klamm_out *clear(struct kl_sink *sink)
{
	if (sink->out.cap > KEEP)
		kl_sink_free(sink);
	kl_sink_clear(sink);
	return &sink->out;
}

static int finish(const struct klamm_out *out, size_t limit, int rc,
		  struct klamm_span *span_out, struct klamm_error *err)
{
	static const uint8_t nothing;
	if (rc == 0 && out->len > limit)
		rc = kl_error(err, KLAMM_ERR_LIMIT, "more than %zu bytes", limit);
	if (rc == 0)
		*span_out = (struct klamm_span){out->data ?: &nothing, out->len};
	return rc;
}

int kl_dev_unpack(struct klamm_broker *broker, const struct kl_batch_head *head,
		  struct klamm_span packed, struct klamm_span *plain_out,
		  struct klamm_error *err)
{
	struct codec *codec;
	int rc = find(broker, head, &codec, err);
	if (rc != 0)
		return rc;
	struct klamm_out *out = clear(&broker->codecs->plain);
	rc = codec->plugin->codec.decompress(codec->instance.self, &packed, PLAIN_MAX, out,
					     err);
	rc = finish(out, PLAIN_MAX, rc, plain_out, err);
	if (rc != 0)
		clear(&broker->codecs->plain);
	return rc;
}

int kl_dev_pack(struct klamm_broker *broker, const struct kl_batch_head *head,
		struct klamm_span plain, struct klamm_span *packed_out,
		struct klamm_error *err)
{
	struct codec *codec;
	int rc = find(broker, head, &codec, err);
	if (rc != 0)
		return rc;
	size_t limit = kl_min(plain.len + PACKED_MORE, PLAIN_MAX);
	struct klamm_out *out = clear(&broker->codecs->packed);
	out->limit = limit;
	rc = codec->plugin->codec.compress(codec->instance.self, &plain, out, err);
	return finish(out, limit, rc, packed_out, err);
}

void kl_dev_codecs_free(struct klamm_broker *broker)
{
	struct kl_dev_codecs *codecs = broker->codecs;
	if (codecs == NULL)
		return;
	kl_host_closing(&codecs->host);
	for (size_t i = 0; i < kl_countof(codecs->codecs); i++) {
		kl_plugin_close(&codecs->codecs[i].instance);
		kl_plugin_free(codecs->codecs[i].plugin);
	}
	kl_sink_free(&codecs->plain);
	kl_sink_free(&codecs->packed);
	kl_host_free(&codecs->host);
	free(codecs);
	broker->codecs = NULL;
}
