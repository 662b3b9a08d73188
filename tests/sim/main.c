/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs scenarios of the simulation over many seeds and prints TAP. Each seed runs in a process
 * of its own, twice, and both runs must have the same trace; a failing one is printed with
 * the command that runs it again. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/sim/bugs.h"
#include "tests/sim/scenario.h"

static const struct scenario *const scenarios[] = {
	&scenario_commits,
	&scenario_crash,
	&scenario_frames,
	&scenario_records,
	&scenario_idempotent,
	&scenario_transactional,
	&scenario_ctp,
	&scenario_ctp_group,
	&scenario_ctp_group_remote,
	&scenario_cuts,
	&scenario_group_range,
	&scenario_group_roundrobin,
	&scenario_group_sticky,
	&scenario_group_cooperative,
	&scenario_group_remote_uniform,
	&scenario_group_remote_range,
	&scenario_group_mixed,
	&scenario_group_mixed_eager,
};

#define SEEDS 200         /* of each scenario, where nothing else is said */
#define SEEDS_PER_BUG 2000
#define SEEDS_PER_TEST 50 /* that many make one line of TAP */
#define TEXT_MAX 8192

static const char usage[] =
	"usage: sim [OPTION...] [SCENARIO[:KIND]...]\n"
	"  -s, --seed N     this seed alone\n"
	"  -f, --from N     the first seed (1)\n"
	"  -n, --count N    so many seeds (200, or KLAMM_SIM_SEEDS)\n"
	"  -1, --once       do not run each seed twice\n"
	"  -c, --calm       without faults\n"
	"  -t, --trace      print every event (with -s)\n"
	"  -v, --verbose    a line per seed\n"
	"  -b, --bug NAME   plant a bug; \"all\" = one after the other, each to be found\n"
	"                   within the count (2000) of seeds; \"one\" = the first so\n"
	"  -l, --list       name the scenarios\n";

struct options {
	uint64_t from, count;
	bool once, calm, trace, verbose;
	int hunted; /* so many bugs in turn */
};

/* A scenario, and of its kinds one, or NULL: each seed has one. */
struct choice {
	const struct scenario *scenario;
	const char *kind;
	char name[48]; /* as it was asked for */
};

/* What a child tells of its seed. */
struct verdict {
	bool good;
	uint64_t hash, events;
	int64_t took_us;
	char text[TEXT_MAX];
	char note[256];
};

/* --- in the child --- */

/* The kind that was asked for, or the seed's. */
static const char *kind_of(const struct choice *c, uint64_t seed)
{
	size_t n = 0;
	if (c->kind != NULL || c->scenario->kinds == NULL)
		return c->kind;
	while (c->scenario->kinds[n] != NULL)
		n++;
	return c->scenario->kinds[seed % n];
}

static void run_once(const struct choice *s, uint64_t seed, const struct options *o,
		     struct verdict *v)
{
	struct scenario_run run = {
		.seed = seed, .calm = o->calm, .trace = o->trace, .kind = kind_of(s, seed)};
	s->scenario->run(&run);
	v->good = run.why.len == 0;
	v->hash = run.hash;
	v->events = run.events;
	v->took_us = run.took_us;
	snprintf(v->text, sizeof(v->text), "%s", v->good ? "" : kl_buf_text(&run.why));
	snprintf(v->note, sizeof(v->note), "%s",
		 run.note.len == 0 ? "" : kl_buf_text(&run.note));
	kl_buf_free(&run.why);
	kl_buf_free(&run.note);
}

static void run_seed(const struct choice *s, uint64_t seed, const struct options *o,
		     struct verdict *v)
{
	run_once(s, seed, o, v);
	if (o->once || !v->good)
		return;
	/* In the same process, so that memory lies elsewhere the second time. */
	struct verdict *again = calloc(1, sizeof(*again));
	if (again == NULL)
		abort();
	run_once(s, seed, o, again);
	if (again->hash != v->hash || again->events != v->events) {
		v->good = false;
		snprintf(v->text, sizeof(v->text),
			 "the second run differs: trace %016" PRIx64 " of %" PRIu64
			 " events, then %016" PRIx64 " of %" PRIu64 "\n",
			 v->hash, v->events, again->hash, again->events);
	}
	free(again);
}

/* --- in the parent --- */

static void read_all(int fd, void *p, size_t n, size_t *got_out)
{
	*got_out = 0;
	while (*got_out < n) {
		ssize_t got = read(fd, (char *)p + *got_out, n - *got_out);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return;
		*got_out += (size_t)got;
	}
}

