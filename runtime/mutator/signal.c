/* SPDX-License-Identifier: MIT */
/* The signal handler: an answer in place of a thread that would not give it.
 *
 * It does what the thread does at a safepoint, on the thread itself, so nobody else has to know
 * that it was a signal. What it must not do is answer inside a window, from the look at the thread's
 * block to the store that follows from it [inv.barrier.window]:
 *   - in the library's own code, and in windows that count, tri__window_depth is not 0; the thread
 *     answers when it leaves [inv.window.runtime];
 *   - in a window of assembler, the thread is set back to its beginning [inv.window.inline];
 *   - in a handler of the program's that has interrupted a window of assembler, that is set back,
 *     too: the context to which the handler will return lies on the stack [inv.window.nested];
 *   - after tri_bulk_barrier_pre_write(), until the next safepoint [inv.window.held];
 *   - while a fork is under way, which waits for malloc's locks with ours in hand, and the thread
 *     may have been interrupted in malloc: the collector tries again [inv.fork.locks];
 *   - on a stack that is not the thread's (the alternate one, or between tri_stack_switch() and the
 *     switch): the collector tries again.
 * Async-signal-safe: no lock that a thread may hold when it is interrupted outside the library, no
 * malloc, no stdio. Called: the futex, madvise and mmap system calls, clock_gettime; the heap's page
 * lock and the drain lock, which are only ever held inside the library. errno is kept. */
#include "mutator/signal.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
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
static bool installed[NSIG];          /* it has been ours */
static bool said;                     /* collector: why it cannot be sent */
static int send_error;                /* collector: of the last one that was sent; or 0 */

/* ---- the handler ---- */

/* How the handler was called, and so how others were. */
struct call {
    ucontext_t *context;
    uintptr_t trampoline; /* the code that returns from handlers */
    bool is_plain;        /* the context lies where the kernel has put it */
};

/* ---- handlers that have not returned ---- */

/* What cannot be undone waits, on machines where nobody knows where the kernel lays contexts. A word
 * that only looks like one that matters costs a retry. */
static bool is_in_window(uintptr_t word)
{
    return tri__window_around(word) != 0;
}

/* The code that returns from a handler is two or three instructions and a system call. */
#define TRAMPOLINE_BYTES 32u

/* Is the thread inside a handler of the program's, or about to return from one? That has left the
 * address of the code that returns on the stack, or is in that code already. */
static bool is_in_handler(const struct call *call, uintptr_t low, uintptr_t high)
{
    return tri__context_pc(call->context) - call->trampoline < TRAMPOLINE_BYTES ||
           tri__context_link(call->context) == call->trampoline ||
           tri__stack_find(low, high, call->trampoline) != 0;
}

/* Has a handler that has not returned interrupted a window? Then the address that was interrupted is
 * on the stack, too. */
static bool has_interrupted_window(const struct call *call, uintptr_t low, uintptr_t high)
{
    return is_in_handler(call, low, high) && tri__stack_has(low, high, is_in_window);
}

/* `at`: where a handler that has not returned, or one that has, has its return address. What is left
 * of one that has returned lies in no variable that has a value, so it may be changed as well.
 * Returns the stack pointer of what it has interrupted. */
static uintptr_t set_back_at(uintptr_t at)
{
    uintptr_t first = tri__window_around(tri__stack_word(at + TRI__SAVED_PC));

    if (first != 0)
        tri__stack_change(at + TRI__SAVED_PC, first);
    return tri__stack_word(at + TRI__SAVED_STACK);
}

/* Returns the lowest place of the thread's stack that has been in use; `low` if that is it. */
static uintptr_t set_back_between(const struct tri__mutator *self, const struct call *call,
                                  uintptr_t low, uintptr_t high)
{
    uintptr_t at = low, lowest = low;

    while ((at = tri__stack_find(at, high, call->trampoline)) != 0) {
        uintptr_t pointer = set_back_at(at);

        if (pointer >= self->stack_end && pointer < lowest)
            lowest = pointer;
        at += TRI_WORD;
    }
    return lowest;
}

