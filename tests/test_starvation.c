/* SPDX-License-Identifier: MIT */
/* More threads want to run than there are processors: cycles end all the same; and the collector's
 * threads do not take part in the fight while they have nothing to do but wait.
 * See: docs/threads.md "No starvation". */
#include <check.h>
#include <dirent.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "collected.h"
#include "forked.h"
#include "sanitized.h"
#include "suite.h"

#include "base/atomic.h"
#include "base/os.h"
#include "mutator/handshake.h"

#define SPINNERS_EACH 3u /* for each processor, of each kind */
#define MOST 256u
#define CYCLES 3
#define LENGTH 20

#include "node_list.h"

static uint32_t stop;    /* atomic */
static uint32_t started; /* atomic */

/* ---- threads that take all the time they get ---- */

static void *allocate_on(void *unused)
{
    node *mine = list_of(3);

    (void)unused;
    tri__fetch_add_relaxed(&started, 1);
    while (tri__load_relaxed(&stop) == 0)
        list_of(1);
    ck_assert(is_list_of(mine, 3));
    return NULL;
}

static void *poll_on(void *unused)
{
    node *mine = list_of(5);

    (void)unused;
    tri__fetch_add_relaxed(&started, 1);
    while (tri__load_relaxed(&stop) == 0)
        tri_safepoint();
    ck_assert(is_list_of(mine, 5));
    return NULL;
}

/* Of the program, but nothing that the library knows. */
static void *make_noise(void *unused)
{
    volatile unsigned sink = 0;

    (void)unused;
    tri__fetch_add_relaxed(&started, 1);
    while (tri__load_relaxed(&stop) == 0)
        sink++;
    return NULL;
}

static size_t start_all(pthread_t *threads)
{
    void *(*const kinds[])(void *) = {allocate_on, poll_on, make_noise};
    size_t count = 0, each = SPINNERS_EACH * tri__os_cpus();

    if (each > MOST / 3)
        each = MOST / 3;
    for (size_t i = 0; i < 3 * each; i++)
        ck_assert_int_eq(pthread_create(&threads[count++], NULL, kinds[i % 3], NULL), 0);
    while (tri__load_relaxed(&started) < count)
        TRI_BLOCKING
            nap(1000000);
    return count;
}

START_TEST(cycles_end_among_spinners)
{
    pthread_t threads[MOST];
    uint64_t start, longest = 0;
    size_t count;

    start_quiet();
    count = start_all(threads);
    for (int i = 0; i < CYCLES; i++) {
        start = tri__os_now();
        tri_collect();
        if (tri__os_now() - start > longest)
            longest = tri__os_now() - start;
    }
    tri__store_relaxed(&stop, 1);
    for (size_t i = 0; i < count; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
    printf("%zu threads that spin: the longest of %d cycles took %.1f ms\n", count, CYCLES,
           (double)longest / 1e6);
    /* A turn of a spinner is some milliseconds; six handshakes, each with a turn of each. */
    ck_assert_uint_lt(longest, (IS_SANITIZED ? 40u : 10u) * UINT64_C(1000000000));
    tri_shutdown();
}
END_TEST

/* Against threads with more weight: a third of theirs. */
static void *collect_politely(void *unused)
{
    (void)unused;
    setpriority(PRIO_PROCESS, (id_t)syscall(SYS_gettid), 5);
    for (int i = 0; i < 2; i++)
        tri_collect();
    return NULL;
}

START_TEST(a_nice_thread_gets_its_cycles)
{
    pthread_t threads[MOST], nice_one;
    size_t count;

    start_quiet();
    count = start_all(threads);
    ck_assert_int_eq(pthread_create(&nice_one, NULL, collect_politely, NULL), 0);
    TRI_BLOCKING
        pthread_join(nice_one, NULL);
    tri__store_relaxed(&stop, 1);
    for (size_t i = 0; i < count; i++)
        TRI_BLOCKING
            pthread_join(threads[i], NULL);
    tri_shutdown();
}
END_TEST

/* ---- what the collector's threads use ---- */

/* Nanoseconds on a processor; 0 if the system does not tell. */
static uint64_t time_of_task(const char *task)
{
    char path[300], name[32] = "";
    unsigned long long ns = 0;
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%s/comm", task);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fgets(name, sizeof name, file) == NULL)
        name[0] = '\0';
    fclose(file);
    if (strncmp(name, "tri-", 4) != 0)
        return 0;
    snprintf(path, sizeof path, "/proc/self/task/%s/schedstat", task);
    file = fopen(path, "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%llu", &ns) != 1)
        ns = 0;
    fclose(file);
    return ns;
}

static uint64_t time_of_collector(void)
{
    DIR *tasks = opendir("/proc/self/task");
    struct dirent *entry;
    uint64_t ns = 0;

    ck_assert_ptr_nonnull(tasks);
    while ((entry = readdir(tasks)) != NULL)
        ns += time_of_task(entry->d_name);
    closedir(tasks);
    return ns;
}

static void sleep_ms(long ms)
{
    for (long i = 0; i < ms; i++)
        nap(1000000);
}

START_TEST(idle_collectors_sleep)
{
    uint64_t before;

    start_quiet();
    collect();
    sleep_ms(50);
    before = time_of_collector();
    TRI_BLOCKING
        sleep_ms(300);
    ck_assert_uint_lt(time_of_collector() - before, UINT64_C(3000000));
    tri_shutdown();
}
END_TEST

static void *ask_for_a_cycle(void *unused)
{
    (void)unused;
    tri_collect();
    return NULL;
}

/* This thread answers nothing for a while: a round waits for it. */
START_TEST(waiting_for_an_answer_is_sleeping)
{
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;
    uint64_t before, spent;

    config.gc_percent = -1;
    config.signal = -1;
    ck_assert_int_eq(tri_init(&config), 0);
    list_of(1);
    ck_assert_int_eq(pthread_create(&thread, NULL, ask_for_a_cycle, NULL), 0);
    while (tri__handshake_is_answered(tri__mutator_self()))
        nap(100000);
    before = time_of_collector();
    sleep_ms(300);
    spent = time_of_collector() - before;
    ck_assert_msg(spent < UINT64_C(30000000), "the collector was busy for %.1f ms",
                  (double)spent / 1e6);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    tri_shutdown();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("starvation");
    TCase *tests = tcase_create("starvation");

    tcase_set_timeout(tests, 90);
    tcase_add_test(tests, cycles_end_among_spinners);
    tcase_add_test(tests, a_nice_thread_gets_its_cycles);
    tcase_add_test(tests, idle_collectors_sleep);
    tcase_add_test(tests, waiting_for_an_answer_is_sleeping);
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
