/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens that the application gives, on their way to the plugin that shows them. */
#include "core/base/error.h"
#include "core/conf/object.h"
#include "core/conf/role_plugin.h"

/* Lives for one call of the application's function. */
struct klamm_token {
	struct klamm_out *value, *extensions;
	int64_t expires_ms;
	bool is_set;
};

void klamm_conf_token(struct klamm_conf *conf, klamm_token_fn fn, void *arg)
{
	conf->token = fn;
	conf->token_arg = arg;
}

/* At once: growing would leave copies. */
static int put(struct klamm_out *out, const char *p, size_t n)
{
	if (klamm_out_reserve(out, n) == NULL)
		return n > out->limit - out->len ? KLAMM_ERR_INVALID_ARGUMENT
						 : KLAMM_ERR_NO_MEMORY;
	return klamm_out_append(out, p, n);
}

int klamm_token_set(struct klamm_token *token, const char *value, int64_t expires_ms)
{
	if (value == NULL || *value == '\0' || token->is_set)
		return KLAMM_ERR_INVALID_ARGUMENT;
	int rc = put(token->value, value, strlen(value));
	token->is_set = rc == 0;
	token->expires_ms = kl_max(expires_ms, (int64_t)-1);
	return rc;
}

static bool is_name(const char *name)
{
	size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
	return n > 0 && name[n] == '\0' && strcmp(name, "auth") != 0;
}

static bool is_value(const char *value)
{
	const char *p = value;
	while ((*p >= ' ' && *p <= '~') || (*p != '\0' && strchr("\t\r\n", *p) != NULL))
		p++;
	return p > value && *p == '\0';
}

int klamm_token_extension(struct klamm_token *token, const char *name,
			  const char *value)
{
	if (name == NULL || value == NULL || !is_name(name) || !is_value(value))
		return KLAMM_ERR_INVALID_ARGUMENT;
	int rc = put(token->extensions, name, strlen(name));
	if (rc == 0)
		rc = put(token->extensions, "=", 1);
	if (rc == 0)
		rc = put(token->extensions, value, strlen(value));
	return rc == 0 ? put(token->extensions, "\x01", 1) : rc;
}

static int ask(void *arg, struct klamm_out *value, struct klamm_out *extensions,
	       int64_t *expires_ms_out, struct klamm_error *err)
{
	const struct klamm_conf *conf = arg;
	struct klamm_token token = {.value = value, .extensions = extensions};
	struct klamm_error why = {0};
	int rc = conf->token(conf->token_arg, &token, &why);
	*expires_ms_out = token.expires_ms;
	if (rc == 0 && token.is_set)
		return 0;
	if (rc == 0)
		return kl_error(err, KLAMM_ERR_AUTHENTICATION,
				"the application's function gave no token");
	why.text[sizeof(why.text) - 1] = '\0';
	return kl_error(err, rc, "%s",
			why.text[0] != '\0' ? why.text
					    : "the application says no more");
}

void kl_conf_host_token(struct klamm_conf *conf, struct kl_host *host)
{
	host->token = conf->token != NULL ? ask : NULL;
	host->token_arg = conf;
}