/* A handler that is just about to return has left its return address right below the stack pointer.
 * One that runs on an alternate stack that is itself a part of this one has interrupted something
 * further down; that may have been another handler. */
static void set_back_others(struct tri__mutator *self, const struct call *call, uintptr_t pointer)
{
    uintptr_t low = pointer > self->stack_end ? pointer - TRI_WORD : pointer;
    uintptr_t high = self->stack_high - TRI__SAVED_BYTES, lowest;

    while ((lowest = set_back_between(self, call, low, high)) < low) {
        high = low;
        low = lowest;
    }
    if (low < self->interrupted.pointer)
        self->interrupted.pointer = low;
}

/* ---- our own ---- */

/* The stretch of stack that is to be scanned: from the handler's own frame on, which holds the
 * registers of what was interrupted; on an alternate stack, that and the thread's. The former may be
 * a part of the latter. */
static void note_stack(struct tri__mutator *self, const ucontext_t *context, uintptr_t pointer)
{
    uintptr_t here = tri__stack_pointer();

    self->interrupted = (struct tri__interrupted){.pointer = pointer};
    if (here >= self->stack_end && here < self->stack_high) {
        self->interrupted.pointer = here < pointer ? here : pointer;
        return;
    }
    self->interrupted.low = here;
    self->interrupted.high = (uintptr_t)context->uc_stack.ss_sp + context->uc_stack.ss_size;
}

static bool is_on_own_stack(const struct tri__mutator *self, const ucontext_t *context)
{
    uintptr_t pointer = tri__context_stack(context);

    return pointer >= self->stack_end && pointer < self->stack_high;
}

/* The alternate stack may be a part of the thread's own. */
static bool is_on_alternate_stack(const ucontext_t *context)
{
    return tri__context_stack(context) - (uintptr_t)context->uc_stack.ss_sp <
           context->uc_stack.ss_size;
}

static bool must_wait(const struct tri__mutator *self, const struct call *call)
{
    return !call->is_plain &&
           (is_on_alternate_stack(call->context) ||
            has_interrupted_window(call, tri__context_stack(call->context), self->stack_high));
}

static void answer_at(struct tri__mutator *self, const struct call *call)
{
    uintptr_t pointer = tri__context_stack(call->context), first;

    if (!is_on_own_stack(self, call->context) || must_wait(self, call))
        return;
    first = tri__window_around(tri__context_pc(call->context));
    if (first != 0)
        tri__context_set_pc(call->context, first);
    note_stack(self, call->context, pointer);
    if (call->is_plain)
        set_back_others(self, call, pointer);
    tri__handshake_answer(self);
    self->interrupted = (struct tri__interrupted){0};
}

static bool is_held(const struct tri__mutator *self)
{
    return (tri__load_relaxed(&self->writer.cache.front.request) & TRI__REQUEST_HELD) != 0;
}

static void answer_or_put_off(struct tri__mutator *self, const struct call *call)
{
    if (tri__window_depth != 0) {
        tri__fetch_or_relaxed(&self->writer.cache.front.request, TRI__REQUEST_DEFERRED);
        return;
    }
    if (tri__load_relaxed(&self->state) != TRI__RUNNING || is_held(self))
        return;
    tri__window_open();
    if (tri__windows_begin_reading()) {
        answer_at(self, call);
        tri__windows_end_reading();
    }
    tri__window_close();
}

/* Ours comes from this process, to this thread alone. */
static bool is_ours(const siginfo_t *info)
{
    return info->si_code == SI_TKILL && info->si_pid == tri__os_pid();
}

/* Whatever its flags: SA_SIGINFO may go with SIG_IGN. */
static bool is_function(const struct sigaction *action)
{
    return action->sa_handler != SIG_DFL && action->sa_handler != SIG_IGN;
}

static void pass_on(int number, siginfo_t *info, void *context)
{
    const struct sigaction *theirs = &before[number];

    if (!is_function(theirs))
        return;
    if ((theirs->sa_flags & SA_SIGINFO) != 0)
        theirs->sa_sigaction(number, info, context);
    else
        theirs->sa_handler(number);
}

