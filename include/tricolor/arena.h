/* SPDX-License-Identifier: MIT */
/* tricolor/arena.h: arenas, for objects that all die at a known moment: those of one request, one
 * compilation, one frame.
 *
 *     tri_arena *arena = tri_arena_new();
 *     request *r = tri_arena_alloc(arena, &tri_type_request);     // zeroed, typed
 *     tri_init_store(&r->user, user);                             // may point into the heap
 *     tri_store(&table->current, r);                              // and be pointed at from there
 *     …
 *     answer *kept = tri_arena_keep(r->answer);                   // a copy in the heap
 *     tri_store(&table->current, NULL);
 *     tri_arena_free(arena);                                      // all of it, at once
 *
 * What an arena is to the collector
 *   - An arena that has not been freed is a root: all that its values point to stays alive,
 *     whether anybody points to the values or not. Types say which words are pointers, as in the
 *     heap.
 *   - A pointer into an arena keeps nothing alive. It may stand wherever a pointer to an object
 *     may: on stacks, in objects of the heap, in roots, in values of any arena.
 *   - Stores into arena memory go through barrier.h like stores into objects: tri_store,
 *     tri_memmove and the others; tri_init_store for a value that no other thread has seen yet.
 *
 * After tri_arena_free
 *   - The memory is given back to the system at once. Any later access to it, through whatever
 *     pointer is left, faults: the process ends with a message that names the arena. (A system call
 *     that is handed such a pointer fails with EFAULT instead.) For that a handler of SIGSEGV and
 *     SIGBUS is installed by the first tri_arena_new; faults at other addresses go to the handler
 *     that was there before.
 *   - The addresses are used again only when a cycle that began later has found no word that points
 *     there, on stacks, in the heap, in roots or in arenas. So a pointer that was forgotten there
 *     never comes to point to something else; it costs addresses, not memory.
 *
 * Values larger than TRI_ARENA_VALUE_MAX are ordinary objects of the heap that the arena keeps
 * alive until it is freed. After that they live as long as something points to them, and do not
 * fault.
 *
 * Threads: an arena is used (tri_arena_alloc and so on, tri_arena_free) by one thread at a time,
 * different arenas by different threads at once. The values may be read and stored to by any thread
 * until the arena is freed. All functions attach the calling thread if need be, and may be
 * safepoints.
 * Not inside TRI_BLOCKING. */
#ifndef TRICOLOR_ARENA_H
#define TRICOLOR_ARENA_H

#include <tricolor/type.h>

TRI_BEGIN_DECLS

/* Arenas are numbered from 1 in the order in which they are made; messages name them so. */
typedef struct tri_arena tri_arena;

/* Bytes of the largest value that lies in the arena's own memory. */
#define TRI_ARENA_VALUE_MAX ((size_t)1 << 20)

/* A new arena, which holds nothing: memory is taken as it is filled, 64 KiB at first. NULL with
 * errno == ENOMEM when there is no memory. */
TRI_API tri_arena *tri_arena_new(void);

/* One value of `type`; of a flexible type its fixed part. Zeroed, aligned to 16 bytes (to 8 if it
 * has no more than 8). NULL with errno == ENOMEM when there is no memory, after all that tri_alloc
 * would try. */
TRI_API void *tri_arena_alloc(tri_arena *arena, const tri_type *type);

/* n elements of `type`, contiguous. n == 0 gives a valid address of its own. A product too large
 * for the address space is out of memory. Fatal for a flexible type. */
TRI_API void *tri_arena_alloc_array(tri_arena *arena, const tri_type *type, size_t n);

/* The fixed part of a flexible type and n elements of its tail. */
TRI_API void *tri_arena_alloc_flex(tri_arena *arena, const tri_type *type, size_t n);

/* Frees the arena and all its values. NULL is left alone. Freeing an arena twice is fatal, as is
 * any other use of a freed one. */
TRI_API void tri_arena_free(tri_arena *arena);

/* A copy in the heap of the value that p points to or into, an array with all its elements; the
 * result points to the same place in the copy. Shallow: what the value points to is not copied, so
 * pointers from it into the arena have to be kept one by one. The copy is a new object of the
 * value's type, which must not have been retired (type_build.h). A pointer to an object of the
 * heap, or NULL, is returned as it is. NULL with errno == ENOMEM when there is no memory. Any other
 * pointer is fatal, so is one into an arena that was freed. Any thread, as long as the arena is not
 * freed meanwhile. */
TRI_API void *tri_arena_keep(const void *p);

TRI_END_DECLS
#endif
