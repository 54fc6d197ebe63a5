/* SPDX-License-Identifier: MIT */
/* Tight loops over the heap that are interrupted wherever a signal finds them, by the collector's
 * signals and by handlers of the program's, beside cycles without a pause. Each thread knows what
 * each of its slots must hold.
 *
 * No loop has a safepoint, but for those whose work is one. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/time.h>

#include "coroutine.h"
#include "limited.h"
#include "random.h"
#include "spinner.h"
#include "suite.h"

enum { SLOTS = 24, HANDLES = 8 };

typedef struct item {
    struct item *next;
    uintptr_t key;
} item;
TRI_TYPE(item, next);

typedef struct table {
    item *slots[SLOTS];
} table;
TRI_TYPE(table, slots);

/* Lies on the thread's stack. */
struct shadow {
    table *table;
    uintptr_t keys[SLOTS]; /* of what each slot must hold */
    item *carried;         /* in no slot */
    uintptr_t carried_key;
    tri_handle *handles[HANDLES]; /* the first slots */
    struct random random;
};

static uint64_t program_seed;
static uint64_t turns; /* atomic: of all threads */

/* ---- the shadow ---- */

static item *item_of(uintptr_t key)
{
    item *fresh = tri_new(item);

    ck_assert_ptr_nonnull(fresh);
    fresh->key = key;
    return fresh;
}

static void check_item(const item *at, uintptr_t key)
{
    if (tri_object_base(at) != at || at->key != key)
        ck_abort_msg("an object was lost: %p has the key %lx instead of %lx", (const void *)at,
                     (unsigned long)at->key, (unsigned long)key);
}

static void check_all(struct shadow *shadow)
{
    for (int i = 0; i < SLOTS; i++)
        check_item(shadow->table->slots[i], shadow->keys[i]);
    check_item(shadow->carried, shadow->carried_key);
}

static void shadow_init(struct shadow *shadow, uint64_t stream)
{
    shadow->random = random_of(program_seed, stream);
    shadow->table = tri_new(table);
    ck_assert_ptr_nonnull(shadow->table);
    for (int i = 0; i < SLOTS; i++) {
        shadow->keys[i] = random_next(&shadow->random);
        tri_store(&shadow->table->slots[i], item_of(shadow->keys[i]));
    }
    shadow->carried_key = random_next(&shadow->random);
    shadow->carried = item_of(shadow->carried_key);
    for (int i = 0; i < HANDLES; i++)
        shadow->handles[i] = tri_handle_new(shadow->table->slots[i]);
}

static void shadow_end(struct shadow *shadow)
{
    check_all(shadow);
    for (int i = 0; i < HANDLES; i++)
        tri_handle_free(shadow->handles[i]);
}

static void swap_keys(uintptr_t *a, uintptr_t *b)
{
    uintptr_t key = *a;

    *a = *b;
    *b = key;
}

static size_t any_slot(struct shadow *shadow)
{
    return (size_t)random_below(&shadow->random, SLOTS);
}

static void rotate_keys(struct shadow *shadow)
{
    uintptr_t first = shadow->keys[0];

    memmove(&shadow->keys[0], &shadow->keys[1], (SLOTS - 1) * sizeof first);
    shadow->keys[SLOTS - 1] = first;
}

/* ---- one turn of each loop ---- */

static void turn_stores(struct shadow *shadow)
{
    size_t i = any_slot(shadow), j = any_slot(shadow);
    item *a = shadow->table->slots[i], *b = shadow->table->slots[j];

    tri_store(&shadow->table->slots[i], b);
    tri_store_release(&shadow->table->slots[j], a);
    swap_keys(&shadow->keys[i], &shadow->keys[j]);
}

static void turn_exchange(struct shadow *shadow)
{
    size_t i = any_slot(shadow);

    shadow->carried = tri_exchange(&shadow->table->slots[i], shadow->carried);
    swap_keys(&shadow->carried_key, &shadow->keys[i]);
}

static void turn_compare_exchange(struct shadow *shadow)
{
    size_t i = any_slot(shadow);
    item *wrong = shadow->carried, *right = shadow->table->slots[i];

    if (tri_compare_exchange(&shadow->table->slots[i], &wrong, shadow->carried) || wrong != right)
        ck_abort_msg("a compare-exchange of what was not there went wrong");
    if (!tri_compare_exchange(&shadow->table->slots[i], &right, shadow->carried))
        ck_abort_msg("a compare-exchange of what was there failed");
    shadow->carried = right;
    swap_keys(&shadow->carried_key, &shadow->keys[i]);
}

