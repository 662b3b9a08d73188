/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/jaas.h"

#include <ctype.h>
#include <stdlib.h>
#include <strings.h>

#include "core/conf/object.h"

/* --- words, as java.io.StreamTokenizer cuts them for Kafka's JaasConfig --- */

enum token {
	END,
	WORD,   /* quoted or not: in value */
	SYMBOL, /* one character */
	NUMBER, /* which no value may be, unless it is quoted */
};

struct lexer {
	const char *start, *p;
	enum token token;
	char symbol;
	struct kl_buf value;
};

static void free_lexer(struct lexer *lexer)
{
	kl_wipe_buf(&lexer->value);
}

static bool is_number_char(char c)
{
	return isdigit((unsigned char)c) || c == '.' || c == '-';
}

static bool is_word_char(char c)
{
	return isalnum((unsigned char)c) || strchr("-._$", c) != NULL ||
	       (unsigned char)c >= 0x80;
}

/* White space, and comments of all three kinds that the tokenizer knows. */
static void skip(struct lexer *lexer)
{
	const char *p = lexer->p;
	for (;;) {
		while (*p != '\0' && (unsigned char)*p <= ' ')
			p++;
		if (*p != '/')
			break;
		if (p[1] == '*') {
			const char *end = strstr(p + 2, "*/");
			p = end != NULL ? end + 2 : p + strlen(p);
		} else {
			p += strcspn(p, "\r\n");
		}
	}
	lexer->p = p;
}

/* Up to three octal digits, the first of three at most 3. */
static const char *octal(const char *p, char *c_out)
{
	unsigned v = 0, most = *p <= '3' ? 3 : 2;
	for (unsigned i = 0; i < most && *p >= '0' && *p <= '7'; i++, p++)
		v = v * 8 + (unsigned)(*p - '0');
	*c_out = (char)v;
	return p;
}

/* p stands behind the backslash. */
static const char *escape(const char *p, char *c_out)
{
	static const char letters[] = "abfnrtv", values[] = "\a\b\f\n\r\t\v";
	const char *known = strchr(letters, *p);
	if (*p >= '0' && *p <= '7')
		return octal(p, c_out);
	*c_out = known != NULL ? values[known - letters] : *p;
	return p + 1;
}

/* A quote that is not closed ends with its line. */
static void read_quoted(struct lexer *lexer, char quote)
{
	const char *p = lexer->p + 1;
	while (*p != '\0' && *p != quote && *p != '\n' && *p != '\r') {
		char c = *p++;
		if (c == '\\' && *p != '\0')
			p = escape(p, &c);
		kl_buf_put(&lexer->value, &c, 1);
	}
	lexer->p = p + (*p == quote);
}

static enum token read_token(struct lexer *lexer)
{
	skip(lexer);
	kl_buf_clear(&lexer->value);
	char c = *lexer->p;
	if (c == '\0')
		return END;
	if (c == '"' || c == '\'') {
		read_quoted(lexer, c);
		return WORD;
	}
	if (is_number_char(c)) {
		while (is_number_char(*lexer->p))
			lexer->p++;
		return NUMBER;
	}
	if (!is_word_char(c)) {
		lexer->symbol = c;
		lexer->p++;
		return SYMBOL;
	}
	for (; *lexer->p != '\0' && is_word_char(*lexer->p); lexer->p++)
		kl_buf_put(&lexer->value, lexer->p, 1);
	return WORD;
}

static bool is_symbol(const struct lexer *lexer, char c)
{
	return lexer->token == SYMBOL && lexer->symbol == c;
}

static void next(struct lexer *lexer)
{
	lexer->token = read_token(lexer);
}

/* --- the entry --- */

static bool complain(const struct lexer *lexer, struct kl_buf *why, const char *what)
{
	kl_buf_clear(why);
	kl_buf_printf(why, "%s, before character %zu", what,
		      (size_t)(lexer->p - lexer->start) + 1);
	return false;
}

static bool no_memory(struct kl_buf *why)
{
	why->failed = true;
	return false;
}

static char *take(struct lexer *lexer)
{
	const char *text = kl_buf_text(&lexer->value);
	return lexer->value.failed ? NULL : kl_secret_text(text);
}

