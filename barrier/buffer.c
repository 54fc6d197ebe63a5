/* SPDX-License-Identifier: MIT */
/* Barrier buffers: exchange, draining, and the way out when there is no memory for one.
 *
 * Owns: the stack of full buffers and the pool of empty ones. Locks: drain_lock (a leaf: nothing is
 * taken under it), held by consumers for the time of copying one buffer's entries; by a mutator
 * only when memory for buffers has run out. */
#include "barrier/buffer.h"

#include <pthread.h>

#include "base/chaos.h"
#include "base/fault.h"
#include "base/pool.h"
#include "heap/check.h"
#include "heap/resolve.h"

#define SLAB_BYTES ((size_t)64 << 10)
#define BOUND_LEAST 64u /* waiting buffers that are nobody's concern: 256 KiB */
#define OWED_MOST 16u   /* buffers, before a thread does something about it without a safepoint */

static struct tri__pool pool = TRI__POOL_OF(struct tri__buffer, SLAB_BYTES); /* of empty ones */
static struct tri__stack full;
static uint32_t full_count;          /* atomic */
static uint64_t exchanged_count;     /* atomic */
static uint32_t bound = BOUND_LEAST; /* atomic: of full_count */
static uint32_t overflowed;          /* atomic */
static bool is_open;                 /* [drain_lock] */
static pthread_mutex_t drain_lock = PTHREAD_MUTEX_INITIALIZER;

/* What a thread holds before its first barrier: always full, so the first entry
 * exchanges it. Never written. */
static struct tri__buffer nobody = {.count = TRI__BUFFER_ENTRIES, .drained = TRI__BUFFER_ENTRIES};

static struct tri__buffer *buffer_of(struct tri__stack_entry *link)
{
    return (struct tri__buffer *)(void *)link; /* link is the first member */
}

static void recycle(struct tri__buffer *buffer)
{
    tri__store_relaxed(&buffer->count, 0);
    buffer->drained = 0;
    tri__pool_give(&pool, &buffer->link);
}

static struct tri__buffer *take_empty(void)
{
    struct tri__stack_entry *link = tri__pool_take(&pool);

    return link == NULL ? NULL : buffer_of(link);
}

void tri__writer_init(struct tri__writer *writer, struct tri__cache_phase phase, uint8_t barrier,
                      uint32_t stamp)
{
    tri__cache_init(&writer->cache, phase);
    writer->cache.front.barrier = barrier != TRI__BARRIER_IDLE ? barrier : tri__barrier_at_rest();
    writer->buffer = &nobody;
    writer->owed = 0;
    writer->stamp = stamp;
}

static void push_full(struct tri__buffer *buffer)
{
    tri__fetch_add_relaxed(&full_count, 1);
    tri__stack_push(&full, &buffer->link);
}

void tri__buffers_set_bound(uint32_t buffers)
{
    tri__store_relaxed(&bound, buffers < BOUND_LEAST ? BOUND_LEAST : buffers);
}

/* Too many wait: the thread will take one on for each that it adds. */
static void owe_one(struct tri__writer *writer)
{
    tri__fetch_add_relaxed(&exchanged_count, 1);
    if (tri__load_relaxed(&full_count) <= tri__load_relaxed(&bound))
        return;
    writer->owed++;
    tri__fetch_or_relaxed(&writer->cache.front.request, TRI__REQUEST_FILTER);
}

bool tri__overflow_note(uintptr_t value)
{
    struct tri__ref ref;

    if (!tri__locate(value, &ref) || !tri__mark(&ref))
        return false;
    tri__store_release(&overflowed, 1); /* rel -> acq in tri__overflow_take() */
    return true;
}

bool tri__overflow_take(void)
{
    return tri__load_relaxed(&overflowed) != 0 && tri__exchange_acquire(&overflowed, 0) != 0;
}

static void overflow_entry_locked(uintptr_t value, void *unused)
{
    (void)unused;
    if (is_open)
        tri__overflow_note(value);
}

void tri__buffers_open(void)
{
    pthread_mutex_lock(&drain_lock);
    is_open = true;
    pthread_mutex_unlock(&drain_lock);
}

bool tri__buffers_close(void)
{
    bool quiet;

    pthread_mutex_lock(&drain_lock);
    quiet = tri__load_relaxed(&overflowed) == 0;
    is_open = !quiet;
    pthread_mutex_unlock(&drain_lock);
    return quiet;
}

/* Gives every entry that nobody has taken yet to `take`. */
static size_t take_entries_locked(struct tri__buffer *buffer, tri__buffer_take *take,
                                  void *argument)
{
    /* acq <- rel in tri__buffer_push(), tri__buffer_publish() */
    uint32_t count = tri__load_acquire(&buffer->count);
    uint32_t first = buffer->drained;

    tri__chaos(TRI__CHAOS_DRAIN);
    for (uint32_t i = first; i < count; i++)
        take(tri__load_relaxed(&buffer->entries[i]), argument);
    buffer->drained = count;
    return count - first;
}

