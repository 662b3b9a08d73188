/* SPDX-License-Identifier: BSD-2-Clause */
/* What is too old or too much goes, now and then: retention.ms, retention.bytes. */
#ifndef KL_DEV_RETENTION_H
#define KL_DEV_RETENTION_H

#include "broker/broker.h"

int kl_dev_retention_begin(struct klamm_broker *broker, struct klamm_error *err);
void kl_dev_retention_end(struct klamm_broker *broker);

#endif
