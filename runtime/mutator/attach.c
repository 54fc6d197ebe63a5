/* SPDX-License-Identifier: MIT */
/* The life of a mutator: attach, adopt the phase, detach; and starting threads with
 * an argument that stays alive.
 *
 * Locks: registry_lock. Neither attaching nor detaching waits for a cycle. */
#define TRI_IMPLEMENTATION
#include "mutator/attach.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/root.h>

#include "base/chaos.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "base/os.h"
#include "base/tsan.h"
#include "heap/watch.h"
#include "mutator/exit.h"
#include "mutator/handshake.h"
#include "mutator/stack.h"
#include "mutator/thread_end.h"
#include "mutator/user_stack.h"

_Static_assert(offsetof(struct tri__mutator, writer) == 0, "tri__self is cast to its floor's view");
_Static_assert(offsetof(struct tri__writer, cache) == 0, "tri__self is cast to its floor's view");
_Static_assert(offsetof(struct tri__cache, front) == 0, "tri__self is cast to its floor's view");

/* Every inline path finds a reason to take its slow half here. */
struct tri__front tri__unattached = {
    .barrier = TRI__BARRIER_UNATTACHED,
    .runs = {[TRI__NO_SPAN] = {.current = 1}},
};

__thread struct tri__front *tri__self __attribute__((tls_model("initial-exec"))) = &tri__unattached;

__thread volatile uint32_t tri__window_depth __attribute__((tls_model("initial-exec")));

/* ThreadSanitizer has a destructor that waits for the last round, too; with clang's, instrumented code
 * that comes after it crashes. */
#if defined(TRI__TSAN) && defined(__clang__)
#define ROUNDS (PTHREAD_DESTRUCTOR_ITERATIONS - 1)
#else
#define ROUNDS PTHREAD_DESTRUCTOR_ITERATIONS
#endif

static pthread_key_t leave_key;
static bool open_for_use;             /* atomic */
static struct tri__departed departed; /* [registry_lock] */
static struct tri__mutator *dead;     /* [registry_lock] threads that a fork left behind */
static __thread int rounds_left = ROUNDS; /* of destructors, at its end */
static __thread bool forbidden;       /* this thread is the collector's */

/* In each round, once the thread has been attached. Destructors of later keys may attach it again,
 * and the next round detaches it; after the last one nobody would. */
static void leave_at_exit(void *unused)
{
    TRI__IN_RUNTIME;

    (void)unused;
    if (--rounds_left != 0)
        pthread_setspecific(leave_key, &leave_key); /* cannot fail: it had a value */
    tri__mutator_leave();
}

/* Once: threads that are not attached any more have a value of it, too, after tri_shutdown(), and would
 * give that to whoever gets the key next. */
static int make_leave_key(void)
{
    static bool made;
    int error = made ? 0 : pthread_key_create(&leave_key, leave_at_exit);

    made = error == 0;
    return -error;
}

int tri__mutators_init(void)
{
    int error = tri__exit_init();

    if (error != 0)
        return error;
    error = make_leave_key();
    if (error != 0)
        return error;
    memset(&tri__phase, 0, sizeof tri__phase);
    memset(&departed, 0, sizeof departed);
    tri__store_release(&open_for_use, true); /* rel -> acq in tri__mutators_are_open() */
    return 0;
}

void tri__mutators_release(void)
{
    tri__store_relaxed(&open_for_use, false);
    tri__mutators_bury();
    tri__registry_release();
}

bool tri__mutators_are_open(void)
{
    return tri__load_acquire(&open_for_use); /* acq <- rel in tri__mutators_init() */
}

static struct tri__mutator *mutator_new(void)
{
    struct tri__mutator *mutator = tri__os_map(sizeof *mutator);

    if (mutator == NULL)
        return NULL;
    mutator->tid = tri__os_tid();
    if (tri__os_stack_bounds(&mutator->stack_end, &mutator->stack_high) == 0)
        return mutator;
    tri__os_unmap(mutator, sizeof *mutator);
    return NULL;
}

