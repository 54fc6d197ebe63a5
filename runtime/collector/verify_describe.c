/* SPDX-License-Identifier: MIT */
/* Describing words. Locks: a chunk's scan_lock, while the value of an arena is looked up. */
#include "collector/verify_describe.h"

#include <stdio.h>

#include "heap/arena_chunk.h"
#include "heap/type_notes.h"
#include "layout/member_name.h"
#include "mutator/code_map.h"
#include "mutator/roots.h"

#define SLOT (2 * TRI__DESCRIPTION)
#define MEMBER 80u
#define MODULE 256u

/* What a word lies in. */
struct owner {
    const tri_type *type; /* NULL: not known, or bytes */
    uintptr_t base;
    size_t bytes;
};

static void describe_owner(char *text, const struct owner *owner)
{
    const tri_type *type = owner->type;

    snprintf(text, TRI__DESCRIPTION, "%s%s%s at %#zx (%zu bytes)", type == NULL ? "" : "\"",
             type == NULL ? "an object without pointers" : tri__type_label(type),
             type == NULL ? "" : "\"", (size_t)owner->base, owner->bytes);
}

static struct owner owner_of(const struct tri__ref *ref)
{
    return (struct owner){tri__noted_type(ref), ref->base, tri__ref_limit(ref) - ref->base};
}

void tri__describe_object(char *text, const struct tri__ref *ref)
{
    struct owner owner = owner_of(ref);

    describe_owner(text, &owner);
}

/* With a space behind it; or nothing, if its name is not known. */
static void describe_member(char *text, const struct owner *owner, uintptr_t slot)
{
    char name[MEMBER - 4];

    if (owner->type != NULL && tri__member_name(owner->type, slot - owner->base, name, sizeof name))
        snprintf(text, MEMBER, "\"%s\" ", name);
    else
        *text = '\0';
}

static void describe_pointer(char *text, const char *what, const struct owner *owner,
                             uintptr_t slot, const char *of)
{
    char whole[TRI__DESCRIPTION], member[MEMBER];

    describe_owner(whole, owner);
    describe_member(member, owner, slot);
    snprintf(text, SLOT, "%s%sat offset %zu of %s%s", what, member, (size_t)(slot - owner->base),
             whole, of);
}

/* The arena may be freed at this moment. */
static void describe_in_arena(char *text, const char *what, uintptr_t slot)
{
    struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_at(slot));
    struct tri__arena_value value;
    char of[40];

    if (!tri__arena_find_locking(chunk, slot, &value)) {
        snprintf(text, SLOT, "the word of an arena at %#zx", (size_t)slot);
        return;
    }
    snprintf(of, sizeof of, ", in arena %llu", (unsigned long long)chunk->arena);
    describe_pointer(text, what, &(struct owner){value.type, value.base, value.bytes}, slot, of);
}

struct sought {
    uintptr_t slot;
    bool found;
};

static void compare(uintptr_t slot, void *argument)
{
    struct sought *sought = argument;

    sought->found |= slot == sought->slot;
}

static bool is_handle(uintptr_t slot)
{
    struct sought sought = {.slot = slot};

    tri__handles_each_slot(compare, &sought);
    return sought.found;
}

/* A root that cannot be found any more has been removed at this moment. */
static void describe_outside(char *text, const char *what, uintptr_t slot)
{
    static struct tri__code_map map;
    struct tri__root_range root;
    char module[MODULE];

    if (!tri__root_find(slot, slot + 1, &root)) {
        snprintf(text, SLOT, "the %s at %#zx", is_handle(slot) ? "handle" : "root", (size_t)slot);
    } else if (root.module) {
        tri__code_map_read(&map, slot);
        tri__code_map_name(&map, slot, module, sizeof module);
        snprintf(text, SLOT, "the TRI_ROOT word at %s, %#zx", module, (size_t)slot);
    } else {
        describe_pointer(text, what, &(struct owner){root.type, root.base, root.limit - root.base},
                         slot, ", a root");
    }
}

static void describe(char *text, const char *what, uintptr_t slot)
{
    struct tri__ref ref;
    struct owner owner;

    if (!tri__locate(slot, &ref)) {
        describe_outside(text, what, slot);
    } else if (ref.span_class == TRI__ARENA_SPAN) {
        describe_in_arena(text, what, slot);
    } else {
        owner = owner_of(&ref);
        describe_pointer(text, what, &owner, slot, "");
    }
}

void tri__describe_slot(char *text, uintptr_t slot)
{
    describe(text, "the pointer ", slot);
}

void tri__describe_step(char *text, uintptr_t slot)
{
    describe(text, "", slot);
}
