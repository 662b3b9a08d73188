/* SPDX-License-Identifier: BSD-2-Clause */
/* What Amazon's parts of plugins read: files of the user, answers of services, the
 * message that a broker gets. Input: a byte that chooses the reader, then the text. */

#include "plugins/common/aws/aws_int.h"
#include "plugins/common/aws/sigv4.h"
#include "plugins/common/flat_json.h"
#include "plugins/sasl_aws_msk_iam/payload.h"
#include "tests/fuzz/fuzz.h"

enum {
	CONFIG,
	CREDENTIALS,
	METADATA,
	STS,
	PAYLOAD,
	HOST,
	READERS,
};

static void read_profile(const char *text, size_t len, bool is_config)
{
	struct kl_aws_profile profile = {0};
	const char *name = len > 0 && text[len - 1] % 2 == 0 ? "dev" : "default";
	int line = kl_aws_profile_parse(&profile, text, len, name, is_config);
	fuzz_must(line >= 0 && (size_t)line <= len);
	for (int i = 0; i < KL_AWS_PROPERTIES; i++) {
		const char *value = kl_aws_property(&profile, i);
		fuzz_must(value == NULL || (line == 0 && profile.found));
		fuzz_must(value == NULL || strlen(value) == profile.v[i].len);
	}
	kl_aws_profile_free(&profile);
}

/* What is taken can go into a header and a scope. */
static void read_answer(const char *text, size_t len, bool is_json)
{
	struct kl_aws_credentials c = {0};
	const char *why = is_json ? kl_aws_read_json(text, len, &c)
				  : kl_aws_read_xml(text, len, &c);
	fuzz_must(why == NULL || why[0] != '\0');
	if (why == NULL) {
		fuzz_must(kl_aws_fault(&c) == NULL);
		fuzz_must(c.key_id.len > 0 && strpbrk(c.key_id.p, "/\r\n ") == NULL);
		fuzz_must(strlen(c.key_id.p) == c.key_id.len);
		fuzz_must(c.secret.len > 0 && strpbrk(c.secret.p, "\r\n") == NULL);
		fuzz_must(strlen(kl_text_get(&c.token)) == c.token.len);
	}
	kl_aws_credentials_free(&c);
}

static void read_payload(const char *text, size_t len)
{
	struct aws_msk_iam_payload payload;
	const char *why =
		aws_msk_iam_payload_read(&(struct klamm_span){text, len}, &payload);
	fuzz_must(why == NULL || why[0] != '\0');
	for (int i = 0; i < PAYLOAD_FIELDS; i++) {
		const struct kl_text *t = &payload.v[i];
		fuzz_must(strlen(kl_text_get(t)) == t->len);
		fuzz_must(why != NULL || i == PAYLOAD_TOKEN || t->len > 0);
	}
	int64_t ms;
	char again[KL_AWS_TIME];
	const char *time = kl_text_get(&payload.v[PAYLOAD_DATE]);
	if (kl_aws_time_read(time, &ms)) {
		kl_aws_time(ms, again);
		fuzz_must(strcmp(again, time) == 0);
	}
	aws_msk_iam_payload_free(&payload);
}

/* A text that is quoted is read as it was. */
static void quote(const char *text)
{
	KL_TEXT_AUTO object = {0};
	FLAT_JSON_AUTO json;
	kl_text_add(&object, "{\"x\":");
	flat_json_quote(&object, text);
	kl_text_char(&object, '}');
	flat_json_begin(&json, object.p, object.len);
	if (utf8_check((const uint8_t *)text, strlen(text)) != strlen(text))
		return;
	fuzz_must(flat_json_next(&json) && json.is_text);
	fuzz_must(strcmp(kl_text_get(&json.value), text) == 0);
	fuzz_must(!flat_json_next(&json) && json.why == NULL);
}

static void read_host(const char *text, size_t len)
{
	char *copy = strndup(text, len), region[KL_AWS_REGION];
	fuzz_must(copy != NULL);
	if (kl_aws_region_of_host(copy, region))
		fuzz_must(kl_aws_is_region(region) && strstr(copy, region) != NULL);
	quote(copy);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	int reader = fuzz_take(&data, &size) % READERS;
	const char *text = (const char *)data;
	switch (reader) {
	case CONFIG:
	case CREDENTIALS:
		read_profile(text, size, reader == CONFIG);
		break;
	case METADATA:
	case STS:
		read_answer(text, size, reader == METADATA);
		break;
	case PAYLOAD:
		read_payload(text, size);
		break;
	default:
		read_host(text, size);
	}
	return 0;
}
