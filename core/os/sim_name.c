/* SPDX-License-Identifier: BSD-2-Clause */
/* Names and addresses of the simulated world. Node 3's second address is 10.0.3.2, or
 * fd00::3:2 when it is one of IPv6. */
#include <stdio.h>
#include <stdlib.h>

#include "core/os/sim_int.h"

#define PER_NAME 16

struct name {
	struct kl_list link;
	char text[128];
	char addresses[PER_NAME][48];
	size_t count;
	int rc; /* < 0: resolving fails so */
	const char *why;
};

_Static_assert(sizeof(struct kl_sim_addr) <= KL_ADDR_MAX, "an address must fit");

struct kl_sim_node *kl_sim_node_by_id(struct kl_sim *sim, uint32_t id)
{
	kl_list_for(node, &sim->nodes, struct kl_sim_node, link)
		if (node->id == id)
			return node;
	return NULL;
}

/* All bytes are written, so that addresses may be compared as bytes. */
static void put(struct kl_addr *addr, const struct kl_sim_addr *a)
{
	memset(addr, 0, sizeof(*addr));
	addr->len = sizeof(*a);
	struct kl_sim_addr *to = (struct kl_sim_addr *)addr->bytes;
	to->node = a->node;
	to->address = a->address;
	to->port = a->port;
	to->ipv6 = a->ipv6;
}

void kl_sim_addr_put(struct kl_addr *addr, const struct kl_sim_node *node, unsigned address,
		     uint16_t port)
{
	put(addr, &(struct kl_sim_addr){.node = node->id,
					.address = (uint16_t)address,
					.port = port,
					.ipv6 = node->addresses[address].ipv6});
}

struct kl_sim_addr kl_sim_addr_get(const struct kl_addr *addr)
{
	return *(const struct kl_sim_addr *)addr->bytes;
}

static void sim_addr_text(struct kl_os *os, const struct kl_addr *addr,
			  char text[static KL_ADDR_TEXT])
{
	struct kl_sim_addr a = kl_sim_addr_get(addr);
	snprintf(text, KL_ADDR_TEXT, a.ipv6 ? "[fd00::%u:%u]:%u" : "10.0.%u.%u:%u", a.node,
		 a.address + 1u, a.port);
}

static uint16_t sim_addr_port(struct kl_os *os, const struct kl_addr *addr)
{
	return kl_sim_addr_get(addr).port;
}

/* --- the table of names --- */

static struct name *find(struct kl_sim *sim, const char *text)
{
	kl_list_for(name, &sim->names, struct name, link)
		if (strcmp(name->text, text) == 0)
			return name;
	return NULL;
}

static struct name *make(struct kl_sim *sim, const char *text)
{
	struct name *name = find(sim, text);
	if (name == NULL) {
		name = kl_sim_alloc(sizeof(*name));
		snprintf(name->text, sizeof(name->text), "%s", text);
		kl_list_push(&sim->names, &name->link);
	}
	name->count = 0;
	name->rc = 0;
	return name;
}

void kl_sim_name(struct kl_sim *sim, const char *text, const char *const *addresses)
{
	struct name *name = make(sim, text);
	for (; *addresses != NULL && name->count < PER_NAME; addresses++)
		snprintf(name->addresses[name->count++], sizeof(name->addresses[0]), "%s",
			 *addresses);
}

void kl_sim_name_fail(struct kl_sim *sim, const char *text, int rc, const char *why)
{
	struct name *name = make(sim, text);
	name->rc = rc;
	name->why = why;
}

void kl_sim_name_free(struct kl_sim *sim)
{
	kl_list_for_safe(name, &sim->names, struct name, link)
		free(name);
}

void kl_sim_address_add(struct kl_sim_node *node, bool ipv6)
{
	if (node->address_count == KL_SIM_ADDRESSES)
		abort();
	node->addresses[node->address_count++].ipv6 = ipv6;
}

void kl_sim_address_set(struct kl_sim_node *node, unsigned address, enum kl_sim_reach reach)
{
	node->addresses[address].reach = reach;
}

