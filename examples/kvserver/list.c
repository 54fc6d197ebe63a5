/* SPDX-License-Identifier: MIT */
/* Lists: a radix tree of positions, of which a window is in use.
 *
 * The rule that makes snapshots cheap: a slot of a node is written once. A push writes into the
 * tree that readers are reading, but only into a slot that is still NULL, which lies outside the
 * window of every list ever published over this node; then it publishes a list with a wider window.
 * A pop publishes a narrower window and writes nothing. Only a push to a position that an earlier
 * pop has left copies the path to it, because there a snapshot may still be looking.
 *
 * Pops also cut off what they leave behind: when the window leaves a lowest node, the path to the
 * window's end is copied without the slots outside, so that an old list of a million elements is
 * not kept alive by the two that are left.
 *
 * Locks: the key's, held by whoever pushes and pops. Threads: any may read. */
#include "list.h"

TRI_TYPE(kv_list_node, slots);
TRI_TYPE(kv_list, root);

#define BITS 4u /* log2 of KV_LIST_WIDTH */

static uint64_t capacity(const kv_list *list)
{
    return list->levels == 0 ? 0 : (uint64_t)1 << (BITS * list->levels);
}

/* Which slot leads to `position` from a node with `level` levels below it. */
static unsigned slot_of(uint64_t position, unsigned level)
{
    return position >> (BITS * level) & (KV_LIST_WIDTH - 1);
}

kv_string *kv_list_at(const kv_list *list, uint64_t index)
{
    kv_list_node *node = list->root;
    uint64_t position = list->first + index;

    for (unsigned level = list->levels - 1; level > 0; level--)
        node = kv_load(&node->slots[slot_of(position, level)]);
    return kv_load(&node->slots[slot_of(position, 0)]);
}

kv_list *kv_list_publishable(const kv_list *list)
{
    kv_list *copy = tri_new(kv_list);

    if (copy == NULL)
        return NULL;
    copy->head = list->head;
    copy->levels = list->levels;
    copy->first = list->first;
    copy->count = list->count;
    tri_init_store(&copy->root, list->root);
    return copy;
}

/* ---- copying a path ---- */

/* A copy of the slots from..to of a node. */
static kv_list_node *copy_node(const kv_list_node *node, unsigned from, unsigned to)
{
    kv_list_node *copy = tri_new(kv_list_node);

    for (unsigned i = from; copy != NULL && i <= to; i++)
        tri_init_store(&copy->slots[i], node->slots[i]);
    return copy;
}

/* A copy of the node at the end of the window, without what is outside, and of the nodes on the
 * path below it. */
static kv_list_node *copy_path(const kv_list_node *node, unsigned level, uint64_t position,
                               enum kv_end end)
{
    unsigned slot = slot_of(position, level);
    kv_list_node *copy =
        end == KV_LEFT ? copy_node(node, slot, KV_LIST_WIDTH - 1) : copy_node(node, 0, slot);
    kv_list_node *child;

    if (copy == NULL || level == 0)
        return copy;
    child = copy_path(node->slots[slot], level - 1, position, end);
    if (child == NULL)
        return NULL;
    tri_store(&copy->slots[slot], child);
    return copy;
}

static uint64_t end_position(const kv_list *list, enum kv_end end)
{
    return end == KV_LEFT ? list->first : list->first + list->count - 1;
}

/* Replaces the path to one end of the window, so that every slot beyond it is NULL. */
static bool trim(kv_list *list, enum kv_end end)
{
    kv_list_node *root = copy_path(list->root, list->levels - 1, end_position(list, end), end);

    if (root == NULL)
        return false;
    list->root = root;
    return true;
}

/* ---- pushing ---- */

/* A level on top. The old root goes to the middle: there is room on both sides. */
static bool grow(kv_list *list)
{
    kv_list_node *root = tri_new(kv_list_node);
    unsigned middle = KV_LIST_WIDTH / 2;

    if (root == NULL)
        return false;
    if (list->root != NULL) {
        tri_init_store(&root->slots[middle], list->root);
        list->first += middle * capacity(list);
    } else {
        list->first = middle;
    }
    list->root = root;
    list->levels++;
    return true;
}

static bool has_room(const kv_list *list, enum kv_end end)
{
    if (list->root == NULL)
        return false;
    return end == KV_LEFT ? list->first > 0 : list->first + list->count < capacity(list);
}

/* The slot for `position`, with the nodes that lead to it; NULL: out of memory. */
static void **slot_for(const kv_list *list, uint64_t position)
{
    kv_list_node *node = list->root;

    for (unsigned level = list->levels - 1; level > 0; level--) {
        void **slot = &node->slots[slot_of(position, level)];

        if (*slot == NULL) {
            kv_list_node *child = tri_new(kv_list_node);

            if (child == NULL)
                return NULL;
            tri_store_release(slot, child);
        }
        node = *slot;
    }
    return &node->slots[slot_of(position, 0)];
}

bool kv_list_push(kv_list *list, enum kv_end end, kv_string *element)
{
    uint64_t position;
    void **slot;

    if (!has_room(list, end) && !grow(list))
        return false;
    position = end == KV_LEFT ? list->first - 1 : list->first + list->count;
    slot = slot_for(list, position);
    if (slot != NULL && *slot != NULL)
        slot = trim(list, end) ? slot_for(list, position) : NULL;
    if (slot == NULL)
        return false;
    tri_store_release(slot, element);
    list->first -= end == KV_LEFT;
    list->count++;
    return true;
}

/* ---- popping ---- */

/* Takes levels off the top as long as the window lies in one child of the root. */
static void shrink(kv_list *list)
{
    while (list->levels > 1) {
        unsigned top = list->levels - 1;
        unsigned slot = slot_of(list->first, top);

        if (slot != slot_of(end_position(list, KV_RIGHT), top))
            return;
        list->root = list->root->slots[slot];
        list->levels--;
        list->first &= capacity(list) - 1;
    }
}

/* Whether the window's end has just come to the border of a lowest node, so that a whole node is
 * left behind. */
static bool left_a_node(const kv_list *list, enum kv_end end)
{
    return slot_of(end_position(list, end), 0) == (end == KV_LEFT ? 0 : KV_LIST_WIDTH - 1);
}

kv_string *kv_list_pop(kv_list *list, enum kv_end end)
{
    kv_string *element = kv_list_at(list, end == KV_LEFT ? 0 : list->count - 1);

    list->first += end == KV_LEFT;
    list->count--;
    if (list->count == 0)
        *list = kv_list_empty(); /* a window has to have ends for what follows */
    shrink(list);
    if (list->levels > 1 && left_a_node(list, end))
        (void)trim(list, end); /* out of memory: what is left behind only lives longer */
    return element;
}
