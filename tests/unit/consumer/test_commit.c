/* SPDX-License-Identifier: BSD-2-Clause */
/* Committed offsets: stored and read by every version, retried, in order, by themselves, and
 * where partitions begin. The coordinator is a script that keeps them. */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include "tests/client/script.h"
#include "tests/client/world.h"

static struct script script;
static struct klamm_consumer *consumer;

/* What the script keeps; a place, once made, stays. */
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;
static struct kept {
	char topic[32];
	int32_t partition, epoch;
	int64_t offset;
	char note[64];
} store[16];
static _Atomic int kept_count;

/* What it does, and what it saw. */
static struct {
	_Atomic int commit_error, commit_errors_left; /* of each partition */
	_Atomic int fetch_error, fetch_errors_left;
	_Atomic bool for_partition; /* the error of OffsetFetch, not for the group */
	_Atomic int bad_partition;  /* only this one has the error; -1 = all */
	_Atomic bool leave_out, other_group;
	_Atomic int hang_ups; /* OffsetCommits that end their connection */
	_Atomic bool hold; /* OffsetCommits are not answered */
	_Atomic int commit_version, fetch_version, generation, partitions, stable;
	_Atomic bool member;
} says;

static struct kept *place(struct kl_str topic, int32_t partition)
{
	for (int i = 0; i < kept_count; i++)
		if (kl_str_is(topic, store[i].topic) && store[i].partition == partition)
			return &store[i];
	return NULL;
}

static void keep(const char *topic, int32_t partition, int64_t offset, int32_t epoch,
		 const char *note)
{
	pthread_mutex_lock(&keeping);
	struct kept *kept = place(kl_str(topic), partition);
	if (kept == NULL)
		kept = &store[kept_count++];
	snprintf(kept->topic, sizeof(kept->topic), "%s", topic);
	snprintf(kept->note, sizeof(kept->note), "%s", note);
	kept->partition = partition;
	kept->offset = offset;
	kept->epoch = epoch;
	pthread_mutex_unlock(&keeping);
}

/* A copy; false: there is none. */
static bool find_kept(struct kl_str topic, int32_t partition, struct kept *out)
{
	pthread_mutex_lock(&keeping);
	const struct kept *kept = place(topic, partition);
	if (kept != NULL)
		*out = *kept;
	pthread_mutex_unlock(&keeping);
	return kept != NULL;
}

static int64_t kept_offset(const char *topic, int32_t partition)
{
	struct kept kept;
	return find_kept(kl_str(topic), partition, &kept) ? kept.offset : -1;
}

/* Topics are "t" and "u". */
static const char *topic_name(struct kl_str name, const struct klamm_uuid *id, bool by_id)
{
	static const char *const names[] = {"t", "u"};
	for (size_t i = 0; i < kl_countof(names); i++) {
		struct klamm_uuid own = script_topic_id(names[i], 1);
		if (by_id ? kl_uuid_equal(&own, id) : kl_str_is(name, names[i]))
			return names[i];
	}
	return "?";
}

/* The test may set it meanwhile. */
static void count_down(_Atomic int *left)
{
	int n = *left;
	while (n > 0 && !atomic_compare_exchange_weak(left, &n, n - 1))
		;
}

static bool is_bad(int left, int32_t partition)
{
	return left != 0 && (says.bad_partition < 0 || says.bad_partition == partition);
}

static bool commit(const struct script_request *request)
{
	const struct kl_offset_commit_request *asked = request->body;
	struct kl_offset_commit_response *body = SCRIPT_BODY(offset_commit, request);
	bool by_id = request->header.version >= 10;
	says.commit_version = request->header.version;
	says.generation = asked->generation_id_or_member_epoch;
	says.member = asked->member_id.len > 0 || asked->group_instance_id.len > 0;
	says.partitions = 0;
	if (says.hang_ups > 0) {
		says.hang_ups--;
		script_hang_up(request);
		return true;
	}
	if (says.hold)
		return true;
	body->topics = kl_type_new(&kl_type_offset_commit_response_topic, request->arena,
				   (size_t)asked->topics_n);
	for (int32_t t = 0; t < asked->topics_n; t++) {
		const struct kl_offset_commit_request_topic *from = &asked->topics[t];
		struct kl_offset_commit_response_topic *to = &body->topics[body->topics_n++];
		const char *name = topic_name(from->name, &from->topic_id, by_id);
		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partitions = kl_type_new(&kl_type_offset_commit_response_partition,
					     request->arena, (size_t)from->partitions_n);
		for (int32_t i = 0; i < from->partitions_n && !says.leave_out; i++) {
			const struct kl_offset_commit_request_partition *p =
				&from->partitions[i];
			bool bad = is_bad(says.commit_errors_left, p->partition_index);
			char note[64];
			snprintf(note, sizeof(note), "%.*s",
				 kl_max(p->committed_metadata.len, 0),
				 p->committed_metadata.p);
			if (!bad)
				keep(name, p->partition_index, p->committed_offset,
				     p->committed_leader_epoch, note);
			to->partitions[to->partitions_n++] =
				(struct kl_offset_commit_response_partition){
					.partition_index = p->partition_index,
					.error_code = (int16_t)(bad ? says.commit_error : 0)};
			says.partitions++;
		}
	}
	count_down(&says.commit_errors_left);
	script_answer(request, body);
	return true;
}

