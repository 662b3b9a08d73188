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
	/* the answer to a Fetch from before a seek is taken for a new one. */
	KL_BUG_OLD_ANSWER,
	KL_BUG_COUNT,
};
extern enum kl_bug kl_bug_planted;
#define KL_BUG(name) (kl_bug_planted == KL_BUG_##name)
#else
#define KL_BUG(name) false
#endif

#endif
