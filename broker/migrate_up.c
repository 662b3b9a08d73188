/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/migrate.h"

#include "broker/batch_make.h"
#include "broker/embedded.h"
#include "core/consumer/assign.h"

/* --- may it? --- */

bool kl_dev_migrates(const struct klamm_broker *broker, enum kl_dev_migration way)
{
	int32_t policy = broker->limits.modern_migration;
	return policy == KL_DEV_MIGRATES || policy == (int32_t)way;
}

static int refuse(struct klamm_error *err, const struct kl_dev_group *group, const char *why)
{
	return kl_error(err, KLAMM_ERR_GROUP_ID_NOT_FOUND,
			"The group %.100s has members of the classic protocol, and %s.",
			group->id, why);
}

int kl_dev_migrate_check_up(const struct kl_dev_group *group, struct klamm_error *err)
{
	const struct klamm_broker *broker = group->broker;
	if (!kl_dev_migrates(broker, KL_DEV_UPGRADES))
		return refuse(err, group,
			      "group.consumer.migration.policy keeps it a classic one");
	if (!kl_dev_classic_uses_consumers(group))
		return refuse(err, group, "they are no consumers");
	if ((int64_t)HASH_COUNT(group->classic.members) > broker->limits.modern_max_size)
		return refuse(err, group, "more than group.consumer.max.size lets in");
	return 0;
}

/* --- its members, as the records of modern groups have them --- */

struct came {
	struct kl_str id;
	struct kl_consumer_group_member_metadata_value about;
	struct kl_consumer_group_member_metadata_value_classic classic;
	struct kl_dev_parts has;
};

struct up {
	struct kl_dev_group *group;
	struct kl_arena arena;
	struct came *members;
	size_t count;
	int32_t epoch;
};

static void free_up(struct up *up)
{
	for (size_t i = 0; i < up->count; i++)
		kl_dev_parts_free(&up->members[i].has);
	kl_arena_free(&up->arena);
}

static bool put_offers(struct up *up, const struct kl_dev_member *member, struct came *to)
{
	int32_t n = member->offers->count;
	struct kl_consumer_group_member_metadata_value_protocol *protocols = kl_type_new(
		&kl_type_consumer_group_member_metadata_value_protocol, &up->arena, (size_t)n);
	for (int32_t i = 0; protocols != NULL && i < n; i++) {
		protocols[i].name = member->offers->list[i].name;
		protocols[i].metadata = member->offers->list[i].metadata;
	}
	to->classic.session_timeout_ms = member->session_ms;
	to->classic.supported_protocols = protocols;
	to->classic.supported_protocols_n = n;
	return protocols != NULL;
}

/* What it subscribes to, by the protocol that the group has; or would have, if none was voted
 * for yet. (Kafka's coordinator fails there.) */
static int read_subscription(struct up *up, const struct kl_dev_member *member,
			     struct came *to)
{
	struct kl_str protocol = up->group->classic.protocol != NULL
					 ? kl_str(up->group->classic.protocol)
					 : kl_dev_classic_vote(up->group);
	const struct kl_bytes *metadata = kl_dev_member_metadata(member, protocol);
	struct kl_consumer_protocol_subscription *told;
	if (metadata == NULL)
		metadata = &member->offers->list[0].metadata;
	int rc = kl_subscription_parse(*metadata, &up->arena, &told, NULL);
	if (rc != 0)
		return rc == KLAMM_ERR_NO_MEMORY ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
						 : KLAMM_ERR_INVALID_REQUEST;
	if (told->rack_id.len > 0)
		to->about.rack_id = told->rack_id;
	return kl_dev_modern_name_topics(&to->about, told->topics, told->topics_n,
					 &up->arena)
		       ? 0
		       : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
}

static int read_member(struct up *up, const struct kl_dev_member *member)
{
	struct came *to = &up->members[up->count++];
	*to = (struct came){.id = member->id};
	kl_msg_init(&kl_msg_consumer_group_member_metadata_value, &to->about);
	kl_type_init(&kl_type_consumer_group_member_metadata_value_classic, &to->classic);
	to->about.rack_id = to->about.server_assignor = KL_STR_NULL;
	to->about.subscribed_topic_regex = KL_STR("");
	to->about.instance_id = member->instance;
	to->about.client_id = member->client_id;
	to->about.client_host = member->client_host;
	to->about.rebalance_timeout_ms = member->rebalance_ms;
	to->about.classic_member_metadata = &to->classic;
	int rc = kl_dev_embedded_assigned(up->group->broker, member->assigned, up->epoch,
					  &to->has);
	if (rc == 0)
		rc = read_subscription(up, member, to);
	if (rc == 0 && !put_offers(up, member, to))
		rc = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	return rc;
}

