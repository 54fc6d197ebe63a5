/* SPDX-License-Identifier: MIT */
/* Thread caches through whole cycles, as handshakes drive them: each cache is armed, blackened and
 * flipped at its own time while the others go on allocating and sweeping. Once in one thread
 * against a model of what lives where, once with threads that know their own objects by their
 * stamps. */
#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <tricolor/type.h>

#include "bare_heap.h"
#include "heap/resolve.h"
#include "random.h"
#include "suite.h"

#define RESERVE ((size_t)64 << 20)

static uint64_t test_seed;

/* An object: its slot is filled with its stamp. */
struct object {
    uint64_t *slot;
    size_t words;
    uint64_t stamp;
};

static bool is_filled(const struct object *object, uint64_t with)
{
    for (size_t i = 0; i < object->words; i++)
        if (object->slot[i] != with)
            return false;
    return true;
}

static void fill(const struct object *object)
{
    for (size_t i = 0; i < object->words; i++)
        object->slot[i] = object->stamp;
}

/* One thread's caches and objects; also the state of the single thread of the model. */
struct owner {
    struct tri__cache cache;
    struct random random;
    struct object *objects;
    size_t count, room;
    uint64_t next_stamp;
    const char *error;
};

/* Few classes, so that spans are shared; sizes that differ in kind and in where colours are. */
static const uint16_t sizes[] = {8, 16, 48, 512, 576, 1024, 2048, 4096, 8192, 9472, 32768};
#define SIZES (sizeof sizes / sizeof sizes[0])

static uintptr_t take_slot(struct owner *owner, size_t *bytes)
{
    uint64_t pick = random_below(&owner->random, SIZES * 4);
    unsigned size = sizes[pick < SIZES ? pick : pick % 3]; /* mostly small ones */
    unsigned leaf = (unsigned)random_below(&owner->random, 2);
    uint8_t c = (uint8_t)TRI__SPAN_CLASS(tri__size_to_class(size), leaf);
    struct tri__run *run = &owner->cache.front.runs[c];
    *bytes = size;
    if (run->current == run->end && !tri__cache_refill(&owner->cache, c, NULL))
        return 0;
    run->current += size;
    return run->current - size;
}

/* Types that get spans of their own, lose their index now and then, and get it again. */
typedef struct small {
    void *words[6];
} small;
TRI_TYPE(small, words);
typedef struct twin {
    void *words[6];
} twin;
TRI_TYPE(twin, words);
typedef struct middle {
    void *words[128];
} middle;
TRI_TYPE(middle, words);
typedef struct big {
    void *words[9472 / 8];
} big;
TRI_TYPE(big, words);

static const tri_type *const types[] = {&tri_type_small, &tri_type_twin, &tri_type_middle,
                                        &tri_type_big};
#define TYPES (sizeof types / sizeof types[0])

/* 0: the type has no run now, or another type's is in its place. */
static uintptr_t take_typed(struct owner *owner, size_t *bytes)
{
    const tri_type *type = types[random_below(&owner->random, TYPES)];
    struct tri__run *run;
    unsigned number;
    if (random_below(&owner->random, 300) == 0)
        tri__typed_withdraw(type);
    tri__typed_missed(&owner->cache.heat, type);
    number = tri__typed_run(type);
    run = &owner->cache.front.runs[number];
    if (number == 0 || (run->tag != NULL && run->tag != type))
        return 0;
    if (run->current == run->end && !tri__cache_refill(&owner->cache, number, type))
        return 0;
    if (run->tag != type)
        owner->error = "a run has the wrong type";
    *bytes = type->slot_size;
    run->current += *bytes;
    return run->current - *bytes;
}

static uintptr_t take_large(struct owner *owner, size_t *bytes)
{
    *bytes = (1 + random_below(&owner->random, 20)) * TRI__PAGE_BYTES;
    return tri__large_alloc(&owner->cache, NULL, *bytes);
}

/* true: the owner has one more object. */
static bool allocate(struct owner *owner)
{
    bool large = random_below(&owner->random, 200) == 0;
    size_t bytes;
    bool typed = random_below(&owner->random, 3) == 0;
    uintptr_t slot = large ? take_large(owner, &bytes) : typed ? take_typed(owner, &bytes) : 0;
    if (slot == 0 && !large)
        slot = take_slot(owner, &bytes);
    struct object object = {(uint64_t *)slot, bytes / 8, owner->next_stamp};
    if (slot == 0 || owner->count == owner->room)
        return false;
    if (!is_filled(&object, 0))
        owner->error = "new memory is not zero";
    owner->next_stamp++;
    fill(&object);
    owner->objects[owner->count++] = object;
    return true;
}

