/* SPDX-License-Identifier: BSD-2-Clause */
/* The bugs of core/base/bug.h by name. */
#ifndef BUGS_H
#define BUGS_H

#include "core/base/bug.h"

/* NULL at the end; index = enum kl_bug. */
extern const char *const bug_names[KL_BUG_COUNT + 1];
/* KL_BUG_NONE: no such name. */
enum kl_bug bug_find(const char *name);
/* The scenario that finds it, "records" or "transactional:kill". */
const char *bug_shows_in(enum kl_bug bug);

#endif
