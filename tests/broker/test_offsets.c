/* SPDX-License-Identifier: BSD-2-Clause */
/* Offsets that groups commit, by themselves and as part of transactions. */
#include "tests/broker/txn_peer.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct peer *peer;
static const char *topic;
static char *dir;

static void start(const char *const *config)
{
	peer_start_with((struct klamm_broker_options){.config = config, .data_dir = dir});
	peer = peer_open();
	txn_find(peer, 0, "g");
	txn_find(peer, 1, "t");
}

static void up(void)
{
	start(NULL);
	topic = peer_topic();
	peer_create(topic, 2);
}

static void files_up(void)
{
	dir = unit_tmp();
	up();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
	free(dir);
	dir = NULL;
}

static void come_back(void)
{
	peer_close(peer);
	peer_stop();
	start(NULL);
}

static int64_t committed(const char *group)
{
	int error;
	int64_t offset = txn_committed(peer, group, topic, false, &error);
	ck_assert_int_eq(error, 0);
	return offset;
}

static int stable_error(const char *group)
{
	int error;
	txn_committed(peer, group, topic, true, &error);
	return error;
}

/* --- without transactions --- */

START_TEST(keeps_them)
{
	ck_assert_int_eq(committed("g"), -1);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 5), 0);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 7), 0);
	ck_assert_int_eq(txn_plain_commit(peer, "", topic, 9), 0); /* as old clients do */
	ck_assert_int_eq(committed("g"), 7);
	ck_assert_int_eq(committed(""), 9);
	ck_assert_int_eq(committed("h"), -1);
}
END_TEST

/* Every version says the same. */
START_TEST(answers_in_all_versions)
{
	struct klamm_uuid id = peer_topic_id(topic);
	int32_t partition = 0;
	for (int version = 2; version <= 10; version++) {
		struct kl_offset_commit_request_partition of = {
			.commit_timestamp = -1,
			.committed_offset = version,
			.committed_leader_epoch = 4,
			.committed_metadata = KL_STR("note"),
		};
		struct kl_offset_commit_request_topic at = {
			.name = kl_str(topic),
			.topic_id = id,
			.partitions = &of,
			.partitions_n = 1,
		};
		struct kl_offset_commit_request request;
		kl_msg_init(&kl_msg_offset_commit_request, &request);
		request.group_id = KL_STR("g");
		request.topics = &at;
		request.topics_n = 1;
		struct kl_offset_commit_response *r =
			PEER_CALL(peer, offset_commit, version, &request);
		ck_assert_int_eq(r->topics[0].partitions[0].error_code, 0);
		ck_assert_int_eq(committed("g"), version);
	}
	for (int version = 1; version <= 7; version++) {
		struct kl_offset_fetch_request_topic at = {.name = kl_str(topic),
							   .partition_indexes = &partition,
							   .partition_indexes_n = 1};
		struct kl_offset_fetch_request request;
		kl_msg_init(&kl_msg_offset_fetch_request, &request);
		request.group_id = KL_STR("g");
		request.topics = &at;
		request.topics_n = version % 2 == 1 ? 1 : -1; /* of all, every other time */
		struct kl_offset_fetch_response *r =
			PEER_CALL(peer, offset_fetch, version, &request);
		ck_assert_int_eq(r->topics_n, 1);
		ck_assert_int_eq(r->topics[0].partitions[0].committed_offset, 10);
		ck_assert(kl_str_is(r->topics[0].partitions[0].metadata, "note"));
		if (version >= 5)
			ck_assert_int_eq(r->topics[0].partitions[0].committed_leader_epoch, 4);
	}
	for (int version = 8; version <= 10; version++) {
		struct kl_offset_fetch_request_group_topic at = {
			.name = kl_str(topic),
			.topic_id = id,
			.partition_indexes = &partition,
			.partition_indexes_n = 1,
		};
		struct kl_offset_fetch_request_group groups[2] = {
			{.group_id = KL_STR("g"), .topics = &at, .topics_n = 1,
			 .member_id = KL_STR_NULL, .member_epoch = -1},
			{.group_id = KL_STR("h"), .topics_n = -1, .member_id = KL_STR_NULL,
			 .member_epoch = -1},
		};
		struct kl_offset_fetch_request request;
		kl_msg_init(&kl_msg_offset_fetch_request, &request);
		request.groups = groups;
		request.groups_n = 2;
		struct kl_offset_fetch_response *r =
			PEER_CALL(peer, offset_fetch, version, &request);
		ck_assert_int_eq(r->groups_n, 2);
		ck_assert_int_eq(r->groups[0].topics[0].partitions[0].committed_offset, 10);
		ck_assert_int_eq(r->groups[1].error_code, 0);
		ck_assert_int_eq(r->groups[1].topics_n, 0);
	}
}
END_TEST

