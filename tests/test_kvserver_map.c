/* SPDX-License-Identifier: MIT */
/* kvserver's hash map: against a naive model, one operation at a time; and with a writer that never
 * rests beside readers without locks, who must miss no key that stays and must never see a value go
 * back. */
#include <pthread.h>
#include <string.h>

#include "random.h"
#include "suite.h"

#include "examples/kvserver/map.h"

static uint64_t seed;

static void start_heap(void)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = 10; /* many cycles */
    ck_assert_int_eq(tri_init(&config), 0);
}

/* ---- keys are numbers ---- */

enum hashing { SPREAD, CROWDED };

struct key {
    char text[16];
    struct kv_name name;
};

/* Crowded names have few different hashes, so that chains are long at every size of the table. */
static const struct kv_name *name_of(struct key *key, unsigned number, enum hashing hashing)
{
    struct random random = random_of(number, 0);
    uint32_t hash = (uint32_t)random_next(&random);
    int length = snprintf(key->text, sizeof key->text, "%u", number);
    key->name = (struct kv_name){
        .data = key->text,
        .length = (uint32_t)length,
        .hash = hashing == SPREAD ? hash : hash % 5,
    };
    return &key->name;
}

static unsigned number_of(const kv_entry *entry)
{
    char text[16] = {0};
    memcpy(text, entry->name, entry->length);
    return (unsigned)strtoul(text, NULL, 10);
}

/* Values are numbers too; they need not be strings for the map. */
typedef struct counted {
    kv_value head;
    uint64_t value;
} counted;
TRI_LEAF_TYPE(counted);

static kv_value *number_new(uint64_t value)
{
    counted *fresh = tri_new(counted);
    ck_assert_ptr_nonnull(fresh);
    fresh->value = value;
    return &fresh->head;
}

static uint64_t value_of(const kv_entry *entry)
{
    return ((counted *)kv_load(&entry->value))->value;
}

/* ---- one operation at a time ---- */

#define KEYS 3000u

struct model {
    bool present[KEYS];
    uint64_t value[KEYS];
    int64_t expire_at[KEYS];
    unsigned visits[KEYS];
    size_t count, expiring;
};

static void model_remove(struct model *model, unsigned number)
{
    model->count -= model->present[number];
    model->expiring -= model->present[number] && model->expire_at[number] != KV_NEVER;
    model->present[number] = false;
}

static void put(kv_map *map, struct model *model, unsigned number, struct random *random,
                enum hashing hashing)
{
    struct key key;
    uint64_t value = random_next(random);
    int64_t expire_at = random_below(random, 3) == 0 ? (int64_t)random_below(random, 3) : KV_NEVER;
    ck_assert(kv_map_put(map, *name_of(&key, number, hashing), number_new(value), expire_at));
    model_remove(model, number);
    model->present[number] = true;
    model->value[number] = value;
    model->expire_at[number] = expire_at;
    model->count++;
    model->expiring += expire_at != KV_NEVER;
}

static void check_key(const kv_map *map, const struct model *model, unsigned number,
                      enum hashing hashing)
{
    struct key key;
    kv_entry *entry = kv_map_find(map, *name_of(&key, number, hashing));
    ck_assert_int_eq(entry != NULL, model->present[number]);
    if (entry == NULL)
        return;
    ck_assert_uint_eq(value_of(entry), model->value[number]);
    ck_assert_int_eq(entry->expire_at, model->expire_at[number]);
}

static void count_visit(kv_entry *entry, void *argument)
{
    struct model *model = argument;
    model->visits[number_of(entry)]++;
}

static void check_all(const kv_map *map, struct model *model, enum hashing hashing)
{
    ck_assert_uint_eq(kv_map_count(map), model->count);
    ck_assert_uint_eq(kv_map_expiring(map), model->expiring);
    memset(model->visits, 0, sizeof model->visits);
    kv_map_each(map, count_visit, model);
    for (unsigned i = 0; i < KEYS; i++) {
        check_key(map, model, i, hashing);
        ck_assert_uint_eq(model->visits[i], model->present[i]);
    }
    uint64_t cursor = 0;
    do {
        cursor = kv_map_scan(map, cursor, count_visit, model);
    } while (cursor != 0);
    for (unsigned i = 0; i < KEYS; i++)
        ck_assert_uint_eq(model->visits[i], 2u * model->present[i]);
}

/* Each phase of a round prefers to add, to replace or to remove, so that the table grows and
 * shrinks. */
static void run_model(enum hashing hashing, unsigned keys, unsigned steps)
{
    static struct model model;
    struct random random = random_of(seed, hashing);
    kv_map *map = kv_map_new();
    ck_assert_ptr_nonnull(map);
    for (unsigned round = 0; round < 12; round++) {
        unsigned removals = (unsigned[]){1, 5, 9}[round % 3];
        for (unsigned step = 0; step < steps; step++) {
            unsigned number = (unsigned)random_below(&random, keys);
            struct key key;
            if (random_below(&random, 10) >= removals) {
                put(map, &model, number, &random, hashing);
            } else {
                bool removed = kv_map_remove(map, *name_of(&key, number, hashing));
                ck_assert_int_eq(removed, model.present[number]);
                model_remove(&model, number);
            }
            check_key(map, &model, (unsigned)random_below(&random, keys), hashing);
        }
        check_all(map, &model, hashing);
    }
}

