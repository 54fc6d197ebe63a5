/* SPDX-License-Identifier: MIT */
/* Typed spans: layouts, promotion, its bounds, what becomes of types that go cold, and of threads
 * that use an old index. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "collected.h"
#include "heap/object.h"
#include "hot.h"
#include "layout/oracle.h"
#include "layout/type_pointers.h"
#include "suite.h"

/* Two types for a size class, which differ in their layout. */
#define DEFINE_PAIR(bytes)                                                                         \
    typedef struct front_##bytes {                                                                 \
        void *pointers[(bytes) / 16];                                                              \
        uint64_t rest[(bytes) / 8 - (bytes) / 16];                                                 \
    } front_##bytes;                                                                               \
    TRI_TYPE(front_##bytes, pointers);                                                             \
    typedef struct back_##bytes {                                                                  \
        uint64_t rest[(bytes) / 8 - (bytes) / 16];                                                 \
        void *pointers[(bytes) / 16];                                                              \
    } back_##bytes;                                                                                \
    TRI_TYPE(back_##bytes, pointers)

DEFINE_PAIR(16);
DEFINE_PAIR(32);
DEFINE_PAIR(40); /* in slots of 48 */
DEFINE_PAIR(512);
DEFINE_PAIR(520); /* the first without a mask in the page */
DEFINE_PAIR(1024);
DEFINE_PAIR(2048); /* colours and type in the descriptor, as from here on of most */
DEFINE_PAIR(5000);
DEFINE_PAIR(16384);
DEFINE_PAIR(32760);
DEFINE_PAIR(32768); /* with a footer it would be a large object */

#define PAIR(bytes) {&tri_type_front_##bytes, &tri_type_back_##bytes}

static const tri_type *const pairs[][2] = {
    PAIR(16),   PAIR(32),   PAIR(40),    PAIR(512),   PAIR(520),   PAIR(1024),
    PAIR(2048), PAIR(5000), PAIR(16384), PAIR(32760), PAIR(32768),
};
#define PAIRS ((int)(sizeof pairs / sizeof *pairs))

static void *checked(void *p)
{
    ck_assert_ptr_nonnull(p);
    return p;
}

static void warm_pair(const tri_type *a, const tri_type *b)
{
    warm(a);
    warm(b);
}

/* ---- layouts ---- */

static void check_object(const tri_type *type, const void *p)
{
    uintptr_t base = (uintptr_t)p, end = base + type->size, wrong;
    struct tri__ref ref;

    ck_assert(is_typed(p));
    ck_assert(tri__resolve(base + type->size - 1, &ref));
    ck_assert_uint_eq(ref.base, base);
    ck_assert_uint_eq(tri_object_size(p), type->slot_size);
    ck_assert_ptr_eq(tri_object_type(p), type);
    ck_assert(is_zero(p, type->slot_size));
    wrong = tri__layout_oracle_compare(tri__type_pointers_of_ref(&ref), type, base, base, end);
    ck_assert_msg(wrong == 0, "%s: word %zu", type->name, (size_t)(wrong - base) / TRI_WORD);
    for (size_t word = 0; word < type->size / TRI_WORD; word += 1 + word / 8) {
        uintptr_t from = base + word * TRI_WORD, to = from + (end - from) / 2 / TRI_WORD * TRI_WORD;
        wrong = tri__layout_oracle_compare(tri__type_pointers_of_range(&ref, from, to - from), type,
                                           base, from, to);
        ck_assert_msg(wrong == 0, "%s: word %zu of a range", type->name, word);
    }
}

/* [inv.typed.layout] */
START_TEST(layouts_are_those_of_the_type)
{
    const tri_type *a = pairs[_i][0], *b = pairs[_i][1];
    start_quiet();
    warm_pair(a, b);
    for (size_t i = 0; i < 3 * typed_span_bytes(a) / a->size; i++) {
        check_object(a, checked(tri_alloc(a)));
        check_object(b, checked(tri_alloc(b)));
    }
}
END_TEST

/* Chains of each type, through their last pointer: a word that the marker missed would show. */
START_TEST(chains_survive_and_garbage_does_not)
{
    enum { LENGTH = 40 };
    const tri_type *type = pairs[_i][1];
    struct hidden garbage[LENGTH];
    void **chain = NULL;
    start_quiet();
    warm_pair(type, pairs[_i][0]);
    for (size_t i = 0; i < LENGTH; i++) {
        char *link = checked(tri_alloc(type));
        tri_init_store((void **)(link + type->size - TRI_WORD), (void *)chain);
        chain = (void **)link;
        garbage[i] = hide(checked(tri_alloc(type)));
    }
    collect();
    ck_assert_uint_le(count_objects(garbage, LENGTH), LENGTH / 4);
    for (size_t i = 0; i < LENGTH; i++) {
        ck_assert_ptr_eq(tri_object_base(chain), chain);
        chain = *(void ***)((char *)chain + type->size - TRI_WORD);
    }
    ck_assert_ptr_null(chain);
}
END_TEST

/* ---- promotion ---- */

START_TEST(types_that_alternate_leave_the_slow_path)
{
    start_quiet();
    check_types_in_turn(pairs[_i][0], pairs[_i][1]);
}
END_TEST

/* Its runs are laid out for it already. */
START_TEST(a_small_type_alone_stays_where_it_is)
{
    start_quiet();
    for (int i = 0; i < 20000; i++)
        ck_assert(!is_typed(checked(tri_new(front_32))));
    ck_assert_uint_eq(tri__typed_run(&tri_type_front_32), 0);
}
END_TEST

START_TEST(few_objects_make_no_type_hot)
{
    size_t few = typed_span_bytes(&tri_type_front_32) / sizeof(front_32) - 1;
    start_quiet();
    for (size_t i = 0; i < few; i++) {
        checked(tri_new(front_32));
        checked(tri_new(back_32));
    }
    ck_assert_uint_eq(tri__typed_run(&tri_type_front_32), 0);
    ck_assert_uint_eq(tri__typed_run(&tri_type_back_32), 0);
}
END_TEST

/* A type hot in one thread gives no span to another one that makes few objects of it
 * [inv.typed.bounded]. */
static void *make_few(void *result)
{
    for (int i = 0; i < 10; i++)
        *(unsigned *)result += is_typed(checked(tri_new(front_32)));
    return NULL;
}

START_TEST(heat_belongs_to_a_thread)
{
    pthread_t thread;
    unsigned typed = 0;
    start_quiet();
    warm_pair(&tri_type_front_32, &tri_type_back_32);
    ck_assert_int_eq(tri_thread_create(&thread, NULL, make_few, &typed), 0);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    ck_assert_uint_eq(typed, 0);
}
END_TEST

/* ---- more types than indices ---- */

#define MANY (3 * TRI__HOT_TYPES)

struct built {
    tri_type type;
    struct tri__type_state state;
};

static const uint64_t one_bit = 1;

static struct built *build_types(size_t count)
{
    struct built *built = aligned_alloc(64, count * sizeof *built);
    ck_assert_ptr_nonnull(built);
    for (size_t i = 0; i < count; i++) {
        tri_type type = tri_type_front_32;
        type.gc_data = &one_bit;
        type.ptr_bytes = TRI_WORD;
        type.run_tag = &built[i].type;
        type.cache = &built[i].state.mask;
        memset(&built[i], 0, sizeof built[i]);
        memcpy(&built[i].type, &type, sizeof type);
    }
    return built;
}

static unsigned count_hot(const struct built *built, size_t count)
{
    unsigned hot = 0;
    for (size_t i = 0; i < count; i++)
        hot += tri__typed_run(&built[i].type) != 0;
    return hot;
}

START_TEST(more_types_than_indices)
{
    struct built *built = build_types(MANY);
    start_quiet();
    for (size_t round = 0; round < 300; round++)
        for (size_t i = 0; i < MANY; i++)
            checked(tri_alloc(&built[(i * 7 + round) % MANY].type));
    ck_assert_uint_le(count_hot(built, MANY), TRI__HOT_TYPES);
    for (size_t i = 0; i < MANY; i++)
        for (size_t k = 0; k < 3 * TRI__PAGE_BYTES / sizeof(front_32); k++)
            tri__typed_missed(&own_cache()->heat, &built[i].type);
    ck_assert_uint_eq(count_hot(built, MANY), TRI__HOT_TYPES);
    for (size_t i = 0; i < MANY; i++)
        checked(tri_alloc(&built[i].type));
    tri_shutdown();
    ck_assert_uint_eq(count_hot(built, MANY), 0);
    for (size_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(tri__typed_spans(&built[i].type), 0);
    free(built);
}
END_TEST

/* The thread does not wait for whoever changes the table, however long that is, and its type gets hot
 * afterwards. Here the thread has the table itself: to wait would be for ever. */
START_TEST(a_held_table_puts_heat_off)
{
    const tri_type *type = &tri_type_back_1024;
    bool hot, typed;
    start_quiet();
    tri__typed_before_fork();
    hot = gets_hot(type, 1000);
    typed = is_typed(tri_alloc(type));
    tri__typed_after_fork();
    ck_assert(!hot && !typed);
    warm_among_threads(type);
    ck_assert(is_typed(checked(tri_alloc(type))));
}
END_TEST

/* ---- going cold ---- */

START_TEST(a_cold_type_loses_its_index_and_its_spans)
{
    const tri_type *type = &tri_type_back_1024;
    void **kept;
    start_quiet();
    kept = checked(tri_new_ptrs(1));
    warm(type);
    tri_init_store(kept, checked(tri_alloc(type)));
    ck_assert(is_typed(*kept));
    ck_assert_uint_ge(tri__typed_spans(type), 1);
    for (unsigned i = 0; i <= TRI__COLD_CYCLES; i++) {
        ck_assert_uint_ne(tri__typed_run(type), 0);
        collect();
    }
    ck_assert_uint_eq(tri__typed_run(type), 0);
    ck_assert_uint_ge(tri__typed_spans(type), 1); /* what lives keeps its span, and its layout */
    ck_assert_ptr_eq(tri_object_type(*kept), type);
    tri_store(kept, NULL);
    for (int i = 0; i < 3; i++)
        collect();
    ck_assert_uint_le(tri__typed_spans(type), 1); /* 1: a stray word */
    ck_assert(!is_typed(checked(tri_alloc(type))));
}
END_TEST

/* Lists do not mix types up, whoever has an index meanwhile [inv.typed.lists]. */
START_TEST(an_index_passes_from_type_to_type)
{
    enum { EACH = 300 };
    static const tri_type *const types[] = {&tri_type_front_32, &tri_type_back_32};
    void **kept;
    start_quiet();
    kept = checked(tri_new_ptrs(EACH * 20));
    for (unsigned round = 0; round < 20; round++) {
        const tri_type *type = types[round % 2];
        unsigned number;
        warm(type);
        number = tri__typed_run(type);
        ck_assert_uint_eq(number, TRI__SPAN_CLASSES); /* the only one in use */
        for (unsigned i = 0; i < EACH; i++) {
            void *p = checked(tri_alloc(type));
            tri_init_store(&kept[round * EACH + i], p);
            if (is_typed(p))
                ck_assert_ptr_eq(tri__span_at((uintptr_t)p)->type, type);
        }
        tri__typed_withdraw(type);
        if (round % 3 != 0)
            collect();
    }
    for (unsigned i = 0; i < EACH * 20; i++)
        if (is_typed(kept[i]))
            ck_assert_ptr_eq(tri_object_type(kept[i]), types[i / EACH % 2]);
}
END_TEST

/* The thread's run is still the old type's: the new one waits for H4, and gets no slot of it
 * [inv.typed.tag]. */
START_TEST(a_stale_index_is_harmless)
{
    const tri_type *old = &tri_type_front_32, *new = &tri_type_back_32;
    void *p;
    start_quiet();
    warm(old);
    ck_assert(is_typed(checked(tri_alloc(old))));
    tri__typed_withdraw(old);
    warm(new);
    ck_assert_uint_eq(tri__typed_run(new), TRI__SPAN_CLASSES);
    ck_assert(!is_typed(checked(tri_alloc(new))));
    ck_assert(!is_typed(checked(tri_alloc(old))));
    TRI__TYPE_STATE(old)->run_offset = TRI__TYPE_STATE(new)->run_offset; /* as a thread may see it */
    p = checked(tri_alloc(old));
    ck_assert(is_typed(p));
    check_object(old, p);
    TRI__TYPE_STATE(old)->run_offset = 0;
    collect();
    warm(new);
    check_object(new, checked(tri_alloc(new)));
}
END_TEST

/* A run that the thread could not refill, because it makes too few of the type now, is nobody's: its
 * tag would keep the next type that gets the index out of this thread for ever. */
START_TEST(a_run_without_a_span_forgets_its_type)
{
    const tri_type *old = &tri_type_front_32, *new = &tri_type_back_32;
    struct tri__run *run;
    unsigned number;
    start_quiet();
    warm(old);
    ck_assert(is_typed(checked(tri_alloc(old))));
    number = tri__typed_run(old);
    run = &own_cache()->front.runs[number];
    while (run->current < run->end)
        checked(tri_alloc(old));
    for (int i = 0; i < 40; i++)
        tri__heat_cool(&own_cache()->heat); /* no fresh span for it */
    ck_assert(!is_typed(checked(tri_alloc(old))));
    ck_assert_ptr_null(run->tag);
    ck_assert_uint_eq(run->end, 0);
    tri__typed_withdraw(old);
    warm(new);
    ck_assert_uint_eq(tri__typed_run(new), number);
    check_object(new, checked(tri_alloc(new)));
}
END_TEST

/* ---- out of memory ---- */

START_TEST(out_of_memory)
{
    tri_config config = TRI_CONFIG_INIT;
    const tri_type *type = &tri_type_back_1024;
    size_t count = 0, again = 0;
    void **chain = NULL, **next;
    config.gc_percent = -1;
    config.heap_reserve = (size_t)16 << 20;
    ck_assert_int_eq(tri_init(&config), 0);
    while ((next = tri_alloc(type)) != NULL) {
        tri_init_store((void **)((char *)next + type->size - TRI_WORD), (void *)chain);
        chain = next;
        count++;
    }
    ck_assert_uint_ge(count, 10000);
    ck_assert_uint_ge(tri__typed_spans(type), count / 8);
    while (chain != NULL) { /* every other one dies: their slots are of use to the type again */
        next = *(void ***)((char *)chain + type->size - TRI_WORD);
        if (next != NULL)
            next = *(void ***)((char *)next + type->size - TRI_WORD);
        tri_store((void **)((char *)chain + type->size - TRI_WORD), (void *)next);
        if (again++ == 0)
            checked(tri_handle_new(chain)); /* held until the end */
        chain = next;
    }
    again = 0;
    for (size_t i = 0; i < count / 3; i++)
        again += tri_alloc(type) != NULL;
    ck_assert_uint_eq(again, count / 3);
}
END_TEST

/* ---- threads and cycles ---- */

static uint32_t stop;

static void *churn(void *unused)
{
    void **kept = checked(tri_new_ptrs(64));
    (void)unused;
    for (unsigned i = 0; tri__load_relaxed(&stop) == 0; i++) {
        const tri_type *type = pairs[i / 500 % 7][i % 2];
        void *p = checked(tri_alloc(type));
        ck_assert(is_zero(p, type->size));
        tri_memclr(p, type->size); /* a signal may have shown it to a marker: no plain store */
        tri_store(&kept[i % 64], p);
    }
    return kept;
}

START_TEST(cycles_while_types_come_and_go)
{
    enum { THREADS = 3 };
    pthread_t threads[THREADS];
    start_quiet();
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, churn, NULL), 0);
    for (int i = 0; i < 60; i++) {
        if (i % 4 == 0)
            for (int k = 0; k < PAIRS; k++)
                tri__typed_withdraw(pairs[k][i / 4 % 2]);
        collect();
    }
    tri__store_relaxed(&stop, 1);
    TRI_BLOCKING
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("typed");
    TCase *layouts = tcase_create("layouts"), *heat = tcase_create("heat");
    TCase *cold = tcase_create("cold"), *long_ones = tcase_create("long");

    tcase_add_loop_test(layouts, layouts_are_those_of_the_type, 0, PAIRS);
    tcase_add_loop_test(layouts, chains_survive_and_garbage_does_not, 0, PAIRS);
    tcase_set_timeout(layouts, 30);
    suite_add_tcase(suite, layouts);

    tcase_add_loop_test(heat, types_that_alternate_leave_the_slow_path, 0, PAIRS);
    tcase_add_test(heat, a_small_type_alone_stays_where_it_is);
    tcase_add_test(heat, few_objects_make_no_type_hot);
    tcase_add_test(heat, heat_belongs_to_a_thread);
    tcase_add_test(heat, more_types_than_indices);
    tcase_add_test(heat, a_held_table_puts_heat_off);
    tcase_set_timeout(heat, 30);
    suite_add_tcase(suite, heat);

    tcase_add_test(cold, a_cold_type_loses_its_index_and_its_spans);
    tcase_add_test(cold, an_index_passes_from_type_to_type);
    tcase_add_test(cold, a_stale_index_is_harmless);
    tcase_add_test(cold, a_run_without_a_span_forgets_its_type);
    suite_add_tcase(suite, cold);

    tcase_add_test(long_ones, out_of_memory);
    tcase_add_test(long_ones, cycles_while_types_come_and_go);
    tcase_set_timeout(long_ones, 60);
    suite_add_tcase(suite, long_ones);
    return run_suite(suite);
}
