/* SPDX-License-Identifier: MIT */
/* Arenas and the collector: what they keep alive, when their addresses come back, what a use after
 * free does, and freeing and copying while a mark is running. */
#include <check.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "capture.h"
#include "collected.h"
#include "heap/arena_chunk.h"
#include "heap/arena_quarantine.h"
#include "heap/resolve.h"
#include "phase.h"
#include "suite.h"

#define CHUNK TRI_ARENA_VALUE_MAX
#define OBJECTS 500
#define FORGIVEN 5 /* that words on the stack may keep */

typedef struct one {
    void *p;
} one;
TRI_TYPE(one, p);
typedef struct odd {
    void *a;
    uintptr_t n;
    void *b;
} odd;
TRI_TYPE(odd, a, b);
typedef struct node {
    struct node *next;
    uintptr_t key;
} node;
TRI_TYPE(node, next);

static struct hidden seen[OBJECTS];

static uint64_t waiting(void)
{
    return stats_now().arena_waiting_bytes;
}

static uint8_t colour_at(const void *p)
{
    struct tri__ref ref;
    ck_assert(tri__locate((uintptr_t)p, &ref));
    return *ref.colour;
}

/* ---- what lives ---- */

static __attribute__((noinline)) void point_to_objects(tri_arena *arena, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        odd *value = tri_arena_alloc(arena, &tri_type_odd);
        node *object = tri_new(node);
        object->key = i;
        tri_store(i % 2 == 0 ? &value->a : &value->b, object);
        seen[i] = hide(object);
    }
}

static void fill_chunks(tri_arena *arena, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += 4096)
        ck_assert_ptr_nonnull(tri_arena_alloc_array(arena, &tri_type_bytes, 4096));
}

static void expect_keys(void)
{
    for (size_t i = 0; i < OBJECTS; i++)
        ck_assert_uint_eq(((node *)reveal(seen[i]))->key, i);
}

START_TEST(what_arenas_point_to_lives)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    point_to_objects(arena, 0, OBJECTS / 2);
    collect();
    collect();
    fill_chunks(arena, 3 * CHUNK);
    point_to_objects(arena, OBJECTS / 2, OBJECTS);
    collect();
    collect();
    ck_assert_uint_eq(count_objects(seen, OBJECTS), OBJECTS);
    expect_keys();
    tri_arena_free(arena);
    collect();
    ck_assert_uint_le(count_objects(seen, OBJECTS), FORGIVEN);
    collect();
    ck_assert_uint_eq(waiting(), 0);
    tri_shutdown();
}
END_TEST

static __attribute__((noinline)) tri_arena *chain_of_arenas(tri_arena *second)
{
    tri_arena *first = tri_arena_new();
    node *before = NULL;
    for (uintptr_t i = 0; i < OBJECTS; i++) {
        node *value = i % 3 == 0   ? tri_arena_alloc(first, &tri_type_node)
                      : i % 3 == 1 ? tri_new(node)
                                   : tri_arena_alloc(second, &tri_type_node);
        value->key = i;
        tri_init_store(&value->next, before);
        before = value;
    }
    seen[0] = hide(before);
    one *head = tri_arena_alloc(first, &tri_type_one);
    tri_store(&head->p, before);
    return first;
}

START_TEST(pointers_in_both_directions)
{
    start_quiet();
    tri_arena *second = tri_arena_new(), *first = chain_of_arenas(second);
    collect();
    collect();
    node *at = reveal(seen[0]);
    for (uintptr_t i = OBJECTS; i-- > 0; at = at->next)
        ck_assert_uint_eq(at->key, i);
    tri_arena_free(first);
    tri_arena_free(second);
    tri_shutdown();
}
END_TEST

/* Too large for a chunk: an object of the heap that lives as long as the arena. */
static __attribute__((noinline)) void alloc_large_values(tri_arena *arena)
{
    for (size_t i = 0; i < 20; i++) {
        void *value = i % 2 == 0 ? tri_arena_alloc_array(arena, &tri_type_bytes, CHUNK + 1)
                                 : tri_arena_alloc_array(arena, &tri_type_ptr, CHUNK / 8 + 1);
        ck_assert_ptr_nonnull(value);
        ck_assert_ptr_eq(tri_arena_keep(value), value);
        seen[i] = hide(value);
    }
}

