/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration for each test, and what may stand around it. */
#ifndef FIXTURE_H
#define FIXTURE_H

#include "core/base/buf.h"
#include "core/conf/conf.h"
#include "tests/unit/unit.h"

extern struct klamm_conf *conf;
extern struct klamm_error err;
void conf_up(void);
void conf_down(void);

/* The same, with a log. */
extern char last_log[512];
void log_up(void);

/* The same, with a folder, and room for what a test is told of its files. */
extern char *dir;
extern struct kl_buf told;
void files_up(void);
void files_down(void);

#endif
