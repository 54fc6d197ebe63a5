/* SPDX-License-Identifier: MIT */
/* layout: nanoseconds that the type-pointers iterator takes for a pointer, beside a loop that tests
 * a bit for each word.
 *
 *     layout [samples [milliseconds a sample]]
 *
 * Both walk 256 KiB of values of one type, and add up the addresses of the pointer words. Nothing
 * is read at these addresses: there is no memory there. What is read is the type's mask, which
 * stays in the first-level cache. Both must come to the same sum. */
#include "bench/bench.h"
#include "layout/type_pointers.h"

#define BYTES ((size_t)256 << 10)
#define BASE ((uintptr_t)1 << 40)
#define SAMPLES_MAX 1000

typedef struct in_eight {
    uint64_t numbers[3];
    void *pointer;
    uint64_t more[4];
} in_eight;
HEAP_TYPE(in_eight, pointer);

typedef struct in_front {
    void *pointer;
    uint64_t numbers[1023];
} in_front;
HEAP_TYPE(in_front, pointer);

typedef struct in_the_middle {
    uint64_t numbers[512];
    void *pointer;
    uint64_t more[511];
} in_the_middle;
HEAP_TYPE(in_the_middle, pointer);

typedef struct mixed {
    void *first, *second;
    uint64_t number;
} mixed;
HEAP_TYPE(mixed, first, second);

struct walk {
    size_t pointers;
    uintptr_t sum;
};

static struct walk walk_by_iterator(const tri_type *type)
{
    struct tri__type_pointers it = tri__type_pointers_of_type(type, BASE, BASE + BYTES);
    struct walk walk = {0, 0};
    uintptr_t slot;

    while ((slot = tri__type_pointers_next(&it)) != 0) {
        walk.pointers++;
        walk.sum += slot;
    }
    return walk;
}

static struct walk walk_bit_by_bit(const tri_type *type)
{
    const uint64_t *mask = tri__type_mask(type);
    struct walk walk = {0, 0};

    for (uintptr_t element = BASE; element < BASE + BYTES; element += type->size) {
        for (size_t word = 0; word < type->ptr_bytes / TRI_WORD; word++) {
            uintptr_t slot = element + word * TRI_WORD;

            if ((mask[word / 64] >> (word % 64) & 1) == 0 || slot >= BASE + BYTES)
                continue;
            walk.pointers++;
            walk.sum += slot;
        }
    }
    return walk;
}

static const struct {
    const char *name;
    const tri_type *type;
} cases[] = {
    {"an array of pointers", &tri_type_ptr},       {"2 words in 3", &tri_type_mixed},
    {"1 word in 8", &tri_type_in_eight},           {"1 in 1024, in front", &tri_type_in_front},
    {"1 in 1024, halfway", &tri_type_in_the_middle},
};

enum { ITERATOR, NAIVE, WAYS };
#define CASES (sizeof cases / sizeof *cases)

static struct walk (*const ways[WAYS])(const tri_type *type) = {walk_by_iterator, walk_bit_by_bit};
static const char *const names[WAYS] = {"iterator", "bit by bit"};
static double samples[CASES][WAYS][SAMPLES_MAX];

/* Compilers shall not know the type where it is walked. */
static const tri_type *hidden(const tri_type *type)
{
    __asm__ volatile("" : "+r"(type));
    return type;
}

/* Nanoseconds a pointer, over at least `least` nanoseconds. */
static double time_walks(size_t i, int way, uint64_t least)
{
    struct walk all = {0, 0}, right = walk_bit_by_bit(cases[i].type);
    uint64_t start = bench_now(), ns = 0;
    size_t walks = 0;

    while (ns < least) {
        for (int k = 0; k < 16; k++, walks++) {
            struct walk walk = ways[way](hidden(cases[i].type));

            all.pointers += walk.pointers;
            all.sum += walk.sum;
        }
        ns = bench_now() - start;
    }
    if (all.pointers != walks * right.pointers || all.sum != walks * right.sum)
        heap_die("the iterator's sum");
    return (double)ns / (double)all.pointers;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_case(size_t i, int way, size_t count)
{
    double *of = samples[i][way];

    printf("%-24s %-12s %8.3f (%.3f to %.3f)  x %6.2f\n", cases[i].name, names[way], of[count / 2],
           of[0], of[count - 1], of[count / 2] / samples[i][ITERATOR][count / 2]);
}

int main(int argc, char **argv)
{
    size_t count = bench_number(argc, argv, 1, "samples", 21, 1, SAMPLES_MAX);
    uint64_t least =
        1000000 * (uint64_t)bench_number(argc, argv, 2, "milliseconds a sample", 10, 1, 10000);

    for (size_t sample = 0; sample < count; sample++)
        for (size_t i = 0; i < CASES; i++)
            for (int way = 0; way < WAYS; way++)
                samples[i][way][sample] = time_walks(i, way, least);
    printf("layout: %zu samples of %zu ms each: ns a pointer, median (least to most), ratio to the "
           "iterator\n",
           count, (size_t)least / 1000000);
    for (size_t i = 0; i < CASES; i++)
        for (int way = 0; way < WAYS; way++) {
            qsort(samples[i][way], count, sizeof(double), compare);
            print_case(i, way, count);
        }
    return 0;
}
