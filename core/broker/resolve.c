/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/resolve.h"

#include <arpa/inet.h>
#include <stdlib.h>

#include "core/base/error.h"

#define ADDRS 16

struct kl_resolve {
	struct kl_job job;
	struct kl_task ready; /* for an address, which needs no worker */
	struct klamm_loop *loop;
	struct kl_os *os; /* the loop may be gone */
	kl_resolve_fn done;
	void *owner; /* NULL = cancelled */
	uint16_t port;
	bool canonical;
	unsigned turn;
	int count; /* of addrs, or a negative errno */
	const char *why;
	struct kl_addr addrs[ADDRS];
	char name[KL_HOST_NAME]; /* canonical: of the only address */
	char host[];
};

static void look_up(struct kl_job *job, unsigned worker)
{
	struct kl_resolve *r = kl_container(job, struct kl_resolve, job);
	r->count = r->os->resolve(r->os, r->host, r->port, r->addrs, ADDRS, &r->why);
	if (!r->canonical || r->count <= 0)
		return;
	r->addrs[0] = r->addrs[r->turn % (unsigned)r->count];
	r->count = 1;
	r->os->canonical_name(r->os, &r->addrs[0], r->name);
}

static void tell(struct kl_resolve *r)
{
	struct klamm_error err;
	if (r->count <= 0)
		kl_error(&err, KLAMM_ERR_DNS, "cannot resolve \"%s\": %s", r->host, r->why);
	if (r->owner != NULL)
		r->done(r->owner, r->count > 0 ? (unsigned)r->count : 0, r->addrs,
			r->count > 0 ? NULL : &err);
	free(r);
}

static void looked_up(struct kl_job *job)
{
	tell(kl_container(job, struct kl_resolve, job));
}

static void orphaned(struct kl_job *job)
{
	free(kl_container(job, struct kl_resolve, job));
}

static void address_ready(struct kl_task *task)
{
	tell(kl_container(task, struct kl_resolve, ready));
}

/* One that getaddrinfo() reads without asking anybody; a name would make it wait.
 * (inet_pton() is arithmetic, not a system call.) */
static bool is_address(const char *host)
{
	uint8_t bytes[16];
	return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

static struct kl_resolve *new_resolve(struct klamm_loop *loop, const char *host,
				      uint16_t port, kl_resolve_fn done, void *owner,
				      struct klamm_error *err)
{
	size_t len = strlen(host);
	struct kl_resolve *r = calloc(1, sizeof(*r) + len + 1);
	if (r == NULL) {
		kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory to resolve a name");
		return NULL;
	}
	memcpy(r->host, host, len + 1);
	r->loop = loop;
	r->os = loop->os;
	r->port = port;
	r->done = done;
	r->owner = owner;
	r->why = "";
	return r;
}

static int submit(struct kl_resolve *r)
{
	r->job.run = look_up;
	r->job.done = looked_up;
	r->job.orphaned = orphaned; /* the resolver takes its time: closing does not wait */
	kl_pool_submit(&r->loop->blocking, &r->job);
	return 0;
}

int kl_resolve_start(struct klamm_loop *loop, const char *host, uint16_t port,
		     kl_resolve_fn done, void *owner, struct kl_resolve **resolve_out,
		     struct klamm_error *err)
{
	struct kl_resolve *r = new_resolve(loop, host, port, done, owner, err);
	if (r == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*resolve_out = r;
	if (!is_address(host))
		return submit(r);
	look_up(&r->job, 0);
	r->ready.fn = address_ready;
	kl_loop_post(loop, &r->ready);
	return 0;
}

int kl_resolve_start_canonical(struct klamm_loop *loop, const char *host, uint16_t port,
			       unsigned turn, kl_resolve_fn done, void *owner,
			       struct kl_resolve **resolve_out, struct klamm_error *err)
{
	struct kl_resolve *r = new_resolve(loop, host, port, done, owner, err);
	if (r == NULL)
		return KLAMM_ERR_NO_MEMORY;
	*resolve_out = r;
	r->canonical = true;
	r->turn = turn;
	return submit(r);
}

const char *kl_resolve_name(const struct kl_resolve *resolve)
{
	return resolve->name;
}

void kl_resolve_cancel(struct kl_resolve *resolve)
{
	if (resolve == NULL)
		return;
	resolve->owner = NULL;
	/* One that has not begun goes now; a running one frees itself when it is done. */
	if (resolve->job.run != NULL &&
	    kl_pool_cancel(&resolve->loop->blocking, &resolve->job))
		free(resolve);
}
