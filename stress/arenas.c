/* SPDX-License-Identifier: MIT */
/* stress/arenas.c: threads that make, fill, cross-link, keep and free arenas while cycles run back
 * to back.
 *
 *     arenas [--seed N] [--seconds S] [--threads T]
 *
 * Each thread knows from its shadow, which the collector does not see, what every cell of its
 * arenas holds. Cells hold things, in the heap or in the same arena, and point to cells of the
 * thread's other arenas; things of the heap also change hands over a board. A pointer to a freed
 * arena may be left standing: its address must not come to be a value again as long as it does.
 * Exit status: 0: all was as it should be; 1: something was lost, and a message says what; 2: the
 * program could not run. With the same seed each thread makes the same choices. */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "stress/worker.h"

#define ARENAS 5u
#define CELLS 400u
#define ROW 5u
#define KEPT 16u
#define BOARD 64u
#define WORKERS_MOST 64u

typedef struct thing {
    uint64_t key, check;
    struct thing *next; /* of the same key, or NULL */
} thing;
TRI_TYPE(thing, next);

typedef struct cell {
    uint64_t key;
    struct cell *other;
    thing *row[ROW];
    char text[13];
} cell;
TRI_TYPE(cell, other, row);

enum whereabouts { NOWHERE, IN_HEAP, IN_ARENA };

/* What a cell should hold. */
struct shadow {
    cell *cell;
    uint64_t key;
    uint64_t row_key[ROW];
    uint8_t row_is[ROW];  /* enum whereabouts */
    struct shadow *other; /* NULL: nothing, or a cell of an arena that is freed */
    cell *stale;          /* that one's address */
};

struct mine {
    tri_arena *arena; /* NULL: none now */
    unsigned cells;
    struct shadow shadow[CELLS];
};

/* Copies that outlive their arenas. */
struct kept {
    uint64_t key;
    uint64_t row_key[ROW]; /* 0: not to be looked at */
};

struct member {
    struct worker worker;
    struct mine arenas[ARENAS];
    struct kept kept[KEPT];
    cell **copies; /* in the heap: of KEPT */
    thing **scratch;
};

TRI_ROOT static thing *board[BOARD];

static double seconds = DEFAULT_SECONDS;
static unsigned threads = 3;

static _Noreturn void lost(const struct member *member, const char *what, uint64_t key)
{
    fprintf(stderr, "arenas: LOST: seed %" PRIu64 ", thread %u, %s: %s (key %" PRIu64 ")\n",
            stress_seed, member->worker.number, member->worker.act, what, key);
    _exit(1);
}

static uint64_t mix(uint64_t key)
{
    struct random random = {key};
    return random_next(&random);
}

/* --- things ----------------------------------------------------------------------------------- */

static thing *alloc_thing(struct mine *mine)
{
    thing *made = mine != NULL ? tri_arena_alloc(mine->arena, &tri_type_thing) : tri_new(thing);

    if (made == NULL)
        give_up("no memory");
    return made;
}

/* A chain of one or two; in the heap if mine is NULL. */
static thing *new_thing(struct member *member, struct mine *mine)
{
    struct worker *worker = &member->worker;
    uint64_t key = (uint64_t)worker->number << 40 | ++worker->serial;
    thing *first = NULL;

    for (unsigned left = chance(worker, 50) ? 2 : 1; left > 0; left--) {
        thing *made = alloc_thing(mine);
        made->key = key;
        made->check = mix(key);
        tri_init_store(&made->next, first);
        first = made;
    }
    return first;
}

static void check_thing(struct member *member, const thing *found, uint64_t key)
{
    if (found == NULL)
        lost(member, "a thing is not where it was stored", key);
    for (; found != NULL; found = found->next) {
        if (found->key != key || found->check != mix(key))
            lost(member, "a thing is not what it was", key);
        member->worker.checked++;
    }
}

/* --- cells ------------------------------------------------------------------------------------ */

static void set_row(struct member *member, struct mine *mine, struct shadow *shadow, unsigned k)
{
    enum whereabouts place = (enum whereabouts)below(&member->worker, 3);
    thing *made = NULL;

    if (place != NOWHERE)
        made = new_thing(member, place == IN_ARENA ? mine : NULL);
    tri_store(&shadow->cell->row[k], made);
    shadow->row_is[k] = (uint8_t)place;
    shadow->row_key[k] = made != NULL ? made->key : 0;
}

