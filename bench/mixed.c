/* SPDX-License-Identifier: MIT */
/* mixed: nothing but allocation, for instruction counts: one type alone, or several of one size in
 * turn. `bench/instructions` runs it twice with different numbers of objects and divides.
 *
 * Objects die at once; the first word of each is written. */
#include "bench/bench.h"

#define DEFINE_TYPE(T, bytes)                                                                      \
    typedef struct T {                                                                             \
        uint64_t word;                                                                             \
        void *pointers[(bytes) / 8 - 1];                                                           \
    } T;                                                                                           \
    HEAP_TYPE(T, pointers)

DEFINE_TYPE(alone_16, 16);
DEFINE_TYPE(alone_32, 32);
DEFINE_TYPE(alone_64, 64);
DEFINE_TYPE(alone_256, 256);
DEFINE_TYPE(alone_1024, 1024);

typedef struct first_32 {
    void *p, *q;
    uint64_t word, rest;
} first_32;
HEAP_TYPE(first_32, p, q);

typedef struct third_32 {
    uint64_t word, rest;
    void *p, *q;
} third_32;
HEAP_TYPE(third_32, p, q);

typedef struct other_1024 {
    void *pointers[100];
    uint64_t word, rest[27];
} other_1024;
HEAP_TYPE(other_1024, pointers);

#define MAKE(T, i)                                                                                 \
    do {                                                                                           \
        T *object = heap_new(T);                                                                   \
        object->word = (i);                                                                        \
        __asm__ volatile("" : : "r"(object) : "memory");                                           \
    } while (0)

#define DEFINE_ALONE(T)                                                                            \
    static void run_##T(size_t count)                                                              \
    {                                                                                              \
        for (size_t i = 0; i < count; i++)                                                         \
            MAKE(T, i);                                                                            \
    }

DEFINE_ALONE(alone_16)
DEFINE_ALONE(alone_32)
DEFINE_ALONE(alone_64)
DEFINE_ALONE(alone_256)
DEFINE_ALONE(alone_1024)

static void run_two_32(size_t count)
{
    for (size_t i = 0; i < count; i += 2) {
        MAKE(alone_32, i);
        MAKE(first_32, i);
    }
}

static void run_three_32(size_t count)
{
    for (size_t i = 0; i < count; i += 3) {
        MAKE(alone_32, i);
        MAKE(first_32, i);
        MAKE(third_32, i);
    }
}

static void run_two_1024(size_t count)
{
    for (size_t i = 0; i < count; i += 2) {
        MAKE(alone_1024, i);
        MAKE(other_1024, i);
    }
}

static const struct mixture {
    const char *name;
    void (*run)(size_t count);
} mixtures[] = {
    {"16", run_alone_16},      {"32", run_alone_32},         {"64", run_alone_64},
    {"256", run_alone_256},    {"1024", run_alone_1024},     {"32+32", run_two_32},
    {"32+32+32", run_three_32}, {"1024+1024", run_two_1024},
};

static const struct mixture *find(const char *name)
{
    for (size_t i = 0; i < sizeof mixtures / sizeof *mixtures; i++)
        if (strcmp(mixtures[i].name, name) == 0)
            return &mixtures[i];
    fprintf(stderr, "mixed: the mixture is one of");
    for (size_t i = 0; i < sizeof mixtures / sizeof *mixtures; i++)
        fprintf(stderr, " %s", mixtures[i].name);
    fprintf(stderr, "\n");
    exit(2);
}

int main(int argc, char **argv)
{
    const struct mixture *mixture = find(argc > 1 ? argv[1] : "32");
    size_t count = 1000 * bench_number(argc, argv, 2, "thousands of objects", 1000, 0, 100000000);
    uint64_t start;

    heap_start();
    start = bench_now();
    mixture->run(count);
    printf("mixed: %s: %s, %zu objects, %.2f ns each\n", heap_name(), mixture->name, count,
           count == 0 ? 0.0 : (double)(bench_now() - start) / (double)count);
    return 0;
}
