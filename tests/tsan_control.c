/* SPDX-License-Identifier: MIT */
/* tests/tsan_control.c: hand-overs that TSan knows of only from the shims' annotations, once as the
 * shims make them and once with one annotation left out. test_tsan_control.sh demands silence for
 * the first and a report for the second: else the annotations, or the suppression, hide races.
 * A race of the plainest kind is in known_faults.c. */
#include "base/atomic.h"
#include "base/ck_shim.h"
#include "base/os.h"
#include "base/rcu_shim.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { ROUNDS = 300, READ_PAUSE = 20000 };

/* liburcu's own, without the annotation of tri__rcu_unlock. */
void urcu_bp_read_unlock(void);

static bool annotated;

static int join(pthread_t thread) { return pthread_join(thread, NULL) == 0 ? 0 : 2; }

/* ---- a node goes from one thread to another over a stack ---- */

struct node {
    struct tri__stack_entry entry; /* first, so that the casts hold */
    int payload;                   /* plain: written by one, then by the other */
};

static struct tri__stack stack;
static struct node nodes[ROUNDS];

static void *produce(void *unused)
{
    for (int i = 0; i < ROUNDS; i++) {
        nodes[i].payload = i;
        if (annotated)
            tri__stack_push(&stack, &nodes[i].entry);
        else
            tri__ck_stack_push(&stack, &nodes[i].entry);
    }
    return unused;
}

static int hand_over_nodes(void)
{
    pthread_t producer;
    if (tri__os_thread_start(&producer, produce, NULL, "producer") != 0)
        return 2;
    for (int got = 0; got < ROUNDS;) {
        struct node *node = (struct node *)(void *)tri__stack_pop(&stack);
        if (node == NULL) {
            tri__os_yield();
            continue;
        }
        node->payload = -1;
        got++;
    }
    return join(producer);
}

/* ---- a version is read, replaced, and reused after a grace period ---- */

struct version {
    int payload; /* plain: read by readers, then written by the writer */
};

static struct version versions[2];
static struct version *current = &versions[0];
static uint32_t reads, stop;

static void *read_versions(void *unused)
{
    while (tri__load_relaxed(&stop) == 0) {
        tri__rcu_lock();
        volatile int *payload = &tri__load_acquire(&current)->payload; /* see replace_versions */
        (void)*payload;
        tri__fetch_add_relaxed(&reads, 1);
        if (annotated)
            tri__rcu_unlock();
        else
            urcu_bp_read_unlock();
        tri__os_sleep(READ_PAUSE); /* else TSan's short memory loses the read it should report */
    }
    return unused;
}

/* Relaxed: shows that a read took place, without an order TSan could take for the one tested. */
static void wait_for_reads(void)
{
    uint32_t before = tri__load_relaxed(&reads);
    while (tri__load_relaxed(&reads) - before < 2)
        tri__os_yield();
}

static int replace_versions(void)
{
    pthread_t reader;
    if (tri__os_thread_start(&reader, read_versions, NULL, "reader") != 0)
        return 2;
    for (int i = 1; i < ROUNDS; i++) {
        struct version *old = current; /* this thread is the only writer */
        struct version *next = &versions[i % 2];
        wait_for_reads();
        next->payload = i;
        tri__store_release(&current, next); /* pairs with read_versions */
        tri__rcu_synchronize();
        old->payload = -1;
    }
    tri__store_relaxed(&stop, 1);
    return join(reader);
}

int main(int argc, char **argv)
{
    annotated = argc == 3 && strcmp(argv[2], "annotated") == 0;
    bool known = annotated || (argc == 3 && strcmp(argv[2], "unannotated") == 0);
    if (known && strcmp(argv[1], "stack") == 0)
        return hand_over_nodes();
    if (known && strcmp(argv[1], "rcu") == 0)
        return replace_versions();
    fprintf(stderr, "usage: %s stack|rcu annotated|unannotated\n", argv[0]);
    return 2;
}
