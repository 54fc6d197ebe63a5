/* SPDX-License-Identifier: MIT */
/* Handlers of the program's, on the thread's own stack and on alternate ones, that take their time:
 * what only they hold stays alive, and what only those hold that they have interrupted.
 *
 * Threads: one that spins and is interrupted, the host; and one that interrupts it and collects.
 * Each of the two may be the main thread. Not with ThreadSanitizer, which calls handlers where it
 * likes, with a copy of the context. */
#include <check.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "limited.h"
#include "spinner.h"
#include "suite.h"

#define AUTODISARM INT_MIN /* SS_AUTODISARM; 1 << 31 is not defined in C */

#define ALTERNATE_BYTES ((size_t)64 << 10)
#define LONG_NS UINT64_C(100000000) /* in which a cycle would be over if nothing held it */

/* Which stacks there are, and what the handler does to them. */
struct arrangement {
    const char *name;
    bool has_alternate;
    bool is_local;   /* the alternate stack is a local array */
    bool on_it;      /* the program's handler runs there */
    bool autodisarm; /* while it does, there is none */
    bool swaps;      /* it puts another one in its place */
    bool disables;   /* it switches it off */
    bool waits;      /* while it runs, the thread does not answer */
};

#if defined(__x86_64__)
enum { LOCAL_WAITS = 0 };
#else
enum { LOCAL_WAITS = 1 };
#endif

static const struct arrangement arrangements[] = {
    {.name = "own"},
    {.name = "own, beside an alternate one", .has_alternate = true},
    {.name = "own, swaps the alternate one", .has_alternate = true, .swaps = true},
    {.name = "own, switches the alternate one off", .has_alternate = true, .disables = true},
    {.name = "own, beside a local one", .has_alternate = true, .is_local = true},
    {.name = "alternate", .has_alternate = true, .on_it = true, .waits = true},
    {.name = "alternate, local", .has_alternate = true, .on_it = true, .is_local = true,
     .waits = LOCAL_WAITS},
    {.name = "disarmed", .has_alternate = true, .on_it = true, .autodisarm = true, .waits = true},
    {.name = "disarmed, swaps", .has_alternate = true, .on_it = true, .autodisarm = true,
     .swaps = true, .waits = true},
#if defined(__x86_64__) /* elsewhere that is not allowed */
    {.name = "disarmed, local", .has_alternate = true, .on_it = true, .autodisarm = true,
     .is_local = true},
#endif
};
enum { ARRANGEMENTS = sizeof arrangements / sizeof arrangements[0] };

/* In memory, in the frame; the other places are registers and the red zone. */
static __attribute__((noinline)) uintptr_t spin_on_stack(uintptr_t hidden, const uint32_t *stop)
{
    volatile uintptr_t word = ~hidden;

    hidden = 0;
    while (tri__load_relaxed(stop) == 0)
        continue;
    hidden = ~word;
    word = 0;
    return hidden;
}

static uintptr_t (*const places[])(uintptr_t, const uint32_t *) = {
    spin_on_stack, spin_in_register, spin_in_vector, spin_in_wide_vector, spin_in_red_zone};
enum { PLACES = sizeof places / sizeof places[0] };

/* One host at a time. */
static struct {
    const struct arrangement *arrangement;
    uintptr_t (*spin)(uintptr_t, const uint32_t *);
    struct hidden below, inside; /* held where the host spins, and by the handler only */
    pthread_t host;
    uint32_t spins, stop;     /* atomic: the host */
    uint32_t entered, leave;  /* atomic: the handler */
    uint32_t left;            /* atomic: it has returned */
    void *spare;              /* another alternate stack */
    tri_handle *keeper;       /* of `inside`, until the handler has it */
} scene;

/* ---- the handler ---- */

static void change_stacks(void)
{
    stack_t stack = {.ss_sp = scene.spare, .ss_size = ALTERNATE_BYTES};

    if (scene.arrangement->disables)
        stack.ss_flags = SS_DISABLE;
    if (scene.arrangement->swaps || scene.arrangement->disables)
        ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
}

static void on_visit(int number)
{
    int error = errno;

    (void)number;
    change_stacks();
    tri__store_release(&scene.entered, 1); /* rel -> acq in await() */
    scene.inside.bits = scene.spin(scene.inside.bits, &scene.leave);
    errno = error;
    tri__store_release(&scene.left, 1); /* rel -> acq in await() */
}

/* ---- the host ---- */

