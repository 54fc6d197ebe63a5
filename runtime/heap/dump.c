/* SPDX-License-Identifier: MIT */
/* Writing objects out: the layout that the collector sees, beside the words that stand there. */
#include "heap/dump.h"

#include <tricolor/inspect.h>

#include "base/entry.h"
#include "layout/dump.h"

#define WINDOW_WORDS 64u /* shown of an object at most */
#define LONG_RUN 4u      /* so many words of zero are one line */

const char *tri__kind_name(enum tri__kind kind)
{
    switch (kind) {
    case TRI__KIND_NONE:
        return "no";
    case TRI__KIND_LEAF:
        return "leaf";
    case TRI__KIND_BITMAP:
        return "bitmap";
    case TRI__KIND_FOOTER:
        return "footer";
    case TRI__KIND_TYPED:
        return "typed";
    case TRI__KIND_LARGE:
        return "large";
    case TRI__KIND_ARENA:
        return "arena";
    }
    return "unknown";
}

static const char *ref_kind_name(const struct tri__ref *ref)
{
    return tri__kind_name((enum tri__kind)tri__class_info[ref->span_class].kind);
}

static const char *colour_name(uint8_t colour)
{
    static const char *const names[] = {"free", "white", "black"};

    return colour < sizeof names / sizeof *names ? names[colour] : "of no colour";
}

/* ---- what a word is ---- */

void tri__put_word(struct tri__print *out, uintptr_t word)
{
    struct tri__ref ref;

    if (!tri__in_heap(word))
        tri__put(out, "not in the heap");
    else if (!tri__locate(word, &ref))
        tri__put(out, "in the heap, in no slot");
    else if (!tri__locate_object(word, &ref))
        tri__put_arena_word(out, word);
    else if (!tri__is_allocated(&ref))
        tri__put(out, "free slot %#zx + %zu", (size_t)ref.base, (size_t)(word - ref.base));
    else
        tri__put(out, "%s object %#zx + %zu (%zu bytes)", ref_kind_name(&ref), (size_t)ref.base,
                 (size_t)(word - ref.base), (size_t)(tri__ref_limit(&ref) - ref.base));
}

/* ---- an object's words ---- */

/* A window of an object: the words, and which of them the collector takes for pointers. */
struct window {
    uintptr_t base;
    size_t first, words;
    uint64_t mask;
    bool readable;
    uintptr_t values[WINDOW_WORDS];
};

static bool is_walkable(const struct tri__ref *ref)
{
    uint8_t kind = tri__class_info[ref->span_class].kind;

    return kind == TRI__KIND_BITMAP || kind == TRI__KIND_LEAF || tri__ref_type(ref) == NULL ||
           tri__type_is_readable(tri__ref_type(ref));
}

/* Without a readable type no word is known to be a pointer. */
static uint64_t window_mask(const struct tri__ref *ref, uintptr_t start, size_t words)
{
    struct tri__type_pointers it = tri__type_pointers_none();
    uint64_t mask = 0;
    uintptr_t slot;

    if (is_walkable(ref))
        it = tri__type_pointers_of_range(ref, start, words * TRI_WORD);
    while ((slot = tri__type_pointers_next(&it)) != 0)
        mask |= UINT64_C(1) << ((slot - start) / TRI_WORD % 64);
    return mask;
}

static void read_window(struct window *window, const struct tri__ref *ref, uintptr_t address)
{
    size_t all = (tri__ref_limit(ref) - ref->base) / TRI_WORD;
    size_t word = (address - ref->base) / TRI_WORD;
    uintptr_t start;

    window->base = ref->base;
    window->first = word < all ? word / WINDOW_WORDS * WINDOW_WORDS : 0;
    window->words = all - window->first < WINDOW_WORDS ? all - window->first : WINDOW_WORDS;
    start = ref->base + window->first * TRI_WORD;
    window->mask = window_mask(ref, start, window->words);
    window->readable = tri__try_read(window->values, (const void *)start, window->words * TRI_WORD);
}

/* "->": the collector follows it. "~>": it does not, though the value looks like a pointer. */
static void put_target(struct tri__print *out, uintptr_t value, bool pointer)
{
    if (!tri__in_heap(value) && (!pointer || value == 0))
        return;
    tri__put(out, pointer ? "  -> " : "  ~> ");
    tri__put_word(out, value);
}

