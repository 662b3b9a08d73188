/* SPDX-License-Identifier: BSD-2-Clause */
/* What went wrong with a request, in a sentence. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "plugins/common/http_int.h"

/* How much of what a server says goes into a message. */
#define SAID_MAX 200

int kl_http_fail(const struct kl_http_talk *talk, struct klamm_error *err, int code,
		 int stage, const char *fmt, ...)
{
	char what[KLAMM_ERROR_TEXT];
	va_list args;
	va_start(args, fmt);
	vsnprintf(what, sizeof(what), fmt, args);
	va_end(args);
	klamm_fail(err, code, "%s: %s", talk->where, what);
	if (err != NULL)
		err->stage = stage;
	return code;
}

static bool is_over(CURL *easy, CURLINFO phase)
{
	curl_off_t us = 0;
	return curl_easy_getinfo(easy, phase, &us) == CURLE_OK && us > 0;
}

static int stage_of(struct kl_http_talk *talk, const char **doing_out)
{
	*doing_out = "resolving the name";
	if (!is_over(talk->easy, CURLINFO_NAMELOOKUP_TIME_T))
		return KLAMM_STAGE_DNS;
	bool is_ready = is_over(talk->easy, CURLINFO_PRETRANSFER_TIME_T);
	*doing_out = "TLS was being set up";
	if (talk->in_tls && !is_ready)
		return KLAMM_STAGE_TLS;
	*doing_out = "connecting";
	if (!is_ready)
		return KLAMM_STAGE_TCP;
	*doing_out = talk->answer->head_len > 0 ? "the answer was coming in"
						: "waiting for the answer";
	return KLAMM_STAGE_API;
}

int kl_http_timed_out(struct kl_http_talk *talk, const char *limit,
		      struct klamm_error *err)
{
	const char *doing;
	int stage = stage_of(talk, &doing);
	int64_t ms = (talk->host->now_us(talk->host) - talk->begun_us) / 1000;
	return kl_http_fail(talk, err, KLAMM_ERR_TIMED_OUT, stage,
			    "no end after %lld ms while %s (%s)", (long long)ms, doing,
			    limit);
}

static int closed(struct kl_http_talk *talk, struct klamm_error *err)
{
	return kl_http_fail(
		talk, err, KLAMM_ERR_DISCONNECTED, KLAMM_STAGE_API,
		talk->answer->head_len > 0
			? "the connection was closed in the middle of the answer"
			: "the connection was closed without an answer");
}

/* libcurl's words name the proxy that the environment gave; a password they do not. */
static int not_connected(struct kl_http_talk *talk, struct klamm_error *err)
{
	const struct kl_http_request *request = talk->request;
	long system = 0;
	curl_easy_getinfo(talk->easy, CURLINFO_OS_ERRNO, &system);
	const char *why = system > 0 ? strerror((int)system) : talk->said;
	if (request->proxy != NULL && request->proxy[0] != '\0')
		return kl_http_fail(talk, err, KLAMM_ERR_CONNECT, KLAMM_STAGE_PROXY,
				    "cannot connect to the proxy: %s", why);
	if (request->proxy_of_environment && system > 0)
		return kl_http_fail(talk, err, KLAMM_ERR_CONNECT, KLAMM_STAGE_TCP,
				    "cannot connect: %s (%s)", why, talk->said);
	return kl_http_fail(talk, err, KLAMM_ERR_CONNECT, KLAMM_STAGE_TCP,
			    "cannot connect: %s", why);
}

/* What a proxy answered to CONNECT; 0 = it was not asked, or has done it. */
static int refusal_of_proxy(CURL *easy)
{
	long status = 0;
	curl_easy_getinfo(easy, CURLINFO_HTTP_CONNECTCODE, &status);
	return status >= 300 ? (int)status : 0;
}

static int refused_by_proxy(struct kl_http_talk *talk, int status, struct klamm_error *err)
{
	return kl_http_fail(talk, err,
			    kl_http_is_passing(status) ? KLAMM_ERR_CONNECT
						       : KLAMM_ERR_AUTHENTICATION,
			    KLAMM_STAGE_PROXY,
			    "the proxy does not lead there: HTTP status %d%s", status,
			    status == 407 ? " (it wants a user and a password)" : "");
}