static void turn_new(struct shadow *shadow)
{
    size_t i = any_slot(shadow);

    shadow->keys[i] = random_next(&shadow->random);
    tri_store(&shadow->table->slots[i], item_of(shadow->keys[i]));
}

static void turn_memmove(struct shadow *shadow)
{
    item *first = shadow->table->slots[0];

    tri_memmove(&shadow->table->slots[0], &shadow->table->slots[1], (SLOTS - 1) * sizeof first);
    tri_store(&shadow->table->slots[SLOTS - 1], first);
    rotate_keys(shadow);
}

static void turn_handles(struct shadow *shadow)
{
    size_t i = (size_t)random_below(&shadow->random, HANDLES);
    item *held = tri_handle_get(shadow->handles[i]);

    tri_handle_set(shadow->handles[i], shadow->carried);
    shadow->carried = held;
    swap_keys(&shadow->carried_key, &shadow->keys[i]);
    tri_store(&shadow->table->slots[i], (item *)tri_handle_get(shadow->handles[i]));
}

static void spin_for(uint64_t ns)
{
    uint64_t end = tri__os_now() + ns;

    while (tri__os_now() < end)
        continue;
}

static uint32_t own_answer(void)
{
    return tri__load_relaxed(&tri__mutator_self()->answered);
}

/* [inv.window.held]: between the barrier and the safepoint nothing is answered. */
static void turn_held(struct shadow *shadow)
{
    item **slots = shadow->table->slots, *first = slots[0];
    uint32_t answer;

    tri_bulk_barrier_pre_write(&slots[0], &slots[1], (SLOTS - 1) * sizeof first);
    answer = own_answer();
    spin_for(random_below(&shadow->random, 500000));
    for (int i = 0; i + 1 < SLOTS; i++)
        tri__store_relaxed(&slots[i], tri__load_relaxed(&slots[i + 1]));
    ck_assert_uint_eq(own_answer(), answer);
    tri_safepoint();
    tri_store(&slots[SLOTS - 1], first);
    rotate_keys(shadow);
}

static void (*const loops[])(struct shadow *) = {
    turn_stores, turn_exchange, turn_compare_exchange, turn_new,
    turn_memmove, turn_handles, turn_held,
};
enum { LOOPS = sizeof loops / sizeof loops[0], LOOP_NEW = 3 };

/* ---- threads ---- */

struct looper {
    pthread_t thread;
    void (*turn)(struct shadow *);
    uint64_t stream;
    bool alternate;      /* has an alternate signal stack */
    uint32_t *stop;      /* atomic */
    uint32_t ready;      /* atomic */
};

static void check_any(struct shadow *shadow)
{
    size_t i = any_slot(shadow);

    check_item(shadow->table->slots[i], shadow->keys[i]);
}

static void loop(struct looper *self)
{
    struct shadow shadow;

    shadow_init(&shadow, self->stream);
    tri__store_release(&self->ready, 1); /* rel -> acq in loopers_start() */
    while (tri__load_relaxed(self->stop) == 0) {
        for (int i = 0; i < 50; i++)
            self->turn(&shadow);
        check_any(&shadow);
        tri__fetch_add_relaxed(&turns, 50);
    }
    shadow_end(&shadow);
}

#define ALTERNATE_BYTES ((size_t)64 << 10)

static void *looper_main(void *argument)
{
    struct looper *self = argument;
    stack_t stack = {.ss_sp = malloc(ALTERNATE_BYTES), .ss_size = ALTERNATE_BYTES};

    ck_assert_ptr_nonnull(stack.ss_sp);
    if (self->alternate)
        ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    loop(self);
    stack.ss_flags = SS_DISABLE;
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    free(stack.ss_sp);
    return NULL;
}

static void loopers_start(struct looper *loopers, int n)
{
    for (int i = 0; i < n; i++) {
        loopers[i].stream = (uint64_t)i;
        ck_assert_int_eq(pthread_create(&loopers[i].thread, NULL, looper_main, &loopers[i]), 0);
        while (tri__load_acquire(&loopers[i].ready) == 0) /* acq <- rel in loop() */
            tri__os_sleep(100000);
    }
}