/* Objects [0, white) were there when the mark began: those that shall live are marked, the others
 * forgotten. */
static void mark(struct owner *owner, size_t white, unsigned percent)
{
    size_t kept = 0;
    for (size_t i = 0; i < owner->count; i++) {
        struct tri__ref ref;
        bool old = i < white, keep = !old || random_below(&owner->random, 100) < percent;
        bool found = tri__resolve((uintptr_t)owner->objects[i].slot, &ref);
        if (!found || ref.base != (uintptr_t)owner->objects[i].slot)
            owner->error = "an object is gone";
        else if (*ref.colour != (old ? TRI__WHITE : TRI__BLACK))
            owner->error = "an object has the wrong colour";
        else if (keep && old && !tri__mark(&ref))
            owner->error = "a white object cannot be marked";
        if (keep)
            owner->objects[kept++] = owner->objects[i];
    }
    owner->count = kept;
}

static void check_objects(struct owner *owner)
{
    for (size_t i = 0; i < owner->count; i++)
        if (!is_filled(&owner->objects[i], owner->objects[i].stamp))
            owner->error = "an object was overwritten";
}

static void owner_init(struct owner *owner, uint64_t number, size_t room)
{
    tri__cache_init(&owner->cache, (struct tri__cache_phase){.side = 0});
    owner->random = random_of(test_seed, number);
    owner->next_stamp = (number << 40) + 1;
    owner->objects = calloc(room, sizeof owner->objects[0]);
    ck_assert_ptr_nonnull(owner->objects);
    owner->room = room;
}

static void sweep_all(uint8_t unswept)
{
    for (unsigned list = TRI__LARGE_SPAN; list < TRI__LISTS; list++)
        tri__sweep_list(unswept, list);
}

/* ---- one thread, several caches ---- */

#define CACHES 4
#define CYCLES 40
#define BATCH 400

static struct owner owners[CACHES];
static struct random schedule;

/* Somebody allocates something. */
static void work(int n)
{
    while (n-- > 0) {
        struct owner *owner = &owners[random_below(&schedule, CACHES)];
        ck_assert(allocate(owner));
        ck_assert_msg(owner->error == NULL, "%s", owner->error);
    }
}

/* All caches, in some order, with work between them. */
static void each_in_turn(void (*action)(struct owner *owner))
{
    bool done[CACHES] = {false};
    for (int left = CACHES; left > 0;) {
        uint64_t i = random_below(&schedule, CACHES);
        work((int)random_below(&schedule, BATCH / 4));
        if (done[i])
            continue;
        action(&owners[i]);
        done[i] = true;
        left--;
    }
}

static size_t white[CACHES];

static void arm(struct owner *owner)
{
    tri__cache_arm(&owner->cache);
}

static void blacken(struct owner *owner)
{
    tri__cache_blacken(&owner->cache);
    white[owner - owners] = owner->count;
}

static void flip(struct owner *owner)
{
    tri__cache_flip(&owner->cache);
    if (random_below(&schedule, 2) != 0)
        tri__sweep_one(owner->cache.side ^ 1, (uint8_t)random_below(&schedule, 40));
}

/* A thread that leaves and comes back. */
static void leave_and_return(struct owner *owner)
{
    struct tri__cache_phase phase = {
        .side = owner->cache.side,
        .black = owner->cache.black,
        .sweeping = owner->cache.sweeping,
    };
    tri__cache_drop(&owner->cache);
    tri__cache_init(&owner->cache, phase);
}

static uint64_t bytes_of_all(void)
{
    uint64_t bytes = 0;
    for (int i = 0; i < CACHES; i++)
        for (size_t k = 0; k < owners[i].count; k++)
            bytes += owners[i].objects[k].words * 8;
    return bytes;
}

/* With all runs given back and all spans swept the heap must have what the model has, to a byte.
 * A run that was given up during the mark is only free after the next one. */
