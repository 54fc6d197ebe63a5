# SPDX-License-Identifier: MIT
# Pages, spans, size classes and allocation. One file a line.

libtricolor_internal_la_SOURCES += %D%/size_class.h
libtricolor_internal_la_SOURCES += %D%/size_class_table.c
libtricolor_internal_la_SOURCES += %D%/page_bits.h
libtricolor_internal_la_SOURCES += %D%/page_cache.c
libtricolor_internal_la_SOURCES += %D%/page_cache.h
libtricolor_internal_la_SOURCES += %D%/page_heap.c
libtricolor_internal_la_SOURCES += %D%/page_heap.h
libtricolor_internal_la_SOURCES += %D%/alloc.c
libtricolor_internal_la_SOURCES += %D%/cache.c
libtricolor_internal_la_SOURCES += %D%/cache.h
libtricolor_internal_la_SOURCES += %D%/dump.c
libtricolor_internal_la_SOURCES += %D%/dump.h
libtricolor_internal_la_SOURCES += %D%/dump_span.c
libtricolor_internal_la_SOURCES += %D%/heap.c
libtricolor_internal_la_SOURCES += %D%/heap.h
libtricolor_internal_la_SOURCES += %D%/large.c
libtricolor_internal_la_SOURCES += %D%/object.c
libtricolor_internal_la_SOURCES += %D%/object.h
libtricolor_internal_la_SOURCES += %D%/resolve.h
libtricolor_internal_la_SOURCES += %D%/span.c
libtricolor_internal_la_SOURCES += %D%/span.h
