/* SPDX-License-Identifier: MIT */
/* memmove: microseconds that moving and clearing pointers takes, with no mark running and while one
 * runs, beside plain memmove and memset of as much memory at the same time.
 *
 *     memmove [KiB [samples [live MiB]]]
 *
 * Another thread collects, with pauses, a heap that takes a while to mark. Every operation is run in
 * turns until each has been seen as often as wanted in both states. What a thread has shaded beyond
 * what may wait for the marker it takes on itself at its next safepoint, so that is timed, too. */
#include "bench/bench.h"
#include "tests/random.h"

#define SAMPLES_MAX 10000
#define PAUSE_NS 10000000

typedef struct node {
    struct node *left, *right;
    uint64_t number;
} node;
HEAP_TYPE(node, left, right);

/* Of n words each. In the heap: what is moved, two arrays where it is moved to, and one to be
 * cleared; and two in malloc's memory. */
static TRI_ROOT struct {
    void **from, **to, **within, **cleared;
} arrays;
static TRI_ROOT node *live;
static void **plain_from, **plain_to;
static size_t n;

/* --- the operations --------------------------------------------------------------------------- */

/* Compilers know memmove and memset, and what of their work nobody looks at. */
static void *(*volatile plain_move)(void *, const void *, size_t) = memmove;
static void *(*volatile plain_set)(void *, int, size_t) = memset;

static void move_plainly(void)
{
    plain_move(plain_to, plain_from, n * sizeof(void *));
}

static void shift_plainly(void)
{
    plain_move(plain_to + 1, plain_to, (n - 1) * sizeof(void *));
}

static void clear_plainly(void)
{
    plain_set(plain_to, 0, n * sizeof(void *));
}

static void move(void)
{
    tri_memmove(arrays.to, arrays.from, n * sizeof(void *));
}

static void move_elements(void)
{
    tri_copy_array(arrays.to, arrays.from, &tri_type_ptr, n);
}

static void shift_up(void)
{
    tri_memmove(arrays.within + 1, arrays.within, (n - 1) * sizeof(void *));
}

static void clear(void)
{
    tri_memclr(arrays.cleared, n * sizeof(void *));
}

/* So that its array is full of pointers again. */
static void fill_cleared(void)
{
    tri_memmove(arrays.cleared, arrays.from, n * sizeof(void *));
}

enum { PLAIN_MOVE, PLAIN_SHIFT, PLAIN_CLEAR, MOVE, ELEMENTS, SHIFT, CLEAR, OPERATIONS };
enum { IDLE, MARKING, STATES };

static const struct {
    const char *name;
    void (*run)(void);
    void (*prepare)(void); /* brings into the cache what it works on */
    int plain;             /* what it is compared with */
} operations[OPERATIONS] = {
    [PLAIN_MOVE] = {"memmove", move_plainly, move_plainly, PLAIN_MOVE},
    [PLAIN_SHIFT] = {"memmove, by one", shift_plainly, shift_plainly, PLAIN_SHIFT},
    [PLAIN_CLEAR] = {"memset", clear_plainly, move_plainly, PLAIN_CLEAR},
    [MOVE] = {"tri_memmove", move, move, PLAIN_MOVE},
    [ELEMENTS] = {"tri_copy_array", move_elements, move_elements, PLAIN_MOVE},
    [SHIFT] = {"tri_memmove, by one", shift_up, shift_up, PLAIN_SHIFT},
    [CLEAR] = {"tri_memclr", clear, fill_cleared, PLAIN_CLEAR},
};

static struct samples {
    double us[SAMPLES_MAX], after[SAMPLES_MAX]; /* the operation; the safepoint after it */
    size_t count;
} samples[OPERATIONS][STATES];

/* --- the heap --------------------------------------------------------------------------------- */

static node *make_tree(unsigned depth)
{
    node *fresh, *left, *right;

    if (depth == 0)
        return NULL;
    left = make_tree(depth - 1);
    right = make_tree(depth - 1);
    fresh = heap_new(node);
    heap_init_store(&fresh->left, left);
    heap_init_store(&fresh->right, right);
    return fresh;
}

static void make_live(size_t bytes)
{
    unsigned depth = 1;

    while (((size_t)1 << (depth + 1)) * sizeof(node) <= bytes)
        depth++;
    tri_store(&live, make_tree(depth));
}

