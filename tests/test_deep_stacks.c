/* SPDX-License-Identifier: MIT */
/* Stacks that are deep, or have large holes: 64 MiB of frames, each with the only reference to one
 * object; alloca() blocks of words and of megabytes. Of threads, of the main thread, of coroutines;
 * while cycles run back to back, and a handler of the program's interrupts, too.
 *
 * Threads: the one whose stack it is, the diver; and one that collects without a pause from before
 * the dive until after it, and lets the diver come up when it has seen some cycles go by. */
#include <alloca.h>
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "coroutine.h"
#include "limited.h"
#include "spinner.h"
#include "suite.h"

/* Of a stack a sanitizer's build looks at each word with calls: some seconds a scan. ThreadSanitizer's
 * is the slowest, and how deep a stack is makes no race. */
#define DEEP_BYTES ((size_t)(HAS_TSAN ? 4 : HAS_ASAN ? 16 : 64) << 20)
#define LARGE_BYTES ((size_t)(HAS_TSAN ? 2 : 5) << 20)
#define ROOM_BYTES (DEEP_BYTES + ((size_t)4 << 20)) /* of the stack: with sanitizers' own, too */

enum { CYCLES = 3 }; /* while the diver is down */

typedef struct mark {
    struct mark *next;
    uintptr_t key;
} mark;
TRI_TYPE(mark, next);

struct dive {
    void (*go)(struct dive *self);
    void (*stay)(struct dive *self); /* returns once `rise` is set */
    struct coroutine *coroutine;     /* that goes, or NULL */
    uintptr_t bottom;                /* how deep it goes */
    uint64_t cycles;                 /* of the collector's: that began and ended while it was down */
    uint32_t down, rise, up;         /* atomic */
};

static mark *mark_of(uintptr_t key)
{
    mark *fresh = tri_new(mark);

    ck_assert_ptr_nonnull(fresh);
    fresh->key = key;
    return fresh;
}

static void check_mark(const mark *at, uintptr_t key)
{
    if (tri_object_base(at) != at || at->key != key)
        ck_abort_msg("%p, number %lu, was freed", (const void *)at, (unsigned long)key);
}

/* ---- what the diver does down there ---- */

static bool must_stay(const struct dive *self)
{
    return tri__load_acquire(&self->rise) == 0;
}

/* Signals alone reach it. */
static void spin(struct dive *self)
{
    while (must_stay(self))
        continue;
}

static void pass_safepoints(struct dive *self)
{
    while (must_stay(self))
        tri_safepoint();
}

static void sleep_in_blocks(struct dive *self)
{
    while (must_stay(self))
        TRI_BLOCKING
            usleep(1000);
}

/* In a system call, where signals reach it. */
static void sleep_outside(struct dive *self)
{
    while (must_stay(self))
        usleep(200000);
}

/* The coroutine is left there, and its thread is elsewhere. */
static void leave(struct dive *self)
{
    if (self->coroutine != NULL)
        coroutine_yield(self->coroutine);
    else
        sleep_in_blocks(self);
}

static void stay(struct dive *self)
{
    tri__store_release(&self->down, 1); /* rel -> acq in collect_until_up() */
    self->stay(self);
}

/* ---- ways to use stack ---- */

enum { FRAME_WORDS = 512 };

/* Somewhere in the frame there is a reference; the rest is whatever has been there. */
__attribute__((noinline)) static void descend(struct dive *self, uintptr_t number)
{
    mark *volatile frame[FRAME_WORDS];
    size_t place = number * 7 % FRAME_WORDS;

    frame[place] = mark_of(number);
    if ((uintptr_t)__builtin_frame_address(0) > self->bottom)
        descend(self, number + 1);
    else
        stay(self);
    check_mark(frame[place], number);
}

static void recurse(struct dive *self)
{
    self->bottom = (uintptr_t)__builtin_frame_address(0) - DEEP_BYTES;
    descend(self, 0);
}

enum { BLOCK_MARKS = 300 };

