/* SPDX-License-Identifier: MIT */
/* tests/full_heap.h: a heap with spans of all kinds, and what tri_heap_check() says of it. */
#ifndef TRI__TESTS_FULL_HEAP_H
#define TRI__TESTS_FULL_HEAP_H

#include <check.h>
#include <string.h>

#include <tricolor.h>

#include "heap/resolve.h"
#include "suite.h"

typedef struct node {
    struct node *next;
    long number;
} node;
TRI_TYPE(node, next);

typedef struct wide {
    node *first;
    char rest[1400];
} wide;
TRI_TYPE(wide, first);

TRI_ROOT static node *list;
TRI_ROOT static wide *wides;
TRI_ROOT static void *large, *leaf, *medium; /* medium: one of two of a run */

/* ---- a heap, and what was said of it ---- */

static char said[32 << 10];

static inline void note_line(const char *line, void *unused)
{
    (void)unused;
    if (strlen(said) + strlen(line) < sizeof said)
        strcat(said, line);
}

static inline void fill_list(void)
{
    for (long i = 0; i < 3000; i++) {
        node *fresh = tri_new(node);

        ck_assert_ptr_nonnull(fresh);
        tri_init_store(&fresh->next, list);
        fresh->number = i;
        tri_store(&list, fresh);
    }
}

static inline void start_full_verified(const char *modes)
{
    tri_config config = TRI_CONFIG_INIT;

    config.gc_percent = -1;
    config.log = note_line;
    config.verify = modes;
    ck_assert_int_eq(tri_init(&config), 0);
    said[0] = '\0';
    fill_list();
    tri_store(&wides, tri_new(wide));
    tri_store(&large, tri_alloc_conservative(100000));
    tri_store(&leaf, tri_alloc_bytes(500));
    tri_collect();
    fill_list();
    tri_store(&medium, tri_alloc_bytes(3000));
}

static inline void start_full(void)
{
    start_full_verified(NULL);
}

/* Not the one that checks first. */
static inline void stop(void)
{
    (tri_shutdown)();
}

static inline void expect_none(void)
{
    int defects = tri_heap_check();

    ck_assert_msg(defects == 0 && said[0] == '\0', "%d defects:\n%s", defects, said);
}

static inline struct tri__span *span_of(const void *object)
{
    return tri__span_at((uintptr_t)object);
}

/* One of more than one page. */
static inline struct tri__span *long_span(void)
{
    struct tri__span *span = span_of(large);

    ck_assert_uint_gt(span->pages, 1);
    return span;
}

#endif