static void loopers_join(struct looper *loopers, int n)
{
    TRI_BLOCKING
        for (int i = 0; i < n; i++)
            pthread_join(loopers[i].thread, NULL);
}

/* Cycles without a pause: so many, which takes long enough with a sanitizer; and for so long. */
enum { CYCLES = 10 };
#define RUN_NS (IS_SANITIZED ? UINT64_C(300000000) : UINT64_C(700000000))

static void collect_for_a_while(void)
{
    uint64_t end = tri__os_now() + RUN_NS;

    collect_times(CYCLES);
    while (tri__os_now() < end)
        tri_collect();
}

START_TEST(tight_loops)
{
    uint32_t stop = 0;
    struct looper loopers[2] = {{.turn = loops[_i], .stop = &stop},
                                {.turn = loops[LOOP_NEW], .stop = &stop}};

    start_quiet();
    loopers_start(loopers, 2);
    collect_for_a_while();
    tri__store_relaxed(&stop, 1);
    loopers_join(loopers, 2);
    ck_assert_uint_gt(tri__load_relaxed(&turns), 0);
    tri_shutdown();
}
END_TEST

START_TEST(all_loops_at_once)
{
    uint32_t stop = 0;
    struct looper loopers[LOOPS] = {{0}};

    start_quiet();
    for (int i = 0; i < LOOPS; i++)
        loopers[i] = (struct looper){.turn = loops[i], .stop = &stop};
    loopers_start(loopers, LOOPS);
    collect_times(CYCLES);
    tri__store_relaxed(&stop, 1);
    loopers_join(loopers, LOOPS);
    tri_shutdown();
}
END_TEST

/* ---- handlers of the program's ---- */

static uint64_t alarms; /* atomic */

/* Long enough for the collector to lose patience with who is interrupted. */
static void on_alarm(int number)
{
    (void)number;
    spin_for(tri__fetch_add_relaxed(&alarms, 1) % 4 * 100000);
}

struct nagger {
    pthread_t thread;
    const struct looper *loopers;
    int count;
    uint32_t stop; /* atomic */
};

static void *nag(void *argument)
{
    struct nagger *self = argument;

    for (int i = 0; tri__load_relaxed(&self->stop) == 0; i = (i + 1) % self->count) {
        pthread_kill(self->loopers[i].thread, SIGALRM);
        tri__os_sleep(500000);
    }
    return NULL;
}