/* Its first word, its last, and some in between; it comes with what was on the stack before. */
__attribute__((noinline)) static void fill_block(mark *volatile *block, size_t words)
{
    for (size_t i = 0; i < BLOCK_MARKS; i++)
        block[i * (words - 1) / (BLOCK_MARKS - 1)] = mark_of(i);
}

__attribute__((noinline)) static void check_block(mark *volatile *block, size_t words)
{
    for (size_t i = 0; i < BLOCK_MARKS; i++)
        check_mark(block[i * (words - 1) / (BLOCK_MARKS - 1)], i);
}

static void use_block(struct dive *self, size_t words)
{
    mark *volatile *block = alloca(words * sizeof *block);

    fill_block(block, words);
    clear_stack();
    stay(self);
    check_block(block, words);
}

static void use_small_block(struct dive *self)
{
    use_block(self, BLOCK_MARKS);
}

static void use_large_block(struct dive *self)
{
    use_block(self, LARGE_BYTES / sizeof(mark *));
}

/* One below the other, in one frame. */
static void use_blocks(struct dive *self)
{
    enum { MANY = 200 };
    mark *volatile *blocks[MANY];

    for (size_t i = 0; i < MANY; i++) {
        blocks[i] = alloca((i * 40 + 1) * sizeof *blocks[i]);
        blocks[i][i * 40] = mark_of(i);
        tri_safepoint();
    }
    clear_stack();
    stay(self);
    for (size_t i = 0; i < MANY; i++)
        check_mark(blocks[i][i * 40], i);
}

/* ---- cycles ---- */

static void *collect_until_up(void *argument)
{
    struct dive *dive = argument;

    while (tri__load_acquire(&dive->up) == 0) { /* acq <- rel in dive_here() */
        bool was_down = tri__load_acquire(&dive->down) != 0; /* acq <- rel in stay() */

        tri_collect();
        if (was_down && ++dive->cycles == CYCLES)
            tri__store_release(&dive->rise, 1); /* rel -> acq in must_stay() */
    }
    return NULL;
}

static void do_nothing(int number) { (void)number; }

/* To whichever thread has not blocked it: the diver, most of the time. */
static void set_timer(suseconds_t us)
{
    struct sigaction action = {.sa_handler = do_nothing, .sa_flags = SA_RESTART};
    struct itimerval timer = {{0, us}, {0, us}};

    ck_assert_int_eq(sigaction(SIGALRM, &action, NULL), 0);
    ck_assert_int_eq(setitimer(ITIMER_REAL, &timer, NULL), 0);
}

static void start_collector(pthread_t *thread, struct dive *dive)
{
    sigset_t alarms, before;

    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    pthread_sigmask(SIG_BLOCK, &alarms, &before);
    ck_assert_int_eq(pthread_create(thread, NULL, collect_until_up, dive), 0);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* On the calling thread. */
static void dive_here(struct dive *dive, void (*run)(struct dive *))
{
    pthread_t collector;

    start_collector(&collector, dive);
    set_timer(5000);
    run(dive);
    set_timer(0);
    tri__store_release(&dive->up, 1); /* rel -> acq in collect_until_up() */
    TRI_BLOCKING
        pthread_join(collector, NULL);
    ck_assert_uint_ge(dive->cycles, CYCLES);
}

/* ---- whose stack ---- */

static void go(struct dive *dive)
{
    dive->go(dive);
}

/* Where the system puts other things depends on the limit at the program's start. */
static void start_with_room(char **argv)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_STACK, &limit) != 0 || limit.rlim_cur >= ROOM_BYTES ||
        limit.rlim_max < ROOM_BYTES)
        return;
    limit.rlim_cur = ROOM_BYTES;
    if (setrlimit(RLIMIT_STACK, &limit) == 0)
        execv("/proc/self/exe", argv);
}

