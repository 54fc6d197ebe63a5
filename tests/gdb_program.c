/* SPDX-License-Identifier: MIT */
/* tests/gdb_program.c: builds a small heap of all kinds of objects, writes what tri_dump_object and
 * tri_dump_span say of it to the file it is given, and waits at a place where test_gdb.sh stops it.
 * Then it walks some of them, for test_gdb.sh to stop the iterator.
 * Threads: one sleeps in TRI_BLOCKING, so that there is one to be seen. */
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "dumped_types.h"

typedef struct wide { /* too many words for one mask */
    void *first[70];
    long numbers[30];
} wide;
TRI_TYPE(wide, first);

/* A pointer and 999 scalars, 100 times. */
static const uint8_t code[] = {
    TRI_GC_LITERAL(2), 0x01, TRI_GC_REPEAT(1), 0xe6, 0x07, 0xd1, 0x0f, 0x63, TRI_GC_END};
static const tri_gc_program program = {code, sizeof code};
static void *program_cache;
static const tri_type tri_type_programmed = {.size = 100000 * sizeof(void *),
                                             .ptr_bytes = 99001 * sizeof(void *),
                                             .gc_data = &program,
                                             .name = "programmed",
                                             .flags = TRI_TYPE_GC_PROGRAM,
                                             .cache = &program_cache};

typedef struct number_first {
    long number;
    void *pointer;
} number_first;
TRI_TYPE(number_first, pointer);
typedef struct pointer_first {
    void *pointer;
    long number;
} pointer_first;
TRI_TYPE(pointer_first, pointer);

/* What the script asks for, by name. */
node *single, *array;
list *flexible;
wide *with_byte_mask;
void *leaf, *conservative, *nothing, *freed, *value, *lost, **by_program;
pointer_first *hot;
int iterators; /* a file where gdb has the library write its iterators */

static int ends[2]; /* nothing ever comes through this pipe */

/* Where gdb stops the program. */
void stop_here(void);
__attribute__((noinline)) void stop_here(void)
{
    __asm__ volatile("" : : : "memory");
}

static void *sleep_in_blocking(void *slept)
{
    char byte;

    tri_thread_attach();
    TRI_BLOCKING {
        __atomic_store_n((int *)slept, 1, __ATOMIC_RELEASE); /* rel -> acq in main() */
        (void)!read(ends[0], &byte, 1);
    }
    return NULL;
}

/* One is freed again. */
static void build_arenas(void)
{
    tri_arena *arena = tri_arena_new(), *gone = tri_arena_new();
    node *in_arena = tri_arena_alloc_array(arena, &tri_type_node, 3);
    list *tail = tri_arena_alloc_flex(arena, &tri_type_list, 4);

    tri_store(&tail->items[1], in_arena);
    tri_store(&in_arena[1].right, single);
    value = &tail->items[1];
    lost = tri_arena_alloc(gone, &tri_type_node);
    tri_arena_free(gone);
}

/* Two types of one size take turns, which makes one hot: it gets spans of its own. */
static void heat(void)
{
    for (int i = 0; i < 20000; i++) {
        tri_new(number_first);
        hot = tri_new(pointer_first);
    }
    tri_store(&hot->pointer, hot);
}

static void build(void)
{
    heat();
    single = tri_new(node);
    tri_store(&single->left, tri_new(node));
    single->key = (long)single->left;
    array = tri_new_array(node, 1000);
    tri_store(&array[300].right, single);
    array[301].key = 42;
    flexible = tri_new_flex(list, 20000);
    tri_store(&flexible->items[9999], single);
    with_byte_mask = tri_new(wide);
    tri_store(&with_byte_mask->first[69], array + 7);
    leaf = tri_strdup("a string that is long enough");
    conservative = tri_alloc_conservative(200);
    freed = (char *)single + 7 * 32;
    by_program = tri_alloc(&tri_type_programmed);
    tri_store(&by_program[77000], single);
    nothing = &single;
    build_arenas();
}

static int create(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);
}

static void write_dumps(const char *path)
{
    const void *objects[] = {(char *)single + 9,
                             array + 300,
                             &flexible->items[9999],
                             with_byte_mask,
                             leaf,
                             conservative,
                             nothing,
                             freed,
                             value,
                             lost,
                             (char *)value + 30000,
                             by_program + 77001,
                             hot};
    int file = create(path);

    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        tri_dump_object(objects[i], file);
    tri_dump_span(single, file);
    tri_dump_span(flexible, file);
    tri_dump_span(value, file);
    tri_dump_span(hot, file);
    close(file);
}

/* A bitmap, elements of up to 64 words, larger ones, a fixed part and its tail, a program. */
static void walk(void)
{
    const void *objects[] = {single, tri_new_array(node, 60), with_byte_mask,
                             tri_new_flex(list, 150), by_program};
    uint8_t mask[1];

    for (size_t i = 0; i < sizeof objects / sizeof *objects; i++)
        tri_pointer_mask(objects[i], mask, sizeof mask);
}

int main(int argc, char **argv)
{
    static int slept;
    tri_config config = TRI_CONFIG_INIT;
    pthread_t thread;

    config.gc_percent = -1;
    config.heap_reserve = (size_t)64 << 20; /* gdb writes all of it into a core file */
    if (argc != 3 || tri_init(&config) != 0 || pipe(ends) != 0)
        return 2;
    if (pthread_create(&thread, NULL, sleep_in_blocking, &slept) != 0)
        return 2;
    while (!__atomic_load_n(&slept, __ATOMIC_ACQUIRE))
        usleep(1000);
    build();
    write_dumps(argv[1]);
    iterators = create(argv[2]);
    stop_here();
    walk();
    return 0;
}
