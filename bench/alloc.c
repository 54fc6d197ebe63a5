/* SPDX-License-Identifier: MIT */
/* alloc: nanoseconds to allocate a zeroed object that dies young, by size, typed or leaf.
 *
 * Each thread keeps its last `window` objects in an array on its stack and drops the oldest one for
 * each new one. With a window of 1 an object is dropped just before the next is made, which is the
 * best case for malloc. Every object gets its first word written. */
#include "bench/bench.h"

#define WINDOW_MAX 4096

#define FOR_EACH_SIZE(X) X(16) X(32) X(64) X(256) X(1024)

struct settings {
    size_t count, window;
};

/* Makes the compiler believe that all of memory is looked at, so that no store is left out. */
static inline void keep(void)
{
    __asm__ volatile("" ::: "memory");
}

/* One loop a type: size and layout are constants where an object is made, as in any program. */
#define DEFINE_LOOP(T, new_object)                                                                 \
    static void run_##T(struct bench_part *part)                                                   \
    {                                                                                              \
        const struct settings *settings = part->argument;                                          \
        T *window[WINDOW_MAX] = {NULL};                                                            \
        size_t place = 0;                                                                          \
                                                                                                   \
        for (size_t i = 0; i < settings->count; i++) {                                             \
            heap_free(window[place]);                                                              \
            window[place] = new_object(T);                                                         \
            window[place]->word = i;                                                               \
            keep();                                                                                \
            place = place + 1 == settings->window ? 0 : place + 1;                                 \
        }                                                                                          \
        for (size_t i = 0; i < settings->window; i++)                                              \
            heap_free(window[i]);                                                                  \
        part->count = settings->count;                                                             \
    }

#define DEFINE_SIZE(bytes)                                                                         \
    typedef struct typed_##bytes {                                                                 \
        uint64_t word;                                                                             \
        void *pointers[bytes / 8 - 1];                                                             \
    } typed_##bytes;                                                                               \
    HEAP_TYPE(typed_##bytes, pointers);                                                            \
    DEFINE_LOOP(typed_##bytes, heap_new)                                                           \
    typedef struct leaf_##bytes {                                                                  \
        uint64_t word;                                                                             \
        char rest[bytes - 8];                                                                      \
    } leaf_##bytes;                                                                                \
    HEAP_LEAF_TYPE(leaf_##bytes);                                                                  \
    DEFINE_LOOP(leaf_##bytes, heap_new_leaf)

FOR_EACH_SIZE(DEFINE_SIZE)

#define LIST_SIZE(bytes) {bytes, run_typed_##bytes, run_leaf_##bytes},

static const struct size {
    unsigned bytes;
    void (*typed)(struct bench_part *part);
    void (*leaf)(struct bench_part *part);
} sizes[] = {FOR_EACH_SIZE(LIST_SIZE)};

/* Nanoseconds an object, as a thread sees it: the threads run side by side. */
static double measure(void (*work)(struct bench_part *part), unsigned threads,
                      struct settings *settings)
{
    struct bench_part parts[BENCH_THREADS_MAX];
    uint64_t start = bench_now();

    bench_run(parts, threads, work, settings);
    return (double)(bench_now() - start) / (double)settings->count;
}

int main(int argc, char **argv)
{
    struct settings settings = {
        .count = 1000 * bench_number(argc, argv, 1, "thousands of objects", 20000, 1, 100000000),
        .window = bench_number(argc, argv, 3, "the window", 64, 1, WINDOW_MAX),
    };
    unsigned threads =
        (unsigned)bench_number(argc, argv, 2, "the number of threads", 1, 1, BENCH_THREADS_MAX);

    heap_start();
    printf("alloc: %s\n", heap_name());
    printf("%zu objects a thread, %u threads, the last %zu alive\n", settings.count, threads,
           settings.window);
    printf("%6s  %10s  %10s\n", "bytes", "typed ns", "leaf ns");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        double typed = measure(sizes[i].typed, threads, &settings);
        double leaf = measure(sizes[i].leaf, threads, &settings);

        printf("%6u  %10.2f  %10.2f\n", sizes[i].bytes, typed, leaf);
    }
    return 0;
}
