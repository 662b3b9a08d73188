/* SPDX-License-Identifier: BSD-2-Clause */
/* Where to begin reading: what stands after -o. */
#ifndef CLI_PLACE_H
#define CLI_PLACE_H

#include "cli/cli.h"

enum cli_place_kind {
	CLI_PLACE_START,
	CLI_PLACE_END,
	CLI_PLACE_OFFSET, /* n */
	CLI_PLACE_TAIL,	  /* n before the end */
	CLI_PLACE_TIME,	  /* n ms since 1970 */
};

struct cli_place {
	enum cli_place_kind kind;
	int64_t n;
};

/* start|end|N|-N|@MS|@now|@-2h|@2026-03-05[T17:08[:09[.123]]][Z|+01:00]; times without
 * a zone are local. False: none of these. */
bool cli_place_parse(const char *text, int64_t now_ms, struct cli_place *place_out);
/* Java's "P2DT3H4M5.5S", or "90s", "15m", "2h", "7d", "1w". */
bool cli_duration_parse(const char *text, int64_t *ms_out);

#endif
