/* SPDX-License-Identifier: BSD-2-Clause */
/* TLS of the listeners: what Kafka's brokers have as ssl.keystore, ssl.truststore and
 * ssl.client.auth. */
#ifndef KL_DEV_TLS_H
#define KL_DEV_TLS_H

#include "broker/broker.h"

/* Into broker->tls, if the options ask for it. INVALID_ARGUMENT. */
int kl_dev_tls_new(struct klamm_broker *broker, const struct klamm_broker_options *options,
		   struct klamm_error *err);

#endif
