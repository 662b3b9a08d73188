/* SPDX-License-Identifier: BSD-2-Clause */
/* The physical limit: a bare loop over loopback that writes and reads the same bytes.
 *
 * Produce: encode records into one buffer in the form of batches v2, take the CRC, send().
 * Consume: recv() into one buffer, check the CRC, walk the records. No partitions, no
 * outcomes, no requests. The other side is a child process of this one.
 */
#include <errno.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench/job.h"
#include "core/record/batch_read.h"
#include "core/record/batch_write.h"

/* A sink that has everything says so with one byte. */
#define SINK_BUFFER (1 << 20)

struct floor {
	struct job *job;
	int fd;
	uint8_t *batch; /* of job->batch bytes */
	char *value;
};

static void pin(int cpu)
{
	cpu_set_t set;
	CPU_ZERO(&set);
	CPU_SET((unsigned)cpu, &set);
	sched_setaffinity(0, sizeof(set), &set);
}

/* Two ends of a TCP connection over loopback. */
static int connect_ends(int ends[2])
{
	struct sockaddr_in addr = {.sin_family = AF_INET};
	socklen_t len = sizeof(addr);
	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	int listener = socket(AF_INET, SOCK_STREAM, 0);
	ends[0] = socket(AF_INET, SOCK_STREAM, 0);
	if (listener < 0 || ends[0] < 0 ||
	    bind(listener, (struct sockaddr *)&addr, sizeof(addr)) != 0 ||
	    listen(listener, 1) != 0 ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) != 0 ||
	    connect(ends[0], (struct sockaddr *)&addr, sizeof(addr)) != 0)
		return -1;
	ends[1] = accept(listener, NULL, NULL);
	close(listener);
	return ends[1] < 0 ? -1 : 0;
}

static bool write_all(int fd, const uint8_t *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
		if (sent <= 0)
			return false;
		p += sent;
		n -= (size_t)sent;
	}
	return true;
}

/* Fills the buffer with whole records, at most max; the size of the batch. */
static size_t make_batch(struct floor *f, int64_t max, int32_t *count_out)
{
	struct klamm_span key = {NULL, 0}, value = {f->value, (size_t)f->job->size};
	uint8_t *p = f->batch + KL_BATCH_HEAD, *end = f->batch + f->job->batch;
	size_t bound = kl_record_bound(0, value.len, 1);
	uint32_t n = 0;
	for (; n < max && (size_t)(end - p) >= bound; n++)
		p = kl_record_put(p, n, 0, key, value, NULL, 0, 1);
	size_t size = (size_t)(p - f->batch);
	kl_batch_head_put(f->batch, &(struct kl_batch_head){
		.length = (int32_t)(size - KL_BATCH_OVERHEAD),
		.magic = 2,
		.last_offset_delta = (int32_t)n - 1,
		.record_count = (int32_t)n,
	});
	uint32_t crc = kl_batch_body_crc(f->batch + KL_BATCH_HEAD, size - KL_BATCH_HEAD);
	kl_batch_stamp(f->batch, -1, -1, -1, crc);
	*count_out = (int32_t)n;
	return size;
}

/* --- there --- */

static void be_sink(int fd)
{
	static char buffer[SINK_BUFFER];
	ssize_t n;
	while ((n = recv(fd, buffer, sizeof(buffer), 0)) > 0)
		;
	if (n == 0)
		(void)!write(fd, "", 1);
}

static int send_some(struct floor *f, int64_t count)
{
	while (count > 0) {
		int32_t n;
		size_t size = make_batch(f, count, &n);
		if (n == 0 || !write_all(f->fd, f->batch, size))
			return job_fail(f->job, "cannot send: %s", strerror(errno));
		count -= n;
	}
	return 0;
}

static int produce(struct floor *f)
{
	char done;
	if (send_some(f, f->job->warm_up) != 0)
		return 1;
	job_start(f->job);
	int rc = send_some(f, f->job->records);
	shutdown(f->fd, SHUT_WR);
	if (rc == 0 && recv(f->fd, &done, 1, 0) != 1)
		rc = job_fail(f->job, "the sink is gone");
	job_tell(f->job);
	return rc;
}

/* --- and back --- */

static void be_source(struct floor *f, int fd)
{
	int32_t count;
	size_t size = make_batch(f, INT32_MAX, &count);
	while (write_all(fd, f->batch, size))
		;
}

/* The records of a whole batch; < 0: it is broken. */
static int64_t walk(struct floor *f)
{
	struct kl_batch_head head;
	struct kl_record_iter iter;
	struct klamm_record_view view;
	if (kl_batch_peek(f->batch, (size_t)f->job->batch, &head) != KL_BATCH_WHOLE ||
	    !kl_batch_check_crc(f->batch, &head) ||
	    kl_record_iter_init(&iter, &head, kl_batch_records(f->batch, &head), 0) != 0)
		return -1;
	int64_t bytes = 0, count = 0;
	for (; kl_record_next(&iter, &view) > 0; count++)
		bytes += (int64_t)view.value.len;
	return bytes == count * f->job->size ? count : -1;
}

static int read_some(struct floor *f, int64_t count)
{
	int32_t in_batch;
	size_t size = make_batch(f, INT32_MAX, &in_batch);
	int64_t seen = 0;
	while (seen < count) {
		if (recv(f->fd, f->batch, size, MSG_WAITALL) != (ssize_t)size)
			return job_fail(f->job, "cannot receive: %s", strerror(errno));
		int64_t n = walk(f);
		if (n != in_batch)
			return job_fail(f->job, "a batch is broken");
		seen += n;
	}
	f->job->records = seen;
	return 0;
}

static int consume(struct floor *f)
{
	int64_t records = f->job->records;
	if (read_some(f, f->job->warm_up) != 0)
		return 1;
	job_start(f->job);
	int rc = read_some(f, records);
	job_tell(f->job);
	return rc;
}

/* The child: ends when its connection does. */
static void be_other_side(struct floor *f, int fd)
{
	if (f->job->peer_cpu >= 0)
		pin(f->job->peer_cpu);
	if (f->job->produce)
		be_sink(fd);
	else
		be_source(f, fd);
	_exit(0);
}

int main(int argc, char **argv)
{
	struct job job;
	struct floor f = {.job = &job};
	int ends[2];
	job_read(&job, argc, argv);
	f.value = job_value(&job);
	f.batch = malloc((size_t)job.batch);
	if (f.value == NULL || f.batch == NULL)
		return job_fail(&job, "out of memory");
	if (connect_ends(ends) != 0)
		return job_fail(&job, "no loopback connection: %s", strerror(errno));
	pid_t child = fork();
	if (child < 0)
		return job_fail(&job, "cannot fork: %s", strerror(errno));
	f.fd = ends[child == 0];
	close(ends[child != 0]);
	if (child == 0)
		be_other_side(&f, f.fd);
	int rc = job.produce ? produce(&f) : consume(&f);
	close(f.fd);
	waitpid(child, NULL, 0);
	free(f.batch);
	free(f.value);
	return rc;
}
