/* SPDX-License-Identifier: MIT */
/* tests/test_histogram.c: base/histogram.h against a sorted array. */
#include "base/histogram.h"
#include "base/os.h"
#include "tests/random.h"
#include "tests/suite.h"

#include <pthread.h>
#include <string.h>

static uint64_t seed;

START_TEST(buckets_join_without_gap_or_overlap)
{
    ck_assert_uint_eq(tri__histogram_bucket(0), 0);
    for (unsigned bucket = 0; bucket < TRI__HISTOGRAM_OVERFLOW; bucket++) {
        uint64_t last = tri__histogram_bucket_max(bucket);
        ck_assert_uint_eq(tri__histogram_bucket(last), bucket);
        ck_assert_uint_eq(tri__histogram_bucket(last + 1), bucket + 1);
    }
    uint64_t end = UINT64_C(1) << TRI__HISTOGRAM_TOP_BIT;
    ck_assert_uint_eq(tri__histogram_bucket_max(TRI__HISTOGRAM_OVERFLOW - 1), end - 1);
    ck_assert_uint_eq(tri__histogram_bucket(UINT64_MAX), TRI__HISTOGRAM_OVERFLOW);
}
END_TEST

#define VALUES 4000u

static int compare_values(const void *a, const void *b)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    return (left > right) - (left < right);
}

/* The naive answer: of the sorted values, the one that a share of them does not exceed. */
static uint64_t exact_percentile(const uint64_t *sorted, size_t count, double quantile)
{
    size_t i = 0;
    while (i + 1 < count && (double)(i + 1) < quantile * (double)count)
        i++;
    return sorted[i];
}

/* Spread over all powers of two below 2^bits. */
static uint64_t random_duration(struct random *random, unsigned bits)
{
    return random_next(random) >> (64 - 1 - random_below(random, bits));
}

static void assert_percentiles_agree(const struct tri__histogram *histogram, const uint64_t *sorted,
                                     size_t count)
{
    static const double quantiles[] = {0, 0.001, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof quantiles / sizeof quantiles[0]; i++) {
        uint64_t exact = exact_percentile(sorted, count, quantiles[i]);
        uint64_t got = tri__histogram_percentile(histogram, quantiles[i]);
        ck_assert_uint_ge(got, exact);
        ck_assert_uint_le(got, exact + exact / 8);
    }
    ck_assert_uint_eq(tri__histogram_percentile(histogram, 1), sorted[count - 1]);
}

START_TEST(histogram_agrees_with_sorted_values)
{
    static struct tri__histogram all, halves[2], merged;
    static uint64_t values[VALUES];
    struct random random = random_of(seed, 1);
    for (unsigned round = 0; round < 20; round++) {
        size_t count = 1 + random_below(&random, VALUES);
        unsigned bits = 1 + (unsigned)random_below(&random, TRI__HISTOGRAM_TOP_BIT);
        uint64_t total = 0;
        memset(&all, 0, sizeof all);
        memset(halves, 0, sizeof halves);
        memset(&merged, 0, sizeof merged);
        for (size_t i = 0; i < count; i++) {
            values[i] = random_duration(&random, bits);
            total += values[i];
            tri__histogram_record(&all, values[i]);
            tri__histogram_record(&halves[random_below(&random, 2)], values[i]);
        }
        qsort(values, count, sizeof values[0], compare_values);
        ck_assert_uint_eq(tri__histogram_count(&all), count);
        ck_assert_uint_eq(tri__histogram_total(&all), total);
        ck_assert_uint_eq(tri__histogram_max(&all), values[count - 1]);
        assert_percentiles_agree(&all, values, count);
        tri__histogram_merge(&merged, &halves[0]);
        tri__histogram_merge(&merged, &halves[1]);
        ck_assert_mem_eq(&merged, &all, sizeof all);
    }
}
END_TEST

START_TEST(histogram_at_its_ends)
{
    static struct tri__histogram histogram;
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.5), 0);
    ck_assert_uint_eq(tri__histogram_count(&histogram), 0);
    tri__histogram_record(&histogram, 0);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 1), 0);
    uint64_t hour = UINT64_C(3600000000000);
    tri__histogram_record(&histogram, hour);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.5), 0);
    ck_assert_uint_eq(tri__histogram_percentile(&histogram, 0.51), hour);
    ck_assert_uint_eq(tri__histogram_max(&histogram), hour);
    ck_assert_uint_eq(tri__histogram_count(&histogram), 2);
}
END_TEST

#define RECORDS 20000u

static void *record_many(void *argument)
{
    for (uint64_t i = 0; i < RECORDS; i++)
        tri__histogram_record(argument, i);
    return NULL;
}

START_TEST(histogram_can_be_read_while_it_is_written)
{
    static struct tri__histogram histogram;
    pthread_t writer;
    uint64_t last = 0;
    ck_assert_int_eq(tri__os_thread_start(&writer, record_many, &histogram, "writer"), 0);
    while (last < RECORDS) {
        uint64_t count = tri__histogram_count(&histogram);
        ck_assert_uint_ge(count, last);
        ck_assert_uint_lt(tri__histogram_percentile(&histogram, 0.99), RECORDS);
        last = count;
    }
    ck_assert_int_eq(pthread_join(writer, NULL), 0);
    ck_assert_uint_eq(last, RECORDS);
}
END_TEST

static TCase *histogram_case(void)
{
    TCase *tests = tcase_create("histogram");
    tcase_add_test(tests, buckets_join_without_gap_or_overlap);
    tcase_add_test(tests, histogram_agrees_with_sorted_values);
    tcase_add_test(tests, histogram_at_its_ends);
    tcase_add_test(tests, histogram_can_be_read_while_it_is_written);
    return tests;
}

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("histogram");
    suite_add_tcase(suite, histogram_case());
    return run_suite(suite);
}