static _Noreturn void child(const struct choice *s, uint64_t seed, const struct options *o,
			    int fd)
{
	struct verdict *v = calloc(1, sizeof(*v));
	if (v == NULL)
		abort();
	run_seed(s, seed, o, v);
	bool good = v->good;
	if (write(fd, v, sizeof(*v)) != (ssize_t)sizeof(*v))
		abort();
	close(fd);
	free(v);
	exit(good ? 0 : 1); /* a leak makes it another number */
}

static void in_child(const struct choice *s, uint64_t seed, const struct options *o,
		     struct verdict *v)
{
	int fds[2];
	fflush(stdout);
	if (pipe(fds) != 0)
		abort();
	pid_t pid = fork();
	if (pid < 0)
		abort();
	if (pid == 0) {
		close(fds[0]);
		child(s, seed, o, fds[1]);
	}
	close(fds[1]);
	size_t got;
	*v = (struct verdict){0};
	read_all(fds[0], v, sizeof(*v), &got);
	close(fds[0]);
	int status;
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(status) && WEXITSTATUS(status) == (v->good ? 0 : 1))
		return;
	v->good = false;
	size_t len = strlen(v->text);
	snprintf(v->text + len, sizeof(v->text) - len, "the process ended with %s %d\n",
		 WIFSIGNALED(status) ? "signal" : "status",
		 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
}

