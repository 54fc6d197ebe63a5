/* SPDX-License-Identifier: MIT */
/* base/fault.h: switches that leave out one half of the protocol, so that tests can show that the
 * half is needed.
 *
 * Only in --enable-debug builds, set by TRICOLOR_FAULT=name[,name...] at tri_init. Elsewhere every
 * switch is the constant false and the variable is refused: nobody shall believe that a fault was
 * tested when it was not there. */
#ifndef TRI__BASE_FAULT_H
#define TRI__BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

enum tri__fault {
    TRI__FAULT_DROP_OLD,       /* "drop-old": the barrier does not shade the old value */
    TRI__FAULT_DROP_NEW,       /* "drop-new": the barrier does not shade the new value */
    TRI__FAULT_SKIP_ARM,       /* "skip-arm": marking starts without H1 */
    TRI__FAULT_SKIP_FLUSH,     /* "skip-flush": H3's verdict leaves out partly filled buffers */
    TRI__FAULT_ALLOCATE_WHITE, /* "allocate-white": objects born during a mark are not marked */
    TRI__FAULT_NO_CHUNKS,      /* "no-chunks": no memory for work chunks; this must be survived */
    TRI__FAULT_CORRUPT_LAYOUT, /* "corrupt-layout": layouts are written with a wrong bit or type */
    TRI__FAULT_FORGET_TYPES,   /* "forget-types": markers do not note that a retired type is in use */
    TRI__FAULT_FORGET_SPANS,   /* "forget-spans": a retired type's spans are not waited for */
    TRI__FAULT_FORGET_MODULES, /* "forget-modules": types' shared objects may be unloaded */
    TRI__FAULTS
};

/* Reads TRICOLOR_FAULT; an unknown name is fatal, with the list of names. Threads: tri_init, before
 * any other. */
void tri__fault_init(void);

#ifdef TRI__DEBUG

#include "base/atomic.h"

extern uint32_t tri__faults_armed; /* one bit a fault; const after init */

static inline bool tri__fault(enum tri__fault fault)
{
    return ((tri__load_relaxed(&tri__faults_armed) >> (unsigned)fault) & 1u) != 0;
}

#else

static inline bool tri__fault(enum tri__fault fault)
{
    (void)fault;
    return false;
}

#endif
#endif
