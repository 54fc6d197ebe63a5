/* SPDX-License-Identifier: MIT */
/* base/config.c: one check a field, one parser a variable, one table of variables. */
#include "base/config.h"

#include "base/chaos.h"
#include "base/fatal.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A percentage of any heap size stays far from the end of 64 bits. */
#define PERCENT_MAX 1000000
#define MARKERS_MAX 1024u
#define RESERVE_MIN ((size_t)4 << 20)
#define RESERVE_MAX ((size_t)64 << 40)

#define PERCENT_ACCEPTED                                                                           \
    "a whole number of percent from 0 to 1000000, or -1 or \"off\" for no automatic cycles"
#define SIZE_ACCEPTED "a number of bytes with or without a suffix K, M, G or T (KiB, MiB, GiB, TiB)"
#define LIMIT_ACCEPTED SIZE_ACCEPTED ", 0 for the cgroup's limit, or \"off\" for none"
#define RESERVE_ACCEPTED SIZE_ACCEPTED " from 4M to 64T, or 0 for the default"
#define MARKERS_ACCEPTED "a number of threads from 1 to 1024, or 0 for the default"
#define SIGNAL_ACCEPTED                                                                            \
    "the number of a signal that can be caught and reports no fault, 0 for the default, "          \
    "or -1 or \"off\" for none"
#define STALL_MAX 86400000u /* a day */
#define STALL_ACCEPTED                                                                             \
    "a number of milliseconds up to 86400000, 0 for the default, or \"off\" (UINT_MAX in "           \
    "tri_config) for no reports"
#define TRACE_ACCEPTED "a list, separated by commas, of: gc"
#define SEED_ACCEPTED "a whole number below 2^64"

#ifdef TRI__DEBUG
enum { HAS_ORACLE = 1 };
#define VERIFY_ACCEPTED                                                                            \
    "a list, separated by commas, of: barrier, barrier=warn, layout, clobber, blocking, oracle, chaos=SEED or "        \
    "chaos=SEED:POINT+POINT... (docs/chaos.md); or \"off\" for no verification"
#else
enum { HAS_ORACLE = 0 };
#define VERIFY_ACCEPTED                                                                            \
    "a list, separated by commas, of: barrier, barrier=warn, layout, clobber, blocking, chaos=SEED or "                \
    "chaos=SEED:POINT+POINT... (docs/chaos.md); or \"off\" for no verification; oracle "  \
    "needs a library that was configured with --enable-debug"
#endif

/* ---- what the values may be ---- */

static bool percent_is_good(int percent) { return percent >= -1 && percent <= PERCENT_MAX; }

static bool reserve_is_good(size_t bytes)
{
    return bytes == 0 || (bytes >= RESERVE_MIN && bytes <= RESERVE_MAX);
}

static bool markers_is_good(unsigned markers) { return markers <= MARKERS_MAX; }

static bool signal_is_good(int number)
{
    switch (number) {
    case SIGKILL:
    case SIGSTOP:
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
        return false;
    default:
        /* Between the classic signals and SIGRTMIN lie those the C library keeps for itself. */
        return (number >= -1 && number <= SIGSYS) || (number >= SIGRTMIN && number <= SIGRTMAX);
    }
}

static bool stall_is_good(unsigned ms) { return ms <= STALL_MAX || ms == UINT_MAX; }

/* ---- reading text ---- */

/* Digits only: no sign, no space. Returns what follows them, NULL when there are none or they are
 * too many. */
static const char *read_number(const char *text, uint64_t *value)
{
    const char *next = text;
    uint64_t sum = 0;
    for (; *next >= '0' && *next <= '9'; next++) {
        unsigned digit = (unsigned)(*next - '0');
        if (__builtin_mul_overflow(sum, 10u, &sum) || __builtin_add_overflow(sum, digit, &sum))
            return NULL;
    }
    *value = sum;
    return next == text ? NULL : next;
}

static bool read_whole_number(const char *text, uint64_t limit, uint64_t *value)
{
    const char *end = read_number(text, value);
    return end != NULL && *end == '\0' && *value <= limit;
}

