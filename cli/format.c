/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/format.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "cli/io.h"
#include "cli/value.h"
#include "core/base/text.h"

/* A record with what its deserializers made of it. */
struct item {
	const struct klamm_record_view *view;
	const struct klamm_value *key, *value; /* NULL = the bytes themselves */
};

typedef void (*put_fn)(const struct cli_format *format, const struct cli_format_op *op,
		       const struct item *item, struct kl_buf *out);

struct cli_format_op {
	put_fn put;
	struct klamm_span text; /* a literal, or the name of a header */
};

/* --- directives --- */

static void put_literal(const struct cli_format *f, const struct cli_format_op *op,
			const struct item *item, struct kl_buf *out)
{
	kl_buf_put(out, op->text.data, op->text.len);
}

static void put_topic(const struct cli_format *f, const struct cli_format_op *op,
		      const struct item *item, struct kl_buf *out)
{
	cli_put_text(out, f->topic);
}

static void put_partition(const struct cli_format *f, const struct cli_format_op *op,
			  const struct item *item, struct kl_buf *out)
{
	cli_put_int(out, f->partition);
}

static void put_offset(const struct cli_format *f, const struct cli_format_op *op,
		       const struct item *item, struct kl_buf *out)
{
	cli_put_int(out, item->view->offset);
}

static void put_timestamp(const struct cli_format *f, const struct cli_format_op *op,
			  const struct item *item, struct kl_buf *out)
{
	cli_put_int(out, item->view->timestamp_ms);
}

static void put_bytes(const struct cli_format *f, struct klamm_span bytes,
		      struct kl_buf *out)
{
	if (bytes.data != NULL)
		kl_buf_put(out, bytes.data, bytes.len);
	else if (f->null_is_shown)
		cli_put_text(out, "NULL");
}

static void put_part(const struct cli_format *f, struct klamm_span bytes,
		     const struct klamm_value *value, struct kl_buf *out)
{
	if (value == NULL)
		put_bytes(f, bytes, out);
	else if (value->type == KLAMM_VALUE_STRING || value->type == KLAMM_VALUE_BYTES)
		put_bytes(f, value->as.bytes, out);
	else if (value->type == KLAMM_VALUE_NULL)
		put_bytes(f, (struct klamm_span){NULL, 0}, out);
	else
		cli_put_value_json(out, value);
}

static void put_key(const struct cli_format *f, const struct cli_format_op *op,
		    const struct item *item, struct kl_buf *out)
{
	put_part(f, item->view->key, item->key, out);
}

static void put_value(const struct cli_format *f, const struct cli_format_op *op,
		      const struct item *item, struct kl_buf *out)
{
	put_part(f, item->view->value, item->value, out);
}

static int64_t length_of(struct klamm_span bytes)
{
	return bytes.data != NULL ? (int64_t)bytes.len : -1;
}

static void put_key_length(const struct cli_format *f, const struct cli_format_op *op,
			   const struct item *item, struct kl_buf *out)
{
	cli_put_int(out, length_of(item->view->key));
}

static void put_value_length(const struct cli_format *f, const struct cli_format_op *op,
			     const struct item *item, struct kl_buf *out)
{
	cli_put_int(out, length_of(item->view->value));
}

/* kcat's %R: four bytes, the highest first. */
static void put_binary_length(const struct cli_format *f,
			      const struct cli_format_op *op, const struct item *item,
			      struct kl_buf *out)
{
	kl_buf_i32(out, (int32_t)length_of(item->view->value));
}

static void put_headers(const struct cli_format *f, const struct cli_format_op *op,
			const struct item *item, struct kl_buf *out)
{
	struct klamm_header h;
	for (uint32_t i = 0; i < item->view->header_count; i++) {
		if (klamm_record_header(item->view, i, &h) != 0)
			return;
		if (i > 0)
			kl_buf_u8(out, ',');
		kl_buf_put(out, h.name.data, h.name.len);
		kl_buf_u8(out, '=');
		if (h.value.data != NULL)
			kl_buf_put(out, h.value.data, h.value.len);
		else
			cli_put_text(out, "NULL");
	}
}

/* The last one of the name, as Kafka's lastHeader(). */
static void put_header(const struct cli_format *f, const struct cli_format_op *op,
		       const struct item *item, struct kl_buf *out)
{
	struct klamm_header h;
	struct klamm_span found = {NULL, 0};
	for (uint32_t i = 0; i < item->view->header_count; i++)
		if (klamm_record_header(item->view, i, &h) == 0 &&
		    h.name.len == op->text.len &&
		    memcmp(h.name.data, op->text.data, h.name.len) == 0)
			found = h.value;
	put_bytes(f, found, out);
}

static const char *timestamp_type(int32_t type)
{
	return type == KLAMM_TIMESTAMP_CREATE	    ? "CreateTime"
	       : type == KLAMM_TIMESTAMP_LOG_APPEND ? "LogAppendTime"
						    : "NoTimestampType";
}

