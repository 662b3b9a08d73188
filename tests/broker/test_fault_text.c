/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults in words, and over the wire. */
#include <sys/socket.h>

#include "broker/faults.h"
#include "tests/broker/peer.h"

static struct peer *peer;
static struct klamm_error err;

static void up(void)
{
	peer_start_three();
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "t", 3, &err), 0);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static int32_t fault(const char *text)
{
	int32_t id;
	ck_assert_msg(klamm_broker_fault(peer_broker, text, &id, &err) == 0, "%s", err.text);
	return id;
}

/* --- the grammar --- */

static const char *print(const char *text, struct kl_buf *out)
{
	struct kl_dev_fault *parsed;
	kl_buf_clear(out);
	ck_assert_msg(kl_dev_fault_parse(text, strlen(text), &parsed, &err) == 0, "%s: %s",
		      text, err.text);
	kl_dev_fault_print(&parsed->spec, out);
	kl_dev_fault_unref(parsed);
	return kl_buf_text(out);
}

START_TEST(says_what_it_understood)
{
	static const struct {
		const char *text, *printed;
	} rows[] = {
		{"produce error=NOT_LEADER_OR_FOLLOWER",
		 "Produce count=1 error=NOT_LEADER_OR_FOLLOWER"},
		{"produce topic=t partition=0 nth=3 error=6",
		 "Produce topic=t partition=0 nth=3 count=1 error=NOT_LEADER_OR_FOLLOWER"},
		{" list_offsets  count=all\tdelay=250 ", "ListOffsets count=all delay=250"},
		{"LIST-OFFSETS count=7 error=-1",
		 "ListOffsets count=7 error=UNKNOWN_SERVER_ERROR"},
		{"any node=2 every=3 drop=after",
		 "any node=2 nth=3 every=3 count=all drop=after"},
		{"any nth=1 every=3 count=2 silence", "any nth=1 every=3 count=2 silence"},
		{"fetch probability=0.25 seed=7 drop=before reset",
		 "Fetch probability=0.25 seed=7 count=all drop=before reset"},
		{"fetch probability=0.1 delay=1",
		 "Fetch probability=0.1 count=all delay=1"},
		{"fetch reset", "Fetch count=1 drop=before reset"},
		{"fetch cut=12 reset", "Fetch count=1 cut=12 reset"},
		{"fetch cut=0", "Fetch count=1 cut=0"},
		{"metadata garbage", "Metadata count=1 garbage"},
		{"metadata topic=t leader=next", "Metadata topic=t count=1 leader=next"},
		{"produce topic=t leader=2 throttle=9 delay=1",
		 "Produce topic=t count=1 delay=1 leader=2 throttle=9"},
		{"find_coordinator coordinator=3 error=COORDINATOR_NOT_AVAILABLE",
		 "FindCoordinator count=1 coordinator=3 error=COORDINATOR_NOT_AVAILABLE"},
		{"produce error=999", "Produce count=1 error=999"},
		{"produce topic=t record=0 error=INVALID_RECORD",
		 "Produce topic=t count=1 error=INVALID_RECORD record=0"},
		{"fetch topic=t lose=3 leader=next",
		 "Fetch topic=t count=1 leader=next lose=3"},
		{"fetch node=2 lag=3 count=all", "Fetch node=2 count=all lag=3"},
	};
	struct kl_buf out = {0}, again = {0};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		ck_assert_str_eq(print(rows[i].text, &out), rows[i].printed);
		ck_assert_str_eq(print(rows[i].printed, &again), rows[i].printed);
	}
	kl_buf_free(&out);
	kl_buf_free(&again);
}
END_TEST

