/* SPDX-License-Identifier: MIT */
/* The public macros used from C++17: a program that is compiled with all warnings and run. Says
 * what is wrong, or ends with 0. */
#include <cstdio>
#include <cstring>
#include <stdexcept>
#include <thread>
#include <vector>

#include <tricolor.h>

namespace {

struct node {
    node *left, *right;
    std::uintptr_t tagged;
    long key;
};

/* A flexible array is the one thing here that C++ does not know and that a program writes itself. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wpedantic"
#ifdef __clang__
#pragma GCC diagnostic ignored "-Wc99-extensions"
#endif
struct table {
    std::size_t length;
    node *entries[];
};
#pragma GCC diagnostic pop

struct point {
    double x, y;
};

} // namespace

TRI_TYPE(node, left, right, tagged);
TRI_LEAF_TYPE(point);

TRI_FLEX_TYPE(table, entries);

TRI_ROOT static node *root;

static int failures;

static void check(bool good, const char *what)
{
    if (!good) {
        std::fprintf(stderr, "FAILED: %s\n", what);
        failures++;
    }
}

static node *tree(int depth)
{
    node *top = tri_new(node);
    top->key = depth;
    if (depth > 0) {
        tri_init_store(&top->left, tree(depth - 1));
        tri_store(&top->right, tree(depth - 1));
    }
    return top;
}

static long count(const node *top)
{
    return top == nullptr ? 0 : 1 + count(top->left) + count(top->right);
}

static void stores()
{
    node *a = tri_new(node), *b = tri_new(node), *expected = nullptr;
    tri_store(&a->left, b);
    tri_store_release(&a->right, a);
    check(a->left == b && a->right == a, "stores");
    tri_store(&a->tagged, reinterpret_cast<std::uintptr_t>(b) | 1);
    check((a->tagged & 1) == 1, "a tagged store");
    tri_store(&a->left, nullptr);
    check(tri_exchange(&a->left, b) == nullptr, "exchange");
    check(!tri_compare_exchange(&a->left, &expected, a) && expected == b, "compare_exchange fails");
    check(tri_compare_exchange(&a->left, &expected, a) && a->left == a, "compare_exchange");
    tri_memclr(a, sizeof *a);
    check(a->right == nullptr, "memclr");
    b->key = 5;
    tri_memcpy(a, b, sizeof *a);
    check(a->key == 5, "memcpy");
}

static void allocation()
{
    table *t = tri_new_flex(table, 10);
    point *points = tri_new_array(point, 100);
    node *nodes = tri_new_array(node, 3);
    char *text = tri_strdup("text");
    tri_store(&t->entries[9], nodes);
    check(t->entries[9] == nodes && t->length == 0, "a flexible array");
    check(points[99].x == 0, "an array of leaves");
    check(std::strcmp(text, "text") == 0, "strdup");
    check(tri_object_type(points) == &tri_type_bytes, "object_type");
    nodes = static_cast<node *>(tri_grow(nodes, &tri_type_node, 3, 300));
    check(nodes[299].left == nullptr, "grow");
    void **pointers = tri_new_ptrs(3);
    tri_store(&pointers[2], static_cast<void *>(nodes));
    check(pointers[2] == nodes, "an array of pointers");
}

static int leave_by_return()
{
    TRI_BLOCKING
        return 4711;
    return 0;
}

static int leave_nested_by_return()
{
    TRI_BLOCKING {
        TRI_BLOCKING
            return 4712;
    }
    return 0;
}

static void throw_out()
{
    TRI_BLOCKING
        throw std::runtime_error("out");
}

/* However a block is left, a collection after it must not wait for this thread. */
static void blocks()
{
    check(leave_by_return() == 4711, "leaving a block by return");
    tri_collect();
    check(leave_nested_by_return() == 4712, "leaving nested blocks by return");
    tri_collect();
    try {
        throw_out();
        check(false, "an exception leaves a block");
    } catch (const std::runtime_error &) {
    }
    tri_collect();
    tri_safepoint();
}

static void threads()
{
    std::vector<std::thread> workers;
    long counts[4] = {0};
    for (long &result : counts)
        workers.emplace_back([&result] {
            node *mine = tree(8);
            for (int i = 0; i < 5; i++)
                tri_collect();
            result = count(mine);
        });
    TRI_BLOCKING
        for (std::thread &worker : workers)
            worker.join();
    for (long result : counts)
        check(result == 511, "a tree of a thread");
}

int main()
{
    tri_config config = TRI_CONFIG_INIT;
    tri_stats stats = TRI_STATS_INIT;
    check(tri_init(&config) == 0, "init");
    tri_store(&root, tree(12));
    stores();
    allocation();
    blocks();
    threads();
    tri_handle *handle = tri_handle_new(tree(3));
    tri_collect();
    check(count(root) == 8191, "the tree of a root");
    check(count(static_cast<node *>(tri_handle_get(handle))) == 15, "the tree of a handle");
    check(tri_stats_get(&stats) == 0 && stats.cycles >= 8 && stats.threads == 1, "statistics");
    tri_handle_free(handle);
    tri_shutdown();
    return failures == 0 ? 0 : 1;
}
