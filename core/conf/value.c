/* SPDX-License-Identifier: BSD-2-Clause */
/* From what a file says to what is stored: other spellings, Java's classes, lists. */
#include <ctype.h>
#include <strings.h>

#include "core/base/option.h"
#include "core/conf/table.h"

/* Classes whose work one of our plugins does. Compared with the last part of a dotted
 * name. */
static const struct {
	int32_t kind;
	const char *class, *name;
} classes[] = {
	{KLAMM_KIND_SERIALIZER, "StringSerializer", "string"},
	{KLAMM_KIND_SERIALIZER, "StringDeserializer", "string"},
	{KLAMM_KIND_SERIALIZER, "DefaultSerializer", "string"},
	{KLAMM_KIND_SERIALIZER, "ByteArraySerializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "ByteArrayDeserializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "ByteBufferSerializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "ByteBufferDeserializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "BytesSerializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "BytesDeserializer", "bytes"},
	{KLAMM_KIND_SERIALIZER, "ShortSerializer", "int16"},
	{KLAMM_KIND_SERIALIZER, "ShortDeserializer", "int16"},
	{KLAMM_KIND_SERIALIZER, "IntegerSerializer", "int32"},
	{KLAMM_KIND_SERIALIZER, "IntegerDeserializer", "int32"},
	{KLAMM_KIND_SERIALIZER, "LongSerializer", "int64"},
	{KLAMM_KIND_SERIALIZER, "LongDeserializer", "int64"},
	{KLAMM_KIND_SERIALIZER, "FloatSerializer", "float"},
	{KLAMM_KIND_SERIALIZER, "FloatDeserializer", "float"},
	{KLAMM_KIND_SERIALIZER, "DoubleSerializer", "double"},
	{KLAMM_KIND_SERIALIZER, "DoubleDeserializer", "double"},
	{KLAMM_KIND_SERIALIZER, "UUIDSerializer", "uuid"},
	{KLAMM_KIND_SERIALIZER, "UUIDDeserializer", "uuid"},
	{KLAMM_KIND_SERIALIZER, "JsonSerializer", "json"},
	{KLAMM_KIND_SERIALIZER, "JsonDeserializer", "json"},
	{KLAMM_KIND_PARTITIONER, "DefaultPartitioner", "murmur2"},
	{KLAMM_KIND_PARTITIONER, "StickyPartitioner", "murmur2"},
	{KLAMM_KIND_PARTITIONER, "Murmur2Partitioner", "murmur2"},
	{KLAMM_KIND_PARTITIONER, "murmur2_random", "murmur2"}, /* librdkafka */
	{KLAMM_KIND_PARTITIONER, "RoundRobinPartitioner", "roundrobin"},
	{KLAMM_KIND_ASSIGNOR, "RangeAssignor", "range"},
	{KLAMM_KIND_ASSIGNOR, "RangePartitionAssignor", "range"},
	{KLAMM_KIND_ASSIGNOR, "RoundRobinAssignor", "roundrobin"},
	{KLAMM_KIND_ASSIGNOR, "RoundRobinPartitionAssignor", "roundrobin"},
	{KLAMM_KIND_ASSIGNOR, "StickyAssignor", "sticky"},
	{KLAMM_KIND_ASSIGNOR, "StickyPartitionAssignor", "sticky"},
	{KLAMM_KIND_ASSIGNOR, "CooperativeStickyAssignor", "cooperative_sticky"},
	/* JMX is the JVM's; in a list of reporters the class is left out. */
	{KLAMM_KIND_METRICS, "JmxReporter", ""},
};

const char *kl_kind_name(int32_t kind)
{
	static const char *const names[] = {
		[KLAMM_KIND_CODEC] = "codec",
		[KLAMM_KIND_PARTITIONER] = "partitioner",
		[KLAMM_KIND_ASSIGNOR] = "assignor",
		[KLAMM_KIND_SASL] = "sasl",
		[KLAMM_KIND_SERIALIZER] = "serializer",
		[KLAMM_KIND_METRICS] = "metrics",
	};
	return kind > 0 && (size_t)kind < kl_countof(names) ? names[kind] : "unknown";
}

static const char *class_plugin(int32_t kind, const char *text, size_t len)
{
	const char *dot = memrchr(text, '.', len);
	const char *last = dot != NULL ? dot + 1 : text;
	size_t n = len - (size_t)(last - text);
	for (size_t i = 0; i < kl_countof(classes); i++)
		if (classes[i].kind == kind && strlen(classes[i].class) == n &&
		    memcmp(classes[i].class, last, n) == 0)
			return classes[i].name;
	return NULL;
}

bool kl_plugin_name(int32_t kind, const char *text, size_t len, struct kl_buf *name,
		    struct kl_buf *why)
{
	const char *known = class_plugin(kind, text, len);
	if (known != NULL) {
		kl_buf_put(name, known, strlen(known));
		return true;
	}
	bool class = memchr(text, '.', len) != NULL, bad = len == 0;
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '-' ? '_' : text[i];
		class |= isupper((unsigned char)c);
		bad |= !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_';
		kl_buf_put(name, &c, 1);
	}
	if (class)
		kl_buf_printf(why, "no plugin stands for this class; "
				   "`klamm plugin list` has the names of plugins");
	else if (bad)
		kl_buf_printf(why, "must be the name of a plugin: a-z, 0-9 and _");
	return !class && !bad;
}

