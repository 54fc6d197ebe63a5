/* SPDX-License-Identifier: MIT */
/* The structural check: notes of what was found, and what belongs to no single structure. */
#include "heap/check.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/os.h"

#define LINES_BYTES ((size_t)TRI__CHECK_LINES * TRI__CHECK_LINE)

static size_t places_bytes(const struct tri__check *check)
{
    return (check->pages + 1) * sizeof *check->places;
}

int tri__check_begin(struct tri__check *check)
{
    check->pages = tri__page_heap_committed(&tri__heap.pages);
    check->lines = tri__os_map(LINES_BYTES);
    if (check->lines == NULL)
        return -ENOMEM;
    check->places = tri__os_map(places_bytes(check));
    if (check->places != NULL)
        return 0;
    tri__os_unmap(check->lines, LINES_BYTES);
    return -ENOMEM;
}

void tri__check_end(struct tri__check *check)
{
    tri__os_unmap(check->places, places_bytes(check));
    tri__os_unmap(check->lines, LINES_BYTES);
}

void tri__check_defect(struct tri__check *check, const char *format, ...)
{
    static const char head[] = "tricolor: heap check: ";
    va_list arguments;
    char *line;
    int length;

    if (check->defects++ >= TRI__CHECK_LINES)
        return;
    line = check->lines[check->defects - 1];
    length = snprintf(line, TRI__CHECK_LINE, "%s", head);
    va_start(arguments, format);
    length += vsnprintf(line + length, TRI__CHECK_LINE - 1 - (size_t)length, format, arguments);
    va_end(arguments);
    if (length > (int)TRI__CHECK_LINE - 2)
        length = (int)TRI__CHECK_LINE - 2;
    line[length] = '\n';
    line[length + 1] = '\0';
}

/* Memory of free slots may be poisoned; it can be read all the same. */
__attribute__((no_sanitize_address)) bool tri__check_is_zero(uintptr_t start, size_t bytes)
{
    const uint64_t *words = (const uint64_t *)start;

    for (size_t i = 0; i < bytes / sizeof *words; i++)
        if (words[i] != 0)
            return false;
    return true;
}

/* ---- size classes ---- */

static size_t slots_end(const struct tri__class_info *info)
{
    if (info->bits_offset != 0)
        return info->bits_offset;
    return info->colours_offset != 0 ? info->colours_offset : info->pages * TRI__PAGE_BYTES;
}

static bool kind_is_right(unsigned span_class, uint8_t kind)
{
    if (span_class >= TRI__SPAN_CLASSES)
        return kind == TRI__KIND_TYPED;
    if (span_class % 2 != 0)
        return kind == TRI__KIND_LEAF;
    return kind == TRI__KIND_BITMAP || kind == TRI__KIND_FOOTER;
}

static bool colours_have_room(const struct tri__class_info *info)
{
    if (info->colours_offset == 0)
        return info->slots <= TRI__DESCRIPTOR_COLOURS;
    return info->pages == 1 && info->colours_offset % 8 == 0 &&
           info->colours_offset + (info->slots + 7u) / 8 * 8 <= TRI__PAGE_BYTES;
}

static bool slots_are_found(const struct tri__class_info *info)
{
    for (uint32_t slot = 0; slot < info->slots; slot++)
        if (tri__slot_index(info, (size_t)slot * info->size) != slot ||
            tri__slot_index(info, (size_t)(slot + 1) * info->size - 1) != slot)
            return false;
    return true;
}

/* The one of large objects and that of arenas have no slots of one size. */
void tri__check_classes(struct tri__check *check)
{
    for (unsigned c = TRI__LARGE_SPAN + 1; c < TRI__ARENA_SPAN; c++) {
        const struct tri__class_info *info = &tri__class_info[c];

        if (info->size == 0 || info->slots * (size_t)info->size > slots_end(info) ||
            !kind_is_right(c, info->kind) || !colours_have_room(info) || !slots_are_found(info))
            tri__check_defect(check, "the table of size classes is wrong for class %u", c);
    }
}

/* ---- pools ---- */

size_t tri__check_pool(struct tri__check *check, struct tri__pool *pool, const char *name,
                       bool (*is_used)(struct tri__stack_entry *object))
{
    size_t most = tri__pool_count(pool), count = 0;
    struct tri__stack_entry *link, *chain = NULL;

    while (count < most && (link = tri__stack_pop(&pool->unused)) != NULL) {
        if (is_used(link))
            tri__check_defect(check, "the pool of %s has %p, which is in use", name, (void *)link);
        link->next = chain;
        chain = link;
        count++;
    }
    while (chain != NULL) {
        link = chain;
        chain = link->next;
        tri__stack_push(&pool->unused, link);
    }
    return count;
}

/* ---- sums ---- */

static void check_pages_in_use(struct tri__check *check)
{
    size_t used = tri__page_heap_used(&tri__heap.pages);

    if (used != check->table_pages + check->vacant_pages)
        tri__check_defect(check,
                          "%zu pages are in use, but %zu are in spans and %zu in page caches", used,
                          check->table_pages, check->vacant_pages);
}

static void check_bytes_in_use(struct tri__check *check)
{
    uint64_t allocated = tri__load_relaxed(&tri__heap.allocated) + check->unreported;
    uint64_t gone = tri__load_relaxed(&tri__heap.freed) + tri__load_relaxed(&tri__heap.given_back) +
                    check->given_back;

    if (allocated - gone != check->taken_bytes)
        tri__check_defect(check,
                          "counters say that %lld bytes are handed out, but slots and arenas have "
                          "%llu",
                          (long long)(allocated - gone), (unsigned long long)check->taken_bytes);
}

static void check_descriptors_in_use(struct tri__check *check)
{
    size_t all, unused = tri__check_descriptors(check, &all);

    if (all - unused != check->table_spans - check->arena_spans)
        tri__check_defect(check,
                          "%zu descriptors of spans are neither free nor lead to one of the %zu "
                          "spans, of %zu in all",
                          all - unused - (check->table_spans - check->arena_spans),
                          check->table_spans - check->arena_spans, all);
}

static void check_arenas_in_use(struct tri__check *check)
{
    const struct tri__arena_counts counts = tri__arena_counts(), *found = &check->arenas;

    if (counts.live_bytes != found->live_bytes || counts.waiting_bytes != found->waiting_bytes ||
        counts.waiting_chunks != found->waiting_chunks)
        tri__check_defect(
            check,
            "counters of arenas: %llu bytes live, %llu waiting in %llu chunks; but "
            "chunks say %llu, %llu and %llu",
            (unsigned long long)counts.live_bytes, (unsigned long long)counts.waiting_bytes,
            (unsigned long long)counts.waiting_chunks, (unsigned long long)found->live_bytes,
            (unsigned long long)found->waiting_bytes, (unsigned long long)found->waiting_chunks);
}

void tri__check_sums(struct tri__check *check)
{
    if (check->lost_spans != 0)
        tri__check_defect(check,
                          "%zu spans are on no list and in no cache, of which one begins at %#zx",
                          check->lost_spans, (size_t)check->lost);
    if (check->moved_spans != 0)
        tri__check_defect(check,
                          "%zu spans are on two lists, or in a cache as well, of which one begins "
                          "at %#zx",
                          check->moved_spans, (size_t)check->moved);
    check_pages_in_use(check);
    check_bytes_in_use(check);
    check_descriptors_in_use(check);
    check_arenas_in_use(check);
    tri__check_typed_counts(check);
}
