/* SPDX-License-Identifier: BSD-2-Clause */
/* The real network: names, sockets, epoll. */
#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "core/os/real_int.h"

/* --- names and addresses --- */

int kl_real_resolve(struct kl_os *os, const char *host, uint16_t port,
		    struct kl_addr *addrs, size_t max, const char **why_out)
{
	char service[8];
	snprintf(service, sizeof(service), "%u", port);
	struct addrinfo hints = {
		.ai_family = AF_UNSPEC,
		.ai_socktype = SOCK_STREAM,
		.ai_flags = AI_NUMERICSERV,
	};
	struct addrinfo *list = NULL;
	int rc = getaddrinfo(host, service, &hints, &list);
	if (rc != 0) {
		*why_out = gai_strerror(rc);
		return rc == EAI_MEMORY ? -ENOMEM : rc == EAI_AGAIN ? -EAGAIN : -ENOENT;
	}
	size_t n = 0;
	for (struct addrinfo *ai = list; ai != NULL && n < max; ai = ai->ai_next) {
		if (ai->ai_addrlen > KL_ADDR_MAX)
			continue;
		addrs[n].len = ai->ai_addrlen;
		memcpy(addrs[n].bytes, ai->ai_addr, ai->ai_addrlen);
		n++;
	}
	freeaddrinfo(list);
	*why_out = n == 0 ? "the name has no address" : "";
	return n == 0 ? -ENOENT : (int)n;
}

static bool same_host(const struct kl_addr *a, const struct kl_addr *b)
{
	const struct sockaddr *x = (const struct sockaddr *)a->bytes,
			      *y = (const struct sockaddr *)b->bytes;
	if (x->sa_family != y->sa_family)
		return false;
	if (x->sa_family == AF_INET)
		return ((const struct sockaddr_in *)x)->sin_addr.s_addr ==
		       ((const struct sockaddr_in *)y)->sin_addr.s_addr;
	return memcmp(&((const struct sockaddr_in6 *)x)->sin6_addr,
		      &((const struct sockaddr_in6 *)y)->sin6_addr,
		      sizeof(struct in6_addr)) == 0;
}

/* Whoever has the address may say that it is any name; whoever has the name has to agree. */
void kl_real_canonical_name(struct kl_os *os, const struct kl_addr *addr,
			    char name[static KL_HOST_NAME])
{
	struct kl_addr addrs[16];
	const char *why;
	const struct sockaddr *sa = (const struct sockaddr *)addr->bytes;
	int n = 0;
	if (getnameinfo(sa, addr->len, name, KL_HOST_NAME, NULL, 0, NI_NAMEREQD) == 0)
		n = kl_real_resolve(os, name, 0, addrs, 16, &why);
	for (int i = 0; i < n; i++)
		if (same_host(addr, &addrs[i]))
			return;
	if (getnameinfo(sa, addr->len, name, KL_HOST_NAME, NULL, 0, NI_NUMERICHOST) != 0)
		name[0] = '\0';
}

void kl_real_addr_text(struct kl_os *os, const struct kl_addr *addr,
		       char text[static KL_ADDR_TEXT])
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr *sa = (const struct sockaddr *)addr->bytes;
	if (sa->sa_family == AF_INET6) {
		const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)sa;
		inet_ntop(AF_INET6, &in6->sin6_addr, host, sizeof(host));
		snprintf(text, KL_ADDR_TEXT, "[%s]:%u", host, ntohs(in6->sin6_port));
	} else {
		const struct sockaddr_in *in4 = (const struct sockaddr_in *)sa;
		inet_ntop(AF_INET, &in4->sin_addr, host, sizeof(host));
		snprintf(text, KL_ADDR_TEXT, "%s:%u", host, ntohs(in4->sin_port));
	}
}

uint16_t kl_real_addr_port(struct kl_os *os, const struct kl_addr *addr)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr->bytes;
	return ntohs(sa->sa_family == AF_INET6 ? ((const struct sockaddr_in6 *)sa)->sin6_port
					       : ((const struct sockaddr_in *)sa)->sin_port);
}

/* --- sockets --- */

struct kl_sock {
	int fd;
	struct kl_poller *poller; /* NULL = not watched */
	uint32_t events;
};

struct kl_poller {
	int epoll_fd, wake_fd;
};

static int sock_new(int fd, struct kl_sock **sock_out)
{
	struct kl_sock *sock = calloc(1, sizeof(*sock));
	if (sock == NULL) {
		close(fd);
		return -ENOMEM;
	}
	sock->fd = fd;
	*sock_out = sock;
	return 0;
}

static void set_options(int fd, const struct kl_sock_opts *opts)
{
	int on = 1;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
	if (opts == NULL)
		return;
	if (opts->send_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &opts->send_buffer, sizeof(int));
	if (opts->recv_buffer > 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &opts->recv_buffer, sizeof(int));
}

int kl_real_sock_connect(struct kl_os *os, const struct kl_addr *addr,
			 const struct kl_sock_opts *opts, struct kl_sock **sock_out)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr->bytes;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	set_options(fd, opts);
	if (connect(fd, sa, addr->len) != 0 && errno != EINPROGRESS) {
		int rc = -errno;
		close(fd);
		return rc;
	}
	return sock_new(fd, sock_out);
}

int kl_real_sock_connect_result(struct kl_sock *sock)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return -errno;
	return -error;
}

