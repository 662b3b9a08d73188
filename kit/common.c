/* SPDX-License-Identifier: BSD-2-Clause */
/* What every kind has in common: loading, opening, and what is left after closing. */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/base/option.h"
#include "kit/inside.h"

/* --- loading --- */

/* "dir/codec_zstd.so" is codec zstd of dir; the word begins at *word_out. */
static const char *split_path(struct kit *k, char dir[static 4096], char word[static 256])
{
	const char *path = k->subject->file, *slash = strrchr(path, '/');
	const char *name = slash != NULL ? slash + 1 : path;
	const char *kind = kl_kind_word(k->subject->kind);
	size_t kind_len = strlen(kind), len = strlen(name);
	if (strncmp(name, kind, kind_len) != 0 || name[kind_len] != '_' ||
	    len < kind_len + 5 || len >= 256 || strcmp(name + len - 3, ".so") != 0)
		return kit_say(
			k,
			"the file is called %.200s: klamm looks for %s plugins in files "
			"called %s_NAME.so",
			name, kind, kind);
	snprintf(dir, 4096, "%.*s", slash != NULL ? (int)(slash - path) : 1,
		 slash == NULL ? "." : slash == path ? "/" : path);
	snprintf(word, 256, "%.*s", (int)(len - kind_len - 4), name + kind_len + 1);
	return NULL;
}

static const char *load(struct kit *k)
{
	char dir[4096], word[256];
	int32_t kind = k->subject->kind;
	kit_step(k, "loading it");
	if (k->subject->file == NULL) {
		int rc = kl_plugin_check(kind, NULL, k->subject->descriptor,
					 "given by the application", &k->plugin, &k->err);
		if (rc != 0)
			return kit_say(k, "%s", k->err.text);
		k->plugin->user = k->subject->user;
		return NULL;
	}
	const char *text = split_path(k, dir, word);
	if (text != NULL)
		return text;
	int rc = kl_plugin_load_file(kind, word, dir, &k->plugin, &k->err);
	if (rc == -ENOENT)
		return kit_say(k, "there is no %s", k->subject->file);
	return rc == 0 ? NULL : kit_say(k, "%s", k->err.text);
}

static int read_secret(void *arg, const char *key, char **text_out, struct klamm_error *err)
{
	struct kit *k = arg;
	if (k->subject->kind == KLAMM_KIND_SASL && kit_sasl_has_secret(k, key))
		return kit_sasl_secret(arg, key, text_out, err);
	if (k->subject->conf == NULL)
		return klamm_fail(err, KLAMM_ERR_CONFIG, "%s is not set", key);
	return kl_conf_read_secret(k->subject->conf, key, text_out, err);
}

const char *kit_begin(struct kit *k)
{
	const char *text = load(k);
	if (text != NULL)
		return text;
	static const struct kl_log silent;
	static struct kl_host host; /* the process is made for one check */
	k->host = &host;
	kit_step(k, "the kit's own loop");
	if (kl_loop_new(kl_os_real(), &silent, &k->loop, &k->err) != 0 ||
	    klamm_loop_start(k->loop, &k->err) != 0 ||
	    kl_host_init(k->host, kl_os_real(), &silent, k->loop, "klamm-kit", &k->err) != 0)
		return kit_say(k, "the kit cannot begin: %s", k->err.text);
	k->host->secret = read_secret;
	k->host->secret_arg = k;
	return NULL;
}

void kit_end(struct kit *k)
{
	kl_host_free(k->host);
	klamm_loop_free(k->loop);
	kl_plugin_free(k->plugin);
}

const char *kit_loads(struct kit *k)
{
	return NULL; /* kit_begin() has done it */
}

/* --- opening --- */

static const char *look_up(void *arg, const char *key)
{
	struct kit *k = arg;
	if (k->key != NULL && strcmp(key, k->key) == 0)
		return k->value;
	const char *text = NULL;
	if (k->subject->conf != NULL)
		text = kl_conf_lookup(k->subject->conf, key);
	return text != NULL || k->subject->kind != KLAMM_KIND_SASL ? text
								   : kit_sasl_default(key);
}

static const char *usual_role(int32_t kind)
{
	static const char *const roles[] = {
		[KLAMM_KIND_CODEC] = "compression.type",
		[KLAMM_KIND_PARTITIONER] = "partitioner.class",
		[KLAMM_KIND_ASSIGNOR] = "partition.assignment.strategy",
		[KLAMM_KIND_SASL] = "sasl.mechanism",
		[KLAMM_KIND_SERIALIZER] = "value.serializer",
		[KLAMM_KIND_METRICS] = "metric.reporters",
	};
	return roles[kind];
}

