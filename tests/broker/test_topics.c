/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics: made, grown, described, deleted. */
#include <stdio.h>
#include <string.h>

#include "tests/broker/peer.h"

static struct peer *peer;

static void up(void)
{
	peer_start();
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static struct kl_create_topics_request_topic new_topic(const char *name,
						       int32_t partitions,
						       int16_t replicas)
{
	struct kl_create_topics_request_topic topic;
	kl_type_init(&kl_type_create_topics_request_topic, &topic);
	topic.name = kl_str(name);
	topic.num_partitions = partitions;
	topic.replication_factor = replicas;
	return topic;
}

static struct kl_create_topics_response *create(
	struct kl_create_topics_request_topic *topics, int32_t n, bool validate_only)
{
	struct kl_create_topics_request request;
	kl_msg_init(&kl_msg_create_topics_request, &request);
	request.topics = topics;
	request.topics_n = n;
	request.timeout_ms = 10000;
	request.validate_only = validate_only;
	return PEER_CALL(peer, create_topics, 7, &request);
}

static int create_error(struct kl_create_topics_request_topic topic)
{
	return create(&topic, 1, false)->topics[0].error_code;
}

static struct kl_metadata_response *metadata(int version, const char *name,
					     bool may_create)
{
	struct kl_metadata_request_topic topic;
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = kl_str(name);
	request.topics = name != NULL ? &topic : NULL;
	request.topics_n = name != NULL ? 1 : -1;
	if (version >= 4)
		request.allow_auto_topic_creation = may_create;
	return PEER_CALL(peer, metadata, version, &request);
}

START_TEST(creates)
{
	const char *name = peer_topic();
	struct kl_create_topics_request_topic topic = new_topic(name, 3, 1);
	struct kl_create_topics_request_config config = {
		.name = KL_STR("max.message.bytes"), .value = KL_STR("1234")};
	topic.configs = &config;
	topic.configs_n = 1;
	struct kl_create_topics_response *r = create(&topic, 1, true);
	ck_assert_int_eq(r->topics[0].error_code, 0);
	ck_assert_int_eq(metadata(9, name, false)->topics[0].error_code,
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	r = create(&topic, 1, false);
	ck_assert_int_eq(r->topics[0].error_code, 0);
	ck_assert_int_eq(r->topics[0].num_partitions, 3);
	ck_assert_int_eq(r->topics[0].replication_factor, 1);
	bool found = false;
	for (int32_t i = 0; i < r->topics[0].configs_n; i++) {
		if (!kl_str_is(r->topics[0].configs[i].name, "max.message.bytes"))
			continue;
		found = true;
		ck_assert(kl_str_is(r->topics[0].configs[i].value, "1234"));
		ck_assert_int_eq(r->topics[0].configs[i].config_source, 1);
	}
	ck_assert(found);
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_TOPIC_ALREADY_EXISTS);
}
END_TEST

START_TEST(refuses_to_create)
{
	char long_name[251];
	memset(long_name, 'a', 250);
	long_name[250] = '\0';
	ck_assert_int_eq(create_error(new_topic("", 1, 1)),
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_error(new_topic("..", 1, 1)),
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_error(new_topic("a/b", 1, 1)),
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_error(new_topic(long_name, 1, 1)),
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
	ck_assert_int_eq(create_error(new_topic("x", 0, 1)),
			 KLAMM_ERR_INVALID_PARTITIONS);
	ck_assert_int_eq(create_error(new_topic("x", -2, 1)),
			 KLAMM_ERR_INVALID_PARTITIONS);
	ck_assert_int_eq(create_error(new_topic("x", 1, 0)),
			 KLAMM_ERR_INVALID_REPLICATION_FACTOR);
	ck_assert_int_eq(create_error(new_topic("x", 1, 9)),
			 KLAMM_ERR_INVALID_REPLICATION_FACTOR);
	ck_assert_int_eq(create_error(new_topic("x", 10001, 1)),
			 KLAMM_ERR_POLICY_VIOLATION);
	struct kl_create_topics_request_topic topic = new_topic("x", 1, 1);
	struct kl_create_topics_request_config config = {.name = KL_STR("no.such"),
							 .value = KL_STR("1")};
	topic.configs = &config;
	topic.configs_n = 1;
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_CONFIG);
	config.name = KL_STR("retention.ms");
	config.value = KL_STR("soon");
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_CONFIG);
	struct kl_create_topics_request_topic two[2] = {new_topic("x", 1, 1),
							new_topic("x", 2, 1)};
	struct kl_create_topics_response *r = create(two, 2, false);
	for (int32_t i = 0; i < r->topics_n; i++)
		ck_assert_int_eq(r->topics[i].error_code, KLAMM_ERR_INVALID_REQUEST);
}
END_TEST

