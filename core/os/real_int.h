/* SPDX-License-Identifier: BSD-2-Clause */
/* Between the files of the real world: real.c has time, threads and the whole, real_net.c
 * names, sockets and waiting for them, real_file.c files. What each does, os.h tells. */
#ifndef KL_REAL_INT_H
#define KL_REAL_INT_H

#include <time.h>

#include "core/os/os.h"

/* --- real.c --- */
int64_t kl_real_clock_us(clockid_t id);

/* --- real_net.c --- */
int kl_real_resolve(struct kl_os *os, const char *host, uint16_t port,
		    struct kl_addr *addrs, size_t max, const char **why_out);
void kl_real_canonical_name(struct kl_os *os, const struct kl_addr *addr,
			    char name[static KL_HOST_NAME]);
void kl_real_addr_text(struct kl_os *os, const struct kl_addr *addr,
		       char text[static KL_ADDR_TEXT]);
uint16_t kl_real_addr_port(struct kl_os *os, const struct kl_addr *addr);
int kl_real_sock_connect(struct kl_os *os, const struct kl_addr *addr,
			 const struct kl_sock_opts *opts, struct kl_sock **sock_out);
int kl_real_sock_connect_result(struct kl_sock *sock);
int kl_real_sock_listen(struct kl_os *os, const char *host, uint16_t port,
			struct kl_sock **sock_out, struct kl_addr *addr_out);
int kl_real_sock_accept(struct kl_sock *listener, struct kl_sock **sock_out,
			struct kl_addr *peer_out);
ssize_t kl_real_sock_recv(struct kl_sock *sock, void *p, size_t n);
ssize_t kl_real_sock_sendv(struct kl_sock *sock, const struct iovec *iov, int count);
void kl_real_sock_close(struct kl_sock *sock);
void kl_real_sock_reset(struct kl_sock *sock);
int kl_real_sock_fd(const struct kl_sock *sock);
int kl_real_poller_new(struct kl_os *os, struct kl_poller **poller_out);
void kl_real_poller_free(struct kl_poller *poller);
int kl_real_poller_watch(struct kl_poller *poller, struct kl_sock *sock,
			 uint32_t events, void *tag);
int kl_real_poller_wait(struct kl_poller *poller, struct kl_event *events, int max,
			int64_t deadline);
void kl_real_poller_wake(struct kl_poller *poller);
int kl_real_poller_fd(const struct kl_poller *poller);

/* --- real_file.c --- */
int kl_real_file_open(struct kl_os *os, const char *path, int flags,
		      struct kl_file **file_out);
void kl_real_file_close(struct kl_file *file);
ssize_t kl_real_file_pread(struct kl_file *file, void *p, size_t n, int64_t offset);
ssize_t kl_real_file_pwrite(struct kl_file *file, const void *p, size_t n,
			    int64_t offset);
int kl_real_file_sync(struct kl_file *file);
int64_t kl_real_file_size(struct kl_file *file);
int kl_real_file_others(struct kl_file *file);
int kl_real_file_truncate(struct kl_file *file, int64_t size);
int kl_real_file_lock(struct kl_file *file);
int kl_real_file_rename(struct kl_os *os, const char *from, const char *to);
int kl_real_file_unlink(struct kl_os *os, const char *path);
int kl_real_dir_make(struct kl_os *os, const char *path);
int kl_real_dir_sync(struct kl_os *os, const char *path);
int kl_real_dir_list(struct kl_os *os, const char *path,
		     int (*fn)(void *arg, const char *name), void *arg);

#endif
