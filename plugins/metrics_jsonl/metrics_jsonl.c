/* SPDX-License-Identifier: BSD-2-Clause */
/* Each snapshot as one line of JSON, added to a file or written to standard error. Other
 * clients and processes may add to the same file: there a line goes in one write. */
#include <klamm/metrics.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "plugins/metrics_jsonl/line.h"

/* Of a line: far more than the largest client has figures for. */
#define LIMIT (256u << 20)
/* How soon it is seen that nobody waits any more. */
#define LOOK_MS 100

struct conf {
	const char *file; /* NULL = standard error */
	const char *groups;
};

static const struct klamm_option options[] = {
	{.name = "metrics.jsonl.file", .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_PATH, .offset = offsetof(struct conf, file),
	 .doc = "The file that lines are added to, made if it is not there. It is opened for "
		"each line, so it may be moved away. Not set: standard error."},
	{.name = "metrics.jsonl.groups", .type = KLAMM_OPTION_LIST,
	 .offset = offsetof(struct conf, groups), .def = "",
	 .doc = "The groups of figures that are written, such as producer-metrics; empty: "
		"all of them."},
	{NULL},
};

struct jsonl {
	const struct klamm_host *host;
	const struct conf *conf;
	locale_t c; /* where a decimal point is a point */
	bool torn;  /* the last line was cut: the next one begins with its end */
};

static const char *where(const struct jsonl *self)
{
	return self->conf->file != NULL ? self->conf->file : "standard error";
}

static int fail(const struct jsonl *self, const char *what, struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_IO, "cannot %s %s: %s", what, where(self),
			  strerror(errno));
}

/* A pipe that nobody reads has no room: that is waited for, as long as the call may. 1 = there
 * is some, 0 = there is none in time, -1 and errno: the reader is gone, which a write might
 * tell with a signal. */
static int wait_for_room(int fd, const struct klamm_call *call, int64_t *left)
{
	while (*left != 0 && !klamm_cancelled(call)) {
		int step = *left < 0 || *left > LOOK_MS ? LOOK_MS : (int)*left;
		struct pollfd ready = {.fd = fd, .events = POLLOUT};
		int rc = poll(&ready, 1, step);
		if (rc < 0 && errno != EINTR)
			return -1;
		if (rc > 0 && (ready.revents & POLLERR) == 0)
			return 1;
		if (rc > 0) {
			errno = EPIPE;
			return -1;
		}
		*left -= *left > 0 ? step : 0;
	}
	return 0;
}

/* As much as does not block. Standard error is others' too, so it is left as it is, and a pipe
 * that is ready takes so much for sure. */
static ssize_t write_some(const struct jsonl *self, int fd, const uint8_t *p, size_t n)
{
	if (self->conf->file == NULL && n > PIPE_BUF)
		n = PIPE_BUF;
	return write(fd, p, n);
}

static int write_line(struct jsonl *self, int fd, const struct klamm_out *line,
		      const struct klamm_call *call, struct klamm_error *err)
{
	int64_t left = call->wait_ms;
	for (size_t at = 0; at < line->len; self->torn = at > 0 && at < line->len) {
		int room = wait_for_room(fd, call, &left);
		if (room == 0)
			return klamm_fail(err, KLAMM_ERR_TIMED_OUT,
					  "nobody reads what is written to %s", where(self));
		ssize_t n = room > 0 ? write_some(self, fd, line->data + at, line->len - at)
				     : -1;
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return fail(self, "write to", err);
		at += n > 0 ? (size_t)n : 0;
	}
	return 0;
}

/* Without waiting for the reader of a fifo. */
static int open_file(const struct jsonl *self, int *fd_out, struct klamm_error *err)
{
	int flags = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	*fd_out = open(self->conf->file, flags, 0666);
	return *fd_out >= 0 ? 0 : fail(self, "open", err);
}

static int deliver(struct jsonl *self, const struct klamm_out *line,
		   const struct klamm_call *call, struct klamm_error *err)
{
	int fd;
	if (self->conf->file == NULL)
		return write_line(self, STDERR_FILENO, line, call, err);
	int rc = open_file(self, &fd, err);
	if (rc != 0)
		return rc;
	rc = write_line(self, fd, line, call, err);
	if (close(fd) != 0 && rc == 0)
		rc = fail(self, "write to", err);
	return rc;
}

static int jsonl_report(void *self_, const struct klamm_snapshot *snapshot,
			struct klamm_error *err)
{
	struct jsonl *self = self_;
	const struct klamm_host *host = self->host;
	struct klamm_out *line;
	if (host->out_new(host, LIMIT, &line) != 0)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for a line");
	locale_t before = uselocale(self->c); /* of this thread only */
	if (self->torn)
		klamm_out_append(line, "\n", 1);
	int rc = metrics_jsonl_line(snapshot, host->client_id, self->conf->groups, line, err);
	uselocale(before);
	if (rc == 0)
		rc = deliver(self, line, snapshot->call, err);
	host->out_free(host, line);
	return rc;
}

static void jsonl_close(void *self_)
{
	struct jsonl *self = self_;
	freelocale(self->c);
	free(self);
}

/* A file that cannot be written is told now rather than at the first report. */
static int try_file(const struct jsonl *self, struct klamm_error *err)
{
	int fd;
	if (self->conf->file == NULL)
		return 0;
	int rc = open_file(self, &fd, err);
	if (rc == 0)
		close(fd);
	return rc;
}

static int jsonl_open(const struct klamm_host *host, const void *conf, void **self_out,
		      struct klamm_error *err)
{
	struct jsonl *self = calloc(1, sizeof(*self));
	locale_t c = newlocale(LC_ALL_MASK, "C", (locale_t)0);
	if (self == NULL || c == (locale_t)0) {
		free(self);
		if (c != (locale_t)0)
			freelocale(c);
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	}
	*self = (struct jsonl){.host = host, .conf = conf, .c = c};
	int rc = try_file(self, err);
	if (rc != 0) {
		jsonl_close(self);
		return rc;
	}
	*self_out = self;
	return 0;
}

KLAMM_PLUGIN(metrics, jsonl) = {
	.head = {
		KLAMM_PLUGIN_HEAD(metrics, "jsonl", "lines of JSON in a file or on stderr"),
		.options = options,
		.option_size = sizeof(struct klamm_option),
		.conf_size = sizeof(struct conf),
		.open = jsonl_open,
		.close = jsonl_close,
	},
	.report = jsonl_report,
};
