/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/sasl_oauthbearer/check.h"

#include "plugins/sasl_oauthbearer/keys.h"

#define SCOPES_MAX 256

static int refuse(struct klamm_error *err, const char *what)
{
	return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "the token is refused: %s",
			  what);
}

static bool has(struct json_object *claims, const char *name)
{
	return json_object_object_get_ex(claims, name, NULL);
}

/* --- times --- */

static const char *check_times(const struct oauth *o, const struct oauth_jwt *jwt,
			       double now, bool is_signed, double *expires_out)
{
	double skew = o->conf->skew, issued = 0, begins = 0;
	if (!kl_oauth_json_time(jwt->claims, "exp", expires_out))
		return "it has no claim exp, a time";
	bool has_issued = kl_oauth_json_time(jwt->claims, "iat", &issued);
	if (!has_issued && (is_signed || has(jwt->claims, "iat")))
		return "it has no claim iat, a time";
	bool has_begin = kl_oauth_json_time(jwt->claims, "nbf", &begins);
	if (!has_begin && has(jwt->claims, "nbf"))
		return "its claim nbf is no time";
	if (now - skew >= *expires_out)
		return "it has expired";
	if (has_begin && now + skew < begins)
		return "it is not good yet";
	if (has_issued && *expires_out <= issued)
		return "it expires before it was issued";
	/* Kafka asks this of unsecured tokens only. */
	if (!is_signed && has_issued && issued > now + skew)
		return "it was issued in the future";
	return NULL;
}

/* --- texts --- */

/* One of a list, "a,b", is this text? */
static bool is_listed(const char *list, const char *text)
{
	size_t n = strlen(text);
	while (*list != '\0') {
		const char *end = strchrnul(list, ',');
		while (*list == ' ')
			list++;
		if ((size_t)(end - list) == n && memcmp(list, text, n) == 0)
			return true;
		list = *end != '\0' ? end + 1 : end;
	}
	return false;
}

static const char *check_audience(const struct oauth *o, struct json_object *claims)
{
	struct json_object *audience;
	const char *wanted = o->conf->audiences;
	if (o->conf->any_audience)
		return NULL;
	bool is_there = json_object_object_get_ex(claims, "aud", &audience);
	if (!oauth_is_set(wanted))
		return is_there
			       ? "it is for somebody: sasl.oauthbearer.expected.audience must "
				 "say whom"
			       : NULL;
	const char *one = kl_oauth_json_text(claims, "aud");
	if (one != NULL && is_listed(wanted, one))
		return NULL;
	if (is_there && json_object_is_type(audience, json_type_array))
		for (size_t i = 0; i < json_object_array_length(audience); i++) {
			struct json_object *item =
				json_object_array_get_idx(audience, i);
			if (json_object_is_type(item, json_type_string) &&
			    is_listed(wanted, json_object_get_string(item)))
				return NULL;
		}
	return "it is for another audience";
}

static const char *check_issuer(const struct oauth *o, struct json_object *claims)
{
	if (o->conf->any_issuer || !oauth_is_set(o->conf->issuer))
		return NULL;
	const char *issuer = kl_oauth_json_text(claims, "iss");
	return issuer != NULL && strcmp(issuer, o->conf->issuer) == 0
		       ? NULL
		       : "it is of another issuer";
}

static struct klamm_span trimmed(const char *text)
{
	while (*text != '\0' && (unsigned char)*text <= ' ')
		text++;
	size_t n = strlen(text);
	while (n > 0 && (unsigned char)text[n - 1] <= ' ')
		n--;
	return (struct klamm_span){text, n};
}

static const char *take_subject(const struct oauth *o, struct json_object *claims,
				struct kl_text *to)
{
	const char *text = kl_oauth_json_text(claims, o->conf->sub_claim);
	struct klamm_span subject = trimmed(text != NULL ? text : "");
	kl_text_put(to, subject.data, subject.len);
	return subject.len > 0 ? NULL : "it does not say whose it is";
}

/* --- scopes --- */

struct scopes {
	struct klamm_span v[SCOPES_MAX];
	size_t n;
};

static bool has_scope(const struct scopes *scopes, struct klamm_span wanted)
{
	for (size_t i = 0; i < scopes->n; i++)
		if (scopes->v[i].len == wanted.len &&
		    memcmp(scopes->v[i].data, wanted.data, wanted.len) == 0)
			return true;
	return false;
}

