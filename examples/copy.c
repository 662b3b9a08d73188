/* SPDX-License-Identifier: BSD-2-Clause */
/* A job that reads a topic, makes something else of each record and writes that to another
 * topic: exactly once, whatever is killed.
 *
 *   copy CONFIG FROM TO [RECORDS]
 *
 * CONFIG says bootstrap.servers, group.id and transactional.id. A transaction has what became
 * of up to RECORDS (750) records and the offsets behind them, so who reads committed records
 * sees both or nothing. It runs until SIGTERM or SIGINT and exits with 0. With 1 it ends when
 * only a new process can go on, for which a supervisor is to see to; that one begins where the
 * last transaction ended. Two with the same transactional.id: the later one ends the other.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <klamm/klamm.h>

#define POLL_MS 100 /* so soon a signal is noticed */
#define OPEN_S 1    /* a transaction that does not fill up is committed all the same */
#define WAIT_MS 10000

struct job {
	struct klamm_consumer *consumer;
	struct klamm_producer *producer;
	const char *from;
	struct klamm_topic *to;
	int32_t partitions;
	struct klamm_topic_partition *all; /* of FROM */
	struct klamm_offset *next;         /* of each: where the next transaction begins */
	int limit, records;                /* of the open transaction; 0 = none is open */
	time_t opened;
	char *text; /* of the last record's value */
	size_t room;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

/* Retriable: the same call is to be made again, and no other. */
static bool again(int rc, const struct klamm_error *err)
{
	if (rc == 0 || err->scope != KLAMM_SCOPE_RETRIABLE || stopping)
		return false;
	fprintf(stderr, "copy: %s; trying again\n", err->text);
	return true;
}

static int no_memory(struct klamm_error *err)
{
	*err = (struct klamm_error){.code = KLAMM_ERR_NO_MEMORY, .text = "out of memory"};
	return err->code;
}

static int finish(int (*call)(struct klamm_producer *, int64_t, struct klamm_error *),
		  struct job *job, struct klamm_error *err)
{
	int rc;
	do {
		rc = call(job->producer, WAIT_MS, err);
	} while (again(rc, err));
	return rc;
}

/* The point of the job: it shouts. */
static int transform(struct job *job, struct klamm_span in, struct klamm_span *out,
		     struct klamm_error *err)
{
	if (in.len >= job->room) { /* empty is not null: there is always a byte */
		char *text = realloc(job->text, in.len + 1);
		if (text == NULL)
			return no_memory(err);
		job->text = text;
		job->room = in.len + 1;
	}
	for (size_t i = 0; i < in.len; i++)
		job->text[i] = (char)toupper(((const unsigned char *)in.data)[i]);
	*out = (struct klamm_span){in.data != NULL ? job->text : NULL, in.len};
	return 0;
}

/* The records are in the transaction by themselves, the offsets by send_offsets(). */
static int commit(struct job *job, struct klamm_error *err)
{
	struct klamm_group_metadata group = {.size = sizeof(group)};
	int rc = klamm_consumer_group_metadata(job->consumer, &group, err);
	if (rc != 0)
		return rc;
	do {
		rc = klamm_producer_send_offsets(job->producer, job->next,
						 (size_t)job->partitions, &group, WAIT_MS,
						 err);
	} while (again(rc, err));
	if (rc == 0)
		rc = finish(klamm_producer_commit_transaction, job, err);
	if (rc == 0)
		job->records = 0;
	return rc;
}

static int copy_record(struct job *job, int32_t partition,
		       const struct klamm_record_view *view, struct klamm_error *err)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.key = view->key;
	record.timestamp_ms = view->timestamp_ms;
	int rc = transform(job, view->value, &record.value, err);
	if (rc == 0 && job->records == 0) {
		rc = klamm_producer_begin_transaction(job->producer, err);
		job->opened = time(NULL);
	}
	if (rc != 0)
		return rc;
	do {
		rc = klamm_producer_send(job->producer, job->to, &record, NULL, err);
	} while (again(rc, err));
	if (rc != 0)
		return rc;
	job->next[partition].offset = view->offset + 1;
	job->next[partition].leader_epoch = view->leader_epoch;
	return ++job->records < job->limit ? 0 : commit(job, err);
}

static int copy_batch(struct job *job, struct klamm_batch *batch, struct klamm_error *err)
{
	struct klamm_record_view view;
	int32_t partition = klamm_batch_partition(batch);
	int rc = 0, more = 0;
	while (rc == 0 && (more = klamm_batch_next(batch, &view)) == 1)
		rc = copy_record(job, partition, &view, err);
	if (rc == 0 && more < 0) {
		*err = (struct klamm_error){.code = more};
		snprintf(err->text, sizeof(err->text), "%s partition %d has a broken batch: %s",
			 job->from, partition, klamm_err_text(more));
		rc = more;
	}
	return rc;
}