/* --- looking up --- */

static bool parse_number(const char *host, struct kl_sim_addr *a)
{
	unsigned node, address;
	int end = 0;
	a->ipv6 = strncmp(host, "fd00::", 6) == 0;
	const char *form = a->ipv6 ? "fd00::%u:%u%n" : "10.0.%u.%u%n";
	if (sscanf(host, form, &node, &address, &end) != 2 || host[end] != '\0')
		return false;
	a->node = node;
	a->address = (uint16_t)(address - 1);
	return address > 0;
}

static size_t all_of(struct kl_sim_node *node, uint16_t port, struct kl_addr *addrs,
		     size_t max)
{
	size_t n = 0;
	for (; n < node->address_count && n < max; n++)
		kl_sim_addr_put(&addrs[n], node, (unsigned)n, port);
	return n;
}

int kl_sim_lookup(struct kl_sim_node *self, const char *host, uint16_t port,
		  struct kl_addr *addrs, size_t max, const char **why_out)
{
	struct kl_sim *sim = self->sim;
	struct kl_sim_addr a = {.port = port};
	*why_out = "";
	if (max == 0)
		return 0;
	if (parse_number(host, &a)) {
		put(&addrs[0], &a);
		return 1;
	}
	if (strcmp(host, "localhost") == 0 || strcmp(host, "127.0.0.1") == 0)
		return (int)all_of(self, port, addrs, 1);
	const struct name *name = find(sim, host);
	if (name != NULL && name->rc < 0) {
		*why_out = name->why;
		return name->rc;
	}
	size_t n = 0;
	for (; name != NULL && n < name->count && n < max; n++) {
		if (!parse_number(name->addresses[n], &a))
			kl_sim_fatal(sim, "a name stands for something that is no address");
		put(&addrs[n], &a);
	}
	if (name != NULL && n > 0)
		return (int)n;
	kl_list_for(node, &sim->nodes, struct kl_sim_node, link)
		if (strcmp(node->name, host) == 0)
			return (int)all_of(node, port, addrs, max);
	*why_out = "Name or service not known";
	return -ENOENT;
}

static int sim_resolve(struct kl_os *os, const char *host, uint16_t port,
		       struct kl_addr *addrs, size_t max, const char **why_out)
{
	struct kl_sim_node *node = kl_sim_of(os);
	struct kl_sim *sim = node->sim;
	kl_sim_spend(sim, "resolves a name", 0,
		     kl_sim_between(sim, KL_SIM_NET, sim->faults.latency_min_us,
				    20 * sim->faults.latency_max_us));
	int n;
	if (kl_sim_chance(sim, KL_SIM_NET, sim->faults.resolve)) {
		*why_out = "Temporary failure in name resolution";
		n = -EAGAIN;
	} else {
		n = kl_sim_lookup(node, host, port, addrs, max, why_out);
	}
	kl_sim_trace(sim, "resolve", node->id, port, (uint64_t)n);
	kl_sim_trace_bytes(sim, host, strlen(host));
	return n;
}

/* Hosts go by the names that they have. */
static void sim_canonical_name(struct kl_os *os, const struct kl_addr *addr,
			       char name[static KL_HOST_NAME])
{
	struct kl_sim *sim = kl_sim_of(os)->sim;
	struct kl_addr all[KL_SIM_ADDRESSES];
	kl_list_for(node, &sim->nodes, struct kl_sim_node, link)
	{
		size_t n = all_of(node, os->addr_port(os, addr), all, KL_SIM_ADDRESSES);
		for (size_t i = 0; i < n; i++)
			if (all[i].len == addr->len &&
			    memcmp(all[i].bytes, addr->bytes, addr->len) == 0) {
				snprintf(name, KL_HOST_NAME, "%s", node->name);
				return;
			}
	}
	name[0] = '\0';
}

void kl_sim_name_ops(struct kl_os *os)
{
	os->resolve = sim_resolve;
	os->canonical_name = sim_canonical_name;
	os->addr_text = sim_addr_text;
	os->addr_port = sim_addr_port;
}