START_TEST(values_larger_than_a_chunk)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    alloc_large_values(arena);
    collect();
    ck_assert_uint_eq(count_objects(seen, 20), 20);
    tri_arena_free(arena);
    collect();
    ck_assert_uint_le(count_objects(seen, 20), 2);
    tri_shutdown();
}
END_TEST

static __attribute__((noinline)) void point_and_free(void)
{
    tri_arena *arena = tri_arena_new();
    for (size_t i = 0; i < OBJECTS; i++)
        seen[i] = hide(tri_new(node));
    for (size_t i = 0; i < CHUNK / 8; i++) {
        one *value = tri_arena_alloc(arena, &tri_type_one);
        tri_store(&value->p, reveal(seen[i % OBJECTS]));
    }
    tri_arena_free(arena);
}

static __attribute__((noinline)) void fill_with_stale_addresses(tri_arena *arena)
{
    for (size_t done = 0; done < CHUNK; done += 4096) {
        uintptr_t *words = tri_arena_alloc_array(arena, &tri_type_bytes, 4096);
        for (size_t i = 0; i < 512; i++)
            words[i] = (uintptr_t)reveal(seen[i % OBJECTS]);
    }
}

/* Chunks that are used again have no bits of before. */
START_TEST(freeing_clears_the_bits)
{
    start_quiet();
    point_and_free();
    tri__quarantine_begin();
    tri__quarantine_end(); /* without a mark, so that the objects are still there */
    ck_assert_uint_eq(waiting(), 0);
    tri_arena *arena = tri_arena_new();
    fill_with_stale_addresses(arena);
    collect();
    ck_assert_uint_le(count_objects(seen, OBJECTS), FORGIVEN);
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

START_TEST(a_word_into_a_live_chunk_marks_nothing)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    one *value = tri_arena_alloc(arena, &tri_type_one);
    tri_store(&value->p, value);
    tri_handle *handle = tri_handle_new(value);
    ck_assert_uint_eq(colour_at(value), TRI__BLACK);
    uint64_t before = stats_now().marked_objects;
    collect();
    ck_assert_uint_eq(stats_now().marked_objects, before);
    ck_assert_uint_eq(colour_at(value), TRI__BLACK);
    tri_handle_free(handle);
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

/* ---- quarantine ---- */

static __attribute__((noinline)) void *interior_of_freed_arena(void)
{
    tri_arena *arena = tri_arena_new();
    char *value = tri_arena_alloc_array(arena, &tri_type_bytes, 1000);
    tri_arena_free(arena);
    return value + 501;
}

TRI_ROOT static void *root;

static __attribute__((noinline)) void store_interior(void **place)
{
    tri_store(place, interior_of_freed_arena());
}

/* In a frame so deep that collect() overwrites all of it, so that no other word is left. */
static __attribute__((noinline)) void leave_pointer(void **place)
{
    volatile char room[1024];

    store_interior(place);
    __asm__ volatile("" : : "r"(room) : "memory");
}

START_TEST(a_pointer_keeps_the_quarantine)
{
    start_quiet();
    tri_arena *other = tri_arena_new();
    one *in_arena = tri_arena_alloc(other, &tri_type_one), *in_heap = tri_new(one);
    void **const places[] = {&root, &in_arena->p, &in_heap->p};
    for (size_t i = 0; i < 3; i++) {
        leave_pointer(places[i]);
        for (int k = 0; k < 3; k++) {
            collect();
            ck_assert_uint_eq(waiting(), TRI__ARENA_LEAST);
        }
        tri_store(places[i], NULL);
        collect();
        ck_assert_uint_eq(waiting(), 0);
    }
    ck_assert_ptr_nonnull(in_heap);
    tri_arena_free(other);
    tri_shutdown();
}
END_TEST

/* What the coordinator does at the beginning and at the end of a mark, by hand. */
START_TEST(a_chunk_freed_in_a_mark_waits_for_the_next)
{
    start_quiet();
    interior_of_freed_arena();
    tri__quarantine_begin();
    interior_of_freed_arena();
    ck_assert_uint_eq(waiting(), 2 * TRI__ARENA_LEAST);
    tri__quarantine_end();
    ck_assert_uint_eq(waiting(), TRI__ARENA_LEAST);
    tri__quarantine_begin();
    tri__quarantine_end();
    ck_assert_uint_eq(waiting(), 0);
    tri_shutdown();
}
END_TEST

START_TEST(addresses_are_used_again)
{
    start_quiet();
    uintptr_t low = UINTPTR_MAX, high = 0;
    for (int i = 0; i < 50; i++) {
        tri_arena *arena = tri_arena_new();
        uintptr_t value = (uintptr_t)tri_arena_alloc_array(arena, &tri_type_bytes, CHUNK / 2);
        low = value < low ? value : low;
        high = value > high ? value : high;
        tri_arena_free(arena);
        collect();
    }
    ck_assert_uint_lt(high - low, 8 * CHUNK);
    tri_shutdown();
}
END_TEST

/* ---- use after free ---- */

static volatile char *stale;

static void make_stale(void)
{
    start_quiet();
    tri_arena_free(tri_arena_new());
    tri_arena *arena = tri_arena_new();
    fill_chunks(arena, 200 << 10);
    stale = tri_arena_alloc_array(arena, &tri_type_bytes, 100);
    tri_arena_free(arena);
}

static void read_stale(void)
{
    make_stale();
    (void)stale[7];
}

static void write_stale(void)
{
    make_stale();
    stale[7] = 1;
}

static void store_stale(void)
{
    make_stale();
    tri_store((void **)(uintptr_t)stale, NULL);
}

static void read_stale_after_cycles(void)
{
    make_stale();
    tri_store(&root, (void *)(uintptr_t)stale);
    collect();
    collect();
    (void)stale[7];
}

static void (*const uses_after_free[])(void) = {read_stale, write_stale, store_stale,
                                                read_stale_after_cycles};

START_TEST(a_use_after_free_names_the_arena)
{
    struct captured captured = capture_child(uses_after_free[_i]);
    ck_assert_msg(captured_aborted(&captured), "%d: %s", captured.status, captured.text);
    ck_assert_msg(strstr(captured.text, "tricolor: use of arena 2 at 0x") != NULL, "%s",
                  captured.text);
    ck_assert_msg(strstr(captured.text, "after tri_arena_free()") != NULL, "%s", captured.text);
    ck_assert_msg(strstr(captured.text, "tri_arena_keep()") != NULL, "%s", captured.text);
}
END_TEST

static void leave(int number)
{
    _exit(number == SIGSEGV ? 42 : 43);
}

static void leave_with_address(int number, siginfo_t *info, void *context)
{
    (void)context;
    _exit(number == SIGSEGV && info->si_addr == (void *)8 ? 44 : 45);
}

static void fault_elsewhere(void)
{
    volatile char *volatile nowhere = (char *)8;
    make_stale();
    (void)*nowhere;
}

static void fault_with_handler(void)
{
    signal(SIGSEGV, leave);
    fault_elsewhere();
}

static void fault_with_action(void)
{
    struct sigaction action = {.sa_sigaction = leave_with_address, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    fault_elsewhere();
}

static void fault_by_default(void)
{
    signal(SIGSEGV, SIG_DFL); /* a sanitizer may have set its own */
    fault_elsewhere();
}

static void signal_by_default(void)
{
    signal(SIGSEGV, SIG_DFL);
    make_stale();
    raise(SIGSEGV);
}

START_TEST(other_faults_go_where_they_went)
{
    struct captured captured = capture_child(fault_with_handler);
    ck_assert_msg(captured_exited(&captured, 42), "%d: %s", captured.status, captured.text);
    captured = capture_child(fault_with_action);
    ck_assert_msg(captured_exited(&captured, 44), "%d: %s", captured.status, captured.text);
    captured = capture_child(fault_by_default);
    ck_assert_msg(WIFSIGNALED(captured.status) && WTERMSIG(captured.status) == SIGSEGV, "%d: %s",
                  captured.status, captured.text);
    captured = capture_child(signal_by_default);
    ck_assert_msg(WIFSIGNALED(captured.status) && WTERMSIG(captured.status) == SIGSEGV, "%d: %s",
                  captured.status, captured.text);
}
END_TEST

/* ---- while a mark is running ---- */

static size_t count_shaded(const struct shaded *shaded, const void *p)
{
    size_t count = 0;
    for (size_t i = 0; i < shaded->count; i++)
        count += shaded->entries[i] == (uintptr_t)p;
    return count;
}

START_TEST(freeing_shades_what_the_arena_held)
{
    const enum tri__barrier_state state = _i == 0 ? TRI__BARRIER_UNSCANNED : TRI__BARRIER_SCANNED;
    start_quiet();
    node *object = tri_new(node);
    tri_arena *arena = tri_arena_new(), *idle = tri_arena_new();
    for (size_t i = 0; i < 20000; i++) {
        odd *value = tri_arena_alloc(i < 10 ? idle : arena, &tri_type_odd);
        tri_store(&value->a, object);
        value->n = (uintptr_t)object;
    }
    take_shaded();
    tri_arena_free(idle);
    ck_assert_uint_eq(take_shaded()->count, 0);
    begin_mark(state);
    tri_arena_free(arena);
    ck_assert_uint_eq(count_shaded(take_shaded(), object), 20000 - 10);
    end_mark();
    tri_shutdown();
}
END_TEST

START_TEST(bulk_copies_shade_by_the_arenas_layout)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    node *old = tri_new(node), *fresh = tri_new(node);
    odd *in_arena = tri_arena_alloc_array(arena, &tri_type_odd, 100);
    odd *in_heap = tri_new_array(odd, 100);
    for (size_t i = 0; i < 100; i++) {
        tri_store(&in_arena[i].b, old);
        tri_store(&in_heap[i].b, fresh);
        in_heap[i].n = (uintptr_t)old;
        in_arena[i].n = (uintptr_t)fresh;
    }
    begin_mark(TRI__BARRIER_SCANNED);
    tri_memmove(&in_arena[10], &in_heap[5], 50 * sizeof(odd));
    const struct shaded *shaded = take_shaded();
    ck_assert_uint_eq(count_shaded(shaded, old), 50);
    ck_assert_uint_eq(count_shaded(shaded, fresh), 50);
    ck_assert_uint_eq(shaded->count, 100);
    tri_memmove(&in_heap[1], &in_arena[60], 2 * sizeof(odd));
    shaded = take_shaded();
    ck_assert_uint_eq(count_shaded(shaded, old), 2);
    ck_assert_uint_eq(count_shaded(shaded, fresh), 2);
    tri_memclr(&in_arena[10].n, sizeof(odd));
    ck_assert_uint_eq(take_shaded()->count, 1);
    end_mark();
    tri_arena_free(arena);
    tri_shutdown();
}
END_TEST

static void copy_past_a_value(void)
{
    start_quiet();
    tri_arena *arena = tri_arena_new();
    one *first = tri_arena_alloc(arena, &tri_type_one);
    tri_arena_alloc(arena, &tri_type_one);
    begin_mark(TRI__BARRIER_SCANNED);
    tri_memclr(first, 2 * sizeof(one));
}

START_TEST(a_range_of_two_values_is_fatal)
{
    struct captured captured = capture_child(copy_past_a_value);
    ck_assert_msg(captured_aborted(&captured), "%d: %s", captured.status, captured.text);
    ck_assert_msg(strstr(captured.text, "leaves its object") != NULL, "%s", captured.text);
}
END_TEST

/* The test is a marker that is in the middle of a piece. */
static void *free_arena(void *arena)
{
    tri_arena_free(arena);
    return NULL;
}

START_TEST(freeing_waits_for_a_marker)
{
    pthread_t thread;
    start_quiet();
    tri_arena *arena = tri_arena_new();
    one *value = tri_arena_alloc(arena, &tri_type_one);
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at((uintptr_t)value));
    pthread_mutex_lock(&chunk->scan_lock);
    ck_assert_int_eq(pthread_create(&thread, NULL, free_arena, arena), 0);
    usleep(50000);
    ck_assert_uint_ne(tri__arena_used(chunk), 0);
    ck_assert_uint_eq(tri__load_relaxed(&chunk->state), TRI__ARENA_LIVE);
    ck_assert_ptr_null(tri__load_relaxed(&value->p)); /* does not fault */
    pthread_mutex_unlock(&chunk->scan_lock);
    TRI_BLOCKING
        ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_uint_eq(tri__load_relaxed(&chunk->state), TRI__ARENA_FREED);
    tri_shutdown();
}
END_TEST

