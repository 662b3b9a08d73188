/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys and values through the deserializers that the configuration names. */
#include "core/base/error.h"
#include "core/base/value.h"
#include "core/consumer/consumer.h"

static void *arena_get(struct klamm_batch *batch, size_t n)
{
	if (batch->arena.lent.alloc == NULL)
		kl_lent_arena_init(&batch->arena,
				   (size_t)batch->consumer->settings->klamm_decompress_max,
				   &batch->consumer->host.quota);
	return batch->arena.lent.alloc(&batch->arena.lent, n);
}

/* A value in the batch's arena, known to the batch: natives in it are freed with it. */
struct kl_decoded {
	struct kl_decoded *next;
	struct klamm_value value;
};

static struct klamm_value *value_new(struct klamm_batch *batch)
{
	struct kl_decoded *decoded = arena_get(batch, sizeof(*decoded));
	return decoded != NULL ? &decoded->value : NULL;
}

static const struct klamm_value *keep(struct klamm_batch *batch, struct klamm_value *value)
{
	struct kl_decoded *decoded = kl_container(value, struct kl_decoded, value);
	decoded->next = batch->decoded;
	batch->decoded = decoded;
	return value;
}

void kl_batch_drop_values(struct klamm_batch *batch)
{
	for (; batch->decoded != NULL; batch->decoded = batch->decoded->next)
		kl_value_drop(&batch->decoded->value);
	if (batch->arena.lent.alloc != NULL)
		kl_lent_arena_free(&batch->arena);
}

static int fail(const struct klamm_batch *batch, const struct klamm_record_view *view,
		int code, const char *what, const char *why, struct klamm_error *err)
{
	return kl_error(err, code,
			"topic %s partition %d offset %lld: cannot read the %s: %s",
			batch->topic->name, batch->partition, (long long)view->offset, what,
			why);
}

static int decode(struct klamm_batch *batch, const struct klamm_record_view *view,
		  struct kl_role_plugin *role, bool is_key, struct klamm_value *value,
		  struct klamm_error *err)
{
	const struct klamm_span *in = is_key ? &view->key : &view->value;
	const struct klamm_serializer_plugin *plugin = &role->plugin->serializer;
	struct klamm_header *headers = NULL;
	if (view->header_count > 0) {
		headers = arena_get(batch, view->header_count * sizeof(*headers));
		if (headers == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for headers");
		kl_record_headers(view, headers);
	}
	static const int32_t never = 0;
	struct klamm_serializer_ctx ctx = {
		.size = sizeof(ctx),
		.topic = batch->topic->name,
		.is_key = is_key,
		.headers = headers,
		.header_count = view->header_count,
		.call = {sizeof(ctx.call), batch->consumer->settings->default_api_timeout_ms,
			 &never},
	};
	bool serial = (plugin->flags & KLAMM_SERIALIZER_SERIAL) != 0;
	if (serial)
		kl_mutex_lock(&role->mutex);
	int rc = plugin->decode(role->instance.self, &ctx, in, &batch->arena.lent, value, err);
	if (serial)
		kl_mutex_unlock(&role->mutex);
	return rc;
}

static int read_value(struct klamm_batch *batch, const struct klamm_record_view *view,
		      bool is_key, const struct klamm_value **value_out,
		      struct klamm_error *err)
{
	struct klamm_consumer *c = batch->consumer;
	const char *what = is_key ? "key" : "value";
	struct kl_role_plugin *role = is_key ? &c->key : &c->value;
	const struct klamm_span *in = is_key ? &view->key : &view->value;
	struct klamm_value *value = value_new(batch);
	if (value == NULL)
		return fail(batch, view, KLAMM_ERR_NO_MEMORY, what, "out of memory", err);
	bool takes_null = role->plugin != NULL &&
			  (role->plugin->serializer.flags & KLAMM_SERIALIZER_TAKES_NULL) != 0;
	if (in->data == NULL && !takes_null) {
		value->type = KLAMM_VALUE_NULL;
	} else if (role->plugin == NULL) {
		value->type = KLAMM_VALUE_BYTES;
		value->as.bytes = *in;
	} else {
		struct klamm_error why;
		kl_error_clear(&why);
		int rc = decode(batch, view, role, is_key, value, &why);
		if (rc != 0)
			return fail(batch, view, KLAMM_ERR_DESERIALIZE, what, why.text, err);
	}
	*value_out = keep(batch, value);
	return 0;
}

/* Any thread may be here while another closes the consumer, which waits for this one. */
static int get(struct klamm_batch *batch, const struct klamm_record_view *view, bool is_key,
	       const struct klamm_value **value_out, struct klamm_error *err)
{
	struct klamm_consumer *c = batch->consumer;
	if (atomic_load(c->state) == KL_CONSUMER_FORKED)
		return kl_consumer_check(c, false, err);
	atomic_fetch_add(&c->decoding, 1);
	int rc = atomic_load(c->state) == KL_CONSUMER_OPEN
			 ? read_value(batch, view, is_key, value_out, err)
			 : fail(batch, view, KLAMM_ERR_CLOSED, is_key ? "key" : "value",
				"its consumer is closed", err);
	atomic_fetch_sub(&c->decoding, 1);
	if (atomic_load(c->state) != KL_CONSUMER_OPEN)
		kl_gate_wake(c->os, &c->gate);
	return rc;
}

int klamm_record_key(struct klamm_batch *batch, const struct klamm_record_view *view,
		     const struct klamm_value **value_out, struct klamm_error *err)
{
	return get(batch, view, true, value_out, err);
}

int klamm_record_value(struct klamm_batch *batch, const struct klamm_record_view *view,
		       const struct klamm_value **value_out, struct klamm_error *err)
{
	return get(batch, view, false, value_out, err);
}