static struct kl_offset_fetch_response_group_partition read_one(const char *name,
								int32_t partition,
								int version)
{
	static struct kept copies[16]; /* until the answer is written */
	struct kept *kept = &copies[partition % kl_countof(copies)];
	bool found = find_kept(kl_str(name), partition, kept);
	bool bad = says.for_partition && is_bad(says.fetch_errors_left, partition);
	struct kl_offset_fetch_response_group_partition to = {
		.partition_index = partition,
		.committed_offset = -1,
		.committed_leader_epoch = -1,
		.metadata = KL_STR(""),
	};
	if (bad) {
		to.error_code = (int16_t)says.fetch_error;
	} else if (found) {
		to.committed_offset = kept->offset;
		to.committed_leader_epoch = kept->epoch;
		to.metadata = kl_str(kept->note);
	} else if (version == 0) { /* as Kafka 0.8 has it */
		to.error_code = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	}
	return to;
}

static void fetch_old(const struct script_request *request)
{
	const struct kl_offset_fetch_request *asked = request->body;
	struct kl_offset_fetch_response *body = SCRIPT_BODY(offset_fetch, request);
	if (says.fetch_errors_left != 0 && !says.for_partition)
		body->error_code = (int16_t)says.fetch_error;
	body->topics = kl_type_new(&kl_type_offset_fetch_response_topic, request->arena,
				   (size_t)kl_max(asked->topics_n, 0));
	for (int32_t t = 0; t < asked->topics_n && body->error_code == 0; t++) {
		const struct kl_offset_fetch_request_topic *from = &asked->topics[t];
		struct kl_offset_fetch_response_topic *to = &body->topics[body->topics_n++];
		to->name = from->name;
		to->partitions = kl_type_new(&kl_type_offset_fetch_response_partition,
					     request->arena,
					     (size_t)from->partition_indexes_n);
		for (int32_t i = 0; i < from->partition_indexes_n; i++) {
			struct kl_offset_fetch_response_group_partition one =
				read_one(topic_name(from->name, NULL, false),
					 from->partition_indexes[i], request->header.version);
			to->partitions[to->partitions_n++] =
				(struct kl_offset_fetch_response_partition){
					.partition_index = one.partition_index,
					.committed_offset = one.committed_offset,
					.committed_leader_epoch = one.committed_leader_epoch,
					.metadata = one.metadata,
					.error_code = one.error_code};
		}
	}
	script_answer(request, body);
}

static void fetch_new(const struct script_request *request)
{
	const struct kl_offset_fetch_request *asked = request->body;
	struct kl_offset_fetch_response *body = SCRIPT_BODY(offset_fetch, request);
	bool by_id = request->header.version >= 10;
	const struct kl_offset_fetch_request_group *group = &asked->groups[0];
	body->groups = kl_type_new(&kl_type_offset_fetch_response_group, request->arena, 1);
	body->groups_n = 1;
	struct kl_offset_fetch_response_group *out = body->groups;
	out->group_id = says.other_group ? KL_STR("others") : group->group_id;
	if (says.fetch_errors_left != 0 && !says.for_partition)
		out->error_code = (int16_t)says.fetch_error;
	out->topics = kl_type_new(&kl_type_offset_fetch_response_group_topic, request->arena,
				  (size_t)kl_max(group->topics_n, 0));
	for (int32_t t = 0; t < group->topics_n && out->error_code == 0; t++) {
		const struct kl_offset_fetch_request_group_topic *from = &group->topics[t];
		struct kl_offset_fetch_response_group_topic *to =
			&out->topics[out->topics_n++];
		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partitions = kl_type_new(&kl_type_offset_fetch_response_group_partition,
					     request->arena,
					     (size_t)from->partition_indexes_n);
		for (int32_t i = 0; i < from->partition_indexes_n; i++)
			to->partitions[to->partitions_n++] =
				read_one(topic_name(from->name, &from->topic_id, by_id),
					 from->partition_indexes[i], request->header.version);
	}
	script_answer(request, body);
}

static bool answer(const struct script_request *request)
{
	if (request->header.api == KL_API_OFFSET_COMMIT)
		return commit(request);
	if (request->header.api != KL_API_OFFSET_FETCH)
		return false;
	says.fetch_version = request->header.version;
	says.stable = ((const struct kl_offset_fetch_request *)request->body)->require_stable;
	if (request->header.version < 8)
		fetch_old(request);
	else
		fetch_new(request);
	count_down(&says.fetch_errors_left);
	return true;
}

static void set_up(void)
{
	script = (struct script){.handle = answer, .partitions = 4, .log = "", .log_end = 100};
	memset(&says, 0, sizeof(says));
	says.bad_partition = -1;
	kept_count = 0;
	consumer = NULL;
}

/* With group.id=g on top of these, NULL at the end. */
#define START(...)                                                                       \
	do {                                                                             \
		script_start(&script);                                                   \
		world_servers = script.address;                                          \
		consumer = world_consumer(NULL, "group.id=g", __VA_ARGS__);              \
	} while (0)

static void tear_down(void)
{
	if (consumer != NULL)
		klamm_consumer_close(consumer, 0, NULL);
	if (script.thread != 0)
		script_stop(&script);
}

