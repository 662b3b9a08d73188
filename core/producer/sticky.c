/* SPDX-License-Identifier: BSD-2-Clause */
/* The partition of records that may go anywhere: they stay with one until it had batch.size
 * bytes (KIP-480, KIP-794), then go to another. Partitions without a leader, or whose broker
 * has not taken a batch for too long, are left out; with partitioner.rack.aware all those
 * whose leader is in another rack than this client, as long as one is left (KIP-1123). Any
 * thread.
 */
#include "core/producer/producer.h"

/* Those to choose from. */
struct field {
	const struct klamm_producer *p;
	struct kl_partition **table;
	int32_t count;
	int64_t stuck_before;
	bool near_only;
	unsigned longest; /* queue among them */
};

static bool is_open(const struct field *f, const struct kl_partition *part)
{
	if (atomic_load_explicit(&part->no_leader, memory_order_relaxed))
		return false;
	int64_t stuck = atomic_load_explicit(&part->stuck_since, memory_order_relaxed);
	return stuck == 0 || stuck >= f->stuck_before;
}

static bool is_near(const struct kl_partition *part)
{
	return atomic_load_explicit(&part->is_near, memory_order_relaxed);
}

static unsigned queue_of(const struct kl_partition *part)
{
	return atomic_load_explicit(&part->queued, memory_order_relaxed);
}

static bool takes_part(const struct field *f, const struct kl_partition *part)
{
	return is_open(f, part) && (!f->near_only || is_near(part));
}

static struct field make_field(const struct klamm_topic *topic, int32_t count)
{
	const struct klamm_producer *p = topic->producer;
	int64_t patience = p->settings->partitioner_availability_timeout_ms;
	struct field f = {
		.p = p,
		.table = atomic_load(&topic->partitions),
		.count = count,
		.stuck_before = patience > 0 ? p->os->now(p->os) - patience * KL_MS : 0,
	};
	for (int32_t i = 0; i < count && p->settings->partitioner_rack_aware; i++)
		f.near_only |= is_near(f.table[i]) && is_open(&f, f.table[i]);
	for (int32_t i = 0; i < count; i++)
		if (takes_part(&f, f.table[i]))
			f.longest = kl_max(f.longest, queue_of(f.table[i]));
	return f;
}

/* How much a partition gets: as much more as fewer batches of its wait; 0 = nothing. */
static uint64_t weight(const struct field *f, int32_t i)
{
	if (!takes_part(f, f->table[i]))
		return 0;
	if (!f->p->settings->partitioner_adaptive_partitioning_enable)
		return 1;
	return 1 + f->longest - kl_min(queue_of(f->table[i]), f->longest);
}

/* splitmix64 over a counter: any thread, no lock, repeatable from the seed. */
static uint64_t next_random(struct klamm_topic *topic)
{
	uint64_t v = atomic_fetch_add_explicit(&topic->random, 0x9e3779b97f4a7c15u,
					       memory_order_relaxed);
	v = (v ^ (v >> 30)) * 0xbf58476d1ce4e5b9u;
	v = (v ^ (v >> 27)) * 0x94d049bb133111ebu;
	return v ^ (v >> 31);
}

/* Another than the last, where that is possible. */
static int32_t choose(const struct field *f, int32_t last, uint64_t random)
{
	uint64_t total = 0;
	for (int32_t i = 0; i < f->count; i++)
		if (i != last)
			total += weight(f, i);
	if (total == 0 && last >= 0 && last < f->count && weight(f, last) > 0)
		return last;
	int32_t any = (int32_t)(random % (uint64_t)f->count);
	if (total == 0)
		return any;
	uint64_t at = random % total;
	for (int32_t i = 0; i < f->count; i++) {
		uint64_t w = i != last ? weight(f, i) : 0;
		if (at < w)
			return i;
		at -= w;
	}
	return any; /* it has changed since */
}

int32_t kl_topic_pick_sticky(struct klamm_topic *topic, int32_t count)
{
	struct field f = make_field(topic, count);
	int32_t last = atomic_load_explicit(&topic->sticky, memory_order_relaxed);
	int32_t choice = choose(&f, last, next_random(topic));
	atomic_store_explicit(&topic->sticky, choice, memory_order_relaxed);
	atomic_store_explicit(&topic->sticky_bytes, 0, memory_order_relaxed);
	return choice;
}

bool kl_topic_stays(const struct klamm_topic *topic, int32_t index, size_t need)
{
	const struct klamm_producer *p = topic->producer;
	int64_t patience = p->settings->partitioner_availability_timeout_ms;
	const struct field f = {
		.stuck_before = patience > 0 ? p->os->now(p->os) - patience * KL_MS : 0,
	};
	return atomic_load_explicit(&topic->sticky, memory_order_relaxed) == index &&
	       is_open(&f, atomic_load(&topic->partitions)[index]) &&
	       atomic_load_explicit(&topic->sticky_bytes, memory_order_relaxed) + need <
		       (uint64_t)p->settings->batch_size;
}