START_TEST(says_what_is_wrong)
{
	static const struct {
		const char *text, *why;
	} rows[] = {
		{"", "nothing is said"},
		{"topic=t drop=before", "topic=t: a fault begins with an API"},
		{"create_acls drop=before", "create_acls: a fault begins with an API"},
		{"produce_ error=1 x", "x: there is no such word"},
		{"produce", "does not say what is to happen"},
		{"produce topic=t nth=2", "does not say what is to happen"},
		{"produce colour=red", "colour: there is no such word"},
		{"produce nth=0 silence", "nth = 0: must be"},
		{"produce nth=1 nth=2 silence", "nth: stands there twice"},
		{"produce count=0 silence", "0: count must be 1 or more, or all"},
		{"produce probability=2 silence", "probability = 2: must be"},
		{"produce probability=0 silence", "probability: must be above 0"},
		{"produce drop=soon", "drop = soon: must be"},
		{"produce error=NO_SUCH_ERROR", "NO_SUCH_ERROR: Kafka has no such error"},
		{"produce error=UNKNOWN", "UNKNOWN: Kafka has no such error"},
		{"produce error=0", "is none"},
		{"produce error=1 drop=after", "one of error, drop, cut, garbage and silence"},
		{"produce silence garbage", "one of error, drop, cut, garbage and silence"},
		{"produce silence reset", "reset: goes with drop or cut"},
		{"produce partition=1 silence", "partition: needs a topic"},
		{"produce leader=1", "leader: needs a topic"},
		{"produce leader=first topic=t", "leader = first: must be"},
		{"produce cut=-1", "cut = -1: must be"},
		{"produce record=1 silence", "record: goes with produce and error"},
		{"fetch record=1 error=1", "record: goes with produce and error"},
		{"fetch lag=0", "lag = 0: must be"},
		{"produce lag=1", "lag: goes with fetch"},
		{"fetch topic=t lose=1", "lose: goes with leader"},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		struct kl_dev_fault *parsed;
		int rc = kl_dev_fault_parse(rows[i].text, strlen(rows[i].text), &parsed, &err);
		ck_assert_msg(rc == KLAMM_ERR_INVALID_ARGUMENT, "%s: %d", rows[i].text, rc);
		ck_assert_msg(strstr(err.text, rows[i].why) != NULL, "%s: %s", rows[i].text,
			      err.text);
	}
}
END_TEST

/* --- what happens --- */

static int produce(int32_t partition)
{
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	return peer_produce(peer, "t", partition, b.data, b.len)->error_code;
}

static int32_t leader_of(int32_t partition)
{
	struct kl_metadata_request_topic topic;
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = KL_STR("t");
	request.topics = &topic;
	request.topics_n = 1;
	struct kl_metadata_response *response = PEER_CALL(peer, metadata, 9, &request);
	return response->topics[0].partitions[partition].leader_id;
}

/* A partition that node 1, which the peer asks, leads. */
static int32_t own_partition(void)
{
	for (int32_t i = 0; i < 3; i++)
		if (leader_of(i) == 1)
			return i;
	ck_abort_msg("node 1 leads nothing");
}

static void ask_versions(void)
{
	struct kl_api_versions_request request;
	kl_msg_init(&kl_msg_api_versions_request, &request);
	peer_ask(peer, &kl_msg_api_versions_request, 0, &request);
}

/* Bytes until the broker closes. */
static size_t count_bytes(void)
{
	uint8_t bytes[4096];
	size_t count = 0;
	ssize_t n;
	while ((n = recv(peer->fd, bytes, sizeof(bytes), 0)) > 0)
		count += (size_t)n;
	return count;
}

START_TEST(counts_and_chooses)
{
	int32_t partition = own_partition();
	char text[100];
	snprintf(text, sizeof(text),
		 "produce topic=t partition=%d nth=2 every=3 count=2 error=7", partition);
	int32_t id = fault(text);
	for (int i = 1; i <= 10; i++) {
		bool hit = i == 2 || i == 5;
		ck_assert_int_eq(produce(partition), hit ? KLAMM_ERR_REQUEST_TIMED_OUT : 0);
	}
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, id), 2);
}
END_TEST

/* The same choices for the same seed, about as many as were asked for. */
static uint64_t choices(const char *text)
{
	int32_t partition = own_partition();
	uint64_t hits = 0;
	int32_t id = fault(text);
	for (int i = 0; i < 60; i++)
		hits = hits << 1 | (produce(partition) != 0);
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, id),
			 __builtin_popcountll(hits));
	klamm_broker_fault_remove(peer_broker, id);
	return hits;
}

