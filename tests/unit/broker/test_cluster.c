/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client knows of its cluster, from metadata that a script makes up. */
#include "core/broker/cluster.h"

#include <stdio.h>
#include <unistd.h>

#include "tests/unit/broker/bench.h"

static struct kl_cluster cluster;
static int told; /* about topics */
static int32_t role;

/* What the script says of topic "t", and of the brokers beside itself. */
static struct {
	_Atomic int error, partitions, leader, epoch;
	_Atomic unsigned char id; /* another topic of the same name */
	_Atomic int top_error;
	_Atomic int other_id, other_port; /* a second broker; id 0 = none */
	_Atomic bool no_brokers, silent;
	_Atomic int asked;
} says;

static bool answer(const struct script_request *request)
{
	if (request->header.api != KL_API_METADATA)
		return false;
	says.asked++;
	if (says.silent)
		return true;
	struct kl_metadata_response *body = script_metadata(request);
	body->error_code = (int16_t)says.top_error;
	if (says.no_brokers)
		body->brokers_n = 0;
	if (says.other_id != 0) {
		struct kl_metadata_response_broker own = body->brokers[0];
		body->brokers = kl_type_new(&kl_type_metadata_response_broker,
					    request->arena, 2);
		body->brokers[0] = own;
		body->brokers[1] = own;
		body->brokers[1].node_id = says.other_id;
		body->brokers[1].port = says.other_port;
		body->brokers_n = 2;
	}
	for (int32_t i = 0; i < body->topics_n; i++) {
		struct kl_metadata_response_topic *topic = &body->topics[i];
		int n = says.partitions;
		topic->error_code = (int16_t)says.error;
		topic->topic_id.bytes[14] = says.id;
		topic->partitions_n = topic->error_code != 0 ? 0 : n;
		topic->partitions = kl_type_new(&kl_type_metadata_response_partition,
						request->arena, (size_t)n);
		for (int k = 0; k < n; k++)
			topic->partitions[k] = (struct kl_metadata_response_partition){
				.partition_index = k,
				.leader_id = says.leader,
				.leader_epoch = says.epoch,
				.error_code = says.leader < 0
						      ? KLAMM_ERR_LEADER_NOT_AVAILABLE
						      : 0,
			};
	}
	script_answer(request, body);
	return true;
}

static void on_topic(struct kl_cluster *of, struct kl_topic_info *topic)
{
	ck_assert_ptr_eq(of, &cluster);
	told++;
}

static const struct kl_cluster_ops ops = {.topic = on_topic};

