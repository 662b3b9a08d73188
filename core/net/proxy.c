/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/net/proxy.h"

#include <arpa/inet.h>
#include <stdio.h>

#include "core/base/error.h"
#include "core/base/text.h"

#define SOCKS     5
#define NONE      0 /* ways to authenticate */
#define PASSWORD  2
#define NO_WAY    0xff
#define PASSWORDS 1 /* version of RFC 1929 */
#define IPV4      1 /* kinds of addresses */
#define NAME      3
#define IPV6      4
/* An answer to CONNECT up to the length of its address. */
#define ANSWER 5

/* false, for the caller to return. A refusal is final: trying again would not help. */
static bool fail(const struct kl_proxy_talk *talk, int code, struct klamm_error *err,
		 const char *what)
{
	kl_error(err, code, "the proxy %s:%u %s", talk->url->host, talk->url->port, what);
	if (err != NULL)
		err->stage = KLAMM_STAGE_PROXY;
	return false;
}

static bool sent(struct kl_proxy_talk *talk, enum kl_proxy_step step, struct klamm_error *err)
{
	talk->step = step;
	kl_buf_clear(&talk->in);
	return talk->out.failed ? fail(talk, KLAMM_ERR_NO_MEMORY, err,
				       "cannot be asked: out of memory")
				: true;
}

/* --- SOCKS5 --- */

static void put_text(struct kl_buf *to, const char *text)
{
	size_t n = strlen(text);
	kl_buf_u8(to, (uint8_t)n);
	kl_buf_put(to, text, n);
}

static bool greet(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	bool known = talk->url->user[0] != '\0';
	kl_buf_u8(&talk->out, SOCKS);
	kl_buf_u8(&talk->out, known ? 2 : 1);
	kl_buf_u8(&talk->out, NONE);
	if (known)
		kl_buf_u8(&talk->out, PASSWORD);
	return sent(talk, KL_PROXY_METHOD, err);
}

static bool ask_to_connect(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	struct kl_buf *out = &talk->out;
	uint8_t address[16];
	kl_buf_put(out, (const uint8_t[]){SOCKS, 1, 0}, 3);
	if (inet_pton(AF_INET, talk->host, address) == 1) {
		kl_buf_u8(out, IPV4);
		kl_buf_put(out, address, 4);
	} else if (inet_pton(AF_INET6, talk->host, address) == 1) {
		kl_buf_u8(out, IPV6);
		kl_buf_put(out, address, 16);
	} else {
		kl_buf_u8(out, NAME);
		put_text(out, talk->host);
	}
	kl_buf_i16(out, (int16_t)talk->port);
	return sent(talk, KL_PROXY_CONNECT, err);
}

static bool take_method(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	const uint8_t *p = talk->in.data;
	const struct kl_proxy_url *url = talk->url;
	if (p[0] != SOCKS)
		return fail(talk, KLAMM_ERR_PROTOCOL, err,
			    "does not speak SOCKS5 (klamm.proxy.url)");
	if (p[1] == NONE)
		return ask_to_connect(talk, err);
	if (p[1] != PASSWORD || url->user[0] == '\0')
		return fail(talk, KLAMM_ERR_AUTHENTICATION, err,
			    url->user[0] == '\0' && p[1] == NO_WAY
				    ? "wants to know who asks: klamm.proxy.url needs "
				      "USER:PASSWORD@"
				    : "takes neither a password nor none (klamm.proxy.url)");
	kl_buf_u8(&talk->out, PASSWORDS);
	put_text(&talk->out, url->user);
	put_text(&talk->out, url->password);
	return sent(talk, KL_PROXY_PASSWORD, err);
}

static bool take_password(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	if (talk->in.data[1] == 0)
		return ask_to_connect(talk, err);
	return fail(talk, KLAMM_ERR_AUTHENTICATION, err,
		    "does not take this user and password (klamm.proxy.url)");
}

