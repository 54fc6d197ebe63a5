/* SPDX-License-Identifier: MIT */
/* The ways of handing pointers to other threads that docs/handoff.md calls right, while cycles run
 * back to back: no item is lost. */
#include <check.h>
#include <pthread.h>
#include <semaphore.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "collected.h"
#include "sanitized.h"
#include "suite.h"

#include "base/atomic.h"

#define LENGTH 6
#define RING 64u
#define GIVERS 2u

typedef struct item {
    struct item *next;
    uintptr_t number;
} item;
TRI_TYPE(item, next);

static uint32_t stop; /* atomic */
static pthread_t collector;

static uintptr_t rounds(void)
{
    return IS_SANITIZED ? 300 : 5000;
}

static item *make_item(uintptr_t number)
{
    item *list = NULL;

    for (int i = 0; i < LENGTH; i++) {
        item *fresh = tri_new(item);

        if (fresh == NULL)
            abort();
        fresh->number = number;
        tri_init_store(&fresh->next, list);
        list = fresh;
    }
    return list;
}

/* Uses it for some time, in which cycles pass, and allocates, so that lost items are overwritten. */
static void use_item(const item *it, uintptr_t number)
{
    for (int i = 0; i < 3; i++) {
        int length = 0;

        for (const item *at = it; at != NULL; at = at->next)
            if (++length > LENGTH || at->number != number)
                ck_abort_msg("an item was lost on its way");
        ck_assert_int_eq(length, LENGTH);
        make_item(0);
        make_item(0);
    }
}

static void *collect_on(void *unused)
{
    (void)unused;
    while (tri__load_relaxed(&stop) == 0)
        tri_collect();
    return NULL;
}

static void start_cycles(void)
{
    start_quiet();
    ck_assert_int_eq(pthread_create(&collector, NULL, collect_on, NULL), 0);
}

static void join(pthread_t thread)
{
    TRI_BLOCKING
        pthread_join(thread, NULL);
}

static void end_cycles(void)
{
    tri__store_relaxed(&stop, 1);
    join(collector);
    tri_shutdown();
}

/* ---- a job on the giver's stack ---- */

struct job {
    item *it;
    uintptr_t number;
    sem_t done;
};

static struct job *offered; /* atomic */
static sem_t offer;

static void *do_jobs(void *unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < rounds(); i++) {
        struct job *job;

        TRI_BLOCKING
            sem_wait(&offer);
        job = tri__load_acquire(&offered);
        use_item(job->it, job->number);
        sem_post(&job->done);
    }
    return NULL;
}

static __attribute__((noinline)) void give_job(uintptr_t number)
{
    struct job job = {.it = make_item(number), .number = number};

    sem_init(&job.done, 0, 0);
    tri__store_release(&offered, &job); /* rel -> acq in do_jobs() */
    sem_post(&offer);
    TRI_BLOCKING
        sem_wait(&job.done);
}

START_TEST(job_on_the_givers_stack)
{
    pthread_t worker;

    start_cycles();
    sem_init(&offer, 0, 0);
    ck_assert_int_eq(pthread_create(&worker, NULL, do_jobs, NULL), 0);
    for (uintptr_t i = 0; i < rounds(); i++)
        give_job(i);
    join(worker);
    end_cycles();
}
END_TEST

/* The worker has stored it in a root before it says so; the giver forgets it. */
TRI_ROOT static item *current;
static sem_t taken;

static void *take_jobs(void *unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < rounds(); i++) {
        struct job *job;

        TRI_BLOCKING
            sem_wait(&offer);
        job = tri__load_acquire(&offered);
        tri_store(&current, job->it);
        sem_post(&taken);
        use_item(current, i);
    }
    return NULL;
}

static __attribute__((noinline)) void give_and_forget(uintptr_t number)
{
    struct job job = {.it = make_item(number), .number = number};

    tri__store_release(&offered, &job); /* rel -> acq in take_jobs() */
    sem_post(&offer);
    TRI_BLOCKING
        sem_wait(&taken);
    job.it = NULL;
    __asm__ volatile("" : : "r"(&job) : "memory");
}

START_TEST(job_that_is_stored_before_it_is_forgotten)
{
    pthread_t worker;

    start_cycles();
    sem_init(&offer, 0, 0);
    sem_init(&taken, 0, 0);
    ck_assert_int_eq(pthread_create(&worker, NULL, take_jobs, NULL), 0);
    for (uintptr_t i = 0; i < rounds(); i++)
        give_and_forget(i);
    join(worker);
    end_cycles();
}
END_TEST

/* ---- a queue in a root ---- */

TRI_ROOT static item *queue;
static pthread_mutex_t queue_lock = PTHREAD_MUTEX_INITIALIZER;
static uint32_t givers_left; /* atomic */

static void push(item *first)
{
    item *last = first;

    while (last->next != NULL)
        last = last->next;
    pthread_mutex_lock(&queue_lock);
    tri_store(&last->next, queue);
    tri_store(&queue, first);
    pthread_mutex_unlock(&queue_lock);
}

/* A whole item: LENGTH nodes. */
static item *pop(void)
{
    item *it, *last;

    pthread_mutex_lock(&queue_lock);
    it = last = queue;
    if (it != NULL) {
        for (int i = 1; i < LENGTH; i++)
            last = last->next;
        tri_store(&queue, last->next);
        tri_store(&last->next, NULL);
    }
    pthread_mutex_unlock(&queue_lock);
    return it;
}

static void *push_on(void *number)
{
    for (uintptr_t i = 0; i < rounds(); i++)
        push(make_item((uintptr_t)number * rounds() + i));
    tri__fetch_sub_acqrel(&givers_left, 1);
    return NULL;
}

