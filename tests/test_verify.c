/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=barrier: wrong stores are found in the cycle that would lose the object, and
 * named; correct programs pass in silence.
 *
 * What a wrong program does at a bad moment is done here by the coordinator itself, right before
 * the verdict: so it happens in each run. See: [inv.verify.barrier], docs/verify.md. */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "collected.h"
#include "random.h"
#include "suite.h"
#include "verified.h"

#include "base/atomic.h"
#include "collector/cycle.h"
#include "collector/verify_describe.h"
#include "mutator/roots.h"
#include "mutator/use.h"

typedef struct owner {
    link_t *first;
    uintptr_t number[2];
    wide *wide;
} owner;
TRI_TYPE(owner, first, wide);

typedef struct both {
    link_t *left, *right;
} both;
TRI_TYPE(both, left, right);

typedef struct entry {
    link_t *link;
    uintptr_t number;
} entry;
TRI_TYPE(entry, link);

typedef struct index {
    uintptr_t length;
    entry entries[];
} index_t;
TRI_FLEX_TYPE_OF(index_t, entries, entry);

TRI_ROOT static owner *root;
TRI_ROOT static both *halves;
TRI_ROOT static index_t *contents;
TRI_ROOT static link_t *told;
TRI_ROOT static link_t *second_root;

static uint64_t seed;

/* ---- wrong stores ---- */

static struct hidden lost;
static tri_handle *handle;
static tri_arena *arena;
static link_t *in_arena;
static link_t *range; /* malloc'd, and a root */
static void **in_handle;
static void **large;

static __attribute__((noinline)) void make_lost(void)
{
    link_t *object = tri_new(link_t);

    object->number = 4711;
    lost = hide(object);
}

static void find_handle(uintptr_t slot, void *unused)
{
    (void)unused;
    if (*(void **)slot == large)
        in_handle = (void **)slot;
}

static void make_world(void)
{
    tri_store(&root, tri_new(owner));
    tri_store(&root->first, tri_new(link_t));
    tri_store(&root->wide, tri_new(wide));
    tri_store(&halves, tri_new(both));
    tri_store(&contents, tri_new_flex(index_t, 3));
    tri_store(&told, tri_new(link_t));
    tri_store(&told->next, NULL);
    handle = tri_handle_new(tri_new_ptrs(40000));
    large = tri_handle_get(handle);
    arena = tri_arena_new();
    in_arena = tri_arena_alloc(arena, &tri_type_link_t);
    range = calloc(4, sizeof *range);
    if (range == NULL || tri_root_add(range, &tri_type_link_t, 4) != 0)
        abort();
    tri__handles_each_slot(find_handle, NULL);
    make_lost();
}

static void store_in_small(void)
{
    root->first->next = reveal(lost);
}
static void store_in_footer(void)
{
    root->wide->link = reveal(lost);
}
static void store_in_large(void)
{
    large[33333] = reveal(lost);
}
static void store_in_root(void)
{
    *(link_t *volatile *)&second_root = reveal(lost);
}
static void store_in_range(void)
{
    range[3].next = reveal(lost);
}
static void store_in_handle(void)
{
    *in_handle = reveal(lost);
}
static void store_in_arena(void)
{
    in_arena->next = reveal(lost);
}

static void copy_plainly(void)
{
    void *value = reveal(lost);

    memcpy(&root->first->next, &value, sizeof value);
}

static void copy_struct(void)
{
    both copy = {reveal(lost), reveal(lost)};

    memcpy(halves, &copy, sizeof copy);
}

static void store_alone(void)
{
    halves->right = reveal(lost);
}

static void store_in_tail(void)
{
    contents->entries[1].link = reveal(lost);
}

static void store_over_told(void)
{
    told->next = reveal(lost);
}

#define PLAIN "probably by a plain store (=). Use tri_store; "
#define PLAIN_OR_COPY "probably by a plain store (=), or with the struct around it by memcpy or ="
#define COPY                                                                                       \
    "pointers side by side were stored without the collector being told, probably by memcpy"

