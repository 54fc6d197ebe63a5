/* SPDX-License-Identifier: MIT */
/* How something is reached from the roots, and what it is: for reports of verification.
 * Threads: the coordinator, between the verdict of a mark and H4. */
#ifndef TRI__COLLECTOR_VERIFY_PATH_H
#define TRI__COLLECTOR_VERIFY_PATH_H

#include "collector/words.h"

/* Bytes of text: of an object; twice as many of a slot. */
#define TRI__DESCRIPTION 160u

/* "\"name\" at 0x... (n bytes)" */
void tri__describe_object(char *text, const struct tri__ref *ref);

/* "the pointer at offset n of ...", "the root at ...", ... */
void tri__describe_slot(char *text, const struct tri__holder *holder, uintptr_t slot);

/* Prints, a line each, what leads from the object to a root. */
void tri__print_path(uintptr_t base);

/* Has the object no layout, so that its words may be anything? */
bool tri__holds_anything(const struct tri__ref *ref);

/* Looks for an object that a root, a handle or an arena leads to, and which is_wanted(): `report`
 * is called, which may print its path by tri__search_print(). What is wanted is not looked into;
 * nor is what only stacks or words of conservative objects lead to. false: there is none, or no
 * memory to look. */
struct tri__search;
bool tri__search_reachable(bool (*is_wanted)(uintptr_t base),
                           void (*report)(const struct tri__search *search, uintptr_t base));
void tri__search_print(const struct tri__search *search, uintptr_t base);

#endif
