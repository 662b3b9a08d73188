/* SPDX-License-Identifier: BSD-2-Clause */
/* TxnOffsetCommit 0-6: commits that count when their transaction does. */
#include "broker/commits.h"
#include "broker/coordinators.h"
#include "broker/txns.h"

/* The first versions that name topics by id, add the group's partition to the transaction by
 * themselves, have clients that know TRANSACTION_ABORTABLE, and any error. */
#define BY_ID 6
#define ADDS 5
#define ABORTABLE 4
#define LOADING 2

struct work {
	struct kl_txn_offset_commit_response response;
	struct kl_dev_pledge added, appended;
	bool any;
};

/* --- answers --- */

static void set_rest(struct kl_dev_call *call, struct work *work, int error)
{
	struct kl_txn_offset_commit_response *response = &work->response;
	if (error == KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS && call->version < LOADING)
		error = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	for (int32_t i = 0; i < response->topics_n; i++)
		for (int32_t k = 0; k < response->topics[i].partitions_n; k++)
			if (response->topics[i].partitions[k].error_code == 0)
				response->topics[i].partitions[k].error_code = (int16_t)error;
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	if (work->appended.error != 0)
		set_rest(call, work, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	kl_dev_answer(call, &work->response);
}

/* What is wrong with single partitions. false: out of memory. */
static bool check(struct kl_dev_call *call, struct work *work)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	struct kl_txn_offset_commit_response *response = &work->response;
	size_t n = (size_t)kl_max(request->topics_n, 0);
	response->topics =
		kl_type_new(&kl_type_txn_offset_commit_response_topic, &call->arena, n);
	if (response->topics == NULL)
		return false;
	response->topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		const struct kl_txn_offset_commit_request_topic *asked = &request->topics[i];
		struct kl_txn_offset_commit_response_topic *out = &response->topics[i];
		struct kl_dev_topic *topic;
		int rc = kl_dev_commit_topic(call, call->version >= BY_ID, asked->name,
					     &asked->topic_id, &topic);
		out->name = asked->name;
		out->topic_id = asked->topic_id;
		size_t m = (size_t)kl_max(asked->partitions_n, 0);
		out->partitions = kl_type_new(&kl_type_txn_offset_commit_response_partition,
					      &call->arena, m);
		if (out->partitions == NULL)
			return false;
		out->partitions_n = (int32_t)m;
		for (size_t k = 0; k < m; k++) {
			int32_t index = asked->partitions[k].partition_index;
			int error = kl_dev_commit_error(call, topic, asked->name, index, rc);
			out->partitions[k].partition_index = index;
			out->partitions[k].error_code = (int16_t)error;
			work->any |= error == 0;
		}
	}
	return true;
}

/* --- committing --- */

static void put_one(struct kl_dev_call *call, struct kl_dev_batch *batch,
		    const struct kl_txn_offset_commit_request_topic *topic,
		    const struct kl_txn_offset_commit_request_partition *asked,
		    struct kl_txn_offset_commit_response_partition *out)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	struct kl_dev_commit commit = {
		.group = request->group_id,
		.index = asked->partition_index,
		.offset = asked->committed_offset,
		.leader_epoch = asked->committed_leader_epoch,
		.metadata = asked->committed_metadata,
		.retention_ms = -1,
	};
	int error = kl_dev_commit_topic(call, call->version >= BY_ID, topic->name,
					&topic->topic_id, &commit.topic);
	if (error == 0)
		error = kl_dev_commit_check(call->broker, asked->committed_metadata);
	if (error == 0 && !kl_dev_commit_put(batch, &commit))
		error = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	out->error_code = (int16_t)error;
}

static int commit(struct kl_dev_call *call, struct work *work, struct kl_dev_partition *home)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	struct klamm_broker *broker = call->broker;
	struct kl_dev_batch batch;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	for (int32_t i = 0; i < request->topics_n; i++)
		for (int32_t k = 0; k < request->topics[i].partitions_n; k++) {
			struct kl_txn_offset_commit_response_partition *out =
				&work->response.topics[i].partitions[k];
			if (out->error_code == 0)
				put_one(call, &batch, &request->topics[i],
					&request->topics[i].partitions[k], out);
		}
	int rc = kl_dev_group_append(broker, home, &batch, request->producer_id,
				       request->producer_epoch);
	kl_dev_batch_free(&batch);
	work->appended = kl_dev_pledge_on(home);
	return rc;
}

/* --- the transaction --- */

static struct kl_dev_txn_ask ask_of(const struct kl_dev_call *call)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	return (struct kl_dev_txn_ask){request->transactional_id, request->producer_id,
				       request->producer_epoch,
				       call->version >= ADDS ? 2 : 0};
}

