/* SPDX-License-Identifier: MIT */
/* Patterns of KEYS, SCAN and CONFIG GET: * ? [abc] [^a-z] and \ before a character to be taken as
 * it is. */
#ifndef KV_GLOB_H
#define KV_GLOB_H

#include "value.h"

bool kv_glob_match(struct kv_slice pattern, struct kv_slice text);

#endif
