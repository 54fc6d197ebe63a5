# SPDX-License-Identifier: MIT
# Public headers: installed, one a line.

include_HEADERS += %D%/tricolor.h

tricolorinclude_HEADERS += %D%/tricolor/alloc.h
tricolorinclude_HEADERS += %D%/tricolor/arena.h
tricolorinclude_HEADERS += %D%/tricolor/barrier.h
tricolorinclude_HEADERS += %D%/tricolor/base.h
tricolorinclude_HEADERS += %D%/tricolor/each.h
tricolorinclude_HEADERS += %D%/tricolor/fast.h
tricolorinclude_HEADERS += %D%/tricolor/gc.h
tricolorinclude_HEADERS += %D%/tricolor/gc_program.h
tricolorinclude_HEADERS += %D%/tricolor/inspect.h
tricolorinclude_HEADERS += %D%/tricolor/root.h
tricolorinclude_HEADERS += %D%/tricolor/size_class.h
tricolorinclude_HEADERS += %D%/tricolor/thread.h
tricolorinclude_HEADERS += %D%/tricolor/type.h
tricolorinclude_HEADERS += %D%/tricolor/type_build.h
tricolorinclude_HEADERS += %D%/tricolor/type_make.h
tricolorinclude_HEADERS += %D%/tricolor/window.h
tricolorinclude_HEADERS += %D%/tricolor/window_aarch64.h
tricolorinclude_HEADERS += %D%/tricolor/window_counted.h
tricolorinclude_HEADERS += %D%/tricolor/window_module.h
tricolorinclude_HEADERS += %D%/tricolor/window_x86_64.h
