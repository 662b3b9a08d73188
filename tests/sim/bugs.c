/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/bugs.h"

#include <string.h>

enum kl_bug kl_bug_planted;

const char *const bug_names[KL_BUG_COUNT + 1] = {
	[KL_BUG_NONE] = "none",
	[KL_BUG_ACK_OF_LOST] = "ack_of_lost",
	[KL_BUG_LOST_RETRY] = "lost_retry",
	[KL_BUG_REORDERED_RETRY] = "reordered_retry",
	[KL_BUG_TWO_IN_FLIGHT] = "two_in_flight",
	[KL_BUG_CERTAIN_OF_LOSS] = "certain_of_loss",
	[KL_BUG_STALE_LEADER] = "stale_leader",
	[KL_BUG_LOST_WAKEUP] = "lost_wakeup",
	[KL_BUG_SKIPPED_CRC] = "skipped_crc",
	[KL_BUG_ADVANCED_ON_ERROR] = "advanced_on_error",
	[KL_BUG_OLD_ANSWER] = "old_answer",
	[KL_BUG_LSO_IGNORED] = "lso_ignored",
	[KL_BUG_ABORTED_SHOWN] = "aborted_shown",
	[KL_BUG_COMMITTED_IGNORED] = "committed_ignored",
	[KL_BUG_RESTAMPED_RETRY] = "restamped_retry",
	[KL_BUG_GAP_LEFT] = "gap_left",
	[KL_BUG_DOUBT_FORGOTTEN] = "doubt_forgotten",
	[KL_BUG_EPOCH_NOT_BUMPED] = "epoch_not_bumped",
	[KL_BUG_BATCHES_COUNTED] = "batches_counted",
	[KL_BUG_EARLY_END] = "early_end",
	[KL_BUG_EARLY_SUCCESS] = "early_success",
	[KL_BUG_PARTITION_NOT_ADDED] = "partition_not_added",
	[KL_BUG_PARTITION_STAYS] = "partition_stays",
	[KL_BUG_FAILURE_COMMITTED] = "failure_committed",
	[KL_BUG_ABORT_NOT_TOLD] = "abort_not_told",
	[KL_BUG_ABORT_COMMITS] = "abort_commits",
	[KL_BUG_COMMIT_ABORTS] = "commit_aborts",
	[KL_BUG_FENCED_COMMIT] = "fenced_commit",
	[KL_BUG_DOUBTFUL_END] = "doubtful_end",
	[KL_BUG_STALE_COORDINATOR] = "stale_coordinator",
	[KL_BUG_OFFSETS_DROPPED] = "offsets_dropped",
	[KL_BUG_WRONG_GROUP] = "wrong_group",
	[KL_BUG_BEAT_BY_POLL] = "beat_by_poll",
	[KL_BUG_GROWTH_MISSED] = "growth_missed",
	[KL_BUG_NOT_GIVEN_UP] = "not_given_up",
	[KL_BUG_FORGOTTEN_AGAIN] = "forgotten_again",
	[KL_BUG_STALE_COMMIT] = "stale_commit",
	[KL_BUG_GENERATION_KEPT] = "generation_kept",
	[KL_BUG_DEAD_STAYS] = "dead_stays",
	[KL_BUG_POSITION_FORGOTTEN] = "position_forgotten",
	[KL_BUG_OWNED_UNTOLD] = "owned_untold",
	[KL_BUG_RETURN_UNSEEN] = "return_unseen",
	[KL_BUG_SILENT_REBALANCE] = "silent_rebalance",
	[KL_BUG_EARLY_ACK] = "early_ack",
	[KL_BUG_EPOCH_KEPT] = "epoch_kept",
	[KL_BUG_NAME_NOT_GIVEN_BACK] = "name_not_given_back",
	[KL_BUG_ANSWER_NOT_MISSED] = "answer_not_missed",
	[KL_BUG_STRAGGLER_FORGOTTEN] = "straggler_forgotten",
	[KL_BUG_STALE_EPOCH] = "stale_epoch",
	[KL_BUG_HELD_GIVEN] = "held_given",
	[KL_BUG_GROUP_EPOCH_KEPT] = "group_epoch_kept",
	[KL_BUG_SILENT_STAYS] = "silent_stays",
	[KL_BUG_MEMBER_NOT_NAMED] = "member_not_named",
	[KL_BUG_UNSTABLE_READ] = "unstable_read",
};