static bool is_flag(const char *word)
{
	static const char *const flags[] = {"required", "requisite", "sufficient",
					    "optional"};
	for (size_t i = 0; i < kl_countof(flags); i++)
		if (strcasecmp(flags[i], word) == 0)
			return true;
	return false;
}

static bool parse_option(struct lexer *lexer, struct kl_jaas *jaas, struct kl_buf *why)
{
	if (lexer->token != WORD)
		return complain(lexer, why,
				"must have the name of an option, or a semicolon");
	if (jaas->count == KL_JAAS_OPTIONS)
		return complain(lexer, why, "has too many options");
	struct kl_jaas_option *option = &jaas->options[jaas->count++];
	option->name = take(lexer);
	next(lexer);
	if (!is_symbol(lexer, '='))
		return complain(lexer, why,
				"must have = behind the name of an option (is the "
				"value before it in quotes, the semicolon there?)");
	next(lexer);
	if (lexer->token != WORD)
		return complain(lexer, why,
				"must have the value of an option; anything but a "
				"word goes in quotes");
	option->value = take(lexer);
	return option->name != NULL && option->value != NULL ? true : no_memory(why);
}

static bool parse(struct lexer *lexer, struct kl_jaas *jaas, struct kl_buf *why)
{
	next(lexer);
	if (lexer->token != WORD)
		return complain(lexer, why,
				"must begin with the class of a login module");
	jaas->module = take(lexer);
	if (jaas->module == NULL)
		return no_memory(why);
	next(lexer);
	if (lexer->token != WORD || !is_flag(kl_buf_text(&lexer->value)))
		return complain(lexer, why,
				"must have required, requisite, sufficient or "
				"optional behind the login module");
	for (next(lexer); !is_symbol(lexer, ';'); next(lexer)) {
		if (lexer->token == END)
			return complain(lexer, why, "must end with a semicolon");
		if (!parse_option(lexer, jaas, why))
			return false;
	}
	next(lexer);
	if (lexer->token != END)
		return complain(lexer, why, "must hold one login module");
	return true;
}

bool kl_jaas_parse(const char *text, struct kl_jaas *jaas_out, struct kl_buf *why)
{
	KL_AUTO(free_lexer) struct lexer lexer = {
		.start = text, .p = text, .value = {.is_secret = true}};
	*jaas_out = (struct kl_jaas){0};
	/* At once, so that growing leaves no copies: no word is longer than the text.
	 */
	if (kl_buf_reserve(&lexer.value, strlen(text) + 1) == NULL)
		return no_memory(why);
	return parse(&lexer, jaas_out, why);
}

void kl_jaas_free(struct kl_jaas *jaas)
{
	kl_wipe_text(jaas->module);
	for (size_t i = 0; i < jaas->count; i++) {
		kl_wipe_text(jaas->options[i].name);
		kl_wipe_text(jaas->options[i].value);
	}
	*jaas = (struct kl_jaas){0};
}

/* --- what modules mean --- */

/* Options that stand for nothing here are passed over, as Java's modules do; one with a
 * switch counts when that is "true". One that ends with a star is all that begin so. */
