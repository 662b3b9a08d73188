/* SPDX-License-Identifier: BSD-2-Clause */
/* A token server: client credentials (KIP-768), with a secret or an assertion
 * (KIP-1258), and JWT bearer (KIP-1139). One question; keep.c asks again. */
#include <openssl/evp.h>

#include "plugins/sasl_oauthbearer/json.h"
#include "plugins/sasl_oauthbearer/oauth.h"
#include "plugins/sasl_oauthbearer/reach.h"

#define SECRET "sasl.oauthbearer.client.credentials.client.secret"
/* What Kafka's client waits at most for a byte, when nothing is set: this is not
 * forever. */
#define READ_MS 10000
/* Of a token that says so in a text: a century. */
#define LIFE_MAX 3155760000LL

/* --- what is sent --- */

static bool is_plain(unsigned char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || strchr("-_.*", c) != NULL;
}

/* application/x-www-form-urlencoded, as java.net.URLEncoder does it. */
static void put_encoded(struct kl_text *to, const char *text)
{
	static const char digits[] = "0123456789ABCDEF";
	for (; *text != '\0'; text++) {
		unsigned char c = (unsigned char)*text;
		if (is_plain(c)) {
			kl_text_char(to, (char)c);
		} else if (c == ' ') {
			kl_text_char(to, '+');
		} else {
			kl_text_char(to, '%');
			kl_text_char(to, digits[c >> 4]);
			kl_text_char(to, digits[c & 15]);
		}
	}
}

/* Without sasl.oauthbearer.header.urlencode Kafka's client sends the scope as it is,
 * and people have encoded theirs: only what a form cannot hold is encoded. */
static void put_scope(struct kl_text *to, const char *scope, bool encode)
{
	if (!oauth_is_set(scope))
		return;
	kl_text_add(to, "&scope=");
	if (encode) {
		put_encoded(to, scope);
		return;
	}
	for (; *scope != '\0'; scope++) {
		char one[2] = {*scope, '\0'};
		if (*scope <= ' ' || *scope == '&' || *scope == '=' || *scope == '#')
			put_encoded(to, one);
		else
			kl_text_char(to, *scope);
	}
}

/* RFC 7617: the client's name and password. */
static int put_basic(const struct oauth *o, struct kl_text *header,
		     struct klamm_error *err)
{
	KL_TEXT_AUTO pair = {0};
	char *secret;
	int rc = o->host->secret_read(o->host, SECRET, &secret, err);
	if (rc != 0)
		return rc;
	if (o->conf->urlencode) {
		put_encoded(&pair, o->conf->client_id);
		kl_text_char(&pair, ':');
		put_encoded(&pair, secret);
	} else {
		kl_text_printf(&pair, "%s:%s", o->conf->client_id, secret);
	}
	o->host->secret_wipe(o->host, secret);
	kl_text_add(header, "Basic ");
	if (!pair.failed && kl_text_reserve(header, pair.len / 3 * 4 + 5))
		header->len +=
			(size_t)EVP_EncodeBlock((uint8_t *)header->p + header->len,
						(const uint8_t *)pair.p, (int)pair.len);
	return pair.failed || header->failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}

/* --- what comes back --- */

/* RFC 6749 5.2, and what others say instead. */
static void put_reason(struct json_object *body, char *to, size_t size)
{
	const char *error = kl_oauth_json_text(body, "error");
	const char *words = kl_oauth_json_text(body, "error_description");
	if (error == NULL) {
		error = kl_oauth_json_text(body, "errorCode");
		words = kl_oauth_json_text(body, "errorSummary");
	}
	snprintf(to, size, "%.60s%s%.160s", error != NULL ? error : "",
		 error != NULL && words != NULL ? ": " : "",
		 words != NULL ? words : "");
	for (char *p = to; *p != '\0'; p++)
		if ((unsigned char)*p < ' ')
			*p = ' ';
}

static int refuse(const struct kl_http_request *request,
		  const struct kl_http_answer *answer, struct klamm_error *err)
{
	char reason[240] = "", where[300];
	struct json_object *body = kl_oauth_json_read(answer->body, answer->len);
	if (body != NULL)
		put_reason(body, reason, sizeof(reason));
	kl_oauth_json_free(body);
	int rc = kl_http_check(request, answer, err);
	if (reason[0] == '\0' || err == NULL)
		return rc;
	int stage = err->stage;
	kl_http_where(request->url, where, sizeof(where));
	klamm_fail(err, rc, "%.120s: HTTP status %d: %s", where, answer->status,
		   reason);
	err->stage = stage;
	return rc;
}

/* A number; Azure's metadata service has it in quotes. */
static int64_t read_life(struct json_object *body)
{
	double seconds = 0;
	const char *text = kl_oauth_json_text(body, "expires_in");
	if (text == NULL)
		return kl_oauth_json_time(body, "expires_in", &seconds) ? (int64_t)seconds
									: 0;
	char *end;
	long long v = strtoll(text, &end, 10);
	return *end == '\0' && v > 0 && v <= LIFE_MAX ? v : 0;
}