static const char *add_scope(struct scopes *scopes, struct klamm_span scope)
{
	if (scope.len == 0)
		return "its scope is blank";
	if (scopes->n == SCOPES_MAX)
		return "it has too many scopes";
	if (has_scope(scopes, scope))
		return "it has a scope twice";
	scopes->v[scopes->n++] = scope;
	return NULL;
}

/* The words of a text are scopes, too (RFC 8693 4.2), beside the text itself, as Kafka
 * has it. */
static const char *add_text(struct scopes *scopes, const char *text)
{
	struct klamm_span all = trimmed(text);
	const char *why = add_scope(scopes, all), *p = all.data, *end = p + all.len;
	while (why == NULL && p < end) {
		const char *stop = memchr(p, ' ', (size_t)(end - p)) ?: end;
		struct klamm_span word = {p, (size_t)(stop - p)};
		if (word.len > 0 && !has_scope(scopes, word))
			why = add_scope(scopes, word);
		p = stop < end ? stop + 1 : end;
	}
	return why;
}

static const char *read_scopes(const struct oauth *o, struct json_object *claims,
			       struct scopes *scopes)
{
	struct json_object *value;
	const char *text = kl_oauth_json_text(claims, o->conf->scope_claim),
		   *why = NULL;
	scopes->n = 0;
	if (text != NULL)
		return add_text(scopes, text);
	if (!json_object_object_get_ex(claims, o->conf->scope_claim, &value) ||
	    !json_object_is_type(value, json_type_array))
		return NULL;
	for (size_t i = 0; why == NULL && i < json_object_array_length(value); i++) {
		struct json_object *item = json_object_array_get_idx(value, i);
		why = json_object_is_type(item, json_type_string)
			      ? add_scope(scopes, trimmed(json_object_get_string(item)))
			      : "its scope is no text";
	}
	return why;
}

static const char *check_scope(const struct oauth *o, struct json_object *claims,
			       bool *lacks_out)
{
	struct scopes scopes;
	const char *why = read_scopes(o, claims, &scopes), *p = o->conf->scope;
	while (why == NULL && oauth_is_set(p)) {
		size_t n = strcspn(p, " ");
		if (n > 0 && !has_scope(&scopes, (struct klamm_span){p, n})) {
			*lacks_out = true;
			why = "it lacks a scope of sasl.oauthbearer.scope";
		}
		p += n;
		p += strspn(p, " ");
	}
	return why;
}

/* --- all of it --- */

static bool is_unsecured(const struct oauth_jwt *jwt)
{
	const char *alg = kl_oauth_json_text(jwt->header, "alg");
	return alg != NULL && strcmp(alg, "none") == 0;
}

static int check_signature(struct oauth *o, const struct klamm_call *call,
			   const struct oauth_jwt *jwt, struct klamm_error *err)
{
	if (!is_unsecured(jwt)) {
		if (o->keys == NULL)
			return refuse(
				err,
				"it is signed, and no sasl.oauthbearer.jwks.endpoint."
				"url says with whose key");
		return kl_oauth_keys_verify(o->keys, call, jwt, err);
	}
	if (!o->conf->unsecured)
		return refuse(err, "it is unsecured");
	return jwt->signature.len == 0
		       ? 0
		       : refuse(err, "an unsecured one has no signature");
}

int kl_oauth_check(struct oauth *o, const struct klamm_call *call,
		   struct klamm_span token, struct oauth_verdict *verdict_out,
		   struct klamm_error *err)
{
	OAUTH_JWT_AUTO jwt = {0};
	double now = (double)o->host->wall_ms(o->host) / 1000, expires = 0;
	const char *why = kl_oauth_jwt_read(token.data, token.len, &jwt);
	if (why != NULL)
		return refuse(err, why);
	int rc = check_signature(o, call, &jwt, err);
	if (rc != 0)
		return rc;
	bool is_signed = !is_unsecured(&jwt);
	why = check_times(o, &jwt, now, is_signed, &expires);
	if (why == NULL && is_signed)
		why = check_audience(o, jwt.claims);
	if (why == NULL && is_signed)
		why = check_issuer(o, jwt.claims);
	if (why == NULL)
		why = take_subject(o, jwt.claims, &verdict_out->subject);
	if (why == NULL)
		why = check_scope(o, jwt.claims, &verdict_out->lacks_scope);
	if (why != NULL)
		return refuse(err, why);
	int64_t left = (int64_t)((expires - now) * 1000);
	verdict_out->left_ms = left > 1 ? left : 1;
	return verdict_out->subject.failed
		       ? klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory")
		       : 0;
}
