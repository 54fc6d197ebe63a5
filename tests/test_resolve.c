/* SPDX-License-Identifier: MIT */
/* From any word to an object or to nothing: each bound by a case, and random words against a model
 * that knows the spans as a list and divides. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/inspect.h>

#include "bare_heap.h"
#include "heap/object.h"
#include "random.h"
#include "suite.h"

#define RESERVE ((size_t)64 << 20)
#define SPANS 400
#define WORDS 200000
#define FILL 0xa5

static uint64_t test_seed;
static struct random rng;

/* The model's view of a span. */
struct area {
    uintptr_t base;
    size_t pages, slot_bytes;
    uint32_t slots;
    uint8_t span_class;
    struct tri__span *span;
    uint8_t colours[1024];
};

static struct area areas[SPANS];
static size_t area_count;

/* What a span with more slots has left in the descriptor. */
static void poison_unused_colours(struct tri__span *span)
{
    size_t used = tri__span_groups(span) * 8;
    if (span->colours == span->own_colours)
        memset(span->own_colours + used, TRI__WHITE, sizeof span->own_colours - used);
}

static struct area *add_area(unsigned span_class, size_t pages)
{
    struct area *area = &areas[area_count++];
    bool dirty;
    ck_assert_uint_le(area_count, SPANS);
    memset(area, 0, sizeof *area);
    area->span_class = (uint8_t)span_class;
    area->pages = pages;
    ck_assert(tri__page_heap_alloc(&tri__heap.pages, pages, &area->base, &dirty));
    memset((void *)area->base, FILL, pages * TRI__PAGE_BYTES);
    area->span = tri__span_new(area->base, pages, (uint8_t)span_class, dirty);
    ck_assert_ptr_nonnull(area->span);
    poison_unused_colours(area->span);
    area->slots = span_class == TRI__LARGE_SPAN ? 1 : tri__class_info[span_class].slots;
    area->slot_bytes = span_class == TRI__LARGE_SPAN ? pages * TRI__PAGE_BYTES
                                                     : tri__class_info[span_class].size;
    tri__span_publish(area->span);
    return area;
}

static struct area *add_small(unsigned span_class)
{
    return add_area(span_class, tri__class_info[span_class].pages);
}

static void paint(struct area *area, uint32_t slot, uint32_t count, enum tri__colour colour)
{
    tri__span_paint(area->span, slot, count, colour);
    memset(&area->colours[slot], (int)colour, count);
}

static const struct area *naive_area(uintptr_t address)
{
    for (size_t i = 0; i < area_count; i++)
        if (address >= areas[i].base && address < areas[i].base + areas[i].pages * TRI__PAGE_BYTES)
            return &areas[i];
    return NULL;
}

/* The slot's address, or 0. */
static uintptr_t naive_resolve(uintptr_t address)
{
    const struct area *area = naive_area(address);
    size_t slot = area == NULL ? 0 : (address - area->base) / area->slot_bytes;
    if (area == NULL || slot >= area->slots || area->colours[slot] == TRI__FREE)
        return 0;
    return area->base + slot * area->slot_bytes;
}

static bool agrees(uintptr_t word, uintptr_t expected)
{
    const struct area *area = naive_area(word);
    struct tri__ref ref;
    if (tri_object_base((void *)word) != (void *)expected)
        return false;
    if (!tri__resolve(word, &ref))
        return expected == 0;
    return ref.base == expected && ref.span_class == area->span_class &&
           *ref.colour == area->colours[(expected - area->base) / area->slot_bytes] &&
           tri__ref_bytes(&ref) == area->slot_bytes;
}

static void check_word(uintptr_t word)
{
    uintptr_t expected = naive_resolve(word);
    if (!agrees(word, expected))
        ck_abort_msg("%#lx: not resolved to %#lx", (unsigned long)word, (unsigned long)expected);
}

static uintptr_t resolved(uintptr_t word)
{
    struct tri__ref ref;
    check_word(word);
    return tri__resolve(word, &ref) ? ref.base : 0;
}

static uintptr_t end_of(const struct area *area)
{
    return area->base + area->pages * TRI__PAGE_BYTES;
}

/* ---- each bound ---- */