static int step(struct job *job, struct klamm_error *err)
{
	struct klamm_batch *batch = NULL;
	int rc = klamm_consumer_poll(job->consumer, POLL_MS, &batch, err);
	if (again(rc, err)) /* one partition's trouble; the others go on */
		return 0;
	if (rc == 0 && batch != NULL)
		rc = copy_batch(job, batch, err);
	if (rc == 0 && job->records > 0 && time(NULL) - job->opened > OPEN_S)
		rc = commit(job, err);
	klamm_batch_unref(batch);
	return rc;
}

/* Go to what is committed for the group. Partitions that are assigned anew begin there. */
static int find_place(struct job *job, struct klamm_error *err)
{
	int rc = klamm_consumer_assign(job->consumer, NULL, 0, err);
	if (rc == 0)
		rc = klamm_consumer_assign(job->consumer, job->all, (size_t)job->partitions,
					   err);
	for (int32_t i = 0; rc == 0 && i < job->partitions; i++) {
		job->next[i] = (struct klamm_offset){job->from, i, .leader_epoch = -1};
		do {
			rc = klamm_consumer_position(job->consumer, job->from, i,
						     WAIT_MS, &job->next[i].offset, err);
		} while (again(rc, err));
	}
	return rc;
}

/* Abortable: nothing of the transaction was or will be seen; the same records once more. */
static int start_over(struct job *job, struct klamm_error *err)
{
	fprintf(stderr, "copy: %s; starting the transaction over\n", err->text);
	int rc = finish(klamm_producer_abort_transaction, job, err);
	job->records = 0;
	return rc != 0 ? rc : find_place(job, err);
}

static int run(struct job *job, struct klamm_error *err)
{
	int rc = find_place(job, err);
	while (rc == 0 && !stopping) {
		rc = step(job, err);
		if (rc != 0 && err->scope == KLAMM_SCOPE_ABORTABLE)
			rc = start_over(job, err);
	}
	return rc == 0 && job->records > 0 ? commit(job, err) : rc;
}

static int make_clients(struct job *job, const char *config, const char *to,
			struct klamm_error *err)
{
	static const char *const must[] = {"isolation.level=read_committed",
					   "enable.auto.commit=false", /* see commit() */
					   "auto.offset.reset=earliest"};
	struct klamm_conf *conf = NULL;
	int rc = klamm_conf_new(&conf, err);
	if (rc == 0)
		rc = klamm_conf_load(conf, config, NULL, NULL, err);
	for (size_t i = 0; rc == 0 && i < sizeof(must) / sizeof(must[0]); i++)
		rc = klamm_conf_set_pair(conf, must[i], err);
	if (rc == 0)
		rc = klamm_consumer_new(conf, NULL, &job->consumer, err);
	if (rc == 0)
		rc = klamm_producer_new(conf, NULL, &job->producer, err);
	if (rc == 0)
		rc = klamm_producer_topic(job->producer, to, &job->to, err);
	klamm_conf_free(conf);
	return rc;
}

static int find_partitions(struct job *job, struct klamm_error *err)
{
	int32_t *count = &job->partitions;
	int rc;
	do {
		rc = klamm_consumer_partitions_for(job->consumer, job->from, WAIT_MS, count,
						   err);
	} while (again(rc, err));
	if (rc != 0)
		return rc;
	job->all = calloc((size_t)*count, sizeof(*job->all));
	job->next = calloc((size_t)*count, sizeof(*job->next));
	if (job->all == NULL || job->next == NULL)
		return no_memory(err);
	for (int32_t i = 0; i < *count; i++)
		job->all[i] = (struct klamm_topic_partition){job->from, i};
	return 0;
}

/* A transaction that is open yet is aborted by close(). */
static void end(struct job *job)
{
	klamm_topic_unref(job->to);
	if (job->producer != NULL)
		klamm_producer_close(job->producer, WAIT_MS, NULL);
	if (job->consumer != NULL)
		klamm_consumer_close(job->consumer, WAIT_MS, NULL);
	free(job->all);
	free(job->next);
	free(job->text);
}

int main(int argc, char **argv)
{
	struct klamm_error err;
	if (argc != 4 && argc != 5) {
		fprintf(stderr, "usage: copy CONFIG FROM TO [RECORDS]\n");
		return 2;
	}
	struct job job = {.from = argv[2], .limit = argc == 5 ? atoi(argv[4]) : 750};
	signal(SIGTERM, stop);
	signal(SIGINT, stop);
	int rc = make_clients(&job, argv[1], argv[3], &err);
	if (rc == 0) /* ends what another one left open, before anything is read */
		rc = finish(klamm_producer_init_transactions, &job, &err);
	if (rc == 0)
		rc = find_partitions(&job, &err);
	if (rc == 0)
		rc = run(&job, &err);
	if (rc != 0)
		fprintf(stderr, "copy: %s\n", err.text);
	end(&job);
	return rc != 0;
}
