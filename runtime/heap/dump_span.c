/* SPDX-License-Identifier: MIT */
/* Writing spans out, with a picture of the slots' colours. */
#include "heap/cache.h"
#include "heap/dump.h"
#include "layout/dump.h"

#define SLOTS_A_LINE 64u
#define MOST_LISTED 1000000u /* steps along a list that others may be changing: never for ever */

static unsigned colour_of(const struct tri__span *span, uint32_t slot)
{
    return tri__load_relaxed(&span->colours[slot]);
}

static char colour_letter(unsigned colour)
{
    return (char)(colour <= TRI__BLACK ? ".o#"[colour] : '?');
}

/* ---- where it is ---- */

static bool stack_holds(const struct tri__stack *stack, const struct tri__span *span)
{
    const struct tri__stack_entry *entry = tri__load_relaxed(&stack->head);

    for (unsigned i = 0; entry != NULL && i < MOST_LISTED; i++) {
        if (entry == &span->link)
            return true;
        entry = tri__load_relaxed(&entry->next);
    }
    return false;
}

#define CACHED_SPANS (sizeof((struct tri__cache *)NULL)->spans / sizeof(struct tri__span *))
#define CENTRAL_LISTS (sizeof tri__heap.central / sizeof tri__heap.central[0])

/* Which of the calling thread's runs is cut from the span; CACHED_SPANS: none. Others' caches are
 * found by tools that stop the program (tools/tricolor-gdb.py). */
static size_t own_run_of(const struct tri__span *span)
{
    const struct tri__cache *cache = (const struct tri__cache *)(void *)tri__self;
    size_t number = 0;

    if (tri__self->barrier == TRI__BARRIER_UNATTACHED)
        return CACHED_SPANS;
    while (number < CACHED_SPANS && cache->spans[number] != span)
        number++;
    return number;
}

static void put_own_cache(struct tri__print *out, const struct tri__span *span, size_t number)
{
    const struct tri__run *run = &tri__self->runs[number];

    tri__put(out, "the calling thread's cache");
    if (run->current < run->end)
        tri__put(out, ", which has slots %zu to %zu to hand out yet",
                 (run->current - span->base) / span->slot_bytes,
                 (run->end - span->base) / span->slot_bytes - 1);
}

/* NULL: it is in none of these. */
static const char *list_among(const struct tri__central *central, const struct tri__span *span)
{
    if (stack_holds(&central->partial[0], span))
        return "the partial list of side 0";
    if (stack_holds(&central->partial[1], span))
        return "the partial list of side 1";
    if (stack_holds(&central->full[0], span))
        return "the full list of side 0";
    return stack_holds(&central->full[1], span) ? "the full list of side 1" : NULL;
}

/* All are searched: which one it should be in is not believed here. */
static const char *list_of(const struct tri__span *span)
{
    const char *found = NULL;

    for (size_t i = 0; found == NULL && i < CENTRAL_LISTS; i++)
        found = list_among(&tri__heap.central[i], span);
    return found;
}

static void put_whereabouts(struct tri__print *out, const struct tri__span *span)
{
    size_t number = own_run_of(span);
    const char *list;

    if (span->span_class == TRI__ARENA_SPAN) {
        tri__put(out, "no list: it is an arena's");
        return;
    }
    if (number < CACHED_SPANS) {
        put_own_cache(out, span, number);
        return;
    }
    list = list_of(span);
    tri__put(out, "%s", list != NULL ? list : "no list: another thread's cache, or being swept");
}

/* ---- its slots ---- */

static void put_counts(struct tri__print *out, const struct tri__span *span)
{
    uint32_t counts[4] = {0};

    for (uint32_t slot = 0; slot < span->slots; slot++)
        counts[colour_of(span, slot) & 3]++;
    tri__put(out,
             "  slots    %u of %zu bytes: %u free, %u white, %u black; the next run from %u on\n",
             span->slots, span->slot_bytes, counts[TRI__FREE], counts[TRI__WHITE],
             counts[TRI__BLACK], span->next_slot);
}

static void put_picture(struct tri__print *out, const struct tri__span *span)
{
    tri__put(out, "  colours  . free, o white, # black\n");
    for (uint32_t slot = 0; slot < span->slots; slot++) {
        if (slot % SLOTS_A_LINE == 0)
            tri__put(out, "%s    %4u ", slot != 0 ? "\n" : "", slot);
        tri__put(out, "%s%c", slot % 8 == 0 ? " " : "", colour_letter(colour_of(span, slot)));
    }
    tri__put(out, "\n");
}

void tri__put_span(struct tri__print *out, const struct tri__span *span)
{
    const struct tri__class_info *info = &tri__class_info[span->span_class];

    tri__put(out, "%s span %#zx: span class %u, %zu page%s, descriptor %p\n",
             tri__kind_name((enum tri__kind)info->kind), (size_t)span->base, span->span_class,
             span->pages, span->pages == 1 ? "" : "s", (const void *)span);
    put_counts(out, span);
    if (span->bits != NULL)
        tri__put(out, "  bitmap   at %p\n", (const void *)span->bits);
    if (info->kind == TRI__KIND_ARENA)
        tri__put_arena_chunk(out, span);
    if (info->kind == TRI__KIND_LARGE || span->type != NULL) {
        tri__put(out, "  type     ");
        tri__put_type(out, tri__load_acquire(&span->type));
        tri__put(out, "\n");
    }
    tri__put(out, "  memory   %s\n  in       ",
             span->dirty ? "free slots may hold old bytes" : "free slots read zero");
    put_whereabouts(out, span);
    tri__put(out, "\n");
    put_picture(out, span);
}
