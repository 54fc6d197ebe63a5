/* SPDX-License-Identifier: MIT */
/* The signal handler: an answer in place of a thread that would not give it.
 *
 * It does what the thread does at a safepoint, on the thread itself, so nobody else has to know
 * that it was a signal. What it must not do is answer inside a window, from the look at the thread's
 * block to the store that follows from it [inv.barrier.window]:
 *   - in the library's own code, and in windows that count, tri__window_depth is not 0; the thread
 *     answers when it leaves [inv.window.runtime];
 *   - in a window of assembler, the thread is set back to its beginning [inv.window.inline];
 *   - in a handler of the program's that has interrupted a window of assembler, whose address lies on
 *     the stack then: nothing is done, and the collector tries again [inv.window.nested];
 *   - after tri_bulk_barrier_pre_write(), until the next safepoint [inv.window.held];
 *   - on a stack that is not the thread's (the alternate one, or between tri_stack_switch() and the
 *     switch): the collector tries again.
 * Async-signal-safe: no lock that a thread may hold when it is interrupted outside the library, no
 * malloc, no stdio. Called: the futex, madvise and mmap system calls, clock_gettime; the heap's page
 * lock and the drain lock, which are only ever held inside the library. errno is kept. */
#include "mutator/signal.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <ucontext.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "base/os.h"
#include "mutator/context.h"
#include "mutator/handshake.h"
#include "mutator/stack.h"
#include "mutator/windows.h"

static int signal_number; /* 0: none */
static struct sigaction before[NSIG]; /* of each signal that has been ours: the program's handler */
static bool taken_away;               /* collector: said so */

/* ---- the handler ---- */

static bool is_word(uintptr_t word, uintptr_t wanted)
{
    return word == wanted;
}

static bool is_in_window(uintptr_t word, uintptr_t unused)
{
    (void)unused;
    return tri__window_around(word) != 0;
}

/* The code that returns from a handler is two or three instructions and a system call. */
#define TRAMPOLINE_BYTES 32u

/* Is the thread inside a handler of the program's, or about to return from one? That has left the
 * address of the code that returns on the stack, or is in that code already. */
static bool is_in_handler(const ucontext_t *context, uintptr_t low, uintptr_t high,
                          uintptr_t trampoline)
{
    return tri__context_pc(context) - trampoline < TRAMPOLINE_BYTES ||
           tri__context_link(context) == trampoline ||
           tri__stack_has(low, high, is_word, trampoline);
}

/* Has a handler that has not returned interrupted a window? Then the address that was interrupted is
 * on the stack, too. */
static bool has_interrupted_window(const ucontext_t *context, uintptr_t low, uintptr_t high,
                                   uintptr_t trampoline)
{
    return is_in_handler(context, low, high, trampoline) &&
           tri__stack_has(low, high, is_in_window, 0);
}

/* The stretch of stack that is to be scanned: from the handler's own frame on, which holds the
 * registers of what was interrupted; on an alternate stack, that and the thread's. */
static void note_stack(struct tri__mutator *self, const ucontext_t *context, uintptr_t pointer)
{
    uintptr_t here = tri__stack_pointer();

    self->interrupted = (struct tri__interrupted){.pointer = pointer};
    if (here >= self->stack_end && here < self->stack_high) {
        self->interrupted.pointer = here;
        return;
    }
    self->interrupted.low = here;
    self->interrupted.high = (uintptr_t)context->uc_stack.ss_sp + context->uc_stack.ss_size;
}

static void answer_at(struct tri__mutator *self, ucontext_t *context, uintptr_t trampoline)
{
    uintptr_t pointer = tri__context_stack(context), first;

    if (pointer < self->stack_end || pointer >= self->stack_high ||
        has_interrupted_window(context, pointer, self->stack_high, trampoline))
        return;
    first = tri__window_around(tri__context_pc(context));
    if (first != 0)
        tri__context_set_pc(context, first);
    note_stack(self, context, pointer);
    tri__handshake_answer(self);
    self->interrupted = (struct tri__interrupted){0};
}

static bool is_asked(const struct tri__mutator *self)
{
    return (tri__load_relaxed(&self->writer.cache.front.request) & TRI__REQUEST_ASKED) != 0;
}

static bool is_held(const struct tri__mutator *self)
{
    return (tri__load_relaxed(&self->writer.cache.front.request) & TRI__REQUEST_HELD) != 0;
}

