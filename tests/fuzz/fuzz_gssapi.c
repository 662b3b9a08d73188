/* SPDX-License-Identifier: BSD-2-Clause */
/* What a peer wraps into GSSAPI's last two messages, and the names that it may have. */
#include <string.h>

#include "plugins/sasl_gssapi/layer.h"
#include "plugins/sasl_gssapi/short_name.h"
#include "tests/fuzz/fuzz.h"

static void offer(const uint8_t *p, size_t n)
{
	struct kl_gss_layer layer;
	const char *why = kl_gss_layer_read_offer(p, n, &layer);
	fuzz_must(why != NULL || (n == 4 && (p[0] & KL_GSS_LAYER_NONE) != 0));
	fuzz_must(why == NULL || why[0] != '\0');
	if (why == NULL)
		fuzz_must(layer.layers == p[0] && layer.size_max <= 0xffffff);
	uint8_t ours[KL_GSS_LAYER_SIZE];
	kl_gss_layer_write(ours); /* both sides take it */
	fuzz_must(kl_gss_layer_read_offer(ours, sizeof(ours), &layer) == NULL);
	fuzz_must(kl_gss_layer_read_answer(ours, sizeof(ours), &layer) == NULL);
}

static void answer(const uint8_t *p, size_t n)
{
	struct kl_gss_layer layer;
	const char *why = kl_gss_layer_read_answer(p, n, &layer);
	if (why == NULL) {
		fuzz_must(layer.layers == KL_GSS_LAYER_NONE);
		fuzz_must(layer.authzid_len + KL_GSS_LAYER_SIZE == n);
		fuzz_must(layer.authzid_len <= KL_GSS_AUTHZID_MAX);
		fuzz_must(memchr(layer.authzid, '\0', layer.authzid_len) == NULL);
	}
}

static const char *const rules_of[] = {
	"DEFAULT",
	"RULE:[1:$1@$0](.*@R.ORG)s/@.*//L,RULE:[2:$1.$2]s/([a-z]+)([0-9])?/$2\\$$1/g/U",
	"RULE:[1:$1],RULE:[2:$2]s/.*//",
	"RULE:[1:$1](a*a*a*a*a*c),RULE:[2:$1]s/a/bbbbbbbbbbbbbbbbbbbb/g",
};

/* A user has a name, which is a simple one; by the rule DEFAULT it is the beginning. */
static void name(const uint8_t *p, size_t n)
{
	static const char realm[] = "R.ORG";
	uint8_t which = fuzz_take(&p, &n) % 4;
	bool plain = which == 0;
	KL_TEXT_AUTO user = {0};
	struct kl_gss_rules *rules;
	fuzz_must(kl_gss_rules_new(rules_of[which], &rules, NULL) == 0);
	const char *why =
		kl_gss_rules_apply(rules, (const char *)p, n, realm, &user);
	kl_gss_rules_free(rules);
	if (why != NULL)
		return;
	const char *text = kl_text_get(&user);
	fuzz_must(user.len > 0 && strlen(text) == user.len);
	fuzz_must(strpbrk(text, "@/") == NULL);
	if (!plain)
		return;
	fuzz_must(user.len < n && memcmp(text, p, user.len) == 0);
	fuzz_must(p[user.len] == '@' || p[user.len] == '/');
	fuzz_must(n > sizeof(realm) && p[n - sizeof(realm)] == '@' &&
		  memcmp(p + n - sizeof(realm) + 1, realm, sizeof(realm) - 1) == 0);
}

/* Rules themselves: they are read, or the error says why. */
static void rules(const uint8_t *p, size_t n)
{
	struct kl_gss_rules *rules;
	struct klamm_error err = {0};
	char *text = strndup((const char *)p, n);
	if (text == NULL)
		return;
	if (kl_gss_rules_new(text, &rules, &err) == 0)
		kl_gss_rules_free(rules);
	else
		fuzz_must(err.code != 0 && err.text[0] != '\0');
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	switch (fuzz_take(&data, &size) % 4) {
	case 0:
		offer(data, size);
		break;
	case 1:
		answer(data, size);
		break;
	case 2:
		name(data, size);
		break;
	default:
		rules(data, size);
	}
	return 0;
}
