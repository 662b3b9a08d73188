/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages as JSON, as klamm wire encode reads them.
 * Input: the API and the version of a response, or 255 for a request; then the JSON. */
#include "cli/value.h"
#include "cli/wire.h"
#include "tests/fuzz/fuzz.h"

#define HEAD 2

static const struct kl_msg *choose(uint8_t api, uint8_t v, int *version_out)
{
	const struct kl_msg *msg = kl_msg_response(api % KL_API_COUNT);
	if (api == UINT8_MAX || msg == NULL)
		return NULL;
	*version_out = msg->min + v % (msg->max - msg->min + 1);
	return msg;
}

/* It is sent; then it reads as the same. */
static void check_bytes(const struct kl_msg *response, const struct kl_packet *packet)
{
	struct kl_arena arena = {0};
	struct kl_buf bytes = {0}, bytes2 = {0};
	struct kl_packet again;
	struct klamm_error err;
	int rc = kl_packet_encode(packet, &bytes, &err);
	fuzz_must(rc == 0 || rc == KLAMM_ERR_INVALID_ARGUMENT ||
		  rc == KLAMM_ERR_UNSUPPORTED);
	if (rc == 0) {
		fuzz_must(kl_packet_decode(response, packet->version, bytes.data,
					   bytes.len, &arena, &again, &err) == 0);
		fuzz_must(kl_packet_encode(&again, &bytes2, &err) == 0);
		fuzz_must(bytes.len == bytes2.len &&
			  memcmp(bytes.data, bytes2.data, bytes.len) == 0);
	}
	kl_buf_free(&bytes);
	kl_buf_free(&bytes2);
	kl_arena_free(&arena);
}

static void read_digits(struct klamm_span text)
{
	struct kl_buf bytes = {0}, digits = {0};
	struct klamm_error err;
	if (cli_wire_unhex(text, &bytes, &err) == 0) {
		cli_wire_hex(&bytes, &digits);
		fuzz_must(digits.len == bytes.len * 2 && digits.len <= text.len);
	}
	kl_buf_free(&bytes);
	kl_buf_free(&digits);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct json_tokener *parser;
	if (parser == NULL)
		parser = cli_json_parser();
	uint8_t api = fuzz_take(&data, &size), v = fuzz_take(&data, &size);
	int version = 0;
	const struct kl_msg *response = choose(api, v, &version);
	struct json_object *json;
	char why[128] = "";
	read_digits((struct klamm_span){data, size});
	if (!cli_json_parse(parser, data, size, &json, why)) {
		fuzz_must(why[0] != '\0');
		return 0;
	}
	struct kl_arena arena = {.max = fuzz_limit(v)};
	struct kl_packet packet;
	struct klamm_error err = {0};
	if (cli_wire_packet(json, response, version, &arena, &packet, &err) == 0)
		check_bytes(response, &packet);
	else
		fuzz_must(err.code != 0 && err.text[0] != '\0');
	json_object_put(json);
	kl_arena_free(&arena);
	return 0;
}

static bool new_json(const struct kl_msg *msg, int version, uint64_t *state,
		     struct kl_buf *to)
{
	struct kl_arena arena = {0};
	struct kl_buf bytes = {0};
	struct kl_packet packet;
	bool ok = fuzz_random_packet(msg, version, state, &bytes) &&
		  kl_packet_decode(msg->kind == KL_MSG_RESPONSE ? msg : NULL, version,
				   bytes.data, bytes.len, &arena, &packet, NULL) == 0;
	if (ok)
		kl_packet_json(&packet, false, to);
	kl_buf_free(&bytes);
	kl_arena_free(&arena);
	return ok;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint64_t state = seed;
	if (size > HEAD && fuzz_below(&state, 12) != 0)
		return LLVMFuzzerMutate(data, size, max);
	uint8_t head[HEAD] = {(uint8_t)fuzz_next(&state), (uint8_t)fuzz_next(&state)};
	struct kl_buf text = {0};
	int version = 0;
	const struct kl_msg *msg = choose(head[0], head[1], &version);
	if (msg == NULL) {
		do
			msg = kl_msg_request((int)fuzz_below(&state, KL_API_COUNT));
		while (msg == NULL);
		version = msg->max;
		head[0] = UINT8_MAX;
	}
	kl_buf_put(&text, head, HEAD);
	if (new_json(msg, version, &state, &text))
		size = fuzz_replace(data, size, max, text.data, text.len);
	kl_buf_free(&text);
	return size;
}
