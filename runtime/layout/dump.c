/* SPDX-License-Identifier: MIT */
/* Writing types and iterators out. */
#include "layout/dump.h"

#include <string.h>

#define NAME_BYTES 48u
#define SLOTS_SHOWN 32u
#define SLOTS_A_LINE 4u
#define PAGE_BYTES 4096u /* the smallest there is: reading up to its end cannot fail half-way */

/* A name of the program's, cut; "?" if there is none or it cannot be read. */
static void put_name(struct tri__print *out, const char *name)
{
    char text[NAME_BYTES + 1] = "";
    size_t whole = PAGE_BYTES - (uintptr_t)name % PAGE_BYTES;

    if (name == NULL || !tri__try_read(text, name, whole < NAME_BYTES ? whole : NAME_BYTES))
        tri__put(out, "?");
    else
        tri__put(out, "'%s'%s", text, strlen(text) == NAME_BYTES ? "..." : "");
}

/* In parentheses, after a name. */
static void put_pointers(struct tri__print *out, const tri_type *type)
{
    tri__put(out, "size %zu, ", type->size);
    if (type->ptr_bytes != 0)
        tri__put(out, "pointers in the first %zu bytes", type->ptr_bytes);
    else
        tri__put(out, "no pointers");
}

static void put_tail(struct tri__print *out, const tri_type *tail)
{
    tri_type copy;

    if (!tri__try_read(&copy, tail, sizeof copy)) {
        tri__put(out, "; unreadable tail at %p", (const void *)tail);
        return;
    }
    tri__put(out, "; tail of ");
    put_name(out, copy.name);
    tri__put(out, ", ");
    put_pointers(out, &copy);
}

void tri__put_type(struct tri__print *out, const tri_type *type)
{
    tri_type copy;

    if (type == NULL) {
        tri__put(out, "none");
        return;
    }
    if (!tri__try_read(&copy, type, sizeof copy)) {
        tri__put(out, "unreadable, at %p", (const void *)type);
        return;
    }
    put_name(out, copy.name);
    tri__put(out, " (");
    put_pointers(out, &copy);
    if (copy.tail != NULL)
        put_tail(out, copy.tail);
    tri__put(out, ")");
}

static bool mask_is_readable(const tri_type *type)
{
    uint64_t first;

    return type->ptr_bytes == 0 || tri__try_read(&first, type->gc_data, sizeof first);
}

bool tri__type_is_readable(const tri_type *type)
{
    tri_type copy, tail;

    if (!tri__try_read(&copy, type, sizeof copy) || !mask_is_readable(&copy))
        return false;
    if (copy.tail == NULL)
        return true;
    return tri__try_read(&tail, copy.tail, sizeof tail) && mask_is_readable(&tail);
}

/* Which of the iterator's states it is, by the fields that tell them apart. */
static const char *state_name(const struct tri__type_pointers *it)
{
    if (it->type == NULL)
        return it->mask == 0 ? "at its end" : "in its last window";
    return it->window != 0 ? "over elements of up to 64 words" : "over larger elements";
}

static void put_state(struct tri__print *out, const struct tri__type_pointers *it)
{
    tri__put(out, "  iterator %s\n    type     ", state_name(it));
    tri__put_type(out, it->type);
    tri__put(out, "\n    element  %#zx\n    address  %#zx\n    limit    %#zx\n    mask     ",
             (size_t)it->element, (size_t)it->address, (size_t)it->limit);
    tri__put_bits(out, it->mask, 64);
    if (it->window != 0) {
        tri__put(out, "\n    pattern  ");
        tri__put_bits(out, it->pattern, 64);
        tri__put(out, " in windows of %zu bytes", it->window);
    }
    tri__put(out, "\n");
}

static void put_left(struct tri__print *out, struct tri__type_pointers it)
{
    uintptr_t slot = tri__type_pointers_next(&it);
    unsigned shown = 0;

    tri__put(out, "    left    ");
    for (; slot != 0 && shown < SLOTS_SHOWN; shown++) {
        if (shown != 0 && shown % SLOTS_A_LINE == 0)
            tri__put(out, "\n            ");
        tri__put(out, " %#zx", (size_t)slot);
        slot = tri__type_pointers_next(&it);
    }
    tri__put(out, "%s\n", shown == 0 ? " nothing" : slot != 0 ? " and more" : "");
}

void tri__put_type_pointers(struct tri__print *out, const struct tri__type_pointers *it)
{
    put_state(out, it);
    put_left(out, *it);
}

void tri__dump_type_pointers(const struct tri__type_pointers *it, int fd)
{
    struct tri__print out = tri__print_to(fd);

    tri__put_type_pointers(&out, it);
    tri__print_end(&out);
}
