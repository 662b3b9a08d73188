/* SPDX-License-Identifier: BSD-2-Clause */
#include <openssl/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/auxv.h>

#include "plugins/common/http_int.h"

#define CONNECT_MS 10000
#define WAIT_MS    30000
#define ANSWER_MAX ((size_t)1 << 20)
#define HEAD_MAX   ((size_t)64 << 10)
/* How soon a cancelled request ends, at the latest. */
#define LOOK_MS 50
/* The longest value of a header: a token is one. */
#define HEADER_MAX ((size_t)256 << 10)

/* --- memory that is wiped --- */

static void free_wiped(const struct klamm_host *host, char *p, size_t len)
{
	if (p == NULL)
		return;
	host->wipe(host, p, len);
	free(p);
}

/* Appends, with a NUL behind it. NO_MEMORY. */
static int append(const struct klamm_host *host, char **to, size_t *len, size_t *cap,
		  const void *p, size_t n)
{
	if (*to == NULL || n >= *cap - *len) { /* one more for the NUL */
		size_t more = 2 * (*len + n) + 256;
		char *grown = malloc(more);
		if (grown == NULL)
			return KLAMM_ERR_NO_MEMORY;
		if (*len > 0)
			memcpy(grown, *to, *len);
		free_wiped(host, *to, *cap);
		*to = grown;
		*cap = more;
	}
	if (n > 0)
		memcpy(*to + *len, p, n);
	*len += n;
	(*to)[*len] = '\0';
	return 0;
}

void kl_http_free(const struct klamm_host *host, struct kl_http_answer *answer)
{
	free_wiped(host, answer->body, answer->body_cap);
	free_wiped(host, answer->head, answer->head_cap);
	*answer = (struct kl_http_answer){0};
}

/* --- the URL --- */

static char *part_of(CURLU *url, CURLUPart part)
{
	char *text = NULL;
	return curl_url_get(url, part, &text, 0) == CURLUE_OK ? text : NULL;
}

/* 0 when text is a URL of ours; where is filled as far as it can be read. */
static int read_url(const char *text, char *where, size_t size)
{
	snprintf(where, size, "%s", "the URL");
	CURLU *url = curl_url();
	if (url == NULL)
		return KLAMM_ERR_NO_MEMORY;
	char *scheme = NULL, *name = NULL, *port = NULL;
	bool good = curl_url_set(url, CURLUPART_URL, text, CURLU_DISALLOW_USER) ==
		    CURLUE_OK;
	if (good) {
		scheme = part_of(url, CURLUPART_SCHEME);
		name = part_of(url, CURLUPART_HOST);
		port = part_of(url, CURLUPART_PORT);
		good = scheme != NULL && name != NULL &&
		       (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);
	}
	if (good)
		snprintf(where, size, "%s://%.250s%s%s", scheme, name,
			 port != NULL ? ":" : "", port != NULL ? port : "");
	curl_free(scheme);
	curl_free(name);
	curl_free(port);
	curl_url_cleanup(url);
	return good ? 0 : KLAMM_ERR_CONFIG;
}

void kl_http_where(const char *url, char *to, size_t size)
{
	if (kl_http_ready())
		read_url(url, to, size);
	else
		snprintf(to, size, "%s", "the URL");
}

/* --- what is sent --- */

static bool is_one_line(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text < ' ' && *text != '\t')
			return false;
	return true;
}

static void free_headers(const struct klamm_host *host, struct curl_slist *list)
{
	for (struct curl_slist *at = list; at != NULL; at = at->next)
		host->wipe(host, at->data, strlen(at->data));
	curl_slist_free_all(list);
}

/* libcurl leaves out a header that ends with its colon, and sends one that ends with a
 * semicolon as an empty one. */
