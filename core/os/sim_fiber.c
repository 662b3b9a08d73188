/* SPDX-License-Identifier: BSD-2-Clause */
/* swapcontext() makes a system call per switch, so the two usual machines have a few lines of
 * assembly that save what the ABI says a call must keep. */
#include "core/os/sim_fiber.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(__SANITIZE_THREAD__)
#include <sanitizer/tsan_interface.h>
#endif

void kl_fiber_entry(struct kl_fiber *fiber);

#if defined(__x86_64__) && !defined(KL_FIBER_UCONTEXT)

/* Callee-saved: rbx, rbp, r12 to r15, and the control bits of both floating point units.
 * A new fiber "returns" into the second label with r12 = argument, r13 = function. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".type fiber_swap, @function\n"
	"fiber_swap:\n"
	"	pushq %rbp\n"
	"	pushq %rbx\n"
	"	pushq %r12\n"
	"	pushq %r13\n"
	"	pushq %r14\n"
	"	pushq %r15\n"
	"	subq $8, %rsp\n"
	"	stmxcsr (%rsp)\n"
	"	fnstcw 4(%rsp)\n"
	"	movq %rsp, (%rdi)\n"
	"	movq %rsi, %rsp\n"
	"	ldmxcsr (%rsp)\n"
	"	fldcw 4(%rsp)\n"
	"	addq $8, %rsp\n"
	"	popq %r15\n"
	"	popq %r14\n"
	"	popq %r13\n"
	"	popq %r12\n"
	"	popq %rbx\n"
	"	popq %rbp\n"
	"	ret\n"
	".size fiber_swap, . - fiber_swap\n"
	".type fiber_begin, @function\n"
	"fiber_begin:\n"
	"	movq %r12, %rdi\n"
	"	jmpq *%r13\n"
	".size fiber_begin, . - fiber_begin\n"
	".popsection\n");

void fiber_swap(void **save_sp, void *sp) __asm__("fiber_swap");
void fiber_begin(void) __asm__("fiber_begin");

static bool first_frame(struct kl_fiber *fiber)
{
	/* The lowest word first. The zero above the return address ends a backtrace, and puts
	 * the stack where a call would have left it: 8 below a multiple of 16. */
	uintptr_t top = ((uintptr_t)fiber->bottom + fiber->size) & ~(uintptr_t)15;
	uint64_t frame[] = {
		(uint64_t)0x037f << 32 | 0x1f80, /* x87 and SSE control words at start */
		0, 0, (uintptr_t)kl_fiber_entry, (uintptr_t)fiber, 0, 0,
		(uintptr_t)fiber_begin, 0,
	};
	fiber->sp = (void *)(top - sizeof(frame));
	memcpy(fiber->sp, frame, sizeof(frame));
	return true;
}

#elif defined(__aarch64__) && !defined(KL_FIBER_UCONTEXT)

/* Callee-saved: x19 to x30 and d8 to d15. A new fiber begins with x19 = argument and
 * x20 = function. */
__asm__(".pushsection .text\n"
	".p2align 4\n"
	".type fiber_swap, %function\n"
	"fiber_swap:\n"
	"	sub sp, sp, #160\n"
	"	stp x19, x20, [sp]\n"
	"	stp x21, x22, [sp, #16]\n"
	"	stp x23, x24, [sp, #32]\n"
	"	stp x25, x26, [sp, #48]\n"
	"	stp x27, x28, [sp, #64]\n"
	"	stp x29, x30, [sp, #80]\n"
	"	stp d8, d9, [sp, #96]\n"
	"	stp d10, d11, [sp, #112]\n"
	"	stp d12, d13, [sp, #128]\n"
	"	stp d14, d15, [sp, #144]\n"
	"	mov x9, sp\n"
	"	str x9, [x0]\n"
	"	mov sp, x1\n"
	"	ldp x19, x20, [sp]\n"
	"	ldp x21, x22, [sp, #16]\n"
	"	ldp x23, x24, [sp, #32]\n"
	"	ldp x25, x26, [sp, #48]\n"
	"	ldp x27, x28, [sp, #64]\n"
	"	ldp x29, x30, [sp, #80]\n"
	"	ldp d8, d9, [sp, #96]\n"
	"	ldp d10, d11, [sp, #112]\n"
	"	ldp d12, d13, [sp, #128]\n"
	"	ldp d14, d15, [sp, #144]\n"
	"	add sp, sp, #160\n"
	"	ret\n"
	".size fiber_swap, . - fiber_swap\n"
	".type fiber_begin, %function\n"
	"fiber_begin:\n"
	"	mov x0, x19\n"
	"	mov x30, xzr\n"
	"	br x20\n"
	".size fiber_begin, . - fiber_begin\n"
	".popsection\n");

