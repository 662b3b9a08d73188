/* SPDX-License-Identifier: BSD-2-Clause */
/* What the plugins of one client share: the world behind their struct klamm_host.
 *
 * Everything but _init and _free may be called from any thread. A host outlives the
 * instances made with it.
 */
#ifndef KL_HOST_H
#define KL_HOST_H

#include <klamm/host.h>

#include "core/base/list.h"
#include "core/base/log.h"
#include "core/base/sink.h"
#include "core/os/os.h"

struct klamm_loop;
struct kl_instance;

/* The text of a key, or NULL when it has neither value nor default; from any thread, good as
 * long as the client. kl_conf_lookup() is one. */
typedef const char *(*kl_lookup_fn)(void *arg, const char *key);
/* A secret as it is now, in memory from malloc, which is wiped and freed later. */
typedef int (*kl_secret_fn)(void *arg, const char *key, char **text_out,
			    struct klamm_error *err);

struct kl_host {
	struct kl_os *os;
	const struct kl_log *log;
	struct klamm_loop *loop; /* NULL: no timers, no pool */
	const char *client_id;
	struct kl_quota quota; /* memory that plugins took; max may be set after _init */
	/* Reads a secret's file again; NULL: the instance's lookup is all there is. */
	kl_secret_fn secret;
	void *secret_arg;
	/* As struct klamm_host's token(); NULL: there is none. */
	int (*token)(void *arg, struct klamm_out *value, struct klamm_out *extensions,
		     int64_t *expires_ms_out, struct klamm_error *err);
	void *token_arg;
	atomic_bool closing;
	struct kl_mutex mutex; /* guards all below and the instances' last members */
	struct kl_cond returned;
	struct kl_list instances;
};

/* log, loop and client_id may be NULL; all are borrowed for the host's life. */
int kl_host_init(struct kl_host *host, struct kl_os *os, const struct kl_log *log,
		 struct klamm_loop *loop, const char *client_id, struct klamm_error *err);
void kl_host_free(struct kl_host *host);
/* The client is being closed: host->closing() of every instance says so from now on. */
void kl_host_closing(struct kl_host *host);
/* Read files again: runs what instances have set with on_reload(). */
void kl_host_reload(struct kl_host *host);

/* For core/plugin.c: fill instance->api and join the host; wait and leave it. */
void kl_host_join(struct kl_host *host, struct kl_instance *instance, const char *role);
void kl_host_leave(struct kl_instance *instance);

/* What a host needs of core/net: of the loop (hosted.c), and of TLS (hosted_store.c). Any
 * thread; see the functions of struct klamm_host. */
int kl_host_timer_new(struct klamm_loop *loop, void (*fn)(void *arg), void *arg,
		      struct klamm_timer **timer_out);
void kl_host_timer_set(struct klamm_timer *timer, int64_t at_us);
void kl_host_timer_free(struct klamm_timer *timer);
int kl_host_store_read(struct kl_os *os, const struct klamm_store *store, uint32_t parts,
		       struct klamm_out *pem_out, struct klamm_error *err);
int kl_host_run_blocking(struct klamm_loop *loop, void (*fn)(void *arg), void *arg);

#endif
