/* SPDX-License-Identifier: MIT */
/* Stacks of coroutines: what is on one that nobody runs on stays alive, whichever thread left it and
 * in whatever phase; and rules whose breach is fatal. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "capture.h"
#include "collected.h"
#include "coroutine.h"
#include "phase.h"
#include "random.h"
#include "sanitized.h"
#include "suite.h"

#include "mutator/stack.h"
#include "mutator/user_stack.h"

typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

#define LENGTH 20

static node *list_of(uintptr_t key)
{
    node *list = NULL;

    for (int i = 0; i < LENGTH; i++) {
        node *fresh = tri_new(node);

        ck_assert_ptr_nonnull(fresh);
        fresh->key = key;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

static bool is_list_of(const node *list, uintptr_t key)
{
    int length = 0;

    for (; list != NULL && list->key == key; list = list->next)
        length++;
    return list == NULL && length == LENGTH;
}

/* ---- words ---- */

static void count_word(uintptr_t word, void *counts)
{
    ck_assert_uint_lt(word - tri__heap.base, 5);
    ((int *)counts)[word - tri__heap.base]++;
}

START_TEST(every_word_of_a_stretch)
{
    uintptr_t words[7];
    int counts[5] = {0};

    start_quiet();
    words[0] = words[6] = tri__heap.base; /* outside: counted twice if it is looked at */
    for (uintptr_t i = 0; i < 5; i++)
        words[1 + i] = tri__heap.base + i;
    tri__stack_words((uintptr_t)(words + 1), (uintptr_t)(words + 6), count_word, counts);
    for (int i = 0; i < 5; i++)
        ck_assert_int_eq(counts[i], 1);
    tri_shutdown();
}
END_TEST

/* ---- one thread ---- */

/* Yields with a list that it alone knows; its first node is told, hidden, through the argument. */
static void hold_a_list(struct coroutine *self)
{
    node *list = list_of(7);

    *(struct hidden *)self->argument = hide(list);
    coroutine_yield(self);
    if (!is_list_of(list, 7))
        ck_abort_msg("a list on a coroutine's stack was freed");
}

START_TEST(a_stack_that_was_left_keeps_its_objects)
{
    struct hidden first;
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(hold_a_list, &first);
    coroutine_resume(coroutine);
    for (int i = 0; i < 3; i++)
        collect();
    ck_assert_ptr_nonnull(tri_object_base(reveal(first)));
    coroutine_resume(coroutine);
    ck_assert(coroutine->ended);
    coroutine_free(coroutine);
    tri_shutdown();
}
END_TEST

START_TEST(a_stack_that_is_gone_keeps_nothing)
{
    enum { MANY = 50 };
    struct hidden first[MANY];

    start_quiet();
    for (int i = 0; i < MANY; i++) {
        struct coroutine *coroutine = coroutine_new(hold_a_list, &first[i]);

        coroutine_resume(coroutine);
        coroutine_free(coroutine);
    }
    collect();
    collect();
    ck_assert_uint_le(count_objects(first, MANY), MANY / 5);
    tri_shutdown();
}
END_TEST

static void collect_here(struct coroutine *self)
{
    node *list = list_of(9);

    (void)self;
    collect();
    if (!is_list_of(list, 9))
        ck_abort_msg("a list of a running coroutine was freed");
}

/* The thread's own stack is left then. */
START_TEST(collections_in_a_coroutine)
{
    struct coroutine *coroutine;
    node *mine;

    start_quiet();
    mine = list_of(8);
    coroutine = coroutine_new(collect_here, NULL);
    coroutine_resume(coroutine);
    ck_assert(coroutine->ended);
    ck_assert(is_list_of(mine, 8));
    coroutine_free(coroutine);
    tri_shutdown();
}
END_TEST

static bool was_shaded(struct hidden object)
{
    return is_shaded(reveal(object));
}

/* [inv.stack.left]: the collector has not seen the stack; it will not look at this thread again. */
START_TEST(a_black_thread_scans_the_stack_it_comes_to)
{
    struct hidden first;
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(hold_a_list, &first);
    coroutine_resume(coroutine);
    tri__user_stacks_begin_mark();
    begin_mark(TRI__BARRIER_SCANNED);
    coroutine_resume(coroutine);
    ck_assert(coroutine->ended);
    ck_assert(was_shaded(first));
    end_mark();
    coroutine_free(coroutine);
    tri_shutdown();
}
END_TEST