START_TEST(model)
{
    start_heap();
    run_model(SPREAD, KEYS, 10000);
    tri_shutdown();
}
END_TEST

START_TEST(model_with_collisions)
{
    start_heap();
    run_model(CROWDED, 200, 3000);
    tri_shutdown();
}
END_TEST

/* ---- a writer and readers ---- */

#define STAYING 64u /* keys 0 up to this stay; their values only grow */
#define READERS 3u
#define WRITES (IS_SANITIZED ? 100000u : 300000u)

TRI_ROOT static kv_map *shared;
static bool done; /* atomic */

/* Gives a staying key its next value, often with another time to live, which replaces the entry. */
static void raise_value(uint64_t *values, unsigned number, struct random *random)
{
    struct key key;
    int64_t expire_at = (int64_t)random_below(random, 2);
    ck_assert(kv_map_put(shared, *name_of(&key, number, SPREAD), number_new(++values[number]),
                         expire_at));
}

static void *write_all(void *unused)
{
    struct random random = random_of(seed, 100);
    uint64_t values[STAYING] = {0};
    unsigned going = 0;
    for (unsigned i = 0; i < WRITES; i++) {
        bool shrinking = i / 5000 % 2;
        struct key key;
        raise_value(values, (unsigned)random_below(&random, STAYING), &random);
        if (!shrinking)
            kv_map_put(shared, *name_of(&key, STAYING + going++, SPREAD), number_new(0), KV_NEVER);
        else if (going > 0)
            kv_map_remove(shared, *name_of(&key, STAYING + --going, SPREAD));
    }
    __atomic_store_n(&done, true, __ATOMIC_RELEASE);
    return unused;
}

struct reader {
    unsigned number;
    uint64_t seen[STAYING]; /* the highest value so far */
    unsigned visits[STAYING];
    const char *complaint;
};

static void look_at(struct reader *reader, unsigned key, uint64_t value)
{
    if (value < reader->seen[key])
        reader->complaint = "a value went back";
    reader->seen[key] = value;
}

static void look_up(struct reader *reader, struct random *random)
{
    unsigned number = (unsigned)random_below(random, STAYING);
    struct key key;
    kv_entry *entry = kv_map_find(shared, *name_of(&key, number, SPREAD));
    if (entry == NULL)
        reader->complaint = "a key that stays was not found";
    else
        look_at(reader, number, value_of(entry));
}

static void visit_staying(kv_entry *entry, void *argument)
{
    struct reader *reader = argument;
    unsigned number = number_of(entry);
    if (number < STAYING)
        reader->visits[number]++;
}

static void walk(struct reader *reader)
{
    memset(reader->visits, 0, sizeof reader->visits);
    kv_map_each(shared, visit_staying, reader);
    for (unsigned i = 0; i < STAYING; i++) {
        if (reader->visits[i] != 1)
            reader->complaint = "a walk did not visit a key that stays exactly once";
    }
}

static void scan(struct reader *reader)
{
    uint64_t cursor = 0;
    memset(reader->visits, 0, sizeof reader->visits);
    do {
        cursor = kv_map_scan(shared, cursor, visit_staying, reader);
    } while (cursor != 0);
    for (unsigned i = 0; i < STAYING; i++) {
        if (reader->visits[i] == 0)
            reader->complaint = "a scan missed a key that stays";
    }
}

static void *read_all(void *argument)
{
    struct reader *reader = argument;
    struct random random = random_of(seed, reader->number);
    while (!__atomic_load_n(&done, __ATOMIC_ACQUIRE) && reader->complaint == NULL) {
        for (unsigned i = 0; i < 1000; i++)
            look_up(reader, &random);
        walk(reader);
        scan(reader);
    }
    return NULL;
}

START_TEST(readers_beside_a_writer)
{
    static struct reader readers[READERS];
    pthread_t threads[READERS + 1];
    struct key key;
    start_heap();
    tri_store_release(&shared, kv_map_new());
    for (unsigned i = 0; i < STAYING; i++)
        ck_assert(kv_map_put(shared, *name_of(&key, i, SPREAD), number_new(0), KV_NEVER));
    for (unsigned i = 0; i < READERS; i++) {
        readers[i].number = i;
        ck_assert_int_eq(tri_thread_create(&threads[i], NULL, read_all, &readers[i]), 0);
    }
    ck_assert_int_eq(tri_thread_create(&threads[READERS], NULL, write_all, NULL), 0);
    TRI_BLOCKING {
        for (unsigned i = 0; i <= READERS; i++)
            pthread_join(threads[i], NULL);
    }
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_msg(readers[i].complaint == NULL, "%s", readers[i].complaint);
    tri_shutdown();
}
END_TEST

int main(int argc, char **argv)
{
    seed = random_start(argc, argv);
    Suite *suite = suite_create("kvserver map");
    TCase *alone = tcase_create("alone");
    tcase_add_test(alone, model);
    tcase_add_test(alone, model_with_collisions);
    tcase_set_timeout(alone, 60);
    suite_add_tcase(suite, alone);
    TCase *threads = tcase_create("threads");
    tcase_add_test(threads, readers_beside_a_writer);
    tcase_set_timeout(threads, 120);
    suite_add_tcase(suite, threads);
    return run_suite(suite);
}