/* A number, or -1, or the word for it. */
static bool read_int_or_off(const char *text, int *value)
{
    uint64_t number;
    if (strcmp(text, "off") == 0 || strcmp(text, "-1") == 0) {
        *value = -1;
        return true;
    }
    if (!read_whole_number(text, INT_MAX, &number))
        return false;
    *value = (int)number;
    return true;
}

/* How far a suffix shifts; -1: not one of them. */
static int suffix_shift(const char *suffix)
{
    static const char letters[] = "kKmMgGtT"; /* two a step of ten bits */
    if (*suffix == '\0' || strcmp(suffix, "B") == 0)
        return 0;
    const char *letter = strchr(letters, *suffix);
    if (letter == NULL || (suffix[1] != '\0' && strcmp(suffix + 1, "iB") != 0))
        return -1;
    return 10 * ((int)(letter - letters) / 2 + 1);
}

static bool read_size(const char *text, size_t *value)
{
    uint64_t number;
    const char *suffix = read_number(text, &number);
    int shift = suffix == NULL ? -1 : suffix_shift(suffix);
    if (shift < 0 || number > SIZE_MAX >> shift)
        return false;
    *value = (size_t)number << shift;
    return true;
}

/* ---- the variables ---- */

static bool parse_gc_percent(struct tri__options *options, const char *text)
{
    return read_int_or_off(text, &options->gc_percent) && percent_is_good(options->gc_percent);
}

static bool parse_memory_limit(struct tri__options *options, const char *text)
{
    if (strcmp(text, "off") == 0) {
        options->memory_limit = SIZE_MAX;
        return true;
    }
    return read_size(text, &options->memory_limit);
}

static bool parse_heap_reserve(struct tri__options *options, const char *text)
{
    return read_size(text, &options->heap_reserve) && reserve_is_good(options->heap_reserve);
}

static bool parse_markers(struct tri__options *options, const char *text)
{
    uint64_t number;
    if (!read_whole_number(text, MARKERS_MAX, &number))
        return false;
    options->markers = (unsigned)number;
    return true;
}

static bool parse_signal(struct tri__options *options, const char *text)
{
    return read_int_or_off(text, &options->signal) && signal_is_good(options->signal);
}

static bool parse_stall(struct tri__options *options, const char *text)
{
    uint64_t number = UINT_MAX;
    if (strcmp(text, "off") != 0 && !read_whole_number(text, STALL_MAX, &number))
        return false;
    options->stall_ms = (unsigned)number;
    return true;
}

static bool is_word(const char *text, size_t length, const char *word)
{
    return length == strlen(word) && memcmp(text, word, length) == 0;
}

static bool add_mode(const char *name, size_t length, struct tri__options *options)
{
    if (is_word(name, length, "barrier"))
        options->barrier = TRI__VERIFY_ABORT;
    else if (is_word(name, length, "barrier=warn"))
        options->barrier = TRI__VERIFY_WARN;
    else if (is_word(name, length, "layout"))
        options->layout = true;
    else if (is_word(name, length, "clobber"))
        options->clobber = true;
    else if (is_word(name, length, "blocking"))
        options->blocking = true;
    else if (length >= strlen("chaos") && is_word(name, strlen("chaos"), "chaos"))
        return tri__chaos_parse(name + strlen("chaos"), length - strlen("chaos"),
                                &options->chaos_seed, &options->chaos_points);
    else if (HAS_ORACLE && is_word(name, length, "oracle"))
        options->oracle = true;
    else
        return false;
    return true;
}

/* What is verified unless somebody asks for something else: layouts, if the build can. */
static bool read_verify(const char *text, struct tri__options *options)
{
    options->oracle = HAS_ORACLE;
    options->barrier = TRI__VERIFY_OFF;
    options->layout = options->clobber = options->blocking = false;
    options->chaos_points = 0;
    if (text == NULL || *text == '\0')
        return true;
    options->oracle = false;
    if (strcmp(text, "off") == 0)
        return true;
    for (const char *name = text;; name++) {
        size_t length = strcspn(name, ",");
        if (!add_mode(name, length, options))
            return false;
        name += length;
        if (*name == '\0')
            return true;
    }
}

static bool parse_verify(struct tri__options *options, const char *text)
{
    return read_verify(text, options);
}