static bool refuse(const struct kl_proxy_talk *talk, uint8_t code, struct klamm_error *err)
{
	static const char *const texts[] = {
		[1] = "has failed",
		[2] = "forbids it by its rules",
		[3] = "says that the network is unreachable",
		[4] = "says that the host is unreachable, or not known",
		[5] = "says that the connection was refused",
		[6] = "says that the time to live has expired",
		[7] = "does not know how to connect",
		[8] = "does not take this kind of address; socks5h:// has it look names up",
	};
	char text[120];
	snprintf(text, sizeof(text), "%s",
		 code < kl_countof(texts) ? texts[code] : "answers with an unknown code");
	return fail(talk, code == 2 ? KLAMM_ERR_AUTHENTICATION : KLAMM_ERR_CONNECT, err, text);
}

/* The address that the proxy connects from is of no use, but its length is. */
static size_t address_left(const struct kl_proxy_talk *talk)
{
	const uint8_t *p = talk->in.data;
	return p[3] == IPV4 ? 4 + 2 - 1 : p[3] == IPV6 ? 16 + 2 - 1 : (size_t)p[4] + 2;
}

static bool take_answer(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	const uint8_t *p = talk->in.data;
	if (p[0] != SOCKS)
		return fail(talk, KLAMM_ERR_PROTOCOL, err, "answers with no SOCKS5");
	if (p[1] != 0)
		return refuse(talk, p[1], err);
	if (p[3] != IPV4 && p[3] != IPV6 && p[3] != NAME)
		return fail(talk, KLAMM_ERR_PROTOCOL, err, "answers with no SOCKS5");
	talk->step = KL_PROXY_ADDRESS;
	return true;
}

/* --- HTTP --- */

static bool ask_http(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	struct kl_buf *out = &talk->out;
	const struct kl_proxy_url *url = talk->url;
	uint8_t address[16];
	bool ipv6 = inet_pton(AF_INET6, talk->host, address) == 1;
	const char *open = ipv6 ? "[" : "", *shut = ipv6 ? "]" : "";
	kl_buf_printf(out, "CONNECT %s%s%s:%u HTTP/1.1\r\nHost: %s%s%s:%u\r\n", open,
		      talk->host, shut, talk->port, open, talk->host, shut, talk->port);
	if (url->user[0] != '\0') {
		KL_AUTO(kl_wipe_buf) struct kl_buf pair = {.is_secret = true};
		/* By hand: printf would leave a copy on the stack. */
		kl_buf_put(&pair, url->user, strlen(url->user));
		kl_buf_put(&pair, ":", 1);
		kl_buf_put(&pair, url->password, strlen(url->password));
		kl_buf_put(out, "Proxy-Authorization: Basic ", 27);
		kl_buf_base64(out, pair.data, pair.len);
		kl_buf_put(out, "\r\n", 2);
	}
	kl_buf_put(out, "\r\n", 2);
	return sent(talk, KL_PROXY_HEAD, err);
}

/* The first line as far as it can be shown. */
static void put_line(const struct kl_buf *in, char text[static 100])
{
	size_t n = 0;
	while (n < in->len && n < 80 && in->data[n] >= ' ' && in->data[n] <= '~')
		n++;
	memcpy(text, in->data, n);
	text[n] = '\0';
}

static bool take_status(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	const uint8_t *p = talk->in.data;
	char line[100], text[260];
	/* "HTTP/1.1 200", with or without words behind it. */
	if (talk->in.len < 13 || memcmp(p, "HTTP/1.", 7) != 0 || p[8] != ' ' ||
	    p[9] < '1' || p[9] > '5')
		return fail(talk, KLAMM_ERR_PROTOCOL, err,
			    "answers with no HTTP (klamm.proxy.url)");
	if (p[9] == '2') {
		talk->step = KL_PROXY_THROUGH;
		return true;
	}
	put_line(&talk->in, line);
	bool who = memcmp(p + 9, "407", 3) == 0 ||
		   memcmp(p + 9, "401", 3) == 0; /* tinyproxy's word for a wrong password */
	bool never = memcmp(p + 9, "403", 3) == 0;
	snprintf(text, sizeof(text), "answers \"%s\"%s", line,
		 !who ? ""
		 : talk->url->user[0] == '\0'
			 ? ": klamm.proxy.url needs USER:PASSWORD@"
			 : ": it does not take this user and password (klamm.proxy.url)");
	return fail(talk, who || never ? KLAMM_ERR_AUTHENTICATION : KLAMM_ERR_CONNECT, err,
		    text);
}

