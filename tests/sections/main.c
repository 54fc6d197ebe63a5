/* SPDX-License-Identifier: MIT */
/* Are the windows of a program and of its shared object in their tables, and is a thread that
 * stores for ever asked by a signal? With an argument: only until the collector has said why not.
 *
 * Threads: main() collects; another stores, and reaches no safepoint. */
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <tricolor.h>

int check_program(void);
int check_shared(void);

typedef struct box {
    struct box *next;
} box;
TRI_TYPE(box, next);

TRI_ROOT static box *root;

static bool started, stop; /* atomic */

static void *store_for_ever(void *unused)
{
    box *value = tri_new(box);

    __atomic_store_n(&started, true, __ATOMIC_RELAXED);
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        tri_store(&root, value);
    return unused;
}

static void *stop_soon(void *unused)
{
    usleep(1500 * 1000);
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    return unused;
}

static pthread_t start(void *(*function)(void *unused))
{
    pthread_t thread;

    if (pthread_create(&thread, NULL, function, NULL) != 0)
        abort();
    return thread;
}

int main(int count, char **arguments)
{
    int missing;
    pthread_t storing, stopping;

    (void)arguments;
    if (tri_init(NULL) != 0)
        return 2;
    alarm(300);
    missing = check_program() + check_shared();
    storing = start(store_for_ever);
    while (!__atomic_load_n(&started, __ATOMIC_RELAXED))
        usleep(1000);
    if (count > 1)
        stopping = start(stop_soon);
    tri_collect();
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    TRI_BLOCKING
        pthread_join(storing, NULL);
    if (count > 1)
        TRI_BLOCKING
            pthread_join(stopping, NULL);
    tri_shutdown();
    return missing != 0;
}
