/* SPDX-License-Identifier: MIT */
/* stress/servers_sleep.c: threads that compute without safepoints, and threads that sleep in system
 * calls, inside TRI_BLOCKING and outside, with objects that only their stack or registers know.
 *
 * Threads: the bell wakes those that sleep without an end of their own; it has nothing to do with
 * the heap. Every sleep may be cancelled. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <poll.h>
#include <semaphore.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "stress/guard.h"
#include "stress/moments.h"
#include "stress/servers.h"

#define LONGEST_NS 8000000 /* of a sleep */

static int ends[2];      /* of a pipe */
static int polled;       /* an epoll of its reading end */
static uint32_t readers; /* atomic: how many wait for a byte; cancelled ones count on */
static uint32_t word;    /* a futex that nobody wakes */
static sem_t semaphore;  /* nobody posts */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t rings = PTHREAD_COND_INITIALIZER;
static uint64_t rung; /* [lock] */
static pthread_t bell;
static uint32_t bell_ends; /* atomic */

/* ---- ways to sleep. EINTR: sleeps on, or has slept enough ---- */

static struct timespec within(struct worker *worker)
{
    return (struct timespec){.tv_nsec = (long)below(worker, LONGEST_NS)};
}

static struct timespec until(struct worker *worker)
{
    struct timespec end;

    clock_gettime(CLOCK_REALTIME, &end);
    end.tv_nsec += (long)below(worker, LONGEST_NS);
    end.tv_sec += end.tv_nsec / 1000000000;
    end.tv_nsec %= 1000000000;
    return end;
}

static void in_nanosleep(struct worker *worker)
{
    struct timespec left = within(worker);

    while (nanosleep(&left, &left) != 0)
        continue;
}

static void in_poll(struct worker *worker)
{
    struct pollfd fd = {.fd = ends[0], .events = POLLPRI};

    while (poll(&fd, 1, (int)below(worker, LONGEST_NS / 1000000)) != 0)
        continue;
}

static void in_epoll_wait(struct worker *worker)
{
    struct epoll_event event;

    if (epoll_wait(polled, &event, 1, (int)below(worker, LONGEST_NS / 1000000)) < 0 &&
        errno != EINTR)
        give_up("epoll_wait");
}

static void in_futex(struct worker *worker)
{
    struct timespec time = within(worker);

    syscall(SYS_futex, &word, FUTEX_WAIT, 0, &time);
}

static void in_sem_timedwait(struct worker *worker)
{
    struct timespec end = until(worker);

    while (sem_timedwait(&semaphore, &end) != 0 && errno == EINTR)
        continue;
}

static void unlock(void *unused)
{
    (void)unused;
    pthread_mutex_unlock(&lock);
}

static void in_cond_timedwait(struct worker *worker)
{
    struct timespec end = until(worker);
    pthread_mutex_t mine = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t never = PTHREAD_COND_INITIALIZER;

    pthread_mutex_lock(&mine);
    while (pthread_cond_timedwait(&never, &mine, &end) == 0)
        continue;
    pthread_mutex_unlock(&mine);
    pthread_cond_destroy(&never);
    pthread_mutex_destroy(&mine);
}

/* From here on: until the bell rings. */
static void in_cond_wait(struct worker *worker)
{
    uint64_t before;

    (void)worker;
    pthread_mutex_lock(&lock);
    pthread_cleanup_push(unlock, NULL);
    before = rung;
    while (rung == before)
        pthread_cond_wait(&rings, &lock);
    pthread_cleanup_pop(1);
}

static void in_read(struct worker *worker)
{
    char byte;

    (void)worker;
    __atomic_fetch_add(&readers, 1, __ATOMIC_RELAXED);
    while (read(ends[0], &byte, 1) != 1)
        if (errno != EINTR)
            give_up("read");
    __atomic_fetch_sub(&readers, 1, __ATOMIC_RELAXED);
}

static void (*const ways[])(struct worker *) = {in_nanosleep,     in_poll,           in_epoll_wait,
                                                in_sem_timedwait, in_cond_timedwait, in_cond_wait,
                                                in_read,          in_futex};

/* The first so many ... */
enum {
    WAYS = sizeof ways / sizeof ways[0],
    ENDING_WAYS = 5,                                     /* ... end without the bell */
    INTERRUPTED_WAYS = SLEEPS_ARE_INTERRUPTED ? WAYS : 6 /* ... are interrupted by signals */
};

void sleep_somehow(struct worker *worker)
{
    bool outside = have_signal() && chance(worker, 50);
    void (*way)(struct worker *) = ways[below(worker, in_child  ? ENDING_WAYS
                                                      : outside ? INTERRUPTED_WAYS
                                                                : WAYS)];

    if (outside)
        way(worker);
    else
        TRI_BLOCKING
            way(worker);
}

/* ---- the bell ---- */

static void ring(void)
{
    static const char byte;

    if (__atomic_load_n(&readers, __ATOMIC_RELAXED) > 0 && write(ends[1], &byte, 1) < 0 &&
        errno != EAGAIN)
        give_up("write");
    pthread_mutex_lock(&lock);
    rung++;
    pthread_cond_broadcast(&rings);
    pthread_mutex_unlock(&lock);
}

static void *ring_on(void *unused)
{
    struct worker worker;

    worker_init(&worker);
    guard_watch(&worker);
    while (__atomic_load_n(&bell_ends, __ATOMIC_RELAXED) == 0) {
        worker_begins(&worker, "ring");
        in_nanosleep(&worker);
        ring();
    }
    guard_forget(&worker);
    return unused;
}

void sleep_init(struct worker *worker)
{
    struct epoll_event event = {.events = EPOLLPRI};

    (void)worker;
    polled = epoll_create1(EPOLL_CLOEXEC);
    if (pipe2(ends, O_CLOEXEC) != 0 || fcntl(ends[1], F_SETFL, O_NONBLOCK) != 0 || polled < 0 ||
        epoll_ctl(polled, EPOLL_CTL_ADD, ends[0], &event) != 0 || sem_init(&semaphore, 0, 0) != 0)
        give_up("nothing to sleep on");
    stress_start(&bell, ring_on, NULL);
}

void sleep_end(void)
{
    __atomic_store_n(&bell_ends, 1, __ATOMIC_RELAXED);
    stress_join(bell);
    close(ends[0]);
    close(ends[1]);
    close(polled);
}

/* ---- acts ---- */

void spin_shortly(struct worker *worker)
{
    uint64_t end = now_ns() + below(worker, 20000000);

    while (have_signal() && now_ns() < end)
        for (int i = 0; i < 1000; i++)
            __asm__ volatile("");
}

void act_spin(struct worker *worker)
{
    slot mine = tree_new(worker);

    for (int i = 0; i < 3; i++) {
        scrub_stack();
        spin_shortly(worker);
        tree_check(worker, mine, "what a spinning thread holds");
    }
}

void act_sleep(struct worker *worker)
{
    slot mine = tree_new(worker);

    for (int i = 0; i < 4; i++) {
        scrub_stack();
        sleep_somehow(worker);
        tree_check(worker, mine, "what a sleeping thread holds");
        make_garbage(worker);
    }
}
