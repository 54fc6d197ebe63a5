/* SPDX-License-Identifier: MIT */
/* stress/fields.h: arrays of elements with pointers in them, in all kinds of memory, and a shadow
 * of each: for every pointer word what it should lead to (stress/shadow.h), for every other word
 * what it holds.
 *
 * Everything that changes a field is a bulk operation, and the same is done to the shadow by
 * memmove and memset. Threads: who uses a field holds its lock, and no other one's but a later
 * field's. */
#ifndef TRI__STRESS_FIELDS_H
#define TRI__STRESS_FIELDS_H

#include "stress/shadow.h"

/* An element: which of its words are pointers. There are none behind the 64th. */
struct element {
    const tri_type *type;
    size_t words;
    uint64_t pointers;
};

struct field {
    pthread_mutex_t lock;
    const struct element *element;
    bool is_object;   /* in the heap: exchanged for a copy at times */
    void **base;      /* where the array begins: a root, or a constant */
    uint64_t *shadow; /* as many words */
    size_t count;     /* elements */
};

static inline uint64_t *field_words(const struct field *field)
{
    return *field->base;
}

static inline size_t field_size(const struct field *field)
{
    return field->count * field->element->words;
}

static inline bool is_pointer(const struct element *element, size_t word)
{
    word %= element->words;
    return word < 64 && (element->pointers >> word & 1) != 0;
}

void fields_init(void);
void fields_end(struct worker *worker); /* looks at everything there is, then lets go of it */

/* One at random, locked. */
struct field *field_enter(struct worker *worker);
/* The same, and *other gets another one of such elements, locked too; NULL if there is none. */
struct field *field_enter_two(struct worker *worker, struct field **other);
void field_leave(struct field *field);

/* Words that hold no pointers and pointers to objects made for them, and their shadow; on the
 * stack. */
void make_elements(struct worker *worker, const struct element *element, uint64_t *words,
                   uint64_t *shadow, size_t count);

/* Ends the program if a word of [first, first + n) is not what it should be. */
void field_check(struct worker *worker, const struct field *field, size_t first, size_t n,
                 const char *where);

#endif
