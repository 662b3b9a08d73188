/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics and clusters through the admin client: what is asked of whom, what is asked
 * again, and whose error is whose. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "tests/unit/admin/pair.h"
#include "tests/unit/unit.h"

static int create(const char *const *names, size_t n, struct klamm_error *errors,
		  struct klamm_error *err)
{
	struct klamm_topic_config config = {"retention.ms", "1000"};
	struct klamm_new_topic topics[4];
	const struct klamm_new_topic *pointers[4];
	for (size_t i = 0; i < n; i++) {
		topics[i] = (struct klamm_new_topic){
			.size = sizeof(topics[i]),
			.name = names[i],
			.partitions = 3,
			.replicas = -1,
			.configs = &config,
			.config_count = i > 0 ? 1 : 0,
		};
		pointers[i] = &topics[i];
	}
	return klamm_admin_create_topics(admin, pointers, n, 0, 20000, errors, err);
}

/* --- create --- */

static struct kl_create_topics_response *created(
	const struct kl_frame_header *head,
	const struct kl_create_topics_request *request, struct kl_arena *arena)
{
	struct kl_create_topics_response *body = peer_answer(head, arena);
	body->topics = kl_type_new(&kl_type_create_topics_response_topic, arena,
				   (size_t)request->topics_n);
	body->topics_n = request->topics_n;
	for (int32_t i = 0; i < request->topics_n; i++)
		body->topics[i].name = request->topics[i].name;
	return body;
}

static const void *quota_once(struct peer *peer, const struct kl_frame_header *head,
			      const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_CREATE_TOPICS)
		return NULL;
	const struct kl_create_topics_request *ask = request;
	struct kl_create_topics_response *body = created(head, ask, arena);
	if (peer->asked[head->api] == 1) {
		ck_assert_int_eq(ask->topics_n, 3);
		ck_assert_int_eq(ask->topics[1].num_partitions, 3);
		ck_assert_int_eq(ask->topics[1].replication_factor, -1);
		ck_assert_int_eq(ask->topics[1].configs_n, 1);
		ck_assert(kl_str_is(ask->topics[1].configs[0].name, "retention.ms"));
		ck_assert_int_gt(ask->timeout_ms, 1000);
		body->topics[0].error_code = KLAMM_ERR_THROTTLING_QUOTA_EXCEEDED;
		body->topics[1].error_code = KLAMM_ERR_TOPIC_ALREADY_EXISTS;
		body->topics[1].error_message = KL_STR("it is there");
	} else {
		ck_assert_int_eq(ask->topics_n, 1);
		ck_assert(kl_str_is(ask->topics[0].name, "a"));
	}
	return body;
}

/* What passes is asked for again, alone; what is final is not. */
START_TEST(each_topic_has_its_error)
{
	static const char *const names[] = {"a", "b", "c"};
	struct klamm_error errors[3], err;
	begin(quota_once, _i == 1);
	ck_assert_int_eq(create(names, 3, errors, &err),
			 KLAMM_ERR_TOPIC_ALREADY_EXISTS);
	ck_assert_str_eq(err.text, "topic b: it is there");
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_TOPIC_ALREADY_EXISTS);
	ck_assert_int_eq(errors[2].code, 0);
	ck_assert_uint_eq(peers[0].asked[KL_API_CREATE_TOPICS], 2);
	end();
}
END_TEST

static const void *other_controller(struct peer *peer,
				    const struct kl_frame_header *head,
				    const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_CREATE_TOPICS)
		return NULL;
	struct kl_create_topics_response *body = created(head, request, arena);
	if (peer->id != 8)
		body->topics[0].error_code = KLAMM_ERR_NOT_CONTROLLER;
	return body;
}

START_TEST(goes_to_the_controller)
{
	static const char *const names[] = {"a"};
	struct klamm_error err;
	peer_start(&peers[1], 8, pair_answer, NULL);
	begin(other_controller, false);
	ck_assert_int_eq(create(names, 1, NULL, &err), 0);
	ck_assert_uint_eq(peers[1].asked[KL_API_CREATE_TOPICS], 1);
	/* And straight there the next time. */
	unsigned before = peers[0].asked[KL_API_CREATE_TOPICS];
	ck_assert_int_eq(create(names, 1, NULL, &err), 0);
	ck_assert_uint_eq(peers[0].asked[KL_API_CREATE_TOPICS], before);
	end();
}
END_TEST

