/* SPDX-License-Identifier: MIT */
/* A program that returns from main() while another of its threads goes on using what its roots hold;
 * the library beside it collects meanwhile. tri_init() was called before main(). */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <tricolor.h>

#include "early.h"

#define NODES 1000
#define KEY 4711

typedef struct node {
    struct node *next;
    long key;
} node;
TRI_TYPE(node, next);

TRI_ROOT static node *nodes;

static __attribute__((noinline)) void fill(void)
{
    for (int i = 0; i < NODES; i++) {
        node *fresh = tri_new(node);

        fresh->key = KEY;
        tri_init_store(&fresh->next, nodes);
        tri_store(&nodes, fresh);
    }
}

static __attribute__((noinline)) int count(void)
{
    int found = 0;

    for (node *at = nodes; at != NULL && at->key == KEY; at = at->next)
        found++;
    return found;
}

static void *look_at_the_end(void *unused)
{
    TRI_BLOCKING
        while (__atomic_load_n(&early_stage, __ATOMIC_ACQUIRE) != EARLY_COLLECTED)
            usleep(1000);
    if (count() != NODES) {
        fprintf(stderr, "%d of %d nodes are left\n", count(), NODES);
        _exit(1);
    }
    __atomic_store_n(&early_stage, EARLY_LOOKED_AT, __ATOMIC_RELEASE);
    return unused;
}

int main(void)
{
    pthread_t thread;

    fill();
    return pthread_create(&thread, NULL, look_at_the_end, NULL) != 0 || pthread_detach(thread) != 0;
}
