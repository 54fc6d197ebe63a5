/* SPDX-License-Identifier: MIT */
/* stress/guard.c: watching threads. */
#include "stress/guard.h"

#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress/driver.h"

#define WATCHED_MOST (STRESS_THREADS_MOST + 16u)

struct watched {
    struct worker *worker; /* NULL: none */
    long tid;
    uint64_t begun, since; /* as the guard has last seen it */
};

/* Locks: lock. */
static struct watched watched[WATCHED_MOST];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_t guard;
static sem_t over;

/* ---- who ---- */

static struct watched *find(const struct worker *worker)
{
    for (size_t i = 0; i < WATCHED_MOST; i++)
        if (watched[i].worker == worker)
            return &watched[i];
    give_up("too many threads to watch");
}

void guard_watch(struct worker *worker)
{
    pthread_mutex_lock(&lock);
    *find(NULL) = (struct watched){worker, syscall(SYS_gettid), 0, now_ns()};
    pthread_mutex_unlock(&lock);
}

void guard_forget(struct worker *worker)
{
    pthread_mutex_lock(&lock);
    find(worker)->worker = NULL;
    pthread_mutex_unlock(&lock);
}

/* ---- what they do ---- */

static void show_watched(void)
{
    uint64_t now = now_ns();

    for (size_t i = 0; i < WATCHED_MOST; i++)
        if (watched[i].worker != NULL)
            fprintf(stderr, "  thread %u (tid %ld): act %" PRIu64 ", \"%s\", for %.3f s\n",
                    watched[i].worker->number, watched[i].tid, watched[i].begun,
                    __atomic_load_n(&watched[i].worker->act, __ATOMIC_RELAXED),
                    (double)(now - watched[i].since) / 1e9);
}

static void run(const char *command)
{
    if (system(command) != 0)
        fprintf(stderr, "  failed: %s\n", command);
}

void guard_show_all(void)
{
    const char *sources = getenv("TRI_SRCDIR");
    char command[1024];

    show_watched();
    prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    snprintf(command, sizeof command,
             "for t in /proc/%d/task/*; do echo \"$t $(cat $t/comm $t/wchan $t/syscall 2>&1 | tr "
             "'\\n' ' ')$(grep -E 'State|SigBlk|SigPnd' $t/status | tr '\\n\\t' '  ')\"; done >&2",
             (int)getpid());
    run(command);
    snprintf(command, sizeof command,
             "if command -v gdb >/dev/null; then gdb --batch -p %d -ex 'thread apply all bt' "
             "-ex 'source %s/tools/tricolor-gdb.py' -ex 'tricolor threads' >&2 2>/dev/null; fi",
             (int)getpid(), sources != NULL ? sources : ".");
    run(command);
}

/* ---- the guard ---- */

static bool gets_on(struct watched *at)
{
    uint64_t begun = __atomic_load_n(&at->worker->begun, __ATOMIC_RELAXED), now = now_ns();

    if (begun != at->begun)
        at->since = now;
    at->begun = begun;
    return begun == 0 || now - at->since < UINT64_C(1000000000) * GUARD_SECONDS;
}

static void look(void)
{
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < WATCHED_MOST; i++) {
        if (watched[i].worker == NULL || gets_on(&watched[i]))
            continue;
        fprintf(stderr, "%s: STUCK: seed %" PRIu64 ": thread %u does nothing new for %u seconds\n",
                stress_name, stress_seed, watched[i].worker->number, (unsigned)GUARD_SECONDS);
        guard_show_all();
        _exit(3);
    }
    pthread_mutex_unlock(&lock);
}

static void *watch(void *unused)
{
    struct timespec end;

    do {
        look();
        clock_gettime(CLOCK_REALTIME, &end);
        end.tv_sec++;
    } while (sem_timedwait(&over, &end) != 0);
    return unused;
}

void guard_start(void)
{
    sigset_t all, old;

    sigfillset(&all);
    sem_init(&over, 0, 0);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    stress_start(&guard, watch, NULL);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void guard_stop(void)
{
    sem_post(&over);
    stress_join(guard);
    sem_destroy(&over);
}