static void add_cell(struct member *member, struct mine *mine)
{
    struct shadow *shadow = &mine->shadow[mine->cells];
    cell *made;

    if (mine->cells == CELLS)
        return;
    made = tri_arena_alloc(mine->arena, &tri_type_cell);
    if (made == NULL)
        give_up("no memory");
    *shadow = (struct shadow){.cell = made, .key = ++member->worker.serial};
    made->key = shadow->key;
    mine->cells++;
    for (unsigned k = 0; k < ROW; k++)
        set_row(member, mine, shadow, k);
}

static void check_row(struct member *member, thing *const *row, const struct shadow *shadow)
{
    for (unsigned k = 0; k < ROW; k++)
        if (shadow->row_is[k] != NOWHERE)
            check_thing(member, row[k], shadow->row_key[k]);
        else if (row[k] != NULL)
            lost(member, "there is a thing where there was none", shadow->key);
}

static void check_cell(struct member *member, const struct shadow *shadow)
{
    if (shadow->cell->key != shadow->key || tri_object_base(shadow->cell) != shadow->cell ||
        tri_object_type(shadow->cell) != &tri_type_cell)
        lost(member, "a cell is not what it was", shadow->key);
    check_row(member, shadow->cell->row, shadow);
    if (shadow->other != NULL && shadow->cell->other->key != shadow->other->key)
        lost(member, "a cell is not linked to what it was", shadow->key);
    if (shadow->stale != NULL && tri_object_base(shadow->stale) != NULL)
        lost(member, "an address is used again though a pointer to it is left", shadow->key);
}

static struct shadow *any_cell(struct member *member, struct mine **mine)
{
    *mine = &member->arenas[below(&member->worker, ARENAS)];
    if ((*mine)->arena == NULL || (*mine)->cells == 0)
        return NULL;
    return &(*mine)->shadow[below(&member->worker, (*mine)->cells)];
}

/* --- what a thread does ----------------------------------------------------------------------- */

/* Scalars that look like pointers, of all sizes. */
static void add_bytes(struct member *member, struct mine *mine)
{
    size_t bytes = below(&member->worker, 100) != 0 ? below(&member->worker, 3000)
                                                    : below(&member->worker, 3 << 20) / SLOWDOWN;
    uintptr_t *words = tri_arena_alloc_array(mine->arena, &tri_type_bytes, bytes);

    if (words == NULL)
        give_up("no memory");
    for (size_t i = 0; i < bytes / sizeof *words && i < 64; i++)
        words[i] = (uintptr_t)words + 8 * i;
}

static void fill(struct member *member)
{
    struct mine *mine = &member->arenas[below(&member->worker, ARENAS)];

    member->worker.act = "fill";
    if (mine->arena == NULL) {
        mine->arena = tri_arena_new();
        mine->cells = 0;
    }
    if (mine->arena == NULL)
        give_up("no memory");
    for (uint64_t i = 1 + below(&member->worker, 30); i > 0; i--) {
        add_cell(member, mine);
        if (chance(&member->worker, 30))
            add_bytes(member, mine);
    }
}

static void change(struct member *member)
{
    struct mine *mine, *unused;
    struct shadow *shadow = any_cell(member, &mine), *other;

    member->worker.act = "change";
    if (shadow == NULL)
        return;
    set_row(member, mine, shadow, (unsigned)below(&member->worker, ROW));
    other = any_cell(member, &unused);
    if (other == NULL || chance(&member->worker, 50))
        return;
    tri_store(&shadow->cell->other, other->cell);
    shadow->other = other;
    shadow->stale = NULL;
}

/* Rotates a row by way of the heap, or inside itself. */
static void rotate(struct member *member)
{
    struct mine *mine;
    struct shadow *shadow = any_cell(member, &mine), before;
    thing **row;

    member->worker.act = "rotate";
    if (shadow == NULL)
        return;
    before = *shadow;
    row = shadow->cell->row;
    if (chance(&member->worker, 50)) {
        tri_memmove(member->scratch + 1, row, (ROW - 1) * sizeof *row);
        tri_memmove(member->scratch, row + ROW - 1, sizeof *row);
        tri_memclr(row, ROW * sizeof *row);
        tri_memmove(row, member->scratch, ROW * sizeof *row);
    } else {
        thing *last = row[ROW - 1];
        tri_memmove(row + 1, row, (ROW - 1) * sizeof *row);
        tri_store(row, last);
    }
    for (unsigned k = 0; k < ROW; k++) {
        shadow->row_key[(k + 1) % ROW] = before.row_key[k];
        shadow->row_is[(k + 1) % ROW] = before.row_is[k];
    }
}