static int read_members(struct up *up, struct klamm_error *err)
{
	const struct kl_dev_classic *classic = &up->group->classic;
	struct kl_dev_member *member, *next;
	int rc = 0;
	up->members = kl_arena_array(&up->arena, HASH_COUNT(classic->members),
				     sizeof(*up->members));
	if (up->members == NULL)
		rc = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	HASH_ITER(hh, classic->members, member, next)
	{
		if (rc == 0)
			rc = read_member(up, member);
	}
	if (rc == KLAMM_ERR_UNSUPPORTED_ASSIGNOR)
		return refuse(err, up->group,
			      "their assignor has data of its own in what it assigns: let all "
			      "of them have another partition.assignment.strategy first");
	if (rc == KLAMM_ERR_INVALID_REQUEST)
		return refuse(err, up->group, "what they say of themselves cannot be read");
	return rc == 0 ? 0 : kl_error(err, rc, "The broker is out of memory.");
}

/* In Kafka's order. All have what they are to have: the last assignment. */
static bool put_members(const struct up *up, struct kl_dev_batch *batch)
{
	struct kl_dev_modern_log log = {batch, kl_dev_group_id(up->group), KL_STR_NULL};
	bool ok = true;
	for (size_t i = 0; i < up->count; i++) {
		log.member = up->members[i].id;
		kl_dev_modern_put_about(&log, &up->members[i].about);
	}
	kl_dev_modern_put_epoch(&log, up->epoch, 0);
	for (size_t i = 0; i < up->count && ok; i++) {
		log.member = up->members[i].id;
		ok = kl_dev_modern_put_target(&log, &up->members[i].has);
	}
	kl_dev_modern_put_target_epoch(&log, up->epoch, 0);
	for (size_t i = 0; i < up->count && ok; i++) {
		struct kl_dev_modern_now now = {up->epoch, up->epoch, KL_DEV_MODERN_STABLE,
						up->members[i].has, {0}};
		log.member = up->members[i].id;
		ok = kl_dev_modern_put_current(&log, &now);
	}
	return ok;
}

/* --- the change --- */

/* Who waits for the others is not to wait any longer: it is to join the modern group. */
static void release(struct kl_dev_group *group)
{
	struct kl_dev_member *member, *next;
	HASH_ITER(hh, group->classic.members, member, next)
	{
		kl_dev_classic_refuse_join(member, member->id,
					   KLAMM_ERR_REBALANCE_IN_PROGRESS);
		kl_dev_classic_refuse_sync(member, KLAMM_ERR_REBALANCE_IN_PROGRESS);
	}
}

/* The hash of its topics is known when its members are. */
static int settle(struct kl_dev_group *group, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = group->broker;
	struct kl_arena arena = {0};
	struct kl_dev_batch batch;
	int64_t hash = 0;
	struct kl_dev_modern_change change = {group, NULL, NULL, &arena};
	struct kl_dev_modern_log log = {&batch, kl_dev_group_id(group), KL_STR_NULL};
	struct kl_dev_modern_member *member, *next;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	bool ok = kl_dev_modern_hash(&change, &hash);
	kl_dev_modern_put_epoch(&log, group->modern->epoch, hash);
	int rc = ok ? kl_dev_group_append(broker, home, &batch, -1, -1)
		: KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	kl_arena_free(&arena);
	HASH_ITER(hh, group->modern->members, member, next)
	{
		kl_dev_modern_alive(member);
	}
	return rc;
}

static int go_up(struct up *up, struct kl_dev_group **group, struct klamm_error *err)
{
	struct klamm_broker *broker = up->group->broker;
	struct kl_dev_partition *home = kl_dev_group_home(up->group);
	struct kl_dev_batch batch;
	int rc = read_members(up, err);
	if (rc != 0)
		return rc;
	struct kl_str id = kl_dev_group_id(up->group);
	id.p = kl_arena_text(&up->arena, id.p, (size_t)id.len);
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	up->group->type->put_tombstones(up->group, &batch);
	bool ok = put_members(up, &batch) && id.p != NULL && home != NULL;
	if (ok)
		release(up->group);
	rc = ok ? kl_dev_group_append(broker, home, &batch, -1, -1)
		: KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_dev_batch_free(&batch);
	*group = id.p != NULL ? kl_dev_group_find(broker, id) : *group;
	if (rc == 0)
		rc = settle(*group, home);
	return rc == 0 ? 0 : kl_error(err, rc, "The group cannot be written.");
}

int kl_dev_migrate_up(struct kl_dev_group **group, struct klamm_error *err)
{
	struct up up = {.group = *group, .epoch = (*group)->classic.generation};
	kl_log(&(*group)->broker->loop->log, KL_LOG_INFO, "broker",
	       "group %s: a member of KIP-848 comes, and the coordinator assigns from now on",
	       (*group)->id);
	int rc = go_up(&up, group, err);
	free_up(&up);
	return rc;
}