static void assign(int32_t partitions)
{
	struct klamm_topic_partition all[4];
	struct klamm_error err;
	for (int32_t i = 0; i < partitions; i++)
		all[i] = (struct klamm_topic_partition){"t", i};
	ck_assert_msg(klamm_consumer_assign(consumer, all, (size_t)partitions, &err) == 0,
		      "%s", err.text);
}

static int64_t position(int32_t partition)
{
	struct klamm_error err;
	int64_t offset;
	int rc = klamm_consumer_position(consumer, "t", partition, PATIENCE, &offset, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return offset;
}

static struct klamm_committed ask(const char *topic, int32_t partition)
{
	struct klamm_error err;
	struct klamm_committed entry = {.size = sizeof(entry), .topic = topic,
					.partition = partition};
	int rc = klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return entry;
}

static void commit_one(int64_t offset)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, offset, NULL};
	ck_assert_msg(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err) == 0, "%s",
		      err.text);
}

/* --- storing and reading --- */

START_TEST(every_version_of_both)
{
	struct klamm_error err;
	script.below[KL_API_OFFSET_COMMIT] = script.below[KL_API_OFFSET_FETCH] = _i + 1;
	START("enable.auto.commit=false", NULL);
	assign(1); /* its id is known now, that of "u" is not */
	position(0);
	const struct klamm_offset offsets[] = {
		{"t", 1, 7, 42, "note"},
		{"t", 0, -1, 0, NULL},
	};
	ck_assert_msg(klamm_consumer_commit(consumer, offsets, 2, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(says.commit_version, _i);
	ck_assert_int_eq(says.generation, -1);
	ck_assert(!says.member);
	ck_assert_int_eq(says.partitions, 2);
	ck_assert_int_eq(kept_offset("t", 1), 42);
	struct klamm_committed got[] = {
		{.size = sizeof(got[0]), .topic = "t", .partition = 0},
		{.size = sizeof(got[0]), .topic = "t", .partition = 1},
		{.size = sizeof(got[0]), .topic = "t", .partition = 2},
	};
	ck_assert_msg(klamm_consumer_committed(consumer, got, 3, PATIENCE, &err) == 0, "%s",
		      err.text);
	ck_assert_int_eq(says.fetch_version, _i);
	ck_assert_int_eq(got[0].offset, 0);
	ck_assert_int_eq(got[0].leader_epoch, -1);
	ck_assert_str_eq(got[0].metadata, "");
	ck_assert_int_eq(got[1].offset, 42);
	ck_assert_int_eq(got[1].leader_epoch, _i >= 6 ? 7 : -1);
	ck_assert_str_eq(got[1].metadata, "note");
	ck_assert_int_eq(got[2].offset, -1);
	ck_assert_str_eq(got[2].metadata, "");
	/* A topic without an id is named. */
	const struct klamm_offset other = {"u", 3, 1, 9, NULL};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &other, 1, PATIENCE, &err), 0);
	ck_assert_int_eq(says.commit_version, kl_min(_i, 9));
	ck_assert_int_eq(ask("u", 3).offset, 9);
	ck_assert_int_eq(says.fetch_version, kl_min(_i, 9));
	ck_assert_int_eq(ask("u", 2).offset, -1);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], 1);
}
END_TEST

START_TEST(positions_of_all_that_is_assigned)
{
	struct klamm_error err;
	START("enable.auto.commit=false", "auto.offset.reset=latest", NULL);
	assign(3);
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(position(i), 100);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 11, &err), 0);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(says.partitions, 3);
	ck_assert_int_eq(kept_offset("t", 0), 100);
	ck_assert_int_eq(kept_offset("t", 1), 11);
	/* Nothing to store: nothing is asked. */
	int before = script.requests[KL_API_OFFSET_COMMIT];
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	const struct klamm_offset none = {0};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &none, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], before);
	ck_assert_int_eq(klamm_consumer_committed(consumer, NULL, 0, PATIENCE, &err), 0);
}
END_TEST

START_TEST(the_last_of_several_offsets_counts)
{
	struct klamm_error err;
	START("enable.auto.commit=false", NULL);
	const struct klamm_offset twice[] = {{"t", 0, -1, 9, NULL}, {"t", 0, -1, 5, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, twice, 2, PATIENCE, &err), 0);
	ck_assert_int_eq(kept_offset("t", 0), 5);
	struct klamm_committed both[] = {
		{.size = sizeof(both[0]), .topic = "t"},
		{.size = sizeof(both[0]), .topic = "t"},
	};
	ck_assert_int_eq(klamm_consumer_committed(consumer, both, 2, PATIENCE, &err), 0);
	ck_assert_int_eq(both[0].offset, 5);
	ck_assert_int_eq(both[1].offset, 5);
}
END_TEST

START_TEST(wrong_arguments)
{
	struct klamm_error err;
	char note[40000];
	memset(note, 'x', sizeof(note));
	note[sizeof(note) - 1] = '\0';
	START("enable.auto.commit=false", NULL);
	const struct {
		struct klamm_offset offset;
		int code;
	} wrong[] = {
		{{NULL, 0, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"", 0, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", -1, -1, 1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", 0, -1, -1, NULL}, KLAMM_ERR_INVALID_ARGUMENT},
		{{"t", 0, -1, 1, note}, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE},
	};
	for (size_t i = 0; i < kl_countof(wrong); i++) {
		ck_assert_int_eq(klamm_consumer_commit(consumer, &wrong[i].offset, 1, PATIENCE,
						       &err),
				 wrong[i].code);
		ck_assert_int_eq(klamm_consumer_commit_async(consumer, &wrong[i].offset, 1,
							     NULL, NULL, &err),
				 wrong[i].code);
	}
	struct klamm_committed entry = {.size = sizeof(entry)};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	entry = (struct klamm_committed){.size = 8, .topic = "t"};
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
}
END_TEST

