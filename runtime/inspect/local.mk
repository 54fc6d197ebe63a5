# SPDX-License-Identifier: MIT
# Statistics, trace lines and questions about objects. One file a line.
libtricolor_internal_la_SOURCES += %D%/heap_check.c
libtricolor_internal_la_SOURCES += %D%/inspect.h
libtricolor_internal_la_SOURCES += %D%/pointer_mask.c
libtricolor_internal_la_SOURCES += %D%/stats.c
libtricolor_internal_la_SOURCES += %D%/trace.c
