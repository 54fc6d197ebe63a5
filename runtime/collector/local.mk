# SPDX-License-Identifier: MIT
# The cycle: marker, sweep and trigger. One file a line.
libtricolor_internal_la_SOURCES += %D%/assist.c
libtricolor_internal_la_SOURCES += %D%/assist.h
libtricolor_internal_la_SOURCES += %D%/courier.c
libtricolor_internal_la_SOURCES += %D%/courier.h
libtricolor_internal_la_SOURCES += %D%/cycle.c
libtricolor_internal_la_SOURCES += %D%/cycle.h
libtricolor_internal_la_SOURCES += %D%/marker.c
libtricolor_internal_la_SOURCES += %D%/marker.h
libtricolor_internal_la_SOURCES += %D%/pace.c
libtricolor_internal_la_SOURCES += %D%/pace.h
libtricolor_internal_la_SOURCES += %D%/verify.c
libtricolor_internal_la_SOURCES += %D%/verify.h
libtricolor_internal_la_SOURCES += %D%/words.c
libtricolor_internal_la_SOURCES += %D%/words.h
libtricolor_internal_la_SOURCES += %D%/work.c
libtricolor_internal_la_SOURCES += %D%/work.h
