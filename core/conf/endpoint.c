/* SPDX-License-Identifier: BSD-2-Clause */
/* "host:port" lists, as Java and kafka-python write them. */
#include "core/base/option.h"
#include "core/conf/table.h"

#define KAFKA_PORT 9092 /* kafka-python's default; Java wants a port */

struct parts {
	struct klamm_span host;
	int64_t port;
};

static struct klamm_span without_scheme(struct klamm_span text)
{
	const char *p = text.data, *sep = memmem(p, text.len, "://", 3);
	if (sep == NULL)
		return text;
	size_t n = (size_t)(sep + 3 - p);
	return (struct klamm_span){p + n, text.len - n};
}

/* Letters that a name or an address can have; a look-up decides about the rest. */
static bool good_host(struct klamm_span host)
{
	const unsigned char *p = host.data;
	for (size_t i = 0; i < host.len; i++)
		if (p[i] <= ' ' || p[i] == 0x7f || strchr("/@[]\"\\,", p[i]) != NULL)
			return false;
	return host.len > 0 && host.len <= 255;
}

/* host, host:port, [address]:port, [address], or an IPv6 address by itself. */
static bool split(struct klamm_span text, struct parts *parts_out)
{
	text = without_scheme(text);
	const char *p = text.data, *end = p + text.len, *rest;
	struct parts parts = {.host = text, .port = KAFKA_PORT};
	if (p < end && *p == '[') {
		const char *close = memchr(p, ']', text.len);
		if (close == NULL)
			return false;
		parts.host = (struct klamm_span){p + 1, (size_t)(close - p) - 1};
		rest = close + 1;
		if (rest < end && *rest != ':')
			return false;
	} else {
		rest = memchr(p, ':', text.len);
		if (rest == NULL ||
		    memchr(rest + 1, ':', (size_t)(end - rest) - 1) != NULL)
			rest = end; /* no port, or several colons: an IPv6 address */
		parts.host.len = (size_t)(rest - p);
	}
	if (rest < end &&
	    (!kl_parse_int(rest + 1, (size_t)(end - rest) - 1, &parts.port) ||
	     parts.port < 1 || parts.port > 65535))
		return false;
	*parts_out = parts;
	return good_host(parts.host);
}

bool kl_check_servers(const char *text, struct kl_buf *why)
{
	struct klamm_span element;
	struct parts parts;
	if (*text == '\0') {
		kl_buf_printf(why, "must name at least one host:port");
		return false;
	}
	while (kl_list_next(&text, &element)) {
		if (split(element, &parts))
			continue;
		kl_buf_printf(why, "\"%.*s\" is not host:port with a port of 1..65535",
			      (int)kl_min(element.len, 80), (const char *)element.data);
		return false;
	}
	return true;
}

int kl_fill_endpoints(const struct kl_conf_row *row, const char *text,
		      struct kl_settings *settings, struct kl_arena *arena)
{
	struct klamm_span element;
	size_t n = 0;
	for (const char *p = text; kl_list_next(&p, &element);)
		n++;
	struct kl_endpoint *v = kl_arena_array(arena, n, sizeof(*v));
	if (v == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (size_t i = 0; i < n && kl_list_next(&text, &element); i++) {
		struct parts parts = {0};
		split(element, &parts);
		v[i].host = kl_arena_text(arena, parts.host.data, parts.host.len);
		v[i].port = (uint16_t)parts.port;
		if (v[i].host == NULL)
			return KLAMM_ERR_NO_MEMORY;
	}
	*(struct kl_endpoints *)((char *)settings + row->option.offset) =
		(struct kl_endpoints){.v = v, .n = n};
	return 0;
}
