/* SPDX-License-Identifier: BSD-2-Clause */
/* Every message in every version: made up, encoded, decoded, encoded again. */
#include "core/proto/gen/messages.h"

#include "core/proto/engine.h"
#include "tests/unit/unit.h"

#define SEEDS 20

static void round_trip(const struct kl_msg *msg, int version, uint64_t seed)
{
	struct klamm_error err = {0};
	struct kl_arena made = {0}, read = {0};
	struct kl_buf first = {0}, second = {0}, json1 = {0}, json2 = {0};
	void *obj, *back;

	ck_assert_int_eq(kl_msg_random(msg, version, seed, &made, &obj, &err), 0);
	ck_assert_msg(kl_msg_encode(msg, version, obj, &first, &err) == 0, "%s", err.text);
	ck_assert_uint_ge(first.len, msg->type->min_sizes[version]);

	struct kl_reader r = kl_reader(first.data, first.len);
	ck_assert_msg(kl_msg_decode(msg, version, &r, &read, &back, &err) == 0, "%s",
		      err.text);
	ck_assert_uint_eq(kl_reader_left(&r), 0);
	ck_assert_msg(kl_msg_encode(msg, version, back, &second, &err) == 0, "%s", err.text);
	ck_assert_msg(first.len == second.len &&
			      (first.len == 0 ||
			       memcmp(first.data, second.data, first.len) == 0),
		      "%s version %d seed %llu", msg->name, version,
		      (unsigned long long)seed);

	kl_msg_json(msg, version, obj, &json1);
	kl_msg_json(msg, version, back, &json2);
	ck_assert_str_eq(kl_buf_text(&json1), kl_buf_text(&json2));

	kl_buf_free(&first);
	kl_buf_free(&second);
	kl_buf_free(&json1);
	kl_buf_free(&json2);
	kl_arena_free(&made);
	kl_arena_free(&read);
}

START_TEST(round_trips)
{
	size_t count, versions = 0;
	const struct kl_msg *const *all = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++)
		for (int v = all[i]->min; v <= all[i]->max; v++, versions++)
			for (uint64_t seed = 1; seed <= SEEDS; seed++)
				round_trip(all[i], v, seed + 1000 * i);
	ck_assert_uint_ge(count, 166);
	ck_assert_uint_ge(versions, 600);
}
END_TEST

/* The same seed gives the same bytes, another one others. */
START_TEST(random_repeats)
{
	struct kl_buf b[3] = {{0}};
	for (int i = 0; i < 3; i++) {
		struct kl_arena arena = {0};
		void *obj;
		ck_assert_int_eq(kl_msg_random(&kl_msg_fetch_response, 12, i == 2 ? 8 : 7,
					       &arena, &obj, NULL), 0);
		ck_assert_int_eq(kl_msg_encode(&kl_msg_fetch_response, 12, obj, &b[i],
					       NULL),
				 0);
		kl_arena_free(&arena);
	}
	ck_assert(b[0].len == b[1].len && memcmp(b[0].data, b[1].data, b[0].len) == 0);
	ck_assert(b[0].len != b[2].len || memcmp(b[0].data, b[2].data, b[0].len) != 0);
	for (int i = 0; i < 3; i++)
		kl_buf_free(&b[i]);
}
END_TEST

START_TEST(finding)
{
	ck_assert_ptr_eq(kl_msg_request(KL_API_METADATA), &kl_msg_metadata_request);
	ck_assert_ptr_eq(kl_msg_response(KL_API_FETCH), &kl_msg_fetch_response);
	ck_assert_ptr_null(kl_msg_request(KL_API_VOTE)); /* controllers only */
	ck_assert_ptr_null(kl_msg_request(-1));
	ck_assert_ptr_null(kl_msg_response(KL_API_COUNT));
	ck_assert_ptr_eq(kl_msg_named("AbortedTxn"), &kl_msg_aborted_txn);
	ck_assert_ptr_null(kl_msg_named("Metadata"));
	ck_assert_str_eq(kl_api_name(KL_API_PRODUCE), "Produce");
	ck_assert_str_eq(kl_api_name(KL_API_VOTE), "Vote");
	ck_assert_str_eq(kl_api_name(KL_API_COUNT), "unknown");
	ck_assert_str_eq(kl_api_name(-1), "unknown");
	ck_assert_int_eq(kl_api_named("listoffsets"), KL_API_LIST_OFFSETS);
	ck_assert_int_eq(kl_api_named("Nothing"), -1);
	ck_assert_int_eq(kl_msg_init_producer_id_request.stable, 5);
	ck_assert_int_eq(kl_msg_init_producer_id_request.max, 6);
}
END_TEST

START_TEST(tables_agree)
{
	size_t count;
	const struct kl_msg *const *all = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++) {
		const struct kl_msg *msg = all[i];
		ck_assert_ptr_eq(kl_msg_named(msg->name), msg);
		ck_assert_str_eq(msg->type->name, msg->name);
		if (msg->kind == KL_MSG_REQUEST)
			ck_assert_ptr_eq(kl_msg_request(msg->api), msg);
		if (msg->kind == KL_MSG_RESPONSE)
			ck_assert_ptr_eq(kl_msg_response(msg->api), msg);
	}
	/* A client may send whatever it may receive the answer to. */
	for (int api = 0; api < KL_API_COUNT; api++) {
		const struct kl_msg *request = kl_msg_request(api),
				    *response = kl_msg_response(api);
		if (request == NULL)
			continue;
		ck_assert_int_eq(request->min, response->min);
		ck_assert_int_eq(request->max, response->max);
		ck_assert_int_eq(request->flexible, response->flexible);
	}
}
END_TEST

START_TEST(defaults)
{
	struct kl_fetch_request fetch;
	memset(&fetch, 0xa5, sizeof(fetch));
	kl_msg_init(&kl_msg_fetch_request, &fetch);
	ck_assert_int_eq(fetch.cluster_id.len, -1);
	ck_assert_int_eq(fetch.replica_id, -1);
	ck_assert_int_eq(fetch.replica_state.replica_id, -1);
	ck_assert_int_eq(fetch.replica_state.replica_epoch, -1);
	ck_assert_int_eq(fetch.max_bytes, INT32_MAX);
	ck_assert_int_eq(fetch.session_epoch, -1);
	ck_assert_int_eq(fetch.topics_n, 0);
	ck_assert_int_eq(fetch.rack_id.len, 0);
	ck_assert_ptr_null(fetch.tags);

	struct kl_arena arena = {0};
	struct kl_fetch_request_partition *parts =
		kl_type_new(&kl_type_fetch_request_partition, &arena, 3);
	ck_assert_ptr_nonnull(parts);
	ck_assert_int_eq(parts[2].log_start_offset, -1);
	ck_assert(parts[2].high_watermark == INT64_MAX);
	kl_arena_free(&arena);

	struct kl_metadata_request metadata;
	kl_msg_init(&kl_msg_metadata_request, &metadata);
	ck_assert(metadata.allow_auto_topic_creation);
	struct kl_consumer_group_heartbeat_response heartbeat;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_response, &heartbeat);
	ck_assert_ptr_null(heartbeat.assignment);
}
END_TEST

UNIT_SUITE(message)
{
	Suite *s = suite_create("message");
	unit_add(s, round_trips);
	unit_add(s, random_repeats);
	unit_add(s, finding);
	unit_add(s, tables_agree);
	unit_add(s, defaults);
	return s;
}
