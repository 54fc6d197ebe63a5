/* SPDX-License-Identifier: MIT */
/* TRICOLOR_VERIFY=blocking: where the heap is used from. Threads: any. */
#ifndef TRI__MUTATOR_USE_H
#define TRI__MUTATOR_USE_H

#include <stddef.h>

/* The calling thread has called `call` from `caller`: fatal inside TRI_BLOCKING, and in a signal
 * handler that has interrupted the library. */
void tri__use_check(const char *call, const void *caller);

/* "file+0x1234", for tools like addr2line, of the call that returns to `caller`. Before a fatal end: of
 * several threads that come here at the same time one gets an answer, the others the bare address, a
 * second later. */
void tri__use_name_code(const void *caller, char *text, size_t room);

#endif