START_TEST(opt_group_id)
{
	struct klamm_error err;
	struct klamm_group_metadata who = {.size = sizeof(who)};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	START("enable.auto.commit=false", NULL);
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err), 0);
	ck_assert_str_eq(who.group_id, "g");
	ck_assert_str_eq(who.member_id, "");
	ck_assert_ptr_null(who.group_instance_id);
	ck_assert_int_eq(who.generation, -1);
	ck_assert_uint_eq(who.size, sizeof(who));
	who.size = 8;
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	world_close_consumer(consumer);
	consumer = world_consumer(NULL, NULL, NULL);
	assign(1);
	ck_assert_int_eq(position(0), 100); /* and nobody was asked for a group's */
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_ptr_nonnull(strstr(err.text, "group.id is not set"));
	ck_assert_int_eq(klamm_consumer_commit_async(consumer, NULL, 0, NULL, NULL, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	who.size = sizeof(who);
	ck_assert_int_eq(klamm_consumer_group_metadata(consumer, &who, &err),
			 KLAMM_ERR_INVALID_GROUP_ID);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], 0);
	struct klamm_conf *conf = world_conf(NULL, NULL);
	ck_assert_int_eq(klamm_conf_set(conf, "group.id", "", &err), KLAMM_ERR_CONFIG);
	klamm_conf_free(conf);
}
END_TEST

/* --- what goes wrong --- */

static const int passing[] = {
	KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
	KLAMM_ERR_UNKNOWN_TOPIC_ID, KLAMM_ERR_NOT_COORDINATOR,
	KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, KLAMM_ERR_REQUEST_TIMED_OUT,
};

START_TEST(a_commit_waits_for_what_passes)
{
	START("enable.auto.commit=false", NULL);
	assign(1);
	position(0);
	bool elsewhere = _i >= 3;
	says.commit_error = passing[_i];
	says.commit_errors_left = 3;
	commit_one(5);
	ck_assert_int_eq(kept_offset("t", 0), 5);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 4);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR], elsewhere ? 4 : 1);
}
END_TEST

static const int lasting[] = {
	KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED,
	KLAMM_ERR_OFFSET_METADATA_TOO_LARGE,  KLAMM_ERR_INVALID_COMMIT_OFFSET_SIZE,
	KLAMM_ERR_UNKNOWN_MEMBER_ID,	      KLAMM_ERR_ILLEGAL_GENERATION,
	KLAMM_ERR_REBALANCE_IN_PROGRESS,      KLAMM_ERR_FENCED_INSTANCE_ID,
	KLAMM_ERR_STALE_MEMBER_EPOCH,	      KLAMM_ERR_INVALID_GROUP_ID,
	KLAMM_ERR_GROUP_ID_NOT_FOUND,	      KLAMM_ERR_UNSUPPORTED_VERSION,
	KLAMM_ERR_UNKNOWN_SERVER_ERROR,
};

START_TEST(a_commit_tells_what_does_not_pass)
{
	struct klamm_error err;
	START("enable.auto.commit=false", NULL);
	says.commit_error = lasting[_i];
	says.commit_errors_left = 1;
	says.bad_partition = 1;
	const struct klamm_offset two[] = {{"t", 0, -1, 5, NULL}, {"t", 1, -1, 6, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, two, 2, PATIENCE, &err), lasting[_i]);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: committing offset 6 of topic t "
					       "partition 1: "));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(lasting[_i])));
	bool members = lasting[_i] == KLAMM_ERR_UNKNOWN_MEMBER_ID ||
		       lasting[_i] == KLAMM_ERR_ILLEGAL_GENERATION;
	if (members)
		ck_assert_ptr_nonnull(strstr(err.text, "the group has members"));
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 1);
	ck_assert_int_eq(kept_offset("t", 0), 5);
	commit_one(7); /* the consumer is fine */
	ck_assert_int_eq(kept_offset("t", 0), 7);
}
END_TEST

/* What lasts is told although something else passes. */
START_TEST(part_of_a_commit_is_sent_again)
{
	struct klamm_error err;
	START("enable.auto.commit=false", NULL);
	says.commit_error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	says.commit_errors_left = 2;
	says.bad_partition = 1;
	const struct klamm_offset two[] = {{"t", 0, -1, 5, NULL}, {"t", 1, -1, 6, NULL}};
	ck_assert_int_eq(klamm_consumer_commit(consumer, two, 2, PATIENCE, &err), 0);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 3);
	ck_assert_int_eq(says.partitions, 1);
	ck_assert_int_eq(kept_offset("t", 1), 6);
}
END_TEST

START_TEST(a_commit_is_sent_again_when_the_connection_is_lost)
{
	START("enable.auto.commit=false", NULL);
	says.hang_ups = 2;
	commit_one(5);
	ck_assert_int_eq(kept_offset("t", 0), 5);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 3);
}
END_TEST