/* It was black when it was left, and nobody has been on it since. */
static void come_and_go(struct coroutine *self)
{
    node *list = list_of(5);

    *(struct hidden *)self->argument = hide(list);
    for (int i = 0; i < 3; i++)
        coroutine_yield(self);
    if (!is_list_of(list, 5))
        ck_abort_msg("a list of a coroutine was freed");
}

START_TEST(a_black_stack_is_not_scanned_again)
{
    struct hidden first;
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(come_and_go, &first);
    coroutine_resume(coroutine);
    tri__user_stacks_begin_mark();
    begin_mark(TRI__BARRIER_SCANNED);
    coroutine_resume(coroutine);
    ck_assert(was_shaded(first));
    coroutine_resume(coroutine);
    ck_assert(!was_shaded(first));
    end_mark();
    coroutine_free(coroutine);
    tri_shutdown();
}
END_TEST

/* Between the answers of two threads to H2 a stack may go from the black one to the grey one and
 * back. */
START_TEST(a_grey_thread_makes_a_stack_grey)
{
    struct hidden first;
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(come_and_go, &first);
    coroutine_resume(coroutine);
    tri__user_stacks_begin_mark();
    begin_mark(TRI__BARRIER_SCANNED);
    coroutine_resume(coroutine);
    own_writer()->cache.front.barrier = TRI__BARRIER_UNSCANNED; /* as another thread would be */
    coroutine_resume(coroutine);
    own_writer()->cache.front.barrier = TRI__BARRIER_SCANNED;
    forget_shaded();
    coroutine_free(coroutine);
    ck_assert(was_shaded(first));
    end_mark();
    tri_shutdown();
}
END_TEST

START_TEST(a_grey_stack_that_goes_is_shaded)
{
    struct hidden first;
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(hold_a_list, &first);
    coroutine_resume(coroutine);
    tri__user_stacks_begin_mark();
    begin_mark(TRI__BARRIER_SCANNED);
    coroutine_free(coroutine);
    ck_assert(was_shaded(first));
    end_mark();
    tri_shutdown();
}
END_TEST

static void sleep_in_a_block(struct coroutine *self)
{
    node *list = list_of(6);

    (void)self;
    TRI_BLOCKING {
        struct tri__handshake_report report;

        tri__handshake(TRI__REQUEST_PING, &report);
    }
    collect();
    if (!is_list_of(list, 6))
        ck_abort_msg("a list of a sleeping coroutine was freed");
}

START_TEST(blocking_in_a_coroutine)
{
    struct coroutine *coroutine;

    start_quiet();
    coroutine = coroutine_new(sleep_in_a_block, NULL);
    coroutine_resume(coroutine);
    ck_assert(coroutine->ended);
    coroutine_free(coroutine);
    tri_shutdown();
}
END_TEST

/* ---- stacks that the library is not told of ---- */

static int stop_collecting;

static void *collect_on(void *unused)
{
    while (!__atomic_load_n(&stop_collecting, __ATOMIC_RELAXED))
        tri_collect();
    return unused;
}

static void fork_here(int signal)
{
    pid_t child = fork();

    (void)signal;
    if (child == 0)
        _exit(0);
    if (child < 0 || waitpid(child, NULL, 0) != child)
        abort();
}

/* Of a page of its own: nothing lies between it and a stack that could be read. */
static void use_alternate_stack(void)
{
    enum { BYTES = 256 << 10 };
    char *low = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    stack_t stack = {.ss_sp = low, .ss_size = BYTES};
    struct sigaction action = {.sa_handler = fork_here, .sa_flags = SA_ONSTACK | SA_RESTART};

    ck_assert_ptr_ne(low, MAP_FAILED);
    ck_assert_int_eq(sigaltstack(&stack, NULL), 0);
    ck_assert_int_eq(sigaction(SIGUSR1, &action, NULL), 0);
}

