/* SPDX-License-Identifier: BSD-2-Clause */
/* A fault inside: what was asked for, how often it may strike, and how it is written. What
 * handlers need of it is in call.h. Lives in the broker's loop. */
#ifndef KL_DEV_FAULTS_H
#define KL_DEV_FAULTS_H

#include "broker/call.h"

struct kl_dev_fault {
	struct kl_list link; /* in the broker, oldest first; empty when it was removed */
	unsigned refs;
	int32_t id;
	int32_t skip, left; /* left -1: no end */
	int64_t fits;       /* behind the skipped ones */
	int64_t hits;
	uint64_t random;
	struct klamm_broker_fault spec;
	char *topic;
};

/* One that is not in force yet; INVALID_ARGUMENT, NO_MEMORY. */
int kl_dev_fault_new(const struct klamm_broker_fault *spec, struct kl_dev_fault **fault_out,
		     struct klamm_error *err);
/* In force, behind the others; the broker's. */
void kl_dev_fault_arm(struct klamm_broker *broker, struct kl_dev_fault *fault);
void kl_dev_fault_drop(struct kl_dev_fault *fault);
uint64_t kl_dev_fault_random(struct kl_dev_fault *fault);

/* --- fault_text.c --- */

/* A fault in words. INVALID_ARGUMENT says which word is wrong. [any thread] */
int kl_dev_fault_parse(const char *text, size_t len, struct kl_dev_fault **fault_out,
		       struct klamm_error *err);
/* The words that make the same fault. */
void kl_dev_fault_print(const struct klamm_broker_fault *spec, struct kl_buf *out);

#endif
