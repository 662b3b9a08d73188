/* SPDX-License-Identifier: BSD-2-Clause */
/* A host for Amazon's parts of plugins: its clock stands where a test sets it, its log
 * and secrets are the test's, and nothing of this machine's environment is seen. */
#ifndef AWS_WORLD_H
#define AWS_WORLD_H

#include <klamm/host.h>

#define WORLD_NOW 1629321911000 /* 2021-08-18T21:25:11Z */

struct world {
	struct klamm_host host;
	int64_t wall_ms;
	const char *secret, *token; /* of the options; NULL = not set */
	char log[4096];             /* a line each */
	char *home;                 /* a folder, and HOME */
};
extern struct world world;

void world_up(void); /* fixtures */
void world_down(void);

/* Writes ~/.aws/NAME, or NAME itself if it begins with a slash. */
void world_write(const char *name, const char *text);
/* A path in the folder; static. */
const char *world_path(const char *name);

#endif
