# SPDX-License-Identifier: MIT
# Types, heap bitmaps and the walk over pointers of an object. One file a line.

libtricolor_internal_la_SOURCES += %D%/bit_cursor.c
libtricolor_internal_la_SOURCES += %D%/bit_cursor.h
libtricolor_internal_la_SOURCES += %D%/bits.h
libtricolor_internal_la_SOURCES += %D%/dump.c
libtricolor_internal_la_SOURCES += %D%/dump.h
libtricolor_internal_la_SOURCES += %D%/gc_program.c
libtricolor_internal_la_SOURCES += %D%/gc_program.h
libtricolor_internal_la_SOURCES += %D%/heap_bits.c
libtricolor_internal_la_SOURCES += %D%/heap_bits.h
libtricolor_internal_la_SOURCES += %D%/mask_check.c
libtricolor_internal_la_SOURCES += %D%/mask_check.h
libtricolor_internal_la_SOURCES += %D%/oracle.c
libtricolor_internal_la_SOURCES += %D%/oracle.h
libtricolor_internal_la_SOURCES += %D%/own_mask.c
libtricolor_internal_la_SOURCES += %D%/own_mask.h
libtricolor_internal_la_SOURCES += %D%/type.c
libtricolor_internal_la_SOURCES += %D%/type.h
libtricolor_internal_la_SOURCES += %D%/type_build.c
libtricolor_internal_la_SOURCES += %D%/type_build.h
libtricolor_internal_la_SOURCES += %D%/type_hold.c
libtricolor_internal_la_SOURCES += %D%/type_hold.h
libtricolor_internal_la_SOURCES += %D%/type_pointers.c
libtricolor_internal_la_SOURCES += %D%/type_pointers.h
libtricolor_internal_la_SOURCES += %D%/type_retire.c
libtricolor_internal_la_SOURCES += %D%/type_retire.h
