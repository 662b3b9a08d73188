/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/slab.h"

#include <pthread.h>
#include <stdlib.h>

struct kl_slab_pool {
	pthread_mutex_t mutex; /* guards all below */
	struct kl_slab *free[KL_SLAB_CLASSES];
	size_t used, kept;
	size_t budget, keep;
	size_t alive; /* slabs in use */
	bool closed;
	void (*freed)(void *arg);
	void *arg;
};

struct kl_slab_pool *kl_slab_pool_new(size_t budget, size_t keep,
				      void (*freed)(void *arg), void *arg)
{
	struct kl_slab_pool *pool = calloc(1, sizeof(*pool));
	if (pool == NULL)
		return NULL;
	pthread_mutex_init(&pool->mutex, NULL);
	pool->budget = budget;
	pool->keep = keep;
	pool->freed = freed;
	pool->arg = arg;
	return pool;
}

static struct kl_slab *pop_free(struct kl_slab_pool *pool, unsigned class)
{
	struct kl_slab *slab = pool->free[class];
	if (slab != NULL) {
		pool->free[class] = slab->next;
		pool->kept -= slab->cap;
	}
	return slab;
}

static void free_all(struct kl_slab *slabs)
{
	while (slabs != NULL) {
		struct kl_slab *next = slabs->next;
		free(slabs);
		slabs = next;
	}
}

static void pool_destroy(struct kl_slab_pool *pool)
{
	for (unsigned i = 0; i < KL_SLAB_CLASSES; i++)
		free_all(pool->free[i]);
	pthread_mutex_destroy(&pool->mutex);
	free(pool);
}

void kl_slab_pool_free(struct kl_slab_pool *pool)
{
	if (pool == NULL)
		return;
	pthread_mutex_lock(&pool->mutex);
	pool->closed = true;
	pool->freed = NULL;
	bool last = pool->alive == 0;
	pthread_mutex_unlock(&pool->mutex);
	if (last)
		pool_destroy(pool);
}

static unsigned class_of(size_t size)
{
	unsigned class = 0;
	while (class < KL_SLAB_CLASSES && ((size_t)KL_SLAB_MIN << class) < size)
		class++;
	return class; /* KL_SLAB_CLASSES: too large to be kept */
}

size_t kl_slab_size(size_t size)
{
	unsigned class = class_of(size);
	return class < KL_SLAB_CLASSES ? (size_t)KL_SLAB_MIN << class : size;
}

/* With the mutex held: count cap as used, if the budget allows. */
static bool charge(struct kl_slab_pool *pool, size_t cap, bool beyond)
{
	if (!beyond && pool->budget != 0 && pool->used > 0 &&
	    (cap > pool->budget || pool->used > pool->budget - cap))
		return false;
	pool->used += cap;
	pool->alive++;
	return true;
}

static bool discharge(struct kl_slab_pool *pool, size_t cap)
{
	pool->used -= cap;
	pool->alive--;
	return pool->closed && pool->alive == 0;
}

/* With the mutex held: free slabs of other sizes that have no room in the budget beside a
 * fresh one, the largest first. */
static struct kl_slab *make_way(struct kl_slab_pool *pool)
{
	struct kl_slab *gone = NULL;
	unsigned class = KL_SLAB_CLASSES;
	while (pool->budget != 0 && pool->used + pool->kept > pool->budget && class > 0) {
		struct kl_slab *slab = pop_free(pool, class - 1);
		if (slab == NULL) {
			class--;
			continue;
		}
		slab->next = gone;
		gone = slab;
	}
	return gone;
}

static struct kl_slab *get(struct kl_slab_pool *pool, size_t size, bool beyond)
{
	if (size > SIZE_MAX / 4)
		return NULL;
	unsigned class = class_of(size);
	size_t cap = kl_slab_size(size);
	struct kl_slab *slab = NULL, *gone = NULL;
	pthread_mutex_lock(&pool->mutex);
	bool allowed = charge(pool, cap, beyond);
	if (allowed && class < KL_SLAB_CLASSES)
		slab = pop_free(pool, class);
	if (allowed && slab == NULL)
		gone = make_way(pool);
	pthread_mutex_unlock(&pool->mutex);
	free_all(gone);
	if (!allowed)
		return NULL;
	if (slab == NULL &&
	    posix_memalign((void **)&slab, KL_CACHE_LINE, sizeof(*slab) + cap) != 0) {
		pthread_mutex_lock(&pool->mutex);
		discharge(pool, cap);
		pthread_mutex_unlock(&pool->mutex);
		return NULL;
	}
	slab->pool = pool;
	slab->next = NULL;
	slab->cap = cap;
	atomic_init(&slab->refs, 1);
	return slab;
}

struct kl_slab *kl_slab_get(struct kl_slab_pool *pool, size_t size)
{
	return get(pool, size, false);
}

struct kl_slab *kl_slab_get_beyond(struct kl_slab_pool *pool, size_t size)
{
	return get(pool, size, true);
}

void kl_slab_unref(struct kl_slab *slab)
{
	if (slab == NULL ||
	    atomic_fetch_sub_explicit(&slab->refs, 1, memory_order_acq_rel) != 1)
		return;
	struct kl_slab_pool *pool = slab->pool;
	unsigned class = class_of(slab->cap);
	pthread_mutex_lock(&pool->mutex);
	bool last = discharge(pool, slab->cap);
	if (class < KL_SLAB_CLASSES && !pool->closed && pool->kept + slab->cap <= pool->keep) {
		slab->next = pool->free[class];
		pool->free[class] = slab;
		pool->kept += slab->cap;
		slab = NULL;
	}
	void (*freed)(void *arg) = pool->freed;
	void *arg = pool->arg;
	pthread_mutex_unlock(&pool->mutex);
	free(slab);
	if (last)
		pool_destroy(pool);
	else if (freed != NULL)
		freed(arg);
}

size_t kl_slab_pool_held(struct kl_slab_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	size_t held = pool->used + pool->kept;
	pthread_mutex_unlock(&pool->mutex);
	return held;
}

size_t kl_slab_pool_used(struct kl_slab_pool *pool)
{
	pthread_mutex_lock(&pool->mutex);
	size_t used = pool->used;
	pthread_mutex_unlock(&pool->mutex);
	return used;
}
