/* SPDX-License-Identifier: BSD-2-Clause */
/* Requests, as a broker reads them.
 * Input: a limit of memory, then the header and the body. */
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t memory = fuzz_limit(fuzz_take(&data, &size));
	fuzz_packet(NULL, 0, data, size, memory);
	return 0;
}

static bool new_request(uint64_t *state, struct kl_buf *to)
{
	const struct kl_msg *msg;
	do
		msg = kl_msg_request((int)fuzz_below(state, KL_API_COUNT));
	while (msg == NULL);
	int version =
		msg->min + (int)fuzz_below(state, (uint32_t)(msg->max - msg->min) + 1);
	return fuzz_random_packet(msg, version, state, to);
}

/* As it is, but one thing; or in another version, if that can say it. */
static bool changed_request(uint64_t *state, const uint8_t *data, size_t size,
			    struct kl_buf *to)
{
	struct kl_arena arena = {0};
	struct kl_packet packet;
	bool ok = kl_packet_decode(NULL, 0, data, size, &arena, &packet, NULL) == 0;
	if (ok && fuzz_below(state, 6) == 0) {
		struct kl_request_header *header = packet.header;
		packet.version = packet.msg->min +
				 (int)fuzz_below(state, (uint32_t)(packet.msg->max -
								   packet.msg->min) +
								1);
		header->request_api_version = (int16_t)packet.version;
		packet.header_msg = kl_frame_header_of(packet.msg, packet.version,
						       &packet.header_version);
	} else if (ok) {
		fuzz_change(packet.msg, packet.version, packet.body, &arena, state);
	}
	ok = ok && kl_packet_encode(&packet, to, NULL) == 0;
	kl_arena_free(&arena);
	return ok;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max,
			       unsigned int seed)
{
	uint64_t state = seed;
	uint32_t what = fuzz_below(&state, 8);
	struct kl_buf bytes = {0};
	kl_buf_u8(&bytes, size > 0 && fuzz_below(&state, 8)
				  ? data[0]
				  : (uint8_t)fuzz_next(&state));
	bool ok = false;
	if (what == 0 || size < 2)
		ok = new_request(&state, &bytes);
	else if (what < 4)
		ok = changed_request(&state, data + 1, size - 1, &bytes);
	size = ok ? fuzz_replace(data, size, max, bytes.data, bytes.len)
		  : LLVMFuzzerMutate(data, size, max);
	kl_buf_free(&bytes);
	return size;
}