void fiber_swap(void **save_sp, void *sp) __asm__("fiber_swap");
void fiber_begin(void) __asm__("fiber_begin");

static bool first_frame(struct kl_fiber *fiber)
{
	uintptr_t top = ((uintptr_t)fiber->bottom + fiber->size) & ~(uintptr_t)15;
	uint64_t frame[20] = {
		[0] = (uintptr_t)fiber,
		[1] = (uintptr_t)kl_fiber_entry,
		[11] = (uintptr_t)fiber_begin,
	};
	fiber->sp = (void *)(top - sizeof(frame));
	memcpy(fiber->sp, frame, sizeof(frame));
	return true;
}

#else

#include <ucontext.h>
#define FIBER_UCONTEXT 1

/* makecontext() passes ints. */
static void ucontext_begin(unsigned high, unsigned low)
{
	kl_fiber_entry((struct kl_fiber *)(uintptr_t)((uint64_t)high << 32 | low));
}

static bool first_frame(struct kl_fiber *fiber)
{
	ucontext_t *context = malloc(sizeof(*context));
	if (context == NULL)
		return false;
	getcontext(context);
	context->uc_stack.ss_sp = (void *)fiber->bottom;
	context->uc_stack.ss_size = fiber->size;
	context->uc_link = NULL;
	uint64_t self = (uintptr_t)fiber;
	makecontext(context, (void (*)(void))ucontext_begin, 2, (unsigned)(self >> 32),
		    (unsigned)self);
	fiber->sp = context;
	return true;
}

#endif

static void swap(struct kl_fiber *from, struct kl_fiber *to)
{
#ifdef FIBER_UCONTEXT
	swapcontext(from->sp, to->sp);
#else
	fiber_swap(&from->sp, to->sp);
#endif
}

/* The other half of a switch: what runs now is `self`, which came from self->back. */
static void arrived(struct kl_fiber *self)
{
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_finish_switch_fiber(self->fake_stack, &self->back->bottom,
					&self->back->size);
#endif
}

void kl_fiber_entry(struct kl_fiber *fiber)
{
	arrived(fiber);
	fiber->fn(fiber->arg);
	abort(); /* its last act should have been a switch */
}

void kl_fiber_switch(struct kl_fiber *from, struct kl_fiber *to, bool last)
{
	to->back = from;
#ifdef __SANITIZE_ADDRESS__
	__sanitizer_start_switch_fiber(last ? NULL : &from->fake_stack, to->bottom, to->size);
#endif
#ifdef __SANITIZE_THREAD__
	__tsan_switch_to_fiber(to->tsan, 0);
#endif
	swap(from, to);
	arrived(from);
}

void kl_fiber_adopt(struct kl_fiber *fiber)
{
	*fiber = (struct kl_fiber){0};
#ifdef FIBER_UCONTEXT
	fiber->sp = malloc(sizeof(ucontext_t));
	if (fiber->sp == NULL)
		abort();
#endif
#ifdef __SANITIZE_THREAD__
	fiber->tsan = __tsan_get_current_fiber();
#endif
}

bool kl_fiber_init(struct kl_fiber *fiber, size_t stack_size, void (*fn)(void *), void *arg)
{
	*fiber = (struct kl_fiber){.fn = fn, .arg = arg};
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	fiber->size = (stack_size + page - 1) / page * page;
	fiber->map_size = fiber->size + page;
	fiber->map = mmap(NULL, fiber->map_size, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (fiber->map == MAP_FAILED) {
		fiber->map = NULL;
		return false;
	}
	fiber->bottom = (char *)fiber->map + page;
	/* Stacks grow down into the guard page, which stops an overflow. */
	if (mprotect(fiber->map, page, PROT_NONE) != 0 || !first_frame(fiber)) {
		munmap(fiber->map, fiber->map_size);
		fiber->map = NULL;
		return false;
	}
#ifdef __SANITIZE_THREAD__
	fiber->tsan = __tsan_create_fiber(0);
#endif
	return true;
}

void kl_fiber_free(struct kl_fiber *fiber)
{
#ifdef FIBER_UCONTEXT
	free(fiber->sp);
	fiber->sp = NULL;
#endif
	if (fiber->map == NULL)
		return;
#ifdef __SANITIZE_THREAD__
	__tsan_destroy_fiber(fiber->tsan);
#endif
#ifdef __SANITIZE_ADDRESS__
	/* Frames that never returned leave their red zones behind. */
	__asan_unpoison_memory_region(fiber->bottom, fiber->size);
#endif
	munmap(fiber->map, fiber->map_size);
	fiber->map = NULL;
}
