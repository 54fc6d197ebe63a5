/* SPDX-License-Identifier: MIT */
/* What an object, or a word, is: for reports of verification.
 * Threads: the coordinator, between the verdict of a mark and H4. */
#ifndef TRI__COLLECTOR_VERIFY_DESCRIBE_H
#define TRI__COLLECTOR_VERIFY_DESCRIBE_H

#include "collector/words.h"

/* Bytes of text: of an object; twice as many of a slot. */
#define TRI__DESCRIPTION 160u

/* "\"name\" at 0x... (n bytes)" */
void tri__describe_object(char *text, const struct tri__ref *ref);

/* "the pointer \"member\" at offset n of \"name\" at 0x... (n bytes)", of an arena's value or a
 * registered root with the arena's number, or that it is one; "the TRI_ROOT word at program+0x..."
 */
void tri__describe_slot(char *text, uintptr_t slot);

/* The same, behind "which is": without "the pointer". */
void tri__describe_step(char *text, uintptr_t slot);

#endif
