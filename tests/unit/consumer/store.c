/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/consumer/store.h"

#include <pthread.h>
#include <stdio.h>

/* What the script keeps; a place, once made, stays. */
static pthread_mutex_t keeping = PTHREAD_MUTEX_INITIALIZER;
static struct kept {
	char topic[32];
	int32_t partition, epoch;
	int64_t offset;
	char note[64];
} places[16];
static _Atomic int kept_count;

struct store store;

static struct kept *place(struct kl_str topic, int32_t partition)
{
	for (int i = 0; i < kept_count; i++)
		if (kl_str_is(topic, places[i].topic) &&
		    places[i].partition == partition)
			return &places[i];
	return NULL;
}

void store_keep(const char *topic, int32_t partition, int64_t offset, int32_t epoch,
		const char *note)
{
	pthread_mutex_lock(&keeping);
	struct kept *kept = place(kl_str(topic), partition);
	if (kept == NULL)
		kept = &places[kept_count++];
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

int64_t stored(const char *topic, int32_t partition)
{
	struct kept kept;
	return find_kept(kl_str(topic), partition, &kept) ? kept.offset : -1;
}

/* Topics are "t" and "u". */
static const char *topic_name(struct kl_str name, const struct klamm_uuid *id,
			      bool by_id)
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
	return left != 0 &&
	       (store.bad_partition < 0 || store.bad_partition == partition);
}

