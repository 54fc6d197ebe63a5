/* SPDX-License-Identifier: MIT */
/* tricolor/base.h: what every public header needs: visibility, C++ linkage, branch hints. */
#ifndef TRICOLOR_BASE_H
#define TRICOLOR_BASE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
#define TRI_BEGIN_DECLS extern "C" {
#define TRI_END_DECLS }
#define TRI__STATIC_ASSERT(condition, message) static_assert(condition, message)
#else
#include <stdbool.h>
#define TRI_BEGIN_DECLS
#define TRI_END_DECLS
#define TRI__STATIC_ASSERT(condition, message) _Static_assert(condition, message)
#endif

/* Marks a function as part of the library's interface; everything else stays hidden. */
#define TRI_API __attribute__((visibility("default")))

/* The machine word: pointers, masks and barriers work in units of it. Only 64-bit machines are
 * supported. */
#define TRI_WORD 8u
TRI__STATIC_ASSERT(sizeof(void *) == TRI_WORD, "tricolor needs 64-bit pointers");

/* A name that no other expansion of a macro has: macros that declare something nest, and none
 * shadows another. */
#define TRI__UNIQUE(name) TRI__PASTE(name, __COUNTER__)
#define TRI__PASTE(a, b) TRI__PASTE_EXPANDED(a, b)
#define TRI__PASTE_EXPANDED(a, b) a##b

#define TRI__LIKELY(condition) __builtin_expect(!!(condition), 1)
#define TRI__UNLIKELY(condition) __builtin_expect(!!(condition), 0)

#endif
