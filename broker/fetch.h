/* SPDX-License-Identifier: BSD-2-Clause */
/* A Fetch inside: the one partition that fetch_read.c looks at and reads for fetch.c. */
#ifndef KL_DEV_FETCH_H
#define KL_DEV_FETCH_H

#include "broker/fetch_sessions.h"

/* What this node can serve of a partition: of a follower that lags (see faults) less than
 * there is. */
struct kl_dev_view {
	struct kl_dev_partition *partition; /* NULL: there is none */
	int error;
	int32_t preferred; /* a node that is nearer to the client; -1 = none (KIP-392) */
	struct kl_dev_epoch diverging; /* where its records part from ours; epoch -1: not */
	int64_t high, stable; /* ends for consumers; the second for read_committed */
};
struct kl_dev_view kl_dev_fetch_look(struct kl_dev_call *call,
				     const struct kl_dev_wanted *wanted);
/* There is something to say, before any records. */
static inline bool kl_dev_view_is_news(const struct kl_dev_view *view)
{
	return view->error != 0 || view->preferred >= 0 || view->diverging.epoch >= 0;
}
/* The end of those that the client may see. */
int64_t kl_dev_view_limit(const struct kl_dev_view *view,
			  const struct kl_fetch_request *request);

/* What the records of an answer have left. */
struct kl_dev_fetch_room {
	size_t left;  /* bytes */
	bool nothing; /* no records in it yet: the first batch may be larger */
};
/* The answer for a partition. false: out of memory. */
bool kl_dev_fetch_read(struct kl_dev_call *call, const struct kl_dev_wanted *wanted,
		       struct kl_dev_fetch_room *room,
		       struct kl_fetch_response_partition *out);

#endif