const char *kit_open(struct kit *k, const char *role, struct kl_instance *instance_out)
{
	kit_step(k, "open()");
	int rc = kl_plugin_open(k->plugin, k->host,
				role != NULL ? role : usual_role(k->subject->kind), look_up, k,
				instance_out, &k->err);
	if (rc == 0)
		return NULL;
	if (strstr(k->err.text, "it does not open, and says no more") != NULL)
		return kit_say(k, "open() fails with %s and without a sentence",
			       klamm_err_name(rc));
	if (k->err.code != rc)
		return kit_say(k, "open() returns %d, its error says %d", rc, k->err.code);
	return kit_say(k, "open() fails: %s (set options with -X KEY=VALUE)", k->err.text);
}

void kit_close(struct kit *k, struct kl_instance *instance)
{
	kit_step(k, "close()");
	kl_plugin_close(instance);
}

const char *kit_opens(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

const char *kit_use(struct kit *k, struct kl_instance *instance)
{
	static const char *(*const uses[])(struct kit *, struct kl_instance *) = {
		[KLAMM_KIND_CODEC] = kit_codec_use,
		[KLAMM_KIND_PARTITIONER] = kit_partitioner_use,
		[KLAMM_KIND_ASSIGNOR] = kit_assignor_use,
		[KLAMM_KIND_SASL] = kit_sasl_use,
		[KLAMM_KIND_SERIALIZER] = kit_serializer_use,
		[KLAMM_KIND_METRICS] = kit_metrics_use,
	};
	return uses[k->subject->kind](k, instance);
}

/* Two clients may use a plugin at once, and the first may go first. */
const char *kit_twice(struct kit *k)
{
	struct kl_instance a, b;
	const char *text = kit_open(k, NULL, &a);
	if (text == NULL)
		text = kit_open(k, NULL, &b);
	if (text == NULL)
		text = kit_use(k, &a);
	if (text == NULL)
		text = kit_use(k, &b);
	if (text != NULL)
		return text;
	kit_close(k, &a);
	text = kit_use(k, &b);
	if (text == NULL)
		kit_close(k, &b);
	return text;
}

/* A plugin has no business with the terminal of whoever uses klamm. */
const char *kit_is_quiet(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	if (text == NULL)
		text = kit_use(k, &instance);
	if (text != NULL)
		return text;
	kit_close(k, &instance);
	fflush(NULL);
	off_t n = lseek(STDOUT_FILENO, 0, SEEK_CUR);
	return n > 0 ? kit_say(k,
			       "it prints %lld bytes: what it has to say goes to "
			       "host->log()",
			       (long long)n)
		     : NULL;
}

/* --- what it exports --- */

struct names {
	const struct kit *k;
	char second[200], needed[200];
};

static int see_name(void *arg, const char *name, bool is_defined)
{
	struct names *names = arg;
	char own[300];
	snprintf(own, sizeof(own), "klamm_%s_%s", kl_kind_word(names->k->plugin->kind),
		 names->k->plugin->head.name);
	/* Names of the tool chain (_init, __bss_start, a sanitizer's) begin with '_'. */
	if (is_defined && name[0] != '_' && strcmp(name, own) != 0)
		snprintf(names->second, sizeof(names->second), "%s", name);
	if (!is_defined && (strncmp(name, "klamm_", 6) == 0 || strncmp(name, "kl_", 3) == 0))
		snprintf(names->needed, sizeof(names->needed), "%s", name);
	return 0;
}

const char *kit_exports(struct kit *k)
{
	struct names names = {.k = k};
	if (k->subject->file == NULL)
		return kit_skip(k, "it is no file");
	if (!kit_elf_names(k->subject->file, see_name, &names))
		return kit_say(k, "%s has no table of dynamic symbols", k->subject->file);
	if (names.second[0] != '\0')
		return kit_say(
			k,
			"it exports a second symbol, %s: nothing but klamm_%s_%s may be "
			"seen (-fvisibility=hidden)",
			names.second, kl_kind_word(k->plugin->kind), k->plugin->head.name);
	if (names.needed[0] != '\0')
		return kit_say(
			k,
			"it needs %s of libklamm: a plugin links nothing of klamm's, "
			"what it needs is in struct klamm_host",
			names.needed);
	return NULL;
}

/* --- options --- */

static size_t value_size(int32_t type)
{
	static const size_t sizes[] = {
		[KLAMM_OPTION_BOOL] = sizeof(bool),	[KLAMM_OPTION_INT] = sizeof(int32_t),
		[KLAMM_OPTION_LONG] = sizeof(int64_t),	[KLAMM_OPTION_DOUBLE] = sizeof(double),
		[KLAMM_OPTION_STRING] = sizeof(char *), [KLAMM_OPTION_LIST] = sizeof(char *),
		[KLAMM_OPTION_ENUM] = sizeof(int32_t),
	};
	return sizes[type];
}

static bool has_place(const struct klamm_option *row)
{
	return !(row->flags & KLAMM_OPTION_SECRET);
}

static const char *check_pair(struct kit *k, const struct klamm_option *a,
			      const struct klamm_option *b)
{
	if (strcmp(a->name, b->name) == 0)
		return kit_say(k, "%s has two rows", a->name);
	if (has_place(a) && has_place(b) && a->offset < b->offset + value_size(b->type) &&
	    b->offset < a->offset + value_size(a->type))
		return kit_say(
			k,
			"%s and %s lie in the same place of the structure: one swallows "
			"the other",
			a->name, b->name);
	return NULL;
}

const char *kit_option_rows(struct kit *k)
{
	const struct klamm_option *a, *b;
	for (size_t i = 0; (a = kl_plugin_option(k->plugin, i)) != NULL; i++) {
		if (a->doc == NULL || a->doc[0] == '\0')
			return kit_say(k, "%s has no sentence for the manual", a->name);
		if (a->flags & KLAMM_OPTION_REQUIRED && a->def != NULL)
			return kit_say(k, "%s is required and has a default", a->name);
		for (size_t j = i + 1; (b = kl_plugin_option(k->plugin, j)) != NULL; j++) {
			const char *text = check_pair(k, a, b);
			if (text != NULL)
				return text;
		}
	}
	return NULL;
}

/* open() must fail with this value, and say which key it is about. */
static const char *probe(struct kit *k, const struct klamm_option *row, const char *value)
{
	struct kl_instance instance;
	k->key = row->name;
	k->value = value;
	kit_step(k, "open() with %s = %s", row->name, value);
	int rc = kl_plugin_open(k->plugin, k->host, usual_role(k->subject->kind), look_up, k,
				&instance, &k->err);
	k->key = NULL;
	if (rc == 0) {
		kit_close(k, &instance);
		return kit_say(
			k,
			"open() swallows %s = %s: it has to fail, with a sentence that "
			"names the option",
			row->name, value);
	}
	const char *base = strrchr(row->name, '.');
	if (strstr(k->err.text, value) == NULL &&
	    strstr(k->err.text, base != NULL ? base + 1 : row->name) == NULL)
		return kit_say(
			k, "open() with %s = %s fails, but its sentence names neither: %s",
			row->name, value, k->err.text);
	return NULL;
}

/* Ranges are the core's to hold; what a path names only the plugin can know. */
const char *kit_options(struct kit *k)
{
	static const char nowhere[] = "/proc/self/nowhere/klamm-kit";
	const struct klamm_option *row;
	unsigned probed = 0;
	for (size_t i = 0; (row = kl_plugin_option(k->plugin, i)) != NULL; i++) {
		KL_AUTO(kl_buf_free) struct kl_buf why = {0};
		const char *text = NULL;
		if (!has_place(row))
			continue;
		if (!kl_option_valid(row, "klamm-kit", &why)) {
			text = probe(k, row, "klamm-kit");
			probed++;
		} else if (row->flags & KLAMM_OPTION_PATH) {
			text = probe(k, row, nowhere);
			probed++;
		}
		if (text != NULL)
			return text;
	}
	return probed > 0 ? NULL : kit_skip(k, "it has no option that can be wrong");
}

/* --- leaks --- */

/* Caches fill up before the first window; each window that grows by a block per round is one
 * more witness. */
#define WARM_UP 16
#define WINDOWS 3
#define ROUNDS 16
#define BLOCK ((size_t)8)

static const char *open_use_close(struct kit *k)
{
	struct kl_instance instance;
	const char *text = kit_open(k, NULL, &instance);
	if (text == NULL)
		text = kit_use(k, &instance);
	if (text == NULL)
		kit_close(k, &instance);
	return text;
}

struct tally {
	size_t heap, host;
	unsigned fds;
};

static struct tally count_all(struct kit *k)
{
	return (struct tally){
		.heap = kit_heap(),
		.host = atomic_load(&k->host->quota.used),
		.fds = kit_count_dir("/proc/self/fd"),
	};
}

static const char *compare(struct kit *k, const struct tally *tallies)
{
	const struct tally *first = &tallies[0], *last = &tallies[WINDOWS];
	bool grows = true;
	for (int i = 0; i < WINDOWS; i++)
		grows &= tallies[i + 1].heap >= tallies[i].heap + ROUNDS * BLOCK;
	if (last->fds > first->fds)
		return kit_say(
			k,
			"it leaks on close: %u open files more after %d times open() and "
			"close()",
			last->fds - first->fds, WINDOWS * ROUNDS);
	if (last->host > 0)
		return kit_say(
			k,
			"it leaks on close: %zu bytes of host->arena_new() or out_new() "
			"were not given back",
			last->host);
	if (grows)
		return kit_say(k, "it leaks on close: about %zu bytes each time",
			       (last->heap - first->heap) / (WINDOWS * ROUNDS));
	return NULL;
}

/* Threads show when the kit's own are gone; and the kernel lists those that have been joined
 * for a moment more. */
static const char *count_threads(struct kit *k, unsigned before)
{
	k->skipped = NULL;
	klamm_loop_free(k->loop);
	k->loop = NULL;
	unsigned after = kit_count_dir("/proc/self/task");
	for (int i = 0; i < 500 && after > before; i++) {
		usleep(10000);
		after = kit_count_dir("/proc/self/task");
	}
	return after > before ? kit_say(k, "it leaks on close: %u threads are still there",
					after - before)
			      : NULL;
}

const char *kit_leaks(struct kit *k)
{
	struct tally tallies[WINDOWS + 1];
	/* "." and "..", this thread and the loop's, which ends before the count. */
	unsigned threads = kit_count_dir("/proc/self/task") - 1;
	for (int i = 0; i < WARM_UP; i++) {
		const char *text = open_use_close(k);
		if (text != NULL)
			return text;
	}
	for (int w = 0; w <= WINDOWS; w++) {
		tallies[w] = count_all(k);
		for (int i = 0; w < WINDOWS && i < ROUNDS; i++) {
			const char *text = open_use_close(k);
			if (text != NULL)
				return text;
		}
	}
	const char *text = compare(k, tallies);
	return text != NULL ? text : count_threads(k, threads);
}

/* --- errors --- */

const char *kit_refused(struct kit *k, int rc, const int *codes)
{
	const char *call = k->step;
	bool is_one = false;
	for (; *codes != 0; codes++)
		is_one |= rc == *codes;
	if (!is_one)
		return kit_say(
			k,
			"%s answers %d (%s), which is none of the codes that it may give: "
			"%s",
			call, rc, klamm_err_name(rc), k->err.text);
	if (k->err.code != rc)
		return kit_say(k, "%s answers %s, but its error has the code %d", call,
			       klamm_err_name(rc), k->err.code);
	if (k->err.text[0] == '\0' || strchr(k->err.text, '\n') != NULL)
		return kit_say(k, "%s answers %s without a sentence", call,
			       klamm_err_name(rc));
	return NULL;
}

/* --- threads --- */

struct run {
	struct kit k; /* its own sentence */
	const char *(*fn)(struct kit *k, void *arg, int i);
	void *arg;
	int i;
	pthread_barrier_t *barrier;
	const char *text;
};

static void *run_one(void *arg)
{
	struct run *run = arg;
	pthread_barrier_wait(run->barrier);
	run->text = run->fn(&run->k, run->arg, run->i);
	return NULL;
}

const char *kit_together(struct kit *k, const char *(*fn)(struct kit *k, void *arg, int i),
			 void *arg)
{
	static struct run runs[KIT_THREADS];
	static char steps[KIT_THREADS][KIT_STEP];
	pthread_t threads[KIT_THREADS];
	pthread_barrier_t barrier;
	pthread_barrier_init(&barrier, NULL, KIT_THREADS);
	kit_step(k, "calls in %d threads at once", KIT_THREADS);
	for (int i = 0; i < KIT_THREADS; i++) {
		runs[i] = (struct run){.k = *k, .fn = fn, .arg = arg, .i = i,
				       .barrier = &barrier};
		runs[i].k.step = steps[i];
		if (pthread_create(&threads[i], NULL, run_one, &runs[i]) != 0)
			return kit_say(k, "the kit cannot start a thread");
	}
	const char *text = NULL;
	for (int i = 0; i < KIT_THREADS; i++) {
		pthread_join(threads[i], NULL);
		if (text == NULL && runs[i].text != NULL)
			text = kit_say(k, "%s", runs[i].text);
	}
	pthread_barrier_destroy(&barrier);
	return text;
}
