# SPDX-License-Identifier: MIT
# Benchmarks: built by make, never run by make check. See docs/performance.md.

# A program is built from one source for each back end of heap.h, and linked as a user would link
# it. -no-install: libtool puts no wrapper script between what is run and what is measured.
noinst_PROGRAMS += %D%/measure
bench_measure_LDADD =

noinst_PROGRAMS += %D%/alloc_tricolor %D%/alloc_malloc
noinst_PROGRAMS += %D%/binary_trees_tricolor %D%/binary_trees_malloc
noinst_PROGRAMS += %D%/layout_tricolor
noinst_PROGRAMS += %D%/mark_tricolor
noinst_PROGRAMS += %D%/mixed_tricolor
noinst_PROGRAMS += %D%/handshake_tricolor
noinst_PROGRAMS += %D%/memmove_tricolor
noinst_PROGRAMS += %D%/wakeup

bench_headers = %D%/bench.h %D%/heap.h %D%/heap_tricolor.h %D%/heap_malloc.h %D%/heap_bdwgc.h

bench_alloc_tricolor_SOURCES = %D%/alloc.c $(bench_headers)
bench_alloc_malloc_SOURCES = %D%/alloc.c $(bench_headers)
bench_binary_trees_tricolor_SOURCES = %D%/binary_trees.c $(bench_headers)
bench_binary_trees_malloc_SOURCES = %D%/binary_trees.c $(bench_headers)
bench_layout_tricolor_SOURCES = %D%/layout.c $(bench_headers)
bench_mixed_tricolor_SOURCES = %D%/mixed.c $(bench_headers)
bench_mark_tricolor_SOURCES = %D%/mark.c $(bench_headers)
bench_handshake_tricolor_SOURCES = %D%/handshake.c $(bench_headers)
bench_memmove_tricolor_SOURCES = %D%/memmove.c $(bench_headers)

bench_tricolor_cppflags = $(AM_CPPFLAGS) -DHEAP_TRICOLOR
bench_alloc_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_binary_trees_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_layout_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_mixed_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_mark_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_handshake_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_memmove_tricolor_CPPFLAGS = $(bench_tricolor_cppflags)
bench_alloc_tricolor_LDADD = libtricolor.la
bench_binary_trees_tricolor_LDADD = libtricolor.la
# It asks for what the library hides.
bench_layout_tricolor_LDADD = libtricolor_internal.la
bench_mixed_tricolor_LDADD = libtricolor.la
bench_mark_tricolor_LDADD = libtricolor.la
bench_handshake_tricolor_LDADD = libtricolor.la
bench_memmove_tricolor_LDADD = libtricolor.la
bench_alloc_tricolor_LDFLAGS = -no-install
bench_binary_trees_tricolor_LDFLAGS = -no-install
bench_layout_tricolor_LDFLAGS = -no-install
bench_mixed_tricolor_LDFLAGS = -no-install
bench_mark_tricolor_LDFLAGS = -no-install
bench_handshake_tricolor_LDFLAGS = -no-install
bench_memmove_tricolor_LDFLAGS = -no-install

# heap_malloc.h says why malloc must be an ordinary function.
bench_malloc_cppflags = $(AM_CPPFLAGS) -DHEAP_MALLOC
bench_malloc_cflags = $(AM_CFLAGS) -fno-builtin-malloc
bench_alloc_malloc_CPPFLAGS = $(bench_malloc_cppflags)
bench_binary_trees_malloc_CPPFLAGS = $(bench_malloc_cppflags)
bench_alloc_malloc_CFLAGS = $(bench_malloc_cflags)
bench_binary_trees_malloc_CFLAGS = $(bench_malloc_cflags)
bench_alloc_malloc_LDADD =
bench_wakeup_SOURCES = %D%/wakeup.c $(bench_headers)
bench_wakeup_CPPFLAGS = $(bench_malloc_cppflags)
bench_wakeup_LDADD =
bench_binary_trees_malloc_LDADD =

if HAVE_BDWGC
noinst_PROGRAMS += %D%/alloc_bdwgc %D%/binary_trees_bdwgc %D%/mark_bdwgc
bench_alloc_bdwgc_SOURCES = %D%/alloc.c $(bench_headers)
bench_binary_trees_bdwgc_SOURCES = %D%/binary_trees.c $(bench_headers)
bench_mark_bdwgc_SOURCES = %D%/mark.c $(bench_headers)

bench_bdwgc_cppflags = $(AM_CPPFLAGS) -DHEAP_BDWGC -DGC_THREADS
bench_bdwgc_cflags = $(AM_CFLAGS) $(BDWGC_CFLAGS)
bench_alloc_bdwgc_CPPFLAGS = $(bench_bdwgc_cppflags)
bench_binary_trees_bdwgc_CPPFLAGS = $(bench_bdwgc_cppflags)
bench_mark_bdwgc_CPPFLAGS = $(bench_bdwgc_cppflags)
bench_alloc_bdwgc_CFLAGS = $(bench_bdwgc_cflags)
bench_binary_trees_bdwgc_CFLAGS = $(bench_bdwgc_cflags)
bench_mark_bdwgc_CFLAGS = $(bench_bdwgc_cflags)
bench_alloc_bdwgc_LDADD = $(BDWGC_LIBS)
bench_binary_trees_bdwgc_LDADD = $(BDWGC_LIBS)
bench_mark_bdwgc_LDADD = $(BDWGC_LIBS)
endif

EXTRA_DIST += %D%/common.sh
EXTRA_DIST += %D%/figures
EXTRA_DIST += %D%/handshakes
EXTRA_DIST += %D%/run
EXTRA_DIST += %D%/instructions
EXTRA_DIST += %D%/paths
EXTRA_DIST += %D%/path_loops.c
