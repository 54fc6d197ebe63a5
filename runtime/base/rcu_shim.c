/* SPDX-License-Identifier: MIT */
/* base/rcu_shim.c: the only file that includes liburcu; its functions are called out of line,
 * nothing of it is inlined here.
 *
 * TSan cannot see the order a grace period makes, so static tokens tell it:
 *   reads_done      released before an unlock, acquired after a grace period: reads of the old
 *                   version come before its reuse.
 *   writes_done     released before a grace period, acquired by the outermost lock: what was
 *                   written before the wait is seen by readers that start after it.
 *   callbacks_done  released after a callback, acquired by the barrier that waited for it.
 * They make TSan believe in grace periods. That these really wait is for the poison test in
 * tests/test_shims.c to find out. */
#include "base/rcu_shim.h"

#include "base/fatal.h"
#include "base/tsan.h"

#include <assert.h>
#include <pthread.h>
#include <signal.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <urcu/urcu-bp.h>

static_assert(sizeof(struct rcu_head) <= offsetof(struct tri__rcu_head, function),
              "struct tri__rcu_head has no room for liburcu's head");
static_assert(alignof(struct rcu_head) <= alignof(struct tri__rcu_head), "misaligned head");

static char reads_done;
static char writes_done;
static char callbacks_done;

/* Only TSan builds pay for asking; others have nothing to annotate. */
#ifdef TRI__TSAN
static inline bool is_outermost_lock(void) { return urcu_bp_read_ongoing() == 0; }
#else
static inline bool is_outermost_lock(void) { return false; }
#endif

void tri__rcu_lock(void)
{
    bool outermost = is_outermost_lock();
    urcu_bp_read_lock();
    if (outermost)
        tri__tsan_acquire(&writes_done);
}

void tri__rcu_unlock(void)
{
    tri__tsan_release(&reads_done);
    urcu_bp_read_unlock();
}

void tri__rcu_synchronize(void)
{
    tri__tsan_release(&writes_done);
    urcu_bp_synchronize_rcu();
    tri__tsan_acquire(&reads_done);
}

/* liburcu starts one thread for all callbacks at the first call. It must not take the program's
 * signals. */
static void start_callback_thread(void)
{
    sigset_t all, before;
    int status = sigfillset(&all);
    TRI__ASSERT(status == 0);
    status = pthread_sigmask(SIG_SETMASK, &all, &before);
    TRI__ASSERT(status == 0);
    struct call_rcu_data *started = urcu_bp_get_default_call_rcu_data();
    TRI__ASSERT(started != NULL);
    status = pthread_sigmask(SIG_SETMASK, &before, NULL);
    TRI__ASSERT(status == 0);
}

static void run_callback(struct rcu_head *opaque)
{
    struct tri__rcu_head *head = (struct tri__rcu_head *)opaque;
    tri__tsan_acquire(head); /* pairs with the release in tri__rcu_call */
    tri__tsan_acquire(&reads_done);
    head->function(head); /* the head may be gone now */
    tri__tsan_release(&callbacks_done);
}

/* LeakSanitizer's, in programs that are built with it; the library need not be. */
extern void __lsan_ignore_object(const void *object) __attribute__((weak));

/* A program may end before a callback has run. LeakSanitizer finds its way along liburcu's queue up
 * to the first head in memory that is not malloc's (a mutator's), and would call those behind it
 * leaks. */
static void tell_leak_checker(const struct tri__rcu_head *head)
{
    if (__lsan_ignore_object != NULL)
        __lsan_ignore_object(head);
}

void tri__rcu_call(struct tri__rcu_head *head, void (*function)(struct tri__rcu_head *))
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    int status = pthread_once(&once, start_callback_thread);
    TRI__ASSERT(status == 0);
    head->function = function;
    tell_leak_checker(head);
    tri__tsan_release(&writes_done);
    tri__tsan_release(head); /* pairs with the acquire in run_callback */
    urcu_bp_call_rcu((struct rcu_head *)head, run_callback);
}

void tri__rcu_barrier(void)
{
    urcu_bp_barrier();
    tri__tsan_acquire(&callbacks_done);
}
