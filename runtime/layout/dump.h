/* SPDX-License-Identifier: MIT */
/* Types and iterators, written out for people. Safe wherever base/print.h is; a type descriptor
 * that cannot be read is said to be unreadable. */
#ifndef TRI__LAYOUT_DUMP_H
#define TRI__LAYOUT_DUMP_H

#include "base/print.h"
#include "layout/type_pointers.h"

/* In the middle of a line: "'node' (size 24, pointers in the first 16 bytes)", or "none". */
void tri__put_type(struct tri__print *out, const tri_type *type);

/* Can the type and its mask be read? An iterator over one that cannot would fault. */
bool tri__type_is_readable(const tri_type *type);

/* On lines of its own, indented: what the iterator is about to do, the 64 bits it holds, and the
 * pointer words that it has still to visit. The iterator itself stays where it is. */
void tri__put_type_pointers(struct tri__print *out, const struct tri__type_pointers *it);

/* The same straight to a file descriptor, for a debugger: call tri__dump_type_pointers(&it, 2). */
void tri__dump_type_pointers(const struct tri__type_pointers *it, int fd);

#endif
