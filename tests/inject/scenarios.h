/* SPDX-License-Identifier: MIT */
/* tests/inject/scenarios.h: what the files of scenarios have in common. */
#ifndef TRI__TESTS_INJECT_SCENARIOS_H
#define TRI__TESTS_INJECT_SCENARIOS_H

#include <errno.h>

#include <tricolor.h>

#include "inject.h"

#define MEGABYTE ((size_t)1 << 20)

typedef struct node {
    struct node *next, *other;
    uintptr_t key;
} node;
TRI_EXTERN_TYPE(node);

typedef struct wide {
    void *first;
    long middle[90];
    void *last;
} wide;
TRI_EXTERN_TYPE(wide);

typedef struct list {
    struct list *next;
    void *items[];
} list;
TRI_EXTERN_TYPE(list);

extern node *kept; /* a root */

tri_config config_of_test(void);

/* Puts nodes with keys from 1 to count before `kept`. false: no memory. */
bool keep_nodes(uintptr_t count);

/* Of a call that returns NULL: the error there must be. */
static inline int out_of_memory(void)
{
    INJECT_MUST(errno == ENOMEM);
    return -ENOMEM;
}

/* Of a call that returns its error. */
static inline int no_memory(int error)
{
    INJECT_MUST(error == 0 || error == -ENOMEM);
    return error;
}

/* Acts of scenarios_memory.c, and what begins and ends some of them. */
int allocate_small(void);
int allocate_large(void);
int run_out(void);
void start_limited(void);
int build_and_retire(void);
void end_types(void);
int use_arenas(void);
int hold_and_look(void);

void stop(void);

#endif
