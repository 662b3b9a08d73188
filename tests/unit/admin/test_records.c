/* SPDX-License-Identifier: BSD-2-Clause */
/* Deleting records through the admin client at the dev broker: each partition at its leader,
 * wherever that is by then. */
#include <klamm/admin.h>
#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <string.h>

#include "core/base/base.h"
#include "core/proto/gen/api.h"
#include "tests/unit/unit.h"

#define PATIENCE 20000
#define PARTITIONS 6
#define RECORDS 5

static struct klamm_broker *broker;
static struct klamm_admin *client;
static struct klamm_error err;

static struct klamm_conf *conf_of(void)
{
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers",
					klamm_broker_address(broker), NULL),
			 0);
	ck_assert_int_eq(klamm_conf_set(conf, "retry.backoff.ms", "5", NULL), 0);
	return conf;
}

static void fill(void)
{
	struct klamm_producer *producer;
	struct klamm_conf *conf = conf_of();
	ck_assert_msg(klamm_producer_new(conf, NULL, &producer, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	for (int i = 0; i < PARTITIONS * RECORDS; i++) {
		struct klamm_record record = KLAMM_RECORD_INIT;
		record.value = (struct klamm_span){"v", 1};
		record.partition = i % PARTITIONS;
		ck_assert_msg(klamm_producer_send_to(producer, "t", &record, NULL, &err) == 0,
			      "%s", err.text);
	}
	ck_assert_int_eq(klamm_producer_close(producer, PATIENCE, &err), 0);
}

static void set_up(void)
{
	struct klamm_broker_options options = {.size = sizeof(options), .nodes = 3};
	ck_assert_msg(klamm_broker_new(&options, &broker, &err) == 0, "%s", err.text);
	ck_assert_int_eq(klamm_broker_create_topic(broker, "t", PARTITIONS, NULL), 0);
	struct klamm_conf *conf = conf_of();
	ck_assert_msg(klamm_admin_new(conf, NULL, &client, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	fill();
}

static void tear_down(void)
{
	klamm_admin_free(client);
	klamm_broker_free(broker);
}

static struct klamm_record_deletion below(const char *topic, int32_t partition, int64_t before)
{
	return (struct klamm_record_deletion){.size = sizeof(struct klamm_record_deletion),
					      .topic = topic,
					      .partition = partition,
					      .before = before};
}

static int64_t start_of(int32_t partition)
{
	int64_t start;
	ck_assert_int_eq(klamm_broker_offsets(broker, "t", partition, &start, NULL, &err), 0);
	return start;
}

START_TEST(deletes_at_every_leader)
{
	struct klamm_record_deletion list[PARTITIONS];
	struct klamm_error errors[PARTITIONS];
	for (int i = 0; i < PARTITIONS; i++)
		list[i] = below("t", i, i == 5 ? -1 : i);
	ck_assert_msg(klamm_admin_delete_records(client, list, PARTITIONS, PATIENCE, errors,
						 &err) == 0,
		      "%s", err.text);
	for (int i = 0; i < PARTITIONS; i++) {
		ck_assert_int_eq(errors[i].code, 0);
		ck_assert_int_eq(list[i].low_watermark, i);
		ck_assert_int_eq(start_of(i), i);
	}
	/* One request to each of the three nodes. */
	ck_assert_int_eq(klamm_broker_request_count(broker, KL_API_DELETE_RECORDS), 3);
}
END_TEST

START_TEST(each_partition_has_its_error)
{
	struct klamm_record_deletion list[] = {below("t", 0, 2), below("t", 1, RECORDS + 1),
					       below("t", PARTITIONS, 0), below("no", 0, 0)};
	struct klamm_error errors[4];
	ck_assert_int_eq(klamm_admin_delete_records(client, list, 4, PATIENCE, errors, &err),
			 KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 1: "));
	ck_assert_int_eq(errors[0].code, 0);
	ck_assert_int_eq(list[0].low_watermark, 2);
	ck_assert_int_eq(list[1].low_watermark, -1);
	ck_assert_int_eq(errors[2].code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_int_eq(errors[3].code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	ck_assert_ptr_nonnull(strstr(errors[3].text, "topic no partition 0: "));
}
END_TEST

/* What passes is asked for again, where the leader is then. */
START_TEST(follows_leaders)
{
	struct klamm_record_deletion first = below("t", 0, 1), again = below("t", 0, 3);
	ck_assert_int_eq(klamm_admin_delete_records(client, &first, 1, PATIENCE, NULL, &err),
			 0);
	ck_assert_int_eq(klamm_broker_fault(broker,
					    "delete_records topic=t leader=next", NULL, &err),
			 0);
	ck_assert_msg(klamm_admin_delete_records(client, &again, 1, PATIENCE, NULL, &err) == 0,
		      "%s", err.text);
	ck_assert_int_eq(again.low_watermark, 3);
	ck_assert_int_eq(klamm_broker_request_count(broker, KL_API_DELETE_RECORDS), 3);
	/* And where its broker is gone. */
	for (int node = 1; node <= 2; node++) {
		again = below("t", 0, 3 + node);
		ck_assert_int_eq(klamm_broker_node_stop(broker, node, true, &err), 0);
		ck_assert_msg(klamm_admin_delete_records(client, &again, 1, PATIENCE, NULL,
							 &err) == 0,
			      "%s", err.text);
		ck_assert_int_eq(start_of(0), 3 + node);
	}
}
END_TEST

START_TEST(gives_up_in_time)
{
	struct klamm_record_deletion one = below("t", 0, 1);
	ck_assert_int_eq(
		klamm_broker_fault(broker,
				   "delete_records error=NOT_LEADER_OR_FOLLOWER count=all",
				   NULL, &err),
		0);
	ck_assert_int_eq(klamm_admin_delete_records(client, &one, 1, 1500, NULL, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0: "));
	ck_assert_int_eq(one.low_watermark, -1);
}
END_TEST

START_TEST(refuses_what_makes_no_sense)
{
	struct klamm_error errors[2];
	struct klamm_record_deletion list[2] = {below("t", 0, 1), below("t", 0, 2)};
	ck_assert_int_eq(klamm_admin_delete_records(client, list, 2, PATIENCE, errors, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0: named twice"));
	ck_assert_int_eq(errors[1].code, KLAMM_ERR_INVALID_ARGUMENT);
	list[1] = below("t", 1, -2);
	ck_assert_int_eq(klamm_admin_delete_records(client, list, 2, PATIENCE, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	list[1] = below("t", -1, 1);
	ck_assert_int_eq(klamm_admin_delete_records(client, list, 2, PATIENCE, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	list[1].size = 4;
	ck_assert_int_eq(klamm_admin_delete_records(client, list, 2, PATIENCE, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_admin_delete_records(client, NULL, 0, PATIENCE, NULL, &err), 0);
	ck_assert_int_eq(klamm_broker_request_count(broker, KL_API_DELETE_RECORDS), 0);
}
END_TEST

START_TEST(knows_that_a_broker_is_too_old)
{
	struct klamm_record_deletion one = below("t", 0, 1);
	ck_assert_int_eq(klamm_broker_limit_api(broker, KL_API_DELETE_RECORDS, 1, 0, &err), 0);
	ck_assert_int_eq(klamm_admin_delete_records(client, &one, 1, PATIENCE, NULL, &err),
			 KLAMM_ERR_UNSUPPORTED);
}
END_TEST

UNIT_SUITE(records)
{
	Suite *s = suite_create("records");
	unit_add_fixture(s, deletes_at_every_leader, set_up, tear_down);
	unit_add_fixture(s, each_partition_has_its_error, set_up, tear_down);
	unit_add_fixture(s, follows_leaders, set_up, tear_down);
	unit_add_fixture(s, gives_up_in_time, set_up, tear_down);
	unit_add_fixture(s, refuses_what_makes_no_sense, set_up, tear_down);
	unit_add_fixture(s, knows_that_a_broker_is_too_old, set_up, tear_down);
	return s;
}