static const struct {
	const char *module, *option, *key, *where;
} meanings[] = {
	{"PlainLoginModule", "username", "sasl.username"},
	{"PlainLoginModule", "password", "sasl.password"},
	{"ScramLoginModule", "username", "sasl.username"},
	{"ScramLoginModule", "password", "sasl.password"},
	{"ScramLoginModule", "tokenauth", "sasl.scram.tokenauth"},
	{"IAMLoginModule", "awsProfileName", "sasl.aws_msk_iam.profile"},
	{"IAMLoginModule", "awsRoleArn", "sasl.aws_msk_iam.role.arn"},
	{"IAMLoginModule", "awsRoleSessionName", "sasl.aws_msk_iam.role.session.name"},
	{"IAMLoginModule", "awsRoleExternalId", "sasl.aws_msk_iam.role.external.id"},
	{"IAMLoginModule", "awsRoleAccessKeyId", "sasl.aws_msk_iam.access.key.id"},
	{"IAMLoginModule", "awsRoleSecretAccessKey", "sasl.aws_msk_iam.secret.access.key"},
	{"IAMLoginModule", "awsRoleSessionToken", "sasl.aws_msk_iam.session.token"},
	{"IAMLoginModule", "awsStsRegion", "sasl.aws_msk_iam.sts.region"},
	{"IAMLoginModule", "awsShouldUseFips", "sasl.aws_msk_iam.sts.fips"},
	{"IAMLoginModule", "awsAddDefaultProviders", "sasl.aws_msk_iam.default.providers"},
	{"Krb5LoginModule", "principal", "sasl.kerberos.principal"},
	{"Krb5LoginModule", "serviceName", "sasl.kerberos.service.name"},
	{"Krb5LoginModule", "keyTab", "sasl.kerberos.keytab", "useKeyTab"},
	{"Krb5LoginModule", "ticketCache", "sasl.kerberos.ccache", "useTicketCache"},
	{"OAuthBearerLoginModule", "clientId",
	 "sasl.oauthbearer.client.credentials.client.id"},
	{"OAuthBearerLoginModule", "clientSecret",
	 "sasl.oauthbearer.client.credentials.client.secret"},
	{"OAuthBearerLoginModule", "awsProfileName", "sasl.aws_msk_iam.profile"},
	{"OAuthBearerLoginModule", "awsRoleArn", "sasl.aws_msk_iam.role.arn"},
	{"OAuthBearerLoginModule", "awsRoleSessionName",
	 "sasl.aws_msk_iam.role.session.name"},
	{"OAuthBearerLoginModule", "awsRoleExternalId",
	 "sasl.aws_msk_iam.role.external.id"},
	{"OAuthBearerLoginModule", "awsRoleAccessKeyId",
	 "sasl.aws_msk_iam.access.key.id"},
	{"OAuthBearerLoginModule", "awsRoleSecretAccessKey",
	 "sasl.aws_msk_iam.secret.access.key"},
	{"OAuthBearerLoginModule", "awsRoleSessionToken",
	 "sasl.aws_msk_iam.session.token"},
	{"OAuthBearerLoginModule", "awsStsRegion", "sasl.aws_msk_iam.sts.region"},
	{"OAuthBearerLoginModule", "awsShouldUseFips", "sasl.aws_msk_iam.sts.fips"},
	{"OAuthBearerLoginModule", "awsAddDefaultProviders",
	 "sasl.aws_msk_iam.default.providers"},
	{"OAuthBearerLoginModule", "scope", "sasl.oauthbearer.scope"},
	{"OAuthBearerLoginModule", "ssl.truststore.location", "https.ca.location"},
	{"OAuthBearerLoginModule", "ssl.truststore.certificates", "https.ca.pem"},
	{"OAuthBearerLoginModule", "ssl.truststore.password", "https.ca.password"},
	{"OAuthBearerLoginModule", "ssl.keystore.location", "https.keystore.location"},
	{"OAuthBearerLoginModule", "ssl.keystore.certificate.chain",
	 "https.keystore.certificate.chain"},
	{"OAuthBearerLoginModule", "ssl.keystore.key", "https.keystore.key"},
	{"OAuthBearerLoginModule", "ssl.keystore.password", "https.keystore.password"},
	{"OAuthBearerLoginModule", "ssl.key.password", "https.key.password"},
	{"OAuthBearerLoginModule", "extension_*", "sasl.oauthbearer.config"},
	{"OAuthBearerLoginModule", "unsecuredLogin*", "sasl.oauthbearer.config"},
};

/* Without its package: those of vendors and shaded jars are the same. */
static const char *class_of(const struct kl_jaas *jaas)
{
	const char *dot = strrchr(jaas->module, '.');
	return dot != NULL ? dot + 1 : jaas->module;
}

static const char *find_option(const struct kl_jaas *jaas, const char *name)
{
	const char *value = NULL;
	for (size_t i = 0; i < jaas->count; i++) /* the last one counts */
		if (strcmp(jaas->options[i].name, name) == 0)
			value = jaas->options[i].value;
	return value;
}

static bool is_switched_on(const struct kl_jaas *jaas, const char *name)
{
	const char *value = name != NULL ? find_option(jaas, name) : "true";
	return value != NULL && strcasecmp(value, "true") == 0;
}

