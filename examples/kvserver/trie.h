/* SPDX-License-Identifier: MIT */
/* An immutable hash trie: what hashes, sets and the members of sorted sets are made of.
 *
 * A change returns a new root that shares all but one path with the old one, which stays as it was.
 * So a reader who holds a root holds a snapshot: HGETALL of a million fields takes no lock and
 * keeps no writer waiting. */
#ifndef KV_TRIE_H
#define KV_TRIE_H

#include "value.h"

/* A member, with what belongs to it. Immutable once it is in a trie. */
typedef struct kv_field {
    struct kv_field *next; /* another one with the same 32-bit hash */
    void *value;           /* hash: a kv_string; sorted set: a kv_score; set: NULL */
    uint32_t hash;
    uint32_t length;
    kv_byte name[];
} kv_field;

/* Inner node of up to 16 positions; a position holds a chain of fields, a node, or nothing, and
 * only what is there takes a slot. */
typedef struct kv_trie {
    uint16_t fields; /* positions that hold fields; their slots come first */
    uint16_t nodes;  /* positions that hold nodes */
    uint32_t count;  /* fields in this node and below */
    void *slots[];
} kv_trie;

kv_field *kv_field_new(struct kv_name name, void *value);

static inline struct kv_slice kv_field_slice(const kv_field *field)
{
    return (struct kv_slice){field->name, field->length};
}

static inline struct kv_name kv_field_name(const kv_field *field)
{
    return (struct kv_name){field->name, field->length, field->hash};
}

/* NULL is the empty trie everywhere below. */

static inline uint32_t kv_trie_count(const kv_trie *trie)
{
    return trie != NULL ? trie->count : 0;
}

kv_field *kv_trie_find(const kv_trie *trie, struct kv_name name);

/* The trie with `field`, in the place of the one of the same name if there is one; NULL: out of
 * memory. Takes the field over: it must be new, and is used up even on failure. */
kv_trie *kv_trie_put(const kv_trie *trie, kv_field *field);

/* *result = the trie without `name`, which is in it. false: out of memory. */
bool kv_trie_remove(const kv_trie *trie, struct kv_name name, kv_trie **result);

/* Field number `index`, below the count, in an order of the trie's own. */
kv_field *kv_trie_at(const kv_trie *trie, uint32_t index);

typedef void kv_field_visit(kv_field *field, void *argument);
void kv_trie_each(const kv_trie *trie, kv_field_visit *visit, void *argument);

#endif
