/* SPDX-License-Identifier: BSD-2-Clause */
/* A member of a group: it does something with each record of some topics, here print it, and
 * shares the partitions with all others that were started like it.
 *
 *   group CONFIG TOPIC...
 *
 * CONFIG says bootstrap.servers and group.id. Each record is done at least once: its offset is
 * committed when it is done, and before its partition goes to another member. Who wants it
 * exactly once has the work and the offset in one transaction: copy.c. It runs until SIGTERM
 * or SIGINT, leaves the group and exits with 0.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include <klamm/klamm.h>

#define COMMIT_S 1
#define WAIT_MS  10000

static struct klamm_consumer *consumer;
static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
	klamm_consumer_wakeup(consumer); /* poll() returns at once */
}

static int fail(const char *what, const struct klamm_error *err)
{
	fprintf(stderr, "group: %s: %s\n", what, err->text);
	return 1;
}

/* --- what is done is committed --- */

/* poll() hands out a batch when the one before is done. So when it is about to be called, or
 * calls the listener, all positions are behind records that are done, and are committed with
 * offsets NULL. What was printed must have left this process by then. */
static void commit_done(void)
{
	struct klamm_error err;
	if (fflush(stdout) == 0 &&
	    klamm_consumer_commit(consumer, NULL, 0, WAIT_MS, &err) != 0)
		fail("committing", &err); /* others will do these records again */
}

static void committed(void *arg, const struct klamm_offset *offsets, size_t count,
		      const struct klamm_error *err)
{
	(void)arg, (void)offsets, (void)count;
	if (err != NULL)
		fail("committing", err);
}

static void commit_now_and_then(void)
{
	static time_t last;
	struct klamm_error err;
	if (time(NULL) - last < COMMIT_S || fflush(stdout) != 0)
		return;
	last = time(NULL);
	if (klamm_consumer_commit_async(consumer, NULL, 0, committed, NULL, &err) != 0)
		fail("committing", &err);
}

/* --- what the group does --- */

static void tell(const char *what, const struct klamm_topic_partition *partitions,
		 size_t count)
{
	for (size_t i = 0; i < count; i++)
		fprintf(stderr, "group: %s %s [%d]\n", what, partitions[i].topic,
			partitions[i].partition);
}

static void on_assigned(void *arg, struct klamm_consumer *c,
			const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg, (void)c;
	tell("got", partitions, count);
}

static void on_revoked(void *arg, struct klamm_consumer *c,
		       const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg, (void)c;
	commit_done(); /* the next owner begins behind it */
	tell("gave up", partitions, count);
}

/* This process was silent for too long. Others have done these records, or do them now: what
 * is not committed is theirs. */
static void on_lost(void *arg, struct klamm_consumer *c,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	(void)arg, (void)c;
	tell("lost", partitions, count);
}

/* --- the work --- */

static int do_batch(struct klamm_batch *batch)
{
	struct klamm_record_view view;
	int rc;
	while ((rc = klamm_batch_next(batch, &view)) == 1)
		printf("%s %d %lld %.*s\n", klamm_batch_topic(batch),
		       klamm_batch_partition(batch), (long long)view.offset,
		       (int)view.value.len, (const char *)view.value.data);
	if (rc < 0)
		fprintf(stderr, "group: %s [%d]: %s\n", klamm_batch_topic(batch),
			klamm_batch_partition(batch), klamm_err_text(rc));
	klamm_batch_unref(batch);
	return rc < 0 ? 1 : 0;
}

static int work(void)
{
	struct klamm_batch *batch;
	struct klamm_error err;
	while (!stopping) {
		int rc = klamm_consumer_poll(consumer, 1000, &batch, &err);
		if (rc == KLAMM_ERR_INTERRUPTED)
			continue;
		/* Some errors pass by themselves, and poll() goes on; others do not. */
		if (rc != 0 && (fail("polling", &err), err.scope != KLAMM_SCOPE_RETRIABLE))
			return 1;
		if (rc == 0 && batch != NULL && do_batch(batch) != 0)
			return 1;
		commit_now_and_then();
	}
	return 0;
}

int main(int argc, char **argv)
{
	const struct klamm_listener listener = {
		.size = sizeof(listener),
		.assigned = on_assigned,
		.revoked = on_revoked,
		.lost = on_lost,
	};
	struct klamm_conf *conf;
	struct klamm_error err;
	if (argc < 3) {
		fprintf(stderr, "usage: group CONFIG TOPIC...\n");
		return 2;
	}
	if (klamm_conf_new(&conf, &err) != 0 ||
	    klamm_conf_load(conf, argv[1], NULL, NULL, &err) != 0 ||
	    klamm_conf_set(conf, "enable.auto.commit", "false", &err) != 0 ||
	    klamm_consumer_new(conf, NULL, &consumer, &err) != 0 ||
	    klamm_consumer_subscribe(consumer, (const char *const *)argv + 2,
				     (size_t)argc - 2, &listener, &err) != 0)
		return fail("starting", &err);
	klamm_conf_free(conf);
	signal(SIGINT, stop);
	signal(SIGTERM, stop);
	int status = work();
	/* The handler needs the consumer. From here on a signal ends the program at once. */
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
	/* Calls on_revoked(), which commits, and leaves the group. */
	if (klamm_consumer_close(consumer, WAIT_MS, &err) != 0)
		status = fail("closing", &err);
	return status;
}