START_TEST(a_commit_gives_up_in_time)
{
	struct klamm_error err;
	START("enable.auto.commit=false", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	commit_one(4); /* the coordinator is found */
	says.commit_error = KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
	says.commit_errors_left = -1;
	int64_t since = world_ms();
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, 200, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_ge(world_ms() - since, 190);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: committing offsets: timed out; last "
					       "error: group g: committing offset 5 of topic "
					       "t partition 0: UNKNOWN_TOPIC_OR_PARTITION"));
	says.commit_errors_left = 0;
	says.hold = true;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, 1000, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "group coordinator 1 "));
	ck_assert_ptr_nonnull(strstr(err.text, "waiting for an answer"));
}
END_TEST

START_TEST(no_coordinator)
{
	struct klamm_error err;
	script.advertise = script_dead_port();
	START("enable.auto.commit=false", "default.api.timeout.ms=1000", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, KLAMM_TIMEOUT_DEFAULT, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, KLAMM_TIMEOUT_DEFAULT,
						  &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_int_eq(entry.error, KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: reading committed offsets: timed "));
	ck_assert_ptr_nonnull(strstr(err.text, "Connection refused"));
}
END_TEST

START_TEST(answers_that_leave_out)
{
	struct klamm_error err;
	START("enable.auto.commit=false", NULL);
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	says.leave_out = true;
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err),
			 KLAMM_ERR_PROTOCOL);
	ck_assert_ptr_nonnull(strstr(err.text, "the answer leaves it out"));
	says.other_group = true;
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, 1000, &err),
			 KLAMM_ERR_TIMED_OUT);
	ck_assert_ptr_nonnull(strstr(err.text, "leaves out topic t"));
}
END_TEST

/* UNSTABLE_OFFSET_COMMIT: KIP-447 */
START_TEST(reading_waits_for_what_passes)
{
	static const struct {
		int code;
		bool partition;
	} cases[] = {
		{KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, false},
		{KLAMM_ERR_NOT_COORDINATOR, false},
		{KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, false},
		{KLAMM_ERR_UNSTABLE_OFFSET_COMMIT, true},
		{KLAMM_ERR_UNKNOWN_TOPIC_ID, true},
		{KLAMM_ERR_NOT_COORDINATOR, true}, /* versions 0 and 1 have no other place */
	};
	START("enable.auto.commit=false", "isolation.level=read_committed", NULL);
	keep("t", 0, 17, 3, "x");
	says.fetch_error = cases[_i].code;
	says.for_partition = cases[_i].partition;
	says.fetch_errors_left = 3;
	struct klamm_committed entry = ask("t", 0);
	ck_assert_int_eq(entry.offset, 17);
	ck_assert_int_eq(entry.leader_epoch, 3);
	ck_assert_str_eq(entry.metadata, "x");
	ck_assert_int_eq(says.stable, 1);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_FETCH], 4);
	ck_assert_int_eq(script.requests[KL_API_FIND_COORDINATOR],
			 cases[_i].code == KLAMM_ERR_NOT_COORDINATOR ||
					 cases[_i].code == KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
				 ? 4
				 : 1);
}
END_TEST

START_TEST(reading_tells_what_does_not_pass)
{
	struct klamm_error err;
	static const struct {
		int code;
		bool partition;
	} cases[] = {
		{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, false},
		{KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, true},
		{KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, true},
	};
	START("enable.auto.commit=false", NULL);
	keep("t", 0, 17, 3, "x");
	says.fetch_error = cases[_i].code;
	says.for_partition = cases[_i].partition;
	says.fetch_errors_left = -1;
	says.bad_partition = 1;
	struct klamm_committed two[] = {
		{.size = sizeof(two[0]), .topic = "t", .partition = 0},
		{.size = sizeof(two[0]), .topic = "t", .partition = 1},
	};
	ck_assert_int_eq(klamm_consumer_committed(consumer, two, 2, PATIENCE, &err),
			 cases[_i].code);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: reading "));
	ck_assert_ptr_nonnull(strstr(err.text, klamm_err_name(cases[_i].code)));
	ck_assert_int_eq(two[1].error, cases[_i].code);
	ck_assert_int_eq(two[0].error, cases[_i].partition ? 0 : cases[_i].code);
	if (cases[_i].partition)
		ck_assert_int_eq(two[0].offset, 17);
	ck_assert_int_eq(says.stable, 0);
}
END_TEST

/* --- without waiting --- */

static struct {
	int count;
	int64_t offsets[16];
	int codes[16];
	int inside, inside_async;
} told;

static void on_commit(void *arg, const struct klamm_offset *offsets, size_t count,
		      const struct klamm_error *err)
{
	ck_assert_ptr_eq(arg, &told);
	ck_assert_uint_eq(count, 1);
	ck_assert_str_eq(offsets->topic, "t");
	told.offsets[told.count] = offsets->offset;
	told.codes[told.count++] = err != NULL ? err->code : 0;
	told.inside = klamm_consumer_commit(consumer, offsets, count, PATIENCE, NULL);
	if (told.count == 1)
		told.inside_async = klamm_consumer_commit_async(consumer, offsets, count, NULL,
								NULL, NULL);
}

