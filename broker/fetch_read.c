/* SPDX-License-Identifier: BSD-2-Clause */
/* One partition of a Fetch: may it be read here, from there, and what is in it. */
#include "broker/fetch.h"
#include "broker/null.h"
#include "broker/old.h"
#include "core/record/batch_read.h"

#define READ_COMMITTED 1
#define FETCH_BATCHES 4 /* the first version that is answered with batches (KIP-98) */
#define FETCH_RACK 11   /* the first that tells where the client is (KIP-392) */

/* --- looking --- */

/* Where epochs and names agree, a topic's id may not: it was made anew under a session. */
static struct kl_dev_partition *find(struct kl_dev_call *call,
				     const struct kl_dev_wanted *wanted, int *error_out)
{
	struct kl_dev_partition *partition = kl_dev_call_find(
		call, wanted->topic, NULL, wanted->partition, error_out);
	if (*error_out == 0 && !kl_uuid_is_zero(&wanted->topic_id) &&
	    !kl_uuid_equal(&wanted->topic_id, &partition->topic->id))
		*error_out = KLAMM_ERR_INCONSISTENT_TOPIC_ID;
	return partition;
}

/* Another broker's replica is no part of this cluster. */
static bool is_consumer(const struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	return (call->version < 15 ? request->replica_id
				   : request->replica_state.replica_id) < 0;
}

/* As Kafka's RackAwareReplicaSelector: of the replicas in the client's rack one that is in
 * sync and has the offset, the leader before others. */
static int32_t nearer(const struct kl_dev_call *call,
		      const struct kl_dev_partition *partition, int64_t offset)
{
	struct klamm_broker *broker = call->broker;
	const struct kl_fetch_request *request = call->request;
	const struct kl_dev_node *leader = call->conn->node;
	int32_t best = -1;
	if (call->version < FETCH_RACK || partition->leader != leader->id ||
	    broker->limits.replica_selector != KL_DEV_SELECT_RACK ||
	    request->rack_id.len <= 0 || kl_str_equal(request->rack_id, leader->rack) ||
	    offset < partition->log.start || offset > partition->log.end)
		return -1;
	for (int32_t i = 0; i < partition->replica_count; i++) {
		const struct kl_dev_node *node =
			kl_dev_node(broker, partition->replicas[i]);
		if (kl_dev_node_runs(node) && kl_str_equal(node->rack, request->rack_id))
			best = kl_max(best, node->id);
	}
	return best;
}

/* The end of what this node has: a fault makes a follower lag. */
static int end_of(const struct kl_dev_call *call, struct kl_dev_partition *partition,
		  int64_t *end_out)
{
	struct kl_dev_log *log = &partition->log;
	int64_t lag = call->fault != NULL ? kl_dev_fault_spec(call->fault)->lag : 0;
	*end_out = log->end;
	if (lag <= 0 || partition->leader == call->conn->node->id)
		return 0;
	return kl_dev_log_batch_at(log, kl_max(log->start, log->end - lag), end_out);
}

/* KIP-595, as Kafka's Partition.readRecords(). */
static int compare_epochs(const struct kl_dev_partition *partition,
			  const struct kl_dev_wanted *wanted, int64_t end,
			  struct kl_dev_epoch *diverging_out)
{
	if (wanted->last_epoch < 0)
		return 0;
	struct kl_dev_epoch ours =
		kl_dev_log_epoch_end(&partition->log, wanted->last_epoch);
	if (ours.epoch < 0 || wanted->offset < partition->log.start)
		return KLAMM_ERR_OFFSET_OUT_OF_RANGE;
	ours.start = kl_min(ours.start, end);
	if (ours.epoch < wanted->last_epoch || ours.start < wanted->offset)
		*diverging_out = ours;
	return 0;
}

static void look_into(struct kl_dev_call *call, const struct kl_dev_wanted *wanted,
		      struct kl_dev_view *view)
{
	struct kl_dev_partition *partition = view->partition;
	int64_t end;
	view->error = end_of(call, partition, &end);
	if (view->error != 0)
		return;
	view->high = kl_min(partition->log.high, end);
	view->stable = kl_min(kl_dev_partition_stable(partition), end);
	view->preferred = nearer(call, partition, wanted->offset);
	if (view->preferred >= 0)
		return;
	view->error = compare_epochs(partition, wanted, end, &view->diverging);
	if (view->error == 0 && view->diverging.epoch < 0 &&
	    (wanted->offset < partition->log.start || wanted->offset > end))
		view->error = KLAMM_ERR_OFFSET_OUT_OF_RANGE;
}

struct kl_dev_view kl_dev_fetch_look(struct kl_dev_call *call,
				     const struct kl_dev_wanted *wanted)
{
	struct kl_dev_view view = {
		.preferred = -1, .diverging = {-1, -1}, .high = -1, .stable = -1};
	if (wanted->is_unknown) {
		view.error = wanted->topic.len < 0 ? KLAMM_ERR_UNKNOWN_TOPIC_ID
						   : KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION;
		return view;
	}
	view.partition = find(call, wanted, &view.error);
	if (view.error == 0)
		view.error = kl_dev_call_check(call, view.partition, wanted->leader_epoch,
					       call->version < FETCH_RACK);
	if (view.error == 0 && !is_consumer(call))
		view.error = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER;
	if (view.error == 0 && call->broker->null == NULL)
		look_into(call, wanted, &view);
	else if (view.error == 0 &&
		 (wanted->offset < 0 || wanted->offset > KL_DEV_NULL_END))
		view.error = KLAMM_ERR_OFFSET_OUT_OF_RANGE;
	return view;
}

