/* SPDX-License-Identifier: MIT */
/* tests/test_shims.c: what is taken from ConcurrencyKit and liburcu does what base/ck_shim.h and
 * base/rcu_shim.h say. Under TSan the plain fields here also show that the annotations suffice. */
#include "base/atomic.h"
#include "base/ck_shim.h"
#include "base/os.h"
#include "base/rcu_shim.h"
#include "tests/random.h"
#include "tests/suite.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#define THREADS 4u

static uint64_t seed;

/* ---- the stack ---- */

/* Plain fields, which only the one thread that popped the node may touch. */
struct node {
    struct tri__stack_entry entry;
    uint32_t value;
    uint32_t pops;
    unsigned owner; /* 0: on a stack */
};

static struct node *node_of(struct tri__stack_entry *entry) { return (struct node *)entry; }

#define NODES 64u
#define STACKS 3u

static struct node nodes[NODES];
static struct tri__stack stacks[STACKS];

START_TEST(stack_agrees_with_an_array)
{
    struct random random = random_of(seed, 1);
    struct node *oracle[NODES];
    size_t height = 0, idle = NODES;
    struct node *unused[NODES];
    for (size_t i = 0; i < NODES; i++)
        unused[i] = &nodes[i];
    tri__stack_init(&stacks[0]);
    for (int i = 0; i < 20000; i++) {
        ck_assert(tri__stack_is_empty(&stacks[0]) == (height == 0));
        if (idle > 0 && random_below(&random, 2) == 0) {
            oracle[height] = unused[--idle];
            tri__stack_push(&stacks[0], &oracle[height++]->entry);
            continue;
        }
        struct tri__stack_entry *entry = tri__stack_pop(&stacks[0]);
        ck_assert(entry == (height == 0 ? NULL : &oracle[height - 1]->entry));
        if (entry != NULL)
            unused[idle++] = oracle[--height];
    }
}
END_TEST

START_TEST(zeroed_stack_is_empty)
{
    static struct tri__stack stack;
    ck_assert_uint_eq((uintptr_t)&stack % 16, 0);
    ck_assert(tri__stack_is_empty(&stack));
    ck_assert_ptr_null(tri__stack_pop(&stack));
}
END_TEST

struct mover {
    pthread_t thread;
    unsigned number; /* from 1 */
    uint64_t rounds;
    uint64_t pops;
    uint64_t strangers; /* nodes that somebody else held as well: must stay 0 */
};

/* The node is ours until it is pushed again. Sometimes it is held while others run. */
static void hold(struct mover *mover, struct node *node, struct random *random)
{
    mover->strangers += node->owner != 0;
    node->owner = mover->number;
    node->pops++;
    mover->pops++;
    if (random_below(random, 64) == 0)
        tri__os_yield();
    mover->strangers += node->owner != mover->number;
    node->owner = 0;
}

/* Few nodes and few stacks: the same node comes back to the same head all the time, which is what
 * a stack without a generation count gets wrong. */
static void *move_nodes(void *argument)
{
    struct mover *mover = argument;
    struct random random = random_of(seed, mover->number);
    for (uint64_t i = 0; i < mover->rounds; i++) {
        struct node *held[2];
        size_t count = 0;
        for (size_t wanted = 1 + random_below(&random, 2); count < wanted; count++) {
            struct tri__stack_entry *entry = tri__stack_pop(&stacks[random_below(&random, STACKS)]);
            if (entry == NULL)
                break;
            held[count] = node_of(entry);
            hold(mover, held[count], &random);
        }
        while (count > 0)
            tri__stack_push(&stacks[random_below(&random, STACKS)], &held[--count]->entry);
    }
    return NULL;
}

static void fill_stacks(size_t count)
{
    for (size_t i = 0; i < STACKS; i++)
        tri__stack_init(&stacks[i]);
    for (size_t i = 0; i < count; i++) {
        nodes[i] = (struct node){.value = (uint32_t)(i * i + 1)};
        tri__stack_push(&stacks[i % STACKS], &nodes[i].entry);
    }
}

struct harvest {
    uint64_t count, sum, pops;
};

static struct harvest empty_stacks(void)
{
    struct harvest harvest = {0};
    for (size_t i = 0; i < STACKS; i++) {
        struct tri__stack_entry *entry;
        while ((entry = tri__stack_pop(&stacks[i])) != NULL) {
            harvest.count++;
            harvest.sum += node_of(entry)->value;
            harvest.pops += node_of(entry)->pops;
            ck_assert_uint_eq(node_of(entry)->owner, 0);
            ck_assert_uint_le(harvest.count, NODES); /* a cycle would never end */
        }
        ck_assert(tri__stack_is_empty(&stacks[i]));
    }
    return harvest;
}

