/* SPDX-License-Identifier: MIT */
/* Size classes and span classes: from a size to its class, from an address in a span to its slot.
 *
 * Owns: the constant table of span classes (size_class_table.c, made by scripts/gen-size-classes).
 *
 * A span of one page keeps the metadata that marking touches in the page's end, behind the slots:
 *
 *     0                 bits_offset            colours_offset       8192
 *     | slot | slot | … | a bit a word (128 B) | a colour byte a slot |
 *     | slot | slot | … | mask, type   (16 B)  | a colour byte a slot |    a typed span
 *
 * Spans of several pages, and the one-page classes that would lose more than an eighth of the page
 * (2048, 4096, 8192), have at most 64 slots and keep their colours in the span's descriptor:
 * colours_offset is 0. So ask colours_offset, not pages, where the colours are.
 * See: docs/architecture.md */
#ifndef TRI__HEAP_SIZE_CLASS_H
#define TRI__HEAP_SIZE_CLASS_H

#include <tricolor/size_class.h>

/* How the collector learns which words of an object are pointers. */
enum tri__kind {
    TRI__KIND_NONE,   /* span class 0: no span here */
    TRI__KIND_LEAF,   /* no word is */
    TRI__KIND_BITMAP, /* up to 512 bytes: the page's bitmap, bit i is word i of the page */
    TRI__KIND_FOOTER, /* above: the type is in the slot's last word */
    TRI__KIND_TYPED,  /* all of one type: it is in the page's end, or in the span's descriptor */
    TRI__KIND_LARGE,  /* one object: the type, or that it is a leaf, is in the span's descriptor */
    TRI__KIND_ARENA,  /* a chunk of an arena: its bitmap and its log (arena_chunk.h) */
};

#define TRI__DESCRIPTOR_COLOURS 64u
#define TRI__PAGE_BITS_BYTES 128u

/* Page-class bytes go on behind the span classes: typed spans have their own for each size class;
 * chunks of arenas have one, of which no thread has runs and no list has spans. */
#define TRI__TYPED_CLASS(size_class) (TRI__SPAN_CLASSES - 1u + (size_class))
#define TRI__ARENA_SPAN (TRI__SPAN_CLASSES + TRI__SIZE_CLASSES - 1u)
#define TRI__PAGE_CLASSES (TRI__ARENA_SPAN + 1u)
_Static_assert(TRI__PAGE_CLASSES <= 256, "a byte a page");

/* What a typed span with its colours in the page has at bits_offset. */
struct tri__page_type {
    uint64_t mask;             /* of an object of up to 64 words */
    const struct tri_type *type;
};
_Static_assert(sizeof(struct tri__page_type) == 16, "scripts/gen-size-classes");

struct tri__class_info {
    uint32_t size;           /* of a slot; 0 if large */
    uint32_t magic;          /* 2^32 / size, rounded up: replaces the division by size */
    uint16_t slots;          /* in a span; 1 if large */
    uint16_t colours_offset; /* in the page; 0: the colours are in the descriptor */
    uint16_t bits_offset;    /* in the page: of the bitmap, or struct tri__page_type; 0: none */
    uint8_t pages;           /* of a span; 0 if large: the descriptor knows */
    uint8_t kind;            /* enum tri__kind */
};
_Static_assert(sizeof(struct tri__class_info) == 16, "indexed by a shift");

extern const struct tri__class_info tri__class_info[TRI__PAGE_CLASSES];

/* By steps of 8 bytes where classes lie close, by steps of 128 above. */
#define TRI__CLASS_BY_8_MAX 1016u
#define TRI__CLASS_BY_8_ENTRIES (TRI__CLASS_BY_8_MAX / 8 + 1)
#define TRI__CLASS_BY_128_ENTRIES ((TRI__SMALL_MAX - 1024) / 128 + 1)
extern const uint8_t tri__class_by_8[TRI__CLASS_BY_8_ENTRIES];
extern const uint8_t tri__class_by_128[TRI__CLASS_BY_128_ENTRIES];

/* The smallest class for so many bytes (for 0 the smallest of all); 0 above TRI__SMALL_MAX. */
static inline unsigned tri__size_to_class(size_t bytes)
{
    if (TRI__LIKELY(bytes <= TRI__CLASS_BY_8_MAX))
        return tri__class_by_8[(bytes + 7) / 8];
    if (bytes <= TRI__SMALL_MAX)
        return tri__class_by_128[(bytes - 1024 + 127) / 128];
    return 0;
}

/* The slot of a byte of a span. In the tail it is not below info->slots: compare with that, since
 * the tail is no slot. In a large span it is 0, whatever the offset. */
static inline unsigned tri__slot_index(const struct tri__class_info *info, size_t offset)
{
    return (unsigned)(((uint64_t)offset * info->magic) >> 32);
}

#endif