START_TEST(refuses_names_that_collide)
{
	char with_dot[80], with_bar[80];
	const char *name = peer_topic();
	snprintf(with_dot, sizeof(with_dot), "%s.x", name);
	snprintf(with_bar, sizeof(with_bar), "%s_x", name);
	ck_assert_int_eq(create_error(new_topic(with_dot, 1, 1)), 0);
	ck_assert_int_eq(create_error(new_topic(with_bar, 1, 1)),
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
}
END_TEST

START_TEST(places_as_told)
{
	int32_t one[] = {1}, seven[] = {7}, twice[] = {1, 1};
	struct kl_create_topics_request_assignment at[] = {
		{.partition_index = 0, .broker_ids = one, .broker_ids_n = 1},
		{.partition_index = 1, .broker_ids = one, .broker_ids_n = 1},
	};
	const char *name = peer_topic();
	struct kl_create_topics_request_topic topic = new_topic(name, 2, -1);
	topic.assignments = at;
	topic.assignments_n = 2;
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_REQUEST);
	topic.num_partitions = -1;
	at[1].partition_index = 2;
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT);
	at[1].partition_index = 1;
	at[1].broker_ids = seven;
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT);
	at[0].broker_ids = at[1].broker_ids = twice;
	at[0].broker_ids_n = at[1].broker_ids_n = 2;
	ck_assert_int_eq(create_error(topic), KLAMM_ERR_INVALID_REPLICA_ASSIGNMENT);
	at[0].broker_ids = at[1].broker_ids = one;
	at[0].broker_ids_n = at[1].broker_ids_n = 1;
	ck_assert_int_eq(create_error(topic), 0);
}
END_TEST

