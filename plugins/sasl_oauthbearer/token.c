/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens: what they say of themselves, the application's own, and unsecured ones for
 * tests. */
#include <locale.h>
#include <math.h>
#include <stdlib.h>

#include "plugins/sasl_oauthbearer/jwt.h"
#include "plugins/sasl_oauthbearer/oauth.h"

void kl_oauth_token_free(struct oauth_token *token)
{
	kl_text_free(&token->value);
	kl_text_free(&token->extensions);
	kl_text_free(&token->subject);
	*token = (struct oauth_token){.value = token->value}; /* where it was kept */
}

static int64_t to_ms(double seconds)
{
	return (int64_t)(seconds * 1000);
}

/* What a JWT says; nobody's signature is checked here, the broker does that. */
static void look_inside(const struct oauth *o, struct oauth_token *token)
{
	OAUTH_JWT_AUTO jwt = {0};
	double seconds;
	if (kl_oauth_jwt_read(kl_text_get(&token->value), token->value.len, &jwt) !=
	    NULL)
		return;
	const char *subject = kl_oauth_json_text(jwt.claims, o->conf->sub_claim);
	if (subject != NULL)
		kl_text_add(&token->subject, subject);
	if (token->expires_ms == 0 && kl_oauth_json_time(jwt.claims, "exp", &seconds))
		token->expires_ms = to_ms(seconds);
	if (token->start_ms == 0 && kl_oauth_json_time(jwt.claims, "iat", &seconds))
		token->start_ms = to_ms(seconds);
}

int kl_oauth_inspect(const struct oauth *o, int64_t expires_in,
		     struct oauth_token *token, struct klamm_error *err)
{
	if (token->value.len > OAUTH_TOKEN_MAX)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION,
				  "a token of %zu bytes is more than any broker takes",
				  token->value.len);
	if (!kl_oauth_is_token(kl_text_get(&token->value), token->value.len))
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"what was got is no token: it has characters that none has");
	int64_t now = o->host->wall_ms(o->host);
	look_inside(o, token);
	if (token->expires_ms == 0 && expires_in > 0)
		token->expires_ms = now + expires_in * 1000;
	if (token->start_ms == 0 || token->start_ms > now)
		token->start_ms = now;
	if (token->value.failed || token->subject.failed)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY,
				  "out of memory for a token");
	if (token->expires_ms == 0)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION,
			"the token does not say when it ends: it has no claim exp, and "
			"no expires_in came with it");
	if (token->expires_ms > 0 && token->expires_ms <= now)
		return klamm_fail(
			err, KLAMM_ERR_AUTHENTICATION, "the token expired %lld s ago%s",
			(long long)((now - token->expires_ms) / 1000),
			now - token->expires_ms < 60000
				? "; compare the clocks of this host and its issuer"
				: "");
	return 0;
}

/* --- the application's --- */

static int fetch_from_application(struct oauth *o, const struct klamm_call *call,
				  struct oauth_token *token_out,
				  struct klamm_error *err)
{
	const struct klamm_host *host = o->host;
	struct klamm_out *value = NULL, *extensions = NULL;
	int64_t expires_ms = 0;
	int rc = host->out_new(host, OAUTH_TOKEN_MAX, &value);
	if (rc == 0)
		rc = host->out_new(host, OAUTH_TOKEN_MAX, &extensions);
	if (rc != 0)
		klamm_fail(err, rc, "out of memory");
	else
		rc = host->token(host, value, extensions, &expires_ms, err);
	if (rc == 0) {
		kl_text_put(&token_out->value, value->data, value->len);
		kl_text_put(&token_out->extensions, extensions->data, extensions->len);
		token_out->expires_ms = expires_ms;
	}
	if (value != NULL && value->data != NULL)
		host->wipe(host, value->data, value->cap);
	host->out_free(host, value);
	host->out_free(host, extensions);
	return rc == 0 ? kl_oauth_inspect(o, 0, token_out, err) : rc;
}

const struct oauth_source kl_oauth_from_application = {"the application",
						       fetch_from_application};

/* --- unsecured: a JWT that nobody has signed --- */

struct claims {
	struct json_object *object;
	int code;
	struct klamm_error *err;
};

static void add_claim(struct claims *claims, const char *name,
		      struct json_object *value)
{
	if (claims->code == 0 && (strcmp(name, "iat") == 0 || strcmp(name, "exp") == 0))
		claims->code =
			klamm_fail(claims->err, KLAMM_ERR_CONFIG,
				   "an unsecured token's claim %s cannot be set", name);
	if (claims->code == 0 &&
	    (value == NULL || json_object_object_add(claims->object, name, value) != 0))
		claims->code =
			klamm_fail(claims->err, KLAMM_ERR_NO_MEMORY, "out of memory");
	else if (claims->code == 0)
		return;
	json_object_put(value);
}

