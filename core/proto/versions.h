/* SPDX-License-Identifier: BSD-2-Clause */
/* Which version of a request a broker understands. One per connection, in its loop: brokers
 * of one cluster may differ while it is being upgraded. */
#ifndef KL_VERSIONS_H
#define KL_VERSIONS_H

#include "core/proto/gen/messages.h"

struct kl_versions {
	struct {
		int16_t min, max; /* min > max: the broker does not have this API */
	} api[KL_API_COUNT];
};

/* From the broker's answer. */
void kl_versions_learn(struct kl_versions *versions,
		       const struct kl_api_versions_response *response);

/* From the release of a broker that does not answer ApiVersions: "0.9", "0.8.2.1". false: not
 * a release, or so new (0.11 and later) that it surely answers. */
bool kl_versions_assume(struct kl_versions *versions, const char *release);

/* The highest version, at most `at_most`, that the broker and klamm both have; -1 = none.
 * Versions that Kafka calls unstable are not picked. */
int kl_versions_pick(const struct kl_versions *versions, const struct kl_msg *request,
		     int at_most);
#define KL_VERSION_ANY 32767

/* The version to repeat an ApiVersions request in that was refused with
 * UNSUPPORTED_VERSION. */
int kl_versions_retry(const struct kl_api_versions_response *response);

#endif