static bool parse_trace(struct tri__options *options, const char *text)
{
    for (const char *name = text;; name++) {
        size_t length = strcspn(name, ",");
        if (length != 2 || memcmp(name, "gc", 2) != 0)
            return false;
        options->trace_gc = true;
        name += length;
        if (*name == '\0')
            return true;
    }
}

static bool parse_trace_file(struct tri__options *options, const char *text)
{
    options->trace_file = text;
    return true;
}

static bool parse_seed(struct tri__options *options, const char *text)
{
    return read_whole_number(text, UINT64_MAX, &options->seed);
}

static const struct variable {
    const char *name;
    bool (*parse)(struct tri__options *options, const char *text);
    const char *accepted;
} variables[] = {
    {"TRICOLOR_GC_PERCENT", parse_gc_percent, PERCENT_ACCEPTED},
    {"TRICOLOR_MEMORY_LIMIT", parse_memory_limit, LIMIT_ACCEPTED},
    {"TRICOLOR_HEAP_RESERVE", parse_heap_reserve, RESERVE_ACCEPTED},
    {"TRICOLOR_MARKERS", parse_markers, MARKERS_ACCEPTED},
    {"TRICOLOR_SIGNAL", parse_signal, SIGNAL_ACCEPTED},
    {"TRICOLOR_STALL", parse_stall, STALL_ACCEPTED},
    {"TRICOLOR_VERIFY", parse_verify, VERIFY_ACCEPTED},
    {"TRICOLOR_TRACE", parse_trace, TRACE_ACCEPTED},
    {"TRICOLOR_TRACE_FILE", parse_trace_file, "the name of a file"},
    {"TRICOLOR_SEED", parse_seed, SEED_ACCEPTED},
};

/* Unset and empty are the same. A program that runs with more rights than its user takes nothing
 * from the environment. */
static int read_environment(struct tri__options *options)
{
    for (size_t i = 0; i < sizeof variables / sizeof variables[0]; i++) {
        const char *text = secure_getenv(variables[i].name);
        if (text == NULL || *text == '\0' || variables[i].parse(options, text))
            continue;
        tri__warn("the environment has %s=\"%s\"; accepted is %s.", variables[i].name, text,
                  variables[i].accepted);
        return -EINVAL;
    }
    return 0;
}

/* ---- the program's configuration ---- */

static int check_config(const tri_config *config)
{
    if (!percent_is_good(config->gc_percent))
        tri__warn("tri_config.gc_percent is %d; accepted is " PERCENT_ACCEPTED ".",
                  config->gc_percent);
    else if (!reserve_is_good(config->heap_reserve))
        tri__warn("tri_config.heap_reserve is %zu; accepted is " RESERVE_ACCEPTED ".",
                  config->heap_reserve);
    else if (!markers_is_good(config->markers))
        tri__warn("tri_config.markers is %u; accepted is " MARKERS_ACCEPTED ".", config->markers);
    else if (!signal_is_good(config->signal))
        tri__warn("tri_config.signal is %d; accepted is " SIGNAL_ACCEPTED ".", config->signal);
    else if (!stall_is_good(config->stall_ms))
        tri__warn("tri_config.stall_ms is %u; accepted is " STALL_ACCEPTED ".", config->stall_ms);
    else
        return 0;
    return -EINVAL;
}

int tri__options_load(struct tri__options *out, const tri_config *config)
{
    static const tri_config defaults = TRI_CONFIG_INIT;
    if (config == NULL)
        config = &defaults;
    int status = check_config(config);
    if (status != 0)
        return status;
    struct tri__options options = {
        .gc_percent = config->gc_percent,
        .memory_limit = config->memory_limit,
        .heap_reserve = config->heap_reserve,
        .markers = config->markers,
        .signal = config->signal,
        .stall_ms = config->stall_ms,
        .oom = config->oom,
        .oom_argument = config->oom_argument,
        .log = config->log,
        .log_argument = config->log_argument,
    };
    if (!read_verify(config->verify, &options)) {
        tri__warn("tri_config.verify is \"%s\"; accepted is " VERIFY_ACCEPTED ".", config->verify);
        return -EINVAL;
    }
    status = read_environment(&options);
    if (status == 0)
        *out = options;
    return status;
}
