# SPDX-License-Identifier: MIT
# Write barriers. One file a line.
libtricolor_internal_la_SOURCES += %D%/buffer.c
libtricolor_internal_la_SOURCES += %D%/buffer.h
libtricolor_internal_la_SOURCES += %D%/bulk.c
libtricolor_internal_la_SOURCES += %D%/bulk.h
libtricolor_internal_la_SOURCES += %D%/range.c
libtricolor_internal_la_SOURCES += %D%/range.h
libtricolor_internal_la_SOURCES += %D%/store.c
libtricolor_internal_la_SOURCES += %D%/watch.c
libtricolor_internal_la_SOURCES += %D%/watch.h
libtricolor_internal_la_SOURCES += %D%/word_copy.h
