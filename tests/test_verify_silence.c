/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY: programs that do everything right, with all there is in a heap, pass in silence,
 * whatever is looked for at the same time.
 *
 * Threads do one correct thing after the other while cycles run back to back: arenas, handles,
 * large objects, roots that come and go, threads that end or detach, coroutines, objects that are
 * given up. What they keep is looked at, so a run that loses something does not pass either. */
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"
#include "coroutine.h"
#include "random.h"
#include "suite.h"

#include "base/atomic.h"

#define WORKERS 3
#define CYCLES 8
#define SLOTS 24
#define MAGIC UINT64_C(4711)

typedef struct item {
    uintptr_t number;
    struct item *next;
} item;
TRI_TYPE(item, next);

typedef struct table {
    item *items[SLOTS];
    void **large;
    item *in_arena;
} table;
TRI_TYPE(table, items, large, in_arena);

TRI_ROOT static table *shared;

static uint64_t seed;
static uint32_t stop; /* atomic */

static void must(bool condition, const char *what)
{
    if (condition)
        return;
    fprintf(stderr, "%s\n", what);
    abort();
}

static void look_at(const item *at)
{
    for (int i = 0; at != NULL && i < 10; i++) {
        must(at->number == MAGIC, "an object is not what it was");
        at = __atomic_load_n(&at->next, __ATOMIC_ACQUIRE);
    }
}

/* Chains stay short: what it leads to leads to nothing. */
static item *item_new(item *next)
{
    item *fresh = tri_new(item);

    fresh->number = MAGIC;
    if (next != NULL)
        tri_store(&next->next, NULL);
    tri_init_store(&fresh->next, next);
    return fresh;
}

/* ---- what a thread has ---- */

struct worker {
    struct random random;
    table *own;             /* nobody else's; on the thread's stack */
    tri_handle *handles[8]; /* in memory that is no root */
    struct coroutine *coroutine;
};

static item **any_slot(struct worker *worker)
{
    return &worker->own->items[random_below(&worker->random, SLOTS)];
}

/* ---- correct things ---- */

static void share(struct worker *worker)
{
    item **slot = &shared->items[random_below(&worker->random, SLOTS)];
    item *seen = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    look_at(seen);
    tri_store(any_slot(worker), seen);
    tri_store_release(slot, item_new(NULL));
    seen = tri_exchange(slot, item_new(NULL));
    look_at(seen);
    tri_compare_exchange(slot, &seen, item_new(NULL));
}

/* Values of the arena lead to the heap and to each other, and the heap leads to them. */
static void use_arena(struct worker *worker)
{
    tri_arena *arena = tri_arena_new();
    item *last = NULL;

    for (uint64_t left = 1 + random_below(&worker->random, 60); left > 0; left--) {
        item *value = tri_arena_alloc(arena, &tri_type_item);

        value->number = MAGIC;
        tri_store(&value->next, left % 2 == 0 ? item_new(*any_slot(worker)) : last);
        last = value;
        tri_store(&worker->own->in_arena, value);
        look_at(worker->own->in_arena);
    }
    tri_arena_alloc_array(arena, &tri_type_ptr, 1 + random_below(&worker->random, 30000));
    last = tri_arena_keep(last);
    tri_store(&last->next, NULL);
    tri_store(any_slot(worker), last);
    tri_store(&worker->own->in_arena, NULL);
    tri_arena_free(arena);
}

static void use_handle(struct worker *worker)
{
    tri_handle **handle = &worker->handles[random_below(&worker->random, 8)];

    if (*handle == NULL) {
        *handle = tri_handle_new(item_new(NULL));
        return;
    }
    look_at(tri_handle_get(*handle));
    tri_handle_set(*handle, item_new(tri_handle_get(*handle)));
    if (random_below(&worker->random, 4) == 0) {
        tri_store(any_slot(worker), (item *)tri_handle_get(*handle));
        tri_handle_free(*handle);
        *handle = NULL;
    }
}

/* The middle of an array goes where its beginning was, and back. */
static void use_large(struct worker *worker)
{
    size_t n = 5000 + random_below(&worker->random, 40000), third = n / 3;
    void **fresh = tri_new_ptrs(n), **grown;

    for (size_t i = 0; i < third; i += 1 + third / 50)
        tri_store(&fresh[i], (void *)item_new(NULL));
    tri_store(&worker->own->large, fresh);
    tri_memmove(fresh + third, fresh, third * sizeof *fresh);
    tri_memclr(fresh, third * sizeof *fresh);
    tri_memcpy(fresh, fresh + third, third * sizeof *fresh);
    for (size_t i = 0; i < third; i += 1 + third / 50)
        look_at(fresh[i]);
    grown = tri_grow(fresh, &tri_type_ptr, third, n);
    tri_store(&worker->own->large, grown);
    look_at(grown[0]);
}

static void use_roots(struct worker *worker)
{
    struct {
        item *items[SLOTS];
    } *range = calloc(1, sizeof *range);

    must(tri_root_add(range, &tri_type_ptr, SLOTS) == 0, "no root");
    for (int i = 0; i < SLOTS; i++)
        tri_store(&range->items[i], item_new(*any_slot(worker)));
    tri_memmove(&range->items[1], &range->items[0], (SLOTS - 1) * sizeof range->items[0]);
    tri_safepoint();
    for (int i = 0; i < SLOTS; i++)
        look_at(range->items[i]);
    tri_memcpy(worker->own->items, range->items, sizeof range->items);
    tri_root_remove(range);
    free(range);
}

