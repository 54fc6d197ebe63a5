/* SPDX-License-Identifier: MIT */
/* tri_init and tri_shutdown: puts the floors together, from the lowest
 * up, and takes them down again.
 *
 * This file alone knows all floors; it installs the functions through which
 * lower floors reach upper ones. */
#define TRI_IMPLEMENTATION
#include <errno.h>
#include <pthread.h>
#include <stdio.h>

#include <tricolor/gc.h>

#include "barrier/bulk.h"
#include "base/cgroup.h"
#include "base/chaos.h"
#include "base/config.h"
#include "base/entry.h"
#include "base/fatal.h"
#include "base/fault.h"
#include "base/module.h"
#include "base/os.h"
#include "base/rcu_shim.h"
#include "collector/assist.h"
#include "collector/coordinator.h"
#include "collector/pace.h"
#include "collector/verify.h"
#include "collector/work.h"
#include "heap/double_check.h"
#include "heap/typed.h"
#include "heap/watch.h"
#include "inspect/inspect.h"
#include "layout/type_hold.h"
#include "layout/type_retire.h"
#include "mutator/arena.h"
#include "mutator/attach.h"
#include "mutator/exit.h"
#include "mutator/handshake.h"
#include "mutator/registry.h"
#include "mutator/roots.h"
#include "mutator/signal.h"
#include "mutator/thread_end.h"
#include "mutator/use.h"
#include "mutator/user_stack.h"
#include "mutator/windows.h"
#include "mutator/watchdog.h"

static pthread_mutex_t init_lock = PTHREAD_MUTEX_INITIALIZER;
static bool initialized; /* [init_lock] */
static bool hooked;      /* [init_lock] the handlers of fork are registered */
static bool (*oom)(size_t bytes, void *argument);
static void *oom_argument;

/* ---- what the heap asks of the floors above it ---- */

static struct tri__cache *attach(void)
{
    return &tri__mutator_here()->writer.cache;
}

/* Unless there are to be no automatic cycles. */
static bool chaos_wants_cycle(void)
{
    return tri__chaos_strikes(TRI__CHAOS_CYCLE) && tri__pace_goal() != UINT64_MAX &&
           tri__chaos_number(16) == 1;
}

static void safepoint(struct tri__cache *cache)
{
    struct tri__mutator *self = tri__mutator_of_cache(cache);
    uint64_t allocated = cache->unreported;

    if (self->blocking_depth != 0)
        tri__fatal("the heap was used inside TRI_BLOCKING; "
                   "the collector may be acting for the thread there: allocate before or after it");
    tri__handshake_answer(self);
    tri__handshake_step_aside(self);
    tri__cache_report(cache);
    if (allocated != 0 && (tri__pace_is_due() || chaos_wants_cycle()))
        tri__cycle_request();
    tri__assist(self, allocated);
    tri__handshake_answer(self); /* who was asked meanwhile has left off */
}

static void refilled(struct tri__cache *cache, uint64_t start)
{
    tri__mutator_delayed(tri__mutator_of_cache(cache), TRI_DELAY_REFILL, start);
}

/* While another thread loads a library the loader's lock may be had by a constructor of that, which
 * may wait for a cycle; so the cycle must not wait for this thread. */
static void hold_type(const tri_type *type)
{
    TRI_BLOCKING
        tri__type_hold(type, !tri__exit_has_begun());
}

/* In a child of fork(): what its threads have left behind, from the bottom up (docs/threads.md). */
static void take_over(void)
{
    tri__mutators_bury();
    tri__buffers_rebuild();
    tri__assist_close();
    tri__work_rebuild();
    tri__retired_types_keep();
    /* Only a handshake changes the side, and there is nobody to make one. */
    tri__pace_after_fork(tri__heap_rebuild(tri__phase.cache.side));
}

static bool ask_program(size_t bytes)
{
    TRI__OUT_OF_RUNTIME;

    return oom(bytes, oom_argument);
}

/* It is the program's code in the middle of ours: a thread is not cancelled there. */
static bool ask_oom_handler(size_t bytes)
{
    int cancel_state;
    bool again;

    if (oom == NULL)
        return false;
    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    again = ask_program(bytes);
    pthread_setcancelstate(cancel_state, NULL);
    return again;
}

