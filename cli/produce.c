/* SPDX-License-Identifier: BSD-2-Clause */
/* Records from standard input or files.
 *
 * One thread: it waits for input and for the loop at once, so records leave and are
 * acknowledged while the input is silent.
 *
 * In transactions the first thing that goes wrong is the end: what would follow was meant
 * to come with, or after, what is aborted then.
 */
#include "cli/produce.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/report.h"

/* A record's opaque is its place: which file, which line. Never NULL, as lines begin
 * at 1. Where a pointer has 32 bits, those beyond the 16 millionth pass as that one. */
#define LINE_BITS (sizeof(void *) * 6)
#define PLACE_LINES (((uint64_t)1 << LINE_BITS) - 1)

static void *place_of(const struct cli_produce *p)
{
	uint64_t line = kl_min((uint64_t)p->line, PLACE_LINES);
	return (void *)(uintptr_t)((uint64_t)p->file << LINE_BITS | line);
}

static const char *file_of(const struct cli_produce *p, const void *place)
{
	return p->files[(uintptr_t)place >> LINE_BITS];
}

static unsigned long long line_of(const void *place)
{
	return (uintptr_t)place & PLACE_LINES;
}

static void tell(struct cli_produce *p, const void *place, const char *what,
		 const char *why)
{
	p->failed++;
	if (!p->transactional) {
		cli_progress_end(&p->progress);
		fprintf(stderr, "klamm: %s:%llu: %s: %s\n", file_of(p, place),
			line_of(place), what, why);
	} else if (p->why.len == 0) { /* the others fail for its sake */
		kl_buf_printf(&p->why, "%s:%llu: %s: %s", file_of(p, place),
			      line_of(place), what, why);
	}
}

static void report(struct cli_produce *p, const struct klamm_delivery *d)
{
	if (!p->options->report)
		return;
	cli_put_delivery(&p->out.buf, d, file_of(p, d->opaque), line_of(d->opaque));
	cli_out_check(&p->out);
}

static void on_delivery(void *arg, const struct klamm_delivery *d)
{
	struct cli_produce *p = arg;
	report(p, d);
	if (d->error == 0)
		return;
	const char *what = d->outcome == KLAMM_OUTCOME_POSSIBLY_WRITTEN
				   ? "perhaps delivered, perhaps not"
				   : "not delivered";
	tell(p, d->opaque, what, d->text[0] ? d->text : klamm_err_text(d->error));
}

/* The record at hand is not even queued. */
static void skip(struct cli_produce *p, int code, const char *why)
{
	report(p, &(struct klamm_delivery){
			  .size = sizeof(struct klamm_delivery),
			  .opaque = place_of(p),
			  .topic = p->topic_name,
			  .partition = KLAMM_PARTITION_NONE,
			  .error = code,
			  .outcome = KLAMM_OUTCOME_NOT_WRITTEN,
			  .offset = -1,
			  .timestamp_ms = -1,
			  .text = why,
		  });
	tell(p, place_of(p), "not sent", why);
}

/* An error that ends it; the exit status. */
static int stop(struct cli_produce *p, const struct klamm_error *err)
{
	if (!p->transactional)
		return cli_error(err);
	/* Records may know better what it was. */
	klamm_producer_poll(p->producer, 0, NULL, NULL);
	if (p->why.len == 0)
		kl_buf_printf(&p->why, "%s", err->text);
	return cli_error_status(err);
}

/* Is the error this record's alone? */
static bool is_of_record(int code)
{
	return code == KLAMM_ERR_RECORD_TOO_LARGE || code == KLAMM_ERR_PARTITION ||
	       code == KLAMM_ERR_SERIALIZE || code == KLAMM_ERR_LIMIT ||
	       code == KLAMM_ERR_INVALID_ARGUMENT;
}

/* There was no room for the record at hand within max.block.ms: it and what was read behind it
 * stay unsent. */
static int leave_rest(struct cli_produce *p)
{
	if (p->transactional) /* which tells from where on itself */
		return CLI_INTERRUPTED;
	cli_progress_end(&p->progress);
	return cli_fail(CLI_INTERRUPTED, "interrupted; nothing is sent from %s:%llu on",
			p->files[p->file], (unsigned long long)p->line);
}

/* Queue one record, for as long as it takes: a full buffer empties as batches are
 * acknowledged or expire. */
