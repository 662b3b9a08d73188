/* SPDX-License-Identifier: BSD-2-Clause */
/* Sessions of client and broker in the simulation, in which memory runs out: allocation n
 * fails, for every n, alone and with all that come behind it. Each call then works or says
 * what went wrong; nothing crashes, nothing is leaked, nothing hangs, and what was
 * acknowledged is in the log. Prints TAP. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/torture.h"

#define WHY_MAX 65536
#define FAILURES_MAX 10 /* told of one session */

static const char usage[] =
	"usage: torture [OPTION...] [SESSION...]\n"
	"  -n, --nth N      only allocation N, in this process\n"
	"  -r, --rest       with --nth: all that come behind it fail too\n"
	"  -s, --stride N   every so-manieth (1; more with few KLAMM_SIM_SEEDS)\n"
	"  -t, --trace      print every event (with --nth)\n"
	"  -l, --list       name the sessions\n";

struct options {
	uint64_t nth, stride;
	bool rest, trace;
};

/* Shared with the child that does the work, which may die over it. */
struct progress {
	uint64_t at; /* the allocation that fails now */
	unsigned failed;
	char text[16384];
};
static struct progress *progress;

static uint64_t run(const struct torture_session *s, uint64_t n, bool rest, bool trace,
		    struct kl_buf *why)
{
	kl_buf_reserve(why, WHY_MAX); /* now: later there may be no memory for it */
	int64_t before = torture_live();
	uint64_t asked = torture_run(s, n, rest ? UINT64_MAX / 2 : 1, trace, why);
	int64_t left = torture_live() - before;
	if (left > 0)
		kl_buf_printf(why, "%" PRId64 " blocks of memory were not freed\n", left);
	return asked;
}

/* The first run of a process leaves things behind that are kept for good. */
static void warm_up(const struct torture_session *s)
{
	struct kl_buf why = {0};
	run(s, 0, false, false, &why);
	kl_buf_free(&why);
}

static void tell(const struct torture_session *s, uint64_t n, bool rest, const char *what)
{
	size_t len = strlen(progress->text);
	if (progress->failed++ < FAILURES_MAX)
		snprintf(progress->text + len, sizeof(progress->text) - len,
			 "# again: build/tests/sim/torture --nth %" PRIu64 "%s %s\n%s", n,
			 rest ? " --rest" : "", s->name, what);
}

static void indent(const char *text, struct kl_buf *out)
{
	while (*text != '\0') {
		size_t n = strcspn(text, "\n");
		kl_buf_printf(out, "#   %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* In the child. */
static void run_from(const struct torture_session *s, uint64_t count, bool rest,
		     const struct options *o)
{
	for (; progress->at <= count; progress->at += o->stride) {
		struct kl_buf why = {0}, lines = {0};
		run(s, progress->at, rest, false, &why);
		if (why.len > 0) {
			indent(kl_buf_text(&why), &lines);
			tell(s, progress->at, rest, kl_buf_text(&lines));
		}
		kl_buf_free(&why);
		kl_buf_free(&lines);
	}
}

static void run_all(const struct torture_session *s, uint64_t count, bool rest,
		    const struct options *o)
{
	*progress = (struct progress){.at = 1};
	while (progress->at <= count) {
		fflush(stdout);
		pid_t pid = fork();
		if (pid < 0)
			abort();
		if (pid == 0) {
			run_from(s, count, rest, o);
			exit(0);
		}
		int status;
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
			continue;
		char what[80];
		snprintf(what, sizeof(what), "#   the process ended with %s %d\n",
			 WIFSIGNALED(status) ? "signal" : "status",
			 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		tell(s, progress->at, rest, what);
		progress->at += o->stride;
	}
}

static bool torture(const struct torture_session *s, const struct options *o, int *number)
{
	struct kl_buf why = {0};
	uint64_t count = 0;
	bool good = true;
	warm_up(s);
	count = run(s, 0, false, false, &why);
	if (why.len > 0) {
		printf("# %s, with memory enough: %s", s->name, kl_buf_text(&why));
		good = false;
	}
	kl_buf_free(&why);
	for (int rest = 0; rest < 2; rest++) {
		run_all(s, count, rest, o);
		fputs(progress->text, stdout);
		if (progress->failed > FAILURES_MAX)
			printf("# and %u more\n", progress->failed - FAILURES_MAX);
		good &= progress->failed == 0;
		printf("%sok %d - %s: of %" PRIu64 " allocations %s\n",
		       progress->failed > 0 ? "not " : "", ++*number, s->name, count,
		       rest ? "those from the n-th on fail" : "the n-th fails");
	}
	return good;
}

static int once(const struct torture_session *s, const struct options *o)
{
	struct kl_buf why = {0};
	warm_up(s);
	uint64_t asked = run(s, o->nth, o->rest, o->trace, &why);
	printf("# %s: %" PRIu64 " allocations\n%s%sok 1 - %s\n1..1\n", s->name, asked,
	       why.len > 0 ? kl_buf_text(&why) : "", why.len > 0 ? "not " : "", s->name);
	bool good = why.len == 0;
	kl_buf_free(&why);
	return good ? 0 : 1;
}

static const struct torture_session *find(const char *name)
{
	for (size_t i = 0; i < torture_session_count; i++)
		if (strcmp(torture_sessions[i].name, name) == 0)
			return &torture_sessions[i];
	fprintf(stderr, "torture: no session \"%s\"; see --list\n", name);
	exit(2);
}

static int list(void)
{
	for (size_t i = 0; i < torture_session_count; i++)
		printf("%-10s %s\n", torture_sessions[i].name, torture_sessions[i].summary);
	return 0;
}

static int run_sessions(const struct options *o, char **names, int count)
{
	int number = 0;
	bool good = true;
	for (int i = 0; i < count; i++)
		good &= torture(find(names[i]), o, &number);
	for (size_t i = 0; count == 0 && i < torture_session_count; i++)
		good &= torture(&torture_sessions[i], o, &number);
	printf("1..%d\n", number);
	return good ? 0 : 1;
}

/* Where the simulation only has to show that it runs, so does this. */
static uint64_t usual_stride(void)
{
	const char *seeds = getenv("KLAMM_SIM_SEEDS");
	uint64_t n = seeds != NULL ? strtoull(seeds, NULL, 0) : 200;
	return n >= 200 ? 1 : n >= 20 ? 7 : 61;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"nth", required_argument, NULL, 'n'},
		{"rest", no_argument, NULL, 'r'},
		{"stride", required_argument, NULL, 's'},
		{"trace", no_argument, NULL, 't'},
		{"list", no_argument, NULL, 'l'},
		{0},
	};
	struct options o = {.stride = usual_stride()};
	int c;
	setenv("KLAMM_PLUGIN_PATH", SIM_PLUGINS, 0);
	while ((c = getopt_long(argc, argv, "n:rs:tl", longs, NULL)) != -1) {
		switch (c) {
		case 'n': o.nth = strtoull(optarg, NULL, 0); break;
		case 'r': o.rest = true; break;
		case 's': o.stride = kl_max(strtoull(optarg, NULL, 0), 1ull); break;
		case 't': o.trace = true; break;
		case 'l': return list();
		default: fputs(usage, stderr); return 2;
		}
	}
	progress = mmap(NULL, sizeof(*progress), PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (progress == MAP_FAILED)
		abort();
	if (o.nth > 0 && argc - optind == 1)
		return once(find(argv[optind]), &o);
	return run_sessions(&o, argv + optind, argc - optind);
}
