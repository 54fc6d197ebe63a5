# SPDX-License-Identifier: MIT
# Pages, spans, size classes and allocation. One file a line.

libtricolor_internal_la_SOURCES += %D%/size_class.h
libtricolor_internal_la_SOURCES += %D%/size_class_table.c
libtricolor_internal_la_SOURCES += %D%/page_bits.h
libtricolor_internal_la_SOURCES += %D%/page_cache.c
libtricolor_internal_la_SOURCES += %D%/page_cache.h
libtricolor_internal_la_SOURCES += %D%/page_heap.c
libtricolor_internal_la_SOURCES += %D%/page_heap.h
