/* SPDX-License-Identifier: MIT */
/* tri_stats_get: adds up what threads, the heap and the coordinator have counted.
 * Threads: any; no safepoint. */
#include <errno.h>
#include <string.h>

#include <tricolor/inspect.h>

#include "barrier/buffer.h"
#include "base/entry.h"
#include "base/os.h"
#include "collector/coordinator.h"
#include "collector/pace.h"
#include "heap/arena_chunk.h"
#include "inspect/inspect.h"
#include "mutator/arena.h"
#include "mutator/attach.h"
#include "mutator/registry.h"

/* No version was smaller than what comes before the first array. */
#define FIRST_SIZE offsetof(tri_stats, delays)

const char *tri_delay_name(tri_delay_cause cause)
{
    static const char *const names[] = {"handshake", "stack", "refill", "assist", "wait"};

    return (unsigned)cause < TRI_DELAY_CAUSES ? names[cause] : NULL;
}

static void add_running(struct tri__mutator *mutator, void *departed)
{
    struct tri__departed *sum = departed;

    for (int cause = 0; cause < TRI_DELAY_CAUSES; cause++)
        tri__histogram_merge(&sum->delays[cause], &mutator->delays[cause]);
    sum->assists += tri__load_relaxed(&mutator->assists);
}

/* The fine buckets of the histogram, folded into powers of two. */
static void fold_buckets(tri_delay *delay, const struct tri__histogram *histogram)
{
    for (unsigned i = 0; i < TRI__HISTOGRAM_BUCKETS; i++) {
        uint64_t ns = tri__histogram_bucket_max(i);
        unsigned power = ns == 0 ? 0 : 63 - (unsigned)__builtin_clzll(ns);

        delay->buckets[power < TRI_DELAY_BUCKETS ? power : TRI_DELAY_BUCKETS - 1] +=
            histogram->buckets[i];
    }
}

void tri__delay_summary(tri_delay *delay, const struct tri__histogram *histogram)
{
    memset(delay, 0, sizeof *delay);
    delay->count = tri__histogram_count(histogram);
    delay->total_ns = tri__histogram_total(histogram);
    delay->max_ns = tri__histogram_max(histogram);
    delay->p50_ns = tri__histogram_percentile(histogram, 0.5);
    delay->p90_ns = tri__histogram_percentile(histogram, 0.9);
    delay->p99_ns = tri__histogram_percentile(histogram, 0.99);
    delay->p999_ns = tri__histogram_percentile(histogram, 0.999);
    fold_buckets(delay, histogram);
}

static void fill_cycles(tri_stats *stats)
{
    struct tri__cycle_totals totals;

    tri__cycle_totals_get(&totals);
    stats->cycles = totals.cycles;
    stats->forced_cycles = totals.forced_cycles;
    stats->handshakes = totals.handshakes;
    stats->handshake_ns = totals.handshake_ns;
    stats->handshake_max_ns = tri__histogram_max(&totals.rounds);
    tri__delay_summary(&stats->rounds, &totals.rounds);
    stats->mark_ns = totals.mark_ns;
    stats->mark_rounds = totals.mark_rounds;
    stats->marked_objects = totals.marked_objects;
    stats->barrier_entries = totals.drained;
}

static void add_unreported(struct tri__mutator *mutator, void *bytes)
{
    *(uint64_t *)bytes += tri__load_relaxed(&mutator->writer.cache.unreported);
}

/* Threads tell the heap now and then what they have taken. Too late for who looks at a small heap;
 * but in a sum that never falls it would be there twice or not at all while a thread is telling. */
static uint64_t unreported_bytes(void)
{
    uint64_t bytes = 0;

    tri__registry_each(add_unreported, &bytes);
    return bytes;
}

static void fill_heap(tri_stats *stats)
{
    stats->threads = tri__registry_size();
    stats->heap_bytes = tri__heap_in_use() + unreported_bytes();
    stats->heap_goal = tri__pace_goal();
    stats->live_bytes = tri__pace_live();
    stats->allocated_bytes =
        tri__load_relaxed(&tri__heap.allocated) - tri__load_relaxed(&tri__heap.given_back);
    stats->freed_bytes = tri__load_relaxed(&tri__heap.freed);
    stats->mapped_bytes = (uint64_t)tri__page_heap_committed(&tri__heap.pages) << TRI__PAGE_SHIFT;
    stats->resident_bytes = tri__os_resident_bytes();
    stats->barrier_full = tri__buffers_exchanged();
}

static void fill_arenas(tri_stats *stats)
{
    struct tri__arena_counts counts = tri__arena_counts();

    stats->arenas = tri__arenas_live();
    stats->arena_bytes = counts.live_bytes;
    stats->arena_waiting_bytes = counts.waiting_bytes;
}

int tri_stats_get(tri_stats *stats)
{
    TRI__IN_RUNTIME;
    struct tri__departed sum;
    tri_stats all = TRI_STATS_INIT;

    if (stats->size < FIRST_SIZE || stats->size > sizeof all)
        return -EINVAL;
    tri__departed_statistics(&sum);
    tri__registry_each(add_running, &sum);
    fill_cycles(&all);
    fill_heap(&all);
    fill_arenas(&all);
    all.assists = sum.assists;
    for (int cause = 0; cause < TRI_DELAY_CAUSES; cause++)
        tri__delay_summary(&all.delays[cause], &sum.delays[cause]);
    all.size = stats->size;
    memcpy(stats, &all, stats->size);
    return 0;
}
