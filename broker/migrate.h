/* SPDX-License-Identifier: BSD-2-Clause */
/* A group that has members changes its protocol (group.consumer.migration.policy): a classic
 * one becomes modern when the first member of KIP-848 comes, with the members that it has, who
 * go on in its generation as their epoch; and classic again when the last one has gone. What
 * was committed stays. */
#ifndef KL_DEV_MIGRATE_H
#define KL_DEV_MIGRATE_H

#include "broker/groups.h"

/* Does the policy allow this way? */
bool kl_dev_migrates(const struct klamm_broker *broker, enum kl_dev_migration way);

/* --- migrate_up.c --- */

/* May a classic group with members become modern? 0 or GROUP_ID_NOT_FOUND. */
int kl_dev_migrate_check_up(const struct kl_dev_group *group, struct klamm_error *err);
/* It does; the group is another one then. 0, GROUP_ID_NOT_FOUND, or
 * COORDINATOR_NOT_AVAILABLE. Whoever waits in it for an answer is to join again. */
int kl_dev_migrate_up(struct kl_dev_group **group, struct klamm_error *err);

/* --- migrate_down.c --- */

/* Does a modern group become classic when these have gone? */
bool kl_dev_migrate_goes_down(const struct kl_dev_group *group,
			      struct kl_dev_modern_member *const *gone, size_t n);
/* The same when a member gives way to one of the classic protocol that has its name. */
bool kl_dev_migrate_goes_down_for(const struct kl_dev_group *group,
				  const struct kl_dev_modern_member *replaced);
/* It does, without them; with a reason its members are to join again, without one they have
 * what was their target. 0 or COORDINATOR_NOT_AVAILABLE. */
int kl_dev_migrate_down(struct kl_dev_group *group, struct kl_dev_modern_member *const *gone,
			size_t n, const char *reason);

#endif
