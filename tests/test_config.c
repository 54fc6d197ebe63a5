/* SPDX-License-Identifier: MIT */
/* tests/test_config.c: options from tri_config and the environment, good and bad, by table. */
#include "base/config.h"
#include "tests/capture.h"
#include "tests/suite.h"

#include <stdio.h>
#include <string.h>

#define GIB ((size_t)1 << 30)

static const char *const variables[] = {
    "TRICOLOR_GC_PERCENT", "TRICOLOR_MEMORY_LIMIT", "TRICOLOR_HEAP_RESERVE",
    "TRICOLOR_MARKERS",    "TRICOLOR_SIGNAL",       "TRICOLOR_STALL",
    "TRICOLOR_VERIFY",     "TRICOLOR_TRACE",        "TRICOLOR_TRACE_FILE",
    "TRICOLOR_SEED",
};

static void clear_environment(void)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++)
        ck_assert_int_eq(unsetenv(variables[i]), 0);
}

/* ---- values of one variable ---- */

/* Every number of the options, as text; so one table serves all variables. */
static void describe(const struct tri__options *options, char *text, size_t room)
{
    snprintf(text, room, "%d %zu %zu %u %d %s %d %s %llu", options->gc_percent,
             options->memory_limit, options->heap_reserve, options->markers, options->signal,
             options->oracle == IS_DEBUG_BUILD ? "-" : "other", options->trace_gc,
             options->trace_file == NULL ? "-" : options->trace_file,
             (unsigned long long)options->seed);
}

struct good {
    const char *name, *value, *expected;
};

static const struct good good_values[] = {
    {"TRICOLOR_GC_PERCENT", "", "100 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_GC_PERCENT", "0", "0 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_GC_PERCENT", "250", "250 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_GC_PERCENT", "1000000", "1000000 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_GC_PERCENT", "off", "-1 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_GC_PERCENT", "-1", "-1 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "0", "100 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "12345", "100 12345 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "12345B", "100 12345 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "3K", "100 3072 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "3k", "100 3072 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "3KiB", "100 3072 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "5M", "100 5242880 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "5miB", "100 5242880 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "2G", "100 2147483648 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "2GiB", "100 2147483648 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "1T", "100 1099511627776 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "off", "100 18446744073709551615 0 0 0 - 0 - 0"},
    {"TRICOLOR_MEMORY_LIMIT", "18446744073709551615", "100 18446744073709551615 0 0 0 - 0 - 0"},
    {"TRICOLOR_HEAP_RESERVE", "0", "100 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_HEAP_RESERVE", "4M", "100 0 4194304 0 0 - 0 - 0"},
    {"TRICOLOR_HEAP_RESERVE", "64T", "100 0 70368744177664 0 0 - 0 - 0"},
    {"TRICOLOR_MARKERS", "0", "100 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_MARKERS", "1024", "100 0 0 1024 0 - 0 - 0"},
    {"TRICOLOR_SIGNAL", "0", "100 0 0 0 0 - 0 - 0"},
    {"TRICOLOR_SIGNAL", "23", "100 0 0 0 23 - 0 - 0"},
    {"TRICOLOR_SIGNAL", "64", "100 0 0 0 64 - 0 - 0"},
    {"TRICOLOR_SIGNAL", "off", "100 0 0 0 -1 - 0 - 0"},
    {"TRICOLOR_SIGNAL", "-1", "100 0 0 0 -1 - 0 - 0"},
    {"TRICOLOR_TRACE", "gc", "100 0 0 0 0 - 1 - 0"},
    {"TRICOLOR_TRACE", "gc,gc", "100 0 0 0 0 - 1 - 0"},
    {"TRICOLOR_TRACE_FILE", "x.json", "100 0 0 0 0 - 0 x.json 0"},
    {"TRICOLOR_SEED", "18446744073709551615", "100 0 0 0 0 - 0 - 18446744073709551615"},
};

START_TEST(good_value_is_taken)
{
    const struct good *row = &good_values[_i];
    struct tri__options options;
    char text[256];
    clear_environment();
    ck_assert_int_eq(setenv(row->name, row->value, 1), 0);
    ck_assert_int_eq(tri__options_load(&options, NULL), 0);
    describe(&options, text, sizeof text);
    ck_assert_str_eq(text, row->expected);
}
END_TEST

