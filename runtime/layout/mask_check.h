/* SPDX-License-Identifier: MIT */
/* Masks that were made of a byte mask or of a program, read back and held against the definition:
 * the part of the double check (heap/double_check.h) that needs no object.
 * Threads: any; each checks what it has written itself. */
#ifndef TRI__LAYOUT_MASK_CHECK_H
#define TRI__LAYOUT_MASK_CHECK_H

#include "layout/type.h"

#ifdef TRI__DEBUG

/* On, which is the default, or off. Before the first type is used. */
void tri__mask_check_init(bool on);

/* The mask was made for `type`, without its tail. Of a long program only the beginning and the end
 * are looked at: the definition of one word may have to read all of it. */
void tri__mask_check(const tri_type *type, const uint64_t *mask);

#else

static inline void tri__mask_check_init(bool on)
{
    (void)on;
}

static inline void tri__mask_check(const tri_type *type, const uint64_t *mask)
{
    (void)type, (void)mask;
}

#endif
#endif
