/* SPDX-License-Identifier: BSD-2-Clause */
/* Produce 0-13: validate a batch as Kafka's LogValidator does, and append it. Versions below
 * 3, for tests that pretend to be an old broker, carry messages: see old.c. */
#include "broker/codecs.h"
#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/null.h"
#include "broker/old.h"
#include "broker/produce_txn.h"
#include "core/record/batch_read.h"

#define CODEC_ZSTD 4
#define PRODUCE_ZSTD 7 /* the first version that may carry it (KIP-110) */
#define PRODUCE_BATCHES 3 /* the first one that carries batches (KIP-98) */
/* Records of a batch that are named as wrong. */
#define RECORD_ERRORS_MAX 100

struct take {
	struct kl_dev_call *call;
	struct kl_dev_partition *partition;
	struct kl_produce_response_partition *out;
	struct kl_batch_head head;
	const uint8_t *p;
	struct klamm_span records; /* plain; no data: they are compressed and stay so */
	int64_t now;
	struct kl_buf upgraded; /* the batch that an old client's messages became */
	struct klamm_error err; /* of a refusal, with text */
};

/* --- is it a batch? --- */

static int refuse(struct take *t, int code, const char *text)
{
	return kl_error(&t->err, code, "%s", text);
}

/* Exactly one batch of format v2; a cut one behind it is not looked at. */
static int find_batch(struct take *t, struct kl_bytes records)
{
	size_t n = records.len > 0 ? (size_t)records.len : 0;
	int found = kl_batch_peek(records.p, n, &t->head);
	if (found == KL_BATCH_CUT)
		return refuse(t, KLAMM_ERR_INVALID_RECORD, "no whole batch of records");
	if (found == KL_BATCH_OLD)
		return refuse(t, KLAMM_ERR_INVALID_RECORD,
			      "records must be in a batch of format v2");
	if (found < 0)
		return refuse(t, KLAMM_ERR_CORRUPT_MESSAGE, "not a batch of records");
	t->p = records.p;
	struct kl_batch_head next;
	size_t size = kl_batch_size(&t->head);
	if (kl_batch_peek(records.p + size, n - size, &next) != KL_BATCH_CUT)
		return refuse(t, KLAMM_ERR_INVALID_RECORD,
			      "more than one batch for a partition");
	return 0;
}

static int upgrade(struct take *t, struct kl_bytes records)
{
	int rc = kl_dev_old_to_batch(t->call, records,
				     t->partition->topic->settings.config.message_max,
				     &t->upgraded, &t->err);
	if (rc == 0)
		kl_batch_head_get(t->p = t->upgraded.data, &t->head);
	return rc;
}

static int check_codec(struct take *t)
{
	int codec = kl_batch_codec(&t->head);
	if (codec > CODEC_ZSTD)
		return refuse(t, KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE, "no such codec");
	if (codec == CODEC_ZSTD && t->call->version < PRODUCE_ZSTD)
		return refuse(t, KLAMM_ERR_UNSUPPORTED_COMPRESSION_TYPE,
			      "zstd needs Produce version 7");
	return 0;
}

static bool is_untimely(const struct take *t, int64_t timestamp)
{
	const struct kl_dev_config *config = &t->partition->topic->settings.config;
	if (timestamp < 0) /* it has none */
		return false;
	return timestamp > t->now ? timestamp - t->now > config->after_max
				  : t->now - timestamp > config->before_max;
}

/* A time may be out of what the topic takes. */
static bool has_limits(const struct take *t)
{
	const struct kl_dev_config *config = &t->partition->topic->settings.config;
	return config->timestamp_type == KLAMM_TIMESTAMP_CREATE &&
	       (config->before_max != INT64_MAX || is_untimely(t, t->head.max_timestamp));
}

/* What has to be seen of compressed records: keys, where the topic is compacted, and which
 * times are wrong. A batch whose codec is not here is taken on trust, and no compaction
 * will look into it. */
