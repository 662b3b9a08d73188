/* SPDX-License-Identifier: BSD-2-Clause */
/* Classic groups as records, in Kafka's own format. */
#include <stdlib.h>

#include "broker/groups.h"

#define KEY 2
#define VALUE 3 /* as Kafka writes it */

/* --- out --- */

static bool put_members(const struct kl_dev_group *group, bool next, struct kl_arena *arena,
			struct kl_group_metadata_value *value)
{
	struct kl_dev_member *member, *after;
	value->members = kl_type_new(&kl_type_group_metadata_value_member, arena,
				     HASH_COUNT(group->classic.members));
	if (value->members == NULL)
		return false;
	HASH_ITER(hh, group->classic.members, member, after)
	{
		const struct kl_bytes *metadata =
			kl_dev_member_metadata(member, value->protocol);
		struct kl_group_metadata_value_member *out =
			&value->members[value->members_n++];
		out->member_id = member->id;
		out->group_instance_id = member->instance;
		out->client_id = member->client_id;
		out->client_host = member->client_host;
		out->rebalance_timeout = member->rebalance_ms;
		out->session_timeout = member->session_ms;
		if (metadata != NULL)
			out->subscription = *metadata;
		out->assignment = next ? member->next : member->assigned;
	}
	return true;
}

void kl_dev_classic_put(struct kl_str group, const struct kl_group_metadata_value *value,
			struct kl_dev_batch *batch)
{
	struct kl_group_metadata_key id = {.group = group};
	struct kl_dev_half k = {.prefix = KEY, .msg = &kl_msg_group_metadata_key, .obj = &id};
	struct kl_dev_half v = {VALUE, VALUE, &kl_msg_group_metadata_value, value};
	kl_dev_batch_add_msgs(batch, &k, &v);
}

static int store(const struct kl_dev_group *group, struct kl_dev_partition *home,
		 const struct kl_group_metadata_value *value)
{
	struct klamm_broker *broker = group->broker;
	struct kl_dev_batch batch;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	kl_dev_classic_put(kl_dev_group_id(group), value, &batch);
	int rc = kl_dev_group_store(broker, home, &batch);
	kl_dev_batch_free(&batch);
	return rc;
}

int kl_dev_classic_store(struct kl_dev_group *group, bool next)
{
	const struct kl_dev_classic *classic = &group->classic;
	struct kl_dev_partition *home = kl_dev_group_home(group);
	struct kl_group_metadata_value value;
	struct kl_arena arena = {0};
	if (home == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_msg_init(&kl_msg_group_metadata_value, &value);
	value.protocol_type = kl_str(classic->protocol_type ?: "");
	value.generation = classic->generation;
	value.protocol = kl_str(classic->protocol);
	value.leader = classic->leader != NULL ? classic->leader->id : KL_STR_NULL;
	value.current_state_timestamp = classic->since_ms;
	int rc = put_members(group, next, &arena, &value)
			 ? store(group, home, &value)
			 : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_arena_free(&arena);
	return rc;
}

void kl_dev_classic_put_none(const struct kl_dev_group *group, struct kl_dev_batch *batch)
{
	struct kl_group_metadata_key id = {.group = kl_dev_group_id(group)};
	struct kl_dev_half k = {.prefix = KEY, .msg = &kl_msg_group_metadata_key, .obj = &id};
	kl_dev_batch_add_msgs(batch, &k, NULL);
}

/* --- in --- */

static bool take_member(struct kl_dev_group *group,
			const struct kl_group_metadata_value *value,
			const struct kl_group_metadata_value_member *from)
{
	int32_t rebalance_ms = from->rebalance_timeout;
	struct kl_join_group_request_protocol offer = {.name = value->protocol,
						       .metadata = from->subscription};
	struct kl_dev_member *member = kl_dev_member_new(group, &(struct kl_dev_member_spec){
		.id = from->member_id,
		.instance = from->group_instance_id,
		.client_id = from->client_id,
		.client_host = from->client_host,
		.session_ms = from->session_timeout,
		.rebalance_ms = rebalance_ms == -1 ? from->session_timeout : rebalance_ms,
	});
	if (member == NULL)
		return false;
	if (!kl_dev_member_offer(member, &offer, 1) ||
	    !kl_dev_member_assign(member, &member->assigned, from->assignment) ||
	    !kl_dev_classic_add(member, value->protocol_type)) {
		kl_dev_member_free(member);
		return false;
	}
	member->is_new = false;
	return true;
}

/* NULL of NULL is nothing to copy. */
static bool copy(struct kl_str text, char **copy_out)
{
	*copy_out = text.len > 0 ? strndup(text.p, (size_t)text.len) : NULL;
	return *copy_out != NULL || text.len <= 0;
}

bool kl_dev_classic_take(struct kl_dev_group *group,
			 const struct kl_group_metadata_value *value)
{
	struct kl_dev_classic *classic = &group->classic;
	group->type->clear(group, KLAMM_ERR_NOT_COORDINATOR);
	group->type = &kl_dev_classic_type;
	kl_dev_classic_init(group);
	if (!copy(value->protocol_type, &classic->protocol_type) ||
	    !copy(value->protocol, &classic->protocol))
		return false;
	classic->generation = value->generation;
	classic->since_ms = value->current_state_timestamp;
	for (int32_t i = 0; i < value->members_n; i++)
		if (!take_member(group, value, &value->members[i]))
			return false;
	classic->leader = kl_dev_member_find(group, value->leader) ?: classic->members;
	if (classic->members != NULL)
		classic->state = KL_DEV_CLASSIC_STABLE;
	kl_dev_classic_read_topics(group);
	return true;
}
