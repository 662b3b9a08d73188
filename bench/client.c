/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm under test: produces or consumes, and tells what a record cost. */
#include "bench/load.h"

int main(int argc, char **argv)
{
	struct job job;
	struct klamm_error err;
	struct klamm_loop *loop;
	job_read(&job, argc, argv);
	int rc = klamm_loop_new(NULL, &loop, &err);
	if (rc == 0 && !job.driven)
		rc = klamm_loop_start(loop, &err);
	if (rc != 0)
		return job_fail(&job, "%s", err.text);
	rc = load_run(&job, loop);
	klamm_loop_free(loop);
	return rc;
}
