/* SPDX-License-Identifier: MIT */
/* The immutable hash trie (Bagwell's, compressed by two bitmaps): four bits of the hash choose the
 * position in each node.
 *
 * Nothing here is ever changed after it was built, so there is nothing to lock and no order to
 * keep: the release store that publishes a root, in keyspace.c, publishes all below it. What the
 * changes leave behind is garbage, a node a level.
 *
 * Threads: any, on any trie. */
#include "trie.h"

#include <string.h>

TRI_FLEX_TYPE_OF(kv_field, name, kv_byte, next, value);
TRI_FLEX_TYPE(kv_trie, slots);

#define BITS 4u
#define HASH_BITS 32u

kv_field *kv_field_new(struct kv_name name, void *value)
{
    kv_field *field = tri_new_flex(kv_field, name.length);

    if (field == NULL)
        return NULL;
    tri_init_store(&field->value, value);
    field->hash = name.hash;
    field->length = name.length;
    memcpy(field->name, name.data, name.length);
    return field;
}

static bool is_named(const kv_field *field, struct kv_name name)
{
    return kv_name_equal(name, field->name, field->length, field->hash);
}

/* ---- positions and slots ---- */

static unsigned position(uint32_t hash, unsigned shift)
{
    return 1u << (hash >> shift & ((1u << BITS) - 1));
}

static unsigned count_bits(unsigned bits)
{
    return (unsigned)__builtin_popcount(bits);
}

static kv_field *field_at(const kv_trie *node, unsigned bit)
{
    return node->slots[count_bits(node->fields & (bit - 1))];
}

static kv_trie *node_at(const kv_trie *node, unsigned bit)
{
    return node->slots[count_bits(node->fields) + count_bits(node->nodes & (bit - 1))];
}

/* ---- chains of fields whose hashes are equal: nearly always of one ---- */

static uint32_t chain_length(const kv_field *chain)
{
    uint32_t length = 0;

    for (; chain != NULL; chain = chain->next)
        length++;
    return length;
}

static kv_field *chain_find(kv_field *chain, struct kv_name name)
{
    while (chain != NULL && !is_named(chain, name))
        chain = chain->next;
    return chain;
}

/* *result = the chain without `name`: what follows it is shared, what precedes it is copied, in
 * reverse. false: out of memory. */
static bool chain_remove(kv_field *chain, struct kv_name name, kv_field **result)
{
    kv_field *found = chain_find(chain, name);
    kv_field *rest = found != NULL ? found->next : chain;

    for (kv_field *field = chain; found != NULL && field != found; field = field->next) {
        kv_field *copy = kv_field_new(kv_field_name(field), field->value);

        if (copy == NULL)
            return false;
        tri_init_store(&copy->next, rest);
        rest = copy;
    }
    *result = rest;
    return true;
}

/* ---- building nodes ---- */

static uint32_t count_at(const kv_trie *node, unsigned bit)
{
    if (node->fields & bit)
        return chain_length(field_at(node, bit));
    return node->nodes & bit ? node_at(node, bit)->count : 0;
}

/* Copies the slots of `old_bits` that are also in `new_bits`, taking `changed` for position `bit`;
 * returns the slot behind. */
static void **copy_slots(void **to, unsigned new_bits, void *const *from, unsigned old_bits,
                         unsigned bit, void *changed)
{
    for (unsigned rest = new_bits | old_bits; rest != 0; rest &= rest - 1) {
        unsigned here = rest & -rest;
        void *old = here & old_bits ? *from++ : NULL;

        if (here & new_bits)
            tri_init_store(to++, here == bit ? changed : old);
    }
    return to;
}

/* A copy of `node` whose position `bit` holds the given chain or the given child or, if both are
 * NULL, nothing. */
static kv_trie *node_with(const kv_trie *node, unsigned bit, kv_field *chain, kv_trie *child)
{
    unsigned fields = (node->fields & ~bit) | (chain != NULL ? bit : 0);
    unsigned nodes = (node->nodes & ~bit) | (child != NULL ? bit : 0);
    uint32_t changed = chain != NULL ? chain_length(chain) : kv_trie_count(child);
    kv_trie *copy = tri_new_flex(kv_trie, count_bits(fields) + count_bits(nodes));
    void **slot;

    if (copy == NULL)
        return NULL;
    copy->fields = (uint16_t)fields;
    copy->nodes = (uint16_t)nodes;
    copy->count = node->count - count_at(node, bit) + changed;
    slot = copy_slots(copy->slots, fields, node->slots, node->fields, bit, chain);
    copy_slots(slot, nodes, node->slots + count_bits(node->fields), node->nodes, bit, child);
    return copy;
}

static const kv_trie *empty_node(void)
{
    static const kv_trie empty;

    return &empty;
}

/* ---- looking up ---- */

