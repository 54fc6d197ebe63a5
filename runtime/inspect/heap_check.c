/* SPDX-License-Identifier: MIT */
/* tri_heap_check: looks at one structure of the heap after the other, on the coordinator's thread,
 * while the program runs on.
 *
 * Defects are told when it is over: no lock is held then, and nobody is claimed. */
#include <string.h>
#include <tricolor/inspect.h>
#include <unistd.h>

#include "base/chaos.h"
#include "base/entry.h"
#include "base/print.h"
#include "collector/coordinator.h"
#include "collector/work.h"
#include "heap/check.h"
#include "heap/watch.h"
#include "inspect/inspect.h"
#include "mutator/registry.h"

static void (*log_line)(const char *line, void *argument);
static void *log_argument;

static void log_to_stderr(const char *line, void *unused)
{
    (void)unused;
    tri__write_all(STDERR_FILENO, line, strlen(line));
}

void tri__heap_check_init(const struct tri__options *options)
{
    log_line = options->log != NULL ? options->log : log_to_stderr;
    log_argument = options->log_argument;
}

static void tell(const struct tri__check *check)
{
    for (unsigned i = 0; i < check->defects && i < TRI__CHECK_LINES; i++)
        log_line(check->lines[i], log_argument);
}

static void look_at_mutator(struct tri__mutator *mutator, void *argument)
{
    struct tri__check *check = argument;
    uint8_t barrier = mutator->writer.cache.front.barrier;

    if (barrier != tri__barrier_at_rest())
        tri__check_defect(check, "the barrier of thread %u is on (%u), but no mark is running",
                          mutator->tid, barrier);
    tri__check_cache(check, &mutator->writer.cache);
}

static void look_if_asleep(struct tri__mutator *mutator, void *check)
{
    tri__handshake_look(mutator, look_at_mutator, check);
}

static void check_work(struct tri__check *check)
{
    if (tri__work_is_shared())
        tri__check_defect(check, "there is marking work, but no mark is running");
}

/* Sums mean nothing if a thread has come meanwhile. */
static void check_sums(struct tri__check *check, uint64_t entered)
{
    unsigned before = check->defects;

    tri__check_sums(check);
    if (tri__registry_entered() != entered)
        check->defects = before;
}

static void check_all(struct tri__check *check, uint64_t entered)
{
    tri__check_classes(check);
    tri__check_lists(check);
    tri__registry_each(look_if_asleep, check);
    tri__check_page_table(check);
    tri__check_page_heap(check, &tri__heap.pages);
    tri__check_arenas(check);
    tri__buffers_check(check);
    check_work(check);
    if (check->alone)
        check_sums(check, entered);
}

static int check_heap(void *unused)
{
    struct tri__check check = {.quiet = tri__cycle_quiet, .swept = tri__cycle_swept_side()};
    uint64_t entered = tri__registry_entered();
    int error;

    (void)unused;
    /* But for the thread that waits for this. Before the heap is measured: one that ends after that
     * may have made it larger [inv.check.alone]. */
    check.alone = tri__registry_size() == 1;
    error = tri__check_begin(&check);
    if (error != 0)
        return error;
    tri__chaos(TRI__CHAOS_CHECK);
    check_all(&check, entered);
    tell(&check);
    tri__check_end(&check);
    return (int)check.defects;
}

int tri_heap_check(void)
{
    TRI__IN_RUNTIME;

    tri__mutator_here();
    return tri__cycle_between(check_heap, NULL);
}