/* A thing of the heap, or the copy of one, for one of another thread. */
static void swap(struct member *member)
{
    struct mine *mine;
    struct shadow *shadow = any_cell(member, &mine);
    unsigned k = (unsigned)below(&member->worker, ROW);
    thing *given, *taken;

    member->worker.act = "swap";
    if (shadow == NULL || shadow->row_is[k] == NOWHERE)
        return;
    given = tri_arena_keep(shadow->cell->row[k]);
    if (given == NULL)
        give_up("no memory");
    if (shadow->row_is[k] == IN_ARENA)
        tri_store(&given->next, NULL); /* it lies in the arena */
    taken = tri_exchange(&board[below(&member->worker, BOARD)], given);
    if (taken != NULL)
        check_thing(member, taken, taken->key);
    tri_store(&shadow->cell->row[k], taken);
    shadow->row_is[k] = taken != NULL ? IN_HEAP : NOWHERE;
    shadow->row_key[k] = taken != NULL ? taken->key : 0;
}

static void keep(struct member *member)
{
    struct mine *mine;
    struct shadow *shadow = any_cell(member, &mine);
    unsigned at = (unsigned)below(&member->worker, KEPT);
    cell *copy;

    member->worker.act = "keep";
    if (shadow == NULL)
        return;
    copy = tri_arena_keep(shadow->cell);
    if (copy == NULL || copy == shadow->cell)
        give_up("no memory");
    check_row(member, copy->row, shadow);
    tri_store(&member->copies[at], copy);
    member->kept[at].key = shadow->key;
    for (unsigned k = 0; k < ROW; k++)
        member->kept[at].row_key[k] = shadow->row_is[k] == IN_HEAP ? shadow->row_key[k] : 0;
}

static void check(struct member *member)
{
    struct mine *mine = &member->arenas[below(&member->worker, ARENAS)];

    member->worker.act = "check";
    for (unsigned i = 0; mine->arena != NULL && i < mine->cells; i++)
        check_cell(member, &mine->shadow[i]);
    for (unsigned i = 0; i < KEPT; i++) {
        const cell *copy = member->copies[i];
        if (copy != NULL && copy->key != member->kept[i].key)
            lost(member, "a copy is not what it was", member->kept[i].key);
        for (unsigned k = 0; copy != NULL && k < ROW; k++)
            if (member->kept[i].row_key[k] != 0)
                check_thing(member, copy->row[k], member->kept[i].row_key[k]);
    }
}

/* Links into an arena that is about to go: some are cut, others are left and never followed. */
static void cut_links(struct member *member, const struct mine *gone)
{
    for (unsigned a = 0; a < ARENAS; a++) {
        struct mine *mine = &member->arenas[a];
        for (unsigned i = 0; mine->arena != NULL && i < mine->cells; i++) {
            struct shadow *shadow = &mine->shadow[i];
            if (shadow->other < gone->shadow || shadow->other >= gone->shadow + CELLS)
                continue;
            shadow->stale = chance(&member->worker, 50) ? shadow->other->cell : NULL;
            shadow->other = NULL;
            if (shadow->stale == NULL)
                tri_store(&shadow->cell->other, NULL);
        }
    }
}

/* Moves a cell's things into a new object of the heap, by stores that need no barrier: when the
 * arena is gone, and while a mark is running, nobody has told the markers of them but
 * tri_arena_free(). */
static __attribute__((noinline)) void shelter(struct member *member, const struct shadow *shadow)
{
    unsigned at = (unsigned)below(&member->worker, KEPT);
    cell *made = tri_new(cell);

    if (made == NULL)
        give_up("no memory");
    made->key = member->kept[at].key = shadow->key;
    for (unsigned k = 0; k < ROW; k++) {
        bool stays = shadow->row_is[k] == IN_HEAP;
        tri_init_store(&made->row[k], stays ? shadow->cell->row[k] : NULL);
        member->kept[at].row_key[k] = stays ? shadow->row_key[k] : 0;
    }
    tri_store(&member->copies[at], made);
}

/* What is loaded from the arena right before is held by this stack alone after it. */
static void free_one(struct member *member, struct mine *mine)
{
    uint64_t key[4];
    thing *held[4];
    unsigned count = 0;

    member->worker.act = "free";
    if (mine->arena == NULL)
        return;
    cut_links(member, mine);
    for (unsigned i = 0; i < mine->cells && count < 4; i += 1 + mine->cells / 4)
        for (unsigned k = 0; k < ROW && count < 4; k++)
            if (mine->shadow[i].row_is[k] == IN_HEAP) {
                held[count] = mine->shadow[i].cell->row[k];
                key[count++] = mine->shadow[i].row_key[k];
            }
    for (unsigned i = 0; i < 4 && mine->cells > 0; i++)
        shelter(member, &mine->shadow[below(&member->worker, mine->cells)]);
    scrub_stack();
    tri_arena_free(mine->arena);
    mine->arena = NULL;
    for (unsigned i = 0; i < count; i++)
        check_thing(member, held[i], key[i]);
}