/* First an emergency collection, then the handler for as long as it says that it could help. */
static bool out_of_memory(struct tri__cache *cache, size_t bytes, unsigned attempt)
{
    if (attempt == 0) {
        tri__cycle_run(tri__mutator_of_cache(cache));
        return true;
    }
    return ask_oom_handler(bytes);
}

static uint32_t thread_number(void)
{
    const struct tri__mutator *self = tri__mutator_self();

    return self != NULL ? self->tid : 0;
}

static const struct tri__heap_hooks heap_hooks = {
    .attach = attach,
    .safepoint = safepoint,
    .refilled = refilled,
    .hold_type = hold_type,
    .out_of_memory = out_of_memory,
    .take_over = take_over,
    .used = tri__use_check,
    .name_code = tri__use_name_code,
    .thread_number = thread_number,
};

void tri__safepoint_slow(void)
{
    TRI__IN_RUNTIME;
    struct tri__mutator *self = tri__mutator_self();

    /* Who sleeps has nothing to answer, and may have been left a request by the handshake that it
     * slept through: this is no use of the heap then. */
    if (self == NULL || self->blocking_depth != 0)
        return;
    TRI__USES_HEAP("tri_safepoint");
    safepoint(&self->writer.cache);
}

/* ---- the program's view ---- */

/* The calling thread first, which is easily detached again. */
static int start_threads(const struct tri__options *options)
{
    int error;

    tri__thread_end_watch();
    error = tri__mutator_attach();
    if (error != 0)
        return error;
    error = tri__collector_start(options->markers, tri__trace_cycle);
    if (error != 0)
        tri__mutator_leave();
    return error;
}

static int start_floors(const struct tri__options *options)
{
    int error = tri__heap_init(options->heap_reserve, options->memory_limit, &heap_hooks);

    if (error != 0)
        return error;
    error = tri__verify_init(options);
    if (error == 0)
        error = tri__mutators_init();
    if (error == 0) {
        tri__bulk_init(tri__root_find);
        tri__pace_init(options->gc_percent, options->memory_limit);
        tri__trace_init(options);
        tri__heap_check_init(options);
        tri__watchdog_init(options);
        error = tri__signal_init(options->signal);
        if (error == 0)
            error = start_threads(options);
        if (error == 0)
            return 0;
        tri__mutators_release();
        tri__rcu_barrier();
    }
    tri__verify_release();
    tri__heap_release();
    return error;
}

/* Nine tenths of what the container may use: the rest is for stacks, malloc and the page cache. */
static size_t default_memory_limit(void)
{
    size_t limit = tri__cgroup_memory_limit();

    return limit == SIZE_MAX ? SIZE_MAX : limit / 10 * 9;
}

/* What a later version will do is refused, not ignored. */
static int refuse_unknown(const struct tri__options *options)
{
    const char *what = options->trace_file != NULL ? "TRICOLOR_TRACE_FILE" : NULL;

    if (what == NULL)
        return 0;
    tri__warn("%s is not available in this version; unset it", what);
    return -EINVAL;
}

/* ---- fork: the order of locks is argued in docs/threads.md [inv.fork.locks] ---- */

static void before_fork(void)
{
    if (tri__mutator_is_forbidden())
        tri__fatal("fork() on a thread of the collector: log handlers must not fork");
    tri__window_open(); /* until after_fork_in_...: a signal must find no lock of ours held */
    TRI_BLOCKING {
        pthread_mutex_lock(&init_lock);
        tri__heap_before_fork();
        tri__rcu_pause();
        tri__windows_before_fork();
    }
    tri__rcu_before_fork();
    tri__collector_before_fork();
    tri__registry_lock();
    tri__roots_before_fork();
    tri__buffers_before_fork();
    if (initialized)
        tri__page_heap_lock(&tri__heap.pages);
    tri__retired_types_before_fork();
    tri__typed_before_fork();
}

static void unlock_after_fork(bool child)
{
    tri__typed_after_fork();
    tri__retired_types_after_fork();
    if (initialized)
        tri__page_heap_unlock(&tri__heap.pages);
    tri__buffers_after_fork();
    tri__roots_after_fork();
    tri__registry_unlock();
    tri__collector_after_fork();
    tri__windows_after_fork(child);
    tri__heap_after_fork();
    pthread_mutex_unlock(&init_lock);
}

static void after_fork_in_parent(void)
{
    unlock_after_fork(false);
    tri__rcu_after_fork_parent();
    tri__window_close();
}

