/* SPDX-License-Identifier: BSD-2-Clause */
/* What the files of http.h share. */
#ifndef PLUGINS_HTTP_INT_H
#define PLUGINS_HTTP_INT_H

#include <curl/curl.h>

#include "plugins/common/http.h"

#define KL_HTTP_WHERE 300

/* Initialises libcurl. false: it cannot be. */
bool kl_http_ready(void);

/* One exchange. */
struct kl_http_talk {
	const struct klamm_host *host;
	const struct kl_http_request *request;
	struct kl_http_answer *answer;
	CURL *easy;
	char where[KL_HTTP_WHERE];  /* "https://host:port" */
	char said[CURL_ERROR_SIZE]; /* libcurl's own words */
	int64_t begun_us, heard_us; /* heard_us: the last byte; 0 = not connected yet */
	int64_t end_us, connect_end_us;
	bool in_tls; /* TCP is through */
	int why;     /* an error of ours that made libcurl stop, or 0 */
};

/* What a code of libcurl means for this exchange. */
int kl_http_explain(struct kl_http_talk *talk, CURLcode code, struct klamm_error *err);
/* At which stage it is, and how long it has taken so far. TIMED_OUT. */
int kl_http_timed_out(struct kl_http_talk *talk, const char *limit,
		      struct klamm_error *err);
int kl_http_fail(const struct kl_http_talk *talk, struct klamm_error *err, int code,
		 int stage, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

#endif