static int add_header(struct kl_http_talk *talk, struct curl_slist **list,
		      const struct kl_http_header *header, struct klamm_error *err)
{
	size_t name_len = strlen(header->name), len = strlen(header->value);
	if (!is_one_line(header->value) || len > HEADER_MAX || name_len == 0 ||
	    name_len != strcspn(header->name, " :;\t\r\n"))
		return kl_http_fail(talk, err, KLAMM_ERR_CONFIG, KLAMM_STAGE_CONFIG,
				    "the header %.60s cannot be sent: it has an end of "
				    "line, or is too long",
				    header->name);
	size_t size = name_len + len + 4;
	char *line = malloc(size);
	if (line == NULL)
		return KLAMM_ERR_NO_MEMORY;
	if (len > 0)
		snprintf(line, size, "%s: %s", header->name, header->value);
	else
		snprintf(line, size, "%s;", header->name);
	struct curl_slist *grown = curl_slist_append(*list, line);
	free_wiped(talk->host, line, strlen(line));
	if (grown == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*list = grown;
	return 0;
}

static int make_headers(struct kl_http_talk *talk, struct curl_slist **list,
			struct klamm_error *err)
{
	const struct kl_http_request *request = talk->request;
	int rc = 0;
	for (size_t i = 0; i < request->header_count && rc == 0; i++)
		rc = add_header(talk, list, &request->headers[i], err);
	if (rc == 0 &&
	    request->body.data != NULL) { /* no asking first whether it may come */
		struct curl_slist *grown = curl_slist_append(*list, "Expect:");
		rc = grown != NULL ? 0 : KLAMM_ERR_NO_MEMORY;
		*list = grown != NULL ? grown : *list;
	}
	if (rc == KLAMM_ERR_NO_MEMORY)
		kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
	return rc;
}

/* --- what comes back --- */

static size_t take(struct kl_http_talk *talk, char **to, size_t *len, size_t *cap,
		   size_t max, const char *p, size_t n)
{
	talk->heard_us = talk->host->now_us(talk->host);
	if (n > max - *len)
		talk->why = KLAMM_ERR_LIMIT;
	else
		talk->why = append(talk->host, to, len, cap, p, n);
	return talk->why == 0 ? n : CURL_WRITEFUNC_ERROR;
}

static size_t on_body(char *p, size_t one, size_t n, void *arg)
{
	struct kl_http_talk *talk = arg;
	struct kl_http_answer *answer = talk->answer;
	size_t max = talk->request->answer_max;
	return take(talk, &answer->body, &answer->len, &answer->body_cap,
		    max != 0 ? max : ANSWER_MAX, p, n);
}

/* Of several answers (a proxy's, a redirection's) the last one's headers count. */
static size_t on_header(char *p, size_t one, size_t n, void *arg)
{
	struct kl_http_talk *talk = arg;
	struct kl_http_answer *answer = talk->answer;
	if (n > 5 && memcmp(p, "HTTP/", 5) == 0)
		answer->head_len = 0;
	return take(talk, &answer->head, &answer->head_len, &answer->head_cap, HEAD_MAX,
		    p, n);
}

bool kl_http_value(const struct kl_http_answer *answer, const char *name, char *to,
		   size_t size)
{
	size_t name_len = strlen(name);
	const char *p = answer->head, *end = p != NULL ? p + answer->head_len : NULL;
	while (p < end) {
		const char *eol = memchr(p, '\n', (size_t)(end - p));
		const char *next = eol != NULL ? eol + 1 : end;
		if ((size_t)(next - p) > name_len && p[name_len] == ':' &&
		    strncasecmp(p, name, name_len) == 0) {
			p += name_len + 1;
			while (p < next && (*p == ' ' || *p == '\t'))
				p++;
			size_t len = (size_t)(next - p);
			while (len > 0 && (unsigned char)p[len - 1] <= ' ')
				len--;
			snprintf(to, size, "%.*s", (int)len, p);
			return true;
		}
		p = next;
	}
	return false;
}

/* --- the exchange --- */

/* TLS begins. Bytes that were decrypted are wiped as soon as they are read. */
static CURLcode tune_tls(CURL *easy, void *ctx, void *arg)
{
	((struct kl_http_talk *)arg)->in_tls = true;
#ifdef SSL_OP_CLEANSE_PLAINTEXT
	SSL_CTX_set_options(ctx, SSL_OP_CLEANSE_PLAINTEXT);
#endif
	return CURLE_OK;
}

static bool has_our_openssl(void)
{
	char ours[32];
	const char *theirs = curl_version_info(CURLVERSION_NOW)->ssl_version;
	snprintf(ours, sizeof(ours), "OpenSSL/%d.", OPENSSL_VERSION_MAJOR);
	return theirs != NULL && strncmp(theirs, ours, strlen(ours)) == 0;
}

static bool set_method(CURL *easy, const struct kl_http_request *request)
{
	const char *method = request->method != NULL ? request->method : "GET";
	if (request->body.data == NULL && strcmp(method, "GET") == 0)
		return curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L) == CURLE_OK;
	const void *body = request->body.data != NULL ? request->body.data : "";
	return curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				(curl_off_t)request->body.len) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method) == CURLE_OK;
}

static bool set_text(CURL *easy, CURLoption option, const char *text)
{
	struct curl_blob blob = {(void *)text, strlen(text), CURL_BLOB_COPY};
	return curl_easy_setopt(easy, option, &blob) == CURLE_OK;
}

/* Each of the two takes from the text what it has use for. */
static bool set_own(CURL *easy, const char *pem)
{
	return set_text(easy, CURLOPT_SSLCERT_BLOB, pem) &&
	       set_text(easy, CURLOPT_SSLKEY_BLOB, pem);
}

