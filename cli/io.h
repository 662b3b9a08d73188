/* SPDX-License-Identifier: BSD-2-Clause */
/* Data in and out of the program: large buffers, no allocation per record. */
#ifndef CLI_IO_H
#define CLI_IO_H

#include "cli/cli.h"
#include "core/base/buf.h"

/* --- standard output, or a file --- */

/* Write all of it, however long the reader takes; 0, or an errno. */
int cli_write(int fd, const void *data, size_t n);
/* Print a text and what ends it, "}\n"; exits the program when memory was out for it. */
void cli_print(const struct kl_buf *text, const char *end);
/* A line for people, with names that peers have given. */
void cli_print_line(struct kl_buf *line);

#define CLI_OUT_FULL (256 * 1024) /* flushed above this */

struct cli_out {
	int fd;		  /* set by the owner */
	const char *path; /* of a file; NULL = standard output */
	bool must_be_read; /* a reader that leaves is an error, too; set by the owner */
	struct kl_buf buf;
	int error; /* an errno: nobody reads any more (EPIPE), or a write failed */
};

static inline bool cli_out_broken(const struct cli_out *out)
{
	return out->error != 0;
}
/* Write what is there. False: broken. */
bool cli_out_flush(struct cli_out *out);
static inline bool cli_out_check(struct cli_out *out) /* after each record */
{
	return kl_likely(out->buf.len < CLI_OUT_FULL) || cli_out_flush(out);
}
/* Has the reader of a pipe gone? One that is silent would not be told by a write. */
bool cli_out_abandoned(struct cli_out *out);
/* Flush and free; the exit status, after telling what failed. status wins when not 0. */
int cli_out_end(struct cli_out *out, int status);

/* Decimal digits without the detour through printf. */
void cli_put_int(struct kl_buf *b, int64_t n);
static inline void cli_put_text(struct kl_buf *b, const char *text)
{
	kl_buf_put(b, text, strlen(text));
}

/* "orders:0-3,7 events:1" of what is sorted so, "-" of nothing. */
void cli_put_partitions(struct kl_buf *b, const struct klamm_topic_partition *v, size_t n);

/* --- records from a file --- */

struct cli_lines {
	int fd;
	struct klamm_span delimiter;
	uint8_t *data;
	size_t begin, end, cap; /* data[begin..end) was read and not handed out */
	size_t scanned;		/* up to here there is no delimiter */
	bool at_end;
};

#define CLI_LINE_MAX (1u << 30) /* no broker takes a record of this size */

void cli_lines_init(struct cli_lines *lines, int fd, struct klamm_span delimiter);
void cli_lines_free(struct cli_lines *lines);
/* The next record of what was read, without its delimiter; a view until the next
 * _fill(). At the end of the file a rest without a delimiter is a record too. */
bool cli_lines_next(struct cli_lines *lines, struct klamm_span *line_out);
/* Read more: 1, 0 at the end of the file, or a negative errno: -EINTR, -EFBIG (a record
 * above CLI_LINE_MAX). */
int cli_lines_fill(struct cli_lines *lines);

/* --- progress --- */

struct cli_progress {
	bool on;
	int64_t next_us;
	bool shown;
};
/* Once a second; cheap enough for each batch. */
void cli_progress(struct cli_progress *progress, uint64_t records, const char *what);
void cli_progress_end(struct cli_progress *progress);
int64_t cli_now_us(void); /* of a clock that never goes back */

#endif