static int send_record(struct cli_produce *p, const struct klamm_record *record)
{
	struct klamm_error err;
	for (;;) {
		int rc = klamm_producer_send(p->producer, p->topic, record, place_of(p),
					     &err);
		if (rc == 0)
			return 0;
		if (is_of_record(rc) && err.scope < KLAMM_SCOPE_ABORTABLE) {
			skip(p, rc, err.text);
			return 0;
		}
		if (rc != KLAMM_ERR_QUEUE_FULL)
			return stop(p, &err);
		if (cli_interrupted())
			return leave_rest(p);
		if (klamm_producer_poll(p->producer, 100, NULL, &err) != 0)
			return stop(p, &err);
	}
}

/* --- transactions --- */

static int begin(struct cli_produce *p)
{
	struct klamm_error err;
	if (p->txn.is_open)
		return 0;
	p->txn_begin = place_of(p);
	return cli_txn_begin(&p->txn, &err) == 0 ? 0 : stop(p, &err);
}

static int commit(struct cli_produce *p)
{
	struct klamm_error err;
	uint64_t n = p->txn.records;
	int rc = cli_txn_commit(&p->txn, &err);
	if (p->options->report && !p->txn.is_open)
		cli_put_transaction(&p->out.buf, "committed", n);
	return rc == 0 ? 0 : stop(p, &err);
}

/* The record at hand is queued. */
static int count_in(struct cli_produce *p)
{
	int64_t every = p->options->commit_every;
	p->txn.records++;
	return every > 0 && p->txn.records >= (uint64_t)every ? commit(p) : 0;
}

static const char *abort_open(struct cli_produce *p)
{
	struct klamm_error err;
	if (p->txn.in_doubt)
		return "possibly committed";
	if (cli_txn_abort(&p->txn, &err) == 0)
		return "aborted";
	return "not committed";
}

/* As one sentence with what follows. */
static void put_why(struct cli_produce *p, struct kl_buf *text)
{
	size_t n = p->why.len;
	if (n > 0 && p->why.data[n - 1] == '.')
		n--;
	kl_buf_put(text, p->why.data, n);
	if (n > 0)
		kl_buf_printf(text, "; ");
}

/* It ends before its time: what is committed, and what is not? */
static void give_up(struct cli_produce *p)
{
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	if (p->why.len == 0 && cli_interrupted())
		kl_buf_printf(&p->why, "interrupted");
	put_why(p, &text);
	kl_buf_printf(&text, "records committed: %llu",
		      (unsigned long long)p->txn.committed);
	if (p->txn.is_open) {
		const char *state = abort_open(p);
		kl_buf_printf(&text, ", %s: %llu (from %s:%llu on)", state,
			      (unsigned long long)p->txn.records,
			      file_of(p, p->txn_begin), line_of(p->txn_begin));
		if (p->options->report)
			cli_put_transaction(&p->out.buf, state, p->txn.records);
	}
	cli_progress_end(&p->progress);
	fprintf(stderr, "klamm: %s\n", kl_buf_text(&text));
}

static int finish_transactions(struct cli_produce *p, int status)
{
	if (status == 0 && p->failed > 0)
		status = CLI_FAILED;
	if (status == 0 && cli_interrupted())
		status = CLI_INTERRUPTED;
	if (status == 0 && p->txn.is_open)
		status = commit(p);
	if (status != 0) {
		give_up(p);
		return status;
	}
	cli_progress_end(&p->progress);
	if (cli_may_chat(p->cli))
		fprintf(stderr, "klamm: records committed: %llu, transactions: %llu\n",
			(unsigned long long)p->txn.committed,
			(unsigned long long)p->txn.count);
	return cli_interrupted() ? CLI_INTERRUPTED : 0;
}

/* --- input --- */

static bool is_enough(const struct cli_produce *p)
{
	return p->options->count >= 0 && p->taken >= (uint64_t)p->options->count;
}

static int take_record(struct cli_produce *p, struct klamm_span line,
		       struct klamm_record *record)
{
	char why[CLI_WHY];
	p->line++;
	p->taken++;
	if (!cli_reader_record(&p->reader, line, record, why)) {
		skip(p, KLAMM_ERR_SERIALIZE, why);
		return 0;
	}
	if (!p->transactional)
		return send_record(p, record);
	int rc = begin(p);
	if (rc == 0)
		rc = send_record(p, record);
	return rc == 0 && p->failed == 0 ? count_in(p) : rc;
}

/* Nothing may be left out of a transaction. */
static bool is_spoiled(const struct cli_produce *p)
{
	return p->transactional && p->failed > 0;
}

