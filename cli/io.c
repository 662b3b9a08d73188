/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/io.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "core/base/text.h"

int cli_write(int fd, const void *data, size_t n)
{
	const uint8_t *p = data;
	while (n > 0) {
		ssize_t done = write(fd, p, n);
		if (done > 0) {
			p += done;
			n -= (size_t)done;
		} else if (done < 0 && errno == EAGAIN) {
			/* Whoever gave us the pipe wants not to wait for it. */
			poll(&(struct pollfd){.fd = fd, .events = POLLOUT}, 1, -1);
		} else if (done < 0 && errno != EINTR) {
			return errno;
		}
	}
	return 0;
}

void cli_print(const struct kl_buf *text, const char *end)
{
	if (text->failed)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	fwrite(text->data, 1, text->len, stdout);
	fputs(end, stdout);
}

void cli_print_line(struct kl_buf *line)
{
	kl_text_tame((char *)kl_buf_text(line));
	cli_print(line, "\n");
}

bool cli_out_flush(struct cli_out *out)
{
	if (!cli_out_broken(out))
		out->error = out->buf.failed
				     ? ENOMEM
				     : cli_write(out->fd, out->buf.data, out->buf.len);
	kl_buf_clear(&out->buf);
	return !cli_out_broken(out);
}

bool cli_out_abandoned(struct cli_out *out)
{
	struct pollfd fd = {.fd = out->fd};
	if (!cli_out_broken(out) && poll(&fd, 1, 0) == 1 && (fd.revents & POLLERR))
		out->error = EPIPE;
	return cli_out_broken(out);
}

int cli_out_end(struct cli_out *out, int status)
{
	cli_out_flush(out);
	kl_buf_free(&out->buf);
	if (out->error == 0 || (out->error == EPIPE && !out->must_be_read))
		return status;
	cli_fail(CLI_FAILED, "%s%scannot write: %s", out->path != NULL ? out->path : "",
		 out->path != NULL ? ": " : "", strerror(out->error));
	return status != 0 ? status : CLI_FAILED;
}

void cli_put_int(struct kl_buf *b, int64_t n)
{
	char digits[20];
	size_t at = sizeof(digits);
	uint64_t left = n < 0 ? -(uint64_t)n : (uint64_t)n;
	do
		digits[--at] = (char)('0' + left % 10);
	while ((left /= 10) != 0);
	if (n < 0)
		digits[--at] = '-';
	kl_buf_put(b, digits + at, sizeof(digits) - at);
}

#define CHUNK (256 * 1024) /* asked of each read() */

void cli_lines_init(struct cli_lines *lines, int fd, struct klamm_span delimiter)
{
	*lines = (struct cli_lines){.fd = fd, .delimiter = delimiter};
}

void cli_lines_free(struct cli_lines *lines)
{
	free(lines->data);
	lines->data = NULL;
}

bool cli_lines_next(struct cli_lines *lines, struct klamm_span *line_out)
{
	const uint8_t *from = lines->data + lines->scanned;
	size_t left = lines->end - lines->scanned, n = lines->delimiter.len;
	const uint8_t *hit = NULL;
	if (left > 0)
		hit = n == 1 ? memchr(from, *(const uint8_t *)lines->delimiter.data,
				      left)
			     : memmem(from, left, lines->delimiter.data, n);
	if (hit == NULL) {
		/* A delimiter may have been cut in two. */
		size_t keep = kl_min(n - 1, lines->end - lines->begin);
		lines->scanned = kl_max(lines->scanned, lines->end - keep);
		if (!lines->at_end || lines->begin == lines->end)
			return false;
		hit = lines->data + lines->end;
		n = 0;
	}
	*line_out = (struct klamm_span){
		lines->data + lines->begin,
		(size_t)(hit - (lines->data + lines->begin)),
	};
	lines->begin = lines->scanned = (size_t)(hit - lines->data) + n;
	return true;
}

static int make_room(struct cli_lines *lines)
{
	size_t left = lines->end - lines->begin;
	if (left > CLI_LINE_MAX)
		return -EFBIG;
	if (lines->begin > 0) {
		memmove(lines->data, lines->data + lines->begin, left);
		lines->scanned -= lines->begin;
		lines->begin = 0;
		lines->end = left;
	}
	if (lines->cap - left >= CHUNK)
		return 0;
	size_t cap = kl_max(lines->cap * 2, (size_t)CHUNK * 2);
	uint8_t *data = realloc(lines->data, cap);
	if (data == NULL)
		return -ENOMEM;
	lines->data = data;
	lines->cap = cap;
	return 0;
}

int cli_lines_fill(struct cli_lines *lines)
{
	if (lines->at_end)
		return 0;
	int rc = make_room(lines);
	if (rc != 0)
		return rc;
	ssize_t n = read(lines->fd, lines->data + lines->end, lines->cap - lines->end);
	if (n < 0)
		return -errno;
	lines->end += (size_t)n;
	lines->at_end = n == 0;
	return n > 0;
}

int64_t cli_now_us(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * KL_SECOND + t.tv_nsec / 1000;
}

void cli_progress(struct cli_progress *progress, uint64_t records, const char *what)
{
	if (!progress->on)
		return;
	int64_t now = cli_now_us();
	if (progress->next_us == 0)
		progress->next_us = now + KL_SECOND;
	if (now < progress->next_us)
		return;
	progress->next_us = now + KL_SECOND;
	progress->shown = true;
	fprintf(stderr, "\r%llu records %s ", (unsigned long long)records, what);
}

void cli_progress_end(struct cli_progress *progress)
{
	if (progress->shown)
		fputs("\r\033[K", stderr);
	progress->shown = false;
}
