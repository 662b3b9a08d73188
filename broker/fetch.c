/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch 0-18, those below 4 for tests that pretend to be an old broker: old.c makes messages
 * of their batches. Sessions (KIP-227) are never made: every answer has session id 0, and a
 * client then asks for everything each time. A fetch that finds less than it wants waits with
 * the partitions that it named. */
#include "broker/call.h"
#include "broker/null.h"
#include "broker/old.h"
#include "core/record/batch_read.h"

/* Kafka's fetch.max.bytes of brokers. */
#define FETCH_MAX 57671680
#define READ_COMMITTED 1
#define FETCH_BATCHES 4 /* the first version that is answered with batches (KIP-98) */

struct fetch {
	struct kl_dev_call *call;
	const struct kl_fetch_request *request;
	struct kl_fetch_response response;
	size_t left; /* bytes that the answer may still take */
	bool nothing; /* no records in it yet */
};

/* --- one partition --- */

/* A follower is no part of this cluster. */
static bool is_consumer(const struct kl_fetch_request *request, int version)
{
	return (version < 15 ? request->replica_id : request->replica_state.replica_id) <
	       0;
}

static struct kl_dev_partition *find(struct kl_dev_call *call,
				     const struct kl_fetch_request_topic *topic,
				     const struct kl_fetch_request_partition *asked,
				     int *error_out)
{
	struct kl_dev_partition *partition = kl_dev_call_partition(
		call, topic->topic, &topic->topic_id, asked->partition, error_out);
	if (*error_out != 0)
		return partition;
	*error_out = kl_dev_check_epoch(partition, asked->current_leader_epoch);
	if (*error_out == 0 && !is_consumer(call->request, call->version))
		*error_out = KLAMM_ERR_NOT_LEADER_OR_FOLLOWER;
	if (*error_out == 0 && call->broker->null == NULL &&
	    (asked->fetch_offset < partition->log.start ||
	     asked->fetch_offset > partition->log.end))
		*error_out = KLAMM_ERR_OFFSET_OUT_OF_RANGE;
	if (*error_out == 0 && call->broker->null != NULL &&
	    (asked->fetch_offset < 0 || asked->fetch_offset > KL_DEV_NULL_END))
		*error_out = KLAMM_ERR_OFFSET_OUT_OF_RANGE;
	return partition;
}

/* KIP-951, as in produce.c. */
static void tell_leader(struct fetch *f, const struct kl_dev_partition *partition,
			struct kl_fetch_response_partition *out)
{
	struct kl_dev_node *leader = kl_dev_node(f->call->broker, partition->leader);
	out->current_leader.leader_id = partition->leader;
	out->current_leader.leader_epoch = partition->leader_epoch;
	for (int32_t i = 0; i < f->response.node_endpoints_n; i++)
		if (f->response.node_endpoints[i].node_id == partition->leader)
			return;
	if (leader == NULL || f->response.node_endpoints == NULL)
		return;
	struct kl_fetch_response_node_endpoint *endpoint =
		&f->response.node_endpoints[f->response.node_endpoints_n++];
	endpoint->node_id = leader->id;
	endpoint->host = kl_dev_node_host(leader);
	endpoint->port = leader->port;
}

static bool read_null(struct fetch *f, const struct kl_fetch_request_partition *asked,
		      struct kl_fetch_response_partition *out, size_t max)
{
	out->high_watermark = out->last_stable_offset = KL_DEV_NULL_END;
	if (asked->fetch_offset == KL_DEV_NULL_END || (!f->nothing && max == 0))
		return true;
	if (!kl_dev_null_fetch(f->call, asked->fetch_offset, max, &out->records))
		return false;
	f->left -= kl_min(f->left, (size_t)out->records.len);
	f->nothing = false;
	return true;
}

/* Where the records end that the client may see. */
static int64_t limit_of(const struct kl_fetch_request *request,
			struct kl_dev_partition *partition)
{
	return request->isolation_level == READ_COMMITTED
		       ? kl_dev_partition_stable(partition)
		       : partition->log.high;
}