int kl_real_sock_listen(struct kl_os *os, const char *host, uint16_t port,
			struct kl_sock **sock_out, struct kl_addr *addr_out)
{
	struct kl_addr addr;
	const char *why;
	int rc = kl_real_resolve(os, host ? host : "127.0.0.1", port, &addr, 1, &why);
	if (rc < 0)
		return rc;
	const struct sockaddr *sa = (const struct sockaddr *)addr.bytes;
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	int on = 1;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	socklen_t len = sizeof(addr.bytes);
	if (bind(fd, sa, addr.len) != 0 || listen(fd, 1024) != 0 ||
	    getsockname(fd, (struct sockaddr *)addr.bytes, &len) != 0) {
		rc = -errno;
		close(fd);
		return rc;
	}
	addr.len = len;
	if (addr_out != NULL)
		*addr_out = addr;
	return sock_new(fd, sock_out);
}

int kl_real_sock_accept(struct kl_sock *listener, struct kl_sock **sock_out,
			struct kl_addr *peer_out)
{
	struct kl_addr peer;
	socklen_t len = sizeof(peer.bytes);
	int fd = accept4(listener->fd, (struct sockaddr *)peer.bytes, &len,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);
	if (fd < 0)
		return -errno;
	set_options(fd, NULL);
	peer.len = len;
	if (peer_out != NULL)
		*peer_out = peer;
	return sock_new(fd, sock_out);
}

ssize_t kl_real_sock_recv(struct kl_sock *sock, void *p, size_t n)
{
	ssize_t got;
	do
		got = recv(sock->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : got;
}

ssize_t kl_real_sock_sendv(struct kl_sock *sock, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	ssize_t sent;
	do
		sent = sendmsg(sock->fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : sent;
}

void kl_real_sock_close(struct kl_sock *sock)
{
	if (sock->poller != NULL)
		epoll_ctl(sock->poller->epoll_fd, EPOLL_CTL_DEL, sock->fd, NULL);
	close(sock->fd);
	free(sock);
}

void kl_real_sock_reset(struct kl_sock *sock)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	kl_real_sock_close(sock);
}

int kl_real_sock_fd(const struct kl_sock *sock)
{
	return sock->fd;
}

/* --- readiness --- */

int kl_real_poller_new(struct kl_os *os, struct kl_poller **poller_out)
{
	struct kl_poller *poller = calloc(1, sizeof(*poller));
	if (poller == NULL)
		return -ENOMEM;
	poller->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	poller->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	struct epoll_event ev = {.events = EPOLLIN, .data.ptr = NULL};
	if (poller->epoll_fd < 0 || poller->wake_fd < 0 ||
	    epoll_ctl(poller->epoll_fd, EPOLL_CTL_ADD, poller->wake_fd, &ev) != 0) {
		int rc = -errno;
		if (poller->epoll_fd >= 0)
			close(poller->epoll_fd);
		if (poller->wake_fd >= 0)
			close(poller->wake_fd);
		free(poller);
		return rc;
	}
	*poller_out = poller;
	return 0;
}

void kl_real_poller_free(struct kl_poller *poller)
{
	close(poller->epoll_fd);
	close(poller->wake_fd);
	free(poller);
}

int kl_real_poller_watch(struct kl_poller *poller, struct kl_sock *sock,
			 uint32_t events, void *tag)
{
	struct epoll_event ev = {
		.events = (events & KL_IN ? EPOLLIN : 0) | (events & KL_OUT ? EPOLLOUT : 0),
		.data.ptr = tag,
	};
	int op = sock->poller == NULL ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
	if (events == 0) {
		if (sock->poller == NULL)
			return 0;
		op = EPOLL_CTL_DEL;
	}
	if (epoll_ctl(poller->epoll_fd, op, sock->fd, &ev) != 0)
		return -errno;
	sock->poller = events == 0 ? NULL : poller;
	sock->events = events;
	return 0;
}

/* epoll_pwait2() has the resolution but not the age; round up to the millisecond only
 * where a sub-millisecond sleep is asked for would spin, so use a timespec where we can. */
static int wait_until(int epoll_fd, struct epoll_event *evs, int max, int64_t deadline)
{
	if (deadline == KL_NEVER)
		return epoll_wait(epoll_fd, evs, max, -1);
	int64_t left = deadline - kl_real_clock_us(CLOCK_MONOTONIC);
	if (left <= 0)
		return epoll_wait(epoll_fd, evs, max, 0);
	struct timespec ts = {.tv_sec = left / KL_SECOND, .tv_nsec = left % KL_SECOND * 1000};
	int n = epoll_pwait2(epoll_fd, evs, max, &ts, NULL);
	/* EPERM: what the system call filters of older containers say to a call they do not
	 * know. */
	if (n < 0 && (errno == ENOSYS || errno == EPERM))
		n = epoll_wait(epoll_fd, evs, max,
			       (int)kl_min((left + KL_MS - 1) / KL_MS, (int64_t)INT32_MAX));
	return n;
}

int kl_real_poller_wait(struct kl_poller *poller, struct kl_event *events, int max,
			int64_t deadline)
{
	struct epoll_event evs[128];
	int n = wait_until(poller->epoll_fd, evs, kl_min(max, (int)kl_countof(evs)), deadline);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	int count = 0;
	for (int i = 0; i < n; i++) {
		if (evs[i].data.ptr == NULL) {
			uint64_t ticks;
			(void)!read(poller->wake_fd, &ticks, sizeof(ticks));
			continue;
		}
		uint32_t got = evs[i].events;
		events[count++] = (struct kl_event){
			.tag = evs[i].data.ptr,
			.events = (got & EPOLLIN ? KL_IN : 0) | (got & EPOLLOUT ? KL_OUT : 0) |
				  (got & (EPOLLERR | EPOLLHUP) ? KL_HUP : 0),
		};
	}
	return count;
}

void kl_real_poller_wake(struct kl_poller *poller)
{
	int saved = errno;
	uint64_t one = 1;
	(void)!write(poller->wake_fd, &one, sizeof(one));
	errno = saved;
}

int kl_real_poller_fd(const struct kl_poller *poller)
{
	return poller->epoll_fd;
}