static void set_alternate(void *memory, stack_t *before)
{
    stack_t stack = {.ss_sp = memory, .ss_size = ALTERNATE_BYTES};

    if (scene.arrangement->autodisarm)
        stack.ss_flags = AUTODISARM;
    if (!scene.arrangement->has_alternate)
        stack.ss_flags = SS_DISABLE;
    ck_assert_int_eq(sigaltstack(&stack, before), 0);
}

static __attribute__((noinline)) void spin_below(void)
{
    scene.below = new_spun();
    scene.inside = new_spun();
    scene.keeper = tri_handle_new(reveal(scene.inside));
    ck_assert_ptr_nonnull(scene.keeper);
    clear_stack();
    tri__store_release(&scene.spins, 1); /* rel -> acq in await() */
    scene.below.bits = scene.spin(scene.below.bits, &scene.stop);
}

static void *be_host(void *unused)
{
    _Alignas(64) char local[ALTERNATE_BYTES];
    void *alternate = scene.arrangement->is_local ? local : malloc(ALTERNATE_BYTES);
    stack_t before;

    __asm__ volatile("" : : "r"(local) : "memory");
    ck_assert_ptr_nonnull(alternate);
    set_alternate(alternate, &before);
    scene.host = pthread_self();
    spin_below();
    before.ss_flags &= SS_DISABLE;
    ck_assert_int_eq(sigaltstack(&before, NULL), 0);
    if (alternate != local)
        free(alternate);
    return unused;
}

/* ---- who collects ---- */

static void await(const uint32_t *flag)
{
    while (tri__load_acquire(flag) == 0)
        tri__os_sleep(100000);
}

static void check(struct hidden hidden, const char *which)
{
    const spun *object = reveal(hidden);

    if (tri_object_base(object) != object || object->key != SPUN_KEY)
        ck_abort_msg("%s: the object %s was freed", scene.arrangement->name, which);
}

static void collect_and_check(int times, bool in_handler)
{
    for (int i = 0; i < times; i++) {
        tri_collect();
        check(scene.below, "below the handler");
        if (in_handler)
            check(scene.inside, "in the handler");
    }
}

/* The cycle cannot end before the handler has returned. */
static void collect_late(void)
{
    struct collection collection;

    collection_start(&collection, 1);
    TRI_BLOCKING
        tri__os_sleep(LONG_NS);
    ck_assert_msg(!collection_is_over(&collection), "%s", scene.arrangement->name);
    check(scene.below, "below the handler");
    check(scene.inside, "in the handler");
    tri__store_release(&scene.leave, 1);
    collection_join(&collection);
}

static void *visit(void *unused)
{
    await(&scene.spins);
    collect_and_check(2, false);
    ck_assert_int_eq(pthread_kill(scene.host, SIGUSR1), 0);
    await(&scene.entered);
    tri_handle_free(scene.keeper);
    if (scene.arrangement->waits)
        collect_late();
    else
        collect_and_check(3, true);
    tri__store_release(&scene.leave, 1);
    await(&scene.left);
    collect_and_check(2, false);
    tri__store_release(&scene.stop, 1);
    return unused;
}

/* ---- ---- */

static void set_up(int arrangement, int place)
{
    struct sigaction action = {.sa_handler = on_visit};

    scene.arrangement = &arrangements[arrangement];
    scene.spin = places[place];
    scene.spare = malloc(ALTERNATE_BYTES);
    ck_assert_ptr_nonnull(scene.spare);
    if (scene.arrangement->on_it)
        action.sa_flags = SA_ONSTACK;
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
    start_quiet();
}

/* The first is the calling thread's. */
static void run(void *(*here)(void *), void *(*there)(void *))
{
    pthread_t thread;

    ck_assert_int_eq(pthread_create(&thread, NULL, there, NULL), 0);
    here(NULL);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tri_shutdown();
    free(scene.spare);
}

START_TEST(a_thread_is_interrupted)
{
    set_up(_i / PLACES, _i % PLACES);
    run(visit, be_host);
}
END_TEST

START_TEST(the_main_thread_is_interrupted)
{
    set_up(_i / PLACES, _i % PLACES);
    run(be_host, visit);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("alternate_stacks");
    TCase *tcase = tcase_create("visits");
    const int count = HAS_TSAN ? 0 : ARRANGEMENTS * PLACES;

    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_loop_test(tcase, a_thread_is_interrupted, 0, count);
    tcase_add_loop_test(tcase, the_main_thread_is_interrupted, 0, count);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
