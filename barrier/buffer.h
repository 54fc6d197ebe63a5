/* SPDX-License-Identifier: MIT */
/* Barrier buffers: what mutators shade, on its way to the markers.
 *
 * One producer, the thread that holds the buffer, appends entries and publishes the count; one
 * consumer at a time, whoever holds the drain lock, takes entries while the producer goes on
 * [inv.buffer.spsc]. A full buffer is pushed onto a lock-free stack and an empty one taken in its
 * place: a mutator never waits in a barrier. Buffers are type-stable: never unmapped before
 * shutdown, so a consumer may look at one that its thread has just given away.
 * Entries are unfiltered words, but never NULL; the markers resolve them.
 * See: docs/architecture.md "Barrier". */
#ifndef TRI__BARRIER_BUFFER_H
#define TRI__BARRIER_BUFFER_H

#include "base/atomic.h"
#include "heap/cache.h"
#include "heap/watch.h"

#define TRI__BUFFER_ENTRIES 512u

struct tri__buffer {
    struct tri__stack_entry link;
    uint32_t count;   /* atomic: written by the producer (release), read by consumers (acquire) */
    uint32_t drained; /* [drain lock]: entries before it have been taken */
    uint32_t stamp;   /* of its thread when it was given away */
    struct tri__buffer *newer; /* coordinator: put aside while it looks for older ones */
    uintptr_t entries[TRI__BUFFER_ENTRIES]; /* atomic */
};

/* A bit of the thread's request word that the thread sets itself: it has given full buffers away
 * while many were waiting, and shall take as many on at its next safepoint [inv.buffer.bounded]. */
#define TRI__REQUEST_FILTER UINT32_C(0x100)

/* Another one: it moves memory after tri_bulk_barrier_pre_write(), and does not change phase before
 * its next safepoint [inv.window.held]. */
#define TRI__REQUEST_HELD UINT32_C(0x400)

/* What the barrier knows of a thread; its first part is what the heap knows. */
struct tri__writer {
    struct tri__cache cache;
    /* atomic: the consumer reads it (acquire). Never NULL: a full one that is nobody's at first */
    struct tri__buffer *buffer;

    /* owner */
    uint32_t owed;  /* full buffers it has to take on */
    uint32_t stamp; /* counts its answers to H3, to tell which buffers it gave away before */
};

void tri__writer_init(struct tri__writer *writer, struct tri__cache_phase phase, uint8_t barrier,
                      uint32_t stamp);

/* Exchanges the thread's full buffer for an empty one and appends `value`. Never fails: without
 * memory for a buffer the old one is emptied by marking what it holds (tri__overflow_note). */
void tri__buffer_push_slow(struct tri__writer *writer, uintptr_t value);

/* Exchanges the thread's buffer, if what room it has left is too little, and returns where the
 * empty one's entries begin; without memory for one the old one is emptied as above. NULL: there is
 * no memory, and the thread has no buffer yet: each value has to be pushed. */
uintptr_t *tri__buffer_reserve_slow(struct tri__writer *writer);

/* Hands a value to the markers. Producer only. */
static inline void tri__buffer_push(struct tri__writer *writer, uintptr_t value)
{
    struct tri__buffer *buffer = writer->buffer;
    uint32_t count = buffer->count;

    if (TRI__UNLIKELY(count == TRI__BUFFER_ENTRIES)) {
        tri__buffer_push_slow(writer, value);
        return;
    }
    tri__store_relaxed(&buffer->entries[count], value);
    tri__store_release(&buffer->count, count + 1); /* rel -> acq in take_entries_locked() */
}

#define TRI__BUFFER_BATCH 64u

/* Appending many at once: where up to `most` entries go, of which none is seen before
 * tri__buffer_publish() says where they end. `most` is at most TRI__BUFFER_BATCH. What is left of a
 * buffer with less room goes unused. Producer only. */
static inline uintptr_t *tri__buffer_reserve(struct tri__writer *writer, uint32_t most)
{
    struct tri__buffer *buffer = writer->buffer;
    uint32_t count = buffer->count;

    if (TRI__UNLIKELY(TRI__BUFFER_ENTRIES - count < most))
        return tri__buffer_reserve_slow(writer);
    return &buffer->entries[count];
}