static void print_failure(const struct choice *s, uint64_t seed, const struct options *o,
			  const struct verdict *v)
{
	printf("# %s, seed %" PRIu64 ":\n", s->name, seed);
	for (const char *p = v->text; *p != '\0';) {
		size_t n = strcspn(p, "\n");
		printf("#   %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
	printf("# again: build/tests/sim/sim%s", o->calm ? " --calm" : "");
	if (kl_bug_planted != KL_BUG_NONE)
		printf(" --bug %s", bug_names[kl_bug_planted]);
	printf(" --seed %" PRIu64 " %s\n", seed, s->name);
}

static void print_verdict(uint64_t seed, const struct verdict *v)
{
	printf("# seed %" PRIu64 ": trace %016" PRIx64 ", %" PRIu64 " events, %.3f s%s%s\n",
	       seed, v->hash, v->events, (double)v->took_us / KL_SECOND,
	       v->note[0] ? ", " : "", v->note);
}

/* Seeds [from, from + count) as one line of TAP. */
static bool run_block(const struct choice *s, uint64_t from, uint64_t count,
		      const struct options *o, int number)
{
	uint64_t failed = 0;
	/* Static: a child ends far inside in_child(), and its leak check must still see it. */
	static struct verdict verdict, *v = &verdict;
	for (uint64_t seed = from; seed < from + count; seed++) {
		*v = (struct verdict){0};
		if (o->trace)
			run_seed(s, seed, o, v);
		else
			in_child(s, seed, o, v);
		if (o->verbose)
			print_verdict(seed, v);
		if (!v->good && failed++ < 5)
			print_failure(s, seed, o, v);
	}
	printf("%sok %d - %s, seeds %" PRIu64 " to %" PRIu64, failed > 0 ? "not " : "", number,
	       s->name, from, from + count - 1);
	printf(failed > 0 ? ": %" PRIu64 " failed\n" : "\n", failed);
	return failed == 0;
}

/* The bug that is planted must be found. */
static bool hunt(const struct choice *s, const struct options *o, int number)
{
	const char *name = bug_names[kl_bug_planted];
	bool found = false;
	struct verdict *v = calloc(1, sizeof(*v));
	if (v == NULL)
		abort();
	uint64_t seed = o->from;
	for (; !found && seed < o->from + o->count; seed++) {
		in_child(s, seed, o, v);
		found = !v->good;
	}
	if (found)
		printf("ok %d - %s: bug %s shows at seed %" PRIu64 " (%.*s)\n", number,
		       s->name, name, seed - 1, (int)strcspn(v->text, "\n"), v->text);
	else
		printf("not ok %d - %s: bug %s shows in none of %" PRIu64 " seeds\n", number,
		       s->name, name, o->count);
	free(v);
	return found;
}

static const struct scenario *find(const char *name, size_t len)
{
	for (size_t i = 0; i < kl_countof(scenarios); i++)
		if (strlen(scenarios[i]->name) == len &&
		    memcmp(scenarios[i]->name, name, len) == 0)
			return scenarios[i];
	return NULL;
}

static const char *find_kind(const struct scenario *s, const char *name)
{
	for (const char *const *kind = s->kinds; kind != NULL && *kind != NULL; kind++)
		if (strcmp(*kind, name) == 0)
			return *kind;
	return NULL;
}

/* "crash", "transactional:kill" */
static struct choice choose(const char *name)
{
	struct choice c = {0};
	size_t len = strcspn(name, ":");
	c.scenario = find(name, len);
	if (c.scenario != NULL && name[len] == ':')
		c.kind = find_kind(c.scenario, name + len + 1);
	if (c.scenario == NULL || (name[len] == ':' && c.kind == NULL)) {
		fprintf(stderr, "sim: no scenario \"%s\"; see --list\n", name);
		exit(2);
	}
	snprintf(c.name, sizeof(c.name), "%s", name);
	return c;
}

static int hunt_all(struct options *o)
{
	o->once = true;
	bool good = true;
	for (int bug = KL_BUG_NONE + 1; bug <= o->hunted; bug++) {
		kl_bug_planted = (enum kl_bug)bug;
		struct choice c = choose(bug_shows_in((enum kl_bug)bug));
		good &= hunt(&c, o, bug);
	}
	printf("1..%d\n", o->hunted);
	return good ? 0 : 1;
}

static bool run_choice(const struct choice *c, uint64_t count, const struct options *o,
		       int *number)
{
	bool good = true;
	for (uint64_t done = 0; done < count;) {
		uint64_t n = kl_min(count - done, (uint64_t)SEEDS_PER_TEST);
		good &= run_block(c, o->from + done, n, o, ++*number);
		done += n;
	}
	return good;
}

static int run_all(const struct options *o, char **names, int count)
{
	int number = 0;
	bool good = true;
	for (int i = 0; i < count; i++)
		choose(names[i]); /* before anything runs */
	for (int i = 0; i < count; i++) {
		struct choice c = choose(names[i]);
		good &= run_choice(&c, o->count, o, &number);
	}
	for (size_t i = 0; count == 0 && i < kl_countof(scenarios); i++) {
		struct choice c = choose(scenarios[i]->name);
		uint64_t share = o->count / kl_max(scenarios[i]->one_in, 1u);
		good &= run_choice(&c, kl_max(share, (uint64_t)1), o, &number);
	}
	printf("1..%d\n", number);
	return good ? 0 : 1;
}

static int list(void)
{
	for (size_t i = 0; i < kl_countof(scenarios); i++) {
		const struct scenario *s = scenarios[i];
		printf("%-21s %s\n", s->name, s->summary);
		for (const char *const *kind = s->kinds; kind != NULL && *kind != NULL; kind++)
			printf("%*s:%s%s", kind == s->kinds ? 22 : 0, "", *kind,
			       kind[1] == NULL ? "\n" : ", ");
	}
	for (int bug = KL_BUG_NONE + 1; bug < KL_BUG_COUNT; bug++)
		printf("%s%s", bug == KL_BUG_NONE + 1 ? "bugs: " : ", ", bug_names[bug]);
	puts("");
	return 0;
}

static void take_bug(struct options *o, const char *name)
{
	o->hunted = strcmp(name, "all") == 0   ? KL_BUG_COUNT - 1
		    : strcmp(name, "one") == 0 ? 1
					       : 0;
	if (o->hunted > 0) {
		o->count = SEEDS_PER_BUG;
		return;
	}
	kl_bug_planted = bug_find(name);
	if (kl_bug_planted == KL_BUG_NONE) {
		fprintf(stderr, "sim: no bug \"%s\"; see --list\n", name);
		exit(2);
	}
}

static void take_seed(struct options *o, const char *text)
{
	o->from = strtoull(text, NULL, 0);
	o->count = 1;
	o->verbose = true;
}

int main(int argc, char **argv)
{
	static const struct option longs[] = {
		{"seed", required_argument, NULL, 's'},
		{"from", required_argument, NULL, 'f'},
		{"count", required_argument, NULL, 'n'},
		{"bug", required_argument, NULL, 'b'},
		{"once", no_argument, NULL, '1'},
		{"calm", no_argument, NULL, 'c'},
		{"trace", no_argument, NULL, 't'},
		{"verbose", no_argument, NULL, 'v'},
		{"list", no_argument, NULL, 'l'},
		{0},
	};
	setenv("KLAMM_PLUGIN_PATH", SIM_PLUGINS, 0);
	const char *seeds = getenv("KLAMM_SIM_SEEDS");
	struct options o = {.from = 1, .count = seeds ? strtoull(seeds, NULL, 0) : SEEDS};
	int c;
	while ((c = getopt_long(argc, argv, "s:f:n:b:1ctvl", longs, NULL)) != -1) {
		switch (c) {
		case 's': take_seed(&o, optarg); break;
		case 'f': o.from = strtoull(optarg, NULL, 0); break;
		case 'n': o.count = strtoull(optarg, NULL, 0); break;
		case 'b': take_bug(&o, optarg); break;
		case '1': o.once = true; break;
		case 'c': o.calm = true; break;
		case 't': o.trace = true; break;
		case 'v': o.verbose = true; break;
		case 'l': return list();
		default: fputs(usage, stderr); return 2;
		}
	}
	return o.hunted > 0 ? hunt_all(&o) : run_all(&o, argv + optind, argc - optind);
}
