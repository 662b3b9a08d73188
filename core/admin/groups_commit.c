/* SPDX-License-Identifier: BSD-2-Clause */
/* Changing what a group has committed, in its place: one group, many partitions, each with its
 * own error. Those that are not settled by an answer are asked for again. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/error.h"

struct place {
	const char *topic;
	int32_t partition;
	bool settled;
	struct klamm_error err;
};

struct change {
	struct kl_scatter scatter;
	const struct klamm_offset *offsets; /* NULL = they are deleted */
	struct place *places;
	size_t count;
};

static struct change *change_of(struct kl_scatter *scatter)
{
	return kl_container(scatter, struct change, scatter);
}

/* --- commit --- */

static const void *commit_prepare(struct kl_scatter *scatter, struct kl_part *part,
				  int version)
{
	const struct change *c = change_of(scatter);
	struct kl_offset_commit_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_offset_commit_request, body);
	body->group_id = kl_str(scatter->items[0].name);
	body->topics =
		kl_type_new(&kl_type_offset_commit_request_topic, &part->arena, c->count);
	struct kl_offset_commit_request_partition *partitions = kl_type_new(
		&kl_type_offset_commit_request_partition, &part->arena, c->count);
	if (body->topics == NULL || partitions == NULL)
		return NULL;
	for (size_t i = 0; i < c->count; i++) {
		if (c->places[i].settled)
			continue;
		const struct klamm_offset *offset = &c->offsets[i];
		struct kl_offset_commit_request_topic *to = &body->topics[body->topics_n++];
		to->name = kl_str(offset->topic);
		to->partitions = &partitions[i];
		to->partitions_n = 1;
		partitions[i].partition_index = offset->partition;
		partitions[i].committed_offset = offset->offset;
		partitions[i].committed_leader_epoch = offset->leader_epoch;
		partitions[i].committed_metadata = kl_str(offset->metadata);
	}
	return body;
}

/* --- what became of each --- */

static struct place *place_of(struct change *c, struct kl_str topic, int32_t partition)
{
	for (size_t i = 0; i < c->count; i++)
		if (!c->places[i].settled && c->places[i].partition == partition &&
		    kl_str_is(topic, c->places[i].topic))
			return &c->places[i];
	return NULL;
}

static void place_error(const struct change *c, struct place *place, int code)
{
	kl_error(&place->err, code, "group %.100s: %.100s [%d]: %s",
		 c->scatter.items[0].name, place->topic, place->partition,
		 code == KLAMM_ERR_UNKNOWN_MEMBER_ID
			 ? "the group has members, and takes no commits of others: stop "
			   "them first"
			 : klamm_err_text(code));
}

/* Of an error that passes, which is the whole group's, the item tells. */
static int settle(struct change *c, struct kl_str topic, int32_t partition, int code)
{
	struct place *place = place_of(c, topic, partition);
	if (place == NULL)
		return 0;
	if (code != 0)
		place_error(c, place, code);
	else
		kl_error_clear(&place->err);
	if (kl_item_passes(code))
		return code;
	place->settled = true;
	return 0;
}

static void commit_answer(struct kl_scatter *scatter, struct kl_part *part,
			  const void *response, int version)
{
	const struct kl_offset_commit_response *body = response;
	struct change *c = change_of(scatter);
	int passing = 0;
	for (int32_t i = 0; i < body->topics_n; i++)
		for (int32_t j = 0; j < body->topics[i].partitions_n; j++) {
			int code = settle(c, body->topics[i].name,
					  body->topics[i].partitions[j].partition_index,
					  body->topics[i].partitions[j].error_code);
			passing = code != 0 ? code : passing;
		}
	kl_item_told(scatter, &scatter->items[0], passing, KL_STR_NULL);
}

static const struct kl_scatter_ops commit_ops = {
	.what = "committing offsets",
	.prepare = commit_prepare,
	.answer = commit_answer,
};

/* --- delete --- */

static const void *delete_prepare(struct kl_scatter *scatter, struct kl_part *part,
				  int version)
{
	const struct change *c = change_of(scatter);
	struct kl_offset_delete_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_offset_delete_request, body);
	body->group_id = kl_str(scatter->items[0].name);
	body->topics =
		kl_type_new(&kl_type_offset_delete_request_topic, &part->arena, c->count);
	struct kl_offset_delete_request_partition *partitions = kl_type_new(
		&kl_type_offset_delete_request_partition, &part->arena, c->count);
	if (body->topics == NULL || partitions == NULL)
		return NULL;
	for (size_t i = 0; i < c->count; i++) {
		if (c->places[i].settled)
			continue;
		struct kl_offset_delete_request_topic *to = &body->topics[body->topics_n++];
		to->name = kl_str(c->places[i].topic);
		to->partitions = &partitions[i];
		to->partitions_n = 1;
		partitions[i].partition_index = c->places[i].partition;
	}
	return body;
}

