/* SPDX-License-Identifier: BSD-2-Clause */
/* What faults do beside the errors that handlers answer with: leaders and coordinators that
 * move, answers that are throttled, cut or garbled. */
#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/faults.h"

/* --- before --- */

static bool may_lead(struct klamm_broker *broker, const struct kl_dev_partition *partition,
		     int32_t id)
{
	const struct kl_dev_node *node = kl_dev_node(broker, id);
	for (int32_t i = 0; i < partition->replica_count; i++)
		if (partition->replicas[i] == id)
			return node != NULL && kl_dev_node_runs(node);
	return false;
}

/* The replica behind the leader, in the order of the list; the leader when there is none. */
static int32_t next_leader(struct klamm_broker *broker,
			   const struct kl_dev_partition *partition)
{
	int32_t n = partition->replica_count, at = 0;
	while (at < n && partition->replicas[at] != partition->leader)
		at++;
	for (int32_t i = 1; i < n; i++) {
		int32_t id = partition->replicas[(at + i) % n];
		if (may_lead(broker, partition, id))
			return id;
	}
	return partition->leader;
}

/* One that is not in sync may also be the same, which has been away. */
static void move_leader(struct klamm_broker *broker, struct kl_dev_partition *partition,
			int32_t to, int64_t lose)
{
	if (to < 0)
		to = next_leader(broker, partition);
	if (!may_lead(broker, partition, to) || (to == partition->leader && lose == 0))
		return;
	if (lose > 0 && kl_dev_partition_lose(partition, lose) != 0)
		kl_log(&broker->loop->log, KL_LOG_WARN, "broker",
		       "a fault could not lose records of partition %d of %s",
		       (int)partition->index, partition->topic->name);
	kl_dev_partition_lead(broker, partition, to);
	if (lose > 0)
		kl_dev_save(broker, NULL); /* or else before the next append */
}

static void move_leaders(struct klamm_broker *broker, const struct klamm_broker_fault *spec)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(broker, kl_str(spec->topic));
	struct kl_dev_partition *partition;
	int32_t i = kl_max(spec->partition, 0);
	for (; (partition = kl_dev_partition(topic, i)) != NULL; i++) {
		move_leader(broker, partition, spec->leader, spec->lose);
		if (spec->partition >= 0)
			return;
	}
}

void kl_dev_fault_before(const struct kl_dev_call *call)
{
	if (call->fault == NULL)
		return;
	const struct klamm_broker_fault *spec = &call->fault->spec;
	if (spec->leader != 0)
		move_leaders(call->broker, spec);
	if (spec->coordinator != 0)
		kl_dev_coordinators_move(call, spec->coordinator);
}

/* --- the answer --- */

void kl_dev_fault_mark(const struct kl_dev_call *call, int version, void *response)
{
	const struct kl_type *type = kl_msg_response(call->api->api)->type;
	int32_t ms = call->fault->spec.throttle_ms;
	for (unsigned i = 0; ms > 0 && i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (strcmp(field->name, "ThrottleTimeMs") == 0 && field->type == KL_INT32 &&
		    version >= field->min && version <= field->max)
			*(int32_t *)((uint8_t *)response + field->offset) = ms;
	}
}

/* Random bytes in a frame of the same size. */
static bool garble(struct kl_dev_call *call)
{
	size_t n = call->out.left - sizeof(int32_t);
	kl_buf_clear(&call->head);
	kl_buf_i32(&call->head, (int32_t)n);
	while (n > 0 && !call->head.failed) {
		uint8_t bytes[8];
		size_t part = kl_min(n, sizeof(bytes));
		kl_store_u64(bytes, kl_dev_fault_random(call->fault));
		kl_buf_put(&call->head, bytes, part);
		n -= part;
	}
	call->refs.count = call->refs.bytes = 0;
	return !call->head.failed && kl_out_set(&call->out, &call->head, NULL);
}

/* n > 0: a frame without bytes would never be through. */
static void cut(struct kl_out *out, size_t n)
{
	n = kl_min(n, out->left);
	out->left = n;
	for (unsigned i = 0; i < out->iov_count; i++) {
		if (out->iov[i].iov_len >= n) {
			out->iov[i].iov_len = n;
			out->iov_count = i + 1;
			return;
		}
		n -= out->iov[i].iov_len;
	}
}

bool kl_dev_fault_spoil(struct kl_dev_call *call)
{
	if (call->fault == NULL)
		return true;
	const struct klamm_broker_fault *spec = &call->fault->spec;
	if (spec->action == KLAMM_BROKER_GARBAGE)
		return garble(call);
	if (spec->action == KLAMM_BROKER_CUT) {
		cut(&call->out, (size_t)spec->cut);
		call->closes = true;
		call->resets = spec->reset;
	}
	return true;
}
