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
};

enum kl_bug bug_find(const char *name)
{
	for (int i = KL_BUG_NONE + 1; i < KL_BUG_COUNT; i++)
		if (strcmp(bug_names[i], name) == 0)
			return (enum kl_bug)i;
	return KL_BUG_NONE;
}