static bool set_tls(CURL *easy, struct kl_http_talk *talk)
{
	const struct kl_http_request *request = talk->request;
	if (has_our_openssl() &&
	    (curl_easy_setopt(easy, CURLOPT_SSL_CTX_FUNCTION, tune_tls) != CURLE_OK ||
	     curl_easy_setopt(easy, CURLOPT_SSL_CTX_DATA, talk) != CURLE_OK))
		return false;
	if (curl_easy_setopt(easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2) !=
	    CURLE_OK)
		return false;
	if (request->own_pem != NULL && !set_own(easy, request->own_pem))
		return false;
	if (request->ca_folder == NULL && request->ca_pem == NULL)
		return true;
	if (curl_easy_setopt(easy, CURLOPT_CAPATH, request->ca_folder) != CURLE_OK ||
	    curl_easy_setopt(easy, CURLOPT_CAINFO, NULL) != CURLE_OK)
		return false;
	return request->ca_pem == NULL ||
	       set_text(easy, CURLOPT_CAINFO_BLOB, request->ca_pem);
}

/* Without this option libcurl asks the environment. */
static bool set_proxy(CURL *easy, const struct kl_http_request *request)
{
	const char *proxy = request->proxy != NULL ? request->proxy : "";
	if (*proxy == '\0' && request->proxy_of_environment && !getauxval(AT_SECURE))
		return true;
	return curl_easy_setopt(easy, CURLOPT_PROXY, proxy) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_NOPROXY, "") == CURLE_OK;
}

static bool set_redirects(CURL *easy, const struct kl_http_talk *talk)
{
	const struct kl_http_request *request = talk->request;
	bool is_get = request->method == NULL || strcmp(request->method, "GET") == 0;
	if (request->redirects == 0 || !is_get)
		return true;
	bool tls = strncmp(talk->where, "https:", 6) == 0;
	return curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_MAXREDIRS, (long)request->redirects) ==
		       CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_REDIR_PROTOCOLS_STR,
				tls ? "https" : "http") == CURLE_OK;
}