/* All of them, however many: sorted, in memory that grows with their number. */
START_TEST(tells_all_of_many)
{
	enum { TOPICS = 500, PARTS = 20 };
	static struct kl_offset_commit_request_partition parts[PARTS];
	for (int i = 0; i < PARTS; i++)
		parts[i] = (struct kl_offset_commit_request_partition){
			.partition_index = i, .committed_offset = i, .commit_timestamp = -1,
			.committed_leader_epoch = -1, .committed_metadata = KL_STR("")};
	for (int t = 0; t < TOPICS; t++) {
		char name[16];
		snprintf(name, sizeof(name), "m%03d", t);
		peer_create(name, PARTS);
		struct kl_offset_commit_request_topic at = {
			.name = kl_str(name), .partitions = parts, .partitions_n = PARTS};
		struct kl_offset_commit_request request;
		kl_msg_init(&kl_msg_offset_commit_request, &request);
		request.group_id = KL_STR("g");
		request.topics = &at;
		request.topics_n = 1;
		PEER_CALL(peer, offset_commit, 8, &request);
	}
	struct kl_offset_fetch_request request;
	kl_msg_init(&kl_msg_offset_fetch_request, &request);
	request.group_id = KL_STR("g");
	request.topics_n = -1;
	struct kl_offset_fetch_response *r = PEER_CALL(peer, offset_fetch, 7, &request);
	ck_assert_int_eq(r->topics_n, TOPICS);
	for (int t = 0; t < TOPICS; t++) {
		char name[16];
		snprintf(name, sizeof(name), "m%03d", t);
		ck_assert(kl_str_is(r->topics[t].name, name));
		ck_assert_int_eq(r->topics[t].partitions_n, PARTS);
		for (int i = 0; i < PARTS; i++)
			ck_assert_int_eq(r->topics[t].partitions[i].committed_offset, i);
	}
}
END_TEST

static int commit_as(int version, int32_t generation, const char *group, int32_t partition,
		     const char *note, const struct klamm_uuid *id)
{
	struct kl_offset_commit_request_partition of = {
		.commit_timestamp = -1,
		.partition_index = partition, .committed_metadata = kl_str(note)};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .topic_id = *id, .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = kl_str(group);
	request.generation_id_or_member_epoch = generation;
	request.topics = &at;
	request.topics_n = 1;
	struct kl_offset_commit_response *r =
		PEER_CALL(peer, offset_commit, version, &request);
	return r->topics[0].partitions[0].error_code;
}

START_TEST(refuses)
{
	struct klamm_uuid id = peer_topic_id(topic), other = id;
	char long_note[4098] = {0};
	other.bytes[3] ^= 1;
	memset(long_note, 'x', 4097);
	const struct {
		int version, generation;
		const char *group;
		int32_t partition;
		const char *note;
		const struct klamm_uuid *id;
		int error;
	} rows[] = {
		{8, -1, "g", 0, "", &id, 0},
		{8, -1, "g", 2, "", &id, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION},
		{10, -1, "g", 0, "", &other, KLAMM_ERR_UNKNOWN_TOPIC_ID},
		{8, -1, "g", 0, long_note, &id, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE},
		{8, -1, "g", 0, long_note + 1, &id, 0},
		{8, 3, "g", 0, "", &id, KLAMM_ERR_UNKNOWN_MEMBER_ID}, /* nobody is one */
		{8, 3, "new", 0, "", &id, KLAMM_ERR_ILLEGAL_GENERATION},
		{9, 3, "new", 0, "", &id, KLAMM_ERR_GROUP_ID_NOT_FOUND},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		int rc = commit_as(rows[i].version, rows[i].generation, rows[i].group,
				   rows[i].partition, rows[i].note, rows[i].id);
		ck_assert_msg(rc == rows[i].error, "row %zu: %s", i, klamm_err_name(rc));
	}
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_fault(peer_broker,
					    "offset_commit error=COORDINATOR_LOAD_IN_PROGRESS",
					    NULL, &err),
			 0);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 1),
			 KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS);
}
END_TEST

