/* SPDX-License-Identifier: MIT */
/* What bulk barriers need from the floor above: the layout of memory outside the heap. */
#ifndef TRI__BARRIER_BULK_H
#define TRI__BARRIER_BULK_H

#include "layout/type_pointers.h"

/* The pointer words of [address, address + bytes) if a root holds the range; else nothing. */
typedef struct tri__type_pointers tri__root_pointers(uintptr_t address, size_t bytes);

/* Before the first barrier. */
void tri__bulk_init(tri__root_pointers *root_pointers);

#endif
