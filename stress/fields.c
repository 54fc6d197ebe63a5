/* SPDX-License-Identifier: MIT */
/* stress/fields.c: the arrays that the bulk stress program works on. */
#include "stress/fields.h"

#include <stdlib.h>

#include "stress/objects.h"

/* --- elements --------------------------------------------------------------------------------- */

/* One pointer and a scalar tail, of a size that is no divisor of 64 words. */
typedef struct tailed {
    void *p;
    uint64_t tail[4];
} tailed;
TRI_TYPE(tailed, p);

/* Pointers apart from each other. */
typedef struct mixed {
    uint64_t head;
    void *p[3];
    uint64_t between[2];
    void *q;
} mixed;
TRI_TYPE(mixed, p, q);

/* More than 64 words. */
typedef struct wide {
    void *first;
    uint64_t between[50];
    void *last[2];
    uint64_t tail[40];
} wide;
TRI_TYPE(wide, first, last);

static const struct element pointer_element = {&tri_type_ptr, 1, 1};
static const struct element tailed_element = {&tri_type_tailed, 5, 1};
static const struct element mixed_element = {&tri_type_mixed, 7, 0x4e};
static const struct element wide_element = {&tri_type_wide, 93,
                                            UINT64_C(1) | UINT64_C(3) << 51};

/* --- fields ----------------------------------------------------------------------------------- */

enum memory { OBJECT, CONSERVATIVE, ROOT, ARENA, VARIABLES };

/* Sizes on both sides of 512 bytes and 32 KiB. */
static const struct plan {
    enum memory memory;
    const struct element *element;
    size_t count;
} plans[] = {
    {OBJECT, &pointer_element, 64},       {OBJECT, &pointer_element, 50},
    {OBJECT, &pointer_element, 500},      {OBJECT, &pointer_element, 20000},
    {OBJECT, &tailed_element, 12},        {OBJECT, &tailed_element, 300},
    {OBJECT, &tailed_element, 2000},      {OBJECT, &mixed_element, 9},
    {OBJECT, &mixed_element, 400},        {OBJECT, &mixed_element, 1500},
    {OBJECT, &wide_element, 5},           {OBJECT, &wide_element, 90},
    {CONSERVATIVE, &pointer_element, 60}, {CONSERVATIVE, &tailed_element, 700},
    {ROOT, &pointer_element, 700},        {ROOT, &tailed_element, 100},
    {ROOT, &mixed_element, 333},          {ROOT, &wide_element, 7},
    {ARENA, &pointer_element, 3000},      {ARENA, &tailed_element, 40},
    {ARENA, &mixed_element, 500},         {VARIABLES, &mixed_element, 100},
};
#define FIELDS (sizeof plans / sizeof plans[0])

static struct field fields[FIELDS];
static tri_arena *arena;
static TRI_ROOT void *objects[FIELDS];
static TRI_ROOT uint64_t variables[700];
static void *constants[FIELDS];

static void *root_new(const struct element *element, size_t count)
{
    void *memory = calloc(count, element->words * sizeof(uint64_t));

    if (memory == NULL || tri_root_add(memory, element->type, count) != 0)
        give_up("no memory for a root");
    return memory;
}

static void *memory_new(const struct plan *plan)
{
    switch (plan->memory) {
    case OBJECT:
        return tri_alloc_array(plan->element->type, plan->count);
    case CONSERVATIVE:
        return tri_alloc_conservative(plan->count * plan->element->words * sizeof(uint64_t));
    case ROOT:
        return root_new(plan->element, plan->count);
    case ARENA:
        return tri_arena_alloc_array(arena, plan->element->type, plan->count);
    default:
        return variables;
    }
}

static void field_init(struct field *field, const struct plan *plan, size_t i)
{
    void *memory = memory_new(plan);
    bool in_heap = plan->memory == OBJECT || plan->memory == CONSERVATIVE;

    pthread_mutex_init(&field->lock, NULL);
    field->element = plan->element;
    field->count = plan->count;
    field->is_object = plan->memory == OBJECT;
    field->base = in_heap ? &objects[i] : &constants[i];
    field->shadow = calloc(field_size(field), sizeof(uint64_t));
    if (memory == NULL || field->shadow == NULL)
        give_up("out of memory");
    if (in_heap)
        tri_store(&objects[i], memory);
    else
        constants[i] = memory;
}

void fields_init(void)
{
    arena = tri_arena_new();
    if (arena == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < FIELDS; i++)
        field_init(&fields[i], &plans[i], i);
}

/* No other thread is left. */
void fields_end(struct worker *worker)
{
    for (size_t i = 0; i < FIELDS; i++) {
        field_check(worker, &fields[i], 0, field_size(&fields[i]), "a field, in the end");
        if (plans[i].memory == ROOT && tri_root_remove(constants[i]) != 0)
            give_up("a registered root is not known");
        if (plans[i].memory == ROOT)
            free(constants[i]);
        free(fields[i].shadow);
    }
    tri_arena_free(arena);
}

/* --- locks ------------------------------------------------------------------------------------ */

static void lock(struct field *field)
{
    if (pthread_mutex_trylock(&field->lock) == 0)
        return;
    TRI_BLOCKING
        pthread_mutex_lock(&field->lock);
}

struct field *field_enter(struct worker *worker)
{
    struct field *field = &fields[below(worker, FIELDS)];

    lock(field);
    return field;
}

/* Locked in the order in which they lie. */
struct field *field_enter_two(struct worker *worker, struct field **other)
{
    size_t i = below(worker, FIELDS), k = below(worker, FIELDS);

    if (i == k || fields[i].element != fields[k].element) {
        *other = NULL;
        lock(&fields[i]);
        return &fields[i];
    }
    *other = &fields[k];
    lock(&fields[i < k ? i : k]);
    lock(&fields[i < k ? k : i]);
    return &fields[i];
}

void field_leave(struct field *field)
{
    pthread_mutex_unlock(&field->lock);
}

/* --- words ------------------------------------------------------------------------------------ */

void make_elements(struct worker *worker, const struct element *element, uint64_t *words,
                   uint64_t *shadow, size_t count)
{
    for (size_t i = 0; i < count * element->words; i++) {
        slot value = nothing;

        if (!is_pointer(element, i)) {
            words[i] = shadow[i] = random_next(&worker->random);
            continue;
        }
        if (chance(worker, 80))
            value = chance(worker, 20) ? leaf_new(worker) : token_new(worker);
        words[i] = (uintptr_t)value.p;
        shadow[i] = value.want;
    }
}

void field_check(struct worker *worker, const struct field *field, size_t first, size_t n,
                 const char *where)
{
    const uint64_t *words = field_words(field);

    for (size_t i = first; i < first + n; i++)
        if (is_pointer(field->element, i))
            check_slot(worker, (slot){(void *)(uintptr_t)words[i], field->shadow[i]}, where);
        else if (words[i] != field->shadow[i])
            lost(worker, (slot){(void *)(uintptr_t)&words[i], 0}, where,
                 "word %zu, a scalar, to be %" PRIx64 " instead of %" PRIx64, i, words[i],
                 field->shadow[i]);
}
