/* SPDX-License-Identifier: MIT */
/* tricolor/root.h: what keeps objects alive besides the stacks of attached threads (thread.h).
 *
 * Stacks and registers are scanned conservatively: any word that points into an object keeps it.
 * Memory from malloc, thread-local variables and globals are not looked at, unless they are made
 * roots here. Stores to roots go through barrier.h. */
#ifndef TRICOLOR_ROOT_H
#define TRICOLOR_ROOT_H

#include <tricolor/type.h>

TRI_BEGIN_DECLS

/* Makes a global or static variable a root, in any executable or shared object:
 *
 *     TRI_ROOT static node *head;
 *
 * Every word of the variable may hold a pointer. Not for thread-local variables. In a shared object
 * it is a root from before the first constructor (of default priority) until dlclose() unloads the
 * object, after its last destructor; a thread that calls dlclose() is attached meanwhile. */
#define TRI_ROOT __attribute__((section("tri_roots")))

/* Makes n values of `type` at `base`, which must be aligned to the word, roots until
 * tri_root_remove(base). Stores to them need the barrier; bulk barriers know their layout.
 * 0, -EINVAL for a bad range or one that overlaps a registered one, or -ENOMEM. Any thread, inside
 * TRI_BLOCKING, too; one that is not attached is attached meanwhile. May be a safepoint, once the
 * range is a root. */
TRI_API int tri_root_add(void *base, const tri_type *type, size_t n);

/* Ends a registration made with the same base: 0, or -ENOENT. The memory may be released when it
 * returns. Threads as above. */
TRI_API int tri_root_remove(void *base);

/* A root of one pointer, to be kept in memory that the collector does not look at. Any thread. */
typedef struct tri_handle tri_handle;

/* A handle that holds p; NULL with errno == ENOMEM when there is no memory. */
TRI_API tri_handle *tri_handle_new(void *p);
TRI_API void *tri_handle_get(const tri_handle *handle);
TRI_API void tri_handle_set(tri_handle *handle, void *p);

/* Gives the handle back. Freeing one twice is fatal; freeing NULL does nothing. */
TRI_API void tri_handle_free(tri_handle *handle);

/* Announces the TRI_ROOT variables of the executable or shared object this header is compiled
 * into; twice does no harm. */
TRI_API void tri__module_add(void *start, void *stop);
TRI_API void tri__module_remove(void *start);

#ifndef TRI_IMPLEMENTATION
extern char __start_tri_roots[] __attribute__((weak, visibility("hidden")));
extern char __stop_tri_roots[] __attribute__((weak, visibility("hidden")));

/* Before the module's other constructors, and after its other destructors. */
__attribute__((constructor(101))) static void tri__module_enter(void)
{
    if (&__start_tri_roots[0] != &__stop_tri_roots[0])
        tri__module_add(__start_tri_roots, __stop_tri_roots);
}

__attribute__((destructor(101))) static void tri__module_leave(void)
{
    if (&__start_tri_roots[0] != &__stop_tri_roots[0])
        tri__module_remove(__start_tri_roots);
}
#endif

TRI_END_DECLS
#endif