static bool set_up(struct kl_http_talk *talk, struct curl_slist *headers)
{
	const struct kl_http_request *request = talk->request;
	CURL *easy = talk->easy;
	long connect = (long)((talk->connect_end_us - talk->begun_us) / 1000);
	char agent[64];
	snprintf(agent, sizeof(agent), "klamm/%s", talk->host->version);
#define SET(option, value)                                                             \
	(curl_easy_setopt(easy, CURLOPT_##option, (value)) == CURLE_OK)
	return SET(URL, request->url) && SET(PROTOCOLS_STR, "http,https") &&
	       SET(HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) && SET(NOSIGNAL, 1L) &&
	       SET(CONNECTTIMEOUT_MS, connect) && SET(USERAGENT, agent) &&
	       SET(ERRORBUFFER, talk->said) && SET(HTTPHEADER, headers) &&
	       SET(WRITEFUNCTION, on_body) && SET(WRITEDATA, talk) &&
	       SET(HEADERFUNCTION, on_header) && SET(HEADERDATA, talk) &&
	       /* A look-up of names that is under way cannot be hurried: leave it
		  behind. */
	       SET(QUICK_EXIT, 1L) &&
	       set_method(easy, request) && set_tls(easy, talk) &&
	       set_proxy(easy, request) && set_redirects(easy, talk);
#undef SET
}

/* Why it goes no further; 0 = nothing. */
static int look(struct kl_http_talk *talk, struct klamm_error *err)
{
	const struct kl_http_request *request = talk->request;
	if ((request->call != NULL && klamm_cancelled(request->call)) ||
	    talk->host->closing(talk->host))
		return kl_http_fail(talk, err, KLAMM_ERR_ABORTED, KLAMM_STAGE_LOCAL,
				    "nobody waits for the answer any more");
	int64_t now = talk->host->now_us(talk->host);
	if (now >= talk->end_us)
		return kl_http_timed_out(talk, "the limit for all of it", err);
	if (talk->heard_us == 0) {
		curl_off_t us = 0;
		curl_easy_getinfo(talk->easy, CURLINFO_PRETRANSFER_TIME_T, &us);
		if (us > 0)
			talk->heard_us = now;
		return 0;
	}
	if (request->silence_ms > 0 &&
	    now - talk->heard_us >= request->silence_ms * 1000)
		return kl_http_timed_out(talk, "the limit for reading", err);
	return 0;
}

static int finish(struct kl_http_talk *talk, CURLcode code, struct klamm_error *err)
{
	size_t max =
		talk->request->answer_max != 0 ? talk->request->answer_max : ANSWER_MAX;
	if (talk->why == KLAMM_ERR_LIMIT)
		return kl_http_fail(talk, err, talk->why, KLAMM_STAGE_API,
				    "the answer is longer than %zu bytes", max);
	if (talk->why != 0)
		code = CURLE_OUT_OF_MEMORY;
	if (code != CURLE_OK)
		return kl_http_explain(talk, code, err);
	long status = 0;
	curl_easy_getinfo(talk->easy, CURLINFO_RESPONSE_CODE, &status);
	talk->answer->status = (int)status;
	struct kl_http_answer *answer = talk->answer;
	if (append(talk->host, &answer->body, &answer->len, &answer->body_cap, "", 0) !=
	    0)
		return kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
	return 0;
}

static int run(struct kl_http_talk *talk, CURLM *multi, struct klamm_error *err)
{
	int running = 1, rc = 0;
	if (curl_multi_add_handle(multi, talk->easy) != CURLM_OK)
		return kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
	while (rc == 0) {
		if (curl_multi_perform(multi, &running) != CURLM_OK)
			return kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
		if (running == 0)
			break;
		if (curl_multi_poll(multi, NULL, 0, LOOK_MS, NULL) != CURLM_OK)
			return kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
		rc = look(talk, err);
	}
	if (rc != 0)
		return rc;
	int left;
	CURLMsg *message = curl_multi_info_read(multi, &left);
	return finish(talk, message != NULL ? message->data.result : CURLE_FAILED_INIT,
		      err);
}

static int64_t or_default(int64_t ms, int64_t otherwise)
{
	return ms > 0 ? ms : otherwise;
}

static void set_limits(struct kl_http_talk *talk)
{
	const struct kl_http_request *request = talk->request;
	int64_t wait = or_default(request->wait_ms, WAIT_MS);
	if (request->call != NULL && request->call->wait_ms >= 0 &&
	    request->call->wait_ms < wait)
		wait = request->call->wait_ms;
	int64_t connect = or_default(request->connect_ms, CONNECT_MS);
	talk->begun_us = talk->host->now_us(talk->host);
	talk->end_us = talk->begun_us + wait * 1000;
	talk->connect_end_us =
		talk->begun_us + (connect < wait ? connect : wait + 1) * 1000;
}

static int exchange(struct kl_http_talk *talk, struct klamm_error *err)
{
	struct curl_slist *headers = NULL;
	int rc = make_headers(talk, &headers, err);
	CURLM *multi = curl_multi_init();
	talk->easy = curl_easy_init();
	if (rc == 0 && (multi == NULL || talk->easy == NULL))
		rc = kl_http_explain(talk, CURLE_OUT_OF_MEMORY, err);
	if (rc == 0 && !set_up(talk, headers))
		rc = kl_http_fail(
			talk, err, KLAMM_ERR_UNSUPPORTED, KLAMM_STAGE_LOCAL,
			"libcurl %s is too old or built without what is needed",
			curl_version_info(CURLVERSION_NOW)->version);
	if (rc == 0)
		rc = run(talk, multi, err);
	if (multi != NULL && talk->easy != NULL)
		curl_multi_remove_handle(multi, talk->easy);
	curl_easy_cleanup(talk->easy);
	curl_multi_cleanup(multi);
	free_headers(talk->host, headers);
	return rc;
}

/* A peer that is gone raises no signal: libcurl's TLS may write to it. */
static int exchange_quietly(struct kl_http_talk *talk, struct klamm_error *err)
{
	static const struct timespec now;
	sigset_t pipe, before, pending;
	sigpending(&pending);
	sigemptyset(&pipe);
	sigaddset(&pipe, SIGPIPE);
	pthread_sigmask(SIG_BLOCK, &pipe, &before);
	int rc = exchange(talk, err);
	if (!sigismember(&pending, SIGPIPE))
		sigtimedwait(&pipe, NULL, &now);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return rc;
}

int kl_http(const struct klamm_host *host, const struct kl_http_request *request,
	    struct kl_http_answer *answer_out, struct klamm_error *err)
{
	*answer_out = (struct kl_http_answer){0};
	struct kl_http_talk talk = {
		.host = host, .request = request, .answer = answer_out};
	if (!kl_http_ready())
		return klamm_fail(err, KLAMM_ERR_SYSTEM,
				  "libcurl cannot be initialised");
	int rc = read_url(request->url, talk.where, sizeof(talk.where));
	if (rc == KLAMM_ERR_NO_MEMORY)
		return kl_http_explain(&talk, CURLE_OUT_OF_MEMORY, err);
	if (rc != 0)
		return kl_http_fail(
			&talk, err, rc, KLAMM_STAGE_CONFIG,
			"it must be http:// or https:// with a host, and have no "
			"user or password in it");
	set_limits(&talk);
	rc = exchange_quietly(&talk, err);
	if (rc != 0)
		kl_http_free(host, answer_out);
	return rc;
}