static const struct wrong {
    void (*store)(void);
    const char *where, *path, *rule;
} wrongs[] = {
    {store_in_small, "the pointer \"next\" at offset 8 of \"link_t\" at 0x",
     "which is \"first\" at offset 0 of \"owner\"", PLAIN_OR_COPY},
    {store_in_footer, "the pointer \"link\" at offset 800 of \"wide\" at 0x",
     "which is \"wide\" at offset 24 of \"owner\"", PLAIN_OR_COPY},
    {store_in_large, "the pointer at offset 266664 of ", "which is the handle at 0x", PLAIN},
    {store_in_root, "the TRI_ROOT word at ", "test_verify+0x", PLAIN},
    {store_in_range, "the pointer \"[3].next\" at offset 56 of \"link_t\" at 0x",
     " (64 bytes), a root holds 0x", PLAIN_OR_COPY},
    {store_in_handle, "the handle at 0x", NULL, PLAIN},
    {store_in_arena, "the pointer \"next\" at offset 8 of \"link_t\" at 0x",
     " (16 bytes), in arena 1 holds 0x", PLAIN_OR_COPY},
    {copy_plainly, "the pointer \"next\" at offset 8 of \"link_t\" at 0x",
     "which is the TRI_ROOT word at ", PLAIN_OR_COPY},
    {copy_struct, "the pointer \"left\" at offset 0 of \"both\" at 0x",
     "  among the latest stores that were told of there is none to that object", COPY},
    {store_alone, "the pointer \"right\" at offset 8 of \"both\" at 0x", NULL, PLAIN},
    {store_in_tail, "the pointer \"entries[1].link\" at offset 24 of \"index_t\" at 0x", NULL,
     PLAIN_OR_COPY},
    {store_over_told, "the pointer \"next\" at offset 8 of \"link_t\" at 0x",
     "  the last store to that word that was told of, by thread ", PLAIN},
};
enum { WRONGS = sizeof wrongs / sizeof wrongs[0] };

static const struct wrong *wrong;

static void store_before_verdict(enum tri__cycle_stage stage)
{
    static bool done;

    if (stage != TRI__STAGE_VERDICT || done)
        return;
    done = true;
    wrong->store();
}

static void run_wrong(void)
{
    start_verified("barrier");
    make_world();
    clear_stack();
    tri__cycle_at_stage = store_before_verdict;
    tri_collect();
}

START_TEST(wrong_stores_are_named)
{
    struct captured captured;

    wrong = &wrongs[_i];
    captured = capture_child(run_wrong);
    ck_assert_msg(captured_aborted(&captured), "%s", captured.text);
    ck_assert_msg(strstr(captured.text, "a barrier is missing: ") != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, wrong->where) != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, ", in \"link_t\" at 0x") != NULL, "%s", captured.text);
    ck_assert_msg(wrong->path == NULL || strstr(captured.text, wrong->path) != NULL, "%s",
                  captured.text);
    ck_assert_msg(strstr(captured.text, wrong->rule) != NULL, "%s", captured.text);
}
END_TEST

static void go_on(void)
{
    start_verified("barrier=warn");
    make_world();
    clear_stack();
    tri__cycle_at_stage = store_before_verdict;
    tri_collect();
    tri_collect();
    if (root->first->next->number != 4711 || tri_object_base(root->first->next) == NULL)
        _exit(9);
    tri_handle_free(handle);
    tri_arena_free(arena);
    tri_shutdown();
    _exit(0);
}

START_TEST(after_a_warning_nothing_is_lost)
{
    struct captured captured;
    const char *at;

    wrong = &wrongs[0];
    captured = capture_child(go_on);
    ck_assert_msg(captured_exited(&captured, 0), "%s", captured.text);
    at = strstr(captured.text, "a barrier is missing");
    ck_assert_ptr_nonnull(at);
    ck_assert_ptr_null(strstr(at + 1, "a barrier is missing")); /* once */
}
END_TEST

static struct hidden many[50];

static __attribute__((noinline)) void make_many(void)
{
    for (int i = 0; i < 50; i++)
        many[i] = hide(tri_new(link_t));
}

static void store_many(void)
{
    for (int i = 0; i < 50; i++)
        large[i] = reveal(many[i]);
}

static void warn_of_many(void)
{
    start_verified("barrier=warn");
    make_world();
    make_many();
    clear_stack();
    tri__cycle_at_stage = store_before_verdict;
    tri_collect();
    tri_collect();
    tri_handle_free(handle);
    tri_arena_free(arena);
    tri_shutdown();
    _exit(0);
}

