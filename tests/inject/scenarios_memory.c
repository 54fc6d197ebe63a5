/* SPDX-License-Identifier: MIT */
/* tests/inject/scenarios_memory.c: scenarios of objects, types, arenas and roots, on one thread. */
#include <fcntl.h>
#include <unistd.h>

#include "scenarios.h"

/* 1 0 0 0, 100 times; and 40000 times, whose mask goes with each object. */
static const uint8_t short_code[] = {TRI_GC_LITERAL(4), 0x1, TRI_GC_REPEAT(4), 99, TRI_GC_END};
static const uint8_t long_code[] = {TRI_GC_LITERAL(4), 0x1, TRI_GC_REPEAT(4), 0xbf, 0xb8, 0x02,
                                    TRI_GC_END};
#define SHORT_WORDS ((size_t)4 * 100)
#define LONG_WORDS ((size_t)4 * 40000)

/* ---- allocation ---- */

int allocate_small(void)
{
    for (size_t bytes = 1; bytes < 20000; bytes += 1 + bytes / 3)
        if (tri_alloc_bytes(bytes) == NULL || tri_new_ptrs(1 + bytes / 8) == NULL ||
            tri_alloc_conservative(bytes) == NULL || tri_new_flex(list, bytes / 8) == NULL)
            return out_of_memory();
    for (int i = 0; i < 3000; i++)
        if (tri_new(node) == NULL || tri_new(wide) == NULL)
            return out_of_memory();
    if (tri_strdup("as long as it is") == NULL || tri_grow("abc", &tri_type_bytes, 3, 900) == NULL)
        return out_of_memory();
    return 0;
}

static const tri_gc_program short_program = {short_code, sizeof short_code};
static const tri_gc_program long_program = {long_code, sizeof long_code};
static void *short_mask, *long_mask;
static const tri_type short_type = {.size = SHORT_WORDS * TRI_WORD,
                                    .ptr_bytes = (SHORT_WORDS - 3) * TRI_WORD,
                                    .gc_data = &short_program,
                                    .name = "short",
                                    .flags = TRI_TYPE_GC_PROGRAM,
                                    .cache = &short_mask};
static const tri_type long_type = {.size = LONG_WORDS * TRI_WORD,
                                   .ptr_bytes = (LONG_WORDS - 3) * TRI_WORD,
                                   .gc_data = &long_program,
                                   .name = "long",
                                   .flags = TRI_TYPE_GC_PROGRAM,
                                   .cache = &long_mask};

int allocate_large(void)
{
    for (int round = 0; round < 2; round++) {
        if (tri_alloc_bytes(3 * MEGABYTE) == NULL || tri_new_ptrs(100000) == NULL ||
            tri_new_flex(list, 20000) == NULL || tri_new_array(wide, 300) == NULL ||
            tri_alloc(&short_type) == NULL || tri_alloc(&long_type) == NULL ||
            tri_alloc_array(&long_type, 3) == NULL)
            return out_of_memory();
        tri_collect();
    }
    return 0;
}

#define ARRAYS 400 /* more than there is room for */

/* In a table that is emptied, so that a word left on a stack keeps one of them and not all. */
int run_out(void)
{
    void **table = tri_new_ptrs(ARRAYS);
    int n = 0;

    if (table == NULL)
        return out_of_memory();
    for (; n < ARRAYS; n++) {
        void **fresh = tri_new_ptrs(16 << 10);

        if (fresh == NULL)
            break;
        tri_store(&table[n], fresh);
    }
    INJECT_MUST(n < ARRAYS);
    (void)out_of_memory();
    while (n-- > 0)
        tri_store(&table[n], NULL);
    tri_collect();
    return tri_alloc_bytes(MEGABYTE) != NULL ? 0 : out_of_memory();
}

static bool ask_again(size_t bytes, void *calls)
{
    return bytes != 0 && ++*(int *)calls % 3 != 0;
}

void start_limited(void)
{
    static int calls;
    tri_config config = config_of_test();

    config.memory_limit = 16 * MEGABYTE;
    config.oom = ask_again;
    config.oom_argument = &calls;
    INJECT_MUST(tri_init(&config) == 0);
}

/* ---- types ---- */

/* Each time others: the last ones may not be over yet. */
struct types {
    tri_type pair, table, program;
};
#define TIMES 3
static struct types types[TIMES];
static unsigned times;

static int build(tri_type *type, const tri_type_desc *desc)
{
    return no_memory(tri_type_build(type, desc));
}