static void act(struct member *member)
{
    uint64_t kind = below(&member->worker, 100);

    if (kind < 10)
        fill(member);
    else if (kind < 50)
        change(member);
    else if (kind < 65)
        rotate(member);
    else if (kind < 85)
        swap(member);
    else if (kind < 92)
        keep(member);
    else if (kind < 96)
        check(member);
    else if (kind < 98)
        free_one(member, &member->arenas[below(&member->worker, ARENAS)]);
    else
        scrub_stack();
}

static void *work(void *argument)
{
    struct member *member = argument;
    cell **copies = (cell **)tri_new_ptrs(KEPT);
    thing **scratch = (thing **)tri_new_ptrs(ROW);
    tri_handle *handles[] = {tri_handle_new(copies), tri_handle_new(scratch)};

    if (copies == NULL || scratch == NULL || handles[0] == NULL || handles[1] == NULL)
        give_up("no memory");
    member->copies = copies;
    member->scratch = scratch;
    while (!stopping())
        act(member);
    check(member);
    for (unsigned a = 0; a < ARENAS; a++)
        free_one(member, &member->arenas[a]);
    check(member);
    tri_handle_free(handles[0]);
    tri_handle_free(handles[1]);
    worker_end(&member->worker);
    return NULL;
}

static void *collect(void *unused)
{
    (void)unused;
    while (!stopping())
        tri_collect();
    return NULL;
}

/* --- the program ------------------------------------------------------------------------------ */

static void start(pthread_t *thread, void *(*function)(void *), void *argument)
{
    if (pthread_create(thread, NULL, function, argument) != 0)
        give_up("no thread");
}

static void join(pthread_t thread)
{
    TRI_BLOCKING
        pthread_join(thread, NULL);
}

static void run(void)
{
    static struct member members[WORKERS_MOST];
    pthread_t collector;

    for (unsigned i = 0; i < threads; i++) {
        worker_init(&members[i].worker);
        start(&members[i].worker.thread, work, &members[i]);
    }
    start(&collector, collect, NULL);
    sleep_ns((uint64_t)(seconds * 1e9));
    __atomic_store_n(&stress_stop, 1, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < threads; i++)
        join(members[i].worker.thread);
    join(collector);
}

/* All arenas are freed, and nothing points to them. */
static int summarize(void)
{
    tri_stats stats = TRI_STATS_INIT;

    scrub_stack();
    tri_collect();
    tri_collect();
    tri_stats_get(&stats);
    printf("arenas: %s: seed %" PRIu64 ": %" PRIu64 " cycles, %" PRIu64 " things checked, %" PRIu64
           " arenas and %" PRIu64 " bytes left\n",
           stats.arenas == 0 && stats.arena_waiting_bytes == 0 ? "ok" : "LEFT OVER", stress_seed,
           stats.cycles, workers_checked(), stats.arenas, stats.arena_waiting_bytes);
    return stats.arenas == 0 && stats.arena_waiting_bytes == 0 ? 0 : 1;
}

static _Noreturn void usage(const char *program)
{
    fprintf(stderr, "usage: %s [--seed N] [--seconds S] [--threads T]\n", program);
    exit(2);
}

static void read_options(int argc, char **argv)
{
    static const struct option known[] = {{"seed", required_argument, NULL, 'r'},
                                          {"seconds", required_argument, NULL, 's'},
                                          {"threads", required_argument, NULL, 't'},
                                          {NULL, 0, NULL, 0}};
    const char *seed = getenv("TRICOLOR_SEED");
    int option;

    stress_seed =
        seed != NULL && *seed != '\0' ? strtoull(seed, NULL, 10) : random_seed_from_clock();
    while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (option == 'r')
            stress_seed = strtoull(optarg, NULL, 10);
        else if (option == 's')
            seconds = strtod(optarg, NULL);
        else if (option == 't')
            threads = (unsigned)strtoul(optarg, NULL, 10);
        else
            usage(argv[0]);
    }
    if (optind != argc || threads == 0 || threads > WORKERS_MOST)
        usage(argv[0]);
}

int main(int argc, char **argv)
{
    tri_config config = TRI_CONFIG_INIT;
    int status;

    read_options(argc, argv);
    printf("arenas: seed %" PRIu64 "\n", stress_seed);
    fflush(stdout);
    alarm((unsigned)seconds + 240);
    grow_stack();
    config.gc_percent = 50;
    config.markers = 2;
    if (tri_init(&config) != 0)
        return 2;
    run();
    status = summarize();
    worker_check_heap();
    tri_shutdown();
    return status;
}