/* Random nodes of the tree. */
static void fill(void **array)
{
    struct random random = random_of(1, (uintptr_t)array);

    for (size_t i = 0; i < n; i++) {
        node *at = live;

        while (at->left != NULL && random_below(&random, 32) != 0)
            at = random_below(&random, 2) != 0 ? at->left : at->right;
        tri_store(&array[i], (void *)at);
    }
}

static void make_arrays(void)
{
    tri_store(&arrays.from, heap_new_pointers(n));
    tri_store(&arrays.to, heap_new_pointers(n));
    tri_store(&arrays.within, heap_new_pointers(n));
    tri_store(&arrays.cleared, heap_new_pointers(n));
    fill(arrays.from);
    fill(arrays.to);
    fill(arrays.within);
    plain_from = heap_checked(malloc(n * sizeof(void *)));
    plain_to = heap_checked(malloc(n * sizeof(void *)));
    memcpy(plain_from, arrays.from, n * sizeof(void *)); /* pages of its own, not the zero page */
    memcpy(plain_to, arrays.to, n * sizeof(void *));
}

/* --- measuring -------------------------------------------------------------------------------- */

static uint32_t stop; /* atomic */

static void *collect(void *unused)
{
    struct timespec pause = {.tv_nsec = PAUSE_NS};

    while (__atomic_load_n(&stop, __ATOMIC_RELAXED) == 0) {
        tri_collect();
        TRI_BLOCKING
            nanosleep(&pause, NULL);
    }
    return unused;
}

static double us_since(uint64_t start)
{
    return (double)(bench_now() - start) / 1000;
}

/* The state does not change while the operation runs: it is no safepoint. No program should look at
 * it, except one that measures it. */
static void take_sample(int operation, size_t most)
{
    struct samples *to;
    uint64_t start;
    double us;

    operations[operation].prepare();
    tri_safepoint();
    to = &samples[operation][tri__self->barrier == TRI__BARRIER_IDLE ? IDLE : MARKING];
    start = bench_now();
    operations[operation].run();
    us = us_since(start);
    start = bench_now();
    tri_safepoint();
    if (to->count == most)
        return;
    to->after[to->count] = us_since(start);
    to->us[to->count++] = us;
}

static bool is_done(size_t most)
{
    for (int i = 0; i < OPERATIONS; i++)
        for (int state = 0; state < STATES; state++)
            if (samples[i][state].count < most)
                return false;
    return true;
}

static void measure(size_t most)
{
    while (!is_done(most))
        for (int i = 0; i < OPERATIONS; i++)
            take_sample(i, most);
}

/* --- figures ---------------------------------------------------------------------------------- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *figures, size_t count)
{
    qsort(figures, count, sizeof *figures, compare);
    return figures[count / 2];
}

static void print_operation(int i, int state)
{
    struct samples *of = &samples[i][state], *plain = &samples[operations[i].plain][state];
    double us = median(of->us, of->count), base = median(plain->us, plain->count);

    printf("%-8s %-20s %9.1f (%.1f to %.1f)  x %5.2f", state == IDLE ? "idle" : "marking",
           operations[i].name, us, of->us[of->count / 20], of->us[of->count - 1 - of->count / 20],
           us / base);
    if (operations[i].plain != i && state == MARKING)
        printf("; safepoint %.1f", median(of->after, of->count));
    printf("\n");
}

int main(int argc, char **argv)
{
    size_t bytes = 1024 * bench_number(argc, argv, 1, "KiB", 1024, 1, 1 << 20);
    size_t most = bench_number(argc, argv, 2, "samples", 300, 20, SAMPLES_MAX);
    size_t live_bytes = bench_number(argc, argv, 3, "live MiB", 64, 1, 1 << 14) << 20;
    pthread_t collector;

    heap_start();
    n = bytes / sizeof(void *);
    make_live(live_bytes);
    make_arrays();
    if (pthread_create(&collector, NULL, collect, NULL) != 0)
        heap_die("pthread_create");
    measure(most);
    __atomic_store_n(&stop, 1, __ATOMIC_RELAXED);
    heap_join(collector);
    printf("memmove: %zu KiB of pointers, %zu samples each, %zu MiB live: us, median (5 %% to 95 "
           "%%), ratio to the plain one\n",
           bytes >> 10, most, live_bytes >> 20);
    for (int state = 0; state < STATES; state++)
        for (int i = 0; i < OPERATIONS; i++)
            print_operation(i, state);
    return 0;
}