static int open_records(struct take *t)
{
	struct klamm_error err;
	t->records = kl_batch_records(t->p, &t->head);
	if (kl_batch_codec(&t->head) == 0)
		return 0;
	const struct kl_dev_config *config = &t->partition->topic->settings.config;
	int rc = config->compacts || has_limits(t)
			 ? kl_dev_unpack(t->call->broker, &t->head, t->records, &t->records,
					 &err)
			 : KLAMM_ERR_PLUGIN;
	if (rc == KLAMM_ERR_PLUGIN)
		t->records = (struct klamm_span){NULL, 0};
	else if (rc != 0)
		return refuse(t, KLAMM_ERR_INVALID_RECORD, err.text);
	return 0;
}

/* --- times and keys --- */

static void add_record_error(struct take *t, int64_t index, const char *text)
{
	struct kl_arena *arena = &t->call->arena;
	if (t->out->record_errors == NULL)
		t->out->record_errors = kl_type_new(
			&kl_type_produce_response_record_error, arena, RECORD_ERRORS_MAX);
	if (t->out->record_errors == NULL || t->out->record_errors_n == RECORD_ERRORS_MAX)
		return;
	struct kl_produce_response_record_error *error =
		&t->out->record_errors[t->out->record_errors_n++];
	error->batch_index = (int32_t)index;
	error->batch_index_error_message = kl_str(text);
}

static bool has_append_time(const struct take *t)
{
	return t->head.attributes & KL_ATTR_LOG_APPEND_TIME;
}

/* Names each record that is wrong; how many are so by key and by time. */
static void find_wrong(struct take *t, bool by_key, bool by_time, unsigned *keyless_out,
		       unsigned *untimely_out)
{
	struct kl_record_iter iter;
	struct klamm_record_view view;
	kl_record_iter_init(&iter, &t->head, t->records, 0);
	while (kl_record_next(&iter, &view) > 0) {
		if (by_key && view.key.data == NULL) {
			add_record_error(t, view.offset,
					 "a compacted topic takes no record without a key");
			++*keyless_out;
		} else if (by_time && is_untimely(t, view.timestamp_ms)) {
			add_record_error(t, view.offset, "the timestamp is too far from now");
			++*untimely_out;
		}
	}
}

/* Of batches that are plain here every record is looked at, of others the newest time. A batch
 * that a producer gave LogAppendTime is put right where the topic has CreateTime, and refused
 * where it would be believed, as Kafka does. */
static int check_records(struct take *t, int64_t newest)
{
	const struct kl_dev_config *config = &t->partition->topic->settings.config;
	bool append_time = config->timestamp_type == KLAMM_TIMESTAMP_LOG_APPEND;
	if (has_append_time(t) && (append_time || newest < 0))
		return refuse(t, KLAMM_ERR_INVALID_TIMESTAMP,
			      "only the broker may set the timestamp type to LogAppendTime");
	unsigned keyless = 0, untimely = !append_time && is_untimely(t, newest);
	bool by_time = !append_time && (untimely > 0 || config->before_max != INT64_MAX);
	if (t->records.data != NULL && (by_time || config->compacts))
		find_wrong(t, config->compacts, by_time, &keyless, &untimely);
	if (untimely > 0)
		return refuse(t, KLAMM_ERR_INVALID_TIMESTAMP,
			      "a record's timestamp is too far from now "
			      "(message.timestamp.before.max.ms, .after.max.ms)");
	if (keyless > 0)
		return kl_error(&t->err, KLAMM_ERR_INVALID_RECORD,
				"%u of %d records have no key, which topic %s needs "
				"(cleanup.policy)",
				keyless, (int)t->head.record_count,
				t->partition->topic->name);
	return 0;
}

/* --- one partition --- */

