/* SPDX-License-Identifier: MIT */
/* stress/world.c: the places, their locks, and roots that come and go. */
#include "stress/world.h"

#include <stdlib.h>

#define TABLES 10u
#define GLOBALS 48u
#define STRIPES 64u
#define ROOTS 6u
#define HANDLES 32u
#define EDGES 256u

static const uint16_t table_counts[TABLES] = {8, 30, 31, 64, 300, 1000, 2045, 2046, 4000, 10000};

TRI_ROOT static node *tables[TABLES]; /* atomic: rel -> acq */
TRI_ROOT static slot globals[GLOBALS];
TRI_ROOT static slot *edges[EDGES]; /* atomic */
TRI_ROOT static void **far_edges;   /* atomic elements */

uint32_t world_is_full;

static pthread_mutex_t stripes[STRIPES];
static pthread_mutex_t globals_lock = PTHREAD_MUTEX_INITIALIZER;

static struct root {
    pthread_mutex_t lock;
    slot *slots;
    size_t count;
} roots[ROOTS];

static struct {
    pthread_mutex_t lock;
    tri_handle *handle;
    uint64_t want;
} handles[HANDLES];

static void lock(pthread_mutex_t *mutex)
{
    if (pthread_mutex_trylock(mutex) == 0)
        return;
    TRI_BLOCKING
        pthread_mutex_lock(mutex);
}

struct spot node_enter(node *of)
{
    struct spot spot = {place_of(of), &stripes[of->id % STRIPES]};

    lock(spot.lock);
    return spot;
}

void spot_leave(const struct spot *spot)
{
    pthread_mutex_unlock(spot->lock);
}

static struct spot root_enter(struct root *root)
{
    lock(&root->lock);
    return (struct spot){place_of_slots(root->slots, root->count), &root->lock};
}

static node *table(struct worker *worker, size_t i)
{
    node *found = __atomic_load_n(&tables[i], __ATOMIC_ACQUIRE);

    check_node(worker, found, found->id, "a table");
    return found;
}

struct spot spot_enter(struct worker *worker)
{
    unsigned kind = (unsigned)below(worker, 16);
    node *found = kind < 6 ? world_walk(worker, 4) : NULL;

    if (found != NULL && found->count != 0)
        return node_enter(found);
    if (kind == 14) {
        lock(&globals_lock);
        return (struct spot){place_of_slots(globals, GLOBALS), &globals_lock};
    }
    if (kind == 15)
        return root_enter(&roots[below(worker, ROOTS)]);
    return node_enter(table(worker, below(worker, TABLES)));
}

static slot pick_from(struct worker *worker, struct spot spot, const char *where)
{
    slot value = get_slot(&spot.place, below(worker, spot.place.count));

    spot_leave(&spot);
    check_slot(worker, value, where);
    return value;
}

slot world_pick(struct worker *worker)
{
    return pick_from(worker, spot_enter(worker), "a place");
}

node *world_walk(struct worker *worker, unsigned steps)
{
    node *at = table(worker, below(worker, TABLES)), *last = NULL;

    while (at != NULL && at->count != 0 && steps-- > 0) {
        at = node_of(pick_from(worker, node_enter(at), "a node on a walk"));
        last = at != NULL ? at : last;
    }
    return last;
}

/* --- tables ----------------------------------------------------------------------------------- */

void world_change_table(struct worker *worker)
{
    size_t i = below(worker, TABLES), count = table_counts[i] / 2 + below(worker, table_counts[i]);
    node *fresh = node_new(worker, count), *old = table(worker, i);
    struct place place = place_of(fresh);
    struct spot spot = node_enter(old);

    for (size_t k = 0; k < count && k < spot.place.count; k++)
        fill_slot(&place, k, get_slot(&spot.place, k));
    tri_store_release(&tables[i], fresh); /* rel -> acq in table() */
    spot_leave(&spot);
}

/* --- registered roots ------------------------------------------------------------------------- */