static void answer_or_put_off(struct tri__mutator *self, ucontext_t *context, uintptr_t trampoline)
{
    if (tri__window_depth != 0) {
        tri__fetch_or_relaxed(&self->writer.cache.front.request, TRI__REQUEST_DEFERRED);
        return;
    }
    if (tri__load_relaxed(&self->state) != TRI__RUNNING || is_held(self))
        return;
    tri__window_open();
    tri__windows_begin_reading();
    answer_at(self, context, trampoline);
    tri__windows_end_reading();
    tri__window_close();
}

/* Ours comes from this process, to this thread alone. */
static bool is_ours(const siginfo_t *info)
{
    return info->si_code == SI_TKILL && info->si_pid == tri__os_pid();
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction *theirs = &before[number];

    if ((theirs->sa_flags & SA_SIGINFO) != 0)
        theirs->sa_sigaction(number, info, context);
    else if (theirs->sa_handler != SIG_DFL && theirs->sa_handler != SIG_IGN)
        theirs->sa_handler(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    struct tri__mutator *self = tri__mutator_self();
    uintptr_t trampoline = (uintptr_t)__builtin_return_address(0);
    int error = errno;

    if (self != NULL)
        tri__store_relaxed(&self->signalled, false);
    if (self != NULL && is_asked(self)) {
        tri__store_relaxed(&self->refused_at, tri__context_pc(context)); /* unless it answers */
        answer_or_put_off(self, context, trampoline);
    }
    if (!is_ours(info))
        pass_on(number, info, context);
    errno = error;
}

/* ---- the collector's side ---- */

/* Nothing interrupts the handler but faults. Least of all libc's signal for cancellation, which
 * sigfillset() leaves out: in a call that is a cancellation point it would end the thread at once,
 * inside the handler, with a lock held and counted as a reader of windows [inv.window.whole]. On the
 * alternate stack of threads that have one, as languages with small stacks want it. */
static int install(int number)
{
    struct sigaction action = {.sa_sigaction = handle,
                               .sa_flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK};

    memset(&action.sa_mask, 0xff, sizeof action.sa_mask);
    sigdelset(&action.sa_mask, SIGSEGV);
    sigdelset(&action.sa_mask, SIGBUS);
    sigdelset(&action.sa_mask, SIGILL);
    sigdelset(&action.sa_mask, SIGFPE);
    sigdelset(&action.sa_mask, SIGTRAP);
    return sigaction(number, &action, &before[number]) == 0 ? 0 : -errno;
}

/* Never uninstalled: a signal may be on its way when the library is shut down. */
int tri__signal_init(int number)
{
    struct sigaction now;
    int error = 0;

    taken_away = false;
    if (number < 0) {
        signal_number = 0;
        return 0;
    }
    signal_number = number != 0 ? number : SIGURG;
    if (sigaction(signal_number, NULL, &now) != 0)
        return -errno;
    if ((now.sa_flags & SA_SIGINFO) == 0 || now.sa_sigaction != handle)
        error = install(signal_number);
    return error;
}

int tri__signal_number(void)
{
    return signal_number;
}

static bool is_installed(void)
{
    struct sigaction now;

    return sigaction(signal_number, NULL, &now) == 0 && (now.sa_flags & SA_SIGINFO) != 0 &&
           now.sa_sigaction == handle;
}

const char *tri__signal_trouble(void)
{
    if (signal_number == 0)
        return "it was configured that there be none";
    if (!tri__windows_are_known())
        return "there was no memory for the table of windows";
    return is_installed() ? NULL : "its handler was replaced after tri_init()";
}

bool tri__signal_is_usable(void)
{
    if (tri__signal_trouble() == NULL)
        return true;
    if (signal_number == 0 || !tri__windows_are_known())
        return false;
    if (!taken_away)
        tri__warn("signal %d has another handler since tri_init(), so threads that reach no "
                  "safepoint cannot be asked by it: install your handler before tri_init(), then it "
                  "gets the signals that are not the collector's; or choose another signal: "
                  "tri_config.signal",
                  signal_number);
    taken_away = true;
    return false;
}

void tri__signal_send(struct tri__mutator *mutator)
{
    if (tri__load_relaxed(&mutator->signalled))
        return;
    tri__store_relaxed(&mutator->signalled, true);
    /* A thread that has ended meanwhile has left the registry, and nobody waits for it. */
    if (tri__os_signal_thread(mutator->tid, signal_number) != 0)
        tri__store_relaxed(&mutator->signalled, false);
}
