/* SPDX-License-Identifier: MIT */
/* What the program calls a word of an object, for messages. */
#ifndef TRI__LAYOUT_MEMBER_NAME_H
#define TRI__LAYOUT_MEMBER_NAME_H

#include <stdbool.h>

#include "layout/type.h"

/* Writes what TRI_TYPE or its like was told of the word at `offset` of an object of the type, cut
 * to `room` bytes: "next", "slots[3]", of the second element of an array "[1].next", of a flexible
 * array "items[7].key". false: it was not told of that word. Any thread. */
bool tri__member_name(const tri_type *type, size_t offset, char *text, size_t room);

#endif
