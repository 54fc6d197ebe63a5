/* SPDX-License-Identifier: MIT */
/* tricolor.h: a garbage-collected heap for multithreaded C programs, with a collector that never
 * stops them.
 *
 *     typedef struct node { struct node *left, *right; long key; } node;
 *     TRI_TYPE(node, left, right);              which words are pointers
 *
 *     tri_init(NULL);                           once
 *     node *root = tri_new(node);               zeroed; kept alive by the stack
 *     tri_store(&root->left, tri_new(node));    a pointer store into the heap
 *
 * Start with the README; each header below is the manual of its part. */
#ifndef TRICOLOR_H
#define TRICOLOR_H

#include <tricolor/base.h>
#include <tricolor/type.h>
#include <tricolor/gc_program.h>
#include <tricolor/type_build.h>
#include <tricolor/alloc.h>
#include <tricolor/arena.h>
#include <tricolor/barrier.h>
#include <tricolor/root.h>
#include <tricolor/thread.h>
#include <tricolor/gc.h>
#include <tricolor/inspect.h>

#endif