static void handle(int number, siginfo_t *info, void *context)
{
    struct tri__mutator *self = tri__mutator_self();
    struct call call = {.context = context,
                        .trampoline = (uintptr_t)__builtin_return_address(0)};
    int error = errno;

    call.is_plain = tri__context_is_behind(context, (uintptr_t)__builtin_dwarf_cfa() - TRI_WORD);

    if (self != NULL)
        tri__store_relaxed(&self->signalled, false);
    if (self != NULL && tri__mutator_is_asked(self)) {
        tri__store_relaxed(&self->refused_stack, tri__context_stack(context));
        tri__store_relaxed(&self->refused_at, tri__context_pc(context)); /* unless it answers */
        answer_or_put_off(self, &call);
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
    if (sigaction(number, &action, &before[number]) != 0)
        return -errno;
    installed[number] = true;
    return 0;
}

static bool is_handle(const struct sigaction *action)
{
    return (action->sa_flags & SA_SIGINFO) != 0 && action->sa_sigaction == handle;
}

/* What the program has installed over our handler may call that, as what was there before; ours
 * must not call it in turn. */
static bool may_call_ours(const struct sigaction *action, int number)
{
    return installed[number] && is_function(action);
}

/* Never uninstalled: a signal may be on its way when the library is shut down. */
int tri__signal_init(int number)
{
    struct sigaction now;

    said = false;
    if (number < 0) {
        signal_number = 0;
        return 0;
    }
    signal_number = number != 0 ? number : SIGURG;
    if (sigaction(signal_number, NULL, &now) != 0)
        return -errno;
    if (is_handle(&now) || may_call_ours(&now, signal_number))
        return 0;
    return install(signal_number);
}

int tri__signal_number(void)
{
    return signal_number;
}

static bool is_installed(void)
{
    struct sigaction now;

    return sigaction(signal_number, NULL, &now) == 0 && is_handle(&now);
}

const char *tri__signal_trouble(void)
{
    if (signal_number == 0)
        return "it was configured that there be none";
    if (tri__windows_trouble() != NULL)
        return tri__windows_trouble();
    if (!is_installed())
        return "its handler was replaced after tri_init()";
    return send_error == 0 || send_error == -ESRCH ? NULL : "the system did not let it be sent";
}

static void say_once(const char *what, const char *why)
{
    if (!said)
        tri__warn("signal %d %s, so threads that reach no safepoint cannot be asked by it: %s",
                  signal_number, what, why);
    said = true;
}

bool tri__signal_is_usable(void)
{
    if (signal_number == 0)
        return false;
    if (tri__windows_trouble() != NULL)
        say_once("is not sent", tri__windows_trouble());
    else if (!is_installed())
        say_once("has another handler since tri_init()",
                 "install your handler before the first tri_init(), then it gets the signals that "
                 "are not "
                 "the collector's; or choose another signal: tri_config.signal");
    else
        return true;
    return false;
}

void tri__signal_send(struct tri__mutator *mutator)
{
    if (tri__load_relaxed(&mutator->signalled))
        return;
    tri__store_relaxed(&mutator->signalled, true);
    send_error = tri__os_signal_thread(mutator->tid, signal_number);
    if (send_error == 0)
        return;
    tri__store_relaxed(&mutator->signalled, false);
    tri__signal_check_alive(mutator);
}

void tri__signal_thread_ended(uint32_t tid)
{
    tri__fatal("thread %" PRIu32 " has ended while it was attached: a destructor of "
               "thread-specific data used the heap in the last of %d rounds, when nothing "
               "detaches a thread any more; use it in earlier rounds, or call "
               "tri_thread_detach() at the end of the destructor",
               tid, PTHREAD_DESTRUCTOR_ITERATIONS);
}

/* Who leaves takes the request back first, and nobody waits for it any more [inv.thread.ended]. */
void tri__signal_check_alive(const struct tri__mutator *mutator)
{
    if (tri__os_signal_thread(mutator->tid, 0) == -ESRCH && tri__mutator_is_asked(mutator) &&
        tri__load_relaxed(&mutator->state) == TRI__RUNNING)
        tri__signal_thread_ended(mutator->tid);
}