/* The library sleeps nowhere that it could not be looked for. */
START_TEST(a_handler_on_its_own_stack_forks)
{
    pthread_t thread;
    node *list;

    start_quiet();
    use_alternate_stack();
    ck_assert_int_eq(pthread_create(&thread, NULL, collect_on, NULL), 0);
    list = list_of(9);
    for (int i = 0; i < (IS_SANITIZED ? 10 : 50); i++) {
        raise(SIGUSR1);
        list_of(10);
        ck_assert(is_list_of(list, 9));
    }
    __atomic_store_n(&stop_collecting, 1, __ATOMIC_RELAXED);
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tri_shutdown();
}
END_TEST

/* ---- many threads ---- */

enum { THREADS = 4, COROUTINES = 40, TURNS = 3000 };

static struct {
    pthread_mutex_t lock;
    struct coroutine *waiting[COROUTINES]; /* [lock] NULL: somebody runs it */
} park = {.lock = PTHREAD_MUTEX_INITIALIZER};

static struct coroutine *take_one(struct random *random)
{
    struct coroutine *taken = NULL;

    pthread_mutex_lock(&park.lock);
    while (taken == NULL) {
        struct coroutine **place = &park.waiting[random_below(random, COROUTINES)];

        taken = *place;
        *place = NULL;
    }
    pthread_mutex_unlock(&park.lock);
    return taken;
}

static void put_back(struct coroutine *coroutine)
{
    int i = 0;

    pthread_mutex_lock(&park.lock);
    while (park.waiting[i] != NULL)
        i++;
    park.waiting[i] = coroutine;
    pthread_mutex_unlock(&park.lock);
}

/* Keeps lists on its stack only, checks and replaces them for ever. */
static void keep_lists(struct coroutine *self)
{
    uintptr_t key = (uintptr_t)self;
    node *old = list_of(key), *young = list_of(key);

    for (;;) {
        coroutine_yield(self);
        if (!is_list_of(old, key) || !is_list_of(young, key))
            ck_abort_msg("a list of a wandering coroutine was freed");
        old = young;
        young = list_of(key);
    }
}

static uint64_t program_seed;

static void *resume_any(void *number)
{
    struct random random = random_of(program_seed, (uintptr_t)number);

    for (int i = 0; i < TURNS; i++) {
        struct coroutine *coroutine = take_one(&random);

        coroutine_resume(coroutine);
        put_back(coroutine);
        tri_safepoint();
    }
    return NULL;
}

START_TEST(coroutines_wander_between_threads)
{
    pthread_t threads[THREADS];

    ck_assert_int_eq(tri_init(NULL), 0);
    for (int i = 0; i < COROUTINES; i++)
        park.waiting[i] = coroutine_new(keep_lists, NULL);
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i], NULL, resume_any,
                                        (void *)(uintptr_t)i),
                         0);
    for (int i = 0; i < 100; i++)
        tri_collect();
    TRI_BLOCKING
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
    for (int i = 0; i < COROUTINES; i++)
        coroutine_free(park.waiting[i]);
    tri_shutdown();
}
END_TEST

/* ---- rules ---- */

static void unregister_itself(struct coroutine *self)
{
    tri_stack_unregister(self->stack);
}

static void unregister_the_current(void)
{
    start_quiet();
    coroutine_resume(coroutine_new(unregister_itself, NULL));
}

static void use_after_unregister(void)
{
    static char memory[4096];
    tri_stack *stack;

    start_quiet();
    stack = tri_stack_register(memory, sizeof memory);
    tri_stack_unregister(stack);
    tri_stack_switch(stack);
}

static void detach_there(struct coroutine *self)
{
    (void)self;
    tri_thread_detach();
}

static void end_on_a_coroutine(void)
{
    start_quiet();
    coroutine_resume(coroutine_new(detach_there, NULL));
}

static void switch_to_an_array(void)
{
    char memory[16384];

    start_quiet();
    tri_stack_switch(tri_stack_register(memory, sizeof memory));
}

static void switch_in_a_block(void)
{
    static char memory[4096];
    tri_stack *stack;

    start_quiet();
    stack = tri_stack_register(memory, sizeof memory);
    TRI_BLOCKING
        tri_stack_switch(stack);
}

static ucontext_t before;

static void on_a_stack_nobody_knows(void (*act)(void))
{
    static char memory[64 << 10];
    ucontext_t context;

    start_quiet();
    getcontext(&context);
    context.uc_stack.ss_sp = memory;
    context.uc_stack.ss_size = sizeof memory;
    context.uc_link = &before;
    makecontext(&context, act, 0);
    swapcontext(&before, &context);
}