/* The first character says what separates the others, as Java has it. */
static struct json_object *make_list(const char *text, char separator)
{
	struct json_object *list = json_object_new_array();
	if (separator == '\0' && *text != '\0')
		separator = *text++;
	while (list != NULL && *text != '\0') {
		const char *end = strchrnul(text, separator);
		struct json_object *item =
			json_object_new_string_len(text, (int)(end - text));
		if (item == NULL || json_object_array_add(list, item) != 0) {
			json_object_put(item);
			json_object_put(list);
			return NULL;
		}
		text = *end != '\0' ? end + 1 : end;
	}
	return list;
}

/* With a decimal point, whatever the application's locale has. */
static void add_number(struct claims *claims, const char *name, const char *text)
{
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (c == (locale_t)0) {
		add_claim(claims, name, NULL);
		return;
	}
	char *end = NULL;
	double v = strtod_l(text, &end, c);
	freelocale(c);
	if (*text != '\0' && *end == '\0' && isfinite(v))
		add_claim(claims, name, json_object_new_double(v));
	else if (claims->code == 0)
		claims->code = klamm_fail(claims->err, KLAMM_ERR_CONFIG,
					  "the claim %.60s must be a number", name);
}

static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);
	return strncmp(text, prefix, n) == 0 && text[n] != '\0' ? text + n : NULL;
}

static void add_option(struct claims *claims, const struct oauth *o,
		       const struct oauth_pair *pair)
{
	const char *name;
	if ((name = after(pair->name, "unsecuredLoginStringClaim_")) != NULL)
		add_claim(claims, name, json_object_new_string(pair->value));
	else if ((name = after(pair->name, "unsecuredLoginNumberClaim_")) != NULL)
		add_number(claims, name, pair->value);
	else if ((name = after(pair->name, "unsecuredLoginListClaim_")) != NULL)
		add_claim(claims, name, make_list(pair->value, '\0'));
	else if (strcmp(pair->name, "principal") ==
		 0) /* librdkafka's, this and the next */
		add_claim(claims, kl_oauth_option(o, "principalClaimName") ?: "sub",
			  json_object_new_string(pair->value));
	else if (strcmp(pair->name, "scope") == 0)
		add_claim(claims, kl_oauth_option(o, "scopeClaimName") ?: "scope",
			  make_list(pair->value, ','));
}

static int64_t lifetime(const struct oauth *o, struct claims *claims)
{
	const char *text = kl_oauth_option(o, "unsecuredLoginLifetimeSeconds");
	if (text == NULL)
		text = kl_oauth_option(o, "lifeSeconds") ?: "3600";
	char *end;
	long long v = strtoll(text, &end, 10);
	if ((*text == '\0' || *end != '\0' || v < 1 || v > 1000000000) &&
	    claims->code == 0)
		claims->code = klamm_fail(
			claims->err, KLAMM_ERR_CONFIG,
			"an unsecured token's lifetime must be 1..1000000000 "
			"seconds");
	return v;
}

static void put_json(struct kl_text *to, struct json_object *object)
{
	const char *text =
		json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN);
	kl_oauth_put_base64url(to, text, strlen(text));
}

static int fetch_unsecured(struct oauth *o, const struct klamm_call *call,
			   struct oauth_token *token_out, struct klamm_error *err)
{
	static const char head[] = "{\"alg\":\"none\"}";
	struct claims claims = {.object = json_object_new_object(), .err = err};
	int64_t now = o->host->wall_ms(o->host) / 1000;
	int64_t life = lifetime(o, &claims);
	for (size_t i = 0; i < o->option_count; i++)
		add_option(&claims, o, &o->options[i]);
	const char *who = kl_oauth_option(o, "unsecuredLoginPrincipalClaimName");
	if (who == NULL)
		who = kl_oauth_option(o, "principalClaimName") ?: "sub";
	if (claims.code == 0 && !oauth_is_set(kl_oauth_json_text(claims.object, who)))
		claims.code = klamm_fail(
			err, KLAMM_ERR_CONFIG,
			"an unsecured token needs a principal: "
			"unsecuredLoginStringClaim_%.60s in sasl.jaas.config, or "
			"principal=NAME in sasl.oauthbearer.config",
			who);
	if (claims.code == 0 &&
	    (json_object_object_add(claims.object, "iat", json_object_new_int64(now)) !=
		     0 ||
	     json_object_object_add(claims.object, "exp",
				    json_object_new_int64(now + life)) != 0))
		claims.code = klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (claims.code == 0) {
		kl_oauth_put_base64url(&token_out->value, head, sizeof(head) - 1);
		kl_text_char(&token_out->value, '.');
		put_json(&token_out->value, claims.object);
		kl_text_char(&token_out->value, '.');
	}
	json_object_put(claims.object);
	return claims.code == 0 ? kl_oauth_inspect(o, 0, token_out, err) : claims.code;
}

const struct oauth_source kl_oauth_from_unsecured = {"the configuration",
						     fetch_unsecured};
