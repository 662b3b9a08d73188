/* SPDX-License-Identifier: BSD-2-Clause */
/* A daemon with an event loop of its own that never waits for Kafka, as one for syslog: each
 * datagram that comes to a UDP port of this machine becomes a record.
 *
 *   forward CONFIG TOPIC PORT
 *
 * CONFIG says bootstrap.servers. klamm has no thread in here: its loop is one more descriptor
 * to poll(). While brokers are away records wait in buffer.memory; when that is full the next
 * datagram stays in hand, and the others in the socket, which drops what it has no room for.
 * SIGTERM or SIGINT end it when brokers have what it took, or after ten seconds.
 */
#define _GNU_SOURCE 1 /* ppoll() */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <klamm/klamm.h>

#define CLOSE_MS 10000

struct forward {
	struct klamm_loop *loop;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	int port;
	char datagram[65536];
	ssize_t held; /* bytes of one that waits for room; -1 = none does */
	unsigned long long sent, lost;
};

static volatile sig_atomic_t stopping;

static void stop(int signal)
{
	(void)signal;
	stopping = 1;
}

static int fail(const char *what, const struct klamm_error *err)
{
	fprintf(stderr, "forward: %s: %s\n", what, err->text);
	return 1;
}

/* Runs inside klamm_producer_poll() and _close(), here thus in the only thread. */
static void on_delivery(void *arg, const struct klamm_delivery *delivery)
{
	struct forward *f = arg;
	if (delivery->error == 0)
		f->sent++;
	else if (f->lost++ == 0)
		fprintf(stderr, "forward: a record was lost: %s\n", delivery->text);
}

/* With max.block.ms 0 send() does not wait. What it says instead passes: TIMED_OUT, the
 * topic's metadata is still on its way; QUEUE_FULL, brokers have to take something first. */
static void send_held(struct forward *f)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct klamm_error err;
	record.value = (struct klamm_span){f->datagram, (size_t)f->held};
	if (klamm_producer_send(f->producer, f->topic, &record, NULL, &err) != 0) {
		if (err.scope == KLAMM_SCOPE_RETRIABLE)
			return;
		if (f->lost++ == 0)
			fail("sending", &err);
	}
	f->held = -1;
}

static void take_datagrams(struct forward *f)
{
	for (int i = 0; i < 1000; i++) { /* then the loop has its turn */
		if (f->held < 0)
			f->held = recv(f->port, f->datagram, sizeof(f->datagram),
				       MSG_DONTWAIT);
		if (f->held < 0)
			return;
		send_held(f);
		if (f->held >= 0)
			return;
	}
}

static int run(struct forward *f)
{
	sigset_t none;
	struct klamm_error err;
	sigemptyset(&none);
	while (!stopping) {
		struct pollfd fds[] = {
			{.fd = klamm_loop_fd(f->loop), .events = POLLIN},
			{.fd = f->held < 0 ? f->port : -1, .events = POLLIN},
		};
		int64_t ms = klamm_loop_timeout_ms(f->loop); /* -1 = only on its descriptor */
		struct timespec wait = {ms / 1000, ms % 1000 * 1000000};
		if (ppoll(fds, 2, ms < 0 ? NULL : &wait, &none) < 0 && errno != EINTR)
			return perror("forward: ppoll"), 1;
		/* Steps the loop, without waiting, and calls on_delivery(). */
		if (klamm_producer_poll(f->producer, 0, NULL, &err) != 0)
			return fail("polling", &err);
		take_datagrams(f);
	}
	if (f->held >= 0)
		f->lost++;
	return 0;
}

static int open_port(const char *text)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons((uint16_t)atoi(text)),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)&to, sizeof(to)) != 0) {
		fprintf(stderr, "forward: port %s: %s\n", text, strerror(errno));
		return -1;
	}
	return fd;
}

static int make_producer(struct forward *f, const char *config, const char *topic,
			 struct klamm_error *err)
{
	struct klamm_conf *conf = NULL;
	int rc = klamm_conf_new(&conf, err);
	if (rc == 0)
		rc = klamm_conf_load(conf, config, NULL, NULL, err);
	if (rc == 0)
		rc = klamm_conf_set(conf, "max.block.ms", "0", err);
	if (rc == 0)
		rc = klamm_loop_new(conf, &f->loop, err);
	if (rc == 0)
		rc = klamm_producer_new(conf, f->loop, &f->producer, err);
	klamm_conf_free(conf);
	if (rc == 0)
		rc = klamm_producer_on_delivery(f->producer, on_delivery, f, true, err);
	if (rc == 0)
		rc = klamm_producer_topic(f->producer, topic, &f->topic, err);
	return rc;
}

/* Blocked but for ppoll(), so that none comes between a look at `stopping` and the sleep. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = stop};
	sigset_t ends;
	sigemptyset(&ends);
	sigaddset(&ends, SIGINT);
	sigaddset(&ends, SIGTERM);
	sigprocmask(SIG_BLOCK, &ends, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int main(int argc, char **argv)
{
	static struct forward f = {.held = -1};
	struct klamm_error err;
	if (argc != 4) {
		fprintf(stderr, "usage: forward CONFIG TOPIC PORT\n");
		return 2;
	}
	catch_signals();
	int status = 1;
	f.port = open_port(argv[3]);
	if (f.port >= 0)
		status = make_producer(&f, argv[1], argv[2], &err) != 0
				 ? fail("starting", &err)
				 : run(&f);
	klamm_topic_unref(f.topic);
	/* Waits for what is under way; what is left is told to on_delivery() as an error. */
	if (f.producer != NULL && klamm_producer_close(f.producer, CLOSE_MS, &err) != 0)
		status = fail("closing", &err);
	klamm_loop_free(f.loop);
	fprintf(stderr, "forward: %llu records sent, %llu lost\n", f.sent, f.lost);
	return status != 0 || f.lost > 0;
}
