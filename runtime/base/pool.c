/* SPDX-License-Identifier: MIT */
/* base/pool.c: slabs, and the objects in them. */
#include "base/pool.h"

#include "base/fatal.h"
#include "base/os.h"

struct tri__pool_slab {
    struct tri__pool_slab *next; /* const once the slab is in the chain */
    alignas(16) unsigned char objects[];
};

static size_t objects_a_slab(const struct tri__pool *pool)
{
    return (pool->slab_bytes - sizeof(struct tri__pool_slab)) / pool->object_bytes;
}

static struct tri__stack_entry *object_at(const struct tri__pool *pool, struct tri__pool_slab *slab,
                                          size_t index)
{
    return (struct tri__stack_entry *)(void *)(slab->objects + index * pool->object_bytes);
}

/* Maps a slab and keeps its first object: the others are everybody's, and may be gone before this
 * thread could take one of them. */
static struct tri__stack_entry *take_from_new_slab(struct tri__pool *pool)
{
    struct tri__pool_slab *slab = tri__os_map(pool->slab_bytes);

    if (slab == NULL)
        return NULL;
    TRI__ASSERT(objects_a_slab(pool) > 0);
    slab->next = tri__load_relaxed(&pool->slabs);
    /* rel -> acq in tri__pool_each(), tri__pool_count() and tri__pool_release() */
    while (!tri__cas_acqrel(&pool->slabs, &slab->next, slab))
        continue;
    for (size_t i = objects_a_slab(pool); i-- > 1;)
        tri__stack_push(&pool->unused, object_at(pool, slab, i));
    return object_at(pool, slab, 0);
}

struct tri__stack_entry *tri__pool_take(struct tri__pool *pool)
{
    struct tri__stack_entry *object = tri__stack_pop(&pool->unused);

    return object != NULL ? object : take_from_new_slab(pool);
}

void tri__pool_each(const struct tri__pool *pool,
                    void (*visit)(struct tri__stack_entry *object, void *argument), void *argument)
{
    struct tri__pool_slab *slab = tri__load_acquire(&pool->slabs);

    for (; slab != NULL; slab = slab->next)
        for (size_t i = 0; i < objects_a_slab(pool); i++)
            visit(object_at(pool, slab, i), argument);
}

size_t tri__pool_count(const struct tri__pool *pool)
{
    const struct tri__pool_slab *slab = tri__load_acquire(&pool->slabs);
    size_t count = 0;

    for (; slab != NULL; slab = slab->next)
        count += objects_a_slab(pool);
    return count;
}

void tri__pool_rebuild(struct tri__pool *pool,
                       bool (*is_used)(struct tri__stack_entry *object))
{
    struct tri__pool_slab *slab = tri__load_acquire(&pool->slabs);

    tri__stack_init(&pool->unused);
    for (; slab != NULL; slab = slab->next)
        for (size_t i = 0; i < objects_a_slab(pool); i++)
            if (!is_used(object_at(pool, slab, i)))
                tri__stack_push(&pool->unused, object_at(pool, slab, i));
}

bool tri__pool_none_used(struct tri__stack_entry *object)
{
    (void)object;
    return false;
}

void tri__pool_release(struct tri__pool *pool)
{
    struct tri__pool_slab *slab = tri__load_acquire(&pool->slabs);

    while (slab != NULL) {
        struct tri__pool_slab *next = slab->next;

        tri__os_unmap(slab, pool->slab_bytes);
        slab = next;
    }
    tri__store_relaxed(&pool->slabs, NULL);
    tri__stack_init(&pool->unused);
}
