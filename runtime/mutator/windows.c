/* SPDX-License-Identifier: MIT */
/* The windows of each executable and shared object, sorted.
 *
 * Lock: windows_lock, held to enter or remove one. Who removes one unlinks it and then waits until no
 * handler is reading, so that none is left in it [inv.window.known]. So before windows_lock nobody
 * holds a lock that a handler may wait for [inv.fork.locks]. */
#define TRI_IMPLEMENTATION
#include "mutator/windows.h"

#include <pthread.h>
#include <stdlib.h>

#include <tricolor/window.h>

#include "base/atomic.h"
#include "base/entry.h"
#include "base/os.h"
#include "mutator/exit.h"

struct row {
    uintptr_t first, behind;
};

struct module {
    struct module *next;             /* atomic: release in link_in(), acquire in readers */
    const struct tri__window *start; /* who it is */
    size_t bytes;
    size_t count;
    struct row rows[]; /* const once linked; by address, none within another */
};

static struct module *modules; /* atomic, like next */
static pthread_mutex_t windows_lock = PTHREAD_MUTEX_INITIALIZER;
static const char *trouble; /* atomic: why some windows could not be noted; or NULL */
static uint32_t readers; /* atomic: handlers that may hold a module */
static bool forking; /* atomic: a fork has locks that a handler might wait for, or is about to */

/* ---- reading ---- */

/* seqcst, as is the unlinking: a reader that is not counted yet when the remover looks finds the
 * module gone. The same with a fork, which looks after it has said that it is one. */
bool tri__windows_begin_reading(void)
{
    tri__fetch_add_seqcst(&readers, 1);
    if (TRI__LIKELY(!tri__load_seqcst(&forking)))
        return true;
    tri__windows_end_reading();
    return false;
}

void tri__windows_end_reading(void)
{
    tri__fetch_sub_acqrel(&readers, 1); /* rel -> acq in await_readers() */
}

/* The last row that begins before pc; rows do not overlap. */
static uintptr_t find_row(const struct module *module, uintptr_t pc)
{
    size_t low = 0, high = module->count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (module->rows[middle].first < pc)
            low = middle + 1;
        else
            high = middle;
    }
    return low != 0 && pc < module->rows[low - 1].behind ? module->rows[low - 1].first : 0;
}

uintptr_t tri__window_around(uintptr_t pc)
{
    uintptr_t first = 0;

    for (struct module *at = tri__load_seqcst(&modules); at != NULL && first == 0;
         at = tri__load_seqcst(&at->next))
        if (at->rows[0].first < pc && pc < at->rows[at->count - 1].behind)
            first = find_row(at, pc);
    return first;
}

const char *tri__windows_trouble(void)
{
    return tri__load_relaxed(&trouble);
}

/* ---- entering and removing ---- */

static int by_address(const void *a, const void *b)
{
    const struct row *x = a, *y = b;

    return (x->first > y->first) - (x->first < y->first);
}

static uintptr_t target_of(const int32_t *distance)
{
    return (uintptr_t)distance + (uintptr_t)(intptr_t)*distance;
}

/* Each file of a module has a row that is none. */
static bool is_window(const struct tri__window *row)
{
    return row->first != 0 || row->behind != 0;
}

static size_t count_windows(const struct tri__window *start, const struct tri__window *stop)
{
    size_t count = 0;

    for (const struct tri__window *row = start; row < stop; row++)
        count += is_window(row);
    return count;
}

static struct module *module_new(const struct tri__window *start, const struct tri__window *stop)
{
    size_t count = count_windows(start, stop), n = 0;
    size_t page = tri__os_page_size(), bytes = sizeof(struct module) + count * sizeof(struct row);
    struct module *module = tri__os_map((bytes + page - 1) / page * page);

    if (module == NULL)
        return NULL;
    module->start = start;
    module->bytes = (bytes + page - 1) / page * page;
    module->count = count;
    for (const struct tri__window *row = start; row < stop; row++)
        if (is_window(row))
            module->rows[n++] = (struct row){target_of(&row->first), target_of(&row->behind)};
    qsort(module->rows, count, sizeof module->rows[0], by_address);
    return module;
}

/* [windows_lock] The place that points to it, or the end. */
static struct module **find_locked(const struct tri__window *start)
{
    struct module **at = &modules;

    while (*at != NULL && (*at)->start != start)
        at = &(*at)->next;
    return at;
}

/* seqcst: after what it was told of. acq <- rel in tri__windows_end_reading() */
static void await_readers(void)
{
    while (tri__load_seqcst(&readers) != 0)
        tri__os_sleep(1); /* whatever its priority: a reader gets on */
}

static void enter_locked(const struct tri__window *start, const struct tri__window *stop)
{
    struct module **end = find_locked(start);

    if (*end == NULL) {
        struct module *module = module_new(start, stop);

        if (module != NULL)
            tri__store_seqcst(end, module); /* with what it holds: for readers */
        else
            tri__store_relaxed(&trouble, "there was no memory for the table of windows");
    }
}

/* The linker's part is the table, which is not empty [inv.window.kept]. */
void tri__windows_add(const struct tri__window *start, const struct tri__window *stop)
{
    TRI__IN_RUNTIME;

    if (start == stop)
        tri__store_relaxed(&trouble, "the linker has lost the section tri_windows of some "
                                     "executable or shared object: keep it as it is");
    if (count_windows(start, stop) == 0)
        return;
    pthread_mutex_lock(&windows_lock);
    enter_locked(start, stop);
    pthread_mutex_unlock(&windows_lock);
    tri__exit_note_entry(start);
}

const void *tri__windows_next_module(const void *address)
{
    uintptr_t found = UINTPTR_MAX;

    pthread_mutex_lock(&windows_lock);
    for (const struct module *at = modules; at != NULL; at = at->next)
        if ((uintptr_t)at->start > (uintptr_t)address && (uintptr_t)at->start < found)
            found = (uintptr_t)at->start;
    pthread_mutex_unlock(&windows_lock);
    return found != UINTPTR_MAX ? (const void *)found : NULL;
}

void tri__windows_remove(const struct tri__window *start)
{
    TRI__IN_RUNTIME;
    struct module **at, *module;

    if (tri__exit_keeps_entry(start))
        return; /* the other threads run on: their windows have to stay known */
    pthread_mutex_lock(&windows_lock);
    at = find_locked(start);
    module = *at;
    if (module != NULL) {
        tri__store_seqcst(at, module->next);
        await_readers();
        tri__os_unmap(module, module->bytes);
    }
    pthread_mutex_unlock(&windows_lock);
}

/* ---- fork ---- */

void tri__windows_before_fork(void)
{
    pthread_mutex_lock(&windows_lock);
    tri__store_seqcst(&forking, true);
    await_readers();
}

void tri__windows_after_fork(bool child)
{
    if (child)
        tri__store_relaxed(&readers, 0);
    tri__store_relaxed(&forking, false); /* late is as good: a handler that is put off is called again */
    pthread_mutex_unlock(&windows_lock);
}
