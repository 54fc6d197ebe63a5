/* SPDX-License-Identifier: MIT */
/* mark: nanoseconds an object that a full collection takes, by how objects lie in memory.
 *
 * They are always the same complete binary tree, where node k has the children 2k + 1 and 2k + 2;
 * what differs is the order of allocation:
 *   depth     of a depth-first walk: a child follows its parent
 *   breadth   of k: a level of the tree follows the one above it
 *   random    any */
#include "bench/bench.h"
#include "tests/random.h"

#define ROUNDS_MAX 100

#define FOR_EACH_SIZE(X) X(16) X(32) X(64) X(128) X(256) X(512) X(1024)

struct node {
    struct node *left, *right;
};

#define DEFINE_SIZE(bytes)                                                                         \
    typedef struct node_##bytes {                                                                  \
        struct node node;                                                                          \
        char rest[bytes - 16];                                                                     \
    } node_##bytes;                                                                                \
    HEAP_TYPE(node_##bytes, node.left, node.right);                                                \
    static struct node *new_##bytes(void)                                                          \
    {                                                                                              \
        return &heap_new(node_##bytes)->node;                                                      \
    }

FOR_EACH_SIZE(DEFINE_SIZE)

#define LIST_SIZE(bytes) {bytes, new_##bytes},

static const struct size {
    size_t bytes;
    struct node *(*new_node)(void);
} sizes[] = {FOR_EACH_SIZE(LIST_SIZE)};

/* What is measured a round. */
struct figures {
    double collect[ROUNDS_MAX]; /* ns an object, from call to return */
    double mark[ROUNDS_MAX];    /* ns a marked object, while a mark ran; 0: not known */
};

/* ---------------------------------------------------------------------------------- placing */

/* place[k]: which of the objects, in the order of their allocation, is node k. */

static void place_depth_first(uint32_t *place, size_t n, size_t k, uint32_t *next)
{
    if (k >= n)
        return;
    place[k] = (*next)++;
    place_depth_first(place, n, 2 * k + 1, next);
    place_depth_first(place, n, 2 * k + 2, next);
}

static void place_breadth_first(uint32_t *place, size_t n)
{
    for (size_t k = 0; k < n; k++)
        place[k] = (uint32_t)k;
}

static void place_at_random(uint32_t *place, size_t n, uint64_t seed)
{
    struct random random = random_of(seed, 0);

    place_breadth_first(place, n);
    for (size_t k = n - 1; k > 0; k--) {
        size_t other = random_below(&random, k + 1);
        uint32_t kept = place[k];

        place[k] = place[other];
        place[other] = kept;
    }
}

static uint32_t *make_places(const char *order, size_t n, uint64_t seed)
{
    uint32_t *place = heap_checked(malloc(n * sizeof *place));
    uint32_t next = 0;

    if (strcmp(order, "depth") == 0)
        place_depth_first(place, n, 0, &next);
    else if (strcmp(order, "breadth") == 0)
        place_breadth_first(place, n);
    else if (strcmp(order, "random") == 0)
        place_at_random(place, n, seed);
    else
        bench_misuse("the order must be depth, breadth or random, not", order);
    return place;
}

/* ----------------------------------------------------------------------------------- the heap */

static void link_nodes(void **objects, const uint32_t *place, size_t n)
{
    for (size_t k = 0; k < n; k++) {
        struct node *node = objects[place[k]];

        if (2 * k + 1 < n)
            heap_store(&node->left, (struct node *)objects[place[2 * k + 1]]);
        if (2 * k + 2 < n)
            heap_store(&node->right, (struct node *)objects[place[2 * k + 2]]);
    }
}

/* The array of all objects is cleared, not just dropped: a forgotten word on the stack could keep
 * it, and it would hand the marker all objects in their order. */
static struct node *build(const struct size *size, const uint32_t *place, size_t n)
{
    void **objects = heap_new_pointers(n);
    struct node *root;

    for (size_t i = 0; i < n; i++)
        heap_store(&objects[i], (void *)size->new_node());
    link_nodes(objects, place, n);
    root = objects[place[0]];
    heap_clear(objects, n);
    return root;
}

static size_t count_nodes(const struct node *node)
{
    return node == NULL ? 0 : 1 + count_nodes(node->left) + count_nodes(node->right);
}

/* -------------------------------------------------------------------------------- measuring */

/* The first collection is not counted: it also frees what building left behind. */
static void measure(struct figures *figures, size_t rounds, size_t n)
{
    struct heap_collection collection;

    heap_collect(&collection);
    for (size_t i = 0; i < rounds; i++) {
        uint64_t start = bench_now();

        heap_collect(&collection);
        figures->collect[i] = (double)(bench_now() - start) / (double)n;
        figures->mark[i] = 0;
        if (collection.objects == 0)
            continue;
        figures->mark[i] = (double)collection.mark_ns / (double)collection.objects;
        if (collection.objects < n)
            heap_die("marking all objects");
    }
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_figures(const char *name, double *figures, size_t rounds)
{
    qsort(figures, rounds, sizeof *figures, compare);
    if (figures[0] > 0)
        printf("%-8s %8.2f  (%.2f to %.2f) ns an object\n", name, figures[rounds / 2], figures[0],
               figures[rounds - 1]);
}

static const struct size *find_size(size_t bytes)
{
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        if (sizes[i].bytes == bytes)
            return &sizes[i];
    return NULL;
}

int main(int argc, char **argv)
{
    static struct figures figures;
    size_t n = 1000 * bench_number(argc, argv, 1, "thousands of objects", 1000, 1, 4000000);
    const struct size *size = find_size(bench_number(argc, argv, 2, "the size", 32, 16, 1024));
    const char *order = argc > 3 ? argv[3] : "random";
    size_t rounds = bench_number(argc, argv, 4, "the number of rounds", 5, 1, ROUNDS_MAX);
    uint64_t seed = bench_number(argc, argv, 5, "the seed", 1, 0, SIZE_MAX);
    uint32_t *place = make_places(order, n, seed);
    struct node *root;

    if (size == NULL)
        bench_misuse("the size must be a power of two from 16 to 1024, not", argv[2]);
    heap_start();
    printf("mark: %s\n", heap_name());
    root = build(size, place, n);
    free(place);
    measure(&figures, rounds, n);
    if (count_nodes(root) != n)
        heap_die("counting the objects that are left");
    printf("%zu objects of %zu bytes, order %s, seed %llu, %zu rounds: median (least to most)\n", n,
           size->bytes, order, (unsigned long long)seed, rounds);
    print_figures("collect", figures.collect, rounds);
    print_figures("mark", figures.mark, rounds);
    return 0;
}