static const struct bad {
    const char *name, *value;
} bad_values[] = {
    {"TRICOLOR_GC_PERCENT", "-2"},
    {"TRICOLOR_GC_PERCENT", "1000001"},
    {"TRICOLOR_GC_PERCENT", "99999999999999999999999"},
    {"TRICOLOR_GC_PERCENT", "100%"},
    {"TRICOLOR_GC_PERCENT", " 100"},
    {"TRICOLOR_GC_PERCENT", "+100"},
    {"TRICOLOR_GC_PERCENT", "OFF"},
    {"TRICOLOR_GC_PERCENT", "1e2"},
    {"TRICOLOR_MEMORY_LIMIT", "-1"},
    {"TRICOLOR_MEMORY_LIMIT", "M"},
    {"TRICOLOR_MEMORY_LIMIT", "1MB"},
    {"TRICOLOR_MEMORY_LIMIT", "1Mi"},
    {"TRICOLOR_MEMORY_LIMIT", "1MiBs"},
    {"TRICOLOR_MEMORY_LIMIT", "1.5G"},
    {"TRICOLOR_MEMORY_LIMIT", "1 G"},
    {"TRICOLOR_MEMORY_LIMIT", "0x10"},
    {"TRICOLOR_MEMORY_LIMIT", "1P"},
    {"TRICOLOR_MEMORY_LIMIT", "16777216T"},
    {"TRICOLOR_MEMORY_LIMIT", "18446744073709551616"},
    {"TRICOLOR_HEAP_RESERVE", "4095K"},
    {"TRICOLOR_HEAP_RESERVE", "65T"},
    {"TRICOLOR_HEAP_RESERVE", "off"},
    {"TRICOLOR_MARKERS", "1025"},
    {"TRICOLOR_MARKERS", "-1"},
    {"TRICOLOR_MARKERS", "two"},
    {"TRICOLOR_STALL", "86400001"},
    {"TRICOLOR_STALL", "-1"},
    {"TRICOLOR_STALL", "1s"},
    {"TRICOLOR_SIGNAL", "65"},
    {"TRICOLOR_SIGNAL", "-2"},
    {"TRICOLOR_SIGNAL", "9"},
    {"TRICOLOR_SIGNAL", "11"},
    {"TRICOLOR_SIGNAL", "19"},
    {"TRICOLOR_SIGNAL", "32"}, /* the C library's own */
    {"TRICOLOR_SIGNAL", "URG"},
    {"TRICOLOR_VERIFY", "barrier,chaos=seven"},
    {"TRICOLOR_VERIFY", "chaos=7:h2+nowhere"},
    {"TRICOLOR_VERIFY", "chaos=7:h2,refill"},
    {"TRICOLOR_VERIFY", "chaotic"},
    {"TRICOLOR_VERIFY", "barrier=abort"},
    {"TRICOLOR_VERIFY", "barriers"},
    {"TRICOLOR_VERIFY", "layout=1"},
    {"TRICOLOR_VERIFY", "barrier=warn,"},
    {"TRICOLOR_VERIFY", "oracl"},
    {"TRICOLOR_VERIFY", "oracles"},
    {"TRICOLOR_VERIFY", "oracle,"},
    {"TRICOLOR_VERIFY", "oracle,off"},
    {"TRICOLOR_VERIFY", "OFF"},
    {"TRICOLOR_TRACE", "g"},
    {"TRICOLOR_TRACE", "gcc"},
    {"TRICOLOR_TRACE", "gc,"},
    {"TRICOLOR_TRACE", ",gc"},
    {"TRICOLOR_TRACE", "gc,sweep"},
    {"TRICOLOR_SEED", "18446744073709551616"},
    {"TRICOLOR_SEED", "-1"},
};

/* Loads into options that must stay as they are; exit code 0 says that it went as it should. */
static void load_and_expect_refusal(void)
{
    struct tri__options options, before;
    memset(&options, 0x5a, sizeof options);
    before = options;
    int status = tri__options_load(&options, NULL);
    _exit(status == -EINVAL && memcmp(&options, &before, sizeof options) == 0 ? 0 : 1);
}

