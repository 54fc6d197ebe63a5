/* SPDX-License-Identifier: MIT */
/* binary_trees: builds, walks and drops perfect binary trees, the usual benchmark of allocators.
 *
 * A tree of depth + 1 stretches the heap; one of `depth` lives through the whole run; meanwhile the
 * threads share, for each d = 4, 8, ... up to depth, 2^(depth - d + 4) trees of depth d. The work
 * is the same whatever the heap: the number of nodes and the checksum tell. */
#include "bench/bench.h"

#define DEPTH_FIRST 4
#define DEPTH_STEP 4

typedef struct tree {
    struct tree *left, *right;
} tree;
HEAP_TYPE(tree, left, right);

/* Zeroed memory is a tree of depth 0. */
static tree *make_tree(unsigned depth)
{
    tree *left, *right, *node;

    if (depth == 0)
        return heap_new(tree);
    left = make_tree(depth - 1);
    right = make_tree(depth - 1);
    node = heap_new(tree);
    heap_init_store(&node->left, left);
    heap_init_store(&node->right, right);
    return node;
}

static uint64_t count_nodes(const tree *node)
{
    if (node->left == NULL)
        return 1;
    return 1 + count_nodes(node->left) + count_nodes(node->right);
}

static void free_tree(tree *node)
{
    if (node->left != NULL) {
        free_tree(node->left);
        free_tree(node->right);
    }
    heap_free(node);
}

static void drop_tree(tree *node)
{
    if (HEAP_FREES)
        free_tree(node);
}

/* Adds what was counted in tree `number` of its depth. The sum is the same in any order. */
static void add_tree(struct bench_part *part, unsigned depth, uint64_t number, uint64_t nodes)
{
    part->count += nodes;
    part->sum += nodes * (number * 128 + depth * 2 + 1);
}

static void run_tree(struct bench_part *part, unsigned depth, uint64_t number)
{
    tree *root = make_tree(depth);

    add_tree(part, depth, number, count_nodes(root));
    drop_tree(root);
}

/* A thread's share of the short-lived trees: neighbouring ones. */
static void run_share(struct bench_part *part)
{
    unsigned max_depth = *(const unsigned *)part->argument;

    for (unsigned depth = DEPTH_FIRST; depth <= max_depth; depth += DEPTH_STEP) {
        uint64_t trees = UINT64_C(1) << (max_depth - depth + DEPTH_FIRST);
        uint64_t end = trees * (part->index + 1) / part->threads;

        for (uint64_t i = trees * part->index / part->threads; i < end; i++)
            run_tree(part, depth, i);
    }
}

static struct bench_part run_all(unsigned depth, unsigned threads)
{
    struct bench_part parts[BENCH_THREADS_MAX];
    struct bench_part all = {0};
    tree *long_lived;

    run_tree(&all, depth + 1, 0);
    long_lived = make_tree(depth);
    bench_run(parts, threads, run_share, &depth);
    for (unsigned i = 0; i < threads; i++) {
        all.count += parts[i].count;
        all.sum += parts[i].sum;
    }
    add_tree(&all, depth, UINT32_MAX, count_nodes(long_lived));
    drop_tree(long_lived);
    return all;
}

int main(int argc, char **argv)
{
    unsigned depth = (unsigned)bench_number(argc, argv, 1, "the depth", 16, DEPTH_FIRST, 30);
    unsigned threads =
        (unsigned)bench_number(argc, argv, 2, "the number of threads", 1, 1, BENCH_THREADS_MAX);
    struct bench_part all;

    heap_start();
    printf("binary_trees: %s\n", heap_name());
    all = run_all(depth, threads);
    printf("depth %u, %u threads: %llu nodes, checksum %016llx\n", depth, threads,
           (unsigned long long)all.count, (unsigned long long)all.sum);
    return 0;
}