static int take_token(const struct oauth *o, const char *url,
		      const struct kl_http_answer *answer, struct oauth_token *token_out,
		      struct klamm_error *err)
{
	char where[300];
	kl_http_where(url, where, sizeof(where));
	struct json_object *body = kl_oauth_json_read(answer->body, answer->len);
	if (body == NULL)
		return klamm_fail(err, KLAMM_ERR_PROTOCOL,
				  "%.200s: the answer is no JSON object", where);
	const char *token = kl_oauth_json_text(body, "access_token");
	if (!oauth_is_set(token))
		token = kl_oauth_json_text(body, "id_token");
	if (oauth_is_set(token))
		kl_text_add(&token_out->value, token);
	int64_t life = read_life(body);
	kl_oauth_json_free(body);
	if (token_out->value.len == 0)
		return klamm_fail(err, KLAMM_ERR_PROTOCOL,
				  "%.200s: the answer holds no access_token", where);
	struct klamm_error why;
	int rc = kl_oauth_inspect(o, life, token_out, &why);
	return rc == 0 ? 0 : klamm_fail(err, rc, "%.150s: %.240s", where, why.text);
}

int kl_oauth_ask(struct oauth *o, const struct kl_http_request *request,
		 struct oauth_token *token_out, struct klamm_error *err)
{
	struct kl_http_answer answer;
	int rc = kl_http(o->host, request, &answer, err);
	if (rc == 0 && answer.status >= 200 && answer.status < 300)
		rc = take_token(o, request->url, &answer, token_out, err);
	else if (rc == 0)
		rc = refuse(request, &answer, err);
	kl_http_free(o->host, &answer);
	return rc;
}

static int ask(struct oauth *o, const struct klamm_call *call,
	       const struct kl_text *basic, const struct kl_text *body,
	       struct oauth_token *token_out, struct klamm_error *err)
{
	const struct kl_http_header headers[] = {
		{"Accept", "application/json"},
		{"Cache-Control", "no-cache"},
		{"Content-Type", "application/x-www-form-urlencoded"},
		{"Authorization", kl_text_get(basic)},
	};
	if (body->failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	struct oauth_reach reach;
	int rc = kl_oauth_reach_read(o->host, o->conf, &reach, err);
	if (rc != 0)
		return rc;
	struct kl_http_request request = {
		.method = "POST",
		.url = o->conf->endpoint,
		.headers = headers,
		.header_count = basic->len > 0 ? 4 : 3,
		.body = {body->p, body->len},
		.connect_ms = o->conf->connect_ms,
		.silence_ms = o->conf->read_ms > 0 ? o->conf->read_ms : READ_MS,
		.call = call,
		.answer_max = OAUTH_FILE_MAX,
	};
	kl_oauth_reach_apply(&reach, o->conf, &request);
	rc = kl_oauth_ask(o, &request, token_out, err);
	kl_oauth_reach_free(&reach);
	return rc;
}

/* --- three kinds of question --- */

static int with_secret(struct oauth *o, const struct klamm_call *call,
		       struct oauth_token *token_out, struct klamm_error *err)
{
	KL_TEXT_AUTO basic = {0};
	KL_TEXT_AUTO body = {0};
	int rc = put_basic(o, &basic, err);
	kl_text_add(&body, "grant_type=client_credentials");
	put_scope(&body, o->conf->scope, o->conf->urlencode);
	return rc == 0 ? ask(o, call, &basic, &body, token_out, err) : rc;
}

static int with_assertion(struct oauth *o, const struct klamm_call *call,
			  struct oauth_token *token_out, struct klamm_error *err)
{
	KL_TEXT_AUTO assertion = {0};
	KL_TEXT_AUTO body = {0};
	int rc = kl_oauth_make_assertion(o, &assertion, err);
	kl_text_add(&body,
		    "grant_type=client_credentials&client_assertion_type="
		    "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer"
		    "&client_assertion=");
	put_encoded(&body, kl_text_get(&assertion));
	if (oauth_is_set(o->conf->client_id)) {
		kl_text_add(&body, "&client_id=");
		put_encoded(&body, o->conf->client_id);
	}
	put_scope(&body, o->conf->scope, true);
	return rc == 0 ? ask(o, call, &(struct kl_text){0}, &body, token_out, err) : rc;
}

/* The assertion says for whom; who asks is said as well where that is configured, as some
 * servers want (RFC 7523 2.1; Kafka's client cannot). */
static int as_bearer(struct oauth *o, const struct klamm_call *call,
		     struct oauth_token *token_out, struct klamm_error *err)
{
	KL_TEXT_AUTO assertion = {0};
	KL_TEXT_AUTO basic = {0};
	KL_TEXT_AUTO body = {0};
	int rc = kl_oauth_make_assertion(o, &assertion, err);
	if (rc == 0 && oauth_is_set(o->conf->client_id))
		rc = put_basic(o, &basic, err);
	kl_text_add(&body, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
			   "&assertion=");
	put_encoded(&body, kl_text_get(&assertion));
	put_scope(&body, o->conf->scope, true);
	return rc == 0 ? ask(o, call, &basic, &body, token_out, err) : rc;
}

const struct oauth_source kl_oauth_from_secret = {"the token server", with_secret};
const struct oauth_source kl_oauth_from_assertion = {"the token server",
						     with_assertion};
const struct oauth_source kl_oauth_from_bearer = {"the token server", as_bearer};