START_TEST(probability_goes_by_the_seed)
{
	uint64_t one = choices("produce probability=0.5 seed=1 error=7");
	ck_assert_int_eq(one, choices("produce probability=0.5 seed=1 error=7"));
	ck_assert_int_ne(one, choices("produce probability=0.5 seed=2 error=7"));
	ck_assert_int_ge(__builtin_popcountll(one), 15);
	ck_assert_int_le(__builtin_popcountll(one), 45);
}
END_TEST

START_TEST(cuts_the_answer)
{
	static const size_t at[] = {0, 1, 4, 7, 100, 100000};
	ask_versions();
	peer_read(peer, &kl_msg_api_versions_response, 0);
	fault("api_versions cut=100000");
	ask_versions();
	size_t whole = count_bytes();
	ck_assert_uint_gt(whole, 100);
	for (size_t i = 0; i < kl_countof(at); i++) {
		char text[50];
		snprintf(text, sizeof(text), "api_versions cut=%zu%s", at[i],
			 i % 2 ? " reset" : "");
		fault(text);
		peer_close(peer);
		peer = peer_open();
		ask_versions();
		ask_versions(); /* what comes behind is not answered */
		ck_assert_uint_eq(count_bytes(), kl_min(at[i], whole));
	}
	peer_check_alive();
}
END_TEST

START_TEST(garbles_the_answer)
{
	uint8_t good[4096], bad[4096];
	ask_versions();
	ssize_t n = recv(peer->fd, good, sizeof(good), 0);
	ck_assert_int_gt(n, 100);
	fault("api_versions garbage seed=3");
	ask_versions();
	ck_assert_int_eq(recv(peer->fd, bad, (size_t)n, MSG_WAITALL), n);
	ck_assert_mem_eq(bad, good, 4);
	ck_assert_mem_ne(bad + 8, good + 8, (size_t)n - 8);
	ask_versions(); /* only once */
	ck_assert_int_eq(recv(peer->fd, bad, (size_t)n, MSG_WAITALL), n);
	ck_assert_mem_eq(bad + 8, good + 8, (size_t)n - 8);
}
END_TEST

START_TEST(names_records)
{
	struct peer_batch b;
	int32_t partition = own_partition();
	fault("produce topic=t record=2 error=INVALID_RECORD");
	peer_batch(&b, 3, 1000);
	struct kl_produce_response_partition *r =
		peer_produce(peer, "t", partition, b.data, b.len);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_INVALID_RECORD);
	ck_assert_int_eq(r->record_errors_n, 1);
	ck_assert_int_eq(r->record_errors[0].batch_index, 2);
	ck_assert_int_gt(r->record_errors[0].batch_index_error_message.len, 0);
	ck_assert_int_eq(produce(partition), 0);
}
END_TEST

/* The request that moves the leader is the first to hear of it. */
START_TEST(moves_leaders)
{
	int32_t partition = own_partition();
	char text[100];
	snprintf(text, sizeof(text), "produce topic=t partition=%d nth=2 leader=3", partition);
	fault(text);
	ck_assert_int_eq(produce(partition), 0);
	ck_assert_int_eq(produce(partition), KLAMM_ERR_NOT_LEADER_OR_FOLLOWER);
	ck_assert_int_eq(leader_of(partition), 3);
	snprintf(text, sizeof(text), "produce topic=t partition=%d leader=1", partition);
	fault(text);
	ck_assert_int_eq(produce(partition), 0);

	int32_t before[3];
	for (int32_t i = 0; i < 3; i++)
		before[i] = leader_of(i);
	fault("metadata topic=t nth=4 leader=next"); /* all of them */
	for (int32_t i = 0; i < 3; i++)
		ck_assert_int_eq(leader_of(i), before[i]);
	for (int32_t i = 0; i < 3; i++)
		ck_assert_int_ne(leader_of(i), before[i]);
}
END_TEST