static int delete_offset(const char *group)
{
	struct kl_offset_delete_request_partition of = {.partition_index = 0};
	struct kl_offset_delete_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_delete_request request = {
		.group_id = kl_str(group), .topics = &at, .topics_n = 1};
	struct kl_offset_delete_response *r = PEER_CALL(peer, offset_delete, 0, &request);
	return r->error_code != 0 ? r->error_code : r->topics[0].partitions[0].error_code;
}

START_TEST(deletes_them)
{
	ck_assert_int_eq(delete_offset("g"), KLAMM_ERR_GROUP_ID_NOT_FOUND);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 5), 0);
	ck_assert_int_eq(delete_offset("g"), 0);
	ck_assert_int_eq(committed("g"), -1);
	ck_assert_int_eq(delete_offset("g"), 0); /* the group is there until it expires */
}
END_TEST

START_TEST(forgets_old_ones)
{
	static const char *const config[] = {"offsets.retention.minutes=1",
					     "offsets.retention.check.interval.ms=20", NULL};
	start(config);
	topic = peer_topic();
	peer_create(topic, 2);
	struct kl_offset_commit_request_partition of = {
		.commit_timestamp = -1, .committed_offset = 3};
	struct kl_offset_commit_request_topic at = {
		.name = kl_str(topic), .partitions = &of, .partitions_n = 1};
	struct kl_offset_commit_request request;
	kl_msg_init(&kl_msg_offset_commit_request, &request);
	request.group_id = KL_STR("short");
	request.retention_time_ms = 1; /* its own time, in old versions */
	request.topics = &at;
	request.topics_n = 1;
	PEER_CALL(peer, offset_commit, 4, &request);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 5), 0);
	for (int i = 0; i < 500 && committed("short") >= 0; i++)
		usleep(10000);
	ck_assert_int_eq(committed("short"), -1);
	ck_assert_int_eq(committed("g"), 5);
}
END_TEST

START_TEST(forgets_those_of_a_topic)
{
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 5), 0);
	peer_delete(topic);
	ck_assert_int_eq(committed("g"), -1);
	peer_create(topic, 1);
	ck_assert_int_eq(committed("g"), -1);
}
END_TEST

/* Its topic is the broker's own. */
START_TEST(guards_its_topic)
{
	const char *name = "__consumer_offsets";
	struct kl_metadata_request_topic of;
	struct kl_metadata_request ask;
	kl_msg_init(&kl_msg_metadata_request, &ask);
	kl_type_init(&kl_type_metadata_request_topic, &of);
	of.name = kl_str(name);
	ask.topics = &of;
	ask.topics_n = 1;
	struct kl_metadata_response *m = PEER_CALL(peer, metadata, 9, &ask);
	ck_assert(m->topics[0].is_internal);
	ck_assert_int_eq(m->topics[0].partitions_n, 50);

	struct peer_batch b;
	peer_batch(&b, 1, 1000);
	ck_assert_int_eq(peer_produce(peer, name, 0, b.data, b.len)->error_code,
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);

	struct kl_create_partitions_request_topic more = {.name = kl_str(name), .count = 60,
							  .assignments_n = -1};
	struct kl_create_partitions_request grow;
	kl_msg_init(&kl_msg_create_partitions_request, &grow);
	grow.topics = &more;
	grow.topics_n = 1;
	ck_assert_int_eq(PEER_CALL(peer, create_partitions, 2, &grow)->results[0].error_code,
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);

	struct kl_delete_records_request_partition part = {.offset = -1};
	struct kl_delete_records_request_topic at = {
		.name = kl_str(name), .partitions = &part, .partitions_n = 1};
	struct kl_delete_records_request trim;
	kl_msg_init(&kl_msg_delete_records_request, &trim);
	trim.topics = &at;
	trim.topics_n = 1;
	struct kl_delete_records_response *d = PEER_CALL(peer, delete_records, 1, &trim);
	ck_assert_int_eq(d->topics[0].partitions[0].error_code,
			 KLAMM_ERR_INVALID_TOPIC_EXCEPTION);
}
END_TEST

/* --- in transactions --- */

/* With AddOffsetsToTxn, and with an epoch for each transaction. */
static int commit_in(struct txn_producer *p, int client, int64_t offset)
{
	if (client == 0)
		ck_assert_int_eq(txn_add_offsets(peer, p, "g", 3), 0);
	return txn_commit_offset(peer, p, "g", topic, offset, client == 0 ? 3 : 5);
}

