/* SPDX-License-Identifier: BSD-2-Clause */
/* From what a member has to what it shall have, as Kafka's CurrentAssignmentBuilder: what is
 * not to be its own any more is given up first, and it stays in its epoch until it says that
 * this is done. Then it goes to the target's epoch, and gets what nobody else has still. */
#include "broker/modern.h"

static bool owns_any(const struct kl_dev_modern_step *step, const struct kl_dev_parts *gives)
{
	if (step->owned == NULL)
		return true;
	for (size_t i = 0; i < step->owned->count; i++)
		if (kl_dev_parts_find(gives, &step->owned->list[i].topic,
				      step->owned->list[i].index) != NULL)
			return true;
	return false;
}

/* Also to the one that it has: then the one before is good no more. */
static void set_epoch(struct kl_dev_modern_now *now, int32_t epoch)
{
	now->previous_epoch = now->epoch;
	now->epoch = epoch;
}

static void replace(struct kl_dev_parts *old, struct kl_dev_parts *with)
{
	kl_dev_parts_free(old);
	*old = *with;
	*with = (struct kl_dev_parts){0};
}

static bool keep(struct kl_dev_parts *to, const struct kl_dev_part *part)
{
	return kl_dev_parts_add(to, &part->topic, part->index, part->epoch);
}

/* What it does not subscribe to any more goes, without waiting for another target. */
static int drop_unsubscribed(struct kl_dev_modern_now *now,
			     const struct kl_dev_modern_step *step)
{
	struct kl_dev_parts has = {0}, gives;
	if (!kl_dev_parts_copy(&gives, &now->gives))
		return -1;
	bool ok = true;
	for (size_t i = 0; ok && i < now->has.count; i++) {
		const struct kl_dev_part *part = &now->has.list[i];
		ok = keep(step->subscribes(step->arg, &part->topic) ? &has : &gives, part);
	}
	bool changed = has.count != now->has.count;
	if (ok && changed) {
		kl_dev_parts_sort(&gives);
		set_epoch(now, now->epoch);
		replace(&now->has, &has);
		if (gives.count > 0 && owns_any(step, &gives)) {
			now->state = KL_DEV_MODERN_UNREVOKED;
			replace(&now->gives, &gives);
		}
	}
	kl_dev_parts_free(&has);
	kl_dev_parts_free(&gives);
	return ok ? changed : -1;
}

struct split {
	struct kl_dev_parts has, gives;
	size_t new_count; /* of has: partitions that it did not have */
	bool unreleased;
};

/* false: out of memory. */
static bool split_own(struct split *split, const struct kl_dev_modern_now *now,
		      const struct kl_dev_modern_step *step)
{
	for (size_t i = 0; i < now->has.count; i++) {
		const struct kl_dev_part *part = &now->has.list[i];
		bool stays = step->subscribes(step->arg, &part->topic) &&
			     kl_dev_parts_find(step->target, &part->topic,
					       part->index) != NULL;
		if (!keep(stays ? &split->has : &split->gives, part))
			return false;
	}
	return true;
}

static bool add_free(struct split *split, const struct kl_dev_modern_now *now,
		     const struct kl_dev_modern_step *step)
{
	for (size_t i = 0; i < step->target->count; i++) {
		const struct kl_dev_part *part = &step->target->list[i];
		if (!step->subscribes(step->arg, &part->topic) ||
		    kl_dev_parts_find(&now->has, &part->topic, part->index) != NULL)
			continue;
		if (step->is_held(step->arg, &part->topic, part->index)) {
			split->unreleased = true;
			continue;
		}
		if (!kl_dev_parts_add(&split->has, &part->topic, part->index,
				      step->target_epoch))
			return false;
		split->new_count++;
	}
	kl_dev_parts_sort(&split->has);
	return true;
}

static int go_on(struct kl_dev_modern_now *now, const struct kl_dev_modern_step *step)
{
	struct split split = {0};
	bool ok = split_own(&split, now, step);
	if (ok && split.gives.count > 0 && owns_any(step, &split.gives)) {
		replace(&now->has, &split.has);
		replace(&now->gives, &split.gives);
		set_epoch(now, now->epoch);
		now->state = KL_DEV_MODERN_UNREVOKED;
	} else if (ok && (ok = add_free(&split, now, step))) {
		replace(&now->has, &split.has);
		kl_dev_parts_free(&now->gives);
		set_epoch(now, step->target_epoch);
		now->state = split.unreleased ? KL_DEV_MODERN_UNRELEASED
					      : KL_DEV_MODERN_STABLE;
	}
	kl_dev_parts_free(&split.has);
	kl_dev_parts_free(&split.gives);
	return ok ? 1 : -1;
}

static int advance(struct kl_dev_modern_now *now, const struct kl_dev_modern_step *step)
{
	switch (now->state) {
	case KL_DEV_MODERN_STABLE:
		if (now->epoch != step->target_epoch)
			return go_on(now, step);
		break;
	case KL_DEV_MODERN_UNREVOKED:
		if (!owns_any(step, &now->gives))
			return go_on(now, step);
		break;
	case KL_DEV_MODERN_UNRELEASED:
		return go_on(now, step);
	}
	return step->subscription_changed ? drop_unsubscribed(now, step) : 0;
}

int kl_dev_modern_advance(struct kl_dev_modern_now *now,
			  const struct kl_dev_modern_step *step)
{
	struct kl_dev_modern_now before = *now;
	if (!kl_dev_parts_copy(&before.has, &now->has))
		return -1;
	if (!kl_dev_parts_copy(&before.gives, &now->gives)) {
		kl_dev_parts_free(&before.has);
		return -1;
	}
	int rc = advance(now, step);
	if (rc == 1 && before.epoch == now->epoch && before.state == now->state &&
	    before.previous_epoch == now->previous_epoch &&
	    kl_dev_parts_equal(&before.has, &now->has) &&
	    kl_dev_parts_equal(&before.gives, &now->gives))
		rc = 0;
	kl_dev_parts_free(&before.has);
	kl_dev_parts_free(&before.gives);
	return rc;
}
