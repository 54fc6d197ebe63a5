/* SPDX-License-Identifier: MIT */
/* base/rcu_shim.c: the only file that includes liburcu; its functions are called out of line,
 * nothing of it is inlined here.
 *
 * Callbacks have a thread of our own, not liburcu's call_rcu: a fork would have to wait until that
 * looks up, and each child would begin by starting one (docs/threads.md).
 * Locks: grace_lock, held for a grace period and by who runs callbacks; register_lock, while a
 * thread reads for the first time.
 *
 * TSan cannot see the order a grace period makes, so static tokens tell it:
 *   reads_done   released before an unlock, acquired after a grace period: reads of the old version
 *                come before its reuse.
 *   writes_done  released before a grace period, acquired by the outermost lock: what was written
 *                before the wait is seen by readers that start after it.
 * They make TSan believe in grace periods. That these really wait is for the poison test in
 * tests/test_shims.c to find out. Callbacks need none: they go over `waiting`, and grace_lock is
 * between those that have run and a barrier. */
#include "base/rcu_shim.h"

#include "base/atomic.h"
#include "base/fatal.h"
#include "base/futex.h"
#include "base/os.h"
#include "base/tsan.h"

#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <urcu/tls-compat.h>
#include <urcu/urcu-bp.h>

/* Callbacks are made in bursts, and a grace period interrupts all processors: one for a burst. */
#define GATHER_NS UINT64_C(10000000)

static pthread_mutex_t grace_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t register_lock = PTHREAD_MUTEX_INITIALIZER;

static struct tri__rcu_head *waiting; /* atomic: calls since the last grace period, newest first */
static uint32_t asleep;               /* atomic: futex word: the thread for callbacks sleeps */
static uint32_t started;              /* atomic: there is one */

/* liburcu's: NULL until the thread has read, and again once the destructor of its thread-specific
 * data has run, behind which other destructors may read. */
extern DECLARE_URCU_TLS(struct urcu_bp_reader *, urcu_bp_reader);

static char reads_done;
static char writes_done;

/* Only TSan builds pay for asking; others have nothing to annotate. */
#ifdef TRI__TSAN
static inline bool is_outermost_lock(void) { return urcu_bp_read_ongoing() == 0; }
#else
static inline bool is_outermost_lock(void) { return false; }
#endif

/* Never for the first time under a lock that a fork takes after liburcu's [inv.fork.locks]. */
void tri__rcu_register(void)
{
    if (tri__rcu_is_registered())
        return;
    pthread_mutex_lock(&register_lock);
    urcu_bp_register_thread();
    pthread_mutex_unlock(&register_lock);
}

bool tri__rcu_is_registered(void)
{
    return URCU_TLS(urcu_bp_reader) != NULL;
}

void tri__rcu_lock(void)
{
    bool outermost;

    tri__rcu_register();
    outermost = is_outermost_lock();
    urcu_bp_read_lock();
    if (outermost)
        tri__tsan_acquire(&writes_done);
}

void tri__rcu_unlock(void)
{
    tri__tsan_release(&reads_done);
    urcu_bp_read_unlock();
}

static void synchronize_locked(void)
{
    tri__tsan_release(&writes_done);
    urcu_bp_synchronize_rcu();
    tri__tsan_acquire(&reads_done);
}

/* liburcu sleeps in poll() while it holds its locks: a thread that was cancelled there would keep
 * them. */
static int lock_grace(void)
{
    int before;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
    pthread_mutex_lock(&grace_lock);
    return before;
}

static void unlock_grace(int cancel_state)
{
    pthread_mutex_unlock(&grace_lock);
    pthread_setcancelstate(cancel_state, NULL);
}

void tri__rcu_synchronize(void)
{
    int cancel_state = lock_grace();

    synchronize_locked();
    unlock_grace(cancel_state);
}

/* ---- callbacks ---- */

/* All calls that were made until now. */
static void run_waiting(void)
{
    int cancel_state = lock_grace();
    /* acq <- rel in tri__rcu_call() */
    struct tri__rcu_head *head = tri__exchange_acqrel(&waiting, NULL), *next;

    if (head != NULL)
        synchronize_locked();
    for (; head != NULL; head = next) {
        next = head->next;
        head->function(head); /* it may be gone then */
    }
    unlock_grace(cancel_state);
}

/* Says that it will sleep before it looks for the last time; who calls, looks the other way round. */
static void await_calls(void)
{
    tri__store_seqcst(&asleep, 1);
    while (tri__load_seqcst(&waiting) == NULL && tri__load_relaxed(&asleep) != 0)
        tri__futex_wait(&asleep, 1, 0);
    tri__store_relaxed(&asleep, 0);
}

_Noreturn static void *run_callbacks(void *unused)
{
    (void)unused;
    for (;;) {
        await_calls();
        tri__os_sleep(GATHER_NS);
        run_waiting();
    }
}

/* Without memory for a thread the next call tries again; what waits, waits. */
static void start_callback_thread(void)
{
    uint32_t none = 0;
    pthread_t thread;

    if (tri__load_relaxed(&started) != 0 || !tri__cas_relaxed(&started, &none, 1))
        return;
    if (tri__os_thread_start(&thread, run_callbacks, NULL, "tri-rcu") != 0)
        tri__store_relaxed(&started, 0);
}

/* LeakSanitizer's, in programs that are built with it; the library need not be. */
extern void __lsan_ignore_object(const void *object) __attribute__((weak));

/* A program may end before a callback has run. LeakSanitizer finds its way along the calls up to the
 * first head in memory that is not malloc's (a mutator's), and would call those behind it leaks. */
static void tell_leak_checker(const struct tri__rcu_head *head)
{
    if (__lsan_ignore_object != NULL)
        __lsan_ignore_object(head);
}

void tri__rcu_call(struct tri__rcu_head *head, void (*function)(struct tri__rcu_head *))
{
    head->function = function;
    tell_leak_checker(head);
    head->next = tri__load_relaxed(&waiting);
    /* rel -> acq in run_waiting() */
    while (!tri__cas_seqcst(&waiting, &head->next, head))
        continue;
    start_callback_thread();
    if (tri__load_seqcst(&asleep) != 0 && tri__exchange_acqrel(&asleep, 0) != 0)
        tri__futex_wake(&asleep, 1);
}

/* Callbacks run without the program's signals, on whatever thread. */
void tri__rcu_barrier(void)
{
    sigset_t all, before;
    int status = sigfillset(&all);

    TRI__ASSERT(status == 0);
    status = pthread_sigmask(SIG_SETMASK, &all, &before);
    TRI__ASSERT(status == 0);
    run_waiting();
    status = pthread_sigmask(SIG_SETMASK, &before, NULL);
    TRI__ASSERT(status == 0);
}

/* ---- fork ---- */

void tri__rcu_pause(void)
{
    pthread_mutex_lock(&grace_lock);
}

void tri__rcu_before_fork(void)
{
    tri__rcu_register(); /* cannot be done later: we have the locks then */
    pthread_mutex_lock(&register_lock);
    urcu_bp_before_fork();
}

static void unlock_after_fork(void)
{
    pthread_mutex_unlock(&register_lock);
    pthread_mutex_unlock(&grace_lock);
}

void tri__rcu_after_fork_parent(void)
{
    unlock_after_fork();
    urcu_bp_after_fork_parent(); /* last: it lets signals in */
}

void tri__rcu_after_fork_child(void)
{
    tri__store_relaxed(&started, 0);
    tri__store_relaxed(&asleep, 0);
    unlock_after_fork();
    urcu_bp_after_fork_child();
}