static void root_open(struct root *root, size_t count)
{
    slot *slots = calloc(count, sizeof *slots);

    if (slots == NULL || tri_root_add(slots, &tri_type_slot, count) != 0)
        give_up("no memory for a root");
    root->slots = slots;
    root->count = count;
}

static void root_close(struct root *root)
{
    if (tri_root_remove(root->slots) != 0)
        give_up("a registered root is not known");
    free(root->slots);
    root->slots = NULL;
}

/* The objects live on in the new root alone; the old one's memory is freed. */
void world_change_root(struct worker *worker)
{
    struct root *root = &roots[below(worker, ROOTS)], old;
    size_t count = 1 + below(worker, 40);

    lock(&root->lock);
    old = *root;
    root_open(root, count);
    for (size_t i = 0; i < count && i < old.count; i++) {
        check_slot(worker, old.slots[i], "a registered root");
        tri_store(&root->slots[i].p, old.slots[i].p);
        root->slots[i].want = old.slots[i].want;
    }
    root_close(&old);
    pthread_mutex_unlock(&root->lock);
}

/* --- handles ---------------------------------------------------------------------------------- */

void world_change_handle(struct worker *worker)
{
    slot value = chance(worker, 50) ? world_pick(worker) : leaf_new(worker), old;
    size_t i = below(worker, HANDLES);

    lock(&handles[i].lock);
    old = (slot){tri_handle_get(handles[i].handle), handles[i].want};
    if (chance(worker, 30)) {
        tri_handle_free(handles[i].handle);
        handles[i].handle = tri_handle_new(value.p);
        if (handles[i].handle == NULL)
            give_up("no memory for a handle");
    } else {
        tri_handle_set(handles[i].handle, value.p);
    }
    handles[i].want = value.want;
    pthread_mutex_unlock(&handles[i].lock);
    check_slot(worker, old, "a handle");
}

/* --- edges ------------------------------------------------------------------------------------ */

static slot *edge_new(slot value)
{
    slot *edge = tri_new(slot);

    if (edge == NULL)
        give_up("out of memory");
    tri_init_store(&edge->p, value.p);
    edge->want = value.want;
    return edge;
}

static void check_edge(struct worker *worker, const slot *edge)
{
    slot self = {(void *)(uintptr_t)edge, 0};

    if (edge == NULL)
        return;
    if (tri_object_base(edge) != edge)
        lost(worker, self, "an edge", "freed memory");
    check_slot(worker, *edge, "an edge");
}

/* Nobody else knows the fresh edge until it is stored, and nobody changes it afterwards. */
void world_change_edge(struct worker *worker)
{
    size_t i = below(worker, EDGES);
    slot **at = chance(worker, 50) ? &edges[i] : (slot **)&far_edges[i];
    slot *found = __atomic_load_n(at, __ATOMIC_ACQUIRE), *fresh;

    check_edge(worker, found);
    switch (below(worker, 4)) {
    case 0:
        check_edge(worker, tri_exchange(at, edge_new(leaf_new(worker))));
        break;
    case 1:
        fresh = edge_new(world_pick(worker));
        if (!tri_compare_exchange(at, &found, fresh))
            check_edge(worker, found);
        break;
    case 2: /* what the old edge led to is handed on: only the new one leads to it then */
        fresh = found == NULL ? NULL : edge_new(*found);
        if (tri_compare_exchange(at, &found, (slot *)NULL) && fresh != NULL)
            tri_store_release(&edges[below(worker, EDGES)], fresh);
        break;
    default:
        break;
    }
}

/* --- beginning and end ------------------------------------------------------------------------ */

void world_init(struct worker *worker)
{
    for (size_t i = 0; i < STRIPES; i++)
        pthread_mutex_init(&stripes[i], NULL);
    for (size_t i = 0; i < TABLES; i++)
        tri_store_release(&tables[i], node_new(worker, table_counts[i]));
    for (size_t i = 0; i < ROOTS; i++) {
        pthread_mutex_init(&roots[i].lock, NULL);
        root_open(&roots[i], 1 + i);
    }
    for (size_t i = 0; i < HANDLES; i++) {
        pthread_mutex_init(&handles[i].lock, NULL);
        handles[i].handle = tri_handle_new(NULL);
        if (handles[i].handle == NULL)
            give_up("no memory for a handle");
    }
    tri_store_release(&far_edges, tri_new_ptrs(EDGES));
    if (far_edges == NULL)
        give_up("out of memory");
}

