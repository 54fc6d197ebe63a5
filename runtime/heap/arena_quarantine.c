/* SPDX-License-Identifier: MIT */
/* The quarantine of freed chunks.
 *
 * Owns: the chunks waiting to be found unreachable. Locks: none; threads hand chunks over through a
 * lock-free stack, everything else is the coordinator's. */
#include "heap/arena_quarantine.h"

#include "heap/arena_chunk.h"

static struct tri__stack freed;          /* since the last cycle began */
static struct tri__arena_chunk *watched; /* coordinator: white since then, or found */

void tri__quarantine_add(struct tri__arena_chunk *chunk)
{
    tri__stack_push(&freed, &chunk->span.link);
}

/* No mark is running, so no marker writes the colours [inv.colour.writer]. */
void tri__quarantine_begin(void)
{
    struct tri__stack_entry *link;

    while ((link = tri__stack_pop(&freed)) != NULL) {
        struct tri__arena_chunk *chunk = tri__arena_chunk_of(tri__span_of_link(link));

        chunk->next = watched;
        watched = chunk;
    }
    for (struct tri__arena_chunk *chunk = watched; chunk != NULL; chunk = chunk->next)
        tri__store_relaxed(&chunk->span.own_colours[0], (uint8_t)TRI__WHITE);
}

void tri__quarantine_end(void)
{
    struct tri__arena_chunk **place = &watched;

    while (*place != NULL) {
        struct tri__arena_chunk *chunk = *place, *next = chunk->next;

        if (tri__load_relaxed(&chunk->span.own_colours[0]) == TRI__WHITE &&
            tri__arena_chunk_release(chunk))
            *place = next;
        else
            place = &chunk->next;
    }
}

void tri__quarantine_forget(void)
{
    tri__stack_init(&freed);
    watched = NULL;
}