/* No memory for another buffer: mark what this one holds, note that grey objects
 * are about, and use it again. */
static void empty_in_place(struct tri__buffer *buffer)
{
    pthread_mutex_lock(&drain_lock);
    take_entries_locked(buffer, overflow_entry_locked, NULL);
    buffer->drained = 0;
    tri__store_relaxed(&buffer->count, 0);
    pthread_mutex_unlock(&drain_lock);
}

static void overflow_value(uintptr_t value)
{
    pthread_mutex_lock(&drain_lock);
    overflow_entry_locked(value, NULL);
    pthread_mutex_unlock(&drain_lock);
}

/* A marker would find nothing to do: no object, or one that is black. */
static bool is_done(uintptr_t value)
{
    struct tri__ref ref;

    if (!tri__in_heap(value))
        return true;
    return tri__locate(value, &ref) && tri__load_acquire(ref.colour) == TRI__BLACK;
}

static void drop_done_locked(struct tri__buffer *buffer)
{
    uint32_t kept = 0;

    for (uint32_t i = buffer->drained; i < buffer->count; i++) {
        uintptr_t value = tri__load_relaxed(&buffer->entries[i]);

        if (is_open && !is_done(value))
            tri__store_relaxed(&buffer->entries[kept++], value);
    }
    buffer->drained = 0;
    tri__store_relaxed(&buffer->count, kept);
}

/* A thread that owes much comes to no safepoint, where it would pay: it takes out of its full buffer
 * what is not worth a marker's while. true: that has made room [inv.buffer.bounded]. */
static bool made_room(struct tri__writer *writer)
{
    struct tri__buffer *buffer = writer->buffer;

    if (writer->owed < OWED_MOST || buffer == &nobody)
        return false;
    pthread_mutex_lock(&drain_lock);
    drop_done_locked(buffer);
    pthread_mutex_unlock(&drain_lock);
    return TRI__BUFFER_ENTRIES - buffer->count >= TRI__BUFFER_BATCH;
}

/* With chaos, an empty buffer begins near its end. */
static void shorten(struct tri__buffer *buffer, uint32_t room)
{
    uint32_t left = tri__chaos_less(TRI__CHAOS_EXCHANGE, room, TRI__BUFFER_ENTRIES);

    if (TRI__LIKELY(left == TRI__BUFFER_ENTRIES))
        return;
    buffer->drained = TRI__BUFFER_ENTRIES - left;
    tri__store_relaxed(&buffer->count, buffer->drained);
}

/* Gives the thread an empty buffer for its own, with so much room at least; without memory for one
 * its own is emptied. false: it has none. */
static bool exchange(struct tri__writer *writer, uint32_t room)
{
    struct tri__buffer *old = writer->buffer, *fresh;

    tri__chaos(TRI__CHAOS_EXCHANGE);
    if (made_room(writer))
        return true;
    fresh = take_empty();
    if (fresh != NULL) {
        shorten(fresh, room);
        tri__store_release(&writer->buffer, fresh); /* rel -> acq in tri__buffer_drain_writer() */
        if (old != &nobody) {
            old->stamp = writer->stamp;
            push_full(old);
            owe_one(writer);
        }
    } else if (old != &nobody) {
        empty_in_place(old);
    } else {
        return false;
    }
    return true;
}

void tri__buffer_push_slow(struct tri__writer *writer, uintptr_t value)
{
    if (exchange(writer, 1))
        tri__buffer_push(writer, value);
    else
        overflow_value(value);
}

uintptr_t *tri__buffer_reserve_slow(struct tri__writer *writer)
{
    return exchange(writer, TRI__BUFFER_BATCH) ? writer->buffer->entries + writer->buffer->count : NULL;
}

void tri__buffer_surrender(struct tri__writer *writer)
{
    struct tri__buffer *buffer = writer->buffer;

    if (buffer == &nobody)
        return;
    tri__store_release(&writer->buffer, &nobody);
    buffer->stamp = writer->stamp;
    push_full(buffer); /* even an empty one: a consumer may be looking at it */
}

void tri__buffer_flush(struct tri__writer *writer, uint32_t stamp)
{
    if (!tri__fault(TRI__FAULT_SKIP_FLUSH))
        tri__buffer_surrender(writer);
    writer->stamp = stamp;
}

void tri__buffer_reset(struct tri__writer *writer)
{
    if (writer->buffer == &nobody)
        return;
    tri__store_relaxed(&writer->buffer->count, 0);
    writer->buffer->drained = 0;
}

/* The lock keeps a buffer that the thread gives away meanwhile from
 * being recycled under our eyes. */
size_t tri__buffer_drain_writer(struct tri__writer *writer, tri__buffer_take *take, void *argument)
{
    struct tri__buffer *buffer;
    size_t count = 0;

    pthread_mutex_lock(&drain_lock);
    buffer = tri__load_acquire(&writer->buffer);
    if (buffer != &nobody)
        count = take_entries_locked(buffer, take, argument);
    pthread_mutex_unlock(&drain_lock);
    return count;
}