START_TEST(queue_in_a_root)
{
    pthread_t givers[GIVERS];
    uintptr_t got = 0;

    start_cycles();
    tri__store_relaxed(&givers_left, GIVERS);
    for (uintptr_t i = 0; i < GIVERS; i++)
        ck_assert_int_eq(pthread_create(&givers[i], NULL, push_on, (void *)i), 0);
    while (got < GIVERS * rounds()) {
        item *it = pop();

        if (it == NULL) {
            TRI_BLOCKING
                usleep(50);
            continue;
        }
        use_item(it, it->number);
        got++;
    }
    for (unsigned i = 0; i < GIVERS; i++)
        join(givers[i]);
    end_cycles();
}
END_TEST

/* ---- a ring from malloc, with handles ---- */

struct ring {
    tri_handle *slots[RING];
    sem_t room, filled;
};

static void *take_from_ring(void *argument)
{
    struct ring *ring = argument;

    for (uintptr_t i = 0; i < rounds(); i++) {
        tri_handle *handle;
        item *it;

        TRI_BLOCKING
            sem_wait(&ring->filled);
        handle = ring->slots[i % RING];
        it = tri_handle_get(handle);
        tri_handle_free(handle);
        sem_post(&ring->room);
        use_item(it, i);
    }
    return NULL;
}

START_TEST(ring_with_handles)
{
    struct ring *ring = malloc(sizeof *ring);
    pthread_t taker;

    ck_assert_ptr_nonnull(ring);
    start_cycles();
    sem_init(&ring->room, 0, RING);
    sem_init(&ring->filled, 0, 0);
    ck_assert_int_eq(pthread_create(&taker, NULL, take_from_ring, ring), 0);
    for (uintptr_t i = 0; i < rounds(); i++) {
        TRI_BLOCKING
            sem_wait(&ring->room);
        ring->slots[i % RING] = tri_handle_new(make_item(i));
        sem_post(&ring->filled);
    }
    join(taker);
    end_cycles();
    free(ring);
}
END_TEST

/* ---- arguments of threads ---- */

static void *use_argument(void *it)
{
    use_item(it, ((item *)it)->number);
    return NULL;
}

/* The thread is not attached when it loads the item. */
static void *use_handle(void *handle)
{
    item *it = tri_handle_get(handle);

    tri_handle_free(handle);
    use_item(it, it->number);
    return NULL;
}

static __attribute__((noinline)) void start_two(pthread_t *threads, uintptr_t number)
{
    tri_handle *handle = tri_handle_new(make_item(number));

    ck_assert_int_eq(tri_thread_create(&threads[0], NULL, use_argument, make_item(number)), 0);
    ck_assert_int_eq(pthread_create(&threads[1], NULL, use_handle, handle), 0);
}

START_TEST(arguments_of_threads)
{
    start_cycles();
    for (uintptr_t i = 0; i < rounds() / 10; i++) {
        pthread_t threads[2];

        start_two(threads, i);
        join(threads[0]);
        join(threads[1]);
    }
    end_cycles();
}
END_TEST

/* ---- through the kernel ---- */

static int pipe_ends[2];

static void *take_from_pipe(void *unused)
{
    (void)unused;
    for (uintptr_t i = 0; i < rounds(); i++) {
        tri_handle *handle = NULL;
        ssize_t got = 0;
        item *it;

        TRI_BLOCKING
            got = read(pipe_ends[0], &handle, sizeof handle);
        ck_assert_int_eq(got, sizeof handle);
        it = tri_handle_get(handle);
        tri_handle_free(handle);
        use_item(it, i);
    }
    return NULL;
}

START_TEST(handles_through_a_pipe)
{
    pthread_t taker;

    start_cycles();
    ck_assert_int_eq(pipe(pipe_ends), 0);
    ck_assert_int_eq(pthread_create(&taker, NULL, take_from_pipe, NULL), 0);
    for (uintptr_t i = 0; i < rounds(); i++) {
        tri_handle *handle = tri_handle_new(make_item(i));
        ssize_t put = 0;

        TRI_BLOCKING
            put = write(pipe_ends[1], &handle, sizeof handle);
        ck_assert_int_eq(put, sizeof handle);
    }
    join(taker);
    end_cycles();
}
END_TEST

static int event;

static void *take_on_event(void *unused)
{
    uintptr_t got = 0;

    (void)unused;
    while (got < rounds()) {
        uint64_t count;
        ssize_t bytes = 0;
        item *it;

        TRI_BLOCKING
            bytes = read(event, &count, sizeof count);
        ck_assert_int_eq(bytes, sizeof count);
        while ((it = pop()) != NULL) {
            use_item(it, it->number);
            got++;
        }
    }
    return NULL;
}

START_TEST(queue_with_an_eventfd)
{
    pthread_t taker;

    start_cycles();
    event = eventfd(0, 0);
    ck_assert_int_ge(event, 0);
    ck_assert_int_eq(pthread_create(&taker, NULL, take_on_event, NULL), 0);
    for (uintptr_t i = 0; i < rounds(); i++) {
        uint64_t one = 1;

        push(make_item(i));
        ck_assert_int_eq(write(event, &one, sizeof one), sizeof one);
    }
    join(taker);
    end_cycles();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("handoff");
    TCase *tests = tcase_create("handoff");

    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, job_on_the_givers_stack);
    tcase_add_test(tests, job_that_is_stored_before_it_is_forgotten);
    tcase_add_test(tests, queue_in_a_root);
    tcase_add_test(tests, ring_with_handles);
    tcase_add_test(tests, arguments_of_threads);
    tcase_add_test(tests, handles_through_a_pipe);
    tcase_add_test(tests, queue_with_an_eventfd);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
