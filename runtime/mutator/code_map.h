/* SPDX-License-Identifier: MIT */
/* Which addresses are code, and of which file: what the kernel says about mappings.
 *
 * No locks, no malloc, no loader: the answer is good for tools like addr2line, and has no names of
 * functions. Threads: one at a time; static memory. */
#ifndef TRI__MUTATOR_CODE_MAP_H
#define TRI__MUTATOR_CODE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Looks anew. What there is no room for is left out. */
void tri__code_map_read(void);

/* In the mappings as they were. */
bool tri__code_map_has(uintptr_t address);

/* "file+0x1234", relative to where the file is loaded; or the bare address. */
void tri__code_map_name(uintptr_t address, char *text, size_t room);

/* The same for a variable. Looks anew; what is code is not to be asked for before the next
 * tri__code_map_read(). */
void tri__code_map_name_data(uintptr_t address, char *text, size_t room);

#endif