static struct tri__buffer *pop_full(void)
{
    struct tri__stack_entry *link = tri__stack_pop(&full);

    if (link == NULL)
        return NULL;
    tri__fetch_sub_relaxed(&full_count, 1);
    return buffer_of(link);
}

/* A buffer may have been drained to its end while its thread still held it:
 * go on to the next one then. */
size_t tri__buffer_drain_full(tri__buffer_take *take, void *argument)
{
    size_t count = 0;

    pthread_mutex_lock(&drain_lock);
    while (count == 0) {
        struct tri__buffer *buffer = pop_full();

        if (buffer == NULL)
            break;
        count = take_entries_locked(buffer, take, argument);
        recycle(buffer);
    }
    pthread_mutex_unlock(&drain_lock);
    return count;
}

/* The lock is taken for one buffer at a time: `done` marks. */
static bool drain_one_older(uint32_t stamp, struct tri__buffer **newer, tri__buffer_take *take,
                            void *argument, size_t *count)
{
    struct tri__buffer *buffer;

    pthread_mutex_lock(&drain_lock);
    buffer = pop_full();
    if (buffer != NULL && buffer->stamp == stamp) {
        buffer->newer = *newer;
        *newer = buffer;
    } else if (buffer != NULL) {
        *count += take_entries_locked(buffer, take, argument);
        recycle(buffer);
    }
    pthread_mutex_unlock(&drain_lock);
    return buffer != NULL;
}

size_t tri__buffers_drain_older(uint32_t stamp, tri__buffer_take *take,
                                void (*done)(void *argument), void *argument)
{
    struct tri__buffer *newer = NULL;
    size_t count = 0;

    while (drain_one_older(stamp, &newer, take, argument, &count))
        done(argument);
    while (newer != NULL) {
        struct tri__buffer *next = newer->newer;

        push_full(newer);
        newer = next;
    }
    return count;
}

void tri__buffer_discard_full(void)
{
    struct tri__buffer *buffer;

    pthread_mutex_lock(&drain_lock);
    while ((buffer = pop_full()) != NULL)
        recycle(buffer);
    pthread_mutex_unlock(&drain_lock);
}

uint32_t tri__buffers_full(void)
{
    return tri__load_relaxed(&full_count);
}

uint64_t tri__buffers_exchanged(void)
{
    return tri__load_relaxed(&exchanged_count);
}

/* ---- the structural check ---- */

static void check_buffer(struct tri__check *check, const struct tri__buffer *buffer)
{
    uint32_t count = tri__load_acquire(&buffer->count); /* acq <- rel in tri__buffer_push() */

    if (count > TRI__BUFFER_ENTRIES || buffer->drained > count)
        tri__check_defect(check, "a barrier buffer has %u entries, of which %u were taken", count,
                          buffer->drained);
}

/* Popped first and pushed back later: threads add to it meanwhile. */
static uint32_t check_full_locked(struct tri__check *check)
{
    struct tri__buffer *chain = NULL, *buffer;
    uint32_t count = 0;

    while ((buffer = pop_full()) != NULL) {
        buffer->newer = chain;
        chain = buffer;
        count++;
    }
    while (chain != NULL) {
        buffer = chain;
        chain = buffer->newer;
        check_buffer(check, buffer);
        push_full(buffer);
    }
    return count;
}

void tri__buffers_check(struct tri__check *check)
{
    uint32_t found;

    pthread_mutex_lock(&drain_lock);
    if (is_open)
        tri__check_defect(check, "barrier buffers are open, but no mark is running");
    found = check_full_locked(check);
    if (check->alone && tri__load_relaxed(&full_count) != found)
        tri__check_defect(check, "%u full barrier buffers wait, by the count %u", found,
                          tri__load_relaxed(&full_count));
    pthread_mutex_unlock(&drain_lock);
}

/* ---- fork ---- */

void tri__buffers_before_fork(void)
{
    pthread_mutex_lock(&drain_lock);
}

void tri__buffers_after_fork(void)
{
    pthread_mutex_unlock(&drain_lock);
}

static bool reset_buffer(struct tri__stack_entry *link)
{
    struct tri__buffer *buffer = buffer_of(link);

    tri__store_relaxed(&buffer->count, 0);
    buffer->drained = 0;
    return false;
}

/* No thread has one: the survivor's is forgotten, the others are dead. */
void tri__buffers_rebuild(void)
{
    pthread_mutex_lock(&drain_lock);
    is_open = false;
    tri__stack_init(&full);
    tri__store_relaxed(&full_count, 0);
    tri__store_relaxed(&overflowed, 0);
    tri__pool_rebuild(&pool, reset_buffer);
    pthread_mutex_unlock(&drain_lock);
}

void tri__buffers_release(void)
{
    tri__pool_release(&pool);
    tri__stack_init(&full);
    full_count = 0;
    exchanged_count = 0;
}
