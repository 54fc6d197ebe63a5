/* SPDX-License-Identifier: MIT */
/* tests/inject/scenarios.c: what the library is doing when its calls fail.
 *
 * Each act checks every return value against what the headers document, stops at the first error,
 * and leaves nothing behind. It calls nothing of libc's that is wrapped but through the library. */

#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/module.h"
#include "collector/coordinator.h"
#include "scenarios.h"

#define CYCLES_SECONDS 60

TRI_TYPE(node, next, other);
TRI_TYPE(wide, first, last);
TRI_FLEX_TYPE(list, items, next);

TRI_ROOT node *kept;

/* ---- parts ---- */

tri_config config_of_test(void)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.markers = 2;
    return config;
}

static void start(void)
{
    tri_config config = config_of_test();

    INJECT_MUST(tri_init(&config) == 0);
}

void stop(void)
{
    tri_store(&kept, NULL);
    tri_shutdown();
}

__attribute__((noinline)) bool keep_nodes(uintptr_t count)
{
    for (uintptr_t key = 1; key <= count; key++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            return false;
        fresh->key = key;
        tri_init_store(&fresh->next, kept);
        tri_store(&kept, fresh);
    }
    return true;
}

static const char *nodes_trouble(uintptr_t count)
{
    const node *at = kept;

    for (uintptr_t key = count; key >= 1; key--, at = at->next)
        if (at == NULL || at->key != key)
            return "an object was lost";
    return NULL;
}

const char *heap_trouble(void)
{
    const char *trouble;
    tri_stats before = TRI_STATS_INIT, after = TRI_STATS_INIT;

    tri_store(&kept, NULL);
    if (!keep_nodes(300))
        return "nothing can be allocated any more";
    tri_stats_get(&before);
    tri_collect();
    tri_stats_get(&after);
    if (after.forced_cycles == before.forced_cycles)
        return "no cycle is run any more";
    trouble = nodes_trouble(300);
    tri_store(&kept, NULL);
    return trouble;
}

/* ---- initialization ---- */

static void nothing(void)
{
}

static int init_and_shut_down(void)
{
    tri_config config = config_of_test();
    int error = tri_init(&config);

    /* -EINVAL: from sigaction(), which takes every signal that the configuration does. */
    INJECT_MUST(error == 0 || error == -ENOMEM || error == -EAGAIN || error == -EINVAL);
    if (error != 0)
        return error;
    kept = NULL;
    if (!keep_nodes(20))
        error = out_of_memory();
    tri_collect();
    stop();
    return error;
}

static uintptr_t hidden; /* of the only pointer to an object the bits, turned round */

/* A store that nobody has told the collector of: it looks for who holds the holder. */
static void store_plainly(enum tri__cycle_stage stage)
{
    if (stage == TRI__STAGE_VERDICT && kept != NULL)
        kept->next->next->other = (node *)~hidden;
}

static __attribute__((noinline)) int verify_one(void)
{
    node *lost = keep_nodes(2000) ? tri_new(node) : NULL;

    if (lost == NULL)
        return out_of_memory();
    hidden = ~(uintptr_t)lost;
    return 0;
}

static int init_to_verify(void)
{
    tri_config config = config_of_test();
    int error;

    config.verify = "barrier=warn,layout";
    error = tri_init(&config);
    INJECT_MUST(error == 0 || error == -ENOMEM || error == -EAGAIN || error == -EINVAL);
    if (error != 0)
        return error;
    kept = NULL;
    error = verify_one();
    tri__cycle_at_stage = error == 0 ? store_plainly : NULL;
    tri_collect();
    tri__cycle_at_stage = NULL;
    stop();
    return error;
}

/* ---- threads ---- */

static void *allocate_some(void *argument)
{
    node *given = argument;

    for (int i = 0; i < 200; i++) {
        node *fresh = tri_new(node);

        if (fresh == NULL)
            return (void *)(intptr_t)out_of_memory();
        tri_store(&given->other, fresh);
    }
    return NULL;
}