static int32_t coordinator(void)
{
	struct kl_find_coordinator_request request;
	kl_msg_init(&kl_msg_find_coordinator_request, &request);
	request.key = KL_STR("group");
	return PEER_CALL(peer, find_coordinator, 3, &request)->node_id;
}

START_TEST(moves_the_coordinator)
{
	int32_t first = coordinator();
	fault("find_coordinator coordinator=next");
	ck_assert_int_eq(coordinator(), first % 3 + 1);
	ck_assert_int_eq(coordinator(), first % 3 + 1);
	fault("any coordinator=3 error=COORDINATOR_NOT_AVAILABLE");
	ck_assert_int_eq(coordinator(), -1);
	ck_assert_int_eq(coordinator(), 3);
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 3, false, &err), 0);
	ck_assert_int_eq(coordinator(), 1);
}
END_TEST

START_TEST(throttles)
{
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	fault("metadata throttle=300");
	ck_assert_int_eq(PEER_CALL(peer, metadata, 9, &request)->throttle_time_ms, 300);
	peer_ask(peer, &kl_msg_metadata_request, 2, &request); /* has no such field */
	ck_assert(peer_is_silent(peer, 100));
	peer_read(peer, &kl_msg_metadata_response, 2);
	fault("metadata throttle=60000");
	peer_ask(peer, &kl_msg_metadata_request, 2, &request);
	peer_read(peer, &kl_msg_metadata_response, 2);
	ask_versions();
	ck_assert(peer_is_silent(peer, 100));
	peer_check_alive(); /* another connection */
}
END_TEST

static void send_without_answer(int32_t partition)
{
	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	struct kl_produce_request_partition to = {.index = partition,
						  .records = {b.data, (int32_t)b.len}};
	struct kl_produce_request_topic at = {
		.name = KL_STR("t"), .partition_data = &to, .partition_data_n = 1};
	struct kl_produce_request request;
	kl_msg_init(&kl_msg_produce_request, &request);
	request.transactional_id = KL_STR_NULL;
	request.topic_data = &at;
	request.topic_data_n = 1;
	peer_ask(peer, &kl_msg_produce_request, 9, &request);
}

START_TEST(drops_after_what_has_no_answer)
{
	int32_t partition = own_partition();
	int64_t end;
	fault("produce drop=after");
	send_without_answer(partition);
	ck_assert(peer_is_closed(peer));
	ck_assert_int_eq(klamm_broker_offsets(peer_broker, "t", partition, NULL, &end, &err),
			 0);
	ck_assert_int_eq(end, 1);
}
END_TEST

/* --- over the wire --- */

static struct kl_incremental_alter_configs_response_resource alter(const char *name,
								    const char *key, int8_t op,
								    const char *value)
{
	struct kl_incremental_alter_configs_request_config config = {
		.name = kl_str(key),
		.config_operation = op,
		.value = value != NULL ? kl_str(value) : KL_STR_NULL,
	};
	struct kl_incremental_alter_configs_request_resource resource = {
		.resource_type = 4,
		.resource_name = kl_str(name),
		.configs = &config,
		.configs_n = 1,
	};
	struct kl_incremental_alter_configs_request request;
	kl_msg_init(&kl_msg_incremental_alter_configs_request, &request);
	request.resources = &resource;
	request.resources_n = 1;
	return PEER_CALL(peer, incremental_alter_configs, 1, &request)->responses[0];
}

static const char *described(const char *name, const char *key)
{
	static char text[500];
	struct kl_str asked = kl_str(key);
	struct kl_describe_configs_request_resource resource = {
		.resource_type = 4,
		.resource_name = kl_str(name),
		.configuration_keys = &asked,
		.configuration_keys_n = 1,
	};
	struct kl_describe_configs_request request;
	kl_msg_init(&kl_msg_describe_configs_request, &request);
	request.resources = &resource;
	request.resources_n = 1;
	struct kl_describe_configs_response *r =
		PEER_CALL(peer, describe_configs, 4, &request);
	ck_assert_int_eq(r->results[0].configs_n, 1);
	struct kl_str value = r->results[0].configs[0].value;
	snprintf(text, sizeof(text), "%.*s", value.len, value.p);
	return text;
}

