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
static uint32_t readers; /* atomic: handlers that may hold a module */
static bool unknown;     /* atomic: some windows could not be noted */
static bool forking;     /* atomic: a fork has locks that a handler might wait for, or is about to */

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

bool tri__windows_are_known(void)
{
    return !tri__load_relaxed(&unknown);
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

static struct module *module_new(const struct tri__window *start, size_t count)
{
    size_t page = tri__os_page_size(), bytes = sizeof(struct module) + count * sizeof(struct row);
    struct module *module = tri__os_map((bytes + page - 1) / page * page);

    if (module == NULL)
        return NULL;
    module->start = start;
    module->bytes = (bytes + page - 1) / page * page;
    module->count = count;
    for (size_t i = 0; i < count; i++)
        module->rows[i] =
            (struct row){target_of(&start[i].first), target_of(&start[i].behind)};
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

void tri__windows_add(const struct tri__window *start, const struct tri__window *stop)
{
    TRI__IN_RUNTIME;
    struct module **end;

    pthread_mutex_lock(&windows_lock);
    end = find_locked(start);
    if (*end == NULL) {
        struct module *module = module_new(start, (size_t)(stop - start));

        if (module != NULL)
            tri__store_seqcst(end, module); /* with what it holds: for readers */
        else
            tri__store_relaxed(&unknown, true);
    }
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
