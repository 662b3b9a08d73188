/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client under test is to do, and what it cost.
 *
 * client.c (klamm), peer.c (librdkafka) and floor.c (neither) take the same options, do the
 * same number of records to warm up, and tell the same line, so that bench/run can compare
 * them. No klamm in here: the peer must not link it.
 */
#ifndef BENCH_JOB_H
#define BENCH_JOB_H

#include <stdbool.h>
#include <stdint.h>

#define JOB_SETTINGS_MAX 32

struct klamm_topic;

struct job {
	const char *name; /* of the program, for complaints */
	bool produce;     /* else consume */
	const char *brokers, *topic;
	int64_t records, warm_up;
	int size;      /* of a value */
	int partitions; /* that the topic has */
	int batch;     /* floor: bytes of a batch */
	int peer_cpu;  /* floor: where the other side runs; -1 = anywhere */
	bool driven;   /* client: no thread; else the loop has its own */
	const char *settings[JOB_SETTINGS_MAX]; /* key=value */
	int setting_count;
	/* May be NULL. Called where measuring begins and where it ends; topic is the
	 * producer's, NULL for a consumer. */
	void (*mark)(struct job *job, struct klamm_topic *topic);
	int64_t cpu_from, wall_from;
};

/* Exits with 2 when the options make no sense. */
void job_read(struct job *job, int argc, char **argv);

/* After the warm-up, and at the end: what lies between is what is told. */
void job_start(struct job *job);
void job_tell(const struct job *job);

/* Prints, and gives the exit code 1. */
__attribute__((format(printf, 2, 3))) int job_fail(const struct job *job, const char *format,
						   ...);

/* A value of job->size bytes, not all alike. NULL: out of memory. */
char *job_value(const struct job *job);

#endif
