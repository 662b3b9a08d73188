/* SPDX-License-Identifier: BSD-2-Clause */
/* Simulated machines: made, paused, killed and booted. */
#include <stdio.h>
#include <stdlib.h>

#include "core/os/sim_int.h"

struct kl_os *kl_sim_os(struct kl_sim_node *node)
{
	return &node->os;
}

struct kl_sim_node *kl_sim_node(struct kl_sim *sim, const char *name)
{
	struct kl_sim_node *node = kl_sim_alloc(sizeof(*node));
	node->sim = sim;
	node->id = ++sim->node_count;
	snprintf(node->name, sizeof(node->name), "%s", name);
	node->address_count = 1;
	node->next_port = 32768;
	node->disk_limit = SIZE_MAX;
	kl_list_init(&node->socks);
	kl_list_init(&node->pollers);
	kl_list_init(&node->files);
	kl_list_init(&node->ports_off);
	kl_list_init(&node->inodes);
	kl_list_init(&node->entries);
	kl_list_init(&node->journal);
	kl_list_push(&sim->nodes, &node->link);
	node->os.name = "sim";
	kl_sim_thread_ops(&node->os);
	kl_sim_poll_ops(&node->os);
	kl_sim_name_ops(&node->os);
	kl_sim_sock_ops(&node->os);
	kl_sim_disk_ops(&node->os);
	kl_sim_dir_ops(&node->os);
	return node;
}

void kl_sim_pause(struct kl_sim_node *node, bool paused)
{
	if (node->paused == paused)
		return;
	struct kl_sim *sim = node->sim;
	kl_sim_trace(sim, paused ? "pause" : "resume", node->id, 0, 0);
	node->paused = paused;
	kl_list_for(thread, &sim->threads, struct kl_thread, link) {
		if (thread->node != node)
			continue;
		if (paused && thread->state == KL_SIM_READY) {
			kl_sim_unready(thread);
			thread->state = KL_SIM_PARKED;
		} else if (!paused && thread->state == KL_SIM_PARKED) {
			kl_sim_ready(thread);
		}
	}
}

void kl_sim_clock_jump(struct kl_sim_node *node, int64_t ms)
{
	kl_sim_trace(node->sim, "clock", node->id, (uint64_t)ms, 0);
	node->wall_offset_ms += ms;
}

void kl_sim_node_mortal(struct kl_sim_node *node)
{
	node->mortal = true;
}

void kl_sim_kill_threads(struct kl_sim_node *node)
{
	struct kl_sim *sim = node->sim;
	kl_list_for_safe(thread, &sim->threads, struct kl_thread, link) {
		if (thread->node != node)
			continue;
		if (thread == sim->current)
			kl_sim_fatal(sim, "a fiber kills its own node");
		if (thread->state == KL_SIM_READY)
			kl_sim_unready(thread);
		/* Lists that it waits in lie in memory nobody will look at again. */
		if (thread->counted && thread->state != KL_SIM_ENDED)
			sim->unfinished--;
		kl_sim_thread_free(thread);
	}
}

void kl_sim_kill(struct kl_sim_node *node, bool power)
{
	kl_sim_trace(node->sim, "kill", node->id, power, 0);
	kl_sim_kill_threads(node);
	kl_sim_poll_kill(node);
	kl_sim_sock_kill(node, power);
	kl_sim_disk_kill(node);
	if (power)
		kl_sim_disk_crash(node);
	node->paused = false;
	node->off = power;
}

void kl_sim_boot(struct kl_sim_node *node)
{
	kl_sim_trace(node->sim, "boot", node->id, 0, 0);
	node->off = false;
}