static const size_t crowd[] = {1, 2, 5, NODES};

START_TEST(stack_conserves_nodes_under_many_threads)
{
    static struct mover movers[THREADS];
    size_t count = crowd[_i];
    uint64_t sum = 0, pops = 0;
    fill_stacks(count);
    for (size_t i = 0; i < count; i++)
        sum += nodes[i].value;
    for (unsigned i = 0; i < THREADS; i++) {
        movers[i] = (struct mover){.number = i + 1, .rounds = 100000};
        ck_assert_int_eq(tri__os_thread_start(&movers[i].thread, move_nodes, &movers[i], "mover"),
                         0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_join(movers[i].thread, NULL), 0);
        ck_assert_uint_eq(movers[i].strangers, 0);
        pops += movers[i].pops;
    }
    struct harvest harvest = empty_stacks();
    ck_assert_uint_eq(harvest.count, count);
    ck_assert_uint_eq(harvest.sum, sum);
    ck_assert_uint_eq(harvest.pops, pops);
    ck_assert_uint_gt(pops, 0);
}
END_TEST

/* The worst moment, made certain: the stack's page is read-only, so that a pop gets as far as its
 * compare-and-swap and faults there. The handler takes the top two nodes and puts the first back:
 * the head is as it was and what lies below is not, which a pop without a generation count would
 * not notice. */
static struct tri__stack *guarded;
static struct tri__stack_entry *taken_aside;
static volatile sig_atomic_t faults;

static void reuse_the_head(int number)
{
    (void)number;
    faults++;
    if (faults > 1 || tri__os_commit(guarded, tri__os_page_size()) != 0)
        _exit(3); /* a fault that is not ours */
    struct tri__stack_entry *first = tri__stack_pop(guarded);
    taken_aside = tri__stack_pop(guarded);
    tri__stack_push(guarded, first);
}

START_TEST(pop_notices_a_head_that_went_and_came_back)
{
    struct sigaction action = {.sa_handler = reuse_the_head};
    ck_assert_int_eq(sigaction(SIGSEGV, &action, NULL), 0);
    guarded = tri__os_map(tri__os_page_size());
    ck_assert_ptr_nonnull(guarded);
    tri__stack_init(guarded);
    for (size_t i = 0; i < 4; i++)
        tri__stack_push(guarded, &nodes[i].entry);
    ck_assert_int_eq(mprotect(guarded, tri__os_page_size(), PROT_READ), 0);
    ck_assert_ptr_eq(tri__stack_pop(guarded), &nodes[3].entry);
    ck_assert_int_eq(faults, 1);
    ck_assert_ptr_eq(taken_aside, &nodes[2].entry);
    ck_assert_ptr_eq(tri__stack_pop(guarded), &nodes[1].entry);
    ck_assert_ptr_eq(tri__stack_pop(guarded), &nodes[0].entry);
    ck_assert_ptr_null(tri__stack_pop(guarded));
    tri__os_unmap(guarded, tri__os_page_size());
}
END_TEST

/* ---- read-copy-update ---- */

#define VERSIONS 16u
#define ALIVE 0x600dd06du
#define POISON 0xdeadbeefu

/* Type-stable, so that reading a freed version is no crash but POISON, which the oracle sees. */
struct version {
    struct tri__rcu_head head;
    struct tri__stack_entry entry;
    uint32_t magic;
    uint32_t copy; /* equal to magic while the version is whole */
    uint64_t number;
};

enum how_to_wait { SYNCHRONIZE, CALL, EITHER, NOT_AT_ALL };

struct torture {
    struct version versions[VERSIONS];
    struct tri__stack idle;
    struct version *current; /* published by release */
    uint32_t stop;
    enum how_to_wait how;
    uint64_t reads, damaged, backwards; /* atomic: added up by all readers */
};

static struct torture torture;

static void retire(struct version *version)
{
    version->magic = version->copy = POISON;
    tri__stack_push(&torture.idle, &version->entry);
}

static void retire_later(struct tri__rcu_head *head)
{
    retire((struct version *)(void *)head); /* the head comes first */
}

static bool is_whole(const volatile struct version *version)
{
    return version->magic == ALIVE && version->copy == ALIVE;
}

static void read_current(struct random *random, uint64_t *last)
{
    bool nested = random_below(random, 4) == 0;
    tri__rcu_lock();
    struct version *version = tri__load_acquire(&torture.current); /* pairs with publish */
    if (nested) {
        tri__rcu_lock();
        tri__rcu_unlock();
    }
    bool whole = is_whole(version);
    uint64_t number = version->number;
    if (random_below(random, 32) == 0)
        tri__os_yield();
    whole = whole && is_whole(version) && version->number == number;
    tri__rcu_unlock();
    tri__fetch_add_relaxed(&torture.reads, 1);
    tri__fetch_add_relaxed(&torture.damaged, whole ? 0u : 1u);
    tri__fetch_add_relaxed(&torture.backwards, whole && number < *last ? 1u : 0u);
    *last = number;
}

