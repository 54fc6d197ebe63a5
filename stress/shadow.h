/* SPDX-License-Identifier: MIT */
/* stress/shadow.h: the shadow model: what every pointer should lead to.
 *
 * Every object has an id of its own and a check word that follows from it, and every pointer field
 * has a scalar word beside it that says what kind of object, with which id, the pointer is to lead
 * to. Objects do not change that, so a freed, reused, cleared or exchanged one shows up at the next
 * look.
 *
 * Words of memory that the collector reads conservatively, and of objects not published yet, are
 * written as relaxed atomics (set_word): markers may be reading them. */
#ifndef TRI__STRESS_SHADOW_H
#define TRI__STRESS_SHADOW_H

#include "stress/worker.h"

/* How a pointer leads to its object. */
enum how {
    NOTHING, /* NULL */
    NODE,    /* the start of a node */
    INSIDE,  /* anywhere inside a node */
    TAGGED,  /* the start of a node and the low bits of its id */
    BOXED,   /* a slot in the heap that leads to a node */
    LEAF,    /* a leaf object with checked contents */
    TOKEN,   /* a leaf object that is nothing but an id */
    TINY,    /* a few bytes that follow from the id */
    TEXT,    /* a string, the id in hexadecimal */
};

/* A pointer and what it should lead to. Also a type of its own: a box in the heap. */
typedef struct slot {
    void *p;
    uint64_t want; /* enum how in the top byte, and the id; 0 for NULL */
} slot;
TRI_EXTERN_TYPE(slot);

typedef struct token {
    uint64_t id, check;
} token;
TRI_EXTERN_TYPE(token);

typedef struct leaf {
    uint64_t id, check, bytes;
    unsigned char data[];
} leaf;

/* An object with pointers: a head and `count` slots, or (apart) all pointers and then all words
 * beside them. */
typedef struct node {
    uint64_t id, check;
    uint32_t count, apart;
    slot slots[];
} node;

/* Where a node, or a root, keeps its pointers: slot i is p[i * step] and want[i * step]. */
struct place {
    void **p;
    uint64_t *want;
    size_t count, step;
};

static const slot nothing = {NULL, 0};

static inline void set_word(uint64_t *word, uint64_t value)
{
    __atomic_store_n(word, value, __ATOMIC_RELAXED);
}

static inline uint64_t want_of(enum how how, uint64_t id)
{
    return (uint64_t)how << 56 | id;
}

static inline enum how how_of(uint64_t want)
{
    return (enum how)(want >> 56);
}

static inline uint64_t id_of(uint64_t want)
{
    return want & (UINT64_MAX >> 8);
}

/* A number that follows from an id and is unlike it. */
uint64_t mix(uint64_t id);

static inline size_t tiny_bytes(uint64_t id)
{
    return 1 + mix(id) % 7;
}

#define TEXT_BYTES 17

/* A new id. */
static inline uint64_t next_id(struct worker *worker)
{
    return (uint64_t)worker->number << 36 | ++worker->serial;
}

struct place place_of(node *of);
struct place place_of_slots(slot *slots, size_t count);

/* Looks at what `value` leads to; ends the program if that is not what it should be. `where` says
 * where it was found. */
void check_slot(struct worker *worker, slot value, const char *where);
void check_node(struct worker *worker, const node *at, uint64_t id, const char *where);

/* The node that a checked value leads to, or NULL. */
node *node_of(slot value);

/* Ends the program: exit status 1 and one message. */
_Noreturn void lost(struct worker *worker, slot value, const char *where, const char *found, ...)
    __attribute__((format(printf, 4, 5)));

#endif