static const void *left_out(struct peer *peer, const struct kl_frame_header *head,
			    const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_CREATE_TOPICS)
		return NULL;
	struct kl_create_topics_response *body = created(head, request, arena);
	body->topics[1].name = KL_STR("nobody asked");
	return body;
}

START_TEST(topic_left_out)
{
	static const char *const names[] = {"a", "b"};
	struct klamm_error errors[2], err;
	begin(left_out, false);
	ck_assert_int_eq(create(names, 2, errors, &err), KLAMM_ERR_PROTOCOL);
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.text, "topic b"));
	end();
}
END_TEST

static const void *hang_up_twice(struct peer *peer, const struct kl_frame_header *head,
				 const void *request, struct kl_arena *arena)
{
	if (head->api != KL_API_CREATE_TOPICS || peer->asked[head->api] <= 2)
		return NULL;
	return created(head, request, arena);
}

START_TEST(lost_connections)
{
	static const char *const names[] = {"a"};
	struct klamm_error err;
	begin(hang_up_twice, _i == 1);
	ck_assert_int_eq(create(names, 1, NULL, &err), 0);
	ck_assert_uint_eq(peers[0].asked[KL_API_CREATE_TOPICS], 3);
	end();
}
END_TEST

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000ll + t.tv_nsec / 1000000;
}

static const void *no_answer(struct peer *peer, const struct kl_frame_header *head,
			     const void *request, struct kl_arena *arena)
{
	pause();
	return NULL;
}