static void mutator_free(struct tri__rcu_head *head)
{
    tri__os_unmap((char *)head - offsetof(struct tri__mutator, rcu), sizeof(struct tri__mutator));
}

/* The phase is taken and the table replaced under one lock: [inv.registry.phase]. */
static int join(struct tri__mutator *mutator)
{
    int error;

    tri__registry_lock();
    tri__handshake_join_locked(mutator);
    error = tri__registry_enter_locked(mutator);
    tri__registry_unlock();
    return error;
}

static int attach(void)
{
    struct tri__mutator *mutator;
    int error;

    if (rounds_left == 0)
        tri__fatal("the heap was used by a destructor of thread-specific data in the last of %d "
                   "rounds, when the thread had been detached for good; use it in earlier rounds",
                   ROUNDS);
    tri__thread_end_watch_attached();
    mutator = mutator_new();
    error = mutator == NULL ? -ENOMEM : -pthread_setspecific(leave_key, &leave_key);

    if (error == 0)
        error = join(mutator);
    if (error == 0) {
        tri__chaos(TRI__CHAOS_ATTACH);
        mutator->attach_depth = 1;
        tri__self = &mutator->writer.cache.front;
        /* One that came before did not know whose it was. */
        tri__store_relaxed(&mutator->signalled, false);
        /* It counts as scanned, but may hold what it has loaded before it first used the heap. */
        if (mutator->writer.cache.front.barrier == TRI__BARRIER_SCANNED)
            tri__stack_scan_own(mutator);
        return 0;
    }
    if (mutator != NULL)
        tri__os_unmap(mutator, sizeof *mutator);
    return error;
}

int tri__mutator_attach(void)
{
    return attach() != 0 ? -ENOMEM : 0;
}

struct tri__mutator *tri__mutator_here(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self != NULL)
        return self;
    if (forbidden)
        tri__fatal("the heap was used on a thread of the collector: "
                   "log and oom handlers must not allocate or store heap pointers");
    if (!tri__mutators_are_open())
        tri__fatal("the heap was used before tri_init(), or after tri_shutdown(); "
                   "call tri_init() first");
    if (attach() != 0)
        tri__fatal("no memory to attach a thread; call tri_thread_attach() first to handle that");
    return tri__mutator_self();
}

void tri__mutator_forbid(void)
{
    forbidden = true;
}

bool tri__mutator_is_forbidden(void)
{
    return forbidden;
}

void tri__attach_slow(void)
{
    TRI__IN_RUNTIME;
    tri__mutator_here();
}

static void keep_statistics_locked(const struct tri__mutator *mutator)
{
    for (int i = 0; i < TRI_DELAY_CAUSES; i++)
        tri__histogram_merge(&departed.delays[i], &mutator->delays[i]);
    tri__add_single_writer(&departed.assists, tri__load_relaxed(&mutator->assists));
}

/* With the lock held no new request can come: one that is pending is answered first, so the
 * collector never waits for a thread that is gone [inv.registry.phase]. */
void tri__mutator_leave(void)
{
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL)
        return;
    tri__blocking_leave_all(); /* if nobody else has done it */
    tri__user_stacks_check_leave(self);
    tri__registry_lock();
    tri__handshake_answer(self);
    tri__chaos(TRI__CHAOS_DETACH);
    tri__cache_drop(&self->writer.cache);
    tri__buffer_surrender(&self->writer);
    tri__store_relaxed(&self->state, TRI__DETACHED);
    keep_statistics_locked(self);
    tri__registry_remove_locked(self);
    tri__registry_unlock();
    tri__self = &tri__unattached;
    tri__rcu_call(&self->rcu, mutator_free);
}

struct tri__visit tri__visit_begin(void)
{
    struct tri__visit visit = {.guest = tri__mutator_self() == NULL};

    tri__mutator_here();
    visit.interrupted = tri__blocking_interrupt();
    return visit;
}

