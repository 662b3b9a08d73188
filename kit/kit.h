/* SPDX-License-Identifier: BSD-2-Clause */
/* The conformance kit: does a plugin keep its kind's contract?
 *
 * A check is a plain function that returns NULL when it finds nothing wrong and else one
 * sentence. kit_run() runs it in a child process with a time limit, so that a crash and a
 * hang are sentences too. `klamm plugin check` prints them as TAP, `make check` wraps them
 * for the plugins of this tree. One thread, in a program that has no others.
 */
#ifndef KIT_H
#define KIT_H

#include "core/conf/conf.h"
#include "core/plugin.h"

/* What is checked: a shared object, or a descriptor of this program as klamm_conf_plugin()
 * takes it. Everything is borrowed. */
struct kit_subject {
	int32_t kind;                               /* enum klamm_kind */
	const char *file;                           /* the path of a .so, or NULL and: */
	const struct klamm_plugin_head *descriptor; /* of the program's own code */
	void *user;                                 /* likewise */
	const struct klamm_conf *conf; /* what the plugin's options are set to; may be NULL */
	int32_t limit_ms;              /* for one check; 0 = KIT_LIMIT_MS */
};

/* Far more than any check takes on a machine that is not stuck. */
#define KIT_LIMIT_MS 60000
#define KIT_TEXT 1000

struct kit;

struct kit_check {
	const char *name; /* what is right when it finds nothing */
	int32_t kind;     /* enum klamm_kind, 0 = all */
	const char *(*run)(struct kit *kit);
};

/* Ended by one without a name; the first says whether klamm would load the plugin at all, the
 * second whether it opens: what comes after them has no meaning when they fail. */
extern const struct kit_check kit_checks[];
#define KIT_NEEDED 2

enum kit_result {
	KIT_GOOD = 0,
	KIT_BAD = 1,
	KIT_SKIPPED = 2,
};

struct kit_verdict {
	enum kit_result result;
	char text[KIT_TEXT];   /* what is wrong, or why it was left out */
	char output[KIT_TEXT]; /* what the plugin printed */
};

void kit_run(const struct kit_subject *subject, const struct kit_check *check,
	     struct kit_verdict *verdict_out);

/* All checks of the subject's kind, in order; those behind a needed one that failed are
 * skipped. The number of those that found something. fn hears of each. */
unsigned kit_run_all(const struct kit_subject *subject,
		     void (*fn)(void *arg, const struct kit_check *check,
				const struct kit_verdict *verdict),
		     void *arg);

/* The number of checks that a kind has. */
unsigned kit_count(int32_t kind);

/* What two snapshots of one client, the later one second, must not do: a counter that falls, a
 * histogram that does not add up, time that runs back. NULL or a sentence in text. earlier may
 * be NULL. */
const char *kit_snapshots(const struct klamm_snapshot *earlier,
			  const struct klamm_snapshot *later, char text[static KIT_TEXT]);

#endif
