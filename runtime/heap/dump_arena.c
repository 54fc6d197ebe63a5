/* SPDX-License-Identifier: MIT */
/* Writing arenas out: a value's place, a chunk, and what became of a word that points into one. */
#include "heap/arena_chunk.h"
#include "heap/dump.h"

static struct tri__arena_chunk *chunk_at(uintptr_t address)
{
    return tri__arena_chunk_of(tri__span_at(address));
}

static const char *state_name(const struct tri__arena_chunk *chunk)
{
    switch ((enum tri__arena_state)tri__load_acquire(&chunk->state)) {
    case TRI__ARENA_UNUSED:
        return "not in use";
    case TRI__ARENA_LIVE:
        return "live";
    case TRI__ARENA_FREED:
        return "freed";
    }
    return "in no known state";
}

void tri__put_arena_word(struct tri__print *out, uintptr_t word)
{
    const struct tri__arena_chunk *chunk = chunk_at(word);

    tri__put(out, "in no value of arena %llu (%s), byte %llu of its memory",
             (unsigned long long)chunk->arena, state_name(chunk),
             chunk->first + (unsigned long long)(word - chunk->span.base));
}

void tri__put_arena_heading(struct tri__print *out, const struct tri__ref *ref)
{
    const struct tri__arena_chunk *chunk = chunk_at(ref->base);

    tri__put(out, "arena object %#zx: %zu bytes of arena %llu (%s), in the chunk at %#zx\n",
             (size_t)ref->base, (size_t)(tri__ref_limit(ref) - ref->base),
             (unsigned long long)chunk->arena, state_name(chunk), (size_t)chunk->span.base);
}

void tri__put_arena_chunk(struct tri__print *out, const struct tri__span *span)
{
    const struct tri__arena_chunk *chunk = chunk_at(span->base);

    tri__put(out, "  arena    %llu (%s): %zu of %zu bytes used, %u entries in its log\n",
             (unsigned long long)chunk->arena, state_name(chunk), tri__arena_used(chunk),
             chunk->bytes, tri__load_relaxed(&chunk->runs));
    tri__put(out, "  bitmap   at %p\n", (const void *)chunk->bits);
}
