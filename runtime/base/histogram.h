/* SPDX-License-Identifier: MIT */
/* base/histogram.h: durations in nanoseconds, counted in buckets whose width is an eighth of their
 * power of two.
 *
 * So a figure read from it is at most 12.5 % above the recorded one, from 1 ns to 17 s; longer ones
 * share the last bucket, and the maximum is kept exactly. It is ours because a thread must record
 * beside readers without allocating, a few hundred words in its own block, and Debian 12 packages
 * no HdrHistogram for C.
 * Threads: one writer at a time, any readers; a reader may miss what is being recorded. */
#ifndef TRI__BASE_HISTOGRAM_H
#define TRI__BASE_HISTOGRAM_H

#include "base/atomic.h"

#include <stddef.h>
#include <stdint.h>

#define TRI__HISTOGRAM_SUB_BITS 3u
#define TRI__HISTOGRAM_SUB (1u << TRI__HISTOGRAM_SUB_BITS)
#define TRI__HISTOGRAM_TOP_BIT 34u /* values from 2^34 on overflow */
#define TRI__HISTOGRAM_OVERFLOW                                                                    \
    ((TRI__HISTOGRAM_TOP_BIT - TRI__HISTOGRAM_SUB_BITS + 1) * TRI__HISTOGRAM_SUB)
#define TRI__HISTOGRAM_BUCKETS (TRI__HISTOGRAM_OVERFLOW + 1)

struct tri__histogram {
    uint64_t total;                           /* sum of all durations */
    uint64_t max;                             /* longest of them */
    uint64_t buckets[TRI__HISTOGRAM_BUCKETS]; /* how many; their sum is the count */
};

/* Values below SUB have buckets of their own; above, the leading bit picks the group and the next
 * three the bucket. */
static inline unsigned tri__histogram_bucket(uint64_t ns)
{
    if (ns < TRI__HISTOGRAM_SUB)
        return (unsigned)ns;
    if (ns >> TRI__HISTOGRAM_TOP_BIT != 0)
        return TRI__HISTOGRAM_OVERFLOW;
    unsigned shift = 63u - (unsigned)__builtin_clzll(ns) - TRI__HISTOGRAM_SUB_BITS;
    return (shift + 1) * TRI__HISTOGRAM_SUB + (unsigned)((ns >> shift) & (TRI__HISTOGRAM_SUB - 1));
}

/* The largest value a bucket takes. */
static inline uint64_t tri__histogram_bucket_max(unsigned bucket)
{
    if (bucket < TRI__HISTOGRAM_SUB)
        return bucket;
    if (bucket >= TRI__HISTOGRAM_OVERFLOW)
        return UINT64_MAX;
    unsigned shift = bucket / TRI__HISTOGRAM_SUB - 1;
    uint64_t leading = TRI__HISTOGRAM_SUB + bucket % TRI__HISTOGRAM_SUB;
    return ((leading + 1) << shift) - 1;
}

static inline void tri__histogram_raise_max(struct tri__histogram *histogram, uint64_t ns)
{
    if (ns > tri__load_relaxed(&histogram->max))
        tri__store_relaxed(&histogram->max, ns);
}

static inline void tri__histogram_record(struct tri__histogram *histogram, uint64_t ns)
{
    tri__add_single_writer(&histogram->buckets[tri__histogram_bucket(ns)], 1);
    tri__add_single_writer(&histogram->total, ns);
    tri__histogram_raise_max(histogram, ns);
}

/* Adds all of from, which may be recording meanwhile, to into, which the caller writes alone. */
static inline void tri__histogram_merge(struct tri__histogram *into,
                                        const struct tri__histogram *from)
{
    for (unsigned i = 0; i < TRI__HISTOGRAM_BUCKETS; i++)
        tri__add_single_writer(&into->buckets[i], tri__load_relaxed(&from->buckets[i]));
    tri__add_single_writer(&into->total, tri__load_relaxed(&from->total));
    tri__histogram_raise_max(into, tri__load_relaxed(&from->max));
}

static inline uint64_t tri__histogram_count(const struct tri__histogram *histogram)
{
    uint64_t count = 0;
    for (unsigned i = 0; i < TRI__HISTOGRAM_BUCKETS; i++)
        count += tri__load_relaxed(&histogram->buckets[i]);
    return count;
}

static inline uint64_t tri__histogram_total(const struct tri__histogram *histogram)
{
    return tri__load_relaxed(&histogram->total);
}

static inline uint64_t tri__histogram_max(const struct tri__histogram *histogram)
{
    return tri__load_relaxed(&histogram->max);
}

/* How many of count values, at least one, a quantile asks for: the smallest whole number not below
 * quantile * count. */
static inline uint64_t tri__histogram_rank(double quantile, uint64_t count)
{
    double wanted = quantile * (double)count;
    if (!(wanted > 1))
        return 1;
    uint64_t rank = (uint64_t)wanted;
    rank += (double)rank < wanted;
    return rank < count ? rank : count;
}

/* A duration that the share quantile (0 to 1) of all recorded ones does not exceed; 0 when nothing
 * was recorded. */
static inline uint64_t tri__histogram_percentile(const struct tri__histogram *histogram,
                                                 double quantile)
{
    uint64_t count = tri__histogram_count(histogram);
    if (count == 0)
        return 0;
    uint64_t rank = tri__histogram_rank(quantile, count);
    uint64_t seen = 0;
    unsigned bucket = 0;
    while (bucket < TRI__HISTOGRAM_OVERFLOW) {
        seen += tri__load_relaxed(&histogram->buckets[bucket]);
        if (seen >= rank)
            break;
        bucket++;
    }
    uint64_t bound = tri__histogram_bucket_max(bucket);
    uint64_t max = tri__histogram_max(histogram);
    return bound < max ? bound : max;
}

#endif