/* The thread ends as it is, or detaches itself before. */
static void *come_and_go(void *argument)
{
    item *given = argument, *mine = item_new(NULL);

    look_at(given);
    tri_store(&given->next, mine);
    tri_store_release(&shared->items[0], given);
    if (((uintptr_t)given >> 4) % 2 == 0)
        tri_thread_detach();
    return NULL;
}

static void use_thread(struct worker *worker)
{
    item *given = item_new(NULL);
    pthread_t thread;

    tri_store(any_slot(worker), given);
    if (tri_thread_create(&thread, NULL, come_and_go, given) != 0)
        return;
    TRI_BLOCKING
        pthread_join(thread, NULL);
    look_at(given);
}

/* Its stack alone holds them, while it waits, too. */
static void live_on_own_stack(struct coroutine *self)
{
    struct worker *worker = self->argument;
    item *held[8] = {NULL};

    while (tri__load_relaxed(&stop) == 0) {
        for (int i = 0; i < 8; i++)
            held[i] = item_new(held[i]);
        coroutine_yield(self);
        for (int i = 0; i < 8; i++)
            look_at(held[i]);
        tri_store(any_slot(worker), held[0]);
        held[0] = NULL;
    }
}

static void use_coroutine(struct worker *worker)
{
    coroutine_resume(worker->coroutine);
}

/* Nobody has a pointer to it any more but this thread's stack. */
static void give_up(struct worker *worker)
{
    item *given_up = item_new(item_new(NULL));

    tri_store(&worker->own->items[0], given_up);
    look_at(worker->own->items[0]);
    tri_store(&worker->own->items[0], NULL);
    tri_free(given_up);
}

static void (*const things[])(struct worker *worker) = {
    share, share, use_arena, use_handle, use_large, use_roots, use_thread, use_coroutine, give_up,
};
enum { THINGS = sizeof things / sizeof things[0] };

/* ---- a run ---- */

static void *work(void *number)
{
    struct worker worker = {.random = random_of(seed, (uintptr_t)number), .own = tri_new(table)};

    worker.coroutine = coroutine_new(live_on_own_stack, &worker);
    while (tri__load_relaxed(&stop) == 0)
        things[random_below(&worker.random, THINGS)](&worker);
    while (!worker.coroutine->ended)
        coroutine_resume(worker.coroutine);
    coroutine_free(worker.coroutine);
    for (int i = 0; i < 8; i++)
        tri_handle_free(worker.handles[i]);
    return NULL;
}

static const char *const modes[] = {
    "barrier,layout",
    "clobber",
    "blocking",
    "barrier,layout,clobber,blocking",
    "barrier,chaos=%u",
    "clobber,blocking,chaos=%u",
    "barrier,layout,clobber,blocking,chaos=%u",
};
enum { MODES = sizeof modes / sizeof modes[0] };

static char mode[80], expected[80];

static void choose_mode(const char *pattern, unsigned number)
{
    unsigned plan = (unsigned)(seed % 1000000) + number + 1;

    snprintf(mode, sizeof mode, "%s", pattern);
    expected[0] = '\0';
    if (strchr(pattern, '%') == NULL)
        return;
    snprintf(strchr(mode, '%'), sizeof "1000000", "%u", plan);
    snprintf(expected, sizeof expected, "tricolor: TRICOLOR_VERIFY=chaos=%u\n", plan);
}

static void run_correct(void)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t workers[WORKERS];

    config.stall_ms = UINT_MAX; /* the watchdog's lines would be taken for reports */
    config.verify = mode;
    must(tri_init(&config) == 0, "tri_init failed");
    tri_store(&shared, tri_new(table));
    for (uintptr_t i = 0; i < WORKERS; i++)
        must(pthread_create(&workers[i], NULL, work, (void *)i) == 0, "no thread");
    for (int i = 0; i < CYCLES; i++)
        tri_collect();
    tri__store_relaxed(&stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        TRI_BLOCKING
            pthread_join(workers[i], NULL);
    for (int i = 0; i < SLOTS; i++)
        look_at(shared->items[i]);
    tri_shutdown();
    _exit(0);
}

/* What AddressSanitizer says of every program that has coroutines, by one thread or two, is no
 * report. */
static void drop_lines_of_asan(char *text)
{
    char *line;

    while ((line = strstr(text, "WARNING: ASan doesn't fully support makecontext")) != NULL) {
        char *end = strchr(line, '\n');

        while (line > text && line[-1] != '\n')
            line--;
        memmove(line, end + 1, strlen(end + 1) + 1);
    }
}

START_TEST(correct_programs_pass_in_silence)
{
    struct captured captured;

    choose_mode(modes[_i], (unsigned)_i);
    captured = capture_child(run_correct);
    ck_assert_msg(captured_exited(&captured, 0), "%s: status %#x: %s", mode,
                  (unsigned)captured.status, captured.text);
    drop_lines_of_asan(captured.text);
    ck_assert_str_eq(captured.text, expected);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("verify silence");
    TCase *tests = tcase_create("verify silence");

    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, correct_programs_pass_in_silence, 0, MODES);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
