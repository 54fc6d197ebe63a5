/* SPDX-License-Identifier: MIT */
/* tests/coroutine.h: coroutines on ucontext, whose stacks are registered.
 *
 * A coroutine may be resumed by any thread, by one at a time. ThreadSanitizer keeps a shadow stack,
 * and has to be told of each switch. */
#ifndef TRI__TESTS_COROUTINE_H
#define TRI__TESTS_COROUTINE_H

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <ucontext.h>

#include <tricolor.h>

#define COROUTINE_BYTES ((size_t)256 << 10)

#if defined(__has_feature)
#define COROUTINE_HAS_FEATURE(x) __has_feature(x)
#else
#define COROUTINE_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_THREAD__) || COROUTINE_HAS_FEATURE(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#else
static inline void *__tsan_create_fiber(unsigned flags) { return flags != 0 ? NULL : NULL; }
static inline void *__tsan_get_current_fiber(void) { return NULL; }
static inline void __tsan_switch_to_fiber(void *fiber, unsigned flags) { (void)fiber, (void)flags; }
static inline void __tsan_destroy_fiber(void *fiber) { (void)fiber; }
#endif

struct coroutine {
    ucontext_t context, caller;
    void *memory;
    tri_stack *stack, *caller_stack; /* NULL: a thread's own */
    void *fiber, *caller_fiber;
    void (*function)(struct coroutine *self);
    void *argument;
    bool ended;
};

/* Back to whoever has resumed the coroutine. */
static inline void coroutine_yield(struct coroutine *self)
{
    tri_stack_switch(self->caller_stack);
    __tsan_switch_to_fiber(self->caller_fiber, 0);
    swapcontext(&self->context, &self->caller);
}

static void coroutine_main(unsigned high, unsigned low)
{
    struct coroutine *self = (struct coroutine *)((uintptr_t)high << 32 | low);

    self->function(self);
    self->ended = true;
    coroutine_yield(self);
}

/* Ends the program if there is no memory. */
static inline struct coroutine *coroutine_new_of(size_t bytes, void (*function)(struct coroutine *),
                                                 void *argument)
{
    struct coroutine *self = calloc(1, sizeof *self);

    if (self != NULL)
        self->memory = malloc(bytes);
    if (self != NULL && self->memory != NULL)
        self->stack = tri_stack_register(self->memory, bytes);
    if (self == NULL || self->stack == NULL) {
        perror("no memory for a coroutine");
        abort();
    }
    self->fiber = __tsan_create_fiber(0);
    self->function = function;
    self->argument = argument;
    getcontext(&self->context);
    self->context.uc_stack.ss_sp = self->memory;
    self->context.uc_stack.ss_size = bytes;
    makecontext(&self->context, (void (*)(void))coroutine_main, 2,
                (unsigned)((uintptr_t)self >> 32), (unsigned)(uintptr_t)self);
    return self;
}

static inline struct coroutine *coroutine_new(void (*function)(struct coroutine *), void *argument)
{
    return coroutine_new_of(COROUTINE_BYTES, function, argument);
}

/* Runs the coroutine until it yields; from another one's stack, or a thread's own (NULL). */
static inline void coroutine_resume_from(struct coroutine *self, const struct coroutine *caller)
{
    self->caller_stack = caller != NULL ? caller->stack : NULL;
    self->caller_fiber = __tsan_get_current_fiber();
    tri_stack_switch(self->stack);
    __tsan_switch_to_fiber(self->fiber, 0);
    swapcontext(&self->caller, &self->context);
}

static inline void coroutine_resume(struct coroutine *self)
{
    coroutine_resume_from(self, NULL);
}

static inline void coroutine_free(struct coroutine *self)
{
    tri_stack_unregister(self->stack);
    __tsan_destroy_fiber(self->fiber);
    free(self->memory);
    free(self);
}

#endif