/* ---- beside cycles ---- */

#define THREADS 3
#define CYCLES 20

static uint32_t stop; /* atomic */

/* A chain in an arena to objects of the heap; every other one goes on to the arena before it. */
static node *make_chain(tri_arena *arena, uintptr_t key, size_t length)
{
    node *head = NULL;
    for (size_t i = 0; i < length; i++) {
        node *value = tri_arena_alloc(arena, &tri_type_node), *object = tri_new(node);
        if (value == NULL || object == NULL)
            return NULL;
        object->key = value->key = key;
        tri_init_store(&object->next, head);
        tri_init_store(&value->next, object);
        head = value;
    }
    return head;
}

static const char *check_chain(const node *at, uintptr_t key, size_t length)
{
    for (size_t i = 0; i < 2 * length; i++, at = at->next)
        if (at == NULL || at->key != key)
            return "a chain is broken";
    return at == NULL ? NULL : "a chain is too long";
}

/* What is loaded out of the arena before it is freed is reachable only through the freeing
 * thread's stack afterwards. */
static void *arena_user(void *number)
{
    const char *error = NULL;
    for (uintptr_t i = 0; error == NULL && !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++) {
        uintptr_t key = i * THREADS + (uintptr_t)number;
        size_t length = i % 7 == 0 ? 5000 : 10;
        tri_arena *arena = tri_arena_new();
        node *head = make_chain(arena, key, length);
        if (head == NULL)
            return (void *)"no memory";
        error = check_chain(head, key, length);
        node *object = head->next, *kept = tri_arena_keep(head);
        tri_arena_free(arena);
        if (object->key != key || kept->key != key || kept->next != object)
            error = "what was in an arena is lost";
    }
    return (void *)error;
}

