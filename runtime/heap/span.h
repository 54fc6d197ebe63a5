/* SPDX-License-Identifier: MIT */
/* A span: consecutive pages cut into slots of one size, the unit that is swept, cached and listed.
 *
 * Owner of a span: the thread whose cache holds it, or whoever has popped it from a central list;
 * nobody else allocates from it or sweeps it [inv.span.owner]. Anyone may look a span up at any
 * time: descriptors are type-stable and never unmapped while the heap lives [inv.span.stable].
 * See: docs/architecture.md "Spans". */
#ifndef TRI__HEAP_SPAN_H
#define TRI__HEAP_SPAN_H

#include <stdalign.h>

#include <tricolor/type.h>

#include "base/atomic.h"
#include "base/ck_shim.h"
#include "heap/size_class.h"

#define TRI__PAGE_SHIFT 13
#define TRI__PAGE_BYTES ((size_t)1 << TRI__PAGE_SHIFT)

/* Page-class byte of pages that hold no objects now. Large objects have span
 * class 1, small ones 2 and up, those in typed spans TRI__TYPED_CLASS(1) and up. */
#define TRI__NO_SPAN 0
#define TRI__LARGE_SPAN 1

/* A byte a slot: is it allocated, and what colour is it. Plain stores do, no locked instruction is
 * needed anywhere, because at any time one party alone may change a given byte [inv.colour.writer]:
 *   FREE  -> WHITE or BLACK   the span's owner, when it cuts a run; release, acquired by whoever
 *                             resolves a word to the slot
 *   WHITE -> BLACK            markers while a mark is running (several may store the same); the
 *                             owner for unused slots at H2
 *   any   -> FREE             the owner, while no mark is running: a run given back
 *   WHITE -> FREE and
 *   BLACK -> WHITE            sweep, which is a shift; BLACK -> WHITE also the coordinator before H1,
 *                             for a chunk of a freed arena (arena_quarantine.h). */
enum tri__colour {
    TRI__FREE = 0,
    TRI__WHITE = 1,
    TRI__BLACK = 2, /* or grey: waiting to be scanned on some marker's stack */
};

struct tri__own_layout;

struct tri__span {
    struct tri__stack_entry link; /* place in a central list, or among unused descriptors */

    /* const while the span is in use; published by the release store of the page-class bytes */
    uintptr_t base;
    size_t pages;
    size_t slot_bytes;
    uint32_t slots;
    uint8_t span_class;
    uint8_t *colours; /* a byte a slot, atomic: in the page's end, or own_colours */
    uint64_t *bits;   /* heap bitmap of a bitmap span, else NULL */

    /* owner */
    uint32_t next_slot; /* all before it were handed out, or found taken, since the last sweep */
    bool dirty;         /* free slots may hold old bytes: zero them when a run is cut */

    /* atomic: of a large object; NULL: leaf, or still being zeroed (nothing to scan, and new
     * objects are black). Of all objects of a typed span: const while it is in use. Of others
     * NULL */
    const tri_type *type;
    struct tri__own_layout *own; /* const once there is a type: what to walk the object by instead,
                                  * for types with very large masks; else NULL */

    alignas(8) uint8_t own_colours[TRI__DESCRIPTOR_COLOURS]; /* for spans of few slots */
};

/* Takes a descriptor for [base, base + pages) and fills it in for `span_class`; the slots are
 * all free. NULL: no memory. */
struct tri__span *tri__span_new(uintptr_t base, size_t pages, uint8_t span_class, bool dirty);

/* Makes all objects of a typed span, not published yet, `type`'s [inv.typed.layout]. */
void tri__span_set_type(struct tri__span *span, const tri_type *type);

/* Gives a descriptor back for reuse. The pages are the caller's again. */
void tri__span_delete(struct tri__span *span);

/* Makes every slot free: the owner found the span empty and keeps it. */
void tri__span_reset(struct tri__span *span);

/* Finds the first run of free slots at or after span->next_slot, at most `limit` of
 * them. false: none. Owner. */
bool tri__span_next_run(const struct tri__span *span, uint32_t limit, uint32_t *first,
                        uint32_t *count);

/* Gives `count` slots from `first` a colour. Owner. Who sees the colour sees what was
 * written to the slots before. */
void tri__span_paint(struct tri__span *span, uint32_t first, uint32_t count,
                     enum tri__colour colour);

/* White slots become free and black ones white; free slots are open again. Returns the number of
 * live slots; *freed gets the slots that died. Owner; no mark may be running [inv.sweep.quiet]. */
uint32_t tri__span_sweep(struct tri__span *span, uint32_t *freed);

/* In a child of fork(): all slots that are not free become white, and free ones may hold anything.
 * Returns how many are white. No mark is running, and nobody owns the span [inv.fork.rebuild]. */
uint32_t tri__span_whiten(struct tri__span *span);

/* There: descriptors that are not used are free again. */
void tri__spans_rebuild(bool (*is_used)(struct tri__stack_entry *descriptor));

/* Frees the memory of all descriptors: at shutdown only. */
void tri__span_release_all(void);

static inline bool tri__span_is_typed(const struct tri__span *span)
{
    return tri__class_info[span->span_class].kind == TRI__KIND_TYPED;
}

static inline struct tri__span *tri__span_of_link(struct tri__stack_entry *link)
{
    return (struct tri__span *)(void *)link; /* link is the first member */
}

/* Colours are looked at eight at a time: words of this many cover all slots. */
static inline uint32_t tri__span_groups(const struct tri__span *span)
{
    return (span->slots + 7) / 8;
}

#endif
