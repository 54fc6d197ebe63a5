/* SPDX-License-Identifier: MIT */
/* tricolor/inspect.h: looking in from the program. */
#ifndef TRICOLOR_INSPECT_H
#define TRICOLOR_INSPECT_H

#include <tricolor/type.h>

TRI_BEGIN_DECLS

/* Why the collector held up a thread of the program. */
typedef enum tri_delay_cause {
    TRI_DELAY_HANDSHAKE, /* answering a request: taking a phase, giving buffers and runs back */
    TRI_DELAY_STACK,     /* scanning the thread's own stack */
    TRI_DELAY_REFILL,    /* getting a new span: sweeping, the page heap, zeroing */
    TRI_DELAY_ASSIST,    /* marking, and filtering barrier buffers, on the collector's behalf */
    TRI_DELAY_WAIT,      /* leaving TRI_BLOCKING while claimed; for a cycle when out of memory */
    TRI_DELAY_CAUSES
} tri_delay_cause;

#define TRI_DELAY_BUCKETS 40

/* All delays of one cause, over all threads, dead ones included, since tri_init. Times in
 * nanoseconds; the quantiles are exact to 12.5 %. */
typedef struct tri_delay {
    uint64_t count, total_ns, max_ns;
    uint64_t p50_ns, p90_ns, p99_ns, p999_ns;
    /* buckets[i]: delays of 2^i up to 2^(i+1) - 1 ns; the last one takes the rest */
    uint64_t buckets[TRI_DELAY_BUCKETS];
} tri_delay;

/* tri_stats s = TRI_STATS_INIT; tri_stats_get(&s); */
typedef struct tri_stats {
    size_t size; /* sizeof(tri_stats) of the program; later versions add fields at the end */

    uint64_t cycles;           /* finished, sweep included */
    uint64_t forced_cycles;    /* of these, asked for by tri_collect or when out of memory */
    uint64_t handshakes;       /* rounds over all threads */
    uint64_t handshake_ns;     /* of these, the time from request to last answer, added up */
    uint64_t handshake_max_ns; /* the longest of these times */
    uint64_t mark_ns;          /* time with a mark running, added up */
    uint64_t mark_rounds;      /* attempts to end a mark: more than one a cycle: some failed */
    uint64_t threads;          /* attached now */

    uint64_t heap_bytes;      /* handed out now: live objects, garbage not yet swept, cached runs */
    uint64_t heap_goal;       /* heap_bytes at which the running or next cycle should be over */
    uint64_t live_bytes;      /* found reachable by the last cycle, or allocated while it ran */
    uint64_t allocated_bytes; /* ever, but for the last 64 KiB or so of each running thread */
    uint64_t freed_bytes;     /* ever */
    uint64_t mapped_bytes;    /* committed from the operating system for the heap */
    uint64_t resident_bytes;  /* of the whole process */

    uint64_t marked_objects;  /* ever */
    uint64_t barrier_entries; /* drained from barrier buffers, ever */
    uint64_t barrier_full;    /* full barrier buffers exchanged, ever */
    uint64_t assists;         /* quanta of marking by threads of the program, ever */

    tri_delay delays[TRI_DELAY_CAUSES];
    tri_delay rounds; /* handshakes, from request to last answer; no thread is delayed by them */

    uint64_t arenas;              /* not freed */
    uint64_t arena_bytes;         /* of memory that these have taken */
    uint64_t arena_waiting_bytes; /* addresses of freed arenas, not used again yet: no memory */
} tri_stats;

/* C++17 knows no designators, and its compilers warn of fields that an initializer leaves out. */
#ifdef __cplusplus
#define TRI_STATS_INIT tri__stats_initial()
static inline tri_stats tri__stats_initial(void)
{
    tri_stats stats = {};
    stats.size = sizeof stats;
    return stats;
}
#else
#define TRI_STATS_INIT                                                                             \
    {                                                                                              \
        .size = sizeof(tri_stats)                                                                  \
    }