static void commit_later(int64_t offset)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, offset, "n"};
	ck_assert_msg(klamm_consumer_commit_async(consumer, &one, 1, on_commit, &told, &err) ==
			      0,
		      "%s", err.text);
}

static void poll_until(int times)
{
	int64_t deadline = world_ms() + PATIENCE;
	struct klamm_batch *batch;
	while (told.count < times && world_ms() < deadline)
		ck_assert_int_eq(klamm_consumer_poll(consumer, 10, &batch, NULL), 0);
	ck_assert_int_eq(told.count, times);
}

START_TEST(commits_are_told_by_poll)
{
	memset(&told, 0, sizeof(told));
	START("enable.auto.commit=false", NULL);
	for (int i = 0; i < 3; i++)
		commit_later(10 + i);
	usleep(50 * 1000);
	ck_assert_int_eq(told.count, 0); /* by nobody else */
	poll_until(3);
	for (int i = 0; i < 3; i++) {
		ck_assert_int_eq(told.offsets[i], 10 + i);
		ck_assert_int_eq(told.codes[i], 0);
	}
	ck_assert_int_eq(told.inside, KLAMM_ERR_WOULD_BLOCK);
	ck_assert_int_eq(told.inside_async, 0);
	says.commit_error = KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED;
	says.commit_errors_left = 2;
	commit_later(99);
	poll_until(4);
	ck_assert_int_eq(told.codes[3], KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED);
}
END_TEST

/* One OffsetCommit is under way at a time; what waits behind it goes as one. */
START_TEST(commits_keep_their_order)
{
	memset(&told, 0, sizeof(told));
	START("enable.auto.commit=false", "request.timeout.ms=2500", "fetch.max.wait.ms=50",
	      NULL);
	commit_one(1);
	says.hold = true; /* this one's answer does not come: it is sent again */
	commit_later(10);
	int64_t deadline = world_ms() + PATIENCE;
	while (script.requests[KL_API_OFFSET_COMMIT] < 2 && world_ms() < deadline)
		usleep(1000);
	for (int i = 1; i < 5; i++)
		commit_later(10 + i);
	usleep(30 * 1000);
	ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 2);
	says.hold = false;
	poll_until(5);
	for (int i = 0; i < 5; i++)
		ck_assert_int_eq(told.offsets[i], 10 + i);
	/* Together, and perhaps the one that on_commit() makes. */
	ck_assert_int_le(script.requests[KL_API_OFFSET_COMMIT], 4);
	commit_one(14);
	ck_assert_int_eq(kept_offset("t", 0), 14);
}
END_TEST

START_TEST(so_many_and_no_more)
{
	struct klamm_error err;
	memset(&told, 0, sizeof(told));
	START("enable.auto.commit=false", NULL);
	says.hold = true;
	const struct klamm_offset one = {"t", 0, -1, 1, NULL};
	for (int i = 0; i < 1000; i++)
		ck_assert_int_eq(klamm_consumer_commit_async(consumer, &one, 1, NULL, NULL,
							     &err),
				 0);
	ck_assert_int_eq(klamm_consumer_commit_async(consumer, &one, 1, NULL, NULL, &err),
			 KLAMM_ERR_QUEUE_FULL);
	ck_assert_ptr_nonnull(strstr(err.text, "1000 commits"));
}
END_TEST

START_TEST(commits_end_with_the_consumer)
{
	memset(&told, 0, sizeof(told));
	START("enable.auto.commit=false", NULL);
	says.hold = _i == 1;
	commit_later(10);
	ck_assert_int_eq(klamm_consumer_close(consumer, _i == 1 ? 100 : PATIENCE, NULL), 0);
	consumer = NULL;
	ck_assert_int_eq(told.count, 1);
	ck_assert_int_eq(told.codes[0], _i == 1 ? KLAMM_ERR_CLOSED : 0);
	if (_i == 0)
		ck_assert_int_eq(kept_offset("t", 0), 10);
}
END_TEST

START_TEST(commits_that_nobody_waits_for_end_in_time)
{
	memset(&told, 0, sizeof(told));
	START("enable.auto.commit=false", "default.api.timeout.ms=200", NULL);
	says.commit_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.commit_errors_left = -1;
	commit_later(10);
	poll_until(1);
	ck_assert_int_eq(told.codes[0], KLAMM_ERR_TIMED_OUT);
}
END_TEST

/* --- where partitions begin --- */

START_TEST(partitions_begin_where_the_group_is)
{
	struct klamm_error err;
	START("auto.offset.reset=earliest", "enable.auto.commit=false", NULL);
	keep("t", 1, 42, 5, "");
	keep("t", 2, 0, 5, "");
	says.fetch_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.fetch_errors_left = _i;
	assign(4);
	ck_assert_int_eq(position(0), 0);
	ck_assert_int_eq(position(1), 42);
	ck_assert_int_eq(position(2), 0);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 1, 7, &err), 0);
	ck_assert_int_eq(position(1), 7);
	assign(2); /* what stays keeps its position */
	ck_assert_int_eq(position(1), 7);
	/* And with it the epoch that was committed. */
	assign(0);
	assign(2);
	ck_assert_int_eq(position(1), 42);
	ck_assert_int_eq(klamm_consumer_commit(consumer, NULL, 0, PATIENCE, &err), 0);
	ck_assert_int_eq(ask("t", 1).leader_epoch, 5);
	ck_assert_int_eq(ask("t", 0).leader_epoch, -1);
}
END_TEST

