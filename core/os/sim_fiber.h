/* SPDX-License-Identifier: BSD-2-Clause */
/* Fibers: a stack and a place to go on, switched by hand in one real thread. The switch is
 * announced to ASan and TSan. */
#ifndef KL_SIM_FIBER_H
#define KL_SIM_FIBER_H

#include "core/base/base.h"

struct kl_fiber {
	void *sp; /* where it goes on; a ucontext_t where there is no assembly */
	void (*fn)(void *);
	void *arg;
	struct kl_fiber *back; /* who switched to it */
	void *map;             /* stack with its guard page, NULL for the thread's own */
	size_t map_size;
	const void *bottom; /* lowest byte of the stack */
	size_t size;
	void *fake_stack; /* ASan's */
	void *tsan;
};

#define KL_FIBER_STACK_DEFAULT (256 * 1024)

/* The stack that runs now, as something to switch away from and back to. */
void kl_fiber_adopt(struct kl_fiber *fiber);
/* fn(arg) runs at the first switch and must never return: its last act is a switch with
 * `last`. false: no memory. */
bool kl_fiber_init(struct kl_fiber *fiber, size_t stack_size, void (*fn)(void *), void *arg);
void kl_fiber_switch(struct kl_fiber *from, struct kl_fiber *to, bool last);
/* Not while it runs. */
void kl_fiber_free(struct kl_fiber *fiber);

#endif
