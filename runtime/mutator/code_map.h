/* SPDX-License-Identifier: MIT */
/* Which addresses are code, and of which file: what the kernel says about mappings.
 *
 * No locks, no malloc, no loader: the answer is good for tools like addr2line, and has no names of
 * functions. Threads: a map is its user's, who makes it static; one thread at a time. */
#ifndef TRI__MUTATOR_CODE_MAP_H
#define TRI__MUTATOR_CODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRI__CODE_RANGES 512
#define TRI__CODE_NAMES_BYTES ((size_t)32 << 10)
#define TRI__CODE_LINE_BYTES 4400 /* a path, and what stands before it */

struct tri__code_range {
    uintptr_t start, end;
    uintptr_t base; /* of the file */
    const char *name;
};

struct tri__code_map {
    struct tri__code_range ranges[TRI__CODE_RANGES]; /* by address */
    unsigned count;
    char names[TRI__CODE_NAMES_BYTES];
    size_t names_used;

    /* of the file that the last line was about */
    char name[TRI__CODE_LINE_BYTES];
    uintptr_t base;
    const char *kept; /* its name among `names`; NULL: not there yet */

    char text[2 * TRI__CODE_LINE_BYTES]; /* what has been read, and is no whole line yet */
};

/* Looks anew, at all code and at the mapping of `variable`, if that is not 0. What there is no room
 * for is left out. */
void tri__code_map_read(struct tri__code_map *map, uintptr_t variable);

/* In the mappings as they were. */
bool tri__code_map_has(const struct tri__code_map *map, uintptr_t address);

/* "file+0x1234", relative to where the file is loaded; or the bare address. */
void tri__code_map_name(const struct tri__code_map *map, uintptr_t address, char *text,
                        size_t room);

#endif