START_TEST(words_outside_the_heap)
{
    static char global;
    bare_heap_start(RESERVE);
    ck_assert_uint_eq(resolved(0), 0);
    ck_assert_uint_eq(resolved(8), 0);
    ck_assert_uint_eq(resolved(UINTPTR_MAX), 0);
    ck_assert_uint_eq(resolved((uintptr_t)&global), 0);
    ck_assert_uint_eq(resolved((uintptr_t)1 << 63), 0);
    ck_assert_uint_eq(resolved(tri__heap.base - 1), 0);
    ck_assert_uint_eq(resolved(tri__heap.base + tri__heap.bytes), 0);
    ck_assert_uint_eq(resolved(tri__heap.base | (uintptr_t)1 << 63), 0);
    ck_assert_uint_eq(resolved(~tri__heap.base), 0);
}
END_TEST

START_TEST(pages_in_no_span)
{
    struct area *area, gone;
    bare_heap_start(RESERVE);
    ck_assert_uint_eq(resolved(tri__heap.base), 0);
    ck_assert_uint_eq(resolved(tri__heap.base + tri__heap.bytes - 1), 0);
    area = add_small(TRI__SPAN_CLASS(2, 0));
    paint(area, 0, area->slots, TRI__WHITE);
    ck_assert_uint_eq(resolved(area->base), area->base);
    ck_assert_uint_eq(resolved(end_of(area)), 0);
    gone = *area;
    area_count = 0;
    tri__span_free(gone.span);
    for (uintptr_t word = gone.base; word < end_of(&gone); word++)
        ck_assert_uint_eq(resolved(word), 0);
}
END_TEST

static void check_slots_of(unsigned span_class)
{
    struct area *area = add_small(span_class);
    size_t size = area->slot_bytes;
    uintptr_t last = area->base + (area->slots - 1) * size;
    struct tri__ref ref;
    for (uintptr_t word = area->base; word < end_of(area); word += 8)
        check_word(word); /* unallocated */
    paint(area, 1, 1, TRI__WHITE);
    ck_assert_uint_eq(resolved(area->base + size - 1), 0);
    ck_assert_uint_eq(resolved(area->base + size), area->slots > 1 ? area->base + size : 0);
    ck_assert_uint_eq(resolved(area->base + 2 * size - 1), area->slots > 1 ? area->base + size : 0);
    ck_assert_uint_eq(resolved(area->base + 2 * size), 0); /* one past the end */
    paint(area, 0, area->slots, TRI__BLACK);
    ck_assert_uint_eq(resolved(last), last);
    ck_assert_uint_eq(resolved(last + size - 1), last);
    for (uintptr_t word = last + size; word < end_of(area); word++) {
        check_word(word); /* metadata and tail */
        ck_assert(!tri__locate(word, &ref));
    }
}

START_TEST(slots_of_every_class)
{
    bare_heap_start(RESERVE);
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++)
        if (tri__class_info[c].slots > 1)
            check_slots_of(c);
}
END_TEST

START_TEST(large_objects)
{
    static const size_t pages[] = {1, 2, 5, 100, 600};
    bare_heap_start(RESERVE);
    for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
        struct area *area = add_area(TRI__LARGE_SPAN, pages[i]);
        ck_assert_uint_eq(resolved(area->base), 0);
        paint(area, 0, 1, TRI__WHITE);
        for (uintptr_t word = area->base; word < end_of(area); word += 1021)
            ck_assert_uint_eq(resolved(word), area->base);
        ck_assert_uint_eq(resolved(end_of(area) - 1), area->base);
        ck_assert_uint_eq(resolved(end_of(area)), 0);
        ck_assert_uint_eq(resolved(area->base - 1), i == 0 ? 0 : area[-1].base);
    }
}
END_TEST

/* ---- colours ---- */

START_TEST(marking)
{
    struct tri__ref ref;
    struct area *area;
    bare_heap_start(RESERVE);
    for (unsigned c = 2; c < TRI__SPAN_CLASSES; c++) {
        area = add_small(c);
        ck_assert(tri__locate(area->base, &ref));
        ck_assert(!tri__is_allocated(&ref));
        ck_assert(!tri__mark(&ref)); /* a stray word must not bring a free slot to life */
        check_word(area->base);
        paint(area, 0, 1, TRI__WHITE);
        ck_assert(tri__mark(&ref));
        area->colours[0] = TRI__BLACK;
        check_word(area->base);
        ck_assert(!tri__mark(&ref));
        check_word(area->base);
        check_word(area->base + area->slot_bytes);
    }
}
END_TEST

/* ---- what the program may ask ---- */