/* A block in which a guest was attached has no part in that: it ends as it began. */
void tri__visit_end(struct tri__visit visit)
{
    tri__blocking_resume(visit.interrupted);
    if (visit.guest)
        tri__mutator_leave();
}

int tri_thread_attach(void)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL) {
        if (!tri__mutators_are_open())
            tri__fatal("tri_thread_attach() before tri_init()");
        tri__thread_end_watch();
        return tri__mutator_attach();
    }
    self->attach_depth++;
    return 0;
}

void tri_thread_detach(void)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_self();

    if (self == NULL)
        tri__fatal("tri_thread_detach() in a thread that is not attached; "
                   "pair it with tri_thread_attach()");
    if (self->blocking_depth != 0)
        tri__fatal("tri_thread_detach() inside TRI_BLOCKING; leave the block first");
    if (self->attach_depth <= 1)
        tri__mutator_leave();
    else
        self->attach_depth--;
}

void tri__mutator_delayed(struct tri__mutator *mutator, tri_delay_cause cause, uint64_t start)
{
    tri__histogram_record(&mutator->delays[cause], tri__os_now() - start);
}

void tri__departed_statistics(struct tri__departed *out)
{
    tri__registry_lock();
    *out = departed;
    tri__registry_unlock();
}

/* ---- fork ---- */

/* As if it had just been attached, in the new phase; but for its stacks, and what it has open. The
 * collector may have been acting for it. */
static void start_anew_locked(struct tri__mutator *self)
{
    uint32_t state = self->blocking_depth != 0 ? TRI__BLOCKED : TRI__RUNNING;

    tri__handshake_join_locked(self);
    self->tid = tri__os_tid();
    self->aside_after = 0;
    self->naps = 0;
    tri__store_relaxed(&self->signalled, false);
    tri__store_relaxed(&self->scanned_asleep, false);
    tri__store_relaxed(&self->state, state);
}

/* Called where only what is safe in a signal handler may be called. */
void tri__mutators_after_fork(void)
{
    struct tri__mutator *self = tri__mutator_self();

    tri__handshake_abandon_locked();
    dead = tri__registry_shrink_locked(self, dead);
    tri__user_stacks_after_fork(self);
    if (self != NULL)
        start_anew_locked(self);
}

/* No thread looks at them: there was one, and those that it has started know only the table. */
void tri__mutators_bury(void)
{
    tri__registry_lock();
    while (dead != NULL) {
        struct tri__mutator *next = dead->next_dead;

        keep_statistics_locked(dead);
        tri__os_unmap(dead, sizeof *dead);
        dead = next;
    }
    tri__registry_unlock();
}

/* ---- starting threads ---- */

/* What a new thread needs to start; the handle keeps the argument alive until it is
 * on the new thread's stack. */
struct start {
    void *(*function)(void *);
    tri_handle *argument;
};

/* Returns the argument, which is on the new thread's stack from then on. */
static void *enter_thread(const struct start *start)
{
    TRI__IN_RUNTIME;
    void *argument;

    tri__mutator_here();
    argument = tri_handle_get(start->argument);
    tri_handle_free(start->argument);
    return argument;
}

static void *start_thread(void *pointer)
{
    struct start start = *(struct start *)pointer;

    free(pointer);
    tri__thread_end_watch();
    return start.function(enter_thread(&start));
}

int tri_thread_create(pthread_t *thread, const pthread_attr_t *attributes,
                      void *(*function)(void *), void *argument)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    struct start *start = malloc(sizeof *start);
    int error;

    if (start == NULL)
        return EAGAIN;
    start->function = function;
    start->argument = tri_handle_new(argument);
    if (start->argument == NULL) {
        free(start);
        return EAGAIN;
    }
    error = pthread_create(thread, attributes, start_thread, start);
    if (error != 0) {
        tri_handle_free(start->argument);
        free(start);
    }
    return error;
}
