/* SPDX-License-Identifier: BSD-2-Clause */
/* What gen/messages.c gives to the lookups in message.c. */
#ifndef KL_TABLES_H
#define KL_TABLES_H

#include "core/proto/msg.h"

struct kl_api_entry {
	const char *name;
	const struct kl_msg *request, *response; /* NULL: not spoken by klamm */
};

extern const struct kl_api_entry kl_api_table[]; /* by API key */
extern const size_t kl_api_table_len;
extern const struct kl_msg *const kl_msg_table[];
extern const size_t kl_msg_table_len;

#endif
