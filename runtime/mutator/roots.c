/* SPDX-License-Identifier: MIT */
/* The table of root ranges.
 *
 * Locks: roots_lock, for replacing the table; a leaf but for malloc. It is
 * never held across a safepoint. */
#define TRI_IMPLEMENTATION
#include "mutator/roots.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/root.h>
#include <tricolor/thread.h>

#include "base/entry.h"
#include "base/fatal.h"
#include "base/rcu_shim.h"
#include "heap/heap.h"
#include "mutator/attach.h"
#include "mutator/exit.h"
#include "mutator/handshake.h"

struct root {
    uintptr_t base;
    uintptr_t limit;
    const tri_type *type; /* of an element */
    bool module; /* TRI_ROOT variables of a program or library: they outlive tri_shutdown */
};

struct table {
    size_t count;
    struct tri__rcu_head rcu;
    struct root roots[];
};

static struct table nothing;
static struct table *table = &nothing; /* atomic: release in replace_locked(), acquire in readers */
static pthread_mutex_t roots_lock = PTHREAD_MUTEX_INITIALIZER;

static void free_table(struct tri__rcu_head *head)
{
    free((char *)head - offsetof(struct table, rcu));
}

static void replace_locked(struct table *fresh)
{
    struct table *old = table;

    tri__store_release(&table, fresh); /* rel -> acq in current_table() */
    if (old != &nothing)
        tri__rcu_call(&old->rcu, free_table);
}

static struct table *current_table(void)
{
    return tri__load_acquire(&table);
}

