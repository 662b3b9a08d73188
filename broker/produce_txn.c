/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/produce_txn.h"

#include "broker/coordinators.h"
#include "core/record/batch_read.h"

/* Kafka's add.partitions.to.txn.retry.backoff.ms and .max.ms. */
#define RETRY (20 * KL_MS)
#define GIVE_UP (100 * KL_MS)
/* The first version that adds partitions by itself, and the first one whose clients know
 * TRANSACTION_ABORTABLE. */
#define ADDS 12
#define ABORTABLE 11

static bool adds(const struct kl_dev_call *call)
{
	return call->version >= ADDS;
}

static void set_all(struct kl_dev_join *join, int error)
{
	for (size_t i = 0; i < join->total; i++)
		join->errors[i] = (int16_t)error;
}

/* --- what is transactional --- */

static bool is_transactional(const struct kl_produce_request_partition *asked,
			     struct kl_batch_head *head)
{
	size_t n = (size_t)kl_max(asked->records.len, 0);
	return kl_batch_peek(asked->records.p, n, head) == KL_BATCH_WHOLE &&
	       (head->attributes & KL_ATTR_TRANSACTIONAL);
}

static size_t count_partitions(const struct kl_produce_request *request, bool *any_out)
{
	struct kl_batch_head head;
	size_t n = 0;
	for (int32_t i = 0; i < request->topic_data_n; i++)
		for (int32_t k = 0; k < request->topic_data[i].partition_data_n; k++, n++)
			*any_out |= is_transactional(
				&request->topic_data[i].partition_data[k], &head);
	return n;
}

/* A batch of the transaction: is the coordinator to be asked, or what is wrong with it? */
static int look_at(struct kl_dev_call *call, struct kl_dev_join *join,
		   struct kl_dev_partition *partition, const struct kl_batch_head *head,
		   size_t place)
{
	struct kl_os *os = call->broker->loop->os;
	if (kl_dev_producer_is_open(&partition->producers, head->producer_id,
				    head->producer_epoch))
		return 0;
	int rc = kl_dev_producer_verify(&partition->producers, head, adds(call),
					os->wall_ms(os));
	if (rc != 0)
		return rc;
	struct kl_str name = kl_dev_topic_name(partition->topic); /* it may go meanwhile */
	name.p = kl_arena_text(&call->arena, name.p, (size_t)name.len);
	if (name.p == NULL)
		return KLAMM_ERR_KAFKA_STORAGE_ERROR;
	join->places[join->count] = place;
	join->names[join->count++] = (struct kl_dev_txn_name){name, partition->index};
	return 0;
}

/* false: two producers in one request. */
static bool is_one_producer(struct kl_dev_join *join, const struct kl_batch_head *head)
{
	if (join->ask.producer_id < 0) {
		join->ask.producer_id = head->producer_id;
		join->ask.epoch = head->producer_epoch;
	}
	return join->ask.producer_id == head->producer_id &&
	       join->ask.epoch == head->producer_epoch;
}

/* 0, or what is wrong with all of the request. */
static int look(struct kl_dev_call *call, struct kl_dev_join *join)
{
	const struct kl_produce_request *request = call->request;
	size_t place = 0;
	for (int32_t i = 0; i < request->topic_data_n; i++) {
		const struct kl_produce_request_topic *topic = &request->topic_data[i];
		for (int32_t k = 0; k < topic->partition_data_n; k++, place++) {
			struct kl_batch_head head;
			int error;
			if (!is_transactional(&topic->partition_data[k], &head) ||
			    head.producer_id < 0)
				continue;
			if (!is_one_producer(join, &head))
				return KLAMM_ERR_INVALID_PRODUCER_ID_MAPPING;
			struct kl_dev_partition *partition = kl_dev_call_partition(
				call, topic->name, &topic->topic_id,
				topic->partition_data[k].index, &error);
			if (error == 0)
				error = look_at(call, join, partition, &head, place);
			join->errors[place] = (int16_t)error;
		}
	}
	return 0;
}

/* --- asking the coordinator --- */

/* What producers understand instead. */
static int translate(const struct kl_dev_call *call, int error)
{
	switch (error) {
	case KLAMM_ERR_PRODUCER_FENCED:
		return KLAMM_ERR_INVALID_PRODUCER_EPOCH;
	case KLAMM_ERR_TRANSACTION_ABORTABLE:
		return call->version < ABORTABLE ? KLAMM_ERR_INVALID_TXN_STATE : error;
	case KLAMM_ERR_COORDINATOR_NOT_AVAILABLE:
	case KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS:
	case KLAMM_ERR_NOT_COORDINATOR:
		return KLAMM_ERR_NOT_ENOUGH_REPLICAS; /* asks again, and for no metadata */
	case KLAMM_ERR_CONCURRENT_TRANSACTIONS:
		return adds(call) ? error : KLAMM_ERR_NOT_ENOUGH_REPLICAS;
	default:
		return error;
	}
}