START_TEST(no_place_to_begin)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	int64_t offset;
	START("auto.offset.reset=none", "enable.auto.commit=false", NULL);
	keep("t", 1, 42, 5, "");
	assign(2);
	ck_assert_int_eq(position(1), 42);
	ck_assert_int_eq(klamm_consumer_position(consumer, "t", 0, PATIENCE, &offset, &err),
			 KLAMM_ERR_NO_OFFSET);
	int rc = 0;
	for (int i = 0; i < 100 && rc == 0; i++)
		rc = klamm_consumer_poll(consumer, 100, &batch, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_NO_OFFSET);
	ck_assert_ptr_nonnull(strstr(err.text, "topic t partition 0"));
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 3, &err), 0);
	ck_assert_int_eq(position(0), 3);
}
END_TEST

static void poll_until_error(int code)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	int64_t deadline = world_ms() + PATIENCE;
	int rc = 0;
	while (rc == 0 && world_ms() < deadline)
		rc = klamm_consumer_poll(consumer, 10, &batch, &err);
	ck_assert_int_eq(rc, code);
}

static void poll_without_error(int times)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	for (int i = 0; i < times; i++)
		ck_assert_msg(klamm_consumer_poll(consumer, 10, &batch, &err) == 0, "%s",
			      err.text);
}

/* Told once, however many partitions there are, and tried again. */
START_TEST(a_group_that_may_not_be_read)
{
	START("enable.auto.commit=false", NULL);
	says.fetch_error = KLAMM_ERR_GROUP_AUTHORIZATION_FAILED;
	says.fetch_errors_left = -1;
	keep("t", 3, 33, 5, "");
	assign(4);
	poll_until_error(KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	poll_without_error(20);
	says.fetch_errors_left = 0;
	ck_assert_int_eq(position(3), 33);
}
END_TEST

static bool refuse(const struct script_request *request)
{
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return answer(request);
	struct kl_sasl_authenticate_response *body = SCRIPT_BODY(sasl_authenticate, request);
	body->error_code = KLAMM_ERR_SASL_AUTHENTICATION_FAILED;
	body->error_message = KL_STR("not you");
	script_answer(request, body);
	return true;
}

/* By whoever asks first, once; and a call does not wait for its time to be over. */
START_TEST(brokers_that_do_not_let_us_in)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, 5, NULL};
	struct klamm_committed entry = {.size = sizeof(entry), .topic = "t"};
	script.handle = refuse;
	START("security.protocol=SASL_PLAINTEXT", "sasl.mechanism=PLAIN", "sasl.username=u",
	      "sasl.password=p", "auto.commit.interval.ms=10", NULL);
	assign(2);
	poll_until_error(KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	poll_without_error(20);
	int64_t since = world_ms();
	ck_assert_int_eq(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err),
			 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_ptr_nonnull(strstr(err.text, "group g: "));
	ck_assert_ptr_nonnull(strstr(err.text, "not you"));
	ck_assert_int_eq(klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err),
			 KLAMM_ERR_SASL_AUTHENTICATION_FAILED);
	ck_assert_int_lt(world_ms() - since, PATIENCE / 2);
}
END_TEST

/* --- by themselves --- */

static void poll_for(int ms)
{
	struct klamm_batch *batch;
	int64_t deadline = world_ms() + ms;
	while (world_ms() < deadline)
		klamm_consumer_poll(consumer, 10, &batch, NULL);
}

static bool polled_until_kept(int64_t offset)
{
	int64_t deadline = world_ms() + PATIENCE;
	while (kept_offset("t", 0) != offset && world_ms() < deadline)
		poll_for(10);
	return kept_offset("t", 0) == offset;
}

START_TEST(opt_enable_auto_commit)
{
	struct klamm_error err;
	static const char *const values[] = {"enable.auto.commit=true", "group.id=g",
					     "enable.auto.commit=false"};
	START(values[_i], "auto.commit.interval.ms=50", NULL);
	assign(1);
	ck_assert_int_eq(position(0), 100);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 60, &err), 0);
	if (_i == 2) {
		poll_for(300);
		world_close_consumer(consumer);
		consumer = NULL;
		ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
		return;
	}
	ck_assert(polled_until_kept(60));
	/* What leaves is committed, */
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 61, &err), 0);
	ck_assert_int_eq(klamm_consumer_assign(consumer, NULL, 0, &err), 0);
	ck_assert(polled_until_kept(61));
	/* and what is there at the end. */
	assign(1);
	ck_assert_int_eq(position(0), 61);
	ck_assert_int_eq(klamm_consumer_seek(consumer, "t", 0, 62, &err), 0);
	world_close_consumer(consumer);
	consumer = NULL;
	ck_assert_int_eq(kept_offset("t", 0), 62);
}
END_TEST

/* As in Kafka's client, it is an error to ask for it and to have no group. */
START_TEST(auto_commit_needs_a_group)
{
	struct klamm_error err;
	world_servers = "127.0.0.1:1";
	struct klamm_conf *conf = world_conf("enable.auto.commit=true", NULL);
	struct klamm_consumer *none;
	ck_assert_int_eq(klamm_consumer_new(conf, NULL, &none, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "needs a group.id"));
	klamm_conf_free(conf);
}
END_TEST

