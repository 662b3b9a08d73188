/* SPDX-License-Identifier: BSD-2-Clause */
/* The real world: POSIX, epoll, eventfd. */
#include "core/os/os.h"

#include <arpa/inet.h>
#include <dirent.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* --- time --- */

static int64_t clock_us(clockid_t id)
{
	struct timespec ts;
	clock_gettime(id, &ts);
	return (int64_t)ts.tv_sec * KL_SECOND + ts.tv_nsec / 1000;
}

static int64_t real_now(struct kl_os *os)
{
	return clock_us(CLOCK_MONOTONIC);
}

static int64_t real_now_coarse(struct kl_os *os)
{
	return clock_us(CLOCK_MONOTONIC_COARSE);
}

static int64_t real_wall_ms(struct kl_os *os)
{
	return clock_us(CLOCK_REALTIME) / KL_MS;
}

/* Called for every record: one division, not two. */
static int64_t real_wall_coarse_ms(struct kl_os *os)
{
	struct timespec ts;
	clock_gettime(CLOCK_REALTIME_COARSE, &ts);
	return (int64_t)ts.tv_sec * 1000 + (uint32_t)ts.tv_nsec / 1000000;
}

static void real_random(struct kl_os *os, void *p, size_t n)
{
	uint8_t *to = p;
	while (n > 0) {
		ssize_t got = getrandom(to, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break; /* only before the pool is seeded at boot, or under a filter */
		to += got;
		n -= (size_t)got;
	}
	for (; n > 0; n--)
		*to++ = (uint8_t)(clock_us(CLOCK_MONOTONIC) >> (n & 7));
}

/* --- threads --- */

struct kl_thread {
	pthread_t id;
	char name[16];
	void (*fn)(void *);
	void *arg;
	atomic_bool half; /* it has ended, or was left: who comes second frees it */
};

static void *thread_main(void *arg)
{
	struct kl_thread *thread = arg;
	pthread_setname_np(pthread_self(), thread->name);
	thread->fn(thread->arg);
	if (atomic_exchange(&thread->half, true))
		free(thread);
	return NULL;
}

static int real_thread_start(struct kl_os *os, const char *name, void (*fn)(void *),
			     void *arg, struct kl_thread **thread_out)
{
	struct kl_thread *thread = calloc(1, sizeof(*thread));
	if (thread == NULL)
		return -ENOMEM;
	thread->fn = fn;
	thread->arg = arg;
	snprintf(thread->name, sizeof(thread->name), "%s", name);
	/* The application's signals belong to its own threads; a fault must stay visible. */
	sigset_t blocked, before;
	sigfillset(&blocked);
	static const int faults[] = {SIGSEGV, SIGBUS,  SIGFPE, SIGILL,
				     SIGABRT, SIGTRAP, SIGSYS};
	for (size_t i = 0; i < kl_countof(faults); i++)
		sigdelset(&blocked, faults[i]);
	pthread_sigmask(SIG_SETMASK, &blocked, &before);
	int rc = pthread_create(&thread->id, NULL, thread_main, thread);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	if (rc != 0) {
		free(thread);
		return -rc;
	}
	*thread_out = thread;
	return 0;
}

static void real_thread_join(struct kl_os *os, struct kl_thread *thread)
{
	pthread_join(thread->id, NULL);
	free(thread);
}

static void real_thread_leave(struct kl_os *os, struct kl_thread *thread)
{
	pthread_detach(thread->id);
	if (atomic_exchange(&thread->half, true))
		free(thread);
}

static int real_cond_init(struct kl_os *os, struct kl_cond *cond)
{
	pthread_condattr_t attr;
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	int rc = pthread_cond_init(&cond->c, &attr);
	pthread_condattr_destroy(&attr);
	return -rc;
}

static void real_cond_destroy(struct kl_os *os, struct kl_cond *cond)
{
	pthread_cond_destroy(&cond->c);
}

static bool real_cond_wait(struct kl_os *os, struct kl_cond *cond, struct kl_mutex *mutex,
			   int64_t deadline)
{
	if (deadline == KL_NEVER)
		return pthread_cond_wait(&cond->c, &mutex->m) == 0;
	struct timespec ts = {
		.tv_sec = deadline / KL_SECOND,
		.tv_nsec = deadline % KL_SECOND * 1000,
	};
	return pthread_cond_timedwait(&cond->c, &mutex->m, &ts) == 0;
}

static void real_cond_broadcast(struct kl_os *os, struct kl_cond *cond)
{
	pthread_cond_broadcast(&cond->c);
}

#define FORK_PAGE 4096

static void *real_fork_page(struct kl_os *os)
{
	void *page = mmap(NULL, FORK_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	if (page == MAP_FAILED)
		return NULL;
	/* Linux 4.14; before, a child is not seen */
	madvise(page, FORK_PAGE, MADV_WIPEONFORK);
	return page;
}

static void real_fork_page_free(struct kl_os *os, void *page)
{
	if (page != NULL)
		munmap(page, FORK_PAGE);
}

static unsigned *real_callback_depth(struct kl_os *os)
{
	static _Thread_local unsigned depth;
	return &depth;
}

/* --- names and addresses --- */

static int real_resolve(struct kl_os *os, const char *host, uint16_t port,
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

static void real_addr_text(struct kl_os *os, const struct kl_addr *addr,
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

static uint16_t real_addr_port(struct kl_os *os, const struct kl_addr *addr)
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

static int real_sock_connect(struct kl_os *os, const struct kl_addr *addr,
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

static int real_sock_connect_result(struct kl_sock *sock)
{
	int error = 0;
	socklen_t len = sizeof(error);
	if (getsockopt(sock->fd, SOL_SOCKET, SO_ERROR, &error, &len) != 0)
		return -errno;
	return -error;
}

static int real_sock_listen(struct kl_os *os, const char *host, uint16_t port,
			    struct kl_sock **sock_out, struct kl_addr *addr_out)
{
	struct kl_addr addr;
	const char *why;
	int rc = real_resolve(os, host ? host : "127.0.0.1", port, &addr, 1, &why);
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

static int real_sock_accept(struct kl_sock *listener, struct kl_sock **sock_out,
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

static ssize_t real_sock_recv(struct kl_sock *sock, void *p, size_t n)
{
	ssize_t got;
	do
		got = recv(sock->fd, p, n, 0);
	while (got < 0 && errno == EINTR);
	return got < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : got;
}

static ssize_t real_sock_sendv(struct kl_sock *sock, const struct iovec *iov, int count)
{
	struct msghdr msg = {.msg_iov = (struct iovec *)iov, .msg_iovlen = (size_t)count};
	ssize_t sent;
	do
		sent = sendmsg(sock->fd, &msg, MSG_NOSIGNAL);
	while (sent < 0 && errno == EINTR);
	return sent < 0 ? (errno == EWOULDBLOCK ? -EAGAIN : -errno) : sent;
}

static void real_sock_close(struct kl_sock *sock)
{
	if (sock->poller != NULL)
		epoll_ctl(sock->poller->epoll_fd, EPOLL_CTL_DEL, sock->fd, NULL);
	close(sock->fd);
	free(sock);
}

static void real_sock_reset(struct kl_sock *sock)
{
	struct linger linger = {.l_onoff = 1, .l_linger = 0};
	setsockopt(sock->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
	real_sock_close(sock);
}

static int real_sock_fd(const struct kl_sock *sock)
{
	return sock->fd;
}

/* --- readiness --- */

static int real_poller_new(struct kl_os *os, struct kl_poller **poller_out)
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

static void real_poller_free(struct kl_poller *poller)
{
	close(poller->epoll_fd);
	close(poller->wake_fd);
	free(poller);
}

static int real_poller_watch(struct kl_poller *poller, struct kl_sock *sock,
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
	int64_t left = deadline - clock_us(CLOCK_MONOTONIC);
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

static int real_poller_wait(struct kl_poller *poller, struct kl_event *events, int max,
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

static void real_poller_wake(struct kl_poller *poller)
{
	int saved = errno;
	uint64_t one = 1;
	(void)!write(poller->wake_fd, &one, sizeof(one));
	errno = saved;
}

static int real_poller_fd(const struct kl_poller *poller)
{
	return poller->epoll_fd;
}

/* --- files --- */

struct kl_file {
	int fd;
};

static int real_file_open(struct kl_os *os, const char *path, int flags,
			  struct kl_file **file_out)
{
	int how = flags & KL_FILE_READ ? O_RDWR : O_WRONLY;
	if (!(flags & KL_FILE_WRITE))
		how = O_RDONLY;
	how |= O_CLOEXEC;
	how |= flags & KL_FILE_CREATE ? O_CREAT : 0;
	how |= flags & KL_FILE_TRUNCATE ? O_TRUNC : 0;
	how |= flags & KL_FILE_EXCLUSIVE ? O_EXCL : 0;
	struct kl_file *file = calloc(1, sizeof(*file));
	if (file == NULL)
		return -ENOMEM;
	file->fd = open(path, how, 0666);
	if (file->fd < 0) {
		int rc = -errno;
		free(file);
		return rc;
	}
	*file_out = file;
	return 0;
}

static void real_file_close(struct kl_file *file)
{
	close(file->fd);
	free(file);
}

static ssize_t real_file_pread(struct kl_file *file, void *p, size_t n, int64_t offset)
{
	ssize_t got;
	do
		got = pread(file->fd, p, n, offset);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == ESPIPE) /* a pipe is read in order anyway */
		got = read(file->fd, p, n);
	return got < 0 ? -errno : got;
}

static ssize_t real_file_pwrite(struct kl_file *file, const void *p, size_t n, int64_t offset)
{
	ssize_t put;
	do
		put = pwrite(file->fd, p, n, offset);
	while (put < 0 && errno == EINTR);
	return put < 0 ? -errno : put;
}

static int real_file_sync(struct kl_file *file)
{
	return fdatasync(file->fd) == 0 ? 0 : -errno;
}

static int64_t real_file_size(struct kl_file *file)
{
	struct stat st;
	return fstat(file->fd, &st) == 0 ? st.st_size : -errno;
}

static int real_file_others(struct kl_file *file)
{
	struct stat st;
	if (fstat(file->fd, &st) != 0)
		return -errno;
	return (st.st_mode & (S_IROTH | S_IWOTH)) != 0;
}

static int real_file_truncate(struct kl_file *file, int64_t size)
{
	return ftruncate(file->fd, size) == 0 ? 0 : -errno;
}

static int real_file_lock(struct kl_file *file)
{
	return flock(file->fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}

static int real_file_rename(struct kl_os *os, const char *from, const char *to)
{
	return rename(from, to) == 0 ? 0 : -errno;
}

static int real_file_unlink(struct kl_os *os, const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

static int real_dir_make(struct kl_os *os, const char *path)
{
	return mkdir(path, 0777) == 0 ? 0 : -errno;
}

static int real_dir_sync(struct kl_os *os, const char *path)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	int rc = fsync(fd) == 0 ? 0 : -errno;
	close(fd);
	return rc;
}

static int real_dir_list(struct kl_os *os, const char *path,
			 int (*fn)(void *arg, const char *name), void *arg)
{
	DIR *dir = opendir(path);
	if (dir == NULL)
		return -errno;
	int rc = 0;
	struct dirent *entry;
	while (rc == 0 && (entry = readdir(dir)) != NULL)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			rc = fn(arg, entry->d_name);
	closedir(dir);
	return rc;
}

struct kl_os *kl_os_real(void)
{
	static struct kl_os os = {
		.name = "real",
		.now = real_now,
		.now_coarse = real_now_coarse,
		.wall_ms = real_wall_ms,
		.wall_coarse_ms = real_wall_coarse_ms,
		.random = real_random,
		.thread_start = real_thread_start,
		.thread_join = real_thread_join,
		.thread_leave = real_thread_leave,
		.cond_init = real_cond_init,
		.cond_destroy = real_cond_destroy,
		.cond_wait = real_cond_wait,
		.cond_broadcast = real_cond_broadcast,
		.fork_page = real_fork_page,
		.fork_page_free = real_fork_page_free,
		.callback_depth = real_callback_depth,
		.resolve = real_resolve,
		.sock_connect = real_sock_connect,
		.sock_connect_result = real_sock_connect_result,
		.sock_listen = real_sock_listen,
		.sock_accept = real_sock_accept,
		.sock_recv = real_sock_recv,
		.sock_sendv = real_sock_sendv,
		.sock_close = real_sock_close,
		.sock_reset = real_sock_reset,
		.sock_fd = real_sock_fd,
		.addr_text = real_addr_text,
		.addr_port = real_addr_port,
		.poller_new = real_poller_new,
		.poller_free = real_poller_free,
		.poller_watch = real_poller_watch,
		.poller_wait = real_poller_wait,
		.poller_wake = real_poller_wake,
		.poller_fd = real_poller_fd,
		.file_open = real_file_open,
		.file_close = real_file_close,
		.file_pread = real_file_pread,
		.file_pwrite = real_file_pwrite,
		.file_sync = real_file_sync,
		.file_size = real_file_size,
		.file_others = real_file_others,
		.file_truncate = real_file_truncate,
		.file_lock = real_file_lock,
		.file_rename = real_file_rename,
		.file_unlink = real_file_unlink,
		.dir_make = real_dir_make,
		.dir_sync = real_dir_sync,
		.dir_list = real_dir_list,
	};
	return &os;
}
