/* SPDX-License-Identifier: MIT */
/* A module with types of all kinds, and a root. */
#include <tricolor.h>

#include "item.h"
#include "module.h"

typedef struct node {
    struct node *next, *other;
    long number;
} node;
TRI_TYPE(node, next, other);

typedef struct twin {
    long number;
    void *next, *other;
} twin;
TRI_TYPE(twin, next, other);

typedef struct wide {
    long number[80];
    void *next;
    void *rest[39];
} wide;
TRI_TYPE(wide, next, rest);

typedef struct vector {
    size_t count;
    void *items[];
} vector;
TRI_FLEX_TYPE(vector, items);

typedef struct row {
    size_t count;
    struct row *next;
    node cells[];
} row;
TRI_FLEX_TYPE_OF(row, cells, node, next);

static const uint64_t by_hand_mask = 1;
static const tri_type by_hand = {
    .size = 2 * TRI_WORD, .ptr_bytes = TRI_WORD, .gc_data = &by_hand_mask};
static tri_type made_here;

TRI_ROOT static void *kept;

/* One of each, the last one first; NULL: no memory. */
static void *make_one(void *rest, long number)
{
    node *n = tri_new(node);
    twin *t = tri_new(twin);
    wide *w = tri_new(wide);
    vector *v = tri_new_flex(vector, 100);
    row *r = tri_new_flex(row, 3);
    void **h = tri_alloc(&by_hand), **b = tri_alloc(&made_here);
    item *i = item_push(NULL, number);

    if (n == NULL || t == NULL || w == NULL || v == NULL || r == NULL || h == NULL || b == NULL ||
        i == NULL)
        return NULL;
    n->number = t->number = w->number[79] = number;
    v->count = r->count = (size_t)number;
    tri_store(&n->other, rest);
    tri_store(&n->next, (node *)(void *)t);
    tri_store(&t->next, (void *)w);
    tri_store(&w->rest[38], (void *)v);
    tri_store(&v->items[99], (void *)r);
    tri_store(&r->cells[2].other, (node *)(void *)h);
    tri_store(&h[0], (void *)b);
    tri_store(&b[2], (void *)i);
    return n;
}

static void *make(size_t n)
{
    const tri_type_field field = {.offset = 16, .count = 1};
    const tri_type_desc desc = {
        .name = "made_here", .size = 24, .fields = &field, .field_count = 1};
    void *list = NULL;

    if (made_here.size == 0 && tri_type_build(&made_here, &desc) != 0)
        return NULL;
    for (size_t i = 0; i < n; i++) {
        list = make_one(list, (long)i);
        if (list == NULL)
            return NULL;
    }
    return list;
}

static bool check_one(const node *n, long number)
{
    const twin *t = (const twin *)(const void *)n->next;
    const wide *w = t->next;
    const vector *v = w->rest[38];
    const row *r = v->items[99];
    void *const *h = (void *const *)(const void *)r->cells[2].other, *const *b = *h;
    const item *i = b[2];

    return n->number == number && t->number == number && w->number[79] == number &&
           v->count == (size_t)number && r->count == (size_t)number && i->number == number &&
           i->next == NULL && tri_object_base(n) == n && tri_object_base(i) == i &&
           (tri_object_type(w) == NULL || tri_object_type(w) == &tri_type_wide) &&
           tri_object_type(v) == &tri_type_vector;
}

static bool check(void *made, size_t n)
{
    const node *at = made;

    for (; n > 0; at = at->other)
        if (at == NULL || !check_one(at, (long)--n))
            return false;
    return at == NULL;
}

static void keep(void *p)
{
    tri_store(&kept, p);
}

static void *get_kept(void)
{
    return kept;
}

static const void *type(void)
{
    return &tri_type_item;
}

MODULE_API extern const struct module module;
const struct module module = {
    .make = make, .check = check, .keep = keep, .kept = get_kept, .type = type};
