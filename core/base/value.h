/* SPDX-License-Identifier: BSD-2-Clause */
/* What the core itself does with a struct klamm_value. Any thread. */
#ifndef KL_VALUE_H
#define KL_VALUE_H

#include <klamm/serializer.h>

/* Run the free() of every NATIVE in it; for a decoded value, just before its arena goes. */
void kl_value_drop(const struct klamm_value *value);

#endif