static int create_and_join(void)
{
    node *given = tri_new(node);
    pthread_t thread;
    void *result;
    int error;

    if (given == NULL)
        return out_of_memory();
    error = tri_thread_create(&thread, NULL, allocate_some, given);
    INJECT_MUST(error == 0 || error == EAGAIN);
    if (error != 0)
        return -error;
    TRI_BLOCKING
        pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

static void *attach_and_detach(void *unused)
{
    int error = no_memory(tri_thread_attach());

    (void)unused;
    if (error != 0)
        return (void *)(intptr_t)error;
    if (tri_new(node) == NULL)
        error = out_of_memory();
    tri_thread_detach();
    return (void *)(intptr_t)error;
}

static int attach_by_hand(void)
{
    pthread_t thread;
    void *result;

    INJECT_MUST(__real_pthread_create(&thread, NULL, attach_and_detach, NULL) == 0);
    TRI_BLOCKING
        pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

static int come_and_go(void)
{
    int error = attach_by_hand();

    if (error == 0)
        error = create_and_join();
    tri_thread_detach(); /* this one */
    if (error == 0)
        error = no_memory(tri_thread_attach());
    return error;
}

/* ---- a cycle with full buffers ---- */

#define STORES 20000

static uint32_t stored, stopped; /* atomic */

/* The mark does not end before the program has filled buffers in it. */
static void wait_for_stores(enum tri__cycle_stage stage)
{
    if (stage == TRI__STAGE_MARK)
        while (__atomic_load_n(&stored, __ATOMIC_RELAXED) < STORES &&
               __atomic_load_n(&stopped, __ATOMIC_RELAXED) == 0)
            sched_yield();
}

static uint64_t cycles_now(void)
{
    tri_stats stats = TRI_STATS_INIT;

    tri_stats_get(&stats);
    return stats.cycles;
}

/* Until the cycle is over. Nodes are few, so that each is stored, and overwritten, often. */
static int store_until(uint64_t cycle)
{
    node *fresh = kept;
    time_t limit = time(NULL) + CYCLES_SECONDS;

    for (uint32_t i = 1; i % 1000 != 0 || cycles_now() < cycle; i++) {
        if (i % 8 == 0)
            fresh = tri_new(node);
        if (fresh == NULL)
            return out_of_memory();
        tri_store(&kept->other, fresh);
        tri_store(&kept, kept->next != NULL ? kept->next : kept);
        if (tri__self->barrier == TRI__BARRIER_SCANNED)
            __atomic_fetch_add(&stored, 2, __ATOMIC_RELAXED);
        tri_safepoint();
        INJECT_MUST(time(NULL) < limit);
    }
    return 0;
}

static int cycle_with_stores(void)
{
    uint64_t cycles = cycles_now();
    int error;

    stored = 0;
    stopped = 0;
    if (!keep_nodes(5000))
        return out_of_memory();
    tri__cycle_at_stage = wait_for_stores;
    tri__cycle_request();
    error = store_until(cycles + 1);
    __atomic_store_n(&stopped, 1, __ATOMIC_RELAXED);
    tri_collect(); /* nobody is in the function any more */
    tri__cycle_at_stage = NULL;
    tri_store(&kept, NULL);
    return error;
}

/* ---- fork ---- */

static int use_in_child(void)
{
    int error = allocate_small();

    if (error == 0)
        error = create_and_join();
    tri_collect();
    return error;
}

/* Not to be taken for one of the harness's own. */
#define CHILD_DONE 40

static int fork_and_use(void)
{
    int status = 0;
    pid_t child;

    if (!keep_nodes(100))
        return out_of_memory();
    child = fork();
    INJECT_MUST(child >= 0);
    if (child == 0) {
        alarm(CYCLES_SECONDS);
        _exit(CHILD_DONE - use_in_child());
    }
    TRI_BLOCKING
        INJECT_MUST(waitpid(child, &status, 0) == child);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT)
        abort(); /* it has said why */
    if (!WIFEXITED(status))
        fprintf(stderr, "the child of fork was ended by signal %d\n", WTERMSIG(status));
    INJECT_MUST(WIFEXITED(status) && WEXITSTATUS(status) >= CHILD_DONE);
    INJECT_MUST(nodes_trouble(100) == NULL);
    tri_store(&kept, NULL);
    return CHILD_DONE - WEXITSTATUS(status);
}

/* ---- stacks and modules ---- */

#define STACKS 200

static int register_stacks(void)
{
    static tri_stack *stacks[STACKS];
    static char memory[STACKS][256] __attribute__((aligned(16)));
    int n = 0, error = 0;

    for (; n < STACKS; n++) {
        stacks[n] = tri_stack_register(memory[n], sizeof memory[n]);
        if (stacks[n] == NULL) {
            error = out_of_memory();
            break;
        }
    }
    tri_collect();
    while (n-- > 0)
        tri_stack_unregister(stacks[n]);
    return error;
}

/* As the constructors and destructors of a shared object do. */
static int come_and_go_as_module(void)
{
    static node *roots[8];
    static struct tri__window windows[2];
    int error;

    windows[0] = (struct tri__window){0, 8};
    windows[1] = (struct tri__window){16, 24};
    tri__windows_add(windows, windows + 2);
    tri__module_add(roots, roots + 8);
    error = keep_nodes(10) ? 0 : out_of_memory();
    tri_store(&roots[3], kept);
    tri_store(&kept, NULL);
    tri_collect();
    INJECT_MUST(roots[3] == NULL || roots[3]->key == 10);
    tri_store(&roots[3], NULL);
    tri__module_remove(roots);
    tri__windows_remove(windows);
    return error;
}

static int register_and_unregister(void)
{
    int error = register_stacks(), pinned;

    if (error == 0)
        error = come_and_go_as_module();
    pinned = tri__module_pin(
        (const void *)(uintptr_t)dlsym(RTLD_DEFAULT, "getenv")); /* libc stays anyway */
    INJECT_MUST(pinned == 0 || pinned == -EBUSY);
    return error != 0 ? error : pinned;
}

/* ---- the list ---- */

const struct scenario scenarios[] = {
    {"init", nothing, init_and_shut_down, nothing, NULL, false},
    {"verify", nothing, init_to_verify, nothing, NULL, false},
    {"threads", start, come_and_go, stop, "no memory to attach a thread", false},
    {"small", start, allocate_small, stop, NULL, false},
    {"large", start, allocate_large, stop, NULL, false},
    {"types", start, build_and_retire, end_types, NULL, false},
    {"arenas", start, use_arenas, stop, NULL, false},
    {"roots", start, hold_and_look, stop, NULL, false},
    {"cycle", start, cycle_with_stores, stop, NULL, false},
    {"fork", start, fork_and_use, stop, "no memory to attach a thread", true},
    {"stacks", start, register_and_unregister, stop,
     "no memory to register the TRI_ROOT variables of a module", false},
    {"limit", start_limited, run_out, stop, NULL, false},
};
const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];