static void set_timer(suseconds_t us)
{
    struct itimerval timer = {{0, us}, {0, us}};

    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void collect_beside_alarms(struct looper *loopers, int n)
{
    struct nagger nagger = {.loopers = loopers, .count = n};

    ck_assert_int_eq(pthread_create(&nagger.thread, NULL, nag, &nagger), 0);
    set_timer(3000);
    collect_for_a_while();
    set_timer(0);
    tri__store_relaxed(&nagger.stop, 1);
    TRI_BLOCKING
        pthread_join(nagger.thread, NULL);
}

/* The collector's signal comes inside of them, and finds a window that they have interrupted. */
static void run_beside_handlers(void (*turn)(struct shadow *), bool alternate)
{
    struct sigaction action = {.sa_handler = on_alarm,
                               .sa_flags = SA_RESTART | (alternate ? SA_ONSTACK : 0)};
    uint32_t stop = 0;
    struct looper loopers[2] = {
        {.turn = turn, .stop = &stop, .alternate = alternate},
        {.turn = loops[LOOP_NEW], .stop = &stop, .alternate = alternate}};

    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    start_quiet();
    loopers_start(loopers, 2);
    collect_beside_alarms(loopers, 2);
    tri__store_relaxed(&stop, 1);
    loopers_join(loopers, 2);
    ck_assert_uint_gt(tri__load_relaxed(&alarms), 10);
    tri_shutdown();
}

START_TEST(handlers_of_the_program)
{
    run_beside_handlers(loops[_i], false);
}
END_TEST

START_TEST(handlers_of_the_program_on_an_alternate_stack)
{
    run_beside_handlers(loops[_i], true);
}
END_TEST

/* ---- held ---- */

struct holder {
    pthread_t thread;
    uint32_t holds; /* atomic: it has begun */
    uint32_t stop;  /* atomic */
    uint64_t asked; /* how often it held a request back */
};

static bool was_asked(void)
{
    return (tri__load_relaxed(&tri__self->request) & TRI__REQUEST_ASKED) != 0;
}

/* Without a safepoint it may hold a cycle up for as long as it likes, and nothing changes for it. */
static void *hold(void *argument)
{
    struct holder *self = argument;
    table *own = tri_new(table);

    ck_assert_ptr_nonnull(own);
    while (tri__load_relaxed(&self->stop) == 0) {
        uint32_t answer, barrier;
        bool asked;

        tri_bulk_barrier_pre_write(own, NULL, sizeof *own);
        answer = own_answer();
        barrier = tri__self->barrier;
        tri__store_relaxed(&self->holds, 1);
        spin_for(20000000);
        asked = was_asked();
        self->asked += asked;
        ck_assert_uint_eq(own_answer(), answer);
        ck_assert_uint_eq(tri__self->barrier, barrier);
        tri_safepoint();
        ck_assert(!asked || own_answer() != answer);
    }
    return NULL;
}

START_TEST(who_moves_memory_itself_is_not_changed)
{
    struct holder holder = {0};

    start_quiet();
    ck_assert_int_eq(pthread_create(&holder.thread, NULL, hold, &holder), 0);
    while (tri__load_relaxed(&holder.holds) == 0)
        tri_safepoint();
    collect_times(6);
    tri__store_relaxed(&holder.stop, 1);
    TRI_BLOCKING
        pthread_join(holder.thread, NULL);
    ck_assert_uint_gt(holder.asked, 5);
    tri_shutdown();
}
END_TEST

/* ---- coroutines ---- */

/* As in coroutine.h, but for the time between the announcement of a switch and the switch. */
static void resume_late(struct coroutine *coroutine, uint64_t ns)
{
    coroutine->caller_fiber = __tsan_get_current_fiber();
    tri_stack_switch(coroutine->stack);
    spin_for(ns);
    __tsan_switch_to_fiber(coroutine->fiber, 0);
    swapcontext(&coroutine->caller, &coroutine->context);
}

static void yield_late(struct coroutine *self, uint64_t ns)
{
    tri_stack_switch(NULL);
    spin_for(ns);
    __tsan_switch_to_fiber(self->caller_fiber, 0);
    swapcontext(&self->context, &self->caller);
}

static void loop_and_yield(struct coroutine *self)
{
    const uint32_t *stop = self->argument;
    struct shadow shadow;

    shadow_init(&shadow, (uintptr_t)self);
    while (tri__load_relaxed(stop) == 0) {
        for (int i = 0; i < 100; i++)
            turn_stores(&shadow);
        turn_new(&shadow);
        check_any(&shadow);
        yield_late(self, random_below(&shadow.random, 400000));
    }
    shadow_end(&shadow);
}

static void *switch_stacks(void *stop)
{
    enum { MANY = 5 };
    struct random random = random_of(program_seed, 99);
    struct coroutine *coroutines[MANY];

    for (int i = 0; i < MANY; i++)
        coroutines[i] = coroutine_new(loop_and_yield, stop);
    while (tri__load_relaxed((uint32_t *)stop) == 0)
        resume_late(coroutines[random_below(&random, MANY)], random_below(&random, 400000));
    for (int i = 0; i < MANY; i++) {
        while (!coroutines[i]->ended)
            resume_late(coroutines[i], 0);
        coroutine_free(coroutines[i]);
    }
    return NULL;
}

START_TEST(between_the_announcement_of_a_switch_and_the_switch)
{
    uint32_t stop = 0;
    pthread_t thread;

    start_quiet();
    ck_assert_int_eq(pthread_create(&thread, NULL, switch_stacks, &stop), 0);
    collect_for_a_while();
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tri_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("signal_heap");
    TCase *tcase = tcase_create("loops");

    program_seed = random_start(argc, argv);
    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_loop_test(tcase, tight_loops, 0, LOOPS);
    tcase_add_test(tcase, all_loops_at_once);
    if (!HAS_TSAN) { /* which may leave a thread all signals blocked when two come at once */
        tcase_add_loop_test(tcase, handlers_of_the_program, 0, LOOPS);
        tcase_add_loop_test(tcase, handlers_of_the_program_on_an_alternate_stack, 0, LOOPS);
    }
    tcase_add_test(tcase, who_moves_memory_itself_is_not_changed);
    tcase_add_test(tcase, between_the_announcement_of_a_switch_and_the_switch);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