static void on_the_main_thread(struct dive *dive)
{
    uintptr_t low, high;

    ck_assert_int_eq(getpid(), (int)tri__os_tid());
    ck_assert_int_eq(tri__os_stack_bounds(&low, &high), 0);
    start_quiet();
    if (high - low < DEEP_BYTES + DEEP_BYTES / 64 && dive->go == recurse)
        printf("the main thread may not have %zu MiB of stack\n", DEEP_BYTES >> 20);
    else
        dive_here(dive, go);
}

static void *diver_main(void *dive)
{
    dive_here(dive, go);
    return NULL;
}

static void on_a_thread(struct dive *dive)
{
    pthread_attr_t attributes;
    pthread_t thread;

    start_quiet();
    ck_assert_int_eq(pthread_attr_init(&attributes), 0);
    ck_assert_int_eq(pthread_attr_setstacksize(&attributes, ROOM_BYTES), 0);
    ck_assert_int_eq(pthread_create(&thread, &attributes, diver_main, dive), 0);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    pthread_attr_destroy(&attributes);
}

static void go_in_coroutine(struct coroutine *self)
{
    struct dive *dive = self->argument;

    dive->go(dive);
}

static void resume_until_ended(struct dive *dive)
{
    coroutine_resume(dive->coroutine);
    while (!dive->coroutine->ended) {
        sleep_in_blocks(dive);
        coroutine_resume(dive->coroutine);
    }
}

static void on_a_coroutine(struct dive *dive)
{
    start_quiet();
    dive->coroutine = coroutine_new_of(ROOM_BYTES, go_in_coroutine, dive);
    dive_here(dive, resume_until_ended);
    coroutine_free(dive->coroutine);
}

/* ---- all together ---- */

static void (*const goings[])(struct dive *) = {recurse, use_small_block, use_large_block,
                                                use_blocks};
static void (*const stays[])(struct dive *) = {spin, pass_safepoints, sleep_in_blocks,
                                               sleep_outside, leave};
static void (*const stacks[])(struct dive *) = {on_a_thread, on_the_main_thread, on_a_coroutine};

enum { GOINGS = 4, STAYS = 5, STACKS = 3 };

/* ThreadSanitizer calls handlers when the thread comes to a function of the C library that it knows:
 * who spins may never do. 64 MiB take their time: not every way to stay on every stack. */
static bool is_left_out(const struct dive *dive, void (*stack)(struct dive *))
{
    return (HAS_TSAN && dive->stay == spin) ||
           (dive->go == recurse && stack != on_a_thread &&
            (dive->stay == pass_safepoints || dive->stay == sleep_in_blocks));
}

START_TEST(what_is_deep_down_stays_alive)
{
    struct dive dive = {.go = goings[_i / STAYS % GOINGS], .stay = stays[_i % STAYS]};
    void (*stack)(struct dive *) = stacks[_i / STAYS / GOINGS];

    if (is_left_out(&dive, stack))
        return;
    stack(&dive);
    tri_shutdown();
}
END_TEST

/* That the test above can fail: the frames between are gone. */
static void dive_and_forget(struct hidden *objects, size_t n)
{
    for (size_t i = 0; i < n; i++)
        objects[i] = hide(mark_of(i));
}

START_TEST(what_was_deep_down_dies)
{
    enum { MANY = 100 };
    struct hidden objects[MANY];

    start_quiet();
    dive_and_forget(objects, MANY);
    collect();
    ck_assert_uint_le(count_objects(objects, MANY), MANY / 5);
    tri_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    Suite *suite = suite_create("deep_stacks");
    TCase *tcase = tcase_create("dives");

    (void)argc;
    start_with_room(argv);
    tcase_set_timeout(tcase, LIMIT_SECONDS + 10);
    tcase_add_checked_fixture(tcase, begin_limit, end_limit);
    tcase_add_loop_test(tcase, what_is_deep_down_stays_alive, 0, GOINGS * STAYS * STACKS);
    tcase_add_test(tcase, what_was_deep_down_dies);
    suite_add_tcase(suite, tcase);
    return run_suite(suite);
}
