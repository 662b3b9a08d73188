/* SPDX-License-Identifier: BSD-2-Clause */
/* One heartbeat of a member of a modern group, on its way through the coordinator. */
#ifndef KL_DEV_MODERN_BEAT_H
#define KL_DEV_MODERN_BEAT_H

#include "broker/batch_make.h"
#include "broker/modern.h"

struct kl_dev_beat {
	struct kl_dev_call *call;
	const struct kl_consumer_group_heartbeat_request *request;
	/* It joins by JoinGroup, of which the request is made; NULL: by this protocol. */
	struct kl_consumer_group_member_metadata_value_classic *classic;
	struct kl_dev_group *group;
	struct kl_dev_modern_member *member;
	bool group_is_new, member_is_new;
	bool goes_down; /* the group is about to become a classic one: nothing is assigned */
	struct klamm_error err; /* code 0 = all is well */

	struct kl_dev_batch batch;
	struct kl_consumer_group_member_metadata_value about; /* what it says from now on */
	struct kl_dev_parts owned, target;
	bool subscription_changed;
	int32_t epoch, target_epoch;
	struct kl_dev_modern_now now;
	bool moved; /* now is another than before */
};

/* false, with the error in b->err. */
bool kl_dev_deny(struct kl_dev_beat *b, int code, const char *text);
bool kl_dev_beat_no_memory(struct kl_dev_beat *b);

/* b->member is a new one; without an id it gets one. */
bool kl_dev_beat_add(struct kl_dev_beat *b, struct kl_str id);
/* b->member has under its new id what a static member had under its old one; the epochs begin
 * anew. */
bool kl_dev_beat_replace(struct kl_dev_beat *b, struct kl_dev_modern_member *old,
			 struct kl_str id, struct kl_dev_partition *home);

/* What it says becomes what it has: records for that are in b->batch, and nothing holds before
 * they are appended. false: it is refused. */
bool kl_dev_beat_run(struct kl_dev_beat *b);
bool kl_dev_beat_append(struct kl_dev_beat *b, struct kl_dev_partition *home);

/* What was made for one that was refused is of no use. */
void kl_dev_beat_undo(struct kl_dev_beat *b);
void kl_dev_beat_free(struct kl_dev_beat *b);

#endif
