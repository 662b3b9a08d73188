/* SPDX-License-Identifier: BSD-2-Clause */
/* Every API in every version that is told, and what is not served. */
#include "tests/broker/peer.h"

#include <stdio.h>

static struct kl_api_versions_response *ask_versions(struct peer *peer, int version)
{
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	if (version >= 3) {
		request.client_software_name = KL_STR("klamm-test");
		request.client_software_version = KL_STR("1.0");
	}
	return PEER_CALL(peer, api_versions, version, &request);
}

static const struct kl_api_versions_response_api_key *range_of(
	const struct kl_api_versions_response *response, int api)
{
	for (int32_t i = 0; i < response->api_keys_n; i++)
		if (response->api_keys[i].api_key == api)
			return &response->api_keys[i];
	return NULL;
}

START_TEST(tells_versions)
{
	struct peer *peer = peer_open();
	for (int version = 0; version <= 4; version++) {
		struct kl_api_versions_response *r = ask_versions(peer, version);
		ck_assert_int_eq(r->error_code, 0);
		/* Produce is told from 0 (KAFKA-18659), ListOffsets without its legacy. */
		const struct kl_api_versions_response_api_key *range = range_of(r, 0);
		ck_assert(range != NULL && range->min_version == 0);
		ck_assert_int_ge(range->max_version, 12);
		range = range_of(r, KL_API_LIST_OFFSETS);
		ck_assert(range != NULL && range->min_version == 1);
		range = range_of(r, KL_API_INIT_PRODUCER_ID);
		ck_assert(range != NULL && range->max_version == 5);
	}
	peer_close(peer);
}
END_TEST

START_TEST(refuses_software_names)
{
	struct peer *peer = peer_open();
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	request.client_software_name = KL_STR("-klamm");
	request.client_software_version = KL_STR("1.0");
	struct kl_api_versions_response *r = PEER_CALL(peer, api_versions, 3, &request);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_INVALID_REQUEST);
	peer_close(peer);
}
END_TEST

/* Headers only: api, version, correlation id, client id, tags. */
static void send_header(struct peer *peer, int16_t api, int16_t version, bool flexible)
{
	struct kl_buf b = {0};
	kl_buf_i32(&b, 0);
	kl_buf_i16(&b, api);
	kl_buf_i16(&b, version);
	kl_buf_i32(&b, ++peer->correlation_id);
	kl_buf_i16(&b, -1);
	if (flexible)
		kl_buf_u8(&b, 0);
	kl_store_u32(b.data, (uint32_t)b.len - 4);
	peer_send(peer, b.data, b.len);
	kl_buf_free(&b);
}

START_TEST(answers_versions_too_new)
{
	struct peer *peer = peer_open();
	send_header(peer, KL_API_API_VERSIONS, 99, true);
	struct kl_api_versions_response *r =
		peer_read(peer, &kl_msg_api_versions_response, 0);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_UNSUPPORTED_VERSION);
	const struct kl_api_versions_response_api_key *range =
		range_of(r, KL_API_API_VERSIONS);
	ck_assert(range != NULL && range->max_version >= 4);
	/* And the connection goes on. */
	ck_assert_int_eq(ask_versions(peer, range->max_version > 4 ? 4 : 3)->error_code,
			 0);
	peer_close(peer);
}
END_TEST

static const struct {
	int16_t api, version;
	bool flexible;
} unserved[] = {
	{KL_API_METADATA, 99, true},
	{KL_API_METADATA, -1, false},
	{KL_API_PRODUCE, 2, false},
	{KL_API_FETCH, 3, false},
	{KL_API_LIST_OFFSETS, 0, false},
	{KL_API_LEADER_AND_ISR, 0, false},
	{9999, 0, false},
	{-1, 0, false},
};

START_TEST(closes_on_unserved)
{
	struct peer *peer = peer_open();
	send_header(peer, unserved[_i].api, unserved[_i].version, unserved[_i].flexible);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	peer_check_alive();
}
END_TEST

