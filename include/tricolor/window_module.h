/* SPDX-License-Identifier: MIT */
/* tricolor/window_module.h: tells the library of the windows in the executable or shared object that
 * it is compiled into. Not an interface; included where windows are in assembler. */
#ifndef TRICOLOR_WINDOW_MODULE_H
#define TRICOLOR_WINDOW_MODULE_H

#include <tricolor/window.h>

TRI_BEGIN_DECLS

#if !defined(TRI_IMPLEMENTATION) && !defined(TRI__WINDOWS_COUNTED)
extern const struct tri__window __start_tri_windows[] __attribute__((weak, visibility("hidden")));
extern const struct tri__window __stop_tri_windows[] __attribute__((weak, visibility("hidden")));

static inline const struct tri__window *tri__window_none(void); /* window_<machine>.h */

/* Before the program's own constructors, and after its destructors, which may use the heap: 101 is
 * the first priority that is not the compiler's. A table without this file's row of no window is
 * not what the linker should have made: rather none, which says that windows are not known
 * [inv.window.kept]. */
__attribute__((constructor(101))) static void tri__windows_enter(void)
{
    const struct tri__window *none = tri__window_none();

    if (none >= __start_tri_windows && none < __stop_tri_windows)
        tri__windows_add(__start_tri_windows, __stop_tri_windows);
    else
        tri__windows_add(none, none);
}

__attribute__((destructor(101))) static void tri__windows_leave(void)
{
    tri__windows_remove(__start_tri_windows);
}
#endif

TRI_END_DECLS
#endif