int kl_http_explain(struct kl_http_talk *talk, CURLcode code, struct klamm_error *err)
{
	const char *said =
		talk->said[0] != '\0' ? talk->said : curl_easy_strerror(code);
	int status = refusal_of_proxy(talk->easy);
	if (status != 0 && code != CURLE_OUT_OF_MEMORY)
		return refused_by_proxy(talk, status, err);
	switch (code) {
	case CURLE_OUT_OF_MEMORY:
		return kl_http_fail(talk, err, KLAMM_ERR_NO_MEMORY, KLAMM_STAGE_LOCAL,
				    "out of memory");
	case CURLE_COULDNT_RESOLVE_HOST:
		return kl_http_fail(talk, err, KLAMM_ERR_DNS, KLAMM_STAGE_DNS,
				    "the name has no address (%s)", said);
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_PROXY:
		return kl_http_fail(talk, err, KLAMM_ERR_CONNECT, KLAMM_STAGE_PROXY,
				    "the proxy does not help: %s", said);
	case CURLE_COULDNT_CONNECT:
		return not_connected(talk, err);
	case CURLE_SSL_CONNECT_ERROR:
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_CIPHER:
		return kl_http_fail(talk, err, KLAMM_ERR_TLS, KLAMM_STAGE_TLS,
				    "TLS: %s", said);
	case CURLE_SSL_CACERT_BADFILE:
		return kl_http_fail(talk, err, KLAMM_ERR_CONFIG, KLAMM_STAGE_CONFIG,
				    "the CA certificates cannot be read: %s", said);
	case CURLE_OPERATION_TIMEDOUT:
		return kl_http_timed_out(talk, "the limit for connecting", err);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_SEND_ERROR:
	case CURLE_RECV_ERROR:
		return closed(talk, err);
	case CURLE_UNSUPPORTED_PROTOCOL: /* of a redirection: the URL's own was checked
					  */
		return kl_http_fail(
			talk, err, KLAMM_ERR_PROTOCOL, KLAMM_STAGE_API,
			talk->answer->head_len > 0
				? "the answer sends to another scheme, which is "
				  "not followed"
				: "what answers does not speak HTTP/1.1");
	default:
		return kl_http_fail(talk, err, KLAMM_ERR_PROTOCOL, KLAMM_STAGE_API,
				    "%s", said);
	}
}

/* --- statuses --- */

bool kl_http_is_passing(int status)
{
	return status == 408 || status == 425 || status == 429 ||
	       (status >= 500 && status != 501 && status != 505);
}

static const char *name_of(int status)
{
	static const struct {
		int status;
		const char *name;
	} names[] = {
		{400, "bad request"},        {401, "not authenticated"},
		{403, "forbidden"},          {404, "not found"},
		{405, "method not allowed"}, {408, "timed out"},
		{413, "too large"},          {429, "too many requests"},
		{500, "internal error"},     {502, "bad gateway"},
		{503, "unavailable"},        {504, "gateway timed out"},
	};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].status == status)
			return names[i].name;
	return status >= 300 && status < 400 ? "sends elsewhere, which is not followed"
					     : "refused";
}

/* One line of what can be shown; a page for a browser says nothing here. */
static void excerpt(const struct kl_http_answer *answer, char to[static SAID_MAX + 1])
{
	char type[64] = "";
	size_t n = 0;
	to[0] = '\0';
	if (kl_http_value(answer, "Content-Type", type, sizeof(type)) &&
	    strncasecmp(type, "text/html", 9) == 0)
		return;
	for (size_t i = 0; i < answer->len && n < SAID_MAX; i++) {
		unsigned char c = (unsigned char)answer->body[i];
		bool is_blank = c <= ' ';
		if (is_blank && (n == 0 || to[n - 1] == ' '))
			continue;
		to[n++] = is_blank ? ' ' : c < 0x7f ? (char)c : '?';
	}
	while (n > 0 && to[n - 1] == ' ')
		n--;
	to[n] = '\0';
}

int kl_http_check(const struct kl_http_request *request,
		  const struct kl_http_answer *answer, struct klamm_error *err)
{
	if (answer->status >= 200 && answer->status < 300)
		return 0;
	struct kl_http_talk talk = {0};
	char said[SAID_MAX + 1];
	kl_http_where(request->url, talk.where, sizeof(talk.where));
	excerpt(answer, said);
	return kl_http_fail(&talk, err,
			    kl_http_is_passing(answer->status)
				    ? KLAMM_ERR_CONNECT
				    : KLAMM_ERR_AUTHENTICATION,
			    KLAMM_STAGE_API, "HTTP status %d (%s)%s%s", answer->status,
			    name_of(answer->status), said[0] != '\0' ? ": " : "", said);
}