START_TEST(questions_about_objects)
{
    struct area *leaf, *bitmap, *footer, *large;
    const tri_type **type;
    bare_heap_start(RESERVE);
    leaf = add_small(TRI__SPAN_CLASS(tri__size_to_class(48), 1));
    bitmap = add_small(TRI__SPAN_CLASS(tri__size_to_class(48), 0));
    footer = add_small(TRI__SPAN_CLASS(tri__size_to_class(1000), 0));
    large = add_area(TRI__LARGE_SPAN, 9);
    for (size_t i = 0; i < area_count; i++)
        paint(&areas[i], 0, 1, TRI__WHITE);
    ck_assert_uint_eq(tri_object_size((void *)(leaf->base + 47)), 48);
    ck_assert_uint_eq(tri_object_size((void *)(leaf->base + 48)), 0);
    ck_assert_ptr_eq(tri_object_type((void *)leaf->base), &tri_type_bytes);
    ck_assert_uint_eq(tri_object_size((void *)bitmap->base), 48);
    ck_assert_ptr_null(tri_object_type((void *)bitmap->base));
    type = (const tri_type **)(footer->base + footer->slot_bytes - TRI_WORD);
    *type = &tri_type_ptr;
    ck_assert_uint_eq(tri_object_size((void *)footer->base), footer->slot_bytes - TRI_WORD);
    ck_assert_ptr_eq(tri_object_type((void *)(footer->base + 500)), &tri_type_ptr);
    ck_assert_uint_eq(tri_object_size((void *)(large->base + 70000)), 9 * TRI__PAGE_BYTES);
    ck_assert_ptr_eq(tri_object_type((void *)large->base), &tri_type_bytes);
    large->span->type = &tri_type_ptr;
    ck_assert_ptr_eq(tri_object_type((void *)large->base), &tri_type_ptr);
    ck_assert_ptr_null(tri_object_type(NULL));
    ck_assert_ptr_null(tri_object_type(&leaf));
    ck_assert_uint_eq(tri_object_size(&leaf), 0);
}
END_TEST

/* ---- any word ---- */

/* Spans of all classes with some of their slots taken, and holes between them. */
static void build_heap(void)
{
    while (area_count < SPANS - 1) {
        unsigned c = 1 + (unsigned)random_below(&rng, TRI__SPAN_CLASSES - 1);
        size_t pages = c == TRI__LARGE_SPAN ? 1 + random_below(&rng, 40) : tri__class_info[c].pages;
        struct area *area = add_area(c, pages);
        for (uint32_t slot = 0; slot < area->slots; slot++)
            if (random_below(&rng, 2) != 0)
                paint(area, slot, 1, 1 + (enum tri__colour)random_below(&rng, 2));
        if (random_below(&rng, 8) == 0) {
            tri__span_free(area->span);
            area_count--;
        }
    }
}

static uintptr_t random_word(void)
{
    const struct area *area = &areas[random_below(&rng, area_count)];
    uintptr_t slot = area->base + random_below(&rng, area->slots + 1) * area->slot_bytes;
    switch (random_below(&rng, 5)) {
    case 0:
        return random_next(&rng);
    case 1:
        return tri__heap.base + random_below(&rng, tri__heap.bytes);
    case 2:
        return slot + random_below(&rng, 3) - 1; /* at the border of slots */
    case 3:
        return end_of(area) + random_below(&rng, 3) - 1;
    default:
        return area->base + random_below(&rng, area->pages * TRI__PAGE_BYTES);
    }
}

START_TEST(any_word)
{
    bare_heap_start(RESERVE);
    rng = random_of(test_seed, 1);
    build_heap();
    for (int i = 0; i < WORDS; i++)
        check_word(random_word());
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("resolve");
    TCase *bounds = tcase_create("bounds"), *any = tcase_create("any");
    test_seed = random_start(argc, argv);

    tcase_add_test(bounds, words_outside_the_heap);
    tcase_add_test(bounds, pages_in_no_span);
    tcase_add_test(bounds, slots_of_every_class);
    tcase_add_test(bounds, large_objects);
    tcase_add_test(bounds, marking);
    tcase_add_test(bounds, questions_about_objects);
    tcase_set_timeout(bounds, 20);
    suite_add_tcase(suite, bounds);

    tcase_add_test(any, any_word);
    tcase_set_timeout(any, 20);
    suite_add_tcase(suite, any);
    return run_suite(suite);
}