START_TEST(opt_auto_commit_interval_ms)
{
	START(_i == 0 ? "auto.commit.interval.ms=50" : "auto.commit.interval.ms=60000", NULL);
	assign(1);
	position(0);
	int64_t begun = world_ms();
	poll_for(500);
	if (_i == 0) {
		while (script.requests[KL_API_OFFSET_COMMIT] < 3 &&
		       world_ms() < begun + PATIENCE)
			poll_for(10);
		int commits = script.requests[KL_API_OFFSET_COMMIT];
		ck_assert_int_ge(commits, 3);
		ck_assert_int_le(commits, (world_ms() - begun) / 50 + 2);
	} else {
		ck_assert_int_eq(script.requests[KL_API_OFFSET_COMMIT], 0);
	}
}
END_TEST

/* Told once, and the next ones go on. */
START_TEST(auto_commits_that_fail_are_told)
{
	struct klamm_error err;
	START("auto.commit.interval.ms=20", NULL);
	assign(1);
	position(0);
	says.commit_error = KLAMM_ERR_GROUP_AUTHORIZATION_FAILED;
	says.commit_errors_left = -1;
	poll_until_error(KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	int64_t deadline = world_ms() + PATIENCE;
	while (script.requests[KL_API_OFFSET_COMMIT] < 4 && world_ms() < deadline)
		poll_without_error(1);
	ck_assert_int_ge(script.requests[KL_API_OFFSET_COMMIT], 4);
	ck_assert_int_eq(klamm_consumer_close(consumer, PATIENCE, &err),
			 KLAMM_ERR_GROUP_AUTHORIZATION_FAILED);
	consumer = NULL;
}
END_TEST

/* However long the coordinator is away, few of them wait, and the newest is stored. */
START_TEST(auto_commits_do_not_pile_up)
{
	struct klamm_error err;
	START("auto.commit.interval.ms=0", NULL);
	assign(1);
	position(0);
	says.commit_error = KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS;
	says.commit_errors_left = -1;
	for (int i = 0; i < 20; i++) {
		klamm_consumer_seek(consumer, "t", 0, i, &err);
		poll_for(20);
	}
	says.commit_errors_left = 0;
	ck_assert(polled_until_kept(19));
}
END_TEST

UNIT_SUITE(commit)
{
	Suite *s = suite_create("commit");
	unit_add_case(s, "every_version_of_both", every_version_of_both, set_up, tear_down,
		      11);
	unit_add_fixture(s, positions_of_all_that_is_assigned, set_up, tear_down);
	unit_add_fixture(s, the_last_of_several_offsets_counts, set_up, tear_down);
	unit_add_fixture(s, wrong_arguments, set_up, tear_down);
	unit_add_fixture(s, opt_group_id, set_up, tear_down);
	unit_add_case(s, "a_commit_waits_for_what_passes", a_commit_waits_for_what_passes,
		      set_up, tear_down, (int)kl_countof(passing));
	unit_add_case(s, "a_commit_tells_what_does_not_pass",
		      a_commit_tells_what_does_not_pass, set_up, tear_down,
		      (int)kl_countof(lasting));
	unit_add_fixture(s, part_of_a_commit_is_sent_again, set_up, tear_down);
	unit_add_fixture(s, a_commit_is_sent_again_when_the_connection_is_lost, set_up,
			 tear_down);
	unit_add_fixture(s, a_commit_gives_up_in_time, set_up, tear_down);
	unit_add_fixture(s, no_coordinator, set_up, tear_down);
	unit_add_fixture(s, answers_that_leave_out, set_up, tear_down);
	unit_add_case(s, "reading_waits_for_what_passes", reading_waits_for_what_passes,
		      set_up, tear_down, 6);
	unit_add_case(s, "reading_tells_what_does_not_pass", reading_tells_what_does_not_pass,
		      set_up, tear_down, 3);
	unit_add_fixture(s, commits_are_told_by_poll, set_up, tear_down);
	unit_add_fixture(s, commits_keep_their_order, set_up, tear_down);
	unit_add_fixture(s, so_many_and_no_more, set_up, tear_down);
	unit_add_case(s, "commits_end_with_the_consumer", commits_end_with_the_consumer,
		      set_up, tear_down, 2);
	unit_add_fixture(s, commits_that_nobody_waits_for_end_in_time, set_up, tear_down);
	unit_add_case(s, "partitions_begin_where_the_group_is",
		      partitions_begin_where_the_group_is, set_up, tear_down, 3);
	unit_add_fixture(s, no_place_to_begin, set_up, tear_down);
	unit_add_fixture(s, a_group_that_may_not_be_read, set_up, tear_down);
	unit_add_fixture(s, brokers_that_do_not_let_us_in, set_up, tear_down);
	unit_add_case(s, "opt_enable_auto_commit", opt_enable_auto_commit, set_up, tear_down,
		      3);
	unit_add_fixture(s, auto_commit_needs_a_group, set_up, tear_down);
	unit_add_case(s, "opt_auto_commit_interval_ms", opt_auto_commit_interval_ms, set_up,
		      tear_down, 2);
	unit_add_fixture(s, auto_commits_that_fail_are_told, set_up, tear_down);
	unit_add_fixture(s, auto_commits_do_not_pile_up, set_up, tear_down);
	return s;
}
