/* SPDX-License-Identifier: MIT */
/* The quarantine: chunks of freed arenas, until no word points into them [inv.arena.quarantine].
 *
 * To the collector a freed chunk is a leaf object of one slot. It is black until the first cycle
 * begins that begins after it was freed; then it is white, and a word that leads to it makes it
 * black like any object. If it is still white when the mark is over, nothing points into it. */
#ifndef TRI__HEAP_ARENA_QUARANTINE_H
#define TRI__HEAP_ARENA_QUARANTINE_H

struct tri__arena_chunk;

/* Hands over a chunk that is protected. Any thread, any time. */
void tri__quarantine_add(struct tri__arena_chunk *chunk);

/* Before H1, and after the verdict: between them the colours are the markers'. Coordinator. */
void tri__quarantine_begin(void);
void tri__quarantine_end(void);

/* At shutdown. */
void tri__quarantine_forget(void);

#endif
