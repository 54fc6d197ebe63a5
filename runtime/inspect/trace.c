/* SPDX-License-Identifier: MIT */
/* TRICOLOR_TRACE=gc: one line a cycle, made to be read by a person in a log:
 *
 *   gc 7 @1.234s: prepare 0.01 mark 12.3 (h1 0.02 h2 0.05 h3 0.03 x1) h4 0.04 sweep 3.1 ms;
 *   slowest 0.05 ms tid 4711 of 9, asleep 40 0.09 ms; heap 182 -> 95 MB, goal 190; freed 92 MB;
 *   marked 1203345 objects 88 MB; barrier 4711 entries 9 full; 12 assists
 *
 * h1..h4 are handshakes: the time until the last running thread has answered, while all others run
 * on. Those in TRI_BLOCKING are looked after in between. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/print.h"
#include "inspect/inspect.h"

static bool enabled;
static void (*log_line)(const char *line, void *argument);
static void *log_argument;

static void log_to_stderr(const char *line, void *unused)
{
    (void)unused;
    tri__write_all(STDERR_FILENO, line, strlen(line));
}

void tri__trace_init(const struct tri__options *options)
{
    enabled = options->trace_gc;
    log_line = options->log != NULL ? options->log : log_to_stderr;
    log_argument = options->log_argument;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static double mb(uint64_t bytes)
{
    return (double)bytes / (1 << 20);
}

static const struct tri__handshake_report *slowest(const struct tri__cycle_report *report)
{
    const struct tri__handshake_report *all[] = {&report->arm, &report->scan, &report->flush,
                                                 &report->release};
    const struct tri__handshake_report *worst = all[0];

    for (unsigned i = 1; i < sizeof all / sizeof all[0]; i++)
        if (all[i]->slowest_ns > worst->slowest_ns)
            worst = all[i];
    return worst;
}

static int put_phases(char *out, size_t room, const struct tri__cycle_report *report)
{
    return snprintf(out, room,
                    "gc %" PRIu64 "%s @%.3fs: prepare %.2f mark %.2f "
                    "(h1 %.3f h2 %.3f h3 %.3f x%u) h4 %.3f sweep %.2f ms; "
                    "slowest %.3f ms tid %u of %zu, asleep %zu %.3f ms; ",
                    report->number, report->forced ? " (forced)" : "",
                    (double)report->started / 1e9, ms(report->prepare_ns), ms(report->mark_ns),
                    ms(report->arm.ns), ms(report->scan.ns), ms(report->flush.ns), report->rounds,
                    ms(report->release.ns), ms(report->sweep_ns), ms(slowest(report)->slowest_ns),
                    slowest(report)->slowest_tid, report->scan.mutators, report->scan.asleep,
                    ms(report->scan.asleep_ns));
}

static int put_heap(char *out, size_t room, const struct tri__cycle_report *report)
{
    return snprintf(out, room,
                    "heap %.1f -> %.1f MB, goal %.1f; freed %.1f MB; "
                    "marked %" PRIu64 " objects %.1f MB; "
                    "barrier %" PRIu64 " entries %" PRIu64 " full; %" PRIu64 " assists\n",
                    mb(report->heap_before), mb(report->heap_after),
                    report->heap_goal == UINT64_MAX ? 0 : mb(report->heap_goal),
                    mb(report->freed_bytes), report->marked_objects, mb(report->marked_bytes),
                    report->drained, report->full_buffers, report->assists);
}

void tri__trace_cycle(const struct tri__cycle_report *report)
{
    char line[640];
    int used;

    if (!enabled)
        return;
    used = put_phases(line, sizeof line, report);
    put_heap(line + used, sizeof line - (size_t)used, report);
    log_line(line, log_argument);
}