START_TEST(bad_value_is_refused_with_one_message)
{
    const struct bad *row = &bad_values[_i];
    clear_environment();
    ck_assert_int_eq(setenv(row->name, row->value, 1), 0);
    struct captured captured = capture_child(load_and_expect_refusal);
    ck_assert(captured_exited(&captured, 0));
    char expected[256];
    snprintf(expected, sizeof expected, "tricolor: the environment has %s=\"%s\"; accepted is ",
             row->name, row->value);
    ck_assert_int_eq(strncmp(captured.text, expected, strlen(expected)), 0);
    ck_assert_ptr_eq(strchr(captured.text, '\n'), captured.text + strlen(captured.text) - 1);
}
END_TEST

/* ---- the program's configuration ---- */

static bool refuse_memory(size_t bytes, void *argument) { return bytes == 0 && argument == NULL; }

static void drop_line(const char *line, void *argument)
{
    (void)line;
    (void)argument;
}

START_TEST(configuration_is_taken_over)
{
    int oom_argument, log_argument;
    struct tri__options options;
    char text[256];
    tri_config config = {70,            2 * GIB,   GIB,           3,        12, refuse_memory,
                         &oom_argument, drop_line, &log_argument, "off", 7};
    clear_environment();
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    describe(&options, text, sizeof text);
    ck_assert_str_eq(text, IS_DEBUG_BUILD ? "70 2147483648 1073741824 3 12 other 0 - 0"
                                          : "70 2147483648 1073741824 3 12 - 0 - 0");
    ck_assert(options.oom == refuse_memory);
    ck_assert_ptr_eq(options.oom_argument, &oom_argument);
    ck_assert(options.log == drop_line);
    ck_assert_ptr_eq(options.log_argument, &log_argument);
    ck_assert_uint_eq(options.stall_ms, 7);
}
END_TEST

START_TEST(no_configuration_means_defaults)
{
    static const tri_config defaults = TRI_CONFIG_INIT;
    struct tri__options from_null, from_defaults;
    char texts[2][256];
    clear_environment();
    ck_assert_int_eq(tri__options_load(&from_null, NULL), 0);
    ck_assert_int_eq(tri__options_load(&from_defaults, &defaults), 0);
    describe(&from_null, texts[0], sizeof texts[0]);
    describe(&from_defaults, texts[1], sizeof texts[1]);
    ck_assert_str_eq(texts[0], "100 0 0 0 0 - 0 - 0");
    ck_assert_str_eq(texts[1], texts[0]);
}
END_TEST