static void delete_answer(struct kl_scatter *scatter, struct kl_part *part,
			  const void *response, int version)
{
	const struct kl_offset_delete_response *body = response;
	struct change *c = change_of(scatter);
	int passing = 0;
	for (int32_t i = 0; body->error_code == 0 && i < body->topics_n; i++)
		for (int32_t j = 0; j < body->topics[i].partitions_n; j++) {
			int code = settle(c, body->topics[i].name,
					  body->topics[i].partitions[j].partition_index,
					  body->topics[i].partitions[j].error_code);
			passing = code != 0 ? code : passing;
		}
	kl_item_told(scatter, &scatter->items[0],
		     body->error_code != 0 ? body->error_code : passing, KL_STR_NULL);
}

static const struct kl_scatter_ops delete_ops = {
	.what = "deleting offsets",
	.prepare = delete_prepare,
	.answer = delete_answer,
};

/* --- the call --- */

/* The group's error is that of each partition that has none of its own. */
static int tell(struct change *c, struct klamm_error *errors, struct klamm_error *err)
{
	const struct klamm_error *first = NULL;
	const struct klamm_error *all = &c->scatter.items[0].err;
	for (size_t i = 0; i < c->count; i++) {
		struct place *place = &c->places[i];
		if (!place->settled && all->code != 0)
			place->err = *all;
		else if (!place->settled)
			kl_error(
				&place->err, KLAMM_ERR_PROTOCOL,
				"group %.100s: %.100s [%d]: the broker's answer left it out",
				c->scatter.items[0].name, place->topic, place->partition);
		if (errors != NULL)
			errors[i] = place->err;
		if (first == NULL && place->err.code != 0)
			first = &place->err;
	}
	return first != NULL ? kl_error_copy(err, first) : 0;
}

static int run(struct klamm_admin *admin, struct change *c,
	       const struct kl_scatter_ops *ops, const char *group, enum kl_api api,
	       int64_t timeout_ms, struct klamm_error *errors, struct klamm_error *err)
{
	kl_scatter_init(&c->scatter, ops, 1, api);
	if (c->places == NULL || c->scatter.items == NULL) {
		kl_scatter_free(&c->scatter);
		return kl_admin_no_memory("offsets", errors, c->count, err);
	}
	c->scatter.items[0].name = group;
	for (size_t i = 0; i < c->count; i++)
		kl_error_clear(&c->places[i].err);
	struct klamm_error wrong;
	if (kl_check_groups(&group, 1, &wrong) != 0)
		c->scatter.items[0].err = wrong;
	else if (c->count > 0)
		kl_scatter_run(admin, &c->scatter, timeout_ms, NULL);
	int rc = tell(c, errors, err);
	kl_scatter_free(&c->scatter);
	return rc;
}

int klamm_admin_alter_group_offsets(struct klamm_admin *admin, const char *group,
				    const struct klamm_offset *offsets, size_t count,
				    int64_t timeout_ms, struct klamm_error *errors,
				    struct klamm_error *err)
{
	struct change c = {
		.offsets = offsets,
		.places = calloc(count + 1, sizeof(*c.places)),
		.count = count,
	};
	for (size_t i = 0; c.places != NULL && i < count; i++) {
		c.places[i].topic = offsets[i].topic;
		c.places[i].partition = offsets[i].partition;
	}
	int rc = run(admin, &c, &commit_ops, group, KL_API_OFFSET_COMMIT, timeout_ms,
		     errors, err);
	free(c.places);
	return rc;
}

int klamm_admin_delete_group_offsets(struct klamm_admin *admin, const char *group,
				     const struct klamm_topic_partition *partitions,
				     size_t count, int64_t timeout_ms,
				     struct klamm_error *errors, struct klamm_error *err)
{
	struct change c = {.places = calloc(count + 1, sizeof(*c.places)), .count = count};
	for (size_t i = 0; c.places != NULL && i < count; i++) {
		c.places[i].topic = partitions[i].topic;
		c.places[i].partition = partitions[i].partition;
	}
	int rc = run(admin, &c, &delete_ops, group, KL_API_OFFSET_DELETE, timeout_ms,
		     errors, err);
	free(c.places);
	return rc;
}