START_TEST(is_a_setting_of_the_broker)
{
	ck_assert_str_eq(described("1", "klamm.fault"), "");
	const char *two = "metadata nth=2 silence; fetch delay=5 ;";
	ck_assert_int_eq(alter("1", "klamm.fault", 0, two).error_code, 0);
	ck_assert_int_eq(alter("", "klamm.fault", 2, "api_versions error=31").error_code, 0);
	ck_assert_str_eq(described("", "klamm.fault"),
			 "Metadata nth=2 count=1 silence; Fetch count=1 delay=5; "
			 "ApiVersions count=1 error=CLUSTER_AUTHORIZATION_FAILED");
	ask_versions();
	ck_assert_int_eq(((struct kl_api_versions_response *)peer_read(
				  peer, &kl_msg_api_versions_response, 0))
				 ->error_code,
			 KLAMM_ERR_CLUSTER_AUTHORIZATION_FAILED);
	ck_assert_str_eq(described("1", "klamm.fault.hits"), "0; 0; 1");
	ck_assert_int_eq(alter("1", "klamm.fault", 3, "fetch count=1 delay=5").error_code, 0);
	ck_assert_str_eq(described("1", "klamm.fault.hits"), "0; 1");
	ck_assert_int_eq(alter("1", "klamm.fault", 0, "any drop=before count=all").error_code,
			 0);
	/* It can be taken back all the same. */
	ck_assert_str_eq(described("1", "klamm.fault"), "any count=all drop=before");
	ck_assert_int_eq(alter("1", "klamm.fault", 1, NULL).error_code, 0);
	ck_assert_str_eq(described("1", "klamm.fault"), "");
	peer_check_alive();
}
END_TEST

START_TEST(refuses_other_settings)
{
	static const struct {
		const char *name, *key, *value;
		int op, error;
	} rows[] = {
		{"2", "klamm.fault", "any silence", 0, KLAMM_ERR_INVALID_REQUEST},
		{"1", "num.partitions", "3", 0, KLAMM_ERR_INVALID_REQUEST},
		{"1", "klamm.fault", "any silence", 9, KLAMM_ERR_INVALID_REQUEST},
		{"1", "klamm.fault", NULL, 0, KLAMM_ERR_INVALID_CONFIG},
		{"1", "klamm.fault", "fetch delay=1; nothing", 0, KLAMM_ERR_INVALID_CONFIG},
	};
	alter("1", "klamm.fault", 0, "fetch delay=9");
	for (size_t i = 0; i < kl_countof(rows); i++)
		ck_assert_int_eq(alter(rows[i].name, rows[i].key, (int8_t)rows[i].op,
				       rows[i].value)
					 .error_code,
				 rows[i].error);
	struct kl_str text = alter("1", "klamm.fault", 2, "fetch silense").error_message;
	ck_assert_ptr_nonnull(memmem(text.p, (size_t)text.len, "silense", 7));
	ck_assert_str_eq(described("1", "klamm.fault"), "Fetch count=1 delay=9");
}
END_TEST

UNIT_SUITE(fault_text)
{
	Suite *s = suite_create("fault_text");
	if (peer_is_foreign())
		return s;
	unit_add(s, says_what_it_understood);
	unit_add(s, says_what_is_wrong);
	unit_add_fixture(s, counts_and_chooses, up, down);
	unit_add_fixture(s, probability_goes_by_the_seed, up, down);
	unit_add_fixture(s, cuts_the_answer, up, down);
	unit_add_fixture(s, garbles_the_answer, up, down);
	unit_add_fixture(s, moves_leaders, up, down);
	unit_add_fixture(s, names_records, up, down);
	unit_add_fixture(s, moves_the_coordinator, up, down);
	unit_add_fixture(s, throttles, up, down);
	unit_add_fixture(s, drops_after_what_has_no_answer, up, down);
	unit_add_fixture(s, is_a_setting_of_the_broker, up, down);
	unit_add_fixture(s, refuses_other_settings, up, down);
	return s;
}