enum kl_bug bug_find(const char *name)
{
	for (int i = KL_BUG_NONE + 1; i < KL_BUG_COUNT; i++)
		if (strcmp(bug_names[i], name) == 0)
			return (enum kl_bug)i;
	return KL_BUG_NONE;
}

static const char *const scenarios[KL_BUG_COUNT] = {
	[KL_BUG_LSO_IGNORED] = "transactional",
	[KL_BUG_ABORTED_SHOWN] = "transactional",
	[KL_BUG_COMMITTED_IGNORED] = "ctp:kill",
	[KL_BUG_RESTAMPED_RETRY] = "idempotent",
	[KL_BUG_GAP_LEFT] = "idempotent",
	[KL_BUG_DOUBT_FORGOTTEN] = "idempotent:forgets",
	[KL_BUG_EPOCH_NOT_BUMPED] = "idempotent:forgets",
	[KL_BUG_BATCHES_COUNTED] = "idempotent",
	[KL_BUG_EARLY_END] = "transactional",
	[KL_BUG_EARLY_SUCCESS] = "transactional",
	[KL_BUG_PARTITION_NOT_ADDED] = "transactional",
	[KL_BUG_PARTITION_STAYS] = "transactional",
	[KL_BUG_FAILURE_COMMITTED] = "transactional",
	[KL_BUG_ABORT_NOT_TOLD] = "transactional",
	[KL_BUG_ABORT_COMMITS] = "transactional",
	[KL_BUG_COMMIT_ABORTS] = "transactional",
	[KL_BUG_FENCED_COMMIT] = "transactional:zombie",
	[KL_BUG_DOUBTFUL_END] = "transactional:slow",
	[KL_BUG_STALE_COORDINATOR] = "transactional",
	[KL_BUG_OFFSETS_DROPPED] = "ctp",
	[KL_BUG_WRONG_GROUP] = "ctp",
	[KL_BUG_BEAT_BY_POLL] = "group-range:nap",
	[KL_BUG_GROWTH_MISSED] = "group-range:grow",
	[KL_BUG_NOT_GIVEN_UP] = "group-cooperative:join",
	[KL_BUG_FORGOTTEN_AGAIN] = "group-range:join",
	[KL_BUG_STALE_COMMIT] = "group-range:pause",
	[KL_BUG_GENERATION_KEPT] = "group-range:join",
	[KL_BUG_DEAD_STAYS] = "group-range:crash",
	[KL_BUG_POSITION_FORGOTTEN] = "group-cooperative:join",
	[KL_BUG_OWNED_UNTOLD] = "group-cooperative:join",
	[KL_BUG_RETURN_UNSEEN] = "group-cooperative:return",
	[KL_BUG_SILENT_REBALANCE] = "group-remote-uniform:nap",
	[KL_BUG_EARLY_ACK] = "group-remote-uniform:nap",
	[KL_BUG_EPOCH_KEPT] = "group-remote-uniform:pause",
	[KL_BUG_NAME_NOT_GIVEN_BACK] = "group-remote-uniform:errors",
	[KL_BUG_ANSWER_NOT_MISSED] = "group-remote-uniform:net",
	[KL_BUG_STRAGGLER_FORGOTTEN] = "group-remote-uniform:slow",
	[KL_BUG_STALE_EPOCH] = "group-remote-uniform:pause",
	[KL_BUG_HELD_GIVEN] = "group-remote-uniform:join",
	[KL_BUG_GROUP_EPOCH_KEPT] = "group-remote-range:join",
	[KL_BUG_SILENT_STAYS] = "group-remote-range:crash",
	[KL_BUG_MEMBER_NOT_NAMED] = "ctp-group:zombie",
	[KL_BUG_UNSTABLE_READ] = "ctp-group-remote:zombie",
};

const char *bug_shows_in(enum kl_bug bug)
{
	return scenarios[bug] != NULL ? scenarios[bug] : "records";
}
