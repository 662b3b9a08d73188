/* SPDX-License-Identifier: BSD-2-Clause */
/* A consumer of one partition, and a scripted peer that serves a log to it. */
#ifndef READING_H
#define READING_H

#include <klamm/consumer.h>

#include "tests/client/script.h"
#include "tests/unit/record/record.h"

extern struct script reading_script; /* set log, log_len, log_end before reading_start() */
extern struct klamm_consumer *reading_consumer;

void reading_up(void); /* fixtures */
void reading_down(void);

/* From offset 0 of topic "t", partition 0; with a key that a test sets ("key=value"), or
 * NULL. */
void reading_start(const char *pair);
/* What is read up to this position, as show_record() prints it. */
void reading_until(int64_t position, struct kl_buf *out);

#endif
