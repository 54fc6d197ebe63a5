/* SPDX-License-Identifier: MIT */
/* How something is reached from the roots: for reports of verification.
 * Threads: the coordinator, between the verdict of a mark and H4. */
#ifndef TRI__COLLECTOR_VERIFY_PATH_H
#define TRI__COLLECTOR_VERIFY_PATH_H

#include "collector/verify_describe.h"

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
