/* SPDX-License-Identifier: MIT */
/* tricolor/thread.h: threads of the program (mutators), safepoints and blocking regions.
 *
 * A thread is attached on its first use of the heap and detached when it ends; no call is
 * needed. While attached it is asked by the collector, a few times a cycle, for a short answer, which
 * it gives at safepoints: allocation is one now and then, tri_safepoint() is one, and TRI_BLOCKING
 * stands for one as long as it lasts. A thread that comes to none within 100 us, because it computes
 * or sleeps, is interrupted by a signal (tri_config.signal), and answers in the handler; within 4 ms
 * where none was silent for a while. Calls that sleep may return EINTR for that: docs/threads.md has
 * the list. */
#ifndef TRICOLOR_THREAD_H
#define TRICOLOR_THREAD_H

#include <pthread.h>
#include <tricolor/fast.h>

TRI_BEGIN_DECLS

/* Attach the calling thread before its first use of the heap, and detach it before its end. Calls
 * nest: the thread is detached by as many detaches as there were attaches. tri_thread_attach: 0, or
 * -ENOMEM. A detached thread must not use heap pointers that nothing else keeps alive. Neither ever
 * waits for a collection to end. Detaching a thread that is not attached is fatal. */
TRI_API int tri_thread_attach(void);
TRI_API void tri_thread_detach(void);

/* pthread_create whose `argument` is kept alive until the new thread, which is attached, has it on
 * its own stack. Returns 0 or an error number, like pthread_create. */
TRI_API int tri_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                              void *(*function)(void *), void *argument);

TRI_API void tri__safepoint_slow(void);

/* For loops that run long without allocating: answers the collector if it asks, so that it need not
 * send a signal. Needed where there is none (tri_config.signal == -1), and after
 * tri_bulk_barrier_pre_write(). Two instructions otherwise. */
static inline void tri_safepoint(void)
{
    if (TRI__UNLIKELY(__atomic_load_n(&tri__self->request, __ATOMIC_RELAXED) != 0))
        tri__safepoint_slow();
}

/* Stacks that the program makes itself, for coroutines, fibers and the like. A registered stack that
 * no thread is running on keeps alive what it points to, like the stack of a thread.
 *
 *     static void resume(coroutine *c)          // on the thread's own stack, or another coroutine's
 *     {
 *         tri_stack_switch(c->stack);
 *         swapcontext(&c->caller, &c->context); // makecontext was given the registered memory
 *     }
 *     static void yield(coroutine *c)
 *     {
 *         tri_stack_switch(c->caller_stack);    // NULL, if that is a thread's own
 *         swapcontext(&c->context, &c->caller);
 *     }
 *
 * A stack may be left by one thread and entered by another; it is the program's business that two
 * threads never are on one at the same time (fatal when seen). */
typedef struct tri_stack tri_stack;

/* [low, low + bytes) will be a stack that grows downwards; nothing is on it yet. The memory is the
 * caller's, and stays so. Returns NULL with errno == ENOMEM when there is no memory for the record.
 * Any thread; not a safepoint. */
TRI_API tri_stack *tri_stack_register(void *low, size_t bytes);

/* What is on the stack is no root any more; `stack` is gone, its memory may be. Fatal while a thread
 * is on it. NULL is ignored. Any thread, inside TRI_BLOCKING, too; not a safepoint. */
TRI_API void tri_stack_unregister(tri_stack *stack);

/* The calling thread leaves the stack it is on, which keeps what is on it now, and goes to `stack`;
 * NULL is the thread's own. To be called on the stack that is left, right before the stack pointer
 * changes; until then the heap must not be used, and the thread answers no signal. Waits only if the
 * collector is looking at `stack` at this moment; scans it if it has not been scanned in a running
 * mark. Before a thread ends it must be back on its own stack. Neither of the two stacks may be a
 * part of the other, like an array on it, and no TRI_BLOCKING may be open (both fatal). */
TRI_API void tri_stack_switch(tri_stack *stack);

/* A block that may sleep as long as it likes:
 *
 *     TRI_BLOCKING { read(fd, buffer, n); }
 *
 * The collector does not wait for the thread meanwhile, nor interrupt it, but scans its stack as it
 * stood at the beginning of the block. Inside it the thread must not allocate, store or load heap
 * pointers, nor ask for a cycle (TRICOLOR_VERIFY=blocking reports that); it may use memory outside
 * the heap, and bytes of leaf objects that the surrounding function holds on to. Roots may come and
 * go (tri_root_add, dlopen, dlclose); tri_safepoint does nothing. Leaving the block waits only if the
 * collector is looking at the thread at that moment. On a stack that is neither the thread's own nor
 * registered a block is fatal.
 *
 * The first block of a thread that was attached by its first use asks the loader to tell of the
 * thread's end, and so waits while another thread is in dlopen() or dlclose(). Who may hold a lock
 * that a constructor of a shared object wants calls tri_thread_attach() before it takes that, or is
 * started by tri_thread_create(): then the loader has been asked already.
 *
 * Blocks nest. Leave one by falling out at the end, break, goto or return; not by longjmp. The pair
 * of functions is for code that cannot be written as a block. */
#define TRI_BLOCKING TRI__BLOCKING(TRI__UNIQUE(tri__blocking))
#define TRI__BLOCKING(once)                                                                        \
    for (int once __attribute__((cleanup(tri__blocking_leave))) = tri__blocking_enter();           \
         once != 0; once = 0)

TRI_API void tri_blocking_begin(void);
TRI_API void tri_blocking_end(void);

__attribute__((always_inline)) static inline int tri__blocking_enter(void)
{
    tri_blocking_begin();
    return 1;
}

__attribute__((always_inline)) static inline void tri__blocking_leave(int *unused)
{
    (void)unused;
    tri_blocking_end();
}

TRI_END_DECLS
#endif
