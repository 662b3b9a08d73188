/* SPDX-License-Identifier: BSD-2-Clause */
#include "bench/job.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char usage[] =
	"usage: %s produce|consume [-b BROKERS] [-t TOPIC] [-p PARTITIONS] [-n RECORDS]\n"
	"       [-w RECORDS to warm up] [-s SIZE] [-X key=value]...\n"
	"       client: [-d] application-driven, without a thread\n"
	"       floor:  [-B BYTES of a batch] [-c CPU of the other side]\n";

static void refuse(const struct job *job)
{
	fprintf(stderr, usage, job->name);
	exit(2);
}

static int64_t number(const struct job *job, const char *text, int64_t min)
{
	char *end;
	long long n = strtoll(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < min || n > INT64_C(1) << 40)
		refuse(job);
	return n;
}

static void add_setting(struct job *job, const char *pair)
{
	if (job->setting_count == JOB_SETTINGS_MAX || strchr(pair, '=') == NULL)
		refuse(job);
	job->settings[job->setting_count++] = pair;
}

static void read_option(struct job *job, int option, const char *text)
{
	switch (option) {
	case 'b':
		job->brokers = text;
		break;
	case 't':
		job->topic = text;
		break;
	case 'p':
		job->partitions = (int)number(job, text, 1);
		break;
	case 'n':
		job->records = number(job, text, 1);
		break;
	case 'w':
		job->warm_up = number(job, text, 0);
		break;
	case 's':
		job->size = (int)number(job, text, 1);
		break;
	case 'B':
		job->batch = (int)number(job, text, 1024);
		break;
	case 'c':
		job->peer_cpu = (int)number(job, text, 0);
		break;
	case 'd':
		job->driven = true;
		break;
	case 'X':
		add_setting(job, text);
		break;
	default:
		refuse(job);
	}
}

void job_read(struct job *job, int argc, char **argv)
{
	*job = (struct job){
		.name = argv[0],
		.brokers = "127.0.0.1:9092",
		.topic = "bench",
		.records = 1000000,
		.warm_up = 100000,
		.size = 100,
		.partitions = 1,
		.batch = 1 << 20,
		.peer_cpu = -1,
	};
	if (argc < 2)
		refuse(job);
	job->produce = strcmp(argv[1], "produce") == 0;
	if (!job->produce && strcmp(argv[1], "consume") != 0)
		refuse(job);
	int option;
	optind = 2;
	while ((option = getopt(argc, argv, "b:t:p:n:w:s:B:c:dX:")) != -1)
		read_option(job, option, optarg);
	if (optind != argc)
		refuse(job);
}

static int64_t clock_ns(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * 1000000000 + ts.tv_nsec;
}

void job_start(struct job *job)
{
	job->cpu_from = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	job->wall_from = clock_ns(CLOCK_MONOTONIC);
}

void job_tell(const struct job *job)
{
	/* All threads, user and system: the kernel does half of the work of a client. */
	double cpu = (double)(clock_ns(CLOCK_PROCESS_CPUTIME_ID) - job->cpu_from);
	double wall = (double)(clock_ns(CLOCK_MONOTONIC) - job->wall_from);
	double records = (double)job->records;
	printf("records=%lld cpu_ns_per_record=%.2f records_per_s=%.0f\n",
	       (long long)job->records, cpu / records, records / wall * 1e9);
}

int job_fail(const struct job *job, const char *format, ...)
{
	va_list args;
	va_start(args, format);
	fprintf(stderr, "%s: ", job->name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	return 1;
}

char *job_value(const struct job *job)
{
	char *value = malloc((size_t)job->size);
	for (int i = 0; value != NULL && i < job->size; i++)
		value[i] = (char)('a' + i % 26);
	return value;
}