static void put_timestamp_type(const struct cli_format *f,
			       const struct cli_format_op *op, const struct item *item,
			       struct kl_buf *out)
{
	cli_put_text(out, timestamp_type(item->view->timestamp_type));
}

/* 2026-03-05T17:08:09.123Z */
static void put_time(const struct cli_format *f, const struct cli_format_op *op,
		     const struct item *item, struct kl_buf *out)
{
	int64_t ms = item->view->timestamp_ms;
	time_t seconds = (time_t)(ms / 1000);
	struct tm tm;
	char text[40];
	if (ms < 0 || gmtime_r(&seconds, &tm) == NULL)
		return;
	size_t n = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	kl_buf_put(out, text, n);
	kl_buf_printf(out, ".%03dZ", (int)(ms % 1000));
}

static void put_hex(struct klamm_span bytes, struct kl_buf *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *p = bytes.data;
	uint8_t *to = kl_buf_extend(out, bytes.len * 2);
	for (size_t i = 0; to != NULL && i < bytes.len; i++) {
		*to++ = (uint8_t)digits[p[i] >> 4];
		*to++ = (uint8_t)digits[p[i] & 15];
	}
}

static void put_key_hex(const struct cli_format *f, const struct cli_format_op *op,
			const struct item *item, struct kl_buf *out)
{
	put_hex(item->view->key, out);
}

static void put_value_hex(const struct cli_format *f, const struct cli_format_op *op,
			  const struct item *item, struct kl_buf *out)
{
	put_hex(item->view->value, out);
}

static void put_key_base64(const struct cli_format *f, const struct cli_format_op *op,
			   const struct item *item, struct kl_buf *out)
{
	kl_buf_base64(out, item->view->key.data, item->view->key.len);
}

static void put_value_base64(const struct cli_format *f, const struct cli_format_op *op,
			     const struct item *item, struct kl_buf *out)
{
	kl_buf_base64(out, item->view->value.data, item->view->value.len);
}

static const struct {
	char letter;
	const char *name;
	put_fn put;
} directives[] = {
	{'t', "topic", put_topic},
	{'p', "partition", put_partition},
	{'o', "offset", put_offset},
	{'k', "key", put_key},
	{'s', "value", put_value},
	{'h', "headers", put_headers},
	{'T', "timestamp", put_timestamp},
	{'K', "key_length", put_key_length},
	{'S', "value_length", put_value_length},
	{'R', "value_length_binary", put_binary_length},
	{0, "timestamp_type", put_timestamp_type},
	{0, "time", put_time},
	{0, "key:hex", put_key_hex},
	{0, "value:hex", put_value_hex},
	{0, "key:base64", put_key_base64},
	{0, "value:base64", put_value_base64},
};

/* --- compiling --- */

static void add_op(struct cli_format *format, put_fn put, struct klamm_span text)
{
	struct cli_format_op *ops =
		reallocarray(format->ops, format->count + 1, sizeof(*ops));
	if (ops == NULL)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	format->ops = ops;
	ops[format->count++] = (struct cli_format_op){put, text};
}

static void add_literal(struct cli_format *format, const char *text, size_t len)
{
	if (len == 0)
		return;
	char *copy = cli_alloc(len);
	memcpy(copy, text, len);
	add_op(format, put_literal, cli_unescape(copy));
	free(copy);
}

/* What stands between { and }; the text after it, NULL: unknown. */
static const char *add_named(struct cli_format *format, const char *name,
			     char why[static 128])
{
	static const char header[] = "header:";
	const char *end = strchr(name, '}');
	if (end == NULL) {
		snprintf(why, 128, "%%{ without }");
		return NULL;
	}
	size_t len = (size_t)(end - name);
	if (len >= sizeof(header) && strncmp(name, header, sizeof(header) - 1) == 0) {
		char *copy =
			strndup(name + sizeof(header) - 1, len - sizeof(header) + 1);
		if (copy == NULL)
			exit(cli_fail(CLI_FAILED, "out of memory"));
		add_op(format, put_header, (struct klamm_span){copy, strlen(copy)});
		return end + 1;
	}
	const char *names[kl_countof(directives)];
	for (size_t i = 0; i < kl_countof(directives); i++) {
		names[i] = directives[i].name;
		if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
			add_op(format, directives[i].put, (struct klamm_span){NULL, 0});
			return end + 1;
		}
	}
	char word[48];
	snprintf(word, sizeof(word), "%.*s", (int)kl_min(len, sizeof(word) - 1), name);
	const char *near = cli_nearest(word, names, kl_countof(names));
	snprintf(why, 128, "%%{%s}: no such directive%s%s%s", word,
		 near ? "; did you mean %{" : "", near ? near : "", near ? "}?" : "");
	return NULL;
}