#endif

/* Fills *stats, up to stats->size bytes. 0, or -EINVAL for a size no version had. Any
 * thread; not a safepoint. Numbers of running threads are read while they change: each is
 * right, sums may be a moment apart. */
TRI_API int tri_stats_get(tri_stats *stats);

/* The name of a cause: "handshake", "stack", "refill", "assist", "wait";
 * NULL for any other number. */
TRI_API const char *tri_delay_name(tri_delay_cause cause);

/* About the object of the heap, or the value of an arena, that p points to or into: its first byte,
 * its usable bytes, the type it was allocated with. Of an array that is the element's; of a leaf
 * object tri_type_bytes, of an arena's leaf value its own; NULL where an object carries a bitmap
 * instead (a value never does). NULL or 0 when p points to neither: to memory that is free, into an
 * arena that was freed, or elsewhere. Any thread; the caller keeps the object, or the arena,
 * alive. */
TRI_API void *tri_object_base(const void *p);
TRI_API size_t tri_object_size(const void *p);
TRI_API const tri_type *tri_object_type(const void *p);

/* Which words the collector takes for pointers: in the object or value that p points to or into,
 * from its first byte on, or in the range of roots that p points into (root.h), from the range's
 * first byte on. (The TRI_ROOT variables of one module are one range, of which it reads every
 * word.)
 *
 * mask[i] gets 1 if word i is one, else 0, up to the last pointer, and at most `max` bytes; what
 * follows in `mask` is left alone. Returns how many bytes the whole mask has, whether there was
 * room for them or not: the number of the last pointer's word plus one; 0 if there is no pointer
 * in it, or p points to nothing the collector knows. So a result above max says that the mask was
 * cut; tri_pointer_mask(p, NULL, 0) asks for the length alone. It may be longer than what was
 * asked for when the object was allocated: the collector tiles an array's type up to the end of
 * the slot, where memory is zero.
 *
 * Any thread; an attached one keeps the object alive for the time of the call by p itself. Takes
 * time in proportion to the object's size. Not a safepoint. */
TRI_API size_t tri_pointer_mask(const void *p, uint8_t *mask, size_t max);

/* Write text for people to the file descriptor `fd`: about the object that p points to or into
 * (kind, slot, colour, layout, and 64 of its words around p with where each points), and about the
 * span that p points into (kind, slots by colour, who holds it); or one line that says what p is
 * instead. The format is not fixed. docs/debugging.md shows both.
 *
 * Any thread, a signal handler, or a debugger that has stopped the program: call
 * tri_dump_object(p, 2). No locks, no malloc, not a safepoint. */
TRI_API void tri_dump_object(const void *p, int fd);
TRI_API void tri_dump_span(const void *p, int fd);

/* Checks the structure of the heap: size classes, spans and the lists they are on, colours of their
 * slots, the masks of typed ones (those of others while TRICOLOR_VERIFY has barrier, layout or
 * clobber), the page table and the page heap's bits, summaries and counts under it, chunks of arenas
 * and their logs, barrier buffers, and caches of threads that are in TRI_BLOCKING. 0, or the number
 * of defects, of which the first ones are reported, a line each, to tri_config.log or on standard
 * error; -ENOMEM when there is no memory for the check, or -EAGAIN, in a child of fork(), none for
 * the collector's threads: then nothing was checked.
 *
 * Any thread, at any time; it is attached, and waits as in TRI_BLOCKING until a cycle that is
 * running is over. Other threads run on, so a running one's cache is not looked at, and sums (bytes
 * and pages in use, spans of each type, that no span is lost) are checked only if the calling
 * thread is the only one that is attached. Takes about as long as it takes to read the heap; spans
 * that are looked at are not allocated from meanwhile. The log must not call the library. */
TRI_API int tri_heap_check(void);

TRI_END_DECLS
#endif