static void put_value(struct tri__print *out, const struct window *window, size_t k,
                      uintptr_t address)
{
    uintptr_t at = window->base + (window->first + k) * TRI_WORD;
    bool pointer = (window->mask >> k & 1) != 0;

    tri__put(out, "  %s %6zu %c ", address - at < TRI_WORD ? ">" : " ", window->first + k,
             pointer ? '*' : '.');
    tri__put(out, "0x%016zx", (size_t)window->values[k]);
    put_target(out, window->values[k], pointer);
    tri__put(out, "\n");
}

/* How many words from k on hold zero. */
static size_t zeros_at(const struct window *window, size_t k)
{
    size_t end = k;

    while (end < window->words && window->values[end] == 0)
        end++;
    return end - k;
}

static void put_values(struct tri__print *out, const struct window *window, uintptr_t address)
{
    for (size_t k = 0; k < window->words;) {
        size_t zeros = zeros_at(window, k);

        if (zeros >= LONG_RUN) {
            tri__put(out, "    %6zu   to %zu: zero\n", window->first + k,
                     window->first + k + zeros - 1);
            k += zeros;
        } else {
            put_value(out, window, k++, address);
        }
    }
}

static void put_window(struct tri__print *out, const struct window *window, uintptr_t address)
{
    tri__put(out, "  layout   ");
    tri__put_bits(out, window->mask, (unsigned)window->words);
    tri__put(out, "\n");
    if (window->readable)
        put_values(out, window, address);
    else
        tri__put(out, "    its memory cannot be read\n");
}

/* ---- the object ---- */

static void put_heading(struct tri__print *out, const struct tri__ref *ref)
{
    const struct tri__span *span = tri__span_at(ref->base);

    if (ref->span_class == TRI__ARENA_SPAN) {
        tri__put_arena_heading(out, ref);
        return;
    }
    tri__put(out, "%s object %#zx: %zu bytes in a slot of %zu, %s; slot %zu of span %#zx\n",
             ref_kind_name(ref), (size_t)ref->base, (size_t)(tri__ref_limit(ref) - ref->base),
             tri__ref_bytes(ref), colour_name(tri__load_acquire(ref->colour)),
             (size_t)((ref->base - span->base) / span->slot_bytes), (size_t)span->base);
}

static void put_object_type(struct tri__print *out, const struct tri__ref *ref)
{
    uint8_t kind = tri__class_info[ref->span_class].kind;

    tri__put(out, "  type     ");
    if (kind == TRI__KIND_BITMAP)
        tri__put(out, "not recorded");
    else
        tri__put_type(out, kind == TRI__KIND_LEAF ? &tri_type_bytes : tri__ref_type(ref));
    tri__put(out, "\n");
}

void tri__put_object(struct tri__print *out, const struct tri__ref *ref, uintptr_t address)
{
    size_t all = (tri__ref_limit(ref) - ref->base) / TRI_WORD;
    struct window window;

    put_heading(out, ref);
    put_object_type(out, ref);
    read_window(&window, ref, address);
    put_window(out, &window, address);
    if (window.words < all)
        tri__put(out, "    words %zu to %zu of %zu\n", window.first,
                 window.first + window.words - 1, all);
}

/* ---- the public functions ---- */

void tri_dump_object(const void *p, int fd)
{
    TRI__IN_RUNTIME;
    struct tri__print out = tri__print_to(fd);
    struct tri__ref ref;

    if (tri__locate_object((uintptr_t)p, &ref)) {
        tri__put_object(&out, &ref, (uintptr_t)p);
    } else {
        tri__put(&out, "%p: ", p);
        tri__put_word(&out, (uintptr_t)p);
        tri__put(&out, "\n");
    }
    tri__print_end(&out);
}

void tri_dump_span(const void *p, int fd)
{
    TRI__IN_RUNTIME;
    struct tri__print out = tri__print_to(fd);

    if (tri__in_heap((uintptr_t)p) &&
        tri__load_acquire(&tri__heap.page_class[tri__page_of((uintptr_t)p)]) != TRI__NO_SPAN)
        tri__put_span(&out, tri__span_at((uintptr_t)p));
    else
        tri__put(&out, "%p: in no span\n", p);
    tri__print_end(&out);
}