static int take_lines(struct cli_produce *p, struct cli_lines *lines)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct klamm_span line;
	while (!is_enough(p) && cli_lines_next(lines, &line)) {
		int rc = take_record(p, line, &record);
		if (rc == 0 && is_spoiled(p))
			rc = CLI_FAILED;
		if (rc != 0)
			return rc;
	}
	return 0;
}

/* Step the loop until there is input. A file on disk always has. */
static int wait_for_input(struct cli_produce *p, int fd, bool on_disk)
{
	struct klamm_error err;
	for (;;) {
		if (klamm_producer_poll(p->producer, 0, NULL, &err) != 0)
			return stop(p, &err);
		if (is_spoiled(p))
			return CLI_FAILED;
		if (on_disk)
			return 0;
		cli_out_flush(&p->out);
		struct pollfd fds[] = {
			{.fd = fd, .events = POLLIN},
			{.fd = klamm_loop_fd(p->loop), .events = POLLIN},
		};
		int64_t ms = klamm_loop_timeout_ms(p->loop);
		int n = poll(fds, 2, ms < 0 ? -1 : (int)kl_min(ms, (int64_t)60000));
		if (cli_interrupted() || (n > 0 && fds[0].revents != 0))
			return 0;
		if (n < 0 && errno != EINTR)
			return cli_fail(CLI_FAILED, "cannot wait: %s", strerror(errno));
	}
}

static int read_lines(struct cli_produce *p, int fd)
{
	struct stat st;
	bool on_disk = fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
	KL_AUTO(cli_lines_free) struct cli_lines lines;
	cli_lines_init(&lines, fd, p->options->delimiter);
	for (;;) {
		int rc = wait_for_input(p, fd, on_disk);
		if (rc != 0)
			return rc;
		if (cli_interrupted())
			return CLI_INTERRUPTED;
		int n = cli_lines_fill(&lines);
		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n < 0)
			return cli_fail(CLI_FAILED, "%s:%llu: cannot read: %s",
					p->files[p->file],
					(unsigned long long)p->line + 1,
					n == -EFBIG ? "a record of more than 1 GiB"
						    : strerror(-n));
		rc = take_lines(p, &lines);
		if (rc != 0 || n == 0 || is_enough(p))
			return rc;
		if (p->transactional)
			cli_progress(&p->progress, p->txn.committed, "committed");
		else
			cli_progress(&p->progress, p->taken, "sent");
	}
}

static int read_files(struct cli_produce *p)
{
	int rc = 0;
	if (p->options->files.n == 0)
		return is_enough(p) ? 0 : read_lines(p, STDIN_FILENO);
	for (p->file = 0; rc == 0 && p->file < p->options->files.n && !is_enough(p);
	     p->file++) {
		const char *name = p->files[p->file];
		int fd = strcmp(name, "-") == 0 ? dup(STDIN_FILENO)
						: open(name, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return cli_fail(CLI_USAGE, "%s: cannot open: %s", name,
					strerror(errno));
		p->line = 0;
		rc = read_lines(p, fd);
		close(fd);
	}
	return rc;
}

/* Whatever happened before, what was queued gets its outcome. */
static int finish(struct cli_produce *p, int status)
{
	struct klamm_error err;
	if (p->transactional)
		return finish_transactions(p, status);
	if (klamm_producer_flush(p->producer, KLAMM_FOREVER, NULL, &err) != 0 &&
	    status == 0)
		status = cli_error(&err);
	cli_progress_end(&p->progress);
	if (status == 0 && cli_interrupted())
		status = CLI_INTERRUPTED;
	return status == 0 && p->failed > 0 ? CLI_FAILED : status;
}

static void wake(void *loop)
{
	klamm_loop_wake(loop);
}

int cli_produce_run(struct cli_produce *p)
{
	struct klamm_error err;
	int32_t partitions;
	if (klamm_producer_on_delivery(p->producer, on_delivery, p, false, &err) != 0 ||
	    klamm_producer_topic(p->producer, p->topic_name, &p->topic, &err) != 0)
		return cli_error(&err);
	/* A wrong address or topic is told before any input is taken. */
	if (klamm_producer_partitions_for(p->producer, p->topic_name, &partitions,
					  &err) != 0)
		return cli_error(&err);
	if (p->options->partition >= partitions)
		return cli_usage(p->cli, "-p %d: %s has %d partitions",
				 p->options->partition, p->topic_name, partitions);
	/* Until here there was nothing to end in good order. */
	cli_catch_signals(wake, p->loop);
	if (p->transactional && cli_txn_init(&p->txn, p->producer, &err) != 0)
		return cli_interrupted() ? CLI_INTERRUPTED : cli_error(&err);
	return finish(p, read_files(p));
}
