/* SPDX-License-Identifier: BSD-2-Clause */
/* One HTTP request and its answer, for plugins that ask a token server or a metadata
 * service. Over libcurl; only plugins that need it are linked with it.
 *
 * Blocking: to be called on the blocking pool (a step of a SASL plugin, what was given
 * to submit()), from any number of threads. Every wait is bounded and can be cancelled.
 * Nothing is kept between calls, and nothing is retried: that is up to the caller, who
 * learns from the code, or from kl_http_is_passing(), whether that may help.
 *
 * http and https only. Certificates and host names are always verified, TLS is 1.2 or
 * newer. The environment's proxies play a part when asked to, .netrc and cookies none.
 * What was sent and received is wiped, in libcurl's memory too unless the application
 * has initialised libcurl itself before.
 */
#ifndef PLUGINS_HTTP_H
#define PLUGINS_HTTP_H

#include <klamm/host.h>

struct kl_http_header {
	const char *name, *value; /* borrowed; printable, no end of line */
};

/* What to ask. Zeroed but for what is needed; everything is borrowed for the call. */
struct kl_http_request {
	const char *method; /* "GET" when NULL, "POST", "PUT" */
	const char *url;    /* no user and password in it */
	const struct kl_http_header *headers;
	size_t header_count;
	struct klamm_span body; /* data NULL = none; any bytes */

	int64_t connect_ms; /* name, TCP, proxy, TLS; 0 = 10 seconds */
	int64_t silence_ms; /* the longest without a byte of the answer; 0 = no limit */
	int64_t wait_ms;    /* all of it; 0 = 30 seconds */
	/* The call that waits for it (its wait_ms counts as well), or NULL. */
	const struct klamm_call *call;

	size_t answer_max; /* bytes of the body; 0 = 1 MiB */
	/* How many redirections a GET follows, within its scheme; none by default.
	 * Headers go along, Authorization to the same host only. */
	int redirects;

	/* What certificates are traced to: PEM text, or a folder as OpenSSL hashes it,
	 * instead of the system's; NULL = the system's. */
	const char *ca_pem, *ca_folder;
	/* The certificate that is shown to a server that asks, those that signed it, and
	 * its key, as PEM text; NULL = none. */
	const char *own_pem;
	/* "http://user:password@host:port", "socks5://...", where names are looked up
	 * here, "socks5h://..."; NULL = none, unless the environment says one
	 * (https_proxy, http_proxy, all_proxy; no_proxy) and is to be asked. It is not in
	 * a process that has more rights than its user. */
	const char *proxy;
	bool proxy_of_environment;
};

/* What came back. Zeroed, or filled by kl_http(); ends with kl_http_free(). */
struct kl_http_answer {
	int status; /* 200, 404, ... */
	char *body; /* with a NUL behind it; never NULL after success */
	size_t len;
	char *head; /* the header lines, or NULL */
	size_t head_len;
	size_t body_cap, head_cap; /* allocated */
};

/* 0: there is an answer, whatever its status. Errors name scheme, host and port of the
 * URL, never its path:
 *	CONFIG		the request cannot be sent as it is (stage CONFIG)
 *	DNS, CONNECT	stages DNS, TCP, PROXY
 *	TLS		stage TLS; the text says what is wrong with the certificate
 *	DISCONNECTED	closed before the answer was whole
 *	PROTOCOL	what answers does not speak HTTP, or sends elsewhere
 *	TIMED_OUT	the text says at which stage
 *	LIMIT		the answer is too long
 *	ABORTED		nobody waits for it any more, or the client is closing
 *	NO_MEMORY */
int kl_http(const struct klamm_host *host, const struct kl_http_request *request,
	    struct kl_http_answer *answer_out, struct klamm_error *err);

/* A header's value, copied to `to`, cut to its size; false: there is none. */
bool kl_http_value(const struct kl_http_answer *answer, const char *name, char *to,
		   size_t size);

/* 0 for 200 to 299. Else the error says host, status and the beginning of a body that
 * is no web page: CONNECT, which is retriable, if the status is a passing one, else
 * AUTHENTICATION; stage API. */
int kl_http_check(const struct kl_http_request *request,
		  const struct kl_http_answer *answer, struct klamm_error *err);

/* 408, 425, 429 and the 500s, 501 and 505 aside: the same may succeed later. */
bool kl_http_is_passing(int status);

/* "https://host:port" of a URL, for messages; without a port that goes without
 * saying. */
void kl_http_where(const char *url, char *to, size_t size);

void kl_http_free(const struct klamm_host *host, struct kl_http_answer *answer);

#endif
