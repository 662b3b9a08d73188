/* SPDX-License-Identifier: BSD-2-Clause */
/* Names that lead to a key but whose values are written in another unit, or mean something
 * else. (Names with the same values stand in the rows.) All of them are librdkafka's. */
#include "core/base/option.h"
#include "core/conf/table.h"

static const struct kl_conf_alias aliases[] = {
	{.name = "message.timeout.ms", .key = "delivery.timeout.ms",
	 .words = "0=2147483647"}, /* its 0 is no limit, as long as a limit can be here */
	{.name = "queue.buffering.max.kbytes", .key = "buffer.memory", .scale = 1024,
	 .unit = "KiB"},
	{.name = "socket.receive.buffer.bytes", .key = "receive.buffer.bytes",
	 .words = "0=-1"},
	{.name = "socket.send.buffer.bytes", .key = "send.buffer.bytes", .words = "0=-1"},
	{.name = "topic.metadata.refresh.interval.ms", .key = "metadata.max.age.ms",
	 .words = "-1=9223372036854775807"},
};

const struct kl_conf_alias *kl_conf_alias(size_t i)
{
	return i < kl_countof(aliases) ? &aliases[i] : NULL;
}

const struct kl_conf_alias *kl_conf_find_alias(const char *name)
{
	for (size_t i = 0; i < kl_countof(aliases); i++)
		if (kl_conf_same_name(aliases[i].name, strlen(aliases[i].name), name))
			return &aliases[i];
	return NULL;
}

bool kl_conf_translate(const struct kl_conf_alias *alias, const char *text,
		       struct kl_buf *out, struct kl_buf *why)
{
	struct klamm_span span = kl_trim(text, strlen(text));
	span = kl_conf_word(alias->words, span);
	kl_buf_clear(out);
	if (alias->scale == 0) {
		kl_buf_put(out, span.data, span.len);
		return true;
	}
	int64_t v;
	if (!kl_parse_int(span.data, span.len, &v) || v < 0 ||
	    __builtin_mul_overflow(v, alias->scale, &v)) {
		kl_buf_printf(why, "must be 0..%lld, in %s",
			      (long long)(INT64_MAX / alias->scale), alias->unit);
		return false;
	}
	kl_buf_printf(out, "%lld", (long long)v);
	return true;
}