/* The aborted transactions with records among those that are sent. */
static bool tell_aborted(struct fetch *f, const struct kl_dev_partition *partition,
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
	out->aborted_transactions =
		kl_type_new(&kl_type_fetch_response_aborted_transaction, &f->call->arena,
			    to - from);
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

static bool read_log(struct fetch *f, struct kl_dev_partition *partition,
		     const struct kl_fetch_request_partition *asked,
		     struct kl_fetch_response_partition *out)
{
	size_t max = kl_min(f->left, (size_t)kl_max(asked->partition_max_bytes, 0));
	out->log_start_offset = partition->log.start;
	if (f->call->broker->null != NULL)
		return read_null(f, asked, out, max);
	struct kl_dev_read read;
	int64_t stable = kl_dev_partition_stable(partition);
	int error = kl_dev_log_read(&partition->log, asked->fetch_offset,
				    limit_of(f->request, partition), max, f->nothing, &read);
	out->error_code = (int16_t)error;
	if (error != 0)
		return true;
	out->high_watermark = partition->log.high;
	out->last_stable_offset = stable;
	if (read.n == 0)
		return true;
	if (f->request->isolation_level == READ_COMMITTED &&
	    !tell_aborted(f, partition, asked->fetch_offset, &read, out)) {
		kl_slab_unref(read.slab);
		return false;
	}
	bool held = kl_dev_call_hold(f->call, read.slab);
	kl_slab_unref(read.slab);
	if (!held)
		return false;
	out->records = (struct kl_bytes){read.p, (int32_t)read.n};
	if (f->call->version < FETCH_BATCHES)
		out->error_code = (int16_t)kl_dev_old_from_batches(f->call, &out->records);
	if (out->error_code != 0)
		out->records.len = 0;
	f->left -= kl_min(f->left, read.n);
	f->nothing = false;
	return true;
}

static bool fetch_one(struct fetch *f, const struct kl_fetch_request_topic *topic,
		      const struct kl_fetch_request_partition *asked,
		      struct kl_fetch_response_partition *out)
{
	int error;
	struct kl_dev_partition *partition = find(f->call, topic, asked, &error);
	out->partition_index = asked->partition;
	out->error_code = (int16_t)error;
	out->high_watermark = -1;
	out->records.len = 0; /* Kafka sends none, and never null */
	if (f->request->isolation_level == 0)
		out->aborted_transactions_n = -1;
	if (error == 0)
		return read_log(f, partition, asked, out);
	if (partition != NULL && f->call->version >= 16 &&
	    (error == KLAMM_ERR_NOT_LEADER_OR_FOLLOWER ||
	     error == KLAMM_ERR_FENCED_LEADER_EPOCH))
		tell_leader(f, partition, out);
	return true;
}

/* --- the answer --- */

static bool fetch_topic(struct fetch *f, const struct kl_fetch_request_topic *topic,
			struct kl_fetch_response_topic *out)
{
	size_t n = (size_t)kl_max(topic->partitions_n, 0);
	out->topic = topic->topic;
	out->topic_id = topic->topic_id;
	out->partitions =
		kl_type_new(&kl_type_fetch_response_partition, &f->call->arena, n);
	if (out->partitions == NULL)
		return false;
	out->partitions_n = (int32_t)n;
	for (size_t i = 0; i < n; i++)
		if (!fetch_one(f, topic, &topic->partitions[i], &out->partitions[i]))
			return false;
	return true;
}

/* Bytes of records that the answer may carry. */
static size_t answer_limit(const struct kl_fetch_request *request)
{
	return (size_t)kl_max(0, kl_min(request->max_bytes, FETCH_MAX));
}

static void answer(struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	struct fetch f = {
		.call = call,
		.request = request,
		.left = answer_limit(request),
		.nothing = true,
	};
	kl_msg_init(&kl_msg_fetch_response, &f.response);
	size_t n = (size_t)kl_max(request->topics_n, 0);
	f.response.responses =
		kl_type_new(&kl_type_fetch_response_topic, &call->arena, n);
	f.response.responses_n = (int32_t)n;
	f.response.node_endpoints =
		kl_type_new(&kl_type_fetch_response_node_endpoint, &call->arena,
			    (size_t)call->broker->options.nodes);
	for (size_t i = 0; i < n; i++) {
		if (f.response.responses == NULL ||
		    !fetch_topic(&f, &request->topics[i], &f.response.responses[i])) {
			kl_dev_call_fail(call);
			return;
		}
	}
	kl_dev_answer(call, &f.response);
}

static void answer_error(struct kl_dev_call *call, int error)
{
	struct kl_fetch_response response;
	kl_msg_init(&kl_msg_fetch_response, &response);
	response.error_code = (int16_t)error;
	kl_dev_answer(call, &response);
}

/* --- waiting --- */

/* What the partitions have, up to what the answer may take of each; an error is worth an
 * answer at once. */
static bool is_ready(struct kl_dev_call *call, size_t want)
{
	const struct kl_fetch_request *request = call->request;
	size_t have = 0;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_fetch_request_topic *topic = &request->topics[i];
		for (int32_t k = 0; k < topic->partitions_n; k++) {
			const struct kl_fetch_request_partition *asked =
				&topic->partitions[k];
			int error;
			struct kl_dev_partition *partition =
				find(call, topic, asked, &error);
			if (error != 0 || call->broker->null != NULL)
				return true;
			struct kl_dev_left left;
			if (kl_dev_log_left(&partition->log, asked->fetch_offset,
					    limit_of(request, partition), &left) != 0)
				return true;
			size_t max = (size_t)kl_max(asked->partition_max_bytes, 0);
			have += kl_max(left.first, kl_min(left.bytes, max));
			if (have >= want)
				return true;
		}
	}
	return false;
}

