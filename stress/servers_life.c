/* SPDX-License-Identifier: MIT */
/* stress/servers_life.c: threads that live shortly and end in every way there is, children of
 * fork() that look at everything, collect, and have threads and children of their own, and programs
 * that are started. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "stress/servers.h"
#include "tests/forked.h"

#define STORM_MOST 12u
#define STORM_IN_CHILD 4u

bool in_child;

static pthread_key_t key;
static uint64_t storms, cancelled, children, spawned; /* atomic */

static void count(uint64_t *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELAXED);
}

/* ---- short lives ---- */

/* At the end of a thread, of whose heap memory nothing but this is left. */
static void use_in_destructor(void *tree)
{
    struct worker worker;
    slot mine;

    worker_init(&worker);
    worker.act = "destroy";
    mine = tree_new(&worker);
    for (int i = 0; i < 5; i++)
        table_change(&worker);
    tree_check(&worker, mine, "what a destructor holds");
    free(tree);
}

static void end_in_block(void)
{
    TRI_BLOCKING
        TRI_BLOCKING
            pthread_exit(NULL);
}

/* Cancellation points are here, and inside sleeps. */
static void live_on(struct worker *worker)
{
    slot mine = tree_new(worker);

    for (uint64_t left = below(worker, 60); left > 0; left--) {
        table_change(worker);
        pthread_testcancel();
        if (chance(worker, 10))
            sleep_somehow(worker);
        if (chance(worker, 2))
            spin_shortly(worker);
        if (chance(worker, 10))
            make_garbage(worker);
    }
    tree_check(worker, mine, "what a short thread holds");
}

static void *live(void *unused)
{
    struct worker worker;

    worker_init(&worker);
    worker.act = "live shortly";
    if (chance(&worker, 50))
        pthread_setspecific(key, malloc(1));
    live_on(&worker);
    worker_end(&worker);
    switch (below(&worker, 5)) {
    case 0:
        tri_thread_detach();
        break;
    case 1:
        end_in_block();
        break;
    case 2:
        pthread_exit(NULL);
    default:
        break;
    }
    return unused;
}

/* Nobody has its argument but the new thread. */
static void *live_with_argument(void *argument)
{
    struct worker worker;
    const slot *given = argument;
    slot mine = {given->p, given->want};

    worker_init(&worker);
    worker.act = "live with an argument";
    live_on(&worker);
    tree_check(&worker, mine, "the argument of a thread");
    worker_end(&worker);
    return NULL;
}

/* ---- storms ---- */

static __attribute__((noinline)) void start_with_argument(struct worker *worker, pthread_t *thread)
{
    slot value = tree_new(worker), *argument = tri_new(slot);

    if (argument == NULL)
        give_up("out of memory");
    tri_init_store(&argument->p, value.p);
    argument->want = value.want;
    if (tri_thread_create(thread, NULL, live_with_argument, argument) != 0)
        give_up("no thread");
}

static void start_detached(void)
{
    pthread_t thread;

    stress_start(&thread, live, NULL);
    pthread_detach(thread);
}

static void cancel_some(struct worker *worker, const pthread_t *threads, size_t n)
{
    if (!THREADS_ARE_CANCELLED || chance(worker, 50))
        return;
    if (chance(worker, 50))
        sleep_somehow(worker);
    for (size_t i = 0; i < n; i++)
        if (chance(worker, 50)) {
            pthread_cancel(threads[i]);
            count(&cancelled);
        }
}

void act_storm(struct worker *worker)
{
    pthread_t threads[STORM_MOST];
    size_t n = 1 + below(worker, in_child ? STORM_IN_CHILD : STORM_MOST);

    for (size_t i = 0; i < n; i++)
        if (chance(worker, 30))
            start_with_argument(worker, &threads[i]);
        else
            stress_start(&threads[i], live, NULL);
    if (!in_child && chance(worker, 20))
        start_detached();
    cancel_some(worker, threads, n);
    for (size_t i = 0; i < n; i++)
        stress_join(threads[i]);
    count(&storms);
}

/* ---- forks ---- */

static void change_and_collect(struct worker *worker)
{
    for (int i = 0; i < 30; i++) {
        table_change(worker);
        make_garbage(worker);
    }
    if (chance(worker, 20))
        act_fork(worker);
    if (chance(worker, 30))
        act_storm(worker);
    if (chance(worker, 30))
        act_coroutines(worker);
    if (chance(worker, 30))
        act_arena(worker);
    tri_collect();
    make_garbage(worker);
    if (chance(worker, 30))
        tri_collect();
}

static void live_as_child(void *argument)
{
    struct worker *worker = argument;
    slot mine;

    in_child = true;
    worker->act = "live as a child";
    if (!CHILDREN_LIVE)
        return;
    mine = tree_new(worker);
    table_adopt(worker);
    if (chance(worker, 50))
        table_check(worker);
    if (chance(worker, 80))
        change_and_collect(worker);
    table_check(worker);
    tree_check(worker, mine, "what a child holds");
}

static void exec_at_once(void *unused)
{
    (void)unused;
    execl("/bin/true", "true", (char *)NULL);
    _exit(98);
}

void act_fork(struct worker *worker)
{
    slot mine = tree_new(worker);
    void (*child)(void *) = chance(worker, 20) ? exec_at_once : live_as_child;
    int status = run_child(child, worker);

    if (status != 0) {
        fprintf(stderr, "%s: a child has ended with %d\n", stress_name, status);
        servers_fail(worker, "a child has failed");
    }
    tree_check(worker, mine, "what a forking thread holds");
    count(&children);
}

void act_spawn(struct worker *worker)
{
    slot mine = tree_new(worker);
    char name[] = "true", *arguments[] = {name, NULL};
    int status = 0, error = 0;
    pid_t child;

    TRI_BLOCKING {
        error = posix_spawn(&child, "/bin/true", NULL, NULL, arguments, environ);
        while (error == 0 && waitpid(child, &status, 0) < 0)
            if (errno != EINTR)
                error = errno;
    }
    if (error != 0 || status != 0)
        servers_fail(worker, "a program has failed");
    tree_check(worker, mine, "what a spawning thread holds");
    count(&spawned);
}

/* ---------------------------------------------------------------------------------------------- */

void life_init(void)
{
    if (pthread_key_create(&key, use_in_destructor) != 0)
        give_up("no key");
}

void life_end(struct worker *worker)
{
    holdings_await_threads(worker); /* detached ones */
    pthread_key_delete(key);
    printf("%" PRIu64 " storms, %" PRIu64 " cancelled threads, %" PRIu64 " children, %" PRIu64
           " programs\n",
           storms, cancelled, children, spawned);
}
