/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/conf/fixture.h"

#include <stdio.h>
#include <stdlib.h>

struct klamm_conf *conf;
struct klamm_error err;
char last_log[512];
char *dir;
struct kl_buf told;

void conf_up(void)
{
	err = (struct klamm_error){0};
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
}

void conf_down(void)
{
	klamm_conf_free(conf);
}

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	snprintf(last_log, sizeof(last_log), "%s", text);
}

void log_up(void)
{
	conf_up();
	last_log[0] = '\0';
	klamm_conf_log(conf, log_line, NULL, 4);
}

void files_up(void)
{
	conf_up();
	told = (struct kl_buf){0};
	dir = unit_tmp();
}

void files_down(void)
{
	conf_down();
	kl_buf_free(&told);
	free(dir);
}