/* KIP-1242; the Kafka that this is compared with has to be 4.4. */
START_TEST(knows_its_name)
{
	struct peer *peer = peer_open();
	struct kl_describe_cluster_request ask;
	kl_msg_init(&kl_msg_describe_cluster_request, &ask);
	struct kl_describe_cluster_response *c =
		PEER_CALL(peer, describe_cluster, 0, &ask);
	char cluster[64];
	int n = snprintf(cluster, sizeof(cluster), "%.*s", (int)c->cluster_id.len,
			 c->cluster_id.p);
	ck_assert_int_gt(n, 0);
	int32_t node = c->brokers[0].broker_id;
	struct {
		const char *cluster;
		int32_t node;
		int error;
	} cases[] = {
		{cluster, node, 0},
		{cluster, node + 1, KLAMM_ERR_REBOOTSTRAP_REQUIRED},
		{"another", node, KLAMM_ERR_REBOOTSTRAP_REQUIRED},
		{cluster, -1, KLAMM_ERR_INVALID_REQUEST},
		{NULL, node, KLAMM_ERR_INVALID_REQUEST},
		{NULL, -1, 0},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		struct kl_api_versions_request request;
		kl_msg_init(&kl_msg_api_versions_request, &request);
		request.client_software_name = KL_STR("klamm-test");
		request.client_software_version = KL_STR("1.0");
		request.cluster_id = kl_str(cases[i].cluster);
		request.node_id = cases[i].node;
		struct kl_api_versions_response *r =
			PEER_CALL(peer, api_versions, 5, &request);
		ck_assert_msg(r->error_code == cases[i].error, "case %zu: error %d", i,
			      r->error_code);
	}
	peer_close(peer);
}
END_TEST

/* Whatever a handler puts into its answer has to exist in the version asked for: a request
 * made up at random, and an answer that can be read. */
START_TEST(answers_every_version)
{
	struct klamm_error err;
	static const int16_t old[] = {KL_API_PRODUCE, KL_API_FETCH, KL_API_LIST_OFFSETS};
	for (size_t i = 0; i < kl_countof(old); i++)
		ck_assert_int_eq(
			klamm_broker_limit_api(peer_broker, old[i], 0,
					       kl_msg_request(old[i])->stable, &err),
			0);
	struct peer *peer = peer_open();
	struct kl_api_versions_response *told = ask_versions(peer, 3);
	int n = told->api_keys_n;
	struct kl_api_versions_response_api_key keys[128];
	ck_assert_int_le(n, 128);
	memcpy(keys, told->api_keys, (size_t)n * sizeof(keys[0]));
	for (int i = 0; i < n; i++) {
		const struct kl_msg *request = kl_msg_request(keys[i].api_key);
		for (int version = keys[i].min_version;
		     version <= keys[i].max_version; version++) {
			struct kl_arena arena = {0};
			void *obj;
			ck_assert_int_eq(
				kl_msg_random(request, version, 5, &arena, &obj, NULL),
				0);
			if (keys[i].api_key == KL_API_PRODUCE)
				((struct kl_produce_request *)obj)->acks = 1;
			if (keys[i].api_key == KL_API_FETCH)
				((struct kl_fetch_request *)obj)->max_wait_ms = 0;
			if (keys[i].api_key != KL_API_DESCRIBE_TOPIC_PARTITIONS)
				peer_call(peer, request, kl_msg_response(keys[i].api_key),
					  version, obj);
			kl_arena_free(&arena);
		}
	}
	peer_close(peer);
}
END_TEST

START_TEST(can_be_limited)
{
	struct klamm_error err;
	struct peer *peer = peer_open();
	ck_assert_int_eq(klamm_broker_limit_api(peer_broker, KL_API_FETCH, 4, 11, &err),
			 0);
	ck_assert_int_eq(klamm_broker_limit_api(peer_broker, KL_API_METADATA, 1, 0, &err),
			 0);
	ck_assert_int_eq(
		klamm_broker_limit_api(peer_broker, KL_API_LIST_OFFSETS, 0, 0, &err), 0);
	ck_assert_int_eq(klamm_broker_limit_api(peer_broker, KL_API_FETCH, 4, 99, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	struct kl_api_versions_response *r = ask_versions(peer, 3);
	ck_assert_int_eq(range_of(r, KL_API_FETCH)->max_version, 11);
	ck_assert_ptr_null(range_of(r, KL_API_METADATA));
	ck_assert_int_eq(range_of(r, KL_API_LIST_OFFSETS)->min_version, 0);
	send_header(peer, KL_API_FETCH, 12, true);
	ck_assert(peer_is_closed(peer));
	peer_close(peer);
	ck_assert_int_ge(klamm_broker_request_count(peer_broker, KL_API_API_VERSIONS), 1);
}
END_TEST

UNIT_SUITE(versions)
{
	Suite *s = suite_create("versions");
	unit_add_fixture(s, tells_versions, peer_start, peer_stop);
	unit_add_fixture(s, refuses_software_names, peer_start, peer_stop);
	unit_add_fixture(s, answers_versions_too_new, peer_start, peer_stop);
	unit_add_case(s, "closes_on_unserved", closes_on_unserved, peer_start, peer_stop,
		      kl_countof(unserved));
	unit_add_fixture(s, knows_its_name, peer_start, peer_stop);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, answers_every_version, peer_start, peer_stop);
	unit_add_fixture(s, can_be_limited, peer_start, peer_stop);
	return s;
}
