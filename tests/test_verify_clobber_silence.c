/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=clobber: memory that is handed out is zero although what was freed is filled;
 * correct programs, those that give objects up among them, pass in silence. See:
 * [inv.verify.freed], [inv.verify.given-up], docs/verify-clobber.md. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collected.h"
#include "random.h"
#include "suite.h"
#include "verified.h"

#include "base/atomic.h"

typedef struct owner {
    link_t *first, *second;
    wide *wide;
} owner;
TRI_TYPE(owner, first, second, wide);

static uint64_t seed;

/* ---- what is handed out ---- */

#define SIZES 200

TRI_ROOT static void *kept[SIZES];
TRI_ROOT static link_t *latest;

/* A third of what there was, of all kinds, lives on; all else is full of what is not zero. */
static void allocate_dirtily(struct random *random)
{
    for (size_t i = 0; i < SIZES; i++) {
        size_t size = 8 * (1 + random_below(random, random_below(random, 8) == 0 ? 9000 : 100));
        void *object = random_below(random, 2) == 0 ? tri_alloc_bytes(size)
                                                    : tri_alloc_array(&tri_type_wide, size / 808);

        if (!is_zero(object, tri_object_size(object)))
            abort();
        if (tri_object_type(object) == &tri_type_bytes)
            memset(object, 0x5a, size);
        if (random_below(random, 3) == 0)
            tri_store(&kept[i], object);
        tri_store(&latest, tri_new(link_t));
        if (!is_zero(latest, sizeof *latest))
            abort();
        latest->number = i;
    }
}

static void run_zeroed(void)
{
    struct random random = random_of(seed, 1);

    start_verified("clobber");
    for (int i = 0; i < 8; i++) {
        allocate_dirtily(&random);
        tri_collect();
    }
    memset(kept, 0, sizeof kept);
    tri_shutdown();
    _exit(0);
}

START_TEST(what_is_handed_out_is_zero)
{
    expect_silence(run_zeroed);
}
END_TEST

/* ---- correct programs ---- */

#define SLOTS 100
#define WORKERS 2

typedef struct table {
    link_t *links[SLOTS];
} table;
TRI_TYPE(table, links);

TRI_ROOT static table *shared;
static uint32_t stop; /* atomic */

/* A list is taken out of the table and given up, from its first link on: links that were given up
 * lead to each other. */
static void drop_list(table *own, size_t slot)
{
    link_t *list = own->links[slot];

    tri_store(&own->links[slot], NULL);
    while (list != NULL) {
        link_t *next = list->next;

        tri_free(list);
        list = next;
    }
}

static void fill_arena(struct random *random)
{
    tri_arena *scratch = tri_arena_new();
    link_t *last = NULL;

    for (size_t i = random_below(random, 100); i-- > 0;) {
        link_t *fresh = tri_arena_alloc(scratch, &tri_type_link_t);

        tri_store(&fresh->next, last);
        last = fresh;
    }
    tri_arena_free(scratch);
}

/* `moved` has links that are in no other table, and are not given up. */
static void mutate(struct random *random, table *own, table *moved)
{
    size_t slot = random_below(random, SLOTS);
    link_t *fresh = tri_new(link_t);

    tri_init_store(&fresh->next, own->links[slot]);
    tri_store(&own->links[slot], fresh);
    tri_store_release(&shared->links[slot], tri_new(link_t));
    tri_store(&moved->links[slot], tri_new(link_t));
    if (random_below(random, 8) == 0)
        drop_list(own, slot);
    if (random_below(random, 64) == 0)
        fill_arena(random);
    if (random_below(random, 64) == 0)
        tri_memmove(&moved->links[slot / 2], &moved->links[0], 10 * sizeof(link_t *));
    if (random_below(random, 64) == 0)
        tri_free(tri_alloc_bytes(random_below(random, 100)));
}

static void *work(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);
    table *own = tri_new(table), *moved = tri_new(table);

    while (tri__load_relaxed(&stop) == 0)
        mutate(&random, own, moved);
    return NULL;
}

static void run_correct(void)
{
    pthread_t workers[WORKERS];

    start_verified("barrier,layout,clobber,blocking");
    tri_store(&shared, tri_new(table));
    for (uintptr_t i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, (void *)i) != 0)
            abort();
    for (int i = 0; i < 10; i++)
        tri_collect();
    tri__store_relaxed(&stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        TRI_BLOCKING
            pthread_join(workers[i], NULL);
    tri_shutdown();
    _exit(0);
}

START_TEST(correct_programs_pass_in_silence)
{
    expect_silence(run_correct);
}
END_TEST

TRI_ROOT static void **words; /* of a conservative object */

static __attribute__((noinline)) void leave_old_words(void)
{
    link_t *held = tri_new(link_t), *behind = tri_new(link_t);
    owner *between = tri_new(owner);

    tri_store(&between->first, behind);
    tri_store(&words[3], (void *)held);
    tri_store(&words[4], (void *)between);
    tri_free(held);
    tri_free(behind);
}

static void run_old_words(void)
{
    start_verified("clobber");
    tri_store(&words, (void **)tri_alloc_conservative(8 * sizeof *words));
    leave_old_words();
    for (int i = 0; i < 2; i++)
        tri_collect();
    tri_shutdown();
    _exit(0);
}

/* They keep what was given up alive, but are no pointers that anybody has stored. */
START_TEST(a_promise_is_not_held_against_conservative_words)
{
    expect_silence(run_old_words);
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("verify clobber silence");
    TCase *tests = tcase_create("verify clobber silence");

    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, what_is_handed_out_is_zero);
    tcase_add_test(tests, correct_programs_pass_in_silence);
    tcase_add_test(tests, a_promise_is_not_held_against_conservative_words);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