static void sleep_a_little(void)
{
    TRI_BLOCKING
        usleep(1);
}

static void sleep_there(void)
{
    on_a_stack_nobody_knows(sleep_a_little);
}

static void collect_there(void)
{
    on_a_stack_nobody_knows(tri_collect);
}

static void check_the_heap(void)
{
    tri_heap_check();
}

static void check_there(void)
{
    on_a_stack_nobody_knows(check_the_heap);
}

static void shut_down_there(void)
{
    on_a_stack_nobody_knows(tri_shutdown);
}

static const struct {
    void (*act)(void);
    const char *message;
} rules[] = {
    {unregister_the_current, "tri_stack_unregister() of a stack that a thread is on"},
    {use_after_unregister, "tri_stack_switch() of a stack that is not registered"},
    {switch_to_an_array, "between two stacks that overlap"},
    {end_on_a_coroutine, "go back to its own first"},
    {switch_in_a_block, "tri_stack_switch() inside TRI_BLOCKING"},
    {sleep_there, "entered TRI_BLOCKING on a stack that is not its own"},
    {collect_there, "waited for a cycle on a stack that is not its own"},
    {check_there, "waited for the collector on a stack that is not its own"},
    {shut_down_there, "waited for the collector to stop on a stack that is not its own"},
};

START_TEST(broken_rules_are_fatal)
{
    struct captured captured = capture_child(rules[_i].act);

    ck_assert_msg(captured_aborted(&captured), "rule %d", _i);
    ck_assert_msg(strstr(captured.text, rules[_i].message) != NULL, "rule %d: %s", _i,
                  captured.text);
}
END_TEST

/* ---- exit ---- */

static void exit_with_7(void)
{
    exit(7);
}

/* NOLINTNEXTLINE(bugprone-signal-handler,cert-sig30-c): what is interrupted here holds no lock */
static void exit_in_handler(int number)
{
    (void)number;
    exit_with_7();
}

static void exit_on_alternate_stack(void)
{
    static char memory[64 << 10];
    const stack_t stack = {.ss_sp = memory, .ss_size = sizeof memory};
    struct sigaction action = {.sa_handler = exit_in_handler, .sa_flags = SA_ONSTACK};

    start_quiet();
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

static void exit_in_coroutine(void)
{
    on_a_stack_nobody_knows(exit_with_7);
}

/* ThreadSanitizer holds that a handler must not call exit(). */
static void (*const exits[])(void) = {exit_in_coroutine, exit_on_alternate_stack};
enum { EXITS = HAS_TSAN ? 1 : 2 };

/* It waits for nobody but the loader. */
START_TEST(processes_end_on_stacks_nobody_knows)
{
    struct captured captured = capture_child(exits[_i]);

    ck_assert_msg(captured_exited(&captured, 7), "%d: %x: %s", _i, captured.status, captured.text);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("user_stack");
    TCase *one = tcase_create("one thread"), *many = tcase_create("many");
    TCase *rule = tcase_create("rule");

    program_seed = random_start(argc, argv);
    tcase_add_test(one, every_word_of_a_stretch);
    tcase_add_test(one, a_stack_that_was_left_keeps_its_objects);
    tcase_add_test(one, a_stack_that_is_gone_keeps_nothing);
    tcase_add_test(one, collections_in_a_coroutine);
    tcase_add_test(one, a_black_thread_scans_the_stack_it_comes_to);
    tcase_add_test(one, a_black_stack_is_not_scanned_again);
    tcase_add_test(one, a_grey_stack_that_goes_is_shaded);
    tcase_add_test(one, a_grey_thread_makes_a_stack_grey);
    tcase_add_test(one, blocking_in_a_coroutine);
    tcase_add_test(one, a_handler_on_its_own_stack_forks);
    tcase_set_timeout(one, 30);
    tcase_set_timeout(many, 60);
    tcase_add_test(many, coroutines_wander_between_threads);
    tcase_add_loop_test(rule, broken_rules_are_fatal, 0, sizeof rules / sizeof rules[0]);
    tcase_add_loop_test(rule, processes_end_on_stacks_nobody_knows, 0, EXITS);
    suite_add_tcase(suite, one);
    suite_add_tcase(suite, many);
    suite_add_tcase(suite, rule);
    return run_suite(suite);
}
