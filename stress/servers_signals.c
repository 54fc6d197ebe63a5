/* SPDX-License-Identifier: MIT */
/* stress/servers_signals.c: a signal of the program's, which comes all the time, to any thread that
 * has said it may; its handler runs on an alternate stack where the thread has one.
 *
 * Locks: lock: the list of threads. Threads: the pest sends; it has nothing to do with the heap. */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "stress/guard.h"
#include "stress/servers.h"

#define PESTERED_MOST STRESS_THREADS_MOST
#define ALTERNATE_BYTES ((size_t)128 << 10)

static struct {
    pthread_t thread;
    bool is;
} pestered[PESTERED_MOST]; /* [lock] */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t pest;
static uint32_t pest_ends; /* atomic */
static uint32_t handled;   /* atomic */

/* Takes some stack, and leaves errno as it was. */
static void handle(int number)
{
    int error = errno;
    volatile char room[3000];

    memset((char *)room, number, sizeof room);
    __asm__ volatile("" ::"r"(room) : "memory");
    __atomic_fetch_add(&handled, 1, __ATOMIC_RELAXED);
    errno = error;
}

/* ---- who gets it ---- */

static void lock_list(void)
{
    TRI_BLOCKING
        pthread_mutex_lock(&lock);
}

void signals_enter(void)
{
    size_t i = 0;

    lock_list();
    while (pestered[i].is)
        i++;
    pestered[i].is = true;
    pestered[i].thread = pthread_self();
    pthread_mutex_unlock(&lock);
}

void signals_leave(void)
{
    size_t i = 0;

    lock_list();
    while (!pestered[i].is || !pthread_equal(pestered[i].thread, pthread_self()))
        i++;
    pestered[i].is = false;
    pthread_mutex_unlock(&lock);
}

static void pester(struct worker *worker)
{
    size_t i = below(worker, stress_threads);

    pthread_mutex_lock(&lock);
    if (pestered[i].is)
        pthread_kill(pestered[i].thread, SIGUSR1);
    pthread_mutex_unlock(&lock);
}

static void *pester_on(void *unused)
{
    struct worker worker;

    worker_init(&worker);
    guard_watch(&worker);
    while (__atomic_load_n(&pest_ends, __ATOMIC_RELAXED) == 0) {
        struct timespec time = {.tv_nsec = (long)below(&worker, 2000000)};

        worker_begins(&worker, "pester");
        nanosleep(&time, NULL);
        pester(&worker);
    }
    guard_forget(&worker);
    return unused;
}

void signals_init(struct worker *worker)
{
    struct sigaction action = {.sa_handler = handle, .sa_flags = SA_RESTART | SA_ONSTACK};

    (void)worker;
    if (sigaction(SIGUSR1, &action, NULL) != 0)
        give_up("no handler");
    stress_start(&pest, pester_on, NULL);
}

void signals_end(void)
{
    __atomic_store_n(&pest_ends, 1, __ATOMIC_RELAXED);
    stress_join(pest);
    signal(SIGUSR1, SIG_DFL);
}

/* ---- alternate stacks ---- */

/* What was there before is a sanitizer's, or none. */
void act_alternate(struct worker *worker, void (*inside)(struct worker *))
{
    stack_t stack = {.ss_size = ALTERNATE_BYTES}, before;
    slot mine = tree_new(worker);

    stack.ss_sp =
        mmap(NULL, stack.ss_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || sigaltstack(&stack, &before) != 0)
        give_up("no alternate stack");
    inside(worker);
    if (sigaltstack(&before, NULL) != 0)
        give_up("the alternate stack stays");
    munmap(stack.ss_sp, stack.ss_size);
    tree_check(worker, mine, "what a thread with an alternate stack holds");
}
