/* SPDX-License-Identifier: BSD-2-Clause */
/* Bugs on purpose: tests/sim shows that it would find them. Only its own copy of the code is
 * compiled with KL_BUGS; everywhere else KL_BUG() is the constant false. */
#ifndef KL_BUG_H
#define KL_BUG_H

#ifdef KL_BUGS
enum kl_bug {
	KL_BUG_NONE,
	/* The producer: a batch whose answer got lost counts as acknowledged, */
	KL_BUG_ACK_OF_LOST,
	/* or as surely not written; */
	KL_BUG_CERTAIN_OF_LOSS,
	/* one that should be sent again is forgotten, */
	KL_BUG_LOST_RETRY,
	/* or goes behind later ones; */
	KL_BUG_REORDERED_RETRY,
	/* a partition may have two in flight; */
	KL_BUG_TWO_IN_FLIGHT,
	/* "not leader" does not make metadata stale; */
	KL_BUG_STALE_LEADER,
	/* a partition that waits for a connection is not told of it. */
	KL_BUG_LOST_WAKEUP,
	/* The consumer: a batch's CRC is not looked at; */
	KL_BUG_SKIPPED_CRC,
	/* one that cannot be read moves the position all the same; */
	KL_BUG_ADVANCED_ON_ERROR,
	/* the answer to a Fetch from before a seek is taken for a new one; */
	KL_BUG_OLD_ANSWER,
	/* it reads beyond the last stable offset; */
	KL_BUG_LSO_IGNORED,
	/* what was aborted is handed out; */
	KL_BUG_ABORTED_SHOWN,
	/* it begins elsewhere than at the committed offset. */
	KL_BUG_COMMITTED_IGNORED,
	/* Idempotence: a batch that is sent again gets another sequence; */
	KL_BUG_RESTAMPED_RETRY,
	/* the gap that a failed batch leaves is not closed by a new epoch; */
	KL_BUG_GAP_LEFT,
	/* what may have been written is sent again under a new epoch; */
	KL_BUG_DOUBT_FORGOTTEN,
	/* sequences begin anew in the old epoch; */
	KL_BUG_EPOCH_NOT_BUMPED,
	/* they count batches, not records. */
	KL_BUG_BATCHES_COUNTED,
	/* Transactions: the end is asked for before all is acknowledged; */
	KL_BUG_EARLY_END,
	/* and told before it is answered; */
	KL_BUG_EARLY_SUCCESS,
	/* partitions are not added, */
	KL_BUG_PARTITION_NOT_ADDED,
	/* or only to the first transaction that they are part of; */
	KL_BUG_PARTITION_STAYS,
	/* a commit comes behind a record that failed; */
	KL_BUG_FAILURE_COMMITTED,
	/* the coordinator is not told of an abort, */
	KL_BUG_ABORT_NOT_TOLD,
	/* or told to commit; */
	KL_BUG_ABORT_COMMITS,
	/* a commit is sent as an abort; */
	KL_BUG_COMMIT_ABORTS,
	/* one that was refused for good counts as done; */
	KL_BUG_FENCED_COMMIT,
	/* after an EndTxn of unknown end the epoch is used on; */
	KL_BUG_DOUBTFUL_END,
	/* the coordinator that was is asked for ever; */
	KL_BUG_STALE_COORDINATOR,
	/* offsets are not sent, */
	KL_BUG_OFFSETS_DROPPED,
	/* or to the wrong group. */
	KL_BUG_WRONG_GROUP,
	/* Groups: a member says that it lives only while it is in poll(), */
	KL_BUG_BEAT_BY_POLL,
	/* or does not see that a topic has grown; */
	KL_BUG_GROWTH_MISSED,
	/* it reads on from what it gave up, */
	KL_BUG_NOT_GIVEN_UP,
	/* and what comes back to it is forgotten in its fetch session; */
	KL_BUG_FORGOTTEN_AGAIN,
	/* the coordinator takes commits of any generation, */
	KL_BUG_STALE_COMMIT,
	/* keeps the number of the generation, */
	KL_BUG_GENERATION_KEPT,
	/* or members that are silent. */
	KL_BUG_DEAD_STAYS,
	/* A member forgets where it is in what it keeps, */
	KL_BUG_POSITION_FORGOTTEN,
	/* joins without a word of what it has, */
	KL_BUG_OWNED_UNTOLD,
	/* or comes back as the leader and does not look what has no owner. */
	KL_BUG_RETURN_UNSEEN,
	/* KIP-848: no heartbeat goes out while a member gives up and takes; */
	KL_BUG_SILENT_REBALANCE,
	/* one says that it has given up, before that; */
	KL_BUG_EARLY_ACK,
	/* who was put out comes back with its old epoch, */
	KL_BUG_EPOCH_KEPT,
	/* or, as a static member, does not release its name; */
	KL_BUG_NAME_NOT_GIVEN_BACK,
	/* what was told in a lost answer is not asked for again, */
	KL_BUG_ANSWER_NOT_MISSED,
	/* or not when that came late. */
	KL_BUG_STRAGGLER_FORGOTTEN,
	/* The coordinator takes commits of any epoch, */
	KL_BUG_STALE_EPOCH,
	/* gives away what another one has, */
	KL_BUG_HELD_GIVEN,
	/* keeps its epoch when a member goes, */
	KL_BUG_GROUP_EPOCH_KEPT,
	/* or members that are silent. */
	KL_BUG_SILENT_STAYS,
	/* Positions in transactions: whose they are is not said, */
	KL_BUG_MEMBER_NOT_NAMED,
	/* and the next one reads on without the end of the transaction. */
	KL_BUG_UNSTABLE_READ,
	KL_BUG_COUNT,
};
extern enum kl_bug kl_bug_planted;
#define KL_BUG(name) (kl_bug_planted == KL_BUG_##name)
#else
#define KL_BUG(name) false
#endif

#endif