static int build_all(struct types *out, int *built)
{
    static const tri_type_field fields[] = {{.offset = 0, .count = 2},
                                            {.offset = 24, .count = 3, .type = &tri_type_node}};
    int error =
        build(&out->pair,
              &(tri_type_desc){.name = "pair", .size = 96, .fields = fields, .field_count = 2});

    *built = error == 0;
    if (error == 0)
        error =
            build(&out->table, &(tri_type_desc){.name = "table", .size = 16, .tail = &out->pair});
    *built += error == 0;
    if (error == 0)
        error = build(&out->program, &(tri_type_desc){.name = "program",
                                                      .size = LONG_WORDS * TRI_WORD,
                                                      .program = {long_code, sizeof long_code}});
    *built += error == 0;
    return error;
}

static int use_built(const struct types *built)
{
    for (int i = 0; i < 2000; i++) /* more than a span: it becomes hot */
        if (tri_alloc(&built->pair) == NULL)
            return out_of_memory();
    if (tri_alloc_flex(&built->table, 5) == NULL || tri_alloc(&built->program) == NULL)
        return out_of_memory();
    return 0;
}

int build_and_retire(void)
{
    struct types *mine = &types[times++ % TIMES];
    tri_type *const each[] = {&mine->pair, &mine->table, &mine->program};
    int built, error = build_all(mine, &built);

    if (error == 0)
        error = use_built(mine);
    tri_collect();
    while (built-- > 0)
        INJECT_MUST(tri_type_retire(each[built]) == 0);
    for (int i = 0; i < 4; i++)
        tri_collect();
    return error;
}

static bool is_over(const tri_type *type)
{
    return type->flags == 0 || tri_type_retired(type); /* never built, or not any more */
}

/* A conservative scan may hold on to one; shutting down does not. */
void end_types(void)
{
    stop();
    for (unsigned i = 0; i < TIMES; i++)
        INJECT_MUST(is_over(&types[i].pair) && is_over(&types[i].table) &&
                    is_over(&types[i].program));
}

/* ---- arenas ---- */

static int fill_arena(tri_arena *arena)
{
    node *value = NULL;

    for (int i = 0; i < 4000; i++) {
        value = tri_arena_alloc(arena, &tri_type_node);
        if (value == NULL)
            return out_of_memory();
        tri_store(&value->next, kept);
    }
    if (tri_arena_alloc_array(arena, &tri_type_wide, 2000) == NULL || /* an object of the heap */
        tri_arena_alloc_flex(arena, &tri_type_list, 200) == NULL ||
        tri_arena_alloc(arena, &short_type) == NULL || tri_arena_keep(value) == NULL)
        return out_of_memory();
    return 0;
}

int use_arenas(void)
{
    int error = 0;

    for (int round = 0; round < 3 && error == 0; round++) {
        tri_arena *arena = tri_arena_new();

        if (arena == NULL)
            return out_of_memory();
        error = fill_arena(arena);
        tri_arena_free(arena);
        tri_collect(); /* after two of them its addresses are used again */
        tri_collect();
    }
    return error;
}

/* ---- handles and roots ---- */

#define HANDLES 1000

static int use_handles(void)
{
    static tri_handle *handles[HANDLES];
    int n = 0, error = 0;

    for (; n < HANDLES; n++) {
        handles[n] = tri_handle_new(kept);
        if (handles[n] == NULL) {
            error = out_of_memory();
            break;
        }
    }
    tri_collect();
    while (n-- > 0)
        tri_handle_free(handles[n]);
    return error;
}

static int use_roots(void)
{
    static struct {
        node *members[4];
        wide element;
        node *after;
    } ranges;
    int error = no_memory(tri_root_add(ranges.members, &tri_type_ptr, 4));

    if (error != 0)
        return error;
    tri_store(&ranges.members[1], kept);
    error = no_memory(tri_root_add(&ranges.element, &tri_type_wide, 1));
    if (error == 0) {
        tri_collect();
        INJECT_MUST(tri_root_remove(ranges.members) == 0);
        error = no_memory(tri_root_add(ranges.members, &tri_type_ptr, 2));
        INJECT_MUST(tri_root_remove(&ranges.element) == 0);
    }
    tri_collect();
    if (error == 0 || ranges.members[1] == kept)
        (void)tri_root_remove(ranges.members); /* -ENOENT: it could not be added the second time */
    INJECT_MUST(tri_root_remove(ranges.members) == -ENOENT);
    return error;
}

int hold_and_look(void)
{
    int error = 0, null = open("/dev/null", O_WRONLY | O_CLOEXEC);

    INJECT_MUST(null >= 0);
    if (!keep_nodes(10))
        error = out_of_memory();
    if (error == 0)
        error = use_handles();
    if (error == 0)
        error = use_roots();
    tri_dump_object(kept, null);
    tri_dump_span(kept, null);
    tri_dump_object(&error, null);
    tri_store(&kept, NULL);
    close(null);
    return error;
}
