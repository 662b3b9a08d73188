/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/groups.h"

#include <stdlib.h>

#include "broker/coordinators.h"
#include "broker/offsets.h"

/* What members of all groups may take together: a client that makes up members, or large
 * metadata, is told COORDINATOR_NOT_AVAILABLE then. */
#define MEMBERS_MAX ((size_t)256 << 20)

struct kl_dev_group *kl_dev_group_find(struct klamm_broker *broker, struct kl_str id)
{
	struct kl_dev_group *group = NULL;
	HASH_FIND(hh, broker->groups.by_id, id.p, (unsigned)kl_max(id.len, 0), group);
	return group;
}

struct kl_dev_group *kl_dev_group_add(struct klamm_broker *broker, struct kl_str id,
				      int32_t home)
{
	struct kl_dev_group *group = calloc(1, sizeof(*group) + (size_t)id.len + 1);
	if (group == NULL)
		return NULL;
	memcpy(group->id, id.p, (size_t)id.len);
	group->id_len = id.len;
	group->broker = broker;
	group->home = home;
	group->type = &kl_dev_classic_type;
	kl_dev_classic_init(group);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, broker->groups.by_id, id, (unsigned)id.len, group);
	if (added)
		return group;
	free(group);
	return NULL;
}

static void drop(struct kl_dev_group *group, int error)
{
	group->type->clear(group, error);
	kl_dev_offsets_free(group);
	HASH_DEL(group->broker->groups.by_id, group);
	free(group);
}

void kl_dev_group_forget(struct kl_dev_group *group)
{
	if (group->offsets == NULL) {
		drop(group, KLAMM_ERR_UNKNOWN_MEMBER_ID);
		return;
	}
	group->type->clear(group, KLAMM_ERR_UNKNOWN_MEMBER_ID);
	group->type = &kl_dev_classic_type;
	kl_dev_classic_init(group);
}

void kl_dev_groups_drop_home(struct klamm_broker *broker, int32_t home)
{
	struct kl_dev_group *group, *next;
	kl_dev_offsets_drop_pending(broker, home);
	HASH_ITER(hh, broker->groups.by_id, group, next)
	{
		if (home < 0 || group->home == home)
			drop(group, KLAMM_ERR_NOT_COORDINATOR);
	}
}

struct kl_dev_partition *kl_dev_group_home(const struct kl_dev_group *group)
{
	struct kl_dev_partition *home =
		kl_dev_home(group->broker, KL_DEV_GROUP, kl_dev_group_id(group));
	return home != NULL && home->leader > 0 && !home->log.is_lost ? home : NULL;
}

bool kl_dev_groups_have_room(const struct klamm_broker *broker, size_t n)
{
	return broker->groups.bytes <= MEMBERS_MAX && n <= MEMBERS_MAX - broker->groups.bytes;
}

bool kl_dev_groups_take(struct klamm_broker *broker, size_t n)
{
	if (!kl_dev_groups_have_room(broker, n))
		return false;
	broker->groups.bytes += n;
	return true;
}

void kl_dev_groups_count(struct klamm_broker *broker, size_t n)
{
	broker->groups.bytes += n;
}

void kl_dev_groups_give(struct klamm_broker *broker, size_t n)
{
	broker->groups.bytes -= n;
}

/* --- records on their way to the disk --- */

void kl_dev_groups_progress(struct klamm_broker *broker)
{
	if (!kl_list_empty(&broker->groups.storing))
		kl_hook_add(broker->loop, &broker->groups.step);
}

void kl_dev_groups_step(struct kl_hook *hook)
{
	struct klamm_broker *broker = kl_container(hook, struct klamm_broker, groups.step);
	kl_list_for_safe(classic, &broker->groups.storing, struct kl_dev_classic, storing.link)
		kl_dev_classic_stored(kl_container(classic, struct kl_dev_group, classic));
}