int64_t kl_dev_view_limit(const struct kl_dev_view *view,
			  const struct kl_fetch_request *request)
{
	return request->isolation_level == READ_COMMITTED ? view->stable : view->high;
}

/* --- reading --- */

static bool read_null(struct kl_dev_call *call, const struct kl_dev_wanted *wanted,
		      struct kl_dev_fetch_room *room, size_t max,
		      struct kl_fetch_response_partition *out)
{
	out->high_watermark = out->last_stable_offset = KL_DEV_NULL_END;
	if (wanted->offset == KL_DEV_NULL_END || (!room->nothing && max == 0))
		return true;
	if (!kl_dev_null_fetch(call, wanted->offset, max, &out->records))
		return false;
	room->left -= kl_min(room->left, (size_t)out->records.len);
	room->nothing = false;
	return true;
}

/* The aborted transactions with records among those that are sent. */
static bool tell_aborted(struct kl_dev_call *call, const struct kl_dev_partition *partition,
			 int64_t offset, const struct kl_dev_read *read,
			 struct kl_fetch_response_partition *out)
{
	const struct kl_dev_ended_list *aborted = &partition->producers.aborted;
	struct kl_batch_span span;
	kl_batch_hop(read->p, read->n, &span);
	size_t from = kl_dev_aborted_from(&partition->producers, offset), to = from;
	while (to < aborted->count && aborted->list[to].stable < span.next_offset)
		to++;
	to = kl_min(to + 1, aborted->count);
	out->aborted_transactions = kl_type_new(
		&kl_type_fetch_response_aborted_transaction, &call->arena, to - from);
	out->aborted_transactions_n = 0;
	for (size_t i = from; i < to && out->aborted_transactions != NULL; i++) {
		const struct kl_dev_ended *ended = &aborted->list[i];
		if (ended->first >= span.next_offset)
			continue;
		struct kl_fetch_response_aborted_transaction *told =
			&out->aborted_transactions[out->aborted_transactions_n++];
		told->producer_id = ended->producer_id;
		told->first_offset = ended->first;
	}
	return out->aborted_transactions != NULL;
}

/* The records go with the answer. false: out of memory. */
static bool give(struct kl_dev_call *call, const struct kl_dev_read *read,
		 struct kl_dev_fetch_room *room, struct kl_fetch_response_partition *out)
{
	if (!kl_dev_call_hold(call, read->slab))
		return false;
	out->records = (struct kl_bytes){read->p, (int32_t)read->n};
	if (call->version < FETCH_BATCHES)
		out->error_code = (int16_t)kl_dev_old_from_batches(call, &out->records);
	if (out->error_code != 0)
		out->records.len = 0;
	room->left -= kl_min(room->left, read->n);
	room->nothing = false;
	return true;
}

static bool read_log(struct kl_dev_call *call, const struct kl_dev_wanted *wanted,
		     const struct kl_dev_view *view, struct kl_dev_fetch_room *room,
		     struct kl_fetch_response_partition *out)
{
	const struct kl_fetch_request *request = call->request;
	struct kl_dev_partition *partition = view->partition;
	size_t max = kl_min(room->left, (size_t)kl_max(wanted->max_bytes, 0));
	out->log_start_offset = partition->log.start;
	if (call->broker->null != NULL)
		return read_null(call, wanted, room, max, out);
	struct kl_dev_read read;
	int error = kl_dev_log_read(&partition->log, wanted->offset,
				    kl_dev_view_limit(view, request), max, room->nothing,
				    &read);
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	out->high_watermark = view->high;
	out->last_stable_offset = view->stable;
	if (read.n == 0)
		return true;
	bool ok = request->isolation_level != READ_COMMITTED ||
		  tell_aborted(call, partition, wanted->offset, &read, out);
	ok = ok && give(call, &read, room, out);
	kl_slab_unref(read.slab);
	return ok;
}

static void tell_view(const struct kl_dev_view *view,
		      struct kl_fetch_response_partition *out)
{
	out->high_watermark = view->high;
	out->last_stable_offset = view->stable;
	out->log_start_offset = view->partition->log.start;
	out->preferred_read_replica = view->preferred;
	out->diverging_epoch.epoch = view->diverging.epoch;
	out->diverging_epoch.end_offset = view->diverging.start;
}

bool kl_dev_fetch_read(struct kl_dev_call *call, const struct kl_dev_wanted *wanted,
		       struct kl_dev_fetch_room *room,
		       struct kl_fetch_response_partition *out)
{
	const struct kl_fetch_request *request = call->request;
	struct kl_dev_view view = kl_dev_fetch_look(call, wanted);
	out->partition_index = wanted->partition;
	out->error_code = (int16_t)view.error;
	out->high_watermark = -1;
	out->records.len = 0; /* Kafka sends none, and never null */
	if (request->isolation_level == 0)
		out->aborted_transactions_n = -1;
	if (view.error == 0 && kl_dev_view_is_news(&view))
		tell_view(&view, out);
	else if (view.error == 0)
		return read_log(call, wanted, &view, room, out);
	return true;
}
