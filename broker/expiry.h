/* SPDX-License-Identifier: BSD-2-Clause */
/* What is forgotten with time: producers that write no more, old commits of groups. */
#ifndef KL_DEV_EXPIRY_H
#define KL_DEV_EXPIRY_H

#include "broker/broker.h"

int kl_dev_expiry_begin(struct klamm_broker *broker, struct klamm_error *err);
void kl_dev_expiry_end(struct klamm_broker *broker);

#endif