static void check_accounts(bool exactly)
{
    for (int i = 0; i < CACHES; i++) {
        leave_and_return(&owners[i]);
        check_objects(&owners[i]);
        ck_assert_msg(owners[i].error == NULL, "%s", owners[i].error);
    }
    ck_assert_uint_ge(tri__heap_in_use(), bytes_of_all());
    if (exactly)
        ck_assert_uint_eq(tri__heap_in_use(), bytes_of_all());
}

static void one_cycle(bool leave)
{
    work(BATCH);
    each_in_turn(arm);
    each_in_turn(blacken);
    work(BATCH);
    if (leave)
        leave_and_return(&owners[random_below(&schedule, CACHES)]);
    for (int i = 0; i < CACHES; i++)
        mark(&owners[i], white[i], (unsigned)random_below(&schedule, 90));
    each_in_turn(flip);
    work(BATCH);
    sweep_all(owners[0].cache.side ^ 1);
    if (random_below(&schedule, 3) == 0)
        check_accounts(!leave);
}

START_TEST(caches_in_turn)
{
    bare_heap_start(RESERVE);
    schedule = random_of(test_seed, 999);
    for (int i = 0; i < CACHES; i++)
        owner_init(&owners[i], (uint64_t)i + 1, 100000);
    for (int i = 0; i < CYCLES; i++)
        one_cycle(random_below(&schedule, 3) == 0);
    one_cycle(false);
    check_accounts(true);
}
END_TEST

/* ---- threads ---- */

#define THREADS 4
#define ROUNDS 12
#define ROUND_OBJECTS 3000

static pthread_barrier_t meeting;

/* One cycle of a thread. Between two meetings all threads do the same step at the same time. */
static void thread_cycle(struct owner *owner)
{
    size_t old;
    for (int i = 0; i < ROUND_OBJECTS; i++)
        allocate(owner);
    tri__cache_arm(&owner->cache);
    pthread_barrier_wait(&meeting);
    for (uint64_t i = random_below(&owner->random, ROUND_OBJECTS / 4); i > 0; i--)
        allocate(owner);
    tri__cache_blacken(&owner->cache);
    old = owner->count;
    pthread_barrier_wait(&meeting);
    for (int i = 0; i < ROUND_OBJECTS / 4; i++)
        allocate(owner);
    mark(owner, old, 40);
    pthread_barrier_wait(&meeting);
    for (uint64_t i = random_below(&owner->random, ROUND_OBJECTS / 4); i > 0; i--)
        allocate(owner); /* the mark is over, but nobody has told this thread */
    tri__cache_flip(&owner->cache);
    for (int i = 0; i < ROUND_OBJECTS / 4; i++)
        allocate(owner);
    check_objects(owner);
    pthread_barrier_wait(&meeting);
    sweep_all(owner->cache.side ^ 1);
    pthread_barrier_wait(&meeting);
}

static void *thread_main(void *argument)
{
    struct owner *owner = argument;
    for (int i = 0; i < ROUNDS; i++) {
        thread_cycle(owner);
        if (random_below(&owner->random, 3) == 0)
            leave_and_return(owner);
    }
    check_objects(owner);
    tri__cache_drop(&owner->cache);
    return NULL;
}

START_TEST(threads_never_share_a_slot)
{
    pthread_t threads[THREADS];
    bare_heap_start(RESERVE * 4);
    ck_assert_int_eq(pthread_barrier_init(&meeting, NULL, THREADS), 0);
    for (int i = 0; i < THREADS; i++) {
        owner_init(&owners[i], (uint64_t)i + 1, 100000);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, thread_main, &owners[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_join(threads[i], NULL), 0);
    for (int i = 0; i < THREADS; i++)
        ck_assert_msg(owners[i].error == NULL, "%s", owners[i].error);
    ck_assert_uint_eq(tri__heap_in_use(), bytes_of_all());
}
END_TEST

_Static_assert(THREADS <= CACHES, "owners");

int main(int argc, char **argv)
{
    Suite *suite = suite_create("cache_random");
    TCase *model = tcase_create("model"), *threads = tcase_create("threads");
    test_seed = random_start(argc, argv);

    tcase_add_test(model, caches_in_turn);
    tcase_set_timeout(model, 60);
    suite_add_tcase(suite, model);

    tcase_add_test(threads, threads_never_share_a_slot);
    tcase_set_timeout(threads, 60);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
