/* SPDX-License-Identifier: MIT */
/* Stores that the collector was told of, the latest ones: for messages of TRICOLOR_VERIFY=barrier.
 *
 * Of each object the last store into it is remembered, of other memory the last one to each word,
 * until another object or word needs the entry; and an address may have been another object's.
 * Threads: any notes; anybody looks. An entry is left as it is by who finds it locked, so nobody
 * waits, not even in a child of fork() where its holder has died. */
#ifndef TRI__HEAP_TOLD_H
#define TRI__HEAP_TOLD_H

#include "heap/heap.h"

struct tri__told {
    uintptr_t slot;
    size_t bytes;    /* a word, or a range's */
    uintptr_t value; /* if it was a word */
    uint32_t thread; /* as tools show it */
    uint32_t mark;   /* of tri__told_mark() */
    uint8_t barrier; /* the thread's: enum tri__barrier_state */
};

/* The calling thread, which is attached, is about to store there. */
void tri__told_note(uintptr_t slot, size_t bytes, uintptr_t value);

/* The last one to the object that the slot lies in, or to the word. false: none is remembered. */
bool tri__told_last(uintptr_t slot, struct tri__told *told);

/* Which mark is running. Counted by the coordinator. */
void tri__told_mark_begins(void);
uint32_t tri__told_mark(void);

/* Forgets all. No other thread. */
void tri__told_reset(void);

#endif