START_TEST(counts_with_the_transaction)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t");
	for (int i = 0; i < 4; i++) {
		bool commits = i % 2 == 0;
		ck_assert_int_eq(commit_in(&p, _i, 10 * i + 9), 0);
		ck_assert_int_eq(commit_in(&p, _i, 10 * i + 10), 0); /* the later one */
		ck_assert_int_eq(committed("g"), i == 0 ? -1 : i < 3 ? 10 : 30);
		ck_assert_int_eq(stable_error("g"), KLAMM_ERR_UNSTABLE_OFFSET_COMMIT);
		ck_assert_int_eq(txn_end(peer, &p, commits, _i == 0 ? 4 : 5), 0);
		txn_state(peer, "t", true);
		ck_assert_int_eq(stable_error("g"), 0);
		ck_assert_int_eq(committed("g"), i < 2 ? 10 : 30);
	}
	/* A newer one of the group itself stays. */
	ck_assert_int_eq(commit_in(&p, _i, 50), 0);
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 60), 0);
	ck_assert_int_eq(txn_end(peer, &p, true, _i == 0 ? 4 : 5), 0);
	txn_state(peer, "t", true);
	ck_assert_int_eq(committed("g"), 60);
}
END_TEST

START_TEST(refuses_in_transactions)
{
	struct txn_producer p, other;
	txn_begin(peer, &p, "t");
	other = p;
	other.epoch--;
	const struct {
		struct txn_producer *p;
		const char *group;
		int version, error;
	} rows[] = {
		{&p, "g", 3, KLAMM_ERR_INVALID_TXN_STATE}, /* its group was not added */
		{&p, "g", 4, KLAMM_ERR_TRANSACTION_ABORTABLE},
		{&other, "g", 4, KLAMM_ERR_INVALID_PRODUCER_EPOCH},
		{&p, "", 5, KLAMM_ERR_INVALID_GROUP_ID},
		{&p, "g", 5, 0},
		{&p, "g", 3, 0}, /* it is in it now */
		{&other, "g", 5, KLAMM_ERR_INVALID_PRODUCER_EPOCH},
	};
	for (size_t i = 0; i < kl_countof(rows); i++) {
		int rc = txn_commit_offset(peer, rows[i].p, rows[i].group, topic, 1,
					   rows[i].version);
		ck_assert_msg(rc == rows[i].error, "row %zu: %s", i, klamm_err_name(rc));
	}
}
END_TEST

START_TEST(outlives_the_broker)
{
	struct txn_producer p;
	txn_begin(peer, &p, "t");
	ck_assert_int_eq(txn_plain_commit(peer, "g", topic, 5), 0);
	ck_assert_int_eq(commit_in(&p, 1, 9), 0);
	come_back();
	ck_assert_int_eq(committed("g"), 5);
	ck_assert_int_eq(stable_error("g"), KLAMM_ERR_UNSTABLE_OFFSET_COMMIT);
	ck_assert_int_eq(txn_end(peer, &p, true, 5), 0);
	txn_state(peer, "t", true);
	ck_assert_int_eq(committed("g"), 9);
	come_back();
	ck_assert_int_eq(committed("g"), 9);
	ck_assert_int_eq(delete_offset("g"), 0);
	come_back();
	ck_assert_int_eq(committed("g"), -1);
}
END_TEST

UNIT_SUITE(offsets)
{
	Suite *s = suite_create("offsets");
	unit_add_fixture(s, keeps_them, up, down);
	unit_add_case(s, "counts_with_the_transaction", counts_with_the_transaction, up, down,
		      2);
	unit_add_fixture(s, refuses_in_transactions, up, down);
	unit_add_fixture(s, outlives_the_broker, files_up, down);
	/* What our settings, our faults or a broker of its own bring about. */
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, answers_in_all_versions, up, down);
	unit_add_fixture(s, tells_all_of_many, up, down);
	unit_add_fixture(s, refuses, up, down);
	unit_add_fixture(s, deletes_them, up, down);
	unit_add_fixture(s, forgets_old_ones, NULL, down);
	unit_add_fixture(s, forgets_those_of_a_topic, up, down);
	unit_add_fixture(s, guards_its_topic, up, down);
	return s;
}