START_TEST(freed_while_marking)
{
    pthread_t threads[THREADS];
    start_quiet();
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, arena_user, (void *)i), 0);
    for (int i = 0; i < CYCLES; i++)
        tri_collect();
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    for (int i = 0; i < THREADS; i++) {
        void *error;
        TRI_BLOCKING
            ck_assert_int_eq(pthread_join(threads[i], &error), 0);
        ck_assert_msg(error == NULL, "%s", (char *)error);
    }
    collect();
    collect();
    ck_assert_uint_eq(stats_now().arenas, 0);
    ck_assert_uint_eq(waiting(), 0);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("arena_gc");
    TCase *lives = tcase_create("lives"), *after = tcase_create("after");
    TCase *marking = tcase_create("marking");

    tcase_add_test(lives, what_arenas_point_to_lives);
    tcase_add_test(lives, pointers_in_both_directions);
    tcase_add_test(lives, values_larger_than_a_chunk);
    tcase_add_test(lives, freeing_clears_the_bits);
    tcase_add_test(lives, a_word_into_a_live_chunk_marks_nothing);
    tcase_set_timeout(lives, 120);
    suite_add_tcase(suite, lives);

    tcase_add_test(after, a_pointer_keeps_the_quarantine);
    tcase_add_test(after, a_chunk_freed_in_a_mark_waits_for_the_next);
    tcase_add_test(after, addresses_are_used_again);
    tcase_add_loop_test(after, a_use_after_free_names_the_arena, 0,
                        sizeof uses_after_free / sizeof uses_after_free[0]);
    tcase_add_test(after, other_faults_go_where_they_went);
    tcase_set_timeout(after, 120);
    suite_add_tcase(suite, after);

    tcase_add_loop_test(marking, freeing_shades_what_the_arena_held, 0, 2);
    tcase_add_test(marking, bulk_copies_shade_by_the_arenas_layout);
    tcase_add_test(marking, a_range_of_two_values_is_fatal);
    tcase_add_test(marking, freeing_waits_for_a_marker);
    tcase_add_test(marking, freed_while_marking);
    tcase_set_timeout(marking, 120);
    suite_add_tcase(suite, marking);
    return run_suite(suite);
}