/* The first root that ends behind `address`; the count if there is none. */
static size_t find_root(const struct table *in, uintptr_t address)
{
    size_t low = 0, high = in->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (tri__load_relaxed(&in->roots[middle].limit) <= address)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct table *table_new(size_t count)
{
    struct table *fresh = malloc(sizeof *fresh + count * sizeof fresh->roots[0]);

    if (fresh != NULL)
        fresh->count = count;
    return fresh;
}

static int insert_locked(const struct root *root)
{
    size_t at = find_root(table, root->base), count = table->count;
    struct table *fresh;

    if (at < count && table->roots[at].base < root->limit)
        return -EINVAL;
    fresh = table_new(count + 1);
    if (fresh == NULL)
        return -ENOMEM;
    memcpy(fresh->roots, table->roots, at * sizeof *root);
    fresh->roots[at] = *root;
    memcpy(fresh->roots + at + 1, table->roots + at, (count - at) * sizeof *root);
    replace_locked(fresh);
    return 0;
}

/* Without memory for a smaller table the entry stays, of no length. */
static void delete_locked(size_t at)
{
    size_t count = table->count - 1;
    struct table *fresh = table_new(count);

    if (fresh == NULL) {
        tri__store_relaxed(&table->roots[at].limit, table->roots[at].base);
        return;
    }
    memcpy(fresh->roots, table->roots, at * sizeof(struct root));
    memcpy(fresh->roots + at, table->roots + at + 1, (count - at) * sizeof(struct root));
    replace_locked(fresh);
}

static bool is_removed(const struct root *root)
{
    return tri__load_relaxed(&root->limit) == root->base;
}

static struct tri__type_pointers root_words(const struct root *root)
{
    uintptr_t limit = tri__load_relaxed(&root->limit); /* not a whole word's only if leaf */

    return tri__type_pointers_of_type(root->type, root->base, limit & ~(uintptr_t)(TRI_WORD - 1));
}

static void scan_root(const struct root *root, tri__buffer_take *take, void *argument)
{
    struct tri__type_pointers it = root_words(root);
    uintptr_t slot;

    tri__type_meet(root->type); /* [inv.type.retire] */
    while ((slot = tri__type_pointers_next(&it)) != 0) {
        uintptr_t value = tri__load_relaxed((uintptr_t *)slot);

        if (value != 0)
            take(value, argument);
    }
}

static void shade_value(uintptr_t value, void *writer)
{
    tri__shade(writer, value);
}

/* What a range holds while it becomes a root, or ceases to be one, in the middle of a mark: the
 * markers may have scanned the roots already, or not yet [inv.roots.change]. */
static void shade_root(const struct root *root)
{
    if (tri__self->barrier == TRI__BARRIER_UNSCANNED || tri__self->barrier == TRI__BARRIER_SCANNED)
        scan_root(root, shade_value, (struct tri__writer *)tri__self);
}

static int add_root(const struct root *root)
{
    int error;

    pthread_mutex_lock(&roots_lock);
    error = insert_locked(root);
    pthread_mutex_unlock(&roots_lock);
    if (error == 0)
        shade_root(root);
    return error;
}

int tri_root_add(void *base, const tri_type *type, size_t n)
{
    TRI__IN_RUNTIME;
    struct root root = {.base = (uintptr_t)base, .type = type};
    struct tri__visit visit;
    size_t bytes;
    int error;

    if (base == NULL || root.base % TRI_WORD != 0 || n == 0 || type->size == 0)
        return -EINVAL;
    if (__builtin_mul_overflow(type->size, n, &bytes) ||
        __builtin_add_overflow(root.base, bytes, &root.limit))
        return -EINVAL;
    tri__type_check_use(type);
    if (tri__type_prepare_shared(type) != 0)
        return -ENOMEM;
    visit = tri__visit_begin();
    error = add_root(&root);
    tri__visit_end(visit);
    /* Not before: holding is a safepoint, and nothing may keep alive yet what the range holds. */
    if (error == 0)
        tri__heap_hold_type(type);
    return error;
}

/* Takes the root out of the table; *removed gets it. */
static int remove_root(uintptr_t base, struct root *removed)
{
    int error = -ENOENT;
    size_t at;

    pthread_mutex_lock(&roots_lock);
    at = find_root(table, base);
    if (at < table->count && table->roots[at].base == base) {
        *removed = table->roots[at];
        shade_root(removed);
        delete_locked(at);
        error = 0;
    }
    pthread_mutex_unlock(&roots_lock);
    return error;
}

int tri_root_remove(void *base)
{
    TRI__IN_RUNTIME;
    struct tri__visit visit = tri__visit_begin();
    struct root root;
    int error = remove_root((uintptr_t)base, &root);

    tri__visit_end(visit);
    if (error == 0)
        TRI_BLOCKING
            tri__rcu_synchronize(); /* a marker may be reading the range by the old table */
    return error;
}

/* Modules come and go when the program says so, inside TRI_BLOCKING, too, and on any thread. The
 * loader's lock is held here: nothing below waits for a thread of the program. */
void tri__module_add(void *start, void *stop)
{
    TRI__IN_RUNTIME;
    struct root root = {(uintptr_t)start, (uintptr_t)stop, &tri_type_conservative, true};
    bool interrupted = tri__blocking_interrupt();
    int error = add_root(&root);

    tri__blocking_resume(interrupted);
    if (error == -ENOMEM)
        tri__fatal("no memory to register the TRI_ROOT variables of a module");
    tri__exit_note_entry(start);
}

/* With the thread's barrier as it has to be for that: removing is overwriting [inv.roots.change]. */
static int remove_module(uintptr_t start)
{
    TRI__IN_RUNTIME;
    struct tri__visit visit;
    struct root root;
    int error;

    if (!tri__mutators_are_open())
        return remove_root(start, &root);
    visit = tri__visit_begin();
    error = remove_root(start, &root);
    tri__visit_end(visit);
    return error;
}

void tri__module_remove(void *start)
{
    TRI__IN_RUNTIME;
    /* Every file of the module asks; the first one does it. While the process ends other
     * threads may still need them. */
    if (!tri__exit_keeps_entry(start) && remove_module((uintptr_t)start) == 0)
        TRI_BLOCKING
            tri__rcu_synchronize(); /* a marker may be reading the variables by the old table */
}

const void *tri__roots_next_module(const void *address)
{
    const void *found = NULL;

    pthread_mutex_lock(&roots_lock); /* without it the table may be freed */
    for (size_t i = 0; i < table->count && found == NULL; i++)
        if (table->roots[i].module && table->roots[i].base > (uintptr_t)address)
            found = (const void *)table->roots[i].base;
    pthread_mutex_unlock(&roots_lock);
    return found;
}

void tri__roots_scan(tri__buffer_take *take, void *argument)
{
    struct table *roots;

    tri__rcu_lock();
    roots = current_table();
    for (size_t i = 0; i < roots->count; i++)
        if (!is_removed(&roots->roots[i])) /* its type may be gone */
            scan_root(&roots->roots[i], take, argument);
    tri__rcu_unlock();
}

void tri__roots_each_slot(void (*visit)(uintptr_t slot, void *argument), void *argument)
{
    struct table *roots;

    tri__rcu_lock();
    roots = current_table();
    for (size_t i = 0; i < roots->count; i++) {
        struct tri__type_pointers it;
        uintptr_t slot;

        if (is_removed(&roots->roots[i]))
            continue;
        it = root_words(&roots->roots[i]);
        while ((slot = tri__type_pointers_next(&it)) != 0)
            visit(slot, argument);
    }
    tri__rcu_unlock();
}

static struct tri__root_range range_of(const struct root *root)
{
    return (struct tri__root_range){root->base, tri__load_relaxed(&root->limit), root->type,
                                    root->module};
}

void tri__roots_each_range(void (*visit)(const struct tri__root_range *range, void *argument),
                           void *argument)
{
    struct table *roots;

    tri__rcu_lock();
    roots = current_table();
    for (size_t i = 0; i < roots->count; i++) {
        struct tri__root_range range = range_of(&roots->roots[i]);

        if (range.base != range.limit) /* it was removed: its type may be gone */
            visit(&range, argument);
    }
    tri__rcu_unlock();
}

/* The table may be replaced as soon as this returns; the root itself is there as long as the caller
 * keeps it. */
bool tri__root_find(uintptr_t from, uintptr_t to, struct tri__root_range *found)
{
    struct table *roots;
    size_t at;
    bool is_there;

    tri__rcu_lock();
    roots = current_table();
    at = find_root(roots, from);
    while (at < roots->count && is_removed(&roots->roots[at]))
        at++;
    is_there = at < roots->count && roots->roots[at].base < to;
    if (is_there)
        *found = range_of(&roots->roots[at]);
    tri__rcu_unlock();
    return is_there;
}

bool tri__root_pointers_around(uintptr_t address, uintptr_t *base, struct tri__type_pointers *it)
{
    struct table *roots;
    size_t at;
    bool found;

    tri__rcu_lock();
    roots = current_table();
    at = find_root(roots, address);
    found = at < roots->count && roots->roots[at].base <= address;
    if (found) {
        *base = roots->roots[at].base;
        *it = root_words(&roots->roots[at]);
    }
    tri__rcu_unlock();
    return found;
}

void tri__roots_before_fork(void)
{
    pthread_mutex_lock(&roots_lock);
}

void tri__roots_after_fork(void)
{
    pthread_mutex_unlock(&roots_lock);
}

static void clear_words(const struct root *root)
{
    for (uintptr_t at = root->base; at < root->limit; at += TRI_WORD)
        tri__store_relaxed((uintptr_t *)at, (uintptr_t)0);
}

void tri__roots_release(void)
{
    size_t at = 0;

    pthread_mutex_lock(&roots_lock);
    while (at < table->count) {
        size_t count = table->count;

        if (table->roots[at].module)
            clear_words(&table->roots[at]);
        else
            delete_locked(at);
        if (table->count == count) /* it stays: a module's, or there was no memory to delete it */
            at++;
    }
    pthread_mutex_unlock(&roots_lock);
}