struct klamm_span kl_conf_word(const char *words, struct klamm_span text)
{
	size_t len;
	const char *word;
	for (size_t i = 0; (word = kl_word(words, i, &len)) != NULL; i++) {
		const char *eq = memchr(word, '=', len);
		if ((size_t)(eq - word) == text.len &&
		    strncasecmp(word, text.data, text.len) == 0)
			return (struct klamm_span){eq + 1, len - text.len - 1};
	}
	return text;
}

static bool put_element(const struct kl_conf_row *row, struct klamm_span text,
			struct kl_buf *normal, struct kl_buf *why)
{
	if (row->kind != 0)
		return kl_plugin_name(row->kind, text.data, text.len, normal, why);
	text = kl_conf_word(row->words, text);
	/* Where the words are a closed list they are stored as written there. */
	if (row->option.range != NULL && row->check == NULL &&
	    (row->option.type == KLAMM_OPTION_ENUM ||
	     row->option.type == KLAMM_OPTION_STRING))
		kl_option_word(row->option.range, text.data, text.len, &text);
	kl_buf_put(normal, text.data, text.len);
	return true;
}

/* Is the element that begins at `start` of the list there already? (KIP-1161) */
static bool repeats(struct kl_buf *list, size_t start)
{
	const char *text = kl_buf_text(list), *p = text;
	struct klamm_span element;
	while (p < text + start && kl_list_next(&p, &element))
		if (element.len == list->len - start &&
		    memcmp(element.data, text + start, element.len) == 0)
			return true;
	return false;
}

static bool put_list(const struct kl_conf_row *row, const char *text,
		     struct kl_buf *normal, struct kl_buf *why)
{
	struct klamm_span element;
	while (kl_list_next(&text, &element)) {
		if (element.len == 0) {
			kl_buf_printf(why, "has an empty element");
			return false;
		}
		size_t comma = normal->len;
		if (comma > 0)
			kl_buf_put(normal, ",", 1);
		size_t start = normal->len;
		if (!put_element(row, element, normal, why))
			return false;
		if (normal->len == start || (start > 0 && repeats(normal, start)))
			normal->len = comma;
	}
	return true;
}

bool kl_conf_normal(const struct kl_conf_row *row, const char *text,
		    struct kl_buf *normal, struct kl_buf *why)
{
	bool is_secret = (row->option.flags & KLAMM_OPTION_SECRET) != 0;
	KL_AUTO(kl_buf_free) struct kl_buf trimmed = {.is_secret = is_secret};
	struct klamm_span span = kl_trim(text, strlen(text));
	kl_buf_put(&trimmed, span.data, span.len);
	kl_buf_clear(normal);
	bool ok = row->option.type == KLAMM_OPTION_LIST
			  ? put_list(row, kl_buf_text(&trimmed), normal, why)
			  : put_element(row, span, normal, why);
	normal->failed |= trimmed.failed;
	if (!ok || normal->failed)
		return ok; /* out of memory: whoever owns normal sees it */
	if (row->check != NULL)
		return row->check(kl_buf_text(normal), why);
	return kl_option_valid(&row->option, kl_buf_text(normal), why);
}
