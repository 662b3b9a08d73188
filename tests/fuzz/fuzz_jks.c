/* SPDX-License-Identifier: BSD-2-Clause */
/* Trust stores of Java's own kind, and PEM in one line.
 * Input: a byte of which bit 0 has the rest be a PEM text, bit 1 has the password be known,
 * and bit 2 has it be of letters of all lengths instead of "secret"; then the rest. */
#include "core/net/tls_store.h"
#include "tests/fuzz/fuzz.h"

struct seen {
	const uint8_t *from, *to;
	uint32_t certs;
};

static bool on_cert(void *arg, const uint8_t *der, size_t n)
{
	struct seen *seen = arg;
	fuzz_must(der >= seen->from && n <= (size_t)(seen->to - der));
	return ++seen->certs < 1000; /* as if memory ran out */
}

static void read_store(const uint8_t *data, size_t size, const char *password)
{
	struct klamm_span bytes = {data, size};
	struct seen seen = {.from = data, .to = data + size};
	struct klamm_error err;
	uint32_t keys;
	kl_jks_is(bytes);
	int rc = kl_jks_read(bytes, password, on_cert, &seen, &keys, &err);
	fuzz_must(rc == 0 || err.text[0] != '\0');
	fuzz_must(seen.certs + keys <= size / 4);
}

/* Nothing is made up, and what was unfolded stays as it is. */
static void unfold(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct kl_buf once = {0}, twice = {0};
	fuzz_must(text != NULL);
	kl_pem_unfold(text, &once);
	fuzz_must(once.len <= 2 * strlen(text) + 2);
	kl_pem_unfold(kl_buf_text(&once), &twice);
	fuzz_must(twice.len <= 2 * once.len + 2);
	kl_buf_free(&once);
	kl_buf_free(&twice);
	free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = fuzz_take(&data, &size);
	if (how & 1)
		unfold(data, size);
	else
		read_store(data, size,
			   !(how & 2)  ? NULL
			   : !(how & 4) ? "secret"
					: "a\xc3\xa4\xe2\x82\xac\xf0\x9d\x84\x9e");
	return 0;
}
