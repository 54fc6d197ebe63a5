/* SPDX-License-Identifier: MIT */
/* stress/shadow.c: looking at objects, and saying what was found. */
#include "stress/shadow.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TRI_TYPE(slot, p);
TRI_LEAF_TYPE(token);

#define WHOLE_BYTES 256 /* of longer leaf objects some bytes are looked at */

uint64_t mix(uint64_t id)
{
    struct random random = {id};

    return random_next(&random);
}

struct place place_of_slots(slot *slots, size_t count)
{
    return (struct place){.p = &slots->p, .want = &slots->want, .count = count, .step = 2};
}

struct place place_of(node *of)
{
    void **first = (void **)(void *)of->slots;

    if (!of->apart)
        return place_of_slots(of->slots, of->count);
    return (struct place){
        .p = first, .want = (uint64_t *)(void *)(first + of->count), .count = of->count, .step = 1};
}

static const char *name_of(enum how how)
{
    static const char *const names[] = {
        [NOTHING] = "nothing",
        [NODE] = "node",
        [INSIDE] = "inner pointer to a node",
        [TAGGED] = "tagged pointer to a node",
        [BOXED] = "boxed node",
        [LEAF] = "leaf",
        [TOKEN] = "token",
        [TINY] = "tiny leaf",
        [TEXT] = "text",
    };

    return (size_t)how < sizeof names / sizeof names[0] ? names[how] : "word that was overwritten";
}

/* Only the first one speaks: what others find then is a consequence. */
void lost(struct worker *worker, slot value, const char *where, const char *found, ...)
{
    static uint32_t said;
    tri_stats stats = TRI_STATS_INIT;
    va_list arguments;

    if (__atomic_exchange_n(&said, 1, __ATOMIC_RELAXED) != 0)
        for (;;)
            pause();
    tri_stats_get(&stats);
    fflush(stdout);
    fprintf(stderr,
            "%s: LOST: seed %" PRIu64 ", thread %u (%s), cycle %" PRIu64
            ", in %s, at %p: expected a %s with id %" PRIx64 ", found ",
            stress_name, stress_seed, worker->number, worker->act, stats.cycles, where, value.p,
            name_of(how_of(value.want)), id_of(value.want));
    va_start(arguments, found);
    vfprintf(stderr, found, arguments);
    va_end(arguments);
    fputc('\n', stderr);
    _exit(1);
}

/* The object must be there, with room for `bytes`, before its words are looked at: freed memory may
 * be gone. */
static void check_base(struct worker *worker, slot value, const void *object, size_t bytes,
                       const char *where)
{
    const void *base = tri_object_base(object);

    worker->checked++;
    if (object == NULL)
        lost(worker, value, where, "NULL");
    if (base == NULL)
        lost(worker, value, where, "freed memory");
    if (base != object)
        lost(worker, value, where, "the inside of another object, at %p", base);
    if (tri_object_size(object) < bytes)
        lost(worker, value, where, "an object of %zu bytes", tri_object_size(object));
}

static void check_head(struct worker *worker, slot value, const token *head, const char *where)
{
    uint64_t id = id_of(value.want);

    if (head->id != id || head->check != mix(id))
        lost(worker, value, where, "id %" PRIx64 " and check %" PRIx64 "%s", head->id, head->check,
             head->check == mix(head->id) ? " (of another object)"
             : head->id == 0              ? " (cleared)"
                                          : "");
}

void check_node(struct worker *worker, const node *at, uint64_t id, const char *where)
{
    slot value = {(void *)(uintptr_t)at, want_of(NODE, id)};

    check_base(worker, value, at, sizeof *at, where);
    check_head(worker, value, (const token *)(const void *)at, where);
    if (tri_object_size(at) < sizeof *at + at->count * sizeof(slot))
        lost(worker, value, where, "an object of %zu bytes", tri_object_size(at));
}