/* Ids that have been seen, in an open hash table. */
struct seen {
    uint64_t *ids;
    size_t count, room; /* room is a power of two */
};

static bool seen_insert(struct seen *seen, uint64_t id)
{
    size_t at = mix(id) & (seen->room - 1);

    while (seen->ids[at] != 0 && seen->ids[at] != id)
        at = (at + 1) & (seen->room - 1);
    if (seen->ids[at] == id)
        return false;
    seen->ids[at] = id;
    seen->count++;
    return true;
}

static void seen_make_room(struct seen *seen)
{
    struct seen larger = {.room = seen->room == 0 ? 1024 : seen->room * 2};

    if (seen->count < seen->room / 2)
        return;
    larger.ids = calloc(larger.room, sizeof *larger.ids);
    if (larger.ids == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < seen->room; i++)
        if (seen->ids[i] != 0)
            seen_insert(&larger, seen->ids[i]);
    free(seen->ids);
    *seen = larger;
}

/* Nodes still to be looked into: a stack of pointers in the heap, as no root may hide in malloc
 * memory. */
struct todo {
    void **nodes;
    size_t count, room;
};

static void todo_push(struct todo *todo, node *next)
{
    if (todo->count == todo->room) {
        todo->nodes = tri_grow(todo->nodes, &tri_type_ptr, todo->room, todo->room * 2 + 1000);
        if (todo->nodes == NULL)
            give_up("out of memory");
        todo->room = todo->room * 2 + 1000;
    }
    tri_store(&todo->nodes[todo->count], (void *)next);
    todo->count++;
}

static void visit(struct worker *worker, struct seen *seen, struct todo *todo, slot value,
                  const char *where)
{
    node *found;

    check_slot(worker, value, where);
    found = node_of(value);
    seen_make_room(seen);
    if (found != NULL && seen_insert(seen, found->id))
        todo_push(todo, found);
}

static void visit_place(struct worker *worker, struct seen *seen, struct todo *todo,
                        struct place place, const char *where)
{
    for (size_t i = 0; i < place.count; i++)
        visit(worker, seen, todo, get_slot(&place, i), where);
}

static void visit_edge(struct worker *worker, struct seen *seen, struct todo *todo,
                       const slot *edge)
{
    check_edge(worker, edge);
    if (edge != NULL)
        visit(worker, seen, todo, *edge, "an edge");
}

static void visit_roots(struct worker *worker, struct seen *seen, struct todo *todo)
{
    visit_place(worker, seen, todo, place_of_slots(globals, GLOBALS), "TRI_ROOT slots");
    for (size_t i = 0; i < TABLES; i++)
        visit_place(worker, seen, todo, place_of(table(worker, i)), "a table");
    for (size_t i = 0; i < ROOTS; i++)
        visit_place(worker, seen, todo, place_of_slots(roots[i].slots, roots[i].count),
                    "a registered root");
    for (size_t i = 0; i < HANDLES; i++)
        visit(worker, seen, todo, (slot){tri_handle_get(handles[i].handle), handles[i].want},
              "a handle");
    for (size_t i = 0; i < EDGES; i++) {
        visit_edge(worker, seen, todo, edges[i]);
        visit_edge(worker, seen, todo, far_edges[i]);
    }
}

/* No other thread is left. */
void world_end(struct worker *worker)
{
    struct seen seen = {NULL, 0, 0};
    struct todo todo = {NULL, 0, 0};

    visit_roots(worker, &seen, &todo);
    while (todo.count > 0)
        visit_place(worker, &seen, &todo, place_of(todo.nodes[--todo.count]), "a node");
    free(seen.ids);
    for (size_t i = 0; i < ROOTS; i++)
        root_close(&roots[i]);
    for (size_t i = 0; i < HANDLES; i++)
        tri_handle_free(handles[i].handle);
}
