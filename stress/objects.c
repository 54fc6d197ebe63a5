/* SPDX-License-Identifier: MIT */
/* stress/objects.c: making objects.
 *
 * Sizes up to 512 bytes are allocated as fixed types, whose runs carry the layout, and as flexible
 * ones, whose layout is written for each; above that come type footers, fixed and flexible, and
 * spans of their own; and conservative memory in all sizes. */
#include "stress/objects.h"

#include <stdio.h>

#define APART 96 /* slots of the fixed type that has a footer */

#define NODE_TYPE(name, n)                                                                         \
    typedef struct name {                                                                          \
        uint64_t id, check;                                                                        \
        uint32_t count, apart;                                                                     \
        slot slots[n];                                                                             \
    } name

NODE_TYPE(node1, 1);
NODE_TYPE(node2, 2);
NODE_TYPE(node4, 4);
NODE_TYPE(node8, 8);
TRI_TYPE(node1, slots[0].p);
TRI_TYPE(node2, slots[0].p, slots[1].p);
TRI_TYPE(node4, slots[0].p, slots[1].p, slots[2].p, slots[3].p);
TRI_TYPE(node8, slots[0].p, slots[1].p, slots[2].p, slots[3].p, slots[4].p, slots[5].p, slots[6].p,
         slots[7].p);

/* More types of one size: their runs alternate, so they get spans of their own. */
NODE_TYPE(twin4, 4);
NODE_TYPE(third4, 4);
TRI_TYPE(twin4, slots[0].p, slots[1].p, slots[2].p, slots[3].p);
TRI_TYPE(third4, slots[0].p, slots[1].p, slots[2].p, slots[3].p);

typedef struct node_apart {
    uint64_t id, check;
    uint32_t count, apart;
    void *p[APART];
    uint64_t want[APART];
} node_apart;
TRI_TYPE(node_apart, p);

TRI_FLEX_TYPE_OF(node, slots, slot);

static void *alloc_four(struct worker *worker)
{
    switch (below(worker, 3)) {
    case 0:
        return tri_new(twin4);
    case 1:
        return tri_new(third4);
    default:
        return tri_new(node4);
    }
}

static void *alloc_fixed(struct worker *worker, size_t count)
{
    switch (count) {
    case 1:
        return tri_new(node1);
    case 2:
        return tri_new(node2);
    case 4:
        return alloc_four(worker);
    case 8:
        return tri_new(node8);
    case APART:
        return tri_new(node_apart);
    default:
        return tri_new_flex(node, count);
    }
}

static node *alloc_node(struct worker *worker, size_t count)
{
    unsigned kind = (unsigned)below(worker, 16);

    if (kind == 0)
        return tri_alloc_conservative(sizeof(node) + count * sizeof(slot));
    return kind < 8 ? tri_new_flex(node, count) : alloc_fixed(worker, count);
}

/* Written as atomics: the memory may be conservative. */
node *node_new(struct worker *worker, size_t count)
{
    node *fresh = alloc_node(worker, count);
    uint64_t id = next_id(worker);

    if (fresh == NULL)
        give_up("out of memory");
    set_word(&fresh->id, id);
    set_word(&fresh->check, mix(id));
    __atomic_store_n(&fresh->count, (uint32_t)count, __ATOMIC_RELAXED);
    if (count == APART && tri_object_type(fresh) == &tri_type_node_apart)
        fresh->apart = 1;
    return fresh;
}

size_t random_count(struct worker *worker)
{
    static const uint8_t fixed[] = {1, 2, 4, 8};
    unsigned kind = (unsigned)below(worker, 1000);

    if (kind < 500)
        return fixed[kind % sizeof fixed];
    if (kind < 900)
        return below(worker, 31); /* up to 504 bytes */
    if (kind < 950)
        return APART;
    if (kind < 995)
        return below(worker, 400);
    return below(worker, COUNT_MOST);
}

void fill_slot(struct place *place, size_t i, slot value)
{
    tri_init_store(&place->p[i * place->step], value.p);
    set_word(&place->want[i * place->step], value.want);
}

slot token_new(struct worker *worker)
{
    token *fresh = tri_new(token);

    if (fresh == NULL)
        give_up("out of memory");
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    return (slot){fresh, want_of(TOKEN, fresh->id)};
}

static slot bytes_new(struct worker *worker)
{
    size_t bytes = chance(worker, 1)    ? below(worker, 100000)
                   : chance(worker, 20) ? below(worker, 3000)
                                        : below(worker, 100);
    leaf *fresh = tri_alloc_bytes(sizeof *fresh + bytes);

    if (fresh == NULL)
        give_up("out of memory");
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    fresh->bytes = bytes;
    for (size_t i = 0; i < bytes; i++)
        fresh->data[i] = (unsigned char)(mix(fresh->id + i / 8) >> i % 8 * 8);
    return (slot){fresh, want_of(LEAF, fresh->id)};
}

static slot tiny_new(struct worker *worker)
{
    uint64_t id = next_id(worker), bytes = mix(id);
    char *fresh = tri_alloc_bytes(tiny_bytes(id));

    if (fresh == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < tiny_bytes(id); i++)
        fresh[i] = ((const char *)&bytes)[i];
    return (slot){fresh, want_of(TINY, id)};
}

static slot text_new(struct worker *worker)
{
    uint64_t id = next_id(worker);
    char text[TEXT_BYTES], *fresh;

    snprintf(text, sizeof text, "%016" PRIx64, id);
    fresh = tri_strdup(text);
    if (fresh == NULL)
        give_up("out of memory");
    return (slot){fresh, want_of(TEXT, id)};
}

slot leaf_new(struct worker *worker)
{
    switch (below(worker, 6)) {
    case 0:
        return bytes_new(worker);
    case 1:
        return tiny_new(worker);
    case 2:
        return text_new(worker);
    default:
        return token_new(worker);
    }
}

static slot box_new(node *target)
{
    slot *box = tri_new(slot);

    if (box == NULL)
        give_up("out of memory");
    tri_init_store(&box->p, (void *)target);
    box->want = want_of(NODE, target->id);
    return (slot){box, want_of(BOXED, target->id)};
}

slot point_to(struct worker *worker, node *target)
{
    size_t bytes = sizeof *target + target->count * sizeof(slot);
    char *start = (char *)target;

    switch (below(worker, 8)) {
    case 0:
        return (slot){start + below(worker, bytes), want_of(INSIDE, target->id)};
    case 1:
        return (slot){start + (target->id & 7), want_of(TAGGED, target->id)};
    case 2:
        return box_new(target);
    default:
        return (slot){start, want_of(NODE, target->id)};
    }
}