static unsigned occurrences(const char *text, const char *wanted)
{
    unsigned count = 0;

    for (text = strstr(text, wanted); text != NULL; text = strstr(text + 1, wanted))
        count++;
    return count;
}

START_TEST(after_some_warnings_they_are_counted)
{
    static const struct wrong stores = {store_many, NULL, NULL, NULL};
    struct captured captured;
    const char *said;

    wrong = &stores;
    captured = capture_child(warn_of_many);
    ck_assert_msg(captured_exited(&captured, 0), "%s", captured.text);
    ck_assert_uint_eq(occurrences(captured.text, "a barrier is missing"), 20);
    ck_assert_uint_eq(occurrences(captured.text, " pointers so far that the collector was not "), 1);
    said = strstr(captured.text, " pointers so far that the collector was not ") - 2;
    ck_assert_msg(strtoul(said, NULL, 10) > 40, "%s", said); /* a stack may hold one of them */
}
END_TEST

/* ---- words that are declared as no pointers ---- */

typedef struct pair {
    void *left, *right;
} pair;
TRI_TYPE(pair, left);

typedef struct tall {
    void *left;
    uintptr_t numbers[80];
    void *forgotten;
} tall;
TRI_TYPE(tall, left);

typedef struct label {
    uintptr_t number;
    void *forgotten;
} label;
TRI_LEAF_TYPE(label);

TRI_ROOT static pair *pairs[100];
TRI_ROOT static tall *talls;
TRI_ROOT static label *labels[10], *small_labels, *large_labels;
TRI_ROOT static void **bytes;

static void forget_members(void)
{
    start_verified("layout");
    for (int i = 0; i < 100; i++) {
        tri_store(&pairs[i], tri_new(pair));
        tri_store(&pairs[i]->left, tri_new(pair));
        pairs[i]->right = pairs[i]->left;
    }
    tri_store(&talls, tri_new_array(tall, 3));
    talls[2].forgotten = pairs[0];
    for (int i = 0; i < 10; i++) {
        tri_store(&labels[i], tri_new(label));
        labels[i]->forgotten = pairs[i];
    }
    tri_store(&small_labels, tri_new_array(label, 7));
    small_labels[5].forgotten = pairs[0];
    tri_store(&large_labels, tri_new_array(label, 5000));
    large_labels[4711].forgotten = pairs[0];
    tri_store(&bytes, tri_alloc_bytes(64));
    bytes[3] = pairs[0];
    tri_collect();
    tri_collect();
    tri_shutdown();
    _exit(0);
}

START_TEST(forgotten_members_are_named)
{
    struct captured captured = capture_child(forget_members);
    const char *first =
        strstr(captured.text, "the word at offset 8 of \"pair\" is declared as no "
                              "pointer, and holds the address of an object in 100 ");

    ck_assert_msg(captured_exited(&captured, 0), "%s", captured.text);
    ck_assert_msg(first != NULL, "%s", captured.text);
    ck_assert_ptr_null(strstr(first + 30, "of \"pair\" is declared")); /* once */
    ck_assert_msg(strstr(captured.text, "the word at offset 648 of \"tall\"") != NULL, "%s",
                  captured.text);
    ck_assert_msg(strstr(captured.text, "the word at offset 8 of \"label\" is declared as no pointer, "
                                        "and holds the address of an object in 12 ") != NULL,
                  "%s", captured.text);
    ck_assert_ptr_null(strstr(captured.text, "bytes\" is declared"));
}
END_TEST

/* ---- correct programs ---- */

#define SLOTS 300
#define WORKERS 2

typedef struct table {
    link_t *links[SLOTS];
} table;
TRI_TYPE(table, links);

TRI_ROOT static table *shared;
static uint32_t stop; /* atomic */