static inline void tri__buffer_publish(struct tri__writer *writer, const uintptr_t *end)
{
    struct tri__buffer *buffer = writer->buffer;

    /* rel -> acq in take_entries_locked() */
    tri__store_release(&buffer->count, (uint32_t)(end - buffer->entries));
}

/* Shades a value: NULL is dropped here, all else is the markers' business. */
static inline void tri__shade(struct tri__writer *writer, uintptr_t value)
{
    if (value != 0)
        tri__buffer_push(writer, value);
}

/* The two halves of the barrier, each with the switch by which tests show that it is needed. */
static inline void tri__shade_old(struct tri__writer *writer, uintptr_t value)
{
    if (!tri__fault(TRI__FAULT_DROP_OLD))
        tri__shade(writer, value);
}

static inline void tri__shade_new(struct tri__writer *writer, uintptr_t value)
{
    if (!tri__fault(TRI__FAULT_DROP_NEW))
        tri__shade(writer, value);
}

/* The calling thread, which is attached if need be; NULL when no mark is running for it. */
static inline struct tri__writer *tri__shading_writer(void)
{
    if (TRI__LIKELY(tri__self->barrier == TRI__BARRIER_IDLE))
        return NULL;
    if (tri__self->barrier == TRI__BARRIER_UNATTACHED)
        tri__heap.hooks.attach();
    return tri__barrier_is_at_rest(tri__self->barrier) ? NULL : (struct tri__writer *)tri__self;
}

/* Gives the thread's buffer to the markers, full or not. Producer. */
void tri__buffer_surrender(struct tri__writer *writer);

/* The thread's answer to H3: it surrenders its buffer; what it gives away from now on
 * carries `stamp`. Producer. */
void tri__buffer_flush(struct tri__writer *writer, uint32_t stamp);

/* Forgets what the thread's buffer holds. Only while no mark is running
 * for any thread. Producer. */
void tri__buffer_reset(struct tri__writer *writer);

/* Consumers. `take` gets each entry once; both return how many there were. */
typedef void tri__buffer_take(uintptr_t value, void *argument);
size_t tri__buffer_drain_writer(struct tri__writer *writer, tri__buffer_take *take, void *argument);
/* One full buffer; 0: there is none. */
size_t tri__buffer_drain_full(tri__buffer_take *take, void *argument);

/* All buffers that were given away with another stamp than `stamp`: before their thread's last
 * answer to H3. Ends however fast the program fills new ones, for those are put aside unread.
 * `done` is called after each buffer. Coordinator. */
size_t tri__buffers_drain_older(uint32_t stamp, tri__buffer_take *take,
                                void (*done)(void *argument), void *argument);

/* Throws full buffers away: the mark is over, and what they hold is marked. */
void tri__buffer_discard_full(void);

/* Full buffers that wait for a marker: a recent value. And how many may wait
 * before threads have to help. */
uint32_t tri__buffers_full(void);
void tri__buffers_set_bound(uint32_t buffers);
uint64_t tri__buffers_exchanged(void); /* ever */

/* Set when an object was marked without anybody noting that it is grey, for lack of memory: marked
 * objects must be walked. Markers; and mutators through tri__buffer_push_slow(), which does so
 * only while buffers are open. */
bool tri__overflow_note(uintptr_t value); /* true: it has marked an object */
bool tri__overflow_take(void);

/* Coordinator: buffers open before H1 and close with the verdict. From then on all that is shaded
 * is marked, and a stray word in a buffer must not mark anything any more: spans are swept. false:
 * something overflowed at the last moment; still open. */
void tri__buffers_open(void);
bool tri__buffers_close(void);

/* The drain lock around fork and at shutdown. */
void tri__buffers_release(void);

/* Part of the structural check (heap/check.h). */
struct tri__check;
void tri__buffers_check(struct tri__check *check);

/* Around a fork: no buffer is being looked at. In the child, when no other thread uses them: all are
 * empty and free. */
void tri__buffers_before_fork(void);
void tri__buffers_after_fork(void);
void tri__buffers_rebuild(void);

#endif