/* Room for n more at once, as growing leaves copies behind. */
static void put_text(struct kl_buf *out, const char *text)
{
	kl_buf_reserve(out, strlen(text) + 1);
	kl_buf_put(out, text, strlen(text));
}

static void put_escaped(struct kl_buf *out, const char *text)
{
	for (; *text != '\0'; text++) {
		if (strchr(" \t\r\n\\", *text) != NULL)
			kl_buf_put(out, "\\", 1);
		kl_buf_put(out, text, 1);
	}
}

static bool put_all(const struct kl_jaas *jaas, const char *start, size_t n,
		    struct kl_buf *out)
{
	bool any = false;
	size_t need = 1;
	for (size_t i = 0; i < jaas->count; i++)
		need += 2 * (strlen(jaas->options[i].name) +
			     strlen(jaas->options[i].value)) + 2;
	kl_buf_reserve(out, need);
	for (size_t i = 0; i < jaas->count; i++) {
		const struct kl_jaas_option *option = &jaas->options[i];
		if (strncmp(option->name, start, n) != 0)
			continue;
		if (out->len > 0)
			kl_buf_put(out, " ", 1);
		put_escaped(out, option->name);
		kl_buf_put(out, "=", 1);
		put_escaped(out, option->value);
		any = true;
	}
	return any;
}

bool kl_jaas_value(const struct kl_jaas *jaas, const char *key, struct kl_buf *out)
{
	bool any = false;
	for (size_t i = 0; i < kl_countof(meanings); i++) {
		const char *option = meanings[i].option;
		size_t n = strlen(option);
		if (strcmp(meanings[i].module, class_of(jaas)) != 0 ||
		    strcmp(meanings[i].key, key) != 0 ||
		    !is_switched_on(jaas, meanings[i].where))
			continue;
		if (option[n - 1] == '*') {
			any |= put_all(jaas, option, n - 1, out);
			continue;
		}
		const char *value = find_option(jaas, option);
		if (value != NULL)
			put_text(out, value);
		any |= value != NULL;
	}
	return any;
}

static bool is_known(const struct kl_jaas *jaas, struct kl_buf *why)
{
	const char *class = class_of(jaas);
	for (size_t i = 0; i < kl_countof(meanings); i++)
		if (strcmp(meanings[i].module, class) == 0)
			return true;
	static const char suffix[] = "LoginModule";
	size_t len = strlen(class), n = sizeof(suffix) - 1;
	/* Any other word may be a secret in the wrong place. */
	if (len > n && len < 100 && strcmp(class + len - n, suffix) == 0)
		kl_buf_printf(why,
			      "the login module %s is not supported by this version of "
			      "klamm",
			      class);
	else
		kl_buf_printf(why, "must begin with the class of a login module");
	return false;
}

bool kl_check_jaas(const char *text, struct kl_buf *why)
{
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas = {0};
	return *text == '\0' || (kl_jaas_parse(text, &jaas, why) && is_known(&jaas, why));
}

static void forget(struct klamm_conf *conf)
{
	for (size_t i = 0; conf->derived != NULL && i < kl_conf_row_count(); i++)
		kl_wipe_text(conf->derived[i]);
	free(conf->derived);
	conf->derived = NULL;
}

int kl_jaas_derive(struct klamm_conf *conf)
{
	KL_AUTO(kl_jaas_free) struct kl_jaas jaas = {0};
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	size_t index;
	forget(conf);
	kl_conf_find(KL_JAAS_KEY, &index);
	const char *text = conf->values[index].text;
	if (text == NULL || *text == '\0')
		return 0;
	conf->derived = calloc(kl_conf_row_count(), sizeof(*conf->derived));
	if (conf->derived == NULL || !kl_jaas_parse(text, &jaas, &why))
		return KLAMM_ERR_NO_MEMORY; /* it was checked when it was set */
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		KL_AUTO(kl_wipe_buf) struct kl_buf value = {.is_secret = true};
		if (!kl_jaas_value(&jaas, kl_conf_row(i)->option.name, &value))
			continue;
		conf->derived[i] = value.failed ? NULL : kl_secret_text(kl_buf_text(&value));
		if (conf->derived[i] == NULL)
			return KLAMM_ERR_NO_MEMORY;
	}
	return 0;
}