static void start(void)
{
	struct klamm_error err;
	bench_script.handle = answer;
	script_start(&bench_script);
	char servers[64];
	snprintf(servers, sizeof(servers), "bootstrap.servers=127.0.0.1:%d",
		 bench_script.port);
	bench_set(servers, NULL);
	bench_configure(role);
	int rc = kl_cluster_init(&cluster, bench_loop, bench_settings, NULL, bench_slabs, &ops,
				 &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

static void up(void)
{
	bench_up();
	bench_set("retry.backoff.ms=20", "retry.backoff.max.ms=60", "reconnect.backoff.ms=10",
		  "reconnect.backoff.max.ms=40", NULL);
	role = KLAMM_ROLE_PRODUCER;
	memset(&says, 0, sizeof(says));
	says.partitions = 3;
	says.leader = 1;
	says.epoch = 5;
	told = 0;
}

static void finish(void)
{
	kl_cluster_free(&cluster);
	ck_assert_uint_eq(bench_loop->timer_count, 0);
	ck_assert_ptr_null(kl_heap_first(&bench_loop->timers));
	bench_run(30); /* nothing of it runs any more */
	script_stop(&bench_script);
	bench_down();
}

static bool was_told(void *arg)
{
	return told >= *(int *)arg;
}

static void wait_told(int times)
{
	ck_assert(bench_until(was_told, &times, 10000));
}

static bool is_settled(void *arg)
{
	const struct kl_topic_info *topic = arg;
	return topic->error == 0 && topic->partition_count > 0 &&
	       topic->partitions[0].error == 0;
}

static void wait_settled(struct kl_topic_info *topic)
{
	ck_assert(bench_until(is_settled, topic, 10000));
}

static bool was_asked(void *arg)
{
	return says.asked >= *(int *)arg;
}

static bool wait_asked(int times, int ms)
{
	return bench_until(was_asked, &times, ms);
}

START_TEST(learns_topics_and_brokers)
{
	start();
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	ck_assert_int_eq(topic->error, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	wait_told(1);
	ck_assert_int_eq(topic->error, 0);
	ck_assert_int_eq(topic->partition_count, 3);
	ck_assert_int_eq(topic->partitions[2].leader, 1);
	ck_assert_int_eq(topic->partitions[2].leader_epoch, 5);
	ck_assert_str_eq(cluster.cluster_id, "scripted");
	ck_assert_ptr_nonnull(kl_cluster_node(&cluster, 1));
	ck_assert_ptr_eq(kl_cluster_controller(&cluster), kl_cluster_node(&cluster, 1));
	ck_assert_ptr_null(kl_cluster_node(&cluster, 2));
	ck_assert_ptr_eq(kl_cluster_want(&cluster, "t"), topic);
	kl_cluster_unwant(&cluster, topic);
	kl_cluster_unwant(&cluster, topic);
	/* Settled: nothing more is asked. */
	int asked = says.asked;
	bench_run(150);
	ck_assert_int_eq(says.asked, asked);
}
END_TEST

static const int waits_for[] = {KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				KLAMM_ERR_LEADER_NOT_AVAILABLE};

START_TEST(asks_until_a_topic_is_there)
{
	start();
	says.error = waits_for[_i];
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(3);
	ck_assert_int_eq(topic->error, waits_for[_i]);
	says.error = 0;
	wait_settled(topic);
}
END_TEST

START_TEST(takes_a_final_error_for_an_answer)
{
	start();
	says.error = KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED;
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(1);
	int asked = says.asked;
	bench_run(200);
	ck_assert_int_eq(says.asked, asked);
	ck_assert_int_eq(topic->error, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED);
	says.error = 0;
	kl_cluster_refresh(&cluster, topic);
	wait_told(2);
	ck_assert_int_eq(topic->error, 0);
}
END_TEST

START_TEST(asks_until_partitions_have_leaders)
{
	start();
	says.leader = -1;
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(3);
	ck_assert_int_eq(topic->partitions[0].leader, -1);
	ck_assert_int_eq(topic->partitions[0].error, KLAMM_ERR_LEADER_NOT_AVAILABLE);
	says.leader = 1;
	wait_settled(topic);
	ck_assert_int_eq(topic->partitions[0].leader, 1);
}
END_TEST

START_TEST(partitions_grow_and_old_epochs_are_old_news)
{
	start();
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(1);
	says.partitions = 8;
	kl_cluster_refresh(&cluster, topic);
	wait_told(2);
	ck_assert_int_eq(topic->partition_count, 8);
	says.partitions = 2; /* a broker that lags behind */
	says.epoch = 4;
	says.leader = 9;
	kl_cluster_refresh(&cluster, topic);
	wait_told(3);
	ck_assert_int_eq(topic->partition_count, 8);
	ck_assert_int_eq(topic->partitions[1].leader, 1);
	ck_assert_int_eq(topic->partitions[1].leader_epoch, 5);
}
END_TEST

/* Deleted, and made again with fewer partitions and a younger epoch. */
START_TEST(a_topic_made_again_is_another)
{
	start();
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	says.partitions = 8;
	wait_told(1);
	says.error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	kl_cluster_refresh(&cluster, topic);
	wait_told(2);
	ck_assert_int_eq(topic->partition_count, 8); /* it may be a lagging broker */
	says.error = 0;
	says.partitions = 2;
	says.epoch = 0;
	says.id = 1;
	wait_settled(topic);
	ck_assert_int_eq(topic->partition_count, 2);
	ck_assert_int_eq(topic->partitions[1].leader_epoch, 0);
}
END_TEST

static bool is_news(struct kl_topic_info *topic, int32_t partition, struct kl_leader_hint hint)
{
	return kl_cluster_leader_hint(&cluster, topic, partition, &hint);
}

/* KIP-951 */
START_TEST(leader_hints)
{
	start();
	says.other_id = 2;
	says.other_port = bench_script.port;
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(1);
	ck_assert(!is_news(topic, 0, (struct kl_leader_hint){2, 5})); /* no newer */
	ck_assert(!is_news(topic, 0, (struct kl_leader_hint){3, 6})); /* who is that? */
	ck_assert(!is_news(topic, 0, (struct kl_leader_hint){-1, -1}));
	ck_assert(!is_news(topic, 3, (struct kl_leader_hint){2, 6}));
	ck_assert(!is_news(topic, -1, (struct kl_leader_hint){2, 6}));
	ck_assert(is_news(topic, 0, (struct kl_leader_hint){2, 6}));
	ck_assert_int_eq(topic->partitions[0].leader, 2);
	/* One that Metadata has not named yet, and where it is. */
	struct kl_leader_hint hint = {3, 7, KL_STR("127.0.0.1"), 0, KL_STR("r3")};
	ck_assert(!is_news(topic, 0, hint)); /* no port */
	ck_assert_ptr_null(kl_cluster_node(&cluster, 3));
	hint.port = bench_script.port;
	hint.epoch = 6;
	ck_assert(!is_news(topic, 0, hint)); /* no newer: it is not kept */
	ck_assert_ptr_null(kl_cluster_node(&cluster, 3));
	hint.epoch = 7;
	ck_assert(is_news(topic, 0, hint));
	ck_assert_int_eq(topic->partitions[0].leader, 3);
	ck_assert_ptr_nonnull(kl_cluster_node(&cluster, 3));
	ck_assert_str_eq(kl_cluster_rack(&cluster, 3), "r3");
}
END_TEST

static bool knows_broker(void *arg)
{
	struct kl_node *node = kl_cluster_node(&cluster, 1);
	return node != NULL && kl_node_connect(node);
}

static bool answer_no_fetch(const struct script_request *request)
{
	return request->header.api == KL_API_FETCH || answer(request);
}

/* A broker that is not listed any more: what it was asked may be asked of another. */
START_TEST(requests_to_a_lost_broker_come_back)
{
	start();
	struct script mute = {.handle = answer_no_fetch, .advertise = bench_script.port};
	script_start(&mute);
	says.other_id = 2;
	says.other_port = mute.port;
	struct kl_topic_info *topic = kl_cluster_want(&cluster, "t");
	wait_told(1);
	struct bench_call call;
	bench_call_init(&call);
	call.request.api = KL_API_FETCH;
	struct kl_fetch_request body;
	kl_msg_init(&kl_msg_fetch_request, &body);
	body.topics_n = body.forgotten_topics_data_n = 0;
	call.request.body = &body;
	call.request.max_version = 12;
	/* So that it is asked, not the other. */
	ck_assert(bench_until(knows_broker, NULL, 5000));
	kl_node_request(kl_cluster_node(&cluster, 2), &call.request);
	if (_i == 0)
		says.other_id = 0;
	else
		says.other_port = bench_script.port; /* it moved */
	kl_cluster_refresh(&cluster, topic);
	wait_told(2);
	ck_assert(bench_until(bench_call_done, &call, 5000));
	ck_assert_int_eq(call.code, KLAMM_ERR_DISCONNECTED);
	ck_assert_int_eq(call.done, 1);
	ck_assert_int_eq(kl_cluster_node(&cluster, 2) == NULL, _i == 0);
	kl_request_free(&call.request);
	script_stop(&mute);
}
END_TEST

START_TEST(answer_without_brokers_is_none)
{
	start();
	says.no_brokers = true;
	kl_cluster_want(&cluster, "t");
	ck_assert(wait_asked(3, 5000));
	bench_run(50);
	ck_assert_int_eq(told, 0);
	struct klamm_error err;
	kl_cluster_timed_out(&cluster, &err, "metadata");
	ck_assert_int_eq(err.code, KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "metadata: timed out; last error: "));
	ck_assert_ptr_nonnull(strstr(err.text, "names no broker"));
	says.no_brokers = false;
	wait_told(1);
}
END_TEST

START_TEST(freed_while_it_asks)
{
	start();
	says.silent = true;
	kl_cluster_want(&cluster, "t");
	if (_i == 1)
		ck_assert(wait_asked(1, 5000)); /* in flight */
	else
		kl_loop_step(bench_loop, 0); /* waits for the connection */
	/* finish() frees it, and looks for what is left in the loop. */
}
END_TEST

/* --- options --- */

START_TEST(opt_bootstrap_servers)
{
	char servers[128];
	script_start(&bench_script);
	snprintf(servers, sizeof(servers),
		 "bootstrap.servers=127.0.0.1:%d,127.0.0.1:%d,127.0.0.1:%d",
		 script_dead_port(), bench_script.port, script_dead_port());
	bench_script.handle = answer;
	bench_set(servers, "retry.backoff.ms=10", "reconnect.backoff.ms=10", NULL);
	bench_configure(KLAMM_ROLE_PRODUCER);
	ck_assert_int_eq(kl_cluster_init(&cluster, bench_loop, bench_settings, NULL,
					 bench_slabs, &ops, NULL),
			 0);
	kl_cluster_want(&cluster, "t");
	wait_told(1);
}
END_TEST

START_TEST(opt_metadata_max_age_ms)
{
	bench_set(_i == 0 ? "metadata.max.age.ms=100" : "metadata.max.age.ms=60000", NULL);
	start();
	kl_cluster_want(&cluster, "t");
	wait_told(1);
	int asked = says.asked;
	ck_assert_int_eq(wait_asked(asked + 3, _i == 0 ? 5000 : 500), _i == 0);
}
END_TEST

/* A missing topic is asked for. */
static int begin_asking(void)
{
	says.error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	kl_cluster_want(&cluster, "t");
	ck_assert(wait_asked(1, 5000));
	return says.asked;
}

START_TEST(opt_retry_backoff_ms)
{
	bench_set("retry.backoff.ms=300", "retry.backoff.max.ms=300", NULL);
	start();
	int64_t begun = script_ms();
	int asked = begin_asking();
	bench_run(1000);
	asked = says.asked - asked;
	ck_assert_int_le(asked, (script_ms() - begun) / 240 + 1); /* it jitters */
}
END_TEST

START_TEST(opt_retry_backoff_max_ms)
{
	bench_set("retry.backoff.ms=10", _i == 0 ? "retry.backoff.max.ms=10"
						  : "retry.backoff.max.ms=10000", NULL);
	start();
	int asked = begin_asking();
	if (_i == 0) { /* every 8 to 12 ms, and not in 10 ms << 19 */
		ck_assert(wait_asked(asked + 20, 30000));
	} else {
		bench_run(1000);
		ck_assert_int_le(says.asked - asked, 9); /* 10, 20, 40, ... 640 */
	}
}
END_TEST

static bool auto_create;

static bool see_auto_create(const struct script_request *request)
{
	if (request->header.api == KL_API_METADATA)
		auto_create = ((const struct kl_metadata_request *)request->body)
				      ->allow_auto_topic_creation;
	return answer(request);
}

START_TEST(opt_allow_auto_create_topics)
{
	static const int32_t roles[] = {KLAMM_ROLE_PRODUCER, KLAMM_ROLE_CONSUMER,
					KLAMM_ROLE_CONSUMER};
	role = roles[_i];
	if (_i > 0)
		bench_set(_i == 1 ? "allow.auto.create.topics=false"
				  : "allow.auto.create.topics=true", NULL);
	start();
	bench_script.handle = see_auto_create;
	kl_cluster_want(&cluster, "t");
	wait_told(1);
	ck_assert_int_eq(auto_create, _i != 1);
}
END_TEST

/* Their Metadata has no word for that. */
START_TEST(brokers_before_0_11_create_as_they_like)
{
	role = KLAMM_ROLE_CONSUMER;
	bench_set("allow.auto.create.topics=false", "klamm.broker.version=0.9", NULL);
	start();
	bench_script.handle = see_auto_create;
	wait_settled(kl_cluster_want(&cluster, "t"));
	ck_assert(auto_create);
}
END_TEST

static struct kl_api_versions_request seen_versions;
static char seen_cluster[32];

static bool see_versions(const struct script_request *request)
{
	if (request->header.api == KL_API_API_VERSIONS) {
		seen_versions = *(const struct kl_api_versions_request *)request->body;
		snprintf(seen_cluster, sizeof(seen_cluster), "%.*s",
			 kl_max(seen_versions.cluster_id.len, 0), seen_versions.cluster_id.p);
	}
	return answer(request);
}

/* KIP-1242: brokers other than bootstrap ones hear who they are taken for. */
START_TEST(opt_metadata_cluster_check_enable)
{
	bench_set(_i == 0 ? "metadata.cluster.check.enable=true"
			  : "metadata.cluster.check.enable=false", NULL);
	start();
	bench_script.handle = see_versions;
	kl_cluster_want(&cluster, "t");
	wait_told(1);
	ck_assert(bench_until(knows_broker, NULL, 5000));
	ck_assert_str_eq(seen_cluster, _i == 0 ? "scripted" : "");
	ck_assert_int_eq(seen_versions.node_id, _i == 0 ? 1 : -1);
}
END_TEST

/* KIP-899, KIP-1102: the brokers it knew of are gone; the bootstrap server is not. */
static void start_over(const char *strategy, const char *trigger)
{
	struct script first = {.handle = answer};
	script_start(&first);
	bench_script.handle = answer;
	script_start(&bench_script);
	char servers[64];
	snprintf(servers, sizeof(servers), "bootstrap.servers=127.0.0.1:%d",
		 bench_script.port);
	bench_set(servers, strategy, trigger, "retry.backoff.ms=20", "retry.backoff.max.ms=40",
		  "reconnect.backoff.ms=10", "reconnect.backoff.max.ms=20",
		  "metadata.max.age.ms=50", NULL);
	bench_configure(KLAMM_ROLE_PRODUCER);
	bench_script.advertise = first.port; /* where metadata points to */
	ck_assert_int_eq(kl_cluster_init(&cluster, bench_loop, bench_settings, NULL,
					 bench_slabs, &ops, NULL),
			 0);
	kl_cluster_want(&cluster, "t");
	wait_told(1);
	wait_told(told + 2);
	script_stop(&first);
	bench_script.advertise = bench_script.port;
	bench_run(50); /* what is under way ends */
}

START_TEST(opt_metadata_recovery_strategy)
{
	start_over(_i == 0 ? "metadata.recovery.strategy=rebootstrap"
			   : "metadata.recovery.strategy=none",
		   "metadata.recovery.rebootstrap.trigger.ms=300000");
	int before = told;
	if (_i == 0) {
		wait_told(before + 1);
	} else {
		bench_run(1000);
		ck_assert_int_eq(told, before);
	}
}
END_TEST

static bool broker_moved(void *arg)
{
	const struct kl_node *node = kl_cluster_node(&cluster, 1);
	return node != NULL && node->port == bench_script.port;
}

static bool mute_metadata(const struct script_request *request)
{
	return request->header.api == KL_API_METADATA;
}

/* A broker that takes connections but tells nothing is left after the trigger. */
START_TEST(opt_metadata_recovery_rebootstrap_trigger_ms)
{
	struct script stuck = {.handle = answer};
	script_start(&stuck);
	bench_script.handle = answer;
	script_start(&bench_script);
	char servers[64];
	snprintf(servers, sizeof(servers), "bootstrap.servers=127.0.0.1:%d",
		 bench_script.port);
	bench_set(servers, "metadata.recovery.strategy=rebootstrap",
		  _i == 0 ? "metadata.recovery.rebootstrap.trigger.ms=250"
			  : "metadata.recovery.rebootstrap.trigger.ms=60000",
		  "retry.backoff.ms=10", "retry.backoff.max.ms=20", "reconnect.backoff.ms=1",
		  "reconnect.backoff.max.ms=1", "metadata.max.age.ms=50",
		  "request.timeout.ms=100", NULL);
	bench_configure(KLAMM_ROLE_PRODUCER);
	bench_script.advertise = stuck.port;
	ck_assert_int_eq(kl_cluster_init(&cluster, bench_loop, bench_settings, NULL,
					 bench_slabs, &ops, NULL),
			 0);
	kl_cluster_want(&cluster, "t");
	wait_told(2);
	stuck.handle = mute_metadata;
	bench_script.advertise = bench_script.port;
	bench_run(20);
	int before = bench_script.requests[KL_API_METADATA];
	/* Its backoff of 1 ms may let bootstrap servers be asked in between (KIP-899), so what
	 * tells is that the known broker itself has changed. */
	if (_i == 0) {
		ck_assert(bench_until(broker_moved, NULL, 30000));
		ck_assert_int_gt(bench_script.requests[KL_API_METADATA], before);
	}
	script_stop(&stuck);
}
END_TEST

START_TEST(starts_over_when_told_to)
{
	start();
	kl_cluster_want(&cluster, "t");
	wait_told(1);
	says.top_error = KLAMM_ERR_REBOOTSTRAP_REQUIRED;
	kl_cluster_refresh(&cluster, NULL);
	int asked = says.asked;
	ck_assert(wait_asked(asked + 1, 5000));
	int64_t begun = script_ms();
	bench_run(300);
	/* With a backoff in between. */
	ck_assert_int_le(says.asked - asked, (script_ms() - begun) / 24 + 2);
	ck_assert_ptr_null(kl_cluster_node(&cluster, 1));
	says.top_error = 0;
	wait_told(told + 1);
	ck_assert_ptr_nonnull(kl_cluster_node(&cluster, 1));
}
END_TEST

UNIT_SUITE(cluster)
{
	Suite *s = suite_create("cluster");
	unit_add_fixture(s, learns_topics_and_brokers, up, finish);
	unit_add_case(s, "asks_until_a_topic_is_there", asks_until_a_topic_is_there, up,
		      finish, 2);
	unit_add_fixture(s, takes_a_final_error_for_an_answer, up, finish);
	unit_add_fixture(s, asks_until_partitions_have_leaders, up, finish);
	unit_add_fixture(s, partitions_grow_and_old_epochs_are_old_news, up, finish);
	unit_add_fixture(s, a_topic_made_again_is_another, up, finish);
	unit_add_fixture(s, leader_hints, up, finish);
	unit_add_case(s, "requests_to_a_lost_broker_come_back",
		      requests_to_a_lost_broker_come_back, up, finish, 2);
	unit_add_fixture(s, answer_without_brokers_is_none, up, finish);
	unit_add_case(s, "freed_while_it_asks", freed_while_it_asks, up, finish, 2);
	unit_add_fixture(s, opt_bootstrap_servers, up, finish);
	unit_add_case(s, "opt_metadata_max_age_ms", opt_metadata_max_age_ms, up, finish, 2);
	unit_add_fixture(s, opt_retry_backoff_ms, up, finish);
	unit_add_case(s, "opt_retry_backoff_max_ms", opt_retry_backoff_max_ms, up, finish, 2);
	unit_add_fixture(s, brokers_before_0_11_create_as_they_like, up, finish);
	unit_add_case(s, "opt_allow_auto_create_topics", opt_allow_auto_create_topics, up,
		      finish, 3);
	unit_add_case(s, "opt_metadata_cluster_check_enable",
		      opt_metadata_cluster_check_enable, up, finish, 2);
	unit_add_case(s, "opt_metadata_recovery_strategy", opt_metadata_recovery_strategy, up,
		      finish, 2);
	unit_add_case(s, "opt_metadata_recovery_rebootstrap_trigger_ms",
		      opt_metadata_recovery_rebootstrap_trigger_ms, up, finish, 1);
	unit_add_fixture(s, starts_over_when_told_to, up, finish);
	return s;
}
