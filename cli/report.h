/* SPDX-License-Identifier: BSD-2-Clause */
/* What became of records, a JSON object a line. */
#ifndef CLI_REPORT_H
#define CLI_REPORT_H

#include <klamm/producer.h>

#include "cli/cli.h"
#include "core/base/buf.h"

/* The record was read from this line, counted from 1, of file. */
void cli_put_delivery(struct kl_buf *out, const struct klamm_delivery *delivery,
		      const char *file, uint64_t line);
/* state: "committed", "aborted", ... */
void cli_put_transaction(struct kl_buf *out, const char *state, uint64_t records);

#endif