START_TEST(silent_broker)
{
	const char *name = "a";
	struct klamm_error errors[1], err;
	begin(no_answer, _i == 1);
	int64_t start = now_ms();
	ck_assert_int_eq(klamm_admin_delete_topics(admin, &name, 1, 1500, errors, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(now_ms() - start, 1490);
	ck_assert_int_lt(now_ms() - start, 15000);
	ck_assert_int_eq(errors[0].code, KLAMM_ERR_TIMED_OUT);
	ck_assert_msg(strstr(err.text, "deleting topics: timed out; ") != NULL, "%s",
		      err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1:"));
	/* Request and call end at the same time: whichever is seen first. */
	ck_assert(strstr(err.text, ": waiting for an answer") != NULL ||
		  strstr(err.text, "did not answer DeleteTopics in time") != NULL);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_API);
	end();
}
END_TEST

START_TEST(nobody_there)
{
	struct klamm_cluster_description *cluster;
	struct klamm_error err;
	admin = connect_to("127.0.0.1:1", NULL);
	ck_assert_int_eq(klamm_admin_describe_cluster(admin, 1000, &cluster, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_TCP);
	ck_assert_ptr_nonnull(strstr(err.text, "127.0.0.1:1"));
	klamm_admin_free(admin);
}
END_TEST

/* What KLAMM_TIMEOUT_DEFAULT stands for. */
START_TEST(opt_default_api_timeout_ms)
{
	struct klamm_cluster_description *cluster;
	struct klamm_conf *conf;
	struct klamm_error err;
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	klamm_conf_set(conf, "bootstrap.servers", "127.0.0.1:1", NULL);
	klamm_conf_set(conf, "request.timeout.ms", "100", NULL);
	ck_assert_int_eq(klamm_conf_set(conf, "default.api.timeout.ms", "250", &err), 0);
	ck_assert_msg(klamm_admin_new(conf, NULL, &admin, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	int64_t begun = now_ms();
	ck_assert_int_eq(klamm_admin_describe_cluster(admin, KLAMM_TIMEOUT_DEFAULT, &cluster,
						      &err), KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(now_ms() - begun, 249);
	klamm_admin_free(admin);
}
END_TEST

/* -1 for the broker's own numbers is newer than what this one speaks. */
START_TEST(numbers_of_an_old_broker)
{
	static const char *const names[] = {"a"};
	struct klamm_error errors[1], err;
	begin(NULL, false);
	peers[0].max[KL_API_CREATE_TOPICS] = 3;
	ck_assert_int_eq(create(names, 1, errors, &err), KLAMM_ERR_UNSUPPORTED);
	ck_assert_msg(strstr(err.text, "broker's own number of partitions or replicas "
				       "(Kafka 2.4): ") != NULL, "%s", err.text);
	ck_assert_ptr_nonnull(strstr(err.text, "CreateTopics"));
	ck_assert_int_eq(errors[0].code, KLAMM_ERR_UNSUPPORTED);
	ck_assert_uint_eq(peers[0].asked[KL_API_CREATE_TOPICS], 0);
	end();
}
END_TEST

START_TEST(names_that_cannot_be)
{
	static const char *const twice[] = {"a", "b", "a"}, *const empty[] = {"a", ""};
	struct klamm_error errors[3], err;
	begin(NULL, false);
	ck_assert_int_eq(create(twice, 3, errors, &err), KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_str_eq(err.text, "topic a: named twice");
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(create(empty, 2, NULL, NULL), KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(create(NULL, 0, NULL, NULL), 0);
	ck_assert_uint_eq(peers[0].connections, 0);
	end();
}
END_TEST

/* --- delete --- */

static const void *deleted(struct peer *peer, const struct kl_frame_header *head,
			   const void *request, struct kl_arena *arena)
{
	const struct kl_delete_topics_request *ask = request;
	if (head->api != KL_API_DELETE_TOPICS)
		return NULL;
	ck_assert_int_eq(head->version, peer->max[head->api]);
	struct kl_delete_topics_response *body = peer_answer(head, arena);
	body->responses = kl_type_new(&kl_type_delete_topics_response_topic, arena, 2);
	body->responses_n = 2;
	/* The other way round: answers are found by name. */
	for (int i = 0; i < 2; i++)
		body->responses[1 - i].name =
			head->version >= 6 ? ask->topics[i].name : ask->topic_names[i];
	ck_assert(kl_str_is(body->responses[0].name, "b"));
	body->responses[0].error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	return body;
}

START_TEST(delete_in_both_forms)
{
	static const char *const names[] = {"a", "b"};
	struct klamm_error errors[2], err;
	begin(deleted, false);
	peers[0].max[KL_API_DELETE_TOPICS] = _i == 0 ? 3 : 6;
	ck_assert_int_eq(klamm_admin_delete_topics(admin, names, 2, 20000, errors, &err),
			 KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	end();
}
END_TEST

/* --- describe --- */

static const void *two_topics(struct peer *peer, const struct kl_frame_header *head,
			      const void *request, struct kl_arena *arena)
{
	const struct kl_metadata_request *ask = request;
	if (head->api != KL_API_METADATA)
		return NULL;
	struct kl_metadata_response *body = (void *)pair_metadata(head, arena);
	bool all = head->version == 0 ? ask->topics_n == 0 : ask->topics_n < 0;
	if (ask->topics_n == 0 && !all)
		return body;
	ck_assert(all || head->version >= 4);
	ck_assert(head->version < 4 || !ask->allow_auto_topic_creation);
	body->topics = kl_type_new(&kl_type_metadata_response_topic, arena, 2);
	body->topics_n = 2;
	body->topics[0].name = KL_STR("z");
	body->topics[0].error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	struct kl_metadata_response_topic *t = &body->topics[1];
	static int32_t ids[] = {7, 8};
	t->name = KL_STR("a");
	t->partitions = kl_type_new(&kl_type_metadata_response_partition, arena, 2);
	t->partitions_n = 2;
	for (int i = 0; i < 2; i++) {
		t->partitions[i].partition_index = 1 - i;
		t->partitions[i].leader_id = ids[i];
		t->partitions[i].replica_nodes = ids;
		t->partitions[i].replica_nodes_n = 2;
		t->partitions[i].isr_nodes = ids;
		t->partitions[i].isr_nodes_n = 1;
	}
	return body;
}

static void check_topics(const struct klamm_topic_list *list)
{
	ck_assert_uint_eq(list->count, 2);
	const struct klamm_topic_description *a = list->topics[0];
	ck_assert_str_eq(a->name, "a");
	ck_assert_int_eq(a->error, 0);
	ck_assert_uint_eq(a->partition_count, 2);
	ck_assert_int_eq(a->partitions[0]->partition, 0);
	ck_assert_int_eq(a->partitions[0]->leader, 8);
	ck_assert_int_eq(a->partitions[1]->partition, 1);
	ck_assert_uint_eq(a->partitions[1]->replica_count, 2);
	ck_assert_int_eq(a->partitions[1]->replicas[1], 8);
	ck_assert_uint_eq(a->partitions[1]->in_sync_count, 1);
	ck_assert_uint_eq(a->partitions[1]->offline_count, 0);
	ck_assert_str_eq(list->topics[1]->name, "z");
	ck_assert_int_eq(list->topics[1]->error, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
}

START_TEST(topics_in_order)
{
	static const char *const names[] = {"z", "a"};
	struct klamm_topic_list *list;
	begin(two_topics, _i == 1);
	ck_assert_int_eq(
		klamm_admin_describe_topics(admin, names, 2, 20000, &list, NULL), 0);
	check_topics(list);
	klamm_topic_list_free(list);
	ck_assert_int_eq(klamm_admin_describe_topics(admin, NULL, 0, 20000, &list, NULL),
			 0);
	check_topics(list);
	klamm_topic_list_free(list);
	ck_assert_int_eq(
		klamm_admin_describe_topics(admin, names, 0, 20000, &list, NULL), 0);
	ck_assert_uint_eq(list->count, 0);
	klamm_topic_list_free(list);
	end();
}
END_TEST

/* Naming a topic could create it there, so all are asked for; in Metadata 0 by an empty
 * list. */
START_TEST(topics_of_an_old_broker)
{
	static const char *const names[] = {"none", "a"};
	struct klamm_topic_list *list;
	begin(two_topics, false);
	peers[0].max[KL_API_METADATA] = _i;
	ck_assert_int_eq(klamm_admin_describe_topics(admin, NULL, 0, 20000, &list, NULL),
			 0);
	check_topics(list);
	klamm_topic_list_free(list);
	ck_assert_int_eq(
		klamm_admin_describe_topics(admin, names, 2, 20000, &list, NULL), 0);
	ck_assert_uint_eq(list->count, 2);
	ck_assert_str_eq(list->topics[0]->name, "a");
	ck_assert_uint_eq(list->topics[0]->partition_count, 2);
	ck_assert_str_eq(list->topics[1]->name, "none");
	ck_assert_int_eq(list->topics[1]->error, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	klamm_topic_list_free(list);
	end();
}
END_TEST

START_TEST(cluster_with_brokers)
{
	struct klamm_cluster_description *cluster;
	peer_start(&peers[1], 8, pair_answer, NULL);
	begin(NULL, false);
	ck_assert_int_eq(klamm_admin_describe_cluster(admin, 20000, &cluster, NULL), 0);
	ck_assert_str_eq(cluster->id, "cluster");
	ck_assert_int_eq(cluster->controller, 8);
	ck_assert_uint_eq(cluster->broker_count, 2);
	ck_assert_int_eq(cluster->brokers[0]->id, 7);
	ck_assert_str_eq(cluster->brokers[0]->rack, "r0");
	ck_assert_int_eq(cluster->brokers[1]->port, peers[1].port);
	ck_assert_str_eq(cluster->brokers[1]->host, "127.0.0.1");
	ck_assert_ptr_null(cluster->brokers[1]->rack);
	klamm_cluster_description_free(cluster);
	end();
}
END_TEST

UNIT_SUITE(admin_topics)
{
	Suite *s = suite_create("admin_topics");
	unit_add_loop(s, each_topic_has_its_error, 2);
	unit_add(s, goes_to_the_controller);
	unit_add(s, topic_left_out);
	unit_add_loop(s, lost_connections, 2);
	unit_add_loop(s, silent_broker, 2);
	unit_add(s, nobody_there);
	unit_add(s, opt_default_api_timeout_ms);
	unit_add(s, numbers_of_an_old_broker);
	unit_add(s, names_that_cannot_be);
	unit_add_loop(s, delete_in_both_forms, 2);
	unit_add_loop(s, topics_in_order, 2);
	unit_add_loop(s, topics_of_an_old_broker, 4);
	unit_add(s, cluster_with_brokers);
	return s;
}
