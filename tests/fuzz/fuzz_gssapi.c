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

/* A short name begins the long one, and has none of its marks. */
static void name(const uint8_t *p, size_t n)
{
	static const char realm[] = "R.ORG";
	size_t len = 0;
	if (!kl_gss_short_name((const char *)p, n, realm, &len))
		return;
	fuzz_must(len > 0 && len < n);
	fuzz_must(p[len] == '@' || p[len] == '/');
	fuzz_must(n > sizeof(realm) && p[n - sizeof(realm)] == '@' &&
		  memcmp(p + n - sizeof(realm) + 1, realm, sizeof(realm) - 1) == 0);
	for (size_t i = 0; i < len; i++)
		fuzz_must(p[i] != '\0' && strchr("@/\\", p[i]) == NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	switch (fuzz_take(&data, &size) % 3) {
	case 0:
		offer(data, size);
		break;
	case 1:
		answer(data, size);
		break;
	default:
		name(data, size);
	}
	return 0;
}