static const char *add_letter(struct cli_format *format, const char *letter,
			      char why[static 128])
{
	if (*letter == '%') {
		add_literal(format, "%", 1);
		return letter + 1;
	}
	for (size_t i = 0; *letter != '\0' && i < kl_countof(directives); i++)
		if (directives[i].letter == *letter) {
			add_op(format, directives[i].put, (struct klamm_span){NULL, 0});
			return letter + 1;
		}
	snprintf(why, 128, "%%%.1s: no such directive", letter);
	return NULL;
}

bool cli_format_compile(struct cli_format *format, const char *text,
			char why[static 128])
{
	while (text != NULL && *text != '\0') {
		size_t plain = strcspn(text, "%");
		add_literal(format, text, plain);
		text += plain;
		if (*text == '%')
			text = text[1] == '{' ? add_named(format, text + 2, why)
					      : add_letter(format, text + 1, why);
	}
	return text != NULL;
}

void cli_format_free(struct cli_format *format)
{
	for (size_t i = 0; i < format->count; i++)
		free((void *)format->ops[i].text.data);
	free(format->ops);
	kl_buf_free(&format->head);
}

/* --- envelopes --- */

void cli_format_batch(struct cli_format *f, const char *topic, int32_t partition)
{
	f->topic = topic;
	f->partition = partition;
	kl_buf_clear(&f->head);
	cli_put_text(&f->head, "{\"topic\":");
	kl_buf_json_bytes(&f->head, topic, strlen(topic));
	cli_put_text(&f->head, ",\"partition\":");
	cli_put_int(&f->head, partition);
	cli_put_text(&f->head, ",\"offset\":");
}

static void json_bytes(struct kl_buf *out, struct klamm_span bytes)
{
	if (bytes.data == NULL)
		cli_put_text(out, "null");
	else
		kl_buf_json_bytes(out, bytes.data, bytes.len);
}

static void json_part(struct kl_buf *out, struct klamm_span bytes,
		      const struct klamm_value *value)
{
	if (value != NULL)
		cli_put_value_json(out, value);
	else
		json_bytes(out, bytes);
}

static void json_headers(struct kl_buf *out, const struct klamm_record_view *view)
{
	struct klamm_header h;
	cli_put_text(out, ",\"headers\":[");
	for (uint32_t i = 0; i < view->header_count; i++) {
		if (klamm_record_header(view, i, &h) != 0)
			break;
		cli_put_text(out, i == 0 ? "[" : ",[");
		json_bytes(out, h.name);
		kl_buf_u8(out, ',');
		json_bytes(out, h.value);
		kl_buf_u8(out, ']');
	}
	cli_put_text(out, "]}\n");
}

/* Up to its timestamp's type. */
static void json_origin(const struct cli_format *f, const struct klamm_record_view *view,
			struct kl_buf *out)
{
	out->failed |= f->head.failed;
	kl_buf_put(out, f->head.data, f->head.len);
	cli_put_int(out, view->offset);
	cli_put_text(out, ",\"timestamp\":");
	cli_put_int(out, view->timestamp_ms);
	cli_put_text(out, ",\"timestamp_type\":\"");
	cli_put_text(out, timestamp_type(view->timestamp_type));
	kl_buf_u8(out, '"');
}

static void put_envelope(struct cli_format *f, const struct item *item,
			 struct kl_buf *out)
{
	const struct klamm_record_view *view = item->view;
	json_origin(f, view, out);
	cli_put_text(out, ",\"key\":");
	json_part(out, view->key, item->key);
	cli_put_text(out, ",\"value\":");
	json_part(out, view->value, item->value);
	json_headers(out, view);
}

static void json_base64(struct kl_buf *out, struct klamm_span bytes)
{
	if (bytes.data == NULL) {
		cli_put_text(out, "null");
		return;
	}
	cli_put_text(out, "{\"base64\":\"");
	kl_buf_base64(out, bytes.data, bytes.len);
	cli_put_text(out, "\"}");
}

void cli_format_dead(const struct cli_format *f, const struct klamm_record_view *view,
		     const char *why, struct kl_buf *out)
{
	json_origin(f, view, out);
	cli_put_text(out, ",\"error\":");
	kl_buf_json_bytes(out, why, strlen(why));
	cli_put_text(out, ",\"key\":");
	json_base64(out, view->key);
	cli_put_text(out, ",\"value\":");
	json_base64(out, view->value);
	json_headers(out, view);
}

int cli_format_record(struct cli_format *f, struct klamm_batch *batch,
		      const struct klamm_record_view *view, struct kl_buf *out,
		      struct klamm_error *err)
{
	struct item item = {.view = view};
	int rc = 0;
	if (f->decode_keys)
		rc = klamm_record_key(batch, view, &item.key, err);
	if (rc == 0 && f->decode_values)
		rc = klamm_record_value(batch, view, &item.value, err);
	if (rc != 0)
		return rc;
	if (f->json)
		put_envelope(f, &item, out);
	for (size_t i = 0; i < f->count; i++)
		f->ops[i].put(f, &f->ops[i], &item, out);
	return 0;
}