static void *read_on(void *argument)
{
    struct random random = random_of(seed, 100 + (uintptr_t)argument);
    uint64_t last = 0;
    while (tri__load_relaxed(&torture.stop) == 0)
        read_current(&random, &last);
    return NULL;
}

static struct version *next_version(uint64_t number)
{
    struct tri__stack_entry *entry = tri__stack_pop(&torture.idle);
    if (entry == NULL)
        return NULL;
    struct version *version =
        (struct version *)(void *)((char *)entry - offsetof(struct version, entry));
    version->number = number;
    version->magic = version->copy = ALIVE;
    return version;
}

static void dispose(struct version *version, struct random *random)
{
    enum how_to_wait how = torture.how;
    if (how == EITHER)
        how = random_below(random, 2) == 0 ? SYNCHRONIZE : CALL;
    if (how == CALL) {
        tri__rcu_call(&version->head, retire_later);
        return;
    }
    if (how == SYNCHRONIZE)
        tri__rcu_synchronize();
    retire(version);
}

static void write_versions(uint64_t ns)
{
    struct random random = random_of(seed, 99);
    uint64_t end = tri__os_now() + ns;
    for (uint64_t number = 2; tri__os_now() < end; number++) {
        struct version *version = next_version(number);
        if (version == NULL) {
            tri__rcu_barrier(); /* all are on their way back */
            continue;
        }
        struct version *old = torture.current; /* this thread is the only writer */
        tri__store_release(&torture.current, version); /* publish: pairs with read_current */
        dispose(old, &random);
    }
}

static void prepare_torture(enum how_to_wait how)
{
    torture = (struct torture){.how = how};
    for (size_t i = 0; i < VERSIONS; i++)
        tri__stack_push(&torture.idle, &torture.versions[i].entry);
    torture.current = next_version(1);
}

static void run_torture(enum how_to_wait how, uint64_t ns)
{
    pthread_t readers[THREADS];
    prepare_torture(how);
    for (uintptr_t i = 0; i < THREADS; i++)
        ck_assert_int_eq(tri__os_thread_start(&readers[i], read_on, (void *)i, "reader"), 0);
    write_versions(ns);
    tri__store_relaxed(&torture.stop, 1);
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(readers[i], NULL), 0);
    tri__rcu_barrier();
}

static size_t idle_versions(void)
{
    size_t count = 0;
    while (tri__stack_pop(&torture.idle) != NULL)
        count++;
    return count;
}

START_TEST(readers_never_see_what_was_freed)
{
    run_torture((enum how_to_wait)_i, UINT64_C(400000000));
    ck_assert_uint_gt(torture.reads, 0);
    ck_assert_uint_gt(torture.current->number, 1);
    ck_assert_uint_eq(torture.damaged, 0);
    ck_assert_uint_eq(torture.backwards, 0);
    ck_assert_uint_eq(idle_versions(), VERSIONS - 1);
}
END_TEST

/* TSan would report this one, and rightly. */
#ifdef TRI__TSAN
static void add_test_of_the_oracle(TCase *tests) { (void)tests; }
#else
START_TEST(the_oracle_sees_a_missing_grace_period)
{
    run_torture(NOT_AT_ALL, UINT64_C(400000000));
    ck_assert_uint_gt(torture.damaged, 0);
}
END_TEST

static void add_test_of_the_oracle(TCase *tests)
{
    tcase_add_test(tests, the_oracle_sees_a_missing_grace_period);
}
#endif

#define GRACE_PERIODS 200u

/* Plain; only the grace period stands between a slot's write and its reads. */
static uint64_t slots[GRACE_PERIODS];
static uint32_t filled; /* relaxed on purpose: it must not order what the grace period orders */

static void *read_slots(void *argument)
{
    uint64_t *wrong = argument;
    for (uint32_t last = 0; last < GRACE_PERIODS - 1;) {
        last = tri__load_relaxed(&filled);
        tri__rcu_lock();
        *wrong += slots[last] != last;
        tri__rcu_unlock();
    }
    return NULL;
}

START_TEST(writes_before_a_grace_period_are_seen_after_it)
{
    pthread_t reader;
    uint64_t wrong = 0;
    ck_assert_int_eq(tri__os_thread_start(&reader, read_slots, &wrong, "reader"), 0);
    for (uint32_t i = 1; i < GRACE_PERIODS; i++) {
        slots[i] = i;
        tri__rcu_synchronize();
        tri__store_relaxed(&filled, i);
    }
    ck_assert_int_eq(pthread_join(reader, NULL), 0);
    ck_assert_uint_eq(wrong, 0);
}
END_TEST