static int validate(struct take *t, int64_t *newest_out)
{
	const struct kl_dev_config *config = &t->partition->topic->settings.config;
	if (t->call->version >= PRODUCE_BATCHES &&
	    kl_batch_size(&t->head) > (size_t)config->message_max)
		return refuse(t, KLAMM_ERR_MESSAGE_TOO_LARGE,
			      "the batch is larger than max.message.bytes");
	if (kl_batch_size(&t->head) > (size_t)config->segment_bytes)
		return refuse(t, KLAMM_ERR_RECORD_LIST_TOO_LARGE,
			      "the batch is larger than segment.bytes");
	if (!kl_batch_check_crc(t->p, &t->head))
		return refuse(t, KLAMM_ERR_CORRUPT_MESSAGE, "the batch's CRC is wrong");
	int rc = check_codec(t);
	if (rc != 0)
		return rc;
	rc = open_records(t);
	if (rc != 0)
		return rc;
	*newest_out = t->head.max_timestamp;
	if (t->records.data != NULL)
		rc = kl_batch_validate(&t->head, t->records, newest_out, &t->err);
	else
		rc = kl_batch_validate_head(&t->head, &t->err);
	return rc != 0 ? rc : check_records(t, *newest_out);
}

static int append(struct take *t, int64_t newest)
{
	struct kl_dev_partition *partition = t->partition;
	const struct kl_dev_seen *seen;
	int rc = kl_dev_partition_ready(t->call->broker, partition);
	if (rc == 0)
		rc = kl_dev_producer_check(&partition->producers, &t->head,
					   KL_DEV_FROM_CLIENT, &seen);
	if (rc != 0)
		return rc;
	if (seen != NULL) {
		t->out->base_offset = seen->offset;
		/* Kafka tells its timestamp, whatever the topic's type of them is. */
		t->out->log_append_time_ms = seen->timestamp;
		return 0;
	}
	if (!kl_dev_produce_joined(t->call, partition, &t->head))
		return refuse(t, KLAMM_ERR_INVALID_TXN_STATE,
			      "the records are not part of an ongoing transaction");
	bool append_time = partition->topic->settings.config.timestamp_type ==
			   KLAMM_TIMESTAMP_LOG_APPEND;
	struct kl_dev_stamp stamp = {append_time, append_time ? t->now : newest};
	bool restamp = append_time || has_append_time(t) || newest != t->head.max_timestamp;
	const struct kl_produce_request *request = t->call->request;
	struct kl_dev_append append = {
		.batch = t->p,
		.n = kl_batch_size(&t->head),
		.leader_epoch = partition->leader_epoch,
		.stamp = restamp ? &stamp : NULL,
		.now_ms = t->now,
		.safely = request->acks == -1,
	};
	rc = kl_dev_log_append(&partition->log, &append, &t->out->base_offset);
	if (rc != 0)
		return rc;
	t->out->log_append_time_ms = append_time ? t->now : -1;
	t->head.max_timestamp = stamp.max_timestamp;
	kl_dev_producer_note(&partition->producers, &t->head, t->out->base_offset);
	kl_dev_partition_changed(partition);
	return 0;
}

static int take(struct take *t, struct kl_bytes records)
{
	if (t->call->broker->null != NULL)
		return kl_dev_null_produce(t->partition, records, &t->out->base_offset);
	int64_t newest;
	int rc = t->call->version < PRODUCE_BATCHES ? upgrade(t, records)
						    : find_batch(t, records);
	if (rc == 0)
		rc = validate(t, &newest);
	return rc != 0 ? rc : append(t, newest);
}