/* As Kafka has it: nobody waits for more than one answer takes. */
static size_t wanted(const struct kl_fetch_request *request)
{
	return kl_min((size_t)kl_max(0, request->min_bytes), answer_limit(request));
}

static void on_wake(struct kl_dev_call *call)
{
	if (is_ready(call, wanted(call->request)))
		answer(call);
}

/* false: out of memory. */
static bool await(struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	size_t n = 0;
	for (int32_t i = 0; i < request->topics_n; i++)
		n += (size_t)kl_max(request->topics[i].partitions_n, 0);
	call->waits = kl_arena_array(&call->arena, n, sizeof(*call->waits));
	if (call->waits == NULL)
		return false;
	for (int32_t i = 0; i < request->topics_n; i++) {
		const struct kl_fetch_request_topic *topic = &request->topics[i];
		for (int32_t k = 0; k < topic->partitions_n; k++) {
			int error;
			struct kl_dev_partition *partition =
				find(call, topic, &topic->partitions[k], &error);
			if (partition != NULL)
				kl_dev_call_await(call, partition);
		}
	}
	call->on_wake = on_wake;
	return true;
}

/* What is wrong with the request as a whole: only sessions can be. Full fetches (epoch 0)
 * and the end of a session (-1) need none. */
static int session_error(const struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	int error = kl_dev_call_error(call);
	if (call->version < 7)
		return 0;
	if (error == KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND ||
	    error == KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH ||
	    error == KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR)
		return error;
	return request->session_epoch > 0 ? KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND : 0;
}

void kl_dev_fetch(struct kl_dev_call *call)
{
	const struct kl_fetch_request *request = call->request;
	int error = session_error(call);
	if (error != 0) {
		answer_error(call, error);
		return;
	}
	if (request->max_wait_ms <= 0 || request->topics_n <= 0 ||
	    is_ready(call, wanted(request))) {
		answer(call);
		return;
	}
	if (!await(call)) {
		kl_dev_call_fail(call);
		return;
	}
	int64_t when = call->broker->loop->now + (int64_t)request->max_wait_ms * KL_MS;
	kl_dev_call_park(call, when, answer);
}