#define CALLS 1000u

struct counted {
    struct tri__rcu_head head;
    unsigned *counter; /* plain: callbacks run one after the other */
};

static void count_call(struct tri__rcu_head *head)
{
    struct counted *counted = (struct counted *)(void *)head;
    (*counted->counter)++;
    free(counted);
}

START_TEST(barrier_waits_for_every_callback)
{
    unsigned counter = 0;
    tri__rcu_barrier(); /* nothing to wait for */
    for (unsigned i = 0; i < CALLS; i++) {
        struct counted *counted = calloc(1, sizeof *counted);
        ck_assert_ptr_nonnull(counted);
        counted->counter = &counter;
        tri__rcu_call(&counted->head, count_call);
    }
    tri__rcu_barrier();
    ck_assert_uint_eq(counter, CALLS);
}
END_TEST

static sigset_t callback_mask;

static void note_mask(struct tri__rcu_head *head)
{
    free(head);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &callback_mask), 0);
}

START_TEST(callbacks_run_without_the_programs_signals)
{
    sigset_t before, after;
    struct tri__rcu_head *head = calloc(1, sizeof *head);
    ck_assert_ptr_nonnull(head);
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &before), 0);
    tri__rcu_call(head, note_mask);
    tri__rcu_barrier();
    ck_assert_int_eq(pthread_sigmask(SIG_SETMASK, NULL, &after), 0);
    ck_assert_int_eq(sigismember(&callback_mask, SIGTERM), 1);
    ck_assert_int_eq(sigismember(&callback_mask, SIGURG), 1);
    ck_assert_int_eq(sigismember(&after, SIGTERM), sigismember(&before, SIGTERM));
    ck_assert_int_eq(sigismember(&after, SIGURG), sigismember(&before, SIGURG));
}
END_TEST

/* ---- the end of a thread ---- */

static pthread_key_t late_key;
static bool known[3]; /* as a reader: before, behind liburcu's destructor, after one more read */

static void read_once(void)
{
    tri__rcu_lock();
    tri__rcu_unlock();
}

/* liburcu's key is older than ours, and destructors run in that order. */
static void read_late(void *unused)
{
    (void)unused;
    known[1] = tri__rcu_is_registered();
    read_once();
    known[2] = tri__rcu_is_registered();
}

static void *read_to_the_end(void *unused)
{
    read_once();
    known[0] = tri__rcu_is_registered();
    pthread_setspecific(late_key, &late_key);
    return unused;
}

/* Who reads behind liburcu's destructor is new to it, and must not be so without register_lock
 * [inv.fork.locks]. */
START_TEST(who_has_ended_for_liburcu_is_no_reader)
{
    pthread_t thread;

    ck_assert_int_eq(pthread_key_create(&late_key, read_late), 0);
    ck_assert_int_eq(pthread_create(&thread, NULL, read_to_the_end, NULL), 0);
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
    ck_assert_int_eq(pthread_key_delete(late_key), 0);
    ck_assert(known[0]);
    ck_assert(!known[1]);
    ck_assert(known[2]);
}
END_TEST

/* ---- the suite ---- */

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    TCase *stack_tests = tcase_create("stack");
    tcase_set_timeout(stack_tests, 30);
    tcase_add_test(stack_tests, stack_agrees_with_an_array);
    tcase_add_test(stack_tests, zeroed_stack_is_empty);
    tcase_add_test(stack_tests, pop_notices_a_head_that_went_and_came_back);
    tcase_add_loop_test(stack_tests, stack_conserves_nodes_under_many_threads, 0,
                        sizeof crowd / sizeof crowd[0]);
    TCase *rcu_tests = tcase_create("rcu");
    tcase_set_timeout(rcu_tests, 30);
    tcase_add_loop_test(rcu_tests, readers_never_see_what_was_freed, SYNCHRONIZE, NOT_AT_ALL);
    add_test_of_the_oracle(rcu_tests);
    tcase_add_test(rcu_tests, writes_before_a_grace_period_are_seen_after_it);
    tcase_add_test(rcu_tests, barrier_waits_for_every_callback);
    tcase_add_test(rcu_tests, callbacks_run_without_the_programs_signals);
    tcase_add_test(rcu_tests, who_has_ended_for_liburcu_is_no_reader);
    Suite *suite = suite_create("shims");
    suite_add_tcase(suite, stack_tests);
    suite_add_tcase(suite, rcu_tests);
    return run_suite(suite);
}
