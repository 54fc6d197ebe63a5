/* SPDX-License-Identifier: MIT */
/* Hot types: the table of indices, and heat (see typed.h).
 *
 * What threads read without the lock, a type's run offset, is only a hint. A thread that still uses
 * an old one finds a run with another type's tag, or one of its type that the thread may as well
 * use up [inv.typed.tag]. */
#include "heap/typed.h"

#include <pthread.h>
#include <string.h>

#include "base/fatal.h"
#include "heap/heap.h"

struct hot_type {
    const tri_type *type; /* [hot_lock] NULL: the index is free */
    uint32_t refilled;    /* atomic: number of cycles when a run was last cut */
};

static pthread_mutex_t hot_lock = PTHREAD_MUTEX_INITIALIZER;
static struct hot_type hot[TRI__HOT_TYPES];
static uint32_t cycles; /* atomic; the coordinator writes */

_Static_assert(sizeof(struct tri__type_state) == 64, "a line");

bool tri__typed_is_able(const tri_type *type)
{
    return tri__type_has_state(type) && type->tail == NULL && type->run_tag == type &&
           type->size - 1 < TRI__SMALL_MAX &&
           type->slot_size == tri__class_info[tri__typed_class(type)].size;
}

static uint32_t run_offset(const tri_type *type, unsigned index)
{
    return (TRI__SPAN_CLASSES + index - type->span_class) * (uint32_t)sizeof(struct tri__run);
}

unsigned tri__span_list(const struct tri__span *span)
{
    unsigned number;

    if (!tri__span_is_typed(span))
        return span->span_class;
    number = tri__typed_run(span->type);
    return number != 0 ? number : TRI__COLD_LIST;
}

/* ---- the table ---- */

static void lock_table(void)
{
    int error = pthread_mutex_lock(&hot_lock);

    TRI__ASSERT(error == 0);
}

static void unlock_table(void)
{
    int error = pthread_mutex_unlock(&hot_lock);

    TRI__ASSERT(error == 0);
}

/* false: no index is free. */
static bool promote_locked(const tri_type *type)
{
    for (unsigned i = 0; i < TRI__HOT_TYPES; i++) {
        if (hot[i].type != NULL)
            continue;
        hot[i].type = type;
        tri__store_relaxed(&hot[i].refilled, tri__load_relaxed(&cycles));
        tri__store_relaxed(&TRI__TYPE_STATE(type)->run_offset, run_offset(type, i));
        return true;
    }
    return false;
}

static void demote_locked(struct hot_type *entry)
{
    tri__store_relaxed(&TRI__TYPE_STATE(entry->type)->run_offset, 0);
    entry->type = NULL;
}

/* A thread that allocates waits for nobody: it will be due again. */
static bool promote(const tri_type *type)
{
    bool done;

    if (pthread_mutex_trylock(&hot_lock) != 0)
        return false;
    done = tri__typed_run(type) != 0 || promote_locked(type);
    unlock_table();
    return done;
}

void tri__typed_age(void)
{
    uint32_t now = tri__load_relaxed(&cycles) + 1;

    tri__store_relaxed(&cycles, now);
    lock_table();
    for (unsigned i = 0; i < TRI__HOT_TYPES; i++)
        if (hot[i].type != NULL && now - tri__load_relaxed(&hot[i].refilled) > TRI__COLD_CYCLES)
            demote_locked(&hot[i]);
    unlock_table();
}

void tri__typed_withdraw(const tri_type *type)
{
    lock_table();
    for (unsigned i = 0; i < TRI__HOT_TYPES; i++)
        if (hot[i].type == type)
            demote_locked(&hot[i]);
    unlock_table();
}

void tri__typed_before_fork(void)
{
    lock_table();
}

void tri__typed_after_fork(void)
{
    unlock_table();
}

/* Spans that go with the heap, not by a sweep: their types do not have them any more. */
static void forget_spans(void)
{
    size_t pages = tri__page_heap_committed(&tri__heap.pages);

    TRI__ASSERT(tri__heap.page_class != NULL && tri__heap.page_span != NULL); /* still there */
    for (size_t page = 0; page < pages; page++)
        if (tri__class_info[tri__heap.page_class[page]].kind == TRI__KIND_TYPED)
            tri__store_relaxed(&TRI__TYPE_STATE(tri__heap.page_span[page]->type)->spans, 0);
}

void tri__typed_reset(void)
{
    forget_spans();
    lock_table();
    for (unsigned i = 0; i < TRI__HOT_TYPES; i++)
        if (hot[i].type != NULL)
            demote_locked(&hot[i]);
    unlock_table();
}

/* ---- heat ---- */

static size_t span_bytes(const tri_type *type)
{
    return tri__class_info[tri__typed_class(type)].pages * TRI__PAGE_BYTES;
}

static struct tri__heat *set_of(const struct tri__heat_table *table, const tri_type *type)
{
    uintptr_t address = (uintptr_t)type / sizeof *type;

    return (struct tri__heat *)table->sets[(address ^ address / TRI__HEAT_SETS) % TRI__HEAT_SETS];
}

static const struct tri__heat *find(const struct tri__heat_table *table, const tri_type *type)
{
    const struct tri__heat *set = set_of(table, type);

    for (unsigned i = 0; i < TRI__HEAT_WAYS; i++)
        if (set[i].type == type)
            return &set[i];
    return NULL;
}

/* The type's entry, or, begun anew for it, the coolest of its set. */
static struct tri__heat *find_or_replace(struct tri__heat_table *table, const tri_type *type)
{
    struct tri__heat *set = set_of(table, type), *coolest = &set[0];

    for (unsigned i = 0; i < TRI__HEAT_WAYS; i++) {
        if (set[i].type == type)
            return &set[i];
        if (set[i].bytes < coolest->bytes)
            coolest = &set[i];
    }
    *coolest = (struct tri__heat){.type = type};
    return coolest;
}

/* Not more than what cools in a few cycles, however much was allocated in one. */
static struct tri__heat *add_heat(struct tri__heat_table *table, const tri_type *type, size_t bytes)
{
    struct tri__heat *heat = find_or_replace(table, type);
    size_t most = 4 * span_bytes(type), sum = heat->bytes + bytes;

    heat->bytes = (uint32_t)(sum < most ? sum : most);
    return heat;
}

void tri__typed_missed(struct tri__heat_table *table, const tri_type *type)
{
    struct tri__heat *heat;

    if (!tri__typed_is_able(type))
        return;
    heat = add_heat(table, type, type->slot_size);
    if (heat->bytes >= span_bytes(type) && tri__typed_run(type) == 0 && !promote(type))
        heat->bytes = 0; /* not at each object from now on */
}

void tri__typed_refilled(struct tri__heat_table *table, const tri_type *type, unsigned number,
                         size_t bytes)
{
    uint32_t *refilled = &hot[number - TRI__SPAN_CLASSES].refilled;
    uint32_t now = tri__load_relaxed(&cycles);

    add_heat(table, type, bytes);
    if (tri__load_relaxed(refilled) != now) /* a line that all threads share */
        tri__store_relaxed(refilled, now);
}

bool tri__typed_is_hot_here(const struct tri__heat_table *table, const tri_type *type)
{
    const struct tri__heat *heat = find(table, type);

    return heat != NULL && heat->bytes >= span_bytes(type);
}

void tri__heat_cool(struct tri__heat_table *table)
{
    for (unsigned i = 0; i < TRI__HEAT_SETS; i++)
        for (unsigned k = 0; k < TRI__HEAT_WAYS; k++)
            table->sets[i][k].bytes /= 2;
}