static void conclude(struct kl_dev_call *call, struct kl_dev_join *join, int error)
{
	for (size_t i = 0; i < join->count; i++)
		join->errors[join->places[i]] = (int16_t)translate(call, error);
	join->then(call);
}

static struct kl_dev_join *join_of(struct kl_dev_call *call)
{
	return call->work;
}

/* Records must not be on the disk before the coordinator knows that they may be. */
static void when_safe(struct kl_dev_call *call)
{
	struct kl_dev_join *join = join_of(call);
	conclude(call, join,
		 join->pledge.error != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : 0);
}

static void verify_each(struct kl_dev_call *call, struct kl_dev_join *join)
{
	const struct kl_dev_txn *txn = kl_dev_txn_find(call->broker, join->ask.id);
	for (size_t i = 0; i < join->count; i++)
		if (!kl_dev_txn_has_part(txn, join->names[i].topic, join->names[i].index))
			join->errors[join->places[i]] = (int16_t)translate(
				call, KLAMM_ERR_TRANSACTION_ABORTABLE);
	join->then(call);
}

static void attempt(struct kl_dev_call *call)
{
	struct klamm_broker *broker = call->broker;
	struct kl_dev_join *join = join_of(call);
	struct kl_dev_partition *home = kl_dev_home(broker, KL_DEV_TXN, join->ask.id);
	int error = home == NULL || home->leader < 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
						     : kl_dev_home_ready(broker, home);
	if (error == 0)
		error = adds(call) ? kl_dev_txn_may_add(broker, &join->ask)
				   : kl_dev_txn_verify(broker, &join->ask);
	if (error == KLAMM_ERR_CONCURRENT_TRANSACTIONS && adds(call) &&
	    broker->loop->now < join->give_up) {
		kl_dev_call_park(call, broker->loop->now + RETRY, attempt);
		return;
	}
	if (error == 0 && !adds(call)) {
		verify_each(call, join);
		return;
	}
	if (error == 0)
		error = kl_dev_txn_add_all(broker, &join->ask, join->names, join->count);
	if (error != 0) {
		conclude(call, join, error);
		return;
	}
	join->pledge = kl_dev_pledge_on(home);
	kl_dev_call_settle(call, &join->pledge, 1, when_safe);
}

/* false: out of memory. */
static bool begin(struct kl_dev_call *call, struct kl_dev_join *join)
{
	const struct kl_produce_request *request = call->request;
	struct kl_arena *arena = &call->arena;
	join->errors = kl_arena_array(arena, join->total, sizeof(*join->errors));
	join->places = kl_arena_array(arena, join->total, sizeof(*join->places));
	join->names = kl_arena_array(arena, join->total, sizeof(*join->names));
	if (join->errors == NULL || join->places == NULL || join->names == NULL)
		return false;
	set_all(join, 0);
	join->ask = (struct kl_dev_txn_ask){.id = request->transactional_id,
					    .producer_id = -1,
					    .epoch = -1,
					    .version = adds(call) ? 2 : 0};
	join->give_up = call->broker->loop->now + GIVE_UP;
	return true;
}

void kl_dev_produce_join(struct kl_dev_call *call, struct kl_dev_join *join,
			 void (*then)(struct kl_dev_call *call))
{
	const struct kl_produce_request *request = call->request;
	bool any = false;
	*join = (struct kl_dev_join){.then = then};
	if (call->broker->null == NULL)
		join->total = count_partitions(request, &any);
	if (!any) {
		then(call);
		return;
	}
	if (!begin(call, join)) {
		kl_dev_call_fail(call);
		return;
	}
	int error = request->transactional_id.len < 0
			    ? KLAMM_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED
			    : look(call, join);
	if (error != 0)
		set_all(join, error);
	if (error != 0 || join->count == 0 ||
	    (!adds(call) && !call->broker->limits.verify_partitions))
		then(call);
	else
		attempt(call);
}

bool kl_dev_produce_joined(const struct kl_dev_call *call,
			   const struct kl_dev_partition *partition,
			   const struct kl_batch_head *head)
{
	const struct kl_produce_request *request = call->request;
	if (!(head->attributes & KL_ATTR_TRANSACTIONAL) || head->producer_id < 0 ||
	    kl_dev_producer_is_open(&partition->producers, head->producer_id,
				    head->producer_epoch) ||
	    (!adds(call) && !call->broker->limits.verify_partitions))
		return true;
	const struct kl_dev_txn *txn =
		kl_dev_txn_find(call->broker, request->transactional_id);
	return txn != NULL && txn->facts.state == KL_DEV_TXN_ONGOING &&
	       txn->facts.producer_id == head->producer_id &&
	       txn->facts.epoch == head->producer_epoch &&
	       kl_dev_txn_has_part(txn, kl_dev_topic_name(partition->topic),
				   partition->index);
}