/* KIP-951: who leads instead, and where that is. */
static void tell_leader(const struct take *t, struct kl_produce_response *response)
{
	struct kl_dev_partition *partition = t->partition;
	struct kl_dev_node *leader = kl_dev_node(t->call->broker, partition->leader);
	t->out->current_leader.leader_id = partition->leader;
	t->out->current_leader.leader_epoch = partition->leader_epoch;
	for (int32_t i = 0; i < response->node_endpoints_n; i++)
		if (response->node_endpoints[i].node_id == partition->leader)
			return;
	if (leader == NULL || response->node_endpoints == NULL)
		return;
	struct kl_produce_response_node_endpoint *endpoint =
		&response->node_endpoints[response->node_endpoints_n++];
	endpoint->node_id = leader->id;
	endpoint->host = kl_dev_node_host(leader);
	endpoint->port = leader->port;
}

/* A fault says which record is wrong. */
static void name_record(struct take *t, int error)
{
	const struct kl_dev_fault *fault = t->call->fault;
	if (fault == NULL)
		return;
	const struct klamm_broker_fault *spec = kl_dev_fault_spec(fault);
	if (spec->record > 0 && spec->error == error)
		add_record_error(t, spec->record - 1, "a fault was set for this record");
}

/* Where Kafka tells where the log begins all the same. */
static bool tells_start(int error)
{
	switch (error) {
	case 0:
	case KLAMM_ERR_INVALID_RECORD:
	case KLAMM_ERR_INVALID_TIMESTAMP:
	case KLAMM_ERR_INVALID_PRODUCER_EPOCH:
	case KLAMM_ERR_INVALID_TXN_STATE:
	case KLAMM_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER:
		return true;
	default:
		return false;
	}
}

static void produce_one(struct take *t, const struct kl_produce_request_topic *topic,
			const struct kl_produce_request_partition *asked, int joined,
			struct kl_produce_response *response)
{
	const struct kl_produce_request *request = t->call->request;
	int error;
	t->err.text[0] = '\0';
	t->out->index = asked->index;
	t->out->base_offset = t->out->log_append_time_ms = -1;
	t->partition = kl_dev_call_partition(t->call, topic->name, &topic->topic_id,
					     asked->index, &error);
	if (error != 0)
		name_record(t, error);
	if (error == 0)
		error = joined;
	if (error == 0 && (request->acks < -1 || request->acks > 1))
		error = KLAMM_ERR_INVALID_REQUIRED_ACKS;
	if (error == 0 && kl_dev_topic_is_internal(kl_dev_topic_name(t->partition->topic)))
		error = KLAMM_ERR_INVALID_TOPIC_EXCEPTION;
	if (error == 0)
		error = take(t, asked->records);
	t->out->error_code = (int16_t)error;
	if (t->partition != NULL && tells_start(error))
		t->out->log_start_offset = t->partition->log.start;
	if (error == 0)
		return;
	t->out->base_offset = -1;
	if (error == KLAMM_ERR_NOT_LEADER_OR_FOLLOWER && t->partition != NULL &&
	    t->call->version >= 10)
		tell_leader(t, response);
	else if (t->err.text[0] != '\0')
		t->out->error_message = kl_str(
			kl_arena_text(&t->call->arena, t->err.text, strlen(t->err.text)));
}

/* --- waiting for the disk, with acks=all --- */

struct work {
	struct kl_dev_join join; /* the first: produce_txn.c looks for it */
	struct kl_produce_response response;
	size_t done; /* partitions */
	/* Of partitions that were appended to, and where each is answered; NULL: acknowledged
	 * as soon as they are. */
	struct kl_dev_pledge *pledges;
	struct kl_produce_response_partition **pledged;
	size_t pledge_count;
	bool failed; /* some partition */
};

/* A batch that was there already may not be on the disk, either. */
static void await_sync(struct take *t, struct work *work)
{
	struct kl_dev_log *log = &t->partition->log;
	if (work->pledges == NULL || log->synced >= log->end)
		return;
	work->pledged[work->pledge_count] = t->out;
	work->pledges[work->pledge_count++] = kl_dev_pledge_on(t->partition);
}

