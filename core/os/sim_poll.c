/* SPDX-License-Identifier: BSD-2-Clause */
/* Pollers: level-triggered readiness of simulated sockets. */
#include <stdlib.h>

#include "core/os/sim_int.h"
#include "core/os/sim_sock.h"

struct kl_poller {
	struct kl_sim_node *node;
	struct kl_list link; /* of the node's pollers */
	uint64_t id;
	struct kl_list socks;
	size_t count;
	bool wake;
	struct kl_thread *waiter;
};

static int sim_poller_new(struct kl_os *os, struct kl_poller **poller_out)
{
	struct kl_poller *poller = calloc(1, sizeof(*poller));
	if (poller == NULL)
		return -ENOMEM;
	poller->node = kl_sim_of(os);
	poller->id = ++poller->node->sim->next_id;
	kl_list_init(&poller->socks);
	kl_list_push(&poller->node->pollers, &poller->link);
	*poller_out = poller;
	return 0;
}

static void sim_poller_free(struct kl_poller *poller)
{
	kl_list_for_safe(sock, &poller->socks, struct kl_sock, poller_link)
		kl_sim_poll_forget(sock);
	kl_list_remove(&poller->link);
	free(poller);
}

void kl_sim_poll_forget(struct kl_sock *sock)
{
	if (sock->poller == NULL)
		return;
	sock->poller->count--;
	sock->poller = NULL;
	kl_list_remove(&sock->poller_link);
}

void kl_sim_poll_changed(struct kl_sock *sock)
{
	if (sock->poller != NULL && sock->poller->waiter != NULL &&
	    (kl_sim_sock_ready(sock) & (sock->watched | KL_HUP)) != 0)
		kl_sim_wake(sock->poller->waiter);
}

static int sim_poller_watch(struct kl_poller *poller, struct kl_sock *sock, uint32_t events,
			    void *tag)
{
	if (events == 0 || (sock->poller != NULL && sock->poller != poller))
		kl_sim_poll_forget(sock);
	if (events == 0)
		return 0;
	if (sock->poller == NULL) {
		sock->poller = poller;
		kl_list_push(&poller->socks, &sock->poller_link);
		poller->count++;
	}
	sock->watched = events;
	sock->tag = tag;
	kl_sim_poll_changed(sock);
	return 0;
}

/* Starting anywhere in the list: epoll promises no order. */
static int collect(struct kl_poller *poller, struct kl_event *events, int max)
{
	if (poller->count == 0)
		return 0;
	struct kl_list *at = poller->socks.next;
	for (uint64_t skip = kl_sim_draw(poller->node->sim, KL_SIM_SCHED, poller->count);
	     skip > 0; skip--)
		at = at->next;
	int n = 0;
	for (size_t left = poller->count; left > 0 && n < max; left--, at = at->next) {
		if (at == &poller->socks)
			at = at->next;
		struct kl_sock *sock = kl_list_entry(at, struct kl_sock, poller_link);
		uint32_t ready = kl_sim_sock_ready(sock) & (sock->watched | KL_HUP);
		if (ready != 0)
			events[n++] = (struct kl_event){sock->tag, ready};
	}
	return n;
}

static int sim_poller_wait(struct kl_poller *poller, struct kl_event *events, int max,
			   int64_t deadline)
{
	struct kl_sim *sim = poller->node->sim;
	if (poller->waiter != NULL)
		kl_sim_fatal(sim, "two fibers wait on one poller");
	/* Ready or not, others may run first. */
	bool at_once = poller->wake || collect(poller, events, max) > 0;
	if (kl_sim_chance(sim, KL_SIM_SCHED, sim->faults.spurious))
		deadline = kl_min(deadline,
				  sim->now + kl_sim_between(sim, KL_SIM_SCHED, 0, KL_MS));
	poller->waiter = sim->current;
	kl_sim_block(sim, "polls", poller->id, at_once ? sim->now : deadline);
	poller->waiter = NULL;
	poller->wake = false;
	return collect(poller, events, max);
}

static void sim_poller_wake(struct kl_poller *poller)
{
	poller->wake = true;
	if (poller->waiter != NULL)
		kl_sim_wake(poller->waiter);
}

static int sim_poller_fd(const struct kl_poller *poller)
{
	return -1;
}

void kl_sim_poll_kill(struct kl_sim_node *node)
{
	kl_list_for_safe(poller, &node->pollers, struct kl_poller, link)
		sim_poller_free(poller);
}

void kl_sim_poll_ops(struct kl_os *os)
{
	os->poller_new = sim_poller_new;
	os->poller_free = sim_poller_free;
	os->poller_watch = sim_poller_watch;
	os->poller_wait = sim_poller_wait;
	os->poller_wake = sim_poller_wake;
	os->poller_fd = sim_poller_fd;
}
