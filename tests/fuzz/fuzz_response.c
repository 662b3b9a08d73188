/* SPDX-License-Identifier: BSD-2-Clause */
/* Responses, as a client reads them, and the messages without an API: what members of a
 * group send each other, principals, control records.
 * Input: a limit of memory, the message, its version, then its bytes. */
#include "tests/fuzz/fuzz.h"

#define HEAD 3

static const struct kl_msg *choose(uint8_t index, uint8_t v, int *version_out)
{
	static const struct kl_msg *found[256];
	static size_t count;
	if (count == 0) {
		size_t n;
		const struct kl_msg *const *all = kl_msg_all(&n);
		for (size_t i = 0; i < n && count < kl_countof(found); i++)
			if (all[i]->kind == KL_MSG_RESPONSE ||
			    all[i]->kind == KL_MSG_DATA)
				found[count++] = all[i];
	}
	const struct kl_msg *msg = found[index % count];
	*version_out = msg->min + v % (msg->max - msg->min + 1);
	return msg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	size_t memory = fuzz_limit(fuzz_take(&data, &size));
	uint8_t index = fuzz_take(&data, &size), v = fuzz_take(&data, &size);
	int version;
	const struct kl_msg *msg = choose(index, v, &version);
	if (msg->kind == KL_MSG_RESPONSE)
		fuzz_packet(msg, version, data, size, memory);
	else
		fuzz_message(msg, version, data, size, memory);
	return 0;
}

static bool new_message(const struct kl_msg *msg, int version, uint64_t *state,
			struct kl_buf *to)
{
	if (msg->kind == KL_MSG_RESPONSE)
		return fuzz_random_packet(msg, version, state, to);
	struct kl_arena arena = {0};
	void *obj;
	bool ok = kl_msg_random(msg, version, fuzz_next(state), &arena, &obj, NULL) ==
			  0 &&
		  kl_msg_encode(msg, version, obj, to, NULL) == 0;
	kl_arena_free(&arena);
	return ok;
}

static bool changed_response(const struct kl_msg *msg, int version, uint64_t *state,
			     const uint8_t *data, size_t size, struct kl_buf *to)
{
	struct kl_arena arena = {0};
	struct kl_packet packet;
	bool ok =
		kl_packet_decode(msg, version, data, size, &arena, &packet, NULL) == 0;
	if (ok)
		fuzz_change(msg, packet.version, packet.body, &arena, state);
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
	uint8_t head[HEAD];
	for (size_t i = 0; i < HEAD; i++)
		head[i] = i < size && what > 0 ? data[i] : (uint8_t)fuzz_next(&state);
	kl_buf_put(&bytes, head, HEAD);
	int version;
	const struct kl_msg *msg = choose(head[1], head[2], &version);
	bool ok = false;
	if (what <= 1 || size <= HEAD)
		ok = new_message(msg, version, &state, &bytes);
	else if (what < 5 && msg->kind == KL_MSG_RESPONSE)
		ok = changed_response(msg, version, &state, data + HEAD, size - HEAD,
				      &bytes);
	size = ok ? fuzz_replace(data, size, max, bytes.data, bytes.len)
		  : LLVMFuzzerMutate(data, size, max);
	kl_buf_free(&bytes);
	return size;
}