START_TEST(environment_overrides_the_configuration)
{
    tri_config config = TRI_CONFIG_INIT;
    struct tri__options options;
    char text[256];
    config.gc_percent = 70;
    config.markers = 3;
    clear_environment();
    ck_assert_int_eq(setenv("TRICOLOR_GC_PERCENT", "off", 1), 0);
    ck_assert_int_eq(setenv("TRICOLOR_SEED", "5", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    describe(&options, text, sizeof text);
    ck_assert_str_eq(text, "-1 0 0 3 0 - 0 - 5");
}
END_TEST

START_TEST(missing_barriers_are_looked_for)
{
    struct tri__options options;
    tri_config config = TRI_CONFIG_INIT;
    clear_environment();
    ck_assert_int_eq(tri__options_load(&options, NULL), 0);
    ck_assert_int_eq(options.barrier, TRI__VERIFY_OFF);
    config.verify = "barrier";
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert_int_eq(options.barrier, TRI__VERIFY_ABORT);
    ck_assert(!options.oracle);
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "barrier=warn", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert_int_eq(options.barrier, TRI__VERIFY_WARN);
}
END_TEST

START_TEST(chaos_has_a_seed_and_points)
{
    struct tri__options options;
    tri_config config = TRI_CONFIG_INIT;
    clear_environment();
    ck_assert_int_eq(tri__options_load(&options, NULL), 0);
    ck_assert_uint_eq(options.chaos_points, 0);
    config.verify = "barrier=warn,chaos=12:h2+h4,layout";
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert_uint_eq(options.chaos_seed, 12);
    ck_assert_int_eq(__builtin_popcountll(options.chaos_points), 2);
    ck_assert(options.layout && options.barrier == TRI__VERIFY_WARN);
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "chaos", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert_uint_eq(options.chaos_seed, 0);
    ck_assert_int_gt(__builtin_popcountll(options.chaos_points), 2);
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "barrier", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert_uint_eq(options.chaos_points, 0);
}
END_TEST

START_TEST(the_oracle_is_for_debug_builds)
{
    struct tri__options options;
    tri_config config = TRI_CONFIG_INIT;
    clear_environment();
    ck_assert_int_eq(tri__options_load(&options, NULL), 0);
    ck_assert(options.oracle == IS_DEBUG_BUILD);
    config.verify = "off";
    ck_assert_int_eq(tri__options_load(&options, &config), 0);
    ck_assert(!options.oracle);
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "oracle,oracle", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), IS_DEBUG_BUILD ? 0 : -EINVAL);
    ck_assert(options.oracle == IS_DEBUG_BUILD);
    config.verify = "oracle";
    ck_assert_int_eq(setenv("TRICOLOR_VERIFY", "off", 1), 0);
    ck_assert_int_eq(tri__options_load(&options, &config), IS_DEBUG_BUILD ? 0 : -EINVAL);
    ck_assert(!options.oracle);
}
END_TEST

static const struct bad_config {
    const char *field;
    tri_config config;
} bad_configs[] = {
    {"tri_config.gc_percent is -2", {.gc_percent = -2}},
    {"tri_config.gc_percent is 1000001", {.gc_percent = 1000001}},
    {"tri_config.heap_reserve is 1", {.heap_reserve = 1}},
    {"tri_config.heap_reserve is 18446744073709551615", {.heap_reserve = SIZE_MAX}},
    {"tri_config.markers is 4294967295", {.markers = UINT32_MAX}},
    {"tri_config.signal is -2", {.signal = -2}},
    {"tri_config.signal is 9", {.signal = SIGKILL}},
    {"tri_config.stall_ms is 86400001", {.stall_ms = 86400001}},
    {"tri_config.verify is \"clobbers\"", {.verify = "clobbers"}},
};

static const tri_config *config_to_load;

static void load_configuration(void)
{
    struct tri__options options;
    _exit(tri__options_load(&options, config_to_load) == -EINVAL ? 0 : 1);
}

START_TEST(bad_configuration_is_refused_with_one_message)
{
    const struct bad_config *row = &bad_configs[_i];
    clear_environment();
    config_to_load = &row->config;
    struct captured captured = capture_child(load_configuration);
    ck_assert(captured_exited(&captured, 0));
    ck_assert_ptr_nonnull(strstr(captured.text, row->field));
    ck_assert_ptr_nonnull(strstr(captured.text, "; accepted is "));
    ck_assert_ptr_eq(strchr(captured.text, '\n'), captured.text + strlen(captured.text) - 1);
}
END_TEST

int main(void)
{
    TCase *tests = tcase_create("options");
    tcase_add_loop_test(tests, good_value_is_taken, 0, sizeof good_values / sizeof good_values[0]);
    tcase_add_loop_test(tests, bad_value_is_refused_with_one_message, 0,
                        sizeof bad_values / sizeof bad_values[0]);
    tcase_add_loop_test(tests, bad_configuration_is_refused_with_one_message, 0,
                        sizeof bad_configs / sizeof bad_configs[0]);
    tcase_add_test(tests, configuration_is_taken_over);
    tcase_add_test(tests, no_configuration_means_defaults);
    tcase_add_test(tests, environment_overrides_the_configuration);
    tcase_add_test(tests, missing_barriers_are_looked_for);
    tcase_add_test(tests, chaos_has_a_seed_and_points);
    tcase_add_test(tests, the_oracle_is_for_debug_builds);
    Suite *suite = suite_create("config");
    suite_add_tcase(suite, tests);
    return run_suite(suite);
}
