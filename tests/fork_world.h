/* SPDX-License-Identifier: MIT */
/* tests/fork_world.h: what a process has when it forks, and how children find out that they can go
 * on with it.
 *
 * The world: a table of lists, each of which says in each node which slot it belongs to. Threads go
 * on replacing them, by one store each, so every slot holds a whole list at any moment. */
#ifndef TRI__TESTS_FORK_WORLD_H
#define TRI__TESTS_FORK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include <tricolor.h>

#include "forked.h"
#include "random.h"
#include "sanitized.h"

/* Of a parent with threads. ThreadSanitizer refuses to start threads in such children, so no cycle runs
 * there. AddressSanitizer's malloc keeps in them the locks that others had: what needs memory from
 * it, thread or exit(), may wait for ever. */
enum { CHILDREN_HAVE_THREADS = !IS_SANITIZED, CHILDREN_HAVE_MALLOC = !HAS_ASAN };

#define SLOTS 400
#define LENGTH 12

typedef struct node {
    struct node *next;
    uintptr_t key;
    uintptr_t place;
} node;
TRI_EXTERN_TYPE(node);

typedef struct table {
    node *lists[SLOTS];
} table;
TRI_EXTERN_TYPE(table);

extern table *world;  /* a root */
extern uint64_t seed; /* of the program */
extern uint32_t stop; /* atomic: for threads */

node *list_of(uintptr_t key);
bool is_list_of(const node *list, uintptr_t key);
bool is_whole(void);

void make_world(void);
void make_garbage(struct random *random);

/* A world, and threads that change it, sleep and collect. */
void start_world(void);

/* The parent is as before: cycles end, and nothing is lost. Ends the library. */
void end_world(void);

/* For children: changes the world, and looks for what is lost. */
void live_on(struct random *random);

/* The same, as far as can be here, in some way or other: before or after a fork of its own, beside threads. `argument` is
 * its struct random. */
void live_and_fork(void *argument);

uint64_t threads_here(void);

#endif
