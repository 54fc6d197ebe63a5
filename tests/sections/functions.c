/* SPDX-License-Identifier: MIT */
/* Code with windows, some of which is not used, in C or C++, in a program or a shared object: each
 * function that is there must have a row, whatever the linker has dropped. CHECK is the name of the
 * function that looks. */
#include <stdint.h>
#include <stdio.h>

#include <tricolor.h>

typedef struct node {
    struct node *next;
} node;
TRI_TYPE(node, next);

/* No two functions within so many bytes. */
#define APART 512

/* In C++, in a group of its own: what several files may have, and one of them gives. */
#ifdef __cplusplus
#define IN_GROUP inline __attribute__((used))
extern "C" int CHECK(void);
#else
#define IN_GROUP __attribute__((noinline))
int CHECK(void);
#endif

#define FUNCTION extern __attribute__((visibility("hidden"), aligned(APART)))

FUNCTION __attribute__((noinline)) void store_one(node **slot, node *value);
FUNCTION __attribute__((noinline)) node *exchange_one(node **slot, node *value);
FUNCTION __attribute__((noinline)) node *allocate_one(void);
FUNCTION __attribute__((noinline)) void unused(node **slot, node *value);
FUNCTION IN_GROUP void store_in_group(node **slot, node *value);
FUNCTION IN_GROUP void unused_in_group(node **slot, node *value);

void store_one(node **slot, node *value)
{
    tri_store(slot, value);
}

node *exchange_one(node **slot, node *value)
{
    return tri_exchange(slot, value);
}

node *allocate_one(void)
{
    return tri_new(node);
}

void unused(node **slot, node *value)
{
    tri_store(slot, value);
}

void store_in_group(node **slot, node *value)
{
    tri_store(slot, value);
}

void unused_in_group(node **slot, node *value)
{
    tri_store(slot, value);
}

TRI_ROOT static node *root;

static void use_all(void)
{
    store_one(&root, allocate_one());
    store_in_group(&root->next, allocate_one());
    exchange_one(&root, NULL);
}

#if defined(TRI__WINDOWS_COUNTED)
static int has_row(uintptr_t function)
{
    return function != 0;
}
#else
static int has_row(uintptr_t function)
{
    int found = 0;

    for (const struct tri__window *row = __start_tri_windows; row < __stop_tri_windows; row++) {
        uintptr_t first = (uintptr_t)&row->first + (uintptr_t)(intptr_t)row->first;

        found |= first - function < APART;
    }
    return found;
}
#endif

static int check_row(const char *name, uintptr_t function)
{
    if (has_row(function))
        return 0;
    printf("%s: no window of %s is in the table\n", __FILE__, name);
    return 1;
}

/* How many functions have no row. */
int CHECK(void)
{
    use_all();
    return check_row("store_one", (uintptr_t)store_one) +
           check_row("exchange_one", (uintptr_t)exchange_one) +
           check_row("allocate_one", (uintptr_t)allocate_one) +
           check_row("store_in_group", (uintptr_t)store_in_group);
}
