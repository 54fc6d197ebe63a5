/* SPDX-License-Identifier: MIT */
/* Objects and spans, written out for people: behind tri_dump_object() and tri_dump_span(), and for
 * whoever has found something broken in one of them.
 *
 * Nothing is locked and nothing is believed: what another thread changes meanwhile may be shown
 * half old, half new; what cannot be read is said to be so. */
#ifndef TRI__HEAP_DUMP_H
#define TRI__HEAP_DUMP_H

#include "base/print.h"
#include "heap/object.h"

const char *tri__kind_name(enum tri__kind kind);

/* Parts of the below, about arenas. */
void tri__put_arena_word(struct tri__print *out, uintptr_t word);
void tri__put_arena_heading(struct tri__print *out, const struct tri__ref *ref);
void tri__put_arena_chunk(struct tri__print *out, const struct tri__span *span);

/* In the middle of a line: "bitmap object 0x… + 8 (48 bytes)", or what else the word is. */
void tri__put_word(struct tri__print *out, uintptr_t word);

/* On lines of their own. The words shown are those around `address`. */
void tri__put_object(struct tri__print *out, const struct tri__ref *ref, uintptr_t address);
void tri__put_span(struct tri__print *out, const struct tri__span *span);

#endif
