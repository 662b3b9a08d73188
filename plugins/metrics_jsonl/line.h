/* SPDX-License-Identifier: BSD-2-Clause */
/* A snapshot as one line of JSON (RFC 8259). */
#ifndef METRICS_JSONL_LINE_H
#define METRICS_JSONL_LINE_H

#include <klamm/metrics.h>

/* Appends the line, its end included, to out. groups: those that are wanted, comma separated;
 * empty = all. The calling thread's locale has a point for a decimal point. */
int metrics_jsonl_line(const struct klamm_snapshot *snapshot, const char *client_id,
		       const char *groups, struct klamm_out *out, struct klamm_error *err);

#endif
