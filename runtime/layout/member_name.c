/* SPDX-License-Identifier: MIT */
/* The names that the macros of tricolor/type.h leave beside a descriptor. */
#include "layout/member_name.h"

#include <stdio.h>

static const struct tri__type_names *names_of(const tri_type *type)
{
    return (const struct tri__type_names *)(const void *)type->name - 1;
}

static const struct tri__member *find_member(const tri_type *type, size_t offset)
{
    const struct tri__member *at;

    if ((type->extras & TRI__HAS_NAMES) == 0)
        return NULL;
    at = names_of(type)->members;
    while (at->name != NULL && (offset < at->start || offset >= at->end))
        at++;
    return at->name != NULL ? at : NULL;
}

/* Within one element, or the fixed part. */
static bool name_of_part(const tri_type *type, size_t offset, char *text, size_t room)
{
    const struct tri__member *member = find_member(type, offset);

    if (member == NULL)
        return false;
    if (member->end - member->start > TRI_WORD)
        snprintf(text, room, "%s[%zu]", member->name, (offset - member->start) / TRI_WORD);
    else
        snprintf(text, room, "%s", member->name);
    return true;
}

/* `first` and the index, then what the element itself is told to have there, if anything. */
static bool name_of_element(const tri_type *type, const char *first, size_t offset, char *text,
                            size_t room)
{
    char inner[64];
    bool named = name_of_part(type, offset % type->size, inner, sizeof inner);

    snprintf(text, room, "%s[%zu]%s%s", first, offset / type->size, named ? "." : "",
             named ? inner : "");
    return named;
}

bool tri__member_name(const tri_type *type, size_t offset, char *text, size_t room)
{
    if (offset < type->size)
        return name_of_part(type, offset, text, room);
    if (type->tail == NULL)
        return type->size != 0 && name_of_element(type, "", offset, text, room);
    if ((type->extras & TRI__HAS_NAMES) == 0 || type->tail->size == 0)
        return false;
    name_of_element(type->tail, names_of(type)->tail, offset - type->size, text, room);
    return true;
}