static bool take_head(struct kl_proxy_talk *talk, struct klamm_error *err)
{
	const struct kl_buf *in = &talk->in;
	if (in->len >= 4 && memcmp(in->data + in->len - 4, "\r\n\r\n", 4) == 0)
		return take_status(talk, err);
	/* What is no HTTP may never have such an end. */
	if (memcmp(in->data, "HTTP/1.", kl_min(in->len, (size_t)7)) != 0)
		return take_status(talk, err);
	if (in->len < KL_PROXY_HEAD_MAX)
		return true;
	return fail(talk, KLAMM_ERR_PROTOCOL, err, "does not come to an end");
}

/* --- both --- */

/* Names come from brokers, too: nothing in one may end a line, or be something else. */
static bool good_host(const char *host)
{
	size_t n = strlen(host);
	uint8_t address[16];
	if (inet_pton(AF_INET6, host, address) == 1)
		return true;
	for (const char *p = host; *p != '\0'; p++)
		if (*p <= ' ' || *p > '~' || strchr(":/@[]\"\\", *p) != NULL)
			return false;
	return n > 0 && n < KL_PROXY_PART;
}

bool kl_proxy_begin(struct kl_proxy_talk *talk, const struct kl_proxy_url *url,
		    const char *host, uint16_t port, struct klamm_error *err)
{
	*talk = (struct kl_proxy_talk){.url = url, .host = host, .port = port};
	talk->out.is_secret = url->user[0] != '\0';
	if (!good_host(host))
		return fail(talk, KLAMM_ERR_INVALID_ARGUMENT, err,
			    "is not asked for a host of this name");
	return url->is_http ? ask_http(talk, err) : greet(talk, err);
}

void kl_proxy_end(struct kl_proxy_talk *talk)
{
	kl_buf_free(&talk->in);
	kl_wipe_buf(&talk->out);
	*talk = (struct kl_proxy_talk){.step = KL_PROXY_THROUGH};
}

size_t kl_proxy_wants(const struct kl_proxy_talk *talk)
{
	switch (talk->step) {
	case KL_PROXY_METHOD:
	case KL_PROXY_PASSWORD:
		return 2 - talk->in.len;
	case KL_PROXY_CONNECT:
		return ANSWER - talk->in.len;
	case KL_PROXY_ADDRESS:
		return ANSWER + address_left(talk) - talk->in.len;
	case KL_PROXY_HEAD:
		return 1; /* where it ends is seen then */
	default:
		return 0;
	}
}

bool kl_proxy_take(struct kl_proxy_talk *talk, const uint8_t *p, size_t n,
		   struct klamm_error *err)
{
	kl_buf_put(&talk->in, p, n);
	if (talk->in.failed)
		return fail(talk, KLAMM_ERR_NO_MEMORY, err, "is too much: out of memory");
	if (talk->step == KL_PROXY_HEAD)
		return take_head(talk, err);
	if (kl_proxy_wants(talk) > 0)
		return true;
	switch (talk->step) {
	case KL_PROXY_METHOD:
		return take_method(talk, err);
	case KL_PROXY_PASSWORD:
		return take_password(talk, err);
	case KL_PROXY_CONNECT:
		return take_answer(talk, err);
	default:
		talk->step = KL_PROXY_THROUGH;
		return true;
	}
}
