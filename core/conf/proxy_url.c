/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/proxy_url.h"

#include <ctype.h>
#include <strings.h>

#include "core/base/option.h"
#include "core/conf/table.h"

static const struct {
	const char *scheme;
	bool is_http, names_remotely;
	uint16_t port; /* 0 = it has to be said */
} schemes[] = {
	{"socks5://", false, false, 1080},
	{"socks5h://", false, true, 1080},
	{"http://", true, true, 0},
};

static bool says(struct kl_buf *why, const char *text)
{
	if (why != NULL)
		kl_buf_printf(why, "%s", text);
	return false;
}

static int hex(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

/* Bytes up to end, %XX being one; none of them a NUL. */
static bool take_part(const char *p, const char *end, char to[static KL_PROXY_PART])
{
	size_t n = 0;
	while (p < end) {
		int c = (unsigned char)*p++;
		if (c == '%') {
			if (end - p < 2 || !isxdigit((unsigned char)p[0]) ||
			    !isxdigit((unsigned char)p[1]))
				return false;
			c = hex((unsigned char)p[0]) << 4 | hex((unsigned char)p[1]);
			p += 2;
		}
		if (c == '\0' || n + 1 == KL_PROXY_PART)
			return false;
		to[n++] = (char)c;
	}
	to[n] = '\0';
	return true;
}

/* USER:PASSWORD; both, for neither kind of proxy knows half of it. */
static bool take_user(const char *p, const char *end, struct kl_proxy_url *url)
{
	const char *colon = memchr(p, ':', (size_t)(end - p));
	return colon != NULL && take_part(p, colon, url->user) &&
	       take_part(colon + 1, end, url->password) && url->user[0] != '\0' &&
	       url->password[0] != '\0';
}

static bool good_host(const char *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isalnum((unsigned char)p[i]) && strchr(".-_:", p[i]) == NULL)
			return false;
	return n > 0 && n < KL_PROXY_PART;
}

/* HOST, HOST:PORT, [ADDRESS] or [ADDRESS]:PORT, and maybe a slash. */
static bool take_host(const char *p, struct kl_proxy_url *url)
{
	const char *end = p + strcspn(p, "/?#"), *colon;
	if (end[0] != '\0' && strcmp(end, "/") != 0)
		return false;
	bool brackets = *p == '[';
	const char *host = p + brackets;
	const char *host_end = brackets ? memchr(p, ']', (size_t)(end - p))
					: memchr(p, ':', (size_t)(end - p)) ?: end;
	if (host_end == NULL || !good_host(host, (size_t)(host_end - host)))
		return false;
	colon = host_end + brackets;
	memcpy(url->host, host, (size_t)(host_end - host));
	url->host[host_end - host] = '\0';
	if (colon == end)
		return url->port != 0;
	int64_t port;
	if (*colon != ':' ||
	    !kl_parse_int(colon + 1, (size_t)(end - colon) - 1, &port) || port < 1 ||
	    port > 65535)
		return false;
	url->port = (uint16_t)port;
	return true;
}

bool kl_proxy_url_parse(const char *text, struct kl_proxy_url *url, struct kl_buf *why)
{
	*url = (struct kl_proxy_url){.port = 0};
	for (size_t i = 0; i < kl_countof(schemes); i++) {
		size_t n = strlen(schemes[i].scheme);
		if (strncasecmp(text, schemes[i].scheme, n) != 0)
			continue;
		url->is_http = schemes[i].is_http;
		url->names_remotely = schemes[i].names_remotely;
		url->port = schemes[i].port;
		const char *rest = text + n, *at = strrchr(rest, '@');
		if (at != NULL && !take_user(rest, at, url))
			return says(why, "must have USER:PASSWORD before the @, where %XX "
					 "stands for any other character, each of at most "
					 "255 bytes");
		if (!take_host(at != NULL ? at + 1 : rest, url))
			return says(why, url->is_http
						 ? "must be http://HOST:PORT"
						 : "must be socks5://HOST[:PORT] or "
						   "socks5h://HOST[:PORT]");
		return true;
	}
	return says(why, "must begin with socks5:// (this machine looks names up), socks5h:// "
			 "(the proxy does) or http:// (CONNECT)");
}

bool kl_check_proxy(const char *text, struct kl_buf *why)
{
	struct kl_proxy_url url;
	bool good = *text == '\0' || kl_proxy_url_parse(text, &url, why);
	explicit_bzero(&url, sizeof(url));
	return good;
}