static void answer(struct kl_dev_call *call)
{
	struct work *work = call->work;
	for (size_t i = 0; i < work->pledge_count; i++) {
		struct kl_produce_response_partition *out = work->pledged[i];
		out->error_code = (int16_t)work->pledges[i].error;
		if (out->error_code != 0)
			out->base_offset = out->log_append_time_ms =
				out->log_start_offset = -1;
	}
	kl_dev_answer(call, &work->response);
}

/* --- the request --- */

static bool produce_topic(struct take *t, const struct kl_produce_request_topic *topic,
			  struct kl_produce_response_topic *out, struct work *work)
{
	size_t n = (size_t)kl_max(topic->partition_data_n, 0);
	out->name = topic->name;
	out->topic_id = topic->topic_id;
	out->partition_responses =
		kl_type_new(&kl_type_produce_response_partition, &t->call->arena, n);
	if (out->partition_responses == NULL)
		return false;
	out->partition_responses_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		t->out = &out->partition_responses[i];
		int joined = work->join.errors != NULL ? work->join.errors[work->done] : 0;
		work->done++;
		produce_one(t, topic, &topic->partition_data[i], joined, &work->response);
		if (t->out->error_code == 0)
			await_sync(t, work);
		else
			work->failed = true;
	}
	return true;
}

static size_t count_partitions(const struct kl_produce_request *request)
{
	size_t n = 0;
	for (int32_t i = 0; i < request->topic_data_n; i++)
		n += (size_t)kl_max(request->topic_data[i].partition_data_n, 0);
	return n;
}

static struct work *begin(struct kl_dev_call *call)
{
	const struct kl_produce_request *request = call->request;
	struct kl_arena *arena = &call->arena;
	struct work *work = kl_arena_alloc(arena, sizeof(*work));
	if (work == NULL)
		return NULL;
	*work = (struct work){.failed = false};
	kl_msg_init(&kl_msg_produce_response, &work->response);
	size_t n = (size_t)kl_max(request->topic_data_n, 0);
	work->response.responses = kl_type_new(&kl_type_produce_response_topic, arena, n);
	work->response.responses_n = (int32_t)n;
	work->response.node_endpoints =
		kl_type_new(&kl_type_produce_response_node_endpoint, arena,
			    (size_t)call->broker->options.nodes);
	if (work->response.responses == NULL)
		return NULL;
	if (call->broker->store == NULL || request->acks != -1)
		return work;
	n = count_partitions(request);
	work->pledges = kl_arena_array(arena, n, sizeof(*work->pledges));
	work->pledged = kl_arena_array(arena, n, sizeof(*work->pledged));
	return work->pledges != NULL && work->pledged != NULL ? work : NULL;
}

static void finish(struct kl_dev_call *call, struct work *work)
{
	const struct kl_produce_request *request = call->request;
	if (work->pledge_count > 0)
		kl_dev_call_settle(call, work->pledges, work->pledge_count, answer);
	else if (request->acks != 0)
		kl_dev_answer(call, &work->response);
	else if (work->failed) /* the only sign that a producer without answers understands */
		kl_dev_call_drop(call, false);
	else
		kl_dev_answer_none(call);
}

static void append_all(struct kl_dev_call *call)
{
	const struct kl_produce_request *request = call->request;
	struct kl_os *os = call->broker->loop->os;
	struct take t = {.call = call, .now = os->wall_ms(os)};
	struct work *work = call->work;
	bool ok = true;
	for (int32_t i = 0; ok && i < request->topic_data_n; i++)
		ok = produce_topic(&t, &request->topic_data[i], &work->response.responses[i],
				   work);
	kl_buf_free(&t.upgraded);
	if (ok)
		finish(call, work);
	else
		kl_dev_call_fail(call);
}

void kl_dev_produce(struct kl_dev_call *call)
{
	struct work *work = begin(call);
	call->work = work;
	if (work != NULL)
		kl_dev_produce_join(call, &work->join, append_all);
	else
		kl_dev_call_fail(call);
}
