/* SPDX-License-Identifier: BSD-2-Clause */
/* WriteTxnMarkers 1-2. Coordinators here need none; kafka-transactions.sh abort ends a
 * transaction with it that hangs. */
#include "broker/call.h"
#include "broker/txns.h"

struct work {
	struct kl_write_txn_markers_response response;
	/* Of the partitions that were written to, and where each is answered. */
	struct kl_dev_pledge *pledges;
	struct kl_write_txn_markers_response_partition **pledged;
	size_t count;
};

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	for (size_t i = 0; i < work->count; i++)
		work->pledged[i]->error_code = (int16_t)work->pledges[i].error;
	kl_dev_answer(call, &work->response);
}

static void write_one(struct kl_dev_call *call, struct work *work, struct kl_str topic,
		      const struct kl_dev_marker *marker,
		      struct kl_write_txn_markers_response_partition *out)
{
	int error;
	struct kl_dev_partition *partition =
		kl_dev_call_partition(call, topic, NULL, out->partition_index, &error);
	if (error == 0)
		error = kl_dev_marker_write(call->broker, partition, marker);
	out->error_code = (int16_t)error;
	if (error != 0)
		return;
	work->pledged[work->count] = out;
	work->pledges[work->count++] = kl_dev_pledge_on(partition);
}

/* false: out of memory. */
static bool write_marker(struct kl_dev_call *call, struct work *work,
			 const struct kl_write_txn_markers_request_marker *asked,
			 struct kl_write_txn_markers_response_marker *out)
{
	struct kl_dev_marker marker = {
		.producer_id = asked->producer_id,
		.epoch = asked->producer_epoch,
		.version = asked->transaction_version,
		.coordinator_epoch = asked->coordinator_epoch,
		.aborts = !asked->transaction_result,
	};
	size_t n = (size_t)kl_max(asked->topics_n, 0);
	out->producer_id = asked->producer_id;
	out->topics =
		kl_type_new(&kl_type_write_txn_markers_response_topic, &call->arena, n);
	if (out->topics == NULL)
		return false;
	out->topics_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		const struct kl_write_txn_markers_request_topic *topic = &asked->topics[i];
		struct kl_write_txn_markers_response_topic *to = &out->topics[i];
		size_t m = (size_t)kl_max(topic->partition_indexes_n, 0);
		to->name = topic->name;
		to->partitions = kl_type_new(&kl_type_write_txn_markers_response_partition,
					     &call->arena, m);
		if (to->partitions == NULL)
			return false;
		to->partitions_n = (int32_t)m;
		for (size_t k = 0; k < m; k++) {
			to->partitions[k].partition_index = topic->partition_indexes[k];
			write_one(call, work, topic->name, &marker, &to->partitions[k]);
		}
	}
	return true;
}

static size_t count(const struct kl_write_txn_markers_request *request)
{
	size_t n = 0;
	for (int32_t i = 0; i < request->markers_n; i++)
		for (int32_t k = 0; k < request->markers[i].topics_n; k++)
			n += (size_t)kl_max(
				request->markers[i].topics[k].partition_indexes_n, 0);
	return n;
}

static struct work *begin(struct kl_dev_call *call)
{
	const struct kl_write_txn_markers_request *request = call->request;
	struct kl_arena *arena = &call->arena;
	struct work *work = kl_arena_alloc(arena, sizeof(*work));
	if (work == NULL)
		return NULL;
	*work = (struct work){.count = 0};
	kl_msg_init(&kl_msg_write_txn_markers_response, &work->response);
	size_t n = count(request), m = (size_t)kl_max(request->markers_n, 0);
	work->pledges = kl_arena_array(arena, n, sizeof(*work->pledges));
	work->pledged = kl_arena_array(arena, n, sizeof(*work->pledged));
	work->response.markers =
		kl_type_new(&kl_type_write_txn_markers_response_marker, arena, m);
	work->response.markers_n = (int32_t)m;
	return work->pledges != NULL && work->pledged != NULL &&
			       work->response.markers != NULL
		       ? work
		       : NULL;
}

void kl_dev_write_txn_markers(struct kl_dev_call *call)
{
	const struct kl_write_txn_markers_request *request = call->request;
	struct work *work = begin(call);
	bool ok = work != NULL;
	call->work = work;
	for (int32_t i = 0; ok && i < request->markers_n; i++)
		ok = write_marker(call, work, &request->markers[i],
				  &work->response.markers[i]);
	if (ok)
		kl_dev_call_settle(call, work->pledges, work->count, answer);
	else
		kl_dev_call_fail(call);
}