/* Only what is safe in a signal handler; the rest when the heap is used. */
static void after_fork_in_child(void)
{
    if (initialized) {
        tri__collector_abandon_locked();
        tri__mutators_after_fork();
        tri__store_release(&tri__heap.orphaned, true); /* rel -> acq in tri__heap_take_over() */
    }
    tri__exit_after_fork();
    unlock_after_fork(true);
    tri__rcu_after_fork_child();
    tri__window_close();
}

static int hook_fork(void)
{
    int error = 0;

    if (!hooked)
        error = pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
    hooked = error == 0;
    return -error;
}

static int init_locked(const tri_config *config)
{
    struct tri__options options;
    int error;

    if (initialized)
        return -EALREADY;
    error = tri__options_load(&options, config);
    if (error == 0)
        error = refuse_unknown(&options);
    if (error == 0)
        error = hook_fork();
    if (error != 0)
        return error;
    tri__fault_init();
    tri__chaos_init(options.chaos_seed, options.chaos_points);
    if (tri__load_relaxed(&tri__chaos_on) != 0 && options.markers == 0)
        options.markers = tri__chaos_number(4);
    tri__double_check_init(options.oracle, options.seed);
    if (options.memory_limit == 0)
        options.memory_limit = default_memory_limit();
    oom = options.oom;
    oom_argument = options.oom_argument;
    error = start_floors(&options);
    initialized = error == 0;
    if (initialized)
        tri__retired_types_open(tri__typed_withdraw);
    return error;
}

int tri_init(const tri_config *config)
{
    TRI__IN_RUNTIME;
    int error, cancel_state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_mutex_lock(&init_lock);
    error = init_locked(config);
    pthread_mutex_unlock(&init_lock);
    pthread_setcancelstate(cancel_state, NULL);
    if (error != 0)
        return error;
    tri__module_pin(&init_lock); /* threads run in the library, and will at the end of others */
    return 0;
}

struct others {
    char text[96]; /* thread numbers */
    size_t used;
};

static void name_other(struct tri__mutator *mutator, void *argument)
{
    struct others *others = argument;
    size_t room = sizeof others->text - others->used;
    int wanted;

    if (mutator == tri__mutator_self() || room < sizeof ", 4294967295")
        return;
    wanted = snprintf(others->text + others->used, room, "%s%u", others->used != 0 ? ", " : "",
                      mutator->tid);
    others->used += (size_t)wanted;
}

/* Before anything is taken down, and before a cycle is waited for that might wait for them. */
static void refuse_others(void)
{
    size_t own = tri__mutator_self() != NULL, count = tri__registry_size();
    struct others others = {"", 0};

    if (count <= own)
        return;
    tri__registry_each(name_other, &others);
    tri__fatal("tri_shutdown() while %zu other thread%s attached (tid %s): join them, or let them "
               "call tri_thread_detach() first",
               count - own, count - own == 1 ? " is" : "s are", others.text);
}

static void shut_down_locked(void)
{
    if (!initialized)
        tri__fatal("tri_shutdown() without tri_init()");
    refuse_others();
    tri__collector_stop();
    tri__mutator_leave();
    refuse_others(); /* that came meanwhile */
    tri__mutators_release();
    tri__rcu_barrier();
    tri__roots_release();
    tri__arenas_release();
    tri__handles_release();
    tri__user_stacks_release();
    tri__rcu_barrier();
    tri__buffers_release();
    tri__work_release();
    tri__verify_release();
    tri__heap_release();
    tri__retired_types_close();
    initialized = false;
}

void tri_shutdown(void)
{
    TRI__IN_RUNTIME;
    int cancel_state;

    pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
    pthread_mutex_lock(&init_lock);
    shut_down_locked();
    pthread_mutex_unlock(&init_lock);
    pthread_setcancelstate(cancel_state, NULL);
}

void tri_collect(void)
{
    TRI__IN_RUNTIME;
    TRI__USES_HEAP(__func__);
    tri__cycle_run(tri__mutator_here());
}

int tri_set_gc_percent(int percent)
{
    TRI__IN_RUNTIME;
    return tri__pace_set_gc_percent(percent < 0 ? -1 : percent);
}

size_t tri_set_memory_limit(size_t bytes)
{
    TRI__IN_RUNTIME;
    tri__heap_set_limit(bytes);
    return tri__pace_set_memory_limit(bytes);
}