kv_field *kv_trie_find(const kv_trie *trie, struct kv_name name)
{
    for (unsigned shift = 0; trie != NULL; shift += BITS) {
        unsigned bit = position(name.hash, shift);

        if (trie->fields & bit)
            return chain_find(field_at(trie, bit), name);
        trie = trie->nodes & bit ? node_at(trie, bit) : NULL;
    }
    return NULL;
}

/* ---- adding ---- */

static kv_trie *put(const kv_trie *node, unsigned shift, kv_field *field);

/* A node for two chains of different hashes, or a path of nodes while they agree. */
static kv_trie *node_of_two(kv_field *chain, kv_field *field, unsigned shift)
{
    kv_trie *node = node_with(empty_node(), position(chain->hash, shift), chain, NULL);

    return node != NULL ? put(node, shift, field) : NULL;
}

/* Adds the field to a position where a chain, of its own hash or another, already is. */
static kv_trie *put_beside(const kv_trie *node, unsigned shift, unsigned bit, kv_field *field)
{
    kv_field *chain = field_at(node, bit);
    kv_trie *child;

    if (chain->hash == field->hash) {
        kv_field *others;

        if (!chain_remove(chain, kv_field_name(field), &others))
            return NULL;
        tri_init_store(&field->next, others);
        return node_with(node, bit, field, NULL);
    }
    child = node_of_two(chain, field, shift + BITS);
    return child != NULL ? node_with(node, bit, NULL, child) : NULL;
}

static kv_trie *put(const kv_trie *node, unsigned shift, kv_field *field)
{
    unsigned bit = position(field->hash, shift);

    if (node->fields & bit)
        return put_beside(node, shift, bit, field);
    if (node->nodes & bit) {
        kv_trie *child = put(node_at(node, bit), shift + BITS, field);

        return child != NULL ? node_with(node, bit, NULL, child) : NULL;
    }
    return node_with(node, bit, field, NULL);
}

kv_trie *kv_trie_put(const kv_trie *trie, kv_field *field)
{
    return put(trie != NULL ? trie : empty_node(), 0, field);
}

/* ---- removing ---- */

/* Whether the node holds a single chain and nothing else, and so can be replaced by that chain in
 * its parent. */
static bool is_single_chain(const kv_trie *node)
{
    return node != NULL && node->nodes == 0 && count_bits(node->fields) == 1;
}

static bool is_last_position(const kv_trie *node, unsigned bit)
{
    return (node->fields | node->nodes) == bit;
}

/* *result = `node` with position `bit` changed; NULL: nothing is left. false: out of memory. */
static bool change(const kv_trie *node, unsigned bit, kv_field *chain, kv_trie *child,
                   kv_trie **result)
{
    *result = NULL;
    if (chain == NULL && child == NULL && is_last_position(node, bit))
        return true;
    *result = node_with(node, bit, chain, child);
    return *result != NULL;
}

static bool remove_below(const kv_trie *node, unsigned shift, struct kv_name name, kv_trie **result)
{
    unsigned bit = position(name.hash, shift);
    kv_field *chain;
    kv_trie *child;

    if (node->fields & bit) {
        if (!chain_remove(field_at(node, bit), name, &chain))
            return false;
        return change(node, bit, chain, NULL, result);
    }
    if (!remove_below(node_at(node, bit), shift + BITS, name, &child))
        return false;
    if (is_single_chain(child))
        return change(node, bit, child->slots[0], NULL, result);
    return change(node, bit, NULL, child, result);
}

bool kv_trie_remove(const kv_trie *trie, struct kv_name name, kv_trie **result)
{
    return remove_below(trie, 0, name, result);
}

/* ---- walking ---- */

/* Field number *index of the node's own chains; else NULL, with their fields taken off *index. */
static kv_field *own_field_at(const kv_trie *node, uint32_t *index)
{
    unsigned chains = count_bits(node->fields);

    for (unsigned i = 0; i < chains; i++) {
        for (kv_field *field = node->slots[i]; field != NULL; field = field->next) {
            if ((*index)-- == 0)
                return field;
        }
    }
    return NULL;
}

kv_field *kv_trie_at(const kv_trie *trie, uint32_t index)
{
    for (;;) {
        kv_field *field = own_field_at(trie, &index);
        unsigned i = count_bits(trie->fields);
        const kv_trie *child;

        if (field != NULL)
            return field;
        for (child = trie->slots[i]; index >= child->count; child = trie->slots[++i])
            index -= child->count;
        trie = child;
    }
}

void kv_trie_each(const kv_trie *trie, kv_field_visit *visit, void *argument)
{
    unsigned chains = trie != NULL ? count_bits(trie->fields) : 0;
    unsigned slots = trie != NULL ? chains + count_bits(trie->nodes) : 0;

    for (unsigned i = 0; i < chains; i++) {
        for (kv_field *field = trie->slots[i]; field != NULL; field = field->next)
            visit(field, argument);
    }
    for (unsigned i = chains; i < slots; i++)
        kv_trie_each(trie->slots[i], visit, argument);
    tri_safepoint();
}