static bool commit(const struct script_request *request)
{
	const struct kl_offset_commit_request *asked = request->body;
	struct kl_offset_commit_response *body = SCRIPT_BODY(offset_commit, request);
	bool by_id = request->header.version >= 10;
	store.commit_version = request->header.version;
	store.generation = asked->generation_id_or_member_epoch;
	store.member = asked->member_id.len > 0 || asked->group_instance_id.len > 0;
	store.partitions = 0;
	if (store.hang_ups > 0) {
		store.hang_ups--;
		script_hang_up(request);
		return true;
	}
	if (store.hold)
		return true;
	body->topics = kl_type_new(&kl_type_offset_commit_response_topic,
				   request->arena, (size_t)asked->topics_n);
	for (int32_t t = 0; t < asked->topics_n; t++) {
		const struct kl_offset_commit_request_topic *from = &asked->topics[t];
		struct kl_offset_commit_response_topic *to =
			&body->topics[body->topics_n++];
		const char *name = topic_name(from->name, &from->topic_id, by_id);
		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partitions =
			kl_type_new(&kl_type_offset_commit_response_partition,
				    request->arena, (size_t)from->partitions_n);
		for (int32_t i = 0; i < from->partitions_n && !store.leave_out; i++) {
			const struct kl_offset_commit_request_partition *p =
				&from->partitions[i];
			bool bad = is_bad(store.commit_errors_left, p->partition_index);
			char note[64];
			snprintf(note, sizeof(note), "%.*s",
				 kl_max(p->committed_metadata.len, 0),
				 p->committed_metadata.p);
			if (!bad)
				store_keep(name, p->partition_index,
					   p->committed_offset,
					   p->committed_leader_epoch, note);
			to->partitions[to->partitions_n++] =
				(struct kl_offset_commit_response_partition){
					.partition_index = p->partition_index,
					.error_code = (int16_t)(bad ? store.commit_error
								    : 0)};
			store.partitions++;
		}
	}
	count_down(&store.commit_errors_left);
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
	bool bad = store.for_partition && is_bad(store.fetch_errors_left, partition);
	struct kl_offset_fetch_response_group_partition to = {
		.partition_index = partition,
		.committed_offset = -1,
		.committed_leader_epoch = -1,
		.metadata = KL_STR(""),
	};
	if (bad) {
		to.error_code = (int16_t)store.fetch_error;
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
	if (store.fetch_errors_left != 0 && !store.for_partition)
		body->error_code = (int16_t)store.fetch_error;
	body->topics = kl_type_new(&kl_type_offset_fetch_response_topic, request->arena,
				   (size_t)kl_max(asked->topics_n, 0));
	for (int32_t t = 0; t < asked->topics_n && body->error_code == 0; t++) {
		const struct kl_offset_fetch_request_topic *from = &asked->topics[t];
		struct kl_offset_fetch_response_topic *to =
			&body->topics[body->topics_n++];
		to->name = from->name;
		to->partitions =
			kl_type_new(&kl_type_offset_fetch_response_partition,
				    request->arena, (size_t)from->partition_indexes_n);
		for (int32_t i = 0; i < from->partition_indexes_n; i++) {
			struct kl_offset_fetch_response_group_partition one = read_one(
				topic_name(from->name, NULL, false),
				from->partition_indexes[i], request->header.version);
			to->partitions[to->partitions_n++] =
				(struct kl_offset_fetch_response_partition){
					.partition_index = one.partition_index,
					.committed_offset = one.committed_offset,
					.committed_leader_epoch =
						one.committed_leader_epoch,
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
	body->groups =
		kl_type_new(&kl_type_offset_fetch_response_group, request->arena, 1);
	body->groups_n = 1;
	struct kl_offset_fetch_response_group *out = body->groups;
	out->group_id = store.other_group ? KL_STR("others") : group->group_id;
	if (store.fetch_errors_left != 0 && !store.for_partition)
		out->error_code = (int16_t)store.fetch_error;
	out->topics = kl_type_new(&kl_type_offset_fetch_response_group_topic,
				  request->arena, (size_t)kl_max(group->topics_n, 0));
	for (int32_t t = 0; t < group->topics_n && out->error_code == 0; t++) {
		const struct kl_offset_fetch_request_group_topic *from =
			&group->topics[t];
		struct kl_offset_fetch_response_group_topic *to =
			&out->topics[out->topics_n++];
		to->name = from->name;
		to->topic_id = from->topic_id;
		to->partitions =
			kl_type_new(&kl_type_offset_fetch_response_group_partition,
				    request->arena, (size_t)from->partition_indexes_n);
		for (int32_t i = 0; i < from->partition_indexes_n; i++)
			to->partitions[to->partitions_n++] = read_one(
				topic_name(from->name, &from->topic_id, by_id),
				from->partition_indexes[i], request->header.version);
	}
	script_answer(request, body);
}

bool store_answer(const struct script_request *request)
{
	if (request->header.api == KL_API_OFFSET_COMMIT)
		return commit(request);
	if (request->header.api != KL_API_OFFSET_FETCH)
		return false;
	store.fetch_version = request->header.version;
	store.stable =
		((const struct kl_offset_fetch_request *)request->body)->require_stable;
	if (request->header.version < 8)
		fetch_old(request);
	else
		fetch_new(request);
	count_down(&store.fetch_errors_left);
	return true;
}

void store_up(void)
{
	script = (struct script){
		.handle = store_answer, .partitions = 4, .log = "", .log_end = 100};
	memset(&store, 0, sizeof(store));
	store.bad_partition = -1;
	kept_count = 0;
	consumer = NULL;
}

void store_down(void)
{
	if (consumer != NULL)
		klamm_consumer_close(consumer, 0, NULL);
	if (script.thread != 0)
		script_stop(&script);
}

void store_assign(int32_t partitions)
{
	struct klamm_topic_partition all[4];
	struct klamm_error err;
	for (int32_t i = 0; i < partitions; i++)
		all[i] = (struct klamm_topic_partition){"t", i};
	ck_assert_msg(klamm_consumer_assign(consumer, all, (size_t)partitions, &err) ==
			      0,
		      "%s", err.text);
}

int64_t store_position(int32_t partition)
{
	struct klamm_error err;
	int64_t offset;
	int rc = klamm_consumer_position(consumer, "t", partition, PATIENCE, &offset,
					 &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return offset;
}

struct klamm_committed store_committed(const char *topic, int32_t partition)
{
	struct klamm_error err;
	struct klamm_committed entry = {
		.size = sizeof(entry), .topic = topic, .partition = partition};
	int rc = klamm_consumer_committed(consumer, &entry, 1, PATIENCE, &err);
	ck_assert_msg(rc == 0, "%s", err.text);
	return entry;
}

void store_commit(int64_t offset)
{
	struct klamm_error err;
	const struct klamm_offset one = {"t", 0, -1, offset, NULL};
	ck_assert_msg(klamm_consumer_commit(consumer, &one, 1, PATIENCE, &err) == 0,
		      "%s", err.text);
}

void store_poll_until_error(int code)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	int64_t deadline = world_ms() + PATIENCE;
	int rc = 0;
	while (rc == 0 && world_ms() < deadline)
		rc = klamm_consumer_poll(consumer, 10, &batch, &err);
	ck_assert_int_eq(rc, code);
}

void store_poll(int times)
{
	struct klamm_error err;
	struct klamm_batch *batch;
	for (int i = 0; i < times; i++)
		ck_assert_msg(klamm_consumer_poll(consumer, 10, &batch, &err) == 0,
			      "%s", err.text);
}