/* What clients of Produce are told, in the words of this API. */
static int translate(const struct kl_dev_call *call, int error)
{
	switch (error) {
	case KLAMM_ERR_PRODUCER_FENCED:
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	case KLAMM_ERR_TRANSACTION_ABORTABLE:
		return call->version < ABORTABLE ? KLAMM_ERR_INVALID_TXN_STATE : error;
	case KLAMM_ERR_NOT_COORDINATOR: /* of the transaction, not of the group */
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	default:
		return error;
	}
}

/* The group's partition takes part in the transaction, or is made to. */
static int join(struct kl_dev_call *call, struct kl_dev_partition *home,
		struct kl_dev_pledge *added_out)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_txn_ask ask = ask_of(call);
	if (kl_dev_producer_is_open(&home->producers, ask.producer_id, ask.epoch) ||
	    (call->version < ADDS && !broker->limits.verify_partitions))
		return 0;
	struct kl_dev_partition *txn_home = kl_dev_home(broker, KL_DEV_TXN, ask.id);
	struct kl_dev_txn_name name = {kl_dev_topic_name(home->topic), home->index};
	if (txn_home == NULL || txn_home->leader < 0 ||
	    kl_dev_home_ready(broker, txn_home) != 0)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	int rc = call->version >= ADDS ? kl_dev_txn_may_add(broker, &ask)
				       : kl_dev_txn_verify(broker, &ask);
	if (rc == 0 && call->version >= ADDS)
		rc = kl_dev_txn_add_all(broker, &ask, &name, 1);
	else if (rc == 0 && !kl_dev_txn_has_part(kl_dev_txn_find(broker, ask.id), name.topic,
						 name.index))
		rc = KLAMM_ERR_TRANSACTION_ABORTABLE;
	if (rc == 0)
		*added_out = kl_dev_pledge_on(txn_home);
	return translate(call, rc);
}

/* Its coordinator knows of it for good. */
static void when_added(struct kl_dev_call *call)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	struct work *work = call->work;
	struct kl_dev_partition *home;
	struct kl_dev_pledge again = {.settled = true};
	int error = work->added.error != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
					   : kl_dev_call_home(call, KL_DEV_GROUP,
							      request->group_id, &home);
	if (error == 0) /* nothing may have ended it meanwhile */
		error = join(call, home, &again);
	if (error == 0)
		error = commit(call, work, home);
	if (error != 0)
		set_rest(call, work, error);
	kl_dev_call_settle(call, &work->appended, 1, answer);
}

/* As in Kafka one that is wrong is wrong for all. */
static int check_parts(struct kl_dev_call *call, const struct work *work,
		       const struct kl_dev_committer *who)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	int rc = 0;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_txn_offset_commit_request_topic *asked = &request->topics[i];
		struct kl_dev_topic *topic;
		kl_dev_commit_topic(call, call->version >= BY_ID, asked->name,
				    &asked->topic_id, &topic);
		for (int32_t k = 0; rc == 0 && k < asked->partitions_n; k++)
			if (work->response.topics[i].partitions[k].error_code == 0)
				rc = kl_dev_commit_part(call->broker, request->group_id, who,
							topic,
							asked->partitions[k].partition_index);
	}
	return rc;
}

static int begin(struct kl_dev_call *call, struct work *work)
{
	const struct kl_txn_offset_commit_request *request = call->request;
	struct kl_dev_partition *home;
	struct kl_dev_committer who = {
		.member_id = request->member_id,
		.instance_id = request->group_instance_id,
		.generation = request->generation_id_or_member_epoch,
		.version = call->version,
		.in_transaction = true,
	};
	int error = kl_dev_call_error(call);
	if (error == 0 && request->group_id.len <= 0)
		error = KLAMM_ERR_INVALID_GROUP_ID;
	if (error == 0)
		error = kl_dev_call_home(call, KL_DEV_GROUP, request->group_id, &home);
	if (error == 0)
		error = join(call, home, &work->added);
	if (error == 0)
		error = kl_dev_commit_group(call->broker, request->group_id, &who,
					    KLAMM_ERR_ILLEGAL_GENERATION);
	if (error == 0)
		error = check_parts(call, work, &who);
	/* Of a producer an epoch is a generation. */
	return error == KLAMM_ERR_STALE_MEMBER_EPOCH ? KLAMM_ERR_ILLEGAL_GENERATION : error;
}

void kl_dev_txn_offset_commit(struct kl_dev_call *call)
{
	struct work *work = kl_arena_alloc(&call->arena, sizeof(*work));
	if (work == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	*work = (struct work){.added.settled = true, .appended.settled = true};
	kl_msg_init(&kl_msg_txn_offset_commit_response, &work->response);
	call->work = work;
	if (!check(call, work)) {
		kl_dev_call_fail(call);
		return;
	}
	int error = work->any ? begin(call, work) : 0;
	if (error == 0 && work->any) {
		kl_dev_call_settle(call, &work->added, 1, when_added);
		return;
	}
	set_rest(call, work, error);
	kl_dev_answer(call, &work->response);
}
