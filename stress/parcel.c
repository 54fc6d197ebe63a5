/* SPDX-License-Identifier: MIT */
/* stress/parcel.c: parcels. */
#include "stress/parcel.h"

TRI_TYPE(parcel, next, load.p);

parcel *parcel_new(struct worker *worker, uint64_t way)
{
    parcel *fresh = tri_new(parcel);
    slot load = chance(worker, 80) ? leaf_new(worker) : nothing;

    if (fresh == NULL)
        give_up("out of memory");
    fresh->id = next_id(worker);
    fresh->check = mix(fresh->id);
    fresh->way = way;
    tri_init_store(&fresh->load.p, load.p);
    fresh->load.want = load.want;
    return fresh;
}

void parcel_check(struct worker *worker, const parcel *at, uint64_t way, const char *where)
{
    slot value = {(void *)(uintptr_t)at, want_of(TOKEN, at->id)};

    check_slot(worker, value, where);
    if (at->way != way)
        lost(worker, value, where, "a parcel that belongs to %" PRIx64 ", not to %" PRIx64, at->way,
             way);
    check_slot(worker, at->load, where);
}

void lock_enter(pthread_mutex_t *lock)
{
    if (pthread_mutex_trylock(lock) == 0)
        return;
    TRI_BLOCKING
        pthread_mutex_lock(lock);
}