START_TEST(grows)
{
	const char *name = peer_topic();
	peer_create(name, 2);
	struct kl_create_partitions_request_topic topic = {
		.name = kl_str(name), .count = 5, .assignments_n = -1};
	struct kl_create_partitions_request request;
	kl_msg_init(&kl_msg_create_partitions_request, &request);
	request.topics = &topic;
	request.topics_n = 1;
	request.timeout_ms = 10000;
	struct kl_create_partitions_response *r =
		PEER_CALL(peer, create_partitions, 3, &request);
	ck_assert_int_eq(r->results[0].error_code, 0);
	while (metadata(9, name, false)->topics[0].partitions_n != 5)
		;
	r = PEER_CALL(peer, create_partitions, 3, &request);
	ck_assert_int_eq(r->results[0].error_code, KLAMM_ERR_INVALID_PARTITIONS);
	topic.count = 4;
	r = PEER_CALL(peer, create_partitions, 3, &request);
	ck_assert_int_eq(r->results[0].error_code, KLAMM_ERR_INVALID_PARTITIONS);
	topic.name = KL_STR("no-such");
	r = PEER_CALL(peer, create_partitions, 3, &request);
	ck_assert_int_eq(r->results[0].error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}
END_TEST

static int delete_topic(const char *name, struct klamm_uuid id)
{
	struct kl_delete_topics_request_topic topic = {.name = kl_str(name),
						       .topic_id = id};
	struct kl_delete_topics_request request;
	kl_msg_init(&kl_msg_delete_topics_request, &request);
	request.topics = &topic;
	request.topics_n = 1;
	request.timeout_ms = 10000;
	return PEER_CALL(peer, delete_topics, 6, &request)->responses[0].error_code;
}

START_TEST(deletes)
{
	static const struct klamm_uuid none = {{0}}, other = {{1, 2, 3}};
	const char *name = peer_topic();
	peer_create(name, 1);
	struct klamm_uuid id = peer_topic_id(name);
	ck_assert_int_eq(delete_topic(NULL, other), KLAMM_ERR_UNKNOWN_TOPIC_ID);
	ck_assert_int_eq(delete_topic(name, id), KLAMM_ERR_INVALID_REQUEST);
	ck_assert_int_eq(delete_topic("no-such", none),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(delete_topic(NULL, id), 0);
	while (metadata(9, name, false)->topics[0].error_code !=
	       KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION)
		;
	/* The same name is another topic. */
	peer_create(name, 1);
	struct klamm_uuid second = peer_topic_id(name);
	ck_assert(!kl_uuid_equal(&id, &second));
	ck_assert_int_eq(delete_topic(name, none), 0);
}
END_TEST

START_TEST(tells_metadata)
{
	const char *name = peer_topic();
	peer_create(name, 4);
	for (int version = 0; version <= 13; version++) {
		struct kl_metadata_response *r = metadata(version, name, false);
		ck_assert_int_eq(r->brokers_n, 1);
		ck_assert_int_eq(r->brokers[0].port, peer_port(1));
		ck_assert_int_eq(r->topics_n, 1);
		ck_assert_int_eq(r->topics[0].error_code, 0);
		ck_assert_int_eq(r->topics[0].partitions_n, 4);
		ck_assert_int_eq(r->topics[0].partitions[3].leader_id, 1);
		ck_assert_int_eq(r->topics[0].partitions[0].isr_nodes_n, 1);
		if (version >= 1)
			ck_assert_int_eq(r->controller_id, 1);
		if (version >= 2)
			ck_assert_int_eq(r->cluster_id.len, 22);
		if (version >= 8)
			ck_assert_int_eq(r->topics[0].topic_authorized_operations,
					 INT32_MIN);
		if (version >= 10)
			ck_assert(!kl_uuid_is_zero(&r->topics[0].topic_id));
		if (version >= 1)
			ck_assert_int_ge(metadata(version, NULL, false)->topics_n, 1);
	}
	ck_assert_int_eq(metadata(9, "no such", true)->topics[0].error_code,
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
}
END_TEST

START_TEST(tells_a_topic_once)
{
	const char *name = peer_topic();
	peer_create(name, 4);
	struct kl_metadata_request_topic topics[50];
	struct kl_metadata_request request;
	kl_msg_init(&kl_msg_metadata_request, &request);
	for (int i = 0; i < 50; i++) {
		kl_type_init(&kl_type_metadata_request_topic, &topics[i]);
		topics[i].name = kl_str(name);
	}
	request.topics = topics;
	request.topics_n = 50;
	ck_assert_int_eq(PEER_CALL(peer, metadata, 9, &request)->topics_n, 1);
}
END_TEST

START_TEST(creates_for_metadata)
{
	const char *name = peer_topic();
	struct kl_metadata_response *r = metadata(9, name, false);
	ck_assert_int_eq(r->topics[0].error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	r = metadata(9, name, true); /* Kafka says no once more */
	while (r->topics[0].error_code != 0)
		r = metadata(9, name, true);
	ck_assert_int_eq(r->topics[0].partitions_n, 1);
}
END_TEST

START_TEST(creates_nothing_unasked)
{
	peer_start_with(
		(struct klamm_broker_options){.no_auto_create = true, .partitions = 7});
	peer = peer_open();
	struct kl_metadata_response *r = metadata(9, "some", true);
	ck_assert_int_eq(r->topics[0].error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "some", 0, &err), 0);
	ck_assert_int_eq(metadata(9, "some", true)->topics[0].partitions_n, 7);
	ck_assert_int_eq(klamm_broker_create_topic(peer_broker, "some", 0, &err),
			 KLAMM_ERR_TOPIC_ALREADY_EXISTS);
	down();
}
END_TEST

START_TEST(describes_page_by_page)
{
	char names[3][80];
	const char *name = peer_topic();
	struct kl_describe_topic_partitions_request_topic topics[4];
	for (int i = 0; i < 3; i++) {
		snprintf(names[i], sizeof(names[i]), "%s-%c", name, 'c' - i);
		peer_create(names[i], 5);
		topics[i] = (struct kl_describe_topic_partitions_request_topic){
			.name = kl_str(names[i])};
	}
	topics[3] = (struct kl_describe_topic_partitions_request_topic){
		.name = KL_STR("no-such")};
	struct kl_describe_topic_partitions_request_cursor cursor;
	struct kl_describe_topic_partitions_request request;
	kl_msg_init(&kl_msg_describe_topic_partitions_request, &request);
	request.topics = topics;
	request.topics_n = 4;
	request.response_partition_limit = 7;
	char text[80];
	int pages = 0, partitions = 0, unknown = 0;
	for (;;) {
		struct kl_describe_topic_partitions_response *r =
			PEER_CALL(peer, describe_topic_partitions, 0, &request);
		pages++;
		for (int32_t i = 0; i < r->topics_n; i++) {
			unknown += r->topics[i].error_code ==
				   KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
			partitions += r->topics[i].partitions_n;
		}
		if (r->next_cursor == NULL)
			break;
		snprintf(text, sizeof(text), "%.*s", (int)r->next_cursor->topic_name.len,
			 r->next_cursor->topic_name.p);
		cursor = (struct kl_describe_topic_partitions_request_cursor){
			.topic_name = kl_str(text),
			.partition_index = r->next_cursor->partition_index,
		};
		request.cursor = &cursor;
	}
	ck_assert_int_eq(partitions, 15);
	ck_assert_int_eq(pages, 3);
	ck_assert_int_eq(unknown, 1);
}
END_TEST

static struct kl_describe_configs_response *describe_configs(int8_t type,
							     const char *name,
							     const char *key)
{
	struct kl_str keys[] = {kl_str(key)};
	struct kl_describe_configs_request_resource of = {
		.resource_type = type,
		.resource_name = kl_str(name),
		.configuration_keys = keys,
		.configuration_keys_n = key != NULL ? 1 : -1,
	};
	struct kl_describe_configs_request request;
	kl_msg_init(&kl_msg_describe_configs_request, &request);
	request.resources = &of;
	request.resources_n = 1;
	return PEER_CALL(peer, describe_configs, 4, &request);
}

START_TEST(describes_settings)
{
	const char *name = peer_topic();
	struct kl_create_topics_request_topic topic = new_topic(name, 1, 1);
	struct kl_create_topics_request_config config = {
		.name = KL_STR("message.timestamp.type"),
		.value = KL_STR("LogAppendTime")};
	topic.configs = &config;
	topic.configs_n = 1;
	ck_assert_int_eq(create_error(topic), 0);
	struct kl_describe_configs_response *r;
	do
		r = describe_configs(2, name, "message.timestamp.type");
	while (r->results[0].error_code != 0);
	ck_assert_int_eq(r->results[0].configs_n, 1);
	ck_assert(kl_str_is(r->results[0].configs[0].value, "LogAppendTime"));
	ck_assert_int_eq(r->results[0].configs[0].config_source, 1);
	r = describe_configs(2, name, NULL);
	ck_assert_int_ge(r->results[0].configs_n, 37);
	r = describe_configs(2, "no-such", NULL);
	ck_assert_int_eq(r->results[0].error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	r = describe_configs(4, "1", "message.max.bytes");
	ck_assert(kl_str_is(r->results[0].configs[0].value, "1048588"));
	r = describe_configs(4, "17", NULL);
	ck_assert_int_eq(r->results[0].error_code, KLAMM_ERR_INVALID_REQUEST);
}
END_TEST

/* The topic's own rules, where records come in. */
START_TEST(obeys_settings)
{
	const char *name = peer_topic();
	struct kl_create_topics_request_topic topic = new_topic(name, 1, 1);
	struct kl_create_topics_request_config configs[] = {
		{.name = KL_STR("message.timestamp.type"),
		 .value = KL_STR("LogAppendTime")},
		{.name = KL_STR("max.message.bytes"), .value = KL_STR("200")},
	};
	topic.configs = configs;
	topic.configs_n = 2;
	ck_assert_int_eq(create_error(topic), 0);
	while (peer_fetch(peer, name, 0, 0)->error_code != 0)
		;
	struct peer_batch b;
	peer_batch(&b, 100, 1000);
	ck_assert_int_eq(peer_produce(peer, name, 0, b.data, b.len)->error_code,
			 KLAMM_ERR_MESSAGE_TOO_LARGE);
	peer_batch(&b, 2, 1000);
	struct kl_produce_response_partition *r =
		peer_produce(peer, name, 0, b.data, b.len);
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_gt(r->log_append_time_ms, 1500000000000);
}
END_TEST

UNIT_SUITE(topics)
{
	Suite *s = suite_create("topics");
	unit_add_fixture(s, creates, up, down);
	unit_add_fixture(s, refuses_to_create, up, down);
	unit_add_fixture(s, refuses_names_that_collide, up, down);
	unit_add_fixture(s, places_as_told, up, down);
	unit_add_fixture(s, grows, up, down);
	unit_add_fixture(s, deletes, up, down);
	unit_add_fixture(s, tells_metadata, up, down);
	unit_add_fixture(s, tells_a_topic_once, up, down);
	unit_add_fixture(s, creates_for_metadata, up, down);
	unit_add_fixture(s, describes_page_by_page, up, down);
	unit_add_fixture(s, describes_settings, up, down);
	unit_add_fixture(s, obeys_settings, up, down);
	if (!peer_is_foreign())
		unit_add(s, creates_nothing_unasked);
	return s;
}