/* `own` is no other thread's: ranges are moved by plain loads and stores. */
static void mutate(struct random *random, table *own)
{
    size_t from = random_below(random, SLOTS), to = random_below(random, SLOTS);
    link_t *fresh = tri_new(link_t);

    fresh->number = from;
    tri_init_store(&fresh->next, __atomic_load_n(&shared->links[from], __ATOMIC_ACQUIRE));
    if (fresh->next != NULL && random_below(random, 2) == 0)
        tri_store(&fresh->next, NULL);
    tri_store_release(&shared->links[to], fresh);
    tri_store(&own->links[to], fresh);
    if (random_below(random, 16) == 0)
        tri_memmove(&own->links[from / 2], &own->links[to / 2], 10 * sizeof(link_t *));
    if (random_below(random, 64) == 0)
        tri_alloc_bytes(2000);
}

static void *work(void *number)
{
    struct random random = random_of(seed, (uintptr_t)number);
    table *own = tri_new(table);

    while (tri__load_relaxed(&stop) == 0)
        mutate(&random, own);
    return NULL;
}

static void collect_beside(void)
{
    pthread_t workers[WORKERS];

    for (uintptr_t i = 0; i < WORKERS; i++)
        if (pthread_create(&workers[i], NULL, work, (void *)i) != 0)
            abort();
    for (int i = 0; i < 15; i++)
        tri_collect();
    tri__store_relaxed(&stop, 1);
    for (unsigned i = 0; i < WORKERS; i++)
        TRI_BLOCKING
            pthread_join(workers[i], NULL);
}

static void run_correct(void)
{
    start_bounded("barrier,layout");
    tri_store(&shared, tri_new(table));
    collect_beside();
    tri_shutdown();
    _exit(0);
}

START_TEST(correct_programs_pass_in_silence)
{
    expect_silence(run_correct);
}
END_TEST

/* ---- numbers where pointers were ---- */

typedef struct late {
    uintptr_t number, count;
    link_t *link;
    void *items[];
} late;
TRI_FLEX_TYPE(late, items, link);

typedef struct early {
    link_t *link;
    uintptr_t number, count;
    void *items[];
} early;
TRI_FLEX_TYPE(early, items, link);

/* Objects of one take the slots of the other, which had a pointer where these have a number. */
static void *take_turns(void *unused)
{
    for (unsigned turn = 0; tri__load_relaxed(&stop) == 0; turn++)
        for (uintptr_t i = 0; i < 400; i++)
            if (turn % 2 == 0)
                tri_new_flex(early, 2)->count = i;
            else
                tri_new_flex(late, 2)->number = i;
    return unused;
}

static void collect_beside_turns(void)
{
    run_beside_cycles("barrier", take_turns, &stop, 30);
}

/* What verification reads of a slot that its thread has not handed out yet is no race: for
 * ThreadSanitizer (found by stress/graph, in a soak) [inv.verify.barrier]. */
START_TEST(numbers_may_be_where_pointers_were)
{
    expect_silence(collect_beside_turns);
}
END_TEST

/* ---- two messages at once ---- */

static void *describe_on(void *unused)
{
    char text[2 * TRI__DESCRIPTION];

    do
        tri__describe_slot(text, (uintptr_t)&root);
    while (tri__load_relaxed(&stop) == 0);
    ck_assert_msg(strstr(text, "test_verify+0x") != NULL, "%s", text);
    return unused;
}

/* The collector reports with barrier=warn while a thread comes to a fatal end: for
 * ThreadSanitizer. */
START_TEST(code_is_named_beside_a_report)
{
    pthread_t thread;
    char text[300];

    start_quiet();
    ck_assert_int_eq(pthread_create(&thread, NULL, describe_on, NULL), 0);
    tri__use_name_code((const void *)(uintptr_t)describe_on, text, sizeof text);
    ck_assert_msg(strstr(text, "test_verify+0x") != NULL, "%s", text);
    tri__store_relaxed(&stop, 1);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    tri_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("verify");
    TCase *tests = tcase_create("verify");

    seed = random_start(argc, argv);
    tcase_set_timeout(tests, 60);
    tcase_add_loop_test(tests, wrong_stores_are_named, 0, WRONGS);
    tcase_add_test(tests, after_a_warning_nothing_is_lost);
    tcase_add_test(tests, after_some_warnings_they_are_counted);
    tcase_add_test(tests, forgotten_members_are_named);
    tcase_add_test(tests, correct_programs_pass_in_silence);
    tcase_add_test(tests, numbers_may_be_where_pointers_were);
    tcase_add_test(tests, code_is_named_beside_a_report);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
