/* SPDX-License-Identifier: MIT */
/* Faults in chunks of freed arenas get a message; all others go where they would have gone.
 *
 * Owns: the handlers that were installed before ours. Locks: none at a fault: everything the
 * handler looks at is never unmapped while the heap lives, and only async-signal-safe functions are
 * called. */
#include "heap/arena_fault.h"

#include <pthread.h>
#include <signal.h>

#include "base/fatal.h"
#include "heap/arena_chunk.h"
#include "heap/resolve.h"

static struct sigaction before_segv, before_bus; /* const once installed */

static const struct tri__arena_chunk *freed_chunk_at(uintptr_t address)
{
    const struct tri__arena_chunk *chunk;
    struct tri__ref ref;

    if (!tri__locate(address, &ref) || ref.span_class != TRI__ARENA_SPAN)
        return NULL;
    chunk = tri__arena_chunk_of(tri__span_at(address));
    /* acq <- rel in tri__arena_retire() */
    return tri__load_acquire(&chunk->state) == TRI__ARENA_FREED ? chunk : NULL;
}

_Noreturn static void complain(const struct tri__arena_chunk *chunk, uintptr_t address)
{
    uint64_t offset = chunk->first + (address - chunk->span.base);

    tri__fatal("use of arena %llu at %p after tri_arena_free(): the address is byte %llu of the "
               "arena's memory. Free the arena later, or copy what is to outlive it with "
               "tri_arena_keep()",
               (unsigned long long)chunk->arena, (void *)address, (unsigned long long)offset);
}

/* Of a fault both the default and "ignore" mean death. The access is done again when we have
 * returned; a signal that somebody sent has to be sent again. */
static void die_of(int number, bool fault)
{
    signal(number, SIG_DFL);
    if (!fault)
        raise(number);
}

static void pass_on(const struct sigaction *before, int number, siginfo_t *info, void *context)
{
    bool fault = info->si_code > 0;

    if ((before->sa_flags & SA_SIGINFO) != 0)
        before->sa_sigaction(number, info, context);
    else if (before->sa_handler == SIG_DFL || (before->sa_handler == SIG_IGN && fault))
        die_of(number, fault);
    else if (before->sa_handler != SIG_IGN)
        before->sa_handler(number);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
    uintptr_t address = (uintptr_t)info->si_addr;
    const struct tri__arena_chunk *chunk = info->si_code > 0 ? freed_chunk_at(address) : NULL;

    if (chunk != NULL)
        complain(chunk, address);
    pass_on(number == SIGSEGV ? &before_segv : &before_bus, number, info, context);
}

static void install(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, NULL, &before_segv) != 0 || sigaction(SIGBUS, NULL, &before_bus) != 0 ||
        sigaction(SIGSEGV, &action, NULL) != 0 || sigaction(SIGBUS, &action, NULL) != 0)
        tri__warn("no handler of faults could be installed: a use of an arena after "
                  "tri_arena_free() will fault without a message");
}

void tri__arena_fault_install(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, install);
}