/* An inner pointer says nothing about where the object begins. */
static void check_inside(struct worker *worker, slot value, const char *where)
{
    const node *base = tri_object_base(value.p);

    if (base == NULL)
        lost(worker, value, where, "freed memory");
    check_node(worker, base, id_of(value.want), where);
}

static void check_box(struct worker *worker, slot value, const char *where)
{
    const slot *box = value.p;

    check_base(worker, value, box, sizeof *box, where);
    if (box->want != want_of(NODE, id_of(value.want)))
        lost(worker, value, where, "a box for id %" PRIx64, id_of(box->want));
    check_node(worker, box->p, id_of(value.want), where);
}

static void check_byte(struct worker *worker, slot value, const leaf *at, size_t i,
                       const char *where)
{
    if (at->data[i] != (unsigned char)(mix(at->id + i / 8) >> i % 8 * 8))
        lost(worker, value, where, "byte %zu overwritten: %02x", i, (unsigned)at->data[i]);
}

static void check_leaf(struct worker *worker, slot value, const char *where)
{
    const leaf *at = value.p;

    check_base(worker, value, at, sizeof *at, where);
    check_head(worker, value, (const token *)(const void *)at, where);
    check_base(worker, value, at, sizeof *at + at->bytes, where);
    if (at->bytes <= WHOLE_BYTES)
        for (size_t i = 0; i < at->bytes; i++)
            check_byte(worker, value, at, i, where);
    else
        for (int i = 0; i < 16; i++)
            check_byte(worker, value, at, below(worker, at->bytes), where);
}

static void check_token(struct worker *worker, slot value, const char *where)
{
    check_base(worker, value, value.p, sizeof(token), where);
    check_head(worker, value, value.p, where);
}

/* Several tiny objects share a block, so where it begins is not known. */
static void check_tiny(struct worker *worker, slot value, const char *where)
{
    uint64_t id = id_of(value.want), bytes = mix(id);

    worker->checked++;
    if (tri_object_base(value.p) == NULL)
        lost(worker, value, where, "freed memory");
    if (memcmp(value.p, &bytes, tiny_bytes(id)) != 0)
        lost(worker, value, where, "other bytes: %02x...", (unsigned)*(unsigned char *)value.p);
}

static void check_text(struct worker *worker, slot value, const char *where)
{
    char text[TEXT_BYTES];

    snprintf(text, sizeof text, "%016" PRIx64, id_of(value.want));
    check_base(worker, value, value.p, sizeof text, where);
    if (memcmp(value.p, text, sizeof text) != 0)
        lost(worker, value, where, "\"%.16s\"", (const char *)value.p);
}

void check_slot(struct worker *worker, slot value, const char *where)
{
    uint64_t id = id_of(value.want);

    switch (how_of(value.want)) {
    case NOTHING:
        if (value.p != NULL)
            lost(worker, value, where, "a pointer");
        break;
    case NODE:
        check_node(worker, value.p, id, where);
        break;
    case INSIDE:
        check_inside(worker, value, where);
        break;
    case TAGGED:
        check_node(worker, (node *)((uintptr_t)value.p - (id & 7)), id, where);
        break;
    case BOXED:
        check_box(worker, value, where);
        break;
    case LEAF:
        check_leaf(worker, value, where);
        break;
    case TOKEN:
        check_token(worker, value, where);
        break;
    case TINY:
        check_tiny(worker, value, where);
        break;
    case TEXT:
        check_text(worker, value, where);
        break;
    default:
        lost(worker, value, where, "a slot that was overwritten, with the words %p and %" PRIx64,
             value.p, value.want);
    }
}

node *node_of(slot value)
{
    switch (how_of(value.want)) {
    case NODE:
        return value.p;
    case INSIDE:
        return tri_object_base(value.p);
    case TAGGED:
        return (node *)((uintptr_t)value.p - (id_of(value.want) & 7));
    case BOXED:
        return ((slot *)value.p)->p;
    default:
        return NULL;
    }
}
